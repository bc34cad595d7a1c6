"""Our own transport: sending while listening, and connections that are kept."""

from __future__ import annotations

import socket
import ssl

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from streamkit.client.open import open_chat
from streamkit.client.own import HTTPTransport
from streamkit.dialects.events import Text
from streamkit.errors import ConfigError, ConnectError, StatusError
from streamkit.http.stream import TimedRead
from tests.client.peers import DONE, HEL, LAST, NDJSON, ROLE, Serve, Served, Server, answering, chunk, serving

ANSWER = (NDJSON, chunk(ROLE), chunk(HEL), chunk(DONE) + LAST)


async def test_a_refusal_is_heard_while_the_request_is_still_going_out(autojump_clock: MockClock) -> None:
    async def serve(server: Server) -> None:
        await server.read()
        await server.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 9\r\n\r\ntoo long!")
        await trio.sleep_forever()  # it reads no further

    async with serving(serve) as served:
        with trio.fail_after(60), pytest.raises(StatusError, match="too long!"):
            async with served.chat(messages="x" * 5_000_000):
                pytest.fail("the block must not begin")


async def test_a_refusal_is_heard_although_the_connection_broke_under_the_request() -> None:
    async def serve(server: Server) -> None:
        await server.read()
        await server.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 9\r\n\r\ntoo long!")
        server.stream.abort()

    async with serving(serve) as served:
        with pytest.raises(StatusError, match="too long!"):
            async with served.chat(messages="x" * 5_000_000):
                pytest.fail("the block must not begin")


async def test_a_long_request_goes_out_whole_although_the_answer_began() -> None:
    async def serve(server: Server) -> None:
        data = await server.read()
        await server.send(NDJSON)
        length = int(data.partition(b"Content-Length: ")[2].partition(b"\r\n")[0])
        size = len(data.partition(b"\r\n\r\n")[2])
        while size < length:
            size += len(await server.read())
        await server.send(chunk(HEL), chunk(DONE) + LAST)
        await server.left()

    async with serving(serve) as served, served.chat(messages="x" * 2_000_000) as chat:
        assert [event.text async for event in chat if isinstance(event, Text)] == ["Hel"]


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt])
async def test_what_a_hook_raises_while_the_head_comes_is_raised_as_it_is(kind: type[BaseException]) -> None:
    def tap(_: TimedRead) -> None:
        raise kind("mine")

    raised: list[BaseException] = []
    async with serving(answering(*ANSWER)) as served:
        try:
            async with served.chat(on_read=tap):
                pytest.fail("the block must not begin")
        except (ValueError, KeyboardInterrupt) as error:
            raised.append(error)
    assert [(type(error), str(error)) for error in raised] == [(kind, "mine")]


async def test_cancelling_before_the_head_leaves_at_once() -> None:
    left: list[str] = []

    async def serve(server: Server) -> None:
        await server.request()
        left.append(await server.left())

    async with serving(serve) as served:
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_ask, served)
                await wait_all_tasks_blocked()
                scope.cancel()
        await wait_all_tasks_blocked()
        assert left == ["reset"]


async def _ask(served: Served) -> None:
    async with served.chat():
        pytest.fail("the block must not begin")


# ------------------------------------------------------------------------------------------------- kept connections


def answering_twice(log: list[str]) -> Serve:
    async def serve(server: Server) -> None:
        for _ in range(2):
            await server.request()
            await server.send(*ANSWER)
        log.append(await server.left())

    return serve


async def test_chats_that_share_a_transport_share_its_connections() -> None:
    log: list[str] = []
    async with serving(answering_twice(log)) as served:
        await served.transport.__aenter__()
        for _ in range(2):
            async with served.chat() as chat:
                assert [event.text async for event in chat if isinstance(event, Text)] == ["Hel"]
        await wait_all_tasks_blocked()
        assert log == []
        await served.transport.__aexit__(None, None, None)
        await wait_all_tasks_blocked()
        assert log == ["fin"]
    assert len(served.origins) == 1


async def test_each_read_is_seen_by_its_own_chat_only() -> None:
    seen: list[list[bytes]] = [[], []]
    async with serving(answering_twice([])) as served, served.transport:
        for log in seen:
            async with served.chat(on_read=lambda read, log=log: log.append(read.data)) as chat:
                assert len([event async for event in chat]) > 1
    assert seen == [[*ANSWER], [*ANSWER]]


async def test_without_a_block_of_its_own_a_transport_keeps_nothing() -> None:
    async with serving(answering(*ANSWER), answering(*ANSWER)) as served:
        for _ in range(2):
            async with served.chat() as chat:
                assert len([event async for event in chat]) > 1
    assert len(served.origins) == 2


async def test_a_chat_that_is_left_early_leaves_no_connection_behind() -> None:
    async with serving(answering(*ANSWER[:3]), answering(*ANSWER)) as served, served.transport:
        async with served.chat() as chat:
            await chat.receive_batch()
        async with served.chat() as chat:
            assert [event.text async for event in chat if isinstance(event, Text)] == ["Hel"]
    assert len(served.origins) == 2


async def test_two_chats_at_once_have_a_connection_each() -> None:
    serves = answering(*ANSWER), answering(*ANSWER)
    async with serving(*serves) as served, served.transport, served.chat() as first, served.chat() as second:
        for chat in (first, second):
            assert [event.text async for event in chat if isinstance(event, Text)] == ["Hel"]
    assert len(served.origins) == 2


async def test_a_chat_that_outlives_the_transports_block_closes_its_connection() -> None:
    log: list[str] = []

    async def serve(server: Server) -> None:
        await server.request()
        await server.send(*ANSWER)
        log.append(await server.left())

    async with serving(serve) as served:
        chat_block = served.chat()
        async with served.transport:
            chat = await chat_block.__aenter__()
        assert len([event async for event in chat]) > 1
        await chat_block.__aexit__(None, None, None)
        await wait_all_tasks_blocked()
    assert log == ["fin"]


# ------------------------------------------------------------------------------------------------- the outside world


async def test_nobody_listens_there() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{sock.getsockname()[1]}"
        with pytest.raises(ConnectError, match=f"cannot connect to {url}"):
            async with open_chat(url, dialect="ollama-chat", model="m", messages="Hi"):
                pytest.fail("the block must not begin")


async def test_trust_is_for_a_transport_that_is_made_here() -> None:
    with pytest.raises(ConfigError, match="tls is for a transport that is made here"):
        async with open_chat(
            "https://a.test",
            dialect="ollama-chat",
            messages="Hi",
            transport=HTTPTransport(),
            tls=ssl.create_default_context(),
        ):
            pytest.fail("the block must not begin")
