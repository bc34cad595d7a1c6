"""A request to the small agent service's `/chat`: `{"messages": [{"role", "content"}...], "model"}`. No tools."""

from __future__ import annotations

from streamkit.dialects.request_ag_ui import AGENTS_BUSINESS
from streamkit.dialects.request_parts import document_of, given, is_spoken, linked, no_tools, unplaced
from streamkit.dialects.requests import ChatRequest, RequestDocument

__all__ = ["request_document"]


def request_document(request: ChatRequest) -> RequestDocument:
    """Return the request.

    Raises:
        ConfigError: there are tools, or calls of such.
    """
    no_tools(request, "agent-poc", "ag-ui")
    messages = linked(request.messages)
    body: dict[str, object] = {
        "messages": [{"role": message.role, "content": message.text} for message in messages if is_spoken(message)],
        **given(model=request.model),
    }
    dropped = unplaced(request, *AGENTS_BUSINESS)
    dropped += ["message.reasoning" for message in messages if message.reasoning]
    dropped += ["message.signature" for message in messages if message.is_sealed]
    return document_of(request, "/chat", body, dropped)
