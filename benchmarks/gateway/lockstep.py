"""The gateway as a path of the forwarding question: two sockets, a real gateway between them, in one program.

The lockstep source is the upstream's response, in each of the framings that it may have, or the client's request. What
arrives is read by h11, which gives a body's bytes as they come, parts of chunks too. An end that is not a good end
makes the path wrong.

Where the gateway converts, it gives the answer what the upstream's has not: an id, the time. These are put out of the
way in whole lines; the end of a line that has not come is thus late, and nothing else is.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Final, Literal

import h11
import trio

from benchmarks.gateway.wire import BODY, LAST_CHUNK, chunk
from benchmarks.lockstep import Arrivals, Lockstep
from streamkit.gateway.open import open_gateway
from streamkit.http.background import background

__all__ = ["CREATED_AT", "MESSAGE_ID", "Framing", "by_conversion", "by_gateway", "by_gateway_up"]

Framing = Literal["chunked", "close", "length"]
Serve = Callable[[trio.SocketStream], Awaitable[None]]

MESSAGE_ID: Final = "chatcmpl-0"
"""What the id that a converting gateway makes up for OpenAI's clients is replaced with."""
CREATED_AT: Final = "2026-01-01T00:00:00.000000000Z"
"""Likewise the time that it tells Ollama's."""


@dataclass(frozen=True, slots=True)
class Asked:
    """How a client of a dialect asks, and what in its answers differs from one to the next.

    Attributes:
        path: where it asks.
        body: what it sends there.
        unknown: a pattern for what differs; by default there is nothing.
        replacement: what takes its place.
    """

    path: str
    body: str = BODY
    unknown: bytes = b"(?!)"
    replacement: bytes = b""


ASKED: Final = {
    "openai-chat": Asked("/v1/chat/completions", unknown=rb'(?<="id":")chatcmpl-\w+', replacement=MESSAGE_ID.encode()),
    "ollama-chat": Asked("/api/chat", unknown=rb'(?<="created_at":")[^"]+', replacement=CREATED_AT.encode()),
    "anthropic": Asked("/v1/messages", BODY[:-1] + ', "max_tokens": 1000}'),
}
"""The clients, by dialect."""
MEDIA_TYPES: Final = {"ollama-chat": "application/x-ndjson"}
"""Of the upstreams that send no event streams."""


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


async def by_conversion(spoken: str, wanted: str, source: Lockstep, arrivals: Arrivals) -> None:
    """The pieces are a response in the dialect `spoken`; they arrive at a client of the dialect `wanted`."""
    asked = ASKED[wanted]
    media_type = MEDIA_TYPES.get(spoken, "text/event-stream")

    async def answer(stream: trio.SocketStream) -> None:
        await read_message(h11.Connection(h11.SERVER), stream, Arrivals())
        head = f"HTTP/1.1 200 OK\r\nContent-Type: {media_type}\r\nTransfer-Encoding: chunked\r\n\r\n"
        await stream.send_all(head.encode())
        async for piece in source:
            await stream.send_all(chunk(bytes(piece)))
        await stream.send_all(LAST_CHUNK)

    async def ask(stream: trio.SocketStream) -> None:
        connection = h11.Connection(h11.CLIENT)
        body = asked.body.encode()
        headers = [("Host", "localhost"), ("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        request = h11.Request(method="POST", target=asked.path, headers=headers)
        await stream.send_all(connection.send(request) + connection.send(h11.Data(body)))
        connection.send(h11.EndOfMessage())
        await read_message(connection, stream, Lines(arrivals, asked))

    await through(answer, ask, speaks=spoken)


class Lines(Arrivals):
    """Whole lines of a converted answer, without what differs from one to the next."""

    def __init__(self, arrivals: Arrivals, asked: Asked) -> None:
        """Pass them on to `arrivals`."""
        super().__init__()
        self._arrivals = arrivals
        self._unknown, self._replacement = re.compile(asked.unknown), asked.replacement
        self._rest = b""

    def add(self, data: bytes | bytearray, branch: int = 0) -> None:
        """Take what one read has brought."""
        whole, end, self._rest = (self._rest + data).rpartition(b"\n")
        self._arrivals.add(self._unknown.sub(self._replacement, whole + end), branch)


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


async def through(answer: Serve, ask: Serve, *, speaks: str = "") -> None:
    """Have one request asked and answered through a gateway; before an upstream that `speaks` a dialect it converts."""

    async def serve(stream: trio.SocketStream) -> None:
        async with stream:
            await answer(stream)

    async with background() as nursery:
        (listener,) = await nursery.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
        url = f"http://127.0.0.1:{listener.socket.getsockname()[1]}"
        async with (
            open_gateway(url, speaks=speaks) as gateway,
            await trio.open_tcp_stream("127.0.0.1", gateway.port) as stream,
        ):
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
