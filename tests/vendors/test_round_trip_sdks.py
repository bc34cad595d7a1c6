"""A second turn with two calls, as each vendor's SDK writes it, means the same in all that an upstream may speak.

The SDKs get their own objects back where that is what their users do: the message of an answer, the item of an output.
Nothing goes over a network. What pages and agents send is written by hand.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import ag_ui.core
import anthropic
import httpx
import httpx2
import msgspec
import ollama
import openai
import pytest
from google import genai
from google.genai import types
from openai.types.chat import ChatCompletionMessage

from streamkit.dialects.request_parts import linked
from streamkit.dialects.requests import ChatMessage, ChatRequest, Tool
from streamkit.gateway.config import SPEAKABLE
from streamkit.vendors.question import Question
from streamkit.vendors.reading import Reading
from tests.vendors.asking import Service, answer, question
from tests.vendors.round_trip import read, written

SYSTEM = "Be brief.\nBe kind."
ASKED = "Weather in Zürich and 東京? \u2028"
LOOKING = "Let me look."
MORE = "And tomorrow?"
ZURICH: dict[str, Any] = {"city": "Zürich"}
TOKYO: dict[str, Any] = {"city": "東京", "days": [1, 2.5], "more": {"units": None}}
ZURICH_JSON = '{"city": "Zürich"}'
TOKYO_JSON = '{"city":"東京","days":[1,2.5],"more":{"units":null}}'
SCHEMA: Any = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}

Said = tuple[str, str, list[tuple[str, object]], int | None]
"""A role, a text, the name and arguments of every call, and which call of all it is the result of."""

QUESTION: list[Said] = [("system", SYSTEM, [], None), ("user", ASKED, [], None)]
RESULTS: list[Said] = [
    ("tool", '{"celsius":21}', [], 0),
    ("tool", "rain", [], 1),
    ("assistant", "Sun and rain.", [], None),
    ("user", MORE, [], None),
]
TALK: list[Said] = [*QUESTION, ("assistant", LOOKING, [("weather", ZURICH), ("weather", TOKYO)], None), *RESULTS]


def said(request: ChatRequest) -> list[Said]:
    messages = linked(request.messages)
    ids = [call.id for message in messages for call in message.tool_calls]
    return [
        (
            message.role,
            message.text,
            [(call.name, msgspec.json.decode(call.arguments)) for call in message.tool_calls],
            ids.index(message.tool_call_id) if message.role == "tool" else None,
        )
        for message in messages
    ]


def check(asked: Question, talk: list[Said], *, tools: bool = True) -> None:
    """Check that a request says this, and still does in every dialect of an upstream."""
    reading = answer(asked)
    assert isinstance(reading, Reading)
    assert [left.refusal for left in reading.leftovers if left.refusal] == []
    assert said(reading.request) == talk
    assert reading.request.tools == ([Tool("weather", "Tell the weather.", SCHEMA)] if tools else [])
    for upstream in SPEAKABLE:
        arrived = read(written(upstream, reading.request))
        assert arrived.leftovers == ()
        assert (upstream, said(arrived.request)) == (upstream, talk)
        assert arrived.request.model == reading.request.model
        assert arrived.request.tools == reading.request.tools


@dataclass
class Listener(Service):
    """Answers, and keeps what it heard."""

    heard: list[Question] = field(default_factory=list)

    def respond(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> tuple[int, str, bytes]:
        self.heard.append(question(method, target, headers=headers, raw=body))
        return super().respond(method, target, headers, body)


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
def http(listener: Listener) -> Iterator[httpx2.Client]:
    def handle(request: httpx2.Request) -> httpx2.Response:
        status, media_type, body = listener.respond(
            request.method, str(request.url), dict(request.headers), request.read()
        )
        return httpx2.Response(status, content=body, headers={"content-type": media_type})

    with httpx2.Client(transport=httpx2.MockTransport(handle)) as client:
        yield client


@pytest.fixture
def openai_client(http: httpx2.Client) -> openai.OpenAI:
    return openai.OpenAI(api_key="none", base_url="http://mock/v1", max_retries=0, http_client=http)


def test_openais_chat(listener: Listener, openai_client: openai.OpenAI) -> None:
    turn = ChatCompletionMessage.model_validate(
        {
            "role": "assistant",
            "content": LOOKING,
            "refusal": None,
            "annotations": [],
            "tool_calls": [
                {"id": "call_a", "type": "function", "function": {"name": "weather", "arguments": ZURICH_JSON}},
                {"id": "call_b", "type": "function", "function": {"name": "weather", "arguments": TOKYO_JSON}},
            ],
        }
    )
    messages: Any = [
        {"role": "developer", "content": SYSTEM},
        {"role": "user", "content": [{"type": "text", "text": ASKED}]},
        turn,
        {"role": "tool", "tool_call_id": "call_a", "content": '{"celsius":21}'},
        {"role": "tool", "tool_call_id": "call_b", "content": [{"type": "text", "text": "rain"}]},
        {"role": "assistant", "content": "Sun and rain."},
        {"role": "user", "content": MORE, "name": "kim"},
    ]
    function: Any = {"name": "weather", "description": "Tell the weather.", "parameters": SCHEMA, "strict": False}
    with openai_client.chat.completions.stream(
        model="org/m:free",
        messages=messages,
        tools=[{"type": "function", "function": function}],
        parallel_tool_calls=True,
        stream_options={"include_usage": True},
    ) as stream:
        stream.until_done()
    check(listener.heard[0], TALK)


def test_openais_responses(listener: Listener, openai_client: openai.OpenAI) -> None:
    call: dict[str, Any] = {"type": "function_call", "name": "weather", "status": "completed"}
    items: Any = [
        {"role": "user", "content": [{"type": "input_text", "text": ASKED}]},
        {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": LOOKING, "annotations": [], "logprobs": []}],
        },
        {"id": "fc_1", "call_id": "call_a", "arguments": ZURICH_JSON, **call},
        {"id": "fc_2", "call_id": "call_b", "arguments": TOKYO_JSON, **call},
        {"type": "function_call_output", "call_id": "call_a", "output": '{"celsius":21}'},
        {"type": "function_call_output", "call_id": "call_b", "output": [{"type": "input_text", "text": "rain"}]},
        {"role": "assistant", "content": "Sun and rain."},
        {"role": "user", "content": MORE},
    ]
    tool: Any = {"type": "function", "name": "weather", "description": "Tell the weather.", "parameters": SCHEMA}
    tool["strict"] = True
    openai_client.responses.create(model="org/m:free", instructions=SYSTEM, input=items, tools=[tool], store=False)
    check(listener.heard[0], TALK)


def test_anthropics_messages(listener: Listener, http: httpx2.Client) -> None:
    client = anthropic.Anthropic(api_key="none", base_url="http://mock", max_retries=0, http_client=http)
    block = anthropic.types
    messages: Any = [
        {"role": "user", "content": ASKED},
        {
            "role": "assistant",
            "content": [
                block.TextBlock(type="text", text=LOOKING, citations=None),
                block.ToolUseBlock(type="tool_use", id="toolu_a", name="weather", input=ZURICH),
                block.ToolUseBlock(type="tool_use", id="toolu_b", name="weather", input=TOKYO),
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "toolu_a", "content": '{"celsius":21}', "is_error": False},
                {
                    "type": "tool_result",
                    "tool_use_id": "toolu_b",
                    "content": [{"type": "text", "text": "rain"}],
                    "cache_control": {"type": "ephemeral"},
                },
            ],
        },
        {"role": "assistant", "content": "Sun and rain."},
        {"role": "user", "content": MORE},
    ]
    tool: Any = {"name": "weather", "description": "Tell the weather.", "input_schema": SCHEMA}
    with client.messages.stream(
        model="org/m:free",
        max_tokens=99,
        system=[{"type": "text", "text": SYSTEM, "cache_control": {"type": "ephemeral"}}],
        messages=messages,
        tools=[tool],
    ) as stream:
        stream.until_done()
    check(listener.heard[0], TALK)


def test_geminis_contents_whose_calls_have_no_ids(listener: Listener, http: httpx2.Client) -> None:
    client = genai.Client(
        api_key="none", vertexai=False, http_options=types.HttpOptions(base_url="http://mock", httpx_client=http)
    )
    part = types.Part
    contents: Any = [
        types.UserContent(ASKED),
        types.ModelContent(
            [
                part(text=LOOKING),
                part(function_call=types.FunctionCall(name="weather", args=ZURICH), thought_signature=b"sealed"),
                part.from_function_call(name="weather", args=TOKYO),
            ]
        ),
        types.Content(
            role="tool",
            parts=[
                part.from_function_response(name="weather", response={"celsius": 21}),
                part.from_function_response(name="weather", response={"output": "rain"}),
            ],
        ),
        types.ModelContent("Sun and rain."),
        types.UserContent(MORE),
    ]
    function = types.FunctionDeclaration(name="weather", description="Tell the weather.", parameters_json_schema=SCHEMA)
    stream = client.models.generate_content_stream(
        model="gemini-2.5-pro",
        contents=contents,
        config=types.GenerateContentConfig(
            system_instruction=SYSTEM, tools=[types.Tool(function_declarations=[function])]
        ),
    )
    assert list(stream)
    check(listener.heard[0], TALK)


def test_ollamas_chat_whose_calls_have_no_ids(listener: Listener) -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        status, media_type, body = listener.respond(
            request.method, str(request.url), dict(request.headers), request.read()
        )
        return httpx.Response(status, content=body, headers={"content-type": media_type})

    call = ollama.Message.ToolCall
    turn = ollama.Message(
        role="assistant",
        content=LOOKING,
        thinking="Two calls.",
        tool_calls=[call(function=call.Function(name="weather", arguments=each)) for each in (ZURICH, TOKYO)],
    )
    messages = [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": ASKED},
        turn,
        {"role": "tool", "content": '{"celsius":21}', "tool_name": "weather"},
        {"role": "tool", "content": "rain", "tool_name": "weather"},
        {"role": "assistant", "content": "Sun and rain."},
        {"role": "user", "content": MORE},
    ]
    function = ollama.Tool.Function(
        name="weather", description="Tell the weather.", parameters=ollama.Tool.Function.Parameters(**SCHEMA)
    )
    with ollama.Client(host="http://mock", transport=httpx.MockTransport(handle)) as client:
        assert list(client.chat("qwen3:8b", messages, tools=[ollama.Tool(function=function)], stream=True))
    check(listener.heard[0], TALK)


def test_ag_uis_run() -> None:
    core = ag_ui.core
    run = core.RunAgentInput(
        thread_id="t",
        run_id="r",
        state={},
        messages=[
            core.SystemMessage(id="1", content=SYSTEM),
            core.UserMessage(id="2", content=ASKED),
            core.AssistantMessage(
                id="3",
                content=LOOKING,
                tool_calls=[
                    core.ToolCall(id="a", function=core.FunctionCall(name="weather", arguments=ZURICH_JSON)),
                    core.ToolCall(id="b", function=core.FunctionCall(name="weather", arguments=TOKYO_JSON)),
                ],
            ),
            core.ToolMessage(id="4", tool_call_id="a", content='{"celsius":21}'),
            core.ToolMessage(id="5", tool_call_id="b", content="rain"),
            core.AssistantMessage(id="6", content="Sun and rain."),
            core.UserMessage(id="7", content=MORE),
        ],
        tools=[core.Tool(name="weather", description="Tell the weather.", parameters=SCHEMA)],
        context=[],
        forwarded_props={},
    )
    check(question("POST", "/agui", run.model_dump(mode="json", by_alias=True)), TALK)


def test_a_page_of_the_ai_sdk_has_the_whole_answer_in_one_message() -> None:
    call = {"type": "tool-weather", "state": "output-available"}
    body = {
        "id": "c",
        "messages": [
            {"id": "0", "role": "system", "parts": [{"type": "text", "text": SYSTEM}]},
            {"id": "1", "role": "user", "parts": [{"type": "text", "text": ASKED}]},
            {
                "id": "2",
                "role": "assistant",
                "parts": [
                    {"type": "step-start"},
                    {"type": "text", "text": LOOKING, "state": "done"},
                    {**call, "toolCallId": "a", "input": ZURICH, "output": {"celsius": 21}},
                    {**call, "toolCallId": "b", "input": TOKYO, "output": "rain"},
                    {"type": "step-start"},
                    {"type": "text", "text": "Sun and rain.", "state": "done"},
                ],
            },
            {"id": "3", "role": "user", "parts": [{"type": "text", "text": MORE}]},
        ],
        "trigger": "submit-message",
    }
    check(question("POST", "/ui/chat", body), TALK, tools=False)


def test_the_agent_services_chat_has_no_tools() -> None:
    messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": ASKED}]
    messages += [{"role": "assistant", "content": LOOKING}, {"role": "user", "content": MORE}]
    talk: list[Said] = [*QUESTION, ("assistant", LOOKING, [], None), ("user", MORE, [], None)]
    check(question("POST", "/chat", {"messages": messages, "model": "m"}), talk, tools=False)


def test_prompts_of_those_that_have_no_conversation(listener: Listener, openai_client: openai.OpenAI) -> None:
    assert openai_client.completions.create(model="m", prompt=ASKED, max_tokens=99).choices
    check(listener.heard[0], QUESTION[1:], tools=False)
    body = {"model": "m", "system": SYSTEM, "prompt": ASKED, "options": {"num_ctx": 4096}, "keep_alive": "5m"}
    check(question("POST", "/api/generate", body), QUESTION, tools=False)
    check(question("POST", "/generate", {"prompt": ASKED}), QUESTION[1:], tools=False)


@pytest.mark.parametrize("upstream", SPEAKABLE)
def test_a_conversation_that_arrives_otherwise_is_found_out(upstream: str) -> None:
    first, second = (ChatRequest(messages=[ChatMessage("user", text)], model="m") for text in ("a", "b"))
    assert said(read(written(upstream, first)).request) != said(second)
