"""Every fault of the mock server does to a client behind the gateway what it does to one without.

The same question with the same seed, once direct and once through: the same status, the same payload, and the same kind
of end. What breaks the connection before there is a head is a 502, which says so.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import h11
import pytest

from mockserver.app import MockServer, ServerConfig
from mockserver.faults.kind import Kind
from mockserver.faults.table import FAULTS
from mockserver.open import open_mockserver
from tests.gateway.peers import Stand, connected, gateway_to
from tests.gateway.readers import VISIBLE, Client, Ended, Ending
from tests.mockserver.talk import request_bytes

CHAT = {"model": "m", "messages": [{"role": "user", "content": "Say it."}]}
CONTENTS = {"contents": [{"parts": [{"text": "Say it."}]}]}
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}
AGENT = {"threadId": "t", "runId": "r", "messages": [{"id": "1", "role": "user", "content": "Say it."}]}

ASKED: dict[str, tuple[str, str, object]] = {
    "openai-chat": ("POST", "/v1/chat/completions", {**CHAT, "stream": True, "tools": [TOOL]}),
    "openai-completions": ("POST", "/v1/completions", {"model": "m", "prompt": "a", "stream": True}),
    "openai-responses": ("POST", "/v1/responses", {"model": "m", "input": "a", "stream": True}),
    "anthropic": ("POST", "/v1/messages", {**CHAT, "max_tokens": 9, "stream": True}),
    "ollama-chat": ("POST", "/api/chat", CHAT),
    "ollama-generate": ("POST", "/api/generate", {"model": "m", "prompt": "a"}),
    "gemini": ("POST", "/v1beta/models/m:streamGenerateContent?alt=sse", CONTENTS),
    "ag-ui": ("POST", "/agui", AGENT),
    "agent-poc": ("POST", "/chat", CHAT),
    "document": ("POST", "/v1/chat/completions", CHAT),
    "models": ("GET", "/v1/models", None),
    "head": ("HEAD", "/generate", None),
}
ANY = ("openai-chat", "ollama-chat", "document", "models", "head")

ARGUMENTS = {
    "status": ":500:1",
    "length": ":+3",
    "oversized": ":200000",
    "garbage": ":16",
    "stall": ":20ms",
    "slow-close": ":20ms",
}
MORE = [
    *("status:204", "status:304", "status:429:2", "length:-3", "length:+100", "interim:100", "interim:102"),
    *("reset@before-head", "reset@after-head", "reset@event:1+5", "reset@before-terminator"),
    *("close@before-head", "close@after-head", "close@event:1+5", "close@before-terminator"),
    *("bad-chunk@after-head", "bad-chunk@event:1+5", "garbage@before-head", "stall:20ms@before-head"),
]


@dataclass
class Seen:
    """What a client saw of an answer."""

    status: int
    fields: list[tuple[str, str]]
    body: bytes
    ending: Ending
    interim: list[int]
    trailers: list[tuple[str, str]]


async def seen(client: Client, data: bytes) -> Seen | None:
    """What is answered to a request; None where there is no head."""
    await client.send(data)
    method = data.partition(b" ")[0].decode()
    try:
        head = await client.head(method)
    except (Ended, h11.RemoteProtocolError, IndexError, ValueError):
        return None
    body, ending = await client.rest()
    interim = [each.status for each in client.interim]
    fields = [pair for pair in head.fields if pair[0].lower() not in OF_THE_HOP]
    return Seen(head.status, fields, body, ending, interim, client.trailers)


OF_THE_HOP = {"connection", "keep-alive", "transfer-encoding", "x-accel-buffering", "cache-control"}


@asynccontextmanager
async def both(**mocked: str | int | list[str]) -> AsyncIterator[tuple[MockServer, Stand]]:
    config = ServerConfig(seed=1, created_ns=0)
    async with (
        open_mockserver(config, tokens=4, **mocked) as mock,  # type: ignore[arg-type]  # a test's own
        gateway_to(mock.url, head_timeout_s=20) as stand,
    ):
        yield mock, stand


async def direct_and_through(
    mock: MockServer, stand: Stand, name: str, version: str = "1.1"
) -> tuple[Seen | None, Seen | None]:
    """The answers to the same request, which is the first one both times; the version is that of the second."""
    method, path, body = ASKED[name]
    answers = []
    for port, each in ((int(mock.url.rpartition(":")[2]), "1.1"), (stand.port, version)):
        mock.forget()
        mock.gates.open("g")
        await stand.gateway.pool.aclose()  # a connection that the mock server is about to close is another test
        async with await connected(port) as stream:
            asked = request_bytes(path, body, method=method, version=each, headers={"Connection": "close"})
            answers.append(await seen(Client(stream), asked))
    direct, through = answers
    return direct, through


def kinds_asked(kind: str) -> list[str]:
    dialects = FAULTS[kind].dialects
    return [name for name in ASKED if name in dialects] if dialects else list(ANY)


def check(direct: Seen | None, through: Seen | None, version: str) -> None:
    """The gateway has changed nothing that a client may rely on."""
    assert through is not None, "the gateway has an answer to everything"
    if direct is None or direct.status == 0:
        assert through.status == 502
        return
    if direct.ending == "broken" and not direct.body and through.status == 502:
        return
    assert through.status == direct.status
    assert through.fields == direct.fields
    if direct.ending in VISIBLE:
        # A reset may destroy, on its way, what came before it: with the gateway there are two ways.
        assert through.ending in VISIBLE
        assert direct.body.startswith(through.body) or through.body.startswith(direct.body)
        if direct.ending == "cut" and version == "1.1":
            assert (through.body, through.ending) == (direct.body, "cut")
        return
    assert through.body == direct.body
    assert through.trailers == direct.trailers or version == "1.0"
    assert through.interim == direct.interim or version == "1.0"
    if version == "1.0":
        assert through.ending in {"closed", "complete"}
    else:
        assert through.ending == direct.ending


ROWS = [*(kind + ARGUMENTS.get(kind, "") for kind in FAULTS if kinds_asked(kind)), *MORE]


def setting_of(fault: str) -> dict[str, str | int | list[str]]:
    return {"gate": "g@token:2"} if fault == "gate" else {"fault": fault}


def kind_of(fault: str) -> Kind:
    return FAULTS[fault.partition("@")[0].partition(":")[0]]


@pytest.mark.parametrize("fault", ROWS)
async def test_a_fault_is_the_same_with_the_gateway_and_without(fault: str) -> None:
    is_of_dialect = bool(kind_of(fault).dialects)
    async with both(**setting_of(fault)) as (mock, stand):
        for framing in ("chunked",) if is_of_dialect else ("chunked", "length", "close"):
            mock.configure([("framing", framing)])
            for name in kinds_asked(kind_of(fault).name):
                check(*await direct_and_through(mock, stand, name), "1.1")
        mock.configure([("fault", "none")])
        await stand.pass_one()


@pytest.mark.parametrize("fault", [row for row in ROWS if not kind_of(row).dialects])
async def test_a_fault_shows_to_clients_of_http_1_0_too(fault: str) -> None:
    """Direct is with 1.1, because the mock server answers 1.0 in another framing, and the gateway asks with 1.1."""
    async with both(**setting_of(fault)) as (mock, stand):
        for name in ANY:
            check(*await direct_and_through(mock, stand, name, "1.0"), "1.0")


@pytest.mark.parametrize("name", ["openai-chat", "ollama-chat", "anthropic"])
async def test_a_stall_before_the_head_is_504(name: str) -> None:
    method, path, body = ASKED[name]
    async with (
        open_mockserver(tokens=4, fault="stall@before-head") as mock,
        gateway_to(mock.url, head_timeout_s=0.2) as stand,
    ):
        got = await seen(await stand.client(), request_bytes(path, body, method=method))
        assert got is not None
        assert (got.status, got.ending) == (504, "complete")
        assert await stand.outcome(1) == "timeout"


@pytest.mark.parametrize("name", ["openai-chat", "ollama-chat", "anthropic"])
async def test_a_stall_within_the_body_is_an_abort(name: str) -> None:
    method, path, body = ASKED[name]
    async with (
        open_mockserver(tokens=4, fault="stall@token:2") as mock,
        gateway_to(mock.url, idle_timeout_s=0.2) as stand,
    ):
        got = await seen(await stand.client(), request_bytes(path, body, method=method))
        assert got is not None
        assert got.status == 200
        assert got.ending in VISIBLE
        assert await stand.outcome(1) == "timeout"
