"""One load in this process and in several: the same figures from both, whoever dies, and whenever it is stopped."""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path

import msgspec
import pytest
import trio

from mockserver.open import open_mockserver
from streamkit.bench import workers as workers_module
from streamkit.bench.engine import Stop
from streamkit.bench.measure import Progress, measure
from streamkit.bench.messages import Snapshot
from streamkit.bench.plan import Arrivals, Concurrency, Limits, Load, Plan, Replay, Server
from streamkit.bench.record import RequestRecord
from streamkit.bench.schedule import requests_of
from streamkit.bench.shares import shares_of
from streamkit.bench.workers import COMMAND, Team
from streamkit.errors import ConfigError, StreamkitError

PATIENCE_S = 60
FOUR = Concurrency(4)


def plan_for(url: str, load: Load = FOUR, *, requests: int | None = 40, **others: object) -> Plan:
    server = Server("direct", f"{url}/v1", "openai-chat", "m", api_key="sk-very-secret")
    plan = Plan(servers=[server], load=load, prompts=["Why is the sky blue?"], requests=requests)
    return msgspec.structs.replace(plan, **others)


@pytest.mark.parametrize(("workers", "apart"), [(1, False), (1, True), (2, False)])
async def test_every_request_counts_once_and_the_progress_ends_with_all_of_them(
    workers: int, apart: bool, tmp_path: Path
) -> None:
    seen: list[RequestRecord] = []
    told: list[tuple[bool, int, int]] = []
    raw = tmp_path / "raw.ndjson"

    def on_progress(progress: Progress) -> None:
        told.append((progress.is_last, progress.done, progress.in_flight))

    with trio.fail_after(PATIENCE_S):
        async with open_mockserver(rate=0, tokens=3) as mock:
            plan = plan_for(mock.url)
            measured = await measure(
                plan, workers=workers, on_record=seen.append, on_progress=on_progress, raw=raw, apart=apart
            )
            assert mock.journal.count == 40
    tally = measured.tallies["direct"]
    assert tally.outcomes == Counter(ok=40)
    assert tally.distribution("ttft_ms").n == 40
    assert sorted(record.number for record in seen) == [*range(40)]
    assert len({record.request_id for record in seen}) == 40
    assert [record.number for record in measured.samples["direct"]] == [*range(40)]
    assert len(measured.ran) == workers
    assert sum(each.peak for each in measured.ran) == 4
    assert measured.notes == []
    assert not measured.is_interrupted
    assert told[-1] == (True, 40, 0)
    lines = raw.read_bytes().splitlines()
    assert len(lines) == 42
    assert b"very-secret" not in raw.read_bytes()


@pytest.mark.parametrize("load", [Concurrency(3), Concurrency(1), Concurrency(64), Arrivals("poisson", 5)])
@pytest.mark.parametrize("servers", [1, 3])
def test_the_shares_are_the_whole_and_a_pair_is_in_one_of_them(load: Load, servers: int) -> None:
    whole = plan_for("http://127.0.0.1:1", load, requests=200)
    whole = msgspec.structs.replace(
        whole, servers=[msgspec.structs.replace(whole.servers[0], name=str(each)) for each in range(servers)]
    )
    shares = [[*requests_of(plan)] for plan in shares_of(whole, 4)]
    by_machine = [[*requests_of(plan)] for machine in shares_of(whole, 2) for plan in shares_of(machine, 3)]
    assert sorted(due for share in by_machine for due in share) == [*requests_of(whole)]
    assert sorted(due for share in shares for due in share) == [*requests_of(whole)]
    for pair in range(-(-200 // servers)):
        assert sum(any(due.pair == pair for due in share) for share in shares) == 1


@pytest.mark.parametrize(("concurrency", "workers"), [(3, 2), (5, 4), (2, 8), (64, 3)])
def test_a_share_of_a_closed_loop_has_as_much_of_the_requests_as_of_the_concurrency(
    concurrency: int, workers: int
) -> None:
    plans = shares_of(plan_for("http://127.0.0.1:1", Concurrency(concurrency), requests=concurrency * 10), workers)
    assert len(plans) == min(concurrency, workers)
    for plan in plans:
        lanes = len(range(plan.share, concurrency, plan.shares))
        assert len([*requests_of(plan)]) == lanes * 10


def test_an_open_loop_has_its_bound_on_requests_at_once_in_all_processes_together() -> None:
    plan = plan_for("http://127.0.0.1:1", Arrivals("constant", 5), limits=Limits(max_in_flight=100))
    assert [each.limits.max_in_flight for each in shares_of(plan, 3)] == [33, 33, 33]


async def test_the_processes_of_an_open_loop_go_by_one_schedule() -> None:
    seen: list[RequestRecord] = []
    with trio.fail_after(PATIENCE_S):
        async with open_mockserver(rate=0, tokens=3) as mock:
            load = Replay([0, 1_000_000, 2_000_000, 50_000_000], [0] * 4, [0] * 4)
            await measure(plan_for(mock.url, load, requests=None), workers=2, on_record=seen.append)
    due = sorted((record.number, record.scheduled_ns or 0) for record in seen)
    assert [at_ns - due[0][1] for _, at_ns in due] == load.at_ns


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_load_that_is_stopped_has_what_was_done_and_says_that_it_was_stopped(workers: int) -> None:
    stop = Stop()

    def on_progress(progress: Progress) -> None:
        if progress.in_flight == 4:
            stop.now()

    with trio.fail_after(PATIENCE_S):
        async with open_mockserver(rate=20, tokens=100_000) as mock:
            plan = plan_for(mock.url, requests=None)
            measured = await measure(plan, workers=workers, stop=stop, on_progress=on_progress)
    assert measured.is_interrupted
    assert measured.tallies["direct"].outcomes == Counter(unfinished=4)
    assert measured.tallies["direct"].distribution("ttft_ms").n == 0
    assert len(measured.ran) == workers


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_load_that_is_cancelled_leaves_no_process(workers: int) -> None:
    async with open_mockserver(rate=20, tokens=100_000) as mock:
        with trio.fail_after(PATIENCE_S), trio.CancelScope() as scope:

            def on_progress(progress: Progress) -> None:
                if progress.in_flight == 4:
                    scope.cancel()

            await measure(plan_for(mock.url, requests=None), workers=workers, on_progress=on_progress)
        assert scope.cancelled_caught
    assert [*children()] == []


async def test_a_worker_that_dies_takes_only_what_it_had_not_told() -> None:
    done = [0, 0]
    team: Team

    def on_snapshot(number: int, snapshot: Snapshot) -> None:
        done[number] += sum(packed.counts["requests"] for packed in snapshot.tallies.values())
        if min(done) >= 5 and len(team.pids) == 2:
            os.kill(max(team.pids), signal.SIGKILL)

    with trio.fail_after(PATIENCE_S):
        async with open_mockserver(rate=100, tokens=3) as mock:
            plan = plan_for(mock.url, requests=200)
            team = Team(plan, 2, [], wants_records=False, on_snapshot=on_snapshot)
            heard = await team.run(Stop())
    assert len(heard.ran) == 1
    assert len(heard.notes) == 1
    assert "of 2 died of signal 9" in heard.notes[0]
    assert max(done) == 100
    assert 5 <= min(done) < 100
    assert not team.pids


@pytest.mark.parametrize("workers", [1, 2])
async def test_what_was_due_and_never_began_is_told(workers: int) -> None:
    limits = Limits(max_in_flight=2, drain_s=0.2)
    with trio.fail_after(PATIENCE_S):
        async with open_mockserver(ttft="30s") as mock:
            plan = plan_for(mock.url, load=Arrivals("constant", 100.0), requests=None)
            plan = msgspec.structs.replace(plan, duration_s=0.6, limits=limits)
            held = await measure(plan, workers=workers)
            free = await measure(msgspec.structs.replace(plan, limits=Limits(drain_s=0.2), requests=5), workers=workers)
    (note,) = held.notes
    assert note.startswith("58 requests were due and never began, because the tool was behind or 2 ran already")
    assert sum(ran.unbegun for ran in free.ran) == 0
    assert free.notes == []


async def test_a_worker_that_stands_still_does_not_keep_an_interrupt_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers_module, "DEAF_S", 1.0)
    done = [0, 0]
    stopped: list[int] = []
    stop = Stop()
    team: Team

    def on_snapshot(number: int, snapshot: Snapshot) -> None:
        done[number] += sum(packed.counts["requests"] for packed in snapshot.tallies.values())
        if min(done) >= 3 and not stopped:
            stopped.append(max(team.pids))
            os.kill(stopped[0], signal.SIGSTOP)
            stop.now()

    with trio.fail_after(PATIENCE_S):
        async with open_mockserver(rate=100, tokens=3) as mock:
            plan = plan_for(mock.url, requests=100_000)
            team = Team(plan, 2, [], wants_records=False, on_snapshot=on_snapshot)
            heard = await team.run(stop)
    assert len(stopped) == len(heard.ran) == len(heard.notes) == 1
    assert "of 2 did not end within" in heard.notes[0]
    assert not team.pids


async def test_an_interrupt_of_the_whole_group_does_not_end_the_workers() -> None:
    groups: list[int] = []
    done = 0
    team: Team

    def on_snapshot(_: int, snapshot: Snapshot) -> None:
        nonlocal done
        done += sum(packed.counts["requests"] for packed in snapshot.tallies.values())
        for pid in team.pids if not groups else ():
            groups.append(os.getpgid(pid))
            os.kill(pid, signal.SIGINT)

    with trio.fail_after(PATIENCE_S):
        async with open_mockserver(rate=100, tokens=3) as mock:
            team = Team(plan_for(mock.url), 2, [], wants_records=False, on_snapshot=on_snapshot)
            heard = await team.run(Stop())
    assert done == 40
    assert heard.notes == []
    assert os.getpgrp() not in groups


@pytest.mark.parametrize(
    ("program", "words"),
    [
        (
            "import sys; sys.exit('no room for sk-very-secret')",
            r"ended early \(exit code 1\) \(no room for \[a key\]\)",
        ),
        ("print('what?', flush=True); input()", "said what nobody understands"),
        ("import os; os.kill(os.getpid(), 9)", "died of signal 9"),
    ],
)
async def test_workers_that_do_nothing_at_all_are_an_error(program: str, words: str) -> None:
    command = [COMMAND[0], "-c", program]
    team = Team(
        plan_for("http://127.0.0.1:1"), 2, [], wants_records=False, on_snapshot=lambda *_: None, command=command
    )
    with trio.fail_after(PATIENCE_S), pytest.raises(StreamkitError, match=words) as caught:
        await team.run(Stop())
    assert "sk-very-secret" not in str(caught.value)


async def test_a_program_that_is_not_there_is_an_error() -> None:
    team = Team(
        plan_for("http://127.0.0.1:1"), 2, [], wants_records=False, on_snapshot=lambda *_: None, command=["/nowhere"]
    )
    with trio.fail_after(PATIENCE_S), pytest.raises(StreamkitError, match="worker 1 of 2 could not be started"):
        await team.run(Stop())


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        ("SILENCE_S", "said nothing for 0.5 s, and was ended"),
        ("GRACE_S", r"did not end within \d"),
        ("DEAF_S", r"did not end within \d"),
    ],
)
async def test_a_worker_that_hangs_does_not_hold_up_the_rest(
    limit: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers_module, limit, 0.5)
    program = """print('{"type":"ready"}', flush=True); import time; time.sleep(600)"""
    stop = Stop()
    team = Team(
        plan_for("http://127.0.0.1:1"),
        1,
        [],
        wants_records=False,
        on_snapshot=lambda *_: None,
        command=[COMMAND[0], "-c", program],
    )
    if limit != "SILENCE_S":
        stop.now()
    with trio.fail_after(PATIENCE_S), pytest.raises(StreamkitError, match=words):
        await team.run(stop)


@pytest.mark.parametrize("workers", [0, 1, 2, 10_000])
async def test_a_plan_that_makes_no_sense_is_refused_before_anything_is_started(workers: int) -> None:
    plan = plan_for("http://127.0.0.1:1")
    if workers in {1, 2}:
        plan = msgspec.structs.replace(plan, servers=[msgspec.structs.replace(plan.servers[0], dialect="klingon")])
    with pytest.raises(ConfigError):
        await measure(plan, workers=workers)


async def test_what_the_caller_raises_for_a_record_comes_out_as_it_is() -> None:
    class Own(Exception):
        pass

    def on_record(_: RequestRecord) -> None:
        raise Own

    with trio.fail_after(PATIENCE_S):
        async with open_mockserver(rate=0, tokens=3) as mock:
            with pytest.raises(Own):
                await measure(plan_for(mock.url), workers=2, on_record=on_record)
    assert [*children()] == []


def children() -> list[int]:
    """Return this process's children that still run."""
    me = os.getpid()
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == me and "streamkit.bench.worker" in (stat.parent / "cmdline").read_text():
            found.append(int(stat.parent.name))
    return found
