"""A benchmark as text: a table that fits a terminal, or aligned plain lines anywhere else.

`blocks` says what is in it. On a terminal that is too narrow for a figure and its interval beside each other, the
interval stands below. rich is loaded for a terminal alone; plain lines need none of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, Final

from streamkit.bench.report.blocks import blocks_of
from streamkit.bench.report.cells import Block, Cell, Table
from streamkit.bench.results import Result

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

__all__ = ["plain_lines", "plain_lines_of", "print_blocks", "print_table"]

GAP: Final = 2


def plain_lines(result: Result) -> list[str]:
    """Return a benchmark as lines that are aligned, without colours and however wide they get."""
    return plain_lines_of(blocks_of(result))


def plain_lines_of(blocks: Sequence[Block]) -> list[str]:
    """Return blocks as such lines; an empty one between them."""
    lines: list[str] = []
    for block in blocks:
        lines += ["", *_plain(block)] if lines else _plain(block)
    return lines


def print_table(result: Result, console: Console) -> None:
    """Print a benchmark on a terminal."""
    print_blocks(blocks_of(result), console)


def print_blocks(blocks: Sequence[Block], console: Console) -> None:
    """Print blocks on a terminal, an empty line between them."""
    from rich.text import Text

    for number, block in enumerate(blocks):
        if number:
            console.print()
        if block.title:
            console.print(Text(block.title, style="bold red" if block.is_bad else "bold"), soft_wrap=False)
        if block.table is not None:
            console.print(_rich(block.table, console.width))
        for line, style in block.lines:
            console.print(Text(line, style=style))


# Plain.


def _plain(block: Block) -> list[str]:
    lines = [block.title] if block.title else []
    if block.table is not None:
        rows = [block.table.head, *([_inline(cell) for cell in row] for row in block.table.rows)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(block.table.head))]
        lines += [_aligned(row, widths) for row in rows]
    return lines + [f"  {line}" if block.title else line for line, _ in block.lines]


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = (
        text.rjust(width) if column else text.ljust(width)
        for column, (text, width) in enumerate(zip(row, widths, strict=True))
    )
    return "  " + (" " * GAP).join([first, *others]).rstrip()


def _inline(cell: Cell) -> str:
    interval = f" [{cell.low}, {cell.high}]" if cell.low else ""
    return f"{cell.text}{interval}{f' {cell.mark}' if cell.mark else ''}"


# On a terminal.


def _rich(table: Table, width: int) -> RichTable:
    """Return a table that is at most so wide, as far as that can be."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table as RichTable

    columns = [*range(len(table.head))]
    is_stacked = _width(table, columns, is_stacked=False) > width
    extras = [*table.extras]
    while extras and _width(table, columns, is_stacked=is_stacked) > width:
        columns.remove(extras.pop(0))
    is_tight = _width(table, columns, is_stacked=is_stacked) > width
    shown = RichTable(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for column in columns:
        shown.add_column(
            "\n".join(_head(table, column, is_stacked=is_stacked)),
            justify="right" if column else "left",
            vertical="top",
            no_wrap=not is_tight,
            overflow="fold",
            header_style="dim",
        )
    for row in table.rows:
        shown.add_row(*(_shown(row[column], is_stacked=is_stacked) for column in columns))
    return shown


def _width(table: Table, columns: Sequence[int], *, is_stacked: bool) -> int:
    """Return how wide a table gets."""
    widths = (
        max(map(len, [*_head(table, column, is_stacked=is_stacked), *_all_lines(table, column, is_stacked=is_stacked)]))
        for column in columns
    )
    return sum(widths) + GAP * (len(columns) - 1) + 1


def _head(table: Table, column: int, *, is_stacked: bool) -> list[str]:
    """Return a column's head, on as many lines as keep it from being wider than what stands below."""
    words = table.head[column]
    if not is_stacked:
        return [words]
    width = max(map(len, [*_all_lines(table, column, is_stacked=True), *words.split(), "-"]))
    return wrap(words, width) or [""]


def _all_lines(table: Table, column: int, *, is_stacked: bool) -> list[str]:
    return [line for row in table.rows for line in _lines(row[column], is_stacked=is_stacked)]


def _lines(cell: Cell, *, is_stacked: bool) -> list[str]:
    if not is_stacked:
        return [_inline(cell)]
    first = f"{cell.text} {cell.mark}".rstrip()
    if " / " in first:
        return first.split(" / ")
    return [first, f"{cell.low}..{cell.high}"] if cell.low else [first]


def _shown(cell: Cell, *, is_stacked: bool) -> Text:
    from rich.text import Text

    first, *below = _lines(cell, is_stacked=is_stacked)
    if is_stacked:
        text = Text(first, style=cell.style)
        for line in below:
            text.append(f"\n{line}", style="dim")
        return text
    text = Text(cell.text, style=cell.style)
    if cell.low:
        text.append(f" [{cell.low}, {cell.high}]", style="dim")
    if cell.mark:
        text.append(f" {cell.mark}", style="bold yellow")
    return text
