"""What requests to OpenAI's three endpoints share: how tools, choices of them and schemas are written."""

from __future__ import annotations

from streamkit.dialects.request_parts import TOOL_WORDS
from streamkit.dialects.requests import ChatRequest, ResponseSchema

__all__ = ["schema_fields", "stream_fields", "tool_choice_of"]


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


def schema_fields(schema: ResponseSchema) -> dict[str, object]:
    """Return name, schema and what goes with them."""
    fields: dict[str, object] = {"name": schema.name, "schema": schema.schema}
    if schema.description:
        fields["description"] = schema.description
    if schema.strict is not None:
        fields["strict"] = schema.strict
    return fields
