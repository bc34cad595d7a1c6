"""1,000 streams at 20 tokens a second each: does their pace hold, and what memory do they take?

The requests come within one second. That a thousand at one moment have to be read before the first of them is answered
is another question (`pacing.py` asks it of a hundred).

Memory is the highest that the server was resident with (VmHWM), from its start to the end of the round; a MB has a
million bytes. The drift is that of `pacing.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Final

from benchmarks.measure import Effort, Figure
from benchmarks.mock.figures import Run
from benchmarks.mock.pacing import excuse
from benchmarks.mock.rounds import Load, take_turns
from benchmarks.mock.servers import Asked, Contenders, Server
from benchmarks.report import Row, Target

__all__ = ["NAME", "run"]

NAME: Final = "mock-crowd"
STREAMS, TOKENS, RATE, TTFT_MS = 1000, 200, 20, 50
GAP_NS: Final = 1e9 / RATE
SPREAD_S: Final = 1.0
ROUNDS: Final = 3
DRIFT = Target("<=", 0.5, "%")
MEMORY = Target("<=", 70, "MB")


def run(effort: Effort, contenders: Contenders) -> list[Row]:
    """Answer the question."""
    asked = Asked(tokens=effort.of(TOKENS, at_least=5), rate=RATE, ttft_ms=TTFT_MS, seed=effort.seed)
    streams = effort.of(STREAMS, at_least=50)
    with ExitStack() as stack:
        servers = {
            name: stack.enter_context(Server(name, launcher(asked)))
            for name, launcher in (("ours", contenders.ours), ("control", contenders.control))
        }
        load = Load(streams, streams, asked.tokens, spread_s=SPREAD_S)
        runs = take_turns(servers, load, min(ROUNDS, effort.rounds), warm_up=Load(1, 1, asked.tokens))
    drifts = {name: Figure.of([one.drift_percent(GAP_NS) for one in theirs], "%") for name, theirs in runs.items()}
    worst = {
        f"worst stream, {name}": Figure.of([one.worst_drift_percent(GAP_NS) for one in theirs], "%")
        for name, theirs in runs.items()
    }
    memory = {name: peak(theirs) for name, theirs in runs.items()}
    label = f"{streams} streams"
    return [
        Row(
            *(NAME, f"drift, {label}", drifts["ours"], drifts["control"], "control"),
            target=DRIFT,
            note=excuse(drifts["control"], DRIFT),
            detail=worst,
        ),
        Row(NAME, f"memory, {label}", memory["ours"], memory["control"], "control", target=MEMORY)
        if memory["ours"].value
        else Row(NAME, f"memory, {label}", None, note="the system does not tell"),
    ]


def peak(runs: Sequence[Run]) -> Figure:
    """The highest resident memory over the rounds."""
    return Figure.of([one.peak_bytes / 1e6 for one in runs], "MB")
