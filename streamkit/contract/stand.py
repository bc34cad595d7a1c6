"""Both ends of one case, and what passes a piece from one to the other. One task plays both.

So "the upstream does not send piece N+1 before the client holds piece N" is the order of a program's lines.
"""

from __future__ import annotations

import math
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Final

import trio

from streamkit.contract.client_end import ClientEnd
from streamkit.contract.content import Asked, Meter, Part, Talk
from streamkit.contract.load import busy
from streamkit.contract.trace import Exchanged, Trace
from streamkit.contract.upstream_end import UpstreamEnd
from streamkit.http.clock import now_ns
from streamkit.http.stream import SocketStream, WireStream
from streamkit.http.tls import TLSStream

if TYPE_CHECKING:
    from streamkit.contract.hub import Desk
    from streamkit.contract.setting import Setting
    from streamkit.http.connect import Dial

__all__ = ["NotForwarded", "Stand"]

SETTLED: Final = 3
"""How often a number has to be found unchanged, `SETTLING_S` apart, until it is taken to be settled."""

SETTLING_S: Final = 0.02
"""How long it is between two looks at what is to settle."""


class NotForwarded(Exception):
    """The upstream did not get the request; nothing can be said about the case.

    Attributes:
        exchanged: what the client got instead, if anything.
    """

    def __init__(self, exchanged: Exchanged) -> None:
        self.exchanged = exchanged
        super().__init__("the request did not arrive at the upstream")


class Stand:
    """Where one case runs.

    Attributes:
        setting: what is tested.
        talk: requests and answers in the setting's dialects.
        trace: what happens, for the judge.
        limit_s: how long a piece is waited for.
        dial_upstream: connects to the upstream itself, past the proxy, for comparisons.
        random: the only randomness of a case; the same for the same case of a run with the same seed.
    """

    def __init__(
        self, setting: Setting, talk: Talk, desk: Desk, dial: Dial, dial_upstream: Dial, *, case_id: str = ""
    ) -> None:
        self.setting = setting
        self.random = Random(f"{setting.seed}:{case_id}")
        self.talk = talk
        self.trace = Trace()
        self.limit_s = setting.limit_s
        self.dial_upstream = dial_upstream
        self._desk = desk
        self._dial = dial
        self._clients: list[ClientEnd] = []

    @property
    def carriers(self) -> set[str]:
        """By what the upstream knew that the requests are this case's: `path`, `header`, `body`, or `turn`."""
        return self._desk.carriers

    async def connect(self, *, direct: bool = False, receive_bytes: int = 0) -> ClientEnd:
        """Return a new connection to the proxy, or directly to the upstream.

        Args:
            direct: to the upstream.
            receive_bytes: how much the kernel takes in for a client that does not read; 0: as it likes.

        Raises:
            ConnectError: nobody listens there.
        """
        stream = await (self.dial_upstream if direct else self._dial)()
        if receive_bytes:
            _bound_receiving(stream, receive_bytes)
        client = ClientEnd(stream, len(self._clients) + 1, self.trace, decodes=self.setting.profile == "edge")
        self._clients.append(client)
        return client

    def begin(self, client: ClientEnd, asked: Asked) -> Exchanged:
        """Add an exchange to the trace, whose request is about to be sent on this connection."""
        exchanged = Exchanged()
        self.trace.exchanges.append(exchanged)
        self._desk.methods.add(asked.method)
        client.begin(asked, self.talk.meter(), exchanged)
        return exchanged

    async def ask(
        self,
        asked: Asked | None = None,
        *,
        client: ClientEnd | None = None,
        with_body: bool = True,
        meter: Meter | None = None,
    ) -> tuple[ClientEnd, UpstreamEnd]:
        """Send a request through the proxy, and return both ends of it once the upstream has it.

        Args:
            asked: by default the dialect's usual request.
            client: the connection; by default a new one.
            with_body: whether the body goes along with the head.
            meter: instead of the setting's own.

        Raises:
            NotForwarded: the upstream does not get it.
            ConnectError: nobody listens at the proxy's place.
        """
        asked = asked or self.talk.request()
        client = client or await self.connect()
        self.begin(client, asked)
        if meter is not None:
            client.meter = meter
        await client.send_request(asked, with_body=with_body)
        return client, await self.arrive(client)

    async def try_ask(
        self, asked: Asked | None = None, *, client: ClientEnd | None = None
    ) -> tuple[ClientEnd, UpstreamEnd | None]:
        """Do as `ask` does; where the request does not get through, there is None for the upstream's end.

        Raises:
            ConnectError: nobody listens at the proxy's place.
        """
        client = client or await self.connect()
        try:
            return await self.ask(asked, client=client)
        except NotForwarded:
            return client, None

    async def arrive(self, client: ClientEnd, within_s: float | None = None) -> UpstreamEnd:
        """Return the upstream's end of the request that the client has sent.

        Raises:
            NotForwarded: it does not come in time, or the client is refused.
        """
        arrived: list[UpstreamEnd] = []

        async def watch(scope: trio.CancelScope) -> None:
            """Look at what the client gets meanwhile: a refusal is an answer too."""
            head = await client.head(float("inf"))
            if head is None or head.status >= 400:
                with trio.move_on_after(self.limit_s):
                    await client.rest(self.limit_s)
            while (
                not client.exchanged.client_end
            ):  # it may only be early: some gateways send their head before they ask
                await client.read()
            scope.cancel()

        with trio.move_on_after(self.limit_s if within_s is None else within_s):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(watch, nursery.cancel_scope)
                arrived.append(await self._desk.get())
                nursery.cancel_scope.cancel()
        if not arrived:
            raise NotForwarded(client.exchanged)
        arrived[0].join(client.exchanged, client.meter, self.trace)
        return arrived[0]

    async def try_arrive(self, client: ClientEnd, within_s: float | None = None) -> UpstreamEnd | None:
        """Do as `arrive` does; None where the request does not come."""
        try:
            return await self.arrive(client, within_s)
        except NotForwarded:
            return None

    async def again(self, client: ClientEnd, within_s: float) -> UpstreamEnd | None:
        """Return another attempt of the proxy's at the same request; None where none comes in time."""
        with trio.move_on_after(within_s):
            end = await self._desk.get()
            end.join(client.exchanged, client.meter, self.trace)
            return end
        return None

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
        async with trio.open_nursery() as nursery:
            scope = nursery.cancel_scope
            scope.deadline = trio.current_time() + max(limit_s, self.limit_s)

            async def send() -> None:
                if await up.write(up.framed(part.data), units=piece.units):
                    piece.sent_ns = now_ns()
                scope.deadline = min(scope.deadline, trio.current_time() + limit_s)

            nursery.start_soon(send)
            await client.until(piece.units, math.inf)
            if client.exchanged.client_end:  # there is nobody any more for whom the rest could be taken
                scope.cancel()
        return client.meter.units >= piece.units

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
                with trio.move_on_after(self.limit_s) as scope:
                    await client.read()
                if scope.cancelled_caught:
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
            while still < SETTLED:
                await trio.sleep(SETTLING_S)
                now = count()
                last, still = now, still + 1 if now and now == last else 0

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
    def acknowledge_late(client: ClientEnd) -> None:
        """Have the kernel take its time to acknowledge what comes next, as TCP lets every client do; Linux only."""
        if (sock := _socket_of(client.stream)) is not None and hasattr(socket, "TCP_QUICKACK"):
            with suppress(OSError):  # the connection may be over
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)

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

    async def aclose(self) -> None:
        """Let go of the client's connections."""
        for client in self._clients:
            await client.aclose()
        self._clients.clear()


def _bound_receiving(stream: WireStream, size_bytes: int) -> None:
    """Have the kernel take in no more than about so much that was not read; does nothing where there is no socket."""
    if (sock := _socket_of(stream)) is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size_bytes)


def _socket_of(stream: WireStream) -> socket.socket | None:
    transport = stream.transport if isinstance(stream, TLSStream) else stream
    return transport.socket if isinstance(transport, SocketStream) else None
