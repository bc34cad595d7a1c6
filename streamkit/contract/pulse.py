"""Whether a target has time for anything: an ordinary request now and then, while cases that run side by side wait.

A target that is busy with other cases, or has no processor, is silent in all of them. That says nothing about the rule
that a case is about, and what the case says then has to be seen once more with nothing else going on. A target that is
silent in a case, and passes an ordinary request on meanwhile, is silent by itself.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Final, Never

import trio

__all__ = ["Pulse"]

GAPS_PER_LIMIT: Final = 4
"""A case is waited for a quarter of a limit before anything is asked, and so long it is between two requests: in a
silence of a whole limit there is one that has waited for more than half of one, however they lie."""

SLOW_PER_LIMIT: Final = 2
"""What an ordinary request takes from half a limit on is slow. It decides no verdict, but what is run once more."""


class Pulse:
    """Asks, for as long as `beat` runs, whenever a case has been running for a while; and knows when that was slow."""

    def __init__(self, ask: Callable[[], Awaitable[object]], limit_s: float) -> None:
        self._ask = ask
        self._gap_s = limit_s / GAPS_PER_LIMIT
        self._slow_s = limit_s / SLOW_PER_LIMIT
        self._began: list[float] = []
        self._asked_s = math.inf
        self._last_slow_s = -math.inf

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Run a case in the block."""
        began_s = trio.current_time()
        self._began.append(began_s)
        try:
            yield
        finally:
            self._began.remove(began_s)

    def was_slow(self, since_s: float) -> bool:
        """Tell whether an ordinary request was slow at any time since then, or is so now."""
        return self._last_slow_s >= since_s or trio.current_time() - self._asked_s >= self._slow_s

    async def beat(self) -> Never:
        """Ask now and then, until it is cancelled."""
        while True:
            await trio.sleep(self._gap_s)
            now_s = trio.current_time()
            if self._began and now_s - min(self._began) >= self._gap_s:
                self._asked_s = now_s
                try:
                    await self._ask()
                finally:
                    if trio.current_time() - now_s >= self._slow_s:
                        self._last_slow_s = trio.current_time()
                    self._asked_s = math.inf
