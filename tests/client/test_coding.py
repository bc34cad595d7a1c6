from __future__ import annotations

import gzip
import zlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamkit.client.coding import PIECE_BYTES, coding_of
from streamkit.errors import DecodeError, ProtocolError, TruncatedError

TEXT = b"Why is the sky blue? " * 40


def raw_deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(data) + compressor.flush()


CODED = {
    "": TEXT,
    "identity": TEXT,
    "gzip": gzip.compress(TEXT),
    "X-GZip": gzip.compress(TEXT[:100]) + gzip.compress(TEXT[100:]),
    "deflate": zlib.compress(TEXT),
    " deflate ": raw_deflate(TEXT),
}


@pytest.mark.parametrize(("name", "coded"), CODED.items(), ids=map(repr, CODED))
@given(cuts=st.lists(st.integers(0, 2000), max_size=6))
def test_every_coding_is_undone_wherever_it_is_cut(name: str, coded: bytes, cuts: list[int]) -> None:
    coding = coding_of(name)
    places = [0, *sorted(cuts), len(coded)]
    assert b"".join(b"".join(coding.feed(coded[start:end])) for start, end in pairwise(places)) == TEXT
    coding.finish()


def test_what_is_flushed_comes_out_at_once() -> None:
    compressor = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
    coding = coding_of("gzip")
    for text in (b"Hel", b"lo", b", world"):
        piece = compressor.compress(text) + compressor.flush(zlib.Z_SYNC_FLUSH)
        assert b"".join(coding.feed(piece)) == text
    assert b"".join(coding.feed(compressor.flush())) == b""
    coding.finish()


def test_a_bomb_comes_out_in_pieces_that_one_can_stop_at() -> None:
    bomb = gzip.compress(bytes(PIECE_BYTES * 3 + 5))
    pieces = coding_of("gzip").feed(bomb)
    assert [len(piece) for piece in pieces] == [PIECE_BYTES, PIECE_BYTES, PIECE_BYTES, 5]


@pytest.mark.parametrize("size", [PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 2 * PIECE_BYTES])
def test_a_piece_as_long_as_the_limit_loses_nothing(size: int) -> None:
    coding = coding_of("gzip")
    assert sum(map(len, coding.feed(gzip.compress(bytes(size))))) == size
    coding.finish()


@pytest.mark.parametrize("kept", [1, 5, 12, -1])
def test_a_body_that_ends_inside_its_coding_is_truncated(kept: int) -> None:
    coding = coding_of("gzip")
    list(coding.feed(gzip.compress(TEXT)[:kept]))
    with pytest.raises(TruncatedError, match="inside its gzip"):
        coding.finish()


@pytest.mark.parametrize("name", ["", "gzip", "deflate"])
def test_no_body_is_no_truncated_body(name: str) -> None:
    coding = coding_of(name)
    assert b"".join(coding.feed(b"")) == b""
    coding.finish()


def test_what_is_not_in_its_coding_is_an_error_after_what_was() -> None:
    coding = coding_of("gzip")
    good = gzip.compress(TEXT)
    assert b"".join(coding.feed(good)) == TEXT
    with pytest.raises(DecodeError, match="this is not gzip") as caught:
        list(coding.feed(b"data: {}\n\n"))
    assert caught.value.offset == len(good)
    assert caught.value.code == "bad-coding"


@pytest.mark.parametrize("name", ["br", "zstd", "gzip, gzip"])
def test_a_coding_that_nobody_asked_for_and_nobody_knows_is_refused(name: str) -> None:
    with pytest.raises(ProtocolError, match="although none was asked for"):
        coding_of(name)
