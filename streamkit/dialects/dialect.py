"""One row of the registry: what a dialect is called, how its streams look, and who reads and writes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from streamkit.dialects.decoder import Decoder
from streamkit.dialects.encoder import Encoder
from streamkit.dialects.failure import Failure
from streamkit.dialects.framing import FRAMINGS
from streamkit.dialects.message import Message
from streamkit.dialects.requests import ChatRequest, RequestDocument

__all__ = ["FEATURES", "Dialect", "Feature"]

Feature = Literal[
    "text",
    "reasoning",
    "signatures",
    "refusal",
    "tools",
    "tool-fragments",
    "choices",
    "logprobs",
    "usage",
    "finish",
    "error",
    "ping",
    "custom",
]

FEATURES: tuple[Feature, ...] = Feature.__args__  # type: ignore[attr-defined]
"""What a dialect may be able to carry, in the order of tables."""


@dataclass(frozen=True)
class Dialect:
    """A row of the registry.

    Attributes:
        name: what commands and errors call it.
        summary: one sentence for people: whose it is, and where it is spoken.
        decoder, encoder: the stages from bytes to events and back.
        carries: what survives a conversion to it.
        looks_like: whether a record (its value, and the SSE event's type or "message") may be one of this dialect.
        document: the dialect's non-streaming response with the same content, as a JSON value.
        failure: the body of the response to a request that is refused, as a JSON value.
        request: the vendor's form of a request; it raises ConfigError for what the dialect cannot ask for.
        headers: what a server of this dialect sends besides the media type.
    """

    name: str
    summary: str
    decoder: type[Decoder]
    encoder: type[Encoder]
    carries: frozenset[Feature]
    looks_like: Callable[[object, str], bool]
    document: Callable[[Message], object]
    failure: Callable[[Failure], object]
    request: Callable[[ChatRequest], RequestDocument]
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def framings(self) -> tuple[str, ...]:
        """The framings that it comes in; the first is its own."""
        return self.decoder.framings

    @property
    def terminator(self) -> str:
        """What ends a stream, for people."""
        return self.decoder.terminator

    def media_type(self, framing: str | None = None) -> str:
        """Return the Content-Type of a stream in `framing`, or in the dialect's own."""
        return FRAMINGS[framing or self.framings[0]].media_type
