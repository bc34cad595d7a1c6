"""Starts the server that stamps its own writes, and fetches what it has stamped."""

from __future__ import annotations

import contextlib
import http.client
import json
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from benchmarks.measure import Unavailable

__all__ = ["Stamps", "Truth", "truth"]

SERVER = Path(__file__).parent / "server.py"
WAIT_S = 60.0


class Stamps(NamedTuple):
    """What the server knows of one request, in ns of CLOCK_MONOTONIC: its arrival, and the writing of each token."""

    arrived_ns: int
    written_ns: list[int]

    @property
    def ttft_ns(self) -> int:
        """From the request's arrival to the first token's writing."""
        return self.written_ns[0] - self.arrived_ns


class Truth:
    """A running server.

    Attributes:
        url: where it is.
    """

    def __init__(self, url: str) -> None:
        """Take its URL."""
        self.url = url

    def fetch(self) -> dict[str, Stamps]:
        """Return what was stamped since the last time, by X-Request-ID."""
        return {name: stamps for name, stamps in self.rows() if stamps.written_ns}

    def fetch_all(self) -> list[Stamps]:
        """Return what was stamped since the last time, for clients that name no requests."""
        return [stamps for _, stamps in self.rows() if stamps.written_ns]

    def rows(self) -> list[tuple[str, Stamps]]:
        """Fetch it."""
        parts = urlsplit(self.url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=WAIT_S)
        try:
            connection.request("GET", "/truth")
            rows = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        return [(name, Stamps(arrived_ns, written_ns)) for name, arrived_ns, written_ns in rows]


@contextlib.contextmanager
def truth(ttft_ms: float, gap_ms: float, tokens: int) -> Generator[Truth]:
    """Run the server while the block runs; tool and server share whatever processors this process may use.

    Raises:
        Unavailable: it does not start.
    """
    command = [sys.executable, "-I", str(SERVER), str(ttft_ms), str(gap_ms), str(tokens)]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                raise Unavailable("the server that knows the truth does not start")
            yield Truth(json.loads(line)["url"])
        finally:
            process.kill()
