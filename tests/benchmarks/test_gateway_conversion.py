"""The question of the converting gateway runs, with relays in its place, and notices those that are wrong.

As in the other tests of the questions, what a right gateway's figures are is not asked: the machine may be busy.
"""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from benchmarks.gateway import conversion
from benchmarks.gateway.contenders import CONVERTERS, LITELLM, OURS, RELAY, Contenders, Launcher, converting, relay
from benchmarks.gateway.pair import Pair, Upstream
from benchmarks.gateway.wire import CONVERTED, RECORDS
from benchmarks.measure import Unavailable
from benchmarks.mock.servers import Server
from tests.benchmarks.stand_ins import LATE, LIMIT_S, TINY, absent, against, failing, sending

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="epoll and /proc")]


def as_converter(*lines: str) -> Launcher:
    """The bare relay in the place of a gateway that converts: records become events, more or less."""
    return sending(
        "if data.startswith(b'POST'): return await real(self, data.replace(b'/v1/chat/completions', b'/api/chat'))",
        r"data = data.replace(b'}\n', b'}\n\n')",
        *lines,
        "await real(self, data)",
    )


CONVERTS = as_converter()
CONVERTS_SLOWLY = as_converter("time.sleep(0.01)")
CONVERTS_LATE = as_converter("data, held[self] = held.get(self, b''), data")
CONVERTS_AND_LOSES = as_converter("data = data.replace(b' n00000000', b' N00000000')")


def turning(ours: Launcher, **converters: Launcher) -> Contenders:
    them = {name.replace("_", " "): launcher for name, launcher in converters.items()}
    return Contenders(ours=relay, converting=ours, converters=them)


class TestConversion:
    def test_every_path_has_its_figures_and_our_target_is_judged(self) -> None:
        rows = conversion.run(TINY, turning(CONVERTS, another=CONVERTS_SLOWLY))
        assert {row.verdict for row in rows if row.peer_name != RELAY} == {"info"}
        for way in ("ping-pong", "paced"):
            row = against(rows, RELAY, way)
            assert row.target == conversion.OVER_RELAY
            assert row.verdict in {"met", "missed"}
            assert {"direct p50", "converting gateway p90", "trio relay p99"} <= set(row.detail)
            assert against(rows, OURS, way).ratio is not None
            beside = against(rows, "another", way)
            assert beside.ratio is not None
            assert beside.ratio.value < 1
            assert beside.detail["another adds, over the trio relay"].value > 1
        for peer in (OURS, "another"):
            cost = against(rows, peer, "CPU of a converted stream")
            assert cost.ours is not None
            assert cost.ours.value > 0

    def test_one_that_is_slow_misses(self) -> None:
        rows, _ = conversion.delays(TINY, turning(CONVERTS_SLOWLY), LIMIT_S)
        assert [against(rows, RELAY, way).verdict for way in ("ping-pong", "paced")] == ["missed", "missed"]

    @pytest.mark.parametrize(
        ("ours", "complaint"), [(CONVERTS_LATE, "event 1 did not come"), (relay, "no request reached the upstream")]
    )
    def test_one_that_is_late_or_does_not_convert_is_given_up_and_has_missed(
        self, ours: Launcher, complaint: str
    ) -> None:
        rows = conversion.run(TINY, turning(ours), limit_s=LIMIT_S)
        row = against(rows, RELAY, "ping-pong")
        assert (row.verdict, row.note) == ("missed", f"given up: {complaint}")
        assert not any("CPU" in row.what for row in rows)

    def test_a_stream_that_is_not_whole_fails(self) -> None:
        with pytest.raises(RuntimeError, match="converting gateway: a stream had 19 of 20 events"):
            conversion.costs(TINY, turning(CONVERTS_AND_LOSES), {})

    def test_who_else_converts_and_is_not_there_is_skipped_with_the_reason(self) -> None:
        them = turning(CONVERTS, one=absent, two=failing, late=CONVERTS_LATE, losing=CONVERTS_AND_LOSES)
        rows = conversion.run(TINY, them, limit_s=LIMIT_S)
        skipped = {row.what: row.note[:36] for row in rows if row.verdict == "skipped"}
        assert skipped == {
            "beside one": "it is on holiday",
            "beside two": "two ended before it was ready: no such luck"[:36],
            "beside late": "event 1 did not come",
            "beside losing": "losing: a stream had 19 of 20 events",
        }
        assert not any("CPU" in row.what and row.peer_name == "losing" for row in rows)

    def test_without_its_measures_there_is_no_answer(self) -> None:
        with pytest.raises(RuntimeError, match="gateway: event 1 did not come"):
            conversion.delays(TINY, Contenders(ours=LATE, converting=CONVERTS, converters={}), LIMIT_S)

    def test_the_gateway_itself_converts_as_its_command_starts_it(self, tmp_path: Path) -> None:
        with (
            Upstream(10) as source,
            Server("it", converting(source.port, tmp_path)) as server,
            Pair(source, server.address, CONVERTED) as pair,
        ):
            assert all(pair.step() > 0 for _ in range(3))
            assert pair.leave() > 0

    def test_litellm_is_looked_for_on_the_path_and_beside_the_interpreter(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setattr("sysconfig.get_path", lambda _name: str(tmp_path / "scripts"))
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(Unavailable, match="litellm is not on the PATH"):
            CONVERTERS[LITELLM](1, tmp_path)
        for folder in (tmp_path, tmp_path / "scripts"):
            folder.mkdir(exist_ok=True)
            program = folder / "litellm"
            program.write_text("#!/bin/sh\necho 'LiteLLM: Current Version = 1.2.3'\n")
            program.chmod(0o755)
            launch = CONVERTERS[LITELLM](4711, tmp_path)
            assert str(program) in launch.command
            assert "http://127.0.0.1:4711" in (tmp_path / "configuration").read_text()

    def test_who_asks_for_something_else_first_is_told_that_it_is_not_there(self) -> None:
        with Upstream(LIMIT_S) as source, socket.create_connection(("127.0.0.1", source.port)) as asking:
            asking.sendall(b"POST /api/show HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}")
            with Pair(source, ("127.0.0.1", source.port), RECORDS) as pair:
                assert pair.step() > 0
            assert asking.recv(100).startswith(b"HTTP/1.1 404 ")
