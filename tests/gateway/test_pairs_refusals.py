"""What an SDK asks wrongly, or what cannot be translated, raises its usual exception, and no upstream hears of it.

What upstreams do wrong is in `test_pairs_upstreams.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import anthropic
import ollama
import openai
import pytest
from google.genai import errors, types

from streamkit.http.limits import Limits
from tests.dialects.sdks import openai_client
from tests.gateway.in_thread import gateway_in_thread
from tests.gateway.pairs import UPSTREAMS, Pairs, asked_in, is_converted, open_pairs
from tests.gateway.pairs_asking import ASKS
from tests.gateway.test_pairs_requests import BAD_REQUEST, status_of
from tests.mockserver.sdk_documents import anthropic_client, gemini_client, ollama_client

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

REQUEST_ID = re.compile(r", 'request_id': '\w+'")


@pytest.fixture(scope="module")
def pairs() -> Iterator[Pairs]:
    with open_pairs() as running:
        yield running


def others(sdk: str) -> list[str]:
    """Return the upstreams for which a client's question is translated."""
    return [upstream for upstream in UPSTREAMS if is_converted(sdk, upstream)]


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
    """Its SDK insists on one, and lets an empty one through."""
    pairs.set()
    for upstream in others("ollama-chat"):
        with ollama_client(pairs.gateways[upstream].url) as client:
            with pytest.raises(ollama.ResponseError, match="model is required") as caught:
                client._request(ollama.ChatResponse, "POST", "/api/chat", json={"messages": []})  # noqa: SLF001 - see above
            assert caught.value.status_code == 400
    assert pairs.entries() == []


# -------------------------------------------------------------------------------------------- what cannot be translated

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
        # The upstream's own vendor may have more than we know of, and many servers have some of OpenAI's.
        assert len(pairs.entries()) == (upstream.startswith(family) or family == "openai")


@pytest.mark.parametrize("upstream", [each for each in UPSTREAMS if each != "anthropic"])
def test_tokens_that_the_upstream_does_not_count_are_not_counted(upstream: str, pairs: Pairs) -> None:
    pairs.set()
    with pytest.raises(anthropic.APIStatusError) as caught:
        count_anthropic(pairs.gateways[upstream].url)
    assert caught.value.status_code in {404, 501}
    assert caught.value.message


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
