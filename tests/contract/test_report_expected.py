"""Known failures pass, new ones fail, and an entry that is no longer true fails too."""

from __future__ import annotations

import pytest

from streamkit.contract.cases import CASES
from streamkit.contract.report.expected import Expected, compare, expected_lines, parse_expected
from streamkit.contract.verdicts import Verdict
from streamkit.errors import ConfigError
from tests.contract.reports import SUITE, report_of, result_of

FILE = """\
# nginx, nothing but proxy_pass
flush.sse.close   # proxy_buffering is on; see #1
- bytes.random
---

gateway:
  - llm.done.once  # only there
all:   # and again
end.clean.cl
"""


def verdicts(**cases: Verdict) -> list[tuple[str, Verdict]]:
    return [(name.replace("_", "."), verdict) for name, verdict in cases.items()]


def test_a_file_is_ids_with_reasons() -> None:
    assert parse_expected(FILE) == [
        Expected("flush.sse.close", "proxy_buffering is on; see #1"),
        Expected("bytes.random"),
        Expected("llm.done.once", "only there", "gateway"),
        Expected("end.clean.cl"),
    ]
    assert parse_expected("\ufeffflush.head\r\n") == [Expected("flush.head")]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("\nflush.*", "line 2: .*no wildcards"),
        ("flush", "line 1: 'flush' is no id"),
        ("flush.head why", "line 1: .*is no id"),
        ("nginx:", "no profile is called 'nginx': say pipe, gateway, edge, all"),
        ("flush.head\nflush.head # again", "line 2: flush.head is listed twice"),
    ],
)
def test_a_line_that_is_none_is_refused(text: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        parse_expected(text)


FLUSH = "flush.sse.close"


@pytest.mark.parametrize(
    ("verdict", "listed", "strict", "exit_code"),
    [
        (Verdict.OK, False, False, 0),
        (Verdict.OK, True, False, 1),
        (Verdict.FAILED, False, False, 1),
        (Verdict.FAILED, True, False, 0),
        (Verdict.HARNESS_ERROR, False, False, 1),
        (Verdict.HARNESS_ERROR, True, False, 0),
        (Verdict.DEPENDENCY_FAILED, False, False, 1),
        (Verdict.DEPENDENCY_FAILED, True, False, 0),
        (Verdict.NON_STRICT, False, False, 0),
        (Verdict.NON_STRICT, False, True, 1),
        (Verdict.NON_STRICT, True, True, 0),
        (Verdict.NON_STRICT, True, False, 0),  # one list for both
        (Verdict.INFORMATIONAL, False, True, 0),
        (Verdict.INFORMATIONAL, True, False, 1),
        (Verdict.UNIMPLEMENTED, True, True, 1),
    ],
)
def test_the_rule(verdict: Verdict, listed: bool, strict: bool, exit_code: int) -> None:
    expected = [Expected(FLUSH, "why")] if listed else []
    found = compare(report_of(result_of(FLUSH, verdict)), expected, strict=strict, suite=SUITE)
    assert found.exit_code == exit_code
    assert bool(found.stale) == (listed and exit_code == 1)
    assert bool(found.new) == (not listed and exit_code == 1)
    assert found.known in ({}, {FLUSH: "why"})
    assert bool(found.lines) == bool(found.known or exit_code)


def test_what_was_not_run_says_nothing() -> None:
    report = report_of(result_of(FLUSH, Verdict.OK))
    other = [Expected("bytes.random"), Expected(FLUSH, profile="gateway")]
    assert compare(report, other, suite=SUITE).exit_code == 0


def test_an_id_that_no_case_has_is_found_whatever_the_profile() -> None:
    found = compare(report_of(result_of(FLUSH, Verdict.OK)), [Expected("flush.gone", profile="edge")])
    assert (found.unknown, found.exit_code) == (("flush.gone",), 1)
    assert found.lines == ["unknown: no case is called flush.gone: correct or remove it"]


def test_every_case_can_be_listed() -> None:
    assert [each.id for each in parse_expected("\n".join(case.id for case in CASES))] == [case.id for case in CASES]


def test_nobody_can_expect_the_setup_to_fail() -> None:
    report = report_of(result_of("setup.forward", Verdict.HARNESS_ERROR))
    found = compare(report, [Expected("setup.forward")])
    assert (found.exit_code, found.known, len(found.new)) == (1, {}, 1)
    assert expected_lines(report) == []


def test_the_lines_of_a_run_make_it_expected() -> None:
    report = report_of()
    expected = parse_expected("\n".join(expected_lines(report, strict=True)))
    found = compare(report, expected, strict=True, suite=SUITE)
    assert found.exit_code == 0
    assert sorted(found.known) == ["cancel.idle", "end.clean.cl", "flush.head", "flush.sse.close"]
