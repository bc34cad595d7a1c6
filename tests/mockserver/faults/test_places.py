from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import count, islice, pairwise, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mockserver.faults.places import before
from mockserver.faults.spec import Fault, Place, place_text
from mockserver.faults.table import FAULTS, Context, apply_faults, fault_of
from mockserver.response import Record, Response, Step, Steps, Verbatim
from mockserver.script import Close, Gate, Reset, Stall
from streamkit.dialects.registry import DIALECTS
from tests.mockserver.faults.fault_answers import PLAIN, TOOLS, context_of, response_of

ROLE, ONE, TWO_TO_FOUR, MARK, FIVE, FINISH, DONE = (
    Record(b"role", 0, 0),
    Record(b"one", 1, 10),
    Record(b"two to four", 4, 20),
    Record(b": mark", 4, 25),
    Record(b"five", 5, 30),
    Record(b"finish", 5, 30),
    Record(b"done", 5, 30, is_terminator=True),
)
STEPS: tuple[Step, ...] = (ROLE, ONE, TWO_TO_FOUR, MARK, FIVE, FINISH, DONE)


def parts(steps: tuple[Step, ...], place: Place) -> tuple[list[Step], list[Step] | None]:
    """What comes before a place and after it; None where it is not in there."""
    rest = iter(steps)
    search = before(rest, place)
    first: list[Step] = []
    while True:
        try:
            first.append(next(search))
        except StopIteration as stop:
            return first, None if stop.value is None else [*stop.value, *rest]


@pytest.mark.parametrize(
    ("place", "steps_before"),
    [
        (Place("after-head"), 0),
        (Place("token", 0), 1),
        (Place("token", 1), 2),
        (Place("token", 2), 2),
        (Place("token", 3), 2),
        (Place("token", 4), 4),
        (Place("token", 5), 6),
        (Place("event", 0), 0),
        (Place("event", 3), 3),
        (Place("event", 7), 7),
        (Place("before-terminator"), 6),
    ],
    ids=lambda value: place_text(value) if isinstance(value, Place) else "",
)
def test_where_a_place_is(place: Place, steps_before: int) -> None:
    assert parts(STEPS, place) == ([*STEPS[:steps_before]], [*STEPS[steps_before:]])


@pytest.mark.parametrize("place", [Place("token", 6), Place("event", 8), Place("event", 7, 1)])
def test_a_place_that_is_not_in_there(place: Place) -> None:
    assert parts(STEPS, place) == ([*STEPS], None)


def test_a_place_inside_a_record_cuts_it_and_its_tokens_come_with_the_second_part() -> None:
    first, rest = parts(STEPS, Place("event", 2, 4))
    assert first == [ROLE, ONE, Record(b"two ", 1, 20, cut_from=TWO_TO_FOUR)]
    assert rest == [Record(b"to four", 4, 20), MARK, FIVE, FINISH, DONE]
    first, rest = parts(STEPS, Place("event", 6, 1))
    assert first[-1] == Record(b"d", 5, 30, cut_from=DONE)
    assert rest == [Record(b"one", 5, 30, is_terminator=True)]


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        (Place("event", 2), b"roleone"),
        (Place("event", 2, 1), b"roleonet"),
        (Place("event", 2, 4), b"roleonetwo "),
        (Place("event", 2, 6), b"roleonetwo to"),
        (Place("event", 2, 99), b"roleonetwo to four"),
        (Place("event", 3), b"roleonetwo to four"),
        (Place("event", 3, 2), b"roleonetwo to four: "),
        (Place("token", 1), b"roleone"),
        (Place("token", 4), b"roleonetwo to four: mark"),
        (Place("before-terminator"), b"roleonetwo to four: markfivefinish"),
    ],
    ids=lambda value: place_text(value) if isinstance(value, Place) else "",
)
def test_a_record_that_an_earlier_fault_cut_is_still_one(place: Place, expected: bytes) -> None:
    """Wherever it was cut, and however often: places are where they were in what was to be sent."""
    for event, earlier in product((2, 4, 6), [(2,), (1,), (2, 3), (3, 2), (3, 1, 2), (2, 2)]):
        response = Response(steps=STEPS)
        gates = [Fault("gate", "earlier", Place("event", event, at_byte)) for at_byte in earlier]
        response = apply_faults(response, [*gates, Fault("gate", "here", place)], Context())
        steps = [*response.steps]
        assert body(iter(steps)) == body(iter(STEPS))
        assert body(iter(steps[: steps.index(Gate("here"))])) == expected


@pytest.mark.parametrize(("place", "is_there"), [("2+99", True), ("3", True), ("3+1", False), ("4", False)])
def test_of_a_record_whose_rest_was_left_out_what_came_is_all(place: str, is_there: bool) -> None:
    faults = [fault_of(text) for text in ("end@event:2+6", f"gate:here@event:{place}")]
    steps = [*apply_faults(Response(steps=STEPS), faults, Context()).steps]
    assert body(iter(steps)) == b"roleonetwo to"
    assert (steps[-1] == Gate("here")) is is_there


def test_a_place_beyond_the_bytes_of_a_record_is_after_it() -> None:
    assert parts(STEPS, Place("event", 1, 3)) == parts(STEPS, Place("event", 1, 99)) == parts(STEPS, Place("event", 2))


def test_without_a_terminator_its_place_is_the_end() -> None:
    assert parts((ROLE, ONE), Place("before-terminator")) == ([ROLE, ONE], [])
    assert parts((), Place("token", 0)) == ([], [])


def test_a_body_that_was_broken_off_has_no_place_after_that() -> None:
    for end in (Close(), Reset()):
        for place in (Place("token", 1), Place("before-terminator"), Place("event", 2)):
            assert parts((ROLE, ONE, end), place) == ([ROLE, ONE, end], None)


def test_what_is_no_record_counts_for_nothing() -> None:
    steps = (Gate("a"), ROLE, Stall(1), Verbatim(b"x"), ONE)
    assert parts(steps, Place("event", 1)) == ([Gate("a"), ROLE, Stall(1), Verbatim(b"x")], [ONE])


def test_a_search_looks_no_further_than_to_the_place() -> None:
    def endless() -> Iterator[Step]:
        return (Record(b"%d" % number, number) for number in count())

    response = apply_faults(Response(steps=Steps(endless)), [Fault("stall", "", Place("token", 3))], Context())
    assert [*islice(response.steps, 6)] == [*islice(endless(), 4), Stall(), Record(b"4", 4)]


# For every kind

DIALECT_NAMES = [f"{name}/{framing}" for name, dialect in DIALECTS.items() for framing in dialect.framings]

ARGUMENTS = {"status": "500", "gate": "g", "length": "-3", "oversized": "5000"}

ANSWERS = {name: [response_of(name, events) for events in (PLAIN, TOOLS)] for name in DIALECT_NAMES}

places = st.one_of(
    st.sampled_from([Place("after-head"), Place("before-terminator")]),
    st.builds(Place, st.just("token"), st.integers(0, 11)),
    st.builds(Place, st.just("event"), st.integers(0, 15), st.just(0) | st.integers(1, 200)),
)


def body(steps: Iterator[Step]) -> bytes:
    return b"".join(step.data for step in steps if isinstance(step, Record | Verbatim))


@settings(max_examples=settings().max_examples // 4)  # there are many kinds, and each draws its own answers
@given(data=st.data())
@pytest.mark.parametrize("kind", FAULTS)
def test_nothing_before_its_place_changes(kind: str, data: st.DataObject) -> None:
    row = FAULTS[kind]
    wires = [name for name in DIALECT_NAMES if not row.dialects or name.partition("/")[0] in row.dialects]
    name = data.draw(st.sampled_from(wires))
    response = ANSWERS[name][data.draw(st.integers(0, 1))]
    if row.places & {"token", "event", "after-head", "before-terminator"}:
        allowed = places.filter(lambda place: (place.kind + "+bytes" * bool(place.plus_bytes)) in row.places)
        place = data.draw(allowed)
    else:
        place = None
    fault = Fault(kind, ARGUMENTS.get(kind, ""), place)
    found = apply_faults(response, [fault], context_of(name))
    again = apply_faults(response, [fault], context_of(name))
    steps = [*found.steps]

    assert steps == [*found.steps] == [*again.steps], "going through twice is not the same"
    assert (replace(found, steps=()), found.notes) == (replace(again, steps=()), again.notes)
    records = [step for step in steps if isinstance(step, Record)]
    assert all(one.at_ns <= two.at_ns and one.tokens <= two.tokens for one, two in pairwise(records))
    [note] = found.notes
    if "did nothing" in note:
        assert steps == [*response.steps]
        assert replace(found, steps=()) == replace(response, steps=())
    elif place is not None:
        first, rest = parts(tuple(response.steps), place)
        assert rest is not None
        assert steps[: len(first)] == first
        assert body(iter(steps)).startswith(body(iter(first)))
    elif kind in {"length", "content-type", "interim", "trailers"}:
        assert steps == [*response.steps]
