"""AG-UI's endpoint, `/agui` (ag-ui-protocol's `RunAgentInput`). Pure.

The protocol says neither where an agent is nor which model it uses; a model may be named in `forwardedProps`. A page's
EventSource, which can only GET, may give the message as `?prompt=`.

What was thought is a message of its own there, and here belongs to the assistant's message that follows it. An
activity is for pages and no part of the conversation. What the page lets the agent know (`context`) is a system text
behind those that are at the start; its state is named as left over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from streamkit.dialects.request_messages import ChatMessage, Role, ToolCall
from streamkit.dialects.request_turns import SEPARATOR
from streamkit.dialects.requests import ChatRequest, Tool
from streamkit.vendors.agent_poc import prompted
from streamkit.vendors.endpoint import Endpoint, Facts, Params
from streamkit.vendors.fields import Fields
from streamkit.vendors.plain import PLAIN, text_of
from streamkit.vendors.question import Question
from streamkit.vendors.reading import Reading

__all__ = ["ENDPOINTS"]

ROLES: Final[Mapping[str, Role | None]] = {
    "developer": "system",
    "system": "system",
    "assistant": "assistant",
    "user": "user",
    "tool": "tool",
    "activity": None,
    "reasoning": None,
}


def read(question: Question, params: Params, facts: Facts) -> Reading:  # noqa: ARG001 - a row's form
    """Return what is asked.

    Raises:
        RefusedError: the body is no `RunAgentInput`.
    """
    body = PLAIN.body_of(question)
    body.need("threadId", "runId", "messages")
    messages = with_context(list(messages_of(body)), body)
    model = forwarded_model(body, facts)
    tools = tools_of(body)
    body.refuse("resume", "an interrupted run cannot be resumed elsewhere", usual=([], {}))
    body.drop("state", usual=({}, [], ""))
    body.ignore("protocolVersion", "parentRunId")
    return reading_of(body, ChatRequest(model=model, messages=messages, tools=tools))


def read_prompt(question: Question, params: Params, facts: Facts) -> Reading:  # noqa: ARG001 - a row's form
    """Return what is asked by a GET.

    Raises:
        RefusedError: there is no `prompt`, or no such model.
    """
    prompt, query = prompted(question)
    query.ignore(*question.query)
    return reading_of(query, ChatRequest(model=PLAIN.named_model(query, facts, facts.default_model), messages=[prompt]))


def reading_of(fields: Fields, request: ChatRequest) -> Reading:
    """Return what is asked; the run's ids are the client's own."""
    given: Mapping[str, str] = {key: fields.text(key) for key in ("threadId", "runId")}
    request.id = given["threadId"]
    fields.seal()
    echoed = {f"ag-ui.{key}": text for key, text in given.items() if text}
    return Reading("ag-ui", "sse", request, tuple(fields.leftovers), echoed)


def forwarded_model(body: Fields, facts: Facts) -> str:
    """Return the model that is named for the agent; whatever else is forwarded is noted as left over."""
    if not isinstance(body.get("forwardedProps"), dict):
        body.drop("forwardedProps")
    forwarded = body.get("forwardedProps")
    props = forwarded if isinstance(forwarded, dict) else {}
    named = Fields(props, PLAIN, body.at("forwardedProps"), body.leftovers)
    model = PLAIN.named_model(named, facts, facts.default_model)
    named.seal()
    return model


def with_context(messages: list[ChatMessage], body: Fields) -> list[ChatMessage]:
    """Return the messages, and before whatever is no system's text what the page lets the agent know."""
    told = []
    for each in body.objects("context"):
        told.append(": ".join([text for text in (each.text("description"), each.text("value")) if text]))
        each.seal()
    context = SEPARATOR.join([text for text in told if text])
    if not context:
        return messages
    first = next((number for number, message in enumerate(messages) if message.role != "system"), len(messages))
    return [*messages[:first], ChatMessage("system", context), *messages[first:]]


def messages_of(body: Fields) -> Iterator[ChatMessage]:
    """Yield what the messages say."""
    thoughts: list[str] = []
    seal = ""
    for message in body.objects("messages"):
        message.need("role")
        written = message.word("role", tuple(ROLES))
        role = ROLES[written]
        message.ignore("id", "name", "subagentRunId")
        message.drop("metadata")
        if written == "activity":
            continue
        if written == "reasoning":
            if seal:
                yield ChatMessage("assistant", reasoning="".join(thoughts), encrypted=seal)
                thoughts = []
            thoughts.append(text_of(message, "content", is_answer=True))
            seal = message.text("encryptedValue")
        elif role is not None:
            said = said_in(message, role)
            if thoughts and role == "assistant":
                said.reasoning, said.encrypted = "".join(thoughts), seal
            elif thoughts:
                yield ChatMessage("assistant", reasoning="".join(thoughts), encrypted=seal)
            thoughts, seal = [], ""
            yield said
        message.seal()
    if thoughts:
        yield ChatMessage("assistant", reasoning="".join(thoughts), encrypted=seal)


def said_in(message: Fields, role: Role) -> ChatMessage:
    """Return one message."""
    if role == "user":
        message.need("content")
    said = ChatMessage(role, text_of(message, "content", is_answer=role == "assistant"))
    if role == "assistant":
        said.tool_calls = [call_of(call) for call in message.objects("toolCalls")]
    elif role == "tool":
        said.tool_call_id = message.text("toolCallId")
        message.drop("error")
    message.drop("encryptedValue")
    return said


def call_of(call: Fields) -> ToolCall:
    """Return what the assistant called."""
    function = call.object("function") or call
    told = ToolCall(call.text("id"), function.text("name"), function.text("arguments"))
    call.ignore("type")
    call.drop("encryptedValue", "metadata")
    function.seal()
    if function is not call:
        call.seal()
    return told


def tools_of(body: Fields) -> list[Tool]:
    """Return the tools that the page has. Their `parameters` may be any JSON."""
    tools = []
    for each in body.objects("tools"):
        schema = each.get("parameters")
        tools.append(Tool(each.named("name"), each.text("description"), schema if isinstance(schema, dict) else {}))
        each.drop("metadata")
        each.seal()
    return tools


ENDPOINTS: Final = (
    Endpoint("POST", "/agui", "ag-ui", read, "An agent that speaks AG-UI."),
    Endpoint("GET", "/agui", "ag-ui", read_prompt, "The same for an EventSource: `?prompt=`."),
)
