"""What is asked before anything is measured: `--warmup 20`, `--warmup 5s`, `--warmup none`. Pure.

A warm-up is the load that it comes before, shorter, and with another schedule. Its figures are no part of any report.
What it warms is the server, and our own code: each load connects anew, and new connections are reported apart.

Not here: whether what came of it is good enough to go on.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

from mockserver.durations import parse_duration
from mockserver.wording import shown
from streamkit.bench.numbers import WHOLE, parse_whole
from streamkit.bench.plan import NS, Concurrency, Plan
from streamkit.errors import ConfigError

__all__ = [
    "AUTO",
    "MAX_WARMUP_REQUESTS",
    "MAX_WARMUP_S",
    "NONE",
    "Warmup",
    "parse_warmup",
    "warmup_plan",
    "warmup_words",
]

MAX_WARMUP_REQUESTS: Final = 1_000_000
MAX_WARMUP_S: Final = 3600.0

AUTO_LEAST: Final = 4
AUTO_MOST: Final = 64
AUTO_S: Final = 5.0
"""Of the warm-up that nobody set: as many requests as run at once, within these bounds, and begun within so long."""

SEED_STEP: Final = 0x5EED
"""Added to the seed: a warm-up is not the beginning of what is measured."""


class Warmup(NamedTuple):
    """How long to warm up; what comes first ends it. Both are None for not at all.

    Attributes:
        requests: how many.
        duration_s: how long requests may begin.
        is_auto: whether the number of requests follows the load.
    """

    requests: int | None = None
    duration_s: float | None = None
    is_auto: bool = False


NONE: Final = Warmup()
AUTO: Final = Warmup(None, AUTO_S, is_auto=True)


def parse_warmup(text: str) -> Warmup:
    """Return a warm-up: a number of requests, a time with its unit, `none` (or 0), or `auto`.

    Raises:
        ConfigError: it is none of these, or out of bounds.
    """
    word = text.strip()
    if word in {"none", "0"}:
        return NONE
    if word == "auto":
        return AUTO
    if WHOLE.fullmatch(word):
        return Warmup(requests=parse_whole(word, "number of requests to warm up with", 1, MAX_WARMUP_REQUESTS))
    try:
        span_ns = parse_duration(word)
    except ConfigError:
        raise ConfigError(f"{shown(text)} is no warm-up: write a number of requests, a time like 5s, or none") from None
    if span_ns > MAX_WARMUP_S * NS:
        raise ConfigError(f"{shown(text)} is longer than an hour, which is the most")
    return Warmup(duration_s=span_ns / NS) if span_ns else NONE


def warmup_plan(plan: Plan, warmup: Warmup) -> Plan | None:
    """Return what is done before a plan; None for nothing. Before a trace it is the trace's first rows."""
    if warmup == NONE:
        return None
    requests = warmup.requests
    if warmup.is_auto:
        requests = min(max(AUTO_LEAST, _at_once(plan)), AUTO_MOST)
    if requests is not None:
        requests += -requests % max(1, len(plan.servers))  # no pair is left half
    return msgspec.structs.replace(plan, requests=requests, duration_s=warmup.duration_s, seed=plan.seed + SEED_STEP)


def warmup_words(warmup: Warmup) -> str:
    """Say what a warm-up is, for people."""
    if warmup == NONE:
        return "no warm-up"
    if warmup.is_auto:
        return f"a warm-up of {AUTO_LEAST} to {AUTO_MOST} requests, as many as run at once, within {AUTO_S:g} s"
    if warmup.requests is None:
        return f"a warm-up of {warmup.duration_s:g} s"
    return f"a warm-up of {warmup.requests:,} request{'s' * (warmup.requests > 1)}"


def _at_once(plan: Plan) -> int:
    """Return how many requests run at once in a closed loop; in an open one nobody knows, and time ends it."""
    return plan.load.concurrency if isinstance(plan.load, Concurrency) else AUTO_MOST
