"""Function calls in Gemini's streams: whole ones, and those whose arguments Vertex AI sends in pieces.

(googleapis `google/cloud/aiplatform/v1/tool.proto`, `FunctionCall` and `PartialArg`.) A whole call has its arguments as
an object. With `streamFunctionCallArguments` a call begins with `name` and `willContinue`, goes on with `partialArgs`
(a JSON path and the value that belongs there; a string may come in several), and ends with the piece without
`willContinue`, often an empty object. Such pieces are no fragments of a JSON text, so the arguments leave when the call
is complete.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from streamkit.codecs.jsontext import JSONTextError, decode_checked, encode_value
from streamkit.dialects.decoder import RecordError, list_of, object_of, text_of
from streamkit.dialects.events import Event
from streamkit.dialects.parts import Parts

__all__ = ["Calls"]

MAX_STEPS: Final = 100
"""How deep a path may lead."""

MAX_MISSING: Final = 65_536
"""How many elements of a list it may pass over."""

PIECE_BYTES: Final = 64
"""What a piece counts besides its text, so that many empty ones are bounded too."""

_STEP = re.compile(r"""\.([^.\[\]]+)|\[(\d{1,9})\]|\[("(?:[^"\\]|\\.)*+"|'(?:[^'\\]|\\.)*+')\]""", re.DOTALL)

Step = str | int


def steps_of(path: str) -> tuple[Step, ...]:
    """Return the names and indexes of a JSON path (RFC 9535) that leads to one place.

    Raises:
        RecordError: it is none, or leads to the arguments as a whole.
    """
    steps: list[Step] = []
    at = 1
    while path[:1] == "$" and at < len(path) and len(steps) < MAX_STEPS:
        step = _STEP.match(path, at)
        if step is None:
            break
        at = step.end()
        steps.append(int(step[2]) if step[2] else step[1] or unquoted(step[3]))
    if not steps or at < len(path):
        msg = f"jsonPath leads nowhere: {path[:40]!r}"
        raise RecordError(msg)
    return tuple(steps)


def unquoted(name: str) -> str:
    """Return a quoted name of a path without quotes and escapes."""
    if name[0] == "'":
        name = '"' + name[1:-1].replace("\\'", "'").replace('"', '\\"') + '"'
    try:
        return str(decode_checked(name.encode()))
    except JSONTextError:
        msg = f"jsonPath has a bad name: {name[:40]}"
        raise RecordError(msg) from None


def value_of(piece: dict[str, Any]) -> tuple[bool, object]:
    """Return whether a piece has a value, and it.

    Raises:
        RecordError: it is of another type than it says.
    """
    if "stringValue" in piece:
        return True, text_of(piece, "stringValue")
    if "numberValue" in piece:
        value = piece["numberValue"]
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            msg = "numberValue is not a number"
            raise RecordError(msg)
        return True, value
    if "boolValue" in piece:
        if not isinstance(piece["boolValue"], bool):
            msg = "boolValue is not a bool"
            raise RecordError(msg)
        return True, piece["boolValue"]
    return "nullValue" in piece, None


class Call:
    """A call that has begun."""

    def __init__(self, key: tuple[str, int], call_id: str, name: str) -> None:
        self.key = key
        self.id = call_id
        self.name = name
        self.signature = ""
        self.args: dict[str, Any] = {}
        self.text: str | None = None  # arguments that came as text
        self._strings: dict[
            tuple[Step, ...], tuple[Any, Step, list[str]]
        ] = {}  # by path: where they belong, and their pieces

    def put(self, piece: dict[str, Any]) -> int:
        """Put one of the `partialArgs` where it belongs; return what holding it takes, in bytes.

        Raises:
            RecordError: it belongs nowhere.
        """
        path = text_of(piece, "jsonPath")
        steps = steps_of(path)
        has_value, value = value_of(piece)
        if not has_value:
            return PIECE_BYTES
        string = self._strings.get(steps)
        if string is not None and isinstance(value, str):
            string[2].append(value)
            return len(value) + PIECE_BYTES
        container, step, size = self._place(steps)
        self._strings.pop(steps, None)
        if isinstance(value, str):
            self._strings[steps] = container, step, [value]
            value, size = "", size + len(value)
        container[step] = value
        return size + len(path) + PIECE_BYTES

    def _place(self, steps: tuple[Step, ...]) -> tuple[Any, Step, int]:
        """Return the object or list that the last of the steps leads into, made where it is missing."""
        container: Any = self.args
        size = 0
        for step, following in zip(steps, [*steps[1:], None], strict=True):
            if not leads_into(step, container):
                msg = "jsonPath leads into a value of another type"
                raise RecordError(msg)
            if isinstance(step, int):
                size += extend(container, step + 1)
            if following is None:
                return container, step, size
            inner = container[step] if isinstance(step, int) else container.get(step)
            if inner is None:
                inner = container[step] = [] if isinstance(following, int) else {}
                size += PIECE_BYTES
            container = inner
        raise AssertionError

    @property
    def json_text(self) -> str:
        """The arguments so far, as JSON text."""
        if self.text is not None:
            return self.text
        for container, step, pieces in self._strings.values():
            container[step] = "".join(pieces)
        return encode_value(self.args).decode()


def leads_into(step: Step, value: object) -> bool:
    """Whether a step of this type is one into a value of that type."""
    return isinstance(value, list if isinstance(step, int) else dict)


def extend(elements: list[Any], length: int) -> int:
    """Make a list as long as that, if it is shorter; return what that takes, in bytes.

    Raises:
        RecordError: that is much longer.
    """
    missing = max(0, length - len(elements))
    if missing > MAX_MISSING:
        msg = f"jsonPath passes over {missing} elements"
        raise RecordError(msg)
    elements += [None] * missing
    return 8 * missing


class Calls:
    """The calls of all candidates; of each, one may be unfinished."""

    def __init__(self, repair: Callable[[str, str], None], limit_bytes: int) -> None:
        self._repair = repair
        self._limit_bytes = limit_bytes
        self._held_bytes = 0
        self._open: dict[int, Call] = {}

    def take(self, function: dict[str, Any], signature: str, parts: Parts, out: list[Event]) -> None:
        """Take one `functionCall`.

        Raises:
            RecordError: it is not what it should be.
        """
        name, call_id = text_of(function, "name"), text_of(function, "id")
        call = self._open.get(parts.choice)
        if call is not None and self._is_another(call, call_id, name):
            self.end(parts, out)
            call = None
        if call is None:
            if not function:
                self._repair("call-empty", "an empty functionCall came where no call was unfinished")
                return
            call = self._begin(call_id, name, parts, out)
        call.signature = signature or call.signature
        if isinstance(function.get("args"), str):
            self._repair("arguments-text", "the arguments of a functionCall came as a string, not as an object")
            call.text = function["args"]
        else:
            call.args.update(object_of(function, "args"))
        for piece in list_of(function, "partialArgs"):
            if not isinstance(piece, dict):
                msg = "one of the partialArgs is not an object"
                raise RecordError(msg)
            self._held_bytes += call.put(piece)
            if self._held_bytes > self._limit_bytes:
                msg = f"the arguments of functionCalls are longer than the limit of {self._limit_bytes} bytes"
                raise RecordError(msg, "limit")
        if function.get("willContinue") is not True:
            self._complete(call, call.json_text, parts, out)

    def end(self, parts: Parts, out: list[Event]) -> None:
        """Complete the unfinished call of a candidate, if there is one: the model has gone on, or stopped normally."""
        call = self._open.get(parts.choice)
        if call is not None:
            self._repair("call-not-ended", "a functionCall was to be continued, and was not")
            self._complete(call, call.json_text, parts, out)

    def cut(self, parts: Parts, out: list[Event]) -> None:
        """Let out what has come of the unfinished call of a candidate, so that it cannot be taken for a whole one."""
        call = self._open.get(parts.choice)
        if call is not None:
            self._complete(call, call.json_text.removesuffix("}"), parts, out)

    def _begin(self, call_id: str, name: str, parts: Parts, out: list[Event]) -> Call:
        if not name:
            self._repair("call-name", "a functionCall has no name")
        parts.end_text(out)
        call = self._open[parts.choice] = Call(("call", parts.count), call_id, name)
        parts.open(out, call.key, "tool", tool_id=call_id, tool_name=name)
        return call

    def _complete(self, call: Call, json_text: str, parts: Parts, out: list[Event]) -> None:
        del self._open[parts.choice]
        if not self._open:
            self._held_bytes = 0
        parts.add(out, call.key, json_text)
        parts.close(out, call.key, signature=call.signature)

    @staticmethod
    def _is_another(call: Call, call_id: str, name: str) -> bool:
        """Whether a piece with this id and name begins a call of its own."""
        if call_id and call.id:
            return call_id != call.id
        return bool(name)
