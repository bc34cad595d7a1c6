"""What an engine is told and what it says, each a line of JSON. Pure.

`Begin` and `Halt` are those of `streamkit.bench.messages`, which is how one machine's processes speak. No key goes from
one machine to another: each has its own, in an environment variable whose name is told.
"""

from __future__ import annotations

from typing import Final, TypeAlias

import msgspec

from streamkit.bench.calibration import Calibration
from streamkit.bench.messages import Begin, Failed, Halt, Ready, Sampled
from streamkit.bench.plan import Plan
from streamkit.bench.results import Ran
from streamkit.bench.tally import Bound, Packed

__all__ = ["Calibrated", "Done", "Job", "Said", "Standing", "ToEngine", "said", "to_engine"]


class Job(msgspec.Struct, frozen=True, tag="job"):
    """What a machine is to do.

    Attributes:
        plan: with the machine's share in it.
        slo: what a request has to keep to be good.
        api_key_env: the environment variable of the machine that has the key; empty for none.
        processes: how many of them the machine has for it.
        calibrate_s: how long a calibration is; 0 for none.
    """

    plan: Plan
    slo: list[Bound]
    api_key_env: str = ""
    processes: int = 1
    calibrate_s: float = 5.0


class Calibrated(msgspec.Struct, frozen=True, tag="calibrated"):
    """How far this machine's figures are off."""

    calibration: Calibration


class Standing(msgspec.Struct, frozen=True, tag="standing"):
    """Everything up to now, by the server's name: it replaces what was said before."""

    tallies: dict[str, Packed]
    running: int = 0


class Done(msgspec.Struct, frozen=True, tag="done"):
    """The share is done, and all of it is said.

    Attributes:
        ran: of each process.
        is_interrupted: whether it was ended before its time.
        notes: what is to be known of this machine's part.
    """

    ran: list[Ran]
    is_interrupted: bool = False
    notes: list[str] = []


ToEngine: TypeAlias = Job | Begin | Halt
Said: TypeAlias = Ready | Standing | Sampled | Calibrated | Done | Failed

to_engine: Final = msgspec.json.Decoder(ToEngine)
said: Final = msgspec.json.Decoder(Said)
