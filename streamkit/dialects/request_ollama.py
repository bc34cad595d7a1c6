"""Requests to Ollama's `/api/chat` and `/api/generate` (ollama/ollama `api/types.go`, `docs/api`).

There is no choice of tools. "none" offers none, and the name of one offers that one alone, which the model may still
not call. Ids of calls go along where the vendor that made them gave some; Ollama itself tells calls by their names.
What the assistant says right behind its calls is in the same message: their results come next.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from streamkit.dialects.request_messages import ChatMessage
from streamkit.dialects.request_parts import (
    arguments_of,
    chosen,
    document_of,
    effort_of,
    given,
    is_spoken,
    linked,
    model_named,
    one_prompt,
    schema_of,
    unplaced,
)
from streamkit.dialects.request_turns import whole_turns
from streamkit.dialects.requests import ChatRequest, RequestDocument, Tool
from streamkit.errors import ConfigError

__all__ = ["chat_document", "generate_document"]

LEVELLED: Final = "gpt-oss"
"""What is in the names of models that think by levels (ollama/ollama `server/routes.go`)."""

LEVELS: Final[Mapping[str, str]] = {"minimal": "low", "xhigh": "high", "max": "high"}
"""The efforts that they have another word for; they are trained for "low", "medium" and "high"."""


def chat_document(request: ChatRequest) -> RequestDocument:
    """Return the request to `/api/chat`.

    Raises:
        ConfigError: it has no model, a result without a call, or arguments that are no JSON object.
    """
    messages, as_given = whole_turns(linked(request.messages)), whole_turns(request.messages)
    tools, dropped = chosen(request)
    body: dict[str, object] = {
        "model": model_named(request, "ollama-chat"),
        "messages": [
            message_of(message, plain)
            for message, plain in zip(messages, as_given, strict=True)
            if message.reasoning or is_spoken(message)
        ],
        **given(tools=[tool_of(tool) for tool in tools]),
        **common_fields(request),
    }
    dropped += unplaced(request, "parallel_tool_calls", "n")
    dropped += ["message.signature" for message in messages if message.is_sealed]
    return document_of(request, "/api/chat", body, dropped, framing="ndjson")


def generate_document(request: ChatRequest) -> RequestDocument:
    """Return the request to `/api/generate`.

    Raises:
        ConfigError: it has no model, or is more than a system text and a prompt, or less than a prompt.
    """
    system, prompt, moved = one_prompt(request, "ollama-generate", "ollama-chat")
    if not prompt:
        msg = "ollama-generate: there is no prompt, and without one the server only loads the model"
        raise ConfigError(msg)
    model = model_named(request, "ollama-generate")
    body = {**given(model=model, system=system, prompt=prompt), **common_fields(request)}
    return document_of(request, "/api/generate", body, unplaced(request, "n") + moved, framing="ndjson")


def common_fields(request: ChatRequest) -> dict[str, object]:
    """Return the fields that both endpoints have."""
    options = given(
        num_predict=request.max_tokens,
        temperature=request.temperature,
        top_p=request.top_p,
        top_k=request.top_k,
        seed=request.seed,
        stop=request.stop,
        frequency_penalty=request.frequency_penalty,
        presence_penalty=request.presence_penalty,
    )
    form = request.response_format
    return {
        **({"options": options} if options else {}),
        **given(format=form if form is None or form == "json" else form.schema, think=think_of(request)),
        "stream": request.stream,
    }


def think_of(request: ChatRequest) -> bool | str | None:
    """Return `think`. Only OpenAI's open models have levels; for any other Ollama refuses a level."""
    effort = effort_of(request)
    if effort is None:
        return None
    if effort == "none":
        return False
    has_level = LEVELLED in request.model.lower() and request.reasoning is not True
    return LEVELS.get(effort, effort) if has_level else True


def message_of(message: ChatMessage, as_given: ChatMessage) -> dict[str, object]:
    """Return one message; `as_given` is the same before its calls got ids."""
    if message.role == "tool":
        call_id = given(tool_call_id=as_given.tool_call_id)
        return {"role": "tool", "content": message.text, "tool_name": message.tool_name, **call_id}
    calls = [
        {**given(id=plain.id), "function": {"name": call.name, "arguments": arguments_of(call, "ollama-chat")}}
        for call, plain in zip(message.tool_calls, as_given.tool_calls, strict=True)
    ]
    return {
        "role": message.role,
        "content": message.text,
        **given(thinking=message.reasoning, tool_calls=calls),
    }


def tool_of(tool: Tool) -> dict[str, object]:
    """Return one tool."""
    function = {**given(name=tool.name, description=tool.description), "parameters": schema_of(tool)}
    return {"type": "function", "function": function}
