"""What does the gateway add to one SSE event's way, and what does a bare trio byte relay add?

One stream through each path stays open over the whole run. A turn sends events through one path, one at a time: the
upstream sends the next when the client has the last. The delay of an event is from before its send to behind the read
that completed it, upstream and client being one thread (`pair.py`), and what a path *adds* is its delay less that of
the direct connection in the same round. Each turn begins with events that are not counted, so that all paths are judged
warm. This is done in three ways:

- *ping-pong*: the next event follows at once, so a path has hardly passed one on when it gets the next;
- *paced*: before each event there is a pause of 100 us, in which the path does the rest of its work and goes to sleep,
  as it does between the tokens of a model;
- *ping-pong on two processors*, for information: most of it is how soon the machine wakes a processor, which hits all
  paths alike and makes the spread ten times as wide. In the first two, everything runs on one processor, so that a
  delay is the work on the way.

The target holds the p50 that the gateway adds against what the bare relay adds: both are trio between two sockets, so
that is the price of HTTP and of all the gateway's care, whatever the machine. Figures are the medians over the rounds.
If the gateway holds an event back, it counts with the time after which it was given up; a peer that does is shown as
absent, and without its two measures (direct, the bare relay) there is no answer.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

from benchmarks.gateway.contenders import ASGI, OURS, RELAY, Contenders, Started
from benchmarks.gateway.pair import LIMIT_S, Held, Pair, Upstream
from benchmarks.gateway.wire import PASSED, Talk
from benchmarks.measure import Effort, Figure, percentile, ratio
from benchmarks.mock.servers import on_processor
from benchmarks.report import Row, Target, skipped

__all__ = ["NAME", "Path", "run"]

NAME: Final = "gateway-delay"
DIRECT: Final = "direct"
EVENTS, WARM_UP = 1000, 100
OVER_RELAY = Target("<=", 1.6, "x")
OVER_ASGI = Target("<=", 1, "x")
PERCENTS: Final = (50, 90, 99)


@dataclass(frozen=True, slots=True)
class Path:
    """What one path did.

    Attributes:
        delays_us: of every event, round by round.
        fault: what it held back, or empty.
    """

    delays_us: list[list[float]]
    fault: str = ""

    def by_round(self, percent: float) -> list[float]:
        """This percentile of each round."""
        return [percentile(delays, percent) for delays in self.delays_us]


@dataclass(frozen=True, slots=True)
class Way:
    """One way of sending events.

    Attributes:
        name: what the rows call it.
        processor: upstream and client run on this one, the servers on the first.
        pause_s: before each event.
        events: how many in a turn of a full run.
        has_peers: whether all peers are measured, or only the bare relay.
    """

    name: str
    processor: int = 0
    pause_s: float = 0
    events: int = EVENTS
    has_peers: bool = True

    def targets(self) -> dict[str, Target]:
        """What it has to reach beside whom."""
        return {RELAY: OVER_RELAY, ASGI: OVER_ASGI} if self.processor == 0 else {}


WAYS: Final = (
    Way("ping-pong"),
    Way("paced", pause_s=100e-6, events=EVENTS // 3),
    Way("ping-pong on two processors", processor=1, has_peers=False),
)


def run(effort: Effort, contenders: Contenders, *, limit_s: float = LIMIT_S) -> list[Row]:
    """Answer the question.

    Raises:
        RuntimeError: the direct connection or the bare relay held something back.
    """
    rows: list[Row] = []
    with Upstream(limit_s) as upstream, Started(contenders.passing(), upstream.port) as started:
        addresses = {DIRECT: ("127.0.0.1", upstream.port)}
        addresses |= {name: server.address for name, server in started.servers.items()}
        absent = dict(started.absent)
        for way in WAYS:
            asked = [name for name in addresses if name not in absent]
            if not way.has_peers:
                asked = [DIRECT, OURS, RELAY]
            paths = measure(upstream, {name: addresses[name] for name in asked}, effort, way)
            for name in (DIRECT, RELAY):
                if paths[name].fault:
                    raise RuntimeError(f"{name}: {paths[name].fault}")
            absent |= {name: path.fault for name, path in paths.items() if path.fault and name != OURS}
            rows += [row(paths, name, way) for name in paths if name not in absent and name not in {DIRECT, OURS}]
            if paths[OURS].fault:
                break
    return [*rows, *(skipped(NAME, f"beside {name}", why) for name, why in absent.items())]


def measure(
    upstream: Upstream,
    addresses: Mapping[str, tuple[str, int]],
    effort: Effort,
    way: Way,
    talks: Mapping[str, Talk] | None = None,
) -> dict[str, Path]:
    """Let the paths take turns; `talks` has what is said on those that do not pass on OpenAI's events."""
    paths = {name: Path([]) for name in addresses}
    with ExitStack() as stack, on_processor(way.processor):
        pairs: dict[str, Pair] = {}

        def give_up(name: str, why: Held) -> None:
            paths[name] = Path([[upstream.limit_s * 1e6]] * effort.rounds, str(why))
            pairs.pop(name, None)

        for name, address in addresses.items():
            try:
                pairs[name] = stack.enter_context(Pair(upstream, address, (talks or {}).get(name, PASSED)))
            except Held as why:
                give_up(name, why)
        gc.collect()
        gc.disable()
        stack.callback(gc.enable)
        names = list(addresses)
        for number in range(effort.rounds):
            first = number % len(names)
            for name in names[first:] + names[:first]:
                if name in pairs:
                    try:
                        paths[name].delays_us.append(take_turn(pairs[name], effort, way))
                    except Held as why:
                        give_up(name, why)
    return paths


def take_turn(pair: Pair, effort: Effort, way: Way) -> list[float]:
    """Send events through a path; return their delays in us."""
    delays_us = []
    warm_up = effort.of(WARM_UP)
    for number in range(warm_up + effort.of(way.events)):
        if way.pause_s:
            time.sleep(way.pause_s)
        delay_ns = pair.step()
        if number >= warm_up:
            delays_us.append(delay_ns / 1000)
    return delays_us


def added(paths: Mapping[str, Path], name: str) -> list[float]:
    """What a path adds to direct, p50 against p50, in each round; never less than the clock can tell."""
    return [
        max(mine - direct, 0.001)
        for mine, direct in zip(paths[name].by_round(50), paths[DIRECT].by_round(50), strict=True)
    ]


def row(paths: Mapping[str, Path], peer: str, way: Way) -> Row:
    """Ours beside a peer."""
    ours, theirs = added(paths, OURS), added(paths, peer)
    detail = {
        f"{name} p{percent}": Figure.of(paths[name].by_round(percent), "us")
        for name in ((DIRECT, OURS, peer) if peer == RELAY else (peer,))
        for percent in PERCENTS
    }
    return Row(
        *(NAME, f"added to an event, {way.name}", Figure.of(ours, "us"), Figure.of(theirs, "us"), peer),
        ratio=ratio(ours, theirs),
        target=way.targets().get(peer),
        note=f"given up: {paths[OURS].fault}" if paths[OURS].fault else "",
        detail=detail,
    )
