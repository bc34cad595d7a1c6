"""What a small relay needs to know of HTTP/1.1: connections read through a buffer, heads, and where a body ends.

Nothing of streamkit is in here: the harness is not to be judged by its own reading of HTTP.
"""

from __future__ import annotations

import select
import socket
import struct
from dataclasses import dataclass
from typing import Final, Literal

import trio

__all__ = ["Body", "Framing", "Gone", "Head", "Link", "Pairs", "framed", "framing_of", "last_of"]

Pairs = list[tuple[str, str]]

Framing = Literal["none", "chunked", "length", "close"]
"""How a body ends: it is empty; with its last chunk; after its Content-Length; with the connection."""

READ_BYTES: Final = 65536


class Gone(Exception):
    """A connection (`link`) ended where something else was owed, by a reset or not, or said what is no HTTP."""

    def __init__(self, link: Link, *, is_reset: bool = False) -> None:
        self.link = link
        self.is_reset = is_reset
        super().__init__("a connection ended too early")


@dataclass
class Head:
    """The head of a request or a response; `line` is its first line."""

    line: str
    headers: Pairs

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name]

    def tokens(self, name: str) -> set[str]:
        """The elements of a header that is a list, in lower case."""
        return {token.strip().lower() for value in self.all(name) for token in value.split(",")}

    @property
    def method(self) -> str:
        return self.line.split(" ")[0]

    @property
    def target(self) -> str:
        return self.line.split(" ")[1]

    @property
    def status(self) -> int:
        return int(self.line.split(" ")[1])

    @property
    def keeps_alive(self) -> bool:
        return "HTTP/1.1" in self.line and "close" not in self.tokens("connection")

    def encode(self) -> bytes:
        lines = [self.line, *(f"{name}: {value}" for name, value in self.headers)]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")


class Link:
    """A connection that is read through a buffer."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self.buffer = bytearray()

    async def fill(self) -> bool:
        """Read more into the buffer; False at the end. Raises Gone on a reset."""
        try:
            data = await self.stream.receive_some(READ_BYTES)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            raise Gone(self, is_reset=True) from None
        self.buffer += data
        return bool(data)

    async def send(self, data: bytes) -> None:
        """Send everything, as fast as it is taken. Raises Gone where nobody is there any more."""
        try:
            await self.stream.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            raise Gone(self, is_reset=True) from None

    async def head(self) -> Head | None:
        """Read a head; None where the connection ends before it begins."""
        searched = 0
        while (end := self.buffer.find(b"\r\n\r\n", max(0, searched - 3))) < 0:
            searched = len(self.buffer)
            if not await self.fill():
                if self.buffer:
                    raise Gone(self)
                return None
        lines = self.buffer[:end].decode("latin-1").split("\r\n")
        del self.buffer[: end + 4]
        if lines[0].count(" ") < 1 or "HTTP/1." not in lines[0]:
            raise Gone(self)
        return Head(lines[0], _headers_of(lines[1:]))

    def is_stale(self) -> bool:
        """Whether the other side closed this connection, or said something unasked, while nobody read."""
        poll = select.poll()
        poll.register(self.stream.socket.fileno(), select.POLLIN)
        return bool(self.buffer or poll.poll(0))

    async def finish(self) -> None:
        """Close so that all that was sent arrives: not before the other side closes, or has had a second to."""
        with trio.move_on_after(1):
            try:
                await self.stream.send_eof()
                while await self.stream.receive_some(READ_BYTES):
                    pass
            except trio.BrokenResourceError:
                pass

    def abort(self) -> None:
        """Reset the connection, if it is still there."""
        if self.stream.socket.fileno() >= 0:
            self.stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.stream.socket.close()


class Body:
    """A message's body, read as its framing has it; `trailers` are there at its end."""

    def __init__(self, link: Link, framing: Framing, size_bytes: int = 0) -> None:
        self.link = link
        self.framing = framing
        self.trailers: Pairs = []
        self.is_over = framing == "none" or (framing == "length" and not size_bytes)
        self._left = size_bytes
        self._state: Literal["size", "data", "line", "trailers"] = "size"

    async def receive(self) -> bytes:
        """Return what is there of the body, waiting for some; nothing at its end. Raises Gone where it is cut."""
        while True:
            data = self._take()
            if data or self.is_over:
                return data
            if not await self.link.fill():
                if self.framing != "close":
                    raise Gone(self.link)
                self.is_over = True

    def _take(self) -> bytes:
        buffer = self.link.buffer
        if self.is_over:
            return b""
        if self.framing == "chunked":
            data = bytearray()
            while not self.is_over and (piece := self._take_of_chunk()) is not None:
                data += piece
            return bytes(data)
        size = len(buffer) if self.framing == "close" else self._left
        data = buffer[:size]
        del buffer[:size]
        self._left -= len(data)
        self.is_over = self.framing == "length" and not self._left
        return bytes(data)

    def _take_of_chunk(self) -> bytearray | None:
        """Take the next line or data of a chunked body, and return the data; None where it is not there yet."""
        buffer = self.link.buffer
        if self._state == "data":
            data = buffer[: self._left]
            del buffer[: self._left]
            self._left -= len(data)
            if not self._left:
                self._state = "line"
            return data or None
        end = buffer.find(b"\r\n")
        if end < 0:
            return None
        line = buffer[:end].decode("latin-1")
        del buffer[: end + 2]
        match self._state:
            case "line":
                self._state = "size"
            case "size":
                try:
                    self._left = int(line.split(";")[0], 16)
                except ValueError:
                    raise Gone(self.link) from None
                self._state = "data" if self._left else "trailers"
            case _:
                self.is_over = not line
                self.trailers += _headers_of([line] if line else [])
        return bytearray()


def framing_of(head: Head, method: str = "") -> tuple[Framing, int]:
    """Return how the body behind a head ends, and its length; `method` is that of the request, for a response."""
    if method and (method == "HEAD" or head.status < 200 or head.status in {204, 304}):
        return "none", 0
    if "chunked" in head.tokens("transfer-encoding"):
        return "chunked", 0
    if lengths := head.all("content-length"):
        return "length", int(lengths[0])
    return ("close", 0) if method else ("none", 0)


def framed(framing: Framing, data: bytes) -> bytes:
    """Return a piece of a body in its framing."""
    return b"%x\r\n%b\r\n" % (len(data), data) if framing == "chunked" and data else data


def last_of(framing: Framing, trailers: Pairs) -> bytes:
    """Return what ends a body."""
    return b"0\r\n" + Head("", trailers).encode()[2:] if framing == "chunked" else b""


def _headers_of(lines: list[str]) -> Pairs:
    return [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
