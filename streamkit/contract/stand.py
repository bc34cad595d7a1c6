"""Both ends of one case, and what passes a piece from one to the other. One task plays both.

So "the upstream does not send piece N+1 before the client holds piece N" is the order of a program's lines.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import trio

from streamkit.contract.client_end import ClientEnd
from streamkit.contract.content import Asked, Meter, Part, Talk
from streamkit.contract.trace import Exchanged, Trace
from streamkit.contract.upstream_end import UpstreamEnd
from streamkit.http.clock import now_ns

if TYPE_CHECKING:
    from streamkit.contract.hub import Desk
    from streamkit.contract.setting import Setting
    from streamkit.http.connect import Dial

__all__ = ["NotForwarded", "Stand"]


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
    """

    def __init__(self, setting: Setting, talk: Talk, desk: Desk, dial: Dial, dial_upstream: Dial) -> None:
        self.setting = setting
        self.talk = talk
        self.trace = Trace()
        self.limit_s = setting.limit_s
        self.dial_upstream = dial_upstream
        self._desk = desk
        self._dial = dial
        self._clients: list[ClientEnd] = []

    async def connect(self, *, direct: bool = False) -> ClientEnd:
        """Return a new connection to the proxy, or directly to the upstream.

        Raises:
            ConnectError: nobody listens there.
        """
        stream = await (self.dial_upstream if direct else self._dial)()
        client = ClientEnd(stream, len(self._clients) + 1, self.trace, decodes=self.setting.profile == "edge")
        self._clients.append(client)
        return client

    def begin(self, client: ClientEnd, asked: Asked) -> Exchanged:
        """Add an exchange to the trace, whose request is about to be sent on this connection."""
        exchanged = Exchanged()
        self.trace.exchanges.append(exchanged)
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

    async def again(self, client: ClientEnd, within_s: float) -> UpstreamEnd | None:
        """Return another attempt of the proxy's at the same request; None where none comes in time."""
        with trio.move_on_after(within_s):
            end = await self._desk.get()
            end.join(client.exchanged, client.meter, self.trace)
            return end
        return None

    async def deliver(
        self, client: ClientEnd, up: UpstreamEnd, part: Part, *, within_s: float | None = None, mark: str = ""
    ) -> bool:
        """Send a piece, and tell whether the client has all of it in time."""
        limit_s = self.limit_s if within_s is None else within_s
        before = up.exchanged.expected_units
        with trio.move_on_after(limit_s):
            async with trio.open_nursery() as nursery:
                piece = up.expect(part, mark)

                async def send() -> None:
                    if await up.write(up.framed(part.data), units=piece.units):
                        piece.sent_ns = now_ns()

                nursery.start_soon(send)
                await client.until(piece.units, limit_s)
                if client.meter.units >= piece.units > before or client.exchanged.client_end:
                    return client.meter.units >= piece.units
        return client.meter.units >= up.exchanged.expected_units

    async def flow(self, client: ClientEnd, up: UpstreamEnd, parts: Sequence[Part], *, finish: bool = True) -> None:
        """Send all pieces as fast as they are taken, and end the answer, while the client reads to its end."""

        async def send() -> None:
            for part in parts:
                await up.send(part)
            if finish:
                await up.finish()

        await self.together(send, partial(client.rest, self.limit_s))

    async def together(self, *tasks: Callable[[], Awaitable[object]]) -> None:
        """Do all of this at the same time."""
        async with trio.open_nursery() as nursery:
            for task in tasks:
                nursery.start_soon(task)

    async def sleep(self, seconds: float) -> None:
        """Wait: for cases whose point is a silence."""
        await trio.sleep(seconds)

    async def within(self, seconds: float, task: Callable[[], Awaitable[object]]) -> bool:
        """Do something for so long at most, and tell whether it was done in time."""
        with trio.move_on_after(seconds) as scope:
            await task()
        return not scope.cancelled_caught

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
