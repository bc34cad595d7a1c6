"""What a WebSocket's messages and endings mean: which message cancels, and with which code a failure closes. Pure."""

from __future__ import annotations

from typing import Final

from streamkit.codecs.jsontext import JSONTextError, decode_checked
from streamkit.dialects.events import Error
from streamkit.errors import StreamkitError
from streamkit.gateway.record import Outcome
from streamkit.gateway.translated import outcome_of
from streamkit.vendors.envelope import NoJSONError
from streamkit.vendors.question import RefusedError

__all__ = ["CANCELLED", "goodbye_of", "is_cancel"]

CANCEL_BYTES: Final = 64
"""A longer message is not looked at to find out whether it cancels."""

CANCELLED: Final = Error("the client has cancelled the answer", "cancelled", "cancelled")


def is_cancel(data: bytes) -> bool:
    """Tell whether a message is `{"cancel": true}`, which is not a question."""
    if len(data) > CANCEL_BYTES:
        return False
    try:
        return decode_checked(data) == {"cancel": True}
    except JSONTextError:
        return False


def goodbye_of(error: Exception) -> tuple[int, Outcome]:
    """Return the code with which the connection is closed behind an answer that failed, and what the log says."""
    if isinstance(error, NoJSONError):
        return 1007, "bad-request"
    if isinstance(error, RefusedError):
        return 1008, "refused"
    return 1011, outcome_of(error) if isinstance(error, StreamkitError) else "failed"
