"""Start a mock server inside a program: on trio, or in a thread of its own for everybody else.

::

    async with open_mockserver(rate=50, fault="reset@token:5") as mock:
        ...  # any client, at mock.url

Settings are keywords in the grammar of `mockserver.config.grammar`, with `_` for `-`.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import trio

from mockserver.app import MockServer, ServerConfig
from mockserver.config.files import reader
from mockserver.config.grammar import apply_layer, pairs_of
from mockserver.journal import Journal
from streamkit.http.background import background
from streamkit.http.in_thread import in_thread
from streamkit.http.listener import listeners_at, url_of
from streamkit.http.memory import memory_pair
from streamkit.http.server import serve, serve_connection
from streamkit.http.stream import WireStream
from streamkit.http.tls import TLSListener

__all__ = [
    "MemoryMock",
    "MockInThread",
    "configured",
    "listening",
    "mockserver_in_thread",
    "open_mockserver",
    "open_mockserver_in_memory",
]

T = TypeVar("T")

KEEP_BYTES = 1 << 20
"""How much of each response the journal keeps for tests, which compare it with what a client got."""

Setting = str | int | float | bool | list[str] | list[object]


def configured(config: ServerConfig | None, settings: dict[str, Setting]) -> ServerConfig:
    """Return `config` with settings on top, in the grammar's words.

    Raises:
        ConfigError: a setting is wrong.
    """
    config = config or ServerConfig()
    pairs = pairs_of({key.replace("_", "-"): value for key, value in settings.items()})
    layered, _ = apply_layer(config.settings, pairs, "command", reader())
    return replace(config, settings=layered)


@asynccontextmanager
async def open_mockserver(
    config: ServerConfig | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    tls: ssl.SSLContext | None = None,
    journal: Journal | None = None,
    **settings: Setting,
) -> AsyncIterator[MockServer]:
    """Run a mock server on a socket while the block runs; `url` says where.

    Args:
        config: what it is started with; `settings` come on top.
        host: the address to listen on.
        port: 0 for any that is free.
        tls: speak TLS with this certificate.
        journal: where to write what is done; by default a new one that keeps the bytes too.
        settings: in the grammar's words, for instance `rate=50, split="every-byte", fault=["reset@token:5"]`.

    Raises:
        ConfigError: a setting is wrong.
        OSError: the port cannot be had.
    """
    mock = MockServer(configured(config, settings), Journal(keep_bytes=KEEP_BYTES) if journal is None else journal)
    async with listening(mock, host, port, tls=tls):
        yield mock


@asynccontextmanager
async def listening(
    mock: MockServer, host: str, port: int, *, tls: ssl.SSLContext | None = None
) -> AsyncIterator[None]:
    """Serve `mock` on a socket while the block runs; sets its `url`.

    Raises:
        OSError: the port cannot be had; the text says what to do.
    """
    listeners = await listeners_at(host, port)
    mock.url = url_of(host, listeners[0].port, "https" if tls else "http")
    served = listeners if tls is None else [TLSListener(listener, tls) for listener in listeners]
    async with background() as nursery:
        await nursery.start(partial(serve, served, mock.handle, limits=mock.config.limits, refuse=mock.refuse))
        yield


class MemoryMock:
    """A mock server without sockets; see `open_mockserver_in_memory`."""

    def __init__(self, mock: MockServer, nursery: trio.Nursery) -> None:
        self.mock = mock
        self._nursery = nursery

    def connect(self) -> WireStream:
        """Return the client's end of a new connection."""
        client, server = memory_pair()
        mock = self.mock
        serving = partial(serve_connection, server, mock.handle, limits=mock.config.limits, refuse=mock.refuse)
        self._nursery.start_soon(serving)
        return client


@asynccontextmanager
async def open_mockserver_in_memory(
    config: ServerConfig | None = None, *, journal: Journal | None = None, **settings: Setting
) -> AsyncIterator[MemoryMock]:
    """Run a mock server over in-memory streams while the block runs.

    Under trio's `MockClock` all its times are virtual: a minute of slow tokens passes at once, and exactly.
    """
    mock = MockServer(configured(config, settings), Journal(keep_bytes=KEEP_BYTES) if journal is None else journal)
    async with background() as nursery:
        yield MemoryMock(mock, nursery)


class MockInThread:
    """A mock server that runs in a thread, for clients on asyncio or on nothing.

    Attributes:
        url: where it listens.
    """

    def __init__(self, mock: MockServer, token: trio.lowlevel.TrioToken) -> None:
        self.url = mock.url
        self._mock = mock
        self._token = token

    def call(self, function: Callable[[MockServer], T]) -> T:
        """Call `function(server)` in the server's thread, where everything of it may be touched.

        It may be called from anywhere, a task of another loop included, which waits a moment for it.
        """
        called: Future[T] = Future()

        def call_it() -> None:
            try:
                called.set_result(function(self._mock))
            except Exception as error:  # noqa: BLE001 - raised again in the caller's thread
                called.set_exception(error)

        self._token.run_sync_soon(call_it)
        return called.result()

    @property
    def journal(self) -> list[dict[str, Any]]:
        """The journal's entries as JSON values."""
        return self.call(lambda mock: [entry.as_json() for entry in mock.journal])

    def configure(self, **settings: Setting) -> None:
        """Set what the admin API sets, in the grammar's words; without any, remove it.

        Raises:
            ConfigError: a setting is wrong.
        """
        pairs = pairs_of({key.replace("_", "-"): value for key, value in settings.items()})
        self.call(lambda mock: mock.configure(pairs))

    def open_gate(self, name: str) -> None:
        """Open a gate."""
        self.call(lambda mock: mock.gates.open(name))

    def step_gate(self, name: str, count: int = 1) -> None:
        """Let some through a gate."""
        self.call(lambda mock: mock.gates.step(name, count))

    def wait_at_gate(self, name: str, count: int = 1) -> None:
        """Return once so many streams wait at a gate. A task calls it in a thread, so that its loop runs on."""
        trio.from_thread.run(self._mock.gates.wait_for, name, count, trio_token=self._token)

    def reset(self) -> None:
        """Forget requests, counts, and what was configured."""

        def forget(mock: MockServer) -> None:
            mock.forget()
            mock.configure([])

        self.call(forget)


@contextmanager
def mockserver_in_thread(config: ServerConfig | None = None, **settings: Setting) -> Iterator[MockInThread]:
    """Run a mock server in a thread while the block runs.

    Raises:
        ConfigError: a setting is wrong.
        OSError: no port can be had.
    """
    config = configured(config, settings)
    with in_thread(lambda: open_mockserver(config), "mockserver") as (mock, token):
        yield MockInThread(mock, token)
