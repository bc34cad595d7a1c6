"""What the official Python SDKs make of answers in one piece, as `tests/dialects/sdks.py` has it of streams."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import anthropic
import ollama
from google import genai
from google.genai import types

from tests.dialects import sdks
from tests.dialects.referees import View, view
from tests.dialects.sdks import (
    ANTHROPIC_TOOLS,
    CHAT_TOOLS,
    GEMINI_TOOLS,
    NO_TLS,
    QUESTION,
    RESPONSES_TOOLS,
    Referee,
    openai_client,
    parsed,
    referee,
    view_of_message,
)

if TYPE_CHECKING:
    from openai.types.chat import ChatCompletionMessage, ChatCompletionMessageFunctionToolCall
    from openai.types.responses import Response

    from mockserver.open import MockInThread

__all__ = [
    "DOCUMENTS",
    "anthropic_client",
    "entries_of",
    "functions_of",
    "gemini_client",
    "ollama_client",
    "view_of_response",
]


def anthropic_client(base_url: str, *, max_retries: int = 0) -> anthropic.Anthropic:
    """Return a client."""
    http_client = anthropic.DefaultHttpxClient(**NO_TLS)
    return anthropic.Anthropic(
        base_url=base_url, api_key="none", max_retries=max_retries, timeout=sdks.TIMEOUT_S, http_client=http_client
    )


def ollama_client(base_url: str) -> ollama.Client:
    """Return a client."""
    return ollama.Client(host=base_url, timeout=sdks.TIMEOUT_S, **NO_TLS)


def gemini_client(base_url: str, attempts: int = 1) -> genai.Client:
    """Return a client."""
    options = types.HttpOptions(
        base_url=base_url,
        timeout=int(sdks.TIMEOUT_S * 1000),
        client_args={**NO_TLS},
        async_client_args={**NO_TLS},
        retry_options=types.HttpRetryOptions(attempts=attempts, initial_delay=0.01, max_delay=0.02),
    )
    return genai.Client(api_key="none", vertexai=False, http_options=options)


def entries_of(mock: MockInThread) -> list[dict[str, Any]]:
    """Return the journal once all answers are over: that a client has all of its own is not enough."""
    deadline = time.monotonic() + sdks.TIMEOUT_S
    while any(entry["ended_ns"] is None for entry in mock.journal):
        assert time.monotonic() < deadline
    return mock.journal


@referee
def document_of_openai_chat(base_url: str) -> View:
    with openai_client(base_url) as client:
        completion = client.chat.completions.create(model="m", messages=QUESTION, tools=CHAT_TOOLS)
    (choice,) = completion.choices
    message, usage = choice.message, completion.usage
    more = message.model_extra or {}
    calls = [(call.function.name, parsed(call.function.arguments)) for call in functions_of(message)]
    text, reasoning = message.content or "", more.get("reasoning_content") or more.get("reasoning") or ""
    assert usage is not None
    return view([text], [reasoning], calls, choice.finish_reason, (usage.prompt_tokens, usage.completion_tokens))


def functions_of(message: ChatCompletionMessage) -> list[ChatCompletionMessageFunctionToolCall]:
    """Return the calls of functions; there are no others here."""
    return [call for call in message.tool_calls or () if call.type == "function"]


@referee
def document_of_openai_completions(base_url: str) -> View:
    with openai_client(base_url) as client:
        completion = client.completions.create(model="m", prompt="?")
    (choice,) = completion.choices
    usage = completion.usage
    assert usage is not None
    return view([choice.text], (), (), choice.finish_reason, (usage.prompt_tokens, usage.completion_tokens))


@referee
def document_of_openai_responses(base_url: str) -> View:
    with openai_client(base_url) as client:
        return view_of_response(client.responses.create(model="m", input="?", tools=RESPONSES_TOOLS))


def view_of_response(response: Response) -> View:
    """Return what there is to see in a response."""
    details, usage = response.incomplete_details, response.usage
    items = response.output
    thoughts = [part for item in items if item.type == "reasoning" for part in (*item.summary, *(item.content or ()))]
    calls = [(item.name, parsed(item.arguments)) for item in items if item.type == "function_call"]
    finish = (details and details.reason) or response.status
    counts = None if usage is None else (usage.input_tokens, usage.output_tokens)
    return view([response.output_text], [part.text for part in thoughts], calls, finish, counts)


@referee
def document_of_anthropic(base_url: str) -> View:
    with anthropic_client(base_url) as client:
        message = client.messages.create(model="m", max_tokens=999, messages=QUESTION, tools=ANTHROPIC_TOOLS)
    return view_of_message(message)


@referee
def document_of_ollama_chat(base_url: str) -> View:
    with ollama_client(base_url) as client:
        return sdks.view_of_parts([client.chat(model="m", messages=QUESTION, tools=CHAT_TOOLS)])


@referee
def document_of_ollama_generate(base_url: str) -> View:
    with ollama_client(base_url) as client:
        part = client.generate(model="m", prompt="?")
    counts = part.prompt_eval_count, part.eval_count
    return view([part.response or ""], [part.thinking or ""], (), part.done_reason, counts)


@referee
def document_of_gemini(base_url: str) -> View:
    config = types.GenerateContentConfig(tools=GEMINI_TOOLS)
    with gemini_client(base_url) as client:
        answer = client.models.generate_content(model="m", contents="?", config=config)
    (candidate,) = answer.candidates or []
    parts = (candidate.content and candidate.content.parts) or []
    counts = answer.usage_metadata
    assert counts is not None
    assert candidate.finish_reason is not None
    return view(
        [part.text or "" for part in parts if not part.thought],
        [part.text or "" for part in parts if part.thought],
        [(part.function_call.name or "", part.function_call.args or {}) for part in parts if part.function_call],
        candidate.finish_reason.value,
        (counts.prompt_token_count, (counts.candidates_token_count or 0) + (counts.thoughts_token_count or 0)),
    )


DOCUMENTS: dict[str, Referee] = {
    "openai-chat": document_of_openai_chat,
    "openai-completions": document_of_openai_completions,
    "openai-responses": document_of_openai_responses,
    "anthropic": document_of_anthropic,
    "ollama-chat": document_of_ollama_chat,
    "ollama-generate": document_of_ollama_generate,
    "gemini": document_of_gemini,
}
"""Who reads the documents of which dialect. AG-UI has none."""
