"""Bodies out of their framing: by hand, by law, and against h11 as the referee."""

from __future__ import annotations

import re
import time
from itertools import pairwise

import h11
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streamkit.http.unframe import MAX_TRAILER_BYTES, NO_TRAILERS, Unframer, unframer_of

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

Seen = tuple[bytes, bool, str, bytes, list[tuple[str, str]]]


def pieces_of(data: bytes, cuts: list[int]) -> list[bytes]:
    """`data`, cut at these places, which may be the same ones: then there are empty pieces."""
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in pairwise(places)]


def read_by(unframer: Unframer, pieces: list[bytes]) -> Seen:
    payload = b"".join([unframer.feed(piece) for piece in pieces])
    return payload, unframer.is_complete, unframer.problem, unframer.excess, unframer.trailers


def read(data: bytes, body: int | str = "chunked") -> Seen:
    return read_by(unframer_of(body), [data])  # type: ignore[arg-type]  # a text of two


CUTS = st.lists(st.integers(0, 10_000), max_size=8)

# --------------------------------------------------------------------------------------------------------- well-formed

EXTENSIONS = st.sampled_from([b"", b";a", b";a=b", b';a="b c"', b"; a = b;c", b";a\xff", b" ", b"\t"])
ZEROS = st.sampled_from([b"", b"0", b"000"])
FIELDS = st.tuples(st.sampled_from(["X", "x-Sum", "Server-Timing"]), st.sampled_from(["", "a", "a b", "\xe4"]))

Spans = list[tuple[bytes, bool]]
"""The bytes of a body, and which of them are payload."""


@st.composite
def chunked_bodies(draw: st.DrawFn) -> tuple[Spans, list[tuple[str, str]]]:
    spans: Spans = []
    for data in draw(st.lists(st.binary(min_size=1, max_size=40), max_size=6)):
        size = draw(ZEROS) + draw(st.sampled_from([b"%x", b"%X"])) % len(data)
        spans += [(size + draw(EXTENSIONS) + b"\r\n", False), (data, True), (b"\r\n", False)]
    trailers = draw(st.lists(FIELDS, max_size=3))
    section = "".join(f"{name}: {value}\r\n" for name, value in trailers).encode("latin-1")
    spans.append((draw(ZEROS) + b"0" + draw(EXTENSIONS) + b"\r\n" + section + b"\r\n", False))
    return spans, trailers


@given(chunked_bodies(), CUTS, st.sampled_from([b"", b"HTTP/1.1 200 OK\r\n", b"\n"]))
def test_payload_comes_out_of_the_very_feed_that_brings_it(
    body: tuple[Spans, list[tuple[str, str]]], cuts: list[int], behind: bytes
) -> None:
    spans, trailers = body
    wire = b"".join(data for data, _ in spans)
    is_payload = [flag for data, flag in spans for _ in data] + [False] * len(behind)
    unframer = unframer_of("chunked")
    at = 0
    for piece in pieces_of(wire + behind, cuts):
        end = at + len(piece)
        assert unframer.feed(piece) == bytes((wire + behind)[place] for place in range(at, end) if is_payload[place])
        assert unframer.is_complete is (end >= len(wire))
        at = end
    assert (unframer.problem, unframer.excess, unframer.trailers) == ("", behind, trailers)


@given(st.binary(max_size=60), st.integers(0, 60), CUTS)
def test_a_counted_body_ends_with_its_count(data: bytes, length: int, cuts: list[int]) -> None:
    unframer = unframer_of(length)
    seen = 0
    for piece in pieces_of(data, cuts):
        assert unframer.feed(piece) == piece[: max(0, length - seen)]
        seen += len(piece)
        assert unframer.is_complete is (seen >= length)
    unframer.finish()
    left = length - len(data)
    assert unframer.problem == (f"the body ended {left} bytes before its announced end" if left > 0 else "")
    assert unframer.excess == data[length:]


@given(st.binary(max_size=60), CUTS)
def test_a_body_without_framing_ends_with_the_input(data: bytes, cuts: list[int]) -> None:
    unframer = unframer_of("close")
    assert read_by(unframer, pieces_of(data, cuts)) == (data, False, "", b"", [])
    unframer.finish()
    assert (unframer.is_complete, unframer.problem) == (True, "")


@pytest.mark.parametrize("size", range(18))
def test_an_end_inside_a_chunked_body_is_a_problem(size: int) -> None:
    unframer = unframer_of("chunked")
    unframer.feed(b"3\r\nabc\r\n0\r\nA: b\r\n\r\n"[:size])
    unframer.finish()
    assert not unframer.is_complete
    where = "its last chunk" if size < 11 else "the end of its trailers"
    assert unframer.problem == f"the body ended before {where}"


# ----------------------------------------------------------------------------------------------------------- malformed

GOOD = b"3\r\nabc\r\n"
SIZE = "no hexadecimal number"
LENGTH = "longer or shorter"
SMUGGLING = {
    "sign": (b"+5\r\nhello\r\n", SIZE),
    "minus": (b"-5\r\nhello\r\n", SIZE),
    "0x": (b"0x5\r\nhello\r\n", SIZE),
    "underscore": (b"1_0\r\n0123456789abcdef\r\n", SIZE),
    "space before": (b" 5\r\nhello\r\n", SIZE),
    "space inside": (b"1 0\r\n", SIZE),
    "vertical tab behind": (b"5\x0b\r\nhello\r\n", SIZE),
    "empty": (b"\r\nhello", SIZE),
    "extension alone": (b";a\r\n", SIZE),
    "digits of another script": (b"\xb2\r\nab\r\n", SIZE),
    "16 digits": (b"0000000000000005\r\nhello\r\n", SIZE),
    "17 digits": (b"10000000000000005\r\nhello\r\n", SIZE),
    "bare LF behind the size": (b"5\nhello\r\n", SIZE),
    "bare CR behind the size": (b"5\rhello\r\n", SIZE),
    "bare LF in an extension": (b"5;a\nhello\r\n", SIZE),
    "bare CR in an extension": (b"5;a\rb\r\nhello\r\n", SIZE),
    "two CRs": (b"5\r\r\nhello\r\n", SIZE),
    "NUL in an extension": (b"5;\0\r\nhello\r\n", SIZE),
    "comma for a semicolon": (b"5,a\r\nhello\r\n", SIZE),
    "chunk longer than its size": (b"4\r\nhello\r\n", LENGTH),
    "chunk shorter than its size": (b"6\r\nhello\r\n0\r\n\r\n", LENGTH),
    "no CRLF behind a chunk": (b"5\r\nhello0\r\n\r\n", LENGTH),
    "bare LF behind a chunk": (b"5\r\nhello\n0\r\n\r\n", LENGTH),
    "bare CR behind a chunk": (b"5\r\nhello\r0\r\n\r\n", LENGTH),
    "long line": (b"5;" + b"a" * 4096 + b"\r\nhello\r\n", "longer than 4096"),
    "long line without end": (b"5;" + b"a" * 5000, "longer than 4096"),
    "folded trailer": (b"0\r\nA: b\r\n c\r\n\r\n", "folded"),
    "folded first trailer": (b"0\r\n A: b\r\n\r\n", "folded"),
    "bare LF behind a trailer": (b"0\r\nA: b\nC: d\r\n\r\n", "LF"),
    "bare LF for the blank line": (b"0\r\nA: b\r\n\n", "LF"),
    "bare LFs": (b"0\r\n\n", "LF"),
    "bare CR in a trailer": (b"0\r\nA: b\rC: d\r\n\r\n", "CR"),
    "trailer without colon": (b"0\r\nGET / HTTP/1.1\r\n\r\n", "characters|colon"),
    "space before the colon": (b"0\r\nTransfer-Encoding : chunked\r\n\r\n", "white space"),
    "NUL in a trailer": (b"0\r\nA: \0\r\n\r\n", "control character"),
    "huge trailers": (b"0\r\n" + b"A: b\r\n" * 3000 + b"\r\n", "longer than the limit of 16384"),
    "huge trailer": (b"0\r\nA: " + b"b" * 17_000, "longer than the limit of 16384"),
}


@pytest.mark.parametrize(("wire", "problem"), SMUGGLING.values(), ids=SMUGGLING)
@pytest.mark.parametrize("step", [1, 7, 10**6])
def test_what_readers_could_take_in_two_ways_is_refused(wire: bytes, problem: str, step: int) -> None:
    wire = GOOD + wire
    unframer = unframer_of("chunked")
    payload, is_complete, found, excess, _ = read_by(
        unframer, [wire[at : at + step] for at in range(0, len(wire), step)]
    )
    assert re.search(problem, found)
    assert (payload[:3], is_complete, excess) == (b"abc", False, b"")
    assert payload in {b"abc", b"abchello", b"abchell", b"abchello\r"}
    assert unframer.feed(GOOD) == unframer.feed(GOOD + b"0\r\n\r\n") == b""
    unframer.finish()
    assert (unframer.problem, unframer.is_complete) == (found, False)


def test_limits_are_exact() -> None:
    line = b"5;" + b"a" * 4092 + b"\r\n"
    assert read(line + b"hello\r\n")[:3] == (b"hello", False, "")
    assert "4096" in read(b"0" + line + b"hello\r\n")[2]
    section = b"A: " + b"b" * (MAX_TRAILER_BYTES - 7) + b"\r\n\r\n"
    assert len(section) == MAX_TRAILER_BYTES
    assert read(b"0\r\n" + section)[1]
    assert not read(b"0\r\nb" + section)[1]


FRAGMENTS = st.one_of(
    st.sampled_from(
        [
            *(b"5\r\nhello\r\n", b"5;x=y\r\nhello\r\n", b"5 \r\nhello\r\n", b"3\r\nabc", b"0\r\n\r\n", b"0\r\n"),
            *(b"0\r\nA: b\r\n\r\n", b"A: b\r\n", b" c\r\n", b"\r\n", b"\n", b"\r", b"5", b";", b" ", b"a=b", b"A"),
            *(b"+5\r\n", b"0x5\r\n", b"1_0\r\n", b"00000000000000", b"hello", b":", b"\t", b"\xff", b"\0"),
            *(b"5;" + b"a" * 4090, b"Content-Length: 5\r\n", b"0\r\nA: " + b"b" * 16_376),
        ]
    ),
    st.binary(max_size=5),
)
WIRES = st.lists(FRAGMENTS, max_size=7).map(b"".join)


@example(b"15\r\nhello\r\n" + b"a" * 14 + b"\r\n0\r\n\r\n", [1, 11])  # a read that looks like a whole chunk
@example(b"5;" + b"a" * 4090 + b"aaaa\r\nhello\r\n", [1])
@example(b"zz" + b"a" * 5000, [1])
@example(b"0\r\nA: b\nC: d\r\n\r\n", [8])
@given(WIRES, CUTS)
def test_how_a_body_is_cut_changes_nothing(wire: bytes, cuts: list[int]) -> None:
    whole, cut = unframer_of("chunked"), unframer_of("chunked")
    assert read_by(cut, pieces_of(wire, cuts)) == read_by(whole, [wire])
    whole.finish()
    cut.finish()
    assert cut.problem == whole.problem


def by_h11(wire: bytes) -> tuple[bytes, bool, bytes, list[tuple[str, str]]]:
    """What h11 reads in a chunked body, or raises."""
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=10**6)
    connection.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(HEAD + wire)
    connection.next_event()
    payload = b""
    while True:
        event = connection.next_event()
        if isinstance(event, h11.Data):
            payload += event.data
        elif isinstance(event, h11.EndOfMessage):
            trailers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in event.headers.raw_items()]
            return payload, True, connection.trailing_data[0], trailers
        else:
            assert event is h11.NEED_DATA
            return payload, False, b"", []


@example(b"5\r\nhello\r\n0\r\nA: b\r\n\r\n\r\nGET")
@example(b"5;" + b"a" * 4090 + b"\r\nhello\r\n0\r\n\r\n")
@given(st.one_of(WIRES, chunked_bodies().map(lambda body: b"".join(data for data, _ in body[0]))))
def test_what_is_accepted_is_what_h11_reads(wire: bytes) -> None:
    """What h11 refuses is refused here, and what both read is the same.

    We are stricter about sizes of more than 15 digits; CR, NUL and other control characters in an
    extension; lines beyond 4 KiB; trailers that are folded, end with LF or have white space before their colon; and
    trailers that may not be any (section 6.5.1 of RFC 9110), which h11 refuses or keeps and we drop. More forgiving is
    one thing, which RFC 9112 section 7.1.1 demands: white space before the semicolon of an extension.
    """
    ours, is_complete, problem, excess, trailers = read(wire)
    if problem or b" ;" in wire or b"\t;" in wire:
        return
    try:
        theirs, theirs_is_complete, theirs_excess, theirs_trailers = by_h11(wire)
    except h11.RemoteProtocolError:
        assert any(name in wire.lower() for name in (b"content-length", b"transfer-encoding"))  # dropped, not read
        return
    assert (ours, is_complete, excess) == (theirs, theirs_is_complete, theirs_excess)
    if is_complete:
        assert trailers == [field for field in theirs_trailers if field[0].lower() not in NO_TRAILERS]


@pytest.mark.parametrize("name", ["Content-Length", "transfer-encoding", "HOST", "Connection", "Authorization"])
def test_trailers_that_may_be_none_are_dropped(name: str) -> None:
    wire = f"0\r\nA: 1\r\n{name}: chunked\r\na: 2\r\n\r\n".encode()
    assert read(wire) == (b"", True, "", b"", [("A", "1"), ("a", "2")])


@pytest.mark.parametrize(
    "wire",
    [
        b"100000\r\n" + bytes(2**20) + b"\r\n0\r\n\r\n",
        (b"1;" + b"x" * 4000 + b"\r\na\r\n") * 16 + b"0\r\n\r\n",
        b"0\r\nA: " + b"b" * 16_000 + b"\r\n\r\n",
        b"0\r\n" + b"A: b\r\n" * 2700 + b"\r\n",
    ],
    ids=["a chunk of 1 MiB", "long extensions", "a long trailer", "many trailers"],
)
def test_byte_by_byte_costs_linear_time(wire: bytes) -> None:
    """A copy of what is held for each byte would take a minute for the first of these."""
    began = time.perf_counter()
    assert read_by(unframer_of("chunked"), [wire[at : at + 1] for at in range(len(wire))])[1:3] == (True, "")
    assert time.perf_counter() - began < 15
