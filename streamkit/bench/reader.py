"""One task reads all answers of a loop, and finds out what they mean when there is nothing to be read.

A read has to be taken in time: what comes while it waits in the kernel is merged with it, and its own stamp is lost.
What is in it can wait. So reads are stamped and kept, and decoded a little at a time in between.

One task with one epoll for all of them, because a task that waits for its own socket costs 15 us for each read in
trio's scheduler and in `epoll_ctl`, where a read takes 9 and its decoding 15: with 256 streams of 100 tokens a second
that is the difference between a processor that keeps up and one that does not. Tasks still send, connect, and read
heads themselves. Where there is no epoll every task reads for itself.
"""

from __future__ import annotations

import select
import time
from collections import deque
from contextlib import suppress
from typing import Final

import outcome
import trio

from streamkit.bench.observer import Observer
from streamkit.errors import RemoteError
from streamkit.http.client import ClientConnection
from streamkit.http.stream import SocketStream, TimedRead, WireStream
from streamkit.http.tls import TLSStream

__all__ = ["Heard", "Reader", "socket_of"]

DECODE_NS: Final = 300_000
"""How long is decoded before it is looked again whether there is something to read."""

WAKEN: Final = 4
"""How many answers that have ended are handed on before it is looked again whether there is something to read. Each
takes a quarter of a millisecond, its figures and the next question included; streams that began together end together,
and 256 of them at once kept everything else from being read for 60 ms. `DECODE_NS` and this were found by trying, with
256 streams on two processors that had nothing left: of 5,120 first tokens none to 17 were 10 ms late with 1, 2 and 4,
5 to 133 with 8, 221 to 1,033 with 16."""

AT_ONCE: Final = 8
"""How many reads of one answer are decoded before it is another one's turn."""


MOST_READS: Final = 64
MOST_BYTES: Final = 16384
"""No more reads of one answer are kept undecoded, and none that is larger: so many bytes at once were merged anyway."""


class Heard:
    """An answer that is being read.

    Attributes:
        connection: where it comes from.
        observer: what its reads go to.
        heard_ns: when the newest one came.
    """

    __slots__ = ("connection", "heard_ns", "observer", "task")

    def __init__(self, connection: ClientConnection, observer: Observer) -> None:
        self.connection = connection
        self.observer = observer
        self.heard_ns = 0
        self.task: trio.lowlevel.Task | None = None

    @property
    def is_done(self) -> bool:
        """Whether there is nothing more to be read for."""
        return self.connection.is_complete or self.is_bad

    @property
    def is_bad(self) -> bool:
        """Whether it is over, and no good: then nobody waits for the rest of its body."""
        return self.observer.is_over and self.observer.record.outcome != "ok"


def socket_of(stream: WireStream) -> SocketStream | None:
    """Return the socket that a stream's bytes come by; None where it has none."""
    if isinstance(stream, TLSStream):
        stream = stream.transport
    return stream if isinstance(stream, SocketStream) else None


class Reader:
    """Reads the bodies of all answers of this loop."""

    def __init__(self) -> None:
        self._epoll = select.epoll() if hasattr(select, "epoll") else None
        self._read: dict[int, Heard] = {}
        self._undecoded: deque[Observer] = deque()
        self._ended: deque[tuple[Heard, outcome.Outcome[None]]] = deque()
        self._is_parked = False

    def close(self) -> None:
        """Give back what the system gave."""
        if self._epoll is not None:
            self._epoll.close()

    async def run(self) -> None:
        """Read and decode until cancelled."""
        if self._epoll is None:
            await trio.sleep_forever()
            return
        while True:
            if self._undecoded or self._ended:
                await trio.lowlevel.checkpoint()
            else:
                self._is_parked = True
                await trio.lowlevel.wait_readable(self._epoll)
                self._is_parked = False
            for number, _ in self._epoll.poll(0):
                heard = self._read.get(number)
                if heard is not None:
                    self._readable(number, heard)
            self._decode()
            for _ in range(min(WAKEN, len(self._ended))):
                self._wake(*self._ended.popleft())

    async def read(self, heard: Heard) -> None:
        """Read an answer to the end of its body; its reads are in its observer, and may still have to be decoded.

        Raises:
            ProtocolError, DisconnectedError: as `ClientConnection.receive` does.
            ClosedResourceError: `end` was called.
        """
        connection, observer = heard.connection, heard.observer
        held = connection.receive_held()
        if held is not None:
            heard.heard_ns = held.read_ns
            self._put(observer, held)
            if self._is_parked:  # nothing would wake it until something comes
                self._decode()
            connection.check_body()
        sock = socket_of(connection.stream)
        if sock is not None and self._epoll is not None:
            # TLS may have decrypted more than was asked for; no socket tells of that.
            if isinstance(connection.stream, TLSStream):
                while not heard.is_done and self._take(heard):
                    pass
            if not heard.is_done:
                await self._wait(heard, sock.socket.fileno())
                return
        # No checkpoint where all of it came with the head: that was waited for. One more would take 10 us a request.
        while not heard.is_done and (read := await connection.receive()) is not None:
            heard.heard_ns = read.read_ns
            observer.pending.append(read)
            observer.work()

    def end(self, heard: Heard) -> None:
        """Let go of an answer whose connection was just closed: who waits in `read` gets `ClosedResourceError`."""
        for number, each in self._read.items():
            if each is heard:
                self._forget(number)
                self._wake(heard, outcome.Error(trio.ClosedResourceError("the answer is not read any more")))
                return

    async def _wait(self, heard: Heard, number: int) -> None:
        assert self._epoll is not None  # noqa: S101 - `read` has looked
        heard.task = trio.lowlevel.current_task()
        self._read[number] = heard
        self._epoll.register(number, select.EPOLLIN)

        def abort(_: object) -> trio.lowlevel.Abort:
            heard.task = None
            if self._read.get(number) is heard:
                self._forget(number)
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(abort)

    def _readable(self, number: int, heard: Heard) -> None:
        """Take what is there of an answer; wake who waits for it where that was the last of it."""
        try:
            is_more = self._take(heard)
            while is_more and not heard.is_done and isinstance(heard.connection.stream, TLSStream):
                is_more = self._take(heard)
        except RemoteError as error:
            self._over(number, heard, error)
        else:
            if heard.is_done:
                self._over(number, heard, None)

    def _take(self, heard: Heard) -> bool:
        """Take one read of an answer, and tell whether there was one.

        Raises:
            RemoteError: as `ClientConnection.take` does.
        """
        connection = heard.connection
        stream = connection.stream
        assert isinstance(stream, (SocketStream, TLSStream))  # noqa: S101 - `read` has looked
        try:
            read = stream.receive_now()
        except trio.BrokenResourceError as error:
            raise connection.lost_by(error) from error
        if read is None:
            return False
        piece = connection.take(read)
        heard.heard_ns = read.read_ns
        if piece is not None:
            self._put(heard.observer, piece)
            connection.check_body()
        return True

    def _put(self, observer: Observer, read: TimedRead) -> None:
        is_first = not observer.pending
        observer.pending.append(read)
        if len(read.data) > MOST_BYTES or len(observer.pending) > MOST_READS:
            observer.work()  # a server that sends without end waits for us, and not in our memory
        elif is_first:
            self._undecoded.append(observer)

    def _decode(self) -> None:
        waiting = self._undecoded
        until_ns = time.monotonic_ns() + DECODE_NS
        while waiting:
            observer = waiting.popleft()
            observer.work(AT_ONCE)
            if observer.pending:
                waiting.append(observer)
            if time.monotonic_ns() > until_ns:
                return

    def _over(self, number: int, heard: Heard, error: RemoteError | None) -> None:
        self._forget(number)
        self._ended.append((heard, outcome.Value(None) if error is None else outcome.Error(error)))

    def _forget(self, number: int) -> None:
        del self._read[number]
        if self._epoll is not None:
            with suppress(OSError):  # closing has done so
                self._epoll.unregister(number)

    @staticmethod
    def _wake(heard: Heard, result: outcome.Outcome[None]) -> None:
        task, heard.task = heard.task, None
        if task is not None:
            trio.lowlevel.reschedule(task, result)
