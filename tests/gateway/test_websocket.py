"""Questions and answers on a WebSocket, in memory."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from streamkit.dialects.events import Custom, Error, Ping, Text
from streamkit.errors import (
    ConnectError,
    ConnectTimeout,
    DisconnectedError,
    ProtocolError,
    ReportedError,
    StatusError,
    TruncatedError,
)
from streamkit.vendors.question import RefusedError
from tests.gateway.websocket_peers import (
    CONTINUED,
    FINISH,
    PING,
    START,
    TEXT,
    close_of,
    closes,
    frame,
    leave,
    opening,
    standing,
)

CANCEL = frame(TEXT, b'{"cancel":true}')


# ---------------------------------------------------------------------------------------------- questions and answers


async def test_an_answer_is_its_records_each_a_message() -> None:
    async with standing() as stage:
        await stage.hand.ask('{"dialect":"openai-chat"}')
        await stage.upstream.say(*START, Text(0, "Häl"))
        assert [await stage.hand.record() for _ in range(3)] == [
            {"streamkit": "start", "id": "1", "model": "m", "dialect": "ollama-chat"},
            {"streamkit": "part-start", "part": 0, "kind": "text"},
            {"streamkit": "text", "part": 0, "text": "Häl"},
        ]
        await stage.upstream.say(*FINISH)
        await stage.upstream.end()
        assert [each["streamkit"] for each in await stage.hand.until("end")] == ["part-end", "finish", "end"]
        await stage.upstream.noted("left")
        assert stage.upstream.asked == [b'{"dialect":"openai-chat"}']
        await leave(stage)
    record = stage.record
    assert (record.status, record.outcome, record.reads, record.detail) == (101, "ok", 2, "")
    assert record.request_bytes == 25
    assert record.response_bytes > 100
    assert record.head_ns is not None
    assert record.first_ns is not None


async def test_all_of_one_read_is_one_write_before_the_next_is_read() -> None:
    async with standing() as stage:
        await stage.hand.ask()
        await stage.upstream.say(*START, Text(0, "a"), Text(0, "b"))
        data = await stage.hand.stream.receive_some()  # what memory gives is what was one write
        assert data.count(b'{"streamkit"') == 4
        for number in range(5):
            await stage.upstream.say(Text(0, str(number)))
            assert (
                await stage.hand.stream.receive_some() == b'\x81\x28{"streamkit":"text","part":0,"text":"%d"}' % number
            )
        await leave(stage)


async def test_one_question_after_the_other() -> None:
    async with standing() as stage:
        for number in range(3):
            await stage.hand.ask(f'{{"q":{number}}}')
            await stage.upstream.say(*START, *FINISH)
            assert len(await stage.hand.until("end")) == 5
            await stage.upstream.end()
        await leave(stage)
    assert stage.upstream.asked == [b'{"q":0}', b'{"q":1}', b'{"q":2}']
    assert stage.upstream.journal == ["asked", "left"] * 3


async def test_the_next_question_may_come_before_the_upstream_has_let_go() -> None:
    async with standing() as stage:
        await stage.hand.ask()
        await stage.upstream.say(*START, *FINISH)
        await stage.hand.until("end")
        await stage.hand.ask('{"q":2}')
        await trio.testing.wait_all_tasks_blocked()
        assert stage.upstream.asked == [b'{"q":1}']
        await stage.upstream.end()
        await stage.upstream.say(*START)
        await stage.hand.until("part-start")
        assert stage.upstream.asked == [b'{"q":1}', b'{"q":2}']
        await leave(stage)
    assert stage.record.outcome == "client-left"


async def test_what_came_with_the_opening_is_heard() -> None:
    async with standing(is_open=False) as stage:
        await stage.hand.send(opening(), frame(TEXT, b'{"q":', is_last=False), frame(CONTINUED, b"1}"))
        await stage.hand.head()
        await stage.upstream.noted("asked")
        assert stage.upstream.asked == [b'{"q":1}']
        await leave(stage)


async def test_a_long_record_is_one_message() -> None:
    async with standing() as stage:
        await stage.hand.ask()
        await stage.upstream.say(*START, Text(0, "€" * 100_000))
        assert (await stage.hand.until("text"))[-1]["text"] == "€" * 100_000
        await leave(stage)


async def test_heartbeats_cross() -> None:
    async with standing() as stage:
        await stage.hand.ask()
        await stage.upstream.say(Ping("before"))
        assert await stage.hand.next() == (PING, b"")
        await stage.upstream.say(*START)
        await stage.hand.until("part-start")
        await stage.upstream.say(Ping("within"))
        assert await stage.hand.record() == {"streamkit": "ping", "comment": "within"}
        await leave(stage)


# ---------------------------------------------------------------------------------------------------------- cancelling


async def test_an_answer_can_be_cancelled_and_the_connection_stays() -> None:
    async with standing() as stage:
        await stage.hand.ask()
        await stage.upstream.say(*START, Text(0, "a"))
        await stage.hand.until("text")
        await stage.hand.send(CANCEL)
        await stage.upstream.noted("left")
        error = await stage.hand.record()
        assert (error["streamkit"], error["error_code"]) == ("error", "cancelled")
        await stage.hand.ask('{"q":2}')
        await stage.upstream.say(*START, *FINISH)
        assert len(await stage.hand.until("end")) == 5
        await leave(stage)
    assert stage.upstream.journal == ["asked", "left", "asked", "left"]
    assert stage.record.outcome == "ok"


async def test_an_answer_can_be_cancelled_before_it_begins() -> None:
    async with standing() as stage:
        stage.upstream.is_slow = True
        await stage.hand.ask()
        await stage.upstream.noted("asked")
        await stage.hand.send(frame(TEXT, b' { "cancel" : true } '))
        assert (await stage.hand.record())["error_code"] == "cancelled"
        assert stage.upstream.journal == ["asked", "left"]
        await leave(stage)


async def test_a_question_that_is_cancelled_in_the_same_write() -> None:
    async with standing() as stage:
        await stage.hand.send(frame(TEXT, b"{}"), CANCEL)
        assert (await stage.hand.record())["error_code"] == "cancelled"
        await leave(stage)


async def test_a_cancel_that_crosses_the_end_of_the_answer_is_passed_over() -> None:
    async with standing() as stage:
        await stage.hand.ask()
        await stage.upstream.say(*START, *FINISH)
        await stage.hand.until("end")
        await stage.hand.send(CANCEL)
        await trio.testing.wait_all_tasks_blocked()
        await stage.upstream.end()
        await stage.hand.send(CANCEL)
        await stage.hand.ask()
        await stage.upstream.say(*START)
        await stage.hand.until("part-start")
        await leave(stage)


async def test_a_cancel_in_the_middle_of_a_write_leaves_whole_frames() -> None:
    """The client reads nothing until the answer is over."""
    async with standing() as stage:
        await stage.hand.ask()
        await stage.upstream.say(*START, *[Text(0, "x" * 1000) for _ in range(100)])
        await trio.testing.wait_all_tasks_blocked()
        assert stage.upstream.journal == ["asked"]
        await stage.hand.send(CANCEL)
        await stage.upstream.noted("left")
        records = await stage.hand.until("error")
        assert [each["streamkit"] for each in records] == ["start", "part-start", *["text"] * 100, "error"]
        assert {len(each["text"]) for each in records[2:-1]} == {1000}
        await leave(stage)


# ------------------------------------------------------------------------------------------------------------ failures

FAILURES = [
    (RefusedError(400, "no images here", type="invalid_request_error", error_code="images"), 1008, "refused"),
    (RefusedError(422, "no"), 1008, "refused"),
    (StatusError(429, "slow down", error_type="rate_limit", error_code="rpm"), 1011, "ok"),
    (ConnectError("nobody listens"), 1011, "unreachable"),
    (ConnectTimeout(3), 1011, "timeout"),
    (ProtocolError("no HTTP"), 1011, "bad-response"),
    (DisconnectedError("it is gone"), 1011, "upstream-cut"),
    (TruncatedError("cut", dropped_bytes=0, stage="x", record=None, offset=None), 1011, "upstream-cut"),
    (ReportedError("overloaded", error_type="o_e", error_code="o", status=529, stage="x"), 1011, "ok"),
]


@pytest.mark.parametrize(("error", "code", "outcome"), FAILURES, ids=lambda value: type(value).__name__)
async def test_what_cannot_be_asked(error: Exception, code: int, outcome: str) -> None:
    async with standing() as stage:
        stage.upstream.refuses = error
        await stage.hand.ask()
        record = await stage.hand.record()
        assert record["streamkit"] == "error"
        assert record["message"]
        assert await closes(stage, code)
    assert (stage.record.outcome, stage.record.status) == (outcome, 101)
    assert stage.record.detail == record["message"]


@pytest.mark.parametrize(("error", "code", "outcome"), FAILURES[2:], ids=lambda value: type(value).__name__)
async def test_what_fails_in_the_middle(error: Exception, code: int, outcome: str) -> None:
    async with standing() as stage:
        await stage.hand.ask()
        await stage.upstream.say(*START, Text(0, "good"))
        await stage.upstream.end(error)
        records = await stage.hand.until("error")
        assert [each["streamkit"] for each in records] == ["start", "part-start", "text", "error"]
        await closes(stage, code)
    assert stage.record.outcome == outcome


async def test_what_the_error_record_says() -> None:
    async with standing() as stage:
        stage.upstream.refuses = StatusError(429, "slow down", error_type="rate_limit", error_code="rpm")
        await stage.hand.ask()
        told = {"message": "slow down", "type": "rate_limit", "error_code": "rpm", "status": 429}
        assert await stage.hand.record() == {"streamkit": "error", **told}
        assert await closes(stage, 1011) == "slow down"


async def test_a_cut_answer_is_called_one() -> None:
    async with standing() as stage:
        await stage.hand.ask()
        await stage.upstream.say(*START)
        await stage.upstream.end()  # as no chat would end
        assert (await stage.hand.until("error"))[-1]["type"] == "truncated"
        await closes(stage, 1011)


async def test_a_failure_behind_the_end_is_none() -> None:
    async with standing() as stage:
        await stage.hand.ask()
        await stage.upstream.say(*START, *FINISH)
        await stage.upstream.end(DisconnectedError("late"))
        await stage.hand.until("end")
        await leave(stage)
    assert stage.record.outcome == "ok"


async def test_an_event_that_cannot_be_written_ends_the_answer() -> None:
    async with standing() as stage:
        await stage.hand.ask()
        await stage.upstream.say(*START, Text(0, "good"), Custom(""))
        assert [each["streamkit"] for each in await stage.hand.until("error")][-2:] == ["text", "error"]
        await closes(stage, 1011)
    assert stage.upstream.journal == ["asked", "left"]


async def test_an_error_event_of_the_upstream_is_the_last_one() -> None:
    async with standing() as stage:
        await stage.hand.ask()
        await stage.upstream.say(*START, Error("its own"))
        await stage.upstream.end(ReportedError("its own", error_type="", error_code="", status=None, stage="x"))
        assert (await stage.hand.until("error"))[-1]["message"] == "its own"
        await closes(stage, 1011)


async def test_a_mistake_of_ours_is_told_and_logged() -> None:
    class OursError(Exception):
        pass

    async with standing() as stage:
        stage.upstream.refuses = OursError("a secret of the inside")
        await stage.hand.ask()
        assert (await stage.hand.record())["message"] == "the gateway failed"
        got, reason = await stage.hand.closing()
        assert (got, reason) == (1011, "the gateway failed")
        await stage.hand.send(close_of(1011))
        await stage.done.wait()
        assert [type(each) for each in stage.errors] == [OursError]
        stage.errors.clear()
    assert stage.record.outcome == "failed"
