"""Perform a script on a connection, and write down what was really done. All of the server's timing is here.

Deadlines are absolute: a token that is late makes no later one late. A gate or a stall moves the rest of the schedule
by as long as it took; a full socket does not, the server catches up. The journal has the times by which the two can be
told apart (`moved_ns`, `blocked_ns`).

A client that leaves ends the performance at once, with a reset, so that nothing that was given up looks whole. A FIN
means that it has left, as it does to most servers of this kind (asyncio's and Go's), although TCP would allow it to go
on reading: HTTP/1.0 clients do so, and are served, as is everybody with the setting `half-close`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Final

import trio

from mockserver.pacer import Pacer
from mockserver.player import SHORT_TURN_NS, TURN_NS, Pause, Player
from mockserver.script import Close, Gate, Reset, Script, Stall
from streamkit.http.clock import clock_function

if TYPE_CHECKING:
    from mockserver.gates import Gates
    from mockserver.journal import Entry
    from mockserver.settings import Writes
    from streamkit.http.server import Exchange
    from streamkit.http.stream import WireStream

__all__ = ["Performer", "Slots"]

ROUND_NS: Final = 5_000_000
"""How long a round of all turns takes, about: a new request waits for several of them."""

UNFINISHED: Final = {"running", "stalled"}

ACK_SPINS: Final = 20
ACK_POLL_S: Final = 0.0002
"""How the acknowledgement of the peer is waited for: some turns at once, then by short sleeps."""

ACK_S: Final = 5.0
"""How long a reset waits for a client that does not read."""


class Slots:
    """How many answers are worked on at once; the rest wait in the order of their coming."""

    def __init__(self, count: int | None) -> None:
        self.count = count
        self._limiter = None if count is None else trio.CapacityLimiter(count)

    @property
    def waiting(self) -> int:
        """How many wait."""
        return 0 if self._limiter is None else self._limiter.statistics().tasks_waiting

    def take(self) -> bool:
        """Take a slot if there is one."""
        try:
            if self._limiter is not None:
                self._limiter.acquire_nowait()
        except trio.WouldBlock:
            return False
        return True

    async def wait(self) -> None:
        """Wait for a slot and take it."""
        if self._limiter is None:
            await trio.lowlevel.checkpoint()
        else:
            await self._limiter.acquire()

    def give_back(self) -> None:
        """Give a slot back that this task took."""
        if self._limiter is not None:
            self._limiter.release()


class Performer:
    """What all performances of a server share.

    Attributes:
        rushing: how many streams have something due and take turns.
    """

    def __init__(self, gates: Gates, pacer: Pacer) -> None:
        self.gates = gates
        self.pacer = pacer
        self.rushing = 0

    @property
    def turn_ns(self) -> int:
        """How long one of them may write before it is the next one's turn."""
        return SHORT_TURN_NS if self.pacer.is_running else min(TURN_NS, ROUND_NS // max(self.rushing, 1))

    async def perform(
        self,
        script: Script,
        exchange: Exchange,
        entry: Entry,
        *,
        writes: Writes = "each",
        half_close: bool = False,
        slots: Slots | None = None,
    ) -> None:
        """Do what the script says. `entry.outcome` says how it went.

        Args:
            script: what is done.
            exchange: where.
            entry: of the journal; its `origin_ns` is what the script's deadlines count from.
            writes: how pieces reach the kernel.
            half_close: whether a client that says that it sends no more may still be reading.
            slots: what has to be had first, if anything.

        Whatever happens, the connection is left in a state in which the server can go on: kept alive only after a
        script that was done to its end and allows it.
        """
        keep_alive = exchange.keep_alive and script.keep_alive
        exchange.keep_alive = False
        performance = Performance(self, script, exchange, entry, writes)
        performance.half_close = half_close or exchange.request.version == "1.0"
        blocked_ns = exchange.stream.blocked_ns
        try:
            await performance.run(slots)
        finally:
            entry.blocked_ns = exchange.stream.blocked_ns - blocked_ns
            if entry.outcome == "running":
                entry.outcome = "stopped"
        if entry.outcome == "complete":
            exchange.keep_alive = keep_alive
        elif entry.left is not None:
            exchange.stream.abort()


class Performance:
    """One script on one connection."""

    def __init__(self, performer: Performer, script: Script, exchange: Exchange, entry: Entry, writes: Writes) -> None:
        self._performer = performer
        self._exchange = exchange
        self._stream: WireStream = exchange.stream
        self._entry = entry
        self._clock = clock_function()
        self._player = Player(script.actions, self._stream, entry, writes, self._clock)
        self.half_close = False

    async def run(self, slots: Slots | None) -> None:
        """Do everything."""
        try:
            if slots is not None and not slots.take():
                await self._watched(partial(self._play_queued, slots))
                return
            try:
                # Most answers of a server without delays are done before anything has to be waited for. They need no
                # task that watches the client: it costs as much as ten writes.
                pause = await self._rush()
                if pause is Pause.END:
                    await trio.lowlevel.checkpoint()
                else:
                    await self._watched(partial(self._play, pause))
            finally:
                if slots is not None:
                    slots.give_back()
        except trio.BrokenResourceError:
            self._note_left("reset", self._clock())

    async def _rush(self) -> Pause | int:
        """Do what is due, giving others their turns, until something has to be waited for."""
        player, performer = self._player, self._performer
        performer.rushing += 1
        try:
            pause = player.send(performer.turn_ns)
            while pause is Pause.MORE:
                await trio.lowlevel.checkpoint()
                pause = player.send(performer.turn_ns)
        finally:
            performer.rushing -= 1
        return pause

    async def _watched(self, rest: Callable[[], Awaitable[None]]) -> None:
        """Do the rest, and stop where the client leaves."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch, nursery.cancel_scope)
            try:
                await rest()
            except trio.BrokenResourceError:
                self._note_left("reset", self._clock())
            nursery.cancel_scope.cancel()

    async def _play_queued(self, slots: Slots) -> None:
        """Wait for a slot, and count from then on."""
        entry = self._entry
        await slots.wait()
        try:
            entry.origin_ns = self._clock()
            entry.queued_ns = entry.origin_ns - entry.arrived_ns
            self._player.begin(entry.origin_ns)
            await self._play(await self._rush())
        finally:
            slots.give_back()

    async def _watch(self, performing: trio.CancelScope) -> None:
        left = await self._exchange.wait_left()
        if left.how == "fin" and self.half_close:
            return
        if self._entry.outcome in UNFINISHED:
            self._note_left(left.how, left.at_ns)
        performing.cancel()

    def _note_left(self, how: str, at_ns: int) -> None:
        entry = self._entry
        if entry.left is None and entry.outcome in UNFINISHED:  # after its end it does not matter any more
            entry.left, entry.left_ns = how, at_ns
            if entry.outcome == "running":
                entry.outcome = "client-left"

    async def _play(self, pause: Pause | int) -> None:
        """Wait for whatever it is, and go on, until the end or a `Reset` or `Close`."""
        while pause is not Pause.END:
            if isinstance(pause, int):
                self._player.prepare()
                pause = await self._performer.pacer.drive(self._player, pause)
                continue
            if pause is Pause.FULL:
                await self._finish_write()
            elif pause is Pause.SENT:
                await acknowledged(self._stream)
            elif pause is Pause.HOLD and await self._hold():
                return
            pause = await self._rush()

    async def _finish_write(self) -> None:
        """Wait until the kernel has taken the rest of a write."""
        player, stream, entry = self._player, self._stream, self._entry
        data, began_ns = player.rest_data, player.rest_began_ns
        planned_ns = player.planned_ns(began_ns)
        before_bytes = stream.sent_bytes - player.rest
        try:
            await stream.send_all(memoryview(data)[player.rest :])
        except BaseException:
            entry.wrote(planned_ns, began_ns, self._clock(), data[: stream.sent_bytes - before_bytes], entry.tokens)
            raise
        entry.wrote(planned_ns, began_ns, self._clock(), data, player.rest_tokens)

    async def _hold(self) -> bool:
        """Do what is no write and no deadline, and move the rest by as long as it took; tell whether it is the end."""
        action, entry = self._player.held, self._entry
        began_ns = self._clock()
        if isinstance(action, Reset):
            # A reset throws away what was not sent yet, and what comes before it has to get there.
            with trio.move_on_after(ACK_S):
                await acknowledged(self._stream)
            entry.outcome = "reset"
            self._stream.abort()
            return True
        if isinstance(action, Close):
            entry.outcome = "closed"
            await self._stream.send_eof()
            return True
        if isinstance(action, Gate):
            await self._performer.gates.pass_through(action.name)
        elif isinstance(action, Stall) and action.for_ns is not None:
            await trio.sleep(action.for_ns / 1e9)
        else:
            entry.outcome = "stalled"
            await trio.sleep_forever()
        moved_ns = self._clock() - began_ns
        self._player.move(moved_ns)
        entry.moved_ns += moved_ns
        return False


async def acknowledged(stream: WireStream) -> None:
    """Wait until the peer's kernel has everything that was written.

    Raises:
        BrokenResourceError: the peer is gone. The kernel goes on counting what was not acknowledged then.
    """
    spins = 0
    while stream.unsent_bytes():
        spins += 1
        if spins <= ACK_SPINS:
            await trio.lowlevel.checkpoint()
        else:
            stream.send_now(b"")  # of a connection that is gone, it says so
            await trio.sleep(ACK_POLL_S)
