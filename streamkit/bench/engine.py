"""One load: requests begin when they are due or when there is room, and each one's record goes to the caller.

One task a request that runs, one for the deadlines, one that samples the loop's lag. Requests of an open loop begin by
an absolute schedule, to 0.1 ms (`streamkit.http.timer`); one that begins late says so in its
record (`scheduled_ns`, `began_ns`), and the next one is not moved.
"""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Final

import trio

from streamkit.bench.collecting import collect_seldom, seldom_collected
from streamkit.bench.lag import LagSampler
from streamkit.bench.lane import Asker, OnRecord
from streamkit.bench.plan import Concurrency, Plan
from streamkit.bench.prepare import Prepared, prepare
from streamkit.bench.reader import Reader
from streamkit.bench.record import RequestRecord
from streamkit.bench.results import Ran
from streamkit.bench.schedule import Due, requests_of
from streamkit.bench.stamping import kernel_stamps
from streamkit.bench.watchdog import Watchdog
from streamkit.http.background import background
from streamkit.http.connect import dial_of, trust
from streamkit.http.pool import Pool
from streamkit.http.timer import open_timer

__all__ = ["Live", "Stop", "run_load"]

NS: Final = 1_000_000_000

PAUSE_S: Final = 0.1
NOBODY_THERE: Final = {"no-connection", "tool-limit"}
"""How long a lane of a closed loop, which only time ends, waits when there was no connection: it would try again
thousands of times a second, and do nothing else."""

MAX_UNBEGUN: Final = 1_000_000
"""Of requests that were due and never began no more are counted."""

TOGETHER: Final = 8
"""How many lanes begin in one turn of the loop. 256 of them connecting in the same turns kept it from reading anything
for 60 ms, in which the first ones' tokens came."""

IDLE_S: Final = 60.0
"""How long a connection is kept: a server that closes it sooner is found out, and costs a new connection."""


class Stop:
    """Ends a load before its time; may be set from a signal's task, or by whoever looks at the figures."""

    def __init__(self) -> None:
        self._soon = trio.Event()
        self._now = trio.Event()

    def soon(self) -> None:
        """Let nothing begin any more; what runs has `Limits.drain_s` left."""
        self._soon.set()

    def now(self) -> None:
        """End what runs, too."""
        self._soon.set()
        self._now.set()

    @property
    def is_set(self) -> bool:
        """Whether anybody has said so."""
        return self._soon.is_set()

    async def wait(self) -> None:
        """Wait until somebody says so."""
        await self._soon.wait()

    async def wait_now(self) -> None:
        """Wait until somebody says that what runs is to end."""
        await self._now.wait()


class Live:
    """What is to be seen of a load while it runs.

    Attributes:
        began_ns: the time from which schedules count; 0 before it.
        running: how many requests run.
    """

    def __init__(self) -> None:
        self.began_ns = 0
        self.running = 0


class _Run:
    """One load while it runs."""

    def __init__(self, plan: Plan, on_record: OnRecord, live: Live) -> None:
        self.plan = plan
        self.on_record = on_record
        self.live = live
        self.lag = LagSampler()
        self.watchdog = Watchdog(plan.limits)
        self.reader = Reader()
        self.began_ns = self.last_begin_ns = 0
        self.until_ns: int | None = None
        self.is_over = False
        self.over_ns: int | None = None
        self.last_ok_ns = 0
        self.peak = self.unbegun = 0
        run_id = secrets.randbits(48)
        self.pools: list[Pool] = []
        self.askers: list[Asker] = []
        room = plan.load.concurrency if isinstance(plan.load, Concurrency) else plan.limits.max_in_flight
        for each in prepare(plan):
            pool = pool_of(each, room)
            self.pools.append(pool)
            self.askers.append(Asker(each, pool, self.watchdog, plan.limits, reader=self.reader, run_id=run_id))

    def starts(self, began_ns: int) -> None:
        """Let the schedule count from then."""
        self.began_ns = self.last_begin_ns = self.live.began_ns = began_ns
        if self.plan.duration_s is not None:
            self.until_ns = self.began_ns + round(self.plan.duration_s * NS)

    async def one(self, due: Due) -> str | None:
        """Do one request, from its beginning to its record, and return its outcome."""
        began_ns = time.monotonic_ns()
        scheduled_ns = None if due.at_ns is None else self.began_ns + due.at_ns
        record = RequestRecord(number=due.number, pair=due.pair, scheduled_ns=scheduled_ns, began_ns=began_ns)
        self.last_begin_ns = began_ns
        self.live.running += 1
        self.peak = max(self.peak, self.live.running)
        try:
            await self.askers[due.server].ask(due, record)
        finally:
            self.live.running -= 1
        if record.sent_ns is not None:
            ended_ns = time.monotonic_ns()
            record.lag_ns = self.lag.worst_ns(record.sent_ns, ended_ns)
            if self.lag.jumped(record.sent_ns, ended_ns):
                record.distrust_kernel()
            elif record.clock_jumped:  # it was not: then that was somebody else's answer, and is not to look fast
                record.clock_jumped = False
                if record.is_ok:
                    record.outcome, record.detail = "protocol", "the answer came before its question was sent"
        if record.is_ok:
            self.last_ok_ns = time.monotonic_ns()
        self.on_record(record)
        return record.outcome

    async def lane(self, dues: Iterator[Due]) -> None:
        """Do one request after the other, as long as there are any and none is to be the last."""
        for due in dues:
            if self.is_over:
                return
            outcome = await self.one(due)
            if outcome in NOBODY_THERE and self.plan.requests is None:
                await trio.sleep(PAUSE_S)

    async def arrivals(self, dues: Iterator[Due], nursery: trio.Nursery) -> None:
        """Begin each request when it is due."""
        room = trio.Semaphore(self.plan.limits.max_in_flight)
        timer = open_timer()

        async def arrive(due: Due) -> None:
            try:
                await self.one(due)
            finally:
                room.release()

        try:
            for due in dues:
                at_ns = self.began_ns + (due.at_ns or 0)
                if self.until_ns is not None and at_ns >= self.until_ns:
                    return
                if time.monotonic_ns() < at_ns:
                    timer.set(at_ns)
                    await timer.wait()
                try:
                    room.acquire_nowait()
                except trio.WouldBlock:
                    self.unbegun = 1  # as long as it waits, and for good if all is over by then
                    await room.acquire()
                    self.unbegun = 0
                nursery.start_soon(arrive, due)
        finally:
            timer.close()

    def count_unbegun(self, dues: Iterator[Due]) -> None:
        """Count what was due and never began: the slowest of all, to whoever waited for it, and in no figure."""
        if self.over_ns is None:
            return
        until_ns = self.over_ns if self.until_ns is None else min(self.over_ns, self.until_ns)
        for due in islice(dues, MAX_UNBEGUN):
            if self.began_ns + (due.at_ns or 0) >= until_ns:
                return
            self.unbegun += 1

    def ended_ns(self) -> int:
        """Return when the load was over: with its last good answer, where it was ended before all had ended.

        What is waited for behind that, in vain, has no part in any rate.
        """
        return time.monotonic_ns() if self.over_ns is None else max(self.over_ns, self.last_ok_ns, self.last_begin_ns)

    async def begin(self, begin_scope: trio.CancelScope) -> None:
        """Do all requests, and return when the last one has ended."""
        dues = requests_of(self.plan)
        load = self.plan.load
        async with trio.open_nursery() as nursery:
            if isinstance(load, Concurrency):
                share, shares = self.plan.share, self.plan.shares
                for number in range(share, load.concurrency, shares):
                    nursery.start_soon(self.lane, dues)
                    if number // shares % TOGETHER == TOGETHER - 1:
                        await trio.lowlevel.checkpoint()
            else:
                with begin_scope:
                    await self.arrivals(dues, nursery)
        if not isinstance(load, Concurrency):
            self.count_unbegun(dues)

    async def end_in_time(self, stop: Stop, begin_scope: trio.CancelScope) -> None:
        """Let nothing begin any more when the time is up or `stop` says so, and end later what still runs then."""
        span_s = math.inf if self.until_ns is None else max(0.0, (self.until_ns - time.monotonic_ns()) / NS)
        with trio.move_on_after(span_s):
            await stop.wait()
        self.is_over = True
        self.over_ns = time.monotonic_ns()
        begin_scope.cancel()
        drain_s = self.plan.limits.drain_s
        with trio.move_on_after(drain_s) as drained:
            await stop.wait_now()
        while True:  # whatever was still connecting gets as far as that
            self.watchdog.end_all(is_drained=drained.cancelled_caught and drain_s > 0)
            await trio.sleep(0.05)


async def run_load(
    plan: Plan,
    on_record: OnRecord,
    *,
    stop: Stop | None = None,
    on_begin: Callable[[int], None] | None = None,
    live: Live | None = None,
    begin_ns: int | None = None,
) -> Ran:
    """Run one load to its end.

    Args:
        plan: what to do.
        on_record: gets each request's record when it has ended, whatever became of it.
        stop: ends it sooner.
        on_begin: is told the time from which schedules count.
        live: is kept up to date.
        begin_ns: that time, for the processes of one run to begin together; None for now. One that comes too late to it
            begins late what is due, and its dispatch delays say so.

    Raises:
        ConfigError: the plan makes no sense; nothing was sent.
    """
    stop = Stop() if stop is None else stop
    run = _Run(plan, on_record, Live() if live is None else live)
    try:
        with seldom_collected(), kernel_stamps():
            async with background() as beside:
                beside.start_soon(collect_seldom)
                beside.start_soon(run.lag.run)
                beside.start_soon(run.watchdog.run)
                beside.start_soon(run.reader.run)
                for pool in run.pools:
                    beside.start_soon(pool.reap)
                if begin_ns is not None:
                    await trio.sleep((begin_ns - time.monotonic_ns()) / NS if begin_ns > time.monotonic_ns() else 0)
                run.starts(time.monotonic_ns() if begin_ns is None else begin_ns)
                if on_begin is not None:
                    on_begin(run.began_ns)
                begin_scope = trio.CancelScope()
                beside.start_soon(run.end_in_time, stop, begin_scope)
                await run.begin(begin_scope)
    finally:
        run.reader.close()
        for pool in run.pools:
            with trio.CancelScope(shield=True):
                await pool.aclose()
    return Ran(
        began_ns=run.began_ns,
        ended_ns=run.ended_ns(),
        last_begin_ns=run.last_begin_ns,
        connections=sum(pool.opened for pool in run.pools),
        lag_max_ns=run.lag.max_ns,
        lag_mean_ns=run.lag.lags_ns // max(1, run.lag.samples),
        peak=run.peak,
        unbegun=run.unbegun,
    )


def pool_of(prepared: Prepared, room: int) -> Pool:
    """Return the pool of a server's connections, which keeps as many as may be in use at once."""
    server = prepared.server
    origin = prepared.request.origin
    tls = trust(Path(server.authorities)) if server.authorities and origin.scheme == "https" else None
    return Pool(dial_of(origin, tls), idle_s=IDLE_S, max_idle=room)
