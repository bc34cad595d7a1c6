"""One resumable stream: the task that reads its answer, the readers that take it, and how long it lives.

One task a stream, over its whole life. It asks, reads the answer into the buffer, then stays until the stream is
forgotten: its cancel scope is the stream's life, and the scope's deadline the time that is left to a stream that nobody
reads. A reader is a place in the buffer and nothing else; what carries it to a client is `streamkit.gateway.streams`.

While nobody reads nothing is dropped: whoever comes back has perhaps not got what was last written to him. While
somebody does, what the foremost of the readers has taken may go. What he has not taken yet never does: there reading
from upstream stops, until he takes it.
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
from streamkit.gateway.stream_buffer import Frames, GoneError, StreamBuffer

__all__ = ["AnswerStream", "Ask", "Place"]

logger = logging.getLogger("streamkit.gateway")

Ask = Callable[[], AbstractAsyncContextManager[Chat]]
"""Asks the upstream once entered; left before the answer's end, it aborts the connection."""

CANCELLED: Final = Error("the stream was cancelled", "cancelled", "cancelled")
CUT: Final = Error("the stream was cut", "truncated")
FAILED: Final = Error("the gateway failed", "internal")


class Place:
    """How far one reader has come.

    Attributes:
        at: the place in the buffer behind all that the reader has taken.
    """

    __slots__ = ("at",)

    def __init__(self, at: int) -> None:
        self.at = at


class AnswerStream:
    """One answer, from the question to its being forgotten.

    Args:
        buffer_bytes: how much is kept of it.
        grace_s: how long it lives on without a reader.

    Attributes:
        buffer: what is kept of it.
    """

    def __init__(self, *, buffer_bytes: int, grace_s: float) -> None:
        self.buffer = StreamBuffer(buffer_bytes)
        self._frames = Frames()
        self._grace_s = grace_s
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
        """Whether anybody reads it now."""
        return bool(self._places)

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
        except Exception:
            if not has_begun:
                raise
            logger.exception("a stream failed")  # a mistake of ours must not end the other streams
        finally:
            self._is_stopped = True
            self._more.unpark_all()

    def cancel(self) -> None:
        """End the answer here, as far as it is not over: with an `Error`, behind all that has come."""
        if not self.is_over:
            self._append([CANCELLED])
            self._reading.cancel()

    def forget(self) -> None:
        """End the stream's life at once. Readers that are not done find it gone."""
        self._life.cancel()

    def enter(self, last_id: int) -> Place:
        """Begin to read behind an event, and keep the stream alive until `leave`.

        Raises:
            GoneError: what is behind that event is not kept, or there was none such.
        """
        place = Place(self.buffer.place_behind(last_id))
        self._places.add(place)
        self._life.deadline = math.inf
        self._make_room()
        return place

    def leave(self, place: Place) -> None:
        """Read no more."""
        self._places.discard(place)
        if not self._places:
            self._life.deadline = trio.current_time() + self._grace_s

    def rest(self, place: Place) -> bytes:
        """Return what there is behind a place; all that there will be, where the stream is over.

        Raises:
            GoneError: some of it is not kept any more, or the stream lives no more.
        """
        if self.is_gone:
            raise GoneError("the stream was stopped")
        return self.buffer.read(place.at)

    async def wait_more(self, place: Place) -> None:
        """Wait until there is something behind a place, or the stream is over or lives no more."""
        while place.at == self.buffer.end and not (self.is_over or self.is_gone):
            await self._more.park()

    def took(self, place: Place, count_bytes: int) -> None:
        """Note that a reader has taken so much more."""
        place.at += count_bytes
        self._make_room()

    async def _read(self, chat: Chat) -> None:
        """Read to the very end of the response, so that the connection can serve another question."""
        try:
            while True:
                while self.buffer.is_full and not self.is_over:
                    await self._room.park()
                self._append(await chat.receive_batch())
        except trio.EndOfChannel:
            self._append([CUT])  # which is nothing behind an end
        except RemoteError as error:
            self._append([chat.message.error or Error(str(error), error.code)])
        except Exception:  # as in `run`
            logger.exception("reading a stream failed")
            self._append([FAILED])

    def _append(self, events: Sequence[Event]) -> None:
        self.buffer.append(self._frames.of(events))
        self._make_room()
        self._more.unpark_all()

    def _make_room(self) -> None:
        """Drop what may be dropped, where that is needed."""
        if self._places and self.buffer.is_full:
            self.buffer.trim(max([place.at for place in self._places]))
        if not self.buffer.is_full:
            self._room.unpark_all()
