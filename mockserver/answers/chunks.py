r"""The plain-text generator: `Chunk N [HH:MM:SS.mmm]\n`, a line a chunk, each with the time at which it is due. Pure.

The time is that of the schedule, in UTC: the same request gives the same bytes on every machine, and the difference to
the time at which a reader sees the line is what the way took. N counts from 1. Milliseconds are cut off, not rounded.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Protocol

from mockserver.response import Record

__all__ = ["DEFAULT_COUNT", "DEFAULT_RATE", "Deadlines", "chunks"]

DEFAULT_COUNT: Final = 100
DEFAULT_RATE: Final = 10.0
"""Chunks a second."""

DAY_MS: Final = 24 * 60 * 60 * 1000


class Deadlines(Protocol):
    """When tokens are due: `mockserver.pacing.Schedule`."""

    def deadline_ns(self, token: int, /) -> int:
        """Return when token `token`, counted from 1, is due, in ns after the origin."""


def chunks(count: int, created_ns: int, schedule: Deadlines) -> Iterator[Record]:
    """Yield `count` lines.

    Args:
        count: how many; each counts as a token.
        created_ns: the origin of the response, in ns since 1970.
        schedule: when each is due; asked once for each, in order.
    """
    for number in range(1, count + 1):
        at_ns = schedule.deadline_ns(number)
        yield Record(b"Chunk %d [%b]\n" % (number, clock_time(created_ns + at_ns)), number, at_ns)


def clock_time(time_ns: int) -> bytes:
    """Return the time of day, in UTC, as HH:MM:SS.mmm."""
    seconds, ms = divmod(time_ns // 1_000_000 % DAY_MS, 1000)
    return b"%02d:%02d:%02d.%03d" % (seconds // 3600, seconds // 60 % 60, seconds % 60, ms)
