"""Which result belongs to which call, and what the assistant says in one turn. In the words of no vendor."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final

from streamkit.dialects.request_messages import ChatMessage, ToolCall
from streamkit.errors import ConfigError

__all__ = ["SEPARATOR", "Waiting", "prefill", "whole_turns"]

SEPARATOR: Final = "\n\n"
"""What stands between messages that become one text."""


class Waiting:
    """The calls that have no result yet, found by id, by name and in their order, however many there are."""

    def __init__(self) -> None:
        self._queues: dict[tuple[str, str], deque[tuple[int, ToolCall]]] = {}
        self._answered: set[int] = set()
        self._count = 0

    def add(self, calls: Iterable[ToolCall]) -> None:
        """Let calls wait for their results."""
        for call in calls:
            for key in (("id", call.id), ("name", call.name), ("any", "")):
                self._queues.setdefault(key, deque()).append((self._count, call))
            self._count += 1

    def take(self, message: ChatMessage, where: str) -> ToolCall:
        """Return the call that a message is the result of; it waits no longer.

        Raises:
            ConfigError: none waits for it; `where` is what the error calls the message.
        """
        if message.tool_call_id:
            key, sought = ("id", message.tool_call_id), f"with the id {message.tool_call_id!r}"
        elif message.tool_name:
            key, sought = ("name", message.tool_name), f"of the tool {message.tool_name!r}"
        else:
            key, sought = ("any", ""), "before it"
        queue = self._queues.get(key, deque())
        while queue:
            number, call = queue.popleft()
            if number not in self._answered:
                self._answered.add(number)
                return call
        msg = f"{where}: it is a tool's result, and there is no unanswered tool call {sought}"
        raise ConfigError(msg)


def whole_turns(messages: Sequence[ChatMessage]) -> list[ChatMessage]:
    """Return the messages, with what the assistant says right behind its calls in the message that has them.

    A turn whose thoughts were sealed more than once is several messages, and so is one whose items came in an odd
    order. A vendor without seals takes nothing but results behind a message with calls. A seal stays if it is the only
    one.
    """
    turns: list[list[ChatMessage]] = []
    is_open = False
    for message in messages:
        if is_open and message.role == "assistant":
            turns[-1].append(message)
        else:
            turns.append([message])
            is_open = message.role == "assistant" and bool(message.tool_calls)
    return [turn[0] if len(turn) == 1 else one_turn(turn) for turn in turns]


def prefill(messages: Sequence[ChatMessage]) -> list[str]:
    """Return `message.prefill` if the answer is to go on from what the assistant said last.

    For a vendor whose models begin a new answer behind it, whatever it was.
    """
    last = messages[-1]
    return ["message.prefill"] if last.role == "assistant" and last.text and not last.tool_calls else []


def one_turn(messages: Sequence[ChatMessage]) -> ChatMessage:
    """Return what the assistant said in several messages as one."""
    return ChatMessage(
        "assistant",
        SEPARATOR.join([message.text for message in messages if message.text]),
        [call for message in messages for call in message.tool_calls],
        reasoning=SEPARATOR.join([message.reasoning for message in messages if message.reasoning]),
        signature=next((message.signature for message in messages if message.signature), ""),
        encrypted=next((message.encrypted for message in messages if message.encrypted), ""),
    )
