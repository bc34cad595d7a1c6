"""The contract's benchmark answers with all its rows, and what does not pass is no measurement."""

from __future__ import annotations

import pytest

from benchmarks import contract
from benchmarks.measure import Effort, Unavailable
from benchmarks.report import Row

TINY = Effort(size=0.001, rounds=1)


def test_one_case_has_a_figure_and_its_target() -> None:
    (row,) = contract.one(TINY)
    assert row.ours is not None
    assert row.peer is not None
    assert row.verdict in {"met", "missed"}
    assert row.ours.value > 0


def test_what_fails_is_no_measurement() -> None:
    with pytest.raises(Unavailable, match="ended with 2"):
        contract.turn_of("--run", "no-such-case")()


def test_it_is_skipped_with_the_reason(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def unavailable(_: Effort) -> list[Row]:
        raise Unavailable("it is not here")

    monkeypatch.setitem(contract.QUESTIONS, "contract-one", unavailable)
    assert contract.run(["contract-one"], effort=TINY) == 0
    assert "it is not here" in capsys.readouterr().out
