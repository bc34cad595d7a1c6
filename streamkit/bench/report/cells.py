"""What reports on a terminal are made of: blocks of a title, a table and lines, and tables of cells. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from streamkit.bench.report.words import number
from streamkit.bench.results import Estimate, ToolError

__all__ = ["Block", "Cell", "Table", "error_words", "estimate_cell", "many", "signed"]


@dataclass(frozen=True)
class Cell:
    """One cell.

    Attributes:
        text: the figure, or a word.
        low, high: the ends of its interval; empty where it has none.
        mark: `!` or `?`, or empty.
        style: as rich has it.
    """

    text: str
    low: str = ""
    high: str = ""
    mark: str = ""
    style: str = ""


@dataclass
class Table:
    """Rows under a head; the first column is of words, the others of figures.

    Attributes:
        extras: the columns that may be left out where there is no room, in the order in which they go.
    """

    head: list[str]
    rows: list[list[Cell]]
    extras: Sequence[int] = ()


@dataclass
class Block:
    """A paragraph: a title, a table, lines.

    Attributes:
        title: empty for none.
        lines: text and its style.
        is_bad: whether the title says something bad.
    """

    title: str
    table: Table | None = None
    lines: list[tuple[str, str]] = field(default_factory=list)
    is_bad: bool = False


def estimate_cell(found: Estimate | None, *, mark: str = "", is_signed: bool = False) -> Cell:
    """Return the cell of a figure; of a difference with its sign."""
    if found is None:
        return Cell("-")
    shown = signed if is_signed else number
    style = "yellow" if mark == "!" else ""
    return Cell(shown(found.value), shown(found.low), shown(found.high), mark, style)


def error_words(error: ToolError | None) -> str:
    """Return the tool's own error in a metric: the median, and the p99 where it is known."""
    return "-" if error is None else f"{number(error.p50)} / {number(error.p99)}"


def signed(value: float) -> str:
    """Return a difference with its sign."""
    return f"+{number(value)}" if value > 0 else number(value)


def many(count: int, word: str) -> str:
    """Return a count of things: `1 pair`, `1,200 pairs`."""
    return f"{count:,} {word}{'' if count == 1 else 's'}"
