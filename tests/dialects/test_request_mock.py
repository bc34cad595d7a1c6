"""Every request is accepted by the mock server, which reads it as its vendor does, and means what was asked."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mockserver.ask import Ask
from streamkit.dialects.request_anthropic import DEFAULT_MAX_TOKENS
from streamkit.dialects.requests import ChatMessage, ChatRequest
from streamkit.vendors.question import RefusedError
from tests.dialects.asked import PROMPTS, conversations, document_of, requests, understood

CHATS = requests(conversations(tools=True), tools=True)
TALKS = requests(conversations(tools=False), tools=False)
QUESTIONS = requests(PROMPTS, tools=False)

WORDS = {
    *ChatRequest.__struct_fields__,
    *("message.reasoning", "message.signature", "message.prefill", "system.place", "system.role"),
}
"""What `dropped` may say, once and for all: programs read it."""

fewer = settings(max_examples=settings().max_examples // 2)  # there are many dialects, and each draws its own requests


def check(dialect: str, request: ChatRequest) -> tuple[Ask, list[str]]:
    """Check what is the same in all dialects; return what was understood, and what was dropped."""
    document = document_of(dialect, request)
    ask = understood(document)
    assert ask.dialect == dialect
    assert document.dropped == list(dict.fromkeys(document.dropped))
    assert set(document.dropped) <= WORDS
    assert ask.stream == (request.stream or "stream" in document.dropped)
    if "reasoning" not in document.dropped:
        asked = request.reasoning
        wanted = asked if asked is None or isinstance(asked, bool) else asked != "none"
        # Of a model that cannot think nobody has to ask that it does not.
        assert ask.reasoning == wanted or (ask.reasoning, wanted) == (None, False)
    if "response_format" not in document.dropped:
        form = request.response_format
        assert ask.schema == (None if form is None else {} if form == "json" else form.schema)
    if "stop" not in document.dropped:
        assert ask.stop == tuple(request.stop)
    if "n" not in document.dropped:
        assert ask.choices == (request.n or 1)
    if "max_tokens" not in document.dropped and request.max_tokens is not None:
        assert ask.max_tokens == request.max_tokens
    return ask, document.dropped


def tools_of(request: ChatRequest) -> list[tuple[str, object]]:
    return [(tool.name, tool.parameters or {"type": "object", "properties": {}}) for tool in request.tools]


def asked_tools(ask: Ask) -> list[tuple[str, Mapping[str, object]]]:
    return [(tool.name, tool.parameters) for tool in ask.tools]


def last_said(request: ChatRequest) -> str:
    return next((message.text for message in reversed(request.messages) if message.role == "user" and message.text), "")


def last_seen(request: ChatRequest) -> str:
    """The last text of the user's that has anything to see in it."""
    said = [message.text for message in request.messages if message.role == "user" and message.text.strip()]
    return said[-1] if said else ""


def choice_of(request: ChatRequest) -> str:
    return request.tool_choice if request.tools else "auto"


def is_answered(request: ChatRequest) -> bool:
    return request.messages[-1].role == "tool"


@fewer
@given(CHATS)
def test_openai_chat_understands_all_but_top_k_and_whether_to_think(request: ChatRequest) -> None:
    ask, dropped = check("openai-chat", request)
    assert ask.prompt == last_said(request)
    assert asked_tools(ask) == tools_of(request)
    assert ask.tool_choice == choice_of(request)
    assert ask.tools_answered == is_answered(request)
    assert ask.include_usage == (request.include_usage or not request.stream)
    assert set(dropped) <= {"top_k", "reasoning", "message.reasoning", "message.signature"}


@fewer
@given(CHATS)
def test_openai_responses_understands(request: ChatRequest) -> None:
    ask, dropped = check("openai-responses", request)
    assert ask.prompt == last_said(request)
    assert asked_tools(ask) == tools_of(request)
    assert ask.tool_choice == choice_of(request)
    assert ask.tools_answered == is_answered(request)
    penalties = {"frequency_penalty", "presence_penalty"}
    assert set(dropped) <= {"top_k", "seed", "stop", "n", "reasoning", "message.reasoning"} | penalties


@fewer
@given(CHATS)
def test_ollama_chat_understands_and_offers_what_may_be_called(request: ChatRequest) -> None:
    ask, dropped = check("ollama-chat", request)
    assert ask.prompt == last_said(request)
    assert ask.tools_answered == is_answered(request)
    wanted = {"auto": None, "required": None, "none": ""}.get(request.tool_choice, request.tool_choice)
    assert asked_tools(ask) == [tool for tool in tools_of(request) if wanted is None or tool[0] == wanted]
    assert ("tool_choice" in dropped) == (bool(request.tools) and request.tool_choice not in {"auto", "none"})


@fewer
@given(CHATS)
def test_anthropic_understands(request: ChatRequest) -> None:
    ask, dropped = check("anthropic", request)
    assert ask.prompt.endswith(last_seen(request))
    assert asked_tools(ask) == tools_of(request)
    assert ask.tool_choice == choice_of(request)
    if is_answered(request):
        assert ask.tools_answered
    if request.max_tokens is None:
        assert ask.max_tokens is not None
        assert ask.max_tokens >= DEFAULT_MAX_TOKENS
    assert ("response_format" in dropped) == (request.response_format == "json")


@fewer
@given(CHATS)
def test_gemini_understands_and_takes_a_named_tool_as_the_only_one(request: ChatRequest) -> None:
    ask, dropped = check("gemini", request)
    assert ask.prompt.endswith(last_said(request))
    assert ask.tools_answered == is_answered(request)
    assert ask.framing == "sse"
    assert ask.model == request.model
    named = [tool for tool in tools_of(request) if tool[0] == request.tool_choice]
    assert asked_tools(ask) == (named or tools_of(request))
    assert ask.tool_choice == ("required" if named else choice_of(request))
    assert set(dropped) <= {"parallel_tool_calls", "system.place"}


@fewer
@given(CHATS)
def test_ag_ui_understands(request: ChatRequest) -> None:
    ask, dropped = check("ag-ui", request)
    assert ask.prompt == last_said(request)
    assert ask.tools_answered == is_answered(request)
    assert ask.model == request.model
    assert ("stop" in dropped) == bool(request.stop)


@fewer
@given(TALKS)
def test_the_agent_service_understands_a_conversation(request: ChatRequest) -> None:
    ask, dropped = check("agent-poc", request)
    assert ask.prompt == last_said(request)
    assert ask.model == request.model
    assert ("max_tokens" in dropped) == (request.max_tokens is not None)


@fewer
@given(QUESTIONS)
def test_ollama_generate_understands_a_prompt(request: ChatRequest) -> None:
    ask, dropped = check("ollama-generate", request)
    assert ask.prompt == request.messages[-1].text
    assert set(dropped) <= {"n"}


@fewer
@given(QUESTIONS)
def test_openai_completions_understands_a_prompt_with_the_system_before_it(request: ChatRequest) -> None:
    ask, dropped = check("openai-completions", request)
    assert ask.prompt == "\n\n".join(message.text for message in request.messages)
    assert ("system.role" in dropped) == (len(request.messages) == 2)
    assert ask.include_usage == (request.include_usage or not request.stream)


@fewer
@given(QUESTIONS)
def test_the_server_of_plain_text_takes_a_prompt(request: ChatRequest) -> None:
    document = document_of("text", request)
    assert understood(document).dialect == "text"
    assert set(document.dropped) <= WORDS
    assert document.body == {
        "prompt": "\n\n".join(message.text for message in request.messages),
        "model": request.model,
    }


@fewer
@given(CHATS, st.sampled_from(["openai-chat", "openai-responses", "ollama-chat", "anthropic", "gemini", "ag-ui"]))
def test_building_a_request_leaves_the_neutral_one_as_it_was_and_is_repeatable(
    request: ChatRequest, dialect: str
) -> None:
    before = repr(request)
    document = document_of(dialect, request)
    assert repr(request) == before
    assert document_of(dialect, request).content == document.content


def test_the_mock_refuses_what_is_wrong_so_the_tests_above_can_fail() -> None:
    document = document_of("anthropic", ChatRequest(model="m", messages=[ChatMessage("user", "Hi")]))
    assert isinstance(document.body, dict)
    del document.body["max_tokens"]
    with pytest.raises(RefusedError, match="max_tokens: Field required"):
        understood(document)
