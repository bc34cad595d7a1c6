"""Which pages browsers let read the answers: what preflights and other responses say, to whom, and to whom nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

from mockserver.app import MockServer
from mockserver.open import open_mockserver
from streamkit.errors import ConfigError
from streamkit.gateway.config import GatewayConfig
from streamkit.gateway.cors import (
    EXPOSED,
    cors_headers,
    is_allowed,
    is_preflight,
    origin_of,
    preflight,
    unsent_headers,
    with_cors,
)
from streamkit.gateway.open import OpenGateway, open_gateway
from streamkit.http.exchange import Request
from streamkit.http.origin import parse_origin
from tests.gateway.shell import asked as answer_to

UPSTREAM = parse_origin("http://127.0.0.1:1")

PAGE = "https://app.example"


def allowing(*origins: str) -> GatewayConfig:
    return GatewayConfig(UPSTREAM, cors_origins=frozenset(origins))


def request(origin: str | None = PAGE, *headers: tuple[str, str], method: str = "POST") -> Request:
    named = [] if origin is None else [("Origin", origin)]
    return Request(method, "/v1/models", "/v1/models", "", "1.1", [*named, *headers], b"", 1, 1, 0, None)


def asking(origin: str | None = PAGE, method: str = "POST", **more: str) -> Request:
    """A preflight, as a browser sends it."""
    headers = [("Access-Control-Request-Method", method)]
    headers += [(f"Access-Control-Request-{name.replace('_', '-')}", value) for name, value in more.items()]
    return request(origin, *headers, method="OPTIONS")


# ------------------------------------------------------------------------------------------------------------ preflight


def test_a_page_may_send_what_it_asks_to_send() -> None:
    asked = asking(headers="authorization,content-type,x-stainless-os")
    assert preflight(asked, allowing(PAGE)) == [
        ("Access-Control-Allow-Origin", PAGE),
        ("Vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"),
        ("Access-Control-Allow-Methods", "POST"),
        ("Access-Control-Allow-Headers", "authorization, content-type, x-stainless-os"),
        ("Access-Control-Max-Age", "600"),
    ]


def test_a_page_of_any_site_where_any_may() -> None:
    answer = preflight(asking(method="DELETE"), allowing("*"))
    assert answer is not None
    assert answer[0] == ("Access-Control-Allow-Origin", "*")
    assert ("Access-Control-Allow-Methods", "DELETE") in answer
    assert "Access-Control-Allow-Headers" not in dict(answer), "it has asked for none"


def test_a_server_on_loopback_says_that_it_means_to_be_asked() -> None:
    asked = asking(private_network="true")
    assert ("Access-Control-Allow-Private-Network", "true") in (preflight(asked, allowing(PAGE)) or [])
    assert "Private" not in str(preflight(asking(), allowing(PAGE)))


def test_credentials_are_never_allowed() -> None:
    asked = request(PAGE, ("Cookie", "a=b"))
    for config in (allowing(PAGE), allowing("*")):
        said = [*(preflight(asking(), config) or []), *cors_headers(asked, config)]
        assert said
        assert "Access-Control-Allow-Credentials" not in dict(said)


@pytest.mark.parametrize("broken", ["a b", "x\x00", "a:b", "\xe9", "a\r\nSet-Cookie: b", '"a"'])
def test_what_is_no_token_is_not_sent_back(broken: str) -> None:
    answer = preflight(asking(method=broken, headers=f"x-a,{broken}, ,x-b"), allowing(PAGE))
    assert answer is not None
    said = dict(answer)
    assert "Access-Control-Allow-Methods" not in said
    assert said["Access-Control-Allow-Headers"] == "x-a, x-b"


NO_PREFLIGHTS = {
    "another method": request(PAGE, ("Access-Control-Request-Method", "POST"), method="POST"),
    "no page": asking(None),
    "OPTIONS alone": request(PAGE, method="OPTIONS"),
    "nothing": request(None, method="OPTIONS"),
}


@pytest.mark.parametrize("asked", NO_PREFLIGHTS.values(), ids=NO_PREFLIGHTS)
def test_what_no_browser_asks_is_the_upstreams_to_answer(asked: Request) -> None:
    assert not is_preflight(asked)
    assert preflight(asked, allowing(PAGE, "*")) is None


# -------------------------------------------------------------------------------------------------- all other responses


def test_a_page_may_read_the_answer_and_the_headers_that_tell_something() -> None:
    said = cors_headers(request(), allowing(PAGE))
    assert [name for name, _ in said] == [
        "Access-Control-Allow-Origin",
        "Access-Control-Expose-Headers",
        "Vary",
    ]
    assert dict(said)["Access-Control-Allow-Origin"] == PAGE
    assert dict(said)["Vary"] == "Origin"
    exposed = dict(said)["Access-Control-Expose-Headers"].split(", ")
    assert tuple(exposed) == EXPOSED
    assert {"Location", "Retry-After", "X-Streamkit-Dropped", "x-request-id", "request-id"} < set(exposed)
    assert {"x-ratelimit-remaining-tokens", "anthropic-ratelimit-input-tokens-reset"} < set(exposed)
    assert not any("*" in name for name in exposed)


def test_where_any_page_may_the_answer_is_the_same_for_all() -> None:
    said = cors_headers(request(), allowing("*"))
    assert dict(said)["Access-Control-Allow-Origin"] == "*"
    assert "Vary" not in dict(said)
    assert cors_headers(request(None), allowing("*")) == said


def test_where_only_some_may_a_cache_is_told_so_by_every_answer() -> None:
    for origin in (None, "https://evil.example"):
        assert cors_headers(request(origin), allowing(PAGE)) == (("Vary", "Origin"),)


def test_without_the_option_nothing_is_said() -> None:
    nothing = GatewayConfig(UPSTREAM)
    assert cors_headers(request(), nothing) == ()
    assert preflight(asking(), nothing) is None
    assert unsent_headers(request(), nothing) == frozenset()


# ---------------------------------------------------------------------------------------------------------- which pages

SAME = [PAGE, "http://localhost:3000", "http://[::1]:8000", "chrome-extension://abcdef", "null"]

OTHERS = {
    "another scheme": "http://app.example",
    "another port": "https://app.example:8443",
    "its own port, which browsers leave out": "https://app.example:443",
    "a name below it": "https://a.app.example",
    "a name that ends so": "https://evilapp.example",
    "a name that begins so": "https://app.example.evil",
    "another case": "https://APP.example",
    "a path": "https://app.example/",
    "two": "https://app.example, https://app.example",
    "nothing": "",
    "none": "null",
    "any": "*",
}


@pytest.mark.parametrize("origin", SAME)
def test_an_origin_that_is_named(origin: str) -> None:
    config = allowing(*SAME)
    assert is_allowed(request(origin), config)
    assert dict(cors_headers(request(origin), config))["Access-Control-Allow-Origin"] == origin
    assert dict(preflight(asking(origin), config) or [])["Access-Control-Allow-Origin"] == origin


@pytest.mark.parametrize("origin", OTHERS.values(), ids=OTHERS)
def test_any_other_gets_nothing(origin: str) -> None:
    config = allowing(PAGE)
    assert not is_allowed(request(origin), config)
    assert "Access-Control-Allow-Origin" not in dict(cors_headers(request(origin), config))
    assert preflight(asking(origin), config) is None


def test_null_is_no_name_and_has_to_be_named() -> None:
    assert not is_allowed(request("null"), allowing("*"))
    assert cors_headers(request("null"), allowing("*")) == ()
    assert preflight(asking("null"), allowing("*")) is None
    assert dict(cors_headers(request("null"), allowing("*", "null")))["Access-Control-Allow-Origin"] == "*"


# ------------------------------------------------------------------------------------------------ beside the upstream's


def test_the_upstreams_word_about_origins_gives_way_to_ours() -> None:
    theirs = [
        ("content-type", "text/plain"),
        ("access-control-allow-origin", "*"),
        ("Access-Control-Allow-Credentials", "true"),
        ("Access-Control-Expose-Headers", "X-Theirs"),
        ("Vary", "Accept-Encoding"),
    ]
    ours = cors_headers(request(), allowing(PAGE))
    assert with_cors(theirs, ours) == [theirs[0], theirs[4], *ours]
    assert with_cors(theirs, ()) == theirs


def test_a_page_that_may_not_is_not_let_in_by_the_upstream() -> None:
    theirs = [("Access-Control-Allow-Origin", "*")]
    assert with_cors(theirs, cors_headers(request("https://evil.example"), allowing(PAGE))) == [("Vary", "Origin")]


def test_an_upstream_does_not_hear_of_a_page_that_may() -> None:
    assert unsent_headers(request(), allowing(PAGE)) == {"origin"}
    assert unsent_headers(request("http://localhost:1"), allowing(PAGE)) == frozenset()
    assert unsent_headers(request(None), allowing(PAGE)) == frozenset()


# ------------------------------------------------------------------------------------------------- as somebody wrote it

WRITTEN = {
    PAGE: PAGE,
    "HTTPS://App.Example": PAGE,
    "https://app.example:443": PAGE,
    "http://localhost:80": "http://localhost",
    "http://localhost:3000": "http://localhost:3000",
    "https://localhost:80": "https://localhost:80",
    "http://127.0.0.1:8080": "http://127.0.0.1:8080",
    "http://[::1]:8080": "http://[::1]:8080",
    "chrome-extension://abcdef": "chrome-extension://abcdef",
    "tauri://localhost": "tauri://localhost",
    "*": "*",
    "null": "null",
}


@pytest.mark.parametrize(("text", "origin"), WRITTEN.items())
def test_an_origin_is_kept_as_browsers_write_it(text: str, origin: str) -> None:
    assert origin_of(text) == origin


WRONG = {
    "": "scheme and a host",
    "app.example": "scheme and a host",
    "localhost:3000": "scheme and a host",
    "//app.example": "scheme and a host",
    "https://": "scheme and a host",
    "https://a b": "scheme and a host",
    "https://*.app.example": "scheme and a host",
    "https://user:secret@app.example": "scheme and a host",
    "https://app.example:x": "scheme and a host",
    "https://app.example:99999": "scheme and a host",
    "https://[::1": "scheme and a host",
    "https://app.example/": "has a path, and an origin has none; write https://app.example",
    "https://app.example/a?b": "has a path",
    "https://app.example?b": "has a path",
    "https://app.example#": "has a path",
    "https://app.example\n": "scheme and a host",
}


@pytest.mark.parametrize(("text", "words"), WRONG.items())
def test_what_is_no_origin_is_refused(text: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        origin_of(text)
    message = str(caught.value)
    assert message.startswith("--cors ")
    assert words in message
    assert "\n" not in message
    assert "secret@" not in message


# -------------------------------------------------------------------------------------------------- a gateway that runs


def headers_in(answer: bytes) -> list[tuple[str, str]]:
    lines = answer.partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
    return [(name.lower(), value) for name, _, value in (line.partition(": ") for line in lines)]


def allowed_in(answer: bytes) -> list[str]:
    return [value for name, value in headers_in(answer) if name == "access-control-allow-origin"]


FROM_PAGE = f"Origin: {PAGE}"

ASKED = b'{"model":"m","messages":[{"role":"user","content":"Hi"}]}'


@asynccontextmanager
async def running(speaks: str) -> AsyncIterator[tuple[MockServer, OpenGateway]]:
    with trio.fail_after(10):
        async with (
            open_mockserver(say="Hi there.") as mock,
            open_gateway(mock.url, cors_origins=frozenset({PAGE}), speaks=speaks, api_key="our-key") as gateway,
        ):
            yield mock, gateway


@pytest.mark.parametrize("speaks", ["", "ollama-chat"])
async def test_a_preflight_never_reaches_the_upstream(speaks: str) -> None:
    async with running(speaks) as (mock, gateway):
        line = "OPTIONS /v1/chat/completions"
        answer = await answer_to(gateway.port, line, FROM_PAGE, "Access-Control-Request-Method: POST")
        assert answer.startswith(b"HTTP/1.1 204 ")
        assert answer.endswith(b"\r\n\r\n")
        assert "content-length" not in dict(headers_in(answer)), "RFC 9110 section 8.6"
        assert allowed_in(answer) == [PAGE]
        foreign = await answer_to(
            gateway.port, line, "Origin: http://evil.example", "Access-Control-Request-Method: POST"
        )
        assert foreign.startswith(b"HTTP/1.1 403 ")
        assert allowed_in(foreign) == []
        assert len(mock.journal) == 0


@pytest.mark.parametrize("speaks", ["", "ollama-chat"])
async def test_every_answer_says_whose_page_may_read_it(speaks: str) -> None:
    async with running(speaks) as (mock, gateway):
        line, key = "POST /v1/chat/completions", "Authorization: Bearer our-key"
        good = await answer_to(gateway.port, line, FROM_PAGE, key, body=ASKED)
        assert good.startswith(b"HTTP/1.1 200 ")
        no_key = await answer_to(gateway.port, line, FROM_PAGE, body=ASKED)
        assert no_key.startswith(b"HTTP/1.1 401 ")
        refused = await answer_to(gateway.port, line, FROM_PAGE, key, body=b"{}")
        assert refused.startswith(b"HTTP/1.1 400 ")
        for answer in (good, no_key, refused):
            assert allowed_in(answer) == [PAGE]
            assert ("vary", "Origin") in headers_in(answer)
        assert allowed_in(await answer_to(gateway.port, line, key, body=ASKED)) == []
        entries = list(mock.journal)
        assert entries
        assert not any(name.lower() == "origin" for entry in entries for name, _ in entry.headers)


@pytest.mark.parametrize("speaks", ["", "ollama-chat"])
async def test_so_does_one_about_an_upstream_that_is_not_there(speaks: str) -> None:
    with trio.fail_after(10):
        async with open_gateway("http://127.0.0.1:1", speaks=speaks, cors_origins=frozenset({PAGE})) as gateway:
            answer = await answer_to(gateway.port, "POST /v1/chat/completions", FROM_PAGE, body=ASKED)
    assert answer.startswith(b"HTTP/1.1 502 ")
    assert allowed_in(answer) == [PAGE]
