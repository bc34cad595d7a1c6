"""Look for a stream that this proxy breaks: Hypothesis draws scripts, and what breaks is made as small as it can be.

Hypothesis is synchronous and runs in a thread; each script is played on trio, like any other case. The same seed and
count give the same scripts in the same order, and what counts as found is the first one that breaks every time it is
played. So the same proxy gives the same one. It is made smaller (`fuzz_smaller`) by what breaks in the same way, every
time. Meanwhile a gate is given up sooner than the limit says, and there is a bound in time: how far it gets may differ.
What it ends with is played again with the whole limit, and only what fails then is called the smallest.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import trio

from mockserver.script import Script
from streamkit.contract.content import Talk
from streamkit.contract.fuzz_scripts import Drawn, script_of, scripts
from streamkit.contract.fuzz_smaller import smaller
from streamkit.contract.playing import script_case
from streamkit.contract.results import Result
from streamkit.contract.verdicts import Verdict
from streamkit.errors import ConfigError

if TYPE_CHECKING:
    from streamkit.contract.runner import Runner

__all__ = ["Fuzzed", "fuzz"]

SHORT_LIMIT_S: Final = 0.4
"""How long a gate is waited for while a script is made smaller."""

SHRINK_BOUND_S: Final = 40.0
"""How long that may take; then the smallest so far is taken."""

TIMES: Final = 2
"""How often in a row a script has to break again, so that chance is out of it."""


@dataclass(frozen=True)
class Fuzzed:
    """What was found.

    Attributes:
        tried: how many scripts were drawn and played.
        script: the smallest that the proxy breaks, None where it broke none.
        result: what playing that one gave; or what stopped the search, where nothing could be said.
        how: of a script, what is known of it: whether it is the smallest, and whether it breaks every time.
        is_over: whether the time was over before all were drawn.
    """

    tried: int
    script: Script | None = None
    result: Result | None = None
    how: str = ""
    is_over: bool = False


class Done(Exception):
    """Nothing more is to be drawn; tells Hypothesis."""


async def fuzz(
    runner: Runner, count: int, on_tried: Callable[[int], None] = lambda _: None, *, within_s: float = math.inf
) -> Fuzzed:
    """Play up to `count` scripts, drawn from the setting's seed, until the proxy breaks one, and find the smallest.

    Args:
        runner: what plays them.
        count: how many at most.
        on_tried: is told how many were played, after each.
        within_s: how long scripts are drawn.

    Raises:
        ConfigError: Hypothesis is not installed.
    """
    try:
        import hypothesis
    except ImportError as error:
        raise ConfigError("the fuzz draws with Hypothesis: pip install 'streamkit[fuzz]'") from error
    setting = runner.setting
    talk = Talk(setting, "fuzz", "")
    search = Search(runner, on_tried, trio.current_time() + within_s)

    @hypothesis.seed(setting.seed)
    @hypothesis.settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[hypothesis.Phase.generate],
        report_multiple_bugs=False,
        print_blob=False,
        verbosity=hypothesis.Verbosity.quiet,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(scripts(setting, talk))
    def look(drawn: Drawn) -> None:
        trio.from_thread.run(search.try_one, drawn)

    await trio.to_thread.run_sync(_looked(look))
    return await search.outcome(None if setting.by_bytes else talk)


def _looked(look: Callable[[], None]) -> Callable[[], None]:
    def call() -> None:
        import contextlib
        import warnings

        from hypothesis.errors import HypothesisWarning

        with contextlib.suppress(Done), warnings.catch_warnings():
            # It writes down what it has found, and warns that this is long. Nobody reads that.
            warnings.simplefilter("ignore", HypothesisWarning)
            look()

    return call


@dataclass(frozen=True)
class Breaking:
    """A script that breaks, and what playing it gave."""

    drawn: Drawn
    script: Script
    result: Result

    @property
    def way(self) -> object:
        """In which way it breaks."""
        return self.result.facts.get("wrong")


class Search:
    """What was tried so far, and what broke."""

    def __init__(self, runner: Runner, on_tried: Callable[[int], None], until_s: float) -> None:
        self._runner = runner
        self._on_tried = on_tried
        self._until_s = until_s
        self._tried = 0
        self._found: Breaking | None = None
        self._unsure: Breaking | None = None
        self._stopped: Result | None = None
        self._is_over = False

    async def try_one(self, drawn: Drawn) -> None:
        """Play one.

        Raises:
            Done: it breaks, or nothing can be said any more, or the time is over.
        """
        self._is_over = self._is_over or trio.current_time() > self._until_s
        if self._found or self._stopped or self._is_over:
            raise Done  # Hypothesis asks for the last one once more
        script = script_of(drawn)
        result = await self.play(script, self._runner.setting.limit_s)
        self._tried += 1
        self._on_tried(self._tried)
        if result.verdict is Verdict.HARNESS_ERROR:
            self._stopped = result
            raise Done
        if result.verdict is not Verdict.FAILED:
            return
        broken = Breaking(drawn, script, result)
        if await self._breaks(script, broken.way) or self._stopped:
            self._found = broken
            raise Done
        self._unsure = self._unsure or broken

    async def play(self, script: Script, limit_s: float) -> Result:
        """Play a script once, and return what that says."""
        setting = replace(self._runner.setting, limit_s=limit_s)
        runner = replace(self._runner, setting=setting, results={}, on_result=lambda _: None, on_start=lambda _: None)
        return await runner.attempt(script_case(script, setting, "fuzz"), "must")

    async def _breaks(self, script: Script, way: object) -> bool:
        """Tell whether a script breaks in this way, every time."""
        limit_s = min(self._runner.setting.limit_s, SHORT_LIMIT_S)
        for _ in range(TIMES):
            result = await self.play(script, limit_s)
            if result.verdict is Verdict.HARNESS_ERROR:
                self._stopped = result
            if result.verdict is not Verdict.FAILED or result.facts.get("wrong") != way:
                return False
        return True

    async def outcome(self, talk: Talk | None) -> Fuzzed:
        """Make what was found smaller, and return it.

        Args:
            talk: what answers in the upstream's dialect are made with; None where any bytes will do.
        """
        first = self._found or self._unsure
        if first is None:
            return Fuzzed(self._tried, None, self._stopped, is_over=self._is_over)
        if self._found is None:
            return self._told(first, "it broke once, and not when it was played again: what the proxy does is chance")
        if self._stopped is not None:
            return self._told(first, f"behind it nothing can be said of the target: {self._stopped.detail}")
        began_s = trio.current_time()
        chain, is_least = await self._shrunk(self._found, talk)
        whole_limit_s = self._runner.setting.limit_s
        for each in reversed(chain):
            result = await self.play(each.script, whole_limit_s)
            if result.verdict is Verdict.FAILED:
                took = f"{trio.current_time() - began_s:.0f} s"
                is_smallest = is_least and each is chain[-1]
                how = "nothing of it can be left out" if is_smallest else f"made smaller for {took}, and not to the end"
                return self._told(replace(each, result=result), f"it breaks every time; {how}")
        return self._told(first, "it broke three times, and then no more")

    def _told(self, broken: Breaking, how: str) -> Fuzzed:
        return Fuzzed(self._tried, broken.script, broken.result, how)

    async def _shrunk(self, found: Breaking, talk: Talk | None) -> tuple[list[Breaking], bool]:
        """Return ever smaller ones that break in the same way, and whether the last of them has no smaller one."""
        chain, seen = [found], {repr(found.script)}
        until_s = trio.current_time() + SHRINK_BOUND_S
        while True:
            for drawn in smaller(chain[-1].drawn, talk):
                script = script_of(drawn)
                if (name := repr(script)) in seen:
                    continue
                if trio.current_time() > until_s or self._stopped:
                    return chain, False
                seen.add(name)
                if await self._breaks(script, found.way):
                    chain.append(Breaking(drawn, script, found.result))
                    break
            else:
                return chain, True
