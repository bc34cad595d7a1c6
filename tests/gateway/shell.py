"""What the tests of a whole gateway share: one request over a socket, and all that comes back."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable

import trio

from streamkit.http.stream import SocketStream, WireStream
from streamkit.http.tls import TLSStream

__all__ = ["asked", "connected", "secured", "until", "wire"]


async def connected(port: int) -> SocketStream:
    """A connection to a port of this machine."""
    sock = trio.socket.socket()
    try:
        await sock.connect(("127.0.0.1", port))
    except BaseException:
        sock.close()
        raise
    return SocketStream(socket.socket(fileno=sock.detach()))


async def secured(port: int, context: ssl.SSLContext) -> TLSStream:
    """The same, with TLS on it."""
    stream = TLSStream(await connected(port), context, server_hostname="127.0.0.1")
    await stream.handshake()
    return stream


def wire(line: str, *headers: str, body: bytes = b"") -> bytes:
    """The bytes of a request after which the connection closes."""
    lines = [f"{line} HTTP/1.1", "Host: 127.0.0.1", "Connection: close", *headers]
    lines += [f"Content-Length: {len(body)}"] if body else []
    return "\r\n".join([*lines, "", ""]).encode() + body


async def asked(port: int, line: str, *headers: str, body: bytes = b"", tls: ssl.SSLContext | None = None) -> bytes:
    """Send one request and return all that comes until the end."""
    stream: WireStream = await (connected(port) if tls is None else secured(port, tls))
    async with stream:
        await stream.send_all(wire(line, *headers, body=body))
        got = bytearray()
        while data := await stream.receive_some():
            got += data
        return bytes(got)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what no event tells. The caller bounds it."""
    while not condition():  # noqa: ASYNC110 - there is no event
        await trio.sleep(0.001)
