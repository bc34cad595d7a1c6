"""OpenAI's Responses API, written: exact bytes, what is kept and what is lost, and the finished response.

That the official SDKs read all this as meant is shown by test_python_sdks.py and test_node_sdks.py.
"""

from __future__ import annotations

import pytest

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
from streamkit.dialects.openai_responses_encoder import OpenAIResponsesEncoder
from streamkit.errors import ConfigError, EncodeError
from tests.dialects.responses_wires import BEGIN, FORM, ITEM, MORE, body_of, decode, encode, records, terminal_of

USUAL = (
    b'"instructions":null,"metadata":{},"parallel_tool_calls":true,"temperature":null,"tool_choice":"auto","tools":[],'
    b'"top_p":null,'
)

OPENING = b"".join(
    b'event: response.%b\ndata: {"type":"response.%b","sequence_number":%d,"response":{"id":"resp_1",'
    b'"object":"response","error":null,"incomplete_details":null,%b"usage":null,"created_at":1763630067,"status":"in_progress",'
    b'"model":"m","output":[]}}\n\n' % (kind, kind, number, USUAL)
    for number, kind in enumerate((b"created", b"in_progress"))
)

MESSAGE_OPENS = (
    b"event: response.output_item.added\n"
    b'data: {"type":"response.output_item.added","sequence_number":2,"output_index":0,"item":{"id":"msg_1_0",'
    b'"type":"message","status":"in_progress","role":"assistant","content":[]}}\n\n'
    b"event: response.content_part.added\n"
    b'data: {"type":"response.content_part.added","sequence_number":3,"item_id":"msg_1_0","output_index":0,'
    b'"content_index":0,"part":{"type":"output_text","text":"","annotations":[],"logprobs":[]}}\n\n'
)

DELTA = (
    b"event: response.output_text.delta\n"
    b'data: {"type":"response.output_text.delta","item_id":"msg_1_0","output_index":0,"content_index":0,"logprobs":[],'
    b'"delta":"%b","sequence_number":%d}\n\n'
)


def losses_of(*events: Event) -> dict[str, int]:
    encoder = OpenAIResponsesEncoder()
    encoder.feed_many([BEGIN, *events])
    return dict(encoder.losses)


def test_a_text_and_its_end_to_the_byte() -> None:
    text = b'{"type":"output_text","text":"Hel\\u2028lo","annotations":[],"logprobs":[]}'
    message = b'{"id":"msg_1_0","type":"message","status":"completed","role":"assistant","content":[%b]}' % text
    events = [BEGIN, PartStart(0, "text"), Text(0, "Hel\u2028"), Ping(), Text(0, "lo"), PartEnd(0)]
    assert encode(*events, Usage(9, 3, 4, 2, 1), Finish("stop"), End()) == (
        OPENING
        + MESSAGE_OPENS
        + DELTA % (b"Hel\\u2028", 4)
        + b": ping\n\n"
        + DELTA % (b"lo", 5)
        + b"event: response.output_text.done\n"
        b'data: {"type":"response.output_text.done","sequence_number":6,"item_id":"msg_1_0","output_index":0,'
        b'"content_index":0,"text":"Hel\\u2028lo","logprobs":[]}\n\n'
        b"event: response.content_part.done\n"
        b'data: {"type":"response.content_part.done","sequence_number":7,"item_id":"msg_1_0","output_index":0,'
        b'"content_index":0,"part":%b}\n\n'
        b"event: response.output_item.done\n"
        b'data: {"type":"response.output_item.done","sequence_number":8,"output_index":0,"item":%b}\n\n'
        b"event: response.completed\n"
        b'data: {"type":"response.completed","sequence_number":9,"response":{"id":"resp_1","object":"response",'
        b'"error":null,"incomplete_details":null,%b"usage":{"input_tokens":9,"input_tokens_details":{"cached_tokens":4,'
        b'"cache_write_tokens":2},"output_tokens":3,"output_tokens_details":{"reasoning_tokens":1},"total_tokens":12},'
        b'"created_at":1763630067,"status":"completed","model":"m","output":[%b]}}\n\n'
        % (text, message, USUAL, message)
    )


def test_each_text_leaves_with_its_event() -> None:
    encoder = OpenAIResponsesEncoder()
    assert encoder.feed(BEGIN) == [OPENING]
    assert encoder.feed(PartStart(0, "text")) == [MESSAGE_OPENS]
    assert encoder.feed(Text(0, "a")) == [DELTA % (b"a", 4)]


def test_reasoning_is_a_summary_and_brings_what_is_encrypted() -> None:
    place = {"item_id": "rs_1_0", "output_index": 0}
    summary = {"type": "summary_text", "text": "Hm"}
    found = body_of(PartStart(0, "reasoning"), Reasoning(0, "Hm"), PartEnd(0, encrypted="gAB"))
    assert [{key: value for key, value in each.items() if key != "sequence_number"} for each in found] == [
        {
            "type": "response.output_item.added",
            "output_index": 0,
            "item": {"id": "rs_1_0", "type": "reasoning", "summary": []},
        },
        {
            "type": "response.reasoning_summary_part.added",
            **place,
            "summary_index": 0,
            "part": {"type": "summary_text", "text": ""},
        },
        {"type": "response.reasoning_summary_text.delta", **place, "summary_index": 0, "delta": "Hm"},
        {"type": "response.reasoning_summary_text.done", **place, "summary_index": 0, "text": "Hm"},
        {"type": "response.reasoning_summary_part.done", **place, "summary_index": 0, "part": summary},
        {
            "type": "response.output_item.done",
            "output_index": 0,
            "item": {"id": "rs_1_0", "type": "reasoning", "summary": [summary], "encrypted_content": "gAB"},
        },
    ]


def test_reasoning_without_a_text_has_no_summary() -> None:
    assert [each["type"] for each in body_of(PartStart(0, "reasoning"), PartEnd(0))] == [
        "response.output_item.added",
        "response.output_item.done",
    ]


def test_reasoning_that_came_as_text_stays_so() -> None:
    found = body_of(PartStart(0, "reasoning", extra={FORM: "text"}), Reasoning(0, "Hm"), PartEnd(0))
    assert [each["type"].removeprefix("response.") for each in found] == [
        "output_item.added",
        "content_part.added",
        "reasoning_text.delta",
        "reasoning_text.done",
        "content_part.done",
        "output_item.done",
    ]
    assert found[-1]["item"]["content"] == [{"type": "reasoning_text", "text": "Hm"}]


def test_calls_overlap_and_each_has_an_id_besides_its_items() -> None:
    found = body_of(
        PartStart(0, "tool", "call_a", "f"),
        ToolArgs(0, '{"x"'),
        PartStart(1, "tool", "", "g"),
        ToolArgs(0, ":1}"),
        PartEnd(1),
        PartEnd(0),
    )
    assert [(each["type"].removeprefix("response."), each["output_index"]) for each in found] == [
        ("output_item.added", 0),
        ("function_call_arguments.delta", 0),
        ("output_item.added", 1),
        ("function_call_arguments.delta", 0),
        ("function_call_arguments.delta", 1),
        ("function_call_arguments.done", 1),
        ("output_item.done", 1),
        ("function_call_arguments.done", 0),
        ("output_item.done", 0),
    ]
    first, second = {"type": "function_call", "status": "completed"}, {"type": "function_call", "status": "completed"}
    assert found[-1]["item"] == {**first, "id": "fc_1_0", "arguments": '{"x":1}', "call_id": "call_a", "name": "f"}
    # A call without arguments gets an empty object, because clients parse what they get.
    assert found[6]["item"] == {**second, "id": "fc_1_1", "arguments": "{}", "call_id": "call_1_1", "name": "g"}


def test_parts_that_came_as_one_item_become_one_again() -> None:
    extra: dict[str, object] = {ITEM: {"id": "msg_a", "phase": "final_answer"}}
    found = body_of(
        PartStart(0, "text", extra=extra),
        Text(0, "So"),
        PartEnd(0, extra={MORE: True}),
        PartStart(1, "refusal", extra=extra),
        Refusal(1, "No."),
        PartEnd(1, extra={"openai-responses.status": "incomplete"}),
        PartStart(2, "text", extra=extra),  # that item is over, and its id is taken
        PartEnd(2),
    )
    items = [each["item"] for each in found if each["type"] == "response.output_item.done"]
    assert [(item["id"], item["status"], item["phase"], len(item["content"])) for item in items] == [
        ("msg_a", "incomplete", "final_answer", 2),
        ("msg_1_1", "completed", "final_answer", 1),
    ]
    assert [each["content_index"] for each in found if each["type"] == "response.content_part.added"] == [0, 1, 0]


def test_an_item_of_which_more_was_promised_ends_with_the_choice() -> None:
    found = body_of(PartStart(0, "text", extra={ITEM: {"id": "msg_a"}}), PartEnd(0, extra={MORE: True}))
    assert found[-1]["type"] == "response.output_item.done"


def test_log_probabilities_annotations_and_further_fields() -> None:
    entry = {"token": "Hi", "logprob": -0.5, "top_logprobs": [{"token": "Ho", "logprob": -2.0, "bytes": [72, 111]}]}
    written = {**entry, "bytes": []}
    annotation = {"type": "url_citation", "url": "https://a.example"}
    found = body_of(
        PartStart(0, "text"),
        Text(0, "Hi", extra={"logprobs": [entry], "openai-responses.delta": {"kind": "calm", "out": 1}}),
        Text(0, "", extra={"openai-responses.annotations": [annotation]}),
        PartEnd(0),
    )
    place = {"item_id": "msg_1_0", "output_index": 0, "content_index": 0}
    delta = {"type": "response.output_text.delta", "sequence_number": 4, **place, "delta": "Hi"}
    assert found[2] == {**delta, "logprobs": [written], "kind": "calm", "out": 1}
    added = {"type": "response.output_text.annotation.added", "sequence_number": 5, **place}
    assert found[3] == {**added, "annotation_index": 0, "annotation": annotation}
    assert found[4]["logprobs"] == [written]
    content = {"type": "output_text", "text": "Hi", "annotations": [annotation], "logprobs": [written]}
    assert found[-1]["item"]["content"] == [content]


@pytest.mark.parametrize(
    ("reason", "status", "details"),
    [
        ("stop", "completed", None),
        ("stop_sequence", "completed", None),
        ("tool_calls", "completed", None),
        ("other", "completed", None),
        ("length", "incomplete", {"reason": "max_output_tokens"}),
        ("context_overflow", "incomplete", {"reason": "max_output_tokens"}),
        ("content_filter", "incomplete", {"reason": "content_filter"}),
        ("pause", "incomplete", {"reason": None}),
        ("cancelled", "cancelled", None),
    ],
)
def test_why_a_model_stops(reason: FinishReason, status: str, details: object) -> None:
    response = terminal_of(BEGIN, Finish(reason, "their_word"), End())
    assert (response["status"], response["incomplete_details"]) == (status, details)


def test_the_own_word_for_why_comes_back() -> None:
    start = Start("resp_1", dialect="openai-responses")
    response = terminal_of(start, Finish("other", "brand_new"), End())
    assert (response["status"], response["incomplete_details"]) == ("incomplete", {"reason": "brand_new"})


def test_a_stop_because_of_an_error_is_one() -> None:
    response = terminal_of(BEGIN, Finish("error", "MALFORMED"), End())
    assert response["status"] == "failed"
    assert response["error"]["message"] == "the model stopped because of an error (MALFORMED)"


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (Usage(), None),
        (Usage(5), (5, 0, 0, 0, 0, 5)),
        (Usage(9, 3, 4, 2, 1), (9, 4, 2, 3, 1, 12)),
    ],
)
def test_token_counts(usage: Usage, expected: tuple[int, ...] | None) -> None:
    found = terminal_of(BEGIN, usage, Finish("stop"), End())["usage"]
    if expected is not None:
        read, written = found["input_tokens_details"], found["output_tokens_details"]
        counts = found["input_tokens"], read["cached_tokens"], read["cache_write_tokens"]
        found = (*counts, found["output_tokens"], written["reasoning_tokens"], found["total_tokens"])
    assert found == expected
    assert terminal_of(BEGIN, usage, Finish("stop"), End(), include_usage=False)["usage"] is None


def test_an_error_is_written_nested_and_then_as_a_failed_response_with_all_there_is() -> None:
    said: list[Event] = [PartStart(0, "text"), Text(0, "Hi"), PartStart(1, "tool", "c", "f"), ToolArgs(1, "{")]
    error, failed = records(encode(BEGIN, *said, Usage(3, 1), Error("Slow", "rate", "too_fast")))[-2:]
    fields = {"type": "rate", "code": "too_fast", "message": "Slow", "param": None}
    assert error == {"type": "error", "sequence_number": 7, "error": fields}
    assert failed["type"] == "response.failed"
    response = failed["response"]
    assert response["error"] == {"type": "rate", "code": "too_fast", "message": "Slow"}
    assert [item["status"] for item in response["output"]] == ["incomplete", "incomplete"]
    assert response["output"][0]["content"][0]["text"] == "Hi"
    assert response["output"][1]["arguments"] == "{"
    assert response["usage"]["total_tokens"] == 4


@pytest.mark.parametrize(
    "events", [[], [BEGIN], [BEGIN, PartStart(0, "text"), Text(0, "Hi"), PartEnd(0), Finish("stop")]]
)
def test_a_stream_that_is_cut_never_looks_complete(events: list[Event]) -> None:
    response = terminal_of(*events)
    assert response["status"] == "failed"
    assert response["error"] == {"code": "server_error", "message": "the stream was cut", "type": "truncated"}


def test_what_is_lost_is_counted() -> None:
    parts: list[Event] = [
        *(PartStart(0, "text"), PartEnd(0, "signed", "sealed")),
        *(PartStart(1, "refusal"), Refusal(1, "No", extra={"logprobs": []}), PartEnd(1)),
    ]
    others: list[Event] = [Custom("theme"), Raw("openai-chat", "", "{}"), PartStart(0, "text", choice=1)]
    assert losses_of(*parts, *others, Usage(extra={"ollama.x": 1})) == {
        "signature": 1,
        "encrypted": 1,
        "logprobs": 1,
        "custom": 1,
        "raw": 1,
        "choice": 1,
        "ollama.x": 1,
    }


def test_an_answer_longer_than_the_limit_fails_as_the_dialect_does() -> None:
    encoder = OpenAIResponsesEncoder(max_kept_bytes=200)
    encoder.feed_many([BEGIN, PartStart(0, "text"), Text(0, "a" * 80)])
    with pytest.raises(EncodeError, match="longer than 200 bytes") as raised:
        encoder.feed_many([Text(0, "b" * 80)])
    assert b"response.failed" in b"".join(raised.value.items)  # type: ignore[arg-type]
    with pytest.raises(ConfigError):
        OpenAIResponsesEncoder(max_kept_bytes=0)
    assert terminal_of(
        BEGIN, PartStart(0, "text"), Text(0, "a" * 10**6), PartEnd(0), Finish("stop"), End(), max_kept_bytes=None
    )


def test_what_is_written_is_read_without_repair() -> None:
    wire = encode(BEGIN, PartStart(0, "text"), Text(0, "a\r\nb\n\x85"), PartEnd(0), Finish("length"), End())
    assert decode(wire)[1:] == [
        PartStart(0, "text", extra={ITEM: {"id": "msg_1_0"}}),
        Text(0, "a\r\nb\n\x85"),
        PartEnd(0),
        Finish("length", "max_output_tokens"),
        End(),
    ]
