"""Plain lines, the summary, JUnit's XML, and what is shown while a run goes on."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from xml.etree import ElementTree as ET

import pytest

from streamkit.contract.report.junit import as_junit
from streamkit.contract.report.progress import Progress
from streamkit.contract.report.text import plain_line, summary_lines
from streamkit.contract.verdicts import Verdict
from tests.contract.reports import KEY, report_of, result_of

ALL = 7


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_line_is_verdict_id_and_detail() -> None:
    assert plain_line(result_of("flush.head", Verdict.NON_STRICT)) == "NON-STRICT  flush.head  it is so"


def test_a_line_is_one_line_that_no_terminal_obeys() -> None:
    line = plain_line(result_of("flush.head", Verdict.FAILED, "a\r\nb\x1b[2J\u202ec \\ d"))
    assert line == "FAILED  flush.head  a b\\x1b[2J\\u202ec \\ d"


def test_the_summary_says_what_was_tested_how_it_went_and_what_failed() -> None:
    first, counts, blank, *again = summary_lines(report_of(target="http://127.0.0.1:1"))
    assert first == "7 cases against nginx 1.22.1 (http://127.0.0.1:1), profile pipe, seed 7, in 3.5 s"
    assert counts == (
        "1 OK, 1 NON-STRICT, 1 INFORMATIONAL, 1 UNIMPLEMENTED, 1 FAILED, 1 HARNESS-ERROR, 1 DEPENDENCY-FAILED"
    )
    assert not blank
    assert [line.split("  ")[:2] for line in again] == [["FAILED", "flush.sse.close"], ["HARNESS-ERROR", "cancel.idle"]]
    assert summary_lines(report_of(result_of("flush.head", Verdict.OK)))[1:] == ["1 OK"]


def test_no_key_is_in_lines_or_xml() -> None:
    assert KEY not in "\n".join(summary_lines(report_of())) + as_junit(report_of())


def test_xml_has_a_test_case_for_each_case() -> None:
    suite = ET.fromstring(as_junit(report_of())).find("testsuite")  # noqa: S314 - we wrote it
    assert suite is not None
    assert {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped", "timestamp")} == {
        "tests": "7",
        "failures": "1",
        "errors": "1",
        "skipped": "2",
        "timestamp": "2026-09-21T14:13:20",
    }
    inside = {each.get("name"): [child.tag for child in each] for each in suite.findall("testcase")}
    assert inside == {
        "flush.head": ["system-out"],
        "flush.sse.close": ["failure"],
        "bytes.random": [],
        "cancel.idle": ["error"],
        "end.clean.cl": ["skipped"],
        "llm.done.once": ["skipped"],
        "llm.retry.hidden": ["system-out"],
    }
    error = suite.find("testcase/error")
    assert error is not None
    assert error.get("message") == "HARNESS-ERROR: no <b>answer</b>\\x1b[31m\nat all"
    assert suite.find("testcase[@name='bytes.random']").get("classname") == "streamkit.contract.bytes"  # type: ignore[union-attr]


@pytest.mark.parametrize("code", [*range(0x20), 0x7F, 0x85, 0xD800, 0xFFFE, 0x1F600])
def test_any_character_makes_good_xml(code: int) -> None:
    text = as_junit(report_of(result_of("flush.head", Verdict.FAILED, f"a{chr(code)}b", None)))
    failure = ET.fromstring(text.encode()).find("testsuite/testcase/failure")  # noqa: S314 - we wrote it
    assert failure is not None
    assert re.fullmatch(r"FAILED: a(.|\n|\\x..|\\u....)b", failure.get("message") or "")


def test_xml_is_as_red_as_the_exit_code() -> None:
    strict = ET.fromstring(as_junit(report_of(), strict=True))  # noqa: S314 - we wrote it
    assert strict.get("failures") == "2"
    known = as_junit(report_of(), strict=True, known={"flush.head": "see #1", "flush.sse.close": "", "cancel.idle": ""})
    root = ET.fromstring(known)  # noqa: S314 - we wrote it
    assert (root.get("failures"), root.get("errors")) == ("0", "0")
    assert "known failure (see #1): NON-STRICT: the head came late" in known
    stale = ET.fromstring(as_junit(report_of(), untrue=["flush.gone"]))  # noqa: S314 - we wrote it
    assert (stale.get("tests"), stale.get("failures")) == ("8", "2")


def test_without_a_terminal_each_result_is_a_line() -> None:
    out = io.StringIO()
    with Progress(2, stream=out) as progress:
        assert not progress.is_live
        progress.start("flush.head")
        assert not out.getvalue(), "what only begins is no result"
        progress.result(result_of("flush.head", Verdict.OK))
    progress.close()
    assert out.getvalue() == "OK  flush.head  it is so\n"


def test_what_was_not_run_for_one_reason_is_one_line() -> None:
    out = io.StringIO()
    with Progress(5, stream=out) as progress:
        progress.result(result_of("setup.reach", Verdict.HARNESS_ERROR, "nobody listens"))
        for number in range(3):
            progress.result(result_of(f"flush.{number}", Verdict.DEPENDENCY_FAILED, "not run: see there"))
        progress.result(result_of("bytes.random", Verdict.DEPENDENCY_FAILED, "not run: alone"))
    assert out.getvalue().splitlines() == [
        "HARNESS-ERROR  setup.reach  nobody listens",
        "DEPENDENCY-FAILED  3 cases  not run: see there",
        "DEPENDENCY-FAILED  bytes.random  not run: alone",
    ]


def test_on_a_terminal_running_cases_and_counts_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    out = Terminal()
    with Progress(3, stream=out) as progress:
        assert progress.is_live
        for number in range(14):
            progress.start(f"flush.{number}")
        progress.result(result_of("flush.0", Verdict.FAILED, "[bold]not markup[/bold]"))
        lines = progress.lines()
    shown = out.getvalue()
    assert re.match(r"1 of 3 cases in \d+\.\d s: 1 FAILED", lines[0])
    assert [line.split()[-1] for line in lines[1:3]] == ["flush.1", "flush.2"]
    assert lines[-1] == "  and 1 more"
    assert "\x1b[1;31mFAILED" in shown
    assert "[bold]not markup[/bold]" in shown
    assert shown.rstrip().endswith("\x1b[2K"), "nothing of the table is left below the results"


def test_no_color_and_dumb_terminals_are_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    out = Terminal()
    with Progress(stream=out) as progress:
        progress.result(result_of("flush.head", Verdict.FAILED))
        progress.start("flush.sse.close")
    assert not re.search(r"\x1b\[[0-9;]*[0-9]m", out.getvalue()), "not even what is bold"
    monkeypatch.setenv("TERM", "dumb")
    with Progress(stream=Terminal()) as progress:
        assert not progress.is_live


def test_rich_is_loaded_for_a_live_table_alone() -> None:
    code = (
        "import io, sys; from streamkit.contract.report.progress import Progress;"
        "Progress(stream=io.StringIO()).close();"
        "sys.exit('rich' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0
