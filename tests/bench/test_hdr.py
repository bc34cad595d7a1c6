"""Histograms and logs against the package `hdrhistogram`, in both directions, and what damaged ones do."""

from __future__ import annotations

import base64
import random
import re
import struct
import zlib
from pathlib import Path

import pytest
from hdrh.histogram import HdrHistogram  # type: ignore[import-untyped]
from hdrh.log import HistogramLogReader, HistogramLogWriter  # type: ignore[import-untyped]
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streamkit.bench.distribution import Distribution
from streamkit.bench.hdr import HEADER, MAX_PAYLOAD_BYTES, OUTER, from_hdr, to_hdr
from streamkit.bench.hlog import Logged, log_of, merge_hlogs, read_hlog, write_hlog
from streamkit.errors import ConfigError, DecodeError
from tests.bench.results_made import whole_result

HOUR_NS = 3_600_000_000_000
COUNTED = st.lists(st.tuples(st.integers(0, HOUR_NS), st.integers(1, 10**6)), max_size=40)


def distribution_of(counted: list[tuple[int, int]]) -> Distribution:
    made = Distribution()
    for value, count in counted:
        made.add(value, count)
    return made


@given(COUNTED)
@example([])
@example([(0, 1)])
@example([(2047, 1), (2048, 1)])
def test_what_is_written_comes_back_bucket_by_bucket(counted: list[tuple[int, int]]) -> None:
    made = distribution_of(counted)
    back = from_hdr(to_hdr(made))
    assert [*back.buckets()] == [*made.buckets()]
    assert back.n == made.n
    assert back.low <= made.low
    assert back.high >= made.high
    assert back.total == pytest.approx(made.total, rel=1e-3)
    assert to_hdr(back) == to_hdr(made)


@settings(max_examples=40)
@given(COUNTED)
def test_the_foreign_reader_finds_the_same_values(counted: list[tuple[int, int]]) -> None:
    made = distribution_of(counted)
    theirs = HdrHistogram.decode(to_hdr(made))
    assert theirs.get_total_count() == made.n
    for percent in (50, 90, 99, 99.9):
        rank = max(1, int(percent / 100 * made.n + 0.5))
        if made.n:
            assert theirs.get_value_at_percentile(percent) == pytest.approx(made.at_ranks([rank])[0], rel=1e-3, abs=1)


@settings(max_examples=60)
@given(COUNTED.filter(bool), st.integers(1, 5), st.sampled_from([1, 7, 1000]))
def test_histograms_of_the_foreign_writer_are_read_whatever_their_digits(
    counted: list[tuple[int, int]], digits: int, lowest: int
) -> None:
    theirs = HdrHistogram(lowest, HOUR_NS, digits)
    for value, count in counted:
        theirs.record_value(value, count)
    found = from_hdr(theirs.encode().decode())
    assert found.n == sum(count for _, count in counted)
    ranks = [1, (found.n + 1) // 2, found.n]
    ordered = sorted(counted)
    for rank, seen in zip(ranks, found.at_ranks(ranks), strict=True):
        true = next(value for i, (value, _) in enumerate(ordered) if sum(c for _, c in ordered[: i + 1]) >= rank)
        assert seen == pytest.approx(true, rel=max(10**-digits, 1e-3), abs=lowest + 1)


def test_foreign_and_own_histograms_add_up_with_the_foreign_tool() -> None:
    some, others = [5_000_000, 70_000_000], [6_000_000, 90_000_000_000]
    theirs = HdrHistogram(1, HOUR_NS, 3)
    for value in some:
        theirs.record_value(value)
    theirs.decode_and_add(to_hdr(Distribution(others)))
    assert [*from_hdr(theirs.encode().decode()).buckets()] == [*Distribution(some + others).buckets()]


def test_a_value_of_more_than_an_hour_fits() -> None:
    day = 24 * HOUR_NS
    theirs = HdrHistogram.decode(to_hdr(Distribution([1, day])))
    assert theirs.get_max_value() == pytest.approx(day, rel=1e-3)
    with pytest.raises(ValueError, match="63"):
        to_hdr(Distribution([1 << 63]))


def packed(
    payload: bytes,
    *,
    cookie: int = 0x1C849313,
    digits: int = 3,
    lowest: int = 1,
    ratio: float = 1.0,
    after: bytes = b"",
) -> str:
    inner = zlib.compress(HEADER.pack(cookie, len(payload), 0, digits, lowest, HOUR_NS, ratio) + payload) + after
    return base64.b64encode(OUTER.pack(0x1C849314, len(inner)) + inner).decode()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "ends within its head"),
        ("what?", "not base64"),
        ("\N{SNOWMAN}", "not base64"),
        (base64.b64encode(bytes(40)).decode(), "cookie"),
        (base64.b64encode(struct.pack(">ii", 0x1C849314, 9)).decode(), "9 bytes are announced and 0 are there"),
        (base64.b64encode(OUTER.pack(0x1C849314, 4) + b"zlib").decode(), "cannot be unpacked"),
        (to_hdr(Distribution(range(5000)))[:-8], "announced"),
        (packed(b"", cookie=0x1C849301), "inner head"),
        (packed(b"", digits=6), "inner head"),
        (packed(b"", lowest=0), "inner head"),
        (packed(b"", ratio=float("nan")), "inner head"),
        (packed(b"\x80"), "ends within a count"),
        (packed(b"\xfd\xff\xff\xff\xff\xff\xff\xff\xff\x02"), "beyond the range"),
        (packed(b"\x02", ratio=1e300), "not raised"),
        (packed(b"\x01\x02", ratio=1e300), "beyond the range"),
        (packed(bytes(MAX_PAYLOAD_BYTES)), "longer than"),
        (packed(b"\x02", after=b"more"), "does not end where it should"),
    ],
)
def test_what_is_no_histogram_is_refused(text: str, reason: str) -> None:
    if reason == "not raised":  # zero times anything is zero
        assert from_hdr(text).n == 1
        return
    with pytest.raises(DecodeError, match=reason):
        from_hdr(text)


@given(st.binary(max_size=60), st.integers(0, 5))
def test_any_payload_is_a_histogram_or_refused(payload: bytes, digits: int) -> None:
    try:
        found = from_hdr(packed(payload, digits=digits))
    except DecodeError:
        return
    assert found.low <= found.high < 1 << 64
    assert found.n >= 0


def logged(tag: str, start_s: float, values: list[int]) -> Logged:
    return Logged(tag, start_s, 2.5, Distribution(values))


def test_a_log_of_ours_is_read_by_the_foreign_reader_with_its_tags_and_times(tmp_path: Path) -> None:
    draw = random.Random(2)
    lines = [
        logged("event_gap_ms", 1_800_000_003.25, [draw.randrange(10**10) for _ in range(500)]),
        logged("ttft_ms", 1_800_000_000.5, [draw.randrange(10**10) for _ in range(500)]),
    ]
    path = tmp_path / "run.hlog"
    path.write_text(write_hlog(lines, ["made by\nstreamkit"]))
    assert path.read_text().startswith("#[made by streamkit]\n#[Histogram log format version 1.3]\n")
    reader = HistogramLogReader(str(path), HdrHistogram(1, HOUR_NS, 3))
    for line in reversed(lines):
        theirs = reader.get_next_interval_histogram()
        assert theirs.get_tag() == line.tag
        assert theirs.get_start_time_stamp() == pytest.approx(line.start_unix_s * 1000)
        assert theirs.get_end_time_stamp() == pytest.approx((line.start_unix_s + 2.5) * 1000)
        assert theirs.get_total_count() == 500
        assert theirs.get_max_value() == pytest.approx(line.distribution.high, rel=1e-3)
    assert reader.get_next_interval_histogram() is None
    reader.close()


def test_a_log_of_the_foreign_writer_is_read(tmp_path: Path) -> None:
    path = tmp_path / "theirs.hlog"
    theirs = HdrHistogram(1, HOUR_NS, 3)
    theirs.record_value(7_000_000, 3)
    with path.open("w") as file:
        writer = HistogramLogWriter(file)
        writer.output_log_format_version()
        writer.output_base_time(1_700_000_000_000)
        writer.output_legend()
        writer.output_interval_histogram(theirs, 5, 9)
    (line,) = read_hlog(path.read_text())
    assert (line.tag, line.start_unix_s, line.length_s) == ("", 1_700_000_005, 4)
    assert [*line.distribution.buckets()] == [*Distribution([7_000_000] * 3).buckets()]


@pytest.mark.parametrize(
    ("head", "at", "start"),
    [
        ("#[StartTime: 1700000000.0 (seconds since epoch), now]", "5.0", 1_700_000_005.0),
        ("#[StartTime: 1700000000.0 (seconds since epoch), now]", "1700000005.0", 1_700_000_005.0),
        ("#[StartTime: 1700000000.0 (seconds since epoch), now]", "1699999995.0", 1_699_999_995.0),
        ("", "1700000005.0", 1_700_000_005.0),
        ("#[BaseTime: 1000.0 (seconds since epoch)]", "5.0", 1005.0),
    ],
)
def test_times_count_from_what_the_head_says(head: str, at: str, start: float) -> None:
    (line,) = read_hlog(f"{head}\n{at},1.0,7.0,{to_hdr(Distribution([7]))}\n")
    assert line.start_unix_s == start


def test_logs_of_several_machines_merge_by_tag() -> None:
    one = [logged("ttft_ms", 100.0, [1, 2]), logged("e2e_ms", 100.0, [9])]
    two = [logged("ttft_ms", 90.0, [3])]
    before = one[0].distribution.n
    merged = {line.tag: line for line in merge_hlogs([one, read_hlog(write_hlog(two))])}
    assert [*merged["ttft_ms"].distribution.buckets()] == [(1, 1), (2, 1), (3, 1)]
    assert (merged["ttft_ms"].start_unix_s, merged["ttft_ms"].length_s) == (90.0, 12.5)
    assert merged["e2e_ms"] == one[1]
    assert one[0].distribution.n == before


def test_a_benchmark_is_a_log_and_runs_of_two_machines_add_up() -> None:
    result = whole_result()
    lines = log_of(result)
    assert len({line.tag for line in lines}) == len(lines)
    for run in result.runs:
        for metric, apart in run.tally.distributions.items():
            for connection, distribution in apart.items():
                found = [line for line in lines if line.distribution is distribution]
                assert len(found) == (1 if distribution.n else 0), (metric, connection)
    again = {line.tag: line for line in merge_hlogs([read_hlog(write_hlog(lines)), lines])}
    for line in lines:
        assert again[line.tag].distribution.n == 2 * line.distribution.n
    assert any(re.fullmatch(r"direct/concurrency-\d+/ttft_ms/reused", tag) for tag in again)


@pytest.mark.parametrize(
    "line", ["5.0,1.0,7.0", "5.0,1.0,7.0,HISTx", "x,1.0,7.0,", "nan,1.0,7.0,", "Tag=a", "-1,0,0,", "Tag=a,1,2,3,4,5"]
)
def test_what_is_no_log_is_refused_with_its_line(line: str) -> None:
    with pytest.raises(DecodeError) as caught:
        read_hlog(f"#[comment]\n{line}\n")
    assert caught.value.record == 2


def test_a_tag_that_would_break_its_line_is_refused() -> None:
    for tag in ("a,b", "a b", "a\nb"):
        with pytest.raises(ConfigError, match="tag"):
            write_hlog([logged(tag, 0.0, [1])])
