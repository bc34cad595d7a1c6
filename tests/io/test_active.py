"""tee, pace and idle: time on a virtual clock, order by gates, and nothing lost when a call is cancelled."""

from __future__ import annotations

import itertools

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from streamkit import ConfigError, DecodeError, IdleTimeout, Items, NDJSONDecoder, SSEComment, idle, pace, pull, tee
from streamkit.io.pace import every
from streamkit.testing import ScriptedStream


def numbers(*reads: bytes | trio.Event | Exception) -> tuple[ScriptedStream, Items[object]]:
    source = ScriptedStream(reads)
    return source, pull(source, NDJSONDecoder())


async def test_pace_releases_at_absolute_times(autojump_clock: trio.testing.MockClock) -> None:
    _, items = numbers(b"1\n2\n", b"3\n4\n")
    start = trio.current_time()
    async with pace(items, [0.5, 1.0, 1.75]) as paced:
        times = [(item, trio.current_time() - start) async for item in paced]
    # The times ran out at the fourth: it goes at once.
    assert times == [(1, 0.5), (2, 1.0), (3, 1.75), (4, 1.75)]


async def test_pace_does_not_drift_behind_a_slow_reader(autojump_clock: trio.testing.MockClock) -> None:
    _, items = numbers(b"1\n2\n3\n4\n")
    start = trio.current_time()
    times = []
    async with pace(items, every(1.0)) as paced:
        async for item in paced:
            times.append((item, trio.current_time() - start))
            if item == 1:
                await trio.sleep(2.5)
    assert times == [(1, 0.0), (2, 2.5), (3, 2.5), (4, 3.0)]


async def test_pace_cancelled_keeps_the_item_and_its_time(autojump_clock: trio.testing.MockClock) -> None:
    _, items = numbers(b"1\n2\n")
    start = trio.current_time()
    async with pace(items, [1.0, 2.0]) as paced:
        with trio.move_on_after(0.5) as scope:
            await anext(paced)
        assert scope.cancelled_caught
        assert [(item, trio.current_time() - start) async for item in paced] == [(1, 1.0), (2, 2.0)]


def test_every_multiplies() -> None:
    assert list(itertools.islice(every(0.1), 4)) == [0.0, 0.1, 0.2, 3 * 0.1]
    with pytest.raises(ConfigError):
        every(-1)


async def test_idle_raises_and_the_source_is_still_there(autojump_clock: trio.testing.MockClock) -> None:
    late = trio.Event()
    source, items = numbers(b"1\n", late, b"2\n")
    start = trio.current_time()
    async with idle(items, 3) as watched:
        assert await anext(watched) == 1
        with pytest.raises(IdleTimeout) as caught:
            await anext(watched)
        assert (trio.current_time() - start, caught.value.limit_s) == (3.0, 3)
        assert not source.closed
        late.set()
        assert [item async for item in watched] == [2]
    assert source.closed


async def test_idle_yields_a_keepalive_in_each_silence(autojump_clock: trio.testing.MockClock) -> None:
    late = trio.Event()
    _, items = numbers(b"1\n", late, b"2\n")
    start = trio.current_time()
    seen = []
    async with idle(items, 15, keepalive=SSEComment("keep-alive")) as watched:
        async for item in watched:
            seen.append((item, trio.current_time() - start))
            if len(seen) == 3:
                late.set()
    assert seen == [(1, 0.0), (SSEComment("keep-alive"), 15.0), (SSEComment("keep-alive"), 30.0), (2, 30.0)]


async def test_idle_counts_silence_not_a_slow_reader(autojump_clock: trio.testing.MockClock) -> None:
    _, items = numbers(b"1\n", b"2\n")
    async with idle(items, 1) as watched:
        assert await anext(watched) == 1
        await trio.sleep(60)
        assert await anext(watched) == 2


def test_idle_wants_a_length() -> None:
    with pytest.raises(ConfigError):
        idle(ScriptedStream([]), 0)


async def collect(items: Items[object], into: list[object]) -> None:
    async with items:
        async for item in items:
            into.append(item)  # noqa: PERF401 - one by one: what came before an error or a cancellation counts


async def test_tee_gives_everybody_everything() -> None:
    source, items = numbers(b"1\n2\n", b"3\n")
    got: list[list[object]] = [[], [], []]
    async with tee(items, 3) as readers, trio.open_nursery() as nursery:
        for reader, into in zip(readers, got, strict=True):
            nursery.start_soon(collect, reader, into)
    assert got == [[1, 2, 3]] * 3
    assert source.closed


async def test_tee_reads_on_only_when_all_have_taken_the_last_read() -> None:
    source, items = numbers(b"1\n", b"2\n", b"3\n")
    async with tee(items) as (fast, slow):
        assert await fast.receive_batch() == [1]
        with trio.move_on_after(0.01) as scope:
            await fast.receive_batch()
        assert scope.cancelled_caught
        assert source.reads == 1
        assert await slow.receive_batch() == [1]
        assert await slow.receive_batch() == [2]
        assert await fast.receive_batch() == [2]


@given(data=st.data())
async def test_tee_holds_no_piece_back(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 5))
    gates = [trio.Event() for _ in range(count)]
    script: list[bytes | trio.Event] = [each for n, gate in enumerate(gates) for each in (gate, b"%d\n" % n)]
    _, items = numbers(*script)
    with trio.fail_after(5):
        async with tee(items) as readers:
            for n, gate in enumerate(gates):
                gate.set()
                for reader in data.draw(st.permutations(readers)):
                    assert await anext(reader) == n


async def test_tee_tells_every_reader_of_the_error() -> None:
    _, items = numbers(b"1\n{,}\n")
    async with tee(items) as readers:
        for reader in readers:
            assert await anext(reader) == 1
        for reader in readers:
            with pytest.raises(DecodeError):
                await anext(reader)


async def test_tee_goes_on_without_a_reader_that_left() -> None:
    source, items = numbers(b"1\n", b"2\n")
    async with tee(items) as (staying, leaving):
        assert await anext(leaving) == 1
        await leaving.aclose()
        assert [item async for item in staying] == [1, 2]
        with pytest.raises(trio.ClosedResourceError):
            await anext(leaving)
        assert not source.closed
        await staying.aclose()
        assert source.closed


async def test_tee_a_reader_cancelled_while_it_reads_for_all_leaves_the_read_to_another() -> None:
    gate = trio.Event()
    _, items = numbers(gate, b"1\n")
    async with tee(items) as (first, second), trio.open_nursery() as nursery:
        scope = trio.CancelScope()

        async def read_cancelled() -> None:
            with scope:
                await anext(first)

        got: list[object] = []
        nursery.start_soon(read_cancelled)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(collect, second, got)
        await trio.testing.wait_all_tasks_blocked()
        scope.cancel()
        gate.set()
        assert await anext(first) == 1
        await first.aclose()
        await trio.testing.wait_all_tasks_blocked()
        assert got == [1]


def test_tee_has_readers() -> None:
    with pytest.raises(ConfigError):
        tee(ScriptedStream([]), 0)


@given(data=st.data())
async def test_pace_holds_nothing_that_is_due(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 5))
    gates = [trio.Event() for _ in range(count)]
    script: list[bytes | trio.Event] = [each for n, gate in enumerate(gates) for each in (gate, b"%d\n" % n)]
    _, items = numbers(*script)
    with trio.fail_after(5):
        async with pace(items, [0.0] * data.draw(st.integers(0, count))) as paced:
            for n, gate in enumerate(gates):
                gate.set()
                assert await anext(paced) == n
