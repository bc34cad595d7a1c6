"""Installed proxies: their rows, and the launcher, which ends what it has started whatever happens."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import trio
import trustme

from streamkit.contract.open import open_runner, open_upstream
from streamkit.contract.proxies import PROXIES, Proxy, Running, Variant, launch, parse_with, running
from streamkit.contract.proxies.proxy import PLACES, setup_of
from streamkit.contract.setting import Setting
from streamkit.contract.verdicts import Verdict
from streamkit.errors import ConfigError, ConnectError
from streamkit.http.origin import Origin, parse_origin

PATIENCE_S = 60

LIMIT_S = 2.0

NOBODY = Origin("http", "127.0.0.1", 1)

DEBIAN = {"nginx": "nginx", "haproxy": "haproxy", "apache": "apache2"}
"""Those that Debian has, and their commands."""

ALL = [(proxy, variant) for proxy in PROXIES.values() for variant in proxy.variants]

EACH = pytest.mark.parametrize(
    ("proxy", "variant"), ALL, ids=[f"{proxy.name}:{variant.name}" for proxy, variant in ALL]
)

INSTALLED = pytest.mark.parametrize(
    "name", [pytest.param(each, marks=pytest.mark.needs(DEBIAN[each])) for each in DEBIAN]
)


# ------------------------------------------------------------------------------------------------------------- the rows


def test_a_name_alone_is_the_proxy_as_it_is() -> None:
    for name, proxy in PROXIES.items():
        assert parse_with(name) == (proxy, proxy.variants[0])
        assert proxy.variants[0].name == "default"


@EACH
def test_every_variant_is_found_by_its_name(proxy: Proxy, variant: Variant) -> None:
    assert parse_with(f"{proxy.name}:{variant.name}") == (proxy, variant)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ngnix", "no proxy is called 'ngnix': choose from nginx, haproxy, apache, mitmproxy, litellm"),
        ("", "no proxy is called '': choose from nginx"),
        ("apache:stream", "apache has no variant 'stream': choose from default, flush, gzip"),
        ("haproxy:", "haproxy has no variant '': choose from default, stream"),
        ("nginx:stream:gzip", "nginx has no variant 'stream:gzip': choose from default, stream, gzip, stream-gzip"),
    ],
)
def test_a_wrong_name_is_told_the_choices(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_with(text)
    assert str(caught.value).startswith(said)


@EACH
def test_nothing_in_a_configuration_is_left_open(proxy: Proxy, variant: Variant) -> None:
    for scheme in proxy.schemes:
        setup = setup_of(proxy, variant, scheme)
        here = setup.at({place: f"[{place}]" for place in PLACES})
        whole = "\n".join([*here.arguments, *here.files.values(), *here.environment.values()])
        assert "$" not in whole
        assert {"[port]", "[fd]"} & {place for place in ("[port]", "[fd]") if place in whole}
        assert "[upstream_authority]" in whole
        assert ("[upstream_ca]" in whole) == (scheme == "https")
        assert "" not in here.arguments


def test_a_digest_is_of_a_configuration_and_not_of_a_run() -> None:
    digests = {setup_of(proxy, variant).digest for proxy, variant in ALL}
    assert len(digests) == len(ALL)
    nginx, stream = parse_with("nginx:stream")
    setup = setup_of(nginx, stream)
    assert setup.digest == setup_of(nginx, stream).digest
    assert setup.digest != setup_of(nginx, stream, "https").digest
    words = {**stream.words, "pool": "keepalive 65;"}
    assert setup.digest != setup_of(nginx, replace(stream, words=words)).digest


def test_a_proxy_that_is_not_installed_says_what_has_it() -> None:
    for proxy in PROXIES.values():
        missing = replace(proxy, programs=("no-such-program", "nor-this"))
        with (
            pytest.raises(ConfigError, match="no-such-program or nor-this is not installed: it comes with ") as caught,
            running(missing, proxy.variants[0], NOBODY),
        ):
            pass
        assert str(caught.value).endswith(proxy.package)


def test_an_upstream_that_cannot_be_configured_is_refused() -> None:
    litellm, default = parse_with("litellm")
    with pytest.raises(ConfigError, match="litellm cannot be started before an https upstream"):
        setup_of(litellm, default, "https")


@pytest.mark.needs("nginx")
@pytest.mark.parametrize(
    ("url", "said"),
    [("http://127.0.0.1:1/v1", "without a path of its own"), ("https://127.0.0.1:1", "needs the certificate to trust")],
)
def test_an_upstream_that_is_not_whole_is_refused(url: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said), running(*parse_with("nginx"), parse_origin(url)):
        pass


# --------------------------------------------------------------------------------------------------------- the launcher


@INSTALLED
def test_a_proxy_is_gone_behind_its_block(name: str) -> None:
    found: list[Running] = []
    pids: list[int] = []

    def fail() -> None:
        with running(*parse_with(name), NOBODY) as run:
            found.append(run)
            pids.extend(run.pids)
            assert run.product.version[0].isdigit()
            raise KeyError

    with pytest.raises(KeyError) as caught:
        fail()
    assert pids
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", found[0].port))
    assert f"{name} said: " in caught.value.__notes__[0]


@INSTALLED
def test_a_proxy_that_is_started_again_has_its_port(name: str) -> None:
    with running(*parse_with(name), NOBODY) as run:
        before = run.pids
        run.restart()
        assert not set(before) & set(run.pids)
        with socket.create_connection(("127.0.0.1", run.port)) as probe:
            probe.sendall(b"?\r\n\r\n")
            assert probe.recv(64).startswith(b"HTTP/1.")


@pytest.mark.needs("nginx")
def test_a_proxy_that_does_not_start_says_why() -> None:
    nginx, gzip = parse_with("nginx:gzip")
    broken = replace(gzip, words={"compression": "gzip perhaps;"})
    with pytest.raises(ConnectError, match='invalid value "perhaps"'), running(nginx, broken, NOBODY):
        pass


def python(script: str) -> Proxy:
    """A proxy that is a Python program: it gets a port."""
    return Proxy(
        name="ours",
        programs=(sys.executable,),
        package="Python",
        arguments=("-c", script, "${port}"),
        version_arguments=("--version",),
        version=PROXIES["nginx"].version,
        variants=(Variant("default", "ours"),),
    )


SERVER = """\
import signal, socket, sys, time
listening = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    listening.accept()[0].sendall(b"HTTP/1.1 400 what?")
"""


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The ports that were tried; somebody listens at the first of them."""
    tried: list[int] = []
    stranger = socket.socket()
    stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    ordinary = launch.Seat.__init__

    def bind(seat: launch.Seat, *, is_handed: bool) -> None:
        ordinary(seat, is_handed=is_handed)
        if not tried:
            stranger.bind(("127.0.0.1", seat.port))
            stranger.listen()
        tried.append(seat.port)

    monkeypatch.setattr(launch.Seat, "__init__", bind)
    with stranger:
        yield tried


def test_a_port_that_is_lost_to_somebody_is_replaced(taken: list[int]) -> None:
    proxy = python(SERVER)
    with running(proxy, proxy.variants[0], NOBODY) as run:
        assert [run.port] == taken[1:]


def test_a_program_that_will_not_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "GRACE_S", 0.1)
    proxy = python(SERVER.replace("while", "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile"))
    with running(proxy, proxy.variants[0], NOBODY) as run:
        (pid,) = run.pids
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_program_that_never_answers_is_given_up() -> None:
    proxy = replace(python("import time; print('waiting', flush=True); time.sleep(600)"), patience_s=1.0)
    with (
        pytest.raises(ConnectError, match="does not answer in 1 s: waiting"),
        running(proxy, proxy.variants[0], NOBODY),
    ):
        pass


OWNER = """\
import signal
from streamkit.contract.proxies import parse_with, running
from streamkit.http.origin import Origin
with running(*parse_with("haproxy"), Origin("http", "127.0.0.1", 1)) as run:
    print(run.pids[0], flush=True)
    signal.pause()
"""


@pytest.mark.needs("haproxy", "setpriv")
async def test_a_proxy_dies_with_who_started_it(tmp_path: Path) -> None:
    with trio.fail_after(PATIENCE_S):
        async with trio.open_nursery() as nursery:
            here = {**os.environ, "TMPDIR": str(tmp_path)}  # who is killed does not tidy up
            start = partial(
                trio.run_process, [sys.executable, "-c", OWNER], stdout=subprocess.PIPE, check=False, env=here
            )
            owner: trio.Process = await nursery.start(start)
            assert owner.stdout is not None
            seen = os.pidfd_open(int(await owner.stdout.receive_some()))
            try:
                owner.kill()
                await trio.lowlevel.wait_readable(seen)
            finally:
                os.close(seen)


# --------------------------------------------------------------------------------------------------- before the harness


@pytest.mark.needs("nginx", "haproxy", "apache2")
@pytest.mark.parametrize("name", ["nginx", "nginx:stream", "haproxy", "haproxy:tcp", "apache"])
async def test_an_ordinary_answer_gets_through(name: str) -> None:
    with trio.fail_after(PATIENCE_S):
        async with open_upstream() as (hub, upstream):
            with running(*parse_with(name), NOBODY, advertise=upstream) as run:
                setting = Setting(parse_origin(run.url), limit_s=LIMIT_S)
                async with open_runner(setting, hub=hub, upstream=upstream) as runner:
                    for result in await runner.run([]):
                        assert result.verdict is Verdict.OK, result.detail


@INSTALLED
@pytest.mark.parametrize("is_trusted", [True, False], ids=["trusted", "stranger"])
async def test_an_upstream_with_tls_has_to_be_trusted(name: str, is_trusted: bool, tmp_path: Path) -> None:
    authority, other = trustme.CA(), trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(tls)
    (authority if is_trusted else other).cert_pem.write_to_path(tmp_path / "ca.pem")
    with trio.fail_after(PATIENCE_S):
        async with open_upstream(tls=tls) as (hub, upstream):
            with running(*parse_with(name), upstream, upstream_ca=tmp_path / "ca.pem") as run:
                setting = Setting(parse_origin(run.url), limit_s=LIMIT_S if is_trusted else LIMIT_S / 4)
                async with open_runner(setting, hub=hub, upstream=upstream) as runner:
                    found = {result.id: result.verdict for result in await runner.run([])}
        assert (found["setup.forward"] is Verdict.OK) == is_trusted
