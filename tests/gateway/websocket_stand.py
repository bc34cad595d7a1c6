"""WebSockets on sockets: of a gateway before the mock server, and of a server whose answers the test makes up."""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

import trio

from mockserver.app import MockServer
from mockserver.journal import Entry
from mockserver.open import open_mockserver
from streamkit.gateway.record import Record
from streamkit.gateway.websocket import Ask, serve_websocket
from streamkit.http.exchange import Exchange
from streamkit.http.limits import Limits
from streamkit.http.listener import open_listeners
from streamkit.http.server import serve
from streamkit.http.stream import SocketStream
from tests.gateway.peers import PATIENCE_S, Stand, connected, gateway_to
from tests.gateway.websocket_peers import Hand, opening

__all__ = ["QUESTION", "SocketStand", "before_mock", "serving"]

QUESTION = json.dumps(
    {"dialect": "openai-chat", "request": {"model": "m", "messages": [{"role": "user", "content": "Say it."}]}}
)


@dataclass
class SocketStand:
    """A server of WebSockets on a port.

    Attributes:
        mock: the upstream, of `before_mock`.
        records: of the connections that are over.
        drain: set it, and the server drains.
        gateway: what runs, of `before_mock`.
    """

    port: int = 0
    mock: MockServer = field(init=False)
    records: list[Record] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)
    drain: trio.Event = field(default_factory=trio.Event)
    gateway: Stand | None = None
    _noted: trio.Event = field(default_factory=trio.Event)
    _entries: list[Entry] = field(default_factory=list)
    _open: list[SocketStream] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws"

    async def hand(self, *, receive_bytes: int = 0) -> Hand:
        """A client whose WebSocket is open."""
        stream = await connected(self.port, receive_bytes=receive_bytes)
        self._open.append(stream)
        hand = Hand(stream)
        await hand.send(opening())
        assert (await hand.head()).startswith("HTTP/1.1 101 ")
        return hand

    def close(self) -> None:
        for stream in self._open:
            stream.abort()

    def note(self, entry: Entry | None = None) -> None:
        if entry is not None:
            self._entries.append(entry)
        self._noted.set()
        self._noted = trio.Event()

    async def entry(self, number: int = 1) -> Entry:
        """What the mock server wrote down of a request, counted from 1 by their ends, once it is over."""
        while len(self._entries) < number:
            await self._noted.wait()
        return self._entries[number - 1]

    async def record(self, number: int = 1) -> Record:
        """The record of a connection, counted from 1 by their ends, once it is over."""
        if self.gateway is not None:
            return await self.gateway.record(number)
        while len(self.records) < number:
            await self._noted.wait()
        return self.records[number - 1]


@asynccontextmanager
async def serving(ask: Ask, *, limits: Limits | None = None, send_bytes: int = 0) -> AsyncIterator[SocketStand]:
    """Serve WebSockets on a port while the block runs.

    Args:
        ask: answers.
        limits: of the server.
        send_bytes: how much the kernel takes in for a client that does not read; 0: as it likes.
    """
    stand = SocketStand()
    limits = limits or Limits(linger_timeout_s=0.5)

    async def handle(exchange: Exchange) -> None:
        record = Record(0, 0, exchange.stream.peer, 0)
        if send_bytes and isinstance(exchange.stream, SocketStream):
            exchange.stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_bytes)
        try:
            await serve_websocket(exchange, record, ask, limits=limits, drain=stand.drain)
        finally:
            stand.records.append(record)
            stand.note()

    listeners = await open_listeners(0)
    stand.port = listeners[0].port
    with trio.fail_after(PATIENCE_S):
        async with trio.open_nursery() as nursery:
            server = partial(serve, limits=limits, on_error=stand.errors.append, drain=stand.drain)
            await nursery.start(server, listeners, handle)
            try:
                yield stand
            finally:
                stand.close()
                nursery.cancel_scope.cancel()
    assert stand.errors == []


@asynccontextmanager
async def before_mock(
    speaks: str = "ollama-chat", *, limits: Limits | None = None, **settings: object
) -> AsyncIterator[SocketStand]:
    """Run a gateway before a mock server with these settings, which it asks in the dialect `speaks`."""
    async with (
        open_mockserver(**settings) as mock,  # type: ignore[arg-type]  # the mock's own words
        gateway_to(mock.url, speaks=speaks, limits=limits) as gateway,
    ):
        stand = SocketStand(gateway.port, drain=gateway.gateway.drain, gateway=gateway)
        stand.mock = mock
        mock.journal.on_end = stand.note
        try:
            yield stand
        finally:
            stand.close()
