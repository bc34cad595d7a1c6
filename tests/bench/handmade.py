"""Servers whose bytes are written by hand, on a socket of loopback; and loads that are run on a server."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager, suppress
from functools import partial
from typing import Any

import trio

from streamkit.bench.engine import Stop, run_load
from streamkit.bench.plan import Concurrency, Limits, Load, Plan, Server
from streamkit.bench.record import RequestRecord
from streamkit.bench.results import Ran
from streamkit.bench.tally import Tally

SSE = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
LAST = b"0\r\n\r\n"


def delta(json_text: str) -> bytes:
    return (
        b'data: {"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":%b}]}\n\n' % json_text.encode()
    )


ROLE = delta('{"role":"assistant","content":""}')
HEL = delta('{"content":"Hel"}')
LO = delta('{"content":"lo"}')
STOP = b'data: {"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
USAGE = b'data: {"id":"c","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":7,"total_tokens":10}}\n\n'
DONE = b"data: [DONE]\n\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


HELLO = SSE + chunk(ROLE) + chunk(HEL) + chunk(LO) + chunk(STOP) + chunk(USAGE) + chunk(DONE) + LAST


class Wire:
    """The server's end of a connection."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self._held = b""

    async def request(self) -> bytes:
        """Read a request, whole."""
        while b"\r\n\r\n" not in self._held:
            await self._more()
        head, _, _ = self._held.partition(b"\r\n\r\n")
        lengths = [
            line.partition(b":")[2] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")
        ]
        size = len(head) + 4 + int(lengths[0])
        while len(self._held) < size:
            await self._more()
        request, self._held = self._held[:size], self._held[size:]
        return request

    async def _more(self) -> None:
        data = await self.stream.receive_some()
        if not data:
            raise trio.BrokenResourceError("the client has left")
        self._held += data

    async def send(self, *pieces: bytes) -> None:
        """Send each piece as a segment of its own."""
        for piece in pieces:
            await self.stream.send_all(piece)

    def send_now(self, data: bytes) -> None:
        """Send a segment while nobody else of this loop runs."""
        assert os.write(self.stream.socket.fileno(), data) == len(data)

    async def left(self) -> None:
        """Wait until the client leaves."""
        with suppress(trio.BrokenResourceError):
            while await self.stream.receive_some():
                pass

    def reset(self) -> None:
        """End the connection with RST."""
        self.stream.setsockopt(1, 13, b"\1\0\0\0\0\0\0\0")  # SO_LINGER, 0 s
        self.stream.socket.close()


Serve = Callable[[Wire], Awaitable[None]]


def answering(*pieces: bytes) -> Serve:
    """Return what answers every request with these pieces, until the client leaves."""

    async def serve(wire: Wire) -> None:
        while True:
            await wire.request()
            await wire.send(*pieces)

    return serve


def saying(*pieces: bytes, then: str = "close") -> Serve:
    """Return what answers one request with these pieces, and then closes, resets, or stays."""

    async def serve(wire: Wire) -> None:
        await wire.request()
        await wire.send(*pieces)
        if then == "reset":
            wire.reset()
        elif then == "stay":
            await wire.left()

    return serve


class Served:
    """A server.

    Attributes:
        url: of its endpoint.
        connections: how many it has had.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.connections = 0


@asynccontextmanager
async def serving(*serves: Serve) -> AsyncIterator[Served]:
    """Serve each connection with the next of these, and the last one from then on."""
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    served = Served(f"http://127.0.0.1:{listener.socket.getsockname()[1]}/v1/chat/completions")

    async def serve(stream: trio.SocketStream) -> None:
        number, served.connections = served.connections, served.connections + 1
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):  # the client has left, or was sent away
            await serves[min(number, len(serves) - 1)](Wire(stream))

    async with trio.open_nursery() as nursery:
        await nursery.start(partial(trio.serve_listeners, serve, [listener]))
        yield served
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def unaccepted() -> AsyncIterator[str]:
    """Give the URL of a server whose queue is full: connections to it do not come about."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        with ExitStack() as waiting:
            for _ in range(3):
                each = waiting.enter_context(socket.socket())
                each.setblocking(False)
                each.connect_ex(full.getsockname())
            yield f"http://127.0.0.1:{full.getsockname()[1]}"


class Loaded:
    """What a load has come to.

    Attributes:
        records: as they ended.
        ran: what the engine says.
    """

    def __init__(self, records: list[RequestRecord], ran: Ran) -> None:
        self.records = records
        self.ran = ran

    @property
    def tally(self) -> Tally:
        tally = Tally()
        for record in self.records:
            tally.add(record)
        return tally

    @property
    def outcomes(self) -> list[str | None]:
        return [record.outcome for record in self.records]


QUICK = Limits(connect_s=5, first_token_s=30, idle_s=30, total_s=60, drain_s=5)


async def load_on(
    url: str,
    *,
    dialect: str = "openai-chat",
    load: Load | None = None,
    requests: int | None = 1,
    on_record: Callable[[RequestRecord], None] | None = None,
    stop: Stop | None = None,
    on_begin: Callable[[int], None] | None = None,
    authorities: str = "",
    headers: list[tuple[str, str]] | None = None,
    api_key: str = "",
    **options: Any,  # noqa: ANN401 - those of Plan
) -> Loaded:
    """Run a load; one request if nothing is said."""
    server = Server("direct", url, dialect, "m", headers or [], api_key, authorities)
    options = {"prompts": ["Why?"], "limits": QUICK, "max_tokens": 100, **options}
    plan = Plan(servers=[server], load=load or Concurrency(1), requests=requests, **options)
    records: list[RequestRecord] = []

    def note(record: RequestRecord) -> None:
        records.append(record)
        if on_record is not None:
            on_record(record)

    with trio.fail_after(60):
        ran = await run_load(plan, note, stop=stop, on_begin=on_begin)
    return Loaded(records, ran)


async def asked(*serves: Serve, **options: Any) -> RequestRecord:  # noqa: ANN401 - those of `load_on`
    """Ask a server made by hand once, and return what came of it."""
    async with serving(*serves) as served:
        return (await load_on(served.url, **options)).records[0]
