"""Paired differences: what one path adds to a request that went both ways. Pure, of bounded size, and mergeable.

A difference has a sign, which a `Distribution` has not: the ones below zero are kept in one of their own, by their
size. A difference is known to 0.05 % of itself.
"""

from __future__ import annotations

from collections.abc import Iterable

from streamkit.bench.distribution import Distribution
from streamkit.bench.results import Difference, Estimate
from streamkit.bench.statistics import (
    CONFIDENCE,
    Within,
    interval_ranks,
    mean_within,
    quantile_rank,
    values_at,
)

__all__ = ["Differences", "difference_of"]


class Differences:
    """Differences of pairs: whole numbers, ns mostly, the second path's value less the first one's.

    Attributes:
        below: those under zero, by their size.
        above: the others.
    """

    __slots__ = ("_squares", "above", "below")

    def __init__(self, values: Iterable[int] = ()) -> None:
        self.below = Distribution()
        self.above = Distribution()
        self._squares = 0
        for value in values:
            self.add(value)

    @property
    def n(self) -> int:
        """How many there are."""
        return self.below.n + self.above.n

    @property
    def total(self) -> int:
        """Their sum, exactly."""
        return self.above.total - self.below.total

    @property
    def mean(self) -> float:
        """Their mean; 0 where there is none."""
        return self.total / self.n if self.n else 0.0

    def add(self, value: int) -> None:
        """Add the difference of one pair."""
        if value < 0:
            self.below.add(-value)
        else:
            self.above.add(value)
        self._squares += value * value

    def merge(self, other: Differences) -> None:
        """Add those of another process."""
        self.below.merge(other.below)
        self.above.merge(other.above)
        self._squares += other._squares

    def values_at(self, ranks: Iterable[int]) -> list[Within]:
        """Return the values of these ranks, counted from 1 (the least), in order, none above `n`."""
        wanted = [*ranks]
        under = self.below.n
        mirrored = values_at(self.below, (under + 1 - rank for rank in reversed(wanted) if rank <= under))
        found = [Within(-each.high, -each.value, -each.low) for each in reversed(mirrored)]
        return found + values_at(self.above, (rank - under for rank in wanted if rank > under))

    def quantile(self, q: float, scale: float = 1, confidence: float = CONFIDENCE) -> Estimate | None:
        """Return a quantile of the differences with its interval; None where there are too few.

        Raises:
            ConfigError: `q` or `confidence` is not between 0 and 1.
        """
        ranks = interval_ranks(self.n, q, confidence)
        if ranks is None:
            return None
        low, middle, high = self.values_at((ranks[0], quantile_rank(self.n, q), ranks[1]))
        return Estimate(middle.value / scale, low.low / scale, high.high / scale)

    def mean_estimate(self, scale: float = 1, confidence: float = CONFIDENCE) -> Estimate | None:
        """Return the mean with Student's interval; None for fewer than two.

        Raises:
            ConfigError: `confidence` is not between 0 and 1.
        """
        n = self.n
        if n < 2:
            return None
        # All of it is in whole numbers: a difference of two large squares as floats would be noise.
        squares = (self._squares * n - self.total**2) / n
        found = mean_within(n, self.mean, squares, confidence)
        return found and Estimate(found.value / scale, found.low / scale, found.high / scale)

    def __eq__(self, other: object) -> bool:
        """Tell whether the other has the same differences, as far as both know."""
        if not isinstance(other, Differences):
            return NotImplemented
        return (self.below, self.above, self._squares) == (other.below, other.above, other._squares)

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __repr__(self) -> str:
        return f"Differences(n={self.n}, mean={self.mean:g})"

    def as_json(self) -> list[list[int]]:
        """Return them as numbers, for other processes. A sum of squares may need more than 64 bits: it goes in two."""
        high, low = divmod(self._squares, 1 << 62)
        return [self.below.as_json(), self.above.as_json(), [high, low]]

    @classmethod
    def from_json(cls, numbers: list[list[int]]) -> Differences:
        """Return what `as_json` has made numbers of."""
        made = cls()
        below, above, (high, low) = numbers
        made.below = Distribution.from_json(below)
        made.above = Distribution.from_json(above)
        made._squares = (high << 62) + low
        return made


def difference_of(
    differences: Differences | Iterable[int], scale: float = 1, confidence: float = CONFIDENCE
) -> Difference | None:
    """Return what the pairs say; None for fewer than two of them, of which no mean has an interval.

    Args:
        differences: of the pairs, the proxy's value less the direct one's.
        scale: by which they are divided.
        confidence: of all intervals.

    Raises:
        ConfigError: `confidence` is not between 0 and 1.
    """
    each = differences if isinstance(differences, Differences) else Differences(differences)
    mean = each.mean_estimate(scale, confidence)
    if mean is None:
        return None
    p50, p90, p99 = (each.quantile(q, scale, confidence) for q in (0.5, 0.9, 0.99))
    return Difference(n=each.n, mean=mean, p50=p50, p90=p90, p99=p99)
