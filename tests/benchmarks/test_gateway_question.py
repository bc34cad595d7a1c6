"""The questions about the gateway run, with relays in its place, and notice those that are wrong.

What the figures of a right gateway are is not asked here: the machine may be busy. What is asked is that a wrong one is
never "met", and that who is not there is shown as absent.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from benchmarks.__main__ import main
from benchmarks.gateway import contenders, delay, leaving, memory, question, streams
from benchmarks.gateway.contenders import ASGI, OURS, PEERS, RELAY, Contenders, Launcher, Started, gateway, relay
from benchmarks.gateway.load import EVENTS, HERE, Load, Turn, take_turn, upstream
from benchmarks.gateway.pair import Held, Pair, Upstream
from benchmarks.gateway.wire import EVENT_BYTES, HEAD, LAST_CHUNK, chunk, event
from benchmarks.measure import Effort, Figure, Unavailable
from benchmarks.mock.servers import Server
from benchmarks.report import Row
from tests.benchmarks.stand_ins import DEAF, LATE, LEAKY, LIMIT_S, LOSING, SLOW, TINY, absent, against, failing

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="epoll and /proc")]


def beside(ours: Launcher, **peers: Launcher) -> Contenders:
    return Contenders(ours=ours, peers={name.replace("_", " "): launcher for name, launcher in peers.items()})


class TestDelay:
    def test_every_path_has_its_figures_and_our_targets_are_judged(self) -> None:
        rows = delay.run(TINY, beside(relay, ASGI_relay=SLOW))
        first = against(rows, RELAY, "ping-pong")
        assert first.target == delay.OVER_RELAY
        assert first.verdict in {"met", "missed"}
        assert {"direct p50", "gateway p90", "trio relay p99"} <= set(first.detail)
        assert first.ratio is not None
        assert first.ratio.low <= first.ratio.value <= first.ratio.high
        assert against(rows, RELAY, "paced").verdict in {"met", "missed"}
        assert [against(rows, ASGI, way).verdict for way in ("ping-pong", "paced")] == ["met", "met"]
        assert against(rows, RELAY, "two processors").verdict == "info"

    def test_one_that_is_slow_misses_both_targets(self) -> None:
        rows = delay.run(TINY, beside(SLOW, ASGI_relay=relay, another=relay))
        for way in ("ping-pong", "paced"):
            assert [against(rows, peer, way).verdict for peer in (RELAY, ASGI, "another")] == [
                "missed",
                "missed",
                "info",
            ]
        ours = against(rows, RELAY, "ping-pong").ours
        assert ours is not None
        assert ours.value > 2000

    def test_one_that_is_an_event_late_is_given_up_and_has_missed(self) -> None:
        rows = delay.run(TINY, beside(LATE, ASGI_relay=relay), limit_s=LIMIT_S)
        row = against(rows, RELAY, "ping-pong")
        assert (row.verdict, row.note) == ("missed", "given up: event 1 did not come")
        assert row.ours is not None
        assert row.ours.value > 0.9e6 * LIMIT_S

    def test_a_peer_that_holds_back_is_no_peer(self) -> None:
        rows = delay.run(TINY, beside(relay, ASGI_relay=LATE), limit_s=LIMIT_S)
        (row,) = [row for row in rows if ASGI in row.what]
        assert (row.verdict, row.note) == ("skipped", "event 1 did not come")

    def test_without_its_measure_there_is_no_answer(self) -> None:
        with pytest.raises(RuntimeError, match="trio relay: event 1 did not come"):
            delay.run(TINY, Contenders(ours=relay, relay=LATE, peers={}), limit_s=LIMIT_S)


class TestPeersThatAreAbsent:
    def test_they_are_skipped_by_name_and_have_not_passed(self) -> None:
        them = beside(relay, ASGI_relay=absent, nginx=failing)
        for rows in (delay.run(TINY, them), streams.run(TINY, them), leaving.run(TINY, them)):
            skipped = {row.note for row in rows if row.verdict == "skipped"}
            assert skipped == {"it is on holiday", "nginx ended before it was ready: no such luck"}
            assert not any(row.peer_name == ASGI for row in rows)

    def test_where_ours_is_not_there_the_question_is_skipped(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert question.run(["gateway-memory"], effort=TINY, contenders=beside(absent), strict=True) == 0
        assert "0 of 0 targets met" in capsys.readouterr().out

    def test_where_the_relay_is_not_there_either(self) -> None:
        with pytest.raises(Unavailable), Started(Contenders(ours=relay, relay=absent).passing(), 1):
            pass

    def test_programs_and_packages_are_looked_for(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
        for name, why in (
            (ASGI, "httpx is not installed"),
            ("nginx", "not on the PATH"),
            ("haproxy", "not on the PATH"),
        ):
            with pytest.raises(Unavailable, match=why):
                PEERS[name](1, tmp_path)
        with pytest.raises(Unavailable, match="there is no `streamkit gateway` here"):
            gateway(1, tmp_path)
        assert not {"nginx", "haproxy"} & set(contenders.versions())


class TestStreams:
    def test_every_path_has_its_figures_and_our_target_is_judged(self) -> None:
        rows = streams.run(TINY, beside(relay, ASGI_relay=relay))
        speed, cost = against(rows, ASGI, "streams a second on one core"), against(rows, ASGI, "CPU of a stream")
        assert speed.target == streams.OVER_ASGI
        assert speed.verdict in {"met", "missed"}
        assert cost.ours is not None
        assert 0 < cost.ours.low <= cost.ours.value
        (alone,) = [row for row in rows if "no server" in row.what]
        assert alone.ours is not None
        assert alone.ours.value > 0

    @pytest.mark.parametrize(("streams_in_1_s", "verdict"), [(4990, "missed"), (5010, "met")])
    def test_five_times_the_asgi_relay_is_wanted(self, streams_in_1_s: int, verdict: str) -> None:
        ours, theirs = (Turn(number, 0, 10**9, [1], 1) for number in (streams_in_1_s, 1000))
        assert streams.speed_row({OURS: [ours], ASGI: [theirs]}, ASGI).verdict == verdict

    def test_one_that_loses_an_event(self) -> None:
        with pytest.raises(RuntimeError, match="gateway: a stream had 19 of 20 events"):
            streams.run(TINY, beside(LOSING))

    def test_a_peer_that_does_is_no_peer(self) -> None:
        rows = streams.run(TINY, beside(relay, ASGI_relay=LOSING))
        assert [row.note[:35] for row in rows if row.verdict == "skipped"] == ["ASGI relay: a stream had 19 of 20 e"]
        assert not any(row.peer_name == ASGI for row in rows)

    def test_a_turn_is_counted_in_whole_streams(self) -> None:
        turn = Turn(streams=500, left=3, spent_ns=250_000_000, durations_ns=[1_000_000, 9_000_000], cpu_ns=200_000_000)
        assert turn.streams_per_s == 2000
        assert turn.cpu_us_per_stream == 400
        assert turn.busy_percent == 80
        assert turn.p99_ms() == 9
        unknown = Turn(500, 0, 1, [1], None)
        assert (unknown.cpu_us_per_stream, unknown.busy_percent) == (None, None)
        row = streams.speed_row({OURS: [turn], "nginx": [replace(turn, cpu_ns=240_000_000)]}, "nginx")
        assert (row.verdict, row.note) == ("info", "waited for work or for its processor: gateway")
        row = streams.cost_row({OURS: [unknown], "nginx": [turn]}, "nginx")
        assert (row.verdict, row.note) == ("skipped", "the system does not tell")


class TestLeaving:
    def test_one_that_does_not_pass_it_on_has_missed(self) -> None:
        rows = leaving.run(TINY, Contenders(ours=DEAF, peers={}), limit_s=LIMIT_S)
        ours, bare = rows
        assert (ours.verdict, ours.note) == ("missed", "the upstream did not see it")
        assert ours.ours == Figure(500, 500, 500, "ms")
        assert bare.verdict == "info"
        assert bare.ours is not None
        assert 0 < bare.detail["p50"].value <= bare.ours.value < 500

    def test_percentiles_are_over_all_rounds_and_ranges_over_theirs(self) -> None:
        rounds = [[1.0, 2.0, 3.0], [4.0, 5.0, 60.0]]
        assert leaving.figure(rounds, 50) == Figure(3, 2, 5, "ms")
        assert leaving.row({OURS: rounds}, {}, OURS).verdict == "missed"


class TestMemory:
    @pytest.fixture(autouse=True)
    def soon(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(memory, "SETTLE_S", 0.05)
        monkeypatch.setattr(memory, "FIRST", 500)

    def test_one_that_keeps_something_of_each_stream_has_missed(self) -> None:
        (row,) = memory.run(TINY, beside(LEAKY))
        assert row.verdict == "missed"
        assert row.ours is not None
        assert row.ours.value > 5

    def test_one_that_keeps_nothing_has_met(self) -> None:
        (row,) = memory.run(TINY, beside(relay))
        assert row.verdict == "met"
        assert list(row.detail) == ["after 500", "after 750", "after 1,000"]
        assert all(size.value > 5 for size in row.detail.values())


class TestTheLoad:
    def test_streams_are_left_in_their_middle_and_the_upstream_goes_on(self, tmp_path: Path) -> None:
        with upstream(tmp_path) as source:
            turn = take_turn("direct", source.address, Load(at_once=4, streams=30, leave_every=5))
            assert (turn.streams, turn.left) == (24, 6)
            assert take_turn("direct", source.address, Load(at_once=2, streams=1)).streams == 1

    def test_what_the_upstream_sends_is_a_stream(self, tmp_path: Path) -> None:
        with upstream(tmp_path) as source, socket.create_connection(source.address, timeout=10) as client:
            for piece in (b"POST / HTTP/1.1\r\ncontent-le", b"ngth: 3\r\n\r\na", b"bc"):
                client.sendall(piece)
            data = b""
            while not data.endswith(b"\r\n" + LAST_CHUNK):
                data += client.recv(65536)
        assert data == HEAD + b"".join(chunk(event(number)) for number in range(EVENTS)) + LAST_CHUNK
        assert len(event(7)) == EVENT_BYTES

    @pytest.mark.parametrize(
        ("data", "complaint"),
        [
            (HEAD + chunk(event(1)), "a connection ended in its stream"),
            (HEAD + chunk(event(1)) + LAST_CHUNK, "a stream had 1 of 2 events"),
            (b"HTTP/1.1 502 Bad Gateway\r\n\r\n" + (event(1) * 2) + b"\r\n0\r\n\r\n", "502 Bad"),
        ],
    )
    def test_what_is_no_whole_stream_is_an_error(self, data: bytes, complaint: str) -> None:
        assert complaint in self.job(data)["error"]

    def test_a_whole_one_is_counted(self) -> None:
        result = self.job(HEAD + chunk(event(1)) + chunk(event(2)) + LAST_CHUNK)
        assert (result["streams"], result["left"]) == (1, 0)

    def job(self, data: bytes) -> Mapping[str, Any]:
        """What the client makes of a server that answers with these bytes and ends."""
        with socket.create_server(("127.0.0.1", 0)) as listener:

            def answer() -> None:
                with listener.accept()[0] as connection:
                    connection.recv(65536)
                    connection.sendall(data)

            Thread(target=answer, daemon=True).start()
            job = {"host": "127.0.0.1", "port": listener.getsockname()[1], "request": "GET / HTTP/1.1\r\n\r\n"}
            job |= {"at_once": 1, "marker": "chatcmpl-", "events": 2, "streams": 1, "seconds": None, "leave": None}
            client = [sys.executable, "-I", str(HERE / "client.py")]
            done = subprocess.run(
                client, input=json.dumps(job).encode(), stdout=subprocess.PIPE, check=True, timeout=20
            )
        result: dict[str, Any] = json.loads(done.stdout)
        return result


def carries_one_stream(launcher: Launcher, folder: Path) -> None:
    with (
        Upstream(10) as source,
        Server("it", launcher(source.port, folder)) as server,
        Pair(source, server.address) as pair,
    ):
        assert all(pair.step() > 0 for _ in range(3))
        assert pair.leave() > 0


class TestThePaths:
    """That each is started and set up as the questions need it, not how fast it is."""

    @pytest.mark.parametrize(
        "name",
        [
            ASGI,
            pytest.param("nginx", marks=pytest.mark.needs("nginx")),
            pytest.param("haproxy", marks=pytest.mark.needs("haproxy")),
        ],
    )
    def test_a_peer_carries_a_stream_event_by_event_and_passes_leaving_on(self, name: str, tmp_path: Path) -> None:
        if name == ASGI:
            pytest.importorskip("uvicorn")
            pytest.importorskip("starlette")
        carries_one_stream(PEERS[name], tmp_path)

    def test_so_does_the_gateway_as_its_command_starts_it(self, tmp_path: Path) -> None:
        carries_one_stream(gateway, tmp_path)

    @pytest.mark.parametrize(
        ("end", "complaint"), [("upstream", "event 1 did not come: "), ("client", "the stream ended before event 1")]
    )
    def test_a_stream_that_ends_is_told_from_one_that_is_late(self, end: str, complaint: str) -> None:
        with Upstream(LIMIT_S) as source, Pair(source, ("127.0.0.1", source.port)) as pair:
            if end == "upstream":
                pair.upstream.shutdown(socket.SHUT_WR)
            else:
                pair.close()
                pair.client, left = socket.socketpair()
                pair.upstream, right = socket.socketpair()
                left.close()
            with pytest.raises(Held, match=complaint), right if end == "client" else nullcontext():
                pair.step()

    def test_a_path_without_an_upstream_is_told(self) -> None:
        with (
            Upstream(0.1) as source,
            socket.create_server(("127.0.0.1", 0)) as nowhere,
            pytest.raises(Held, match="no request reached the upstream"),
        ):
            Pair(source, nowhere.getsockname())


class TestTheCommand:
    def test_a_gateway_that_fails_has_not_passed(self, capsys: pytest.CaptureFixture[str]) -> None:
        names = ["gateway-streams", "gateway-memory"]
        assert question.run(names, effort=TINY, contenders=Contenders(ours=LOSING, peers={})) == 1
        out = capsys.readouterr().out
        assert out.count("all of it: FAILED: gateway: a stream had 19 of 20 events") == 2

    @pytest.mark.parametrize(("strict", "status"), [([], 0), (["--strict"], 1)])
    def test_a_missed_target_fails_the_run_only_when_strict(
        self,
        strict: list[str],
        status: int,
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        def slow(_effort: Effort, _contenders: Contenders) -> list[Row]:
            return [leaving.row({OURS: [[49.0, 51.0]]}, {}, OURS)]

        monkeypatch.setitem(question.QUESTIONS, "gateway-leaving", slow)
        file = tmp_path / "run.json"
        assert main(["gateway", "--only", "gateway-leaving", "--quick", "--json", str(file), *strict]) == status
        assert "missed:\n  gateway-leaving: leaving is seen upstream" in capsys.readouterr().out
        document = json.loads(file.read_text())
        assert (document["command"], document["settings"]["rounds"]) == ("gateway", 3)
        (row,) = document["rows"]
        assert row["ours"] == {"value": 51, "low": 51, "high": 51, "unit": "ms"}
        assert row["verdict"] == "missed"
