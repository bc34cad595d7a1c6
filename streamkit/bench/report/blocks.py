"""A benchmark as blocks of lines and tables, for a terminal or a file: what is said, not how it looks. Pure.

Figures are in the unit that a metric's name says, each with its interval. `-` stands for a figure that the sample is
too small for, `!` behind one of which our own error is a large part, and `?` behind one of which nobody knows that.
"""

from __future__ import annotations

from collections.abc import Container, Iterator

from streamkit.bench.report.blocks_pairs import paired_blocks
from streamkit.bench.report.blocks_run import run_block
from streamkit.bench.report.blocks_sweep import sweep_blocks
from streamkit.bench.report.cells import Block
from streamkit.bench.report.document import began_of
from streamkit.bench.report.veil import Veil, shown_url
from streamkit.bench.report.words import shown_metrics
from streamkit.bench.results import Result
from streamkit.bench.statistics import smallest_n

__all__ = ["blocks_of"]


def blocks_of(result: Result) -> list[Block]:
    """Return all that is said of a benchmark, in order."""
    veil = Veil(result.servers)
    figures = [
        *(run_block(run, result, veil) for run in result.runs),
        *sweep_blocks(result, veil),
        *paired_blocks(result, veil),
    ]
    marks = {cell.mark for block in figures if block.table for row in block.table.rows for cell in row}
    return [_head(result, veil), *figures, *_tail(result, veil, marks)]


def _head(result: Result, veil: Veil) -> Block:
    processes = f"{result.workers} processes" if result.workers > 1 else "1 process"
    told = [f"streamkit bench {result.version}".strip(), began_of(result), f"seed {result.seed}", processes]
    block = Block(", ".join(each for each in told if each))
    if result.machine:
        block.lines.append((veil.text(result.machine), "dim"))
    for server in result.servers:
        words = (server.name, shown_url(server.url), server.dialect, server.model)
        block.lines.append(("  ".join(veil.text(each) for each in words if each), ""))
    if result.prompts:
        block.lines.append((f"asked: {veil.text(result.prompts)}", ""))
    return block


def _tail(result: Result, veil: Veil, marks: Container[str]) -> Iterator[Block]:
    if result.runs:
        lines = [f"In brackets the {result.confidence * 100:g} % intervals."]
        figures = [(run, metric) for run in result.runs for metric in shown_metrics([run])]
        if any(run.tally.distribution(metric.name).n < smallest_n(0.99, result.confidence) for run, metric in figures):
            most = smallest_n(0.99, result.confidence)
            lines.append(f"-: the sample is too small; a p99 takes {most:,} values, a p50 {smallest_n(0.5):,}.")
        if any(run.tool_error for run in result.runs):
            lines.append(f"!: the tool's own error is more than {result.max_tool_error * 100:g} % of the figure.")
        if "?" in marks:
            lines.append("?: how large the tool's own error is there is not known: the calibration has too few values.")
        yield Block("", lines=[(each, "dim") for each in lines])
    notes = [veil.text(each) for each in result.notes]
    if result.is_interrupted:
        notes.append("Interrupted: this is what there was until then.")
    if notes:
        yield Block("", lines=[(each, "yellow") for each in notes])
