"""What a request's head becomes upstream, and a response's head for the client. Pure (RFC 9110 section 7.6).

Fields pass in their order and case. What concerns one connection stays behind; Host and the framing are written anew.
Nothing else is taken away. Added is what stands between a stream and its reader elsewhere: `Via` to requests (section
7.6.3), and to streams what keeps other proxies and caches from holding them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, Literal

from streamkit.dialects.endpoints import auth_headers
from streamkit.gateway.cors import with_cors
from streamkit.gateway.guard import KEY_HEADERS, QUERY_KEY
from streamkit.http.exchange import Request
from streamkit.http.forward import end_to_end, origin_form
from streamkit.http.head import Body, ResponseHead
from streamkit.http.origin import Origin
from streamkit.http.wire import response_head

__all__ = ["Framing", "client_head", "framing_for", "interim_head", "upstream_head"]

Framing = Literal["none", "counted", "chunked", "close"]
"""How the client is told where a response's body ends."""

EVENT_STREAM: Final = "text/event-stream"

STREAM_TYPES: Final = frozenset({EVENT_STREAM, "application/x-ndjson", "application/ndjson", "application/jsonl"})

GOOGLE: Final = "x-goog-api-key"

KEY_PARAMETER: Final = re.compile(r"(?<=[?&])key=[^&#]*&?")
"""Where Google's plain HTTP clients put their keys."""

MAX_FORWARDS: Final = "max-forwards"
HOPS: Final = re.compile(r"[0-9]{1,9}")

NOT_UPSTREAM: Final = frozenset({"host", "content-length"})


def upstream_head(
    origin: Origin,
    request: Request,
    body: Body,
    *,
    via: str,
    dropped: frozenset[str] = frozenset(),
    key: str = "",
    speaks: str = "",
) -> bytes:
    """Return the head that goes upstream.

    Args:
        origin: of the upstream; its Host replaces the client's.
        request: the client's.
        body: how the client's body ends, and so ours.
        via: what `Via` calls us (RFC 9110 section 7.6.3 allows a pseudonym).
        dropped: names of headers in lower case that stay behind, because they were meant for us; `QUERY_KEY` too.
        key: the upstream's, in place of the client's; empty for none.
        speaks: the upstream's dialect, if it is known: then the key goes where its vendor looks for it.
    """
    behind = NOT_UPSTREAM | dropped
    if request.version == "1.0":
        behind |= {"expect"}  # RFC 9110 section 10.1.1: means nothing there
    target = _without_key(request.target) if QUERY_KEY in dropped else request.target
    if request.method == "TRACE":
        key, behind = "", behind | set(KEY_HEADERS)  # which is sent back to whoever asks (RFC 9110 section 9.3.8)
    sent_keys = [name for name in KEY_HEADERS if request.get(name) is not None] if key else []
    if key and not sent_keys and (rest := _without_key(target)) != target:
        target, sent_keys = rest, [GOOGLE]
    if key and speaks:
        target = _without_key(target)
    behind |= set(sent_keys)
    hops = _hops_left(request)
    if hops is not None:
        behind |= {MAX_FORWARDS}
    headers = [
        ("Host", origin.authority),
        *end_to_end(request.headers, behind),
        *([] if hops is None else [("Max-Forwards", str(hops))]),
        ("Via", f"{request.version} {via}"),
    ]
    if key:
        headers += auth_headers(speaks, key, origin.host) if speaks else [_key_header(sent_keys, key)]
    if "trailers" in (request.get("te") or "").lower().replace(",", " ").split():
        headers += [("TE", "trailers"), ("Connection", "TE")]
    if body == "chunked":
        headers.append(("Transfer-Encoding", "chunked"))
    elif body or request.get("content-length") is not None:
        headers.append(("Content-Length", str(body)))
    lines = [f"{request.method} {origin_form(origin, target, method=request.method)} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def _hops_left(request: Request) -> int | None:
    """Return what `Max-Forwards` becomes, where it counts (RFC 9110 section 7.6.2)."""
    value = request.get(MAX_FORWARDS) if request.method in {"TRACE", "OPTIONS"} else None
    return int(value) - 1 if value and HOPS.fullmatch(value) and int(value) else None


def _without_key(target: str) -> str:
    path, found, query = target.partition("?")
    if not found:
        return target
    query = KEY_PARAMETER.sub("", f"?{query}")[1:].rstrip("&")
    return f"{path}?{query}" if query else path


def _key_header(sent: list[str], key: str) -> tuple[str, str]:
    """Return the header for a key: where the client has put its own, whose vendor knows what to expect."""
    name = sent[0] if sent else "authorization"
    return ("Authorization", f"Bearer {key}") if name == "authorization" else (name, key)


def framing_for(head: ResponseHead, *, method: str, version: str) -> Framing:
    """Return how the client is told where the body ends.

    What ends with the upstream's connection ends with the client's: whether it is whole nobody knows, and a last chunk
    would say that somebody does.
    """
    if method == "HEAD" or head.status in {204, 304}:
        return "none"
    if head.body == "chunked":
        return "chunked" if version == "1.1" else "close"
    return "close" if head.body == "close" else "counted"


def client_head(
    head: ResponseHead,
    framing: Framing,
    *,
    keep_alive: bool,
    version: str,
    cors: Sequence[tuple[str, str]] = (),
) -> bytes:
    """Return the head of the final response for the client.

    Args:
        head: the upstream's.
        framing: of `framing_for`.
        keep_alive: whether the client may send another request on its connection.
        version: the client's.
        cors: of `streamkit.gateway.cors.cors_headers`.
    """
    headers = []
    has_length = head.status == 204  # which has none (RFC 9110 section 8.6)
    for name, value in end_to_end(head.headers):
        if name.lower() != "content-length":
            headers.append((name, value))
        elif not has_length and framing in {"none", "counted"}:
            has_length = True
            headers.append((name, value.partition(",")[0].strip()))  # one of several that say the same
    headers = with_cors(headers, cors) + _streaming(head)
    if framing == "chunked" or (framing == "none" and version == "1.1" and _is_chunked(head)):
        headers.append(("Transfer-Encoding", "chunked"))
    if not keep_alive:
        headers.append(("Connection", "close"))
    elif version == "1.0":
        headers.append(("Connection", "keep-alive"))
    return response_head(head.status, headers, reason=head.reason)


def interim_head(head: ResponseHead) -> bytes:
    """Return an interim response for the client."""
    headers = [(name, value) for name, value in end_to_end(head.headers) if name.lower() != "content-length"]
    return response_head(head.status, headers, reason=head.reason)


def _is_chunked(head: ResponseHead) -> bool:
    """Tell whether a response to HEAD says that one to GET would be chunked."""
    return head.status not in {204, 304} and any(name.lower() == "transfer-encoding" for name, _ in head.headers)


def _streaming(head: ResponseHead) -> list[tuple[str, str]]:
    """Return what a stream's head should say and the upstream did not.

    `X-Accel-Buffering: no` makes nginx pass on what it would otherwise hold, and nothing else understands it. An event
    stream is not to be cached (WHATWG HTML, section 9.2.1 has clients ask with `no-store`).
    """
    names = {name.lower() for name, _ in head.headers}
    types = [value.partition(";")[0].strip().lower() for name, value in head.headers if name.lower() == "content-type"]
    added = []
    is_stream = head.body in {"chunked", "close"} or not STREAM_TYPES.isdisjoint(types)
    if is_stream and "x-accel-buffering" not in names:
        added.append(("X-Accel-Buffering", "no"))
    if EVENT_STREAM in types and "cache-control" not in names:
        added.append(("Cache-Control", "no-cache"))
    return added
