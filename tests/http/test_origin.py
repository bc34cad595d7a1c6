"""Which URLs name a server."""

from __future__ import annotations

import pytest

from streamkit.errors import ConfigError
from streamkit.http.origin import Origin, parse_origin

GOOD = {
    "http://127.0.0.1:11434": Origin("http", "127.0.0.1", 11434),
    "https://api.example.com/": Origin("https", "api.example.com", 443),
    "HTTP://Example.com:80/v1/": Origin("http", "example.com", 80, "/v1"),
    "http://[::1]:8080/a%20b": Origin("http", "::1", 8080, "/a%20b"),
    "http://bücher.example": Origin("http", "xn--bcher-kva.example", 80),
    "http://host.docker.internal:1/a_b~c/d": Origin("http", "host.docker.internal", 1, "/a_b~c/d"),
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
    "http://a..b": "is no URL",
    "http://" + "a" * 64: "is no URL",
    "http://a/b\\c": "percent-encoded",
}


@pytest.mark.parametrize(("text", "origin"), GOOD.items())
def test_a_url_names_a_server(text: str, origin: Origin) -> None:
    assert parse_origin(text) == origin
    assert parse_origin(origin.url) == origin


@pytest.mark.parametrize(("text", "reason"), BAD.items())
def test_what_names_none_is_refused_without_showing_secrets(text: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason) as caught:
        parse_origin(text)
    assert "s3cret" not in str(caught.value)


def test_the_option_that_is_wrong_is_named() -> None:
    with pytest.raises(ConfigError, match=r"^--upstream 'ftp://a' is not"):
        parse_origin("ftp://a", "--upstream")


def test_a_host_header_has_the_port_only_where_it_is_not_the_usual_one() -> None:
    assert parse_origin("https://a:443").authority == "a"
    assert parse_origin("http://[::1]:443").authority == "[::1]:443"
    assert Origin("http", "fe80::1%eth0", 81).authority == "[fe80::1]:81"
