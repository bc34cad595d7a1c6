"""The journal keeps what was done, within its bounds, and writes it to a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mockserver.journal import Journal, WriteDone
from streamkit.errors import ConfigError


def test_writes_come_back_as_they_were() -> None:
    entry = Journal(keep_bytes=4).begin()
    entry.wrote(1, 2, 3, b"abc", 1)
    entry.wrote(10, 20, 2**60, b"defg", 2)
    assert entry.writes == [WriteDone(1, 2, 3, 3, 1), WriteDone(10, 20, 2**60, 4, 2)]
    assert (entry.sent_bytes, entry.tokens, bytes(entry.sent)) == (7, 2, b"abcd")


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
