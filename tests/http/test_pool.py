"""Kept connections: which are used again, for how long, and that none is left open."""

from __future__ import annotations

import gc

import pytest
import trio
import trio.testing

from streamkit.errors import ConnectError
from streamkit.http.client import ClientConnection
from streamkit.http.connect import dial_of
from streamkit.http.head import ResponseHead
from streamkit.http.memory import MemoryStream, memory_pair
from streamkit.http.origin import Origin
from streamkit.http.pool import Pool
from streamkit.http.server import Exchange
from streamkit.http.stream import WireStream
from streamkit.http.tls import TLSListener, throwaway_certificate
from tests.http.peers import echo, listening

ASK = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
NOTHING = b"HTTP/1.1 204 No Content\r\n"


class Server:
    """The other ends of a pool's connections, oldest first."""

    def __init__(self) -> None:
        self.ends: list[MemoryStream] = []

    async def dial(self) -> WireStream:
        await trio.lowlevel.checkpoint()
        ours, theirs = memory_pair()
        self.ends.append(theirs)
        return ours

    def open_ends(self) -> list[int]:
        """Which of the connections the pool holds open."""
        return [number for number, end in enumerate(self.ends) if end.is_quiet()]


async def ask(connection: ClientConnection, server: MemoryStream, fields: bytes = b"") -> ResponseHead:
    """One request and its answer, which has no body."""
    await connection.send(ASK)
    assert await server.receive_some() == ASK
    await server.send_all(NOTHING + fields + b"\r\n")
    return await connection.receive_head("GET")


async def used(pool: Pool, server: Server, fields: bytes = b"") -> ClientConnection:
    """A connection that is new, has had one answer, and was given back."""
    connection = await pool.connect()
    await pool.give_back(connection, await ask(connection, server.ends[-1], fields))
    return connection


async def test_the_newest_connection_is_used_first() -> None:
    server = Server()
    pool = Pool(server.dial)
    assert await pool.take() is None
    connections = [await pool.connect() for _ in range(3)]
    for connection, end in zip(connections, server.ends, strict=True):
        await pool.give_back(connection, await ask(connection, end))
    assert (pool.idle, pool.opened, pool.reused) == (3, 3, 0)
    assert [await pool.take() for _ in range(4)] == [*reversed(connections), None]
    assert (pool.idle, pool.opened, pool.reused) == (0, 3, 3)
    head = await ask(connections[0], server.ends[0])
    await pool.give_back(connections[0], head)
    assert await pool.take() is connections[0]
    for connection in connections:
        await connection.aclose()


@pytest.mark.parametrize(
    ("fields", "kept_s"),
    [
        (b"", 4.0),
        (b"Keep-Alive: timeout=3\r\n", 2.0),
        (b"keep-alive: max=5, TIMEOUT = 3\r\n", 2.0),
        (b"Keep-Alive: timeout=600\r\n", 4.0),
        (b"Keep-Alive: timeout=1\r\n", 0.0),
        (b"Keep-Alive: mytimeout=3, max=1\r\n", 4.0),
        (b"Connection: close\r\n", 0.0),
    ],
)
async def test_a_connection_is_kept_for_less_time_than_its_server_keeps_it(
    fields: bytes, kept_s: float, autojump_clock: trio.testing.MockClock
) -> None:
    for waited_s, is_there in ((kept_s - 0.1, True), (kept_s, False)):
        if waited_s < 0:
            continue
        server = Server()
        pool = Pool(server.dial)
        connection = await used(pool, server, fields)
        await trio.sleep(waited_s)
        assert await pool.take() is (connection if is_there else None)
        assert server.open_ends() == ([0] if is_there else [])
        await connection.aclose()


@pytest.mark.parametrize("what", ["end", "reset", "bytes"])
async def test_a_connection_with_something_to_read_is_not_used(what: str) -> None:
    server = Server()
    pool = Pool(server.dial)
    good = await used(pool, server)
    await used(pool, server)
    if what == "end":
        await server.ends[1].aclose()
    elif what == "reset":
        server.ends[1].abort()
    else:
        await server.ends[1].send_all(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
    assert await pool.take() is good
    assert (pool.reused, pool.idle) == (1, 0)
    assert server.open_ends() == [0]
    await good.aclose()


async def test_a_response_that_was_not_read_to_its_end_ends_the_connection() -> None:
    server = Server()
    pool = Pool(server.dial)
    connection = await pool.connect()
    await connection.send(ASK)
    await server.ends[0].send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na")
    head = await connection.receive_head("GET")
    await pool.give_back(connection, head)
    assert (pool.idle, server.open_ends()) == (0, [])


async def test_only_so_many_are_kept_and_the_oldest_makes_room() -> None:
    server = Server()
    pool = Pool(server.dial, max_idle=2)
    for _ in range(3):
        await used(pool, server)
    assert pool.idle == 2
    assert server.open_ends() == [1, 2]
    await pool.aclose()
    assert server.open_ends() == []


async def test_what_has_waited_long_enough_is_closed(autojump_clock: trio.testing.MockClock) -> None:
    server = Server()
    pool = Pool(server.dial)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pool.reap)
        connections = [await pool.connect() for _ in range(4)]
        heads = [await ask(each, end) for each, end in zip(connections, server.ends, strict=True)]
        await pool.give_back(connections[0], heads[0])
        await trio.sleep(3)
        await pool.give_back(connections[1], heads[1])
        await pool.give_back(connections[2], heads[2])
        await server.ends[2].aclose()
        assert server.open_ends() == [0, 1, 3]
        await trio.sleep(1.5)
        assert (server.open_ends(), pool.idle) == ([1, 3], 1)
        await trio.sleep(4)
        assert (server.open_ends(), pool.idle) == ([3], 0)
        nursery.cancel_scope.cancel()
    await connections[3].aclose()


async def test_a_closed_pool_keeps_nothing_any_more_also_where_it_is_cancelled() -> None:
    server = Server()
    pool = Pool(server.dial)
    connections = [await pool.connect() for _ in range(3)]
    heads = [await ask(each, end) for each, end in zip(connections, server.ends, strict=True)]
    for connection, head in zip(connections[:2], heads, strict=False):
        await pool.give_back(connection, head)
    with trio.CancelScope() as scope:
        scope.cancel()
        await pool.aclose()
    assert server.open_ends() == [2]
    await pool.give_back(connections[2], heads[2])
    assert (server.open_ends(), pool.idle) == ([], 0)


async def test_what_cannot_be_dialled_is_an_error_and_counts_for_nothing() -> None:
    async def fail() -> WireStream:
        raise ConnectError("nobody listens")

    pool = Pool(fail)
    with pytest.raises(ConnectError, match="nobody listens"):
        await pool.connect()
    assert (pool.opened, pool.idle) == (0, 0)


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_over_sockets_requests_share_a_connection_and_nothing_is_left_open(scheme: str) -> None:
    seen: list[tuple[int, int]] = []

    async def note(exchange: Exchange) -> None:
        seen.append((exchange.request.connection, exchange.request.number))
        await echo(exchange)

    if scheme == "https":
        pytest.importorskip("trustme")
        certificate = throwaway_certificate("localhost")
        context = certificate.client_context()
        server = listening(note, wrap=lambda listener: TLSListener(listener, certificate.context))
    else:
        context = None
        server = listening(note)
    async with server as listener:
        pool = Pool(dial_of(Origin(scheme, "localhost", listener.port), context))
        for _ in range(3):
            connection = await pool.take() or await pool.connect()
            await connection.send(ASK)
            head = await connection.receive_head("GET")
            while await connection.receive() is not None:
                pass
            await pool.give_back(connection, head)
        assert (pool.opened, pool.reused, pool.idle) == (1, 2, 1)
        await pool.aclose()
        del connection
        gc.collect()  # a socket that was left open is a ResourceWarning now
    assert seen == [(1, 1), (1, 2), (1, 3)]


async def test_a_connection_that_the_server_closed_is_not_used() -> None:
    async def close(exchange: Exchange) -> None:
        """Close without having said so, as servers do that have waited long enough."""
        exchange.keep_alive = False
        await echo(exchange)

    async with listening(close) as listener:
        pool = Pool(dial_of(Origin("http", "127.0.0.1", listener.port)))
        connection = await pool.connect()
        await connection.send(ASK)
        head = await connection.receive_head("GET")
        while await connection.receive() is not None:
            pass
        await pool.give_back(connection, head)
        assert pool.idle == 1
        with trio.fail_after(5):
            while connection.stream.is_quiet():  # noqa: ASYNC110 - the end is on its way
                await trio.sleep(0.001)
        assert (await pool.take(), pool.idle, pool.reused) == (None, 0, 0)
