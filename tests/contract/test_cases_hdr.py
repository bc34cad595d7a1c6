"""hdr: what is said of fields that are lost, renamed, joined or made up, and relays that do so."""

from __future__ import annotations

from dataclasses import replace

import pytest

from streamkit.contract.cases.hdr_judges import (
    HOP,
    cache_problem,
    cookie_problem,
    judge_both,
    judge_hop_request,
    judge_no_length,
    lost_lines,
    request_id_problem,
    type_problem,
)
from streamkit.contract.trace import Exchanged, Head, Pairs, Trace
from tests.contract.against import SETTING, found, verdicts
from tests.contract.mutants.heads import HopByHop, JoinedCookies, NoCacheControl, NoRequestId, NoRetryAfter, PlainType
from tests.contract.mutants.heads import RenamedLimits as Renamed
from tests.contract.mutants.holding import AddedLength
from tests.contract.mutants.relay import Relay

COOKIES = [("Set-Cookie", "a=1; Path=/"), ("Set-Cookie", "b=2; Expires=Wed, 01 Jan 2031 00:00:00 GMT")]

PIPE: dict[str, object] = {"by_bytes": True, "client_media_type": "text/event-stream"}
GATEWAY: dict[str, object] = {"by_bytes": False, "client_media_type": "text/event-stream"}

NOT_JUDGED = {"hdr.x-accel", "hdr.keep-alive", "hdr.via"}


def passed(sent: Pairs, got: Pairs, status: int = 200) -> Exchanged:
    """An answer with these fields that came with those."""
    line = f"HTTP/1.1 {status} So"
    return Exchanged(sent_head=Head(1, line, sent), head=Head(2, line, got))


# -------------------------------------------------------------------------------------------------------------- judges


def test_a_field_that_has_another_name_now_is_lost_and_the_name_is_told() -> None:
    said = lost_lines("Retry-After")(passed([("Retry-After", "7")], [("x-llm-retry-after", "7")]), Trace())
    assert said == "Retry-After: 7 is not there (the value came as x-llm-retry-after)"


def test_a_field_that_says_something_else_now_is_lost() -> None:
    said = lost_lines("Retry-After")(passed([("Retry-After", "7")], [("retry-after", "60")]), Trace())
    assert said == "Retry-After: 7 came as '60'"


def test_a_proxy_may_add_fields_of_the_same_name() -> None:
    sent: Pairs = [("X-Request-Id", "theirs")]
    trace = Trace(facts=PIPE)
    assert not request_id_problem(passed(sent, [("x-request-id", "ours"), ("X-Request-ID", "theirs")]), trace)
    assert not cookie_problem(passed(COOKIES, [("set-cookie", "sticky=1"), *COOKIES]), trace)


def test_a_gateway_may_tell_the_id_where_its_clients_look_for_it() -> None:
    sent: Pairs = [("X-Request-Id", "theirs")]
    assert not request_id_problem(passed(sent, [("request-id", "theirs")]), Trace(facts=GATEWAY))
    assert request_id_problem(passed(sent, [("request-id", "another")]), Trace(facts=GATEWAY))
    assert request_id_problem(passed(sent, [("request-id", "theirs")]), Trace(facts=PIPE))


@pytest.mark.parametrize(
    ("got", "words"),
    [
        ([("Set-Cookie", f"{COOKIES[0][1]}, {COOKIES[1][1]}")], "joined into one"),
        (COOKIES[:1], "of 2 Set-Cookie fields 1 came"),
        (COOKIES[::-1], "of 2 Set-Cookie fields 2 came"),
    ],
    ids=["joined", "lost", "other order"],
)
def test_two_cookies_are_two_in_their_order(got: Pairs, words: str) -> None:
    assert words in cookie_problem(passed(COOKIES, got), Trace())


def test_directives_may_be_written_otherwise_but_not_be_lost() -> None:
    sent: Pairs = [("Cache-Control", "no-cache, no-transform")]
    assert not cache_problem(passed(sent, [("cache-control", "No-Transform"), ("cache-control", "no-cache")]), Trace())
    said = cache_problem(passed(sent, [("Cache-Control", "no-cache")]), Trace())
    assert said == "Cache-Control has lost no-transform: it came as 'no-cache'"


@pytest.mark.parametrize(
    ("facts", "came", "status", "is_right"),
    [
        (PIPE, 'text/event-stream;Charset="UTF-8"', 200, True),
        (PIPE, "text/event-stream", 200, False),
        (PIPE, "text/plain; charset=utf-8", 200, False),
        (GATEWAY, "text/event-stream", 200, True),
        (GATEWAY, "application/x-ndjson", 200, False),
        (GATEWAY, "application/json", 429, True),
        (GATEWAY, "text/event-stream", 429, False),
    ],
)
def test_the_type_is_the_one_that_was_sent_or_the_dialects_own(
    facts: dict[str, object], came: str, status: int, is_right: bool
) -> None:
    sent: Pairs = [("Content-Type", "text/event-stream; charset=utf-8")]
    said = type_problem(passed(sent, [("Content-Type", came)], status), Trace(facts=facts))
    assert (not said) is is_right, said


def test_both_answers_are_looked_at_and_each_problem_is_told_with_its_status() -> None:
    judge = judge_both(lost_lines("Retry-After"), "Retry-After")
    fields: Pairs = [("Retry-After", "7")]
    assert judge(Trace([passed(fields, fields), passed(fields, fields, 429)])).holds
    finding = judge(Trace([passed(fields, fields), passed(fields, [], 429)]))
    assert finding.holds is False
    assert "on the 429: Retry-After: 7 is not there" in finding.detail
    other = passed(fields, fields, 429)
    other.head = Head(2, "HTTP/1.1 500 No", fields)
    assert "on the 429: it came as 500" in judge(Trace([passed(fields, fields), other])).detail
    assert "on the 200: no head" in judge(Trace([Exchanged(), passed(fields, fields, 429)])).detail


def test_a_length_that_was_made_up_is_told() -> None:
    assert judge_no_length(Trace([passed([], [])])).holds
    finding = judge_no_length(Trace([passed([], [("content-length", "812")])]))
    assert finding.holds is False
    assert "Content-Length: 812 was added" in finding.detail


def test_a_request_that_is_refused_for_its_connection_field_is_told() -> None:
    assert judge_hop_request(Trace([Exchanged(attempts=[Head(1, "POST / HTTP/1.1", [])])])).holds
    assert judge_hop_request(Trace([Exchanged(attempts=[Head(1, "POST / HTTP/1.1", [(HOP, "1")])])])).holds is False
    refused = judge_hop_request(Trace([Exchanged(head=Head(1, "HTTP/1.1 400 Bad Request", []))]))
    assert refused.holds is False
    assert "refused: 400" in refused.detail


# -------------------------------------------------------------------------------------------------------------- relays


@pytest.mark.parametrize(
    ("relay", "wrong"),
    [
        (Relay, {}),
        (NoRequestId, {"hdr.request-id": "FAILED"}),
        (NoRetryAfter, {"hdr.retry-after": "FAILED"}),
        (NoCacheControl, {"hdr.cache-control": "FAILED"}),
        (Renamed, {"hdr.ratelimit": "FAILED"}),
        (JoinedCookies, {"hdr.set-cookie": "FAILED"}),
        (PlainType, {"hdr.content-type": "FAILED"}),
        (HopByHop, {"hdr.hop.request": "NON-STRICT", "hdr.hop.response": "NON-STRICT"}),
        (AddedLength, {"hdr.no-content-length": "FAILED"}),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
async def test_relay_that_changes_heads_fails_the_case_of_what_it_changes(
    relay: type[Relay], wrong: dict[str, str]
) -> None:
    got = verdicts(await found("hdr.", relay=relay, setting=replace(SETTING, limit_s=0.5)))
    assert {name: verdict for name, verdict in got.items() if verdict not in {"OK", "INFORMATIONAL"}} == wrong
    assert {name for name, verdict in got.items() if verdict == "INFORMATIONAL"} == NOT_JUDGED


async def test_embedded_gateway_keeps_them_all() -> None:
    results = await found("hdr.")
    assert set(verdicts(results).values()) == {"OK", "INFORMATIONAL"}
    assert "via_request" in results["hdr.via"].facts


async def test_gateway_that_translates_answers_in_its_clients_type_and_keeps_what_clients_look_for() -> None:
    """It writes the answer itself, so that what the upstream says of caches and cookies is not said of that."""
    setting = replace(SETTING, profile="gateway", client_dialect="anthropic", upstream_dialect="ollama-chat")
    got = verdicts(await found("hdr.", setting=setting))
    wrong = {name: verdict for name, verdict in got.items() if verdict not in {"OK", "INFORMATIONAL"}}
    assert wrong == {"hdr.cache-control": "NON-STRICT", "hdr.set-cookie": "NON-STRICT"}
