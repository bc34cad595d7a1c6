"""Whatever comes, a reader understands it or refuses it: it never fails in another way, and never says too much."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.ask import Ask
from streamkit.codecs.jsontext import encode_value
from streamkit.dialects.registry import DIALECTS
from streamkit.vendors import ENDPOINTS, find
from streamkit.vendors.question import Question, RefusedError
from streamkit.vendors.reading import Reading
from tests.vendors.asking import ANY, asked_in, body_of, question

POSTS = sorted({endpoint.pattern for endpoint in ENDPOINTS if endpoint.method == "POST"})

TOOL = {"name": "weather", "parameters": {"type": "object"}}
TEXT = [{"type": "text", "text": "Hello"}]

FULL: dict[str, Any] = {
    "/v1/chat/completions": {
        "model": "m",
        "messages": [{"role": "user", "content": TEXT}, {"role": "tool", "tool_call_id": "c", "content": "?"}],
        "tools": [{"type": "function", "function": TOOL}, {"type": "custom", "custom": {"name": "note"}}],
        "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [{"type": "function"}]}},
        "functions": [TOOL],
        "function_call": {"name": "weather"},
        "max_tokens": 5,
        "n": 2,
        "stop": ["END"],
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 1.0,
        "reasoning": {"effort": "low"},
        "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}},
    },
    "/v1/completions": {"model": "m", "prompt": ["Hello", [1, 2]], "n": 2, "best_of": 3, "stop": "END"},
    "/v1/responses": {
        "model": "m",
        "instructions": "?",
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "Hello"}]},
            {"type": "function_call", "call_id": "c", "name": "weather", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c", "output": "?"},
        ],
        "tools": [{"type": "function", **TOOL}],
        "tool_choice": {"type": "function", "name": "weather"},
        "reasoning": {"effort": "low"},
        "max_output_tokens": 16,
        "text": {"format": {"type": "json_schema", "name": "a", "schema": {"type": "object"}}},
    },
    "/v1/messages": {
        "model": "m",
        "max_tokens": 2000,
        "system": TEXT,
        "messages": [
            {"role": "user", "content": [*TEXT, {"type": "tool_result", "tool_use_id": "t", "content": TEXT}]},
        ],
        "tools": [{"name": "weather", "input_schema": {}}],
        "tool_choice": {"type": "tool", "name": "weather"},
        "thinking": {"type": "enabled", "budget_tokens": 1024},
        "stop_sequences": ["END"],
        "top_k": 1,
        "output_config": {"format": {"type": "json_schema", "schema": {}}},
    },
    "/v1beta/models/m:streamGenerateContent": {
        "contents": [
            {"role": "user", "parts": [{"text": "Hello"}, {"functionResponse": {"name": "w", "response": {"a": 1}}}]}
        ],
        "systemInstruction": {"parts": [{"text": "?"}]},
        "tools": [{"functionDeclarations": [{"name": "w", "parameters": {"type": "OBJECT", "properties": {"a": {}}}}]}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["w"]}},
        "generationConfig": {
            "temperature": 1.0,
            "maxOutputTokens": 5,
            "stopSequences": ["END"],
            "candidateCount": 2,
            "responseMimeType": "application/json",
            "responseSchema": {"type": "OBJECT"},
            "thinkingConfig": {"includeThoughts": True, "thinkingBudget": 5},
        },
    },
    "/api/chat": {
        "model": "m",
        "messages": [{"role": "user", "content": "Hello", "images": ["x"], "tool_calls": [{"function": TOOL}]}],
        "tools": [{"type": "function", "function": TOOL}],
        "options": {"num_predict": 5, "stop": ["END"], "temperature": 1.0},
        "think": "high",
        "format": {"type": "object"},
        "keep_alive": "5m",
    },
    "/api/generate": {"model": "m", "prompt": "Hello", "system": "?", "suffix": "?", "images": [], "keep_alive": 0},
    "/agui": {
        "threadId": "t",
        "runId": "r",
        "messages": [{"id": "1", "role": "user", "content": TEXT}],
        "tools": [{"name": "weather", "parameters": {}}],
        "forwardedProps": {"model": "m"},
    },
    "/chat": {"model": "m", "messages": [{"role": "user", "content": "Hello"}]},
    "/ui/chat": {
        "id": "c",
        "messages": [
            {"id": "1", "role": "user", "parts": TEXT},
            {
                "id": "2",
                "role": "assistant",
                "parts": [
                    {"type": "tool-w", "toolCallId": "t", "state": "output-available", "input": {}, "output": "?"},
                ],
            },
        ],
        "trigger": "submit-message",
    },
}

ODD: list[Any] = [None, True, 0, -1, 1.5, 10**30, "", "odd", [], [None], [5], ["odd"], {}, {"odd": 1}]


def check_refusal(error: RefusedError | None, dialect: str) -> None:
    if error is not None:
        assert 400 <= error.status <= 599
        assert 0 < len(error.message) < 1000
        encode_value(body_of(error, dialect))


def check(asked: Question) -> object:
    """Read it; what is refused is said in a body that can be written."""
    found = find(asked)
    try:
        value = found.read(asked, ANY)
    except RefusedError as error:
        value = error
    if isinstance(value, Reading):
        for left in value.leftovers:
            check_refusal(left.refusal, found.dialect)
        value = asked_in(value)
    if isinstance(value, RefusedError):
        check_refusal(value, found.dialect)
        return value
    if isinstance(value, Ask):
        assert value.framing in DIALECTS[value.dialect].framings
        assert value.choices >= 1
        assert value.schema is None or isinstance(value.schema, dict)
        assert value.prompt_tokens >= 0
        assert value.max_tokens is None or value.max_tokens >= 1
        names = {tool.name for tool in value.tools}
        assert value.tool_choice in {"auto", "none", "required", *names}
    else:
        encode_value(value)
    return value


def places(value: object) -> Iterator[list[str | int]]:
    """Every place in a JSON value, the top one left out."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield [key]
        yield from ([key, *rest] for rest in places(inner))


@pytest.mark.parametrize("target", FULL)
def test_a_full_request_is_understood(target: str) -> None:
    assert isinstance(check(question("POST", target, FULL[target])), Ask)


@pytest.mark.parametrize("target", FULL)
def test_an_odd_value_anywhere_is_understood_or_refused(target: str) -> None:
    refusals = 0
    for place in places(FULL[target]):
        for odd in ODD:
            body = copy.deepcopy(FULL[target])
            inner = body
            for key in place[:-1]:
                inner = inner[key]
            inner[place[-1]] = odd
            refusals += isinstance(check(question("POST", target, body)), RefusedError)
    assert refusals > len(ODD)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(path=st.sampled_from(POSTS), data=st.data())
def test_any_json_is_understood_or_refused(path: str, data: st.DataObject) -> None:
    keys = st.sampled_from(sorted({key for body in FULL.values() for key in body}))
    body = data.draw(st.dictionaries(keys, JSON_VALUES, max_size=6) | JSON_VALUES)
    check(question("POST", path.replace("{", "").replace("*}", "").replace("}", ""), raw=json.dumps(body).encode()))


@given(
    method=st.sampled_from(["GET", "HEAD", "POST", "PUT", "OPTIONS", "X"]),
    path=st.text(max_size=30) | st.sampled_from(POSTS),
    body=st.binary(max_size=40),
    query=st.dictionaries(st.sampled_from(["alt", "prompt", "model", "threadId"]), st.text(max_size=5)),
)
def test_any_path_and_any_bytes_are_understood_or_refused(
    method: str, path: str, body: bytes, query: dict[str, str]
) -> None:
    check(Question(method, path, query, {}, body))


def test_a_large_request_takes_linear_time() -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "word " * 200_000}]}
    value = check(question("POST", "/v1/chat/completions", body))
    assert isinstance(value, Ask)
    assert value.prompt_tokens == 200_001


LONG_PARTS = [{"type": "text", "text": "x" * 1000}] * 20_000
LONG_THOUGHTS = [{"type": "thinking", "thinking": "x" * 1000, "signature": ""}] * 20_000


@pytest.mark.parametrize(
    ("target", "body"),
    [
        ("/v1/messages", {"max_tokens": 5, "messages": [{"role": "user", "content": LONG_PARTS}]}),
        ("/v1/messages", {"max_tokens": 5, "messages": [{"role": "assistant", "content": LONG_THOUGHTS}]}),
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": LONG_PARTS}]}),
        ("/ui/chat", {"messages": [{"role": "user", "parts": LONG_PARTS}]}),
        (
            "/agui",
            {"threadId": "t", "runId": "r", "messages": [{"role": "reasoning", "content": "x" * 1000}] * 20_000},
        ),
        ("/v1beta/models/m:generateContent", {"contents": [{"parts": [{"text": "x" * 1000}] * 20_000}]}),
    ],
)
def test_thousands_of_pieces_of_one_text_take_linear_time(target: str, body: dict[str, object]) -> None:
    fields = body if "models" in target or target == "/agui" else {"model": "m", **body}
    asked = question("POST", target, fields)
    begun = time.process_time()
    value = find(asked).read(asked, ANY)
    assert time.process_time() - begun < 5  # a text that is copied for each of its pieces takes twenty seconds
    assert isinstance(value, Reading)
    [message] = value.request.messages
    assert len(message.text) + len(message.reasoning) >= 20_000_000
