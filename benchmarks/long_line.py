"""Does a byte of a very long line cost more than a byte of a line of usual length, and how much memory does it take?

A decoder that joins or scans what it holds again with every read is quadratic in the line: invisible at 200 bytes,
minutes at 8 MiB. Here the same number of bytes comes once as one line of 8 MiB and once as lines of 64 KiB, in reads of
64 bytes, 1 KiB and 64 KiB, through every stage that frames lines. The ratio is time for time, so 1 is linear. A short
record comes first in both: how a stream begins (a byte-order mark may come) is another question.

The lines are ASCII. With one emoji in it, CPython stores a text in four bytes a character, in memory that is fresh for
8 MiB and warm for 64 KiB: a bare `bytes.decode` then costs several times as much a byte. Two rows without a target show
that, beside the bare `bytes.decode` of the same lines.

Memory is `tracemalloc`'s peak while the line passes, as a multiple of the line: all that was held, plus the result. The
reads are cut while tracing, so what a stage keeps of them counts.

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
    # An event of two fields does not take the decoder's shortcut, and neither does the first event of any stream.
    "SSEDecoder, event and data": (SSEDecoder, b"event: x\ndata: ", b"\n\n"),
}


def run(effort: Effort) -> list[Row]:
    """Answer the question."""
    long_bytes = effort.of(LONG_BYTES, at_least=2 * USUAL_BYTES) // USUAL_BYTES * USUAL_BYTES
    return [*cost_rows(effort, long_bytes), *memory_rows(effort, long_bytes)]


def cost_rows(effort: Effort, long_bytes: int) -> list[Row]:
    """A row a stage and read size: nanoseconds a byte in the long line against the usual ones."""
    size_mib = long_bytes / 2**20
    rows = [
        cost_row(f"{name}, {size_mib:g} MiB line, {what}", name, read_bytes, effort, long_bytes)
        for name in STAGES
        for what, read_bytes in READ_BYTES.items()
    ]
    for name in ("NDJSONDecoder", "SSEDecoder"):
        what = f"{name}, {size_mib:g} MiB line with emoji, 64 KiB chunks"
        rows.append(cost_row(what, name, 65536, effort, long_bytes, ascii_only=False))
    return rows


def cost_row(what: str, name: str, read_bytes: int, effort: Effort, long_bytes: int, *, ascii_only: bool = True) -> Row:
    """One of them; with a target if the lines are ASCII, with the bare decoding beside it if not."""
    make, head, tail = STAGES[name]
    count = long_bytes // USUAL_BYTES
    long = json_line(long_bytes, ascii_only=ascii_only, seed=effort.seed)
    usual = json_line(USUAL_BYTES, ascii_only=ascii_only, seed=effort.seed)
    opening = head + b"{}" + tail
    works: dict[str, Callable[[], object]] = {
        "long": partial(items_of, make, chunks_of(opening + head + long + tail, read_bytes), 2),
        "usual": partial(items_of, make, chunks_of(opening + (head + usual + tail) * count, read_bytes), 1 + count),
    }
    if not ascii_only:
        works |= {"bare long": long.decode, "bare usual": partial(decode_times, usual, count)}
    taken = alternate({key: turn(work) for key, work in works.items()}, effort.rounds)
    a_byte = {key: Figure.of([ns / long_bytes for ns in times], "ns/B") for key, times in taken.items()}
    return Row(
        NAME,
        what,
        a_byte["long"],
        a_byte["usual"],
        "64 KiB lines",
        ratio(taken["long"], taken["usual"]),
        COST if ascii_only else None,
        detail={} if ascii_only else {"bytes.decode alone": ratio(taken["bare long"], taken["bare usual"])},
    )


def memory_rows(effort: Effort, long_bytes: int) -> list[Row]:
    """A row a stage: the peak at the read size where it was highest."""
    rows = []
    for name, (make, head, tail) in STAGES.items():
        line = head + b"{}" + tail + head + json_line(long_bytes, seed=effort.seed) + tail
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


def decode_times(line: bytes, count: int) -> None:
    """The bare decoding of as many lines, each forgotten at once."""
    for _ in range(count):
        line.decode()


def peak_of(stage: Stage[bytes, Any], line: bytes, size: int) -> int:
    """The most bytes that were allocated at once while the line passed in reads of `size`."""
    tracemalloc.start()
    try:
        for start in range(0, len(line), size):
            stage.feed(line[start : start + size])
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
