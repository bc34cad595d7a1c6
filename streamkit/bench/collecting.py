"""Keep Python's garbage collector out of a load, without letting memory grow.

With 256 streams of 100 tokens a second one look through the young objects took up to 9 ms, and one through all of them
90 ms, in which nothing was read: one first token in a hundred was 10 to 120 ms late, and was 0.03 ms late without it.
What a request leaves behind is freed by its reference counts (`tests/bench/test_collecting.py` holds it to that). What
is kept is counted, and looked through when it has become much.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import trio

__all__ = ["collect_seldom", "seldom_collected"]

MOST_NEW: Final = 200_000
"""How many more containers there may be than when it was looked last: some 50 MB of them."""

EVERY_S: Final = 1.0


class _Holding:
    """What loads of this process have done to its collector, and how it was before the first of them."""

    def __init__(self) -> None:
        self.loads = 0
        self.was_enabled = False
        self.may_freeze = False

    def begin(self) -> None:
        self.loads += 1
        if self.loads == 1:
            self.was_enabled = gc.isenabled()
            self.may_freeze = not gc.get_freeze_count()  # what somebody else has frozen would be thawed with ours
        gc.disable()
        self.look()

    def look(self) -> None:
        gc.collect()
        if self.may_freeze:
            gc.freeze()

    def end(self) -> None:
        self.loads -= 1
        if self.loads:
            return
        if self.may_freeze:
            gc.unfreeze()
        if self.was_enabled:
            gc.enable()


HOLDING: Final = _Holding()
"""Of all loads in this process, which may run beside each other."""


@contextmanager
def seldom_collected() -> Iterator[None]:
    """Collect now, and not by itself while the block runs; what is there already is not looked through again."""
    try:
        HOLDING.begin()
        yield
    finally:
        HOLDING.end()


async def collect_seldom() -> None:
    """Collect where there is much to be looked through, until cancelled. The lag is in the records that suffered it.

    What lives then is not looked through again: it would take longer each time. Of that, what ends up in a ring is not
    freed before `seldom_collected` is left; it is little beside what had to be made before there was much.
    """
    while True:
        await trio.sleep(EVERY_S)
        if gc.get_count()[0] > MOST_NEW:
            HOLDING.look()
