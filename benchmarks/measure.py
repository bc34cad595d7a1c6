"""Turns and clocks: how every figure in this folder is taken.

A *turn* is one measurement of one contender, in nanoseconds. Contenders take turns in rounds (A B C, B C A, ...), so
that a slow moment of the machine hits all of them, and a ratio is the median of the ratios of the rounds. Within a turn
the work is repeated until it has taken long enough for the clock. Every figure carries the lowest and the highest of
its rounds.

CPU-bound work in this process is timed with `time.process_time_ns`, which other processes disturb least; what waits for
another process is timed with `time.perf_counter_ns`; what another process spends is asked from the system (`wait4`).

What this does not do: pin processors, switch off frequency scaling, or wait for a quiet machine. Believe the ratios.
"""

from __future__ import annotations

import gc
import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

__all__ = ["Effort", "Figure", "Turn", "Unavailable", "Usage", "alternate", "percentile", "ratio", "turn", "usage_of"]

AT_LEAST_MS = 30
"""The clock ticks in nanoseconds, but a turn must outlast a few interruptions to be like the next one."""

Turn = Callable[[], int]
"""One measurement of one contender: nanoseconds."""


class Unavailable(Exception):
    """What a question needs is not on this machine: the question is skipped, with this sentence."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How much work a run spends.

    Attributes:
        size: the share of a question's full workload.
        rounds: how many turns each contender gets.
        seed: what every workload is drawn from.
    """

    size: float = 1.0
    rounds: int = 7
    seed: int = 1

    def of(self, full: int, at_least: int = 1) -> int:
        """The number of items, or bytes, where a full run has `full`."""
        return max(at_least, round(full * self.size))


@dataclass(frozen=True, slots=True)
class Figure:
    """A number with its error: the lowest and highest of the rounds it is the median of."""

    value: float
    low: float
    high: float
    unit: str

    @classmethod
    def of(cls, samples: Sequence[float], unit: str) -> Figure:
        """The median of the samples with their range."""
        return cls(median(samples), min(samples), max(samples), unit)


@dataclass(frozen=True, slots=True)
class Usage:
    """What one process spent, as the system counted it."""

    cpu_s: float
    wall_s: float


def turn(
    work: Callable[[], object],
    *,
    at_least_ms: float | None = None,
    clock: Callable[[], int] = time.process_time_ns,
) -> Turn:
    """Make a turn of a function: nanoseconds a call, over as many calls as fill `at_least_ms` (30 unless told).

    The collector runs before the turn, so that nobody pays for another contender's garbage, and stays on during it.
    """

    def take() -> int:
        at_least_ns = (AT_LEAST_MS if at_least_ms is None else at_least_ms) * 1_000_000
        gc.collect()
        calls = 0
        start = clock()
        while True:
            work()
            calls += 1
            spent = clock() - start
            if spent >= at_least_ns:
                return max(1, spent // calls)

    return take


def alternate(turns: Mapping[str, Turn], rounds: int, *, warm_up: bool = True) -> dict[str, list[int]]:
    """Give every contender a turn in each round, starting each round with another one; return the turns of each.

    What is alive before the first round (the peers' modules, the workload) is kept from the collector meanwhile:
    scanning it would be charged to whoever happens to allocate.
    """
    names = list(turns)
    taken: dict[str, list[int]] = {name: [] for name in names}
    gc.freeze()
    try:
        if warm_up:
            for name in names:
                turns[name]()
        for number in range(rounds):
            first = number % len(names)
            for name in names[first:] + names[:first]:
                taken[name].append(turns[name]())
    finally:
        gc.unfreeze()
    return taken


def ratio(above: Sequence[float], below: Sequence[float]) -> Figure:
    """How many times `below` goes into `above`: the median over the rounds, each round compared with itself."""
    return Figure.of([a / b for a, b in zip(above, below, strict=True)], "x")


def percentile(samples: Sequence[float], percent: float) -> float:
    """The nearest-rank percentile: always a value that was measured, never one between two."""
    ordered = sorted(samples)
    rank = max(1, -(-len(ordered) * percent // 100))
    return ordered[int(rank) - 1]


def usage_of(command: Sequence[str]) -> Usage:
    """Run a command to its end, without input or output; return what the whole process spent (start-up included).

    Raises:
        RuntimeError: it failed.
    """
    start = time.perf_counter()
    process = subprocess.Popen(list(command), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    wall_s = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        msg = f"{' '.join(command)} ended with {process.returncode}"
        raise RuntimeError(msg)
    return Usage(used.ru_utime + used.ru_stime, wall_s)
