"""What a recorder understands of a response: its end at the right byte however it is cut, and no cookie in sight."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.recording.reading import CookieMask, ResponseReader

LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
UNTIL_CLOSE = b"HTTP/1.1 200 OK\r\n\r\nhello"
INTERIM = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"

ENDS = {
    "length": ("GET", LENGTH, True),
    "chunked": ("POST", CHUNKED, True),
    "after 103": ("POST", INTERIM + INTERIM + CHUNKED, True),
    "head": ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", True),
    "204": ("POST", b"HTTP/1.1 204 No Content\r\n\r\n", True),
    "304": ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", True),
    "trailers": ("POST", CHUNKED[:-2] + b"X-Time: 1\r\n\r\n", True),
    "close": ("POST", LENGTH.replace(b"\r\n", b"\r\nConnection: close\r\n", 1), False),
    "1.0": ("POST", LENGTH.replace(b"1.1", b"1.0"), False),
}


def read(wire: list[bytes], method: str = "GET", *, fin: bool = False) -> ResponseReader:
    reader = ResponseReader(method)
    for piece in wire:
        reader.feed(piece)
    if fin:
        reader.finish()
    return reader


@pytest.mark.parametrize(("method", "wire", "keep_alive"), ENDS.values(), ids=ENDS)
def test_a_response_is_complete_with_its_last_byte_and_not_before(method: str, wire: bytes, keep_alive: bool) -> None:
    reader = ResponseReader(method)
    for at in range(len(wire)):
        assert not reader.is_complete, wire[:at]
        assert not reader.keep_alive
        reader.feed(wire[at : at + 1])
    assert reader.is_complete
    assert reader.keep_alive is keep_alive
    assert (reader.problem, reader.extra_bytes) == ("", 0)
    assert read([wire], method).is_complete


def test_a_response_without_any_framing_ends_with_the_connection() -> None:
    assert not read([UNTIL_CLOSE]).is_complete
    reader = read([UNTIL_CLOSE], fin=True)
    assert reader.is_complete
    assert not reader.keep_alive


@pytest.mark.parametrize("wire", [LENGTH[:-1], CHUNKED[:-1], CHUNKED[:-5], LENGTH[:20], INTERIM, b""])
def test_a_fin_before_the_end_completes_nothing(wire: bytes) -> None:
    reader = read([wire], fin=True)
    assert not reader.is_complete
    assert reader.problem


@pytest.mark.parametrize("wire", [b"SSH-2.0-OpenSSH_9\r\n", CHUNKED.replace(b"5\r\n", b"zz\r\n"), b"\x00" * 3_000_000])
def test_what_is_no_http_has_no_end_and_raises_nothing(wire: bytes) -> None:
    reader = read([wire, wire], fin=True)
    assert not reader.is_complete
    assert reader.problem


def test_bytes_behind_the_end_are_counted_and_end_the_connection() -> None:
    for reader in (read([LENGTH + b"junk"]), read([LENGTH, b"ju", b"nk"])):
        assert reader.is_complete
        assert reader.extra_bytes == 4
        assert not reader.keep_alive


# -------------------------------------------------------------------------------------------------------------- cookies

HEADS = {
    b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b; Path=/\r\nServer: c\r\n\r\nSet-Cookie: d\r\n": (
        b"HTTP/1.1 200 OK\r\nSet-Cookie: **** ******\r\nServer: c\r\n\r\nSet-Cookie: d\r\n"
    ),
    b"HTTP/1.1 200 OK\nset-cookie:ab\nSET-COOKIE :  cd\nX-Set-Cookie: e\nSet-Cookie2: f\n\n": (
        b"HTTP/1.1 200 OK\nset-cookie:**\nSET-COOKIE :  **\nX-Set-Cookie: e\nSet-Cookie2: *\n\n"
    ),
    b"HTTP/1.1 200 OK\r\nSet-Cookie: a=\r\n b: \xff\r\n\tc\r\nA: b\r\n c\r\nA: d\r\n\r\n": (
        b"HTTP/1.1 200 OK\r\nSet-Cookie: **\r\n ** *\r\n\t*\r\nA: b\r\n c\r\nA: d\r\n\r\n"
    ),
    b"HTTP/1.1 103 Early\r\nSet-Cookie: a\r\n\r\nHTTP/1.1 200 OK\r\nSet-Cookie: b\r\n\r\nSet-Cookie: c\r\n\r\n": (
        b"HTTP/1.1 103 Early\r\nSet-Cookie: *\r\n\r\nHTTP/1.1 200 OK\r\nSet-Cookie: *\r\n\r\nSet-Cookie: c\r\n\r\n"
    ),
    b"HTTP/1.1 101 Switching\r\n\r\nHTTP/1.1 200 OK\r\nSet-Cookie: a\r\n": (
        b"HTTP/1.1 101 Switching\r\n\r\nHTTP/1.1 200 OK\r\nSet-Cookie: a\r\n"
    ),
    b"\r\n\r\nHTTP/1.1 200 a: b\r\n" + b"X" * 100 + b": Set-Cookie: a\r\nSet-Cookie\r\nSet-Cookie: b\r\n": (
        b"\r\n\r\nHTTP/1.1 200 a: b\r\n" + b"X" * 100 + b": Set-Cookie: a\r\nSet-Cookie\r\nSet-Cookie: *\r\n"
    ),
}


@pytest.mark.parametrize(("wire", "shown"), HEADS.items())
def test_cookies_become_asterisks_in_place(wire: bytes, shown: bytes) -> None:
    assert CookieMask().feed(wire) == shown


@given(st.sampled_from(sorted(HEADS)), st.lists(st.integers(0, 120), max_size=8))
def test_cuts_make_no_difference_to_the_mask(wire: bytes, cuts: list[int]) -> None:
    mask = CookieMask()
    edges = [0, *sorted(min(cut, len(wire)) for cut in cuts), len(wire)]
    pieces = [wire[start:end] for start, end in pairwise(edges)]
    shown = [mask.feed(piece) for piece in pieces]
    assert b"".join(shown) == HEADS[wire]
    assert [len(piece) for piece in shown] == [len(piece) for piece in pieces]


@pytest.mark.parametrize("wire", HEADS)
def test_byte_by_byte_makes_no_difference_to_the_mask(wire: bytes) -> None:
    mask = CookieMask()
    assert b"".join(mask.feed(bytes([byte])) for byte in wire) == HEADS[wire]


@given(st.binary(max_size=100))
def test_the_mask_changes_no_length(data: bytes) -> None:
    assert len(CookieMask().feed(b"HTTP/1.1 200 OK\r\n" + data)) == 17 + len(data)
