"""The finished message: what a stream adds up to, at every moment, within a bound."""

from __future__ import annotations

import pytest
from hypothesis import given

from streamkit.codecs.jsontext import encode_value
from streamkit.dialects.events import (
    Custom,
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
from streamkit.dialects.registry import DIALECTS
from streamkit.errors import LimitExceeded, StageStateError
from tests.dialects.neutral import whole_of
from tests.dialects.strategies import streams


def message_of(*events: Event) -> Message:
    stage = MessageAccumulator()
    assert stage.feed_many(events) == [*events]
    return stage.message


WHOLE: list[Event] = [
    Start("id-1", "m", created_ns=5, extra={"service_tier": "x"}),
    PartStart(0, "reasoning"),
    Reasoning(0, "Let me "),
    Reasoning(0, "see"),
    PartEnd(0, signature="sig"),
    PartStart(1, "text"),
    Text(1, "Hel", extra={"logprobs": [1]}),
    Text(1, "lo", extra={"logprobs": [2, 3]}),
    PartEnd(1),
    PartStart(2, "tool", "call_1", "get_weather"),
    ToolArgs(2, '{"city":'),
    ToolArgs(2, '"Bern"}'),
    PartEnd(2),
    Usage(10, 1),
    Finish("tool_calls", "tool_use"),
    Usage(None, 7, reasoning=2),
    End(),
]


def test_a_whole_message() -> None:
    message = message_of(*WHOLE)
    assert (message.id, message.model, message.created_ns) == ("id-1", "m", 5)
    assert (message.text, message.reasoning, message.refusal) == ("Hello", "Let me see", "")
    (call,) = message.tool_calls
    assert (call.tool_id, call.tool_name, call.arguments) == ("call_1", "get_weather", {"city": "Bern"})
    assert (message.usage.input_total, message.usage.output_total, message.usage.reasoning) == (10, 7, 2)
    assert (message.reason, message.first.raw_reason) == ("tool_calls", "tool_use")
    assert message.complete
    assert message.error is None
    assert [part.complete for part in message.first.parts] == [True, True, True]
    assert message.first.parts[0].signature == "sig"
    assert message.first.parts[1].extra == {"logprobs": [1, 2, 3]}
    assert message.extra == {"service_tier": "x"}


def test_a_cut_message_says_so() -> None:
    message = message_of(*WHOLE[:11], Error("cut", "truncated"))
    assert not message.complete
    assert message.error == Error("cut", "truncated")
    assert message.reason is None
    (call,) = message.tool_calls
    assert not call.complete
    assert (call.text, call.arguments) == ('{"city":', None)


def test_choices_stay_apart() -> None:
    message = message_of(
        Start(),
        PartStart(0, "text", choice=1),
        PartStart(0, "text"),
        Text(0, "b", choice=1),
        Text(0, "a"),
        PartEnd(0),
        PartEnd(0, choice=1),
        Finish("length", choice=1),
        Finish("stop"),
        End(),
    )
    assert [(choice.index, choice.text, choice.reason) for choice in message.choices] == [
        (0, "a", "stop"),
        (1, "b", "length"),
    ]


@pytest.mark.parametrize(
    ("text", "arguments"), [("", {}), ("  ", {}), ("[]", None), ("{", None), ('{"a":1}', {"a": 1})]
)
def test_arguments(text: str, arguments: object) -> None:
    message = message_of(Start(), PartStart(0, "tool", "i", "f"), ToolArgs(0, text), PartEnd(0))
    assert message.tool_calls[0].arguments == arguments


def test_a_message_is_a_value_of_its_own() -> None:
    stage = MessageAccumulator()
    stage.feed_many(WHOLE[:7])
    early = stage.message
    stage.feed_many(WHOLE[7:])
    assert early.text == "Hel"
    assert early.first.parts[1].extra == {"logprobs": [1]}
    assert WHOLE[6].extra == {"logprobs": [1]}
    assert stage.message.text == "Hello"


def test_a_message_is_bounded() -> None:
    stage = MessageAccumulator()
    stage.feed_many([Start(), PartStart(0, "text")])
    size = stage.size_bytes
    stage = MessageAccumulator(max_bytes=size + 6)
    stage.feed_many([Start(), PartStart(0, "text"), Text(0, "123é")])
    assert stage.size_bytes == size + 5
    with pytest.raises(LimitExceeded) as caught:
        stage.feed_many([Text(0, "4"), Text(0, "5")])
    assert caught.value.items == [Text(0, "4")]
    with pytest.raises(StageStateError):
        stage.feed(End())
    stage.reset()
    assert stage.message == Message()


@pytest.mark.parametrize(
    "event",
    [
        Custom("x", "y" * 100),
        Text(0, "", extra={"logprobs": ["y" * 100]}),
        PartEnd(0, encrypted="y" * 100),
        PartEnd(0, signature="y" * 100),
        PartStart(0, "tool", "y" * 100, "f"),
        PartStart(0, "text", extra={"x.y": "y" * 100}),
        Start("y" * 100),
        Finish("stop", "y" * 100),
        Error("y" * 100),
        ToolArgs(0, "y" * 100),
        Refusal(0, "y" * 100),
    ],
    ids=lambda event: type(event).__name__,
)
def test_whatever_is_kept_counts(event: Event) -> None:
    stage = MessageAccumulator()
    stage.feed(event)
    assert stage.size_bytes >= 100


def test_many_short_pieces_take_little_more_than_their_length() -> None:
    stage = MessageAccumulator()
    stage.feed_many([Start(), PartStart(0, "text"), *[Text(0, "ab")] * 5000])
    assert stage.message.text == "ab" * 5000


@given(events=streams(clean=False))
def test_a_message_says_what_its_stream_says(events: list[Event]) -> None:
    message = message_of(*events)
    whole = whole_of(events)
    for choice in message.choices:
        said = whole.choices[choice.index]
        assert len(choice.tool_calls) == len(said.calls)
        assert choice.reason == said.reason
        assert sorted(choice.reasoning) == sorted(said.reasoning)  # overlapping texts are told apart by part here
        assert sorted(choice.text) == sorted(said.text)
    assert message.complete == (whole.ending == "end")
    assert (message.usage.input_total, message.usage.output_total) == whole.totals


@pytest.mark.parametrize("name", DIALECTS)
@given(events=streams(clean=False))
def test_every_dialect_has_a_document_for_every_message(name: str, events: list[Event]) -> None:
    """However incomplete: the document of a message is JSON, and the text of each part is in it."""
    message = message_of(*events)
    document = encode_value(DIALECTS[name].document(message))
    for part in message.first.parts:
        if part.kind == "text" and part.text.isalnum():
            assert encode_value(part.text)[1:-1] in document
