"""What HTTP wants of a gateway besides bytes: lengths, interim responses, trailers, old versions, streaming headers."""

from __future__ import annotations

from contextlib import suppress

import pytest
import trio

from tests.gateway.peers import Fields, answer, exchange, framed, head_bytes, request, standing
from tests.gateway.readers import Ending

EVENTS = ("Content-Type", "text/event-stream")

STREAMING: list[tuple[str, str, Fields, list[str], list[str]]] = [
    ("events, chunked", "chunked", [EVENTS], ["no"], ["no-cache"]),
    ("events, length", "length", [EVENTS], ["no"], ["no-cache"]),
    ("events, close", "close", [("content-type", "Text/Event-Stream; charset=utf-8")], ["no"], ["no-cache"]),
    ("events with a rule", "chunked", [EVENTS, ("Cache-Control", "no-store")], ["no"], ["no-store"]),
    ("events with both", "chunked", [EVENTS, ("x-accel-buffering", "yes"), ("cache-control", "a")], ["yes"], ["a"]),
    ("lines, chunked", "chunked", [("Content-Type", "application/x-ndjson")], ["no"], []),
    ("text, chunked", "chunked", [("Content-Type", "text/plain")], ["no"], []),
    ("text, close", "close", [("Content-Type", "text/plain")], ["no"], []),
    ("json, length", "length", [("Content-Type", "application/json")], [], []),
    ("no type, length", "length", [], [], []),
]


@pytest.mark.parametrize(("name", "framing", "fields", "accel", "cache"), STREAMING, ids=[row[0] for row in STREAMING])
async def test_a_stream_says_that_it_is_one(
    name: str, framing: str, fields: Fields, accel: list[str], cache: list[str]
) -> None:
    async with standing() as stand:
        client, server, _ = await exchange(stand, request())
        await server.send(head_bytes(framing, 3, fields))
        head = await client.head()
        assert head.all("x-accel-buffering") == accel
        assert head.all("cache-control") == cache
        assert len(head.all("content-length")) == (framing == "length")
        assert head.all("transfer-encoding") == (["chunked"] if framing == "chunked" else [])


BODILESS = [
    ("HEAD, length", "HEAD", "200 OK", [("Content-Length", "12345")], ["12345"]),
    ("HEAD, length 0", "HEAD", "200 OK", [("Content-Length", "0")], ["0"]),
    ("HEAD, chunked", "HEAD", "200 OK", [("Transfer-Encoding", "chunked")], []),
    ("HEAD, nothing", "HEAD", "200 OK", [], []),
    ("HEAD, 404", "HEAD", "404 Not Found", [("Content-Length", "9")], ["9"]),
    ("204", "GET", "204 No Content", [], []),
    ("204, POST", "POST", "204 No Content", [], []),
    ("304", "GET", "304 Not Modified", [("ETag", '"1"')], []),
    ("304, length", "GET", "304 Not Modified", [("Content-Length", "12345")], ["12345"]),
    ("200, length 0", "GET", "200 OK", [("Content-Length", "0")], ["0"]),
]


@pytest.mark.parametrize(("name", "method", "status", "fields", "lengths"), BODILESS, ids=[row[0] for row in BODILESS])
async def test_what_has_no_body_ends_with_its_head(
    name: str, method: str, status: str, fields: Fields, lengths: list[str]
) -> None:
    """And both connections go on: twice on the same two."""
    async with standing() as stand:
        client, server, _ = await exchange(stand, request(method))
        for _ in range(2):
            await server.send(head_bytes("", fields=fields, status=status))
            head = await client.head(method)
            assert head.line == f"HTTP/1.1 {status}"
            assert head.all("content-length") == lengths
            assert await client.rest() == (b"", "complete")
            await client.send(request(method))
            await server.head()
        await server.send(head_bytes("", fields=fields, status=status))
        await client.head(method)


STATUSES = [
    *("200 OK", "201 ", "206 Partial Content", "301 Moved Permanently", "400 No", "401 \xfcber"),
    *("429 Too Many Requests", "500 A B C", "529 Overloaded", "999 Odd"),
]


@pytest.mark.parametrize("status", STATUSES)
async def test_a_status_line_goes_on_as_it_came(status: str) -> None:
    async with standing() as stand:
        client, server, _ = await exchange(stand, request())
        await server.send(answer(b"body", [("Location", "/there")], status=status))
        assert (await client.head()).line == f"HTTP/1.1 {status}"
        assert await client.rest() == (b"body", "complete")
        assert (await stand.record(1)).status == int(status[:3])


async def test_a_status_line_without_a_reason_is_one() -> None:
    async with standing() as stand:
        client, server, _ = await exchange(stand, request())
        await server.send(b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok")
        assert (await client.head()).status == 200
        assert await client.rest() == (b"ok", "complete")


HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\nX-A: 1\r\nX-A: 2\r\n\r\n"


async def test_interim_responses_come_when_they_are_sent() -> None:
    async with standing() as stand:
        client, server, _ = await exchange(stand, request())
        for number in range(3):
            await server.send(HINTS if number else b"HTTP/1.1 102 Processing\r\n\r\n")
            assert (await client.raw_head()) == (HINTS if number else b"HTTP/1.1 102 Processing\r\n\r\n")
        await server.send(answer(b"ok"))
        assert (await client.head()).status == 200
        assert await client.rest() == (b"ok", "complete")


@pytest.mark.parametrize("version", ["1.0", "1.1"])
async def test_an_interim_response_in_one_segment_with_the_final_one(version: str) -> None:
    async with standing() as stand:
        client, server, _ = await exchange(stand, request(version=version))
        await server.send(HINTS + answer(b"ok"))
        assert (await client.head()).status == 200
        assert [head.status for head in client.interim] == ([103] if version == "1.1" else [])
        assert await client.rest() == (b"ok", "complete")


async def test_a_client_that_waits_for_100_gets_it_from_the_upstream() -> None:
    async with standing() as stand:
        fields = [("Expect", "100-continue"), ("Content-Length", "3")]
        client, server, head = await exchange(stand, request("POST", fields=fields))
        assert head.get("expect") == "100-continue"
        await server.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        assert await client.raw_head() == b"HTTP/1.1 100 Continue\r\n\r\n"
        await client.send(b"abc")
        assert await server.rest() == (b"abc", "complete")
        await server.send(answer(b"ok"))
        assert (await client.head()).status == 200
        assert client.interim == []
        assert await client.rest() == (b"ok", "complete")


async def test_an_upstream_may_refuse_instead_of_100() -> None:
    async with standing() as stand:
        fields = [("Expect", "100-continue"), ("Content-Length", "3")]
        client, server, _ = await exchange(stand, request("POST", fields=fields))
        await server.send(answer(b"no", status="401 Unauthorized"))
        assert (await client.head()).status == 401
        assert await client.rest() == (b"no", "complete")
        assert await stand.outcome(1) == "ok"
        await stand.pass_one()


async def test_a_client_that_does_not_wait_for_100_is_not_made_to() -> None:
    async with standing() as stand:
        fields = [("Expect", "100-continue"), ("Content-Length", "3")]
        client, server, _ = await exchange(stand, request("POST", fields=fields) + b"abc")
        assert await server.rest() == (b"abc", "complete")
        await server.send(answer(b"ok"))
        assert (await client.head()).status == 200


async def test_an_expectation_means_nothing_in_http_1_0() -> None:
    async with standing() as stand:
        data = request("POST", fields=[("Expect", "100-continue")], body=b"abc", version="1.0")
        client, server, head = await exchange(stand, data)
        assert head.get("expect") is None
        assert await server.rest() == (b"abc", "complete")
        await server.send(answer(b"ok"))
        assert (await client.head()).status == 200
        assert await client.rest() == (b"ok", "complete")


async def test_100_that_nobody_asked_for_goes_by() -> None:
    async with standing() as stand:
        client, server, _ = await exchange(stand, request("POST", body=b"abc"))
        await server.send(b"HTTP/1.1 100 Continue\r\n\r\n" + answer(b"ok"))
        assert (await client.head()).status == 200
        assert await client.rest() == (b"ok", "complete")


async def test_trailers_arrive_behind_the_body() -> None:
    async with standing() as stand:
        client, server, head = await exchange(stand, request(fields=[("TE", "trailers, gzip;q=0.1")]))
        assert head.get("te") == "trailers"
        assert (head.get("connection") or "").lower() == "te"
        await server.send(head_bytes("chunked", fields=[("Trailer", "X-Sum")]) + framed("chunked", b"abc"))
        assert (await client.head()).get("trailer") == "X-Sum"
        assert await client.read(3) == b"abc"
        await server.send(b"0\r\nX-Sum: 7\r\nX-Sum: \xe9\r\nx-other: \r\n\r\n")
        assert await client.rest() == (b"", "complete")
        assert client.trailers == [("X-Sum", "7"), ("X-Sum", "\xe9"), ("x-other", "")]


async def test_trailers_that_would_frame_or_route_are_left_out() -> None:
    """Whoever merges trailers into headers would be misled by them (RFC 9110, section 6.5.1)."""
    bad = b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\nHost: b\r\nConnection: close\r\nX-Sum: 7\r\n"
    async with standing() as stand:
        coded = ("Transfer-Encoding", "chunked")
        client, server, _ = await exchange(stand, request("POST", fields=[coded]) + b"0\r\n" + bad + b"\r\n")
        assert await server.rest() == (b"", "complete")
        assert server.trailers == [("X-Sum", "7")]
        await server.send(head_bytes("chunked") + b"0\r\n" + bad + b"\r\n")
        await client.head()
        assert await client.rest() == (b"", "complete")
        assert client.trailers == [("X-Sum", "7")]


async def test_te_is_not_passed_on_without_trailers() -> None:
    async with standing() as stand:
        _, server, head = await exchange(stand, request(fields=[("TE", "gzip"), ("Connection", "te")]))
        assert head.get("te") is None
        await server.send(answer(b""))


async def test_trailers_of_a_request_arrive_too() -> None:
    async with standing() as stand:
        fields = [("Transfer-Encoding", "chunked"), ("Trailer", "X-Sum")]
        client, server, _ = await exchange(stand, request("POST", fields=fields) + b"3\r\nabc\r\n0\r\nX-Sum: 7\r\n\r\n")
        assert await server.rest() == (b"abc", "complete")
        assert server.trailers == [("X-Sum", "7")]
        await server.send(answer(b"ok"))
        assert (await client.head()).status == 200


async def test_trailers_are_left_out_for_http_1_0() -> None:
    async with standing() as stand:
        client, server, _ = await exchange(stand, request(version="1.0"))
        await server.send(head_bytes("chunked") + b"3\r\nabc\r\n0\r\nX-Sum: 7\r\n\r\n")
        await client.head()
        assert await client.rest() == (b"abc", "closed")


OLD: list[tuple[str, Fields, str, Ending, str]] = [
    ("chunked", [], "chunked", "closed", "close"),
    ("close", [], "close", "closed", "close"),
    ("length", [], "length", "complete", "close"),
    ("chunked, keep-alive", [("Connection", "keep-alive")], "chunked", "closed", "close"),
    ("close, keep-alive", [("Connection", "keep-alive")], "close", "closed", "close"),
    ("length, keep-alive", [("Connection", "Keep-Alive")], "length", "complete", "keep-alive"),
]


@pytest.mark.parametrize(("name", "fields", "framing", "ending", "connection"), OLD, ids=[row[0] for row in OLD])
async def test_a_client_of_http_1_0_is_told_the_end_in_its_own_way(
    name: str, fields: Fields, framing: str, ending: Ending, connection: str
) -> None:
    async with standing() as stand:
        client, server, head = await exchange(stand, request(fields=fields, version="1.0"))
        assert head.line == "GET / HTTP/1.1"
        await server.send(head_bytes(framing, 3) + framed(framing, b"abc"))
        await server.send(b"0\r\n\r\n" if framing == "chunked" else b"")
        if framing == "close":
            await server.stream.aclose()
        got = await client.head()
        assert got.get("transfer-encoding") is None
        assert (got.get("connection") or "close").lower() == connection
        assert await client.rest() == (b"abc", ending)
        if connection == "close":
            assert await client.raw_rest() == (b"", "closed")
            return
        await client.send(request(version="1.0"))
        await server.head()
        await server.send(answer(b"again"))
        await client.head()
        assert await client.rest() == (b"again", "complete")


async def test_a_client_of_http_1_0_needs_no_host() -> None:
    async with standing() as stand:
        client = await stand.client()
        await client.send(b"GET / HTTP/1.0\r\n\r\n")
        server = await stand.server()
        assert (await server.head()).get("host") == f"127.0.0.1:{stand.upstream_port}"
        await server.send(answer(b"ok"))
        assert (await client.head()).status == 200


@pytest.mark.parametrize("side", ["client", "upstream"])
async def test_connection_close_closes_that_side_alone(side: str) -> None:
    closes: Fields = [("Connection", "close")]
    async with standing() as stand:
        client, server, _ = await exchange(stand, request(fields=closes if side == "client" else []))
        await server.send(answer(b"ok", closes if side == "upstream" else []))
        head = await client.head()
        assert await client.rest() == (b"ok", "complete")
        assert head.all("connection") == (["close"] if side == "client" else [])
        if side == "client":
            assert await client.raw_rest() == (b"", "closed")
            other = await stand.client()
            await other.send(request())
            assert (await server.head()).line == "GET / HTTP/1.1"
        else:
            assert await server.until_left() in {"closed", "reset"}
            await client.send(request())
            server = await stand.server()
            await server.head()
            await server.send(answer(b"ok"))
            assert (await client.head()).status == 200


async def test_a_gateway_whose_upstream_leads_back_to_it_says_so() -> None:
    async with standing() as stand:
        client = await stand.client()
        fields = [("Via", f"1.1 other, 1.1 {stand.gateway.name}, 1.1 third")]
        head, body, _ = await client.ask(request(fields=fields))
        assert (head.status, body) == (508, b"the upstream of this gateway leads back to this gateway\n")
        assert stand.gateway.pool.opened == 0


KEYS: dict[str, tuple[str, Fields, str, Fields]] = {
    "none": ("/", [], "/", [("authorization", "Bearer ours")]),
    "bearer": ("/", [("Authorization", "Bearer theirs")], "/", [("authorization", "Bearer ours")]),
    "Anthropic": ("/?key=x", [("X-Api-Key", "theirs")], "/?key=x", [("x-api-key", "ours")]),
    "Google": ("/a?alt=sse&key=theirs", [], "/a?alt=sse", [("x-goog-api-key", "ours")]),
    "Google, first": ("/a?key=theirs&alt=sse", [], "/a?alt=sse", [("x-goog-api-key", "ours")]),
    "Google, alone": ("/a?key=theirs", [], "/a", [("x-goog-api-key", "ours")]),
    "in a path": ("/x&key=1", [], "/x&key=1", [("authorization", "Bearer ours")]),
    "another word": ("/?monkey=1", [], "/?monkey=1", [("authorization", "Bearer ours")]),
}


@pytest.mark.parametrize(("target", "sent", "passed", "keys"), KEYS.values(), ids=KEYS)
async def test_the_upstreams_key_goes_where_the_clients_was(
    target: str, sent: Fields, passed: str, keys: Fields
) -> None:
    async with standing(upstream_key="ours") as stand:
        _, _, head = await exchange(stand, request(target=target, fields=sent))
        assert head.line == f"GET {passed} HTTP/1.1"
        names = ("authorization", "x-api-key", "x-goog-api-key", "api-key")
        assert [(name, value) for name in names for value in head.all(name)] == keys


async def test_no_key_goes_along_with_what_is_sent_back() -> None:
    async with standing(upstream_key="ours") as stand:
        _, _, head = await exchange(stand, request("TRACE", fields=[("X-Api-Key", "theirs")]))
        assert head.all("authorization") == head.all("x-api-key") == []


async def test_max_forwards_is_counted_down_and_ends_here() -> None:
    async with standing() as stand:
        _, _, head = await exchange(stand, request("OPTIONS", fields=[("Max-Forwards", "7")]))
        assert head.all("max-forwards") == ["6"]
        _, _, head = await exchange(stand, request(fields=[("Max-Forwards", "7")]))
        assert head.all("max-forwards") == ["7"]
        client = await stand.client()
        head, body, _ = await client.ask(request("OPTIONS", fields=[("Max-Forwards", "0")]))
        assert (head.status, body) == (200, b"")
        assert stand.gateway.pool.opened == 2


async def test_nothing_is_said_inside_of_a_half_written_interim_response() -> None:
    async with standing(head_timeout_s=0.3) as stand:
        client = await stand.client(receive_bytes=4096)
        await client.send(request())
        server = await stand.server()
        await server.head()
        early = head_bytes("none", fields=[("Link", "a" * 50_000)], status="103 Early Hints")
        with suppress(trio.BrokenResourceError):  # the gateway has left by then
            await server.send(early * 60)
        assert await stand.outcome(1) == "timeout"
        got, ending = await client.raw_rest()
        assert ending == "reset"
        assert b"504" not in got
