"""The questions about conversions run, with a thousandth of their work; what the figures are is not asked here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import convert
from benchmarks.__main__ import main
from benchmarks.measure import Effort
from streamkit.dialects.convert import Converter
from streamkit.dialects.registry import DIALECTS

TINY = Effort(size=0.001, rounds=1)


@pytest.mark.needs("jq")
def test_jq_does_the_same_mapping() -> None:
    """The question itself refuses to measure two programs that write different bytes."""
    (row,) = convert.against_jq(TINY)
    assert row.verdict in {"met", "missed"}


def test_memory_is_compared_with_a_tenth_of_the_work() -> None:
    (row,) = convert.memory(TINY)
    assert row.ratio is not None
    assert 0.5 < row.ratio.value < 2


def test_every_pair_has_a_figure() -> None:
    rows = convert.pairs(TINY)
    assert len(rows) == len(convert.sources()) * len(DIALECTS)
    assert all(row.ours is not None and row.ours.value > 0 for row in rows)


def test_an_answer_is_one_whole_stream() -> None:
    converter = Converter("ollama-chat", "openai-chat", strict=True)
    for block in convert.answer(100_000, 1):
        converter.feed(block)
    assert converter.finish() == []
    assert converter.decoder.over  # type: ignore[union-attr]


def test_the_run_prints_a_table_of_pairs(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "run.json"
    assert main(["convert", "--only", "convert-pairs", "--quick", "--json", str(file)]) == 0
    out = capsys.readouterr().out
    assert [line.split()[0] for line in out.splitlines()[3:]] == convert.sources()
    assert json.loads(file.read_text())["command"] == "convert"
