# ruff: noqa: ARG002 - a hook is given whatever one of the relays needs
"""idle, duration and stress, with short times: relays that cut streams by a clock, and one that now and then fails."""

from __future__ import annotations

import math
import os
from dataclasses import replace
from pathlib import Path
from typing import Never

import pytest
import trio

from streamkit.contract.cases import flush
from streamkit.contract.cases.idle import judge_lasting
from streamkit.contract.cases.stress import judge
from streamkit.contract.load import busy
from streamkit.contract.setting import Sizes
from streamkit.contract.trace import Exchanged, Trace
from tests.contract.against import SETTING, found, verdicts
from tests.contract.mutants.link import Body, Gone, framed
from tests.contract.mutants.relay import At, Relay, Same

SIZES = Sizes(idle_s=0.8, heartbeat_s=0.1, duration_s=0.8, stress_runs=2)

SHORT = replace(SETTING, limit_s=0.5, sizes=SIZES)

RIGHT = {"idle.60s": "OK", "idle.heartbeat": "OK", "idle.slow-reader": "OK", "duration.120s": "OK"}


# -------------------------------------------------------------------------------------------------------------- judges


def test_how_long_a_stream_lasted_is_told() -> None:
    judge_it = judge_lasting("was silent")
    good = judge_it(Trace([Exchanged(units=9, expected_units=9)], facts={"lasted_s": 60.0, "is_cut": False}))
    assert good.holds
    assert good.detail == "a stream that was silent for 60.0 s came whole"
    cut = judge_it(Trace([Exchanged(client_end="cut")], facts={"lasted_s": 59.98, "is_cut": True}))
    assert cut.holds is False
    assert "cut after 59.98 s (cut)" in cut.detail
    lost = judge_it(Trace([Exchanged(units=4, expected_units=9)], facts={"lasted_s": 60.0, "is_cut": False}))
    assert lost.holds is False
    assert "4 of 9 units came" in lost.detail
    wrong = judge_it(Trace([Exchanged(problem="byte 3 is wrong")], facts={"lasted_s": 60.0}))
    assert wrong.holds is False


def test_stress_says_what_failed_when_and_for_how_many_it_held() -> None:
    facts: dict[str, object] = {"runs": 20, "wanted_runs": 20, "cases": 8, "cases_left_out": 1}
    assert judge(Trace(facts=facts)).detail == "8 flush cases held 20 times, with all processors busy"
    assert "for more there was no time" in judge(Trace(facts=facts | {"runs": 3})).detail
    failed = judge(Trace(facts=facts | {"failed_case": "flush.head", "failed_run": 3, "failed_detail": "held"}))
    assert failed.holds is False
    assert failed.detail == "flush.head, which holds at rest, failed in run 3 with all processors busy: held"
    assert judge(Trace(facts=facts | {"cases": 0})).holds is None


# -------------------------------------------------------------------------------------------------------------- relays


def cut(at: At) -> Never:
    """Reset the client's connection."""
    at.client.abort()
    raise Gone(at.client)


class Impatient(Relay):
    """Cuts an answer whose upstream has been silent for so long."""

    silence_s = 0.3
    total_s = math.inf

    async def pump(self, at: At, body: Body, stage: Same) -> None:
        began_s = trio.current_time()
        while True:
            data = b""
            left_s = max(0.0, began_s + self.total_s - trio.current_time())
            with trio.move_on_after(min(self.silence_s, left_s)) as scope:
                data = await body.receive()
            if scope.cancelled_caught:
                cut(at)
            if not data:
                break
            await self.send(at, data)
        await self.end(at, body.trailers)


class Hasty(Impatient):
    """Cuts every answer after so long, whatever flows."""

    silence_s = math.inf
    total_s = 0.3


class NoPatienceForReaders(Relay):
    """Cuts an answer whose client takes nothing for a millisecond: its reads are some three apart."""

    async def send(self, at: At, data: bytes) -> None:
        with trio.move_on_after(0.001) as scope:
            await at.client.send(framed(at.framing, data))
        if scope.cancelled_caught:
            cut(at)


class Framed(Relay):
    """Breaks off every answer that ends with the connection."""

    def is_cut(self, at: At) -> bool:
        return at.framing == "close"

    async def pump(self, at: At, body: Body, stage: Same) -> None:
        if self.is_cut(at):
            cut(at)
        await super().pump(at, body, stage)


class Tired(Framed):
    """Breaks off every answer from the sixth on; the suite's own questions are the first of them."""

    answers = 0

    def is_cut(self, at: At) -> bool:
        self.answers += 1
        return self.answers > 5


@pytest.mark.parametrize(
    ("relay", "wrong"),
    [
        (Relay, {}),
        (Impatient, {"idle.60s": "NON-STRICT"}),
        (Hasty, dict.fromkeys(RIGHT, "NON-STRICT")),
        (NoPatienceForReaders, {"idle.slow-reader": "NON-STRICT"}),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
async def test_relay_that_cuts_by_a_clock_fails_the_case_of_that(relay: type[Relay], wrong: dict[str, str]) -> None:
    results = await found("idle.", "duration.", relay=relay, setting=SHORT)
    assert verdicts(results) == RIGHT | wrong
    if "idle.60s" in wrong:
        assert "was cut after 0." in results["idle.60s"].detail


async def test_gateway_that_translates_cuts_nothing() -> None:
    setting = replace(SHORT, profile="gateway", client_dialect="ollama-chat", upstream_dialect="openai-chat")
    assert verdicts(await found("idle.", "duration.", setting=setting)) == RIGHT


@pytest.fixture
def few_cases(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is repeated is two cases instead of twenty."""
    few = [case for case in flush.CASES if case.id in {"flush.sse.chunked", "flush.sse.close"}]
    monkeypatch.setattr(flush, "CASES", few)


async def test_stress_repeats_what_holds_at_rest_and_leaves_out_what_does_not(few_cases: None) -> None:
    result = (await found("stress.", relay=Framed, setting=SHORT))["stress.20"]
    assert str(result.verdict) == "OK", result.detail
    assert (result.facts["runs"], result.facts["cases"], result.facts["cases_left_out"]) == (2, 1, 1)


async def test_stress_finds_what_fails_only_later(few_cases: None) -> None:
    result = (await found("stress.", relay=Tired, setting=SHORT))["stress.20"]
    assert str(result.verdict) == "NON-STRICT", result.detail
    assert "which holds at rest, failed in run" in result.detail


# ---------------------------------------------------------------------------------------------------------------- load


def children() -> set[int]:
    """The processes that this one has started and not yet ended."""
    pid = os.getpid()
    found_ones = (path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children"))
    return {int(each) for text in found_ones for each in text.split()}


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="only Linux tells a process's children")
async def test_busy_processes_work_while_the_block_runs_and_are_gone_after_it() -> None:
    before = children()
    with trio.CancelScope() as scope:  # and whoever leaves it, however
        async with busy(2, within_s=30):
            started = children() - before
            scope.cancel()
            await trio.lowlevel.checkpoint()
    assert scope.cancelled_caught
    assert len(started) == 2
    assert children() == before


async def test_busy_processes_end_by_themselves() -> None:
    """Each of them looks at the clock; what is awaited is their ends, and a test that hangs is a failed one."""
    with trio.fail_after(20):
        before = children()
        async with busy(1, within_s=0.05):
            (pid,) = children() - before
            handle = os.pidfd_open(pid)
            await trio.lowlevel.wait_readable(handle)  # it has ended, although the block runs on
            os.close(handle)
        assert children() == before
