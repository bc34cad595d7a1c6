"""Anthropic's Messages: what is understood of every form of request, and its own words for what is wrong."""

from __future__ import annotations

from typing import Any

import anthropic
import httpx2
import pytest
from anthropic.types import message_create_params, tool_param
from anthropic.types.beta import message_create_params as beta_params

from streamkit.dialects.request_messages import ChatMessage, ToolCall
from streamkit.dialects.requests import ChatRequest, ResponseSchema, Tool
from streamkit.vendors import Facts
from streamkit.vendors.reading import Reading
from tests.vendors.asking import answer, ask, is_newer, left_in, question, reading, refusal, refused

TABLES_OF = "2.11.0"
"""The version of anthropic after which the tables here were made."""

MESSAGES = "/v1/messages"

HELLO: dict[str, Any] = {"role": "user", "content": "Hello you"}
SCHEMA: dict[str, object] = {"type": "object", "properties": {"city": {"type": "string"}}}
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
    said = {"role": "assistant", "content": "It is sunny."}
    assert not ask(MESSAGES, body(messages=[*messages, said, HELLO])).tools_answered


def test_the_last_message_of_the_assistant_may_be_empty() -> None:
    assert ask(MESSAGES, body(messages=[HELLO, {"role": "assistant", "content": ""}])).prompt == "Hello you"


def test_tools_that_anthropic_runs_are_never_called() -> None:
    asked = ask(MESSAGES, body(tools=[WEATHER, SEARCH, {"type": "custom", "name": "note", "input_schema": {}}]))
    assert asked.tools == (Tool("weather", parameters=SCHEMA), Tool("note"))


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


RICH: dict[str, Any] = {
    "model": "claude",
    "max_tokens": 20_000,
    "system": [{"type": "text", "text": "Be kind."}, {"type": "text", "text": "Be short."}],
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "Is it sunny"}, {"type": "text", "text": " in Ulm?"}]},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "I should look.", "signature": "c2ln"},
                {"type": "text", "text": "One moment."},
                {"type": "tool_use", "id": "t1", "name": "weather", "input": {"city": "Ulm", "days": 1}},
                {"type": "tool_use", "id": "t2", "name": "time", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "And now?"},
                {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "Sunny"}]},
                {"type": "tool_result", "tool_use_id": "t2"},
            ],
        },
        {"role": "system", "content": "Be quick."},
        {"role": "assistant", "content": "It is"},
    ],
    "tools": [
        {"name": "weather", "description": "Tells it.", "input_schema": SCHEMA},
        {"type": "custom", "name": "time", "input_schema": {}},
    ],
    "tool_choice": {"type": "tool", "name": "weather", "disable_parallel_tool_use": True},
    "temperature": 0.5,
    "top_p": 0.9,
    "top_k": 40,
    "stop_sequences": ["END", "STOP"],
    "thinking": {"type": "enabled", "budget_tokens": 8192},
    "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}},
    "stream": True,
}

READ = ChatRequest(
    model="claude",
    messages=[
        ChatMessage("system", "Be kind.\n\nBe short."),
        ChatMessage("user", "Is it sunny in Ulm?"),
        ChatMessage(
            "assistant",
            "One moment.",
            [ToolCall("t1", "weather", '{"city":"Ulm","days":1}'), ToolCall("t2", "time", "{}")],
            reasoning="I should look.",
            signature="c2ln",
        ),
        ChatMessage("tool", "Sunny", tool_call_id="t1"),
        ChatMessage("tool", "", tool_call_id="t2"),
        ChatMessage("user", "And now?"),
        ChatMessage("system", "Be quick."),
        ChatMessage("assistant", "It is"),
    ],
    tools=[Tool("weather", "Tells it.", SCHEMA), Tool("time")],
    tool_choice="weather",
    parallel_tool_calls=False,
    max_tokens=20_000,
    temperature=0.5,
    top_p=0.9,
    top_k=40,
    stop=["END", "STOP"],
    response_format=ResponseSchema(SCHEMA),
    reasoning="medium",
    stream=True,
)


def test_everything_that_there_is_a_neutral_word_for() -> None:
    assert reading(MESSAGES, RICH) == Reading("anthropic", "sse", READ)


def test_the_same_as_the_sdk_sends_it() -> None:
    sent: list[bytes] = []

    def handle(request: httpx2.Request) -> httpx2.Response:
        sent.append(request.read())
        return httpx2.Response(200, content=b"", headers={"content-type": "text/event-stream"})

    with httpx2.Client(transport=httpx2.MockTransport(handle)) as http:
        client = anthropic.Anthropic(api_key="none", base_url="http://mock", max_retries=0, http_client=http)
        sampling = {name: RICH[name] for name in ("temperature", "top_p", "top_k")}  # the newest SDK has none of them
        client.messages.create(**{name: RICH[name] for name in RICH if name not in sampling}, extra_body=sampling)
    assert answer(question("POST", MESSAGES, raw=sent[0])) == Reading("anthropic", "sse", READ)


def test_a_system_text_alone_and_contents_of_one_text() -> None:
    read = reading(MESSAGES, body(system="Be kind.")).request
    assert read == ChatRequest(
        model="claude",
        messages=[ChatMessage("system", "Be kind."), ChatMessage("user", "Hello you")],
        max_tokens=100,
        stream=False,
    )


def test_thoughts_that_were_sealed_more_than_once_are_several_messages() -> None:
    content = [
        {"type": "redacted_thinking", "data": "c2VjcmV0"},
        {"type": "thinking", "thinking": "One", "signature": "s1"},
        {"type": "text", "text": "Two"},
        {"type": "thinking", "thinking": "Three", "signature": "s2"},
        {"type": "tool_use", "id": "t", "name": "weather", "input": {}},
    ]
    read = reading(MESSAGES, body(messages=[HELLO, {"role": "assistant", "content": content}, HELLO]))
    assert read.request.messages[1:-1] == [
        ChatMessage("assistant", encrypted="c2VjcmV0"),
        ChatMessage("assistant", "Two", reasoning="One", signature="s1"),
        ChatMessage("assistant", "", [ToolCall("t", "weather", "{}")], reasoning="Three", signature="s2"),
    ]


def test_texts_of_one_message_do_not_run_together_and_those_of_an_answer_are_one() -> None:
    blocks = [{"type": "text", "text": text} for text in ("12", "", "34\n", "56")]
    call = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "t", "content": blocks}
    messages = [
        {"role": "user", "content": blocks},
        {"role": "assistant", "content": [*blocks, call]},
        {"role": "user", "content": [result, *blocks]},
    ]
    found = reading(MESSAGES, body(messages=messages)).request.messages
    assert [message.text for message in found] == ["12\n34\n56", "1234\n56", "12\n34\n56", "12\n34\n56"]


@pytest.mark.parametrize("name", ["auto", "none", "required"])
def test_a_tool_that_has_to_be_called_may_have_the_name_of_another_choice(name: str) -> None:
    tools = [{"name": each, "input_schema": SCHEMA} for each in (name, "time")]
    found = reading(MESSAGES, body(tools=tools, tool_choice={"type": "tool", "name": name}))
    assert (found.request.tool_choice, [tool.name for tool in found.request.tools]) == ("required", [name])


def test_an_empty_message_at_the_end_says_nothing() -> None:
    empty: list[Any] = ["", []]
    for content in empty:
        read = reading(MESSAGES, body(messages=[HELLO, {"role": "assistant", "content": content}]))
        assert read.request.messages == [ChatMessage("user", "Hello you")]


@pytest.mark.parametrize(
    ("fields", "reasoning"),
    [
        ({}, None),
        ({"thinking": {"type": "disabled"}}, False),
        ({"thinking": {"type": "adaptive"}}, True),
        ({"thinking": {"type": "adaptive", "display": "summarized"}, "output_config": {"effort": "max"}}, "max"),
        ({"thinking": {"type": "disabled"}, "output_config": {"effort": "low"}}, False),
        ({"output_config": {"effort": "low"}}, "low"),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, "minimal"),
        ({"thinking": {"type": "enabled", "budget_tokens": 3000}}, "low"),
        ({"thinking": {"type": "enabled", "budget_tokens": 10_000}}, "medium"),
        ({"thinking": {"type": "enabled", "budget_tokens": 16_384}}, "high"),
        ({"thinking": {"type": "enabled", "budget_tokens": 60_000}}, "xhigh"),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}, "output_config": {"effort": "high"}}, "high"),
    ],
)
def test_how_hard_the_model_is_to_think(fields: dict[str, object], reasoning: object) -> None:
    found = reading(MESSAGES, body(max_tokens=100_000, **fields))
    assert (found.request.reasoning, found.leftovers) == (reasoning, ())


SOURCE = {"type": "base64", "media_type": "image/png", "data": "AA=="}


@pytest.mark.parametrize("kind", ["image", "document", "search_result", "server_tool_use", "container_upload", "odd"])
def test_content_that_is_no_text_cannot_be_translated(kind: str) -> None:
    block = {"type": kind, "source": SOURCE}
    text = {"type": "text", "text": "What is this?"}
    found = reading(MESSAGES, body(messages=[{"role": "user", "content": [block, text]}]))
    assert left_in(found) == [
        ("messages.0.content.0", f"messages.0.content.0: content of type '{kind}' cannot be translated")
    ]
    assert found.request.messages == [ChatMessage("user", "What is this?")]
    call = {"type": "tool_use", "id": "t", "name": "look", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "t", "content": [block]}
    messages = [{"role": "assistant", "content": [call]}, {"role": "user", "content": [result]}]
    [(place, what)] = left_in(reading(MESSAGES, body(messages=messages)))
    assert place == "messages.1.content.0.content.0"
    assert what is not None


@pytest.mark.parametrize(
    "tool", [SEARCH, {"type": "bash_20250124", "name": "bash"}, {"type": "computer_20250124", "name": "computer"}]
)
def test_tools_that_anthropic_has_defined_cannot_be_translated(tool: dict[str, str]) -> None:
    found = reading(MESSAGES, body(tools=[WEATHER, tool]))
    what = f"tools.1: a tool of type '{tool['type']}' is Anthropic's own and cannot be translated"
    assert left_in(found) == [("tools.1", what)]
    assert [each.name for each in found.request.tools] == ["weather"]


READABLE: dict[str, object] = {
    "max_tokens": 5,
    "messages": [HELLO],
    "model": "claude",
    "output_config": {"effort": "low"},
    "output_format": {"type": "json_schema", "schema": {}},
    "stop_sequences": ["END"],
    "stream": True,
    "system": "Be kind.",
    "temperature": 1,
    "thinking": {"type": "adaptive"},
    "tool_choice": {"type": "auto"},
    "tools": [WEATHER],
    "top_k": 1,
    "top_p": 1,
}

DROPPED: dict[str, object] = {
    "betas": ["output-128k"],
    "billing_policy": {},
    "cache_control": {"type": "ephemeral"},
    "compaction": {"type": "auto"},
    "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
    "diagnostics": {},
    "fallback_credit_token": "x",
    "fallbacks": [],
    "inference_geo": "us",
    "metadata": {"user_id": "u"},
    "service_tier": "auto",
    "speed": "fast",
    "user_profile_id": "u",
    "workspace_id": "w",
}

REFUSED: dict[str, object] = {
    "container": "c",
    "mcp_servers": [{"name": "m"}],
    "thread": {"id": "t"},
}


def test_every_parameter_that_the_sdk_knows_is_placed() -> None:
    plain = message_create_params.MessageCreateParamsBase.__annotations__
    beta = beta_params.MessageCreateParamsBase.__annotations__
    # What is in subclasses only; temperature and its like may have left the types of the newest version.
    others = {"stream", "output_format", "temperature", "top_k", "top_p"}
    new = {*plain, *beta, *others} - {*READABLE, *DROPPED, *REFUSED}
    assert not new or is_newer("anthropic", TABLES_OF)
    for name in new:
        assert left_in(reading(MESSAGES, body(**{name: {"odd": 1}}))), f"{name} is passed over in silence"
    for name, value in READABLE.items():
        assert left_in(reading(MESSAGES, body(**{name: value}))) == [], name
    for name, value in DROPPED.items():
        assert left_in(reading(MESSAGES, body(**{name: value}))) == [(name, None)]
    for name, value in REFUSED.items():
        what = f"{name}: it happens on Anthropic's servers and cannot be translated"
        assert left_in(reading(MESSAGES, body(**{name: value}))) == [(name, what)]


def test_every_field_of_a_tool_that_the_sdk_knows_is_placed() -> None:
    harmless: dict[str, object] = {
        "cache_control": {"type": "ephemeral"},
        "defer_loading": True,
        "eager_input_streaming": True,
        "input_examples": [{"city": "Ulm"}],
        "strict": True,
    }
    read = {"name", "input_schema", "description", "type"}
    known = {*harmless, *read, "allowed_callers"}
    assert known >= {*tool_param.ToolParam.__annotations__} or is_newer("anthropic", TABLES_OF)
    found = reading(MESSAGES, body(tools=[{**WEATHER, **harmless, "description": "?", "type": "custom"}]))
    assert sorted(left_in(found)) == [(f"tools.0.{name}", None) for name in sorted(harmless)]
    assert left_in(reading(MESSAGES, body(tools=[{**WEATHER, "allowed_callers": ["direct"]}]))) == []
    [(place, what)] = left_in(reading(MESSAGES, body(tools=[{**WEATHER, "allowed_callers": ["code_execution"]}])))
    assert (place, what is None) == ("tools.0.allowed_callers", False)


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"foo": 1}, "foo"),
        ({"messages": [{**HELLO, "foo": 1}]}, "messages.0.foo"),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "?", "foo": 1}]}]},
            "messages.0.content.0.foo",
        ),
        ({"tools": [{**WEATHER, "foo": 1}]}, "tools.0.foo"),
        ({"tool_choice": {"type": "auto", "foo": 1}}, "tool_choice.foo"),
        ({"thinking": {"type": "adaptive", "foo": 1}}, "thinking.foo"),
        ({"output_config": {"foo": 1}}, "output_config.foo"),
        ({"system": [{"type": "text", "text": "?", "foo": 1}]}, "system.0.foo"),
    ],
)
def test_a_field_that_anthropic_does_not_know(fields: dict[str, object], path: str) -> None:
    assert left_in(reading(MESSAGES, body(**fields))) == [(path, f"{path}: Extra inputs are not permitted")]
    assert ask(MESSAGES, body(**fields)).model == "claude"


def test_what_is_harmless_within_messages_is_named() -> None:
    cached = {"type": "ephemeral"}
    call = {"type": "tool_use", "id": "t", "name": "weather", "input": {}, "cache_control": cached}
    result = {"type": "tool_result", "tool_use_id": "t", "content": "?", "is_error": True, "cache_control": cached}
    text = {"type": "text", "text": "?", "cache_control": cached, "citations": []}
    messages = [HELLO, {"role": "assistant", "content": [call]}, {"role": "user", "content": [result, text]}]
    assert left_in(reading(MESSAGES, body(messages=messages))) == [
        ("messages.1.content.0.cache_control", None),
        ("messages.2.content.0.is_error", None),
        ("messages.2.content.0.cache_control", None),
        ("messages.2.content.1.cache_control", None),
    ]


def test_how_many_tokens_a_request_has() -> None:
    counted = {"model": "claude", "messages": [HELLO], "system": "Be kind."}
    assert answer(question("POST", "/v1/messages/count_tokens", counted)) == {"input_tokens": 4}
    assert refused("/v1/messages/count_tokens", {"model": "claude"}).error["message"] == "messages: Field required"


def test_a_server_that_cannot_count_says_so() -> None:
    counted = {"model": "claude", "messages": [HELLO]}
    told = refused("/v1/messages/count_tokens", counted, Facts())
    assert (told.status, told.error["message"]) == (404, "this server cannot count tokens")


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
        (
            {"messages": [{"role": "user", "content": [{"type": "tool_use", "id": "t", "name": "a", "input": {}}]}]},
            "messages.0: `tool_use` blocks can only be in `assistant` messages",
        ),
        (
            {"messages": [HELLO, {"role": "assistant", "content": [{"type": "tool_result", "tool_use_id": "t"}]}]},
            "messages.1: `tool_result` blocks can only be in `user` messages",
        ),
        (
            {"messages": [{"role": "assistant", "content": [{"type": "tool_use", "name": "a", "input": {}}]}]},
            "messages.0.content.0.id: Field required",
        ),
        (
            {
                "messages": [
                    {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "a", "input": 5}]}
                ]
            },
            "messages.0.content.0.input: Input should be a valid dictionary",
        ),
        (
            {"output_config": {"effort": "odd"}},
            "output_config.effort: Input should be 'low', 'medium', 'high', 'xhigh' or 'max'",
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
