"""Structured outputs: what the official Python SDKs make of an answer that has to fit a model of pydantic's."""

from __future__ import annotations

import enum
import json
from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any, Literal

import openai
import pytest
from google.genai import types
from pydantic import BaseModel, Field, TypeAdapter

from mockserver.open import MockInThread, mockserver_in_thread
from tests.dialects.sdks import CHAT_TOOLS, no_proxies, openai_client
from tests.mockserver.sdk_documents import anthropic_client, entries_of, functions_of, gemini_client, ollama_client

if TYPE_CHECKING:
    import anthropic
    from ollama import Client

HELLO: Any = [{"role": "user", "content": "Which owl?"}]


class Color(enum.Enum):
    """Of feathers."""

    BROWN = "brown"
    WHITE = "white"


class Feather(BaseModel):
    """Something in a list."""

    color: Color
    length_mm: int
    of: Literal["tail", "wing"]


class Owl(BaseModel):
    """What all vendors' schemas can say: objects in lists, enums, numbers, nothing at all."""

    name: str
    weight_kg: float
    is_awake: bool
    feathers: list[Feather]
    mate: str | None


class Nest(BaseModel):
    """A tree: it refers to itself."""

    eggs: int
    near: list[Nest]
    above: Nest | None


class Prey(BaseModel):
    """A tree with bounds, every one of which has to be kept to."""

    name: Annotated[str, Field(min_length=3, max_length=30)]
    seen: date
    count: Annotated[int, Field(ge=2, le=5)]
    hunts: list[Prey]
    hunter: Prey | None


@pytest.fixture(scope="module")
def server() -> Iterator[MockInThread]:
    with no_proxies(), mockserver_in_thread() as mock:
        yield mock


@pytest.fixture
def mock(server: MockInThread) -> MockInThread:
    """The server, as if it had just been started."""
    server.reset()
    return server


@pytest.fixture
def gpt(mock: MockInThread) -> Iterator[openai.OpenAI]:
    with openai_client(f"{mock.url}/v1") as client:
        yield client


@pytest.fixture
def claude(mock: MockInThread) -> Iterator[anthropic.Anthropic]:
    with anthropic_client(mock.url) as client:
        yield client


@pytest.fixture
def llama(mock: MockInThread) -> Iterator[Client]:
    with ollama_client(mock.url) as client:
        yield client


# --- OpenAI -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [Owl, Prey])
def test_openai_chat_parses_a_model(gpt: openai.OpenAI, model: type[BaseModel]) -> None:
    completion = gpt.chat.completions.parse(model="m", messages=HELLO, response_format=model, n=2)
    assert [type(choice.message.parsed) for choice in completion.choices] == [model, model]
    assert [choice.finish_reason for choice in completion.choices] == ["stop", "stop"]


def test_openai_chat_streams_a_model_in_tokens(mock: MockInThread, gpt: openai.OpenAI) -> None:
    with gpt.chat.completions.stream(model="m", messages=HELLO, response_format=Owl) as stream:
        pieces = [event.delta for event in stream if event.type == "content.delta" and event.delta]
        message = stream.get_final_completion().choices[0].message
    assert isinstance(message.parsed, Owl)
    assert Owl.model_validate_json("".join(pieces)) == message.parsed
    assert entries_of(mock)[-1]["tokens"] == len(pieces) > 9


def test_openai_chat_answers_with_some_object_where_any_will_do(gpt: openai.OpenAI) -> None:
    completion = gpt.chat.completions.create(model="m", messages=HELLO, response_format={"type": "json_object"})
    assert isinstance(json.loads(completion.choices[0].message.content or ""), dict)


@pytest.mark.parametrize("settings", [{"say": "No owl"}, {"echo": True}])
def test_what_was_set_is_said_whatever_the_schema(
    mock: MockInThread, gpt: openai.OpenAI, settings: dict[str, Any]
) -> None:
    mock.configure(**settings)
    completion = gpt.chat.completions.create(model="m", messages=HELLO, response_format={"type": "json_object"})
    assert completion.choices[0].message.content == settings.get("say", "Which owl?")


def test_openai_chat_calls_tools_before_it_answers_with_a_model(mock: MockInThread, gpt: openai.OpenAI) -> None:
    mock.configure(call="auto")
    messages = [*HELLO]
    options: Any = {"model": "m", "tools": CHAT_TOOLS, "response_format": {"type": "json_object"}}
    called = gpt.chat.completions.create(messages=messages, **options).choices[0].message
    (call,) = functions_of(called)
    assert not called.content
    messages += [called, {"role": "tool", "tool_call_id": call.id, "content": "here"}]
    answered = gpt.chat.completions.create(messages=messages, **options).choices[0].message
    assert isinstance(json.loads(answered.content or ""), dict)


def test_openai_chat_cuts_a_model_at_its_limit(gpt: openai.OpenAI) -> None:
    with pytest.raises(openai.LengthFinishReasonError):
        gpt.chat.completions.parse(model="m", messages=HELLO, response_format=Owl, max_tokens=3)


def test_openai_refuses_a_schema_that_is_of_no_object(gpt: openai.OpenAI) -> None:
    form: Any = {"type": "json_schema", "json_schema": {"name": "owls", "schema": {"type": "array"}}}
    with pytest.raises(openai.BadRequestError, match="""schema must be a JSON Schema of 'type: "object"'""") as caught:
        gpt.chat.completions.create(model="m", messages=HELLO, response_format=form)
    assert (caught.value.param, caught.value.code) == ("response_format", None)


@pytest.mark.parametrize("model", [Owl, Prey])
def test_openai_responses_parse_a_model(gpt: openai.OpenAI, model: type[BaseModel]) -> None:
    assert type(gpt.responses.parse(model="m", input="Which owl?", text_format=model).output_parsed) is model
    with gpt.responses.stream(model="m", input="Which owl?", text_format=model) as stream:
        assert type(stream.get_final_response().output_parsed) is model


def test_openai_responses_answer_with_some_object_where_any_will_do(gpt: openai.OpenAI) -> None:
    response = gpt.responses.create(model="m", input="JSON!", text={"format": {"type": "json_object"}})
    assert isinstance(json.loads(response.output_text), dict)


def test_openai_responses_repeat_what_was_asked(gpt: openai.OpenAI) -> None:
    tool: Any = {"type": "function", "name": "look", "parameters": {"type": "object", "properties": {}}, "strict": True}
    asked: Any = {
        "instructions": "Be kind.",
        "temperature": 0.5,
        "metadata": {"page": "7"},
        "max_output_tokens": 99,
        "previous_response_id": "resp_1",
        "tool_choice": "none",
        "tools": [tool],
    }
    response = gpt.responses.create(model="m", input="Which owl?", **asked)
    *_, last = gpt.responses.create(model="m", input="Which owl?", stream=True, **asked)
    assert last.type == "response.completed"
    for told in (response, last.response):
        assert {name: told.to_dict()[name] for name in asked} == asked


# --- Anthropic --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [Owl, Nest])  # bounds are no part of its schemas: the SDK turns them into words
def test_anthropic_parses_a_model(claude: anthropic.Anthropic, model: type[BaseModel]) -> None:
    options: Any = {"model": "m", "max_tokens": 9999, "messages": HELLO, "output_format": model}
    assert type(claude.messages.parse(**options).parsed_output) is model
    with claude.messages.stream(**options) as stream:
        assert type(stream.get_final_message().parsed_output) is model
    assert type(claude.beta.messages.parse(**options).parsed_output) is model


# --- Ollama -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [Owl, Prey])
def test_ollama_answers_with_a_model(llama: Client, model: type[BaseModel]) -> None:
    schema = model.model_json_schema()
    assert model.model_validate_json(llama.chat("m", HELLO, format=schema).message.content or "")
    assert model.model_validate_json(llama.generate("m", "?", format=schema).response or "")
    parts = [part.message.content or "" for part in llama.chat("m", HELLO, format=schema, stream=True)]
    assert model.model_validate_json("".join(parts))
    assert len(parts) > 9


def test_ollama_answers_with_json(llama: Client) -> None:
    assert isinstance(json.loads(llama.chat("m", HELLO, format="json").message.content or ""), dict)
    assert isinstance(json.loads(llama.generate("m", "?", format="json").response or ""), dict)


def test_ollama_always_says_how_long_it_took(llama: Client) -> None:
    for part in (llama.chat("m", HELLO), [*llama.generate("m", "?", stream=True)][-1]):
        for duration in (part.total_duration, part.load_duration, part.prompt_eval_duration, part.eval_duration):
            assert duration is not None
            assert duration >= 1


# --- Gemini -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("schema", [Owl, list[Feather]])
def test_gemini_parses_a_model(mock: MockInThread, schema: type) -> None:
    with gemini_client(mock.url) as client:
        config = types.GenerateContentConfig(response_mime_type="application/json", response_schema=schema)
        answer = client.models.generate_content(model="m", contents="Which owl?", config=config)
        assert answer.parsed is not None
        assert TypeAdapter(schema).validate_python(answer.parsed) == answer.parsed
        parts = [
            part.text or ""
            for part in client.models.generate_content_stream(model="m", contents="Which owl?", config=config)
        ]
    assert TypeAdapter(schema).validate_json("".join(parts))
    assert len(parts) > 3


def test_gemini_parses_a_json_schema_and_an_enum(mock: MockInThread) -> None:
    def asked(schema: str, value: object, mime_type: str = "application/json") -> types.GenerateContentResponse:
        config = types.GenerateContentConfig.model_validate({schema: value, "response_mime_type": mime_type})
        with gemini_client(mock.url) as client:
            return client.models.generate_content(model="m", contents="Which owl?", config=config)

    assert Prey.model_validate_json(asked("response_json_schema", Prey.model_json_schema()).text or "")
    assert isinstance(asked("response_schema", Color, "text/x.enum").parsed, Color)
    assert isinstance(json.loads(asked("response_schema", None).text or ""), dict)
