"""Lines on standard error that nobody waits for: a log whose reader has stopped costs lines, and no request.

A thread writes them, from a queue with a bound. What there is no room for is counted, and told in a line of its own
once there is room again. At the end the rest is written, within a moment.
"""

from __future__ import annotations

import contextlib
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final

__all__ = ["LogWriter", "log_writer"]

MAX_LINES: Final = 1000
"""How many lines may wait."""

CLOSING_S: Final = 1.0
"""How long the end waits for what is not written yet."""


class LogWriter:
    """Writes lines to a descriptor, which stays open. Made by `log_writer`."""

    def __init__(self, fd: int, dropped_line: Callable[[int], str]) -> None:
        self._fd = fd
        self._dropped_line = dropped_line
        self._lines: queue.Queue[str | None] = queue.Queue(MAX_LINES)
        self._dropped = 0
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def write(self, line: str) -> None:
        """Take a line, without its end; or count it, where the queue is full. Never blocks, never fails."""
        try:
            if self._dropped:
                self._lines.put_nowait(self._dropped_line(self._dropped))
                self._dropped = 0
            self._lines.put_nowait(line)
        except queue.Full:
            self._dropped += 1

    def close(self) -> None:
        """Write the rest, as far as somebody reads it."""
        ends_at = time.monotonic() + CLOSING_S
        with contextlib.suppress(queue.Full):
            if self._dropped:
                self._lines.put(self._dropped_line(self._dropped), timeout=CLOSING_S)
            self._lines.put(None, timeout=max(ends_at - time.monotonic(), 0))
            self._thread.join(max(ends_at - time.monotonic(), 0))

    def _run(self) -> None:
        while (line := self._lines.get()) is not None:
            data = memoryview(f"{line}\n".encode(errors="backslashreplace"))
            with contextlib.suppress(OSError):  # nobody is there to read it
                while data:
                    data = data[os.write(self._fd, data) :]


@contextlib.contextmanager
def log_writer(dropped_line: Callable[[int], str], fd: int = 2) -> Iterator[LogWriter]:
    """Have a writer while the block runs.

    Args:
        dropped_line: makes the line that tells how many were dropped.
        fd: where to; it stays open.
    """
    writer = LogWriter(fd, dropped_line)
    try:
        yield writer
    finally:
        writer.close()
