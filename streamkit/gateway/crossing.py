"""Which headers cross between a client of one dialect and a server of another. Pure.

Of a request what says how a body is written stays behind, for it is written anew; so does what only the one vendor
understands. The rest goes on, as through any gateway. Of an answer only that goes on which clients of every vendor look
for: ids and traces of requests, limits, and the time to come back.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from streamkit.dialects.refusals import REQUEST_ID_HEADERS
from streamkit.gateway.guard import KEY_HEADERS
from streamkit.http.forward import end_to_end

__all__ = ["REQUEST_ID", "answer_headers", "asked_headers", "key_in"]

BEHIND: Final = frozenset(
    {
        *KEY_HEADERS,
        *("host", "date", "expect", "cookie", "origin", "referer", "range", "last-event-id", "priority", "upgrade"),
        *("trailer", "max-forwards", "pragma", "cache-control", "dnt", "digest", "forwarded"),
    }
)

BEHIND_STARTS: Final = (
    *("content-", "accept", "if-", "sec-", "access-control-", "x-streamkit-"),
    *("anthropic-", "openai-", "x-stainless-", "x-goog-"),
)

ANSWERED: Final = frozenset(
    {
        *REQUEST_ID_HEADERS,
        *("retry-after", "retry-after-ms", "x-should-retry", "server-timing", "openai-processing-ms"),
        *("traceparent", "tracestate", "x-trace-id", "x-b3-traceid"),
    }
)

ANSWERED_STARTS: Final = ("x-ratelimit-", "ratelimit", "anthropic-ratelimit-", "x-litellm-", "x-mock-")
"""What of an answer's headers goes on, by name. The rest may mean something to a proxy or a browser on the way (nginx
serves files by `X-Accel-Redirect`, `WWW-Authenticate` asks a person for a password), or belongs to the operator."""

REQUEST_ID: Final = {"openai": "x-request-id", "anthropic": "request-id"}
"""The header in which the SDKs of a family look for the request's id."""


def asked_headers(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the client's headers that go to a server of another dialect."""
    return [(name, value) for name, value in end_to_end(headers, BEHIND) if not name.lower().startswith(BEHIND_STARTS)]


def key_in(headers: Iterable[tuple[str, str]]) -> str:
    """Return the key that a client has sent, in whatever header its SDK puts it into; empty where there is none."""
    for name, value in headers:
        lower = name.lower()
        if lower == "authorization":
            scheme, _, key = value.partition(" ")
            if scheme.lower() == "bearer" and key.strip():
                return key.strip()
        elif lower in KEY_HEADERS and value.strip():
            return value.strip()
    return ""


def answer_headers(headers: Sequence[tuple[str, str]], family: str) -> list[tuple[str, str]]:
    """Return the upstream's headers that go to a client of another dialect.

    Args:
        headers: of the response.
        family: whose dialect the client has; the request's id is also told where its SDK looks for it.
    """
    kept = [
        (name, value)
        for name, value in end_to_end([*headers])
        if name.lower() in ANSWERED or name.lower().startswith(ANSWERED_STARTS)
    ]
    told = {name.lower(): value for name, value in reversed(kept)}
    wanted = REQUEST_ID.get(family)
    if wanted is not None and wanted not in told:
        known = next((told[name] for name in REQUEST_ID_HEADERS if name in told), None)
        kept += [] if known is None else [(wanted, known)]
    return kept
