"""The questions about the mock server run, with the control in its place, and notice servers that are wrong.

What the figures of a right server are is not asked here: the machine may be busy. What is asked is that a wrong one is
never "met".
"""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from benchmarks.__main__ import main
from benchmarks.measure import Effort, Figure, Unavailable
from benchmarks.mock import aimock, crowd, pacing, question, rounds, servers, start, throughput
from benchmarks.mock.figures import Run, Stamps
from benchmarks.mock.journal import entries_since, first_tokens_ns
from benchmarks.mock.rounds import Load, take_turn, take_turns
from benchmarks.mock.servers import Asked, Contenders, Launch, Launcher, Server, control
from benchmarks.report import Row

TINY = Effort(size=0.02, rounds=1)
MS = 1_000_000
RIGHT = Contenders(ours=control)

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="epoll and /proc")]


def wrong(**changes: Any) -> Contenders:  # noqa: ANN401 - the fields of Asked
    """A server that does something else than it was asked for, in the place of ours."""
    return Contenders(ours=lambda asked: control(replace(asked, **changes)))


def through(prelude: str) -> Contenders:
    """The control in the place of ours, after some Python of its own."""

    def launch(asked: Asked) -> Launch:
        script, *options = control(asked).command[2:]
        run = f"import runpy, sys; sys.argv = {[script, *options]!r}; runpy.run_path({script!r}, None, '__main__')"
        return Launch([sys.executable, "-c", f"{prelude}; {run}"])

    return Contenders(ours=launch)


def named(rows: list[Row], word: str) -> Row:
    (found,) = [row for row in rows if word in row.what]
    return found


class TestRows:
    def test_the_ttft_row_is_made_of_the_journal_where_there_is_one(self) -> None:
        run = Run(0, [Stamps(0, [58 * MS], [1], 1, 1, 58 * MS)])
        runs = {"ours": [run], "control": [run]}
        with_journal, client, excess = pacing.ttft_rows(runs, [1.5])
        assert (with_journal.verdict, client.verdict, excess.verdict) == ("missed", "info", "info")
        assert client.ours is not None
        assert client.ours.value == pytest.approx(8)
        without, _, excess = pacing.ttft_rows(runs, [None])
        assert (without.verdict, excess.verdict) == ("skipped", "met")


def test_a_target_that_the_control_misses_too_is_said_to_be_so() -> None:
    assert pacing.excuse(Figure(0.1, 0, 1, "%"), pacing.DRIFT) == ""
    assert "busy" in pacing.excuse(Figure(0.11, 0, 1, "%"), pacing.DRIFT)


class TestServers:
    def test_a_server_that_ends_at_once_is_told_with_its_last_words(self) -> None:
        command = [sys.executable, "-c", "raise SystemExit('no such luck')"]
        with pytest.raises(RuntimeError, match="it ended before it was ready: no such luck"):
            Server("it", Launch(command))

    def test_a_server_is_gone_afterwards(self) -> None:
        with Server("control", control(Asked())) as server:
            assert server.ready_s > 0
            assert 1e6 < server.resident_bytes() <= server.peak_bytes()
            address = server.address
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address)

    @pytest.mark.skipif(
        not hasattr(os, "sched_setaffinity") or len(os.sched_getaffinity(0)) < 2, reason="one processor"
    )
    def test_server_and_client_have_processors_of_their_own(self) -> None:
        mine = os.sched_getaffinity(0)
        found = []
        for number in (0, 1):
            with servers.on_processor(number):
                found.append(os.sched_getaffinity(0))
        assert [len(one) for one in found] == [1, 1]
        assert found[0].isdisjoint(found[1])
        assert os.sched_getaffinity(0) == mine

    def test_servers_take_turns(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class Named:
            def __init__(self, name: str) -> None:
                self.name = name

        order = []
        told: list[Any] = []

        def turn(server: Named, load: Load) -> str:
            order.append(f"{server.name}{load.streams}")
            return server.name

        monkeypatch.setattr(rounds, "take_turn", turn)
        two: Mapping[str, Any] = {name: Named(name) for name in "ab"}
        taken: Mapping[str, Any] = take_turns(two, Load(9, 9, 1), 2, warm_up=Load(1, 1, 1), after=told.append)
        assert order == ["a1", "b1", "a9", "b9", "b9", "a9"]
        assert len(told) == 6
        assert taken == {"a": ["a", "a"], "b": ["b", "b"]}

    def test_the_mock_is_skipped_by_name_where_it_is_not(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def absent(_name: str) -> None:
            return None

        monkeypatch.setattr("importlib.util.find_spec", absent)
        assert question.run(["mock-start"], effort=TINY, strict=True) == 0
        assert "there is no `python -m mockserver` here" in capsys.readouterr().out


@pytest.fixture(scope="module")
def right_rows() -> dict[str, list[Row]]:
    """Every question, with the control in the place of ours."""
    return {name: ask(TINY, RIGHT) for name, ask in question.QUESTIONS.items()}


@pytest.mark.slow
class TestARightServer:
    @pytest.mark.parametrize(
        ("name", "targets"), [("mock-throughput", 4), ("mock-pacing", 5), ("mock-crowd", 2), ("mock-start", 2)]
    )
    def test_every_target_has_a_figure_and_its_range(
        self, right_rows: dict[str, list[Row]], name: str, targets: int
    ) -> None:
        judged = [row for row in right_rows[name] if row.verdict in {"met", "missed"}]
        assert len(judged) == targets
        for row in right_rows[name]:
            if row.ours is not None:
                assert row.question == name
                assert row.ours.low <= row.ours.value <= row.ours.high

    def test_it_is_light_and_soon_there(self, right_rows: dict[str, list[Row]]) -> None:
        for rows in (right_rows["mock-start"], right_rows["mock-crowd"]):
            memory = named(rows, "memory")
            assert memory.verdict == "met"
            assert memory.ours is not None
            assert memory.ours.value > 5


class TestAWrongServerIsNoticed:
    def test_one_that_drifts_and_whose_first_token_is_late(self) -> None:
        rows = pacing.run(TINY, wrong(rate=80, ttft_ms=150))
        for streams in ("1 stream", "100 streams"):
            drift = named(rows, f"drift, {streams}")
            assert drift.verdict == "missed"
            assert drift.ours is not None
            assert drift.ours.value > 5
        assert named(rows, "burst of 100, over the control's").verdict == "missed"

    def test_one_that_joins_tokens_when_it_is_asked_not_to(self) -> None:
        prelude = (
            "import asyncio; write = asyncio.StreamWriter.write; held = {}; "
            "close = asyncio.StreamWriter.close; "
            "asyncio.StreamWriter.write = lambda self, data: held.setdefault(self, bytearray()).extend(data); "
            "asyncio.StreamWriter.close = lambda self: (write(self, bytes(held.pop(self, b''))), close(self))[1]"
        )
        rows = throughput.run(TINY, through(prelude))
        assert named(rows, "token by token, segments").verdict == "missed"
        assert named(rows, "joined, segments").verdict == "met"

    def test_one_that_is_slow(self) -> None:
        prelude = "import asyncio, time; real = asyncio.sleep; asyncio.sleep = lambda s: (time.sleep(3e-4), real(s))[1]"
        rows = throughput.run(TINY, through(prelude))
        assert named(rows, "token by token, 50 streams").verdict == "missed"

    def test_one_that_loses_a_token(self) -> None:
        with pytest.raises(RuntimeError, match="had not 200 tokens, one of them 199"):
            throughput.run(TINY, wrong(tokens=199))

    def test_one_that_is_heavy_and_starts_late(self) -> None:
        rows = start.run(TINY, through("import time; time.sleep(0.5); weight = b'x' * 50_000_000"))
        assert named(rows, "ready").verdict == "missed"
        assert named(rows, "idle memory").verdict == "missed"

    def test_one_that_gets_heavy_with_many_streams_though_all_are_asked_for_the_same(self) -> None:
        asked: list[Asked] = []
        heavy = through("weight = b'x' * 90_000_000")

        def noting(launcher: Launcher, what: Asked) -> Launch:
            asked.append(what)
            return launcher(what)

        rows = crowd.run(TINY, Contenders(ours=partial(noting, heavy.ours), control=partial(noting, control)))
        assert asked == [Asked(tokens=5, rate=20, ttft_ms=50, seed=1)] * 2
        assert named(rows, "memory").verdict == "missed"

    def test_one_that_stops_in_the_middle(self) -> None:
        prelude = "import asyncio, os; asyncio.sleep = lambda s: os._exit(3)"
        with Server("it", through(prelude).ours(Asked())) as server, pytest.raises(RuntimeError, match="it: "):
            take_turn(server, Load(1, 1, 200))


class TestTheMockServer:
    """That it is started, asked and read as the questions do it, not how fast it is."""

    def test_it_does_what_its_command_line_says_and_its_journal_tells_when(self) -> None:
        with Server("mock", servers.mock(Asked(tokens=5, rate=100, ttft_ms=20))) as server:
            run = take_turn(server, Load(2, 2, 5))
            entries = entries_since(server.url, 0)
            assert entries_since(server.url, max(entry["number"] for entry in entries)) == []
        assert len(entries) == 2
        waits = first_tokens_ns(entries)
        assert len(waits) == (2 if all(entry["kernel_ns"] for entry in entries) else 0)
        assert all(ns >= 20 * MS for ns in waits)
        assert all(stream.ttft_ns() >= 20 * MS for stream in run.streams)
        assert all(stream.at_ns[-1] - stream.sent_ns >= 60 * MS for stream in run.streams)

    def test_its_two_ways_of_writing_differ_by_their_segments(self) -> None:
        counts = {}
        for way in ("each", "joined"):
            with Server("mock", servers.mock(Asked(tokens=200, writes=way))) as server:
                counts[way] = take_turn(server, Load(1, 1, 200)).segments()
        assert counts["each"] is not None
        assert counts["joined"] is not None
        assert counts["joined"] < 20 < counts["each"]


class TestAimock:
    """The adapter; the package itself is measured where it is installed."""

    @pytest.fixture
    def folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        package = tmp_path / "node_modules" / "@copilotkit" / "aimock"
        (package / "dist").mkdir(parents=True)
        (package / "dist" / "cli.js").write_text("")
        (package / "package.json").write_text('{"version": "1.2.3"}')
        monkeypatch.setenv("AIMOCK_DIR", str(tmp_path))
        monkeypatch.setattr("shutil.which", lambda name: f"/bin/{name}")
        return tmp_path

    def test_it_is_started_on_a_fixture_that_says_what_was_asked_for(self, folder: Path) -> None:
        found, why = aimock.peers(folder)
        assert why == ""
        (launch,) = found.values()
        assert list(found) == ["aimock 1.2.3"]
        started = launch(Asked(tokens=3, rate=100, ttft_ms=50))
        assert started.command[0] == "/bin/node"
        options = dict(zip(started.command[2::2], started.command[3::2], strict=True))
        assert options["-p"] == str(started.port)
        (fixture,) = json.loads(Path(options["-f"]).read_text())["fixtures"]
        assert len(fixture["response"]["content"]) == 3 * int(options["-c"])
        assert fixture["streamingProfile"] == {"ttft": 50, "tps": 100}

    def test_without_delay_it_has_no_profile(self) -> None:
        assert "streamingProfile" not in json.dumps(aimock.fixture(Asked()))

    def test_where_it_is_not_it_is_named(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AIMOCK_DIR", str(tmp_path))
        monkeypatch.setattr("benchmarks.mock.aimock.HERE", tmp_path)
        found, why = aimock.peers(tmp_path)
        assert not found
        assert "aimock" in why
        with pytest.raises(Unavailable):
            aimock.launcher(tmp_path)


class TestTheCommand:
    @pytest.mark.parametrize(("strict", "status"), [([], 0), (["--strict"], 1)])
    def test_a_missed_target_fails_the_run_only_when_strict(
        self,
        strict: list[str],
        status: int,
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        def late(_effort: Effort, _contenders: Contenders) -> list[Row]:
            return [start.row("ready", {"ours": [0.5, 0.6], "control": [0.1, 0.2]}, "control", "s", start.READY)]

        monkeypatch.setitem(question.QUESTIONS, "mock-start", late)
        file = tmp_path / "run.json"
        assert main(["mock", "--only", "mock-start", "--quick", "--json", str(file), *strict]) == status
        out = capsys.readouterr().out
        assert "missed:\n  mock-start: ready" in out
        document = json.loads(file.read_text())
        assert document["command"] == "mock"
        (row,) = [row for row in document["rows"] if row["what"] == "ready"]
        assert row["ours"] == {"value": 0.55, "low": 0.5, "high": 0.6, "unit": "s"}
        assert row["verdict"] == "missed"
