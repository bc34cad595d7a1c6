"""Two streams that are each other's other end, in memory: what tests and virtual clocks use in place of sockets.

Like a socket in what it does at the end (data that was sent before a reset still arrives; closing with unread input
resets), unlike one in that a write is a read: writes are never joined, so that cuts can be tested. Bounded.
"""

from __future__ import annotations

from collections import deque
from typing import Final

import trio

from streamkit.http.clock import now_ns
from streamkit.http.stream import RECEIVE_BYTES, TimedRead, WireStream

__all__ = ["MemoryStream", "memory_pair"]

BUFFER_BYTES: Final = 65536


class _Pipe:
    """One direction: what was written and not read, and how it ended."""

    __slots__ = ("at_end", "held_bytes", "is_broken", "is_unread", "lot", "max_bytes", "pieces")

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.pieces: deque[tuple[bytes, int]] = deque()
        self.held_bytes = 0
        self.at_end = False  # the writer is done
        self.is_broken = False  # by a reset
        self.is_unread = False  # the reader is gone
        self.lot = trio.lowlevel.ParkingLot()

    def wake(self) -> None:
        self.lot.unpark_all()


class MemoryStream(WireStream):
    """One end of a `memory_pair`."""

    __slots__ = ("_in", "_is_closed", "_is_receiving", "_out")

    def __init__(self, incoming: _Pipe, outgoing: _Pipe, peer: str) -> None:
        self._in = incoming
        self._out = outgoing
        self._is_closed = False
        self._is_receiving = False
        super().__init__(peer)

    async def receive(self, max_bytes: int = RECEIVE_BYTES) -> TimedRead:
        if self._is_receiving:
            raise trio.BusyResourceError("another task is reading from this stream")
        self._is_receiving = True
        try:
            await trio.lowlevel.checkpoint()
            pipe = self._in
            while True:
                if self._is_closed:
                    raise trio.ClosedResourceError("this stream was closed already")
                if pipe.pieces:
                    return self._taken(max_bytes)
                if pipe.is_broken:
                    raise trio.BrokenResourceError("the connection was reset by the other end")
                if pipe.at_end:
                    return TimedRead(b"", now_ns())
                await pipe.lot.park()
        finally:
            self._is_receiving = False

    def _taken(self, max_bytes: int) -> TimedRead:
        pipe = self._in
        data, at_ns = pipe.pieces.popleft()
        if len(data) > max_bytes:
            pipe.pieces.appendleft((data[max_bytes:], at_ns))
            data = data[:max_bytes]
        pipe.held_bytes -= len(data)
        pipe.wake()
        return TimedRead(data, now_ns(), at_ns, 1)

    def send_now(self, data: bytes | bytearray | memoryview) -> int:
        pipe = self._out
        if self._is_closed or pipe.at_end:
            raise trio.ClosedResourceError("this end was closed already")
        if pipe.is_broken or pipe.is_unread:
            raise trio.BrokenResourceError("the other end is gone")
        piece = bytes(memoryview(data)[: pipe.max_bytes - pipe.held_bytes])
        if piece:
            pipe.pieces.append((piece, now_ns()))
            pipe.held_bytes += len(piece)
            self.sent_bytes += len(piece)
            pipe.wake()
        return len(piece)

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        with self._sender:
            await trio.lowlevel.checkpoint()
            view = memoryview(data)
            await self._send_rest(view, self.send_now(view), self._out.lot.park)

    async def wait_send_all_might_not_block(self) -> None:
        with self._sender:
            await trio.lowlevel.checkpoint()
            if self._is_closed:
                raise trio.ClosedResourceError("this stream was closed already")
            pipe = self._out
            while pipe.held_bytes >= pipe.max_bytes and not (pipe.is_broken or pipe.is_unread or self._is_closed):
                await pipe.lot.park()
            if self._is_closed:
                raise trio.ClosedResourceError("this stream was closed already")

    async def send_eof(self) -> None:
        self._sender.check()
        await trio.lowlevel.checkpoint()
        if self._is_closed:
            raise trio.ClosedResourceError("this stream was closed already")
        self._out.at_end = True
        self._out.wake()

    def abort(self) -> None:
        if not self._is_closed:
            self._in.is_broken = self._out.is_broken = True
            self._close()

    async def aclose(self) -> None:
        if not self._is_closed:
            if self._in.pieces:  # as the kernel does it: the other end must not think that we read this
                self._out.is_broken = True
            self._close()
        await trio.lowlevel.checkpoint()

    def _close(self) -> None:
        self._is_closed = True
        self._in.is_unread = True
        self._in.pieces.clear()
        self._in.held_bytes = 0
        self._out.at_end = True
        self._in.wake()
        self._out.wake()

    def is_quiet(self) -> bool:
        pipe = self._in
        return not (self._is_closed or pipe.pieces or pipe.is_broken or pipe.at_end)

    async def wait_reset(self, *, or_fin: bool = False) -> None:
        await trio.lowlevel.checkpoint()
        while not (self._in.is_broken or (or_fin and self._in.at_end)):
            await self._in.lot.park()

    def unsent_bytes(self) -> int | None:
        return self._out.held_bytes


def memory_pair(*, max_bytes: int = BUFFER_BYTES) -> tuple[MemoryStream, MemoryStream]:
    """Return two streams: what is written to one is read from the other.

    Args:
        max_bytes: how much each direction holds before a write has to wait.
    """
    there, back = _Pipe(max_bytes), _Pipe(max_bytes)
    return MemoryStream(back, there, "memory"), MemoryStream(there, back, "memory")
