"""Anthropic's Messages: what it reads, what it writes, and what survives both.

What real servers get wrong, and what has gone wrong in real converters, is in test_anthropic_repairs.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

import pytest

from streamkit.dialects.anthropic import DIALECT
from streamkit.dialects.convert import Converter
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
from streamkit.dialects.lifecycle import Lifecycle
from streamkit.dialects.message import Message, MessageAccumulator
from streamkit.errors import DecodeError, EncodeError, ReportedError
from streamkit.testing import check_stage
from tests.dialects.examples import EXAMPLES, Example

MINE = [example for example in EXAMPLES if example.dialect == "anthropic"]

HELLO = (
    b"event: message_start\n"
    b'data: {"type":"message_start","message":{"model":"claude-x","id":"msg_1","type":"message","role":"assistant",'
    b'"content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":0,"output_tokens":0}}}\n'
    b"\n"
    b"event: content_block_start\n"
    b'data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}\n'
    b"\n"
    b"event: content_block_delta\n"
    b'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hel"}}\n'
    b"\n"
    b"event: content_block_delta\n"
    b'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"lo"}}\n'
    b"\n"
    b"event: content_block_stop\n"
    b'data: {"type":"content_block_stop","index":0}\n'
    b"\n"
    b"event: message_delta\n"
    b'data: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},'
    b'"usage":{"input_tokens":12,"output_tokens":4}}\n'
    b"\n"
    b"event: message_stop\n"
    b'data: {"type":"message_stop"}\n'
    b"\n"
)
"""What the encoder writes and the decoder reads, both to the byte."""

HELLO_EVENTS: list[Event] = [
    Start("msg_1", "claude-x", dialect="anthropic"),
    PartStart(part=0, kind="text"),
    Text(part=0, text="Hel"),
    Text(part=0, text="lo"),
    PartEnd(part=0),
    Usage(input_total=12, output_total=4),
    Finish(reason="stop", raw_reason="end_turn"),
    End(),
]


def record(value: Mapping[str, object], name: str | None = None) -> bytes:
    """One event of the wire, as Anthropic's servers write it."""
    data = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return f"event: {name or value['type']}\ndata: {data}\n\n".encode()


def started(**usage: object) -> bytes:
    message = {"id": "m", "type": "message", "role": "assistant", "model": "x", "content": [], "usage": usage}
    return record({"type": "message_start", "message": message})


def opened(index: int, kind: str, **fields: object) -> bytes:
    return record({"type": "content_block_start", "index": index, "content_block": {"type": kind, **fields}})


def delta(index: int, kind: str, **fields: object) -> bytes:
    return record({"type": "content_block_delta", "index": index, "delta": {"type": kind, **fields}})


def stopped(index: int) -> bytes:
    return record({"type": "content_block_stop", "index": index})


def ended(reason: str = "end_turn", usage: dict[str, object] | None = None, **fields: object) -> bytes:
    value = {"stop_reason": reason, "stop_sequence": None, **fields}
    counts = {"output_tokens": 0} if usage is None else usage
    return record({"type": "message_delta", "delta": value, "usage": counts}) + record({"type": "message_stop"})


START = started(input_tokens=0, output_tokens=0)


def decoded(wire: bytes, *, strict: bool = True) -> list[Event]:
    decoder = DIALECT.decoder(strict=strict)
    events = [*decoder.feed(wire), *decoder.finish()]
    assert violations(events) == []
    return events


def violations(events: Iterable[Event], *, sequential: bool = False) -> list[object]:
    checker = Lifecycle(sequential=sequential)
    return [*(found for event in events for found in checker.feed(event)), *checker.finish()]


def encoded(events: Iterable[Event]) -> bytes:
    encoder = DIALECT.encoder()
    return b"".join([*(piece for event in events for piece in encoder.feed(event)), *encoder.finish()])


def records(wire: bytes) -> list[dict[str, object]]:
    """The data of each event, whose `event:` line has to be its type."""
    found = []
    for frame in wire.decode().removesuffix("\n\n").split("\n\n"):
        event, data = frame.split("\n")
        value = json.loads(data.removeprefix("data: "))
        assert event == f"event: {value['type']}"
        found.append(value)
    return found


def losses(events: Iterable[Event]) -> dict[str, int]:
    encoder = DIALECT.encoder()
    for event in events:
        encoder.feed(event)
    return dict(encoder.losses)


def message_of(events: Iterable[Event]) -> Message:
    accumulator = MessageAccumulator()
    accumulator.feed_many(events)
    return accumulator.message


def one_part(kind: str, *pieces: Event, end: PartEnd | None = None, **fields: str) -> list[Event]:
    """A stream of one part."""
    part = PartStart(part=0, kind=kind, **fields)  # type: ignore[arg-type]
    return [Start("m", "x"), part, *pieces, end or PartEnd(part=0), Finish(reason="other"), End()]


# --- Both ways --------------------------------------------------------------------------------------------------------


def test_it_obeys_the_laws_of_stages() -> None:
    check_stage(DIALECT.decoder, HELLO, HELLO_EVENTS)


def test_what_is_written_is_what_is_read() -> None:
    assert decoded(HELLO) == HELLO_EVENTS
    assert encoded(HELLO_EVENTS) == HELLO


@pytest.mark.parametrize("example", MINE, ids=str)
def test_an_example_is_lawful_and_stable(example: Example) -> None:
    decoder = DIALECT.decoder(strict=True)
    events = [*decoder.feed(example.wire), *decoder.finish()]
    assert violations(events, sequential=True) == []
    assert isinstance(events[-1], End if example.ends_cleanly else Error)
    again = decoded(encoded(events))
    # A text's start is written with its first piece, so that a heartbeat between the two comes before both.
    assert quiet(again)[:-1] == quiet(events)[:-1]
    assert decoded(encoded(again)) == again
    assert losses(events) == {}


@pytest.mark.parametrize("example", [each for each in MINE if each.ends_cleanly], ids=str)
def test_nothing_of_an_example_is_lost_on_the_way_to_its_own_dialect(example: Example) -> None:
    """Only what means nothing: padding, first fragments without text, and empty lists."""
    meant = [value for value in records_of_example(example.wire) if value["type"] != "ping"]
    written = [value for value in records(encoded(decoded(example.wire))) if value["type"] != "ping"]
    assert [simple(value) for value in written if not is_empty(value)] == [
        simple(value) for value in meant if not is_empty(value)
    ]


def quiet(events: list[Event]) -> list[Event]:
    return [event for event in events if not isinstance(event, Ping)]


def records_of_example(wire: bytes) -> list[dict[str, object]]:
    return [json.loads(line[6:]) for line in wire.decode().split("\n") if line.startswith("data: ")]


def is_empty(value: dict[str, object]) -> bool:
    """Whether a record is a delta that adds nothing, such as the first of a call's arguments."""
    found = value.get("delta")
    return isinstance(found, dict) and "" in found.values()


def simple(value: dict[str, object]) -> object:
    """A record without what may be there or not."""
    block = value.get("content_block")
    if isinstance(block, dict):
        known = {key: found for key, found in block.items() if found not in ([], "")}
        return {**value, "content_block": known}
    if value["type"] == "message_delta":  # it says what is known, also where the server said it in message_start only
        return value["delta"]
    return value


# --- Reading ----------------------------------------------------------------------------------------------------------


def test_reasoning_has_its_signature() -> None:
    events = decoded(
        START
        + opened(0, "thinking", thinking="", signature="")
        + delta(0, "thinking_delta", thinking="Hmm")
        + delta(0, "signature_delta", signature="c2ln")
        + stopped(0)
        + ended()
    )
    assert events[1:4] == [
        PartStart(part=0, kind="reasoning"),
        Reasoning(part=0, text="Hmm"),
        PartEnd(part=0, signature="c2ln"),
    ]


def test_redacted_reasoning_is_a_part_without_text() -> None:
    events = decoded(START + opened(0, "redacted_thinking", data="b3BhcXVl") + stopped(0) + ended())
    assert events[1:3] == [PartStart(part=0, kind="reasoning"), PartEnd(part=0, encrypted="b3BhcXVl")]


def test_a_tool_call_comes_in_fragments() -> None:
    events = decoded(
        START
        + opened(0, "tool_use", id="toolu_1", name="f", input={}, caller={"type": "direct"})
        + delta(0, "input_json_delta", partial_json="")
        + delta(0, "input_json_delta", partial_json='{"a"')
        + delta(0, "input_json_delta", partial_json=": 1}")
        + stopped(0)
        + ended("tool_use")
    )
    assert events[1:] == [
        PartStart(
            part=0, kind="tool", tool_id="toolu_1", tool_name="f", extra={"anthropic.caller": {"type": "direct"}}
        ),
        ToolArgs(part=0, json_text='{"a"'),
        ToolArgs(part=0, json_text=": 1}"),
        PartEnd(part=0),
        Finish(reason="tool_calls", raw_reason="tool_use"),
        End(),
    ]


def test_citations_stay_with_their_text() -> None:
    citation = {"type": "char_location", "cited_text": "x", "document_index": 0}
    wire = (
        START
        + opened(0, "text", text="", citations=[])
        + delta(0, "citations_delta", citation=citation)
        + delta(0, "text_delta", text="x")
        + stopped(0)
        + ended()
    )
    events = decoded(wire)
    assert events[2:4] == [
        Text(part=0, text="", extra={"anthropic.citations": [citation]}),
        Text(part=0, text="x"),
    ]
    assert delta(0, "citations_delta", citation=citation) in encoded(events)
    document = DIALECT.document(message_of(events))
    assert isinstance(document, dict)
    assert document["content"] == [{"type": "text", "text": "x", "citations": [citation]}]


def test_a_delta_of_an_unknown_type_stays_with_its_part() -> None:
    """And so it has the right index wherever the part goes."""
    unknown = delta(0, "confidence_delta", value=0.5)
    wire = START + opened(0, "text", text="") + unknown + stopped(0) + ended()
    events = decoded(wire)
    assert events[2] == Text(part=0, text="", extra={"anthropic.deltas": [{"type": "confidence_delta", "value": 0.5}]})
    assert unknown in encoded(events)
    converter = Converter("anthropic", "openai-chat")
    converter.feed(wire)
    assert converter.losses == {"anthropic.deltas": 1}


def test_heartbeats_and_comments() -> None:
    assert decoded(b'event: ping\ndata: {"type": "ping"}\n\n: keep-alive\n\n' + HELLO)[:2] == [
        Ping(),
        Ping("keep-alive"),
    ]


def test_what_message_start_has_besides_is_written_again() -> None:
    usage = {"input_tokens": 9, "output_tokens": 1, "service_tier": "standard"}
    message = {"id": "m", "type": "message", "role": "assistant", "model": "x", "content": []}
    wire = record({"type": "message_start", "message": {**message, "usage": usage, "container": {"id": "c"}}})
    events = decoded(wire + ended())
    assert events[0] == Start(
        "m", "x", dialect="anthropic", extra={"anthropic.usage": usage, "anthropic.container": {"id": "c"}}
    )
    written = records(encoded(events))[0]["message"]
    assert isinstance(written, dict)
    assert written["usage"] == usage
    assert written["container"] == {"id": "c"}


def test_what_message_delta_has_besides_is_written_again() -> None:
    value = {
        "type": "message_delta",
        "delta": {"stop_reason": "refusal", "stop_sequence": None, "stop_details": {"type": "refusal"}},
        "usage": {"output_tokens": 3, "server_tool_use": {"web_search_requests": 1}},
        "context_management": {"applied_edits": []},
    }
    events = decoded(START + record(value) + record({"type": "message_stop"}))
    assert events[1:3] == [
        Usage(output_total=3, extra={"anthropic.server_tool_use": {"web_search_requests": 1}}),
        Finish(
            reason="content_filter",
            raw_reason="refusal",
            extra={
                "anthropic.stop_details": {"type": "refusal"},
                "anthropic.message_delta": {"context_management": {"applied_edits": []}},
            },
        ),
    ]
    assert records(encoded(events))[-2] == value


# --- Counts -----------------------------------------------------------------------------------------------------------


def test_input_tokens_are_those_outside_the_cache() -> None:
    counts = {"input_tokens": 5, "cache_read_input_tokens": 100, "cache_creation_input_tokens": 20}
    thinking = {"output_tokens_details": {"thinking_tokens": 7}}
    events = decoded(started(**counts, output_tokens=1) + ended(usage={"output_tokens": 30, **thinking}))
    first = Usage(input_total=125, output_total=1, cached=100, cache_write=20)
    assert [event for event in events if isinstance(event, Usage)] == [
        first,
        Usage(input_total=125, output_total=30, cached=100, cache_write=20, reasoning=7),
    ]
    assert records(encoded(events))[-2]["usage"] == {**counts, "output_tokens": 30, **thinking}


def test_counts_that_are_said_again_are_not_added() -> None:
    counts = {"input_tokens": 5, "cache_read_input_tokens": 100, "cache_creation_input_tokens": 0}
    wire = started(**counts, output_tokens=1) + ended(usage={**counts, "output_tokens": 30})
    usage = message_of(decoded(wire)).usage
    assert (usage.input_total, usage.output_total, usage.cached) == (105, 30, 100)


def test_zeros_are_counts_that_the_server_does_not_know() -> None:
    """As LiteLLM and SGLang write them at the start, and some at the end."""
    wire = started(input_tokens=9, output_tokens=0) + ended(usage={"input_tokens": 0, "output_tokens": 4})
    usage = message_of(decoded(wire)).usage
    assert (usage.input_total, usage.output_total) == (9, 4)
    assert [event for event in decoded(START + ended()) if isinstance(event, Usage)] == []


@pytest.mark.parametrize(
    ("usage", "written"),
    [
        (Usage(), {"output_tokens": 0}),
        (Usage(input_total=9), {"input_tokens": 9, "output_tokens": 0}),
        (
            Usage(input_total=9, output_total=2, cached=4),
            {"input_tokens": 5, "cache_read_input_tokens": 4, "output_tokens": 2},
        ),
        (
            Usage(input_total=3, output_total=2, cached=4, cache_write=1),  # more parts than there are in all
            {"input_tokens": 0, "cache_creation_input_tokens": 1, "cache_read_input_tokens": 4, "output_tokens": 2},
        ),
        (
            Usage(input_total=3, output_total=2, reasoning=1),
            {"input_tokens": 3, "output_tokens": 2, "output_tokens_details": {"thinking_tokens": 1}},
        ),
    ],
)
def test_counts_are_written_without_those_of_the_cache(usage: Usage, written: dict[str, object]) -> None:
    wire = encoded([Start(), Usage(input_total=1), usage, Finish(reason="stop"), End()])
    expected = written if usage.input_total is not None else {"input_tokens": 1, **written}
    assert records(wire)[-2]["usage"] == expected


# --- Reasons to stop --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("end_turn", "stop"),
        ("max_tokens", "length"),
        ("stop_sequence", "stop_sequence"),
        ("pause_turn", "pause"),
        ("refusal", "content_filter"),
        ("model_context_window_exceeded", "context_overflow"),
        ("compaction", "pause"),
        ("tool_use", "stop"),  # without a call
        ("a_new_word", "other"),
    ],
)
def test_every_reason_is_read_and_written_again(word: str, reason: FinishReason) -> None:
    events = decoded(START + ended(word))
    assert events[-2] == Finish(reason=reason, raw_reason=word)
    assert records(encoded(events))[-2]["delta"] == {"stop_reason": word, "stop_sequence": None}


@pytest.mark.parametrize(
    ("reason", "word"),
    [
        ("stop", "end_turn"),
        ("stop_sequence", "stop_sequence"),
        ("length", "max_tokens"),
        ("context_overflow", "model_context_window_exceeded"),
        ("tool_calls", "tool_use"),
        ("content_filter", "refusal"),
        ("pause", "pause_turn"),
        ("other", "end_turn"),
    ],
)
def test_every_reason_has_a_word(reason: FinishReason, word: str) -> None:
    events = [Start(dialect="openai-chat"), Finish(reason=reason, raw_reason="theirs"), End()]
    assert records(encoded(events))[-2]["delta"] == {"stop_reason": word, "stop_sequence": None}


@pytest.mark.parametrize("reason", ["error", "cancelled"])
def test_a_failure_is_an_error_and_no_reason(reason: FinishReason) -> None:
    written = records(encoded([Start(), Finish(reason=reason), End()]))
    assert [value["type"] for value in written] == ["message_start", "error"]


def test_the_stop_sequence_is_named() -> None:
    events = decoded(START + ended("stop_sequence", stop_sequence="4."))
    assert events[-2] == Finish(reason="stop_sequence", raw_reason="stop_sequence", stop_sequence="4.")
    assert records(encoded(events))[-2]["delta"] == {"stop_reason": "stop_sequence", "stop_sequence": "4."}


def test_a_stop_with_a_stop_sequence_is_one() -> None:
    """VLLM says "stop", and which string it was."""
    written = records(encoded([Start(), Finish(reason="stop", stop_sequence="4."), End()]))
    assert written[-2]["delta"] == {"stop_reason": "stop_sequence", "stop_sequence": "4."}


# --- Blocks that have no neutral form ---------------------------------------------------------------------------------

SEARCH = (
    opened(1, "server_tool_use", id="srvtoolu_1", name="web_search", input={})
    + delta(1, "input_json_delta", partial_json='{"query": "x"}')
    + stopped(1)
    + opened(2, "web_search_tool_result", tool_use_id="srvtoolu_1", content=[])
    + stopped(2)
)

AROUND = (
    START + opened(0, "text", text="") + delta(0, "text_delta", text="a") + stopped(0),
    opened(3, "text", text="") + delta(3, "text_delta", text="b") + stopped(3) + ended(),
)


def test_unknown_blocks_become_raw_records() -> None:
    events = decoded(AROUND[0] + SEARCH + AROUND[1])
    assert [(event.name, event.payload) for event in events if isinstance(event, Raw)] == [
        (frame.split("\n")[0].removeprefix("event: "), frame.split("\n")[1].removeprefix("data: "))
        for frame in SEARCH.decode().removesuffix("\n\n").split("\n\n")
    ]
    assert [event.text for event in events if isinstance(event, Text)] == ["a", "b"]


def test_unknown_blocks_are_written_as_they_came() -> None:
    """The text as it came, spaces and all, and the blocks after them numbered on."""
    written = encoded(decoded(AROUND[0] + SEARCH + AROUND[1]))
    assert SEARCH in written
    assert indexes(written) == [0, 0, 0, 1, 1, 1, 2, 2, 3, 3, 3]


def test_unknown_blocks_are_numbered_anew_where_parts_were_added_or_dropped() -> None:
    events = decoded(AROUND[0] + SEARCH + AROUND[1])
    without_first = [event for event in events if getattr(event, "part", None) != 0]
    assert indexes(encoded(without_first)) == [0, 0, 0, 1, 1, 2, 2, 2]
    empty = START + opened(0, "text", text="") + stopped(0)  # which OneAtATime leaves out
    assert indexes(encoded(decoded(empty + SEARCH + AROUND[1]))) == [0, 0, 0, 1, 1, 2, 2, 2]


def indexes(wire: bytes) -> list[object]:
    return [value["index"] for value in records(wire) if "index" in value]


def test_unknown_blocks_are_lost_to_others_and_counted() -> None:
    converter = Converter("anthropic", "openai-chat")
    converter.feed(AROUND[0] + SEARCH + AROUND[1])
    assert converter.losses == {"raw": 5}


def test_unknown_records_are_written_as_they_came() -> None:
    unknown = b'event: trace\ndata: {"type":"trace", "a":[1]}\n\n'
    events = decoded(START + unknown + ended())
    assert events[1] == Raw("anthropic", "trace", '{"type":"trace", "a":[1]}')
    assert unknown in encoded(events)
    bare = b'data: {"nobody":"knows"}\n\n'
    assert bare in encoded(decoded(START + bare + ended()))


def test_a_raw_record_gets_the_event_line_that_clients_need() -> None:
    wire = encoded([Start(), Raw("anthropic", "", '{"type":"trace"}'), Finish(reason="stop"), End()])
    assert b'event: trace\ndata: {"type":"trace"}\n\n' in wire


def test_a_raw_record_is_written_if_it_is_json() -> None:
    with pytest.raises(EncodeError, match="invalid JSON"):
        encoded([Start(), Raw("anthropic", "x", "{"), Finish(reason="stop"), End()])
    wire = encoded([Start(), Raw("anthropic", "", "[1]"), Finish(reason="stop"), End()])
    assert b"\n\ndata: [1]\n\n" in wire


# --- Writing ----------------------------------------------------------------------------------------------------------


def test_signatures_stand_before_the_end_of_their_block() -> None:
    events = one_part("reasoning", Reasoning(part=0, text="Hmm"), end=PartEnd(part=0, signature="c2ln"))
    assert records(encoded(events))[1:5] == [
        {
            "type": "content_block_start",
            "index": 0,
            "content_block": {"type": "thinking", "thinking": "", "signature": ""},
        },
        {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "Hmm"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "c2ln"}},
        {"type": "content_block_stop", "index": 0},
    ]


def test_a_signature_without_reasoning_has_a_block_of_its_own() -> None:
    written = records(encoded(one_part("reasoning", end=PartEnd(part=0, signature="c2ln"))))
    assert [value["type"] for value in written[1:4]] == [
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
    ]


def test_encrypted_reasoning_is_redacted_thinking() -> None:
    written = records(encoded(one_part("reasoning", end=PartEnd(part=0, encrypted="b3BhcXVl"))))
    assert written[1:3] == [
        {
            "type": "content_block_start",
            "index": 0,
            "content_block": {"type": "redacted_thinking", "data": "b3BhcXVl"},
        },
        {"type": "content_block_stop", "index": 0},
    ]


def test_a_call_without_an_id_gets_one() -> None:
    call = [PartStart(part=0, kind="tool", tool_name="f"), PartEnd(part=0)]
    again = [PartStart(part=1, kind="tool", tool_name="f"), PartEnd(part=1)]
    events: list[Event] = [Start("m"), *call, *again, Finish(reason="tool_calls"), End()]
    starts = [value["content_block"] for value in records(encoded(events)) if value["type"] == "content_block_start"]
    assert starts == [{"type": "tool_use", "id": f"toolu_m_{n}", "name": "f", "input": {}} for n in range(2)]
    document = DIALECT.document(message_of(events))
    assert isinstance(document, dict)
    assert document["content"] == starts


def test_a_refusal_is_written_as_text() -> None:
    events = one_part("refusal", Refusal(part=0, text="No."))
    events[-2] = Finish(reason="content_filter")
    written = records(encoded(events))
    assert written[2]["delta"] == {"type": "text_delta", "text": "No."}
    assert written[-2]["delta"] == {"stop_reason": "refusal", "stop_sequence": None}
    assert losses(events) == {"refusal": 1}


def test_a_heartbeat_is_a_ping() -> None:
    assert b'event: ping\ndata: {"type":"ping"}\n\n' in encoded([Start(), Ping("x"), Finish(reason="stop"), End()])


def test_no_text_waits_for_anything() -> None:
    encoder = DIALECT.encoder()
    assert b"message_start" in b"".join(encoder.feed(Start("m")))
    for event in (PartStart(part=0, kind="text"), Text(part=0, text="a"), Text(part=0, text="b")):
        written = b"".join(encoder.feed(event))
        assert (b"text_delta" in written) == isinstance(event, Text)


def test_overlapping_calls_are_written_one_after_the_other() -> None:
    events: list[Event] = [
        Start("m"),
        PartStart(part=0, kind="tool", tool_id="a", tool_name="f"),
        PartStart(part=1, kind="tool", tool_id="b", tool_name="g"),
        ToolArgs(part=1, json_text='{"y"'),
        ToolArgs(part=0, json_text='{"x":1}'),
        ToolArgs(part=1, json_text=":2}"),
        PartEnd(part=0),
        PartEnd(part=1),
        Finish(reason="tool_calls"),
        End(),
    ]
    heard = decoded(encoded(events))
    assert violations(heard, sequential=True) == []
    calls = message_of(heard).tool_calls
    assert [(call.tool_id, call.arguments) for call in calls] == [("a", {"x": 1}), ("b", {"y": 2})]


def test_line_separators_are_escaped() -> None:
    text = 'a\u2028b\u2029c\x85d\r\ne"\\\0'
    wire = encoded(one_part("text", Text(part=0, text=text)))
    assert len(wire.decode().splitlines()) == wire.count(b"\n")
    assert message_of(decoded(wire)).text == text


def test_what_it_cannot_carry_is_counted() -> None:
    events: list[Event] = [
        Start("m", extra={"system_fingerprint": "fp"}),
        Custom("theme", value=1),
        Raw("gemini", "", "{}"),
        PartStart(part=0, kind="text"),
        Text(part=0, text="a", extra={"logprobs": []}),
        PartEnd(part=0, signature="s", encrypted="e"),
        PartStart(part=0, kind="text", choice=1),
        Text(part=0, text="z", choice=1),
        PartEnd(part=0, choice=1),
        PartStart(part=1, kind="reasoning"),
        Reasoning(part=1, text="r"),
        PartEnd(part=1, encrypted="e"),
        PartStart(part=2, kind="reasoning"),
        PartEnd(part=2, encrypted="e", signature="s"),
    ]
    assert losses(events) == {
        "system_fingerprint": 1,
        "custom": 1,
        "raw": 1,
        "logprobs": 1,
        "signature": 2,
        "encrypted": 2,
        "choice": 3,
    }


def test_a_second_start_cannot_be_written() -> None:
    encoder = DIALECT.encoder()
    encoder.feed(Start("m"))
    with pytest.raises(EncodeError) as caught:
        encoder.feed(Start("m"))
    assert [value["type"] for value in records(b"".join(caught.value.items))] == ["error"]  # type: ignore[arg-type]


# --- Errors and cuts --------------------------------------------------------------------------------------------------

OVERLOADED = (
    b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},'
    b'"request_id":"req_1"}\n\n'
)


def test_an_error_is_read_and_written_again() -> None:
    events = decoded(START + OVERLOADED)
    assert events[1:] == [
        Error("Overloaded", "overloaded_error", status=529, extra={"anthropic.request_id": "req_1"}),
    ]
    assert encoded(events).endswith(OVERLOADED)


def test_an_error_may_be_all_there_is() -> None:
    assert isinstance(decoded(OVERLOADED)[0], Error)
    assert encoded([Error("x")]) == (
        b'event: error\ndata: {"type":"error","error":{"type":"api_error","message":"x"}}\n\n'
    )


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (Error("m", "overloaded_error"), "overloaded_error"),
        (Error("m", "server_error"), "api_error"),
        (Error("m", "rate_limit_exceeded"), "rate_limit_error"),
        (Error("m", "tokens", "rate_limit_exceeded", 429), "rate_limit_error"),
        (Error("m", "RESOURCE_EXHAUSTED", status=429), "rate_limit_error"),
        (Error("m", status=503), "overloaded_error"),
        (Error("m", status=418), "invalid_request_error"),
        (Error("m", status=502), "api_error"),
        (Error("m", "truncated"), "api_error"),
    ],
)
def test_errors_of_others_have_a_type_that_clients_know(error: Error, word: str) -> None:
    assert records(encoded([error]))[0]["error"] == {"type": word, "message": "m"}


def test_its_own_types_of_errors_stay_even_new_ones() -> None:
    wire = START + record({"type": "error", "error": {"type": "new_error", "message": "m"}})
    assert records(encoded(decoded(wire)))[-1]["error"] == {"type": "new_error", "message": "m"}


@pytest.mark.parametrize("error", [{"code": 1}, {"type": 5, "message": []}, "text", None, 7, []])
def test_an_error_of_any_form_is_an_error(error: object) -> None:
    last = decoded(START + record({"type": "error", "error": error}))[-1]
    assert isinstance(last, Error)
    assert last.message


def test_events_that_end_without_end_are_written_as_an_error() -> None:
    wire = encoded(HELLO_EVENTS[:-1])
    assert [value["type"] for value in records(wire)][-1] == "error"
    assert b"message_delta" not in wire
    assert b"message_stop" not in wire


def test_a_stream_without_message_stop_was_cut() -> None:
    for end in range(len(HELLO) - 1):
        last = decoded(HELLO[:end])[-1] if HELLO[:end].count(b"\n\n") else Error("", "truncated")
        assert isinstance(last, Error)
        assert last.type == "truncated"


# --- The whole message ------------------------------------------------------------------------------------------------


def test_the_document_of_a_complete_message() -> None:
    events: list[Event] = [
        Start("msg_1", "claude-x"),
        PartStart(part=0, kind="reasoning"),
        Reasoning(part=0, text="Hmm"),
        PartEnd(part=0, signature="c2ln"),
        PartStart(part=1, kind="reasoning"),
        PartEnd(part=1, encrypted="b3BhcXVl"),
        PartStart(part=2, kind="text"),
        Text(part=2, text="Hi\u2028\x85"),
        PartEnd(part=2),
        PartStart(part=3, kind="tool", tool_id="toolu_1", tool_name="f"),
        ToolArgs(part=3, json_text='{"a": 1}'),
        PartEnd(part=3),
        Usage(input_total=9, output_total=4, cached=2),
        Finish(reason="tool_calls"),
        End(),
    ]
    assert DIALECT.document(message_of(events)) == {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-x",
        "content": [
            {"type": "thinking", "thinking": "Hmm", "signature": "c2ln"},
            {"type": "redacted_thinking", "data": "b3BhcXVl"},
            {"type": "text", "text": "Hi\u2028\x85"},
            {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": 1}},
        ],
        "stop_reason": "tool_use",
        "stop_sequence": None,
        "usage": {"input_tokens": 7, "cache_read_input_tokens": 2, "output_tokens": 4},
    }


def test_the_document_of_its_own_message_has_all_of_it() -> None:
    example = next(each for each in MINE if each.case == "filter")
    document = DIALECT.document(message_of(decoded(example.wire)))
    assert isinstance(document, dict)
    assert document["stop_reason"] == "refusal"
    assert document["stop_details"]["category"] == "bio"
    assert document["usage"]["service_tier"] == "standard"
    assert document["usage"]["output_tokens"] == 9


def test_the_document_of_a_cut_message_has_no_reason_to_stop() -> None:
    document = DIALECT.document(message_of(decoded(HELLO[:-10])))
    assert isinstance(document, dict)
    assert document["stop_reason"] is None
    assert document["content"] == [{"type": "text", "text": "Hello"}]
    assert document["error"]["type"] == "api_error"
    reasoning = DIALECT.document(message_of(one_part("reasoning")))
    assert isinstance(reasoning, dict)
    assert reasoning["content"] == []
    empty = DIALECT.document(Message())
    assert isinstance(empty, dict)
    assert (empty["content"], empty["stop_reason"]) == ([], None)


def test_the_document_wraps_arguments_that_are_no_object() -> None:
    """As Anthropic advises for what a model cut short leaves ("Fine-grained tool streaming")."""
    events = one_part("tool", ToolArgs(part=0, json_text='{"a": '), tool_id="t", tool_name="f")
    document = DIALECT.document(message_of(events))
    assert isinstance(document, dict)
    assert document["content"][0]["input"] == {"INVALID_JSON": '{"a": '}


# --- What it looks like -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_only_its_own_records_look_like_it(example: Example) -> None:
    if example.framing != "sse":
        return
    found = []
    for frame in example.wire.decode().replace("\r\n", "\n").split("\n\n"):
        lines = dict(line.split(": ", 1) for line in frame.split("\n") if ": " in line and line[0] != ":")
        try:
            value = json.loads(lines.get("data", ""))
        except ValueError:
            continue
        found.append(DIALECT.looks_like(value, lines.get("event", "message")))
    assert all(found) if example.dialect == "anthropic" else not any(found)


@pytest.mark.parametrize(
    "value",
    [
        *({"type": word} for word in ("start", "message_start", "content_block_delta", "message_delta", "error")),
        {"type": "error", "errorText": "x"},
        {"type": "error", "error": {"type": "x"}, "sequence_number": 3},
        {"type": ["ping"]},
        {"error": {"message": "x"}},
        *([], None, 1, "ping"),
    ],
)
def test_other_records_do_not_look_like_it(value: object) -> None:
    assert not DIALECT.looks_like(value, "message")


def test_a_stream_of_another_dialect_is_named() -> None:
    with pytest.raises(DecodeError, match="it looks like openai-chat") as caught:
        decoded(b'data: {"id":"c","object":"chat.completion.chunk","choices":[]}\n\n', strict=False)
    assert caught.value.code == "wrong-dialect"


def test_the_error_of_a_ui_stream_is_none_of_its_own() -> None:
    with pytest.raises(DecodeError, match="it looks like vercel-ui"):
        decoded(b'data: {"type":"error","errorText":"boom"}\n\n')


def test_an_error_fails_the_conversion() -> None:
    converter = Converter("anthropic", "openai-chat")
    with pytest.raises(ReportedError) as caught:
        converter.feed(START + OVERLOADED)
    assert caught.value.status == 529
