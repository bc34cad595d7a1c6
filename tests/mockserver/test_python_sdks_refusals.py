"""What the mock server refuses, or is told to refuse, becomes the exception that each SDK has for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import ollama
import openai
import pytest
from google.genai import errors

from mockserver.open import MockInThread, mockserver_in_thread
from tests.dialects import sdks
from tests.dialects.sdks import CHAT_TOOLS, NO_TLS, no_proxies
from tests.mockserver.sdk_documents import anthropic_client, entries_of, gemini_client, ollama_client

HELLO: Any = [{"role": "user", "content": "Hello owl"}]


@pytest.fixture(scope="module")
def server() -> Iterator[MockInThread]:
    with no_proxies(), mockserver_in_thread() as mock:
        yield mock


@pytest.fixture
def mock(server: MockInThread) -> MockInThread:
    """The server, as if it had just been started; it echoes."""
    server.reset()
    server.configure(echo=True)
    return server


def openai_client(mock: MockInThread, max_retries: int = 0) -> openai.OpenAI:
    http_client = openai.DefaultHttpxClient(**NO_TLS)
    return openai.OpenAI(
        base_url=f"{mock.url}/v1",
        api_key="none",
        max_retries=max_retries,
        timeout=sdks.TIMEOUT_S,
        http_client=http_client,
    )


def chat(mock: MockInThread, stream: bool, retries: int) -> None:
    with openai_client(mock, retries) as client:
        answer = client.chat.completions.create(model="m", messages=HELLO, stream=stream)
        assert not isinstance(answer, openai.Stream) or list(answer)


def complete(mock: MockInThread, stream: bool, retries: int) -> None:
    with openai_client(mock, retries) as client:
        client.completions.create(model="m", prompt="Hello owl", stream=stream)


def respond(mock: MockInThread, stream: bool, retries: int) -> None:
    with openai_client(mock, retries) as client:
        client.responses.create(model="m", input="Hello owl", stream=stream)


def message(mock: MockInThread, stream: bool, retries: int) -> None:
    with anthropic_client(mock.url, max_retries=retries) as client:
        client.messages.create(model="m", max_tokens=99, messages=HELLO, stream=stream)


def llama_chat(mock: MockInThread, stream: bool, _: int) -> None:
    with ollama_client(mock.url) as client:
        answer = client.chat("m", HELLO, stream=stream)
        assert not stream or list(answer)


def llama_generate(mock: MockInThread, stream: bool, _: int) -> None:
    with ollama_client(mock.url) as client:
        answer = client.generate("m", "Hello owl", stream=stream)
        assert not stream or list(answer)


def gemini(mock: MockInThread, stream: bool, retries: int) -> None:
    with gemini_client(mock.url, attempts=1 + retries) as client:
        if stream:
            assert list(client.models.generate_content_stream(model="m", contents="Hello owl"))
        else:
            client.models.generate_content(model="m", contents="Hello owl")


Asking = Callable[[MockInThread, bool, int], None]


def name_of(ask: Asking) -> str:
    return getattr(ask, "__name__", "")


OPENAI = {
    400: openai.BadRequestError,
    401: openai.AuthenticationError,
    403: openai.PermissionDeniedError,
    404: openai.NotFoundError,
    409: openai.ConflictError,
    422: openai.UnprocessableEntityError,
    429: openai.RateLimitError,
    500: openai.InternalServerError,
    503: openai.InternalServerError,
    529: openai.InternalServerError,
}
ANTHROPIC = {
    400: anthropic.BadRequestError,
    401: anthropic.AuthenticationError,
    403: anthropic.PermissionDeniedError,
    404: anthropic.NotFoundError,
    413: anthropic.RequestTooLargeError,
    429: anthropic.RateLimitError,
    500: anthropic.InternalServerError,
    503: anthropic.ServiceUnavailableError,
    529: anthropic.OverloadedError,
}
OLLAMA = dict.fromkeys((400, 401, 404, 429, 500, 529), ollama.ResponseError)
GEMINI = {
    **dict.fromkeys((400, 401, 403, 404, 429), errors.ClientError),
    **dict.fromkeys((500, 503, 529), errors.ServerError),
}

SDKS: dict[Asking, dict[int, Any]] = {
    chat: OPENAI,
    complete: OPENAI,
    respond: OPENAI,
    message: ANTHROPIC,
    llama_chat: OLLAMA,
    llama_generate: OLLAMA,
    gemini: GEMINI,
}

STATUSES = [(ask, status) for ask, raised in SDKS.items() for status in raised]


@pytest.mark.parametrize("stream", [False, True], ids=["document", "stream"])
@pytest.mark.parametrize(("ask", "status"), STATUSES, ids=[f"{name_of(ask)}-{status}" for ask, status in STATUSES])
def test_a_status_raises_what_it_raises_of_the_vendor(
    ask: Asking, status: int, stream: bool, mock: MockInThread
) -> None:
    mock.configure(fault=f"status:{status}")
    with pytest.raises(SDKS[ask][status]) as caught:
        ask(mock, stream, 0)
    assert type(caught.value) is SDKS[ask][status]
    assert f"told to answer {status}" in str(caught.value)
    found = getattr(caught.value, "status_code", None) or getattr(caught.value, "code", None)
    assert found == status
    (entry,) = entries_of(mock)
    assert entry["status"] == status


def test_an_error_has_the_vendors_fields(mock: MockInThread) -> None:
    mock.configure(fault="status:429:7")
    with pytest.raises(openai.RateLimitError) as limited:
        chat(mock, stream=False, retries=0)
    assert limited.value.type
    assert limited.value.response.headers["retry-after"] == "7"
    assert limited.value.request_id
    with pytest.raises(anthropic.RateLimitError) as also:
        message(mock, stream=False, retries=0)
    assert also.value.type == "rate_limit_error"
    assert also.value.request_id
    with pytest.raises(errors.ClientError) as third:
        gemini(mock, stream=False, retries=0)
    assert third.value.status == "RESOURCE_EXHAUSTED"


RETRYING = [ask for ask in SDKS if not name_of(ask).startswith("llama")]  # Ollama's never tries again


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long the SDKs would have waited, in seconds; they do not."""
    seconds: list[float] = []
    monkeypatch.setattr(time, "sleep", seconds.append)
    return seconds


@pytest.mark.parametrize("ask", RETRYING, ids=name_of)
@pytest.mark.parametrize("status", [429, 503])
def test_an_sdk_tries_again_when_it_was_told_to_and_succeeds(
    ask: Asking, status: int, mock: MockInThread, waits: list[float]
) -> None:
    mock.configure(fault=f"status:{status}:7,first:1")
    ask(mock, True, 1)
    assert [entry["status"] for entry in entries_of(mock)] == [status, 200]
    if ask is gemini:  # Google's has a schedule of its own
        assert len(waits) == 1
    else:
        assert waits == [7]


@pytest.mark.parametrize("ask", RETRYING, ids=name_of)
def test_an_sdk_gives_up_when_it_has_tried_as_often_as_it_may(
    ask: Asking, mock: MockInThread, waits: list[float]
) -> None:
    mock.configure(fault="status:503")
    with pytest.raises(SDKS[ask][503]):
        ask(mock, False, 2)
    assert [entry["status"] for entry in entries_of(mock)] == [503] * 3
    assert len(waits) == 2


@pytest.mark.parametrize("ask", [chat, respond, message], ids=name_of)
def test_an_sdk_tries_again_where_the_connection_breaks_before_the_answer(
    ask: Asking, mock: MockInThread, waits: list[float]
) -> None:
    mock.configure(fault="reset@before-head,first:1")
    ask(mock, False, 1)
    assert [entry["outcome"] for entry in entries_of(mock)] == ["reset", "complete"]
    assert len(waits) == 1


# --- What is wrong with the request itself ----------------------------------------------------------------------------


def test_openai_is_refused_in_openais_words(mock: MockInThread) -> None:
    with openai_client(mock) as client:
        wrong: list[tuple[dict[str, Any], str, str | None]] = [
            ({"messages": []}, "messages", "empty_array"),
            ({"messages": HELLO, "n": 0}, "n", None),
            ({"messages": HELLO, "temperature": 9}, "temperature", None),
            ({"messages": HELLO, "max_tokens": 0}, "max_tokens", None),
            ({"messages": HELLO, "stream_options": {"include_usage": True}}, "stream_options", None),
            ({"messages": [{"role": "owl", "content": "?"}]}, "messages[0].role", None),
            ({"messages": HELLO, "tools": CHAT_TOOLS, "tool_choice": "always"}, "tool_choice", None),
        ]
        for question, param, code in wrong:
            with pytest.raises(openai.BadRequestError) as caught:
                client.chat.completions.create(model="m", **question)
            assert caught.value.type == "invalid_request_error"
            assert caught.value.param == param
            assert code in {None, caught.value.code}
        with pytest.raises(openai.NotFoundError):
            client.embeddings.create(model="m", input="?")
        with pytest.raises(openai.BadRequestError):
            client.responses.create(model="m", input="?", max_output_tokens=-1)
        with pytest.raises(openai.BadRequestError):
            client.completions.create(model="m", prompt="?", n=-1)
    assert {entry["outcome"] for entry in entries_of(mock)} == {"complete"}


def test_anthropic_is_refused_in_anthropics_words(mock: MockInThread) -> None:
    with anthropic_client(mock.url) as client:
        wrong: list[tuple[dict[str, Any], str]] = [
            ({"messages": [], "max_tokens": 9}, "messages: at least one message is required"),
            ({"messages": HELLO, "max_tokens": 0}, "max_tokens: "),
            ({"messages": [{"role": "owl", "content": "?"}], "max_tokens": 9}, "messages.0.role: "),
            ({"messages": HELLO, "max_tokens": 9, "extra_body": {"temperature": 9}}, "temperature: "),
        ]
        for question, text in wrong:
            with pytest.raises(anthropic.BadRequestError, match=text) as caught:
                client.messages.create(model="m", **question)
            assert caught.value.type == "invalid_request_error"


def test_ollama_and_gemini_are_refused_in_their_words(mock: MockInThread) -> None:
    with ollama_client(mock.url) as client:
        with pytest.raises(ollama.ResponseError) as caught:
            client.embed("m", "?")
        assert caught.value.status_code == 404
    with gemini_client(mock.url) as google, pytest.raises(errors.ClientError) as refused:
        google.models.generate_content(model="m", contents="?", config={"max_output_tokens": -1})
    assert (refused.value.code, refused.value.status) == (400, "INVALID_ARGUMENT")


def test_a_mistake_in_the_mocks_own_header_is_told_to_the_sdks_user(mock: MockInThread) -> None:
    with openai_client(mock) as client, pytest.raises(openai.BadRequestError, match=r"X-Mock: .*tokenz") as caught:
        client.chat.completions.create(model="m", messages=HELLO, extra_headers={"X-Mock": "tokenz=5"})
    assert "did you mean tokens" in str(caught.value)
