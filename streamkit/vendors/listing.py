"""The table of endpoints as lists and documentation show it: all texts. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from streamkit.vendors.endpoint import Endpoint
from streamkit.vendors.routes import ENDPOINTS

__all__ = ["EndpointRow", "describe"]


@dataclass(frozen=True)
class EndpointRow:
    """An endpoint, with all paths that it has.

    Attributes:
        path: the first of them, which is the usual one.
        other_paths: the rest.
    """

    method: str
    path: str
    dialect: str
    summary: str
    other_paths: tuple[str, ...]


def describe() -> list[EndpointRow]:
    """Return a row for each endpoint, in the order of the table."""
    by_meaning: dict[tuple[str, str, str], list[str]] = {}
    for endpoint in ENDPOINTS:
        by_meaning.setdefault((endpoint.method, endpoint.dialect, _summary(endpoint)), []).append(endpoint.pattern)
    return [
        EndpointRow(method, path, dialect, summary, tuple(others))
        for (method, dialect, summary), (path, *others) in by_meaning.items()
    ]


def _summary(endpoint: Endpoint) -> str:
    """Return what an endpoint is, and the header that tells it from another of the same path."""
    return endpoint.summary + (f" For requests with the header {endpoint.header}." if endpoint.header else "")
