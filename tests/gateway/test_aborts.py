"""What the upstream breaks off never looks whole to the client, in whatever way and place it does.

The upstream is played by hand, so that each place is exact. Before the head it is 502 or 504; behind it an abort that
shows, and what came before is all there.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

import pytest
import trio

from tests.gateway.peers import exchange, framed, head_bytes, request, standing
from tests.gateway.readers import VISIBLE, Ending, Server

HEAD = {framing: head_bytes(framing, 100, [("Content-Type", "text/event-stream")]) for framing in ("chunked", "length")}
HEAD["close"] = head_bytes("close")
HEAD["1.0 close"] = b"HTTP/1.0 200 OK\r\n\r\n"
HEAD["1.0 length"] = b"HTTP/1.0 200 OK\r\nContent-Length: 100\r\n\r\n"

EVENT = b"data: 1\n\n"
CHUNK = framed("chunked", EVENT)


async def fin(server: Server) -> None:
    await server.stream.send_eof()


async def reset(server: Server) -> None:
    server.stream.abort()


HOW: dict[str, Callable[[Server], Awaitable[None]]] = {"FIN": fin, "RST": reset}


@dataclass(frozen=True)
class Cut:
    """What an upstream sends before it breaks off, and how much of that is payload."""

    framing: str
    sent: bytes
    payload: bytes = b""


CUTS = {
    "chunked, after the head": Cut("chunked", b""),
    "chunked, inside a size": Cut("chunked", CHUNK + b"1", EVENT),
    "chunked, behind a size": Cut("chunked", CHUNK + b"9\r\n", EVENT),
    "chunked, inside a chunk": Cut("chunked", CHUNK + CHUNK[:7], EVENT + EVENT[:4]),
    "chunked, inside the end of a chunk": Cut("chunked", CHUNK + CHUNK[:-1], EVENT * 2),
    "chunked, between chunks": Cut("chunked", CHUNK * 2, EVENT * 2),
    "chunked, inside the last chunk": Cut("chunked", CHUNK + b"0\r\n", EVENT),
    "chunked, inside the trailers": Cut("chunked", CHUNK + b"0\r\nA: b\r\n", EVENT),
    "length, after the head": Cut("length", b""),
    "length, inside": Cut("length", b"x" * 50, b"x" * 50),
    "length, one byte short": Cut("length", b"x" * 99, b"x" * 99),
    "1.0 length, inside": Cut("1.0 length", b"x" * 50, b"x" * 50),
}

VERSIONS = ["1.1", "1.0", "1.0 keep-alive"]


def asked(version: str) -> bytes:
    fields = [("Connection", "keep-alive")] if "keep-alive" in version else []
    return request("POST", "/v1", fields, b"{}", version=version[:3])


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("name", CUTS)
async def test_a_body_that_is_broken_off_shows(name: str, how: str, version: str) -> None:
    cut = CUTS[name]
    async with standing() as stand:
        client, server, _ = await exchange(stand, asked(version))
        await server.send(HEAD[cut.framing])
        assert (await client.head()).status == 200
        await server.send(cut.sent)
        assert await client.read(len(cut.payload)) == cut.payload  # a reset may destroy what was not read before
        await HOW[how](server)
        rest, ending = await client.rest()
        assert rest == b""
        assert ending in VISIBLE
        assert await stand.outcome(1) == "upstream-cut"
        await stand.pass_one()


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", CUTS)
async def test_what_came_in_one_segment_with_the_cut_gets_through(name: str, version: str) -> None:
    cut = CUTS[name]
    async with standing() as stand:
        client, server, _ = await exchange(stand, asked(version))
        await server.send(HEAD[cut.framing] + cut.sent)
        await fin(server)
        rest, ending = b"", "reset"
        if (await client.head()).status == 200:
            rest, ending = await client.rest()
        assert cut.payload.startswith(rest)
        assert ending in VISIBLE
        if version == "1.1":  # to which FIN shows, so that nothing has to be reset
            assert (rest, ending) == (cut.payload, "cut")


@pytest.mark.parametrize("framing", ["chunked", "length"])
@pytest.mark.parametrize(("how", "ending"), [("FIN", "cut"), ("RST", "reset")])
async def test_the_kind_of_the_end_is_the_same(how: str, ending: Ending, framing: str) -> None:
    async with standing() as stand:
        client, server, _ = await exchange(stand, request())
        await server.send(HEAD[framing])
        await client.head()
        await HOW[how](server)
        assert await client.rest() == (b"", ending)


@pytest.mark.parametrize("framing", ["close", "1.0 close"])
async def test_a_body_that_ends_with_the_connection_is_not_made_to_look_whole(framing: str) -> None:
    async with standing() as stand:
        client, server, _ = await exchange(stand, request())
        await server.send(HEAD[framing] + EVENT)
        head = await client.head()
        assert head.get("transfer-encoding") is None
        assert head.get("content-length") is None
        await fin(server)
        assert await client.rest() == (EVENT, "closed")
        assert await stand.outcome(1) == "ok"


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("framing", ["close", "1.0 close"])
async def test_a_reset_of_it_is_a_reset(framing: str, version: str) -> None:
    async with standing() as stand:
        client, server, _ = await exchange(stand, asked(version))
        await server.send(HEAD[framing] + EVENT)
        await client.head()
        assert await client.read(len(EVENT)) == EVENT
        await reset(server)
        assert await client.rest() == (b"", "reset")
        assert await stand.outcome(1) == "upstream-cut"


BROKEN = {
    "size is no number": (CHUNK + b"xyz\r\nabc\r\n", EVENT),
    "size is negative": (CHUNK + b"-1\r\nabc\r\n", EVENT),
    "size has a sign": (CHUNK + b"+3\r\nabc\r\n", EVENT),
    "size has 0x": (CHUNK + b"0x3\r\nabc\r\n", EVENT),
    "size is too large": (CHUNK + b"fffffffffffffffff\r\nabc", EVENT),
    "size has a space before it": (CHUNK + b" 3\r\nabc\r\n", EVENT),
    "size ends in LF": (CHUNK + b"3\nabc\r\n", EVENT),
    "chunk is longer than its size": (CHUNK + b"3\r\nabcd\r\n", EVENT + b"abc"),
    "chunk has two other bytes behind it": (CHUNK + b"3\r\nabcXX0\r\n\r\n", EVENT + b"abc"),
    "chunk ends in LF": (CHUNK + b"3\r\nabc\n0\r\n\r\n", EVENT + b"abc"),
    "size line never ends": (CHUNK + b"3;" + b"a" * 20_000, EVENT),
    "trailer is folded": (CHUNK + b"0\r\nA: b\r\n c\r\n\r\n", EVENT),
    "trailer has no colon": (CHUNK + b"0\r\nA b\r\n\r\n", EVENT),
    "trailers never end": (CHUNK + b"0\r\n" + b"A: b\r\n" * 10_000, EVENT),
}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", BROKEN)
async def test_a_body_whose_framing_is_broken_is_broken_off(name: str, version: str) -> None:
    sent, payload = BROKEN[name]
    async with standing() as stand:
        client, server, _ = await exchange(stand, asked(version))
        await server.send(HEAD["chunked"])
        await client.head()
        await server.send(sent[: len(CHUNK)])
        assert await client.read(len(EVENT)) == EVENT
        await server.send(sent[len(CHUNK) :])
        rest, ending = await client.rest()
        assert payload[len(EVENT) :].startswith(rest)
        assert ending in VISIBLE
        assert await stand.outcome(1) == "bad-response"
        assert await server.until_left() == "reset"
        await stand.pass_one()


BEFORE_HEAD: dict[str, bytes] = {
    "nothing": b"",
    "part of the status line": b"HTTP/1.1 20",
    "the status line": b"HTTP/1.1 200 OK\r\n",
    "half of a header": b"HTTP/1.1 200 OK\r\nContent-Ty",
    "all but the blank line": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n",
    "an interim response": b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n",
    "an interim response and a part": b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200",
}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("name", BEFORE_HEAD)
async def test_before_the_head_it_is_502(name: str, how: str, version: str) -> None:
    async with standing() as stand:
        client, server, _ = await exchange(stand, asked(version))
        await server.send(BEFORE_HEAD[name])
        await HOW[how](server)
        head = await client.head()
        assert head.status == 502
        assert head.get("content-type") is not None
        body, ending = await client.rest()
        assert ending == "complete"
        assert body.decode().strip()
        record = await stand.record(1)
        assert (record.outcome, record.status) == ("upstream-cut", 502)
        assert record.detail
        await stand.pass_one()


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 200 OK\r\nA: b\r\n"], ids=["no answer", "half a head"])
async def test_no_head_in_time_is_504(sent: bytes, version: str) -> None:
    async with standing(head_timeout_s=0.1) as stand:
        client, server, _ = await exchange(stand, asked(version))
        with suppress(trio.BrokenResourceError):  # on a busy machine it is too late already
            await server.send(sent)
        assert (await client.head()).status == 504
        assert (await client.rest())[1] == "complete"
        record = await stand.record(1)
        assert (record.outcome, record.status) == ("timeout", 504)
        assert await server.until_left() == "reset"


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("framing", ["chunked", "length", "close"])
async def test_silence_within_a_body_breaks_it_off(framing: str, version: str) -> None:
    async with standing(idle_timeout_s=0.1) as stand:
        client, server, _ = await exchange(stand, asked(version))
        await server.send(HEAD[framing] + framed(framing, EVENT))
        await client.head()
        assert await client.read(len(EVENT)) == EVENT
        rest, ending = await client.rest()
        assert rest == b""
        assert ending in VISIBLE
        assert await stand.outcome(1) == "timeout"
        assert await server.until_left() == "reset"
        await stand.pass_one()


async def test_an_abort_while_the_request_is_still_sent_is_502() -> None:
    async with standing() as stand:
        client, server, _ = await exchange(stand, request("POST", fields=[("Content-Length", "1000000")]))
        await client.send(b"x" * 1000)
        await server.read(1000)
        await reset(server)
        assert (await client.head()).status == 502
        assert (await client.rest())[1] == "complete"
        assert await stand.outcome(1) == "upstream-cut"
        await stand.pass_one()


async def test_an_answer_that_comes_with_the_end_of_the_connection_is_passed_on_though_the_body_cannot_be() -> None:
    async with standing() as stand:
        client, server, _ = await exchange(stand, request("POST", fields=[("Content-Length", "1000000")]))
        await client.send(b"x" * 1000)
        await server.read(1000)
        await server.send(head_bytes("length", 9, status="413 Content Too Large") + b"too large")
        await server.stream.aclose()
        assert (await client.head()).status == 413
        assert await client.rest() == (b"too large", "complete")
        await stand.pass_one()


async def test_a_large_upload_that_is_refused_and_cut_off_gets_the_refusal() -> None:
    """The upstream closes with most of the body unread, which its kernel makes a reset."""
    size = 20 * 2**20
    async with standing() as stand:
        client, server, _ = await exchange(stand, request("POST", fields=[("Content-Length", str(size))]))
        async with trio.open_nursery() as nursery:

            async def upload() -> None:
                with suppress(trio.BrokenResourceError):
                    await client.send(bytes(size))

            nursery.start_soon(upload)
            await server.read(100_000)
            await server.send(head_bytes("length", 9, status="413 Content Too Large") + b"too large")
            await server.stream.aclose()
            assert (await client.head()).status == 413
            assert await client.rest() == (b"too large", "complete")
            nursery.cancel_scope.cancel()
        await stand.pass_one()


async def test_endless_interim_responses_are_no_answer() -> None:
    async with standing() as stand:
        client, server, _ = await exchange(stand, request())
        for _ in range(200):
            with suppress(trio.BrokenResourceError):  # the gateway has had enough
                await server.send(b"HTTP/1.1 102 Processing\r\n\r\n")
        assert (await client.head()).status == 502
        assert len(client.interim) < 200
        assert await stand.outcome(1) == "bad-response"
