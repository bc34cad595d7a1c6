"""Several loads on one server beside each other: where it bends. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from streamkit.bench.metrics import BY_NAME
from streamkit.bench.report.cells import Block, Cell, Table, estimate_cell
from streamkit.bench.report.document import figures_of
from streamkit.bench.report.marks import marks_of
from streamkit.bench.report.run_fields import QuantileName
from streamkit.bench.report.veil import Veil
from streamkit.bench.report.words import load_words, number
from streamkit.bench.results import Result, Run

__all__ = ["sweep_blocks"]

SHOWN: Final[tuple[tuple[str, QuantileName], ...]] = (
    ("ttft_ms", "p50"),
    ("ttft_ms", "p99"),
    ("tpot_ms", "p50"),
    ("e2e_ms", "p50"),
    ("e2e_ms", "p99"),
)


def sweep_blocks(result: Result, veil: Veil) -> Iterator[Block]:
    """Yield a block for each server that had several loads."""
    for server in dict.fromkeys(run.server for run in result.runs):
        runs = [run for run in result.runs if run.server == server]
        if len(runs) < 2:
            continue
        knees = [knee for knee in result.knees if knee.server == server]
        best = {knee.index: ("best tried" if knee.edge else "knee", knee) for knee in knees}
        head = ["", "ok", "errors", "ok/s", "tokens/s"]
        head += [f"{name} {quantile}" for name, quantile in SHOWN]
        if result.slo:
            head.append("goodput/s")
        rows = [_row(run, result, best[number][0] if number in best else "") for number, run in enumerate(runs)]
        lines = [(f"{what}: {veil.text(knee.words)}", "bold") for what, knee in best.values()]
        if len(result.servers) > 1:
            lines.append((f"each load is shared by {len(result.servers)} servers", ""))
        yield Block(f"{veil.text(server)}, all loads", Table(head, rows, extras=(4, 8, 7, 9)), lines)


def _row(run: Run, result: Result, what: str) -> list[Cell]:
    tally, span_s = run.tally, run.duration_s
    tokens_per_s = tally.counts["tokens"] / span_s if span_s else 0.0
    cells = [
        Cell(f"{load_words(run.load)}{f' <- {what}' if what else ''}", style="bold" if what else ""),
        Cell(f"{tally.outcomes['ok']:,}"),
        Cell(f"{tally.errors:,}", style="red" if tally.errors else ""),
        Cell(number(run.requests_per_s)),
        Cell(number(tokens_per_s)),
    ]
    for name, quantile in SHOWN:
        figures = figures_of(tally.distribution(name), BY_NAME[name], tally.outcomes["ok"], result.confidence)
        marks = marks_of(figures, run.tool_error.get(name), result.max_tool_error) if run.tool_error else {}
        cells.append(estimate_cell(figures[quantile], mark=marks.get(quantile, "")))
    if result.slo:
        cells.append(Cell(number(tally.counts["good"] / span_s if span_s else 0.0)))
    return cells
