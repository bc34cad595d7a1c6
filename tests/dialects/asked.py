"""Neutral requests, drawn by Hypothesis, and what the mock server understands of a request in a dialect's form."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from hypothesis import strategies as st

from mockserver.ask import Ask, ask_of
from streamkit.codecs.jsontext import encode_value
from streamkit.dialects.registry import DIALECTS
from streamkit.dialects.requests import (
    EFFORTS,
    ChatMessage,
    ChatRequest,
    RequestDocument,
    ResponseSchema,
    Tool,
    ToolCall,
)
from streamkit.vendors import Facts, find
from streamkit.vendors.question import Question
from streamkit.vendors.reading import Reading

TEXT = st.text(
    st.characters(codec="utf-8", exclude_characters="\0") | st.sampled_from('\r\n\u2028\ufeff"\\{}é漢👋 '),
    max_size=12,
)
WORDS = st.sampled_from(["get_weather", "search", "f"])
SCHEMA: dict[str, object] = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = st.lists(
    st.builds(Tool, WORDS, st.sampled_from(["", "What it does."]), st.sampled_from([{}, SCHEMA])),
    max_size=3,
    unique_by=lambda tool: tool.name,
)
ARGUMENTS = st.just("") | st.dictionaries(WORDS, st.integers(-9, 9) | TEXT, max_size=2).map(
    lambda value: encode_value(value).decode()
)


@st.composite
def conversations(draw: st.DrawFn, *, tools: bool) -> list[ChatMessage]:
    """What a lawful conversation is for every vendor: each result has its call, and somebody says something."""
    messages = [ChatMessage("system", "Be brief.")] if draw(st.booleans()) else []
    number = 0
    for _ in range(draw(st.integers(0, 3))):
        kind = draw(st.sampled_from(["user", "assistant", "calls"] if tools else ["user", "assistant"]))
        if kind != "calls":
            messages.append(ChatMessage("user" if kind == "user" else "assistant", draw(TEXT)))
            continue
        has_ids = draw(st.booleans())
        calls = []
        for _ in range(draw(st.integers(1, 3))):
            number += 1
            calls.append(ToolCall(f"id_{number}" if has_ids else "", draw(WORDS), draw(ARGUMENTS)))
        thought = draw(st.sampled_from([("", ""), ("Hm.", ""), ("Hm.", "c2lnbmVk")]))
        messages.append(
            ChatMessage("assistant", draw(TEXT), calls, reasoning=thought[0], signature=thought[1]),
        )
        results = [ChatMessage("tool", draw(TEXT | st.just('{"a": 1}')), tool_call_id=call.id) for call in calls]
        messages += draw(st.permutations(results)) if has_ids else results
    if draw(st.booleans()) or not any(message.role == "tool" for message in messages[-1:]):
        messages.append(ChatMessage("user", f"{draw(TEXT)}?"))
    return messages


PROMPTS = st.tuples(st.booleans(), TEXT).map(
    lambda drawn: [*([ChatMessage("system", "Be brief.")] if drawn[0] else []), ChatMessage("user", f"{drawn[1]}?")]
)


@st.composite
def requests(draw: st.DrawFn, messages: st.SearchStrategy[list[ChatMessage]], *, tools: bool) -> ChatRequest:
    """A request within what every vendor allows."""
    offered = draw(TOOLS) if tools else []
    choices = ["auto", "none", "required", offered[-1].name] if offered else ["auto", "none"]
    return ChatRequest(
        model=draw(
            st.sampled_from(["m", "gpt-5-mini", "o3", "claude-opus-4-8", "claude-3-7-sonnet", "gemini-2.5-pro"])
        ),
        messages=draw(messages),
        tools=offered,
        tool_choice=draw(st.sampled_from(choices)),
        parallel_tool_calls=draw(st.sampled_from([None, True, False])),
        max_tokens=draw(st.sampled_from([None, 16, 1024, 1025, 2000, 100_000])),
        temperature=draw(st.sampled_from([None, 0, 0.5, 1.0])),
        top_p=draw(st.sampled_from([None, 0.1, 1.0])),
        top_k=draw(st.sampled_from([None, 5])),
        seed=draw(st.sampled_from([None, 0, 7])),
        stop=draw(st.lists(st.sampled_from(["END", "\n\n", "é"]), max_size=3, unique=True)),
        frequency_penalty=draw(st.sampled_from([None, 0.5])),
        presence_penalty=draw(st.sampled_from([None, -0.5])),
        n=draw(st.sampled_from([None, 1, 2])),
        response_format=draw(st.sampled_from([None, "json", ResponseSchema(SCHEMA)])),
        reasoning=draw(st.sampled_from([None, True, False, *EFFORTS])),
        stream=draw(st.booleans()),
        include_usage=draw(st.booleans()),
    )


def document_of(dialect: str, request: ChatRequest) -> RequestDocument:
    return DIALECTS[dialect].request(request)


def body_of(dialect: str, request: ChatRequest) -> Any:  # noqa: ANN401 - JSON
    return document_of(dialect, request).body


def understood(document: RequestDocument) -> Ask:
    """What the mock server makes of a request; it raises for what the vendor would refuse."""
    parts = urlsplit(document.path)
    question = Question(
        method=document.method,
        path=unquote(parts.path),
        query=dict(parse_qsl(parts.query)),
        headers={name.lower(): value for name, value in document.headers},
        body=document.content,
    )
    found = find(question).read(question, Facts())
    ask = ask_of(found) if isinstance(found, Reading) else found
    assert isinstance(ask, Ask), ask
    return ask
