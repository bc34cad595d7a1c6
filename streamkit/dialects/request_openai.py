"""What requests to OpenAI's three endpoints share: how tools, choices of them, schemas and efforts are written.

Which efforts of thinking a model takes hangs on its name (OpenAI's guide on reasoning models): those of OpenAI's own
that do not think refuse all of them, its later ones know words that others refuse. Of compatible servers many know
three only, and refuse any for a model that does not think.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from streamkit.dialects.request_parts import TOOL_WORDS, effort_of
from streamkit.dialects.requests import EFFORTS, ChatRequest, ResponseSchema

__all__ = ["REASONING_MODEL", "effort_told", "schema_fields", "stream_fields", "tool_choice_of"]

REASONING_MODEL: Final = re.compile(r"(?:^|/)(?:o[1-9]|gpt-(?:[5-9]|[1-9]\d)|codex)(?![0-9a-z])")
"""Names of OpenAI's reasoning models, with or without a vendor before them."""

PLAIN_MODEL: Final = re.compile(r"(?:^|/)(?:gpt-[34]|chatgpt-|gpt-\d[^/]*-chat)")
"""Names of those of its models that do not think."""

VERSION: Final = re.compile(r"(?:^|/)gpt-(\d+)(?:\.(\d+))?")

LEVELS: Final = ("low", "medium", "high")
"""The efforts that all know who know any."""


def stream_fields(request: ChatRequest) -> dict[str, object]:
    """Return what asks for a stream of a chat or a completion, and for token counts in it."""
    if not request.stream:
        return {"stream": False}
    return {"stream": True, **({"stream_options": {"include_usage": True}} if request.include_usage else {})}


def tool_choice_of(request: ChatRequest, *, nested: bool) -> object | None:
    """Return `tool_choice`, None where nothing has to be said; `nested` as a chat has a tool's name."""
    choice = request.tool_choice
    if not request.tools or choice == "auto":
        return None
    if choice in TOOL_WORDS:
        return choice
    return {"type": "function", "function": {"name": choice}} if nested else {"type": "function", "name": choice}


def effort_told(request: ChatRequest, *, is_shown: bool) -> tuple[str | None, list[str]]:
    """Return the effort that the model is told, if any, and `reasoning` if that makes a difference.

    To a model of a name that is not OpenAI's only a level is told: whether it thinks is its server's choice. One of
    OpenAI's that always thinks is asked to do it as little as it can.

    Args:
        request: what is asked.
        is_shown: whether the dialect shows thoughts to who asks for them. Where it does not, a plain yes is told
            nobody: most of it is the wish to see them, and how hard a model thinks by itself may be another effort.

    Raises:
        ConfigError: there is no such effort.
    """
    effort = effort_of(request)
    if effort is None:
        return None, []
    if PLAIN_MODEL.search(request.model):
        return None, [] if effort == "none" else ["reasoning"]
    if request.reasoning is True and not is_shown:
        return None, ["reasoning"]
    if effort == "none" and REASONING_MODEL.search(request.model) is None:
        return None, ["reasoning"]
    told = nearest(effort, efforts_of(request.model))
    return told, ["reasoning"] if effort == "none" != told else []


def efforts_of(model: str) -> Sequence[str]:
    """Return the efforts that a model takes, going by its name."""
    found = VERSION.search(model)
    if found is None or REASONING_MODEL.search(model) is None:
        return LEVELS
    version, is_codex = (int(found[1]), int(found[2] or 0)), "codex" in model
    least = () if is_codex else ("minimal",) if version < (5, 1) else ("none",)
    most = ("xhigh",) if version >= (5, 2) or "codex-max" in model else ()
    return (*least, *LEVELS, *most)


def nearest(effort: str, known: Sequence[str]) -> str:
    """Return the effort that is known and nearest to one; of two, the greater."""
    place = EFFORTS.index(effort)
    return min(known, key=lambda each: (abs(EFFORTS.index(each) - place), -EFFORTS.index(each)))


def schema_fields(schema: ResponseSchema) -> dict[str, object]:
    """Return name, schema and what goes with them."""
    fields: dict[str, object] = {"name": schema.name, "schema": schema.schema}
    if schema.description:
        fields["description"] = schema.description
    if schema.strict is not None:
        fields["strict"] = schema.strict
    return fields
