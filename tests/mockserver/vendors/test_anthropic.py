"""Anthropic's Messages: what is understood of every form of request, and its own words for what is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from mockserver.ask import Tool
from tests.mockserver.vendors.asking import answer, ask, question, refusal, refused

MESSAGES = "/v1/messages"

HELLO: dict[str, Any] = {"role": "user", "content": "Hello you"}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
WEATHER = {"name": "weather", "input_schema": SCHEMA}
SEARCH = {"type": "web_search_20250305", "name": "web_search"}


def body(**fields: object) -> dict[str, object]:
    return {"model": "claude", "max_tokens": 100, "messages": [HELLO], **fields}


def test_the_least_that_a_request_needs() -> None:
    asked = ask(MESSAGES, body())
    assert (asked.model, asked.max_tokens, asked.prompt, asked.prompt_tokens) == ("claude", 100, "Hello you", 2)
    assert (asked.stream, asked.include_usage, asked.choices, asked.reasoning) == (False, True, 1, None)


def test_blocks_and_the_system_are_heard() -> None:
    messages = [
        {"role": "user", "content": [{"type": "text", "text": "One"}, {"type": "image", "source": {}}]},
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "?", "signature": "s"}]},
        {"role": "user", "content": [{"type": "text", "text": "Two three"}]},
    ]
    asked = ask(MESSAGES, body(system=[{"type": "text", "text": "Be kind."}], messages=messages))
    assert (asked.prompt, asked.prompt_tokens) == ("Two three", 2 + 1 + 2)
    assert ask(MESSAGES, body(system="Be kind.")).prompt_tokens == 4


def test_a_result_counts_and_is_nothing_that_the_user_said() -> None:
    call = {"type": "tool_use", "id": "t", "name": "weather", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "Sunny today"}]}
    messages = [HELLO, {"role": "assistant", "content": [call]}, {"role": "user", "content": [result]}]
    asked = ask(MESSAGES, body(messages=messages))
    assert (asked.prompt, asked.prompt_tokens, asked.tools_answered) == ("Hello you", 4, True)
    both = [*messages[:2], {"role": "user", "content": [result, {"type": "text", "text": "And now?"}]}]
    asked = ask(MESSAGES, body(messages=both))
    assert (asked.prompt, asked.prompt_tokens, asked.tools_answered) == ("And now?", 6, True)
    assert not ask(MESSAGES, body(messages=[*messages, HELLO])).tools_answered


def test_the_last_message_of_the_assistant_may_be_empty() -> None:
    assert ask(MESSAGES, body(messages=[HELLO, {"role": "assistant", "content": ""}])).prompt == "Hello you"


def test_tools_that_anthropic_runs_are_never_called() -> None:
    asked = ask(MESSAGES, body(tools=[WEATHER, SEARCH, {"type": "custom", "name": "note", "input_schema": {}}]))
    assert asked.tools == (Tool("weather", SCHEMA), Tool("note"))


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (None, "auto"),
        ({"type": "auto"}, "auto"),
        ({"type": "any"}, "required"),
        ({"type": "none"}, "none"),
        ({"type": "tool", "name": "weather"}, "weather"),
    ],
)
def test_which_tool_has_to_be_called(choice: object, expected: str) -> None:
    assert ask(MESSAGES, body(tools=[WEATHER], tool_choice=choice)).tool_choice == expected


@pytest.mark.parametrize(
    ("thinking", "reasoning"),
    [
        ({"type": "enabled", "budget_tokens": 1024}, True),
        ({"type": "adaptive"}, True),
        ({"type": "disabled"}, False),
    ],
)
def test_whether_the_model_is_to_think(thinking: object, reasoning: bool) -> None:
    assert ask(MESSAGES, body(max_tokens=2000, thinking=thinking)).reasoning is reasoning


def test_what_an_answer_has_to_fit() -> None:
    form = {"type": "json_schema", "schema": SCHEMA}
    assert ask(MESSAGES, body(output_config={"effort": "low", "format": form})).schema == SCHEMA
    assert ask(MESSAGES, body(output_format=form)).schema == SCHEMA
    assert ask(MESSAGES, body(output_config={"effort": "low"})).schema is None
    assert ask(MESSAGES, body()).schema is None


def test_stops_and_streaming() -> None:
    asked = ask(MESSAGES, body(stop_sequences=["END"], stream=True))
    assert (asked.stop, asked.stream) == (("END",), True)


def test_how_many_tokens_a_request_has() -> None:
    counted = {"model": "claude", "messages": [HELLO], "system": "Be kind."}
    assert answer(question("POST", "/v1/messages/count_tokens", counted)) == {"input_tokens": 4}
    assert refused("/v1/messages/count_tokens", {"model": "claude"}).error["message"] == "messages: Field required"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"model": None}, "model: Field required"),
        ({"model": 5}, "model: Input should be a valid string"),
        ({"max_tokens": None}, "max_tokens: Field required"),
        ({"max_tokens": 0}, "max_tokens: Input should be greater than or equal to 1"),
        ({"max_tokens": "5"}, "max_tokens: Input should be a valid integer"),
        ({"messages": None}, "messages: Field required"),
        ({"messages": []}, "messages: at least one message is required"),
        ({"messages": {}}, "messages: Input should be a valid list"),
        ({"messages": [5]}, "messages.0: Input should be a valid dictionary"),
        ({"messages": [{"content": "?"}]}, "messages.0.role: Field required"),
        (
            {"messages": [{"role": "bot", "content": "?"}]},
            "messages.0.role: Input should be 'user', 'assistant' or 'system'",
        ),
        ({"messages": [{"role": "user"}]}, "messages.0.content: Field required"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages.0.content: Input should be a valid string or list"),
        (
            {"messages": [{"role": "user", "content": ""}]},
            "messages.0: all messages must have non-empty content except for the optional final assistant message",
        ),
        ({"messages": [{"role": "user", "content": [{"text": "?"}]}]}, "messages.0.content.0.type: Field required"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages.0.content.0.text: Field required"),
        (
            {"messages": [{"role": "user", "content": [{"type": "tool_result"}]}]},
            "messages.0.content.0.tool_use_id: Field required",
        ),
        ({"system": 5}, "system: Input should be a valid string or list"),
        ({"temperature": 1.5}, "temperature: range: 0..1"),
        ({"top_k": -1}, "top_k: Input should be greater than or equal to 0"),
        ({"stream": "yes"}, "stream: Input should be a valid boolean"),
        ({"stop_sequences": "END"}, "stop_sequences: Input should be a valid list"),
        ({"tools": [{"name": "weather"}]}, "tools.0.input_schema: Field required"),
        ({"tool_choice": {"type": "any"}}, "tool_choice.any may only be specified while providing tools"),
        ({"tool_choice": {"type": "tool", "name": "time"}}, "Tool 'time' not found in provided tools"),
        (
            {"tool_choice": {"type": "some"}},
            "tool_choice.type: Input should be 'auto', 'any', 'tool' or 'none'",
        ),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 5}},
            "thinking.budget_tokens: Input should be greater than or equal to 1024",
        ),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 1024}},
            "`max_tokens` must be greater than `thinking.budget_tokens`.",
        ),
        ({"output_config": {"format": {"schema": {}}}}, "output_config.format.type: Field required"),
        ({"output_config": {"format": {"type": "json"}}}, "output_config.format.type: Input should be 'json_schema'"),
        ({"output_config": {"format": {"type": "json_schema"}}}, "output_config.format.schema: Field required"),
        (
            {"output_format": {"type": "json_schema", "schema": "city"}},
            "output_format.schema: Input should be a valid dictionary",
        ),
    ],
)
def test_anthropics_words_for_what_is_wrong(fields: dict[str, object], message: str) -> None:
    told = refused(MESSAGES, body(**fields))
    assert told.status == 400
    assert told.body == {"type": "error", "error": {"type": "invalid_request_error", "message": message}}


def test_where_the_body_stops_being_json_is_told() -> None:
    told = refusal(question("POST", MESSAGES, raw=b'{"model":\n  claude}'))
    assert told.status == 400
    assert told.error["message"].startswith("The request body is not valid JSON: ")
    assert told.error["message"].endswith(": line 2 column 3 (char 12)")
    assert refusal(question("POST", MESSAGES, raw=b"[]")).error["message"] == "The request body must be a JSON object."
