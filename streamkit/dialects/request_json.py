"""No request: JSON records are what any server may send, and say nothing of how it is asked."""

from __future__ import annotations

from streamkit.dialects.requests import ChatRequest, RequestDocument
from streamkit.errors import ConfigError

__all__ = ["request_document"]


def request_document(request: ChatRequest) -> RequestDocument:  # noqa: ARG001 - a row's form
    """Refuse.

    Raises:
        ConfigError: always.
    """
    msg = "json has no form for a question; give the dialect of the server"
    raise ConfigError(msg)
