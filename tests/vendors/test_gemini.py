"""Gemini: what is understood of every form of request, and Google's own words for what is wrong."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pydantic
import pytest
from google import genai
from google.genai import types

from streamkit.dialects.request_messages import ChatMessage, ToolCall
from streamkit.dialects.requests import ChatRequest, ResponseSchema, Tool
from streamkit.vendors import Facts
from streamkit.vendors.reading import Reading
from tests.vendors.asking import ANY, answer, ask, is_newer, left_in, question, reading, refusal, refused

TABLES_OF = "3.4.0"
"""The version of google-genai after which the tables here were made."""

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


SCHEMA: dict[str, object] = {
    "type": "OBJECT",
    "properties": {
        "type": {"type": "STRING", "enum": ["A", "B"]},
        "days": {"type": "ARRAY", "items": {"type": "INTEGER"}},
    },
    "required": ["type"],
}

LOWERED: dict[str, object] = {
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
    assert asked.tools == (Tool("weather", "", LOWERED), Tool("bare"), Tool("other", "", LOWERED))


def test_a_schema_that_is_too_deep_is_refused_and_not_cut() -> None:
    schema: dict[str, object] = {"type": "STRING"}
    for depth in range(200):
        if depth == 60:
            parameters = schema_asked(schema)
        schema = {"type": "ARRAY", "items": schema}
    for _ in range(60):
        assert parameters["type"] == "array"
        parameters = parameters["items"]
    assert parameters == {"type": "string"}
    told = refused(DOCUMENT, body(tools=[{"functionDeclarations": [{"name": "deep", "parameters": schema}]}]))
    assert "nested deeper than 64 levels" in told.error["message"]


def schema_asked(schema: object) -> dict[str, Any]:
    """What is read of the schema of a function's parameters."""
    asked = ask(DOCUMENT, body(tools=[{"functionDeclarations": [{"name": "f", "parameters": schema}]}]))
    return dict(asked.tools[0].parameters)


@pytest.mark.parametrize(
    ("googles", "expected"),
    [
        ({"type": "STRING", "nullable": True}, {"type": ["string", "null"]}),
        ({"type": "STRING", "nullable": False}, {"type": "string"}),
        (
            {"type": "STRING", "format": "enum", "enum": ["a", "b"], "nullable": True},
            {"type": ["string", "null"], "format": "enum", "enum": ["a", "b", None]},
        ),
        (
            {"anyOf": [{"type": "STRING"}, {"type": "INTEGER"}], "nullable": True},
            {"anyOf": [{"type": "string"}, {"type": "integer"}, {"type": "null"}]},
        ),
        ({"any_of": [{"type": "STRING", "max_length": "4"}]}, {"anyOf": [{"type": "string", "maxLength": 4}]}),
        (
            {"type": "ARRAY", "minItems": "2", "max_items": 3, "items": {"type": "NUMBER", "minimum": "0.5"}},
            {"type": "array", "minItems": 2, "maxItems": 3, "items": {"type": "number", "minimum": 0.5}},
        ),
        (
            {"type": "OBJECT", "properties": {"nullable": {"type": "BOOLEAN"}}, "propertyOrdering": ["nullable"]},
            {"type": "object", "properties": {"nullable": {"type": "boolean"}}},
        ),
        ({"type": "OBJECT", "property_ordering": [], "required": ["a"]}, {"type": "object", "required": ["a"]}),
        ({"type": "TYPE_UNSPECIFIED", "title": "Any"}, {"title": "Any"}),
        ({"type": ["string"], "nullable": True}, {"type": ["string", "null"]}),
    ],
)
def test_googles_schemas_say_the_same_as_json_schema(googles: object, expected: object) -> None:
    assert schema_asked(googles) == expected
    config = {"responseMimeType": "application/json", "responseSchema": googles}
    form = reading(DOCUMENT, body(generationConfig=config)).request.response_format
    assert isinstance(form, ResponseSchema)
    assert form.schema == expected


def test_an_optional_field_of_the_sdks_own_schema_may_be_null() -> None:
    class City(pydantic.BaseModel):
        name: str | None
        size: int | str

    sent: list[bytes] = []

    def answered(request: httpx2.Request) -> httpx2.Response:
        sent.append(request.content)
        return httpx2.Response(200, json={"candidates": []})

    config = types.GenerateContentConfig(response_mime_type="application/json", response_schema=City)
    with httpx2.Client(transport=httpx2.MockTransport(answered)) as http:
        options = types.HttpOptions(base_url="http://gemini.test", httpx_client=http)
        client = genai.Client(api_key="none", vertexai=False, http_options=options)
        client.models.generate_content(model="gemini-3", contents="?", config=config)
    form = reading(DOCUMENT, json.loads(sent[0])).request.response_format
    assert isinstance(form, ResponseSchema)
    properties: Any = form.schema["properties"]
    assert properties["name"]["type"] == ["string", "null"]
    assert [each["type"] for each in properties["size"]["anyOf"]] == ["integer", "string"]


def test_protobufs_json_has_more_than_one_form() -> None:
    found = reading(
        DOCUMENT,
        {
            "system_instruction": {"parts": {"text": "You are a cat"}},
            "contents": {"parts": {"text": "Hello there"}},
            "tools": {"functionDeclarations": {"name": "f"}},
            "toolConfig": {"function_calling_config": {"mode": "any"}},
            "generationConfig": {
                "maxOutputTokens": "100",
                "seed": 5.0,
                "temperature": "0.5",
                "topK": "40.0",
                "stopSequences": "END",
            },
        },
    )
    request = found.request
    assert request.messages == [ChatMessage("system", "You are a cat"), ChatMessage("user", "Hello there")]
    assert (request.max_tokens, request.seed, request.temperature, request.top_k) == (100, 5, 0.5, 40)
    assert (request.tools, request.tool_choice, request.stop) == ([Tool("f")], "required", ["END"])
    assert found.leftovers == ()


def test_a_system_instruction_may_be_a_text() -> None:
    found = reading(DOCUMENT, body(systemInstruction="Be kind."))
    assert found.request.messages[0] == ChatMessage("system", "Be kind.")


@pytest.mark.parametrize("number", ["1e999", "nan", "0x10", "1_000", "", " 5", "9" * 5000, True, "1.5"])
def test_a_text_that_is_no_number_is_none(number: object) -> None:
    assert "TYPE_INT32" in refused(DOCUMENT, body(generationConfig={"maxOutputTokens": number})).error["message"]


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
        ({"thinkingLevel": "HIGH"}, True),
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


RICH: dict[str, Any] = {
    "systemInstruction": {"parts": [{"text": "Be kind."}, {"text": "Be short."}]},
    "contents": [
        {"role": "user", "parts": [{"text": "Is it sunny"}, {"text": " in Ulm?"}]},
        {
            "role": "model",
            "parts": [
                {"text": "I should look.", "thought": True},
                {"text": "One moment."},
                {
                    "functionCall": {"id": "c1", "name": "weather", "args": {"city": "Ulm", "days": 1}},
                    "thoughtSignature": "c2ln",
                },
                {"functionCall": {"name": "time"}},
            ],
        },
        {
            "role": "user",
            "parts": [
                {"functionResponse": {"id": "c1", "name": "weather", "response": {"sky": "blue"}}},
                {"functionResponse": {"name": "time", "response": {"output": "Noon"}}},
            ],
        },
        {"role": "user", "parts": [{"text": "And now?"}]},
    ],
    "tools": [
        {
            "functionDeclarations": [
                {"name": "weather", "description": "Tells it.", "parametersJsonSchema": LOWERED},
                {"name": "time"},
            ]
        }
    ],
    "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["weather"]}},
    "generationConfig": {
        "maxOutputTokens": 500,
        "temperature": 0.5,
        "topP": 0.9,
        "topK": 40,
        "seed": 7,
        "stopSequences": ["END"],
        "frequencyPenalty": 0.1,
        "presencePenalty": -0.2,
        "candidateCount": 2,
        "responseMimeType": "application/json",
        "responseJsonSchema": LOWERED,
        "thinkingConfig": {"includeThoughts": True, "thinkingLevel": "LOW"},
    },
}

READ = ChatRequest(
    model="gemini-3",
    messages=[
        ChatMessage("system", "Be kind.\n\nBe short."),
        ChatMessage("user", "Is it sunny in Ulm?"),
        ChatMessage(
            "assistant",
            "One moment.",
            [ToolCall("c1", "weather", '{"city":"Ulm","days":1}'), ToolCall("", "time", "{}")],
            reasoning="I should look.",
            signature="c2ln",
        ),
        ChatMessage("tool", '{"sky":"blue"}', tool_call_id="c1", tool_name="weather"),
        ChatMessage("tool", "Noon", tool_name="time"),
        ChatMessage("user", "And now?"),
    ],
    tools=[Tool("weather", "Tells it.", LOWERED), Tool("time")],
    tool_choice="weather",
    max_tokens=500,
    temperature=0.5,
    top_p=0.9,
    top_k=40,
    seed=7,
    stop=["END"],
    frequency_penalty=0.1,
    presence_penalty=-0.2,
    n=2,
    response_format=ResponseSchema(LOWERED),
    reasoning="low",
)


def test_everything_that_there_is_a_neutral_word_for() -> None:
    assert reading(f"{STREAM}?alt=sse", RICH) == Reading("gemini", "sse", READ)


def test_the_same_with_underscores() -> None:
    underscored = {
        "system_instruction": RICH["systemInstruction"],
        "contents": [HELLO],
        "tool_config": {"function_calling_config": {"mode": "ANY", "allowed_function_names": ["time"]}},
        "tools": [{"function_declarations": [{"name": "time", "parameters_json_schema": LOWERED}]}],
        "generation_config": {"top_k": 4, "thinking_config": {"thinking_level": "high"}},
    }
    found = reading(STREAM, underscored)
    assert found == Reading(
        "gemini",
        "json-array",
        ChatRequest(
            model="gemini-3",
            messages=[ChatMessage("system", "Be kind.\n\nBe short."), ChatMessage("user", "Hello you")],
            tools=[Tool("time", "", LOWERED)],
            tool_choice="time",
            top_k=4,
            reasoning="high",
        ),
    )


def test_what_the_sdk_sends_is_read_and_nothing_is_left() -> None:
    sent: list[tuple[str, bytes]] = []

    def handle(request: httpx2.Request) -> httpx2.Response:
        sent.append((str(request.url), request.read()))
        return httpx2.Response(200, content=b"{}", headers={"content-type": "application/json"})

    config = types.GenerateContentConfig(
        system_instruction="Be kind.",
        max_output_tokens=500,
        top_k=40,
        seed=7,
        tools=[types.Tool(function_declarations=[types.FunctionDeclaration(name="time", description="Tells it.")])],
        tool_config=types.ToolConfig(
            function_calling_config=types.FunctionCallingConfig(mode=types.FunctionCallingConfigMode.NONE)
        ),
        response_mime_type="application/json",
        thinking_config=types.ThinkingConfig(include_thoughts=True),
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
    )
    contents: Any = [
        types.Content(role="user", parts=[types.Part(text="What time is it?")]),
        types.Content(role="model", parts=[types.Part.from_function_call(name="time", args={"zone": "UTC"})]),
        types.Content(role="user", parts=[types.Part.from_function_response(name="time", response={"result": "Noon"})]),
    ]
    with httpx2.Client(transport=httpx2.MockTransport(handle)) as http:
        options = types.HttpOptions(base_url="http://mock", httpx_client=http)
        client = genai.Client(api_key="none", vertexai=False, http_options=options)
        client.models.generate_content(model="gemini-3", contents=contents, config=config)
    [(url, content)] = sent
    assert answer(question("POST", url.removeprefix("http://mock"), raw=content)) == Reading(
        "gemini",
        "sse",
        ChatRequest(
            model="gemini-3",
            messages=[
                ChatMessage("system", "Be kind."),
                ChatMessage("user", "What time is it?"),
                ChatMessage("assistant", "", [ToolCall("", "time", '{"zone":"UTC"}')]),
                ChatMessage("tool", '{"result":"Noon"}', tool_name="time"),
            ],
            tools=[Tool("time", "Tells it.")],
            tool_choice="none",
            max_tokens=500,
            top_k=40,
            seed=7,
            response_format="json",
            reasoning=True,
            stream=False,
        ),
    )


def test_what_was_sealed_more_than_once_is_several_messages() -> None:
    parts = [
        {"text": "One", "thought": True},
        {"text": "Two", "thoughtSignature": "s1"},
        {"text": "Three", "thought": True},
        {"functionCall": {"name": "time", "args": {}}, "thoughtSignature": "s2"},
        {"text": "", "thoughtSignature": "s3"},
    ]
    read = reading(DOCUMENT, body(contents=[HELLO, {"role": "model", "parts": parts}]))
    assert read.request.messages[1:] == [
        ChatMessage("assistant", "Two", reasoning="One", signature="s1"),
        ChatMessage("assistant", "", [ToolCall("", "time", "{}")], reasoning="Three", signature="s2"),
        ChatMessage("assistant", signature="s3"),
    ]


@pytest.mark.parametrize(
    ("response", "text"),
    [
        ({"output": "Noon"}, "Noon"),
        ({"output": {"time": "Noon"}}, '{"output":{"time":"Noon"}}'),
        ({"output": "Noon", "zone": "UTC"}, '{"output":"Noon","zone":"UTC"}'),
        ({"result": "Noon"}, '{"result":"Noon"}'),
        ({}, "{}"),
        (None, ""),
        ("Noon", "Noon"),
    ],
)
def test_the_response_of_a_function_as_a_text(response: object, text: str) -> None:
    part = {"functionResponse": {"name": "time", "response": response}}
    read = reading(DOCUMENT, body(contents=[{"role": "function", "parts": [part, {"text": "Well?"}]}]))
    assert read.request.messages == [ChatMessage("tool", text, tool_name="time"), ChatMessage("user", "Well?")]


@pytest.mark.parametrize(
    ("config", "reasoning"),
    [
        ({}, None),
        ({"includeThoughts": True}, True),
        ({"includeThoughts": True, "thinkingBudget": -1}, True),
        ({"thinkingBudget": 0}, False),
        ({"thinkingBudget": 100}, "minimal"),
        ({"thinkingBudget": 1024}, "low"),
        ({"thinkingBudget": 9000}, "medium"),
        ({"includeThoughts": True, "thinkingBudget": 30_000}, "high"),
        ({"thinkingLevel": "minimal"}, "minimal"),
        ({"thinkingLevel": "XHIGH"}, "xhigh"),
        ({"thinkingLevel": "THINKING_LEVEL_UNSPECIFIED"}, None),
    ],
)
def test_how_hard_the_model_is_to_think(config: object, reasoning: object) -> None:
    assert reading(DOCUMENT, body(generationConfig={"thinkingConfig": config})).request.reasoning == reasoning


@pytest.mark.parametrize(
    ("config", "form"),
    [
        ({}, None),
        ({"responseMimeType": "text/plain"}, None),
        ({"responseMimeType": "application/json"}, "json"),
        ({"responseMimeType": "application/json", "responseSchema": SCHEMA}, ResponseSchema(LOWERED)),
        ({"responseJsonSchema": LOWERED}, ResponseSchema(LOWERED)),
    ],
)
def test_the_form_of_the_answer(config: object, form: object) -> None:
    found = reading(DOCUMENT, body(generationConfig=config))
    assert (found.request.response_format, found.leftovers) == (form, ())


def test_an_answer_that_is_neither_text_nor_json_cannot_be_translated() -> None:
    config = {"responseMimeType": "text/x.enum", "responseSchema": {"type": "STRING", "enum": ["A"]}}
    what = (
        "* GenerateContentRequest.generation_config.response_mime_type: only answers in text and in JSON can be "
        "translated\n"
    )
    assert left_in(reading(DOCUMENT, body(generationConfig=config))) == [("generationConfig.responseMimeType", what)]


def test_several_functions_of_which_one_has_to_be_called() -> None:
    tools = [{"functionDeclarations": [{"name": "a"}, {"name": "b"}, {"name": "c"}]}]
    calling = {"mode": "ANY", "allowedFunctionNames": ["a", "c"]}
    read = reading(DOCUMENT, body(tools=tools, toolConfig={"functionCallingConfig": calling})).request
    assert (read.tool_choice, [tool.name for tool in read.tools]) == ("required", ["a", "c"])


def refused_at(found: Reading) -> list[str]:
    return [path for path, what in left_in(found) if what is not None]


def dropped_at(found: Reading) -> list[str]:
    return [path for path, what in left_in(found) if what is None]


def names_of(model: type[types.GenerateContentConfig | types.GenerationConfig | types.Part | types.Tool]) -> set[str]:
    """The names that the fields of a type of the SDK have in REST."""
    return {field.alias or name for name, field in model.model_fields.items()}


CONFIG: dict[str, object] = {**RICH["generationConfig"], "responseSchema": SCHEMA}

CONFIG_DROPPED: dict[str, object] = {
    "mediaResolution": "LOW",
    "audioTimestamp": True,
    "routingConfig": {},
    "modelSelectionConfig": {},
    "enableAffectiveDialog": True,
    "enableEnhancedCivicAnswers": True,
    "automaticContinuation": True,
}

CONFIG_REFUSED: dict[str, object] = {
    "responseLogprobs": True,
    "logprobs": 5,
    "responseModalities": ["TEXT", "IMAGE"],
    "speechConfig": {},
    "imageConfig": {},
    "audioTranscriptionConfig": {},
    "translationConfig": {},
    "responseFormat": {},
    "continuationToken": "x",
    "generationOutputConfig": {},
}

BODY = {"systemInstruction", "contents", "tools", "toolConfig", "generationConfig", "model"}

BODY_DROPPED: dict[str, object] = {"labels": {"a": "b"}, "serviceTier": "flex", "store": False}

BODY_REFUSED: dict[str, object] = {
    "cachedContent": "cachedContents/1",
    "modelArmorConfig": {},
    "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_LOW_AND_ABOVE"}],
}

NEVER_SENT = {"httpOptions", "shouldReturnHttpResponse", "automaticFunctionCalling"}


def test_every_parameter_that_the_sdk_knows_is_placed() -> None:
    known = names_of(types.GenerateContentConfig) | names_of(types.GenerationConfig)
    ours = {*CONFIG, *CONFIG_DROPPED, *CONFIG_REFUSED, *BODY, *BODY_DROPPED, *BODY_REFUSED}
    new = known - NEVER_SENT - ours
    assert not new or is_newer("google-genai", TABLES_OF)
    for name in new:
        asked = body(generationConfig={name: {"odd": 1}})
        assert left_in(reading(DOCUMENT, asked)), f"{name} is passed over in silence"
    assert left_in(reading(DOCUMENT, body(generationConfig=CONFIG, model="models/gemini-3"))) == []
    for name, value in CONFIG_DROPPED.items():
        assert left_in(reading(DOCUMENT, body(generationConfig={name: value}))) == [(f"generationConfig.{name}", None)]
    for name, value in CONFIG_REFUSED.items():
        assert refused_at(reading(DOCUMENT, body(generationConfig={name: value}))) == [f"generationConfig.{name}"]
    for name, value in BODY_DROPPED.items():
        assert left_in(reading(DOCUMENT, body(**{name: value}))) == [(name, None)]
    for name, value in BODY_REFUSED.items():
        [place] = refused_at(reading(DOCUMENT, body(**{name: value})))
        assert place in {name, f"{name}.0"}


def test_what_asks_for_nothing_is_no_matter() -> None:
    config = {"responseModalities": ["TEXT"], "responseLogprobs": False}
    assert left_in(reading(DOCUMENT, body(generationConfig=config))) == []
    for threshold in ("BLOCK_NONE", "OFF", "block_only_high", "BLOCK_MEDIUM_AND_ABOVE"):
        setting = {"category": "HARM_CATEGORY_HARASSMENT", "threshold": threshold}
        assert left_in(reading(DOCUMENT, body(safetySettings=setting))) == [("safetySettings.0.threshold", None)]


def test_every_tool_that_the_sdk_knows_but_functions_is_googles_own() -> None:
    for name in names_of(types.Tool) - {"functionDeclarations"}:
        what = "a tool that Google runs itself cannot be translated\n"
        [(place, told)] = left_in(reading(DOCUMENT, body(tools=[{name: {}}])))
        assert place == f"tools.0.{name}"
        assert told is not None
        assert told.startswith("* GenerateContentRequest.tools[0].")
        assert told.endswith(what)


def test_every_part_that_the_sdk_knows_is_placed() -> None:
    read = {"text", "thought", "thoughtSignature", "functionCall", "functionResponse"}
    for name in names_of(types.Part) - read:
        found = reading(DOCUMENT, body(contents=[{"parts": [{"text": "?"}, {name: {}}]}]))
        assert [*refused_at(found), *dropped_at(found)] == [f"contents.0.parts.1.{name}"]
        is_media = name in {
            *("inlineData", "fileData", "executableCode", "codeExecutionResult", "toolCall", "toolResponse"),
            "audioTranscription",
        }
        assert bool(refused_at(found)) is is_media or is_newer("google-genai", TABLES_OF)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"foo": 1}, 'Unknown name "foo": Cannot find field.'),
        ({"generationConfig": {"foo": 1}}, "Unknown name \"foo\" at 'generation_config': Cannot find field."),
        ({"contents": [{"parts": [{"foo": 1}]}]}, "Unknown name \"foo\" at 'contents[0].parts[0]': Cannot find field."),
        ({"contents": [{**HELLO, "foo": 1}]}, "Unknown name \"foo\" at 'contents[0]': Cannot find field."),
        ({"tools": [{"foo": {}}]}, "Unknown name \"foo\" at 'tools[0]': Cannot find field."),
        (
            {"tools": [{"functionDeclarations": [{"name": "a", "foo": 1}]}]},
            "Unknown name \"foo\" at 'tools[0].function_declarations[0]': Cannot find field.",
        ),
        (
            {"generationConfig": {"thinkingConfig": {"foo": 1}}},
            "Unknown name \"foo\" at 'generation_config.thinking_config': Cannot find field.",
        ),
    ],
)
def test_a_field_that_google_does_not_know(fields: dict[str, object], message: str) -> None:
    [(_, what)] = left_in(reading(DOCUMENT, body(**fields)))
    assert what == f"Invalid JSON payload received. {message}"


def test_only_the_model_calls_functions() -> None:
    part = {"functionCall": {"name": "time", "args": {}}}
    found = reading(DOCUMENT, body(contents=[{"role": "user", "parts": [part]}]))
    what = "* GenerateContentRequest.contents[0].parts[0].function_call: only the model calls functions\n"
    assert left_in(found) == [("contents.0.parts.0.functionCall", what)]


def test_a_server_that_cannot_count_says_so() -> None:
    target = "/v1beta/models/gemini-3:countTokens"
    assert answer(question("POST", target, body()), ANY) == {"totalTokens": 2}
    assert refused(target, body(), Facts()).error["message"] == "this server cannot count tokens"


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
            {"generationConfig": {"topK": 1.5}},
            "Invalid value at 'generation_config.top_k' (TYPE_INT32), 1.5",
        ),
        (
            {"generationConfig": {"seed": "x"}},
            "Invalid value at 'generation_config.seed' (TYPE_INT32), \"x\"",
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
