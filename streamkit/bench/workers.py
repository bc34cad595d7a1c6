"""The processes of a run, from the one that wants the figures: starts them, lets them begin together, hears them out.

A worker that dies takes with it what it did since its last word, half a second ago; what it told before counts, and a
note says what happened. Nothing is left running when `Team.run` returns or raises.
"""

from __future__ import annotations

import math
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec
import trio

from streamkit.bench.engine import Stop
from streamkit.bench.lines import Lines
from streamkit.bench.messages import (
    Begin,
    Finished,
    FromWorker,
    Halt,
    Order,
    Ready,
    Sampled,
    Snapshot,
    ToWorker,
    from_worker,
    line_of,
)
from streamkit.bench.plan import Plan
from streamkit.bench.record import RequestRecord
from streamkit.bench.results import Ran
from streamkit.bench.shares import shares_of
from streamkit.bench.tally import Bound
from streamkit.dialects.refusals import masked
from streamkit.errors import StreamkitError
from streamkit.http.background import background

__all__ = ["Heard", "OnSnapshot", "Team"]

HEAD_START_S: Final = 0.1
"""From when all are ready until they begin: as long as it takes to tell them, on a busy machine."""

SILENCE_S: Final = 20.0
"""A worker that says nothing for so long has come to a stop; it tells something twice a second."""

GRACE_S: Final = 20.0
"""How long a worker may take to tell the rest once it is told to end at once."""

DEAF_S: Final = 4.0
"""One that was told so and says nothing at all for so long does not hear: it was stopped, or its machine swaps. Who has
interrupted a run is not kept waiting for it; what the others have told counts."""

EXIT_S: Final = 5.0
"""How long a worker may take to exit when all is told."""

COMMAND: Final = (sys.executable, "-P", "-m", "streamkit.bench.worker")

STDERR_BYTES: Final = 2000


@dataclass
class Heard:
    """What workers have told, besides their snapshots.

    Attributes:
        ran: of each that came to its end.
        sample: records of all of them.
        notes: what went wrong.
    """

    ran: list[Ran] = field(default_factory=list)
    sample: list[RequestRecord] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


OnSnapshot = Callable[[int, Snapshot], None]
"""Gets the worker's number, and what it has added."""


def ignore(number: int, snapshot: Snapshot) -> None:
    """Do nothing with a snapshot."""


class Team:
    """The workers of one load.

    Args:
        plan: all of it.
        workers: how many; a closed loop has no use for more than its concurrency.
        slo: what a request has to keep to be good.
        wants_records: whether snapshots are to have the records.
        on_snapshot: gets them, and an empty one when a worker has ended.
        command: of a worker.

    Attributes:
        pids: of those that run.
        heard: what they have told.
    """

    def __init__(
        self,
        plan: Plan,
        workers: int,
        slo: list[Bound],
        *,
        wants_records: bool,
        on_snapshot: OnSnapshot,
        command: Sequence[str] = COMMAND,
    ) -> None:
        self._orders = [Order(each, slo, wants_records) for each in shares_of(plan, workers)]
        self._secrets = [value for server in plan.servers for _, value in server.headers]
        self._secrets += [server.api_key for server in plan.servers if server.api_key]
        self._command = command
        self._on_snapshot = on_snapshot
        self._loading = self._living = len(self._orders)
        self._all_loaded, self._all_ended = trio.Event(), trio.Event()
        self._begin_ns: int | None = None
        self._has_told = False
        self.pids: set[int] = set()
        self.heard = Heard()

    async def run(self, stop: Stop) -> Heard:
        """Let them do the load, and return when the last one has ended.

        Raises:
            StreamkitError: all of them died before they told anything.
        """
        async with background() as beside:
            for number, order in enumerate(self._orders):
                beside.start_soon(self._employ, number, order, stop)
            await self._all_ended.wait()
        if not self.heard.ran and not self._has_told:
            raise StreamkitError("; ".join(self.heard.notes))
        return self.heard

    async def _employ(self, number: int, order: Order, stop: Stop) -> None:
        """Start a worker, hear it out, and see to it that it ends."""
        try:
            process = await trio.lowlevel.open_process(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,  # Ctrl-C is for us; what runs is told, so that it can still report
            )
        except OSError as error:
            self._ended(number, f"could not be started ({error.strerror or error})", is_loaded=False)
            return
        self.pids.add(process.pid)
        worker = _Worker(process, order)
        try:
            async with background() as beside:
                beside.start_soon(worker.keep_stderr)
                beside.start_soon(worker.command, self._begin, stop)
                await self._hear(number, worker)
                await worker.wait()
        finally:
            with trio.CancelScope(shield=True):
                await worker.end()
            self.pids.discard(process.pid)
        said = masked(worker.stderr, self._secrets)
        words = "" if worker.has_finished else f"{worker.words}{f' ({said})' if said else ''}"
        self._ended(number, words, is_loaded=worker.is_loaded)

    def _ended(self, number: int, words: str, *, is_loaded: bool) -> None:
        """Note the end of a worker, and `words` where it came too soon."""
        if words:
            self.heard.notes.append(
                f"worker {number + 1} of {len(self._orders)} {words}: what it had not told yet is missing, and the load"
                " was that much smaller from then on"
            )
        if not is_loaded:
            self._one_less_to_wait_for()
        self._tell(number, Snapshot())
        self._living -= 1
        if not self._living:
            self._all_ended.set()

    async def _hear(self, number: int, worker: _Worker) -> None:
        """Take what a worker tells, to its end."""
        while (message := await worker.next()) is not None:
            if isinstance(message, Snapshot):
                self._has_told = self._has_told or bool(message.tallies)
                self._tell(number, message)
            elif isinstance(message, Ready):
                worker.is_loaded = True
                self._one_less_to_wait_for()
            elif isinstance(message, Sampled):
                self.heard.sample += message.records
            elif isinstance(message, Finished):
                worker.has_finished = True
                self.heard.ran.append(message.ran)
                return
            else:
                worker.words = f"could not do its share ({masked(message.words, self._secrets)})"

    def _tell(self, number: int, snapshot: Snapshot) -> None:
        """Pass it on, unless whoever gets it has failed: then everything ends, and the error is to be the only one."""
        on_snapshot, self._on_snapshot = self._on_snapshot, ignore
        on_snapshot(number, snapshot)
        self._on_snapshot = on_snapshot

    def _one_less_to_wait_for(self) -> None:
        self._loading -= 1
        if not self._loading:
            self._begin_ns = time.monotonic_ns() + round(HEAD_START_S * 1e9)
            self._all_loaded.set()

    async def _begin(self) -> Begin:
        """Return when, once all are ready."""
        await self._all_loaded.wait()
        return Begin(self._begin_ns)


class _Worker:
    """One process, and what is known of it."""

    def __init__(self, process: trio.Process, order: Order) -> None:
        if process.stdout is None:  # which cannot be: it was asked for
            raise StreamkitError("a worker has no stdout")
        self._process = process
        self._order = order
        self._lines = Lines(process.stdout)
        self._stderr = bytearray()
        self._stderr_ended = trio.Event()
        self._heard_s = -math.inf
        self.is_loaded = False
        self.has_finished = False
        self.words = ""

    async def next(self) -> FromWorker | None:
        """Return what it tells next; None where nothing more comes, with the reason in `words`."""
        line: bytes | None = None
        with trio.move_on_after(SILENCE_S) as silence:
            line = await self._lines.next()
            self._heard_s = trio.current_time()
        if silence.cancelled_caught:
            self.words = f"said nothing for {SILENCE_S:g} s, and was ended"
        if line is None:
            return None
        try:
            message: FromWorker = from_worker.decode(line)
        except msgspec.DecodeError as error:
            self.words = f"said what nobody understands ({error}), and was ended"
            return None
        return message

    async def command(self, begin: Callable[[], Awaitable[Begin]], stop: Stop) -> None:
        """Tell it what to do, to begin, and to stop, as far as it still listens."""
        try:
            await self._tell(self._order)
            await self._tell(await begin())
            await stop.wait()
            await self._tell(Halt())
            await stop.wait_now()
            await self._tell(Halt(now=True))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return
        told_s = trio.current_time()
        while (  # noqa: ASYNC110 - it is silence that is waited for
            until_s := min(told_s + GRACE_S, max(told_s, self._heard_s) + DEAF_S)
        ) > trio.current_time():
            await trio.sleep_until(until_s)
        took_s = trio.current_time() - told_s
        self.words = f"did not end within {took_s:.2g} s when it was told to, and was killed"
        self._process.kill()

    async def _tell(self, message: ToWorker) -> None:
        if self._process.stdin is not None:
            await self._process.stdin.send_all(line_of(message))

    async def keep_stderr(self) -> None:
        """Keep the end of what it says there."""
        if self._process.stderr is not None:
            async for data in self._process.stderr:
                self._stderr += data
                del self._stderr[:-STDERR_BYTES]
        self._stderr_ended.set()

    async def wait(self) -> None:
        """Wait a while for it to exit by itself, unless it is to be killed, and for the rest of what it says."""
        if not self.words:
            with trio.move_on_after(EXIT_S):
                await self._process.wait()
                await self._stderr_ended.wait()

    @property
    def stderr(self) -> str:
        """The last line of that, which is what a traceback ends with."""
        lines = self._stderr.decode(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    async def end(self) -> None:
        """Kill it, if it has not ended by itself, and release what belongs to it."""
        process = self._process
        if process.returncode is None:
            process.kill()
            await process.wait()
            self.words = self.words or "did not exit, and was killed"
        code = process.returncode
        self.words = self.words or (
            f"died of signal {-code}" if code and code < 0 else f"ended early (exit code {code})"
        )
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                await stream.aclose()
