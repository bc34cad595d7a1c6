"""What is answered is what the dialect's encoder makes of the events, record by record, each at its time."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.ask import Ask
from mockserver.compose import Identity, answer_of, respond
from mockserver.response import Record
from mockserver.settings import Call, Settings
from streamkit.codecs.jsontext import decode_checked
from streamkit.dialects.convert import decoder_of
from streamkit.dialects.events import End, Usage
from streamkit.dialects.message import MessageAccumulator
from streamkit.dialects.registry import DIALECTS
from streamkit.dialects.requests import Tool

IDENTITY = Identity("id-1", 1_700_000_000_000_000_000, (("X-Own", "1"),))
MS = 1_000_000

NAMES = [
    pytest.param(name, framing, id=f"{name}-{framing}") for name, row in DIALECTS.items() for framing in row.framings
]

asks = st.fixed_dictionaries(
    {
        "choices": st.integers(1, 3),
        "max_tokens": st.none() | st.integers(1, 12),
        "tools": st.just(())
        | st.just((Tool("find", "", {"type": "object", "properties": {"q": {"type": "string"}}}),)),
        "include_usage": st.booleans(),
    }
)
settings = st.builds(
    Settings,
    said=st.none() | st.text(max_size=30),
    tokens=st.none() | st.integers(0, 12),
    reasoning=st.integers(0, 4),
    calls=st.just(()) | st.just((Call(),)),
    early_start=st.booleans(),
    rate=st.sampled_from([None, 100.0]),
    ttft_ns=st.sampled_from([0, 50 * MS]),
)


def records_of(ask: Ask, chosen: Settings, seed: int = 1) -> list[Record]:
    steps = list(respond(ask, chosen, seed, IDENTITY).steps)
    assert all(isinstance(step, Record) for step in steps)
    return [step for step in steps if isinstance(step, Record)]


@pytest.mark.parametrize(("name", "framing"), NAMES)
@given(fields=asks, chosen=settings, seed=st.integers(0, 2**64 - 1))
def test_the_records_are_what_the_encoder_writes(
    name: str, framing: str, fields: dict[str, object], chosen: Settings, seed: int
) -> None:
    if name == "text" and chosen.said is None:
        return  # the generator of numbered lines, which has tests of its own
    ask = Ask(name, framing, "m", prompt_tokens=7, **fields)  # type: ignore[arg-type]  # they fit
    records = records_of(ask, chosen, seed)
    encoder = DIALECTS[name].encoder(
        framing=framing,
        model="m",
        message_id="id-1",
        created_ns=IDENTITY.created_ns,
        include_usage=ask.include_usage,
    )
    last_ns = records[-1].at_ns if records else 0
    first_ns = chosen.ttft_ns
    lasts = {"load_ns": 1, "prompt_ns": max(first_ns, 1), "eval_ns": max(last_ns - first_ns, 1)}
    events = [
        msgspec.structs.replace(event, **lasts, total_ns=max(last_ns, first_ns, 1))
        if isinstance(event, Usage)
        else event
        for event, _ in answer_of(ask, chosen, seed, IDENTITY).events()
    ]
    assert b"".join(record.data for record in records) == b"".join(encoder.feed_many(events) + encoder.finish())
    assert [record.at_ns for record in records] == sorted(record.at_ns for record in records)
    assert [record.tokens for record in records] == sorted(record.tokens for record in records)
    assert sum(record.is_terminator for record in records) <= 1
    assert not any(record.is_terminator for record in records[:-1])


@pytest.mark.parametrize(("name", "framing"), NAMES)
def test_each_record_is_one(name: str, framing: str) -> None:
    """A prefix of whole records is as far as its reader gets: none of them has half of another in it."""
    ask = Ask(name, framing, "m", choices=1)
    end = {"sse": b"\n\n", "ndjson": b"\n"}.get(framing)
    records = records_of(ask, Settings(said="one two three", reasoning=2))
    assert len(records) >= 3
    if end is not None:
        assert all(record.data.endswith(end) and record.data.count(end) == 1 for record in records)


@pytest.mark.parametrize(("name", "framing"), NAMES)
def test_without_its_terminator_an_answer_is_not_whole(name: str, framing: str) -> None:
    records = records_of(Ask(name, framing, "m"), Settings(said="one two"))
    whole = decoder_of(f"{name}/{framing}")
    assert End() in [*whole.feed(b"".join(record.data for record in records)), *whole.finish()]
    if name == "text":
        assert not records[-1].is_terminator
        return
    assert records[-1].is_terminator
    if name == "gemini":  # its finishReason is all that it has, and it may stand alone
        return
    cut = decoder_of(f"{name}/{framing}")
    assert End() not in [*cut.feed(b"".join(record.data for record in records[:-1])), *cut.finish()]


@pytest.mark.parametrize("name", DIALECTS)
def test_a_document_says_what_the_stream_says(name: str) -> None:
    if name in {"text", "json"}:
        return
    dialect = DIALECTS[name]
    ask, chosen = Ask(name, dialect.framings[0], "m", prompt_tokens=3), Settings(said="one two three", rate=100)
    stream = decoder_of(name)
    message = MessageAccumulator()
    message.feed_many(stream.feed(b"".join(record.data for record in records_of(ask, chosen))) + stream.finish())
    response = respond(Ask(name, ask.framing, "m", prompt_tokens=3, stream=False), chosen, 1, IDENTITY)
    (record,) = response.steps
    assert isinstance(record, Record)
    assert (record.tokens, record.at_ns) == (3, 20 * MS)
    assert ("Content-Type", "application/json") in response.headers
    text = str(decode_checked(record.data))
    assert message.message.text == "one two three"
    assert "one two three" in text


def test_times_follow_the_schedule() -> None:
    ask = Ask("openai-chat", "sse", "m", prompt_tokens=100)
    chosen = Settings(said="one two three", ttft_ns=50 * MS, rate=100, prefill_rate=1000)
    times = [(record.at_ns // MS, record.tokens) for record in records_of(ask, chosen)]
    assert times[0] == (150, 0)
    assert times[1:4] == [(150, 1), (160, 2), (170, 3)]
    assert {at for at, _ in times[4:]} == {170}
