"""The converting gateway, wire by wire: what goes up is the upstream's dialect, what comes down is the client's.

The upstream is played by hand. What the official SDKs make of all pairs is in `test_pairs*`; here is what no SDK shows:
when each byte leaves, which headers cross, how an answer that is not whole ends.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
import trio

from tests.gateway.peers import Fields, Stand, exchange, framed, head_bytes, request, settled, standing
from tests.gateway.readers import VISIBLE, Client, Head, Server

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


# ------------------------------------------------------------------------------------------------------------- requests


async def test_the_upstream_is_asked_in_its_own_dialect_and_at_its_own_path() -> None:
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
    body = {**OPENAI, "temperature": 0.5, "max_tokens": 7, "stop": ["x"], "tools": [tool]}
    async with before_ollama() as stand:
        client = await stand.client()
        await client.send(ask(body))
        server = await stand.server()
        head, sent = await server.request()
    assert head.line == "POST /api/chat HTTP/1.1"
    asked = json.loads(sent)
    assert asked["messages"] == [{"role": "user", "content": "Hi"}]
    assert asked["options"] == {"temperature": 0.5, "num_predict": 7, "stop": ["x"]}
    assert asked["tools"] == [tool]
    assert asked["stream"] is True


async def test_a_base_path_of_the_upstream_is_not_doubled() -> None:
    async with standing("/v1", speaks="openai-chat") as stand:
        body = {"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "Hi"}]}
        for data in (ask(), ask(body, "/v1/messages"), ask(path="/v1/embeddings")):
            client = await stand.client()
            await client.send(data)
            head, _ = await (await stand.server()).request()
            path = "/v1/embeddings" if b"embeddings" in data else "/v1/chat/completions"
            assert head.line == f"POST {path} HTTP/1.1"


async def test_headers_cross_unless_they_are_of_one_vendor_or_of_the_body() -> None:
    fields = [
        *(("Traceparent", "00-1"), ("X-Tenant", "blue"), ("User-Agent", "app/1")),
        *(("OpenAI-Organization", "org"), ("X-Stainless-Lang", "python"), ("anthropic-beta", "b"), ("Cookie", "c=1")),
        *(("Accept-Encoding", "gzip"), ("Accept", "text/event-stream"), ("Origin", "http://localhost")),
    ]
    async with before_ollama() as stand:
        _, server, head = await exchange(stand, ask(fields=fields))
        await server.rest()
    for name, value in (("traceparent", "00-1"), ("x-tenant", "blue"), ("user-agent", "app/1")):
        assert head.all(name) == [value]
    for name in ("openai-organization", "x-stainless-lang", "anthropic-beta", "cookie", "origin"):
        assert head.get(name) is None, name
    assert head.all("accept-encoding") == ["identity"]
    assert head.all("accept") == ["application/x-ndjson"]
    assert head.all("content-type") == ["application/json"]
    assert head.all("via")[0].startswith("1.1 streamkit-")


KEYS = [
    ("ollama-chat", "authorization", "Bearer sk-client"),
    ("openai-chat", "authorization", "Bearer sk-client"),
    ("anthropic", "x-api-key", "sk-client"),
    ("gemini", "x-goog-api-key", "sk-client"),
]


@pytest.mark.parametrize("way", ["Authorization: Bearer sk-client", "x-api-key: sk-client", "?key=sk-client"])
@pytest.mark.parametrize(("speaks", "name", "value"), KEYS)
async def test_the_clients_key_goes_where_the_upstream_looks_for_it(
    speaks: str, name: str, value: str, way: str
) -> None:
    path = "/v1/chat/completions" if speaks != "openai-chat" else "/v1/responses"
    header, _, key = way.partition(": ")
    fields = [(header, key)] if key else []
    body = OPENAI if speaks != "openai-chat" else {"model": "m", "input": "Hi"}
    async with standing(speaks=speaks) as stand:
        _, server, head = await exchange(stand, ask(body, path if key else path + way, fields))
        await server.rest()
    assert head.all(name) == [value]
    assert "sk-client" not in head.line
    others = {each[1] for each in KEYS} - {name}
    assert [head.get(each) for each in others] == [None] * len(others)


async def test_the_gateways_own_key_stays_and_the_upstreams_takes_its_place() -> None:
    options = {"api_key": "for-us", "upstream_key": "for-them"}
    async with standing(speaks="anthropic", **options) as stand:
        _, server, head = await exchange(stand, ask(fields=[("Authorization", "Bearer for-us")]))
        await server.rest()
    assert head.all("x-api-key") == ["for-them"]
    assert head.get("authorization") is None
    async with standing(speaks="anthropic", api_key="for-us") as stand:
        fields = [("Authorization", "Bearer for-us"), ("x-api-key", "clients-own")]
        _, server, head = await exchange(stand, ask(fields=fields))
        await server.rest()
    assert head.all("x-api-key") == ["clients-own"]


@pytest.mark.parametrize("sent", [("Authorization", "Bearer for-us"), ("api-key", "for-us"), ("?key", "for-us")])
@pytest.mark.parametrize(
    ("speaks", "path", "name"),
    [
        ("anthropic", "/v1/messages", "x-api-key"),
        ("gemini", "/v1beta/models/m:generateContent", "x-goog-api-key"),
    ],
)
async def test_on_the_upstreams_own_paths_its_key_goes_where_its_vendor_looks_for_it(
    speaks: str, path: str, name: str, sent: tuple[str, str]
) -> None:
    async with standing(speaks=speaks, api_key="for-us", upstream_key="for-them") as stand:
        target = f"{path}?key=for-us" if sent[0] == "?key" else path
        _, _, head = await exchange(stand, request("POST", target, [] if sent[0] == "?key" else [sent], b"{}"))
    assert head.all(name) == ["for-them"]
    assert head.line == f"POST {path} HTTP/1.1"
    assert "for-us" not in str(head.fields)


async def test_a_client_without_the_key_is_told_so_in_its_own_form() -> None:
    async with before_ollama(api_key="for-us") as stand:
        head, data, _ = await (await stand.client()).ask(request("POST", "/api/chat", (), b"{}"))
        assert (head.status, type(json.loads(data)["error"])) == (401, str)
        head, data, _ = await (await stand.client()).ask(request("POST", "/v1beta/models/m:generateContent", (), b"{}"))
        assert (head.status, json.loads(data)["error"]["code"]) == (401, 401)


async def test_a_client_of_the_upstreams_own_dialect_is_told_of_failures_in_it() -> None:
    async with standing(speaks="anthropic") as stand:
        assert stand.upstream is not None
        await stand.upstream.aclose()
        head, data, _ = await (await stand.client()).ask(request("POST", "/v1/messages", (), b"{}"))
        assert (head.status, json.loads(data)["type"]) == (502, "error")


async def test_a_model_that_cannot_think_is_asked_once_more_without() -> None:
    refusal = b'{"error":"\\"m\\" does not support thinking"}'
    async with before_ollama() as stand:
        client, server, _ = await exchange(stand, ask({**OPENAI, "reasoning_effort": "high"}))
        asked, _ = await server.rest()
        assert json.loads(asked)["think"]
        await server.send(
            head_bytes("length", len(refusal), [("Content-Type", "application/json")], "400 No") + refusal
        )
        _, asked = await server.request()
        assert "think" not in json.loads(asked)
        await server.send(head_bytes("chunked", 0, NDJSON) + framed("chunked", DONE) + b"0\r\n\r\n")
        head = await client.head("POST")
        assert (head.status, head.get("x-streamkit-dropped")) == (200, "reasoning")
        await client.rest()


async def test_an_answer_without_a_body_is_none() -> None:
    async with before_ollama() as stand:
        head, told = await refused_with(stand, b"HTTP/1.1 204 No Content\r\n\r\n")
        assert (head.status, "204" in told["error"]["message"]) == (502, True)


async def test_what_was_left_behind_is_named() -> None:
    body = {**OPENAI, "user": "u", "parallel_tool_calls": False}
    async with before_ollama() as stand:
        _, server, head = await begun(stand, ask(body))
        await server.send(framed("chunked", DONE))
    named = (head.get("x-streamkit-dropped") or "").split(", ")
    assert "user" in named


LOST = [
    ("ollama-chat", {**OPENAI, "n": 2}, "n"),
    ("openai-responses", {**OPENAI, "stop": ["x"]}, "stop"),
    ("anthropic", {**OPENAI, "response_format": {"type": "json_object"}}, "response_format"),
]


@pytest.mark.parametrize(("speaks", "body", "word"), LOST)
async def test_what_would_change_the_answer_is_refused_before_the_upstream_hears_of_it(
    speaks: str, body: Mapping[str, Any], word: str
) -> None:
    async with standing(speaks=speaks) as stand:
        head, data, ending = await (await stand.client()).ask(ask(body))
        assert (head.status, ending) == (400, "complete")
        error = json.loads(data)["error"]
        assert error["param"] == word
        assert error["type"] == "invalid_request_error"
        assert stand.gateway.pool.opened == 0
        assert await stand.outcome(1) == "refused"


async def test_a_request_that_names_no_model_gets_the_one_that_the_gateway_has_for_such_or_is_refused() -> None:
    data = request("POST", "/generate", [("Content-Type", "text/plain")], b"Say it.")
    async with before_ollama() as stand:
        head, told, _ = await (await stand.client()).ask(data)
        assert head.status == 400
        assert b"--model-map" in told
    async with before_ollama(model_map={"*": "qwen3"}) as stand:
        client = await stand.client()
        await client.send(data)
        _, body = await (await stand.server()).request()
        assert json.loads(body)["model"] == "qwen3"
        client = await stand.client()
        await client.send(ask({"messages": OPENAI["messages"]}))
        _, body = await (await stand.server()).request()
        assert json.loads(body)["model"] == "qwen3"


async def test_what_is_nobodys_or_the_upstreams_own_passes_as_it_is() -> None:
    async with standing(speaks="openai-chat") as stand:
        for path in ("/v1/embeddings", "/somewhere", "/v1/chat/completions"):
            client = await stand.client()
            await client.send(request("POST", path, [("X-Odd", "1")], b'{"model" : "m", "odd":1}'))
            head, body = await (await stand.server()).request()
            assert (head.line, body) == (f"POST {path} HTTP/1.1", b'{"model" : "m", "odd":1}')
        head, data, _ = await (await stand.client()).ask(request("POST", "/api/embed", (), b"{}"))
        assert (head.status, json.loads(data)) == (404, {"error": "404 page not found"})


async def test_without_a_dialect_no_path_is_special() -> None:
    async with standing() as stand:
        for path in ("/api/chat", "/v1/messages", "/ws", "/streams", "/"):
            client = await stand.client()
            await client.send(request("POST", path, (), b"{"))
            head, body = await (await stand.server()).request()
            assert (head.line, body) == (f"POST {path} HTTP/1.1", b"{")


async def test_a_request_that_comes_back_to_the_gateway_is_a_loop() -> None:
    async with before_ollama() as stand:
        head, _, _ = await (await stand.client()).ask(ask(fields=[("Via", f"1.1 {stand.gateway.name}")]))
        assert head.status == 508


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


# ----------------------------------------------------------------------------------------------------------------- ends


async def fin(server: Server) -> None:
    await server.stream.send_eof()


async def reset(server: Server) -> None:
    server.stream.abort()


async def last_chunk(server: Server) -> None:
    await server.send(b"0\r\n\r\n")


async def garbage(server: Server) -> None:
    await server.send(framed("chunked", b'{"message":\n'))


async def bad_chunk(server: Server) -> None:
    await server.send(b"zz\r\n")


async def reported(server: Server) -> None:
    await server.send(framed("chunked", b'{"error":"the runner died"}\n'))


BREAKS: dict[str, Callable[[Server], Awaitable[None]]] = {
    each.__name__: each for each in (fin, reset, last_chunk, garbage, bad_chunk, reported)
}

OUTCOMES = {
    **dict.fromkeys(("fin", "reset", "last_chunk"), "upstream-cut"),
    **dict.fromkeys(("garbage", "bad_chunk"), "bad-response"),
    "reported": "ok",
}


@pytest.mark.parametrize("how", BREAKS)
async def test_an_answer_that_is_not_whole_ends_in_the_dialects_error(how: str) -> None:
    async with before_ollama() as stand:
        client, server, _ = await begun(stand, ask())
        await server.send(framed("chunked", token("one") + token("two")))
        while delta(await event(client)) != "two":
            pass
        await BREAKS[how](server)
        data, ending = await client.rest()
        last = json.loads(data.rstrip().rpartition(b"data: ")[2])
        assert last["error"]["message"]
        assert b"[DONE]" not in data
        assert b"finish_reason" not in data
        assert ending == "complete"
        if how == "reported":
            assert last["error"]["message"] == "the runner died"
        assert await stand.outcome(1) == OUTCOMES[how]


@pytest.mark.parametrize("how", BREAKS)
async def test_where_the_dialect_has_no_error_the_connection_breaks(how: str) -> None:
    async with before_ollama() as stand:
        client, server, _ = await begun(stand, ask({"prompt": "Say it.", "model": "m"}, "/generate"))
        await server.send(framed("chunked", token("one") + token("two")))
        assert await client.read(6) == b"onetwo"
        await BREAKS[how](server)
        data, ending = await client.rest()
        assert data == b""
        assert ending in VISIBLE


async def test_a_silent_upstream_is_an_error_after_the_idle_limit() -> None:
    async with before_ollama(idle_timeout_s=0.3) as stand:
        client, server, _ = await begun(stand, ask())
        await server.send(framed("chunked", token("one")))
        data, ending = await client.rest()
        assert b'"content":"one"' in data
        assert b'"error"' in data
        assert b"[DONE]" not in data
        assert ending == "complete"
        assert await server.until_left() == "reset"
        assert await stand.outcome(1) == "timeout"


# --------------------------------------------------------------------------------------------------- before the answer


async def refused_with(stand: Stand, answer: bytes, body: Mapping[str, Any] = OPENAI) -> tuple[Head, Any]:
    """Have the upstream answer this; return what the client gets."""
    client, server, _ = await exchange(stand, ask(body))
    await server.rest()
    await server.send(answer)
    head = await client.head("POST")
    data, ending = await client.rest()
    assert ending == "complete"
    return head, json.loads(data)


@pytest.mark.parametrize("stream", [True, False])
async def test_an_upstreams_refusal_keeps_its_status_its_sentence_and_what_the_client_needs(stream: bool) -> None:
    fields = [("Retry-After", "7"), ("x-request-id", "r-1"), ("x-ratelimit-remaining-requests", "0"), ("Server", "s")]
    body = b'{"error":"too many of you"}'
    answer = head_bytes("length", len(body), [("Content-Type", "application/json"), *fields], "429 Slow Down") + body
    async with before_ollama() as stand:
        head, told = await refused_with(stand, answer, {**OPENAI, "stream": stream})
        assert await stand.outcome(1) == "ok"
    assert head.status == 429
    assert told["error"]["message"] == "too many of you"
    assert head.get("retry-after") == "7"
    assert head.get("x-request-id") == "r-1"
    assert head.get("x-ratelimit-remaining-requests") == "0"
    assert head.get("server") is None


WRONG: dict[str, tuple[bytes, int]] = {
    "a page": (head_bytes("length", 13, [("Content-Type", "text/html")]) + b"<html></html>", 502),
    "another framing": (head_bytes("length", 6, [("Content-Type", "text/event-stream")]) + b"data: ", 502),
    "a redirect": (head_bytes("length", 0, [("Location", "/elsewhere")], "302 Found"), 502),
    "no HTTP": (b"SSH-2.0-OpenSSH\r\n\r\n", 502),
}


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("what", WRONG)
async def test_an_upstream_that_is_none_is_a_502_in_the_clients_form(what: str, stream: bool) -> None:
    answer, status = WRONG[what]
    async with before_ollama() as stand:
        head, told = await refused_with(stand, answer, {**OPENAI, "stream": stream})
        assert head.status == status
        assert told["error"]["message"]


async def test_an_upstream_that_is_not_there_is_a_502_and_one_that_is_silent_a_504() -> None:
    async with before_ollama(head_timeout_s=0.2) as stand:
        client, server, _ = await exchange(stand, ask())
        await server.rest()
        assert (await client.head("POST")).status == 504
        await client.rest()
        assert await stand.outcome(1) == "timeout"
        assert stand.upstream is not None
        await stand.upstream.aclose()
        head, data, _ = await (await stand.client()).ask(ask())
        assert head.status == 502
        assert json.loads(data)["error"]["type"]
        assert await stand.outcome(2) == "unreachable"


async def test_a_body_that_is_too_large_is_refused_in_the_clients_form() -> None:
    async with before_ollama() as stand:
        client = await stand.client()
        await client.send(b"POST /v1/messages HTTP/1.1\r\nHost: g\r\nContent-Length: 99999999999\r\n\r\n")
        head = await client.head("POST")
        assert head.status == 413
        assert json.loads((await client.rest())[0])["type"] == "error"
        assert await stand.outcome(1) == "bad-request"


# ------------------------------------------------------------------------------------------------------------ documents


async def test_a_client_that_wants_a_document_gets_one_and_the_upstream_streams() -> None:
    async with before_ollama() as stand:
        client, server, _ = await exchange(stand, ask({**OPENAI, "stream": False}))
        body, _ = await server.rest()
        assert json.loads(body)["stream"] is True
        await server.send(head_bytes("chunked", 0, [*NDJSON, ("x-request-id", "r-2")]))
        await server.send(framed("chunked", token("one ") + token("two") + DONE))
        head = await client.head("POST")
        data, ending = await client.rest()
    assert (head.status, ending) == (200, "complete")
    assert head.get("content-type") == "application/json"
    assert head.get("x-request-id") == "r-2"
    document = json.loads(data)
    assert document["object"] == "chat.completion"
    assert document["choices"][0]["message"]["content"] == "one two"
    assert document["usage"]["total_tokens"] == 5
    assert document["id"].startswith("chatcmpl-")


@pytest.mark.parametrize("how", BREAKS)
async def test_a_document_that_did_not_come_to_its_end_is_an_error(how: str) -> None:
    async with before_ollama() as stand:
        client, server, _ = await exchange(stand, ask({**OPENAI, "stream": False}))
        await server.rest()
        await server.send(head_bytes("chunked", 0, NDJSON) + framed("chunked", token("one ")))
        await BREAKS[how](server)
        head = await client.head("POST")
        data, ending = await client.rest()
        assert (head.status, ending) == (502, "complete")
        assert json.loads(data)["error"]["message"]
        assert await stand.outcome(1) == OUTCOMES[how]


@pytest.mark.parametrize("target", ["/chat?prompt=hi", "/agui?prompt=hi", "/generate?prompt=hi"])
async def test_a_head_gets_a_head_and_nobody_is_asked(target: str) -> None:
    async with before_ollama(model_map={"*": "m"}) as stand:
        client = await stand.client()
        await client.send(request("HEAD", target) + request("GET", "/_gateway/stats"))
        assert (await client.head("HEAD")).status == 200
        assert (await client.rest())[1] == "complete"
        assert (await client.head()).get("content-type") == "application/json"
        assert stand.gateway.pool.opened == 0


@pytest.mark.parametrize("path", ["/chat", "/agui"])
async def test_an_event_source_that_comes_back_by_itself_does_not_ask_again(path: str) -> None:
    async with before_ollama(model_map={"*": "m"}) as stand:
        client, server, _ = await begun(stand, request("GET", f"{path}?prompt=hi"))
        await server.send(framed("chunked", token("x") + DONE) + b"0\r\n\r\n")
        data, ending = await client.rest()
        assert (data[:7], ending) == (b"id: 1\n\n", "complete")
        head, _, _ = await (await stand.client()).ask(request("GET", f"{path}?prompt=hi", [("Last-Event-ID", "1")]))
        assert head.status == 204
        assert stand.gateway.pool.opened == 1


SECRET = "sk-very-secret-key-1"  # noqa: S105 - it is made up


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("config", [{"upstream_key": SECRET}, {}])
async def test_a_key_that_the_upstream_repeats_is_neither_told_nor_written_down(
    config: dict[str, Any], stream: bool
) -> None:
    answers = [
        head_bytes("length", 30, [("Content-Type", "application/x-ndjson")]) + b'{"foo":"' + SECRET.encode() + b'"}\n',
        head_bytes("chunked", 0, NDJSON) + framed("chunked", b'{"error":"bad key ' + SECRET.encode() + b'"}\n'),
        head_bytes("length", 24, [("X-Debug", SECRET)], "401 No") + b'{"error":"' + SECRET[:9].encode() + b'..."}',
    ]
    async with before_ollama(**config) as stand:
        for number, answer in enumerate(answers, 1):
            fields = [] if config else [("Authorization", f"Bearer {SECRET}")]
            client, server, _ = await exchange(stand, ask({**OPENAI, "stream": stream}, fields=fields))
            await server.rest()
            await server.send(answer)
            server.stream.abort() if number == 2 else None
            head = await client.head("POST")
            data, _ = await client.rest()
            assert SECRET not in head.line + str(head.fields) + data.decode()
            assert SECRET not in (await stand.record(number)).detail
            await client.stream.aclose()


async def test_what_a_client_has_sent_does_not_fill_the_log() -> None:
    tool = {"type": "function", "function": {"name": "f"}}
    body = {**OPENAI, "tools": [tool], "tool_choice": "x" * 100_000}
    async with before_ollama() as stand:
        head, data, _ = await (await stand.client()).ask(ask(body))
        assert head.status == 400
        assert len(data) < 5000
        assert len((await stand.record(1)).detail) <= 1000


async def test_a_doubled_slash_is_one() -> None:
    async with before_ollama() as stand:
        client = await stand.client()
        await client.send(ask(path="//v1/chat/completions"))
        head, _ = await (await stand.server()).request()
        assert head.line == "POST /api/chat HTTP/1.1"


async def test_a_large_body_is_read_beside_the_others() -> None:
    messages = [{"role": "user", "content": "x" * 300} for _ in range(3000)]
    async with before_ollama() as stand:
        client = await stand.client()
        await client.send(ask({**OPENAI, "messages": messages}))
        _, body = await (await stand.server()).request()
        assert len(json.loads(body)["messages"]) == 3000


async def test_a_renamed_request_that_is_too_large_is_refused_in_the_clients_form() -> None:
    async with standing(speaks="anthropic", model_map={"a": "b"}) as stand:
        client = await stand.client()
        await client.send(b"POST /v1/messages HTTP/1.1\r\nHost: g\r\nContent-Length: 99999999999\r\n\r\n")
        assert (await client.head("POST")).status == 413
        assert json.loads((await client.rest())[0])["type"] == "error"


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
