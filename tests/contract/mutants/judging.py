"""How a relay is judged: the whole quick suite against it, and what is not as it was written down."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Final

import pytest
import trio

from streamkit.contract.case import Case
from streamkit.contract.cases import CASES
from streamkit.contract.hub import Hub
from streamkit.contract.open import open_runner, open_upstream
from streamkit.contract.results import Result
from streamkit.contract.setting import Setting, Sizes
from streamkit.contract.verdicts import Profile, Verdict
from streamkit.http.origin import Origin, parse_origin
from tests.contract.against import listening, was_not_there
from tests.contract.mutants.all import MUTANTS, Mutant

if TYPE_CHECKING:
    from _pytest.mark import ParameterSet

SIZES: Final = Sizes(random_bytes=1 << 20, absorb_bytes=(12 << 20, 36 << 20), events=5000)

LIMIT_S: Final = 1.5

AT_ONCE: Final = 6
"""How many relays are judged side by side. Nearly all that one which holds back costs is waiting."""

BESIDE: Final = 12
"""How many cases of each: all of it is one process, which has to be in time for every one of them."""

HIDDEN: Final = "lat.plateau"
"""What a busy machine hides, by design: times that are spread widely are no plateau. It is looked for again, alone."""

LOOKS: Final = 4

Serve = Callable[[trio.SocketStream], Awaitable[object]]

QUICK: Final = [case for case in CASES if not case.is_slow]

ALONE: Final = [case for case in CASES if case.id == HIDDEN]


def batches_of(*modules: ModuleType) -> list[ParameterSet]:
    """Return the names of the mutants in these files, some at a time, the slow ones apart and marked."""
    files = {module.__name__ for module in modules}
    found = [(name, mutant) for name, mutant in MUTANTS.items() if mutant.relay.__module__ in files]
    quick = [name for name, mutant in found if not mutant.is_slow]
    slow = [name for name, mutant in found if mutant.is_slow]
    return [
        pytest.param(names[at : at + AT_ONCE], marks=marks, id=f"{names[at]}-{names[at : at + AT_ONCE][-1]}")
        for names, marks in ((quick, ()), (slow, pytest.mark.slow))
        for at in range(0, len(names), AT_ONCE)
    ]


async def judged(
    serve: Serve, hub: Hub, upstream: Origin, profile: Profile = "pipe", cases: Sequence[Case] = QUICK
) -> list[Result]:
    """Return what the suite says of a relay."""
    async with listening(serve) as url:
        setting = Setting(parse_origin(url), profile=profile, limit_s=LIMIT_S, sizes=SIZES)
        async with open_runner(setting, hub=hub, upstream=upstream, beside=BESIDE) as runner:
            return await runner.run(cases)


def differences(mutant: Mutant, results: Sequence[Result]) -> list[str]:
    """Return what was not expected, a line each."""
    wanted = dict.fromkeys(mutant.failed, "FAILED") | dict.fromkeys(mutant.non_strict, "NON-STRICT")
    lines = [f"{mutant.name}: there is no case {name}" for name in wanted.keys() - {each.id for each in results}]
    for each in results:
        got = each.verdict
        # What builds on a failed case is not run; whether it would have failed is nobody's question.
        is_good = got in {Verdict.OK, Verdict.INFORMATIONAL, Verdict.UNIMPLEMENTED, Verdict.DEPENDENCY_FAILED}
        is_good |= was_not_there(each)
        if (each.id in wanted and got != wanted[each.id]) or (each.id not in wanted and not is_good):
            lines.append(f"{mutant.name}: {each.id} is {got}, not {wanted.get(each.id, 'OK')}: {each.detail}")
    return lines


async def wrong_in(names: Sequence[str]) -> str:
    """Return what is not as it was written beside these mutants, a line each; empty where all is."""
    found: dict[str, list[Result]] = {}

    async with open_upstream() as (hub, upstream):

        async def judge(name: str, cases: Sequence[Case] = QUICK) -> None:
            mutant = MUTANTS[name]
            results = await judged(mutant.relay(upstream.port).serve, hub, upstream, mutant.profile, cases)
            newest = {each.id: each for each in results}
            found[name] = [newest.get(each.id, each) for each in found.get(name, results)]

        async with trio.open_nursery() as nursery:
            for name in names:
                nursery.start_soon(judge, name)
        for name in names:
            for _ in range(LOOKS):
                if is_hidden(MUTANTS[name], found[name]):
                    await judge(name, ALONE)
    return "\n".join(sorted(line for name in names for line in differences(MUTANTS[name], found[name])))


def is_hidden(mutant: Mutant, results: Sequence[Result]) -> bool:
    """Tell whether a timer that the mutant has was not seen."""
    return HIDDEN in mutant.non_strict and any(each.id == HIDDEN and each.verdict == Verdict.OK for each in results)
