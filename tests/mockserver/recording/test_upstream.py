"""What of a client's request the server behind a recorder is sent."""

from __future__ import annotations

import pytest

from mockserver.recording.upstream import forwarded_head
from streamkit.http.exchange import Request
from streamkit.http.origin import parse_origin


def request(
    *headers: tuple[str, str], method: str = "POST", target: str = "/api/chat", version: str = "1.1"
) -> Request:
    return Request(method, target, "", "", version, list(headers), b"", 1, 1, 0, None)


def head(asked: Request, body: bytes = b"", url: str = "http://up:81") -> list[str]:
    *lines, blank, end = forwarded_head(parse_origin(url), asked, body).decode("latin-1").split("\r\n")
    assert (blank, end) == ("", "")
    return lines


def test_headers_go_on_in_order_and_case() -> None:
    asked = request(
        ("hOST", "me"), ("X-B", "1"), ("Authorization", "Bearer k"), ("X-B", "\xe4"), ("Content-Length", "2")
    )
    expected = ["POST /api/chat HTTP/1.1", "Host: up:81", "X-B: 1", "Authorization: Bearer k", "X-B: \xe4"]
    assert head(asked, b"{}") == [*expected, "Content-Length: 2"]


def test_what_concerns_one_connection_stays_behind() -> None:
    asked = request(
        *(("Host", "me"), ("Transfer-Encoding", "chunked"), ("Expect", "100-continue"), ("TE", "trailers")),
        *(("Connection", "Upgrade, HTTP2-Settings, X-Mine"), ("Upgrade", "h2c"), ("HTTP2-Settings", "AAA")),
        *(("X-Mine", "1"), ("Trailer", "X"), ("Keep-Alive", "5"), ("X-Yours", "1")),
    )
    assert head(asked, b"abc") == ["POST /api/chat HTTP/1.1", "Host: up:81", "X-Yours: 1", "Content-Length: 3"]


@pytest.mark.parametrize("wish", ["close", "keep-alive", "Keep-Alive"])
def test_the_wish_for_a_connection_goes_on(wish: str) -> None:
    assert head(request(("Connection", wish), version="1.0", method="GET")) == [
        "GET /api/chat HTTP/1.0",
        "Host: up:81",
        f"Connection: {wish.lower()}",
    ]


def test_an_empty_body_that_was_announced_is_announced() -> None:
    assert head(request(("Content-Length", "0")))[-1] == "Content-Length: 0"
    assert head(request(method="GET"))[-1] == "Host: up:81"


@pytest.mark.parametrize(
    ("target", "url", "sent"),
    [
        ("/a?b=%20c", "http://up", "/a?b=%20c"),
        ("/a", "http://up/v1/", "/v1/a"),
        ("http://other:1/a?b", "http://up", "/a?b"),
        ("http://other", "http://up/v1", "/v1/"),
        ("http://other?q", "http://up", "/?q"),
        ("/a#b", "http://up", "/a"),
        ("*", "http://up/v1", "*"),
    ],
)
def test_targets(target: str, url: str, sent: str) -> None:
    assert head(request(target=target), url=url)[0] == f"POST {sent} HTTP/1.1"
