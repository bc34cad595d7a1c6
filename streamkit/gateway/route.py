"""Whose business a request is, in a gateway whose upstream's dialect is known. Pure.

A vendor's endpoint is answered in that vendor's dialect. Where that is the upstream's own, nothing has to be converted,
and the request is passed on as it is; so is what is below the paths of the upstream's vendor and is no endpoint that
we know (embeddings, files), what is below `/v1/`, which many servers have for OpenAI's clients, and what is nobody's.
What only another vendor has is refused in its manner.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from streamkit.dialects.endpoints import target_of
from streamkit.gateway.config import GatewayConfig
from streamkit.gateway.failures import family_of
from streamkit.gateway.rename import renamed_target
from streamkit.http.exchange import Request
from streamkit.vendors import Found, find
from streamkit.vendors.question import question_of

__all__ = ["STREAMS", "WEBSOCKET", "Route", "route_of"]

WEBSOCKET: Final = "/ws"
STREAMS: Final = "/streams"
"""Where streams are made; each one is below it."""

Kind = Literal["relay", "rename", "translate", "websocket", "streams"]

ANYBODY: Final = ("json", "openai-chat")
"""The dialects of paths that look like no vendor's, or like everybody's."""

ALONGSIDE: Final = {"ollama-generate": "ollama-chat"}
"""Chats that every server has that has the other one."""

SLASHES: Final = re.compile(r"/{2,}")
"""What a base URL with a slash at its end leaves in a path."""


@dataclass(frozen=True, slots=True)
class Route:
    """Where a request goes.

    Attributes:
        kind: `relay`: upstream, as it is; `rename`: the same, but for the model's name; `translate`: to the vendor's
            endpoint; the others are the gateway's own.
        found: the endpoint, or one in whose manner a failure is told.
        target: what the request's target becomes, of `relay` and `rename`; empty for what it is.
    """

    kind: Kind
    found: Found | None = None
    target: str = ""


def route_of(request: Request, config: GatewayConfig) -> Route:
    """Return where a request goes."""
    path = SLASHES.sub("/", request.path)
    if path in {WEBSOCKET, STREAMS} or path.startswith(f"{STREAMS}/"):
        return Route("websocket" if path == WEBSOCKET else "streams")
    found = find(question_of(request.method, path, request.query, request.headers))
    is_endpoint = bool(found.endpoint.method)
    is_own = family_of(found.dialect) == family_of(config.speaks)
    if is_endpoint and found.endpoint.kind == "chat":
        if ALONGSIDE.get(found.dialect, found.dialect) != config.speaks:
            return Route("translate", found)
        if not config.model_map:
            return Route("relay", found, _own_target(request.target, config))
        return Route("rename", found, _own_target(renamed_target(request.target, config), config))
    if not (is_own or (not is_endpoint and found.dialect in ANYBODY)):
        return Route("translate", found)
    if is_endpoint and found.endpoint.kind == "models" and config.model_map:
        return Route("translate", found)  # the list has our names, too
    if is_own and config.model_map and request.method == "POST" and _is_json(request):
        return Route("rename", found, _own_target(renamed_target(request.target, config), config))
    return Route("relay", found, _own_target(request.target, config))


def _is_json(request: Request) -> bool:
    """Tell whether a request's body is a JSON document, in which a model may be named."""
    return (request.get("content-type") or "").partition(";")[0].strip().lower() == "application/json"


def _own_target(target: str, config: GatewayConfig) -> str:
    """Return the target below the upstream's path: a base like `/v1` may be the beginning of both."""
    base = config.upstream.path
    if not base or not target.startswith("/"):
        return target
    return target_of(target, base, config.speaks).removeprefix(base)
