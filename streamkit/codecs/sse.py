"""Event streams, read: bytes to events (WHATWG HTML, section 9.2.6; the encoder is in `streamkit.codecs.sse_encoder`).

The rules that most implementations break, and that this one keeps:

- A line ends at CR, LF or CRLF and at nothing else. The CR ends it at once: an LF that follows is swallowed when it
  comes, so no event waits for a byte that may never come.
- UTF-8 is decoded with replacement, never an error. Exactly one byte-order mark is dropped, at the very start.
- A block without data dispatches nothing, but its id still becomes the last event id; an id with a NUL is ignored.
- `retry` takes effect with its line, if it is ASCII digits only.
- What is pending at the end of the input is dropped. `dropped_bytes` says how much that was, and `flush_partial`
  dispatches it instead, for servers that forget the last blank line.

Two ways through, with the same result: a machine that takes line after line, and a shortcut for what nearly every LLM
server sends, blocks of one `data: ` line each with LF ends. The shortcut decodes and splits a whole read at once and
costs a third. Not here: what the data means, `[DONE]` included. That is a dialect's business.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, Generic, Literal, TypeVar, overload

import msgspec

from streamkit.codecs.lines import CR, DEFAULT_LIMIT_BYTES, LF, OnError, check_choice, check_limit
from streamkit.codecs.ndjson import BOM, bad_record_error
from streamkit.codecs.stage import BadRecord, Stage
from streamkit.errors import DecodeError, LimitExceeded, excerpt_of

__all__ = ["SSEComment", "SSEDecoder", "SSEEvent"]

ItemT = TypeVar("ItemT", covariant=True)
OtherT = TypeVar("OtherT")

BULK_BYTES: Final = 1024
"""From this size on a read is tried by the shortcut even if it ends inside a block. Below, the failed tries cost more
than the successful ones save (measured: benchmarks/sse_decode.py)."""

MAX_RETRY_DIGITS: Final = 15
"""Longer retry values are ignored: 10**15 ms is 30000 years, and int() itself refuses 4301 digits."""


class SSEEvent(msgspec.Struct, frozen=True, gc=False):
    """One dispatched event.

    A msgspec Struct because it is built in 0.1 us, where a slots class takes twice and a named tuple four times that.

    Attributes:
        event: its type, "message" where the stream names none.
        data: the data lines, joined by LF.
        id: the last event id at the time of dispatch. It stays from event to event until the stream changes it.
    """

    event: str = "message"
    data: str = ""
    id: str = ""


class SSEComment(msgspec.Struct, frozen=True, gc=False):
    """One comment line, without its colon and one space after that. Servers send them as heartbeats."""

    text: str = ""


class SSEDecoder(Stage[bytes, ItemT], Generic[ItemT]):
    """Bytes to events. An event leaves in the `feed` that brings its blank line.

    Attributes:
        last_event_id: what an EventSource would send as `Last-Event-ID` when it reconnects now.
        retry_ms: the reconnection time that the stream asked for last, or None.
        dropped_bytes: after `finish`, the length of what came after the last blank line, if an event or a line was
            begun in it; 0 if the input ended between events.
    """

    name = "sse"

    @overload
    def __init__(
        self: SSEDecoder[SSEEvent],
        *,
        max_event_bytes: int | None = ...,
        comments: Literal[False] = ...,
        on_error: Literal["raise"] = ...,
        flush_partial: bool = ...,
    ) -> None: ...
    @overload
    def __init__(
        self: SSEDecoder[SSEEvent | SSEComment],
        *,
        max_event_bytes: int | None = ...,
        comments: bool,
        on_error: Literal["raise"] = ...,
        flush_partial: bool = ...,
    ) -> None: ...
    @overload
    def __init__(
        self: SSEDecoder[SSEEvent | SSEComment | BadRecord],
        *,
        max_event_bytes: int | None = ...,
        comments: bool = ...,
        on_error: OnError,
        flush_partial: bool = ...,
    ) -> None: ...
    @overload
    def __init__(
        self: SSEDecoder[OtherT | SSEComment | BadRecord],
        *,
        convert: Callable[[SSEEvent], Sequence[OtherT]],
        max_event_bytes: int | None = ...,
        comments: bool = ...,
        on_error: OnError = ...,
        flush_partial: bool = ...,
    ) -> None: ...

    def __init__(
        self,
        *,
        max_event_bytes: int | None = DEFAULT_LIMIT_BYTES,
        comments: bool = False,
        on_error: OnError = "raise",
        flush_partial: bool = False,
        convert: Callable[[SSEEvent], Sequence[Any]] | None = None,
    ) -> None:
        """Make a decoder.

        Args:
            max_event_bytes: the most bytes that one event may make the decoder hold, counted over its lines so far
                (a byte for each line end) and the line being read; None lifts the limit.
            comments: yield each comment line as an `SSEComment`, in its place between the events.
            on_error: "raise" the error of an event over the limit and stop, or yield a `BadRecord` "item" in its place,
                skip to the next blank line, and go on.
            flush_partial: at the end of the input dispatch what is pending, instead of dropping it.
            convert: called with each event, while its place in the stream is known; its result's items are yielded
                instead of the event. A ValueError that it raises is the event's `DecodeError`.

        Raises:
            ConfigError: an option is out of range.
        """
        check_choice(on_error, "on_error", ("raise", "item"))
        self._limit_bytes = check_limit(max_event_bytes, "max_event_bytes")
        self._comments = comments
        self._on_error = on_error
        self._flush_partial = flush_partial
        self._convert = convert
        self._start()

    def _start(self) -> None:
        self.last_event_id = ""
        self.retry_ms: int | None = None
        self.dropped_bytes = 0
        self._end = 0  # bytes that have come
        self._block_start = 0  # where the block being read begins
        self._line = bytearray()  # the unfinished line
        self._data: list[str] = []
        self._event = ""
        self._id = ""
        self._held_bytes = 0  # the length of the lines that the three above came from
        self._after_cr = False
        self._at_start = True  # a byte-order mark may still come
        self._clean = False  # between blocks: nothing pending that the shortcut would have to take over
        self._skipping = False  # inside an event over the limit
        self._events = 0

    def reset(self) -> None:
        super().reset()
        self._start()

    def feed(self, data: bytes, /) -> list[ItemT]:
        if self._closed is not None:
            self._check_open()
        out: list[Any] = []
        if self._clean and self._convert is None and (len(data) >= BULK_BYTES or data[-2:] == b"\n\n"):
            data = self._feed_bulk(data, out)
        if data:
            self._feed_lines(data, out)
        return out

    def finish(self) -> list[ItemT]:
        if self._closed is not None:
            return []
        super().finish()
        out: list[Any] = []
        line = bytes(self._line)
        if self._at_start:
            line = line.removeprefix(BOM)
        if self._skipping or not (line or self._data or self._event or self._id != self.last_event_id):
            self.dropped_bytes = self._end - self._block_start if self._skipping else 0
        elif self._flush_partial:
            self._take_line(line, out)
            self._dispatch(out)
        else:
            self.dropped_bytes = self._end - self._block_start
        return out

    def _feed_bulk(self, data: bytes, out: list[Any]) -> bytes:
        r"""Take the blocks of one `data: ` line each that `data` completes; return what is left of it.

        If the text starts with `data: ` and is cut at every `\n\ndata: `, then n pieces contain 2(n-1) of the line
        feeds. If that is all there are, no piece holds a line feed, so every block is one data line: one count proves
        it.
        """
        held = self._line
        end = data.rfind(b"\n\n")
        if end < 0 or b"\r" in data or len(held) + len(data) > self._limit_bytes:
            return data
        blocks = bytes(held) + data[:end] if held else data[:end]
        if not blocks.startswith(b"data: "):
            return data
        pieces = blocks[6:].decode("utf-8", "replace").split("\n\ndata: ")
        if blocks.count(b"\n") != 2 * (len(pieces) - 1):
            return data
        event_id = self.last_event_id
        out += [SSEEvent("message", piece, event_id) for piece in pieces]
        if held:
            self._line = bytearray()
        self._events += len(pieces)
        self._end += end + 2
        self._block_start = self._end
        return data[end + 2 :]

    def _feed_lines(self, data: bytes, out: list[Any]) -> None:
        if self._after_cr:
            self._after_cr = False
            if data[0] == LF:
                data = data[1:]
                if self._block_start == self._end:  # the CR ended a blank line, so its LF belongs to that block
                    self._block_start += 1
                self._end += 1
        position = self._end
        self._end += len(data)
        fits = self._held_bytes + len(self._line) + len(data) <= self._limit_bytes
        for piece in data.splitlines(keepends=True):
            line_start = position - len(self._line)
            position += len(piece)
            if piece[-1] != LF and piece[-1] != CR:
                self._line += piece
                if not fits:
                    self._check_limit(self._line, line_start, out)
                if self._skipping:
                    del self._line[1:]  # one byte is enough to know that the line is not blank
                break
            line = piece.rstrip(b"\r\n")
            if self._line:
                self._line += line
                line = bytes(self._line)
                self._line = bytearray()  # gives the memory back before the line is decoded
            if not fits and line:
                self._check_limit(line, line_start, out)
            if self._at_start:
                self._at_start = False
                line = line.removeprefix(BOM)
            if not line:
                self._dispatch(out)
                self._block_start = position
            elif not self._skipping:
                self._take_line(line, out)
        self._after_cr = data.endswith(b"\r")
        self._clean = not (
            self._at_start
            or self._after_cr
            or self._skipping
            or self._data
            or self._event
            or self._id != self.last_event_id
        )

    def _take_line(self, line: bytes, out: list[Any]) -> None:
        name, _, value = line.partition(b":")
        if value[:1] == b" ":
            value = value[1:]
        if name == b"data":
            self._data.append(value.decode("utf-8", "replace"))
        elif not name:
            if self._comments and line:
                out.append(SSEComment(value.decode("utf-8", "replace")))
            return
        elif name == b"event":
            self._event = value.decode("utf-8", "replace")
        elif name == b"id":
            if b"\0" not in value:
                self._id = value.decode("utf-8", "replace")
        elif name == b"retry" and value.isdigit() and len(value) <= MAX_RETRY_DIGITS:
            self.retry_ms = int(value)
            return
        else:
            return
        self._held_bytes += len(line) + 1

    def _dispatch(self, out: list[Any]) -> None:
        """Take a blank line."""
        self.last_event_id = self._id
        self._held_bytes = 0
        self._skipping = False
        event_type = self._event or "message"
        self._event = ""
        if not self._data:
            return
        data = self._data[0] if len(self._data) == 1 else "\n".join(self._data)
        self._data = []
        self._events += 1
        event = SSEEvent(event_type, data, self._id)
        if self._convert is None:
            out.append(event)
            return
        try:
            out += self._convert(event)
        except ValueError as error:
            # Where in the wire bytes a place in the joined data lies is not known, so the event's first byte is named.
            bad = bad_record_error(error, data.encode(), stage=self.name, number=self._events, start=None)
            bad.offset = self._block_start
            self._bad(bad, out)

    def _check_limit(self, line: bytes | bytearray, line_start: int, out: list[Any]) -> None:
        """If the event being read is over the limit with `line`, give it up and skip to the next blank line."""
        room = max(0, self._limit_bytes - self._held_bytes)
        if len(line) <= room or self._skipping:
            return
        self._events += 1
        self._data = []
        self._event = ""
        self._id = self.last_event_id
        self._held_bytes = 0
        self._skipping = True
        error = LimitExceeded(
            limit_bytes=self._limit_bytes,
            stage=self.name,
            record=self._events,
            offset=line_start + room,
            excerpt=excerpt_of(line[:room], room),
        )
        self._bad(error, out)

    def _bad(self, error: DecodeError, out: list[Any]) -> None:
        if self._on_error == "raise":
            raise self._fail(error, out)
        out.append(BadRecord(error))
