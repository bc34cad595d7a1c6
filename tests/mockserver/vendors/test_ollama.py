"""Ollama's endpoints: what is understood of every form of request, and its own words for what is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from mockserver.ask import Tool
from mockserver.vendors import Facts
from tests.mockserver.vendors.asking import answer, ask, question, refusal, refused

CHAT = "/api/chat"
GENERATE = "/api/generate"

HELLO: dict[str, Any] = {"role": "user", "content": "Hello you"}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
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
    assert (asked.tools, asked.tools_answered, asked.prompt) == ((Tool("weather", SCHEMA),), True, "Hello you")
    assert asked.prompt_tokens == 3


def test_generate_hears_system_and_suffix() -> None:
    asked = ask(GENERATE, generate(system="Be kind.", suffix="Bye."))
    assert (asked.dialect, asked.prompt, asked.prompt_tokens) == ("ollama-generate", "Hello you", 5)


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
