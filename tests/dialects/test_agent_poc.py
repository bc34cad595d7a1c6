"""agent-poc: four types of event, written by hand, and what they share with Vercel's first record."""

from __future__ import annotations

import json

import pytest

from streamkit.dialects.agent_poc import DIALECT
from streamkit.dialects.convert import Converter
from streamkit.dialects.events import (
    Custom,
    End,
    Error,
    Event,
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
from streamkit.dialects.lifecycle import Lifecycle
from streamkit.dialects.message import Message, MessageAccumulator
from streamkit.dialects.sniff import guess
from streamkit.errors import DecodeError
from tests.dialects.examples import EXAMPLES, Example
from tests.dialects.wires import decode, encode, records, refusal_of, repairs_of, sse

EXAMPLES_HERE = [example for example in EXAMPLES if example.dialect == "agent-poc"]

NAME = "agent-poc"
BARE = {"type": "start"}
END = {"type": "end", "data": {"status": "completed"}}
START = Start(dialect=NAME)


def wire(*each: object) -> bytes:
    return sse(*each, done=False)


def text(content: object) -> dict[str, object]:
    return {"type": "text_message", "data": {"content": content}}


def control(data: object) -> dict[str, object]:
    return {"type": "ui_control", "data": data}


def message_of(*events: Event) -> Message:
    accumulator = MessageAccumulator()
    accumulator.feed_many(events)
    return accumulator.message


def test_a_whole_stream() -> None:
    theme = {"action": "change_theme", "color": "#90EE90"}
    data = (
        b'data: {"type": "ui_control", "data": {"action": "change_theme", "color": "#90EE90"}}\n\n'
        b": ping\n\n"
        b'data: {"type": "start", "data": {"agent": "ollama"}}\n\n'
        b'data: {"type": "text_message", "data": {"content": "Hel"}}\n\n'
        b'data: {"type": "ui_control"}\n\n'
        b'data: {"type": "text_message", "data": {"content": "lo"}}\n\n'
        b'data: {"type": "end", "data": {"status": "completed"}}\n\n'
    )
    events = [
        Custom("ui_control", theme),
        Ping("ping"),
        Start(dialect=NAME, extra={"agent-poc.agent": "ollama"}),
        PartStart(0, "text"),
        Text(0, "Hel"),
        Custom("ui_control"),
        Text(0, "lo"),
        PartEnd(0),
        Finish("stop", "completed"),
        End(),
    ]
    assert decode(NAME, data, strict=True) == events
    assert encode(NAME, events) == data.replace(b'": ', b'":').replace(b", ", b",")


def test_the_first_and_the_last_may_have_no_data() -> None:
    data = b'data: {"type":"start"}\n\ndata: {"type":"end"}\n\n'
    events = decode(NAME, data, strict=True)
    assert events == [START, Finish("stop"), End()]
    assert encode(NAME, events) == data


def test_further_data_is_kept() -> None:
    records_in = [
        {"type": "start", "data": {"agent": "a", "v": 1}},
        {"type": "text_message", "data": {"lang": "en", "content": "x"}},
        {"type": "end", "data": {"took_ms": 7, "status": "completed"}},
    ]
    events = decode(NAME, wire(*records_in), strict=True)
    assert events[2] == Text(0, "x", extra={"agent-poc.lang": "en"})
    assert records(encode(NAME, events)) == records_in


@pytest.mark.parametrize(
    ("status", "finish"),
    [
        ("completed", Finish("stop", "completed")),
        ("length", Finish("length", "length")),
        ("content_filter", Finish("content_filter", "content_filter")),
        ("cancelled", Finish("cancelled", "cancelled")),
        ("error", Finish("error", "error")),
        ("tired", Finish("other", "tired")),
    ],
)
def test_a_status_is_read_and_comes_back_as_it_was(status: str, finish: Finish) -> None:
    last = {"type": "end", "data": {"status": status}}
    events = decode(NAME, wire(BARE, last), strict=True)
    assert events == [START, finish, End()]
    assert records(encode(NAME, events))[-1] == last


@pytest.mark.parametrize(
    ("finish", "status"),
    [
        (Finish("stop", "end_turn"), "completed"),
        (Finish("stop_sequence"), "completed"),
        (Finish("tool_calls"), "completed"),
        (Finish("length", "max_tokens"), "length"),
        (Finish("context_overflow"), "length"),
        (Finish("content_filter"), "content_filter"),
        (Finish("pause"), "pause"),
        (Finish("other"), "other"),
    ],
    ids=lambda value: value.reason if isinstance(value, Finish) else "",
)
def test_the_status_of_every_reason(finish: Finish, status: str) -> None:
    assert records(encode(NAME, [Start("x", "m"), finish, End()])) == [
        BARE,
        {"type": "end", "data": {"status": status}},
    ]


@pytest.mark.parametrize("reason", ["error", "cancelled"])
def test_a_failed_answer_has_no_end(reason: str) -> None:
    (_, last) = records(encode(NAME, [Start(), Finish(reason, "why"), End()]))  # type: ignore[arg-type]
    assert last["type"] == "error"
    assert "why" in json.dumps(last)


def test_an_error_has_no_end() -> None:
    events = decode(NAME, wire(BARE, text("a"), {"type": "error", "data": {"message": "it broke"}}), strict=True)
    assert events == [START, PartStart(0, "text"), Text(0, "a"), Error("it broke")]
    assert records(encode(NAME, events)) == [BARE, text("a"), {"type": "error", "data": {"message": "it broke"}}]
    assert records(encode(NAME, [Error("", "overloaded")])) == [{"type": "error", "data": {"message": "overloaded"}}]


@pytest.mark.parametrize("rest", [b"", b'data: {"type":"en', b'data: {"type":"end"}'])
def test_a_cut_stream_is_truncated(rest: bytes) -> None:
    events = decode(NAME, wire(BARE, text("a")) + rest)
    assert isinstance(events[-1], Error)
    assert events[-1].type == "truncated"
    assert records(encode(NAME, events[:-1]))[-1]["type"] == "error"


def test_line_separators_are_escaped() -> None:
    said = "a\u2028b\u2029c\x85d\r\n\ufeffé"
    data = encode(NAME, [Start(), PartStart(0, "text"), Text(0, said), PartEnd(0), Finish("stop"), End()])
    assert b'{"content":"a\\u2028b\\u2029c\\u0085d\\r\\n' in data
    assert [event for event in decode(NAME, data) if isinstance(event, Text)] == [Text(0, said)]


def test_what_cannot_be_said_is_counted() -> None:
    encoder = DIALECT.encoder()
    encoder.feed_many(
        [
            Start("id", "m", extra={"service_tier": "x"}),
            PartStart(0, "reasoning"),
            Reasoning(0, "a"),
            PartStart(1, "tool", "c", "f"),
            ToolArgs(1, "{"),
            ToolArgs(1, "}"),
            PartStart(2, "refusal"),
            Refusal(2, "No."),
            Custom("other", 1),
            Custom("ui_control", [1]),
            Usage(1, 2),
            Raw("openai-chat", "", "{}"),
        ]
    )
    assert encoder.losses == {
        "service_tier": 1,
        "reasoning": 1,
        "tool-arguments": 1,
        "refusal": 1,
        "custom": 2,
        "raw": 1,
    }


def test_a_refusal_is_a_text() -> None:
    data = encode(NAME, [Start(), PartStart(0, "refusal"), Refusal(0, "No."), PartEnd(0), Finish("stop"), End()])
    assert records(data)[1] == text("No.")


def test_an_unknown_record_comes_back_as_it_was() -> None:
    odd = b'data: {"type":  "tool_call","data":{}}\n\n'
    events = decode(NAME, wire(BARE) + odd + wire(END))
    assert events[1] == Raw(NAME, "", '{"type":  "tool_call","data":{}}')
    assert odd in encode(NAME, events)


@pytest.mark.parametrize(
    ("each", "code"),
    [
        ((text("a"), END), "no-start"),
        ((END,), "no-start"),
        ((BARE, BARE, END), "second-start"),
        ((BARE, "[DONE]", END), "done"),
        ((BARE, END, text("late")), "after-end"),
    ],
)
def test_repairs(each: tuple[object, ...], code: str) -> None:
    assert repairs_of(NAME, wire(*each)) == {code: 1}
    assert refusal_of(NAME, wire(*each)) == code


@pytest.mark.parametrize("hostile", [None, True, 7, 1.5, "x", [], {}, [None], -1], ids=repr)
@pytest.mark.parametrize("kind", ["start", "text_message", "ui_control", "end", "error", "other"])
def test_a_field_of_another_type_is_refused_or_lawful(kind: str, hostile: object) -> None:
    for record in (
        {"type": kind, "data": hostile},
        {"type": kind, "data": {"content": hostile, "status": hostile, "message": hostile}},
        {"type": hostile, "data": {}},
        hostile,
    ):
        decoder = DIALECT.decoder()
        try:
            events = decoder.feed(wire(BARE, record, END)) + decoder.finish()
        except DecodeError as error:
            events = [*error.items, Error("refused")]  # type: ignore[list-item]
        checker = Lifecycle()
        assert [*checker.feed_many(events), *checker.finish()] == []
        encode(NAME, events)


def test_a_bare_start_may_also_be_vercel_s() -> None:
    assert DIALECT.looks_like(BARE, "message")
    assert DIALECT.looks_like({"type": "start", "data": {"agent": "ollama"}}, "message")
    for other in (
        {"type": "start", "messageId": "m"},
        {"type": "text-delta", "id": "1", "delta": "x"},
        {"type": "error", "errorText": "x"},
        {"type": "error", "data": None},
        {"type": "finish"},
        {"type": "text_message"},
        {"type": "text_message", "data": "x"},
        {"type": ["start"]},
        {"type": "message_start"},
    ):
        assert not DIALECT.looks_like(other, "message")
    assert not DIALECT.looks_like(BARE, "message_start")
    assert guess(wire(BARE, text("x"))) == NAME
    assert guess(wire(control({"action": "x"}))) == NAME


def test_a_start_with_other_keys_is_somebody_else_s() -> None:
    assert decode(NAME, wire(BARE, {"type": "start", "messageId": "m"}, END))[1] == Raw(
        NAME, "", '{"type": "start", "messageId": "m"}'
    )


def test_a_control_before_the_start_goes_through_ag_ui() -> None:
    """AG-UI's clients want RUN_STARTED first; agent-poc's controls may come before its start."""
    theme = control({"action": "change_theme", "color": "#90EE90"})
    source = wire(theme, BARE, text("Hi"), theme, END)
    there, back = Converter(NAME, "ag-ui"), Converter("ag-ui", NAME)
    middle = b"".join(there.feed(source))
    assert [record["type"] for record in records(middle)][:2] == ["RUN_STARTED", "CUSTOM"]
    assert records(b"".join(back.feed(middle))) == [BARE, theme, text("Hi"), theme, END]


@pytest.mark.parametrize("example", EXAMPLES_HERE, ids=str)
def test_examples_are_lawful_and_stable(example: Example) -> None:
    events = decode(NAME, example.wire, strict=True)
    assert isinstance(events[-1], End) == example.ends_cleanly
    again = decode(NAME, encode(NAME, events), strict=True)
    assert again[:-1] == events[:-1]
    assert type(again[-1]) is type(events[-1])
    assert guess(example.wire[:400]) == NAME


def test_documents() -> None:
    started = [Start(extra={"agent-poc.agent": "ollama"}), Custom("ui_control", {"action": "x"}), Custom("other")]
    said = [*started, PartStart(0, "text"), Text(0, "Hel"), Text(0, "lo")]
    head = [{"type": "start", "data": {"agent": "ollama"}}, control({"action": "x"})]
    assert DIALECT.document(message_of(*said, PartEnd(0), Finish("length"), End())) == [
        *head,
        text("Hello"),
        {"type": "end", "data": {"status": "length"}},
    ]
    assert DIALECT.document(message_of(*said)) == [*head, text("Hello")]
    assert DIALECT.document(message_of(*said, Error("it broke"))) == [
        *head,
        text("Hello"),
        {"type": "error", "data": {"message": "it broke"}},
    ]
    assert DIALECT.document(message_of(Start(), Finish("stop"), End())) == [BARE, END]
