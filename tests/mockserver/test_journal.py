"""The journal keeps what was done, within its bounds, and writes it to a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.journal import Journal, WriteDone
from streamkit.errors import ConfigError


def test_writes_come_back_as_they_were() -> None:
    entry = Journal(keep_bytes=4).begin()
    entry.wrote(1, 2, 3, b"abc", 1)
    entry.wrote(10, 20, 2**60, b"defg", 2)
    entry.wrote(30, 20, 40, b"", 2)  # before it was due: as odd as it is, it is not changed
    entry.wrote(2**62, 2**62 + 2**32 - 1, 2**62 + 2**32, b"", 2)
    entry.wrote(2**62 + 5, 2**62 + 6, 2**62 + 7, b"x" * 65535, 65537)
    entry.wrote(2**62 + 6, 2**62 + 6, 2**62 + 7, b"x" * 65536, 65537)
    entry.wrote(2**62 + 7, 2**62 + 7, 2**62 + 7, b"y", 65538)
    assert entry.writes == [
        WriteDone(1, 2, 3, 3, 1),
        WriteDone(10, 20, 2**60, 4, 2),
        WriteDone(30, 20, 40, 0, 2),
        WriteDone(2**62, 2**62 + 2**32 - 1, 2**62 + 2**32, 0, 2),
        WriteDone(2**62 + 5, 2**62 + 6, 2**62 + 7, 65535, 65537),
        WriteDone(2**62 + 6, 2**62 + 6, 2**62 + 7, 65536, 65537),
        WriteDone(2**62 + 7, 2**62 + 7, 2**62 + 7, 1, 65538),
    ]
    assert (entry.tokens, bytes(entry.sent)) == (65538, b"abcd")


def test_the_oldest_entry_makes_room() -> None:
    journal = Journal(max_entries=2)
    for _ in range(3):
        journal.begin()
    assert [entry.number for entry in journal] == [2, 3]
    assert journal.count == 3
    assert journal[-1].number == 3


def test_writes_beyond_the_bound_are_counted() -> None:
    entry = Journal(max_writes=2).begin()
    for number in range(5):
        entry.wrote(number, number, number, b"x", number)
    assert len(entry.writes) == 2
    assert (entry.writes_dropped, entry.sent_bytes, entry.tokens) == (3, 5, 4)


def test_a_file_gets_a_line_for_each_finished_entry(tmp_path: Path) -> None:
    path = tmp_path / "journal.ndjson"
    journal = Journal(path=path)
    entry = journal.begin()
    entry.method, entry.target, entry.outcome = "POST", "/api/chat", "complete"
    entry.wrote(1, 2, 3, b"abc", 1)
    journal.end(entry, 99)
    journal.begin()  # is running: not in the file yet
    head, *lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert head["mockserver_journal"] == 1
    assert head["monotonic_ns"] > 0
    assert head["unix_ns"] > 1.7e18
    assert len(lines) == 1
    assert (lines[0]["outcome"], lines[0]["ended_ns"], lines[0]["writes"]) == ("complete", 99, [[1, 2, 3, 3, 1]])
    journal.close()


def test_a_file_that_cannot_be_written_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"the journal .* cannot be written: No such file"):
        Journal(path=tmp_path / "none" / "journal")


def test_the_bound_in_bytes_counts_what_finished_entries_take() -> None:
    journal = Journal(max_total_bytes=100_000)
    for number in range(10):
        entry = journal.begin()
        entry.asked(f"/{number}", [("X", "y")], b"x" * 30_000)
        journal.end(entry, 1)
    assert [entry.number for entry in journal] == [8, 9, 10]
    journal.clear()
    entry = journal.begin()
    journal.end(entry, 1)
    assert [entry.number for entry in journal] == [11]


def test_an_entry_that_made_room_while_it_ran_counts_for_nothing() -> None:
    journal = Journal(max_entries=1, max_total_bytes=100_000)
    first = journal.begin()
    journal.begin()
    first.asked("/", [], b"x" * 60_000)
    for _ in range(10):
        journal.end(first, 1)
    second = journal.begin()
    journal.end(second, 1)
    assert [entry.number for entry in journal] == [3]


def test_what_was_asked_is_kept_without_its_secrets_and_shown_as_it_was() -> None:
    entry = Journal().begin()
    entry.asked("/a?key=s3cr3t", [("Authorization", "s3cr3t"), ("X", "a: b")], b'{"api_key": "s3cr3t", "n": [1]}')
    shown = entry.as_json()
    assert shown["target"] == "/a?key=[redacted]"
    assert shown["headers"] == [["Authorization", "[redacted]"], ["X", "a: b"]]
    assert shown["body"] == {"api_key": "[redacted]", "n": [1]}
    entry.asked("/", [], b"not JSON \xff")
    assert entry.as_json()["body"] == "not JSON \ufffd"
    entry.asked("/", [], b"x" * 100_000)
    assert entry.as_json()["body"] == "(100000 bytes)"
    entry.asked("/", [], b"")
    assert (entry.as_json()["body"], entry.headers) == (None, [])


@given(st.lists(st.tuples(*[st.integers(0, 2**62)] * 3, st.integers(0, 70_000), st.integers(0, 70_000)), max_size=20))
def test_whatever_was_written_comes_back(writes: list[tuple[int, int, int, int, int]]) -> None:
    entry = Journal().begin()
    for planned_ns, began_ns, ended_ns, size, tokens in writes:
        entry.wrote(planned_ns, began_ns, ended_ns, bytes(size), tokens)
    assert [tuple(done) for done in entry.writes] == writes


@given(st.lists(st.tuples(*[st.integers(0, 10**9)] * 3, st.integers(0, 300), st.integers(0, 2)), max_size=50))
def test_what_is_usual_comes_back(steps: list[tuple[int, int, int, int, int]]) -> None:
    entry = Journal().begin()
    planned_ns, count = 10**15, 0
    writes = []
    for since_ns, late_ns, took_ns, size, more in steps:
        planned_ns += since_ns
        count += more
        writes.append((planned_ns, planned_ns + late_ns, planned_ns + late_ns + took_ns, size, count))
        entry.wrote(*writes[-1][:3], bytes(size), count)
    assert [tuple(done) for done in entry.writes] == writes
    assert len(entry.wide) <= 1  # the first is far from 0
