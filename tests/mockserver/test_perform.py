"""Scripts are performed to the virtual nanosecond, and what was done is written down."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

import trio

from mockserver.gates import Gates
from mockserver.journal import Entry, Journal
from mockserver.pacer import Pacer
from mockserver.perform import Performer, Slots
from mockserver.script import Action, Close, Gate, Reset, Script, Stall, Until, Write
from mockserver.settings import Writes
from streamkit.http.clock import now_ns
from streamkit.http.memory import memory_pair
from streamkit.http.server import Exchange, serve_connection
from streamkit.http.stream import WireStream

MS = 1_000_000

REQUEST = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"


class Stage:
    """A server that performs the same script for each request."""

    def __init__(self, actions: Iterable[Action], *, writes: Writes = "each", slots: int | None = None) -> None:
        self.script = Script(tuple(actions))
        self.writes = writes
        self.gates = Gates()
        self.slots = Slots(slots)
        self.performer = Performer(self.gates, Pacer())
        self.journal = Journal(keep_bytes=1000)

    async def handle(self, exchange: Exchange) -> None:
        entry = self.journal.begin()
        entry.origin_ns = entry.arrived_ns = exchange.request.arrived_ns
        await self.performer.perform(self.script, exchange, entry, writes=self.writes, slots=self.slots)

    def connect(self, nursery: trio.Nursery) -> WireStream:
        client, server = memory_pair()
        nursery.start_soon(partial(serve_connection, server, self.handle))
        return client


def times_of(entry: Entry) -> list[tuple[int, int]]:
    """When each write was due and when it was done, in ms after the origin."""
    return [
        ((done.planned_ns - entry.origin_ns) // MS, (done.began_ns - entry.origin_ns) // MS) for done in entry.writes
    ]


async def reads_of(client: WireStream) -> list[bytes]:
    await client.send_all(REQUEST)
    reads = []
    while data := (await client.receive()).data:
        reads.append(data)
    return reads


async def played(stage: Stage) -> list[bytes]:
    """The client's reads of one performance, up to the end of the connection."""
    async with trio.open_nursery() as nursery:
        client = stage.connect(nursery)
        reads = await reads_of(client)
        await client.aclose()
    return reads


async def test_deadlines_are_absolute(autojump_clock: trio.testing.MockClock) -> None:
    stage = Stage([Write(b"a"), Until(50 * MS), Write(b"b", 1), Until(60 * MS), Write(b"c", 2), Close()])
    assert await played(stage) == [b"a", b"b", b"c"]
    entry = stage.journal[-1]
    assert times_of(entry) == [(0, 0), (50, 50), (60, 60)]
    assert (entry.outcome, entry.tokens, bytes(entry.sent), entry.moved_ns) == ("closed", 2, b"abc", 0)


async def test_a_stall_moves_the_rest_of_the_schedule(autojump_clock: trio.testing.MockClock) -> None:
    stage = Stage([Until(10 * MS), Write(b"a"), Stall(5 * MS), Until(20 * MS), Write(b"b"), Close()])
    await played(stage)
    entry = stage.journal[-1]
    assert times_of(entry) == [(10, 10), (25, 25)]
    assert entry.moved_ns == 5 * MS


async def test_a_gate_moves_the_rest_by_the_time_it_was_shut(autojump_clock: trio.testing.MockClock) -> None:
    stage = Stage([Until(10 * MS), Write(b"a"), Gate("g"), Write(b"b"), Until(20 * MS), Write(b"c"), Close()])
    async with trio.open_nursery() as nursery:
        client = stage.connect(nursery)
        nursery.start_soon(reads_of, client)
        await stage.gates.wait_for("g")
        assert bytes(stage.journal[-1].sent) == b"a"
        await trio.sleep(1)
        stage.gates.open("g")
    entry = stage.journal[-1]
    assert times_of(entry) == [(10, 10), (1010, 1010), (1020, 1020)]
    assert entry.moved_ns == 1000 * MS


async def test_a_client_that_does_not_read_moves_nothing(autojump_clock: trio.testing.MockClock) -> None:
    """The server catches up, and the journal says that it waited for the client."""
    big = b"x" * 4_000_000
    stage = Stage(
        [Until(10 * MS), Write(big, 1), Until(20 * MS), Write(b"b", 2), Until(5000 * MS), Write(b"c"), Close()]
    )
    async with trio.open_nursery() as nursery:
        client = stage.connect(nursery)
        await client.send_all(REQUEST)
        await trio.sleep(3)
        while (await client.receive()).data:
            pass
        await client.aclose()
    entry = stage.journal[-1]
    assert times_of(entry) == [(10, 10), (20, 3000), (5000, 5000)]
    assert entry.blocked_ns // MS == 2990
    assert entry.moved_ns == 0


async def test_joined_writes_are_those_that_are_due_together(autojump_clock: trio.testing.MockClock) -> None:
    actions: list[Action] = [Write(b"a"), Write(b"b", 1), Until(10 * MS), Write(b"c", 2), Write(b"d", 3), Close()]
    stage = Stage(actions, writes="joined")
    assert await played(stage) == [b"ab", b"cd"]
    assert [(done.size_bytes, done.tokens) for done in stage.journal[-1].writes] == [(2, 1), (2, 3)]


async def test_a_reset_is_a_reset(autojump_clock: trio.testing.MockClock) -> None:
    stage = Stage([Write(b"a"), Stall(MS), Reset(), Write(b"never")])
    async with trio.open_nursery() as nursery:
        client = stage.connect(nursery)
        await client.send_all(REQUEST)
        assert (await client.receive()).data == b"a"
        try:
            await client.receive()
        except trio.BrokenResourceError:
            pass
        else:
            raise AssertionError("the client saw no reset")
    assert stage.journal[-1].outcome == "reset"
    assert bytes(stage.journal[-1].sent) == b"a"


async def test_a_client_that_leaves_is_seen_when_it_leaves(autojump_clock: trio.testing.MockClock) -> None:
    stage = Stage([Write(b"a"), Until(60_000 * MS), Write(b"b")])
    async with trio.open_nursery() as nursery:
        client = stage.connect(nursery)
        await client.send_all(REQUEST)
        await client.receive()
        await trio.sleep(2)
        left_ns = now_ns()
        await client.aclose()
    entry = stage.journal[-1]
    assert entry.outcome == "client-left"
    assert (entry.left, entry.left_ns) in {("fin", left_ns), ("reset", left_ns)}
    assert now_ns() == left_ns  # the server did not wait for its next token to notice


async def test_a_stall_without_end_ends_with_the_client(autojump_clock: trio.testing.MockClock) -> None:
    stage = Stage([Write(b"a"), Stall(None)])
    async with trio.open_nursery() as nursery:
        client = stage.connect(nursery)
        await client.send_all(REQUEST)
        await client.receive()
        await trio.sleep(100)
        await client.aclose()
    entry = stage.journal[-1]
    assert (entry.outcome, entry.left is not None) == ("stalled", True)


async def test_a_connection_lives_on_after_a_complete_script(autojump_clock: trio.testing.MockClock) -> None:
    stage = Stage([Write(b"HTTP/1.1 204 No Content\r\n\r\n")])
    async with trio.open_nursery() as nursery:
        client = stage.connect(nursery)
        for _ in range(3):
            await client.send_all(REQUEST)
            assert (await client.receive()).data.startswith(b"HTTP/1.1 204")
        await client.aclose()
    assert [entry.outcome for entry in stage.journal] == ["complete"] * 3


async def test_beyond_the_slots_requests_queue_in_order(autojump_clock: trio.testing.MockClock) -> None:
    stage = Stage([Until(100 * MS), Write(b"a"), Close()], slots=1)
    async with trio.open_nursery() as nursery:
        for _ in range(3):
            client = stage.connect(nursery)
            nursery.start_soon(reads_of, client)
            await trio.sleep(0.001)
            nursery.start_soon(leave_later, client)
    entries = list(stage.journal)
    assert [entry.queued_ns // MS for entry in entries] == [0, 99, 198]
    assert [times_of(entry) for entry in entries] == [[(100, 100)]] * 3


async def leave_later(client: WireStream) -> None:
    await trio.sleep(10)
    await client.aclose()


async def test_who_leaves_the_queue_never_had_a_slot(autojump_clock: trio.testing.MockClock) -> None:
    stage = Stage([Until(100 * MS), Write(b"a"), Close()], slots=1)
    async with trio.open_nursery() as nursery:
        first, second = stage.connect(nursery), stage.connect(nursery)
        await first.send_all(REQUEST)
        await trio.sleep(0.001)
        await second.send_all(REQUEST)
        await trio.sleep(0.01)
        await second.aclose()
        await trio.sleep(1)
        await first.aclose()
    assert [entry.outcome for entry in stage.journal] == ["closed", "client-left"]
    assert stage.journal[-1].writes == []


async def test_a_half_closed_http_1_0_client_is_served(autojump_clock: trio.testing.MockClock) -> None:
    stage = Stage([Write(b"a"), Until(100 * MS), Write(b"b", 1)])
    async with trio.open_nursery() as nursery:
        client = stage.connect(nursery)
        await client.send_all(b"GET / HTTP/1.0\r\n\r\n")
        await client.send_eof()
        reads = []
        while data := (await client.receive()).data:
            reads.append(data)
        await client.aclose()
    assert reads == [b"a", b"b"]
    assert (stage.journal[-1].outcome, stage.journal[-1].left) == ("complete", None)


async def test_what_is_given_up_ends_in_a_reset(autojump_clock: trio.testing.MockClock) -> None:
    """A client that says no more is taken for gone; if it reads on, it must not take the beginning for the whole."""
    stage = Stage([Write(b"a"), Until(100 * MS), Write(b"b", 1)])
    async with trio.open_nursery() as nursery:
        client = stage.connect(nursery)
        await client.send_all(REQUEST)
        assert (await client.receive()).data == b"a"
        await client.send_eof()
        try:
            rest = (await client.receive()).data
        except trio.BrokenResourceError:
            rest = b"reset"
        await client.aclose()
    assert rest == b"reset"
    assert (stage.journal[-1].outcome, stage.journal[-1].left) == ("client-left", "fin")
