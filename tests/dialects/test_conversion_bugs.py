"""Bugs that converters had, by their class, with Ollama's or OpenAI's chat dialect as the source or the target.

Each test says in its name what went wrong, and cites where.
"""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from streamkit.dialects.convert import Converter, decoder_of
from streamkit.dialects.events import End, Error, Event, Finish, PartStart, Reasoning, Text, ToolArgs, Usage
from streamkit.dialects.message import MessageAccumulator
from streamkit.dialects.registry import DIALECTS
from streamkit.errors import DecodeError
from streamkit.vendors import id_of
from tests.dialects.wires import convert, decode, lines, records, sse

OLLAMA, GENERATE, CHAT = "ollama-chat", "ollama-generate", "openai-chat"
MINE = (OLLAMA, GENERATE, CHAT)

WITH_TOOLS = [name for name, dialect in DIALECTS.items() if "tools" in dialect.carries]
WITH_ERRORS = [name for name, dialect in DIALECTS.items() if "error" in dialect.carries]
WITH_REASONING = [name for name, dialect in DIALECTS.items() if "reasoning" in dialect.carries]

LINE = {"model": "m", "created_at": "2026-11-20T10:00:00Z"}
HEAD = {"id": "c1", "object": "chat.completion.chunk", "created": 1_700_000_000, "model": "m"}


def line(message: dict[str, Any], **more: object) -> dict[str, Any]:
    return {**LINE, "message": {"role": "assistant", "content": "", **message}, "done": False, **more}


def last_line(reason: str = "stop", **more: object) -> dict[str, Any]:
    return {**line({}), "done": True, "done_reason": reason, **more}


def chunk(delta: dict[str, Any] | None = None, finish: str | None = None, **more: object) -> dict[str, Any]:
    return {**HEAD, "choices": [{"index": 0, "delta": delta or {}, "finish_reason": finish}], **more}


def piece(index: int, arguments: str, call_id: str = "", name: str = "") -> dict[str, Any]:
    function = {**({"name": name} if name else {}), "arguments": arguments}
    return {"index": index, **({"id": call_id, "type": "function"} if call_id else {}), "function": function}


def through(source: str, target: str, wire: bytes) -> list[Event]:
    """The events of what a converter writes."""
    written, _ = convert(source, target, wire)
    return decode(target, written)


def calls_in(events: list[Event]) -> list[tuple[str, Any]]:
    """Name and arguments of each call."""
    names = {event.part: event.tool_name for event in events if isinstance(event, PartStart) and event.kind == "tool"}
    texts = dict.fromkeys(names, "")
    for event in events:
        if isinstance(event, ToolArgs):
            texts[event.part] += event.json_text
    return [(name, json.loads(texts[part] or "{}")) for part, name in names.items()]


def reasons_in(events: list[Event]) -> list[str]:
    return [event.reason for event in events if isinstance(event, Finish)]


def text_in(events: list[Event], kind: type[Text | Reasoning] = Text) -> str:
    return "".join([event.text for event in events if isinstance(event, kind)])


CALL = {"function": {"index": 0, "name": "f", "arguments": {"x": 1}}}

WIRES_WITH_A_CALL = {
    OLLAMA: lines(line({"tool_calls": [CALL]}), last_line()),
    GENERATE: lines(
        {**LINE, "response": "", "tool_calls": [CALL], "done": False},
        {**LINE, "response": "", "done": True, "done_reason": "stop"},
    ),
    CHAT: sse(chunk({"tool_calls": [piece(0, '{"x":1}', "a", "f")]}), chunk({}, "stop")),
}


@pytest.mark.parametrize("source", MINE)
@pytest.mark.parametrize("target", WITH_TOOLS)
def test_the_finish_reason_is_lost_because_the_call_came_in_an_earlier_record(source: str, target: str) -> None:
    """BerriAI/litellm #35663, #34692, #12481, envoyproxy/ai-gateway PR #2399, Portkey-AI/gateway PR #1534."""
    events = through(source, target, WIRES_WITH_A_CALL[source])
    assert calls_in(events) == [("f", {"x": 1})]
    assert reasons_in(events) == ["tool_calls"]


@pytest.mark.parametrize("target", MINE)
def test_a_call_overrides_that_the_answer_was_cut_short(target: str) -> None:
    """NousResearch/hermes-agent PR #43478."""
    for source, wire in (
        (OLLAMA, lines(line({"tool_calls": [CALL]}), last_line("length"))),
        (CHAT, sse(chunk({"tool_calls": [piece(0, '{"x":1}', "a", "f")]}), chunk({}, "length"))),
    ):
        assert reasons_in(through(source, target, wire)) == ["length"]


@pytest.mark.parametrize("target", WITH_TOOLS)
def test_parallel_calls_all_get_index_0_and_their_arguments_are_joined(target: str) -> None:
    """BerriAI/litellm PR #37792, #5231, PR #11558, NousResearch/hermes-agent #57939, QuantumNous/new-api PR #2701."""
    two = [{"function": {"name": "f", "arguments": {"x": 1}}}, {"function": {"name": "f", "arguments": {"x": 2}}}]
    expected = [("f", {"x": 1}), ("f", {"x": 2})]
    assert calls_in(through(OLLAMA, target, lines(line({"tool_calls": two}), last_line()))) == expected
    apart = lines(line({"tool_calls": two[:1]}), line({"tool_calls": two[1:]}), last_line())
    assert calls_in(through(OLLAMA, target, apart)) == expected
    same = sse(*(chunk({"tool_calls": [piece(0, f'{{"x":{n}}}', f"c{n}", "f")]}) for n in (1, 2)), chunk({}, "stop"))
    assert calls_in(through(CHAT, target, same)) == expected


def test_each_call_of_ollama_gets_an_index_and_an_id_of_its_own() -> None:
    """ollama/ollama #7881; clients tell calls apart by both."""
    written, _ = convert(
        OLLAMA, CHAT, lines(line({"tool_calls": [CALL, CALL]}), line({"tool_calls": [CALL]}), last_line())
    )
    starts = [
        (call["index"], call["id"])
        for record in records(written)
        for choice in record["choices"]  # type: ignore[attr-defined]
        for call in choice["delta"].get("tool_calls", [])
        if "id" in call
    ]
    assert starts == [(n, f"call_chatcmpl-0_0_{n}") for n in range(3)]


@pytest.mark.parametrize("target", ["openai-chat", "openai-responses", "anthropic"])
def test_an_id_that_is_made_for_a_call_is_one_that_every_vendor_takes_back(target: str) -> None:
    """OpenAI's chat: "string too long ... maximum length 40"; Anthropic: "String should match pattern"."""
    wire = lines(line({"tool_calls": [CALL] * 12}), last_line())
    by_answer = []
    for answer_id in (id_of(target, 1), id_of(target, 2), "resp:a/b.c" + "é" * 99, "x" * 99):
        converter = Converter(OLLAMA, target, message_id=answer_id)
        written = b"".join([*converter.feed(wire), *converter.finish()])
        starts = [event for event in decode(target, written) if isinstance(event, PartStart) and event.kind == "tool"]
        accumulator = MessageAccumulator()
        accumulator.feed_many(decode(target, written))
        message = accumulator.message
        message.id = answer_id
        for part in message.tool_calls:
            part.tool_id = ""
        document = json.dumps(DIALECTS[target].document(message))
        ids = [start.tool_id for start in starts]
        assert all(re.fullmatch(r"[a-zA-Z0-9_-]{1,40}", each) and f'"{each}"' in document for each in ids)
        by_answer.append(ids)
    assert len({each for ids in by_answer for each in ids}) == 4 * 12


@pytest.mark.parametrize("target", WITH_TOOLS)
def test_interleaved_fragments_go_to_the_wrong_call(target: str) -> None:
    """praxis-proxy/ai #266, headroomlabs-ai/headroom PR #2890, NVIDIA-NeMo/Switchyard PR #760, litellm PR #15315."""
    wire = sse(
        chunk({"tool_calls": [piece(0, "", "a", "f"), piece(1, "", "b", "g")]}),
        chunk({"tool_calls": [piece(1, '{"y"'), piece(0, '{"x"')]}),
        chunk({"tool_calls": [piece(0, ":1}")]}),
        chunk({"tool_calls": [piece(1, ":2}")]}),
        chunk({}, "tool_calls"),
    )
    assert calls_in(through(CHAT, target, wire)) == [("f", {"x": 1}), ("g", {"y": 2})]


@pytest.mark.parametrize("target", [OLLAMA, GENERATE])
def test_a_call_is_written_before_all_of_its_arguments_are_there(target: str) -> None:
    """A call leaves when the next begins, or the answer ends; its text passes it by at once."""
    converter = Converter(CHAT, target)
    converter.feed(sse(chunk({"tool_calls": [piece(0, '{"x"', "a", "f")]}), done=False))
    assert converter.feed(sse(chunk({"tool_calls": [piece(0, ":1}")]}), done=False)) == []
    assert b"so" in b"".join(converter.feed(sse(chunk({"content": "so"}), done=False)))
    assert b'"arguments":{"x":1}' in b"".join(converter.feed(sse(chunk({}, "stop"))))


@pytest.mark.parametrize("target", WITH_REASONING)
def test_the_first_fragment_is_dropped_where_the_kind_changes(target: str) -> None:
    """BerriAI/litellm #25321, #18238: one record ends the reasoning and begins the text."""
    wire = sse(chunk({"reasoning": "a"}), chunk({"reasoning": "b", "content": "c"}), chunk({"content": "d"}, "stop"))
    events = through(CHAT, target, wire)
    assert (text_in(events, Reasoning), text_in(events)) == ("ab", "cd")
    both = lines(line({"thinking": "a"}), line({"thinking": "b", "content": "c"}), line({"content": "d"}), last_line())
    events = through(OLLAMA, target, both)
    assert (text_in(events, Reasoning), text_in(events)) == ("ab", "cd")


@pytest.mark.parametrize("target", WITH_REASONING)
def test_counts_in_every_record_end_a_part_early(target: str) -> None:
    """router-for-me/CLIProxyAPI #5419."""
    counts = [{"prompt_tokens": 5, "completion_tokens": n} for n in range(4)]
    deltas = [{"reasoning": "a"}, {"reasoning": "b"}, {"content": "c"}, {"content": "d"}]
    chunks = [{**chunk(delta), "usage": count} for delta, count in zip(deltas, counts, strict=True)]
    events = through(CHAT, target, sse(*chunks, chunk({}, "stop")))
    assert [event.kind for event in events if isinstance(event, PartStart)] == ["reasoning", "text"]


@pytest.mark.parametrize("target", WITH_REASONING)
def test_reasoning_is_lost_because_its_field_has_another_name(target: str) -> None:
    """vllm-project/vllm #27755, #33402, #50624, BerriAI/litellm PR #20821, #22573, maximhq/bifrost #974."""
    for key in ("reasoning", "reasoning_content"):
        events = through(CHAT, target, sse(chunk({key: "hm"}), chunk({"content": "a"}, "stop")))
        assert (text_in(events, Reasoning), text_in(events)) == ("hm", "a")
    assert text_in(through(OLLAMA, target, lines(line({"thinking": "hm"}), last_line())), Reasoning) == "hm"


FAILED = {
    "error": lines(line({"content": "a"}), {"error": "out of memory"}),
    "cut": lines(line({"content": "a"})),
    "cut inside a record": lines(line({"content": "a"}), last_line())[:-5],
    "cut after a call": lines(line({"tool_calls": [CALL]})),
    "broken": lines(line({"content": "a"})) + b"}{\n" + lines(last_line()),
}

FAILED_CHAT = {
    "error": sse(chunk({"content": "a"}), {"error": {"message": "m", "type": "overloaded"}}),
    "error string": sse(chunk({"content": "a"}), {"error": "m"}),
    "error and the terminator": sse(chunk({"content": "a"}), {"error": {"message": "m"}}),
    "error with a choice": sse(chunk({"content": "a"}), chunk({}, "error", error={"code": 502, "message": "m"})),
    "error event": sse(chunk({"content": "a"}), done=False) + b'event: error\ndata: {"message":"m"}\n\n' + sse(),
    "cut": sse(chunk({"content": "a"}), done=False),
    "cut after the finish": sse(chunk({"content": "a"}, "stop"), done=False),
    "cut inside the terminator": sse(chunk({"content": "a"}, "stop"))[:-2],
    "finish says error": sse(chunk({"content": "a"}, "error")),
    "finish says abort": sse(chunk({"content": "a"}, "abort")),
    "broken": sse(chunk({"content": "a"}), "}{", chunk({}, "stop")),
}

FAILURES = [(OLLAMA, wire) for wire in FAILED.values()] + [(CHAT, wire) for wire in FAILED_CHAT.values()]
NAMES = [f"{OLLAMA}: {name}" for name in FAILED] + [f"{CHAT}: {name}" for name in FAILED_CHAT]


@pytest.mark.parametrize("target", DIALECTS)
@pytest.mark.parametrize(("source", "wire"), FAILURES, ids=NAMES)
def test_an_error_in_the_middle_becomes_a_success(source: str, wire: bytes, target: str) -> None:
    """BerriAI/litellm #40578, #32686, kekzl/imp #1553, bigduu/Bamboo-agent PR #405, StringKe/claudex #10.

    Also api7/aisix PR #198 (`[DONE]` after the error) and dativo-io/talon PR #254 (each family's own form). A target
    may have a word for a finish that is a failure; the converter fails all the same.
    """
    converter = Converter(source, target)
    out: list[bytes] = []
    with pytest.raises(DecodeError) as caught:  # noqa: PT012 - either call may be the one that fails
        out += converter.feed(wire)
        out += converter.finish()
    out += caught.value.items  # type: ignore[arg-type]
    if target not in WITH_ERRORS:
        return
    reader = decoder_of(target)
    events = [*reader.feed(b"".join(out)), *reader.finish()]
    assert isinstance(events[-1], Error) or reasons_in(events)[0] in {"error", "cancelled"}


@pytest.mark.parametrize("target", MINE)
def test_counts_are_added_up(target: str) -> None:
    """envoyproxy/ai-gateway PR #2239, #2241, langchain-ai/langchainjs PR #10250, maximhq/bifrost PR #6378."""
    counts = [
        {
            "prompt_tokens": 9,
            "completion_tokens": n,
            "total_tokens": 9 + n,
            "prompt_tokens_details": {"cached_tokens": 4},
            "completion_tokens_details": {"reasoning_tokens": 1},
        }
        for n in (1, 2, 2)
    ]
    wire = sse(*({**chunk({"content": "a"}), "usage": count} for count in counts), chunk({}, "stop", usage=counts[-1]))
    [*_, usage] = [event for event in through(CHAT, target, wire) if isinstance(event, Usage)]
    assert (usage.input_total, usage.output_total) == (9, 2)


def test_the_counts_of_ollama_arrive_and_its_durations_do_not_become_counts() -> None:
    """sgl-project/sglang #20678, BerriAI/litellm #41406: no zeros where there were counts."""
    wire = lines(line({"content": "a"}), last_line(prompt_eval_count=3, eval_count=4, total_duration=12))
    written, _ = convert(OLLAMA, CHAT, wire)
    assert records(written)[-1]["usage"] == {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
    unknown, _ = convert(OLLAMA, CHAT, lines(line({"content": "a"}), last_line()))
    assert b"usage" not in unknown


@pytest.mark.parametrize("target", DIALECTS)
def test_a_record_is_split_at_a_unicode_line_separator(target: str) -> None:
    """florimondmanca/httpx-sse #34, langgenius/dify PR #39008, langchain-ai/langgraph PR #2560."""
    text = "a\u2028b\u2029c\u0085d\x0be\x0cf\x1cg"
    raw_line = json.dumps(line({"content": text}), ensure_ascii=False).encode() + b"\n" + lines(last_line())
    raw_event = b"data: " + json.dumps(chunk({"content": text}), ensure_ascii=False).encode() + b"\n\n"
    for source, wire in ((OLLAMA, raw_line), (CHAT, raw_event + sse(chunk({}, "stop")))):
        written, _ = convert(source, target, wire)
        if DIALECTS[target].framings[0] == "text":
            assert written.decode() == text
            continue
        assert len(written.decode().splitlines()) == written.count(b"\n")
        if "text" in DIALECTS[target].carries and target != "json":
            assert text_in(decode(target, written)) == text


@pytest.mark.parametrize("source", MINE)
def test_a_record_in_two_reads_is_lost(source: str) -> None:
    """0xPlaygrounds/rig #1758, sourcegraph/cody #4008, langchain-ai/langchainjs PR #3241."""
    wire = WIRES_WITH_A_CALL[source]
    whole, _ = convert(source, CHAT, wire)
    converter = Converter(source, CHAT)
    pieces = [piece for at in range(len(wire)) for piece in converter.feed(wire[at : at + 1])]
    assert b"".join([*pieces, *converter.finish()]) == whole


def test_heartbeats_and_the_terminator_are_taken_for_records() -> None:
    """ollama/ollama PR #16443, ogx-ai/ogx #4744. Ollama has no heartbeat: they are left out there."""
    wire = b": ping\n\n" + sse(chunk({"content": "a"}), done=False) + b": ping\n\n" + sse(chunk({}, "stop"))
    written, converter = convert(CHAT, OLLAMA, wire)
    assert [record.get("done") for record in records(written)] == [False, True]
    assert converter.losses == {"ping": 2}


@pytest.mark.parametrize("target", MINE)
def test_no_finish_reason_before_the_terminator(target: str) -> None:
    """mlflow/mlflow PR #24111, danny-avila/LibreChat PR #5563, screenpipe/screenpipe PR #3616."""
    wire = sse({**HEAD, "choices": [{"index": 0, "delta": {"content": "a"}}]})
    events = through(CHAT, target, wire)
    assert (text_in(events), reasons_in(events), events[-1]) == ("a", ["stop"], End())


@pytest.mark.parametrize("target", [OLLAMA, GENERATE])
def test_the_other_choices_run_into_the_first(target: str) -> None:
    """ggml-org/llama.cpp PR #20226, BerriAI/litellm PR #12666: where there is one choice, the others are lost."""
    both = {**HEAD, "choices": [{"index": n, "delta": {"content": text}} for n, text in enumerate("ab")]}
    ends = {
        **HEAD,
        "choices": [{"index": n, "delta": {}, "finish_reason": r} for n, r in enumerate(("stop", "length"))],
    }
    written, converter = convert(CHAT, target, sse(both, both, ends))
    events = decode(target, written)
    assert (text_in(events), reasons_in(events)) == ("aa", ["stop"])
    assert converter.losses["choice"] > 0


def test_log_probabilities_both_ways() -> None:
    entry = {"token": "a", "logprob": -0.5, "bytes": [97], "top_logprobs": [{"token": "b", "logprob": -1.5}]}
    there, _ = convert(OLLAMA, CHAT, lines(line({"content": "a"}, logprobs=[entry]), last_line()))
    choices: list[Any] = [record["choices"] for record in records(there)]
    full = {**entry, "top_logprobs": [{"token": "b", "logprob": -1.5, "bytes": None}]}
    assert [choice[0]["logprobs"] for choice in choices] == [None, {"content": [full], "refusal": None}, None]
    back, _ = convert(CHAT, OLLAMA, there)
    assert [record.get("logprobs") for record in records(back)] == [[entry], None]


def test_times_both_ways() -> None:
    there, _ = convert(
        OLLAMA, CHAT, lines({**line({"content": "a"}), "created_at": "2026-11-20T12:00:00.9+02:00"}, last_line())
    )
    assert {record["created"] for record in records(there)} == {1_795_168_800}
    back, _ = convert(CHAT, OLLAMA, there)
    assert {record["created_at"] for record in records(back)} == {"2026-11-20T10:00:00.000000000Z"}


def test_a_refusal_is_lost() -> None:
    """As text, where the target has nothing for it, and counted."""
    written, converter = convert(CHAT, OLLAMA, sse(chunk({"refusal": "no"}), chunk({}, "stop")))
    assert text_in(decode(OLLAMA, written)) == "no"
    assert converter.losses == {"refusal": 1}


def test_the_text_of_arguments_is_an_object_there_and_an_object_is_text_here() -> None:
    arguments = {"big": 12345678901234567890, "float": 1.0, "deep": {"\u2028": [None, True]}, "é": ""}
    call = {"id": "call_1", "function": {"index": 0, "name": "f", "arguments": arguments}}
    there, _ = convert(OLLAMA, CHAT, lines(line({"tool_calls": [call]}), last_line()))
    back, _ = convert(CHAT, OLLAMA, there)
    message: Any = records(back)[0]["message"]
    assert message["tool_calls"] == [call]
    assert list(message["tool_calls"][0]["function"]["arguments"]) == list(arguments)
