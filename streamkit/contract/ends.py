"""The two ends of one case: connections, requests, and where they arrive.

What passes between the two once they are there is `stand`'s.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from random import Random
from typing import TYPE_CHECKING

import trio

from streamkit.contract.client_end import ClientEnd
from streamkit.contract.content import Asked, Meter, Talk
from streamkit.contract.patience import spans
from streamkit.contract.trace import Exchanged, Trace
from streamkit.contract.upstream_end import UpstreamEnd
from streamkit.http.stream import SocketStream, WireStream
from streamkit.http.tls import TLSStream

if TYPE_CHECKING:
    from streamkit.contract.hub import Desk
    from streamkit.contract.setting import Setting
    from streamkit.http.connect import Dial

__all__ = ["Ends", "NotForwarded"]


class NotForwarded(Exception):
    """The upstream did not get the request; nothing can be said about the case.

    Attributes:
        exchanged: what the client got instead, if anything.
    """

    def __init__(self, exchanged: Exchanged) -> None:
        self.exchanged = exchanged
        super().__init__("the request did not arrive at the upstream")


class Ends:
    """Makes both ends of one case, and lets go of them.

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
        self.trace = Trace(given=setting.headers)
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

        async def give_up(scope: trio.CancelScope) -> None:
            for span_s in spans(self.limit_s if within_s is None else within_s):
                await trio.sleep(span_s)
            scope.cancel()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch, nursery.cancel_scope)
            nursery.start_soon(give_up, nursery.cancel_scope)
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

    @staticmethod
    def is_direct(client: ClientEnd, up: UpstreamEnd) -> bool:
        """Tell whether both ends are of one connection, so that nothing is in between."""
        mine, its = _socket_of(client.stream), _socket_of(up.exchange.stream)
        if mine is None or its is None:
            return False
        with suppress(OSError):  # one of them is over
            ours = _place(mine.getsockname()), _place(mine.getpeername())
            return ours == (_place(its.getpeername()), _place(its.getsockname()))
        return False

    @staticmethod
    def acknowledge_late(client: ClientEnd) -> None:
        """Have the kernel take its time to acknowledge what comes next, as TCP lets every client do; Linux only."""
        if (sock := _socket_of(client.stream)) is not None and hasattr(socket, "TCP_QUICKACK"):
            with suppress(OSError):  # the connection may be over
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)

    async def aclose(self) -> None:
        """Let go of the client's connections."""
        for client in self._clients:
            await client.aclose()
        self._clients.clear()


def _bound_receiving(stream: WireStream, size_bytes: int) -> None:
    """Have the kernel take in no more than about so much that was not read; does nothing where there is no socket."""
    if (sock := _socket_of(stream)) is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size_bytes)


def _place(name: tuple[str, int]) -> tuple[str, int]:
    """Return an address and its port; IPv4 as such, also where a socket of both kinds writes it otherwise."""
    return str(name[0]).removeprefix("::ffff:"), name[1]


def _socket_of(stream: WireStream) -> socket.socket | None:
    transport = stream.transport if isinstance(stream, TLSStream) else stream
    return transport.socket if isinstance(transport, SocketStream) else None
