"""What holds for every answer, whatever is asked and set, and in every dialect that it is written in."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import settings as options
from hypothesis import strategies as st

from mockserver.answers.answer import REASONS, Answer
from mockserver.ask import Ask
from mockserver.settings import Call, Settings
from streamkit.codecs.jsontext import decode_checked, encode_value
from streamkit.dialects.dialect import Dialect
from streamkit.dialects.events import End, Event, Finish, Reasoning, Start, Text, ToolArgs, Usage
from streamkit.dialects.lifecycle import Lifecycle
from streamkit.dialects.message import Choice, Message, MessageAccumulator, Part
from streamkit.dialects.registry import DIALECTS
from streamkit.dialects.requests import Tool

SEEDS = st.integers(0, 2**64 - 1)

few = options(max_examples=max(1, options().max_examples // 2))
"""There are many dialects."""

FRAMED = [(name, framing) for name, dialect in DIALECTS.items() for framing in dialect.framings]

NAMES = ("get_time", "search", "f")

TOOLS = st.builds(
    Tool,
    st.sampled_from(NAMES),
    parameters=st.sampled_from(
        [
            {},
            {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
            {"properties": {"n": {"type": "integer"}, "of": {"type": "array", "items": {"type": "number"}}}},
        ]
    ),
)

ARGUMENTS = st.just("") | st.dictionaries(st.text(max_size=5), st.text(max_size=9) | st.integers(), max_size=3).map(
    lambda value: encode_value(value).decode()
)

ASKS = st.builds(
    Ask,
    st.just(""),
    st.just(""),
    model=st.sampled_from(["", "m"]),
    prompt=st.text(max_size=40),
    prompt_tokens=st.integers(0, 1000),
    max_tokens=st.none() | st.integers(0, 30),
    tools=st.lists(TOOLS, max_size=3).map(tuple),
    tool_choice=st.sampled_from(["auto", "none", "required", *NAMES]),
    tools_answered=st.booleans(),
    choices=st.integers(1, 3),
    stop=st.lists(st.text("aeno. ,", max_size=3), max_size=2).map(tuple),
    reasoning=st.none() | st.booleans(),
    schema=st.sampled_from([None, None, {}, {"properties": {"n": {"type": "integer"}, "of": {"enum": ["é", 1]}}}]),
)

SETTINGS = st.builds(
    Settings,
    said=st.none() | st.text(max_size=60),
    echo=st.booleans(),
    tokens=st.none() | st.integers(0, 40),
    reasoning=st.integers(0, 5),
    calls=st.lists(st.builds(Call, st.sampled_from(["", *NAMES, "other"]), ARGUMENTS), max_size=3).map(tuple),
    finish=st.none() | st.sampled_from(list(REASONS)),
)


def answer(ask: Ask, settings: Settings, seed: int) -> Answer:
    return Answer(ask, settings, seed, model=ask.model, message_id="id_1", created_ns=1_700_000_000_000_000_000)


def message_of(events: list[Event]) -> Message:
    accumulator = MessageAccumulator()
    accumulator.feed_many(events)
    return accumulator.message


def tokens_of(events: list[Event], choice: int = 0) -> list[tuple[type[Event], str]]:
    """Return the tokens of one choice, with what kind they are of."""
    found: list[tuple[type[Event], str]] = []
    for event in events:
        if isinstance(event, (Text, Reasoning)) and event.choice == choice:
            found.append((type(event), event.text))
        elif isinstance(event, ToolArgs) and event.choice == choice:
            found.append((ToolArgs, event.json_text))
    return found


class TestTheAnswerItself:
    """In no dialect, so in one that can carry everything."""

    @given(ASKS, SETTINGS, SEEDS)
    def test_it_is_a_lawful_stream(self, ask: Ask, settings: Settings, seed: int) -> None:
        lifecycle = Lifecycle(sequential=ask.choices == 1)
        events = [event for event, _ in answer(ask, settings, seed).events()]
        assert [violation for event in events for violation in lifecycle.feed(event)] == []
        assert lifecycle.finish() == []
        assert (type(events[0]), type(events[-1])) == (Start, End)
        assert sum(isinstance(event, Finish) for event in events) == ask.choices

    @given(ASKS, SETTINGS, SEEDS)
    def test_it_is_the_same_each_time(self, ask: Ask, settings: Settings, seed: int) -> None:
        planned = answer(ask, settings, seed)
        events = list(planned.events())
        assert list(planned.events()) == events
        assert list(answer(ask, settings, seed).events()) == events

    @given(ASKS, SETTINGS, SEEDS)
    def test_every_token_is_counted_as_it_comes(self, ask: Ask, settings: Settings, seed: int) -> None:
        planned = answer(ask, settings, seed)
        count = reasoning = 0
        for event, done in planned.events():
            count += isinstance(event, (Text, Reasoning, ToolArgs))
            reasoning += isinstance(event, Reasoning)
            assert done == count
            if isinstance(event, (Text, Reasoning)):
                assert event.text
        assert (planned.output_tokens, planned.reasoning_tokens) == (count, reasoning)

    @given(ASKS, SETTINGS, SEEDS)
    def test_the_usage_it_tells_is_what_came(self, ask: Ask, settings: Settings, seed: int) -> None:
        planned = answer(ask, settings, seed)
        (usage,) = [event for event, _ in planned.events() if isinstance(event, Usage)]
        expected = (ask.prompt_tokens, planned.output_tokens, planned.reasoning_tokens or None)
        assert (usage.input_total, usage.output_total, usage.reasoning) == expected

    @given(ASKS, SETTINGS, SEEDS)
    def test_a_limit_cuts_after_exactly_so_many_tokens(self, ask: Ask, settings: Settings, seed: int) -> None:
        ask = replace(ask, stop=())
        settings = replace(settings, finish=None)
        whole = [event for event, _ in answer(replace(ask, max_tokens=None), settings, seed).events()]
        cut = [event for event, _ in answer(ask, settings, seed).events()]
        for choice in range(ask.choices):
            tokens = tokens_of(whole, choice)
            (finish,) = [event for event in cut if isinstance(event, Finish) and event.choice == choice]
            assert tokens_of(cut, choice) == tokens[: ask.max_tokens]
            assert (finish.reason == "length") is (ask.max_tokens is not None and len(tokens) > ask.max_tokens)

    @given(ASKS, SETTINGS, SEEDS)
    def test_a_stop_sequence_is_never_answered(self, ask: Ask, settings: Settings, seed: int) -> None:
        settings = replace(settings, finish=None)
        stops = [stop for stop in ask.stop if stop]
        whole = message_of([event for event, _ in answer(replace(ask, stop=()), settings, seed).events()])
        found = message_of([event for event, _ in answer(ask, settings, seed).events()])
        for stopped, choice in zip(found.choices, whole.choices, strict=True):
            assert choice.text.startswith(stopped.text)
            assert not any(stop in stopped.text for stop in stops)
            if stopped.reason == "stop_sequence":
                assert stopped.stop_sequence in stops
                assert choice.text.startswith(stopped.text + stopped.stop_sequence)
            else:
                assert stopped == choice

    @given(ASKS, SETTINGS, SEEDS, st.integers(1, 3))
    def test_more_choices_change_nothing_in_the_first_ones(
        self, ask: Ask, settings: Settings, seed: int, more: int
    ) -> None:
        few = message_of([event for event, _ in answer(ask, settings, seed).events()])
        asked = replace(ask, choices=ask.choices + more)
        many = message_of([event for event, _ in answer(asked, settings, seed).events()])
        assert many.choices[: ask.choices] == few.choices


class TestInEachDialect:
    @pytest.mark.parametrize(("name", "framing"), FRAMED)
    @few
    @given(ask=ASKS, settings=SETTINGS, seed=SEEDS)
    def test_what_is_written_reads_back_the_same(
        self, name: str, framing: str, ask: Ask, settings: Settings, seed: int
    ) -> None:
        dialect = DIALECTS[name]
        asked = replace(ask, dialect=name, framing=framing)
        if settings.finish not in {"length", "content_filter"}:  # the others have no word of their own everywhere
            settings = replace(settings, finish=None)
        events = [event for event, _ in answer(asked, settings, seed).events()]
        encoder = dialect.encoder(framing=framing)
        wire = b"".join([piece for event in events for piece in encoder.feed(event)]) + b"".join(encoder.finish())
        decoder = dialect.decoder(framing=framing)
        read = message_of([*decoder.feed(wire), *decoder.finish()])
        written = message_of(events)
        if any(choice.reason not in dialect.encoder.finish_words for choice in written.choices):
            # The dialect has no word for it, but its form of an error, if that.
            assert (read.error is not None) is ("error" in dialect.carries)
            return
        assert read.complete
        assert read.error is None
        assert seen(read, dialect) == seen(written, dialect)
        assert encoder.losses.keys() <= {"tool-arguments", "finish"}  # of calls that were cut, and of plain text

    @pytest.mark.parametrize("name", DIALECTS)
    @few
    @given(ask=ASKS, settings=SETTINGS, seed=SEEDS)
    def test_it_has_a_document(self, name: str, ask: Ask, settings: Settings, seed: int) -> None:
        asked = replace(ask, dialect=name, framing=DIALECTS[name].framings[0], stream=False)
        written = message_of([event for event, _ in answer(asked, settings, seed).events()])
        if all(choice.reason in DIALECTS[name].encoder.finish_words for choice in written.choices):
            assert encode_value(DIALECTS[name].document(written))


def seen(message: Message, dialect: Dialect) -> list[object]:
    """Return what of a message its reader sees, in the dialect's own words for why it stopped."""
    found: list[object] = [seen_choice(choice, dialect) for choice in message.choices]
    if "usage" in dialect.carries:
        usage = message.usage
        found.append((usage.input_total or 0, usage.output_total or 0))  # some leave zeros out
    return found


def seen_choice(choice: Choice, dialect: Dialect) -> list[object]:
    found = [seen_part(part, dialect) for part in choice.parts]
    whole: list[object] = [part for part in found if part is not None]
    if "finish" in dialect.carries:
        assert choice.reason is not None
        whole.append(dialect.encoder.finish_words[choice.reason])
    return whole


def seen_part(part: Part, dialect: Dialect) -> object:
    """Return what is seen of a part: None of a call whose arguments were cut, where they are written as an object."""
    if part.kind != "tool":
        return part.kind, part.text, part.signature, part.complete
    if "tool-fragments" in dialect.carries:
        return part.tool_id, part.tool_name, part.text, part.complete
    try:
        return part.tool_id, part.tool_name, decode_checked(part.text.encode()), part.complete
    except ValueError:
        return None
