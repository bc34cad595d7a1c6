"""One load, in this process or in several: every record into a tally, some into a sample, all into a file if asked.

With several processes each one does its share of the plan and tells what it has added up (`streamkit.bench.workers`);
what comes out is the same value.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec
import trio

from streamkit.bench.engine import Live, Stop, run_load
from streamkit.bench.lane import OnRecord
from streamkit.bench.messages import Snapshot
from streamkit.bench.plan import Plan
from streamkit.bench.prepare import prepare
from streamkit.bench.progress import Pace, Progress, ServerProgress, planned_requests
from streamkit.bench.rawfile import RawFile, open_raw_file
from streamkit.bench.record import RequestRecord
from streamkit.bench.results import Ran
from streamkit.bench.sample import Sample
from streamkit.bench.tally import Bound, Tally
from streamkit.bench.workers import Team
from streamkit.errors import ConfigError
from streamkit.http.background import background

__all__ = ["Measured", "OnProgress", "Progress", "Stop", "measure"]

PROGRESS_S: Final = 0.5

MAX_WORKERS: Final = 512

record_of: Final = msgspec.json.Decoder(RequestRecord)

OnProgress = Callable[[Progress], None]


@dataclass
class Measured:
    """What came of a load.

    Attributes:
        tallies: by the server's name.
        ran: of each process that came to its end.
        samples: by the server's name, in the order of their numbers.
        is_interrupted: whether `stop` ended it.
        notes: sentences about what went wrong in the tool itself, and what that means for the figures.
        lost: those of them about the file of all records: what it does not have.
    """

    tallies: dict[str, Tally]
    ran: list[Ran] = field(default_factory=list)
    samples: dict[str, list[RequestRecord]] = field(default_factory=dict)
    is_interrupted: bool = False
    notes: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)


class _Collector:
    """Where everything of a load comes together."""

    def __init__(self, plan: Plan, slo: Iterable[Bound], on_record: OnRecord | None, raw: RawFile | None) -> None:
        bounds = [*slo]
        self.plan = plan
        self.live = Live()
        self.tallies = {server.name: Tally(bounds) for server in plan.servers}
        self.samples = {server.name: Sample(seed=plan.seed) for server in plan.servers}
        self.on_record = on_record
        self.raw = raw
        self.untold = 0
        self._running: dict[int, int] = {}
        self._paces = {server.name: Pace() for server in plan.servers}

    def add(self, record: RequestRecord) -> None:
        """Take a record of this process."""
        self.tallies[record.target].add(record)
        self.samples[record.target].add(record)
        if self.raw is not None:
            self.raw.add(record)
        if self.on_record is not None:
            self.on_record(record)

    def add_snapshot(self, worker: int, snapshot: Snapshot) -> None:
        """Take what another process has added."""
        self._running[worker] = snapshot.running
        self.live.running = sum(self._running.values())
        self.live.began_ns = snapshot.began_ns or self.live.began_ns
        for name, packed in snapshot.tallies.items():
            self.tallies[name].merge(packed)
        self.untold += snapshot.dropped
        for line in snapshot.records:
            if self.raw is not None:
                self.raw.add_line(line)
            if self.on_record is not None:
                self.on_record(record_of.decode(line))

    def progress(self, *, processes: int = 1, is_last: bool = False) -> Progress:
        """Return how far it has come."""
        now_ns, live = time.monotonic_ns(), self.live
        servers = {}
        for name, tally in self.tallies.items():
            ok, errors = tally.outcomes["ok"], tally.errors
            pace = self._paces[name].at(now_ns, ok, live.began_ns)
            servers[name] = ServerProgress(ok + errors, ok, errors, pace, tally)
        return Progress(
            elapsed_s=max(0, now_ns - live.began_ns) / 1e9 if live.began_ns else 0.0,
            in_flight=live.running,
            servers=servers,
            requests=planned_requests(self.plan),
            duration_s=self.plan.duration_s,
            processes=processes,
            is_last=is_last,
        )


async def measure(
    plan: Plan,
    *,
    workers: int = 1,
    slo: Iterable[Bound] = (),
    stop: Stop | None = None,
    on_progress: OnProgress | None = None,
    raw: Path | None = None,
    on_record: OnRecord | None = None,
    apart: bool = False,
) -> Measured:
    """Run one load to its end.

    Args:
        plan: all of it; with several processes each gets its share.
        workers: how many processes: 1 is this one. More of them are started, and have ended when this returns.
        slo: what a request has to keep to be good.
        stop: ends it sooner.
        on_progress: is told, twice a second and at the end, how far it has come.
        raw: a file to which every record is appended (`streamkit.bench.rawfile`).
        on_record: gets every record. From other processes they come some tenths of a second after their end.
        apart: whether to measure in another process even where one is enough: then nothing that the caller does
            meanwhile, drawing on a terminal for instance, holds up what is measured.

    Raises:
        ConfigError: the plan makes no sense, or the file cannot be opened; nothing was sent.
        StreamkitError: every one of the processes died before it had done anything.
    """
    if not 1 <= workers <= MAX_WORKERS:
        raise ConfigError(
            f"there cannot be {workers} processes: between 1 and {MAX_WORKERS}, and as many as cores at most"
        )
    stop = Stop() if stop is None else stop
    async with open_raw_file(raw, plan) as raw_file:
        collector = _Collector(plan, slo, on_record, raw_file)
        if workers == 1 and not apart:
            measured = await _alone(collector, stop, on_progress)
        else:
            measured = await _together(collector, [*slo], workers, stop, on_progress)
    if unbegun := sum(ran.unbegun for ran in measured.ran):
        measured.notes.append(
            f"{unbegun:,} requests were due and never began, because the tool was behind or"
            f" {plan.limits.max_in_flight:,} ran already: they would have waited longest and are in no figure, and so"
            " what counts from the schedule looks better than it was"
        )
    if raw_file is not None:
        measured.lost = raw_file.notes
        measured.notes += measured.lost
    return measured


async def _alone(collector: _Collector, stop: Stop, on_progress: OnProgress | None) -> Measured:
    async with background() as beside:
        if on_progress is not None:
            beside.start_soon(_report, collector, on_progress)
        ran = await run_load(collector.plan, collector.add, stop=stop, live=collector.live)
    if on_progress is not None:
        on_progress(collector.progress(is_last=True))
    samples = {name: sample.records for name, sample in collector.samples.items()}
    return Measured(collector.tallies, [ran], samples, stop.is_set)


async def _together(
    collector: _Collector, slo: list[Bound], workers: int, stop: Stop, on_progress: OnProgress | None
) -> Measured:
    prepare(collector.plan)
    wants_records = collector.raw is not None or collector.on_record is not None
    team = Team(collector.plan, workers, slo, wants_records=wants_records, on_snapshot=collector.add_snapshot)
    async with background() as beside:
        if on_progress is not None:
            beside.start_soon(_report, collector, on_progress, workers)
        heard = await team.run(stop)
    if on_progress is not None:
        on_progress(collector.progress(processes=workers, is_last=True))
    for record in heard.sample:
        collector.samples[record.target].add(record)
    notes = [*heard.notes]
    if collector.untold:
        notes.append(f"{collector.untold} records came faster than they could be taken, and are in the figures only")
    samples = {name: sample.records for name, sample in collector.samples.items()}
    return Measured(collector.tallies, heard.ran, samples, stop.is_set, notes)


async def _report(collector: _Collector, on_progress: OnProgress, processes: int = 1) -> None:
    while True:
        await trio.sleep(PROGRESS_S)
        on_progress(collector.progress(processes=processes))
