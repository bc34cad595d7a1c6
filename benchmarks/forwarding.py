"""Does any path hold anything back, and how late does what it forwards arrive?

Every row of paths.py is driven in lockstep (lockstep.py says how): piece N+1 is released when everything that piece N
completes has arrived downstream. For each path: pieces in, pieces out, pieces held and the most bytes ever held back,
the p50 and p99 of the lag, and whether what arrived was right. A held or wrong path makes the exit status 1.

What the figures do not say: throughput (see codecs), and the lag under load. The lag of a filter holds two wake-ups and
two pipes, which the baseline rows show alone.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path as FilePath

import trio

from benchmarks.lockstep import Outcome, run_in_lockstep
from benchmarks.measure import percentile
from benchmarks.paths import PATHS, Path
from benchmarks.report import show_table, write_json

__all__ = ["RECORDS", "run"]

RECORDS = 300
COLUMNS = ("path", "pieces in", "pieces out", "held", "bytes held", "lag p50", "lag p99", "verdict")


def run(
    paths: Sequence[Path] = PATHS,
    *,
    records: int = RECORDS,
    seed: int = 1,
    bound_s: float = 5,
    json_file: FilePath | None = None,
) -> int:
    """Drive the paths, print the table, write the JSON; return the exit status."""
    outcomes: list[tuple[Path, Outcome]] = []
    for path in paths:
        print(f"driving {path.name} ...", file=sys.stderr)
        wire = path.wire(records, seed)
        drive = partial(run_in_lockstep, path.run, wire, branches=path.branches, seed=seed, bound_s=bound_s)
        outcomes.append((path, trio.run(drive)))
    title = f"forwarding in lockstep: {records} records a path, seed {seed}, a piece is held after {bound_s:g} s"
    notes = [f"{path.name}: {outcome.fault}" for path, outcome in outcomes if outcome.fault]
    show_table(title, COLUMNS, [cells(path, outcome) for path, outcome in outcomes], notes)
    bad = [path.name for path, outcome in outcomes if outcome.verdict != "ok"]
    print(f"{len(outcomes) - len(bad)} of {len(outcomes)} paths hold nothing back{'; not:' if bad else ''}")
    for name in bad:
        print(f"  {name}")
    if json_file is not None:
        settings = {"records": records, "seed": seed, "bound_s": bound_s}
        write_json(json_file, "forwarding", settings, [row_object(path, outcome) for path, outcome in outcomes])
    return 1 if bad else 0


def lag(outcome: Outcome, percent: float) -> float | None:
    """A percentile of the lags in ms, or None if nothing arrived in time."""
    return percentile(outcome.lags_ms, percent) if outcome.lags_ms else None


def cells(path: Path, outcome: Outcome) -> tuple[str, ...]:
    """A row of the table."""
    lags = [f"{value:.3f} ms" if (value := lag(outcome, percent)) is not None else "" for percent in (50, 99)]
    counts = (outcome.pieces_in, outcome.pieces_out, outcome.held_pieces, outcome.held_bytes)
    return (f"{path.kind}: {path.name}", *map(str, counts), *lags, outcome.verdict)


def row_object(path: Path, outcome: Outcome) -> dict[str, object]:
    """A row of the JSON."""
    return {
        "path": path.name,
        "kind": path.kind,
        "pieces_in": outcome.pieces_in,
        "pieces_out": outcome.pieces_out,
        "held_pieces": outcome.held_pieces,
        "held_bytes": outcome.held_bytes,
        "lag_p50_ms": lag(outcome, 50),
        "lag_p99_ms": lag(outcome, 99),
        "completing_pieces": len(outcome.lags_ms),
        "fault": outcome.fault,
        "verdict": outcome.verdict,
    }
