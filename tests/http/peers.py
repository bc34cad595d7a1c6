"""Both ends of a connection for the tests: over loopback or in memory, with a server at the other end or without."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial

import trio

from streamkit.http.limits import Limits
from streamkit.http.listener import Listener, open_listeners
from streamkit.http.memory import MemoryStream, memory_pair
from streamkit.http.server import Exchange, Handler, serve, serve_connection
from streamkit.http.stream import SocketStream, WireStream

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
LAST = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


async def connected() -> tuple[SocketStream, SocketStream]:
    """A client's and a server's end over loopback. The server's has kernel stamps."""
    (listener,) = await open_listeners(0)
    client = await connect(listener)
    server = await listener.accept()
    await listener.aclose()
    return client, server


async def connect(listener: Listener) -> SocketStream:
    sock = trio.socket.socket()
    await sock.connect(("127.0.0.1", listener.port))
    return SocketStream(socket.socket(fileno=sock.detach()))


async def echo(exchange: Exchange) -> None:
    """Answer with method, path, and body."""
    body = await exchange.read_body()
    await reply(exchange, f"{exchange.request.method} {exchange.request.path} ".encode() + body)


async def reply(exchange: Exchange, body: bytes) -> None:
    await exchange.stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))


def answer(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


async def read_all(stream: WireStream) -> bytes:
    """What comes until the end of the input."""
    got = bytearray()
    while data := await stream.receive_some():
        got += data
    return bytes(got)


async def read_exactly(stream: WireStream, size: int) -> bytes:
    got = bytearray()
    while len(got) < size:
        data = await stream.receive_some(size - len(got))
        assert data, f"the input ended after {bytes(got)!r}"
        got += data
    return bytes(got)


@asynccontextmanager
async def served(
    handler: Handler = echo, limits: Limits | None = None, errors: list[Exception] | None = None
) -> AsyncIterator[MemoryStream]:
    """A client's end of a connection that is served in memory. At the end the server has to be done."""
    client, server = memory_pair()
    on_error = fail if errors is None else errors.append
    async with trio.open_nursery() as nursery:

        async def run() -> None:
            await serve_connection(server, handler, limits=limits, on_error=on_error)

        nursery.start_soon(run)
        yield client
        await client.aclose()


@asynccontextmanager
async def listening(
    handler: Handler = echo,
    limits: Limits | None = None,
    errors: list[Exception] | None = None,
    wrap: Callable[[Listener], trio.abc.Listener[WireStream]] = lambda listener: listener,
) -> AsyncIterator[Listener]:
    """A server on a port of loopback, stopped at the end."""
    listeners = await open_listeners(0)
    on_error = fail if errors is None else errors.append
    wrapped = [wrap(each) for each in listeners]
    async with trio.open_nursery() as nursery:
        await nursery.start(partial(serve, wrapped, handler, limits=limits, on_error=on_error))
        yield listeners[0]
        nursery.cancel_scope.cancel()


def fail(error: Exception) -> None:
    raise error


async def talk(
    *pieces: bytes, handler: Handler = echo, limits: Limits | None = None, errors: list[Exception] | None = None
) -> bytes:
    """Send each piece as a write of its own, and return all that the server answers until it closes."""
    async with served(handler, limits, errors) as client, trio.open_nursery() as nursery:

        async def send(pieces: Sequence[bytes]) -> None:
            for piece in pieces:
                await client.send_all(piece)
                await trio.testing.wait_all_tasks_blocked()

        nursery.start_soon(send, pieces)
        got = await read_all(client)
        nursery.cancel_scope.cancel()
    return got
