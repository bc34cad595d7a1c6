"""Which dialect a URL speaks, where its endpoint is, and which header has the key."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from streamkit.dialects.endpoints import auth_headers, dialect_of, model_of, target_of
from streamkit.dialects.registry import DIALECTS
from streamkit.dialects.requests import ChatMessage, ChatRequest
from streamkit.errors import ConfigError

CHAT = "/v1/chat/completions"
GEMINI = "/v1beta/models/g:streamGenerateContent?alt=sse"


@pytest.mark.parametrize(
    ("url", "dialect"),
    [
        ("http://127.0.0.1:11434/api/chat", "ollama-chat"),
        ("http://127.0.0.1:11434/api/chat/", "ollama-chat"),
        ("http://127.0.0.1:9/api/generate?x=1", "ollama-generate"),
        ("http://x/v1/chat/completions", "openai-chat"),
        ("https://openrouter.ai/api/v1/chat/completions", "openai-chat"),
        ("https://me.openai.azure.com/openai/deployments/d/chat/completions?api-version=1", "openai-chat"),
        ("http://x/v1/completions", "openai-completions"),
        ("https://api.openai.com/v1/responses", "openai-responses"),
        ("http://x/v1/messages", "anthropic"),
        ("https://generativelanguage.googleapis.com/v1beta/models/g:streamGenerateContent?alt=sse", "gemini"),
        ("http://x/v1/models/g:generateContent", "gemini"),
        ("http://x/agui", "ag-ui"),
        ("http://x/chat", "agent-poc"),
        ("http://x/generate", "text"),
        # Bases.
        ("https://api.openai.com", "openai-chat"),
        ("https://api.openai.com/v1/", "openai-chat"),
        ("https://API.Anthropic.com:443", "anthropic"),
        ("https://api.anthropic.com/v1", "anthropic"),
        ("https://api.deepseek.com/anthropic", "anthropic"),
        ("https://api.deepseek.com", "openai-chat"),
        ("https://generativelanguage.googleapis.com", "gemini"),
        ("https://generativelanguage.googleapis.com/v1beta", "gemini"),
        ("https://generativelanguage.googleapis.com/v1beta/openai/", "openai-chat"),
        ("https://europe-west4-aiplatform.googleapis.com/v1/projects/p/locations/l/publishers/google", "gemini"),
        ("https://us-aiplatform.googleapis.com/v1/projects/p/locations/l/endpoints/openapi", "openai-chat"),
        ("https://me.openai.azure.com", "openai-chat"),
        ("https://me.openai.azure.com/openai/v1", "openai-chat"),
        ("http://x/openai/deployments/d", "openai-chat"),
        ("http://localhost:11434", "ollama-chat"),
        ("http://localhost:11434/", "ollama-chat"),
        ("http://localhost:11434/api", "ollama-chat"),
        ("http://localhost:11434/v1", "openai-chat"),
        ("http://localhost:1234/v1", "openai-chat"),
        ("http://localhost:8080/v1beta", "gemini"),
        ("https://ollama.com", "ollama-chat"),
        # Nobody can tell.
        ("http://localhost:8080", None),
        ("http://localhost:8080/", None),
        ("http://localhost:8080/stream", None),
        ("https://notopenai.com/", None),
        ("https://api.openai.com.example.org/", None),
        ("http://x/v1/chatty", None),
    ],
)
def test_a_url_tells_its_dialect(url: str, dialect: str | None) -> None:
    parts = urlsplit(url)
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    assert dialect_of(parts.netloc, path) == dialect


@pytest.mark.parametrize(
    ("document", "url", "target"),
    [
        # The root.
        (CHAT, "", "/v1/chat/completions"),
        (CHAT, "/", "/v1/chat/completions"),
        ("/api/chat", "/", "/api/chat"),
        (GEMINI, "/", GEMINI),
        # The endpoint itself: as it is.
        (CHAT, "/v1/chat/completions", "/v1/chat/completions"),
        (CHAT, "/v1/chat/completions/", "/v1/chat/completions/"),
        (CHAT, "/chat/completions", "/chat/completions"),
        (CHAT, "/api/v1/chat/completions?x=1", "/api/v1/chat/completions?x=1"),
        (
            CHAT,
            "/openai/deployments/d/chat/completions?api-version=2024-10-21",
            "/openai/deployments/d/chat/completions?api-version=2024-10-21",
        ),
        ("/v1/messages", "/anthropic/v1/messages", "/anthropic/v1/messages"),
        ("/api/chat", "/ollama/api/chat", "/ollama/api/chat"),
        (GEMINI, "/v1beta/models/other:generateContent?key=k", "/v1beta/models/other:generateContent?key=k"),
        (GEMINI, "/v1/models/other:streamGenerateContent", "/v1/models/other:streamGenerateContent"),
        # A base with the version, and never two of them.
        (CHAT, "/v1", "/v1/chat/completions"),
        (CHAT, "/v1/", "/v1/chat/completions"),
        (CHAT, "/api/v1", "/api/v1/chat/completions"),
        (CHAT, "/openai/v1", "/openai/v1/chat/completions"),
        (CHAT, "/v1beta/openai/", "/v1beta/openai/chat/completions"),
        (CHAT, "/api/paas/v4", "/api/paas/v4/chat/completions"),
        (CHAT, "/v1/account/gateway/openai", "/v1/account/gateway/openai/chat/completions"),
        ("/v1/responses", "/v1", "/v1/responses"),
        ("/v1/messages", "/v1", "/v1/messages"),
        ("/v1/messages", "/v1/account/gateway/anthropic", "/v1/account/gateway/anthropic/v1/messages"),
        ("/api/chat", "/api", "/api/chat"),
        ("/api/chat", "/ollama/api/", "/ollama/api/chat"),
        (GEMINI, "/v1beta", GEMINI),
        (GEMINI, "/v1", "/v1/models/g:streamGenerateContent?alt=sse"),
        (GEMINI, "/v1beta/models", GEMINI),
        (GEMINI, "/v1beta/models/mine", "/v1beta/models/mine:streamGenerateContent?alt=sse"),
        (
            GEMINI,
            "/v1/projects/p/locations/l/publishers/google",
            "/v1/projects/p/locations/l/publishers/google/models/g:streamGenerateContent?alt=sse",
        ),
        # A base without.
        (CHAT, "/api", "/api/v1/chat/completions"),
        (CHAT, "/openai/deployments/d", "/openai/deployments/d/chat/completions"),
        ("/v1/messages", "/anthropic/", "/anthropic/v1/messages"),
        ("/api/chat", "/behind/a/proxy", "/behind/a/proxy/api/chat"),
        # Queries.
        (CHAT, "/openai/deployments/d?api-version=1", "/openai/deployments/d/chat/completions?api-version=1"),
        (GEMINI, "/v1beta?key=k", "/v1beta/models/g:streamGenerateContent?key=k&alt=sse"),
        (GEMINI, "/v1beta?alt=json", "/v1beta/models/g:streamGenerateContent?alt=json"),
        (CHAT, "/v1#part", "/v1/chat/completions"),
        (CHAT, "v1", "/v1/chat/completions"),
    ],
)
def test_a_base_gets_the_endpoint_and_an_endpoint_stays(document: str, url: str, target: str) -> None:
    assert target_of(document, url) == target


@pytest.mark.parametrize("dialect", ["ag-ui", "vercel-ui", "agent-poc", "text"])
def test_some_endpoints_may_be_anywhere(dialect: str) -> None:
    path = DIALECTS[dialect].request(ChatRequest(messages=[ChatMessage("user", "x")])).path
    assert target_of(path, "/my/route?x=1", dialect) == "/my/route?x=1"
    assert target_of(path, "/", dialect) == path
    assert target_of(path, "", dialect) == path


@pytest.mark.parametrize("dialect", [name for name in DIALECTS if name not in {"json", "vercel-ui"}])
def test_every_dialects_own_path_is_found_again_and_stays_as_it_is(dialect: str) -> None:
    path = DIALECTS[dialect].request(ChatRequest(model="m", messages=[ChatMessage("user", "x")])).path
    assert dialect_of("localhost", path) == dialect
    assert target_of(path, path, dialect) == path


@pytest.mark.parametrize(
    ("dialect", "host", "headers"),
    [
        ("openai-chat", "", [("Authorization", "Bearer k-1")]),
        ("ollama-chat", "ollama.com", [("Authorization", "Bearer k-1")]),
        ("anthropic", "api.anthropic.com", [("x-api-key", "k-1")]),
        ("gemini", "generativelanguage.googleapis.com", [("x-goog-api-key", "k-1")]),
        ("gemini", "us-aiplatform.googleapis.com", [("Authorization", "Bearer k-1")]),
        ("openai-chat", "me.openai.azure.com:443", [("api-key", "k-1")]),
        ("text", "x", [("Authorization", "Bearer k-1")]),
    ],
)
def test_each_vendor_has_its_own_header_for_the_key(dialect: str, host: str, headers: list[tuple[str, str]]) -> None:
    assert auth_headers(dialect, " k-1\n", host) == headers
    assert auth_headers(dialect, "", host) == []


@pytest.mark.parametrize("key", ["sec ret", "secret\r\nX: y", "sécret", "“secret”", "secret\0"])
def test_a_key_that_no_header_can_hold_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        auth_headers("openai-chat", key)
    assert "ret" not in str(caught.value).replace("quote", "")


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("/v1beta/models/gemini-3-pro:streamGenerateContent?alt=sse", "gemini-3-pro"),
        ("/v1beta/models/a%2Fb", "a/b"),
        ("/openai/deployments/gpt%204/chat/completions?api-version=1", "gpt 4"),
        ("/v1/chat/completions", ""),
        ("/v1/models", ""),
        ("", ""),
    ],
)
def test_some_urls_name_the_model(path: str, model: str) -> None:
    assert model_of(path) == model
