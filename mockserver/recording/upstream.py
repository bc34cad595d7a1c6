"""A client's request as a recorder passes it on to the real server. Pure (RFC 9110 section 7.6.1)."""

from __future__ import annotations

from typing import Final

from streamkit.http.exchange import Request
from streamkit.http.forward import connection_options, end_to_end, origin_form
from streamkit.http.origin import Origin

__all__ = ["forwarded_head"]

REPLACED: Final = frozenset({"host", "content-length", "expect", "trailer"})
"""What is written anew, or was answered already; the trailers of a body that is passed on whole are gone."""


def forwarded_head(upstream: Origin, request: Request, body: bytes) -> bytes:
    """Return the head that is sent for a client's request.

    Method, version and headers are the client's, in their order. Host is the server's; the body, which may have been
    chunked, has a Content-Length; what concerns the client's connection only stays behind, but for its wish that the
    connection is closed or kept, which servers repeat in their answer.
    """
    headers = request.headers
    options = connection_options(headers)
    has_length = any(name.lower() in {"content-length", "transfer-encoding"} for name, _ in headers)
    kept = [("Host", upstream.authority)]
    kept += end_to_end(headers, REPLACED)
    if body or has_length:
        kept.append(("Content-Length", str(len(body))))
    kept += [("Connection", option) for option in ("close", "keep-alive") if option in options][:1]
    lines = [f"{request.method} {origin_form(upstream, request.target, method=request.method)} HTTP/{request.version}"]
    lines += [f"{name}: {value}" for name, value in kept]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")
