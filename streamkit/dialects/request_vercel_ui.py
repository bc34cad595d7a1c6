"""A request to a route of the AI SDK's UI message stream: what `DefaultChatTransport` posts.

`{"id", "messages": [{"id", "role", "parts"}], "trigger"}`. A call and its result are one part of the assistant's
message. The route has the tools and chooses the model; a model's name goes along as `model`, as pages that let people
choose send it. `/api/chat` is the SDK's own default of where the route is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping

from streamkit.dialects.request_ag_ui import AGENTS_BUSINESS
from streamkit.dialects.request_messages import ChatMessage
from streamkit.dialects.request_parts import (
    arguments_of,
    conversation_id,
    document_of,
    given,
    is_spoken,
    linked,
    object_of,
    offered,
    unplaced,
)
from streamkit.dialects.requests import ChatRequest, RequestDocument
from streamkit.errors import ConfigError

__all__ = ["request_document"]


def request_document(request: ChatRequest) -> RequestDocument:
    """Return the request.

    Raises:
        ConfigError: it offers tools, or has a result without a call, or arguments that are no JSON object.
    """
    if offered(request) and request.tool_choice != "none":
        msg = "vercel-ui: the tools are the server's, so a request cannot offer any; ag-ui can"
        raise ConfigError(msg)
    messages = linked(request.messages)
    results: dict[str, deque[str]] = {}  # several of one id, where ids are not used once only
    for message in messages:
        if message.role == "tool":
            results.setdefault(message.tool_call_id, deque()).append(message.text)
    chat = conversation_id(request)
    body: dict[str, object] = {
        **given(model=request.model),
        "id": chat,
        "messages": [
            {"id": f"{chat}-{number}", "role": message.role, "parts": list(parts_of(message, results))}
            for number, message in enumerate(messages)
            if message.role != "tool" and (message.reasoning or is_spoken(message))
        ],
        "trigger": "submit-message",
    }
    dropped = unplaced(request, *AGENTS_BUSINESS)
    dropped += ["message.signature" for message in messages if message.is_sealed]
    return document_of(request, "/api/chat", body, dropped)


def parts_of(message: ChatMessage, results: Mapping[str, deque[str]]) -> Iterator[dict[str, object]]:
    """Yield the parts of one message; results that are in them are taken out."""
    if message.reasoning:
        yield {"type": "reasoning", "text": message.reasoning, "state": "done"}
    if message.text or not message.tool_calls:
        yield {"type": "text", "text": message.text}
    for call in message.tool_calls:
        waiting = results.get(call.id)
        text = waiting.popleft() if waiting else None
        part = {
            "type": f"tool-{call.name}",
            "toolCallId": call.id,
            "state": "input-available" if text is None else "output-available",
            "input": arguments_of(call, "vercel-ui"),
        }
        output = None if text is None else object_of(text)
        yield {**part, **({} if text is None else {"output": text if output is None else output})}
