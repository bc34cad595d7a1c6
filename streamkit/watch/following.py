"""Lines of news for somebody who looks: of the list of streams, and of one stream. NDJSON, in pieces of several lines.

Both go by a cursor over what is kept, and are slowed down by who reads them, never the other way round. News are told
at most once a frame of the screen: a page cannot show more, and the streams need the processor. Where many pages follow
a list that changes a lot, each is told more rarely: what all pages together are told costs no more than that.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Iterable
from itertools import count
from typing import Final, TypeAlias

import trio

from streamkit.codecs.jsontext import encode_value
from streamkit.http.clock import now_ns
from streamkit.watch.lanes import Lanes
from streamkit.watch.moments import Sight
from streamkit.watch.rows import Dropped, Ended, Ping, row_of
from streamkit.watch.sights import Sights

__all__ = ["Follow", "List", "Send", "follow_one"]

Send: TypeAlias = Callable[[bytes], Awaitable[None]]

Follow: TypeAlias = Callable[[Send], Awaitable[None]]
"""Sends what is there and what comes, and returns at the end of it."""

LIST_S: Final = 0.1
FRAME_S: Final = 1 / 60
"""How long news of the list, and of one stream, wait for more."""

ROWS_PER_S: Final = 10_000
"""How many rows all who follow the list are told together, about: a twentieth of a processor's time."""

MAX_LIST_S: Final = 2.0
"""How long news of the list wait at most, however many pages there are."""

TURN_ROWS: Final = 50
"""How many rows are written before others have their turn."""

STEP: Final = 0.309
"""By how much the times of those who follow differ."""

PING_S: Final = 15.0
"""Behind how much silence it is told that there is nothing."""

TURN_MOMENTS: Final = 16
TURN_BYTES: Final = 64 * 1024
"""How much of a stream is read for its marks before others have their turn: about a millisecond's work."""

LARGE_BYTES: Final = 256 * 1024
"""A moment as large as that is looked at in a thread: 10 MiB take 50 ms."""


class List:
    """What tells the list to all who follow it; a line is encoded once for all of them.

    Args:
        sights: what is listed.
    """

    def __init__(self, sights: Sights) -> None:
        self._sights = sights
        self._followers = 0
        self._numbers = count()

    async def follow(self, send: Send) -> None:
        """Send the list, then its changes, without end."""
        sights, told, version = self._sights, set[int](), 0
        # Not all in step: those who are would all write in the same moment.
        stretch = 0.75 + next(self._numbers) * STEP % 0.5
        self._followers += 1
        try:
            while True:
                changed, version = sights.changed_since(version), sights.version
                gone = [number for number in told if number not in sights]
                told.difference_update(gone)
                told.update([sight.record.number for sight in changed])
                for at in range(0, len(changed), TURN_ROWS):
                    await send(b"".join([_line_of(sight) for sight in changed[at : at + TURN_ROWS]]))
                if gone or not changed:
                    await send(_lines(map(Dropped, gone) if gone else [Ping()]))
                with trio.move_on_after(PING_S):
                    await sights.wait_changed(version)
                    rows = len(changed) * self._followers
                    await trio.sleep(stretch * min(max(LIST_S, rows / ROWS_PER_S), MAX_LIST_S))
        finally:
            self._followers -= 1


async def follow_one(sights: Sights, sight: Sight, send: Send) -> None:
    """Send a stream's line, its marks as they come, and its end.

    A resumable stream that was not read to its end may be read on: then its end is told when nobody may come any more.
    """
    lanes = Lanes(sight.method)
    await send(_lines([row_of(sight)]))
    at = 0
    due_s = trio.current_time() + PING_S
    while True:
        rows: list[object] = []
        size = 0
        until = at + TURN_MOMENTS
        while at < min(len(sight.moments), until) and size < TURN_BYTES:
            moment = sight.moments[at]
            at += 1
            size += len(moment.data)
            if len(moment.data) < LARGE_BYTES:
                rows += lanes.feed(moment)
            else:
                rows += await trio.to_thread.run_sync(lanes.feed, moment)
        if rows:
            await send(_lines(rows))
            due_s = trio.current_time() + PING_S
        if at < len(sight.moments):
            await trio.lowlevel.checkpoint()
            continue
        awaited_s = _awaited_s(sights, sight)
        if awaited_s <= 0:
            await send(_lines([Ended(row_of(sight))]))
            return
        with trio.move_on_at(min(due_s, trio.current_time() + awaited_s)):
            await sights.wait_one(sight, at)
            await trio.sleep(FRAME_S)
        if trio.current_time() >= due_s:  # also where all that is new is not kept
            await send(_lines([Ping()]))
            due_s = trio.current_time() + PING_S


def _awaited_s(sights: Sights, sight: Sight) -> float:
    """Return for how long something may still come of a stream; 0 where nothing does."""
    if sight.is_live:
        return math.inf
    if sights.find(sight.record.number) is None:
        return 0
    return (sight.awaited_until_ns - now_ns()) / 1e9


def _lines(rows: Iterable[object]) -> bytes:
    return b"".join([encode_value(row) + b"\n" for row in rows])


def _line_of(sight: Sight) -> bytes:
    """Return a stream's line of the list, which is encoded once between two changes."""
    if not sight.line:
        sight.line = _lines([row_of(sight)])
    return sight.line
