"""What a head says, and which heads are refused: by hand, and against h11 as the referee."""

from __future__ import annotations

import time

import h11
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streamkit.http.head import (
    BadHead,
    find_end,
    is_response_start,
    read_fields,
    read_request,
    read_response,
    split_target,
)


def request(*lines: str, line: str = "GET / HTTP/1.1") -> bytes:
    return "\r\n".join([line, *lines, "", ""]).encode("latin-1")


def test_a_request_is_read_as_it_came() -> None:
    head = read_request(request("Host: a:1", "x-A:b", "X-a: \t c d \t", "Empty:", line="POST /p%20q?r=s HTTP/1.1"))
    assert (head.method, head.target, head.version) == ("POST", "/p%20q?r=s", "1.1")
    assert head.headers == [("Host", "a:1"), ("x-A", "b"), ("X-a", "c d"), ("Empty", "")]
    assert head.body == 0
    assert head.keep_alive


@pytest.mark.parametrize(
    ("line", "headers", "keep_alive"),
    [
        ("GET / HTTP/1.1", (), True),
        ("GET / HTTP/1.1", ("Connection: close",), False),
        ("GET / HTTP/1.1", ("Connection: Upgrade, Close",), False),
        ("GET / HTTP/1.1", ("Connection: upgrade", "Connection: CLOSE"), False),
        ("GET / HTTP/1.0", (), False),
        ("GET / HTTP/1.0", ("Connection: Keep-Alive",), True),
    ],
)
def test_who_wants_the_connection_kept(line: str, headers: tuple[str, ...], keep_alive: bool) -> None:
    assert read_request(request("Host: a", *headers, line=line)).keep_alive is keep_alive


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ((), 0),
        (("Content-Length: 0",), 0),
        (("content-length: 12",), 12),
        (("Content-Length: 12", "Content-Length: 12"), 12),
        (("Content-Length: 12, 12",), 12),
        (("Transfer-Encoding: Chunked",), "chunked"),
    ],
)
def test_where_the_body_ends(headers: tuple[str, ...], body: object) -> None:
    assert read_request(request("Host: a", *headers)).body == body


REFUSED = {
    "both lengths": (400, request("Host: a", "Content-Length: 1", "Transfer-Encoding: chunked")),
    "lengths differ": (400, request("Host: a", "Content-Length: 1", "Content-Length: 2")),
    "lengths differ in a list": (400, request("Host: a", "Content-Length: 1, 2")),
    "length signed": (400, request("Host: a", "Content-Length: +1")),
    "length empty": (400, request("Host: a", "Content-Length:")),
    "length endless": (400, request("Host: a", "Content-Length: " + "9" * 5000)),
    "length in digits of another script": (400, request("Host: a", "Content-Length: \xb2")),
    "chunked in 1.0": (400, request("Host: a", "Transfer-Encoding: chunked", line="POST / HTTP/1.0")),
    "chunked not last": (400, request("Host: a", "Transfer-Encoding: chunked, gzip")),
    "chunked twice": (400, request("Host: a", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked")),
    "identity": (400, request("Host: a", "Transfer-Encoding: identity")),
    "gzip then chunked": (501, request("Host: a", "Transfer-Encoding: gzip, chunked")),
    "folded": (400, request("Host: a", "X: b", " c")),
    "folded at once": (400, request(" Host: a")),
    "space before colon": (400, request("Host: a", "X : b")),
    "space in name": (400, request("Host: a", "X y: b")),
    "no name": (400, request("Host: a", ": b")),
    "no colon": (400, request("Host: a", "b")),
    "bare LF": (400, b"GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n"),
    "bare CR": (400, b"GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n"),
    "NUL": (400, request("Host: a", "X: \0")),
    "control character": (400, request("Host: a", "X: a\x7fb")),
    "no Host": (400, request()),
    "two Hosts": (400, request("Host: a", "host: a")),
    "two Hosts in 1.0": (400, request("Host: a", "host: a", line="GET / HTTP/1.0")),
    "Host with a path": (400, request("Host: a/b")),
    "Host with a space": (400, request("Host: a b")),
    "no version": (400, request("Host: a", line="GET /")),
    "two spaces": (400, request("Host: a", line="GET  / HTTP/1.1")),
    "space in the target": (400, request("Host: a", line="GET /a b HTTP/1.1")),
    "tab": (400, request("Host: a", line="GET\t/ HTTP/1.1")),
    "letters outside of ASCII": (400, request("Host: a", line="GET /\xe4 HTTP/1.1")),
    "target is nothing": (400, request("Host: a", line="GET index.html HTTP/1.1")),
    "star": (400, request("Host: a", line="GET * HTTP/1.1")),
    "CONNECT to a path": (400, request("Host: a", line="CONNECT /a HTTP/1.1")),
    "small http": (400, request("Host: a", line="GET / http/1.1")),
    "HTTP/2": (505, request("Host: a", line="PRI * HTTP/2.0")),
    "expectation": (417, request("Host: a", "Expect: a miracle")),
}


@pytest.mark.parametrize(("status", "head"), REFUSED.values(), ids=REFUSED)
def test_an_ambiguous_head_is_refused(status: int, head: bytes) -> None:
    with pytest.raises(BadHead) as caught:
        read_request(head)
    assert caught.value.status == status
    assert caught.value.reason.isprintable()


@pytest.mark.parametrize(
    ("line", "path", "query"),
    [
        ("GET / HTTP/1.1", "/", ""),
        ("GET /a%2Fb?c=%20&d HTTP/1.1", "/a/b", "c=%20&d"),
        ("GET /%C3%A4?? HTTP/1.1", "/\xe4", "?"),
        ("GET http://h:1/a?b HTTP/1.1", "/a", "b"),
        ("GET http://h?b HTTP/1.1", "/", "b"),
        ("GET http://h HTTP/1.1", "/", ""),
        ("GET //h/a HTTP/1.1", "//h/a", ""),
        ("OPTIONS * HTTP/1.1", "*", ""),
        ("CONNECT h:443 HTTP/1.1", "h:443", ""),
    ],
)
def test_every_form_of_target_has_its_path(line: str, path: str, query: str) -> None:
    assert split_target(read_request(request("Host: a", line=line)).target) == (path, query)


def test_an_expectation_needs_a_body_and_http_1_1() -> None:
    assert read_request(request("Host: a", "Expect: 100-Continue", "Content-Length: 1")).expects_continue
    assert not read_request(request("Host: a", "Expect: 100-continue")).expects_continue
    old = request("Host: a", "Expect: 100-continue", "Content-Length: 1", line="POST / HTTP/1.0")
    assert not read_request(old).expects_continue


def test_the_end_of_a_head_is_found_wherever_it_is_cut() -> None:
    head = request("Host: a")
    for cut in range(len(head)):
        assert find_end(head[:cut]) == -1
        assert find_end(head + b"\n rest", cut) == len(head)


def test_a_head_with_bare_lf_is_not_waited_for() -> None:
    with pytest.raises(BadHead, match="LF"):
        find_end(b"GET / HTTP/1.1\n")
    assert find_end(b"GET / HTTP/1.1\r") == -1
    with pytest.raises(BadHead, match="LF"):
        find_end(b"GET / HTTP/1.1\r\nHost: a\n", 16)
    assert find_end(request("Host: a") + b"a\nb") == len(request("Host: a"))


@pytest.mark.parametrize("value", ["a " * 30_000 + "\0", "a" * 60_000 + "\0", " \t" * 30_000 + "\0", "\0" * 60_000])
def test_a_bad_value_costs_linear_time(value: str) -> None:
    began = time.perf_counter()
    with pytest.raises(BadHead):
        read_request(request("Host: a", f"X: {value}"))
    assert time.perf_counter() - began < 0.5


NAMES = st.sampled_from(
    ["Host", "host", "Content-Length", "Transfer-Encoding", "Connection", "Expect", "X", "X y", "", "X\xe4", "A-b"]
)
VALUES = st.one_of(
    st.sampled_from(["a", "1", "2", "+1", "0", "chunked", "gzip, chunked", "close", "100-continue", "", "a b", "a\tb"]),
    st.text(st.characters(max_codepoint=255), max_size=6),
)
LINES = st.sampled_from(
    [
        "GET / HTTP/1.1",
        "POST /a?b HTTP/1.0",
        "OPTIONS * HTTP/1.1",
        "G\xe4 / HTTP/1.1",
        "GET / HTTP/1.12",
        "GET /\x7f HTTP/1.1",
    ]
)


@example("GET / HTTP/1.1", [("Content-Length", ":", "1"), ("Content-Length", ":", "1")])
@given(LINES, st.lists(st.tuples(NAMES, st.sampled_from([":", ": ", " :", ":\t"]), VALUES), max_size=4))
def test_what_is_accepted_is_what_h11_reads(line: str, fields: list[tuple[str, str, str]]) -> None:
    """h11 is more forgiving: what is read here it reads too, and reads the same in it."""
    head = request("Host: a", *("".join(field) for field in fields), line=line)
    try:
        if find_end(head) != len(head):
            return
        ours = read_request(head)
    except BadHead:
        return
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(head)
    theirs = connection.next_event()
    assert isinstance(theirs, h11.Request)
    assert (ours.method.encode(), ours.target.encode()) == (theirs.method, theirs.target)
    read = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in ours.headers]
    lengths = [field for field in read if field[0].lower() == b"content-length"]
    for repeated in lengths[1:]:  # with the same value, or it was refused; h11 makes one of them
        read.remove(repeated)
    assert sorted(read) == sorted(theirs.headers.raw_items())
    body = connection.next_event()
    assert (body is h11.NEED_DATA) == (ours.body != 0)


# ---------------------------------------------------------------------------------------------------------- responses


@pytest.mark.parametrize(
    ("head", "method", "body", "keep_alive"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "GET", 5, True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "HEAD", 0, True),
        (b"HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n", "GET", "chunked", False),
        (b"HTTP/1.1 200 OK\r\n\r\n", "GET", "close", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", "GET", 5, False),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", "GET", 0, True),
        (b"HTTP/1.1 100 Continue\r\n\r\n", "GET", 0, True),
    ],
)
def test_a_response_head(head: bytes, method: str, body: object, keep_alive: bool) -> None:
    read = read_response(head, method=method)
    assert (read.body, read.status) == (body, int(head[9:12]))
    if read.status >= 200:
        assert read.keep_alive is (keep_alive)


@pytest.mark.parametrize(
    ("line", "method", "body"),
    [
        (b"HTTP/1.1 101 Switching Protocols", "GET", "close"),
        (b"HTTP/1.1 200 OK", "CONNECT", "close"),
        (b"HTTP/1.1 407 Proxy Authentication Required", "CONNECT", 5),
    ],
)
def test_where_another_protocol_begins_no_length_counts(line: bytes, method: str, body: object) -> None:
    read = read_response(line + b"\r\nContent-Length: 5\r\n\r\n", method=method)
    assert (read.body, read.keep_alive) == (body, body == 5)


def test_what_is_no_response_shows_with_its_first_bytes() -> None:
    line = b"HTTP/1.1 200 OK\r\n"
    assert all(is_response_start(line[:size]) for size in range(len(line) + 1))
    for wire in (b"\x16", b"SSH-2.0", b"HTTQ", b"http/1.1", b"\r\n", b" HTTP/1.1"):
        assert not is_response_start(wire)


def test_fields_are_read_up_to_the_blank_line() -> None:
    assert read_fields("A: b\r\nC:\r\n\r\n") == [("A", "b"), ("C", "")]
    assert read_fields("HTTP/1.1 200 OK\r\nA: b\r\n\r\n", 17) == [("A", "b")]
    with pytest.raises(BadHead, match="folded"):
        read_fields("A: b\r\n c\r\n\r\n")


@pytest.mark.parametrize(
    "head",
    [
        b"ICY 200 OK\r\n\r\n",
        b"HTTP/2.0 200 OK\r\n\r\n",
        b"HTTP/1.1 99 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n",
    ],
)
def test_a_bad_response_head_is_the_upstreams_fault(head: bytes) -> None:
    with pytest.raises(BadHead) as caught:
        read_response(head)
    assert caught.value.status == 502
