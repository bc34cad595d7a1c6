"""A worker alone: what it tells, in what order, and that it ends with whoever wants to hear it."""

from __future__ import annotations

import subprocess
import time
from collections import Counter
from typing import TYPE_CHECKING

import msgspec
import trio
import trio.testing

from mockserver.open import open_mockserver
from streamkit.bench import worker as worker_module
from streamkit.bench.lines import Lines
from streamkit.bench.messages import (
    Begin,
    Failed,
    Finished,
    FromWorker,
    Halt,
    Order,
    Ready,
    Sampled,
    Snapshot,
    from_worker,
    line_of,
)
from streamkit.bench.plan import Concurrency, Plan, Server
from streamkit.bench.record import RequestRecord
from streamkit.bench.tally import Tally
from streamkit.bench.worker import packed_of, work
from streamkit.bench.workers import COMMAND

if TYPE_CHECKING:
    import pytest

PATIENCE_S = 60


def plan_for(url: str, requests: int | None = 30, dialect: str = "openai-chat") -> Plan:
    return Plan(
        servers=[Server("direct", f"{url}/v1", dialect, "m")], load=Concurrency(3), prompts=["Why?"], requests=requests
    )


class Employer:
    """Whom a worker that runs in this process works for."""

    def __init__(self, order: Order) -> None:
        self._theirs_in, self._ours_out = trio.testing.memory_stream_one_way_pair()[::-1]
        self._theirs_out, self._ours_in = trio.testing.memory_stream_one_way_pair()
        self._order = order
        self._lines = Lines(self._ours_in)

    async def work(self) -> None:
        await work(self._order, Lines(self._theirs_in), self._theirs_out)
        await self._theirs_out.aclose()

    async def tell(self, message: Begin | Halt) -> None:
        await self._ours_out.send_all(line_of(message))

    async def leave(self) -> None:
        await self._ours_out.aclose()

    async def hear(self) -> FromWorker | None:
        line = await self._lines.next()
        return None if line is None else from_worker.decode(line)


async def test_it_begins_when_told_and_tells_everything_once_and_its_end_last() -> None:
    with trio.fail_after(PATIENCE_S):
        async with open_mockserver(rate=0, tokens=2) as mock, trio.open_nursery() as nursery:
            employer = Employer(Order(plan_for(mock.url), [], wants_records=True))
            nursery.start_soon(employer.work)
            assert await employer.hear() == Ready()
            await trio.testing.wait_all_tasks_blocked()
            assert mock.journal.count == 0
            at_ns = time.monotonic_ns()
            await employer.tell(Begin(at_ns))
            told: list[FromWorker] = []
            while (message := await employer.hear()) is not None:
                told.append(message)
            await employer.leave()
    tally = Tally()
    numbers: list[int] = []
    sample: list[int] = []
    for message in told:
        if isinstance(message, Snapshot):
            for packed in message.tallies.values():
                tally.merge(packed)
            numbers += [decoded.number for decoded in map(record_of, message.records)]
            assert message.began_ns == at_ns
        elif isinstance(message, Sampled):
            sample += [record.number for record in message.records]
    assert tally.outcomes == Counter(ok=30)
    assert tally.distribution("e2e_ms").n == 30
    assert sorted(numbers) == sample == [*range(30)]
    assert isinstance(told[-1], Finished)
    assert told[-1].ran.began_ns == at_ns


def record_of(raw: msgspec.Raw) -> RequestRecord:
    return msgspec.json.decode(raw, type=RequestRecord)


async def test_records_that_nobody_takes_away_are_dropped_and_counted_and_the_figures_are_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(worker_module, "MAX_WAITING_BYTES", 1)
    with trio.fail_after(PATIENCE_S):
        async with open_mockserver(rate=0, tokens=2) as mock, trio.open_nursery() as nursery:
            employer = Employer(Order(plan_for(mock.url), [], wants_records=True))
            nursery.start_soon(employer.work)
            await employer.hear()
            await employer.tell(Begin())
            snapshots: list[Snapshot] = []
            while (message := await employer.hear()) is not None:
                if isinstance(message, Snapshot):
                    snapshots.append(message)
            await employer.leave()
    assert sum(len(each.records) + each.dropped for each in snapshots) == 30
    assert sum(each.dropped for each in snapshots) >= 28
    assert sum(packed.counts["requests"] for each in snapshots for packed in each.tallies.values()) == 30


async def three_run(employer: Employer, nursery: trio.Nursery) -> None:
    """Begin, and wait until three requests run."""
    nursery.start_soon(employer.work)
    await employer.hear()
    await employer.tell(Begin())
    while not (isinstance(message := await employer.hear(), Snapshot) and message.running == 3):
        pass


async def test_it_is_stopped_at_once_and_tells_what_was_unfinished() -> None:
    with trio.fail_after(PATIENCE_S):
        async with open_mockserver(rate=20, tokens=100_000) as mock, trio.open_nursery() as nursery:
            employer = Employer(Order(plan_for(mock.url, None), []))
            await three_run(employer, nursery)
            await employer.tell(Halt(now=True))
            outcomes: Counter[str] = Counter()
            while not isinstance(message := await employer.hear(), Finished):
                if isinstance(message, Snapshot):
                    outcomes.update(message.tallies["direct"].outcomes if message.tallies else {})
            assert outcomes == Counter(unfinished=3)


async def test_it_ends_untold_when_nobody_wants_to_hear_it_any_more() -> None:
    with trio.fail_after(PATIENCE_S):
        async with open_mockserver(rate=20, tokens=100_000) as mock, trio.open_nursery() as nursery:
            employer = Employer(Order(plan_for(mock.url, None), []))
            await three_run(employer, nursery)
            await employer.leave()
            while (message := await employer.hear()) is not None:
                assert not isinstance(message, Finished)


async def test_what_is_packed_a_metric_at_a_time_is_what_the_tally_packs() -> None:
    tally = Tally()
    tally.add(RequestRecord(number=0, outcome="ok", sent_ns=5, first_token_ns=9, end_ns=12, visible_tokens=1))
    tally.add(RequestRecord(number=1, outcome="status", detail="no"))
    piecemeal, whole = Tally(), Tally()
    piecemeal.merge(await packed_of(tally))
    whole.merge(tally.packed())
    assert piecemeal.packed() == whole.packed() == tally.packed()


def test_as_a_process_it_says_what_is_wrong_with_the_plan_and_nothing_else() -> None:
    order = line_of(Order(plan_for("http://127.0.0.1:1", dialect="klingon"), []))
    done = subprocess.run(COMMAND, input=order, capture_output=True, timeout=PATIENCE_S, check=False)
    failed = from_worker.decode(done.stdout)
    assert isinstance(failed, Failed)
    assert "klingon" in failed.words
    assert done.stderr == b""


def test_as_a_process_it_ends_with_its_input() -> None:
    done = subprocess.run(COMMAND, input=b"", capture_output=True, timeout=PATIENCE_S, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


async def test_a_line_that_was_cut_is_none() -> None:
    ours, theirs = trio.testing.memory_stream_one_way_pair()
    lines = Lines(theirs)
    await ours.send_all(b"one\n\ntwo\nthr")
    await ours.aclose()
    assert [await lines.next() for _ in range(5)] == [b"one", b"", b"two", None, None]
