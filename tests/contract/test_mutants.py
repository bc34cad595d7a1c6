"""The harness on relays that are right, and on those that hold back or change heads: each fails its own cases."""

from __future__ import annotations

from functools import partial

import pytest

from streamkit.contract.open import open_runner, open_upstream
from streamkit.contract.setting import Setting
from streamkit.http.origin import parse_origin
from tests.contract.mutants import heads, holding
from tests.contract.mutants.all import MUTANTS, RIGHT, Mutant
from tests.contract.mutants.judging import LIMIT_S, QUICK, SIZES, batches_of, differences, judged, wrong_in
from tests.contract.mutants.relay import Relay, relay_raw


@pytest.mark.parametrize("names", batches_of(heads, holding))
async def test_mutant_fails_the_cases_that_are_written_beside_it_and_no_other(names: list[str]) -> None:
    wrong = await wrong_in(names)
    assert not wrong, wrong


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
