"""One resumable stream: the task that reads its answer, the readers that take it, and how long it lives.

One task a stream, over its whole life. It asks, reads the answer into the buffer, then stays until the stream is
forgotten: its cancel scope is the stream's life, and the scope's deadline the time that is left to a stream that nobody
reads. A reader is a place in the buffer and nothing else; what carries it to a client is `streamkit.gateway.streams`.

While nobody reads nothing is dropped: whoever comes back has perhaps not got what was last written to him. While
somebody does, what all of the readers have taken may go: what their kernels have acknowledged, where ours can tell.
What they have not taken stays: there reading from upstream stops, until they take it. But one that has taken nothing
for `STALL_S` holds nobody back who is ahead of it, and may find itself behind what is kept.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Final

import trio

from streamkit.client.chat import Chat
from streamkit.dialects.events import Error, Event
from streamkit.errors import RemoteError
from streamkit.gateway.record import Outcome
from streamkit.gateway.stream_buffer import Frames, GoneError, StreamBuffer
from streamkit.gateway.translated import error_of, outcome_of, told_by
from streamkit.http.stream import WireStream

__all__ = ["AnswerStream", "Ask", "OnFailure", "Place"]

logger = logging.getLogger("streamkit.gateway")

Ask = Callable[[], AbstractAsyncContextManager[Chat]]
"""Asks the upstream once entered; left before the answer's end, it aborts the connection."""

OnFailure = Callable[[Outcome, str], None]
"""Is told of an answer that did not come to its own end, once, whether or not anybody reads it: how, and why."""

CANCELLED: Final = Error("the stream was cancelled", "cancelled", "cancelled")
CUT: Final = Error("the stream was cut", "truncated")


STALL_S: Final = 5.0
"""How long a reader may take nothing before those that are ahead of it go on without it."""

RECHECK_S: Final = 0.1
"""How often it is looked, while the buffer is full, what readers have taken: the kernel has no event for it."""


class Place:
    """How far one reader has come.

    Args:
        at: where it begins.
        stream: to the reader; without it, all that is handed over counts as taken.
        now: trio's time.

    Attributes:
        at: the place in the buffer behind all that was handed over to the reader.
        taken: the place behind what it has taken for certain.
        moved_at: when it was last seen to take something, or had all that there was, by trio's clock.
    """

    __slots__ = ("_stream", "_taken_bytes", "at", "moved_at", "taken")

    def __init__(self, at: int, stream: WireStream | None, now: float) -> None:
        self.at = self.taken = at
        self.moved_at = now
        self._stream = stream
        self._taken_bytes = 0  # of all that was ever sent on the stream

    def look(self, now: float) -> None:
        """Find out what the reader has taken."""
        stream = self._stream
        unsent_bytes = 0 if stream is None else stream.unsent_bytes() or 0
        taken_bytes = self.at if stream is None else stream.sent_bytes - unsent_bytes
        if taken_bytes > self._taken_bytes:
            self._taken_bytes, self.moved_at = taken_bytes, now
        self.taken = max(self.taken, self.at - unsent_bytes)


class AnswerStream:
    """One answer, from the question to its being forgotten.

    Args:
        buffer_bytes: how much is kept of it.
        grace_s: how long it lives on without a reader.
        on_failure: see `OnFailure`.

    Attributes:
        buffer: what is kept of it.
        outcome: what the log says of its end.
        detail: what went wrong, for people.
        failure: how it ended, and why, where it did not come to its own end: what `on_failure` was told.
        is_done: whether it is over, and somebody has had it all, or has cancelled it.
    """

    def __init__(
        self, *, buffer_bytes: int, grace_s: float, on_failure: OnFailure = lambda _outcome, _detail: None
    ) -> None:
        self.buffer = StreamBuffer(buffer_bytes)
        self.outcome: Outcome = "ok"
        self.detail = ""
        self.failure: tuple[Outcome, str] | None = None
        self.is_done = False
        self._frames = Frames()
        self._grace_s = grace_s
        self._on_failure = on_failure
        self._places: set[Place] = set()
        self._life = trio.CancelScope()
        self._reading = trio.CancelScope()
        self._more = trio.lowlevel.ParkingLot()  # readers that have all there is
        self._room = trio.lowlevel.ParkingLot()  # the task, while the buffer is full
        self._is_stopped = False

    @property
    def is_over(self) -> bool:
        """Whether the buffer has its end, good or bad."""
        return self._frames.is_over

    @property
    def is_gone(self) -> bool:
        """Whether it lives no more: forgotten, given up, or stopped with the gateway."""
        return self._is_stopped or self._life.cancel_called

    @property
    def has_readers(self) -> bool:
        """Whether anybody reads it now who does not have all of it: who has may be on its way out still."""
        return any(not self._is_at_end(place) for place in self._places)

    async def run(self, ask: Ask, *, task_status: trio.TaskStatus[Chat] = trio.TASK_STATUS_IGNORED) -> None:
        """Ask, tell the chat once the answer has begun, and read it; return when the stream is to be forgotten.

        Raises:
            Exception: whatever asking raises. Once the answer has begun nothing is: then it ends with an `Error`.
        """
        has_begun = False
        try:
            with self._life:
                async with ask() as chat:
                    has_begun = True
                    self._life.deadline = trio.current_time() + self._grace_s
                    task_status.started(chat)
                    with self._reading:
                        await self._read(chat)
                await trio.sleep_forever()
            if has_begun and not self.is_over:
                self._note_failure("client-left", f"nobody read the stream for {self._grace_s:g} s")
        except Exception:
            if not has_begun:
                raise
            logger.exception("a stream failed")  # a mistake of ours must not end the other streams
        finally:
            self._is_stopped = True
            self._more.unpark_all()

    def cancel(self) -> None:
        """End the answer here, as far as it is not over: with an `Error`, behind all that has come."""
        self.is_done = True
        if not self.is_over:
            self.detail = CANCELLED.message
            self._append([CANCELLED])
            self._reading.cancel()
            self._note_failure("client-left", CANCELLED.message)

    def forget(self) -> None:
        """End the stream's life at once. Readers that are not done find it gone."""
        self._life.cancel()

    def enter(self, last_id: int, stream: WireStream | None = None) -> Place:
        """Begin to read behind an event, and keep the stream alive until `leave`.

        Args:
            last_id: of the event.
            stream: to the reader.

        Raises:
            GoneError: what is behind that event is not kept, or there was none such.
        """
        place = Place(self.buffer.place_behind(last_id), stream, trio.current_time())
        self._places.add(place)
        self._life.deadline = math.inf
        self._room.unpark_all()  # to look from now on what this one takes
        return place

    def leave(self, place: Place) -> None:
        """Read no more."""
        self._places.discard(place)
        self.is_done |= self._is_at_end(place)
        if not self._places:
            self._life.deadline = trio.current_time() + self._grace_s

    def _is_at_end(self, place: Place) -> bool:
        return self.is_over and place.at == self.buffer.end

    def rest(self, place: Place, max_bytes: int | None = None) -> bytes:
        """Return what there is behind a place, so much of it at most.

        Raises:
            GoneError: some of it is not kept any more, or the stream lives no more.
        """
        if self.is_gone:
            raise GoneError("the stream was stopped")
        return self.buffer.read(place.at, max_bytes)

    async def wait_more(self, place: Place) -> None:
        """Wait until there is something behind a place, or the stream is over or lives no more."""
        while place.at == self.buffer.end and not (self.is_over or self.is_gone):
            await self._more.park()
            place.moved_at = trio.current_time()

    def took(self, place: Place, count_bytes: int) -> None:
        """Note that so much more was handed over to a reader."""
        place.at += count_bytes
        self._make_room()

    async def _read(self, chat: Chat) -> None:
        """Read to the very end of the response, so that the connection can serve another question."""
        try:
            while True:
                while self.buffer.is_full and not self.is_over:
                    with trio.move_on_after(RECHECK_S if self._places else math.inf):
                        await self._room.park()
                    self._make_room()
                self._append(await chat.receive_batch())
        except trio.EndOfChannel:
            if not self.is_over:
                self._fail(CUT, "upstream-cut")
        except RemoteError as error:
            told = told_by(chat.message, error)
            self._fail(error_of(told), outcome_of(told))
        except Exception as error:  # as in `run`
            logger.exception("reading a stream failed")
            self._fail(error_of(error), "failed")

    def _fail(self, error: Error, outcome: Outcome) -> None:
        self.outcome, self.detail = outcome, error.message
        self._append([error])
        self._note_failure(outcome, error.message)

    def _note_failure(self, outcome: Outcome, detail: str) -> None:
        self.failure = outcome, detail
        self._on_failure(outcome, detail)

    def _append(self, events: Sequence[Event]) -> None:
        self.buffer.append(self._frames.of(events))
        self._make_room()
        self._more.unpark_all()

    def _make_room(self) -> None:
        """Drop what may be dropped, where that is needed."""
        if self._places and self.buffer.is_full:
            self.buffer.trim(self.buffer.frame_at(self._taken_by_all()))
        if not self.buffer.is_full:
            self._room.unpark_all()

    def _taken_by_all(self) -> int:
        """Return the place behind which somebody may still need everything."""
        now = trio.current_time()
        for place in self._places:
            place.look(now)
        foremost = max([place.taken for place in self._places])
        waited_for = [place.taken for place in self._places if now - place.moved_at < STALL_S]
        return min([foremost, *waited_for])
