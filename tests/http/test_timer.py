"""Both timers: they wake when they should, and may be changed while somebody waits."""

from __future__ import annotations

import errno
import sys
import time
from collections.abc import Callable

import pytest
import trio

from streamkit.http import timer as timers
from streamkit.http.clock import now_ns
from streamkit.http.timer import FdTimer, LibcCalls, Timer, TrioTimer, open_timer

MS = 1_000_000

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="timerfd is Linux's")


def fd_timer() -> Timer:
    return FdTimer(LibcCalls())


BOTH = pytest.mark.parametrize(
    "make", [pytest.param(fd_timer, marks=linux_only, id="timerfd"), pytest.param(TrioTimer, id="trio")]
)


@BOTH
async def test_it_wakes_after_its_time_and_not_before(make: Callable[[], Timer]) -> None:
    timer = make()
    for _ in range(5):
        due_ns = time.monotonic_ns() + 3 * MS
        timer.set(due_ns)
        await timer.wait()
        assert time.monotonic_ns() >= due_ns - MS // 10  # trio's own clock may differ by that
    timer.close()


@BOTH
async def test_a_time_that_is_past_wakes_at_once(make: Callable[[], Timer]) -> None:
    timer = make()
    for due_ns in (time.monotonic_ns() - MS, 0, -5):
        timer.set(due_ns)
        with trio.move_on_after(5) as patience:
            await timer.wait()
        assert not patience.cancelled_caught
    timer.close()


@BOTH
async def test_an_earlier_time_counts_at_once(make: Callable[[], Timer]) -> None:
    timer = make()
    timer.set(time.monotonic_ns() + 3_600_000 * MS)
    async with trio.open_nursery() as nursery:

        async def change() -> None:
            await trio.testing.wait_all_tasks_blocked()
            timer.set(time.monotonic_ns() + MS)

        nursery.start_soon(change)
        with trio.move_on_after(5) as patience:
            await timer.wait()
        assert not patience.cancelled_caught
    timer.close()


@BOTH
async def test_a_wait_can_be_cancelled(make: Callable[[], Timer]) -> None:
    timer = make()
    timer.set(time.monotonic_ns() + 3_600_000 * MS)
    with trio.move_on_after(0.001) as scope:
        await timer.wait()
    assert scope.cancelled_caught
    timer.set(time.monotonic_ns())
    with trio.fail_after(5):
        await timer.wait()
    timer.close()


async def test_under_a_virtual_clock_time_is_virtual(autojump_clock: trio.testing.MockClock) -> None:
    timer = open_timer()
    assert isinstance(timer, TrioTimer)
    began_ns = now_ns()
    timer.set(began_ns + 3_600_000 * MS)
    await timer.wait()
    assert now_ns() - began_ns == 3_600_000 * MS
    timer.close()


@linux_only
async def test_without_descriptors_trio_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    class Exhausted(LibcCalls):
        def create(self) -> int:
            raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(timers, "_calls", [Exhausted()])
    timer = open_timer()
    assert isinstance(timer, TrioTimer)
    timer.close()


async def test_where_the_system_has_none_trio_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timers, "_calls", [])
    monkeypatch.setattr(sys, "platform", "darwin")
    assert isinstance(open_timer(), TrioTimer)
