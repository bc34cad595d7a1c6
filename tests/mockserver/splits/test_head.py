"""The head of a response: how the end of the body is told, what becomes of the connection, what has no body.

The heads are written by hand, from RFC 9110 and RFC 9112.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from mockserver.response import Framing, Record, Response, Verbatim
from mockserver.script import Gate, Reset, Script, Write
from mockserver.splits import Cuts, script_of
from tests.mockserver.splits.split_wires import read_by_h11, wire_of

NATURAL = Cuts()


def head_of(script: Script) -> bytes:
    wire = wire_of(script.actions)
    assert wire.startswith(b"HTTP/1.1 200 OK\r\n")
    return wire.partition(b"\r\n\r\n")[0].partition(b"\r\n")[2]


@pytest.mark.parametrize(
    ("framing", "version", "wants", "headers", "keep_alive"),
    [
        ("chunked", "1.1", True, b"Transfer-Encoding: chunked", True),
        ("chunked", "1.1", False, b"Transfer-Encoding: chunked\r\nConnection: close", False),
        ("chunked", "1.0", True, b"Connection: close", False),
        ("chunked", "1.0", False, b"Connection: close", False),
        ("length", "1.1", True, b"Content-Length: 2", True),
        ("length", "1.1", False, b"Content-Length: 2\r\nConnection: close", False),
        ("length", "1.0", True, b"Content-Length: 2\r\nConnection: keep-alive", True),
        ("length", "1.0", False, b"Content-Length: 2\r\nConnection: close", False),
        ("close", "1.1", True, b"Connection: close", False),
    ],
)
def test_the_head_says_how_the_body_ends_and_what_becomes_of_the_connection(
    framing: Framing, version: str, wants: bool, headers: bytes, keep_alive: bool
) -> None:
    response = Response(steps=(Record(b"ab"),), framing=framing)
    script = script_of(response, NATURAL, 1, version=version, wants_keep_alive=wants)
    assert (head_of(script), script.keep_alive) == (headers, keep_alive)


def test_headers_keep_their_order_and_the_date_comes_in() -> None:
    response = Response(headers=(("x-b", "1"), ("X-A", "2")), steps=(Record(b"ab"),), framing="length", close=True)
    script = script_of(response, NATURAL, 1, date="Sat, 21 Nov 2026 00:00:00 GMT")
    assert head_of(script) == (
        b"x-b: 1\r\nX-A: 2\r\nDate: Sat, 21 Nov 2026 00:00:00 GMT\r\nContent-Length: 2\r\nConnection: close"
    )
    assert not script.keep_alive


def test_a_header_of_the_responses_own_is_not_put_right() -> None:
    own = (("content-length", "7"), ("DATE", "today"))
    script = script_of(Response(headers=own, steps=(Record(b"ab"),), framing="length"), NATURAL, 1, date="now")
    assert head_of(script) == b"content-length: 7\r\nDATE: today"


def test_http_1_0_gets_chunks_from_a_response_that_says_so_itself() -> None:
    response = Response(headers=(("Transfer-Encoding", "chunked"),), steps=(Record(b"ab"),))
    script = script_of(response, NATURAL, 1, version="1.0")
    assert wire_of(script.actions).endswith(b"\r\n\r\n2\r\nab\r\n0\r\n\r\n")
    assert head_of(script) == b"Transfer-Encoding: chunked\r\nConnection: keep-alive"


def test_http_1_0_gets_no_interim_response() -> None:
    script = script_of(Response(interim=((103, ()),)), NATURAL, 1, version="1.0")
    assert wire_of(script.actions).startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize(("error", "length"), [(3, b"5"), (-1, b"1"), (-9, b"0")])
def test_a_length_can_be_wrong_and_ends_the_connection(error: int, length: bytes) -> None:
    script = script_of(Response(steps=(Record(b"ab"),), framing="length", length_error=error), NATURAL, 1)
    assert wire_of(script.actions) == b"HTTP/1.1 200 OK\r\nContent-Length: " + length + b"\r\n\r\nab"
    assert not script.keep_alive


def test_the_length_is_promised_whatever_goes_wrong_later() -> None:
    steps = (Record(b"ab"), Verbatim(b"xyz"), Reset(), Record(b"cd"))
    script = script_of(Response(steps=steps, framing="length"), NATURAL, 1)
    assert wire_of(script.actions) == b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabxyz"
    assert not script.keep_alive


def test_trailers_come_after_the_last_chunk_and_only_there() -> None:
    response = Response(steps=(Record(b"ab"),), trailers=(("X-Sum", "1"), ("X-End", "2")))
    wire = wire_of(script_of(response, NATURAL, 1).actions)
    head, _, trailers = read_by_h11(wire, is_closed=False)
    assert (b"trailer", b"X-Sum, X-End") in list(head.headers)
    assert trailers == [(b"x-sum", b"1"), (b"x-end", b"2")]
    wire = wire_of(script_of(replace(response, framing="length"), NATURAL, 1).actions)
    assert wire == b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab"


@pytest.mark.parametrize("framing", ["chunked", "length"])
def test_a_head_request_gets_the_head_of_a_get_and_nothing_else(framing: Framing) -> None:
    response = Response(steps=(Record(b"ab", at_ns=5),), framing=framing)
    script = script_of(response, NATURAL, 1, head_only=True)
    whole = wire_of(script_of(response, NATURAL, 1).actions)
    assert list(script.actions) == [Write(whole.partition(b"\r\n\r\n")[0] + b"\r\n\r\n")]
    assert script.keep_alive


@pytest.mark.parametrize(("status", "reason"), [(204, b"No Content"), (304, b"Not Modified")])
def test_a_status_without_a_body_has_none_and_no_framing(status: int, reason: bytes) -> None:
    script = script_of(Response(status, steps=(Gate("g"), Record(b"ab"), Gate("h")), gzip=True), NATURAL, 1)
    assert list(script.actions) == [Write(b"HTTP/1.1 %d %b\r\n\r\n" % (status, reason)), Gate("g")]
    assert script.keep_alive
