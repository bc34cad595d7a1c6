"""How soon does the upstream know that the client has left?

The client closes its connection in the middle of a stream in which nothing flows: one event has come through, and no
other is on its way. The time is from before the close until a blocking read at the upstream returns, in one thread
(`pair.py`). Every time is a stream and a connection of its own. p50 and p99 are over all of them, their ranges over the
rounds. A path on which leaving is not seen within two seconds counts with these two seconds and is not asked again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from benchmarks.gateway.contenders import OURS, Contenders, Started
from benchmarks.gateway.pair import LIMIT_S, Held, Pair, Upstream
from benchmarks.measure import Effort, Figure, percentile
from benchmarks.mock.servers import on_processor
from benchmarks.report import Row, Target, skipped

__all__ = ["NAME", "run"]

NAME: Final = "gateway-leaving"
TIMES = 200
P99 = Target("<=", 50, "ms")


def run(effort: Effort, contenders: Contenders, *, limit_s: float = LIMIT_S) -> list[Row]:
    """Answer the question."""
    with Upstream(limit_s) as upstream, Started(contenders.passing(), upstream.port) as started:
        addresses = {name: server.address for name, server in started.servers.items()}
        times, faults = measure(upstream, addresses, effort)
    rows = [row(times, faults, name) for name in times]
    return [*rows, *(skipped(NAME, f"leaving, {name}", why) for name, why in started.absent.items())]


def measure(
    upstream: Upstream, addresses: Mapping[str, tuple[str, int]], effort: Effort
) -> tuple[dict[str, list[list[float]]], dict[str, str]]:
    """Let the paths take turns; return the times of each in ms, round by round, and what was not seen."""
    taken: dict[str, list[list[float]]] = {name: [] for name in addresses}
    faults: dict[str, str] = {}
    with on_processor(1):
        for _ in range(effort.rounds):
            for name, address in addresses.items():
                taken[name].append([])
                for _ in range(max(1, effort.of(TIMES) // effort.rounds)):
                    if name in faults:
                        taken[name][-1].append(upstream.limit_s * 1e3)
                        continue
                    try:
                        with Pair(upstream, address) as pair:
                            pair.step()
                            taken[name][-1].append(pair.leave() / 1e6)
                    except Held as why:
                        faults[name] = str(why)
                        taken[name][-1].append(upstream.limit_s * 1e3)
    return taken, faults


def row(times: Mapping[str, list[list[float]]], faults: Mapping[str, str], name: str) -> Row:
    """One path's."""
    what = f"leaving is seen upstream, p99, {name}"
    p50, p99 = (figure(times[name], percent) for percent in (50, 99))
    return Row(*(NAME, what, p99), target=P99 if name == OURS else None, note=faults.get(name, ""), detail={"p50": p50})


def figure(rounds: list[list[float]], percent: float) -> Figure:
    """A percentile over all, with the range of the rounds'."""
    each = [percentile(one, percent) for one in rounds]
    return Figure(percentile([time for one in rounds for time in one], percent), min(each), max(each), "ms")
