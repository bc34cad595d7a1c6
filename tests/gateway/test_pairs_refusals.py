"""What an SDK asks wrongly, or what cannot be translated, raises its usual exception, and no upstream hears of it.

An upstream that does not speak what the gateway was told, or does not have what is asked for, raises it too.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import anthropic
import ollama
import openai
import pytest
from google.genai import errors, types

from streamkit.http.limits import Limits
from tests.dialects.sdks import no_proxies, openai_client
from tests.gateway.in_thread import gateway_in_thread
from tests.gateway.pairs import UPSTREAMS, Pairs, asked_in, open_pairs
from tests.gateway.pairs_asking import ASKS
from tests.gateway.test_pairs_requests import BAD_REQUEST, status_of
from tests.mockserver.sdk_documents import anthropic_client, gemini_client, ollama_client
from tests.mockserver.test_python_sdks_refusals import SDKS, name_of
from tests.gateway.test_python_sdks import raised

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

REQUEST_ID = re.compile(r", 'request_id': '\w+'")


@pytest.fixture(scope="module")
def pairs() -> Iterator[Pairs]:
    with open_pairs() as running:
        yield running


def others(sdk: str) -> list[str]:
    """Return the upstreams for which a client's question is translated."""
    return [upstream for upstream in UPSTREAMS if upstream != sdk]


def refused(sdk: str, url: str, options: Mapping[str, Any]) -> tuple[type[Exception], str]:
    """Have an SDK ask in vain; return what it raises."""
    with pytest.raises(Exception) as caught:  # noqa: PT011 - each SDK has its own
        ASKS[sdk](url, **options)
    return type(caught.value), REQUEST_ID.sub("", str(caught.value))


def body(**fields: object) -> dict[str, Any]:
    """Have OpenAI's and Anthropic's SDKs send these fields as they are."""
    return {"extra_body": fields}


def google(**fields: object) -> dict[str, Any]:
    """The same of Google's."""
    return {"http_options": types.HttpOptions(extra_body=fields)}


# ------------------------------------------------------------------------------------- what the own vendor refuses, too

REQUIRED_WITHOUT_TOOLS = body(tool_choice="required")

WRONG: Mapping[str, Mapping[str, dict[str, Any]]] = {
    "openai-chat": {
        "wrong type": body(temperature="hot"),
        "wrong role": body(messages=[{"role": "owl", "content": "?"}]),
        "no messages": body(messages=[]),
        "contradiction": REQUIRED_WITHOUT_TOOLS,
        "out of range": {"temperature": 9},
        "result of no call": body(messages=[{"role": "tool", "content": "?"}]),
        "no model": body(model=""),
    },
    "openai-completions": {
        "wrong type": body(temperature="hot"),
        "contradiction": body(stream_options={"include_usage": True}),
        "no model": body(model=""),
    },
    "openai-responses": {
        "wrong type": body(temperature="hot"),
        "contradiction": REQUIRED_WITHOUT_TOOLS,
        "out of range": {"max_output_tokens": -1},
        "no model": body(model=""),
    },
    "anthropic": {
        "wrong type": body(temperature="hot"),
        "contradiction": body(tool_choice={"type": "any"}),
        "out of range": {"max_tokens": 0},
        "no messages": {"messages": []},
        "no model": body(model=""),
    },
    "ollama-chat": {
        "wrong type": {"options": {"temperature": "hot"}},
    },
    "ollama-generate": {
        "wrong type": {"options": {"temperature": "hot"}},
    },
    "gemini": {
        "wrong type": google(generationConfig={"temperature": "hot"}),
        "out of range": {"max_output_tokens": -1},
        "no contents": google(contents=[]),
    },
}
"""By client: questions that its own vendor would refuse."""

WRONG_ROWS = [(sdk, what) for sdk, rows in WRONG.items() for what in rows]


@pytest.mark.parametrize(("sdk", "what"), WRONG_ROWS, ids=lambda each: each.replace(" ", "-"))
def test_a_bad_request_is_refused_as_the_own_vendor_refuses_it(sdk: str, what: str, pairs: Pairs) -> None:
    options = WRONG[sdk][what]
    pairs.set()
    own = refused(sdk, pairs.mock.url, options)
    assert issubclass(own[0], BAD_REQUEST[sdk])
    pairs.set()
    for upstream in others(sdk):
        assert refused(sdk, pairs.gateways[upstream].url, options) == own, upstream
    assert pairs.entries() == []


def test_a_question_without_a_model_is_refused_as_ollama_does(pairs: Pairs) -> None:
    pairs.set()
    for upstream in others("ollama-chat"):
        with ollama_client(pairs.gateways[upstream].url) as client:
            with pytest.raises(ollama.ResponseError, match="model is required") as caught:
                client.chat("", [{"role": "user", "content": "?"}])
            assert caught.value.status_code == 400
    assert pairs.entries() == []


# --------------------------------------------------------------------------------------------- what cannot be translated

PICTURE = f"data:image/png;base64,{PIXEL}"

BOUND: Mapping[str, Mapping[str, tuple[dict[str, Any], str]]] = {
    "openai-chat": {
        "unknown": (body(owl=1), "owl"),
        "image": (
            body(messages=[{"role": "user", "content": [{"type": "image_url", "image_url": {"url": PICTURE}}]}]),
            r"messages\[0\]\.content\[0\]",
        ),
        "audio": (body(modalities=["text", "audio"], audio={"voice": "alloy", "format": "wav"}), "modalities"),
        "probabilities": ({"logprobs": True}, "logprobs"),
        "tokens": ({"logit_bias": {"5": 1}}, "logit_bias"),
    },
    "openai-completions": {
        "unknown": (body(owl=1), "owl"),
        "suffix": ({"suffix": "end"}, "suffix"),
        "probabilities": ({"logprobs": 2}, "logprobs"),
    },
    "openai-responses": {
        "unknown": (body(owl=1), "owl"),
        "image": (
            body(input=[{"role": "user", "content": [{"type": "input_image", "image_url": PICTURE}]}]),
            r"input\[0\]\.content\[0\]",
        ),
        "kept elsewhere": ({"previous_response_id": "resp_1"}, "previous_response_id"),
        "hosted tool": ({"tools": [{"type": "web_search"}]}, r"tools\[0\].*web_search"),
    },
    "anthropic": {
        "unknown": (body(owl=1), "owl"),
        "image": (
            body(
                messages=[
                    {
                        "role": "user",
                        "content": [
                            {
                                "type": "image",
                                "source": {"type": "base64", "media_type": "image/png", "data": PIXEL},
                            }
                        ],
                    }
                ]
            ),
            r"messages\.0\.content\.0",
        ),
        "servers": (body(mcp_servers=[{"type": "url", "url": "https://e", "name": "a"}]), "mcp_servers"),
        "hosted tool": ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, r"tools\.0"),
    },
    "ollama-chat": {
        "image": ({"messages": [{"role": "user", "content": "?", "images": [PIXEL]}]}, "images"),
        "probabilities": ({"logprobs": True}, "logprobs"),
    },
    "ollama-generate": {
        "image": ({"images": [PIXEL]}, "images"),
        "suffix": ({"suffix": "end"}, "suffix"),
        "template": ({"template": "{{ .Prompt }}"}, "template"),
    },
    "gemini": {
        "unknown": (google(owl=1), "owl"),
        "image": (
            google(contents=[{"role": "user", "parts": [{"inlineData": {"mimeType": "image/png", "data": PIXEL}}]}]),
            r"contents\[0\]\.parts\[0\]",
        ),
        "kept elsewhere": ({"cached_content": "cachedContents/1"}, "cached_content"),
        "probabilities": ({"response_logprobs": True}, "response_logprobs"),
        "hosted tool": ({"tools": [types.Tool(google_search=types.GoogleSearch())]}, r"tools\[0\]"),
    },
}
"""By client: what only its own vendor can do, and what the error names."""

BOUND_ROWS = [(sdk, what) for sdk, rows in BOUND.items() for what in rows]


@pytest.mark.parametrize(("sdk", "what"), BOUND_ROWS, ids=lambda each: each.replace(" ", "-"))
def test_what_cannot_be_translated_is_a_bad_request(sdk: str, what: str, pairs: Pairs) -> None:
    options, named = BOUND[sdk][what]
    pairs.set()
    for upstream in others(sdk):
        url = pairs.gateways[upstream].url
        if sdk == "ollama-chat" and "messages" in options:
            ask: Callable[[], object] = lambda url=url: chat_of_ollama(url, options["messages"])  # type: ignore[misc] # noqa: E731
        else:
            ask = lambda url=url: ASKS[sdk](url, **options)  # type: ignore[misc] # noqa: E731
        with pytest.raises(BAD_REQUEST[sdk], match=named) as caught:
            ask()
        assert status_of(caught.value) == 400
    assert pairs.entries() == []


def chat_of_ollama(url: str, messages: Any) -> None:  # noqa: ANN401 - the SDK's own
    with ollama_client(url) as client:
        client.chat("m", messages)


HARMLESS: Mapping[str, tuple[dict[str, Any], str]] = {
    "openai-chat": ({"user": "u", "metadata": {"a": "b"}}, "user, metadata"),
    "openai-responses": ({"metadata": {"a": "b"}}, "metadata"),
    "anthropic": ({"metadata": {"user_id": "u"}, "service_tier": "auto"}, "metadata, service_tier"),
    "ollama-chat": ({"keep_alive": 5, "options": {"owl": 1}}, "options.owl, keep_alive"),
    "gemini": ({"safety_settings": [{"category": "HARM_CATEGORY_HATE_SPEECH", "threshold": "BLOCK_NONE"}]}, "safety"),
}


@pytest.mark.parametrize("sdk", HARMLESS)
def test_what_can_be_done_without_is_dropped_and_named(sdk: str, pairs: Pairs) -> None:
    options, named = HARMLESS[sdk]
    for upstream in others(sdk):
        pairs.set(tokens=1)
        dropped = ASKS[sdk](pairs.gateways[upstream].url, **options)["x-streamkit-dropped"].split(", ")
        if named == "safety":
            assert all(each.startswith("safetySettings") for each in dropped)
        else:
            assert set(dropped) == set(named.split(", "))
        assert asked_in(pairs.entries()[0]).messages  # and nothing is left over


# ------------------------------------------------------------------------------------------------- paths of one vendor


def embed_openai(url: str) -> None:
    with openai_client(f"{url}/v1") as client:
        client.embeddings.create(model="m", input="?")


def count_anthropic(url: str) -> None:
    with anthropic_client(url) as client:
        client.messages.count_tokens(model="m", messages=[{"role": "user", "content": "?"}])


def batch_anthropic(url: str) -> None:
    with anthropic_client(url) as client:
        client.messages.batches.list()


def embed_ollama(url: str) -> None:
    with ollama_client(url) as client:
        client.embed("m", "?")


def embed_gemini(url: str) -> None:
    with gemini_client(url) as client:
        client.models.embed_content(model="m", contents="?")


PATHS: Mapping[str, tuple[str, Callable[[str], None], type[Exception]]] = {
    "openai-embeddings": ("openai", embed_openai, openai.NotFoundError),
    "anthropic-batches": ("anthropic", batch_anthropic, anthropic.NotFoundError),
    "ollama-embed": ("ollama", embed_ollama, ollama.ResponseError),
    "gemini-embed": ("gemini", embed_gemini, errors.ClientError),
}


@pytest.mark.parametrize("name", PATHS)
def test_a_path_that_only_another_vendor_has_is_not_found(name: str, pairs: Pairs) -> None:
    family, ask, kind = PATHS[name]
    for upstream in UPSTREAMS:
        pairs.set()
        with pytest.raises(kind) as caught:
            ask(pairs.gateways[upstream].url)
        assert status_of(caught.value) == 404
        # The upstream's own vendor may have more than we know of.
        assert len(pairs.entries()) == upstream.startswith(family)


@pytest.mark.parametrize("upstream", [each for each in UPSTREAMS if each != "anthropic"])
def test_tokens_that_the_upstream_does_not_count_are_not_counted(upstream: str, pairs: Pairs) -> None:
    pairs.set()
    with pytest.raises(anthropic.APIStatusError) as caught:
        count_anthropic(pairs.gateways[upstream].url)
    assert caught.value.status_code in {404, 501}
    assert caught.value.message


# -------------------------------------------------------------------------------------- upstreams that speak otherwise

NDJSON = b'{"model":"m","message":{"role":"assistant","content":"Hi"},"done":false}\n'
SSE = b'data: {"type":"message_start"}\n\n'

STRANGE: Mapping[str, tuple[int, str, bytes]] = {
    "a page": (200, "text/html", b"<!doctype html><title>Welcome to nginx!</title>"),
    "a page that is not found": (404, "text/html", b"<h1>404 Not Found</h1>"),
    "a page of a broken server": (500, "text/html", b"<h1>500</h1>"),
    "lines": (200, "application/x-ndjson", NDJSON),
    "lines that are said to be events": (200, "text/event-stream", NDJSON),
    "a document": (200, "application/json", b'{"choices":[]}'),
    "nothing": (200, "text/plain", b""),
    "no content": (204, "text/plain", b""),
    "a way to elsewhere": (302, "text/html", b""),
    "bytes": (200, "application/octet-stream", bytes(range(256))),
}


class Strange(BaseHTTPRequestHandler):
    """Answers anything with the same."""

    answer = STRANGE["nothing"]
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        status, kind, content = self.answer
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(status)
        self.send_header("Content-Type", kind)
        if status == 302:
            self.send_header("Location", "http://127.0.0.1:9/")
        if status != 204:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if status != 204:
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@contextmanager
def strange_server() -> Iterator[str]:
    """Run one while the block runs."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Strange) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def strangers() -> Iterator[Mapping[str, str]]:
    """Gateways that were told that a strange server speaks this and that."""
    with no_proxies(), strange_server() as url:
        with gateway_in_thread(url, speaks="openai-chat") as first, gateway_in_thread(url, speaks="anthropic") as second:
            yield {"openai-chat": first.url, "anthropic": second.url}
            for gateway in (first, second):
                assert "failed" not in {record.outcome for record in gateway.records}


TALKING = {"chat": "openai-chat", "message": "anthropic"}
"""Whose questions are passed on as they are, by what the upstream is said to speak."""


@pytest.mark.parametrize("what", STRANGE, ids=lambda each: each.replace(" ", "-"))
def test_an_upstream_that_speaks_otherwise_is_an_error_of_the_server(
    what: str, strangers: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Strange, "answer", STRANGE[what])
    status = STRANGE[what][0]
    for speaks, url in strangers.items():
        for ask, raises in SDKS.items():
            if TALKING.get(name_of(ask)) == speaks:
                continue
            for stream in (False, True):
                found = raised(ask, url, stream=stream)
                wanted = status if status >= 400 else 502
                assert found.status == wanted, (speaks, found)
                assert found.kind is raises[wanted if wanted in raises else 500], (speaks, found)


def test_a_gateway_told_the_wrong_dialect_says_so(pairs: Pairs) -> None:
    """The server is an Ollama, and has no other path."""
    with strange_server() as url, gateway_in_thread(url, speaks="openai-chat") as gateway, no_proxies():
        Strange.answer = STRANGE["lines"]
        found = raised(next(ask for ask in SDKS if name_of(ask) == "message"), gateway.url, stream=True)
        assert "openai-chat" in found.message
        assert found.status == 502


# ------------------------------------------------------------------------------------------------------------ too much


def test_a_body_that_is_too_large_is_refused_in_the_vendors_words(pairs: Pairs) -> None:
    pairs.set()
    limits = Limits(max_body_bytes=2000)
    kinds: Mapping[str, type[Exception]] = {**BAD_REQUEST, "anthropic": anthropic.RequestTooLargeError}
    with gateway_in_thread(pairs.mock.url, speaks="gemini", limits=limits) as gateway:
        for sdk, options in {
            "openai-chat": body(messages=[{"role": "user", "content": "x" * 3000}]),
            "openai-responses": body(input="x" * 3000),
            "anthropic": {"messages": [{"role": "user", "content": "x" * 3000}]},
            "ollama-generate": {"system": "x" * 3000},
        }.items():
            with pytest.raises((kinds[sdk], openai.APIStatusError)) as caught:
                ASKS[sdk](gateway.url, **options)
            assert status_of(caught.value) == 413, sdk
    assert pairs.entries() == []


# ---------------------------------------------------------------------------------------------------------------- models


def listed(sdk: str, url: str) -> list[str | None]:
    """Return the models that an SDK is told of."""
    if sdk == "openai":
        with openai_client(f"{url}/v1") as client:
            return [model.id for model in client.models.list()]
    if sdk == "anthropic":
        with anthropic_client(url) as claude:
            return [model.id for model in claude.models.list()]
    if sdk == "ollama":
        with ollama_client(url) as llama:
            return [model.model for model in llama.list().models]
    with gemini_client(url) as google_client:
        return [model.name for model in google_client.models.list()]


@pytest.fixture(scope="module")
def owls() -> Iterator[Pairs]:
    """A mock that has two models."""
    with open_pairs(models=("owl", "eagle:7b")) as running:
        yield running


@pytest.mark.parametrize("upstream", UPSTREAMS)
@pytest.mark.parametrize("sdk", ["openai", "anthropic", "ollama", "gemini"])
def test_an_sdk_lists_the_models_that_there_are(sdk: str, upstream: str, owls: Pairs) -> None:
    found = listed(sdk, owls.gateways[upstream].url)
    assert {f"{name}".removeprefix("models/").removesuffix(":latest") for name in found} == {"owl", "eagle:7b"}


@pytest.mark.parametrize("upstream", UPSTREAMS)
def test_models_have_the_names_that_clients_know(upstream: str, owls: Pairs) -> None:
    with gateway_in_thread(owls.mock.url, speaks=upstream, model_map={"gpt": "owl"}) as gateway:
        assert "gpt" in {f"{name}".removeprefix("models/") for name in listed("openai", gateway.url)}
        owls.set(say="Owls")
        with openai_client(f"{gateway.url}/v1") as client:
            for stream in (False, True):
                answer: Any = client.chat.completions.create(
                    model="gpt", messages=[{"role": "user", "content": "?"}], stream=stream
                )
                assert {each.model for each in (answer if stream else [answer])} == {"gpt"}
        with anthropic_client(gateway.url) as claude:
            message = claude.messages.create(model="gpt", max_tokens=9, messages=[{"role": "user", "content": "?"}])
            assert message.model == "gpt"
        assert {entry["model"] for entry in owls.entries()} == {"owl"}
