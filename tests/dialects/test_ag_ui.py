"""AG-UI: what its events mean, and how a run ends. The wires are written by hand."""

from __future__ import annotations

from typing import Any

import pytest

from streamkit.dialects.ag_ui import DIALECT
from streamkit.dialects.events import (
    Custom,
    End,
    Error,
    Finish,
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
from streamkit.errors import DecodeError
from tests.dialects.ag_ui_wires import (
    FINISHED,
    START,
    STARTED,
    body_of,
    decoded,
    encoded,
    message_of,
    records_of,
    wire,
)

# --- Wire to events ---------------------------------------------------------------------------------------------------


def test_a_text() -> None:
    data = (
        b'data: {"type":"RUN_STARTED","threadId":"t1","runId":"r1","protocolVersion":"1.0","timestamp":1763715600017}\n'
        b"\n"
        b": keep-alive\n\n"
        b'data: {"type":"TEXT_MESSAGE_START","messageId":"m1","role":"assistant"}\n\n'
        b'data: {"type":"TEXT_MESSAGE_CONTENT","messageId":"m1","delta":"Hel","timestamp":1763715600018}\n\n'
        b'data: {"type":"TEXT_MESSAGE_CONTENT","messageId":"m1","delta":"lo"}\n\n'
        b'data: {"type":"TEXT_MESSAGE_END","messageId":"m1"}\n\n'
        b'data: {"type":"RUN_FINISHED","threadId":"t1","runId":"r1","outcome":{"type":"success"},'
        b'"usage":[{"inputTokens":9,"outputTokens":2,"totalTokens":11}]}\n\n'
    )
    decoder = DIALECT.decoder(strict=True)
    assert decoder.feed(data) + decoder.finish() == [
        Start("r1", dialect="ag-ui", created_ns=1763715600017000000, extra={"ag-ui.threadId": "t1"}),
        Ping("keep-alive"),
        PartStart(0, "text", extra={"ag-ui.messageId": "m1"}),
        Text(0, "Hel"),
        Text(0, "lo"),
        PartEnd(0),
        Usage(9, 2),
        Finish("stop", "success"),
        End(),
    ]


def test_text_and_calls_overlap() -> None:
    assert body_of(
        {"type": "TEXT_MESSAGE_START", "messageId": "m1", "role": "assistant"},
        {"type": "TEXT_MESSAGE_CONTENT", "messageId": "m1", "delta": "a"},
        {"type": "TOOL_CALL_START", "toolCallId": "c1", "toolCallName": "f", "parentMessageId": "m1"},
        {"type": "TOOL_CALL_ARGS", "toolCallId": "c1", "delta": '{"x":'},
        {"type": "TOOL_CALL_START", "toolCallId": "c2", "toolCallName": "g"},
        {"type": "TEXT_MESSAGE_CONTENT", "messageId": "m1", "delta": "b"},
        {"type": "TOOL_CALL_ARGS", "toolCallId": "c2", "delta": "{}"},
        {"type": "TOOL_CALL_ARGS", "toolCallId": "c1", "delta": "1}"},
        {"type": "TOOL_CALL_END", "toolCallId": "c1"},
        {"type": "TEXT_MESSAGE_END", "messageId": "m1"},
        {"type": "TOOL_CALL_END", "toolCallId": "c2"},
    ) == [
        PartStart(0, "text", extra={"ag-ui.messageId": "m1"}),
        Text(0, "a"),
        PartStart(1, "tool", "c1", "f", extra={"ag-ui.parentMessageId": "m1"}),
        ToolArgs(1, '{"x":'),
        PartStart(2, "tool", "c2", "g"),
        Text(0, "b"),
        ToolArgs(2, "{}"),
        ToolArgs(1, "1}"),
        PartEnd(1),
        PartEnd(0),
        PartEnd(2),
    ]


def test_reasoning_waits_for_its_signature_up_to_the_end_of_its_span() -> None:
    value = {"type": "REASONING_ENCRYPTED_VALUE", "subtype": "message", "entityId": "m0", "encryptedValue": "c2ln"}
    assert body_of(
        {"type": "REASONING_START", "messageId": "s1"},
        {"type": "REASONING_MESSAGE_START", "messageId": "m0", "role": "reasoning"},
        {"type": "REASONING_MESSAGE_CONTENT", "messageId": "m0", "delta": "hm"},
        {"type": "REASONING_MESSAGE_END", "messageId": "m0"},
        value,
        {"type": "REASONING_END", "messageId": "s1"},
    ) == [
        PartStart(0, "reasoning", extra={"ag-ui.messageId": "m0", "ag-ui.spanId": "s1"}),
        Reasoning(0, "hm"),
        PartEnd(0, signature="c2ln"),
    ]


def test_a_span_of_several_messages_and_one_without_a_span() -> None:
    assert body_of(
        {"type": "REASONING_START", "messageId": "s"},
        {"type": "REASONING_MESSAGE_START", "messageId": "a", "role": "reasoning"},
        {"type": "REASONING_MESSAGE_CONTENT", "messageId": "a", "delta": "1"},
        {"type": "REASONING_MESSAGE_END", "messageId": "a"},
        {"type": "REASONING_MESSAGE_START", "messageId": "b", "role": "reasoning"},
        {"type": "REASONING_MESSAGE_CONTENT", "messageId": "b", "delta": "2"},
        {"type": "REASONING_MESSAGE_END", "messageId": "b"},
        {"type": "REASONING_END", "messageId": "s"},
        {"type": "REASONING_MESSAGE_CHUNK", "messageId": "c", "delta": "3"},
    ) == [
        PartStart(0, "reasoning", extra={"ag-ui.messageId": "a", "ag-ui.spanId": "s"}),
        Reasoning(0, "1"),
        PartEnd(0),
        PartStart(1, "reasoning", extra={"ag-ui.messageId": "b", "ag-ui.spanId": "s"}),
        Reasoning(1, "2"),
        PartEnd(1),
        PartStart(2, "reasoning", extra={"ag-ui.messageId": "c"}),
        Reasoning(2, "3"),
        PartEnd(2),
    ]


def test_reasoning_that_is_only_encrypted() -> None:
    assert body_of(
        {"type": "REASONING_START", "messageId": "s"},
        {"type": "REASONING_ENCRYPTED_VALUE", "subtype": "message", "entityId": "s", "encryptedValue": "opaque"},
        {"type": "REASONING_END", "messageId": "s"},
    ) == [PartStart(0, "reasoning", extra={"ag-ui.messageId": "s"}), PartEnd(0, encrypted="opaque")]


def test_a_call_and_a_text_have_signatures_too() -> None:
    assert body_of(
        {"type": "TEXT_MESSAGE_START", "messageId": "m", "role": "assistant"},
        {"type": "REASONING_ENCRYPTED_VALUE", "subtype": "message", "entityId": "m", "encryptedValue": "A"},
        {"type": "TEXT_MESSAGE_END", "messageId": "m"},
        {"type": "TOOL_CALL_START", "toolCallId": "c", "toolCallName": "f"},
        {"type": "REASONING_ENCRYPTED_VALUE", "subtype": "tool-call", "entityId": "c", "encryptedValue": "B"},
        {"type": "TOOL_CALL_END", "toolCallId": "c"},
    ) == [
        PartStart(0, "text", extra={"ag-ui.messageId": "m"}),
        PartEnd(0, signature="A"),
        PartStart(1, "tool", "c", "f"),
        PartEnd(1, signature="B"),
    ]


def test_a_value_for_something_that_is_over_is_passed_on() -> None:
    value = {"subtype": "message", "entityId": "gone", "encryptedValue": "A"}
    assert body_of({"type": "REASONING_ENCRYPTED_VALUE", **value}) == [Custom("ag-ui.REASONING_ENCRYPTED_VALUE", value)]


def test_a_value_of_a_call_does_not_open_reasoning() -> None:
    value = {"subtype": "tool-call", "entityId": "s", "encryptedValue": "A"}
    assert body_of(
        {"type": "REASONING_START", "messageId": "s"},
        {"type": "REASONING_ENCRYPTED_VALUE", **value},
        {"type": "REASONING_END", "messageId": "s"},
    ) == [Custom("ag-ui.REASONING_ENCRYPTED_VALUE", value)]


def test_spans_may_overlap() -> None:
    assert body_of(
        {"type": "REASONING_START", "messageId": "a"},
        {"type": "REASONING_MESSAGE_START", "messageId": "a", "role": "reasoning"},
        {"type": "REASONING_START", "messageId": "b"},
        {"type": "REASONING_MESSAGE_START", "messageId": "b", "role": "reasoning"},
        {"type": "REASONING_MESSAGE_CONTENT", "messageId": "a", "delta": "1"},
        {"type": "REASONING_MESSAGE_END", "messageId": "a"},
        {"type": "REASONING_MESSAGE_CONTENT", "messageId": "b", "delta": "2"},
        {"type": "REASONING_END", "messageId": "a"},
        {"type": "REASONING_MESSAGE_END", "messageId": "b"},
        {"type": "REASONING_END", "messageId": "b"},
    ) == [
        PartStart(0, "reasoning", extra={"ag-ui.messageId": "a"}),
        PartStart(1, "reasoning", extra={"ag-ui.messageId": "b"}),
        Reasoning(0, "1"),
        Reasoning(1, "2"),
        PartEnd(0),
        PartEnd(1),
    ]


def test_chunks_open_and_close_by_themselves() -> None:
    assert body_of(
        {"type": "TEXT_MESSAGE_CHUNK", "messageId": "m1", "role": "assistant", "delta": "Chunks "},
        {"type": "TEXT_MESSAGE_CHUNK", "delta": "expand."},
        {"type": "RAW", "event": {"a": None}},
        {"type": "TEXT_MESSAGE_CHUNK", "messageId": "m1", "delta": "!"},
        {"type": "TOOL_CALL_CHUNK", "toolCallId": "c1", "toolCallName": "f", "parentMessageId": "m1", "delta": '{"a"'},
        {"type": "TOOL_CALL_CHUNK", "delta": ":1}"},
        {"type": "TOOL_CALL_CHUNK", "toolCallId": "c2", "toolCallName": "g"},
        {"type": "CUSTOM", "name": "n", "value": 1},
    ) == [
        PartStart(0, "text", extra={"ag-ui.messageId": "m1"}),
        Text(0, "Chunks "),
        Text(0, "expand."),
        Raw("ag-ui", "", '{"type": "RAW", "event": {"a": null}}'),
        Text(0, "!"),
        PartEnd(0),
        PartStart(1, "tool", "c1", "f", extra={"ag-ui.parentMessageId": "m1"}),
        ToolArgs(1, '{"a"'),
        ToolArgs(1, ":1}"),
        PartEnd(1),
        PartStart(2, "tool", "c2", "g"),
        PartEnd(2),
        Custom("n", 1),
    ]


def test_chunks_of_a_subagent_have_a_lane_of_their_own() -> None:
    assert body_of(
        {"type": "SUBAGENT_STARTED", "subagentRunId": "s", "name": "writer"},
        {"type": "TEXT_MESSAGE_CHUNK", "messageId": "m1", "delta": "parent "},
        {"type": "TEXT_MESSAGE_CHUNK", "messageId": "m2", "delta": "sub", "subagentRunId": "s"},
        {"type": "TEXT_MESSAGE_CHUNK", "delta": "continued"},
        {"type": "TEXT_MESSAGE_CHUNK", "delta": "agent", "subagentRunId": "s"},
        {"type": "SUBAGENT_FINISHED", "subagentRunId": "s"},
        {"type": "TEXT_MESSAGE_CHUNK", "delta": "."},
    ) == [
        Custom("ag-ui.SUBAGENT_STARTED", {"subagentRunId": "s", "name": "writer"}),
        PartStart(0, "text", extra={"ag-ui.messageId": "m1"}),
        Text(0, "parent "),
        PartStart(1, "text", extra={"ag-ui.messageId": "m2", "ag-ui.subagentRunId": "s"}),
        Text(1, "sub"),
        Text(0, "continued"),
        Text(1, "agent"),
        PartEnd(1),
        Custom("ag-ui.SUBAGENT_FINISHED", {"subagentRunId": "s"}),
        Text(0, "."),
        PartEnd(0),
    ]


def test_a_chunk_that_names_nothing_goes_on_with_the_only_message_there_is() -> None:
    events = body_of(
        {"type": "TEXT_MESSAGE_CHUNK", "messageId": "m2", "delta": "a", "subagentRunId": "s"},
        {"type": "TEXT_MESSAGE_CHUNK", "delta": "b"},
    )
    assert [event for event in events if isinstance(event, Text)] == [Text(0, "a"), Text(0, "b")]


def test_thinking_of_0_x_is_reasoning() -> None:
    assert body_of(
        {"type": "THINKING_START", "title": "Planning"},
        {"type": "THINKING_TEXT_MESSAGE_START"},
        {"type": "THINKING_TEXT_MESSAGE_CONTENT", "delta": "first"},
        {"type": "THINKING_TEXT_MESSAGE_END"},
        {"type": "THINKING_TEXT_MESSAGE_START"},
        {"type": "THINKING_TEXT_MESSAGE_CONTENT", "delta": "second"},
        {"type": "THINKING_TEXT_MESSAGE_END"},
        {"type": "THINKING_END"},
    ) == [
        PartStart(0, "reasoning", extra={"ag-ui.metadata": {"title": "Planning"}}),
        Reasoning(0, "first"),
        PartEnd(0),
        PartStart(1, "reasoning"),
        Reasoning(1, "second"),
        PartEnd(1),
    ]


def test_what_is_no_part_of_the_answer_is_passed_on_and_written_again() -> None:
    records: list[dict[str, Any]] = [
        {"type": "STEP_STARTED", "stepName": "plan"},
        {"type": "STATE_SNAPSHOT", "snapshot": None},
        {"type": "STATE_DELTA", "delta": [{"op": "add", "path": "/a", "value": None}]},
        {"type": "MESSAGES_SNAPSHOT", "messages": []},
        {"type": "ACTIVITY_SNAPSHOT", "messageId": "a", "activityType": "PLAN", "content": {}, "replace": False},
        {"type": "ACTIVITY_DELTA", "messageId": "a", "activityType": "PLAN", "patch": []},
        {"type": "TOOL_CALL_RESULT", "messageId": "m", "toolCallId": "c", "content": "42", "role": "tool"},
        {"type": "SUBAGENT_STARTED", "subagentRunId": "s", "name": "writer"},
        {"type": "SUBAGENT_ERROR", "subagentRunId": "s", "message": "no"},
        {"type": "STEP_FINISHED", "stepName": "plan"},
        {"type": "CUSTOM", "name": "theme", "value": None, "metadata": {"x": 1}},
    ]
    events = body_of(*records)
    assert events[0] == Custom("ag-ui.STEP_STARTED", {"stepName": "plan"})
    assert events[1] == Custom("ag-ui.STATE_SNAPSHOT", {"snapshot": None})
    assert events[-1] == Custom("theme", extra={"ag-ui.metadata": {"x": 1}})
    assert records_of(encoded(START, *events, Finish("stop"), End()))[1:-1] == records


def test_a_message_of_another_role_is_no_part_of_the_answer() -> None:
    records: list[dict[str, Any]] = [
        {"type": "TEXT_MESSAGE_START", "messageId": "u", "role": "user"},
        {"type": "TEXT_MESSAGE_CONTENT", "messageId": "u", "delta": "echo"},
        {"type": "TEXT_MESSAGE_END", "messageId": "u"},
        {"type": "TEXT_MESSAGE_CHUNK", "messageId": "v", "role": "system", "delta": "a"},
        {"type": "TEXT_MESSAGE_CHUNK", "delta": "b"},
    ]
    events = body_of(*records)
    assert {type(event) for event in events} == {Custom}
    assert records_of(encoded(START, *events, Finish("stop"), End()))[1:-1] == records


def test_an_unknown_event_comes_back_as_it_was() -> None:
    data = b'data: {"type":"HOLOGRAM_START",  "x":[1, 2]}\n\n'
    decoder = DIALECT.decoder(strict=True)
    events = decoder.feed(wire(STARTED) + data + wire(FINISHED))
    assert events[1] == Raw("ag-ui", "", '{"type":"HOLOGRAM_START",  "x":[1, 2]}')
    assert data in encoded(*events)


def test_an_application_s_event_cannot_pose_as_one_of_the_protocol_s() -> None:
    posing = {"type": "CUSTOM", "name": "ag-ui.STATE_SNAPSHOT", "value": {"snapshot": {}}}
    (event,) = body_of(posing)
    assert isinstance(event, Raw)
    assert posing in records_of(encoded(START, event, Finish("stop"), End()))


def test_a_custom_without_a_name_is_refused_but_it_may_be_empty() -> None:
    nameless = {"type": "CUSTOM", "value": 1}
    assert body_of({**nameless, "name": ""}) == [Custom("", 1)]
    for record in (nameless, {**nameless, "name": None}):
        with pytest.raises(DecodeError, match="CUSTOM has no name"):
            decoded(STARTED, record)


def test_further_fields_are_kept() -> None:
    events = body_of(
        {"type": "TEXT_MESSAGE_START", "messageId": "m", "name": "Ann", "subagentRunId": "s", "metadata": {"k": None}},
        {"type": "TEXT_MESSAGE_CONTENT", "messageId": "m", "delta": "x", "rawEvent": {"id": 1}, "timestamp": None},
        {"type": "TEXT_MESSAGE_END", "messageId": "m", "metadata": {"z": 1}, "rawEvent": None},
    )
    assert events == [
        PartStart(
            0,
            "text",
            extra={
                "ag-ui.messageId": "m",
                "ag-ui.name": "Ann",
                "ag-ui.subagentRunId": "s",
                "ag-ui.metadata": {"k": None},
            },
        ),
        Text(0, "x", extra={"ag-ui.rawEvent": {"id": 1}}),
        PartEnd(0, extra={"ag-ui.metadata": {"z": 1}}),
    ]
    assert records_of(encoded(START, *events, Finish("stop"), End()))[1:-1] == [
        {
            "type": "TEXT_MESSAGE_START",
            "messageId": "m",
            "role": "assistant",
            "name": "Ann",
            "subagentRunId": "s",
            "metadata": {"k": None},
        },
        {"type": "TEXT_MESSAGE_CONTENT", "messageId": "m", "delta": "x", "rawEvent": {"id": 1}},
        {"type": "TEXT_MESSAGE_END", "messageId": "m", "metadata": {"z": 1}},
    ]


def test_null_is_how_servers_of_0_x_say_absent() -> None:
    nulls = {"timestamp": None, "rawEvent": None}
    assert decoded(
        {**STARTED, **nulls, "parentRunId": None, "input": None},
        {"type": "TOOL_CALL_START", "toolCallId": "c", "toolCallName": "f", "parentMessageId": None, **nulls},
        {"type": "TOOL_CALL_END", "toolCallId": "c", **nulls},
        {**FINISHED, **nulls, "result": None, "outcome": None, "usage": None},
        strict=True,
    ) == [START, PartStart(0, "tool", "c", "f"), PartEnd(0), Finish("tool_calls"), End()]


# --- How a run ends ---------------------------------------------------------------------------------------------------


def test_tokens_of_several_models_are_added_up_and_parts_never_are() -> None:
    usage = [
        {"provider": "p", "model": "a", "inputTokens": 100, "cachedInputTokens": 60, "cacheWriteInputTokens": 10},
        {"model": "b", "inputTokens": 5, "outputTokens": 9, "totalTokens": 14, "reasoningTokens": 4},
    ]
    events = decoded(STARTED, {**FINISHED, "usage": usage}, strict=True)
    assert events[1] == Usage(105, 9, 60, 10, 4, extra={"ag-ui.usage": usage})
    assert records_of(encoded(*events))[-1]["usage"] == usage
    stale = Usage(1, 2, extra={"ag-ui.usage": usage})
    assert records_of(encoded(START, stale, Finish("stop"), End()))[-1]["usage"] == [
        {"inputTokens": 1, "outputTokens": 2, "totalTokens": 3}
    ]


def test_tokens_of_one_model() -> None:
    data = encoded(Start(model="m"), Usage(50, 20, 30, 5, 8), Finish("stop"), End())
    entry = {
        "model": "m",
        "inputTokens": 50,
        "outputTokens": 20,
        "reasoningTokens": 8,
        "cachedInputTokens": 30,
        "cacheWriteInputTokens": 5,
        "totalTokens": 70,
    }
    assert records_of(data)[-1]["usage"] == [entry]
    assert Usage(50, 20, 30, 5, 8) in DIALECT.decoder(strict=True).feed(data)
    for left_out in (Usage(), Usage(-1), Usage(2**53)):
        assert "usage" not in records_of(encoded(Start(), left_out, Finish("stop"), End()))[-1]
    assert b"usage" not in encoded(Start(), Usage(1, 1), Finish("stop"), End(), include_usage=False)


@pytest.mark.parametrize(
    ("finish", "fields"),
    [
        (Finish("stop", "end_turn"), {"outcome": {"type": "success"}}),
        (
            Finish("stop_sequence", "stop_sequence", "\n\n"),
            {
                "outcome": {"type": "success"},
                "metadata": {"finishReason": "stop_sequence", "stopSequence": "\n\n"},
            },
        ),
        (Finish("length"), {"outcome": {"type": "success"}, "metadata": {"finishReason": "length"}}),
        (
            Finish("context_overflow"),
            {"outcome": {"type": "success"}, "metadata": {"finishReason": "context_overflow"}},
        ),
        (Finish("content_filter"), {"outcome": {"type": "success"}, "metadata": {"finishReason": "content_filter"}}),
        (Finish("other", "load"), {"outcome": {"type": "success"}, "metadata": {"finishReason": "other"}}),
        (
            Finish("pause", "pause_turn"),
            {"outcome": {"type": "interrupt", "interrupts": [{"id": "r1-pause", "reason": "pause_turn"}]}},
        ),
        (Finish("cancelled"), {"outcome": {"type": "cancelled"}}),
    ],
    ids=lambda value: value.reason if isinstance(value, Finish) else "",
)
def test_every_reason_is_written_and_read_back(finish: Finish, fields: dict[str, Any]) -> None:
    data = encoded(Start("r1"), finish, End())
    assert records_of(data)[-1] == {"type": "RUN_FINISHED", "threadId": "thread-r1", "runId": "r1", **fields}
    read = DIALECT.decoder(strict=True).feed(data)[-2]
    assert isinstance(read, Finish)
    assert (read.reason, read.stop_sequence) == (finish.reason, finish.stop_sequence)


@pytest.mark.parametrize(
    ("fields", "finish"),
    [
        ({}, Finish("stop")),
        ({"outcome": {"type": "success"}}, Finish("stop", "success")),
        ({"outcome": {"type": "cancelled"}}, Finish("cancelled", "cancelled")),
        ({"outcome": {"type": "vaporised"}}, Finish("other", "vaporised")),
        ({"metadata": {"finishReason": "no word of ours"}}, Finish("stop")),
        ({"metadata": {"finishReason": 7, "k": 1}}, Finish("stop", extra={"ag-ui.metadata": {"k": 1}})),
        ({"result": {"ok": True}}, Finish("stop", extra={"ag-ui.result": {"ok": True}})),
        (
            {"outcome": {"type": "interrupt", "interrupts": [{"id": "i", "reason": "approval"}]}},
            Finish(
                "pause",
                "interrupt",
                extra={"ag-ui.outcome": {"type": "interrupt", "interrupts": [{"id": "i", "reason": "approval"}]}},
            ),
        ),
    ],
)
def test_outcomes_are_read_and_written_as_they_came(fields: dict[str, Any], finish: Finish) -> None:
    events = decoded(STARTED, {**FINISHED, **fields}, strict=True)
    assert events == [START, finish, End()]
    again = DIALECT.decoder(strict=True).feed(encoded(*events))
    assert again == events
    written = records_of(encoded(*events))[-1]
    assert written.get("outcome") == fields.get("outcome")


def test_calls_without_a_result_are_pending() -> None:
    events = [
        Start("r1", "m"),
        PartStart(0, "tool", "c1", "f"),
        PartEnd(0),
        PartStart(1, "tool", "c2", "g"),
        ToolArgs(1, "{}"),
        PartEnd(1),
        Custom("ag-ui.TOOL_CALL_RESULT", {"messageId": "x", "toolCallId": "c1", "content": "1"}),
        Finish("tool_calls", "tool_use"),
        End(),
    ]
    assert records_of(encoded(*events))[-1]["outcome"] == {"type": "success", "pendingToolCallIds": ["c2"]}
    outcome = DIALECT.document(message_of(*events))["outcome"]  # type: ignore[index]
    assert outcome == {"type": "success", "pendingToolCallIds": ["c2"]}


def test_an_error_ends_the_run() -> None:
    events = decoded(
        STARTED,
        {"type": "TEXT_MESSAGE_START", "messageId": "m"},
        {"type": "RUN_ERROR", "message": "overloaded", "code": "529", "usage": [{"inputTokens": 3}]},
        strict=True,
    )
    assert events == [
        START,
        PartStart(0, "text", extra={"ag-ui.messageId": "m"}),
        Usage(3),
        Error("overloaded", error_code="529"),
    ]
    assert records_of(encoded(*events))[-1] == {
        "type": "RUN_ERROR",
        "message": "overloaded",
        "code": "529",
        "usage": [{"inputTokens": 3}],
    }


def test_an_error_keeps_its_type_and_status() -> None:
    error = Error("slow down", "rate_limit_error", "rate_limited", 429)
    (record,) = records_of(encoded(error))
    assert record == {
        "type": "RUN_ERROR",
        "message": "slow down",
        "code": "rate_limited",
        "metadata": {"errorType": "rate_limit_error", "status": 429},
    }
    assert decoded(record, strict=True) == [error]
    assert records_of(encoded(Error("", "overloaded_error"))) == [
        {
            "type": "RUN_ERROR",
            "message": "overloaded_error",
            "code": "overloaded_error",
            "metadata": {"errorType": "overloaded_error"},
        }
    ]
    assert records_of(encoded(Error(""))) == [{"type": "RUN_ERROR", "message": "error"}]


def test_a_reason_that_is_an_error_is_written_as_one() -> None:
    last = records_of(encoded(Start("r"), Finish("error", "MALFORMED"), End()))[-1]
    assert (last["type"], last["code"]) == ("RUN_ERROR", "finish_error")


@pytest.mark.parametrize(
    "cut", ["", 'data: {"type":"RUN_FINI', 'data: {"type":"RUN_FINISHED","threadId":"t","runId":"r"}']
)
def test_a_cut_run_is_truncated(cut: str) -> None:
    decoder = DIALECT.decoder()
    events = decoder.feed(wire(STARTED) + cut.encode()) + decoder.finish()
    assert isinstance(events[-1], Error)
    assert events[-1].type == "truncated"
    assert records_of(encoded(*events[:-1]))[-1]["type"] == "RUN_ERROR"
