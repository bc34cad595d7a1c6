"""A gateway's resumable streams before a mock server, for the tests: over sockets, or in memory for virtual time."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, cast

import trio
import trio.testing

from mockserver.app import MockServer
from mockserver.open import open_mockserver, open_mockserver_in_memory
from streamkit.gateway.asker import Asker
from streamkit.gateway.config import GatewayConfig
from streamkit.gateway.record import Record
from streamkit.gateway.route import STREAMS
from streamkit.gateway.streams import Streams
from streamkit.http.clock import now_ns
from streamkit.http.connect import dial_of
from streamkit.http.exchange import Exchange
from streamkit.http.listener import open_listeners
from streamkit.http.memory import memory_pair
from streamkit.http.origin import parse_origin
from streamkit.http.pool import Pool
from streamkit.http.server import serve, serve_connection
from streamkit.http.stream import SocketStream, WireStream
from tests.gateway.peers import connected
from tests.gateway.readers import Client, Head

__all__ = ["ENVELOPE", "FRAME", "REQUEST", "RETRY", "Place", "events_of", "in_memory", "on_sockets", "text_of"]

PATIENCE_S: Final = 60

VIRTUAL_S: Final = 10_000

REQUEST: Final = {"model": "m", "messages": [{"role": "user", "content": "How is the weather?"}]}

ENVELOPE: Final = {"dialect": "openai-chat", "request": REQUEST}

FRAME: Final = re.compile(rb"id: (\d+)\ndata: (\{[^\n]*\})\n\n")

RETRY: Final = b"retry: 500\n\n"


def events_of(wire: bytes) -> list[tuple[int, dict[str, Any]]]:
    """The events of an event stream by their numbers; comments and the time to come back are passed over."""
    return [(int(number), json.loads(data)) for number, data in FRAME.findall(wire)]


def text_of(wire: bytes) -> str:
    return "".join([event["text"] for _, event in events_of(wire) if event["streamkit"] == "text"])


@dataclass
class Place:
    """Where streams are served.

    Attributes:
        mock: the upstream.
        port: where the gateway listens; 0 in memory.
        records: of the requests, in the order of their ends.
        is_draining: set it, and the gateway takes on nothing new.
        added: headers that the gateway has for every response.
    """

    mock: MockServer
    streams: Streams
    connect: Callable[[], Awaitable[WireStream]]
    nursery: trio.Nursery
    port: int = 0
    records: list[Record] = field(default_factory=list)
    is_draining: bool = False
    added: tuple[tuple[str, str], ...] = ()
    _opened: list[WireStream] = field(default_factory=list)

    async def handle(self, exchange: Exchange) -> None:
        """What a gateway does, as far as streams are concerned."""
        request = exchange.request
        record = Record(len(self.records) + 1, 0, exchange.stream.peer, request.arrived_ns)
        record.method, record.target = request.method, request.target
        assert request.path == STREAMS or request.path.startswith(f"{STREAMS}/")
        try:
            await self.streams.handle(exchange, record, added=self.added, is_last=lambda: self.is_draining)
        finally:
            record.ended_ns = now_ns()
            self.records.append(record)

    async def client(self) -> Client:
        stream = await self.connect()
        self._opened.append(stream)
        return Client(cast("SocketStream", stream))

    def close(self) -> None:
        for stream in self._opened:
            stream.abort()

    async def ask(self, line: str, *headers: str, body: object = None) -> tuple[Head, bytes]:
        """One request on a connection of its own, and the whole answer."""
        client = await self.client()
        async with client.stream:
            await client.send(wire(line, *headers, body=body))
            head = await client.head(line.partition(" ")[0])
            got, ending = await client.rest()
            assert ending == "complete", ending
            return head, got

    async def post(self, envelope: object = ENVELOPE) -> str:
        """Begin a stream, and return its id."""
        head, body = await self.ask(f"POST {STREAMS}", body=envelope)
        assert head.status == 201, body
        document = json.loads(body)
        assert head.get("location") == document["events"] == f"/streams/{document['id']}/events"
        assert re.fullmatch(r"[\w-]{22}", document["id"])
        return str(document["id"])

    async def begin(self, stream_id: str, last_id: int | None = None) -> Client:
        """Begin to read, and return the client behind the head and the time to come back."""
        client = await self.client()
        headers = [] if last_id is None else [f"Last-Event-ID: {last_id}"]
        await client.send(wire(f"GET /streams/{stream_id}/events", *headers))
        head = await client.head()
        assert head.status == 200, (await client.rest())[0]
        assert head.get("content-type") == "text/event-stream"
        assert await client.read(len(RETRY)) == RETRY
        return client

    async def read(self, stream_id: str, last_id: int | None = None) -> bytes:
        """Read to the end, and return what is behind the time to come back."""
        client = await self.begin(stream_id, last_id)
        async with client.stream:
            got, ending = await client.rest()
            assert ending == "complete", (ending, got[-200:])
            return got

    async def status(self, line: str, *headers: str, body: object = None) -> int:
        return (await self.ask(line, *headers, body=body))[0].status

    async def record(self, number: int) -> Record:
        """The record of a request, counted from 1 by their ends, as soon as it is over."""
        while len(self.records) < number:  # noqa: ASYNC110 - there is no event
            await trio.sleep(0.001)
        return self.records[number - 1]

    async def over(self) -> None:
        """Wait until no question is open upstream."""
        while any(entry.outcome == "running" for entry in self.mock.journal):  # noqa: ASYNC110 - it has no event
            await trio.sleep(0.001)


def wire(line: str, *headers: str, body: object = None) -> bytes:
    """A request; a body that is no bytes is JSON."""
    content = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"{line} HTTP/1.1", "Host: gateway", *headers]
    lines += [f"Content-Length: {len(content)}"] if content else []
    return "\r\n".join([*lines, "", ""]).encode() + content


def config_of(url: str, options: dict[str, Any]) -> GatewayConfig:
    return GatewayConfig(parse_origin(url), **{"speaks": "openai-chat", **options})


def fail(error: Exception) -> None:
    raise error


@asynccontextmanager
async def on_sockets(
    mock: dict[str, Any] | None = None,
    **options: Any,  # noqa: ANN401 - those of a `GatewayConfig`
) -> AsyncIterator[Place]:
    """Streams on a port of this machine, before a mock server with these settings."""
    with trio.fail_after(PATIENCE_S):
        async with open_mockserver(**mock or {}) as upstream:
            config = config_of(upstream.url, options)
            pool = Pool(dial_of(config.upstream, stamps=False))
            listeners = await open_listeners(0)
            port = listeners[0].port
            async with aclosing(pool), trio.open_nursery() as nursery:
                place = Place(upstream, Streams(Asker(config, pool), config), partial(connected, port), nursery, port)
                await nursery.start(place.streams.run)
                await nursery.start(partial(serve, listeners, place.handle, limits=config.limits, on_error=fail))
                try:
                    yield place
                finally:
                    place.close()
                nursery.cancel_scope.cancel()


@asynccontextmanager
async def in_memory(
    mock: dict[str, Any] | None = None,
    *,
    pipe_bytes: int = 65_536,
    **options: Any,  # noqa: ANN401 - as there
) -> AsyncIterator[Place]:
    """The same without sockets: what takes time takes it on trio's clock, and the order of things is certain.

    Args:
        mock: settings of the mock server.
        pipe_bytes: how much is on its way to a client that does not read.
        options: of the gateway.
    """
    is_virtual = isinstance(trio.lowlevel.current_clock(), trio.testing.MockClock)
    with trio.fail_after(VIRTUAL_S if is_virtual else PATIENCE_S):
        async with open_mockserver_in_memory(**mock or {}) as upstream, trio.open_nursery() as nursery:
            config = config_of("http://upstream", options)

            async def dial() -> WireStream:
                await trio.lowlevel.checkpoint()
                return upstream.connect()

            async def connect() -> WireStream:
                await trio.lowlevel.checkpoint()
                client, server = memory_pair(max_bytes=pipe_bytes)
                nursery.start_soon(partial(serve_connection, server, place.handle, limits=config.limits, on_error=fail))
                return client

            pool = Pool(dial)
            place = Place(upstream.mock, Streams(Asker(config, pool), config), connect, nursery)
            await nursery.start(place.streams.run)
            yield place
            nursery.cancel_scope.cancel()
