"""The real server behind a recorder: its URL, a connection to it, and a client's request as it is passed on.

Environment proxies, redirects and HTTP/2 are not followed or spoken: what is recorded is this server, byte for byte.
"""

from __future__ import annotations

import re
import socket
import ssl
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import trio

from streamkit.errors import ConfigError
from streamkit.http.exchange import Request
from streamkit.http.stream import SocketStream, WireStream, stamp_arrivals
from streamkit.http.tls import TLSStream

__all__ = ["UnreachableError", "Upstream", "connect", "forwarded_head", "parse_upstream"]

PORTS: Final = {"http": 80, "https": 443}

EXAMPLE: Final = "http://127.0.0.1:11434"

HOST: Final = re.compile(r"[A-Za-z0-9._~-]+|[0-9A-Fa-f:.]+(%[A-Za-z0-9._-]+)?")
PATH: Final = re.compile(r"(/[A-Za-z0-9._~!$&'()*+,;=:@%-]*)*")

HOP_BY_HOP: Final = {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
"""What concerns one connection only (RFC 9110 section 7.6.1)."""

REPLACED: Final = {"host", "content-length", "expect", "http2-settings"}
"""What is written anew, or was answered already."""


class UnreachableError(Exception):
    """The server cannot be reached; the message says why."""


@dataclass(frozen=True)
class Upstream:
    """Where a server is.

    Attributes:
        path: what stands before the path of every request; empty, or from a slash to before one.
    """

    scheme: str
    host: str
    port: int
    path: str = ""

    @property
    def authority(self) -> str:
        """What the Host header says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The URL, without any secret."""
        return f"{self.scheme}://{self.authority}{self.path}"


def parse_upstream(text: str) -> Upstream:
    """Read the URL of a server.

    Raises:
        ConfigError: it is none of `http` or `https`, or has a user, password, query or fragment.
    """
    try:
        parts = urlsplit(text)
        port = parts.port
        host = _ascii_host(parts.hostname or "")
    except ValueError as error:
        raise ConfigError(f"upstream {_shown(text)} is no URL: {str(error)[:80]}; write it like {EXAMPLE}") from None
    if parts.scheme not in PORTS:
        raise ConfigError(f"upstream {_shown(text)} is not an http or https URL; write it like {EXAMPLE}")
    if parts.username is not None or parts.password is not None:
        raise ConfigError("the upstream's URL has a user or password in it: let the client send its own Authorization")
    if "?" in text or "#" in text:
        raise ConfigError(f"upstream {_shown(text)} has a query or fragment, but each request brings its own")
    if not HOST.fullmatch(host) or port == 0:
        raise ConfigError(f"upstream {_shown(text)} names no host and port; write it like {EXAMPLE}")
    if not PATH.fullmatch(parts.path):
        raise ConfigError(f"upstream {_shown(text)} has characters in its path that must be percent-encoded")
    return Upstream(parts.scheme, host, port or PORTS[parts.scheme], parts.path.rstrip("/"))


def _ascii_host(host: str) -> str:
    """Return the host as DNS knows it."""
    return host if host.isascii() else host.encode("idna").decode("ascii")


def _shown(text: str) -> str:
    """Return a URL for a message: no password, no query, no more than fits a line."""
    return repr(re.sub(r"//[^/]*@", "//...@", text.partition("?")[0])[:80])


def forwarded_head(upstream: Upstream, request: Request, body: bytes) -> bytes:
    """Return the head that is sent for a client's request.

    Method, version and headers are the client's, in their order. Host is the server's; the body, which may have been
    chunked, has a Content-Length; what concerns the client's connection only stays behind, but for its wish that the
    connection is closed or kept, which servers repeat in their answer.
    """
    headers = request.headers
    options = {
        option.strip().lower() for name, value in headers if name.lower() == "connection" for option in value.split(",")
    }
    dropped = HOP_BY_HOP | REPLACED | options
    has_length = any(name.lower() in {"content-length", "transfer-encoding"} for name, _ in headers)
    kept = [("Host", upstream.authority)]
    kept += [(name, value) for name, value in headers if name.lower() not in dropped]
    if body or has_length:
        kept.append(("Content-Length", str(len(body))))
    kept += [("Connection", option) for option in ("close", "keep-alive") if option in options][:1]
    lines = [f"{request.method} {_origin_form(upstream, request.target)} HTTP/{request.version}"]
    lines += [f"{name}: {value}" for name, value in kept]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def _origin_form(upstream: Upstream, target: str) -> str:
    """Return the target for the server's own request line (RFC 9112 section 3.2.1), without a fragment."""
    if target == "*":
        return target
    if not target.startswith("/"):  # a client that takes us for its proxy names the server as well
        _, _, rest = target.partition("://")
        cut = re.search(r"[/?]", rest)
        target = rest[cut.start() :] if cut else ""
        target = target if target.startswith("/") else f"/{target}"
    return upstream.path + target.partition("#")[0]


async def connect(upstream: Upstream, tls: ssl.SSLContext | None = None) -> WireStream:
    """Connect, with kernel stamps where there are any, and shake hands where the URL says https.

    Args:
        upstream: where to.
        tls: what is trusted; by default what the system trusts.

    Raises:
        UnreachableError: there is no such host, nobody listens, or there is no trust.
    """
    try:
        connected = await trio.open_tcp_stream(upstream.host, upstream.port)
    except OSError as error:
        raise UnreachableError(_reason(error)) from error
    sock = socket.socket(fileno=connected.socket.detach())
    stamp_arrivals(sock)
    stream = SocketStream(sock)
    if upstream.scheme == "http":
        return stream
    secure = TLSStream(stream, tls or system_trust(), server_hostname=upstream.host)
    try:
        await secure.handshake()
    except trio.BrokenResourceError as error:
        stream.abort()
        raise UnreachableError(_reason(error.__cause__ or error)) from error
    except BaseException:
        stream.abort()
        raise
    return secure


def system_trust() -> ssl.SSLContext:
    """Return what trusts the authorities that the system trusts, and speaks HTTP/1.1."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


def _reason(error: BaseException) -> str:
    """Say in a few words what went wrong; of several addresses, with the last one."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    causes = error.__cause__.exceptions if isinstance(error.__cause__, BaseExceptionGroup) else ()
    if causes:
        return _reason(causes[-1])
    return _reason(error.__cause__) if isinstance(error.__cause__, OSError) else str(error)
