"""Every endpoint, and which of them a request is for. Pure.

A path that there is not gets an endpoint too: one that refuses, in the manner of the vendor whose paths look alike.
"""

from __future__ import annotations

from typing import Final

from streamkit.vendors import (
    ag_ui,
    agent_poc,
    anthropic,
    gemini,
    generate,
    ollama,
    openai,
    openai_chat,
    openai_completions,
    openai_responses,
    vercel_ui,
)
from streamkit.vendors.endpoint import Endpoint, Facts, Found, Params
from streamkit.vendors.fields import Manner
from streamkit.vendors.plain import PLAIN
from streamkit.vendors.question import Question, RefusedError

__all__ = ["ENDPOINTS", "find"]

ENDPOINTS: Final[tuple[Endpoint, ...]] = tuple(
    endpoint
    for module in (
        ollama,
        openai_chat,
        openai_completions,
        openai_responses,
        anthropic,
        gemini,
        openai,
        ag_ui,
        agent_poc,
        vercel_ui,
        generate,
    )
    for endpoint in module.ENDPOINTS
)
"""Every endpoint. Where a request fits several, the first that comes here is meant."""

MANNERS: Final[dict[str, Manner]] = {
    "ollama-chat": ollama.MANNER,
    "ollama-generate": ollama.MANNER,
    "openai-chat": openai.MANNER,
    "openai-completions": openai.MANNER,
    "openai-responses": openai.MANNER,
    "anthropic": anthropic.MANNER,
    "gemini": gemini.MANNER,
}
"""How each dialect's vendor complains; that of all others is plain."""

HEADERS: Final = ((anthropic.VERSION_HEADER, "anthropic"), (gemini.KEY_HEADER, "gemini"))
"""Headers that only one vendor's clients send."""

LOOKS: Final = (
    ("/api/", "ollama-chat"),
    ("/v1beta", "gemini"),
    ("/v1/messages", "anthropic"),
    ("/v1/", "openai-chat"),
    ("/openai/", "openai-chat"),
    ("/chat/", "openai-chat"),
)
"""What paths begin with, and the dialect that they look like."""


def find(question: Question) -> Found:
    """Return the endpoint that a request is for; reading by it raises whatever there is to complain of."""
    method = "GET" if question.method == "HEAD" else question.method
    allowed: dict[str, Endpoint] = {}
    for endpoint in ENDPOINTS:
        params = endpoint.match(question)
        if params is None:
            continue
        if endpoint.method == method:
            return Found(endpoint, params)
        if not endpoint.is_open:
            allowed.setdefault(endpoint.method, endpoint)
    if not allowed:
        return Found(refusing(looks_like(question)), {})
    methods = tuple(name for method in allowed for name in (("GET", "HEAD") if method == "GET" else (method,)))
    return Found(refusing(next(iter(allowed.values())).dialect, methods), {})


def looks_like(question: Question) -> str:
    """Return the dialect that a path nobody has looks most like."""
    for header, dialect in HEADERS:
        if header in question.headers:
            return dialect
    return next((dialect for start, dialect in LOOKS if question.path.startswith(start)), "json")


def refusing(dialect: str, methods: tuple[str, ...] = ()) -> Endpoint:
    """Return an endpoint that refuses everything: its path, or, where there are `methods`, all others."""
    manner = MANNERS.get(dialect, PLAIN)

    def read(question: Question, params: Params, facts: Facts) -> RefusedError:  # noqa: ARG001 - a row's form
        if methods:
            raise manner.wrong_method(question.method, question.path, methods)
        raise manner.unknown_path(question.method, question.path)

    return Endpoint("", "", dialect, read, "")
