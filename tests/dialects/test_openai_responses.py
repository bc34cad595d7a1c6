"""OpenAI's Responses API, read: lawful streams. What servers get wrong is in test_openai_responses_repairs.py."""

from __future__ import annotations

import pytest

from streamkit.dialects.events import (
    End,
    Error,
    Finish,
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
from streamkit.dialects.openai_responses import DIALECT
from streamkit.dialects.openai_responses_decoder import OpenAIResponsesDecoder
from streamkit.dialects.openai_responses_encoder import OpenAIResponsesEncoder
from streamkit.errors import DecodeError
from tests.dialects.examples import EXAMPLES, Example
from tests.dialects.responses_wires import (
    FORM,
    ITEM,
    MORE,
    START,
    added,
    at,
    call,
    completed,
    created,
    decode,
    done,
    frames,
)

MINE = [example for example in EXAMPLES if example.dialect == "openai-responses"]

CREATED = (
    b"event: response.created\n"
    b'data: {"type":"response.created","response":{"id":"resp_1","object":"response","created_at":1763630067,'
    b'"status":"in_progress","model":"gpt-5.1","output":[]},"sequence_number":0}\n\n'
)

PLAIN = CREATED + (
    b"event: response.in_progress\n"
    b'data: {"type":"response.in_progress","response":{"id":"resp_1","object":"response","created_at":1763630067,'
    b'"status":"in_progress","model":"gpt-5.1","output":[]},"sequence_number":1}\n\n'
    b"event: response.output_item.added\n"
    b'data: {"type":"response.output_item.added","item":{"id":"msg_1","type":"message","status":"in_progress",'
    b'"content":[],"role":"assistant"},"output_index":0,"sequence_number":2}\n\n'
    b"event: response.content_part.added\n"
    b'data: {"type":"response.content_part.added","content_index":0,"item_id":"msg_1","output_index":0,'
    b'"part":{"type":"output_text","annotations":[],"logprobs":[],"text":""},"sequence_number":3}\n\n'
    b"event: response.output_text.delta\n"
    b'data: {"type":"response.output_text.delta","content_index":0,"delta":"Hel","item_id":"msg_1","logprobs":[],'
    b'"obfuscation":"x7Gh","output_index":0,"sequence_number":4}\n\n'
    b": keep-alive\n\n"
    b"event: response.output_text.delta\n"
    b'data: {"type":"response.output_text.delta","content_index":0,"delta":"lo","item_id":"msg_1","logprobs":[],'
    b'"obfuscation":"x","output_index":0,"sequence_number":5}\n\n'
    b"event: response.output_text.done\n"
    b'data: {"type":"response.output_text.done","content_index":0,"item_id":"msg_1","logprobs":[],"output_index":0,'
    b'"sequence_number":6,"text":"Hello"}\n\n'
    b"event: response.content_part.done\n"
    b'data: {"type":"response.content_part.done","content_index":0,"item_id":"msg_1","output_index":0,'
    b'"part":{"type":"output_text","annotations":[],"logprobs":[],"text":"Hello"},"sequence_number":7}\n\n'
    b"event: response.output_item.done\n"
    b'data: {"type":"response.output_item.done","item":{"id":"msg_1","type":"message","status":"completed","content":['
    b'{"type":"output_text","annotations":[],"logprobs":[],"text":"Hello"}],"role":"assistant"},"output_index":0,'
    b'"sequence_number":8}\n\n'
    b"event: response.completed\n"
    b'data: {"type":"response.completed","response":{"id":"resp_1","object":"response","created_at":1763630067,'
    b'"status":"completed","model":"gpt-5.1","service_tier":"default","output":[{"id":"msg_1","type":"message",'
    b'"status":"completed","content":[{"type":"output_text","annotations":[],"logprobs":[],"text":"Hello"}],'
    b'"role":"assistant"}],"usage":{"input_tokens":9,"input_tokens_details":{"cached_tokens":4,'
    b'"cache_write_tokens":2},"output_tokens":3,"output_tokens_details":{"reasoning_tokens":1},"total_tokens":12}},'
    b'"sequence_number":9}\n\n'
)


def test_a_whole_stream_becomes_these_events() -> None:
    assert decode(PLAIN) == [
        START,
        PartStart(0, "text", extra={ITEM: {"id": "msg_1"}}),
        Text(0, "Hel"),
        Ping("keep-alive"),
        Text(0, "lo"),
        PartEnd(0),
        Usage(9, 3, 4, 2, 1),
        Finish("stop", "completed", extra={"service_tier": "default"}),
        End(),
    ]


def test_each_event_leaves_with_its_record() -> None:
    decoder = OpenAIResponsesDecoder()
    for frame, count in zip(PLAIN.split(b"\n\n")[:5], (1, 0, 0, 1, 1), strict=True):
        assert len(decoder.feed(frame + b"\n\n")) == count


@pytest.mark.parametrize("example", MINE, ids=str)
def test_the_examples_need_no_repair(example: Example) -> None:
    events = decode(example.wire)
    assert isinstance(events[-1], End if example.ends_cleanly else Error)


@pytest.mark.parametrize("example", [each for each in MINE if each.ends_cleanly], ids=str)
def test_the_examples_come_through_their_own_encoder_unchanged(example: Example) -> None:
    events = [Ping("ping") if isinstance(event, Ping) else event for event in decode(example.wire)]
    encoder = OpenAIResponsesEncoder()
    assert decode(b"".join(encoder.feed_many(events))) == events
    assert encoder.losses == {}


def test_the_name_of_an_sse_event_means_nothing() -> None:
    assert decode(PLAIN.replace(b"event: ", b"id: ")) == decode(PLAIN)


def test_further_fields_of_the_response_are_kept_and_those_that_change_come_with_the_finish() -> None:
    events = decode(frames(created(store=True, user=None, tools=[], top_p=0.5), completed(top_p=0.5, store=False)))
    assert events[0].extra == {"openai-responses.store": True, "openai-responses.top_p": 0.5}
    assert events[1].extra == {"openai-responses.store": False}


def test_reasoning_of_several_summaries_is_a_part_each_and_the_last_has_what_is_encrypted() -> None:
    item = {"id": "rs_1", "type": "reasoning", "summary": []}
    wire = frames(
        created(),
        added(0, {**item, "encrypted_content": "gAB"}),
        at("reasoning_summary_part.added", 0, "rs_1", summary_index=0, part={"type": "summary_text", "text": ""}),
        at("reasoning_summary_text.delta", 0, "rs_1", summary_index=0, delta="One"),
        at("reasoning_summary_text.done", 0, "rs_1", summary_index=0, text="One"),
        at("reasoning_summary_part.done", 0, "rs_1", summary_index=0, part={"type": "summary_text", "text": "One"}),
        at("reasoning_summary_part.added", 0, "rs_1", summary_index=1, part={"type": "summary_text", "text": ""}),
        at("reasoning_summary_text.delta", 0, "rs_1", summary_index=1, delta="Two"),
        at("reasoning_summary_text.done", 0, "rs_1", summary_index=1, text="Two"),
        done(0, {**item, "encrypted_content": "gABC"}),
        completed(),
    )
    assert decode(wire)[1:-1] == [
        PartStart(0, "reasoning", extra={ITEM: {"id": "rs_1"}}),
        Reasoning(0, "One"),
        PartEnd(0, extra={MORE: True}),
        PartStart(1, "reasoning", extra={ITEM: {"id": "rs_1"}}),
        Reasoning(1, "Two"),
        PartEnd(1, encrypted="gABC"),
        Finish("stop", "completed"),
    ]


def test_reasoning_without_a_text_still_brings_what_is_encrypted() -> None:
    item = {"id": "rs_1", "type": "reasoning", "summary": []}
    wire = frames(created(), added(0, item), done(0, {**item, "encrypted_content": "gABC"}), completed())
    assert decode(wire)[1:3] == [
        PartStart(0, "reasoning", extra={ITEM: {"id": "rs_1"}}),
        PartEnd(0, encrypted="gABC"),
    ]


def test_reasoning_as_text_says_that_it_is_one() -> None:
    item = {"id": "rs_1", "type": "reasoning", "summary": []}
    wire = frames(
        created(),
        added(0, item),
        at("content_part.added", 0, "rs_1", content_index=0, part={"type": "reasoning_text", "text": ""}),
        at("reasoning_text.delta", 0, "rs_1", content_index=0, delta="Hm"),
        at("reasoning_text.done", 0, "rs_1", content_index=0, text="Hm"),
        done(0, {**item, "content": [{"type": "reasoning_text", "text": "Hm"}]}),
        completed(),
    )
    assert decode(wire)[1:4] == [
        PartStart(0, "reasoning", extra={ITEM: {"id": "rs_1"}, FORM: "text"}),
        Reasoning(0, "Hm"),
        PartEnd(0),
    ]


def test_calls_overlap_and_their_ids_are_not_those_of_their_items() -> None:
    wire = frames(
        created(),
        added(0, call("fc_a", "f", status="in_progress")),
        at("function_call_arguments.delta", 0, "fc_a", delta='{"x"'),
        added(1, call("fc_b", "g", namespace="tools")),
        at("function_call_arguments.delta", 1, "fc_b", delta="{}"),
        at("function_call_arguments.delta", 0, "fc_a", delta=":1}"),
        at("function_call_arguments.done", 1, "fc_b", arguments="{}"),
        done(1, call("fc_b", "g", "{}")),
        at("function_call_arguments.done", 0, "fc_a", arguments='{"x":1}'),
        done(0, call("fc_a", "f", '{"x":1}')),
        completed(),
    )
    assert decode(wire)[1:] == [
        PartStart(0, "tool", "call_fc_a", "f", extra={ITEM: {"id": "fc_a"}}),
        ToolArgs(0, '{"x"'),
        PartStart(1, "tool", "call_fc_b", "g", extra={ITEM: {"id": "fc_b", "namespace": "tools"}}),
        ToolArgs(1, "{}"),
        ToolArgs(0, ":1}"),
        PartEnd(1),
        PartEnd(0),
        Finish("tool_calls", "completed"),
        End(),
    ]


def test_contents_of_one_message_are_parts_that_say_that_more_follow() -> None:
    wire = frames(
        created(),
        added(0, {"id": "msg_1", "type": "message", "content": []}),
        at("content_part.added", 0, "msg_1", content_index=0, part={"type": "output_text", "text": ""}),
        at("output_text.delta", 0, "msg_1", content_index=0, delta="So"),
        at("output_text.done", 0, "msg_1", content_index=0, text="So"),
        at("content_part.added", 0, "msg_1", content_index=1, part={"type": "refusal", "refusal": ""}),
        at("refusal.delta", 0, "msg_1", content_index=1, delta="No."),
        at("refusal.done", 0, "msg_1", content_index=1, refusal="No."),
        at("content_part.done", 0, "msg_1", content_index=1, part={"type": "refusal", "refusal": "No."}),
        done(0, {"id": "msg_1", "type": "message", "status": "incomplete", "content": []}),
        completed(),
    )
    extra: dict[str, object] = {ITEM: {"id": "msg_1"}}
    assert decode(wire)[1:-2] == [
        PartStart(0, "text", extra=extra),
        Text(0, "So"),
        PartEnd(0, extra={MORE: True}),
        PartStart(1, "refusal", extra=extra),
        Refusal(1, "No."),
        PartEnd(1, extra={"openai-responses.status": "incomplete"}),
    ]


def test_log_probabilities_annotations_and_further_fields_of_a_delta() -> None:
    entry = {"token": "Hi", "logprob": -0.5, "bytes": [72, 105], "top_logprobs": [{"token": "Hi", "logprob": -0.5}]}
    annotation = {"type": "url_citation", "url": "https://a.example", "title": "A", "start_index": 0, "end_index": 2}
    wire = frames(
        created(),
        added(0, {"id": "msg_1", "type": "message", "phase": "final_answer"}),
        at("content_part.added", 0, "msg_1", content_index=0, part={"type": "output_text", "text": ""}),
        at("output_text.delta", 0, "msg_1", content_index=0, delta="Hi", logprobs=[entry], mood="calm"),
        at("output_text.annotation.added", 0, "msg_1", content_index=0, annotation_index=0, annotation=annotation),
        done(0, {"id": "msg_1", "type": "message"}),
        completed(),
    )
    assert decode(wire)[1:4] == [
        PartStart(0, "text", extra={ITEM: {"id": "msg_1", "phase": "final_answer"}}),
        Text(0, "Hi", extra={"logprobs": [entry], "openai-responses.delta": {"mood": "calm"}}),
        Text(0, "", extra={"openai-responses.annotations": [annotation]}),
    ]


def test_every_cut_is_a_truncation() -> None:
    for length in range(len(CREATED), len(PLAIN) - 1):
        last = decode(PLAIN[:length])[-1]
        assert isinstance(last, Error)
        assert last.type == "truncated"


def test_done_ends_nothing_and_disturbs_nothing() -> None:
    assert decode(PLAIN + b"data: [DONE]\n\n") == decode(PLAIN)
    cut = PLAIN[: PLAIN.index(b"event: response.completed")] + b"data: [DONE]\n\n"
    assert isinstance(decode(cut, strict=False)[-1], Error)
    with pytest.raises(DecodeError, match=r"\[DONE\]"):
        decode(cut)


def test_unknown_records_and_those_of_built_in_tools_pass_as_they_came() -> None:
    records = [
        '{"type":"response.apply_patch_call_operation_diff.delta","sequence_number":1,"delta":"+x"}',
        '{"type":"response.output_item.added","sequence_number":2,"output_index":0,"item":{"type":"mcp_call"}}',
        '{"type":"response.content_part.added","sequence_number":3,"output_index":0,"part":{"type":"output_audio"}}',
        '{"type":7}',
        "[1]",
    ]
    wire = CREATED + b"".join(b"data: %b\n\n" % record.encode() for record in records)
    assert decode(wire)[1:-1] == [Raw("openai-responses", "", record) for record in records]


def test_a_keepalive_record_is_a_heartbeat() -> None:
    assert decode(frames(created(), {"type": "keepalive"}, completed()))[1] == Ping()


@pytest.mark.parametrize(
    ("created_at", "created_ns"),
    [(1763630067, 1763630067 * 10**9), (1763630067.5, 17636300675 * 10**8), (None, None), (-1, None), (1e300, None)],
)
def test_the_time_may_be_a_float(created_at: object, created_ns: int | None) -> None:
    start = decode(frames(created(created_at=created_at), completed()))[0]
    assert isinstance(start, Start)
    assert start.created_ns == created_ns


@pytest.mark.parametrize(
    ("record", "is_one"),
    [
        ({"type": "response.created", "response": {}}, True),
        ({"type": "response.output_text.delta", "delta": "x"}, True),
        ({"type": "error", "error": {"type": "x", "message": "y"}}, False),  # Anthropic's looks the same
        ({"type": "error", "error": {"type": "x", "message": "y"}, "sequence_number": 3}, True),
        ({"type": "message_start"}, False),
        ({"type": "start"}, False),
        ({"object": "chat.completion.chunk"}, False),
        ({"type": ["response.created"]}, False),
        ([], False),
        (None, False),
    ],
)
def test_what_looks_like_this_dialect(record: object, is_one: bool) -> None:
    assert DIALECT.looks_like(record, "message") is is_one


def test_a_stream_of_another_dialect_is_named() -> None:
    with pytest.raises(DecodeError, match="it looks like openai-chat"):
        decode(b'data: {"object":"chat.completion.chunk","choices":[]}\n\n')
