"""The runner before targets that are busy, go on for ever, or are gone where they should only have let go."""

from __future__ import annotations

from contextlib import suppress

import trio

from streamkit.contract.case import Case
from streamkit.contract.stand import NotForwarded, Stand
from streamkit.contract.verdicts import Finding, Verdict
from streamkit.http.exchange import Exchange
from tests.contract.targets import Target, ask_once, facing, judge_any, relay, reply, row, with_header
from tests.contract.test_runner import of, verdicts


async def test_what_waits_beside_others_is_seen_alone_before_it_has_failed() -> None:
    """The target's one worker holds the end of each answer for a while: of many at once, the last for too long."""
    worker = trio.Lock()

    async def slow(target: Target, exchange: Exchange) -> None:
        waits = "X-Slow" in exchange.request.head.decode()
        async with await trio.open_tcp_stream("127.0.0.1", target.port) as upstream:
            await upstream.send_all(exchange.request.head + await exchange.read_body())
            async for data in upstream:
                async with worker:
                    await trio.sleep(0.06 if waits else 0.0)
                await exchange.stream.send_all(data)

    cases = [row(f"slow.{number}", with_header("X-Slow")) for number in range(10)]
    async with facing(slow, limit_s=0.5) as (runner, _):
        results = await runner.run([*cases, row("hang.here", hang_up_there)])
    found = verdicts(results)
    assert found.pop("hang.here") == "FAILED"
    assert set(found.values()) == {"OK"}
    again = [each for each in results if each.facts.get("first_verdict") == "FAILED"]
    assert again
    assert "when it was run again alone; at first it was FAILED" in again[0].detail


async def hang_up_there(stand: Stand) -> None:
    """Never end the answer."""
    client, up = await stand.ask()
    await up.read_body(stand.limit_s)
    await up.respond("chunked")
    await stand.flow(client, up, stand.talk.parts(3), finish=False)


async def test_silence_of_a_target_that_is_slow_and_wrong_is_confirmed_only_so_often() -> None:
    began: list[str] = []

    async def blocked(target: Target, exchange: Exchange) -> None:
        if target.now > 1:
            await trio.sleep(0.25)
        await relay(target, exchange)

    cases = [row(f"hang.{number}", hang_up_there) for number in range(12)]
    async with facing(blocked, limit_s=0.3) as (runner, _):
        attempt = runner._try  # noqa: SLF001 - it is what takes the time

        async def counted(case: Case, *args: object, **options: object) -> object:
            began.append(case.id)
            return await attempt(case, *args, **options)  # type: ignore[arg-type]

        runner._try = counted  # type: ignore[method-assign, assignment]  # noqa: SLF001
        found = verdicts(await runner.run(cases))
    assert set(found.values()) == {"FAILED"}
    assert len([each for each in began if each.startswith("hang.")]) < 2 * len(cases)


async def test_an_answer_that_goes_on_for_ever_has_an_end_for_us() -> None:
    async def endless(target: Target, exchange: Exchange) -> None:
        if not exchange.request.get("X-Endless"):
            await relay(target, exchange)
            return
        async with await trio.open_tcp_stream("127.0.0.1", target.port) as upstream:
            await upstream.send_all(exchange.request.head + await exchange.read_body())
            while not (data := bytes(await upstream.receive_some())).endswith(b"0\r\n\r\n"):
                await exchange.stream.send_all(data)
            with trio.move_on_after(20):
                while True:
                    await exchange.stream.send_all(b"3\r\n:\n\n\r\n" * 100)

    async with facing(endless, limit_s=0.4) as (runner, _):
        began_s = trio.current_time()
        results = await runner.run([row("end.less", with_header("X-Endless"))])
        assert trio.current_time() - began_s < 10, "far less than the case's bound, and nothing that is tuned"
    found = of(results, "end.less")
    assert found.verdict is Verdict.FAILED
    assert found.trace.exchange.client_end == "hang"
    assert len(found.trace.exchange.body) < 1 << 20


async def test_a_connection_that_ended_by_a_crash_is_no_cancellation() -> None:
    async def crashes(target: Target, exchange: Exchange) -> None:
        if exchange.request.get("X-Crash"):
            async with await trio.open_tcp_stream("127.0.0.1", target.port) as upstream:
                await upstream.send_all(exchange.request.head + await exchange.read_body())
                await exchange.wait_left()
                target.doomed.cancel()
        await relay(target, exchange)

    async def cancel(stand: Stand) -> None:
        client, up = await stand.ask(stand.talk.request(headers=[("X-Crash", "yes")]))
        await up.read_body(stand.limit_s)
        client.leave()
        await client.aclose()
        assert await up.wait_left(stand.limit_s)

    async with facing(crashes, limit_s=0.5) as (runner, _):
        results = await runner.run([row("cancel.one", cancel, judge=judge_any)])
    assert of(results, "cancel.one").verdict is Verdict.HARNESS_ERROR
    assert "it takes no connections" in of(results, "cancel.one").detail


async def test_what_is_refused_twice_in_the_same_way_is_said_once() -> None:
    async def choosy(target: Target, exchange: Exchange) -> None:
        await (reply(exchange, 405) if exchange.request.get("X-Refuse") else relay(target, exchange))

    async def drive(stand: Stand) -> None:
        with suppress(NotForwarded):
            await ask_once(stand, ("X-Refuse", "yes"))

    case = row("get.here", drive, judge=lambda _: Finding(None, "it is refused", is_implemented=False))
    async with facing(choosy) as (runner, _):
        found = of(await runner.run([case]), "get.here")
    assert (found.verdict, found.detail) == (Verdict.UNIMPLEMENTED, "it is refused")
