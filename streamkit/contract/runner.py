"""Run cases against one target: side by side where they do not disturb each other, within bounds, whatever happens."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import trio

from streamkit.contract.case import Case
from streamkit.contract.content import Talk
from streamkit.contract.hub import TOKEN_PREFIX, Hub
from streamkit.contract.results import Result, harness_error, result_of, unmet
from streamkit.contract.setting import Setting
from streamkit.contract.setup import FORWARD, explain
from streamkit.contract.stand import NotForwarded, Stand
from streamkit.contract.verdicts import Level, Verdict
from streamkit.errors import StreamkitError

if TYPE_CHECKING:
    from streamkit.http.connect import Dial

__all__ = ["Runner"]

BESIDE: Final = 12
"""How many cases run side by side. More would make each other late on two processors."""

GOOD: Final = {Verdict.OK, Verdict.INFORMATIONAL, Verdict.NON_STRICT}
"""What a case that builds on another one can live with."""


@dataclass
class Runner:
    """Runs cases; made anew for each run.

    Attributes:
        setting: what is tested.
        hub: the upstream.
        dial, dial_upstream: connect to the proxy, and past it.
        upstream: where the hub listens, for people.
        nonce: what makes the tokens of this run unlike those of any other, eight hexadecimal digits.
        bound_s: how long the whole run may take.
        on_result: is told each result as it comes.
        on_start: is told the id of each case as it begins.
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
    _number: int = 0
    _done: dict[str, trio.Event] = field(default_factory=dict)

    async def run(self, cases: Iterable[Case]) -> list[Result]:
        """Run these cases and return their results, in their order, that of `setup.forward` first."""
        chosen = [(case, level) for case in cases if (level := case.level(self.setting)) is not None]
        self._done = {case.id: trio.Event() for case, _ in chosen}
        with trio.move_on_after(self.bound_s):
            setup = await self._run_one(FORWARD, "must")
            if setup.verdict is not Verdict.OK:
                for case, level in chosen:
                    self._keep(unmet(case, level, FORWARD.id, setup.verdict))
            for group, at_once in (("beside", BESIDE), ("alone", 1), ("last", BESIDE)):
                await self._run_group([each for each in chosen if each[0].group == group], at_once)
        for case, level in chosen:
            if case.id not in self.results:
                self._keep(harness_error(case, level, f"not run: the run's bound of {self.bound_s:g} s was over"))
        return [self.results[each.id] for each in (FORWARD, *(case for case, _ in chosen)) if each.id in self.results]

    async def _run_group(self, chosen: Sequence[tuple[Case, Level]], at_once: int) -> None:
        limiter = trio.CapacityLimiter(1 if self.hub.turn else at_once)

        async def run(case: Case, level: Level) -> None:
            for needed in case.needs:
                if needed in self._done:
                    await self._done[needed].wait()
                    found = self.results[needed]
                    if found.verdict not in GOOD:
                        self._keep(unmet(case, level, needed, found.verdict))
                        return
            async with limiter:
                await self._run_one(case, level)

        async with trio.open_nursery() as nursery:
            for case, level in chosen:
                if case.id not in self.results:
                    nursery.start_soon(run, case, level)

    def _keep(self, result: Result) -> None:
        self.results[result.id] = result
        if result.id in self._done:
            self._done[result.id].set()
        self.on_result(result)

    async def _run_one(self, case: Case, level: Level) -> Result:
        """Run one case, keep its result, and return it."""
        self.on_start(case.id)
        result = await self.attempt(case, level)
        self._keep(result)
        return result

    async def attempt(self, case: Case, level: Level) -> Result:
        """Run one case once."""
        self._number += 1
        token = f"{TOKEN_PREFIX}{self.nonce}{self._number:04x}"
        desk = self.hub.open(token)
        talk = Talk(self.setting, case.id, token)
        stand = Stand(self.setting, talk, desk, self.dial, self.dial_upstream)
        began_s = trio.current_time()
        bound_s = case.bound_s + 8 * self.setting.limit_s
        error = ""
        try:
            with trio.move_on_after(bound_s) as scope:
                await case.drive(stand)
            if scope.cancelled_caught:
                error = f"it took longer than its bound of {bound_s:g} s"
        except NotForwarded as refused:
            error = explain(refused.exchanged, self.upstream)
        except StreamkitError as failed:
            error = str(failed)
        finally:
            with trio.CancelScope(shield=True):
                await stand.aclose()
            self.hub.close(token)
        duration_s = trio.current_time() - began_s
        if error:
            return harness_error(case, level, error, stand.trace, duration_s)
        return result_of(case, level, stand.trace, duration_s)
