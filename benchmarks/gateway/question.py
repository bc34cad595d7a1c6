"""The questions about the gateway as one run: a row of this table is a module with a `NAME` and a `run`."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.gateway import conversion, delay, leaving, memory, streams, watching
from benchmarks.gateway.contenders import Contenders, versions
from benchmarks.measure import Effort, Unavailable
from benchmarks.report import Row, row_object, show_rows, skipped, write_json

__all__ = ["FULL", "QUESTIONS", "QUICK", "run"]

QUESTIONS: dict[str, Callable[[Effort, Contenders], list[Row]]] = {
    module.NAME: module.run for module in (delay, conversion, streams, leaving, memory, watching)
}
FULL = Effort(rounds=7)
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

    A missed target is printed and is status 0: on a shared machine it may be the machine's. `strict` makes it 1. A
    gateway that fails has no speed: its question is shown as skipped, with what went wrong, and the status is 1.
    """
    rows: list[Row] = []
    failed = False
    began = time.monotonic()
    for name in names:
        print(f"measuring {name} ...", file=sys.stderr)
        try:
            rows += QUESTIONS[name](effort, contenders or Contenders())
        except Unavailable as reason:
            rows.append(skipped(name, "all of it", str(reason)))
        except RuntimeError as error:
            failed = True
            rows.append(skipped(name, "all of it", f"FAILED: {error}"))
    spent_s = time.monotonic() - began
    load = f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}"
    show_rows(
        f"gateway: size {effort.size:g}, {effort.rounds} rounds, seed {effort.seed}, {spent_s:.0f} s, {load}", rows
    )
    peers = versions()
    print("peers:", ", ".join(f"{name} {version}" for name, version in peers.items()) or "none")
    if json_file is not None:
        settings = {"size": effort.size, "rounds": effort.rounds, "seed": effort.seed, "peers": peers}
        write_json(json_file, "gateway", settings, [row_object(row) for row in rows])
    return 1 if failed or (strict and any(row.verdict == "missed" for row in rows)) else 0
