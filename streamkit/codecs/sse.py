"""Event streams, read: bytes to events (WHATWG HTML, section 9.2.6; the encoder is in `streamkit.codecs.sse_encoder`).

The rules that most implementations break, and that this one keeps:

- A line ends at CR, LF or CRLF and at nothing else. The CR ends it at once: an LF that follows is swallowed when it
  comes, so no event waits for a byte that may never come.
- UTF-8 is decoded with replacement, never an error. Exactly one byte-order mark is dropped, at the very start.
- A block without data dispatches nothing, but its id still becomes the last event id; an id with a NUL is ignored.
- `retry` takes effect with its line, if it is ASCII digits only.
- What is pending at the end of the input is dropped. `dropped_bytes` says how much that was, and `flush_partial`
  dispatches it instead, for servers that forget the last blank line.

Two ways through, with the same result: the machine here, which takes line after line, and a shortcut for what nearly
every LLM server sends (`streamkit.codecs.sse_blocks`).

Not here: what the data means, `[DONE]` included. That is a dialect's business.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, Generic, Literal, TypeVar, overload

from streamkit.codecs.lines import CR, LF
from streamkit.codecs.records import (
    BOM,
    DEFAULT_LIMIT_BYTES,
    OnError,
    bad_record_error,
    check_choice,
    check_limit,
)
from streamkit.codecs.sse_blocks import SMALL_BYTES, take_blocks
from streamkit.codecs.sse_events import SSEComment, SSEEvent
from streamkit.codecs.stage import BadRecord, Stage
from streamkit.errors import DecodeError, LimitExceeded, excerpt_of

__all__ = ["SSEDecoder"]

ItemT = TypeVar("ItemT", covariant=True)
OtherT = TypeVar("OtherT")

CONVERT_FAILED: Final = "its convert function has failed"  # events are lost: nothing may follow as if none were

BLOCK_LINES: Final = 1024
"""How many data lines of an event are kept apart before they are joined."""

MAX_RETRY_DIGITS: Final = 15
"""Longer retry values are ignored: 10**15 ms is 30000 years, and int() itself refuses 4301 digits."""


class SSEDecoder(Stage[bytes, ItemT], Generic[ItemT]):
    """Bytes to events. An event leaves in the `feed` that brings its blank line.

    Attributes:
        last_event_id: what an EventSource would send as `Last-Event-ID` when it reconnects now.
        retry_ms: the reconnection time that the stream asked for last, or None.
        ignored_lines: how many lines had a field that event streams do not have, or a `retry` that is no number. A
            stream of nothing else is not an event stream.
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
        self: SSEDecoder[OtherT | BadRecord],
        *,
        convert: Callable[[SSEEvent | SSEComment], Sequence[OtherT]],
        comments: Literal[True],
        max_event_bytes: int | None = ...,
        on_error: OnError = ...,
        flush_partial: bool = ...,
    ) -> None: ...
    @overload
    def __init__(
        self: SSEDecoder[OtherT | BadRecord],
        *,
        convert: Callable[[SSEEvent], Sequence[OtherT]],
        max_event_bytes: int | None = ...,
        comments: Literal[False] = ...,
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
        convert: Callable[[Any], Sequence[Any]] | None = None,
    ) -> None:
        """Make a decoder.

        Args:
            max_event_bytes: the most bytes that one event may make the decoder hold, counted over its lines so far
                (a byte for each line end) and the line being read; None lifts the limit.
            comments: yield each comment line as an `SSEComment`, in its place between the events.
            on_error: "raise" the error of an event over the limit and stop, or yield a `BadRecord` "item" in its place,
                skip to the next blank line, and go on.
            flush_partial: at the end of the input dispatch what is pending, instead of dropping it.
            convert: called with each event (and comment, if those are asked for) while its place in the stream is
                known; its result's items are yielded instead. A ValueError that it raises is the event's `DecodeError`.

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
        self.ignored_lines = 0
        self.dropped_bytes = 0
        self._end = 0  # bytes that have come
        self._block_start = 0  # where the block being read begins; not kept up while `_fast`
        # The unfinished line. Bytes while it is short, which is faster; then a bytearray, because adding to long bytes
        # copies them.
        self._line: bytes | bytearray = b""
        self._data: list[str] = []
        self._data_blocks: list[str] = []  # earlier data lines, joined: a short string takes many times its size
        self._event = ""
        self._id = ""
        self._held_bytes = 0  # the length of the lines that the three above came from
        self._after_cr = False
        self._at_start = True  # a byte-order mark may still come
        self._after_blank = False  # the last whole line was blank, so nothing but `_line` is pending
        self._fast = False  # that, and no LF that would have to be swallowed
        self._skipping = False  # inside an event over the limit
        self._events = 0

    def reset(self) -> None:
        super().reset()
        self._start()

    def feed(self, data: bytes, /) -> list[ItemT]:
        # Each operation here is on the path of every chunk. `LF in data` costs a seventh of `b"\n" in data`, and a call
        # of a method of ours more than either. A closed stage is never `_fast`.
        size = len(self._line) + len(data)
        if self._fast and CR not in data and size <= self._limit_bytes:
            if LF not in data:
                self._line += data
                if size > SMALL_BYTES and isinstance(self._line, bytes):
                    self._line = bytearray(self._line)
                self._end += len(data)
                return []
            taken: tuple[list[Any], bytes] | None = take_blocks(self._line, data, self.last_event_id)
            if taken is not None:
                start = self._end - len(self._line)
                events, self._line = taken
                self._end += len(data)
                if self._convert is not None:
                    return self._converted(events, start, self._convert)
                self._events += len(events)
                return events
        if self._closed is not None:
            self._check_open()
        if self._at_start and data[:6] == b"data: " and not self._line:  # no byte-order mark: the shortcut may serve
            self._at_start = False
            self._fast = self._after_blank = True
            return self.feed(data)
        out: list[Any] = []
        if data:
            self._feed_lines(data, out)
        return out

    def finish(self) -> list[ItemT]:
        if self._closed is not None:
            return []
        super().finish()
        if self._fast:
            self._fast = False
            self._block_start = self._end - len(self._line)
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

    def _feed_lines(self, data: bytes, out: list[Any]) -> None:
        if self._fast:
            self._block_start = self._end - len(self._line)
        if self._after_cr:
            self._after_cr = False
            if data[0] == LF:
                data = data[1:]
                if self._block_start == self._end:  # the CR ended a blank line, so its LF belongs to that block
                    self._block_start += 1
                self._end += 1
        position = self._end - len(self._line)
        self._end += len(data)
        checked = self._skipping or self._held_bytes + self._end - position > self._limit_bytes
        if b"\r" in data:
            pieces = data.splitlines(keepends=True)
            sizes = [len(piece) for piece in pieces]
            lines = [piece.rstrip(b"\r\n") for piece in pieces]
            tail = lines.pop() if lines and data[-1] not in {CR, LF} else b""
            self._after_cr = data[-1] == CR
        else:
            lines = data.split(b"\n")
            tail = lines.pop()
            sizes = [len(line) + 1 for line in lines]
        if lines and self._line:
            sizes[0] += len(self._line)
            lines[0] = b"".join((self._line, lines[0]))
            self._line = b""  # gives the memory back before the line is decoded
        for line, size in zip(lines, sizes, strict=False):
            if checked and line:
                self._check_limit(line, position, out)
            text = line.removeprefix(BOM) if self._at_start and not self._skipping else line
            self._at_start = False
            position += size
            self._after_blank = not text
            if not text:
                self._dispatch(out)
                self._block_start = position
            elif not self._skipping:
                self._take_line(text, out)
        self._hold(tail)
        if checked:
            self._check_limit(self._line, position, out)
            if self._skipping:
                self._line = self._line[:1]  # one byte is enough to know that the line is not blank
        self._fast = self._after_blank and not (self._after_cr or self._at_start or self._skipping)

    def _hold(self, piece: bytes) -> None:
        if len(self._line) + len(piece) > SMALL_BYTES and isinstance(self._line, bytes):
            self._line = bytearray(self._line)
        self._line += piece

    def _take_line(self, line: bytes, out: list[Any]) -> None:
        if line[:5] == b"data:" and len(self._data) < BLOCK_LINES:
            start = 6 if line[5:6] == b" " else 5
            # A slice is the cheaper way, but it is a copy, and of 8 MiB one too many.
            value = line[start:] if len(line) <= SMALL_BYTES else memoryview(line)[start:]
            self._data.append(str(value, "utf-8", "replace"))
            self._held_bytes += len(line) + 1
            return
        name, _, field = line.partition(b":")
        field = field.removeprefix(b" ")
        if name == b"event":
            self._event = field.decode("utf-8", "replace")
        elif name == b"data":
            self._data.append(field.decode("utf-8", "replace"))
        elif name == b"id":
            if b"\0" not in field:
                self._id = field.decode("utf-8", "replace")
        elif not name:
            if self._comments:
                self._put(SSEComment(field.decode("utf-8", "replace")), out)
            return
        elif name == b"retry" and field.isdigit() and len(field) <= MAX_RETRY_DIGITS:
            self.retry_ms = int(field)
            return
        else:
            self.ignored_lines += 1
            return
        self._held_bytes += len(line) + 1
        if len(self._data) > BLOCK_LINES:
            self._data_blocks.append("\n".join(self._data[:-1]))
            self._data = self._data[-1:]

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
        if self._data_blocks:
            data = "\n".join((*self._data_blocks, data))
            self._data_blocks = []
        self._events += 1
        self._put(SSEEvent(event_type, data, self._id), out)

    def _put(self, item: SSEEvent | SSEComment, out: list[Any]) -> None:
        """Put out the item, or what is made of it."""
        if self._convert is None:
            out.append(item)
            return
        try:
            out += self._convert(item)
        except ValueError as error:
            self._bad(self._convert_error(error, item, self._block_start), out)
        except Exception:
            self._fast = False
            self._closed = CONVERT_FAILED
            raise

    def _converted(self, events: list[SSEEvent], start: int, convert: Callable[[SSEEvent], Sequence[Any]]) -> list[Any]:
        """Convert the events of blocks that are one data line each, of which the first begins at `start`."""
        out: list[Any] = []
        for number, event in enumerate(events):
            self._events += 1
            try:
                out += convert(event)
            except ValueError as error:
                before = sum(len(each.data.encode()) + len("data: \n\n") for each in events[:number])
                self._bad(self._convert_error(error, event, start + before), out)
            except Exception:
                self._fast = False
                self._closed = CONVERT_FAILED
                raise
        return out

    def _convert_error(self, error: ValueError, item: SSEEvent | SSEComment, block_start: int) -> DecodeError:
        # Where in the wire bytes a place in the joined data lies is not known, so the event's first byte is named.
        text = item.data if isinstance(item, SSEEvent) else item.text
        bad = bad_record_error(error, text.encode(), stage=self.name, number=self._events, start=None)
        bad.offset = block_start
        return bad

    def _check_limit(self, line: bytes | bytearray, line_start: int, out: list[Any]) -> None:
        """If the event being read is over the limit with `line`, give it up and skip to the next blank line."""
        room = max(0, self._limit_bytes - self._held_bytes)
        if len(line) <= room or self._skipping:
            return
        self._events += 1
        self._data = []
        self._data_blocks = []
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
            self._fast = False
            raise self._fail(error, out)
        out.append(BadRecord(error))
