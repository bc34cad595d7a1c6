"""Run cases against one target: side by side where they do not disturb each other, within bounds, whatever happens.

What may come from a crash, an open circuit breaker or another request's answer (`streamkit.contract.doubt`) does not
stand by itself. An ordinary request is sent first: where it passes, the case runs once more, alone, and what it then
says counts. Where it does not for a while, the target is down, and what is left is not run. What fails by waiting,
beside other cases and while an ordinary request had to wait as well (`streamkit.contract.pulse`), is run so, too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import chain, count
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
    is_refused,
)
from streamkit.contract.pulse import Pulse
from streamkit.contract.raised import described, leaves
from streamkit.contract.results import Result, harness_error, not_run, result_of, unmet
from streamkit.contract.room import Room
from streamkit.contract.selection import Chosen, in_phases
from streamkit.contract.setup import CONTROL, FORWARD, SETUP
from streamkit.contract.stand import NotForwarded, Stand
from streamkit.contract.token import foreign_token, token_of
from streamkit.contract.trace import Trace
from streamkit.contract.verdicts import Level, Verdict, worst
from streamkit.errors import ConnectError, LocalError, StreamkitError
from streamkit.http.background import background

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

CONFIRMING_LIMITS: Final = 6
"""For how many limits cases are run once more alone that then say the same again: a target that is slow and wrong."""

EXPECTED: Final = (NotForwarded, StreamkitError, trio.BrokenResourceError, trio.ClosedResourceError)
"""What a target can bring a case to raise."""

FIRST_WAIT_S: Final = 0.05

UNSETTLED: Final = {Verdict.FAILED, Verdict.NON_STRICT, Verdict.HARNESS_ERROR}
"""What a target that is busy with other cases could have made."""

BUSY: Final = (
    "while this case waited an ordinary request had to wait as well, and other cases of which that is so passed alone: "
    "run it with --run, or allow more with --limit"
)

MIXED: Final = (
    "a client of this case was given what belongs to another request: the target mixes answers up, by a cache or by "
    "joining requests that it takes for equal; turn that off"
)

DOWN: Final = (
    "the target has stopped to pass ordinary requests on, noticed in {case}: it {how}. It has crashed, or a circuit "
    "breaker has opened; look at its log, switch the breaker off{or_model}, and start it again"
)

OR_MODEL: Final = " or give each case a model of its own (--model 'name-{case}')"
"""For gateways, whose breakers are a model's."""


@dataclass(frozen=True)
class Tried:
    """One attempt at a case: what it says, why that may not be so, and when it was over, in trio's time."""

    result: Result
    doubt: Doubt = ""
    over_s: float = math.inf


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
    _pulse: Pulse = field(init=False)
    _confirming_s: float = field(init=False, default=0.0)
    _has_passed_alone: bool = field(init=False, default=False)
    _well_s: float = field(init=False, default=-math.inf)
    _is_well_at_once: bool = field(init=False, default=True)

    def __post_init__(self) -> None:
        self._room = Room(self.beside)
        self._pulse = Pulse(self._ask_ordinarily, self.setting.limit_s)

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
            async with background() as pulse:
                pulse.start_soon(self._pulse.beat)
                async with trio.open_nursery() as nursery:
                    for case, level in phase:
                        if failed is not None:
                            self._keep(unmet(case, level, failed.id, failed.verdict))
                        else:  # each has taken its place in the queue when the next one comes
                            await nursery.start(self._run_one, case, level)

    async def _ask_ordinarily(self) -> None:
        """Ask in the ordinary way beside cases; not where only one may be asked about at a time."""
        if self._room.seats > 1:
            await self._try(CONTROL, "must")

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
            tried = await self._tried_here(case, level)
        if tried.doubt == "mixed up":
            self._room.seats = 1
        if tried.doubt:
            async with self._room.alone():  # so nothing begins meanwhile, and nothing opens a breaker again
                tried = await self._settled(case, level, tried)
        self._keep(tried.result)

    async def _tried_here(self, case: Case, level: Level) -> Tried:
        """Run a case once, and find out about what it says as much as can be found out where it is."""
        began_s = trio.current_time()
        if case.group == "alone":
            tried = await self._try(case, level)
        else:
            with self._pulse.watching():
                tried = await self._try(case, level)
            has_waited = trio.current_time() - began_s >= self.setting.limit_s
            if has_waited and tried.result.verdict in UNSETTLED and self._pulse.was_slow(began_s):
                tried = replace(tried, doubt="busy" if tried.doubt in {"", "silent"} else tried.doubt)
        if tried.doubt == "left":
            tried = replace(tried, doubt="" if await self._is_there() else "broken off")
        return tried

    async def _is_there(self) -> bool:
        """Tell whether the target answers a request in any way: it has ended a connection, but not itself."""
        control = (await self._try(CONTROL, "must")).result
        return control.verdict is Verdict.OK or control.trace.exchange.head is not None

    async def _settled(self, case: Case, level: Level, before: Tried) -> Tried:
        """Find out what counts of a case whose result is in doubt, with nothing else running."""
        if self._well_s < before.over_s and not await self._is_well(case):
            return Tried(self._doubted(case, level, before, self.down))
        if before.doubt not in ASKS_AGAIN:
            return before
        if before.doubt == "busy" and self._confirming_s >= CONFIRMING_LIMITS * self.setting.limit_s:
            return Tried(self._doubted(case, level, before, BUSY)) if self._has_passed_alone else before
        # Whatever comes is this case's now: also a request without a body, where nothing but bodies brings tokens.
        tried = await self._try(case, level, has_turn=True)
        if before.doubt == "busy" and tried.result.verdict in UNSETTLED:
            self._confirming_s += tried.result.duration_s
        elif before.doubt == "busy":
            self._has_passed_alone = True
        if tried.doubt == "left" and await self._is_there():
            tried = replace(tried, doubt="")
        if tried.doubt == "mixed up":
            return Tried(self._doubted(case, level, tried, MIXED))
        if tried.doubt:
            control = (await self._try(CONTROL, "must")).result
            if control.verdict is not Verdict.OK:  # what refused it refuses others too: it is not about this case
                await self._is_well(case)
                how = explain_briefly(control.trace)
                why = f"run alone it was refused again, and so was an ordinary request behind it: the target {how}"
                return Tried(self._doubted(case, level, tried, self.down or why))
        return tried if tried.result.verdict in UNSETTLED else Tried(self._absolved(before, tried.result))

    def _absolved(self, before: Tried, result: Result) -> Result:
        """Return what counts where a case held when it was run again alone: that it did not at first is never hidden.

        Where nothing was wrong with the target as a whole, whoever was its client then would have lost an answer by it.
        """
        first = before.result
        if first.verdict in {Verdict.OK, result.verdict}:
            return result
        detail = f"{result.detail}, when it was run again alone; at first it was {first.verdict}: {first.detail}"
        result = replace(result, detail=detail, facts={**result.facts, "first_verdict": str(first.verdict)})
        # What is not asked for need not be refused: the upstream may not have known whose it was.
        has_lost = before.doubt == "broken off" or (before.doubt == "not asked" and is_refused(first.trace))
        if not has_lost or not self._is_well_at_once or result.level == "info":
            return result
        verdict = worst(result.verdict, Verdict.NON_STRICT)
        return replace(result, verdict=verdict, behaviour=verdict)

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
            began_s = trio.current_time()
            control = (await self._try(CONTROL, "must")).result
            if control.verdict is Verdict.OK:
                self._well_s, self._is_well_at_once = began_s, not wait_s  # for all cases that were over by then
                return True
            how = explain_briefly(control.trace)
        self.down = DOWN.format(case=noticed_in.id, how=how, or_model="" if self.setting.by_bytes else OR_MODEL)
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
        return Tried(result, doubt, trio.current_time())

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
