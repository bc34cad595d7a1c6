"""Paired differences against NumPy and SciPy, and their intervals against the truth."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats  # type: ignore[import-untyped]

from streamkit.bench.differences import Differences, difference_of

SIGNED = st.lists(st.integers(-(10**12), 10**12), min_size=1, max_size=60)


@given(SIGNED, st.data())
def test_the_values_of_ranks_hold_the_true_ones_on_both_sides_of_zero(values: list[int], data: st.DataObject) -> None:
    ranks = sorted(data.draw(st.lists(st.integers(1, len(values)), max_size=6)))
    each = Differences(values)
    assert each.n == len(values)
    assert each.total == sum(values)
    for rank, found in zip(ranks, each.values_at(ranks), strict=True):
        true = sorted(values)[rank - 1]
        assert found.low <= true <= found.high
        assert found.low <= found.value <= found.high
        assert found.high - found.low <= abs(true) / 1000


@given(SIGNED, SIGNED)
def test_parts_add_up_to_the_whole_also_through_json(some: list[int], others: list[int]) -> None:
    whole = Differences(some + others)
    part = Differences(some)
    part.merge(Differences.from_json(json.loads(json.dumps(Differences(others).as_json()))))
    assert part == whole
    assert difference_of(part) == difference_of(some + others)


def test_what_a_proxy_adds_is_found_with_its_sign() -> None:
    draw = np.random.default_rng(4)
    added = (draw.normal(-0.2e6, 1e6, 1000)).astype(np.int64)
    found = difference_of(added.tolist(), 1_000_000)
    assert found is not None
    low, high = stats.t.interval(0.95, 999, loc=added.mean() / 1e6, scale=stats.sem(added) / 1e6)
    assert (found.mean.value, found.mean.low, found.mean.high) == pytest.approx((added.mean() / 1e6, low, high))
    for q, quantile in ((0.5, found.p50), (0.9, found.p90), (0.99, found.p99)):
        assert quantile is not None
        assert quantile.value == pytest.approx(np.quantile(added, q, method="inverted_cdf") / 1e6, rel=1e-3)
        assert quantile.low < quantile.value < quantile.high


def test_few_pairs_say_little_and_one_says_nothing() -> None:
    assert difference_of([]) is None
    assert difference_of([5]) is None
    few = difference_of([-3, 2, 4, 1, 0])
    assert few is not None
    assert (few.p50, few.p90, few.p99) == (None, None, None)
    assert few.mean.low < 0.8 < few.mean.high
    more = difference_of([7] * 36)
    assert more is not None
    assert more.p90 is not None
    assert (more.p90.low, more.p90.high) == (7, 7)
    assert more.p99 is None


def test_a_small_difference_of_large_times_is_not_lost_in_rounding() -> None:
    found = difference_of([10**11, 10**11 + 1] * 500)
    assert found is not None
    assert found.mean.high - found.mean.low == pytest.approx(2 * 1.9623 * 0.5 / math.sqrt(999), rel=1e-3)


def test_the_median_difference_is_in_its_interval_as_often_as_it_says() -> None:
    draw = np.random.default_rng(11)
    runs = 400
    missed = 0
    for _ in range(runs):
        found = Differences((draw.laplace(50_000, 400_000, 60)).astype(np.int64).tolist()).quantile(0.5)
        assert found is not None
        missed += not found.low <= 50_000 <= found.high
    assert missed <= runs * 0.05 + 4 * math.sqrt(runs * 0.05)
