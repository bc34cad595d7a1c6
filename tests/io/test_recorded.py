"""The body of a recorded response, with the times of its reads."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from streamkit.io.cassette import Ended, How, Read, Recorded
from streamkit.io.recorded import RecordedBody, body_of

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNKED = HEAD + b"3\r\none\r\n5;x=y\r\n two!\r\n0\r\nDone: yes\r\n\r\n"


def body(*reads: bytes, how: How | None = "complete", method: str = "POST") -> RecordedBody:
    recorded = Recorded(method, "/", "1.1", (), b"", 2)
    recorded.reads = [Read(data, number, by_kernel=True, segments=1) for number, data in enumerate(reads, 1)]
    recorded.ended = None if how is None else Ended(how, 99)
    return body_of(recorded)


@given(st.sets(st.integers(0, len(CHUNKED)), max_size=10))
def test_however_it_was_cut(cuts: set[int]) -> None:
    edges = sorted(cuts | {0, len(CHUNKED)})
    pieces = [CHUNKED[start:end] for start, end in pairwise(edges)]
    found = body(*pieces)
    assert b"".join(read.data for read in found.reads) == b"one two!"
    assert (found.is_complete, found.problem) == (True, "")


def test_reads_keep_their_times_and_those_without_payload_are_left_out() -> None:
    found = body(HEAD, b"3\r\n", b"one\r\n", b"3\r\ntwo\r\n", b"0\r\n\r\n")
    assert found.reads == [Read(b"one", 3, by_kernel=True, segments=1), Read(b"two", 4, by_kernel=True, segments=1)]


def test_a_head_and_the_first_of_the_body_in_one_read() -> None:
    found = body(
        b"HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\nHTTP/1.1 200 O", b"K\r\nContent-Length: 5\r\n\r\nab", b"cde"
    )
    assert [(read.data, read.at_ns) for read in found.reads] == [(b"ab", 2), (b"cde", 3)]
    assert found.head is not None
    assert found.head.status == 200


def test_a_body_that_is_cut() -> None:
    cut = body(HEAD, b"3\r\non", how="fin")
    assert [read.data for read in cut.reads] == [b"on"]
    assert not cut.is_complete
    assert cut.problem


def test_a_body_until_the_connections_end() -> None:
    wire = b"HTTP/1.0 200 OK\r\n\r\nall"
    assert body(wire).is_complete
    assert not body(wire, how="reset").is_complete
    assert not body(wire, how=None).is_complete


def test_a_head_that_is_none() -> None:
    assert "refused" in body(b"HTTP/1.1 200 OK\nX: y\n\n").problem
    assert "no whole head" in body(b"HTTP/1.1 20").problem
    assert "no whole head" in body(how="unreachable").problem
