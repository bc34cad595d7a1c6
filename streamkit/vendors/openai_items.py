"""The items of a response's input (openai-python `types/responses/response_input_param`). Pure.

What the assistant did comes as items of their own: what it thought, what it said, each call. Those that follow each
other in this order are one message.
"""

from __future__ import annotations

from typing import Final

from streamkit.codecs.jsontext import encode_value
from streamkit.dialects.request_messages import Role
from streamkit.dialects.requests import ChatMessage, ToolCall
from streamkit.vendors.fields import Fields
from streamkit.vendors.openai import said_in
from streamkit.vendors.question import RefusedError
from streamkit.vendors.reading import Leftover

__all__ = ["Conversation"]

ROLES: Final[dict[str, Role]] = {
    "assistant": "assistant",
    "system": "system",
    "developer": "system",
    "user": "user",
}

KINDS: Final = frozenset({"message", "reasoning", "function_call", "function_call_output"})
"""The types of items that there are neutral words for."""

REFERENCE_HELP: Final = "a client that is told not to store answers (`store` is false) sends the items themselves"
"""The AI SDK refers to them otherwise, from its second step on."""

OWN_WORDS: Final = ("id", "status", "phase")
"""What the vendor's own server knows an item by, and how far it got."""

CALL_FIELDS: Final = ("async", "namespace", "caller")


class Conversation:
    """Messages that are made of items.

    Args:
        is_whole: whether nothing came before it, so that every result has its call here.

    Attributes:
        messages: those made so far.
    """

    def __init__(self, *, is_whole: bool) -> None:
        self.messages: list[ChatMessage] = []
        self._is_whole = is_whole
        self._called: set[str] = set()
        self._turn: ChatMessage | None = None
        self._only_thought = False

    def take(self, item: Fields) -> None:
        """Take the next item: a message, which needs no type, a thought, a call, its result, or anything else."""
        kind = item.text("type", "message")
        if kind == "message":
            self._message(item)
        elif kind == "reasoning":
            self._thought(item)
        elif kind.endswith("_call_output"):
            self._result(item)
        elif kind.endswith("_call"):
            self._call(item)
        else:
            self._turn = None
        if kind not in KINDS:
            what = f"items of type {kind[:64]!r} cannot be translated"
            item.refuse_all(f"{what}; {REFERENCE_HELP}" if kind == "item_reference" else what)
            return
        item.ignore(*OWN_WORDS)
        item.seal()

    def _message(self, item: Fields) -> None:
        item.need("role", "content")
        role = ROLES[item.word("role", tuple(ROLES))]
        text = said_in(item, is_answer=role == "assistant")
        if role != "assistant":
            self._turn = None
            self.messages.append(ChatMessage(role, text))
            return
        turn = self._turn if self._turn is not None and self._only_thought else self._begun()
        turn.text = text
        self._only_thought = False

    def _thought(self, item: Fields) -> None:
        turn = self._begun()
        summary, thought = [said_in(item, name, is_answer=True) for name in ("summary", "content")]
        turn.reasoning = thought or summary
        turn.encrypted = item.text("encrypted_content")
        self._only_thought = True

    def _call(self, item: Fields) -> None:
        call_id, text = item.text("call_id"), item.get("input")
        if item.get("type") == "function_call":
            item.need("call_id", "name", "arguments")
            arguments: object = item.text("arguments")
        else:
            arguments = encode_value({"input": text}).decode() if isinstance(text, str) else item.get("arguments")
        turn = self._turn or self._begun()
        turn.tool_calls.append(ToolCall(call_id, item.text("name"), arguments if isinstance(arguments, str) else ""))
        self._called.add(call_id)
        self._only_thought = False
        item.drop(*CALL_FIELDS, usual=(False, {"type": "direct"}))

    def _result(self, item: Fields) -> None:
        is_function = item.get("type") == "function_call_output"
        item.need("call_id", *(("output",) if is_function else ()))
        call_id, output = item.text("call_id"), item.get("output")
        # The output of a shell or a computer is an object, of which nothing is to be read here.
        text = said_in(item, "output") if is_function or isinstance(output, (str, list)) else ""
        self._turn = None
        self.messages.append(ChatMessage("tool", text, tool_call_id=call_id, tool_name=item.text("name")))
        if self._is_whole and call_id not in self._called:
            message = f"No tool call found for function call output with call_id {call_id[:64]}."
            item.leftovers.append(Leftover(item.at("call_id"), RefusedError(400, message, param="input")))
        item.drop(*CALL_FIELDS, usual=(False, {"type": "direct"}))

    def _begun(self) -> ChatMessage:
        self._turn = ChatMessage("assistant")
        self.messages.append(self._turn)
        return self._turn
