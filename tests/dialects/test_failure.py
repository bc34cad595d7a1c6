"""The bodies of refused requests, by hand for each vendor; the official SDKs make their usual exceptions of them."""

from __future__ import annotations

import anthropic
import httpx2
import openai
import pytest
from google.genai import errors as google_errors

from streamkit.dialects.failure import Failure
from streamkit.dialects.registry import DIALECTS

SLOW = "slow down"

PLAIN = {"error": {"message": SLOW}}

BODIES = {
    "ollama-chat": {"error": SLOW},
    "ollama-generate": {"error": SLOW},
    "openai-chat": {"error": {"message": SLOW, "type": "requests", "param": None, "code": "rate_limit_exceeded"}},
    "openai-completions": {
        "error": {"message": SLOW, "type": "requests", "param": None, "code": "rate_limit_exceeded"}
    },
    "openai-responses": {"error": {"message": SLOW, "type": "requests", "param": None, "code": "rate_limit_exceeded"}},
    "anthropic": {"type": "error", "error": {"type": "rate_limit_error", "message": SLOW}},
    "gemini": {"error": {"code": 429, "message": SLOW, "status": "RESOURCE_EXHAUSTED"}},
    "ag-ui": PLAIN,
    "vercel-ui": PLAIN,
    "agent-poc": PLAIN,
    "text": PLAIN,
    "json": PLAIN,
}


@pytest.mark.parametrize("name", DIALECTS)
def test_each_vendor_has_its_own_body_for_too_many_requests(name: str) -> None:
    assert DIALECTS[name].failure(Failure(429, SLOW)) == BODIES[name]


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (400, "invalid_request_error", None),
        (401, "invalid_request_error", "invalid_api_key"),
        (404, "invalid_request_error", None),
        (500, "server_error", None),
        (503, "server_error", None),
    ],
)
def test_openais_usual_type_and_code_for_a_status(status: int, kind: str, code: str | None) -> None:
    assert DIALECTS["openai-chat"].failure(Failure(status, "no")) == {
        "error": {"message": "no", "type": kind, "param": None, "code": code}
    }


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (403, "permission_error"),
        (404, "not_found_error"),
        (405, "invalid_request_error"),
        (413, "request_too_large"),
        (500, "api_error"),
        (502, "api_error"),
        (529, "overloaded_error"),
    ],
)
def test_anthropics_usual_type_for_a_status(status: int, kind: str) -> None:
    body = DIALECTS["anthropic"].failure(Failure(status, "no"))
    assert body == {"type": "error", "error": {"type": kind, "message": "no"}}


@pytest.mark.parametrize(
    ("status", "word"),
    [(400, "INVALID_ARGUMENT"), (404, "NOT_FOUND"), (405, "INVALID_ARGUMENT"), (503, "UNAVAILABLE"), (502, "INTERNAL")],
)
def test_googles_word_for_a_status(status: int, word: str) -> None:
    assert DIALECTS["gemini"].failure(Failure(status, "no")) == {
        "error": {"code": status, "message": "no", "status": word}
    }


def test_what_is_given_counts_before_what_is_usual() -> None:
    failure = Failure(429, "pay", type="insufficient_quota", error_code="quota", param="model")
    told = {"message": "pay", "type": "insufficient_quota", "param": "model", "code": "quota"}
    assert DIALECTS["openai-chat"].failure(failure) == {"error": told}
    assert DIALECTS["ag-ui"].failure(failure) == {"error": told}
    assert DIALECTS["anthropic"].failure(failure) == {
        "type": "error",
        "error": {"type": "insufficient_quota", "message": "pay", "details": {"error_code": "quota"}},
    }
    assert DIALECTS["gemini"].failure(failure) == {
        "error": {"code": 429, "message": "pay", "status": "RESOURCE_EXHAUSTED"}
    }
    exhausted = Failure(400, "no", type="FAILED_PRECONDITION")
    assert DIALECTS["gemini"].failure(exhausted) == {
        "error": {"code": 400, "message": "no", "status": "FAILED_PRECONDITION"}
    }


def test_anthropic_repeats_the_requests_id() -> None:
    body = DIALECTS["anthropic"].failure(Failure(429, SLOW, request_id="req_1"))
    error = {"type": "rate_limit_error", "message": SLOW}
    assert body == {"type": "error", "error": error, "request_id": "req_1"}
    assert DIALECTS["openai-chat"].failure(Failure(429, SLOW, request_id="req_1")) == BODIES["openai-chat"]


def test_google_puts_an_error_into_an_array_where_one_was_asked_for() -> None:
    assert DIALECTS["gemini"].failure(Failure(429, SLOW, framing="json-array")) == [BODIES["gemini"]]
    assert DIALECTS["gemini"].failure(Failure(429, SLOW, framing="sse")) == BODIES["gemini"]


def test_a_type_of_ones_own_does_not_get_the_code_of_another() -> None:
    body = DIALECTS["openai-chat"].failure(Failure(429, "pay", type="insufficient_quota"))
    assert body == {"error": {"message": "pay", "type": "insufficient_quota", "param": None, "code": None}}


def transport(dialect: str, status: int) -> httpx2.MockTransport:
    body = DIALECTS[dialect].failure(Failure(status, SLOW))
    return httpx2.MockTransport(lambda _: httpx2.Response(status, json=body, headers={"request-id": "req_1"}))


@pytest.mark.parametrize(
    ("status", "raised"),
    [
        (400, openai.BadRequestError),
        (401, openai.AuthenticationError),
        (403, openai.PermissionDeniedError),
        (404, openai.NotFoundError),
        (422, openai.UnprocessableEntityError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
        (503, openai.InternalServerError),
    ],
)
def test_openais_sdk_raises_its_usual_exception(status: int, raised: type[openai.APIStatusError]) -> None:
    with (
        httpx2.Client(transport=transport("openai-chat", status)) as http,
        openai.OpenAI(api_key="none", base_url="http://mock/v1", max_retries=0, http_client=http) as client,
        pytest.raises(raised) as caught,
    ):
        client.models.list()
    assert type(caught.value) is raised
    assert isinstance(caught.value.body, dict)
    assert caught.value.body["message"] == SLOW


@pytest.mark.parametrize(
    ("status", "raised"),
    [
        (400, anthropic.BadRequestError),
        (401, anthropic.AuthenticationError),
        (404, anthropic.NotFoundError),
        (429, anthropic.RateLimitError),
        (500, anthropic.InternalServerError),
        (529, anthropic.InternalServerError),
    ],
)
def test_anthropics_sdk_raises_its_usual_exception(status: int, raised: type[anthropic.APIStatusError]) -> None:
    with (
        httpx2.Client(transport=transport("anthropic", status)) as http,
        anthropic.Anthropic(api_key="none", base_url="http://mock", max_retries=0, http_client=http) as client,
        pytest.raises(raised) as caught,
    ):
        client.models.list()
    assert isinstance(caught.value, raised)
    assert SLOW in str(caught.value)


@pytest.mark.parametrize("framing", ["", "json-array"])
@pytest.mark.parametrize(("status", "raised"), [(404, google_errors.ClientError), (503, google_errors.ServerError)])
def test_googles_sdk_raises_its_usual_exception(
    status: int, raised: type[google_errors.APIError], framing: str
) -> None:
    body = DIALECTS["gemini"].failure(Failure(status, SLOW, framing=framing))
    with pytest.raises(raised) as caught:
        google_errors.APIError.raise_for_response(httpx2.Response(status, json=body))
    assert caught.value.message == SLOW
    assert caught.value.status in {"NOT_FOUND", "UNAVAILABLE"}
