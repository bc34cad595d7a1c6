"""How long does `streamkit contract` take: the whole pipe suite, and one case, against the embedded gateway?

From just before the process is made to its end. The peer is `streamkit contract --list`, which loads the cases and runs
none: what is left is the harness's own. The first start, which may compile files and fill caches, is not counted. A run
that does not end with exit code 0 is no measurement.

What the figure does not say: how long a run takes against a proxy that breaks promises. A case that fails waits for two
or three times `--limit`; most of them do so side by side.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from benchmarks.commands import command
from benchmarks.measure import Effort, Figure, Turn, Unavailable, alternate, ratio
from benchmarks.report import Row, Target, row_object, show_rows, skipped, write_json

__all__ = ["FULL", "QUESTIONS", "QUICK", "run"]

SUITE: Final = Target("<=", 30, "s")
ONE: Final = Target("<=", 1, "s")

FULL: Final = Effort(rounds=5)
QUICK: Final = Effort(size=0.1, rounds=3)

Command = Callable[[str], Turn]


def turn_of(*arguments: str) -> Turn:
    """Return what runs the command once, in ns."""

    def take() -> int:
        began_ns = time.perf_counter_ns()
        done = subprocess.run(
            [*command("streamkit"), "contract", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        spent_ns = time.perf_counter_ns() - began_ns
        if done.returncode:
            raise Unavailable(f"streamkit contract {' '.join(arguments)} ended with {done.returncode}: {done.stderr!r}")
        return spent_ns

    return take


def suite(effort: Effort) -> list[Row]:
    """Answer the question about the whole suite; a smaller effort runs only a part of it, which has no target."""
    part = () if effort.size >= 1 else ("--run", "flush", "--run", "end")
    return [_row("the pipe suite" if not part else "a part of the suite", part, effort, None if part else SUITE)]


def one(effort: Effort) -> list[Row]:
    """Answer the question about one case."""
    return [_row("one case", ("--run", "flush.sse.chunked"), effort, ONE)]


def _row(what: str, arguments: Sequence[str], effort: Effort, target: Target | None) -> Row:
    taken = alternate({"ours": turn_of(*arguments), "list": turn_of("--list")}, effort.rounds)
    figures = {name: Figure.of([ns / 1e9 for ns in times], "s") for name, times in taken.items()}
    against = ratio(taken["ours"], taken["list"])
    return Row("contract", what, figures["ours"], figures["list"], "--list", against, target)


QUESTIONS: Final[dict[str, Callable[[Effort], list[Row]]]] = {"contract-suite": suite, "contract-one": one}


def run(
    names: Sequence[str] = tuple(QUESTIONS),
    *,
    effort: Effort = FULL,
    json_file: Path | None = None,
    strict: bool = False,
) -> int:
    """Ask the named questions, print the table, write the JSON; return the exit status, 1 for a missed target."""
    rows: list[Row] = []
    for name in names:
        print(f"measuring {name} ...", file=sys.stderr)
        try:
            rows += QUESTIONS[name](effort)
        except Unavailable as reason:
            rows.append(skipped(name, "all of it", str(reason)))
    show_rows(f"contract: {effort.rounds} rounds", rows)
    if json_file is not None:
        settings = {"size": effort.size, "rounds": effort.rounds, "seed": effort.seed}
        write_json(json_file, "contract", settings, [row_object(row) for row in rows])
    return 1 if strict and any(row.verdict == "missed" for row in rows) else 0
