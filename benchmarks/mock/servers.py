"""Starts a server from a command line, tells when it is ready, what it spends, and stops it.

A server either prints one JSON object with its `url` as a line on stdout when it is ready, or listens on a port that
was chosen for it; then it is ready when it accepts a connection, which is tried every 5 ms. In both cases "ready" is
the first connection that was really accepted, counted from just before the process was made.

The server has the first of the processors that this process may use, unless it is told otherwise, and the client the
second; with a single one nothing is pinned. Memory and processor time are read from /proc, and are 0 and unknown where
there is none.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import select
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Self
from urllib.parse import urlsplit

from benchmarks.measure import Unavailable

__all__ = ["Asked", "Contenders", "Launch", "Launcher", "Server", "control", "mock", "on_processor"]

READY_WITHIN_S = 20.0
POLL_S = 0.005
PROC = Path("/proc")
CONTROL = Path(__file__).parent / "control.py"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a server is asked to do with every request."""

    tokens: int = 200
    rate: float = 0
    ttft_ms: int = 0
    writes: str = "each"
    seed: int = 1

    def options(self) -> list[str]:
        """As options of the mock's command line, which the control shares."""
        return [
            *("--port", "0", "--ready-json", "--tokens", str(self.tokens), "--rate", f"{self.rate:g}"),
            *("--ttft", f"{self.ttft_ms}ms", "--writes", self.writes, "--seed", str(self.seed)),
        ]


@dataclass(frozen=True, slots=True)
class Launch:
    """How a server is started.

    Attributes:
        command: its command line.
        port: where it will listen; None for one that prints its URL.
        ready_within_s: how long it may take until it is ready.
    """

    command: list[str]
    port: int | None = None
    ready_within_s: float = READY_WITHIN_S


Launcher = Callable[[Asked], Launch]


def mock(asked: Asked) -> Launch:
    """The mock server.

    Raises:
        Unavailable: this checkout has none.
    """
    if importlib.util.find_spec("mockserver") is None or importlib.util.find_spec("mockserver.__main__") is None:
        raise Unavailable("there is no `python -m mockserver` here")
    return Launch([sys.executable, "-m", "mockserver", *asked.options()])


def control(asked: Asked) -> Launch:
    """The minimal asyncio server of control.py."""
    return Launch([sys.executable, "-I", str(CONTROL), *asked.options()])


@dataclass(frozen=True)
class Contenders:
    """Who is measured: the server in question, the control beside it, and further peers by name."""

    ours: Launcher = mock
    control: Launcher = control
    peers: Mapping[str, Launcher] = field(default_factory=dict)


@contextlib.contextmanager
def on_processor(number: int) -> Generator[None]:
    """Whatever process is made in here runs on the `number`-th processor that this one may use, if there are two."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    mine = os.sched_getaffinity(0)
    if len(mine) < 2:
        yield
        return
    os.sched_setaffinity(0, {sorted(mine)[number]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, mine)


class Server:
    """A running server. A context manager: it is ready inside, and gone afterwards.

    Attributes:
        name: what messages call it.
        address: where it listens.
        ready_s: from just before its start to the first accepted connection.
    """

    def __init__(self, name: str, launch: Launch, *, processor: int = 0) -> None:
        """Start it on this one of the processors and wait until it is ready.

        Raises:
            RuntimeError: it ended, or was not ready in time.
        """
        self.name = name
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the server runs
        start = time.monotonic()
        self._ready_until = start + launch.ready_within_s
        with on_processor(processor):
            self._process = subprocess.Popen(
                launch.command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL if launch.port else subprocess.PIPE,
                stderr=self._errors,
            )
        try:
            self.address = ("127.0.0.1", launch.port) if launch.port else self._printed_address()
            self._connect()
        except BaseException:
            self.stop()
            raise
        self.ready_s = time.monotonic() - start

    @property
    def url(self) -> str:
        """Where it is, without a path."""
        host, port = self.address
        return f"http://{host}:{port}"

    def resident_bytes(self) -> int:
        """Its resident memory now."""
        return self._memory("VmRSS")

    def peak_bytes(self) -> int:
        """Its highest resident memory so far."""
        return self._memory("VmHWM")

    def cpu_ns(self) -> int | None:
        """How long all its threads ran so far; None where the system does not tell."""
        try:
            threads = list((PROC / str(self._process.pid) / "task").glob("*/schedstat"))
            return sum(int(thread.read_text().split()[0]) for thread in threads) or None
        except OSError:
            return None

    def stop(self) -> None:
        """End it, by force if it does not go within 5 seconds."""
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._errors.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _printed_address(self) -> tuple[str, int]:
        assert self._process.stdout is not None
        line = b""
        while not line.endswith(b"\n"):
            if not select.select([self._process.stdout], [], [], max(0, self._ready_until - time.monotonic()))[0]:
                raise self._failed("printed no line on stdout in time")
            piece = os.read(self._process.stdout.fileno(), 65536)
            if not piece:
                raise self._failed("ended before it was ready")
            line += piece
        url = urlsplit(json.loads(line)["url"])
        assert url.hostname is not None
        assert url.port is not None
        return url.hostname, url.port

    def _connect(self) -> None:
        while time.monotonic() < self._ready_until:
            try:
                socket.create_connection(self.address, timeout=1).close()
            except OSError:
                if self._process.poll() is not None:
                    raise self._failed("ended before it was ready") from None
                time.sleep(POLL_S)
            else:
                return
        raise self._failed("accepted no connection in time")

    def _failed(self, what: str) -> RuntimeError:
        self._errors.seek(0)
        said = self._errors.read().decode(errors="replace").strip().splitlines()
        return RuntimeError(f"{self.name} {what}{f': {said[-1]}' if said else ''}")

    def _memory(self, key: str) -> int:
        try:
            text = (PROC / str(self._process.pid) / "status").read_text()
        except OSError:
            return 0
        return next((int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith(key)), 0)
