"""The judges of the llm group, on what clients of each kind may have been given: right, or wrong in a known way."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from streamkit.contract.cases.llm import ARGUMENTS, CALLS, CASES
from streamkit.contract.cases.llm_errors import MESSAGE, RETRIED, STATUSES
from streamkit.contract.cases.llm_usage import INPUT, OUTPUT
from streamkit.contract.content import Answer
from streamkit.contract.results import result_of
from streamkit.contract.setting import Setting
from streamkit.contract.trace import ClientEnd, Exchanged, Head, Trace
from streamkit.contract.verdicts import Finding
from streamkit.dialects.events import End, Event, Finish, FinishReason, PartEnd, PartStart, Text, ToolArgs, Usage
from streamkit.dialects.failure import Failure
from streamkit.dialects.registry import DIALECTS, get_dialect
from streamkit.http.origin import parse_origin

BY_ID = {case.id: case for case in CASES}

CLIENTS = tuple(name for name in DIALECTS if name != "json")

DONE = b"data: [DONE]\n\n"

COUNTS = Usage(input_total=INPUT, output_total=OUTPUT)


def body(dialect: str, *events: Event) -> bytes:
    """Return the records of an answer that consists of these events, after its beginning."""
    answer = Answer(dialect, "m")
    return answer.begin().data + answer.write(*events).data


def said(dialect: str, reason: FinishReason = "stop", usage: Usage | None = None) -> bytes:
    """Return a whole answer."""
    closing = (PartEnd(0), usage or COUNTS, Finish(reason), End())
    return body(dialect, PartStart(0, "text"), Text(0, "Hello "), Text(0, "world"), *closing)


def begun(dialect: str) -> bytes:
    """Return one that only stops."""
    return body(dialect, PartStart(0, "text"), Text(0, "Hello "))


def failed(dialect: str) -> bytes:
    """Return one that says that it failed."""
    answer = Answer(dialect, "m")
    return answer.open().data + answer.text("Hello ").data + answer.fail(MESSAGE).data


def judged(
    case_id: str, dialect: str, *bodies: bytes, end: ClientEnd = "complete", status: int = 200, **facts: object
) -> Finding:
    """Return what a case's judge says where the client was given these bodies."""
    exchanges = [
        Exchanged(head=Head(1, f"HTTP/1.1 {status} OK", []), body=bytearray(each), client_end=end, upstream_end="clean")
        for each in bodies
    ]
    return BY_ID[case_id].judge(Trace(exchanges=exchanges, facts={"client_dialect": dialect, **facts}))


@pytest.mark.parametrize("dialect", CLIENTS)
def test_a_whole_answer_is_right_in_every_dialect(dialect: str) -> None:
    whole = said(dialect)
    assert judged("llm.done.once", dialect, whole).holds, judged("llm.done.once", dialect, whole)
    assert judged("llm.lifecycle.once", dialect, whole).holds, judged("llm.lifecycle.once", dialect, whole)
    assert not judged("llm.truncated", dialect, whole).holds
    if "usage" in DIALECTS[dialect].carries:
        assert judged("llm.usage.requested", dialect, whole).holds, judged("llm.usage.requested", dialect, whole)
    if "finish" in DIALECTS[dialect].carries:
        assert judged("llm.finish-reason", dialect, whole, reasons="stop").holds


@pytest.mark.parametrize("dialect", [name for name in CLIENTS if name != "text"])
def test_an_answer_that_only_stops_is_none_in_any_dialect(dialect: str) -> None:
    cut = begun(dialect)
    assert judged("llm.truncated", dialect, cut).holds
    for case_id in ("llm.done.once", "llm.lifecycle.once", "llm.usage.requested"):
        assert judged(case_id, dialect, cut).holds is False, case_id
    assert judged("llm.error.midstream", dialect, cut).holds is False
    assert judged("llm.error.midstream", dialect, cut, end="cut").holds


@pytest.mark.parametrize("dialect", [name for name in CLIENTS if name != "text"])
def test_an_error_in_the_stream_is_seen_in_every_dialect(dialect: str) -> None:
    stream = failed(dialect)
    finding = judged("llm.error.midstream", dialect, stream)
    assert (finding.holds, finding.facts["keeps_message"]) == (True, True)
    other = stream.replace(MESSAGE.encode(), b"something")
    assert "not of which one: 'something'" in judged("llm.error.midstream", dialect, other).detail
    assert judged("llm.done.once", dialect, stream).holds is False
    assert judged("llm.truncated", dialect, stream).holds
    assert judged("llm.error.midstream", dialect, said(dialect)).holds is False
    after = judged("llm.done.after-error", dialect, stream)
    assert (after.holds, after.facts["done_marks"], after.facts["records_behind"]) == (None, 0, 0)


def test_a_text_without_a_form_for_errors_has_to_be_torn() -> None:
    for case_id in ("llm.error.midstream", "llm.truncated"):
        assert judged(case_id, "text", b"Hello ", end="cut").holds, case_id
        assert judged(case_id, "text", b"Hello ", end="complete").holds is False, case_id


def test_what_comes_behind_an_error_is_recorded() -> None:
    after = judged("llm.done.after-error", "openai-chat", failed("openai-chat") + DONE)
    assert (after.holds, after.facts["done_marks"]) == (None, 1)
    stop = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
    assert judged("llm.done.after-error", "anthropic", failed("anthropic") + stop).facts["records_behind"] == 1


@pytest.mark.parametrize(
    ("dialect", "more"),
    [
        ("openai-chat", DONE),
        ("openai-completions", DONE),
        ("vercel-ui", DONE),
        ("anthropic", b'event: message_stop\ndata: {"type":"message_stop"}\n\n'),
        ("ollama-chat", b'{"model":"m","created_at":"2026-01-01T00:00:00Z","done":true,"done_reason":"stop"}\n'),
        ("agent-poc", b'data: {"type":"end"}\n\n'),
    ],
)
def test_a_second_end_is_found(dialect: str, more: bytes) -> None:
    finding = judged("llm.done.once", dialect, said(dialect) + more)
    assert finding.holds is False, finding


def test_a_missing_done_is_found() -> None:
    """The reason to stop came, and no end behind it."""
    whole = said("openai-chat")
    assert whole.endswith(DONE)
    for case_id in ("llm.done.once", "llm.usage.requested"):
        assert judged(case_id, "openai-chat", whole.removesuffix(DONE)).holds is False


@pytest.mark.parametrize("dialect", ["openai-chat", "anthropic", "openai-responses", "ag-ui", "ollama-chat"])
def test_a_whole_cycle_twice_is_found(dialect: str) -> None:
    twice = said(dialect).replace(DONE, b"") + said(dialect)
    finding = judged("llm.lifecycle.once", dialect, twice)
    assert finding.holds is False or not judged("llm.done.once", dialect, twice).holds, finding


def test_text_behind_the_reason_to_stop_is_found() -> None:
    whole = said("openai-chat")
    chunk = next(line for line in whole.split(b"\n\n") if b"Hello" in line) + b"\n\n"
    late = whole.replace(DONE, chunk + DONE)
    assert "after its finish_reason" in judged("llm.lifecycle.once", "openai-chat", late).detail


def test_counts_that_are_lost_wrong_or_doubled_are_found() -> None:
    case_id = "llm.usage.requested"
    lost = [line for line in said("openai-chat").split(b"\n\n") if b'"usage"' not in line]
    assert "did not reach" in judged(case_id, "openai-chat", b"\n\n".join(lost)).detail
    wrong = said("anthropic", usage=Usage(input_total=INPUT, output_total=OUTPUT + 1))
    assert "were told" in judged(case_id, "anthropic", wrong).detail
    whole = said("openai-chat")
    chunk = next(line for line in whole.split(b"\n\n") if b'"usage"' in line) + b"\n\n"
    assert "2 chunks" in judged(case_id, "openai-chat", whole.replace(chunk, chunk * 2)).detail


@pytest.mark.parametrize("dialect", [name for name in CLIENTS if "usage" in DIALECTS[name].carries])
def test_counts_that_nobody_counted_are_found(dialect: str) -> None:
    """A dialect that insists on a number has its zero, which its readers take for none."""
    begin = (PartStart(0, "text"), Text(0, "Hello "), PartEnd(0))
    finding = judged("llm.usage.none", dialect, body(dialect, *begin, Finish("stop"), End()))
    assert finding.holds, finding
    assert "was told 23 and 5" in judged("llm.usage.none", dialect, said(dialect)).detail


def test_a_sum_that_is_none_is_found() -> None:
    wrong = said("openai-chat").replace(b'"total_tokens":28', b'"total_tokens":0')
    assert "0 tokens were told in total" in judged("llm.usage.requested", "openai-chat", wrong).detail


@pytest.mark.parametrize(
    ("dialect", "old", "new", "problem"),
    [
        ("openai-chat", b'"id":"answer-1",', b"", "have no 'id'"),
        ("openai-chat", b'"object":"chat.completion.chunk",', b"", "have no 'object'"),
        ("openai-chat", b'"role":"assistant",', b"", "it has no 'role'"),
        ("openai-chat", b'"model":"m"', b'"model":""', "the answer has no model"),
        ("openai-completions", b'"created":', b'"made":', "have no 'created'"),
        ("anthropic", b'"id":"answer-1"', b'"id":""', "the answer has no id"),
        ("ollama-chat", b'"created_at":', b'"made_at":', "have no 'created_at'"),
    ],
)
def test_records_that_do_not_say_what_they_belong_to_are_found(
    dialect: str, old: bytes, new: bytes, problem: str
) -> None:
    whole = said(dialect)
    assert old in whole
    finding = judged("llm.lifecycle.once", dialect, whole.replace(old, new))
    assert (finding.holds, problem in finding.detail) == (False, True), finding


def test_records_of_several_answers_are_found() -> None:
    whole = said("openai-chat")
    mixed = whole.replace(b'"id":"answer-1"', b'"id":"answer-2"', 1)
    assert "2 different values of 'id'" in judged("llm.lifecycle.once", "openai-chat", mixed).detail


def test_where_only_the_ending_is_wrong_that_is_said_first() -> None:
    head = Head(1, "HTTP/1.1 200 OK", [])
    exchanged = Exchanged(head=head, body=bytearray(said("openai-chat")), client_end="complete", upstream_end="clean")
    exchanged.units, exchanged.expected_units = 11, 20
    trace = Trace(exchanges=[exchanged], facts={"client_dialect": "openai-chat"})
    result = result_of(BY_ID["llm.done.once"], "must", trace, 0.0)
    assert (result.verdict, result.behaviour) == ("FAILED", "OK")
    assert result.detail.startswith("the answer's ending is incomplete-invisible, not complete: 11 of 20 bytes of its")
    exchanged.body = bytearray(begun("openai-chat"))
    detail = result_of(BY_ID["llm.done.once"], "must", trace, 0.0).detail
    assert detail.endswith("; and its ending is incomplete-invisible, not complete"), "both are wrong"


def test_a_wrong_reason_is_found() -> None:
    right = [said("anthropic", reason) for reason in ("stop", "length")]
    assert judged("llm.finish-reason", "anthropic", *right, reasons="stop length").holds
    finding = judged("llm.finish-reason", "anthropic", right[0], right[0], reasons="stop length")
    assert (finding.holds, "stop instead of length" in finding.detail) == (False, True)


Calls = Sequence[tuple[str, str, str]]


def called(dialect: str, calls: Calls = CALLS, reason: FinishReason = "tool_calls", size: int = 1) -> bytes:
    """Return an answer with these calls, whose arguments come in turn, in pieces of this size."""
    starts = [PartStart(at, "tool", tool_id=one, tool_name=name) for at, (one, name, _) in enumerate(calls)]
    longest = max((len(arguments) for _, _, arguments in calls), default=0)
    pieces = [
        ToolArgs(at, arguments[begin : begin + size])
        for begin in range(0, longest, size)
        for at, (_, _, arguments) in enumerate(calls)
        if arguments[begin:]
    ]
    ends = [PartEnd(at) for at in range(len(calls))]
    return body(dialect, *starts, *pieces, *ends, COUNTS, Finish(reason), End())


@pytest.mark.parametrize("dialect", [name for name in CLIENTS if "tools" in DIALECTS[name].carries])
def test_calls_are_the_same_however_they_were_cut(dialect: str) -> None:
    case_id = "llm.tool-args-split"
    look, note = CALLS
    for size in (1, 7, 1000):
        finding = judged(case_id, dialect, called(dialect, size=size), has_ids=True)
        assert finding.holds, finding
    broken = json.dumps({**json.loads(ARGUMENTS), "place": "Z\ufffd\ufffdrich \ufffd"})
    assert "look_up that came are not" in judged(case_id, dialect, called(dialect, [(*look[:2], broken), note])).detail
    mixed = called(dialect, [(*look[:2], note[2]), (*note[:2], look[2])])
    assert "look_up that came are not" in judged(case_id, dialect, mixed).detail
    other = called(dialect, [look, ("call_2", "other", note[2])])
    assert "2 came: look_up, other" in judged(case_id, dialect, other).detail
    assert "1 came: look_up" in judged(case_id, dialect, called(dialect, [look])).detail
    renamed = called(dialect, [look, ("call_2", *note[1:])])
    assert "came as call_1a2b3c4d5, call_2" in judged(case_id, dialect, renamed, has_ids=True).detail
    assert judged(case_id, dialect, renamed, has_ids=False).holds, "not every dialect has ids"
    assert judged(case_id, dialect, said(dialect)).holds is False


def refusals(dialect: str, **changes: tuple[int, bytes]) -> Trace:
    """Return a trace in which the client was refused as it should, but for these statuses."""
    exchanges = []
    for status in STATUSES:
        failure = json.dumps(get_dialect(dialect)[0].failure(Failure(status, MESSAGE))).encode()
        got, content = changes.get(f"at_{status}", (status, failure))
        head = Head(1, f"HTTP/1.1 {got} X", [])
        exchanges.append(Exchanged([head], head=head, body=bytearray(content), client_end="complete"))
    return Trace(exchanges=exchanges, facts={"client_dialect": dialect})


@pytest.mark.parametrize("dialect", CLIENTS)
def test_a_refusal_keeps_its_status_and_says_why(dialect: str) -> None:
    judge = BY_ID["llm.error.status"].judge
    assert judge(refusals(dialect)).holds
    body_of_500 = json.dumps(get_dialect(dialect)[0].failure(Failure(502, "bad gateway"))).encode()
    assert judge(refusals(dialect, at_500=(502, body_of_500))).holds, "a 5xx may become another one"
    assert "429 came as 500" in judge(refusals(dialect, at_429=(500, body_of_500))).detail
    assert "503 came as 200" in judge(refusals(dialect, at_503=(200, begun(dialect)))).detail


def test_a_refusal_with_a_page_for_a_body_is_found() -> None:
    judge = BY_ID["llm.error.status"].judge
    assert "400 came without an error" in judge(refusals("anthropic", at_400=(400, b"<h1>Bad</h1>"))).detail
    assert judge(refusals("text", at_400=(400, b"bad"))).holds


def test_attempts_are_counted() -> None:
    head = Head(1, "POST / HTTP/1.1", [])
    trace = Trace(exchanges=[Exchanged([head] * count) for count in (3, 1, 2, 4)])
    finding = BY_ID["llm.retry.hidden"].judge(trace)
    assert finding.holds is None
    assert finding.facts == {"attempts_429": 3, "attempts_500": 1, "attempts_503": 2, "attempts_reset": 4}
    assert len(RETRIED) == 4


def test_the_group_is_for_gateways_and_for_dialects_that_have_the_forms() -> None:
    target = parse_origin("http://127.0.0.1:1")
    assert all(case.level(Setting(target)) is None for case in CASES)
    gateway = Setting(target, profile="gateway", client_dialect="anthropic", upstream_dialect="ollama-chat")
    applied = {case.id for case in CASES if case.level(gateway) is not None}
    assert {case.id for case in CASES} - applied == {
        *("llm.usage.empty-delta", "llm.usage.no-delta", "llm.usage.after-finish", "llm.flush.tool-args"),
    }
    plain = Setting(target, profile="gateway", client_dialect="text", upstream_dialect="text")
    assert {case.id for case in CASES if case.level(plain) is not None} == {
        *("llm.done.once", "llm.lifecycle.once", "llm.flush.tokens", "llm.error.status", "llm.retry.hidden"),
    }
