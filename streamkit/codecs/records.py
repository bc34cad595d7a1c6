"""What all decoders of records share: limits, the choice on a bad record, and its error."""

from __future__ import annotations

from typing import Final, Literal

from streamkit.codecs.jsontext import JSONTextError
from streamkit.errors import ConfigError, DecodeError, excerpt_of

__all__ = ["BOM", "DEFAULT_LIMIT_BYTES", "OnError", "bad_record_error", "check_choice", "check_limit"]

BOM: Final = b"\xef\xbb\xbf"
"""The byte-order mark in UTF-8. One is dropped at the very start of a stream, none anywhere else."""

DEFAULT_LIMIT_BYTES: Final = 16 * 1024 * 1024
"""One record's limit. Defaults of 64 KiB (Go's bufio.Scanner) and 1 MiB (MCP's Go SDK) both drew bug reports from users
with legitimate records; the latter settled on 16 MiB (modelcontextprotocol/go-sdk#1205)."""

OnError = Literal["raise", "item"]
"""What a decoder does with a bad record: raise its error and stop, or yield a `BadRecord` in its place and go on."""


def check_limit(limit_bytes: int | None, option: str) -> int:
    """Return the limit as a number that lengths can be compared with; None (no limit) becomes one never reached.

    Raises:
        ConfigError: the limit is zero or negative.
    """
    if limit_bytes is None:
        return 1 << 62
    if limit_bytes < 1:
        msg = f"{option} is {limit_bytes}, but a record has at least one byte; None lifts the limit"
        raise ConfigError(msg)
    return limit_bytes


def check_choice(value: str, option: str, choices: tuple[str, ...]) -> None:
    """Raise a `ConfigError` unless `value` is one of the `choices`."""
    if value not in choices:
        msg = f"{option} is {value!r}, but it can be {' or '.join(map(repr, choices))}"
        raise ConfigError(msg)


def bad_record_error(error: ValueError, record: bytes, *, stage: str, number: int, start: int | None) -> DecodeError:
    """Turn what a record's parser raised into the stage's error.

    A `JSONTextError` tells the byte; for any other ValueError (a `convert` function's) the record's first byte is
    named. Its `code` attribute, if it has one, is kept.
    """
    position = error.position if isinstance(error, JSONTextError) else 0
    return DecodeError(
        getattr(error, "reason", str(error)),
        code=getattr(error, "code", "bad-field"),
        stage=stage,
        record=number,
        offset=None if start is None else start + position,
        excerpt=excerpt_of(record, position),
    )
