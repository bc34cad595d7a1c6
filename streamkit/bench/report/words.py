"""What figures and loads are called in every report. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from streamkit.bench.metrics import METRICS, Metric
from streamkit.bench.plan import Arrivals, Concurrency, Load, Replay
from streamkit.bench.report.fields import PairedDocument
from streamkit.bench.results import Paired, Run

__all__ = ["has_values", "joins_events", "load_words", "number", "shared_words", "shown_metrics"]

JOINED: Final = 1.1
"""So many times the events at once that a proxy gets are more than chance."""


def number(value: float | None, sign: str = "") -> str:
    """Return a figure with about four digits; `-` for one that there is not. A `sign` of "+" shows it always."""
    if value is None:
        return "-"
    size = abs(value)
    if not size:
        return "0"
    decimals = 0 if size >= 1000 else 1 if size >= 100 else 2 if size >= 10 else 3 if size >= 0.1 else 4
    return f"{value:{sign},.{decimals}f}"


def shared_words(load: Load, servers: int) -> str:
    """Return a load as people say it, and by how many servers it is shared; each gets a trace as a whole."""
    is_shared = servers > 1 and not isinstance(load, Replay)
    return f"{load_words(load)} shared by {servers} servers" if is_shared else load_words(load)


def load_words(load: Load) -> str:
    """Return a load as people say it."""
    match load:
        case Concurrency(concurrency):
            return f"{concurrency} at once"
        case Arrivals("gamma", per_s, cv):
            return f"{per_s:g}/s, gamma (cv {cv:g})"
        case Arrivals(process, per_s):
            return f"{per_s:g}/s, {process}"
        case Replay(at_ns):
            return f"a trace of {len(at_ns)} requests"


def has_values(run: Run, name: str) -> bool:
    """Tell whether a run has any value of a metric."""
    return any(each.n for each in run.tally.distributions[name].values())


def shown_metrics(runs: Sequence[Run]) -> list[Metric]:
    """Return the metrics of which any run has a value, in order."""
    return [metric for metric in METRICS if any(has_values(run, metric.name) for run in runs)]


def joins_events(paired: Paired | PairedDocument) -> bool:
    """Tell whether a proxy puts events together.

    Reads of one segment tell it whether we were late or not; where either side has none, all reads have to.
    """
    into, out = paired.events_per_segment_in, paired.events_per_segment_out
    if not (into and out):
        into, out = paired.events_per_read_in, paired.events_per_read_out
    return out > JOINED * max(into, paired.events_per_write or 0.0) > 0
