"""Whose business a request is: of every endpoint, and every dialect that an upstream may speak."""

from __future__ import annotations

import pytest

from streamkit.gateway.config import SPEAKABLE, GatewayConfig
from streamkit.gateway.route import Route, route_of
from streamkit.http.exchange import Request
from streamkit.http.origin import parse_origin


def routed(
    target: str,
    speaks: str = "openai-chat",
    method: str = "POST",
    base: str = "",
    fields: dict[str, str] | None = None,
    **models: str,
) -> Route:
    config = GatewayConfig(parse_origin(f"http://127.0.0.1:1{base}"), speaks=speaks, model_map=models)
    path, _, query = target.partition("?")
    request = Request(method, target, path, query, "1.1", [*(fields or {}).items()], b"", 1, 1, 0, None)
    return route_of(request, config)


CHATS = {
    "/api/chat": "ollama-chat",
    "/api/generate": "ollama-generate",
    "/v1/chat/completions": "openai-chat",
    "/v1/completions": "openai-completions",
    "/v1/responses": "openai-responses",
    "/v1/messages": "anthropic",
    "/v1beta/models/m:streamGenerateContent": "gemini",
    "/v1beta/models/m:generateContent": "gemini",
    "/agui": "ag-ui",
    "/chat": "agent-poc",
    "/generate": "text",
}


@pytest.mark.parametrize("speaks", SPEAKABLE)
@pytest.mark.parametrize("path", CHATS)
def test_a_chat_is_translated_unless_it_is_in_the_upstreams_own_dialect(path: str, speaks: str) -> None:
    route = routed(path, speaks)
    if CHATS[path] == speaks or (path, speaks) == ("/api/generate", "ollama-chat"):  # which every Ollama has as well
        assert (route.kind, route.target) == ("relay", path)
    else:
        assert route.kind == "translate"
        assert route.found is not None
        assert route.found.dialect == CHATS[path]


def test_with_a_model_map_the_upstreams_own_dialect_is_only_renamed() -> None:
    assert routed("/v1/chat/completions", a="b").kind == "rename"
    route = routed("/v1beta/models/a:streamGenerateContent?alt=sse", "gemini", a="b")
    assert (route.kind, route.target) == ("rename", "/v1beta/models/b:streamGenerateContent?alt=sse")
    json = {"Content-Type": "application/json; charset=utf-8"}
    assert routed("/v1/embeddings", fields=json, a="b").kind == "rename"
    assert routed("/v1/messages/count_tokens", "anthropic", fields=json, a="b").kind == "rename"
    assert routed("/v1/audio", fields={"Content-Type": "multipart/form-data"}, a="b").kind == "relay"


def test_lists_of_models_are_passed_on_to_the_same_vendor_and_made_for_others() -> None:
    assert routed("/v1/models", method="GET").kind == "relay"
    assert routed("/v1/models", method="GET", a="b").kind == "translate"
    assert routed("/api/tags", method="GET").kind == "translate"
    assert routed("/v1/models", "ollama-chat", method="GET").kind == "translate"
    assert routed("/v1/models", "openai-chat", "GET", fields={"anthropic-version": "2023-06-01"}).kind == "translate"


def test_a_slash_too_much_changes_nothing() -> None:
    assert routed("//v1/messages").kind == "translate"
    assert routed("/v1//chat/completions", "gemini").kind == "translate"


def test_unknown_paths_go_to_the_upstream_where_they_may_be_its_own() -> None:
    assert routed("/v1/embeddings").kind == "relay"
    assert routed("/metrics", method="GET").kind == "relay"
    assert routed("/v1/embeddings", "ollama-chat").kind == "relay"
    assert routed("/api/embed").kind == "translate"
    assert routed("/api/embed", "ollama-chat").kind == "relay"
    assert routed("/v1/messages", method="GET").kind == "translate"


def test_a_base_that_the_target_repeats_is_not_doubled() -> None:
    assert routed("/v1/chat/completions", base="/v1").target == "/chat/completions"
    assert routed("/v1/embeddings", base="/openai/v1").target == "/embeddings"
    assert routed("/v1/embeddings?x=1", base="").target == "/v1/embeddings?x=1"


def test_the_gateways_own_paths_are_its_own() -> None:
    assert routed("/ws", method="GET").kind == "websocket"
    assert routed("/streams").kind == "streams"
    assert routed("/streams/abc/events", method="GET").kind == "streams"
    assert routed("/streamsx").kind == "relay"
