"""The non-streaming response of OpenAI's Responses API, which the vendor's own types accept."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest
from openai.types.responses import Response

from streamkit.dialects.convert import decoder_of
from streamkit.dialects.events import (
    End,
    Error,
    Event,
    Finish,
    PartEnd,
    PartStart,
    Reasoning,
    Refusal,
    Start,
    Text,
    ToolArgs,
    Usage,
)
from streamkit.dialects.message import Message, MessageAccumulator
from streamkit.dialects.openai_responses import DIALECT
from tests.dialects.examples import EXAMPLES, Example
from tests.dialects.responses_wires import FORM, ITEM, MORE

START = Start("resp_1", "m", created_ns=1_763_630_067_000_000_000)


def document(events: Iterable[Event]) -> dict[str, Any]:
    accumulator = MessageAccumulator()
    accumulator.feed_many(events)
    found = DIALECT.document(accumulator.message)
    Response.model_validate(found)
    assert isinstance(found, dict)
    return found


def test_a_whole_answer() -> None:
    found = document(
        [
            START,
            *(PartStart(0, "reasoning"), Reasoning(0, "Hm"), PartEnd(0, encrypted="gAB")),
            *(PartStart(1, "text"), Text(1, "Hi\u2028\x85"), PartEnd(1)),
            *(PartStart(2, "tool", "call_a", "f"), ToolArgs(2, '{"x":1}'), PartEnd(2)),
            *(PartStart(3, "tool", "", "g"), PartEnd(3)),
            *(Usage(9, 3), Finish("tool_calls"), End()),
        ]
    )
    assert found["id"] == "resp_1"
    assert found["status"] == "completed"
    assert found["created_at"] == 1763630067
    assert found["usage"]["total_tokens"] == 12
    text = {"type": "output_text", "text": "Hi\u2028\x85", "annotations": [], "logprobs": []}
    called = {"type": "function_call", "status": "completed"}
    assert found["output"] == [
        {
            "id": "rs_1_0",
            "type": "reasoning",
            "summary": [{"type": "summary_text", "text": "Hm"}],
            "encrypted_content": "gAB",
        },
        {"id": "msg_1_1", "type": "message", "status": "completed", "role": "assistant", "content": [text]},
        {**called, "id": "fc_1_2", "call_id": "call_a", "name": "f", "arguments": '{"x":1}'},
        {**called, "id": "fc_1_3", "call_id": "call_1_3", "name": "g", "arguments": "{}"},
    ]


def test_parts_of_one_item() -> None:
    message: dict[str, object] = {ITEM: {"id": "msg_a"}}
    found = document(
        [
            START,
            *(PartStart(0, "reasoning", extra={ITEM: {"id": "rs_a"}, FORM: "text"}), Reasoning(0, "Hm"), PartEnd(0)),
            *(PartStart(1, "text", extra=message), Text(1, "So"), PartEnd(1, extra={MORE: True})),
            *(PartStart(2, "refusal", extra=message), Refusal(2, "No."), PartEnd(2)),
            *(Finish("stop"), End()),
        ]
    )
    reasoning, both = found["output"]
    assert reasoning["content"] == [{"type": "reasoning_text", "text": "Hm"}]
    assert reasoning["summary"] == []
    assert both["id"] == "msg_a"
    assert [content["type"] for content in both["content"]] == ["output_text", "refusal"]


@pytest.mark.parametrize(
    ("events", "status"),
    [
        ([START, PartStart(0, "text"), Text(0, "Hi")], "in_progress"),
        ([START, PartStart(0, "text"), Text(0, "Hi"), Error("Slow", "rate")], "failed"),
        ([START, PartStart(0, "text"), Text(0, "Hi"), Error("the stream was cut", "truncated")], "failed"),
        ([START, Finish("length"), End()], "incomplete"),
        ([START, Finish("cancelled"), End()], "cancelled"),
        ([START, Finish("error"), End()], "failed"),
        ([], "in_progress"),
    ],
)
def test_an_answer_that_is_not_complete(events: list[Event], status: str) -> None:
    found = document(events)
    assert found["status"] == status
    assert (found["error"] is not None) == (status == "failed")
    assert all(item["status"] == "incomplete" for item in found["output"])


def test_no_message_at_all() -> None:
    assert Response.model_validate(DIALECT.document(Message())).output == []


MINE = [
    example
    for example in EXAMPLES
    if example.dialect == "openai-responses" and example.ends_cleanly and example.case != "web-search"
]
"""A finished message has no records of built-in tools."""


@pytest.mark.parametrize("example", MINE, ids=str)
def test_the_response_of_an_example_is_that_in_its_last_record(example: Example) -> None:
    found = document(decoder_of("openai-responses").feed(example.wire))
    last = json.loads(example.wire.rpartition(b"data: ")[2])
    assert Response.model_validate(found) == Response.model_validate(last["response"])
