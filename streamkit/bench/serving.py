"""The edge of a process of ours that another one gives orders to: lines in on standard input, lines out on its output.

Ctrl-C is for who started it: it ends when it is told to, or when nobody is there any more to be told.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import trio

from streamkit.bench.lines import Lines
from streamkit.bench.messages import Failed, line_of
from streamkit.errors import StreamkitError

__all__ = ["Work", "serve"]

Work: TypeAlias = Callable[[Lines, trio.lowlevel.FdStream], Awaitable[None]]
"""Takes orders from the lines, and writes what it has to tell to the stream."""


def serve(work: Work) -> None:
    """Work until that returns. What it raises is told (`Failed`); exits with 1 where nobody listens any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    told_fd = os.dup(1)
    os.dup2(2, 1)  # whatever prints something must not print it among the lines
    trio.run(_run, work, os.dup(0), told_fd)


async def _run(work: Work, commands_fd: int, told_fd: int) -> None:
    async with trio.lowlevel.FdStream(commands_fd) as stdin, trio.lowlevel.FdStream(told_fd) as told:
        try:
            await work(Lines(stdin), told)
        except StreamkitError as error:
            await told.send_all(line_of(Failed(str(error))))
        except trio.BrokenResourceError:
            sys.exit(1)
