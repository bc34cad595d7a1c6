"""When the upstream wrote each token and when the client had it: what each path adds to every single token. Pure.

That takes an upstream whose journal is ours, the embedded mock. What lies between its write and the client's kernel is
the path and nothing else, however long the model thought. A proxy may drop X-Request-ID or set its own; then a request
is known by the words that its prompt begins with, which no other request has (`prepare`), and which reach the upstream
in whatever dialect. With the same prompt for all there are no such words, and only the header is left.

Used are only answers that are token by token what was written, whose tokens come from exactly one answer of the
upstream, and not before it. What a proxy has joined into fewer events, had answered twice, or took out of a cache is
counted, and nothing is said of its tokens.

A token that came in a read with others (not "resolved") came no later than its read, and no earlier than the newest of
the read before; of the last one the time may be known all the same. The figures take the one, and the lower ends of
their intervals the other: such tokens are the very ones that a proxy has held back, and without them it would look
prompt.

Of a run that is too long to keep, an even sample of its pairs is kept; all sides of a pair are in it, or none.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from heapq import heappop, heappush
from itertools import islice
from statistics import median
from typing import Final, NamedTuple

import msgspec

from streamkit.bench.differences import Differences
from streamkit.bench.distribution import Distribution
from streamkit.bench.metrics import NS_PER_MS
from streamkit.bench.pairs import summed
from streamkit.bench.prepare import ID_HEADER, MARK
from streamkit.bench.record import RequestRecord
from streamkit.bench.results import Difference, Estimate, Paired, TokenDelay
from streamkit.bench.statistics import CONFIDENCE, estimate
from streamkit.bench.truth import Entry, truth_of

__all__ = ["Emission"]

MAX_TOKENS: Final = 1_000_000
"""How many tokens' times are kept: 25 MB."""

EARLY_NS: Final = 1_000_000
"""A token that came longer than this before it was written was not that token. (What is less is the error of turning
the kernel's clock into ours.)"""

ALL: Final = 1 << 64
"""Above every key."""

MARK_IN_BODY: Final = re.compile(rb"(?<![0-9a-f])[0-9a-f]{%d}(?![0-9a-f])" % len(MARK))

SHARES: Final = ("request_delay_ms", "first_token_delay_ms", "token_delay_ms")


@dataclass(slots=True)
class _Kept:
    """A request whose tokens wait for the journal. All times are ns of CLOCK_MONOTONIC.

    Attributes:
        has_kernel: whether the kernel stamped every read.
        read_ns: when each read that brought tokens came.
        tokens: how many each of them brought.
        late: how many of each may have come before that.
        wrote_ns: when the upstream wrote each token; empty until that is known.
        arrived_ns: when the upstream had the request.
        is_twice: whether the upstream answered it more than once.
    """

    server: str
    pair: int
    sent_ns: int
    has_kernel: bool
    read_ns: array[int]
    tokens: array[int]
    late: array[int]
    wrote_ns: array[int]
    arrived_ns: int = 0
    is_twice: bool = False

    def delays(self) -> tuple[list[int], list[int]] | None:
        """Return how long after its writing each token came, at most and at least.

        None where what came is not, token by token, what one answer of the upstream wrote.
        """
        if self.is_twice or not self.wrote_ns or len(self.wrote_ns) != sum(self.tokens):
            return None
        most: list[int] = []
        least: list[int] = []
        wrote_ns = iter(self.wrote_ns)
        newest_ns = self.sent_ns
        for came_ns, tokens, late in zip(self.read_ns, self.tokens, self.late, strict=True):
            earliest_ns = min(newest_ns, came_ns)
            for number, token_ns in enumerate(islice(wrote_ns, tokens)):
                most.append(came_ns - token_ns)
                least.append((earliest_ns if number < late else came_ns) - token_ns)
            newest_ns = came_ns
        return None if min(most) < -EARLY_NS else (most, least)

    @property
    def unresolved(self) -> int:
        """Of how many tokens it is only known that they had come by then."""
        return sum(self.late)


class _Path:
    """The answers of one server, added up."""

    def __init__(self) -> None:
        self.tokens = Distribution()
        self.least = Distribution()
        self.requests = Distribution()
        self.unresolved = self.unmatched = 0
        self.written = self.writes = 0

    def add(self, kept: _Kept, most: list[int], least: list[int]) -> None:
        """Add an answer, of which each token was delayed so much at most and at least."""
        for most_ns, least_ns in zip(most, least, strict=True):
            self.tokens.add(most_ns)
            self.least.add(least_ns)  # one below 0 counts as 0: nothing comes before it is written
        self.tokens.come_together(len(most))
        self.least.come_together(len(least))
        self.unresolved += kept.unresolved
        self.requests.add(kept.arrived_ns - kept.sent_ns)
        self.written += len(kept.wrote_ns)
        self.writes += len({*kept.wrote_ns})

    def token_delay(self, confidence: float) -> TokenDelay:
        """Return the tokens' delays."""
        p50, p90, p99 = (self._between(q, confidence) for q in (0.5, 0.9, 0.99))
        return TokenDelay(self.tokens.n, p50, p90, p99, self.requests.n, self.unresolved)

    def _between(self, q: float, confidence: float) -> Estimate | None:
        most = estimate(self.tokens, q, NS_PER_MS, confidence)
        least = estimate(self.least, q, NS_PER_MS, confidence)
        return most and least and Estimate(most.value, least.low, most.high)

    def request_delay(self, confidence: float) -> TokenDelay:
        """Return the requests' delays."""
        p50, p90, p99 = (estimate(self.requests, q, NS_PER_MS, confidence) for q in (0.5, 0.9, 0.99))
        return TokenDelay(self.requests.n, p50, p90, p99, self.requests.n)


class _Side(NamedTuple):
    """A side of a pair.

    Attributes:
        has_kernel: whether the kernel stamped every read.
        shares: the values of `SHARES`, in ns.
    """

    has_kernel: bool
    shares: tuple[float, float, float]


class Emission:
    """Puts what came beside what was written, for one load.

    First all records (`add`), then the journal (`wrote`), then the figures (`complete`).

    Args:
        seed: of the sample.
        max_tokens: how many tokens are kept.
    """

    def __init__(self, *, seed: int = 0, max_tokens: int = MAX_TOKENS) -> None:
        self._seed = seed
        self._max_tokens = max_tokens
        self._kept: dict[str, _Kept] = {}
        self._heap: list[tuple[int, str]] = []  # the next one to go first
        self._limit = ALL
        self._tokens = 0
        self._matched = 0

    def add(self, record: RequestRecord) -> None:
        """Take a request that has ended; of those that are not ok nothing is kept."""
        if not record.is_ok or record.sent_ns is None:
            return
        key = self._key(record.pair)
        if key >= self._limit:
            return
        reads = record.token_reads
        mark = record.request_id
        self._kept[mark] = _Kept(
            record.target,
            record.pair,
            record.sent_ns,
            record.has_kernel,
            array("q", [read.at_ns for read in reads]),
            array("q", [read.tokens for read in reads]),
            array("q", [0 if read.is_resolved else read.tokens - read.is_last_known for read in reads]),
            array("q"),
        )
        self._tokens += sum(self._kept[mark].tokens)
        heappush(self._heap, (-key, mark))
        while self._tokens > self._max_tokens:
            key, mark = heappop(self._heap)
            self._limit = -key  # for those that come later, too: or the sample would be of the run's end
            self._tokens -= sum(self._kept.pop(mark).tokens)

    def _key(self, pair: int) -> int:
        return int.from_bytes(blake2b(b"%d %d" % (self._seed, pair), digest_size=8).digest())

    @property
    def is_sample(self) -> bool:
        """Whether not all requests were kept."""
        return self._limit < ALL

    @property
    def missing(self) -> int:
        """How many of the requests that are kept the journal has said nothing of yet."""
        return len(self._kept) - self._matched

    def wrote(self, entry: Entry) -> None:
        """Take a request as the upstream saw it, of this load or of any other."""
        mark = self._mark_of(entry)
        kept = self._kept.get(mark)
        if kept is None:
            return
        truth = truth_of(msgspec.structs.replace(entry, headers=[(ID_HEADER, mark)]))
        if truth is None or not truth.token_ns:  # a refusal, or a try that failed: the proxy may have tried again
            return
        if kept.wrote_ns:
            kept.is_twice = True
            return
        kept.wrote_ns = array("q", truth.token_ns)
        kept.arrived_ns = truth.arrived_ns
        self._matched += 1

    def _mark_of(self, entry: Entry) -> str:
        if entry.request_id in self._kept:
            return entry.request_id
        found = {mark.decode() for mark in MARK_IN_BODY.findall(bytes(entry.body))}.intersection(self._kept)
        return found.pop() if len(found) == 1 else ""

    def complete(self, paired: Sequence[Paired], confidence: float = CONFIDENCE) -> None:
        """Write what is known into each proxy's pairs, when the journal has said all."""
        paths: dict[str, _Path] = {}
        pairs: dict[int, dict[str, _Side]] = {}
        for kept in self._kept.values():
            path = paths.setdefault(kept.server, _Path())
            delays = kept.delays()
            if delays is None:
                path.unmatched += 1
                continue
            most, least = delays
            path.add(kept, most, least)
            sides = pairs.setdefault(kept.pair, {})
            sides[kept.server] = _Side(kept.has_kernel, (kept.arrived_ns - kept.sent_ns, most[0], median(most)))
        for each in paired:
            each.shares = _shares(each.direct, each.proxy, pairs.values(), confidence)
            for server in (each.direct, each.proxy):
                path = paths.get(server, _Path())
                each.unmatched[server] = path.unmatched
                if path.requests.n:
                    each.token_delay[server] = path.token_delay(confidence)
                    each.request_delay[server] = path.request_delay(confidence)
            behind = paths.get(each.proxy)
            if behind is not None and behind.writes:
                each.events_per_write = behind.written / behind.writes


def _shares(direct: str, proxy: str, pairs: Iterable[dict[str, _Side]], confidence: float) -> dict[str, Difference]:
    """Return what the proxy adds, pair by pair; kernel stamps are not compared with read stamps."""
    differences = {name: Differences() for name in SHARES}
    for sides in pairs:
        if direct in sides and proxy in sides and sides[direct].has_kernel == sides[proxy].has_kernel:
            for each, before, after in zip(
                differences.values(), sides[direct].shares, sides[proxy].shares, strict=True
            ):
                each.add(round(after - before))
    return summed(differences, confidence)
