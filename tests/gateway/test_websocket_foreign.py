"""WebSockets with somebody else's client: the library `websockets`, blocking and on asyncio, each in a thread."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
import trio
from websockets.asyncio.client import connect as asyncio_connect
from websockets.exceptions import ConnectionClosed, ConnectionClosedOK, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from streamkit.dialects.events import End, Event, Finish, PartEnd, PartStart, Start, Text
from streamkit.http.limits import Limits
from streamkit.io.items import Items
from tests.gateway.websocket_peers import Upstream
from tests.gateway.websocket_stand import QUESTION, SocketStand, before_mock, serving

WORDS = "One two three four five."


async def in_thread(work: Callable[[], Any]) -> Any:  # noqa: ANN401 - whatever the work gives
    return await trio.to_thread.run_sync(work)


def until_end(socket: ClientConnection) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = []
    while not records or records[-1]["streamkit"] != "end":
        message = socket.recv(timeout=30)
        assert isinstance(message, str)
        records.append(json.loads(message))
    return records


def until_closed(socket: ClientConnection) -> tuple[list[dict[str, Any]], int, str]:
    """The records, and the code and the reason of the close that ends them."""
    records: list[dict[str, Any]] = []
    with suppress(ConnectionClosed):
        while True:
            records.append(json.loads(socket.recv(timeout=30)))
    assert socket.close_code is not None
    return records, socket.close_code, socket.close_reason or ""


def text_of(records: list[dict[str, Any]]) -> str:
    return "".join(each.get("text", "") for each in records)


async def test_questions_and_answers() -> None:
    async with before_mock(say=WORDS) as stand:

        def converse() -> tuple[list[str], int | None]:
            with connect(stand.url) as socket:
                assert socket.protocol.extensions == []
                assert socket.subprotocol is None
                said = []
                for _ in range(3):
                    socket.send(QUESTION)
                    said.append(text_of(until_end(socket)))
            return said, socket.protocol.close_code

        assert await in_thread(converse) == ([WORDS] * 3, 1000)
        assert (await stand.record()).outcome == "ok"


async def test_a_question_in_fragments_and_a_protocol() -> None:
    async with before_mock(say=WORDS) as stand:

        def converse() -> str:
            with connect(stand.url, subprotocols=["streamkit", "streamkit.key.c2VjcmV0"]) as socket:  # type: ignore[list-item]  # texts to them
                assert socket.subprotocol == "streamkit"
                socket.send(QUESTION[place : place + 7] for place in range(0, len(QUESTION), 7))
                return text_of(until_end(socket))

        assert await in_thread(converse) == WORDS


async def test_token_by_token() -> None:
    async with before_mock(say=WORDS, gate=[f"step@token:{number}" for number in range(1, 5)]) as stand:
        gates = stand.mock.gates

        def converse() -> str:
            got = ""
            with connect(stand.url) as socket:
                socket.send(QUESTION)
                for number in range(1, 5):
                    trio.from_thread.run(gates.wait_for, "step")
                    while len(got.split()) < number:
                        got += json.loads(socket.recv(timeout=30)).get("text", "")
                    assert len(got.split()) == number
                    trio.from_thread.run_sync(gates.step, "step")
                return got + text_of(until_end(socket))

        assert await in_thread(converse) == WORDS


async def test_leaving_in_the_middle_stops_the_upstream() -> None:
    async with before_mock(say=WORDS, gate="g@token:3") as stand:

        def leave() -> None:
            with connect(stand.url) as socket:
                socket.send(QUESTION)
                while "text" not in json.loads(socket.recv(timeout=30)):
                    pass

        await in_thread(leave)
        assert (await stand.entry()).outcome == "client-left"
        assert (await stand.record()).outcome == "client-left"


async def test_cancelling_keeps_the_connection() -> None:
    async with before_mock(say=WORDS, gate="g@token:3") as stand:

        def converse() -> str:
            with connect(stand.url) as socket:
                socket.send(QUESTION)
                trio.from_thread.run(stand.mock.gates.wait_for, "g")
                socket.send(json.dumps({"cancel": True}))
                last = {"streamkit": ""}
                while last["streamkit"] != "error":
                    last = json.loads(socket.recv(timeout=30))
                assert last["error_code"] == "cancelled"
                trio.from_thread.run_sync(stand.mock.gates.open, "g")
                socket.send(QUESTION)
                return text_of(until_end(socket))

        assert await in_thread(converse) == WORDS
        assert [(await stand.entry(number)).outcome for number in (1, 2)] == ["client-left", "complete"]


@pytest.mark.parametrize(
    ("message", "code"),
    [("{}", 1008), ("no JSON", 1007), (b"{}", 1003), ("x" * 5000, 1009), ('{"dialect":"x","request":{}}', 1008)],
)
async def test_what_is_no_question_closes_with_its_code(message: str | bytes, code: int) -> None:
    async with before_mock(limits=Limits(max_body_bytes=4000)) as stand:

        def ask() -> tuple[int, str]:
            with connect(stand.url) as socket:
                socket.send(message)
                records, code, reason = until_closed(socket)
            assert [each["streamkit"] for each in records] in ([], ["error"])
            return code, reason

        got, reason = await in_thread(ask)
        assert got == code
        assert reason


async def test_a_broken_answer_raises() -> None:
    async with before_mock(say=WORDS, fault="reset@token:3") as stand:

        def ask() -> tuple[str, int]:
            with connect(stand.url) as socket:
                socket.send(QUESTION)
                records, code, _ = until_closed(socket)
            return records[-1]["type"], code

        assert await in_thread(ask) == ("truncated", 1011)


async def test_draining_is_going_away() -> None:
    async with before_mock() as stand:

        def wait() -> int:
            with connect(stand.url) as socket:
                trio.from_thread.run_sync(stand.drain.set)
                with pytest.raises(ConnectionClosedOK) as caught:
                    socket.recv(timeout=30)
            assert caught.value.rcvd is not None
            return caught.value.rcvd.code

        assert await in_thread(wait) == 1001


async def test_what_is_no_websocket_is_refused() -> None:
    async with before_mock() as stand:

        def ask() -> int:
            with pytest.raises(InvalidStatus) as caught, connect(stand.url, additional_headers={"Content-Length": "1"}):
                pass
            return int(caught.value.response.status_code)

        assert await in_thread(ask) == 400


async def test_pings_both_ways_on_asyncio() -> None:
    async with before_mock(say=WORDS, gate="g@token:3") as stand:
        token = trio.lowlevel.current_trio_token()

        async def converse() -> str:
            said = ""
            async with asyncio_connect(stand.url, ping_interval=0.01) as socket:
                await socket.send(QUESTION)
                for _ in range(5):
                    await (await socket.ping())
                token.run_sync_soon(stand.mock.gates.open, "g")
                async for message in socket:
                    record = json.loads(message)
                    said += record.get("text", "")
                    if record["streamkit"] == "end":
                        break
            return said

        assert await in_thread(lambda: asyncio.run(converse())) == WORDS


async def test_a_slow_reader_gets_everything() -> None:
    """Its buffers are full before it begins to read."""
    upstream = Upstream()
    count = 300

    @asynccontextmanager
    async def ask(question: bytes) -> AsyncIterator[Items[Event]]:
        async with upstream.ask(question) as answer:
            yield answer

    async with serving(ask, send_bytes=65536) as stand:
        full = trio.Event()

        def converse() -> list[int]:
            with connect(stand.url, max_queue=1) as socket:
                socket.send(QUESTION)
                trio.from_thread.run(full.wait)
                return [len(each["text"]) for each in until_end(socket) if "text" in each]

        async def answer(stand: SocketStand) -> None:
            await upstream.say(Start(), PartStart(0, "text"))
            for number in range(count):
                with trio.move_on_after(0.2 if not full.is_set() else 60) as scope:
                    await upstream.say(Text(0, "x" * 65536))
                if scope.cancelled_caught:
                    full.set()
                    await upstream.say(Text(0, "x" * 65536))
                assert number < count - 1 or full.is_set(), "it was never full"
            await upstream.say(PartEnd(0), Finish("stop"), End())
            await upstream.end()
            assert stand.errors == []

        async with trio.open_nursery() as nursery:
            nursery.start_soon(answer, stand)
            assert await in_thread(converse) == [65536] * count
