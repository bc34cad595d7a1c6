"""What is kept of all streams: bounded in number and in bytes, and told to whoever follows, by cursor."""

from __future__ import annotations

import gc
import tracemalloc
from itertools import count

import pytest
import trio
import trio.testing

from streamkit.gateway.record import Record
from streamkit.watch.moments import MOMENT_BYTES, Moment, Sight
from streamkit.watch.sights import MAX_TOTAL_BYTES, Sights


def record(number: int) -> Record:
    return Record(number, 0, "client", 1000)


def read(size: int, at_ns: int = 2000) -> Moment:
    return Moment("upstream", "read", 0, at_ns, bytes(size))


def written(size: int, at_ns: int = 3000) -> Moment:
    return Moment("client", "sent", 0, at_ns, bytes(size))


def end(sight: Sight) -> None:
    sight.is_live = False
    sight.change()


def test_a_stream_counts_what_it_does_not_keep() -> None:
    sight = Sight(record(1), method="POST", max_bytes=2 * MOMENT_BYTES + 100)
    for moment in (read(50), written(100), read(5), Moment("upstream", "end", 0, 9000)):
        sight.see(moment)
    # Behind the one that was too large nothing is kept, though it would fit: framing would be read wrongly.
    assert [moment.data for moment in sight.moments] == [bytes(50)]
    assert (sight.lost_moments, sight.lost_bytes, sight.kept_bytes) == (3, 105, MOMENT_BYTES + 50)
    assert (sight.reads, sight.read_bytes, sight.writes, sight.written_bytes) == (2, 55, 1, 100)
    assert (sight.first_read_ns, sight.first_write_ns, sight.last_ns) == (2000, 3000, 9000)


def test_requests_are_no_reads_and_no_writes() -> None:
    sight = Sight(record(1), method="POST", max_bytes=1 << 20)
    sight.see(Moment("upstream", "sent", 0, 1500, b"POST"))
    sight.see(Moment("upstream", "abort", 0, 1600))
    assert (sight.reads, sight.writes, sight.first_read_ns, sight.first_write_ns) == (0, 0, None, None)
    assert len(sight.moments) == 2


@pytest.mark.parametrize(
    ("data", "has_body"),
    [
        (b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n", False),
        (b"HTTP/1.1 200 OK\r\nA: b\r\n", False),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", False),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", False),
        (b'HTTP/1.1 201 Created\r\n\r\n{"id":"x"}', False),
        (b"HTTP/1.1 200 OK\r\n\r\n1\r\na\r\n0\r\n\r\n", True),
        (b"1\r\na\r\n", True),
    ],
)
def test_the_first_byte_is_that_of_a_body(data: bytes, has_body: bool) -> None:
    sight = Sight(record(1), method="POST", max_bytes=1 << 20)
    sight.see(Moment("upstream", "read", 0, 1500, data))
    sight.see(Moment("client", "sent", 1, 1600, data))
    sight.see(written(1, 1700))
    assert (sight.first_read_ns, sight.first_write_ns) == ((1500, 1600) if has_body else (None, 1700))


def test_the_oldest_finished_stream_makes_room() -> None:
    sights = Sights(max_sights=3)
    first, second, third = [sights.begin(record(number), method="GET") for number in (1, 2, 3)]
    end(second)
    end(third)
    sights.begin(record(4), method="GET")
    assert [sight.record.number for sight in sights] == [1, 3, 4]
    assert sights.find(1) is first
    assert sights.find(2) is None
    assert (sights.begun, sights.dropped) == (4, 1)


def test_live_streams_stay_and_a_crowd_of_them_is_gone_once_it_is_over() -> None:
    sights = Sights(max_sights=3)
    crowd = [sights.begin(record(number), method="GET") for number in range(20)]
    assert len(sights) == 20
    for sight in crowd:
        end(sight)
    sights.begin(record(20), method="GET")
    assert [sight.record.number for sight in sights] == [18, 19, 20]


def test_bytes_are_bounded_over_all_streams_and_live_ones_are_not_taken_from() -> None:
    cost = 1000 + MOMENT_BYTES
    sights = Sights(max_total_bytes=8 * cost)
    for number in (1, 2):
        old = sights.begin(record(number), method="GET")
        for _ in range(3):
            old.see(read(1000))
        end(old)
    live = sights.begin(record(3), method="GET")
    live.see(read(1000))
    live.see(read(1000))
    assert sights.kept_bytes == 8 * cost
    live.see(read(1000))  # for which the older one makes room
    assert sights.find(1) is None
    assert sights.kept_bytes == 6 * cost
    live.see(read(1000))  # more than it leaves to others
    assert (live.lost_moments, len(live.moments), sights.kept_bytes) == (1, 3, 6 * cost)
    assert sights.find(2) is not None


def test_large_streams_without_end_leave_room_for_small_ones() -> None:
    sights = Sights()
    sizes = []
    for number in range(100):
        sight = sights.begin(record(number), method="POST")
        while not sight.lost_moments:
            sight.see(read(10_000))
        sizes.append(sight.kept_bytes >> 20)
    assert sizes[:4] == [31, 23, 12, 6]
    for number in range(100, 120):
        small = sights.begin(record(number), method="POST")
        for _ in range(70):
            small.see(read(1000))
        assert small.lost_moments == 0
        end(small)
    assert sights.kept_bytes <= MAX_TOTAL_BYTES


def test_what_is_kept_of_live_streams_is_counted_as_they_come_and_go() -> None:
    sights = Sights(max_total_bytes=100 * (1000 + MOMENT_BYTES))
    for number in range(50):
        first, second = (sights.begin(record(2 * number + each), method="POST") for each in (0, 1))
        for sight in (first, second, first, second, first):
            sight.see(read(1000))
            assert sight.lost_moments == 0, number
        end(first)
        first.is_live = True  # somebody reads it again
        first.see(read(1000))
        end(first)
        end(second)


def test_requests_that_were_no_streams_do_not_drive_streams_out() -> None:
    sights = Sights(max_sights=100)
    numbers = count(1)

    def ask(method: str = "POST", *, reaches: bool = True) -> int:
        number = next(numbers)
        sight = sights.begin(record(number), method=method)
        sight.see(Moment("client", "sent", 0, 1500, b"HTTP/1.1"))
        if reaches:
            sight.see(Moment("upstream", "sent", 1, 1500, b"POST"))
        end(sight)
        return number

    streams = [ask() for _ in range(60)]
    for _ in range(500):
        ask(reaches=False)
        ask("GET")
    assert len(sights) == 100
    assert all(number in sights for number in streams)
    newest = [ask() for _ in range(60)]
    assert all(number in sights for number in newest)
    minor = [sight.record.number for sight in sights if sight.method == "GET" or not sight.is_asked]
    assert minor == [*range(1051, 1061)], "the newest ones keep a tenth of the places"


def test_what_comes_of_a_stream_that_was_dropped_counts_for_nobody() -> None:
    sights = Sights(max_sights=1, max_total_bytes=10_000)
    gone = sights.begin(record(1), method="GET")
    gone.see(read(100))
    end(gone)
    sights.begin(record(2), method="GET")
    version = sights.version
    for _ in range(1000):
        gone.see(read(100))
    assert sights.kept_bytes == 0
    assert gone.lost_moments == 1000
    assert sights.version == version


def test_a_finished_stream_that_goes_on_does_not_make_room_for_itself() -> None:
    sights = Sights(max_total_bytes=2000)
    sight = sights.begin(record(1), method="GET")
    sight.see(read(500))
    end(sight)
    sight.see(read(1200))
    assert (sights.find(1), sights.kept_bytes) == (None, 0)
    assert len(sight.moments) == 1


def test_changes_are_told_by_cursor() -> None:
    sights = Sights(max_sights=2)
    first, second = sights.begin(record(1), method="GET"), sights.begin(record(2), method="GET")
    assert sights.changed_since(0) == [first, second]
    version = sights.version
    first.see(read(1))
    second.see(read(1))
    first.see(read(1))
    assert sights.changed_since(version) == [second, first]
    end(first)
    third = sights.begin(record(3), method="GET")
    assert sights.changed_since(version) == [second, third]
    assert 1 not in sights
    assert sights.changed_since(sights.version) == []


@pytest.mark.parametrize("what", ["moment", "end", "dropped"])
async def test_who_waits_for_one_stream_is_woken(what: str) -> None:
    sights = Sights(max_sights=1)
    sight = sights.begin(record(1), method="GET")
    if what == "dropped":
        end(sight)
    woken = trio.Event()

    async def wait() -> None:
        await sights.wait_one(sight, 0)
        woken.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        assert not woken.is_set()
        if what == "moment":
            sight.see(read(1))
        elif what == "end":
            end(sight)
        else:
            sights.begin(record(2), method="GET")
        with trio.fail_after(10):
            await woken.wait()


def test_what_is_counted_is_what_it_takes() -> None:
    sights = Sights(max_total_bytes=2 << 20, max_sight_bytes=2 << 20)
    sight = sights.begin(record(1), method="GET")
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(20_000):  # more than is kept
            sight.see(Moment("upstream", "read", 7000, 10**15 + number, bytes(200), None, 10**15 - number, 1))
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert sight.lost_moments > 10_000
    assert grown < 1.15 * sight.kept_bytes
