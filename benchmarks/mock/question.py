"""The questions about the mock server as one run: a row of this table is a module with a `NAME` and a `run`."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.measure import Effort, Unavailable
from benchmarks.mock import aimock, crowd, pacing, start, throughput
from benchmarks.mock.servers import Contenders
from benchmarks.report import Row, row_object, show_rows, skipped, write_json

__all__ = ["FULL", "QUESTIONS", "QUICK", "run"]

QUESTIONS: dict[str, Callable[[Effort, Contenders], list[Row]]] = {
    module.NAME: module.run for module in (throughput, pacing, crowd, start)
}
FULL = Effort(rounds=5)
QUICK = Effort(size=0.1, rounds=3)


def run(
    names: Sequence[str] = tuple(QUESTIONS),
    *,
    effort: Effort = FULL,
    contenders: Contenders | None = None,
    json_file: Path | None = None,
    strict: bool = False,
) -> int:
    """Ask the named questions, print the table, write the JSON; return the exit status.

    A missed target is printed and is status 0: on a shared machine it may be the machine's. `strict` makes it 1.
    Without `contenders` the mock server is measured beside the control, and beside the peers that are installed.
    """
    rows: list[Row] = []
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        if contenders is None:
            found, why = aimock.peers(Path(folder))
            contenders = Contenders(peers=found)
            if why:
                rows.append(skipped("mock", "the peer from npm", why))
        for name in names:
            print(f"measuring {name} ...", file=sys.stderr)
            try:
                rows += QUESTIONS[name](effort, contenders)
            except Unavailable as reason:
                rows.append(skipped(name, "all of it", str(reason)))
    spent_s = time.monotonic() - began
    load = f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}"
    show_rows(f"mock: size {effort.size:g}, {effort.rounds} rounds, seed {effort.seed}, {spent_s:.0f} s, {load}", rows)
    if json_file is not None:
        settings = {"size": effort.size, "rounds": effort.rounds, "seed": effort.seed}
        write_json(json_file, "mock", settings, [row_object(row) for row in rows])
    return 1 if strict and any(row.verdict == "missed" for row in rows) else 0
