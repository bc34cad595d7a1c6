"""A mock in a process of its own: it starts, tells what it did, and is gone with the block or with us."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

import pytest
import trio

from streamkit.bench.engine import run_load
from streamkit.bench.mockprocess import (
    MAX_LINE_BYTES,
    JournalTail,
    MockProcess,
    _started,
    open_mock_process,
    speaks,
)
from streamkit.bench.plan import Concurrency, Plan, Server
from streamkit.bench.record import RequestRecord
from streamkit.bench.truth import Entry, Truth, truths_of
from streamkit.dialects.registry import DIALECTS
from streamkit.errors import ConfigError, ConnectError

PATIENCE_S = 60

TOKENS = 3

quick = partial(open_mock_process, ttft_ms=1.5, gap_ms=2.0, tokens=TOKENS)


async def asked(mock: MockProcess, dialect: str, requests: int = 3) -> list[RequestRecord]:
    authorities = "" if mock.authorities is None else str(mock.authorities)
    server = Server("mock", mock.url_for(dialect), dialect, "m", authorities=authorities)
    records: list[RequestRecord] = []
    plan = Plan(servers=[server], load=Concurrency(2), prompts=["Why?"], requests=requests, max_tokens=50)
    await run_load(plan, records.append)
    assert [record.outcome for record in records] == ["ok"] * requests, records
    return records


async def entries_of(mock: MockProcess, count: int) -> list[Entry]:
    """Wait for so many entries: a request is in the journal some moments after its client has it."""
    found: list[Entry] = []
    while len(found) < count:
        found += mock.entries()
        await trio.sleep(0.005)
    return found


def is_gone(pid: int) -> bool:
    """Tell whether a process has ended, if only to be waited for by a parent of whom we know nothing."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.parametrize("tls", [False, True])
async def test_every_dialect_has_its_tokens_in_the_journal(tls: bool) -> None:
    with trio.fail_after(PATIENCE_S):
        async with quick(dialect="openai-chat", tls=tls) as mock:
            assert mock.url.startswith("https:" if tls else "http:")
            for dialect in DIALECTS:
                if not speaks(dialect):
                    continue
                records = await asked(mock, dialect)
                entries = await entries_of(mock, 3)
                truths = truths_of(entries)
                for record in records:
                    truth = truths[record.request_id]
                    assert len(truth.token_ns) == TOKENS
                    # Of text without framing, what is read together is one event.
                    assert record.token_events == TOKENS or dialect == "text"
                    assert_in_order(record, truth)
                assert {entry.dialect for entry in entries} == {dialect}


def assert_in_order(record: RequestRecord, truth: Truth) -> None:
    """Whoever stamps what, a cause comes before its effect: both clocks are one."""
    assert record.sent_ns is not None
    assert record.first_token_ns is not None
    assert record.end_ns is not None
    assert record.sent_ns <= truth.arrived_ns <= truth.head_ns <= truth.token_ns[0] <= record.first_token_ns
    assert truth.token_ns == sorted(truth.token_ns)
    assert truth.token_ns[-1] <= truth.end_ns <= record.end_ns


async def test_each_entry_is_told_once() -> None:
    with trio.fail_after(PATIENCE_S):
        async with quick(dialect="ollama-chat") as mock:
            assert mock.entries() == []
            first = await asked(mock, "ollama-chat")
            told = await entries_of(mock, 3)
            assert mock.entries() == []
            second = await asked(mock, "ollama-chat", 5)
            told_later = await entries_of(mock, 5)
    assert {entry.request_id for entry in told} == {record.request_id for record in first}
    assert {entry.request_id for entry in told_later} == {record.request_id for record in second}


def test_it_ends_with_the_block_and_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    mocks: list[MockProcess] = []

    async def block() -> None:
        with trio.fail_after(PATIENCE_S):
            async with quick(dialect="text") as mock:
                mocks.append(mock)
                others = [each.stat().st_mode & 0o77 for each in [*tmp_path.iterdir()]]  # noqa: ASYNC240 - a moment
                assert others == [0], "others could read the prompts"
                # Ctrl-C reaches all of a terminal's group: the server has to be there until we have our answers.
                assert os.getpgid(mock.pid) != os.getpgid(0)
                assert mock.is_running
                raise RuntimeError("the block's own")

    with pytest.raises(RuntimeError, match="the block's own"):
        trio.run(block)
    assert not mocks[0].is_running
    assert is_gone(mocks[0].pid)
    assert [*tmp_path.iterdir()] == []


async def test_it_ends_when_the_block_is_cancelled() -> None:
    with trio.fail_after(PATIENCE_S):
        with trio.CancelScope() as scope:
            async with quick(dialect="text") as mock:
                scope.cancel()
                await trio.sleep_forever()
        assert not mock.is_running


def test_cancelled_while_it_starts_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    processes: list[subprocess.Popen[bytes]] = []

    def remembered(command: list[str], directory: Path) -> tuple[subprocess.Popen[bytes], Path]:
        begun = _started(command, directory)
        processes.append(begun[0])
        return begun

    monkeypatch.setattr("streamkit.bench.mockprocess._started", remembered)

    async def block() -> None:
        with trio.CancelScope() as scope:
            scope.cancel()  # the first moment at which it waits for the process
            async with quick(dialect="text"):
                pass
        assert scope.cancelled_caught

    trio.run(block)
    (process,) = processes
    assert process.returncode is not None


OWNER = """
import trio
from streamkit.bench.mockprocess import open_mock_process

async def main():
    async with open_mock_process(dialect="text", ttft_ms=1, gap_ms=1, tokens=1) as mock:
        print(mock.pid, flush=True)
        await trio.sleep_forever()

trio.run(main)
"""


@pytest.mark.needs("setpriv")
def test_it_ends_when_we_are_killed(tmp_path: Path) -> None:
    here = {**os.environ, "TMPDIR": str(tmp_path)}  # who is killed cannot tidy up
    with subprocess.Popen([sys.executable, "-c", OWNER], stdout=subprocess.PIPE, env=here) as owner:
        assert owner.stdout is not None
        pid = int(owner.stdout.readline())
        assert not is_gone(pid)
        owner.send_signal(signal.SIGKILL)
    trio.run(until_gone, pid)


async def until_gone(pid: int) -> None:
    with trio.fail_after(PATIENCE_S):
        while not is_gone(pid):  # noqa: ASYNC110 - it is nobody's child here
            await trio.sleep(0.01)


async def test_a_port_that_is_taken_is_said() -> None:
    with trio.fail_after(PATIENCE_S), socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConnectError, match=rf"mock server does not start: .*{port}"):
            async with quick(dialect="text", port=port):
                pass


async def test_what_it_refuses_is_said() -> None:
    with trio.fail_after(PATIENCE_S):
        with pytest.raises(ConfigError, match=r"the mock server: .*no-such"):
            async with quick(dialect="text", settings=["--fault", "no-such@token:1"]):
                pass
        with pytest.raises(ConfigError, match="does not speak json"):
            async with quick(dialect="json"):
                pass
        with pytest.raises(ConfigError, match="no dialect 'klingon'"):
            async with quick(dialect="klingon"):
                pass


def test_lines_are_told_when_they_are_finished(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    tail = JournalTail(path)
    assert tail.lines() == []  # no file yet
    with path.open("ab", buffering=0) as file:
        told = []
        for piece in (b"on", b"e\ntwo", b"\n", b"", b"\nthr", b"ee\nfour\nfi"):
            file.write(piece)
            told.append(tail.lines())
    assert told == [[], [b"one"], [b"two"], [], [b""], [b"three", b"four"]]


def test_a_call_reads_no_more_than_its_share(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    path.write_bytes(b"".join(b"%06d\n" % number for number in range(1000)))
    tail = JournalTail(path)
    told = []
    while lines := tail.lines(100):
        assert len(lines) <= 15
        told += lines
    assert [int(line) for line in told] == [*range(1000)]


def test_a_line_without_an_end_takes_no_memory_and_costs_no_other_line(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    long = b"x" * (3 * MAX_LINE_BYTES)
    path.write_bytes(b"one\n" + long + b"\ntwo\n" + long)
    tail = JournalTail(path)
    assert tail.lines() == [b"one", b"two"]
    assert tail.held_bytes <= MAX_LINE_BYTES
    with path.open("ab") as file:
        file.write(b"\nthree\n")
    assert tail.lines() == [b"three"]
