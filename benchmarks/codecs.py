"""The speed questions as one run: a row of this table is a module with a `NAME` and a `run`."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks import filter_delay, jq, long_line, ndjson_decode, pipeline, sse_decode, startup
from benchmarks.measure import Effort, Unavailable
from benchmarks.report import Row, row_object, show_rows, skipped, write_json

__all__ = ["FULL", "QUESTIONS", "QUICK", "run"]

Question = Callable[[Effort], list[Row]]

QUESTIONS: dict[str, Question] = {
    module.NAME: module.run for module in (sse_decode, ndjson_decode, jq, long_line, pipeline, filter_delay, startup)
}
FULL = Effort()
QUICK = Effort(size=0.1, rounds=3)


def run(
    names: Sequence[str] = tuple(QUESTIONS),
    *,
    effort: Effort = FULL,
    json_file: Path | None = None,
    strict: bool = False,
) -> int:
    """Ask the named questions, print the table, write the JSON; return the exit status.

    A missed target is printed and is status 0: on a shared machine it may be the machine's. `strict` makes it 1.
    """
    rows: list[Row] = []
    start = time.monotonic()
    for name in names:
        print(f"measuring {name} ...", file=sys.stderr)
        try:
            rows += QUESTIONS[name](effort)
        except Unavailable as why:
            rows.append(skipped(name, "all of it", str(why)))
    spent_s = time.monotonic() - start
    show_rows(f"codecs: size {effort.size:g}, {effort.rounds} rounds, seed {effort.seed}, {spent_s:.0f} s", rows)
    if json_file is not None:
        settings = {"size": effort.size, "rounds": effort.rounds, "seed": effort.seed}
        write_json(json_file, "codecs", settings, [row_object(row) for row in rows])
    return 1 if strict and any(row.verdict == "missed" for row in rows) else 0
