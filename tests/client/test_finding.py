"""Which dialect it is, where nobody says: from the URL, or from what the server answers."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock  # noqa: TC002 - pytest-trio looks at the clock, not at its annotation

from mockserver import open_mockserver
from streamkit.client.open import open_chat
from streamkit.client.timeouts import Timeouts
from streamkit.errors import (
    ConfigError,
    ConnectError,
    DisconnectedError,
    IdleTimeout,
    ProtocolError,
    RemoteError,
    StatusError,
    StreamTimeout,
    TotalTimeout,
)
from tests.client.peers import DONE, HEL, LAST, NDJSON, Serve, Server, answering, chunk, serving

VERSION = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 19\r\n\r\n{"version":"0.9.1"}'
MODELS = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 27\r\n\r\n{"object":"list","data":[]}'
NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
PAGE = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>"


@pytest.mark.parametrize(
    "path", ["/v1/chat/completions", "/api/chat", "/api/generate", "/v1/messages", "/v1/responses"]
)
async def test_the_url_tells(path: str) -> None:
    async with open_mockserver(say="It rains.") as mock:
        async with open_chat(mock.url + path, model="m", messages="Hi", max_tokens=100) as chat:
            assert len([event async for event in chat]) > 2
            assert chat.text == "It rains."
        assert [(entry.method, entry.target, entry.dialect) for entry in mock.journal] == [("POST", path, chat.dialect)]


async def test_a_server_that_speaks_several_is_taken_for_an_ollama() -> None:
    async with open_mockserver(say="It rains.") as mock:
        async with open_chat(mock.url, model="m", messages="Hi") as chat:
            assert len([event async for event in chat]) > 2
        assert [entry.target for entry in mock.journal] == ["/api/version", "/api/chat"]
    assert chat.dialect == "ollama-chat"
    assert chat.text == "It rains."


def logging(log: list[str], wire: bytes) -> Serve:
    async def serve(server: Server) -> None:
        request = await server.request()
        log.append(request.split(b"\r\n", 1)[0].decode())
        log.extend(line.decode() for line in request.split(b"\r\n") if line.startswith((b"Authorization", b"X-Tenant")))
        await server.send(wire)
        await server.left()

    return serve


NO_OLLAMA = {
    "not found": NOT_FOUND,
    "page": PAGE,
    "other json": VERSION.replace(b"version", b"verdict"),
    "no http": b"hello\r\n\r\n",
}


@pytest.mark.parametrize("base", ["", "/llm"])
@pytest.mark.parametrize("first", NO_OLLAMA.values(), ids=NO_OLLAMA)
async def test_what_answers_as_openai_does_is_one(first: bytes, base: str) -> None:
    log: list[str] = []
    answer = b'data: {"choices":[{"delta":{"content":"Hi"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
    wire = NDJSON.replace(b"application/x-ndjson", b"text/event-stream") + chunk(answer) + LAST
    async with serving(logging(log, first), logging(log, MODELS), logging(log, wire)) as served:
        options = {"dialect": "auto", "api_key": "k1", "headers": {"X-Tenant": "7"}}
        async with served.chat(f"http://server.test:8000{base}", **options) as chat:
            assert len([event async for event in chat]) > 2
    told = ["Authorization: Bearer k1", "X-Tenant: 7"]
    assert chat.dialect == "openai-chat"
    assert log == [
        f"GET {base}/api/version HTTP/1.1",
        *told,
        f"GET {base}/v1/models HTTP/1.1",
        *told,
        f"POST {base}/v1/chat/completions HTTP/1.1",
        *told,
    ]


async def test_a_server_that_answers_neither_wants_its_dialect_named() -> None:
    async with serving(answering(NOT_FOUND), answering(PAGE)) as served:
        with pytest.raises(ConfigError, match="name the dialect, for instance openai-chat"):
            async with served.chat("http://server.test", dialect="auto"):
                pytest.fail("the block must not begin")


async def test_a_server_that_is_not_there_is_no_question_of_dialects() -> None:
    async with serving() as served:
        with pytest.raises(ConnectError):
            async with served.chat("http://server.test", dialect="auto"):
                pytest.fail("the block must not begin")


@pytest.mark.parametrize("status", [b"401 Unauthorized", b"403 Forbidden"])
async def test_a_server_that_wants_a_key_first_says_so(status: bytes) -> None:
    body = b'{"error":{"message":"No key."}}'
    refused = b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)
    async with serving(answering(NOT_FOUND), answering(refused)) as served:
        with pytest.raises(StatusError, match=r"No key\."):
            async with served.chat("http://server.test", dialect="auto"):
                pytest.fail("the block must not begin")


async def silent(server: Server) -> None:
    await server.request()
    await server.left()


async def test_a_server_that_does_not_answer_is_not_waited_for_without_end(autojump_clock: MockClock) -> None:
    async with serving(silent, answering(MODELS), silent) as served:
        with pytest.raises(TotalTimeout):
            async with served.chat("http://server.test", dialect="auto", timeouts=Timeouts(total_s=12)):
                pytest.fail("the block must not begin")
    async with serving(silent, answering(NOT_FOUND)) as served:
        with pytest.raises(ConfigError, match="name the dialect"):
            async with served.chat("http://server.test", dialect="auto", timeouts=Timeouts(first_token_s=3)):
                pytest.fail("the block must not begin")
    assert trio.current_time() == pytest.approx(12 + 3, abs=0.01)


async def reset(server: Server) -> None:
    await server.request()
    server.stream.abort()


BROKEN: dict[str, tuple[Serve, type[RemoteError], str]] = {
    "silent": (silent, IdleTimeout, "nothing came for 10 s"),
    "reset": (reset, DisconnectedError, "was lost"),
    "no http": (answering(b"SSH-2.0-OpenSSH_9.2\r\n"), ProtocolError, "no HTTP"),
    "bad gateway": (answering(NOT_FOUND.replace(b"404 Not Found", b"502 Bad Gateway")), StatusError, "status 502"),
}


@pytest.mark.parametrize(("serve", "kind", "said"), BROKEN.values(), ids=BROKEN)
async def test_a_server_that_is_broken_is_no_mistake_of_the_callers(
    autojump_clock: MockClock, serve: Serve, kind: type[RemoteError], said: str
) -> None:
    async with serving(serve, serve) as served:
        with pytest.raises(kind, match=said):
            async with served.chat("http://server.test", dialect="auto"):
                pytest.fail("the block must not begin")
    async with serving(serve, answering(MODELS), answering(NOT_FOUND)) as served:
        with pytest.raises(StatusError, match="404"):  # to the chat itself
            async with served.chat("http://server.test", dialect="auto"):
                pytest.fail("the block must not begin")


@pytest.mark.parametrize(("total_s", "kind"), [(2, TotalTimeout), (None, StreamTimeout)])
async def test_an_answer_that_never_ends_is_no_mistake_of_the_callers(
    autojump_clock: MockClock, total_s: float | None, kind: type[StreamTimeout]
) -> None:
    async def drip(server: Server) -> None:
        await server.request()
        await server.send(b'HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n{"version":')
        while True:
            await trio.sleep(0.3)
            await server.send(b" ")

    async with serving(drip, drip) as served:
        with pytest.raises(kind):
            async with served.chat("http://server.test", dialect="auto", timeouts=Timeouts(total_s=total_s)):
                pytest.fail("the block must not begin")
    assert trio.current_time() == pytest.approx(total_s or 20, abs=0.1)


async def test_the_refusal_of_a_key_is_told_although_its_text_never_ends(autojump_clock: MockClock) -> None:
    wire = b'HTTP/1.1 401 Unauthorized\r\nContent-Length: 500\r\n\r\n"No key."'
    async with serving(answering(wire)) as served:
        with pytest.raises(StatusError, match=r"No key\."):
            async with served.chat("http://server.test", dialect="auto"):
                pytest.fail("the block must not begin")


async def test_the_reads_of_the_question_are_not_shown_as_the_answers() -> None:
    reads: list[bytes] = []
    wire = NDJSON + chunk(HEL + DONE) + LAST
    async with (
        serving(answering(VERSION), answering(wire)) as served,
        served.chat("http://server.test", dialect="auto", on_read=lambda read: reads.append(read.data)) as chat,
    ):
        assert len([event async for event in chat]) > 2
    assert reads == [wire]
