"""Reports beside each other: every case once, in the suite's order, and what tells the proxies apart."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from streamkit.cli.contract_matrix import table
from streamkit.contract.cases import CASES
from streamkit.contract.matrix import Matrix, run_matrix
from streamkit.contract.proxies import parse_with
from streamkit.contract.results import Report, Result
from streamkit.contract.setting import Setting
from streamkit.contract.verdicts import Ending, Verdict
from streamkit.http.origin import parse_origin

if TYPE_CHECKING:
    import pytest

OK, FAILED = Verdict.OK, Verdict.FAILED
ERROR, NOT_RUN = Verdict.HARNESS_ERROR, Verdict.DEPENDENCY_FAILED


def result(case_id: str, verdict: Verdict) -> Result:
    return Result(case_id, "must", f"the rule of {case_id}", verdict, verdict, Ending.COMPLETE, OK, "found")


def report(**verdicts: Verdict) -> Report:
    results = [result(case_id, verdict) for case_id, verdict in verdicts.items()]
    return Report("http://127.0.0.1:1", "pipe", "openai-chat", "openai-chat", 0, "1", results)


def test_a_row_has_each_proxys_verdict_and_differs_where_they_do() -> None:
    matrix = Matrix(("one", "two"), (report(a=OK, b=OK, c=FAILED), report(a=OK, b=FAILED, c=FAILED)))
    assert [(row.id, row.verdicts) for row in matrix.rows] == [
        ("a", (OK, OK)),
        ("b", (OK, FAILED)),
        ("c", (FAILED,) * 2),
    ]
    assert [row.id for row in matrix.differing] == ["b"]
    assert matrix.rows[1].rule == "the rule of b"


def test_a_case_that_is_not_for_one_of_them_has_an_empty_cell_and_its_own_place() -> None:
    matrix = Matrix(("pipe", "gateway"), (report(a=OK, c=OK, e=OK), report(a=OK, b=FAILED, c=OK, d=OK, f=OK)))
    assert [row.id for row in matrix.rows] == ["a", "b", "c", "d", "f", "e"]
    assert matrix.rows[1].verdicts == (None, FAILED)
    assert matrix.differing == ()


def test_a_summary_is_by_name() -> None:
    matrix = Matrix(("one", "two"), (report(a=OK, b=OK), report(a=FAILED, b=OK)))
    assert (matrix.summary["one"]["OK"], matrix.summary["one"]["FAILED"]) == (2, 0)
    assert (matrix.summary["two"]["OK"], matrix.summary["two"]["FAILED"]) == (1, 1)


def test_no_proxies_are_no_rows() -> None:
    assert Matrix((), ()).rows == ()


async def test_a_proxy_that_does_not_start_is_a_column_and_keeps_no_other_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "haproxy"
    program.write_text("#!/bin/sh\necho no such module >&2; exit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    told: list[str] = []
    found = await run_matrix(
        [parse_with("haproxy"), parse_with("haproxy:tcp")],
        CASES[:1],
        Setting(parse_origin("http://127.0.0.1:1"), limit_s=0.3),
        on_report=lambda name, report: told.append(f"{name} {report.summary['HARNESS-ERROR']}"),
    )
    assert told == ["haproxy:default 1", "haproxy:tcp 1"]
    assert [row.verdicts for row in found.rows] == [(ERROR, ERROR), *[(NOT_RUN, NOT_RUN)] * 3]
    lines = table(found)
    assert lines[6:8] == ["HARNESS-ERROR      1                  1", "DEPENDENCY-FAILED  3                  3"]
    assert "haproxy:tcp cannot be tested: " in lines[-1]
    assert "no such module" in lines[-1]
