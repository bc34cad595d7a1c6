"""The gateway as a path of the forwarding question: two sockets, a real gateway between them, in one program.

The lockstep source is the upstream's response, in each of the framings that it may have, or the client's request. What
arrives is read by h11, which gives a body's bytes as they come, parts of chunks too. An end that is not a good end
makes the path wrong.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Literal

import h11
import trio

from benchmarks.gateway.wire import LAST_CHUNK, chunk
from benchmarks.lockstep import Arrivals, Lockstep
from streamkit.gateway.open import open_gateway
from streamkit.http.background import background

__all__ = ["Framing", "by_gateway", "by_gateway_up"]

Framing = Literal["chunked", "close", "length"]
Serve = Callable[[trio.SocketStream], Awaitable[None]]


async def by_gateway(framing: Framing, source: Lockstep, arrivals: Arrivals) -> None:
    """The pieces are a response; they arrive at the client."""
    fields = {
        "chunked": b"Transfer-Encoding: chunked",
        "close": b"Connection: close",
        "length": b"Content-Length: %d" % source.size,
    }

    async def answer(stream: trio.SocketStream) -> None:
        await read_message(h11.Connection(h11.SERVER), stream, Arrivals())
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n" + fields[framing] + b"\r\n\r\n")
        async for piece in source:
            await stream.send_all(chunk(bytes(piece)) if framing == "chunked" else piece)
        if framing == "chunked":
            await stream.send_all(LAST_CHUNK)

    async def ask(stream: trio.SocketStream) -> None:
        connection = h11.Connection(h11.CLIENT)
        await stream.send_all(connection.send(h11.Request(method="GET", target="/", headers=[("Host", "localhost")])))
        connection.send(h11.EndOfMessage())
        await read_message(connection, stream, arrivals)

    await through(answer, ask)


async def by_gateway_up(source: Lockstep, arrivals: Arrivals) -> None:
    """The pieces are a request's body; they arrive at the upstream."""

    async def answer(stream: trio.SocketStream) -> None:
        await read_message(h11.Connection(h11.SERVER), stream, arrivals)
        await stream.send_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")

    async def ask(stream: trio.SocketStream) -> None:
        connection = h11.Connection(h11.CLIENT)
        headers = [("Host", "localhost"), ("Transfer-Encoding", "chunked")]
        await stream.send_all(connection.send(h11.Request(method="POST", target="/", headers=headers)))
        async for piece in source:
            await stream.send_all(connection.send(h11.Data(bytes(piece))))
        await stream.send_all(connection.send(h11.EndOfMessage()))
        await read_message(connection, stream, Arrivals())

    await through(answer, ask)


async def through(answer: Serve, ask: Serve) -> None:
    """Have one request asked and answered through a gateway."""

    async def serve(stream: trio.SocketStream) -> None:
        async with stream:
            await answer(stream)

    async with background() as nursery:
        (listener,) = await nursery.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
        url = f"http://127.0.0.1:{listener.socket.getsockname()[1]}"
        async with open_gateway(url) as gateway, await trio.open_tcp_stream("127.0.0.1", gateway.port) as stream:
            await ask(stream)


async def read_message(connection: h11.Connection, stream: trio.SocketStream, arrivals: Arrivals) -> None:
    """Read a request or a response to its end.

    Raises:
        h11.RemoteProtocolError: it has no good end, or is none.
        RuntimeError: the response is a refusal.
    """
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await stream.receive_some())
        elif isinstance(event, h11.Data):
            arrivals.add(bytes(event.data))
        elif isinstance(event, h11.Response) and event.status_code >= 300:
            raise RuntimeError(f"the gateway answered {event.status_code}")
        elif isinstance(event, h11.EndOfMessage | h11.ConnectionClosed):
            return
