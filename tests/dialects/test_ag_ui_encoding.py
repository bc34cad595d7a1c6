"""AG-UI: what is written, its examples and documents."""

from __future__ import annotations

import pytest

from streamkit.dialects.ag_ui import DIALECT
from streamkit.dialects.events import (
    Custom,
    End,
    Error,
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
from streamkit.dialects.sniff import guess
from tests.dialects.ag_ui_wires import (
    START,
    body_of,
    encoded,
    message_of,
    records_of,
    violations,
)
from tests.dialects.examples import EXAMPLES, Example

EXAMPLES_HERE = [example for example in EXAMPLES if example.dialect == "ag-ui"]

# --- Events to wire ---------------------------------------------------------------------------------------------------


def test_the_bytes_of_an_answer() -> None:
    assert encoded(
        Start("chatcmpl-7", "gpt", created_ns=1_700_000_000_123_456_789),
        PartStart(0, "reasoning"),
        Reasoning(0, "hm"),
        PartEnd(0, signature="sig"),
        PartStart(1, "text"),
        Text(1, "a\u2028b\x85\r\n"),
        Text(1, "é"),
        Ping("keep-alive"),
        PartEnd(1),
        PartStart(2, "tool", "call_1", "add"),
        ToolArgs(2, '{"a":1}'),
        PartEnd(2),
        Usage(3, 4),
        Finish("tool_calls", "tool_calls"),
        End(),
    ).decode() == (
        'data: {"type":"RUN_STARTED","threadId":"thread-chatcmpl-7","runId":"chatcmpl-7","protocolVersion":"1.0",'
        '"timestamp":1700000000123,"metadata":{"model":"gpt"}}\n\n'
        'data: {"type":"REASONING_START","messageId":"chatcmpl-7-0"}\n\n'
        'data: {"type":"REASONING_MESSAGE_START","messageId":"chatcmpl-7-0","role":"reasoning"}\n\n'
        'data: {"type":"REASONING_MESSAGE_CONTENT","messageId":"chatcmpl-7-0","delta":"hm"}\n\n'
        'data: {"type":"REASONING_MESSAGE_END","messageId":"chatcmpl-7-0"}\n\n'
        'data: {"type":"REASONING_ENCRYPTED_VALUE","subtype":"message","entityId":"chatcmpl-7-0",'
        '"encryptedValue":"sig"}\n\n'
        'data: {"type":"REASONING_END","messageId":"chatcmpl-7-0"}\n\n'
        'data: {"type":"TEXT_MESSAGE_START","messageId":"chatcmpl-7-1","role":"assistant"}\n\n'
        'data: {"type":"TEXT_MESSAGE_CONTENT","messageId":"chatcmpl-7-1","delta":"a\\u2028b\\u0085\\r\\n"}\n\n'
        'data: {"type":"TEXT_MESSAGE_CONTENT","messageId":"chatcmpl-7-1","delta":"é"}\n\n'
        ": keep-alive\n\n"
        'data: {"type":"TEXT_MESSAGE_END","messageId":"chatcmpl-7-1"}\n\n'
        'data: {"type":"TOOL_CALL_START","toolCallId":"call_1","toolCallName":"add",'
        '"parentMessageId":"chatcmpl-7-1"}\n\n'
        'data: {"type":"TOOL_CALL_ARGS","toolCallId":"call_1","delta":"{\\"a\\":1}"}\n\n'
        'data: {"type":"TOOL_CALL_END","toolCallId":"call_1"}\n\n'
        'data: {"type":"RUN_FINISHED","threadId":"thread-chatcmpl-7","runId":"chatcmpl-7",'
        '"outcome":{"type":"success","pendingToolCallIds":["call_1"]},'
        '"usage":[{"model":"gpt","inputTokens":3,"outputTokens":4,"totalTokens":7}]}\n\n'
    )


def test_a_refusal_is_a_text_that_says_so() -> None:
    data = encoded(Start("r"), PartStart(0, "refusal"), Refusal(0, "No."), PartEnd(0), Finish("stop"), End())
    assert records_of(data)[1]["metadata"] == {"refusal": True}
    assert DIALECT.decoder(strict=True).feed(data)[1:4] == [
        PartStart(0, "refusal", extra={"ag-ui.messageId": "r-0"}),
        Refusal(0, "No."),
        PartEnd(0),
    ]


@pytest.mark.parametrize("text", ["", "thought"])
@pytest.mark.parametrize("end", [PartEnd(0, "s"), PartEnd(0, "", "e"), PartEnd(0, "s", "e")])
def test_signatures_and_encrypted_reasoning_are_told_apart(text: str, end: PartEnd) -> None:
    pieces = [Reasoning(0, text)] if text else []
    data = encoded(Start("r"), PartStart(0, "reasoning"), *pieces, end, Finish("stop"), End())
    assert end in DIALECT.decoder(strict=True).feed(data)


def test_the_run_starts_before_anything_else_is_said() -> None:
    """agent-poc's `ui_control` may come before its start; AG-UI's clients refuse a stream that begins so."""
    events = [Ping(), Custom("ui_control", {"action": "x"}), Start("late", "m"), Finish("stop"), End()]
    encoder = DIALECT.encoder(message_id="given")
    first = b"".join(encoder.feed_many(events[:2]))
    assert [record["type"] for record in records_of(first)] == ["RUN_STARTED", "CUSTOM"]
    rest = records_of(b"".join([*encoder.feed_many(events[2:]), *encoder.finish()]))
    assert rest == [
        {"type": "RUN_FINISHED", "threadId": "thread-given", "runId": "given", "outcome": {"type": "success"}}
    ]


def test_ids_are_unique_whatever_the_source_calls_its_calls() -> None:
    records = records_of(
        encoded(
            Start("r"),
            PartStart(0, "tool", "same", "f"),
            PartEnd(0),
            PartStart(1, "tool", "same", "f"),
            PartEnd(1),
            PartStart(2, "tool", "", "f"),
            PartEnd(2),
            PartStart(3, "text", extra={"ag-ui.messageId": "same"}),
            PartEnd(3),
            PartStart(4, "reasoning", extra={"ag-ui.messageId": "same-3"}),
            PartEnd(4),
            Finish("tool_calls"),
            End(),
        )
    )
    starts = [record for record in records if record["type"].endswith("_START") and record["type"] != "REASONING_START"]
    ids = [record.get("toolCallId") or record["messageId"] for record in starts]
    assert ids == ["same", "same-1", "r-2", "same-3", "same-3-4"]
    assert records[-1]["outcome"]["pendingToolCallIds"] == ["same", "same-1", "r-2"]


def test_calls_without_a_text_are_in_one_message() -> None:
    """Without a parent the client makes a message for each call."""
    calls = [each for part in (0, 1) for each in (PartStart(part, "tool", f"c{part}", "f"), PartEnd(part))]
    records = records_of(encoded(Start("r"), *calls, Finish("tool_calls"), End()))
    assert [record.get("parentMessageId") for record in records if record["type"] == "TOOL_CALL_START"] == [
        "r-message",
        "r-message",
    ]


def test_a_message_that_goes_on_after_its_end_keeps_its_id() -> None:
    message = [
        {"type": "TEXT_MESSAGE_START", "messageId": "m", "role": "assistant"},
        {"type": "TEXT_MESSAGE_CONTENT", "messageId": "m", "delta": "a"},
        {"type": "TEXT_MESSAGE_END", "messageId": "m"},
    ]
    events = body_of(*message, *message)
    assert records_of(encoded(START, *events, Finish("stop"), End()))[1:-1] == [*message, *message]


def test_a_custom_that_lacks_what_its_event_needs_stays_an_application_s_own() -> None:
    for value in (None, {}, {"x": 1}, [1]):
        record = records_of(encoded(Start(), Custom("ag-ui.STATE_DELTA", value), Finish("stop"), End()))[1]
        assert record == {"type": "CUSTOM", "name": "ag-ui.STATE_DELTA", "value": value}
    record = records_of(encoded(Start(), Custom("ag-ui.RUN_FINISHED", {}), Finish("stop"), End()))[1]
    assert record["type"] == "CUSTOM"


def test_losses_are_counted() -> None:
    encoder = DIALECT.encoder()
    encoder.feed_many(
        [
            Start("r", extra={"system_fingerprint": "fp", "openai.x": 1, "ag-ui.threadId": "t"}),
            PartStart(0, "text"),
            Text(0, "a", extra={"logprobs": []}),
            PartStart(0, "text", choice=1),
            Raw("openai-chat", "", "{}"),
        ]
    )
    assert encoder.losses == {"system_fingerprint": 1, "openai.x": 1, "logprobs": 1, "choice": 1, "raw": 1}


def test_a_text_leaves_with_its_event_even_where_two_are_open() -> None:
    encoder = DIALECT.encoder()
    encoder.feed_many([Start("r"), PartStart(0, "text"), PartStart(1, "text")])
    for part in (0, 1, 0):
        (data,) = encoder.feed(Text(part, "x"))
        assert records_of(data) == [{"type": "TEXT_MESSAGE_CONTENT", "messageId": f"r-{part}", "delta": "x"}]
    encoder.feed(PartEnd(0))
    (data,) = encoder.feed(Text(1, "y"))
    assert records_of(data)[0]["messageId"] == "r-1"


# --- Examples, sniffing, documents ------------------------------------------------------------------------------------


@pytest.mark.parametrize("example", EXAMPLES_HERE, ids=str)
def test_examples_are_lawful_and_stable(example: Example) -> None:
    decoder = DIALECT.decoder(strict=True)
    events = decoder.feed(example.wire) + decoder.finish()
    assert violations(events) == []
    assert isinstance(events[-1], End) == example.ends_cleanly
    data = encoded(*events)
    again = DIALECT.decoder(strict=True)
    pinged = [Ping(event.comment or "ping") if isinstance(event, Ping) else event for event in events]
    assert again.feed(data) + again.finish() == pinged
    assert b"\r" not in data


def test_the_examples_say_what_their_cases_promise() -> None:
    by_case = {example.case: message_of(*DIALECT.decoder().feed(example.wire)) for example in EXAMPLES_HERE}
    reasons: dict[str, FinishReason | None] = {case: message.reason for case, message in by_case.items()}
    assert reasons["plain"] == "stop"
    assert reasons["length"] == "length"
    assert reasons["filter"] == "content_filter"
    assert reasons["parallel-tools"] == reasons["interleaved-tools"] == "tool_calls"
    assert by_case["refusal"].refusal.startswith("I'm sorry")
    assert [call.arguments for call in by_case["interleaved-tools"].tool_calls] == [{"q": "ndjson"}, {"q": "sse"}]
    assert "\u2028" in by_case["unicode"].text
    assert "\x85" in by_case["unicode"].text
    assert by_case["reasoning"].first.parts[0].signature
    assert by_case["error"].error == Error("The model is overloaded, try again later.", error_code="overloaded_error")


@pytest.mark.parametrize("example", EXAMPLES_HERE, ids=str)
def test_it_looks_like_what_it_is(example: Example) -> None:
    assert guess(example.wire[:600]) == "ag-ui"


def test_records_of_others_do_not_look_like_it() -> None:
    others: tuple[object, ...] = (
        {"type": "start"},
        {"type": "message_start"},
        {"type": "response.created"},
        {},
        [],
        7,
        None,
    )
    for other in others:
        assert not DIALECT.looks_like(other, "message")


def test_the_document_of_an_answer() -> None:
    message = message_of(
        Start("r1", "gpt", extra={"ag-ui.threadId": "t1"}),
        PartStart(0, "reasoning"),
        Reasoning(0, "hm"),
        PartEnd(0, "sig"),
        PartStart(1, "text", extra={"ag-ui.messageId": "m1", "ag-ui.name": "Ann"}),
        Text(1, "Hi"),
        PartEnd(1),
        PartStart(2, "tool", "c1", "f"),
        ToolArgs(2, '{"x":1}'),
        PartEnd(2, "tsig"),
        PartStart(3, "tool", "c2", "g"),
        PartEnd(3),
        Custom("ag-ui.TOOL_CALL_RESULT", {"messageId": "m2", "toolCallId": "c1", "content": "42"}),
        PartStart(4, "refusal"),
        Refusal(4, "No."),
        PartEnd(4),
        Usage(3, 4),
        Finish("tool_calls", extra={"ag-ui.result": 1}),
        End(),
    )
    assert DIALECT.document(message) == {
        "threadId": "t1",
        "runId": "r1",
        "newMessages": [
            {"id": "r1-0", "role": "reasoning", "content": "hm", "encryptedValue": "sig"},
            {
                "id": "m1",
                "role": "assistant",
                "content": "Hi",
                "name": "Ann",
                "toolCalls": [
                    {
                        "id": "c1",
                        "type": "function",
                        "function": {"name": "f", "arguments": '{"x":1}'},
                        "encryptedValue": "tsig",
                    },
                    {"id": "c2", "type": "function", "function": {"name": "g", "arguments": ""}},
                ],
            },
            {"id": "m2", "role": "tool", "toolCallId": "c1", "content": "42"},
            {"id": "r1-4", "role": "assistant", "content": "No.", "metadata": {"refusal": True}},
        ],
        "outcome": {"type": "success", "pendingToolCallIds": ["c2"]},
        "result": 1,
        "usage": [{"model": "gpt", "inputTokens": 3, "outputTokens": 4, "totalTokens": 7}],
    }


def test_the_document_of_an_answer_that_is_not_complete() -> None:
    started = [Start("r"), PartStart(0, "tool", "", "f")]
    body = {
        "threadId": "thread-r",
        "runId": "r",
        "newMessages": [
            {
                "id": "r-message",
                "role": "assistant",
                "toolCalls": [{"id": "r-0", "type": "function", "function": {"name": "f", "arguments": ""}}],
            }
        ],
    }
    assert DIALECT.document(message_of(*started)) == body
    assert DIALECT.document(message_of(*started, Error("it broke", "overloaded"))) == {
        **body,
        "error": {"message": "it broke", "code": "overloaded"},
    }
    assert DIALECT.document(message_of(Start("r"), Finish("length"), End())) == {
        "threadId": "thread-r",
        "runId": "r",
        "newMessages": [],
        "outcome": {"type": "success"},
        "metadata": {"finishReason": "length"},
    }
