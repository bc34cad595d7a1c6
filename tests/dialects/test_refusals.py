"""What servers say when they refuse a request: each vendor's body, proxies' pages, and what is no answer at all."""

from __future__ import annotations

import json
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamkit.dialects.failure import Failure
from streamkit.dialects.refusals import MAX_REFUSAL_BYTES, status_error
from streamkit.dialects.registry import DIALECTS
from streamkit.errors import StatusError

NOW = 1_000_000_000.0  # Sun, 09 Sep 2001 01:46:40 GMT


def refused(body: object, status: int = 400, **headers: str) -> StatusError:
    data = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else json.dumps(body).encode()
    fields = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return status_error(status, fields, data, NOW)


BODIES: list[tuple[str, object, tuple[str, str, str]]] = [
    (
        "OpenAI",
        {
            "error": {
                "message": "You exceeded your quota.",
                "type": "insufficient_quota",
                "param": None,
                "code": "quota",
            }
        },
        ("You exceeded your quota.", "insufficient_quota", "quota"),
    ),
    ("OpenRouter", {"error": {"message": "No credits", "code": 402}}, ("No credits", "", "402")),
    (
        "OpenRouter's provider",
        {
            "error": {
                "message": "Provider returned error",
                "code": 429,
                "metadata": {"raw": "slow", "provider_name": "P"},
            }
        },
        ("Provider returned error (P: slow)", "", "429"),
    ),
    ("Ollama", {"error": "model 'x' not found"}, ("model 'x' not found", "", "")),
    (
        "Anthropic",
        {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}, "request_id": "req_9"},
        ("Overloaded", "overloaded_error", ""),
    ),
    (
        "Google",
        {"error": {"code": 400, "message": "API key not valid.", "status": "INVALID_ARGUMENT", "details": []}},
        ("API key not valid.", "INVALID_ARGUMENT", "400"),
    ),
    (
        "Google's stream",
        [{"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}],
        ("The model is overloaded.", "UNAVAILABLE", "503"),
    ),
    ("FastAPI", {"detail": "Not Found"}, ("Not Found", "", "")),
    (
        "FastAPI's validation",
        {
            "detail": [
                {"loc": ["body", "messages", 0], "msg": "field required", "type": "missing"},
                {"loc": ["body", "n"], "msg": "not a number", "type": "number"},
            ]
        },
        ("body.messages.0: field required; body.n: not a number", "missing", ""),
    ),
    ("FastAPI's object", {"detail": {"message": "no", "code": "x1"}}, ("no", "", "x1")),
    (
        "vLLM",
        {"object": "error", "message": "too long", "type": "BadRequestError", "param": None, "code": 400},
        ("too long", "BadRequestError", "400"),
    ),
    (
        "Mistral",
        {"object": "error", "message": "Unauthorized", "type": "auth", "code": "1"},
        ("Unauthorized", "auth", "1"),
    ),
    ("TGI", {"error": "Input is too long", "error_type": "validation"}, ("Input is too long", "validation", "")),
    ("Cohere", {"id": "1", "message": "invalid api token"}, ("invalid api token", "", "")),
    (
        "AWS",
        {"__type": "ThrottlingException", "message": "Rate exceeded"},
        ("Rate exceeded", "ThrottlingException", ""),
    ),
    ("OAuth", {"error": "invalid_token", "error_description": "expired"}, ("expired", "", "invalid_token")),
    (
        "Spring",
        {"status": 404, "error": "Not Found", "message": "No such route", "path": "/x"},
        ("No such route", "", "Not Found"),
    ),
    (
        "RFC 9457",
        {"type": "about:blank", "title": "Forbidden", "status": 403, "detail": "not yours"},
        ("not yours", "", ""),
    ),
    ("RFC 9457, short", {"type": "https://x/limit", "title": "Too many"}, ("Too many", "https://x/limit", "")),
    (
        "Cloudflare's API",
        {"success": False, "errors": [{"code": 10000, "message": "Authentication error"}]},
        ("Authentication error", "", "10000"),
    ),
    ("Chinese gateways", {"code": 1113, "msg": "余额不足"}, ("余额不足", "", "1113")),
    ("AI SDK", {"type": "error", "errorText": "An error occurred."}, ("An error occurred.", "", "")),
    ("a JSON string", '"no"', ("no", "", "")),
    ("null in it", {"error": None, "message": "no"}, ("no", "", "")),
    ("unknown JSON", {"oops": {"a": 1}}, ('{"oops": {"a": 1}}', "", "")),
    ("an event", b'event: error\r\ndata: {"error":{"message":"no","type":"t"}}\r\n\r\n', ("no", "t", "")),
    ("a line", b'{"error":"no"}\n{"done":true}\n', ("no", "", "")),
    ("text", b"  Internal\r\n Server Error\n", ("Internal Server Error", "", "")),
    ("a byte-order mark", b'\xef\xbb\xbf{"error":"no"}', ("no", "", "")),
    (
        "nginx",
        b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<h1>502 Bad Gateway</h1><hr>nginx",
        ("502 Bad Gateway", "", ""),
    ),
    (
        "a page",
        "<!DOCTYPE html><html><head><title>a &amp; b</title><style>x{}</style></head><h1>Just <b>a</b> moment</h1>",
        ("a & b: Just a moment", "", ""),
    ),
    ("a page without a title", "<p>Sorry,</p> <i>closed</i><script>alert(1)</script>", ("Sorry, closed", "", "")),
    ("broken JSON", b'{"error": {"message": "cut o', ('{"error": {"message": "cut o', "", "")),
    (
        "latin-1",
        "Zugriff verweigert: Schlüssel ungültig".encode("latin-1"),
        ("Zugriff verweigert: Schlüssel ungültig", "", ""),
    ),
]


@pytest.mark.parametrize(("body", "told"), [row[1:] for row in BODIES], ids=[row[0] for row in BODIES])
def test_every_vendors_words_are_found(body: object, told: tuple[str, str, str]) -> None:
    error = refused(body)
    assert (error.message, error.error_type, error.error_code) == told
    assert error.status == 400


@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_the_dialects_own_servers_say_is_found(dialect: str) -> None:
    failure = Failure(429, "Slow down, please.", type="rate_limit_error", error_code="slow", request_id="req_1")
    error = refused(DIALECTS[dialect].failure(failure), 429)
    assert error.message == "Slow down, please."
    assert error.status == 429
    if dialect in {"openai-chat", "openai-completions", "openai-responses", "anthropic"}:
        assert error.error_type == "rate_limit_error"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "Too Many Requests (no body)"),
        (b" \r\n", "Too Many Requests (no body)"),
        (
            b"\x1f\x8b\x08\0\0\0\0\0\x02\xff\x00\x01",
            "Too Many Requests (a body of 12 bytes that says nothing readable)",
        ),
        (bytes(range(256)) * 9, "Too Many Requests (a body of 2304 bytes that says nothing readable)"),
        (b"<html></html>", "Too Many Requests (a body of 13 bytes that says nothing readable)"),
        (b"{}", "{}"),
    ],
)
def test_a_body_that_says_nothing(body: bytes, message: str) -> None:
    assert refused(body, 429).message == message


def test_a_status_without_a_name() -> None:
    assert refused(b"", 599).message == "a status without a name (no body)"


@pytest.mark.parametrize(
    "body",
    [
        b"x" * 10_000_000,
        b'{"error":{"message":"' + b"x" * 10_000_000 + b'"}}',
        b'{"error":{"message":"' + b"\\n" * 20_000 + b'"}}',
        b"[" * 1_000_000,
        b'{"error":' * 10_000,
        b"<" * 1_000_000,
        b"<title>" * 100_000,
        b"<html><script>" * 10_000,
        "é".encode() * 1_000_000,
    ],
)
def test_a_huge_body_gives_a_short_message_quickly(body: bytes) -> None:
    error = refused(body)
    assert len(error.message) <= 600
    assert len(str(error)) < 800


def test_a_body_cut_inside_a_character_is_still_text() -> None:
    body = b"a" * (MAX_REFUSAL_BYTES - 1) + "é".encode()
    assert refused(body).message == "a" * 597 + "..."


def test_nothing_of_a_message_reaches_a_terminal_as_a_command() -> None:
    error = refused({"error": {"message": "\x1b[2J\x07a\r\n\u202eb\u2028c\x9bd", "type": "t\x1b]0;x", "code": "c\n"}})
    assert error.message == "[2J a b c d"
    assert (error.error_type, error.error_code) == ("t ]0;x", "c")


@pytest.mark.parametrize(
    "secret",
    [
        "sk-proj-abcdefghijklmnop1234",
        "sk-ant-api03-abcdefghijklmnop",
        "AIzaSyA1234567890abcdefghijk",
        "gsk_abcdefghijklmnop1234",
        "Bearer abc.def-ghi/jkl=",
        "basic dXNlcjpwYXNzd29yZA==",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIx",
    ],
)
def test_a_key_that_a_server_repeats_is_not_shown(secret: str) -> None:
    error = refused({"error": {"message": f"Incorrect API key provided: {secret}. Find yours at x.", "code": secret}})
    assert error.message.startswith("Incorrect API key provided: [a key]")
    assert error.message.endswith("Find yours at x.")
    assert secret.rsplit(maxsplit=1)[-1] not in f"{error} {error.error_code}"


@pytest.mark.parametrize("text", ["the task-force said", "a basic service", "sk-1", "bearer authentication missing"])
def test_words_are_no_keys(text: str) -> None:
    assert refused({"error": text}).message == text


@pytest.mark.parametrize(
    ("headers", "body", "seconds"),
    [
        ({"Retry_After": "7"}, b"", 7),
        ({"Retry_After": " 1.5 "}, b"", 1.5),
        ({"Retry_After": "0"}, b"", 0),
        ({"Retry_After": "7", "retry_after_ms": "250"}, b"", 0.25),
        ({"Retry_After": "7", "retry_after_ms": "soon"}, b"", 7),
        ({"x_ms_retry_after_ms": "1500"}, b"", 1.5),
        ({"Retry_After": "Sun, 09 Sep 2001 01:47:40 GMT"}, b"", 60),
        ({"Retry_After": "Sunday, 09-Sep-01 01:46:45 GMT"}, b"", 5),
        ({"Retry_After": "Sun Sep  9 01:46:41 2001"}, b"", 1),
        ({"Retry_After": "Sun, 09 Sep 2001 01:00:00 GMT"}, b"", 0),
        ({"Retry_After": "Sunday, 09-Sep-94 01:46:45 GMT"}, b"", 0),
        ({"Retry_After": "-5"}, b"", None),
        ({"Retry_After": "1e9"}, b"", None),
        ({"Retry_After": "nan"}, b"", None),
        ({"Retry_After": "inf"}, b"", None),
        ({"Retry_After": "9" * 5000}, b"", None),
        ({"Retry_After": "99999999999"}, b"", None),
        ({"Retry_After": "٣"}, b"", None),
        ({"Retry_After": "Sun, 99 Sep 2001 01:46:45 GMT"}, b"", None),
        ({"Retry_After": "Sun, 09 Xyz 2001 01:46:45 GMT"}, b"", None),
        ({"Retry_After": "Sun, 09 Sep 9999 01:46:45 GMT"}, b"", None),
        ({"Retry_After": "tomorrow"}, b"", None),
        ({"Retry_After": ""}, b"", None),
        ({}, b'{"error":{"message":"x","details":[{"@type":"RetryInfo","retryDelay":"34.5s"}]}}', 34.5),
        ({"Retry_After": "2"}, b'{"error":{"message":"x","details":[{"retryDelay":"34s"}]}}', 2),
        ({}, b'{"error":{"message":"x","details":[3,{"retryDelay":"-1s"}]}}', None),
        ({}, b"", None),
    ],
)
def test_when_to_come_back(headers: dict[str, str], body: bytes, seconds: float | None) -> None:
    assert refused(body, 429, **headers).retry_after_s == seconds


def test_the_two_digit_year_is_read_as_the_standard_says() -> None:
    later = 1_785_542_400.0  # 2026-08-01
    error = status_error(429, [("Retry-After", "Saturday, 01-Aug-26 00:00:30 GMT")], b"", later)
    assert error.retry_after_s == 30


@pytest.mark.parametrize("name", ["request-id", "X-Request-ID", "apim-request-id", "cf-ray", "x-amzn-RequestId"])
def test_the_servers_id_of_the_request(name: str) -> None:
    headers = [("Content-Type", "text/plain"), (name, "req_1"), ("Set-Cookie", "a=b")]
    error = status_error(500, headers, b'{"error":"x","request_id":"req_2"}', NOW)
    assert error.request_id == "req_1"
    assert error.headers == tuple(headers)


def test_the_body_has_an_id_too() -> None:
    assert refused({"type": "error", "error": {"message": "x"}, "request_id": "req_2"}).request_id == "req_2"


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["error", "errors", "message", "detail", "type", "code", "details", "metadata", "loc", "raw"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(st.binary(max_size=300) | JSON.map(lambda value: json.dumps(value).encode()), st.integers(100, 599))
def test_any_body_gives_one_printable_line(body: bytes, status: int) -> None:
    error = status_error(status, [("retry-after", body[:20].decode("latin-1"))], body, NOW)
    for text in (error.message, error.error_type, error.error_code, str(error)):
        assert not [letter for letter in text if unicodedata.category(letter) in {"Cc", "Zl", "Zp", "Cs"}]
    assert error.message
    assert error.retry_after_s is None or error.retry_after_s >= 0
