"""Who may use a gateway: those who have its key, or, where there is none, those who call it by a name of its own. Pure.

The key comes in whatever header the client's SDK puts keys into, so that an SDK needs nothing but another base URL and
another key; with a WebSocket also among its subprotocols (`streamkit.gateway.websocket_handshake`). It is meant for the
gateway alone: `key_headers` names what must not go upstream.

Without a key the Host has to be an address, `localhost`, a name below it, or one that is allowed by the configuration:
anything else may be a web page that reaches a port of this machine by DNS rebinding (`streamkit.http.hosts`). And the
page that a browser asks for, where it names one, has to be of this machine or of such a name: others could not read the
answer, but they could spend what the upstream costs. A WebSocket's answer they could read, so there the page counts
also where any name will do. What is below `PREFIX`, the gateway's own, answers no web page of another origin in any
case.

An origin of the configuration (`streamkit.gateway.cors`) is no foreign one. Browsers send no key where they ask whether
a page may, and an `EventSource` has nowhere to put one: the id of a resumable stream, which nobody can guess, is
its key.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from streamkit.codecs.jsontext import encode_value
from streamkit.gateway.cors import is_allowed, is_preflight
from streamkit.gateway.websocket_handshake import keys_in
from streamkit.http.hosts import authority_of, is_address, is_local_name, is_loopback

if TYPE_CHECKING:
    from streamkit.gateway.config import GatewayConfig
    from streamkit.http.exchange import Request

__all__ = [
    "KEY_HEADERS",
    "KEY_PARAMETER",
    "PREFIX",
    "QUERY_KEY",
    "Refusal",
    "is_websocket",
    "key_headers",
    "refusal_of",
]

PREFIX: Final = "/_gateway/"
"""Where the gateway's own pages are."""

KEY_HEADERS: Final = ("authorization", "x-api-key", "x-goog-api-key", "api-key")
"""Where the SDKs of OpenAI, Anthropic, Google and Azure put keys; the first one with a scheme in front."""

BEARER: Final = "bearer"

KEY_PARAMETER: Final = "key"
"""Where Google's plain HTTP clients put their keys: in the query."""

QUERY_KEY: Final = "?key"
"""What `key_headers` calls that place, which is no header."""

PROTOCOLS: Final = "sec-websocket-protocol"
"""Where a page puts the key of a WebSocket, for which it can set no header."""

EVENTS: Final = re.compile(r"/streams/[^/]+/events")
"""The paths of resumable streams, where an upstream's dialect is known."""

SHOWN_CHARACTERS: Final = 100
"""How much of what a client sent is in a reason."""

TYPES: Final = {401: "authentication_error", 403: "permission_error", 421: "invalid_request_error"}
"""What OpenAI and Anthropic call such errors."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is not served, and the answer to it.

    Attributes:
        status: 401 for want of the key, 403 for a page of another origin, 421 for a Host that is not ours.
        reason: for people; no secret is in it.
        headers: of the response, but for those of framing and connection.
    """

    status: int
    reason: str
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "application/json"),)

    @property
    def body(self) -> bytes:
        """The reason as JSON, in the form in which the SDKs of OpenAI, Anthropic and Google find the message."""
        return encode_value({"type": "error", "error": {"type": TYPES[self.status], "message": self.reason}})


def refusal_of(
    request: Request, config: GatewayConfig, *, own: str | tuple[str, ...] = PREFIX, is_open: bool = False
) -> Refusal | None:
    """Return why a request must not be served, or None where it may be.

    Args:
        request: what came.
        config: the gateway's.
        own: below which paths only pages of the gateway's own origin may ask.
        is_open: whether what is asked for is no secret, so that it needs no key: a browser that opens a page has none.
    """
    wants_key = config.api_key and not is_open
    refusal = _refused_key(request, config) if wants_key else _refused_name(request, config)
    if refusal is None and request.path.startswith(own):
        refusal = _refused_origin(request)
    return refusal


def is_websocket(request: Request) -> bool:
    """Tell whether a request opens a WebSocket (RFC 6455 section 4.2.1), rightly or not."""
    upgrade = request.get("upgrade") if request.method == "GET" else None
    return upgrade is not None and "websocket" in upgrade.lower().replace(",", " ").split()


def key_headers(request: Request, config: GatewayConfig) -> frozenset[str]:
    """Return the names, in lower case, of the headers that carry the gateway's key, and must not go upstream."""
    if not config.api_key:
        return frozenset()
    return frozenset(name for name, key in _keys_of(request) if _is_same(key, config.api_key))


def _keys_of(request: Request) -> Iterator[tuple[str, str]]:
    """Go through all that may be a key, header by header: a client may send one for us and one for the upstream."""
    for name, value in request.headers:
        lower = name.lower()
        if lower == "authorization":
            scheme, _, value = value.partition(" ")  # noqa: PLW2901 - the key is what stands behind the scheme
            if scheme.lower() != BEARER:
                continue
        if lower in KEY_HEADERS:
            yield lower, value.strip(" \t")
    for name, value in parse_qsl(request.query) if "key=" in request.query else ():
        if name == KEY_PARAMETER:
            yield QUERY_KEY, value
    for hidden in keys_in(request) if is_websocket(request) else ():
        yield PROTOCOLS, hidden


def _is_same(given: str, key: str) -> bool:
    """Compare in a time that does not tell how much of it is right."""
    return hmac.compare_digest(given.encode("latin-1", "replace"), key.encode())


def _refused_key(request: Request, config: GatewayConfig) -> Refusal | None:
    given = [_is_same(each, config.api_key) for _, each in _keys_of(request)]
    if any(given):
        return None
    if is_preflight(request):
        return None if is_allowed(request, config) else _foreign(request.get("origin"))
    if config.speaks and request.method in {"GET", "HEAD"} and EVENTS.fullmatch(request.path):
        return _refused_name(request, config)
    what = "the key is not this gateway's" if given else "this gateway wants its key"
    reason = f"{what}; send it as Authorization: Bearer KEY, or in {', '.join(KEY_HEADERS[1:])}"
    return Refusal(401, reason, (("Content-Type", "application/json"), ("WWW-Authenticate", "Bearer")))


def _refused_name(request: Request, config: GatewayConfig) -> Refusal | None:
    """Refuse a name that could be anybody's. HTTP/1.0 without Host is served: no browser sends that."""
    if config.allowed_hosts is None:
        return _refused_page(request, set(), config) if is_websocket(request) else None
    known = {each.lower() for each in config.allowed_hosts}
    host = request.get("host")
    if host is not None:
        name = authority_of(f"//{host}")[0]
        if not (is_address(name) or is_local_name(name) or name.removesuffix(".") in known):
            shown = (name or host)[:SHOWN_CHARACTERS]
            reason = f"this gateway is not known as {shown!r}; where it should be, start it with --allow-host {shown}"
            return Refusal(421, reason)
    return _refused_page(request, known, config)


def _refused_page(request: Request, known: set[str], config: GatewayConfig) -> Refusal | None:
    """Refuse what a foreign page has its reader's browser send: without reading the answer, it could still spend."""
    origin = request.get("origin")
    if origin is None:
        is_foreign = (request.get("sec-fetch-site") or "").lower() == "cross-site"
    else:
        name, authority = authority_of(origin)
        is_same = authority != "" and authority == request.get("host")
        is_ours = is_same or is_loopback(name) or name.removesuffix(".") in known
        is_foreign = not (is_ours or is_allowed(request, config))
    return _foreign(origin) if is_foreign else None


def _foreign(origin: str | None) -> Refusal:
    shown = (origin or "ORIGIN")[:SHOWN_CHARACTERS]
    return Refusal(403, f"this gateway serves no page of another site; where it should, start it with --cors {shown}")


def _refused_origin(request: Request) -> Refusal | None:
    origin = request.get("origin")
    if origin is None or (authority_of(origin)[1] or None) == request.get("host"):
        return None
    prefix = "/".join(request.path.split("/")[:2])
    return Refusal(403, f"{prefix}/ does not answer pages of {origin[:SHOWN_CHARACTERS]!r}")
