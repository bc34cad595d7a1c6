"""The fuzz finds what relays break, makes it small, and what it prints repeats it; right relays break nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
import trio

from mockserver.script import Close, Gate, Reset, Script, Stall, Until, Write
from mockserver.scripted import read_script, written_script
from streamkit.contract.fuzz import Search, fuzz
from streamkit.contract.open import open_runner, open_upstream
from streamkit.contract.playing import script_case
from streamkit.contract.results import Result
from streamkit.contract.runner import Runner
from streamkit.contract.setting import Setting
from streamkit.contract.verdicts import Verdict
from streamkit.http.origin import parse_origin
from tests.contract.against import listening
from tests.contract.mutants.all import MUTANTS
from tests.contract.mutants.link import Body, Gone
from tests.contract.mutants.relay import At, Relay, Same

SETTING = Setting(parse_origin("http://127.0.0.1:1"), limit_s=0.4, seed=3)

QUICK = replace(SETTING, limit_s=0.12)
"""Where what is waited for never comes."""

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
EVENT = b"9\r\ndata: 1\n\n\r\n"
LAST = b"0\r\n\r\n"


@asynccontextmanager
async def before(relay: type[Relay], setting: Setting = SETTING) -> AsyncIterator[Runner]:
    async with open_upstream() as (hub, upstream), listening(relay(upstream.port).serve) as url:
        aimed = replace(setting, target=parse_origin(url))
        async with open_runner(aimed, hub=hub, upstream=upstream) as runner:
            yield runner


async def played(relay: type[Relay], *actions: object) -> Result:
    script = Script(actions)  # type: ignore[arg-type]
    async with before(relay) as runner:
        return await runner.attempt(script_case(script, runner.setting), "must")


async def refuse(relay: Relay, at: At) -> None:
    """Take the answer's head, and give a 502."""
    await relay.response(at)
    raise Gone(at.upstream)


async def test_a_right_relay_breaks_nothing() -> None:
    async with before(Relay) as runner:
        found = await fuzz(runner, 40)
    assert (found.tried, found.script, found.result) == (40, None, None)


@pytest.mark.parametrize("dialects", [("openai-chat", "openai-chat"), ("anthropic", "ollama-chat")])
async def test_our_gateways_break_nothing(dialects: tuple[str, str]) -> None:
    client, upstream = dialects
    setting = replace(SETTING, profile="gateway", client_dialect=client, upstream_dialect=upstream)
    async with open_runner(setting) as runner:
        found = await fuzz(runner, 25)
    assert (found.tried, found.result) == (25, None)


@pytest.mark.parametrize(
    ("name", "bytes_at_most"),
    [("FixedReads", 130), ("OnlyChunked", 110), ("TextPieces", 130)],
)
async def test_what_a_relay_breaks_is_found_and_made_small(name: str, bytes_at_most: int) -> None:
    relay = MUTANTS[name].relay
    async with before(relay, SETTING if name == "TextPieces" else QUICK) as runner:  # which holds nothing back
        found = await fuzz(runner, 300)
        assert found.script is not None
        assert found.result is not None
        assert found.result.verdict is Verdict.FAILED
        assert sum(len(each.data) for each in found.script.actions if isinstance(each, Write)) <= bytes_at_most
        again = read_script(written_script(found.script).encode())
        repeated = await runner.attempt(script_case(again, runner.setting), "must")
        assert repeated.verdict is Verdict.FAILED
    async with before(Relay) as runner:
        assert (await runner.attempt(script_case(again, runner.setting), "must")).verdict is Verdict.OK


async def test_the_same_seed_draws_the_same_and_ends_at_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first one that breaks is the same, and so is the smallest."""
    played: list[list[Script]] = []
    play = Search.play

    async def watched(self: Search, script: Script, limit_s: float) -> Result:
        played[-1].append(script)
        return await play(self, script, limit_s)

    monkeypatch.setattr(Search, "play", watched)
    found = []
    for _ in range(2):
        played.append([])
        async with before(MUTANTS["WholeBody"].relay, QUICK) as runner:
            found.append(await fuzz(runner, 20))
    assert played[0][: found[0].tried] == played[1][: found[1].tried]
    assert found[0].script is not None
    assert found[0].script == found[1].script
    assert found[0].how == "it breaks every time; nothing of it can be left out"


async def test_what_breaks_by_chance_is_told_as_that() -> None:
    class Once(Relay):
        answers = 0

        async def answer(self, at: At) -> None:
            Once.answers += 1
            if Once.answers == 4:
                await refuse(self, at)
            await super().answer(at)

    async with before(Once) as runner:
        found = await fuzz(runner, 8)
    assert found.tried == 8, "it went on"
    assert "it broke once" in found.how


async def test_a_target_that_goes_away_stops_the_search() -> None:
    class Gone(Relay):
        async def relay(self, at: object) -> None:  # noqa: ARG002
            raise ConnectionError

    async with open_upstream() as (hub, upstream), open_runner(SETTING, hub=hub, upstream=upstream) as runner:
        found = await fuzz(runner, 20)
    assert found.script is None
    assert found.result is not None
    assert found.result.verdict is Verdict.HARNESS_ERROR


# -------------------------------------------------------------------------------------------------- what is said of one


@pytest.mark.parametrize(
    ("relay", "actions", "detail"),
    [
        ("WholeBody", [Write(HEAD), Write(EVENT), Gate("a"), Write(LAST)], "action 3, a gate: 9 of 9 units were held"),
        (
            "Swallowed",
            [Write(HEAD), Write(EVENT), Gate("a"), Reset()],
            "the answer breaks off (reset), and looks whole",
        ),
        ("Swallowed", [Write(HEAD + EVENT), Close()], "the answer breaks off (broken), and looks whole"),
        ("Hangs", [Write(HEAD), Write(EVENT), Gate("a"), Close()], "the answer never ends"),
        ("PlainType", [Write(HEAD + EVENT + LAST)], "the header Content-Type is ['text/plain']"),
        ("Appended", [Write(HEAD + EVENT), Gate("a"), Reset()], "21 bytes came behind byte 9, all that was sent"),
    ],
)
async def test_what_is_wrong_is_said(relay: str, actions: list[object], detail: str) -> None:
    result = await played(MUTANTS[relay].relay, *actions)
    assert result.verdict is Verdict.FAILED
    assert detail in result.detail


async def test_what_comes_late_by_itself_is_no_failure() -> None:
    class Late(Relay):
        async def pump(self, at: At, body: Body, stage: Same) -> None:
            await trio.sleep(0.45)
            await super().pump(at, body, stage)

    result = await played(Late, Write(HEAD), Write(EVENT), Gate("a"), Write(EVENT), Gate("a"), Write(LAST))
    assert result.verdict is Verdict.NON_STRICT
    assert "action 3, a gate: 9 of 9 units were held back; they came" in result.detail


@pytest.mark.parametrize(
    ("script", "verdict", "detail"),
    [
        ([Write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")], Verdict.FAILED, "refused with 502, and what the up"),
        ([Write(HEAD), Reset()], Verdict.OK, "the client was refused with 502, as the script breaks off"),
    ],
)
async def test_a_refusal_is_never_what_was_written(script: list[object], verdict: Verdict, detail: str) -> None:
    class Refuses(Relay):
        async def answer(self, at: At) -> None:
            await refuse(self, at)

    result = await played(Refuses, *script)
    assert result.verdict is verdict
    assert detail in result.detail


async def test_all_actions_are_played() -> None:
    actions = [Write(HEAD), Stall(1_000_000), Until(2_000_000), Write(EVENT), Gate("x"), Write(EVENT + LAST)]
    result = await played(Relay, *actions)
    assert (result.verdict, result.detail) == (Verdict.OK, "all 18 units came as they were written")


async def test_a_status_that_changes_is_said() -> None:
    class NotFound(Relay):
        def response_head(self, at, response):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
            head = super().response_head(at, response)
            return type(head)("HTTP/1.1 206 Partial Content", head.headers)

    result = await played(NotFound, Write(HEAD + EVENT + LAST))
    assert result.detail == "the status is 206, and 200 was sent"
