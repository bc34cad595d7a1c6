"""What is no good HTTP, from either side: refused where it can be, broken off where it cannot; the gateway lives on.

A request that two readers could read differently never reaches the upstream, not a byte of it; a response like that
never reaches the client (RFC 9112, section 11).
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
import trio.testing

from streamkit.http.limits import Limits
from streamkit.http.listener import open_listeners
from tests.gateway.peers import answer, exchange, gateway_to, head_bytes, request, standing
from tests.gateway.readers import VISIBLE


def post(*lines: str, body: bytes = b"") -> bytes:
    return "\r\n".join(["POST / HTTP/1.1", "Host: a", *lines, "", ""]).encode("latin-1") + body


CHUNKED = "Transfer-Encoding: chunked"
HIDDEN = b"0\r\n\r\nGET /hidden HTTP/1.1\r\nHost: a\r\n\r\n"
LINE = b"GET / HTTP/1.1\r\n"

REFUSED: dict[str, tuple[int, bytes]] = {
    "length and chunked": (400, post("Content-Length: 6", CHUNKED, body=HIDDEN)),
    "chunked and length": (400, post(CHUNKED, "Content-Length: 6", body=HIDDEN)),
    "two lengths": (400, post("Content-Length: 3", "Content-Length: 5", body=b"abcde")),
    "two lengths in one": (400, post("Content-Length: 3, 5", body=b"abcde")),
    "length with a sign": (400, post("Content-Length: +3", body=b"abc")),
    "negative length": (400, post("Content-Length: -3", body=b"abc")),
    "length in hexadecimal": (400, post("Content-Length: 0x3", body=b"abc")),
    "length with a dot": (400, post("Content-Length: 3.0", body=b"abc")),
    "empty length": (400, post("Content-Length:", body=b"abc")),
    "huge length": (400, post("Content-Length: 99999999999999999999")),
    "length with a space before the colon": (400, post("Content-Length : 3", body=b"abc")),
    "chunked twice": (400, post(CHUNKED, CHUNKED, body=HIDDEN)),
    "chunked, then something": (400, post("Transfer-Encoding: chunked, identity", body=HIDDEN)),
    "chunked in quotes": (400, post('Transfer-Encoding: "chunked"', body=HIDDEN)),
    "chunked misspelt": (400, post("Transfer-Encoding: xchunked", body=HIDDEN)),
    "chunked with a vertical tab": (400, post("Transfer-Encoding: \x0bchunked", body=HIDDEN)),
    "identity": (400, post("Transfer-Encoding: identity", "Content-Length: 3", body=b"abc")),
    "chunked behind a space": (400, post("Transfer-Encoding : chunked", body=HIDDEN)),
    "gzip, chunked": (501, post("Transfer-Encoding: gzip, chunked", body=HIDDEN)),
    "chunked in HTTP/1.0": (400, b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n" + HIDDEN),
    "LF behind the request line": (400, b"GET / HTTP/1.1\nHost: a\r\n\r\n"),
    "LF behind a header": (400, LINE + b"Host: a\nX: y\r\n\r\n"),
    "LF alone": (400, b"GET / HTTP/1.1\nHost: a\n\n"),
    "LF for a blank line": (400, LINE + b"Host: a\r\n\nX: y\r\n\r\n"),
    "CR inside a value": (400, LINE + b"Host: a\r\nX: a\rb\r\n\r\n"),
    "zero byte inside a value": (400, LINE + b"Host: a\r\nX: a\0b\r\n\r\n"),
    "folded": (400, LINE + b"Host: a\r\nX: a\r\n b\r\n\r\n"),
    "folded first": (400, LINE + b" X: a\r\nHost: a\r\n\r\n"),
    "no colon": (400, LINE + b"Host: a\r\nX\r\n\r\n"),
    "no name": (400, LINE + b"Host: a\r\n: x\r\n\r\n"),
    "name with a space": (400, LINE + b"Host: a\r\nX Y: x\r\n\r\n"),
    "name in UTF-8": (400, LINE + "Host: a\r\nÜ: x\r\n\r\n".encode()),
    "no host": (400, LINE + b"\r\n"),
    "two hosts": (400, LINE + b"Host: a\r\nHost: b\r\n\r\n"),
    "host that is none": (400, LINE + b"Host: a b\r\n\r\n"),
    "target with a space": (400, b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"),
    "target in UTF-8": (400, "GET /ü HTTP/1.1\r\nHost: a\r\n\r\n".encode()),
    "no version": (400, b"GET /\r\nHost: a\r\n\r\n"),
    "HTTP/0.9": (400, b"GET /\r\n\r\n"),
    "HTTP/2.0": (505, b"GET / HTTP/2.0\r\nHost: a\r\n\r\n"),
    "HTTP/2 preface": (505, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "version with a sign": (400, b"GET / HTTP/+1.1\r\nHost: a\r\n\r\n"),
    "TLS": (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500)),
    "garbage": (400, bytes(range(128, 256))),
    "CONNECT": (501, b"CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n"),
    "CONNECT to ourselves": (400, b"CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n"),
    "star that is no OPTIONS": (400, b"GET * HTTP/1.1\r\nHost: a\r\n\r\n"),
    "no such expectation": (417, post("Expect: 200-ok", "Content-Length: 3", body=b"abc")),
    "long target": (414, b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n"),
    "long header": (431, LINE + b"Host: a\r\nX: " + b"a" * 70_000 + b"\r\n\r\n"),
    "many headers": (431, LINE + b"Host: a\r\n" + b"X: y\r\n" * 20_000 + b"\r\n"),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_a_request_that_is_ambiguous_or_broken_goes_nowhere(name: str) -> None:
    status, data = REFUSED[name]
    async with standing() as stand:
        client = await stand.client()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.send, data)
            head = await client.head()
        assert head.status == status
        assert head.get("connection") == "close"
        body, ending = await client.rest()
        assert body.strip()
        assert ending == "complete"
        assert (await client.raw_rest())[0] == b""  # nothing that was hidden behind it is answered
        await stand.pass_one()  # and the first that the upstream sees is this
        assert stand.gateway.pool.opened == 1
        record = await stand.record(1)
        assert (record.outcome, record.status) == ("refused" if name == "CONNECT" else "bad-request", status)
        assert record.detail


BROKEN_BODIES: dict[str, tuple[int, bytes, bytes]] = {
    "size is no number": (400, b"3\r\nabc\r\n", b"xyz\r\nabc\r\n"),
    "size is negative": (400, b"3\r\nabc\r\n", b"-1\r\nabc\r\n"),
    "size has 0x": (400, b"3\r\nabc\r\n", b"0x3\r\nabc\r\n"),
    "size is too large": (400, b"3\r\nabc\r\n", b"ffffffffffffffffff\r\nabc\r\n"),
    "size ends in LF": (400, b"3\r\nabc\r\n", b"3\nabc\r\n0\r\n\r\n"),
    "extension with LF": (400, b"3\r\nabc\r\n", b"3;a\nb\r\nabc\r\n0\r\n\r\n"),
    "chunk is longer than its size": (400, b"3\r\nabc\r\n", b"3\r\nabcd\r\n0\r\n\r\n"),
    "chunk has two other bytes behind it": (400, b"3\r\nabc\r\n", b"3\r\nabcXX0\r\n\r\n"),
    "chunk ends in LF": (400, b"3\r\nabc\r\n", b"3\r\nabc\n0\r\n\r\n"),
    "chunk has no end": (400, b"3\r\nabc\r\n", b"3\r\nabc0\r\n\r\n"),
    "endless extension": (400, b"3\r\nabc\r\n", b"3;" + b"a" * 100_000),
    "folded trailer": (400, b"3\r\nabc\r\n", b"0\r\nA: b\r\n c\r\n\r\n"),
    "trailer without colon": (400, b"3\r\nabc\r\n", b"0\r\nA b\r\n\r\n"),
}


@pytest.mark.parametrize("name", BROKEN_BODIES)
async def test_a_request_whose_body_is_broken_is_broken_off_upstream(name: str) -> None:
    status, good, bad = BROKEN_BODIES[name]
    async with standing() as stand:
        client, server, _ = await exchange(stand, post(CHUNKED))
        await client.send(good)
        assert await server.read(3) == b"abc"
        await client.send(bad)
        rest, ending = await server.rest()
        assert ending in VISIBLE, rest
        head = await client.head()
        assert head.status == status
        assert (await client.rest())[1] == "complete"
        assert await stand.outcome(1) == "bad-request"
        await stand.pass_one()


@pytest.mark.parametrize("name", BROKEN_BODIES)
async def test_behind_the_responses_head_it_is_broken_off_for_the_client(name: str) -> None:
    _, good, bad = BROKEN_BODIES[name]
    async with standing() as stand:
        client, server, _ = await exchange(stand, post(CHUNKED, body=good))
        await server.read(3)
        await server.send(head_bytes("close") + b"abc")
        await client.head()
        assert await client.read(3) == b"abc"
        await client.send(bad)
        assert (await client.rest())[1] in VISIBLE
        assert (await server.raw_rest())[1] == "reset"
        assert await stand.outcome(1) == "bad-request"
        await stand.pass_one()


async def test_a_body_over_the_limit_is_413() -> None:
    async with standing(limits=Limits(max_body_bytes=1000, linger_timeout_s=0.2)) as stand:
        client, server, _ = await exchange(stand, post(CHUNKED, body=b"3e8\r\n" + b"x" * 1000 + b"\r\n"))
        assert await server.read(1000) == b"x" * 1000
        await client.send(b"1\r\ny\r\n")
        assert (await client.head()).status == 413
        assert (await server.raw_rest())[1] == "reset"
        assert await stand.outcome(1) == "bad-request"
        await stand.pass_one()


async def test_a_length_over_the_limit_is_413_and_goes_nowhere() -> None:
    async with standing(limits=Limits(max_body_bytes=1000, linger_timeout_s=0.2)) as stand:
        client = await stand.client()
        await client.send(post("Content-Length: 1001"))
        assert (await client.head()).status == 413
        assert await stand.outcome(1) == "bad-request"


async def test_a_body_that_does_not_come_is_408() -> None:
    async with standing(limits=Limits(body_timeout_s=0.1, linger_timeout_s=0.2)) as stand:
        client, server, _ = await exchange(stand, post("Content-Length: 5", body=b"abc"))
        assert await server.read(3) == b"abc"
        assert (await client.head()).status == 408
        assert (await server.raw_rest())[1] == "reset"
        assert await stand.outcome(1) == "bad-request"
        await stand.pass_one()


OK = "HTTP/1.1 200 OK\r\n"

BAD_HEADS: dict[str, bytes] = {
    "length and chunked": f"{OK}Content-Length: 3\r\n{CHUNKED}\r\n\r\n".encode() + b"3\r\nabc\r\n0\r\n\r\n",
    "two lengths": f"{OK}Content-Length: 3\r\nContent-Length: 5\r\n\r\nabcde".encode(),
    "length with a sign": f"{OK}Content-Length: +3\r\n\r\nabc".encode(),
    "negative length": f"{OK}Content-Length: -3\r\n\r\nabc".encode(),
    "length is no number": f"{OK}Content-Length: abc\r\n\r\nabc".encode(),
    "huge length": f"{OK}Content-Length: 99999999999999999999\r\n\r\nabc".encode(),
    "length behind a space": f"{OK}Content-Length : 3\r\n\r\nabc".encode(),
    "chunked twice": f"{OK}{CHUNKED}\r\n{CHUNKED}\r\n\r\n".encode() + b"3\r\nabc\r\n0\r\n\r\n",
    "chunked, then something": f"{OK}{CHUNKED}, identity\r\n\r\n".encode() + b"3\r\nabc\r\n0\r\n\r\n",
    "chunked misspelt": f"{OK}Transfer-Encoding: xchunked\r\n\r\nabc".encode(),
    "gzip, chunked": f"{OK}Transfer-Encoding: gzip, chunked\r\n\r\nabc".encode(),
    "chunked in HTTP/1.0": f"HTTP/1.0 200 OK\r\n{CHUNKED}\r\n\r\n".encode() + b"3\r\nabc\r\n0\r\n\r\n",
    "LF behind the status line": b"HTTP/1.1 200 OK\nContent-Length: 3\r\n\r\nabc",
    "LF alone": b"HTTP/1.1 200 OK\nContent-Length: 3\n\nabc",
    "LF behind a header": f"{OK}A: b\nContent-Length: 3\r\n\r\nabc".encode(),
    "CR inside a value": f"{OK}A: b\rc\r\nContent-Length: 3\r\n\r\nabc".encode(),
    "zero byte inside a value": f"{OK}A: b\0c\r\nContent-Length: 3\r\n\r\nabc".encode(),
    "folded": f"{OK}A: b\r\n c\r\nContent-Length: 3\r\n\r\nabc".encode(),
    "no colon": f"{OK}Abc\r\nContent-Length: 3\r\n\r\nabc".encode(),
    "no name": f"{OK}: b\r\nContent-Length: 3\r\n\r\nabc".encode(),
    "name with a space": f"{OK}A b: c\r\nContent-Length: 3\r\n\r\nabc".encode(),
    "status of two digits": b"HTTP/1.1 20 OK\r\nContent-Length: 3\r\n\r\nabc",
    "status of four digits": b"HTTP/1.1 2000 OK\r\nContent-Length: 3\r\n\r\nabc",
    "status is no number": b"HTTP/1.1 xyz OK\r\nContent-Length: 3\r\n\r\nabc",
    "status 099": b"HTTP/1.1 099 OK\r\nContent-Length: 3\r\n\r\nabc",
    "switching protocols": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: a\r\nConnection: upgrade\r\n\r\nabc",
    "HTTP/2.0": b"HTTP/2.0 200 OK\r\nContent-Length: 3\r\n\r\nabc",
    "HTTP/2 frames": b"\x00\x00\x12\x04\x00\x00\x00\x00\x00" + bytes(18),
    "HTTP/0.9": b"<html>hello</html>\r\n\r\n",
    "TLS alert": b"\x15\x03\x01\x00\x02\x02\x46",
    "SSH": b"SSH-2.0-OpenSSH_9.6\r\n",
    "SMTP": b"220 mail.example.org ESMTP\r\n",
    "ICY": b"ICY 200 OK\r\nContent-Type: audio/mpeg\r\n\r\nabc",
    "a request": b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "garbage": bytes(range(128, 256)) * 4,
    "zero bytes": bytes(1000),
    "blank lines": b"\r\n\r\n\r\n\r\n",
    "long header": f"{OK}A: ".encode() + b"b" * 70_000 + b"\r\n\r\n",
    "many headers": OK.encode() + b"A: b\r\n" * 20_000 + b"\r\n",
    "endless status line": b"HTTP/1.1 200 " + b"a" * 100_000,
    "endless 103s": b"HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n" * 1000,
    "length in 103, then a bad head": b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nA b\r\n\r\n",
}


@pytest.mark.parametrize("version", ["1.1", "1.0"])
@pytest.mark.parametrize("name", BAD_HEADS)
async def test_an_answer_that_is_no_http_or_ambiguous_is_502(name: str, version: str) -> None:
    """At once where it is wrong already, and at its end where it might still have become a head."""
    async with standing() as stand:
        client, server, _ = await exchange(stand, request(version=version))
        with trio.move_on_after(1):
            try:
                await server.send(BAD_HEADS[name])
                await server.stream.send_eof()
            except trio.BrokenResourceError:
                pass  # the gateway has seen enough of it
        head = await client.head()
        assert head.status == 502
        body, ending = await client.rest()
        assert ending == "complete"
        assert b"abc" not in body
        assert body.decode().strip()
        record = await stand.record(1)
        assert (record.outcome, record.status) in {("bad-response", 502), ("upstream-cut", 502)}
        assert record.detail
        await stand.pass_one()


async def test_a_head_up_to_the_limit_passes_both_ways() -> None:
    async with standing() as stand:
        up, down = ("X-Up", "u" * 60_000), ("X-Down", "d" * 60_000)
        client, server, head = await exchange(stand, request(fields=[up]))
        assert head.get("x-up") == up[1]
        await server.send(answer(b"ok", [down]))
        assert (await client.head()).get("x-down") == down[1]
        assert await client.rest() == (b"ok", "complete")


async def test_an_upstream_that_is_down_is_502_until_it_is_up() -> None:
    (listener,) = await open_listeners(0)
    port = listener.port
    await listener.aclose()
    async with gateway_to(f"http://127.0.0.1:{port}") as stand:
        for number in (1, 2):
            client = await stand.client()
            head, body, ending = await client.ask(request("POST", body=b"{}"))
            assert (head.status, ending) == (502, "complete")
            assert str(port) in body.decode()
            assert await stand.outcome(number) == "unreachable"
        (stand.upstream,) = await open_listeners(port)
        await stand.pass_one()
        await stand.upstream.aclose()


async def test_an_upstream_without_an_address_is_502() -> None:
    async with gateway_to("http://nowhere.invalid:80") as stand:
        client = await stand.client()
        head, _, _ = await client.ask(request())
        assert head.status == 502
        assert await stand.outcome(1) == "unreachable"


@contextmanager
def full_queue() -> Iterator[int]:
    """A port whose queue of connections is full, so that it answers none of those that come."""
    with socket.socket() as full, ExitStack() as waiting:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(4):
            sock = waiting.enter_context(socket.socket())
            sock.setblocking(False)
            sock.connect_ex(full.getsockname())
        yield full.getsockname()[1]


async def test_an_upstream_that_takes_no_connection_is_504() -> None:
    with full_queue() as port:
        async with gateway_to(f"http://127.0.0.1:{port}", connect_timeout_s=0.2) as stand:
            client = await stand.client()
            head, _, ending = await client.ask(request())
            assert (head.status, ending) == (504, "complete")
            assert await stand.outcome(1) == "timeout"


async def test_a_client_may_leave_while_there_is_no_connection_yet() -> None:
    with full_queue() as port:
        async with gateway_to(f"http://127.0.0.1:{port}") as stand:
            client = await stand.client()
            await client.send(request())
            await trio.testing.wait_all_tasks_blocked(0.05)
            client.stream.abort()
            assert await stand.outcome(1) == "client-left"


async def test_an_answer_to_head_has_no_body_from_us_either() -> None:
    async with standing() as stand:
        client, server, _ = await exchange(stand, request("HEAD"))
        await server.send(BAD_HEADS["garbage"])
        assert (await client.head("HEAD")).status == 502
        assert await client.rest() == (b"", "complete")
        assert await client.raw_rest() == (b"", "closed")


async def test_an_upstream_that_closes_each_connection_at_once_is_502() -> None:
    async with standing() as stand:
        for number in range(5):
            client = await stand.client()
            await client.send(request())
            server = await stand.server()
            server.stream.abort() if number % 2 else await server.stream.aclose()
            assert (await client.head()).status == 502
            # A reset that comes as soon as the connection is there may look as if it had never been.
            assert await stand.outcome(number + 1) in {"upstream-cut", "unreachable"}
        await stand.pass_one()


async def test_a_plain_upstream_under_https_is_502() -> None:
    async with standing(scheme="https") as stand:
        client = await stand.client()
        await client.send(request())
        server = await stand.server()
        await server.stream.receive()
        await server.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        assert (await client.head()).status == 502
        assert await stand.outcome(1) == "unreachable"
