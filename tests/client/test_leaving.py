"""Leaving, as the mock server sees it; many chats at once; and the mock server in virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from mockserver import open_mockserver
from mockserver.open import open_mockserver_in_memory
from streamkit.client.chat import Chat
from streamkit.client.open import open_chat
from streamkit.client.own import HTTPTransport
from streamkit.client.timeouts import Timeouts
from streamkit.client.transport import Transport
from streamkit.dialects.events import End, Event
from streamkit.errors import FirstTokenTimeout, IdleTimeout, StreamkitError, TotalTimeout
from streamkit.http.stream import WireStream
from tests.client.mocking import DIALECTS, TRANSPORTS, Carrier, chat_with, text_of, told, until_left


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_leaving_early_is_seen_while_the_server_is_silent(transport: Carrier) -> None:
    async with open_mockserver(gate="pause@token:2") as mock:
        async with chat_with(mock, "openai-chat", transport) as chat:
            while not chat.text:
                await anext(chat)
            await mock.gates.wait_for("pause")
            assert mock.journal[-1].left is None
        await until_left(mock)
        assert mock.journal[-1].outcome == "client-left"


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_cancelling_before_the_head_is_seen_at_once(transport: Carrier) -> None:
    async with open_mockserver(gate="pause@before-head") as mock:
        async with trio.open_nursery() as nursery:

            async def ask() -> None:
                async with chat_with(mock, "openai-chat", transport):
                    pytest.fail("the block must not begin")

            nursery.start_soon(ask)
            await mock.gates.wait_for("pause")
            nursery.cancel_scope.cancel()
        await until_left(mock)


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_cancelling_a_push_is_seen_at_once(transport: Carrier) -> None:
    async with open_mockserver(gate="pause@token:2") as mock, chat_with(mock, "openai-chat", transport) as chat:
        send, receive = trio.open_memory_channel[Any](100)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(chat.push, send)
            await receive.receive()
            await mock.gates.wait_for("pause")
            nursery.cancel_scope.cancel()
        await until_left(mock)  # while the block still runs
        assert mock.journal[-1].outcome == "client-left"


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_reader_in_another_task_is_told_that_the_chat_was_closed(transport: Carrier) -> None:
    async def read() -> None:
        with pytest.raises(trio.ClosedResourceError):
            await told(chat)

    async with open_mockserver(gate="pause@after-head") as mock, trio.open_nursery() as nursery:
        async with chat_with(mock, "openai-chat", transport) as chat:
            nursery.start_soon(read)
            await wait_all_tasks_blocked()
        await until_left(mock)


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_cancelled_read_loses_nothing(transport: Carrier) -> None:
    held = open_mockserver(say="one two three", gate="pause@token:2")
    async with held as mock, chat_with(mock, "openai-chat", transport) as chat:
        events: list[Event] = []
        await mock.gates.wait_for("pause")
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(read_into, events, chat)
                while text_of(events) != "one two":  # noqa: ASYNC110 - a list has no event
                    await trio.sleep(0.001)
                await wait_all_tasks_blocked()
                scope.cancel()
        mock.gates.open("pause")
        rest, error = await told(chat)
    assert error is None
    assert text_of(events + rest) == "one two three"
    assert isinstance(rest[-1], End)


async def read_into(events: list[Event], chat: Chat) -> None:
    async for event in chat:
        events.append(event)  # noqa: PERF401 - each has to be there when the next read is cancelled


# --------------------------------------------------------------------------------------------- many, and virtual time


async def test_fifty_chats_at_once() -> None:
    texts: dict[int, str] = {}

    async def ask(number: int, transport: Transport | None) -> None:
        async with open_chat(
            mock.url, dialect=DIALECTS[number % 7], model="m", messages=f"Say {number}", max_tokens=4000,
            transport=transport,
        ) as chat:  # fmt: skip
            _, error = await told(chat)
            assert error is None
            texts[number] = chat.text

    mocking = open_mockserver(echo=True, split="random:1:40")
    async with mocking as mock, HTTPTransport() as shared, trio.open_nursery() as nursery:
        for number in range(50):
            nursery.start_soon(ask, number, shared if number % 2 else None)
    assert texts == {number: f"Say {number}" for number in range(50)}


@asynccontextmanager
async def in_memory(**settings: Any) -> AsyncIterator[HTTPTransport]:  # noqa: ANN401 - those of the mock
    async with open_mockserver_in_memory(**settings) as memory:

        async def dial() -> WireStream:
            await trio.lowlevel.checkpoint()
            return memory.connect()

        yield HTTPTransport(dial=lambda _: dial)


VIRTUAL = {
    "none": ({}, None, 64),
    "first token": ({"first_token_s": 59}, FirstTokenTimeout, 59),
    "idle": ({"first_token_s": 61, "idle_s": 0.5}, IdleTimeout, 60.5),
    "total": ({"total_s": 62.5}, TotalTimeout, 62.5),
}


@pytest.mark.parametrize(("limits", "kind", "seconds"), VIRTUAL.values(), ids=VIRTUAL)
async def test_a_minute_of_waiting_passes_at_once(
    autojump_clock: MockClock, limits: dict[str, float], kind: type[StreamkitError] | None, seconds: float
) -> None:
    async with (
        in_memory(ttft="60s", rate=1, tokens=5, heartbeat="7s") as transport,
        open_chat(
            "http://mock.test",
            dialect="openai-chat",
            model="m",
            messages="Hi",
            transport=transport,
            timeouts=Timeouts(**limits),
        ) as chat,
    ):
        _, error = await told(chat)
    assert (None if error is None else type(error)) is kind
    assert trio.current_time() == pytest.approx(seconds, abs=0.01)
