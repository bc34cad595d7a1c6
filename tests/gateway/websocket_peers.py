"""Both neighbours of a WebSocket: a client that writes its frames by hand, and an upstream that the test plays."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import trio
import trio.testing

from streamkit.codecs.jsontext import JSONTextError, decode_checked
from streamkit.dialects.events import End, Event, Finish, PartEnd, PartStart, Start
from streamkit.gateway.record import Record
from streamkit.gateway.websocket import serve_websocket
from streamkit.http.exchange import Exchange
from streamkit.http.limits import Limits
from streamkit.http.memory import memory_pair
from streamkit.http.server import serve_connection
from streamkit.http.stream import WireStream
from streamkit.io.items import Items
from streamkit.vendors.envelope import NoJSONError

__all__ = [
    "BINARY",
    "CLOSE",
    "CONTINUED",
    "FINISH",
    "PING",
    "PONG",
    "START",
    "TEXT",
    "Hand",
    "Stage",
    "Upstream",
    "close_of",
    "closes",
    "ended",
    "frame",
    "leave",
    "opening",
    "standing",
]

CONTINUED, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10

MASK = b"\x37\xfa\x21\x3d"

ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
"""What answers the key of RFC 6455, section 1.3, and of `opening`."""


START: list[Event] = [Start(id="1", model="m", dialect="ollama-chat"), PartStart(0, "text")]
FINISH: list[Event] = [PartEnd(0), Finish("stop"), End()]


def opening(**fields: str | None) -> bytes:
    """Write a request for a WebSocket; `fields` change headers, `_` for `-`, or leave them out."""
    headers: dict[str, str | None] = {
        "Host": "gateway",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version": "13",
    }
    headers.update({name.replace("_", "-"): value for name, value in fields.items()})
    lines = [f"{name}: {value}" for name, value in headers.items() if value is not None]
    return "\r\n".join(["GET /ws HTTP/1.1", *lines, "", ""]).encode()


def frame(kind: int, payload: bytes = b"", *, is_last: bool = True) -> bytes:
    """Write a client's frame."""
    head = bytes([kind | (0x80 if is_last else 0)])
    size = len(payload)
    if size < 126:
        head += bytes([0x80 | size])
    elif size < 65536:
        head += b"\xfe" + size.to_bytes(2, "big")
    else:
        head += b"\xff" + size.to_bytes(8, "big")
    return head + MASK + bytes(byte ^ MASK[place % 4] for place, byte in enumerate(payload))


def close_of(code: int, reason: str = "") -> bytes:
    """Write a client's close frame."""
    return frame(CLOSE, code.to_bytes(2, "big") + reason.encode())


class Hand:
    """A client that writes and reads bytes."""

    def __init__(self, stream: WireStream) -> None:
        self.stream = stream
        self._got = bytearray()

    async def send(self, *data: bytes) -> None:
        await self.stream.send_all(b"".join(data))

    async def ask(self, question: str = '{"q":1}') -> None:
        await self.send(frame(TEXT, question.encode()))

    async def head(self) -> str:
        """The response's head."""
        while b"\r\n\r\n" not in self._got:
            data = await self.stream.receive_some()
            assert data, bytes(self._got)
            self._got += data
        head, _, rest = bytes(self._got).partition(b"\r\n\r\n")
        self._got = bytearray(rest)
        return head.decode()

    async def _take(self, size: int) -> bytes:
        while len(self._got) < size:
            data = await self.stream.receive_some()
            if not data:
                raise EOFError
            self._got += data
        taken = bytes(self._got[:size])
        del self._got[:size]
        return taken

    async def next(self) -> tuple[int, bytes]:
        """The next frame: what it is, and its payload. No extension, no mask, no fragments may be there."""
        first, second = await self._take(2)
        assert first & 0xF0 == 0x80
        assert second < 128
        size = second
        if second == 126:
            size = int.from_bytes(await self._take(2), "big")
            assert size >= 126
        elif second == 127:
            size = int.from_bytes(await self._take(8), "big")
            assert size >= 65536
        return first & 0x0F, await self._take(size)

    async def record(self) -> dict[str, Any]:
        """The next message, which has to be one record."""
        kind, payload = await self.next()
        assert kind == TEXT, (kind, payload)
        assert b"\n" not in payload
        record: dict[str, Any] = json.loads(payload)
        return record

    async def until(self, tag: str) -> list[dict[str, Any]]:
        """The records up to the first of this kind."""
        records = [await self.record()]
        while records[-1]["streamkit"] != tag:
            records.append(await self.record())
        return records

    async def closing(self) -> tuple[int, str]:
        """The code and the reason of the close frame that has to come next; 1005 where it has none."""
        kind, payload = await self.next()
        assert kind == CLOSE, (kind, payload)
        return (int.from_bytes(payload[:2], "big"), payload[2:].decode()) if payload else (1005, "")

    async def end(self) -> bytes:
        """Whatever comes until the end of the input."""
        while data := await self.stream.receive_some():
            self._got += data
        return bytes(self._got)


class Upstream(Items[Event]):
    """Answers as the test says.

    Attributes:
        asked: the questions so far.
        journal: what happened, in order.
        refuses: raised in place of an answer.
    """

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[bytes] = []
        self.journal: list[str] = []
        self.refuses: Exception | None = None
        self.is_slow = False
        self._send, self._receive_channel = trio.open_memory_channel[list[Event] | Exception](0)
        self._changed = trio.Event()

    @asynccontextmanager
    async def ask(self, question: bytes) -> AsyncIterator[Items[Event]]:
        try:
            decode_checked(question)
        except JSONTextError as error:
            raise NoJSONError(400, f"it is no JSON: {error}") from None
        self.asked.append(question)
        self._note("asked")
        try:
            if self.is_slow:
                await trio.sleep_forever()
            await trio.lowlevel.checkpoint()
            if self.refuses is not None:
                raise self.refuses
            yield self
        finally:
            self._note("left")

    def _note(self, what: str) -> None:
        self.journal.append(what)
        self._changed.set()
        self._changed = trio.Event()

    async def noted(self, what: str, count: int = 1) -> None:
        """Wait until this has happened so many times."""
        while self.journal.count(what) < count:
            await self._changed.wait()

    async def say(self, *events: Event) -> None:
        """One read. Comes back when it is taken, which is before it is sent on."""
        await self._send.send([*events])

    async def end(self, error: Exception | None = None) -> None:
        """Nothing more comes."""
        await self._send.send(error or trio.EndOfChannel())

    async def _receive(self) -> list[Event]:
        said = await self._receive_channel.receive()
        if isinstance(said, Exception):
            raise said
        return said

    async def aclose(self) -> None:
        await trio.lowlevel.checkpoint()


class Stage:
    """A server whose every request is one for a WebSocket.

    Attributes:
        hand: its client.
        errors: what the handler raised and the client is not to blame for.
    """

    def __init__(self, hand: Hand) -> None:
        self.hand = hand
        self.upstream = Upstream()
        self.record = Record(1, 0, "client", 0)
        self.drain = trio.Event()
        self.done = trio.Event()
        self.errors: list[Exception] = []
        self.scope = trio.CancelScope()

    async def run(self, stream: WireStream, limits: Limits) -> None:
        async def handle(exchange: Exchange) -> None:
            await serve_websocket(exchange, self.record, self.upstream.ask, limits=limits, drain=self.drain)

        with self.scope:
            await serve_connection(stream, handle, limits=limits, on_error=self.errors.append)
        self.done.set()


@asynccontextmanager
async def standing(
    *, limits: Limits | None = None, streams: tuple[WireStream, WireStream] | None = None, is_open: bool = True
) -> AsyncIterator[Stage]:
    """A server with one client, in memory or on `streams`. The connection has to end while the block runs.

    Args:
        limits: of the server.
        streams: the client's end and the server's.
        is_open: whether the opening is over when the block begins.
    """
    client, serving = streams or memory_pair()
    stage = Stage(Hand(client))
    is_timeless = isinstance(trio.lowlevel.current_clock(), trio.testing.MockClock)
    with trio.fail_after(10_000 if is_timeless else 60):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stage.run, serving, limits or Limits())
            if is_open:
                await stage.hand.send(opening())
                await stage.hand.head()
            yield stage
            await stage.done.wait()
            await trio.aclose_forcefully(client)
    assert stage.errors == []


async def closes(stage: Stage, code: int) -> str:
    """The server closes; answer as a client does, and return the reason."""
    got, reason = await stage.hand.closing()
    assert got == code
    await ended(stage, code)
    return reason


async def ended(stage: Stage, code: int) -> None:
    """Close, and see the connection close."""
    await stage.hand.send(close_of(code))
    assert await stage.hand.end() == b""
    await stage.hand.stream.aclose()
    await stage.done.wait()


async def leave(stage: Stage, code: int = 1000) -> None:
    """Close as the first to do so."""
    await stage.hand.send(close_of(code))
    assert await stage.hand.closing() == (code, "")
    assert await stage.hand.end() == b""
    await stage.hand.stream.aclose()
