"""The conversation of a request to Anthropic's Messages, in the words of no vendor. Pure.

- The system's texts come first, as one message: servers exist that take no second one.
- The results of tools are messages of their own, before what the user says in the same message.
- What the assistant thinks, says and calls in one message stays one message; where its thoughts are sealed more than
  once it is several, as of an answer (`request_messages.said_in`), for a message has one seal.

Blocks that are not text, thoughts, calls or results cannot be translated.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from streamkit.codecs.jsontext import encode_value
from streamkit.dialects.request_messages import ChatMessage, Role, ToolCall
from streamkit.dialects.request_parts import SEPARATOR
from streamkit.vendors.anthropic_manner import MANNER
from streamkit.vendors.fields import Fields
from streamkit.vendors.neutral import joined
from streamkit.vendors.question import RefusedError

__all__ = ["messages_of"]

ROLES: Final[dict[str, Role]] = {"user": "user", "assistant": "assistant", "system": "system"}

PLACES: Final = {
    "tool_use": "assistant",
    "thinking": "assistant",
    "redacted_thinking": "assistant",
    "tool_result": "user",
}
"""Blocks that only one role has."""


def messages_of(body: Fields) -> tuple[list[ChatMessage], int]:
    """Return what the system and the messages say, and how many messages the last of them is here.

    Raises:
        RefusedError: Anthropic would refuse it.
    """
    system = SEPARATOR.join(texts_of(body, "system"))
    said = [ChatMessage("system", system)] if system else []
    messages = body.objects("messages")
    if not messages:
        raise MANNER.empty(body.at("messages"))
    last, before = len(messages) - 1, 0
    for number, message in enumerate(messages):
        message.need("role", "content")
        role = ROLES[message.word("role", tuple(ROLES))]
        if not message.get("content") and not (role == "assistant" and number == last):
            what = "all messages must have non-empty content except for the optional final assistant message"
            raise RefusedError(400, f"messages.{number}: {what}")
        before = len(said)
        said += said_in(message, role)
        message.seal()
    return said, len(said) - before


def texts_of(fields: Fields, name: str) -> list[str]:
    """Return the texts in what is a string or a list of text blocks; other blocks are noted as left over."""
    content = fields.get(name)
    if content is None or isinstance(content, str):
        return [content] if content else []
    if not isinstance(content, list):
        raise MANNER.wrong_type(fields.at(name), ("string", "array"), content)
    return [text for block in fields.objects(name) if (text := text_of(block))]


def text_of(block: Fields) -> str:
    """Return the text of a text block, nothing of any other."""
    block.need("type")
    kind = block.text("type")
    if kind != "text":
        block.refuse_all(f"content of type '{kind[:64]}' cannot be translated")
        return ""
    block.need("text")
    block.drop("cache_control", "citations", usual=([],))
    block.seal()
    return block.text("text")


@dataclass
class Turn:
    """What one message says, block by block."""

    role: Role
    texts: list[str] = field(default_factory=list)
    calls: list[ToolCall] = field(default_factory=list)
    thoughts: list[str] = field(default_factory=list)
    signature: str = ""
    encrypted: str = ""

    @property
    def has_begun(self) -> bool:
        """Whether anything is said in it."""
        return bool(self.calls or self.signature or self.encrypted or any(self.texts) or any(self.thoughts))

    @property
    def message(self) -> ChatMessage:
        """All of it; the blocks of an answer are one text."""
        text = "".join(self.texts) if self.role == "assistant" else joined(self.texts)
        thought = "".join(self.thoughts)
        return ChatMessage(
            self.role, text, self.calls, reasoning=thought, signature=self.signature, encrypted=self.encrypted
        )


def said_in(message: Fields, role: Role) -> Iterator[ChatMessage]:
    """Yield the messages that one message is."""
    content = message.get("content")
    if isinstance(content, str):
        if content:
            yield ChatMessage(role, content)
        return
    if not isinstance(content, list):
        raise MANNER.wrong_type(message.at("content"), ("string", "array"), content)
    turns = [Turn(role)]
    results = 0
    for block in message.objects("content"):
        block.need("type")
        kind = block.text("type")
        if PLACES.get(kind, role) != role:
            what = f"`{kind}` blocks can only be in `{PLACES[kind]}` messages"
            raise RefusedError(400, f"messages.{message.path[-1]}: {what}")
        if kind == "tool_result":
            results += 1
            yield result_of(block)
        elif kind == "tool_use":
            turns[-1].calls.append(call_of(block))
        elif kind in {"thinking", "redacted_thinking"}:
            think(turns, block, kind)
        else:
            turns[-1].texts.append(text_of(block))
    if any(turn.has_begun for turn in turns) or (content and not results):
        yield from [turn.message for turn in turns]


def result_of(block: Fields) -> ChatMessage:
    """Return the result of a call."""
    block.need("tool_use_id")
    text = joined(texts_of(block, "content"))
    block.flag("is_error")
    block.drop("is_error", usual=(False,))
    block.drop("cache_control", "toolset_name")
    block.seal()
    return ChatMessage("tool", text, tool_call_id=block.text("tool_use_id"))


def call_of(block: Fields) -> ToolCall:
    """Return what the assistant called."""
    block.need("id", "name", "input")
    arguments = block.object("input")
    block.drop("cache_control", "caller", "toolset_name")
    block.seal()
    return ToolCall(block.text("id"), block.text("name"), encode_value(arguments.value if arguments else {}).decode())


def think(turns: list[Turn], block: Fields, kind: str) -> None:
    """Add what the assistant thought to what it said; a seal begins a message, unless nothing came before it."""
    is_plain = kind == "thinking"
    seal = block.text("signature" if is_plain else "data")
    if seal and turns[-1].has_begun:
        turns.append(Turn("assistant"))
    turn = turns[-1]
    if is_plain:
        turn.thoughts.append(block.text("thinking"))
        turn.signature = turn.signature or seal
    else:
        turn.encrypted = turn.encrypted or seal
    block.drop("cache_control")
    block.seal()
