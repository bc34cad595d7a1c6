"""How a converted answer ends: as what it was, whether it breaks off, was refused, or is one document.

The upstream is played by hand. What the official SDKs make of it is in `test_pairs_errors`.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.gateway.peers import exchange, framed, head_bytes, request, standing
from tests.gateway.readers import VISIBLE, Server
from tests.gateway.translating import DONE, NDJSON, OPENAI, ask, before_ollama, begun, delta, event, refused_with, token

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
