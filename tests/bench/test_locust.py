"""Several machines: what they say becomes one result; and Locust with a master and two workers on this one."""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from mockserver.open import mockserver_in_thread, open_mockserver
from streamkit.bench.calibration import Calibration
from streamkit.bench.lines import Lines
from streamkit.bench.locust.collection import Collection, since
from streamkit.bench.locust.engine import do, with_key
from streamkit.bench.locust.options import OPTIONS, add_options, job_of
from streamkit.bench.locust.said import Calibrated, Done, Job, Said, Standing, said
from streamkit.bench.messages import Begin, Failed, Halt, Ready, Sampled, line_of
from streamkit.bench.plan import Arrivals, Concurrency, Plan, Server
from streamkit.bench.record import RequestRecord, TokenRead
from streamkit.bench.results import Ran, Result, ToolError
from streamkit.bench.shape import Shape
from streamkit.bench.tally import Tally
from streamkit.errors import ConfigError

PATIENCE_S = 60
PLAN = Plan(
    servers=[Server("direct", "http://127.0.0.1:1/v1", "openai-chat", "m")], load=Concurrency(4), prompts=["Why?"]
)


def record(number: int, at_ns: int) -> RequestRecord:
    return RequestRecord(
        number=number,
        target="direct",
        outcome="ok",
        began_ns=at_ns,
        sent_ns=at_ns,
        first_token_ns=at_ns + 5_000_000,
        first_token_read_ns=at_ns + 6_000_000,
        end_ns=at_ns + 7_000_000,
        visible_tokens=1,
        token_reads=[TokenRead(at_ns + 5_000_000, at_ns + 6_000_000, 1, True)],
    )


def standing(*records: RequestRecord) -> Standing:
    tally = Tally()
    for each in records:
        tally.add(each)
    return Standing({"direct": tally.packed()})


def calibrated(p50: float) -> Calibrated:
    error = ToolError(400, p50, p50 * 2, p50)
    return Calibrated(
        Calibration(
            tool_error={"ttft_ms": error}, parts={}, counts={}, requests_per_s=100.0, shape=Shape(20.0, 10.0, 5)
        )
    )


def ran(began_ns: int) -> Ran:
    return Ran(began_ns, began_ns + 1_000_000_000, began_ns + 500, 2, 10, 5, 2)


def result_of(collection: Collection) -> Result:
    return collection.result(processes=2, prompts="one", began_unix_s=1.0, version="0", machine="two")


def test_two_machines_are_one_result_with_the_error_of_the_worse_and_each_from_its_own_zero() -> None:
    collection = Collection(PLAN, [], {"a": "worker 1", "b": "worker 2"})
    for number, (identity, zero_ns, p50) in enumerate([("a", 10**15, 0.1), ("b", 777, 0.3)]):
        one = record(number, zero_ns + 1000)
        collection.take(identity, calibrated(p50))
        assert not collection.can_begin
        collection.take(identity, Ready())
        collection.take(identity, standing())
        collection.take(identity, standing(one))  # stands for all before it
        collection.take(identity, Sampled([one]))
        assert not collection.is_over
        collection.take(identity, Done([ran(zero_ns)]))
    assert collection.can_begin
    assert collection.is_over
    assert collection.is_whole
    result = result_of(collection)
    (run,) = result.runs
    assert run.tally.counts["requests"] == 2
    assert run.tally.distribution("ttft_ms").n == 2
    assert run.tool_error["ttft_ms"] == ToolError(400, 0.3, 0.6, 0.3)
    assert run.calibrated_per_s == 200
    assert [each.began_ns for each in run.sample] == [1000, 1000]
    assert [each.began_ns for each in run.ran] == [0, 0]
    assert run.duration_s == 1
    assert result.workers == 4
    assert "worker 2: its own error of ttft is 0.300 ms at p50, and 0.600 ms at p99" in result.notes
    assert not result.is_interrupted


def test_a_machine_that_is_lost_keeps_nobody_waiting_and_what_it_said_counts() -> None:
    collection = Collection(PLAN, [], {"a": "worker 1", "b": "worker 2"})
    collection.take("a", Ready())
    collection.take("b", standing(record(1, 5)))
    collection.lose("b", "was lost")
    collection.take("b", standing(record(1, 5), record(2, 6)))  # too late
    assert collection.can_begin
    collection.take("a", standing(record(0, 5)))
    collection.take("a", Done([ran(5)]))
    collection.take("nobody", Failed("who is that?"))
    assert collection.is_over
    assert not collection.is_whole
    result = result_of(collection)
    assert result.runs[0].tally.counts["requests"] == 2
    assert any(note.startswith("worker 2: was lost") for note in result.notes)
    assert not result.is_interrupted
    collection.was_ended = True
    assert result_of(collection).is_interrupted


def test_all_times_of_a_record_move_and_nothing_else() -> None:
    before = record(3, 1_000_000)
    after = since(before, 1_000_000)
    assert after.sent_ns == 0
    assert after.first_token_read_ns == 6_000_000
    assert after.token_reads == [TokenRead(5_000_000, 6_000_000, 1, True)]
    assert since(after, -1_000_000) == before


def options(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_options(parser)
    return parser.parse_args(arguments, argparse.Namespace(host=None))


def test_the_options_are_a_plan() -> None:
    given = options("--bench-requests", "100", "--bench-slo", "ttft=200ms", "--bench-model", "m")
    job = job_of(given, "http://gpu1:8000/v1", 64)
    assert job.plan.load == Concurrency(64)
    assert (job.plan.requests, job.plan.duration_s) == (100, None)
    assert job.slo[0].limit == 200_000_000
    assert job.plan.servers[0].url == "http://gpu1:8000/v1"
    job = job_of(options("--bench-rate", "poisson:20"), "http://gpu1", 1)
    assert job.plan.load == Arrivals("poisson", 20.0)


@pytest.mark.parametrize(
    ("arguments", "host", "words"),
    [
        ([], "", "--host"),
        (["--bench-dialect", "klingon"], "http://gpu1", "klingon"),
        (["--bench-processes", "0"], "http://gpu1", "--bench-processes"),
        (["--bench-duration", "-1"], "http://gpu1", "--bench-duration"),
        (["--bench-calibrate", "nan"], "http://gpu1", "--bench-calibrate"),
        (["--bench-rate", "often"], "http://gpu1", "often"),
        (["--bench-slo", "beauty=1ms"], "http://gpu1", "beauty"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: list[str], host: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        job_of(options(*arguments), host, 1)


def test_a_key_is_the_machines_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_KEY", "sk-mine")
    assert with_key(PLAN, "BENCH_KEY").servers[0].api_key == "sk-mine"
    assert with_key(PLAN, "") is PLAN
    monkeypatch.delenv("BENCH_KEY")
    with pytest.raises(ConfigError, match="BENCH_KEY"):
        with_key(PLAN, "BENCH_KEY")


class Engine:
    """An engine in this process, and its station's end."""

    def __init__(self, job: Job) -> None:
        self.commands, theirs = trio.testing.memory_stream_one_way_pair()
        self._told, ours = trio.testing.memory_stream_one_way_pair()
        self._job = job
        self._theirs = Lines(theirs)
        self._lines = Lines(ours)

    async def do(self) -> None:
        await do(self._job, self._theirs, self._told)
        await self._told.aclose()

    async def tell(self, message: Begin | Halt) -> None:
        await self.commands.send_all(line_of(message))

    async def hear(self) -> Said | None:
        line = await self._lines.next()
        return None if line is None else said.decode(line)


def job_for(url: str, requests: int | None, *, calibrate_s: float = 0.0) -> Job:
    server = Server("direct", f"{url}/v1", "openai-chat", "m")
    plan = Plan(servers=[server], load=Concurrency(4), prompts=["Why?"], requests=requests, share=0, shares=2)
    return Job(plan, [], calibrate_s=calibrate_s)


async def test_an_engine_is_ready_before_it_begins_and_says_everything_before_it_is_done() -> None:
    with trio.fail_after(PATIENCE_S):
        async with open_mockserver(rate=0, tokens=2) as mock, trio.open_nursery() as nursery:
            engine = Engine(job_for(mock.url, 20))
            nursery.start_soon(engine.do)
            assert await engine.hear() == Ready()
            await trio.testing.wait_all_tasks_blocked()
            assert mock.journal.count == 0
            await engine.tell(Begin())
            collection = Collection(PLAN, [], {"a": "worker 1"})
            while not collection.is_over:
                message = await engine.hear()
                assert message is not None
                collection.take("a", message)
            assert await engine.hear() is None
            assert mock.journal.count == 10
    assert result_of(collection).runs[0].tally.outcomes == {"ok": 10}
    assert len(result_of(collection).runs[0].sample) == 10


async def test_an_engine_that_is_halted_says_what_it_has() -> None:
    with trio.fail_after(PATIENCE_S):
        async with open_mockserver(rate=20, tokens=100_000) as mock, trio.open_nursery() as nursery:
            engine = Engine(job_for(mock.url, None))
            nursery.start_soon(engine.do)
            await engine.hear()
            await engine.tell(Begin())
            while not (isinstance(message := await engine.hear(), Standing) and message.running == 2):
                pass
            await engine.tell(Halt(now=True))
            last = message
            while not isinstance(message := await engine.hear(), Done):
                last = message if isinstance(message, Standing) else last
            assert message.is_interrupted
            assert last.tallies["direct"].outcomes == {"unfinished": 2}


def test_what_the_master_and_the_workers_load_has_no_trio_in_it() -> None:
    """The process is gevent's: what is not pure there is theirs."""
    names = ("collection", "hooks", "options", "said")
    program = "; ".join(
        [*(f"import streamkit.bench.locust.{name}" for name in names), "import streamkit.bench.report.table"]
    )
    program += "; import sys; sys.exit('trio' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=PATIENCE_S).returncode == 0


def test_the_documented_options_are_there() -> None:
    text = (Path(__file__).parents[2] / "streamkit" / "bench" / "README.md").read_text()
    named = {word.strip("`,;:)(") for word in text.split() if word.strip("`(").startswith("--bench-")}
    assert named
    assert named <= {name for name, *_ in OPTIONS}


@pytest.mark.optional("locust")
def test_the_help_has_our_options_beside_locusts() -> None:
    command = [sys.executable, "-m", "streamkit.bench.locust", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=PATIENCE_S)
    assert "--headless" in done.stdout
    assert [name for name, *_ in OPTIONS if name not in done.stdout] == []


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.mark.slow
@pytest.mark.optional("locust")
def test_one_master_and_two_workers_make_one_document(tmp_path: Path) -> None:
    port = str(free_port())
    command = [sys.executable, "-m", "streamkit.bench.locust"]
    path = tmp_path / "result.json"
    environment = {**os.environ, "BENCH_KEY": "sk-very-secret"}
    with mockserver_in_thread(ttft="20ms", rate=100, tokens=5) as mock:
        master = subprocess.Popen(
            [
                *command,
                *("--master", "--master-bind-host", "127.0.0.1", "--master-bind-port", port),
                *("--headless", "--only-summary", "--expect-workers", "2", "--host", f"{mock.url}/v1"),
                *("-u", "8", "-r", "100", "--bench-model", "m", "--bench-requests", "60"),
                *("--bench-calibrate", "1", "--bench-json", str(path), "--bench-api-key-env", "BENCH_KEY"),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        workers = [
            subprocess.Popen(
                [*command, "--worker", "--master-host", "127.0.0.1", "--master-port", port],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=environment,
            )
            for _ in range(2)
        ]
        try:
            table, log = master.communicate(timeout=120)
            codes = [worker.wait(60) for worker in workers]
        finally:
            processes: list[subprocess.Popen[Any]] = [master, *workers]
            for process in processes:
                process.kill()
                process.wait()
    assert master.returncode == 0, log
    assert codes == [0, 0]
    document = json.loads(path.read_text())
    (run,) = document["runs"]
    assert (run["concurrency"], run["ok"], run["errors"]) == (8, 60, 0)
    assert run["metrics"]["ttft_ms"]["n"] == 60
    assert 20 < run["metrics"]["ttft_ms"]["p50"] < 2000
    assert document["workers"] == 2
    assert not document["is_interrupted"]
    assert run["tool_error"]["ttft_ms"]["n"] > 5
    assert "ttft_ms" in table
    assert "sk-very-secret" not in table + log + path.read_text()
