"""`mockserver faults` and `mockserver endpoints`: each row of the tables has its line, for people and for machines."""

from __future__ import annotations

import json
import re

import pytest

from mockserver.faults.listing import dialects_of
from mockserver.faults.spec import place_text
from mockserver.faults.table import FAULTS
from streamkit.dialects.registry import DIALECTS
from streamkit.vendors import ENDPOINTS
from tests.cli.harness import Filter, run

every_list = pytest.mark.parametrize("name", ["faults", "endpoints"])


def lines_of(name: str) -> list[str]:
    result = run("mockserver", name, env={"PYTHONIOENCODING": "ascii"})
    assert (result.code, result.err) == (0, "")
    return result.out.decode("ascii").splitlines()


def columns(line: str) -> list[str]:
    return re.split(r" {2,}", line)


def test_every_fault_has_a_line() -> None:
    head, *lines = lines_of("faults")
    assert columns(head) == ["fault", "where", "what it does"]
    rows = {re.split(r"[:\[ ]", line)[0]: line for line in lines if line and not line.startswith("only ")}
    assert list(rows) != []
    assert set(rows) == set(FAULTS) - {"gate"}
    for name, line in rows.items():
        kind = FAULTS[name]
        assert kind.summary in line
        assert kind.place is None or columns(line)[1] == place_text(kind.place)


def test_the_faults_of_single_dialects_stand_below_their_names() -> None:
    lines = lines_of("faults")
    groups = "\n".join(lines).split("\n\n")
    assert groups[0].startswith("fault ")
    for group in groups[1:]:
        heading, *rows = group.splitlines()
        names = heading.removeprefix("only ").removesuffix(":")
        for row in rows:
            assert dialects_of(FAULTS[re.split(r"[:\[ ]", row)[0]].dialects) == names
    assert len({group.splitlines()[0] for group in groups}) == len(groups), "one dialect has two places in the list"


def test_nearly_all_event_streams_are_named_by_those_that_are_missing() -> None:
    streams = tuple(name for name, dialect in DIALECTS.items() if "sse" in dialect.framings)
    assert dialects_of(()) == ""
    assert dialects_of(streams) == "event streams"
    assert dialects_of(tuple(name for name in streams if name != "gemini")) == "event streams but gemini"
    assert dialects_of(("anthropic", "gemini")) == "anthropic, gemini"
    assert dialects_of((*streams, "ollama-chat")) == ", ".join((*streams, "ollama-chat"))


def test_every_endpoint_has_a_line() -> None:
    head, *lines = lines_of("endpoints")
    assert columns(head) == ["method", "path", "dialect", "what it is"]
    found = []
    method = dialect = ""
    for line in lines:
        cells = columns(line)
        if cells[0]:
            method, path, dialect, _ = cells
        else:
            (path,) = cells[1:]
        found.append((method, path, dialect))
    assert sorted(found) == sorted((row.method, row.pattern, row.dialect) for row in ENDPOINTS)
    assert sum("the header anthropic-version" in line for line in lines) == 2


@every_list
def test_the_columns_are_aligned_and_fit(name: str) -> None:
    head, *lines = lines_of(name)
    starts = [match.end() for match in re.finditer(r"(?<=  )(?=\S)", head)]
    assert len(starts) == len(columns(head)) - 1
    for line in lines:
        if line.startswith((" ", "only ")) or not line:
            continue  # paths as long as they are, and headings
        assert all(line[at - 1] == " " for at in starts)
        assert line[starts[-1]] != " "
    assert max(map(len, lines)) <= 160


def test_json_of_faults() -> None:
    rows = json_of("faults")
    assert [row["name"] for row in rows] == list(FAULTS)
    by_name = {row["name"]: row for row in rows}
    assert by_name["oversized"] == {
        "name": "oversized",
        "takes": "[BYTES]",
        "default": "1048576",
        "place": "token:1",
        "places": ["after-head", "before-terminator", "event", "token"],
        "dialects": [],
        "summary": FAULTS["oversized"].summary,
    }
    assert by_name["no-index"]["place"] is None
    assert by_name["no-index"]["dialects"] == ["openai-chat"]


def test_json_of_endpoints() -> None:
    rows = json_of("endpoints")
    assert len(rows) == len(ENDPOINTS)
    assert rows[0] == {
        "method": "POST",
        "path": "/api/chat",
        "header": None,
        "dialect": "ollama-chat",
        "summary": "Ollama's chat.",
    }
    assert {row["header"] for row in rows} == {None, "anthropic-version", "x-goog-api-key"}


def json_of(name: str) -> list[dict[str, object]]:
    result = run("mockserver", name, "--json")
    assert (result.code, result.err) == (0, "")
    assert result.out.count(b"\n") == 1
    rows: list[dict[str, object]] = json.loads(result.out)
    return rows


@every_list
def test_the_list_is_there_under_streamkit_mock_too(name: str) -> None:
    assert run("streamkit", "mock", name).out == run("mockserver", name).out


@every_list
def test_outputs_that_cannot_be_written(name: str) -> None:
    assert run("mockserver", name, via='"$@" >&-').code == 4
    assert run("mockserver", name, via='"$@" >/dev/full').code == 4
    with Filter("mockserver", name) as process:
        process.stop_reading()
        result = process.wait()
    assert (result.code, result.err) == (141, "")


@every_list
def test_no_file(name: str) -> None:
    result = run("mockserver", name, "more")
    assert (result.code, result.out) == (2, b"")


# ---------------------------------------------------------------------------------------------- the help that lists all


def test_the_options_stand_below_what_they_are_about() -> None:
    sections = sections_of_help()
    assert list(sections)[-3:] == ["How it resumes", "The server", "Commands"]
    assert "--say " in sections["What it says"]
    assert "--ttft " in sections["When"]
    assert "--split " in sections["How it is cut"]
    assert "--fault " in sections["How it fails"]
    assert "--retry " in sections["How it resumes"]
    assert all(f"--{name}" in sections["The server"] for name in ("host", "port", "version", "help", "replay"))
    assert all(f"  {name} " in sections["Commands"] for name in ("endpoints", "faults", "record"))


def test_each_option_stands_once() -> None:
    options = re.findall(r"(?m)^  (?:-\w, )?(--[a-z-]+)", "".join(sections_of_help().values()))
    assert len(options) == len(set(options)) > 30


def test_examples_come_before_the_options() -> None:
    text = run("mockserver", "--help").out.decode()
    assert text.index("Examples:") < text.index("What it says:")
    assert "..." not in text[text.index("Commands:") :], "the first sentence of a command is too long"


def sections_of_help() -> dict[str, str]:
    """What stands below each heading that is at the margin."""
    text = run("mockserver", "--help", env={"COLUMNS": "100"}).out.decode()
    _, *parts = re.split(r"(?m)^(\S.*):\n", text)
    return dict(zip(parts[::2], parts[1::2], strict=True))
