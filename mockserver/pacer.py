"""One timer for all streams of a server: at each deadline it does what is due, without waking a task for every token.

If each stream slept in a task of its own, the last of a hundred that are due at once would wait for the work of all
others. Here all that is due is sent first, and what comes next is made up after.
"""

from __future__ import annotations

from collections import deque
from heapq import heappop, heappush
from itertools import count
from typing import Final

import outcome
import trio

from mockserver.player import Pause, Player
from streamkit.http.clock import clock_function
from streamkit.http.timer import open_timer

__all__ = ["Pacer"]

AT_ONCE: Final = 4
"""How many tasks are woken between two looks at the deadlines."""


class Waiter:
    """A stream that waits for its deadlines, and the task that waits for it."""

    __slots__ = ("is_gone", "player", "task")

    def __init__(self, player: Player, task: trio.lowlevel.Task) -> None:
        self.player = player
        self.task = task
        self.is_gone = False


class Pacer:
    """The timer of a server. It works while somebody waits, in a system task of its own.

    Attributes:
        is_running: whether streams wait for their deadlines.
    """

    def __init__(self) -> None:
        self._ended: deque[Waiter] = deque()
        self._heap: list[tuple[int, int, Waiter]] = []
        self._numbers = count()
        self.is_running = False

    async def drive(self, player: Player, due_ns: int) -> Pause:
        """Have `player` send at `due_ns`, and at the deadlines after that, until it stops for another reason.

        Returns:
            That reason.

        Raises:
            BrokenResourceError: the client is gone.
        """
        waiter = Waiter(player, trio.lowlevel.current_task())
        self._push(due_ns, waiter)
        if not self.is_running:
            self.is_running = True
            self._timer = open_timer()
            trio.lowlevel.spawn_system_task(self._run, name="mockserver pacer")
        elif self._heap[0][2] is waiter:
            self._timer.set(due_ns)

        def leave(_: object) -> trio.lowlevel.Abort:
            waiter.is_gone = True
            return trio.lowlevel.Abort.SUCCEEDED

        pause: Pause = await trio.lowlevel.wait_task_rescheduled(leave)
        return pause

    def _push(self, due_ns: int, waiter: Waiter) -> None:
        heappush(self._heap, (due_ns, next(self._numbers), waiter))

    async def _run(self) -> None:
        clock = clock_function()
        try:
            while self._heap or self._ended:
                if not self._ended and self._heap[0][0] > clock():
                    self._timer.set(self._heap[0][0])
                    await self._timer.wait()
                else:
                    await trio.lowlevel.checkpoint()
                self._fire(clock())
                self._dismiss()
        finally:
            self.is_running = False
            self._timer.close()

    def _fire(self, now_ns: int) -> None:
        """Send everything that is due, then prepare what is due next."""
        heap = self._heap
        sent: list[tuple[int, Waiter]] = []
        while heap and heap[0][0] <= now_ns:
            waiter = heappop(heap)[2]
            if waiter.is_gone:
                continue
            try:
                pause = waiter.player.send()
            except Exception as error:  # noqa: BLE001 - it is raised again in the task whose stream it is
                waiter.is_gone = True
                trio.lowlevel.reschedule(waiter.task, outcome.Error(error))
                continue
            if pause is Pause.END:
                self._ended.append(waiter)
            elif isinstance(pause, Pause):
                waiter.is_gone = True
                trio.lowlevel.reschedule(waiter.task, outcome.Value(pause))
            else:
                sent.append((pause, waiter))
        # All of this is sent. What comes next is made up only now.
        for due_ns, waiter in sent:
            try:
                waiter.player.prepare()
            except Exception as error:  # noqa: BLE001 - the same
                trio.lowlevel.reschedule(waiter.task, outcome.Error(error))
            else:
                self._push(due_ns, waiter)

    def _dismiss(self) -> None:
        """Wake some of the tasks whose streams have ended.

        What they do then takes longer than a token. Where hundreds end at once, others are due in between.
        """
        for _ in range(min(AT_ONCE, len(self._ended))):
            waiter = self._ended.popleft()
            if not waiter.is_gone:
                waiter.is_gone = True
                trio.lowlevel.reschedule(waiter.task, outcome.Value(Pause.END))
