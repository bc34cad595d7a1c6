"""How a WebSocket ends: by bad input, in time, by either side's close, and when the gateway goes: in memory."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from streamkit.dialects.events import Text
from streamkit.gateway.websocket import REST_S
from streamkit.http.limits import Limits
from tests.gateway.websocket_peers import (
    BINARY,
    CLOSE,
    CONTINUED,
    FINISH,
    PING,
    PONG,
    START,
    TEXT,
    close_of,
    closes,
    ended,
    frame,
    leave,
    standing,
)

# ----------------------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (frame(BINARY, b"{}"), 1003),
        (frame(TEXT, b"\xff"), 1007),
        (frame(TEXT, b" " * 2001), 1009),
        (frame(TEXT, b" " * 1500, is_last=False) + frame(CONTINUED, b" " * 501, is_last=False), 1009),
        (b"GET / HTTP/1.1\r\n\r\n", 1002),
        (close_of(1005), 1002),
    ],
)
async def test_what_is_no_message_closes_with_its_code(data: bytes, code: int) -> None:
    async with standing(limits=Limits(max_body_bytes=2000)) as stage:
        await stage.hand.send(data)
        assert await closes(stage, code)
    assert stage.record.outcome == "bad-request"
    assert stage.upstream.asked == []


@pytest.mark.parametrize("text", ["", "hello", "{", '{"a":1}{"a":2}', "NaN"])
async def test_what_is_no_json_is_told_so(text: str) -> None:
    async with standing() as stage:
        await stage.hand.ask(text)
        record = await stage.hand.record()
        assert record["status"] == 400
        assert "JSON" in record["message"]
        await closes(stage, 1007)
    assert stage.record.outcome == "bad-request"
    assert stage.upstream.asked == []


async def test_a_second_question_while_an_answer_runs() -> None:
    async with standing() as stage:
        await stage.hand.ask()
        await stage.upstream.say(*START)
        await stage.hand.until("part-start")
        await stage.hand.ask()
        await stage.upstream.noted("left")
        told = (await stage.hand.until("error"))[-1]
        assert (told["type"], told["status"]) == ("refused", 400)
        assert "one question at a time" in await closes(stage, 1008)
    assert stage.record.outcome == "bad-request"


async def test_a_question_right_behind_a_cancel_is_the_next_one() -> None:
    async with standing() as stage:
        await stage.hand.ask()
        await stage.upstream.say(*START)
        await stage.hand.until("part-start")
        cancel, question = (frame(TEXT, text) for text in (b'{"cancel": true}', b'{"q":2}'))
        await stage.hand.send(cancel + question)
        assert (await stage.hand.until("error"))[-1]["error_code"] == "cancelled"
        await stage.upstream.noted("asked", 2)
        await stage.upstream.say(*START, *FINISH)
        await stage.upstream.end()
        await stage.hand.until("end")
        assert stage.upstream.asked[-1] == b'{"q":2}'
        await stage.hand.send(frame(CLOSE, b"\x03\xe8"))
        assert await closes(stage, 1000) == ""


async def test_a_broken_frame_while_an_answer_runs() -> None:
    async with standing() as stage:
        await stage.hand.ask()
        await stage.upstream.noted("asked")
        await stage.hand.send(b"\xff\xff")
        await stage.upstream.noted("left")
        assert (await stage.hand.record())["streamkit"] == "error"
        await closes(stage, 1002)


# ----------------------------------------------------------------------------------------------------------- its times


async def test_who_asks_nothing_at_first(autojump_clock: trio.testing.MockClock) -> None:
    async with standing(limits=Limits(head_timeout_s=7)) as stage:
        await closes(stage, 1008)
        assert trio.current_time() == 7
    assert stage.record.outcome == "bad-request"


async def test_who_does_not_end_its_question(autojump_clock: trio.testing.MockClock) -> None:
    async with standing(limits=Limits(head_timeout_s=7)) as stage:
        for _ in range(3):
            await stage.hand.send(frame(CONTINUED if _ else TEXT, b" ", is_last=False), frame(PING))
            assert await stage.hand.next() == (PONG, b"")
            await trio.sleep(2)
        await closes(stage, 1008)
        assert trio.current_time() == 7


async def test_who_asks_nothing_more(autojump_clock: trio.testing.MockClock) -> None:
    async with standing(limits=Limits(head_timeout_s=7, idle_timeout_s=15)) as stage:
        await stage.hand.ask()
        await trio.sleep(10)
        await stage.upstream.say(*START, *FINISH)
        await stage.upstream.end()
        await stage.hand.until("end")
        await closes(stage, 1000)
        assert trio.current_time() == 25
    assert stage.record.outcome == "ok"


async def test_who_begins_another_question(autojump_clock: trio.testing.MockClock) -> None:
    async with standing(limits=Limits(head_timeout_s=7, idle_timeout_s=15)) as stage:
        await stage.hand.ask()
        await stage.upstream.say(*START, *FINISH)
        await stage.upstream.end()
        await stage.hand.until("end")
        await trio.sleep(11)
        await stage.hand.send(frame(TEXT, b"{", is_last=False))
        await trio.sleep(3)
        await stage.hand.send(frame(CONTINUED, b" ", is_last=False))
        await closes(stage, 1008)
        assert trio.current_time() == 18


async def test_silence_is_broken_by_pings(autojump_clock: trio.testing.MockClock) -> None:
    async with standing() as stage:
        await stage.hand.ask()
        await stage.upstream.say(*START)
        await stage.hand.until("part-start")
        for number in range(10):
            assert await stage.hand.next() == (PING, b"")
            assert trio.current_time() == 20 * (number + 1)
            await stage.hand.send(frame(PONG))
        await trio.sleep(10)
        await stage.upstream.say(Text(0, "a"))
        assert (await stage.hand.record())["streamkit"] == "text"
        assert await stage.hand.next() == (PING, b"")
        assert trio.current_time() == 230, "20 s behind what was sent last"
        await leave(stage)


async def test_who_answers_no_ping_is_given_up(autojump_clock: trio.testing.MockClock) -> None:
    async with standing() as stage:
        await stage.hand.ask()
        await stage.upstream.say(*START)
        await stage.upstream.noted("left")
        assert trio.current_time() == 80, "60 s behind the first ping"
        await stage.done.wait()
        await stage.hand.until("part-start")
        assert [await stage.hand.next() for _ in range(3)] == [(PING, b"")] * 3
        with pytest.raises(trio.BrokenResourceError):
            await stage.hand.next()
    assert stage.record.outcome == "client-left"
    assert "ping" in stage.record.detail


async def test_who_takes_a_long_time_to_read_is_not_given_up(autojump_clock: trio.testing.MockClock) -> None:
    async with standing() as stage:
        await stage.hand.ask()
        await stage.upstream.say(*START, Text(0, "x" * 200_000))
        await trio.sleep(900)
        assert stage.upstream.journal == ["asked"]
        assert len((await stage.hand.until("text"))[-1]["text"]) == 200_000
        await trio.sleep(15)
        await stage.upstream.say(Text(0, "y"))
        assert (await stage.hand.record())["text"] == "y"
        await leave(stage)


async def test_time_in_which_nothing_can_be_sent_does_not_count(autojump_clock: trio.testing.MockClock) -> None:
    async with standing() as stage:
        await stage.hand.ask()
        await stage.upstream.say(*START)
        await trio.sleep(30)  # a ping is out
        await stage.upstream.say(Text(0, "x" * 200_000))
        await trio.sleep(170)
        await stage.hand.until("part-start")
        assert await stage.hand.next() == (PING, b"")
        records = await stage.hand.until("text")
        assert len(records[-1]["text"]) == 200_000
        await stage.hand.send(frame(PONG))
        await trio.sleep(15)
        await stage.upstream.say(Text(0, "y"))
        assert (await stage.hand.record())["text"] == "y"
        await leave(stage)


async def test_pings_are_answered_at_once(autojump_clock: trio.testing.MockClock) -> None:
    async with standing() as stage:
        await stage.hand.send(frame(PING, b"1"))
        assert await stage.hand.next() == (PONG, b"1")
        await stage.hand.ask()
        await stage.hand.send(frame(PING, b"2"))
        assert await stage.hand.next() == (PONG, b"2")
        await stage.upstream.say(*START)
        await stage.hand.until("part-start")
        await stage.hand.send(frame(PING, b"3" * 125))
        assert await stage.hand.next() == (PONG, b"3" * 125)
        assert trio.current_time() == 0
        await leave(stage)


async def test_pings_of_one_who_does_not_read_are_answered_once(autojump_clock: trio.testing.MockClock) -> None:
    async with standing() as stage:
        await stage.hand.ask()
        await stage.upstream.say(*START, Text(0, "x" * 100_000))
        for number in range(5000):
            await stage.hand.send(frame(PING, b"%d" % number))
        await trio.testing.wait_all_tasks_blocked()
        assert len((await stage.hand.until("text"))[-1]["text"]) == 100_000
        assert await stage.hand.next() == (PONG, b"4999")
        await stage.upstream.say(Text(0, "y"))
        assert (await stage.hand.record())["text"] == "y"
        await leave(stage)


async def test_a_flood_of_pings_does_not_hold_up_the_answer() -> None:
    async with standing() as stage:
        await stage.hand.ask()
        await stage.upstream.say(*START)
        async with trio.open_nursery() as nursery:

            async def flood() -> None:
                while True:
                    await stage.hand.send(frame(PING, b"p") * 100)

            nursery.start_soon(flood)
            texts = 0
            while texts < 20:
                async with trio.open_nursery() as both:
                    both.start_soon(stage.upstream.say, Text(0, "y"))
                    while True:
                        kind, payload = await stage.hand.next()
                        if kind == TEXT and b'"text":"y"' in payload:
                            texts += 1
                            break
            nursery.cancel_scope.cancel()
        stage.hand.stream.abort()  # the flood may have stopped inside a frame
    assert stage.record.outcome == "client-left"


# -------------------------------------------------------------------------------------------------------------- closing


@pytest.mark.parametrize("code", [1000, 1001, 3333, 4999])
async def test_a_close_is_answered_with_its_code(code: int) -> None:
    async with standing() as stage:
        await leave(stage, code)
    assert stage.record.outcome == "ok"


async def test_a_close_without_a_code_is_answered_in_kind() -> None:
    async with standing() as stage:
        await stage.hand.send(frame(8))
        assert await stage.hand.closing() == (1005, "")
        assert await stage.hand.end() == b""
        await stage.hand.stream.aclose()


@pytest.mark.parametrize("begun", [False, True])
async def test_a_close_ends_the_answer_first(begun: bool) -> None:
    async with standing() as stage:
        stage.upstream.is_slow = not begun
        await stage.hand.ask()
        if begun:
            await stage.upstream.say(*START)
            await stage.hand.until("part-start")
        await stage.upstream.noted("asked")
        await stage.hand.send(frame(PING, b"not answered any more"), close_of(1001))
        assert await stage.hand.closing() == (1001, "")
        assert stage.upstream.journal == ["asked", "left"]
        assert await stage.hand.end() == b""
        await stage.hand.stream.aclose()
    assert stage.record.outcome == "client-left"


@pytest.mark.parametrize("begun", [False, True])
@pytest.mark.parametrize("how", ["fin", "reset"])
async def test_whoever_goes_without_a_word_is_gone(how: str, begun: bool) -> None:
    async with standing() as stage:
        stage.upstream.is_slow = not begun
        await stage.hand.ask()
        await stage.upstream.noted("asked")
        if begun:
            await stage.upstream.say(*START)
            await stage.hand.until("part-start")
        if how == "fin":
            await stage.hand.stream.send_eof()
        else:
            stage.hand.stream.abort()
        await stage.upstream.noted("left")
        await stage.done.wait()
    assert stage.record.outcome == "client-left"


async def test_whoever_goes_in_between_has_what_it_asked_for() -> None:
    async with standing() as stage:
        await stage.hand.ask()
        await stage.upstream.say(*START, *FINISH)
        await stage.upstream.end()
        await stage.hand.until("end")
        stage.hand.stream.abort()
    assert stage.record.outcome == "ok"


LEAVING = {"close": close_of(1000), "broken": b"\xff\xff", "fin": b"", "reset": b""}


@pytest.mark.parametrize("how", LEAVING)
@pytest.mark.parametrize("ends", [True, False])
async def test_behind_a_whole_answer_the_upstream_may_end_its_response(
    how: str, ends: bool, autojump_clock: trio.testing.MockClock
) -> None:
    async with standing() as stage:
        await stage.hand.ask()
        await stage.upstream.say(*START, *FINISH)
        await stage.hand.until("end")
        if how == "fin":
            await stage.hand.stream.send_eof()
        elif how == "reset":
            stage.hand.stream.abort()
        else:
            await stage.hand.send(LEAVING[how])
        await trio.testing.wait_all_tasks_blocked()
        assert stage.upstream.journal == ["asked"]
        if ends:
            await stage.upstream.end()
        await stage.upstream.noted("left")
        assert trio.current_time() == (0 if ends else REST_S), "and it has no longer than that"
        if how in {"close", "broken"}:
            code = 1000 if how == "close" else 1002
            assert (await stage.hand.closing())[0] == code
            if how == "broken":
                await stage.hand.send(close_of(code))
            assert await stage.hand.end() == b""
            await stage.hand.stream.aclose()
    assert stage.record.outcome == ("bad-request" if how == "broken" else "ok")


async def test_a_client_that_closes_and_reads_nothing_more(autojump_clock: trio.testing.MockClock) -> None:
    async with standing(limits=Limits(linger_timeout_s=3)) as stage:
        await stage.hand.ask()
        await stage.upstream.say(*START, Text(0, "x" * 200_000))
        await trio.testing.wait_all_tasks_blocked()
        await stage.hand.send(close_of(1000))
        await stage.upstream.noted("left")
        await stage.done.wait()
        assert trio.current_time() == 3
    assert stage.record.outcome == "client-left"


async def test_the_end_of_the_answer_has_to_be_taken(autojump_clock: trio.testing.MockClock) -> None:
    async with standing() as stage:
        await stage.hand.ask()
        await stage.upstream.say(*START, Text(0, "x" * 200_000), *FINISH)
        await trio.testing.wait_all_tasks_blocked()
        stage.hand.stream.abort()
    assert stage.record.outcome == "client-left"


async def test_the_connection_is_closed_when_both_have_said_so(autojump_clock: trio.testing.MockClock) -> None:
    async with standing() as stage:
        await stage.hand.send(frame(BINARY, b""))
        assert (await stage.hand.closing())[0] == 1003
        await trio.testing.wait_all_tasks_blocked()
        assert stage.hand.stream.is_quiet(), "no FIN yet"
        await ended(stage, 1003)
        assert trio.current_time() == 0


async def test_a_client_that_does_not_answer_a_close(autojump_clock: trio.testing.MockClock) -> None:
    async with standing(limits=Limits(linger_timeout_s=3)) as stage:
        await stage.hand.send(frame(BINARY, b""))
        assert (await stage.hand.closing())[0] == 1003
        await stage.done.wait()
        assert trio.current_time() <= 6


async def test_what_comes_behind_our_close_is_thrown_away(autojump_clock: trio.testing.MockClock) -> None:
    async with standing() as stage:
        await stage.hand.send(frame(BINARY, b""), frame(TEXT, b"{}"))
        assert (await stage.hand.closing())[0] == 1003
        await stage.hand.send(frame(PING), frame(TEXT, b"{}"))
        await ended(stage, 1003)
        assert trio.current_time() == 0
    assert stage.upstream.asked == []
