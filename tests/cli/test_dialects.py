"""`streamkit dialects`: the registry, as tables that fit a terminal and as JSON."""

from __future__ import annotations

import json

from streamkit.dialects.dialect import FEATURES
from streamkit.dialects.registry import DIALECTS
from tests.cli.harness import Filter, run

LIST = ("streamkit", "dialects")


def tables() -> tuple[list[str], list[str]]:
    """The lines of both tables."""
    result = run(*LIST, env={"PYTHONIOENCODING": "ascii"})
    assert (result.code, result.err) == (0, "")
    looks, carries = result.out.decode("ascii").split("\n\n")
    return looks.splitlines(), carries.splitlines()


def test_every_dialect_and_framing_has_a_line() -> None:
    looks, _ = tables()
    name = ""
    found = []
    for line in looks[1:]:
        words = line.split()
        name = name if line.startswith(" ") else words.pop(0)
        found.append((name, words[0]))
        assert words[1] == DIALECTS[name].media_type(words[0]).split()[0]
    assert found == [(row.name, framing) for row in DIALECTS.values() for framing in row.framings]
    assert all(any(line.endswith(row.terminator) for line in looks) for row in DIALECTS.values())


def test_the_marks_are_those_of_the_registry() -> None:
    _, (head, *rows) = tables()
    assert [row.split()[0] for row in rows] == list(DIALECTS)
    words = head.split()[1:]
    assert len(words) == len(FEATURES)
    for row in rows:
        name, *marks = row.split()
        carried = {feature for feature, mark in zip(FEATURES, marks, strict=True) if mark == "x"}
        assert carried == DIALECTS[name].carries
        assert set(marks) <= {"x", "-"}


def test_the_columns_are_aligned_and_fit() -> None:
    looks, carries = tables()
    assert max(map(len, looks + carries)) <= 120
    head, *rows = carries
    starts = [at for at, character in enumerate(head) if at and head[at - 1] == " " != character]
    assert all(row[at] in "x-" and row[at - 1] == " " for row in rows for at in starts)


def test_json() -> None:
    result = run(*LIST, "--json")
    assert (result.code, result.err) == (0, "")
    assert result.out.count(b"\n") == 1
    rows = json.loads(result.out)
    assert [row["name"] for row in rows] == list(DIALECTS)
    chat = next(row for row in rows if row["name"] == "openai-chat")
    assert chat["framings"] == [{"name": "sse", "media_type": "text/event-stream"}]
    assert chat["terminator"] == "data: [DONE]"
    assert {"text", "tool-fragments", "choices"} <= set(chat["carries"])
    assert all(row["summary"].endswith(".") for row in rows)


def test_outputs_that_cannot_be_written() -> None:
    assert run(*LIST, via='"$@" >&-').code == 4
    assert run(*LIST, via='"$@" >/dev/full').code == 4
    with Filter(*LIST) as process:
        process.stop_reading()
        result = process.wait()
    assert (result.code, result.err) == (141, "")


def test_no_file() -> None:
    result = run(*LIST, "answer.sse")
    assert (result.code, result.out) == (2, b"")
