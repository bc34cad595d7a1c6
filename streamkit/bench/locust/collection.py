"""What the machines of a run have said, as one result. Pure.

Clocks of different machines are not compared. Latencies are differences on one machine's clock; the times of samples
and of the load's beginning and end are moved so that each machine began at 0, which was as much at the same time as the
network between them let them be told to begin.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from msgspec.structs import replace

from streamkit.bench.calibration import Calibration, worse
from streamkit.bench.locust.said import Calibrated, Done, Said, Standing
from streamkit.bench.messages import Failed, Ready, Sampled
from streamkit.bench.plan import Plan
from streamkit.bench.record import RECEIVED, RequestRecord, TokenRead
from streamkit.bench.results import Ran, Result, Run
from streamkit.bench.sample import Sample
from streamkit.bench.tally import Bound, Tally

__all__ = ["Collection", "Station", "since"]

TIMES: Final = (
    *("scheduled_ns", "began_ns", "connecting_ns", "connected_ns", "sent_ns"),
    *(f"{name}_{kind}" for name in RECEIVED for kind in ("ns", "read_ns")),
)


@dataclass
class Station:
    """A machine, and what it has said.

    Attributes:
        name: for people.
        is_ready: whether it can begin; is_over: whether nothing more is to come.
    """

    name: str
    is_ready: bool = False
    is_over: bool = False
    standing: Standing = field(default_factory=lambda: Standing({}))
    sample: list[RequestRecord] = field(default_factory=list)
    calibrations: list[Calibration] = field(default_factory=list)
    ran: list[Ran] = field(default_factory=list)
    is_interrupted: bool = False
    notes: list[str] = field(default_factory=list)


class Collection:
    """Collects what machines say.

    Args:
        plan: all of it.
        slo: what a request has to keep to be good.
        names: of the machines, for people, by their id.

    Attributes:
        stations: by their id.
        was_ended: set by whoever ends the load before its time.
    """

    def __init__(self, plan: Plan, slo: Sequence[Bound], names: Mapping[str, str]) -> None:
        self._plan = plan
        self._slo = slo
        self.stations = {identity: Station(name) for identity, name in names.items()}
        self.was_ended = False

    def take(self, identity: str, message: Said) -> None:
        """Take what a machine says; one that is not known, or is over, is not heard."""
        station = self.stations.get(identity)
        if station is None or station.is_over:
            return
        if isinstance(message, Ready):
            station.is_ready = True
        elif isinstance(message, Standing):
            station.standing = message
        elif isinstance(message, Sampled):
            station.sample += message.records
        elif isinstance(message, Calibrated):
            station.calibrations.append(message.calibration)
        elif isinstance(message, Done):
            station.ran = message.ran
            station.is_interrupted = message.is_interrupted
            station.notes += message.notes
            station.is_over = True
        elif isinstance(message, Failed):
            self.lose(identity, message.words)

    def lose(self, identity: str, words: str) -> None:
        """Note that nothing more comes from a machine, and why."""
        station = self.stations.get(identity)
        if station is not None and not station.is_over:
            station.is_over = True
            station.notes.append(f"{words}: what it had not said yet is missing, and the load was smaller by its share")

    @property
    def can_begin(self) -> bool:
        """Whether all are ready, but for those that are lost."""
        return all(station.is_ready or station.is_over for station in self.stations.values())

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to come from any of them."""
        return all(station.is_over for station in self.stations.values())

    @property
    def is_whole(self) -> bool:
        """Whether each of them could say all that it did."""
        return all(station.ran for station in self.stations.values())

    def result(self, *, processes: int, prompts: str, began_unix_s: float, version: str, machine: str) -> Result:
        """Return everything as one result.

        Args:
            processes: how many each machine has.
            prompts: words about what was asked.
            began_unix_s: when it began.
            version: of streamkit.
            machine: words about where it ran.
        """
        stations = [*self.stations.values()]
        is_interrupted = self.was_ended or any(each.is_interrupted for each in stations)
        calibrations = [worse(each.calibrations) for each in stations if each.calibrations]
        tool_error = worse(calibrations).tool_error if calibrations else {}
        notes = [f"{each.name}: {note}" for each in stations for note in self._notes_of(each)]
        runs = [
            Run(
                server=server.name,
                load=self._plan.load,
                tally=self._tally(server.name),
                ran=[ran for each in stations for ran in moved(each.ran)],
                sample=self._sample(server.name),
                tool_error=tool_error,
                calibrated_per_s=sum(each.requests_per_s for each in calibrations),
                is_interrupted=is_interrupted,
            )
            for server in self._plan.servers
        ]
        apart = "times of different machines are not compared: each one's count from when it began"
        return Result(
            servers=self._plan.servers,
            runs=runs,
            slo=[*self._slo],
            seed=self._plan.seed,
            workers=processes * len(stations),
            prompts=prompts,
            began_unix_s=began_unix_s,
            version=version,
            machine=machine,
            notes=notes + ([apart] if len(stations) > 1 else []),
            is_interrupted=is_interrupted,
        )

    @staticmethod
    def _notes_of(station: Station) -> Iterable[str]:
        yield from station.notes
        if not station.calibrations:
            yield "not calibrated"
            return
        found = worse(station.calibrations)
        error = found.tool_error.get("ttft_ms")
        if error is not None:
            tail = "not known" if error.p99 is None else f"{error.p99:.3f} ms"
            yield f"its own error of ttft is {error.p50:.3f} ms at p50, and {tail} at p99"
        yield from found.notes

    def _tally(self, server: str) -> Tally:
        tally = Tally(self._slo)
        for station in self.stations.values():
            packed = station.standing.tallies.get(server)
            if packed is not None:
                tally.merge(packed)
        return tally

    def _sample(self, server: str) -> list[RequestRecord]:
        sample = Sample(seed=self._plan.seed)
        for station in self.stations.values():
            if station.ran:
                began_ns = min(ran.began_ns for ran in station.ran)
                sample.merge(since(record, began_ns) for record in station.sample if record.target == server)
        return sample.records


def moved(rans: Sequence[Ran]) -> list[Ran]:
    """Return what ran on one machine, with times since the first of its processes began."""
    zero_ns = min((ran.began_ns for ran in rans), default=0)
    return [
        replace(
            ran,
            began_ns=ran.began_ns - zero_ns,
            ended_ns=ran.ended_ns - zero_ns,
            last_begin_ns=ran.last_begin_ns - zero_ns,
        )
        for ran in rans
    ]


def since(record: RequestRecord, zero_ns: int) -> RequestRecord:
    """Return a record with its times since then."""
    times = {name: at_ns - zero_ns for name in TIMES if (at_ns := getattr(record, name)) is not None}
    reads = [
        TokenRead(each.at_ns - zero_ns, each.read_ns - zero_ns, each.tokens, each.is_resolved, each.is_last_known)
        for each in record.token_reads
    ]
    return replace(record, token_reads=reads, **times)
