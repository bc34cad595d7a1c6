"""The questions about `streamkit bench` as one run; with `--peers` beside aiperf and guidellm, where those are."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from benchmarks.bench import accuracy, peers, rate, weight
from benchmarks.measure import Effort, Unavailable
from benchmarks.report import Row, row_object, show_rows, skipped, write_json

__all__ = ["FULL", "QUESTIONS", "QUICK", "run"]

QUESTIONS: Final[dict[str, Callable[[Effort], list[Row]]]] = {
    "bench-accuracy-64": accuracy.at_64,
    "bench-accuracy-256": accuracy.at_256,
    rate.NAME: rate.run,
    weight.NAME: weight.run,
}
FULL = Effort(rounds=5)
QUICK = Effort(size=0.1, rounds=3)


def run(
    names: Sequence[str] = tuple(QUESTIONS),
    *,
    effort: Effort = FULL,
    json_file: Path | None = None,
    strict: bool = False,
    with_peers: bool = False,
) -> int:
    """Ask the named questions, print the table, write the JSON; return the exit status, 1 for a missed target."""
    rows: list[Row] = []
    asked = {name: QUESTIONS[name] for name in names}
    if with_peers:
        asked[peers.NAME] = peers.run
    began_s = time.monotonic()
    for name, question in asked.items():
        print(f"measuring {name} ...", file=sys.stderr)
        try:
            rows += question(effort)
        except Unavailable as reason:
            rows.append(skipped(name, "all of it", str(reason)))
    spent_s = time.monotonic() - began_s
    load = f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}"
    show_rows(f"bench: size {effort.size:g}, {effort.rounds} rounds, {spent_s:.0f} s, {load}", rows)
    if json_file is not None:
        settings = {"size": effort.size, "rounds": effort.rounds, "seed": effort.seed, "peers": with_peers}
        write_json(json_file, "bench", settings, [row_object(row) for row in rows])
    return 1 if strict and any(row.verdict == "missed" for row in rows) else 0
