"""What comes after a body: it is no part of it, whatever the framing and the cuts."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.response import Framing, Record, Response, Verbatim
from mockserver.script import Close, Gate, Stall, Write
from mockserver.splits import Cuts, script_of
from tests.mockserver.splits.split_wires import wire_of

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

NATURAL = Cuts()
AS_NATURAL = Cuts("coalesce:1", "coalesce:1", "coalesce:1")
"""Cuts exactly where no cuts are, the long way."""

TEXTS = ("", "coalesce:3", "random:1:9", "size:4", "every-byte")


@pytest.mark.parametrize("cut", [NATURAL, AS_NATURAL])
@pytest.mark.parametrize("framing", ["chunked", "length", "close"])
def test_after_the_body_things_happen_in_order_and_outside_of_its_length(cut: Cuts, framing: Framing) -> None:
    response = Response(
        steps=(Record(b"a", 1), Verbatim(b"x", in_chunks=True)),
        framing=framing,
        after_body=(Stall(9), Verbatim(b"junk"), Close(), Gate("g")),
    )
    script = script_of(response, cut, 1)
    ends = {"chunked": [Write(b"x", 1), Write(b"0\r\n\r\n", 1)], "length": [], "close": []}
    body = Write(b"1\r\na\r\n" if framing == "chunked" else b"a", 1)
    first, *rest = script.actions
    assert rest == [body, *ends[framing], Stall(9), Write(b"junk", 1), Close()]
    assert isinstance(first, Write)
    assert (b"Content-Length: 1\r\n" in first.data) == (framing == "length")
    assert not script.keep_alive


@pytest.mark.parametrize("cut", [NATURAL, AS_NATURAL])
def test_a_body_without_its_last_chunk(cut: Cuts) -> None:
    response = Response(steps=(Record(b"a", 1),), trailers=(("T", "v"),), last_chunk=False, after_body=(Close(),))
    assert list(script_of(response, cut, 1).actions)[1:] == [Write(b"1\r\na\r\n", 1), Close()]


@pytest.mark.parametrize("cut", [NATURAL, AS_NATURAL])
def test_what_comes_after_the_body_comes_where_there_is_none(cut: Cuts) -> None:
    response = Response(steps=(Gate("g"), Record(b"a", 1), Stall(1)), after_body=(Verbatim(b"junk"), Close()))
    script = script_of(response, cut, 1, head_only=True)
    assert list(script.actions) == [Write(HEAD), Gate("g"), Write(b"junk"), Close()]


@given(
    pieces=st.lists(st.binary(max_size=12), max_size=8),
    cuts=st.builds(Cuts, *[st.sampled_from(TEXTS)] * 3),
    framing=st.sampled_from(["chunked", "length", "close"]),
    version=st.sampled_from(["1.0", "1.1"]),
)
def test_a_compressed_body_is_whole_before_what_comes_after_it(
    pieces: list[bytes], cuts: Cuts, framing: Framing, version: str
) -> None:
    plain = Response(steps=[Record(piece) for piece in pieces], framing=framing, gzip=True)
    more = replace(plain, after_body=(Stall(1), Verbatim(b"junk"), Close()))
    wires = [wire_of(script_of(each, cuts, 1, version=version).actions) for each in (plain, more)]
    assert wires[0] + b"junk" == wires[1]
