"""A load as a whole: how many requests, when they begin, when it ends, and that a server that freezes is not hidden."""

from __future__ import annotations

import socket
import time
from collections.abc import Awaitable, Callable

import pytest
import trio

from mockserver.app import MockServer
from mockserver.open import open_mockserver
from streamkit.bench.engine import Stop, run_load
from streamkit.bench.metrics import BY_NAME
from streamkit.bench.plan import Arrivals, Concurrency, Limits, Load, Plan, Replay, Server
from streamkit.bench.record import RequestRecord
from streamkit.errors import ConfigError
from tests.bench.handmade import HEL, HELLO, SSE, Wire, answering, chunk, load_on, saying, serving, unaccepted

MS = 1_000_000


def constant(per_s: float) -> Arrivals:
    return Arrivals("constant", per_s)


# --------------------------------------------------------------------------------------------------- how many, and when


@pytest.mark.parametrize(("concurrency", "requests"), [(1, 1), (1, 5), (4, 10), (8, 3)])
async def test_a_closed_loop_does_as_many_as_asked_and_as_many_at_once(concurrency: int, requests: int) -> None:
    running, most = 0, 0

    async def serve(wire: Wire) -> None:
        nonlocal running, most
        while True:
            await wire.request()
            running += 1
            most = max(most, running)
            await trio.sleep(0.01)
            running -= 1
            await wire.send(HELLO)

    async with serving(serve) as served:
        loaded = await load_on(served.url, requests=requests, load=Concurrency(concurrency))
    assert loaded.outcomes == ["ok"] * requests
    assert sorted(record.number for record in loaded.records) == [*range(requests)]
    assert all(record.scheduled_ns is None for record in loaded.records)
    assert most == loaded.ran.peak == min(concurrency, requests)
    assert served.connections == loaded.ran.connections == min(concurrency, requests)
    assert loaded.ran.began_ns <= loaded.ran.last_begin_ns <= loaded.ran.ended_ns


async def test_an_open_loop_begins_each_when_it_is_due_whatever_becomes_of_the_others() -> None:
    """None is answered before the last one was asked."""
    asked = trio.Event()
    questions = 0

    async def serve(wire: Wire) -> None:
        nonlocal questions
        await wire.request()
        questions += 1
        if questions == 10:
            asked.set()
        await asked.wait()
        await wire.send(HELLO)
        await wire.left()

    began: list[int] = []
    async with serving(serve) as served:
        loaded = await load_on(served.url, requests=10, load=constant(200), on_begin=began.append)
    assert loaded.outcomes == ["ok"] * 10
    assert loaded.ran.peak == 10
    for record in loaded.records:
        assert record.scheduled_ns == began[0] + record.number * 5 * MS
        assert record.began_ns >= record.scheduled_ns
        (waited_ns,) = BY_NAME["ttft_from_schedule_ms"].values(record)
        (ttft_ns,) = BY_NAME["ttft_ms"].values(record)
        (late_ns,) = BY_NAME["dispatch_delay_ms"].values(record)
        assert waited_ns >= ttft_ns + late_ns


async def test_a_late_request_moves_none_behind_it() -> None:
    async with serving(answering(HELLO)) as served:
        began: list[int] = []

        def stall(record: RequestRecord) -> None:
            if record.number == 0:
                time.sleep(0.05)  # the loop stands still, and some are late by it

        loaded = await load_on(served.url, requests=12, load=constant(100), on_begin=began.append, on_record=stall)
    scheduled = sorted(record.scheduled_ns or 0 for record in loaded.records)
    assert scheduled == [began[0] + number * 10 * MS for number in range(12)]


async def test_a_trace_is_replayed_at_its_times() -> None:
    load = Replay(at_ns=[0, 20 * MS, 20 * MS, 60 * MS], prompts=[0, 1, 0, 1], max_tokens=[0, 5, 0, 0])
    seen: list[bytes] = []

    async def serve(wire: Wire) -> None:
        while True:
            seen.append(await wire.request())
            await wire.send(HELLO)

    began: list[int] = []
    async with serving(serve) as served:
        loaded = await load_on(
            served.url, requests=None, load=load, prompts=["first", "second"], max_tokens=None, on_begin=began.append
        )
    assert loaded.outcomes == ["ok"] * 4
    assert sorted((each.scheduled_ns or 0) - began[0] for each in loaded.records) == load.at_ns
    assert sorted(b"second" in each for each in seen) == [False, False, True, True]
    assert [b'"max_completion_tokens":5' in each or b'"max_tokens":5' in each for each in seen].count(True) == 1


async def test_no_more_than_may_run_at_once() -> None:
    async with open_mockserver(ttft="20ms", tokens=1) as mock:
        limits = Limits(max_in_flight=2)
        loaded = await load_on(mock.url, requests=6, load=constant(1000), limits=limits)
    assert loaded.outcomes == ["ok"] * 6
    assert loaded.ran.peak == 2
    waits = [BY_NAME["dispatch_delay_ms"].values(record)[0] for record in loaded.records]
    assert max(waits) > 20 * MS  # and nobody hides it


# --------------------------------------------------------------------------------------------------------- when it ends


@pytest.mark.parametrize("load", [Concurrency(2), constant(500)])
async def test_nothing_begins_after_its_time(load: Load) -> None:
    async with serving(answering(HELLO)) as served:
        loaded = await load_on(served.url, requests=None, duration_s=0.2, load=load)
    until_ns = loaded.ran.began_ns + 200 * MS
    assert len(loaded.records) > 1
    assert set(loaded.outcomes) == {"ok"}
    assert loaded.ran.last_begin_ns < until_ns + loaded.ran.lag_max_ns + 50 * MS
    assert all((record.scheduled_ns or 0) < until_ns for record in loaded.records)


async def stopped(how: Callable[[Stop], None], drain_s: float | None = None) -> tuple[list[RequestRecord], MockServer]:
    """Stop a load of three whose answers are held by a gate behind their second token."""
    stop = Stop()
    async with open_mockserver(tokens=5, gate="hold@token:2") as mock, trio.open_nursery() as nursery:

        async def stop_it() -> None:
            await mock.gates.wait_for("hold", 3)
            how(stop)
            if drain_s is None:
                mock.gates.open("hold")

        nursery.start_soon(stop_it)
        loaded = await load_on(
            mock.url,
            requests=None,
            load=Concurrency(3),
            stop=stop,
            limits=Limits() if drain_s is None else Limits(drain_s=drain_s),
        )
    return loaded.records, mock


async def test_stopping_soon_lets_what_runs_come_to_its_end() -> None:
    records, _ = await stopped(Stop.soon)
    assert [record.outcome for record in records] == ["ok"] * 3


async def test_what_has_had_its_time_behind_the_end_is_too_late() -> None:
    """It would have been slow: to leave it out would make the server fast."""
    records, _ = await stopped(Stop.soon, drain_s=0.1)
    assert [record.outcome for record in records] == ["timeout"] * 3
    assert [record.visible_tokens for record in records] == [2] * 3
    assert "not whole when the run ended, 0." in records[0].detail


async def test_whose_first_token_does_not_come_is_an_error_of_an_open_loop() -> None:
    every_second = 0

    async def serve(wire: Wire) -> None:
        nonlocal every_second
        while True:
            await wire.request()
            every_second += 1
            if every_second % 2:
                await wire.left()
            await wire.send(HELLO)

    async with serving(serve) as served:
        limits = Limits(drain_s=0.1)
        loaded = await load_on(served.url, requests=None, duration_s=0.2, load=constant(100), limits=limits)
    assert loaded.outcomes.count("no-first-token") == loaded.tally.errors > 5
    assert set(loaded.outcomes) == {"ok", "no-first-token"}
    assert {"no token had come" in each.detail for each in loaded.records if not each.is_ok} == {True}


async def test_what_is_waited_for_in_vain_makes_no_rate_smaller() -> None:
    first = True

    async def serve(wire: Wire) -> None:
        nonlocal first
        is_first, first = first, False
        while True:
            await wire.request()
            if is_first:
                await wire.left()
            await wire.send(HELLO)

    async with serving(serve) as served:
        limits = Limits(drain_s=1)
        loaded = await load_on(served.url, requests=None, duration_s=0.2, load=constant(50), limits=limits)
    assert loaded.tally.outcomes["no-first-token"] == 1
    last_ns = max(record.end_ns or 0 for record in loaded.records)
    assert loaded.ran.ended_ns >= last_ns
    assert loaded.ran.ended_ns - max(last_ns, loaded.ran.began_ns + 200 * MS) < 900 * MS


async def test_without_a_time_to_drain_what_runs_is_unfinished() -> None:
    records, _ = await stopped(Stop.soon, drain_s=0)
    assert [record.outcome for record in records] == ["unfinished"] * 3


async def test_who_is_still_connecting_behind_the_end_is_too_late() -> None:
    async with unaccepted() as url:
        limits = Limits(connect_s=600, drain_s=0.1)
        loaded = await load_on(url, requests=None, duration_s=0.1, limits=limits)
    assert loaded.outcomes == ["connect-timeout"]
    assert loaded.records[0].detail == "no connection had come about when the run ended"


async def test_a_closed_loop_does_not_spin_where_nobody_is() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    loaded = await load_on(f"http://127.0.0.1:{port}", requests=None, duration_s=0.5, load=Concurrency(2))
    assert set(loaded.outcomes) == {"no-connection"}
    assert 2 <= len(loaded.records) <= 12  # one each 0.1 s in each of both lanes


async def test_stopping_now_waits_for_nobody() -> None:
    began = time.monotonic()
    records, _ = await stopped(Stop.now, drain_s=60)
    assert [record.outcome for record in records] == ["unfinished"] * 3
    assert {record.detail for record in records} == {"the run ended before the answer"}
    assert time.monotonic() - began < 50


async def test_unfinished_requests_are_no_errors_and_no_latencies() -> None:
    stop = Stop()
    async with open_mockserver(tokens=5, gate="hold@token:2") as mock, trio.open_nursery() as nursery:

        async def stop_it() -> None:
            await mock.gates.wait_for("hold", 1)
            stop.now()

        nursery.start_soon(stop_it)
        tally = (await load_on(mock.url, requests=None, stop=stop)).tally
    assert tally.outcomes == {"unfinished": 1}
    assert tally.errors == 0
    assert not tally.distribution("ttft_ms").n


async def test_who_is_still_connecting_is_not_waited_for() -> None:
    stop = Stop()
    async with unaccepted() as url, trio.open_nursery() as nursery:

        async def stop_it() -> None:
            await trio.sleep(0.1)
            stop.now()

        nursery.start_soon(stop_it)
        loaded = await load_on(url, stop=stop, limits=Limits(connect_s=600))
    assert loaded.outcomes == ["unfinished"]
    assert loaded.records[0].sent_ns is None


async def test_an_open_loop_that_is_stopped_begins_no_more() -> None:
    stop = Stop()

    def enough(record: RequestRecord) -> None:
        if record.number == 5:
            stop.soon()

    async with serving(answering(HELLO)) as served:
        loaded = await load_on(served.url, requests=100_000, load=constant(200), stop=stop, on_record=enough)
    assert 6 <= len(loaded.records) < 1000
    assert set(loaded.outcomes) == {"ok"}


async def test_one_that_is_stopped_before_it_began_does_nothing() -> None:
    stop = Stop()
    stop.now()
    async with serving(answering(HELLO)) as served:
        loaded = await load_on(served.url, requests=None, load=constant(1), stop=stop)
    assert len(loaded.records) <= 1


async def test_a_load_that_is_cancelled_leaves_nothing_behind() -> None:
    async with open_mockserver(tokens=5, gate="hold@token:2") as mock:
        with trio.move_on_after(60) as scope:
            async with trio.open_nursery() as nursery:

                async def cancel() -> None:
                    await mock.gates.wait_for("hold", 2)
                    scope.cancel()

                nursery.start_soon(cancel)
                await load_on(mock.url, requests=None, load=Concurrency(2))
        assert scope.cancelled_caught
        with trio.fail_after(10):
            while [entry.outcome for entry in mock.journal] != ["client-left"] * 2:  # noqa: ASYNC110
                await trio.sleep(0.01)


def never(record: RequestRecord) -> None:
    pytest.fail(f"nothing was to be asked: {record}")


@pytest.mark.parametrize(
    ("url", "dialect"), [("ftp://127.0.0.1", "openai-chat"), ("http://127.0.0.1", "no-such"), ("127.0.0.1", "text")]
)
async def test_a_plan_that_makes_no_sense_is_refused_before_anything(url: str, dialect: str) -> None:
    plan = Plan(servers=[Server("direct", url, dialect)], load=Concurrency(1), prompts=["Why?"], requests=1)
    with pytest.raises(ConfigError):
        await run_load(plan, never)


async def test_an_authority_that_is_none_is_refused(tmp_path: object) -> None:
    server = Server("direct", "https://127.0.0.1", "openai-chat", authorities=f"{tmp_path}/none.pem")
    with pytest.raises(ConfigError):
        await run_load(Plan(servers=[server], load=Concurrency(1), prompts=["Why?"], requests=1), never)


# ------------------------------------------------------------------------------------------------ two servers, in pairs


async def test_each_pair_asks_both_servers_the_same() -> None:
    seen: dict[str, list[bytes]] = {"direct": [], "proxy": []}

    def keeping(name: str) -> Callable[[Wire], Awaitable[None]]:
        async def serve(wire: Wire) -> None:
            while True:
                seen[name].append(await wire.request())
                await wire.send(HELLO)

        return serve

    async with serving(keeping("direct")) as direct, serving(keeping("proxy")) as proxy:
        servers = [Server("direct", direct.url, "openai-chat"), Server("proxy", proxy.url, "openai-chat")]
        plan = Plan(servers=servers, load=Concurrency(2), prompts=["first", "second"], requests=20)
        records: list[RequestRecord] = []
        with trio.fail_after(60):
            await run_load(plan, records.append)
    assert [len(each) for each in seen.values()] == [10, 10]
    pairs: dict[int, list[str]] = {}
    for record in sorted(records, key=lambda each: each.number):
        pairs.setdefault(record.pair, []).append(record.target)
    assert all(sorted(each) == ["direct", "proxy"] for each in pairs.values())
    assert len({tuple(each) for each in pairs.values()}) == 2  # in either order


# ------------------------------------------------------------------------------------------------- coordinated omission


async def frozen(load: Load, limits: Limits, requests: int) -> tuple[list[RequestRecord], int, int]:
    """Ask a server that stands still for 0.3 s; return what came of it, and the span of that."""
    span: list[int] = []
    thaw = trio.Event()
    answered = 0

    async def serve(wire: Wire) -> None:
        nonlocal answered
        while True:
            await wire.request()
            answered += 1
            if answered == 5:
                span.append(time.monotonic_ns())
                await trio.sleep(0.3)
                span.append(time.monotonic_ns())
                thaw.set()
            elif span:
                await thaw.wait()
            await wire.send(SSE, chunk(HEL) + HELLO.partition(b"\r\n\r\n")[2])

    async with serving(serve) as served:
        loaded = await load_on(served.url, requests=requests, load=load, limits=limits)
    assert loaded.outcomes == ["ok"] * requests
    return loaded.records, span[0], span[1]


def seen_by(records: list[RequestRecord], ended_ns: int) -> list[RequestRecord]:
    """Those sent before the server went on, and answered then: their `ttft_ms` has some of the freeze in it."""
    return [each for each in records if (each.sent_ns or 0) < ended_ns < (each.first_token_ns or 0)]


async def test_a_closed_loop_hides_a_server_that_freezes() -> None:
    """However long it stands still: one request of each lane sees it."""
    records, began_ns, ended_ns = await frozen(Concurrency(1), Limits(), 40)
    (slow,) = seen_by(records, ended_ns)
    assert BY_NAME["ttft_ms"].values(slow)[0] > ended_ns - began_ns
    assert not any(BY_NAME["ttft_from_schedule_ms"].values(record) for record in records)


async def test_an_open_loop_does_not_hide_it_where_users_have_to_wait() -> None:
    """With room for one: `ttft_ms` sees the freeze once, and whoever was due meanwhile has waited for its end."""
    records, began_ns, ended_ns = await frozen(constant(100), Limits(max_in_flight=1), 60)
    (slow,) = seen_by(records, ended_ns)
    due = [record for record in records if began_ns < (record.scheduled_ns or 0) < ended_ns]
    assert len(due) >= 10
    assert slow not in due
    for record in due:
        left_ns = ended_ns - (record.scheduled_ns or 0)
        assert BY_NAME["ttft_from_schedule_ms"].values(record)[0] > left_ns
        assert BY_NAME["dispatch_delay_ms"].values(record)[0] > left_ns
        assert record not in seen_by(records, ended_ns)


async def test_an_open_loop_with_room_sees_it_either_way() -> None:
    records, began_ns, ended_ns = await frozen(constant(100), Limits(), 40)
    due = [record for record in records if began_ns < (record.sent_ns or 0) < ended_ns]
    assert len(due) >= 5
    for record in due:
        assert BY_NAME["ttft_ms"].values(record)[0] > ended_ns - (record.sent_ns or 0)
        assert BY_NAME["ttft_from_schedule_ms"].values(record)[0] > ended_ns - (record.scheduled_ns or 0)


# -------------------------------------------------------------------------------------------------- against the journal


async def test_figures_agree_with_what_the_mock_has_written_down() -> None:
    """The same loop serves and asks, so that reads come late; the kernel's stamps do not mind."""
    async with open_mockserver(tokens=10, rate=100, ttft="30ms") as mock:
        loaded = await load_on(mock.url, requests=12, load=Concurrency(4))
        entries = {dict(entry.headers)["X-Request-ID"]: entry for entry in mock.journal}
    errors: list[int] = []
    gap_errors: list[int] = []
    for record in loaded.records:
        assert record.has_kernel
        writes = [write for write in entries[record.request_id].writes if write.tokens]
        began = {write.tokens: write.began_ns for write in reversed(writes)}
        assert record.first_token_ns is not None
        error_ns = record.first_token_ns - began[record.first_tokens]
        assert error_ns > 0
        errors.append(error_ns)
        place = 0
        before = None
        for each in record.token_reads:
            place += each.tokens
            if before is not None and before[1].is_resolved and each.is_resolved:
                truth_ns = began[place] - began[before[0]]
                gap_errors.append(abs(each.at_ns - before[1].at_ns - truth_ns))
            before = place, each
    assert sorted(errors)[len(errors) // 2] < 2 * MS
    assert len(gap_errors) > 50
    assert sorted(gap_errors)[len(gap_errors) // 2] < MS


async def test_the_first_answer_has_stamps_of_the_kernel() -> None:
    """Though it does not stamp at once where nobody else on the machine wants it."""
    async with serving(answering(HELLO)) as served:
        loaded = await load_on(served.url)
    assert loaded.records[0].has_kernel
    assert loaded.tally.counts["read_stamped"] == 0


async def test_failures_do_not_stop_a_load_and_are_no_faster() -> None:
    serves = [saying(SSE, chunk(HEL)), saying(), answering(HELLO)]
    async with serving(*serves) as served:
        loaded = await load_on(served.url, requests=10, load=constant(300))
    tally = loaded.tally
    assert tally.counts["requests"] == 10
    assert tally.outcomes == {"ok": 8, "truncated": 1, "disconnected": 1}
    assert tally.distribution("ttft_ms").n == 8
