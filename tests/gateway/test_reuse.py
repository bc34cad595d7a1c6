"""Connections to the upstream are used again, never with somebody else's leftovers, and never trusted to be alive.

A request is sent again only where nobody can have acted on it: the connection was an old one, nothing of an answer
came, the method may be repeated (RFC 9110, section 9.2.2), and its body is still there.
"""

from __future__ import annotations

from unittest.mock import ANY

import pytest
import trio.testing

from mockserver.open import open_mockserver
from tests.gateway.peers import Stand, answer, exchange, gateway_to, head_bytes, request, standing
from tests.gateway.readers import Client, Ended, Server
from tests.mockserver.talk import request_bytes

CHAT = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "Say it."}]}


async def used(stand: Stand) -> tuple[Client, Server]:
    """A client, and a connection to the upstream that has served one request."""
    client, server, _ = await exchange(stand, request())
    await server.send(answer(b"first"))
    await client.head()
    assert await client.rest() == (b"first", "complete")
    await stand.record(1)
    return client, server


@pytest.mark.parametrize("framing", ["chunked", "length"])
async def test_a_connection_is_used_again_by_whoever_comes(framing: str) -> None:
    async with open_mockserver(tokens=3, framing=framing) as mock, gateway_to(mock.url) as stand:
        for _ in range(5):
            client = await stand.client()
            _, _, ending = await client.ask(request_bytes("/v1/chat/completions", CHAT))
            assert ending == "complete"
            await stand.record(len(mock.journal))
        assert [entry.connection for entry in mock.journal] == [1] * 5
        assert [record.reused for record in stand.records] == [False, True, True, True, True]


CODED = [("Transfer-Encoding", "chunked")]

POSTED: dict[str, list[bytes]] = {
    "length": [request("POST", body=b"{}")],
    "length, in pieces": [request("POST", fields=[("Content-Length", "2")]), b"{", b"}"],
    "chunked": [request("POST", fields=CODED) + b"2\r\n{}\r\n0\r\n\r\n"],
    "chunked, in pieces": [request("POST", fields=CODED), b"2\r\n{}\r\n", b"0\r\n\r\n"],
}


@pytest.mark.parametrize("name", POSTED)
async def test_an_answer_at_once_to_a_whole_request_leaves_the_connection_good(name: str) -> None:
    """It may come before whoever passes the request's body on has had a turn to see that there is no more of it."""
    async with standing() as stand:
        client = await stand.client()
        server = None
        for _ in range(30):
            for piece in POSTED[name]:
                await trio.testing.wait_all_tasks_blocked()  # so that each is a read of its own
                await client.send(piece)
            server = server or await stand.server()
            assert await server.request() == (ANY, b"{}")
            await server.send(answer(b"ok"))
            await client.head()
            assert await client.rest() == (b"ok", "complete")
        await stand.record(30)
        assert [record.reused for record in stand.records] == [False] + [True] * 29


async def test_a_stream_that_ends_with_its_connection_is_not() -> None:
    async with open_mockserver(tokens=3, framing="close") as mock, gateway_to(mock.url) as stand:
        for number in range(3):
            client = await stand.client()
            await client.ask(request_bytes("/v1/chat/completions", CHAT))
            await stand.record(number + 1)
        assert [entry.connection for entry in mock.journal] == [1, 2, 3]


async def test_two_at_once_have_two_connections() -> None:
    async with standing() as stand:
        _, one, _ = await exchange(stand, request(target="/one"))
        _, other, _ = await exchange(stand, request(target="/other"))
        assert one is not other
        await one.send(answer(b""))
        await other.send(answer(b""))


NOT_AGAIN = {
    "it said close": answer(b"first", [("Connection", "close")]),
    "it is of HTTP/1.0": b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nfirst",
    "bytes came behind it": answer(b"first") + b"junk",
    "a response came behind it": answer(b"first") + answer(b"not yours"),
    "a head came behind it": answer(b"first") + b"HTTP/1.1 200 OK\r\nX-Not-Yours: 1\r\n",
    "a blank line came behind it": answer(b"first") + b"\r\n",
    "bytes came behind the last chunk": head_bytes("chunked") + b"5\r\nfirst\r\n0\r\n\r\njunk",
    "bytes came behind 204": head_bytes("", status="204 No Content") + b"first",
    "it lives for no time": answer(b"first", [("Keep-Alive", "timeout=0")]),
}


@pytest.mark.parametrize("name", NOT_AGAIN)
async def test_a_connection_is_not_used_again_where(name: str) -> None:
    async with standing() as stand:
        client, server, _ = await exchange(stand, request())
        await server.send(NOT_AGAIN[name])
        await client.head()
        body, ending = await client.rest()
        assert (body, ending) == (b"" if "204" in name else b"first", "complete")
        await stand.record(1)
        assert stand.gateway.pool.idle == 0
        assert await server.until_left() in {"closed", "reset"}
        await client.send(request(target="/second"))
        server = await stand.server()
        assert (await server.head()).line == "GET /second HTTP/1.1"
        await server.send(answer(b"second"))
        head = await client.head()
        assert head.get("x-not-yours") is None
        assert await client.rest() == (b"second", "complete")
        assert await stand.outcome(1) == "ok"


@pytest.mark.parametrize("late", [b"junk", answer(b"not yours"), b"\r\n"], ids=["junk", "a response", "a blank line"])
async def test_what_comes_later_on_an_idle_connection_is_nobodys(late: bytes) -> None:
    async with standing() as stand:
        client, server = await used(stand)
        await server.send(late)
        await client.send(request("POST", "/second", body=b"{}"))
        server = await stand.server()
        await server.request()
        await server.send(answer(b"second"))
        await client.head()
        assert await client.rest() == (b"second", "complete")
        assert (await stand.record(2)).reused is False


@pytest.mark.parametrize("way", ["FIN", "RST"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_an_idle_connection_that_was_closed_is_not_used(method: str, way: str) -> None:
    """It is looked at before it is used, so this is not even a second try."""
    async with standing() as stand:
        client, server = await used(stand)
        if way == "RST":
            server.stream.abort()
        else:
            await server.stream.aclose()
        await client.send(request(method, "/second", body=b"{}" if method == "POST" else b""))
        server = await stand.server()
        await server.request()
        await server.send(answer(b"second"))
        assert (await client.head()).status == 200
        assert await client.rest() == (b"second", "complete")
        record = await stand.record(2)
        assert (record.reused, record.retries, record.outcome) == (False, 0, "ok")


RACES: list[tuple[str, str, bytes, bool]] = [
    ("GET", "GET", b"", True),
    ("HEAD", "HEAD", b"", True),
    ("OPTIONS", "OPTIONS", b"", True),
    ("DELETE", "DELETE", b"", True),
    ("PUT without a body", "PUT", b"", True),
    ("PUT with a body", "PUT", b"{}", False),
    ("GET with a body", "GET", b"{}", False),
    ("POST", "POST", b"{}", False),
    ("POST without a body", "POST", b"", False),
    ("PATCH", "PATCH", b"", False),
    ("a word of one's own", "BREW", b"", False),
]


@pytest.mark.parametrize("way", ["FIN", "RST"])
@pytest.mark.parametrize(("name", "method", "body", "is_safe"), RACES, ids=[row[0] for row in RACES])
async def test_a_connection_that_dies_under_a_request(
    name: str, method: str, body: bytes, is_safe: bool, way: str
) -> None:
    """The server closes just when the request comes: it may have been read, and even acted on."""
    async with standing() as stand:
        client, server = await used(stand)
        await client.send(request(method, "/second", body=body))
        await server.request()
        if way == "RST":
            server.stream.abort()
        else:
            await server.stream.aclose()
        if not is_safe:
            assert (await client.head(method)).status == 502
            record = await stand.record(2)
            assert (record.outcome, record.retries) == ("upstream-cut", 0)
            await stand.pass_one()
            return
        again = await stand.server()
        assert (await again.head()).line == f"{method} /second HTTP/1.1"
        await again.send(answer(b"" if method == "HEAD" else b"second"))
        assert (await client.head(method)).status == 200
        assert (await client.rest())[1] == "complete"
        record = await stand.record(2)
        assert (record.outcome, record.retries, record.reused) == ("ok", 1, False)


@pytest.mark.parametrize("sent", [b"H", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 103 Early Hints\r\n\r\n"])
async def test_nothing_is_sent_again_once_an_answer_has_begun(sent: bytes) -> None:
    async with standing() as stand:
        client, server = await used(stand)
        await client.send(request(target="/second"))
        await server.head()
        await server.send(sent)
        await server.stream.send_eof()
        assert (await client.head()).status == 502
        record = await stand.record(2)
        assert (record.outcome, record.retries) == ("upstream-cut", 0)


async def test_a_new_connection_that_dies_is_not_tried_again() -> None:
    async with standing() as stand:
        client, server, _ = await exchange(stand, request())
        await server.stream.aclose()
        assert (await client.head()).status == 502
        assert (await stand.record(1)).retries == 0


async def test_it_is_sent_again_only_once() -> None:
    async with standing() as stand:
        client, server = await used(stand)
        await client.send(request(target="/second"))
        await server.head()
        await server.stream.aclose()
        again = await stand.server()
        await again.head()
        await again.stream.aclose()
        assert (await client.head()).status == 502
        record = await stand.record(2)
        assert (record.outcome, record.retries) == ("upstream-cut", 1)


async def test_a_connection_is_not_used_again_while_its_request_is_not_whole() -> None:
    """The rest of the body would be read as the next request."""
    async with standing() as stand:
        client, server, _ = await exchange(stand, request("POST", fields=[("Content-Length", "40")]) + b"abc")
        assert await server.read(3) == b"abc"
        await server.send(answer(b"early"))
        await client.head()
        assert await client.rest() == (b"early", "complete")
        await stand.record(1)
        assert (await server.raw_rest()) == (b"", "reset")
        await stand.pass_one()


async def test_the_rest_of_a_body_is_never_taken_for_a_request() -> None:
    """The response came early. What the client still sends of its body is the body, whatever it looks like."""
    hidden = request(target="/hidden")
    async with standing() as stand:
        fields = [("Content-Length", str(len(hidden) + 3))]
        client, server, _ = await exchange(stand, request("POST", fields=fields) + b"abc")
        assert await server.read(3) == b"abc"
        await server.send(answer(b"early"))
        await client.head()
        assert await client.rest() == (b"early", "complete")
        await client.send(hidden + request(target="/next"))
        try:
            head = None
            with trio.move_on_after(0.5):  # the gateway may as well have closed the connection
                server = await stand.server()
                head = await server.head()
        except Ended:
            head = None
        assert head is None or head.line == "GET /next HTTP/1.1"
        await stand.pass_one()


async def test_an_aborted_stream_leaves_no_connection_behind() -> None:
    async with standing() as stand:
        client, server, _ = await exchange(stand, request())
        await server.send(head_bytes("chunked") + b"3\r\nabc\r\n")
        await client.head()
        client.stream.abort()
        assert await server.until_left() == "reset"
        await stand.record(1)
        assert stand.gateway.pool.idle == 0
        await stand.pass_one()
