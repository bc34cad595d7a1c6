"""Who is let in: with the key, in whatever header it comes; without one, by which name, and from which page."""

from __future__ import annotations

import json

import pytest

from streamkit.gateway.config import GatewayConfig
from streamkit.gateway.guard import Refusal, key_headers, refusal_of
from streamkit.http.exchange import Request
from streamkit.http.origin import parse_origin

KEY = "correct-horse-battery"

ORIGIN = parse_origin("http://127.0.0.1:1")


def request(*headers: tuple[str, str], path: str = "/v1/chat/completions") -> Request:
    return Request("POST", path, path, "", "1.1", list(headers), b"", 1, 1, 0, None)


def locked(key: str = KEY) -> GatewayConfig:
    return GatewayConfig(ORIGIN, api_key=key)


def named(*names: str) -> GatewayConfig:
    return GatewayConfig(ORIGIN, allowed_hosts=frozenset(names))


# ------------------------------------------------------------------------------------------------------------- the key

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


@pytest.mark.parametrize("asked", [request(("Host", "a" * 60_000)), stats("localhost", "http://" + "a" * 60_000)])
def test_what_a_client_sent_does_not_fill_the_log(asked: Request) -> None:
    refusal = refusal_of(asked, named())
    assert isinstance(refusal, Refusal)
    assert len(refusal.reason) < 400


def test_no_key_is_in_the_configurations_repr() -> None:
    assert KEY not in repr(GatewayConfig(ORIGIN, api_key=KEY, upstream_key=KEY))
