"""WebSockets on sockets, before the mock server: token by token, and everybody's leaving."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trio

from streamkit.gateway.config import SPEAKABLE
from tests.gateway.peers import settled
from tests.gateway.websocket_peers import PING, PONG, TEXT, Hand, close_of, frame
from tests.gateway.websocket_stand import QUESTION, before_mock

WORDS = "One two three four five six seven eight nine ten."

MiB = 2**20

HELD_BYTES = 24 * MiB
"""More than the kernels of two connections hold; the whole answer has 1 GiB."""

RESIDENT_BYTES = 24 * MiB
"""What the process may grow by while it is stopped."""


@pytest.mark.parametrize("speaks", SPEAKABLE)
async def test_each_token_is_there_before_the_next_one_leaves(speaks: str) -> None:
    async with before_mock(speaks, say=WORDS, gate=[f"step@token:{number}" for number in range(1, 10)]) as stand:
        hand = await stand.hand()
        await hand.ask(QUESTION)
        got = ""
        for number in range(1, 10):
            await stand.mock.gates.wait_for("step")
            while len(got.split()) < number:
                got += (await hand.until("text"))[-1]["text"]
            assert WORDS.startswith(got)
            assert len(got.split()) == number, "no token more has left the mock"
            stand.mock.gates.step("step")
        for record in await hand.until("end"):
            got += record.get("text", "")
        assert got == WORDS
        assert (await stand.entry()).outcome == "complete"
        await hand.send(close_of(1000))
        assert await hand.closing() == (1000, "")
        assert (await stand.record()).outcome == "ok"


async def close(hand: Hand) -> None:
    await hand.send(close_of(1000))


async def reset(hand: Hand) -> None:
    hand.stream.abort()


async def fin(hand: Hand) -> None:
    while not hand.stream.is_quiet():
        await hand.stream.receive_some()
    await hand.stream.aclose()


async def half_close(hand: Hand) -> None:
    await hand.stream.send_eof()


async def cancel(hand: Hand) -> None:
    await hand.ask('{"cancel": true}')


WAYS: list[Callable[[Hand], Awaitable[None]]] = [close, reset, fin, half_close, cancel]


@pytest.mark.parametrize("speaks", ["ollama-chat", "anthropic"])
@pytest.mark.parametrize("gate", ["g@before-head", "g@after-head", "g@token:3", "g@before-terminator"])
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
async def test_leaving_stops_the_upstream_while_it_is_silent(
    way: Callable[[Hand], Awaitable[None]], gate: str, speaks: str
) -> None:
    """The answer stands at a gate that nobody opens."""
    async with before_mock(speaks, say=WORDS, gate=gate) as stand:
        hand = await stand.hand()
        await hand.ask(QUESTION)
        await stand.mock.gates.wait_for("g")
        if "token" in gate:
            await hand.until("text")
        await way(hand)
        entry = await stand.entry()
        assert entry.outcome == "client-left"
        if way is cancel:
            assert (await hand.until("error"))[-1]["error_code"] == "cancelled"
            hand.stream.abort()
        else:
            assert (await stand.record()).outcome == "client-left"


async def test_a_cancelled_answer_makes_room_for_the_next_one() -> None:
    async with before_mock(say=WORDS, gate="g@token:3") as stand:
        hand = await stand.hand()
        for number in (1, 2):
            await hand.ask(QUESTION)
            await stand.mock.gates.wait_for("g")
            await hand.until("text")
            await cancel(hand)
            assert (await stand.entry(number)).outcome == "client-left"
            await hand.until("error")
        stand.mock.gates.open("g")
        await hand.ask(QUESTION)
        assert (await hand.until("end"))[0]["streamkit"] == "start"
        assert (await stand.entry(3)).outcome == "complete"


@pytest.mark.parametrize("way", [close, reset, half_close, cancel], ids=lambda way: way.__name__)
async def test_leaving_is_seen_while_the_client_does_not_read(way: Callable[[Hand], Awaitable[None]]) -> None:
    async with before_mock(tokens=10_000_000, rate=0) as stand:
        hand = await stand.hand(receive_bytes=65536)
        await hand.ask(QUESTION)
        await hand.until("text")
        (entry,) = stand.mock.journal
        await settled(lambda: entry.sent_bytes)
        await way(hand)
        assert (await stand.entry()).outcome == "client-left"


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def test_a_client_that_does_not_read_stops_the_upstream_and_its_pings_are_answered() -> None:
    async with before_mock(tokens=10_000_000, rate=0) as stand:
        hand = await stand.hand(receive_bytes=65536)
        before_resident = resident_bytes()
        await hand.ask(QUESTION)
        await hand.until("text")
        (entry,) = stand.mock.journal
        await settled(lambda: entry.sent_bytes)
        for number in range(1000):
            await hand.send(frame(PING, b"%d" % number))
        await settled(lambda: entry.sent_bytes)
        before_bytes = entry.sent_bytes
        assert before_bytes < HELD_BYTES
        assert resident_bytes() < before_resident + RESIDENT_BYTES
        kind = TEXT
        while kind != PONG:
            kind, payload = await hand.next()
        assert payload == b"999"
        await settled(lambda: entry.sent_bytes)
        assert entry.sent_bytes > before_bytes, "it goes on where it is read"


async def test_an_upstream_that_is_cut_is_no_end() -> None:
    async with before_mock(say=WORDS, fault="reset@token:3") as stand:
        hand = await stand.hand()
        await hand.ask(QUESTION)
        records = await hand.until("error")
        assert records[-1]["type"] == "truncated"
        assert (await hand.closing())[0] == 1011
        await hand.send(close_of(1011))
        assert (await hand.end()) == b""
        await hand.stream.aclose()
        assert (await stand.record()).outcome == "upstream-cut"


@pytest.mark.parametrize(
    ("question", "status"),
    [
        ("[]", 400),
        ("{}", 400),
        ('{"dialect":"klingon","request":{}}', 400),
        ('{"dialect":"openai-chat"}', 400),
        ('{"dialect":"openai-chat","request":{"model":"m","messages":"no"}}', 400),
        ('{"dialect":"gemini","request":{"contents":[]}}', 400),
        ('{"dialect":"openai-chat","request":{"model":"m","messages":[]},"more":1}', 400),
    ],
)
async def test_what_is_no_question_is_refused(question: str, status: int) -> None:
    async with before_mock() as stand:
        hand = await stand.hand()
        await hand.ask(question)
        record = await hand.record()
        assert (record["streamkit"], record["status"]) == ("error", status)
        code, reason = await hand.closing()
        assert code == 1008
        assert record["message"].startswith(reason)
        await hand.send(close_of(1008))
        assert await hand.end() == b""
        await hand.stream.aclose()
        assert (await stand.record()).outcome == "refused"
        assert [*stand.mock.journal] == []


async def test_what_is_left_out_is_named_first() -> None:
    question = QUESTION.replace('"model"', '"user": "u-1", "model"')
    async with before_mock() as stand:
        hand = await stand.hand()
        await hand.ask(question)
        assert await hand.record() == {"streamkit": "custom", "name": "dropped", "value": ["user"]}
        assert (await hand.record())["streamkit"] == "start"
        await hand.until("end")


async def test_draining_lets_answers_end_and_the_others_go() -> None:
    async with before_mock(say=WORDS, gate="g@token:3") as stand:
        waiting, asking = await stand.hand(), await stand.hand()
        await asking.ask(QUESTION)
        await stand.mock.gates.wait_for("g")
        stand.drain.set()
        assert (await waiting.closing())[0] == 1001
        waiting.stream.abort()
        stand.mock.gates.open("g")
        await asking.until("end")
        assert (await asking.closing())[0] == 1001
        asking.stream.abort()
        assert {(await stand.record(number)).outcome for number in (1, 2)} == {"ok"}


async def test_many_at_once() -> None:
    async with before_mock(say=WORDS, rate=0) as stand:

        async def converse() -> None:
            hand = await stand.hand()
            for _ in range(5):
                await hand.ask(QUESTION)
                records = await hand.until("end")
                assert "".join(each.get("text", "") for each in records) == WORDS

        async with trio.open_nursery() as nursery:
            for _ in range(30):
                nursery.start_soon(converse)
        assert len([*stand.mock.journal]) == 150
