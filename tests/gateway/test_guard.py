"""Who is let in: with the key, in whatever header it comes; without one, by which name, and from which page.

And what the pages are told that may ask, which is `test_cors.py`'s, they are let in for here.
"""

from __future__ import annotations

import json

import pytest
import trio

from mockserver.open import open_mockserver
from streamkit.gateway.config import GatewayConfig
from streamkit.gateway.guard import Refusal, is_websocket, key_headers, refusal_of
from streamkit.gateway.open import OpenGateway, open_gateway
from streamkit.http.exchange import Request
from streamkit.http.origin import parse_origin
from tests.gateway.shell import asked as answer_to
from tests.gateway.shell import connected, wire

KEY = "correct-horse-battery"

ORIGIN = parse_origin("http://127.0.0.1:1")


def request(*headers: tuple[str, str], path: str = "/v1/chat/completions") -> Request:
    return Request("POST", path, path, "", "1.1", list(headers), b"", 1, 1, 0, None)


def locked(key: str = KEY) -> GatewayConfig:
    return GatewayConfig(ORIGIN, api_key=key)


def named(*names: str) -> GatewayConfig:
    return GatewayConfig(ORIGIN, allowed_hosts=frozenset(names))


def status_of(asked: Request, config: GatewayConfig) -> int | None:
    refusal = refusal_of(asked, config)
    return None if refusal is None else refusal.status


# -------------------------------------------------------------------------------------------------------------- the key

RIGHT = {
    "bearer": ("Authorization", f"Bearer {KEY}"),
    "bearer, small": ("authorization", f"bearer {KEY}"),
    "bearer, spaces": ("AUTHORIZATION", f"BEARER   {KEY}"),
    "Anthropic": ("x-api-key", KEY),
    "Google": ("X-Goog-Api-Key", KEY),
    "Azure": ("api-key", KEY),
}


@pytest.mark.parametrize("header", RIGHT.values(), ids=RIGHT)
def test_the_key_opens_and_its_header_goes_no_further(header: tuple[str, str]) -> None:
    asked = request(("Host", "evil.example"), ("X-Other", KEY), header)
    assert refusal_of(asked, locked()) is None
    assert key_headers(asked, locked()) == {header[0].lower()}


WRONG = {
    "nothing": [],
    "another": [("Authorization", "Bearer another")],
    "no scheme": [("Authorization", KEY)],
    "another scheme": [("Authorization", f"Basic {KEY}")],
    "half of it": [("x-api-key", KEY[:-1])],
    "more than it": [("x-api-key", f"{KEY}x")],
    "nothing behind the scheme": [("Authorization", "Bearer")],
    "empty": [("api-key", "")],
    "another case": [("api-key", KEY.upper())],
    "another header": [("X-Key", KEY), ("Cookie", f"key={KEY}")],
    "not ASCII": [("x-api-key", "k\xe9y")],
}


@pytest.mark.parametrize("headers", WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("path", ["/", "/_gateway/stats"])
def test_without_the_key_nothing_is_served(headers: list[tuple[str, str]], path: str) -> None:
    asked = request(("Host", "localhost"), *headers, path=path)
    refusal = refusal_of(asked, locked())
    assert refusal is not None
    assert refusal.status == 401
    assert ("WWW-Authenticate", "Bearer") in refusal.headers
    assert KEY not in refusal.reason + repr(refusal)
    assert key_headers(asked, locked()) == frozenset()


def test_a_client_may_send_two_keys_and_the_upstreams_goes_on() -> None:
    asked = request(("Authorization", "Bearer theirs"), ("X-Api-Key", KEY))
    assert refusal_of(asked, locked()) is None
    assert key_headers(asked, locked()) == {"x-api-key"}


def test_one_header_twice_counts_once_for_each_value() -> None:
    asked = request(("x-api-key", "theirs"), ("x-api-key", KEY), ("api-key", KEY))
    assert refusal_of(asked, locked()) is None
    assert key_headers(asked, locked()) == {"x-api-key", "api-key"}


def test_without_a_key_of_our_own_all_keys_go_on() -> None:
    asked = request(("Host", "localhost"), ("Authorization", "Bearer "), ("x-api-key", ""))
    assert refusal_of(asked, named()) is None
    assert key_headers(asked, named()) == frozenset()


def test_a_key_that_is_not_ascii_is_compared_and_never_fails() -> None:
    assert (
        refusal_of(request(("x-api-key", "schl\xfcssel")), locked("schl\N{GREEK SMALL LETTER ALPHA}ssel")) is not None
    )


def test_sdks_find_the_message() -> None:
    refusal = refusal_of(request(), locked())
    assert refusal is not None
    body = json.loads(refusal.body)
    assert body == {"type": "error", "error": {"type": "authentication_error", "message": refusal.reason}}
    assert ("Content-Type", "application/json") in refusal.headers


# ------------------------------------------------------------------------------------------------------------- the name

OURS = [
    *("localhost", "localhost:8080", "LOCALHOST", "localhost.", "a.localhost", "127.0.0.1", "127.0.0.1:8080"),
    *("[::1]", "[::1]:8080", "192.0.2.7:80", "gateway.example", "Gateway.Example:8080", "gateway.example."),
]


@pytest.mark.parametrize("host", OURS)
def test_names_of_this_gateway(host: str) -> None:
    assert refusal_of(request(("Host", host)), named("gateway.example", "other")) is None


FOREIGN = [
    *("evil.example", "localhost.evil.example", "notlocalhost", "127.0.0.1.evil.example", "evil.example:8080", ""),
    *("gateway.example.evil", "agateway.example", "[::1", "127.1", "0x7f000001", "2130706433", "localhost..", ":80"),
]


@pytest.mark.parametrize("host", FOREIGN)
def test_a_name_that_anybody_could_point_here_is_refused(host: str) -> None:
    refusal = refusal_of(request(("Host", host)), named("gateway.example"))
    assert refusal is not None
    assert refusal.status == 421
    assert "--allow-host" in refusal.reason
    assert json.loads(refusal.body)["error"]["message"] == refusal.reason


def test_an_allowed_name_may_be_written_in_any_case() -> None:
    assert refusal_of(request(("Host", "gateway.example")), named("Gateway.EXAMPLE")) is None


def test_any_name_where_all_are_allowed_and_where_there_is_a_key() -> None:
    anything = GatewayConfig(ORIGIN, allowed_hosts=None)
    assert refusal_of(request(("Host", "evil.example")), anything) is None
    assert refusal_of(request(("Host", "evil.example"), ("api-key", KEY)), locked()) is None


def test_a_request_without_host_is_no_browsers() -> None:
    assert refusal_of(request(), named()) is None


# ------------------------------------------------------------------------------------------------------------- the page


def stats(host: str, origin: str) -> Request:
    return request(("Host", host), ("Origin", origin), path="/_gateway/stats")


def test_a_page_of_ours_may_ask_for_our_own() -> None:
    assert refusal_of(stats("localhost:8080", "http://localhost:8080"), named()) is None
    assert refusal_of(stats("127.0.0.1:8080", "https://127.0.0.1:8080"), named()) is None


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://localhost:9090", "http://localhost", "http://[", "", "file://"]
)
@pytest.mark.parametrize("config", [named(), locked(), GatewayConfig(ORIGIN, allowed_hosts=None)], ids=str)
def test_no_other_page_may(origin: str, config: GatewayConfig) -> None:
    asked = stats("localhost:8080", origin)
    asked.headers.append(("api-key", KEY))
    refusal = refusal_of(asked, config)
    assert refusal is not None
    assert refusal.status == 403


def test_no_name_and_no_origin_are_not_the_same() -> None:
    refusal = refusal_of(stats("", "null"), GatewayConfig(ORIGIN, allowed_hosts=None))
    assert refusal is not None


PAGES = {
    "of this machine": ("http://localhost:3000", None),
    "of this address": ("http://127.0.0.1:3000", None),
    "of the same name": ("http://192.0.2.7:8080", None),
    "of an allowed name": ("https://app.example", None),
    "of another": ("https://evil.example", 403),
    "of an address elsewhere": ("http://192.0.2.8", 403),
    "of none": ("null", 403),
    "of a file": ("file://", 403),
    "broken": ("http://[", 403),
}


@pytest.mark.parametrize(("origin", "status"), PAGES.values(), ids=PAGES)
def test_pages_of_other_sites_may_not_spend_what_the_upstream_costs(origin: str, status: int | None) -> None:
    asked = request(("Host", "192.0.2.7:8080"), ("Origin", origin))
    refusal = refusal_of(asked, named("app.example"))
    assert (refusal and refusal.status) == status
    assert refusal_of(asked, GatewayConfig(ORIGIN, allowed_hosts=None)) is None


def test_a_browser_that_names_no_page_still_says_whether_it_is_of_another_site() -> None:
    for site, status in (("cross-site", 403), ("same-origin", None), ("none", None)):
        refusal = refusal_of(request(("Host", "localhost"), ("Sec-Fetch-Site", site)), named())
        assert (refusal and refusal.status) == status


def test_who_has_the_key_may_come_from_anywhere() -> None:
    asked = request(("Host", "localhost"), ("Origin", "https://app.example"), ("x-api-key", KEY))
    assert refusal_of(asked, locked()) is None


def test_a_page_that_is_refused_is_told_how_it_would_not_be() -> None:
    refusal = refusal_of(request(("Host", "localhost"), ("Origin", "https://app.example:8443")), named())
    assert refusal is not None
    assert refusal.reason.endswith(" --cors https://app.example:8443")


# ----------------------------------------------------------------------------------------------- pages that are allowed

PAGE = "https://app.example"


def allowing(*origins: str, key: str = "", speaks: str = "", hosts: frozenset[str] | None = None) -> GatewayConfig:
    return GatewayConfig(
        ORIGIN,
        api_key=key,
        speaks=speaks,
        allowed_hosts=hosts or frozenset(),
        cors_origins=frozenset(origins),
    )


def sent(method: str, path: str, *headers: tuple[str, str], origin: str = PAGE, host: str = "localhost") -> Request:
    return Request(method, path, path, "", "1.1", [("Host", host), ("Origin", origin), *headers], b"", 1, 1, 0, None)


@pytest.mark.parametrize("path", ["/v1/messages", "/", "/streams", "/streams/abc/events", "/ws"])
def test_a_page_that_is_named_may_ask(path: str) -> None:
    for method in ("POST", "GET", "DELETE", "OPTIONS"):
        asked = sent(method, path)
        assert status_of(asked, allowing(PAGE, speaks="anthropic")) is None
        assert status_of(asked, allowing("*")) is None
        assert status_of(asked, allowing("https://other.example", speaks="anthropic")) == 403


def test_but_not_by_a_name_that_anybody_could_point_here() -> None:
    assert status_of(sent("POST", "/v1/messages", host="evil.example"), allowing(PAGE)) == 421
    assert status_of(sent("POST", "/v1/messages", host="evil.example"), allowing("*")) == 421


def test_and_not_for_our_own() -> None:
    assert status_of(sent("GET", "/_gateway/stats"), allowing(PAGE, "*")) == 403
    assert status_of(sent("GET", "/_gateway/stats", ("api-key", KEY)), allowing(PAGE, key=KEY)) == 403


def test_a_page_without_a_name_has_to_be_named() -> None:
    assert status_of(sent("POST", "/", origin="null"), allowing("*")) == 403
    assert status_of(sent("POST", "/", origin="null"), allowing("null")) is None


def test_who_is_of_another_site_and_says_not_which_is_refused_in_any_case() -> None:
    asked = request(("Host", "localhost"), ("Sec-Fetch-Site", "cross-site"))
    assert status_of(asked, allowing(PAGE, "*")) == 403


def test_a_page_that_is_named_needs_the_key_all_the_same() -> None:
    config = allowing(PAGE, "*", key=KEY)
    assert status_of(sent("POST", "/v1/messages"), config) == 401
    assert status_of(sent("POST", "/v1/messages", ("x-api-key", KEY)), config) is None


def preflight(origin: str = PAGE, path: str = "/v1/messages", *headers: tuple[str, str]) -> Request:
    return sent("OPTIONS", path, ("Access-Control-Request-Method", "POST"), *headers, origin=origin)


def test_only_the_question_of_a_browser_has_no_key_with_it() -> None:
    config = allowing(PAGE, key=KEY)
    assert status_of(preflight(), config) is None
    assert status_of(preflight("https://evil.example"), config) == 403
    assert status_of(preflight("http://localhost:3000"), config) == 403, "of this machine is not enough where a key is"
    assert status_of(preflight(PAGE, "/_gateway/stats"), config) == 403
    assert status_of(sent("OPTIONS", "/v1/messages"), config) == 401, "no browser asks like this"
    assert status_of(preflight("https://evil.example", "/", ("api-key", KEY)), config) is None, "nor like this"


# ----------------------------------------------------------------------------------------------------- resumable events

EVENTS = "/streams/0123456789abcdef/events"


def test_the_id_of_a_stream_is_its_key() -> None:
    config = allowing(key=KEY, speaks="ollama-chat")
    assert status_of(sent("GET", EVENTS, origin="http://localhost:3000"), config) is None
    assert status_of(request(("Host", "localhost"), path=EVENTS), config) == 401, "only to read it"


NO_EVENTS = ["/streams", "/streams/", "/streams//events", "/streams/a", "/streams/a/b/events", "/streams/a/events/"]


@pytest.mark.parametrize("path", [*NO_EVENTS, "/x/streams/a/events", "/streams/a/eventsx", "/streams/a/events\n"])
def test_nothing_else_there_is_without_the_key(path: str) -> None:
    config = allowing(PAGE, key=KEY, speaks="ollama-chat")
    for method in ("GET", "POST", "DELETE", "HEAD"):
        assert status_of(sent(method, path), config) == 401, method


@pytest.mark.parametrize("method", ["POST", "DELETE", "PUT"])
def test_the_id_is_a_key_for_reading_alone(method: str) -> None:
    assert status_of(sent(method, EVENTS), allowing(PAGE, key=KEY, speaks="ollama-chat")) == 401


def test_where_there_are_no_streams_the_path_is_like_any_other() -> None:
    assert status_of(sent("GET", EVENTS), allowing(PAGE, key=KEY)) == 401


def test_without_the_key_name_and_page_of_a_stream_count() -> None:
    config = allowing(PAGE, key=KEY, speaks="ollama-chat", hosts=frozenset({"gateway.example"}))
    assert status_of(sent("GET", EVENTS), config) is None
    assert status_of(sent("GET", EVENTS, host="gateway.example"), config) is None
    assert status_of(sent("GET", EVENTS, host="evil.example"), config) == 421
    assert status_of(sent("GET", EVENTS, origin="https://evil.example"), config) == 403
    assert status_of(sent("GET", EVENTS, ("api-key", KEY), origin="https://evil.example"), config) is None


# ----------------------------------------------------------------------------------------------------------- WebSockets

HIDDEN = "streamkit.key.Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5"
"""The key in base64url, among the subprotocols of a WebSocket."""


def websocket(origin: str | None, *headers: tuple[str, str], method: str = "GET") -> Request:
    named = [] if origin is None else [("Origin", origin)]
    upgrade = [("Host", "localhost:8080"), ("Connection", "Upgrade"), ("Upgrade", "WebSocket")]
    return Request(method, "/ws", "/ws", "", "1.1", [*upgrade, *named, *headers], b"", 1, 1, 0, None)


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (None, None),
        ("http://localhost:8080", None),
        ("http://127.0.0.1:3000", None),
        (PAGE, None),
        ("https://evil.example", 403),
        ("null", 403),
        ("", 403),
    ],
)
def test_the_page_of_a_websocket_counts_also_where_any_name_will_do(origin: str | None, status: int | None) -> None:
    any_name = GatewayConfig(ORIGIN, allowed_hosts=None, cors_origins=frozenset({PAGE}))
    for config in (allowing(PAGE), allowing(PAGE, speaks="gemini"), any_name):
        assert status_of(websocket(origin), config) == status
    assert status_of(websocket("https://evil.example"), allowing("*")) is None


def test_who_has_the_key_may_open_one_from_anywhere() -> None:
    config = allowing(key=KEY)
    assert status_of(websocket("https://evil.example"), config) == 401
    assert status_of(websocket(PAGE), allowing(PAGE, key=KEY)) == 401
    assert status_of(websocket("https://evil.example", ("Authorization", f"Bearer {KEY}")), config) is None
    hidden = websocket("https://evil.example", ("Sec-WebSocket-Protocol", f"streamkit, {HIDDEN}"))
    assert status_of(hidden, config) is None
    assert key_headers(hidden, config) == {"sec-websocket-protocol"}
    wrong = websocket("https://evil.example", ("Sec-WebSocket-Protocol", "streamkit, streamkit.key.bm90LWl0"))
    assert status_of(wrong, config) == 401


def test_a_key_among_subprotocols_is_one_only_for_a_websocket() -> None:
    asked = request(("Host", "localhost"), ("Sec-WebSocket-Protocol", HIDDEN))
    assert status_of(asked, locked()) == 401
    assert status_of(websocket(None, ("Sec-WebSocket-Protocol", HIDDEN), method="POST"), locked()) == 401


UPGRADES = {
    "websocket": True,
    "WebSocket": True,
    "h2c, websocket": True,
    "h2c": False,
    "websocketx": False,
    "": False,
}


@pytest.mark.parametrize(("upgrade", "is_one"), UPGRADES.items())
def test_a_websocket_is_told_by_its_upgrade(upgrade: str, is_one: bool) -> None:
    asked = Request("GET", "/", "/", "", "1.1", [("Upgrade", upgrade)], b"", 1, 1, 0, None)
    assert is_websocket(asked) is is_one
    asked.method = "POST"
    assert not is_websocket(asked)


# -------------------------------------------------------------------------------------------------- a gateway that runs


ENVELOPE = b'{"dialect":"openai-chat","request":{"model":"m","messages":[{"role":"user","content":"Hi"}]}}'

OPENING = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13")
NONCE = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="


async def status_line(gateway: OpenGateway, line: str, *headers: str) -> bytes:
    """What comes first, of an answer that may have no end."""
    async with await connected(gateway.port) as stream:
        await stream.send_all(wire(line, *headers))
        return (await stream.receive_some(65536)).partition(b"\r\n")[0]


async def test_a_stream_is_begun_with_the_key_and_read_by_its_id() -> None:
    with trio.fail_after(10):
        async with (
            open_mockserver(say="Hi there.") as mock,
            open_gateway(mock.url, api_key=KEY, speaks="ollama-chat") as gateway,
        ):
            line = "POST /streams"
            assert (await answer_to(gateway.port, line, body=ENVELOPE)).startswith(b"HTTP/1.1 401 ")
            begun = await answer_to(gateway.port, line, f"x-api-key: {KEY}", body=ENVELOPE)
            assert begun.startswith(b"HTTP/1.1 201 ")
            events = json.loads(begun.partition(b"\r\n\r\n")[2])["events"]
            read = await answer_to(gateway.port, f"GET {events}")
            assert read.startswith(b"HTTP/1.1 200 ")
            assert b'"text":"Hi"' in read
            assert (
                await status_line(gateway, f"GET {events}", "Origin: http://evil.example") == b"HTTP/1.1 403 Forbidden"
            )
            assert await status_line(gateway, f"DELETE {events}") == b"HTTP/1.1 401 Unauthorized"
            stream_id = events.split("/")[2]
            assert not any(stream_id in record.target + record.detail for record in gateway.records)
            assert any(events.startswith(record.target[:10]) for record in gateway.records)
            assert len(mock.journal) == 1


async def test_a_page_opens_a_websocket_with_the_key_among_its_subprotocols() -> None:
    with trio.fail_after(10):
        async with open_gateway("http://127.0.0.1:1", api_key=KEY, speaks="ollama-chat") as gateway:
            opening = (*OPENING, NONCE, "Origin: https://app.example")
            assert (await status_line(gateway, "GET /ws", *opening)).startswith(b"HTTP/1.1 401 ")
            hidden = f"Sec-WebSocket-Protocol: streamkit, {HIDDEN}"
            assert (await status_line(gateway, "GET /ws", *opening, hidden)).startswith(b"HTTP/1.1 101 ")


async def test_and_without_a_key_only_a_page_of_ours() -> None:
    with trio.fail_after(10):
        origins = frozenset({PAGE})
        async with open_gateway("http://127.0.0.1:1", speaks="gemini", cors_origins=origins) as gateway:
            statuses = {
                origin: (await status_line(gateway, "GET /ws", *OPENING, NONCE, f"Origin: {origin}"))[9:12]
                for origin in (PAGE, "http://localhost:3000", "https://evil.example")
            }
    assert statuses == {PAGE: b"101", "http://localhost:3000": b"101", "https://evil.example": b"403"}


@pytest.mark.parametrize("asked", [request(("Host", "a" * 60_000)), stats("localhost", "http://" + "a" * 60_000)])
def test_what_a_client_sent_does_not_fill_the_log(asked: Request) -> None:
    refusal = refusal_of(asked, named())
    assert isinstance(refusal, Refusal)
    assert len(refusal.reason) < 400


def test_no_key_is_in_the_configurations_repr() -> None:
    assert KEY not in repr(GatewayConfig(ORIGIN, api_key=KEY, upstream_key=KEY))
