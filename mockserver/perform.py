"""Perform a script on a connection, and write down what was really done. All of the server's timing is here.

Deadlines are absolute: a token that is late makes no later one late. A gate or a stall moves the rest of the schedule
by as long as it took; a full socket does not, the server catches up. The journal has the times by which the two can be
told apart (`moved_ns`, `blocked_ns`).

A client that leaves ends the performance at once: a FIN means that it has left, as it does to most servers of this
kind (asyncio's and Go's), although TCP would allow it to go on reading.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import trio

from mockserver.script import Action, Close, Gate, Reset, Script, Stall, Until, Write
from streamkit.http.clock import clock_function, now_ns, sleep_until_ns

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from mockserver.gates import Gates
    from mockserver.journal import Entry
    from mockserver.settings import Writes
    from streamkit.http.server import Exchange
    from streamkit.http.stream import WireStream

__all__ = ["Slots", "perform"]

JOINED_BYTES: Final = 65536
"""The most that goes out in one call where pieces are joined."""

TURN_NS: Final = 50_000
"""How long a stream whose pieces are all due may write before others get a turn. A turn costs as much as a write."""

UNFINISHED: Final = {"stopped", "stalled"}

ACK_SPINS: Final = 20
ACK_POLL_S: Final = 0.0002
"""How the acknowledgement of the peer is waited for: some turns at once, then by short sleeps."""


class Slots:
    """How many answers are worked on at once; the rest wait in the order of their coming."""

    def __init__(self, count: int | None) -> None:
        self.count = count
        self._limiter = None if count is None else trio.CapacityLimiter(count)

    @property
    def waiting(self) -> int:
        """How many wait."""
        return 0 if self._limiter is None else self._limiter.statistics().tasks_waiting

    @asynccontextmanager
    async def taken(self) -> AsyncIterator[None]:
        """Hold a slot while the block runs."""
        if self._limiter is None:
            yield
            return
        async with self._limiter:
            yield


async def perform(
    script: Script,
    exchange: Exchange,
    entry: Entry,
    *,
    gates: Gates,
    writes: Writes = "each",
    slots: Slots | None = None,
) -> None:
    """Do what the script says. `entry.outcome` says how it went.

    Whatever happens, the connection is left in a state in which the server can go on: kept alive only after a script
    that was done to its end and allows it.
    """
    keep_alive = exchange.keep_alive and script.keep_alive
    exchange.keep_alive = False
    entry.outcome = "stopped"  # by whoever cancels this
    blocked_ns = exchange.stream.blocked_ns
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch, exchange, entry, nursery.cancel_scope)
        try:
            if slots is None or slots.count is None:
                await Player(exchange.stream, entry, gates, writes).play(script.actions)
            else:
                async with slots.taken():
                    entry.origin_ns = now_ns()
                    entry.queued_ns = entry.origin_ns - entry.arrived_ns
                    await Player(exchange.stream, entry, gates, writes).play(script.actions)
        except trio.BrokenResourceError:
            note_left(entry, "reset", now_ns())
        nursery.cancel_scope.cancel()
    entry.blocked_ns = exchange.stream.blocked_ns - blocked_ns
    if entry.outcome == "complete":
        exchange.keep_alive = keep_alive


async def watch(exchange: Exchange, entry: Entry, performing: trio.CancelScope) -> None:
    """End the performance when the client leaves."""
    left = await exchange.wait_left()
    if entry.outcome in UNFINISHED:
        note_left(entry, left.how, left.at_ns)
    performing.cancel()


def note_left(entry: Entry, how: str, at_ns: int) -> None:
    """Write down that the client has left, if it was not known."""
    if entry.left is None:
        entry.left, entry.left_ns = how, at_ns
        if entry.outcome == "stopped":
            entry.outcome = "client-left"


class Player:
    """Does one action after another.

    Attributes:
        origin_ns: what deadlines count from; holding the stream moves it.
        due_ns: the deadline that was reached last.
    """

    def __init__(self, stream: WireStream, entry: Entry, gates: Gates, writes: Writes) -> None:
        self.origin_ns = self.due_ns = self._start_ns = entry.origin_ns
        self._stream = stream
        self._entry = entry
        self._gates = gates
        self._writes = writes
        self._clock = clock_function()
        self._turn_ns = 0
        self._pending: list[Write] = []
        self._pending_bytes = 0

    async def play(self, actions: Iterable[Action]) -> None:
        """Do all of them, or what comes before a `Reset` or `Close`."""
        write = {"each": self._write_each, "joined": self._write_joined, "acked": self._write_acked}[self._writes]
        for action in actions:
            if type(action) is Write:
                if (waiting := write(action)) is not None:
                    await waiting
            elif type(action) is Until:
                self.due_ns = self.origin_ns + action.at_ns
                if self.due_ns > self._clock():
                    await self._flush()
                    await sleep_until_ns(self.due_ns)
            else:
                await self._flush()
                if await self._hold(action):
                    return
        await self._flush()
        self._entry.outcome = "complete"

    # The three ways to write return what has to be waited for, if anything: nearly every write of a busy server needs
    # nothing, and a coroutine for each of them would be a fifth of its time.

    def _write_each(self, action: Write) -> Awaitable[None] | None:
        data = action.data
        began_ns = self._clock()
        taken = self._stream.send_now(data)
        if taken < len(data):
            return self._wait_written(action, began_ns, taken)
        ended_ns = self._clock()
        due_ns = self.due_ns
        self._entry.wrote(due_ns if due_ns > self._start_ns else began_ns, began_ns, ended_ns, data, action.tokens)
        return self._give_turn() if ended_ns > self._turn_ns else None

    def _write_joined(self, action: Write) -> Awaitable[None] | None:
        self._pending.append(action)
        self._pending_bytes += len(action.data)
        return self._flush() if self._pending_bytes >= JOINED_BYTES else None

    async def _write_acked(self, action: Write) -> None:
        await self._wait_written(action, self._clock(), 0)
        await acknowledged(self._stream)

    async def _give_turn(self) -> None:
        await trio.lowlevel.checkpoint()
        self._turn_ns = self._clock() + TURN_NS

    async def _flush(self) -> None:
        """Write what is joined so far."""
        if self._pending:
            pending, self._pending = self._pending, []
            self._pending_bytes = 0
            joined = Write(b"".join([each.data for each in pending]), pending[-1].tokens)
            await self._wait_written(joined, self._clock(), 0)

    async def _wait_written(self, action: Write, began_ns: int, taken: int) -> None:
        """Wait until the kernel has taken all of a piece, of which it has `taken` bytes."""
        stream, entry, data = self._stream, self._entry, action.data
        planned_ns = self.due_ns if self.due_ns > self._start_ns else began_ns
        before_bytes = stream.sent_bytes - taken
        try:
            await stream.send_all(memoryview(data)[taken:])
        except BaseException:
            entry.wrote(planned_ns, began_ns, self._clock(), data[: stream.sent_bytes - before_bytes], entry.tokens)
            raise
        entry.wrote(planned_ns, began_ns, self._clock(), data, action.tokens)

    async def _hold(self, action: Action) -> bool:
        """Do what is no write and no deadline, and move the rest by as long as it took; tell whether it is the end."""
        entry = self._entry
        began_ns = self._clock()
        if isinstance(action, Reset):
            entry.outcome = "reset"
            self._stream.abort()
            return True
        if isinstance(action, Close):
            entry.outcome = "closed"
            await self._stream.send_eof()
            return True
        if isinstance(action, Gate):
            await self._gates.pass_through(action.name)
        elif isinstance(action, Stall) and action.for_ns is not None:
            await trio.sleep(action.for_ns / 1e9)
        else:
            entry.outcome = "stalled"
            await trio.sleep_forever()
        moved_ns = self._clock() - began_ns
        self.origin_ns += moved_ns
        self.due_ns += moved_ns
        entry.moved_ns += moved_ns
        return False


async def acknowledged(stream: WireStream) -> None:
    """Wait until the peer's kernel has everything that was written."""
    spins = 0
    while stream.unsent_bytes():
        spins += 1
        if spins <= ACK_SPINS:
            await trio.lowlevel.checkpoint()
        else:
            await trio.sleep(ACK_POLL_S)
