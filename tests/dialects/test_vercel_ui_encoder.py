"""Vercel's UI message stream, written: exact bytes, what is lost, what stays as it came, and the finished message.

That AI SDK 6 reads all this as meant is shown by test_node_sdks.py.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from streamkit.dialects.convert import Converter, decoder_of, encoder_of
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
from streamkit.dialects.vercel_ui import DIALECT
from streamkit.dialects.vercel_ui_encoder import MAX_HELD
from streamkit.errors import EncodeError, ReportedError
from streamkit.testing import check_items
from tests.dialects.examples import EXAMPLES, Example
from tests.dialects.wires import convert, decode, encode, records, sse

HERE = [example for example in EXAMPLES if example.dialect == "vercel-ui"]

TOOL = PartStart(0, "tool", "call_1", "search")

OPENING = b'data: {"type":"start","messageId":"a"}\n\ndata: {"type":"start-step"}\n\n'


def body_of(*events: Event, reason: FinishReason = "stop") -> list[dict[str, object]]:
    """The chunks between the first and the last step."""
    chunks = records(encode("vercel-ui", [Start("a"), *events, Finish(reason), End()]))
    assert chunks[:2] == [{"type": "start", "messageId": "a"}, {"type": "start-step"}]
    assert [chunk["type"] for chunk in chunks[-2:]] == ["finish-step", "finish"]
    return chunks[2:-2]


def losses_of(*events: Event) -> dict[str, int]:
    encoder = encoder_of("vercel-ui")
    encoder.feed_many([Start(), *events])
    return dict(encoder.losses)


# --- Events to bytes -------------------------------------------------------------------------------------------------


def test_a_text_each_piece_at_once() -> None:
    inputs = [
        Start("msg-1", "m", created_ns=1763630067412345678),
        PartStart(0, "text"),
        Text(0, "Hel\u2028"),
        Ping(),
        Text(0, "lo"),
        PartEnd(0),
        Usage(31, 9, cached=8, reasoning=5),
        Finish("stop"),
        End(),
    ]
    opening = (
        b'data: {"type":"start","messageId":"msg-1","messageMetadata":{"model":"m","createdAt":1763630067412}}\n\n'
        b'data: {"type":"start-step"}\n\n'
    )
    closing = (
        b'data: {"type":"finish-step"}\n\n'
        b'data: {"type":"finish","finishReason":"stop","messageMetadata":{"usage":{"inputTokens":31,'
        b'"inputTokenDetails":{"noCacheTokens":23,"cacheReadTokens":8},"outputTokens":9,"outputTokenDetails":'
        b'{"textTokens":4,"reasoningTokens":5},"totalTokens":40,"cachedInputTokens":8,"reasoningTokens":5}}}\n\n'
        b"data: [DONE]\n\n"
    )
    outputs = [
        [opening],
        [b'data: {"type":"text-start","id":"text-0"}\n\n'],
        [b'data: {"type":"text-delta","id":"text-0","delta":"Hel\\u2028"}\n\n'],
        [b": keep-alive\n\n"],
        [b'data: {"type":"text-delta","id":"text-0","delta":"lo"}\n\n'],
        [b'data: {"type":"text-end","id":"text-0"}\n\n'],
        [],
        [],
        [closing],
    ]
    check_items(DIALECT.encoder, inputs, outputs, joined=True)


def test_the_shortest_stream() -> None:
    closing = b'data: {"type":"finish-step"}\n\ndata: {"type":"finish","finishReason":"stop"}\n\ndata: [DONE]\n\n'
    assert encode("vercel-ui", [Start("a"), Finish("stop"), End()]) == OPENING + closing
    assert encode("vercel-ui", [Start(), Finish("stop"), End()]).startswith(b'data: {"type":"start"}\n\n')


def test_a_tool_call_is_written_as_it_comes_and_once_more_as_a_value() -> None:
    assert body_of(TOOL, ToolArgs(0, '{"q": '), ToolArgs(0, "1.50}"), PartEnd(0), reason="tool_calls") == [
        {"type": "tool-input-start", "toolCallId": "call_1", "toolName": "search"},
        {"type": "tool-input-delta", "toolCallId": "call_1", "inputTextDelta": '{"q": '},
        {"type": "tool-input-delta", "toolCallId": "call_1", "inputTextDelta": "1.50}"},
        {"type": "tool-input-available", "toolCallId": "call_1", "toolName": "search", "input": {"q": 1.5}},
    ]


@pytest.mark.parametrize("pieces", [[], [""], ["{}"], [" "]])
def test_a_call_without_arguments_has_an_empty_input(pieces: list[str]) -> None:
    chunks = body_of(TOOL, *[ToolArgs(0, piece) for piece in pieces], PartEnd(0), reason="tool_calls")
    assert chunks[-1] == {"type": "tool-input-available", "toolCallId": "call_1", "toolName": "search", "input": {}}
    assert {} not in [chunk.get("inputTextDelta") for chunk in chunks]


@pytest.mark.parametrize("json_text", ['{"q":', "nonsense", '{"q":1e400}', "[" * 600 + "]" * 600])
def test_arguments_that_are_no_json_are_an_input_error(json_text: str) -> None:
    """Cut by the length limit, most often. The client has the text, and does not run the tool."""
    chunk = body_of(TOOL, ToolArgs(0, json_text), PartEnd(0), reason="length")[-1]
    assert chunk.pop("errorText", "").startswith("the input is not JSON")  # type: ignore[attr-defined]
    assert chunk == {"type": "tool-input-error", "toolCallId": "call_1", "toolName": "search", "input": json_text}


def test_arguments_just_within_the_depth_that_a_chunk_can_hold() -> None:
    deepest = "[" * 512 + "]" * 512  # within a chunk one level deeper than a decoder takes
    assert body_of(TOOL, ToolArgs(0, deepest), PartEnd(0))[-1]["type"] == "tool-input-error"
    assert body_of(TOOL, ToolArgs(0, deepest[1:-1]), PartEnd(0))[-1]["type"] == "tool-input-available"


def test_interleaved_calls_and_texts_stay_apart() -> None:
    """The class of praxis-proxy/ai#266: a piece is written to the call that is current, not to its own."""
    chunks = body_of(
        PartStart(0, "text"),
        Text(0, "a"),
        PartStart(1, "tool", "x", "f"),
        PartStart(2, "text"),
        PartStart(3, "tool", "y", "f"),
        Text(2, "b"),
        ToolArgs(3, "[3"),
        ToolArgs(1, "[1"),
        Text(0, "c"),
        ToolArgs(3, "]"),
        PartEnd(0),
        Text(2, "d"),
        ToolArgs(1, "]"),
        PartEnd(3),
        PartEnd(2),
        PartEnd(1),
        reason="tool_calls",
    )
    deltas = [(chunk["id"], chunk["delta"]) for chunk in chunks if chunk["type"] == "text-delta"]
    assert deltas == [("text-0", "a"), ("text-2", "b"), ("text-0", "c"), ("text-2", "d")]
    inputs = {chunk["toolCallId"]: chunk["input"] for chunk in chunks if chunk["type"] == "tool-input-available"}
    assert inputs == {"x": [1], "y": [3]}


def test_calls_without_ids_and_with_the_same_id_are_kept_apart() -> None:
    """The client merges chunks by `toolCallId`: intrafind/ihub-apps PR #1954 lost calls that way."""
    starts = [PartStart(part, "tool", tool_id, "f") for part, tool_id in enumerate(["", "", "x", "x", "call_0"])]
    chunks = body_of(*starts, *[PartEnd(start.part) for start in starts], reason="tool_calls")
    ids = [chunk["toolCallId"] for chunk in chunks if chunk["type"] == "tool-input-start"]
    assert ids == ["call_0", "call_1", "x", "x_", "call_0_"]
    assert [chunk["toolCallId"] for chunk in chunks if chunk["type"] == "tool-input-available"] == ids


@pytest.mark.parametrize(
    ("source", "metadata"),
    [
        ("anthropic", {"anthropic": {"signature": "s", "redactedData": "e"}}),
        ("gemini", {"google": {"thoughtSignature": "s", "encrypted": "e"}}),
        ("openai-responses", {"openai": {"signature": "s", "reasoningEncryptedContent": "e"}}),
        ("", {"streamkit": {"signature": "s", "encrypted": "e"}}),
    ],
)
def test_signatures_go_where_the_provider_of_the_sdk_looks_for_them(source: str, metadata: object) -> None:
    """The class of maximhq/bifrost#1437: a signature is lost, and the next request is refused."""
    part = [PartStart(0, "reasoning"), Reasoning(0, "Hm"), PartEnd(0, "s", "e")]
    wire = encode("vercel-ui", [Start(dialect=source), *part, Finish("stop"), End()])
    assert records(wire)[4] == {"type": "reasoning-end", "id": "reasoning-0", "providerMetadata": metadata}
    assert PartEnd(0, "s", "e", extra={"vercel.providerMetadata": metadata}) in decode("vercel-ui", wire)


def test_a_signature_is_written_once() -> None:
    metadata = {"anthropic": {"signature": "s"}}
    events: list[Event] = [
        Start(dialect="vercel-ui"),
        PartStart(0, "reasoning"),
        Reasoning(0, "", extra={"vercel.providerMetadata": metadata}),
        PartEnd(0, "s"),
        PartStart(1, "text"),
        PartEnd(1, "s", extra={"vercel.providerMetadata": {"x": {"y": 1}}}),
        Finish("stop"),
        End(),
    ]
    chunks = records(encode("vercel-ui", events))
    assert "providerMetadata" not in chunks[3]
    assert chunks[5]["providerMetadata"] == {"streamkit": {"signature": "s"}, "x": {"y": 1}}


def test_custom_events() -> None:
    assert body_of(
        Custom("ui_control", {"action": "change_theme"}),
        Custom("note"),
        Custom("w", 1, extra={"vercel.id": "w1", "vercel.transient": True}),
        Custom("vercel.file", {"url": "u", "mediaType": "m"}),
        Custom("vercel.file", "u"),
        Custom("vercel.nothing", {}),
        Custom("vercel.finish-step"),
        Custom("vercel.finish-step"),
        Custom("vercel.start-step"),
        Custom("vercel.start-step"),
    ) == [
        {"type": "data-ui_control", "data": {"action": "change_theme"}},
        {"type": "data-note", "data": None},
        {"type": "data-w", "data": 1, "id": "w1", "transient": True},
        {"type": "file", "url": "u", "mediaType": "m"},
        {"type": "data-vercel.file", "data": "u"},
        {"type": "data-vercel.nothing", "data": {}},
        {"type": "finish-step"},
        {"type": "start-step"},
    ]


def test_a_custom_event_may_come_before_the_start() -> None:
    wire = encode("vercel-ui", [Custom("x", 1), Ping("hi"), Start("a"), Finish("stop"), End()])
    assert wire.startswith(b'data: {"type":"data-x","data":1}\n\n: hi\n\n' + OPENING)


@pytest.mark.parametrize(
    ("reason", "word"),
    [
        ("stop", "stop"),
        ("stop_sequence", "stop"),
        ("length", "length"),
        ("context_overflow", "length"),
        ("content_filter", "content-filter"),
        ("pause", "other"),
        ("error", "error"),
        ("other", "other"),
    ],
)
def test_reasons(reason: FinishReason, word: str) -> None:
    wire = encode("vercel-ui", [Start(), Finish(reason, "whatever"), End()])
    assert wire.endswith(b'data: {"type":"finish","finishReason":"%b"}\n\ndata: [DONE]\n\n' % word.encode())


def test_tool_calls_is_a_word_of_its_own() -> None:
    wire = encode("vercel-ui", [Start(), TOOL, PartEnd(0), Finish("tool_calls"), End()])
    assert b'{"type":"finish","finishReason":"tool-calls"}' in wire


@pytest.mark.parametrize(("raw_reason", "more"), [("", {}), ("abort", {"reason": "abort"})])
def test_a_cancelled_answer_is_an_abort(raw_reason: str, more: dict[str, str]) -> None:
    chunks = records(encode("vercel-ui", [Start(), Finish("cancelled", raw_reason), End()]))
    assert chunks[2:] == [{"type": "finish-step"}, {"type": "abort", **more}]


@pytest.mark.parametrize(
    ("usage", "written"),
    [
        (Usage(5, 2), {"inputTokens": 5, "outputTokens": 2, "totalTokens": 7}),
        (Usage(5), {"inputTokens": 5}),
        (Usage(None, 2, cached=1), {"outputTokens": 2}),
        (
            Usage(5, 2, cached=4, cache_write=3),
            {
                "inputTokens": 5,
                "inputTokenDetails": {"noCacheTokens": 0, "cacheReadTokens": 4, "cacheWriteTokens": 3},
                "outputTokens": 2,
                "totalTokens": 7,
                "cachedInputTokens": 4,
            },
        ),
        (Usage(total_ns=5), None),
    ],
)
def test_token_counts(usage: Usage, written: object) -> None:
    wire = encode("vercel-ui", [Start(), Usage(1, 1), usage, Finish("stop"), End()])
    last = records(encode("vercel-ui", [Start(), usage, Finish("stop"), End()]))[-1]
    assert last.get("messageMetadata") == (None if written is None else {"usage": written})
    assert b'"usage"' in wire
    assert b'"usage"' not in encode("vercel-ui", [Start(), usage, Finish("stop"), End()], include_usage=False)


# --- What is lost, and what is refused -------------------------------------------------------------------------------


def test_losses() -> None:
    refused = [PartStart(0, "refusal"), Refusal(0, "No"), PartEnd(0)]
    assert losses_of(*refused) == {"refusal": 1}
    assert losses_of(PartStart(0, "text", choice=1), Text(0, "x", choice=1)) == {"choice": 2}
    assert losses_of(Raw("anthropic", "", "{}")) == {"raw": 1}
    assert losses_of(PartStart(0, "text"), Text(0, "x", extra={"logprobs": [], "gemini.x": 1})) == {"gemini.x": 1}
    assert losses_of(Custom("x"), Ping(), Usage(1, 2), *refused[:1], PartEnd(0, "s", "e")) == {}


def test_a_refusal_is_text() -> None:
    """The reason stays what the vendor said: law L6."""
    chunks = body_of(PartStart(0, "refusal"), Refusal(0, "No"), PartEnd(0))
    assert [chunk["type"] for chunk in chunks] == ["text-start", "text-delta", "text-end"]


def test_log_probabilities_are_read_back() -> None:
    entry = {"token": "x", "logprob": -0.5, "top_logprobs": []}
    extra: dict[str, object] = {"logprobs": [entry]}
    events = [PartStart(0, "text"), Text(0, "x", extra=extra), PartEnd(0)]
    assert body_of(*events)[1] == {"type": "text-delta", "id": "text-0", "delta": "x", "logprobs": [entry]}
    assert decode("vercel-ui", encode("vercel-ui", [Start("a"), *events, Finish("stop"), End()]))[3] == events[1]


@pytest.mark.parametrize(
    "events",
    [
        [Text(5, "x", extra={"vercel.x": 1})],
        [PartStart(0, "reasoning"), Reasoning(1, "x")],
        [TOOL, Text(0, "x")],
        [PartStart(0, "text"), ToolArgs(0, "{}")],
        [ToolArgs(0, "{}")],
        [PartEnd(0)],
        [TOOL, ToolArgs(0, "x" * (MAX_HELD + 1))],
        [Custom("x", float("nan"))],
        [PartStart(0, "text"), Text(0, "\ud800")],
        [Start()],
    ],
    ids=str,
)
def test_what_cannot_be_written_is_an_error_in_the_stream_too(events: list[Event]) -> None:
    encoder = encoder_of("vercel-ui")
    encoder.feed(Start())
    with pytest.raises(EncodeError) as caught:
        encoder.feed_many(events)
    (written,) = caught.value.items
    assert isinstance(written, bytes)
    assert records(written)[-1]["type"] == "error"
    assert b"[DONE]" not in written


@pytest.mark.parametrize("events", [[Start()], [Start(), PartStart(0, "text"), Text(0, "x")], []])
def test_neither_an_error_nor_a_cut_is_followed_by_done(events: list[Event]) -> None:
    """The class of api7/aisix PR #198: `[DONE]` after an error."""
    failed = encode("vercel-ui", [*events, Error("boom", "server_error")])
    assert failed.endswith(b'data: {"type":"error","errorText":"boom"}\n\n')
    cut = encode("vercel-ui", events)
    assert cut.endswith(b'data: {"type":"error","errorText":"the stream was cut"}\n\n')


def test_an_error_of_another_dialect_is_raised_and_written() -> None:
    converter = Converter("openai-chat", "vercel-ui")
    with pytest.raises(ReportedError, match="overloaded") as caught:
        converter.feed(b'data: {"error":{"message":"","type":"overloaded"}}\n\n')
    assert caught.value.items == [b'data: {"type":"error","errorText":"overloaded"}\n\n']


# --- The same dialect ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("example", HERE, ids=str)
def test_what_came_from_this_dialect_goes_back_to_it(example: Example) -> None:
    events = decode("vercel-ui", example.wire, strict=True)
    once = encode("vercel-ui", events)
    again = decode("vercel-ui", once, strict=True)
    assert again[:-1] == events[:-1]
    assert type(again[-1]) is type(events[-1])
    if example.ends_cleanly:
        assert encode("vercel-ui", again) == once
    assert [shape(chunk) for chunk in records(once) if chunk["type"] not in LOOSE] == [
        shape(chunk) for chunk in whole(example) if chunk["type"] not in LOOSE
    ]


LOOSE = {"tool-input-start", "tool-input-delta", "error"}
"""Chunks that a call in one piece gets, and what ends an error and a cut."""


def whole(example: Example) -> list[dict[str, Any]]:
    """The chunks of a wire, without one that is cut; of the error one, those before the error."""
    before = example.wire.partition(b'data: {"type":"error"')[0]
    lines = [line for line in before.split(b"\n") if line.startswith(b"data: {") and line.endswith(b"}")]
    return [json.loads(line.removeprefix(b"data: ")) for line in lines]


def shape(chunk: dict[str, Any]) -> dict[str, Any]:
    """A chunk without the ids of its parts, which are made anew."""
    return {key: value for key, value in chunk.items() if key != "id" or chunk["type"].startswith("data-")}


def test_bytes_of_this_dialect_that_have_no_field_come_back() -> None:
    wire = sse(
        {"type": "start", "messageId": "m", "messageMetadata": {"user": 5, "model": "x"}, "more": [1]},
        {"type": "brand-new", "n": 1},
        {"type": "text-start", "id": "9", "kind": "b"},
        {"type": "text-delta", "id": "9", "delta": "", "kind": "c"},
        {"type": "text-end", "id": "9", "kind": "d"},
        {"type": "tool-input-start", "toolCallId": "1", "toolName": "p", "inputEncoding": "text", "dynamic": True},
        {"type": "tool-input-delta", "toolCallId": "1", "inputTextDelta": 'a"\n'},
        {"type": "tool-input-delta", "toolCallId": "1", "inputTextDelta": "b"},
        {"type": "tool-input-available", "toolCallId": "1", "toolName": "p", "input": 'a"\nb', "dynamic": True},
        {"type": "tool-input-start", "toolCallId": "2", "toolName": "q"},
        {"type": "tool-input-delta", "toolCallId": "2", "inputTextDelta": '{"a":1}'},
        {"type": "tool-input-available", "toolCallId": "2", "toolName": "q", "input": {"a": 1, "b": 2}},
        {"type": "finish", "finishReason": "unheard-of", "messageMetadata": {"total": 7}, "more": 1},
    )
    assert records(convert("vercel-ui", "vercel-ui", wire)[0].replace(b'"text-0"', b'"9"')) == records(wire)


@pytest.mark.parametrize("chunk", [{"type": "abort"}, {"type": "abort", "reason": "user"}, {"type": "finish"}])
def test_endings_of_this_dialect_come_back(chunk: dict[str, str]) -> None:
    wire, converter = convert("vercel-ui", "vercel-ui", sse({"type": "start"}, chunk))
    assert records(wire) == [{"type": "start"}, chunk]
    assert wire.endswith(b"data: [DONE]\n\n")
    assert converter.losses == {}


# --- The finished message --------------------------------------------------------------------------------------------


def message_of(wire: bytes) -> Message:
    decoder, accumulator = decoder_of("vercel-ui"), MessageAccumulator()
    accumulator.feed_many([*decoder.feed(wire), *decoder.finish()])
    return accumulator.message


def document_of(case: str) -> dict[str, Any]:
    (example,) = [example for example in HERE if example.case == case]
    document = DIALECT.document(message_of(example.wire))
    assert isinstance(document, dict)
    assert json.loads(json.dumps(document)) == document
    return document


def test_the_document_of_a_text() -> None:
    document = document_of("length")
    assert document["id"] == "msg-L1"
    assert document["role"] == "assistant"
    text = "The three largest lakes of the country are first the"
    assert document["parts"] == [{"type": "step-start"}, {"type": "text", "text": text, "state": "done"}]
    assert document["metadata"]["model"] == "gpt-4.1-nano"
    assert document["metadata"]["createdAt"] == 1763630067412
    assert document["metadata"]["finishReason"] == "length"
    assert document["metadata"]["usage"]["totalTokens"] == 32


def test_the_document_of_reasoning() -> None:
    _, thought, redacted, text = document_of("reasoning")["parts"]
    assert thought["type"] == "reasoning"
    assert thought["providerMetadata"]["anthropic"]["signature"].startswith("EqQB")
    assert redacted["providerMetadata"]["anthropic"]["redactedData"].startswith("EmwK")
    assert "providerMetadata" not in text


def test_the_document_of_tool_calls() -> None:
    metadata = {"openai": {"itemId": "fc_68a1c0ffee04"}}
    assert document_of("tool")["parts"][2] == {
        "type": "tool-get_weather",
        "toolCallId": "call_Zk3vYq8WbN1",
        "state": "input-available",
        "input": {"city": "Zürich", "unit": "celsius", "days": 3},
        "callProviderMetadata": metadata,
    }


def test_the_document_of_what_became_of_calls() -> None:
    _, weather, search, text = document_of("multi-step")["parts"]
    assert weather["state"] == "output-available"
    assert weather["input"] == {"city": "Oslo", "unit": "C"}
    assert weather["output"] == {"temp": -3}
    assert search["type"] == "dynamic-tool"
    assert search["toolName"] == "search"
    assert search["state"] == "output-error"
    assert search["errorText"] == "no such index"
    assert text["text"] == "It is -3 °C in Oslo."


def test_the_document_of_what_is_no_text() -> None:
    parts = document_of("custom")["parts"]
    assert [part["type"] for part in parts] == [
        *("step-start", "text", "data-theme", "data-weather", "data-weather"),
        *("source-url", "source-document", "file"),
    ]


@pytest.mark.parametrize("case", ["cut", "error"])
def test_the_document_of_an_answer_that_is_not_finished(case: str) -> None:
    document = document_of(case)
    assert document["parts"][-1]["state"] == "streaming"
    assert "finishReason" not in document["metadata"]
    assert "errorText" in document["metadata"]


@pytest.mark.parametrize(
    ("chunks", "part"),
    [
        ([], {"state": "input-streaming"}),
        (
            [{"type": "tool-input-error", "errorText": "bad", "input": ""}],
            {"state": "output-error", "rawInput": '{"q":', "errorText": "bad"},
        ),
    ],
)
def test_the_document_of_a_call_that_is_not_complete(chunks: list[dict[str, Any]], part: dict[str, Any]) -> None:
    call = {"toolCallId": "c", "toolName": "f"}
    delta = {"type": "tool-input-delta", "toolCallId": "c", "inputTextDelta": '{"q":'}
    wire = sse({"type": "start"}, {"type": "tool-input-start", **call}, delta, *[{**each, **call} for each in chunks])
    document = DIALECT.document(message_of(wire.replace(b"data: [DONE]\n\n", b"")))
    assert isinstance(document, dict)
    assert document["parts"][1:] == [{"type": "tool-f", "toolCallId": "c", **part}]


def test_the_document_of_nothing() -> None:
    assert DIALECT.document(Message()) == {"id": "", "role": "assistant", "parts": [{"type": "step-start"}]}


def test_the_row() -> None:
    assert DIALECT.headers == {"x-vercel-ai-ui-message-stream": "v1"}
    assert DIALECT.terminator == "data: [DONE]"
    assert DIALECT.media_type() == "text/event-stream"
