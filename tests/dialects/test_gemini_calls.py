"""Function calls whose arguments Vertex AI sends in pieces: paths into an object, and values that may go on."""

from __future__ import annotations

import json
from typing import Any

import pytest

from streamkit.dialects.convert import decoder_of
from streamkit.dialects.events import End, Event, Finish, PartEnd, PartStart, Text, ToolArgs
from streamkit.dialects.gemini_calls import steps_of
from streamkit.dialects.gemini_decoder import GeminiDecoder
from streamkit.errors import DecodeError
from streamkit.testing import check_stage
from tests.dialects.gemini_wires import SIGNATURE, STOP, call, ending, heard, said, sse, text
from tests.dialects.wires import convert, decode, refusal_of, repairs_of


def piece(*partial: dict[str, Any], more: bool = True, **fields: object) -> dict[str, Any]:
    """A part of a call."""
    pieces = {"partialArgs": [*partial]} if partial else {}
    return {"functionCall": {**fields, **pieces, **({"willContinue": True} if more else {})}}


def string(path: str, value: str, *, more: bool = False) -> dict[str, Any]:
    return {"jsonPath": path, "stringValue": value, **({"willContinue": True} if more else {})}


def number(path: str, value: float) -> dict[str, Any]:
    return {"jsonPath": path, "numberValue": value}


def arguments(*partial: dict[str, Any]) -> Any:  # noqa: ANN401 - what JSON holds
    """What comes of pieces, one a record."""
    events = heard(said(piece(name="f")), *[said(piece(each)) for each in partial], said(piece(more=False)), STOP)
    [args] = [event for event in events if isinstance(event, ToolArgs)]
    return json.loads(args.json_text)


def test_a_call_in_pieces_by_hand() -> None:
    wire = (
        b'data: {"candidates": [{"content": {"role": "model","parts": [{"functionCall": {"name": "set_light",'
        b'"willContinue": true},"thoughtSignature": "c2lnbmVk"}]}}],"modelVersion": "m","responseId": "r"}\r\n\r\n'
        b'data: {"candidates": [{"content": {"role": "model","parts": [{"functionCall": {"partialArgs": ['
        b'{"jsonPath": "$.room","stringValue": "liv","willContinue": true}],"willContinue": true}}]}}]}\r\n\r\n'
        b'data: {"candidates": [{"content": {"role": "model","parts": [{"functionCall": {"partialArgs": ['
        b'{"jsonPath": "$.room","stringValue": "ing"},{"jsonPath": "$.level","numberValue": 50}],'
        b'"willContinue": true}}]}}]}\r\n\r\n'
        b'data: {"candidates": [{"content": {"role": "model","parts": [{"functionCall": {}}]}}]}\r\n\r\n'
        b'data: {"candidates": [{"content": {"role": "model","parts": [{"text": ""}]},"finishReason": "STOP"}]}\r\n\r\n'
    )
    events: list[Event] = [
        PartStart(0, "tool", tool_name="set_light"),
        ToolArgs(0, '{"room":"living","level":50}'),
        PartEnd(0, SIGNATURE),
        Finish("tool_calls", "STOP"),
        End(),
    ]
    assert decode("gemini", wire, strict=True)[1:] == events
    check_stage(lambda: decoder_of("gemini"), wire, decode("gemini", wire))


def test_values_of_every_type() -> None:
    assert arguments(
        string("$.s", "x"),
        number("$.n", 1.5),
        {"jsonPath": "$.b", "boolValue": False},
        {"jsonPath": "$.z", "nullValue": "NULL_VALUE"},
        {"jsonPath": "$.nothing"},
    ) == {"s": "x", "n": 1.5, "b": False, "z": None}


def test_paths_lead_through_objects_and_lists() -> None:
    assert arguments(
        string("$.days[0].name", "Mo", more=True),
        string("$.days[0].name", "nday"),
        number("$.days[0].hours[1]", 8),
        string("$.days[1]['full name']", "Tuesday"),
        string('$["a.b"]', "c"),
        string("$['it\\'s \"x\"']", "d"),
    ) == {
        "days": [{"name": "Monday", "hours": [None, 8]}, {"full name": "Tuesday"}],
        "a.b": "c",
        'it\'s "x"': "d",
    }


def test_strings_that_go_on_at_several_places_at_once() -> None:
    assert arguments(
        string("$.a", "1", more=True),
        string("$.b", "x", more=True),
        string("$['a']", "2"),
        string("$.b", "y"),
    ) == {"a": "12", "b": "xy"}


def test_a_whole_object_may_come_first() -> None:
    events = heard(said(piece(name="f", args={"a": 1})), said(piece(string("$.b", "x"), more=False)), STOP)
    assert ToolArgs(0, '{"a":1,"b":"x"}') in events


def test_text_does_not_wait_for_a_call() -> None:
    events = heard(said(piece(name="f", id="1")), said(text("a")), said(piece(number("$.n", 1), more=False)), STOP)
    assert events == [
        PartStart(0, "tool", "1", "f"),
        PartStart(1, "text"),
        Text(1, "a"),
        ToolArgs(0, '{"n":1}'),
        PartEnd(0),
        PartEnd(1),
        Finish("tool_calls", "STOP"),
        End(),
    ]


def test_calls_one_after_the_other() -> None:
    events = heard(
        said(piece(number("$.n", 1), name="f")),
        said(piece(more=False)),
        said(piece(name="f")),
        said(piece(more=False)),
        STOP,
    )
    assert [event.json_text for event in events if isinstance(event, ToolArgs)] == ['{"n":1}', "{}"]


def test_each_candidate_has_calls_of_its_own() -> None:
    def at(index: int, part: dict[str, Any]) -> dict[str, Any]:
        return said(part, index=index)

    events = heard(
        at(0, piece(name="f")),
        at(1, piece(name="g")),
        at(1, piece(number("$.n", 1), more=False)),
        at(0, piece(number("$.n", 0), more=False)),
        said(finish="STOP"),
        said(finish="STOP", index=1),
    )
    assert ToolArgs(0, '{"n":0}') in events
    assert ToolArgs(0, '{"n":1}', choice=1) in events


def test_a_call_that_is_not_ended_is_ended_by_the_next_or_by_a_stop() -> None:
    begun = said(piece(number("$.n", 1), name="f"))
    wire = sse(begun, said(call("g", {})), STOP)
    texts = [event.json_text for event in decode("gemini", wire) if isinstance(event, ToolArgs)]
    assert texts == ['{"n":1}', "{}"]
    assert repairs_of("gemini", wire) == {"call-not-ended": 1}
    assert refusal_of("gemini", wire) == "call-not-ended"
    assert ToolArgs(0, '{"n":1}') in decode("gemini", sse(begun, STOP))
    assert repairs_of("gemini", sse(begun, STOP)) == {"call-not-ended": 1}


def test_an_id_that_comes_again_means_the_same_call() -> None:
    events = heard(said(piece(name="f", id="1")), said(piece(number("$.n", 1), name="f", id="1", more=False)), STOP)
    assert ToolArgs(0, '{"n":1}') in events
    other = heard(said(piece(name="f", id="1", more=False)), said(piece(name="f", id="2", more=False)), STOP)
    assert PartStart(1, "tool", "2", "f") in other


def test_a_call_that_the_length_cuts_is_not_taken_for_a_whole_one() -> None:
    wire = sse(said(piece(number("$.n", 1), name="f")), said(finish="MAX_TOKENS"))
    events = decode("gemini", wire, strict=True)
    assert ToolArgs(0, '{"n":1') in events
    assert Finish("length", "MAX_TOKENS") in events
    written, converter = convert("gemini", "ollama-chat", wire)
    assert b"tool_calls" not in written
    assert converter.losses == {"tool-arguments": 1}


def test_a_call_that_a_cut_stream_leaves_is_not_let_out() -> None:
    wire = sse(said(piece(number("$.n", 1), name="f")))
    assert not any(isinstance(event, (ToolArgs, PartEnd)) for event in decode("gemini", wire))
    assert type(ending(wire)).__name__ == "Error"


def test_the_end_of_no_call_is_passed_over() -> None:
    wire = sse(said(piece(more=False)), STOP)
    assert not any(isinstance(event, PartStart) for event in decode("gemini", wire))
    assert repairs_of("gemini", wire) == {"call-empty": 1}
    assert refusal_of("gemini", wire) == "call-empty"


def test_a_call_without_a_name() -> None:
    wire = sse(said({"functionCall": {"args": {"a": 1}}}), STOP)
    assert PartStart(0, "tool") in decode("gemini", wire)
    assert repairs_of("gemini", wire) == {"call-name": 1}
    assert refusal_of("gemini", wire) == "call-name"


def test_arguments_as_text() -> None:
    wire = sse(said(call("f", '{"a": 1}')), STOP)
    assert ToolArgs(0, '{"a": 1}') in decode("gemini", wire)
    assert repairs_of("gemini", wire) == {"arguments-text": 1}
    assert refusal_of("gemini", wire) == "arguments-text"


def test_parallel_calls_are_never_joined() -> None:
    """Class 2 (BerriAI/litellm #5231, PR #37792): calls on one index ran into each other as `{...}{...}`."""
    wire = sse(said(call("f", {"n": 1})), said(call("f", {"n": 2})), STOP)
    chat, _ = convert("gemini", "openai-chat", wire)
    texts = [event.json_text for event in decode("openai-chat", chat, strict=True) if isinstance(event, ToolArgs)]
    assert texts == ['{"n":1}', '{"n":2}']


# --- What is refused --------------------------------------------------------------------------------------------------

BAD_PATHS = [
    *("", "$", "$.", "a", "$a", "$..a", "$.a.", "$.a[", "$.a[]", "$.a[-1]", "$.a[*]", "$.a[x]", "$[1:2]", "$['a]"),
    *('$["a\\x"]', "$" + "[0]" * 101, "$.a[9999999999]"),
]


@pytest.mark.parametrize("path", BAD_PATHS)
def test_a_path_that_leads_nowhere_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="jsonPath"):
        steps_of(path)
    assert refusal_of("gemini", sse(said(piece(string(path, "x"), name="f"))), strict=False) == "bad-field"


@pytest.mark.parametrize(
    "second",
    [
        string("$.a.b", "x"),
        string("$.a[0]", "x"),
        string("$[0]", "x"),
        number("$.b[999999999]", 1),
        {"jsonPath": "$.c", "numberValue": "NaN"},
        {"jsonPath": "$.c", "numberValue": True},
        {"jsonPath": "$.c", "boolValue": 1},
        {"jsonPath": "$.c", "stringValue": 1},
        {"jsonPath": 1, "stringValue": "x"},
    ],
)
def test_a_piece_that_does_not_fit_is_refused(second: dict[str, Any]) -> None:
    wire = sse(said(piece(string("$.a", "x"), name="f")), said(piece(second)))
    assert refusal_of("gemini", wire, strict=False) == "bad-field"


@pytest.mark.parametrize("value", ["xxxxxxxxxxxxxxxx", ""])
def test_what_is_held_of_calls_is_bounded(value: str) -> None:
    decoder = GeminiDecoder(max_record_bytes=4000)
    record = sse(said(piece(string("$.a", value, more=True), name="f", id="1")))
    with pytest.raises(DecodeError) as caught:
        decoder.feed(record * 1000)
    assert caught.value.code == "limit"


def test_a_complete_call_is_held_no_more() -> None:
    decoder = GeminiDecoder(max_record_bytes=4000)
    record = sse(said(piece(string("$.a", "x" * 64, more=True), name="f", more=False)))
    assert len(decoder.feed(record * 1000)) == 3001
