"""Does a byte of a very long line cost more than a byte of a line of usual length, and how much memory does it take?

A decoder that joins or scans what it holds again with every read is quadratic in the line: invisible at 200 bytes,
minutes at 8 MiB. Here the same number of bytes comes once as one line of 8 MiB and once as lines of 64 KiB, in reads of
64 bytes, 1 KiB and 64 KiB, through every stage that frames lines. The ratio is time for time, so 1 is linear.

Memory is `tracemalloc`'s peak while the line passes, as a multiple of the line: all that was held, plus the result. The
reads are cut while tracing, so what a stage keeps of them counts, and the line is ASCII. With one character outside
Latin-1 in it, CPython stores the decoded text in two or four bytes a character; that is Python's and not counted here.

What the figures do not say: what the process takes from the system (allocators round up).
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from benchmarks.measure import Effort, Figure, alternate, ratio, turn
from benchmarks.report import Row, Target
from benchmarks.workloads import chunks_of, json_line
from streamkit import LineScanner, NDJSONDecoder, SSEDecoder, Stage

NAME = "long-line"
LONG_BYTES = 8 << 20
USUAL_BYTES = 64 << 10
READ_BYTES = {"64 B chunks": 64, "1 KiB chunks": 1024, "64 KiB chunks": 65536}
COST = Target("<=", 1.5, "x")
MEMORY = Target("<=", 3, "x")

MakeStage = Callable[[], Stage[bytes, Any]]
STAGES: dict[str, tuple[MakeStage, bytes, bytes]] = {
    "LineScanner": (LineScanner, b"", b"\n"),
    "NDJSONDecoder": (NDJSONDecoder, b"", b"\n"),
    "NDJSONDecoder(raw=True)": (partial(NDJSONDecoder, raw=True), b"", b"\n"),
    "SSEDecoder": (SSEDecoder, b"data: ", b"\n\n"),
}


def run(effort: Effort) -> list[Row]:
    """Answer the question."""
    long_bytes = effort.of(LONG_BYTES, at_least=2 * USUAL_BYTES) // USUAL_BYTES * USUAL_BYTES
    return [*cost_rows(effort, long_bytes), *memory_rows(effort, long_bytes)]


def cost_rows(effort: Effort, long_bytes: int) -> list[Row]:
    """A row a stage and read size: nanoseconds a byte in the long line against the usual ones."""
    rows = []
    count = long_bytes // USUAL_BYTES
    for name, (make, head, tail) in STAGES.items():
        long = head + json_line(long_bytes, ascii_only=False, seed=effort.seed) + tail
        usual = (head + json_line(USUAL_BYTES, ascii_only=False, seed=effort.seed) + tail) * count
        for what, size in READ_BYTES.items():
            works = {
                "long": partial(items_of, make, chunks_of(long, size), 1),
                "usual": partial(items_of, make, chunks_of(usual, size), count),
            }
            taken = alternate({key: turn(work) for key, work in works.items()}, effort.rounds)
            a_byte = {key: Figure.of([ns / long_bytes for ns in times], "ns/B") for key, times in taken.items()}
            cost = ratio(taken["long"], taken["usual"])
            label = f"{name}, {long_bytes / 2**20:g} MiB line, {what}"
            rows.append(Row(NAME, label, a_byte["long"], a_byte["usual"], "64 KiB lines", cost, COST))
    return rows


def memory_rows(effort: Effort, long_bytes: int) -> list[Row]:
    """A row a stage: the peak at the read size where it was highest."""
    rows = []
    for name, (make, head, tail) in STAGES.items():
        line = head + json_line(long_bytes, seed=effort.seed) + tail
        peaks = {what: peak_of(make(), line, size) / 2**20 for what, size in READ_BYTES.items()}
        worst = max(peaks, key=peaks.__getitem__)
        peak, size_mib = peaks[worst], long_bytes / 2**20
        rows.append(
            Row(
                NAME,
                f"{name}, peak memory, {worst}",
                Figure(peak, min(peaks.values()), peak, "MiB"),
                Figure(size_mib, size_mib, size_mib, "MiB"),
                "the line",
                Figure(peak / size_mib, min(peaks.values()) / size_mib, peak / size_mib, "x"),
                MEMORY,
                detail={what: Figure(value, value, value, "MiB") for what, value in peaks.items()},
            )
        )
    return rows


def items_of(make: MakeStage, chunks: Sequence[bytes], count: int) -> None:
    """Feed the chunks to a new stage.

    Raises:
        RuntimeError: not `count` items came out, so the time would mean nothing.
    """
    stage = make()
    came = sum(len(stage.feed(chunk)) for chunk in chunks)
    if came != count:
        msg = f"{stage.name}: {count} items expected, {came} came"
        raise RuntimeError(msg)


def peak_of(stage: Stage[bytes, Any], line: bytes, size: int) -> int:
    """The most bytes that were allocated at once while the line passed in reads of `size`."""
    tracemalloc.start()
    try:
        for start in range(0, len(line), size):
            stage.feed(line[start : start + size])
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
