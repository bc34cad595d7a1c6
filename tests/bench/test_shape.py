"""What answers look like, and what of that a short calibration keeps: streams at once, and token events a second."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamkit.bench.plan import Arrivals, Concurrency, Replay
from streamkit.bench.record import RequestRecord
from streamkit.bench.shape import LEAST_TOKENS, LONGER, WANTED, Shape, fitted, seconds_for, shape_of

MS = 1_000_000


def answer(ttft_ms: float, gap_ms: float, tokens: int, *, first_tokens: int = 1, outcome: str = "ok") -> RequestRecord:
    first_ns = round(ttft_ms * MS)
    return RequestRecord(
        number=0,
        outcome=outcome,  # type: ignore[arg-type]
        sent_ns=0,
        first_token_ns=first_ns,
        last_token_ns=first_ns + round(gap_ms * (tokens - first_tokens) * MS),
        first_tokens=first_tokens,
        visible_tokens=tokens,
    )


def test_the_shape_is_that_of_the_answer_in_the_middle() -> None:
    answers = [answer(40, 9, 30), answer(900, 50, 200), answer(50, 10, 32), answer(45, 10, 30), answer(60, 11, 33)]
    assert shape_of(answers) == Shape(50, 10, 32)


def test_failed_answers_have_no_shape() -> None:
    assert shape_of([answer(1, 1, 5, outcome="truncated")]) is None
    assert shape_of([]) is None


def test_answers_of_one_token_have_no_gap() -> None:
    assert shape_of([answer(50, 0, 1)]) == Shape(50, 0, 1)


def test_tokens_that_come_together_count_one_by_one() -> None:
    assert shape_of([answer(50, 10, 32, first_tokens=4)]) == Shape(50, 10, 32)


def test_what_can_be_done_in_the_time_is_done_as_it_is() -> None:
    assert fitted(Shape(50, 10, 32), Concurrency(64), 5) == (Shape(50, 10, 32), Concurrency(64), "")
    load = Arrivals("gamma", 100, 2)
    assert fitted(Shape(50, 10, 32), load, 5) == (Shape(50, 10, 32), load, "")


def test_long_answers_are_shortened_and_it_is_said() -> None:
    shape, load, words = fitted(Shape(500, 30, 256), Concurrency(64), 5)
    assert load == Concurrency(64)
    assert shape.gap_ms == 30
    assert 5000 * 64 / shape.length_ms == pytest.approx(WANTED, rel=0.05)
    assert shape.tokens / shape.length_ms == pytest.approx(256 / Shape(500, 30, 256).length_ms, rel=0.1)
    assert "not 500 ms and 256" in words


def test_an_answer_keeps_some_gaps_however_little_time_there_is() -> None:
    shape, _, _ = fitted(Shape(500, 30, 256), Concurrency(1), 1)
    assert shape.tokens == LEAST_TOKENS
    assert fitted(Shape(500, 30, 2), Concurrency(1), 1)[0].tokens == 2


@pytest.mark.parametrize(
    ("concurrency", "gap_ms", "seconds"),
    [
        (64, 30, 3.0),  # as long as it was asked
        (4, 30, 3.9),  # 240 answers of 65 ms, four at once: both calibrations have 368 together
        (1, 30, 3 * LONGER),  # and no longer than that
        (1, 0, 3.0),
    ],
)
def test_a_calibration_of_few_streams_takes_longer_so_that_two_of_them_know_their_p99(
    concurrency: int, gap_ms: float, seconds: float
) -> None:
    shape, load, _ = fitted(Shape(80, gap_ms, 60), Concurrency(concurrency), 3)
    found = seconds_for(shape, load, 3)
    assert found == pytest.approx(seconds)
    if found < 3 * LONGER:
        assert 2 * found * concurrency * 1000 / shape.length_ms > 368


@given(
    st.floats(0.1, 5000),
    st.floats(0, 100),
    st.integers(1, 2000),
    st.floats(0.01, 1000),
    st.floats(0.5, 30),
)
def test_a_rate_that_is_raised_keeps_the_token_events(
    ttft_ms: float, gap_ms: float, tokens: int, per_s: float, seconds: float
) -> None:
    before, load = Shape(ttft_ms, gap_ms, tokens), Arrivals("poisson", per_s)
    shape, faster, _ = fitted(before, load, seconds)
    assert isinstance(faster, Arrivals)
    assert faster.per_s >= per_s * 0.999
    assert 1 <= shape.tokens <= tokens
    assert shape.gap_ms == gap_ms
    # Streams at once are the rate times an answer's length (Little's law).
    assert faster.per_s * shape.length_ms == pytest.approx(per_s * max(before.length_ms, 0.001), rel=0.01)
    # Not more requests than are wanted, and an answer no longer than half of the time; but tokens are whole,
    # and three of them have two gaps.
    wanted_per_s = max(per_s, WANTED / seconds, per_s * before.length_ms / (seconds * 500))
    assert faster.per_s <= wanted_per_s * 1.55


@given(st.lists(st.integers(0, 10**11), min_size=1, max_size=60).map(sorted), st.integers(1, 20))
def test_of_a_trace_it_is_the_busiest_span(at_ns: list[int], seconds: int) -> None:
    trace = Replay(at_ns, [*range(len(at_ns))], [7] * len(at_ns), [*range(100, 100 + len(at_ns))])
    _, busiest, _ = fitted(Shape(50, 10, 4), trace, seconds)
    assert isinstance(busiest, Replay)
    most = max(sum(began <= each < began + seconds * 10**9 for each in at_ns) for began in at_ns)
    assert len(busiest.at_ns) == most == len(busiest.max_tokens)
    assert busiest.at_ns[0] == 0
    assert busiest.at_ns[-1] < seconds * 10**9
    first = busiest.prompts[0]
    assert busiest.prompts == [*range(first, first + most)]
    assert busiest.characters == [100 + each for each in busiest.prompts]
    gaps = [after - before for before, after in pairwise(at_ns[first : first + most])]
    assert [after - before for before, after in pairwise(busiest.at_ns)] == gaps


def test_an_empty_trace_stays_empty() -> None:
    assert fitted(Shape(50, 10, 4), Replay([], [], []), 5)[1] == Replay([], [], [])
