"""What the tests of the converting gateway share: a client of OpenAI's, and an Ollama that is played by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

from tests.gateway.peers import Fields, Stand, exchange, head_bytes, request, standing
from tests.gateway.readers import Client, Head, Server

OPENAI: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "stream": True}

NDJSON = [("Content-Type", "application/x-ndjson")]


def ask(body: Mapping[str, Any] = OPENAI, path: str = "/v1/chat/completions", fields: Fields = ()) -> bytes:
    """A request of a client."""
    return request("POST", path, [("Content-Type", "application/json"), *fields], json.dumps(body).encode())


def token(text: str) -> bytes:
    """One of Ollama's records."""
    message = {"role": "assistant", "content": text}
    return (
        json.dumps({"model": "m", "created_at": "2026-01-01T00:00:00Z", "message": message, "done": False}).encode()
        + b"\n"
    )


DONE = (
    b'{"model":"m","created_at":"2026-01-01T00:00:01Z","message":{"role":"assistant","content":""},"done":true,'
    b'"done_reason":"stop","prompt_eval_count":3,"eval_count":2}\n'
)


def before_ollama(**options: Any) -> AbstractAsyncContextManager[Stand]:  # noqa: ANN401 - the gateway's own
    return standing(speaks="ollama-chat", **options)


async def event(client: Client) -> dict[str, Any]:
    """The next event of OpenAI's stream."""
    data = b""
    while not data.endswith(b"\n\n"):
        data += await client.read(1)
    assert data.startswith(b"data: "), data
    value: dict[str, Any] = json.loads(data[6:])
    return value


def delta(chunk: Mapping[str, Any]) -> object:
    return chunk["choices"][0]["delta"].get("content")


async def begun(
    stand: Stand, data: bytes, fields: Fields = NDJSON, framing: str = "chunked"
) -> tuple[Client, Server, Head]:
    """Ask, and let the upstream begin: both ends, and the head that the client got."""
    client, server, _ = await exchange(stand, data)
    await server.rest()
    await server.send(head_bytes(framing, 10_000, fields))
    return client, server, await client.head("POST")


async def refused_with(stand: Stand, answer: bytes, body: Mapping[str, Any] = OPENAI) -> tuple[Head, Any]:
    """Have the upstream answer this; return what the client gets."""
    client, server, _ = await exchange(stand, ask(body))
    await server.rest()
    await server.send(answer)
    head = await client.head("POST")
    data, ending = await client.rest()
    assert ending == "complete"
    return head, json.loads(data)
