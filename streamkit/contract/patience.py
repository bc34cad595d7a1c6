"""How long something is waited for: in spans that this program has lived through, not on the clock.

A machine that stands still for two seconds says nothing about the proxy: when it goes on, the clock is over, and what
came meanwhile waits in the kernel. A limit of 5 s is many short spans one after the other, and after each of them the
proxy and we have had our turns.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

__all__ = ["SPAN_S", "spans"]

SPAN_S: Final = 0.05

MAX_SPANS: Final = 40


def spans(within_s: float) -> Iterator[float]:
    """Yield spans, in seconds, that are `within_s` together: one, where that is short or for ever."""
    count = 1 if math.isinf(within_s) else max(1, min(MAX_SPANS, round(within_s / SPAN_S)))
    for _ in range(count):
        yield within_s / count
