"""Whatever is asked keeps all that a dialect can say, through any vendor's form and back, and what it cannot is named.

`tests/dialects/test_requests.py` has each vendor's form by hand, `test_request_mock.py` what a server understands.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from streamkit.codecs.jsontext import encode_value
from streamkit.dialects.requests import ChatMessage, ChatRequest, Tool
from streamkit.gateway.config import SPEAKABLE
from streamkit.vendors import Facts
from streamkit.vendors.envelope import read_envelope
from tests.vendors.asking import answer, question, reading
from tests.vendors.round_trip import DRAWN, ORDERLY, read, written
from tests.vendors.round_trip_says import SAYS, normal, projected

some = settings(max_examples=settings().max_examples // 3)  # each dialect draws its own
few = settings(max_examples=settings().max_examples // 5)

CONVERSING = [dialect for dialect in DRAWN if DRAWN[dialect] is DRAWN["openai-chat"]]


def through(dialect: str, request: ChatRequest) -> ChatRequest:
    """What is read of a request that was written in a dialect."""
    reading = read(written(dialect, request))
    assert reading.dialect == dialect
    assert reading.leftovers == ()
    return reading.request


def test_every_dialect_that_has_requests_goes_there_and_back() -> None:
    assert set(DRAWN) == set(SAYS)


@some
@pytest.mark.parametrize("dialect", DRAWN)
@given(st.data())
def test_there_and_back_all_is_left_that_the_dialect_can_say_and_the_rest_is_named(
    dialect: str, data: st.DataObject
) -> None:
    request = data.draw(DRAWN[dialect])
    document = written(dialect, request)
    left, named = projected(dialect, request, document)
    assert normal(through(dialect, request)) == left
    assert set(document.dropped) == named


@some
@pytest.mark.parametrize("dialect", DRAWN)
@given(st.data())
def test_what_was_read_is_written_whole_and_stays_the_same_from_then_on(dialect: str, data: st.DataObject) -> None:
    once = through(dialect, data.draw(DRAWN[dialect]))
    document = written(dialect, once)
    assert document.dropped == []
    assert written(dialect, through(dialect, once)).content == document.content


@few
@pytest.mark.parametrize("dialect", CONVERSING)
@given(ORDERLY)
def test_a_conversation_that_takes_turns_is_written_in_the_same_bytes_again(dialect: str, request: ChatRequest) -> None:
    document = written(dialect, request)
    again = written(dialect, through(dialect, request))
    assert (again.path, again.content) == (document.path, document.content)


@few
@pytest.mark.parametrize("client", DRAWN)
@given(st.data())
def test_through_two_dialects_all_is_left_that_both_can_say(client: str, data: st.DataObject) -> None:
    request = data.draw(DRAWN[client])
    asked = through(client, request)
    first, _ = projected(client, request, written(client, request))
    for upstream in SPEAKABLE:
        document = written(upstream, asked)
        left, named = projected(upstream, first, document)
        assert normal(through(upstream, asked)) == left
        assert set(document.dropped) == named


@pytest.mark.parametrize("dialect", ["openai-chat", "openai-responses", "anthropic", "gemini", "ollama-chat"])
def test_what_gets_lost_and_is_not_named_is_found_out(dialect: str) -> None:
    request = ChatRequest(messages=[ChatMessage("user", "a")], model="m", top_p=0.5, tools=[Tool("f")])
    document = written(dialect, request)
    left, named = projected(dialect, request, document)
    assert (normal(read(document).request), named) == (left, set())
    for key in ("top_p", "topP", "tools"):
        spoiled = without(document.body, key)
        if spoiled != document.body:
            assert normal(read(replace(document, body=spoiled)).request) != left


def without(value: object, key: str) -> object:
    if not isinstance(value, dict):
        return value
    return {name: without(each, key) for name, each in value.items() if name != key}


MODEL = "org/model-7b:free"


def test_geminis_model_may_have_a_slash_in_its_name() -> None:
    contents = [{"role": "user", "parts": [{"text": "Hi"}]}]
    for path in (f"/v1beta/models/{MODEL}", f"/v1/projects/p/locations/l/publishers/google/models/{MODEL}"):
        found = reading(f"{path}:generateContent", {"contents": contents})
        assert (found.request.model, found.request.stream) == (MODEL, False)
    envelope = {"dialect": "gemini", "model": MODEL, "request": {"contents": contents}}
    assert read_envelope(encode_value(envelope), Facts()).request.model == MODEL
    assert isinstance(answer(question("GET", f"/v1beta/models/{MODEL}")), dict)


@pytest.mark.parametrize("words", ["skip_thought_signature_validator", "context_engineering_is_the_way_to_go"])
def test_what_stands_for_a_signature_that_there_is_not_is_none(words: str) -> None:
    call = {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": words}
    response = {"functionResponse": {"name": "f", "response": {"output": "1"}}}
    contents = [{"role": "model", "parts": [call]}, {"role": "user", "parts": [response]}]
    found = reading("/v1beta/models/m:generateContent", {"contents": contents})
    assert not any(message.is_sealed for message in found.request.messages)


def test_who_asks_to_be_shown_thoughts_of_the_usual_effort_says_yes() -> None:
    for effort, asked in (("medium", True), ("high", "high"), ("none", "none")):
        body = {"model": "m", "input": "Hi", "reasoning": {"effort": effort, "summary": "auto"}}
        assert reading("/v1/responses", body).request.reasoning == asked
    body = {"model": "m", "input": "Hi", "reasoning": {"effort": "medium"}}
    assert reading("/v1/responses", body).request.reasoning == "medium"


@pytest.mark.parametrize(
    ("budget", "max_tokens", "effort"),
    [(2000, 4000, "low"), (1024, 4000, "minimal"), (8192, 12_288, "medium"), (10_000, 16_000, "medium")],
)
def test_a_number_of_tokens_is_an_effort_in_the_bounds_of_the_answer(budget: int, max_tokens: int, effort: str) -> None:
    thinking = {"type": "enabled", "budget_tokens": budget}
    messages = [{"role": "user", "content": "Hi"}]
    body = {"model": "m", "max_tokens": max_tokens, "messages": messages, "thinking": thinking}
    assert reading("/v1/messages", body).request.reasoning == effort
