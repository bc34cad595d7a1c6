"""Ollama's endpoints: what is understood of every form of request, and its own words for what is wrong."""

from __future__ import annotations

from typing import Any

import ollama._types as sdk
import pytest

from streamkit.dialects.request_messages import ChatMessage, ToolCall
from streamkit.dialects.requests import ChatRequest, ResponseSchema, Tool
from streamkit.vendors import Facts
from streamkit.vendors.reading import Reading
from tests.vendors.asking import answer, ask, is_newer, left_in, question, reading, refusal, refused

TABLES_OF = "0.6.3"
"""The version of ollama after which the tables here were made."""

CHAT = "/api/chat"
GENERATE = "/api/generate"

HELLO: dict[str, Any] = {"role": "user", "content": "Hello you"}
SCHEMA: dict[str, object] = {"type": "object", "properties": {"city": {"type": "string"}}}
CREATED = "2023-11-14T22:13:20.000000000Z"


def chat(**fields: object) -> dict[str, object]:
    return {"model": "llama3", "messages": [HELLO], **fields}


def generate(**fields: object) -> dict[str, object]:
    return {"model": "llama3", "prompt": "Hello you", **fields}


def test_a_chat_is_streamed_unless_it_says_otherwise() -> None:
    asked = ask(CHAT, chat())
    assert (asked.model, asked.prompt, asked.prompt_tokens, asked.stream) == ("llama3", "Hello you", 2, True)
    assert (asked.framing, asked.include_usage, asked.max_tokens, asked.reasoning) == ("ndjson", True, None, None)
    assert ask(CHAT, chat(stream=True)).stream
    assert not ask(CHAT, chat(stream=False)).stream


@pytest.mark.parametrize(("predict", "tokens"), [(5, 5), (5.0, 5), (-1, None), (-2, None), (0, None), (None, None)])
def test_how_many_tokens_may_be_answered(predict: float | None, tokens: int | None) -> None:
    assert ask(CHAT, chat(options={"num_predict": predict})).max_tokens == tokens


def test_options_are_heard() -> None:
    asked = ask(CHAT, chat(options={"stop": ["END"], "temperature": 0.5, "num_ctx": 4096}))
    assert asked.stop == ("END",)


@pytest.mark.parametrize(
    ("think", "reasoning"), [(True, True), (False, False), ("high", True), ("low", True), (None, None)]
)
def test_whether_the_model_is_to_think(think: object, reasoning: bool | None) -> None:
    assert ask(CHAT, chat(think=think)).reasoning is reasoning
    assert ask(GENERATE, generate(think=think)).reasoning is reasoning


@pytest.mark.parametrize(("form", "schema"), [(None, None), ("", None), ("json", {}), ({}, {}), (SCHEMA, SCHEMA)])
def test_what_an_answer_has_to_fit(form: object, schema: object) -> None:
    assert ask(CHAT, chat(format=form)).schema == schema
    assert ask(GENERATE, generate(format=form)).schema == schema


def test_a_long_value_is_cut_in_the_message() -> None:
    deep: object = 1
    for _ in range(200):
        deep = [deep]
    for form in ("x" * 10_000, deep):
        assert len(refused(CHAT, chat(format=form)).body["error"]) < 200


def test_tools_and_their_results() -> None:
    tools = [{"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}]
    call = {"function": {"name": "weather", "arguments": {"city": "Ulm"}}}
    messages = [
        HELLO,
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "tool_name": "weather", "content": "Sunny"},
    ]
    asked = ask(CHAT, chat(messages=messages, tools=tools))
    assert (asked.tools, asked.tools_answered, asked.prompt) == ((Tool("weather", "", SCHEMA),), True, "Hello you")
    assert asked.prompt_tokens == 3


def test_generate_hears_system_and_suffix() -> None:
    asked = ask(GENERATE, generate(system="Be kind.", suffix="Bye."))
    assert (asked.dialect, asked.prompt, asked.prompt_tokens) == ("ollama-generate", "Hello you", 5)


OPTIONS: dict[str, object] = {
    "num_predict": 500,
    "temperature": 0.5,
    "top_p": 0.9,
    "top_k": 40,
    "seed": 7,
    "stop": ["END"],
    "frequency_penalty": 0.1,
    "presence_penalty": -0.2,
}

SAMPLED: dict[str, Any] = {
    "max_tokens": 500,
    "temperature": 0.5,
    "top_p": 0.9,
    "top_k": 40,
    "seed": 7,
    "stop": ["END"],
    "frequency_penalty": 0.1,
    "presence_penalty": -0.2,
}


def test_everything_of_a_chat_that_there_is_a_neutral_word_for() -> None:
    calls = [
        {"id": "c1", "type": "function", "function": {"index": 0, "name": "weather", "arguments": {"city": "Ulm"}}},
        {"function": {"name": "time"}},
    ]
    messages = [
        {"role": "system", "content": "Be kind."},
        {"role": "User", "content": "Is it sunny?", "images": []},
        {"role": "assistant", "content": "One moment.", "thinking": "I should look.", "tool_calls": calls},
        {"role": "tool", "content": "Sunny", "tool_name": "weather", "tool_call_id": "c1"},
        {"role": "tool", "content": "Noon", "tool_name": "time"},
        {"role": "assistant", "content": "It is"},
    ]
    tools = [
        {"type": "function", "function": {"name": "weather", "description": "Tells it.", "parameters": SCHEMA}},
        {"type": "function", "function": {"name": "time"}},
    ]
    found = reading(CHAT, chat(messages=messages, tools=tools, options=OPTIONS, format=SCHEMA, think="low"))
    assert found == Reading(
        "ollama-chat",
        "ndjson",
        ChatRequest(
            model="llama3",
            messages=[
                ChatMessage("system", "Be kind."),
                ChatMessage("user", "Is it sunny?"),
                ChatMessage(
                    "assistant",
                    "One moment.",
                    [ToolCall("c1", "weather", '{"city":"Ulm"}'), ToolCall("", "time", "{}")],
                    reasoning="I should look.",
                ),
                ChatMessage("tool", "Sunny", tool_call_id="c1", tool_name="weather"),
                ChatMessage("tool", "Noon", tool_name="time"),
                ChatMessage("assistant", "It is"),
            ],
            tools=[Tool("weather", "Tells it.", SCHEMA), Tool("time")],
            response_format=ResponseSchema(SCHEMA),
            reasoning="low",
            **SAMPLED,
        ),
    )


def test_everything_of_a_completion_that_there_is_a_neutral_word_for() -> None:
    asked = generate(system="Be kind.", options=OPTIONS, format="json", think=False, stream=False, raw=False)
    assert reading(GENERATE, asked) == Reading(
        "ollama-generate",
        "ndjson",
        ChatRequest(
            model="llama3",
            messages=[ChatMessage("system", "Be kind."), ChatMessage("user", "Hello you")],
            response_format="json",
            reasoning=False,
            stream=False,
            **SAMPLED,
        ),
    )


HARMLESS: dict[str, object] = {"keep_alive": "5m", "top_logprobs": 2}

REFUSED: dict[str, object] = {
    "suffix": "Bye.",
    "template": "{{ .Prompt }}",
    "context": [1, 2],
    "raw": True,
    "images": ["AA=="],
    "logprobs": True,
    "width": 512,
    "height": 512,
    "steps": 20,
}


def test_every_parameter_that_the_sdk_knows_is_placed() -> None:
    read = {"model", "messages", "tools", "prompt", "system", "options", "format", "think", "stream"}
    new = {*sdk.ChatRequest.model_fields, *sdk.GenerateRequest.model_fields} - {*read, *HARMLESS, *REFUSED}
    assert not new or is_newer("ollama", TABLES_OF)
    for name in new:
        assert left_in(reading(CHAT, chat(**{name: {"odd": 1}}))), f"{name} is passed over in silence"
    for name, value in HARMLESS.items():
        assert left_in(reading(CHAT, chat(**{name: value}))) == [(name, None)]
        assert left_in(reading(GENERATE, generate(**{name: value}))) == [(name, None)]
    for name, value in REFUSED.items():
        [(place, what)] = left_in(reading(GENERATE, generate(**{name: value})))
        assert place == name
        assert what is not None
        assert what.startswith(f"{name}: ")


def test_every_option_that_the_sdk_knows_is_read_or_named() -> None:
    others = {*sdk.Options.model_fields} - {*OPTIONS}
    found = reading(CHAT, chat(options={**OPTIONS, **dict.fromkeys(others, 1)}))
    assert {*left_in(found)} == {(f"options.{name}", None) for name in others}
    assert found.request.seed == 7


def test_every_field_of_a_message_that_the_sdk_knows_is_placed() -> None:
    read = {"role", "content", "thinking", "tool_name", "tool_calls"}
    assert {*sdk.Message.model_fields} <= {*read, "images"} or is_newer("ollama", TABLES_OF)
    found = reading(CHAT, chat(messages=[{**HELLO, "images": ["AA=="]}]))
    assert left_in(found) == [("messages.0.images", "messages[0].images: images cannot be translated")]


def test_what_ollama_does_not_know_it_passes_over() -> None:
    call = {"function": {"name": "time", "foo": 1}, "foo": 1}
    tool = {"type": "function", "function": {"name": "time", "foo": 1}, "foo": 1}
    message = {"role": "assistant", "content": "?", "tool_calls": [call], "foo": 1}
    found = reading(CHAT, chat(messages=[message], tools=[tool], options={"foo": 1}, foo=1))
    assert {*left_in(found)} == {
        *(("messages.0.tool_calls.0.function.foo", None), ("messages.0.tool_calls.0.foo", None)),
        *(("messages.0.foo", None), ("tools.0.function.foo", None), ("tools.0.foo", None)),
        *(("options.foo", None), ("foo", None)),
    }
    assert len(found.leftovers) == 7


def test_roles_that_there_are_no_others_of() -> None:
    found = reading(CHAT, chat(messages=[{"role": "critic", "content": "?"}, {**HELLO, "tool_calls": [{}]}]))
    assert left_in(found) == [
        ("messages.0", "messages[0]: a message of the role 'critic' cannot be translated"),
        ("messages.1.tool_calls", "messages[1].tool_calls: only the assistant calls tools"),
    ]
    assert [message.role for message in found.request.messages] == ["user", "user"]


def test_a_whole_number_may_have_a_point() -> None:
    assert reading(CHAT, chat(options={"top_k": 40.0, "seed": 7.9})).request.seed == 7
    told = refused(CHAT, chat(options={"seed": "7"}))
    assert (told.status, told.body) == (500, {"error": 'option "seed" must be of type integer'})


def test_without_anything_to_answer_the_model_is_loaded() -> None:
    loaded = {"model": "llama3", "created_at": CREATED, "done": True, "done_reason": "load"}
    message = {"role": "assistant", "content": ""}
    assert answer(question("POST", CHAT, {"model": "llama3"})) == {**loaded, "message": message}
    assert answer(question("POST", CHAT, {"model": "llama3", "messages": []})) == {**loaded, "message": message}
    assert answer(question("POST", GENERATE, {"model": "llama3"})) == {**loaded, "response": ""}


@pytest.mark.parametrize(
    ("keep_alive", "reason"),
    [(0, "unload"), ("0", "unload"), ("5m", "load"), (300, "load"), (None, "load"), ([], "load")],
)
def test_or_unloaded(keep_alive: object, reason: str) -> None:
    found = answer(question("POST", GENERATE, {"model": "llama3", "keep_alive": keep_alive}))
    assert isinstance(found, dict)
    assert found["done_reason"] == reason


@pytest.mark.parametrize(
    ("target", "body", "status", "message"),
    [
        (CHAT, {"messages": [HELLO]}, 400, "model is required"),
        (GENERATE, {"prompt": "?"}, 404, "model '' not found"),
        (
            CHAT,
            chat(messages="Hello"),
            400,
            "json: cannot unmarshal string into Go struct field ChatRequest.messages of type []interface {}",
        ),
        (
            CHAT,
            chat(messages=[{"role": "user", "content": [{"type": "text", "text": "?"}]}]),
            400,
            "json: cannot unmarshal array into Go struct field ChatRequest.messages.content of type string",
        ),
        (
            GENERATE,
            generate(stream="no"),
            400,
            "json: cannot unmarshal string into Go struct field GenerateRequest.stream of type bool",
        ),
        (
            GENERATE,
            generate(prompt=5),
            400,
            "json: cannot unmarshal number into Go struct field GenerateRequest.prompt of type string",
        ),
        (CHAT, chat(options={"temperature": "hot"}), 500, 'option "temperature" must be of type float32'),
        (CHAT, chat(options={"stop": "END"}), 500, 'option "stop" must be of type array'),
        (
            CHAT,
            chat(think="hard"),
            400,
            'invalid think value: "hard" (must be "high", "medium", "low", "max", true, or false)',
        ),
        (
            CHAT,
            chat(format="xml"),
            500,
            r'invalid format: "\"xml\""; expected "json" or a valid JSON Schema object',
        ),
        (GENERATE, generate(format=[1]), 500, 'invalid format: "[1]"; expected "json" or a valid JSON Schema object'),
        (
            GENERATE,
            generate(raw=True, system="?"),
            400,
            "raw mode does not support template, system, or context",
        ),
    ],
)
def test_ollamas_words_for_what_is_wrong(target: str, body: object, status: int, message: str) -> None:
    told = refused(target, body)
    assert (told.status, told.body) == (status, {"error": message})


def test_an_unknown_model() -> None:
    told = refused(CHAT, chat(model="gpt"), Facts(models=("llama3",)))
    assert (told.status, told.body) == (404, {"error": "model 'gpt' not found"})


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "missing request body"),
        (b" \n", "missing request body"),
        (b'{"model": "m"', "unexpected EOF"),
        (b"[]", "json: cannot unmarshal array into Go value of type api.ChatRequest"),
        (b"5", "json: cannot unmarshal number into Go value of type api.ChatRequest"),
        (b"true", "json: cannot unmarshal bool into Go value of type api.ChatRequest"),
    ],
)
def test_what_is_no_json_object(raw: bytes, message: str) -> None:
    told = refusal(question("POST", CHAT, raw=raw))
    assert (told.status, told.body) == (400, {"error": message})


def test_the_character_that_is_wrong_is_told() -> None:
    told = refusal(question("POST", CHAT, raw=b'{"model": model}'))
    assert told.body["error"].startswith("invalid character 'm' in the request body at byte 10: ")
