"""A request to an AG-UI agent: `RunAgentInput` of ag-ui-protocol 1.0.

The protocol says neither where an agent is (any path is lawful; `/agui` stands for one that is not given) nor what
model it uses: a model goes into `forwardedProps`, which an agent may heed. How to draw tokens is the agent's business
altogether. All keys are there that older agents insist on.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from streamkit.dialects.request_messages import ChatMessage
from streamkit.dialects.request_parts import chosen, conversation_id, document_of, given, linked, schema_of, unplaced
from streamkit.dialects.requests import ChatRequest, RequestDocument, Tool

__all__ = ["AGENTS_BUSINESS", "request_document"]

AGENTS_BUSINESS: Final = (
    *("max_tokens", "temperature", "top_p", "top_k", "seed", "stop", "frequency_penalty", "presence_penalty", "n"),
    *("response_format", "reasoning", "stream"),
)
"""Fields that a request to an agent has no place for."""


def request_document(request: ChatRequest) -> RequestDocument:
    """Return the request.

    Raises:
        ConfigError: it makes no sense: a result without a call, or a choice of a tool that is not offered.
    """
    thread = conversation_id(request)
    tools, dropped = chosen(request)
    messages = linked(request.messages)
    body: dict[str, object] = {
        "threadId": thread,
        "runId": f"{thread}-run-{len(messages)}",
        "state": {},
        "messages": [
            written for number, message in enumerate(messages) for written in written_of(message, f"{thread}-{number}")
        ],
        "tools": [tool_of(tool) for tool in tools],
        "context": [],
        "forwardedProps": given(model=request.model),
    }
    dropped += unplaced(request, "parallel_tool_calls", *AGENTS_BUSINESS)
    return document_of(request, "/agui", body, dropped)


def written_of(message: ChatMessage, message_id: str) -> Iterator[dict[str, object]]:
    """Yield what a message is: what was thought is one of its own."""
    if message.role == "tool":
        yield {"id": message_id, "role": "tool", "toolCallId": message.tool_call_id, "content": message.text}
        return
    if message.reasoning or message.is_sealed:
        sealed = given(encryptedValue=message.encrypted or message.signature)
        yield {"id": f"{message_id}-reasoning", "role": "reasoning", "content": message.reasoning, **sealed}
    calls = [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments or "{}"}}
        for call in message.tool_calls
    ]
    said = {} if calls and not message.text else {"content": message.text}
    yield {"id": message_id, "role": message.role, **said, **given(toolCalls=calls)}


def tool_of(tool: Tool) -> dict[str, object]:
    """Return one tool; its description has to be there."""
    return {"name": tool.name, "description": tool.description, "parameters": schema_of(tool)}
