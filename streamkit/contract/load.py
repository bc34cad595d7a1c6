"""Keep processors busy for a while, with processes of our own that end by themselves whatever happens to us."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import trio

__all__ = ["busy"]

PROGRAM: Final = """
import os, sys, time
parent, end_s = int(sys.argv[1]), time.monotonic() + float(sys.argv[2])
while time.monotonic() < end_s and os.getppid() == parent:
    for _ in range(100_000):
        pass
"""
"""Works until its time is over or its parent is gone; it looks some hundred times a second."""


@asynccontextmanager
async def busy(processes: int, *, within_s: float) -> AsyncIterator[None]:
    """Have so many processes work as hard as they can while the block runs.

    Args:
        processes: one for each processor that is to be busy.
        within_s: after this time they end, even if the block goes on.

    Raises:
        OSError: they cannot be started.
    """
    command = [sys.executable, "-I", "-S", "-c", PROGRAM, str(os.getpid()), str(within_s)]
    started: list[trio.Process] = []
    try:
        for _ in range(processes):
            process = await trio.lowlevel.open_process(command, stdin=subprocess.DEVNULL)
            started.append(process)
        yield
    finally:
        for process in started:
            process.kill()
        with trio.CancelScope(shield=True):
            for process in started:
                await process.wait()
