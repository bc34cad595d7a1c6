"""How far a load has come, as values: for a progress bar, and for whoever ends it when it knows enough. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from streamkit.bench.plan import Plan, Replay
from streamkit.bench.tally import Tally

__all__ = ["Pace", "Progress", "ServerProgress"]

PACE_NS: Final = 3_000_000_000
"""The rate that is shown is of about so long a time."""


@dataclass(frozen=True)
class ServerProgress:
    """One server's part.

    Attributes:
        done: how many requests have ended by themselves.
        ok, errors: how many of them well, and how many not.
        requests_per_s: how many were answered well a second, of late.
        tally: of all that have ended. It goes on to grow: look at it, and do not keep it.
    """

    done: int
    ok: int
    errors: int
    requests_per_s: float
    tally: Tally


@dataclass(frozen=True)
class Progress:
    """A load while it runs.

    Attributes:
        elapsed_s: since the first request could begin.
        in_flight: how many requests run, on all servers.
        servers: by name.
        requests: how many there will be in all, where the plan says so.
        duration_s: how long requests begin, where the plan says so.
        processes: how many run.
        is_last: whether the load has ended.
    """

    elapsed_s: float
    in_flight: int
    servers: Mapping[str, ServerProgress]
    requests: int | None
    duration_s: float | None
    processes: int = 1
    is_last: bool = False

    @property
    def done(self) -> int:
        """How many requests have ended, on all servers."""
        return sum(each.done for each in self.servers.values())


@dataclass
class Pace:
    """How many requests are answered a second, of late: from the counts at some moments."""

    _seen: deque[tuple[int, int]] = field(default_factory=deque)

    def at(self, now_ns: int, done: int, began_ns: int) -> float:
        """Note a count, and return the rate.

        Args:
            now_ns: when that is.
            done: how many there were by now.
            began_ns: when the first could begin; 0 as long as that is not known, and no rate either.
        """
        seen = self._seen
        if not began_ns:
            return 0.0
        if not seen:
            seen.append((began_ns, 0))
        seen.append((now_ns, done))
        while len(seen) > 2 and now_ns - seen[1][0] >= PACE_NS:
            seen.popleft()
        since_ns, before = seen[0]
        return (done - before) * 1e9 / (now_ns - since_ns) if now_ns > since_ns else 0.0


def planned_requests(plan: Plan) -> int | None:
    """Return how many requests a plan has in all; None where only time, or somebody, ends it."""
    if isinstance(plan.load, Replay):
        every = len(plan.load.at_ns) * len(plan.servers)
        return every if plan.all_requests is None else min(every, plan.all_requests)
    return plan.all_requests
