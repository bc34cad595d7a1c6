"""What carries a chat: a request goes out, a response comes back read by read. The interface, and its values.

Two transports are there: `HTTPTransport` (`streamkit.client.own`), our own HTTP/1.1 with a stamp on every read, and
`HTTPXTransport` (`streamkit.client.httpx_transport`), for environment proxies, redirects and HTTP/2. A third one is
whatever has an `open` like theirs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol
from urllib.parse import unquote_plus

from streamkit.dialects.refusals import REQUEST_ID_HEADERS
from streamkit.http.client import Tap
from streamkit.http.origin import Origin
from streamkit.http.redact import is_secret_header, is_secret_parameter, redacted_headers, redacted_target
from streamkit.http.stream import TimedRead

__all__ = ["HTTPRequest", "HTTPResponse", "Interim", "ResponseInfo", "Transport"]

MIN_SECRET: Final = 8
"""The length of the shortest secret, in characters."""


@dataclass(frozen=True, repr=False)
class HTTPRequest:
    """A request, whole. Its `repr` has no secrets and no body.

    Attributes:
        origin: the server.
        target: path and query, as they go into the request line.
        headers: all of them, in order, Host and Content-Length included.
        body: its bytes.
    """

    method: str
    origin: Origin
    target: str
    headers: list[tuple[str, str]]
    body: bytes = b""

    @property
    def head(self) -> bytes:
        """The request line and the headers as HTTP/1.1 has them, blank line included."""
        lines = [f"{self.method} {self.target} HTTP/1.1", *(f"{name}: {value}" for name, value in self.headers)]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    @property
    def url(self) -> str:
        """The URL that is asked, with any secret that its query has."""
        return f"{self.origin.scheme}://{self.origin.authority}{self.target}"

    @property
    def shown_url(self) -> str:
        """The URL without its secrets."""
        return redacted_target(self.url)

    @property
    def secrets(self) -> list[str]:
        """The values of headers and of query parameters that nobody else may see.

        Short ones are left out: they are placeholders, and words that an answer may well have in it.
        """
        values = [value.rpartition(" ")[2] for name, value in self.headers if is_secret_header(name)]
        for parameter in self.target.partition("?")[2].split("&"):
            name, _, value = parameter.partition("=")
            if is_secret_parameter(name):
                values += value, unquote_plus(value)
        return [value for value in dict.fromkeys(values) if len(value) >= MIN_SECRET]

    def __repr__(self) -> str:
        headers = redacted_headers(self.headers)
        return f"HTTPRequest({self.method!r}, {self.shown_url!r}, headers={headers!r}, body={len(self.body)} bytes)"


@dataclass(frozen=True, slots=True)
class Interim:
    """A response before the response: 100 or 103, with its headers."""

    status: int
    headers: list[tuple[str, str]]


@dataclass(slots=True, repr=False)
class ResponseInfo:
    """What is known of a response besides its body. Its `repr` shows no cookies.

    Attributes:
        http_version: "1.0", "1.1" or "2".
        headers: in order, in the case in which they came.
        interims: the interim responses before it. The httpx transport does not see them.
        trailers: the fields behind the body, once it has come to its end. The httpx transport does not see them.
        url: what answered, without secrets; after redirects not what was asked.
        is_reused: whether the request went out on a connection that was there. The httpx transport does not see it.
    """

    status: int
    reason: str
    http_version: str
    headers: list[tuple[str, str]]
    interims: list[Interim] = field(default_factory=list)
    trailers: list[tuple[str, str]] = field(default_factory=list)
    url: str = ""
    is_reused: bool = False

    def __repr__(self) -> str:
        headers = redacted_headers(self.headers)
        return f"ResponseInfo({self.status}, {self.reason!r}, {self.url!r}, headers={headers!r})"

    def header(self, name: str) -> str:
        """Return the first header of that name, in whatever case, or an empty text."""
        wanted = name.lower()
        return next((value for each, value in self.headers if each.lower() == wanted), "")

    @property
    def media_type(self) -> str:
        """The Content-Type in lower case, without its parameters."""
        return self.header("Content-Type").partition(";")[0].strip().lower()

    @property
    def request_id(self) -> str:
        """What the server calls the request; empty where it does not say."""
        return next((value for name in REQUEST_ID_HEADERS if (value := self.header(name))), "")


class HTTPResponse(ABC):
    """A response whose body is to be read. One task may read.

    Attributes:
        info: its status, headers and so on.
    """

    info: ResponseInfo

    @abstractmethod
    async def receive(self) -> TimedRead | None:
        """Return the body's bytes that one read brought, content coding included, or None at the body's end.

        A cancelled call loses nothing.

        Raises:
            ProtocolError: the framing is broken; what came before that place was returned.
            DisconnectedError: the connection ended before the body.
        """

    @abstractmethod
    async def aclose(self) -> None:
        """Let go of the connection: for another request where the body is at its end, and at once where it is not."""


class Transport(Protocol):
    """Carries requests."""

    async def open(
        self,
        request: HTTPRequest,
        *,
        connect_s: float | None = None,
        on_sending: Callable[[], None] = ...,
        on_read: Tap | None = None,
    ) -> HTTPResponse:
        """Send a request and return its response as soon as the head is there.

        Args:
            request: what to send.
            connect_s: how long the connection may take; None for ever.
            on_sending: is called when there is a connection and the request begins to go out.
            on_read: sees every read, as raw as this transport sees it.

        Raises:
            ConnectError, ConnectTimeout: there is no connection.
            ProtocolError: what came is no response.
            DisconnectedError: the connection ended before the head.
        """
        ...
