"""The head of a response: what framing adds to it, and whether another request may follow. Pure.

Obeyed: RFC 9112 section 6 (how the end of a body is told), section 9 (persistence); RFC 9110 sections 8.6 and 15.2
(no Content-Length with a status that has no body, no 1xx for an HTTP/1.0 client). The status line says HTTP/1.1 to
every client: it tells what the server speaks (RFC 9110 section 2.5).

Nothing is added that the response has already: a response with a `Transfer-Encoding`, a `Content-Length`, a
`Connection` or a `Date` of its own lies on purpose. With a `Transfer-Encoding` of its own, HTTP/1.0 gets chunks too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile

from mockserver.response import Framing, Headers, Record, Response, Verbatim
from mockserver.script import Close, Gate, Reset, Stall
from streamkit.http.wire import response_head

__all__ = ["Plan", "framing_of", "has_body", "opening_of", "plan_of"]


@dataclass(frozen=True)
class Plan:
    """What is settled before the first byte.

    Attributes:
        heads: the interim responses and the head, each with its blank line.
        chunked: whether the body goes out in chunks.
        trailers: what comes after the last chunk.
        has_body: whether anything follows the head at all.
        keep_alive: whether another request may follow.
    """

    heads: tuple[bytes, ...]
    chunked: bool
    trailers: Headers
    has_body: bool
    keep_alive: bool


def has_body(status: int, *, head_only: bool) -> bool:
    """Tell whether a response with this status may have a body (RFC 9112 section 6.3, rule 1)."""
    return not head_only and status >= 200 and status not in {204, 304}


def opening_of(response: Response) -> Iterator[Gate | Stall | Reset | Close]:
    """Yield what happens between the head and the first byte of the body: it does so where there is no body too."""
    return takewhile(lambda step: not isinstance(step, (Record, Verbatim)), response.steps)  # type: ignore[arg-type]


def framing_of(response: Response, version: str) -> Framing:
    """Return how the end of the body is told to a client of this HTTP version."""
    if response.framing == "chunked" and version == "1.0" and "transfer-encoding" not in _names_of(response.headers):
        return "close"
    return response.framing


def plan_of(
    response: Response,
    *,
    length_bytes: int,
    version: str = "1.1",
    wants_keep_alive: bool = True,
    head_only: bool = False,
    date: str = "",
) -> Plan:
    """Settle the head.

    Args:
        response: what is answered.
        length_bytes: of the body; only looked at where the framing is "length".
        version: of the request's HTTP, "1.0" or "1.1".
        wants_keep_alive: whether the client lets the connection live on.
        head_only: whether the request was a HEAD: the head is that of a GET, without a body.
        date: the value of the `Date` header, empty for none.
    """
    framing = framing_of(response, version)
    body = has_body(response.status, head_only=head_only)
    is_framed = body or has_body(response.status, head_only=False)
    keep_alive = wants_keep_alive and not response.close and not (is_framed and framing == "close")
    added = [("Date", date)] if date else []
    if response.gzip and is_framed:
        added.append(("Content-Encoding", "gzip"))
    if is_framed and framing == "chunked":
        added.append(("Transfer-Encoding", "chunked"))
        if response.trailers:
            added.append(("Trailer", ", ".join(name for name, _ in response.trailers)))
    elif is_framed and framing == "length":
        added.append(("Content-Length", str(max(0, length_bytes + response.length_error))))
    if not keep_alive:
        added.append(("Connection", "close"))
    elif version == "1.0":
        added.append(("Connection", "keep-alive"))
    own = _names_of(response.headers)
    headers = [*response.headers, *((name, value) for name, value in added if name.lower() not in own)]
    interim = response.interim if version != "1.0" else ()
    return Plan(
        heads=(*(response_head(*each) for each in interim), response_head(response.status, headers)),
        chunked=framing == "chunked",
        trailers=response.trailers,
        has_body=body,
        keep_alive=keep_alive and not (is_framed and response.length_error) and not _is_cut_short(response),
    )


def _names_of(headers: Headers) -> set[str]:
    return {name.lower() for name, _ in headers}


def _is_cut_short(response: Response) -> bool:
    """Tell whether a Reset or a Close is known to come. Lazy steps are not gone through for this."""
    steps = response.steps if isinstance(response.steps, (tuple, list)) else ()
    return any(isinstance(step, (Reset, Close)) for step in (*response.before_head, *steps, *response.after_body))
