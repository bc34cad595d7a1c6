"""Counts in buckets: how near values are, and the laws of adding up."""

from __future__ import annotations

import json
from math import isclose

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamkit.bench.distribution import Distribution

VALUES = st.lists(st.integers(0, 4000) | st.integers(0, 10**13), max_size=60)


@given(VALUES)
def test_a_rank_is_the_order_statistic_to_a_twentieth_of_a_percent(values: list[int]) -> None:
    found = Distribution(values).at_ranks(range(1, len(values) + 1))
    assert len(found) == len(values)
    for got, true in zip(found, sorted(values), strict=True):
        assert abs(got - true) <= true / 2048


@given(VALUES.filter(len))
def test_least_and_greatest_sum_and_mean_are_exact(values: list[int]) -> None:
    made = Distribution(values)
    assert (made.n, made.low, made.high, made.total) == (len(values), min(values), max(values), sum(values))
    assert isclose(made.mean, sum(values) / len(values))
    first, last = made.at_ranks([1, len(values)])
    assert min(values) <= first <= last <= max(values)


def test_small_values_are_exact() -> None:
    assert Distribution(range(2048)).at_ranks(range(1, 2049)) == [*range(2048)]


@given(VALUES, VALUES)
def test_merging_is_adding_all_values(one: list[int], other: list[int]) -> None:
    merged = Distribution(one)
    merged.merge(Distribution(other))
    whole = Distribution([*other, *one])
    assert merged == whole
    assert (merged.n, merged.total, merged.as_json()) == (whole.n, whole.total, whole.as_json())


@given(VALUES)
def test_merging_leaves_the_other_one_as_it_was(values: list[int]) -> None:
    other = Distribution(values)
    merged = Distribution()
    merged.merge(other)
    merged.add(7)
    assert other == Distribution(values)


@given(VALUES)
def test_it_comes_back_from_json_as_it_was(values: list[int]) -> None:
    made = Distribution(values)
    back = Distribution.from_json(json.loads(json.dumps(made.as_json())))
    assert back == made
    assert (back.n, back.total, back.mean) == (made.n, made.total, made.mean)
    back.add(5)
    assert back == Distribution([*values, 5])


@given(st.integers(0, 10**13), st.integers(1, 10**6))
def test_a_value_many_times_is_that_value_added_as_often(value: int, count: int) -> None:
    made = Distribution()
    made.add(value, count)
    assert (made.n, made.total) == (count, value * count)
    assert made.at_ranks([1, count]) == [value, value]


def test_a_value_below_zero_counts_as_zero() -> None:
    made = Distribution([-5, 3])
    assert (made.low, made.total, made.at_ranks([1, 2])) == (0, 3, [0, 3])


def test_an_empty_one_has_no_rank() -> None:
    empty = Distribution()
    assert (empty.n, empty.mean, empty.at_ranks([])) == (0, 0.0, [])
    assert empty.at_ranks([1]) == []
    assert empty == Distribution.from_json(empty.as_json())


@given(st.lists(st.lists(st.integers(0, 10**9), min_size=1, max_size=9), max_size=9), st.integers(0, 9))
def test_values_of_one_answer_may_all_be_alike_and_count_so(answers: list[list[int]], cut: int) -> None:
    def made_of(some: list[list[int]]) -> Distribution:
        made = Distribution()
        for values in some:
            for value in values:
                made.add(value)
            made.come_together(len(values))
            made.may_be_less(values[0], 5)
        return made

    whole, merged = made_of(answers), made_of(answers[:cut])
    merged.merge(made_of(answers[cut:]))
    back = Distribution.from_json(json.loads(json.dumps(whole.as_json())))
    lengths = [len(values) for values in answers]
    kish = sum(lengths) ** 2 // sum(length**2 for length in lengths) if lengths else 0
    nowhere = Distribution([value for values in answers for value in (max(0, values[0] - 5), *values[1:])])
    for each in (whole, merged, back):
        assert [*each.least.buckets()] == [*nowhere.buckets()]
        assert (each.independent, each.at_most) == (kish, len(answers) if whole.n else 0)
    assert kish <= len(answers)
    if len({*lengths}) == 1:
        assert kish == len(answers), "the number of answers, where each has as many"
    assert Distribution([5, 5]).independent == 2
    other = Distribution(value for values in answers for value in values)
    other.may_be(whole.least, whole.at_most)
    assert [*other.least.buckets()] == [*nowhere.buckets()]


@pytest.mark.parametrize("order", [1, -1])
def test_its_size_is_that_of_its_range(order: int) -> None:
    """Values over six powers of ten, up and down: some thousand buckets, however many values there are."""
    values = [round(1.0001**number) for number in range(0, 200_000, 5)][::order]
    made = Distribution(values)
    assert made.n == 40_000
    assert sum(1 for _ in made.buckets()) <= 2048 + 1024 * 18
    assert [floor for floor, _ in made.buckets()] == sorted(floor for floor, _ in made.buckets())
