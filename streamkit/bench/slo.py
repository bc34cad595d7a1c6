"""The objectives that a request has to keep to be good: `--slo ttft=200ms,itl=30ms`. Pure.

A name is that of a metric, without its unit. `itl` is taken for `tpot`, and a note says so: programs that print an
"inter-token latency" mean three different things by it (reference/bench.md section 3), and as an objective it nearly
always is the mean of a request. Of a metric that has several values in a request (`event_gap`) the greatest counts.

Not here: metrics of which more is better, and metrics that are no time. An objective is the most that may be.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from mockserver.durations import parse_duration
from mockserver.wording import close_to, shown
from streamkit.bench.metrics import METRICS, NS_PER_MS, Metric
from streamkit.bench.plan import Concurrency, Load
from streamkit.bench.tally import Bound
from streamkit.errors import ConfigError

__all__ = ["SLO", "SLO_NAMES", "check_slo", "parse_slo", "slo_words"]

BY_SHORT: Final = {metric.short: metric for metric in METRICS if metric.better == "less"}

SLO_NAMES: Final = (*BY_SHORT, "itl")
"""What an objective may be about."""

ITL_NOTE: Final = (
    "itl in the SLO is judged as tpot, the mean gap between the tokens of a request; for every single gap, write"
    " event_gap"
)

NEEDS_SCHEDULE: Final = frozenset({"ttft_from_schedule_ms", "e2e_from_schedule_ms", "dispatch_delay_ms"})
"""What a request of a closed loop has not, because it is never due."""


class SLO(NamedTuple):
    """What a request has to keep.

    Attributes:
        bounds: all of them have to be kept.
        notes: sentences about how a name was taken.
    """

    bounds: list[Bound]
    notes: list[str]


def parse_slo(text: str) -> SLO:
    """Return the objectives of a list like `ttft=200ms,e2e=5s`.

    Raises:
        ConfigError: one is none, is about no metric that there is, has no time above 0, or is there twice.
    """
    bounds: list[Bound] = []
    notes: list[str] = []
    for word in text.split(","):
        name, equals, value = (part.strip() for part in word.partition("="))
        if not equals or not name or not value:
            raise ConfigError(f"{shown(word.strip())} is no objective: write METRIC=TIME, like ttft=200ms")
        metric = _metric(name)
        if name.lower() == "itl":
            notes.append(ITL_NOTE)
        limit_ns = parse_duration(value)
        if not limit_ns:
            raise ConfigError(f"{name}={value}: nothing takes no time; write a time above 0")
        if any(bound.metric == metric.name for bound in bounds):
            raise ConfigError(f"the SLO has {metric.short} twice")
        bounds.append(Bound(metric.name, limit_ns))
    return SLO(bounds, notes)


def check_slo(bounds: Iterable[Bound], loads: Sequence[Load]) -> None:
    """Refuse objectives that nothing under these loads could break.

    Raises:
        ConfigError: one counts from the schedule, and a load is a closed loop, which has none.
    """
    if not any(isinstance(load, Concurrency) for load in loads):
        return
    for bound in bounds:
        if bound.metric in NEEDS_SCHEDULE:
            short = next(metric.short for metric in METRICS if metric.name == bound.metric)
            raise ConfigError(
                f"the SLO has {short}, and requests of a closed loop (--concurrency) are never due: take --rate"
            )


def slo_words(bounds: Iterable[Bound]) -> str:
    """Say what has to be kept, for people."""
    short = {metric.name: metric.short for metric in METRICS}
    return ", ".join(f"{short[bound.metric]} <= {bound.limit / NS_PER_MS:,.10g} ms" for bound in bounds)


def _metric(name: str) -> Metric:
    word = name.lower().replace("-", "_").removesuffix("_ms")
    metric = BY_SHORT.get("tpot" if word == "itl" else word)
    if metric is not None:
        return metric
    for other in METRICS:
        if word in {other.short, other.name}:
            raise ConfigError(f"{other.short} cannot be in an SLO: an objective is the most time that something takes")
    hint = close_to(name.replace("-", "_"), SLO_NAMES)
    raise ConfigError(f"{shown(name)} is no metric: take one of {', '.join(SLO_NAMES)}{hint}")
