"""A whole benchmark: warm up, calibrate, measure, calibrate again; for each load. What comes out is a `Result`.

The order is on purpose. The warm-up finds out that nothing answers before minutes are spent, and what the answers look
like in time. The calibrations before and after put the same load on a server that is known, and the worse one counts:
a machine that got busy meanwhile is not hidden.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field
from typing import Final

import trio
from msgspec.structs import replace

from streamkit import __version__
from streamkit.bench.calibrate import calibrate
from streamkit.bench.calibration import HEADLINES, Calibration, expected, in_doubt, judging, unjudged, worse
from streamkit.bench.engine import Stop
from streamkit.bench.job import Job
from streamkit.bench.knee import find_knee
from streamkit.bench.loads import load_size, load_words
from streamkit.bench.measure import OnProgress, Progress, measure
from streamkit.bench.metrics import BY_NAME
from streamkit.bench.pair_error import add_errors
from streamkit.bench.plan import Concurrency, Load, Plan, Server
from streamkit.bench.proxymode import Upstream, measure_proxies, open_upstream
from streamkit.bench.record import RequestRecord
from streamkit.bench.report.veil import Veil
from streamkit.bench.resolve import resolved
from streamkit.bench.results import Result, Run
from streamkit.bench.shape import Shape, shape_of
from streamkit.bench.statistics import estimate
from streamkit.bench.until import Watch
from streamkit.bench.warmup import warmup_plan
from streamkit.errors import ConfigError, ConnectError, RemoteError

__all__ = ["Control", "benchmark"]

UNSEEN: Final = Shape(50.0, 10.0, 32)
"""What answers look like where no warm-up has seen any: a calibration is made with these."""

KEPT_RECORDS: Final = 2000

SURE: Final = 2
"""Requests of a warm-up that have to fail before one of several servers is given up: a single one may be bad luck."""

QUANTILES: Final = (0.5, 0.9, 0.99)


def ignore_phase(words: str) -> None:
    """Do nothing with what begins."""


def ignore_progress(progress: Progress) -> None:
    """Do nothing with how far it is."""


@dataclass
class Control:
    """Follows a benchmark, and ends it before its time.

    Attributes:
        on_phase: is told in words what begins.
        on_progress: is told how far that is.
        is_interrupted: whether it was ended.
    """

    on_phase: Callable[[str], None] = ignore_phase
    on_progress: OnProgress = ignore_progress
    is_interrupted: bool = False
    _stops: list[Stop] = field(default_factory=list)
    _asking: trio.CancelScope | None = None

    def interrupt(self) -> None:
        """End what runs, at once; what there is by then is the result."""
        self.is_interrupted = True
        if self._asking is not None:
            self._asking.cancel()
        for stop in self._stops:
            stop.now()

    def asks(self) -> trio.CancelScope:
        """Return a scope in which something may wait until it is interrupted."""
        self._asking = trio.CancelScope()
        if self.is_interrupted:
            self._asking.cancel()
        return self._asking

    def begins(self, words: str) -> Stop:
        """Say what begins, and return what ends it."""
        self.on_phase(words)
        stop = Stop()
        if self.is_interrupted:
            stop.now()
        self._stops[:] = [stop]
        return stop


async def benchmark(job: Job, control: Control | None = None) -> Result:
    """Do all of a job.

    Args:
        job: what to do.
        control: follows it.

    Raises:
        ConfigError: it makes no sense, or is strict and the tool's own error is too large; then nothing was measured.
        RemoteError: no request of the warm-up was answered, by all servers or by one of those that are compared; or the
            servers do not say what they speak.
    """
    control = Control() if control is None else control
    result = Result(
        [],
        slo=[*job.slo],
        confidence=job.confidence,
        max_tool_error=job.max_tool_error,
        seed=job.seed,
        workers=job.workers,
        prompts=job.prompt_words,
        began_unix_s=time.time(),
        version=__version__,
        machine=machine_words(),
        notes=[*job.notes],
    )
    async with AsyncExitStack() as stack:
        upstream = None
        servers = [*job.servers]
        if job.upstream:
            upstream = await stack.enter_async_context(_upstream_of(job))
            servers.insert(0, upstream.server)
        servers = await _resolved(servers, job, control)
        if upstream is not None:  # the mock answers no request that names no model
            servers = [replace(each, model=each.model or upstream.server.model) for each in servers]
        result.servers = servers
        whole = _Whole(job, control, result, servers, upstream)
        await whole.run()
    result.is_interrupted = control.is_interrupted
    _find_knees(result)
    return result


async def _resolved(servers: list[Server], job: Job, control: Control) -> list[Server]:
    """Return the servers with what they speak; as they are where that was interrupted."""
    veil = Veil(servers)
    try:
        with control.asks():
            return [await resolved(each, job.limits) for each in servers]
    except RemoteError as error:  # a server can send back, in an error, whatever it was sent
        raise RemoteError(veil.text(str(error))) from None
    except ConfigError as error:
        raise ConfigError(veil.text(str(error))) from None
    return servers


def _upstream_of(job: Job) -> AbstractAsyncContextManager[Upstream]:
    first = job.servers[0]
    dialect = "openai-chat" if first.dialect == "auto" else first.dialect
    shape = replace(job.upstream_shape, tokens=job.max_tokens or job.upstream_shape.tokens)
    return open_upstream(job.upstream, dialect=dialect, shape=shape, model=first.model, seed=job.seed)


class _Whole:
    """A benchmark while it runs."""

    def __init__(
        self, job: Job, control: Control, result: Result, servers: list[Server], upstream: Upstream | None
    ) -> None:
        self.job = job
        self.control = control
        self.result = result
        self.servers = servers
        self.upstream = upstream

    async def run(self) -> None:
        if self.control.is_interrupted:
            return
        shape = await self._warm_up(self.job.plan(self.job.loads[0], self.servers))
        for load in self.job.loads:
            if self.control.is_interrupted:
                return
            await self._one(load, shape)

    async def _warm_up(self, plan: Plan) -> Shape:
        """Ask a little, and return what answers look like in time."""
        warming = warmup_plan(plan, self.job.warmup)
        if warming is None:
            return UNSEEN
        records: list[RequestRecord] = []

        def take(record: RequestRecord) -> None:
            if len(records) < KEPT_RECORDS:
                records.append(record)

        stop = self.control.begins("warming up")
        await measure(warming, stop=stop, on_progress=self.control.on_progress, on_record=take)
        shape = shape_of(records)
        if shape is None and not self.control.is_interrupted:
            raise RemoteError(_why_none(records))
        for server in self.servers:
            theirs = [record for record in records if record.target == server.name and record.outcome != "unfinished"]
            if len(theirs) >= SURE and not any(record.is_ok for record in theirs) and not self.control.is_interrupted:
                raise RemoteError(f"{server.name}: {_why_none(theirs)}")
        return shape or UNSEEN

    async def _one(self, load: Load, shape: Shape) -> None:
        """Measure under one load, between two calibrations."""
        plan = self.job.plan(load, self.servers)
        calibrations: list[Calibration] = []
        notes: list[str] = []
        before = await self._calibrate(plan, shape, "before", notes)
        if before is not None:
            calibrations.append(before)
            self._refuse_doubtful(before, shape)
        if self.control.is_interrupted:
            return
        first, first_paired = len(self.result.runs), len(self.result.paired)
        await self._measure(plan, notes)
        if not self.control.is_interrupted:
            seen = shape_of(record for run in self.result.runs[first:] for record in run.sample) or shape
            after = await self._calibrate(plan, seen, "after", notes)
            if after is not None:
                calibrations.append(after)
        worst = worse(calibrations) if calibrations else None
        errors, words = judging(worst, self.result.runs[first:]) if worst is not None else ({}, [])
        for run in self.result.runs[first:]:
            run.notes += notes
            if worst is not None:
                run.tool_error = errors
                run.calibrated_per_s = worst.requests_per_s
                run.notes += [*worst.notes, *words]
                if not self.control.is_interrupted and len(calibrations) == 1:
                    run.notes.append("one of the two calibrations came to nothing: the other one counts")
            if self.job.is_strict:
                run.notes += [f"too uncertain for --strict: {each}" for each in doubts(run, self.result)]
        if worst is not None:
            add_errors(self.result.paired[first_paired:], self.result.runs[first:], worst.parts)

    async def _calibrate(self, plan: Plan, shape: Shape, when: str, notes: list[str]) -> Calibration | None:
        if not self.job.calibration_s:
            return None
        stop = self.control.begins(f"calibrating {when}: {load_words(plan.load)}")
        try:
            found = await calibrate(
                plan,
                shape,
                workers=self.job.workers,
                seconds=self.job.calibration_s,
                confidence=self.job.confidence,
                stop=stop,
                on_progress=self.control.on_progress,
            )
        except (ConfigError, ConnectError) as error:
            if self.job.is_strict:
                raise
            notes.append(f"the calibration {when} the run failed: {error}")
            return None
        return found if found.tool_error else None

    def _refuse_doubtful(self, calibration: Calibration, shape: Shape) -> None:
        """Refuse a strict run whose figures would not be worth it, going by what the warm-up has seen.

        Raises:
            ConfigError: they would not.
        """
        if not self.job.is_strict:
            return
        doubtful = in_doubt(expected(shape), calibration.tool_error, self.job.max_tool_error)
        if doubtful:
            raise ConfigError(
                f"the tool's own error is more than {self.job.max_tool_error:.0%} here: {'; '.join(doubtful)}; "
                "take a quieter machine, a smaller load, more --workers, or a larger --max-tool-error"
            )

    async def _measure(self, plan: Plan, notes: list[str]) -> None:
        control, job = self.control, self.job
        stop = control.begins(f"measuring: {load_words(plan.load)}")
        watch = None if job.until is None else Watch(job.until, job.confidence)
        if watch is not None:  # what is slow is let come to its end: without it the figure would be better than it is
            limits = plan.limits
            plan = replace(plan, limits=replace(limits, drain_s=max(limits.drain_s, limits.total_s)))
        is_known = False

        def on_progress(progress: Progress) -> None:
            nonlocal is_known
            control.on_progress(progress)
            if watch is not None and not is_known:
                is_known = watch.is_met(progress.servers)
                if is_known:
                    stop.soon()

        on_record = None if watch is None else watch.add
        if len(self.servers) > 1:
            run = await measure_proxies(
                plan,
                upstream=self.upstream,
                workers=job.workers,
                slo=job.slo,
                stop=stop,
                on_progress=on_progress,
                raw=job.raw,
                on_record=on_record,
                confidence=job.confidence,
            )
            measured = run.measured
            self.result.paired += run.paired
            notes += run.notes
        else:
            measured = await measure(
                plan,
                workers=job.workers,
                slo=job.slo,
                stop=stop,
                on_progress=on_progress,
                raw=job.raw,
                on_record=on_record,
            )
        self.result.lost += measured.lost
        for server in self.servers:
            is_goal_met = None if watch is None else watch.settle(server.name)
            told = [watch.words(server.name)] if watch is not None else []
            self.result.runs.append(
                Run(
                    server.name,
                    plan.load,
                    measured.tallies[server.name],
                    measured.ran,
                    measured.samples.get(server.name, []),
                    notes=[*told, *measured.notes],
                    is_interrupted=control.is_interrupted,
                    is_goal_met=is_goal_met,
                )
            )


def doubts(run: Run, result: Result) -> list[str]:
    """Return, for people, the figures of a run that the tool's own error makes doubtful, or that it cannot judge.

    Of a run without any calibration there are none: nobody has said anything of it.
    """
    if not run.tool_error:
        return []
    figures: dict[str, dict[float, float]] = {}
    for name in HEADLINES:
        metric, distribution = BY_NAME[name], run.tally.distribution(name)
        answers = run.tally.outcomes["ok"] if metric.many else None
        found = {q: estimate(distribution, q, metric.scale, result.confidence, independent=answers) for q in QUANTILES}
        figures[name] = {q: each.value for q, each in found.items() if each is not None}
    return [*in_doubt(figures, run.tool_error, result.max_tool_error), *unjudged(figures, run.tool_error)]


def _find_knees(result: Result) -> None:
    for server in result.servers:
        points = []
        for run in result.runs:
            if run.server == server.name and not run.is_interrupted:
                name = "ttft_ms" if isinstance(run.load, Concurrency) else "ttft_from_schedule_ms"
                found = estimate(run.tally.distribution(name), 0.5, BY_NAME[name].scale, result.confidence)
                points.append((load_size(run.load), run.requests_per_s, None if found is None else found.value))
        knee = find_knee(server.name, points)
        if knee is not None:
            result.knees.append(knee)


def _why_none(records: list[RequestRecord]) -> str:
    """Say why no request of the warm-up was answered: what came most often, and once what it said."""
    if not records:
        return "no request of the warm-up came to an end; a longer --warmup may help"
    kinds = [record.outcome or "unfinished" for record in records]
    most = max(dict.fromkeys(kinds), key=kinds.count)
    detail = next((record.detail for record in records if record.outcome == most and record.detail), "")
    return f"none of the {len(records)} requests of the warm-up was answered: {most}{': ' if detail else ''}{detail}"


def machine_words() -> str:
    """Say where it ran."""
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return (
        f"{platform.system()} {platform.release()}, {platform.machine()}, {processors} processors, "
        f"Python {platform.python_version()}"
    )
