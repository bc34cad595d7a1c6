"""flush: every piece reaches the client before the next one is sent, whatever its framing, type, size or method."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from streamkit.contract.case import Case, levels
from streamkit.contract.content import Part
from streamkit.contract.lockstep import Source, judge_lockstep, lockstep

if TYPE_CHECKING:
    from streamkit.contract.stand import Stand
    from streamkit.contract.upstream_end import Framing

__all__ = ["CASES"]

EVENTS: Final = 12
"""Pieces of a lockstep run: as many as it took to catch every proxy that was measured."""


def small_events(stand: Stand) -> Source:
    """Return an answer of small tokens."""
    answer = stand.talk.answer()
    parts = [answer.open(), *(answer.text(text) for text in stand.talk.tokens(EVENTS))]

    def filler(size_bytes: int) -> Part:
        return answer.text("x" * size_bytes)

    return Source(parts, filler, answer.close)


FRAMED: Final[dict[Framing, str]] = {
    "chunked": "a chunked answer",
    "close": "an answer that ends with the connection, as HTTP/1.0 has it",
    "cl": "an answer with a Content-Length",
}

CASES: Final = tuple(
    Case(
        id=f"flush.sse.{framing}",
        levels=levels("must", "must"),
        rule=f"Each event of {words} is with the client before the next one is sent.",
        bugs=("ggml-org/llama.cpp#20872", "BerriAI/litellm#29557", "Kong/kong#14425"),
        drive=lockstep(small_events, framing=framing),
        judge=judge_lockstep,
    )
    for framing, words in FRAMED.items()
)
