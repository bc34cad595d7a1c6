"""Opening and closing the parts of one choice, for decoders: the half of the lifecycle that most dialects leave out.

A dialect that marks where parts begin and end (Anthropic, AG-UI) uses `open`, `add` and `close` with keys of its own;
one that does not (Ollama, OpenAI chat) says only what each record adds, with `text`, and the bounds come out of that: a
part of text ends when another kind of text or a tool call begins.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final

from streamkit.dialects.events import (
    Event,
    Finish,
    FinishReason,
    PartEnd,
    PartKind,
    PartStart,
    Reasoning,
    Refusal,
    Text,
    ToolArgs,
)

__all__ = ["MAX_OPEN", "Extra", "Parts", "TooManyPartsError"]

Extra = dict[str, object]

NO_EXTRA: Final[Extra] = {}

TEXT_EVENTS: Final[dict[PartKind, type[Text | Reasoning | Refusal]]] = {
    "text": Text,
    "reasoning": Reasoning,
    "refusal": Refusal,
}


MAX_OPEN: Final = 100_000
"""How many parts of a choice may be open at once: what is known of each has to be kept until it ends."""


class TooManyPartsError(ValueError):
    """More parts than `MAX_OPEN` are open; it becomes the record's `DecodeError`."""

    code = "limit"


class Parts:
    """The parts of one choice. Every method appends the events it makes to `out`.

    Attributes:
        choice: the choice's index.
        count: how many parts have been opened.
        has_tool: whether one of them was a tool call.
        finished: whether `finish` was called.
        current: the number of the open part that was opened without a key, or None.
        kind: its kind.
    """

    def __init__(self, choice: int = 0) -> None:
        self.choice = choice
        self.count = 0
        self.has_tool = False
        self.finished = False
        self.current: int | None = None
        self.kind: PartKind | None = None
        self._open: dict[Hashable, tuple[int, PartKind]] = {}

    def open(
        self,
        out: list[Event],
        key: Hashable,
        kind: PartKind,
        *,
        tool_id: str = "",
        tool_name: str = "",
        extra: Extra = NO_EXTRA,
    ) -> int:
        """Open a part under `key` and return its number. A part that is open under that key is closed first.

        Raises:
            TooManyPartsError: it would be one too many.
        """
        if key in self._open:
            self.close(out, key)
        elif len(self._open) >= MAX_OPEN:
            msg = f"more than {MAX_OPEN} parts are open at once"
            raise TooManyPartsError(msg)
        part = self.count
        self.count += 1
        self.has_tool = self.has_tool or kind == "tool"
        self._open[key] = (part, kind)
        out.append(PartStart(part, kind, tool_id, tool_name, choice=self.choice, extra=extra))
        return part

    def is_open(self, key: Hashable) -> bool:
        return key in self._open

    def kind_of(self, key: Hashable) -> PartKind | None:
        """Return the kind of the part that is open under `key`, or None."""
        found = self._open.get(key)
        return found and found[1]

    def add(self, out: list[Event], key: Hashable, text: str, extra: Extra = NO_EXTRA) -> None:
        """Add `text` to the part that is open under `key`: a piece of text, or of the JSON text of arguments.

        An empty text without extra is left out.
        """
        part, kind = self._open[key]
        if not text and not extra:
            return
        if kind == "tool":
            out.append(ToolArgs(part, text, choice=self.choice, extra=extra))
        else:
            out.append(TEXT_EVENTS[kind](part, text, choice=self.choice, extra=extra))

    def close(
        self, out: list[Event], key: Hashable, *, signature: str = "", encrypted: str = "", extra: Extra = NO_EXTRA
    ) -> None:
        """Close the part that is open under `key`."""
        part, _ = self._open.pop(key)
        if part == self.current:
            self.current = self.kind = None
        out.append(PartEnd(part, signature, encrypted, choice=self.choice, extra=extra))

    def text(self, out: list[Event], kind: PartKind, text: str, extra: Extra = NO_EXTRA) -> None:
        """Add text of `kind` where the dialect does not mark parts, opening a part if none of that kind is open."""
        if not text and not extra:
            return
        if self.kind != kind or self.current is None:
            self.end_text(out)
            self.current = self.open(out, "", kind)
            self.kind = kind
        out.append(TEXT_EVENTS[kind](self.current, text, choice=self.choice, extra=extra))

    def end_text(self, out: list[Event]) -> None:
        """Close the part that `text` opened, if one is open."""
        if self.current is not None:
            self.close(out, "")

    def whole_tool(self, out: list[Event], tool_id: str, tool_name: str, json_text: str) -> None:
        """Add a tool call that comes in one piece."""
        self.end_text(out)
        key = ("whole", self.count)
        self.open(out, key, "tool", tool_id=tool_id, tool_name=tool_name)
        self.add(out, key, json_text)
        self.close(out, key)

    def close_all(self, out: list[Event]) -> None:
        """Close what is open, in the order in which it was opened."""
        for key in list(self._open):
            self.close(out, key)

    def finish(
        self,
        out: list[Event],
        reason: FinishReason,
        raw_reason: str = "",
        *,
        stop_sequence: str = "",
        extra: Extra = NO_EXTRA,
    ) -> None:
        """Close what is open and finish the choice.

        A tool call seen earlier makes a normal stop `tool_calls`, and without one that reason is a stop: half of the
        dialects say "stop" for both. It never overrides length or a filter.
        """
        self.close_all(out)
        if reason in {"stop", "tool_calls"}:
            reason = "tool_calls" if self.has_tool else "stop"
        self.finished = True
        out.append(Finish(reason, raw_reason, stop_sequence, choice=self.choice, extra=extra))
