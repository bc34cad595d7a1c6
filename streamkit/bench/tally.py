"""All requests of a load added up: distributions, outcomes, counts. Pure; merges with those of other processes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

import msgspec

from streamkit.bench.distribution import Distribution
from streamkit.bench.metrics import BY_NAME, METRICS, unresolved_gaps
from streamkit.bench.ollama import spans_of
from streamkit.bench.record import RequestRecord

__all__ = ["Bound", "Packed", "Tally"]

LAGGED_NS: Final = 1_000_000
"""A shorter standstill of the loop is an ordinary turn of it: with some dozens of streams every request has one."""

MAX_DETAILS: Final = 3
"""How many different details of each kind of failure are kept."""


class Bound(msgspec.Struct, frozen=True):
    """An objective: a metric of a request is at most so much (`limit` in the metric's own whole numbers, ns mostly)."""

    metric: str
    limit: int


class Packed(msgspec.Struct):
    """A tally as it goes to other processes."""

    distributions: dict[str, dict[str, list[int]]]
    counts: dict[str, int]
    outcomes: dict[str, int]
    details: dict[str, list[str]]


class Tally:
    """Adds up requests.

    Args:
        slo: what a request has to keep to be good.

    Attributes:
        distributions: by metric, of the requests that are ok: those on a "new" and those on a "reused" connection.
        outcomes: how many requests ended how.
        details: of each outcome that is a failure, what the first few different ones said.
        counts: "requests", "good" (ok and within the SLO), "unjudged" (ok, and nobody knows whether within it),
            "tokens", "said_tokens" (of answers whose server gave the count), "said_answers", "token_events",
            "reads", "unresolved_gaps", "unresolved_firsts",
            "input_tokens" and "cached_tokens" (of the "said_inputs" and "said_cached" answers whose server gave them),
            "stale_connections", "lagged" (requests touched by a lag above `LAGGED_NS`), "read_stamped" (ok, and without
            kernel stamps), "clock_jumps", and what `ollama.spans_of` yields.
    """

    def __init__(self, slo: Iterable[Bound] = ()) -> None:
        self._slo = [*slo]
        self.distributions: dict[str, dict[str, Distribution]] = {
            metric.name: {"new": Distribution(), "reused": Distribution()} for metric in METRICS
        }
        self._new, self._reused = (
            [(each.values, each.many, each.slack, self.distributions[each.name][which]) for each in METRICS]
            for which in ("new", "reused")
        )
        self.outcomes: Counter[str] = Counter()
        self.details: dict[str, list[str]] = {}
        self.counts: Counter[str] = Counter()

    def add(self, record: RequestRecord) -> None:
        """Add a request that has ended."""
        # Some thousand times a second: what nearly no request has is looked at before it is added up.
        counts = self.counts
        outcome = record.outcome or "unfinished"
        self.outcomes[outcome] += 1
        counts["requests"] += 1
        if record.stale_connections:
            counts["stale_connections"] += record.stale_connections
        if record.clock_jumped:
            counts["clock_jumps"] += 1
        if record.lag_ns > LAGGED_NS:
            counts["lagged"] += 1
        if outcome == "ok":
            self._add_figures(record)
            self._add_tokens(record)
            return
        details = self.details.setdefault(outcome, [])
        if record.detail and len(details) < MAX_DETAILS and record.detail not in details:
            details.append(record.detail)

    def _add_figures(self, record: RequestRecord) -> None:
        for values_of, many, slack, distribution in self._reused if record.is_reused else self._new:
            values = values_of(record)
            if not values:
                continue
            for value in values:
                distribution.add(value)
            if many:
                distribution.come_together(len(values))
            elif slack is not None and (less := slack(record)):
                distribution.may_be_less(values[0], less)
        is_good = self.is_good(record) if self._slo else True
        if is_good:
            self.counts["good"] += 1
        elif is_good is None:
            self.counts["unjudged"] += 1

    def _add_tokens(self, record: RequestRecord) -> None:
        counts = self.counts
        counts["tokens"] += record.tokens
        counts["token_events"] += record.token_events
        counts["reads"] += len(record.token_reads)
        if record.token_events > 1:
            counts["unresolved_gaps"] += unresolved_gaps(record)
        if not record.is_first_resolved:
            counts["unresolved_firsts"] += 1
        if not record.has_kernel:
            counts["read_stamped"] += 1
        if record.input_tokens is not None:
            counts["input_tokens"] += record.input_tokens
            counts["said_inputs"] += 1
        if record.cached_tokens is not None:
            counts["cached_tokens"] += record.cached_tokens
            counts["said_cached"] += 1
        if record.output_tokens and record.output_tokens == record.tokens:  # else it has not counted: see there
            counts["said_tokens"] += record.output_tokens
            counts["said_answers"] += 1
        if record.server is not None:
            for name, number in spans_of(record):
                counts[name] += number

    def distribution(self, metric: str) -> Distribution:
        """Return the distribution of a metric over all connections."""
        every = Distribution()
        for apart in self.distributions[metric].values():
            every.merge(apart)
        return every

    def is_good(self, record: RequestRecord) -> bool | None:
        """Tell whether a request that is ok keeps the SLO; None where nobody knows (see `Metric.is_kept`)."""
        kept = [BY_NAME[bound.metric].is_kept(record, bound.limit) for bound in self._slo]
        return False if False in kept else None if None in kept else True

    @property
    def errors(self) -> int:
        """How many requests failed. Those that the run's end cut off did not."""
        return self.counts["requests"] - self.outcomes["ok"] - self.outcomes["unfinished"]

    def packed(self) -> Packed:
        """Return it as a value for other processes."""
        distributions = {
            name: {which: one.as_json() for which, one in of.items()} for name, of in self.distributions.items()
        }
        return Packed(distributions, dict(self.counts), dict(self.outcomes), self.details)

    def merge(self, packed: Packed) -> None:
        """Add what another process has added up."""
        for name, of in packed.distributions.items():
            for which, numbers in of.items():
                self.distributions[name][which].merge(Distribution.from_json(numbers))
        self.counts.update(packed.counts)
        self.outcomes.update(packed.outcomes)
        for outcome, said in packed.details.items():
            details = self.details.setdefault(outcome, [])
            details += [each for each in said if each not in details][: MAX_DETAILS - len(details)]
