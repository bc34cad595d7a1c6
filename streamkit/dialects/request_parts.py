"""What the writers of requests share: calls and their results brought together, one prompt where there can be no more.

Nothing here is a vendor's. The rules come from what all vendors refuse: a result without its call, a choice of a tool
that is not offered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from streamkit.codecs.jsontext import JSONTextError, decode_checked
from streamkit.dialects.request_messages import ChatMessage, ToolCall
from streamkit.dialects.request_turns import SEPARATOR, Waiting
from streamkit.dialects.requests import EFFORTS, ChatRequest, RequestDocument, Tool, merged
from streamkit.errors import ConfigError

__all__ = [
    "SEPARATOR",
    "TOOL_WORDS",
    "arguments_of",
    "chosen",
    "conversation_id",
    "document_of",
    "effort_of",
    "given",
    "is_spoken",
    "linked",
    "model_named",
    "no_tools",
    "object_of",
    "offered",
    "one_prompt",
    "schema_of",
    "system_apart",
    "unplaced",
]

TOOL_WORDS: Final = ("auto", "none", "required")
"""The choices of tools that are no tool's name."""

NO_ARGUMENTS: Final[Mapping[str, object]] = {"type": "object", "properties": {}}

ACCEPTED: Final = {"sse": "text/event-stream", "ndjson": "application/x-ndjson", "text": "text/plain"}


def document_of(
    request: ChatRequest,
    path: str,
    body: Mapping[str, object],
    dropped: Sequence[str],
    *,
    framing: str = "sse",
    headers: Sequence[tuple[str, str]] = (),
) -> RequestDocument:
    """Return the document with `request.extra` in its body; `framing` is that of the stream, if there is to be one."""
    accepted = ACCEPTED[framing] if request.stream else "application/json"
    return RequestDocument(
        method="POST",
        path=path,
        headers=[("Content-Type", "application/json"), ("Accept", accepted), *headers],
        body=merged(body, request.extra),
        dropped=list(dict.fromkeys(dropped)),
    )


def given(**fields: object) -> dict[str, object]:
    """Return the fields that say something: None, an empty text and an empty list do not."""
    return {name: value for name, value in fields.items() if value is not None and value not in ("", [])}


def unplaced(request: ChatRequest, *fields: str) -> list[str]:
    """Return those of these fields that the request sets to something that the server would not do by itself."""
    return [name for name in fields if is_set(request, name)]


def is_set(request: ChatRequest, name: str) -> bool:
    """Tell whether a field asks for anything."""
    value: object = getattr(request, name)
    if name == "stream":
        return value is False
    if name == "n":
        return value not in {None, 1}
    if name == "tool_choice":
        return value != "auto" and bool(request.tools)
    if name == "parallel_tool_calls":
        return value is False and bool(request.tools) and request.tool_choice != "none"
    return value is not None and value not in ("", [])


def model_named(request: ChatRequest, dialect: str) -> str:
    """Return the model's name.

    Raises:
        ConfigError: there is none.
    """
    if not request.model:
        msg = f"{dialect} needs the name of a model; give one"
        raise ConfigError(msg)
    return request.model


def effort_of(request: ChatRequest, default: str = "medium") -> str | None:
    """Return how hard the model is to think: one of `EFFORTS`, `default` for plain yes, None where nothing is said.

    Raises:
        ConfigError: it is another word.
    """
    reasoning = request.reasoning
    if reasoning is None or reasoning == "":
        return None
    if isinstance(reasoning, bool):
        return default if reasoning else "none"
    if reasoning not in EFFORTS:
        msg = f"reasoning: {reasoning!r} is none of {', '.join(EFFORTS)}; a vendor's own word goes into extra"
        raise ConfigError(msg)
    return reasoning


def linked(messages: Sequence[ChatMessage]) -> list[ChatMessage]:
    """Return the messages with an id for every call, and the id and the tool's name of its call for every result.

    A result belongs to the call with its id, else to the first unanswered call of its tool, else to the first one that
    is unanswered.

    Raises:
        ConfigError: there is no message, no call that a result belongs to, or a call of somebody else's than the
            assistant.
    """
    if not messages:
        msg = "messages: there is none; give at least one"
        raise ConfigError(msg)
    taken = {call.id for message in messages for call in message.tool_calls}
    fresh = (name for number in range(1, 1 << 62) if (name := f"call_{number}") not in taken)
    waiting = Waiting()
    result = []
    for number, message in enumerate(messages):
        where = f"messages[{number}]"
        if message.tool_calls and message.role != "assistant":
            msg = f"{where}.tool_calls: only the assistant calls tools, not the role {message.role!r}"
            raise ConfigError(msg)
        if message.role == "tool":
            call = waiting.take(message, where)
            result.append(msgspec.structs.replace(message, tool_call_id=call.id, tool_name=call.name))
        elif message.tool_calls:
            calls = [msgspec.structs.replace(call, id=call.id or next(fresh)) for call in message.tool_calls]
            waiting.add(calls)
            result.append(msgspec.structs.replace(message, tool_calls=calls))
        else:
            result.append(message)
    return result


def offered(request: ChatRequest) -> list[Tool]:
    """Return the tools, after a look at whether the choice among them makes sense.

    Raises:
        ConfigError: the choice is of a tool that is not offered, or something has to be called and nothing is offered.
    """
    choice = request.tool_choice
    if choice not in {"auto", "none"} and (choice != "required" or not request.tools):
        names = [tool.name for tool in request.tools]
        if choice not in names:
            msg = f"tool_choice: {choice!r} needs tools that are offered; there are {', '.join(names) or 'none'}"
            raise ConfigError(msg)
    return request.tools


def chosen(request: ChatRequest) -> tuple[list[Tool], list[str]]:
    """Return the tools for a dialect that has no choice of tools, and `tool_choice` if that makes a difference.

    "none" is none at all. The name of one leaves that one alone, which the model still may not call.

    Raises:
        ConfigError: as of `offered`.
    """
    tools, choice = offered(request), request.tool_choice
    if choice == "none":
        return [], []
    kept = tools if choice in TOOL_WORDS else [tool for tool in tools if tool.name == choice]
    return kept, unplaced(request, "tool_choice")


def schema_of(tool: Tool) -> dict[str, object]:
    """Return the schema of a tool's arguments; vendors want one of an object even where there are none."""
    return {**NO_ARGUMENTS, **tool.parameters} if "type" not in tool.parameters else tool.parameters


def arguments_of(call: ToolCall, dialect: str) -> dict[str, object]:
    """Return a call's arguments, which are JSON text, as the object that some vendors want. No text is an empty one.

    Raises:
        ConfigError: they are no JSON object, as a model that was cut short leaves them.
    """
    arguments = object_of(call.arguments) if call.arguments.strip() else {}
    if arguments is None:
        msg = (
            f"the tool call {call.id!r} of {call.name!r} has arguments that are no JSON object, "
            f"and {dialect} can carry nothing else"
        )
        raise ConfigError(msg)
    return arguments


def object_of(text: str) -> dict[str, object] | None:
    """Return the object whose JSON text this is, or None if it is that of no object."""
    try:
        value = decode_checked(text.encode())
    except (JSONTextError, UnicodeEncodeError):
        return None
    return value if isinstance(value, dict) else None


def system_apart(messages: Sequence[ChatMessage]) -> tuple[str, list[ChatMessage], list[str]]:
    """Return the system's text, all other messages, and `system.place` if one of them came before a system message."""
    system = [message.text for message in messages if message.role == "system" and message.text.strip()]
    others = [message for message in messages if message.role != "system"]
    first = next((number for number, message in enumerate(messages) if message.role != "system"), len(messages))
    moved = any(message.role == "system" and message.text.strip() for message in messages[first:])
    return SEPARATOR.join(system), others, ["system.place"] if moved else []


def is_spoken(message: ChatMessage) -> bool:
    """Tell whether a message is more than a thought of the assistant's.

    In a dialect that carries no thoughts nothing would be left of one that is not, and servers refuse empty messages.
    One that has nothing at all is meant to be empty.
    """
    return bool(message.text or message.tool_calls) or not (message.reasoning or message.is_sealed)


def one_prompt(request: ChatRequest, dialect: str, instead: str) -> tuple[str, str, list[str]]:
    """Return the system's text and the user's, for a dialect that has one prompt and no conversation.

    And `system.place`, as of `system_apart`.

    Raises:
        ConfigError: somebody else has said something, or nobody anything.
    """
    no_tools(request, dialect, instead)
    system, others, moved = system_apart(linked(request.messages))
    if any(message.role != "user" for message in others):
        msg = f"{dialect} takes one prompt and no conversation; {instead} takes one"
        raise ConfigError(msg)
    return system, SEPARATOR.join([message.text for message in others if message.text]), moved


def no_tools(request: ChatRequest, dialect: str, instead: str) -> None:
    """Refuse tools, calls and results, for a dialect that has none. Tools that must not be called are no matter.

    Raises:
        ConfigError: there are such.
    """
    if offered(request) and request.tool_choice != "none":
        msg = f"{dialect} has no tools; {instead} has"
        raise ConfigError(msg)
    for number, message in enumerate(request.messages):
        if message.role == "tool" or message.tool_calls:
            msg = f"messages[{number}]: {dialect} has no tool calls; {instead} has"
            raise ConfigError(msg)


def conversation_id(request: ChatRequest) -> str:
    """Return the request's id, or one made from what its first user and all before that said.

    That is the same in all turns of a conversation.
    """
    if request.id:
        return request.id
    from hashlib import sha256  # its library takes a while to load, and few dialects need it

    digest = sha256()
    for message in request.messages:
        digest.update(f"{message.role}\0{message.text}\0".encode("utf-8", "surrogatepass"))
        if message.role == "user":
            break
    return digest.hexdigest()[:32]
