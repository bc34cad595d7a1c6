"""What a proxy costs: the server itself and everything that stands before it under one load, request beside request.

The plan's first server is the server itself, the others are proxies. Where the server is the embedded mock, listening
where the proxies pass requests on to (`open_upstream`), its journal says when each token was written, and so how long
each path held it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import trio

from streamkit.bench.emission import Emission
from streamkit.bench.engine import Stop
from streamkit.bench.lane import OnRecord
from streamkit.bench.measure import Measured, OnProgress, measure
from streamkit.bench.mockprocess import MockProcess, open_mock_process
from streamkit.bench.pairs import Pairing
from streamkit.bench.plan import Plan, Server
from streamkit.bench.record import RequestRecord
from streamkit.bench.results import Paired
from streamkit.bench.shape import Shape
from streamkit.bench.statistics import CONFIDENCE
from streamkit.bench.tally import Bound
from streamkit.bench.truth import Entry
from streamkit.errors import ConfigError
from streamkit.http.origin import parse_origin

__all__ = ["DIRECT", "ProxyRun", "Upstream", "measure_proxies", "open_upstream", "parse_place"]

DIRECT: Final = "direct"
"""What the server itself is called where nobody has named it."""

MODEL: Final = "mock"
"""What it is asked for where nobody says; it has every model, and some dialects cannot be asked for none."""

JOURNAL_S: Final = 2.0
"""How long the journal may say nothing new before what is missing is taken for missing. A line is written when its
answer is over, some moments after the client has it."""

LOOK_S: Final = 0.02

ANYWHERE: Final = {"//0.0.0.0:": "//127.0.0.1:", "//[::]:": "//[::1]:"}
"""Where we reach ourselves, listening everywhere."""


@dataclass
class ProxyRun:
    """What came of one load.

    Attributes:
        measured: each server for itself.
        paired: each proxy against the server itself.
        notes: sentences about what the pairs do not say.
    """

    measured: Measured
    paired: list[Paired]
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Upstream:
    """The embedded mock as the server that proxies pass requests on to.

    Attributes:
        process: it.
        server: how it is asked directly.
    """

    process: MockProcess
    server: Server

    async def tell(self, emission: Emission) -> int:
        """Tell of the requests that are over by now and were not told of before; return how many those were."""
        told = 0
        while found := await trio.to_thread.run_sync(self.process.entries):
            told += len(found)
            await trio.to_thread.run_sync(_tell_all, emission, found)
        return told


def _tell_all(emission: Emission, entries: Iterable[Entry]) -> None:
    for entry in entries:
        emission.wrote(entry)


@asynccontextmanager
async def open_upstream(
    place: str,
    *,
    dialect: str,
    shape: Shape,
    name: str = DIRECT,
    model: str = "",
    tls: bool = False,
    seed: int = 0,
) -> AsyncIterator[Upstream]:
    """Run the embedded mock where proxies expect their upstream, while the block runs.

    Args:
        place: HOST:PORT, to listen there.
        dialect: in which it is asked directly; the proxies may ask it in any that it speaks.
        shape: its answers in time.
        name: what it is called as a server of the plan.
        model: which model it is asked for.
        tls: speak TLS, with a throw-away certificate (the extra `tls`).
        seed: what its words are drawn from.

    Raises:
        ConfigError: that is no place, or it does not speak that dialect; also where TLS needs what is not installed.
        ConnectError: it does not start, as where its port is taken.
    """
    host, port = parse_place(place)
    opened = open_mock_process(
        dialect=dialect,
        ttft_ms=shape.ttft_ms,
        gap_ms=shape.gap_ms,
        tokens=shape.tokens,
        tls=tls,
        host=host,
        port=port,
        seed=seed,
    )
    async with opened as process:
        authorities = str(process.authorities or "")
        yield Upstream(process, Server(name, reached(process.url), dialect, model or MODEL, authorities=authorities))


def reached(url: str) -> str:
    """Return the URL of a server of ours as something that can be connected to."""
    for anywhere, here in ANYWHERE.items():
        url = url.replace(anywhere, here, 1)
    return url


def parse_place(text: str) -> tuple[str, int]:
    """Read HOST:PORT of `--upstream`; an IPv6 address stands in brackets. Port 0 would be one that no proxy knows.

    Raises:
        ConfigError: it is no such thing.
    """
    try:
        origin = parse_origin(f"http://{text}", "--upstream")
    except ConfigError:
        origin = None
    if origin is None or origin.path or not text.endswith(f":{origin.port}"):
        raise ConfigError(f"--upstream {text[:80]!r} is not HOST:PORT; write it like 127.0.0.1:9000")
    return origin.host, origin.port


async def measure_proxies(
    plan: Plan,
    *,
    upstream: Upstream | None = None,
    workers: int = 1,
    slo: Iterable[Bound] = (),
    stop: Stop | None = None,
    on_progress: OnProgress | None = None,
    raw: Path | None = None,
    on_record: OnRecord | None = None,
    confidence: float = CONFIDENCE,
) -> ProxyRun:
    """Run one load on a server and on its proxies, and put what came beside each other.

    Args:
        plan: with two servers at least, the server itself first.
        upstream: whose journal is read: the plan's first server, and where its proxies pass requests on to.
        workers: how many processes.
        slo: what a request has to keep to be good.
        stop: ends it sooner.
        on_progress: is told how far it has come.
        raw: a file to which every record is appended.
        on_record: gets every record.
        confidence: of all intervals.

    Raises:
        ConfigError: there is nothing to compare, or see `measure`; nothing was sent.
        StreamkitError: see `measure`.
    """
    names = [server.name for server in plan.servers]
    if len(names) < 2 or len({*names}) < len(names):
        raise ConfigError("a server and at least one proxy are compared, each by a name of its own")
    pairing = Pairing(names[0], names[1:])
    emission = None if upstream is None else Emission(seed=plan.seed)

    def take(record: RequestRecord) -> None:
        pairing.add(record)
        if emission is not None:
            emission.add(record)
        if on_record is not None:
            on_record(record)

    measured = await measure(
        plan, workers=workers, slo=slo, stop=stop, on_progress=on_progress, raw=raw, on_record=take
    )
    pairing.finish()
    paired = pairing.paired(plan.load, confidence)
    if upstream is not None and emission is not None:
        await _hear_out(upstream, emission)
        await trio.to_thread.run_sync(emission.complete, paired, confidence)
    return ProxyRun(measured, paired, [note for each in paired for note in notes_of(each)])


async def _hear_out(upstream: Upstream, emission: Emission) -> None:
    """Read the journal until it has told of every request, or has nothing more to tell."""
    heard_s = trio.current_time()
    while emission.missing and trio.current_time() < heard_s + JOURNAL_S and upstream.process.is_running:
        if await upstream.tell(emission):
            heard_s = trio.current_time()
        else:
            await trio.sleep(LOOK_S)


def notes_of(paired: Paired) -> list[str]:
    """Return sentences about what a proxy's pairs do not say."""
    notes = []
    every = paired.pairs + paired.broken + paired.cut
    if paired.broken:
        notes.append(f"{paired.proxy}: in {paired.broken} of {every} pairs a side failed; they are in no difference")
    if paired.uneven:
        notes.append(
            f"{paired.proxy}: in {paired.uneven} of {paired.pairs} pairs the two answers are not equally long, "
            "and their end-to-end times differ by that too"
        )
    for server, unmatched in paired.unmatched.items():
        if unmatched:
            notes.append(
                f"{server}: of {unmatched} answers the tokens are not those that one answer of the upstream wrote, one "
                "event for each (joined, repeated, cached, or asked under another name?); their delays are not known"
            )
    return notes
