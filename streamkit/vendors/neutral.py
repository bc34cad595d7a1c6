"""How what vendors write in several pieces becomes one word of the neutral request: texts, and forced tools. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from streamkit.dialects.request_parts import TOOL_WORDS
from streamkit.dialects.requests import Tool

__all__ = ["forced", "joined"]


def joined(texts: Iterable[str]) -> str:
    """Return the texts of one message, or of one result, as one text.

    A line ends where two of them meet, unless there is white space already: a tool that answers 12 and 34 has not
    answered 1234. What the assistant said is not for this function: its pieces are one text, cut anywhere.
    """
    pieces: list[str] = []
    for text in texts:
        if not text:
            continue
        if pieces and not pieces[-1][-1].isspace() and not text[0].isspace():
            pieces.append("\n")
        pieces.append(text)
    return "".join(pieces)


def forced(name: str, tools: Sequence[Tool]) -> tuple[str, list[Tool]]:
    """Return the choice of the tool that has to be called, and the tools.

    A tool that is called like one of the other choices is the only one, and one has to be called.
    """
    if name not in TOOL_WORDS:
        return name, [*tools]
    return "required", [tool for tool in tools if tool.name == name]
