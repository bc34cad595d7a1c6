"""How long the loop stood still, and whether the clock was set, as requests are told."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

from streamkit.bench.lag import EVERY_NS, KEPT, LagSampler

MS = 1_000_000


@asynccontextmanager
async def sampling() -> AsyncIterator[LagSampler]:
    sampler = LagSampler()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(sampler.run)
        await more_samples(sampler, 2)
        yield sampler
        nursery.cancel_scope.cancel()


async def more_samples(sampler: LagSampler, count: int) -> None:
    wanted = sampler.samples + count
    with trio.fail_after(30):
        while sampler.samples < wanted:  # noqa: ASYNC110 - there is no event for it
            await trio.sleep(0.001)


async def test_a_stall_is_noted_with_its_length() -> None:
    async with sampling() as sampler:
        began_ns = time.monotonic_ns()
        time.sleep(0.06)  # noqa: ASYNC251 - that is the stall
        ended_ns = time.monotonic_ns()
        await more_samples(sampler, 2)
        now_ns = time.monotonic_ns()
    worst_ns = sampler.worst_ns(began_ns, now_ns)
    assert 60 * MS - EVERY_NS <= worst_ns <= now_ns - began_ns
    assert sampler.max_ns >= worst_ns
    assert sampler.lags_ns >= worst_ns
    assert sampler.worst_ns(ended_ns - MS, ended_ns - MS) >= 60 * MS - EVERY_NS


async def test_who_asks_right_behind_a_stall_is_told_of_it() -> None:
    async with sampling() as sampler:
        began_ns = time.monotonic_ns()
        time.sleep(0.06)  # noqa: ASYNC251 - that is the stall
        now_ns = time.monotonic_ns()
        assert 60 * MS - EVERY_NS <= sampler.worst_ns(began_ns, now_ns) <= now_ns - began_ns


def test_only_what_touches_the_span_counts() -> None:
    sampler = LagSampler()
    for began_ms, lag_ms in ((100, 5), (200, 50), (300, 9)):
        sampler.note(began_ms * MS, (began_ms + lag_ms) * MS)
    assert sampler.worst_ns(0, 400 * MS) == 50 * MS
    assert sampler.worst_ns(0, 99 * MS) == 0
    assert sampler.worst_ns(0, 150 * MS) == 5 * MS
    assert sampler.worst_ns(102 * MS, 150 * MS) == 5 * MS
    assert sampler.worst_ns(106 * MS, 199 * MS) == 0
    assert sampler.worst_ns(251 * MS, 300 * MS) == 9 * MS
    assert sampler.worst_ns(310 * MS, 400 * MS) == 0
    assert (sampler.samples, sampler.max_ns, sampler.lags_ns) == (3, 50 * MS, 64 * MS)


def test_short_lags_are_not_noted_and_many_do_not_pile_up() -> None:
    sampler = LagSampler()
    sampler.note(0, MS // 10)
    assert sampler.worst_ns(0, MS) == 0
    for number in range(5 * KEPT):
        sampler.note(number * 10 * MS, number * 10 * MS + MS)
    assert sampler.noted <= 2 * KEPT
    newest_ns = (5 * KEPT - 1) * 10 * MS
    assert sampler.worst_ns(newest_ns, newest_ns) == MS
    assert sampler.worst_ns(newest_ns - KEPT // 2 * 10 * MS, newest_ns - KEPT // 2 * 10 * MS) == MS


class Clock:
    """A real-time clock that can be set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.real_ns = time.time_ns
        self.by_ns = 0
        monkeypatch.setattr(time, "time_ns", lambda: self.real_ns() + self.by_ns)


@pytest.mark.parametrize("by_ns", [3 * MS, -3 * MS, 3_600_000 * MS])
async def test_a_clock_that_is_set_is_seen_at_once(monkeypatch: pytest.MonkeyPatch, by_ns: int) -> None:
    clock = Clock(monkeypatch)
    async with sampling() as sampler:
        began_ns = time.monotonic_ns()
        assert not sampler.jumped(began_ns, time.monotonic_ns())
        clock.by_ns = by_ns
        assert sampler.jumped(began_ns, time.monotonic_ns())  # before any sample


async def test_a_clock_that_was_set_long_before_is_none_of_a_requests_business(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock(monkeypatch)
    async with sampling() as sampler:
        clock.by_ns = 50 * MS
        await more_samples(sampler, 3)
        assert sampler.jumped(time.monotonic_ns() - 1000 * MS, time.monotonic_ns())
        later_ns = time.monotonic_ns() + 10_000 * MS
        assert not sampler.jumped(later_ns, later_ns + MS)


async def test_a_clock_that_is_slewed_was_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    async with sampling() as sampler:
        began_ns = time.monotonic_ns()
        for _ in range(20):
            clock.by_ns += MS // 2  # in all 10 ms, a little at a time
            await more_samples(sampler, 1)
        assert not sampler.jumped(began_ns, time.monotonic_ns())
