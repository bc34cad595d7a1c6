"""The engine of one machine: `python -m streamkit.bench.locust.engine`. Not for people: a Locust worker starts it.

It warms up, calibrates, says that it is ready, measures its share when it is told to begin, and calibrates again. The
end of its stdin is the end of the Locust worker, and so its own.
"""

from __future__ import annotations

import os
from typing import Final

import trio
from msgspec.structs import replace

from streamkit.bench.calibrate import calibrate
from streamkit.bench.calibration import Calibration
from streamkit.bench.engine import Stop
from streamkit.bench.lines import Lines
from streamkit.bench.locust.said import Calibrated, Done, Job, Said, Standing, to_engine
from streamkit.bench.measure import Measured, Progress, measure
from streamkit.bench.messages import Begin, Halt, Ready, Sampled, line_of
from streamkit.bench.plan import Plan
from streamkit.bench.prepare import prepare
from streamkit.bench.record import RequestRecord
from streamkit.bench.serving import serve
from streamkit.bench.shape import Shape, shape_of
from streamkit.bench.tally import Tally
from streamkit.bench.warmup import AUTO, warmup_plan
from streamkit.bench.worker import packed_of
from streamkit.errors import ConfigError
from streamkit.http.background import background

__all__ = ["do", "main"]

SAY_S: Final = 2.0

PER_MESSAGE: Final = 20
"""How many records of the sample go into a message."""


class _Engine:
    """A job that is done, and whoever is told of it."""

    def __init__(self, job: Job, told: trio.abc.SendStream) -> None:
        self._job = job
        self._told = told
        self._progress: Progress | None = None
        self.stop = Stop()
        self.may_begin = trio.Event()

    async def say(self, message: Said) -> None:
        """Say something."""
        await self._told.send_all(line_of(message))

    async def do(self) -> None:
        """Do all of it.

        Raises:
            StreamkitError: it cannot be done.
        """
        job = self._job
        plan = with_key(job.plan, job.api_key_env)
        prepare(plan)
        notes: list[str] = []
        shape: Shape | None = None
        if job.calibrate_s > 0:
            shape = await self._warm_up(plan)
            if shape is None:
                notes.append("not one request of the warm-up was answered well, so nothing was calibrated")
        calibrated = await self._calibrate(plan, shape)
        await self.say(Ready())
        await self.may_begin.wait()
        measured = await self._measure(plan)
        if calibrated is not None and not self.stop.is_set:
            await self._calibrate(plan, shape)
        await self.say(Done(measured.ran, measured.is_interrupted, notes + measured.notes))

    async def _warm_up(self, plan: Plan) -> Shape | None:
        first = warmup_plan(plan, AUTO)
        if first is None:
            return None
        records: list[RequestRecord] = []
        await measure(first, stop=self.stop, on_record=records.append)
        return shape_of(records)

    async def _calibrate(self, plan: Plan, shape: Shape | None) -> Calibration | None:
        if shape is None or self.stop.is_set:
            return None
        found = await calibrate(plan, shape, workers=self._job.processes, seconds=self._job.calibrate_s, stop=self.stop)
        await self.say(Calibrated(found))
        return found

    async def _measure(self, plan: Plan) -> Measured:
        async with background() as beside:
            is_over, is_said = trio.Event(), trio.Event()
            beside.start_soon(self._keep_saying, is_over, is_said)
            measured = await measure(
                plan, workers=self._job.processes, slo=self._job.slo, stop=self.stop, on_progress=self._note
            )
            is_over.set()
            await is_said.wait()
        await self._say_standing(measured.tallies, 0)
        for records in measured.samples.values():
            for first in range(0, len(records), PER_MESSAGE):
                await self.say(Sampled(records[first : first + PER_MESSAGE]))
        return measured

    def _note(self, progress: Progress) -> None:
        self._progress = progress

    async def _keep_saying(self, is_over: trio.Event, is_said: trio.Event) -> None:
        """Say how things stand as long as the load runs."""
        while not is_over.is_set():
            with trio.move_on_after(SAY_S):
                await is_over.wait()
            if self._progress is not None and not is_over.is_set():
                tallies = {name: each.tally for name, each in self._progress.servers.items()}
                await self._say_standing(tallies, self._progress.in_flight)
        is_said.set()

    async def _say_standing(self, tallies: dict[str, Tally], running: int) -> None:
        await self.say(Standing({name: await packed_of(tally) for name, tally in tallies.items()}, running))


async def do(job: Job, commands: Lines, told: trio.abc.SendStream) -> None:
    """Do a job.

    Args:
        job: what to do.
        commands: when to begin and when to stop; their end ends it all, untold.
        told: takes what is found.

    Raises:
        StreamkitError: it cannot be done.
    """
    engine = _Engine(job, told)
    with trio.CancelScope() as everything:
        async with background() as beside:
            beside.start_soon(_obey, commands, engine, everything)
            await engine.do()


async def _obey(commands: Lines, engine: _Engine, everything: trio.CancelScope) -> None:
    while (line := await commands.next()) is not None:
        command = to_engine.decode(line)
        if isinstance(command, Begin):
            engine.may_begin.set()
        elif isinstance(command, Halt):
            if command.now:
                engine.stop.now()
            else:
                engine.stop.soon()
            engine.may_begin.set()  # there will be nothing, and it is said
    everything.cancel()


def with_key(plan: Plan, variable: str) -> Plan:
    """Return the plan with the key that this machine's environment has.

    Raises:
        ConfigError: it has none.
    """
    if not variable:
        return plan
    key = os.environ.get(variable, "").strip()
    if not key:
        raise ConfigError(f"the environment variable {variable} of this machine has no key")
    return replace(plan, servers=[replace(server, api_key=key) for server in plan.servers])


async def _work(commands: Lines, told: trio.abc.SendStream) -> None:
    line = await commands.next()
    job = None if line is None else to_engine.decode(line)
    if isinstance(job, Job):
        await do(job, commands, told)


def main() -> None:
    """Take the job, and do it."""
    serve(_work)


if __name__ == "__main__":
    main()
