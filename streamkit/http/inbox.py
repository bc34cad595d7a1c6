"""What a client sent and nobody has read yet: the input of one connection, read by read, with its stamps.

Heads, bodies and the watch for the client's leaving all read through here, one at a time. What one of them took too
much of (the next request, when requests are pipelined) is put back for the next, with the time at which it came.

To see a client leave one has to read all that it sends before that. What it sends ahead is kept up to a bound; a client
that goes beyond it is still watched, but what it sent ahead is thrown away, and its connection is of no further use.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec
import trio

from streamkit.http.clock import now_ns
from streamkit.http.stream import TimedRead, WireStream

__all__ = ["Inbox", "Left"]

MAX_AHEAD_BYTES: Final = 65536
"""How much is kept of what is pipelined behind the request that is being answered; and one read more."""

JOIN_BEHIND: Final = 16
JOIN_BELOW_BYTES: Final = 4096
"""Behind so many reads, small ones are joined: a byte must not cost a hundred."""


class Left(msgspec.Struct, frozen=True, gc=False):
    """How the other end left, and when we knew.

    Attributes:
        how: "fin": it will send no more, and perhaps still reads (a write to it fails, the second one at the latest, if
            it does not). "reset": it is gone. "closed": we have closed the connection ourselves.
    """

    how: Literal["fin", "reset", "closed"]
    at_ns: int


class Inbox:
    """The input of `stream`, one reader at a time.

    Attributes:
        left: how the client left; None as far as we know.
        has_overflowed: whether the client sent too much while it was watched. What is received from then on is not what
            comes next in the conversation: the connection can only be closed.
    """

    __slots__ = ("_reads", "has_overflowed", "left", "stream")

    def __init__(self, stream: WireStream) -> None:
        self.stream = stream
        self.left: Left | None = None
        self.has_overflowed = False
        self._reads: list[TimedRead] = []

    @property
    def held_bytes(self) -> int:
        """How much was read already and put back, or read ahead."""
        return sum([len(read.data) for read in self._reads])

    async def receive(self) -> TimedRead:
        """Return the next bytes; no data at the end of the input, again and again.

        Raises:
            BrokenResourceError: the client is gone.
        """
        if self._reads:
            await trio.lowlevel.checkpoint()
            return self._reads.pop(0)
        if self.left is not None:
            await trio.lowlevel.checkpoint()
            if self.left.how == "fin":
                return TimedRead(b"", self.left.at_ns)
            raise trio.BrokenResourceError("the client is gone")
        return await self._read()

    async def _read(self) -> TimedRead:
        try:
            read = await self.stream.receive()
        except trio.BrokenResourceError:
            self.left = Left("reset", now_ns())
            raise
        if not read.data:
            self.left = Left("fin", read.read_ns)
        return read

    def put_back(self, data: bytes, read: TimedRead) -> None:
        """Let `data`, the rest of `read`, be what is received next."""
        if data:
            self._reads.insert(0, TimedRead(data, read.read_ns, read.kernel_ns, read.segments))

    async def wait_left(self) -> Left:
        """Wait until the client leaves. What it sends until then is kept, up to a bound, for `receive`.

        Beyond that bound it is thrown away, and `has_overflowed` says so. Nothing is lost where this is cancelled.
        """
        while self.left is None:
            try:
                read = await self._read()
            except trio.BrokenResourceError:
                continue  # and `left` says so
            except trio.ClosedResourceError:
                return Left("closed", now_ns())
            if read.data and not self.has_overflowed:
                self._keep(read)
        await trio.lowlevel.checkpoint_if_cancelled()
        return self.left

    def _keep(self, read: TimedRead) -> None:
        reads = self._reads
        if self.held_bytes >= MAX_AHEAD_BYTES:
            self.has_overflowed = True
            reads.clear()
            return
        if len(reads) >= JOIN_BEHIND and len(reads[-1].data) < JOIN_BELOW_BYTES:
            last = reads.pop()
            segments = None if last.segments is None or read.segments is None else last.segments + read.segments
            read = TimedRead(last.data + read.data, read.read_ns, read.kernel_ns, segments)
        reads.append(read)
