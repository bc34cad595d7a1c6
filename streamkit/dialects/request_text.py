"""A request for plain text: `{"prompt"}` posted to `/generate`, the form in which the AI SDK asks for a completion.

There is no system: its text stands before the prompt, and `dropped` says so.
"""

from __future__ import annotations

from streamkit.dialects.request_ag_ui import AGENTS_BUSINESS
from streamkit.dialects.request_parts import SEPARATOR, document_of, given, one_prompt, unplaced
from streamkit.dialects.requests import ChatRequest, RequestDocument

__all__ = ["request_document"]


def request_document(request: ChatRequest) -> RequestDocument:
    """Return the request.

    Raises:
        ConfigError: it is more than a prompt.
    """
    system, prompt, _ = one_prompt(request, "text", "agent-poc")
    body = {"prompt": SEPARATOR.join(filter(None, (system, prompt))), **given(model=request.model)}
    dropped = unplaced(request, *AGENTS_BUSINESS) + ["system.role"] * bool(system)
    return document_of(request, "/generate", body, dropped, framing="text")
