"""Anthropic's Messages: what real servers get wrong, what real converters got wrong, and what nobody should send."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy

import pytest

from streamkit.dialects.anthropic import DIALECT
from streamkit.dialects.convert import Converter
from streamkit.dialects.events import (
    End,
    Error,
    Event,
    Finish,
    PartEnd,
    PartStart,
    Ping,
    Raw,
    Reasoning,
    Start,
    Text,
    ToolArgs,
    Usage,
)
from streamkit.errors import DecodeError, EncodeError, ReportedError
from tests.dialects.test_anthropic import (
    HELLO,
    HELLO_EVENTS,
    START,
    decoded,
    delta,
    encoded,
    ended,
    message_of,
    opened,
    record,
    records,
    started,
    stopped,
    violations,
)

STOP = record({"type": "message_stop"})

HI = opened(0, "text", text="") + delta(0, "text_delta", text="Hi") + stopped(0)

CALL = opened(0, "tool_use", id="t", name="f", input={})


def repaired(wire: bytes, *codes: str) -> list[Event]:
    """Decode; exactly these repairs are made, and a strict decoder refuses with the first of them."""
    decoder = DIALECT.decoder()
    events = [*decoder.feed(wire), *decoder.finish()]
    assert violations(events) == []
    assert [repair.code for repair in decoder.repairs] == [*codes]
    if codes:
        with pytest.raises(DecodeError) as caught:
            DIALECT.decoder(strict=True).feed(wire)
        assert caught.value.code == codes[0]
    return events


def body(events: list[Event]) -> list[Event]:
    """What is between `Start` and `Finish`, but for the counts."""
    return [event for event in events if not isinstance(event, (Start, Usage, Finish, End))]


def a_text(*pieces: str, part: int = 0) -> list[Event]:
    return [PartStart(part=part, kind="text"), *(Text(part=part, text=text) for text in pieces), PartEnd(part=part)]


# --- Repairs ----------------------------------------------------------------------------------------------------------


def test_no_message_start() -> None:
    assert repaired(HI + ended(), "no-start")[0] == Start(dialect="anthropic")
    assert repaired(STOP, "no-start", "no-finish")[-1] == End()


def test_a_second_message_start() -> None:
    """The first one counts, but for the tokens."""
    events = repaired(START + HI + started(input_tokens=7, output_tokens=1) + ended(), "second-start")
    assert body(events) == a_text("Hi")
    assert message_of(events).usage.input_total == 7


def test_no_event_lines() -> None:
    """Official clients see an empty stream; the type is in the data too."""
    wire = b"".join(line + b"\n" for line in HELLO.split(b"\n")[:-1] if not line.startswith(b"event:"))
    assert repaired(wire, "no-event") == HELLO_EVENTS


def test_an_event_line_that_says_something_else() -> None:
    wire = HELLO.replace(b"event: content_block_delta", b"event: message")
    assert repaired(wire, "no-event") == HELLO_EVENTS
    wire = HELLO.replace(b"event: content_block_delta", b"event: delta")
    assert repaired(wire, "event-name") == HELLO_EVENTS


def test_data_without_a_type() -> None:
    assert repaired(HELLO.replace(b'"type":"message_stop"', b""), "no-type") == HELLO_EVENTS


def test_a_delta_of_a_block_that_never_began() -> None:
    assert body(repaired(START + delta(0, "text_delta", text="Hi") + stopped(0) + ended(), "no-block-start")) == a_text(
        "Hi"
    )
    events = repaired(START + delta(0, "thinking_delta", thinking="Hm") + stopped(0) + ended(), "no-block-start")
    assert body(events)[1] == Reasoning(part=0, text="Hm")
    events = repaired(START + delta(0, "input_json_delta", partial_json="{}") + stopped(0) + ended(), "no-block-start")
    assert body(events)[1] == ToolArgs(part=0, json_text="{}")


def test_a_delta_of_a_block_that_was_stopped() -> None:
    wire = START + HI + delta(0, "text_delta", text="!") + ended()
    events = repaired(wire, "no-block-start", "block-open")
    assert body(events) == [*a_text("Hi"), *a_text("!", part=1)]


def test_a_stop_of_a_block_that_is_not_open() -> None:
    assert body(repaired(START + HI + stopped(0) + ended(), "no-block-start")) == a_text("Hi")


def test_a_block_that_is_never_stopped() -> None:
    wire = START + opened(0, "text", text="") + delta(0, "text_delta", text="Hi") + ended()
    assert body(repaired(wire, "block-open")) == a_text("Hi")
    wire = START + opened(0, "server_tool_use", id="s", name="web_search", input={}) + ended()
    assert body(repaired(wire, "block-open"))[-1] == Raw(
        "anthropic", "content_block_stop", '{"type":"content_block_stop","index":0}'
    )


def test_blocks_that_overlap_are_told_apart_by_their_index() -> None:
    """Nothing to repair: only the writer has to take care."""
    wire = (
        START
        + opened(0, "text", text="")
        + opened(1, "tool_use", id="t", name="f", input={})
        + delta(0, "text_delta", text="Hi")
        + delta(1, "input_json_delta", partial_json="{}")
        + stopped(0)
        + stopped(1)
        + ended()
    )
    events = repaired(wire)
    assert body(events)[2:4] == [Text(part=0, text="Hi"), ToolArgs(part=1, json_text="{}")]


def test_blocks_without_an_index() -> None:
    wire = (START + HI + ended()).replace(b'"index":0,', b"").replace(b',"index":0', b"")
    assert body(repaired(wire, "no-index")) == a_text("Hi")


def test_indexes_with_a_gap() -> None:
    wire = START + opened(2, "text", text="") + delta(2, "text_delta", text="Hi") + stopped(2) + ended()
    events = repaired(wire, "index-gap")
    assert body(events) == a_text("Hi")
    assert b'"index":0' in encoded(events)


def test_a_start_that_already_has_content() -> None:
    events = repaired(START + opened(0, "text", text="Hi") + stopped(0) + ended(), "start-content")
    assert body(events) == a_text("Hi")
    events = repaired(
        START + opened(0, "thinking", thinking="Hm", signature="s") + stopped(0) + ended(), "start-content"
    )
    assert body(events)[1:] == [Reasoning(part=0, text="Hm"), PartEnd(part=0, signature="s")]


@pytest.mark.parametrize("given", [{"a": 1}, '{"a":1}'])
def test_a_tool_call_that_comes_whole(given: object) -> None:
    events = repaired(
        START + opened(0, "tool_use", id="t", name="f", input=given) + stopped(0) + ended(), "start-content"
    )
    assert body(events)[1] == ToolArgs(part=0, json_text='{"a":1}')


def test_a_tool_call_that_comes_whole_and_again_in_fragments_counts_once() -> None:
    wire = (
        START
        + opened(0, "tool_use", id="t", name="f", input={"a": 1})
        + delta(0, "input_json_delta", partial_json='{"a":')
        + delta(0, "input_json_delta", partial_json="1}")
        + stopped(0)
        + ended()
    )
    assert message_of(repaired(wire, "start-content")).tool_calls[0].text == '{"a":1}'


def test_a_message_start_that_already_has_content() -> None:
    message = {
        "id": "m",
        "model": "x",
        "content": [{"type": "text", "text": "Hi"}, {"type": "server_tool_use", "id": "s"}],
        "usage": {"input_tokens": 0, "output_tokens": 0},
    }
    events = repaired(record({"type": "message_start", "message": message}) + ended(), "start-content")
    assert body(events)[:3] == a_text("Hi")
    assert records(encoded(events))[4:6] == [
        {"type": "content_block_start", "index": 1, "content_block": {"type": "server_tool_use", "id": "s"}},
        {"type": "content_block_stop", "index": 1},
    ]


def test_no_counts() -> None:
    message = {"id": "m", "model": "x"}
    wire = record({"type": "message_start", "message": message}) + HI
    wire += record({"type": "message_delta", "delta": {"stop_reason": "end_turn"}}) + STOP
    assert body(repaired(wire, "no-usage")) == a_text("Hi")


def test_a_reason_to_stop_that_comes_twice() -> None:
    events = repaired(START + ended("max_tokens").removesuffix(STOP) + ended("end_turn"), "second-finish")
    assert [event.reason for event in events if isinstance(event, Finish)] == ["length"]


def test_blocks_after_the_reason_to_stop() -> None:
    wire = START + ended().removesuffix(STOP) + HI + STOP
    events = repaired(wire, "after-finish", "no-block-start")
    assert body(events) == []


def test_records_after_the_end() -> None:
    assert repaired(HELLO + START, "after-end") == HELLO_EVENTS


def test_a_call_without_a_name() -> None:
    events = repaired(START + opened(0, "tool_use", id="t", input={}) + stopped(0) + ended(), "tool-name")
    assert body(events)[0] == PartStart(part=0, kind="tool", tool_id="t")


# --- Bugs of others that must not be ours -----------------------------------------------------------------------------


def test_bug_tool_call_ends_as_a_stop() -> None:
    """A call, and then "end_turn": BerriAI/litellm #35663, #34692, envoyproxy/ai-gateway PR #2399."""
    events = decoded(START + CALL + stopped(0) + ended("end_turn"))
    assert events[-2] == Finish(reason="tool_calls", raw_reason="end_turn")


def test_bug_length_is_overridden_by_a_tool_call() -> None:
    """NousResearch/hermes-agent PR #43478."""
    events = decoded(START + CALL + stopped(0) + ended("max_tokens"))
    assert events[-2] == Finish(reason="length", raw_reason="max_tokens")
    assert records(encoded([*events[:-2], Finish(reason="length"), End()]))[-2]["delta"] == {
        "stop_reason": "max_tokens",
        "stop_sequence": None,
    }


def test_bug_parallel_calls_on_one_index() -> None:
    """Their arguments ran together: BerriAI/litellm #5231, QuantumNous/new-api PR #2701."""
    wire = START
    for number in range(2):
        wire += opened(0, "tool_use", id=f"t{number}", name="f", input={})
        wire += delta(0, "input_json_delta", partial_json=f'{{"n":{number}}}')
    events = repaired(wire + stopped(0) + ended("tool_use"), "index-reused")
    assert [call.arguments for call in message_of(events).tool_calls] == [{"n": 0}, {"n": 1}]


def test_bug_interleaved_deltas_go_to_the_wrong_block() -> None:
    """praxis-proxy/ai #266, headroomlabs-ai/headroom PR #2890, NVIDIA-NeMo/Switchyard PR #760."""
    events: list[Event] = [
        Start("m"),
        PartStart(part=0, kind="tool", tool_id="a", tool_name="f"),
        PartStart(part=1, kind="tool", tool_id="b", tool_name="g"),
        *(ToolArgs(part=part, json_text=piece) for piece in ('{"x', '":', "1}") for part in (0, 1)),
        PartEnd(part=0),
        PartEnd(part=1),
        Finish(reason="tool_calls"),
        End(),
    ]
    heard = decoded(encoded(events))
    assert violations(heard, sequential=True) == []
    assert [(call.tool_id, call.text) for call in message_of(heard).tool_calls] == [("a", '{"x":1}'), ("b", '{"x":1}')]


def test_bug_text_before_thinking_starts_two_blocks_on_one_index() -> None:
    """ollama/ollama #17101. Both texts are there, where official clients lose one."""
    wire = START + opened(0, "text", text="") + delta(0, "text_delta", text="Hi")
    wire += opened(0, "thinking", thinking="", signature="") + delta(0, "thinking_delta", thinking="Hm")
    events = repaired(wire + stopped(0) + ended(), "index-reused")
    message = message_of(events)
    assert (message.text, message.reasoning) == ("Hi", "Hm")


def test_bug_text_delta_in_a_tool_block() -> None:
    """sgl-project/sglang #26795, PR #25876. The call goes on after it."""
    wire = START + CALL + delta(0, "input_json_delta", partial_json='{"a"')
    wire += delta(0, "text_delta", text="Hi") + delta(0, "input_json_delta", partial_json=":1}") + stopped(0) + ended()
    message = message_of(repaired(wire, "delta-kind"))
    assert message.text == "Hi"
    assert [call.text for call in message.tool_calls] == ['{"a":1}']


def test_bug_thinking_is_swallowed_by_a_block_of_text() -> None:
    """sgl-project/sglang #26795, BerriAI/litellm PR #29600."""
    wire = START + opened(0, "text", text="") + delta(0, "text_delta", text="Hi")
    wire += delta(0, "thinking_delta", thinking="Hm") + delta(0, "signature_delta", signature="s") + stopped(0)
    events = repaired(wire + ended(), "delta-kind")
    assert body(events)[3:] == [
        PartStart(part=1, kind="reasoning"),
        Reasoning(part=1, text="Hm"),
        PartEnd(part=1, signature="s"),
    ]


def test_arguments_in_a_block_of_text() -> None:
    wire = START + opened(0, "text", text="") + delta(0, "input_json_delta", partial_json="{}") + stopped(0) + ended()
    assert message_of(repaired(wire, "delta-kind")).tool_calls[0].text == "{}"


def test_bug_a_block_begins_with_every_token() -> None:
    """ggml-org/llama.cpp PR #18551."""
    wire = START
    for piece in ("Hel", "lo"):
        wire += opened(0, "text", text="") + delta(0, "text_delta", text=piece)
    assert body(repaired(wire + stopped(0) + ended(), "index-reused")) == a_text("Hel", "lo")
    wire = START + CALL + CALL + delta(0, "input_json_delta", partial_json="{}") + stopped(0) + ended()
    assert len(message_of(repaired(wire, "index-reused")).tool_calls) == 1


def test_two_redacted_blocks_on_one_index() -> None:
    wire = START + opened(0, "redacted_thinking", data="a") + opened(0, "redacted_thinking", data="b") + stopped(0)
    ends = [event for event in repaired(wire + ended(), "index-reused") if isinstance(event, PartEnd)]
    assert [end.encrypted for end in ends] == ["a", "b"]


def test_an_unknown_block_on_a_used_index() -> None:
    wire = START + opened(0, "mcp_tool_use", id="s") + opened(0, "text", text="") + delta(0, "text_delta", text="Hi")
    events = repaired(wire + stopped(0) + ended(), "index-reused")
    assert [event.name for event in events if isinstance(event, Raw)] == ["content_block_start", "content_block_stop"]
    assert body(events)[2:] == a_text("Hi")


def test_bug_an_empty_block_of_text_comes_first() -> None:
    """BerriAI/litellm #34692."""
    events = decoded(
        START + opened(0, "text", text="") + stopped(0) + CALL.replace(b":0", b":1") + stopped(1) + ended()
    )
    assert [value["type"] for value in records(encoded(events))] == [
        "message_start",
        "content_block_start",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]


def test_bug_the_piece_that_switches_blocks_is_dropped() -> None:
    """BerriAI/litellm #25321, #18238: one record that ends a text and begins a call, or has both kinds of text."""
    chunk = {"choices": [{"index": 0, "delta": {"reasoning_content": "Hm", "content": "Hi"}}]}
    call = {"index": 0, "id": "t", "function": {"name": "f", "arguments": '{"a"'}}
    more = {"index": 0, "function": {"arguments": ":1}"}}
    both = {"choices": [{"index": 0, "delta": {"content": "!", "tool_calls": [call]}}]}
    last = {"choices": [{"index": 0, "delta": {"tool_calls": [more]}, "finish_reason": "stop"}]}
    wire = b"".join(b"data: %b\n\n" % json.dumps(value).encode() for value in (chunk, both, last)) + b"data: [DONE]\n\n"
    message = message_of(decoded(b"".join(Converter("openai-chat", "anthropic").feed(wire))))
    assert (message.reasoning, message.text, message.reason) == ("Hm", "Hi!", "tool_calls")
    assert [call.arguments for call in message.tool_calls] == [{"a": 1}]


def test_bug_counts_between_two_pieces_close_the_block() -> None:
    """router-for-me/CLIProxyAPI #5419."""
    usage = [Usage(input_total=3, output_total=n) for n in range(2)]
    events = [HELLO_EVENTS[0], HELLO_EVENTS[1], usage[0], HELLO_EVENTS[2], usage[1], *HELLO_EVENTS[3:]]
    assert encoded(events) == HELLO


def test_bug_an_error_in_another_form_is_an_empty_chunk() -> None:
    """BerriAI/litellm #40578."""
    events = repaired(START + HI + b'data: {"error":{"message":"boom","type":"server_error"}}\n\n', "error-form")
    assert events[-1] == Error("boom", "server_error")


def test_bug_a_stream_that_just_ends_has_a_made_up_finish() -> None:
    """BerriAI/litellm #32686."""
    events = decoded(START + HI)
    assert isinstance(events[-1], Error)
    assert not any(isinstance(event, Finish) for event in events)
    events = decoded((START + HI + ended()).removesuffix(STOP))
    assert isinstance(events[-1], Error)
    assert not encoded(events).endswith(STOP)


def test_bug_a_success_follows_the_error() -> None:
    """api7/aisix PR #198 writes [DONE] after it; what comes after an error is dropped."""
    error = record({"type": "error", "error": {"type": "api_error", "message": "boom"}})
    assert isinstance(decoded(START + error + b"data: [DONE]\n\n")[-1], Error)
    assert isinstance(repaired(START + error + ended(), "after-end")[-1], Error)
    converter = Converter("anthropic", "anthropic")
    with pytest.raises(ReportedError) as caught:
        converter.feed(START + error + ended())
    assert records(b"".join(caught.value.items))[-1]["type"] == "error"  # type: ignore[arg-type]


def test_bug_the_first_count_of_the_input_becomes_zero() -> None:
    """sgl-project/sglang #20678, BerriAI/litellm #41406, envoyproxy/ai-gateway #2352: clients read it there."""
    wire = started(input_tokens=9, output_tokens=1) + ended(usage={"output_tokens": 5})
    written = records(b"".join(Converter("anthropic", "anthropic").feed(wire)))
    message = written[0]["message"]
    assert isinstance(message, dict)
    assert message["usage"] == {"input_tokens": 9, "output_tokens": 1}
    assert written[-2]["usage"] == {"input_tokens": 9, "output_tokens": 5}


def test_bug_cached_tokens_are_counted_twice() -> None:
    """langchain-ai/langchainjs PR #10250, maximhq/bifrost PR #6378, envoyproxy/ai-gateway PR #2239."""
    counts = {"input_tokens": 5, "cache_read_input_tokens": 100}
    wire = started(**counts, output_tokens=1) + ended(usage={**counts, "output_tokens": 2})
    converted = b"".join(Converter("anthropic", "openai-chat").feed(wire))
    usage = json.loads(converted.split(b"data: ")[-2])["usage"]
    assert (usage["prompt_tokens"], usage["prompt_tokens_details"]) == (105, {"cached_tokens": 100})


def test_bug_the_signature_is_lost() -> None:
    """maximhq/bifrost #1437; and an empty one, as llama.cpp sends it, takes no other one's place."""
    wire = START + opened(0, "thinking", thinking="", signature="") + delta(0, "signature_delta", signature="s")
    events = repaired(wire + delta(0, "signature_delta", signature="") + stopped(0) + ended())
    assert PartEnd(part=0, signature="s") in events
    assert delta(0, "signature_delta", signature="s") in encoded(events)


def test_bug_done_is_parsed_as_json() -> None:
    """ogx-ai/ogx #4744. It ends nothing here: a stream that has only that was cut."""
    assert repaired(HELLO + b"data: [DONE]\n\n") == HELLO_EVENTS
    assert isinstance(repaired(HELLO.removesuffix(STOP) + b"data: [DONE]\n\n", "done")[-1], Error)


def test_bug_no_reason_to_stop_before_the_end() -> None:
    """mlflow/mlflow PR #24111, screenpipe/screenpipe PR #3616."""
    assert repaired(START + HI + STOP, "no-finish")[-2:] == [Finish(reason="stop"), End()]
    assert repaired(START + CALL + stopped(0) + STOP, "no-finish")[-2:] == [Finish(reason="tool_calls"), End()]
    null = record({"type": "message_delta", "delta": {"stop_reason": None}, "usage": {"output_tokens": 1}})
    assert repaired(START + HI + null + STOP, "no-finish")[-2:] == [Finish(reason="stop"), End()]


def test_other_dialects_words_for_the_reason() -> None:
    for word, reason in (("stop", "stop"), ("length", "length"), ("content_filter", "content_filter")):
        finish = decoded(START + ended(word))[-2]
        assert isinstance(finish, Finish)
        assert finish.reason == reason


# --- What nobody should send ------------------------------------------------------------------------------------------

PLACES: list[dict[str, object]] = [
    {
        "type": "message_start",
        "message": {
            "id": "m",
            "role": "assistant",
            "model": "x",
            "content": [],
            "stop_reason": None,
            "usage": {"input_tokens": 1, "cache_read_input_tokens": 1, "output_tokens_details": {"thinking_tokens": 1}},
        },
    },
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "", "citations": []}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "citations_delta", "citation": {}}},
    {"type": "content_block_stop", "index": 0},
    {"type": "content_block_start", "index": 1, "content_block": {"type": "thinking", "thinking": "", "signature": ""}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "thinking_delta", "thinking": "Hm"}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "signature_delta", "signature": "s"}},
    {"type": "content_block_stop", "index": 1},
    {"type": "content_block_start", "index": 2, "content_block": {"type": "redacted_thinking", "data": "x"}},
    {"type": "content_block_stop", "index": 2},
    {
        "type": "content_block_start",
        "index": 3,
        "content_block": {"type": "tool_use", "id": "t", "name": "f", "input": {}},
    },
    {"type": "content_block_delta", "index": 3, "delta": {"type": "input_json_delta", "partial_json": "{}"}},
    {"type": "content_block_stop", "index": 3},
    {"type": "content_block_start", "index": 4, "content_block": {"type": "server_tool_use", "input": {}}},
    {"type": "content_block_delta", "index": 4, "delta": {"type": "input_json_delta", "partial_json": "{}"}},
    {"type": "content_block_stop", "index": 4},
    {"type": "ping"},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "tool_use", "stop_sequence": None},
        "usage": {"output_tokens": 1},
    },
    {"type": "message_stop"},
]

WRONG: list[object] = [None, True, 1, -1, 10**30, 1.5, 2.0, "x", "", [], [1], [{}], {}, {"a": 1}, {"type": "text"}]

MISSING = object()


def mutants(value: object) -> Iterator[object]:
    """Every copy of a value in which one field is missing or is something else."""
    if not isinstance(value, dict):
        return
    for key, found in value.items():
        for wrong in (*WRONG, MISSING):
            copy = deepcopy(value)
            if wrong is MISSING:
                del copy[key]
            else:
                copy[key] = wrong
            yield copy
        for inner in mutants(found):
            yield {**value, key: inner}


@pytest.mark.parametrize("place", range(len(PLACES)))
@pytest.mark.parametrize("strict", [False, True])
def test_hostile_records_are_refused_or_lawful(place: int, strict: bool) -> None:
    before = b"".join(record(value) for value in PLACES[:place])
    after = b"".join(record(value) for value in PLACES[place + 1 :])
    for mutant in mutants(PLACES[place]):
        decoder = DIALECT.decoder(strict=strict)
        try:
            events = decoder.feed(before + record(mutant, str(PLACES[place]["type"])) + after)  # type: ignore[arg-type]
            events += decoder.finish()
        except DecodeError:
            continue
        assert violations(events) == [], mutant
        assert isinstance(events[-1], (End, Error))
        heard = decoded(encoded(events), strict=False)
        assert message_of(heard).text == message_of(events).text


@pytest.mark.parametrize("value", [None, 1, "x", [], [1], True])
def test_records_that_are_no_objects_are_passed_on(value: object) -> None:
    wire = b"event: content_block_delta\ndata: %b\n\n" % json.dumps(value).encode()
    events = decoded(START + wire + ended())
    assert events[1] == Raw("anthropic", "content_block_delta", json.dumps(value))


@pytest.mark.parametrize("data", [b"{", b"\xff", b"nothing"])
def test_data_that_is_no_json_is_an_error(data: bytes) -> None:
    with pytest.raises(DecodeError) as caught:
        DIALECT.decoder().feed(START + b"event: ping\ndata: %b\n\n" % data)
    assert [type(event) for event in caught.value.items] == [Start]


def test_keys_besides_may_have_any_name() -> None:
    """Also those of the encoder's own variables."""
    names = {"kind": 1, "out": 2, "self": 3, "fields": 4}
    value = {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None, **names}}
    wire = START + record({**value, "usage": {"output_tokens": 1, **names}, **names}) + STOP
    assert records(encoded(decoded(wire)))[-2] == {**value, "usage": {"output_tokens": 1, **names}, **names}
    error = {"type": "error", "error": {"type": "api_error", "message": "m"}, **names}
    assert records(encoded(decoded(record(error)))) == [error]


def test_text_in_a_part_of_reasoning_cannot_be_written() -> None:
    encoder = DIALECT.encoder()
    encoder.feed_many([Start("m"), PartStart(part=0, kind="reasoning")])
    with pytest.raises(EncodeError, match="part 0 is of reasoning"):
        encoder.feed(Text(part=0, text="a"))


def test_a_raw_record_may_have_any_index() -> None:
    """The encoder takes what the decoder passed on; here an index that is no number."""
    payload = '{"type":"content_block_delta","index":"x"}'
    wire = encoded([Start(), Raw("anthropic", "content_block_delta", payload), Ping(), Finish(reason="stop"), End()])
    assert payload.encode() in wire
    payload = '{"type":"a\\nb"}'
    assert b"\n\ndata: %b\n\n" % payload.encode() in encoded([Start(), Raw("anthropic", "", payload)])
