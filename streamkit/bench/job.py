"""What a benchmark is to do from its beginning to its end: what the command line says, as one value. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from streamkit.bench.plan import Arrivals, Concurrency, Limits, Load, Plan, Replay, Server
from streamkit.bench.shape import Shape
from streamkit.bench.tally import Bound
from streamkit.bench.until import Until
from streamkit.bench.warmup import AUTO, Warmup

__all__ = ["CALIBRATION_S", "UPSTREAM_SHAPE", "Job"]

CALIBRATION_S: Final = 3.0
"""How long requests of a calibration begin, before each load and after it."""

LEAST_REQUESTS: Final = 100
EACH_REQUESTS: Final = 10
CLOSED_S: Final = 60.0
OPEN_S: Final = 30.0
UNTIL_S: Final = 600.0
"""How long a load is where nobody says: a closed loop goes on for `EACH_REQUESTS` requests a stream, but at least
`LEAST_REQUESTS`, and no longer than `CLOSED_S`; an open one for `OPEN_S`; one that is to find something out gives up
after `UNTIL_S`."""

UPSTREAM_SHAPE: Final = Shape(50.0, 10.0, 32)
"""Of the embedded mock's answers, where it stands behind the proxies."""


@dataclass(frozen=True)
class Job:
    """A benchmark.

    Attributes:
        servers: who is asked; a dialect may be "auto". With several the first is the server itself, and the others are
            proxies before it.
        loads: one after the other; a sweep, where there are several.
        prompts: what is asked, in turn.
        prompt_words: about them, for reports.
        requests, duration_s: of each load; None where nobody said so.
        until: what each load is to find out; None for nothing.
        warmup: before the first load.
        same_prompt, max_tokens, seed, limits: see `Plan`.
        slo: what a request has to keep.
        workers: how many processes.
        calibration_s: see `CALIBRATION_S`; 0 for no calibration.
        max_tool_error: the share of a figure that our own error may be.
        is_strict: whether a run is refused, or fails, where it is more.
        upstream: HOST:PORT, for the embedded mock to listen there behind the proxies; empty for no mock.
        upstream_shape: of its answers.
        raw: a file for every record.
        confidence: of all intervals.
        notes: sentences for the report.
    """

    servers: list[Server]
    loads: list[Load]
    prompts: list[str]
    prompt_words: str = ""
    requests: int | None = None
    duration_s: float | None = None
    until: Until | None = None
    warmup: Warmup = AUTO
    same_prompt: bool = False
    max_tokens: int | None = None
    seed: int = 0
    limits: Limits = field(default_factory=Limits)
    slo: list[Bound] = field(default_factory=list)
    workers: int = 1
    calibration_s: float = CALIBRATION_S
    max_tool_error: float = 0.1
    is_strict: bool = False
    upstream: str = ""
    upstream_shape: Shape = UPSTREAM_SHAPE
    raw: Path | None = None
    confidence: float = 0.95
    notes: list[str] = field(default_factory=list)

    def plan(self, load: Load, servers: list[Server]) -> Plan:
        """Return the plan of one load."""
        requests, duration_s = self._span(load, len(servers))
        return Plan(
            servers=servers,
            load=load,
            prompts=self.prompts,
            requests=requests,
            duration_s=duration_s,
            same_prompt=self.same_prompt,
            max_tokens=self.max_tokens,
            seed=self.seed,
            limits=self.limits,
        )

    def _span(self, load: Load, servers: int) -> tuple[int | None, float | None]:
        """Return how many requests a load has, and how long it is; requests are of all servers together."""
        requests = None if self.requests is None else self.requests * servers
        if requests is not None or self.duration_s is not None or isinstance(load, Replay):
            return requests, self.duration_s
        if self.until is not None:
            return None, UNTIL_S
        if isinstance(load, Concurrency):
            return servers * max(LEAST_REQUESTS, EACH_REQUESTS * load.concurrency), CLOSED_S
        assert isinstance(load, Arrivals)  # noqa: S101 - there is no fourth
        return None, OPEN_S
