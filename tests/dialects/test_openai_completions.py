"""OpenAI's older completions: wires written by hand, what they mean, and what is written.

What they share with chat (the ways in which vendors write errors, counts and chunks) is tested in `test_openai_chat`.
"""

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
from streamkit.errors import DecodeError
from streamkit.testing import check_stage
from tests.dialects.examples import EXAMPLES, Example
from tests.dialects.wires import convert, decode, encode, records, refusal_of, repairs_of, sse

NAME = "openai-completions"

HEAD = {"id": "cmpl-1", "object": "text_completion", "created": 1_763_630_067, "model": "m"}

START = Start("cmpl-1", "m", dialect=NAME, created_ns=1_763_630_067_000_000_000)

MINE = [example for example in EXAMPLES if example.dialect == NAME]


def chunk(*choices: dict[str, Any], **more: object) -> dict[str, Any]:
    return {**HEAD, "choices": [*choices], **more}


def said(text: str, index: int = 0, finish: str | None = None, **more: object) -> dict[str, Any]:
    return {"text": text, "index": index, "logprobs": None, "finish_reason": finish, **more}


STOP = chunk(said("", finish="stop"))


def heard(*values: object, strict: bool = True) -> list[Event]:
    """What comes after `Start`."""
    events = decode(NAME, sse(*values), strict=strict)
    assert events[0] == START
    return events[1:]


def test_a_completion_by_hand() -> None:
    wire = (
        b'data: {"id":"cmpl-1","object":"text_completion","created":1763630067,"choices":[{"text":"Hel","index":0,'
        b'"logprobs":null,"finish_reason":null}],"model":"m","usage":null}\n\n'
        b'data: {"id":"cmpl-1","object":"text_completion","created":1763630067,"choices":[{"text":"lo","index":0,'
        b'"logprobs":null,"finish_reason":"length"}],"model":"m","usage":null}\n\n'
        b'data: {"id":"cmpl-1","object":"text_completion","created":1763630067,"choices":[],"model":"m","usage":'
        b'{"prompt_tokens":4,"completion_tokens":2,"total_tokens":6}}\n\n'
        b"data: [DONE]\n\n"
    )
    events = [
        START,
        PartStart(0, "text"),
        Text(0, "Hel"),
        Text(0, "lo"),
        PartEnd(0),
        Finish("length", "length"),
        Usage(4, 2),
        End(),
    ]
    assert decode(NAME, wire, strict=True) == events
    check_stage(lambda: decoder_of(NAME), wire, events)


EVENTS: list[Event] = [
    Start("cmpl-1", "m", created_ns=1_763_630_067_000_000_000),
    PartStart(0, "text"),
    Text(0, 'say "é"\u2028\u0085'),
    PartStart(0, "text", choice=1),
    Text(0, "b", choice=1),
    PartEnd(0),
    Finish("stop"),
    PartEnd(0, choice=1),
    Finish("content_filter", choice=1),
    Usage(10, 5, 4),
    End(),
]


def test_events_in_bytes_out() -> None:
    head = b'data: {"id":"cmpl-1","object":"text_completion","created":1763630067,"model":"m","choices":['
    assert encode(NAME, EVENTS) == b"".join(
        (
            head + b'{"index":0,"text":"say \\"\xc3\xa9\\"\\u2028\\u0085","logprobs":null,"finish_reason":null}]}\n\n',
            head + b'{"index":1,"text":"b","logprobs":null,"finish_reason":null}]}\n\n',
            head + b'{"index":0,"text":"","logprobs":null,"finish_reason":"stop"}]}\n\n',
            head + b'{"index":1,"text":"","logprobs":null,"finish_reason":"content_filter"}]}\n\n',
            head + b'],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,'
            b'"prompt_tokens_details":{"cached_tokens":4}}}\n\n',
            b"data: [DONE]\n\n",
        )
    )


def test_each_text_leaves_at_once() -> None:
    encoder = encoder_of(NAME)
    encoder.feed_many(EVENTS[:2])
    for _ in range(3):
        [written] = encoder.feed(Text(0, "a"))
        assert records(written)[0]["choices"] == [said("a")]


def test_counts_can_be_left_out() -> None:
    assert b"usage" not in encode(NAME, EVENTS, include_usage=False)


# --- Logprobs ---------------------------------------------------------------------------------------------------------

LEGACY = {
    "tokens": ["a", " b"],
    "token_logprobs": [-0.5, -1.5],
    "top_logprobs": [{"a": -0.5, "x": -2.5}, {" c": -0.25}],
    "text_offset": [17, 18],
}

NEUTRAL = [
    {
        "token": "a",
        "logprob": -0.5,
        "top_logprobs": [{"token": "a", "logprob": -0.5}, {"token": "x", "logprob": -2.5}],
    },
    {"token": " b", "logprob": -1.5, "top_logprobs": [{"token": " c", "logprob": -0.25}]},
]


def test_logprobs_side_by_side_are_those_of_every_dialect() -> None:
    events = heard(chunk(said("a b", logprobs=LEGACY)), STOP)
    assert Text(0, "a b", extra={"logprobs": NEUTRAL, "openai-completions.text_offset": [17, 18]}) in events
    again = records(encode(NAME, [START, *events]))[0]
    assert again["choices"] == [said("a b", logprobs=LEGACY)]


def test_logprobs_of_chat_are_written_side_by_side() -> None:
    wire, converter = convert(NAME, "openai-chat", sse(chunk(said("a b", logprobs=LEGACY)), STOP))
    assert b'"token":" c","logprob":-0.25' in wire
    assert converter.losses == {"openai-completions.text_offset": 1}
    back, _ = convert("openai-chat", NAME, wire)
    [first] = [record for record in records(back) if record["choices"][0]["text"]]  # type: ignore[index]
    assert first["choices"][0]["logprobs"] == {**LEGACY, "text_offset": [0, 1]}  # type: ignore[index]


def test_places_in_the_text_go_on_from_piece_to_piece() -> None:
    token = {"token": "abc", "logprob": -1.0}
    text = Text(0, "abc", extra={"logprobs": [token]})
    wire = encode(NAME, [START, PartStart(0, "text"), text, text, PartEnd(0), Finish("stop"), End()])
    offsets = [record["choices"][0]["logprobs"]["text_offset"] for record in records(wire)[:2]]  # type: ignore[index]
    assert offsets == [[0], [3]]


def test_a_token_of_the_prompt_has_no_logprob() -> None:
    echoed = {"tokens": ["a"], "token_logprobs": [None], "top_logprobs": [None], "text_offset": [0]}
    [text] = [event for event in heard(chunk(said("a", logprobs=echoed)), STOP) if isinstance(event, Text)]
    assert text.extra["logprobs"] == [{"token": "a", "logprob": None, "top_logprobs": []}]


def test_llamacpp_has_the_logprobs_of_chat() -> None:
    entry = {"token": "a", "logprob": -0.5, "bytes": [97], "top_logprobs": []}
    [text] = [
        event
        for event in heard(chunk(said("a", logprobs={"content": [{**entry, "id": 64}]})), STOP)
        if isinstance(event, Text)
    ]
    assert text.extra["logprobs"] == [entry]


@pytest.mark.parametrize(
    "logprobs",
    [
        {"tokens": [1]},
        {"tokens": "ab"},
        {"tokens": ["a"], "token_logprobs": ["x"]},
        {"tokens": ["a"], "token_logprobs": [True]},
        {"tokens": ["a"], "top_logprobs": [[1]]},
        {"tokens": ["a"], "top_logprobs": [{"a": "x"}]},
        {"tokens": ["a"], "text_offset": 1},
        {"content": [1]},
        {"content": {"a": 1}},
        [1],
    ],
)
def test_logprobs_that_are_none_are_refused(logprobs: object) -> None:
    assert refusal_of(NAME, sse(chunk(said("a", logprobs=logprobs)), STOP), strict=False) == "bad-field"


# --- Reasons, counts, further fields ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "word"),
    [
        ("stop", "stop"),
        ("stop_sequence", "stop"),
        ("length", "length"),
        ("context_overflow", "length"),
        ("content_filter", "content_filter"),
        ("pause", "stop"),
        ("other", "stop"),
    ],
)
def test_every_reason_has_a_word(reason: FinishReason, word: str) -> None:
    events = [START, Finish(reason, "theirs"), End()]
    wire = encode(NAME, [Start("cmpl-1", "m"), *events[1:]])
    assert records(wire)[0]["choices"] == [said("", finish=word)]
    assert decode(NAME, wire, strict=True)[-1] == End()


@pytest.mark.parametrize(
    ("raw", "reason"),
    [("stop", "stop"), ("length", "length"), ("content_filter", "content_filter"), ("eos", "stop"), ("new", "other")],
)
def test_every_word_is_read_and_written_again(raw: str, reason: FinishReason) -> None:
    events = heard(chunk(said("a", finish=raw)))
    assert Finish(reason, raw) in events
    assert records(encode(NAME, [START, *events]))[-1]["choices"] == [said("", finish=raw)]


@pytest.mark.parametrize("reason", ["error", "cancelled"])
def test_a_reason_without_a_word_is_an_error(reason: FinishReason) -> None:
    wire = encode(NAME, [Start(), Finish(reason), End()])
    assert b"[DONE]" not in wire
    assert records(wire)[-1].keys() == {"error"}


def test_finishes_of_several_choices_have_their_own_index() -> None:
    """ggml-org/llama.cpp PR #20226: every choice finished as choice 0."""
    wire = sse(
        chunk(said("a"), said("x", 1)),
        chunk(said("b"), said("", 1, "length")),
        chunk(said("", finish="stop")),
    )
    events = decode(NAME, wire, strict=True)
    assert Finish("length", "length", choice=1) in events
    assert [event.text for event in events if isinstance(event, Text) and event.choice == 0] == ["a", "b"]
    written = records(encode(NAME, events))
    assert said("", 1, "length") in [record["choices"][0] for record in written]  # type: ignore[index]


def test_a_missing_reason_is_repaired() -> None:
    """screenpipe/screenpipe PR #3616: no chunk with a reason before `[DONE]`."""
    wire = sse(chunk(said("a")))
    assert Finish("stop") in decode(NAME, wire)
    assert repairs_of(NAME, wire) == {"no-finish": 1}
    assert refusal_of(NAME, wire) == "no-finish"


def test_a_choice_without_an_index_is_the_first() -> None:
    wire = sse(chunk({"text": "a", "finish_reason": "stop"}))
    assert Text(0, "a") in decode(NAME, wire)
    assert repairs_of(NAME, wire) == {"choice-index": 1}
    assert refusal_of(NAME, wire) == "choice-index"


def test_counts_on_every_chunk_are_snapshots() -> None:
    counts = [{"prompt_tokens": 3, "completion_tokens": n, "total_tokens": 3 + n} for n in (1, 2, 2)]
    events = heard(*[chunk(said("a"), usage=each) for each in counts], STOP)
    assert [event for event in events if isinstance(event, Usage)] == [Usage(3, 1), Usage(3, 2)]


def test_the_stop_sequence_of_vllm() -> None:
    wire = sse(chunk(said("a", finish="stop", stop_reason="\n\n")))
    assert any(isinstance(event, Finish) and event.stop_sequence == "\n\n" for event in decode(NAME, wire))


def test_further_fields_come_back() -> None:
    first = chunk(said("a", token_ids=[1]), system_fingerprint="fp", nonce="x")
    events = decode(NAME, sse(first, STOP), strict=True)
    wire = encode(NAME, events)
    assert records(wire)[0] == {**first, "choices": [{**said("a"), "token_ids": [1]}]}
    assert decode(NAME, wire, strict=True) == events
    plain = decode(NAME, sse(chunk(said("a"), nonce="x"), chunk(said("b")), chunk(said("c")), STOP))
    assert [record["choices"] for record in records(encode(NAME, plain))][:3] == [  # the fast way, after the slow one
        [said("a")],
        [said("b")],
        [said("c")],
    ]


# --- Losses, failures -------------------------------------------------------------------------------------------------


def test_what_is_lost_is_counted() -> None:
    encoder = encoder_of(NAME)
    encoder.feed_many(
        [
            START,
            PartStart(0, "reasoning"),
            Reasoning(0, "hm"),
            PartEnd(0, "signed", "hidden"),
            PartStart(1, "tool", "1", "f"),
            ToolArgs(1, "{}"),
            PartEnd(1),
            PartStart(2, "refusal"),
            Refusal(2, "no"),
            PartEnd(2),
            Custom("theme", 1),
            Raw("gemini", "", "{}"),
            Finish("tool_calls"),
            End(),
        ]
    )
    lost = ("reasoning", "signature", "encrypted", "tool-arguments", "refusal", "custom", "raw")
    assert encoder.losses == dict.fromkeys(lost, 1)


def test_a_refusal_is_text() -> None:
    events = [START, PartStart(0, "refusal"), Refusal(0, "no"), PartEnd(0), Finish("stop"), End()]
    assert records(encode(NAME, events))[0]["choices"] == [said("no")]


def test_heartbeats_are_comments() -> None:
    assert encode(NAME, [Ping("x"), Ping()]).startswith(b": x\n\n: ping\n\n")
    assert decode(NAME, b": x\n\n" + sse(chunk(said("a")), STOP), strict=True)[0] == Ping("x")


def test_an_unknown_record_goes_to_the_same_dialect_as_it_came() -> None:
    wire = sse(chunk(said("a")), '{"nobody": "knows"}', STOP)
    events = decode(NAME, wire, strict=True)
    assert Raw(NAME, "", '{"nobody": "knows"}') in events
    assert b'data: {"nobody": "knows"}\n\n' in encode(NAME, events)


def test_an_error_ends_the_stream_without_a_terminator() -> None:
    """Class 6: api7/aisix PR #198 wrote `[DONE]` after an error."""
    error = {"error": {"message": "m", "type": "server_error", "param": None, "code": "c"}}
    events = heard(chunk(said("a")), error, strict=False)
    assert events[-1] == Error("m", "server_error", "c")
    wire = encode(NAME, [START, *events])
    assert records(wire)[-1] == error
    assert b"[DONE]" not in wire


@pytest.mark.parametrize("wire", [sse(chunk(said("a")), done=False), sse(chunk(said("a")), STOP, done=False), b""])
def test_a_stream_without_a_terminator_is_cut(wire: bytes) -> None:
    last = decode(NAME, wire)[-1]
    assert isinstance(last, Error)
    assert last.type == "truncated"
    written, _ = convert(NAME, NAME, wire)
    assert not written.endswith(b"data: [DONE]\n\n")


VALUES: list[object] = [None, True, 0, -1, 1.5, 10**30, "x", [], [1], [None], {}, {"x": 1}, [{"x": 1}]]


@pytest.mark.parametrize("key", ["id", "object", "created", "model", "choices", "usage", "system_fingerprint"])
def test_a_field_of_a_chunk_of_another_type_is_refused_or_lawful(key: str) -> None:
    for value in VALUES:
        check_lawful({**chunk(said("a")), key: value})


@pytest.mark.parametrize("key", ["text", "index", "logprobs", "finish_reason", "stop_reason"])
def test_a_field_of_a_choice_of_another_type_is_refused_or_lawful(key: str) -> None:
    for value in VALUES:
        check_lawful(chunk({**said("a"), key: value}))


def check_lawful(record: dict[str, Any]) -> None:
    try:
        events = decode(NAME, sse(record, STOP))
    except DecodeError:
        return
    once = encode(NAME, events)
    assert encode(NAME, decode(NAME, once)) == once


# --- Examples, and the whole response ---------------------------------------------------------------------------------


@pytest.mark.parametrize("example", MINE, ids=str)
def test_an_example_needs_no_repair_and_comes_back(example: Example) -> None:
    events = decode(NAME, example.wire, strict=True)
    assert isinstance(events[-1], End if example.ends_cleanly else Error)
    encoder = encoder_of(NAME)
    wire = b"".join([*encoder.feed_many(events), *encoder.finish()])
    assert encoder.losses == {}
    again = decode(NAME, wire, strict=True)
    assert encode(NAME, again) == wire
    one, other = (
        [event for event in each if not isinstance(event, (Usage, Ping))] for each in (events[:-1], again[:-1])
    )
    assert one == other


def message_of(events: list[Event]) -> Message:
    accumulator = MessageAccumulator()
    accumulator.feed_many(events)
    return accumulator.message


def document(events: list[Event]) -> Any:  # noqa: ANN401 - it is JSON
    return DIALECTS[NAME].document(message_of(events))


def test_the_whole_response() -> None:
    wire = sse(
        chunk(said("a b", logprobs=LEGACY), said("x", 1), system_fingerprint="fp"),
        chunk(said("\u2028", finish="stop"), said("", 1, "length")),
        chunk(usage={"prompt_tokens": 4, "completion_tokens": 2, "total_tokens": 6}),
    )
    assert document(decode(NAME, wire)) == {
        **HEAD,
        "choices": [
            {
                "index": 0,
                "text": "a b\u2028",
                "logprobs": {**LEGACY, "text_offset": [0, 1]},
                "finish_reason": "stop",
            },
            {"index": 1, "text": "x", "logprobs": None, "finish_reason": "length"},
        ],
        "usage": {"prompt_tokens": 4, "completion_tokens": 2, "total_tokens": 6},
        "system_fingerprint": "fp",
    }


def test_a_response_has_the_text_and_nothing_else() -> None:
    events = [
        START,
        PartStart(0, "reasoning"),
        Reasoning(0, "hm"),
        PartEnd(0),
        PartStart(1, "text"),
        Text(1, "a"),
        PartEnd(1),
        PartStart(2, "tool", "1", "f"),
        ToolArgs(2, "{}"),
        PartEnd(2),
        Finish("tool_calls"),
        End(),
    ]
    assert document(events)["choices"] == [said("a", finish="stop")]


def test_a_response_that_is_not_finished_has_no_reason() -> None:
    assert document([START, PartStart(0, "text"), Text(0, "a")])["choices"] == [said("a")]
    assert document([]) == {
        "id": "cmpl-0",
        "object": "text_completion",
        "created": 0,
        "model": "",
        "choices": [said("")],
    }


def test_the_response_of_a_stream_that_failed_says_so() -> None:
    body = document([START, PartStart(0, "text"), Text(0, "a"), Error("m", "server_error")])
    assert body["error"]["message"] == "m"
    assert body["choices"] == [said("a")]


def test_what_looks_like_completions() -> None:
    looks_like = DIALECTS[NAME].looks_like
    assert looks_like(chunk(said("a")), "message")
    assert looks_like({"choices": [{"text": "a"}]}, "message")
    assert not looks_like(chunk(said("a")), "error")
    assert not looks_like({"object": "chat.completion.chunk", "choices": [{"text": "a"}]}, "message")
    assert not looks_like({"choices": [{"delta": {}, "text": "a"}]}, "message")
    assert not looks_like({"choices": []}, "message")
    assert not looks_like([chunk()], "message")


def test_another_dialect_is_named() -> None:
    with pytest.raises(DecodeError, match="it looks like gemini"):
        decoder_of(NAME).feed(b'data: {"candidates":[{"content":{"parts":[{"text":"a"}]}}]}\n\n')
