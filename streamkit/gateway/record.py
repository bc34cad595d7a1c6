"""What a gateway knows about one request once it is over: the line of its log, and what its counters count. Pure."""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = ["Outcome", "Record"]

Outcome = Literal[
    "ok",
    "refused",
    "unreachable",
    "timeout",
    "bad-response",
    "upstream-cut",
    "client-left",
    "bad-request",
    "stopped",
    "failed",
]
"""How a request ended:

- ok: the response went through to its end, whatever its status.
- refused: answered by the gateway itself, without the upstream: no key, a wrong host, CONNECT, a request of our own.
- unreachable: no connection to the upstream (502, or 504 for a timeout there is `timeout`).
- timeout: connecting, the head, or the next read took too long.
- bad-response: the upstream answered with what is no HTTP, or ambiguous (502, or an abort behind the head).
- upstream-cut: the upstream closed or reset before the end of its response (502, or an abort behind the head).
- client-left: the client closed, half-closed or reset its connection before the end of the response, or closed a
  WebSocket behind an answer that it had cancelled.
- bad-request: what came was no request, or its body was broken, late or too long.
- stopped: the gateway was stopped.
- failed: a mistake of the gateway's own (500, or an abort).
"""


class Record(msgspec.Struct):
    """One request, from its head to the end of its response. Times are ns of `streamkit.http.clock.now_ns`.

    Attributes:
        number: counted from 1 over the gateway's life.
        started_at_ns: ns since 1970.
        client: its address.
        method, target, version: as in the request line, secrets redacted; empty for what was no request.
        dialect: of the client, where its request was read and not only passed on; else empty.
        upstream_dialect: in which the upstream was asked then.
        status: of the final response's head that the client got; None where it got none.
        detail: what went wrong, for people; empty where nothing did.
        reused: whether the request went out on a connection that was there.
        retries: how often it was sent again because such a connection turned out to be dead.
        arrived_ns: when the request's head was read.
        head_ns: when the response's head was read from upstream; None where none came.
        first_ns: when the first byte of its body was.
        ended_ns: when the request was over.
        request_bytes: of the request's body, as far as it was passed on.
        response_bytes: of the response's body, as far as it was passed on.
        reads: reads from upstream that brought some of the body.
    """

    number: int
    started_at_ns: int
    client: str
    arrived_ns: int
    method: str = ""
    target: str = ""
    version: str = ""
    dialect: str = ""
    upstream_dialect: str = ""
    status: int | None = None
    outcome: Outcome = "failed"
    detail: str = ""
    reused: bool = False
    retries: int = 0
    head_ns: int | None = None
    first_ns: int | None = None
    ended_ns: int | None = None
    request_bytes: int = 0
    response_bytes: int = 0
    reads: int = 0
