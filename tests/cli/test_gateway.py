"""`streamkit gateway` as a user meets it: a process, its options, its log, its signals, and what it refuses to do."""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import shlex
import signal
import socket
import ssl
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from mockserver import MockInThread, mockserver_in_thread
from streamkit.cli import gateway as cli
from streamkit.cli import gateway_options
from streamkit.cli.main import streamkit
from streamkit.gateway.config import SPEAKABLE, GatewayConfig
from streamkit.gateway.record import Record
from streamkit.http.origin import parse_origin
from tests.cli.harness import DEADLINE_S, Filter, linux_only, run
from tests.cli.served import STREAM, Served, connected, exchange, raw, wire

NOWHERE = "http://127.0.0.1:1"

KEYS = {"OUR_KEY": "our-secret-key", "THEIR_KEY": "their-secret-key", "EMPTY_KEY": " ", "BAD_KEY": "bad\nsecret"}

SECRET = re.compile(r"secret")

TO = ("--upstream", NOWHERE)


class Gateway(Served):
    """The command, running in front of `upstream`."""

    def __init__(self, upstream: str, *arguments: str, via: str | None = None) -> None:
        listen = () if "--listen" in arguments else ("--listen", "127.0.0.1:0")
        command = ("streamkit", "gateway", "--upstream", upstream)
        super().__init__(*arguments, command=command, listen=listen, env=KEYS, via=via)


@pytest.fixture(scope="module")
def mock() -> Iterator[MockInThread]:
    with mockserver_in_thread() as running:
        yield running


@contextlib.contextmanager
def held(mock: MockInThread, gateway: Gateway) -> Iterator[socket.socket]:
    """A stream in the middle, which waits for the gate `held`."""
    with connected(gateway.port) as client:
        client.sendall(wire(body=STREAM, mock="gate=held@token:3; tokens=9"))
        mock.wait_at_gate("held")
        got = b""
        while got.count(b"data: ") < 3:
            got += client.recv(65536)
        yield client
    mock.reset()


def rest_of(client: socket.socket) -> bytes:
    got = b""
    while data := client.recv(65536):
        got += data
    return got


# ----------------------------------------------------------------------------------------------------- ready, and where


def test_the_line_says_where_and_what_for(mock: MockInThread) -> None:
    with Filter("streamkit", "gateway", "--upstream", mock.url, "--listen", "127.0.0.1:0") as process:
        process.until(lambda: b"\n" in process.out, "say that it is ready")
        line = re.fullmatch(rb"ready at http://127\.0\.0\.1:(\d+) \(upstream (.+)\)\n", process.out)
        assert line, process.out
        assert line[2].decode() == mock.url
        assert exchange(int(line[1]), "/api/version").status == 200
        process.process.send_signal(signal.SIGTERM)
        result = process.wait()
    assert (result.code, result.err) == (0, "")


def test_ready_json(mock: MockInThread) -> None:
    with Gateway(mock.url) as gateway:
        wanted = {"url": f"http://127.0.0.1:{gateway.port}", "pid": gateway.pid, "upstream": mock.url}
        assert gateway.ready == wanted


def test_the_address_that_was_asked_for(mock: MockInThread) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
    with Gateway(mock.url, "--listen", f"localhost:{port}") as gateway:
        assert gateway.url == f"http://localhost:{port}"
        assert exchange(port, "/api/version").status == 200


def test_a_port_in_use() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        result = run("streamkit", "gateway", "--upstream", NOWHERE, "--listen", f"127.0.0.1:{port}")
    assert (result.code, result.out) == (2, b"")
    assert re.fullmatch(
        rf"streamkit gateway: cannot listen on 127\.0\.0\.1 port {port}: it is in use; .*", result.complaint
    )


@linux_only
def test_each_request_has_two_descriptors() -> None:
    few = 'sh -c \'ulimit -n 360; exec "$@"\' sh "$@"'
    with Gateway(NOWHERE, "--max-connections", "300", via=few) as gateway:
        limits = Path(f"/proc/{gateway.pid}/limits").read_text()
        assert re.search(r"Max open files +360 ", limits)
        result = gateway.terminate()
    assert result.code == 0
    assert result.complaint == (
        "streamkit gateway: --max-connections 300: the limit on open files allows no more than 100 (ulimit -n)"
    )


@linux_only
def test_the_soft_limit_on_open_files_is_raised() -> None:
    soft = 'sh -c \'ulimit -S -n 64; exec "$@"\' sh "$@"'
    with Gateway(NOWHERE, "--max-connections", "100", via=soft) as gateway:
        limits = Path(f"/proc/{gateway.pid}/limits").read_text()
        assert re.search(r"Max open files +360 ", limits)
        assert gateway.terminate().err == ""


# ---------------------------------------------------------------------------------------------------------- how it ends


def test_sigterm_drains(mock: MockInThread) -> None:
    with Gateway(mock.url) as gateway, connected(gateway.port) as idle, held(mock, gateway) as client:
        gateway.process.send_signal(signal.SIGTERM)
        assert idle.recv(1) == b"", "it waits for nothing"
        with pytest.raises(ConnectionRefusedError):
            connected(gateway.port).close()
        mock.open_gate("held")
        assert rest_of(client).endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")
        client.close()
        result = gateway.wait()
    assert (result.code, result.err) == (0, "")


@pytest.mark.parametrize("how", ["a second one", "the timeout"])
def test_and_not_for_ever(mock: MockInThread, how: str) -> None:
    options = ["--drain-timeout", "50ms"] if how == "the timeout" else ["--drain-timeout", "0"]
    with Gateway(mock.url, *options) as gateway, connected(gateway.port) as idle, held(mock, gateway) as client:
        gateway.process.send_signal(signal.SIGTERM)
        assert idle.recv(1) == b""
        if how == "a second one":
            gateway.process.send_signal(signal.SIGTERM)
        result = gateway.wait()
        with pytest.raises(ConnectionResetError):  # so that nobody takes it for whole
            rest_of(client)
    assert result.code == 0
    assert result.complaint == "streamkit gateway: requests that were cut off: 1"


def test_ctrl_c_ends_it_at_once(mock: MockInThread) -> None:
    with Gateway(mock.url) as gateway, held(mock, gateway) as client:
        gateway.interrupt()
        result = gateway.wait()
        with pytest.raises(ConnectionResetError):
            rest_of(client)
    assert (result.code, result.err) == (130, "")


def test_ctrl_c_while_it_drains(mock: MockInThread) -> None:
    with Gateway(mock.url) as gateway, connected(gateway.port) as idle, held(mock, gateway):
        gateway.process.send_signal(signal.SIGTERM)
        assert idle.recv(1) == b""
        gateway.interrupt()
        result = gateway.wait()
    assert (result.code, result.err) == (130, "")


def test_nobody_is_told_that_it_is_ready() -> None:
    with Filter("streamkit", "gateway", "--upstream", NOWHERE, "--listen", "127.0.0.1:0", "--ready-json") as process:
        process.stop_reading()
        result = process.wait()
    assert result.code == 141
    assert result.err == ""


# ----------------------------------------------------------------------------------------------------------------- keys


def test_a_key_is_asked_for_and_another_goes_upstream() -> None:
    options = ("--api-key-env", "OUR_KEY", "--upstream-key-env", "THEIR_KEY", "--log", "text")
    with socket.socket() as upstream:
        upstream.settimeout(DEADLINE_S)
        upstream.bind(("127.0.0.1", 0))
        upstream.listen()
        with Gateway(f"http://127.0.0.1:{upstream.getsockname()[1]}", *options) as gateway:
            for headers in ({}, {"Authorization": "Bearer their-secret-key"}, {"x-api-key": "another"}):
                refused = exchange(gateway.port, "/v1/models", headers=headers)
                assert (refused.status, refused.headers["www-authenticate"]) == (401, "Bearer")
            with connected(gateway.port) as client:
                client.sendall(
                    b"GET /v1/models HTTP/1.1\r\nHost: any.example\r\nAuthorization: Bearer our-secret-key\r\n\r\n"
                )
                server, _ = upstream.accept()
                with server:
                    server.settimeout(DEADLINE_S)
                    got = server.recv(65536)
                    server.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
                    assert client.recv(100).startswith(b"HTTP/1.1 204 ")
            assert b"\r\nAuthorization: Bearer their-secret-key\r\n" in got
            assert b"our-secret-key" not in got
            stats = exchange(gateway.port, "/_gateway/stats", headers={"api-key": "our-secret-key"})
            assert stats.value["requests"]["by_status"]["4xx"] == 3
            result = gateway.terminate()
    assert not SECRET.search(result.err + stats.body.decode())
    assert len(result.err.splitlines()) == 5


def test_secrets_of_a_request_are_not_written_down() -> None:
    with Gateway(NOWHERE, "--log", "json") as gateway:
        headers = {"Authorization": "Bearer secret", "Cookie": "secret"}
        assert exchange(gateway.port, "/a?key=secret&alt=sse", headers=headers).status == 502
        gateway.expect_error(r"\n")
        result = gateway.terminate()
    line = json.loads(result.err)
    assert line["target"] == "/a?key=[redacted]&alt=sse"
    assert not SECRET.search(result.err)


def test_a_name_has_to_be_allowed(mock: MockInThread) -> None:
    with Gateway(mock.url, "--allow-host", "gateway.example") as gateway:
        statuses = {
            host: exchange(gateway.port, "/api/version", headers={"Host": host}).status
            for host in ("gateway.example", "localhost:1", "evil.example")
        }
    assert statuses == {"gateway.example": 200, "localhost:1": 200, "evil.example": 421}
    with Gateway(mock.url, "--allow-host", "*") as gateway:
        assert exchange(gateway.port, "/api/version", headers={"Host": "evil.example"}).status == 200


@pytest.mark.parametrize("option", [("--insecure-public",), ("--api-key-env", "OUR_KEY")])
def test_a_public_address_where_it_was_thought_of(mock: MockInThread, option: tuple[str, ...]) -> None:
    with Gateway(mock.url, "--listen", "0.0.0.0:0", *option) as gateway:
        reply = exchange(gateway.port, "/api/version", headers={"x-api-key": "our-secret-key"})
        assert reply.status == 200


# ------------------------------------------------------------------------------------------------------------------ log


def test_the_log_is_a_line_of_json_for_each_request(mock: MockInThread) -> None:
    with Gateway(mock.url, "--log", "json") as gateway:
        exchange(gateway.port, body=STREAM, headers={"X-Mock": "tokens=3"})
        assert raw(gateway.port, b"nonsense\r\n\r\n").startswith(b"HTTP/1.1 400 ")
        result = gateway.terminate()
    first, second = (json.loads(line) for line in result.err.splitlines())
    assert (first["number"], first["method"], first["status"], first["outcome"]) == (1, "POST", 200, "ok")
    assert (first["target"], first["http_version"], first["detail"]) == ("/v1/chat/completions", "1.1", "")
    assert 0 < first["head_ms"] <= first["first_byte_ms"] <= first["total_ms"]
    assert first["response_bytes"] > 100
    assert (second["method"], second["status"], second["outcome"]) == ("", 400, "bad-request")


def test_the_log_for_people(mock: MockInThread) -> None:
    with Gateway(mock.url, "--log", "text") as gateway:
        exchange(gateway.port, "/api/version")
        result = gateway.terminate()
    assert re.fullmatch(
        r"streamkit gateway: #1 127\.0\.0\.1:\d+ GET /api/version  200 ok  \d+ bytes  head \d+ ms"
        r"  first byte \d+ ms  total \d+ ms",
        result.complaint,
    )


def test_a_log_that_nobody_reads_any_more_ends_nothing(mock: MockInThread) -> None:
    with Gateway(mock.url, "--log", "json", via='"$@" 2>&-') as gateway:
        for _ in range(3):
            assert exchange(gateway.port, "/api/version").status == 200
        assert gateway.terminate().code == 0


def test_by_default_only_a_terminal_gets_a_log(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("os.isatty", lambda descriptor: descriptor == 2)
    with ExitStack() as stack:
        on_record = cli.logger_of(None, stack)
        assert on_record is not None
        on_record(Record(1, 0, "", 0, "GET", "/"))
    assert capfd.readouterr().err == "streamkit gateway: #1 GET /  - failed  0 bytes\n"
    assert cli.logger_of("off", stack) is None
    monkeypatch.setattr("os.isatty", lambda _: False)
    assert cli.logger_of(None, stack) is None


@linux_only
def test_a_log_that_nobody_reads_holds_up_no_request(mock: MockInThread, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "log")
    reader = os.open(tmp_path / "log", os.O_RDONLY | os.O_NONBLOCK)
    try:
        with Gateway(mock.url, "--log", "json", via=f'"$@" 2>{shlex.quote(str(tmp_path / "log"))}') as gateway:
            for _ in range(300):  # lines of more than 300 bytes, in a pipe of 64 KiB
                assert exchange(gateway.port, "/api/version").status == 200
            assert gateway.terminate().code == 0
    finally:
        os.close(reader)


# ------------------------------------------------------------------------------------------------------------------ TLS


def test_tls_on_both_sides(tmp_path: Path) -> None:
    trustme = pytest.importorskip("trustme")
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    paths = {name: str(tmp_path / name) for name in ("authority", "certificate", "key")}
    authority.cert_pem.write_to_path(paths["authority"])
    issued.cert_chain_pems[0].write_to_path(paths["certificate"])
    issued.private_key_pem.write_to_path(paths["key"])
    options = ("--tls-cert", paths["certificate"], "--tls-key", paths["key"])
    trusted = ssl.create_default_context(cafile=paths["authority"])
    with Served("--tls", "--tls-ca", str(tmp_path / "upstream")) as upstream:
        assert upstream.url.startswith("https://")
        with Gateway(upstream.url, *options, "--upstream-ca", str(tmp_path / "upstream")) as gateway:
            assert gateway.url.startswith("https://")
            assert httpx.get(f"{gateway.url}/api/version", verify=trusted).status_code == 200
        with Gateway(upstream.url, *options) as gateway:
            reply = httpx.get(f"{gateway.url}/api/version", verify=trusted)
            assert (reply.status_code, "not trusted" in reply.text) == (502, True)


# ---------------------------------------------------------------------------------------------- what the options become

Configured = Callable[..., GatewayConfig]


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch) -> Configured:
    """Make a configuration of a command line, and start nothing."""
    found: list[GatewayConfig] = []

    def keep(config: GatewayConfig, *others: object) -> None:
        found.append(config)

    def end(main: Callable[[], object]) -> None:
        main()

    def run_here(*arguments: str) -> GatewayConfig:
        monkeypatch.setattr(sys, "argv", ["streamkit", "gateway", *TO, *arguments])
        with pytest.raises(SystemExit):
            streamkit()
        return found.pop()

    monkeypatch.setattr("streamkit.cli.gateway.main", keep)
    monkeypatch.setattr("streamkit.cli.gateway_options.allow_descriptors", lambda wanted: wanted)
    monkeypatch.setattr("streamkit.cli.gateway.run", end)
    return run_here


def test_without_options_it_is_as_in_a_program(configured: Configured) -> None:
    assert configured() == GatewayConfig(parse_origin(NOWHERE))


def test_the_dialects_are_those_of_the_gateway() -> None:
    assert gateway_options.SPEAKABLE == SPEAKABLE


def test_an_upstream_that_is_asked_in_its_dialect(configured: Configured) -> None:
    config = configured("--speaks", "anthropic", "--model-map", "gpt-4o=claude=x", "--model-map", "*=other")
    assert config.speaks == "anthropic"
    assert [config.upstream_model(name) for name in ("gpt-4o", "gpt-4", "")] == ["claude=x", "other", "other"]
    assert configured("--speaks", "gemini").upstream_model("gpt-4o") == "gpt-4o"


def test_resumable_streams(configured: Configured) -> None:
    options = ("--max-streams", "5", "--stream-buffer-bytes", "4096", "--stream-grace", "1500ms")
    config = configured("--speaks", "gemini", *options)
    assert (config.max_streams, config.stream_buffer_bytes, config.stream_grace_s) == (5, 4096, 1.5)
    assert configured("--speaks", "gemini", "--stream-grace", "0").stream_grace_s == math.inf


def test_origins_are_kept_as_browsers_write_them(configured: Configured) -> None:
    config = configured("--cors", "HTTPS://App.Example:443", "--cors", "http://localhost:3000", "--cors", "null")
    assert config.cors_origins == {"https://app.example", "http://localhost:3000", "null"}


def test_descriptors_are_shared_with_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream has a connection upstream while no client reads it."""
    for there_are, clients, streams in ((9192, 4096, 1000), (2000, 750, 500), (40, 15, 10), (1, 1, 1)):
        monkeypatch.setattr("streamkit.cli.gateway_options.allow_descriptors", lambda _, n=there_are: n)
        assert gateway_options.connections_allowed(4096, 2, 1000) == (clients, streams)


def test_the_line_says_what_it_speaks() -> None:
    with Gateway(NOWHERE, "--speaks", "gemini") as gateway:
        assert gateway.ready["speaks"] == "gemini"


# ------------------------------------------------------------------------------------------------ what it refuses to do


class Ended(NamedTuple):
    """How the program has ended."""

    code: int
    out: str
    err: str


Refused = Callable[..., Ended]


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Refused:
    """Start the program in this process, where it must end before it listens."""

    def started(main: object) -> None:
        pytest.fail("it has started")

    def run_here(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["streamkit", "gateway", *arguments])
        with pytest.raises(SystemExit) as ended:
            streamkit()
        return Ended(int(ended.value.code or 0), *capsys.readouterr())

    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("streamkit.cli.gateway.run", started)
    monkeypatch.chdir(tmp_path)
    Path("text.pem").write_text("no certificate\n")
    return run_here


SPEAKING = (*TO, "--speaks", "ollama-chat")

WRONG = {
    "nothing": ((), ("--upstream",)),
    "no URL": (("--upstream", "localhost:11434"), ("--upstream", "localhost:11434", "http://")),
    "another scheme": (("--upstream", "ftp://a"), ("--upstream", "http or https")),
    "a password": (("--upstream", "http://user:secret@a"), ("password",)),
    "a query": (("--upstream", "http://a/?key=secret"), ("query",)),
    "no port": ((*TO, "--listen", "localhost"), ("--listen", "HOST:PORT", "127.0.0.1:8080")),
    "no host": ((*TO, "--listen", ":8080"), ("HOST:PORT",)),
    "a large port": ((*TO, "--listen", "localhost:65536"), ("HOST:PORT",)),
    "half an IPv6 address": ((*TO, "--listen", "::1:8080"), ("[::1]:8080",)),
    "public": ((*TO, "--listen", "0.0.0.0:80"), ("0.0.0.0:80", "--api-key-env", "--insecure-public")),
    "public, IPv6": ((*TO, "--listen", "[::]:80"), ("--api-key-env", "--insecure-public")),
    "public, by name": ((*TO, "--listen", "host.example:80"), ("--api-key-env", "--insecure-public")),
    "no such variable": ((*TO, "--api-key-env", "NO_SUCH_KEY"), ("--api-key-env NO_SUCH_KEY", "no such environment")),
    "an empty variable": ((*TO, "--api-key-env", "EMPTY_KEY"), ("EMPTY_KEY", "nothing is in it")),
    "no upstream key": ((*TO, "--upstream-key-env", "NO_SUCH_KEY"), ("--upstream-key-env NO_SUCH_KEY",)),
    "a key of two lines": ((*TO, "--upstream-key-env", "BAD_KEY"), ("--upstream-key-env BAD_KEY", "characters")),
    "no such certificate": ((*TO, "--tls-cert", "none.pem"), ("none.pem", "no such file")),
    "no certificate": ((*TO, "--tls-cert", "text.pem"), ("text.pem", "no certificate")),
    "a key alone": ((*TO, "--tls-key", "text.pem"), ("--tls-key", "--tls-cert")),
    "no such authority": (("--upstream", "https://a", "--upstream-ca", "none.pem"), ("none.pem", "No such file")),
    "no authority": (("--upstream", "https://a", "--upstream-ca", "text.pem"), ("text.pem", "no certificate")),
    "an authority for nothing": ((*TO, "--upstream-ca", "text.pem"), ("--upstream-ca", "https")),
    "a host with a port": ((*TO, "--allow-host", "a:80"), ("--allow-host", "a:80", "without a port")),
    "a bare number": ((*TO, "--head-timeout", "30"), ("--head-timeout", "no unit")),
    "no duration": ((*TO, "--drain-timeout", "soon"), ("--drain-timeout", "soon")),
    "no connections": ((*TO, "--max-connections", "0"), ("--max-connections",)),
    "another log": ((*TO, "--log", "xml"), ("--log", "json", "text")),
    "another dialect": ((*TO, "--speaks", "ollama"), ("--speaks", "ollama-chat", "gemini")),
    "a dialect that only answers": ((*TO, "--speaks", "text"), ("--speaks", "openai-responses")),
    "models for nothing": ((*TO, "--model-map", "a=b"), ("--model-map", "--speaks DIALECT")),
    "streams for nothing": ((*TO, "--max-streams", "1000"), ("--max-streams", "--speaks DIALECT")),
    "a buffer for nothing": ((*TO, "--stream-buffer-bytes", "5"), ("--stream-buffer-bytes", "--speaks DIALECT")),
    "a grace for nothing": ((*TO, "--stream-grace", "0"), ("--stream-grace", "--speaks DIALECT")),
    "one model": ((*SPEAKING, "--model-map", "gpt-4o"), ("--model-map", "NAME=NAME", "gpt-4o")),
    "no model there": ((*SPEAKING, "--model-map", "gpt-4o="), ("--model-map", "gpt-4o=")),
    "no model here": ((*SPEAKING, "--model-map", "=b"), ("--model-map", "'*=NAME'")),
    "two models": ((*SPEAKING, "--model-map", "a=b", "--model-map", "a=c"), ("--model-map", "'a'", "twice")),
    "no streams": ((*SPEAKING, "--max-streams", "0"), ("--max-streams",)),
    "no buffer": ((*SPEAKING, "--stream-buffer-bytes", "0"), ("--stream-buffer-bytes",)),
    "no grace": ((*SPEAKING, "--stream-grace", "soon"), ("--stream-grace", "soon")),
    "a host for an origin": ((*TO, "--cors", "app.example"), ("--cors", "app.example", "a scheme and a host")),
    "a page for an origin": ((*TO, "--cors", "https://app.example/a"), ("--cors", "path", "write https://app.example")),
    "an origin with a password": ((*TO, "--cors", "https://me:secret@app.example"), ("--cors", "//...@app.example")),
}


@pytest.mark.parametrize(("arguments", "words"), WRONG.values(), ids=WRONG)
def test_a_wrong_option_is_named_and_the_remedy_told(
    arguments: tuple[str, ...], words: tuple[str, ...], refused: Refused
) -> None:
    result = refused(*arguments)
    assert (result.code, result.out) == (2, ""), result.err
    last = result.err.splitlines()[-1]
    for word in words:
        assert word in last, f"{word!r} is not in {last!r}"
    assert not SECRET.search(result.err)


def test_a_wrong_option_of_a_process() -> None:
    """The same, seen from outside."""
    result = run("streamkit", "gateway", "--upstream", NOWHERE, "--listen", "0.0.0.0:0")
    assert (result.code, result.out) == (2, b"")
    assert result.complaint.startswith("streamkit gateway: --listen 0.0.0.0:0 is open to others: ")
