"""Rows and summaries of reads: sums, times, places; nothing here reads a clock."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamkit.codecs.cutplace import CutPlace
from streamkit.errors import ConfigError
from streamkit.http.stream import TimedRead
from streamkit.io.readlog import CutCounts, Gaps, ReadLog, ReadRow, Summary, quantile_of

MS = 1_000_000

EVENT = b'data: {"choices":[{"index":0,"delta":{"content":"x"}}],"object":"chat.completion.chunk"}\r\n\r\n'


def log_of(*reads: tuple[int, bytes]) -> tuple[list[ReadRow], Summary]:
    """The rows and the summary of reads at so many ms; the stream ends with the last one."""
    log = ReadLog()
    rows = [log.read(data, at_ms * MS) for at_ms, data in reads]
    return rows, log.finish("end", reads[-1][0] * MS if reads else 0)


PIECES = st.lists(
    st.sampled_from(
        [b"data: 1", b"\r\n", b"\n\n", b"\r", b": p", b'{"a":1}', b"\n", b"[", b",", b"1", b"]", b"\xc3", b" "]
    ),
    min_size=1,
    max_size=10,
)


@given(st.lists(st.tuples(st.integers(0, 10**12), st.binary(min_size=1, max_size=40)), max_size=12))
def test_sums_of_the_rows_are_the_summary(reads: list[tuple[int, bytes]]) -> None:
    log = ReadLog()
    rows = [log.read(data, at_ns) for at_ns, data in reads]
    before_end = sum(row.records for row in rows)
    summary = log.finish("end", 0)
    assert summary.reads == len(reads)
    assert summary.bytes == sum(len(data) for _, data in reads) == sum(row.bytes for row in rows)
    assert summary.records in {before_end, before_end + 1}
    assert [row.number for row in rows] == [*range(1, len(reads) + 1)]
    assert sum(row.gap_ns or 0 for row in rows) == (rows[-1].at_ns - rows[0].at_ns if rows else 0)
    assert all(earlier.at_ns <= later.at_ns for earlier, later in pairwise(rows))
    counted = summary.cuts
    if summary.framing not in {"none", "auto"} and not summary.problem:
        assert counted.character + counted.crlf + counted.record + counted.between == len(reads)


@given(st.sampled_from(["sse", "ndjson", "lines"]), PIECES)
def test_rows_have_the_places_and_counts_of_the_cut(framing: str, pieces: list[bytes]) -> None:
    log, cut = ReadLog(framing=framing), CutPlace(framing)  # type: ignore[arg-type]
    records = 0
    for piece in pieces:
        row = log.read(piece, 0)
        cut.feed(piece)
        assert (row.cut, row.records) == (cut.place, cut.records - records)
        records = cut.records
    cut.finish()
    summary = log.finish("end", 0)
    assert (summary.records, summary.problem) == (cut.records, cut.problem)


@given(PIECES)
def test_which_reads_were_cut_between_cr_and_lf(pieces: list[bytes]) -> None:
    log = ReadLog(framing="sse")
    for piece in pieces:
        log.read(piece, 0)
    wanted = sum(one.endswith(b"\r") and two.startswith(b"\n") for one, two in pairwise(pieces))
    assert log.finish("end", 0).cuts.crlf == wanted


@given(
    st.lists(st.binary(min_size=1, max_size=8), max_size=8),
    st.sampled_from([EVENT * 2, b'{"a":1}\n{"b":2}\n', b"[1,\n2]"]),
)
def test_the_cuts_change_no_count_of_the_whole(noise: list[bytes], wire: bytes) -> None:
    """Also where the framing is known only after some of the reads."""
    sizes = [len(each) for each in noise]
    log, at = ReadLog(), 0
    for size in [*sizes, len(wire)]:
        if wire[at : at + size]:
            log.read(wire[at : at + size], 0)
        at += size
    whole = ReadLog()
    whole.read(wire, 0)
    one, other = log.finish("end", 0), whole.finish("end", 0)
    assert (one.records, one.framing, one.dialect, one.bytes) == (
        other.records,
        other.framing,
        other.dialect,
        other.bytes,
    )


@given(st.lists(st.integers(-100, 100), min_size=1), st.integers(0, 1000))
def test_a_quantile_is_the_smallest_value_that_enough_of_them_do_not_exceed(values: list[int], permille: int) -> None:
    found = quantile_of(sorted(values), permille)
    enough = [v for v in values if Fraction(sum(w <= v for w in values), len(values)) >= Fraction(permille, 1000)]
    assert found == min(enough)


def test_a_stream_of_events() -> None:
    half = len(EVENT) // 2
    rows, summary = log_of((8, EVENT[:half]), (10, EVENT[half:-1]), (13, EVENT[-1:] + EVENT), (33, EVENT))
    assert [(row.at_ns // MS, row.gap_ns, row.records, row.cut) for row in rows] == [
        (8, None, 0, "record"),
        (10, 2 * MS, 1, "cr"),
        (13, 3 * MS, 1, "between"),
        (33, 20 * MS, 1, "between"),
    ]
    assert summary.records == 3
    assert math.isclose(summary.records_per_read, 0.75)
    assert (summary.framing, summary.dialect) == ("sse", "openai-chat")
    assert summary.gaps == Gaps(3, 3 * MS, 20 * MS, 20 * MS, 20 * MS)
    assert (summary.first_byte_ns, summary.first_record_ns, summary.ended_ns) == (8 * MS, 10 * MS, 33 * MS)
    assert summary.cuts == CutCounts(character=0, crlf=1, record=1, between=2)
    assert summary.problem == ""


def test_a_cr_that_no_lf_follows_was_a_cut_of_its_own_kind() -> None:
    _, summary = log_of((1, b"data: 1\r"), (2, b"data: 2\r"), (3, b"\r"))
    assert summary.cuts == CutCounts(character=0, crlf=0, record=2, between=1)


def test_framing_that_shows_late_is_found_with_what_came_before() -> None:
    rows, summary = log_of((1, b"\n"), (2, b"da"), (3, b"ta: 1\n\n"))
    assert [(row.records, row.cut) for row in rows] == [(0, "between"), (0, "record"), (1, "between")]
    assert summary.framing == "sse"


FRAMINGS = [
    (b"data: 1\n\n", "sse"),
    (b": ping\n\n", "sse"),
    (b'{"a":1}\n', "ndjson"),
    (b'\xef\xbb\xbf{"a":1}\n', "ndjson"),
    (b" \n[1,2]", "json-array"),
    (b"Hello\n", "lines"),
    (b"<html>", "lines"),
    (b"da", "lines"),
    (b" " * 5000, "lines"),
    (b"\x1f\x8b\x08", "none"),
    (b"\0\0", "none"),
    (b"", "auto"),
]


@pytest.mark.parametrize(("wire", "framing"), FRAMINGS)
def test_the_framing_shows_in_the_bytes(wire: bytes, framing: str) -> None:
    log = ReadLog()
    if wire:
        log.read(wire, 0)
    assert log.finish("end", 0).framing == framing


def test_the_end_completes_a_last_record() -> None:
    rows, summary = log_of((1, b'{"a":1}\n{"a":2}'))
    assert (rows[0].records, summary.records, summary.problem) == (1, 2, "")


def test_the_end_inside_a_record_is_a_problem() -> None:
    _, summary = log_of((1, b'{"a":1}\n{"a":'))
    assert (summary.records, summary.dropped_bytes) == (1, 5)
    assert "ends inside a record" in summary.problem


def test_bad_records_are_counted_with_their_read() -> None:
    rows, summary = log_of((1, b'{"a":1}\nnonsense\n'), (2, b"{}\n"))
    assert [(row.records, row.bad_records) for row in rows] == [(2, 1), (1, 0)]
    assert (summary.records, summary.bad_records) == (3, 1)


def test_a_record_over_the_limit_is_a_bad_one() -> None:
    log = ReadLog(max_record_bytes=10)
    row = log.read(b'{"a":"' + b"x" * 100 + b'"}\n', 0)
    assert (row.records, row.bad_records) == (1, 1)


def test_nothing_came() -> None:
    _, summary = log_of()
    assert (summary.reads, summary.gaps, summary.first_byte_ns, summary.first_record_ns) == (0, None, None, None)
    assert summary.records_per_read == 0


@pytest.mark.parametrize(("kernel_ns", "segments"), [(400, 1), (399, 1), (400, 0), (450, 0)])
def test_what_came_with_the_read_before_has_no_gap(kernel_ns: int, segments: int) -> None:
    log = ReadLog()
    log.take(TimedRead(b"1\n", 500, 400, 1))
    row = log.take(TimedRead(b"2\n", 900, kernel_ns, segments))
    assert (row.gap_ns, row.is_resolved) == (None, False)
    summary = log.finish("complete", 2000)
    assert (summary.gaps, summary.unresolved_reads) == (None, 1)


def test_gaps_that_are_no_measurement_are_not_summed_up() -> None:
    log = ReadLog()
    for kernel_ns, segments in [(100, 1), (200, 1), (9_000, 20), (9_100, 1)]:
        log.take(TimedRead(b"1\n", kernel_ns, kernel_ns, segments))
    gaps = log.finish("complete", 10_000).gaps
    assert gaps is not None
    assert (gaps.count, gaps.p50_ns, gaps.max_ns) == (2, 100, 100)


@pytest.mark.parametrize("data", [b"\r", b"\n\n"])
def test_a_record_that_only_the_end_shows_has_the_time_of_the_end(data: bytes) -> None:
    log = ReadLog()
    log.read(data, 100)
    summary = log.finish("eof", 200)
    assert (summary.records > 0) == (summary.first_record_ns is not None)


def test_the_kernels_time_counts_where_there_is_one() -> None:
    log = ReadLog()
    early = log.take(TimedRead(b"1\n", 500, 400, 1), origin_ns=100)
    assert (early.at_ns, early.by_kernel, early.segments, early.is_resolved) == (300, True, 1, True)
    late = log.take(TimedRead(b"2\n", 900, 800, 3), origin_ns=100)
    assert (late.at_ns, late.gap_ns, late.segments, late.is_resolved) == (700, 400, 3, False)
    unknown = log.take(TimedRead(b"3\n", 1000), origin_ns=100)
    assert (unknown.at_ns, unknown.by_kernel, unknown.segments, unknown.is_resolved) == (900, False, None, True)
    summary = log.finish("complete", 2000)
    assert (summary.kernel_reads, summary.unresolved_reads) == (2, 1)


def test_reads_with_one_stamp_came_together_and_have_no_gap_of_zero() -> None:
    """As two records of TLS that one read of the wire brought."""
    log = ReadLog()
    reads = [TimedRead(b"1\n", 500, 400), TimedRead(b"2\n", 500, 400), TimedRead(b"3\n", 900, 800)]
    rows = [log.take(read) for read in reads]
    assert [(row.gap_ns, row.is_resolved) for row in rows] == [(None, True), (None, False), (400, True)]
    summary = log.finish("complete", 2000)
    assert summary.gaps == Gaps(1, 400, 400, 400, 400)
    assert summary.unresolved_reads == 1


def test_time_never_goes_back() -> None:
    rows, summary = log_of((5, b"1\n"), (3, b"2\n"))
    assert [(row.at_ns, row.gap_ns) for row in rows] == [(5 * MS, None), (5 * MS, 0)]
    assert summary.ended_ns == 5 * MS


def test_the_end_of_a_read_is_shown_as_printable_ascii() -> None:
    rows, _ = log_of((1, "data: \x1b[31mé\x9b\n".encode()))
    assert rows[0].tail == r": \x1b[31m\xc3\xa9\xc2\x9b\n"
    assert rows[0].tail.isascii()
    assert rows[0].tail.isprintable()


def test_a_framing_that_does_not_exist() -> None:
    with pytest.raises(ConfigError, match="framing is 'xml'"):
        ReadLog(framing="xml")  # type: ignore[arg-type]
