"""Look for a stream that this proxy breaks: Hypothesis draws scripts, and makes what it finds as small as it can.

Hypothesis is synchronous and runs in a thread; each script is played on trio, like any other case. While it makes a
script smaller, a gate is given up sooner than the limit says, or shrinking would take an hour. What it ends with is
then played again with the whole limit, and only what fails then is reported.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import trio

from mockserver.script import Script
from streamkit.contract.content import Talk
from streamkit.contract.fuzz_scripts import Drawn, script_of, scripts
from streamkit.contract.playing import script_case
from streamkit.contract.results import Result
from streamkit.contract.verdicts import Verdict
from streamkit.errors import ConfigError

if TYPE_CHECKING:
    from streamkit.contract.runner import Runner

__all__ = ["Fuzzed", "fuzz"]

SHRINK_LIMIT_S: Final = 0.4
"""How long a gate is waited for while a script is made smaller."""

SHRINK_BOUND_S: Final = 60.0
"""How long that may take; then the smallest so far is taken."""


@dataclass(frozen=True)
class Fuzzed:
    """What was found.

    Attributes:
        tried: how many scripts were played.
        script: the smallest that the proxy breaks, None where it broke none.
        result: what playing that one gave; of what stopped the search, where nothing could be said.
    """

    tried: int
    script: Script | None = None
    result: Result | None = None


class Broken(Exception):
    """The proxy breaks this one; tells Hypothesis."""


class Stopped(Exception):
    """Nothing can be said any more: the proxy is gone, for instance."""


async def fuzz(runner: Runner, count: int, on_tried: Callable[[int], None] = lambda _: None) -> Fuzzed:
    """Play up to `count` scripts, drawn from the setting's seed, until the proxy breaks one, and find the smallest.

    Raises:
        ConfigError: Hypothesis is not installed.
    """
    try:
        import hypothesis
    except ImportError as error:
        raise ConfigError("the fuzz draws with Hypothesis: pip install 'streamkit[fuzz]'") from error
    search = Search(runner, on_tried)
    setting = runner.setting
    strategy = scripts(setting, Talk(setting, "fuzz", ""))

    @hypothesis.seed(setting.seed)
    @hypothesis.settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[hypothesis.Phase.generate, hypothesis.Phase.shrink],
        report_multiple_bugs=False,
        print_blob=False,
        verbosity=hypothesis.Verbosity.quiet,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(strategy)
    def look(drawn: Drawn) -> None:
        trio.from_thread.run(search.try_one, drawn)

    await trio.to_thread.run_sync(_looked(look))
    return await search.outcome()


def _looked(look: Callable[[], None]) -> Callable[[], None]:
    def call() -> None:
        import contextlib

        from hypothesis.errors import FlakyFailure

        with contextlib.suppress(Broken, Stopped, FlakyFailure):
            look()

    return call


class Search:
    """What was tried so far, and the smallest script that broke."""

    def __init__(self, runner: Runner, on_tried: Callable[[int], None]) -> None:
        self._runner = runner
        self._on_tried = on_tried
        self._tried = 0
        self._broken: list[Script] = []
        self._stopped: Result | None = None
        self._shrink_until_s = 0.0

    async def try_one(self, drawn: Drawn) -> None:
        """Play one.

        Raises:
            Broken: the proxy breaks it.
            Stopped: nothing can be said.
        """
        script = script_of(drawn)
        if self._broken and trio.current_time() > self._shrink_until_s:
            return  # to Hypothesis nothing smaller breaks
        limit_s = self._runner.setting.limit_s
        if self._broken:
            limit_s = min(limit_s, SHRINK_LIMIT_S)
        result = await self._play(script, limit_s)
        self._tried += 1
        self._on_tried(self._tried)
        if result.verdict is Verdict.HARNESS_ERROR:
            self._stopped = result
            raise Stopped(result.detail)
        if result.verdict is Verdict.FAILED:
            if not self._broken:
                self._shrink_until_s = trio.current_time() + SHRINK_BOUND_S
            self._broken.append(script)
            raise Broken(result.detail)

    async def _play(self, script: Script, limit_s: float) -> Result:
        setting = replace(self._runner.setting, limit_s=limit_s)
        runner = replace(self._runner, setting=setting, results={}, on_result=lambda _: None, on_start=lambda _: None)
        return await runner.attempt(script_case(script, setting, "fuzz"), "must")

    async def outcome(self) -> Fuzzed:
        """Return the smallest script that breaks with the whole limit, too: what broke last is the smallest."""
        for script in reversed(self._broken):
            result = await self._play(script, self._runner.setting.limit_s)
            if result.verdict is Verdict.FAILED:
                return Fuzzed(self._tried, script, result)
        return Fuzzed(self._tried, None, self._stopped)
