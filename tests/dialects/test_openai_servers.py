"""What servers that speak OpenAI's chat completions make of them, each by a wire in that server's own form."""

from __future__ import annotations

from typing import Any

import pytest

from streamkit.dialects.events import End, Error, Event, Finish, PartStart, Ping, Raw, Reasoning, Start, Text, Usage
from tests.dialects.wires import convert, decode, encode, records, refusal_of, repairs_of, sse

CHAT = "openai-chat"
HEAD = {"id": "c1", "object": "chat.completion.chunk", "created": 1_700_000_000, "model": "m"}


def chunk(delta: object = None, finish: str | None = None, **more: object) -> dict[str, Any]:
    """A chunk with one choice."""
    return {**HEAD, "choices": [{"index": 0, "delta": delta or {}, "finish_reason": finish}], **more}


def in_choice(chunk: dict[str, Any], **more: object) -> dict[str, Any]:
    [choice] = chunk["choices"]
    return {**chunk, "choices": [{**choice, **more}]}


def usages(events: list[Event]) -> list[Usage]:
    return [event for event in events if isinstance(event, Usage)]


def joined(events: list[Event], kind: type[Text | Reasoning]) -> str:
    return "".join([event.text for event in events if isinstance(event, kind)])


def kinds(events: list[Event]) -> list[str]:
    return [event.kind for event in events if isinstance(event, PartStart)]


@pytest.mark.parametrize(
    "deltas",
    [
        [{"reasoning_content": "a"}, {"reasoning_content": "b", "content": None}],  # DeepSeek, old vLLM
        [{"reasoning": "a"}, {"reasoning": "b", "content": ""}],  # vLLM now, Groq
        [{"reasoning": "a", "reasoning_content": "a"}, {"reasoning": "b", "reasoning_content": "b"}],  # vLLM in between
        [{"reasoning_content": "", "reasoning": "a"}, {"reasoning_content": None, "reasoning": "b"}],
        [  # OpenRouter
            {"reasoning": "a", "reasoning_details": [{"type": "reasoning.text", "text": "a"}]},
            {"reasoning": None, "reasoning_details": [{"type": "reasoning.summary", "summary": "b"}]},
        ],
        [  # Mistral
            {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "a"}]}]},
            {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "b"}]}]},
        ],
    ],
)
def test_reasoning_under_every_name(deltas: list[object]) -> None:
    """vllm-project/vllm #27755, #33402, #50624, BerriAI/litellm PR #20821, strands-agents/harness-sdk PR #2354."""
    events = decode(CHAT, sse(*map(chunk, deltas), chunk({"content": "c"}), chunk(finish="stop")))
    assert (joined(events, Reasoning), joined(events, Text)) == ("ab", "c")
    assert kinds(events) == ["reasoning", "text"]
    again = decode(CHAT, encode(CHAT, events), strict=True)
    assert (joined(again, Reasoning), joined(again, Text), kinds(again)) == ("ab", "c", ["reasoning", "text"])


def test_azure_begins_without_an_id() -> None:
    first = {"choices": [], "created": 0, "id": "", "model": "", "object": "", "prompt_filter_results": [{"a": 1}]}
    text = in_choice(chunk({"content": "a"}), content_filter_results={"hate": {"filtered": False}})
    late = {**HEAD, "choices": [{"index": 0, "finish_reason": None, "content_filter_offsets": {"check_offset": 4}}]}
    wire = sse(first, chunk({"role": "assistant", "content": ""}), text, chunk(finish="stop"), late)
    events = decode(CHAT, wire, strict=True)
    extra: dict[str, object] = {"openai.prompt_filter_results": [{"a": 1}]}
    assert events[0] == Start("c1", "m", dialect=CHAT, created_ns=1_700_000_000_000_000_000, extra=extra)
    assert events[2] == Text(0, "a", extra={"openai.choice": {"content_filter_results": {"hate": {"filtered": False}}}})
    assert isinstance(events[-2], Raw)
    written = records(encode(CHAT, events))
    assert written[0]["prompt_filter_results"] == [{"a": 1}]
    assert written[-1] == late


@pytest.mark.parametrize("rest", [[], [{"error": {"message": "m"}}]])
def test_azure_and_nothing_after_its_first_chunk(rest: list[object]) -> None:
    first = {"choices": [], "created": 0, "id": "", "model": "", "prompt_filter_results": []}
    events = decode(CHAT, sse(first, *rest))
    assert events[-1] == (Error("m") if rest else End())
    cut = decode(CHAT, sse(first, done=False))
    assert [type(event) for event in cut] == [Start, Error]


def test_azure_stops_for_its_filter() -> None:
    events = decode(CHAT, sse(chunk({"content": "a"}), chunk(finish="content_filter")), strict=True)
    assert Finish("content_filter", "content_filter") in events


def test_openrouter_reports_an_error_in_a_chunk_with_a_choice() -> None:
    """What the chunk says besides is not lost, and no finish comes of it."""
    error = {"code": 502, "message": "Provider disconnected", "metadata": {"provider_name": "P"}}
    last = chunk({"role": "assistant", "content": "b"}, "error", error=error)
    for wire, text in ((sse(chunk({"content": "a"}), last), "ab"), (sse(last), "b")):
        events = decode(CHAT, wire, strict=True)
        assert joined(events, Text) == text
        assert events[-1] == Error("Provider disconnected", "", "502", 502)
        assert not any(isinstance(event, Finish) for event in events)


def test_openrouter_sends_comments_and_details_of_reasoning() -> None:
    detail = {"type": "reasoning.encrypted", "data": "x", "index": 1}
    wire = b": OPENROUTER PROCESSING\n\n" + sse(
        {**chunk({"reasoning": "a", "reasoning_details": [{"type": "reasoning.text", "text": "a"}]}), "provider": "P"},
        {**chunk({"content": "", "reasoning": None, "reasoning_details": [detail]}), "provider": "P"},
        {**chunk({"content": "b"}), "provider": "P"},
        {**chunk(finish="stop"), "provider": "P"},
    )
    events = decode(CHAT, wire, strict=True)
    assert events[0] == Ping("OPENROUTER PROCESSING")
    assert kinds(events) == ["reasoning", "text"]
    assert encode(CHAT, events).count(b'"reasoning.encrypted"') == 1


def test_groq_has_its_counts_and_errors_in_a_place_of_its_own() -> None:
    usage = {
        "prompt_tokens": 5,
        "prompt_time": 0.25,
        "completion_tokens": 2,
        "completion_time": 0.5,
        "total_time": 0.75,
    }
    first = chunk({"role": "assistant", "content": ""}, x_groq={"id": "req_1"})
    last = chunk(finish="stop", x_groq={"id": "req_1", "usage": usage})
    events = decode(CHAT, sse(first, chunk({"content": "a"}), last), strict=True)
    [found] = usages(events)
    assert (found.input_total, found.output_total) == (5, 2)
    assert (found.prompt_ns, found.eval_ns, found.total_ns) == (250_000_000, 500_000_000, 750_000_000)
    assert records(encode(CHAT, events))[0]["x_groq"] == {"id": "req_1"}
    failed = chunk({"content": "b"}, x_groq={"id": "req_1", "error": "over capacity"})
    assert decode(CHAT, sse(first, failed), strict=True)[-1] == Error("over capacity")


def test_llama_cpp_has_timings() -> None:
    """ggml-org/llama.cpp PR #24013: comments; ollama/ollama PR #16443: that they are no records."""
    timings = {"prompt_n": 19, "prompt_ms": 231.5, "predicted_n": 25, "predicted_ms": 702.25}
    usage = {"prompt_tokens": 19, "completion_tokens": 25, "total_tokens": 44}
    wire = b":\n\n" + sse(
        chunk({"content": "a"}), chunk(finish="stop"), {**HEAD, "choices": [], "usage": usage, "timings": timings}
    )
    events = decode(CHAT, wire, strict=True)
    [found] = usages(events)
    assert found == Usage(19, 25, prompt_ns=231_500_000, eval_ns=702_250_000, extra={"openai.timings": timings})
    assert records(encode(CHAT, events))[-1]["timings"] == timings
    out, _ = convert(CHAT, "ollama-chat", wire)
    assert (records(out)[-1]["prompt_eval_duration"], records(out)[-1]["eval_duration"]) == (231_500_000, 702_250_000)


@pytest.mark.parametrize("value", [1e300, -1, "5", True, None, [], 10**400])
def test_a_time_that_is_none_is_left_out(value: object) -> None:
    events = decode(CHAT, sse(chunk(finish="stop", timings={"prompt_ms": value, "predicted_ms": 1})))
    [found] = usages(events)
    assert (found.prompt_ns, found.eval_ns) == (None, 1_000_000)


def test_vllm_names_the_stop_string_and_counts_in_every_chunk() -> None:
    counts = [{"prompt_tokens": 5, "completion_tokens": n, "total_tokens": 5 + n} for n in (1, 2)]
    last = in_choice(chunk(finish="stop", usage=counts[1]), stop_reason="###", token_ids=None)
    events = decode(CHAT, sse({**chunk({"content": "a"}), "usage": counts[0]}, last), strict=True)
    extra: dict[str, object] = {"openai.choice": {"stop_reason": "###"}}
    assert [event for event in events if isinstance(event, Finish)] == [Finish("stop", "stop", "###", extra=extra)]
    assert usages(events) == [Usage(5, 1), Usage(5, 2)]
    assert b'"stop_reason":"###"' in encode(CHAT, events)
    token = in_choice(chunk(finish="stop"), stop_reason=128_009)
    assert Finish("stop", "stop", extra={"openai.choice": {"stop_reason": 128_009}}) in decode(CHAT, sse(token))


def test_deepseek_names_cached_tokens_otherwise_and_may_run_out() -> None:
    usage = {"prompt_tokens": 9, "completion_tokens": 1, "prompt_cache_hit_tokens": 4, "prompt_cache_miss_tokens": 5}
    wire = sse(chunk({"content": "a"}), chunk(finish="insufficient_system_resource", usage=usage))
    events = decode(CHAT, wire, strict=True)
    assert usages(events) == [Usage(9, 1, 4, extra={"openai.usage": {"prompt_cache_miss_tokens": 5}})]
    assert Finish("error", "insufficient_system_resource") in events
    out, converter = convert(CHAT, "ollama-chat", wire)
    assert list(records(out)[-1]) == ["error"]
    assert converter.encoder.over


def test_xai_counts_reasoning_apart() -> None:
    usage = {
        "prompt_tokens": 10,
        "completion_tokens": 2,
        "total_tokens": 112,
        "completion_tokens_details": {"reasoning_tokens": 100},
    }
    [found] = usages(decode(CHAT, sse(chunk(finish="stop", usage=usage))))
    assert (found.output_total, found.reasoning) == (102, 100)


def test_cerebras_sends_two_whole_calls_with_one_index() -> None:
    def call(call_id: str) -> dict[str, Any]:
        function = {"name": "f", "arguments": '{"x":1}'}
        return chunk({"tool_calls": [{"function": function, "type": "function", "id": call_id, "index": 0}]})

    wire = sse(call("a"), call("b"), chunk(finish="tool_calls"))
    assert [event.tool_id for event in decode(CHAT, wire) if isinstance(event, PartStart)] == ["a", "b"]
    assert refusal_of(CHAT, wire) == "tool-index-reused"


def test_mistral_sends_content_in_pieces() -> None:
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}
    pieces = [thinking, {"type": "text", "text": "c"}, {"type": "reference", "reference_ids": [1]}]
    wire = sse(chunk({"content": pieces}), chunk({"content": "d"}, "model_length", p="abc"))
    events = decode(CHAT, wire)
    assert (joined(events, Reasoning), joined(events, Text)) == ("ab", "cd")
    assert Finish("length", "model_length") in events  # what else is in the chunk came with the text
    assert repairs_of(CHAT, wire) == {"content-list": 1}
    assert refusal_of(CHAT, wire) == "content-list"


def test_a_byte_order_mark_crlf_and_names_of_events_change_nothing() -> None:
    plain = sse(chunk({"content": "a"}), chunk(finish="stop"))
    other = b"\xef\xbb\xbf" + plain.replace(b"\n", b"\r\n").replace(b"data: ", b"id: 7\r\nevent: message\r\ndata:")
    assert decode(CHAT, other) == decode(CHAT, plain)
