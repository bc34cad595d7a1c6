"""Two saved benchmarks beside each other, and the conditions on their difference, as blocks. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from streamkit.bench.compare import Comparison, Row, Verdict
from streamkit.bench.conditions import Judged, Outcome
from streamkit.bench.report.cells import Block, Cell, Table, estimate_cell
from streamkit.bench.report.veil import Veil
from streamkit.bench.report.words import number
from streamkit.bench.results import Estimate

__all__ = ["comparison_blocks"]

STYLES: Final[dict[Verdict, str]] = {"better": "green", "worse": "red", "changed": "cyan", "same": "", "unknown": "dim"}

OUTCOMES: Final[dict[Outcome, str]] = {"failed": "bold red", "passed": "green", "undecided": "yellow"}


def comparison_blocks(
    comparison: Comparison, judged: Sequence[Judged] = (), *, names: tuple[str, str] = ("A", "B")
) -> list[Block]:
    """Return what is said of two benchmarks: a block for each load, what they differ in, and the conditions."""
    text = Veil(()).text
    blocks = [
        _load(
            text(server),
            text(load),
            [row for row in comparison.rows if (row.server, row.load) == (server, load)],
            names,
        )
        for server, load in dict.fromkeys((row.server, row.load) for row in comparison.rows)
    ]
    notes = [(text(each), "yellow") for each in comparison.notes]
    if comparison.rows:
        notes.append((f"In brackets the {comparison.confidence * 100:g} % intervals.", "dim"))
    if notes:
        blocks.append(Block("", lines=notes))
    if judged:
        blocks.append(Block("", lines=[(text(_judged(each)), OUTCOMES[each.outcome]) for each in judged]))
    return blocks


def _load(server: str, load: str, rows: Sequence[Row], names: tuple[str, str]) -> Block:
    head = ["", *names, "difference", "relative", "tool error", "verdict"]
    worse = sum(row.verdict == "worse" for row in rows)
    table = Table(head, [[*_cells(row)] for row in rows], extras=(5, 3))
    return Block(f"{server}, {load}", table, [*_notes(rows)], is_bad=worse > 0)


def _cells(row: Row) -> Iterator[Cell]:
    yield Cell(_name(row))
    yield estimate_cell(row.a)
    yield estimate_cell(row.b)
    yield estimate_cell(row.difference, is_signed=True)
    yield _percent(row.relative)
    yield Cell(number(row.tool_error))
    yield Cell(row.verdict, style=STYLES[row.verdict])


def _name(row: Row) -> str:
    return f"{row.metric} {row.figure or '%'}"  # what has no quantile is a share


def _percent(found: Estimate | None) -> Cell:
    if found is None:
        return Cell("-")
    value, low, high = (f"{each * 100:+.1f}" for each in (found.value, found.low, found.high))
    return Cell(f"{value} %", low, high)


def _notes(rows: Sequence[Row]) -> Iterator[tuple[str, str]]:
    """Yield why verdicts are unknown, each reason once, with the figures that it holds for."""
    reasons: dict[str, list[str]] = {}
    for row in rows:
        if row.note:
            reasons.setdefault(row.note, []).append(_name(row))
    for note, figures in reasons.items():
        yield f"unknown: {note} ({', '.join(figures)})", "dim"


def _judged(judged: Judged) -> str:
    where = f" ({judged.row.server}, {judged.row.load})" if judged.row is not None else ""
    return f"{judged.outcome}: {judged.condition.text}{where}: {judged.words}"
