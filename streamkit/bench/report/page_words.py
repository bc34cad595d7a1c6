"""What runs are called on the page, and where they and their requests stand in time. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from streamkit.bench.metrics import Metric
from streamkit.bench.plan import Arrivals, Concurrency, Load, Replay
from streamkit.bench.record import RequestRecord
from streamkit.bench.report.words import load_words
from streamkit.bench.results import Run

__all__ = [
    "began_ns",
    "first_ns",
    "load_number",
    "run_names",
    "short",
    "unit_of",
]

MAX_TEXT: Final = 300
"""Characters of a text that a server has said."""


def short(text: str, limit: int = MAX_TEXT) -> str:
    """Return a text, cut where it is too long."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def unit_of(metric: Metric) -> str:
    """Return the unit that a metric's name says; empty for a count."""
    return "ms" if metric.name.endswith("_ms") else "1/s" if metric.name.endswith("_per_s") else ""


def load_number(load: Load) -> float | None:
    """Return where a load stands in a sweep: its concurrency or its rate; a trace has no place in one."""
    match load:
        case Concurrency(concurrency):
            return float(concurrency)
        case Arrivals(_, per_s):
            return per_s
        case Replay():
            return None


def run_names(runs: Sequence[Run], servers: Sequence[str]) -> list[str]:
    """Return what each run is called: after its load, and its server where there are several; no two alike."""
    is_one = len(set(servers)) <= 1
    names = [
        load_words(run.load) if is_one else f"{short(server, 40)}, {load_words(run.load)}"
        for run, server in zip(runs, servers, strict=True)
    ]
    return [
        name if names.count(name) == 1 else f"{name} ({names[: index + 1].count(name)})"
        for index, name in enumerate(names)
    ]


def began_ns(run: Run) -> int:
    """Return when a run began, as far as is known."""
    if run.ran:
        return min(each.began_ns for each in run.ran)
    return min((first_ns(record) for record in run.sample), default=0)


def first_ns(record: RequestRecord) -> int:
    """Return when a request was due, or taken up."""
    return record.began_ns if record.scheduled_ns is None else min(record.scheduled_ns, record.began_ns)
