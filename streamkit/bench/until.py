"""`--until "p99 ttft ±5%"`: a run that ends when a figure is known well enough. Pure.

Looking at an interval again and again, and stopping when it is short, finds one that is short by chance: each look has
its own chance to be wrong. So the looks are few, at numbers of values that grow by half each time, and all of them
share the doubt that one look would have: the first has a quarter of it, the next fourteen together a half, in equal
parts, and those behind them, however many there will be, the last quarter. The intervals of all looks then hold
together with the confidence asked for, and so does the one at which the run stops, whichever that is. The price is a
sample of about three times the size that one look would have needed, had anybody known when.

The figure is known well enough when its whole interval is within the tolerance of it, on both sides.

What has ended by some moment is no fair sample: the slow answers are those that still run. So a look takes the first
requests, in the order in which they began, up to the first one that has not ended. One answer that takes a minute holds
the next look up for a minute; in the end it is in the figure.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from mockserver.wording import close_to, shown
from streamkit.bench.distribution import Distribution
from streamkit.bench.metrics import BY_NAME, METRICS, Metric, shown_names
from streamkit.bench.plan import Concurrency, Load
from streamkit.bench.record import RequestRecord
from streamkit.bench.results import Estimate
from streamkit.bench.slo import NEEDS_SCHEDULE
from streamkit.bench.statistics import CONFIDENCE, check_confidence, estimate, smallest_n
from streamkit.errors import ConfigError

__all__ = ["Until", "Watch", "check_until", "metric_named", "parse_quantile", "parse_until"]

GROWTH: Final = 1.5
"""By how much the sample is larger at the next look."""

LEAST_N: Final = 30
"""Of values at the first look, where fewer would do: a look at very few is wasted nearly always."""

EQUAL_LOOKS: Final = 14

MAX_HELD: Final = 300_000
"""How many requests may have overtaken one that still runs. Beyond it nothing is found out any more, and time ends the
run."""

TOLERANCE: Final = re.compile(r"(?:±|\+/?-)?(\d+(?:\.\d+)?)%")
QUANTILE: Final = re.compile(r"p(\d{1,2}(?:\.\d{1,4})?)")


class Until(msgspec.Struct, frozen=True):
    """What a run is to find out.

    Attributes:
        metric: the name of one.
        q: the quantile.
        tolerance: how far, as a share of the figure, either end of its interval may be away from it.
    """

    metric: str
    q: float
    tolerance: float

    def __str__(self) -> str:
        return f"p{self.q * 100:g} {BY_NAME[self.metric].short} ±{self.tolerance * 100:g}%"


def parse_until(text: str) -> Until:
    """Return what `p99 ttft ±5%` asks for; `+-5%` and `5%` are the same, and the order is free.

    Raises:
        ConfigError: it is not a quantile, a metric and a tolerance.
    """
    q: float | None = None
    metric: Metric | None = None
    tolerance: float | None = None
    words = re.sub(r"(±|\+/?-)\s+", r"\1", text.strip().lower()).split()
    for word in words:
        if q is None and QUANTILE.fullmatch(word):
            q = parse_quantile(word)
        elif tolerance is None and (found := TOLERANCE.fullmatch(word)):
            tolerance = float(found[1]) / 100
        elif metric is None:
            metric = metric_named(word)
        else:
            raise ConfigError(
                f"{shown(text)} has {shown(word)} besides a quantile, a metric and a tolerance: p99 ttft ±5%"
            )
    if q is None or metric is None or tolerance is None:
        missing = "a quantile" if q is None else "a metric" if metric is None else "a tolerance in %"
        raise ConfigError(f"{shown(text)} lacks {missing}: it is said like p99 ttft ±5%")
    if not 0 < tolerance < 1:
        raise ConfigError(f"{shown(text)}: a tolerance is above 0 % and below 100 %")
    return Until(metric.name, q, tolerance)


def check_until(until: Until, loads: Sequence[Load]) -> None:
    """Refuse what no request of some load would tell.

    Raises:
        ConfigError: it counts from the schedule, and a load is a closed loop, which has none.
    """
    if until.metric in NEEDS_SCHEDULE and any(isinstance(load, Concurrency) for load in loads):
        raise ConfigError(
            f"--until has {BY_NAME[until.metric].short}, and requests of a closed loop (--concurrency) are never due:"
            " take --rate"
        )


def parse_quantile(word: str) -> float:
    """Return 0.999 for `p99.9`.

    Raises:
        ConfigError: it is no quantile.
    """
    found = QUANTILE.fullmatch(word.strip().lower())
    q = round(float(found[1]) / 100, 8) if found else 0.0
    if not q:
        raise ConfigError(f"{shown(word)} is no quantile: one is said like p50 or p99.9, above p0 and below p100")
    return q


def metric_named(word: str) -> Metric:
    """Return the metric of a name, with its unit (`ttft_ms`) or without (`ttft`); `itl` is taken for `tpot`.

    Raises:
        ConfigError: there is none.
    """
    name = word.lower().replace("-", "_")
    for metric in METRICS:
        if name in {metric.name, metric.short} or (name == "itl" and metric.short == "tpot"):
            return metric
    hint = close_to(name, [metric.short for metric in METRICS])
    raise ConfigError(f"{shown(word)} is no metric{hint}; there are {shown_names()}")


@dataclass
class Looks:
    """What has been seen of one server.

    Attributes:
        values: of the metric, those of the first requests.
        answers: how many of these requests were answered well.
        looks: how many times its figure was judged.
        next_n: how many values there must be for the next time; of gaps, as how many independent ones they count.
        n: how many there were the last time.
        confidence: of the last look's interval.
        estimate: the last look's figure.
        is_met: whether the last look was content.
    """

    values: Distribution = field(default_factory=Distribution)
    answers: int = 0
    looks: int = 0
    next_n: int = 0
    n: int = 0
    confidence: float = 0.0
    estimate: Estimate | None = None
    is_met: bool = False

    @property
    def independent(self) -> int:
        """As how many independent values they count."""
        return min(self.values.independent, self.answers)


@dataclass
class Watch:
    """Watches a run and says when it may end. Every server has to be known well enough.

    What runs when it says so has to be let come to its end and be counted: requests that take long are the ones that
    still run, and leaving them out would make the figure better than it is.

    Args:
        until: what is to be found out.
        confidence: of the interval at which the run stops, whenever that is.

    Attributes:
        servers: what has been seen of each, by name.
    """

    until: Until
    confidence: float = CONFIDENCE
    servers: dict[str, Looks] = field(default_factory=dict)
    _next: int = 0  # the number of the first request that has not ended
    _held: dict[int, tuple[str, Sequence[int] | None, int]] = field(default_factory=dict)  # those behind it
    _is_lost: bool = False

    def __post_init__(self) -> None:
        check_confidence(self.confidence)

    def add(self, record: RequestRecord) -> None:
        """Take a request that has ended. They come in any order; their numbers are those of their beginning."""
        if self._is_lost:
            return
        held = self._held
        metric = BY_NAME[self.until.metric]
        values = metric.values(record) if record.is_ok else None
        held[record.number] = record.target, values, metric.slack(record) if values and metric.slack is not None else 0
        while self._next in held:
            server, values, less = held.pop(self._next)
            self._next += 1
            if values is not None:
                self._take(self._state(server), values, less)
        if len(held) > MAX_HELD:
            held.clear()
            self._is_lost = True

    @property
    def held(self) -> int:
        """How many requests have overtaken the first one that still runs."""
        return len(self._held)

    def _take(self, state: Looks, values: Sequence[int], less: int) -> None:
        state.answers += 1
        for value in values:
            state.values.add(value)
        if BY_NAME[self.until.metric].many:
            state.values.come_together(len(values))
        elif less:
            state.values.may_be_less(values[0], less)

    def is_met(self, servers: Iterable[str]) -> bool:
        """Look at what there is, if there is enough more than the last time; tell whether the run may end.

        It may be asked as often as one likes: what counts is how much has come, not how often it was asked.
        """
        known = [self.look(server) for server in servers]
        return bool(known) and all(known)

    def look(self, server: str) -> bool:
        """Judge one server's figure, if it is time; tell whether it is known well enough."""
        state = self._state(server)
        if not state.is_met and state.independent >= state.next_n:
            self.judge(server, state.values, state.independent)
        return state.is_met

    def settle(self, server: str) -> bool:
        """Judge for the last time, everything having ended; tell whether the figure is known well enough."""
        state = self._state(server)
        least = smallest_n(self.until.q, self.confidence_of(state.looks + 1))
        if not state.is_met and state.independent >= max(state.n + 1, least):
            self.judge(server, state.values, state.independent)
        return state.is_met

    def judge(self, server: str, values: Distribution, independent: int | None = None) -> bool:
        """Look at these values, of which so many are independent of each other, and count it as a look."""
        state = self._state(server)
        state.looks += 1
        state.n = values.n if independent is None else independent
        state.confidence = self.confidence_of(state.looks)
        state.next_n = max(math.ceil(state.n * GROWTH), smallest_n(self.until.q, self.confidence_of(state.looks + 1)))
        scale = BY_NAME[self.until.metric].scale
        found = state.estimate = estimate(values, self.until.q, scale, state.confidence, independent=independent)
        if found is not None:
            allowed = self.until.tolerance * found.value
            state.is_met = found.value - found.low <= allowed and found.high - found.value <= allowed
        return state.is_met

    def words(self, server: str) -> str:
        """Say how far a server's figure is known, in a line for people."""
        state = self._state(server)
        metric = BY_NAME[self.until.metric]
        goal = f"±{self.until.tolerance * 100:g}% wanted"
        name = f"p{self.until.q * 100:g} {metric.short}"
        if state.estimate is None:
            return f"{name}: not known before n = {state.next_n} ({goal}); n = {state.independent}"
        found = state.estimate
        share = max(found.value - found.low, found.high - found.value) / found.value if found.value else 0.0
        unit = " ms" if metric.name.endswith("_ms") else ""
        after = "" if state.is_met else f", not reached; next look at n = {state.next_n}"
        value = f"{found.value:,.0f}" if found.value >= 1000 else f"{found.value:.4g}"
        return f"{name}: {value}{unit} ±{share * 100:.2g}% ({goal}), n = {state.n}{after}"

    def _state(self, server: str) -> Looks:
        state = self.servers.get(server)
        if state is None:
            first_n = max(LEAST_N, smallest_n(self.until.q, self.confidence_of(1)))
            state = self.servers[server] = Looks(next_n=first_n)
        return state

    def confidence_of(self, look: int) -> float:
        """Return the confidence of this look's interval; looks are counted from 1."""
        late = look - 1 - EQUAL_LOOKS
        share = 1 / 4 if look == 1 else 1 / 2 / EQUAL_LOOKS if late <= 0 else 1 / 4 / (late * (late + 1))
        return 1 - (1 - self.confidence) * share
