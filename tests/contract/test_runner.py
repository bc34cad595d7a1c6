"""The runner before targets that crash, refuse, remember and mix up: none of that is a verdict, and nothing hangs."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import trio

from streamkit.contract.case import Case
from streamkit.contract.results import Result
from streamkit.contract.runner import Runner
from streamkit.contract.stand import NotForwarded, Stand
from streamkit.contract.trace import Trace
from streamkit.contract.verdicts import Finding, Verdict
from streamkit.http.exchange import Exchange
from tests.contract.targets import (
    ORDINARY,
    Answer,
    Target,
    abort_row,
    always,
    ask_anyhow,
    ask_once,
    facing,
    judge_any,
    relay,
    reply,
    row,
    setting_of,
    with_header,
)


def verdicts(results: Sequence[Result]) -> dict[str, str]:
    return {each.id: str(each.verdict) for each in results if not each.id.startswith("setup.")}


def of(results: Sequence[Result], case_id: str) -> Result:
    return next(each for each in results if each.id == case_id)


# ------------------------------------------------------------------------------------- targets that crash, or give up


def crashing(back_s: float | None) -> Answer:
    """A target that crashes when a request says so, the first time; it comes back where `back_s` is given."""

    async def answer(target: Target, exchange: Exchange) -> None:
        if exchange.request.get("X-Crash") and "crashed" not in target.notes:
            target.notes |= {"crashed": True, "back_s": back_s}
            target.doomed.cancel()
        await relay(target, exchange)

    return answer


async def test_a_target_that_crashes_and_comes_back_is_asked_again() -> None:
    cases = [*ORDINARY, row("crash.now", with_header("X-Crash"), group="last"), row("last.one", group="last")]
    async with facing(crashing(back_s=0.1)) as (runner, _):
        assert set(verdicts(await runner.run(cases)).values()) == {"OK"}


async def test_behind_a_target_that_crashes_for_good_nothing_more_is_run() -> None:
    cases = [*ORDINARY[:2], row("crash.now", with_header("X-Crash"), group="alone"), row("last.one", group="last")]
    async with facing(crashing(back_s=None), limit_s=0.6) as (runner, _):
        results = await runner.run(cases)
    found = verdicts(results)
    assert list(found.values()) == ["OK", "OK", "HARNESS-ERROR", "DEPENDENCY-FAILED"]
    for case_id in ("crash.now", "last.one"):
        detail = of(results, case_id).detail
        assert "has stopped to pass ordinary requests on, noticed in crash.now: it takes no connections" in detail
        assert "look at its log" in detail


async def test_what_another_case_broke_by_a_crash_is_asked_again() -> None:
    """Beside the case that brings the target down, another one is in the middle of its answer."""
    crash, is_half = trio.Event(), trio.Event()

    async def answer(target: Target, exchange: Exchange) -> None:
        if exchange.request.get("X-Crash") and not crash.is_set():
            await is_half.wait()
            target.notes["back_s"] = 0.0
            target.doomed.cancel()
            crash.set()
        await relay(target, exchange)

    async def half(stand: Stand) -> None:
        client, up = await stand.ask()
        await up.read_body(stand.limit_s)
        await up.respond()
        parts = stand.talk.parts(3)
        await stand.deliver(client, up, parts[0])
        is_half.set()
        await crash.wait()
        await up.wait_left(0.2)
        await stand.flow(client, up, parts[1:])

    cases = [row("half.answer", half), row("crash.now", with_header("X-Crash"))]
    async with facing(answer) as (runner, target):
        results = await runner.run(cases)
    assert set(verdicts(results).values()) <= {"OK", "NON-STRICT"}
    assert all("when it was run again alone" in of(results, case.id).detail for case in cases)
    assert target.asked > 6, "both were asked again"


def breaking(open_s: float) -> Answer:
    """A target that stops asking its upstream for so long once that has failed."""

    async def answer(target: Target, exchange: Exchange) -> None:
        until_s = target.notes.get("until_s", 0.0)
        assert isinstance(until_s, float)
        if trio.current_time() < until_s:
            await reply(exchange, 503, b"circuit open")
            return
        try:
            await relay(target, exchange)
        except trio.BrokenResourceError:
            target.notes["until_s"] = trio.current_time() + open_s
            raise

    return answer


async def test_a_circuit_breaker_that_closes_again_is_waited_for() -> None:
    cases = [*ORDINARY, abort_row(), *(row(f"last.{number}", group="last", needs=("last.abort",)) for number in "abc")]
    async with facing(breaking(0.3), limit_s=1.0) as (runner, _):
        assert set(verdicts(await runner.run(cases)).values()) == {"OK"}


async def test_behind_a_circuit_breaker_that_stays_open_nothing_more_is_run() -> None:
    later = [row(f"later.{number}", group="last", needs=("last.abort",)) for number in "abc"]
    last = row("later.last", ask_anyhow, group="last", needs=("later.a",))
    async with facing(breaking(600), limit_s=0.5) as (runner, _):
        results = await runner.run([*ORDINARY, abort_row(), *later, last])
    found = verdicts(results)
    assert found["last.abort"] == "OK"
    assert {found[case.id] for case in later} <= {"HARNESS-ERROR", "DEPENDENCY-FAILED"}
    assert found["later.last"] == "DEPENDENCY-FAILED"
    first = next(each for each in results if each.verdict is Verdict.HARNESS_ERROR)
    assert "it answers 503 without asking the upstream. It has crashed, or a circuit breaker has" in first.detail


async def test_a_failure_by_refusal_does_not_stand_while_the_target_is_down() -> None:
    """The case catches the refusal itself, and calls it a failure. It is the breaker's."""
    caught = row("last.caught", ask_anyhow, group="last", needs=("last.abort",))
    async with facing(breaking(600), limit_s=0.5) as (runner, _):
        results = await runner.run([abort_row(), caught])
    assert of(results, "last.caught").verdict is Verdict.HARNESS_ERROR
    assert "switch the breaker off" in of(results, "last.caught").detail


async def refusing(target: Target, exchange: Exchange) -> None:
    """A target that does not pass on what has a certain header."""
    if exchange.request.get("X-Refuse"):
        await reply(exchange, 431, b"no")
    else:
        await relay(target, exchange)


async def test_what_a_case_says_of_a_refusal_counts_where_the_target_is_well() -> None:
    async def drive(stand: Stand) -> None:
        try:
            await ask_once(stand, ("X-Refuse", "yes"))
        except NotForwarded:
            stand.trace.facts["refused"] = True

    async with facing(refusing) as (runner, target):
        results = await runner.run([row("head.caught", drive), row("head.raised", with_header("X-Refuse"))])
    assert verdicts(results) == {"head.caught": "FAILED", "head.raised": "HARNESS-ERROR"}
    assert "answered 431 and said no, and did not ask http://127.0.0.1:" in of(results, "head.raised").detail
    assert target.asked < 16, "each case twice, and few ordinary requests in between"


async def test_a_target_that_refuses_once_gets_a_second_chance_in_the_case_alone() -> None:
    async def once(target: Target, exchange: Exchange) -> None:
        if exchange.request.get("X-Busy") and "was_busy" not in target.notes:
            target.notes["was_busy"] = True
            await reply(exchange, 502)
        else:
            await relay(target, exchange)

    async with facing(once) as (runner, target):
        results = await runner.run([*ORDINARY, row("busy.once", with_header("X-Busy"))])
    assert "was_busy" in target.notes
    found = verdicts(results)
    assert found.pop("busy.once") == "NON-STRICT", "one answer in so many was lost, and nothing else was wrong"
    assert set(found.values()) == {"OK"}
    busy = of(results, "busy.once")
    assert (
        "units came, when it was run again alone; at first it was HARNESS-ERROR: the target answered 502" in busy.detail
    )
    assert busy.facts["first_verdict"] == "HARNESS-ERROR"


async def test_a_target_that_hangs_in_one_case_and_lives_has_failed_it() -> None:
    async def hanging(target: Target, exchange: Exchange) -> None:
        if exchange.request.get("X-Hang"):
            async with await trio.open_tcp_stream("127.0.0.1", target.port) as upstream:
                await upstream.send_all(exchange.request.head + await exchange.read_body())
                await upstream.receive_some()
                await trio.sleep_forever()
        await relay(target, exchange)

    async with facing(hanging, limit_s=0.6) as (runner, _):
        results = await runner.run([row("hang.here", with_header("X-Hang")), row("well.there")])
    assert verdicts(results) == {"hang.here": "FAILED", "well.there": "OK"}


# ------------------------------------------------------------------------------------------------- whose answer is it?


async def test_answers_that_are_mixed_up_are_no_verdict() -> None:
    """The target gives the answers to two requests that it has at the same time to the wrong clients."""

    async def swapping(target: Target, exchange: Exchange) -> None:
        waiting = target.notes.setdefault("waiting", [])
        assert isinstance(waiting, list)
        if target.asked <= 4:  # the setup's
            await relay(target, exchange)
        elif waiting:
            other, done = waiting.pop()
            target.notes["swapped"] = True
            exchange.stream, other.stream = other.stream, exchange.stream
            async with trio.open_nursery() as nursery:
                nursery.start_soon(relay, target, exchange)
                nursery.start_soon(relay, target, other)
            exchange.stream, other.stream = other.stream, exchange.stream
            done.set()
        else:
            done = trio.Event()
            waiting.append((exchange, done))
            with trio.move_on_after(0.2) as alone:
                await done.wait()
            if alone.cancelled_caught and (exchange, done) in waiting:
                waiting.remove((exchange, done))
                await relay(target, exchange)
            else:
                await done.wait()
                exchange.keep_alive = False

    async with facing(swapping, limit_s=1.0) as (runner, target):
        found = verdicts(await runner.run(ORDINARY))
    assert "swapped" in target.notes
    assert set(found.values()) <= {"OK", "HARNESS-ERROR"}


async def test_requests_that_are_joined_are_no_verdict() -> None:
    """The target asks once for all that it has at the same time: alone each case gets its own answer."""

    async def joining(target: Target, exchange: Exchange) -> None:
        if target.asked > 4 and target.now > 1:
            await exchange.read_body()
            await reply(exchange, 200, str(target.notes.get("last", "data: skc0000000000000\n\n")).encode())
        else:
            await relay(target, exchange)

    async with facing(joining, limit_s=1.0) as (runner, target):
        found = verdicts(await runner.run(ORDINARY))
    assert target.most > 1
    assert set(found.values()) == {"OK"}


async def test_a_target_that_always_gives_anothers_answer_is_told_so() -> None:
    async def lying(target: Target, exchange: Exchange) -> None:
        if exchange.request.get("X-Lie"):
            await reply(exchange, 200, b"data: answer-skc0123456789ab\n\n")
        else:
            await relay(target, exchange)

    async with facing(lying) as (runner, _):
        results = await runner.run([row("lie.here", with_header("X-Lie"))])
    assert of(results, "lie.here").verdict is Verdict.HARNESS_ERROR
    assert "mixes answers up" in of(results, "lie.here").detail


# ----------------------------------------------------------------------------------------------------- our own mistakes


def raising(error: BaseException) -> Case:
    async def drive(stand: Stand) -> None:
        await stand.connect()
        raise error

    return row("mistake.here", drive)


def judge_badly(_: Trace) -> Finding:
    raise ZeroDivisionError("in the judge")


@pytest.mark.parametrize(
    ("case", "words"),
    [
        (raising(KeyError("lost")), "KeyError in test_runner.py, line"),
        (raising(ExceptionGroup("two", [ExceptionGroup("one", [KeyError("inner")])])), "KeyError: 'inner'"),
        (row("mistake.here", judge=judge_badly), "ZeroDivisionError in test_runner.py"),
    ],
)
async def test_a_mistake_of_a_case_is_no_verdict_and_says_where(case: Case, words: str) -> None:
    async with facing(relay) as (runner, _):
        results = await runner.run([case, *ORDINARY])
    found = of(results, "mistake.here")
    assert found.verdict is Verdict.HARNESS_ERROR
    assert "a mistake of the harness's own, not of the target" in found.detail
    assert words in found.detail
    assert {each for name, each in verdicts(results).items() if name != "mistake.here"} == {"OK"}


async def test_not_forwarded_in_a_group_is_what_it_is_alone() -> None:
    async def drive(stand: Stand) -> None:
        async def ask() -> None:
            await ask_once(stand, ("X-Refuse", "yes"))

        await stand.together(ask, ask)

    async with facing(refusing) as (runner, _):
        assert "answered 431 and said no" in of(await runner.run([row("a.group", drive)]), "a.group").detail


async def test_ctrl_c_comes_out_as_it_is() -> None:
    def interrupt(_: Result) -> None:
        raise KeyboardInterrupt

    async with facing(relay) as (runner, _):
        runner.on_result = interrupt
        with pytest.raises(KeyboardInterrupt):
            await runner.run(ORDINARY)


async def test_a_cancelled_run_ends_at_once() -> None:
    async with facing(always(200), limit_s=30.0) as (runner, _):

        async def wait(stand: Stand) -> None:
            await stand.sleep(1000)

        with trio.move_on_after(0.2) as scope:
            await runner.attempt(row("waits.long", wait), "must")
        assert scope.cancelled_caught


# -------------------------------------------------------------------------------------------------------------- bounds


async def forever(stand: Stand) -> None:
    await ask_once(stand)
    await stand.sleep(1000)


async def test_a_case_has_a_bound() -> None:
    async with facing(relay, limit_s=0.3) as (runner, _):
        results = await runner.run([row("bound.one", forever, bound_s=0.1), *ORDINARY])
    assert of(results, "bound.one").verdict is Verdict.HARNESS_ERROR
    assert "took longer than its bound of 2.5 s" in of(results, "bound.one").detail
    assert of(results, ORDINARY[0].id).verdict is Verdict.OK


async def test_the_whole_run_has_a_bound_and_every_case_a_result() -> None:
    cases = [
        *ORDINARY,
        row("bound.one", forever),
        row("bound.needs", needs=("bound.one",)),
        row("z.last", group="last"),
    ]
    async with facing(relay) as (runner, _):
        runner.bound_s = 1.5
        results = await runner.run(cases)
    assert [each.id for each in results if not each.id.startswith("setup.")] == [case.id for case in cases]
    one = of(results, "bound.one")
    assert one.verdict is Verdict.HARNESS_ERROR
    assert "the run's bound of 1.5 s was over in the middle of it" in one.detail
    assert one.trace.exchange.units > 0, "what had happened is there to be seen"
    assert of(results, "bound.needs").verdict is Verdict.DEPENDENCY_FAILED
    assert of(results, "z.last").verdict is Verdict.DEPENDENCY_FAILED


async def test_no_more_cases_run_at_once_than_may() -> None:
    async with facing(relay) as (runner, target):
        narrow = Runner(
            runner.setting, runner.hub, runner.dial, runner.dial_upstream, runner.upstream, "0badcafe", beside=2
        )
        await narrow.run([*ORDINARY, *(row(f"more.{number}") for number in range(10))])
    assert target.most <= 2


# --------------------------------------------------------------------------------------------- order, needs and chances


async def test_groups_run_in_their_order_and_needs_before_what_needs_them() -> None:
    begun: list[str] = []
    cases = [
        row("a.last", group="last"),
        row("b.needs", needs=("a.last",)),
        row("c.alone", group="alone"),
        row("d.beside"),
    ]
    async with facing(relay) as (runner, _):
        runner.on_start = begun.append
        results = await runner.run(cases)
    assert begun[3:] == ["d.beside", "c.alone", "a.last", "b.needs"]
    assert list(verdicts(results)) == [case.id for case in cases]


async def test_what_builds_on_a_failed_case_is_not_run_and_what_it_needs_may_be_left_out() -> None:
    wrong = row("a.wrong", judge=lambda _: Finding(holds=False, detail="wrong"))
    needing = row("b.needing", needs=("a.wrong",))
    async with facing(relay) as (runner, _):
        assert verdicts(await runner.run([wrong, needing])) == {"a.wrong": "FAILED", "b.needing": "DEPENDENCY-FAILED"}
    async with facing(relay) as (runner, _):
        assert verdicts(await runner.run([needing])) == {"b.needing": "OK"}


async def test_cases_that_need_each_other_are_refused_at_once() -> None:
    async with facing(relay) as (runner, _):
        with pytest.raises(ValueError, match=r"a\.one -> b\.two -> a\.one"):
            await runner.run([row("a.one", needs=("b.two",)), row("b.two", needs=("a.one",))])


async def test_chance_is_the_same_for_the_same_seed_and_case() -> None:
    async def drawn(seed: int) -> dict[str, int]:
        got: dict[str, int] = {}

        def drawing(name: str) -> Case:
            async def drive(stand: Stand) -> None:
                await ask_once(stand)
                got[name] = stand.random.getrandbits(64)

            return row(name, drive, judge=judge_any)

        async with facing(relay, seed=seed) as (runner, _):
            await runner.run([drawing("a.one"), drawing("a.two")])
        return got

    first = await drawn(1)
    assert first == await drawn(1)
    assert first != await drawn(2)
    assert first["a.one"] != first["a.two"]


def test_a_setting_is_made_from_a_url() -> None:
    assert setting_of("http://127.0.0.1:9").target.port == 9
