"""Tool calls in OpenAI's chat streams: fragments, merged by their index, and what vendors make of that.

By the rules the first fragment of a call has its index, id and name, the others the index and more of the arguments,
and fragments of several calls may alternate. Real servers leave the index out, use one index for several complete
calls, repeat id and name on every fragment, or send the arguments as an object. One `Calls` a choice puts that right.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from streamkit.codecs.jsontext import encode_value
from streamkit.dialects.decoder import RecordError, count_of, object_of, text_of
from streamkit.dialects.events import Event
from streamkit.dialects.parts import Parts

__all__ = ["Calls"]

LEGACY: Final = -1
"""The index of the one call of the old `function_call` field."""


class Call:
    """What is known of one call."""

    def __init__(self, key: tuple[str, int], call_id: str, name: str) -> None:
        self.key = key
        self.id = call_id
        self.name = name


class Calls:
    """The calls of one choice."""

    def __init__(self, parts: Parts, repair: Callable[[str, str], None]) -> None:
        self._parts = parts
        self._repair = repair
        self._calls: dict[int, Call] = {}
        self._last: int | None = None
        self._count = 0

    def take(self, fragment: object, out: list[Event]) -> None:
        """Take one element of `tool_calls`.

        Raises:
            RecordError: it is not what it should be.
        """
        if not isinstance(fragment, dict):
            msg = "a tool call is not an object"
            raise RecordError(msg)
        self._add(count_of(fragment, "index"), text_of(fragment, "id"), object_of(fragment, "function"), out)

    def take_legacy(self, function: dict[str, Any], out: list[Event]) -> None:
        """Take the old `function_call` field."""
        self._add(LEGACY, "", function, out)

    def _add(self, index: int | None, call_id: str, function: dict[str, Any], out: list[Event]) -> None:
        name = text_of(function, "name")
        arguments = self._arguments(function.get("arguments"))
        if index is None:
            self._repair("tool-index", "a fragment of a tool call has no index")
            index = self._index_of(call_id, name)
        call = self._calls.get(index)
        if call is not None and self._is_another(call, call_id, name):
            self._repair("tool-index-reused", f"two tool calls have the index {index}")
            call = None
        elif call is not None and (call_id or name):
            self._repair("tool-repeated", "id or name of a tool call came again with a later fragment")
        if call is None:
            if not call_id and not name:
                self._repair("tool-name", "a tool call began with neither id nor name")
            self._parts.end_text(out)
            call = self._calls[index] = Call(("call", self._count), call_id, name)
            self._count += 1
            self._parts.open(out, call.key, "tool", tool_id=call_id, tool_name=name)
        self._last = index
        self._parts.add(out, call.key, arguments)

    def _arguments(self, arguments: object) -> str:
        if isinstance(arguments, str):
            return arguments
        if arguments is None:
            return ""
        self._repair("arguments-object", "the arguments of a tool call came as an object, not as a string")
        return encode_value(arguments).decode()

    def _index_of(self, call_id: str, name: str) -> int:
        """Return the index that a fragment without one belongs to: an unused one if it begins a call."""
        for index, call in self._calls.items():
            if call_id and call.id == call_id:
                return index
        if self._last is not None and not call_id and not name:
            return self._last
        return max(self._calls, default=LEGACY) + 1

    @staticmethod
    def _is_another(call: Call, call_id: str, name: str) -> bool:
        """Whether a fragment with this id and name belongs to another call, though its index is that of `call`."""
        if call_id and call.id:
            return call_id != call.id
        return bool(name and call.name and name != call.name)
