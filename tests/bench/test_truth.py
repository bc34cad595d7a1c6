"""What the journal's lines say is true: by hand, from the mock's own journal, and from anything else in the file."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.journal import Journal
from streamkit.bench.truth import Entry, Truth, parse_entry, truth_of, truths_of

WRITES = [
    [1_000, 1_010, 1_020, 160, 0],  # the head
    [1_000, 1_030, 1_040, 240, 0],  # the role
    [51_000, 51_100, 51_200, 230, 1],
    [61_000, 61_100, 61_200, 460, 3],  # two tokens in one write
    [71_000, 71_100, 71_200, 230, 4],
    [71_000, 71_300, 71_400, 19, 4],  # the terminator
    [71_000, 71_500, 71_600, 5, 4],  # the last chunk
]


def line(**changes: object) -> bytes:
    entry: dict[str, object] = {
        "number": 1,
        "method": "POST",
        "headers": [["Host", "h"], ["x-request-id", "abc"]],
        "outcome": "complete",
        "arrived_ns": 900,
        "kernel_ns": 800,
        "tokens": 4,
        "writes": WRITES,
        "body": {"model": "m"},
        "something": "else",
    }
    return msgspec.json.encode({key: value for key, value in (entry | changes).items() if value is not ...})


def truth_in(data: bytes) -> Truth | None:
    entry = parse_entry(data)
    assert entry is not None
    return truth_of(entry)


def test_a_token_is_written_when_its_write_began() -> None:
    assert truth_in(line()) == Truth("abc", 800, 1_010, [51_100, 61_100, 61_100, 71_100], 71_300)


def test_without_a_kernel_stamp_the_request_arrived_when_it_was_read() -> None:
    truth = truth_in(line(kernel_ns=None))
    assert truth is not None
    assert (truth.arrived_ns, truth.has_kernel) == (900, False)


def test_without_chunks_the_last_write_has_the_terminator() -> None:
    truth = truth_in(line(writes=WRITES[:-1]))
    assert truth is not None
    assert truth.end_ns == 71_300


@pytest.mark.parametrize(
    "changes",
    [
        {"outcome": "client-left"},
        {"outcome": ...},
        {"writes_dropped": 1},
        {"writes": []},
        {"headers": []},
        {"headers": [["X-Request-ID", ""]]},
        {"tokens": 5},  # one of which no write tells
        {"tokens": 3},
        {"tokens": 10**15, "writes": [[1_000, 1_000, 1_000, 1, 10**15]]},  # a line that would eat all memory
        {"kernel_ns": 1_020},  # answered before it came
        {"writes": [WRITES[3], WRITES[2], WRITES[4]]},  # backwards
    ],
)
def test_what_is_not_whole_or_contradicts_itself_has_no_truth(changes: dict[str, object]) -> None:
    assert truth_in(line(**changes)) is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"mockserver_journal":1,"monotonic_ns":1,"unix_ns":2}',
        line()[:-1],  # cut
        line() + line(),
        line(arrived_ns="900"),
        line(arrived_ns=1.5),
        line(arrived_ns=...),
        line(writes=[[1, 2]]),
        line(writes=[[1, 2, 3, 4, 5.5]]),
        line(headers=[["a"]]),
        line().replace(b"900", b"9" * 400),
        line(arrived_ns=-1),
        line(kernel_ns=2**63),
        line().replace(b'"abc"', b'"\xff\xfe"'),
        b'{"body":' + b"[" * 100_000,
    ],
)
def test_what_is_no_request_is_passed_over(data: bytes) -> None:
    assert parse_entry(data) is None


@given(st.binary() | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(msgspec.json.encode))
def test_nothing_in_the_file_breaks_the_reader(data: bytes) -> None:
    entry = parse_entry(data)
    assert entry is None or isinstance(entry, Entry)


@given(
    st.lists(st.lists(st.integers(-(2**63), 2**64 - 1), min_size=5, max_size=5), max_size=4),
    st.integers(-(2**63), 2**64 - 1),
    st.integers(-(2**63), 2**64 - 1) | st.none(),
)
def test_whatever_the_numbers_are_times_never_go_backwards(
    writes: list[list[int]], tokens: int, kernel_ns: int | None
) -> None:
    entry = parse_entry(line(writes=writes, tokens=tokens, kernel_ns=kernel_ns))
    truth = None if entry is None else truth_of(entry)
    if truth is not None:
        times = [truth.arrived_ns, truth.head_ns, *truth.token_ns]
        assert times == sorted(times)
        assert len(truth.token_ns) == tokens


def test_a_name_that_two_requests_have_is_nobodys() -> None:
    other = line(headers=[["X-Request-ID", "other"]])
    entries = [parse_entry(each) for each in (line(), b"rubbish", other, line(number=2), line(number=3))]
    assert [*truths_of(entries)] == ["other"]


def test_the_mocks_own_journal_is_read_as_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    journal = Journal(path=path)
    entry = journal.begin()
    entry.asked("/v1/chat/completions", [("X-Request-ID", "abc"), ("Authorization", "Bearer secret")], b'{"a":1}')
    entry.arrived_ns, entry.kernel_ns = 900, 800
    for planned_ns, began_ns, ended_ns, size, tokens in WRITES:
        entry.wrote(planned_ns, began_ns, ended_ns, bytes(size), tokens)
    entry.outcome = "complete"
    journal.end(entry, 72_000)
    journal.close()
    clocks, written = path.read_bytes().splitlines()
    assert parse_entry(clocks) is None
    assert truth_in(written) == truth_in(line())
    assert bytes(parse_entry(written).body) == b'{"a":1}'  # type: ignore[union-attr]
    assert b"secret" not in written
