"""A server whose bytes are written by hand, in memory; and the bytes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any

import trio

from streamkit.client.chat import Chat
from streamkit.client.open import open_chat
from streamkit.client.own import HTTPTransport
from streamkit.dialects.events import Event, Text
from streamkit.errors import ConnectError
from streamkit.http.connect import Dial
from streamkit.http.memory import MemoryStream, memory_pair
from streamkit.http.origin import Origin

URL = "http://server.test/api/chat"

NDJSON = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
SSE = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"

ROLE = b'{"model":"m","message":{"role":"assistant","content":""},"done":false}\n'
HEL = b'{"model":"m","message":{"role":"assistant","content":"Hel"},"done":false}\n'
LO = b'{"model":"m","message":{"role":"assistant","content":"lo"},"done":false}\n'
DONE = b'{"model":"m","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop"}\n'
LAST = b"0\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


HELLO = (NDJSON, chunk(ROLE), chunk(HEL), chunk(LO), chunk(DONE) + LAST)
"""A whole answer, piece by piece: head, role, two tokens, end."""


def texts(events: list[Event]) -> list[str]:
    return [event.text for event in events if isinstance(event, Text)]


class Server:
    """The server's end of a connection."""

    def __init__(self, stream: MemoryStream) -> None:
        self.stream = stream

    async def request(self) -> bytes:
        """Read a request, whole."""
        data = b""
        while b"\r\n\r\n" not in data:
            data += await self.read()
        head, _, body = data.partition(b"\r\n\r\n")
        length = next(
            (int(line.partition(b":")[2]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length:")), 0
        )
        while len(body) < length:
            body += await self.read()
        return head + b"\r\n\r\n" + body

    async def read(self) -> bytes:
        data = (await self.stream.receive()).data
        assert data, "the client left before its request was whole"
        return data

    async def send(self, *pieces: bytes) -> None:
        """Send each piece as a write, which is a read for the client."""
        for piece in pieces:
            await self.stream.send_all(piece)

    async def left(self) -> str:
        """Wait until the client leaves, whatever it still sends; return how."""
        try:
            while (await self.stream.receive()).data:
                pass
        except trio.BrokenResourceError:
            return "reset"
        return "fin"


Serve = Callable[[Server], Awaitable[None]]


class Served:
    """What serves one connection after the other, each with the next of its functions.

    Attributes:
        connect_s: how long a connection takes.
        origins: to which servers there were connections.
    """

    def __init__(self, nursery: trio.Nursery, serves: tuple[Serve, ...]) -> None:
        self._nursery = nursery
        self._serves = [*serves]
        self.connect_s = 0.0
        self.origins: list[Origin] = []
        self.transport = HTTPTransport(dial=self._dial)

    def _dial(self, origin: Origin) -> Dial:
        async def dial() -> MemoryStream:
            await trio.sleep(self.connect_s)
            if not self._serves:
                raise ConnectError("cannot connect to http://server.test: nobody is left there")
            self.origins.append(origin)
            client, server = memory_pair()
            self._nursery.start_soon(self._serve, self._serves.pop(0), server)
            return client

        return dial

    @staticmethod
    async def _serve(serve: Serve, stream: MemoryStream) -> None:
        with suppress(trio.BrokenResourceError):  # the client left, which is for `Server.left` to tell
            await serve(Server(stream))
        await stream.aclose()

    def chat(self, url: str = URL, **options: Any) -> AbstractAsyncContextManager[Chat]:  # noqa: ANN401 - open_chat's
        options = {"dialect": "ollama-chat", "model": "m", "messages": "Hi", "transport": self.transport, **options}
        return open_chat(url, **options)


@asynccontextmanager
async def serving(*serves: Serve) -> AsyncIterator[Served]:
    """Serve in memory while the block runs; what fails comes out bare."""
    failure: Exception | None = None
    async with trio.open_nursery() as nursery:
        try:
            yield Served(nursery, serves)
        except Exception as error:  # noqa: BLE001 - raised again, out of the nursery's group
            failure = error
        nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure


def answering(*pieces: bytes) -> Serve:
    """What reads a request, sends these pieces, and closes when the client does."""

    async def serve(server: Server) -> None:
        await server.request()
        await server.send(*pieces)
        await server.left()

    return serve
