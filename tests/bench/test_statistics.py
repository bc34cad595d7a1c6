"""Intervals against SciPy and NumPy, and against what they promise: how often they hold the truth."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats  # type: ignore[import-untyped]

from streamkit.bench.distribution import Distribution
from streamkit.bench.results import Estimate
from streamkit.bench.statistics import (
    estimate,
    interval_ranks,
    mean_interval,
    mean_within,
    quantile_rank,
    quantile_ranks,
    share_interval,
    smallest_n,
    student,
    values_at,
)
from streamkit.errors import ConfigError

Values: TypeAlias = NDArray[np.float64 | np.int64]

SHAPES: dict[str, tuple[Callable[[np.random.Generator, int], Values], Callable[[float], float]]] = {
    "exponential": (lambda draw, n: draw.exponential(30e6, n), lambda q: -30e6 * math.log1p(-q)),
    "lognormal": (lambda draw, n: draw.lognormal(17, 1, n), lambda q: float(stats.lognorm.ppf(q, 1, scale=np.exp(17)))),
    "few values": (lambda draw, n: draw.integers(1, 7, n), lambda q: float(math.ceil(q * 6))),
}
"""Distributions that draw ns, and their true quantiles."""


@given(st.integers(1, 30_000), st.floats(0.001, 0.999), st.sampled_from([0.5, 0.8, 0.95, 0.99, 0.9999]))
@example(368, 0.99, 0.95)
@example(367, 0.99, 0.95)
@example(100_000_000, 0.99, 0.95)
@example(100_000_000, 0.5, 0.999999)
def test_ranks_are_the_tightest_that_the_binomial_distribution_allows(n: int, q: float, confidence: float) -> None:
    found = interval_ranks(n, q, confidence)
    doubt = (1 - confidence) / 2
    binomial = stats.binom(n, q)
    if found is None:
        assert max(binomial.cdf(0), binomial.sf(n - 1)) > doubt * (1 - 1e-9)
        return
    low, high = found
    assert 1 <= low <= quantile_rank(n, q) <= high <= n
    near = 1e-7  # as near as two ways of adding up small numbers come
    assert binomial.cdf(low - 1) <= doubt * (1 + near)
    assert binomial.cdf(low) > doubt * (1 - near)
    assert binomial.sf(high - 1) <= doubt * (1 + near)
    assert binomial.sf(high - 2) > doubt * (1 - near)


@pytest.mark.parametrize(
    ("q", "confidence", "n"), [(0.5, 0.95, 6), (0.9, 0.95, 36), (0.99, 0.95, 368), (0.01, 0.95, 368), (0.99, 0.99, 528)]
)
def test_no_quantile_under_the_sample_that_it_needs(q: float, confidence: float, n: int) -> None:
    assert smallest_n(q, confidence) == n
    assert interval_ranks(n - 1, q, confidence) is None
    assert interval_ranks(n, q, confidence) is not None
    assert estimate(Distribution(range(n - 1)), q, confidence=confidence) is None
    assert estimate(Distribution(range(n)), q, confidence=confidence) is not None


def test_nothing_is_said_of_nothing() -> None:
    nothing = Distribution()
    assert interval_ranks(0, 0.5) is None
    assert estimate(nothing, 0.5) is None
    assert mean_interval(nothing) is None
    assert mean_interval(Distribution([5])) is None
    assert share_interval(0, 0) is None


@given(st.lists(st.integers(0, 2047), min_size=6, max_size=80), st.integers(1, 99))
def test_an_estimate_is_the_order_statistic_that_numpy_takes(values: list[int], percent: int) -> None:
    q = percent / 100
    rank = quantile_rank(len(values), q)
    assert rank == -(-len(values) * percent // 100)
    if rank == math.ceil(len(values) * q):  # as floats, 0.07 * 100 is above 7
        assert sorted(values)[rank - 1] == np.quantile(values, q, method="inverted_cdf")
    found = estimate(Distribution(values), q)
    if found is not None:
        assert found.value == sorted(values)[rank - 1]
        assert found.low <= found.value <= found.high


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=60), st.data())
def test_the_values_of_ranks_hold_the_true_ones(values: list[int], data: st.DataObject) -> None:
    ranks = sorted(data.draw(st.lists(st.integers(1, len(values)), max_size=5)))
    for rank, found in zip(ranks, values_at(Distribution(values), ranks), strict=True):
        true = sorted(values)[rank - 1]
        assert found.low <= true <= found.high
        assert found.low <= found.value <= found.high
        assert found.high - found.low <= true / 1000


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("q", [0.5, 0.9, 0.99])
def test_intervals_hold_the_truth_as_often_as_they_say_on_each_side(shape: str, q: float) -> None:
    draw = np.random.default_rng(8)
    drawn, quantile = SHAPES[shape]
    truth, runs, n = quantile(q), 400, 400
    above = below = 0
    for _ in range(runs):
        found = estimate(Distribution(drawn(draw, n).astype(np.int64).tolist()), q)
        assert found is not None
        above += found.low > truth
        below += found.high < truth - 1  # a whole ns was cut off
    # 2.5 % each, and four times what chance makes of 400 runs.
    most = runs * 0.025 + 4 * math.sqrt(runs * 0.025)
    assert above <= most
    assert below <= most


def test_gaps_of_one_answer_that_are_alike_need_the_number_of_answers() -> None:
    draw = np.random.default_rng(3)
    runs, answers, gaps = 200, 100, 30
    missed = {None: 0, answers: 0}
    for _ in range(runs):
        # The worst case: all gaps of an answer are the same.
        values = np.repeat(draw.exponential(1e7, answers).astype(np.int64), gaps)
        distribution = Distribution(values.tolist())
        for independent in missed:
            found = estimate(distribution, 0.5, independent=independent)
            assert found is not None
            missed[independent] += not found.low <= 1e7 * math.log(2) <= found.high
    assert missed[answers] <= runs * 0.05 + 4 * math.sqrt(runs * 0.05)
    assert missed[None] > runs * 0.3
    assert estimate(distribution, 0.99) is not None
    assert estimate(distribution, 0.99, independent=answers) is None


LENGTHS: dict[str, Callable[[np.random.Generator, int], Values]] = {
    "spread": lambda draw, n: draw.lognormal(4, 1, n),
    "a few long ones": lambda draw, n: np.where(draw.random(n) < 0.1, 1000, 30),
    "a long tail": lambda draw, n: 20 * (draw.pareto(1.2, n) + 1),
}


@pytest.mark.parametrize("lengths", LENGTHS)
def test_gaps_of_answers_that_are_not_equally_long_are_worth_fewer_answers(lengths: str) -> None:
    draw = np.random.default_rng(12)
    runs, answers = 120, 100
    many, level = LENGTHS[lengths](draw, 20_000).astype(np.int64), draw.lognormal(16, 0.5, 20_000)
    order = np.argsort(level)
    weights = np.cumsum(many[order])
    truth = level[order][np.searchsorted(weights, weights[-1] / 2)]
    missed = {"all answers": 0, "as many as they are worth": 0}
    for _ in range(runs):
        distribution, plain = Distribution(), Distribution()
        for gaps, gap in zip(LENGTHS[lengths](draw, answers), draw.lognormal(16, 0.5, answers), strict=True):
            for each in (distribution, plain):
                each.add(int(gap), int(gaps))
            distribution.come_together(int(gaps))
        for name, values in (("all answers", plain), ("as many as they are worth", distribution)):
            found = estimate(values, 0.5, independent=answers)
            missed[name] += found is not None and not found.low <= truth <= found.high
    assert missed["as many as they are worth"] <= runs * 0.05 + 3 * math.sqrt(runs * 0.05)
    assert missed["all answers"] > runs * 0.1


def test_answers_of_which_one_has_nearly_all_gaps_have_no_figure() -> None:
    distribution = Distribution()
    for gaps in [10_000, *[10] * 99]:
        distribution.add(10**7, gaps)
        distribution.come_together(gaps)
    assert distribution.independent == 1
    assert estimate(distribution, 0.5, independent=100) is None


@given(st.lists(st.integers(0, 1000), min_size=40, max_size=80), st.data())
def test_values_that_may_be_less_than_what_is_known_lower_the_lower_end(values: list[int], data: st.DataObject) -> None:
    known = estimate(Distribution(values), 0.5)
    late = data.draw(st.lists(st.integers(0, len(values) - 1), unique=True))
    seen = Distribution(values)
    truth = [*values]
    for index in late:
        less = data.draw(st.integers(0, 1000))
        seen.may_be_less(values[index], less)
        truth[index] -= data.draw(st.integers(0, min(less, values[index])))
    found, true = estimate(seen, 0.5), estimate(Distribution(truth), 0.5)
    assert known is not None
    assert found is not None
    assert true is not None
    assert (found.value, found.high) == (known.value, known.high)
    # Whatever those values really were: the interval that all of the truth would have had begins no lower.
    assert found.low <= true.low


def test_values_that_may_be_a_little_less_are_a_little_less_and_not_zero() -> None:
    seen = Distribution([100] * 40)
    for _ in range(40):
        seen.may_be_less(100, 1)
    assert quantile_ranks(seen, 0.5) == (14, 20, 27)
    assert estimate(seen, 0.5) == Estimate(100, 99, 100)


@pytest.mark.parametrize("q", [0.1, 0.5, 0.9])
def test_values_that_come_in_threes_have_the_interval_of_one_of_each(q: float) -> None:
    threes = Distribution([value for value in range(40) for _ in range(3)])
    assert estimate(threes, q, independent=40) == estimate(Distribution(range(40)), q)


def test_a_quantile_is_taken_as_it_is_written() -> None:
    assert 0.07 * 100 > 7
    assert quantile_rank(100, 0.07) == 7
    assert quantile_rank(100, 0.0701) == 8
    assert quantile_rank(1, 0.01) == quantile_rank(1, 0.99) == 1


@given(st.lists(st.integers(0, 10**6), min_size=40, max_size=90), st.integers(6, 90))
def test_fewer_independent_values_never_make_an_interval_shorter(values: list[int], independent: int) -> None:
    every = estimate(Distribution(values), 0.5)
    fewer = estimate(Distribution(values), 0.5, independent=independent)
    assert every is not None
    assert fewer is not None
    assert fewer.low <= every.low <= every.value == fewer.value <= every.high <= fewer.high


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 7, 30, 99, 150, 199, 200, 201, 1000, 1_000_000])
@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95, 0.999])
def test_student_is_scipys(freedom: int, confidence: float) -> None:
    assert student(freedom, confidence) == pytest.approx(stats.t.ppf((1 + confidence) / 2, freedom), rel=1e-7)


def test_the_interval_of_a_mean_is_scipys() -> None:
    values = np.random.default_rng(1).integers(0, 2000, 50)
    found = mean_interval(Distribution(values.tolist()), 10)
    low, high = stats.t.interval(0.95, 49, loc=values.mean() / 10, scale=stats.sem(values) / 10)
    assert found is not None
    assert (found.value, found.low, found.high) == pytest.approx((values.mean() / 10, low, high))
    alike = mean_within(3, 7.0, -1e-12)  # what is left of squares that should be zero
    assert alike is not None
    assert (alike.low, alike.high) == (7.0, 7.0)


@given(st.integers(0, 500), st.integers(1, 500), st.sampled_from([0.8, 0.95, 0.99]))
def test_the_interval_of_a_share_is_scipys(part: int, whole: int, confidence: float) -> None:
    part = min(part, whole)
    found = share_interval(part, whole, confidence)
    theirs = stats.binomtest(part, whole).proportion_ci(confidence, method="wilson")
    assert found is not None
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), abs=1e-9)
    assert 0 <= found.low <= found.value <= found.high <= 1


def test_what_makes_no_sense_is_refused() -> None:
    for q in (0.0, 1.0, -0.5, math.nan):
        with pytest.raises(ConfigError, match="quantile"):
            interval_ranks(1000, q)
    for confidence in (0.0, 1.0, 95.0, math.nan):
        with pytest.raises(ConfigError, match="confidence"):
            interval_ranks(1000, 0.5, confidence)
        with pytest.raises(ConfigError, match="confidence"):
            share_interval(1, 2, confidence)
