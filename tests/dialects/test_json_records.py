"""JSON records: our own events without any loss, and everybody else's records untouched."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamkit.dialects.convert import Converter, decoder_of, encoder_of
from streamkit.dialects.events import (
    EVENT_TYPES,
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
from streamkit.dialects.json_records import DIALECT, IMPLIED, MARKED, TAGGED
from streamkit.dialects.lifecycle import Lifecycle
from streamkit.dialects.message import MessageAccumulator
from streamkit.dialects.sniff import Sniffer
from streamkit.errors import DecodeError, EncodeError, TruncatedError
from streamkit.testing import check_items, check_limit, check_stage
from tests.dialects.examples import EXAMPLES, Example
from tests.dialects.wires import decode, encode, lines, refusal_of, sse

HERE = [example for example in EXAMPLES if example.dialect == "json"]

SOURCES = ["json", "json/sse", "json/json-array"]

each_source = pytest.mark.parametrize("source", SOURCES)

Record = dict[str, object]

STARTED: Record = {"streamkit": "start", "id": "a"}
TEXT_ANSWER: list[Record] = [
    {"streamkit": "part-start", "part": 0, "kind": "text"},
    {"streamkit": "text", "part": 0, "text": "Hel"},
    {"streamkit": "part-end", "part": 0},
]
CLOSED: list[Record] = [{"streamkit": "finish", "reason": "stop"}, {"streamkit": "end"}]


def passed_on(source: str, target: str, wire: bytes) -> bytes:
    converter = Converter(source, target)
    return b"".join([*converter.feed(wire), *converter.finish()])


# --- Our events ------------------------------------------------------------------------------------------------------


def test_events_have_tags() -> None:
    wire = (
        b'{"streamkit":"start","id":"a","model":"m","dialect":"gemini","created_ns":5,"extra":{"gemini.x":[1]}}\n'
        b'{"streamkit":"part-start","part":0,"kind":"tool","tool_id":"c","tool_name":"f"}\n'
        b'{"streamkit":"tool-args","part":0,"json_text":"{\\"a\\":1}"}\n'
        b'{"streamkit":"part-end","part":0,"signature":"s"}\n'
        b'{"streamkit":"part-start","part":0,"kind":"refusal","choice":1}\n'
        b'{"streamkit":"refusal","part":0,"text":"No","choice":1}\n'
        b'{"streamkit":"ping","comment":"x"}\n'
        b'{"streamkit":"custom","name":"n","value":[1.5,null]}\n'
        b'{"streamkit":"part-end","part":0,"encrypted":"e","choice":1}\n'
        b'{"streamkit":"raw","dialect":"anthropic","name":"new","payload":"{}"}\n'
        b'{"streamkit":"usage","input_total":3,"total_ns":4}\n'
        b'{"streamkit":"finish","reason":"tool_calls","raw_reason":"STOP"}\n'
        b'{"streamkit":"finish","reason":"length","choice":1}\n'
        b'{"streamkit":"end"}\n'
    )
    events: list[Event] = [
        Start("a", "m", dialect="gemini", created_ns=5, extra={"gemini.x": [1]}),
        PartStart(0, "tool", "c", "f"),
        ToolArgs(0, '{"a":1}'),
        PartEnd(0, "s"),
        PartStart(0, "refusal", choice=1),
        Refusal(0, "No", choice=1),
        Ping("x"),
        Custom("n", [1.5, None]),
        PartEnd(0, "", "e", choice=1),
        Raw("anthropic", "new", "{}"),
        Usage(3, total_ns=4),
        Finish("tool_calls", "STOP"),
        Finish("length", choice=1),
        End(),
    ]
    check_stage(lambda: DIALECT.decoder(strict=True), wire, events)
    check_items(DIALECT.encoder, events, [[line] for line in wire.splitlines(keepends=True)], joined=True)


def test_every_event_has_a_tag() -> None:
    assert len(TAGGED) == len(EVENT_TYPES)


@pytest.mark.parametrize("example", HERE, ids=str)
def test_the_examples_come_back_as_they_went(example: Example) -> None:
    events = decode(example.source, example.wire, strict=True)
    encoder = encoder_of(example.source)
    again = b"".join([*encoder.feed_many(events), *encoder.finish()])
    assert decode(example.source, again) == events
    assert encoder.losses == {}


WORDS = st.text(st.characters(codec="utf-8") | st.sampled_from('\r\n\u0085\u2028\u2029"\\'), max_size=8)

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | WORDS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(WORDS, inner, max_size=2),
    max_leaves=4,
)

EXTRA: st.SearchStrategy[dict[str, object]] = st.just({}) | st.dictionaries(WORDS, VALUES, max_size=2)

CHOICES = st.integers(0, 3)

COUNTS = st.none() | st.integers(0, 2**70)

FOREIGN = st.sampled_from(['{"a":1}', "[]", "5", '"x"', '{"streamkit":"other"}', '{"streamkit":5}', "1.50", "null"])

AMBIGUOUS = st.sampled_from(['{"streamkit":"end"}', '{"\\u0073treamkit":"text"}', '{"a":\n"\u2028"}', "[DONE]"])

ANYWHERE: st.SearchStrategy[Event] = (
    st.builds(Ping, WORDS, extra=EXTRA, choice=CHOICES)
    | st.builds(Custom, WORDS.filter(bool), VALUES, extra=EXTRA, choice=CHOICES)
    | st.builds(Raw, st.sampled_from(["anthropic", ""]), WORDS, FOREIGN | AMBIGUOUS, extra=EXTRA, choice=CHOICES)
    | st.builds(Raw, st.just("json"), st.just(""), FOREIGN)
    | st.builds(Usage, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS, extra=EXTRA)
)

STARTS = st.builds(
    Start,
    WORDS,
    WORDS,
    WORDS,
    st.sampled_from(["", "json", "openai-chat"]),
    st.none() | st.integers(0, 2**70),
    extra=EXTRA | st.just(MARKED),
)


@st.composite
def bodies(draw: st.DrawFn, choice: int) -> list[Event]:
    """One choice: parts, one after the other, and its finish."""
    out: list[Event] = []
    has_tool = False
    for part, kind in enumerate(draw(st.lists(st.sampled_from(["text", "reasoning", "refusal", "tool"]), max_size=3))):
        has_tool = has_tool or kind == "tool"
        make = {"text": Text, "reasoning": Reasoning, "refusal": Refusal, "tool": ToolArgs}[kind]
        names = (draw(WORDS), draw(WORDS)) if kind == "tool" else ("", "")
        out.append(PartStart(part, kind, *names, choice=choice, extra=draw(EXTRA)))  # type: ignore[arg-type]
        out += [make(part, text, choice=choice, extra=draw(EXTRA)) for text in draw(st.lists(WORDS, max_size=3))]
        out.append(PartEnd(part, draw(WORDS), draw(WORDS), choice=choice, extra=draw(EXTRA)))
    stops: list[Any] = ["tool_calls" if has_tool else "stop", "length", "cancelled", "error", "other", "pause"]
    return [*out, Finish(draw(st.sampled_from(stops)), draw(WORDS), draw(WORDS), choice=choice, extra=draw(EXTRA))]


@st.composite
def streams(draw: st.DrawFn) -> list[Event]:
    """Any lawful stream, with all fields and extras; in it, but not before it, heartbeats."""
    lanes = [draw(bodies(choice)) for choice in range(draw(st.integers(1, 2)))]
    events: list[Event] = [draw(STARTS)]
    while lanes:
        lane = lanes[draw(st.integers(0, len(lanes) - 1))]
        events += draw(st.lists(ANYWHERE, max_size=1))
        events.append(lane.pop(0))
        lanes = [each for each in lanes if each]
    before = draw(st.lists(ANYWHERE.filter(lambda event: not isinstance(event, (Ping, Usage))), max_size=2))
    if draw(st.booleans()):
        return [*before, *events, *draw(st.lists(ANYWHERE, max_size=1)), End()]
    error = Error(draw(WORDS), draw(WORDS), draw(WORDS), draw(st.none() | st.integers()), extra=draw(EXTRA))
    return [*before, *events[: draw(st.integers(0, len(events)))], error]


@each_source
@given(events=streams())
def test_what_is_written_is_read_back_exactly(source: str, events: list[Event]) -> None:
    assert [*Lifecycle().feed_many(events)] == []
    encoder = encoder_of(source)
    wire = b"".join([*encoder.feed_many(events), *encoder.finish()])
    assert decode(source, wire, strict=True) == events
    assert encoder.losses == {}
    assert not any(mark in wire.decode() for mark in "\r\u0085\u2028\u2029")


@pytest.mark.parametrize("payload", ['{"streamkit":"end"}', '{"\\u0073treamkit":"text"}'])
def test_a_foreign_record_that_reads_like_one_of_ours_is_wrapped(payload: str) -> None:
    raw = Raw("json", "", payload)
    (wire,) = encoder_of("json").feed(raw)
    assert json.loads(wire) == {"streamkit": "raw", "dialect": "json", "name": "", "payload": payload}
    assert decoder_of("json").feed(wire) == [raw]


@pytest.mark.parametrize("dialect", ["json", "anthropic"])
@pytest.mark.parametrize("payload", ["", "no json", '{"a":1', "{}{}", "\ud800"])
def test_a_foreign_record_that_is_no_json_is_neither_written_nor_read(dialect: str, payload: str) -> None:
    with pytest.raises(EncodeError, match="not JSON"):
        encoder_of("json").feed(Raw(dialect, "", payload))
    if payload != "\ud800":
        wire = lines({"streamkit": "raw", "dialect": dialect, "name": "", "payload": payload})
        assert refusal_of("json", wire, strict=False) == "bad-field"


@pytest.mark.parametrize("logprobs", [5, [5], [{}], [{"token": "x", "logprob": "y"}]])
def test_log_probabilities_have_their_form(logprobs: object) -> None:
    record = {"streamkit": "text", "part": 0, "text": "x", "extra": {"logprobs": logprobs}}
    assert refusal_of("json", lines(STARTED, TEXT_ANSWER[0], record), strict=False) == "bad-field"


def test_a_name_that_the_framing_cannot_say_is_wrapped() -> None:
    for raw in (Raw("json", "message", "{}"), Raw("json", "a\nb", "{}"), Raw("json", "", "{}", extra={"x": 1})):
        (wire,) = encoder_of("json/sse").feed(raw)
        assert wire.startswith(b'data: {"streamkit":"raw"')
        assert decoder_of("json/sse").feed(wire) == [raw]


def test_a_stream_without_a_start_gets_one() -> None:
    wire = encode("json", [PartStart(0, "text"), Text(0, "x"), PartEnd(0), Finish("stop"), End()])
    assert wire.startswith(b'{"streamkit":"start"}\n')


def test_the_options_of_the_encoder() -> None:
    encoder = encoder_of("json", model="m", message_id="i", created_ns=5, include_usage=False)
    (wire,) = encoder.feed_many([Start("a", "b"), Usage(1, 2)])
    assert wire == b'{"streamkit":"start","id":"a","model":"m","created_ns":5}\n'
    encoder = encoder_of("json", message_id="i", created_ns=5)
    (wire,) = encoder.feed(Start("", "b", created_ns=0))
    assert wire == b'{"streamkit":"start","id":"i","model":"b","created_ns":0}\n'


# --- Ends, errors, hostile records -----------------------------------------------------------------------------------


@pytest.mark.parametrize("count", range(6))
def test_ours_without_an_end_were_cut(count: int) -> None:
    records = [{"streamkit": "custom", "name": "x"}, STARTED, *TEXT_ANSWER, CLOSED[0]]
    for source, wire in (("json", lines(*records[:count])), ("json/sse", sse(*records[:count], done=False))):
        (last,) = decode(source, wire)[-1:]
        assert isinstance(last, Error)
        assert last.type == "truncated"


def test_a_foreign_record_among_ours_is_no_end() -> None:
    last = decode("json", lines({"a": 1}, STARTED, {"b": 2}))[-1]
    assert isinstance(last, Error)


@pytest.mark.parametrize("wire", [b'{"a":1}\n{"b":', b'{"a":1}\n{"b":1'])
def test_a_cut_inside_a_foreign_record_is_a_cut(wire: bytes) -> None:
    for source, cut in (("json", wire), ("json/sse", b'data: {"a":1}\n\ndata: {"b":2}\n'), ("json/json-array", b"[{}")):
        with pytest.raises(TruncatedError):
            passed_on(source, source, cut)
        last = decode(source, cut)[-1]
        assert isinstance(last, Error)
        assert last.type == "truncated"


def test_after_the_end_and_after_an_error_nothing_counts() -> None:
    wire = lines(STARTED, {"streamkit": "error", "message": "boom", "status": 529}, {"a": 1})
    assert decode("json", wire) == [Start("a"), Error("boom", status=529)]
    assert refusal_of("json", wire) == "after-end"
    assert decode("json/sse", sse(STARTED, *CLOSED), strict=True) == [Start("a"), Finish("stop"), End()]


def test_a_failed_stream_ends_in_an_error_record() -> None:
    assert encode("json", [Start("a"), Error("boom")]) == lines_of(STARTED, {"streamkit": "error", "message": "boom"})
    cut = encode("json", [Start("a")])
    assert json.loads(cut.splitlines()[-1])["type"] == "truncated"
    array = encode("json/json-array", [Start("a"), Error("boom")])
    assert json.loads(array) == [STARTED, {"streamkit": "error", "message": "boom"}]


def lines_of(*records: object) -> bytes:
    return b"".join([json.dumps(record, separators=(",", ":")).encode() + b"\n" for record in records])


UNLAWFUL: list[list[Record]] = [
    [TEXT_ANSWER[0]],
    [STARTED, STARTED],
    [STARTED, TEXT_ANSWER[1]],
    [STARTED, TEXT_ANSWER[0], {"streamkit": "reasoning", "part": 0, "text": "x"}],
    [STARTED, {"streamkit": "part-start", "part": 10**12, "kind": "text"}],
    [STARTED, {"streamkit": "part-start", "part": -1, "kind": "text"}],
    [STARTED, TEXT_ANSWER[0], CLOSED[0]],
    [STARTED, CLOSED[1]],
    [STARTED, {"streamkit": "finish", "reason": "tool_calls"}],
]


@pytest.mark.parametrize("records", UNLAWFUL)
def test_our_events_have_to_be_lawful(records: list[Record]) -> None:
    assert refusal_of("json", lines(*records), strict=False) == "unlawful"


WRONG: list[object] = [None, -1, 1.5, 1e300, 10**40, True, "x", [], {}, {"x": None}, "\u2028"]

FRESH: list[Record] = [{"streamkit": "usage", "input_total": 1}, {"streamkit": "ping"}]

HOSTILE = [
    {**record, key: value}
    for record in [STARTED, *TEXT_ANSWER, CLOSED[0], *FRESH]
    for key in (*record, "choice", "extra")
    for value in WRONG
    if key != "streamkit"
]


@pytest.mark.parametrize("record", HOSTILE, ids=str)
def test_fields_of_a_wrong_type(record: Record) -> None:
    decoder = decoder_of("json")
    before = [STARTED, *TEXT_ANSWER[: TEXT_ANSWER.index(record) if record in TEXT_ANSWER else 0]]
    if record["streamkit"] in {"text", "part-end"}:
        before = [STARTED, TEXT_ANSWER[0]]
    events: list[Event] = []
    try:
        events += decoder.feed(lines(*before, record))
    except DecodeError as error:
        assert error.code in {"bad-field", "unlawful"}  # noqa: PT017 - either is right
        events += error.items  # type: ignore[arg-type]
    assert [*Lifecycle().feed_many(events)] == []


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"streamkit": "text", "part": "0", "text": "x"}, "Expected `int`, got `str` - at `$.part`"),
        ({"streamkit": "text", "part": 0}, "Object missing required field `text`"),
        ({"streamkit": "ping", "choice": -1}, "choice is negative"),
        ({"streamkit": "custom", "name": ""}, "name is empty"),
        ({"streamkit": "finish", "reason": "tired"}, "Invalid enum value 'tired'"),
    ],
)
def test_an_event_that_is_wrong_is_refused_with_the_field(record: object, message: str) -> None:
    with pytest.raises(DecodeError) as caught:
        decode("json", lines(STARTED, record))
    assert message in str(caught.value)
    assert caught.value.code == "bad-field"
    assert caught.value.record == 2


def test_what_json_cannot_say_is_an_error_in_the_stream_too() -> None:
    encoder = encoder_of("json")
    with pytest.raises(EncodeError) as caught:
        encoder.feed_many([Start("a"), Custom("x", float("inf"))])
    (wire,) = caught.value.items
    assert isinstance(wire, bytes)
    assert [json.loads(line)["streamkit"] for line in wire.splitlines()] == ["start", "error"]
    late = [Start(), Finish("stop"), End(), Ping("late")]
    for events in ([Start(), Start()], late, [Custom("")], [Start(), Ping(choice=-1)], [Start(extra={"logprobs": 5})]):
        with pytest.raises(EncodeError):
            encode("json", events)


def test_a_record_without_end_is_refused_at_the_limit() -> None:
    check_limit(lambda: DIALECT.decoder(max_record_bytes=500), b'{"x":"', b"x" * 50, 500)


# --- Everybody else's records ----------------------------------------------------------------------------------------

FOREIGN_LINES = (
    b'{"model":"m","message":{"role":"assistant","content":"Hi"},"done":false}\n'
    b' { "a" : 1.50, "a":2, "\\u00e9": "\\/" } \n'
    b"1e5\n"
    b'"text"\n'
    b"null\n"
    b'{"streamkit":"unheard-of","x":1}\n'
)


def test_foreign_lines_pass_byte_by_byte_and_none_is_added() -> None:
    assert passed_on("json", "json", FOREIGN_LINES) == FOREIGN_LINES
    check_stage(lambda: Converter("json", "json"), FOREIGN_LINES, [FOREIGN_LINES], joined=True)


def test_foreign_events_pass_with_their_types_and_comments() -> None:
    wire = b': open\n\nevent: message_start\ndata: {"n": 1.0}\n\n: \n\ndata: [1]\n\ndata: [DONE]\n\n'
    assert passed_on("json/sse", "json/sse", wire) == wire
    converter = Converter("json/sse", "json")
    assert b"".join([*converter.feed(wire), *converter.finish()]) == b'{"n": 1.0}\n[1]\n'
    assert converter.losses == {"event-name": 1, "ping": 2}


def test_foreign_elements_pass() -> None:
    wire = b'[{"n": 1.0},\n{\n  "a": [\r\n 2]\n}\n]\n'
    assert passed_on("json/json-array", "json", wire) == b'{"n": 1.0}\n{   "a": [   2] }\n'
    assert passed_on("json/json-array", "json/json-array", b'[{"n": 1.0}]') == b'[{"n": 1.0}]\n'
    assert passed_on("json/json-array", "json/sse", b"[]") == b""
    assert passed_on("json/json-array", "json/json-array", b"[]") == b"[]\n"


def test_a_foreign_record_stays_one_line_for_every_reader() -> None:
    """The class of florimondmanca/httpx-sse#34: a line is split where only some readers see an end."""
    wire = 'data: {"a":\ndata: "x\u2028\u0085y"}\n\n'.encode()
    assert passed_on("json/sse", "json/sse", wire) == b'data: {"a": "x\\u2028\\u0085y"}\n\n'
    assert passed_on("json/sse", "json", wire) == b'{"a": "x\\u2028\\u0085y"}\n'


def test_the_events_of_foreign_records_are_lawful_and_their_end_is_the_end() -> None:
    assert decode("json", b'{"a":1}\n[2]') == [Raw("json", "", '{"a":1}'), Raw("json", "", "[2]"), *IMPLIED]
    assert decode("json/sse", b"event: x\ndata: 5\n\n") == [Raw("json", "x", "5"), *IMPLIED]


@pytest.mark.parametrize("wire", [b"", b"\n\n"])
def test_no_record_at_all_is_no_answer(wire: bytes) -> None:
    (error,) = decode("json", wire)
    assert isinstance(error, Error)
    assert error.type == "truncated"


def test_the_implied_end_is_written_where_it_is_not_implied() -> None:
    events: list[Event] = [*IMPLIED[:1], Custom("x"), *IMPLIED[1:]]
    assert decode("json", encode("json", events)) == events
    after = [Custom("x"), *IMPLIED]
    assert decode("json", encode("json", after)) == after


def test_a_bad_foreign_record_is_refused_where_it_stands() -> None:
    with pytest.raises(DecodeError) as caught:
        passed_on("json", "json", b'{"a":1}\n{"b":\n{"c":1}\n')
    assert caught.value.record == 2
    written = b"".join(caught.value.items)  # type: ignore[arg-type]
    assert written.startswith(b'{"a":1}\n{"streamkit":"error"')


def test_foreign_records_are_no_answer_in_another_dialect() -> None:
    converter = Converter("json", "openai-chat")
    assert converter.feed(b'{"a":1}\n') == []
    assert converter.losses["raw"] == 1
    with pytest.raises(EncodeError, match="none of the records"):
        converter.finish()


def test_a_conversion_of_ours_keeps_the_vendors_word() -> None:
    """Events may be stored and be written later as what they came from."""
    wire = (
        b'data: {"id":"x","object":"chat.completion.chunk","created":5,"model":"m","choices":'
        b'[{"index":0,"delta":{"content":"Hi"},"finish_reason":"eos"}]}\n\ndata: [DONE]\n\n'
    )
    stored = passed_on("openai-chat", "json", wire)
    assert b'"dialect":"openai-chat"' in stored
    assert passed_on("json", "openai-chat", stored) == passed_on("openai-chat", "openai-chat", wire)
    assert b'"finish_reason":"eos"' in passed_on("json", "openai-chat", stored)


# --- What it looks like ----------------------------------------------------------------------------------------------


def test_only_ours_look_like_it_and_the_rest_is_taken_for_it_in_the_end() -> None:
    assert DIALECT.looks_like(STARTED, "message")
    assert not DIALECT.looks_like({"streamkit": "x"}, "message")
    assert not DIALECT.looks_like({"a": 1}, "message")
    assert not DIALECT.looks_like([], "message")
    assert Sniffer().feed(lines(STARTED)) == "json"
    assert Sniffer().feed(b'{"a":1}\n' * 8) == "json"


def test_the_document_has_every_field() -> None:
    accumulator = MessageAccumulator()
    accumulator.feed_many(decode("json", lines(STARTED, *TEXT_ANSWER, {"streamkit": "error", "message": "boom"})))
    document = DIALECT.document(accumulator.message)
    assert isinstance(document, dict)
    assert document["streamkit"] == "message"
    assert document["id"] == "a"
    assert document["complete"] is False
    assert document["error"]["message"] == "boom"
    assert document["choices"][0]["parts"][0]["text"] == "Hel"
    assert json.loads(json.dumps(document)) == document
