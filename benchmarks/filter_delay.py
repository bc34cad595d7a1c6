"""How much later does a line leave because `ndjson-to-sse` stands in the pipe instead of `cat`?

Both programs run at the same time, each between two pipes. One line is written, and its whole frame is awaited before
anything else happens; then the other program gets its line, in changing order. The figure is the median round trip of
our filter less the median round trip of cat, so the two pipes, the wake-ups of both ends and the cost of this loop are
in both and cancel. Its range is that of ten blocks of lines, each taken alone.

What the figure does not say: how it is under load. Every line finds an idle filter, which is what a token stream is.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence
from itertools import pairwise
from statistics import median
from typing import Self

from benchmarks.commands import command, tool
from benchmarks.measure import Effort, Figure, percentile
from benchmarks.report import Row, Target
from benchmarks.workloads import ollama_chat_lines

NAME = "filter-delay"
LINES = 2_000
WARM_UP_LINES = 50
BLOCKS = 10
TARGET = Target("<=", 0.1, "ms")


class PipedFilter:
    """A program between two pipes. A context manager; leaving it ends the program's input and awaits its end."""

    def __init__(self, line: Sequence[str]) -> None:
        self._process = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self._out = self._process.stdin.fileno(), self._process.stdout.fileno()

    def round_trip_ms(self, wire: bytes, expected: bytes) -> float:
        """Write the wire and wait for what it completes.

        Raises:
            RuntimeError: something else came, or the end.
        """
        wanted = len(expected)
        came = b""
        start = time.perf_counter_ns()
        os.write(self._in, wire)
        while len(came) < wanted:
            piece = os.read(self._out, 65536)
            if not piece:
                break
            came += piece
        spent_ns = time.perf_counter_ns() - start
        if came != expected:
            msg = f"{expected!r} was expected, {came!r} came"
            raise RuntimeError(msg)
        return spent_ns / 1e6

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        with self._process:
            if error is not None:
                self._process.kill()


def run(effort: Effort) -> list[Row]:
    """Answer the question.

    Raises:
        Unavailable: there is no cat.
    """
    lines = ollama_chat_lines(WARM_UP_LINES + effort.of(LINES, at_least=BLOCKS), effort.seed)
    ours: list[float] = []
    peers: list[float] = []
    with PipedFilter(command("ndjson-to-sse")) as our_filter, PipedFilter([tool("cat")]) as cat:
        for number, line in enumerate(lines):
            frame = b"data: " + line + b"\n"
            if number % 2:
                ours.append(our_filter.round_trip_ms(line, frame))
                peers.append(cat.round_trip_ms(line, line))
            else:
                peers.append(cat.round_trip_ms(line, line))
                ours.append(our_filter.round_trip_ms(line, frame))
    del ours[:WARM_UP_LINES], peers[:WARM_UP_LINES]
    added = [median(ours[part]) - median(peers[part]) for part in blocks(len(ours))]
    middle = median(ours) - median(peers)
    low, high = min(added), max(added)
    return [
        Row(
            NAME,
            "added to a line over cat, p50",
            Figure(middle, min(low, middle), max(high, middle), "ms"),
            Figure.of(peers, "ms"),
            "cat's round trip",
            target=TARGET,
            detail={
                "round trip p50": Figure.of(ours, "ms"),
                "round trip p99": _exactly(percentile(ours, 99)),
                "cat's p99": _exactly(percentile(peers, 99)),
            },
        )
    ]


def blocks(count: int) -> list[slice]:
    """Ten parts of equal length, or nearly so."""
    ends = [count * number // BLOCKS for number in range(BLOCKS + 1)]
    return [slice(start, end) for start, end in pairwise(ends)]


def _exactly(value: float) -> Figure:
    return Figure(value, value, value, "ms")
