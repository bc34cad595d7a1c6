"""A request to OpenAI's `/v1/chat/completions`, and to all servers that have it too.

The bound on tokens is `max_tokens`: OpenAI calls that outdated, and every compatible server knows it, while several do
not know `max_completion_tokens` (Mistral's refuses it, others pass over it). OpenAI's own reasoning models accept only
the new one, so a model whose name is one of theirs gets that. For any other model that wants it, it goes into `extra`.

What the assistant thought in earlier turns is dropped: OpenAI's messages have no place for it, and compatible servers
disagree about its name, or refuse it. The role `system` is written as it is: OpenAI reads it as `developer` where a
model wants that. What the assistant says right behind its calls is in the same message: only results may follow calls.
"""

from __future__ import annotations

from streamkit.dialects.request_messages import ChatMessage
from streamkit.dialects.request_openai import (
    REASONING_MODEL,
    effort_told,
    schema_fields,
    stream_fields,
    tool_choice_of,
)
from streamkit.dialects.request_parts import (
    document_of,
    given,
    is_spoken,
    linked,
    offered,
    schema_of,
    unplaced,
)
from streamkit.dialects.request_turns import prefill, whole_turns
from streamkit.dialects.requests import ChatRequest, RequestDocument, Tool

__all__ = ["request_document"]


def request_document(request: ChatRequest) -> RequestDocument:
    """Return the request.

    Raises:
        ConfigError: it makes no sense: a result without a call, or a choice of a tool that is not offered.
    """
    messages = whole_turns(linked(request.messages))
    effort, lost = effort_told(request, is_shown=False)
    bound = "max_completion_tokens" if REASONING_MODEL.search(request.model) else "max_tokens"
    body: dict[str, object] = {
        **given(model=request.model),
        "messages": [message_of(message) for message in messages if is_spoken(message)],
        **given(
            tools=[tool_of(tool) for tool in offered(request)],
            tool_choice=tool_choice_of(request, nested=True),
            parallel_tool_calls=request.parallel_tool_calls if request.tools else None,
            **{bound: request.max_tokens},
            temperature=request.temperature,
            top_p=request.top_p,
            seed=request.seed,
            stop=request.stop,
            frequency_penalty=request.frequency_penalty,
            presence_penalty=request.presence_penalty,
            n=request.n,
            response_format=format_of(request),
            reasoning_effort=effort,
        ),
        **stream_fields(request),
    }
    dropped = unplaced(request, "top_k") + lost + prefill(messages)
    dropped += ["message.reasoning" for message in messages if message.reasoning]
    dropped += ["message.signature" for message in messages if message.is_sealed]
    return document_of(request, "/v1/chat/completions", body, dropped)


def message_of(message: ChatMessage) -> dict[str, object]:
    """Return one message; the content of one that only calls tools is null, as OpenAI's own are."""
    if message.role == "tool":
        return {"role": "tool", "tool_call_id": message.tool_call_id, "content": message.text}
    if not message.tool_calls:
        return {"role": message.role, "content": message.text}
    calls = [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments or "{}"}}
        for call in message.tool_calls
    ]
    return {"role": message.role, "content": message.text or None, "tool_calls": calls}


def tool_of(tool: Tool) -> dict[str, object]:
    """Return one tool."""
    function = {**given(name=tool.name, description=tool.description), "parameters": schema_of(tool)}
    return {"type": "function", "function": function}


def format_of(request: ChatRequest) -> object | None:
    """Return `response_format`."""
    form = request.response_format
    if form is None:
        return None
    return {"type": "json_object"} if form == "json" else {"type": "json_schema", "json_schema": schema_fields(form)}
