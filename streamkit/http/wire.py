"""The bytes of a response, legal or not: heads, chunks, trailers. Pure; nothing is checked (RFC 9112).

A mock has to be able to say what h11 rightly refuses to. Who wants only legal bytes gives only legal values.
"""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus

__all__ = ["chunk", "last_chunk", "reason_of", "response_head"]


def reason_of(status: int) -> str:
    """Return the usual reason phrase, empty for a status that has none."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def response_head(
    status: int, headers: Iterable[tuple[str, str]], *, reason: str | None = None, version: str = "1.1"
) -> bytes:
    """Return the status line, the headers in their order, and the blank line."""
    lines = [f"HTTP/{version} {status} {reason_of(status) if reason is None else reason}"]
    lines += [f"{name}: {value}" for name, value in headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def chunk(data: bytes) -> bytes:
    """Return a chunk. Of no data it would be the last one, so that is nothing."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


def last_chunk(trailers: Iterable[tuple[str, str]] = ()) -> bytes:
    """Return the chunk that ends a body, with its trailers."""
    lines = [f"{name}: {value}\r\n" for name, value in trailers]
    return f"0\r\n{''.join(lines)}\r\n".encode("latin-1")
