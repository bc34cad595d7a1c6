"""The harness on relays that are wrong on purpose: each fails the cases written beside it, and no other one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

import pytest
import trio

from streamkit.contract.cases import CASES
from streamkit.contract.hub import Hub
from streamkit.contract.open import open_runner, open_upstream
from streamkit.contract.results import Result
from streamkit.contract.setting import Setting, Sizes
from streamkit.contract.verdicts import Profile, Verdict
from streamkit.http.origin import Origin, parse_origin
from tests.contract.mutants.all import MUTANTS, RIGHT, Mutant
from tests.contract.mutants.relay import Relay, relay_raw

SIZES: Final = Sizes(random_bytes=1 << 20, absorb_bytes=(12 << 20, 36 << 20), events=5000)

LIMIT_S: Final = 1.5

AT_ONCE: Final = 6
"""How many relays are judged side by side. Nearly all that one which holds back costs is waiting."""

BESIDE: Final = 12
"""How many cases of each: all of it is one process, which has to be in time for every one of them."""

Serve = Callable[[trio.SocketStream], Awaitable[object]]

QUICK: Final = [case for case in CASES if not case.is_slow]

NAMES: Final = [name for name, mutant in MUTANTS.items() if not mutant.is_slow]

SLOW: Final = [name for name, mutant in MUTANTS.items() if mutant.is_slow]

BATCHES: Final = [
    pytest.param(names[at : at + AT_ONCE], marks=marks)
    for names, marks in ((NAMES, ()), (SLOW, pytest.mark.slow))
    for at in range(0, len(names), AT_ONCE)
]


@asynccontextmanager
async def listening(serve: Serve) -> AsyncIterator[str]:
    """Serve connections while the block runs; gives the URL."""
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
        yield f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}"
        nursery.cancel_scope.cancel()


async def judged(serve: Serve, hub: Hub, upstream: Origin, profile: Profile = "pipe") -> list[Result]:
    """Return what the suite says of a relay."""
    async with listening(serve) as url:
        setting = Setting(parse_origin(url), profile=profile, limit_s=LIMIT_S, sizes=SIZES)
        async with open_runner(setting, hub=hub, upstream=upstream, beside=BESIDE) as runner:
            return await runner.run(QUICK)


def differences(mutant: Mutant, results: Sequence[Result]) -> list[str]:
    """Return what was not expected, a line each."""
    wanted = dict.fromkeys(mutant.failed, "FAILED") | dict.fromkeys(mutant.non_strict, "NON-STRICT")
    lines = [f"{mutant.name}: there is no case {name}" for name in wanted.keys() - {each.id for each in results}]
    for each in results:
        got = each.verdict
        # What builds on a failed case is not run; whether it would have failed is nobody's question.
        is_good = got in {Verdict.OK, Verdict.INFORMATIONAL, Verdict.UNIMPLEMENTED, Verdict.DEPENDENCY_FAILED}
        if (each.id in wanted and got != wanted[each.id]) or (each.id not in wanted and not is_good):
            lines.append(f"{mutant.name}: {each.id} is {got}, not {wanted.get(each.id, 'OK')}: {each.detail}")
    return lines


@pytest.mark.parametrize("names", BATCHES, ids=lambda names: f"{names[0]}-{names[-1]}")
async def test_mutant_fails_the_cases_that_are_written_beside_it_and_no_other(names: list[str]) -> None:
    wrong: list[str] = []

    async with open_upstream() as (hub, upstream), trio.open_nursery() as nursery:

        async def judge(mutant: Mutant) -> None:
            serve = mutant.relay(upstream.port).serve
            wrong.extend(differences(mutant, await judged(serve, hub, upstream, mutant.profile)))

        for name in names:
            nursery.start_soon(judge, MUTANTS[name])

    assert not wrong, "\n".join(sorted(wrong))


@pytest.mark.parametrize("relay", RIGHT)
async def test_right_relay_fails_nothing(relay: type[Relay]) -> None:
    async with open_upstream() as (hub, upstream):
        results = await judged(relay(upstream.port).serve, hub, upstream)
    assert not differences(Mutant(relay, frozenset(), frozenset()), results)


async def test_raw_relay_fails_nothing_but_to_take_headers_for_itself() -> None:
    async with open_upstream() as (hub, upstream):
        results = await judged(partial(relay_raw, upstream.port), hub, upstream)
    expected = Mutant(Relay, frozenset(), frozenset({"hdr.hop.request", "hdr.hop.response"}))
    assert not differences(expected, results)


async def test_embedded_gateway_fails_nothing() -> None:
    setting = Setting(parse_origin("http://127.0.0.1:1"), limit_s=LIMIT_S, sizes=SIZES)
    async with open_runner(setting) as runner:
        results = await runner.run(QUICK)
    assert not differences(Mutant(Relay, frozenset(), frozenset()), results)


def test_every_case_that_a_pipe_is_held_to_is_failed_by_some_mutant() -> None:
    held_to = {case.id for case in QUICK if case.levels.pipe in {"must", "should"}}
    caught = set[str]().union(*(mutant.failed | mutant.non_strict for mutant in MUTANTS.values()))
    assert held_to == caught
