"""Gemini: what is understood of every form of request, and Google's own words for what is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from mockserver.ask import Tool
from mockserver.vendors import Facts
from tests.mockserver.vendors.asking import answer, ask, question, refusal, refused

STREAM = "/v1beta/models/gemini-3:streamGenerateContent"
DOCUMENT = "/v1beta/models/gemini-3:generateContent"

HELLO: dict[str, Any] = {"role": "user", "parts": [{"text": "Hello"}, {"text": " you"}]}


def body(**fields: object) -> dict[str, object]:
    return {"contents": [HELLO], **fields}


def test_the_least_that_a_request_needs() -> None:
    asked = ask(f"{STREAM}?alt=sse&key=k", body())
    assert (asked.model, asked.prompt, asked.prompt_tokens) == ("gemini-3", "Hello you", 2)
    assert (asked.stream, asked.framing, asked.choices, asked.reasoning) == (True, "sse", 1, None)


def test_the_form_of_the_answer_is_told_by_the_path_and_by_alt() -> None:
    assert ask(STREAM, body()).framing == "json-array"
    assert ask(f"{STREAM}?alt=json", body()).framing == "json-array"
    assert ask(f"{STREAM}?$alt=sse", body()).framing == "sse"
    assert not ask(DOCUMENT, body()).stream
    assert refused(f"{STREAM}?alt=proto", body()).status == 400


def test_a_models_name_may_have_a_colon() -> None:
    assert ask("/v1beta/models/llama3:8b:streamGenerateContent", body()).model == "llama3:8b"


def test_contents_without_a_role_are_the_users() -> None:
    assert ask(DOCUMENT, {"contents": [{"parts": [{"text": "Hi"}]}]}).prompt == "Hi"


def test_keys_may_be_written_with_underscores() -> None:
    config = {"max_output_tokens": 5, "stop_sequences": ["END"], "candidate_count": 2, "top_p": 1}
    asked = ask(DOCUMENT, body(generation_config=config, system_instruction={"parts": [{"text": "Be kind."}]}))
    assert (asked.max_tokens, asked.stop, asked.choices, asked.prompt_tokens) == (5, ("END",), 2, 4)


def test_keys_in_camel_case() -> None:
    config = {"maxOutputTokens": 5, "stopSequences": ["END"], "candidateCount": 2, "temperature": 2}
    asked = ask(DOCUMENT, body(generationConfig=config, systemInstruction={"parts": [{"text": "Be kind."}]}))
    assert (asked.max_tokens, asked.stop, asked.choices, asked.prompt_tokens) == (5, ("END",), 2, 4)


def test_a_response_of_a_function_means_that_the_tools_have_answered() -> None:
    call = {"role": "model", "parts": [{"functionCall": {"name": "weather", "args": {}}}]}
    response = {"functionResponse": {"name": "weather", "response": {"sky": "blue"}}}
    for role in ("user", "function", "tool"):
        asked = ask(DOCUMENT, body(contents=[HELLO, call, {"role": role, "parts": [response]}]))
        assert (asked.tools_answered, asked.prompt, asked.prompt_tokens) == (True, "Hello you", 3)


SCHEMA = {
    "type": "OBJECT",
    "properties": {
        "type": {"type": "STRING", "enum": ["A", "B"]},
        "days": {"type": "ARRAY", "items": {"type": "INTEGER"}},
    },
    "required": ["type"],
}

LOWERED = {
    "type": "object",
    "properties": {
        "type": {"type": "string", "enum": ["A", "B"]},
        "days": {"type": "array", "items": {"type": "integer"}},
    },
    "required": ["type"],
}


def test_functions_have_their_schemas_as_json_schema_has_them() -> None:
    tools = [
        {"functionDeclarations": [{"name": "weather", "parameters": SCHEMA}, {"name": "bare"}]},
        {"googleSearch": {}},
        {"function_declarations": [{"name": "other", "parameters_json_schema": LOWERED}]},
    ]
    asked = ask(DOCUMENT, body(tools=tools))
    assert asked.tools == (Tool("weather", LOWERED), Tool("bare"), Tool("other", LOWERED))


def test_a_schema_without_a_bottom_is_cut() -> None:
    schema: dict[str, object] = {"type": "STRING"}
    for _ in range(200):
        schema = {"type": "ARRAY", "items": schema}
    asked = ask(DOCUMENT, body(tools=[{"functionDeclarations": [{"name": "deep", "parameters": schema}]}]))
    assert asked.tools[0].parameters["type"] == "array"


@pytest.mark.parametrize(
    ("calling", "expected", "names"),
    [
        ({}, "auto", ["a", "b"]),
        ({"mode": "AUTO"}, "auto", ["a", "b"]),
        ({"mode": "NONE"}, "none", ["a", "b"]),
        ({"mode": "ANY", "allowedFunctionNames": ["b"]}, "required", ["b"]),
    ],
)
def test_which_function_has_to_be_called(calling: dict[str, object], expected: str, names: list[str]) -> None:
    tools = [{"functionDeclarations": [{"name": "a"}, {"name": "b"}]}]
    asked = ask(DOCUMENT, body(tools=tools, toolConfig={"functionCallingConfig": calling}))
    assert (asked.tool_choice, [tool.name for tool in asked.tools]) == (expected, names)


@pytest.mark.parametrize(
    ("config", "reasoning"),
    [
        ({"includeThoughts": True}, True),
        ({"includeThoughts": False}, False),
        ({"includeThoughts": True, "thinkingBudget": 0}, False),
        ({"thinkingLevel": "HIGH"}, None),
    ],
)
def test_whether_thoughts_are_to_be_seen(config: object, reasoning: bool | None) -> None:
    assert ask(DOCUMENT, body(generationConfig={"thinkingConfig": config})).reasoning is reasoning


@pytest.mark.parametrize(
    ("config", "schema"),
    [
        ({}, None),
        ({"responseMimeType": "text/plain"}, None),
        ({"responseMimeType": "application/json"}, {}),
        ({"responseMimeType": "application/json", "responseSchema": {"type": "ARRAY"}}, {"type": "array"}),
        ({"response_mime_type": "application/json", "response_schema": {"type": "ARRAY"}}, {"type": "array"}),
        ({"responseMimeType": "text/x.enum", "responseSchema": {"enum": ["A"]}}, {"enum": ["A"]}),
        ({"responseJsonSchema": {"const": 1}}, {"const": 1}),
    ],
)
def test_what_an_answer_has_to_fit(config: object, schema: object) -> None:
    assert ask(DOCUMENT, body(generationConfig=config)).schema == schema


def test_models_and_counts() -> None:
    facts = Facts(models=("gemini-3",))
    listed = answer(question("GET", "/v1beta/models"), facts)
    assert isinstance(listed, dict)
    assert [model["name"] for model in listed["models"]] == ["models/gemini-3"]
    assert answer(question("GET", "/v1beta/models/gemini-3"), facts) == listed["models"][0]
    assert refusal(question("GET", "/v1beta/models/gemini-9"), facts).error["status"] == "NOT_FOUND"
    assert answer(question("POST", "/v1beta/models/gemini-3:countTokens", body())) == {"totalTokens": 2}
    inner = {"generateContentRequest": {"model": "models/gemini-3", **body()}}
    assert answer(question("POST", "/v1beta/models/gemini-3:countTokens", inner)) == {"totalTokens": 2}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"contents": None}, "* GenerateContentRequest.contents: contents is not specified\n"),
        ({"contents": []}, "* GenerateContentRequest.contents: contents is not specified\n"),
        ({"contents": "Hello"}, "Invalid value at 'contents' (LIST), \"Hello\""),
        (
            {"contents": [HELLO, {"role": "user", "parts": []}]},
            "* GenerateContentRequest.contents[1].parts: contents.parts must not be empty\n",
        ),
        ({"contents": [{"role": "bot", "parts": [{"text": "?"}]}]}, "Please use a valid role: user, model."),
        ({"contents": [{"parts": [{"text": 5}]}]}, "Invalid value at 'contents[0].parts[0].text' (TYPE_STRING), 5"),
        (
            {"generationConfig": {"maxOutputTokens": "many"}},
            "Invalid value at 'generation_config.max_output_tokens' (TYPE_INT32), \"many\"",
        ),
        (
            {"generationConfig": {"maxOutputTokens": 0}},
            "* GenerateContentRequest.generation_config.max_output_tokens: max_output_tokens must be positive\n",
        ),
        (
            {"generationConfig": {"temperature": 3}},
            (
                "* GenerateContentRequest.generation_config.temperature: "
                "temperature must be in the range [0.0, 2.0], not 3\n"
            ),
        ),
        (
            {"generationConfig": {"candidateCount": 9}},
            (
                "* GenerateContentRequest.generation_config.candidate_count: "
                "candidate_count must be in the range [1, 8], not 9\n"
            ),
        ),
        (
            {"generationConfig": {"stopSequences": ["1", "2", "3", "4", "5", "6"]}},
            "* GenerateContentRequest.generation_config.stop_sequences: at most 5 stop sequences are supported\n",
        ),
        (
            {"tools": [{"functionDeclarations": [{}]}]},
            "* GenerateContentRequest.tools[0].function_declarations[0].name: name is not specified\n",
        ),
        (
            {"generationConfig": {"responseSchema": "STRING"}},
            "Invalid value at 'generation_config.response_schema' (TYPE_MESSAGE), \"STRING\"",
        ),
    ],
)
def test_googles_words_for_what_is_wrong(fields: dict[str, object], message: str) -> None:
    told = refused(DOCUMENT, body(**fields))
    assert told.body == {"error": {"code": 400, "message": message, "status": "INVALID_ARGUMENT"}}
    assert told.status == 400


def test_who_asked_for_an_array_gets_one_with_the_error() -> None:
    error = refused(DOCUMENT, body(contents=[])).body
    assert refused(f"{STREAM}?alt=sse", body(contents=[])).body == error
    assert refused(STREAM, body(contents=[])).body == [error]


def test_a_long_value_is_cut_in_the_message() -> None:
    told = refused(DOCUMENT, body(contents="x" * 10_000))
    assert len(told.error["message"]) < 150


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"\xff\xff"])
def test_what_is_no_json_object(raw: bytes) -> None:
    told = refusal(question("POST", f"{STREAM}?alt=sse", raw=raw))
    assert told.error["message"].startswith("Invalid JSON payload received.")
    assert told.error["status"] == "INVALID_ARGUMENT"
