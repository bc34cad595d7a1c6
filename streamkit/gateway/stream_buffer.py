"""The events of an answer as the frames of an event stream, and what is kept of them for those who come back. Pure.

Each neutral event is one frame, `id: N` and `data: {its record in our own dialect}` (WHATWG HTML, section 9.2), where N
counts from 1. A heartbeat is a comment, which has no number and is nothing that anybody could lose.

The buffer counts places in bytes from the stream's beginning, and knows behind which place which event ends. What it
keeps is without a gap, up to the end: who comes back gets all that is behind his last event, byte for byte what he
would have got, or is told that it is gone. What it drops is at the front, and only what it is allowed to. So it takes
more than its bound where nothing may be dropped: whoever fills it has to look at `is_full`.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from typing import Final

from streamkit.codecs.sse_encoder import SSEEncoder
from streamkit.codecs.sse_events import SSEComment, SSEEvent
from streamkit.dialects.convert import encoder_of
from streamkit.dialects.events import Event, Ping
from streamkit.errors import EncodeError

__all__ = ["Frame", "Frames", "GoneError", "StreamBuffer"]

Frame = tuple[bytes, bool]
"""The bytes of a frame, and whether it is an event: a comment is none."""

FRAME_END: Final = b"\n\n"

SLACK: Final = 16
"""Where something has to be dropped, it is one part in so many more, so that it need not be done with each read."""


class GoneError(Exception):
    """What comes behind that place is not kept, or there is no such place; the text is for people."""


class Frames:
    """Makes frames of one answer's events.

    Attributes:
        is_over: whether the last event was an `End` or an `Error`, behind which nothing comes.
    """

    def __init__(self) -> None:
        self.is_over = False
        self._records = encoder_of("json")
        self._framing = SSEEncoder()
        self._number = 0

    def of(self, events: Iterable[Event]) -> list[Frame]:
        """Return the frames of these events; none for what comes behind the end.

        An event that has no record in our dialect makes an `Error` of the rest.
        """
        frames: list[Frame] = []
        for event in events:
            if self.is_over:
                break
            if type(event) is Ping and not event.extra:
                frames += [(frame, False) for frame in self._framing.feed(SSEComment(event.comment or "ping"))]
                continue
            try:
                lines = self._records.feed(event)
            except EncodeError as error:  # its items say so in our dialect's own way
                lines = [line for line in error.items if isinstance(line, bytes)]
            for record in b"".join(lines).split(b"\n")[:-1]:
                self._number += 1
                event_frame = SSEEvent(data=record.decode(), id=str(self._number))
                frames += [(frame, True) for frame in self._framing.feed(event_frame)]
            self.is_over = self._records.over
        return frames


class StreamBuffer:
    """What is kept of a stream of frames.

    Args:
        max_bytes: more than this is kept only where nothing may be dropped.

    Attributes:
        start: the place in front of the first byte that is kept.
    """

    def __init__(self, max_bytes: int) -> None:
        self.start = 0
        self._max_bytes = max_bytes
        self._data = bytearray()
        self._ends = array("Q", [0])  # of the event `_first_id`, of the one after it...
        self._first_id = 0

    @property
    def end(self) -> int:
        """The place behind all that there is."""
        return self.start + len(self._data)

    @property
    def last_id(self) -> int:
        """The number of the last event; 0 where there was none yet."""
        return self._first_id + len(self._ends) - 1

    @property
    def is_full(self) -> bool:
        """Whether more is kept than the bound allows."""
        return len(self._data) > self._max_bytes

    def append(self, frames: Iterable[Frame]) -> None:
        """Take the next frames."""
        for frame, is_event in frames:
            self._data += frame
            if is_event:
                self._ends.append(self.end)

    def place_behind(self, last_id: int) -> int:
        """Return the place at which somebody goes on who has had this event and no later one; 0: who has had none.

        Raises:
            GoneError: what comes behind it is not kept any more, or there was no such event.
        """
        if last_id > self.last_id:
            raise GoneError(f"this stream has no event {last_id} yet, its last one is {self.last_id}")
        if last_id < self._first_id:
            first_id = self._first_id + 1
            raise GoneError(
                f"event {last_id + 1} of this stream is not kept any more; what is kept begins at {first_id}"
            )
        return max(self._ends[last_id - self._first_id], self.start)  # of comments behind it some may be gone

    def read(self, place: int, max_bytes: int | None = None) -> bytes:
        """Return what is behind a place, so much of it at most.

        Raises:
            GoneError: some of that is not kept any more.
        """
        if place < self.start:
            raise GoneError("the reader is behind what is kept of the stream")
        first = place - self.start
        return bytes(memoryview(self._data)[first : None if max_bytes is None else first + max_bytes])

    def frame_at(self, place: int) -> int:
        """Return where the frame begins that a place is in."""
        end = self._data.rfind(FRAME_END, 0, max(place - self.start, 0))
        return self.start if end < 0 else self.start + end + len(FRAME_END)

    def trim(self, place: int) -> None:
        """Drop whole frames from the front where more is kept than the bound, as few as will do.

        Args:
            place: between two frames; nothing behind it is dropped.
        """
        if not self.is_full or place <= self.start:
            return
        wanted = self.end - self._max_bytes + self._max_bytes // SLACK
        index = bisect_left(self._ends, wanted)
        if index == len(self._ends) or self._ends[index] > place:
            index = bisect_right(self._ends, place) - 1
        start = self._ends[index]
        if index == len(self._ends) - 1 and self.end - start > self._max_bytes:
            start = place  # nothing but comments in between
        if start > self.start:
            del self._data[: start - self.start]
            self.start = start
        if index > 0:
            del self._ends[:index]
            self._first_id += index
