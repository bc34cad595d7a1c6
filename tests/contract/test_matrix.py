"""Reports beside each other: every case once, in the suite's order, and what tells the proxies apart."""

from __future__ import annotations

from streamkit.contract.matrix import Matrix
from streamkit.contract.results import Report, Result
from streamkit.contract.verdicts import Ending, Verdict

OK, FAILED = Verdict.OK, Verdict.FAILED


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
