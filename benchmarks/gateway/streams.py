"""How many streams a second does the gateway carry on one core, and what does each of them cost?

Streams of 20 events, 32 at once, over keep-alive connections; the upstream writes the head and each chunk with one call
and without a pause, so paths may join them. Every server has the first processor alone, upstream and client share the
second. A turn is a time in which the client asks again whenever a stream has ended; what has begun is finished. Where a
stream is not whole, the question fails; a peer that does so counts as absent. A server is warmed up by one turn that is
not counted.

Upstream and client are programs in Python, and the row of the direct connection says what they do alone (a little more
behind a server that joins pieces: the client then reads less often). Where a server did not run for nearly all of a
turn, its streams a second are those of the load, or of what else the machine does; its note says so, and only its
processor time for a stream can be compared. That is read from the system for the whole process (schedstat), and what
else runs disturbs it least; but a path that is as quick as the upstream reads each chunk alone, and a slower one
several together, so on a busy machine quick paths have more to do for a stream.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from benchmarks.gateway.contenders import ASGI, OURS, RELAY, Contenders, Started
from benchmarks.gateway.load import Load, Turn, take_turn, upstream
from benchmarks.measure import Effort, Figure, ratio
from benchmarks.report import Row, Target, skipped

__all__ = ["NAME", "run"]

NAME: Final = "gateway-streams"
DIRECT: Final = "direct"
SECONDS = 2.0
OVER_ASGI = Target(">=", 5, "x")
BUSY_PERCENT: Final = 90
"""A server that ran less than this share of a turn was not the limit: the load was, or what else runs here."""


def run(effort: Effort, contenders: Contenders) -> list[Row]:
    """Answer the question.

    Raises:
        RuntimeError: a stream of the gateway, of the bare relay or of the direct connection was not whole.
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        upstream(Path(folder)) as source,
        Started(contenders.passing(), source.address[1]) as started,
    ):
        servers, absent = started.servers, dict(started.absent)
        load = Load(seconds=SECONDS * effort.size)
        names = [DIRECT, *servers]
        turns: dict[str, list[Turn]] = {name: [] for name in names}
        for number in range(effort.rounds + 1):
            first = number % len(names)
            for name in names[first:] + names[:first]:
                if name in absent:
                    continue
                server = servers.get(name)
                try:
                    turn = take_turn(name, server.address if server else source.address, load, server)
                except RuntimeError as error:
                    if name in {DIRECT, OURS, RELAY}:
                        raise
                    absent[name] = str(error)
                    continue
                if number:
                    turns[name].append(turn)
    peers = [name for name in servers if name != OURS and name not in absent]
    rows = [speed_row(turns, name) for name in peers]
    rows += [cost_row(turns, name) for name in peers]
    rows.append(Row(NAME, "streams a second, no server", rate(turns[DIRECT]), note="what the load does alone"))
    return [*rows, *(skipped(NAME, f"beside {name}", why) for name, why in absent.items())]


def speed_row(turns: Mapping[str, Sequence[Turn]], peer: str) -> Row:
    """How many streams a second, beside a peer."""
    ours, theirs = turns[OURS], turns[peer]
    detail: dict[str, Figure] = {}
    idle = []
    for name in (OURS, peer):
        detail[f"{name}: p99 of a stream"] = Figure.of([turn.p99_ms() for turn in turns[name]], "ms")
        busy = [percent for turn in turns[name] if (percent := turn.busy_percent) is not None]
        if busy:
            detail[f"{name}: busy"] = Figure.of(busy, "%")
            if detail[f"{name}: busy"].value < BUSY_PERCENT:
                idle.append(name)
    return Row(
        *(NAME, "streams a second on one core", rate(ours), rate(theirs), peer),
        ratio=ratio([turn.streams_per_s for turn in ours], [turn.streams_per_s for turn in theirs]),
        target=OVER_ASGI if peer == ASGI else None,
        note=f"waited for work or for its processor: {' and '.join(idle)}" if idle else "",
        detail=detail,
    )


def cost_row(turns: Mapping[str, Sequence[Turn]], peer: str) -> Row:
    """What a stream costs, beside a peer."""
    ours, theirs = (
        [cost for turn in turns[name] if (cost := turn.cpu_us_per_stream) is not None] for name in (OURS, peer)
    )
    what = "CPU of a stream"
    if not ours or not theirs:
        return skipped(NAME, f"{what}, beside {peer}", "the system does not tell")
    figures = [Figure.of(costs, "us") for costs in (ours, theirs)]
    return Row(NAME, what, figures[0], figures[1], peer, ratio(ours, theirs))


def rate(turns: Sequence[Turn]) -> Figure:
    """Streams a second over the rounds."""
    return Figure.of([turn.streams_per_s for turn in turns], "streams/s")
