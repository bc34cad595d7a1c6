"""What of one connection's head goes on to the next one."""

from __future__ import annotations

import pytest

from streamkit.http.forward import connection_options, end_to_end, origin_form
from streamkit.http.origin import parse_origin


def test_what_concerns_one_connection_stays_behind() -> None:
    headers = [
        *(("hOST", "me"), ("X-B", "1"), ("Connection", "Upgrade, HTTP2-Settings,,x-mine"), ("connection", "X-More")),
        *(("Upgrade", "h2c"), ("HTTP2-Settings", "AAA"), ("X-Mine", "1"), ("X-MORE", "1"), ("Keep-Alive", "5")),
        *(("TE", "trailers"), ("Transfer-Encoding", "chunked"), ("Proxy-Connection", "close"), ("X-b", "\xe4")),
    ]
    assert connection_options(headers) == {"upgrade", "http2-settings", "", "x-mine", "x-more"}
    assert end_to_end(headers) == [("hOST", "me"), ("X-B", "1"), ("X-b", "\xe4")]
    assert end_to_end(headers, frozenset({"host"})) == [("X-B", "1"), ("X-b", "\xe4")]


def test_trailers_stay_announced() -> None:
    assert end_to_end([("Trailer", "X-Sum")]) == [("Trailer", "X-Sum")]


def test_no_option_takes_away_where_a_message_ends_or_goes() -> None:
    headers = [("Connection", "close, Content-Length, Host, X"), ("Host", "a"), ("Content-Length", "5"), ("X", "1")]
    assert end_to_end(headers) == [("Host", "a"), ("Content-Length", "5")]


@pytest.mark.parametrize(
    ("target", "url", "sent"),
    [
        ("/a?b=%20c", "http://up", "/a?b=%20c"),
        ("/a", "http://up/v1/", "/v1/a"),
        ("http://other:1/a?b", "http://up", "/a?b"),
        ("http://other", "http://up/v1", "/v1/"),
        ("http://other?q", "http://up", "/?q"),
        ("/a#b", "http://up", "/a"),
        ("/?u=http://x#y", "http://up", "/?u=http://x"),
        ("//a/b", "http://up", "//a/b"),
        ("*", "http://up/v1", "*"),
    ],
)
def test_targets(target: str, url: str, sent: str) -> None:
    assert origin_form(parse_origin(url), target) == sent
