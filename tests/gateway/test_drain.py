"""Draining: nothing new is taken on, nothing that has begun is lost, and it comes to an end."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

import pytest
import trio
import trio.testing

from mockserver import open_mockserver
from streamkit.gateway.open import open_gateway
from streamkit.http.limits import Limits
from streamkit.http.listener import open_listeners
from streamkit.http.memory import MemoryStream, memory_pair
from streamkit.http.server import Exchange, Handler, Waits, serve, serve_connection
from streamkit.http.stream import WireStream
from tests.gateway.shell import connected, wire
from tests.http.peers import GET, LAST, answer, echo, read_all, read_exactly, reply

POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"

PATIENCE_S = 10


class MemoryListener(trio.abc.Listener[WireStream]):
    """Accepts what `connect` makes."""

    def __init__(self) -> None:
        self._connected, self._accepted = trio.open_memory_channel[WireStream](math.inf)

    def connect(self) -> MemoryStream:
        client, server = memory_pair()
        self._connected.send_nowait(server)
        return client

    async def accept(self) -> WireStream:
        return await self._accepted.receive()

    async def aclose(self) -> None:
        self._accepted.close()
        await trio.lowlevel.checkpoint()


class Drained:
    """A server in memory, and when it returned."""

    def __init__(self) -> None:
        self.listener = MemoryListener()
        self.drain = trio.Event()
        self.done = trio.Event()
        self.done_s = math.nan

    async def run(self, handler: Handler, limits: Limits | None) -> None:
        await serve([self.listener], handler, limits=limits, drain=self.drain)
        self.done_s = trio.current_time()
        self.done.set()


@asynccontextmanager
async def server(handler: Handler = echo, limits: Limits | None = None) -> AsyncIterator[Drained]:
    """A server whose block has to see to it that it returns by itself."""
    running = Drained()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(running.run, handler, limits)
        await trio.testing.wait_all_tasks_blocked()
        yield running
        await running.done.wait()


async def settle() -> None:
    await trio.testing.wait_all_tasks_blocked()


# ------------------------------------------------------------------------------------------------------ who only waits


async def test_those_who_wait_for_a_request_are_let_go_at_once(autojump_clock: trio.testing.MockClock) -> None:
    async with server() as running:
        silent, served = running.listener.connect(), running.listener.connect()
        await served.send_all(GET)
        assert await read_exactly(served, len(answer(b"GET / "))) == answer(b"GET / ")
        await settle()
        running.drain.set()
        assert await read_all(silent) == b""
        assert await read_all(served) == b""
        await running.done.wait()
        assert trio.current_time() == 0


async def test_nobody_is_accepted_any_more(autojump_clock: trio.testing.MockClock) -> None:
    async with server() as running:
        running.drain.set()
        await running.done.wait()
        with pytest.raises(trio.ClosedResourceError):
            await running.listener.accept()


async def test_a_port_is_closed() -> None:
    (listener,) = await open_listeners(0)
    drain = trio.Event()
    with trio.fail_after(PATIENCE_S):
        async with trio.open_nursery() as nursery:
            await nursery.start(partial(serve, [listener], echo, drain=drain))
            port = listener.port
            idle = await connected(port)
            drain.set()
            assert await read_all(idle) == b""
            with pytest.raises(OSError, match="refused"):
                await connected(port)
            await idle.aclose()


async def test_what_no_longer_waits_is_forgotten() -> None:
    waits = Waits()
    client, serving = memory_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(serve_connection, serving, echo, waits=waits))
        for _ in range(3):
            await client.send_all(GET)
            await read_exactly(client, len(answer(b"GET / ")))
        await settle()
        assert len(waits._scopes) == 1  # noqa: SLF001 - what it holds on to, nobody sees
        await client.aclose()
    assert not waits._scopes  # noqa: SLF001


async def test_a_server_that_was_told_before_it_began(autojump_clock: trio.testing.MockClock) -> None:
    running = Drained()
    running.drain.set()
    await running.run(echo, None)
    assert running.done_s == 0


async def test_where_nobody_tells_closed_listeners_still_end_it(autojump_clock: trio.testing.MockClock) -> None:
    async with server() as running:
        client = running.listener.connect()
        await client.send_all(GET)
        await read_exactly(client, len(answer(b"GET / ")))
        await running.listener.aclose()
        await settle()
        assert not running.done.is_set()
        await client.send_all(LAST)
        assert await read_all(client) == answer(b"GET / ")
        await client.aclose()


# --------------------------------------------------------------------------------------------------- what has begun


async def test_a_request_that_has_come_is_answered(autojump_clock: trio.testing.MockClock) -> None:
    """The server has not read it when it is told to end."""
    async with server() as running:
        kept, fresh = running.listener.connect(), running.listener.connect()
        await kept.send_all(GET)
        await read_exactly(kept, len(answer(b"GET / ")))
        await settle()
        late = running.listener.connect()
        for client in (kept, fresh, late):
            assert client.send_now(GET) == len(GET)
        running.drain.set()
        for client in (kept, fresh, late):
            assert await read_all(client) == answer(b"GET / ")
            await client.aclose()


async def test_half_a_head_gets_its_time(autojump_clock: trio.testing.MockClock) -> None:
    async with server() as running:
        client = running.listener.connect()
        await client.send_all(GET[:9])
        await settle()
        running.drain.set()
        await trio.sleep(20)
        await client.send_all(GET[9:])
        assert await read_all(client) == answer(b"GET / ")
        await client.aclose()
        await running.done.wait()
        assert running.done_s == 20


async def test_and_no_more_than_that(autojump_clock: trio.testing.MockClock) -> None:
    async with server(limits=Limits(head_timeout_s=7)) as running:
        client = running.listener.connect()
        await client.send_all(GET[:9])
        await settle()
        running.drain.set()
        assert b" 408 " in await read_all(client)
        await client.aclose()
        await running.done.wait()
        assert 7 <= running.done_s < 8


async def test_a_body_is_read_and_answered_and_the_next_request_is_not(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with server() as running:
        client = running.listener.connect()
        await client.send_all(POST + b"he")
        await settle()
        running.drain.set()
        await trio.sleep(5)
        await client.send_all(b"llo" + GET)
        assert await read_all(client) == answer(b"POST / hello")
        await client.aclose()


async def test_a_response_is_finished(autojump_clock: trio.testing.MockClock) -> None:
    go_on = trio.Event()

    async def slowly(exchange: Exchange) -> None:
        await exchange.stream.send_all(answer(b"whole")[:-3])
        await go_on.wait()
        await exchange.stream.send_all(b"ole")

    async with server(slowly) as running:
        client = running.listener.connect()
        await client.send_all(GET)
        await settle()
        running.drain.set()
        await trio.sleep(1000)
        assert not running.done.is_set()
        go_on.set()
        assert await read_all(client) == answer(b"whole")
        await client.aclose()
        await running.done.wait()
        assert running.done_s == 1000


async def test_a_client_that_stays_holds_nothing_up_for_long(autojump_clock: trio.testing.MockClock) -> None:
    """It was answered, and does not close."""
    async with server() as running:
        client = running.listener.connect()
        await client.send_all(POST)
        await settle()
        running.drain.set()
        await client.send_all(b"hello")
        await running.done.wait()
        assert running.done_s == Limits().linger_timeout_s


async def test_those_beyond_the_limit_are_told_so_to_the_end(autojump_clock: trio.testing.MockClock) -> None:
    async with server(limits=Limits(max_connections=1)) as running:
        first, second = running.listener.connect(), running.listener.connect()
        await settle()
        running.drain.set()
        assert await read_all(first) == b""
        assert b" 503 " in await read_all(second)
        await second.aclose()


async def test_whoever_runs_out_of_patience_cancels(autojump_clock: trio.testing.MockClock) -> None:
    running = Drained()

    async def never(exchange: Exchange) -> None:
        await reply(exchange, b"")
        await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(running.run, never, None)
        client = running.listener.connect()
        await client.send_all(GET)
        await settle()
        running.drain.set()
        await trio.sleep(5)
        nursery.cancel_scope.cancel()
    await read_exactly(client, len(answer(b"")))
    with pytest.raises(trio.BrokenResourceError):
        await client.receive()


async def test_many_at_once_each_according_to_its_state(autojump_clock: trio.testing.MockClock) -> None:
    async with server() as running:
        clients = [running.listener.connect() for _ in range(90)]
        for number, client in enumerate(clients):
            await client.send_all((b"", GET[:7], POST)[number % 3])
        await settle()
        running.drain.set()
        for number, client in enumerate(clients):
            rest, wanted = ((b"", b""), (GET[7:], b"GET / "), (b"12345", b"POST / 12345"))[number % 3]
            if rest:
                await client.send_all(rest)
            assert await read_all(client) == (answer(wanted) if rest else b"")
            await client.aclose()


# ------------------------------------------------------------------------------------------------------ a whole gateway

CHAT = b'{"model":"m","stream":true,"messages":[{"role":"user","content":"Hi"}]}'


def chat(mock: str, keep_alive: Callable[[bytes], bytes] = lambda data: data) -> bytes:
    return keep_alive(wire("POST /v1/chat/completions", f"X-Mock: {mock}", body=CHAT))


def kept_alive(data: bytes) -> bytes:
    return data.replace(b"Connection: close\r\n", b"")


async def read_until(stream: WireStream, mark: bytes) -> bytes:
    got = b""
    while mark not in got:
        data = await stream.receive_some()
        assert data, got
        got += data
    return got


async def test_streams_that_run_come_to_their_ends() -> None:
    with trio.fail_after(PATIENCE_S):
        async with open_mockserver(gate="held@token:3", tokens=9) as mock, open_gateway(mock.url) as gateway:
            idle, flowing, waiting = [await connected(gateway.port) for _ in range(3)]
            await flowing.send_all(chat("", kept_alive))
            got = await read_until(flowing, b"data: ")
            await waiting.send_all(chat("gate=before@before-head", kept_alive))
            await mock.gates.wait_for("held", 1)
            await mock.gates.wait_for("before", 1)
            gateway.drain()
            assert await read_all(idle) == b""
            with pytest.raises(OSError, match="refused"):
                await connected(gateway.port)
            mock.gates.open("held")
            mock.gates.open("before")
            got += await read_all(flowing)
            late = await read_all(waiting)
            for stream in (idle, flowing, waiting):
                await stream.aclose()
            await gateway.wait_done()
    assert got.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")
    assert late.endswith(b"0\r\n\r\n")
    assert b"Connection: close\r\n" in late, "whose head came after that"
    assert [record.outcome for record in gateway.records] == ["ok", "ok"]
    assert gateway.stats.active == 0


async def test_a_block_that_is_left_while_it_drains_ends_the_rest() -> None:
    with trio.fail_after(PATIENCE_S):
        async with open_mockserver(gate="held@token:3", tokens=9) as mock:
            async with open_gateway(mock.url) as gateway:
                client = await connected(gateway.port)
                await client.send_all(chat(""))
                await read_until(client, b"data: ")
                gateway.drain()
                with trio.move_on_after(0.01) as scope:
                    await gateway.wait_done()
                assert scope.cancelled_caught
            with pytest.raises(trio.BrokenResourceError):
                await read_all(client)
            await client.aclose()
    assert [record.outcome for record in gateway.records] == ["stopped"]
