"""How soon does it take a connection, and how much memory does it hold when it has nothing to do?

From just before the process is made to the first connection that was accepted; the low end of the range is the best
start. The first start of each server, which may compile files and fill caches, is not counted. Memory is what is
resident (VmRSS) once a stream has been answered and half a second has passed; a MB has a million bytes.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Final

from benchmarks.measure import Effort, Figure, ratio
from benchmarks.mock.rounds import Load, take_turn
from benchmarks.mock.servers import Asked, Contenders, Launcher, Server
from benchmarks.report import Row, Target

__all__ = ["NAME", "run"]

NAME: Final = "mock-start"
STARTS, TOKENS = 9, 20
SETTLE_S = 0.5
READY = Target("<=", 0.4, "s")
MEMORY = Target("<=", 40, "MB")


def run(effort: Effort, contenders: Contenders) -> list[Row]:
    """Answer the question."""
    launchers: Mapping[str, Launcher] = {"ours": contenders.ours, "control": contenders.control, **contenders.peers}
    ready: dict[str, list[float]] = {name: [] for name in launchers}
    idle: dict[str, list[float]] = {name: [] for name in launchers}
    for number in range(effort.of(STARTS, at_least=2) + 1):
        for name, launcher in launchers.items():
            ready_s, resident_bytes = one_start(name, launcher, effort.seed, settle_s=SETTLE_S * min(1, effort.size))
            if number:
                ready[name].append(ready_s)
                idle[name].append(resident_bytes / 1e6)
    rows = [
        row("ready", ready, "control", "s", READY),
        row("idle memory", idle, "control", "MB", MEMORY)
        if min(idle["ours"])
        else Row(NAME, "idle memory", None, note="the system does not tell"),
    ]
    for name in contenders.peers:
        rows += [
            row("ready, beside a peer", ready, name, "s"),
            row("idle memory, beside a peer", idle, name, "MB"),
        ]
    return rows


def one_start(name: str, launcher: Launcher, seed: int, *, settle_s: float) -> tuple[float, int]:
    """Start a server, ask it for a stream, stop it; return when it was ready, in seconds, and its bytes when idle."""
    with Server(name, launcher(Asked(tokens=TOKENS, seed=seed))) as server:
        take_turn(server, Load(1, 1, TOKENS))
        time.sleep(settle_s)
        return server.ready_s, server.resident_bytes()


def row(what: str, found: Mapping[str, Sequence[float]], peer: str, unit: str, target: Target | None = None) -> Row:
    """Ours beside a peer's."""
    figures = [Figure.of(found[name], unit) for name in ("ours", peer)]
    share = ratio(found["ours"], found[peer]) if all(found[peer]) else None
    return Row(NAME, what, figures[0], figures[1], peer, share, target)
