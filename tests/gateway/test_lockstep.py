"""Lockstep: nobody sends the next piece before the other end holds this one, in both directions.

A gateway that holds anything back, for a full buffer, for the end or for a timer, makes such a test wait for ever.
"""

from __future__ import annotations

import zlib
from itertools import accumulate, pairwise, product
from random import Random

import h11
import pytest
import trio.testing
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mockserver.open import open_mockserver
from tests.gateway.peers import (
    FRAMINGS,
    Fields,
    end,
    exchange,
    framed,
    gateway_to,
    head_bytes,
    request,
    standing,
    together,
    whole,
)
from tests.gateway.readers import Client, Server
from tests.mockserver.talk import request_bytes

SSE = [b'data: {"choices":[{"delta":{"content":"%d"}}]}\n\n' % number for number in range(12)]
COMMENTS = [b": ping\n\n" if number % 2 else b"data: %d\n\n" % number for number in range(8)]
LINES = [b'{"message":{"content":"%d"},"done":false}\n' % number for number in range(12)]
BYTES = [bytes([byte]) for byte in "data: größe 🐢\r\n\r\n".encode()]
MIXED = [Random(size).randbytes(size) for size in (5000, 1, 20000, 3, 9000, 1)]
LARGE = [Random(size).randbytes(size) for size in (70_000, 65_536, 65_537, 1, 300_000)]


def deflated(pieces: list[bytes]) -> list[bytes]:
    """Compress as a server does that flushes behind each piece."""
    gzip = zlib.compressobj(wbits=31)
    return [gzip.compress(piece) + gzip.flush(zlib.Z_SYNC_FLUSH) for piece in pieces] + [gzip.flush()]


EVENT_STREAM = ("Content-Type", "text/event-stream")

ROWS: list[tuple[str, str, list[bytes], Fields]] = [
    ("events", "POST", SSE, [EVENT_STREAM]),
    ("events, GET", "GET", SSE, [EVENT_STREAM]),
    ("events, charset", "POST", SSE, [("Content-Type", "text/event-stream; charset=utf-8")]),
    ("events and comments", "POST", COMMENTS, [EVENT_STREAM]),
    ("events, gzip", "POST", deflated(SSE), [EVENT_STREAM, ("Content-Encoding", "gzip")]),
    ("lines", "POST", LINES, [("Content-Type", "application/x-ndjson")]),
    ("text", "GET", LINES, [("Content-Type", "text/plain")]),
    ("json", "POST", LINES, [("Content-Type", "application/json")]),
    ("no type", "GET", LINES, []),
    ("single bytes", "POST", BYTES, [EVENT_STREAM]),
    ("mixed sizes", "POST", MIXED, [("Content-Type", "application/octet-stream")]),
    ("mixed sizes of events", "POST", MIXED, [EVENT_STREAM]),
    ("large pieces", "POST", LARGE, [("Content-Type", "application/octet-stream")]),
]


async def carried(server: Server, client: Client, wire: bytes, piece: bytes) -> None:
    """Let the upstream send, and the client have what is new in it. Only what no kernel holds at once goes in two."""
    if len(wire) < 32_768:
        await server.send(wire)
        assert await client.read(len(piece)) == piece
        return

    async def take() -> None:
        assert await client.read(len(piece)) == piece

    await together(take, lambda: server.send(wire))


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize(("name", "method", "pieces", "fields"), ROWS, ids=[row[0] for row in ROWS])
async def test_each_piece_is_through_before_the_next_is_sent(
    name: str, method: str, pieces: list[bytes], fields: Fields, framing: str
) -> None:
    async with standing() as stand:
        asked = [("Accept-Encoding", "gzip")] if "gzip" in name else []
        client, server, _ = await exchange(stand, request(method, "/v1", asked, b"{}" if method == "POST" else b""))
        await server.send(head_bytes(framing, sum(map(len, pieces)), fields))
        head = await client.head(method)  # before there is any of the body
        assert head.status == 200
        for piece in pieces:
            await carried(server, client, framed(framing, piece), piece)
        await end(server, framing)
        assert await client.rest() == (b"", whole(framing))


@pytest.mark.parametrize("framing", FRAMINGS)
async def test_events_are_whole_at_the_client_under_gzip(framing: str) -> None:
    pieces = deflated(SSE)
    async with standing() as stand:
        client, server, _ = await exchange(stand, request(fields=[("Accept-Encoding", "gzip")]))
        await server.send(head_bytes(framing, sum(map(len, pieces)), [("Content-Encoding", "gzip"), EVENT_STREAM]))
        assert (await client.head()).get("content-encoding") == "gzip"
        gunzip = zlib.decompressobj(wbits=31)
        for piece, event in zip(pieces, SSE, strict=False):
            await server.send(framed(framing, piece))
            assert gunzip.decompress(await client.read(len(piece))) == event
        await server.send(framed(framing, pieces[-1]))
        await end(server, framing)
        await client.rest()


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("version", ["1.0", "1.1"])
async def test_a_client_of_either_version_gets_each_piece(version: str, framing: str) -> None:
    async with standing() as stand:
        client, server, _ = await exchange(stand, request(version=version))
        await server.send(head_bytes(framing, sum(map(len, SSE)), [EVENT_STREAM]))
        await client.head()
        for event in SSE:
            await carried(server, client, framed(framing, event), event)
        await end(server, framing)
        assert await client.rest() == (b"", whole(framing if version == "1.1" or framing == "length" else "close"))
        assert b"chunked" not in client.wire.lower() or version == "1.1"


async def test_an_upstream_of_http_1_0_is_passed_on_piece_by_piece() -> None:
    async with standing() as stand:
        client, server, _ = await exchange(stand, request())
        await server.send(b"HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        assert (await client.head()).line.startswith("HTTP/1.1 200")
        for event in SSE:
            await carried(server, client, event, event)
        await server.stream.aclose()
        assert await client.rest() == (b"", "closed")


@pytest.mark.parametrize("framing", FRAMINGS)
async def test_a_head_is_through_before_anything_of_the_body(framing: str) -> None:
    async with standing() as stand:
        client, server, _ = await exchange(stand, request("POST", body=b"{}"))
        await server.send(head_bytes(framing, 5, [EVENT_STREAM]))
        await client.head()
        await server.send(framed(framing, b"hello"))
        await end(server, framing)
        assert await client.rest() == (b"hello", whole(framing))


async def test_a_head_in_single_bytes_is_a_head() -> None:
    async with standing() as stand:
        client, server, _ = await exchange(stand, request())
        for byte in head_bytes("length", 2) + b"ok":
            await server.send(bytes([byte]))
            await trio.testing.wait_all_tasks_blocked()  # as a read of its own
        assert (await client.head()).status == 200
        assert await client.rest() == (b"ok", "complete")


# Drawn: what is sent at once is anything from a part of a chunk to several of them.

sizes = st.one_of(st.integers(1, 20), st.integers(1, 3000), st.sampled_from([4096, 8192, 16384, 20000]))
cuts = st.lists(st.integers(0, 100_000), max_size=12)


def written(framing: str, pieces: list[bytes], cuts: list[int]) -> list[tuple[bytes, int]]:
    """Cut a body's wire into writes; each with how much of the payload has been sent with it."""
    wire, payload_of = bytearray(), []
    for piece in pieces:
        chunk = framed(framing, piece)
        start = chunk.index(b"\r\n") + 2 if framing == "chunked" else 0
        wire += chunk
        payload_of += [start <= at < start + len(piece) for at in range(len(chunk))]
    sent = [0, *accumulate(payload_of)]
    places = sorted({cut % (len(wire) + 1) for cut in cuts} | {0, len(wire)})
    return [(bytes(wire[a:b]), sent[b]) for a, b in pairwise(places)]


def test_writes_know_what_of_the_payload_is_in_them() -> None:
    assert written("chunked", [b"abc", b"d"], [0, 4, 7, 11]) == [
        (b"3\r\na", 1),
        (b"bc\r", 3),
        (b"\n1\r\n", 3),
        (b"d\r\n", 4),
    ]
    assert written("close", [b"abc"], [1]) == [(b"a", 1), (b"bc", 3)]


@settings(max_examples=40)
@given(st.sampled_from(FRAMINGS), st.lists(sizes, min_size=1, max_size=8), cuts, st.integers(0, 99))
@example("chunked", [3, 3, 3], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], 0)
@example("chunked", [10, 10], [17, 18, 19, 20], 0)
async def test_whatever_is_sent_at_once_is_through_before_the_rest(
    framing: str, sizes: list[int], cuts: list[int], seed: int
) -> None:
    random = Random(seed)
    pieces = [random.randbytes(size) for size in sizes]
    payload = b"".join(pieces)
    async with standing() as stand:
        client, server, _ = await exchange(stand, request())
        await server.send(head_bytes(framing, len(payload)))
        await client.head()
        got = 0
        for wire, sent in written(framing, pieces, cuts):
            await server.send(wire)
            assert await client.read(sent - got) == payload[got:sent]
            got = sent
        await end(server, framing)
        assert await client.rest() == (b"", whole(framing))


# Upwards: the client does not go on before the upstream has what it sent.


@pytest.mark.parametrize("framing", ["chunked", "length"])
@pytest.mark.parametrize("pieces", [SSE, BYTES, MIXED], ids=["events", "single bytes", "mixed sizes"])
async def test_each_piece_of_a_request_is_through_before_the_next_is_sent(pieces: list[bytes], framing: str) -> None:
    async with standing() as stand:
        ends = "Transfer-Encoding: chunked" if framing == "chunked" else f"Content-Length: {sum(map(len, pieces))}"
        head = f"POST /upload HTTP/1.1\r\nHost: a\r\n{ends}\r\n\r\n".encode()
        client, server, got = await exchange(stand, head)
        assert got.get("content-length") == (None if framing == "chunked" else str(sum(map(len, pieces))))
        for piece in pieces:
            await client.send(framed(framing, piece))
            assert await server.read(len(piece)) == piece
        await client.send(b"0\r\n\r\n" if framing == "chunked" else b"")
        assert await server.rest() == (b"", "complete")
        await server.send(head_bytes("length", 2) + b"ok")
        await client.head()
        assert await client.rest() == (b"ok", "complete")


@settings(max_examples=25)
@given(st.sampled_from(["chunked", "length"]), st.lists(sizes, min_size=1, max_size=6), cuts, st.booleans())
async def test_whatever_a_client_sends_at_once_is_through_before_the_rest(
    framing: str, sizes: list[int], cuts: list[int], with_head: bool
) -> None:
    pieces = [Random(number).randbytes(size) for number, size in enumerate(sizes)]
    payload = b"".join(pieces)
    ends = "Transfer-Encoding: chunked" if framing == "chunked" else f"Content-Length: {len(payload)}"
    head = f"POST / HTTP/1.1\r\nHost: a\r\n{ends}\r\n\r\n".encode()
    writes = written(framing, pieces, cuts)
    async with standing() as stand:
        if with_head:
            writes[0] = (head + writes[0][0], writes[0][1])
        client = await stand.client()
        if not with_head:
            await client.send(head)
        server, got = None, 0
        for wire, sent in writes:
            await client.send(wire)
            if server is None:
                server = await stand.server()
                await server.head()
            assert await server.read(sent - got) == payload[got:sent]
            got = sent
        assert server is not None
        await client.send(b"0\r\n\r\n" if framing == "chunked" else b"")
        assert await server.rest() == (b"", "complete")
        await server.send(head_bytes("length", 0))
        assert (await client.head()).status == 200
        assert await client.rest() == (b"", "complete")


@pytest.mark.parametrize(("up", "down"), [*product(["chunked", "length"], FRAMINGS)])
async def test_a_response_may_begin_and_go_on_while_the_request_is_still_sent(up: str, down: str) -> None:
    async with standing() as stand:
        ends = "Transfer-Encoding: chunked" if up == "chunked" else f"Content-Length: {sum(map(len, SSE))}"
        client, server, _ = await exchange(stand, f"POST / HTTP/1.1\r\nHost: a\r\n{ends}\r\n\r\n".encode())
        await server.send(head_bytes(down, sum(map(len, SSE))))
        await client.head()
        for event in SSE:
            await client.send(framed(up, event))
            assert await server.read(len(event)) == event
            if event is SSE[-1]:  # the response ends last
                await client.send(b"0\r\n\r\n" if up == "chunked" else b"")
                assert await server.rest() == (b"", "complete")
            await server.send(framed(down, event))
            assert await client.read(len(event)) == event
        await end(server, down)
        assert await client.rest() == (b"", whole(down))


@pytest.mark.parametrize("framing", FRAMINGS)
async def test_a_response_may_end_before_its_request(framing: str) -> None:
    async with standing() as stand:
        client, server, _ = await exchange(stand, request(method="POST", fields=[("Content-Length", "1000000")]))
        await client.send(b"x" * 1000)
        assert await server.read(1000) == b"x" * 1000
        await server.send(head_bytes(framing, 9, status="413 Content Too Large") + framed(framing, b"too large"))
        await end(server, framing)
        assert (await client.head()).status == 413
        assert await client.rest() == (b"too large", whole(framing))
        await stand.pass_one()


# The mock server at the other end: what it has sent is in its journal.


def payload_of(wire: bytes) -> bytes:
    """What is in an answer as far as it has come."""
    parser = h11.Connection(h11.CLIENT)
    parser.send(h11.Request(method="POST", target="/", headers=[("Host", "a"), ("Content-Length", "0")]))
    parser.send(h11.EndOfMessage())
    parser.receive_data(wire)
    payload = bytearray()
    while (event := parser.next_event()) is not h11.NEED_DATA and event is not h11.PAUSED:
        payload += event.data if isinstance(event, h11.Data) else b""
    return bytes(payload)


CHAT = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "Say it."}]}

ENDPOINTS = [
    ("/v1/chat/completions", CHAT),
    ("/api/chat", CHAT),
    ("/v1/messages", {**CHAT, "max_tokens": 9}),
    ("/generate", {}),
]


@pytest.mark.parametrize("gzip", ["never", "always"])
@pytest.mark.parametrize("framing", FRAMINGS)
async def test_every_token_of_the_mock_server_is_through_before_the_next(framing: str, gzip: str) -> None:
    gates = [f"g@token:{number}" for number in range(1, 6)]
    async with (
        open_mockserver(tokens=6, gate=gates, framing=framing, gzip=gzip, rate=0) as mock,
        gateway_to(mock.url) as stand,
    ):
        for number, (path, body) in enumerate(ENDPOINTS):
            client = await stand.client()
            await client.send(request_bytes(path, body))
            await client.head()
            got = b""
            for _ in gates:
                await mock.gates.wait_for("g")
                sent = payload_of(bytes(mock.journal[-1].sent))
                got += await client.read(len(sent) - len(got))
                assert got == sent
                mock.gates.step("g")
            rest, ending = await client.rest()
            assert ending == whole(framing)
            assert mock.journal[-1].outcome == "complete"
            assert await stand.outcome(number + 1) == "ok"
            assert rest


async def test_one_after_the_other_on_one_connection() -> None:
    async with standing() as stand:
        client, server, _ = await exchange(stand, request())
        for framing in ("chunked", "length") * 2:
            await answered_in_steps(client, server, framing)
            await client.send(request())
            await server.head()
        await server.send(head_bytes("length"))
        await client.head()


async def answered_in_steps(client: Client, server: Server, framing: str) -> None:
    await server.send(head_bytes(framing, sum(map(len, SSE))))
    await client.head()
    for event in SSE:
        await carried(server, client, framed(framing, event), event)
    await end(server, framing)
    assert await client.rest() == (b"", "complete")
