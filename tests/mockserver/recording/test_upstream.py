"""The server behind a recorder: which URLs name one, and what of a request it is sent."""

from __future__ import annotations

import pytest

from mockserver.recording.upstream import Upstream, forwarded_head, parse_upstream
from streamkit.errors import ConfigError
from streamkit.http.exchange import Request

GOOD = {
    "http://127.0.0.1:11434": Upstream("http", "127.0.0.1", 11434),
    "https://api.example.com/": Upstream("https", "api.example.com", 443),
    "HTTP://Example.com:80/v1/": Upstream("http", "example.com", 80, "/v1"),
    "http://[::1]:8080/a%20b": Upstream("http", "::1", 8080, "/a%20b"),
    "http://bücher.example": Upstream("http", "xn--bcher-kva.example", 80),
}

BAD = {
    "localhost:11434": "not an http or https URL",
    "": "not an http or https URL",
    "ftp://a": "not an http or https URL",
    "http://": "names no host",
    "http://:80": "names no host",
    "http://a:b": "is no URL",
    "http://a:99999": "is no URL",
    "http://a:0": "no host and port",
    "http://[::1": "is no URL",
    "http://a b/": "names no host",
    "http://a/b c": "percent-encoded",
    "http://a/\r\nX: y": "percent-encoded|no host",
    "http://a?key=s3cret": "query or fragment",
    "http://a/#b": "query or fragment",
    "http://me:s3cret@a": "user or password",
    "http://me:s3cret@a:b": "is no URL",
}


@pytest.mark.parametrize(("text", "upstream"), GOOD.items())
def test_a_url_names_a_server(text: str, upstream: Upstream) -> None:
    assert parse_upstream(text) == upstream
    assert parse_upstream(upstream.url) == upstream


@pytest.mark.parametrize(("text", "reason"), BAD.items())
def test_what_names_none_is_refused_without_showing_secrets(text: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason) as caught:
        parse_upstream(text)
    assert "s3cret" not in str(caught.value)


def test_a_host_header_has_the_port_only_where_it_is_not_the_usual_one() -> None:
    assert parse_upstream("https://a:443").authority == "a"
    assert parse_upstream("http://[::1]:443").authority == "[::1]:443"


def request(
    *headers: tuple[str, str], method: str = "POST", target: str = "/api/chat", version: str = "1.1"
) -> Request:
    return Request(method, target, "", "", version, list(headers), b"", 1, 1, 0, None)


def head(asked: Request, body: bytes = b"", url: str = "http://up:81") -> list[str]:
    *lines, blank, end = forwarded_head(parse_upstream(url), asked, body).decode("latin-1").split("\r\n")
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
