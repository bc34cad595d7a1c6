"""How many tokens a second, when no token waits for its time? In both ways of writing, each beside its control.

500 streams of 200 tokens, 50 at a time, each on a connection of its own. `each`: one write for each token with a turn
for others after it. `joined`: what is due goes out in one call. Which of the two it really was is judged by the TCP
segments that a stream comes in, which the client's kernel counts. On a quiet machine a write is a segment; where the
client gets no processor its kernel lets fewer through, for the control as well, so `each` is held against the control.

The controls write prebuilt frames; ours makes its own. The joined control hands each frame to the kernel too, but never
yields: it is the bound of servers that coalesce by not yielding, and not of a single big write. The tokens a second of
a run hold the connecting, and the processor time of the server beside them is what a busy machine disturbs least.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Final

from benchmarks.measure import Effort, Figure, ratio
from benchmarks.mock.figures import Run
from benchmarks.mock.rounds import Load, take_turns
from benchmarks.mock.servers import Asked, Contenders, Server
from benchmarks.report import Row, Target, skipped

__all__ = ["NAME", "run"]

NAME: Final = "mock-throughput"
STREAMS, AT_ONCE, TOKENS = 500, 50, 200
SPEED = Target(">=", 0.8, "x")
EACH = Target(">=", 0.5, "x")
JOINED = Target("<=", 0.25, "segments/token")
WAYS: Final = {"each": "token by token", "joined": "joined"}
SEGMENTS: Final = {"each": EACH, "joined": JOINED}


def run(effort: Effort, contenders: Contenders) -> list[Row]:
    """Answer the question."""
    load = Load(effort.of(STREAMS, at_least=10), AT_ONCE, TOKENS)
    with ExitStack() as stack:
        servers: dict[str, Server] = {}
        for way in WAYS:
            asked = Asked(tokens=TOKENS, writes=way, seed=effort.seed)
            for name, launcher in (("ours", contenders.ours), ("control", contenders.control)):
                servers[f"{name} {way}"] = stack.enter_context(Server(f"{name}, {way}", launcher(asked)))
        for name, launcher in contenders.peers.items():
            servers[name] = stack.enter_context(Server(name, launcher(Asked(tokens=TOKENS))))
        warm_up = Load(3, 3, TOKENS)
        runs = take_turns(servers, load, effort.rounds, warm_up=warm_up)
    rows = []
    for way in WAYS:
        rows += rows_of(way, runs, list(contenders.peers))
    return rows


def rows_of(way: str, runs: Mapping[str, Sequence[Run]], peers: Sequence[str]) -> list[Row]:
    """The rows of one way of writing."""
    ours, control = runs[f"ours {way}"], runs[f"control {way}"]
    detail = {}
    for name, theirs in (("ours", ours), ("control", control)):
        detail[f"{name}: read"] = Figure.of([one.reads() for one in theirs], "times/stream")
        spent = [cpu_us for one in theirs if (cpu_us := one.cpu_us_per_token()) is not None]
        if spent:
            detail[f"{name}: server CPU"] = Figure.of(spent, "us/token")
    rows = [
        Row(
            NAME,
            f"{WAYS[way]}, {AT_ONCE} streams at once",
            rate(ours),
            rate(control),
            "control",
            speeds(ours, control),
            SPEED,
            detail=detail,
        ),
        segments_row(way, ours, control),
    ]
    for name in peers:
        note = f"its streams came in {runs[name][-1].reads():g} reads each"
        rows.append(
            Row(
                NAME,
                f"{WAYS[way]}, beside a peer",
                rate(ours),
                rate(runs[name]),
                name,
                speeds(ours, runs[name]),
                note=note,
            )
        )
    return rows


def segments_row(way: str, ours: Sequence[Run], control: Sequence[Run]) -> Row:
    """Whether the way of writing was the one that was asked for."""
    mine, its = per_token(ours), per_token(control)
    what = f"{WAYS[way]}, segments a token"
    if not mine or not its:
        return skipped(NAME, what, "the system does not count them")
    figures = [Figure.of(counts, "segments/token") for counts in (mine, its)]
    return Row(NAME, what, figures[0], figures[1], "control", ratio(mine, its), SEGMENTS[way])


def per_token(runs: Sequence[Run]) -> list[float]:
    """Segments a token in each round; empty where they are not counted."""
    return [count / TOKENS for run in runs if (count := run.segments()) is not None]


def rate(runs: Sequence[Run]) -> Figure:
    """Thousands of tokens a second over the rounds."""
    return Figure.of([run.tokens_per_s() / 1000 for run in runs], "k tokens/s")


def speeds(ours: Sequence[Run], theirs: Sequence[Run]) -> Figure:
    """How many times as fast ours is."""
    return ratio([run.tokens_per_s() for run in ours], [run.tokens_per_s() for run in theirs])
