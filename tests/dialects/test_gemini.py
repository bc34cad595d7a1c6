"""Gemini's streams, read: wires written by hand, and what they mean.

Failures and what is wrong in a stream are in `test_gemini_failures`, calls whose arguments come in pieces in
`test_gemini_calls`, what is written in `test_gemini_encoding`.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from streamkit.dialects.convert import Converter, decoder_of, encoder_of
from streamkit.dialects.events import (
    End,
    Error,
    Event,
    Finish,
    FinishReason,
    PartEnd,
    PartStart,
    Ping,
    Raw,
    Reasoning,
    Start,
    Text,
    ToolArgs,
    Usage,
)
from streamkit.dialects.message import MessageAccumulator
from streamkit.dialects.registry import DIALECTS
from streamkit.errors import DecodeError
from streamkit.testing import check_stage
from tests.dialects.examples import EXAMPLES, Example
from tests.dialects.gemini_wires import (
    ERROR,
    HEAD,
    LOGPROBS,
    SIGNATURE,
    START,
    STOP,
    call,
    ending,
    heard,
    said,
    sse,
    text,
)
from tests.dialects.wires import convert, decode, encode, records, refusal_of, repairs_of

MINE = [example for example in EXAMPLES if example.dialect == "gemini"]


def finish_of(events: list[Event]) -> Finish:
    [finish] = [event for event in events if isinstance(event, Finish)]
    return finish


def test_an_answer_by_hand() -> None:
    wire = (
        b'data: {"candidates": [{"content": {"parts": [{"text": "Hel"}],"role": "model"},"index": 0}],'
        b'"usageMetadata": {"promptTokenCount": 4,"totalTokenCount": 4},"modelVersion": "m","responseId": "r"}\r\n\r\n'
        b'data: {"candidates": [{"content": {"parts": [{"text": "lo"}],"role": "model"},"finishReason": "STOP",'
        b'"index": 0}],"usageMetadata": {"promptTokenCount": 4,"candidatesTokenCount": 2,"totalTokenCount": 6},'
        b'"modelVersion": "m","responseId": "r"}\r\n\r\n'
    )
    events = [
        START,
        PartStart(0, "text"),
        Text(0, "Hel"),
        Usage(4),
        Text(0, "lo"),
        Usage(4, 2),
        PartEnd(0),
        Finish("stop", "STOP"),
        End(),
    ]
    assert decode("gemini", wire, strict=True) == events
    check_stage(lambda: decoder_of("gemini"), wire, events)


def test_an_array_by_hand() -> None:
    wire = (
        b'[{\n  "candidates": [\n    {\n      "content": {"parts": [{"text": "a"}], "role": "model"}\n    }\n  ],\n'
        b'  "modelVersion": "m", "responseId": "r"\n}\n,\r\n{\n  "candidates": [{"finishReason": "MAX_TOKENS"}]\n}\n]\n'
    )
    events = [START, PartStart(0, "text"), Text(0, "a"), PartEnd(0), Finish("length", "MAX_TOKENS"), End()]
    assert decode("gemini/json-array", wire, strict=True) == events
    check_stage(lambda: decoder_of("gemini/json-array"), wire, events)


def test_each_text_leaves_with_its_record() -> None:
    decoder = decoder_of("gemini")
    assert decoder.feed(sse(said(text("a")))) == [START, PartStart(0, "text"), Text(0, "a")]
    assert decoder.feed(sse(said(text("b")))) == [Text(0, "b")]


def test_thoughts_text_and_calls_are_parts_of_their_own() -> None:
    assert heard(
        said(text("hm", thought=True)),
        said(text("m", thought=True), text("Let me")),
        said(text(" see."), call("f", {"a": [1]}), call("g")),
        STOP,
    ) == [
        PartStart(0, "reasoning"),
        Reasoning(0, "hm"),
        Reasoning(0, "m"),
        PartEnd(0),
        PartStart(1, "text"),
        Text(1, "Let me"),
        Text(1, " see."),
        PartEnd(1),
        PartStart(2, "tool", tool_name="f"),
        ToolArgs(2, '{"a":[1]}'),
        PartEnd(2),
        PartStart(3, "tool", tool_name="g"),
        ToolArgs(3, "{}"),
        PartEnd(3),
        Finish("tool_calls", "STOP"),
        End(),
    ]


# --- Signatures -------------------------------------------------------------------------------------------------------


def test_a_signature_on_a_text_ends_it() -> None:
    assert heard(said(text("a", thoughtSignature=SIGNATURE)), said(text("b")), STOP)[:6] == [
        PartStart(0, "text"),
        Text(0, "a"),
        PartEnd(0, SIGNATURE),
        PartStart(1, "text"),
        Text(1, "b"),
        PartEnd(1),
    ]


def test_a_signature_on_an_empty_part_belongs_to_the_text_before_it() -> None:
    assert heard(said(text("a")), said(text("", thoughtSignature=SIGNATURE), finish="STOP"))[:3] == [
        PartStart(0, "text"),
        Text(0, "a"),
        PartEnd(0, SIGNATURE),
    ]


def test_a_signature_without_any_text_is_a_part_of_its_own() -> None:
    thought = {"thought": True, "thoughtSignature": SIGNATURE}
    assert heard(said(text("a"), thought), said({"thoughtSignature": SIGNATURE}), STOP)[2:-2] == [
        PartEnd(0),
        PartStart(1, "reasoning"),
        PartEnd(1, SIGNATURE),
        PartStart(2, "text"),
        PartEnd(2, SIGNATURE),
    ]


def test_the_signature_of_a_call_is_not_lost() -> None:
    """maximhq/bifrost #1437, #2210: without it the next request is refused."""
    wire = sse(said(call("f", {}, thoughtSignature=SIGNATURE)), STOP)
    events = decode("gemini", wire, strict=True)
    assert PartEnd(0, SIGNATURE) in events
    assert decode("gemini", encode("gemini", events), strict=True) == events
    message = MessageAccumulator()
    message.feed_many(events)
    assert message.message.tool_calls[0].signature == SIGNATURE


# --- Reasons to stop --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("STOP", "stop"),
        ("MAX_TOKENS", "length"),
        ("SAFETY", "content_filter"),
        ("RECITATION", "content_filter"),
        ("BLOCKLIST", "content_filter"),
        ("PROHIBITED_CONTENT", "content_filter"),
        ("SPII", "content_filter"),
        ("IMAGE_SAFETY", "content_filter"),
        ("MODEL_ARMOR", "content_filter"),
        ("MALFORMED_FUNCTION_CALL", "error"),
        ("UNEXPECTED_TOOL_CALL", "error"),
        ("TOO_MANY_TOOL_CALLS", "error"),
        ("MISSING_THOUGHT_SIGNATURE", "error"),
        ("MALFORMED_RESPONSE", "error"),
        ("CONTINUATION", "pause"),
        ("LANGUAGE", "other"),
        ("NO_IMAGE", "other"),
        ("OTHER", "other"),
        ("SOMETHING_NEW", "other"),
    ],
)
def test_every_reason_is_read_and_written_again(raw: str, reason: FinishReason) -> None:
    events = heard(said(text("a")), said(finish=raw, finishMessage="why"))
    assert finish_of(events) == Finish(reason, raw, extra={"gemini.finishMessage": "why"})
    last = records(encode("gemini", [START, *events]))[-1]
    reason_and_message = {"finishReason": raw, "finishMessage": "why"}
    assert last["candidates"][0].items() >= reason_and_message.items()  # type: ignore[index]


def test_a_reason_that_is_none() -> None:
    assert finish_of(heard(said(text("a"), finish="FINISH_REASON_UNSPECIFIED"), STOP)).raw_reason == "STOP"
    assert isinstance(ending(sse(said(text("a"), finish="FINISH_REASON_UNSPECIFIED"))), Error)


def test_a_call_in_an_earlier_record_makes_a_stop_tool_calls() -> None:
    """googleapis/python-genai #2868, envoyproxy/ai-gateway PR #2399, su-kaka/gcli2api PR #407: STOP after calls."""
    assert finish_of(heard(said(call("f", {})), said(text("ok")), STOP)) == Finish("tool_calls", "STOP")


@pytest.mark.parametrize(("raw", "reason"), [("MAX_TOKENS", "length"), ("SAFETY", "content_filter")])
def test_a_call_does_not_hide_why_the_answer_was_cut(raw: str, reason: FinishReason) -> None:
    """NousResearch/hermes-agent PR #43478: MAX_TOKENS became tool_calls."""
    assert finish_of(heard(said(call("f", {})), said(finish=raw))) == Finish(reason, raw)


def test_a_malformed_call_is_an_error_everywhere() -> None:
    """4.2, rule 3: LiteLLM made a normal stop of it."""
    wire = sse(said(text("a")), said(finish="MALFORMED_FUNCTION_CALL"))
    written, _ = convert("gemini", "openai-chat", wire)
    assert b"[DONE]" not in written
    assert records(written)[-1]["error"]
    loud = Converter("gemini", "openai-chat")
    loud.feed(wire)
    with pytest.raises(DecodeError, match="MALFORMED_FUNCTION_CALL"):
        loud.finish()


@pytest.mark.parametrize("raw", ["SAFETY", "BLOCKLIST", "PROHIBITED_CONTENT", "OTHER", "JAILBREAK"])
def test_a_blocked_prompt_is_filtered(raw: str) -> None:
    feedback = {"blockReason": raw, "safetyRatings": [{"category": "X", "probability": "HIGH"}]}
    usage = {"promptTokenCount": 5, "totalTokenCount": 5}
    events = heard({"promptFeedback": feedback, "usageMetadata": usage, **HEAD})
    finish = Finish("content_filter", raw, extra={"gemini.promptFeedback": feedback})
    assert events == [Usage(5), finish, End()]
    [again] = records(encode("gemini", [START, *events]))
    assert again["promptFeedback"] == feedback
    assert "candidates" not in again


def test_feedback_without_a_reason_blocks_nothing() -> None:
    feedback = {"safetyRatings": [{"category": "X", "probability": "NEGLIGIBLE"}]}
    record = {**said(text("a")), "promptFeedback": feedback}
    assert finish_of(heard(record, STOP)) == Finish("stop", "STOP", extra={"gemini.promptFeedback": feedback})
    assert isinstance(ending(sse({"promptFeedback": feedback, **HEAD})), Error)


def test_a_stop_on_every_record_loses_nothing() -> None:
    """Older models: the last reason counts."""
    early = said(text("a"), finish="STOP")
    assert heard(early, said(text("b"), finish="MAX_TOKENS"), strict=False) == [
        PartStart(0, "text"),
        Text(0, "a"),
        Text(0, "b"),
        PartEnd(0),
        Finish("length", "MAX_TOKENS"),
        End(),
    ]
    assert repairs_of("gemini", sse(early, early, early)) == {"after-finish": 2}
    assert refusal_of("gemini", sse(early, early)) == "after-finish"


# --- Several candidates -----------------------------------------------------------------------------------------------


def candidates(*each: dict[str, Any]) -> dict[str, Any]:
    return {"candidates": [*each], **HEAD}


def candidate(index: int | None, words: str = "", finish: str = "") -> dict[str, Any]:
    place = {} if index is None else {"index": index}
    reason = {"finishReason": finish} if finish else {}
    return {"content": {"parts": [text(words)], "role": "model"}, **reason, **place}


def test_candidates_are_choices() -> None:
    assert heard(
        candidates(candidate(0, "a"), candidate(1, "x")),
        candidates(candidate(1, "y", "STOP")),
        candidates(candidate(0, "b", "MAX_TOKENS")),
    ) == [
        PartStart(0, "text"),
        Text(0, "a"),
        PartStart(0, "text", choice=1),
        Text(0, "x", choice=1),
        Text(0, "y", choice=1),
        Text(0, "b"),
        PartEnd(0),
        Finish("length", "MAX_TOKENS"),
        PartEnd(0, choice=1),
        Finish("stop", "STOP", choice=1),
        End(),
    ]


def test_a_candidate_that_has_not_finished_is_cut() -> None:
    wire = sse(candidates(candidate(0, "a", "STOP"), candidate(1, "x")))
    last = ending(wire)
    assert isinstance(last, Error)
    assert last.type == "truncated"


def test_one_candidate_may_leave_its_index_out() -> None:
    assert finish_of(heard(candidates(candidate(None, "a", "STOP")))).choice == 0
    several = sse(candidates(candidate(None, "a", "STOP"), candidate(None, "b", "STOP")))
    events = decode("gemini", several)
    assert Text(0, "b", choice=1) in events
    assert repairs_of("gemini", several) == {"candidate-index": 1}
    assert refusal_of("gemini", several) == "candidate-index"


# --- Counts -----------------------------------------------------------------------------------------------------------


def counted(**counts: object) -> dict[str, Any]:
    return {**said(text("")), "usageMetadata": counts}


def usages(*values: object) -> list[Usage]:
    return [event for event in heard(*values) if isinstance(event, Usage)]


def test_thoughts_and_the_results_of_tools_are_parts_of_the_totals() -> None:
    full = counted(
        promptTokenCount=100,
        toolUsePromptTokenCount=20,
        candidatesTokenCount=7,
        thoughtsTokenCount=5,
        cachedContentTokenCount=64,
        totalTokenCount=132,
        trafficType="ON_DEMAND",
    )
    events = heard(full, STOP)
    extra = {"gemini.toolUsePromptTokenCount": 20, "gemini.trafficType": "ON_DEMAND"}
    assert events[0] == Usage(120, 12, 64, reasoning=5, extra=extra)
    last = records(encode("gemini", [START, *events]))[-1]
    assert last["usageMetadata"] == full["usageMetadata"]


def test_counts_are_snapshots_that_are_told_once() -> None:
    """envoyproxy/ai-gateway PR #2239: growing counts were added up."""
    one, two = counted(promptTokenCount=3, candidatesTokenCount=1), counted(promptTokenCount=3, candidatesTokenCount=2)
    assert usages(one, one, two, two, STOP) == [Usage(3, 1), Usage(3, 2)]


def test_a_count_that_is_left_out_later_still_counts() -> None:
    thinking = counted(promptTokenCount=3, thoughtsTokenCount=8)
    assert usages(thinking, counted(promptTokenCount=3, candidatesTokenCount=2), STOP) == [
        Usage(3, 8, reasoning=8),
        Usage(3, 10, reasoning=8),
    ]


def test_counts_alone_are_a_record_too() -> None:
    assert usages(said(text("a"), finish="STOP"), {"usageMetadata": {"promptTokenCount": 3}, **HEAD}) == [Usage(3)]


# --- What has no event ------------------------------------------------------------------------------------------------

NEUTRAL = [
    {
        "token": "a",
        "logprob": -0.5,
        "top_logprobs": [{"token": "a", "logprob": -0.5}, {"token": "x", "logprob": -2.5}],
    },
    {"token": "b", "logprob": 0.0, "top_logprobs": []},
]


def test_logprobs_are_those_of_every_dialect() -> None:
    events = heard(said(text("hm", thought=True), text("ab"), logprobsResult=LOGPROBS), STOP)
    assert Text(1, "ab", extra={"logprobs": NEUTRAL}) in events
    chat, converter = convert("gemini", "openai-chat", sse(said(text("ab"), logprobsResult=LOGPROBS), STOP))
    assert b'"token":"x","logprob":-2.5' in chat
    assert converter.losses == {}
    back, _ = convert("openai-chat", "gemini", chat)
    first = records(back)[0]
    assert first["candidates"][0]["logprobsResult"]["chosenCandidates"][0] == LOGPROBS["chosenCandidates"][0]  # type: ignore[index]


def test_logprobs_without_a_text_come_with_the_finish() -> None:
    assert finish_of(heard(said(text("a")), said(finish="STOP", logprobsResult=LOGPROBS))).extra == {
        "logprobs": NEUTRAL
    }


def test_metadata_comes_with_its_text_or_with_the_finish() -> None:
    ratings = [{"category": "X", "probability": "LOW"}]
    events = heard(
        said(text("a"), safetyRatings=ratings),
        said(citationMetadata={"citationSources": []}),
        said(call("f", {}), avgLogprobs=-0.5),
        said(text("b"), finish="STOP", groundingMetadata={"webSearchQueries": ["q"]}),
    )
    assert Text(0, "a", extra={"gemini.safetyRatings": ratings}) in events
    assert PartStart(1, "tool", tool_name="f", extra={"gemini.avgLogprobs": -0.5}) in events
    assert finish_of(events).extra == {
        "gemini.citationMetadata": {"citationSources": []},
        "gemini.groundingMetadata": {"webSearchQueries": ["q"]},
    }
    assert decode("gemini", encode("gemini", [START, *events]), strict=True) == [START, *events]


def test_metadata_is_lost_on_the_way_to_others_and_counted() -> None:
    _, converter = convert("gemini", "openai-chat", sse(said(text("a"), safetyRatings=[]), STOP))
    assert converter.losses == {"gemini.safetyRatings": 1}


def test_metadata_that_is_kept_is_bounded() -> None:
    decoder = decoder_of("gemini")
    for number in range(1000):
        decoder.feed(sse(said(finish="", **{f"key{number}": 1})))
    finish = finish_of([*decoder.feed(sse(STOP)), *decoder.finish()])
    assert len(finish.extra) == 64


def test_other_fields_of_records_and_parts_are_kept() -> None:
    status = {"modelStage": "PREVIEW"}
    first = {**said(text("a", partMetadata={"n": 1})), "modelStatus": status}
    events = decode("gemini", sse(first, {**STOP, "modelStatus": status}), strict=True)
    assert events[0] == Start("r", "m", dialect="gemini", extra={"gemini.response": {"modelStatus": status}})
    assert events[2] == Text(0, "a", extra={"gemini.part": {"partMetadata": {"n": 1}}})
    wire = encode("gemini", events)
    assert records(wire)[0]["modelStatus"] == status
    assert decode("gemini", wire, strict=True) == events


def test_a_part_without_an_event_keeps_what_every_record_has() -> None:
    always = {"modelStatus": {"modelStage": "PREVIEW"}, "createTime": "2025-11-20T09:14:27.412817Z"}
    first = {**said({"newThing": {}}), **always}
    events = decode("gemini", sse(first, {**said(text("a")), **always}, {**STOP, **always}), strict=True)
    assert decode("gemini", encode("gemini", events), strict=True) == events
    assert finish_of(events).extra == {}


def test_the_time_is_kept() -> None:
    record = {**STOP, "createTime": "2025-11-20T09:14:27.412817Z"}
    start = decode("gemini", sse(record), strict=True)[0]
    assert start == Start("r", "m", dialect="gemini", created_ns=1_763_630_067_412_817_000)
    assert decode("gemini", encode("gemini", decode("gemini", sse(record))), strict=True)[0] == start


@pytest.mark.parametrize(
    "part",
    [
        {"executableCode": {"language": "PYTHON", "code": "print(1)"}},
        {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1\n"}},
        {"inlineData": {"mimeType": "image/png", "data": "aGk="}, "thoughtSignature": SIGNATURE},
        {"newThing": {}},
    ],
)
def test_a_part_without_an_event_goes_to_the_same_dialect_in_its_place(part: dict[str, Any]) -> None:
    events = heard(said(text("a"), part), said(text("b")), STOP)
    [raw] = [event for event in events if isinstance(event, Raw)]
    assert [type(event).__name__ for event in events[:5]] == ["PartStart", "Text", "PartEnd", "Raw", "PartStart"]
    alone = {"index": 0, "content": {"role": "model", "parts": [part]}}
    assert json.loads(raw.payload) == {**HEAD, "candidates": [alone]}
    wire = encode("gemini", [START, *events])
    assert records(wire)[1]["candidates"][0]["content"]["parts"] == [part]  # type: ignore[index]
    assert decode("gemini", wire, strict=True) == [START, *events]
    _, converter = convert("gemini", "openai-chat", sse(said(part), STOP))
    assert converter.losses == {"raw": 1}


def test_an_unknown_record_goes_to_the_same_dialect_as_it_came() -> None:
    unknown = 'data: {"serverContent": {"turn": 1}}\r\n\r\n'
    wire = sse(said(text("a"))) + unknown.encode() + sse(STOP)
    events = decode("gemini", wire, strict=True)
    assert Raw("gemini", "", '{"serverContent": {"turn": 1}}') in events
    assert b'data: {"serverContent": {"turn": 1}}\n\n' in encode("gemini", events)


def test_comments_are_heartbeats() -> None:
    events = decode("gemini", b": hello\n\n" + sse(said(text("a"))) + b":\r\n" + sse(STOP), strict=True)
    assert [event for event in events if isinstance(event, Ping)] == [Ping("hello"), Ping()]


def test_a_done_of_another_dialect_is_passed_over() -> None:
    wire = sse(said(text("a")), STOP) + b"data: [DONE]\n\n"
    assert decode("gemini", wire)[-1] == End()
    assert repairs_of("gemini", wire) == {"done": 1}
    assert refusal_of("gemini", wire) == "done"
    assert isinstance(ending(sse(said(text("a"))) + b"data: [DONE]\n\n"), Error)


# --- Examples ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("example", MINE, ids=str)
def test_an_example_needs_no_repair_and_comes_back(example: Example) -> None:
    events = decode(example.source, example.wire, strict=True)
    assert isinstance(events[-1], End if example.ends_cleanly else Error)
    encoder = encoder_of(example.source)
    wire = b"".join([*encoder.feed_many(events), *encoder.finish()])
    again = decode(example.source, wire, strict=True)
    body, same = ([event for event in each[:-1] if not isinstance(event, Usage)] for each in (events, again))
    assert body == same
    assert encode(example.source, again) == wire
    assert encoder.losses == {}
    assert [event for event in again if isinstance(event, Usage)][-1:] == (
        [event for event in events if isinstance(event, Usage)][-1:] if example.ends_cleanly else []
    )


@pytest.mark.parametrize("case", sorted({example.case for example in MINE} - {"cut"}))
def test_both_framings_of_an_example_say_the_same(case: str) -> None:
    one, other = (decode(each.source, each.wire) for each in MINE if each.case == case)
    assert one == other


def test_what_looks_like_gemini() -> None:
    looks_like = DIALECTS["gemini"].looks_like
    assert looks_like(STOP, "message")
    assert looks_like(ERROR, "message")
    assert looks_like({"promptFeedback": {"blockReason": "SAFETY"}}, "message")
    assert looks_like({"usageMetadata": {}}, "message")
    assert not looks_like(STOP, "ping")
    assert not looks_like({"candidates": 3}, "message")
    assert not looks_like({"error": {"message": "m", "type": "t", "code": None}}, "message")
    assert not looks_like({"choices": []}, "message")
    assert not looks_like([STOP], "message")


def test_another_dialect_is_named() -> None:
    wire = b'data: {"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"a"}}]}\n\n'
    with pytest.raises(DecodeError, match="it looks like openai-chat"):
        decoder_of("gemini").feed(wire)
