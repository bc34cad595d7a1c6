"""Which endpoint a request is for, what is said where there is none, and what answers are known by."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from mockserver.ask import Ask
from streamkit.dialects.registry import DIALECTS
from streamkit.vendors import ENDPOINTS, Facts, find, headers_of, id_of
from tests.vendors.asking import ANY, answer, ask, asked_in, question, refusal

TWO = replace(ANY, models=("llama3:8b", "mistral:latest"))

HELLO = [{"role": "user", "content": "Hello"}]
CHAT = {"model": "m", "messages": HELLO}
GEMINI = {"contents": [{"parts": [{"text": "Hello"}]}]}

PATHS = {
    "/api/chat": ("ollama-chat", "ndjson", CHAT),
    "/api/generate": ("ollama-generate", "ndjson", {"model": "m", "prompt": "Hello"}),
    "/v1/chat/completions": ("openai-chat", "sse", CHAT),
    "/chat/completions": ("openai-chat", "sse", CHAT),
    "/openai/v1/chat/completions": ("openai-chat", "sse", CHAT),
    "/openai/deployments/m/chat/completions?api-version=2": ("openai-chat", "sse", {"messages": HELLO}),
    "/v1/completions": ("openai-completions", "sse", {"model": "m", "prompt": "Hello"}),
    "/v1/responses": ("openai-responses", "sse", {"model": "m", "input": "Hello"}),
    "/v1/messages?beta=true": ("anthropic", "sse", {**CHAT, "max_tokens": 5}),
    "/v1beta/models/m:streamGenerateContent?alt=sse": ("gemini", "sse", GEMINI),
    "/v1beta/models/m:streamGenerateContent": ("gemini", "json-array", GEMINI),
    "/v1beta/models/m:generateContent": ("gemini", "sse", GEMINI),
    "/v1/projects/p/locations/l/publishers/google/models/m:generateContent": ("gemini", "sse", GEMINI),
    "/agui": ("ag-ui", "sse", {"threadId": "t", "runId": "r", "messages": [{"id": "1", **HELLO[0]}]}),
    "/chat": ("agent-poc", "sse", CHAT),
    "/ui/chat": (
        "vercel-ui",
        "sse",
        {"model": "m", "messages": [{"id": "1", "role": "user", "parts": [{"type": "text", "text": "Hello"}]}]},
    ),
}


@pytest.mark.parametrize("target", PATHS)
def test_every_endpoint_has_its_dialect_and_hears_the_prompt(target: str) -> None:
    dialect, framing, body = PATHS[target]
    asked = ask(target, body)
    assert (asked.dialect, asked.framing, asked.prompt, asked.prompt_tokens) == (dialect, framing, "Hello", 1)
    assert framing in DIALECTS[dialect].framings
    if dialect != "ag-ui":
        assert asked.model == "m"


@pytest.mark.parametrize("target", PATHS)
def test_the_wrong_method_is_refused_with_those_that_are_right(target: str) -> None:
    told = refusal(question("DELETE", target))
    assert told.status == 405
    expected = "POST, GET, HEAD" if target in {"/agui", "/chat"} else "POST"
    assert told.headers == (("Allow", expected),)


def test_there_is_a_test_for_each_kind_of_answer() -> None:
    streamed = {endpoint.dialect for endpoint in ENDPOINTS if endpoint.method == "POST"}
    assert streamed == {*(dialect for dialect, _, _ in PATHS.values()), "text"}
    assert all(endpoint.summary for endpoint in ENDPOINTS)
    assert {endpoint.dialect for endpoint in ENDPOINTS} <= DIALECTS.keys()


@pytest.mark.parametrize(
    ("target", "headers", "body"),
    [
        ("/api/pull", {}, {"error": "404 page not found"}),
        (
            "/v1/embeddings",
            {},
            {
                "error": {
                    "message": "Invalid URL (POST /v1/embeddings)",
                    "type": "invalid_request_error",
                    "param": None,
                    "code": None,
                }
            },
        ),
        (
            "/v1/files",
            {"anthropic-version": "2023-06-01"},
            {"type": "error", "error": {"type": "not_found_error", "message": "Not found"}},
        ),
        (
            "/v1/messages/batches",
            {},
            {"type": "error", "error": {"type": "not_found_error", "message": "Not found"}},
        ),
        (
            "/v1beta/models/m:embedContent",
            {},
            {
                "error": {
                    "code": 404,
                    "message": "The requested URL /v1beta/models/m:embedContent was not found for POST.",
                    "status": "NOT_FOUND",
                }
            },
        ),
        (
            "/v1/files",
            {"x-goog-api-key": "k"},
            {
                "error": {
                    "code": 404,
                    "message": "The requested URL /v1/files was not found for POST.",
                    "status": "NOT_FOUND",
                }
            },
        ),
        ("/nowhere", {}, {"error": {"message": "there is no endpoint /nowhere"}}),
        ("/v1/models/gpt-9", {}, None),
        ("/v1/chat/completions/", {}, None),
        ("/API/chat", {}, None),
        ("/xv1/messages", {}, None),
    ],
)
def test_a_path_that_there_is_not_is_refused_as_its_vendor_would(
    target: str, headers: dict[str, str], body: object
) -> None:
    told = refusal(question("POST", target, {}, headers))
    assert told.status == 404
    if body is not None:
        assert told.body == body


def test_plain_endpoints_answer_at_once_and_to_head_too() -> None:
    for method in ("GET", "HEAD"):
        assert answer(question(method, "/")) == {"service": "mockserver", "status": "running"}
        assert answer(question(method, "/health")) == {"status": "healthy", "ollama": "connected"}
        version = answer(question(method, "/api/version"))
        assert isinstance(version, dict)
        assert re.fullmatch(r"\d+\.\d+\.\d+", version["version"])
    assert refusal(question("POST", "/health")).headers == (("Allow", "GET, HEAD"),)


def test_ollama_lists_its_models() -> None:
    listed = answer(question("GET", "/api/tags"), TWO)
    assert isinstance(listed, dict)
    assert [each["name"] for each in listed["models"]] == ["llama3:8b", "mistral:latest"]
    assert listed["models"][0]["modified_at"] == "2023-11-14T22:13:20.000000000Z"
    unnamed = answer(question("GET", "/api/tags"))
    assert isinstance(unnamed, dict)
    assert [each["model"] for each in unnamed["models"]] == ["mock:latest"]


def test_openai_lists_its_models_and_shows_one() -> None:
    one = {"id": "llama3:8b", "object": "model", "created": 1_700_000_000, "owned_by": "mockserver"}
    listed = answer(question("GET", "/v1/models"), TWO)
    assert listed == {"object": "list", "data": [one, {**one, "id": "mistral:latest"}]}
    assert answer(question("GET", "/v1/models/llama3:8b"), TWO) == one
    told = refusal(question("GET", "/v1/models/gpt-9"), TWO)
    assert (told.status, told.error["code"]) == (404, "model_not_found")


def test_a_models_name_may_have_slashes() -> None:
    shown = answer(question("GET", "/v1/models/meta-llama/Llama-3"))
    assert isinstance(shown, dict)
    assert shown["id"] == "meta-llama/Llama-3"


def test_a_client_of_anthropic_gets_anthropics_list() -> None:
    headers = {"anthropic-version": "2023-06-01"}
    listed = answer(question("GET", "/v1/models", headers=headers), TWO)
    assert isinstance(listed, dict)
    assert (listed["first_id"], listed["last_id"], listed["has_more"]) == ("llama3:8b", "mistral:latest", False)
    assert listed["data"][0] == {
        "type": "model",
        "id": "llama3:8b",
        "display_name": "llama3:8b",
        "created_at": "2023-11-14T22:13:20.000000000Z",
        "lifecycle": "active",
    }
    told = refusal(question("GET", "/v1/models/claude", headers=headers), TWO)
    assert told.body == {"type": "error", "error": {"type": "not_found_error", "message": "model: claude"}}


def test_an_empty_list_of_models_is_one() -> None:
    none = Facts(models=())
    for target, headers in (("/v1/models", {}), ("/v1/models", {"anthropic-version": "1"}), ("/v1beta/models", {})):
        listed = answer(question("GET", target, headers=headers), none)
        assert isinstance(listed, dict)
        assert [] in listed.values()


@pytest.mark.parametrize("target", [target for target in PATHS if target != "/agui"])
def test_an_unknown_model_is_not_found(target: str) -> None:
    _, _, body = PATHS[target]
    assert refusal(question("POST", target, body), TWO).status == 404


def test_a_model_without_a_tag_is_the_latest() -> None:
    for name, is_known in (("mistral", True), ("mistral:latest", True), ("llama3", False), ("llama3:8b", True)):
        assert TWO.knows(name) is is_known
    assert Facts(models=("gpt",)).knows("gpt:latest")


def test_generate_is_plain_text_for_get_and_post() -> None:
    for method in ("GET", "POST"):
        assert asked_in(answer(question(method, "/generate"))) == Ask(dialect="text", framing="text", model="mock")


IDS = {
    "openai-chat": r"chatcmpl-[A-Za-z0-9]{29}",
    "openai-completions": r"cmpl-[A-Za-z0-9]{29}",
    "openai-responses": r"resp_[0-9a-f]{50}",
    "anthropic": r"msg_01[A-HJ-NP-Za-km-z1-9]{22}",
    "gemini": r"[\w-]{22}",
    "ag-ui": r"run-[0-9a-f]{16}",
    "vercel-ui": r"msg-[A-Za-z0-9]{24}",
}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_ids_have_the_vendors_form_and_come_from_the_seed(dialect: str) -> None:
    assert re.fullmatch(IDS.get(dialect, ""), id_of(dialect, 7))
    assert id_of(dialect, 7) == id_of(dialect, 7)
    assert id_of(dialect, 7) != id_of(dialect, 8) or dialect not in IDS


@pytest.mark.parametrize("dialect", DIALECTS)
def test_headers_are_the_vendors_and_come_from_the_seed(dialect: str) -> None:
    headers = dict(headers_of(dialect, 7))
    assert headers == dict(headers_of(dialect, 7))
    assert (headers.get("Cache-Control") == "no-cache") is ("sse" in DIALECTS[dialect].framings)
    name = {"openai": "x-request-id", "anthropic": "request-id"}.get(dialect.partition("-")[0])
    if name is not None:
        assert headers[name].startswith("req_")
        assert headers[name] != dict(headers_of(dialect, 8))[name]
    assert "Cache-Control" not in dict(headers_of(dialect, 7, stream=False))


def test_what_is_found_tells_its_dialect_before_anything_is_read() -> None:
    assert find(question("POST", "/v1/messages", raw=b"{")).dialect == "anthropic"
    assert find(question("PUT", "/api/chat")).dialect == "ollama-chat"
    assert find(question("GET", "/nowhere")).dialect == "json"


def test_every_endpoint_says_what_it_is_for() -> None:
    kinds = {
        (endpoint.kind, endpoint.method): [each.pattern for each in ENDPOINTS if each.kind == endpoint.kind]
        for endpoint in ENDPOINTS
    }
    assert set(kinds["status", "GET"]) == {"/", "/health", "/api/version"}
    assert all("count" in pattern for pattern in kinds["count", "POST"])
    assert all("/models" in pattern or pattern == "/api/tags" for pattern in kinds["models", "GET"])
    assert {kind for kind, method in kinds if method == "POST"} == {"chat", "count"}
    for target, (dialect, _, _) in PATHS.items():
        assert (find(question("POST", target)).endpoint.kind, dialect in DIALECTS) == ("chat", True)


def test_a_server_says_its_own_name_and_whether_it_is_well() -> None:
    facts = replace(ANY, service="gateway", is_healthy=False, models=("m",))
    assert answer(question("GET", "/"), facts) == {"service": "gateway", "status": "running"}
    assert answer(question("GET", "/health"), facts) == {"status": "degraded", "ollama": "disconnected"}
    model = answer(question("GET", "/v1/models/m"), facts)
    assert isinstance(model, dict)
    assert model["owned_by"] == "gateway"


@pytest.mark.parametrize("target", ["/v1/messages/count_tokens", "/v1beta/models/m:countTokens"])
def test_a_server_that_cannot_count_tokens_says_so(target: str) -> None:
    told = refusal(question("POST", target, {"model": "m", "max_tokens": 5, **CHAT, **GEMINI}), Facts())
    assert (told.status, told.error["message"]) == (404, "this server cannot count tokens")
