"""What one connection's head becomes on the next one: which fields stay behind, and how the target is written. Pure.

RFC 9110 section 7.6.1 and RFC 9112 section 3.2: fields that concern one connection only are not passed on, nor is what
`Connection` names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from streamkit.http.origin import Origin

__all__ = ["HOP_BY_HOP", "connection_options", "end_to_end", "origin_form"]

HOP_BY_HOP: Final = frozenset(
    {
        *("connection", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade", "http2-settings"),
        *("proxy-authorization", "proxy-authenticate", "proxy-authentication-info"),
    }
)
"""What concerns one connection only, and what is for the next proxy (RFC 9110 section 11.7).

`Trailer` is not among them: the trailers that it announces are passed on.
"""


NOT_HOP_BY_HOP: Final = frozenset({"content-length", "host"})
"""What stays, whatever `Connection` says: where a message ends and goes is not for the sender of an option to undo."""


def connection_options(headers: Iterable[tuple[str, str]]) -> set[str]:
    """Return what the `Connection` fields name, in lower case."""
    return {
        option.strip().lower() for name, value in headers if name.lower() == "connection" for option in value.split(",")
    }


def end_to_end(headers: list[tuple[str, str]], dropped: frozenset[str] = frozenset()) -> list[tuple[str, str]]:
    """Return the fields that go on to the next connection, in their order and case.

    Args:
        headers: as they came.
        dropped: names in lower case that stay behind as well.
    """
    behind = HOP_BY_HOP | dropped | (connection_options(headers) - NOT_HOP_BY_HOP)
    return [(name, value) for name, value in headers if name.lower() not in behind]


def origin_form(origin: Origin, target: str, *, method: str = "GET") -> str:
    """Return a request's target for the server's own request line (RFC 9112 section 3.2.1), without a fragment.

    Of OPTIONS for a whole server that is `*` (section 3.2.4).
    """
    if target == "*":
        return target
    if not target.startswith("/"):  # a client that takes us for its proxy names the server as well
        _, _, rest = target.partition("://")
        cut = re.search(r"[/?]", rest)
        if cut is None and method == "OPTIONS":
            return "*"
        target = rest[cut.start() :] if cut else ""
        target = target if target.startswith("/") else f"/{target}"
    return origin.path + target.partition("#")[0]
