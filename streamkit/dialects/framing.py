"""How the records of a dialect lie in bytes: the four framings, each with its reader and its writer.

A dialect names its framings; this is the one place that knows what they look like. A reader is a stage from bytes to
whatever the dialect's `Take` makes of each record; a writer puts one record's JSON text into its frame.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Final, Protocol

from streamkit.codecs.jsonarray import JSONArrayDecoder
from streamkit.codecs.jsontext import SAFE_BYTES, JSONTextError, decode, decode_checked
from streamkit.codecs.ndjson import NDJSONDecoder
from streamkit.codecs.sse import SSEDecoder
from streamkit.codecs.sse_events import SSEComment, SSEEvent
from streamkit.codecs.stage import Stage
from streamkit.codecs.text import Utf8Decoder
from streamkit.dialects.events import Event

__all__ = ["DONE", "FRAMINGS", "Comment", "Framing", "NotJSONError", "Take"]

DONE: Final = object()
"""The value of the event whose data is `[DONE]`: it ends OpenAI's streams, and those of everybody who copied them."""


LINE_ENDS: Final = re.compile("[\r\n\x85\u2028\u2029]")


class Take(Protocol):
    """What a dialect makes of one record."""

    def __call__(self, value: object, raw: str | bytes, name: str = ..., /) -> Sequence[Event]:
        """Return the record's events.

        Args:
            value: the decoded JSON text, or `DONE`; where the framing is plain text, the text.
            raw: the record as it came.
            name: the SSE event's type, "message" where it has none.

        Raises:
            ValueError: the record is not one of the dialect; it becomes the record's `DecodeError`.
        """


Comment = Callable[[str], Sequence[Event]]
"""What a dialect makes of a comment's text."""


class NotJSONError(ValueError):
    """An event's data is neither JSON nor the terminator."""

    code = "not-json"


class Framing(ABC):
    """One framing: `reader` is for any stream, the rest writes one stream. A writer is made anew for each stream."""

    name: ClassVar[str]
    media_type: ClassVar[str]

    @staticmethod
    @abstractmethod
    def reader(take: Take, comment: Comment, max_record_bytes: int | None) -> Stage[bytes, Any]:
        """Make a stage from bytes to events."""

    @abstractmethod
    def record(self, text: bytes, name: str = "") -> bytes:
        """Frame one record, a JSON text of one line, as an event of type `name` where the framing has types."""

    def comment(self, text: str) -> bytes:  # noqa: ARG002 - most framings have none
        """Frame a comment; nothing where the framing has none."""
        return b""

    def end(self) -> bytes:
        """Close what the first record opened."""
        return b""


class NDJSON(Framing):
    """A record a line."""

    name = "ndjson"
    media_type = "application/x-ndjson"

    @staticmethod
    def reader(take: Take, comment: Comment, max_record_bytes: int | None) -> Stage[bytes, Any]:  # noqa: ARG004
        return NDJSONDecoder(convert=take, max_record_bytes=max_record_bytes)

    def record(self, text: bytes, name: str = "") -> bytes:  # noqa: ARG002 - lines have no types
        return b"%b\n" % text


class SSE(Framing):
    """A record an event, in one data line."""

    name = "sse"
    media_type = "text/event-stream"

    @staticmethod
    def reader(take: Take, comment: Comment, max_record_bytes: int | None) -> Stage[bytes, Any]:
        return SSEDecoder(convert=EventData(take, comment), comments=True, max_event_bytes=max_record_bytes)

    def record(self, text: bytes, name: str = "") -> bytes:
        return b"event: %b\ndata: %b\n\n" % (name.encode(), text) if name else b"data: %b\n\n" % text

    def comment(self, text: str) -> bytes:
        # What some readers take for a line end would begin a line of its own, and that line could be an event.
        return f": {LINE_ENDS.sub(' ', text)}\n\n".encode()


class EventData:
    """From an event or comment to what a dialect makes of it. No closure, so that a stage can be copied."""

    def __init__(self, take: Take, comment: Comment) -> None:
        self._take = take
        self._comment = comment

    def __call__(self, event: SSEEvent | SSEComment) -> Sequence[Event]:
        """Return the neutral events.

        Raises:
            NotJSONError: an event's data is not JSON.
        """
        if isinstance(event, SSEComment):
            return self._comment(event.text)
        data = event.data
        if not data:
            return self._comment("")  # nothing was said: somebody's heartbeat
        if data == "[DONE]":
            return self._take(DONE, data, event.event)
        try:
            value = decode(data) if len(data) < SAFE_BYTES else decode_checked(data.encode())
        except (ValueError, RecursionError):
            raise _not_json(data) from None
        return self._take(value, data, event.event)


def _not_json(data: str) -> NotJSONError:
    try:
        decode_checked(data.encode())
    except JSONTextError as error:
        return NotJSONError(f"the event's data is not JSON ({error.reason})")
    raise AssertionError


class JSONArray(Framing):
    """All records in one JSON array, laid out as Gemini does it."""

    name = "json-array"
    media_type = "application/json"

    @staticmethod
    def reader(take: Take, comment: Comment, max_record_bytes: int | None) -> Stage[bytes, Any]:  # noqa: ARG004
        return JSONArrayDecoder(convert=take, max_record_bytes=max_record_bytes)

    def __init__(self) -> None:
        self._empty = True

    def record(self, text: bytes, name: str = "") -> bytes:  # noqa: ARG002 - elements have no types
        before = b"[" if self._empty else b",\n"
        self._empty = False
        return before + text

    def end(self) -> bytes:
        return b"[]\n" if self._empty else b"]\n"


class PlainText(Framing):
    """No records: each read's text is one."""

    name = "text"
    media_type = "text/plain; charset=utf-8"

    @staticmethod
    def reader(take: Take, comment: Comment, max_record_bytes: int | None) -> Stage[bytes, Any]:  # noqa: ARG004
        return Utf8Decoder() | Pieces(take)

    def record(self, text: bytes, name: str = "") -> bytes:  # noqa: ARG002 - text has no types
        return text


class Pieces(Stage[str, Any]):
    """Hand each piece of text to `take`."""

    name = "text"

    def __init__(self, take: Take) -> None:
        self._take = take

    def feed(self, text: str, /) -> list[Any]:
        return [*self._take(text, text)]


FRAMINGS: Final[dict[str, type[Framing]]] = {each.name: each for each in (NDJSON, SSE, JSONArray, PlainText)}
"""Every framing by its name."""
