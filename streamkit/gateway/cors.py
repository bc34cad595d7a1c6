"""Which pages of other sites browsers let read the answers: the CORS protocol of the Fetch standard. Pure.

Nothing of it is said unless origins are configured, and to others than those nothing is: their browser keeps the answer
to itself, and `streamkit.gateway.guard` refuses them besides. Credentials are never allowed: keys travel in headers,
which a page has to know and to set, and no cookie of a browser's owner opens anything here.

An origin is compared as browsers write it, `scheme://host`, with the port where it is not the scheme's own. `*` stands
for every origin that has a name. Pages without one (files, sandboxed frames) all send `null`, and that has to be named.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from streamkit.errors import ConfigError
from streamkit.http.head import TOKEN

if TYPE_CHECKING:
    from streamkit.gateway.config import GatewayConfig
    from streamkit.http.exchange import Request

__all__ = [
    "ANY_ORIGIN",
    "EXPOSED",
    "cors_headers",
    "is_allowed",
    "is_preflight",
    "origin_of",
    "preflight",
    "unsent_headers",
    "with_cors",
]

ANY_ORIGIN: Final = "*"

NAMELESS: Final = "null"

MAX_AGE_S: Final = 600
"""How long a browser need not ask again; Chromium's own bound is 2 h, Firefox's 24 h."""

RATE_LIMITS: Final = (
    *(f"x-ratelimit-{what}-{of}" for what in ("limit", "remaining", "reset") for of in ("requests", "tokens")),
    *(
        f"anthropic-ratelimit-{of}-{what}"
        for of in ("requests", "tokens", "input-tokens", "output-tokens")
        for what in ("limit", "remaining", "reset")
    ),
)

EXPOSED: Final = (
    *("Location", "Retry-After", "retry-after-ms", "x-should-retry", "X-Streamkit-Dropped"),
    *("x-request-id", "request-id", *RATE_LIMITS),
)
"""What a page may read of a response's headers besides the few that it always may (Fetch, "CORS-safelisted
response-header name"). By name: `*` is another word where a page sends credentials, which it may do without need."""

EXPOSED_HEADER: Final = ("Access-Control-Expose-Headers", ", ".join(EXPOSED))

ALLOW_ORIGIN: Final = "Access-Control-Allow-Origin"

VARY: Final = ("Vary", "Origin")

ASKED: Final = ("Access-Control-Request-Method", "Access-Control-Request-Headers")

PREFLIGHT_VARY: Final = ("Vary", ", ".join(["Origin", *ASKED]))

OURS: Final = "access-control-"
"""What the names of all response headers of the protocol begin with."""

DEFAULT_PORTS: Final = {"http": 80, "https": 443}

MAX_PORT: Final = 65535

ORIGIN: Final = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<host>\[[0-9a-f:.]+\]|[a-z0-9._~-]+)(:(?P<port>[0-9]{1,5}))?(?P<rest>[/?#].*)?"
)


def is_allowed(request: Request, config: GatewayConfig) -> bool:
    """Tell whether a request is that of a page that may read the answer. One that names no page is none of those."""
    allowed = config.cors_origins
    if not allowed:
        return False
    origin = request.get("origin")
    return origin is not None and (origin in allowed or (ANY_ORIGIN in allowed and origin != NAMELESS))


def is_preflight(request: Request) -> bool:
    """Tell whether a browser asks what a page may ask (Fetch, "CORS-preflight request"). It has no key with it."""
    return (
        request.method == "OPTIONS"
        and request.get("origin") is not None
        and request.get("access-control-request-method") is not None
    )


def preflight(request: Request, config: GatewayConfig) -> list[tuple[str, str]] | None:
    """Return the headers of the answer to a preflight, a 204 without a body; None where the request is none of ours.

    What the page wants to send is allowed whatever it is, as far as it is a method and names of headers: it is for the
    upstream to say what it takes.
    """
    if not is_preflight(request) or not is_allowed(request, config):
        return None
    origin = ANY_ORIGIN if ANY_ORIGIN in config.cors_origins else request.get("origin") or ""
    headers = [(ALLOW_ORIGIN, origin), PREFLIGHT_VARY]
    method = request.get(ASKED[0]) or ""
    if re.fullmatch(TOKEN, method):
        headers.append(("Access-Control-Allow-Methods", method))
    names = [name.strip(" \t") for name in (request.get(ASKED[1]) or "").split(",")]
    asked = [name for name in names if re.fullmatch(TOKEN, name)]
    if asked:
        headers.append(("Access-Control-Allow-Headers", ", ".join(asked)))
    if (request.get("access-control-request-private-network") or "").lower() == "true":
        headers.append(("Access-Control-Allow-Private-Network", "true"))
    headers.append(("Access-Control-Max-Age", str(MAX_AGE_S)))
    return headers


def cors_headers(request: Request, config: GatewayConfig) -> Sequence[tuple[str, str]]:
    """Return what every response but that to a preflight says besides; nothing where no origin is configured.

    Where the answer hangs on the origin, `Vary` says so to all, or a cache would keep one page's answer for another
    (Fetch, "CORS protocol and HTTP caches"). Where any origin will do, all are told the same.
    """
    allowed = config.cors_origins
    if not allowed:
        return ()
    if ANY_ORIGIN in allowed:
        is_told = request.get("origin") is None or is_allowed(request, config)
        return ((ALLOW_ORIGIN, ANY_ORIGIN), EXPOSED_HEADER) if is_told else ()
    if is_allowed(request, config):
        return ((ALLOW_ORIGIN, request.get("origin") or ""), EXPOSED_HEADER, VARY)
    return (VARY,)


def with_cors(headers: Iterable[tuple[str, str]], ours: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return a response's headers with ours, of `cors_headers`, in the place of what the upstream says about origins.

    Both would be too much: a browser refuses a second `Access-Control-Allow-Origin`. Without any of ours, theirs stay.
    """
    if not ours:
        return list(headers)
    return [*(each for each in headers if not each[0].lower().startswith(OURS)), *ours]


def unsent_headers(request: Request, config: GatewayConfig) -> frozenset[str]:
    """Return the names, in lower case, of request headers that stay behind: an upstream has no say about our pages.

    Ollama answers 403 to origins that it does not know, and Anthropic 401 to all.
    """
    return frozenset({"origin"}) if is_allowed(request, config) else frozenset()


def origin_of(text: str, what: str = "--cors") -> str:
    """Return an origin as browsers write it, for `GatewayConfig.cors_origins`; `*` and `null` are what they are.

    Raises:
        ConfigError: it is none; `what` named it.
    """
    if text in {ANY_ORIGIN, NAMELESS}:
        return text
    shown = f"{what} {re.sub(r'//[^/]*@', '//...@', text[:80])!r}"
    found = ORIGIN.fullmatch(text.lower())
    if found is None or int(found["port"] or 0) > MAX_PORT:
        raise ConfigError(f"{shown} is no origin, which is a scheme and a host; write it like https://app.example:8443")
    scheme, host, port = found["scheme"], found["host"], found["port"]
    bare = f"{scheme}://{host}"
    if port is not None and int(port) != DEFAULT_PORTS.get(scheme):
        bare += f":{int(port)}"
    if found["rest"]:
        raise ConfigError(f"{shown} has a path, and an origin has none; write {bare}")
    return bare
