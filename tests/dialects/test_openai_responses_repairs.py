"""What servers of OpenAI's Responses API get wrong, each as it was reported, and what comes of it.

Each row is the records between the first and the last, the repairs, and the events between `Start` and `Finish`.
"""

from __future__ import annotations

from typing import Any

import pytest

from streamkit.dialects.events import (
    Event,
    Finish,
    PartEnd,
    PartStart,
    Reasoning,
    Refusal,
    Start,
    Text,
    ToolArgs,
)
from streamkit.dialects.openai_responses_decoder import OpenAIResponsesDecoder
from streamkit.errors import DecodeError
from tests.dialects.responses_wires import (
    FORM,
    ITEM,
    MORE,
    added,
    at,
    call,
    completed,
    created,
    decode,
    done,
    frames,
)

Records = list[dict[str, Any]]

MESSAGE: dict[str, Any] = {"id": "msg_1", "type": "message", "role": "assistant", "content": []}

HELLO: dict[str, Any] = {**MESSAGE, "content": [{"type": "output_text", "text": "Hello", "annotations": []}]}

PART = at("content_part.added", 0, "msg_1", content_index=0, part={"type": "output_text", "text": ""})

OPENING = [added(0, MESSAGE), PART]

SAID: list[Event] = [PartStart(0, "text", extra={ITEM: {"id": "msg_1"}}), Text(0, "Hello"), PartEnd(0)]

CALLED: list[Event] = [
    PartStart(0, "tool", "call_fc_a", "f", extra={ITEM: {"id": "fc_a"}}),
    ToolArgs(0, '{"x":1}'),
    PartEnd(0),
]


def text(delta: str, **more: object) -> dict[str, Any]:
    return at("output_text.delta", 0, "msg_1", content_index=0, delta=delta, **more)


def without(record: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key not in keys}


def check(records: Records, repairs: set[str], expected: list[Event], *, last: dict[str, Any] | None = None) -> None:
    """The repairs are made and are all, the events come, and a strict decoder refuses for the first of them."""
    wire = frames(created(), *records, last or completed())
    events = decode(wire, strict=False)
    assert [event for event in events[1:-1] if not isinstance(event, Finish)] == expected
    decoder = OpenAIResponsesDecoder()
    decoder.feed(wire)
    assert {repair.code for repair in decoder.repairs} == repairs
    with pytest.raises(DecodeError) as raised:
        decode(wire)
    assert raised.value.code in repairs


def test_llamacpp_and_lemonade_without_indexes_and_numbers() -> None:
    """ggml-org/llama.cpp#20607, lemonade-sdk/lemonade#3607: records are told apart by their item ids alone."""
    reasoning = {"id": "rs_1", "type": "reasoning", "summary": []}
    records: Records = [
        added(0, reasoning),
        at("reasoning_text.delta", 0, "rs_1", delta="Hm"),
        done(0, {**reasoning, "content": [{"type": "reasoning_text", "text": "Hm"}]}),
        *OPENING,
        text("Hel"),
        text("lo"),
        at("output_text.done", 0, "msg_1", text="Hello"),
        at("content_part.done", 0, "msg_1", part={"type": "output_text", "text": "Hello"}),
        done(0, HELLO),
        added(0, call("fc_a", "f")),
        at("function_call_arguments.delta", 0, "fc_a", delta='{"x":'),
        added(0, call("fc_b", "g")),
        at("function_call_arguments.delta", 0, "fc_b", delta="{}"),
        at("function_call_arguments.delta", 0, "fc_a", delta="1}"),
        at("function_call_arguments.done", 0, "fc_a", arguments='{"x":1}'),
        done(0, call("fc_a", "f", '{"x":1}')),
        done(0, call("fc_b", "g", "{}")),
    ]
    bare = [without(record, "output_index", "content_index", "sequence_number") for record in records]
    wire = b"".join(
        frames(record).replace(b', "sequence_number": 0', b"") for record in [created(), *bare, completed()]
    )
    decoder = OpenAIResponsesDecoder()
    assert decoder.feed(wire)[1:-2] == [
        PartStart(0, "reasoning", extra={ITEM: {"id": "rs_1"}, FORM: "text"}),
        Reasoning(0, "Hm"),
        PartEnd(0),
        PartStart(1, "text", extra={ITEM: {"id": "msg_1"}}),
        Text(1, "Hel"),
        Text(1, "lo"),
        PartEnd(1),
        PartStart(2, "tool", "call_fc_a", "f", extra={ITEM: {"id": "fc_a"}}),
        ToolArgs(2, '{"x":'),
        PartStart(3, "tool", "call_fc_b", "g", extra={ITEM: {"id": "fc_b"}}),
        ToolArgs(3, "{}"),
        ToolArgs(2, "1}"),
        PartEnd(2),
        PartEnd(3),
    ]
    assert {repair.code for repair in decoder.repairs} == {"sequence-number", "output-index", "content-index"}
    with pytest.raises(DecodeError, match="no sequence_number"):
        decode(wire)


def test_a_missing_index_goes_to_the_item_that_began_last() -> None:
    """tontinton/maki#514: without index and item id, all arguments went to the first call."""
    delta = {"type": "response.function_call_arguments.delta"}
    records = [
        added(0, call("fc_a", "f")),
        {**delta, "delta": "{}"},
        added(1, call("fc_b", "g")),
        {**delta, "delta": "[]"},
        done(0, call("fc_a", "f", "{}")),
        done(1, call("fc_b", "g", "[]")),
    ]
    check(
        records,
        {"output-index"},
        [
            PartStart(0, "tool", "call_fc_a", "f", extra={ITEM: {"id": "fc_a"}}),
            ToolArgs(0, "{}"),
            PartStart(1, "tool", "call_fc_b", "g", extra={ITEM: {"id": "fc_b"}}),
            ToolArgs(1, "[]"),
            PartEnd(0),
            PartEnd(1),
        ],
    )


@pytest.mark.parametrize(
    "records",
    [
        [
            added(0, call("fc_a", "f")),
            at("function_call_arguments.done", 0, "fc_a", arguments='{"x":1}'),
            done(0, call("fc_a", "f", '{"x":1}')),
        ],
        [added(0, call("fc_a", "f")), done(0, call("fc_a", "f", '{"x":1}'))],
        [added(0, call("fc_a", "f", '{"x":1}')), done(0, {**call("fc_a", "f"), "arguments": '{"x":1}'})],
    ],
)
def test_arguments_that_come_only_whole(records: Records) -> None:
    """Gitlawb/openclaude#1259."""
    check(records, {"no-deltas"}, CALLED)


def test_arguments_that_come_only_with_the_begin_of_the_call() -> None:
    check([added(0, call("fc_a", "f", '{"x":1}'))], {"no-deltas", "no-item-end"}, CALLED)


def test_arguments_as_an_object() -> None:
    records = [added(0, call("fc_a", "f")), done(0, {**call("fc_a", "f"), "arguments": {"x": 1}})]
    check(records, {"arguments-object", "no-deltas"}, CALLED)


@pytest.mark.parametrize("whole", ["Hello, Hello", "hello", "Hell"])
def test_a_whole_text_that_differs_is_not_written_a_second_time(whole: str) -> None:
    """microsoft/agent-framework#5162: the text of `.done` was appended to that of the deltas."""
    records = [*OPENING, text("Hello"), at("output_text.done", 0, "msg_1", content_index=0, text=whole), done(0, HELLO)]
    check(records, {"whole-differs"}, SAID)


@pytest.mark.parametrize(
    "records",
    [
        [*OPENING, at("output_text.done", 0, "msg_1", content_index=0, text="Hello"), done(0, HELLO)],
        [
            *OPENING,
            at("content_part.done", 0, "msg_1", content_index=0, part={"type": "output_text", "text": "Hello"}),
            done(0, HELLO),
        ],
        [*OPENING, done(0, HELLO)],
        [added(0, MESSAGE), done(0, HELLO)],
    ],
)
def test_a_text_that_comes_only_whole(records: Records) -> None:
    check(records, {"no-deltas"}, SAID)


def test_a_refusal_that_comes_only_whole() -> None:
    item = {**MESSAGE, "content": [{"type": "refusal", "refusal": "No."}]}
    expected: list[Event] = [PartStart(0, "refusal", extra={ITEM: {"id": "msg_1"}}), Refusal(0, "No."), PartEnd(0)]
    check([added(0, MESSAGE), done(0, item)], {"no-deltas"}, expected)


def test_a_text_in_the_response_alone() -> None:
    check([], {"only-in-response", "no-deltas"}, SAID, last=completed(output=[HELLO, {"type": "mcp_call", "id": 7}]))


def test_an_item_that_ends_only_with_the_response() -> None:
    check([*OPENING, text("Hello")], {"no-item-end"}, SAID, last=completed(output=[HELLO]))
    check([*OPENING, text("Hello")], {"no-item-end"}, SAID)


def test_an_item_may_be_open_when_the_response_is_cut_short() -> None:
    events = decode(frames(created(), *OPENING, text("Hello"), completed("incomplete")))
    assert events[1:4] == SAID


def test_ids_that_change_from_record_to_record_double_nothing() -> None:
    """The index counts; GitHub Copilot's ids are other ones in each record (vercel/ai, packages/openai)."""
    records = [
        added(0, {**MESSAGE, "id": "aaa"}),
        at("content_part.added", 0, "bbb", content_index=0, part={"type": "output_text", "text": ""}),
        at("output_text.delta", 0, "ccc", content_index=0, delta="Hello"),
        done(0, {**HELLO, "id": "ddd"}),
        completed(output=[{**HELLO, "id": "eee"}]),
    ]
    assert decode(frames(created(), *records))[2:4] == SAID[1:]


def test_two_items_on_one_index() -> None:
    records = [added(0, call("fc_a", "f")), added(0, call("fc_b", "g")), done(0, call("fc_b", "g", ""))]
    check(
        records,
        {"output-index-reused"},
        [
            PartStart(0, "tool", "call_fc_a", "f", extra={ITEM: {"id": "fc_a"}}),
            PartEnd(0),
            PartStart(1, "tool", "call_fc_b", "g", extra={ITEM: {"id": "fc_b"}}),
            PartEnd(1),
        ],
    )


def test_a_text_on_the_index_of_an_item_of_another_kind_goes_to_the_item_that_its_id_names() -> None:
    records = [added(0, call("fc_a", "f")), added(1, MESSAGE), PART, text("Hello"), done(1, HELLO)]
    check(
        [*records, done(0, call("fc_a", "f"))],
        {"output-index"},
        [
            PartStart(0, "tool", "call_fc_a", "f", extra={ITEM: {"id": "fc_a"}}),
            PartStart(1, "text", extra={ITEM: {"id": "msg_1"}}),
            Text(1, "Hello"),
            PartEnd(1),
            PartEnd(0),
        ],
    )


def test_a_call_of_which_only_the_end_came() -> None:
    records = [
        at("function_call_arguments.delta", 0, "fc_a", delta='{"x":1}'),
        done(0, call("fc_a", "f", '{"x":1}')),
    ]
    check(records, {"no-item", "no-deltas"}, CALLED)


@pytest.mark.parametrize(
    ("records", "repairs"),
    [
        ([text("Hello"), done(0, HELLO)], {"no-item", "no-part"}),
        ([PART, text("Hello"), done(0, HELLO)], {"no-item"}),
        ([added(0, MESSAGE), text("Hello"), done(0, HELLO)], {"no-part"}),
        ([added(0, MESSAGE), *OPENING, text("Hello"), done(0, HELLO)], {"item-repeated"}),
        ([*OPENING, PART, text("Hello"), done(0, HELLO)], {"part-repeated"}),
        ([*OPENING, text("Hello"), done(0, HELLO), done(0, HELLO)], {"item-repeated"}),
        ([*OPENING, text("Hello"), done(0, HELLO), text("!")], {"after-item"}),
        ([created(id="resp_2"), *OPENING, text("Hello"), done(0, HELLO)], set()),
        ([{**created(id="resp_2"), "type": "response.in_progress"}, *OPENING, text("Hello"), done(0, HELLO)], set()),
    ],
)
def test_records_that_are_missing_or_come_twice(records: Records, repairs: set[str]) -> None:
    if records[0]["type"] in {"response.created", "response.in_progress"}:
        records = [{**records[0], "response": {**records[0]["response"], "id": "resp_2"}}, *records[1:]]
        repairs = {"response-id"}
    check(records, repairs, SAID)


def test_a_text_that_goes_on_as_a_refusal() -> None:
    records = [
        *OPENING,
        text("Hello"),
        at("refusal.delta", 0, "msg_1", content_index=0, delta="No."),
        done(0, MESSAGE),
    ]
    check(
        records,
        {"part-kind"},
        [
            PartStart(0, "text", extra={ITEM: {"id": "msg_1"}}),
            Text(0, "Hello"),
            PartEnd(0, extra={MORE: True}),
            PartStart(1, "refusal", extra={ITEM: {"id": "msg_1"}}),
            Refusal(1, "No."),
            PartEnd(1),
        ],
    )


def test_a_text_that_goes_on_after_the_next_has_begun() -> None:
    second = at("content_part.added", 0, "msg_1", content_index=1, part={"type": "output_text", "text": ""})
    extra: dict[str, object] = {ITEM: {"id": "msg_1"}}
    check(
        [*OPENING, text("He"), second, text("llo"), done(0, MESSAGE)],
        {"after-part"},
        [
            *(PartStart(0, "text", extra=extra), Text(0, "He"), PartEnd(0, extra={MORE: True})),
            *(PartStart(1, "text", extra=extra), PartEnd(1, extra={MORE: True})),
            *(PartStart(2, "text", extra=extra), Text(2, "llo"), PartEnd(2)),
        ],
    )


def test_a_call_without_a_call_id_gets_that_of_its_item() -> None:
    item = without(call("fc_a", "f"), "call_id")
    expected: list[Event] = [PartStart(0, "tool", "fc_a", "f", extra={ITEM: {"id": "fc_a"}}), PartEnd(0)]
    check([added(0, item), done(0, item)], {"call-id"}, expected)


@pytest.mark.parametrize("first", [[], [{**created(), "type": "response.in_progress"}]])
def test_a_stream_that_does_not_begin_with_the_begin(first: Records) -> None:
    wire = frames(*first, *OPENING, text("Hello"), done(0, HELLO), completed())
    events = decode(wire, strict=False)
    assert isinstance(events[0], Start)
    assert events[1:4] == SAID
    with pytest.raises(DecodeError, match=r"before response\.created"):
        decode(wire)


def test_a_type_that_is_only_in_the_name_of_the_event() -> None:
    wire = frames(created(), *OPENING, text("Hello"), done(0, HELLO), completed())
    untyped = wire.replace(b'"type": "response.output_text.delta", ', b"")
    assert untyped != wire
    assert decode(untyped, strict=False)[1:4] == SAID
    with pytest.raises(DecodeError, match="only in its event's name"):
        decode(untyped)


def test_a_record_after_the_end_is_dropped() -> None:
    wire = frames(created(), completed(), text("!"))
    decoder = OpenAIResponsesDecoder()
    assert decoder.feed(wire) == decode(frames(created(), completed()))
    assert [repair.code for repair in decoder.repairs] == ["after-end"]
