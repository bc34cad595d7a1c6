"""What a run's processes tell each other, each a line of JSON. Pure.

The plan, with its keys, goes to a worker on its stdin, where nobody else sees it. What a worker tells of its figures is
what was added since it told them last: whoever adds it all up has everything that a worker did up to its end, also
where that came too soon.
"""

from __future__ import annotations

from typing import Final, TypeAlias

import msgspec

from streamkit.bench.plan import Plan
from streamkit.bench.record import RequestRecord
from streamkit.bench.results import Ran
from streamkit.bench.tally import Bound, Packed

__all__ = [
    "Begin",
    "Failed",
    "Finished",
    "FromWorker",
    "Halt",
    "Order",
    "Ready",
    "Sampled",
    "Snapshot",
    "ToWorker",
    "from_worker",
    "line_of",
    "to_worker",
]


class Order(msgspec.Struct, frozen=True, tag="order"):
    """Comes first.

    Attributes:
        plan: with this worker's share in it.
        slo: what a request has to keep to be good.
        wants_records: whether every record is told, beside what they add up to.
    """

    plan: Plan
    slo: list[Bound]
    wants_records: bool = False


class Begin(msgspec.Struct, frozen=True, tag="begin"):
    """Begin at this time of CLOCK_MONOTONIC, which all processes of a machine share; None for at once."""

    at_ns: int | None = None


class Halt(msgspec.Struct, frozen=True, tag="halt"):
    """Begin no more requests; `now`: and end those that run."""

    now: bool = False


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """The plan makes sense, and all is loaded."""


class Snapshot(msgspec.Struct, frozen=True, tag="snapshot", omit_defaults=True):
    """What was added since the last one.

    Attributes:
        began_ns: the time from which schedules count; 0 before it.
        running: how many requests run.
        tallies: by the server's name, where anything was added.
        records: of all requests that have ended since, where they are wanted.
        dropped: how many of them are not there, because they were not taken away in time.
    """

    began_ns: int = 0
    running: int = 0
    tallies: dict[str, Packed] = {}
    records: list[msgspec.Raw] = []
    dropped: int = 0


class Sampled(msgspec.Struct, frozen=True, tag="sampled"):
    """Some of a worker's sample."""

    records: list[RequestRecord]


class Finished(msgspec.Struct, frozen=True, tag="finished"):
    """The share is done, and all of it is told."""

    ran: Ran


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """Nothing was done, or no more, and why."""

    words: str


ToWorker: TypeAlias = Order | Begin | Halt
FromWorker: TypeAlias = Ready | Snapshot | Sampled | Finished | Failed

to_worker: Final = msgspec.json.Decoder(ToWorker)
from_worker: Final = msgspec.json.Decoder(FromWorker)

_ENCODER: Final = msgspec.json.Encoder()


def line_of(message: msgspec.Struct) -> bytes:
    """Return a message as a line: JSON has no line break in it."""
    return _ENCODER.encode(message) + b"\n"
