"""What a request becomes on its way into another dialect: its words, its headers, its keys, and who may not pass.

The upstream is played by hand. Whose business a request is, is in `test_route`; all fields of all dialects are in
`test_pairs_requests`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.gateway.peers import exchange, framed, head_bytes, request, standing
from tests.gateway.translating import DONE, NDJSON, OPENAI, ask, before_ollama, begun, refused_with

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
