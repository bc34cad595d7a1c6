"""The laws of conversion (L1 to L11) over generated neutral streams, for every dialect and every ordered pair of them.

L12, that the vendors' own SDKs see the same, is in test_python_sdks.py and test_node_sdks.py; that no cut anywhere
looks like an end is in test_truncation.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamkit.codecs.stage import Stage
from streamkit.dialects.convert import Converter, decoder_of, encoder_of
from streamkit.dialects.events import End, Event, Finish, PartStart, Ping, Raw, Text, Usage
from streamkit.dialects.lifecycle import Lifecycle
from streamkit.dialects.registry import DIALECTS, get_dialect
from streamkit.errors import DecodeError
from streamkit.testing import outcome, splits
from tests.dialects.neutral import disagreements, whole_of
from tests.dialects.strategies import raw_of, streams

SOURCES = [
    name if framing == dialect.framings[0] else f"{name}/{framing}"
    for name, dialect in DIALECTS.items()
    for framing in dialect.framings
]

PAIRS = [*product(SOURCES, SOURCES)]

UNSAFE = re.compile("[\r\x85\u2028\u2029]")

each_dialect = pytest.mark.parametrize("name", SOURCES)
each_pair = pytest.mark.parametrize(("source", "target"), PAIRS, ids=[f"{a}-to-{b}" for a, b in PAIRS])


def run(stage: Stage[bytes, Event] | Stage[Event, bytes], items: Iterable[object]) -> list[object]:
    out: list[object] = []
    for item in items:
        out += stage.feed(item)  # type: ignore[arg-type]
    return [*out, *stage.finish()]


def encode(name: str, events: Iterable[Event]) -> bytes:
    return b"".join(run(encoder_of(name), events))  # type: ignore[arg-type]


def decode(name: str, wire: bytes) -> list[Event]:
    return run(decoder_of(name, strict=True), [wire])  # type: ignore[return-value]


def dialect_of(name: str) -> str:
    return name.partition("/")[0]


@each_dialect
@given(events=streams())
def test_what_is_written_is_read_back(name: str, events: list[Event]) -> None:
    """L1, L4, L6, L9: all that the dialect can carry, by a strict decoder, in a lawful stream."""
    dialect = DIALECTS[dialect_of(name)]
    heard = decode(name, encode(name, events))
    assert disagreements(dialect, whole_of(events, carries=dialect.carries), whole_of(heard)) == []
    assert run(Lifecycle(), heard) == []  # type: ignore[arg-type]


@each_dialect
@given(events=streams())
def test_one_pass_is_enough(name: str, events: list[Event]) -> None:
    """L1, L2: what has come through a dialect once goes through it unchanged."""
    once = encode(name, decode(name, encode(name, events)))
    assert encode(name, decode(name, once)) == once


@each_pair
@settings(max_examples=settings().max_examples // 4)  # nearly two hundred pairs, and each draws its own streams
@given(data=st.data())
def test_the_content_survives_every_path(source: str, target: str, data: st.DataObject) -> None:
    """L4, L6, L9: what both can carry; and the losses name what one of them cannot."""
    events = data.draw(streams())
    a, b = DIALECTS[dialect_of(source)], DIALECTS[dialect_of(target)]
    wire = encode(source, events)
    converted = b"".join(run(Converter(source, target, strict=True), [wire]))  # type: ignore[arg-type]
    heard = decode(target, converted)
    said = decode(source, wire)
    assert disagreements(b, whole_of(said, carries=b.carries), whole_of(heard)) == []
    assert disagreements(a, whole_of(events, carries=a.carries), whole_of(said)) == []


@each_dialect
@given(events=streams(), data=st.data())
def test_no_cut_changes_anything(name: str, events: list[Event], data: st.DataObject) -> None:
    """L3, but for plain text, where each read is a piece."""
    wire = encode(name, events)
    if DIALECTS[dialect_of(name)].framings[0] == "text":
        return
    assert outcome(decoder_of(name), data.draw(splits(wire))).items == decode(name, wire)


@each_dialect
@given(events=streams(clean=False))
def test_a_prefix_is_written_as_a_prefix(name: str, events: list[Event]) -> None:
    """L8: what has been written stays written, and each text leaves with its event."""
    encoder, reader = encoder_of(name), decoder_of(name)
    dialect = DIALECTS[dialect_of(name)]
    seen: list[Event] = []
    said: list[Event] = []
    for event in events:
        if isinstance(event, Finish) and event.reason not in dialect.encoder.finish_words:
            return
        for piece in encoder.feed(event):
            seen += reader.feed(piece)
        said.append(event)
        first = {0} if "choices" not in dialect.carries else {0, 1}
        kinds = "Text" if "refusal" in dialect.carries else ("Text", "Refusal")
        texts = [e for e in said if type(e).__name__ in kinds and e.choice in first]
        heard = [e for e in seen if isinstance(e, Text)]
        assert "".join(e.text for e in heard) == "".join(e.text for e in texts)  # type: ignore[attr-defined]


@each_dialect
@given(events=streams(clean=False))
def test_records_are_safe_lines(name: str, events: list[Event]) -> None:
    """L10: no line separator of any reader inside a record, and UTF-8 throughout."""
    text = encode(name, events).decode()
    _, framing = get_dialect(name)
    if framing != "text":
        assert not UNSAFE.search(text)
        if framing == "ndjson":
            assert all(line.startswith("{") and line.endswith("}") for line in text.splitlines())


@each_dialect
@given(events=streams(noise=False), data=st.data())
def test_heartbeats_and_unknown_records_change_nothing(name: str, events: list[Event], data: st.DataObject) -> None:
    """L11."""
    noisy: list[Event] = []
    for event in events:
        noise = [Ping(), Ping("x"), raw_of("nobody" if name == "text" else dialect_of(name))]
        noisy += data.draw(st.lists(st.sampled_from(noise), max_size=1))
        noisy.append(event)

    def quiet(stream: list[Event]) -> list[Event]:
        return [event for event in stream if not isinstance(event, (Ping, Raw))]

    assert quiet(decode(name, encode(name, noisy))) == decode(name, encode(name, events))


@each_dialect
@given(events=streams())
def test_a_snapshot_said_twice_is_said_once(name: str, events: list[Event]) -> None:
    """L9."""
    twice = [copy for event in events for copy in ([event, event] if isinstance(event, Usage) else [event])]
    assert whole_of(decode(name, encode(name, twice))).totals == whole_of(decode(name, encode(name, events))).totals


@each_dialect
@given(events=streams(clean=False))
def test_no_failure_looks_like_an_end(name: str, events: list[Event]) -> None:
    """L7, on the events' side: only a stream with an End is written with the dialect's terminator.

    Plain text has no terminator; there the driver must not end the stream, which the converter sees to by raising.
    """
    cut = events[:-1] if isinstance(events[-1], End) else events
    if DIALECTS[dialect_of(name)].framings[0] == "text":
        return
    try:
        heard = decode(name, encode(name, cut))
    except DecodeError:
        return
    assert not any(isinstance(event, End) for event in heard)


@given(events=streams())
def test_anthropic_blocks_never_overlap_for_calls(events: list[Event]) -> None:
    """L5: parts may overlap only where a text came inside the unfinished arguments of a call."""
    heard = decode("anthropic", encode("anthropic", events))
    for violation in run(Lifecycle(sequential=True), heard):  # type: ignore[arg-type]
        opened = heard[violation.event - 1]  # type: ignore[attr-defined]
        assert isinstance(opened, PartStart)
        assert opened.kind != "tool"


def test_the_strategy_draws_lawful_streams() -> None:
    @given(events=streams(clean=False))
    def check(events: list[Event]) -> None:
        assert run(Lifecycle(), events) == []  # type: ignore[arg-type]

    check()
