"""A gateway with nginx or haproxy beside it, in a row between a client and an upstream, all on loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import h11
import pytest
import trio

from mockserver.app import MockServer
from mockserver.journal import Entry
from mockserver.open import open_mockserver
from streamkit.contract.proxies import Running, parse_with, running
from streamkit.http.listener import Listener, open_listeners
from streamkit.http.origin import parse_origin
from streamkit.http.stream import SocketStream
from tests.gateway.peers import PATIENCE_S, Stand, connected, gateway_to
from tests.gateway.readers import Client, Server

__all__ = ["ROWS", "Chain", "Row", "as_parameters", "body_of", "chain_to_mock", "chain_to_ours", "port_of", "steps"]

Place = Literal["first", "second", "alone"]

STREAMING = {"nginx": "stream-requests", "haproxy": "stream"}
"""Each neighbour's variant for streams, requests among them."""


class Row(NamedTuple):
    """A neighbour and its place.

    Attributes:
        place: "first": client, neighbour, gateway, upstream; "second": client, gateway, neighbour, upstream; "alone":
            without the gateway, to show what the neighbour does by itself.
        streaming: as one configures it for streams, or as it is by default.
    """

    place: Place
    name: Literal["nginx", "haproxy"]
    streaming: bool
    gzip: bool = False

    def start(self, upstream_port: int) -> AbstractContextManager[Running]:
        """Run the neighbour before what listens there."""
        variant = ("stream-gzip" if self.gzip else STREAMING[self.name]) if self.streaming else "default"
        return running(*parse_with(f"{self.name}:{variant}"), parse_origin(f"http://127.0.0.1:{upstream_port}"))

    def __str__(self) -> str:
        return f"{self.name}-{'streaming' if self.streaming else 'default'}-{self.place}"


ROWS = [
    Row(place, name, streaming)
    for name in ("nginx", "haproxy")
    for streaming in (True, False)
    for place in ("first", "second")
]
"""Each neighbour, configured for streams and not, at either side of the gateway."""


def as_parameters(rows: Sequence[Row]) -> pytest.MarkDecorator:
    """Parametrize a test's `row`; it is skipped by name where the neighbour is not installed."""
    cases = [pytest.param(row, marks=pytest.mark.needs(row.name), id=str(row)) for row in rows]
    return pytest.mark.parametrize("row", cases)


@dataclass
class Chain:
    """What stands between a client and an upstream.

    Attributes:
        port: where clients connect.
        stand: the gateway, and its records, where there is one.
        mock: the upstream, of `chain_to_mock`.
        upstream: where it listens, of `chain_to_ours`.
    """

    port: int
    neighbour: Running
    stand: Stand = field(init=False)
    mock: MockServer = field(init=False)
    upstream: Listener = field(init=False)
    _open: list[SocketStream] = field(default_factory=list)

    async def client(self) -> Client:
        """A new connection to the chain's front."""
        stream = await connected(self.port)
        self._open.append(stream)
        return Client(stream)

    async def server(self) -> Server:
        """The next connection to an upstream of ours."""
        stream = await self.upstream.accept()
        self._open.append(stream)
        return Server(stream)

    async def ended(self, count: int = 1) -> Entry:
        """The mock's last entry, once it has so many that are over."""
        changed = trio.Event()

        def note(_: Entry) -> None:
            changed.set()

        self.mock.journal.on_end = note
        while True:
            entries: list[Entry] = [*self.mock.journal]
            if len(entries) >= count and all(each.ended_ns is not None for each in entries):
                return entries[-1]
            await changed.wait()
            changed = trio.Event()


@asynccontextmanager
async def _chain(row: Row, upstream_port: int) -> AsyncIterator[Chain]:
    with trio.fail_after(PATIENCE_S):
        async with AsyncExitStack() as stack:
            if row.place == "first":
                stand = await stack.enter_async_context(gateway_to(f"http://127.0.0.1:{upstream_port}"))
                neighbour = stack.enter_context(row.start(stand.port))
                chain = Chain(neighbour.port, neighbour)
                chain.stand = stand
            else:
                neighbour = stack.enter_context(row.start(upstream_port))
                chain = Chain(neighbour.port, neighbour)
                if row.place == "second":
                    chain.stand = await stack.enter_async_context(gateway_to(neighbour.url))
                    chain.port = chain.stand.port
            try:
                yield chain
            finally:
                for stream in chain._open:  # noqa: SLF001 - our own
                    await trio.aclose_forcefully(stream)


@asynccontextmanager
async def chain_to_mock(row: Row, **settings: Any) -> AsyncIterator[Chain]:  # noqa: ANN401 - the mock's own words
    """Run a chain before a mock server with these settings."""
    async with open_mockserver(**settings) as mock, _chain(row, port_of(mock.url)) as chain:
        chain.mock = mock
        yield chain


@asynccontextmanager
async def chain_to_ours(row: Row) -> AsyncIterator[Chain]:
    """Run a chain before an upstream that the test plays itself, through `Chain.server`."""
    (listener,) = await open_listeners(0)
    async with listener, _chain(row, listener.port) as chain:
        chain.upstream = listener
        yield chain


def port_of(url: str) -> int:
    """The port of a server of ours."""
    return int(url.rpartition(":")[2])


def steps(count: int, name: str = "step") -> list[str]:
    """The settings of gates that hold an answer behind its head and behind each of so many tokens."""
    return [f"{name}@after-head", *(f"{name}@token:{number}" for number in range(1, count + 1))]


def body_of(sent: bytes) -> bytes:
    """The content in what a server has sent so far."""
    parser = h11.Connection(h11.CLIENT)
    parser.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]))
    parser.send(h11.EndOfMessage())
    parser.receive_data(sent)
    body = bytearray()
    while not isinstance(event := parser.next_event(), h11.EndOfMessage | type(h11.NEED_DATA)):
        if isinstance(event, h11.Data):
            body += event.data
    return bytes(body)
