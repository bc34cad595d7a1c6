"""Where a sweep over loads bends: the load of the greatest power. Pure.

Power is throughput divided by latency. Below the knee more load brings more answers and hardly more waiting; above it
mostly more waiting. (Kleinrock, "Power and deterministic rules of thumb for probabilistic problems in computer
communications", ICC 1979. For a single queue with random arrivals the greatest power is at half of its capacity.)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

from streamkit.bench.results import Knee

__all__ = ["Point", "find_knee"]

Point = tuple[float, float | None, float | None]
"""A load, requests a second, and a latency in ms; None where there was no figure."""

LEAST_POINTS: Final = 3
NEARLY: Final = 0.95
"""Loads with this share of the greatest power are nearly as good: one run does not tell them apart."""


def find_knee(server: str, points: Sequence[Point]) -> Knee | None:
    """Return the load of the greatest power; None where fewer than three loads have figures.

    Where it is the least or the greatest load of the sweep it is no knee yet, but the best that was tried: `edge` and
    the words say so. Of equal ones the least load is taken.

    Args:
        server: whose sweep it is.
        points: of its runs, in their order; the loads need not be in order.
    """
    powers = {
        index: throughput / latency
        for index, (_, throughput, latency) in enumerate(points)
        if throughput and latency and throughput > 0 and latency > 0
    }
    loads = sorted({points[index][0] for index in powers})
    if len(loads) < LEAST_POINTS:
        return None
    best = max(powers, key=lambda index: (powers[index], -points[index][0]))
    load, throughput, latency = points[best]
    words = f"{throughput:.4g} requests/s at {latency:.4g} ms: the most for the waiting, of {len(loads)} loads"
    edge: Literal["", "least", "greatest"] = ""
    if load == loads[0]:
        edge = "least"
        words += "; it is the least load: the knee may lie below it, and none was found"
    elif load == loads[-1]:
        edge = "greatest"
        words += "; it is the greatest load: the knee may lie above it, and none was found"
    close = sorted({points[index][0] for index, power in powers.items() if power >= NEARLY * powers[best]} - {load})
    if close:
        words += f"; nearly the same at {', '.join(f'{each:g}' for each in close)}"
    return Knee(server, best, load, words, edge)
