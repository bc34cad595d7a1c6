"""Objects that stand between the events of an event stream, without `data:`.

When Gemini fails in the middle of a stream it may send its error as plain JSON, over several lines. To an event
stream's rules those are lines of unknown fields, passed over; to Google's own clients, which join lines until the
braces balance, they are a record. Here too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from streamkit.codecs.jsonarray import JSONArrayDecoder
from streamkit.codecs.sse import SSEDecoder
from streamkit.codecs.stage import Stage
from streamkit.dialects.events import Event
from streamkit.dialects.framing import Take
from streamkit.errors import DecodeError, TruncatedError

__all__ = ["BareObjects"]

_BETWEEN = re.compile(rb"(?:\n\n|\n\r\n|\r\r)\{")

_CLOSING = re.compile(rb"\}[\r\n]")

TAIL_BYTES: Final = 3
"""How many bytes before a `{` say whether it stands between events."""


class BareObjects(Stage[bytes, Any]):
    """An event stream's reader, and a look at every line between events that begins with `{`.

    Such a line, and those after it, are read as one JSON object up to its last brace. The reader gets them as well: it
    ignores them, and so counts the bytes of the stream right.
    """

    name = "sse"

    def __init__(self, reader: SSEDecoder[Any], take: Take, max_record_bytes: int | None) -> None:
        """Make a stage around `reader`; `take` gets the objects."""
        self._reader = reader
        self._take = take
        self._object: Stage[bytes, Any] = JSONArrayDecoder(convert=self._convert, max_record_bytes=max_record_bytes)
        self._start()

    def _start(self) -> None:
        self._tail = b"\n\n"  # the stream's start is between events
        self._start_byte: int | None = None  # where the object being read begins
        self._end = 0  # bytes that have come
        self._complete = False
        self._ended_last = False  # nothing has come after the object that was completed last

    def reset(self) -> None:
        super().reset()
        self._reader.reset()
        self._start()

    def feed(self, data: bytes, /) -> list[Any]:
        if self._start_byte is None and not self._may_begin(data):
            self._pass(data)
            return self._reader.feed(data)
        out: list[Any] = []
        try:
            while data:
                data = self._feed_some(data, out)
        except DecodeError as error:
            raise self._fail(error, [*out, *error.items]) from None
        return out

    def finish(self) -> list[Any]:
        if self._closed is not None:
            return []
        out = self._reader.finish()
        super().finish()
        if self._start_byte is not None:
            raise self._cut("a JSON object", self._end - self._start_byte, out)
        if self._reader.dropped_bytes and not self._ended_last:
            raise self._cut("an event", self._reader.dropped_bytes, out)
        return out

    def _may_begin(self, data: bytes) -> bool:
        """Whether a line may begin with `{` in `data`; in an event stream none does."""
        return b"\n{" in data or b"\r{" in data or (data[:1] == b"{" and self._tail[-1:] in {b"\n", b"\r"})

    def _pass(self, data: bytes) -> None:
        self._end += len(data)
        self._tail = (self._tail + data[-TAIL_BYTES:])[-TAIL_BYTES:]
        self._ended_last = self._ended_last and not data

    def _feed_some(self, data: bytes, out: list[Any]) -> bytes:
        """Take `data` up to where an object begins, or up to where one may end; return the rest."""
        if self._start_byte is None:
            found = _BETWEEN.search(self._tail + data)
            stop = len(data) if found is None else found.end() - 1 - len(self._tail)
            if found is not None:
                self._start_byte = self._end + stop
                self._object.reset()
                self._object.feed(b"[")
                self._complete = False
            self._pass(data[:stop])
            out += self._reader.feed(data[:stop])
            return data[stop:]
        closing = _CLOSING.search(data)  # it may be the last line, or not
        stop = closing.end() if closing is not None else len(data)
        piece, rest = data[:stop], data[stop:]
        self._end += len(piece)
        out += self._reader.feed(piece)
        try:
            out += self._object.feed(piece)
        except DecodeError as error:
            if error.offset is not None:
                error.offset += self._start_byte - len(b"[")
            error.record = None
            raise
        if self._complete:
            self._start_byte = None
            self._tail = b"\n\n" if piece[-1:] in {b"\n", b"\r"} else b"\n"
            self._ended_last = True
        return rest

    def _convert(self, value: object, raw: bytes) -> Sequence[Event]:
        self._complete = True
        return self._take(value, raw)

    def _cut(self, inside: str, dropped_bytes: int, out: list[Any]) -> TruncatedError:
        error = TruncatedError(
            f"the input ends inside {inside}",
            dropped_bytes=dropped_bytes,
            stage=self.name,
            record=None,
            offset=self._end,
        )
        return self._fail(error, out)
