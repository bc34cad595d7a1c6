"""OpenAI's chat completions: wires written by hand, what they mean, and what is written.

What servers other than OpenAI's make of it is in test_openai_servers.py, what conversions have to keep in
test_conversion_bugs.py.
"""

from __future__ import annotations

from time import process_time
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
from tests.dialects.wires import convert, encode, records, refusal_of, repairs_of, sse
from tests.dialects.wires import decode as decode_any

CHAT = "openai-chat"
HEAD = {"id": "c1", "object": "chat.completion.chunk", "created": 1_700_000_000, "model": "m"}
FIRST = Start("c1", "m", dialect=CHAT, created_ns=1_700_000_000_000_000_000)
STOP = {"delta": {}, "finish_reason": "stop"}


def chunk(*choices: dict[str, Any], **more: object) -> dict[str, Any]:
    """A chunk with these choices, numbered from 0 where they have no index."""
    return {**HEAD, "choices": [{"index": index, **choice} for index, choice in enumerate(choices)], **more}


def delta(**fields: object) -> dict[str, Any]:
    return chunk({"delta": fields, "finish_reason": None})


def calls(*fragments: object) -> dict[str, Any]:
    return delta(tool_calls=[*fragments])


def fragment(index: int | None, arguments: object = None, call_id: str = "", name: str = "") -> dict[str, Any]:
    """A fragment of a tool call; what is empty is left out."""
    function = {**({"name": name} if name else {}), **({} if arguments is None else {"arguments": arguments})}
    head = {**({} if index is None else {"index": index}), **({"id": call_id, "type": "function"} if call_id else {})}
    return {**head, "function": function}


def decode(*chunks: object, done: bool = True, strict: bool = False) -> list[Event]:
    return decode_any(CHAT, sse(*chunks, done=done), strict=strict)


def repairs(*chunks: object) -> dict[str, int]:
    """The repairs, each of which a strict decoder refuses."""
    wire = sse(*chunks)
    found = repairs_of(CHAT, wire)
    if found:
        assert refusal_of(CHAT, wire) in found
    return found


def tools(events: list[Event]) -> list[tuple[str, str, str]]:
    """Id, name and arguments of each call."""
    starts = [event for event in events if isinstance(event, PartStart) and event.kind == "tool"]
    args = [event for event in events if isinstance(event, ToolArgs)]
    return [
        (start.tool_id, start.tool_name, "".join([piece.json_text for piece in args if piece.part == start.part]))
        for start in starts
    ]


def said(events: list[Event], kind: type[Text | Reasoning | Refusal] = Text, choice: int = 0) -> str:
    return "".join([event.text for event in events if isinstance(event, kind) and event.choice == choice])


def finishes(events: list[Event]) -> list[Finish]:
    return [event for event in events if isinstance(event, Finish)]


def usages(events: list[Event]) -> list[Usage]:
    return [event for event in events if isinstance(event, Usage)]


def test_an_answer_by_hand() -> None:
    wire = (
        b'data: {"id":"c1","object":"chat.completion.chunk","created":1700000000,"model":"m","service_tier":"default",'
        b'"system_fingerprint":"fp_1","choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},'
        b'"logprobs":null,"finish_reason":null}],"usage":null,"obfuscation":"x9"}\n\n'
        b'data: {"id":"c1","object":"chat.completion.chunk","created":1700000000,"model":"m","service_tier":"default",'
        b'"system_fingerprint":"fp_1","choices":[{"index":0,"delta":{"content":"Hel"},'
        b'"logprobs":null,"finish_reason":null}],"usage":null,"obfuscation":"q"}\n\n'
        b'data: {"id":"c1","object":"chat.completion.chunk","created":1700000000,"model":"m","service_tier":"default",'
        b'"system_fingerprint":"fp_1","choices":[{"index":0,"delta":{"content":"lo"},'
        b'"logprobs":null,"finish_reason":null}],"usage":null,"obfuscation":""}\n\n'
        b'data: {"id":"c1","object":"chat.completion.chunk","created":1700000000,"model":"m","service_tier":"default",'
        b'"system_fingerprint":"fp_1","choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}],'
        b'"usage":null,"obfuscation":"vv"}\n\n'
        b'data: {"id":"c1","object":"chat.completion.chunk","created":1700000000,"model":"m","service_tier":"default",'
        b'"system_fingerprint":"fp_1","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11,'
        b'"prompt_tokens_details":{"cached_tokens":4,"audio_tokens":0},"completion_tokens_details":'
        b'{"reasoning_tokens":1,"audio_tokens":0}},"obfuscation":"m"}\n\n'
        b"data: [DONE]\n\n"
    )
    events = decode_any(CHAT, wire, strict=True)
    plain: dict[str, object] = {"service_tier": "default", "system_fingerprint": "fp_1"}
    assert events[:-2] == [
        Start("c1", "m", dialect=CHAT, created_ns=FIRST.created_ns, extra=plain),
        PartStart(0, "text"),
        Text(0, "Hel"),
        Text(0, "lo"),
        PartEnd(0),
        Finish("stop", "stop"),
    ]
    assert events[-2] == Usage(
        *(9, 2, 4, None, 1),
        extra={
            "openai.usage": {
                "prompt_tokens_details": {"audio_tokens": 0},
                "completion_tokens_details": {"audio_tokens": 0},
            }
        },
    )
    assert events[-1] == End()
    assert b"obfuscation" not in encode(CHAT, events)


EVENTS: list[Event] = [
    Start("c1", "m", created_ns=FIRST.created_ns, extra={"system_fingerprint": "fp", "service_tier": "flex"}),
    PartStart(0, "reasoning"),
    Reasoning(0, "hm"),
    PartEnd(0),
    PartStart(1, "text"),
    Text(1, 'say "é"\u2028\u0085'),
    PartEnd(1),
    PartStart(2, "tool", "a", "f"),
    PartStart(3, "tool", "", "g"),
    ToolArgs(2, '{"b":'),
    ToolArgs(3, "{}"),
    ToolArgs(2, "1}"),
    PartEnd(2),
    PartEnd(3),
    Usage(9, 2, cached=4, reasoning=1),
    Finish("tool_calls"),
    End(),
]


def test_an_answer_is_written_like_this() -> None:
    head = (
        'data: {"id":"c1","object":"chat.completion.chunk","created":1700000000,"model":"m","service_tier":"flex",'
        '"system_fingerprint":"fp","choices":['
    )
    body = (
        '{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}]}',
        '{"index":0,"delta":{"reasoning_content":"hm"},"logprobs":null,"finish_reason":null}]}',
        '{"index":0,"delta":{"content":"say \\"é\\"\\u2028\\u0085"},"logprobs":null,"finish_reason":null}]}',
        (
            '{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","type":"function","function":'
            '{"name":"f","arguments":""}}]},"logprobs":null,"finish_reason":null}]}'
        ),
        (
            '{"index":0,"delta":{"tool_calls":[{"index":1,"id":"call_c1_0_1","type":"function","function":'
            '{"name":"g","arguments":""}}]},"logprobs":null,"finish_reason":null}]}'
        ),
        (
            '{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\\"b\\":"}}]},'
            '"logprobs":null,"finish_reason":null}]}'
        ),
        (
            '{"index":0,"delta":{"tool_calls":[{"index":1,"function":{"arguments":"{}"}}]},'
            '"logprobs":null,"finish_reason":null}]}'
        ),
        (
            '{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"1}"}}]},'
            '"logprobs":null,"finish_reason":null}]}'
        ),
        '{"index":0,"delta":{},"logprobs":null,"finish_reason":"tool_calls"}]}',
        (
            '],"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11,"prompt_tokens_details":'
            '{"cached_tokens":4},"completion_tokens_details":{"reasoning_tokens":1}}}'
        ),
    )
    assert encode(CHAT, EVENTS).decode() == "".join([f"{head}{each}\n\n" for each in body]) + "data: [DONE]\n\n"
    assert encode(CHAT, EVENTS, include_usage=False).decode().count("usage") == 0


def test_null_stands_for_the_counts_until_they_come_where_the_stream_begins_so() -> None:
    events = [Start(extra={"openai.usage": None}), PartStart(0, "text"), Text(0, "a"), PartEnd(0)]
    *chunks, last = records(encode(CHAT, [*events, Usage(1, 2), Finish("stop"), End()]))
    assert [chunk["usage"] for chunk in chunks] == [None, None, None]
    assert last["usage"] == {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}


def test_what_is_written_comes_back() -> None:
    once = encode(CHAT, EVENTS)
    assert encode(CHAT, decode_any(CHAT, once, strict=True)) == once


def test_reasoning_is_written_under_the_name_asked_for() -> None:
    encoder = encoder_of(CHAT, reasoning_key="reasoning")
    wire = b"".join(encoder.feed_many(EVENTS[:4]))
    assert records(wire)[1]["choices"][0]["delta"] == {"reasoning": "hm"}  # type: ignore[index]


def test_a_finish_is_written_at_once_and_the_end_at_the_end() -> None:
    encoder = encoder_of(CHAT)
    encoder.feed_many(EVENTS[:-2])
    assert b'"finish_reason":"tool_calls"' in b"".join(encoder.feed(EVENTS[-2]))
    assert b"".join(encoder.feed(End())).endswith(b"data: [DONE]\n\n")


def test_keys_are_written_in_one_order_whatever_the_order_they_came_in() -> None:
    orders: list[dict[str, object]] = [
        {"system_fingerprint": "a", "service_tier": "b"},
        {"service_tier": "b", "system_fingerprint": "a"},
    ]
    for extra in orders:
        [first, *_] = encode(CHAT, [Start(extra=extra), Finish("stop"), End()]).splitlines()
        assert b'"service_tier":"b","system_fingerprint":"a"' in first


# Choices


def test_choices_interleave_and_each_has_its_finish() -> None:
    """ggml-org/llama.cpp PR #20226: the index of the finish; BerriAI/litellm PR #12666: it is no index of a part."""
    events = decode(
        chunk({"index": 1, "delta": {"role": "assistant", "content": "b"}}),
        chunk({"index": 0, "delta": {"content": "a"}}),
        chunk({"index": 1, "delta": {"content": "B"}}, {"index": 0, "delta": {"content": "A"}}),
        chunk({"index": 1, **STOP}),
        chunk({"index": 0, "delta": {}, "finish_reason": "length"}),
        strict=True,
    )
    assert (said(events, choice=0), said(events, choice=1)) == ("aA", "bB")
    assert finishes(events) == [Finish("stop", "stop", choice=1), Finish("length", "length")]
    written = records(encode(CHAT, events))
    found = [(choice["index"], choice["finish_reason"]) for each in written for choice in each["choices"]]  # type: ignore[attr-defined]
    assert [each for each in found if each[1]] == [(1, "stop"), (0, "length")]
    assert decode_any(CHAT, encode(CHAT, events), strict=True) == events


def test_a_choice_without_an_index_is_the_first() -> None:
    wire = ({**HEAD, "choices": [{"delta": {"content": "a"}}]}, {**HEAD, "choices": [{"index": None, **STOP}]})
    assert said(decode(*wire)) == "a"
    assert repairs(*wire) == {"choice-index": 2}


def test_a_chunk_without_choices() -> None:
    usage = {"prompt_tokens": 1, "completion_tokens": 2}
    wire = (delta(content="a"), {**HEAD, "choices": None}, chunk(STOP), {**HEAD, "usage": usage})
    events = decode(*wire)
    assert (said(events), usages(events)) == ("a", [Usage(1, 2)])
    assert repairs(*wire) == {"no-choices": 2}


def test_a_choice_that_goes_on_after_its_finish() -> None:
    late = [delta(content="b"), calls(fragment(0, "{}", "a", "f")), delta(role="assistant"), chunk(STOP)]
    assert decode(delta(content="a"), chunk(STOP), *late) == decode(delta(content="a"), chunk(STOP))
    assert repairs(delta(content="a"), chunk(STOP), *late) == {"after-finish": 2}


def test_a_call_that_goes_on_after_its_finish() -> None:
    """The call is closed by then; that was a KeyError."""
    first = chunk({"delta": {"tool_calls": [fragment(0, "{", "a", "f")]}, "finish_reason": "tool_calls"})
    assert tools(decode(first, calls(fragment(0, "}")))) == [("a", "f", "{")]
    assert repairs(first, calls(fragment(0, "}"))) == {"after-finish": 1}


def test_the_finish_may_come_with_the_last_text() -> None:
    events = decode(chunk({"delta": {"content": "a"}, "finish_reason": "stop"}), strict=True)
    assert events == [FIRST, PartStart(0, "text"), Text(0, "a"), PartEnd(0), Finish("stop", "stop"), End()]


def test_roles_alone_and_empty_deltas_open_nothing() -> None:
    wire = (delta(role="assistant"), delta(role="assistant", content=""), delta(), delta(content=None), chunk(STOP))
    assert decode(*wire, strict=True) == [FIRST, Finish("stop", "stop"), End()]


@pytest.mark.parametrize("finish", [{}, {"finish_reason": None}, {"finish_reason": ""}])
def test_no_reason_before_the_end(finish: dict[str, Any]) -> None:
    """mlflow/mlflow PR #24111, danny-avila/LibreChat PR #5563, screenpipe/screenpipe PR #3616."""
    wire = (chunk({"delta": {"content": "a"}, **finish}),)
    assert decode(*wire)[-3:] == [PartEnd(0), Finish("stop"), End()]
    assert repairs(*wire) == {"no-finish": 1}


def test_the_terminator_alone() -> None:
    assert decode() == [Start(dialect=CHAT), Finish("stop"), End()]
    assert repairs() == {"no-start": 1, "no-finish": 1}


@pytest.mark.parametrize("missing", ["object", "id", "created", "model"])
def test_a_chunk_without_one_of_its_own_fields(missing: str) -> None:
    chunks = [
        {key: value for key, value in each.items() if key != missing} for each in (delta(content="a"), chunk(STOP))
    ]
    assert said(decode(*chunks, strict=True)) == "a"


NO_TIMES: list[object] = [0, -1, 1e300, 10**40, "1700000000", True, None, [], {}]


@pytest.mark.parametrize(
    ("created", "created_ns"),
    [
        (1_700_000_000, 1_700_000_000_000_000_000),
        (1_700_000_000.5, 1_700_000_000_500_000_000),
        *((value, None) for value in NO_TIMES),
    ],
)
def test_a_time_that_is_none_is_left_out(created: object, created_ns: int | None) -> None:
    [start, *_] = decode(chunk(STOP, created=created))
    assert start == Start("c1", "m", dialect=CHAT, created_ns=created_ns)


# Tool calls


def test_fragments_of_calls_interleave() -> None:
    """praxis-proxy/ai #266, headroomlabs-ai/headroom PR #2890: each fragment goes to its own call."""
    events = decode(
        calls(fragment(0, "", "a", "f"), fragment(1, "", "b", "g")),
        calls(fragment(1, '{"x"')),
        calls(fragment(0, '{"y"')),
        calls(fragment(1, ":1}"), fragment(0, ":2}")),
        chunk({"delta": {}, "finish_reason": "tool_calls"}),
        strict=True,
    )
    assert tools(events) == [("a", "f", '{"y":2}'), ("b", "g", '{"x":1}')]
    assert finishes(events) == [Finish("tool_calls", "tool_calls")]


def test_text_before_and_after_a_call() -> None:
    events = decode(
        delta(content="a"), calls(fragment(0, "{}", "a", "f")), delta(content="b"), chunk(STOP), strict=True
    )
    assert [(event.part, event.kind) for event in events if isinstance(event, PartStart)] == [
        *((0, "text"), (1, "tool"), (2, "text"))
    ]


def test_two_whole_calls_with_one_index() -> None:
    """Cerebras; BerriAI/litellm PR #37792, #5231, NousResearch/hermes-agent #57939, QuantumNous/new-api PR #2701."""
    wire = (calls(fragment(0, '{"x":1}', "a", "f")), calls(fragment(0, '{"x":2}', "b", "f")), chunk(STOP))
    assert tools(decode(*wire)) == [("a", "f", '{"x":1}'), ("b", "f", '{"x":2}')]
    assert repairs(*wire) == {"tool-index-reused": 1}


def test_two_whole_calls_of_one_function_with_one_index_and_no_id() -> None:
    wire = (calls(fragment(0, '{"x":1}', "", "f"), fragment(0, '{"x":2}', "", "f")), chunk(STOP))
    assert [each[1:] for each in tools(decode(*wire))] == [("f", '{"x":1}'), ("f", '{"x":2}')]
    assert repairs(*wire) == {"tool-index-reused": 1}


def test_calls_without_indexes() -> None:
    """ollama/ollama #7881."""
    wire = (
        calls(fragment(None, "{}", "a", "f"), fragment(None, '{"x":', "b", "g")),
        calls(fragment(None, "1")),
        calls(fragment(None, "}", "b")),
        chunk(STOP),
    )
    assert tools(decode(*wire)) == [("a", "f", "{}"), ("b", "g", '{"x":1}')]
    assert repairs(*wire) == {"tool-index": 4, "tool-repeated": 1}


def test_calls_without_index_and_id_are_told_apart_by_where_their_arguments_end() -> None:
    pieces = [("{", "f"), ("}", "f"), ("{}", "f"), ("{}", "g"), (' {"a":', "g"), ("1}", "")]
    wire = (*(calls(fragment(None, text, "", name)) for text, name in pieces), chunk(STOP))
    assert [each[1:] for each in tools(decode(*wire))] == [("f", "{}"), ("f", "{}"), ("g", "{}"), ("g", ' {"a":1}')]


def test_id_and_name_on_every_fragment() -> None:
    wire = (*(calls(fragment(0, piece, "a", "f")) for piece in ('{"x"', ":1", "}")), chunk(STOP))
    assert tools(decode(*wire)) == [("a", "f", '{"x":1}')]
    assert repairs(*wire) == {"tool-repeated": 2}


def test_a_name_after_the_id() -> None:
    """A call waits for its name: it is written with the call's first record."""
    wire = (calls({"index": 0, "id": "a"}), calls(fragment(0, None, "", "f")), calls(fragment(0, "{}")), chunk(STOP))
    assert tools(decode(*wire, strict=True)) == [("a", "f", "{}")]


@pytest.mark.parametrize("ending", [[chunk(STOP)], []])
def test_a_call_of_which_nothing_but_the_id_came(ending: list[object]) -> None:
    events = decode(calls({"index": 0, "id": "a"}), *ending)
    assert tools(events) == [("a", "", "")]
    assert [finish.reason for finish in finishes(events)] == ["tool_calls"]
    assert "tool-name" in repairs(calls({"index": 0, "id": "a"}), *ending)


def test_a_fragment_of_a_call_that_nobody_opened() -> None:
    wire = (calls(fragment(5, "{}")), chunk(STOP))
    assert tools(decode(*wire)) == [("", "", "{}")]
    assert repairs(*wire) == {"tool-name": 1}


def test_arguments_as_an_object() -> None:
    wire = (calls(fragment(0, {"x": [1, None]}, "a", "f")), chunk(STOP))
    assert tools(decode(*wire)) == [("a", "f", '{"x":[1,null]}')]
    assert repairs(*wire) == {"arguments-object": 1}


def test_a_choice_with_a_whole_message() -> None:
    message = {"role": "assistant", "content": "a", "tool_calls": [fragment(None, "{}", "a", "f")]}
    wire = (chunk({"message": message, "finish_reason": "tool_calls"}),)
    assert (said(decode(*wire)), tools(decode(*wire))) == ("a", [("a", "f", "{}")])
    assert repairs(*wire) == {"message": 1, "tool-index": 1}


def test_the_old_function_call() -> None:
    """It goes back to the same dialect as it came, its reason with it, and to others as a tool call."""
    wire = sse(
        delta(role="assistant", content=None, function_call={"name": "f", "arguments": ""}),
        delta(function_call={"arguments": '{"x":1}'}),
        chunk({"delta": {}, "finish_reason": "function_call"}),
    )
    events = decode_any(CHAT, wire, strict=True)
    assert tools(events) == [("", "f", '{"x":1}')]
    assert finishes(events) == [Finish("tool_calls", "function_call")]
    written = encode(CHAT, events)
    assert b'"delta":{"function_call":{"name":"f","arguments":""}}' in written
    assert b'"finish_reason":"function_call"' in written
    assert b"tool_calls" not in written
    assert decode_any(CHAT, written, strict=True) == events
    other, _ = convert(CHAT, "ollama-chat", wire)
    assert b'"tool_calls":[{"function":{"index":0,"name":"f","arguments":{"x":1}}}]' in other


def test_many_calls_take_linear_time() -> None:
    """A scan over all calls for each of them would take a hundred times as long for ten times as many."""

    def time_of(count: int) -> float:
        fragments = [fragment(None, "{}", f"a{number}", "f") for number in range(count)]
        wire = sse(*map(calls, fragments), done=False)
        decoder, encoder = decoder_of(CHAT), encoder_of(CHAT)
        before = process_time()
        written = b"".join(encoder.feed_many(decoder.feed(wire)))
        took = process_time() - before
        assert written.count(b'"name":"f"') == count
        return took

    assert time_of(20_000) < 40 * time_of(2_000)


# Reasons


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        *(("stop", "stop"), ("length", "length"), ("content_filter", "content_filter"), ("tool_calls", "stop")),
        *(("function_call", "stop"), ("eos", "stop"), ("end_turn", "stop"), ("stop_sequence", "stop_sequence")),
        *(("max_tokens", "length"), ("model_length", "length"), ("abort", "cancelled"), ("error", "error")),
        *(("insufficient_system_resource", "error"), ("sensitive", "other")),
    ],
)
def test_why_it_stopped(word: str, reason: FinishReason) -> None:
    events = decode(delta(content="a"), chunk({"delta": {}, "finish_reason": word}), strict=True)
    assert finishes(events) == [Finish(reason, word)]
    assert records(encode(CHAT, events))[-1]["choices"][0]["finish_reason"] == word  # type: ignore[index]


@pytest.mark.parametrize(
    ("word", "reason"),
    [("stop", "tool_calls"), ("tool_calls", "tool_calls"), ("length", "length"), ("content_filter", "content_filter")],
)
def test_a_call_makes_only_a_normal_stop_tool_calls(word: str, reason: FinishReason) -> None:
    """BerriAI/litellm #35663, Portkey-AI/gateway PR #1534; and NousResearch/hermes-agent PR #43478 for the reverse."""
    events = decode(calls(fragment(0, "{}", "a", "f")), chunk({"delta": {}, "finish_reason": word}), strict=True)
    assert finishes(events) == [Finish(reason, word)]


@pytest.mark.parametrize(
    ("reason", "word"),
    [
        *(("stop", "stop"), ("stop_sequence", "stop"), ("length", "length"), ("context_overflow", "length")),
        *(("tool_calls", "tool_calls"), ("content_filter", "content_filter"), ("pause", "stop"), ("other", "stop")),
    ],
)
def test_a_reason_from_elsewhere_gets_the_next_word(reason: FinishReason, word: str) -> None:
    wire = encode(CHAT, [Start(dialect="anthropic"), Finish(reason, "end_turn"), End()])
    assert records(wire)[-1]["choices"][0]["finish_reason"] == word  # type: ignore[index]


@pytest.mark.parametrize("reason", ["error", "cancelled"])
def test_a_reason_that_is_a_failure_elsewhere_is_an_error(reason: FinishReason) -> None:
    wire = encode(CHAT, [Start(dialect="gemini"), Finish(reason, "MALFORMED_FUNCTION_CALL"), End()])
    assert b'data: {"error":{"message":"' in wire
    assert b"[DONE]" not in wire


# Errors and cuts


@pytest.mark.parametrize(
    ("error", "event"),
    [
        (
            {"message": "busy", "type": "server_error", "param": None, "code": "overloaded"},
            Error("busy", "server_error", "overloaded"),
        ),
        ({"message": "slow down", "code": 429}, Error("slow down", "", "429", 429)),
        ({"message": "no", "code": 1.5, "type": 7}, Error("no", "", "1.5")),
        ({"message": "no", "code": {"a": [True]}}, Error("no", "", '{"a":[true]}')),
        ({"code": True}, Error('{"code":true}', "", "true")),
        ("it broke", Error("it broke")),
        *((value, Error(text)) for value, text in (({}, "{}"), ("", ""), (1, "1"), (["x"], '["x"]'))),
    ],
)
def test_errors(error: object, event: Error) -> None:
    """BerriAI/litellm #40578: also an empty object is an error, and no empty chunk."""
    events = decode(delta(content="a"), {"error": error})
    assert events[-1] == event
    assert events[:-1] == [FIRST, PartStart(0, "text"), Text(0, "a")]
    assert encode(CHAT, events).count(b"[DONE]") == 0


@pytest.mark.parametrize("error", [None, False, 0, "", {}, []])
def test_no_error_beside_choices_is_none(error: object) -> None:
    assert said(decode({**delta(content="a"), "error": error}, chunk(STOP))) == "a"


@pytest.mark.parametrize(
    ("wire", "event"),
    [
        (b'event: error\ndata: {"error":{"message":"m","type":"t"}}\n\n', Error("m", "t")),
        (b'event: error\ndata: {"message":"m","type":"t","code":500}\n\n', Error("m", "t", "500", 500)),
        (b'event: error\ndata: {"detail":"m"}\n\n', Error('{"detail":"m"}')),
        (b'event: error\ndata: "m"\n\n', Error("m")),
        (b'data: {"object":"error","message":"m","type":"t","param":null,"code":400}\n\n', Error("m", "t", "400", 400)),
    ],
)
def test_errors_in_other_places(wire: bytes, event: Error) -> None:
    """The official client ignores an `event: error` with flat data, and so takes the answer for a whole one."""
    assert decode_any(CHAT, sse(delta(content="a"), done=False) + wire + b"data: [DONE]\n\n")[-1] == event


def test_the_terminator_after_an_error_is_no_success() -> None:
    """Real servers send it (vllm-project/vllm #40986); api7/aisix PR #198."""
    wire = sse(delta(content="a"), {"error": {"message": "m"}})
    assert decode_any(CHAT, wire, strict=True)[-1] == Error("m")
    for target in DIALECTS:
        out, converter = convert(CHAT, target, wire)
        assert b"[DONE]" not in out
        assert converter.encoder.over


def test_an_error_is_written_like_this() -> None:
    events = [Start("c1", "m"), Error("busy", "overloaded_error", "529", 529)]
    assert encode(CHAT, events).decode().splitlines()[2] == (
        'data: {"error":{"message":"busy","type":"overloaded_error","param":null,"code":"529"}}'
    )
    assert records(encode(CHAT, [Error("")])) == [
        {"error": {"message": "error", "type": "server_error", "param": None, "code": None}}
    ]


@pytest.mark.parametrize("chunks", [[delta(content="a")], [delta(content="a"), chunk(STOP)]])
def test_a_cut_stream(chunks: list[object]) -> None:
    """BerriAI/litellm #32686: not even a finish reason makes the end of the input an end."""
    events = decode(*chunks, done=False)
    assert events[-1] == Error("the stream ends without its terminator", "truncated")
    for some in (events, events[:-1]):
        assert b"data: [DONE]\n" not in encode(CHAT, some)


# Usage


@pytest.mark.parametrize("place", ["first", "every", "finish", "own", "own without choices"])
def test_counts_wherever_they_are(place: str) -> None:
    usage = {"usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}}
    first, text, last = delta(role="assistant", content=""), delta(content="a"), chunk(STOP)
    chunks = {
        "first": [{**first, **usage}, text, last],
        "every": [{**first, **usage}, {**text, **usage}, {**last, **usage}, chunk(**usage)],
        "finish": [first, text, {**last, **usage}],
        "own": [first, text, last, chunk(**usage)],
        "own without choices": [first, text, last, {**HEAD, **usage}],
    }[place]
    events = decode(*chunks)
    assert usages(events) == [Usage(5, 2)]
    assert records(encode(CHAT, events))[-1] == {**HEAD, "choices": [], **usage}


def test_counts_that_grow_are_snapshots() -> None:
    """With `continuous_usage_stats` (vLLM); envoyproxy/ai-gateway PR #2239: nothing is added up."""
    counts = [{"prompt_tokens": 5, "completion_tokens": n, "total_tokens": 5 + n} for n in range(3)]
    events = decode(*({**delta(content="a"), "usage": each} for each in counts), chunk(STOP))
    assert usages(events) == [Usage(5, 0), Usage(5, 1), Usage(5, 2)]
    assert records(encode(CHAT, events))[-1]["usage"] == counts[-1]


@pytest.mark.parametrize(
    ("usage", "event"),
    [
        ({"prompt_tokens": 5.0, "completion_tokens": 2.0}, Usage(5, 2)),
        ({"prompt_tokens": 5, "completion_tokens": None}, Usage(5)),
        ({"prompt_tokens": 5, "completion_tokens": 2, "prompt_tokens_details": None}, Usage(5, 2)),
        ({"prompt_tokens": 5, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 3}}, Usage(5, 2, 3)),
        ({"prompt_tokens": 5, "prompt_tokens_details": {"cache_write_tokens": 3}}, Usage(5, cache_write=3)),
        ({"completion_tokens": 9, "completion_tokens_details": {"reasoning_tokens": 8}}, Usage(None, 9, reasoning=8)),
    ],
)
def test_counts(usage: object, event: Usage) -> None:
    assert usages(decode(chunk(STOP, usage=usage))) == [event]


def test_no_counts_are_none() -> None:
    assert usages(decode(chunk(STOP, usage={}), chunk(usage=None))) == []
    assert b"usage" not in encode(CHAT, [Start(), Usage(load_ns=5), Finish("stop"), End()])


# What only this dialect knows


def test_log_probabilities() -> None:
    entry = {
        "token": "a",
        "logprob": -0.5,
        "bytes": [97],
        "top_logprobs": [{"token": "a", "logprob": -0.5, "bytes": None}],
    }
    wire = (
        chunk({"delta": {"role": "assistant", "content": ""}, "logprobs": {"content": [], "refusal": None}}),
        chunk({"delta": {"content": "a"}, "logprobs": {"content": [entry], "refusal": None}}),
        chunk({"delta": {"content": ""}, "logprobs": {"content": [{"token": "b", "logprob": -1}]}}),
        chunk({"delta": {"refusal": "no"}, "logprobs": {"content": None, "refusal": [entry]}}),
        chunk(STOP),
    )
    events = decode(*wire, strict=True)
    neutral = {"token": "a", "logprob": -0.5, "bytes": [97], "top_logprobs": [{"token": "a", "logprob": -0.5}]}
    assert events[1:-2] == [
        PartStart(0, "text"),
        Text(0, "a", extra={"logprobs": [neutral]}),
        Text(0, "", extra={"logprobs": [{"token": "b", "logprob": -1, "top_logprobs": []}]}),
        PartEnd(0),
        PartStart(1, "refusal"),
        Refusal(1, "no", extra={"logprobs": [neutral]}),
        PartEnd(1),
    ]
    written: list[Any] = [record["choices"][0] for record in records(encode(CHAT, events))]  # type: ignore[index]
    assert [choice["logprobs"] for choice in written] == [
        None,
        {"content": [entry], "refusal": None},
        {"content": [{"token": "b", "logprob": -1, "bytes": None, "top_logprobs": []}], "refusal": None},
        {"content": None, "refusal": [entry]},
        None,
    ]
    assert decode_any(CHAT, encode(CHAT, events), strict=True) == events


def test_log_probabilities_of_calls_and_of_reasoning_open_no_text() -> None:
    logprobs = {"content": [{"token": "{", "logprob": -1}]}
    neutral: dict[str, object] = {"logprobs": [{"token": "{", "logprob": -1, "top_logprobs": []}]}
    events = decode(
        chunk({"delta": {"reasoning": "a"}, "logprobs": logprobs}),
        chunk({"delta": {"tool_calls": [fragment(0, "", "a", "f")]}, "logprobs": None}),
        chunk({"delta": {"tool_calls": [fragment(0, "{}")]}, "logprobs": logprobs}),
        chunk({**STOP, "logprobs": logprobs}),
        strict=True,
    )
    assert events[1:-1] == [
        PartStart(0, "reasoning"),
        Reasoning(0, "a", extra=neutral),
        PartEnd(0),
        PartStart(1, "tool", "a", "f"),
        ToolArgs(1, "{}", extra=neutral),
        PartEnd(1),
        Finish("tool_calls", "stop", extra=neutral),
    ]
    assert decode_any(CHAT, encode(CHAT, events), strict=True) == events


def test_unknown_fields_go_to_the_same_dialect() -> None:
    """Those that every chunk repeats once; those of a choice and of a delta where they were."""
    wire = (
        {**delta(role="assistant", content=""), "provider": "P"},
        {**chunk({"delta": {"content": "a", "mood": "good", "nothing": None}, "rank": 3}), "provider": "P", "seed": 7},
        {**chunk({"delta": {}, "finish_reason": "stop", "native_finish_reason": "END"}), "provider": "P"},
        {**chunk(usage={"prompt_tokens": 1, "completion_tokens": 2, "cost": 0.5}), "provider": "P", "note": {"a": 1}},
    )
    events = decode(*wire, strict=True)
    assert events == [
        Start("c1", "m", dialect=CHAT, created_ns=FIRST.created_ns, extra={"openai.provider": "P"}),
        PartStart(0, "text"),
        Text(0, "a", extra={"openai.seed": 7, "openai.choice": {"rank": 3}, "openai.delta": {"mood": "good"}}),
        PartEnd(0),
        Finish("stop", "stop", extra={"openai.choice": {"native_finish_reason": "END"}}),
        Usage(1, 2, extra={"openai.usage": {"cost": 0.5}, "openai.note": {"a": 1}}),
        End(),
    ]
    first, text, last, usage = records(encode(CHAT, events))
    assert first["provider"] == "P"
    assert text["seed"] == 7
    assert text["choices"] == [
        {"index": 0, "delta": {"content": "a", "mood": "good"}, "logprobs": None, "finish_reason": None, "rank": 3}
    ]
    assert last["choices"][0]["native_finish_reason"] == "END"  # type: ignore[index]
    assert (usage["note"], usage["usage"]) == (
        {"a": 1},
        {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3, "cost": 0.5},
    )
    assert decode_any(CHAT, encode(CHAT, events), strict=True) == events


def test_a_field_that_comes_late_or_changes_is_kept() -> None:
    events = decode(
        delta(content="a"),
        {**delta(content="b"), "service_tier": "flex"},
        {**delta(content="c"), "system_fingerprint": "fp"},
        chunk(STOP),
    )
    assert events[3:5] == [
        Text(0, "b", extra={"service_tier": "flex"}),
        Text(0, "c", extra={"system_fingerprint": "fp"}),
    ]
    written = encode(CHAT, events)
    assert (written.count(b'"service_tier":"flex"'), written.count(b'"system_fingerprint":"fp"')) == (1, 1)


def test_a_chunk_in_which_nothing_is_known_goes_to_the_same_dialect_as_it_came() -> None:
    audio = delta(audio={"id": "a", "data": "AAAA"})
    wire = sse(delta(content="a"), audio, {"type": "keepalive"}, [1], chunk(STOP))
    events = decode_any(CHAT, wire, strict=True)
    assert sum(isinstance(event, Raw) for event in events) == 3
    assert encode(CHAT, events).count(b"AAAA") == 1
    _, converter = convert(CHAT, "ollama-chat", wire)
    assert converter.losses == {"raw": 3}


def test_heartbeats() -> None:
    """ollama/ollama PR #16443: a comment is no record; ogx-ai/ogx #4744: `[DONE]` is none either."""
    wire = b": ping\n\n" + sse(delta(content="a"), done=False) + b":\n\n" + sse(chunk(STOP))
    events = decode_any(CHAT, wire, strict=True)
    assert [event for event in events if isinstance(event, Ping)] == [Ping("ping"), Ping("")]
    out = encode(CHAT, events)
    assert out.startswith(b": ping\n\ndata: ")
    _, converter = convert(CHAT, "ollama-chat", wire)
    assert converter.losses == {"ping": 2}


def test_an_event_with_empty_data_is_a_heartbeat() -> None:
    """Clients that parse it as JSON fail; nothing is said by it."""
    wire = b"data:\n\n" + sse(delta(content="a"), "", chunk(STOP))
    events = decode_any(CHAT, wire, strict=True)
    assert [event for event in events if isinstance(event, Ping)] == [Ping(), Ping()]
    assert said(events) == "a"


def test_what_it_cannot_carry_is_counted() -> None:
    encoder = encoder_of(CHAT)
    encoder.feed_many(
        [
            *(Start(extra={"ollama.remote_model": "x"}), Custom("theme", 1), Raw("gemini", "", "{}")),
            *(PartStart(0, "reasoning"), Reasoning(0, "a"), PartEnd(0, "signed", "secret")),
            *(Finish("stop"), End()),
        ]
    )
    assert encoder.losses == {"ollama.remote_model": 1, "custom": 1, "raw": 1, "signature": 1, "encrypted": 1}


# Hostile records


ODD: list[object] = [1, True, 1.5, "x", [], ["x"], [None], {"x": 1}]


def odd(*lawful: type) -> list[object]:
    return [value for value in ODD if not isinstance(value, lawful)]


HOSTILE: list[tuple[str, Any]] = [
    *(("choices", {**HEAD, "choices": value}) for value in [*odd(list), ["x"], [None], [1]]),
    *(("index", {**HEAD, "choices": [{"index": value, **STOP}]}) for value in [*odd(int), True, -1, 65_536, 10**40]),
    *(("finish_reason", chunk({"delta": {}, "finish_reason": value})) for value in odd(str)),
    *(("delta", chunk({"delta": value})) for value in odd(dict)),
    *((key, delta(**{key: value})) for key in ("reasoning", "reasoning_content", "refusal") for value in odd(str)),
    *(("content", delta(content=value)) for value in [1, True, 1.5, ["x"], [None], {"x": 1}, [{"text": 1}]]),
    *(("tool_calls", delta(tool_calls=value)) for value in [1, True, "x", ["x"], [None], {"x": 1}]),
    *(("tool index", calls({"index": value, "function": {"name": "f"}})) for value in [*odd(int), True, -1]),
    *(("tool id", calls({"index": 0, "id": value, "function": {"name": "f"}})) for value in odd(str)),
    *(("function", calls({"index": 0, "function": value})) for value in odd(dict)),
    *(("name", calls({"index": 0, "function": {"name": value}})) for value in odd(str)),
    *(("function_call", delta(function_call=value)) for value in [1, True, "x", ["x"]]),
    *(("logprobs", chunk({"delta": {"content": "a"}, "logprobs": value})) for value in odd(dict)),
    *(
        ("logprobs content", chunk({"delta": {"content": "a"}, "logprobs": {"content": value}}))
        for value in [1, "x", {"x": 1}, [1], [None], [{}], [{"token": 1}], [{"token": "a", "logprob": "x"}]]
    ),
    *(("usage", chunk(STOP, usage=value)) for value in odd(dict)),
    *(
        (f"usage {key}", chunk(STOP, usage={key: value}))
        for key in ("prompt_tokens", "completion_tokens")
        for value in ["x", True, 1.5, [1], {}]
    ),
    *(("details", chunk(STOP, usage={"prompt_tokens_details": value})) for value in odd(dict)),
    *(("cached", chunk(STOP, usage={"prompt_tokens_details": {"cached_tokens": value}})) for value in ["x", True, 0.5]),
    *(("id", chunk(STOP, id=value)) for value in odd(str)),
    *(("model", chunk(STOP, model=value)) for value in odd(str)),
]


@pytest.mark.parametrize(("what", "record"), HOSTILE, ids=[f"{what}-{n}" for n, (what, _) in enumerate(HOSTILE)])
def test_a_field_of_another_type_is_an_error_of_its_record(what: str, record: object) -> None:
    decoder = decoder_of(CHAT)
    with pytest.raises(DecodeError) as caught:
        decoder.feed(sse(record))
    assert (caught.value.code, caught.value.record) == ("bad-field", 1)


@pytest.mark.parametrize("data", ["{", "hello", "[DONE", "NaN", '{"choices":[{"index":1e999}]}'])
def test_an_event_that_is_not_json(data: str) -> None:
    decoder = decoder_of(CHAT)
    with pytest.raises(DecodeError) as caught:
        decoder.feed(sse(delta(content="a"), data))
    assert caught.value.record == 2
    assert Text(0, "a") in caught.value.items


@pytest.mark.parametrize(
    "events",
    [
        [Start(), Text(0, "a")],
        [Start(), ToolArgs(0, "{}")],
        [Start(), PartStart(0, "text"), Start()],
        [Start(), PartStart(0, "text"), Text(0, "\ud800")],
    ],
)
def test_events_that_cannot_be_written_end_in_the_error_form(events: list[Event]) -> None:
    encoder = encoder_of(CHAT)
    try:
        out = b"".join(encoder.feed_many(events))
    except EncodeError as error:
        out = b"".join(error.items)  # type: ignore[arg-type]
        assert b'data: {"error"' in out
    assert b"[DONE]" not in out


# The whole response


def message_of(events: list[Event]) -> Message:
    kept = MessageAccumulator()
    kept.feed_many(events)
    return kept.message


def test_the_whole_response() -> None:
    assert DIALECTS[CHAT].document(message_of(EVENTS)) == {
        "id": "c1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": "m",
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": 'say "é"\u2028\u0085',
                    "refusal": None,
                    "reasoning_content": "hm",
                    "tool_calls": [
                        {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"b":1}'}},
                        {"id": "call_c1_0_1", "type": "function", "function": {"name": "g", "arguments": "{}"}},
                    ],
                },
                "logprobs": None,
                "finish_reason": "tool_calls",
            }
        ],
        "usage": {
            "prompt_tokens": 9,
            "completion_tokens": 2,
            "total_tokens": 11,
            "prompt_tokens_details": {"cached_tokens": 4},
            "completion_tokens_details": {"reasoning_tokens": 1},
        },
        "service_tier": "flex",
        "system_fingerprint": "fp",
    }


def test_a_response_that_is_not_whole_has_no_reason() -> None:
    cut: Any = DIALECTS[CHAT].document(message_of([*EVENTS[:6], Error("it broke", "server_error")]))
    assert (cut["choices"][0]["finish_reason"], cut["error"]["message"]) == (None, "it broke")
    failed: Any = DIALECTS[CHAT].document(message_of([Start(), Finish("error", "boom"), End()]))
    assert failed["choices"][0]["finish_reason"] is None
    empty: Any = DIALECTS[CHAT].document(Message())
    assert empty["choices"][0]["message"] == {"role": "assistant", "content": "", "refusal": None}


def test_a_response_has_the_log_probabilities_of_texts_and_of_refusals_apart() -> None:
    entry = {"token": "a", "logprob": -1}
    extra: dict[str, object] = {"logprobs": [entry]}
    full = {**entry, "bytes": None, "top_logprobs": []}
    events = [
        *(Start(), PartStart(0, "text"), Text(0, "a", extra=extra), Text(0, "a", extra=extra), PartEnd(0)),
        *(PartStart(1, "refusal"), Refusal(1, "a", extra=extra), PartEnd(1), Finish("stop"), End()),
    ]
    document: Any = DIALECTS[CHAT].document(message_of(events))
    assert document["choices"][0]["logprobs"] == {"content": [full, full], "refusal": [full]}


def test_the_official_types_take_what_is_written() -> None:
    types = pytest.importorskip("openai.types.chat")
    for record in records(encode(CHAT, EVENTS)):
        types.ChatCompletionChunk.model_validate(record)
    types.ChatCompletion.model_validate(DIALECTS[CHAT].document(message_of(EVENTS)))
