"""AG-UI: what servers get wrong, and what nobody should send."""

from __future__ import annotations

from typing import Any

import pytest

from streamkit.dialects.ag_ui import DIALECT
from streamkit.dialects.convert import Converter
from streamkit.dialects.events import (
    End,
    Error,
    Finish,
    PartEnd,
    PartStart,
    Raw,
    Reasoning,
    Start,
    Text,
)
from streamkit.errors import DecodeError
from tests.dialects.ag_ui_wires import (
    FINISHED,
    RUN,
    START,
    STARTED,
    TEXT_END,
    TEXT_START,
    body_of,
    content,
    decoded,
    encoded,
    records_of,
    repairs_of,
    violations,
    wire,
)


def test_a_message_open_at_run_finished_is_closed() -> None:
    """contextablemark/clawg-ui PR #7, microsoft/agent-framework #3568: the client refuses the run at its last event."""
    assert repairs_of(STARTED, TEXT_START, content("a"), FINISHED) == ["open-at-finish"]
    assert body_of(TEXT_START, content("a"), strict=False)[-1] == PartEnd(0)


def test_a_call_and_a_span_open_at_run_finished_are_closed() -> None:
    call = {"type": "TOOL_CALL_START", "toolCallId": "c", "toolCallName": "f"}
    assert repairs_of(STARTED, call, FINISHED) == ["open-at-finish"]
    thought = {"type": "REASONING_MESSAGE_START", "messageId": "x", "role": "reasoning"}
    assert repairs_of(STARTED, {"type": "REASONING_START", "messageId": "x"}, thought, FINISHED) == ["open-at-finish"]


def test_an_end_without_a_start_is_dropped() -> None:
    """agentscope-ai/agentscope-java #418."""
    assert repairs_of(STARTED, TEXT_END, FINISHED) == ["no-part-start"]
    assert body_of(TEXT_END, strict=False) == []


def test_a_second_end_is_dropped() -> None:
    """agentscope-ai/agentscope-java #510, PR #586."""
    assert repairs_of(STARTED, TEXT_START, content("a"), TEXT_END, TEXT_END, FINISHED) == ["no-part-start"]


def test_a_text_that_goes_on_after_its_end_is_a_new_part() -> None:
    """agentscope-ai/agentscope-java #3071, #2988: a tool call closes the text, which then goes on without a start."""
    assert repairs_of(STARTED, TEXT_START, content("a"), TEXT_END, content("b"), TEXT_END, FINISHED) == [
        "no-part-start"
    ]
    events = body_of(TEXT_START, content("a"), TEXT_END, content("b"), TEXT_END, strict=False)
    assert events[3:] == [PartStart(1, "text", extra={"ag-ui.messageId": "m"}), Text(1, "b"), PartEnd(1)]


def test_reasoning_and_text_under_one_id_are_told_apart() -> None:
    """agentscope-ai/agentscope-java #2072: clients find messages by id alone, so the text landed in the reasoning."""
    events = body_of(
        {"type": "REASONING_MESSAGE_START", "messageId": "m", "role": "reasoning"},
        {"type": "REASONING_MESSAGE_CONTENT", "messageId": "m", "delta": "thought"},
        {"type": "REASONING_MESSAGE_END", "messageId": "m"},
        TEXT_START,
        content("answer"),
        TEXT_END,
    )
    assert [event for event in events if isinstance(event, (Text, Reasoning))] == [
        Reasoning(0, "thought"),
        Text(1, "answer"),
    ]
    records = records_of(encoded(START, *events, Finish("stop"), End()))
    ids = {record["type"]: record.get("messageId") for record in records}
    assert ids["REASONING_MESSAGE_START"] != ids["TEXT_MESSAGE_START"]


def test_a_run_without_thread_id_or_run_id() -> None:
    """neuron-core/neuron-ai #607: the client refuses RUN_STARTED and RUN_FINISHED without a threadId."""
    finished = {"type": "RUN_FINISHED", "runId": "r1"}
    assert repairs_of({"type": "RUN_STARTED", "runId": "r1"}, finished) == ["run-ids"]
    events = decoded({"type": "RUN_STARTED"}, {"type": "RUN_FINISHED"})
    assert events == [Start(dialect="ag-ui"), Finish("stop"), End()]
    assert records_of(encoded(*events))[-1] == {"type": "RUN_FINISHED", "threadId": "thread-run-0", "runId": "run-0"}


def test_the_reason_to_stop_survives_though_the_protocol_has_none() -> None:
    """microsoft/agent-framework #3790."""
    data = b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":'
    source = (
        data
        + b'{"role":"assistant","content":"a"},"finish_reason":null}]}\n\n'
        + data
        + b'{},"finish_reason":"length"}]}\n\ndata: [DONE]\n\n'
    )
    middle = b"".join(Converter("openai-chat", "ag-ui").feed(source))
    back = b"".join(Converter("ag-ui", "openai-chat").feed(middle))
    assert b'"finish_reason":"length"' in back
    assert b'"model":"m"' in back


def test_deltas_are_not_said_again_at_the_end() -> None:
    """microsoft/agent-framework PR #5162: the whole text came once more after the deltas."""
    data = encoded(Start("r"), PartStart(0, "text"), Text(0, "once"), PartEnd(0), Finish("stop"), End())
    assert data.count(b"once") == 1


@pytest.mark.parametrize(
    ("records", "code"),
    [
        ([TEXT_START, FINISHED], "no-start"),
        ([{"type": "STATE_SNAPSHOT", "snapshot": {}}, STARTED, FINISHED], "no-start"),
        ([{"type": "CUSTOM", "name": "n", "value": 1}, STARTED, FINISHED], "no-start"),
        ([FINISHED], "no-start"),
        ([STARTED, STARTED, FINISHED], "second-start"),
        ([STARTED, FINISHED, STARTED], "after-end"),
        ([STARTED, FINISHED, {"type": "RUN_ERROR", "message": "late"}], "after-end"),
        ([STARTED, {**FINISHED, "runId": "other"}], "other-run"),
        ([STARTED, {**FINISHED, "runId": None}], "run-ids"),
        ([STARTED, TEXT_START, TEXT_START, TEXT_END, FINISHED], "restart"),
        ([STARTED, content("a"), TEXT_END, FINISHED], "no-part-start"),
        ([STARTED, {"type": "TEXT_MESSAGE_START"}, {"type": "TEXT_MESSAGE_END"}, FINISHED], "no-id"),
        ([STARTED, TEXT_START, {"type": "TEXT_MESSAGE_CONTENT", "delta": "a"}, TEXT_END, FINISHED], "no-id"),
        ([STARTED, {"type": "TEXT_MESSAGE_CHUNK", "delta": "a"}, FINISHED], "no-id"),
        ([STARTED, {"type": "TOOL_CALL_CHUNK", "toolCallId": "c", "delta": "{}"}, FINISHED], "no-name"),
        ([STARTED, {"type": "REASONING_END", "messageId": "s"}, FINISHED], "no-part-start"),
        ([STARTED, {"type": "CUSTOM", "name": "n"}, FINISHED], "no-value"),
        ([STARTED, *[{"type": "REASONING_START", "messageId": "s"}] * 2, FINISHED], "restart"),
    ],
)
def test_repairs(records: list[dict[str, Any]], code: str) -> None:
    assert code in repairs_of(*records)


def test_a_done_marker_does_not_end_a_run() -> None:
    """@ag-ui/client fails on it: it is not JSON."""
    decoder = DIALECT.decoder()
    events = decoder.feed(wire(STARTED) + b"data: [DONE]\n\n") + decoder.finish()
    assert isinstance(events[-1], Error)
    assert [repair.code for repair in decoder.repairs] == ["done"]
    with pytest.raises(DecodeError):
        DIALECT.decoder(strict=True).feed(wire(STARTED) + b"data: [DONE]\n\n")


HOSTILE: list[Any] = [None, True, 7, 1.5, "x", [], {}, [None], {"type": 1}, [{"inputTokens": "x"}], 1e300, -1]

KEYS = (
    *("type", "threadId", "runId", "timestamp", "metadata", "messageId", "role", "delta", "toolCallId"),
    *("toolCallName", "name", "value", "outcome", "usage", "message", "code", "subtype", "entityId", "encryptedValue"),
    *("subagentRunId", "snapshot", "title", "parentMessageId", "content"),
)


@pytest.mark.parametrize("hostile", HOSTILE, ids=repr)
@pytest.mark.parametrize("key", KEYS)
def test_a_field_of_another_type_is_refused_or_lawful(key: str, hostile: object) -> None:
    kinds = [
        *("RUN_STARTED", "RUN_FINISHED", "RUN_ERROR", "CUSTOM", "STATE_SNAPSHOT", "REASONING_ENCRYPTED_VALUE"),
        *("TEXT_MESSAGE_START", "TEXT_MESSAGE_CONTENT", "TEXT_MESSAGE_END", "TEXT_MESSAGE_CHUNK"),
        *("TOOL_CALL_START", "TOOL_CALL_ARGS", "TOOL_CALL_END", "TOOL_CALL_CHUNK", "TOOL_CALL_RESULT"),
        *("REASONING_START", "REASONING_MESSAGE_START", "REASONING_END", "THINKING_START", "SUBAGENT_STARTED"),
    ]
    for kind in kinds:
        decoder = DIALECT.decoder()
        whole = {"type": kind, **RUN, "messageId": "m", "toolCallId": "c", "delta": "d", "name": "n", key: hostile}
        try:
            events = decoder.feed(wire(STARTED, TEXT_START, whole, whole, FINISHED)) + decoder.finish()
        except DecodeError as error:
            events = [*error.items, Error("refused")]  # type: ignore[list-item]
        assert violations(events) == []
        encoded(*events)


@pytest.mark.parametrize("record", [b"7", b"null", b"[]", b'"x"', b'{"type":null}', b'{"type":["RUN_STARTED"]}', b"{}"])
def test_a_record_that_is_no_event_is_raw(record: bytes) -> None:
    events = DIALECT.decoder().feed(wire(STARTED) + b"data: " + record + b"\n\n")
    assert events[1:] == [Raw("ag-ui", "", record.decode())]
