"""Does the gateway's memory stay flat over 10,000 streams?

One gateway carries 1,000 streams of 20 events, and then 9,000 more (a quick run: 1,000 more), 32 at once; every tenth
is left by its client in the middle, because what is not cleaned up is more likely there. What is resident (VmRSS) is
read after the first thousand, half way, and after the last, each time when nothing runs any more.

*Flat* means: from the first thousand to the last it grows by at most 2 MB, two million bytes: 222 bytes for each of the
9,000 streams. That is more than the allocator's own coming and going (a few arenas of 256 KiB or 1 MiB, which it takes
until the busiest moment has been seen) and less than a record, a head or a buffer that is kept of each stream would be.
What is kept of the last streams on purpose, the bounded list of records, is full after the first thousand.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Final

from benchmarks.gateway.contenders import OURS, Contenders, Started
from benchmarks.gateway.load import Load, take_turn, upstream
from benchmarks.measure import Effort, Figure
from benchmarks.report import Row, Target, skipped

__all__ = ["NAME", "run"]

NAME: Final = "gateway-memory"
FIRST, ALL = 1000, 10_000
LEAVE_EVERY: Final = 10
SETTLE_S: Final = 0.5
FLAT = Target("<=", 2, "MB")


def run(effort: Effort, contenders: Contenders) -> list[Row]:
    """Answer the question."""
    whole = effort.of(ALL, at_least=2 * FIRST)
    middle = (FIRST + whole) // 2
    parts = (FIRST, middle - FIRST, whole - middle)
    resident: list[float] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        upstream(Path(folder)) as source,
        Started({OURS: contenders.ours}, source.address[1]) as started,
    ):
        server = started.servers[OURS]
        for streams in parts:
            take_turn(OURS, server.address, Load(streams=streams, leave_every=LEAVE_EVERY))
            time.sleep(SETTLE_S)
            resident.append(server.resident_bytes() / 1e6)
    what = f"memory grows, from {FIRST:,} to {whole:,} streams"
    if not min(resident):
        return [skipped(NAME, what, "the system does not tell")]
    sizes = [Figure(size, size, size, "MB") for size in resident]
    growth = resident[-1] - resident[0]
    return [
        Row(
            *(NAME, what, Figure(growth, growth, growth, "MB")),
            target=FLAT,
            detail=dict(zip((f"after {count:,}" for count in (FIRST, middle, whole)), sizes, strict=True)),
        )
    ]
