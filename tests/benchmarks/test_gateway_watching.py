"""The question of the watched gateway runs, with relays in its place, and notices one that holds events back."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.gateway import watching
from benchmarks.gateway.contenders import OURS, Contenders, Started, relay
from benchmarks.gateway.watching import WATCHED, watched
from tests.benchmarks.stand_ins import LATE, LIMIT_S, SLOW, TINY, absent

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="epoll and /proc")]


def test_both_gateways_have_their_figures() -> None:
    rows = watching.run(TINY, Contenders(ours=relay), launch=SLOW)
    assert [row.what for row in rows] == ["added to an event, ping-pong", "added to an event, paced"]
    for row in rows:
        assert row.verdict == "info"
        assert {"direct p50", f"{OURS} p90", f"{WATCHED} p99"} <= set(row.detail)
        assert row.ratio is not None
        assert row.ratio.value > 5


def test_one_that_is_an_event_late_is_given_up() -> None:
    (row,) = watching.run(TINY, Contenders(ours=relay), limit_s=LIMIT_S, launch=LATE)
    assert row.note == "given up: event 1 did not come"


def test_without_its_measure_there_is_no_answer() -> None:
    with pytest.raises(RuntimeError, match="gateway: event 1 did not come"):
        watching.run(TINY, Contenders(ours=LATE), limit_s=LIMIT_S, launch=relay)


def test_where_it_is_not_there_the_question_is_skipped() -> None:
    (row,) = watching.run(TINY, Contenders(ours=relay), launch=absent)
    assert (row.verdict, row.note) == ("skipped", "it is on holiday")


def test_the_gateway_is_watched_as_its_command_starts_it(tmp_path: Path) -> None:
    launch = watched(1, tmp_path)
    assert "--watch" in launch.command
    with Started({WATCHED: watched}, 1) as started:
        assert WATCHED in started.servers
