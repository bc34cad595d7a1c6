"""A distribution of measured values as counts in buckets: of bounded size, and merged by adding up. Pure.

The buckets are HdrHistogram's with three significant digits: values up to 2047 have a bucket each, above that every
power of two has 1,024, so that a value is known to 0.05 %. Only buckets that hold something take memory. Values are
whole numbers that are not negative: ns, in nearly all metrics.

Beside the values stands what their sizes do not say: how many of them came from one answer, and so hang together, and
how many are only known not to be more than that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

__all__ = ["SUB_BUCKET_BITS", "Distribution"]

SUB_BUCKET_BITS: Final = 11


class Distribution:
    """Counts of values.

    Attributes:
        n: how many values there are.
        low, high: the least and the greatest, exactly; 0 where there is none.
        total: their sum.
        squares: of the numbers of values that came together, the sum of their squares; 0 where none did.
        at_most: how many of the values may be less than what is known: nobody saw when, only that it had been by then.
    """

    __slots__ = ("_counts", "_shifts", "at_most", "high", "low", "n", "squares", "total")

    def __init__(self, values: Iterable[int] = ()) -> None:
        self._counts: dict[int, int] = {}
        self.n = 0
        self.low = self.high = self.total = 0
        self.squares = self.at_most = 0
        self._shifts: dict[int, int] = {}  # what the counts would change by, were all of these as little as they may be
        for value in values:
            self.add(value)

    def add(self, value: int, count: int = 1) -> None:
        """Add a value; one below 0, which no clock gives, counts as 0."""
        if value < 0:  # noqa: PLR1730 - and no min() or max() below: half a million times a second, a call counts
            value = 0
        shift = value.bit_length() - SUB_BUCKET_BITS
        floor = value if shift <= 0 else value >> shift << shift
        counts = self._counts
        counts[floor] = counts.get(floor, 0) + count
        if not self.n or value < self.low:
            self.low = value
        if value > self.high:  # noqa: PLR1730
            self.high = value
        self.n += count
        self.total += value * count

    def come_together(self, many: int) -> None:
        """Take note that so many of the values are of one answer. Where it is said of any, it has to be said of all."""
        self.squares += many * many

    def may_be_less(self, value: int, less: int) -> None:
        """Take note that one of the values, this one, may be less by so much."""
        self.at_most += 1
        shifts = self._shifts
        for floor, change in ((floor_of(max(0, value)), -1), (floor_of(max(0, value - less)), 1)):
            shifts[floor] = shifts.get(floor, 0) + change

    def may_be(self, least: Distribution, at_most: int) -> None:
        """Take note that so many of the values are not known, and what it is with these as little as they may be."""
        self.at_most = at_most
        self._shifts = {floor: -count for floor, count in self._counts.items()}
        for floor, count in least._counts.items():
            self._shifts[floor] = self._shifts.get(floor, 0) + count

    @property
    def least(self) -> Distribution:
        """The values as little as they may be; itself where all are known. Its sum is not known."""
        if not self.at_most:
            return self
        least = Distribution()
        counts = dict(self._counts)
        for floor, change in self._shifts.items():
            counts[floor] = counts.get(floor, 0) + change
        least._counts = {floor: count for floor, count in counts.items() if count > 0}
        least.n, least.squares, least.high = self.n, self.squares, self.high
        least.low = min(self.low, *least._counts) if least._counts else self.low
        return least

    @property
    def independent(self) -> int:
        """As how many independent values they count, where all values of one answer may be alike.

        It is the number of answers where each has as many, and less where a few long ones have most: a share of the
        values varies as that of so many would. (Kish, "Survey Sampling", 1965, 8.2: the square of the sum of the
        weights, divided by the sum of their squares.)
        """
        return min(self.n, self.n * self.n // self.squares) if self.squares else self.n

    def merge(self, other: Distribution) -> None:
        """Add the values of another distribution."""
        if not other.n:
            return
        mine = self._counts
        for floor, count in other._counts.items():
            mine[floor] = mine.get(floor, 0) + count
        self.low = min(self.low, other.low) if self.n else other.low
        self.high = max(self.high, other.high)
        self.n += other.n
        self.total += other.total
        self.squares += other.squares
        self.at_most += other.at_most
        for floor, change in other._shifts.items():
            self._shifts[floor] = self._shifts.get(floor, 0) + change

    @property
    def mean(self) -> float:
        """The mean; 0 where there is no value."""
        return self.total / self.n if self.n else 0.0

    def buckets(self) -> Iterator[tuple[int, int]]:
        """Yield each bucket's least value and its count, in order."""
        yield from sorted(self._counts.items())

    def floors_at(self, ranks: Iterable[int]) -> Iterator[int]:
        """Yield the least value of the bucket in which each of these ranks is: counted from 1, in order, to `n`."""
        wanted = iter(ranks)
        rank = next(wanted, None)
        seen = 0
        for floor, count in self.buckets():
            seen += count
            while rank is not None and rank <= seen:
                yield floor
                rank = next(wanted, None)
            if rank is None:
                break

    def at_ranks(self, ranks: Iterable[int]) -> list[float]:
        """Return the values of these ranks, counted from 1, in order, none above `n`: the middles of their buckets."""
        return [min(max(middle_of(floor), self.low), self.high) for floor in self.floors_at(ranks)]

    def __eq__(self, other: object) -> bool:
        """Tell whether the other one has the same counts."""
        if not isinstance(other, Distribution):
            return NotImplemented
        return self._counts == other._counts and (self.low, self.high) == (other.low, other.high)

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __repr__(self) -> str:
        return f"Distribution(n={self.n}, low={self.low}, high={self.high})"

    # As it goes to other processes: JSON has no integer keys, so the buckets are a list.

    def as_json(self) -> list[int]:
        """Return it as numbers.

        Least, greatest, sum, `squares`, `at_most`; how many shifts there are, with a bucket's least value and a change
        of its count each; each bucket's least value and count.
        """
        shifts = [(floor, change) for floor, change in sorted(self._shifts.items()) if change]
        ends = [self.low, self.high, self.total, self.squares, self.at_most, len(shifts)]
        return ends + [number for pairs in (shifts, self.buckets()) for pair in pairs for number in pair]

    @classmethod
    def from_json(cls, numbers: list[int]) -> Distribution:
        """Return what `as_json` has made numbers of."""
        made = cls()
        if len(numbers) > 6:
            made.low, made.high, made.total, made.squares, made.at_most, shifts = numbers[:6]
            first = 6 + 2 * shifts
            made._shifts = dict(zip(numbers[6:first:2], numbers[7:first:2], strict=True))
            made._counts = dict(zip(numbers[first::2], numbers[first + 1 :: 2], strict=True))
            made.n = sum(made._counts.values())
        return made


def floor_of(value: int) -> int:
    """Return the least value of the bucket that a value is in."""
    shift = max(0, value.bit_length() - SUB_BUCKET_BITS)
    return value >> shift << shift


def middle_of(floor: int) -> float:
    """Return the middle of the bucket whose least value is `floor`."""
    shift = max(0, floor.bit_length() - SUB_BUCKET_BITS)
    return floor + ((1 << shift) - 1) / 2
