"""A worker's part: starts the engine, and passes on what master and engine say to each other.

Locust's own table shows what the engine has found, too, so that its page is alive. Its percentiles are rounded; the
figures that count are the master's.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import IO, Final

import gevent

from streamkit.bench.distribution import Distribution
from streamkit.bench.locust.hooks import SAID, Message, WorkerRunner
from streamkit.bench.locust.said import Done, Said, Standing, said
from streamkit.bench.messages import Begin, Failed, Halt, line_of
from streamkit.bench.record import FAILURES

__all__ = ["COMMAND", "SHOWN", "Station", "StreamFailed"]

COMMAND: Final = (sys.executable, "-P", "-m", "streamkit.bench.locust.engine")

SHOWN: Final = "time to first token"

EXIT_S: Final = 5.0

GRACE_S: Final = 10.0

OnRequest = Callable[[float, Exception | None], None]
"""Gets a time to first token in ms, or a failure."""


class StreamFailed(Exception):
    """A request that failed, for Locust's table: the kind of failure."""


class Station:
    """One engine at a time.

    Args:
        runner: Locust's.
        on_request: is told what the engine has found.
        command: of the engine.
    """

    def __init__(self, runner: WorkerRunner, on_request: OnRequest, command: Sequence[str] = COMMAND) -> None:
        self._runner = runner
        self._on_request = on_request
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: gevent.Greenlet | None = None
        self._shown: dict[int, int] = {}
        self._failed: dict[str, int] = {}

    def begin(self, line: str) -> None:
        """Start an engine with a job."""
        self.end()
        self._shown, self._failed = {}, {}
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )
        self._reader = gevent.spawn(self._pass_on, self._process)
        self.tell(line)

    def may_begin(self) -> None:
        """Let the engine measure."""
        self.tell(line_of(Begin()).decode())

    def tell(self, line: str) -> None:
        """Pass a line on to the engine, if it still listens."""
        if self._process is not None and self._process.stdin is not None:
            try:
                self._process.stdin.write(line.encode())
                self._process.stdin.flush()
            except (BrokenPipeError, ValueError):
                pass  # it has ended, and why is said where its output ends

    def take(self, message: Message) -> None:
        """Pass on what the master says."""
        self.tell(message.data["line"])

    def leave(self) -> None:
        """Let the engine say what it has, where Locust is ended here and not by its master."""
        if self._process is not None and self._reader is not None:
            self.tell(line_of(Halt(now=True)).decode())
            self._reader.join(GRACE_S)
        self.end()

    def end(self) -> None:
        """End the engine; one that has not said everything by now says no more."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            with suppress(BrokenPipeError):
                process.stdin.close()
        try:
            process.wait(EXIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _pass_on(self, process: subprocess.Popen[bytes]) -> None:
        """Pass on what the engine says, and say it where it ends too soon."""
        is_over = False
        output: IO[bytes] | None = process.stdout
        if output is None:
            return
        with output:
            for line in output:
                self._runner.send_message(SAID, {"line": line.decode()})
                message: Said = said.decode(line)
                is_over = is_over or isinstance(message, Done | Failed)
                if isinstance(message, Standing):
                    self._show(message)
        if not is_over and process is self._process:
            words = f"its engine ended early (exit code {process.wait()})"
            self._runner.send_message(SAID, {"line": line_of(Failed(words)).decode()})

    def _show(self, standing: Standing) -> None:
        """Put into Locust's table what has come since."""
        for packed in standing.tallies.values():
            every = Distribution()
            for numbers in packed.distributions.get("ttft_ms", {}).values():
                every.merge(Distribution.from_json(numbers))
            for floor, count in every.buckets():
                for _ in range(count - self._shown.get(floor, 0)):
                    self._on_request(floor / 1e6, None)
                self._shown[floor] = count
            for kind in FAILURES:
                count = packed.outcomes.get(kind, 0)
                for _ in range(count - self._failed.get(kind, 0)):
                    self._on_request(0.0, StreamFailed(kind))
                self._failed[kind] = count
