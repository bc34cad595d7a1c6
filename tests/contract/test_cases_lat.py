# ruff: noqa: ARG002 - a hook is given whatever one of the relays needs
"""lat: what is a plateau and what is not, on times made by hand, and on relays with a timer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

import pytest

from streamkit.contract.cases.lat import judge_added, judge_plateau, plateau_of
from streamkit.contract.setting import Sizes
from streamkit.contract.trace import Trace
from tests.contract.against import SETTING, found, verdicts
from tests.contract.mutants.holding import FlushTimer, Held
from tests.contract.mutants.link import Body
from tests.contract.mutants.relay import At, Relay, Same

GAPS_MS = (0, 1, 5, 20, 50, 120, 300)

COUNTS = dict(zip(GAPS_MS, (20, 20, 20, 7, 3, 3, 3), strict=True))

QUICK = replace(SETTING, sizes=Sizes(gaps_ms=(0, 5, 20)))

Times = dict[int, list[int]]

Wait = Callable[[int, Random], float]
"""Makes a time in ms of the gap and a random source."""


def times(wait_ms: Wait, *, seed: int = 1) -> Times:
    """Times at each gap, in ns."""
    random = Random(seed)
    return {gap: [int(wait_ms(gap, random) * 1e6) for _ in range(count)] for gap, count in COUNTS.items()}


def always(ms: float) -> Times:
    return times(lambda _gap, _random: ms)


DIRECT = always(0.012)


# -------------------------------------------------------------------------------------------------------------- judges


@pytest.mark.parametrize(
    ("wait_ms", "is_clock", "about_ms", "words"),
    [
        (lambda _, random: 208 + random.uniform(-2, 2), False, 208, "a corked socket"),
        (lambda _, random: 101 + random.uniform(0, 3), False, 101, "a flush timer of 100 ms"),
        (lambda _, random: 250 + random.uniform(0, 3), False, 250, "a flush timer of 250 ms"),
        (lambda _, random: 17 + random.uniform(0, 0.5), False, 17, "held for 17 ms (at gaps of"),
        (
            lambda gap, random: 100 - gap % 100 + random.uniform(0, 2),
            True,
            101,
            "a clock of 101 ms, as of a flush timer",
        ),
        (lambda gap, random: max(0.05, 40 - gap) + random.uniform(0, 0.3), True, 40, "Nagle"),
    ],
    ids=["cork", "flush 100", "flush 250", "any constant", "clock", "Nagle"],
)
def test_a_timer_is_a_plateau_whatever_its_time(wait_ms: Wait, is_clock: bool, about_ms: float, words: str) -> None:
    found_one = plateau_of(times(wait_ms), DIRECT)
    assert found_one is not None
    assert found_one.is_clock is is_clock
    assert found_one.ms == pytest.approx(about_ms, rel=0.03)
    assert words in found_one.sentence


@pytest.mark.parametrize(
    "wait_ms",
    [
        lambda _, random: 0.03 + random.uniform(0, 0.002),
        lambda _, random: 0.4 + random.uniform(0, 0.02),
        lambda _, random: 4 + random.uniform(0, 0.1),
        lambda _, random: random.uniform(5, 60),
        lambda _, random: random.expovariate(1 / 30),
        lambda _, random: random.choice([0.1, 0.1, 0.1, 40]),
    ],
    ids=["quick", "slow work", "one turn of the scheduler", "spread", "a busy machine", "now and then"],
)
def test_what_is_spread_or_short_is_no_plateau(wait_ms: Wait) -> None:
    assert [seed for seed in range(50) if plateau_of(times(wait_ms, seed=seed), DIRECT)] == []


def test_a_machine_that_is_late_by_itself_says_nothing_of_the_proxy() -> None:
    late = times(lambda _, random: 30 + random.uniform(0, 1))
    assert plateau_of(late, DIRECT) is not None
    assert plateau_of(late, always(25)) is None


def test_one_gap_alone_is_no_plateau() -> None:
    assert plateau_of(times(lambda gap, _: 60 if gap == 300 else 0.1), DIRECT) is None


def test_a_plateau_is_told_with_its_figures() -> None:
    facts: dict[str, object] = {"proxied_by_gap_ns": always(208), "direct_by_gap_ns": DIRECT}
    finding = judge_plateau(Trace(facts=facts))
    assert finding.holds is False
    assert finding.facts["plateau_ms"] == 208
    assert finding.facts["gap_300_ms_p50_ms"] == 208
    facts["proxied_by_gap_ns"] = DIRECT
    assert judge_plateau(Trace(facts=facts)).holds


def test_a_token_that_does_not_come_is_no_ok() -> None:
    facts: dict[str, object] = {"proxied_by_gap_ns": DIRECT, "missing_token": 31, "missing_came_ns": 0}
    finding = judge_plateau(Trace(facts=facts))
    assert (finding.holds, finding.is_late) == (False, False)
    assert "token 31 never came" in finding.detail
    assert judge_added(Trace(facts=facts)).holds is None
    late = judge_plateau(Trace(facts=facts | {"missing_came_ns": 1_500_000_000}))
    assert (late.holds, late.is_late, late.facts["delay_ms"]) == (False, True, 1500)


def test_a_proxy_that_is_far_away_has_no_timer_for_that() -> None:
    far = times(lambda _, random: 20 + random.uniform(0, 1))
    assert plateau_of(far, DIRECT) is not None
    assert plateau_of(far, DIRECT, distance_ns=20_000_000) is None


def test_where_pieces_do_not_come_nothing_is_said() -> None:
    assert judge_plateau(Trace(facts={"proxied_by_gap_ns": {0: [5, 5]}})).holds is None
    assert judge_plateau(Trace()).holds is None
    assert judge_added(Trace()).holds is None


def test_what_is_added_is_the_difference_of_the_middles() -> None:
    proxied, direct = [30_000] * 99 + [900_000], [10_000] * 100
    finding = judge_added(Trace(facts={"proxied_ns": proxied, "direct_ns": direct}))
    assert finding.holds is None
    assert finding.facts["added_p50_us"] == 20
    assert finding.facts["proxied_p99_us"] == 900
    assert "30.0 us (p99 900.0)" in finding.detail


# -------------------------------------------------------------------------------------------------------------- relays


class Corked(Relay):
    """Sends chunks in two writes to a client that acknowledges late, and lets Nagle's algorithm join them."""

    async def pump(self, at: At, body: Body, stage: Same) -> None:
        at.client.stream.setsockopt(6, 1, 0)  # TCP_NODELAY, off
        while data := await body.receive():
            await at.client.send(b"%x\r\n" % len(data))
            await at.client.send(data)
            await at.client.send(b"\r\n")
        await self.end(at, body.trailers)


class WholeBody(Relay):
    """Holds everything."""

    def stage(self, at: At, response: object) -> Same:
        return Held()


async def test_flush_timer_is_found_with_its_time() -> None:
    setting = replace(QUICK, sizes=Sizes(gaps_ms=(0, 5)))
    result = (await found("lat.plateau", relay=FlushTimer, setting=setting))["lat.plateau"]
    assert str(result.verdict) == "NON-STRICT"
    assert result.facts["plateau_ms"] == pytest.approx(105, abs=15)  # it begins to count when it is woken


async def test_nagles_algorithm_is_told_although_the_harness_own_kernel_never_makes_it_wait() -> None:
    result = (await found("lat.plateau", relay=Corked, setting=QUICK))["lat.plateau"]
    assert str(result.verdict) == "OK", result.detail
    assert result.facts["late_acknowledged_p50_ms"] == pytest.approx(44, abs=12)
    assert "TCP_NODELAY is not set" in result.detail


async def test_relay_that_holds_everything_is_not_ok() -> None:
    got = verdicts(await found("lat.", relay=WholeBody, setting=replace(QUICK, limit_s=0.2)))
    assert got == {"lat.added": "INFORMATIONAL", "lat.plateau": "NON-STRICT"}


async def test_embedded_gateway_has_no_timer_in_either_profile() -> None:
    results = await found("lat.", setting=QUICK)
    assert verdicts(results) == {"lat.added": "INFORMATIONAL", "lat.plateau": "OK"}
    assert results["lat.added"].facts["pieces"]
    setting = replace(QUICK, profile="gateway", client_dialect="anthropic", upstream_dialect="openai-chat")
    assert verdicts(await found("lat.plateau", setting=setting)) == {"lat.plateau": "OK"}
