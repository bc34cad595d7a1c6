"""A request to OpenAI's `/v1/responses`.

The conversation goes with every request as items of `input`, so the server is asked not to keep it (`store` is false).
What the assistant thought goes back only sealed: an item of type `reasoning` with `encrypted_content`, which OpenAI's
answers have where the request asked for thinking. That item has no id: without `store` the server knows none.

Unlike a chat's, a tool is strict unless it says otherwise, and a schema that is not made for that is refused; tools are
written with `strict` false.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from streamkit.dialects.request_messages import ChatMessage
from streamkit.dialects.request_openai import effort_told, schema_fields, tool_choice_of
from streamkit.dialects.request_parts import (
    SEPARATOR,
    document_of,
    given,
    is_spoken,
    linked,
    offered,
    schema_of,
    unplaced,
)
from streamkit.dialects.request_turns import prefill
from streamkit.dialects.requests import ChatRequest, RequestDocument, Tool

__all__ = ["MIN_OUTPUT_TOKENS", "request_document"]

MIN_OUTPUT_TOKENS: Final = 16
"""OpenAI refuses less, so a lower bound is written as this one: clients try a server out with one token."""


def request_document(request: ChatRequest) -> RequestDocument:
    """Return the request: the system's texts at the start are its `instructions`, later ones items of their own.

    Raises:
        ConfigError: it makes no sense: a result without a call, or a choice of a tool that is not offered.
    """
    messages = linked(request.messages)
    said = [message for message in messages if message.is_sealed or is_spoken(message)]
    # A request has to have some input: where there is only a system, it is that.
    first = next((number for number, message in enumerate(said) if message.role != "system"), 0)
    instructions = SEPARATOR.join([message.text for message in said[:first] if message.text])
    form = format_of(request)
    effort, lost = effort_told(request, is_shown=True)
    body: dict[str, object] = {
        **given(model=request.model, instructions=instructions),
        "input": [item for message in said[first:] for item in items_of(message)],
        **given(
            tools=[tool_of(tool) for tool in offered(request)],
            tool_choice=tool_choice_of(request, nested=False),
            parallel_tool_calls=request.parallel_tool_calls if request.tools else None,
            max_output_tokens=None if request.max_tokens is None else max(request.max_tokens, MIN_OUTPUT_TOKENS),
            temperature=request.temperature,
            top_p=request.top_p,
            text=None if form is None else {"format": form},
        ),
        **reasoning_fields(request, effort),
        "store": False,
        "stream": request.stream,
    }
    dropped = unplaced(request, "top_k", "seed", "stop", "frequency_penalty", "presence_penalty", "n")
    dropped += lost + prefill(messages)
    dropped += ["message.reasoning" for message in messages if message.reasoning and not message.is_sealed]
    return document_of(request, "/v1/responses", body, dropped)


def items_of(message: ChatMessage) -> Iterator[dict[str, object]]:
    """Yield the items that a message is: what was thought, what is said, and each call."""
    if message.role == "tool":
        yield {"type": "function_call_output", "call_id": message.tool_call_id, "output": message.text}
        return
    if message.is_sealed:
        summary = [{"type": "summary_text", "text": message.reasoning}] if message.reasoning else []
        yield {"type": "reasoning", "summary": summary, "encrypted_content": message.encrypted or message.signature}
    if message.text or (is_spoken(message) and not message.tool_calls):
        yield {"type": "message", "role": message.role, "content": message.text}
    for call in message.tool_calls:
        yield {"type": "function_call", "call_id": call.id, "name": call.name, "arguments": call.arguments or "{}"}


def tool_of(tool: Tool) -> dict[str, object]:
    """Return one tool."""
    named = given(type="function", name=tool.name, description=tool.description)
    return {**named, "parameters": schema_of(tool), "strict": False}


def format_of(request: ChatRequest) -> object | None:
    """Return `text.format`."""
    form = request.response_format
    if form is None:
        return None
    return {"type": "json_object"} if form == "json" else {"type": "json_schema", **schema_fields(form)}


def reasoning_fields(request: ChatRequest, effort: str | None) -> dict[str, object]:
    """Return what asks for thinking. Only a plain yes asks to see it, for which OpenAI wants a verified account."""
    if effort is None:
        return {}
    shown = {"summary": "auto"} if request.reasoning is True else {}
    sealed = {} if effort == "none" else {"include": ["reasoning.encrypted_content"]}
    return {"reasoning": {"effort": effort, **shown}, **sealed}
