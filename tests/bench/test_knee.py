"""The knee of curves whose knee is known."""

from __future__ import annotations

import pytest

from streamkit.bench.knee import Point, find_knee


def test_a_single_queue_bends_at_half_of_its_capacity() -> None:
    # M/M/1: latency = 1 / (capacity - rate), so power = rate * (capacity - rate).
    points: list[Point] = [(rate, rate, 1000 / (100 - rate)) for rate in (10, 25, 40, 50, 60, 75, 90)]
    knee = find_knee("s", points)
    assert knee is not None
    assert (knee.server, knee.index, knee.load) == ("s", 3, 50)
    assert ("may lie" in knee.words, knee.edge) == (False, "")
    assert knee.words.endswith("nearly the same at 40, 60")


def test_a_batch_that_fills_up_bends_where_it_is_full_in_whatever_order_it_was_run() -> None:
    # A closed loop on a server with 16 places: latency is flat up to 16, and all that comes on top of it waits.
    points: list[Point] = [(at, min(at, 16) / 0.1, 100 * max(1, at / 16)) for at in (64, 1, 16, 4, 32)]
    knee = find_knee("s", points)
    assert knee is not None
    assert (knee.index, knee.load) == (2, 16)


@pytest.mark.parametrize(
    ("places", "load", "edge", "words"),
    [(1, 1, "least", "may lie below it, and none was found"), (1000, 64, "greatest", "may lie above it, and none was")],
)
def test_the_end_of_a_sweep_is_no_knee_and_says_so(places: int, load: float, edge: str, words: str) -> None:
    points: list[Point] = [(at, min(at, places) / 0.1, 100 * max(1.0, at / places)) for at in (1, 8, 64)]
    knee = find_knee("s", points)
    assert knee is not None
    assert (knee.load, knee.edge) == (load, edge)
    assert words in knee.words


def test_of_equal_loads_the_least_is_taken() -> None:
    knee = find_knee("s", [(1, 5, 100), (32, 40, 400), (8, 20, 200), (64, 40, 800)])
    assert knee is not None
    assert (knee.index, knee.load) == (2, 8)


def test_too_few_loads_have_no_knee() -> None:
    assert find_knee("s", []) is None
    assert find_knee("s", [(1, 10, 100), (8, 80, 100)]) is None
    assert find_knee("s", [(1, 10, 100), (1, 11, 100), (8, 80, 100)]) is None
    # A load at which nothing was answered has no latency, and is no point.
    assert find_knee("s", [(1, 10, 100), (8, 80, 100), (64, 0, None)]) is None
    knee = find_knee("s", [(1, 10, 100), (2, None, None), (8, 80, 100), (64, 90, 700)])
    assert knee is not None
    assert (knee.index, knee.load) == (2, 8)
