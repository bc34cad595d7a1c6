"""A client's leaving reaches the upstream, while tokens flow, while nothing does, and before the head.

By the order of the mock server's journal: the answer stands at a gate that nobody opens, so that nothing but the
client's leaving can end it. How long that takes is measured elsewhere (`python -m benchmarks gateway`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest
import trio

from mockserver.app import MockServer
from mockserver.journal import Entry
from mockserver.open import open_mockserver
from tests.gateway.peers import Stand, exchange, framed, gateway_to, head_bytes, request, settled, standing
from tests.gateway.readers import VISIBLE, Client, Ended, Server
from tests.mockserver.talk import request_bytes

CHAT = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "Say it."}]}
ASK = request_bytes("/v1/chat/completions", CHAT)

WINDOWS: dict[str, dict[str, str | int]] = {
    "flowing": {"rate": 500, "tokens": 100_000},
    "flowing fast": {"rate": 0, "tokens": 200_000},
    "silent": {"gate": "g@token:3", "tokens": 5},
    "after the head": {"gate": "g@after-head", "tokens": 5},
    "before the head": {"gate": "g@before-head", "tokens": 5},
}


async def fin(client: Client) -> None:
    """Close. What was not read is read first, because closing would reset the connection otherwise."""
    while not client.stream.is_quiet():
        await client.stream.receive()
    await client.stream.aclose()


async def reset(client: Client) -> None:
    client.stream.abort()


async def half_close(client: Client) -> None:
    await client.stream.send_eof()


WAYS: dict[str, Callable[[Client], Awaitable[None]]] = {"FIN": fin, "RST": reset, "half-close": half_close}


class Ends:
    """Tells when the mock server is done with a request."""

    def __init__(self, mock: MockServer) -> None:
        self._send, self._receive = trio.open_memory_channel[Entry](100)
        mock.journal.on_end = self._send.send_nowait

    async def next(self) -> Entry:
        return await self._receive.receive()


@asynccontextmanager
async def mocked(**options: object) -> AsyncIterator[tuple[MockServer, Stand, Ends]]:
    settings = {key: options.pop(key) for key in ("rate", "tokens", "gate", "framing") if key in options}
    async with open_mockserver(**settings) as mock, gateway_to(mock.url, **options) as stand:  # type: ignore[arg-type]  # a test's own
        yield mock, stand, Ends(mock)


async def in_window(mock: MockServer, client: Client, window: str) -> None:
    """Bring an answer to where the client leaves."""
    if window != "before the head":
        await client.head()
    if window.startswith("flowing"):
        await client.read(500)
    else:
        await mock.gates.wait_for("g")
    if window == "silent":
        await client.read(100)


@pytest.mark.parametrize("framing", ["chunked", "length", "close"])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("window", WINDOWS)
async def test_the_upstream_hears_that_the_client_has_left(window: str, way: str, framing: str) -> None:
    if framing == "length" and window.startswith("flowing"):
        framing = "chunked"  # a length is only known of an answer that is made up before
    async with mocked(framing=framing, **WINDOWS[window]) as (mock, stand, ends):
        client = await stand.client()
        await client.send(ASK)
        await in_window(mock, client, window)
        await WAYS[way](client)
        entry = await ends.next()
        assert entry.outcome == "client-left"
        assert entry.left == "reset" or window.startswith(
            "flowing"
        )  # a write may have been the first to meet the reset
        assert entry.ended_ns is not None
        record = await stand.record(1)
        assert record.outcome == "client-left"
        if way == "half-close":
            assert (await client.raw_rest())[1] == "reset"
        mock.gates.open("g")
        await passes(stand)


async def passes(stand: Stand) -> None:
    """A normal stream passes right after one that was left."""
    client = await stand.client()
    head, body, _ = await client.ask(request_bytes("/v1/chat/completions", CHAT, mock="tokens=3;rate=0"))
    assert head.status == 200
    assert body.endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize("way", ["FIN", "RST"])
@pytest.mark.parametrize("window", ["silent", "before the head"])
async def test_a_client_that_served_on_after_a_half_close_may_still_leave(window: str, way: str) -> None:
    """With FIN, it closes altogether: that is seen by the next write, which is answered by RST."""
    async with mocked(**WINDOWS[window], half_close=True) as (mock, stand, ends):
        client = await stand.client()
        await client.send(ASK)
        await in_window(mock, client, window)
        await client.stream.send_eof()
        if way == "RST":
            client.stream.abort()
        else:
            await client.stream.aclose()
            mock.gates.open("g")
        entry = await ends.next()
        if way == "RST":
            assert entry.outcome == "client-left"
            assert await stand.outcome(1) == "client-left"


@pytest.mark.parametrize("framing", ["chunked", "length", "close"])
@pytest.mark.parametrize("window", ["silent", "after the head", "before the head"])
async def test_a_half_closed_client_is_served_where_that_is_allowed(window: str, framing: str) -> None:
    async with mocked(**WINDOWS[window], framing=framing, half_close=True) as (mock, stand, ends):
        client = await stand.client()
        await client.send(ASK)
        await client.stream.send_eof()
        await mock.gates.wait_for("g")
        mock.gates.open("g")
        await client.head()
        body, ending = await client.rest()
        assert ending in {"complete", "closed"}
        assert body.endswith(b"data: [DONE]\n\n")
        assert (await ends.next()).outcome == "complete"
        assert await stand.outcome(1) == "ok"
        assert (await client.raw_rest()) == (b"", "closed")


async def test_a_client_that_closes_its_side_with_the_request_has_left() -> None:
    async with mocked(**WINDOWS["before the head"]) as (_, stand, ends):
        client = await stand.client()
        await client.send(ASK)
        await client.stream.send_eof()
        with trio.move_on_after(0.2):  # the mock may never have seen the request: then there is no entry
            assert (await ends.next()).outcome == "client-left"
        assert (await client.raw_rest()) == (b"", "reset")
        assert await stand.outcome(1) == "client-left"


# What is pipelined behind the request does not hide that the client leaves.

BEHIND = {
    "a request": request(target="/second"),
    "64 KiB of requests": request(target="/second", body=b"x" * 1000) * 66,
    "1 MiB of a body": request("POST", "/second", body=b"x" * 2**20),
    "300 KB of requests": request(target="/second") * 8000,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("window", ["silent", "before the head"])
@pytest.mark.parametrize("behind", BEHIND)
async def test_leaving_is_seen_behind_pipelined_bytes(behind: str, window: str, way: str) -> None:
    async with mocked(**WINDOWS[window]) as (mock, stand, ends):
        client = await stand.client()
        await client.send(ASK)
        await in_window(mock, client, window)
        async with trio.open_nursery() as nursery:

            async def send() -> None:
                with trio.move_on_after(0.2):  # as much as is taken
                    await client.send(BEHIND[behind])
                await WAYS[way](client)

            nursery.start_soon(send)
            entry = await ends.next()
            assert entry.outcome == "client-left"
            assert await stand.outcome(1) == "client-left"
            nursery.cancel_scope.cancel()
        assert len(mock.journal) == 1
        mock.gates.open("g")
        await passes(stand)


async def test_requests_behind_one_are_answered_in_their_order() -> None:
    async with standing() as stand:
        client, server, _ = await exchange(stand, request() + request(target="/second") + request(target="/third"))
        await server.send(head_bytes("length", 1) + b"1")
        for number, target in enumerate(["/second", "/third"], 2):
            assert (await server.head()).line == f"GET {target} HTTP/1.1"
            await server.send(head_bytes("chunked") + b"1\r\n%d\r\n0\r\n\r\n" % number)
        for number in (1, 2, 3):
            assert (await client.head()).status == 200
            assert await client.rest() == (b"%d" % number, "complete")


async def test_more_than_is_read_ahead_is_given_up_cleanly() -> None:
    """The first response is whole, what is sent upstream behind it too, and the client is not left hanging."""
    async with standing() as stand:
        client, server, _ = await exchange(stand, request())
        async with trio.open_nursery() as nursery:

            async def send() -> None:
                with suppress(trio.BrokenResourceError):
                    await client.send(request(target="/second", fields=[("X-Filler", "x" * 999)]) * 300)

            async def answer_all() -> None:
                await settled(lambda: client.stream.sent_bytes)
                await server.send(head_bytes("length", 5) + b"first")
                with suppress(Ended):
                    while (await server.head()).line == "GET /second HTTP/1.1":
                        await server.send(head_bytes("length", 6) + b"second")

            nursery.start_soon(send)
            nursery.start_soon(answer_all)
            await client.head()
            assert await client.rest() == (b"first", "complete")
            with suppress(Ended):
                while True:
                    await client.head()
                    assert await client.rest() == (b"second", "complete")
            nursery.cancel_scope.cancel()
        await stand.pass_one()


# Where the request's body is still on its way the upstream is played by hand: the mock server would wait for all of it.


@pytest.mark.parametrize("has_answered", [False, True], ids=["before the head", "behind it"])
@pytest.mark.parametrize("framing", ["chunked", "length"])
@pytest.mark.parametrize("way", WAYS)
async def test_leaving_inside_of_the_requests_body_resets_the_upstream(
    way: str, framing: str, has_answered: bool
) -> None:
    async with standing() as stand:
        ends = "Transfer-Encoding: chunked" if framing == "chunked" else "Content-Length: 100000"
        client, server, _ = await exchange(stand, f"POST / HTTP/1.1\r\nHost: a\r\n{ends}\r\n\r\n".encode())
        await client.send(framed(framing, b"x" * 1000))
        assert await server.read(1000) == b"x" * 1000
        if has_answered:
            await server.send(head_bytes("chunked"))
            await client.head()
        await WAYS[way](client)
        assert await server.rest() == (b"", "reset")
        record = await stand.record(1)
        assert record.outcome in {"client-left", "bad-request"}
        await stand.pass_one()


@pytest.mark.parametrize("way", ["RST", "FIN"])
async def test_leaving_while_the_upstream_does_not_read_the_body(way: str) -> None:
    async with standing() as stand:
        client, server, _ = await exchange(stand, request("POST", fields=[("Content-Length", str(30 * 2**20))]))
        async with trio.open_nursery() as nursery:
            sending = trio.CancelScope()

            async def send() -> None:
                with sending:
                    await client.send(bytes(30 * 2**20))

            nursery.start_soon(send)
            await settled(lambda: client.stream.sent_bytes)
            sending.cancel()
        await WAYS[way](client)
        assert (await server.raw_rest())[1] == "reset"
        record = await stand.record(1)
        assert record.outcome in {"client-left", "bad-request"}
        await stand.pass_one()


@pytest.mark.parametrize("way", ["RST", "FIN"])
async def test_a_client_that_leaves_while_it_does_not_read_is_noticed(way: str) -> None:
    """Its window is full, and the gateway waits in a write."""
    async with standing() as stand:
        client = await stand.client(receive_bytes=4096)
        await client.send(request())
        server = await stand.server()
        await server.head()
        await server.send(head_bytes("close"))
        async with trio.open_nursery() as nursery:

            async def flood() -> None:
                with suppress(trio.BrokenResourceError):  # which ends it, and nothing else does
                    while True:
                        await server.send(bytes(65536))

            nursery.start_soon(flood)
            await settled(lambda: server.stream.sent_bytes)
            if way == "RST":
                client.stream.abort()
            else:
                await client.stream.send_eof()
        assert await stand.outcome(1) == "client-left"
        await stand.pass_one()


async def test_a_client_that_leaves_between_requests_is_no_failure() -> None:
    async with standing() as stand:
        client, server, _ = await exchange(stand, request())
        await server.send(head_bytes("length", 2) + b"ok")
        await client.head()
        await client.rest()
        await client.stream.aclose()
        assert await stand.outcome(1) == "ok"
        await reused(stand, server)


async def reused(stand: Stand, server: Server) -> None:
    client = await stand.client()
    await client.send(request())
    await server.head()
    await server.send(head_bytes("length", 2) + b"ok")
    assert (await client.head()).status == 200
    assert VISIBLE.isdisjoint({(await client.rest())[1]})
