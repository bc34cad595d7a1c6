"""How long the loop stood still, and whether somebody set the clock: sampled beside the requests.

A task wakes every `EVERY_S`. How much later than that it really wakes is how long every task of this loop would have
waited with it; the longest that falls into a request's life is written into its record. A request that ends right
behind a stall may be looked at before that task: a wake-up that is overdue counts already. Kernel stamps do not suffer
by lag unless a stall is longer than the gap between two tokens: then segments are read together.
"""

from __future__ import annotations

import time
from bisect import bisect_left, bisect_right
from typing import Final

from streamkit.http.timer import open_timer

__all__ = ["LagSampler"]

EVERY_NS: Final = 10_000_000

NOTED_NS: Final = 500_000
"""Shorter lags are not kept: the loop's ordinary turn takes as long with some dozens of streams. Where there is no
`timerfd`, up to a millisecond of each lag is the timer's own."""

KEPT: Final = 20_000
"""How many of the newest lags are kept, at least."""

JUMP_NS: Final = 2_000_000
"""The real-time clock has been set where it moves by more than this against the monotonic one between two samples. NTP
slews it by at most 0.5 ms a second."""

MAX_JUMPS: Final = 100


class LagSampler:
    """Samples the lag of the loop that it runs in.

    Attributes:
        samples: how many were taken.
        max_ns: the longest lag.
        lags_ns: the sum of them all.
    """

    def __init__(self) -> None:
        self.samples = 0
        self.max_ns = 0
        self.lags_ns = 0
        self._due_ns: int | None = None
        self._offset_ns: int | None = None
        # Of each noted lag when it began, when it ended, and how long it was; in order, because none overlaps another.
        self._began: list[int] = []
        self._ended: list[int] = []
        self._lags: list[int] = []
        self._jumps: list[int] = []

    async def run(self) -> None:
        """Sample until cancelled."""
        self._offset_ns = _offset_ns()
        timer = open_timer()
        try:
            while True:
                due_ns = self._due_ns = time.monotonic_ns() + EVERY_NS
                timer.set(due_ns)
                await timer.wait()
                self.note(due_ns, time.monotonic_ns())
                self._look_at_clock()
        finally:
            self._due_ns = None
            timer.close()

    @property
    def noted(self) -> int:
        """How many lags are kept."""
        return len(self._lags)

    def note(self, due_ns: int, woken_ns: int) -> None:
        """Take a sample: when the task was to wake, and when it did."""
        lag_ns = max(0, woken_ns - due_ns)
        self.samples += 1
        self.lags_ns += lag_ns
        self.max_ns = max(self.max_ns, lag_ns)
        if lag_ns > NOTED_NS:
            self._began.append(due_ns)
            self._ended.append(woken_ns)
            self._lags.append(lag_ns)
            if len(self._lags) > 2 * KEPT:
                del self._began[:KEPT], self._ended[:KEPT], self._lags[:KEPT]

    def _look_at_clock(self) -> None:
        """Note it where the clock was set since it was looked at last."""
        before_ns = self._offset_ns
        if before_ns is None or abs(time.time_ns() - time.monotonic_ns() - before_ns) <= JUMP_NS // 2:
            return
        self._offset_ns = _offset_ns()
        if abs(self._offset_ns - before_ns) > JUMP_NS and len(self._jumps) < MAX_JUMPS:
            self._jumps.append(time.monotonic_ns())

    def worst_ns(self, began_ns: int, ended_ns: int) -> int:
        """Return the longest noted lag that touches a span of time, 0 where there is none."""
        first = bisect_left(self._ended, began_ns)
        end = bisect_right(self._began, ended_ns)
        worst_ns = max(self._lags[first:end], default=0)
        if self._due_ns is not None:
            overdue_ns = ended_ns - self._due_ns
            if overdue_ns > NOTED_NS and overdue_ns > worst_ns:
                return overdue_ns
        return worst_ns

    def jumped(self, began_ns: int, ended_ns: int) -> bool:
        """Tell whether the clock was set in a span of time that ends now, or right before it."""
        self._look_at_clock()
        if not self._jumps:
            return False
        began_ns -= 2 * EVERY_NS + self.max_ns  # it is noted when it is seen
        return any(began_ns <= at_ns <= ended_ns + EVERY_NS for at_ns in self._jumps)


def _offset_ns() -> int:
    """Return real time less monotonic time, read close together."""
    best: tuple[int, int] | None = None
    for _ in range(3):
        before_ns = time.monotonic_ns()
        real_ns = time.time_ns()
        spread_ns = time.monotonic_ns() - before_ns
        if best is None or spread_ns < best[0]:
            best = spread_ns, real_ns - before_ns
    return best[1] if best else 0
