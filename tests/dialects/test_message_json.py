"""Our own JSON form of a finished message: the keys that are always there, and those that need a reason."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from streamkit.codecs.jsontext import decode_checked, encode_value
from streamkit.dialects.events import Custom, Error, Event, Usage
from streamkit.dialects.message import Choice, Message, MessageAccumulator, Part
from streamkit.dialects.message_json import message_json
from tests.dialects.strategies import streams

KEYS = {"id", "model", "role", "created", "choices", "usage", "complete", "error"}
CHOICE_KEYS = {
    *("index", "text", "reasoning", "refusal", "tool_calls", "finish_reason", "raw_reason", "stop_sequence"),
}
CALL_KEYS = {"id", "name", "arguments", "arguments_text"}


def form_of(message: Message) -> Any:  # noqa: ANN401 - it is JSON
    """The form as it is after its way through JSON."""
    return decode_checked(encode_value(message_json(message)))


def test_nothing() -> None:
    assert message_json(Message()) == {
        "id": None,
        "model": None,
        "role": "assistant",
        "created": None,
        "choices": [
            {
                "index": 0,
                "text": "",
                "reasoning": None,
                "refusal": None,
                "tool_calls": [],
                "finish_reason": None,
                "raw_reason": None,
                "stop_sequence": None,
            }
        ],
        "usage": {},
        "complete": False,
        "error": None,
    }


def test_everything() -> None:
    parts = [
        Part("reasoning", "hm", complete=True),
        Part("text", "a", complete=True, extra={"logprobs": [1]}),
        Part("tool", '{"n":1}', "call_1", "add", complete=True),
        Part("text", "b", complete=True, extra={"logprobs": [2, 3]}),
        Part("refusal", "no", complete=True),
    ]
    message = Message(
        id="x",
        model="m",
        created_ns=1795166043120457000,
        choices=[Choice(0, parts, "stop_sequence", "eos", "END", {"seed": 7})],
        usage=Usage(input_total=3, output_total=0),
        complete=True,
        error=Error("late", "kind", "c", 500),
        customs=[Custom("tick", [1])],
        extra={"service_tier": "flex"},
    )
    assert message_json(message) == {
        "id": "x",
        "model": "m",
        "role": "assistant",
        "created": "2026-11-20T09:14:03.120457000Z",
        "choices": [
            {
                "index": 0,
                "text": "ab",
                "reasoning": "hm",
                "refusal": "no",
                "tool_calls": [{"id": "call_1", "name": "add", "arguments": {"n": 1}, "arguments_text": None}],
                "finish_reason": "stop_sequence",
                "raw_reason": "eos",
                "stop_sequence": "END",
                "extra": {"logprobs": [1, 2, 3], "seed": 7},
            }
        ],
        "usage": {"input_total": 3, "output_total": 0},
        "complete": True,
        "error": {"message": "late", "type": "kind", "code": "c", "status": 500},
        "customs": [{"name": "tick", "value": [1]}],
        "extra": {"service_tier": "flex"},
    }
    assert parts[1].extra == {"logprobs": [1]}, "the message is left as it was"


@pytest.mark.parametrize(
    ("part", "arguments", "text"),
    [
        pytest.param(Part("tool", '{"a":1}'), {"a": 1}, None, id="whole-but-not-closed"),
        pytest.param(Part("tool", "", complete=True), {}, None, id="none-are-an-empty-object"),
        pytest.param(Part("tool", ""), None, "", id="cut-before-the-first"),
        pytest.param(Part("tool", '{"a":'), None, '{"a":', id="cut"),
        pytest.param(Part("tool", "[1]", complete=True), None, "[1]", id="no-object"),
    ],
)
def test_arguments(part: Part, arguments: object, text: str | None) -> None:
    (choice,) = form_of(Message(choices=[Choice(parts=[part])]))["choices"]
    (call,) = choice["tool_calls"]
    assert (call["arguments"], call["arguments_text"]) == (arguments, text)


@pytest.mark.parametrize(
    ("created_ns", "text"),
    [
        (0, "1970-01-01T00:00:00.000000000Z"),
        (1, "1970-01-01T00:00:00.000000001Z"),
        (-1, "1969-12-31T23:59:59.999999999Z"),
        (253402300799_999999999, "9999-12-31T23:59:59.999999999Z"),
        (253402300800_000000000, None),
        (10**40, None),
        (-(10**40), None),
    ],
)
def test_time(created_ns: int, text: str | None) -> None:
    assert message_json(Message(created_ns=created_ns))["created"] == text


@given(streams(clean=False))
def test_every_message_has_a_form_with_the_same_keys(events: list[Event]) -> None:
    kept = MessageAccumulator()
    kept.feed_many(events)
    value = form_of(kept.message)
    assert value.keys() - {"customs", "extra"} == KEYS
    for choice in value["choices"]:
        assert choice.keys() - {"extra"} == CHOICE_KEYS
        assert all(call.keys() == CALL_KEYS for call in choice["tool_calls"])
