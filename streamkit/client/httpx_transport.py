"""`HTTPXTransport`: httpx below a chat, for environment proxies, redirects and HTTP/2.

What it sees are httpx's pieces, not the network's reads: they have the time at which httpx handed them out, and no
kernel stamps. Interim responses and trailers it does not see. A redirect is followed where it keeps the method (307,
308), at most `MAX_REDIRECTS` times, and no key or cookie goes with it to another server.

httpx is imported when the first request goes out: it is an extra of this package.
"""

from __future__ import annotations

import math
import re
import ssl
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final, Self

import trio

from streamkit.client.transport import HTTPRequest, HTTPResponse, ResponseInfo
from streamkit.errors import ConfigError, ConnectError, ConnectTimeout, DisconnectedError, ProtocolError
from streamkit.http.client import Tap
from streamkit.http.clock import now_ns
from streamkit.http.redact import is_secret_header, redacted_target
from streamkit.http.stream import TimedRead
from streamkit.io.idle import idle
from streamkit.io.items import Items
from streamkit.io.source import as_source

if TYPE_CHECKING:
    import httpx
    from typing_extensions import TypeIs

__all__ = ["HTTPXTransport", "is_client"]

MAX_REDIRECTS: Final = 5

DISCONNECTED: Final = re.compile(
    r"peer (unexpectedly )?closed connection|server disconnected|<StreamReset|<ConnectionTerminated", re.IGNORECASE
)
"""How httpx's `RemoteProtocolError` begins where it means an end that came too early."""

CLOSE_S: Final = 5.0
"""How long a client may take to close; it has nothing to wait for."""


class HTTPXTransport:
    """Requests by way of httpx.

    Args:
        client: to be used, and left open. Its own timeouts do not count, the chat's do; redirects are followed where it
            follows them. Without one each chat has a client of its own.
        tls: what a client of our own trusts; by default what httpx trusts.

    Raises:
        ConfigError: httpx is not installed.
    """

    def __init__(self, client: httpx.AsyncClient | None = None, *, tls: ssl.SSLContext | None = None) -> None:
        try:
            import httpx  # noqa: F401 - find out now whether it is there
        except ImportError:
            raise ConfigError("the transport httpx needs httpx: pip install 'streamkit[httpx]'") from None
        self._client = client
        self._tls = tls

    async def open(
        self,
        request: HTTPRequest,
        *,
        connect_s: float | None = None,
        on_sending: Callable[[], None] = lambda: None,
        on_read: Tap | None = None,
    ) -> HTTPResponse:
        """Send a request and return its response as soon as the head is there; see `Transport`.

        Where httpx's own transport tells, `on_sending` is called when the request goes out; otherwise at once.
        """
        client = self._client or _new_client(self._tls)
        try:
            with _as_ours(request, connect_s):
                response = await _send(client, request, connect_s, on_sending)
        except BaseException:
            if client is not self._client:
                with trio.move_on_after(CLOSE_S, shield=True):
                    await client.aclose()
            raise
        return HTTPXResponse(response, None if client is self._client else client, request, on_read)


class HTTPXResponse(HTTPResponse):
    """A response of httpx; `client` is closed with it."""

    def __init__(
        self, response: httpx.Response, client: httpx.AsyncClient | None, request: HTTPRequest, on_read: Tap | None
    ) -> None:
        self.info = ResponseInfo(
            response.status_code,
            response.reason_phrase,
            response.http_version.removeprefix("HTTP/"),
            [(name.decode("latin-1"), value.decode("latin-1")) for name, value in response.headers.raw],
            url=redacted_target(str(response.url)),
        )
        if response.is_stream_consumed:  # see `Raw`
            self.info.headers = [each for each in self.info.headers if each[0].lower() != "content-encoding"]
        self._client = client
        # httpx's bodies are async generators, which a cancelled read would end: `idle` does not cancel the read.
        self._reads = idle(Stamped(response, request, on_read), math.inf)

    async def receive(self) -> TimedRead | None:
        try:
            batch = await self._reads.receive_batch()
        except trio.EndOfChannel:
            return None
        if not batch:  # the read was given up because somebody closed the response
            raise trio.ClosedResourceError("this response was closed")
        return batch[0]

    async def aclose(self) -> None:
        try:
            await self._reads.aclose()
        finally:
            if self._client is not None:
                with trio.move_on_after(CLOSE_S, shield=True):
                    await self._client.aclose()


class Raw:
    """An `httpx.Response` as a source of the bytes that came, content coding included.

    Of one that was read already, by a hook of the client's, httpx has only what was inside of the coding.
    """

    def __init__(self, response: httpx.Response) -> None:
        self.aiter_bytes = response.aiter_bytes if response.is_stream_consumed else response.aiter_raw
        self.aclose = response.aclose


class Stamped(Items[TimedRead]):
    """The pieces of a body, each with the time at which it was there."""

    def __init__(self, response: httpx.Response, request: HTTPRequest, on_read: Tap | None) -> None:
        super().__init__()
        self._source = as_source(Raw(response))
        self._request = request
        self._on_read = on_read

    async def _receive(self) -> list[TimedRead]:
        with _as_ours(self._request, None):
            data = bytes(await self._source.receive_some())
        if not data:
            raise trio.EndOfChannel
        read = TimedRead(data, now_ns())
        if self._on_read is not None:
            self._on_read(read)
        return [read]

    async def aclose(self) -> None:
        await self._source.aclose()


def is_client(value: object) -> TypeIs[httpx.AsyncClient]:
    """Tell whether something is a client of httpx, which is not imported for that."""
    module = sys.modules.get("httpx")
    return module is not None and isinstance(value, module.AsyncClient)


def _new_client(tls: ssl.SSLContext | None) -> httpx.AsyncClient:
    import httpx

    has_http2 = find_spec("h2") is not None
    try:
        return httpx.AsyncClient(verify=tls or _trust(), http2=has_http2, follow_redirects=True)
    except (ImportError, ValueError, httpx.InvalidURL) as error:  # of a proxy that the environment names
        raise ConfigError(f"httpx does not take the proxy that the environment names: {error}") from None


@cache
def _trust() -> ssl.SSLContext:
    """Return what httpx trusts; reading it takes longer than everything else that a new client does."""
    import httpx

    return httpx.create_ssl_context()


async def _send(
    client: httpx.AsyncClient, request: HTTPRequest, connect_s: float | None, on_sending: Callable[[], None]
) -> httpx.Response:
    import httpx

    has_told = False

    async def trace(event: str, info: object) -> None:  # noqa: ARG001 - httpx's interface
        nonlocal has_told
        if event.endswith(".send_request_headers.started"):
            has_told = True
            on_sending()
            await trio.lowlevel.checkpoint()

    outgoing = client.build_request(
        request.method,
        request.url,
        headers=[(name.encode("latin-1"), value.encode("latin-1")) for name, value in request.headers],
        content=request.body,
        timeout=httpx.Timeout(None, connect=connect_s, pool=connect_s),
        extensions={"trace": trace},
    )
    outgoing.stream = _body_of(request.body)
    for _ in range(MAX_REDIRECTS + 1):
        response = await client.send(outgoing, stream=True, follow_redirects=False)
        following = response.next_request
        follows = client.follow_redirects and response.status_code in {307, 308}
        if not follows or following is None or following.url.scheme not in {"http", "https"}:
            if not has_told:
                on_sending()
            return response
        await response.aclose()
        if _origin_of(following.url) != _origin_of(outgoing.url):
            for name in [name for name in following.headers if is_secret_header(name)]:
                del following.headers[name]
        elif "Cookie" in outgoing.headers:  # httpx sends on those of its own jar only
            following.headers["Cookie"] = outgoing.headers["Cookie"]
        outgoing = following
    raise ProtocolError(f"the server redirects more than {MAX_REDIRECTS} times")


def _body_of(content: bytes) -> httpx.AsyncByteStream:
    """Return a body whose iterator is no async generator, as httpx's own is: those of failed requests are collected."""
    import httpx

    class Body(httpx.AsyncByteStream):
        def __aiter__(self) -> AsyncIterator[bytes]:
            return Once(content)

    return Body()


class Once:
    """Gives one piece."""

    def __init__(self, piece: bytes) -> None:
        self._pieces = [piece]

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        await trio.lowlevel.checkpoint()
        if not self._pieces:
            raise StopAsyncIteration
        return self._pieces.pop()


def _origin_of(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


@contextmanager
def _as_ours(request: HTTPRequest, connect_s: float | None) -> Iterator[None]:
    """Raise our own errors in place of httpx's."""
    import httpx

    try:
        yield
    except (httpx.ConnectTimeout, httpx.PoolTimeout):
        raise ConnectTimeout(connect_s or math.inf) from None
    except (httpx.ConnectError, httpx.ProxyError) as error:
        raise ConnectError(f"cannot connect to {request.origin.url}: {_reason(error)}") from error
    except httpx.RemoteProtocolError as error:
        if DISCONNECTED.match(str(error)):
            raise DisconnectedError(
                f"the server closed the connection before the response was whole: {error}"
            ) from error
        raise ProtocolError(f"the response is broken: {error}") from error
    except (httpx.UnsupportedProtocol, httpx.LocalProtocolError) as error:
        raise ConfigError(f"httpx does not send this request: {error}") from None
    except httpx.HTTPError as error:
        raise DisconnectedError(f"the connection to the server was lost: {_reason(error)}", is_reset=True) from error


def _reason(error: BaseException) -> str:
    """Say what went wrong: httpx's errors often say nothing, and what they come from does."""
    said = ""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted: {cause.verify_message}"
        said = said or str(cause)
        cause = cause.__cause__ or cause.__context__
    return said or type(error).__name__
