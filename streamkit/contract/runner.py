"""Run cases against one target: side by side where they do not disturb each other, within bounds, whatever happens.

What may come from a crash, an open circuit breaker or another request's answer (`streamkit.contract.doubt`) does not
stand by itself. An ordinary request is sent first: where it passes, the case runs once more, alone, and what it then
says counts. Where it does not for a while, the target is down, and what is left is not run.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Final

import trio

from streamkit.contract.content import Talk
from streamkit.contract.doubt import ASKS_AGAIN, Doubt, doubt_of
from streamkit.contract.explain import (
    explain_briefly,
    explain_connect,
    explain_lost,
    explain_not_forwarded,
    is_overloaded,
)
from streamkit.contract.results import Result, harness_error, not_run, result_of, unmet
from streamkit.contract.room import Room
from streamkit.contract.selection import Chosen, in_phases
from streamkit.contract.setup import CONTROL, FORWARD, SETUP
from streamkit.contract.stand import NotForwarded, Stand
from streamkit.contract.token import foreign_token, token_of
from streamkit.contract.trace import Trace
from streamkit.contract.verdicts import Level, Verdict
from streamkit.errors import ConnectError, LocalError, StreamkitError

if TYPE_CHECKING:
    from streamkit.contract.case import Case
    from streamkit.contract.hub import Hub
    from streamkit.contract.setting import Setting
    from streamkit.http.connect import Dial
    from streamkit.http.stream import WireStream

__all__ = ["BESIDE", "Runner"]

BESIDE: Final = 24
"""How many cases run side by side. Cases that fail spend their time with waiting: with 24 a proxy that buffers all was
judged in two thirds of the time that it took with 12. On two busy processors no piece was later than 40 ms by that."""

GOOD: Final = {Verdict.OK, Verdict.INFORMATIONAL, Verdict.NON_STRICT}
"""What a case that builds on another one can live with."""

LIMITS_PER_CASE: Final = 8
"""How many limits a case may wait for, besides its own bound: one that fails needs about three."""

PATIENCE_LIMITS: Final = 2
"""For how many limits a target that does not pass an ordinary request on is asked again, less and less often."""

FIRST_WAIT_S: Final = 0.05

MIXED: Final = (
    "a client of this case was given what belongs to another request: the target mixes answers up, by a cache or by "
    "joining requests that it takes for equal; turn that off"
)

DOWN: Final = (
    "the target has stopped to pass ordinary requests on, noticed in {case}: it {how}. It has crashed, or a circuit "
    "breaker has opened; look at its log, switch the breaker off or give each case a model of its own (--model "
    "'name-{{case}}'), and start it again"
)


@dataclass(frozen=True)
class Tried:
    """One attempt at a case: what it says, and why that may not be so."""

    result: Result
    doubt: Doubt = ""


@dataclass
class Runner:
    """Runs cases; made anew for each run.

    Attributes:
        setting: what is tested.
        hub: the upstream.
        dial, dial_upstream: connect to the proxy, and past it.
        upstream: the URL where the target should forward to, for people.
        nonce: what makes the tokens of this run unlike those of any other, eight hexadecimal digits.
        bound_s: how long the whole run may take, besides what slow cases take by themselves.
        beside: how many cases run side by side.
        on_result: is told each result as it comes.
        on_start: is told the id of each case as it begins.
        numbers: of the attempts; runners that share a hub and a nonce have to share it too.
        down: why what is left is not run; empty while the target works.
    """

    setting: Setting
    hub: Hub
    dial: Dial
    dial_upstream: Dial
    upstream: str
    nonce: str
    bound_s: float = 300.0
    on_result: Callable[[Result], None] = lambda _: None
    on_start: Callable[[str], None] = lambda _: None
    results: dict[str, Result] = field(default_factory=dict)
    beside: int = BESIDE
    numbers: Iterator[int] = field(default_factory=count)
    down: str = field(init=False, default="")
    _room: Room = field(init=False)
    _done: dict[str, trio.Event] = field(init=False, default_factory=dict)
    _running: dict[str, Trace] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._room = Room(self.beside)

    async def run(self, cases: Iterable[Case]) -> list[Result]:
        """Run these cases and return their results, in their order, behind those of the setup.

        Raises:
            ValueError: cases need each other in a circle.
        """
        chosen = [(case, level) for case in cases if (level := case.level(self.setting)) is not None]
        phases = in_phases(chosen)
        self._done = {case.id: trio.Event() for case, _ in chosen}
        bound_s = self.bound_s + sum(case.bound_s for case, _ in chosen if case.is_slow)
        try:
            with trio.move_on_after(bound_s):
                await self._run_all(phases)
        except BaseExceptionGroup as group:  # of Ctrl-C, or of what a caller's function raised
            every = leaves(group)
            if len(every) > 1:
                raise
            raise every[0] from None
        over = f"the run's bound of {bound_s:g} s was over"
        for case, level in [*((row, "must") for row in SETUP), *chosen]:
            if case.id in self.results:
                continue
            if (trace := self._running.get(case.id)) is not None:
                self._keep(harness_error(case, level, f"{over} in the middle of it; allow more", trace))
            else:
                self._keep(not_run(case, level, f"{over}; allow more, or --run less"))
        return [self.results[case.id] for case in [*SETUP, *(case for case, _ in chosen)]]

    async def _run_all(self, phases: Iterable[Chosen]) -> None:
        failed = await self._set_up()
        for phase in phases:
            async with trio.open_nursery() as nursery:
                for case, level in phase:
                    if failed is not None:
                        self._keep(unmet(case, level, failed.id, failed.verdict))
                    else:  # each has taken its place in the queue when the next one comes
                        await nursery.start(self._run_one, case, level)

    async def _set_up(self) -> Result | None:
        """Find out whether the target can be tested at all; return what does not hold, None where all does."""
        self.hub.is_blind = False
        failed: Result | None = None
        for row in SETUP:
            if failed is not None:
                self._keep(unmet(row, "must", failed.id, failed.verdict))
                continue
            self.on_start(row.id)
            result = (await self._try(row, "must", has_turn=True)).result
            if row is FORWARD and is_overloaded(result.trace.exchange):  # it may have given us up before we listened
                for wait_s in self._waits():
                    await trio.sleep(wait_s)
                    result = (await self._try(row, "must", has_turn=True)).result
                    if result.verdict is Verdict.OK:
                        break
            if result.verdict is not Verdict.OK:
                failed = result = harness_error(row, "must", result.detail, result.trace, result.duration_s)
            if result.facts.get("carriers") == ["turn"]:
                self.hub.is_blind = True
                self._room.seats = 1
            self._keep(result)
        return failed

    async def _run_one(
        self, case: Case, level: Level, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Run one case when it may, and keep its result."""
        task_status.started()
        for needed in case.needs:
            if needed in self._done:
                await self._done[needed].wait()
                found = self.results[needed]
                if found.verdict not in GOOD:
                    self._keep(unmet(case, level, needed, found.verdict))
                    return
        async with self._room.alone() if case.group == "alone" else self._room.beside():
            if self.down:
                self._keep(not_run(case, level, self.down))
                return
            self.on_start(case.id)
            tried = await self._try(case, level)
        if tried.doubt == "mixed up":
            self._room.seats = 1
        if tried.doubt:
            async with self._room.alone():  # so nothing begins meanwhile, and nothing opens a breaker again
                tried = await self._settled(case, level, tried)
        self._keep(tried.result)

    async def _settled(self, case: Case, level: Level, before: Tried) -> Tried:
        """Find out what counts of a case whose result is in doubt, with nothing else running."""
        if not await self._is_well(case):
            return Tried(self._doubted(case, level, before, self.down))
        if before.doubt not in ASKS_AGAIN:
            return before
        # Whatever comes is this case's now: also a request without a body, where nothing but bodies brings tokens.
        tried = await self._try(case, level, has_turn=True)
        if tried.doubt == "mixed up":
            return Tried(self._doubted(case, level, tried, MIXED))
        if tried.doubt:
            control = (await self._try(CONTROL, "must")).result
            if control.verdict is not Verdict.OK:  # what refused it refuses others too: it is not about this case
                await self._is_well(case)
                how = explain_briefly(control.trace)
                why = f"run alone it was refused again, and so was an ordinary request behind it: the target {how}"
                return Tried(self._doubted(case, level, tried, self.down or why))
        return tried

    @staticmethod
    def _doubted(case: Case, level: Level, tried: Tried, why: str) -> Result:
        result = tried.result
        return harness_error(case, level, f"{why}. In this case: {result.detail}", result.trace, result.duration_s)

    async def _is_well(self, noticed_in: Case) -> bool:
        """Tell whether the target passes an ordinary request on, asking for a while; where not, it counts as down."""
        if self.down:
            return False
        how = ""
        for wait_s in chain((0.0,), self._waits()):
            await trio.sleep(wait_s)
            control = (await self._try(CONTROL, "must")).result
            if control.verdict is Verdict.OK:
                return True
            how = explain_briefly(control.trace)
        self.down = DOWN.format(case=noticed_in.id, how=how)
        return False

    def _waits(self) -> Iterator[float]:
        """Give the waits between ordinary requests: longer and longer, until about two limits are over."""
        over_s = trio.current_time() + PATIENCE_LIMITS * self.setting.limit_s
        wait_s = FIRST_WAIT_S
        while (left_s := over_s - trio.current_time()) > 0:
            yield min(wait_s, left_s)
            wait_s *= 2

    def _keep(self, result: Result) -> None:
        self._running.pop(result.id, None)
        self.results[result.id] = result
        if result.id in self._done:
            self._done[result.id].set()
        self.on_result(result)

    async def attempt(self, case: Case, level: Level) -> Result:
        """Run one case once, and return what it says, whatever may be doubtful about that."""
        return (await self._try(case, level)).result

    async def _try(self, case: Case, level: Level, *, has_turn: bool = False) -> Tried:
        token = token_of(self.nonce, next(self.numbers))
        desk = self.hub.open(token)
        if has_turn or self.hub.is_blind:
            self.hub.turn = token
        talk = Talk(self.setting, case.id, token)
        stand = Stand(self.setting, talk, desk, self._connected, self.dial_upstream, case_id=case.id)
        self._running[case.id] = stand.trace
        began_s = trio.current_time()
        bound_s = case.bound_s + LIMITS_PER_CASE * self.setting.limit_s
        result: Result | None = None
        doubt: Doubt = "silent"  # where it is neither done nor broken in time
        error = f"it took longer than its bound of {bound_s:g} s; is the target slower than --limit?"
        try:
            with trio.move_on_after(bound_s):
                await case.drive(stand)
                result = result_of(case, level, stand.trace, trio.current_time() - began_s)
                doubt = doubt_of(stand.trace, token, result.verdict)  # before we close what is still open
        except Exception as raised:  # noqa: BLE001 - whatever a case raises, the others go on
            error, doubt = self._said_of(raised, stand.trace)
        finally:
            with trio.CancelScope(shield=True):
                await stand.aclose()
            self.hub.close(token)
        if result is None:
            result = harness_error(case, level, error, stand.trace, trio.current_time() - began_s)
            doubt = "mixed up" if doubt and foreign_token(stand.trace, token) else doubt
        return Tried(result, doubt)

    async def _connected(self) -> WireStream:
        with trio.move_on_after(self.setting.limit_s):
            return await self.dial()
        what = "connection, or no TLS handshake," if self.setting.target.scheme == "https" else "connection"
        raise ConnectError(f"no {what} to {self.setting.target.url} within {self.setting.limit_s:g} s")

    def _said_of(self, raised: Exception, trace: Trace) -> tuple[str, Doubt]:
        """Say what it means that a case raised something, and what is strange about it."""
        every = leaves(raised)
        mistakes = [each for each in every if not isinstance(each, EXPECTED) or isinstance(each, LocalError)]
        error = mistakes[0] if mistakes else every[0]
        match error:
            case NotForwarded(exchanged=exchanged):
                return explain_not_forwarded(exchanged, trace, self.upstream, self.setting.limit_s), "not asked"
            case ConnectError():
                return explain_connect(str(error)), "broken off"
            case StreamkitError() if not isinstance(error, LocalError):
                return explain_lost(str(error)), "broken off"
            case trio.BrokenResourceError() | trio.ClosedResourceError():
                return explain_lost(str(error) or "it was closed"), "broken off"
            case OSError():
                return f"this machine does not do what the case needs: {error}; that says nothing of the target", ""
        return f"a mistake of the harness's own, not of the target: {described(error)}; please report it", ""


EXPECTED: Final = (NotForwarded, StreamkitError, trio.BrokenResourceError, trio.ClosedResourceError)
"""What a target can bring a case to raise."""


def leaves(error: BaseException) -> list[BaseException]:
    """Return the errors in a group, however deep; an error that is no group is the only one."""
    if not isinstance(error, BaseExceptionGroup):
        return [error]
    return [leaf for each in error.exceptions for leaf in leaves(each)]


def described(error: BaseException) -> str:
    """Say what an error is and where it was raised, in one line."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" in {Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{where}: {' '.join(str(error).split())[:200]}"
