"""OpenAI's three endpoints: what is understood of every form of request, and its own words for what is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from streamkit.dialects.requests import Tool
from tests.vendors.asking import ask, question, refusal, refused

CHAT = "/v1/chat/completions"
COMPLETIONS = "/v1/completions"
RESPONSES = "/v1/responses"

HELLO: dict[str, Any] = {"role": "user", "content": "Hello you"}
SCHEMA: dict[str, object] = {"type": "object", "properties": {"city": {"type": "string"}}}
FUNCTION = {"name": "weather", "description": "?", "parameters": SCHEMA}
WEATHER = {"type": "function", "function": FUNCTION}
NOTE = {"type": "custom", "custom": {"name": "note", "format": {"type": "text"}}}
FREE: dict[str, object] = {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]}


def chat(**fields: object) -> dict[str, object]:
    return {"model": "gpt", "messages": [HELLO], **fields}


def responses(**fields: object) -> dict[str, object]:
    return {"model": "gpt", "input": "Hello you", **fields}


def test_the_least_that_a_chat_needs() -> None:
    asked = ask(CHAT, chat())
    assert (asked.model, asked.prompt, asked.prompt_tokens) == ("gpt", "Hello you", 2)
    assert (asked.stream, asked.include_usage, asked.choices, asked.max_tokens) == (False, True, 1, None)
    assert (asked.tools, asked.tool_choice, asked.tools_answered, asked.stop) == ((), "auto", False, ())
    assert asked.reasoning is None


def test_all_texts_count_and_the_last_of_the_user_is_the_prompt() -> None:
    messages = [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": [{"type": "text", "text": "One two"}, {"type": "text", "text": " three"}]},
        {"role": "assistant", "content": "Four"},
    ]
    asked = ask(CHAT, chat(messages=messages))
    assert (asked.prompt, asked.prompt_tokens) == ("One two three", 2 + 3 + 1)


def test_parts_without_text_say_nothing() -> None:
    parts = [{"type": "image_url", "image_url": {"url": "data:,"}}, {"type": "text", "text": "What is it?"}]
    assert ask(CHAT, chat(messages=[{"role": "user", "content": parts}])).prompt == "What is it?"


def test_a_result_as_the_last_message_means_that_the_tools_have_answered() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    messages = [
        HELLO,
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": "Sunny today"},
    ]
    asked = ask(CHAT, chat(messages=messages))
    assert (asked.tools_answered, asked.prompt, asked.prompt_tokens) == (True, "Hello you", 4)
    assert not ask(CHAT, chat(messages=[*messages, HELLO])).tools_answered


def test_token_counts_are_streamed_only_when_asked_for() -> None:
    assert not ask(CHAT, chat(stream=True)).include_usage
    assert ask(CHAT, chat(stream=True, stream_options={"include_usage": True})).include_usage
    assert not ask(CHAT, chat(stream=True, stream_options={"include_obfuscation": False})).include_usage
    assert ask(CHAT, chat(stream=False)).include_usage


def test_that_counts_come_last_is_said_from_the_start() -> None:
    wanted = {"include_usage": True}
    assert ask(CHAT, chat(stream=True, stream_options=wanted)).echoed == {"openai.usage": None}
    assert ask(CHAT, chat(stream=True)).echoed == {}
    assert ask(CHAT, chat()).echoed == {}


def test_limits_choices_and_stops() -> None:
    assert ask(CHAT, chat(max_tokens=1)).max_tokens == 1
    assert ask(CHAT, chat(max_completion_tokens=7)).max_tokens == 7
    assert ask(CHAT, chat(n=3)).choices == 3
    assert ask(CHAT, chat(stop="END")).stop == ("END",)
    assert ask(CHAT, chat(stop=["a", "b", ""])).stop == ("a", "b")
    assert ask(CHAT, chat(stop=None, n=None, max_tokens=None, temperature=None, tools=None)).stop == ()


@pytest.mark.parametrize(
    ("fields", "reasoning"),
    [
        ({"reasoning_effort": "high"}, True),
        ({"reasoning_effort": "minimal"}, True),
        ({"reasoning_effort": "none"}, False),
        ({"reasoning": {"effort": "low"}}, True),
        ({"reasoning": {"enabled": False}}, False),
        ({"reasoning": {"enabled": True}}, True),
        ({"reasoning": {}}, None),
    ],
)
def test_whether_the_model_is_to_think(fields: dict[str, object], reasoning: bool | None) -> None:
    assert ask(CHAT, chat(**fields)).reasoning is reasoning


def test_tools_of_both_kinds_and_functions_of_old() -> None:
    asked = ask(CHAT, chat(tools=[WEATHER, NOTE, {"type": "function", "function": {"name": "bare"}}]))
    assert asked.tools == (Tool("weather", "?", SCHEMA), Tool("note", "", FREE), Tool("bare"))
    assert ask(CHAT, chat(functions=[FUNCTION])).tools == (Tool("weather", "?", SCHEMA),)


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (None, "auto"),
        ("auto", "auto"),
        ("none", "none"),
        ("required", "required"),
        ({"type": "function", "function": {"name": "weather"}}, "weather"),
        ({"type": "custom", "custom": {"name": "note"}}, "note"),
    ],
)
def test_which_tool_has_to_be_called(choice: object, expected: str) -> None:
    asked = ask(CHAT, chat(tools=[WEATHER, NOTE], tool_choice=choice))
    assert (asked.tool_choice, len(asked.tools)) == (expected, 2)


def test_which_tools_may_be_called() -> None:
    allowed = {"mode": "required", "tools": [{"type": "function", "function": {"name": "weather"}}]}
    asked = ask(CHAT, chat(tools=[WEATHER, NOTE], tool_choice={"type": "allowed_tools", "allowed_tools": allowed}))
    assert (asked.tool_choice, asked.tools) == ("required", (Tool("weather", "?", SCHEMA),))


def test_which_function_of_old_has_to_be_called() -> None:
    assert ask(CHAT, chat(functions=[FUNCTION], function_call="none")).tool_choice == "none"
    assert ask(CHAT, chat(functions=[FUNCTION], function_call={"name": "weather"})).tool_choice == "weather"


def test_azures_deployment_stands_for_the_model_that_the_body_does_not_name() -> None:
    target = "/openai/deployments/my-gpt/chat/completions"
    assert ask(target, {"messages": [HELLO]}).model == "my-gpt"
    assert ask(target, {"messages": [HELLO], "model": "gpt"}).model == "gpt"


@pytest.mark.parametrize(
    ("fields", "param", "code", "message"),
    [
        ({"model": None}, None, None, "you must provide a model parameter"),
        (
            {"model": 5},
            "model",
            "invalid_type",
            "Invalid type for 'model': expected a string, but got an integer instead.",
        ),
        ({"messages": None}, "messages", "missing_required_parameter", "Missing required parameter: 'messages'."),
        (
            {"messages": []},
            "messages",
            "empty_array",
            "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead.",
        ),
        (
            {"messages": "Hello"},
            "messages",
            "invalid_type",
            "Invalid type for 'messages': expected an array, but got a string instead.",
        ),
        (
            {"messages": [HELLO, "Hello"]},
            "messages[1]",
            "invalid_type",
            "Invalid type for 'messages[1]': expected an object, but got a string instead.",
        ),
        (
            {"messages": [{"content": "?"}]},
            "messages[0].role",
            "missing_required_parameter",
            "Missing required parameter: 'messages[0].role'.",
        ),
        (
            {"messages": [{"role": "bot", "content": "?"}]},
            "messages[0].role",
            "invalid_value",
            (
                "Invalid value: 'bot'. Supported values are: "
                "'system', 'assistant', 'user', 'function', 'tool', and 'developer'."
            ),
        ),
        (
            {"messages": [{"role": "user", "content": {"text": "?"}}]},
            "messages[0].content",
            "invalid_type",
            "Invalid type for 'messages[0].content': expected one of a string or an array, but got an object instead.",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": 5}]}]},
            "messages[0].content[0].text",
            "invalid_type",
            "Invalid type for 'messages[0].content[0].text': expected a string, but got an integer instead.",
        ),
        (
            {"messages": [{"role": "tool", "content": "?"}]},
            "messages[0].tool_call_id",
            "missing_required_parameter",
            "Missing required parameter: 'messages[0].tool_call_id'.",
        ),
        (
            {"max_tokens": 0},
            "max_tokens",
            "integer_below_min_value",
            "Invalid 'max_tokens': integer below minimum value. Expected a value >= 1, but got 0 instead.",
        ),
        (
            {"n": 129},
            "n",
            "integer_above_max_value",
            "Invalid 'n': integer above maximum value. Expected a value <= 128, but got 129 instead.",
        ),
        (
            {"temperature": 2.5},
            "temperature",
            "decimal_above_max_value",
            "Invalid 'temperature': decimal above maximum value. Expected a value <= 2, but got 2.5 instead.",
        ),
        (
            {"top_p": -1},
            "top_p",
            "decimal_below_min_value",
            "Invalid 'top_p': decimal below minimum value. Expected a value >= 0, but got -1 instead.",
        ),
        (
            {"temperature": "hot"},
            "temperature",
            "invalid_type",
            "Invalid type for 'temperature': expected a decimal, but got a string instead.",
        ),
        (
            {"n": 1.5},
            "n",
            "invalid_type",
            "Invalid type for 'n': expected an integer, but got a decimal instead.",
        ),
        (
            {"n": True},
            "n",
            "invalid_type",
            "Invalid type for 'n': expected an integer, but got a boolean instead.",
        ),
        (
            {"stream": "yes"},
            "stream",
            "invalid_type",
            "Invalid type for 'stream': expected a boolean, but got a string instead.",
        ),
        (
            {"stream_options": {"include_usage": True}},
            "stream_options",
            None,
            "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
        ),
        (
            {"stop": ["1", "2", "3", "4", "5"]},
            "stop",
            "array_above_max_length",
            (
                "Invalid 'stop': array too long. Expected an array with maximum length 4, but got an array with "
                "length 5 instead."
            ),
        ),
        (
            {"max_tokens": 1, "max_completion_tokens": 1},
            None,
            "invalid_parameter_combination",
            "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.",
        ),
        (
            {"tools": [{"function": FUNCTION}]},
            "tools[0].type",
            "missing_required_parameter",
            "Missing required parameter: 'tools[0].type'.",
        ),
        (
            {"tools": [{"type": "function"}]},
            "tools[0].function",
            "missing_required_parameter",
            "Missing required parameter: 'tools[0].function'.",
        ),
        (
            {"tools": [{"type": "function", "function": {}}]},
            "tools[0].function.name",
            "missing_required_parameter",
            "Missing required parameter: 'tools[0].function.name'.",
        ),
        (
            {"tool_choice": "auto"},
            "tool_choice",
            None,
            "Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are specified.",
        ),
        (
            {"tools": [WEATHER], "tool_choice": "any"},
            "tool_choice",
            "invalid_value",
            "Invalid value: 'any'. Supported values are: 'none', 'auto', and 'required'.",
        ),
        (
            {"tools": [WEATHER], "tool_choice": {"type": "function", "function": {"name": "time"}}},
            "tool_choice",
            None,
            "Tool choice 'function.time' not found in 'tools' parameter.",
        ),
    ],
)
def test_openais_words_for_what_is_wrong(
    fields: dict[str, object], param: str | None, code: str | None, message: str
) -> None:
    told = refused(CHAT, chat(**fields))
    expected = {"message": message, "type": "invalid_request_error", "param": param, "code": code}
    assert (told.status, told.error) == (400, expected)


@pytest.mark.parametrize("raw", [b"{", b"[]", b'"text"', b"\xff", b'{"model": NaN}', b"[" * 100_000])
@pytest.mark.parametrize("target", [CHAT, COMPLETIONS, RESPONSES])
def test_what_is_no_json_object_is_not_parsed(raw: bytes, target: str) -> None:
    told = refusal(question("POST", target, raw=raw))
    assert told.status == 400
    assert told.error["message"].startswith("We could not parse the JSON body of your request.")


def form(**fields: object) -> dict[str, object]:
    return {"type": "json_schema", "json_schema": {"name": "city", **fields}}


@pytest.mark.parametrize(
    ("response_format", "schema"),
    [
        (None, None),
        ({"type": "text"}, None),
        ({"type": "json_object"}, {}),
        (form(), {}),
        (form(schema=SCHEMA, strict=True), SCHEMA),
        (form(schema={"$ref": "#/$defs/a"}), {"$ref": "#/$defs/a"}),
    ],
)
def test_what_an_answer_of_a_chat_has_to_fit(response_format: object, schema: object) -> None:
    assert ask(CHAT, chat(response_format=response_format)).schema == schema


ARRAY = """schema must be a JSON Schema of 'type: "object"', got 'type: "array"'."""


@pytest.mark.parametrize(
    ("response_format", "param", "code", "message"),
    [
        (
            "json_object",
            "response_format",
            "invalid_type",
            "Invalid type for 'response_format': expected an object, but got a string instead.",
        ),
        (
            {"type": "xml"},
            "response_format.type",
            "invalid_value",
            "Invalid value: 'xml'. Supported values are: 'json_object', 'json_schema', and 'text'.",
        ),
        (
            {"type": "json_schema"},
            "response_format.json_schema",
            "missing_required_parameter",
            "Missing required parameter: 'response_format.json_schema'.",
        ),
        (
            {"type": "json_schema", "json_schema": {"schema": SCHEMA}},
            "response_format.json_schema.name",
            "missing_required_parameter",
            "Missing required parameter: 'response_format.json_schema.name'.",
        ),
        (
            form(schema=[]),
            "response_format.json_schema.schema",
            "invalid_type",
            "Invalid type for 'response_format.json_schema.schema': expected an object, but got an array instead.",
        ),
        (
            form(schema={"type": "array"}),
            "response_format",
            None,
            f"Invalid schema for response_format 'city': {ARRAY}",
        ),
    ],
)
def test_openais_words_for_what_is_no_schema(
    response_format: object, param: str, code: str | None, message: str
) -> None:
    told = refused(CHAT, chat(response_format=response_format))
    expected = {"message": message, "type": "invalid_request_error", "param": param, "code": code}
    assert (told.status, told.error) == (400, expected)


def test_completions_of_one_prompt() -> None:
    asked = ask(COMPLETIONS, {"model": "m", "prompt": "Once upon a time", "n": 2, "stream": True, "stop": ["."]})
    assert (asked.prompt, asked.prompt_tokens, asked.choices) == ("Once upon a time", 4, 2)
    assert (asked.stream, asked.include_usage, asked.stop) == (True, False, (".",))


@pytest.mark.parametrize(
    ("prompt", "text", "tokens", "choices"),
    [
        (None, "", 0, 2),
        (["One two", "Three"], "Three", 3, 4),
        ([1, 2, 3], "", 3, 2),
        ([[1, 2], [3]], "", 3, 4),
    ],
)
def test_completions_of_other_prompts(prompt: object, text: str, tokens: int, choices: int) -> None:
    asked = ask(COMPLETIONS, {"model": "m", "prompt": prompt, "n": 2})
    assert (asked.prompt, asked.prompt_tokens, asked.choices) == (text, tokens, choices)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"prompt": []}, "prompt"),
        ({"prompt": 5}, "prompt"),
        ({"prompt": ["a", 5]}, "prompt[1]"),
        ({"prompt": [True]}, "prompt[0]"),
        ({"prompt": ["a"] * 65, "n": 2}, "n"),
        ({"best_of": 1, "n": 2}, "best_of"),
        ({"max_tokens": 0}, "max_tokens"),
    ],
)
def test_completions_that_make_no_sense(fields: dict[str, object], param: str) -> None:
    told = refused(COMPLETIONS, {"model": "m", "prompt": "?", **fields})
    assert (told.status, told.error["param"]) == (400, param)


def test_the_least_that_a_response_needs() -> None:
    asked = ask(RESPONSES, responses())
    assert (asked.prompt, asked.prompt_tokens, asked.stream, asked.include_usage) == ("Hello you", 2, False, True)


FLAT = {"type": "json_schema", "name": "city", "schema": SCHEMA}


@pytest.mark.parametrize(
    ("text", "schema"),
    [
        (None, None),
        ({"verbosity": "low"}, None),
        ({"format": {"type": "text"}}, None),
        ({"format": {"type": "json_object"}}, {}),
        ({"format": FLAT}, SCHEMA),
    ],
)
def test_what_a_response_has_to_fit(text: object, schema: object) -> None:
    assert ask(RESPONSES, responses(text=text)).schema == schema


def test_a_response_repeats_what_was_asked() -> None:
    fields = {"instructions": "Be kind.", "temperature": 0, "metadata": {}, "tools": [], "user": None}
    echoed = ask(RESPONSES, responses(**fields)).echoed
    assert echoed == {f"openai-responses.{name}": value for name, value in fields.items() if value is not None}


def test_all_items_of_the_input_are_heard() -> None:
    items = [
        {"role": "user", "content": "One"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Two three"}]},
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Four"}]},
        {"type": "function_call", "call_id": "c", "name": "weather", "arguments": '{"city": "Ulm"}'},
        {"type": "function_call_output", "call_id": "c", "output": "Sunny"},
    ]
    asked = ask(RESPONSES, responses(input=items, instructions="Be kind."))
    assert (asked.prompt, asked.prompt_tokens, asked.tools_answered) == ("Four", 2 + 1 + 2 + 1 + 2 + 1, True)
    assert not ask(RESPONSES, responses(input=[*items, items[0]])).tools_answered


def test_outputs_may_be_parts_or_objects() -> None:
    for output in ([{"type": "input_text", "text": "Sunny"}], {"type": "computer_screenshot", "image_url": "x"}):
        kind = "computer_call_output" if isinstance(output, dict) else "custom_tool_call_output"
        item = {"type": kind, "call_id": "c", "output": output}
        assert ask(RESPONSES, responses(input=[item])).tools_answered


def test_a_response_may_say_that_no_tools_are_to_be_called() -> None:
    for choice in ("auto", "none"):
        assert ask(RESPONSES, responses(tools=[], tool_choice=choice)).tools == ()
        assert refused(CHAT, chat(tools=[], tool_choice=choice)).error["param"] == "tool_choice"
    assert refused(RESPONSES, responses(tool_choice="required")).error["param"] == "tool_choice"


def test_a_response_may_go_on_from_another() -> None:
    assert ask(RESPONSES, {"model": "m", "previous_response_id": "resp_1"}).prompt == ""


@pytest.mark.parametrize(
    ("choice", "expected", "names"),
    [
        (None, "auto", ["weather", "note"]),
        ("required", "required", ["weather", "note"]),
        ({"type": "function", "name": "weather"}, "weather", ["weather", "note"]),
        ({"type": "custom", "name": "note"}, "note", ["weather", "note"]),
        ({"type": "web_search_preview"}, "auto", ["weather", "note"]),
        (
            {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "weather"}]},
            "auto",
            ["weather"],
        ),
    ],
)
def test_tools_of_a_response(choice: object, expected: str, names: list[str]) -> None:
    tools = [{"type": "function", **FUNCTION}, {"type": "custom", "name": "note"}, {"type": "web_search"}]
    asked = ask(RESPONSES, responses(tools=tools, tool_choice=choice))
    assert (asked.tool_choice, [tool.name for tool in asked.tools]) == (expected, names)
    assert asked.tools[0].parameters == SCHEMA


@pytest.mark.parametrize(("effort", "reasoning"), [("high", True), ("none", False), (None, None)])
def test_whether_a_response_is_to_think(effort: str | None, reasoning: bool | None) -> None:
    assert ask(RESPONSES, responses(reasoning={"effort": effort, "summary": "auto"})).reasoning is reasoning


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"input": None}, "input", "missing_required_parameter"),
        ({"input": 5}, "input", "invalid_type"),
        ({"input": [{"role": "user"}]}, "input[0].content", "missing_required_parameter"),
        ({"input": [{"role": "bot", "content": "?"}]}, "input[0].role", "invalid_value"),
        ({"input": [{"type": "function_call_output"}]}, "input[0].call_id", "missing_required_parameter"),
        ({"max_output_tokens": 15}, "max_output_tokens", "integer_below_min_value"),
        ({"stream_options": {}}, "stream_options", None),
        ({"tools": [{"type": "function"}]}, "tools[0].name", "missing_required_parameter"),
        ({"reasoning": "high"}, "reasoning", "invalid_type"),
        ({"text": {"format": "json"}}, "text.format", "invalid_type"),
        (
            {"text": {"format": {"type": "json_schema", "name": "a"}}},
            "text.format.schema",
            "missing_required_parameter",
        ),
        ({"text": {"format": {**FLAT, "schema": {"type": "array"}}}}, "text.format.schema", "invalid_json_schema"),
    ],
)
def test_responses_that_make_no_sense(fields: dict[str, object], param: str, code: str | None) -> None:
    told = refused(RESPONSES, responses(**fields))
    assert (told.status, told.error["param"], told.error["code"]) == (400, param, code)
