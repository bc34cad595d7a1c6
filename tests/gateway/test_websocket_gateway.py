"""What the whole gateway adds to a WebSocket: who is let in, what goes upstream, TLS, and how it stops."""

from __future__ import annotations

import json
import threading

import pytest
import trio
import trio.testing
from websockets.sync.client import connect

from mockserver.open import open_mockserver
from streamkit.dialects.events import Text
from streamkit.gateway.config import GatewayConfig
from streamkit.gateway.envelopes import reading_of
from streamkit.gateway.open import open_gateway
from streamkit.http.origin import parse_origin
from streamkit.http.tls import throwaway_certificate
from streamkit.vendors.endpoint import Facts
from streamkit.vendors.envelope import read_envelope
from streamkit.vendors.reading import Reading
from tests.gateway.peers import PATIENCE_S, connected, gateway_to
from tests.gateway.websocket_peers import FINISH, START, Hand, close_of, closes, opening, standing
from tests.gateway.websocket_stand import QUESTION

WORDS = "One two three four five."


async def answered(port: int, data: bytes) -> tuple[Hand, str]:
    """Send an opening, and return the client with the head of the answer."""
    hand = Hand(await connected(port))
    await hand.send(data)
    return hand, await hand.head()


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, 101),
        ({"Origin": "http://localhost:5173"}, 101),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Host": "rebound.example"}, 421),
    ],
)
async def test_host_and_origin_are_checked_first(fields: dict[str, str], status: int) -> None:
    async with (
        open_mockserver() as mock,
        gateway_to(mock.url, speaks="ollama-chat", allowed_hosts=frozenset()) as stand,
    ):
        hand, head = await answered(stand.port, opening(**{"Host": f"127.0.0.1:{stand.port}", **fields}))
        assert head.startswith(f"HTTP/1.1 {status} ")
        hand.stream.abort()
        assert await stand.outcome(1) == ("ok" if status == 101 else "refused")


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, 401),
        ({"Sec-WebSocket-Protocol": "streamkit, streamkit.key.d3Jvbmc"}, 401),
        ({"Sec-WebSocket-Protocol": "streamkit, streamkit.key.c2VjcmV0"}, 101),
        ({"Sec-WebSocket-Protocol": "streamkit.key.secret, streamkit"}, 101),
        ({"Authorization": "Bearer secret"}, 101),
    ],
)
async def test_a_key_may_come_as_a_protocol(fields: dict[str, str], status: int) -> None:
    async with (
        open_mockserver(say=WORDS) as mock,
        gateway_to(mock.url, speaks="ollama-chat", api_key="secret") as stand,
    ):
        hand, head = await answered(stand.port, opening(**fields))
        assert head.startswith(f"HTTP/1.1 {status} ")
        if status == 101:
            await hand.ask(QUESTION)
            await hand.until("end")
            (entry,) = mock.journal
            assert "secret" not in entry.head
            assert "websocket" not in entry.head.lower()
        hand.stream.abort()


async def test_the_record_of_a_conversation() -> None:
    async with open_mockserver(say=WORDS) as mock, gateway_to(mock.url, speaks="anthropic") as stand:
        hand, _ = await answered(stand.port, opening())
        for _ in range(2):
            await hand.ask(QUESTION)
            await hand.until("end")
        await hand.send(close_of(1000))
        await hand.closing()
        hand.stream.abort()
        record = await stand.record(1)
        assert (record.method, record.target, record.status, record.outcome) == ("GET", "/ws", 101, "ok")
        assert record.request_bytes == 2 * len(QUESTION)
        assert record.first_ns is not None
        assert (record.dialect, record.upstream_dialect) == ("openai-chat", "anthropic")
        assert stand.gateway.stats.active == 0


async def test_a_gateway_that_only_passes_on_knows_no_websocket() -> None:
    async with open_mockserver() as mock, gateway_to(mock.url) as stand:
        hand, head = await answered(stand.port, opening())
        assert head.startswith("HTTP/1.1 404 ")
        hand.stream.abort()


async def test_a_gateway_that_drains_and_one_that_stops() -> None:
    with trio.fail_after(PATIENCE_S):
        async with open_mockserver(say=WORDS, gate="g@token:2") as mock:
            async with open_gateway(mock.url, speaks="ollama-chat") as gateway:
                waiting, _ = await answered(gateway.port, opening(Host="localhost"))
                asking, _ = await answered(gateway.port, opening(Host="localhost"))
                await asking.ask(QUESTION)
                await asking.until("text")
                gateway.drain()
                assert (await waiting.closing())[0] == 1001
                await waiting.send(close_of(1001))
                assert await waiting.end() == b""
                await waiting.stream.aclose()
                await mock.gates.wait_for("g")
                await asking.until("text")
            assert (await asking.closing())[0] == 1001, "its time is over"
            assert await asking.end() == b""
            await asking.stream.aclose()
        assert [record.outcome for record in gateway.records] == ["ok", "stopped"]


async def test_over_tls() -> None:
    certificate = throwaway_certificate()
    with trio.fail_after(PATIENCE_S):
        async with (
            open_mockserver(say=WORDS) as mock,
            open_gateway(mock.url, speaks="gemini", tls=certificate.context) as gateway,
        ):

            def converse() -> tuple[str, int | None]:
                said = ""
                with connect(f"wss://127.0.0.1:{gateway.port}/ws", ssl=certificate.client_context()) as socket:
                    socket.send(QUESTION)
                    record = {"streamkit": ""}
                    while record["streamkit"] != "end":
                        record = json.loads(socket.recv(timeout=30))
                        said += record.get("text", "")
                return said, socket.close_code

            assert await trio.to_thread.run_sync(converse) == (WORDS, 1000)


# ------------------------------------------------------------------------------- draining and stopping, in memory


async def test_who_waits_is_let_go_when_we_drain(autojump_clock: trio.testing.MockClock) -> None:
    async with standing() as stage:
        await trio.testing.wait_all_tasks_blocked()
        stage.drain.set()
        await closes(stage, 1001)
        assert trio.current_time() == 0
    assert stage.record.outcome == "ok"


async def test_an_answer_is_finished_when_we_drain(autojump_clock: trio.testing.MockClock) -> None:
    async with standing() as stage:
        await stage.hand.ask()
        await stage.upstream.say(*START)
        stage.drain.set()
        await trio.sleep(10)
        await stage.upstream.say(Text(0, "on"))
        await stage.upstream.say(*FINISH)
        await stage.hand.until("end")
        await stage.upstream.end()
        await closes(stage, 1001)
    assert stage.record.outcome == "ok"


async def test_a_gateway_that_stops_says_so() -> None:
    async with standing() as stage:
        await stage.hand.ask()
        await stage.upstream.say(*START)
        await stage.hand.until("part-start")
        stage.scope.cancel()
        assert (await stage.hand.closing())[0] == 1001
        assert await stage.hand.end() == b""
    assert stage.upstream.journal == ["asked", "left"]


async def test_a_stop_inside_a_message_is_no_end() -> None:
    async with standing() as stage:
        await stage.hand.ask()
        await stage.upstream.say(*START, Text(0, "x" * 200_000))
        await trio.testing.wait_all_tasks_blocked()
        stage.scope.cancel()
        await stage.hand.until("part-start")
        with pytest.raises((EOFError, trio.BrokenResourceError)):
            await stage.hand.next()


PAGE = "https://app.example"


@pytest.mark.parametrize(("fields", "status"), [({"Upgrade": "h2c"}, 426), ({"Sec-WebSocket-Version": "8"}, 426)])
async def test_a_page_is_told_why_no_websocket_is_opened(fields: dict[str, str], status: int) -> None:
    async with (
        open_mockserver() as mock,
        gateway_to(mock.url, speaks="ollama-chat", cors_origins=frozenset({PAGE})) as stand,
    ):
        hand, head = await answered(stand.port, opening(Origin=PAGE, **fields))
        assert head.startswith(f"HTTP/1.1 {status} ")
        assert f"\r\nAccess-Control-Allow-Origin: {PAGE}" in head
        assert "\r\nVary: Origin" in head
        hand.stream.abort()


async def test_a_large_question_is_read_beside_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: set[int] = set()

    def noted(data: bytes, facts: Facts) -> Reading:
        threads.add(threading.get_ident())
        return read_envelope(data, facts)

    monkeypatch.setattr("streamkit.gateway.envelopes.read_envelope", noted)
    config = GatewayConfig(parse_origin("http://localhost"), speaks="ollama-chat")
    await reading_of(QUESTION.encode(), config)
    assert threads == {threading.get_ident()}
    await reading_of(QUESTION.encode() + b" " * 300_000, config)
    assert len(threads) == 2
