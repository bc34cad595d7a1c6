"""What a message becomes on its way: every byte that is not the connection's own arrives as it was.

Heads are compared line by line, names in their case, values as they came; what a gateway has to write anew (Host,
framing, Connection, Via) is named in each row.
"""

from __future__ import annotations

import hashlib
from random import Random

import pytest

from tests.gateway.peers import (
    FRAMINGS,
    Fields,
    answer,
    exchange,
    framed,
    head_bytes,
    request,
    standing,
    together,
    whole,
)

OWN_UP = {"host", "via"}
"""What the gateway writes itself, upwards."""

OWN_DOWN = {"x-accel-buffering", "cache-control", "transfer-encoding", "content-length", "connection"}

KEPT: Fields = [
    ("X-B", "1"),
    ("x-a", "2"),
    ("X-B", "3"),
    ("ACCEPT", "*/*"),
    ("Authorization", "Bearer sk-1"),
    ("Cookie", "a=b; c=d"),
    ("Cookie", "e=f"),
    ("Accept-Encoding", "gzip, br;q=0.1"),
    ("Content-Encoding", "br"),
    ("User-Agent", 'odd (but "legal"); \\ \x80\xff\xe9'),
    ("X-Empty", ""),
    ("X-Tab", "a\tb"),
    ("X-Long", "v" * 10_000),
    ("X-Punctuation!#$%&'*+-.^_`|~", ',;:="()<>@[]{}?/'),
    ("Forwarded", "for=192.0.2.60"),
    ("X-Forwarded-For", "192.0.2.60"),
    ("Last-Event-ID", "42"),
    ("Origin", "http://127.0.0.1:3000"),
    ("Range", "bytes=0-9"),
    ("Max-Forwards", "7"),
    ("anthropic-version", "2023-06-01"),
    ("Idempotency-Key", "k"),
]


def shown(fields: Fields, own: set[str]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in fields if name.lower() not in own]


async def test_fields_of_a_request_keep_order_case_and_bytes() -> None:
    async with standing() as stand:
        _, server, head = await exchange(stand, request(fields=KEPT))
        assert shown(head.fields, OWN_UP) == KEPT
        assert head.all("host") == [f"127.0.0.1:{stand.upstream_port}"]
        assert head.all("via") == [f"1.1 {stand.gateway.name}"]
        await server.send(answer(b""))


async def test_fields_of_a_response_keep_order_case_and_bytes() -> None:
    fields = [
        ("date", "Thu, 01 Jan 2026 00:00:00 GMT"),
        ("Server", "odd/1.0 \x80\xff"),
        ("Set-Cookie", "a=b; Path=/; Expires=Thu, 01 Jan 2026 00:00:00 GMT"),
        ("X-Request-Id", "req_1"),
        ("Set-Cookie", "c=d"),
        ("set-cookie", "e=f"),
        ("retry-after-ms", "1500"),
        ("x-ratelimit-remaining-tokens", "0"),
        ("X-Empty", ""),
        ("ETag", 'W/"1"'),
        ("Vary", "Origin"),
        ("Vary", "Accept"),
        ("Content-Encoding", "br"),
        ("Age", "3"),
        ("Warning", '299 - "x"'),
    ]
    async with standing() as stand:
        client, server, _ = await exchange(stand, request())
        await server.send(answer(b"hello", fields))
        head = await client.head()
        assert shown(head.fields, OWN_DOWN) == fields
        assert head.all("content-length") == ["5"]
        assert head.get("via") is None
        assert await client.rest() == (b"hello", "complete")


LINES = [
    ("plain", "GET", "/"),
    ("query", "GET", "/a/b?c=d&e=%20f&&=&g"),
    ("percent-encoded", "GET", "/%7Ea/%2e%2E/%2F/%41?%zz"),
    ("dots", "GET", "/a/./b/../c//d"),
    ("odd characters", "GET", "/a;b=c,d:e@f!$'()*+[]{}|\\^`\"<>"),
    ("question marks", "GET", "/??/?"),
    ("long", "GET", "/" + "a" * 10_000),
    ("star", "OPTIONS", "*"),
    ("options", "OPTIONS", "/v1"),
    ("delete", "DELETE", "/v1/models/m"),
    ("put", "PUT", "/"),
    ("patch", "PATCH", "/"),
    ("trace", "TRACE", "/"),
    ("a word of one's own", "PROPFIND", "/"),
    ("a small one", "get", "/"),
    ("odd", "M-SEARCH!#$", "/"),
]


@pytest.mark.parametrize(("name", "method", "target"), LINES, ids=[row[0] for row in LINES])
async def test_a_request_line_goes_on_as_it_came(name: str, method: str, target: str) -> None:
    async with standing() as stand:
        client, server, head = await exchange(stand, request(method, target))
        assert head.line == f"{method} {target} HTTP/1.1"
        assert head.get("content-length") is None
        assert head.get("transfer-encoding") is None
        await server.send(answer(b"ok"))
        assert (await client.head(method)).status == 200
        assert await client.rest() == (b"ok", "complete")


TARGETS = [
    ("base and path", "/base", "/v1/chat?a=b", "/base/v1/chat?a=b"),
    ("base and root", "/base/", "/", "/base/"),
    ("base and query", "/a/b", "/?c", "/a/b/?c"),
    ("absolute", "", "http://example.org:8080/a?b", "/a?b"),
    ("absolute without a path", "", "http://example.org", "/"),
    ("absolute with a query only", "", "http://example.org?a", "/?a"),
    ("absolute under a base", "/base", "http://example.org/a", "/base/a"),
    ("absolute with a host of its own", "", "https://127.0.0.1/a//b", "/a//b"),
]


@pytest.mark.parametrize(("name", "path", "target", "upstream"), TARGETS, ids=[row[0] for row in TARGETS])
async def test_a_target_goes_under_the_upstreams_path(name: str, path: str, target: str, upstream: str) -> None:
    async with standing(path) as stand:
        client, server, head = await exchange(stand, request(target=target))
        assert head.line == f"GET {upstream} HTTP/1.1"
        assert head.all("host") == [f"127.0.0.1:{stand.upstream_port}"]
        await server.send(answer(b""))
        assert (await client.head()).status == 200


HOP: list[tuple[str, Fields, Fields]] = [
    ("keep-alive", [("Connection", "keep-alive"), ("Keep-Alive", "timeout=5")], []),
    ("named", [("Connection", "X-A, x-b"), ("X-A", "1"), ("X-B", "2"), ("X-C", "3")], [("X-C", "3")]),
    ("named twice", [("X-A", "1"), ("Connection", "close"), ("Connection", "x-a"), ("X-B", "2")], [("X-B", "2")]),
    ("named odd", [("connection", " ,, X-A ,"), ("x-a", "1"), ("X-B", "2")], [("X-B", "2")]),
    ("upgrade", [("Connection", "Upgrade"), ("Upgrade", "websocket"), ("X-WS", "k")], [("X-WS", "k")]),
    ("h2c", [("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", "h2c"), ("HTTP2-Settings", "AAMAAABkAAQ")], []),
    ("proxy connection", [("Proxy-Connection", "keep-alive"), ("X-B", "2")], [("X-B", "2")]),
]


@pytest.mark.parametrize(("name", "fields", "kept"), HOP, ids=[row[0] for row in HOP])
async def test_what_is_the_connections_own_stays_behind(name: str, fields: Fields, kept: Fields) -> None:
    async with standing() as stand:
        client, server, head = await exchange(stand, request(fields=fields))
        assert shown(head.fields, OWN_UP) == kept
        await server.send(answer(b"ok", fields))
        got = await client.head()
        assert shown(got.fields, OWN_DOWN) == kept
        assert await client.rest() == (b"ok", "complete")


async def test_via_is_added_behind_those_that_are_there() -> None:
    async with standing() as stand:
        _, server, head = await exchange(stand, request(fields=[("Via", "1.0 fred"), ("X-B", "2")]))
        assert (head.get("via") or "").split(", ") == ["1.0 fred", f"1.1 {stand.gateway.name}"]
        await server.send(answer(b""))


@pytest.mark.parametrize("version", ["1.0", "1.1"])
async def test_via_names_the_version_that_was_received(version: str) -> None:
    async with standing() as stand:
        _, server, head = await exchange(stand, request(version=version))
        assert head.all("via") == [f"{version} {stand.gateway.name}"]
        await server.send(answer(b""))


async def test_connection_cannot_take_away_what_frames_or_names() -> None:
    """A client that lists Content-Length or Host in Connection would unframe the request for the upstream."""
    async with standing() as stand:
        fields = [("Connection", "content-length, host, transfer-encoding, via")]
        client, server, head = await exchange(stand, request("POST", fields=fields, body=b"abc"))
        assert head.get("content-length") == "3"
        assert head.get("host") == f"127.0.0.1:{stand.upstream_port}"
        assert await server.rest() == (b"abc", "complete")
        await server.send(answer(b"ok", [("Connection", "content-length")]))
        assert (await client.head()).get("content-length") == "2"
        assert await client.rest() == (b"ok", "complete")


BODIES = [
    ("none, GET", "GET", [], b"", None, None),
    ("none, POST", "POST", [("Content-Length", "0")], b"", "0", None),
    ("none, POST without a length", "POST", [], b"", None, None),
    ("length", "POST", [("Content-Length", "3")], b"abc", "3", None),
    ("length, GET", "GET", [("Content-Length", "3")], b"abc", "3", None),
    ("length, DELETE", "DELETE", [("content-length", "3")], b"abc", "3", None),
    ("equal lengths", "POST", [("Content-Length", "3"), ("Content-Length", "3")], b"abc", "3", None),
    ("length with zeros", "POST", [("Content-Length", "003")], b"abc", "3", None),
    ("chunked", "POST", [("Transfer-Encoding", "chunked")], b"3\r\nabc\r\n0\r\n\r\n", None, "chunked"),
    ("chunked, GET", "GET", [("transfer-encoding", "Chunked")], b"3\r\nabc\r\n0\r\n\r\n", None, "chunked"),
    ("chunked, empty", "POST", [("Transfer-Encoding", "chunked")], b"0\r\n\r\n", None, "chunked"),
    ("extensions", "POST", [("Transfer-Encoding", "chunked")], b"3;a=b\r\nabc\r\n0;c\r\n\r\n", None, "chunked"),
]


@pytest.mark.parametrize(
    ("method", "fields", "sent", "length", "coding"), [row[1:] for row in BODIES], ids=[row[0] for row in BODIES]
)
async def test_a_requests_body_keeps_its_framing(
    method: str, fields: Fields, sent: bytes, length: str | None, coding: str | None
) -> None:
    async with standing() as stand:
        client, server, head = await exchange(stand, request(method, fields=fields) + sent)
        assert head.all("content-length") in ([] if length is None else [length], [fields[0][1]] if fields else [])
        assert head.all("transfer-encoding") == ([] if coding is None else [coding])
        assert await server.rest() == (b"abc" if b"abc" in sent else b"", "complete")
        await server.send(answer(b"ok"))
        assert (await client.head()).status == 200


@pytest.mark.parametrize("framing", FRAMINGS)
async def test_ten_mib_arrive_as_they_were_sent(framing: str) -> None:
    random = Random(framing)
    sizes: list[int] = []
    while sum(sizes) < 10 * 2**20:
        sizes.append(random.choice([1, 2, 3, 7, 100, 1000, 4096, 8191, 16385, random.randint(1, 70_000)]))
    payload = random.randbytes(sum(sizes))
    async with standing() as stand:
        client, server, _ = await exchange(stand, request())

        async def send() -> None:
            wire, at = bytearray(head_bytes(framing, len(payload))), 0
            for size in sizes:
                wire += framed(framing, payload[at : at + size])
                at += size
                while len(wire) > (cut := random.randint(1, 40_000)):
                    await server.send(bytes(wire[:cut]))
                    del wire[:cut]
            await server.send(bytes(wire) + (b"0\r\n\r\n" if framing == "chunked" else b""))
            if framing == "close":
                await server.stream.aclose()

        async def receive() -> None:
            digest = hashlib.sha256()
            head = await client.head()
            assert head.get("content-length") == (str(len(payload)) if framing == "length" else None)
            assert (await client.rest(digest.update))[1] == whole(framing)
            assert digest.digest() == hashlib.sha256(payload).digest()

        await together(send, receive)


@pytest.mark.parametrize("framing", ["chunked", "length"])
async def test_ten_mib_of_a_request_arrive_as_they_were_sent(framing: str) -> None:
    random = Random(framing)
    payload = random.randbytes(10 * 2**20)
    ends = ("Transfer-Encoding", "chunked") if framing == "chunked" else ("Content-Length", str(len(payload)))
    async with standing() as stand:
        client, server, _ = await exchange(stand, request("POST", fields=[ends]))

        async def send() -> None:
            at = 0
            while at < len(payload):
                size = random.choice([1, 7, 1000, 8191, random.randint(1, 200_000)])
                await client.send(framed(framing, payload[at : at + size]))
                at += size
            await client.send(b"0\r\n\r\n" if framing == "chunked" else b"")

        async def receive() -> None:
            digest = hashlib.sha256()
            assert (await server.rest(digest.update))[1] == "complete"
            assert digest.digest() == hashlib.sha256(payload).digest()
            await server.send(answer(b"ok"))

        await together(send, receive)
        assert (await client.head()).status == 200
