"""Rows, targets, and how a run is shown: a rich table on a terminal, aligned text elsewhere, JSON for machines.

A row without a target is there for information: it says where the time goes or how far another tool is. A row without a
figure was skipped, and its note says by which name and why. The JSON is described in README.md in this folder.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from benchmarks.measure import Figure

__all__ = ["Row", "Target", "show_table", "skipped", "write_json"]

SCHEMA = "streamkit-benchmarks/1"
PACKAGES = (
    "streamkit",
    "msgspec",
    "trio",
    "h11",
    "orjson",
    "httpx",
    "httpx-sse",
    "openai",
    "anthropic",
    "sseclient-py",
)
Verdict = Literal["met", "missed", "info", "skipped"]


@dataclass(frozen=True, slots=True)
class Target:
    """What a row has to reach. In `x` it judges the ratio, in any other unit our own figure."""

    sense: Literal[">=", "<="]
    value: float
    unit: str

    def __str__(self) -> str:
        return f"{self.sense} {self.value:g}{self.unit if self.unit == 'x' else ' ' + self.unit}"

    def met_by(self, figure: Figure) -> bool:
        """Whether the figure's value (not its range) is on the right side."""
        return figure.value >= self.value if self.sense == ">=" else figure.value <= self.value


@dataclass(frozen=True, slots=True)
class Row:
    """One answer.

    Attributes:
        question: the name of the module that asks.
        what: what was measured.
        ours: our figure; None when the row was skipped.
        peer: what it is compared with.
        peer_name: who that is.
        ratio: ours against the peer's; `what` or the module says which way round.
        target: what it has to reach, or None for information only.
        note: what a reader must know about this row.
        detail: further figures of the same measurement, by name.
    """

    question: str
    what: str
    ours: Figure | None
    peer: Figure | None = None
    peer_name: str = ""
    ratio: Figure | None = None
    target: Target | None = None
    note: str = ""
    detail: Mapping[str, Figure] = field(default_factory=dict)

    @property
    def verdict(self) -> Verdict:
        """Whether the target was reached."""
        judged = self.ratio if self.target is not None and self.target.unit == "x" else self.ours
        if judged is None:
            return "skipped"
        if self.target is None:
            return "info"
        return "met" if self.target.met_by(judged) else "missed"


def skipped(question: str, what: str, why: str) -> Row:
    """The row of something that could not be measured here."""
    return Row(question, what, None, note=why)


def show_table(title: str, columns: Sequence[str], cells: Sequence[Sequence[str]], notes: Sequence[str] = ()) -> None:
    """Print a table to stdout: rich's on a terminal where rich is installed, aligned columns otherwise."""
    if sys.stdout.isatty() and _show_rich(title, columns, cells):
        pass
    else:
        widths = [max(len(line[column]) for line in (columns, *cells)) for column in range(len(columns))]
        print(title)
        for line in (columns, ["-" * width for width in widths], *cells):
            print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
    for note in notes:
        print(f"  {note}")


def show_rows(title: str, rows: Sequence[Row]) -> None:
    """Print the rows, then their notes and further figures, then how many targets were met and which were missed."""
    columns = ("what", "ours", "peer", "ratio", "its range", "target", "verdict")
    cells = [
        (
            f"{row.question}: {row.what}",
            shown(row.ours),
            f"{shown(row.peer)} {row.peer_name}".strip(),
            shown(row.ratio),
            span(row.ratio or row.ours),
            str(row.target or ""),
            row.verdict,
        )
        for row in rows
    ]
    notes = [f"{row.question}: {row.what}: {text}" for row in rows if (text := _note(row))]
    show_table(title, columns, cells, notes)
    judged = [row for row in rows if row.verdict in ("met", "missed")]
    missed = [f"{row.question}: {row.what}" for row in judged if row.verdict == "missed"]
    print(f"{len(judged) - len(missed)} of {len(judged)} targets met{'; missed:' if missed else ''}")
    for name in missed:
        print(f"  {name}")


def write_json(path: Path, command: str, settings: Mapping[str, object], rows: Sequence[Mapping[str, object]]) -> None:
    """Write a run as one JSON object."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    document = {
        "schema": SCHEMA,
        "command": command,
        "settings": dict(settings),
        "machine": {
            "python": platform.python_version(),
            "system": platform.system(),
            "machine": platform.machine(),
            "cpus": os.cpu_count(),
            "packages": versions,
        },
        "rows": list(rows),
    }
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def row_object(row: Row) -> dict[str, object]:
    """A row as the JSON has it."""
    return {**asdict(row), "target": asdict(row.target) if row.target else None, "verdict": row.verdict}


def shown(figure: Figure | None) -> str:
    """A figure in three digits and its unit."""
    if figure is None:
        return ""
    return f"{_digits(figure.value)}{figure.unit if figure.unit == 'x' else ' ' + figure.unit}"


def span(figure: Figure | None) -> str:
    """The lowest and highest round of a figure."""
    return "" if figure is None else f"{_digits(figure.low)}-{_digits(figure.high)}"


def _digits(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _note(row: Row) -> str:
    figures = ", ".join(f"{name} {shown(figure)}" for name, figure in row.detail.items())
    return "; ".join(part for part in (row.note, figures) if part)


def _show_rich(title: str, columns: Sequence[str], cells: Sequence[Sequence[str]]) -> bool:
    try:
        from rich.console import Console
        from rich.table import Table
    except ImportError:
        return False
    colours = {"met": "green", "ok": "green", "missed": "red", "held": "red", "wrong": "red", "skipped": "yellow"}
    table = Table(title=title, title_justify="left")
    for position, column in enumerate(columns):
        table.add_column(column, justify="left" if position in (0, len(columns) - 1) else "right")
    for line in cells:
        table.add_row(*line, style=colours.get(line[-1]) if line[-1] in ("missed", "held", "wrong") else None)
    Console().print(table)
    return True
