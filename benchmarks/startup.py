"""How soon after its start does `ndjson-to-sse` write its first output?

The line is in the pipe before the program starts, and the pipe stays open. The time runs from just before the process
is made to the moment its first frame has been read. The peer is an interpreter that starts, does nothing and ends: the
floor under every Python command on this machine. Both take turns; the first one, which may compile files and fill
caches, is not counted.

What the figure does not say: a first start after a boot, from a cold disk, takes longer for both.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time

from benchmarks.commands import command
from benchmarks.measure import Effort, Figure, alternate, ratio
from benchmarks.report import Row, Target
from benchmarks.workloads import ollama_chat_lines

NAME = "startup"
STARTS = 15
TARGET = Target("<=", 0.25, "s")


def run(effort: Effort) -> list[Row]:
    """Answer the question."""
    taken = alternate({"ours": first_output_ns, "bare": bare_python_ns}, effort.of(STARTS, at_least=3))
    figures = {name: Figure.of([ns / 1e9 for ns in times], "s") for name, times in taken.items()}
    against = ratio(taken["ours"], taken["bare"])
    return [Row(NAME, "first output", figures["ours"], figures["bare"], "python -c pass", against, TARGET)]


def first_output_ns() -> int:
    """Start the filter with a line waiting; return when its first frame was there.

    Raises:
        RuntimeError: it wrote something else.
    """
    line = ollama_chat_lines(1, 1)[0]
    for_it, ours = os.pipe()
    os.write(ours, line)
    start = time.perf_counter_ns()
    with subprocess.Popen(command("ndjson-to-sse"), stdin=for_it, stdout=subprocess.PIPE, bufsize=0) as process:
        assert process.stdout is not None
        frame = process.stdout.read(65536)
        spent = time.perf_counter_ns() - start
        os.close(for_it)
        os.close(ours)
    if frame != b"data: " + line + b"\n":
        msg = f"the first output was {frame!r}"
        raise RuntimeError(msg)
    return spent


def bare_python_ns() -> int:
    """Start an interpreter that does nothing; return when it had ended."""
    start = time.perf_counter_ns()
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    return time.perf_counter_ns() - start
