"""The options that every encoder takes, as a type for functions that pass them on."""

from __future__ import annotations

from typing import TypedDict

__all__ = ["EncoderOptions"]


class EncoderOptions(TypedDict, total=False):
    """See `streamkit.dialects.encoder.Encoder`, which says what each means."""

    model: str
    message_id: str
    created_ns: int | None
    include_usage: bool
    reasoning_key: str
