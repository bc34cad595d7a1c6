"""Both neighbours of a gateway, for its tests: a client by h11's book, and an upstream that sends exactly these bytes.

One task plays both, so that "the upstream does not go on before the client has this" is the order of a program's
lines. A test that would wait for ever ends after `PATIENCE_S`; nothing else here is a matter of time.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import trio

from streamkit.gateway.gateway import Gateway
from streamkit.gateway.open import open_gateway
from streamkit.gateway.record import Outcome, Record
from streamkit.http.limits import Limits
from streamkit.http.listener import Listener, open_listeners
from streamkit.http.stream import SocketStream
from tests.gateway.readers import Client, Ending, Head, Server

PATIENCE_S: Final = 60

FRAMINGS: Final = ("chunked", "length", "close")

Fields = Sequence[tuple[str, str]]


@dataclass
class Stand:
    """A gateway, and its upstream where that is ours to play.

    Attributes:
        port: of the gateway.
        records: what the gateway noted of each request, as it ended.
        upstream: where the gateway connects to; None where the upstream is something else.
    """

    port: int = 0
    gateway: Gateway = field(init=False)
    records: list[Record] = field(default_factory=list)
    upstream: Listener | None = None
    _noted: trio.Event = field(default_factory=trio.Event)
    _open: list[SocketStream] = field(default_factory=list)

    @property
    def upstream_port(self) -> int:
        assert self.upstream is not None
        return self.upstream.port

    def note(self, record: Record) -> None:
        self.records.append(record)
        self._noted.set()
        self._noted = trio.Event()

    async def record(self, number: int) -> Record:
        """The record of a request, counted from 1 by their ends, as soon as it is over."""
        while len(self.records) < number:
            await self._noted.wait()
        return self.records[number - 1]

    async def outcome(self, number: int) -> Outcome:
        return (await self.record(number)).outcome

    async def client(self, *, receive_bytes: int = 0) -> Client:
        """A new connection to the gateway.

        Args:
            receive_bytes: how much the kernel takes in for a client that does not read; 0: as it likes.
        """
        stream = await connected(self.port, receive_bytes=receive_bytes)
        self._open.append(stream)
        return Client(stream)

    async def server(self) -> Server:
        """The next connection that the gateway makes."""
        assert self.upstream is not None
        stream = await self.upstream.accept()
        self._open.append(stream)
        return Server(stream)

    async def pass_one(self) -> None:
        """A request of its own passes, on connections of its own: the gateway lives."""
        await self.gateway.pool.aclose()
        client = await self.client()
        await client.send(request(fields=[("Connection", "close")], target="/one-more"))
        if self.upstream is None:
            assert (await client.head()).status in {200, 404, 502}
            return
        server = await self.server()
        head, _ = await server.request()
        assert head.line == "GET /one-more HTTP/1.1"
        await server.send(answer(b"one more"))
        assert (await client.head()).status == 200
        assert await client.rest() == (b"one more", "complete")

    def forget(self) -> None:
        """Let go of the connections and records of requests that are over."""
        self._open.clear()
        self.records.clear()

    def close(self) -> None:
        for stream in self._open:
            stream.abort()


async def connected(port: int, *, receive_bytes: int = 0) -> SocketStream:
    sock = trio.socket.socket()
    if receive_bytes:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    await sock.connect(("127.0.0.1", port))
    return SocketStream(socket.socket(fileno=sock.detach()))


class Complaints(logging.Handler):
    """Keeps what the server below says of a handler that failed."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@asynccontextmanager
async def gateway_to(
    url: str,
    *,
    limits: Limits | None = None,
    **options: Any,  # noqa: ANN401 - whatever a `GatewayConfig` has
) -> AsyncIterator[Stand]:
    """A gateway before this upstream. It may meet no error of its own while the block runs."""
    stand = Stand()
    complaints = Complaints()
    logging.getLogger("streamkit.http").addHandler(complaints)
    try:
        with trio.fail_after(PATIENCE_S):
            options = {"limits": limits or Limits(linger_timeout_s=0.2), "allowed_hosts": None, **options}
            async with open_gateway(url, on_record=stand.note, **options) as opened:
                stand.gateway, stand.port = opened.gateway, opened.port
                try:
                    yield stand
                    assert complaints.records == []
                    assert "failed" not in {record.outcome for record in stand.records}
                finally:
                    stand.close()
    finally:
        logging.getLogger("streamkit.http").removeHandler(complaints)


@asynccontextmanager
async def standing(
    path: str = "",
    *,
    scheme: str = "http",
    **options: Any,  # noqa: ANN401 - as there
) -> AsyncIterator[Stand]:
    """A gateway before an upstream that the test plays itself, through `Stand.server`."""
    (listener,) = await open_listeners(0)
    async with listener, gateway_to(f"{scheme}://127.0.0.1:{listener.port}{path}", **options) as stand:
        stand.upstream = listener
        yield stand


async def exchange(stand: Stand, data: bytes) -> tuple[Client, Server, Head]:
    """Send a request, as much of it as there is, and return both ends with the head that the upstream got."""
    client = await stand.client()
    await client.send(data)
    server = await stand.server()
    return client, server, await server.head()


def request(
    method: str = "GET", target: str = "/", fields: Fields = (), body: bytes = b"", version: str = "1.1"
) -> bytes:
    """Write a request; its length comes along where it has a body."""
    lines = [f"{method} {target} HTTP/{version}", "Host: gateway"]
    lines += [f"{name}: {value}" for name, value in fields]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def head_bytes(framing: str, size: int = 0, fields: Fields = (), status: str = "200 OK") -> bytes:
    """Write the head of a response whose body is framed so."""
    ends = {"chunked": "Transfer-Encoding: chunked", "length": f"Content-Length: {size}", "close": "Connection: close"}
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in fields)]
    lines += [ends[framing]] if framing in ends else []
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def framed(framing: str, piece: bytes) -> bytes:
    """Write a piece of a body."""
    return b"%x\r\n%b\r\n" % (len(piece), piece) if framing == "chunked" and piece else piece


async def end(server: Server, framing: str) -> None:
    """End a body."""
    if framing == "chunked":
        await server.send(b"0\r\n\r\n")
    elif framing == "close":
        await server.stream.aclose()


def answer(body: bytes, fields: Fields = (), status: str = "200 OK") -> bytes:
    """Write a whole response with a length."""
    return head_bytes("length", len(body), fields, status) + body


def whole(framing: str) -> Ending:
    """How a good response of this framing ends for a client of HTTP/1.1."""
    return "closed" if framing == "close" else "complete"


async def together(*tasks: Callable[[], Awaitable[object]]) -> None:
    """Do all of this at the same time."""
    async with trio.open_nursery() as nursery:
        for task in tasks:
            nursery.start_soon(task)


async def settled(size: Callable[[], int]) -> None:
    """Wait until a number has stopped to grow. Too early would only make a test easier."""
    last, still = -1, 0
    while still < 2:
        await trio.sleep(0.1)
        still = still + 1 if size() == last else 0
        last = size()
