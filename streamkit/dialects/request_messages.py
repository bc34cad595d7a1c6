"""The messages of a conversation, read from the form in which they are mostly written.

That form is OpenAI's chat: `{"role", "content", "tool_calls", "tool_call_id", "name"}`. What servers and SDKs add to it
is read too: arguments as an object (Ollama), `thinking`, `reasoning` or `reasoning_content`, `tool_name`, `signature`,
a flat tool call `{"id", "name", "arguments"}`, content as a list of text parts, the role `developer`.

A `Message`, which is what a stream added up to, stands for what the assistant said in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Literal

import msgspec

from streamkit.codecs.jsontext import encode_value
from streamkit.dialects.message import Message
from streamkit.errors import ConfigError

__all__ = ["ROLES", "ChatMessage", "Role", "ToolCall", "messages_of"]

Role = Literal["system", "user", "assistant", "tool"]

ROLES: Final[tuple[Role, ...]] = ("system", "user", "assistant", "tool")

WRITTEN_ROLES: Final[Mapping[str, Role]] = {**{role: role for role in ROLES}, "developer": "system"}

KEYS: Final = frozenset(
    {
        *("role", "content", "tool_calls", "tool_call_id", "tool_name", "name", "signature"),
        *("reasoning", "reasoning_content", "thinking"),
    }
)
"""What a message may have. A key with null, an empty text or an empty list counts as absent."""

REASONING_KEYS: Final = ("reasoning", "reasoning_content", "thinking")


class ToolCall(msgspec.Struct):
    """A call that the model made: its id ("" where the vendor gives none), and its arguments as JSON text."""

    id: str
    name: str
    arguments: str = ""


class ChatMessage(msgspec.Struct):
    """One message of a conversation.

    Attributes:
        text: what it says; of role "tool", the result of the call.
        tool_calls: what the assistant called.
        tool_call_id, tool_name: which call a message of role "tool" is the result of; one of the two may be empty, and
            both where the results come in the order of the calls.
        reasoning: what the assistant thought.
        signature: the vendor's seal on that, which it wants back with it: Anthropic's `signature`, Gemini's
            `thoughtSignature`, the `encrypted_content` of OpenAI's Responses.
        encrypted: thoughts that only the vendor can read: Anthropic's `redacted_thinking`, `encrypted_content` too.
    """

    role: Role
    text: str = ""
    tool_calls: list[ToolCall] = []
    tool_call_id: str = ""
    tool_name: str = ""
    reasoning: str = ""
    signature: str = ""
    encrypted: str = ""

    @property
    def is_sealed(self) -> bool:
        """Whether there is something that only the vendor understands, and wants back."""
        return bool(self.signature or self.encrypted)


def messages_of(value: str | Sequence[Mapping[str, object] | ChatMessage | Message]) -> list[ChatMessage]:
    """Return the messages that `value` has; a text is one message of the user's.

    Raises:
        ConfigError: there is none, or one is not in the form that the module's docstring describes; it says which.
    """
    if isinstance(value, str):
        return [ChatMessage("user", value)]
    if isinstance(value, (bytes, Mapping)) or not isinstance(value, Sequence):
        msg = f"messages: expected a text or a list of messages, not {kind_of(value)}"
        raise ConfigError(msg)
    if not value:
        msg = "messages: there is none; give at least one"
        raise ConfigError(msg)
    return [message for number, each in enumerate(value) for message in turns_of(each, f"messages[{number}]")]


def turns_of(value: object, where: str) -> list[ChatMessage]:
    """Return the messages that one element of a conversation stands for.

    Raises:
        ConfigError: it is no message, or an answer that is not whole.
    """
    if not isinstance(value, Message):
        return [message_of(value, where)]
    if not value.complete:
        msg = f"{where}: this answer is not whole, so it cannot be answered; ask again, or send its text as a message"
        raise ConfigError(msg)
    return said_in(value)


def said_in(answer: Message) -> list[ChatMessage]:
    """Return what the first choice of an answer is in the next request.

    That is one message; several where the vendor has sealed its thoughts more than once, for a message has one seal.
    Vendors that seal take neighbours of one role for one message.
    """
    said = [ChatMessage("assistant")]
    for part in answer.first.parts:
        is_thought = part.kind == "reasoning"
        if is_thought and (part.signature or part.encrypted) and said[-1] != ChatMessage("assistant"):
            said.append(ChatMessage("assistant"))
        message = said[-1]
        if is_thought:
            message.reasoning += part.text
        elif part.kind == "tool":
            message.tool_calls.append(ToolCall(part.tool_id, part.tool_name, part.text))
        else:
            message.text += part.text
        message.signature = message.signature or part.signature
        message.encrypted = message.encrypted or part.encrypted
    return said


def message_of(value: object, where: str) -> ChatMessage:
    """Return one message; `where` is what errors call it.

    Raises:
        ConfigError: it is none.
    """
    if isinstance(value, ChatMessage):
        if value.role not in ROLES:
            raise no_role(value.role, where)
        return value
    if not isinstance(value, Mapping):
        msg = f"{where}: expected an object with role and content, not {kind_of(value)}"
        raise ConfigError(msg)
    fields = {key: each for key, each in value.items() if each is not None and each not in ("", [])}
    written = fields.get("role")
    role = WRITTEN_ROLES.get(written) if isinstance(written, str) else None
    if role is None:
        raise no_role(written, where)
    unknown = [str(key) for key in fields if key not in KEYS]
    if unknown:
        msg = f"{where}.{unknown[0]}: there is no place for it; a message has {', '.join(sorted(KEYS))}"
        raise ConfigError(msg)
    calls = fields.get("tool_calls", [])
    if not isinstance(calls, Sequence) or isinstance(calls, (str, bytes)):
        msg = f"{where}.tool_calls: expected a list, not {kind_of(calls)}"
        raise ConfigError(msg)
    if calls and role != "assistant":
        msg = f"{where}.tool_calls: only the assistant calls tools, not the role {role!r}"
        raise ConfigError(msg)
    is_result = role == "tool"
    return ChatMessage(
        role,
        content_of(fields.get("content", ""), f"{where}.content"),
        [call_of(call, f"{where}.tool_calls[{number}]") for number, call in enumerate(calls)],
        tool_call_id=text_of(fields, "tool_call_id", where) if is_result else "",
        tool_name=(text_of(fields, "tool_name", where) or text_of(fields, "name", where)) if is_result else "",
        reasoning=next((text for key in REASONING_KEYS if (text := text_of(fields, key, where))), ""),
        signature=text_of(fields, "signature", where),
    )


def no_role(role: object, where: str) -> ConfigError:
    """Return the complaint about a role that there is not, or none at all."""
    said = f"{role!r} is not one of" if isinstance(role, str) else "it has to be one of"
    return ConfigError(f"{where}.role: {said} {', '.join(ROLES)}")


def content_of(content: object, where: str) -> str:
    """Return the text of what is a text or a list of text parts."""
    if isinstance(content, str):
        return content
    if not isinstance(content, Sequence) or isinstance(content, bytes):
        msg = f"{where}: expected a text or a list of text parts, not {kind_of(content)}"
        raise ConfigError(msg)
    texts = []
    for number, part in enumerate(content):
        text = part.get("text") if isinstance(part, Mapping) else part
        if not isinstance(text, str):
            said = f"a part of type {part.get('type')!r}" if isinstance(part, Mapping) else kind_of(part)
            msg = f"{where}[{number}]: only text parts can be sent, not {said}"
            raise ConfigError(msg)
        texts.append(text)
    return "".join(texts)


def call_of(value: object, where: str) -> ToolCall:
    """Return one tool call."""
    if isinstance(value, ToolCall):
        return value
    inner = value.get("function", value) if isinstance(value, Mapping) else None
    if not isinstance(value, Mapping) or not isinstance(inner, Mapping):
        msg = f"{where}: expected an object with id, name and arguments, not {kind_of(value)}"
        raise ConfigError(msg)
    name = text_of(inner, "name", where)
    if not name:
        msg = f"{where}: the name of the tool is missing"
        raise ConfigError(msg)
    arguments = inner.get("arguments")
    if arguments is None:
        arguments = ""
    elif isinstance(arguments, Mapping):
        try:
            arguments = encode_value(arguments).decode()
        except ValueError as error:
            msg = f"{where}.arguments: they cannot be written as JSON: {error}"
            raise ConfigError(msg) from None
    elif not isinstance(arguments, str):
        msg = f"{where}.arguments: expected JSON text or an object, not {kind_of(arguments)}"
        raise ConfigError(msg)
    return ToolCall(text_of(value, "id", where), name, arguments)


def text_of(fields: Mapping[str, object], key: str, where: str) -> str:
    """Return a field that is a text, an empty one where it is absent."""
    value = fields.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        msg = f"{where}.{key}: expected a text, not {kind_of(value)}"
        raise ConfigError(msg)
    return value


def kind_of(value: object) -> str:
    """Return what a value is, for people."""
    return "null" if value is None else f"a value of type {type(value).__name__}"
