"""An answer pushed into a channel: everything, then how it ended; and whoever stops it closes the connection."""

from __future__ import annotations

import trio
from trio.testing import wait_all_tasks_blocked

from streamkit.dialects.events import Event
from streamkit.errors import DisconnectedError
from streamkit.io.items import End as Ended
from streamkit.io.items import Failed, Item
from tests.client.peers import HEL, HELLO, NDJSON, Server, answering, chunk, serving, texts


async def test_a_chat_is_pushed_to_its_end() -> None:
    async with serving(answering(*HELLO)) as served, served.chat() as chat, trio.open_nursery() as nursery:
        send, receive = trio.open_memory_channel[Item[Event] | Ended | Failed](0)
        nursery.start_soon(chat.push, send)
        messages = [message async for message in receive]
    assert texts([message.value for message in messages[:-1] if isinstance(message, Item)]) == ["Hel", "lo"]
    assert isinstance(messages[-1], Ended)


async def test_a_push_that_fails_says_so_after_everything_good() -> None:
    async def serve(server: Server) -> None:
        await server.request()
        await server.send(NDJSON, chunk(HEL))
        server.stream.abort()

    async with serving(serve) as served, served.chat() as chat, trio.open_nursery() as nursery:
        send, receive = trio.open_memory_channel[Item[Event] | Ended | Failed](0)
        nursery.start_soon(chat.push, send)
        messages = [message async for message in receive]
    assert texts([message.value for message in messages[:-1] if isinstance(message, Item)]) == ["Hel"]
    failed = messages[-1]
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, DisconnectedError)


async def test_cancelling_the_push_closes_the_connection_at_once_and_sends_no_end() -> None:
    left: list[str] = []

    async def serve(server: Server) -> None:
        await server.request()
        await server.send(NDJSON, chunk(HEL))
        left.append(await server.left())

    async with serving(serve) as served, served.chat() as chat:
        send, receive = trio.open_memory_channel[Item[Event] | Ended | Failed](9)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(chat.push, send)
            await wait_all_tasks_blocked()
            assert left == []
            nursery.cancel_scope.cancel()
        await wait_all_tasks_blocked()
        assert left == ["reset"]  # while the block still runs
        messages = [message async for message in receive]
    assert all(isinstance(message, Item) for message in messages)


async def test_a_slow_receiver_lets_the_server_wait() -> None:
    line = b'{"model":"m","message":{"role":"assistant","content":"%b"},"done":false}\n' % (b"x" * 4000)
    sent = 0

    async def serve(server: Server) -> None:
        nonlocal sent
        await server.request()
        await server.send(NDJSON)
        for _ in range(1000):
            await server.send(chunk(line))
            sent += 1

    async with serving(serve) as served, served.chat() as chat, trio.open_nursery() as nursery:
        send, receive = trio.open_memory_channel[Item[Event] | Ended | Failed](0)
        nursery.start_soon(chat.push, send)
        await receive.receive()
        await wait_all_tasks_blocked()
        assert sent < 30  # what the pipe of 64 KiB and one read hold
        before = sent
        for _ in range(20):
            await receive.receive()
        await wait_all_tasks_blocked()
        assert sent > before
        nursery.cancel_scope.cancel()


async def test_a_receiver_that_closes_stops_the_task_and_closes_the_connection() -> None:
    left: list[str] = []

    async def serve(server: Server) -> None:
        await server.request()
        await server.send(NDJSON, chunk(HEL))
        left.append(await server.left())

    async with serving(serve) as served, served.chat() as chat:
        async with trio.open_nursery() as nursery:
            send, receive = trio.open_memory_channel[Item[Event] | Ended | Failed](0)
            nursery.start_soon(chat.push, send)
            await receive.receive()
            await receive.aclose()
        await wait_all_tasks_blocked()
        assert left == ["reset"]
