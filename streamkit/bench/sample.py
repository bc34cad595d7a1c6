"""Some of a load's records, for a timeline: the first ones, and others at random. Bounded, and it merges. Pure.

Which of the others are kept is drawn from a seed and the record's own number: so every process of a run draws for
itself, and what they keep, put together, is what one process would have kept of all the records.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from typing import Final

import msgspec

from streamkit.bench.record import RequestRecord

__all__ = ["MAX_READS", "Sample"]

MAX_READS: Final = 400
"""How many token reads of each record are kept: the first ones. Its counts still tell of all of them."""

MASK: Final = 2**64 - 1


class Sample:
    """Keeps some of the records that it is shown, whatever became of the requests.

    Args:
        first: how many of the lowest numbers are kept.
        others: how many of the rest, each with the same chance.
        seed: what that is drawn from; the same in every process of a run.
    """

    def __init__(self, *, first: int = 100, others: int = 300, seed: int = 0) -> None:
        self._first = first
        self._others = others
        self._salt = mixed(seed & MASK)
        # Heaps whose top is what has to go next. Where one number came twice, the third in the row decides.
        self._early: list[tuple[int, int, RequestRecord]] = []
        self._drawn: list[tuple[int, int, RequestRecord]] = []
        self._count = 0

    def add(self, record: RequestRecord) -> None:
        """Show it a record; the record is kept as it is, and must not change any more."""
        self._count += 1
        if len(self._early) < self._first:
            heapq.heappush(self._early, (-record.number, self._count, record))
            return
        if self._early and record.number < -self._early[0][0]:
            _, _, record = heapq.heapreplace(self._early, (-record.number, self._count, record))
        self._draw(record)

    def _draw(self, record: RequestRecord) -> None:
        row = (-mixed(record.number ^ self._salt), self._count, record)
        if len(self._drawn) < self._others:
            heapq.heappush(self._drawn, row)
        elif self._drawn and row[0] > self._drawn[0][0]:
            heapq.heapreplace(self._drawn, row)

    def merge(self, records: Iterable[RequestRecord]) -> None:
        """Add what another process's sample of the same sizes and seed has kept."""
        for record in records:
            self.add(record)

    @property
    def records(self) -> list[RequestRecord]:
        """What is kept, by number, each with at most `MAX_READS` token reads."""
        kept = [record for _, _, record in (*self._early, *self._drawn)]
        return [shortened(record) for record in sorted(kept, key=lambda each: each.number)]


def shortened(record: RequestRecord) -> RequestRecord:
    """Return a record with at most `MAX_READS` token reads."""
    if len(record.token_reads) <= MAX_READS:
        return record
    return msgspec.structs.replace(record, token_reads=record.token_reads[:MAX_READS])


def mixed(number: int) -> int:
    """Return 64 bits that look drawn at random, and are always the same for a number: the end of splitmix64."""
    number = (number + 0x9E3779B97F4A7C15) & MASK
    number = ((number ^ number >> 30) * 0xBF58476D1CE4E5B9) & MASK
    number = ((number ^ number >> 27) * 0x94D049BB133111EB) & MASK
    return number ^ number >> 31
