"""Release items at absolute deadlines: each waits for its own time, not for a pause after the one before.

Pauses add up (every sleep is late, and never early); deadlines do not drift. An item that comes after its time goes at
once, and a consumer that was slow finds the items due meanwhile waiting.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import count
from math import inf, isnan
from typing import Any, TypeVar, overload

import trio

from streamkit.errors import ConfigError
from streamkit.io.items import Items
from streamkit.io.run import as_items
from streamkit.io.source import ByteSource

__all__ = ["every", "pace"]

T = TypeVar("T")


def every(gap_s: float) -> Iterator[float]:
    """Yield 0, gap_s, 2 gap_s, ... (multiplied, so that rounding does not add up).

    Raises:
        ConfigError: the gap is negative or no finite number.
    """
    if not 0 <= gap_s < inf:
        msg = f"gap_s is {gap_s:g}, but a gap is a number of seconds, from 0"
        raise ConfigError(msg)
    return (n * gap_s for n in count())


class Paced(Items[T]):
    """The items of another stream, held until they are due."""

    def __init__(self, upstream: Items[T], due_s: Iterator[float]) -> None:
        super().__init__()
        self._upstream = upstream
        self._due_s = due_s
        self._start: float | None = None
        self._next_due: float | None = None
        self._waiting: deque[T] = deque()

    async def _receive(self) -> list[T]:
        if self._start is None:
            self._start = trio.current_time()
        if not self._waiting:
            self._waiting.extend(await self._upstream.receive_batch())
        if self._next_due is None:
            due_s = next(self._due_s, 0.0)
            if isnan(due_s):
                msg = "a due time of pace is not a number"
                raise ConfigError(msg)
            self._next_due = self._start + due_s
        await trio.sleep_until(self._next_due)
        self._next_due = None
        return [self._waiting.popleft()]

    async def aclose(self) -> None:
        await self._upstream.aclose()


@overload
def pace(source: Items[T], due_s: Iterable[float]) -> Items[T]: ...
@overload
def pace(source: ByteSource, due_s: Iterable[float]) -> Items[bytes]: ...


def pace(source: ByteSource | Items[Any], due_s: Iterable[float]) -> Items[Any]:
    """Return the items of `source`, the k-th no earlier than `due_s[k]` seconds after the first was asked for.

    Args:
        source: as for `pull`.
        due_s: increasing seconds, `every(0.05)` for one. When they run out, the rest goes at once.

    Each item becomes a batch of its own. At most one read's items are held.
    """
    return Paced(as_items(source), iter(due_s))
