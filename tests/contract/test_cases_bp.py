"""bp: relays without backpressure, one that does not get going again; and what the harness itself holds meanwhile."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import pytest
import trio

from streamkit.contract.cases.bp import judge_absorb, judge_resume, size_text
from streamkit.contract.setting import Setting, Sizes
from streamkit.contract.trace import Exchanged, Pairs, Trace
from streamkit.contract.upstream_end import UpstreamEnd
from tests.contract.against import SETTING, found, verdicts
from tests.contract.mutants.leaving import Unbounded
from tests.contract.mutants.link import Body
from tests.contract.mutants.relay import At, Relay, Same

MIB = 1 << 20

QUICK = replace(SETTING, limit_s=0.6)

GATEWAY = replace(QUICK, profile="gateway", client_dialect="anthropic", upstream_dialect="ollama-chat")


def absorbed(outcome: str, through: int, absorbed_mib: int) -> Trace:
    """Two lengths, of which so many were through."""
    facts = {"outcome": outcome, "lengths_through": through, "absorbed_bytes": absorbed_mib * MIB}
    return Trace(exchanges=[Exchanged()], facts=facts | {"lengths_bytes": [64 * MIB, 192 * MIB]})


# ----------------------------------------------------------------------------------------------------------- judges


@pytest.mark.parametrize(
    ("trace", "holds", "words"),
    [
        (absorbed("blocked", 0, 4), True, "the upstream was stopped after 4.0 MiB"),
        (absorbed("through", 2, 192), False, "all of a stream of 192.0 MiB"),
        (absorbed("blocked", 1, 123), False, "all of the first 64.0 MiB, 123.0 MiB in all, and stopped only there"),
        (absorbed("slow", 1, 70), False, "still taking more"),
        (absorbed("slow", 0, 9), None, "so slow"),
        (absorbed("gone", 0, 4), False, "broke off the stream"),
    ],
)
def test_a_bound_is_one_that_the_length_does_not_move(trace: Trace, holds: bool | None, words: str) -> None:
    finding = judge_absorb(trace)
    assert finding.holds is holds
    assert words in finding.detail


def test_after_a_pause_all_of_it_has_to_come() -> None:
    whole = Exchanged(units=9 * MIB, expected_units=9 * MIB, upstream_end="clean", client_end="complete")
    facts: dict[str, object] = {"absorbed_bytes": 4 * MIB}
    assert judge_resume(Trace(exchanges=[whole], facts=facts)).holds
    stuck = replace(whole, units=5 * MIB, upstream_end="", client_end="hang")
    assert "got 5.0 MiB, but not the rest: hang" in judge_resume(Trace(exchanges=[stuck], facts=facts)).detail
    assert judge_resume(Trace(exchanges=[replace(whole, problem="byte 7 is wrong")])).holds is False


def test_sizes_are_said_as_people_say_them() -> None:
    assert (size_text(4 * MIB + MIB // 2), size_text(250_000)) == ("4.5 MiB", "244 KiB")


# ----------------------------------------------------------------------------------------------------------- proxies


class Discards(Relay):
    """Has no use for a client that is slow: takes all that comes for it, and throws it away."""

    async def send(self, at: At, data: bytes) -> None:
        if len(data) < 8192:
            await super().send(at, data)


class Stuck(Relay):
    """Waits for its client for 50 ms; having waited longer once, it never writes again."""

    async def send(self, at: At, data: bytes) -> None:
        with trio.move_on_after(0.05) as scope:
            await super().send(at, data)
        if scope.cancelled_caught:
            await trio.sleep_forever()


class Impatient(Relay):
    """Breaks off where its client does not read."""

    async def send(self, at: At, data: bytes) -> None:
        with trio.move_on_after(0.05) as scope:
            await super().send(at, data)
        if scope.cancelled_caught:
            at.upstream.abort()
            at.client.abort()
            at.scope.cancel()
            await trio.sleep_forever()


@pytest.mark.parametrize("setting", [QUICK, GATEWAY], ids=["pipe", "gateway"])
async def test_gateway_stops_its_upstream_and_gets_going_again(setting: Setting) -> None:
    results = await found("bp", setting=setting)
    assert set(verdicts(results).values()) == {"OK"}


async def test_answer_that_is_whole_before_its_upstream_has_ended_is_no_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway reads the terminator, and ends its answer there. What follows it is the end of the body alone."""
    finish = UpstreamEnd.finish

    async def finish_late(up: UpstreamEnd, trailers: Pairs | None = None) -> None:
        while not up.exchanged.client_end:  # noqa: ASYNC110 - that has no event
            await trio.sleep(0.001)
        await finish(up, trailers)

    monkeypatch.setattr(UpstreamEnd, "finish", finish_late)
    results = await found("bp.resume", setting=GATEWAY)
    assert verdicts(results) == {"bp.resume": "OK"}, results


async def test_right_relay_takes_what_the_kernel_takes() -> None:
    results = await found("bp", relay=Relay, setting=QUICK)
    assert set(verdicts(results).values()) == {"OK"}
    assert results["bp.absorb"].facts["outcome"] == "blocked"


async def test_relay_without_bound_is_found_and_costs_the_harness_nothing() -> None:
    """The stream is one piece, over and over: what the harness sends and expects does not grow with it."""
    setting = replace(SETTING, sizes=Sizes(absorb_bytes=(16 * MIB, 48 * MIB)))
    tracemalloc.start()
    try:
        results = await found("bp.absorb", relay=Discards, setting=setting)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert verdicts(results) == {"bp.absorb": "FAILED"}
    assert results["bp.absorb"].facts["lengths_through"] == 2
    assert peak_bytes < 8 * MIB


@pytest.mark.parametrize(
    ("relay", "expected"),
    [
        (Stuck, {"bp.absorb": "OK", "bp.resume": "FAILED"}),
        (Impatient, {"bp.absorb": "FAILED", "bp.resume": "FAILED"}),
    ],
)
async def test_relay_that_does_not_get_over_it(relay: type[Relay], expected: dict[str, str]) -> None:
    assert verdicts(await found("bp", relay=relay, setting=QUICK)) == expected


class OnlyChunked(Unbounded):
    """Stops the upstream of chunked answers, and of no others."""

    async def pump(self, at: At, body: Body, stage: Same) -> None:
        await (Relay if body.framing == "chunked" else Unbounded).pump(self, at, body, stage)


async def test_bound_that_one_framing_does_not_have_is_missed() -> None:
    result = (await found("bp.absorb", relay=OnlyChunked, setting=QUICK))["bp.absorb"]
    assert result.verdict == "FAILED"
    assert "which ends with its connection it took in all" in result.detail
