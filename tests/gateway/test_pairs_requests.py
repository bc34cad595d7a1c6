"""What each official Python SDK asks reaches every upstream: read there by the vendor's own reader, it says the same.

What an upstream's dialect has no place for is named in the header of the answer, or the SDK raises its usual exception
for a bad request, in its vendor's manner (`test_pairs_refusals.py`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import anthropic
import msgspec
import ollama
import openai
import pytest
from google.genai import errors

from streamkit.dialects.requests import ChatRequest, ResponseSchema
from tests.dialects.sdks import TOOLS
from tests.gateway.pairs import ANSWERS, UPSTREAMS, Pairs, asked_in, is_converted, open_pairs
from tests.gateway.pairs_asking import ASKED, ASKS, OPTIONS, RESULTS, SYSTEM, TURNS, Turns
from tests.mockserver.verdicts import FIND, LOOK, SAID

HAS_IDS = {"openai-chat", "openai-responses", "anthropic"}
"""Upstreams that tell calls apart by ids."""


@pytest.fixture(scope="module")
def pairs() -> Iterator[Pairs]:
    with open_pairs() as running:
        yield running


def conversation(request: ChatRequest) -> list[tuple[object, ...]]:
    """Return what was said, in order; of results, which call they are of."""
    said: list[tuple[object, ...]] = []
    names: dict[str, str] = {}
    waiting: list[str] = []
    for message in request.messages:
        if message.text and message.role != "tool":
            said.append((message.role, message.text))
        for call in message.tool_calls:
            if call.id:
                names[call.id] = call.name
            waiting.append(call.name)
            said.append(("call", call.name, json.loads(call.arguments)))
        if message.role == "tool":
            in_order = waiting.pop(0)
            name = message.tool_name or names.get(message.tool_call_id) or in_order
            said.append(("result", name, message.text))
    return said


@pytest.mark.parametrize("upstream", UPSTREAMS)
@pytest.mark.parametrize(("name", "turns"), TURNS.items(), ids=TURNS)
def test_a_second_turn_tells_the_results_of_tools(name: str, turns: Turns, upstream: str, pairs: Pairs) -> None:
    pairs.set(**{**ANSWERS["calls"], "say": SAID})
    assert turns(pairs.gateways[upstream].url) == SAID
    first, second = map(asked_in, pairs.entries())
    for asked in (first, second):
        assert {tool.name: tool.parameters for tool in asked.tools} == TOOLS
        assert asked.tool_choice == "auto"
        assert asked.model == "m"
    assert conversation(first) == [("system", SYSTEM), ("user", ASKED)]
    assert conversation(second) == [
        *conversation(first),
        *(("call", *each) for each in (LOOK, FIND)),
        *(("result", *each) for each in RESULTS.items()),
    ]
    if upstream in HAS_IDS:
        calls = [call.id for message in second.messages for call in message.tool_calls]
        results = [message.tool_call_id for message in second.messages if message.role == "tool"]
        assert calls == results
        assert len(set(calls)) == 2
        assert all(calls)


# -------------------------------------------------------------------------------------------------------------- options

DROPPED: Mapping[str, set[str]] = {
    "ollama-chat": {"parallel_tool_calls"},
    "openai-chat": {"top_k"},
    "openai-responses": {"top_k", "seed", "frequency_penalty", "presence_penalty"},
    "anthropic": {"seed", "frequency_penalty", "presence_penalty"},
    "gemini": {"parallel_tool_calls"},
}
"""What stays behind and is named, by upstream."""

DROPPED_OF: Mapping[tuple[str, str], set[str]] = {("reasoning", "ollama-generate"): {"openai-chat"}}
"""The same of one client: that it wants to think, without how hard, says nothing to a model that nobody knows."""

REFUSED: Mapping[str, set[str]] = {
    "ollama-chat": {"n", "tool_choice", "tool_choice required"},
    "openai-chat": set(),
    "openai-responses": {"n", "stop"},
    "anthropic": {"n", "response_format json"},
    "gemini": set(),
}
"""What an upstream cannot be asked for, and an answer without would be another one."""

CHANGED: Mapping[tuple[str, str], Mapping[str, object]] = {
    ("reasoning", "ollama-generate"): {"anthropic": "medium"},
    ("reasoning", "anthropic"): {"openai-chat": "low", "openai-responses": "low"},
    **{
        ("tool_choice none", sdk): {"ollama-chat": "auto"}
        for sdk in ("openai-chat", "openai-responses", "anthropic", "gemini")
    },
}
"""What has another word upstream, by field and client: Ollama has no way to forbid tools but to offer none."""

BAD_REQUEST: Mapping[str, type[Exception]] = {
    **dict.fromkeys(("openai-chat", "openai-completions", "openai-responses"), openai.BadRequestError),
    "anthropic": anthropic.BadRequestError,
    **dict.fromkeys(("ollama-chat", "ollama-generate"), ollama.ResponseError),
    "gemini": errors.ClientError,
}

ROWS = [(sdk, word) for sdk, options in OPTIONS.items() for word in options]


def told(request: ChatRequest, field: str, upstream: str) -> object:
    """Return a field as it can be compared: only OpenAI names schemas, and few of Ollama's models have levels."""
    value: object = getattr(request, field)
    if field == "reasoning" and upstream == "ollama-chat" and isinstance(value, str):
        return value != "none"
    if isinstance(value, ResponseSchema) and not upstream.startswith("openai"):
        return value.schema
    return value


@pytest.mark.parametrize(("sdk", "word"), ROWS, ids=lambda each: each.replace(" ", "-"))
def test_an_option_reaches_every_upstream_or_is_told_not_to(sdk: str, word: str, pairs: Pairs) -> None:
    field, options = word.split(" ", 1)[0], OPTIONS[sdk][word]
    pairs.set(tokens=3)
    ASKS[sdk](pairs.mock.url, **options)
    own = asked_in(pairs.entries()[0])
    for upstream in UPSTREAMS:
        pairs.set(tokens=3)
        url = pairs.gateways[upstream].url
        if is_converted(sdk, upstream) and word in REFUSED[upstream]:
            with pytest.raises(BAD_REQUEST[sdk], match=f"{field}: the server behind .* {upstream}") as caught:
                ASKS[sdk](url, **options)
            assert status_of(caught.value) == 400
            assert pairs.entries() == []
            continue
        headers = ASKS[sdk](url, **options)
        asked = asked_in(pairs.entries()[0])
        if is_converted(sdk, upstream) and (
            field in DROPPED[upstream] or upstream in DROPPED_OF.get((word, sdk), set())
        ):
            assert headers["x-streamkit-dropped"] == field
            assert getattr(asked, field) is None
            continue
        assert "x-streamkit-dropped" not in headers
        changed = CHANGED.get((word, sdk), {})
        wanted = changed[upstream] if upstream in changed else told(own, field, upstream)
        assert told(asked, field, upstream) == wanted, upstream
        is_ollama_without = word == "tool_choice none" and upstream == "ollama-chat"
        assert [tool.name for tool in asked.tools] == ([] if is_ollama_without else [tool.name for tool in own.tools])


def status_of(error: Any) -> int | None:  # noqa: ANN401 - each SDK has its own
    """Return the status that an SDK's error has."""
    return getattr(error, "status_code", None) or getattr(error, "code", None)


def test_every_field_that_a_client_can_ask_for_is_asked_for_here() -> None:
    words = {word.split(" ")[0] for options in OPTIONS.values() for word in options}
    others = {"model", "stream", "include_usage", "id", "extra"}  # in the turns, or nobody's option
    assert {field.name for field in msgspec.structs.fields(ChatRequest)} - others == words


# --------------------------------------------------------------------------------------------------- everything at once


def test_whatever_is_dropped_is_named_together(pairs: Pairs) -> None:
    pairs.set(tokens=3)
    options = {**OPTIONS["openai-chat"]["seed"], **OPTIONS["openai-chat"]["frequency_penalty"], "user": "somebody"}
    headers = ASKS["openai-chat"](pairs.gateways["anthropic"].url, **options)
    assert set(headers["x-streamkit-dropped"].split(", ")) == {"seed", "frequency_penalty", "user"}
