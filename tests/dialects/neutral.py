"""What a neutral stream says, and how much of that a dialect can say: the two sides of the laws of conversion."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from streamkit.dialects.dialect import Dialect
from streamkit.dialects.events import (
    End,
    Error,
    Event,
    Finish,
    FinishReason,
    PartStart,
    Reasoning,
    Refusal,
    Text,
    ToolArgs,
    Usage,
)

NORMAL_STOPS = {"stop", "stop_sequence", "tool_calls", "other", "pause"}


@dataclass(frozen=True)
class Said:
    """What one choice says; texts in the order in which they came."""

    text: str
    reasoning: str
    refusal: str
    calls: tuple[tuple[str, str], ...]
    reason: FinishReason | None


@dataclass(frozen=True)
class Whole:
    """What a stream says."""

    choices: dict[int, Said]
    totals: tuple[int | None, int | None]
    ending: str


def whole_of(events: Iterable[Event], *, carries: frozenset[str] | None = None) -> Whole:
    """Add up a stream; with `carries`, as much of it as a dialect that carries that can say."""
    events = [*events]
    chosen = sorted({event.choice for event in events if isinstance(event, (PartStart, Finish))}) or [0]
    if carries is not None and "choices" not in carries:
        chosen = [0]
    usage = Usage()
    for event in events:
        if isinstance(event, Usage):
            usage = usage.updated(event)
    totals = (usage.input_total, usage.output_total) if carries is None or "usage" in carries else (None, None)
    last = events[-1] if events else None
    ending = "end" if isinstance(last, End) else "error" if isinstance(last, Error) else "none"
    return Whole({choice: said_of(events, choice, carries) for choice in chosen}, totals, ending)


def said_of(events: list[Event], choice: int, carries: frozenset[str] | None) -> Said:
    mine = [event for event in events if event.choice == choice]
    everything: frozenset[str] = frozenset({"refusal", "reasoning", "tools"})
    has = (everything if carries is None else carries).__contains__
    as_text = (Text,) if has("refusal") else (Text, Refusal)
    args: dict[int, list[str]] = {}
    names: dict[int, str] = {}
    for event in mine:
        if isinstance(event, PartStart) and event.kind == "tool" and has("tools"):
            names[event.part] = event.tool_name
        elif isinstance(event, ToolArgs) and has("tools"):
            args.setdefault(event.part, []).append(event.json_text)
    finish = next((event for event in mine if isinstance(event, Finish)), None)
    return Said(
        text="".join(event.text for event in mine if isinstance(event, as_text)),
        reasoning="".join(event.text for event in mine if isinstance(event, Reasoning)) if has("reasoning") else "",
        refusal="".join(event.text for event in mine if isinstance(event, Refusal)) if has("refusal") else "",
        calls=tuple((name, canonical("".join(args.get(part, [])))) for part, name in sorted(names.items())),
        reason=finish.reason if finish else None,
    )


def canonical(json_text: str) -> str:
    """Arguments in one form; text that is not JSON stays as it is."""
    try:
        return json.dumps(json.loads(json_text or "{}"), sort_keys=True)
    except ValueError:
        return json_text


def same_reason(dialect: Dialect, said: FinishReason | None, heard: FinishReason | None) -> bool:
    """Whether `heard` is what becomes of `said` on the way through a dialect: the same word in it.

    A dialect that has one word for a stop and for tool calls says the difference by the calls themselves.
    """
    words = dialect.encoder.finish_words
    if said is None or heard is None or "finish" not in dialect.carries:
        return True
    if words.get(said) == words.get(heard):
        return True
    return said in NORMAL_STOPS and heard in {"stop", "tool_calls"}


def disagreements(dialect: Dialect, said: Whole, heard: Whole) -> list[str]:
    """Say what is not the same in `heard`, which came through the dialect."""
    found = []
    if said.choices.keys() != heard.choices.keys():
        found.append(f"choices: {[*said.choices]} became {[*heard.choices]}")
    for index in said.choices.keys() & heard.choices.keys():
        one, other = said.choices[index], heard.choices[index]
        found += [
            f"{field} of choice {index}: {getattr(one, field)!r} became {getattr(other, field)!r}"
            for field in ("text", "reasoning", "refusal", "calls")
            if getattr(one, field) != getattr(other, field)
        ]
        if not same_reason(dialect, one.reason, other.reason):
            found.append(f"reason of choice {index}: {one.reason} became {other.reason}")
    # Ollama leaves zeros out, so that zero and unknown are the same.
    if [count or None for count in said.totals] != [count or None for count in heard.totals]:
        found.append(f"totals: {said.totals} became {heard.totals}")
    if said.ending != heard.ending:
        found.append(f"ending: {said.ending} became {heard.ending}")
    return found
