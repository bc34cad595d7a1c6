"""The laws of a neutral stream, checked event by event; the grammar is in `streamkit.dialects.events`.

`Lifecycle` is a stage from events to the `Violation`s that they are, so a checker reads like any other filter and a
harness can count. It is right about every prefix: what it has found so far stays found.
"""

from __future__ import annotations

from typing import Final

import msgspec

from streamkit.codecs.stage import Stage
from streamkit.dialects.events import (
    Custom,
    End,
    Error,
    Event,
    Finish,
    PartEnd,
    PartKind,
    PartStart,
    Ping,
    Raw,
    Reasoning,
    Refusal,
    Start,
    Text,
    ToolArgs,
)

__all__ = ["Lifecycle", "Violation"]

KIND_OF: Final[dict[type[Event], PartKind]] = {
    Text: "text",
    Reasoning: "reasoning",
    Refusal: "refusal",
    ToolArgs: "tool",
}


class Violation(msgspec.Struct, frozen=True):
    """One broken law.

    Attributes:
        law: a stable word for machines: `start`, `part`, `overlap`, `finish`, `tool-calls`, `after-end`, `truncated`.
        event: which event broke it, counted from 1; for what is missing at the end, how many there were.
        message: what is wrong, for people.
    """

    law: str
    event: int
    message: str


class Choice:
    """What has come of one choice."""

    def __init__(self) -> None:
        self.parts: list[PartKind] = []
        self.open: set[int] = set()
        self.finished = False


class Lifecycle(Stage[Event, Violation]):
    """Events to what is wrong with them; a lawful stream gives nothing."""

    name = "lifecycle"

    def __init__(self, *, sequential: bool = False) -> None:
        """Make a checker; `sequential` also forbids parts that overlap, as Anthropic does."""
        self._sequential = sequential
        self._begin()

    def _begin(self) -> None:
        self._count = 0
        self._started = False
        self._over: str | None = None
        self._choices: dict[int, Choice] = {}
        self._found: list[Violation] = []

    def reset(self) -> None:
        super().reset()
        self._begin()

    def feed(self, event: Event, /) -> list[Violation]:
        if self._closed is not None:
            self._check_open()
        self._count += 1
        self._found = []
        self._check(event)
        return self._found

    def finish(self) -> list[Violation]:
        """Take the end of the events: without `End` or `Error` the stream was cut, and should have said so."""
        if self._closed is not None:
            return []
        super().finish()
        self._found = []
        if self._over is None:
            self._wrong("truncated", "the stream has neither End nor Error")
        return self._found

    def _wrong(self, law: str, message: str) -> None:
        self._found.append(Violation(law, self._count, message))

    def _check(self, event: Event) -> None:
        what = type(event).__name__
        if self._over is not None:
            self._wrong("after-end", f"{what} after {self._over}")
            return
        if isinstance(event, (Ping, Custom, Raw)):
            return
        if isinstance(event, Error):
            self._over = what
            return
        if isinstance(event, Start):
            if self._started:
                self._wrong("start", "a second Start")
            self._started = True
            return
        if not self._started:
            self._wrong("start", f"{what} before Start")
            self._started = True  # said once
        if isinstance(event, End):
            self._check_end()
        else:
            self._check_choice(event, what)

    def _check_end(self) -> None:
        self._over = "End"
        if not any(choice.finished for choice in self._choices.values()):
            self._wrong("finish", "End, but no choice has finished")
        for index, choice in self._choices.items():
            if choice.open:
                self._wrong("part", f"End, but part {min(choice.open)} of choice {index} is open")
            elif not choice.finished:
                self._wrong("finish", f"End, but choice {index} has not finished")

    def _check_choice(self, event: Event, what: str) -> None:
        choice = self._choices.setdefault(event.choice, Choice()) if not is_usage(event) else Choice()
        if isinstance(event, PartStart):
            self._check_part_start(event, choice)
        elif isinstance(event, (Text, Reasoning, Refusal, ToolArgs, PartEnd)):
            kind = KIND_OF.get(type(event))
            if event.part not in choice.open:
                self._wrong("part", f"{what} for part {event.part}, which is not open")
            elif kind is not None and choice.parts[event.part] != kind:
                self._wrong("part", f"{what} for part {event.part}, which is a part of {choice.parts[event.part]}")
            if isinstance(event, PartEnd):
                choice.open.discard(event.part)
        elif isinstance(event, Finish):
            self._check_finish(event, choice)

    def _check_part_start(self, event: PartStart, choice: Choice) -> None:
        if event.part != len(choice.parts):
            self._wrong("part", f"part {event.part} opens where part {len(choice.parts)} has to")
        if choice.finished:
            self._wrong("finish", f"part {event.part} opens after Finish")
        if self._sequential and choice.open:
            self._wrong("overlap", f"part {event.part} opens while part {min(choice.open)} is open")
        while len(choice.parts) <= event.part < len(choice.parts) + 1000:
            choice.parts.append(event.kind)
        if event.part < len(choice.parts):
            choice.open.add(event.part)

    def _check_finish(self, event: Finish, choice: Choice) -> None:
        if choice.finished:
            self._wrong("finish", f"a second Finish of choice {event.choice}")
        if choice.open:
            self._wrong("part", f"Finish, but part {min(choice.open)} is open")
        choice.finished = True
        has_tool = "tool" in choice.parts
        if event.reason == "tool_calls" and not has_tool:
            self._wrong("tool-calls", "Finish says tool_calls, but there was none")
        if event.reason == "stop" and has_tool:
            self._wrong("tool-calls", "Finish says stop, but there was a tool call")


def is_usage(event: Event) -> bool:
    """Whether the event is a count, which belongs to no choice."""
    return not isinstance(event, (PartStart, Text, Reasoning, Refusal, ToolArgs, PartEnd, Finish))
