"""The neutral stages that bring events into an order that stricter dialects can write.

Neutral parts may overlap; not every dialect's may. `OneAtATime` is for dialects whose parts come one after the other
(Anthropic), `WholeCalls` for those that write a tool call in one record, its arguments as an object (Ollama, Gemini).
Both pass text at once. What they hold is arguments of tool calls, and only as long as the target cannot take them.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Sized
from typing import Final, TypeVar

import msgspec
from msgspec.structs import replace

from streamkit.codecs.jsontext import JSONTextError, decode_checked
from streamkit.codecs.records import DEFAULT_LIMIT_BYTES
from streamkit.codecs.stage import Stage
from streamkit.dialects.events import (
    Error,
    Event,
    Finish,
    PartEnd,
    PartStart,
    Reasoning,
    Refusal,
    Text,
    ToolArgs,
)
from streamkit.dialects.jsonprogress import JSONProgress
from streamkit.dialects.message import merge
from streamkit.errors import EncodeError

__all__ = ["Arranger", "OneAtATime", "WholeCalls"]

CUT_REASONS: Final = frozenset({"length", "context_overflow", "content_filter", "cancelled", "error", "pause"})
"""Reasons to stop after which arguments may be incomplete through no fault of anybody's."""


class Held:
    """A tool call whose events are held.

    Attributes:
        start: what opened it.
        args: the pieces of its arguments.
        end: what closed it, or None while it is open.
    """

    def __init__(self, start: PartStart) -> None:
        self.start = start
        self.args: list[ToolArgs] = []
        self.end: PartEnd | None = None

    @property
    def json_text(self) -> str:
        """The arguments' JSON text; a call without any has an empty object."""
        return "".join([piece.json_text for piece in self.args]) or "{}"


class Arranger(Stage[Event, Event]):
    """What both have: the count of what was lost, and the bound on what is held."""

    def __init__(self, losses: Counter[str] | None = None, *, max_held_bytes: int = DEFAULT_LIMIT_BYTES) -> None:
        """Make a stage that counts what it loses in `losses` and holds up to `max_held_bytes` of arguments."""
        self.losses = Counter() if losses is None else losses
        self._limit_bytes = max_held_bytes
        self._begin()

    def _begin(self) -> None:
        self._held_bytes = 0

    def reset(self) -> None:
        super().reset()
        self._begin()

    def _hold(self, held: Held, piece: ToolArgs) -> None:
        self._held_bytes += size_of(piece)
        if self._held_bytes > self._limit_bytes:
            msg = f"more than {self._limit_bytes} bytes of tool arguments would have to be held"
            raise EncodeError(msg, stage=self.name)
        held.args.append(piece)

    def _release(self, held: Held) -> None:
        self._held_bytes -= sum(map(size_of, held.args))

    def _lose(self, calls: Sized) -> None:
        """Count calls that were held when the stream failed: they cannot be written any more."""
        if calls:
            self.losses["tool-call"] += len(calls)


class WholeCalls(Arranger):
    """Hold each tool call until it is complete; then let out its start, its arguments in one piece, and its end.

    Calls leave in the order in which they were opened. Arguments that are not a JSON object cannot be written: if the
    answer was cut short (`CUT_REASONS`) the call is lost and counted; otherwise, at `Finish`, an `EncodeError`, with an
    `Error` as the last of its items.
    """

    name = "whole-calls"

    def _begin(self) -> None:
        super()._begin()
        self._calls: OrderedDict[tuple[int, int], Held] = OrderedDict()  # a dict is slow to take its first from
        self._bad: dict[int, tuple[Held, str]] = {}

    def feed(self, event: Event, /) -> list[Event]:
        kind = type(event)
        if kind is Text or kind is Reasoning:
            return [event]
        out: list[Event] = []
        if isinstance(event, PartStart) and event.kind == "tool":
            self._calls[event.choice, event.part] = Held(event)
            return out
        if isinstance(event, (ToolArgs, PartEnd)):
            held = self._calls.get((event.choice, event.part))
            if held is None:
                return [event]
            if isinstance(event, ToolArgs):
                self._hold(held, event)
            else:
                held.end = event
                self._let_out(out)
            return out
        if isinstance(event, Finish):
            self._check_calls(event)
        elif isinstance(event, Error):
            self._lose(self._calls)
        out.append(event)
        return out

    def _let_out(self, out: list[Event]) -> None:
        """Let out the calls that are complete, up to the first that is not."""
        while self._calls:
            held = next(iter(self._calls.values()))
            if held.end is None:
                return
            self._calls.popitem(last=False)
            self._release(held)
            fault = fault_in_arguments(held.json_text)
            if fault is None:
                extra: dict[str, object] = {}
                for piece in held.args:
                    merge(extra, piece.extra)
                args = ToolArgs(held.start.part, held.json_text, choice=held.start.choice, extra=extra)
                out += (held.start, args, held.end)
            else:
                self._bad.setdefault(held.start.choice, (held, fault))

    def _check_calls(self, finish: Finish) -> None:
        bad = self._bad.pop(finish.choice, None)
        if bad is None:
            return
        if finish.reason in CUT_REASONS:
            self.losses["tool-arguments"] += 1
            return
        held, fault = bad
        reason = f"the arguments of the call of {held.start.tool_name!r} are no JSON object ({fault})"
        raise self._fail(EncodeError(reason, stage=self.name), [Error(reason, "invalid_tool_arguments")])


def fault_in_arguments(json_text: str) -> str | None:
    """Return why the text is not that of a JSON object, or None if it is."""
    try:
        value = decode_checked(json_text.encode("utf-8", "surrogatepass"))
    except JSONTextError as error:
        return error.reason
    return None if isinstance(value, dict) else f"it is {json_text[:20]}"


class OneAtATime(Arranger):
    """Let no two parts overlap.

    - A text that comes while another text's part is open closes that one. If the closed part goes on, it goes on as a
      new part.
    - A tool call that opens while another is open is held until that one ends; a text's part is closed for it.
    - A text that comes while a tool call is open closes the call if its arguments are complete as they stand. If they
      are not, the two overlap: the text may not wait, and the call cannot be continued once it is closed. No server is
      known to send this.
    - A part of text that never gets any is left out.

    Parts are numbered anew, in the order in which they leave.
    """

    name = "one-at-a-time"

    def _begin(self) -> None:
        super()._begin()
        self._lanes: dict[int, Lane] = {}

    def feed(self, event: Event, /) -> list[Event]:
        lane = self._lanes.get(event.choice)
        if lane is None:
            lane = self._lanes[event.choice] = Lane(self, event.choice)
        return lane.take(event)

    def lose(self, calls: Sized) -> None:
        """Count calls that are held when the stream fails."""
        self._lose(calls)

    def hold(self, held: Held, piece: ToolArgs) -> None:
        """Hold a piece, within the bound."""
        self._hold(held, piece)

    def release(self, held: Held) -> None:
        """Give back the room of a call that is held no more."""
        self._release(held)


class Lane:
    """One choice in `OneAtATime`."""

    def __init__(self, stage: OneAtATime, choice: int) -> None:
        self._stage = stage
        self._choice = choice
        self._count = 0
        self._starts: dict[int, PartStart] = {}  # parts of text that are open on the way in, by their number there
        self._text: int | None = None  # the one of them that is open on the way out
        self._text_out = 0  # its number there
        self._tool: int | None = None  # the tool call that is open on the way out
        self._tool_out = 0
        self._progress = JSONProgress()
        self._held: OrderedDict[int, Held] = OrderedDict()

    def take(self, event: Event) -> list[Event]:
        out: list[Event] = []
        if isinstance(event, (Text, Reasoning, Refusal)):
            self._open_text(event.part, out)
            out.append(renumbered(event, self._text_out))
        elif isinstance(event, ToolArgs):
            self._take_args(event, out)
            self._end_complete(out)
        elif isinstance(event, PartStart):
            if event.kind == "tool":
                self._held[event.part] = Held(event)
                if self._tool is None:
                    self._let_go(out)
                self._end_complete(out)
            else:
                self._starts[event.part] = event
        elif isinstance(event, PartEnd):
            self._take_end(event, out)
        else:
            if isinstance(event, Finish):
                self._let_go(out)
            elif isinstance(event, Error):
                self._stage.lose(self._held)
            out.append(event)
        return out

    def _open_text(self, part: int, out: list[Event]) -> None:
        if self._text == part:
            return
        start = self._starts.get(part)
        if start is None:
            msg = f"part {part} of choice {self._choice} is not open"
            raise EncodeError(msg, stage=self._stage.name)
        self._close_text(out)
        if self._tool is not None and self._progress.complete:
            out.append(PartEnd(self._tool_out, choice=self._choice))
            self._tool = None  # calls that are held stay so: they would overlap with the text
        self._text, self._text_out = part, self._next()
        out.append(renumbered(start, self._text_out))

    def _close_text(self, out: list[Event]) -> None:
        if self._text is not None:
            out.append(PartEnd(self._text_out, choice=self._choice))
            self._text = None

    def _let_go(self, out: list[Event]) -> None:
        """Let out the calls that are held, up to one that is still open."""
        while self._held and self._tool is None:
            _, held = self._held.popitem(last=False)
            self._stage.release(held)
            self._close_text(out)
            self._tool, self._tool_out = held.start.part, self._next()
            self._progress = JSONProgress()
            out.append(renumbered(held.start, self._tool_out))
            for piece in held.args:
                self._take_args(piece, out)
            if held.end is not None:
                out.append(renumbered(held.end, self._tool_out))
                self._tool = None

    def _end_complete(self, out: list[Event]) -> None:
        """End a call whose arguments are whole where another one waits: its own end may come with all the others'."""
        while self._held and self._tool is not None and self._progress.complete:
            out.append(PartEnd(self._tool_out, choice=self._choice))
            self._tool = None
            self._let_go(out)

    def _take_args(self, event: ToolArgs, out: list[Event]) -> None:
        if event.part == self._tool:
            self._progress.feed(event.json_text)
            out.append(renumbered(event, self._tool_out))
        elif event.part in self._held:
            self._stage.hold(self._held[event.part], event)
        elif event.json_text.strip():  # the call was complete, and yet it goes on
            self._stage.losses["tool-arguments"] += 1

    def _take_end(self, event: PartEnd, out: list[Event]) -> None:
        part = event.part
        if part in self._starts:
            if part != self._text and (event.signature or event.encrypted):
                self._open_text(part, out)
            if part == self._text:
                self._text = None
                out.append(renumbered(event, self._text_out))
            del self._starts[part]
            if self._text is None:
                self._let_go(out)
        elif part == self._tool:
            out.append(renumbered(event, self._tool_out))
            self._tool = None
            self._let_go(out)
        elif part in self._held:
            self._held[part].end = event

    def _next(self) -> int:
        self._count += 1
        return self._count - 1


EventT = TypeVar("EventT", bound=Text | Reasoning | Refusal | ToolArgs | PartStart | PartEnd)


def renumbered(event: EventT, part: int) -> EventT:
    """Return the event with another part number."""
    return event if event.part == part else replace(event, part=part)


def size_of(piece: ToolArgs) -> int:
    """Return how much a held piece counts."""
    return len(piece.json_text) + (len(msgspec.json.encode(piece.extra)) if piece.extra else 0)
