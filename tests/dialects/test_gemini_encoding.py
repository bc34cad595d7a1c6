"""Gemini's streams, written: neutral events in, exact bytes out; what is lost, and the whole response."""

from __future__ import annotations

import json
from typing import Any

import pytest

from streamkit.dialects.convert import encoder_of
from streamkit.dialects.events import (
    Custom,
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
    Refusal,
    Start,
    Text,
    ToolArgs,
    Usage,
)
from streamkit.dialects.message import Message, MessageAccumulator
from streamkit.dialects.registry import DIALECTS
from streamkit.errors import EncodeError
from tests.dialects.gemini_wires import DETAILS, HEAD, LOGPROBS, SIGNATURE, STOP, call, said, sse, text
from tests.dialects.wires import decode, encode, records

START = Start("r", "m")
AT_NS = 1_763_630_067_412_817_000

EVENTS: list[Event] = [
    START,
    PartStart(0, "reasoning"),
    Reasoning(0, "hm"),
    PartEnd(0, SIGNATURE),
    PartStart(1, "text"),
    Text(1, 'say "é"\u2028\u0085'),
    PartEnd(1),
    PartStart(2, "tool", "c1", "f"),
    ToolArgs(2, '{"b":1,'),
    ToolArgs(2, '"a":[2]}'),
    PartEnd(2, SIGNATURE),
    Usage(10, 5, 4, reasoning=2),
    Finish("tool_calls"),
    End(),
]

RECORDS = [
    (
        b'{"modelVersion":"m","responseId":"r","candidates":[{"index":0,"content":{"role":"model","parts":'
        b'[{"thought":true,"text":"hm"}]}}]}'
    ),
    (
        b'{"modelVersion":"m","responseId":"r","candidates":[{"index":0,"content":{"role":"model","parts":'
        b'[{"text":"","thought":true,"thoughtSignature":"c2lnbmVk"}]}}]}'
    ),
    (
        b'{"modelVersion":"m","responseId":"r","candidates":[{"index":0,"content":{"role":"model","parts":'
        b'[{"text":"say \\"\xc3\xa9\\"\\u2028\\u0085"}]}}]}'
    ),
    (
        b'{"modelVersion":"m","responseId":"r","candidates":[{"index":0,"content":{"role":"model","parts":'
        b'[{"functionCall":{"id":"c1","name":"f","args":{"b":1,"a":[2]}},"thoughtSignature":"c2lnbmVk"}]}}]}'
    ),
    (
        b'{"modelVersion":"m","responseId":"r","candidates":[{"index":0,"content":{"role":"model","parts":'
        b'[{"text":""}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":3,'
        b'"totalTokenCount":15,"cachedContentTokenCount":4,"thoughtsTokenCount":2}}'
    ),
]


def test_events_in_bytes_out() -> None:
    assert encode("gemini", EVENTS) == b"".join([b"data: %b\n\n" % record for record in RECORDS])
    assert encode("gemini/json-array", EVENTS) == b"[" + b",\n".join(RECORDS) + b"]\n"


def test_what_is_written_is_read_back() -> None:
    for source in ("gemini", "gemini/json-array"):
        heard = decode(source, encode(source, EVENTS), strict=True)
        args = ToolArgs(2, '{"b":1,"a":[2]}')
        own = [
            Start("r", "m", dialect="gemini"),
            *EVENTS[1:8],
            args,
            *EVENTS[10:12],
            Finish("tool_calls", "STOP"),
            End(),
        ]
        assert heard == own


def test_each_text_leaves_at_once() -> None:
    for source, record in (("gemini", b"data: %b\n\n"), ("gemini/json-array", b",\n%b")):
        encoder = encoder_of(source)
        encoder.feed_many(EVENTS[:5])
        assert encoder.feed(EVENTS[5]) == [record % RECORDS[2]]
        assert encoder.feed(EVENTS[5]) == [record % RECORDS[2]]


def test_the_record_that_ends_has_a_text() -> None:
    """A chat of google-genai forgets a turn with a record whose content has no parts (`chats._validate_content`)."""
    [record] = records(encode("gemini", [START, Finish("stop"), End()]))
    assert record["candidates"] == [
        {"index": 0, "content": {"role": "model", "parts": [{"text": ""}]}, "finishReason": "STOP"}
    ]


def test_an_empty_array_is_still_one() -> None:
    assert encode("gemini/json-array", [START, Finish("stop"), End()]).startswith(b'[{"modelVersion"')
    assert encode("gemini/json-array", []).startswith(b'[{"error"')


def test_what_is_unknown_is_left_out() -> None:
    wire = encode("gemini", [Start(), Finish("stop"), End()])
    assert records(wire)[0].keys() == {"candidates"}
    told = encode("gemini", [Start(created_ns=AT_NS), Finish("stop"), End()])
    assert records(told)[0]["createTime"] == "2025-11-20T09:14:27.412817000Z"


def test_counts_can_be_left_out() -> None:
    assert b"usageMetadata" not in encode("gemini", EVENTS, include_usage=False)
    assert records(encode("gemini", [START, Usage(output_total=1, reasoning=3), Finish("stop"), End()]))[-1][
        "usageMetadata"
    ] == {"promptTokenCount": 0, "candidatesTokenCount": 0, "totalTokenCount": 1, "thoughtsTokenCount": 3}


@pytest.mark.parametrize(
    ("reason", "word"),
    [
        ("stop", "STOP"),
        ("stop_sequence", "STOP"),
        ("length", "MAX_TOKENS"),
        ("context_overflow", "MAX_TOKENS"),
        ("content_filter", "SAFETY"),
        ("pause", "STOP"),
        ("other", "OTHER"),
    ],
)
def test_every_reason_has_a_word(reason: FinishReason, word: str) -> None:
    last = records(encode("gemini", [START, Finish(reason, "theirs"), End()]))[-1]
    assert last["candidates"][0]["finishReason"] == word  # type: ignore[index]


@pytest.mark.parametrize("reason", ["error", "cancelled"])
def test_a_reason_without_a_word_is_an_error(reason: FinishReason) -> None:
    [record] = records(encode("gemini", [START, Finish(reason, "theirs"), End()]))
    assert record.keys() == {"error"}


def test_choices_end_in_one_record() -> None:
    events = [
        START,
        PartStart(0, "text"),
        PartStart(0, "text", choice=1),
        Text(0, "a"),
        Text(0, "b", choice=1),
        PartEnd(0, choice=1),
        Finish("length", choice=1),
        PartEnd(0),
        Finish("stop"),
        End(),
    ]
    first, second, last = records(encode("gemini", events))
    assert [record["candidates"][0]["index"] for record in (first, second)] == [0, 1]  # type: ignore[index]
    ends = [(each["index"], each["finishReason"]) for each in last["candidates"]]  # type: ignore[attr-defined]
    assert ends == [(0, "STOP"), (1, "MAX_TOKENS")]


# --- Losses -----------------------------------------------------------------------------------------------------------


def test_what_is_lost_is_counted() -> None:
    encoder = encoder_of("gemini")
    encoder.feed_many(
        [
            Ping("x"),
            START,
            PartStart(0, "refusal"),
            Refusal(0, "no"),
            PartEnd(0, "no base64", "hidden"),
            Custom("theme", 1),
            Raw("openai-chat", "", "{}"),
            Finish("stop", extra={"system_fingerprint": "fp"}),
            End(),
        ]
    )
    assert encoder.losses == {
        **dict.fromkeys(("ping", "refusal", "signature", "encrypted", "custom", "raw"), 1),
        "system_fingerprint": 1,
    }


def test_comments_are_never_written() -> None:
    """google-genai takes every line that does not begin with `data: ` for JSON, and fails at a comment."""
    assert encode("gemini", [START, Ping("x"), *EVENTS[1:]]) == encode("gemini", EVENTS)


@pytest.mark.parametrize("signature", ["c2lnbmVk", "-_8=", "+/8="])
def test_a_signature_that_can_be_bytes_is_written(signature: str) -> None:
    wire = encode("gemini", [START, PartStart(0, "text"), PartEnd(0, signature), Finish("stop"), End()])
    assert PartEnd(0, signature) in decode("gemini", wire, strict=True)


@pytest.mark.parametrize("signature", ["c2lnbmV", "c2ln bmVk", "é", "====", "c2lnbmVk=", "-_9="])
def test_a_signature_that_cannot_be_bytes_is_lost(signature: str) -> None:
    encoder = encoder_of("gemini")
    encoder.feed_many([START, PartStart(0, "text"), PartEnd(0, signature), Finish("stop"), End()])
    assert encoder.losses == {"signature": 1}


def test_arguments_that_are_no_object_cannot_be_written() -> None:
    encoder = encoder_of("gemini")
    with pytest.raises(EncodeError) as caught:
        encoder.feed_many([START, PartStart(0, "tool", "", "f"), ToolArgs(0, "[1"), PartEnd(0), Finish("tool_calls")])
    [written] = caught.value.items
    assert isinstance(written, bytes)
    assert written.startswith(b'data: {"error":{"code":500,')


# --- Errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "fields"),
    [
        (Error("m", "UNAVAILABLE", "503", 503), {"code": 503, "message": "m", "status": "UNAVAILABLE"}),
        (Error("m", "overloaded_error"), {"code": 503, "message": "m", "status": "UNAVAILABLE"}),
        (Error("m", "rate_limit_error"), {"code": 429, "message": "m", "status": "RESOURCE_EXHAUSTED"}),
        (Error("m", "invalid_request_error", "x"), {"code": 400, "message": "m", "status": "INVALID_ARGUMENT"}),
        (Error("m", "server_error", status=504), {"code": 504, "message": "m", "status": "DEADLINE_EXCEEDED"}),
        (Error("m", "", status=418), {"code": 418, "message": "m", "status": "UNKNOWN"}),
        (Error("", "truncated"), {"code": 500, "message": "truncated", "status": "INTERNAL"}),
        (Error(""), {"code": 500, "message": "error", "status": "INTERNAL"}),
        (
            Error("m", "INTERNAL", extra={"gemini.details": DETAILS}),
            {"code": 500, "message": "m", "status": "INTERNAL", "details": DETAILS},
        ),
    ],
)
def test_an_error_has_googles_form(error: Error, fields: dict[str, object]) -> None:
    wire = encode("gemini", [START, PartStart(0, "text"), Text(0, "a"), error])
    assert records(wire)[1:] == [{"error": fields}]
    assert b"finishReason" not in wire
    assert (
        encode("gemini/json-array", [error])
        == b"[" + json.dumps({"error": fields}, separators=(",", ":")).encode() + b"]\n"
    )
    heard = decode("gemini", wire, strict=True)[-1]
    assert heard == Error(
        str(fields["message"]), str(fields["status"]), str(fields["code"]), int(str(fields["code"])), extra=error.extra
    )


@pytest.mark.parametrize("place", range(len(EVENTS)))
def test_a_stream_without_an_end_is_written_without_one(place: int) -> None:
    wire = encode("gemini", EVENTS[:place])
    assert b"finishReason" not in wire
    assert records(wire)[-1]["error"]


# --- The whole response -----------------------------------------------------------------------------------------------


def message_of(events: list[Event]) -> Message:
    accumulator = MessageAccumulator()
    accumulator.feed_many(events)
    return accumulator.message


def document(events: list[Event]) -> Any:  # noqa: ANN401 - it is JSON
    return DIALECTS["gemini"].document(message_of(events))


def test_the_whole_response() -> None:
    assert document([Start("r", "m", created_ns=AT_NS), *EVENTS[1:]]) == {
        "candidates": [
            {
                "content": {
                    "role": "model",
                    "parts": [
                        {"text": "hm", "thought": True, "thoughtSignature": SIGNATURE},
                        {"text": 'say "é"\u2028\u0085'},
                        {
                            "functionCall": {"id": "c1", "name": "f", "args": {"b": 1, "a": [2]}},
                            "thoughtSignature": SIGNATURE,
                        },
                    ],
                },
                "finishReason": "STOP",
                "index": 0,
            }
        ],
        "usageMetadata": {
            "promptTokenCount": 10,
            "candidatesTokenCount": 3,
            "totalTokenCount": 15,
            "cachedContentTokenCount": 4,
            "thoughtsTokenCount": 2,
        },
        "createTime": "2025-11-20T09:14:27.412817000Z",
        "modelVersion": "m",
        "responseId": "r",
    }


def test_the_response_to_a_stream_of_its_own() -> None:
    ratings = [{"category": "X", "probability": "HIGH"}]
    wire = sse(
        said(text("a"), logprobsResult=LOGPROBS, safetyRatings=[]),
        said(call("f", {}), avgLogprobs=-0.5),
        said(finish="RECITATION", safetyRatings=ratings),
    )
    body = document(decode("gemini", wire))
    [found] = body["candidates"]
    assert found["finishReason"] == "RECITATION"
    assert found["safetyRatings"] == ratings
    assert found["avgLogprobs"] == -0.5
    assert found["logprobsResult"]["chosenCandidates"][0] == {"token": "a", "logProbability": -0.5}


def test_the_response_to_a_blocked_prompt() -> None:
    feedback = {"blockReason": "SAFETY"}
    assert document(decode("gemini", sse({"promptFeedback": feedback, **HEAD}))) == {"promptFeedback": feedback, **HEAD}


def test_a_response_that_is_not_finished_has_no_reason() -> None:
    body = document([*EVENTS[:6]])
    assert body["candidates"] == [
        {
            "content": {
                "role": "model",
                "parts": [
                    {"text": "hm", "thought": True, "thoughtSignature": SIGNATURE},
                    {"text": 'say "é"\u2028\u0085'},
                ],
            },
            "index": 0,
        }
    ]
    assert document([]) == {
        "candidates": [{"content": {"role": "model", "parts": [{"text": ""}]}, "index": 0}],
        "modelVersion": "",
        "responseId": "",
    }


def test_the_response_of_a_stream_that_failed_is_its_error_and_what_had_come() -> None:
    body = document([*EVENTS[:6], Error("m", "UNAVAILABLE", "503", 503)])
    assert next(iter(body)) == "error"
    assert body["error"] == {"code": 503, "message": "m", "status": "UNAVAILABLE"}
    assert len(body["candidates"][0]["content"]["parts"]) == 2


def test_a_call_that_was_cut_is_not_in_the_response() -> None:
    body = document([START, PartStart(0, "tool", "", "f"), ToolArgs(0, '{"a":'), PartEnd(0), Finish("length"), End()])
    assert body["candidates"][0]["content"]["parts"] == [{"text": ""}]


@pytest.mark.parametrize("arguments", ['{"a": "b', "[1]"])
@pytest.mark.parametrize("reason", ["tool_calls", "stop"])
def test_a_call_that_is_wrong_without_a_cut_makes_no_whole_response(arguments: str, reason: FinishReason) -> None:
    events = [START, PartStart(0, "tool", "", "f"), ToolArgs(0, arguments), PartEnd(0), Finish(reason), End()]
    with pytest.raises(EncodeError, match="the arguments of the call of 'f' are no JSON object"):
        document(events)


def test_a_signature_that_cannot_be_bytes_is_not_in_the_response() -> None:
    body = document([START, PartStart(0, "text"), Text(0, "a"), PartEnd(0, "no base64"), Finish("stop"), End()])
    assert body["candidates"][0]["content"]["parts"] == [{"text": "a"}]


def test_a_record_of_our_own_looks_like_gemini() -> None:
    looks_like = DIALECTS["gemini"].looks_like
    assert all(looks_like(record, "message") for record in records(encode("gemini", EVENTS)))
    assert looks_like(records(encode("gemini", [Error("m")]))[0], "message")
    assert looks_like(STOP, "message")
