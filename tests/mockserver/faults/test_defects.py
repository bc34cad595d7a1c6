"""Each defect on answers of its dialect: what the records say then, and that nothing else has changed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from mockserver.faults.defect import Defect
from mockserver.faults.table import DEFECTS, FAULTS, fault_of
from mockserver.response import Record, Response
from streamkit.dialects.events import Event
from streamkit.dialects.registry import DIALECTS
from tests.mockserver.faults.fault_answers import PLAIN, TOOLS, TWO_CHOICES, body_of, faulty, records_of, response_of

Row = tuple[str, Any]
"""An event's type, and its value, or its data where that is no JSON."""


def rows(response: Response, framing: str = "sse") -> list[Row]:
    """The records, read in the plainest way."""
    if framing == "ndjson":
        return [("", json.loads(line)) for line in body_of(response).decode().splitlines()]
    found = []
    for event in body_of(response).decode().split("\n\n")[:-1]:
        fields = dict(line.split(": ", 1) for line in event.split("\n"))
        data = fields.get("data", "")
        found.append((fields.get("event", ""), json.loads(data) if data[:1] == "{" else data))
    return found


def was_and_is(dialect: str, fault: str, events: Iterable[Event] = PLAIN) -> tuple[list[Row], list[Row]]:
    framing = DIALECTS[dialect].framings[0]
    found = faulty(dialect, fault, events=events)
    assert found.notes == (fault,)
    return rows(response_of(dialect, events), framing), rows(found, framing)


def of_type(*names: str) -> Callable[[Row], bool]:
    return lambda row: isinstance(row[1], dict) and row[1].get("type") in names


# What is left out: everything but these records is as it was

LEFT_OUT: list[tuple[str, str, Callable[[Row], bool]]] = [
    ("openai-chat", "no-done", lambda row: row[1] == "[DONE]"),
    ("openai-completions", "no-done", lambda row: row[1] == "[DONE]"),
    ("vercel-ui", "no-done", lambda row: row[1] == "[DONE]"),
    ("ollama-chat", "no-done", lambda row: row[1]["done"]),
    ("ollama-generate", "no-done", lambda row: row[1]["done"]),
    ("anthropic", "no-message-start", of_type("message_start")),
    ("anthropic", "no-block-start", of_type("content_block_start")),
    ("anthropic", "block-never-stopped", of_type("content_block_stop")),
    ("anthropic", "no-message-delta", of_type("message_delta")),
    ("anthropic", "no-message-stop", of_type("message_stop")),
    ("openai-responses", "no-created", of_type("response.created")),
    ("openai-responses", "no-item-added", of_type("response.output_item.added")),
    ("openai-responses", "no-part-added", of_type("response.content_part.added")),
    ("openai-responses", "no-completed", of_type("response.completed")),
    ("ag-ui", "no-run-started", of_type("RUN_STARTED")),
    ("ag-ui", "no-run-finished", of_type("RUN_FINISHED")),
    ("ag-ui", "unbalanced", of_type("TEXT_MESSAGE_END", "TOOL_CALL_END")),
    ("ag-ui", "no-message-start", of_type("TEXT_MESSAGE_START", "TOOL_CALL_START")),
    ("vercel-ui", "no-start", of_type("start")),
    ("vercel-ui", "no-part-start", of_type("text-start", "tool-input-start")),
    ("vercel-ui", "no-finish", of_type("finish")),
]


@pytest.mark.parametrize(
    ("dialect", "fault", "missing"), LEFT_OUT, ids=lambda value: value if isinstance(value, str) else ""
)
@pytest.mark.parametrize("events", [PLAIN, TOOLS], ids=["plain", "tools"])
def test_what_is_left_out(dialect: str, fault: str, missing: Callable[[Row], bool], events: tuple[Event, ...]) -> None:
    was, found = was_and_is(dialect, fault, events)
    assert found == [row for row in was if not missing(row)]
    assert len(found) < len(was)


# What is put in: everything else is as it was

PUT_IN: list[tuple[str, str, str, object]] = [
    ("anthropic", "unknown-event", "mock_unknown", {"type": "mock_unknown", "mock": True}),
    (
        "anthropic",
        "unknown-delta",
        "content_block_delta",
        {"type": "content_block_delta", "index": 0, "delta": {"type": "mock_delta", "mock": ""}},
    ),
    (
        "anthropic",
        "text-delta-on-tool",
        "content_block_delta",
        {
            "type": "content_block_delta",
            "index": 1,
            "delta": {"type": "text_delta", "text": "text in a tool call"},
        },
    ),
    (
        "openai-responses",
        "unknown-event",
        "response.mock_unknown",
        {"type": "response.mock_unknown", "sequence_number": 0, "mock": True},
    ),
    ("ag-ui", "after-finish", "", {"type": "CUSTOM", "name": "mock", "value": True}),
    ("vercel-ui", "unknown-event", "", {"type": "mock-unknown"}),
    ("anthropic", "done-marker", "", "[DONE]"),
    ("ag-ui", "done-marker", "", "[DONE]"),
    ("gemini", "done-marker", "", "[DONE]"),
    ("openai-chat", "empty-data", "", ""),
    ("anthropic", "empty-data", "", ""),
    ("openai-chat", "event-without-data", "ping", ""),
    ("gemini", "event-without-data", "ping", ""),
]


@pytest.mark.parametrize(("dialect", "fault", "name", "value"), PUT_IN)
def test_what_is_put_in(dialect: str, fault: str, name: str, value: object) -> None:
    was, found = was_and_is(dialect, fault, TOOLS)
    at = found.index((name, value))
    assert found[:at] + found[at + 1 :] == was
    if fault in {"after-finish", "done-marker"}:
        assert at == len(was)


@pytest.mark.parametrize(
    ("fault", "dialect", "place"),
    [("unknown-event", "anthropic", 1), ("text-delta-on-tool", "anthropic", None), ("empty-data", "openai-chat", 1)],
)
def test_where_it_is_put(fault: str, dialect: str, place: int | None) -> None:
    was, found = was_and_is(dialect, fault, TOOLS)
    at = next(number for number, row in enumerate(found) if number == len(was) or row != was[number])
    if place is not None:
        assert at == place
    else:
        assert found[at - 1][1]["content_block"]["type"] == "tool_use"


# OpenAI


def chunks(found: list[Row]) -> list[dict[str, Any]]:
    return [value for _, value in found if isinstance(value, dict)]


def calls(found: list[Row]) -> list[dict[str, Any]]:
    """The pieces of tool calls."""
    deltas = [choice["delta"] for chunk in chunks(found) for choice in chunk["choices"]]
    return [call for delta in deltas for call in delta.get("tool_calls", [])]


@pytest.mark.parametrize("dialect", ["openai-chat", "openai-completions"])
@pytest.mark.parametrize(("fault", "word"), [("no-finish", None), ("unknown-finish", "mock_unknown")])
def test_only_the_reason_for_the_end_changes(dialect: str, fault: str, word: str | None) -> None:
    was, found = was_and_is(dialect, fault)
    for chunk in chunks(was):
        for choice in chunk["choices"]:
            choice["finish_reason"] = choice["finish_reason"] and word
    assert found == was


def test_indexes_of_tool_calls() -> None:
    was, found = was_and_is("openai-chat", "no-index", TOOLS)
    assert [call["index"] for call in calls(was)] == [0, 0, 0, 0, 1, 1, 1]
    assert calls(found) == [{key: call[key] for key in call if key != "index"} for call in calls(was)]
    for fault, indexes in (("same-index", (0, 0)), ("index-from-one", (1, 2))):
        was, found = was_and_is("openai-chat", fault, TOOLS)
        for call in calls(was):
            call["index"] = indexes[call["index"]]
        assert found == was


def test_args_object() -> None:
    was, found = was_and_is("openai-chat", "args-object", TOOLS)
    look, find = (call for call in calls(was) if "id" in call)
    look["function"]["arguments"] = {"at": "x"}
    find["function"]["arguments"] = {"n": 1}
    opening = [row for row in was if not isinstance(row[1], dict) or not calls([row]) or "id" in calls([row])[0]]
    assert found == opening
    records = [step for step in faulty("openai-chat", "args-object", events=TOOLS).steps if isinstance(step, Record)]
    assert [record.tokens for record in records if b'"x"' in record.data or b'"n":1' in record.data] == [10, 10]


def test_repeat_id_name() -> None:
    was, found = was_and_is("openai-chat", "repeat-id-name", TOOLS)
    assert [(call["id"], call["function"]["name"]) for call in calls(found)] == [
        *[("call_look", "look")] * 4,
        *[("call_find", "find")] * 3,
    ]
    assert [call["function"]["arguments"] for call in calls(found)] == [
        call["function"]["arguments"] for call in calls(was)
    ]


def test_choices_null() -> None:
    was, found = was_and_is("openai-chat", "choices-null")
    assert found[1] == ("", {**was[0][1], "choices": None})
    assert found[:1] + found[2:] == was


def test_choice_order_of_two_choices_swaps_them() -> None:
    was, found = was_and_is("openai-chat", "choice-order", TWO_CHOICES)
    for chunk in chunks(was):
        for choice in chunk["choices"]:
            choice["index"] = 1 - choice["index"]
    assert found == was
    assert chunks(found)[0]["choices"][0]["index"] == 1


def test_choice_order_of_one_choice_lets_an_empty_one_come_first() -> None:
    was, found = was_and_is("openai-chat", "choice-order")
    assert [row for row in found if not _of_choice(row, 1)] == was
    empty = [row[1]["choices"][0] for row in found if _of_choice(row, 1)]
    assert [(choice["delta"].get("content", ""), choice["finish_reason"]) for choice in empty] == [
        ("", None),
        ("", "stop"),
    ]
    assert _of_choice(found[0], 1)


def _of_choice(row: Row, number: int) -> bool:
    return isinstance(row[1], dict) and any(choice["index"] == number for choice in row[1]["choices"])


# Anthropic


def test_no_event_lines() -> None:
    was, found = was_and_is("anthropic", "no-event-lines")
    assert found == [("", value) for _, value in was]
    assert all(name for name, _ in was)


def test_double_message_start() -> None:
    was, found = was_and_is("anthropic", "double-message-start")
    assert found == [was[0], *was]
    assert was[0][0] == "message_start"


@pytest.mark.parametrize(("fault", "indexes"), [("two-blocks-one-index", [0, 0, 0]), ("index-gap", [1, 2, 3])])
def test_indexes_of_blocks(fault: str, indexes: list[int]) -> None:
    was, found = was_and_is("anthropic", fault, TOOLS)
    for _, value in was:
        if "index" in value:
            value["index"] = indexes[value["index"]]
    assert found == was


def test_one_block_can_have_no_index_of_another() -> None:
    [note] = faulty("anthropic", "two-blocks-one-index").notes
    assert note.endswith("did nothing, because the answer has nothing that could have this defect")


def test_interleaved_blocks() -> None:
    was, found = was_and_is("anthropic", "interleaved-blocks", TOOLS)
    assert sorted(map(str, found)) == sorted(map(str, was))
    order = [(value["type"].removeprefix("content_block_"), value["index"]) for _, value in found if "index" in value]
    at = order.index(("stop", 0))
    assert order[at - 2 : at] == [("start", 1), ("delta", 1)]
    at = order.index(("stop", 1))
    assert order[at - 2 : at] == [("start", 2), ("delta", 2)]
    assert order[-1] == ("stop", 2)


def tool_json(found: list[Row]) -> dict[int, str]:
    """Each tool call's JSON."""
    texts: dict[int, str] = {}
    for _, value in found:
        if "partial_json" in value.get("delta", ()):
            texts[value["index"]] = texts.get(value["index"], "") + value["delta"]["partial_json"]
    return texts


def test_the_json_of_tool_calls() -> None:
    was, found = was_and_is("anthropic", "bad-tool-json", TOOLS)
    assert tool_json(was) == {1: '{"at": "x"}', 2: '{"n": 1}'}
    assert tool_json(found) == {1: '}{"at": "x"}', 2: '{"n": 1}'}
    assert len(found) == len(was)
    was, found = was_and_is("anthropic", "cut-tool-json", TOOLS)
    assert tool_json(found) == {1: '{"at": "x"', 2: '{"n": 1'}
    assert [name for name, _ in found] == [name for name, _ in was]


def test_no_usage() -> None:
    was, found = was_and_is("anthropic", "no-usage")
    with_usage = [value for _, value in was if "usage" in value or "usage" in value.get("message", ())]
    assert [value["type"] for value in with_usage] == ["message_start", "message_delta"]
    del with_usage[0]["message"]["usage"], with_usage[1]["usage"]
    assert found == was


# Responses


def test_fields_that_are_left_out() -> None:
    was, found = was_and_is("openai-responses", "no-sequence-number", TOOLS)
    assert found == [(name, {key: value[key] for key in value if key != "sequence_number"}) for name, value in was]
    was, found = was_and_is("openai-responses", "no-indexes", TOOLS)
    indexes = {"output_index", "content_index"}
    assert found == [(name, {key: value[key] for key in value if key not in indexes}) for name, value in was]


def test_changed_id_and_incomplete_change_the_last_event() -> None:
    was, found = was_and_is("openai-responses", "changed-id")
    was[-1][1]["response"]["id"] += "_changed"
    assert found == was
    was, found = was_and_is("openai-responses", "incomplete")
    assert found[:-1] == was[:-1]
    response = {
        **was[-1][1]["response"],
        "status": "incomplete",
        "incomplete_details": {"reason": "max_output_tokens"},
    }
    assert found[-1] == ("response.incomplete", {**was[-1][1], "type": "response.incomplete", "response": response})


def test_text_differs_in_all_records_that_have_the_whole_text() -> None:
    was, found = was_and_is("openai-responses", "text-differs")
    text = "Grüße from the mock 🦉."
    expected = json.loads(json.dumps(was).replace(json.dumps(text), json.dumps(f"not what was streamed: {text}")))
    assert found == [(name, value) for name, value in expected]
    changed = [two[0] for one, two in zip(was, found, strict=True) if one != two]
    assert changed == [
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]


# Ollama


@pytest.mark.parametrize(("dialect", "field"), [("ollama-chat", "message"), ("ollama-generate", "response")])
def test_no_message(dialect: str, field: str) -> None:
    was, found = was_and_is(dialect, "no-message")
    assert found == [(name, {key: value[key] for key in value if key != field}) for name, value in was]


def test_string_args() -> None:
    was, found = was_and_is("ollama-chat", "string-args", TOOLS)
    functions = [call["function"] for _, value in was for call in value["message"].get("tool_calls", ())]
    assert [function["arguments"] for function in functions] == [{"at": "x"}, {"n": 1}]
    for function, text in zip(functions, ['{"at":"x"}', '{"n":1}'], strict=True):
        function["arguments"] = text
    assert found == was


@pytest.mark.parametrize("events", [PLAIN, TOOLS])
def test_lines_after_done(events: tuple[Event, ...]) -> None:
    was, found = was_and_is("ollama-chat", "lines-after-done", events)
    assert found[:-1] == was
    assert found[-1][1]["message"]["content"] == " 🦉."
    assert not found[-1][1]["done"]


def test_sse_for_ndjson() -> None:
    found = faulty("ollama-chat", "sse-for-ndjson")
    assert dict(found.headers)["Content-Type"] == "text/event-stream"
    lines = body_of(response_of("ollama-chat")).splitlines()
    assert body_of(found) == b"".join(b"data: %b\n\n" % line for line in lines)


# Gemini, AG-UI, the AI SDK


def test_json_array() -> None:
    found = faulty("gemini", "json-array")
    assert dict(found.headers)["Content-Type"] == "application/json"
    assert json.loads(body_of(found)) == [value for _, value in rows(response_of("gemini"))]
    assert "did nothing" in faulty("gemini/json-array", "json-array").notes[0]


@pytest.mark.parametrize("name", ["gemini/sse", "gemini/json-array"])
def test_gemini_s_no_finish(name: str) -> None:
    was, found = body_of(response_of(name)), body_of(faulty(name, "no-finish"))
    assert was.count(b',"finishReason":"STOP"') == 1
    assert found == was.replace(b',"finishReason":"STOP"', b"")


def test_fields_of_ag_ui() -> None:
    for fault, fields in (
        ("null-fields", {"parentRunId": None}),
        ("string-timestamp", {"timestamp": "2026-01-01T00:00:00Z"}),
    ):
        was, found = was_and_is("ag-ui", fault)
        assert found == [("", {**was[0][1], **fields}), *was[1:]]
    was, found = was_and_is("ag-ui", "no-thread-id")
    assert was[0][1].pop("threadId")
    assert found == was


def test_vercel_s_unknown_finish() -> None:
    was, found = was_and_is("vercel-ui", "unknown-finish")
    [finish] = [value for _, value in was if isinstance(value, dict) and value["type"] == "finish"]
    finish["finishReason"] = "mock_unknown"
    assert found == was


# Event streams


SSE_DIALECTS = [name for name, dialect in DIALECTS.items() if "sse" in dialect.framings]


@pytest.mark.parametrize("dialect", SSE_DIALECTS)
def test_the_bytes_of_event_streams(dialect: str) -> None:
    name = f"{dialect}/sse"
    was = body_of(response_of(name))
    assert body_of(faulty(name, "crlf")) == was.replace(b"\n", b"\r\n")
    assert body_of(faulty(name, "bom")) == b"\xef\xbb\xbf" + was
    assert body_of(faulty(name, "no-space")) == was.replace(b"data: ", b"data:").replace(b"event: ", b"event:")
    assert body_of(faulty(name, "no-last-blank-line")) == was[:-1]
    found = faulty(name, "ndjson-for-sse")
    lines = [line[6:] for line in was.split(b"\n") if line.startswith(b"data: {")]
    assert body_of(found).splitlines() == lines
    assert dict(found.headers)["Content-Type"] == "application/x-ndjson"


def test_event_lines() -> None:
    was = records_of(response_of("gemini"))
    assert records_of(faulty("gemini", "event-lines")) == [b"event: message\n" + record for record in was]


def test_a_broken_off_stream_has_no_end_to_spoil() -> None:
    found = faulty("gemini", "reset@token:2", "done-marker")
    assert found.notes[1].endswith("nothing that could have this defect")


# All of them


def test_every_defect_stands_in_the_table_and_here() -> None:
    text = Path(__file__).read_text(encoding="utf-8")
    for defect in DEFECTS:
        assert FAULTS[defect.name].dialects
        assert f'"{defect.name}"' in text, defect.name


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: f"{defect.name}-{defect.dialects[0]}")
def test_every_defect_shows_in_every_dialect_that_it_is_for_and_is_noted_in_others(defect: Defect) -> None:
    for dialect in defect.dialects:
        name = f"{dialect}/{defect.framings[0]}"
        found = faulty(name, defect.name, events=TOOLS)
        assert found.notes == (defect.name,)
        assert body_of(found) != body_of(response_of(name, TOOLS))
        assert found.status == 200
    others = [name for name in DIALECTS if name not in FAULTS[defect.name].dialects]
    for dialect in others[:1]:
        found = faulty(dialect, defect.name, events=TOOLS)
        assert found.notes[0].startswith(f"{defect.name}: did nothing, because ")
        assert body_of(found) == body_of(response_of(dialect, TOOLS))


def test_a_name_that_several_dialects_have_is_one_row() -> None:
    assert FAULTS["no-done"].dialects == (
        *("openai-chat", "openai-completions", "ollama-chat", "ollama-generate", "vercel-ui"),
    )
    assert fault_of("no-done").kind == "no-done"
