"""Lawful neutral streams, drawn by Hypothesis: overlapping calls, several choices, every kind of part and of end."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from streamkit.codecs.jsontext import encode_value
from streamkit.dialects.events import (
    Custom,
    End,
    Error,
    Event,
    Finish,
    FinishReason,
    PartEnd,
    PartStart,
    Ping,
    Raw,
    Reasoning,
    Refusal,
    Start,
    Text,
    ToolArgs,
    Usage,
)

TEXT = st.text(
    st.characters(codec="utf-8", exclude_characters="\0")
    | st.sampled_from('\r\n\t\u0085\u2028\u2029\ufeff"\\{}[]:, é漢👋\u200d'),
    min_size=1,
    max_size=12,
)
NAMES = st.sampled_from(["get_weather", "search", "f"])
ARGUMENTS = st.dictionaries(
    st.sampled_from(["city", "n", "é", "\u2028"]),
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT | st.lists(st.integers(0, 9), max_size=3),
    max_size=3,
)
STOPS: list[tuple[FinishReason, str]] = [("stop", ""), ("length", ""), ("content_filter", ""), ("other", "")]
COUNTS = st.none() | st.integers(0, 10_000)


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    total, output = draw(st.integers(0, 10_000)), draw(st.integers(0, 10_000))
    cached = draw(st.none() | st.integers(0, total))
    reasoning = draw(st.none() | st.integers(0, output))
    return Usage(total, output, cached, None, reasoning)


@st.composite
def parts(draw: st.DrawFn, choice: int, *, overlap: bool, kinds: tuple[str, ...]) -> list[Event]:
    """One choice's parts. Overlapping are tool calls with each other, and with the text before and after them."""
    count = draw(st.integers(0, 4))
    lanes: list[list[Event]] = []
    for part in range(count):
        kind: Any = draw(st.sampled_from(kinds))
        pieces: list[Event]
        if kind == "tool":
            start = PartStart(part, "tool", f"call_{choice}_{part}", draw(NAMES), choice=choice)
            text = encode_value(draw(ARGUMENTS)).decode()
            cuts = sorted(draw(st.lists(st.integers(1, len(text)), max_size=3, unique=True)))
            ends = [*cuts, len(text)]
            pieces = [ToolArgs(part, text[a:b], choice=choice) for a, b in zip([0, *ends], ends, strict=False) if a < b]
        else:
            start = PartStart(part, kind, choice=choice)
            make = {"text": Text, "reasoning": Reasoning, "refusal": Refusal}[kind]
            pieces = [make(part, text, choice=choice) for text in draw(st.lists(TEXT, min_size=1, max_size=4))]
        lanes.append([start, *pieces, PartEnd(part, choice=choice)])
    out: list[Event] = []
    opened: list[list[Event]] = []
    waiting = list(lanes)
    while opened or waiting:
        may_open = waiting and (not opened or (overlap and draw(st.booleans())))
        if may_open:
            lane = waiting.pop(0)
            out.append(lane.pop(0))
            opened.append(lane)
            continue
        lane = opened[draw(st.integers(0, len(opened) - 1))]
        out.append(lane.pop(0))
        if not lane:
            opened.remove(lane)
    return out


@st.composite
def streams(
    draw: st.DrawFn,
    *,
    choices: int = 2,
    overlap: bool = True,
    kinds: tuple[str, ...] = ("text", "reasoning", "refusal", "tool"),
    noise: bool = True,
    clean: bool = True,
) -> list[Event]:
    """A lawful stream; `clean=False` draws errors too, at any place."""
    events: list[Event] = [Start("id-1", "model-1", created_ns=1_700_000_000_000_000_000)]
    lanes = []
    for choice in range(draw(st.integers(1, choices))):
        body = draw(parts(choice, overlap=overlap, kinds=kinds))
        reason, raw = draw(st.sampled_from(STOPS))
        has_tool = any(isinstance(event, PartStart) and event.kind == "tool" for event in body)
        if reason == "stop" and has_tool:
            reason = "tool_calls"
        lanes.append([*body, Finish(reason, raw, choice=choice)])
    while lanes:
        lane = lanes[draw(st.integers(0, len(lanes) - 1))]
        events.append(lane.pop(0))
        if not lane:
            lanes.remove(lane)
        if noise and draw(st.integers(0, 5)) == 0:
            events.append(draw(st.sampled_from([Ping("keep-alive"), Ping(), Custom("theme", {"dark": True})])))
    if draw(st.booleans()):
        events.append(draw(usages()))
    events.append(End())
    if not clean and draw(st.booleans()):
        place = draw(st.integers(0, len(events) - 1))
        events = [*events[:place], Error("it broke", "server_error")]
    return events


def raw_of(dialect: str) -> Raw:
    """An unknown record of a dialect."""
    return Raw(dialect, "", '{"nobody":"knows"}')
