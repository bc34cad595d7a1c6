"""Calibrations as they run: the mock in its own process, our engine in this one or in others."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median

import pytest
import trio
from msgspec.structs import replace

from streamkit.bench.calibrate import calibrate
from streamkit.bench.compared import compare
from streamkit.bench.distribution import Distribution
from streamkit.bench.engine import Stop, run_load
from streamkit.bench.measure import Progress
from streamkit.bench.mockprocess import open_mock_process
from streamkit.bench.plan import Arrivals, Concurrency, Load, Plan, Server
from streamkit.bench.record import RequestRecord
from streamkit.bench.shape import Shape
from streamkit.bench.truth import Entry, truths_of
from streamkit.errors import ConnectError

PATIENCE_S = 90

SHAPE = Shape(5, 20, 4)

CLOSED = Concurrency(4)

KEY = "sk-very-secret"


def plan_of(*servers: Server, load: Load = CLOSED) -> Plan:
    return Plan(servers=[*servers], load=load, prompts=["Why is the sky blue?"], requests=7, max_tokens=3)


def server_of(name: str, url: str = "http://example.test", dialect: str = "openai-chat") -> Server:
    return Server(name, url, dialect, "m", [("Authorization", KEY), ("X-Request-ID", "the user's own")], KEY)


def assert_nearly_all(counts: Mapping[str, int]) -> None:
    """Each request is compared, but for those whose connection a machine at its limit has lost at the end."""
    assert counts["requests"] > 20
    assert counts["miscounted"] == 0
    assert counts["failed"] + counts["unmatched"] <= counts["requests"] / 10


@pytest.mark.parametrize("load", [CLOSED, Arrivals("poisson", 150)])
async def test_a_calibration_compares_every_request_and_every_gap(load: Load) -> None:
    with trio.fail_after(PATIENCE_S):
        calibration = await calibrate(plan_of(server_of("direct"), load=load), SHAPE, seconds=1)
    counts, error = calibration.counts, calibration.tool_error
    assert_nearly_all(counts)  # and more than the plan's 7: how long it takes is its own business
    assert counts["gaps"] + counts["unresolved_gaps"] == counts["requests"] * (calibration.shape.tokens - 1)
    assert counts["false_zero_gaps"] == 0
    assert calibration.requests_per_s > 0
    assert error["ttft_ms"].n == counts["requests"]
    assert error["ttft_ms"].bias >= 0, "nothing comes before it was sent"
    if "event_gap_ms" in error:  # of a machine that is far too busy hardly any gap is resolved
        assert error["event_gap_ms"].n == counts["gaps"]
    assert ("ttft_from_schedule_ms" in error) is isinstance(load, Arrivals)
    # What comes in between can only make it later; which the parts say apart.
    parts = calibration.parts
    assert 0 <= parts["receiving"].p50 <= parts["receiving_read"].p50


@pytest.mark.slow
async def test_with_several_processes_and_servers_with_TLS_and_without() -> None:  # noqa: N802
    servers = [
        server_of("direct", "https://example.test", "anthropic"),
        server_of("proxy", dialect="vercel-ui"),
        server_of("other", dialect="json"),
    ]
    with trio.fail_after(PATIENCE_S):
        calibration = await calibrate(plan_of(*servers, load=Concurrency(6)), SHAPE, workers=2, seconds=2)
    counts = calibration.counts
    assert_nearly_all(counts)
    assert [note for note in calibration.notes if "json" in note] == [
        "the mock does not speak json: other is calibrated with openai-chat"
    ]


async def test_without_what_makes_certificates_it_is_done_without_TLS_and_said(  # noqa: N802
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("streamkit.bench.calibrate.find_spec", lambda _: None)
    with trio.fail_after(PATIENCE_S):
        calibration = await calibrate(plan_of(server_of("direct", "https://example.test")), SHAPE, seconds=0.3)
    assert calibration.counts["requests"] > 0
    assert "calibrated without TLS" in " ".join(calibration.notes)


async def test_a_run_without_a_model_and_with_long_prompts_is_calibrated_and_what_is_cut_is_said() -> None:
    plan = replace(plan_of(Server("direct", "http://example.test", "openai-chat")), prompts=["why " * 5000, "why"])
    with trio.fail_after(PATIENCE_S):
        calibration = await calibrate(plan, Shape(1, 0, 1), seconds=0.2)
    assert calibration.counts["requests"] > 0
    assert calibration.counts["failed"] == 0, "the mock wants a model, too"
    (note,) = [note for note in calibration.notes if "characters" in note]
    assert note.startswith("calibrated with the first 16,384 characters of prompts of up to 20,000")
    assert calibration.spread["ttft_ms"] == calibration.spread["first_tool_ms"]
    assert Distribution.from_json(calibration.spread["ttft_ms"]).n == calibration.counts["requests"]


async def test_it_can_be_stopped_and_what_there_is_counts() -> None:
    stop = Stop()
    with trio.fail_after(PATIENCE_S):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(soon, stop)
            calibration = await calibrate(plan_of(server_of("direct")), SHAPE, seconds=1000, stop=stop)
    assert calibration.counts["failed"] == 0


async def soon(stop: Stop) -> None:
    await trio.sleep(1)
    stop.soon()


async def test_nothing_of_the_users_secrets_reaches_the_mock(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Entry] = []

    def remembered(entry: Entry) -> None:
        seen.append(entry)

    monkeypatch.setattr("streamkit.bench.calibrate.truth_of", remembered)
    with trio.fail_after(PATIENCE_S), pytest.raises(ConnectError) as caught:
        await calibrate(plan_of(server_of("direct", "http://u.test/v1?key=very")), SHAPE, seconds=0.3)
    assert seen
    for entry in seen:
        assert {name.lower() for name, _ in entry.headers}.isdisjoint({"authorization", "x-api-key", "api-key"})
        assert "secret" not in f"{entry.headers} {entry.target} {bytes(entry.body)!r}"
        assert "very" not in entry.target
    # Nothing is known of any request: that is no calibration.
    assert "requests of the calibration could not be compared with the mock's journal" in str(caught.value)


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc for its children")
async def test_a_mock_that_dies_is_no_calibration() -> None:
    mocks: list[int] = []
    others = children()

    def on_progress(progress: Progress) -> None:
        if progress.done > 8 and not mocks:
            mocks.extend(pid for pid in children() if pid not in others)
            for pid in mocks:
                os.kill(pid, signal.SIGKILL)

    with trio.fail_after(PATIENCE_S), pytest.raises(ConnectError, match=r"\d+ requests of the calibration failed; "):
        await calibrate(plan_of(server_of("direct")), SHAPE, seconds=2, on_progress=on_progress)
    assert len(mocks) == 1


def children() -> list[int]:
    """The programs that we have started and that still run."""
    return [int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text("ascii").split()]


BLOCKED_S = 0.04


async def in_the_way() -> None:
    """Be a task that never lets go: what a JSON parser, or a progress bar, may be."""
    while True:
        time.sleep(BLOCKED_S)  # noqa: ASYNC251 - that is the point
        await trio.sleep(0.002)


async def test_a_slow_loop_shows_in_the_tools_error_and_not_in_the_truth() -> None:
    """Two tokens 100 ms apart: the loop stands still for 40 ms again and again, the kernel does not."""
    records: list[RequestRecord] = []
    with trio.fail_after(PATIENCE_S):
        async with open_mock_process(dialect="openai-chat", ttft_ms=60, gap_ms=100, tokens=2) as mock:
            plan = Plan(
                servers=[Server("direct", mock.url, "openai-chat", "m")],
                load=Concurrency(8),
                prompts=["Why?"],
                requests=48,
            )
            async with trio.open_nursery() as nursery:
                nursery.start_soon(in_the_way)
                await run_load(plan, records.append)
                nursery.cancel_scope.cancel()
            entries: list[Entry] = []
            while len(entries) < 48:
                await trio.sleep(0.01)
                entries += mock.entries()
    compared = compare(records, truths_of(entries))
    assert compared.counts["requests"] == 48
    read, kernel = (compared.errors[name].tool_error(1e6) for name in ("ttft_read_ms", "ttft_ms"))
    assert read is not None
    assert kernel is not None
    # A token comes at any moment of the 40 ms, and is read at their end.
    assert read.p50 > BLOCKED_S * 1000 / 8
    assert read.bias == read.p50
    # The server has no part in it: how late it wrote, by its own schedule, is far less.
    late_ms = median(write.began_ns - write.planned_ns for each in entries for write in each.writes) / 1e6
    assert late_ms < read.p50 / 2
    if sys.platform == "linux" and all(record.has_kernel for record in records):
        assert kernel.p50 < read.p50 / 2
