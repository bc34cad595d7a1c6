"""Where bytes go: everything that can be a sink is a trio `SendStream`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from streamkit.io.fd import FdSink

if TYPE_CHECKING:
    import trio

__all__ = ["path_sink", "stdout_sink"]

STDOUT_FD = 1


def stdout_sink() -> trio.abc.SendStream:
    """Return standard output as a sink. It is left open, and in the mode it is in.

    Raises:
        OSError: standard output is closed.
    """
    return FdSink(STDOUT_FD, close=False)


def path_sink(path: str | os.PathLike[str]) -> trio.abc.SendStream:
    """Open a file for writing, from its start, and return it as a sink; close it, as an async context manager for one.

    Opening a named pipe waits, and the whole loop with it, until it has a reader.

    Raises:
        OSError: it cannot be opened for writing.
    """
    return FdSink(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666), close=True)
