"""Many streams at once through one server: runs `upstream.py` and `client.py`, both on the second processor.

The servers under test have the first processor to themselves, as `benchmarks.mock.servers` says, so a server's figure
is that of one core. Where the server is not busy all the time, the upstream and the client on theirs are the limit.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.gateway.wire import LAST_CHUNK, PASSED, Talk, chunk, request
from benchmarks.measure import percentile
from benchmarks.mock.servers import Launch, Server, on_processor

__all__ = ["EVENTS", "Load", "Turn", "take_turn", "upstream"]

HERE = Path(__file__).parent
EVENTS: Final = 20
PAUSE_AFTER: Final = 5


@dataclass(frozen=True, slots=True)
class Load:
    """What the client asks for in one turn: so many streams, or for so many seconds.

    Attributes:
        leave_every: each so many-th stream is left in its middle; 0 for none. Only where the talk is passed on.
        talk: what the client says and hears.
    """

    at_once: int = 32
    streams: int | None = None
    seconds: float | None = None
    leave_every: int = 0
    talk: Talk = PASSED


@dataclass(frozen=True, slots=True)
class Turn:
    """What one server did in one turn.

    Attributes:
        streams: the whole ones.
        left: the others.
        spent_ns: from the first request to the last end.
        durations_ns: of the whole ones.
        cpu_ns: what the server's process ran meanwhile; None where the system does not tell.
    """

    streams: int
    left: int
    spent_ns: int
    durations_ns: Sequence[int]
    cpu_ns: int | None

    @property
    def streams_per_s(self) -> float:
        """Whole streams a second."""
        return self.streams * 1e9 / self.spent_ns

    @property
    def cpu_us_per_stream(self) -> float | None:
        """The server's processor time for a stream."""
        return None if self.cpu_ns is None or not self.streams else self.cpu_ns / 1000 / self.streams

    @property
    def busy_percent(self) -> float | None:
        """How much of the time the server ran."""
        return None if self.cpu_ns is None else 100 * self.cpu_ns / self.spent_ns

    def p99_ms(self) -> float:
        """The p99 of a stream's duration."""
        return percentile(self.durations_ns, 99) / 1e6


def upstream(folder: Path, talk: Talk = PASSED) -> Server:
    """Start the upstream, with its script in `folder`; it is a context manager."""
    script = {
        "head": talk.head.decode(),
        "chunks": [chunk(talk.record(number)).decode() for number in range(EVENTS)],
        "last": (chunk(talk.closing) if talk.closing else b"").decode() + LAST_CHUNK.decode(),
        "pause_after": PAUSE_AFTER,
    }
    file = folder / "upstream.json"
    file.write_text(json.dumps(script), encoding="utf-8")
    return Server("upstream", Launch([sys.executable, "-I", str(HERE / "upstream.py"), str(file)]), processor=1)


def take_turn(name: str, address: tuple[str, int], load: Load, server: Server | None = None) -> Turn:
    """Put the load on this address, once; `server` is whose processor time is counted.

    Raises:
        RuntimeError: a stream did not come, or came with another number of events.
    """
    job = {
        "host": address[0],
        "port": address[1],
        "request": load.talk.request.decode(),
        "at_once": load.at_once,
        "marker": load.talk.marker,
        "events": EVENTS,
        "streams": load.streams,
        "seconds": load.seconds,
        "leave": {"every": load.leave_every, "request": request("/pause").decode(), "events": PAUSE_AFTER}
        if load.leave_every
        else None,
    }
    before = server.cpu_ns() if server else None
    with on_processor(1):
        client = subprocess.run(
            [sys.executable, "-I", str(HERE / "client.py")],
            input=json.dumps(job).encode(),
            stdout=subprocess.PIPE,
            check=True,
        )
    after = server.cpu_ns() if server else None
    result = json.loads(client.stdout)
    if "error" in result:
        raise RuntimeError(f"{name}: {result['error']}")
    cpu_ns = None if before is None or after is None else after - before
    return Turn(**result, cpu_ns=cpu_ns)
