"""The upstream's one port: every request gets to its case, late ones are refused, and what is nobody's is answered."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

from streamkit.contract.content import TOKEN_HEADER, Meter
from streamkit.contract.hub import MAX_WAITING, Desk, Hub
from streamkit.contract.open import open_upstream
from streamkit.contract.token import token_in, token_of
from streamkit.contract.trace import Exchanged, Trace
from streamkit.contract.upstream_end import UpstreamEnd

TOKEN = token_of("0badcafe", 1)
OTHER = token_of("0badcafe", 2)

CHAT = b'{"model": "m", "messages": [{"role": "user", "content": "hello"}]}'


@asynccontextmanager
async def hub_at() -> AsyncIterator[tuple[Hub, int]]:
    with trio.fail_after(30):
        async with open_upstream() as (hub, place):
            yield hub, place.port


def post(target: str = "/v1/chat/completions", body: bytes = CHAT, *fields: str, method: str = "POST") -> bytes:
    lines = [f"{method} {target} HTTP/1.1", "Host: 127.0.0.1", "Connection: close", *fields]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body


async def said(port: int, request: bytes) -> bytes:
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        await stream.send_all(request)
        data = bytearray()
        async for piece in stream:
            data += piece
    return bytes(data)


@pytest.mark.parametrize(
    ("request_bytes", "carriers"),
    [
        (post(f"/{TOKEN}/v1"), {"path"}),
        (post(f"/v1?streamkit={TOKEN}"), {"path"}),
        (post("/v1", CHAT, f"{TOKEN_HEADER.lower()}: {TOKEN}"), {"header"}),
        (post(f"/{TOKEN}", CHAT, f"{TOKEN_HEADER}: {TOKEN}"), {"path", "header"}),
        (post("/v1", b"x" * 100_000 + TOKEN.encode()), {"body"}),
    ],
)
async def test_a_request_gets_to_its_case(request_bytes: bytes, carriers: set[str]) -> None:
    async with hub_at() as (hub, port), trio.open_nursery() as nursery:
        desk, other = hub.open(TOKEN), hub.open(OTHER)
        nursery.start_soon(said, port, request_bytes)
        end = await desk.get()
        assert desk.carriers == carriers
        assert (desk.arrived, other.arrived) == (1, 0)
        end.join(Exchanged(), Meter(), Trace())
        assert await end.read_body(5) == request_bytes.partition(b"\r\n\r\n")[2]
        await end.respond("close")
        end.end("clean")


async def test_the_answer_says_whose_it_is() -> None:
    async with hub_at() as (hub, port), trio.open_nursery() as nursery:
        desk = hub.open(TOKEN)
        got: list[bytes] = []

        async def ask() -> None:
            got.append(await said(port, post(f"/{TOKEN}")))

        nursery.start_soon(ask)
        end = await desk.get()
        await end.respond("close")
        end.end("clean")
    assert token_in(got[0]) == TOKEN


@pytest.mark.parametrize("method", ["POST", "HEAD"])
async def test_what_comes_when_its_case_is_over_is_refused(method: str) -> None:
    async with hub_at() as (hub, port):
        hub.open(TOKEN)
        hub.close(TOKEN)
        answer = await said(port, post(f"/{TOKEN}", b"" if method == "HEAD" else CHAT, method=method))
        assert answer.startswith(b"HTTP/1.1 410 ")
        assert answer.endswith(b"\r\n\r\n") == (method == "HEAD")
        assert (hub.late, hub.strays) == (1, 0)


async def test_what_is_under_way_when_its_case_is_over_is_reset() -> None:
    async with hub_at() as (hub, port):
        desk = hub.open(TOKEN)
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            await stream.send_all(post(f"/{TOKEN}"))
            await desk.get()
            hub.close(TOKEN)
            with pytest.raises(trio.BrokenResourceError):
                await stream.receive_some()


@pytest.mark.parametrize(
    ("request_bytes", "status", "contains"),
    [
        (post("/v1/models", b"", method="GET"), b"HTTP/1.1 200", b'"object"'),
        (post(), b"HTTP/1.1 200", b'"choices"'),
        (post("/v1/chat/completions", b"{"), b"HTTP/1.1 400", b"error"),
    ],
)
async def test_what_is_nobodys_the_mock_server_answers(request_bytes: bytes, status: bytes, contains: bytes) -> None:
    async with hub_at() as (hub, port):
        hub.open(TOKEN)
        answer = await said(port, request_bytes)
        assert answer.startswith(status)
        assert contains in answer
        assert hub.strays == 1


async def test_the_connection_of_a_stray_may_serve_another_request() -> None:
    async with hub_at() as (hub, port):
        request = post().replace(b"Connection: close\r\n", b"")
        desk = hub.open(TOKEN)
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            await stream.send_all(request)
            assert (await stream.receive_some()).startswith(b"HTTP/1.1 200")
            await stream.send_all(post(f"/{TOKEN}"))
            end = await desk.get()
            assert end.exchange.request.number == 2
            hub.close(TOKEN)


async def test_in_its_turn_a_case_gets_what_has_no_token_and_one_of_its_methods() -> None:
    async with hub_at() as (hub, port), trio.open_nursery() as nursery:
        desk = hub.open(TOKEN)
        desk.methods.add("POST")
        hub.turn = TOKEN
        assert (await said(port, post("/v1/models", b"", method="GET"))).startswith(b"HTTP/1.1 200")
        assert desk.arrived == 0
        nursery.start_soon(said, port, post())
        end = await desk.get()
        assert desk.carriers == {"turn"}
        end.end("closed")
        hub.close(TOKEN)
        assert hub.turn == ""


async def test_blind_it_does_not_wait_for_a_body_that_may_have_a_token() -> None:
    async with hub_at() as (hub, port):
        desk = hub.open(TOKEN)
        desk.methods.add("POST")
        hub.turn, hub.is_blind = TOKEN, True
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            await stream.send_all(post()[: -len(CHAT)])
            end = await desk.get()
            assert (desk.carriers, end.body) == ({"turn"}, b"")
            hub.close(TOKEN)


async def test_what_waits_for_one_case_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamkit.contract.hub.MAX_WAITING", 1)
    async with hub_at() as (hub, port), trio.open_nursery() as nursery:
        desk = hub.open(TOKEN)
        full = trio.Event()
        put = desk.put

        def put_and_tell(end: UpstreamEnd) -> None:
            put(end)
            full.set()

        monkeypatch.setattr(desk, "put", put_and_tell)
        nursery.start_soon(said, port, post(f"/{TOKEN}"))
        await full.wait()
        assert (await said(port, post(f"/{TOKEN}"))).startswith(b"HTTP/1.1 410 ")
        end = await desk.get()
        await end.respond("close")
        end.end("clean")
    assert MAX_WAITING > 100
    assert not Desk().is_full
