"""The streams that are seen: the live ones, and as many of the finished ones as there is room for.

Bounded in number and in bytes. A finished stream makes room for a new one, the oldest first; where all that is left is
live, what comes of it is counted and not kept (`Sight.lost_moments`), and the stream itself goes on as ever.

No crowd takes it all. What was no stream (refused, a list of models, an upstream that was not there) has a tenth of the
places as soon as streams want the others: anybody may send requests that are refused. And a live stream may hold as
much as the live ones leave free, so that the second large one has less than the first; what they leave at last, a part
of the whole (`SMALL_SHARE`), is for streams as small as most are.

Whoever looks follows by cursor: nothing is queued for anybody, so a page that sleeps costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import trio

from streamkit.gateway.record import Record
from streamkit.gateway.route import WEBSOCKET
from streamkit.watch.moments import Sight

__all__ = ["MAX_SIGHTS", "MAX_SIGHT_BYTES", "MAX_TOTAL_BYTES", "Sights"]

MAX_SIGHTS: Final = 500
MAX_SIGHT_BYTES: Final = 32 << 20
"""Room for an event of 10 MiB, which is there twice: as it was read and as it was written."""

MAX_TOTAL_BYTES: Final = 96 << 20

MINOR_SHARE: Final = 10
"""Of so many places one is left to what was no stream."""

SMALL_SHARE: Final = 6
"""One of so many bytes is left to small streams, by the live ones that are not."""

SMALL: Final = 1024
"""A stream is small as long as no more is kept of it than one of so many bytes of all: 96 KiB of `MAX_TOTAL_BYTES`."""


class Sights:
    """All that is seen.

    Args:
        max_sights: how many streams are kept, the live ones not counted out.
        max_sight_bytes: how much of one.
        max_total_bytes: how much of all.

    Attributes:
        version: goes up with each change of any of them.
        begun: how many there were.
        dropped: how many made room for others.
    """

    def __init__(
        self,
        *,
        max_sights: int = MAX_SIGHTS,
        max_sight_bytes: int = MAX_SIGHT_BYTES,
        max_total_bytes: int = MAX_TOTAL_BYTES,
    ) -> None:
        self.version = 0
        self.begun = 0
        self.dropped = 0
        self._max_sights = max_sights
        self._max_sight_bytes = max_sight_bytes
        self._max_total_bytes = max_total_bytes
        self._sights: dict[int, Sight] = {}
        self._by_stream: dict[str, Sight] = {}
        self._versions: dict[int, int] = {}  # number -> version of its last change, in the order of these
        self._live: set[int] = set()
        self._live_bytes = 0  # of these
        self._lots: dict[int, trio.lowlevel.ParkingLot] = {}  # who waits for one of them
        self._more = trio.lowlevel.ParkingLot()
        self._total_bytes = 0

    def __iter__(self) -> Iterator[Sight]:
        """Go through them, the oldest first."""
        return iter(self._sights.values())

    def __contains__(self, number: int) -> bool:
        return number in self._sights

    def __len__(self) -> int:
        return len(self._sights)

    @property
    def kept_bytes(self) -> int:
        """How much is kept of all of them."""
        return self._total_bytes

    def find(self, number: int) -> Sight | None:
        """Return one by its record's number."""
        return self._sights.get(number)

    def find_stream(self, stream_id: str) -> Sight | None:
        """Return the one of a resumable stream."""
        return self._by_stream.get(stream_id)

    def begin(self, record: Record, *, method: str, tag: str = "") -> Sight:
        """Begin to see a stream."""
        self.begun += 1
        while len(self._sights) >= self._max_sights and self._drop_one():
            pass
        number = record.number
        sight = Sight(
            record,
            method=method,
            tag=tag,
            max_bytes=self._max_sight_bytes,
            may_keep=lambda cost: self._may_keep(number, cost),
            on_change=lambda: self._change(number),
        )
        self._sights[number] = sight
        self._live.add(number)
        self._change(number)
        return sight

    def name(self, sight: Sight, stream_id: str) -> None:
        """Note that a stream is resumable, and under which id."""
        sight.stream_id = stream_id
        self._by_stream[stream_id] = sight

    def changed_since(self, version: int) -> list[Sight]:
        """Return those that have changed since then, the oldest change first."""
        changed = []
        for number in reversed(self._versions):
            if self._versions[number] <= version:
                break
            changed.append(self._sights[number])
        return changed[::-1]

    async def wait_changed(self, version: int) -> None:
        """Wait until there is a change later than that."""
        while self.version <= version:
            await self._more.park()

    async def wait_one(self, sight: Sight, seen: int) -> None:
        """Wait until there is something new of a stream, unless it has more moments than those already."""
        number = sight.record.number
        if len(sight.moments) <= seen and number in self._sights:
            await self._lots.setdefault(number, trio.lowlevel.ParkingLot()).park()

    def _change(self, number: int) -> None:
        sight = self._sights.get(number)
        if sight is None:
            return
        sight.line = b""
        if sight.is_live != (number in self._live):
            self._live ^= {number}
            self._live_bytes += sight.kept_bytes if sight.is_live else -sight.kept_bytes
        self.version += 1
        self._versions.pop(number, None)
        self._versions[number] = self.version
        self._wake(number)

    def _wake(self, number: int) -> None:
        """Tell those who wait for one of them, or for any."""
        lot = self._lots.pop(number, None)
        if lot is not None:
            lot.unpark_all()
        if len(self._more):
            self._more.unpark_all()

    def _may_keep(self, number: int, cost: int) -> bool:
        """Tell whether there is room for so many bytes more of one that was not dropped, and take it."""
        if number in self._live:
            own = self._sights[number].kept_bytes + cost
            free = self._max_total_bytes - self._max_total_bytes // SMALL_SHARE - self._live_bytes - cost
            if own > max(free, self._max_total_bytes // SMALL):
                return False
        while number in self._sights and self._total_bytes + cost > self._max_total_bytes:
            if not self._drop_one():
                return False
        if number not in self._sights:  # somebody reads it still, or again
            return False
        self._total_bytes += cost
        self._live_bytes += cost if number in self._live else 0
        return True

    def _drop_one(self) -> bool:
        """Make room: forget a finished stream, and tell whether there was one."""
        oldest: Sight | None = None
        minor: Sight | None = None
        minors = 0
        for sight in self._sights.values():
            if sight.is_live:
                continue
            if _is_minor(sight):
                minors += 1
                minor = minor or sight
            else:
                oldest = oldest or sight
        dropped = minor if oldest is None or minors > self._max_sights // MINOR_SHARE else oldest
        if dropped is None:
            return False
        number = dropped.record.number
        del self._sights[number]
        del self._versions[number]
        self._by_stream.pop(dropped.stream_id, None)
        self._total_bytes -= dropped.kept_bytes
        if number in self._live:
            self._live.discard(number)
            self._live_bytes -= dropped.kept_bytes
        self.dropped += 1
        self.version += 1
        self._wake(number)
        return True


def _is_minor(sight: Sight) -> bool:
    """Tell whether it was no stream: nothing was asked upstream, or only about something."""
    return not (sight.is_asked and (sight.method == "POST" or sight.record.target.partition("?")[0] == WEBSOCKET))
