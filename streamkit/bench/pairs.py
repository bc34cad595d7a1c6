"""A proxy beside the server itself: the requests of a pair against each other, as they come. Pure.

A pair is the same question to every server, at about the same time, in an order that is drawn (`schedule`). Whatever
else changes during a run, a busy machine or a busy model, changes both sides of a pair, and so falls out of the
difference. A pair has a part only where both sides are ok: a side that failed is never fast, and the half that is left
says nothing about a proxy.

What is not compared, because it would compare two things: kernel stamps with read stamps (a pair that has both is
compared by its read stamps), tokens that a server counted with events that we counted, and gaps that nobody knows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from statistics import median
from typing import Final

from streamkit.bench.differences import Differences, difference_of
from streamkit.bench.metrics import BY_NAME, NS_PER_MS
from streamkit.bench.plan import Load
from streamkit.bench.record import RequestRecord
from streamkit.bench.results import Difference, Paired

__all__ = ["DIFFERENCES", "Pairing"]

MAX_WAITING: Final = 50_000
"""How many pairs may wait for their other sides. Beyond it, which takes a process that lost what it knew, the one that
has waited longest counts as cut; and so does its other side, should it come."""


def _one(metric: str) -> Callable[[RequestRecord], int | None]:
    values = BY_NAME[metric].values

    def value(record: RequestRecord) -> int | None:
        return next(iter(values(record)), None)

    return value


def _median_gap(record: RequestRecord) -> int | None:
    """Return the median of the gaps that are known: one value a request, so that pairs stay what is counted."""
    gaps = BY_NAME["event_gap_ms"].values(record)
    return round(median(gaps)) if gaps else None


DIFFERENCES: Final[dict[str, Callable[[RequestRecord], int | None]]] = {
    "ttft_ms": _one("ttft_ms"),
    "ttft_read_ms": _one("ttft_read_ms"),
    "first_visible_ms": _one("first_visible_ms"),
    "event_gap_ms": _median_gap,
    "tpot_ms": _one("tpot_ms"),
    "e2e_ms": _one("e2e_ms"),
}
"""What is compared, and what of a request; all in ns."""


class _Coalescing:
    """How many token events came together."""

    def __init__(self) -> None:
        self._reads = self._events = self._segments = self._alone = 0

    def add(self, record: RequestRecord) -> None:
        """Add an answer."""
        reads = record.token_reads
        segments = [read.tokens for read in reads if read.is_resolved]
        self._reads += len(reads)
        self._events += record.token_events
        self._segments += len(segments)
        self._alone += sum(segments)

    @property
    def per_read(self) -> float:
        """The mean in a read; 0 where there is none."""
        return self._events / self._reads if self._reads else 0.0

    @property
    def per_segment(self) -> float:
        """The mean in a read of one segment alone; 0 where there is none."""
        return self._alone / self._segments if self._segments else 0.0


class _Against:
    """A proxy's pairs so far."""

    def __init__(self) -> None:
        self.every = {metric: Differences() for metric in DIFFERENCES}
        self.reused = {metric: Differences() for metric in DIFFERENCES}
        self.pairs = self.broken = self.cut = self.uneven = 0
        self.read_in, self.read_out = _Coalescing(), _Coalescing()

    def take(self, direct: RequestRecord | None, proxy: RequestRecord | None) -> None:
        """Take both sides of a pair; None for one that never ended."""
        if any(side is not None and side.outcome not in {"ok", "unfinished", None} for side in (direct, proxy)):
            self.broken += 1
        elif direct is None or proxy is None or not (direct.is_ok and proxy.is_ok):
            self.cut += 1
        else:
            self._compare(direct, proxy)

    def _compare(self, direct: RequestRecord, proxy: RequestRecord) -> None:
        self.pairs += 1
        self.read_in.add(direct)
        self.read_out.add(proxy)
        if direct.has_kernel != proxy.has_kernel:
            direct, proxy = _by_reads(direct), _by_reads(proxy)
        alike = (direct.output_tokens is None) == (proxy.output_tokens is None)
        self.uneven += alike and direct.tokens != proxy.tokens
        are_reused = direct.is_reused and proxy.is_reused
        for metric, value in DIFFERENCES.items():
            if metric == "tpot_ms" and not alike:
                continue
            before, after = value(direct), value(proxy)
            if before is None or after is None:
                continue
            self.every[metric].add(after - before)
            if are_reused:
                self.reused[metric].add(after - before)


class Pairing:
    """Puts the requests of one load together, pair by pair, and each proxy against the server itself.

    It holds the records of pairs that still run, about as many as there are requests that run (a pair's requests are
    due one behind the other, and one process does them all), and of the rest only their differences.

    Args:
        direct: the name of the server itself.
        proxies: the names of those that stand before it.

    Raises:
        ValueError: a name is there twice.
    """

    def __init__(self, direct: str, proxies: Sequence[str]) -> None:
        if len({direct, *proxies}) != 1 + len(proxies):
            raise ValueError("every server needs a name of its own")
        self._direct = direct
        self._against = {proxy: _Against() for proxy in proxies}
        self._servers = 1 + len(proxies)
        self._waiting: dict[int, dict[str, RequestRecord]] = {}

    def add(self, record: RequestRecord) -> None:
        """Take a request that has ended; it is not changed."""
        sides = self._waiting.setdefault(record.pair, {})
        sides[record.target] = record
        if len(sides) == self._servers:
            self._take(record.pair)
        elif self.waiting > MAX_WAITING:
            self._take(next(iter(self._waiting)))

    @property
    def waiting(self) -> int:
        """How many pairs wait for their other sides."""
        return len(self._waiting)

    def finish(self) -> None:
        """Take the pairs that are not whole as what they are: no more requests come."""
        for pair in [*self._waiting]:
            self._take(pair)

    def _take(self, pair: int) -> None:
        sides = self._waiting.pop(pair)
        direct = sides.get(self._direct)
        for name, against in self._against.items():
            against.take(direct, sides.get(name))

    def paired(self, load: Load, confidence: float = 0.95) -> list[Paired]:
        """Return what is known of each proxy, after `finish`."""
        return [self._paired(name, against, load, confidence) for name, against in self._against.items()]

    def _paired(self, name: str, against: _Against, load: Load, confidence: float) -> Paired:
        return Paired(
            direct=self._direct,
            proxy=name,
            load=load,
            differences=summed(against.every, confidence),
            differences_reused=summed(against.reused, confidence),
            pairs=against.pairs,
            broken=against.broken,
            cut=against.cut,
            uneven=against.uneven,
            events_per_read_in=against.read_in.per_read,
            events_per_read_out=against.read_out.per_read,
            events_per_segment_in=against.read_in.per_segment,
            events_per_segment_out=against.read_out.per_segment,
        )


def summed(differences: dict[str, Differences], confidence: float) -> dict[str, Difference]:
    """Return, in ms, those that there are; of one pair alone there is none."""
    made = {metric: difference_of(each, NS_PER_MS, confidence) for metric, each in differences.items()}
    return {metric: difference for metric, difference in made.items() if difference is not None}


def _by_reads(record: RequestRecord) -> RequestRecord:
    """Return a record that goes by its read stamps."""
    if not record.has_kernel:
        return record
    other = copy(record)
    other.distrust_kernel()
    return other
