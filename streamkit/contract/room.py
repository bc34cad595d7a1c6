"""Where cases run: some side by side, or one alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

__all__ = ["Room"]


class Room:
    """Lets so many in at once, in the order in which they ask; or one, once all others are out.

    Who wants to be alone goes before those who do not.

    Attributes:
        seats: how many may be in at once. It may be changed at any time; nobody is sent out.
    """

    def __init__(self, seats: int) -> None:
        self.seats = seats
        self._inside = 0
        self._loners = 0
        self._beside = trio.lowlevel.ParkingLot()
        self._alone = trio.lowlevel.ParkingLot()

    @asynccontextmanager
    async def beside(self) -> AsyncIterator[None]:
        """Be inside with others."""
        while self._loners or self._inside >= self.seats:
            await self._beside.park()
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1
            self._let_in()

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Be inside with nobody else."""
        self._loners += 1
        try:
            while self._inside:
                await self._alone.park()
            self._inside += 1
            try:
                yield
            finally:
                self._inside -= 1
        finally:
            self._loners -= 1
            self._let_in()

    def _let_in(self) -> None:
        if self._loners:
            if not self._inside:
                self._alone.unpark()
        else:
            self._beside.unpark(count=max(0, self.seats - self._inside))
