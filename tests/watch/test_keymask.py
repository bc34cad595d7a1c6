"""A key that went upstream is not shown where the upstream repeats it, wherever it is cut."""

from __future__ import annotations

import io
from base64 import b64decode
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamkit.http.head import read_request
from streamkit.http.listener import open_listeners
from streamkit.http.unframe import unframer_of
from streamkit.io.cassette import parse_cassette
from streamkit.watch.keymask import BEGINNING_BYTES, KeyMask, hidden_pieces, keys_in
from streamkit.watch.lanes import Lanes, Mark
from streamkit.watch.moments import Moment, Sight
from streamkit.watch.taping import cassette_of
from tests.gateway.readers import Server
from tests.watch.stand import CHAT, asking, watching
from tests.watch.test_sights import record

KEY = b"UPSTREAM/KEY123456"

SENT = b"POST /v1 HTTP/1.1\r\nHost: b\r\nAuthorization: Bearer %b\r\nContent-Length: 2\r\n\r\n{}" % KEY

TOLD = b'{"error":{"message":"Incorrect API key: UPSTREAM\\/KEY123456, which is UPSTREAM/KEY123456"}}'

HEAD = b"HTTP/1.1 401 Unauthorized\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(TOLD)


@pytest.mark.parametrize(
    ("lines", "keys"),
    [
        ("Authorization: Bearer 0123456789", [b"0123456789"]),
        ("authorization: 0123456789", [b"0123456789"]),
        ("X-Api-Key: 0123456789\r\nApi-Key: abcdefghi", [b"0123456789", b"abcdefghi"]),
        ("x-goog-api-key: a/b/c/d/e", [b"a\\/b\\/c\\/d\\/e", b"a/b/c/d/e"]),
        ("X-Amz-Security-Token: 0123456789", [b"0123456789"]),
        ("Authorization: Bearer short", []),
        ("Accept: text/event-stream\r\nX-Streamkit-Keyed: 0123456789\r\nUser-Agent: monkey/12345", []),
    ],
)
def test_keys_are_known_by_where_they_stand(lines: str, keys: list[bytes]) -> None:
    head = f"GET /a HTTP/1.1\r\nHost: b\r\n{lines}\r\n\r\n"
    assert keys_in(read_request(head.encode())) == keys


def test_so_are_those_of_the_query() -> None:
    head = b"GET /a?key=AIza%2B12345&alt=everything&code=0123456789 HTTP/1.1\r\nHost: b\r\n\r\n"
    assert keys_in(read_request(head)) == [b"0123456789", b"AIza+12345"]


CUTS = st.sets(st.integers(0, 500))


def pieces_of(data: bytes, places: set[int]) -> list[bytes]:
    ends = sorted({place % len(data) for place in places} | {0, len(data)})
    return [data[start:end] for start, end in pairwise(ends)]


@given(places=CUTS)
def test_no_cut_shows_more_than_a_beginning(places: set[int]) -> None:
    mask = KeyMask()
    mask.learn(SENT)
    before = shown = b""
    for piece in pieces_of(TOLD, places):
        out, before = mask.feed(before, piece)
        shown += out
    assert len(shown) == len(TOLD)
    assert not any(KEY[at : at + BEGINNING_BYTES] in shown for at in range(len(KEY) - BEGINNING_BYTES))
    assert shown[:40] == TOLD[:40]


@given(places=CUTS)
def test_neither_marks_nor_the_cassette_have_it(places: set[int]) -> None:
    sight = Sight(record(1), method="POST", max_bytes=1 << 20)
    sight.see(Moment("upstream", "sent", 0, 10, SENT))
    for at, piece in enumerate(pieces_of(HEAD + TOLD, places)):
        sight.see(Moment("upstream", "read", 0, 20 + at, piece))
    sight.is_live = False
    lanes = Lanes("POST")
    marks = [row for moment in sight.moments for row in lanes.feed(moment) if isinstance(row, Mark)]
    body = b"".join([b64decode(mark.head) + b64decode(mark.tail) for mark in marks])
    data = cassette_of(sight, "http://b")
    (exchange,) = parse_cassette(io.BytesIO(data)).exchanges
    wire = b"".join([read.data for read in exchange.reads])
    assert len(body) == len(TOLD)
    assert [len(read.data) for read in exchange.reads] == [len(moment.data) for moment in sight.moments[1:]]
    for text in (body, wire, data):
        assert KEY not in text
        assert b"KEY123456" not in text
    assert wire.startswith(HEAD)
    assert wire.count(b"*" * len(KEY)) == 2


@given(
    chunks=st.sets(st.integers(0, 500)), reads=st.sets(st.integers(0, 500)), extension=st.sampled_from([b"", b";a=b"])
)
def test_nor_where_chunks_cut_it(chunks: set[int], reads: set[int], extension: bytes) -> None:
    sight = Sight(record(1), method="POST", max_bytes=1 << 20)
    sight.see(Moment("upstream", "sent", 0, 10, SENT))
    head = HEAD.replace(b"Content-Length: %d" % len(TOLD), b"Transfer-Encoding: chunked")
    framed = [b"%X%b\r\n%b\r\n" % (len(data), extension, data) for data in pieces_of(TOLD, chunks)]
    sent = head + b"".join(framed) + b"0\r\n\r\n"
    for at, piece in enumerate(pieces_of(sent, reads)):
        sight.see(Moment("upstream", "read", 0, 20 + at, piece))
    sight.is_live = False
    (exchange,) = parse_cassette(io.BytesIO(cassette_of(sight, "http://b"))).exchanges
    wire = b"".join([read.data for read in exchange.reads])
    assert [len(read.data) for read in exchange.reads] == [len(moment.data) for moment in sight.moments[1:]]
    body = unframer_of("chunked").feed(wire[len(head) :])
    assert body == TOLD.replace(KEY.replace(b"/", b"\\/"), b"*" * 19).replace(KEY, b"*" * 18)


@pytest.mark.parametrize(
    ("keys", "chunks", "extension", "shown"),
    [
        (
            [b"12345678", b"sk-12345678-secretsecret"],
            [b"key sk-12345678-secr", b"etsecret."],
            b"",
            b"key %b." % (b"*" * 24),
        ),
        ([b"abcdef0123456789"], [b"key:\r\nabcd", b"ef0123456789\r\n"], b"", b"key:\r\n%b\r\n" % (b"*" * 16)),
        ([b"0123456789abcdef"], [b"bad 0123", b"456789abcdef"], b";a=" + b"x" * 3000, b"bad " + b"*" * 16),
        ([b"KEYPARTC"], [b"KEYPART\r\nab", b"twelve bytes"], b"", b"KEYPART\r\nabtwelve bytes"),
        ([b"0123456789abcdef"], [b"0123", b"456789ab", b"cdef"], b"", b"*" * 16),
    ],
    ids=["one in another", "of hex digits", "long extension", "no key", "three chunks"],
)
def test_what_looks_like_framing_or_like_a_key_and_is_none(
    keys: list[bytes], chunks: list[bytes], extension: bytes, shown: bytes
) -> None:
    head = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    framed = b"".join(b"%x%b\r\n%b\r\n" % (len(data), extension, data) for data in chunks)
    wire = head + framed + b"0\r\nTold: %b\r\n\r\n" % keys[0]
    for size in (1, 7, len(wire)):
        reads = [wire[at : at + size] for at in range(0, len(wire), size)]
        found = hidden_pieces(reads, keys)
        assert [*map(len, found)] == [*map(len, reads)]
        whole = b"".join(found)
        unframer = unframer_of("chunked")
        assert unframer.feed(whole[len(head) :]) == shown
        assert unframer.trailers == [("Told", "*" * len(keys[0]))]


def test_a_response_that_is_cut_anywhere_has_its_length() -> None:
    wire = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n8\r\n01234567\r\n0\r\n\r\n"
    for end in range(len(wire)):
        (shown,) = hidden_pieces([wire[:end]], [b"abcde01234567"])
        assert len(shown) == end


async def test_the_gateways_own_key_for_the_upstream_is_not_in_the_marks() -> None:
    (listener,) = await open_listeners(0)
    url = f"http://127.0.0.1:{listener.port}"
    async with listener, watching(url=url, upstream_key=KEY.decode()) as stand:
        client = await stand.client()
        await client.send(asking("POST /api/chat", body=CHAT))
        server = Server(await listener.accept())
        await server.request()
        await server.send(HEAD + TOLD)
        await client.head()
        assert KEY not in (await client.rest())[0]
        rows = await stand.rows((await stand.sight()).record.number)
        marks = b"".join([b64decode(row["head"]) for row in rows if row["kind"] == "mark"])
        assert b"Incorrect API key: ****" in marks
        assert b"KEY123456" not in marks
        server.stream.abort()
