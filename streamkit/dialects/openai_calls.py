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
from streamkit.dialects.jsonprogress import JSONProgress
from streamkit.dialects.parts import NO_EXTRA, Extra, Parts

__all__ = ["Calls"]

LEGACY: Final = -1
"""The index of the one call of the old `function_call` field."""

LEGACY_EXTRA: Final[Extra] = {"openai.function_call": True}


class Call:
    """What is known of one call.

    Attributes:
        is_open: whether its part has been opened. A call waits for its name, or else for its first arguments.
        progress: of its arguments, to know where they end.
    """

    def __init__(self, key: tuple[str, int], *, is_legacy: bool) -> None:
        self.key = key
        self.id = ""
        self.name = ""
        self.is_legacy = is_legacy
        self.is_open = False
        self.progress = JSONProgress()


class Calls:
    """The calls of one choice; `parts` are the choice's."""

    def __init__(self, parts: Parts, repair: Callable[[str, str], None]) -> None:
        self.parts = parts
        self._repair = repair
        self._calls: dict[int, Call] = {}
        self._index_of_id: dict[str, int] = {}
        self._last = LEGACY
        self._next = 0  # the lowest index that is greater than all others
        self._count = 0
        self._waiting: dict[tuple[str, int], Call] = {}

    def take(self, fragment: object, out: list[Event]) -> None:
        """Take one element of `tool_calls`.

        Raises:
            RecordError: it is not what it should be.
        """
        if not isinstance(fragment, dict):
            msg = "a tool call is not an object"
            raise RecordError(msg)
        index = count_of(fragment, "index")
        if index is not None and index < 0:
            msg = "the index of a tool call is negative"
            raise RecordError(msg)
        self._add(index, text_of(fragment, "id"), object_of(fragment, "function"), out)

    def take_legacy(self, function: dict[str, Any], out: list[Event]) -> None:
        """Take the old `function_call` field."""
        self._add(LEGACY, "", function, out)

    def flush(self, out: list[Event]) -> None:
        """Open the calls of which nothing but the id has come."""
        for call in list(self._waiting.values()):
            self._open(call, out)

    def _add(self, index: int | None, call_id: str, function: dict[str, Any], out: list[Event]) -> None:
        name = text_of(function, "name")
        arguments = self._arguments(function.get("arguments"))
        if index is None:
            self._repair("tool-index", "a fragment of a tool call has no index")
            index = self._index_for(call_id, name)
        call = self._calls.get(index)
        if call is not None and is_another(call, call_id, name, arguments):
            self._repair("tool-index-reused", f"two tool calls have the index {index}")
            call = None
        elif call is not None and call.is_open and (call_id or name):
            self._repair("tool-repeated", "id or name of a tool call came with a later fragment")
        if call is None:
            call = self._calls[index] = Call(("call", self._count), is_legacy=index == LEGACY)
            self._count += 1
            self._waiting[call.key] = call
        self._last = index
        self._next = max(self._next, index + 1)
        call.id, call.name = call.id or call_id, call.name or name
        if call_id:
            self._index_of_id.setdefault(call_id, index)
        if not call.is_open and (call.name or arguments):
            self._open(call, out)
        if arguments:
            call.progress.feed(arguments)
            self.parts.add(out, call.key, arguments)

    def _open(self, call: Call, out: list[Event]) -> None:
        call.is_open = True
        del self._waiting[call.key]
        if not call.name:
            self._repair("tool-name", "a tool call has no name")
        self.parts.end_text(out)
        extra = LEGACY_EXTRA if call.is_legacy else NO_EXTRA
        self.parts.open(out, call.key, "tool", tool_id=call.id, tool_name=call.name, extra=extra)

    def _arguments(self, arguments: object) -> str:
        if isinstance(arguments, str):
            return arguments
        if arguments is None:
            return ""
        self._repair("arguments-object", "the arguments of a tool call came as an object, not as a string")
        return encode_value(arguments).decode()

    def _index_for(self, call_id: str, name: str) -> int:
        """Return the index that a fragment without one belongs to: an unused one if it begins a call."""
        if call_id in self._index_of_id:
            return self._index_of_id[call_id]
        last = self._calls.get(self._last)
        if last is None or call_id:
            return self._next
        goes_on = not name or (name == last.name and not last.progress.complete)
        return self._last if goes_on else self._next


def is_another(call: Call, call_id: str, name: str, arguments: str) -> bool:
    """Whether a fragment with this id and name belongs to another call, though its index is that of `call`."""
    if call_id and call.id:
        return call_id != call.id
    if not name or not call.name:
        return False
    return name != call.name or (call.progress.complete and bool(arguments.strip()))
