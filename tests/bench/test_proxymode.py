"""Proxies whose doing is known, before the embedded mock and before others.

What a relay adds is asserted by cause: it cannot pass on what it still holds. How fast a machine is decides nothing.
"""

from __future__ import annotations

import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Final

import msgspec
import pytest
import trio

from mockserver.open import open_mockserver
from streamkit.bench.engine import Stop
from streamkit.bench.plan import Arrivals, Concurrency, Load, Plan, Server
from streamkit.bench.proxymode import ProxyRun, measure_proxies, notes_of, open_upstream, parse_place, reached
from streamkit.bench.record import RequestRecord
from streamkit.bench.results import Difference, Paired, TokenDelay
from streamkit.bench.shape import Shape
from streamkit.errors import ConfigError
from streamkit.gateway.open import open_gateway
from streamkit.http.background import background
from streamkit.http.listener import Listener, open_listeners
from streamkit.http.origin import parse_origin

HELD_MS: Final = 40
GAP_MS: Final = 12
TOKENS: Final = 9
TOGETHER: Final = 4
PAIRS: Final = 14

END: Final = b"\r\n0\r\n\r\n"

Pass = Callable[[trio.abc.ReceiveStream, trio.abc.SendStream], Awaitable[None]]
"""Passes an answer's bytes on until there are no more."""

# --- relays: bytes as they are, or nearly ----------------------------------------------------------------------------


async def late(source: trio.abc.ReceiveStream, sink: trio.abc.SendStream) -> None:
    """Pass every piece on `HELD_MS` after it came."""
    async for piece in source:
        await trio.sleep(HELD_MS / 1000)
        await sink.send_all(piece)


async def by_fours(source: trio.abc.ReceiveStream, sink: trio.abc.SendStream) -> None:
    """Pass events on four at a time."""
    held = b""
    async for piece in source:
        held += piece
        if held.count(b"data: ") >= TOGETHER or held.endswith(END):
            await sink.send_all(held)
            held = b""


async def without_id(source: trio.abc.ReceiveStream, sink: trio.abc.SendStream) -> None:
    """Pass requests on, and drop X-Request-ID."""
    async for piece in source:
        await sink.send_all(re.sub(rb"(?i)x-request-id:[^\r]*\r\n", b"", piece))


async def at_once(source: trio.abc.ReceiveStream, sink: trio.abc.SendStream) -> None:
    """Pass requests on."""
    async for piece in source:
        await sink.send_all(piece)


async def relay_one(client: trio.abc.Stream, port: int, up: Pass, down: Pass) -> None:
    async with client, await trio.open_tcp_stream("127.0.0.1", port) as upstream, trio.open_nursery() as nursery:

        async def one_way(how: Pass, source: trio.abc.Stream, sink: trio.abc.Stream) -> None:
            with suppress(trio.BrokenResourceError):
                await how(source, sink)
            nursery.cancel_scope.cancel()

        nursery.start_soon(one_way, up, client, upstream)
        nursery.start_soon(one_way, down, upstream, client)


@asynccontextmanager
async def relay(upstream: str, *, up: Pass = at_once, down: Pass) -> AsyncIterator[str]:
    """Run a relay before a server, and say where."""
    listeners: list[Listener] = await open_listeners(0)
    port = parse_origin(upstream).port
    async with background() as nursery:
        handler = partial(relay_one, port=port, up=up, down=down)
        await nursery.start(partial(trio.serve_listeners, handler, listeners))
        yield f"http://127.0.0.1:{listeners[0].port}"


def bound() -> socket.socket:
    """Return a socket at which nobody listens, as long as it is open."""
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    return sock


def free_port() -> int:
    """Return a port that nobody has."""
    with bound() as sock:
        return int(sock.getsockname()[1])


def plan_of(servers: list[Server], load: Load, requests: int | None = None) -> Plan:
    return Plan(servers=servers, load=load, prompts=["Why is the sky blue?", "Who asks?"], requests=requests, seed=5)


# --- before the embedded mock: every token's delay is known ----------------------------------------------------------


async def before_the_mock() -> ProxyRun:
    with bound() as nobody:
        return await before_the_mock_and(nobody.getsockname()[1])


async def before_the_mock_and(nobody: int) -> ProxyRun:
    shape = Shape(ttft_ms=20, gap_ms=GAP_MS, tokens=TOKENS)
    place = f"127.0.0.1:{free_port()}"
    async with (
        open_upstream(place, dialect="openai-chat", shape=shape, model="m", seed=1) as upstream,
        relay(upstream.server.url, down=late, up=without_id) as slow,
        relay(upstream.server.url, down=by_fours) as lumpy,
        open_gateway(upstream.server.url, speaks="openai-chat") as gateway,
    ):
        servers = [
            upstream.server,
            Server("slow", slow, "openai-chat", "m"),
            Server("lumpy", lumpy, "openai-chat", "m"),
            Server("gateway", gateway.url, "anthropic", "m"),
            Server("gone", f"http://127.0.0.1:{nobody}", "openai-chat", "m"),
        ]
        return await measure_proxies(plan_of(servers, Concurrency(6), PAIRS * len(servers)), upstream=upstream)


@pytest.fixture(scope="module")
def mocked() -> ProxyRun:
    """One run for all that is asked of it."""
    return trio.run(before_the_mock)


def behind(run: ProxyRun, proxy: str) -> Paired:
    return next(each for each in run.paired if each.proxy == proxy)


def middle(of: TokenDelay | Difference) -> float:
    assert of.p50 is not None
    return of.p50.value


def test_every_proxy_is_compared_in_the_same_run(mocked: ProxyRun) -> None:
    assert [each.proxy for each in mocked.paired] == ["slow", "lumpy", "gateway", "gone"]
    for name in ("slow", "lumpy", "gateway"):
        paired = behind(mocked, name)
        assert (paired.pairs, paired.broken, paired.cut, paired.uneven) == (PAIRS, 0, 0, 0), name
        assert paired.differences["ttft_ms"].n == PAIRS
        assert paired.unmatched == {"direct": 0, name: 0}
    assert mocked.measured.tallies["direct"].outcomes["ok"] == PAIRS


def test_a_proxy_that_is_not_there_breaks_its_own_pairs_only(mocked: ProxyRun) -> None:
    gone = behind(mocked, "gone")
    assert (gone.pairs, gone.broken) == (0, PAIRS)
    assert not gone.differences
    assert "gone" not in gone.token_delay
    assert any("gone" in note for note in mocked.notes)


def test_what_a_relay_holds_is_in_every_token_s_delay_even_where_it_drops_the_request_s_id(mocked: ProxyRun) -> None:
    slow = behind(mocked, "slow")
    delay = slow.token_delay["slow"]
    assert (delay.n, delay.requests) == (TOKENS * PAIRS, PAIRS)
    assert middle(delay) >= HELD_MS
    assert middle(slow.token_delay["direct"]) < HELD_MS / 2
    assert middle(slow.shares["first_token_delay_ms"]) > HELD_MS / 2
    assert middle(slow.shares["token_delay_ms"]) > HELD_MS / 2
    assert middle(slow.differences["ttft_ms"]) > HELD_MS / 2
    assert slow.request_delay["slow"].n == PAIRS


def test_a_relay_that_passes_on_four_events_at_a_time_is_seen_to(mocked: ProxyRun) -> None:
    """The role and three tokens, four tokens, two tokens and the end: three reads of three tokens each."""
    lumpy = behind(mocked, "lumpy")
    assert lumpy.events_per_write == 1
    assert lumpy.events_per_segment_in < 2
    assert lumpy.events_per_segment_out > 2
    assert lumpy.events_per_read_out >= TOKENS / 3
    assert middle(lumpy.token_delay["lumpy"]) > GAP_MS / 2, "of 0 to 3 gaps the middle is one"
    assert middle(lumpy.token_delay["direct"]) < GAP_MS / 2
    assert "event_gap_ms" not in lumpy.differences or lumpy.differences["event_gap_ms"].mean.value > GAP_MS


def test_a_gateway_that_converts_is_compared_in_its_clients_dialect(mocked: ProxyRun) -> None:
    gateway = behind(mocked, "gateway")
    assert gateway.token_delay["gateway"].n == TOKENS * PAIRS
    direct = middle(gateway.request_delay["direct"])
    assert 0 < direct < middle(gateway.request_delay["gateway"]), "two programs had the request in their hands"


async def test_delays_are_known_through_tls_too() -> None:
    shape = Shape(ttft_ms=5, gap_ms=10, tokens=5)
    place = f"127.0.0.1:{free_port()}"
    async with (
        open_upstream(place, dialect="ollama-chat", shape=shape, tls=True) as upstream,
        relay(upstream.server.url, down=late) as slow,
    ):
        assert upstream.server.authorities
        server = msgspec.structs.replace(upstream.server, name="slow", url=slow.replace("http:", "https:"))
        run = await measure_proxies(plan_of([upstream.server, server], Concurrency(4), 16), upstream=upstream)
    (paired,) = run.paired
    assert (paired.pairs, paired.unmatched) == (8, {"direct": 0, "slow": 0}), run.measured.tallies["slow"].details
    assert middle(paired.token_delay["slow"]) >= HELD_MS
    assert middle(paired.token_delay["direct"]) < HELD_MS / 2


# --- before any server: pairs alone ----------------------------------------------------------------------------------


@pytest.mark.parametrize("load", [Concurrency(3), Arrivals("poisson", 200)])
async def test_without_a_journal_there_are_the_pairs(load: Load) -> None:
    async with open_mockserver(tokens=5, rate=200) as mock, relay(mock.url, down=late) as slow:
        servers = [Server("direct", mock.url, "ollama-chat", "m"), Server("slow", slow, "ollama-chat", "m")]
        seen: list[RequestRecord] = []
        run = await measure_proxies(plan_of(servers, load, 31), on_record=seen.append)
    (paired,) = run.paired
    assert len(seen) == 32
    assert (paired.pairs, paired.broken, paired.cut) == (16, 0, 0), "the 31st has its other side, too"
    assert paired.load == load
    assert not paired.token_delay
    assert not paired.shares
    assert not paired.unmatched
    first = {record.pair: record.target for record in sorted(seen, key=lambda each: -each.number)}
    assert {*first.values()} == {"direct", "slow"}, "neither is always asked first"
    assert not run.notes


async def test_a_run_that_is_stopped_has_the_pairs_that_are_whole() -> None:
    async with open_mockserver(tokens=4, rate=100) as mock, relay(mock.url, down=at_once) as proxy:
        servers = [Server("direct", mock.url, "openai-chat", "m"), Server("proxy", proxy, "openai-chat", "m")]
        stop, seen = Stop(), 0

        def count(record: RequestRecord) -> None:
            nonlocal seen
            seen += 1
            if seen == 9:
                stop.now()

        run = await measure_proxies(plan_of(servers, Concurrency(4)), stop=stop, on_record=count)
    (paired,) = run.paired
    assert run.measured.is_interrupted
    assert paired.broken == 0
    assert paired.pairs >= 1
    assert paired.pairs * 2 + paired.cut <= seen <= (paired.pairs + paired.cut) * 2


async def test_a_proxy_that_breaks_some_answers_has_the_others_compared() -> None:
    async with open_mockserver(tokens=4) as mock, open_mockserver(tokens=4, fault=["reset@token:2,first:3"]) as broken:
        servers = [
            Server("direct", mock.url, "openai-chat", "m"),
            Server("proxy", broken.url, "openai-chat", "m"),
        ]
        run = await measure_proxies(plan_of(servers, Concurrency(2), 20))
    (paired,) = run.paired
    assert (paired.pairs, paired.broken, paired.cut) == (7, 3, 0)
    assert paired.differences["ttft_ms"].n == 7
    assert run.notes == ["proxy: in 3 of 10 pairs a side failed; they are in no difference"]


@pytest.mark.slow
async def test_pairs_are_whole_also_with_several_processes() -> None:
    async with open_mockserver(tokens=3) as mock, relay(mock.url, down=at_once) as proxy:
        servers = [Server("direct", mock.url, "openai-chat", "m"), Server("proxy", proxy, "openai-chat", "m")]
        run = await measure_proxies(plan_of(servers, Concurrency(4), 60), workers=2)
    (paired,) = run.paired
    assert (paired.pairs, paired.broken, paired.cut) == (30, 0, 0)
    assert len(run.measured.ran) == 2


# --- what makes no sense ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("names", [["direct"], ["direct", "direct"], []])
async def test_there_has_to_be_something_to_compare(names: list[str]) -> None:
    servers = [Server(name, "http://127.0.0.1:9", "openai-chat") for name in names]
    with pytest.raises(ConfigError, match="at least one proxy"):
        await measure_proxies(plan_of(servers, Concurrency(1), 1))


@pytest.mark.parametrize(
    ("text", "place"),
    [("127.0.0.1:9000", ("127.0.0.1", 9000)), ("[::1]:81", ("::1", 81)), ("box.test:65535", ("box.test", 65535))],
)
def test_a_place_is_read(text: str, place: tuple[str, int]) -> None:
    assert parse_place(text) == place


@pytest.mark.parametrize(
    "text", ["", "9000", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "a:1/b", "a:1/:1", "::1"]
)
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="HOST:PORT"):
        parse_place(text)


def test_a_server_that_listens_everywhere_is_asked_here() -> None:
    assert reached("http://0.0.0.0:81/ui/chat") == "http://127.0.0.1:81/ui/chat"
    assert reached("https://[::]:81") == "https://[::1]:81"
    assert reached("http://10.0.0.0:81") == "http://10.0.0.0:81"


def test_notes_say_what_the_pairs_do_not() -> None:
    paired = Paired("direct", "proxy", Concurrency(1), {}, 5, 1, 1.0, 1.0, cut=2, uneven=3, unmatched={"proxy": 4})
    broken, uneven, unmatched = notes_of(paired)
    assert "1 of 8 pairs" in broken
    assert "3 of 5 pairs" in uneven
    assert "of 4 answers" in unmatched
    assert notes_of(Paired("direct", "proxy", Concurrency(1), {}, 5, 0, 1.0, 1.0, unmatched={"proxy": 0})) == []
