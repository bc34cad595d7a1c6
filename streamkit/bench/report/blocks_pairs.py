"""What a proxy adds, as blocks. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from streamkit.bench.report.cells import Block, Cell, Table, error_words, estimate_cell, many
from streamkit.bench.report.marks import marks_of
from streamkit.bench.report.veil import Veil
from streamkit.bench.report.words import joins_events, number, shared_words
from streamkit.bench.results import Difference, Estimate, Paired, Result, TokenDelay, ToolError

__all__ = ["paired_blocks"]

ERROR: Final = "tool error p50 / p99"


def paired_blocks(result: Result, veil: Veil) -> Iterator[Block]:
    """Yield the blocks of each proxy beside the server itself."""
    for paired in result.paired:
        yield _differences(paired, result, veil)
        if paired.token_delay or paired.request_delay:
            yield _delays(paired, result.max_tool_error, veil)


def _differences(paired: Paired, result: Result, veil: Veil) -> Block:
    names = f"{veil.text(paired.proxy)} less {veil.text(paired.direct)}"
    told = [many(paired.pairs, "pair"), f"{paired.broken:,} broken"]
    if paired.cut:
        told.append(f"{paired.cut:,} cut by the end of the run")
    errors, share = paired.tool_error, result.max_tool_error
    rows = _difference_rows(paired.differences, "", errors, share)
    if paired.differences_reused and paired.differences_reused != paired.differences:
        rows += _difference_rows(paired.differences_reused, ", reused connections", errors, share)
    rows += _difference_rows(paired.shares, ", by the upstream's journal", errors, share)
    lines = [*_joined(paired)]
    if paired.uneven:
        lines.append((f"in {many(paired.uneven, 'pair')} the two answers are of different lengths", "yellow"))
    table = Table(["", "pairs", "p50", "p90", "p99", "mean", ERROR], rows, extras=(5, 6)) if rows else None
    title = f"{names}, {shared_words(paired.load, len(result.servers))}: {', '.join(told)}"
    return Block(title, table, lines, is_bad=paired.broken > 0)


def _joined(paired: Paired) -> Iterator[tuple[str, str]]:
    """Yield how many events came at once: in our reads, in single segments, and as the upstream wrote them."""
    style = "yellow" if joins_events(paired) else ""
    yield (
        f"token events in one read: {number(paired.events_per_read_in)} in, {number(paired.events_per_read_out)} out",
        style,
    )
    into, out = paired.events_per_segment_in, paired.events_per_segment_out
    if into or out:
        yield f"in one segment: {number(into or None)} in, {number(out or None)} out", style
    if paired.events_per_write:
        yield f"the upstream wrote {number(paired.events_per_write)} at once for the proxy", ""


def _difference_rows(
    differences: Mapping[str, Difference], words: str, errors: Mapping[str, ToolError], share: float
) -> list[list[Cell]]:
    rows = []
    for name, each in differences.items():
        figures = {"p50": each.p50, "p90": each.p90, "p99": each.p99, "mean": each.mean}
        rows.append(
            [
                Cell(f"{name}{words}", style="dim" if words else ""),
                Cell(f"{each.n:,}"),
                *_cells(figures, errors.get(name), share, is_known=bool(errors), is_signed=True),
            ]
        )
    return rows


def _cells(
    figures: Mapping[str, Estimate | None], error: ToolError | None, share: float, *, is_known: bool, is_signed: bool
) -> Iterator[Cell]:
    """Yield the cells of figures, and that of the tool's error in them; marked where a calibration was made at all."""
    marks = marks_of(figures, error, share) if is_known else {}
    for name, found in figures.items():
        yield estimate_cell(found, mark=marks.get(name, ""), is_signed=is_signed)
    yield Cell(error_words(error))


def _delays(paired: Paired, share: float, veil: Veil) -> Block:
    title = f"from one end to the other, in ms, by the upstream's journal ({veil.text(paired.proxy)})"
    errors = paired.delay_error
    rows = _delay_rows(paired.request_delay, "request", errors, share, veil)
    rows += _delay_rows(paired.token_delay, "token", errors, share, veil)
    block = Block(title, Table(["", "n", "p50", "p90", "p99", ERROR], rows, extras=(5,)))
    for server, each in paired.token_delay.items():
        if each.unresolved:
            tokens = many(each.unresolved, "token")
            line = f"{veil.text(server)}: of {tokens} the time is not known: they came together with others"
            block.lines.append((line, "yellow"))
    for server, n in paired.unmatched.items():
        if n:
            block.lines.append((f"{veil.text(server)}: the journal does not tell of {many(n, 'answer')}", "yellow"))
    return block


def _delay_rows(
    delays: Mapping[str, TokenDelay], way: str, errors: Mapping[str, ToolError], share: float, veil: Veil
) -> list[list[Cell]]:
    return [
        [
            Cell(f"{way}, {veil.text(server)}"),
            Cell(f"{each.n:,}"),
            *_cells(
                {"p50": each.p50, "p90": each.p90, "p99": each.p99},
                errors.get(way),
                share,
                is_known=bool(errors),
                is_signed=False,
            ),
        ]
        for server, each in delays.items()
    ]
