"""The AI SDK's UI chat, `/ui/chat`: what `DefaultChatTransport` posts, `{id, messages: [{id, role, parts}]}`. Pure.

A page names the path itself; the SDK's own default, `/api/chat`, is Ollama's here. Such a route chooses its model and
has its tools; a page that lets people choose sends a `model` along.

A call and its result are one part there. The steps of an answer, between which results went to the model, are messages
of their own here, each followed by its results.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from streamkit.codecs.jsontext import encode_value
from streamkit.dialects.request_messages import ChatMessage, Role, ToolCall
from streamkit.dialects.requests import ChatRequest
from streamkit.vendors.endpoint import Endpoint, Facts, Params
from streamkit.vendors.fields import Fields
from streamkit.vendors.neutral import joined
from streamkit.vendors.plain import PLAIN
from streamkit.vendors.question import Question
from streamkit.vendors.reading import Reading

__all__ = ["ENDPOINTS"]

ROLES: Final[Mapping[str, Role]] = {"system": "system", "user": "user", "assistant": "assistant"}

STATES: Final = (
    *("input-streaming", "input-available", "approval-requested", "approval-responded"),
    *("output-available", "output-error", "output-denied"),
)
"""How far a call has got. Of one whose arguments are not whole yet the model is told nothing."""

DENIED: Final = "The user has not allowed this call."

SHOWN: Final = ("source-url", "source-document")
"""Parts for the page; models are not told them."""


def read(question: Question, params: Params, facts: Facts) -> Reading:  # noqa: ARG001 - a row's form
    """Return what is asked.

    Raises:
        RefusedError: the body is no UI chat request.
    """
    body = PLAIN.body_of(question)
    model = PLAIN.named_model(body, facts, facts.default_model)
    body.need("messages")
    messages = body.objects("messages")
    if not messages:
        raise PLAIN.empty(body.at("messages"))
    said = [each for message in messages for each in said_in(message)]
    request = ChatRequest(model=model, messages=said, id=body.text("id"))
    body.ignore("trigger", "messageId")
    body.seal()
    return Reading("vercel-ui", "sse", request, tuple(body.leftovers))


def said_in(message: Fields) -> list[ChatMessage]:
    """Return the messages that one message is, results included."""
    message.need("role", "parts")
    role = ROLES[message.word("role", tuple(ROLES))]
    said = list(steps_of(message.objects("parts"), role)) or [ChatMessage(role)]
    message.ignore("id")
    message.drop("metadata", usual=({},))
    message.seal()
    return said


def steps_of(parts: list[Fields], role: Role) -> Iterator[ChatMessage]:
    """Yield what is said in each step, and then its results; nothing for a step without anything."""
    said, texts, thoughts = ChatMessage(role), list[str](), list[str]()
    results: list[ChatMessage] = []
    for part in parts:
        part.need("type")
        kind = part.text("type")
        if kind == "step-start":
            yield from step_of(said, texts, thoughts, results)
            said, texts, thoughts, results = ChatMessage(role), [], [], []
        elif kind == "text":
            texts.append(part.text("text"))
        elif kind == "reasoning" and role == "assistant":
            thoughts.append(part.text("text"))
        elif kind == "dynamic-tool" or kind.startswith("tool-"):
            name = part.named("toolName") if kind == "dynamic-tool" else kind.removeprefix("tool-")
            call(part, name, said, results)
        elif kind.startswith("data-") or kind in SHOWN:
            part.drop("type")
            continue
        else:
            part.refuse_all(f"a part of type {kind[:64]!r} cannot be translated")
            continue
        part.ignore("state")
        part.drop("providerMetadata")
        part.seal()
    yield from step_of(said, texts, thoughts, results)


def step_of(
    said: ChatMessage, texts: list[str], thoughts: list[str], results: list[ChatMessage]
) -> Iterator[ChatMessage]:
    """Yield what was said, if anything was, and the results. The parts of an answer are one text."""
    said.text = "".join(texts) if said.role == "assistant" else joined(texts)
    said.reasoning = "".join(thoughts)
    if said != ChatMessage(said.role):
        yield said
    yield from results


def call(part: Fields, name: str, said: ChatMessage, results: list[ChatMessage]) -> None:
    """Add a call to what was said, and its result, where there is one."""
    part.need("toolCallId")
    call_id = part.text("toolCallId")
    state = part.word("state", STATES, "input-available")
    part.ignore("title", "toolName", "preliminary")
    part.drop("providerExecuted", usual=(False,))
    part.drop("callProviderMetadata", "resultProviderMetadata", "toolMetadata")
    given, output, error = part.get("input"), part.get("output"), part.text("errorText")
    given = part.get("rawInput") if given is None else given
    if said.role != "assistant":
        part.refuse_all("only the assistant calls tools")
        return
    if state == "input-streaming":
        return
    if state.startswith("approval-"):
        part.refuse("approval", "an approval cannot be translated")
    part.ignore("approval")
    said.tool_calls.append(ToolCall(call_id, name, "{}" if given is None else encode_value(given).decode()))
    if state == "output-available":
        text = output if isinstance(output, str) else "" if output is None else encode_value(output).decode()
        results.append(ChatMessage("tool", text, tool_call_id=call_id, tool_name=name))
    elif state in {"output-error", "output-denied"}:
        text = error if state == "output-error" else DENIED
        results.append(ChatMessage("tool", text, tool_call_id=call_id, tool_name=name))


ENDPOINTS: Final = (Endpoint("POST", "/ui/chat", "vercel-ui", read, "The AI SDK's UI stream; a page names this path."),)
