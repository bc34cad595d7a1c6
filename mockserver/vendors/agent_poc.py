"""A small agent service: `/`, `/health`, and `/chat`. Pure.

`/chat` takes `{"messages":[{"role","content"}...],"model"}`; a page's EventSource, which can only GET, may give the
message as `?prompt=`.
"""

from __future__ import annotations

from typing import Final

from mockserver.ask import Ask, Question
from mockserver.vendors.endpoint import Endpoint, Facts, Params
from mockserver.vendors.fields import Fields, Talk
from mockserver.vendors.plain import PLAIN

__all__ = ["ENDPOINTS", "prompted"]

DEFAULT_CHAT_MODEL: Final = "mistral:latest"


def read_chat(question: Question, params: Params, facts: Facts) -> Ask:  # noqa: ARG001 - a row's form
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
    talk = Talk()
    for message in messages:
        message.need("role", "content")
        talk.hear(message.content("content"), by_user=message.text("role") == "user")
    return ask_of(talk, model)


def read_prompt(question: Question, params: Params, facts: Facts) -> Ask:  # noqa: ARG001 - a row's form
    """Return what is asked by a GET.

    Raises:
        RefusedError: there is no `prompt`, or no such model.
    """
    talk, query = prompted(question)
    return ask_of(talk, PLAIN.model_of(query, facts, DEFAULT_CHAT_MODEL))


def prompted(question: Question) -> tuple[Talk, Fields]:
    """Return what `?prompt=` says, and all parameters.

    Raises:
        RefusedError: it is not there.
    """
    query = Fields(question.query, PLAIN, ())
    query.need("prompt")
    talk = Talk()
    talk.hear(query.text("prompt"), by_user=True)
    return talk, query


def ask_of(talk: Talk, model: str) -> Ask:
    """Return what is asked."""
    return Ask(dialect="agent-poc", framing="sse", model=model, prompt=talk.prompt, prompt_tokens=talk.prompt_tokens)


def status(question: Question, params: Params, facts: Facts) -> object:  # noqa: ARG001 - a row's form
    """Return what runs here."""
    return {"service": "mockserver", "status": "running"}


def health(question: Question, params: Params, facts: Facts) -> object:  # noqa: ARG001 - a row's form
    """Return that all is well; there is nothing behind a mock that could be down."""
    return {"status": "healthy", "ollama": "connected"}


ENDPOINTS: Final = (
    Endpoint("GET", "/", "agent-poc", status, "What runs here."),
    Endpoint("GET", "/health", "agent-poc", health, "Whether all is well."),
    Endpoint("POST", "/chat", "agent-poc", read_chat, "The agent service's chat."),
    Endpoint("GET", "/chat", "agent-poc", read_prompt, "The same for an EventSource: `?prompt=`."),
)
