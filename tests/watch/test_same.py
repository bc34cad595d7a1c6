"""Being watched changes no byte and delays none: a watched gateway beside one that nobody looks at."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from mockserver.app import ServerConfig
from mockserver.config.header import parse_header
from streamkit.gateway.config import GatewayConfig
from streamkit.gateway.open import open_gateway
from streamkit.http.listener import open_listeners
from streamkit.http.origin import parse_origin
from streamkit.watch.open import open_watch
from tests.gateway.peers import FRAMINGS, PATIENCE_S, connected, end, framed, head_bytes, settled, whole
from tests.gateway.readers import Client, Ending, Server
from tests.gateway.test_lockstep import ROWS, carried
from tests.watch.stand import REQUEST, asking, watching

PATHS: Final = ("/v1/chat/completions", "/api/chat", "/v1/messages", "/streams")

FAULTS: Final = (
    *("", "reset@token:2", "close@token:2", "bad-chunk@token:1", "error@token:2", "bad-json@token:2", "no-last-chunk"),
    *("bad-utf8@token:1", "status:503", "no-done", "ping@token:1", "length:+10", "interim:103", "junk-after-end"),
)


@settings(max_examples=max(settings().max_examples // 4, 10))
@given(
    path=st.sampled_from(PATHS),
    split=st.sampled_from(["none", "every-byte", "hostile", "size:7", "events"]),
    fault=st.sampled_from(FAULTS),
    tokens=st.integers(0, 6),
    reasoning=st.integers(0, 2),
)
def test_an_answer_is_the_same_watched_and_unwatched(path: str, **drawn: Any) -> None:  # noqa: ANN401
    chosen = "; ".join(f"{key}={value}" for key, value in drawn.items() if value not in {"", "none"})
    body = {**REQUEST, "max_tokens": 1000}
    data = json.dumps({"dialect": "openai-chat", "request": body} if path == "/streams" else body).encode()

    async def both() -> None:
        async with watching(server=ServerConfig(created_ns=10**18)) as stand:
            mock = stand.mock
            mock.configure(parse_header(chosen))
            answers = []
            async with open_gateway(mock.url, speaks="openai-chat") as plain:
                for port in (plain.port, stand.port):
                    mock.forget()
                    answers.append(await answered(port, path, data))
            assert answers[0] == answers[1]

    trio.run(both)


async def answered(port: int, path: str, data: bytes) -> list[tuple[int, list[tuple[str, str]], bytes, Ending]]:
    """Ask, and return what came; of a resumable stream the events too."""
    told = []
    line = f"POST {path}"
    while line:
        client = Client(await connected(port))
        async with client.stream:
            await client.send(asking(line, body=data))
            head = await client.head()
            body, ending = await client.rest()
        fields = [each for each in head.fields if each[0].lower() not in {"date", "content-length", "location"}]
        line = ""
        if head.status == 201:
            line, data = f"GET {head.get('location')}", b""
            body = b""
        told.append((head.status, fields, body, ending))
    return told


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize(("name", "method", "pieces", "fields"), ROWS, ids=[row[0] for row in ROWS])
async def test_each_piece_is_through_before_the_next_is_sent_and_framed_as_ever(
    name: str, method: str, pieces: list[bytes], fields: list[tuple[str, str]], framing: str
) -> None:
    if framing != "chunked" and name not in {"events", "single bytes"}:
        pieces = pieces[:3]
    wires = []
    for is_watched in (True, False):
        (listener,) = await open_listeners(0)
        config = GatewayConfig(parse_origin(f"http://127.0.0.1:{listener.port}"))
        opened = open_watch(config) if is_watched else open_gateway(config)
        with trio.fail_after(PATIENCE_S):
            async with listener, opened as gateway:
                port = gateway.gateway.port if is_watched else gateway.port  # type: ignore[union-attr]
                client = Client(await connected(port))
                asked = ["Accept-Encoding: gzip"] if "gzip" in name else []
                await client.send(asking(f"{method} /v1", *asked, body=b"{}" if method == "POST" else b""))
                server = Server(await listener.accept())
                await server.head()
                await server.send(head_bytes(framing, sum(map(len, pieces)), fields))
                assert (await client.head(method)).status == 200
                for piece in pieces:
                    await carried(server, client, framed(framing, piece), piece)
                await end(server, framing)
                assert await client.rest() == (b"", whole(framing))
                client.stream.abort()
                server.stream.abort()
        wires.append(bytes(client.wire))
    if name != "large pieces":  # which are cut as they come
        assert wires[0] == wires[1]


@pytest.mark.parametrize("path", ["/api/chat", "/v1/messages"])
async def test_a_converted_token_is_through_before_the_next_one_is_there(path: str) -> None:
    body = json.dumps({**REQUEST, "max_tokens": 1000}).encode()
    words = [b"one", b"two", b"three", b"four"]
    async with watching({"say": b" ".join(words).decode(), "gate": [f"g{n}@token:{n}" for n in range(1, 5)]}) as stand:
        client = await stand.client()
        await client.send(asking(f"POST {path}", body=body))
        await client.head()
        for number, word in enumerate(words, 1):
            await stand.mock.gates.wait_for(f"g{number}")
            while word not in client.wire:  # the token before the gate
                await client.read(1)
            assert not any(each in client.wire for each in words[number:])
            stand.mock.gates.open(f"g{number}")
        assert (await client.rest())[1] == "complete"


async def test_a_client_that_does_not_read_stops_the_upstream_all_the_same() -> None:
    sizes = []
    for is_watched in (True, False):
        (listener,) = await open_listeners(0)
        config = GatewayConfig(parse_origin(f"http://127.0.0.1:{listener.port}"))
        opened = open_watch(config) if is_watched else open_gateway(config)
        with trio.fail_after(PATIENCE_S):
            async with listener, opened as gateway, trio.open_nursery() as nursery:
                port = gateway.gateway.port if is_watched else gateway.port  # type: ignore[union-attr]
                client = Client(await connected(port, receive_bytes=4096))
                await client.send(asking("GET /v1"))
                server = Server(await listener.accept())
                await server.head()
                await server.send(head_bytes("close"))

                async def pour(server: Server = server) -> None:
                    while True:
                        await server.send(bytes(65536))

                nursery.start_soon(pour)
                stream = server.stream
                await settled(lambda stream=stream: stream.sent_bytes)  # type: ignore[misc]
                sizes.append(stream.sent_bytes)
                client.stream.abort()
                nursery.cancel_scope.cancel()
                stream.abort()
    assert max(sizes) < 3 * min(sizes) + (1 << 20)
