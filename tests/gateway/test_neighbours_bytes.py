"""The gateway beside nginx and haproxy, before them and behind them: every byte is the same, and each is understood."""

from __future__ import annotations

from itertools import accumulate
from random import Random

import pytest
import trio

from tests.gateway.chains import ROWS, Row, as_parameters, body_of, chain_to_mock, chain_to_ours
from tests.gateway.peers import FRAMINGS, end, framed, head_bytes, request, together
from tests.gateway.readers import Server
from tests.mockserver.talk import request_bytes

CHAT = {"model": "m", "messages": [{"role": "user", "content": "Hello"}], "stream": True}

PIECES = [b'data: {"n":%d}\n\n' % number for number in range(8)]

FIRST = Row("first", "nginx", streaming=False)
SECOND = Row("second", "nginx", streaming=False)
"""nginx as it comes, with a `proxy_pass` and nothing else."""


# ----------------------------------------------------------------------------------------------------------- every byte

SIZES = (1, 2, 3, 7, 100, 1000, 4096, 8191, 16385, 70_000)


def random_pieces(size_bytes: int, seed: int) -> list[bytes]:
    """Cut random bytes into pieces of awkward sizes."""
    rng = Random(seed)
    data = rng.randbytes(size_bytes)
    pieces = []
    while data:
        size = rng.choice(SIZES)
        pieces.append(data[:size])
        data = data[size:]
    return pieces


async def send_all(server: Server, framing: str, pieces: list[bytes]) -> None:
    """Send pieces in writes that are cut elsewhere than these."""
    rng = Random(len(pieces))
    data = b"".join(framed(framing, piece) for piece in pieces)
    cuts = [0, *accumulate(rng.choice(SIZES) for _ in range(len(data) // 4096))]
    for start, stop in zip(cuts, [*cuts[1:], len(data)], strict=True):
        if start < len(data):
            await server.send(data[start:stop])
    await end(server, framing)


@pytest.mark.parametrize("framing", FRAMINGS)
@as_parameters(ROWS)
async def test_five_mebibytes_are_the_same_at_the_other_end(row: Row, framing: str) -> None:
    pieces = random_pieces(5 << 20, seed=5)
    whole = b"".join(pieces)
    async with chain_to_ours(row) as chain:
        client = await chain.client()
        await client.send(request())
        server = await chain.server()
        await server.head()
        await server.send(head_bytes(framing, len(whole)))
        got: list[tuple[bytes, str]] = []

        async def read() -> None:
            head = await client.head()
            assert head.get("content-length") in {None, str(len(whole))}
            got.append(await client.rest())

        await together(read, lambda: send_all(server, framing, pieces))
        ((body, ending),) = got
        assert body == whole
        assert ending in {"complete", "closed"}


@pytest.mark.parametrize("framing", ["chunked", "length"])
@as_parameters(ROWS)
async def test_a_request_is_the_same_at_the_other_end(row: Row, framing: str) -> None:
    """Default nginx takes a mebibyte at most."""
    pieces = random_pieces(1 << 20, seed=6)
    whole = b"".join(pieces)
    fields = [("Transfer-Encoding", "chunked")] if framing == "chunked" else [("Content-Length", str(len(whole)))]
    body = b"".join(framed(framing, piece) for piece in pieces) + (b"0\r\n\r\n" if framing == "chunked" else b"")
    async with chain_to_ours(row) as chain:
        client = await chain.client()
        got: list[bytes] = []

        async def receive() -> None:
            server = await chain.server()
            got.append((await server.request())[1])
            await server.send(head_bytes("length", 2) + b"ok")

        await together(receive, lambda: client.send(request("POST", fields=fields) + body))
        await client.head("POST")
        assert await client.rest() == (b"ok", "complete")
        assert got == [whole]


HELLO = {**CHAT, "max_tokens": 99, "prompt": "Hello", "input": "Hello", "threadId": "t", "runId": "r"}
GEMINI = {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}

ASKED: dict[str, tuple[str, object]] = {
    "openai-chat": ("/v1/chat/completions", HELLO),
    "openai-completions": ("/v1/completions", HELLO),
    "openai-responses": ("/v1/responses", HELLO),
    "anthropic": ("/v1/messages", HELLO),
    "gemini": ("/v1beta/models/m:streamGenerateContent?alt=sse", GEMINI),
    "gemini, an array": ("/v1beta/models/m:streamGenerateContent", GEMINI),
    "ollama-chat": ("/api/chat", HELLO),
    "ollama-generate": ("/api/generate", HELLO),
    "ag-ui": ("/agui", HELLO),
    "agent-poc": ("/chat", HELLO),
    "text": ("/generate", None),
}
"""Where the mock server streams, and what it wants to be asked."""


@pytest.mark.parametrize("split", ["none", "hostile"])
@pytest.mark.parametrize("framing", FRAMINGS)
@as_parameters(ROWS)
async def test_every_dialects_stream_is_the_same(row: Row, framing: str, split: str) -> None:
    settings = {"reasoning": 2, "tokens": 9, "rate": 0, "framing": framing, "split": split}
    async with chain_to_mock(row, **settings) as chain:
        client = await chain.client()
        for number, (name, (path, body)) in enumerate(ASKED.items(), 1):
            await client.send(request_bytes(path, body))
            head = await client.head("GET" if body is None else "POST")
            found, ending = await client.rest()
            entry = await chain.ended(number)
            assert (head.status, entry.outcome) == (200, "complete"), name
            assert found == body_of(bytes(entry.sent)), name
            assert len(found) > 100, name
            if ending == "closed":  # HAProxy and we keep it so
                client = await chain.client()


# -------------------------------------------------------------------------------------------------------- both as peers


@as_parameters([SECOND])
async def test_default_nginx_answers_us_in_chunks_what_it_got_by_close(row: Row) -> None:
    """It speaks HTTP/1.0 to its own upstream, and 1.1 to us."""
    async with chain_to_ours(row) as chain:
        for version, ending in (("1.1", "complete"), ("1.0", "closed")):
            client = await chain.client()
            await client.send(request(version=version))
            server = await chain.server()
            assert (await server.head()).line == "GET / HTTP/1.0"
            await server.send(head_bytes("close") + b"".join(PIECES))
            await server.stream.aclose()
            head = await client.head()
            assert head.get("transfer-encoding") == ("chunked" if version == "1.1" else None)
            assert await client.rest() == (b"".join(PIECES), ending)


@as_parameters([FIRST])
async def test_default_nginx_asks_us_in_http_1_0(row: Row) -> None:
    async with chain_to_ours(row) as chain:
        client = await chain.client()
        await client.send(request())
        server = await chain.server()
        assert (await server.head()).line == "GET / HTTP/1.1"
        await server.send(head_bytes("chunked") + b"".join(framed("chunked", piece) for piece in PIECES))
        await end(server, "chunked")
        await client.head()
        assert await client.rest() == (b"".join(PIECES), "complete")
        assert (await chain.stand.record(1)).version == "1.0"


@as_parameters(ROWS)
async def test_a_response_to_head_has_its_length_and_no_body(row: Row) -> None:
    async with chain_to_mock(row) as chain:
        client = await chain.client()
        for _ in range(3):
            head, body, ending = await client.ask(request_bytes("/api/tags", method="HEAD"))
            assert (head.status, body, ending) == (200, b"", "complete")
            assert int(head.get("content-length") or 0) > 0


HAPROXY = [row for row in ROWS if row.name == "haproxy"]
"""nginx takes 103 for the final response, and passes no trailers on."""


@as_parameters(HAPROXY)
async def test_interim_responses_come_through_both(row: Row) -> None:
    # haproxy 2.6 now and then ends the final response without its body where that follows an interim one at once, also
    # with nobody but itself between client and server: one in thirty on a busy machine. So the body is not looked at.
    async with chain_to_mock(row, tokens=3, fault="interim:103") as chain:
        client = await chain.client()
        await client.send(request_bytes("/v1/chat/completions", CHAT))
        assert (await client.head("POST")).status == 200
        assert [head.status for head in client.interim] == [103]


@as_parameters(HAPROXY)
async def test_trailers_come_through_both(row: Row) -> None:
    async with chain_to_mock(row, tokens=3, fault="trailers:X-Count=3") as chain:
        client = await chain.client()
        await client.send(request_bytes("/v1/chat/completions", CHAT, headers={"TE": "trailers"}))
        assert (await client.head("POST")).status == 200
        body, ending = await client.rest()
        assert (body[-14:], ending) == (b"data: [DONE]\n\n", "complete")
        assert [(name.lower(), value) for name, value in client.trailers] == [("x-count", "3")]


@as_parameters(ROWS)
async def test_a_client_that_waits_for_100_is_told_to_go_on(row: Row) -> None:
    async with chain_to_mock(row, echo=True) as chain:
        client = await chain.client()
        asked = request_bytes("/v1/chat/completions", CHAT, headers={"Expect": "100-continue"})
        head, _, body = asked.partition(b"\r\n\r\n")
        await client.send(head + b"\r\n\r\n")
        assert (await client.raw_head()).startswith(b"HTTP/1.1 100 ")
        await client.send(body)
        assert (await client.head("POST")).status == 200
        found, ending = await client.rest()
        assert b"Hello" in found
        assert ending == "complete"


@as_parameters(ROWS)
async def test_many_at_once_get_each_its_own(row: Row) -> None:
    found: dict[int, bytes] = {}
    async with chain_to_mock(row, echo=True, split="random:1:200") as chain:

        async def ask(number: int) -> None:
            client = await chain.client()
            messages = [{"role": "user", "content": f"number-{number}"}]
            asked = request_bytes("/api/chat", {**CHAT, "messages": messages, "stream": False})
            head, found[number], ending = await client.ask(asked)
            assert (head.status, ending) == (200, "complete")

        async with trio.open_nursery() as nursery:
            for number in range(50):
                nursery.start_soon(ask, number)
    assert all(f'"number-{number}"'.encode() in body for number, body in found.items())
    assert len(found) == 50
