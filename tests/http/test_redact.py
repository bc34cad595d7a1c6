"""Secrets are found by their names, wherever they stand, and nothing else is touched."""

from __future__ import annotations

import json

import pytest

from streamkit.http.redact import REDACTED, redacted_body, redacted_headers, redacted_target

SECRET = "s3cr3t"  # noqa: S105 - it is none


@pytest.mark.parametrize(
    "name",
    [
        *("Authorization", "Proxy-Authorization", "Cookie", "Set-Cookie", "X-Api-Key", "api-key", "x-goog-api-key"),
        *("Ocp-Apim-Subscription-Key", "X-Signature", "X-Session-Id", "X-Amz-Security-Token", "X-Auth"),
    ],
)
def test_a_secret_header_is_redacted(name: str) -> None:
    assert redacted_headers([(name, SECRET), ("Accept", "*/*")]) == [(name, REDACTED), ("Accept", "*/*")]


def test_other_headers_stay() -> None:
    headers = [("Content-Type", "application/json"), ("Keep-Alive", "timeout=5"), ("X-Mock", "rate=5"), ("Host", "h")]
    assert redacted_headers(headers) == headers


def test_a_url_in_a_header_keeps_its_secrets() -> None:
    ((_, value),) = redacted_headers([("Referer", f"http://u:{SECRET}@x/?key={SECRET}&a=1")])
    assert value == f"http://{REDACTED}@x/?key={REDACTED}&a=1"


@pytest.mark.parametrize(
    ("target", "shown"),
    [
        ("/a?key=s3cr3t&alt=sse", f"/a?key={REDACTED}&alt=sse"),
        ("/a?%6bey=s3cr3t", f"/a?%6bey={REDACTED}"),
        ("/a?access_token=s3cr3t&access%5Ftoken=s3cr3t", f"/a?access_token={REDACTED}&access%5Ftoken={REDACTED}"),
        ("/a?code=s3cr3t&sig=s3cr3t&encode=1", f"/a?code={REDACTED}&sig={REDACTED}&encode=1"),
        ("http://u:s3cr3t@h/a?b=1", f"http://{REDACTED}@h/a?b=1"),
        ("/a?key=&monkey=1", "/a?key=&monkey=1"),
        ("/a//b@c", "/a//[redacted]@c"),  # better one too many
        ("*", "*"),
    ],
)
def test_a_target_keeps_its_secrets(target: str, shown: str) -> None:
    assert redacted_target(target) == shown


def test_a_body_keeps_its_secrets() -> None:
    body = {
        "model": "m",
        "max_tokens": 5,
        "tools": [
            {"type": "mcp", "authorization": SECRET, "headers": {"Authorization": SECRET, "X-Api-Key": SECRET}},
            {"server_url": f"https://u:{SECRET}@x/y", "authorization_token": SECRET},
            {"server_url": f"https://x/y?token={SECRET}&a=1"},
        ],
        "api_key": SECRET,
        "user": {"password": SECRET, "access_token": SECRET},
    }
    shown = redacted_body(json.dumps(body).encode())
    assert SECRET.encode() not in shown
    assert json.loads(shown)["max_tokens"] == 5
    assert json.loads(shown)["tools"][1]["server_url"] == f"https://{REDACTED}@x/y"


@pytest.mark.parametrize(
    "body",
    [
        b'{ "model": "m",  "max_tokens": 5, "top_token": 1 }',
        b'{"messages":[{"content":[{"type":"thinking","signature":"abc","thinking":"keys and tokens"}]}]}',
        b'{"key": 5, "token": null}',
        b"not JSON, but there is none",
        b"\xff",
        b"",
    ],
)
def test_a_body_without_any_stays_byte_for_byte(body: bytes) -> None:
    assert redacted_body(body) == body


@pytest.mark.parametrize("body", [b"key=s3cr3t", b'{"api_key": "s3cr3t", ', b"\xff password s3cr3t"])
def test_of_a_body_that_is_not_json_only_the_length_is_told(body: bytes) -> None:
    assert redacted_body(body) == b"(%d bytes that are not JSON)" % len(body)
