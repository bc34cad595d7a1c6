"""The gateway beside nginx and haproxy, before them and behind them: nothing is held back.

That no byte is changed is in `test_neighbours_bytes.py`, how streams end and clients leave in
`test_neighbours_ending.py`.
"""

from __future__ import annotations

import zlib

import pytest
import trio

from tests.gateway.chains import ROWS, Chain, Row, as_parameters, body_of, chain_to_mock, chain_to_ours, steps
from tests.gateway.peers import FRAMINGS, Fields, end, framed, head_bytes, request
from tests.gateway.readers import Client
from tests.mockserver.talk import request_bytes

CHAT = {"model": "m", "messages": [{"role": "user", "content": "Hello"}], "stream": True}

EVENTS = request_bytes("/v1/chat/completions", CHAT)
LINES = request_bytes("/api/chat", CHAT)
"""Requests for a stream of events and for one of lines."""

TOKENS = 6

HELD_S = 0.3
"""How long a test waits for what does not come."""

ALONE = Row("alone", "nginx", streaming=False)
FIRST = Row("first", "nginx", streaming=False)
SECOND = Row("second", "nginx", streaming=False)
"""nginx as it comes, with a `proxy_pass` and nothing else."""


# ---------------------------------------------------------------------------------------------------------- in lockstep


async def in_lockstep(chain: Chain, client: Client) -> None:
    """Let the mock go on only when the client has all that it has sent so far."""
    gates, journal = chain.mock.gates, chain.mock.journal
    await gates.wait_for("step")
    head = await client.head("POST")  # before there is any of the body
    assert head.status == 200
    got = b""
    for _ in range(TOKENS):
        gates.step("step")
        await gates.wait_for("step")
        sent = body_of(bytes(journal[-1].sent))
        assert len(sent) > len(got)
        got += await client.read(len(sent) - len(got))
        assert got == sent
    gates.step("step")
    rest, ending = await client.rest()
    assert ending in {"complete", "closed"}
    assert got + rest == body_of(bytes((await chain.ended()).sent))


LOCKSTEP = [row for row in ROWS if row != SECOND]


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("wanted", [EVENTS, LINES], ids=["events", "lines"])
@as_parameters(LOCKSTEP)
async def test_each_token_is_through_before_the_next_is_made(row: Row, wanted: bytes, framing: str) -> None:
    async with chain_to_mock(row, tokens=TOKENS, framing=framing, gate=steps(TOKENS)) as chain:
        client = await chain.client()
        await client.send(wanted)
        await in_lockstep(chain, client)


@pytest.mark.parametrize("framing", FRAMINGS)
@as_parameters([SECOND])
async def test_what_an_upstream_says_to_default_nginx_counts_behind_the_gateway(row: Row, framing: str) -> None:
    async with chain_to_mock(row, tokens=TOKENS, framing=framing, gate=steps(TOKENS)) as chain:
        client = await chain.client()
        await client.send(EVENTS)
        await in_lockstep(chain, client)


PIECES = [b'data: {"n":%d}\n\n' % number for number in range(8)]

STREAMS: dict[str, Fields] = {
    "events": [("Content-Type", "text/event-stream; charset=utf-8")],
    "lines": [("Content-Type", "application/x-ndjson")],
    "untyped": [],
}


MARKED = [(kind, framing) for kind in STREAMS for framing in FRAMINGS if (kind, framing) != ("untyped", "length")]
"""What the gateway tells nginx not to buffer: what is a stream by its type, and whatever has no length."""


@pytest.mark.parametrize(("kind", "framing"), MARKED)
@as_parameters([FIRST])
async def test_default_nginx_streams_what_comes_from_the_gateway(row: Row, kind: str, framing: str) -> None:
    async with chain_to_ours(row) as chain:
        client = await chain.client()
        await client.send(request())
        server = await chain.server()
        await server.head()
        await server.send(head_bytes(framing, len(b"".join(PIECES)), STREAMS[kind]))
        assert (await client.head()).status == 200
        for piece in PIECES:
            await server.send(framed(framing, piece))
            assert await client.read(len(piece)) == piece
        await end(server, framing)
        assert await client.rest() == (b"", "complete")


@pytest.mark.parametrize("framing", ["length", "close"])
@pytest.mark.parametrize("kind", STREAMS)
@as_parameters([ALONE])
async def test_default_nginx_alone_holds_all_of_it_back(row: Row, kind: str, framing: str) -> None:
    async with chain_to_ours(row) as chain:
        client = await chain.client()
        await client.send(request())
        server = await chain.server()
        await server.head()
        await server.send(head_bytes(framing, len(b"".join(PIECES)), STREAMS[kind]))
        for piece in PIECES[:-1]:
            await server.send(framed(framing, piece))
        with trio.move_on_after(HELD_S) as scope:
            await client.head()
        assert scope.cancelled_caught
        assert not client.wire
        await server.send(framed(framing, PIECES[-1]))
        await end(server, framing)
        await client.head()
        assert await client.rest() == (b"".join(PIECES), "complete")


@as_parameters([Row("first", "nginx", streaming=True, gzip=True), Row("second", "nginx", streaming=True, gzip=True)])
async def test_an_nginx_that_compresses_lets_each_token_through(row: Row) -> None:
    async with chain_to_mock(row, tokens=TOKENS, gate=steps(TOKENS)) as chain:
        gates, journal = chain.mock.gates, chain.mock.journal
        client = await chain.client()
        await client.send(request_bytes("/v1/chat/completions", CHAT, headers={"Accept-Encoding": "gzip"}))
        await gates.wait_for("step")
        head = await client.head("POST")
        assert (head.get("content-encoding"), head.get("content-length")) == ("gzip", None)
        gunzip = zlib.decompressobj(wbits=31)
        got = b""
        for _ in range(TOKENS):
            gates.step("step")
            await gates.wait_for("step")
            sent = body_of(bytes(journal[-1].sent))
            while len(got) < len(sent):
                got += gunzip.decompress(await client.read(1))
            assert got == sent
        gates.step("step")
        rest, ending = await client.rest()
        assert ending == "complete"
        assert got + gunzip.decompress(rest) == body_of(bytes((await chain.ended()).sent))
