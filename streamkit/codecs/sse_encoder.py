"""Event streams, written: events to bytes that read back as exactly these events.

Nothing that comes in through an event, an id, data or a comment can start a field, an event or a comment of its own:
injection through a line break is a live class of bugs in such encoders (fastapi/fastapi#15187, javalin/javalin#2579 and
a dozen more). Data and comments are cut at CRLF, CR and LF, the three line ends of the format, and each line gets its
prefix; event and id have no form for a line break, so one is refused.

Data cannot carry a CR through this format: a reader gets LF in its place. For JSON that changes nothing (a raw CR is
white space there); for other text, know it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from streamkit.codecs.sse_events import SSEComment, SSEEvent
from streamkit.codecs.stage import Stage
from streamkit.errors import ConfigError, EncodeError

__all__ = ["SSEEncoder"]

MAX_RETRY_MS: Final = 10**15


class SSEEncoder(Stage[object, bytes]):
    """Events to bytes, one frame for each, LF line ends, one `data: ` line where the data has no line break.

    Takes `SSEEvent`, `SSEComment`, and data alone as `bytes` (UTF-8, passed on unchanged) or `str`. The id is written
    when it differs from the one before, because a reader keeps it; the type is left out where it is "message" or empty
    (the format has no empty type: a reader makes "message" of it).
    """

    name = "sse-encoder"

    def __init__(self, *, event: str | None = None, retry_ms: int | None = None, done: str | None = None) -> None:
        """Make an encoder.

        Args:
            event: the type of events that come as data alone.
            retry_ms: ask the reader to wait this long before it reconnects; written before the first frame.
            done: data of a last event, written by `finish`: "[DONE]" is OpenAI's.

        Raises:
            ConfigError: the event has a line break, or the time is negative or longer than 30000 years.
        """
        if retry_ms is not None and not 0 <= retry_ms < MAX_RETRY_MS:
            msg = f"retry_ms is {retry_ms}, but it can be 0 to {MAX_RETRY_MS - 1}"
            raise ConfigError(msg)
        try:
            self._bare_prefix = b"" if event is None else self._type_line(event)
            self._done = b"" if done is None else b"%b\n" % _lines(b"data", done.encode())
        except ValueError as error:
            raise ConfigError(_reason(error)) from None
        self._retry = b"" if retry_ms is None else b"retry: %d\n\n" % retry_ms
        self._start()

    def _start(self) -> None:
        self._head = self._retry  # what is to be written before the next frame
        self._id = ""
        self._items = 0

    def feed(self, item: object, /) -> list[bytes]:
        """Return the item's frame.

        Raises:
            EncodeError: an event or id with a line break, an id with NUL, a lone surrogate, or another kind of item.
        """
        if self._closed is not None:
            self._check_open()
        self._items += 1
        try:
            frame = self._head + self._frame(item)
        except (ValueError, TypeError, AttributeError) as error:
            raise self._fail(EncodeError(_reason(error), stage=self.name, record=self._items)) from None
        self._head = b""
        return [frame]

    def feed_many(self, items: Iterable[object], /) -> list[bytes]:
        """The same bytes as one piece: a driver joins them anyway."""
        items = list(items)
        bare = self._bare_frames(items)
        frames = super().feed_many(items) if bare is None else [bare]
        return [b"".join(frames)] if frames else frames

    def finish(self) -> list[bytes]:
        if self._closed is not None:
            return []
        super().finish()
        last = self._head + self._done
        return [last] if last else []

    def reset(self) -> None:
        super().reset()
        self._start()

    def _bare_frames(self, items: list[Any]) -> bytes | None:
        """Return the frames of records that are all bytes of one line each, or None."""
        if self._closed is not None or not items:
            return None
        try:
            whole = b"".join(items)
        except TypeError:
            return None
        if b"\n" in whole or b"\r" in whole:
            return None
        self._items += len(items)
        prefix = self._bare_prefix + b"data: "
        head, self._head = self._head, b""
        return b"%b%b%b\n\n" % (head, prefix, (b"\n\n" + prefix).join(items))

    def _frame(self, item: object) -> bytes:
        if isinstance(item, (bytes, bytearray, memoryview)):
            item = bytes(item)
            return b"%b%b\n" % (self._bare_prefix, _lines(b"data", item))
        if isinstance(item, str):
            return b"%b%b\n" % (self._bare_prefix, _lines(b"data", item.encode()))
        if isinstance(item, SSEComment):
            return b"%b\n" % _lines(b"", item.text.encode())
        if not isinstance(item, SSEEvent):
            msg = f"an event stream carries SSEEvent, SSEComment, bytes and str, not {type(item).__name__}"
            raise ValueError(msg)  # noqa: TRY004 - `feed` makes it an EncodeError
        head = self._type_line(item.event)
        data = _lines(b"data", item.data.encode())
        if item.id != self._id:
            head += self._id_line(item.id)
            self._id = item.id
        return b"%b%b\n" % (head, data)

    @staticmethod
    def _type_line(event: str) -> bytes:
        if "\n" in event or "\r" in event:
            msg = f"an event's type cannot hold a line break: {event[:40]!r}"
            raise ValueError(msg)
        return b"" if event in {"", "message"} else b"event: %b\n" % event.encode()

    @staticmethod
    def _id_line(event_id: str) -> bytes:
        if "\n" in event_id or "\r" in event_id or "\0" in event_id:
            msg = f"an event's id cannot hold a line break or NUL: {event_id[:40]!r}"
            raise ValueError(msg)
        return b"id: %b\n" % event_id.encode()


def _lines(field: bytes, value: bytes) -> bytes:
    """Return `value` as lines of `field`. Empty data is one line too: without it the event would not be dispatched."""
    prefix = b"%b: " % field
    if b"\n" not in value and b"\r" not in value:
        return b"%b%b\n" % (prefix, value)
    # A line end at the end begins one more line, an empty one. bytes.splitlines does not count it, hence the dot.
    *lines, last = (value + b".").splitlines()
    return b"".join([b"%b%b\n" % (prefix, line) for line in (*lines, last[:-1])])


def _reason(error: Exception) -> str:
    return "text with a lone surrogate has no UTF-8 form" if isinstance(error, UnicodeEncodeError) else str(error)
