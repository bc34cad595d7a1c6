"""req: what is said of requests that are held, refused or cut, and relays that do so."""

from __future__ import annotations

from dataclasses import replace

import pytest

from streamkit.contract.cases.req import (
    HEAD_LENGTH_BYTES,
    LARGE_FIELDS,
    PADDINGS,
    cut_up,
    judge_duplex,
    judge_expect,
    judge_head,
    judge_large_head,
    judge_stream,
    mark_of,
)
from streamkit.contract.cases.req_body import differs
from streamkit.contract.trace import Exchanged, Head, Trace
from tests.contract.against import SETTING, found, verdicts
from tests.contract.mutants.heads import BodyFirst, HeadWaits, NoContinue, SmallHeads
from tests.contract.mutants.link import Body, framed
from tests.contract.mutants.link import Head as LinkHead
from tests.contract.mutants.relay import At, Relay, Same

QUICK = replace(SETTING, limit_s=0.3)

JUDGED = {
    "req.stream": "OK",
    "req.duplex": "INFORMATIONAL",
    "req.body": "OK",
    "req.expect": "OK",
    "req.large-head": "OK",
}

PIPED = JUDGED | {"req.head": "OK"}


# -------------------------------------------------------------------------------------------------------------- judges


def test_a_body_is_cut_behind_each_mark() -> None:
    marks = [mark_of(number).encode() for number in range(1, len(PADDINGS) + 1)]
    body = b'{"a": "' + b" x ".join(marks) + b'"}'
    pieces = cut_up(body)
    assert b"".join(pieces) == body
    assert [piece[-len(mark) :] for piece, mark in zip(pieces, marks, strict=False)] == marks
    assert pieces[-1] == b'"}'


def test_each_framing_is_judged_and_what_was_held_is_told() -> None:
    assert judge_stream(Trace(facts={"cl_problem": "", "chunked_problem": ""})).holds
    finding = judge_stream(
        Trace(
            facts={"cl_held_piece": 1, "cl_behind_bytes": None, "chunked_held_piece": 3, "chunked_behind_bytes": 5072}
        )
    )
    assert finding.holds is False
    assert "with Content-Length, piece 1 of 6 was held until the request was whole" in finding.detail
    assert "chunked, piece 3 of 6 was held until about 5072 more bytes had been sent" in finding.detail
    refused = judge_stream(Trace(facts={"cl_problem": "", "chunked_problem": "it was refused: 411"}))
    assert refused.holds is False
    assert "chunked: it was refused: 411" in refused.detail


def test_it_is_told_where_bodies_differ() -> None:
    assert differs(b"abc", b"abc") == ""
    assert differs(b"abc", b"ab") == "2 of 3 bytes of the body came"
    assert differs(b"abcd", b"aXcd") == "byte 1 of the body came as b'Xcd' instead of b'bcd'"


def test_duplex_is_only_recorded() -> None:
    for facts, words in (
        ({"is_streamed": False}, "collected before"),
        ({"is_streamed": True, "is_duplex": True}, "passes while"),
        ({"is_streamed": True, "is_duplex": False}, "is held"),
    ):
        finding = judge_duplex(Trace(facts=dict(facts)))
        assert finding.holds is None
        assert words in finding.detail


def answered(length: int | None, *, excess: bytes = b"") -> Exchanged:
    """An answer to HEAD."""
    fields = [] if length is None else [("Content-Length", str(length))]
    return Exchanged(head=Head(1, "HTTP/1.1 200 OK", fields), excess=excess)


@pytest.mark.parametrize(
    ("exchanged", "facts", "words"),
    [
        (answered(None), {}, f"{HEAD_LENGTH_BYTES} came as None"),
        (answered(0), {}, f"{HEAD_LENGTH_BYTES} came as 0"),
        (answered(HEAD_LENGTH_BYTES, excess=b"{}"), {}, "2 bytes of a body came"),
        (answered(HEAD_LENGTH_BYTES), {"is_held": True}, "held as if a body had to come"),
        (answered(HEAD_LENGTH_BYTES), {"is_next_answered": False}, "the next request"),
        (Exchanged(), {"is_held": True}, "no head came"),
    ],
)
def test_head_comes_whole_at_once_and_alone(exchanged: Exchanged, facts: dict[str, object], words: str) -> None:
    finding = judge_head(Trace([exchanged], facts=facts))
    assert finding.holds is False
    assert words in finding.detail


def test_head_that_is_right() -> None:
    assert judge_head(Trace([answered(HEAD_LENGTH_BYTES)], facts={"is_held": False, "is_next_answered": True})).holds


def test_an_expectation_is_met_or_declined_in_the_standards_words() -> None:
    assert judge_expect(Trace(facts={"is_continued": True, "problem": ""})).holds
    assert judge_expect(Trace(facts={"is_continued": False, "problem": ""})).holds is False
    assert judge_expect(Trace(facts={"is_continued": True, "problem": "0 bytes came"})).holds is False
    assert not judge_expect(Trace(facts={"is_continued": True, "refused": 417})).is_implemented
    assert judge_expect(Trace(facts={"is_continued": True, "refused": 400})).holds is False


def test_a_gateway_may_leave_fields_out_that_it_does_not_know() -> None:
    without = Trace([Exchanged(attempts=[Head(1, "POST / HTTP/1.1", LARGE_FIELDS[1:])])], facts={"by_bytes": True})
    assert judge_large_head(without).holds is False
    without.facts["by_bytes"] = False
    assert judge_large_head(without).holds
    assert judge_large_head(Trace(facts={"problem": "it was refused: 431"})).holds is False


# -------------------------------------------------------------------------------------------------------------- relays


class Blocks(Relay):
    """Passes a request on in blocks of 4 KiB."""

    async def ask(self, at: At) -> None:
        await at.upstream.send(self.request_head(at).encode())
        held = b""
        while data := await at.asked.receive():
            held += data
            if len(held) >= 4096:
                await at.upstream.send(framed(at.asked.framing, held))
                held = b""
        await at.upstream.send(
            framed(at.asked.framing, held) + (b"0\r\n\r\n" if at.asked.framing == "chunked" else b"")
        )


class HeadWithBody(Relay):
    """Sends a body with an answer to HEAD."""

    async def pump(self, at: At, body: Body, stage: Same) -> None:
        if at.request.method == "HEAD":
            await at.client.send(b" " * HEAD_LENGTH_BYTES)
        await super().pump(at, body, stage)


class LosesFirst(Relay):
    """Loses the first piece of a body that it has asked for with a 100 of its own."""

    async def ask(self, at: At) -> None:
        if "100-continue" in at.request.tokens("expect"):
            await at.client.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            at.request.headers = [each for each in at.request.headers if each[0].lower() != "expect"]
            await at.asked.receive()
        await super().ask(at)


@pytest.mark.parametrize(
    ("relay", "wrong"),
    [
        (Relay, {}),
        (Blocks, {"req.stream": "NON-STRICT"}),
        (BodyFirst, {"req.stream": "NON-STRICT"}),
        (HeadWaits, {"req.head": "FAILED"}),
        (HeadWithBody, {"req.head": "FAILED"}),
        (NoContinue, {"req.expect": "FAILED"}),
        (LosesFirst, {"req.expect": "FAILED"}),
        (SmallHeads, {"req.large-head": "NON-STRICT"}),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
async def test_relay_that_is_wrong_about_requests_fails_the_case_of_that(
    relay: type[Relay], wrong: dict[str, str]
) -> None:
    assert verdicts(await found("req.", relay=relay, setting=QUICK)) == PIPED | wrong


async def test_how_much_a_relay_holds_is_told() -> None:
    results = await found("req.stream", relay=Blocks, setting=QUICK)
    assert "piece 1 of 6 was held until about" in results["req.stream"].detail


async def test_embedded_gateway_passes_requests_on_as_they_come() -> None:
    results = await found("req.")
    assert verdicts(results) == PIPED
    assert results["req.duplex"].facts["is_duplex"]


async def test_gateway_that_translates_has_to_collect_a_request() -> None:
    """There is no HEAD in any dialect, so that nothing is said about it."""
    setting = replace(QUICK, profile="gateway", client_dialect="openai-chat", upstream_dialect="anthropic")
    assert verdicts(await found("req.", setting=setting)) == JUDGED | {"req.stream": "NON-STRICT"}


class LosesQuery(Relay):
    """Passes the path on without its query, and no credentials."""

    def request_head(self, at: At) -> LinkHead:
        head = super().request_head(at)
        method, target, version = head.line.split(" ")
        head.headers = [each for each in head.headers if each[0].lower() != "authorization"]
        return LinkHead(f"{method} {target.partition('?')[0]} {version}", head.headers)


async def test_relay_that_loses_what_a_request_says_is_told_what() -> None:
    result = (await found("req.body", relay=LosesQuery, setting=QUICK))["req.body"]
    assert result.verdict == "FAILED"
    assert "was asked for as" in result.detail
    assert result.detail.endswith("authorization came as nothing")
