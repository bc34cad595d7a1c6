"""Gates: places where streams wait until somebody lets them through. That is how a test holds a stream, not by time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import trio

__all__ = ["Gates"]


class Gates:
    """Gates by name; all are shut at first, and come into being when they are named."""

    def __init__(self) -> None:
        self._open: set[str] = set()
        self._waiting: dict[str, deque[trio.Event]] = {}
        self._tickets: dict[str, int] = {}
        self._changed = trio.Event()

    def open(self, name: str) -> None:
        """Let everybody through who waits at the gate, and whoever comes later."""
        self._open.add(name)
        for event in self._waiting.pop(name, ()):
            event.set()

    def shut(self, name: str) -> None:
        """Hold whoever comes from now on."""
        self._open.discard(name)
        self._tickets.pop(name, None)

    def step(self, name: str, count: int = 1) -> None:
        """Let `count` streams through: those that wait, the longest waiting first, then those that come."""
        waiting = self._waiting.get(name, deque())
        while count and waiting:
            waiting.popleft().set()
            count -= 1
        if count:
            self._tickets[name] = self._tickets.get(name, 0) + count

    def clear(self) -> None:
        """Be as new: let everybody through who waits, and shut every gate."""
        self.open_all()
        self._open.clear()
        self._tickets.clear()

    def open_all(self) -> None:
        """Open every gate that somebody waits at."""
        for name in list(self._waiting):
            self.open(name)

    def waiting(self, name: str) -> int:
        """Return how many streams wait at the gate."""
        return len(self._waiting.get(name, ()))

    def state(self) -> dict[str, dict[str, object]]:
        """Return what is known of every gate, as a JSON value."""
        names = sorted({*self._open, *self._tickets, *(name for name, queue in self._waiting.items() if queue)})
        return {name: {"open": name in self._open, "waiting": self.waiting(name)} for name in names}

    async def wait_for(self, name: str, count: int = 1) -> None:
        """Return once at least `count` streams wait at the gate."""
        await self._until(lambda: self.waiting(name) >= count)

    async def pass_through(self, name: str) -> None:
        """Wait at the gate until it lets the caller through."""
        if name in self._open:
            await trio.lowlevel.checkpoint()
            return
        tickets = self._tickets.pop(name, 0)
        if tickets > 1:
            self._tickets[name] = tickets - 1
        if tickets:
            await trio.lowlevel.checkpoint()
            return
        event = trio.Event()
        queue = self._waiting.setdefault(name, deque())
        queue.append(event)
        self._changed.set()
        self._changed = trio.Event()
        try:
            await event.wait()
        finally:
            if event in queue:
                queue.remove(event)
            if not queue and self._waiting.get(name) is queue:
                del self._waiting[name]

    async def _until(self, true: Callable[[], bool]) -> None:
        while not true():
            await self._changed.wait()
        await trio.lowlevel.checkpoint()
