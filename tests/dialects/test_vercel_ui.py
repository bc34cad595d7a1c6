"""Vercel's UI message stream: what its chunks mean, and what its servers do that is not in the protocol.

Wires are written by hand, after what `streamText(...).toUIMessageStreamResponse()` of AI SDK 6 sends. What is written
is in test_vercel_ui_encoder.py.
"""

from __future__ import annotations

from typing import Any

import pytest

from streamkit.dialects.convert import decoder_of
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
    Start,
    Text,
    ToolArgs,
    Usage,
)
from streamkit.dialects.lifecycle import Lifecycle
from streamkit.dialects.sniff import AutoDecoder, guess
from streamkit.dialects.vercel_ui import DIALECT
from streamkit.errors import DecodeError
from streamkit.testing import check_limit, check_stage
from tests.dialects.examples import EXAMPLES, Example
from tests.dialects.wires import decode, refusal_of, repairs_of, sse

HERE = [example for example in EXAMPLES if example.dialect == "vercel-ui"]

START = {"type": "start", "messageId": "msg-1"}
FINISH = {"type": "finish", "finishReason": "stop"}
STARTED = Start("msg-1", dialect="vercel-ui")
ENDED = [Finish("stop", "stop"), End()]


def body_of(*records: object, strict: bool = True) -> list[Event]:
    """What comes of chunks between `start` and `finish`."""
    events = decode("vercel-ui", sse(START, *records, FINISH), strict=strict)
    assert events[0] == STARTED
    assert isinstance(events[-2], Finish)
    assert events[-1] == End()
    return events[1:-2]


def text(part_id: str = "0", *pieces: str) -> list[dict[str, Any]]:
    deltas = [{"type": "text-delta", "id": part_id, "delta": piece} for piece in pieces]
    return [{"type": "text-start", "id": part_id}, *deltas, {"type": "text-end", "id": part_id}]


def call(kind: str, **fields: object) -> dict[str, object]:
    return {"type": f"tool-input-{kind}", "toolCallId": "call_1", **fields}


NAMED = {"toolName": "search"}
OPENED = PartStart(0, "tool", "call_1", "search")


# --- Chunks to events -------------------------------------------------------------------------------------------------


def test_a_text_as_the_sdk_sends_it() -> None:
    wire = (
        b": stream-open\n\n"
        b'data: {"type":"start","messageMetadata":{"createdAt":1763630067412,"model":"gpt-4.1"},"messageId":"msg-1"}\n'
        b"\n"
        b'data: {"type":"start-step"}\n\n'
        b'data: {"type":"text-start","id":"0"}\n\n'
        b'data: {"type":"text-delta","id":"0","delta":"Hel"}\n\n'
        b": keep-alive\n\n"
        b'data: {"type":"text-delta","id":"0","delta":"lo"}\n\n'
        b'data: {"type":"text-end","id":"0"}\n\n'
        b'data: {"type":"finish-step"}\n\n'
        b'data: {"type":"finish","finishReason":"stop","messageMetadata":{"usage":{"inputTokens":31,'
        b'"inputTokenDetails":{"noCacheTokens":23,"cacheReadTokens":8},"outputTokens":9,"outputTokenDetails":'
        b'{"textTokens":4,"reasoningTokens":5},"totalTokens":40,"reasoningTokens":5,"cachedInputTokens":8}}}\n\n'
        b"data: [DONE]\n\n"
    )
    events = [
        Ping("stream-open"),
        Start("msg-1", "gpt-4.1", dialect="vercel-ui", created_ns=1763630067412000000),
        Custom("vercel.start-step"),
        PartStart(0, "text"),
        Text(0, "Hel"),
        Ping("keep-alive"),
        Text(0, "lo"),
        PartEnd(0),
        Custom("vercel.finish-step"),
        Usage(31, 9, cached=8, reasoning=5),
        Finish("stop", "stop"),
        End(),
    ]
    check_stage(lambda: DIALECT.decoder(strict=True), wire, events)


def test_reasoning_with_a_signature_and_some_that_only_the_vendor_can_read() -> None:
    signed = {"anthropic": {"signature": "c2ln"}}
    redacted = {"anthropic": {"redactedData": "ZW5j"}}
    assert body_of(
        {"type": "reasoning-start", "id": "0"},
        {"type": "reasoning-delta", "id": "0", "delta": "Hm"},
        {"type": "reasoning-delta", "id": "0", "delta": "", "providerMetadata": signed},
        {"type": "reasoning-end", "id": "0"},
        {"type": "reasoning-start", "id": "1", "providerMetadata": redacted},
        {"type": "reasoning-end", "id": "1"},
    ) == [
        PartStart(0, "reasoning"),
        Reasoning(0, "Hm"),
        Reasoning(0, "", extra={"vercel.providerMetadata": signed}),
        PartEnd(0, "c2ln"),
        PartStart(1, "reasoning", extra={"vercel.providerMetadata": redacted}),
        PartEnd(1, "", "ZW5j"),
    ]


@pytest.mark.parametrize(
    ("metadata", "signature", "encrypted"),
    [
        ({"google": {"thoughtSignature": "s"}}, "s", ""),
        ({"openai": {"itemId": "rs_1", "reasoningEncryptedContent": "e"}}, "", "e"),
        ({"openai": {"itemId": "rs_1", "reasoningEncryptedContent": None}}, "", ""),
        ({"streamkit": {"signature": "s", "encrypted": "e"}}, "s", "e"),
        ({"x": {}}, "", ""),
        ("no object", "", ""),
    ],
)
def test_where_providers_put_signatures(metadata: object, signature: str, encrypted: str) -> None:
    ended = {"type": "text-end", "id": "0", "providerMetadata": metadata}
    extra = {"vercel.providerMetadata": metadata}
    assert body_of(text()[0], ended)[-1] == PartEnd(0, signature, encrypted, extra=extra)


def test_a_tool_call_in_pieces() -> None:
    assert body_of(
        call("start", **NAMED),
        call("delta", inputTextDelta='{"q":'),
        call("delta", inputTextDelta='"snow" }'),
        call("available", **NAMED, input={"q": "snow"}),
    ) == [OPENED, ToolArgs(0, '{"q":'), ToolArgs(0, '"snow" }'), PartEnd(0)]


def test_a_tool_call_in_one_piece() -> None:
    metadata = {"google": {"thoughtSignature": "s"}}
    extra: dict[str, object] = {"vercel.providerMetadata": metadata}
    assert body_of(call("available", **NAMED, input={"q": "why"}, providerMetadata=metadata)) == [
        PartStart(0, "tool", "call_1", "search", extra=extra),
        ToolArgs(0, '{"q":"why"}'),
        PartEnd(0, "s", extra=extra),
    ]


@pytest.mark.parametrize("fields", [{}, {"input": None}, {"input": {}}])
def test_a_tool_call_without_arguments(fields: dict[str, object]) -> None:
    assert body_of(call("available", **NAMED, **fields)) == [OPENED, ToolArgs(0, "{}"), PartEnd(0)]


def test_a_call_that_was_opened_and_comes_in_one_piece_all_the_same() -> None:
    """The class of Gitlawb/openclaude#1259: the arguments are only in the event that closes the call."""
    events = body_of(call("start", **NAMED), call("available", **NAMED, input={"q": 1}))
    assert events == [OPENED, ToolArgs(0, '{"q":1}'), PartEnd(0)]


def test_parallel_calls_that_interleave_are_kept_apart() -> None:
    """The class of BerriAI/litellm#5231: the arguments of two calls run into each other."""
    other = {"toolCallId": "call_2", "toolName": "grep"}
    assert body_of(
        call("start", **NAMED),
        {"type": "tool-input-start", **other},
        call("delta", inputTextDelta='{"a"'),
        {"type": "tool-input-delta", "toolCallId": "call_2", "inputTextDelta": '{"b":2}'},
        call("delta", inputTextDelta=":1}"),
        {"type": "tool-input-available", **other, "input": {"b": 2}},
        call("available", **NAMED, input={"a": 1}),
    ) == [
        OPENED,
        PartStart(1, "tool", "call_2", "grep"),
        ToolArgs(0, '{"a"'),
        ToolArgs(1, '{"b":2}'),
        ToolArgs(0, ":1}"),
        PartEnd(1),
        PartEnd(0),
    ]


def test_an_input_that_the_sdk_has_completed_with_defaults_is_kept() -> None:
    """A schema's default is in `input` and not in what the model wrote; another dialect gets what the model wrote."""
    assert body_of(
        call("start", **NAMED),
        call("delta", inputTextDelta='{"q":1}'),
        call("available", **NAMED, input={"q": 1, "unit": "C"}),
    ) == [OPENED, ToolArgs(0, '{"q":1}'), PartEnd(0, extra={"vercel.input": {"q": 1, "unit": "C"}})]


def test_an_input_that_is_no_json() -> None:
    assert body_of(
        call("start", **NAMED),
        call("delta", inputTextDelta='{"q":'),
        call("error", **NAMED, input='{"q":', errorText="bad"),
    ) == [OPENED, ToolArgs(0, '{"q":'), PartEnd(0, extra={"vercel.errorText": "bad"})]


@pytest.mark.parametrize(
    ("given", "json_text"), [('{"q":', '{"q":'), ({"q": 1}, '{"q":1}'), (None, ""), ("", ""), (5, "5")]
)
def test_an_input_that_is_no_json_in_one_piece(given: object, json_text: str) -> None:
    pieces = [ToolArgs(0, json_text)] if json_text else []
    events = body_of(call("error", **NAMED, input=given, errorText="bad"))
    assert events == [OPENED, *pieces, PartEnd(0, extra={"vercel.errorText": "bad"})]


def test_an_input_that_is_text_becomes_a_json_string() -> None:
    """`inputEncoding: "text"` is for tools whose input is a patch or a program."""
    extra: dict[str, object] = {"vercel.inputEncoding": "text"}
    events = body_of(
        call("start", **NAMED, inputEncoding="text"),
        call("delta", inputTextDelta='a "b'),
        call("delta", inputTextDelta="\n"),
        call("available", **NAMED, input='a "b\n'),
    )
    assert events == [
        PartStart(0, "tool", "call_1", "search", extra=extra),
        ToolArgs(0, '"a \\"b', extra={"vercel.inputTextDelta": 'a "b'}),
        ToolArgs(0, "\\n", extra={"vercel.inputTextDelta": "\n"}),
        ToolArgs(0, '"', extra={"vercel.inputTextDelta": ""}),
        PartEnd(0),
    ]


def test_what_has_no_field_becomes_custom() -> None:
    output = {"toolCallId": "call_1", "output": {"n": 1}, "preliminary": True}
    source = {"sourceId": "s1", "url": "https://x.example", "title": "X"}
    assert body_of(
        {"type": "data-weather", "id": "w1", "data": {"city": "Oslo"}, "transient": True},
        {"type": "data-note", "data": None},
        {"type": "tool-output-available", **output},
        {"type": "tool-output-error", "toolCallId": "call_1"},
        {"type": "source-url", **source},
        {"type": "message-metadata", "messageMetadata": {"usage": {"inputTokens": 3}, "ms": 4}},
        {"type": "start-step"},
    ) == [
        Custom("weather", {"city": "Oslo"}, extra={"vercel.id": "w1", "vercel.transient": True}),
        Custom("note"),
        Custom("vercel.tool-output-available", output),
        Custom("vercel.tool-output-error", {"toolCallId": "call_1"}),
        Custom("vercel.source-url", source),
        Usage(3),
        Custom("vercel.message-metadata", {"messageMetadata": {"usage": {"inputTokens": 3}, "ms": 4}}),
        Custom("vercel.start-step"),
    ]


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("content-filter", "content_filter"),
        ("error", "error"),
        ("other", "other"),
        ("unknown", "other"),
        ("brand-new", "other"),
    ],
)
def test_reasons(word: str, reason: FinishReason) -> None:
    events = decode("vercel-ui", sse(START, {"type": "finish", "finishReason": word}), strict=True)
    assert events == [STARTED, Finish(reason, word), End()]


def test_a_finish_without_a_reason_is_a_stop() -> None:
    """AI SDK 5 says none."""
    assert decode("vercel-ui", sse(START, {"type": "finish"}), strict=True) == [STARTED, Finish("stop"), End()]


@pytest.mark.parametrize(
    ("word", "reason"), [("stop", "tool_calls"), ("tool-calls", "tool_calls"), ("length", "length")]
)
def test_a_tool_call_makes_a_stop_tool_calls_and_overrides_nothing_else(word: str, reason: FinishReason) -> None:
    """The classes of BerriAI/litellm#35663 and NousResearch/hermes-agent PR #43478."""
    wire = sse(START, call("available", **NAMED, input={}), {"type": "finish", "finishReason": word})
    assert decode("vercel-ui", wire, strict=True)[-2:] == [Finish(reason, word), End()]


def test_an_abort_is_a_cancelled_answer() -> None:
    """The parts that were open are no mistake then."""
    wire = sse(START, *text("0", "Hel")[:2], {"type": "abort", "reason": "user"})
    events = decode("vercel-ui", wire, strict=True)
    assert events[-3:] == [PartEnd(0), Finish("cancelled", "abort", extra={"vercel.reason": "user"}), End()]


@pytest.mark.parametrize(
    ("metadata", "usage"),
    [
        ({"usage": {"inputTokens": 5, "outputTokens": 2}}, Usage(5, 2)),
        ({"usage": {"inputTokens": 5, "cachedInputTokens": 1, "reasoningTokens": 0}}, Usage(5, cached=1, reasoning=0)),
        ({"usage": {"inputTokens": 5.0, "raw": {"x": 1}}}, Usage(5, extra={"vercel.raw": {"x": 1}})),
        ({"usage": {"inputTokens": 5, "inputTokenDetails": {"cacheWriteTokens": 2}}}, Usage(5, cache_write=2)),
    ],
)
def test_token_counts(metadata: object, usage: Usage) -> None:
    wire = sse(START, {**FINISH, "messageMetadata": metadata})
    assert decode("vercel-ui", wire, strict=True) == [STARTED, usage, *ENDED]


@pytest.mark.parametrize(
    "metadata",
    [5, "x", [1], {"usage": 5}, {"usage": {}}, {"usage": {"inputTokens": "5"}}, {"usage": {"inputTokens": -1}}],
)
def test_metadata_of_an_application_is_never_wrong(metadata: object) -> None:
    wire = sse(START, {**FINISH, "messageMetadata": metadata})
    extra = {"vercel.messageMetadata": metadata}
    assert decode("vercel-ui", wire, strict=True) == [STARTED, Finish("stop", "stop", extra=extra), End()]


@pytest.mark.parametrize("created", ["2025-11-20T09:14:27Z", 1.5, True, -1, 0, 10**30, None])
def test_a_time_in_another_form_stays_in_the_metadata(created: object) -> None:
    wire = sse({"type": "start", "messageMetadata": {"createdAt": created, "model": "m"}}, FINISH)
    first = decode("vercel-ui", wire, strict=True)[0]
    assert first == Start("", "m", dialect="vercel-ui", extra={"vercel.messageMetadata": {"createdAt": created}})


# --- Errors and cuts --------------------------------------------------------------------------------------------------


def test_an_error_in_the_stream_is_the_end_whatever_the_sdk_sends_after_it() -> None:
    """The class of BerriAI/litellm#40578: an error mid-stream looks like a success. The SDK itself goes on after it."""
    wire = sse(
        START,
        *text("0", "Hel")[:2],
        {"type": "error", "errorText": "boom"},
        {"type": "finish-step"},
        {"type": "finish", "finishReason": "error"},
    )
    assert decode("vercel-ui", wire, strict=True) == [STARTED, PartStart(0, "text"), Text(0, "Hel"), Error("boom")]


def test_an_error_before_anything_else() -> None:
    assert decode("vercel-ui", sse({"type": "error", "errorText": "nope"}), strict=True) == [Error("nope")]


@pytest.mark.parametrize("records", [[START], [START, *text("0", "Hel")], [START, *text("0", "Hel"), FINISH]])
def test_without_done_a_stream_was_cut(records: list[object]) -> None:
    """The class of MCPJam/inspector PR #4025: the end of the bytes taken for the end of the answer."""
    last = decode("vercel-ui", sse(*records, done=False))[-1]
    assert last == Error("the stream ends without its terminator", "truncated")


def test_text_after_an_error_is_dropped() -> None:
    wire = sse(START, {"type": "error", "errorText": "boom"}, *text("0", "Hel"))
    assert decode("vercel-ui", wire)[-1] == Error("boom")
    assert repairs_of("vercel-ui", wire) == {"after-end": 3}


# --- Repairs ----------------------------------------------------------------------------------------------------------

REPAIRS = [
    ("no-start", [*text("0", "Hel"), FINISH], "Hel"),
    ("no-start", [FINISH], ""),
    ("no-finish", [START, *text("0", "Hel")], "Hel"),
    ("second-start", [START, *text("0", "Hel"), START, FINISH], "Hel"),
    ("second-finish", [START, *text("0", "Hel"), FINISH, FINISH], "Hel"),
    ("after-finish", [START, *text("0", "Hel"), FINISH, *text("1", "lo")], "Hello"),
    ("no-part-start", [START, {"type": "text-delta", "id": "0", "delta": "Hel"}, text()[1], FINISH], "Hel"),
    ("no-part-start", [START, text()[1], FINISH], ""),
    ("no-part-start", [START, call("delta", inputTextDelta='{"q":1}'), FINISH], ""),
    ("part-restarted", [START, *text("0", "Hel")[:2], *text("0", "lo"), FINISH], "Hello"),
    ("part-restarted", [START, call("start", **NAMED), call("start", **NAMED), call("available", **NAMED), FINISH], ""),
    ("part-not-ended", [START, *text("0", "Hel")[:2], FINISH], "Hel"),
    ("part-not-ended", [START, *text("0", "Hel")[:2], {"type": "finish-step"}, FINISH], "Hel"),
    ("part-not-ended", [START, call("start", **NAMED), FINISH], ""),
    ("tool-repeated", [START, call("available", **NAMED, input={}), call("available", **NAMED, input={}), FINISH], ""),
]


@pytest.mark.parametrize(("code", "chunks", "said"), REPAIRS)
def test_repairs_and_their_refusal(code: str, chunks: list[object], said: str) -> None:
    wire = sse(*chunks)
    events = decode("vercel-ui", wire)
    assert "".join([event.text for event in events if isinstance(event, Text)]) == said
    assert events[-1] == End()
    assert code in repairs_of("vercel-ui", wire)
    assert refusal_of("vercel-ui", wire)


def test_a_delta_before_its_call_is_made_good_by_the_whole_input() -> None:
    """The first fragment lost on a switch of blocks, BerriAI/litellm#25321, does no harm where the whole comes too."""
    wire = sse(START, call("delta", inputTextDelta='"q":1}'), call("available", **NAMED, input={"q": 1}), FINISH)
    assert decode("vercel-ui", wire)[1:-2] == [OPENED, ToolArgs(0, '{"q":1}'), PartEnd(0)]


def test_pieces_of_an_input_that_are_not_all_of_it_are_completed() -> None:
    wire = sse(
        START,
        call("start", **NAMED),
        call("delta", inputTextDelta='{"q":'),
        call("available", **NAMED, input={"q": 1}),
        FINISH,
    )
    assert decode("vercel-ui", wire)[1:-2] == [OPENED, ToolArgs(0, '{"q":'), ToolArgs(0, "1}"), PartEnd(0)]
    assert repairs_of("vercel-ui", wire) == {"tool-input-cut": 1}
    assert refusal_of("vercel-ui", wire) == "tool-input-cut"


def test_an_answer_that_was_aborted_stays_so() -> None:
    wire = sse(START, {"type": "abort"}, FINISH)
    assert decode("vercel-ui", wire)[-2:] == [Finish("cancelled", "abort"), End()]


# --- Unknown and hostile records --------------------------------------------------------------------------------------


def test_unknown_records_pass_as_they_came() -> None:
    wire = sse(START, done=False) + b'data: {"type":"brand-new", "n": 1.0}\n\ndata: 5\n\ndata: {"type":"error"}\n\n'
    raws = [Raw("vercel-ui", "", '{"type":"brand-new", "n": 1.0}'), Raw("vercel-ui", "", "5")]
    assert decode("vercel-ui", wire + sse(FINISH), strict=True) == [
        STARTED,
        *raws,
        Raw("vercel-ui", "", '{"type":"error"}'),
        *ENDED,
    ]


def test_a_data_chunk_with_the_name_of_one_of_ours_is_not_taken_for_it() -> None:
    wire = sse(START, {"type": "data-vercel.start-step", "data": 1}, FINISH)
    assert decode("vercel-ui", wire)[1] == Raw("vercel-ui", "", '{"type": "data-vercel.start-step", "data": 1}')


VALUES: list[object] = [None, 0, -1, 1.5, True, [], [[]], {}, {"x": None}, "", "\u2028"]

HOSTILE = [
    {**chunk, key: value}
    for chunk in (
        *(START, FINISH, *text("0", "x"), call("start", **NAMED), call("delta", inputTextDelta="x")),
        *(
            call("available", **NAMED, input={}),
            call("error", **NAMED, errorText="x"),
            {"type": "abort", "reason": "x"},
        ),
        *(
            {"type": "data-x", "data": 1},
            {"type": "file", "url": "u", "mediaType": "m"},
            {"type": "error", "errorText": ""},
        ),
    )
    for key in chunk
    for value in VALUES
]


@pytest.mark.parametrize("chunk", HOSTILE, ids=str)
def test_fields_of_a_wrong_type(chunk: dict[str, object]) -> None:
    decoder = decoder_of("vercel-ui")
    opened = [call("start", **NAMED), {"type": "text-start", "id": "0"}]
    try:
        events = [*decoder.feed(sse(START, *opened, chunk, FINISH)), *decoder.finish()]
    except DecodeError as error:
        assert error.code == "bad-field"  # noqa: PT017 - either is right
    else:
        assert [*Lifecycle().feed_many(events)] == []


def test_a_record_without_end_is_refused_at_the_limit() -> None:
    check_limit(lambda: DIALECT.decoder(max_record_bytes=500), b'data: {"type":"text-delta","delta":"', b"x" * 50, 500)


# --- What it looks like -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("example", HERE, ids=str)
def test_every_record_of_the_examples_looks_like_it(example: Example) -> None:
    from tests.dialects.mutants import records_of

    for record in records_of(example):
        if isinstance(record.value, dict):
            assert DIALECT.looks_like(record.value, "message"), record.value


@pytest.mark.parametrize(
    "record",
    [
        {"type": "start", "data": {"agent": "ollama"}},
        {"type": "end"},
        {"type": "error", "error": {"type": "overloaded_error", "message": "x"}},
        {"type": "error", "data": {"message": "x"}},
        {"type": "message_start", "message": {}},
        {"type": "response.created"},
        {"type": "RUN_STARTED", "threadId": "t", "runId": "r"},
        {"type": "ping"},
        {"type": "data-x"},
        {"type": "data-", "data": 1},
        {"type": 5},
        {"choices": []},
        [],
        None,
    ],
)
def test_records_of_others_do_not_look_like_it(record: object) -> None:
    assert not DIALECT.looks_like(record, "message")


def test_the_shortest_start_leaves_it_open() -> None:
    assert DIALECT.looks_like({"type": "start"}, "message")
    assert not DIALECT.looks_like({"type": "start"}, "start")
    auto = AutoDecoder()
    assert auto.feed(sse({"type": "start"}, done=False)) == []
    assert auto.feed(sse({"type": "text-start", "id": "0"}, done=False))[-1] == PartStart(0, "text")
    assert auto.found == "vercel-ui"


def test_another_dialect_is_named() -> None:
    with pytest.raises(DecodeError, match="it looks like openai-chat") as caught:
        decode("vercel-ui", sse({"id": "x", "object": "chat.completion.chunk", "choices": []}))
    assert caught.value.code == "wrong-dialect"
    assert guess(sse(START, {"type": "start-step"})) == "vercel-ui"
