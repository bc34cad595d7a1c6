"""Ollama's two dialects: wires written by hand, what they mean, and what is written."""

from __future__ import annotations

from typing import Any

import pytest

from streamkit.dialects.convert import decoder_of, encoder_of
from streamkit.dialects.events import (
    Custom,
    End,
    Error,
    Event,
    Finish,
    FinishReason,
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
from streamkit.dialects.message import Message, MessageAccumulator
from streamkit.dialects.registry import DIALECTS
from streamkit.errors import DecodeError, EncodeError
from tests.dialects.wires import convert, decode, encode, lines, records, refusal_of, repairs_of, sse

AT = "2026-11-20T10:00:00.123456789Z"
AT_NS = 1_795_168_800_123_456_789
HEAD = {"model": "m", "created_at": AT}
FIRST = Start("", "m", dialect="ollama-chat", created_ns=AT_NS)
BOTH = ("ollama-chat", "ollama-generate")

each = pytest.mark.parametrize("dialect", BOTH)


def chat(message: dict[str, Any], **more: object) -> dict[str, Any]:
    return {**HEAD, "message": {"role": "assistant", **message}, "done": False, **more}


def say(dialect: str, text: str, **more: object) -> dict[str, Any]:
    return (
        chat({"content": text}, **more)
        if dialect == "ollama-chat"
        else {**HEAD, "response": text, "done": False, **more}
    )


def done(dialect: str = "ollama-chat", reason: str | None = "stop", **more: object) -> dict[str, Any]:
    reasons = {} if reason is None else {"done_reason": reason}
    return {**say(dialect, ""), "done": True, **reasons, **more}


def values(*each: object) -> tuple[Any, ...]:
    return each


def texts(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, Text))


def finish_of(events: list[Event]) -> Finish:
    [finish] = [event for event in events if isinstance(event, Finish)]
    return finish


def test_a_chat_by_hand() -> None:
    wire = (
        b'{"model":"m","created_at":"2026-11-20T10:00:00.123456789Z","message":{"role":"assistant","content":"Hel"},'
        b'"done":false}\n'
        b'{"model":"m","created_at":"2026-11-20T10:00:00.2Z","message":{"role":"assistant","content":"lo"},"done":false}\n'
        b'{"model":"m","created_at":"2026-11-20T10:00:00.3Z","message":{"role":"assistant","content":""},"done":true,'
        b'"done_reason":"stop","total_duration":1200000000,"load_duration":7,"prompt_eval_count":3,'
        b'"prompt_eval_duration":8,"eval_count":4,"eval_duration":5}\n'
    )
    assert decode("ollama-chat", wire, strict=True) == [
        FIRST,
        PartStart(0, "text"),
        Text(0, "Hel"),
        Text(0, "lo"),
        Usage(3, 4, load_ns=7, prompt_ns=8, eval_ns=5, total_ns=1_200_000_000),
        PartEnd(0),
        Finish("stop", "stop"),
        End(),
    ]


def test_a_response_by_hand() -> None:
    wire = (
        b'{"model":"m","created_at":"2026-11-20T10:00:00.123456789Z","response":"Hi","done":false}\n'
        b'{"model":"m","created_at":"2026-11-20T10:00:01Z","response":"","done":true,"done_reason":"length",'
        b'"context":[1,2,3],"eval_count":1}\n'
    )
    assert decode("ollama-generate", wire, strict=True) == [
        Start("", "m", dialect="ollama-generate", created_ns=AT_NS),
        PartStart(0, "text"),
        Text(0, "Hi"),
        Usage(output_total=1),
        PartEnd(0),
        Finish("length", "length", extra={"ollama.context": [1, 2, 3]}),
        End(),
    ]


EVENTS: list[Event] = [
    Start("id-1", "m", created_ns=AT_NS),
    PartStart(0, "reasoning"),
    Reasoning(0, "hm"),
    PartEnd(0),
    PartStart(1, "text"),
    Text(1, 'say "é"\u2028\u0085'),
    PartEnd(1),
    PartStart(2, "tool", "c1", "f"),
    ToolArgs(2, '{"b":1,'),
    ToolArgs(2, '"a":2}'),
    PartEnd(2),
    Usage(3, 0, total_ns=9),
    Finish("tool_calls"),
    End(),
]


def test_a_chat_is_written_like_this() -> None:
    assert encode("ollama-chat", EVENTS).decode() == (
        '{"model":"m","created_at":"2026-11-20T10:00:00.123456789Z","message":'
        '{"role":"assistant","content":"","thinking":"hm"},"done":false}\n'
        '{"model":"m","created_at":"2026-11-20T10:00:00.123456789Z","message":'
        '{"role":"assistant","content":"say \\"é\\"\\u2028\\u0085"},"done":false}\n'
        '{"model":"m","created_at":"2026-11-20T10:00:00.123456789Z","message":{"role":"assistant","content":"",'
        '"tool_calls":[{"id":"c1","function":{"index":0,"name":"f","arguments":{"b":1,"a":2}}}]},"done":false}\n'
        '{"model":"m","created_at":"2026-11-20T10:00:00.123456789Z","message":{"role":"assistant","content":""},'
        '"done":true,"done_reason":"stop","total_duration":9,"prompt_eval_count":3}\n'
    )


def test_a_response_is_written_like_this() -> None:
    assert encode("ollama-generate", EVENTS, include_usage=False).decode() == (
        '{"model":"m","created_at":"2026-11-20T10:00:00.123456789Z","response":"","thinking":"hm","done":false}\n'
        '{"model":"m","created_at":"2026-11-20T10:00:00.123456789Z","response":"say \\"é\\"\\u2028\\u0085",'
        '"done":false}\n'
        '{"model":"m","created_at":"2026-11-20T10:00:00.123456789Z","response":"","tool_calls":'
        '[{"id":"c1","function":{"index":0,"name":"f","arguments":{"b":1,"a":2}}}],"done":false}\n'
        '{"model":"m","created_at":"2026-11-20T10:00:00.123456789Z","response":"","done":true,"done_reason":"stop"}\n'
    )


@each
def test_what_is_written_comes_back(dialect: str) -> None:
    once = encode(dialect, EVENTS)
    assert encode(dialect, decode(dialect, once, strict=True)) == once


def test_thinking_then_text_in_lines_and_in_one_line() -> None:
    apart = lines(chat({"content": "", "thinking": "a"}), chat({"content": "b"}), done())
    together = lines(chat({"content": "b", "thinking": "a"}), done())
    assert decode("ollama-chat", apart) == decode("ollama-chat", together)
    assert [type(event).__name__ for event in decode("ollama-chat", together)] == [
        *("Start", "PartStart", "Reasoning", "PartEnd", "PartStart", "Text", "PartEnd", "Finish", "End")
    ]


def test_a_tool_call_before_the_last_line_makes_its_stop_tool_calls() -> None:
    """BerriAI/litellm #12481, #34692: the reason of the last record is "stop", the call came before."""
    call = {"function": {"index": 0, "name": "f", "arguments": {"z": 1, "a": [1.0, "x"]}}}
    events = decode("ollama-chat", lines(chat({"content": "", "tool_calls": [call, call]}), done()))
    assert events[1:] == [
        PartStart(0, "tool", "", "f"),
        ToolArgs(0, '{"z":1,"a":[1.0,"x"]}'),
        PartEnd(0),
        PartStart(1, "tool", "", "f"),
        ToolArgs(1, '{"z":1,"a":[1.0,"x"]}'),
        PartEnd(1),
        Finish("tool_calls", "stop"),
        End(),
    ]
    cut = decode("ollama-chat", lines(chat({"content": "", "tool_calls": [call]}), done(reason="length")))
    assert finish_of(cut) == Finish("length", "length")


def test_a_tool_call_keeps_its_id_and_arguments_may_be_missing() -> None:
    calls = [
        {"id": "call_1", "function": {"name": "f"}},
        {"id": "call_2", "function": {"name": "g", "arguments": None}},
    ]
    events = decode("ollama-chat", lines(chat({"tool_calls": calls}), done()))
    assert [event for event in events if isinstance(event, (PartStart, ToolArgs))] == [
        *(PartStart(0, "tool", "call_1", "f"), ToolArgs(0, "{}")),
        *(PartStart(1, "tool", "call_2", "g"), ToolArgs(1, "{}")),
    ]


def test_arguments_as_a_string() -> None:
    wire = lines(chat({"tool_calls": [{"function": {"name": "f", "arguments": '{"a": 1}'}}]}), done())
    assert ToolArgs(0, '{"a": 1}') in decode("ollama-chat", wire)
    assert repairs_of("ollama-chat", wire) == {"arguments-text": 1}
    assert refusal_of("ollama-chat", wire) == "arguments-text"


@each
@pytest.mark.parametrize(
    ("word", "reason", "back"),
    [
        ("stop", "stop", "stop"),
        ("length", "length", "length"),
        ("load", "other", "load"),
        ("unload", "other", "unload"),
        (None, "stop", "stop"),
        ("", "stop", "stop"),
        ("whatever", "other", "whatever"),
    ],
)
def test_why_it_stopped(dialect: str, word: str | None, reason: FinishReason, back: str) -> None:
    events = decode(dialect, lines(done(dialect, word)))
    assert finish_of(events) == Finish(reason, word or "")
    for target in BOTH:  # both have the same words
        assert records(encode(target, events))[-1]["done_reason"] == back


@pytest.mark.parametrize(
    ("reason", "word"),
    [
        *(("stop", "stop"), ("stop_sequence", "stop"), ("length", "length"), ("context_overflow", "length")),
        *(("content_filter", "stop"), ("pause", "stop"), ("other", "stop"), ("tool_calls", "stop")),
    ],
)
def test_a_reason_from_elsewhere_gets_the_next_word(reason: FinishReason, word: str) -> None:
    wire = encode("ollama-chat", [Start(dialect="anthropic"), Finish(reason, "end_turn"), End()])
    assert records(wire)[-1]["done_reason"] == word


@pytest.mark.parametrize("reason", ["error", "cancelled"])
def test_a_reason_that_is_a_failure_is_an_error_line(reason: FinishReason) -> None:
    wire = encode("ollama-chat", [Start(), PartStart(0, "text"), Text(0, "a"), PartEnd(0), Finish(reason), End()])
    assert list(records(wire)[-1]) == ["error"]
    assert b'"done":true' not in wire


@each
def test_an_error_line(dialect: str) -> None:
    """BerriAI/litellm #40578: an error is not an empty record."""
    events = decode(dialect, lines(say(dialect, "a"), {"error": "out of memory"}))
    assert events[-1] == Error("out of memory")
    assert encode(dialect, events).endswith(b'{"error":"out of memory"}\n')


@pytest.mark.parametrize(
    ("error", "message"),
    [({"message": "m", "code": 1}, "m"), ({"code": 1}, '{"code":1}'), ("", ""), (False, "false"), (["a"], '["a"]')],
)
def test_an_error_of_another_form(error: object, message: str) -> None:
    assert decode("ollama-chat", lines({"error": error})) == [Error(message)]


def test_a_null_error_is_none() -> None:
    assert texts(decode("ollama-chat", lines(chat({"content": "a"}, error=None), done()))) == "a"


@each
def test_a_cut_stream(dialect: str) -> None:
    """BerriAI/litellm #32686: the end of the input is not the end of the answer."""
    events = decode(dialect, lines(say(dialect, "a")))
    assert events[-1] == Error("the stream ends without its terminator", "truncated")
    inside = decode(dialect, lines(say(dialect, "a"), done(dialect))[:-9])
    assert isinstance(inside[-1], Error)
    assert inside[-1].type == "truncated"
    for target in BOTH:
        assert b'"done":true' not in encode(target, events[:-1])
        assert list(records(encode(target, events[:-1]))[-1]) == ["error"]


@each
def test_blank_lines_and_crlf_are_no_records(dialect: str) -> None:
    plain = lines(say(dialect, "a"), done(dialect))
    assert decode(dialect, b"\n \r\n" + plain.replace(b"\n", b"\r\n\r\n")) == decode(dialect, plain)


@each
def test_records_after_the_last_one_are_dropped(dialect: str) -> None:
    wire = lines(say(dialect, "a"), done(dialect), say(dialect, "b"), {"error": "late"})
    assert decode(dialect, wire) == decode(dialect, lines(say(dialect, "a"), done(dialect)))
    assert repairs_of(dialect, wire) == {"after-end": 2}
    assert refusal_of(dialect, wire) == "after-end"


@each
def test_a_last_record_without_a_text(dialect: str) -> None:
    events = decode(dialect, lines(say(dialect, "a"), {"model": "m", "done": True, "done_reason": "stop"}))
    assert (texts(events), events[-1]) == ("a", End())


@each
def test_a_last_record_alone_with_all_of_the_text(dialect: str) -> None:
    events = decode(dialect, lines(say(dialect, "all", done=True)))
    assert (texts(events), finish_of(events), events[-1]) == ("all", Finish("stop"), End())


@pytest.mark.parametrize(("dialect", "other"), [BOTH, BOTH[::-1]])
def test_the_other_of_the_two_is_not_an_empty_answer(dialect: str, other: str) -> None:
    """A whole answer in one record has `done`, and would otherwise end without its text."""
    for wire in (lines(say(other, "all", done=True)), lines(say(other, "a"), done(other))):
        assert refusal_of(dialect, wire, strict=False) == "wrong-dialect"


@pytest.mark.parametrize(
    ("created_at", "created_ns"),
    [
        ("2026-11-20T10:00:00Z", 1_795_168_800_000_000_000),
        ("2026-11-20t10:00:00z", 1_795_168_800_000_000_000),
        ("2026-11-20T10:00:00.1Z", 1_795_168_800_100_000_000),
        ("2026-11-20T10:00:00.123456789123Z", AT_NS),
        ("2026-11-20T12:00:00.5+02:00", 1_795_168_800_500_000_000),
        ("2026-11-20T04:30:00-05:30", 1_795_168_800_000_000_000),
        ("0001-01-01T00:00:00Z", None),  # Go's zero time
        ("1969-12-31T23:59:59.9Z", None),
        ("2026-02-30T10:00:00Z", None),
        ("2026-11-20T10:00:00", None),
        ("2026-11-20", None),
        ("٢٠٢٦-11-20T10:00:00Z", None),
        *(("", None), ("soon", None), (None, None), (1_795_168_800, None), ({}, None), (True, None)),
    ],
)
def test_times(created_at: object, created_ns: int | None) -> None:
    [start, *_] = decode("ollama-chat", lines({**chat({"content": "a"}), "created_at": created_at}, done()))
    assert start == Start("", "m", dialect="ollama-chat", created_ns=created_ns)


@pytest.mark.parametrize(
    ("created_ns", "created_at"),
    [
        (AT_NS, AT),
        (None, "1970-01-01T00:00:00.000000000Z"),
        (-62_135_596_800 * 10**9, "1970-01-01T00:00:00.000000000Z"),
        (10**40, "1970-01-01T00:00:00.000000000Z"),
        (253_402_300_799_999_999_999, "9999-12-31T23:59:59.999999999Z"),
    ],
)
def test_times_are_written_whole(created_ns: int | None, created_at: str) -> None:
    [record] = records(encode("ollama-chat", [Start(created_ns=created_ns), Finish("stop"), End()]))
    assert record["created_at"] == created_at


def test_zeros_and_unknown_counts_are_left_out() -> None:
    wire = encode("ollama-chat", [Start(), Usage(0, 5, cached=0, load_ns=0, eval_ns=1), Finish("stop"), End()])
    assert {key: value for key, value in records(wire)[0].items() if "count" in key or "duration" in key} == {
        "eval_count": 5,
        "eval_duration": 1,
    }
    assert decode("ollama-chat", lines(done(eval_count=None)))[1:2] == [Finish("stop", "stop")]


def test_log_probabilities_belong_to_what_they_are_of() -> None:
    """Also where the line is one of thinking, or has no whole character: they open no part of text there."""
    entry = {"token": "a", "logprob": -0.5, "top_logprobs": [{"token": "a", "logprob": -0.5, "bytes": [97]}]}
    neutral: dict[str, object] = {"logprobs": [entry]}
    events = decode(
        "ollama-chat",
        lines(
            chat({"content": "", "thinking": "a"}, logprobs=[entry]),
            chat({"content": ""}, logprobs=[{"token": "", "logprob": -1, "bytes": [195]}]),
            chat({"content": "a"}, logprobs=[entry]),
            done(),
        ),
    )
    assert events[1:-2] == [
        PartStart(0, "reasoning"),
        Reasoning(0, "a", extra=neutral),
        Reasoning(0, "", extra={"logprobs": [{"token": "", "logprob": -1, "bytes": [195], "top_logprobs": []}]}),
        PartEnd(0),
        PartStart(1, "text"),
        Text(1, "a", extra=neutral),
        PartEnd(1),
    ]
    written = records(encode("ollama-chat", events))
    assert [record.get("logprobs") for record in written] == [
        [entry],
        [{"token": "", "logprob": -1, "bytes": [195]}],
        [entry],
        None,
    ]


@each
def test_unknown_fields_go_to_the_same_dialect(dialect: str) -> None:
    remote = {"remote_model": "big", "remote_host": "https://example.org"}
    wire = lines(
        say(dialect, "a", **remote),
        say(dialect, "b", **remote),
        say(dialect, "c", **remote, mood="good", nothing=None),
        done(dialect, **remote, context=[1, 2]),
    )
    events = decode(dialect, wire)
    assert isinstance(events[0], Start)
    assert events[0].extra == {f"ollama.{key}": value for key, value in remote.items()}
    assert events[2:5] == [Text(0, "a"), Text(0, "b"), Text(0, "c", extra={"ollama.mood": "good"})]
    assert finish_of(events).extra == {"ollama.context": [1, 2]}
    back = records(encode(dialect, events))
    assert all(record.items() >= remote.items() for record in back)
    assert (back[2]["mood"], back[3]["context"]) == ("good", [1, 2])
    _, converter = convert(dialect, "openai-chat", wire)
    assert converter.losses == {
        **{f"ollama.{key}": 1 for key in remote},
        "ollama.mood": 1,
        "ollama.context": 1,
    }


def test_unknown_fields_of_a_message_go_to_the_same_dialect() -> None:
    wire = lines(chat({"content": "a", "images": ["x"]}), chat({"content": "", "images": ["y"]}), done())
    events = decode("ollama-chat", wire)
    assert events[2] == Text(0, "a", extra={"ollama.message": {"images": ["x"]}})
    assert isinstance(events[3], Raw)
    messages: list[Any] = [record["message"] for record in records(encode("ollama-chat", events))]
    assert [message.get("images") for message in messages] == [["x"], ["y"], None]
    assert b"images" not in encode("ollama-generate", events)


@each
def test_unknown_records_go_to_the_same_dialect(dialect: str) -> None:
    odd = b'{"model": "m", "completed": 3, "total": 20, "done": false}\n'
    wire = lines(say(dialect, "a")) + odd + b'"text"\n' + lines(done(dialect))
    events = decode(dialect, wire)
    assert [event for event in events if isinstance(event, Raw)] == [
        Raw(dialect, "", odd.decode().strip()),
        Raw(dialect, "", '"text"'),
    ]
    assert odd in encode(dialect, events)
    out, converter = convert(dialect, "openai-chat", wire)
    assert converter.losses == {"raw": 2}
    assert b"completed" not in out


@pytest.mark.parametrize(
    "record",
    [
        *(chat({"content": value}) for value in values(1, True, [], {}, [None], 1e300)),
        *(chat({"thinking": value}) for value in values(1, True, ["a"], {"a": 1})),
        *(chat({"tool_calls": value}) for value in values(1, "x", {"a": 1}, [None], [{}], [{"function": 1}], [[]])),
        *(chat({"tool_calls": [{"id": value, "function": {"name": "f"}}]}) for value in values(1, [], {})),
        *(chat({"tool_calls": [{"function": {"name": value}}]}) for value in values(1, [], {})),
        *(chat({"content": "a"}, logprobs=value) for value in values(1, "x", {}, [1], [None], [{}], [{"token": 1}])),
        *(chat({"content": "a"}, logprobs=[{"token": "a", "logprob": value}]) for value in values("x", True, [])),
        *(
            chat({"content": "a"}, logprobs=[{"token": "a", "logprob": 0, "top_logprobs": value}])
            for value in values(1, [1])
        ),
        *({**HEAD, "message": value, "done": False} for value in values(1, "x", [], True)),
        *({**chat({"content": "a"}), "model": value} for value in values(1, [], {}, True)),
        *(done(reason=value) for value in values(1, [], {})),
        *(done(eval_count=value) for value in values("1", True, 1.5, [], {})),
        *(done(total_duration=value) for value in values("1", True, 1.5, [], {})),
    ],
)
def test_a_field_of_another_type_is_an_error_of_its_record(record: object) -> None:
    decoder = decoder_of("ollama-chat")
    with pytest.raises(DecodeError) as caught:
        decoder.feed(lines(record))
    assert (caught.value.code, caught.value.record, caught.value.offset) == ("bad-field", 1, 0)


def test_everything_before_a_bad_record_gets_out() -> None:
    decoder = decoder_of("ollama-chat")
    with pytest.raises(DecodeError) as caught:
        decoder.feed(lines(chat({"content": "a"}), chat({"content": "b"}), chat({"content": 1}), done()))
    assert [*caught.value.items] == [FIRST, PartStart(0, "text"), Text(0, "a"), Text(0, "b")]
    assert caught.value.record == 3


@pytest.mark.parametrize("value", [False, None, 0, 1, "true", [], {}])
def test_only_true_ends(value: object) -> None:
    events = decode("ollama-chat", lines({**done(), "done": value}))
    assert not any(isinstance(event, End) for event in events)


def test_what_it_cannot_carry_is_counted() -> None:
    encoder = encoder_of("ollama-chat")
    wire = b"".join(
        encoder.feed_many(
            [
                *(Start(extra={"system_fingerprint": "fp"}), Ping(), Custom("theme", 1), Raw("gemini", "", "{}")),
                *(PartStart(0, "refusal"), Refusal(0, "no"), PartEnd(0)),
                *(PartStart(0, "text", choice=1), Text(0, "other", choice=1), PartEnd(0, choice=1)),
                *(Finish("stop"), Finish("stop", choice=1), End()),
            ]
        )
    )
    assert encoder.losses == {"system_fingerprint": 1, "ping": 1, "custom": 1, "raw": 1, "refusal": 1, "choice": 4}
    assert [record["message"] for record in records(wire)] == [
        {"role": "assistant", "content": "no"},
        {"role": "assistant", "content": ""},
    ]


def test_arguments_that_are_no_object_are_an_error_unless_the_answer_was_cut() -> None:
    call = [Start(), PartStart(0, "tool", "c", "f"), ToolArgs(0, '{"a":'), PartEnd(0)]
    encoder = encoder_of("ollama-chat")
    with pytest.raises(EncodeError) as caught:
        encoder.feed_many([*call, Finish("tool_calls"), End()])
    assert "error" in records(b"".join(caught.value.items))[-1]  # type: ignore[arg-type]
    cut = encoder_of("ollama-chat")
    [record] = records(b"".join(cut.feed_many([*call, Finish("length"), End()])))
    assert (record["done_reason"], cut.losses) == ("length", {"tool-arguments": 1})


def message_of(events: list[Event]) -> Message:
    kept = MessageAccumulator()
    kept.feed_many(events)
    return kept.message


def test_the_whole_response() -> None:
    body = {"role": "assistant", "content": 'say "é"\u2028\u0085', "thinking": "hm"}
    calls = [{"id": "c1", "function": {"index": 0, "name": "f", "arguments": {"b": 1, "a": 2}}}]
    closing = {"done": True, "done_reason": "stop", "total_duration": 9, "prompt_eval_count": 3}
    message = message_of(EVENTS)
    assert DIALECTS["ollama-chat"].document(message) == {**HEAD, "message": {**body, "tool_calls": calls}, **closing}
    assert DIALECTS["ollama-generate"].document(message) == {
        **HEAD,
        "response": body["content"],
        "thinking": "hm",
        "tool_calls": calls,
        **closing,
    }


@each
@pytest.mark.parametrize(
    "events",
    [
        EVENTS[:6],
        [*EVENTS[:6], Error("it broke")],
        [*EVENTS[:9], Error("cut", "truncated")],
        [Start("id-1", "m", created_ns=AT_NS), Finish("error", "boom"), End()],
    ],
    ids=["open", "error", "in-a-call", "failed"],
)
def test_a_response_that_is_not_whole_is_not_done(dialect: str, events: list[Event]) -> None:
    document: Any = DIALECTS[dialect].document(message_of(events))
    assert document["done"] is False
    assert "done_reason" not in document
    assert "tool_calls" not in str(document)  # what was cut is not what the model wanted to call


def test_a_whole_response_with_arguments_that_are_no_object() -> None:
    events = [Start(), PartStart(0, "tool", "c", "f"), ToolArgs(0, "[1]"), PartEnd(0), Finish("tool_calls"), End()]
    with pytest.raises(EncodeError, match="no JSON object"):
        DIALECTS["ollama-chat"].document(message_of(events))


@pytest.mark.parametrize(
    ("wire", "looks_like"),
    [
        (lines(chat({"content": "a"})), "ollama-chat"),
        (lines(say("ollama-generate", "a")), "ollama-generate"),
        (sse({"object": "chat.completion.chunk", "choices": []}), "openai-chat"),
    ],
)
def test_a_wire_of_another_dialect_says_what_it_looks_like(wire: bytes, looks_like: str) -> None:
    for dialect in {*BOTH} - {looks_like}:
        decoder = decoder_of(dialect)
        with pytest.raises(DecodeError, match=looks_like):
            [*decoder.feed(wire), *decoder.finish()]
