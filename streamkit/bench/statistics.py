"""How far a figure of a sample can be trusted: intervals of quantiles, of means and of shares. Pure.

A quantile's interval is made of order statistics and takes nothing for granted about the distribution's shape: the
number of values below the true quantile is binomial, so two ranks can be named between whose values it lies with at
least the confidence asked for. Each end misses it with at most half of what is left, so that either end can be used
alone. Where the sample has no such ranks there is no interval, and then there is no figure either: never one that was
extrapolated. (David and Nagaraja, "Order Statistics", 3rd edition, 7.1; Conover, "Practical Nonparametric Statistics",
3.2.)

What all of it takes for granted: that the values are drawn independently. Requests of a run nearly are. The gaps of one
answer are not independent of each other: they count as if all gaps of an answer were alike, which is the worst case
(`Distribution.independent`). Answers of which a few have most of the gaps are worth few.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction
from functools import lru_cache
from statistics import NormalDist
from typing import Final, NamedTuple

from streamkit.bench.distribution import SUB_BUCKET_BITS, Distribution, middle_of
from streamkit.bench.results import Estimate
from streamkit.errors import ConfigError

__all__ = [
    "CONFIDENCE",
    "Within",
    "check_confidence",
    "estimate",
    "interval_ranks",
    "mean_interval",
    "mean_within",
    "quantile_rank",
    "quantile_ranks",
    "share_interval",
    "smallest_n",
    "values_at",
]

CONFIDENCE: Final = 0.95
"""Of an interval, where nobody says otherwise."""

LEAST_WEIGHT: Final = 1e-18
"""Binomial weights that are this small beside the greatest one are left out: no tail that is asked for needs them."""

LEAST_DOUBT: Final = 1e-9
"""The most that a confidence may come near to 1: beyond it the arithmetic is not exact enough."""


class Within(NamedTuple):
    """A value of a distribution, as exactly as its buckets know it.

    Attributes:
        low, high: the value lies between them; both are the value itself where it is known exactly.
        value: the middle.
    """

    low: int
    value: float
    high: int


def interval_ranks(n: int, q: float, confidence: float = CONFIDENCE) -> tuple[int, int] | None:
    """Return the ranks, from 1, between whose values the quantile lies; None where `n` values cannot say.

    Args:
        n: how many values there are.
        q: the quantile, above 0 and below 1.
        confidence: of the interval; each end has half of the doubt.

    Raises:
        ConfigError: `q` or `confidence` is not between 0 and 1.
    """
    if n < smallest_n(q, confidence):
        return None
    return _binomial_ranks(n, q, (1 - confidence) / 2)


@lru_cache(maxsize=1024)
def smallest_n(q: float, confidence: float = CONFIDENCE) -> int:
    """Return how many values it takes until `interval_ranks` has an answer: 6 for a median, 368 for a p99 (at 95 %).

    Raises:
        ConfigError: `q` or `confidence` is not between 0 and 1.
    """
    if not 0 < q < 1:
        raise ConfigError(f"a quantile is between 0 and 1, not {q}")
    check_confidence(confidence)
    doubt = (1 - confidence) / 2
    rarer = max(q, 1 - q)
    n = max(1, math.floor(math.log(doubt) / math.log(rarer)))
    # The greatest of n values is above the quantile unless all of them are below: q ** n.
    while rarer**n > doubt:
        n += 1
    return n


def check_confidence(confidence: float) -> None:
    """Refuse a confidence that no interval can have.

    Raises:
        ConfigError: it is not between 0 and 1, or too near to 1.
    """
    if not 0 < confidence <= 1 - LEAST_DOUBT:
        raise ConfigError(f"a confidence is above 0 and below 1 by {LEAST_DOUBT} at least, not {confidence}")


@lru_cache(maxsize=4096)
def _binomial_ranks(n: int, q: float, doubt: float) -> tuple[int, int]:
    """Return the greatest rank l with P(B < l) <= doubt and the least u with P(B >= u) <= doubt, B being binomial.

    The weights are built from the most likely count outward, each from its neighbour, and need no factorials: their
    own sum makes them probabilities. It takes a time that grows with the root of `n`.
    """
    odds = q / (1 - q)
    mode = min(n, math.floor((n + 1) * q))
    above = [1.0]
    for k in range(mode, n):
        weight = above[-1] * (n - k) / (k + 1) * odds
        if weight < LEAST_WEIGHT:
            break
        above.append(weight)
    below = [1.0]
    for k in range(mode, 0, -1):
        weight = below[-1] * k / (n - k + 1) / odds
        if weight < LEAST_WEIGHT:
            break
        below.append(weight)
    allowed = doubt * (math.fsum(above) + math.fsum(below) - 1)
    weights = [*reversed(below), *above[1:]]
    first = mode - len(below) + 1
    return first + _within(weights, allowed), first + len(weights) - _within(reversed(weights), allowed)


def _within(weights: Iterable[float], allowed: float) -> int:
    """Return how many of the weights, from the first on, add up to no more than `allowed`."""
    many = 0
    spent = 0.0
    for weight in weights:
        spent += weight
        if spent > allowed:
            break
        many += 1
    return many


def quantile_rank(n: int, q: float) -> int:
    """Return the rank, from 1, of the quantile's estimate: the least one with at least `q` of the values up to it.

    It is always the value of some request, and always between the two `interval_ranks`.
    """
    share = _as_written(q)
    return min(n, max(1, math.ceil(n * share)))


@lru_cache(maxsize=256)
def _as_written(q: float) -> Fraction:
    """Return 0.07 as 7/100: as a float, 100 times it would be above 7, and its rank 8."""
    return Fraction(repr(q))


def values_at(distribution: Distribution, ranks: Iterable[int]) -> list[Within]:
    """Return the values of these ranks, from 1, in order, none above `n`, with what their buckets leave open."""
    found: list[Within] = []
    for floor in distribution.floors_at(ranks):
        top = floor + (1 << max(0, floor.bit_length() - SUB_BUCKET_BITS)) - 1
        low, high = max(floor, distribution.low), min(top, distribution.high)
        found.append(Within(low, min(max(middle_of(floor), low), high), high))
    return found


def estimate(
    distribution: Distribution,
    q: float,
    scale: float = 1,
    confidence: float = CONFIDENCE,
    *,
    independent: int | None = None,
) -> Estimate | None:
    """Return a quantile with its interval; None where the sample is too small for one.

    The ends are the outer edges of their buckets, so that what the buckets leave open is in the interval. Values that
    may be less than what is known (`Distribution.least`) are in the lower end as little as they may be.

    Args:
        distribution: the values.
        q: the quantile, above 0 and below 1.
        scale: by which values are divided.
        confidence: of the interval.
        independent: how many of the values are independent of each other at most, where the distribution does not know
            it better: the number of answers, for the gaps in them.

    Raises:
        ConfigError: `q` or `confidence` is not between 0 and 1.
    """
    ranks = quantile_ranks(distribution, q, confidence, independent=independent)
    if ranks is None:
        return None
    low, middle, high = values_at(distribution, ranks)
    if distribution.at_most:
        (low,) = values_at(distribution.least, ranks[:1])
    return Estimate(middle.value / scale, low.low / scale, high.high / scale)


def quantile_ranks(
    distribution: Distribution, q: float, confidence: float = CONFIDENCE, *, independent: int | None = None
) -> tuple[int, int, int] | None:
    """Return the ranks, from 1, of a quantile and of its interval's ends: low, itself, high; see `estimate`.

    The low one is that of `Distribution.least`. None where the sample is too small.

    Raises:
        ConfigError: `q` or `confidence` is not between 0 and 1.
    """
    n = distribution.n
    drawn = distribution.independent
    if independent is not None:
        drawn = min(drawn, independent)
    ranks = interval_ranks(drawn, q, confidence)
    if ranks is None:
        return None
    lower, upper = ranks
    if drawn < n:
        # Of each `n / drawn` values in a row the first stands for the lower end and the last for the upper one.
        lower, upper = (lower - 1) * n // drawn + 1, -(-upper * n // drawn)
    return lower, quantile_rank(n, q), upper


def mean_interval(distribution: Distribution, scale: float = 1, confidence: float = CONFIDENCE) -> Estimate | None:
    """Return the mean with Student's interval; None for fewer than two values.

    The mean is exact, the spread is known as well as the buckets know it. The interval is right for large samples of
    any distribution, and for all samples of a normal one; a long tail makes it too short where the sample is small.

    Raises:
        ConfigError: `confidence` is not between 0 and 1.
    """
    mean = distribution.mean
    squares = math.fsum(count * (middle_of(floor) - mean) ** 2 for floor, count in distribution.buckets())
    found = mean_within(distribution.n, mean, squares, confidence)
    return found and Estimate(found.value / scale, found.low / scale, found.high / scale)


def mean_within(n: int, mean: float, squares: float, confidence: float = CONFIDENCE) -> Estimate | None:
    """Return a mean with Student's interval; None for fewer than two values.

    Args:
        n: how many values.
        mean: theirs.
        squares: the sum of the squares of their distances from it.
        confidence: of the interval.

    Raises:
        ConfigError: `confidence` is not between 0 and 1.
    """
    check_confidence(confidence)
    if n < 2:
        return None
    half = student(n - 1, confidence) * math.sqrt(max(0.0, squares) / (n - 1) / n)
    return Estimate(mean, mean - half, mean + half)


@lru_cache(maxsize=4096)
def student(freedom: int, confidence: float) -> float:
    """Return by how many standard errors either end of a mean's interval is away from it: Student's t, two-sided.

    From 200 degrees of freedom on by Fisher's expansion, which is then good to seven digits (Abramowitz and Stegun
    26.7.5); below by halving, on the sum that is exact for whole degrees of freedom (26.7.3 and 26.7.4).
    """
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    if freedom >= 200:
        z2 = z * z
        terms = (
            z,
            z * (z2 + 1) / 4,
            z * (5 * z2**2 + 16 * z2 + 3) / 96,
            z * (3 * z2**3 + 19 * z2**2 + 17 * z2 - 15) / 384,
        )
        return math.fsum(term / math.pow(freedom, power) for power, term in enumerate(terms))
    low, high = 0.0, math.pi / 2
    for _ in range(60):
        angle = (low + high) / 2
        low, high = (angle, high) if _student_inside(angle, freedom) < confidence else (low, angle)
    return math.tan((low + high) / 2) * math.sqrt(freedom)


def _student_inside(angle: float, freedom: int) -> float:
    """Return the probability of |t| <= tan(angle) * sqrt(freedom)."""
    cos2 = math.cos(angle) ** 2
    if freedom % 2:
        term = math.cos(angle)
        total = 0.0
        for k in range(2, freedom, 2):
            total += term
            term *= cos2 * k / (k + 1)
        return 2 / math.pi * (angle + math.sin(angle) * total)
    term = 1.0
    total = 0.0
    for k in range(1, freedom, 2):
        total += term
        term *= cos2 * k / (k + 1)
    return math.sin(angle) * total


def share_interval(part: int, whole: int, confidence: float = CONFIDENCE) -> Estimate | None:
    """Return a share, of errors for instance, with Wilson's interval; None of nothing.

    (Wilson, "Probable inference, the law of succession, and statistical inference", 1927: it is never outside 0 to 1,
    and says something where no error or nothing else was seen.)

    Raises:
        ConfigError: `confidence` is not between 0 and 1.
    """
    check_confidence(confidence)
    if whole <= 0:
        return None
    share = part / whole
    z2 = NormalDist().inv_cdf((1 + confidence) / 2) ** 2
    middle = (share + z2 / (2 * whole)) / (1 + z2 / whole)
    half = math.sqrt(z2 * share * (1 - share) / whole + z2 * z2 / (4 * whole * whole)) / (1 + z2 / whole)
    low = 0.0 if part == 0 else max(0.0, middle - half)
    high = 1.0 if part == whole else min(1.0, middle + half)
    return Estimate(share, low, high)
