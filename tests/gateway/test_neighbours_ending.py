"""The gateway beside nginx and haproxy: early ends are seen, clients that leave too, and connections are used again."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio

from mockserver.open import open_mockserver
from streamkit.gateway.config import GatewayConfig
from streamkit.gateway.gateway import Gateway
from streamkit.http.listener import Listener
from streamkit.http.origin import parse_origin
from streamkit.http.server import serve
from tests.gateway.chains import ROWS, Row, as_parameters, chain_to_mock, chain_to_ours
from tests.gateway.peers import PATIENCE_S, connected, head_bytes, request
from tests.gateway.readers import VISIBLE, Client, Ended
from tests.mockserver.talk import request_bytes

CHAT = {"model": "m", "messages": [{"role": "user", "content": "Hello"}], "stream": True}
CHAT_PATH = "/v1/chat/completions"
STREAM = request_bytes(CHAT_PATH, CHAT)
SOUND = request_bytes(CHAT_PATH, CHAT, mock="fault=none; gate=none; tokens=3; rate=0")

FIRST = Row("first", "nginx", streaming=False)
SECOND = Row("second", "nginx", streaming=False)
"""Default nginx, which speaks HTTP/1.0 to what is behind it: answers end there with their connection."""


# ----------------------------------------------------------------------------------------------------------- early ends

EARLY = [
    ("chunked", "reset@token:3"),
    ("chunked", "close@token:3"),
    ("chunked", "close@event:3+10"),
    ("chunked", "bad-chunk@token:3"),
    ("chunked", "no-last-chunk"),
    ("length", "reset@token:3"),
    ("length", "close@token:3"),
    ("length", "length:+5"),
    ("close", "reset@token:3"),
]
"""Framings, and the faults that do not look like an end there."""


SEEN = [
    pytest.param(row, framing, fault, id=f"{row}-{framing}-{fault}", marks=pytest.mark.needs(row.name))
    for row in ROWS
    for framing, fault in EARLY
    if (framing != "chunked" or row != SECOND) and (framing != "close" or row.name != "haproxy")
]
"""Nothing is chunked for the HTTP/1.0 of default nginx. haproxy ends with FIN what its upstream ended with RST."""


@pytest.mark.parametrize(("row", "framing", "fault"), SEEN)
async def test_an_early_end_is_seen_by_the_client(row: Row, framing: str, fault: str) -> None:
    async with chain_to_mock(row, tokens=6, framing=framing, fault=fault) as chain:
        client = await chain.client()
        await client.send(STREAM)
        try:
            head = await client.head("POST")
        except Ended:
            pass  # the head is lost where a reset overtakes it
        else:
            if head.status < 500:
                _, ending = await client.rest()
                assert ending in VISIBLE
        client = await chain.client()
        head, body, ending = await client.ask(SOUND)
        assert head.status == 200
        assert body.endswith(b"data: [DONE]\n\n")
        assert ending == "complete"


@as_parameters(ROWS)
async def test_an_end_before_the_head_is_a_502(row: Row) -> None:
    async with chain_to_mock(row, fault="reset@before-head") as chain:
        client = await chain.client()
        head, _, ending = await client.ask(STREAM)
        assert (head.status, ending) == (502, "complete")
        assert (await (await chain.client()).ask(SOUND))[0].status == 200


@as_parameters(ROWS)
async def test_an_error_is_passed_on_with_its_fields(row: Row) -> None:
    async with chain_to_mock(row, fault="status:429:7") as chain:
        head, body, ending = await (await chain.client()).ask(STREAM)
        assert (head.status, head.get("retry-after"), ending) == (429, "7", "complete")
        assert b"told to answer 429" in body


# -------------------------------------------------------------------------------------------------------------- leaving

WINDOWS: dict[str, dict[str, Any]] = {
    "flowing": {"rate": 200, "tokens": 100_000},
    "silent": {"gate": "g@token:3"},
    "before the head": {"gate": "g@before-head"},
}


async def fin(client: Client) -> None:
    """Close, with nothing unread that would make a reset of it."""
    while not client.stream.is_quiet():
        await client.stream.receive()
    await client.stream.aclose()


async def reset(client: Client) -> None:
    client.stream.abort()


WAYS: dict[str, Callable[[Client], Awaitable[None]]] = {"FIN": fin, "RST": reset}

PASSED_ON = [
    pytest.param(row, window, id=f"{row}-{window}", marks=pytest.mark.needs(row.name))
    for row in ROWS
    for window in WINDOWS
    if window == "flowing" or row.streaming or row == FIRST
]
"""haproxy passes it on in silence where `abortonclose` is on; for default nginx before the mock see below."""


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("row", "window"), PASSED_ON)
async def test_a_clients_leaving_reaches_the_upstream(row: Row, window: str, way: str) -> None:
    async with chain_to_mock(row, **WINDOWS[window]) as chain:
        client = await chain.client()
        await client.send(STREAM)
        if window == "before the head":
            await chain.mock.gates.wait_for("g")
        else:
            await client.head("POST")
            await client.read(100)
        await WAYS[way](client)
        entry = await chain.ended()
        assert entry.outcome == "client-left"
        assert (await chain.stand.record(1)).outcome == "client-left"
        assert (await (await chain.client()).ask(SOUND))[0].status == 200


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("window", ["silent", "before the head"])
@as_parameters([SECOND])
async def test_a_clients_leaving_makes_default_nginx_leave(row: Row, window: str, way: str) -> None:
    """The mock cannot tell: it takes no half-closed client of HTTP/1.0 for one that has left."""
    async with chain_to_ours(row) as chain:
        client = await chain.client()
        await client.send(request())
        server = await chain.server()
        await server.head()
        if window == "silent":
            await server.send(head_bytes("close", fields=[("X-Accel-Buffering", "no")]) + b"data: 1\n\n")
            await client.head()
            await client.read(9)
        await WAYS[way](client)
        assert await server.until_left() in {"closed", "reset"}


# ---------------------------------------------------------------------------------------------- one connection for many


@as_parameters(ROWS)
async def test_connections_are_used_for_many_requests(row: Row) -> None:
    count = 30
    async with chain_to_mock(row, tokens=3) as chain:
        client = await chain.client()
        for number in range(1, count + 1):
            asked = STREAM if number % 2 else request_bytes("/api/tags")
            head, body, ending = await client.ask(asked)
            assert (head.status, ending) == (200, "complete")
            assert body
            record = await chain.stand.record(number)  # it may end behind the answer's last byte
            assert record.reused == (number > 1)
        used = [entry.connection for entry in chain.mock.journal]
        assert used == ([*range(1, count + 1)] if row == SECOND else [1] * count)  # default nginx asks over new ones


@pytest.mark.parametrize("asked", [STREAM, request_bytes("/api/tags")], ids=["POST", "GET"])
@as_parameters([row for row in ROWS if row.place == "second"])
async def test_an_upstream_that_was_started_again_is_asked_again(row: Row, asked: bytes) -> None:
    """Its idle connections were closed, which is seen before one of them is used."""
    async with chain_to_mock(row, tokens=3) as chain:
        client = await chain.client()
        for number in range(1, 4):
            head, _, ending = await client.ask(asked)
            assert (head.status, ending) == (200, "complete")
            assert not (await chain.stand.record(number)).reused
            chain.neighbour.restart()


@pytest.mark.parametrize("asked", [STREAM, request_bytes("/api/tags")], ids=["POST", "GET"])
@as_parameters([row for row in ROWS if row.place == "first"])
async def test_a_gateway_that_was_started_again_is_asked_again(row: Row, asked: bytes) -> None:
    with trio.fail_after(PATIENCE_S), socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        async with open_mockserver(tokens=3) as mock:
            with row.start(port) as neighbour:
                client = Client(await connected(neighbour.port))
                for _ in range(3):
                    gateway = Gateway(GatewayConfig(upstream=parse_origin(mock.url)))
                    async with trio.open_nursery() as nursery:
                        nursery.start_soon(serve, [Listener(listening.dup())], gateway.handle)
                        head, _, ending = await client.ask(asked)
                        assert (head.status, ending) == (200, "complete")
                        nursery.cancel_scope.cancel()
                    await gateway.aclose()
                await client.stream.aclose()
