"""What does it cost an event that the gateway is watched?

Two gateways pass the same events on, one of them with `--watch`, and nobody has its page open: what is measured is that
everything that passes is seen and kept. The delay is taken as `delay.py` takes it, in its two ways on one processor,
and what a path adds is its delay less the direct connection's in the same round. There is no target: the streams of a
gateway that is not watched pay nothing.

A gateway that keeps as much as it may counts what comes, and keeps no more: that is cheaper. A turn of a full run stays
below that (`streamkit.watch.sights.MAX_SIGHT_BYTES`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import Final

from benchmarks.gateway.contenders import OURS, Contenders, Launcher, Started, gateway
from benchmarks.gateway.delay import DIRECT, PERCENTS, WAYS, Path, Way, added, measure
from benchmarks.gateway.pair import LIMIT_S, Upstream
from benchmarks.measure import Effort, Figure, ratio
from benchmarks.mock.servers import Launch
from benchmarks.report import Row, skipped

__all__ = ["NAME", "WATCHED", "run"]

NAME: Final = "gateway-watching"
WATCHED: Final = "watched gateway"


def watched(upstream: int, folder: FilePath) -> Launch:
    """The gateway with its page.

    Raises:
        Unavailable: this checkout has no gateway.
    """
    return gateway(upstream, folder, "--watch")


def run(effort: Effort, contenders: Contenders, *, limit_s: float = LIMIT_S, launch: Launcher = watched) -> list[Row]:
    """Answer the question.

    Raises:
        RuntimeError: the direct connection or the gateway that nobody watches held something back.
    """
    rows: list[Row] = []
    with (
        Upstream(limit_s) as upstream,
        Started({OURS: contenders.ours, WATCHED: launch}, upstream.port) as started,
    ):
        if started.absent:
            return [skipped(NAME, f"the {name}", why) for name, why in started.absent.items()]
        addresses = {DIRECT: ("127.0.0.1", upstream.port)}
        addresses |= {name: server.address for name, server in started.servers.items()}
        for way in WAYS:
            if way.processor:
                continue
            paths = measure(upstream, addresses, effort, way)
            for name in (DIRECT, OURS):
                if paths[name].fault:
                    raise RuntimeError(f"{name}: {paths[name].fault}")
            rows.append(row(paths, way))
            if paths[WATCHED].fault:
                break
    return rows


def row(paths: Mapping[str, Path], way: Way) -> Row:
    """The watched gateway beside the other."""
    watching, plain = added(paths, WATCHED), added(paths, OURS)
    return Row(
        *(NAME, f"added to an event, {way.name}", Figure.of(watching, "us"), Figure.of(plain, "us"), "unwatched"),
        ratio=ratio(watching, plain),
        note=f"given up: {paths[WATCHED].fault}" if paths[WATCHED].fault else "",
        detail={
            f"{name} p{percent}": Figure.of(paths[name].by_round(percent), "us")
            for name in (DIRECT, OURS, WATCHED)
            for percent in PERCENTS
        },
    )
