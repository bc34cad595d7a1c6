"""The records of a body taken apart (an event's type, a JSON text) and put together again. Pure.

A frame that nothing was done to goes out as the very bytes that came in. One that was changed is written in the
canonical form of its framing, with the `id:` and `retry:` lines that it had. The elements of a JSON array get their
brackets and commas anew, so that one can be left out or come twice and the array is one still.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import msgspec

from mockserver.faults.kind import Context
from mockserver.faults.places import InapplicableError
from mockserver.response import Record, Step
from streamkit.codecs.jsontext import decode_checked, encode_value
from streamkit.dialects.framing import FRAMINGS

__all__ = ["DONE", "Frame", "Frames", "Rewrite", "check_framing", "frames_in", "rewriting"]

DONE: Final = b"[DONE]"

FRAMED: Final = ("sse", "ndjson", "json-array")


class Frame(msgspec.Struct, frozen=True, gc=False):
    """One record, or a step that is none (`text` is None): a comment, a gate.

    Attributes:
        step: what it was in the response; its bytes count no more where the frame was changed.
        name: the type of an SSE event, empty where it has none.
        text: the JSON text, or `[DONE]`.
        fields: other lines of the event, each with its line end.
        raw: bytes to write instead of all that.
        changed: whether it has to be written anew.
    """

    step: Step
    name: str = ""
    text: bytes | None = None
    fields: bytes = b""
    raw: bytes | None = None
    changed: bool = False

    @property
    def value(self) -> object:
        """The decoded JSON text; None where there is none."""
        if self.text is None or self.text == DONE:
            return None
        try:
            return decode_checked(self.text)
        except ValueError:  # an earlier fault broke it
            return None

    @property
    def body(self) -> dict[str, Any]:
        """The value where it is an object, else an empty one: decoded anew each time, to be changed at will."""
        value = self.value
        return value if isinstance(value, dict) else {}

    def with_value(self, value: object, name: str | None = None) -> Frame:
        """Return the frame with another value, and another type where one is given."""
        return self.with_text(encode_value(value), name)

    def with_text(self, text: bytes, name: str | None = None) -> Frame:
        """Return the frame with another text, and another type where one is given."""
        new_name = self.name if name is None else name
        return msgspec.structs.replace(self, text=text, name=new_name, changed=True)

    def with_raw(self, raw: bytes) -> Frame:
        """Return the frame with other bytes, framing and all."""
        return msgspec.structs.replace(self, raw=raw, changed=True)

    def with_step(self, step: Step) -> Frame:
        """Return the frame with the time, the tokens and the end of another step."""
        return msgspec.structs.replace(self, step=step, changed=True)

    def plain(self) -> Frame:
        """Return the frame as one that ends nothing and has no lines of its own, for a record beside it."""
        step = self.step
        if isinstance(step, Record):
            step = msgspec.structs.replace(step, is_terminator=False)
        return msgspec.structs.replace(self, step=step, fields=b"", changed=True)


Frames = Iterator[Frame]
Rewrite = Callable[[Frames], Iterable[Frame]]
"""Makes the frames that are sent from those that would have been. What is no record has to be let through."""


def check_framing(context: Context, *framings: str) -> None:
    """Check that the records are in one of these framings, or in any that has records.

    Raises:
        InapplicableError: they are not.
    """
    wanted = framings or FRAMED
    if context.framing not in wanted:
        what = f"comes as {context.framing}" if context.framing else "is one document"
        raise InapplicableError(f"the answer {what}, not as {' or '.join(wanted)}")


def rewriting(rewrite: Rewrite, framing: str) -> Callable[[Iterator[Step]], Iterator[Step]]:
    """Return what does to steps what `rewrite` does to frames."""
    return lambda rest: _rewritten(rest, rewrite, framing)


def _rewritten(rest: Iterator[Step], rewrite: Rewrite, framing: str) -> Iterator[Step]:
    array = Array() if framing == "json-array" else None
    writer = FRAMINGS[framing]()
    tokens = at_ns = 0
    for frame in rewrite(frame for step in rest for frame in frames_in(step, framing, array)):
        step = frame.step
        if isinstance(step, Record):
            data = step.data
            if frame.raw is not None:
                data = frame.raw
            elif frame.text is not None:
                if array is not None:
                    data = array.element(frame.text)
                elif frame.changed:
                    data = frame.fields + writer.record(frame.text, frame.name)
            if step.at_ns < at_ns or step.tokens < tokens or data is not step.data:
                at_ns, tokens = max(at_ns, step.at_ns), max(tokens, step.tokens)
                step = msgspec.structs.replace(step, data=data, at_ns=at_ns, tokens=tokens)
            at_ns, tokens = step.at_ns, step.tokens
        yield step
    if array is not None and array.closed:
        yield Record(array.end, max(tokens, array.tokens), max(at_ns, array.at_ns))


class Array:
    """Where the brackets and commas of a JSON array go when its elements come and go."""

    def __init__(self) -> None:
        self._empty: bool | None = None
        self.closed = False
        self.tokens = self.at_ns = 0

    def take(self, record: Record) -> bytes | None:
        """Return the element in a record, if there is one."""
        data, self.tokens, self.at_ns = record.data, record.tokens, record.at_ns
        opens, closes = data.startswith(b"["), data.endswith(b"]\n")
        if self._empty is None:
            self._empty = opens
        self.closed = self.closed or closes
        return data[opens or data.startswith(b",") : -2 if closes else None].strip() or None

    def element(self, text: bytes) -> bytes:
        """Return an element with what stands before it."""
        before = b"[" if self._empty else b",\n"
        self._empty = False
        return before + text

    @property
    def end(self) -> bytes:
        """What closes the array."""
        return b"[]\n" if self._empty else b"]\n"


def frames_in(step: Step, framing: str, array: Array | None = None) -> Iterator[Frame]:
    """Yield the frames of one step; nearly always one."""
    if not isinstance(step, Record):
        yield Frame(step)
    elif array is not None:
        yield Frame(step, text=array.take(step))
    elif framing == "sse":
        events = step.data.split(b"\n\n")
        for number, event in enumerate(events[:-1]):
            is_last = number == len(events) - 2 and not events[-1]
            yield _event(_part(step, event + b"\n\n", is_last=is_last, is_whole=is_last and number == 0))
        if events[-1]:
            yield Frame(_part(step, events[-1], is_last=True, is_whole=len(events) == 1))
    else:
        lines = step.data.splitlines(keepends=True)
        for number, line in enumerate(lines):
            part = _part(step, line, is_last=number == len(lines) - 1, is_whole=len(lines) == 1)
            yield Frame(part, text=line.rstrip(b"\r\n") or None)


def _part(record: Record, data: bytes, *, is_last: bool, is_whole: bool) -> Record:
    if is_whole:
        return record
    return msgspec.structs.replace(record, data=data, is_terminator=record.is_terminator and is_last)


def _event(record: Record) -> Frame:
    name = ""
    texts: list[bytes] = []
    fields: list[bytes] = []
    for line in record.data.splitlines():
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"event":
            name = value.decode("utf-8", "replace")
        elif field == b"data":
            texts.append(value)
        elif line:
            fields.append(line + b"\n")
    return Frame(record, name, b"\n".join(texts) if texts else None, b"".join(fields))
