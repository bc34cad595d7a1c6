"""A small agent service: `/`, `/health`, and `/chat`. Pure.

`/chat` takes `{"messages":[{"role","content"}...],"model"}`; a page's EventSource, which can only GET, may give the
message as `?prompt=`. Where no model is named it is the service's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from streamkit.dialects.request_messages import ChatMessage, Role
from streamkit.dialects.requests import ChatRequest
from streamkit.vendors.endpoint import Endpoint, Facts, Params
from streamkit.vendors.fields import Fields
from streamkit.vendors.plain import PLAIN, text_of
from streamkit.vendors.question import Question
from streamkit.vendors.reading import Reading

__all__ = ["ENDPOINTS", "prompted"]

DEFAULT_CHAT_MODEL: Final = "mistral:latest"

ROLES: Final[Mapping[str, Role]] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
}


def read_chat(question: Question, params: Params, facts: Facts) -> Reading:  # noqa: ARG001 - a row's form
    """Return what is asked.

    Raises:
        RefusedError: the body is no chat request.
    """
    body = PLAIN.body_of(question)
    model = PLAIN.model_of(body, facts, DEFAULT_CHAT_MODEL)
    body.need("messages")
    messages = body.objects("messages")
    if not messages:
        raise PLAIN.empty(body.at("messages"))
    request = ChatRequest(model=model, messages=[message_of(message) for message in messages])
    body.seal()
    return Reading("agent-poc", "sse", request, tuple(body.leftovers))


def message_of(message: Fields) -> ChatMessage:
    """Return one message."""
    message.need("role", "content")
    role = message.text("role")
    if role not in ROLES:
        message.refuse("role", f"a message of the role {role[:64]!r} cannot be translated")
    said = ChatMessage(ROLES.get(role, "assistant"))
    said.text = text_of(message, "content", is_answer=said.role == "assistant")
    message.seal()
    return said


def read_prompt(question: Question, params: Params, facts: Facts) -> Reading:  # noqa: ARG001 - a row's form
    """Return what is asked by a GET.

    Raises:
        RefusedError: there is no `prompt`, or no such model.
    """
    prompt, query = prompted(question)
    model = PLAIN.model_of(query, facts, DEFAULT_CHAT_MODEL)
    return Reading("agent-poc", "sse", ChatRequest(model=model, messages=[prompt]))


def prompted(question: Question) -> tuple[ChatMessage, Fields]:
    """Return what `?prompt=` says, and all parameters.

    Raises:
        RefusedError: it is not there.
    """
    query = Fields(question.query, PLAIN, ())
    query.need("prompt")
    return ChatMessage("user", query.text("prompt")), query


def status(question: Question, params: Params, facts: Facts) -> object:  # noqa: ARG001 - a row's form
    """Return what runs here."""
    return {"service": facts.service, "status": "running"}


def health(question: Question, params: Params, facts: Facts) -> object:  # noqa: ARG001 - a row's form
    """Return whether all is well; what stands behind the service was once an Ollama."""
    if facts.is_healthy:
        return {"status": "healthy", "ollama": "connected"}
    return {"status": "degraded", "ollama": "disconnected"}


ENDPOINTS: Final = (
    Endpoint("GET", "/", "agent-poc", status, "What runs here.", kind="status"),
    Endpoint("GET", "/health", "agent-poc", health, "Whether all is well.", kind="status"),
    Endpoint("POST", "/chat", "agent-poc", read_chat, "The agent service's chat."),
    Endpoint("GET", "/chat", "agent-poc", read_prompt, "The same for an EventSource: `?prompt=`."),
)
