"""What must not be written down: keys and cookies, wherever journals, cassettes and reports would keep them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

__all__ = ["REDACTED", "is_secret_header", "is_secret_parameter", "redacted_headers", "redacted_target"]

REDACTED: Final = "[redacted]"

SECRET: Final = re.compile(
    r"auth|cookie|token|secret|password|passwd|credential|api[-_]?key|\A(x-.*-)?key\Z", re.IGNORECASE
)
"""What a header's or parameter's name has in it when its value is nobody's business. Better one too many."""


def is_secret_header(name: str) -> bool:
    """Tell whether a header's value is kept to ourselves."""
    return SECRET.search(name) is not None


def is_secret_parameter(name: str) -> bool:
    """Tell whether a query parameter's value is (`?key=` is how Gemini's clients send theirs)."""
    return SECRET.search(name) is not None


def redacted_headers(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the headers with the values of the secret ones replaced."""
    return [(name, REDACTED if is_secret_header(name) else value) for name, value in headers]


def redacted_target(target: str) -> str:
    """Return a request's target with the values of secret parameters replaced."""
    path, question, query = target.partition("?")
    if not question:
        return target
    pairs = [pair.partition("=") for pair in query.split("&")]
    shown = [
        f"{name}{equals}{REDACTED if is_secret_parameter(name) and value else value}" for name, equals, value in pairs
    ]
    return f"{path}?{'&'.join(shown)}"
