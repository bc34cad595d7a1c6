"""Chat requests in an envelope: every dialect's, and what is said of a bad one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamkit.codecs.jsontext import decode_checked, encode_value
from streamkit.dialects.registry import DIALECTS
from streamkit.dialects.request_messages import ChatMessage
from streamkit.vendors import Facts
from streamkit.vendors.envelope import ENVELOPED, NoJSONError, read_envelope
from streamkit.vendors.question import RefusedError
from streamkit.vendors.reading import Reading
from tests.vendors.asking import ANY

HELLO = [{"role": "user", "content": "Hello"}]
CHAT = {"model": "m", "messages": HELLO}

REQUESTS: dict[str, dict[str, Any]] = {
    "ollama-chat": CHAT,
    "ollama-generate": {"model": "m", "prompt": "Hello"},
    "openai-chat": CHAT,
    "openai-completions": {"model": "m", "prompt": "Hello"},
    "openai-responses": {"model": "m", "input": "Hello"},
    "anthropic": {**CHAT, "max_tokens": 5},
    "gemini": {"contents": [{"parts": [{"text": "Hello"}]}]},
    "ag-ui": {
        "threadId": "t",
        "runId": "r",
        "messages": [{"id": "1", **HELLO[0]}],
        "forwardedProps": {"model": "m"},
    },
    "agent-poc": CHAT,
    "vercel-ui": {"model": "m", "messages": [{"role": "user", "parts": [{"type": "text", "text": "Hello"}]}]},
    "text": {"prompt": "Hello", "model": "m"},
}


def envelope(dialect: str, **fields: object) -> dict[str, object]:
    model = {"model": "m"} if dialect == "gemini" else {}
    return {"dialect": dialect, "request": REQUESTS[dialect], **model, **fields}


def read(value: object, facts: Facts = ANY) -> Reading:
    return read_envelope(json.dumps(value), facts)


def told(value: object, facts: Facts = ANY) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        read(value, facts)
    return caught.value


def test_every_dialect_that_can_ask_has_its_place() -> None:
    assert ENVELOPED.keys() == REQUESTS.keys() == DIALECTS.keys() - {"json"}


@pytest.mark.parametrize("dialect", REQUESTS)
def test_a_request_of_every_dialect(dialect: str) -> None:
    found = read(envelope(dialect))
    assert (found.dialect, found.request.model, found.leftovers) == (dialect, "m", ())
    assert found.request.messages == [ChatMessage("user", "Hello")]
    assert found.request.stream
    assert found.framing == DIALECTS[dialect].framings[0]


@pytest.mark.parametrize(
    "dialect", ["openai-chat", "openai-responses", "anthropic", "ollama-chat", "openai-completions"]
)
def test_the_answer_is_a_stream_whatever_the_request_says(dialect: str) -> None:
    for stream in (False, True):
        assert read(envelope(dialect, request={**REQUESTS[dialect], "stream": stream})).request.stream


def test_what_goes_with_a_stream_only_may_be_asked_for_without_saying_stream() -> None:
    request = {**CHAT, "stream_options": {"include_usage": True}}
    assert read(envelope("openai-chat", request=request)).request.include_usage


def test_bytes_and_texts_are_the_same() -> None:
    text = json.dumps(envelope("openai-chat"))
    assert read_envelope(text, ANY) == read_envelope(text.encode(), ANY)


def test_the_vendors_leftovers_are_those_of_the_request() -> None:
    found = read(envelope("anthropic", request={**REQUESTS["anthropic"], "metadata": {"user_id": "u"}, "foo": 1}))
    assert [left.path for left in found.leftovers] == [("metadata",), ("foo",)]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([], "the request body is no JSON object"),
        ({}, "dialect: the field is required"),
        ({"dialect": "openai-chat"}, "request: the field is required"),
        ({"dialect": 5, "request": {}}, "dialect: expected string, not integer"),
        ({"dialect": "openai-chat", "request": "Hello"}, "request: expected object, not string"),
        (envelope("openai-chat", request=[]), "request: expected object, not array"),
        (envelope("openai-chat", foo=1), "foo: there is no place for it; an envelope has dialect, request and model"),
        (envelope("openai-chat", model="m"), "model: openai-chat has the model in the request"),
        (envelope("gemini", model=""), "model: the field is required"),
        (envelope("gemini", model=5), "model: expected string, not integer"),
        (envelope("ollama-chat", request={"model": "m"}), "request: there is nothing in it to answer"),
    ],
)
def test_what_is_no_envelope(value: object, message: str) -> None:
    error = told(value)
    assert (error.status, error.message) == (400, message)


def test_a_dialect_that_there_is_not_is_told_with_those_that_there_are() -> None:
    for dialect in ("json", "openai", "Anthropic"):
        error = told({"dialect": dialect, "request": {}})
        assert error.message == f"dialect: {dialect!r} is none of {', '.join(sorted(REQUESTS))}"


@pytest.mark.parametrize("data", [b"", "", "{", b"\xff", "\ud800", '{"dialect": "gemini", "model": "\\ud800"}'])
def test_what_is_no_json(data: bytes | str) -> None:
    with pytest.raises(RefusedError) as caught:
        read_envelope(data, ANY)
    assert caught.value.status == 400


def test_what_the_vendor_would_refuse_is_said_in_its_words() -> None:
    assert told(envelope("anthropic", request=CHAT)).message == "max_tokens: Field required"
    only = Facts(models=("other",))
    for dialect in ("gemini", "openai-chat", "ollama-chat", "text"):
        assert told(envelope(dialect), only).status == 404
    [left] = read(envelope("text", request={})).leftovers
    assert left.refusal is not None


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(
    dialect=st.sampled_from([*REQUESTS, "odd"]) | JSON_VALUES,
    request=JSON_VALUES | st.dictionaries(st.sampled_from(["model", "messages", "prompt", "contents"]), JSON_VALUES),
    model=st.just("m") | JSON_VALUES,
)
def test_any_envelope_is_read_or_refused(dialect: object, request: object, model: object) -> None:
    found: Reading | RefusedError
    try:
        found = read_envelope(encode_value({"dialect": dialect, "request": request, "model": model}), ANY)
    except RefusedError as error:
        found = error
    if isinstance(found, RefusedError):
        assert 400 <= found.status <= 599
        assert found.message
    else:
        assert found.request.stream


def test_an_envelope_is_decoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[bytes] = []

    def noted(text: bytes) -> object:
        decoded.append(text)
        return decode_checked(text)

    for module in ("envelope", "fields"):
        monkeypatch.setattr(f"streamkit.vendors.{module}.decode_checked", noted)
    for dialect in REQUESTS:
        decoded.clear()
        text = encode_value(envelope(dialect))
        read_envelope(text, ANY)
        assert decoded == [text]


def test_what_is_no_json_is_told_apart_from_what_is_no_envelope() -> None:
    with pytest.raises(NoJSONError):
        read_envelope(b"{", ANY)
    assert not isinstance(told([]), NoJSONError)
