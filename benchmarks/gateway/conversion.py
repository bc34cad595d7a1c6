"""What does the gateway add to one record's way where it converts, and what does a converted stream cost?

The upstream speaks Ollama's chat, the client of the gateway asks for OpenAI's chunks: every record is parsed, converted
and written anew. The delay is taken as `delay.py` takes it, in its two ways on one processor, and what a path adds is
its delay less the direct connection's in the same round. There, through the bare relay, and through the gateway that
passes on, the client asks for Ollama's records and gets them as they are: what is compared is a converted record with
one that is only moved. A client has a record when it has its text and the end of its line or event, so that each path
may write it in its own words.

The target holds the p50 that the converting gateway adds against what the bare relay adds. LiteLLM's proxy converts the
same stream where it is installed (`litellm`, on the PATH or beside this interpreter; it is never installed for this).
If the gateway holds a record back, it counts with the time after which it was given up.

CPU of a stream, for information, is what `streams.py` calls so: 20 records and the end, 32 streams at once. It holds
the reading and translating of the request too, which the delay of a record does not.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path as FilePath
from typing import Final

from benchmarks.gateway.contenders import CONVERTING, OURS, RELAY, Contenders, Started
from benchmarks.gateway.delay import DIRECT, PERCENTS, WAYS, Path, Way, added, measure
from benchmarks.gateway.load import Load, Turn, take_turn
from benchmarks.gateway.load import upstream as many_streams
from benchmarks.gateway.pair import LIMIT_S, Upstream
from benchmarks.gateway.wire import CONVERTED, RECORDS, Talk
from benchmarks.measure import Effort, Figure, ratio
from benchmarks.report import Row, Target, skipped

__all__ = ["NAME", "run"]

NAME: Final = "gateway-conversion"
OVER_RELAY: Final = Target("<=", 3, "x")
SECONDS: Final = 1.0


def run(effort: Effort, contenders: Contenders, *, limit_s: float = LIMIT_S) -> list[Row]:
    """Answer the question.

    Raises:
        RuntimeError: the direct connection, the bare relay or the gateway that passes on held something back, or a
            stream of the gateway was not whole.
    """
    rows, absent = delays(effort, contenders, limit_s)
    if not any(row.note for row in rows):  # a gateway that was given up has no streams to count
        rows += costs(effort, contenders, absent)
    return [*rows, *(skipped(NAME, f"beside {name}", why) for name, why in absent.items())]


def talk_with(name: str) -> Talk:
    """What the client says on a path."""
    return RECORDS if name in {DIRECT, OURS, RELAY} else CONVERTED


def delays(effort: Effort, contenders: Contenders, limit_s: float) -> tuple[list[Row], dict[str, str]]:
    """What is added to a record's way; and why others that convert are not there, by name."""
    rows: list[Row] = []
    with Upstream(limit_s) as upstream, Started(contenders.compared(), upstream.port) as started:
        addresses = {DIRECT: ("127.0.0.1", upstream.port)}
        addresses |= {name: server.address for name, server in started.servers.items()}
        absent = dict(started.absent)
        for way in (way for way in WAYS if way.processor == 0):
            asked = {name: address for name, address in addresses.items() if name not in absent}
            paths = measure(upstream, asked, effort, way, {name: talk_with(name) for name in asked})
            for name in (DIRECT, RELAY, OURS):
                if paths[name].fault:
                    raise RuntimeError(f"{name}: {paths[name].fault}")
            absent |= {name: path.fault for name, path in paths.items() if path.fault and name != CONVERTING}
            rows += [delay_row(paths, name, way) for name in paths if name not in {*absent, DIRECT, CONVERTING}]
            if paths[CONVERTING].fault:
                break
    return rows, absent


def delay_row(paths: Mapping[str, Path], peer: str, way: Way) -> Row:
    """The converting gateway beside a peer."""
    ours, theirs = added(paths, CONVERTING), added(paths, peer)
    detail = {
        f"{name} p{percent}": Figure.of(paths[name].by_round(percent), "us")
        for name in ((DIRECT, CONVERTING, peer) if peer == RELAY else (peer,))
        for percent in PERCENTS
    }
    if peer != RELAY:
        detail[f"{peer} adds, over the {RELAY}"] = ratio(theirs, added(paths, RELAY))
    return Row(
        *(NAME, f"added to a converted record, {way.name}", Figure.of(ours, "us"), Figure.of(theirs, "us"), peer),
        ratio=ratio(ours, theirs),
        target=OVER_RELAY if peer == RELAY else None,
        note=f"given up: {paths[CONVERTING].fault}" if paths[CONVERTING].fault else "",
        detail=detail,
    )


def costs(effort: Effort, contenders: Contenders, absent: dict[str, str]) -> list[Row]:
    """What a stream costs, converted and passed on; who fails here is put to the absent."""
    with (
        tempfile.TemporaryDirectory() as folder,
        many_streams(FilePath(folder), CONVERTED) as source,
        Started(
            {name: launcher for name, launcher in contenders.compared().items() if name not in {*absent, RELAY}},
            source.address[1],
        ) as started,
    ):
        absent |= started.absent
        turns: dict[str, list[Turn]] = {name: [] for name in started.servers}
        names = list(turns)
        for number in range(effort.rounds + 1):
            first = number % len(names)
            for name in names[first:] + names[:first]:
                if name in absent:
                    continue
                server = started.servers[name]
                load = Load(seconds=SECONDS * effort.size, talk=talk_with(name))
                try:
                    turn = take_turn(name, server.address, load, server)
                except RuntimeError as error:
                    if name in {CONVERTING, OURS}:
                        raise
                    absent[name] = str(error)
                    continue
                if number:
                    turns[name].append(turn)
    return [cost_row(turns, name) for name in names if name not in {*absent, CONVERTING}]


def cost_row(turns: Mapping[str, Sequence[Turn]], peer: str) -> Row:
    """What a converted stream costs, beside what a peer does with one."""
    ours, theirs = (
        [cost for turn in turns[name] if (cost := turn.cpu_us_per_stream) is not None] for name in (CONVERTING, peer)
    )
    what = "CPU of a converted stream"
    if not ours or not theirs:
        return skipped(NAME, f"{what}, beside {peer}", "the system does not tell")
    detail = {
        f"{name}: streams a second": Figure.of([turn.streams_per_s for turn in turns[name]], "streams/s")
        for name in (CONVERTING, peer)
    }
    return Row(
        *(NAME, what, Figure.of(ours, "us"), Figure.of(theirs, "us"), peer), ratio=ratio(ours, theirs), detail=detail
    )
