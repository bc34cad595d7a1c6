"""The checker of laws L5 to L7: lawful streams pass, and each law has a stream that breaks it and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given

from streamkit.dialects.events import (
    Custom,
    End,
    Error,
    Event,
    Finish,
    PartEnd,
    PartStart,
    Ping,
    Raw,
    Reasoning,
    Start,
    Text,
    ToolArgs,
    Usage,
)
from streamkit.dialects.lifecycle import Lifecycle
from tests.dialects.strategies import streams


def violations(events: list[Event], *, sequential: bool = False) -> list[tuple[str, int]]:
    checker = Lifecycle(sequential=sequential)
    found = [*checker.feed_many(events), *checker.finish()]
    return [(violation.law, violation.event) for violation in found]


WHOLE: list[Event] = [Start(), PartStart(0, "text"), Text(0, "a"), PartEnd(0), Finish("stop"), End()]


@given(events=streams(clean=False))
def test_lawful_streams_pass(events: list[Event]) -> None:
    assert violations(events) == []


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        pytest.param([], [("truncated", 0)], id="nothing"),
        pytest.param([Start()], [("truncated", 1)], id="cut"),
        pytest.param([Start(), *WHOLE], [("start", 2)], id="two-starts"),
        pytest.param(WHOLE[1:], [("start", 1)], id="no-start"),
        pytest.param([*WHOLE, Ping()], [("after-end", 7)], id="ping-after-end"),
        pytest.param([Error("x"), *WHOLE], [("after-end", n) for n in range(2, 8)], id="after-error"),
        pytest.param([Start(), Text(0, "a"), Finish("stop"), End()], [("part", 2)], id="delta-without-start"),
        pytest.param([*WHOLE[:4], Text(0, "b"), *WHOLE[4:]], [("part", 5)], id="delta-after-part-end"),
        pytest.param([*WHOLE[:2], Reasoning(0, "b"), *WHOLE[3:]], [("part", 3)], id="wrong-kind"),
        pytest.param([*WHOLE[:2], ToolArgs(0, "{}"), *WHOLE[3:]], [("part", 3)], id="args-for-text"),
        pytest.param([*WHOLE[:4], PartEnd(0), *WHOLE[4:]], [("part", 5)], id="two-ends"),
        pytest.param([Start(), PartStart(1, "text"), PartEnd(1), Finish("stop"), End()], [("part", 2)], id="gap"),
        pytest.param([*WHOLE[:2], *WHOLE[1:]], [("part", 3)], id="opened-twice"),
        pytest.param([*WHOLE[:3], Finish("stop"), End()], [("part", 4), ("part", 5)], id="open-at-finish"),
        pytest.param([*WHOLE[:4], End()], [("finish", 5), ("finish", 5)], id="no-finish"),
        pytest.param([*WHOLE[:5], Finish("stop"), End()], [("finish", 6)], id="two-finishes"),
        pytest.param([Start(), End()], [("finish", 2)], id="nothing-finished"),
        pytest.param([*WHOLE[:5], PartStart(1, "text"), PartEnd(1), End()], [("finish", 6)], id="part-after-finish"),
        pytest.param([*WHOLE[:4], Finish("tool_calls"), End()], [("tool-calls", 5)], id="no-tool"),
        pytest.param(
            [Start(), PartStart(0, "tool", "i", "f"), PartEnd(0), Finish("stop"), End()],
            [("tool-calls", 4)],
            id="stop-with-tool",
        ),
        pytest.param(
            [*WHOLE[:5], PartStart(0, "text", choice=1), PartEnd(0, choice=1), End()],
            [("finish", 8)],
            id="other-choice-unfinished",
        ),
    ],
)
def test_each_law_can_be_broken(events: list[Event], expected: list[tuple[str, int]]) -> None:
    assert violations(events) == expected


def test_an_error_may_leave_parts_open() -> None:
    assert violations([*WHOLE[:3], Error("x")]) == []
    assert violations([Error("x")]) == []


def test_what_belongs_to_no_choice_may_stand_anywhere() -> None:
    anywhere: list[Event] = [Ping(), Custom("ui_control", {}), Raw("anthropic", "x", "{}")]
    stream = [*anywhere, *(event for each in WHOLE[:-1] for event in [each, *anywhere]), Usage(1, 2), WHOLE[-1]]
    assert violations(stream) == []


def test_parts_may_overlap_unless_they_may_not() -> None:
    events: list[Event] = [
        *(Start(), PartStart(0, "tool", "a", "f"), PartStart(1, "tool", "b", "g"), ToolArgs(0, "{}")),
        *(ToolArgs(1, "{}"), PartEnd(1), PartEnd(0), Finish("tool_calls"), End()),
    ]
    assert violations(events) == []
    assert violations(events, sequential=True) == [("overlap", 3)]


def test_a_part_number_from_far_away_costs_nothing() -> None:
    assert violations([Start(), PartStart(10**12, "text")]) == [("part", 2), ("truncated", 2)]


def test_a_checker_can_be_reset() -> None:
    checker = Lifecycle()
    checker.feed_many(WHOLE)
    checker.reset()
    assert [*checker.feed_many(WHOLE), *checker.finish()] == []
