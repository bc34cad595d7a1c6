"""Before any case: who has a target that cannot be tested is told what to do, soon; it is never called wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import pytest
import trio

from mockserver.open import open_mockserver
from streamkit.contract.case import Case
from streamkit.contract.certificate import upstream_certificate
from streamkit.contract.open import open_runner, open_upstream, parse_place, target_trust
from streamkit.contract.results import Result
from streamkit.contract.stand import Stand
from streamkit.contract.verdicts import Verdict
from streamkit.errors import ConfigError
from streamkit.gateway.open import open_gateway
from streamkit.http.exchange import Exchange
from streamkit.http.listener import open_listeners
from streamkit.http.tls import throwaway_certificate
from tests.contract.targets import (
    ORDINARY,
    PATIENCE_S,
    Answer,
    Target,
    always,
    be_silent,
    close,
    facing,
    relay,
    reply,
    row,
    running,
    setting_of,
)

SHORT_S = 0.4


async def outcome(url: str, limit_s: float = SHORT_S, cases: Sequence[Case] = ORDINARY, **options: object) -> Result:
    """Run against this URL; return the row that says why nothing was tested, after checking that all others agree."""
    with trio.fail_after(PATIENCE_S):
        async with (
            open_upstream() as (hub, place),
            open_runner(setting_of(url, limit_s, **options), hub=hub, upstream=place) as runner,
        ):
            results = await runner.run(cases)
    return blamed(results)


def blamed(results: Sequence[Result]) -> Result:
    at = next(at for at, each in enumerate(results) if each.verdict is not Verdict.OK)
    assert {each.verdict for each in results[at + 1 :]} == {Verdict.DEPENDENCY_FAILED}
    assert all(f"while {results[at].id} is HARNESS-ERROR; see there" in each.detail for each in results[at + 1 :])
    assert results[at].verdict is Verdict.HARNESS_ERROR
    return results[at]


async def facing_outcome(answer: Answer, limit_s: float = SHORT_S) -> Result:
    async with facing(answer, limit_s) as (runner, _):
        return blamed(await runner.run(ORDINARY))


# --------------------------------------------------------------------------------------------------- nobody, or no HTTP


async def test_nobody_listens() -> None:
    (listener,) = await open_listeners(0)
    async with listener:
        port = listener.port
    found = await outcome(f"http://127.0.0.1:{port}")
    assert found.id == "setup.reach"
    assert found.detail.endswith("connection refused; start the proxy, or correct --target")


async def test_a_listener_that_is_silent_for_ever() -> None:
    async with running(be_silent) as (_, url):
        found = await outcome(url)
    assert found.id == "setup.reach"
    assert "the target said nothing for 0.4 s" in found.detail
    assert "is it slower than --limit?" in found.detail


async def test_a_listener_that_does_not_even_accept() -> None:
    (listener,) = await open_listeners(0)
    async with listener:
        assert "said nothing for 0.4 s" in (await outcome(f"http://127.0.0.1:{listener.port}")).detail
        found = await outcome(f"https://127.0.0.1:{listener.port}")
    assert "no connection, or no TLS handshake, to https://127.0.0.1:" in found.detail
    assert "within 0.4 s" in found.detail


async def test_plain_http_to_a_port_with_tls_that_resets() -> None:
    async with running(relay, tls=throwaway_certificate().context) as (_, url):
        found = await outcome(url.replace("https:", "http:"), 1.0)
    assert found.id == "setup.reach"
    assert "does it speak TLS on this port (then its URL is https://)" in found.detail


async def test_plain_http_to_a_port_with_tls_that_says_so() -> None:
    async def alert(_: Target, exchange: Exchange) -> None:
        await exchange.read_body()
        await exchange.stream.send_all(b"\x15\x03\x01\x00\x02\x02\x16")
        exchange.keep_alive = False

    async with running(alert) as (_, url):
        found = await outcome(url, 1.0)
    assert found.id == "setup.reach"
    assert "speaks TLS there, not plain HTTP: give its URL with https://" in found.detail


async def test_plain_http_to_a_server_that_says_it_has_tls() -> None:
    said = b"<html>400 The plain HTTP request was sent to HTTPS port</html>"
    async with running(always(400, said)) as (_, url):
        found = await outcome(url, 1.0)
    assert "the target speaks TLS there" in found.detail


async def test_tls_to_a_plain_port() -> None:
    async with running(relay) as (_, url):
        found = await outcome(url.replace("http:", "https:"), 1.0)
    assert found.id == "setup.reach"
    assert "is the target's URL http:// rather than https://?" in found.detail


async def test_what_speaks_something_else() -> None:
    async def greet(_: Target, exchange: Exchange) -> None:
        await exchange.stream.send_all(b"220 mail.example ESMTP\r\n")
        exchange.keep_alive = False

    async with running(greet) as (_, url):
        found = await outcome(url, 1.0)
    assert "does not speak HTTP/1.1 (it said 220 mail.example ESMTP" in found.detail


async def test_every_connection_is_closed() -> None:
    async with running(close) as (_, url):
        found = await outcome(url, 1.0)
    assert found.id == "setup.reach"
    assert "the target closed the connection without an answer" in found.detail


# ----------------------------------------------------------------------------------------------------- not forwarded


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (502, "is it configured to forward there"),
        (503, "a circuit breaker is open"),
        (504, "and did not ask http://127.0.0.1:"),
        (500, "and did not ask"),
        (429, "lift its limit for the test"),
        (404, "does it not know the path (--target, --path)"),
        (401, "--header 'Authorization=Bearer KEY'"),
        (403, "--header 'Authorization=Bearer KEY'"),
        (407, "configure it as a reverse proxy"),
        (302, "give that URL as --target"),
        (200, "it forwards somewhere else, answers by itself, or from a cache"),
    ],
)
async def test_a_target_that_never_asks_us(status: int, words: str) -> None:
    found = await facing_outcome(always(status, b"nothing", [("Location", "/elsewhere")]))
    assert found.id == "setup.forward"
    assert words in found.detail


async def test_a_target_that_forwards_to_another_mock_of_ours() -> None:
    async with open_mockserver() as mock:
        elsewhere = await outcome(mock.url, 2.0)
        answered = await outcome(mock.url, 2.0, path="/v1/chat/completions")
    assert elsewhere.id == answered.id == "setup.forward"
    assert "or does it forward somewhere else?" in elsewhere.detail
    assert "answered 200 without asking http://127.0.0.1:" in answered.detail
    assert "it forwards somewhere else, answers by itself, or from a cache" in answered.detail


async def test_a_target_that_had_given_us_up_before_we_listened() -> None:
    async def waking(target: Target, exchange: Exchange) -> None:
        if target.asked <= 4:
            await reply(exchange, 503)
        else:
            await relay(target, exchange)

    async with facing(waking) as (runner, _):
        results = await runner.run(ORDINARY)
    assert {each.verdict for each in results} == {Verdict.OK}


async def test_a_target_that_asks_us_and_answers_from_elsewhere() -> None:
    async def mirror(target: Target, exchange: Exchange) -> None:
        stream = exchange.stream
        exchange.stream = Nowhere(stream)  # type: ignore[assignment]  # what is asked of it, it has
        await relay(target, exchange)
        exchange.stream = stream
        await reply(exchange, 200, b"hello")

    found = await facing_outcome(mirror, 1.0)
    assert found.id == "setup.forward"
    assert "the client got something else (hello)" in found.detail


class Nowhere:
    """Takes everything, and lets nobody have it."""

    def __init__(self, stream: object) -> None:
        self.stream = stream

    async def send_all(self, _: bytes) -> None:
        await trio.lowlevel.checkpoint()


async def test_a_target_that_answers_very_slowly() -> None:
    async def slow(target: Target, exchange: Exchange) -> None:
        stream, kept = exchange.stream, Nowhere(exchange.stream)
        exchange.stream = kept  # type: ignore[assignment]
        await relay(target, exchange)
        exchange.stream = stream
        await trio.sleep(3)

    found = await facing_outcome(slow)
    assert found.id == "setup.forward"
    assert "is the target slower than --limit?" in found.detail


# ------------------------------------------------------------------------------------------------------------- a cache


class Keeping:
    """Keeps what was written."""

    def __init__(self, stream: object) -> None:
        self.stream = stream
        self.data = b""

    async def send_all(self, data: bytes) -> None:
        await trio.lowlevel.checkpoint()
        self.data += data


@pytest.mark.parametrize("key", ["whole", "method"])
async def test_a_cache_is_told_from_a_proxy(key: str) -> None:
    async def caching(target: Target, exchange: Exchange) -> None:
        request = exchange.request
        name = request.method if key == "method" else request.target
        if name not in target.notes:
            keeping = Keeping(exchange.stream)
            stream, exchange.stream = exchange.stream, keeping  # type: ignore[assignment]
            await relay(target, exchange)
            exchange.stream, target.notes[name] = stream, keeping.data
        data = target.notes[name]
        assert isinstance(data, bytes)
        await exchange.stream.send_all(data)
        exchange.keep_alive = False

    found = await facing_outcome(caching, 1.0)
    if key == "whole":
        assert found.id == "setup.fresh"
        assert "of two equal requests the second got the answer to the first one; turn its cache off" in found.detail
    else:
        assert found.id == "setup.forward"
        assert "with the answer to another request" in found.detail


# ------------------------------------------------------------------------------------------------------------- tokens


@pytest.mark.parametrize(
    ("stripped", "carriers"),
    [
        (partial(relay), ["body", "header", "path"]),
        (partial(relay, path="/v1/chat/completions"), ["body", "header"]),
        (partial(relay, drops=["x-streamkit-case"]), ["body", "path"]),
        (partial(relay, path="/v1/chat/completions", drops=["x-streamkit-case"]), ["body"]),
        (partial(relay, rewrite=lambda _: b"{}"), ["header", "path"]),
        (partial(relay, path="/x", drops=["x-streamkit-case"], rewrite=lambda _: b"{}"), ["turn"]),
    ],
)
async def test_requests_are_told_apart_by_what_gets_through(stripped: Answer, carriers: list[str]) -> None:
    async with facing(stripped) as (runner, target):
        results = await runner.run(ORDINARY)
    assert {each.verdict for each in results} == {Verdict.OK}
    forward = next(each for each in results if each.id == "setup.forward")
    assert forward.facts["carriers"] == carriers
    assert (target.most == 1) == (carriers == ["turn"]), "one at a time where nothing gets through, and only there"


async def test_a_request_without_a_body_is_known_where_nothing_but_bodies_brings_tokens() -> None:
    async def drive(stand: Stand) -> None:
        client, up = await stand.ask(stand.talk.request("GET"))
        await up.respond()
        await stand.flow(client, up, stand.talk.parts(3))

    async with facing(partial(relay, path="/x", drops=["x-streamkit-case"])) as (runner, _):
        results = await runner.run([*ORDINARY, row("get.one", drive)])
    assert {each.verdict for each in results} == {Verdict.OK}


@pytest.mark.parametrize("rewrite", [lambda body: body, lambda _: b"{}"])
async def test_a_gateway_that_writes_requests_anew_is_tested_all_the_same(rewrite: Callable[[bytes], bytes]) -> None:
    rewriting = partial(relay, path="/v1/chat/completions", drops=["x-streamkit-case"], rewrite=rewrite)
    async with facing(rewriting, profile="gateway") as (runner, _):
        results = await runner.run(ORDINARY)
    assert {each.verdict for each in results} == {Verdict.OK}


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::1"])  # noqa: S104
async def test_a_target_that_is_our_own_upstream_is_no_proxy(host: str) -> None:
    with trio.fail_after(20):
        async with (
            open_upstream(host) as (hub, place),
            open_runner(setting_of(place.url), hub=hub, upstream=place) as runner,
        ):
            results = await runner.run(ORDINARY)
    assert [str(each.verdict) for each in results[1:]] == ["HARNESS-ERROR", *["DEPENDENCY-FAILED"] * 7]
    assert "there is no proxy in between: the upstream got the request on the very" in results[1].detail
    assert "give the URL where the proxy listens as --target" in results[1].detail


# ----------------------------------------------------------------------------------------------------------------- TLS


async def test_tls_on_both_sides_of_the_target(tmp_path: Path) -> None:
    certificate = upstream_certificate("proxy.example", written_to=tmp_path / "ca.pem")
    theirs = throwaway_certificate()
    (tmp_path / "target.pem").write_bytes(theirs.authority_pem)
    async with AsyncExitStack() as stack:
        hub, place = await stack.enter_async_context(open_upstream("0.0.0.0", tls=certificate.context))  # noqa: S104
        trusted = target_trust(tmp_path / "ca.pem")
        gateway = await stack.enter_async_context(
            open_gateway(place.url, tls=theirs.context, upstream_tls=trusted, allowed_hosts=None)
        )
        assert place.url.startswith("https://127.0.0.1:")
        assert gateway.url.startswith("https:")
        for target_tls, is_trusted in (
            (None, False),
            (target_trust(tmp_path / "target.pem"), True),
            (target_trust(insecure=True), True),
        ):
            opened = open_runner(
                setting_of(gateway.url),
                hub=hub,
                upstream=place,
                target_tls=target_tls,
                upstream_trust=target_trust(tmp_path / "ca.pem"),
                advertise="proxy.example:9000",
            )
            with trio.fail_after(PATIENCE_S):
                async with opened as runner:
                    assert runner.upstream == "https://proxy.example:9000"
                    (await runner.dial_upstream()).abort()
                    results = await runner.run(ORDINARY)
            if is_trusted:
                assert {each.verdict for each in results} == {Verdict.OK}
            else:
                assert "--target-ca FILE, or --insecure" in blamed(results).detail


async def test_the_embedded_gateway_is_tested_where_nothing_else_is_named() -> None:
    async with open_runner() as runner:
        results = await runner.run(ORDINARY)
    assert [each.id for each in results[:3]] == ["setup.reach", "setup.forward", "setup.fresh"]
    assert {each.verdict for each in results} == {Verdict.OK}


@pytest.mark.parametrize("wrong", ["", "host", "host:", ":1", "host:x", "host:1/path", "http://host:1", "host:99999"])
def test_a_place_is_a_host_and_a_port(wrong: str) -> None:
    assert parse_place("[::1]:80") == ("::1", 80)
    assert parse_place("proxy.example:9000") == ("proxy.example", 9000)
    with pytest.raises(ConfigError, match=r"--upstream .* is not HOST:PORT; write it like 127\.0\.0\.1:9000"):
        parse_place(wrong)


def test_the_certificate_is_kept_for_a_proxy_that_has_read_whom_to_trust(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    first, again, other = (upstream_certificate(*hosts, written_to=path) for hosts in ((), (), ("proxy.example",)))
    assert (first.is_new, again.is_new, other.is_new) == (True, False, True)
    assert first.authority_pem == again.authority_pem != other.authority_pem
    assert (tmp_path / "ca.pem.key").stat().st_mode & 0o777 == 0o600
    assert b"PRIVATE KEY" not in path.read_bytes()


def test_what_cannot_be_trusted_or_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        upstream_certificate(written_to=tmp_path / "no" / "ca.pem")
    with pytest.raises(ConfigError, match="leave --target-ca out, or --insecure"):
        target_trust(tmp_path, insecure=True)


def test_without_the_package_for_certificates_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "trustme", None)
    with pytest.raises(ConfigError, match=r"pip install 'streamkit\[tls\]'"):
        upstream_certificate()
