"""end: what the judges say of traces, and relays that get the end wrong, each in its own way."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace

import pytest
import trio

from streamkit.contract.cases.end import CASES
from streamkit.contract.cases.end_judges import judge_abort_close, judge_clean
from streamkit.contract.results import Result, result_of
from streamkit.contract.setting import Setting
from streamkit.contract.trace import Exchanged, Head, Piece, Trace
from streamkit.contract.verdicts import Ending
from tests.contract.against import SETTING, found, verdicts
from tests.contract.mutants.ending import Appended, Hangs, Swallowed, TwoEnds
from tests.contract.mutants.link import Gone, Link
from tests.contract.mutants.link import Head as Sent
from tests.contract.mutants.relay import At, Relay
from tests.contract.splicing import Splices

BY_ID = {case.id: case for case in CASES}

MIDDLE = ("end.abort.mid", "end.abort.boundary", "end.abort.rst", "end.abort.cl")

OK = Head(1, "HTTP/1.1 200 OK", [])

BAD = Head(1, "HTTP/1.1 502 Bad Gateway", [])

CUT = Exchanged(head=OK, sent_head=OK, units=20, expected_units=30, client_end="cut", upstream_end="closed")
"""An answer that broke off, and looks like it."""

WHOLE = Exchanged(
    head=OK, pieces=[Piece(20, 20)], units=20, expected_units=20, client_end="complete", upstream_end="clean"
)

GATEWAY = replace(SETTING, profile="gateway")

CROSSED = replace(GATEWAY, client_dialect="anthropic", upstream_dialect="ollama-chat")


def judged(case_id: str, exchanged: Exchanged) -> Result:
    """Judge an exchange."""
    return result_of(BY_ID[case_id], "must", Trace(exchanges=[exchanged]), 0.0)


# ----------------------------------------------------------------------------------------------------------- judges


@pytest.mark.parametrize(
    ("exchanged", "verdict", "words"),
    [
        (CUT, "OK", "could see that the body was cut"),
        (replace(CUT, client_end="reset"), "OK", "was reset"),
        (replace(CUT, client_end="complete"), "FAILED", "as if it were whole"),
        (replace(CUT, client_end="complete", has_error_event=True), "OK", "said that it had failed"),
        (replace(CUT, client_end="hang"), "FAILED", "waits for ever"),
        (replace(CUT, problem="21 bytes came behind byte 20"), "FAILED", "not a prefix"),
        (replace(CUT, excess=b"Internal Server Error"), "FAILED", "b'Internal Server Error'"),
        (replace(CUT, has_end_event=True), "FAILED", "made up the end marker"),
        (replace(CUT, head=BAD, client_end="complete", problem="a page of its own"), "OK", "502 Bad Gateway"),
        (replace(CUT, attempts=[OK, OK]), "OK", "asked 2 times"),
    ],
)
def test_abort_is_a_prefix_and_visible(exchanged: Exchanged, verdict: str, words: str) -> None:
    result = judged("end.abort.mid", exchanged)
    assert result.verdict == verdict
    assert words in result.detail


@pytest.mark.parametrize(
    ("line", "verdict"),
    [("HTTP/1.1 502 Bad Gateway", "OK"), ("HTTP/1.1 400 Bad Request", "FAILED"), ("HTTP/1.1 200 OK", "FAILED")],
)
def test_error_status_blames_the_right_side(line: str, verdict: str) -> None:
    exchanged = Exchanged(head=Head(1, line, []), client_end="complete", upstream_end="closed")
    assert judged("end.abort.before-head", exchanged).verdict == verdict


@pytest.mark.parametrize(
    ("exchanged", "framing"),
    [
        (replace(CUT, client_end="complete"), "re-framed"),
        (replace(CUT, client_end="closed"), "kept"),
        (replace(CUT, client_end="complete", has_error_event=True), "visible"),
        (replace(CUT, client_end="hang"), "hang"),
    ],
)
def test_end_that_nobody_can_know_is_only_recorded(exchanged: Exchanged, framing: str) -> None:
    finding = judge_abort_close(Trace(exchanges=[exchanged]))
    assert (finding.holds, finding.facts["framing"]) == (None, framing)


@pytest.mark.parametrize(
    ("exchanges", "holds"),
    [
        ([WHOLE], True),
        ([WHOLE, WHOLE], True),
        ([replace(WHOLE, excess=b"0\r\n\r\n")], False),
        ([replace(WHOLE, units=19)], False),
        ([replace(WHOLE, client_end="hang")], False),
        ([WHOLE, Exchanged(client_end="cut")], False),
        ([WHOLE, replace(WHOLE, client_end="broken")], False),
    ],
    ids=["one", "two", "excess", "short", "hang", "closed, and did not say so", "second broken"],
)
def test_clean_is_whole_once_and_again(exchanges: list[Exchanged], holds: bool) -> None:
    assert judge_clean(Trace(exchanges=exchanges)).holds is holds


def test_end_marker_that_was_made_up_is_recorded() -> None:
    """LiteLLM does that behind an answer that ended with its connection."""
    finding = judge_abort_close(Trace(exchanges=[replace(CUT, client_end="complete", has_end_event=True)]))
    assert "made up the end marker" in finding.detail
    assert finding.facts["has_end_marker"] is True


# ----------------------------------------------------------------------------------------------------------- proxies


class AsksAgain(Relay):
    """Asks a second time where the upstream broke off before its answer."""

    async def break_off(self, at: At) -> None:
        link = await self.connect()
        async with link.stream:
            again = At(at.client, link, at.request, at.asked)
            await link.send(self.request_head(at).encode() + b" " * int(at.request.all("content-length")[0]))
            try:
                await self.answer(again)
            except Gone:
                await super().break_off(at)


class Heartbeats(Relay):
    """Keeps the client of a chunked answer company for ever, once the upstream has broken off."""

    async def break_off(self, at: At) -> None:
        while True:
            await self.send(at, b": still there\n\n")
            await trio.sleep(0.05)


class SaysDone(Swallowed):
    """Makes up the end of the stream where it broke off."""

    async def break_off(self, at: At) -> None:
        if at.response is not None:
            await self.send(at, b"\n\ndata: [DONE]\n\n")
        await super().break_off(at)


class SaysError(Swallowed):
    """Ends the body as if all were well, and the stream in it with an error of its dialect."""

    async def break_off(self, at: At) -> None:
        if at.response is not None:
            await self.send(at, b'\n\ndata: {"error": {"message": "upstream lost", "type": "server_error"}}\n\n')
        await super().break_off(at)


class ClosesUnasked(Relay):
    """Keeps a connection open, as far as its answers say, and closes it."""

    async def serve(self, stream: trio.SocketStream) -> None:
        await super().serve(stream)

    async def relay(self, at: At) -> None:
        await super().relay(at)
        at.is_done = False


class Refuses(Relay):
    """Says that the client is to blame."""

    async def break_off(self, at: At) -> None:
        head = Sent("HTTP/1.1 400 Bad Request", [("Content-Length", "0"), ("Connection", "close")])
        await at.client.send(head.encode())


@pytest.mark.parametrize("setting", [SETTING, GATEWAY, CROSSED], ids=["pipe", "same dialect", "crossed"])
async def test_gateway_ends_well(setting: Setting) -> None:
    results = await found("end", setting=setting)
    assert {id_: verdict for id_, verdict in verdicts(results).items() if verdict != "OK"} == {
        "end.abort.close": "INFORMATIONAL"
    }


async def test_clean_end_behind_an_abort_is_the_fault_that_nobody_sees() -> None:
    results = await found("end", relay=Swallowed)
    assert {id_ for id_, verdict in verdicts(results).items() if verdict == "FAILED"} == {
        *MIDDLE,
        "end.abort.after-head",
    } - ({"end.abort.cl"} if results["end.abort.cl"].ending is Ending.VISIBLE else set())
    assert results["end.abort.mid"].ending is Ending.INVISIBLE


async def test_what_is_put_behind_is_seen() -> None:
    results = await found("end.abort.mid", relay=Appended)
    assert "not a prefix" in results["end.abort.mid"].detail
    assert "Internal Server Error" in results["end.abort.mid"].detail


@pytest.mark.parametrize("relay", [Hangs, Heartbeats])
async def test_hang_ends_the_case_and_is_one(relay: type[Relay]) -> None:
    setting = replace(SETTING, limit_s=0.5)
    results = await found(*MIDDLE[:3], relay=relay, setting=setting)
    assert {result.ending for result in results.values()} == {Ending.HANG}
    assert set(verdicts(results).values()) == {"FAILED"}


class Launders(Relay):
    """Ends some answers as if all were well where the upstream broke off."""

    async def break_off(self, at: At) -> None:
        if at.response is None or not self.is_one(at):
            await super().break_off(at)
            return
        await self.end(at, [])
        at.framing, at.is_done = "close", True

    def is_one(self, at: At) -> bool:
        """Tell whether this is one of them."""
        raise NotImplementedError


class LaundersGzip(Launders):
    """Those to clients that take gzip."""

    def is_one(self, at: At) -> bool:
        return "gzip" in at.request.tokens("accept-encoding")


class LaundersGet(Launders):
    """Those to GET."""

    def is_one(self, at: At) -> bool:
        return at.request.method == "GET"


class LaundersPlain(Launders):
    """Those that are plain text."""

    def is_one(self, at: At) -> bool:
        return at.response is not None and at.response.all("content-type") == ["text/plain"]


class Counting(Launders):
    """A relay that knows how much of an answer, and how many answers, a client's connection had."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.sent_bytes: Counter[At] = Counter()
        self.answers: Counter[Link] = Counter()

    async def send(self, at: At, data: bytes) -> None:
        self.sent_bytes[at] += len(data)
        await super().send(at, data)

    async def send_head(self, at: At, head: Sent) -> None:
        self.answers[at.client] += 1
        await super().send_head(at, head)


class LaundersLong(Counting):
    """Long ones."""

    def is_one(self, at: At) -> bool:
        return self.sent_bytes[at] > 16 << 10


class LaundersSecond(Counting):
    """Those on a connection that had served one."""

    def is_one(self, at: At) -> bool:
        return self.answers[at.client] > 1


@pytest.mark.parametrize(
    ("relay", "case_id", "words"),
    [
        (LaundersLong, "end.abort.boundary", "behind 96 KiB: "),
        (LaundersGzip, "end.abort.boundary", "where the client takes gzip: "),
        (LaundersGet, "end.abort.boundary", "of a GET: "),
        (LaundersPlain, "end.abort.boundary", "of plain text: "),
        (LaundersSecond, "end.abort.rst", "on a connection that had served an answer: "),
    ],
)
async def test_who_makes_some_aborts_look_clean_is_found(relay: type[Relay], case_id: str, words: str) -> None:
    result = (await found(case_id, relay=relay))[case_id]
    assert (result.verdict, result.ending) == ("FAILED", Ending.INVISIBLE)
    assert words in result.detail


@pytest.mark.parametrize("case_id", MIDDLE)
async def test_answer_that_goes_on_with_another_one(case_id: str) -> None:
    result = (await found(case_id, relay=Splices))[case_id]
    assert result.verdict == "FAILED"
    assert result.facts["attempts"] == 2
    assert re.search("not a prefix of what was sent|bytes came behind the end of the body", result.detail)


async def test_proxy_that_asks_again_is_refused_again() -> None:
    result = (await found("end.abort.before-head", relay=AsksAgain))["end.abort.before-head"]
    assert result.verdict == "OK"
    assert result.facts["attempts"] == 2


@pytest.mark.parametrize(("relay", "verdict"), [(SaysDone, "FAILED"), (SaysError, "OK")])
async def test_gateway_may_say_it_in_band(relay: type[Relay], verdict: str) -> None:
    results = await found("end.abort.boundary", "end.abort.rst", relay=relay, setting=GATEWAY)
    assert set(verdicts(results).values()) == {verdict}
    assert set(verdicts(await found("end.abort.boundary", relay=relay)).values()) == {"FAILED"}


@pytest.mark.parametrize(
    ("relay", "case_id", "words"),
    [
        (TwoEnds, "end.clean.chunked", "after the first answer: broken|behind the end of the answer came 5 more bytes"),
        (ClosesUnasked, "end.clean.cl", "was closed or broken after the first answer"),
        (Refuses, "end.abort.before-head", "blames the client"),
    ],
)
async def test_wrong_relay_is_told_what_is_wrong(relay: type[Relay], case_id: str, words: str) -> None:
    result = (await found(case_id, relay=relay))[case_id]
    assert result.verdict == "FAILED"
    assert re.search(words, result.detail)


async def test_right_relay_ends_well() -> None:
    assert set(verdicts(await found("end.abort.", "end.clean.", relay=Relay)).values()) == {"OK", "INFORMATIONAL"}
