"""A connection to a server: TCP with kernel stamps where there are any, and TLS that trusts what the system trusts.

Environment proxies, redirects and HTTP/2 are not followed or spoken: this is the server itself, byte for byte.
"""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeAlias

import trio

from streamkit.errors import ConfigError, ConnectError
from streamkit.http.origin import Origin
from streamkit.http.stream import SocketStream, WireStream, stamp_arrivals
from streamkit.http.tls import TLSStream

__all__ = ["Dial", "connect", "dial_of", "trust"]

Dial: TypeAlias = Callable[[], Awaitable[WireStream]]
"""Makes a connection to a server, or raises `ConnectError`."""


async def connect(origin: Origin, tls: ssl.SSLContext | None = None, *, stamps: bool = True) -> WireStream:
    """Connect, and shake hands where the URL says https.

    Args:
        origin: where to.
        tls: what is trusted; by default what the system trusts.
        stamps: ask for kernel stamps. They cost some 3 us a read.

    Raises:
        ConnectError: there is no such host, nobody listens, or there is no trust.
    """
    try:
        connected = await trio.open_tcp_stream(origin.host, origin.port)
    except (OSError, UnicodeError) as error:  # a name that cannot be one in DNS is not an OSError
        raise ConnectError(f"cannot connect to {origin.url}: {_reason(error)}") from error
    sock = socket.socket(fileno=connected.socket.detach())
    if stamps:
        stamp_arrivals(sock)
    stream = SocketStream(sock)
    if origin.scheme == "http":
        return stream
    secure = TLSStream(stream, tls or trust(), server_hostname=origin.host)
    try:
        await secure.handshake()
    except trio.BrokenResourceError as error:
        stream.abort()
        raise ConnectError(f"cannot connect to {origin.url}: {_reason(error.__cause__ or error)}") from error
    except BaseException:
        stream.abort()
        raise
    return secure


def dial_of(origin: Origin, tls: ssl.SSLContext | None = None, *, stamps: bool = True) -> Dial:
    """Return what connects to `origin` as `connect` does; the system's trust is read once, here, where it is wanted."""
    context = tls or (trust() if origin.scheme == "https" else None)

    async def dial() -> WireStream:
        return await connect(origin, context, stamps=stamps)

    return dial


def trust(authority: Path | None = None) -> ssl.SSLContext:
    """Return what trusts the authorities that the system trusts, or those in a PEM file, and speaks HTTP/1.1.

    Raises:
        ConfigError: the file cannot be read, or has no certificate in it.
    """
    try:
        context = ssl.create_default_context(cafile=authority)
    except OSError as error:  # ssl.SSLError is one
        reason = "there is no certificate in it" if isinstance(error, ssl.SSLError) else error.strerror
        raise ConfigError(f"{authority}: {reason}") from error
    context.set_alpn_protocols(["http/1.1"])
    return context


def _reason(error: BaseException) -> str:
    """Say in a few words what went wrong; of several addresses, with the last one."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"no TLS handshake: {(error.reason or str(error)).replace('_', ' ').lower()}"
    if isinstance(error, OSError) and error.strerror:
        # trio repeats the address before the system's own words; the resolver has codes below zero, and its own words
        return (os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror).lower()
    causes = error.__cause__.exceptions if isinstance(error.__cause__, BaseExceptionGroup) else ()
    if causes:
        return _reason(causes[-1])
    return _reason(error.__cause__) if isinstance(error.__cause__, OSError) else str(error)
