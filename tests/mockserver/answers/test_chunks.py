from __future__ import annotations

from itertools import islice

import pytest

from mockserver.answers.chunks import DEFAULT_COUNT, DEFAULT_RATE, chunks
from mockserver.pacing import CONSTANT, Schedule
from mockserver.response import Record

NOON_NS = 1_700_000_000_000_000_000 // 86_400_000_000_000 * 86_400_000_000_000 + 12 * 3_600_000_000_000
"""Twelve o'clock, UTC, of some day."""


class Every:
    """A deadline every `gap_ns`, the first at once."""

    def __init__(self, gap_ns: int) -> None:
        self._gap_ns = gap_ns

    def deadline_ns(self, token: int, /) -> int:
        return (token - 1) * self._gap_ns


def test_each_chunk_has_its_number_and_the_time_at_which_it_is_due() -> None:
    assert list(chunks(3, NOON_NS, Every(100_000_000))) == [
        Record(b"Chunk 1 [12:00:00.000]\n", 1, 0),
        Record(b"Chunk 2 [12:00:00.100]\n", 2, 100_000_000),
        Record(b"Chunk 3 [12:00:00.200]\n", 3, 200_000_000),
    ]


@pytest.mark.parametrize(
    ("after_ns", "shown"),
    [
        (-1, b"11:59:59.999"),
        (1_999_999, b"12:00:00.001"),
        (59_999_999_999, b"12:00:59.999"),
        (3_723_004_000_000, b"13:02:03.004"),
        (12 * 3_600_000_000_000, b"00:00:00.000"),
    ],
)
def test_the_time_is_cut_to_milliseconds_and_begins_anew_at_midnight(after_ns: int, shown: bytes) -> None:
    (record,) = chunks(1, NOON_NS + after_ns, Every(0))
    assert record.data == b"Chunk 1 [%b]\n" % shown


def test_by_default_there_are_ten_a_second() -> None:
    records = list(chunks(DEFAULT_COUNT, NOON_NS, Schedule(0, DEFAULT_RATE, CONSTANT, 1)))
    assert len(records) == 100
    assert records[-1].data == b"Chunk 100 [12:00:09.900]\n"
    assert [record.at_ns for record in records] == [number * 100_000_000 for number in range(100)]


def test_no_chunks_are_no_records() -> None:
    assert list(chunks(0, NOON_NS, Every(1))) == []


def test_a_chunk_is_made_when_it_is_asked_for() -> None:
    assert len(list(islice(chunks(10**12, NOON_NS, Every(1)), 5))) == 5
