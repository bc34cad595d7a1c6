"""Gemini's streams that fail: errors in each of their forms, cuts, and records that are not what they should be."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest

from streamkit.dialects.convert import decoder_of
from streamkit.dialects.events import (
    End,
    Error,
    PartStart,
    Raw,
    Text,
)
from streamkit.dialects.gemini_decoder import GeminiDecoder
from streamkit.errors import DecodeError, EncodeError, LimitExceeded
from streamkit.testing import check_stage
from tests.dialects.gemini_wires import (
    DETAILS,
    ERROR,
    LOGPROBS,
    SIGNATURE,
    START,
    STOP,
    array,
    call,
    ending,
    heard,
    said,
    sse,
    text,
)
from tests.dialects.wires import convert, decode, encode

UNAVAILABLE = Error("The model is overloaded.", "UNAVAILABLE", "503", 503, extra={"gemini.details": DETAILS})


def test_an_error_ends_the_stream() -> None:
    """Class 6, BerriAI/litellm #40578: an error object was read as an empty record, and the stream as a success."""
    assert heard(said(text("a")), ERROR) == [PartStart(0, "text"), Text(0, "a"), UNAVAILABLE]
    assert heard(said(text("a")), STOP, ERROR)[-1] == UNAVAILABLE
    assert decode("gemini", sse(ERROR), strict=True) == [UNAVAILABLE]


@pytest.mark.parametrize(
    ("error", "event"),
    [
        ({}, Error("{}")),
        ("boom", Error('"boom"')),
        ({"code": "429", "message": "m", "status": "RESOURCE_EXHAUSTED"}, Error("m", "RESOURCE_EXHAUSTED", "429")),
        ({"code": 1.5, "message": 3}, Error('{"code":1.5,"message":3}', "", "1.5")),
        ({"code": True, "message": "m"}, Error("m", "", "true")),
    ],
)
def test_errors_in_other_forms_are_errors_too(error: object, event: Error) -> None:
    found = ending(sse(said(text("a")), {"error": error}))
    assert isinstance(found, Error)
    assert found.message in {event.message, event.message.strip('"')}
    assert (found.type, found.error_code, found.status) == (event.type, event.error_code, None)


@pytest.mark.parametrize("layout", [{"indent": 2}, {}, {"separators": (",", ":")}])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_an_error_without_data_between_the_events(layout: dict[str, Any], line_end: str) -> None:
    plain = json.dumps({"error": {**ERROR["error"], "message": 'a { and a \\" in it'}}, **layout)
    before = sse(said(text("a"))).replace(b"\r\n", line_end.encode())
    wire = before + (plain + "\n").replace("\n", line_end).encode()
    events = [
        START,
        PartStart(0, "text"),
        Text(0, "a"),
        Error('a { and a \\" in it', "UNAVAILABLE", "503", 503, extra={"gemini.details": DETAILS}),
    ]
    assert decode("gemini", wire, strict=True) == events
    check_stage(lambda: decoder_of("gemini"), wire, events)


def test_an_error_without_data_is_all_there_is() -> None:
    assert decode("gemini", json.dumps(ERROR, indent=2).encode(), strict=True) == [UNAVAILABLE]


def test_records_without_data_are_records() -> None:
    wire = (json.dumps(said(text("a")), indent=1) + "\n" + json.dumps(said(text("b"))) + "\n").encode()
    wire += sse(said(text("c"))) + json.dumps(STOP).encode()
    assert [event.text for event in decode("gemini", wire, strict=True) if isinstance(event, Text)] == ["a", "b", "c"]
    check_stage(lambda: decoder_of("gemini"), wire, decode("gemini", wire))


def test_braces_inside_an_event_are_the_events_own_business() -> None:
    """To an event stream a line that begins with a brace is an unknown field; only between events is it looked at."""
    wire = b'data: {"candidates":\n{"error": {}}\ndata: []}\n\n' + sse(said(text("a"), finish="STOP"))
    assert decode("gemini", wire, strict=True)[-1] == End()


@pytest.mark.parametrize("broken", [b"{]\n\n", b'{"a" 1}\n', b'{"a": nope}\n'])
def test_what_is_wrong_between_the_events_is_found_at_its_byte(broken: bytes) -> None:
    before = sse(said(text("a")))
    decoder = decoder_of("gemini")
    with pytest.raises(DecodeError) as caught:
        decoder.feed(before + broken)
    assert caught.value.items == [START, PartStart(0, "text"), Text(0, "a")]
    assert caught.value.offset is not None
    assert len(before) <= caught.value.offset < len(before + broken)


def test_places_after_an_object_between_the_events_are_right() -> None:
    before = sse(said(text("a"))) + json.dumps(said(text("b")), indent=1).encode() + b"\n\n"
    with pytest.raises(DecodeError) as caught:
        decoder_of("gemini").feed(before + b"data: nope\n\n")
    assert caught.value.offset == len(before)


def test_an_object_between_the_events_is_bounded() -> None:
    decoder = GeminiDecoder(max_record_bytes=100)
    decoder.feed(b'{"a":\n' + b"[\n" * 40)
    with pytest.raises(LimitExceeded):
        decoder.feed(b"[\n" * 40)


CUT = [
    sse(said(text("a"))),
    sse(said(text("a")), STOP)[:-2],
    sse(said(text("a")), STOP) + b"data: {",
    sse(said(text("a")), STOP) + b'{\n "error":',
    sse(said(text("a"), call("f", {}))),
    b": nothing\n\n",
    b"",
]


@pytest.mark.parametrize("wire", CUT)
def test_a_stream_that_is_cut_never_ends(wire: bytes) -> None:
    """Class 6, BerriAI/litellm #32686: at the end of the input a reason to stop was made up."""
    last = ending(wire)
    assert isinstance(last, Error)
    assert last.type == "truncated"


@pytest.mark.parametrize("closing", [b"", b",", b',{"candidates":[]}', b',\r\n{"cand'])
def test_an_array_that_is_not_closed_is_cut(closing: bytes) -> None:
    wire = array(said(text("a")), STOP).removesuffix(b"\n]\n") + closing
    last = ending(wire, "gemini/json-array")
    assert isinstance(last, Error)
    assert last.type == "truncated"
    written, _ = convert("gemini/json-array", "openai-chat", wire)
    assert b"[DONE]" not in written


# --- Hostile records --------------------------------------------------------------------------------------------------

VALUES: list[object] = [None, True, 0, -1, 1.5, 10**30, "x", [], [1], [[]], [None], {}, {"x": 1}, [{"x": 1}]]

FIELDS = [
    "candidates",
    "candidates.0",
    "candidates.0.index",
    "candidates.0.content",
    "candidates.0.content.parts",
    "candidates.0.content.parts.0",
    "candidates.0.content.parts.0.text",
    "candidates.0.content.parts.0.thought",
    "candidates.0.content.parts.0.thoughtSignature",
    "candidates.0.content.parts.0.functionCall",
    "candidates.0.content.parts.1.functionCall.name",
    "candidates.0.content.parts.1.functionCall.id",
    "candidates.0.content.parts.1.functionCall.args",
    "candidates.0.content.parts.1.functionCall.partialArgs",
    "candidates.0.content.parts.1.functionCall.partialArgs.0",
    "candidates.0.content.parts.1.functionCall.partialArgs.0.jsonPath",
    "candidates.0.content.parts.1.functionCall.partialArgs.0.stringValue",
    "candidates.0.content.parts.1.functionCall.partialArgs.0.numberValue",
    "candidates.0.content.parts.1.functionCall.partialArgs.0.boolValue",
    "candidates.0.content.parts.1.functionCall.willContinue",
    "candidates.0.finishReason",
    "candidates.0.logprobsResult",
    "candidates.0.logprobsResult.chosenCandidates",
    "candidates.0.logprobsResult.chosenCandidates.0",
    "candidates.0.logprobsResult.chosenCandidates.0.token",
    "candidates.0.logprobsResult.chosenCandidates.0.logProbability",
    "candidates.0.logprobsResult.topCandidates",
    "candidates.0.logprobsResult.topCandidates.0",
    "candidates.0.logprobsResult.topCandidates.0.candidates",
    "candidates.0.logprobsResult.topCandidates.0.candidates.0",
    "usageMetadata",
    "usageMetadata.promptTokenCount",
    "usageMetadata.toolUsePromptTokenCount",
    "usageMetadata.candidatesTokenCount",
    "usageMetadata.promptTokensDetails",
    "promptFeedback",
    "promptFeedback.blockReason",
    "modelVersion",
    "responseId",
    "createTime",
    "error",
    "error.code",
    "error.message",
    "error.status",
    "error.details",
]


def full() -> dict[str, Any]:
    partial = {"jsonPath": "$.a", "stringValue": "b"}
    return {
        **said(
            text("a", thought=False, thoughtSignature=SIGNATURE),
            {"functionCall": {"name": "f", "id": "1", "args": {}, "partialArgs": [partial], "willContinue": False}},
            finish="STOP",
            logprobsResult=LOGPROBS,
        ),
        "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 1},
        "promptFeedback": {"blockReason": "SAFETY"},
    }


def with_value(path: str, value: object) -> dict[str, Any]:
    record: dict[str, Any] = deepcopy(full())
    if path.startswith("error"):
        record["error"] = {}
    place: Any = record
    *steps, last = path.split(".")
    for step in steps:
        place = place[int(step)] if isinstance(place, list) else place[step]
    place[int(last) if isinstance(place, list) else last] = deepcopy(value)
    return record


@pytest.mark.parametrize("path", FIELDS)
def test_a_field_of_another_type_is_refused_or_lawful(path: str) -> None:
    for value in VALUES:
        record = with_value(path, value)
        for source, wire in (("gemini", sse(record, STOP)), ("gemini/json-array", array(record, STOP))):
            try:
                events = decode(source, wire)
                once = encode("gemini", events)
            except (DecodeError, EncodeError):
                continue
            assert encode("gemini", decode("gemini", once)) == once


@pytest.mark.parametrize("value", [None, 1, "x", [], [{}], True, {"a": 1}, {"error": None}])
def test_a_record_that_is_none_is_passed_on(value: object) -> None:
    events = decode("gemini", sse(said(text("a")), value, STOP), strict=True)
    assert [event.payload for event in events if isinstance(event, Raw)] == [json.dumps(value)]
