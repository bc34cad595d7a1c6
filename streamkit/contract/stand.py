"""Both ends of one case, and what passes a piece from one to the other. One task plays both.

So "the upstream does not send piece N+1 before the client holds piece N" is the order of a program's lines.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Final

import trio

from streamkit.contract.client_end import ClientEnd
from streamkit.contract.content import Part
from streamkit.contract.ends import Ends, NotForwarded
from streamkit.contract.load import busy
from streamkit.contract.trace import Piece
from streamkit.contract.upstream_end import UpstreamEnd
from streamkit.http.clock import now_ns

__all__ = ["NotForwarded", "Stand"]

SETTLED: Final = 3
"""How often a number has to be found unchanged, `SETTLING_S` apart, until it is taken to be settled."""

SETTLING_S: Final = 0.02
"""How long it is between two looks at what is to settle."""


class Stand(Ends):
    """Where one case runs: both ends, and what passes a piece from one to the other."""

    async def serve(
        self, client: ClientEnd, up: UpstreamEnd, answer: Callable[[UpstreamEnd], Awaitable[object]]
    ) -> None:
        """Answer this attempt, and each further one that the proxy makes, while the client reads to its end.

        An answer that is under way when the client's has ended is still written, within the limit.
        """

        async def one(end: UpstreamEnd) -> None:
            with trio.move_on_after(self.limit_s, shield=True):
                await answer(end)

        async def further() -> None:
            while True:
                if (end := await self.again(client, float("inf"))) is not None:
                    await one(end)

        await self.while_reading(client, partial(one, up))  # a client that waits for its upstream does not hang
        await self.beside(partial(client.rest, self.limit_s), further)

    async def deliver(
        self, client: ClientEnd, up: UpstreamEnd, part: Part, *, within_s: float | None = None, mark: str = ""
    ) -> bool:
        """Send a piece, and tell whether the client has all of it in time.

        The time counts from when the kernel has the piece. A write is given up only after the limit, whatever
        `within_s` is: what is half sent spoils all that follows.
        """
        limit_s = self.limit_s if within_s is None else within_s
        piece = up.expect(part, mark)

        async def send() -> None:
            if await up.write(up.framed(part.data), units=piece.units):
                piece.sent_ns = now_ns()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(send)
            was_sent = await self._came(client, piece, limit_s)
            if not was_sent:
                await client.until(piece.units, max(limit_s, self.limit_s))
            if client.exchanged.client_end or client.meter.units < piece.units:
                nursery.cancel_scope.cancel()  # nobody waits any more for what was not taken yet
        return client.meter.units >= piece.units

    async def _came(self, client: ClientEnd, piece: Piece, limit_s: float) -> bool:
        """Wait for a piece; tell whether nothing more is to be waited for: it had its time since it was sent."""
        began_ns = now_ns()
        if await client.until(piece.units, limit_s) or client.exchanged.client_end or client.exchanged.problem:
            return True
        return 0 < piece.sent_ns < began_ns + limit_s * 1e9 / 2

    async def flow(self, client: ClientEnd, up: UpstreamEnd, parts: Sequence[Part], *, finish: bool = True) -> None:
        """Send all pieces as fast as they are taken, and end the answer, while the client reads to its end.

        What is not taken once the client has its end, or hangs, is given up after the limit.
        """

        async def send() -> None:
            for part in parts:
                await up.send(part)
            if finish:
                await up.finish()

        await self.to_the_end(client, up, send)

    async def to_the_end(
        self,
        client: ClientEnd,
        up: UpstreamEnd,
        send: Callable[[], Awaitable[object]],
        *,
        first: Callable[[], Awaitable[object]] | None = None,
        gap_s: float = 0.0,
    ) -> None:
        """Do what sends the rest of an answer, while the client reads to its end; bounded as `flow` is.

        As long as the proxy takes more from the upstream, an answer does not hang: it may be collected first.

        Args:
            client: the one end of it.
            up: the other one.
            send: what sends it.
            first: what is done before the client begins to read.
            gap_s: how long the client rests after each read.
        """
        async with trio.open_nursery() as nursery:
            nursery.start_soon(send)
            if first is not None:
                await first()
            while not client.exchanged.client_end:
                before = up.exchange.stream.sent_bytes
                if not await client.read_within(self.limit_s):
                    if up.exchange.stream.sent_bytes == before:
                        await client.rest(0)
                elif gap_s:
                    await trio.sleep(gap_s)
            nursery.cancel_scope.deadline = trio.current_time() + self.limit_s

    async def while_reading(self, client: ClientEnd, task: Callable[[], Awaitable[object]]) -> None:
        """Do something, and have the client read whatever comes meanwhile."""
        async with trio.open_nursery() as nursery:

            async def read() -> None:
                while await client.read():
                    pass

            nursery.start_soon(read)
            await task()
            nursery.cancel_scope.cancel()

    @asynccontextmanager
    async def meanwhile(self, task: Callable[[], Awaitable[object]]) -> AsyncIterator[None]:
        """Do something while the block runs; at its end it is given up where it is."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(task)
            try:
                yield
            finally:
                nursery.cancel_scope.cancel()

    async def settled(self, count: Callable[[], int], within_s: float) -> None:
        """Wait until a number has grown and stopped to, for so long at most. It only makes a case's situation surer."""
        with trio.move_on_after(within_s):
            last, still = 0, 0
            while True:
                await trio.sleep(SETTLING_S)
                now = count()
                last, still = now, still + 1 if now and now == last else 0
                if still == SETTLED:
                    break

    async def together(self, *tasks: Callable[[], Awaitable[object]]) -> None:
        """Do all of this at the same time."""
        async with trio.open_nursery() as nursery:
            for task in tasks:
                nursery.start_soon(task)

    async def beside(self, task: Callable[[], Awaitable[object]], other: Callable[[], Awaitable[object]]) -> None:
        """Do `task`, and `other` at the same time for as long as that lasts."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(other)
            await task()
            nursery.cancel_scope.cancel()

    async def sleep(self, seconds: float) -> None:
        """Wait: for cases whose point is a silence."""
        await trio.sleep(seconds)

    async def within(self, seconds: float, task: Callable[[], Awaitable[object]]) -> bool:
        """Do something for so long at most, and tell whether it was done in time."""
        with trio.move_on_after(seconds) as scope:
            await task()
        return not scope.cancelled_caught

    @staticmethod
    def busy(processes: int, *, within_s: float) -> AbstractAsyncContextManager[None]:
        """Keep so many processors busy while the block runs, but not for longer than `within_s`.

        Raises:
            OSError: the processes that do so cannot be started.
        """
        return busy(processes, within_s=within_s)

    @staticmethod
    def now_ns() -> int:
        """Return the present time, on the trace's clock."""
        return now_ns()

    def mark(self, what: str) -> None:
        """Note in the trace that something is done now."""
        self.trace.mark(now_ns(), what)
