"""The exact effect of each fault of records, and of each error, on answers written by hand."""

from __future__ import annotations

import json

import pytest

from mockserver.faults.table import Context, apply_faults, fault_of
from mockserver.response import Record, Response, Step, Verbatim
from mockserver.script import Close, Gate
from streamkit.dialects.registry import DIALECTS
from tests.mockserver.faults.fault_answers import PLAIN, TOOLS, body_of, faulty, records_of, response_of

LINES: tuple[Step, ...] = (
    Record(b'{"n":1}\n', 1, 10),
    Record(b'{"n":2,"text":"two"}\n', 2, 20),
    Record(b'{"n":3}\n', 3, 30),
    Record(b'{"done":true}\n', 3, 30, is_terminator=True),
)
EVENTS: tuple[Step, ...] = (
    Record(b"retry: 100\n\n"),
    Record(b'id: 1\nevent: a\ndata: {"n":1}\n\n', 1, 10),
    Record(b": ping\n\n", 1, 15),
    Record(b'id: 2\nevent: a\ndata: {"n":2,"text": "two"}\n\n', 2, 20),
    Record(b'id: 3\nevent: a\ndata: {"n":3}\n\n', 3, 30),
    Record(b"data: [DONE]\n\n", 3, 30, is_terminator=True),
)
ARRAY: tuple[Step, ...] = (Record(b'[{"n":1}', 1, 10), Record(b',\n{"n":2}', 2, 20), Record(b',\n{"n":3}]\n', 3, 30))

FRAMING = {id(LINES): "ndjson", id(EVENTS): "sse", id(ARRAY): "json-array"}
DIALECT = DIALECTS["json"]


def after(steps: tuple[Step, ...], *faults: str, framing: str | None = None) -> Response:
    context = Context(DIALECT, FRAMING.get(id(steps), "") if framing is None else framing, 1)
    return apply_faults(Response(steps=steps), [fault_of(fault) for fault in faults], context)


def bodies(steps: tuple[Step, ...], *faults: str) -> list[bytes]:
    return records_of(after(steps, *faults))


def test_end_ends_cleanly() -> None:
    assert [*after(LINES, "end@token:2").steps] == [*LINES[:2]]
    first, second, *_ = LINES
    assert isinstance(second, Record)
    assert [*after(LINES, "end@event:1+3").steps] == [first, Record(b'{"n', 1, 20, cut_from=second)]


def test_no_terminator() -> None:
    assert [*after(LINES, "no-terminator").steps] == [*LINES[:3]]
    assert "did nothing" in after(ARRAY, "no-terminator").notes[0]


def test_terminator_twice() -> None:
    assert [*after(EVENTS, "terminator-twice").steps] == [*EVENTS, EVENTS[-1]]


def test_bad_json_leaves_out_the_last_byte_of_the_next_record() -> None:
    assert bodies(LINES, "bad-json") == [b'{"n":1}\n', b'{"n":2,"text":"two"\n', b'{"n":3}\n', b'{"done":true}\n']
    assert [*after(EVENTS, "bad-json").steps] == [
        *EVENTS[:3],
        Record(b'id: 2\nevent: a\ndata: {"n":2,"text": "two"\n\n', 2, 20),
        *EVENTS[4:],
    ]
    assert b"".join(bodies(ARRAY, "bad-json@token:2")) == b'[{"n":1},\n{"n":2},\n{"n":3]\n'
    assert bodies(LINES, "bad-json@before-terminator")[3] == b'{"done":true\n'


def test_bad_utf8_and_raw_u2028_are_put_where_the_text_begins() -> None:
    assert bodies(LINES, "bad-utf8")[1] == b'{"n":2,"text":"\xfftwo"}\n'
    assert bodies(EVENTS, "bad-utf8")[3] == b'id: 2\nevent: a\ndata: {"n":2,"text": "\xfftwo"}\n\n'
    assert bodies(LINES, "raw-u2028")[1] == b'{"n":2,"text":"\xe2\x80\xa8two"}\n'
    assert json.loads(bodies(LINES, "raw-u2028")[1])["text"] == "\u2028two"
    assert bodies(LINES, "bad-utf8@after-head")[0] == b'{"n\xff":1}\n'


def test_a_document_can_be_broken_too() -> None:
    document = (Record(b'{"content":"x"}', 9, 5),)
    assert bodies(document, "bad-json") == [b'{"content":"x"']
    assert bodies(document, "bad-utf8") == [b'{"content":"\xffx"}']
    assert "did nothing" in after(document, "duplicate").notes[0]


def test_plain_text_can_be_broken_where_it_has_no_records() -> None:
    text = (Record(b"one", 1, 10), Record(b" two", 2, 20))
    assert records_of(after(text, "bad-utf8", framing="text")) == [b"one", b"\xff", b" two"]
    assert records_of(after(text, "oversized:4", framing="text")) == [b"one", b"xxxx", b" two"]
    assert records_of(after(text, "blank-line", framing="text")) == [b"one", b"\n", b" two"]
    assert "did nothing" in after(text, "bad-json", framing="text").notes[0]


def test_oversized_grows_a_record_to_so_many_bytes() -> None:
    grown = bodies(LINES, "oversized:100")[1]
    assert len(grown) == 101
    assert json.loads(grown) == {"n": 2, "text": "two", "mock_padding": json.loads(grown)["mock_padding"]}
    assert len(bodies(EVENTS, "oversized")[3]) > 1_048_576
    assert json.loads(bodies(LINES, "oversized:1")[1]) == {"n": 2, "text": "two", "mock_padding": ""}


def test_duplicate_drop_and_reorder() -> None:
    assert [*after(EVENTS, "duplicate").steps] == [*EVENTS[:4], EVENTS[3], *EVENTS[4:]]
    assert [*after(EVENTS, "drop").steps] == [*EVENTS[:3], *EVENTS[4:]]
    two, three = LINES[1], LINES[2]
    assert isinstance(two, Record)
    assert isinstance(three, Record)
    assert [*after(LINES, "reorder").steps] == [
        LINES[0],
        Record(three.data, 2, 30),
        Record(two.data, 3, 30),
        LINES[3],
    ]


def test_what_is_lost_doubled_or_swapped_in_an_array_leaves_it_an_array() -> None:
    for fault, numbers in (
        ("duplicate@after-head", [1, 1, 2, 3]),
        ("duplicate@token:2", [1, 2, 3, 3]),
        ("drop@after-head", [2, 3]),
        ("drop@token:2", [1, 2]),
        ("reorder@after-head", [2, 1, 3]),
        ("reorder@token:1", [1, 3, 2]),
    ):
        array = json.loads(b"".join(bodies(ARRAY, fault)))
        assert [element["n"] for element in array] == numbers, fault
    only = (Record(b'[{"n":1}]\n', 1),)
    assert records_of(after(only, "drop@after-head", framing="json-array")) == [b"[]\n"]


def test_too_few_records_for_a_fault_are_noted() -> None:
    assert after(LINES, "reorder@before-terminator").notes == (
        "reorder@before-terminator: did nothing, because too few records come after it",
    )
    assert after(LINES, "drop@event:4").notes == (
        "drop@event:4: did nothing, because no record comes after that place",
    )


def test_waits_stay_where_they_are() -> None:
    assert [*after(LINES, "gate:g@token:2", "reorder").steps][1:4:2] == [
        Gate("g"),
        Record(b'{"n":2,"text":"two"}\n', 3, 30),
    ]


def test_comment_and_blank_line() -> None:
    assert [*after(EVENTS, "comment:so so").steps] == [*EVENTS[:3], Record(b": so so\n\n", 1, 15), *EVENTS[3:]]
    assert [*after(LINES, "blank-line@token:2").steps] == [*LINES[:2], Record(b"\n", 2, 20), *LINES[2:]]
    assert "did nothing" in after(LINES, "comment").notes[0]
    assert "did nothing" in after(ARRAY, "blank-line").notes[0]


@pytest.mark.parametrize(
    ("dialect", "heartbeat"),
    [
        ("openai-chat", b": ping\n\n"),
        ("anthropic", b'event: ping\ndata: {"type":"ping"}\n\n'),
        ("vercel-ui", b": keep-alive\n\n"),
        ("gemini", None),
        ("ollama-chat", None),
    ],
)
def test_a_ping_has_the_dialect_s_own_form(dialect: str, heartbeat: bytes | None) -> None:
    found, was = records_of(faulty(dialect, "ping@token:2")), records_of(response_of(dialect))
    if heartbeat is None:
        assert found == was
    else:
        at = found.index(heartbeat)
        assert found == [*was[:at], heartbeat, *was[at:]]


def test_garbage_is_the_same_for_the_same_seed() -> None:
    one, two = (after(LINES, "garbage:8") for _ in range(2))
    assert [*one.steps] == [*two.steps]
    assert len(records_of(one)[1]) == 8
    first = after(LINES, "garbage:8@before-head")
    assert first.before_head == (Verbatim(records_of(one)[1]),)


# Errors

ERROR_TAILS = {
    "openai-chat": [
        b'data: {"error":{"message":"oh","type":"server_error","param":null,"code":null}}\n\n',
    ],
    "anthropic": [b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"oh"}}\n\n'],
    "ollama-chat": [b'{"error":"oh"}\n'],
    "gemini": [b'data: {"error":{"code":503,"message":"oh","status":"UNAVAILABLE"}}\n\n'],
    "gemini/json-array": [b',\n{"error":{"code":503,"message":"oh","status":"UNAVAILABLE"}}]\n'],
    "ag-ui": [
        b'data: {"type":"RUN_ERROR","message":"oh","code":"server_error","metadata":{"errorType":"server_error"}}\n\n'
    ],
    "vercel-ui": [b'data: {"type":"error","errorText":"oh"}\n\n'],
}


@pytest.mark.parametrize("dialect", ERROR_TAILS)
def test_an_error_has_the_dialect_s_own_form_and_ends_the_answer(dialect: str) -> None:
    was = [step for step in response_of(dialect).steps if isinstance(step, Record)]
    before = [step for step in was if step.tokens <= 2]
    found = [*faulty(dialect, "error:oh@token:2").steps]
    assert found[: len(before)] == before
    assert found[len(before) :] == [Record(data, 2, 20_000_000) for data in ERROR_TAILS[dialect]]


def test_an_error_of_responses_goes_on_with_the_ids_and_numbers_of_the_answer() -> None:
    found = records_of(faulty("openai-responses", "error:oh@token:2"))
    values = [json.loads(record.split(b"data: ")[1]) for record in found]
    assert [value["sequence_number"] for value in values] == [*range(len(values))]
    assert values[-2]["type"] == "error"
    assert values[-1]["type"] == "response.failed"
    assert values[-1]["response"]["id"] == values[0]["response"]["id"]
    assert values[-1]["response"]["output"][0]["content"][0]["text"] == "Grüße from"


def test_an_error_where_the_dialect_has_none_breaks_the_connection() -> None:
    assert [*faulty("text", "error@token:1").steps][1] == Close()


def test_an_error_after_a_broken_record_is_written_as_one_that_comes_first() -> None:
    found = records_of(faulty("openai-responses", "bad-json@token:1", "error:oh@token:3"))
    assert json.loads(found[-2].split(b"data: ")[1])["error"]["message"] == "oh"


def test_an_error_then_the_end() -> None:
    found = records_of(faulty("openai-chat", "error-then-end:oh"))
    assert found[-2:] == [*ERROR_TAILS["openai-chat"], b"data: [DONE]\n\n"]


def test_errors_in_forms_that_clients_overlook() -> None:
    assert records_of(faulty("openai-chat", "error-string:oh"))[-1] == b'data: {"error":"oh"}\n\n'
    flat = b'event: error\ndata: {"type":"error","code":"server_error","message":"oh","param":null}\n\n'
    assert records_of(faulty("openai-responses", "flat-error-event:oh"))[-1] == flat


def test_error_object_and_error_line_are_names_for_the_error_of_their_dialects() -> None:
    assert body_of(faulty("openai-chat", "error-object")) == body_of(faulty("openai-chat", "error"))
    assert body_of(faulty("ollama-chat", "error-line")) == body_of(faulty("ollama-chat", "error"))
    [note] = faulty("openai-chat", "error-line").notes
    assert note == "error-line: did nothing, because it is for ollama-chat, ollama-generate, and openai-chat is not"


def test_faults_add_up_in_their_order() -> None:
    found = records_of(faulty("ollama-chat", "duplicate@event:0", "blank-line@event:1", events=TOOLS))
    was = records_of(response_of("ollama-chat", TOOLS))
    assert found == [was[0], b"\n", *was]
    assert len(PLAIN) < len(TOOLS)
