# ruff: noqa: ARG002 - a hook is given whatever one of the relays needs
"""flush: prompt proxies pass, in bytes and in tokens; relays that hold something back fail what they hold back."""

from __future__ import annotations

from dataclasses import replace

import pytest
import trio

from streamkit.contract.cases.flush import CASES
from streamkit.contract.cases.flush_comment import judge as judge_comment
from streamkit.contract.cases.flush_concurrent import judge as judge_concurrent
from streamkit.contract.cases.flush_head import judge_head, judge_unless_refused
from streamkit.contract.setting import Setting
from streamkit.contract.trace import Exchanged, Head, Piece, Trace
from streamkit.contract.verdicts import Finding
from tests.contract.against import SETTING, found, verdicts
from tests.contract.mutants.holding import Held, HeldHead
from tests.contract.mutants.link import Body
from tests.contract.mutants.link import Head as LinkHead
from tests.contract.mutants.relay import At, Relay, Same

IDS = [
    *("flush.head", "flush.head.get", "flush.sse.chunked", "flush.sse.close", "flush.sse.cl", "flush.sse.charset"),
    *("flush.sse.crlf", "flush.sse.get", "flush.sse.post", "flush.text.chunked", "flush.text.close", "flush.text.cl"),
    *("flush.ndjson", "flush.octet", "flush.1byte", "flush.mixed.chunked", "flush.mixed.close", "flush.comment"),
    *("flush.gzip", "flush.gzip.no-transform", "flush.concurrent.8"),
]

IMPATIENT = replace(SETTING, limit_s=0.4)


PATIENT = replace(SETTING, limit_s=10.0)
"""For what is right: it is never waited for so long, unless the machine is busy with other things."""


def gateway(client: str, upstream: str) -> Setting:
    return replace(PATIENT, profile="gateway", client_dialect=client, upstream_dialect=upstream)


def test_the_cases_and_their_levels() -> None:
    assert [case.id for case in CASES] == IDS
    pipe, chat = SETTING, gateway("openai-chat", "openai-chat")
    assert {case.id for case in CASES if case.level(pipe) == "should"} == {
        "flush.head",
        "flush.head.get",
        "flush.text.cl",
    }
    assert {case.id for case in CASES if case.level(chat) is None} == {
        *("flush.text.chunked", "flush.text.close", "flush.text.cl", "flush.ndjson", "flush.octet", "flush.1byte"),
    }
    assert {case.id for case in CASES if case.level(chat) == "info"} == {"flush.head", "flush.head.get"}
    lines = {case.id for case in CASES if case.level(gateway("anthropic", "ollama-chat")) is not None}
    assert not lines & {"flush.sse.crlf", "flush.sse.charset", "flush.comment", "flush.sse.get", "flush.head.get"}


@pytest.mark.parametrize(
    "setting",
    [
        PATIENT,
        gateway("openai-chat", "openai-chat"),
        gateway("anthropic", "openai-responses"),
        gateway("gemini", "ollama-chat"),
    ],
    ids=["pipe", "one dialect", "from events to events", "from lines to events"],
)
async def test_the_gateway_is_prompt(setting: Setting) -> None:
    results = await found("flush", setting=setting)
    wanted = {case.id: case.level(setting) for case in CASES}
    assert verdicts(results) == {
        case_id: "INFORMATIONAL" if level == "info" else "OK" for case_id, level in wanted.items() if level
    }
    concurrent = results["flush.concurrent.8"]
    stalled_bytes = concurrent.facts["stalled_bytes"]
    assert isinstance(stalled_bytes, int)
    assert stalled_bytes > 0


async def test_a_head_that_waits_for_the_body() -> None:
    said = verdicts(await found("flush.head", "flush.sse.chunked", relay=HeldHead, setting=IMPATIENT))
    assert said == {"flush.head": "NON-STRICT", "flush.head.get": "NON-STRICT", "flush.sse.chunked": "OK"}


class Later(Held):
    """Lets all go at once, and after some reads whole blocks only."""

    reads = 0

    def ready(self) -> int:
        self.reads += 1
        return len(self.held) if self.reads <= 100 else len(self.held) // 4096 * 4096


class HoldsLater(Relay):
    """Streams the first hundred reads of an answer, and buffers what comes then."""

    def stage(self, at: At, response: LinkHead) -> Same:
        return Later()


class HoldsAfterPause(Relay):
    """Keeps what comes after a pause until there is more."""

    async def pump(self, at: At, body: Body, stage: Same) -> None:
        held = b""
        while not body.is_over:
            since = trio.current_time()
            data = await body.receive()
            if data and not held and trio.current_time() - since > 0.1:
                held = data
            else:
                await self.send(at, held + data)
                held = b""
        await self.end(at, body.trailers)


class Tail(Held):
    """Holds what is behind a full buffer of 32 KiB."""

    def ready(self) -> int:
        return min(len(self.held), 32 << 10)


class HoldsTail(Relay):
    """Writes through a buffer of 32 KiB, and flushes it once a read."""

    def stage(self, at: At, response: LinkHead) -> Same:
        return Tail()


@pytest.mark.parametrize(
    ("relay", "case_id", "words"),
    [
        (HoldsLater, "flush.sse.post", "piece 101 "),
        (HoldsAfterPause, "flush.sse.post", "piece 5 "),
        (HoldsTail, "flush.mixed.chunked", "(its last 4464 bytes) was buffered"),
    ],
)
async def test_what_is_held_later_on_is_found(relay: type[Relay], case_id: str, words: str) -> None:
    result = (await found(case_id, relay=relay, setting=IMPATIENT))[case_id]
    assert result.verdict == "FAILED"
    assert words in result.detail


# ----------------------------------------------------------------------------------------------------------- judges

OK = "HTTP/1.1 200 OK"


def answered(head_ns: int, *pieces: tuple[int, int], marked: bool = False, began_ns: int = 0) -> Trace:
    exchanged = Exchanged(sent_head=Head(1_000_000, OK, []), head=Head(head_ns, OK, []))
    exchanged.pieces = [Piece(0, size, begun_ns=at_ns) for size, at_ns in pieces]
    trace = Trace(exchanges=[exchanged])
    if marked:
        trace.mark(9_000_000, "late")
    if began_ns:
        trace.facts["body_began_ns"] = began_ns
    return trace


@pytest.mark.parametrize(
    ("trace", "holds", "words"),
    [
        (answered(2_000_000, (10, 3_000_000)), True, "before anything of the body"),
        (answered(12_000_000, (10, 13_000_000), marked=True), False, "by itself, but 11 ms late"),
        (answered(14_000_000, (10, 13_000_000), (5, 15_000_000), marked=True, began_ns=1), False, "until 10 bytes"),
        (answered(14_000_000, (10, 1), (5, 2), (5, 3), (1, 15_000_000), marked=True, began_ns=1), False, "3 pieces"),
        (answered(14_000_000, (10, 1), (5, 2), marked=True, began_ns=1), False, "all of it"),
        (Trace(exchanges=[Exchanged()]), False, "never came"),
    ],
)
def test_what_is_said_of_a_head(trace: Trace, holds: bool, words: str) -> None:
    finding = judge_head(trace)
    assert finding.holds is holds
    assert words in finding.detail


@pytest.mark.parametrize(("by_bytes", "is_implemented"), [(True, True), (False, False)])
def test_a_gateway_need_not_serve_get(by_bytes: bool, is_implemented: bool) -> None:
    judge = judge_unless_refused(lambda _: Finding(holds=True, detail="fine"))
    refused = judge(Trace(facts={"refused_with": 405, "by_bytes": by_bytes}))
    assert (refused.holds, refused.is_implemented) == (False, is_implemented)
    assert judge(Trace()).holds


def test_a_comment_that_is_swallowed() -> None:
    finding = judge_comment(Trace(facts={"comments": 2, "heartbeats": 1}))
    assert finding.holds is False
    assert "comment 2 of 6" in finding.detail


def test_requests_that_wait_for_a_stalled_one() -> None:
    finding = judge_concurrent(Trace(facts={"stalled_bytes": 9, "not_forwarded": 1}))
    assert finding.holds is False
    assert "request 1 of 8 never reached" in finding.detail
