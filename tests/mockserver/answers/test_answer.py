"""What is answered, case by case; what holds for all answers is in `test_answer_laws.py`."""

from __future__ import annotations

import json
import tracemalloc
from itertools import islice

import pytest

from mockserver.answers.answer import DEFAULT_TOKENS, Answer
from mockserver.answers.schema import value_of
from mockserver.ask import Ask
from mockserver.settings import Call, Settings
from streamkit.dialects.events import (
    End,
    Event,
    Finish,
    PartEnd,
    PartStart,
    Reasoning,
    Start,
    Text,
    ToolArgs,
    Usage,
)
from streamkit.dialects.message import Message, MessageAccumulator
from streamkit.dialects.requests import Tool
from streamkit.errors import ConfigError

WEATHER = Tool(
    "get_weather",
    "",
    {"type": "object", "properties": {"city": {"enum": ["Paris", "Łódź"]}}, "required": ["city"]},
)
CLOCK = Tool("get_time", "", {"type": "object", "properties": {}})


def answer(ask: Ask, settings: Settings | None = None, seed: int = 1) -> Answer:
    return Answer(ask, settings or Settings(), seed, model="m-1", message_id="id-1", created_ns=17)


def chat(**fields: object) -> Ask:
    return Ask("openai-chat", "sse", **fields)  # type: ignore[arg-type]  # they are fields of an Ask


def message(ask: Ask, settings: Settings | None = None, seed: int = 1) -> Message:
    accumulator = MessageAccumulator()
    accumulator.feed_many(event for event, _ in answer(ask, settings, seed).events())
    return accumulator.message


def pieces(ask: Ask, settings: Settings, choice: int = 0) -> list[str]:
    """Return the tokens of one choice."""
    found = []
    for event, _ in answer(ask, settings).events():
        if isinstance(event, (Text, Reasoning)) and event.choice == choice:
            found.append(event.text)
        elif isinstance(event, ToolArgs) and event.choice == choice:
            found.append(event.json_text)
    return found


def test_a_said_text_from_start_to_end() -> None:
    expected: list[tuple[Event, int]] = [
        (Start("id-1", "m-1", created_ns=17), 0),
        (PartStart(0, "text"), 0),
        (Text(0, "Hello,"), 1),
        (Text(0, "  world!"), 2),
        (Text(0, "\n"), 3),
        (PartEnd(0), 3),
        (Usage(5, 3), 3),
        (Finish("stop"), 3),
        (End(), 3),
    ]
    assert list(answer(chat(prompt_tokens=5), Settings(said="Hello,  world!\n")).events()) == expected


def test_seeded_words_are_as_many_as_wanted() -> None:
    assert answer(chat()).output_tokens == DEFAULT_TOKENS == len(pieces(chat(), Settings()))
    assert len(pieces(chat(), Settings(tokens=7))) == 7
    assert message(chat(), Settings(tokens=0)).choices[0].parts == []


def test_other_seeds_say_something_else() -> None:
    assert message(chat(), seed=1).text != message(chat(), seed=2).text


def test_an_echo_is_the_prompt() -> None:
    assert message(chat(prompt=" Was ist das? \n"), Settings(echo=True)).text == " Was ist das? \n"


def test_a_said_text_goes_before_an_echo() -> None:
    assert message(chat(prompt="a"), Settings(echo=True, said="b")).text == "b"


@pytest.mark.parametrize("settings", [Settings(said=""), Settings(echo=True)])
def test_nothing_to_say_is_an_answer_without_parts(settings: Settings) -> None:
    found = message(chat(prompt=""), settings)
    assert (found.choices[0].parts, found.reason, found.complete) == ([], "stop", True)


class TestReasoning:
    def test_it_comes_before_the_text_and_is_counted(self) -> None:
        found = message(chat(), Settings(said="a b", reasoning=3))
        assert [part.kind for part in found.choices[0].parts] == ["reasoning", "text"]
        assert len(found.reasoning.split()) == 3
        assert (found.usage.output_total, found.usage.reasoning) == (5, 3)

    @pytest.mark.parametrize(("asked", "comes"), [(None, True), (True, True), (False, False)])
    def test_it_does_not_come_where_the_client_wants_none(self, asked: bool | None, comes: bool) -> None:
        assert bool(message(chat(reasoning=asked), Settings(reasoning=3)).reasoning) is comes

    def test_it_is_signed_where_the_vendor_signs_it(self) -> None:
        signed = message(Ask("anthropic", "sse"), Settings(reasoning=1)).choices[0].parts[0]
        assert len(signed.signature) == 64
        assert not message(chat(), Settings(reasoning=1)).choices[0].parts[0].signature

    def test_what_a_dialect_cannot_carry_is_not_answered(self) -> None:
        ask = Ask("agent-poc", "sse", tools=(CLOCK,), choices=3)
        planned = answer(ask, Settings(said="a b", reasoning=3, calls=(Call(),)))
        assert planned.output_tokens == 2
        assert [type(event) for event, _ in planned.events()].count(PartStart) == 1


class TestCalls:
    def test_a_call_has_the_arguments_that_were_set(self) -> None:
        found = message(chat(tools=(CLOCK, WEATHER)), Settings(calls=(Call("get_weather", '{"city": "Rom"}'),)))
        (call,) = found.tool_calls
        assert (call.tool_name, call.text, found.reason, found.text) == (
            "get_weather",
            '{"city": "Rom"}',
            "tool_calls",
            "",
        )

    def test_a_call_that_has_to_be_made_has_the_arguments_that_were_set(self) -> None:
        asked = chat(tools=(CLOCK, WEATHER), tool_choice="required")
        (call,) = message(asked, Settings(calls=(Call("get_time", "[]"),))).tool_calls
        assert (call.tool_name, call.text) == ("get_time", "[]")

    def test_arguments_are_made_from_the_schema(self) -> None:
        (call,) = message(chat(tools=(WEATHER,)), Settings(calls=(Call("get_weather"),))).tool_calls
        assert json.loads(call.text) in ({"city": "Paris"}, {"city": "Łódź"})

    def test_arguments_come_in_pieces(self) -> None:
        asked = chat(tools=(WEATHER,))
        text = '{"city": "Rom", "days": [1, 22]}'
        assert pieces(asked, Settings(calls=(Call("get_weather", text),))) == [
            *('{"', "city", '": "', "Rom", '", "', "days", '": [', "1", ", ", "22", "]}"),
        ]

    def test_a_call_of_any_tool_is_of_one_that_is_offered(self) -> None:
        asked = chat(tools=(WEATHER, CLOCK))
        names = {message(asked, Settings(calls=(Call(),)), seed).tool_calls[0].tool_name for seed in range(20)}
        assert names == {"get_weather", "get_time"}

    def test_several_calls_have_ids_of_their_own(self) -> None:
        asked = chat(tools=(WEATHER, CLOCK), choices=2)
        found = message(asked, Settings(calls=(Call("get_time"), Call("get_weather"))))
        assert [call.tool_name for call in found.tool_calls] == ["get_time", "get_weather"]
        assert len({part.tool_id for choice in found.choices for part in choice.parts}) == 4

    @pytest.mark.parametrize(("dialect", "begins"), [("openai-chat", "call_"), ("anthropic", "toolu_")])
    def test_an_id_looks_like_the_vendors(self, dialect: str, begins: str) -> None:
        asked = Ask(dialect, "sse", tools=(CLOCK,))
        assert message(asked, Settings(calls=(Call(),))).tool_calls[0].tool_id.startswith(begins)

    @pytest.mark.parametrize(
        ("ask", "calls", "names"),
        [
            (chat(), ("get_time",), []),
            (chat(tools=(CLOCK,)), (), []),
            (chat(tools=(CLOCK,)), ("other",), []),
            (chat(tools=(CLOCK,), tool_choice="none"), ("get_time",), []),
            (chat(tools=(CLOCK,), tools_answered=True), ("get_time",), []),
            (chat(tools=(CLOCK,), tool_choice="required"), (), ["get_time"]),
            (chat(tools=(CLOCK,), tool_choice="required"), ("other",), ["get_time"]),
            (chat(tools=(CLOCK,), tool_choice="required", tools_answered=True), (), ["get_time"]),
            (chat(tools=(CLOCK, WEATHER), tool_choice="get_weather"), (), ["get_weather"]),
            (chat(tools=(CLOCK, WEATHER), tool_choice="get_weather"), ("",), ["get_weather"]),
            (chat(tools=(CLOCK, WEATHER), tool_choice="get_weather"), ("get_time",), ["get_weather"]),
            (chat(tools=(CLOCK, WEATHER), tool_choice="nowhere"), ("get_time",), ["get_time"]),
            (chat(tools=(CLOCK,)), ("get_time", "other", "get_time"), ["get_time", "get_time"]),
        ],
    )
    def test_which_tools_are_called(self, ask: Ask, calls: tuple[str, ...], names: list[str]) -> None:
        found = message(ask, Settings(calls=tuple(map(Call, calls))))
        assert [call.tool_name for call in found.tool_calls] == names
        assert bool(found.text) is not bool(names)


class TestLimits:
    @pytest.mark.parametrize(("limit", "reason"), [(0, "length"), (2, "length"), (3, "stop"), (4, "stop")])
    def test_an_answer_that_does_not_fit_is_cut(self, limit: int, reason: str) -> None:
        found = message(chat(max_tokens=limit), Settings(said="a b c"))
        assert (found.text, found.reason) == ("a b c"[: max(2 * limit - 1, 0)], reason)
        assert found.usage.output_total == min(limit, 3)

    def test_reasoning_counts(self) -> None:
        found = message(chat(max_tokens=4), Settings(said="a b c", reasoning=3))
        assert (found.text, found.reason) == ("a", "length")
        found = message(chat(max_tokens=3), Settings(said="a b c", reasoning=5))
        assert (len(found.reasoning.split()), found.text, found.reason) == (3, "", "length")

    def test_arguments_are_cut_too(self) -> None:
        found = message(chat(max_tokens=2, tools=(CLOCK,)), Settings(calls=(Call("", '{"a": 1}'), Call())))
        assert [call.text for call in found.tool_calls] == ['{"a']
        assert found.reason == "length"

    @pytest.mark.parametrize(
        ("stops", "text", "stop"),
        [
            (("c",), "a b ", "c"),
            (("b c",), "a ", "b c"),
            ((" b",), "a", " b"),
            (("a",), "", "a"),
            (("d", "c"), "a b ", "c"),
            (("b c d", "c"), "a b ", "c"),
            (("x", ""), "a b c d", ""),
            (("",), "a b c d", ""),
        ],
    )
    def test_a_stop_sequence_ends_the_text_before_it(self, stops: tuple[str, ...], text: str, stop: str) -> None:
        found = message(chat(stop=stops), Settings(said="a b c d"))
        reason = "stop_sequence" if stop else "stop"
        assert (found.text, found.reason, found.first.stop_sequence) == (text, reason, stop)

    def test_the_token_in_which_a_stop_sequence_begins_is_cut(self) -> None:
        assert pieces(chat(stop=("ree",)), Settings(said="one two three four")) == ["one", " two", " th"]
        assert pieces(chat(stop=("hree fo",)), Settings(said="one two three four")) == ["one", " two", " t"]
        assert answer(chat(stop=(" three",)), Settings(said="one two three four")).output_tokens == 2

    def test_a_stop_sequence_that_is_not_complete_within_the_limit_does_not_count(self) -> None:
        found = message(chat(stop=("b c",), max_tokens=2), Settings(said="a b c"))
        assert (found.text, found.reason) == ("a b", "length")

    def test_an_answer_without_end_begins_at_once(self) -> None:
        # What is looked for is not there: looking through all of it would never end.
        planned = answer(chat(stop=("nowhere",)), Settings(tokens=10**30, reasoning=10**30))
        assert len(list(islice(planned.events(), 10))) == 10
        planned = answer(chat(stop=("nowhere",)), Settings(tokens=10**30))
        assert len(list(islice(planned.events(), 10))) == 10


class TestFinish:
    @pytest.mark.parametrize("reason", ["length", "content_filter", "stop_sequence", "pause", "other"])
    def test_a_reason_that_was_set_is_told(self, reason: str) -> None:
        assert message(chat(), Settings(finish=reason)).reason == reason

    def test_it_is_not_told_where_it_would_be_untrue_of_tool_calls(self) -> None:
        asked = chat(tools=(CLOCK,))
        assert message(asked, Settings(finish="tool_calls")).reason == "stop"
        assert message(asked, Settings(finish="stop", calls=(Call(),))).reason == "tool_calls"
        assert message(asked, Settings(finish="content_filter", calls=(Call(),))).reason == "content_filter"

    def test_a_call_that_was_cut_is_not_said_to_be_whole(self) -> None:
        asked = chat(tools=(CLOCK,), max_tokens=1)
        for wanted, told in [("tool_calls", "length"), ("other", "length"), ("content_filter", "content_filter")]:
            found = message(asked, Settings(finish=wanted, calls=(Call("", '{"a": 1}'),)))
            assert (found.tool_calls[0].text, found.reason) == ('{"', told)

    def test_a_stop_sequence_is_only_named_where_it_is_the_reason(self) -> None:
        found = message(chat(stop=("b",)), Settings(said="a b", finish="length"))
        assert (found.text, found.reason, found.first.stop_sequence) == ("a ", "length", "")

    def test_a_word_that_is_no_reason_is_refused(self) -> None:
        with pytest.raises(ConfigError, match="finish=done: there is no such reason; there are stop, "):
            answer(chat(), Settings(finish="done"))


class TestChoices:
    def test_they_come_token_by_token_in_turn(self) -> None:
        events = [event for event, _ in answer(chat(choices=3), Settings(tokens=4)).events()]
        order = [event.choice for event in events if isinstance(event, Text)]
        assert order == [0, 1, 2] * 4

    def test_each_has_words_of_its_own_and_the_first_those_it_has_alone(self) -> None:
        found = message(chat(choices=3))
        assert len({choice.text for choice in found.choices}) == 3
        assert found.text == message(chat()).text

    def test_their_tokens_are_counted_together_and_told_before_the_last_has_finished(self) -> None:
        events = list(answer(chat(choices=2, max_tokens=3), Settings(tokens=5)).events())
        assert [done for event, done in events if isinstance(event, Text)] == [1, 2, 3, 4, 5, 6]
        assert [event for event, _ in events[-5:]] == [
            Finish("length"),
            PartEnd(0, choice=1),
            Usage(0, 6),
            Finish("length", choice=1),
            End(),
        ]

    def test_one_that_ends_early_does_not_hold_up_the_others(self) -> None:
        def lengths(stop: str) -> list[int]:
            return [len(choice.text.split()) for choice in message(chat(choices=2, stop=(stop,))).choices]

        words = message(chat(choices=2)).choices[1].text.split()
        early = next(word for word in words[:20] if word not in message(chat()).text)
        assert lengths(early) == [DEFAULT_TOKENS, words.index(early)]


class TestJson:
    SCHEMA = {"type": "object", "properties": {"owl": {"const": "Strix"}}, "required": ["owl"]}  # noqa: RUF012

    def test_it_fits_the_schema_and_comes_in_pieces(self) -> None:
        asked = chat(schema=self.SCHEMA)
        assert message(asked).text == '{"owl":"Strix"}'
        assert pieces(asked, Settings()) == ['{"', "owl", '":"', "Strix", '"}']

    def test_any_object_will_do_where_the_schema_is_empty(self) -> None:
        assert isinstance(json.loads(message(chat(schema={})).text), dict)

    def test_a_number_of_tokens_is_for_words(self) -> None:
        assert message(chat(schema=self.SCHEMA), Settings(tokens=1)).text == '{"owl":"Strix"}'

    @pytest.mark.parametrize("settings", [Settings(said="No"), Settings(said=""), Settings(echo=True)])
    def test_what_was_set_goes_before_it(self, settings: Settings) -> None:
        assert message(chat(schema=self.SCHEMA, prompt="Yes"), settings).text == (
            settings.said or "Yes" * settings.echo
        )

    def test_a_call_goes_before_it_and_its_result_does_not(self) -> None:
        asked = chat(schema=self.SCHEMA, tools=(CLOCK,))
        called = message(asked, Settings(calls=(Call(),)))
        assert (called.text, [part.tool_name for part in called.first.parts]) == ("", ["get_time"])
        answered = chat(schema=self.SCHEMA, tools=(CLOCK,), tools_answered=True)
        assert message(answered, Settings(calls=(Call(),))).text == '{"owl":"Strix"}'

    def test_a_limit_cuts_it(self) -> None:
        cut = message(chat(schema=self.SCHEMA, max_tokens=2))
        assert (cut.text, cut.reason) == ('{"owl', "length")

    def test_it_is_made_once_for_all_choices_and_so_are_the_arguments_of_calls(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made = []

        def counted(schema: object, seed: int) -> object:
            made.append(schema)
            return value_of(schema, seed)

        monkeypatch.setattr("mockserver.answers.schema.value_of", counted)
        numbers: dict[str, object] = {"type": "object", "properties": {"n": {"type": "number"}}, "required": ["n"]}
        found = message(chat(schema=numbers, choices=9))
        assert len({choice.text for choice in found.choices}) == 1
        assert found.text == message(chat(schema=numbers)).text
        called = message(chat(tools=(Tool("f", "", numbers),), tool_choice="required", choices=9))
        calls = [part for choice in called.choices for part in choice.parts]
        assert len({call.text for call in calls}) == 1
        assert len({call.tool_id for call in calls}) == 9
        assert len(made) == 3


def test_an_anthropic_answer_begins_with_the_counts_of_the_request() -> None:
    start, _ = next(answer(Ask("anthropic", "sse", prompt_tokens=9)).events())
    assert start.extra == {"anthropic.usage": {"input_tokens": 9, "output_tokens": 1}}
    start, _ = next(answer(Ask("anthropic", "sse", prompt_tokens=9), Settings(said="")).events())
    assert start.extra == {"anthropic.usage": {"input_tokens": 9, "output_tokens": 0}}


def test_the_tokens_of_a_long_answer_are_not_kept() -> None:
    events = answer(chat(), Settings(tokens=20_000)).events()
    next(events)
    tracemalloc.start()
    try:
        assert sum(1 for _ in events) > 20_000
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 50_000
