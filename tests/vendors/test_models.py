"""How servers list their models: where, and what is no such list."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

import ollama
import pytest

from streamkit.errors import DecodeError
from streamkit.vendors import Facts, find
from streamkit.vendors.models import LISTING, MAX_MODELS, models_in, models_path
from streamkit.vendors.question import Question
from tests.vendors.asking import answer, question

LISTS: dict[str, tuple[str, object, list[str]]] = {
    "ollama-chat": (
        "/api/tags",
        {"models": [{"name": "llama3:latest", "model": "llama3:latest", "size": 5}, {"name": "mistral:7b"}]},
        ["llama3:latest", "mistral:7b"],
    ),
    "openai-chat": (
        "/v1/models",
        {"object": "list", "data": [{"id": "gpt-5", "object": "model"}, {"id": "o3"}]},
        ["gpt-5", "o3"],
    ),
    "openai-responses": ("/v1/models", {"data": [{"id": "gpt-5"}]}, ["gpt-5"]),
    "anthropic": (
        "/v1/models?limit=1000",
        {"data": [{"type": "model", "id": "claude"}], "has_more": False},
        ["claude"],
    ),
    "gemini": (
        "/v1beta/models?pageSize=1000",
        {"models": [{"name": "models/gemini-3"}, {"name": "tunedModels/mine"}]},
        ["gemini-3", "tunedModels/mine"],
    ),
}


def test_there_is_a_list_of_each() -> None:
    assert LISTS.keys() == LISTING.keys()


@pytest.mark.parametrize("dialect", LISTS)
def test_where_a_list_is_and_what_stands_in_it(dialect: str) -> None:
    path, listed, names = LISTS[dialect]
    assert models_path(dialect) == path
    assert models_in(dialect, json.dumps(listed).encode()) == names


@pytest.mark.parametrize("dialect", LISTS)
def test_our_own_lists_can_be_read(dialect: str) -> None:
    headers = {"anthropic": {"anthropic-version": "2023-06-01"}}.get(dialect, {})
    asked = Question("GET", models_path(dialect).partition("?")[0], headers=headers)
    listed = find(asked).read(asked, Facts(models=("a:latest", "b:latest")))
    assert models_in(dialect, json.dumps(listed).encode()) == ["a:latest", "b:latest"]
    listed = find(asked).read(asked, Facts(models=("gpt-4o", "b:7b"), lists_own=False))
    assert models_in(dialect, json.dumps(listed).encode()) == ["gpt-4o", "b:7b"]


def test_of_another_servers_models_nothing_is_made_up() -> None:
    facts = Facts(models=("gpt-4o",), created_ns=5, lists_own=False)
    tags: Any = answer(question("GET", "/api/tags"), facts)
    (model,) = ollama.ListResponse(**tags).models
    assert (model.model, model.size) == ("gpt-4o", 0)
    assert re.fullmatch("[0-9a-f]{64}", model.digest or "")
    assert model.modified_at == datetime(1, 1, 1, tzinfo=UTC)
    assert model.details is not None
    assert not any(model.details.model_dump().values())
    listed: Any = answer(question("GET", "/v1beta/models"), facts)
    (told,) = listed["models"]
    assert told == {"name": "models/gpt-4o", "displayName": "gpt-4o", "supportedGenerationMethods": ["generateContent"]}
    assert answer(question("GET", "/v1beta/models/gpt-4o"), facts) == told


def test_a_name_that_comes_twice_is_one_model() -> None:
    assert models_in("openai-chat", b'{"data": [{"id": "b"}, {"id": "a"}, {"id": "b"}]}') == ["b", "a"]


@pytest.mark.parametrize(("dialect", "body"), [("ollama-chat", b'{"models": null}'), ("openai-chat", b'{"data": []}')])
def test_a_list_may_be_empty(dialect: str, body: bytes) -> None:
    assert models_in(dialect, body) == []


@pytest.mark.parametrize(
    ("body", "reason", "code"),
    [
        (b"", "", "invalid-json"),
        (b"<html>", "", "invalid-json"),
        (b"\xff", "", "invalid-utf8"),
        (b"[]", "there is no list under 'data'", "bad-field"),
        (b"5", "there is no list under 'data'", "bad-field"),
        (b'{"models": []}', "there is no list under 'data'", "bad-field"),
        (b'{"data": {}}', "there is no list under 'data'", "bad-field"),
        (b'{"data": ["gpt"]}', "element 0 has no text under 'id'", "bad-field"),
        (b'{"data": [{"id": "a"}, {"id": 5}]}', "element 1 has no text under 'id'", "bad-field"),
        (b'{"data": [{"id": ""}]}', "element 0 has no text under 'id'", "bad-field"),
        (
            json.dumps({"data": [{"id": "x" * 1001}]}).encode(),
            "element 0 has a name of more than 1000 characters",
            "limit",
        ),
        (
            json.dumps({"data": [{"id": "x"}] * (MAX_MODELS + 1)}).encode(),
            "there are 10001 elements, more than 10000",
            "limit",
        ),
    ],
)
def test_what_is_no_list_of_models(body: bytes, reason: str, code: str) -> None:
    with pytest.raises(DecodeError) as caught:
        models_in("openai-chat", body)
    assert caught.value.code == code
    assert caught.value.reason.startswith("this is no list of models as openai-chat has it: ")
    assert caught.value.reason.endswith(reason)
    assert len(str(caught.value)) < 300
