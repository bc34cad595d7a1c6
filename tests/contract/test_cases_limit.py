"""limit: proxies without limits pass, and relays with one fail what is beyond it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from streamkit.contract.cases.limit import CASES, LINES, judge_head, judge_line, line_of
from streamkit.contract.content import Talk
from streamkit.contract.setting import Setting
from streamkit.contract.trace import Exchanged, Head, Piece, Trace
from streamkit.http.wire import response_head
from tests.contract.against import SETTING, found, verdicts
from tests.contract.mutants.heads import SmallHeads
from tests.contract.mutants.limits import Scanner

PATIENT = replace(SETTING, limit_s=10.0)
"""For what is right: it is never waited for so long, unless the machine is busy with other things."""

CHAT = replace(PATIENT, profile="gateway")

OTHERS = replace(CHAT, client_dialect="anthropic", upstream_dialect="ollama-chat")


def test_levels() -> None:
    shoulds = {case.id for case in CASES if case.level(SETTING) == "should"}
    assert shoulds == {case.id for case in CASES if case.level(CHAT) == "should"} == {"limit.line.1m", "limit.line.2m"}


@pytest.mark.parametrize("setting", [PATIENT, CHAT, OTHERS], ids=["pipe", "one dialect", "two dialects"])
async def test_the_gateway_has_no_such_limits(setting: Setting) -> None:
    results = await found("limit", setting=setting)
    assert set(verdicts(results).values()) == {"OK"}
    assert len(results) == len(CASES)
    assert results["limit.line.64k"].facts == {"shorter_bytes": 65520, "longer_bytes": 65552}


@pytest.mark.parametrize("dialect", ["openai-chat", "anthropic", "gemini", "ollama-chat", "openai-responses"])
def test_a_line_is_as_long_as_it_says(dialect: str) -> None:
    talk = Talk(replace(SETTING, upstream_dialect=dialect), "limit.line", "skc")
    for size_bytes, _ in LINES.values():
        answer = talk.answer()
        answer.open()
        lines = answer.text(line_of(talk, size_bytes)).data.splitlines()
        assert abs(max(map(len, lines)) - size_bytes) <= 2


async def test_a_scanner_with_lines_of_64_kib() -> None:
    """Its stream ends in good order, as if nothing were missing."""
    results = await found("limit", relay=Scanner)
    bad = {case_id for case_id, verdict in verdicts(results).items() if verdict != "OK"}
    assert bad == {case.id for case in CASES if case.id.startswith("limit.line")}
    first = results["limit.line.64k"]
    assert "one of 65552 bytes, after one of 65520 bytes did not come" in first.detail
    assert first.ending == "incomplete-invisible"


async def test_a_buffer_for_heads() -> None:
    results = await found("limit.head", relay=SmallHeads, setting=PATIENT)
    assert verdicts(results) == {"limit.head.8k": "OK", "limit.head.16k": "FAILED", "limit.head.32k": "FAILED"}
    assert "the proxy answered 502 in its place" in results["limit.head.16k"].detail


# ----------------------------------------------------------------------------------------------------------- judges


def lines_came(count: int) -> Trace:
    exchanged = Exchanged(client_end="complete", expected_units=7, units=count)
    exchanged.pieces = [Piece(number, 1, came_ns=1 if number <= count else 0) for number in range(1, 8)]
    return Trace(exchanges=[exchanged], facts={"shorter_bytes": 99, "longer_bytes": 101})


@pytest.mark.parametrize(
    ("count", "words"),
    [(2, "a line of 99 bytes did"), (4, "one of 101 bytes, after one of 99"), (6, "what follows lines of 99 and 101")],
)
def test_which_line_was_too_long(count: int, words: str) -> None:
    finding = judge_line(lines_came(count))
    assert finding.holds is False
    assert finding.detail.startswith(words)
    assert judge_line(lines_came(7)).holds


@pytest.mark.parametrize(("wanted", "came", "holds"), [(2, 2, True), (2, 1, False), (0, 0, True)])
def test_fields_that_get_lost(wanted: int, came: int, holds: bool) -> None:
    sent = [("X-Streamkit-Filler-0", "f"), ("X-Streamkit-Filler-1", "f")]
    exchanged = Exchanged(client_end="complete", sent_head=Head(0, "HTTP/1.1 200 OK", sent))
    exchanged.head = Head(0, "HTTP/1.1 200 OK", [(name.lower(), value) for name, value in sent[:came]])
    finding = judge_head(Trace(exchanges=[exchanged], facts={"fields": wanted}))
    assert finding.holds is holds
    assert finding.facts["head_bytes"] == len(response_head(200, sent))
