"""`/generate`: lines of plain text with a number and a time, from nobody's prompt. Pure.

Go's mux, in which the generator was written first, lets any method through; here it is GET and POST.
"""

from __future__ import annotations

from typing import Final

from mockserver.ask import Ask, Question
from mockserver.vendors.endpoint import Endpoint, Facts, Params

__all__ = ["ENDPOINTS"]


def read(question: Question, params: Params, facts: Facts) -> Ask:  # noqa: ARG001 - a row's form
    """Return what is asked: nothing in particular."""
    return Ask(dialect="text", framing="text")


ENDPOINTS: Final = tuple(
    Endpoint(method, "/generate", "text", read, "Chunks of plain text: `Chunk N [HH:MM:SS.mmm]`.")
    for method in ("GET", "POST")
)
