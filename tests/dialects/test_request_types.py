"""The types of the official SDKs know every field of every request, and find nothing wrong with it."""

from __future__ import annotations

from typing import Any

import ag_ui.core
import pytest
from anthropic.types import message_create_params
from google.genai import types as genai
from hypothesis import given, settings
from ollama import _types as ollama_types
from openai.types import completion_create_params
from openai.types.chat import completion_create_params as chat_create_params
from openai.types.responses import response_create_params
from pydantic import TypeAdapter, ValidationError

from streamkit.dialects.requests import ChatMessage, ChatRequest
from tests.dialects.asked import PROMPTS, body_of, conversations, requests

FEW = settings(max_examples=settings().max_examples // 4)  # the types are slow
CHATS = requests(conversations(tools=True), tools=True)
QUESTIONS = requests(PROMPTS, tools=False)

CHAT: Any = TypeAdapter(chat_create_params.CompletionCreateParamsStreaming)
COMPLETION: Any = TypeAdapter(completion_create_params.CompletionCreateParamsStreaming)
RESPONSE: Any = TypeAdapter(response_create_params.ResponseCreateParamsStreaming)
MESSAGE: Any = TypeAdapter(message_create_params.MessageCreateParamsStreaming)


def plain(value: Any) -> Any:  # noqa: ANN401 - JSON
    """A value with its lazily checked lists read to the end, which checks them."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, str) or not hasattr(value, "__iter__"):
        return value
    return [plain(each) for each in value]


def check(adapter: Any, body: Any) -> None:  # noqa: ANN401 - JSON
    """Check against a TypedDict. What it does not know it leaves out, so what comes out has to be what went in."""
    assert plain(adapter.validate_python(body)) == body


def streamed(dialect: str, request: ChatRequest) -> Any:  # noqa: ANN401 - JSON
    request.stream = True
    return body_of(dialect, request)


@FEW
@given(CHATS)
def test_openai_chat(request: ChatRequest) -> None:
    check(CHAT, streamed("openai-chat", request))


@FEW
@given(QUESTIONS)
def test_openai_completions(request: ChatRequest) -> None:
    check(COMPLETION, streamed("openai-completions", request))


@FEW
@given(CHATS)
def test_openai_responses(request: ChatRequest) -> None:
    body = streamed("openai-responses", request)
    # The type wants an id of a reasoning item, which there is none of where the server keeps nothing.
    items = [{"id": "rs", **item} if item["type"] == "reasoning" else item for item in body["input"]]
    check(RESPONSE, {**body, "input": items})


@FEW
@given(CHATS)
def test_anthropic(request: ChatRequest) -> None:
    body = streamed("anthropic", request)
    # These belong to a version of the API that is older than the types.
    check(MESSAGE, {key: value for key, value in body.items() if key not in {"temperature", "top_p", "top_k"}})


@FEW
@given(CHATS)
def test_gemini(request: ChatRequest) -> None:
    body = body_of("gemini", request)
    known: dict[str, Any] = {
        "systemInstruction": genai.Content,
        "contents": list[genai.Content],
        "tools": list[genai.Tool],
        "toolConfig": genai.ToolConfig,
        "generationConfig": genai.GenerationConfig,
    }
    assert set(body) <= set(known)
    for key, value in body.items():
        TypeAdapter(known[key]).validate_python(value)  # these models forbid fields that they do not know


@FEW
@given(CHATS)
def test_ollama_chat(request: ChatRequest) -> None:
    body = body_of("ollama-chat", request)
    model = ollama_types.ChatRequest.model_validate(body)
    dumped = model.model_dump(exclude_none=True)
    assert set(body) <= set(dumped) | {"tools"}
    ids = {"id", "tool_call_id"}  # which the server knows and its Python SDK does not
    for message, kept in zip(body["messages"], dumped["messages"], strict=True):
        assert {key for key in message if key not in ids} <= set(kept)
    assert dumped.get("options", {}) == body.get("options", {})


@FEW
@given(QUESTIONS)
def test_ollama_generate(request: ChatRequest) -> None:
    body = body_of("ollama-generate", request)
    assert set(body) <= set(ollama_types.GenerateRequest.model_validate(body).model_dump(exclude_none=True))


@FEW
@given(CHATS)
def test_ag_ui(request: ChatRequest) -> None:
    body = body_of("ag-ui", request)
    model = ag_ui.core.RunAgentInput.model_validate(body)
    assert model.model_dump(mode="json", by_alias=True, exclude_none=True) == body


def test_a_field_that_a_type_does_not_know_is_noticed() -> None:
    request = ChatRequest(model="m", messages=[ChatMessage("user", "x")], extra={"unheard": 1})
    with pytest.raises(AssertionError):
        check(CHAT, streamed("openai-chat", request))
    wrong = ChatRequest(model="m", messages=[ChatMessage("user", "x")], extra={"messages": [{"role": "bot"}]})
    with pytest.raises(ValidationError):
        check(CHAT, streamed("openai-chat", wrong))
