"""The converting gateway, wire by wire: each piece of an answer leaves when it comes, as long as its client is there.

The upstream is played by hand. What the official SDKs make of all pairs is in `test_pairs*`.
"""

from __future__ import annotations

import gzip
import json

import pytest
import trio

from tests.gateway.peers import exchange, framed, head_bytes, settled, standing
from tests.gateway.translating import DONE, NDJSON, OPENAI, ask, before_ollama, begun, delta, event, token

# -------------------------------------------------------------------------------------------------------------- streams


async def test_each_token_is_with_the_client_before_the_next_one_is_sent() -> None:
    async with before_ollama() as stand:
        client, server, head = await begun(stand, ask())
        assert head.status == 200
        assert head.get("content-type") == "text/event-stream"
        assert head.get("x-accel-buffering") == "no"
        assert head.get("cache-control") == "no-cache"
        said = []
        for number in range(20):
            await server.send(framed("chunked", token(f"t{number}")))
            chunk = await event(client)
            if number == 0 and delta(chunk) in {"", None}:
                chunk = await event(client)
            said.append(delta(chunk))
        assert said == [f"t{number}" for number in range(20)]
        await server.send(framed("chunked", DONE))
        data, ending = await client.rest()
        assert (data[-14:], ending) == (b"data: [DONE]\n\n", "complete")
        assert await stand.outcome(1) == "ok"


async def test_the_answer_ends_with_its_own_end_whatever_the_upstream_does_behind_it() -> None:
    async with before_ollama() as stand:
        client, server, _ = await begun(stand, ask())
        await server.send(framed("chunked", token("x") + DONE))
        data, ending = await client.rest()
        assert (data[-14:], ending) == (b"data: [DONE]\n\n", "complete")
        await client.send(ask({**OPENAI, "model": "other"}))  # the connection serves on
        second = await stand.server()
        _, body = await second.request()
        assert json.loads(body)["model"] == "other"


async def test_a_connection_whose_answer_came_to_its_end_is_used_again() -> None:
    async with before_ollama() as stand:
        client, server, _ = await begun(stand, ask())
        await server.send(framed("chunked", DONE) + b"0\r\n\r\n")
        await client.rest()
        await client.send(ask({**OPENAI, "model": "second"}))
        head, body = await server.request()
        assert json.loads(body)["model"] == "second"
        assert head.line == "POST /api/chat HTTP/1.1"
        await server.send(head_bytes("chunked", 0, NDJSON) + framed("chunked", DONE) + b"0\r\n\r\n")
        assert (await client.head("POST")).status == 200
        await client.rest()
        assert (await stand.record(2)).reused


async def test_one_read_from_upstream_is_one_chunk_for_the_client() -> None:
    async with before_ollama() as stand:
        client, server, _ = await begun(stand, ask())
        await server.send(framed("chunked", b"".join(token(f"t{number}") for number in range(5))))
        assert [delta(await event(client)) for _ in range(6)][-5:] == [f"t{number}" for number in range(5)]
        assert (await trio.to_thread.run_sync(lambda: stand.gateway.stats.active)) == 1
        await server.send(framed("chunked", DONE))
        await client.rest()
        record = await stand.record(1)
        assert record.reads == 2
        assert record.first_ns is not None
        assert record.head_ns is not None


async def test_heartbeats_cross() -> None:
    async with standing(speaks="openai-chat") as stand:
        body = {"model": "m", "max_tokens": 5, "stream": True, "messages": [{"role": "user", "content": "Hi"}]}
        client, server, _ = await begun(stand, ask(body, "/v1/messages"), [("Content-Type", "text/event-stream")])
        await server.send(framed("chunked", b": ping\n\n"))
        data = b""
        while b"ping" not in data:
            data += await client.read(1)
        assert data.endswith(b"event: ping") or b"ping" in data


async def test_a_body_that_comes_compressed_is_undone() -> None:
    async with before_ollama() as stand:
        client, server, head = await begun(stand, ask(), [*NDJSON, ("Content-Encoding", "gzip")])
        assert head.get("content-encoding") is None
        await server.send(framed("chunked", gzip.compress(token("x") + DONE)) + b"0\r\n\r\n")
        data, ending = await client.rest()
        assert b'"content":"x"' in data
        assert (data[-14:], ending) == (b"data: [DONE]\n\n", "complete")


async def test_a_client_of_http_1_0_gets_a_body_that_ends_with_its_connection() -> None:
    async with before_ollama() as stand:
        client = await stand.client()
        await client.send(ask().replace(b" HTTP/1.1\r\n", b" HTTP/1.0\r\n"))
        server = await stand.server()
        await server.request()
        await server.send(head_bytes("chunked", 0, NDJSON) + framed("chunked", token("x") + DONE))
        head = await client.head("POST")
        assert head.get("transfer-encoding") is None
        data, ending = await client.rest()
        assert (data[-14:], ending) == (b"data: [DONE]\n\n", "closed")


async def test_a_client_that_does_not_read_stops_the_upstream() -> None:
    async with before_ollama() as stand:
        client = await stand.client(receive_bytes=65_536)
        await client.send(ask())
        server = await stand.server()
        await server.request()
        await server.send(head_bytes("chunked", 0, NDJSON))
        await client.head("POST")
        block = framed("chunked", token("x" * 60_000))
        sent = 0

        async def flood() -> None:
            nonlocal sent
            while True:
                await server.send(block)
                sent += len(block)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(flood)
            await settled(lambda: sent)
            stopped = sent
            assert stopped < 32 * 2**20
            for _ in range(60):
                await client.read(60_000)
            await settled(lambda: sent)
            assert sent > stopped
            nursery.cancel_scope.cancel()


# ------------------------------------------------------------------------------------------------------------- leaving


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("how", ["fin", "reset"])
@pytest.mark.parametrize("window", ["before the head", "behind the head", "in the stream"])
async def test_the_clients_leaving_aborts_the_upstream_at_once(window: str, how: str, stream: bool) -> None:
    async with before_ollama() as stand:
        client, server, _ = await exchange(stand, ask({**OPENAI, "stream": stream}))
        await server.rest()
        if window != "before the head":
            await server.send(head_bytes("chunked", 0, NDJSON))
            if window == "in the stream":
                await server.send(framed("chunked", token("x")))
            if stream:
                await client.head("POST")
                if window == "in the stream":
                    await event(client)
        if how == "reset":
            client.stream.abort()
        else:
            while not client.stream.is_quiet():
                await client.stream.receive()
            await client.stream.aclose()
        assert await server.until_left() == "reset"
        assert await stand.outcome(1) == "client-left"
        await stand.pass_one()
