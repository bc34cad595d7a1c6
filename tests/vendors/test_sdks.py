"""The official SDKs write the requests: all are understood, and what is refused becomes the SDK's usual exception.

Nothing goes over a network: each SDK's HTTP client is given a transport that calls the readers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import ag_ui.core
import anthropic
import httpx
import httpx2
import ollama
import openai
import pytest
from google import genai
from google.genai import errors, types

from streamkit.dialects.requests import Tool
from tests.vendors.asking import ANY, Service, ask

# The SDKs' types for requests are unions of dozens; what is right is what they send.
USER: Any = [{"role": "user", "content": "Hello you"}]

SCHEMA: Any = {"type": "object", "properties": {"city": {"type": "string"}}}

CHAT_TOOLS: Any = [{"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}]
RESPONSE_TOOLS: Any = [{"type": "function", "name": "weather", "parameters": SCHEMA, "strict": True}]
ANTHROPIC_TOOLS: Any = [{"name": "weather", "input_schema": SCHEMA}]


@pytest.fixture
def service() -> Service:
    return Service(replace(ANY, models=("mock", "other")))


@pytest.fixture
def http(service: Service) -> Iterator[httpx2.Client]:
    def handle(request: httpx2.Request) -> httpx2.Response:
        status, media_type, body = service.respond(
            request.method, str(request.url), dict(request.headers), request.read()
        )
        return httpx2.Response(status, content=body, headers={"content-type": media_type})

    with httpx2.Client(transport=httpx2.MockTransport(handle)) as client:
        yield client


@pytest.fixture
def openai_client(http: httpx2.Client) -> openai.OpenAI:
    return openai.OpenAI(api_key="none", base_url="http://mock/v1", max_retries=0, http_client=http)


@pytest.fixture
def anthropic_client(http: httpx2.Client) -> anthropic.Anthropic:
    return anthropic.Anthropic(api_key="none", base_url="http://mock", max_retries=0, http_client=http)


@pytest.fixture
def ollama_client(service: Service) -> Iterator[ollama.Client]:
    def handle(request: httpx.Request) -> httpx.Response:
        status, media_type, body = service.respond(
            request.method, str(request.url), dict(request.headers), request.read()
        )
        return httpx.Response(status, content=body, headers={"content-type": media_type})

    with ollama.Client(host="http://mock", transport=httpx.MockTransport(handle)) as client:
        yield client


@pytest.fixture
def google(http: httpx2.Client) -> genai.Client:
    return genai.Client(
        api_key="none", vertexai=False, http_options=types.HttpOptions(base_url="http://mock", httpx_client=http)
    )


def test_openai_chats(service: Service, openai_client: openai.OpenAI) -> None:
    completion = openai_client.chat.completions.create(model="mock", messages=USER, max_completion_tokens=9)
    assert completion.choices[0].message.content == "Hello you"
    assert completion.id.startswith("chatcmpl-")
    chunks = openai_client.chat.completions.create(
        model="mock",
        messages=USER,
        stream=True,
        stream_options={"include_usage": True},
        tools=CHAT_TOOLS,
        tool_choice={"type": "function", "function": {"name": "weather"}},
        reasoning_effort="low",
        stop=["END"],
        n=1,
    )
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "Hello you"
    plain, streamed = service.asks
    assert (plain.stream, plain.max_tokens, plain.prompt) == (False, 9, "Hello you")
    assert (streamed.stream, streamed.include_usage, streamed.tool_choice) == (True, True, "weather")
    assert (streamed.tools, streamed.stop, streamed.reasoning) == ((Tool("weather", "", SCHEMA),), ("END",), True)


def test_openai_completes(service: Service, openai_client: openai.OpenAI) -> None:
    assert openai_client.completions.create(model="mock", prompt="Once").choices[0].text == "Hello you"
    assert service.asks[0].prompt == "Once"


def test_openai_responds(service: Service, openai_client: openai.OpenAI) -> None:
    response = openai_client.responses.create(
        model="mock",
        instructions="Be kind.",
        input=USER,
        tools=RESPONSE_TOOLS,
        tool_choice={"type": "function", "name": "weather"},
        reasoning={"effort": "high"},
        max_output_tokens=16,
    )
    assert response.output_text == "Hello you"
    with openai_client.responses.stream(model="mock", input="Hi") as stream:
        assert stream.get_final_response().output_text == "Hello you"
    plain, streamed = service.asks
    assert (plain.prompt, plain.prompt_tokens, plain.tool_choice, plain.reasoning) == ("Hello you", 4, "weather", True)
    assert (streamed.prompt, streamed.stream) == ("Hi", True)


def test_openai_lists_models(openai_client: openai.OpenAI) -> None:
    assert [model.id for model in openai_client.models.list()] == ["mock", "other"]
    assert openai_client.models.retrieve("mock").created == 1_700_000_000


def test_openai_raises_what_it_raises_of_its_own_server(openai_client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as bad:
        openai_client.chat.completions.create(model="mock", messages=[])
    assert (bad.value.code, bad.value.param, bad.value.type) == ("empty_array", "messages", "invalid_request_error")
    with pytest.raises(openai.NotFoundError) as unknown:
        openai_client.chat.completions.create(model="gpt-9", messages=USER)
    assert unknown.value.code == "model_not_found"
    with pytest.raises(openai.NotFoundError):
        openai_client.embeddings.create(model="mock", input="?")


def test_azure_names_a_deployment(service: Service, http: httpx2.Client) -> None:
    with openai.AzureOpenAI(
        api_key="none", azure_endpoint="http://mock", api_version="2024-10-21", max_retries=0, http_client=http
    ) as client:
        assert client.chat.completions.create(model="mock", messages=USER).choices[0].message.content
    assert service.asks[0].model == "mock"


def test_anthropic_sends_messages(service: Service, anthropic_client: anthropic.Anthropic) -> None:
    message = anthropic_client.messages.create(
        model="mock",
        max_tokens=2048,
        system=[{"type": "text", "text": "Be kind."}],
        messages=USER,
        tools=ANTHROPIC_TOOLS,
        tool_choice={"type": "any"},
        thinking={"type": "enabled", "budget_tokens": 1024},
        stop_sequences=["END"],
    )
    assert message.content[0].type == "text"
    assert message.content[0].text == "Hello you"
    with anthropic_client.messages.stream(model="mock", max_tokens=5, messages=USER) as stream:
        assert stream.get_final_text() == "Hello you"
    plain, streamed = service.asks
    assert (plain.tools, plain.tool_choice, plain.stop) == ((Tool("weather", "", SCHEMA),), "required", ("END",))
    assert (plain.reasoning, plain.prompt_tokens, plain.stream) == (True, 4, False)
    assert (streamed.stream, streamed.max_tokens) == (True, 5)


def test_anthropic_counts_and_lists(anthropic_client: anthropic.Anthropic) -> None:
    assert anthropic_client.messages.count_tokens(model="mock", messages=USER).input_tokens == 2
    assert [model.id for model in anthropic_client.models.list()] == ["mock", "other"]
    assert anthropic_client.models.retrieve("mock").type == "model"


def test_anthropic_raises_what_it_raises_of_its_own_server(anthropic_client: anthropic.Anthropic) -> None:
    with pytest.raises(anthropic.BadRequestError, match="messages: at least one message is required"):
        anthropic_client.messages.create(model="mock", max_tokens=5, messages=[])
    with pytest.raises(anthropic.NotFoundError, match="model: claude"):
        anthropic_client.messages.create(model="claude", max_tokens=5, messages=USER)


def test_ollama_chats(service: Service, ollama_client: ollama.Client) -> None:
    def weather(city: str) -> str:
        """Tell the weather.

        Args:
            city: where
        """
        return city

    answer = ollama_client.chat(
        "mock",
        [ollama.Message(role="user", content="Hello you")],
        tools=[weather],
        think=True,
        options={"num_predict": 9},
    )
    assert answer.message.content == "Hello you"
    pieces = [piece.message.content for piece in ollama_client.chat("mock", USER, stream=True)]
    assert "".join(text or "" for text in pieces) == "Hello you"
    plain, streamed = service.asks
    assert (plain.stream, plain.reasoning, plain.max_tokens, plain.prompt) == (False, True, 9, "Hello you")
    assert plain.tools[0].name == "weather"
    assert plain.tools[0].parameters["required"] == ["city"]
    assert streamed.stream


def test_ollama_generates_and_lists(service: Service, ollama_client: ollama.Client) -> None:
    assert ollama_client.generate("mock", "Hi", system="Be kind.").response == "Hello you"
    assert service.asks[0].prompt_tokens == 3
    assert ollama_client.generate("mock", "").done_reason == "load"
    assert [model.model for model in ollama_client.list().models] == ["mock:latest", "other:latest"]


def test_ollama_raises_what_it_raises_of_its_own_server(ollama_client: ollama.Client) -> None:
    with pytest.raises(ollama.ResponseError) as caught:
        ollama_client.chat("gpt", USER)
    assert (caught.value.status_code, caught.value.error) == (404, "model 'gpt' not found")


def test_google_generates(service: Service, google: genai.Client) -> None:
    def weather(city: str) -> str:
        """Tell the weather."""
        return city

    config = types.GenerateContentConfig(
        system_instruction="Be kind.",
        max_output_tokens=9,
        stop_sequences=["END"],
        candidate_count=1,
        tools=[weather],
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
        tool_config=types.ToolConfig(
            function_calling_config=types.FunctionCallingConfig(mode=types.FunctionCallingConfigMode.ANY)
        ),
        thinking_config=types.ThinkingConfig(include_thoughts=True),
    )
    assert google.models.generate_content(model="mock", contents="Hello you", config=config).text == "Hello you"
    stream = google.models.generate_content_stream(model="mock", contents="Hello you")
    assert "".join(chunk.text or "" for chunk in stream) == "Hello you"
    plain, streamed = service.asks
    assert (plain.prompt, plain.prompt_tokens, plain.max_tokens, plain.stop) == ("Hello you", 4, 9, ("END",))
    assert (plain.tool_choice, plain.reasoning, plain.stream) == ("required", True, False)
    properties = plain.tools[0].parameters["properties"]
    assert isinstance(properties, dict)
    assert properties["city"] == {"type": "string"}
    assert (streamed.stream, streamed.framing) == (True, "sse")


def test_google_counts_and_lists(google: genai.Client) -> None:
    assert google.models.count_tokens(model="mock", contents="Hello you").total_tokens == 2
    assert [model.name for model in google.models.list()] == ["models/mock", "models/other"]


def test_google_raises_what_it_raises_of_its_own_server(google: genai.Client) -> None:
    with pytest.raises(errors.ClientError) as caught:
        google.models.generate_content(model="gemini-9", contents="?")
    assert (caught.value.code, caught.value.status) == (404, "NOT_FOUND")


def test_a_run_as_ag_uis_own_types_write_it() -> None:
    core = ag_ui.core
    run = core.RunAgentInput(
        thread_id="t",
        run_id="r",
        state={},
        messages=[core.UserMessage(id="1", content="Hello you")],
        tools=[core.Tool(name="weather", description="?", parameters=SCHEMA)],
        context=[],
        forwarded_props={},
    )
    asked = ask("/agui", run.model_dump(mode="json", by_alias=True))
    assert (asked.prompt, asked.tools) == ("Hello you", (Tool("weather", "?", SCHEMA),))
    assert asked.echoed == {"ag-ui.threadId": "t", "ag-ui.runId": "r"}
