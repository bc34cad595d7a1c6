"""How long resumable streams live, how much is kept of them, and that no reader loses or doubles anything.

In memory: times are virtual, a write is a read, and "nothing moves any more" is certain.
"""

from __future__ import annotations

import json
import math
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import cast

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from streamkit.client.chat import Chat
from streamkit.dialects.events import Event, PartStart, Start, Text
from streamkit.dialects.message import Message
from streamkit.gateway.stream_answer import STALL_S, AnswerStream
from streamkit.gateway.stream_answer import Place as Position
from streamkit.gateway.stream_buffer import GoneError
from tests.gateway.readers import VISIBLE
from tests.gateway.streaming import ENVELOPE, FRAME, RETRY, Place, events_of, in_memory, text_of, wire

GRACE_S = 30

WORDS = 1500

LONG = {"say": "x " * WORDS}


async def status_of(place: Place, stream_id: str, last_id: int = 0) -> int:
    """The status of a GET, whose reader then leaves."""
    client = await place.client()
    await client.send(wire(f"GET /streams/{stream_id}/events", f"Last-Event-ID: {last_id}"))
    status = (await client.head()).status
    client.stream.abort()
    await trio.testing.wait_all_tasks_blocked()
    return status


# --- Grace -----------------------------------------------------------------------------------------------------------


async def test_a_stream_that_nobody_ever_reads_is_given_up(autojump_clock: trio.testing.MockClock) -> None:
    async with in_memory({"tokens": 5, "gate": "held@token:2"}, stream_grace_s=GRACE_S) as place:
        stream_id = await place.post()
        await trio.sleep(GRACE_S - 1)
        assert place.mock.journal[0].outcome == "running"
        await trio.sleep(2)
        assert place.mock.journal[0].outcome == "client-left"
        assert await status_of(place, stream_id) == 404
        assert (place.streams.open, place.streams.abandoned) == (0, 1)


async def test_the_last_reader_that_leaves_starts_the_grace_time(autojump_clock: trio.testing.MockClock) -> None:
    mock = {"tokens": 5, "gate": "held@token:2"}
    async with in_memory(mock, stream_grace_s=GRACE_S, idle_timeout_s=math.inf) as place:
        stream_id = await place.post()
        await trio.sleep(GRACE_S - 1)
        first, second = await place.begin(stream_id), await place.begin(stream_id)
        await trio.sleep(10 * GRACE_S)  # as long as somebody reads, however silent the upstream is
        first.stream.abort()
        await trio.sleep(10 * GRACE_S)
        second.stream.abort()
        await trio.sleep(GRACE_S - 1)
        assert place.mock.journal[0].outcome == "running"
        await trio.sleep(2)
        assert place.mock.journal[0].outcome == "client-left"
        assert await status_of(place, stream_id) == 404


async def test_who_comes_back_in_time_starts_it_anew(autojump_clock: trio.testing.MockClock) -> None:
    async with in_memory({"tokens": 5, "gate": "held@token:2"}, stream_grace_s=GRACE_S) as place:
        stream_id = await place.post()
        for _ in range(5):
            await trio.sleep(GRACE_S - 1)
            assert await status_of(place, stream_id) == 200
        place.mock.gates.open("held")
        assert events_of(await place.read(stream_id))[-1][1]["streamkit"] == "end"
        assert len(place.mock.journal) == 1


async def test_a_finished_stream_is_kept_for_the_grace_time(autojump_clock: trio.testing.MockClock) -> None:
    async with in_memory(stream_grace_s=GRACE_S) as place:
        stream_id = await place.post()
        last = events_of(await place.read(stream_id))[-1][0]
        await trio.sleep(GRACE_S - 1)
        assert await status_of(place, stream_id, last) == 204  # which is no reader
        assert await status_of(place, stream_id, last - 1) == 200
        await trio.sleep(GRACE_S - 1)
        assert await status_of(place, stream_id, last) == 204
        await trio.sleep(2)
        assert await status_of(place, stream_id, last) == 404
        assert (place.streams.open, place.streams.abandoned) == (0, 0)


async def test_the_connection_of_an_answer_that_is_whole_is_used_again(autojump_clock: trio.testing.MockClock) -> None:
    async with in_memory() as place:
        for _ in range(3):
            await place.read(await place.post())
        assert {entry.connection for entry in place.mock.journal} == {place.mock.journal[0].connection}


# --- How many --------------------------------------------------------------------------------------------------------


async def test_one_stream_too_many_is_told_when_to_come_back() -> None:
    async with in_memory({"tokens": 5, "gate": "held@token:2"}, max_streams=2, stream_grace_s=9.5) as place:
        first, second = await place.post(), await place.post()
        head, body = await place.ask("POST /streams", body=ENVELOPE)
        assert (head.status, head.get("retry-after")) == (503, "10")
        assert "2 streams" in json.loads(body)["error"]["message"]
        assert await place.status(f"DELETE /streams/{second}") == 204
        third = await place.post()  # what is over makes room
        assert await status_of(place, second) == 404
        assert [await status_of(place, each) for each in (first, third)] == [200, 200]


async def test_the_oldest_stream_that_was_read_makes_room_and_none_that_is_read_or_was_not() -> None:
    words = "word " * 50
    async with in_memory({"say": words}, pipe_bytes=500, max_streams=3) as place:
        ids = [await place.post() for _ in range(3)]
        await trio.testing.wait_all_tasks_blocked()
        slow = await place.begin(ids[0])  # takes nothing more
        assert await place.status("POST /streams", body=ENVELOPE) == 503  # nobody has had the other two yet
        await place.read(ids[1])
        newer = await place.post()
        assert [await status_of(place, each) for each in (*ids, newer)] == [200, 404, 200, 200]
        got, ending = await slow.rest()
        assert (text_of(got), ending) == (words, "complete")


# --- Backpressure ----------------------------------------------------------------------------------------------------


async def test_what_nobody_reads_stops_the_upstream_and_loses_nothing() -> None:
    async with in_memory(LONG, stream_buffer_bytes=10_000) as place:
        stream_id = await place.post()
        await trio.testing.wait_all_tasks_blocked()
        entry = place.mock.journal[0]
        sent_bytes = entry.sent_bytes
        assert entry.outcome == "running"
        assert sent_bytes < 150_000  # the bound, and what streams in memory hold
        got = await place.read(stream_id)
        assert text_of(got).count("x") == WORDS
        assert [number for number, _ in events_of(got)] == [*range(1, len(events_of(got)) + 1)]
        assert entry.sent_bytes > 3 * sent_bytes / 2
        assert await status_of(place, stream_id) == 410  # whose beginning is not kept any more


@pytest.mark.slow
async def test_the_slower_of_two_readers_is_waited_for_as_long_as_it_moves(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with in_memory({**LONG, "gate": "held@after-head"}, stream_buffer_bytes=10_000, pipe_bytes=4000) as place:
        stream_id = await place.post()
        slow, fast = await place.begin(stream_id), await place.begin(stream_id)
        place.mock.gates.open("held")
        taken = bytearray()
        async with trio.open_nursery() as nursery:

            async def read_slowly() -> None:
                while (data := await slow.stream.receive_some(3000)) != b"":
                    taken.extend(data)
                    if taken.endswith(b"0\r\n\r\n"):
                        return
                    await trio.sleep(STALL_S - 1)

            nursery.start_soon(read_slowly)
            got, ending = await fast.rest()
        assert (text_of(got).count("x"), ending) == (WORDS, "complete")
        assert taken.count(b'"text":"x') + taken.count(b'"text":" x') >= WORDS * 0.9  # the rest lies across chunks
        assert {each.outcome for each in place.records} == {"ok"}


async def test_what_a_reader_has_not_acknowledged_is_kept(autojump_clock: trio.testing.MockClock) -> None:
    async with in_memory({**LONG, "gate": "held@after-head"}, stream_buffer_bytes=10_000, pipe_bytes=50_000) as place:
        stream_id = await place.post()
        client = await place.begin(stream_id)  # takes nothing, and what is on its way is more than the bound
        place.mock.gates.open("held")
        await trio.sleep(10 * STALL_S)
        assert place.mock.journal[0].outcome == "running"
        client.stream.abort()
        await trio.testing.wait_all_tasks_blocked()
        assert text_of(await place.read(stream_id)).count("x") == WORDS


@pytest.mark.slow
async def test_a_reader_is_handed_no_more_at_once_than_a_slice() -> None:
    async with in_memory({"say": "x" * 400_000}, pipe_bytes=1000) as place:
        stream_id = await place.post()
        await trio.testing.wait_all_tasks_blocked()
        stream = place.streams._streams[stream_id]  # noqa: SLF001 - what is copied is seen nowhere else
        asked, read = [], stream.rest

        def rest(place: Position, max_bytes: int | None = None) -> bytes:
            asked.append(read(place, max_bytes))
            return asked[-1]

        stream.rest = rest  # type: ignore[method-assign]
        assert len(text_of(await place.read(stream_id))) == 400_000
        assert len(asked) > 5
        assert max(len(each) for each in asked) <= 64 * 1024


async def test_who_takes_nothing_for_the_idle_time_is_given_up(autojump_clock: trio.testing.MockClock) -> None:
    async with in_memory(LONG, pipe_bytes=1000, idle_timeout_s=20, stream_grace_s=1000) as place:
        stream_id = await place.post()
        client = await place.begin(stream_id)
        await trio.sleep(21)
        assert place.records[-1].detail == "the reader took nothing for 20 s"
        assert (await client.rest())[1] in VISIBLE
        assert text_of(await place.read(stream_id)).count("x") == WORDS


async def test_a_reader_that_falls_behind_is_cut_off_and_told_that_it_is_too_late(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with in_memory({**LONG, "gate": "held@after-head"}, stream_buffer_bytes=10_000) as place:
        stream_id = await place.post()
        slow, fast = await place.begin(stream_id), await place.begin(stream_id)
        place.mock.gates.open("held")
        got, ending = await fast.rest()
        assert (text_of(got).count("x"), ending) == (WORDS, "complete")
        cut, ending = await slow.rest()
        assert ending in VISIBLE
        frames = events_of(cut)
        assert [number for number, _ in frames] == [*range(1, len(frames) + 1)]  # what it got is right
        assert await status_of(place, stream_id, len(frames)) == 410
        record = next(each for each in place.records if each.outcome == "stopped")
        assert record.detail == "the reader is behind what is kept of the stream"


class Script:
    """A chat that gives these batches, and then nothing more."""

    def __init__(self, batches: Sequence[list[Event]]) -> None:
        self.batches = [*batches]
        self.error: Exception | None = None

    @property
    def message(self) -> Message:
        return Message()

    async def receive_batch(self) -> list[Event]:
        await trio.lowlevel.checkpoint()
        if self.batches:
            return self.batches.pop(0)
        if self.error is not None:
            raise self.error
        return await trio.sleep_forever()

    @asynccontextmanager
    async def ask(self) -> AsyncIterator[Chat]:
        yield cast("Chat", self)


TEXTS: list[list[Event]] = [[Text(0, f"{number:09}")] for number in range(98)]

BATCHES = [[Start(), PartStart(0, "text")], *TEXTS]
"""100 events of about 60 bytes each."""


async def test_while_nobody_reads_nothing_is_dropped_and_a_slow_reader_alone_is_waited_for() -> None:
    script = Script(BATCHES)
    stream = AnswerStream(buffer_bytes=1000, grace_s=GRACE_S)
    async with trio.open_nursery() as nursery:
        await nursery.start(stream.run, script.ask)
        await trio.testing.wait_all_tasks_blocked()
        stopped_at = len(script.batches)
        assert stream.buffer.start == 0
        assert 50 < stopped_at < 95
        first = stream.enter(0)
        got = stream.rest(first)
        stream.took(first, len(got))
        stream.leave(first)
        await trio.testing.wait_all_tasks_blocked()
        assert len(script.batches) < stopped_at  # there was room
        stopped_at, kept_from = len(script.batches), stream.buffer.start
        assert 0 < kept_from < len(got)  # and what the reader that left may not have got is still kept
        late = stream.buffer.last_id - 12
        second = stream.enter(late)
        await trio.testing.wait_all_tasks_blocked()
        behind = stream.rest(second)
        assert events_of(behind)[0][0] == late + 1
        while True:
            stream.took(second, len(behind))
            await trio.testing.wait_all_tasks_blocked()
            more = stream.rest(second)
            if not more:
                break
            assert events_of(more)[0][0] == events_of(behind)[-1][0] + 1
            behind = more
        assert script.batches == []
        assert events_of(behind)[-1][0] == 100
        nursery.cancel_scope.cancel()


async def test_what_is_over_or_stopped_wakes_its_readers() -> None:
    stream = AnswerStream(buffer_bytes=1000, grace_s=GRACE_S)
    async with trio.open_nursery() as nursery:
        await nursery.start(stream.run, Script([[Start()]]).ask)
        await trio.testing.wait_all_tasks_blocked()
        place = stream.enter(0)
        stream.took(place, len(stream.rest(place)))
        nursery.start_soon(stream.wait_more, place)
        await trio.testing.wait_all_tasks_blocked()
        stream.forget()
    assert stream.is_gone
    with pytest.raises(GoneError, match="stopped"):
        stream.rest(place)


async def test_a_mistake_in_reading_ends_the_one_stream_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    script = Script([[Start()]])
    script.error = RuntimeError("a mistake")
    stream = AnswerStream(buffer_bytes=1000, grace_s=GRACE_S)
    async with trio.open_nursery() as nursery:
        await nursery.start(stream.run, script.ask)
        await trio.testing.wait_all_tasks_blocked()
        assert stream.is_over
        error = events_of(stream.rest(stream.enter(0)))[-1][1]
        told = {"streamkit": "error", "message": "the gateway failed", "type": "internal_error", "status": 500}
        assert error == told
        nursery.cancel_scope.cancel()
    assert "reading a stream failed" in caplog.text


async def test_an_answer_without_an_end_is_told_to_be_cut() -> None:
    script = Script([[Start()]])
    script.error = trio.EndOfChannel()
    stream = AnswerStream(buffer_bytes=1000, grace_s=GRACE_S)
    async with trio.open_nursery() as nursery:
        await nursery.start(stream.run, script.ask)
        await trio.testing.wait_all_tasks_blocked()
        assert events_of(stream.rest(stream.enter(0)))[-1][1]["type"] == "truncated"
        nursery.cancel_scope.cancel()


# --- Drops -----------------------------------------------------------------------------------------------------------


class Cut(Exception):
    """The connection is to break here."""


class Browser:
    """Reads as `EventSource` does: an event counts once its blank line is there, and with it its id."""

    def __init__(self, place: Place, stream_id: str) -> None:
        self.place = place
        self.stream_id = stream_id
        self.seen: list[tuple[int, bytes]] = []

    @property
    def last_id(self) -> int:
        return self.seen[-1][0] if self.seen else 0

    async def connect(self, cut: int | None) -> bool:
        """Read so many bytes behind the head, or to the end, then leave; tell whether there was anything to read."""
        client = await self.place.client()
        headers = [f"Last-Event-ID: {self.last_id}"] if self.seen else []
        await client.send(wire(f"GET /streams/{self.stream_id}/events", *headers))
        status = (await client.head()).status
        assert status in {200, 204}
        got = bytearray()

        def take(data: bytes) -> None:
            got.extend(data)
            if cut is not None and len(got) >= cut:
                del got[cut:]
                raise Cut

        with suppress(Cut):
            await client.rest(take)
        client.stream.abort()
        self.seen += [(int(number), data) for number, data in FRAME.findall(bytes(got))]
        return status == 200

    async def check(self) -> None:
        """Nothing is lost, nothing doubled, and the model was asked once."""
        whole = await self.place.read(self.stream_id)
        assert self.seen == [(int(number), data) for number, data in FRAME.findall(whole)]
        assert [number for number, _ in self.seen] == [*range(1, len(self.seen) + 1)]
        assert b'"end"' in self.seen[-1][1]
        assert len(self.place.mock.journal) == 1


ANSWER = {"tokens": 8, "call": "get_weather:{}", "fault": "comment:ping@token:3"}


async def test_the_connection_may_break_behind_every_event() -> None:
    async with in_memory(ANSWER) as place:
        stream_id = await place.post()
        whole = await place.read(stream_id)
        browser = Browser(place, stream_id)
        at = 0
        for found in FRAME.finditer(whole):
            assert await browser.connect(len(RETRY) + found.end() - at)
            at = found.end()
        assert not await browser.connect(None)  # 204: it stops
        await browser.check()


async def test_the_connection_may_break_at_every_byte() -> None:
    async with in_memory({"tokens": 2}) as place:
        stream_id = await place.post()
        whole = RETRY + await place.read(stream_id)
        for cut in range(len(whole)):
            browser = Browser(place, stream_id)
            assert await browser.connect(cut)
            await browser.connect(None)
            await browser.check()


@settings(max_examples=30)
@given(cuts=st.lists(st.integers(0, 400), max_size=12), tokens=st.integers(1, 8))
async def test_the_connection_may_break_anywhere_while_the_answer_comes(cuts: list[int], tokens: int) -> None:
    gates = [f"t{number}@token:{number}" for number in range(1, tokens + 1)]
    async with in_memory({**ANSWER, "tokens": tokens, "gate": gates}) as place:
        browser = Browser(place, await place.post())
        async with trio.open_nursery() as nursery:

            async def let_through() -> None:
                for number in range(1, tokens + 1):
                    await place.mock.gates.wait_for(f"t{number}")
                    await trio.testing.wait_all_tasks_blocked(0.0)
                    place.mock.gates.open(f"t{number}")

            nursery.start_soon(let_through)
            for cut in (*cuts, None):
                await browser.connect(cut)
        await browser.check()
