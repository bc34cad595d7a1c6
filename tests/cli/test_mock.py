"""`mockserver`, `streamkit mock` and `python -m mockserver` as a user meets them: processes, signals, files, ports."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import os
import re
import signal
import socket
import ssl
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from streamkit.cli.main import mockserver
from tests.cli.harness import DEADLINE_S, Filter, linux_only, run
from tests.cli.served import CHAT, STREAM, Served, connected, exchange, raw, wire

NAMES = pytest.mark.parametrize(
    "command", [("mockserver",), ("streamkit", "mock"), ("python", "-m", "mockserver")], ids=" ".join
)

HELD = wire(body=STREAM, mock="gate=held@token:3; tokens=9")
"""A request whose answer waits at a gate that nobody opens."""


def read_until(client: socket.socket, mark: bytes) -> bytes:
    """Read until `mark` has come."""
    got = b""
    while mark not in got:
        data = client.recv(65536)
        assert data, f"{mark!r} is due, the end came after {got!r}"
        got += data
    return got


def read_tokens(client: socket.socket, count: int) -> bytes:
    """Read until so many chunks with text have come."""
    got = b""
    while len(re.findall(rb'"content":"[^"]', got)) < count:
        data = client.recv(65536)
        assert data, got
        got += data
    return got


@contextlib.contextmanager
def taken_port() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


# ----------------------------------------------------------------------------------------------------- ready, and where


@NAMES
def test_every_name_starts_it_and_the_line_says_where(command: tuple[str, ...]) -> None:
    with Filter(*command, "--port", "0", "--seed", "5") as process:
        process.until(lambda: b"\n" in process.out, "say that it is ready")
        line = re.fullmatch(rb"ready at http://127\.0\.0\.1:(\d+) \(seed 5\)\n", process.out)
        assert line, process.out
        assert exchange(int(line[1]), "/api/version").status == 200
        process.process.send_signal(signal.SIGTERM)
        result = process.wait()
    assert (result.code, result.err) == (0, "")


def test_ready_json() -> None:
    with Served("--seed", "12345678901234567890") as server:
        assert server.ready == {
            "url": f"http://127.0.0.1:{server.port}",
            "pid": server.pid,
            "seed": 12345678901234567890,
        }
        assert exchange(server.port, "/api/version").headers["x-mock-seed"] == "12345678901234567890"
        assert len(server.writes) == 1


def test_a_seed_is_drawn_where_none_is_given() -> None:
    with Served() as one, Served() as two:
        assert one.ready["seed"] != two.ready["seed"]
        assert one.port != two.port


def test_the_port_that_was_asked_for() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
    with Filter("mockserver", "--port", str(port)) as process:
        process.until(lambda: b"\n" in process.out, "say that it is ready")
        assert exchange(port, "/api/version").status == 200
        process.interrupt()
        assert process.wait().code == 130


def test_a_port_can_be_had_again_at_once() -> None:
    """Also where connections were cut when the server before it stopped."""
    with Served() as server, connected(server.port) as client:
        client.sendall(HELD)
        read_tokens(client, 3)
        port = server.port
        server.terminate()
    with Filter("mockserver", "--port", str(port)) as process:
        process.until(lambda: b"\n" in process.out or not process._open, "say that it is ready")  # noqa: SLF001
        assert process.out.startswith(b"ready at"), process.err


def test_a_port_in_use() -> None:
    with taken_port() as port:
        result = run("mockserver", "--port", str(port))
    assert (result.code, result.out) == (4, b"")
    assert re.fullmatch(
        rf"mockserver: cannot listen on 127\.0\.0\.1 port {port}: it is in use; .*0 for a free one", result.complaint
    )


def test_an_address_that_is_not_ours() -> None:
    result = run("mockserver", "--port", "0", "--host", "192.0.2.1")
    assert (result.code, result.out) == (4, b"")
    assert "192.0.2.1" in result.complaint


@pytest.mark.parametrize("host", ["no-such-host.invalid", "256.1.1.1", ""])
def test_a_host_that_is_none(host: str) -> None:
    result = run("mockserver", "--port", "0", "--host", host)
    assert (result.code, result.out) == (2, b"")
    assert repr(host) in result.complaint
    assert "give a name or address of this machine" in result.complaint


def has_ipv6() -> bool:
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no ::1")
def test_ipv6() -> None:
    with Served("--host", "::1") as server:
        assert server.url == f"http://[::1]:{server.port}"
        assert httpx.get(f"{server.url}/_mock/state").json()["url"] == server.url
        with pytest.raises(ConnectionRefusedError):
            connected(server.port).close()


def test_only_loopback_is_listened_on() -> None:
    with Served() as server, pytest.raises(OSError, match="refused"):
        connected(server.port, "127.0.0.2").close()


# ---------------------------------------------------------------------------------------------------------- how it ends


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)], ids=["SIGTERM", "Ctrl-C"])
def test_it_ends_at_once_whatever_is_going_on(number: signal.Signals, code: int, tmp_path: Path) -> None:
    """A held stream, a client that reads nothing, one that asks nothing, half a head, one that is being got rid of."""
    path = tmp_path / "journal"
    with Served("--journal", str(path)) as server, contextlib.ExitStack() as clients:
        held, deaf, silent, half, lingering = (clients.enter_context(connected(server.port)) for _ in range(5))
        held.sendall(HELD)
        read_tokens(held, 3)
        deaf.sendall(wire(body=STREAM, mock="tokens=200000"))
        half.sendall(b"GET / HT")
        lingering.sendall(b"nonsense\r\n\r\n")
        read_until(lingering, b"400")
        assert deaf.recv(1, socket.MSG_PEEK), "its answer has begun"
        assert silent.fileno() > 0
        began = time.monotonic()
        server.process.send_signal(number)
        result = server.wait()
        took_s = time.monotonic() - began
        with pytest.raises(ConnectionResetError):  # so that nobody takes it for whole
            held.recv(1)
    assert (result.code, result.err) == (code, "")
    assert took_s < 1.5
    entries = [json.loads(line) for line in path.read_text().splitlines()[1:]]
    assert sorted(entry["outcome"] for entry in entries) == ["refused", "stopped", "stopped"]


@pytest.mark.parametrize("module", ["typing", "click", "msgspec", "trio"])
def test_interrupt_while_starting(module: str, tmp_path: Path) -> None:
    (tmp_path / f"{module}.py").write_text(
        "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(30)\n"
    )
    with Filter("mockserver", "--port", "0", env={"PYTHONPATH": str(tmp_path)}) as process:
        result = process.wait()
    assert (result.code, result.out, result.err.strip()) == (130, b"", "")


def test_nobody_reads_the_ready_line() -> None:
    with Filter("mockserver", "--port", "0") as process:
        process.stop_reading()
        result = process.wait()
    assert (result.code, result.err) == (141, "")


def test_closed_stdout() -> None:
    result = run("mockserver", "--port", "0", via='"$@" >&-')
    assert (result.code, result.complaint) == (4, "mockserver: standard output is closed")


def test_full_stdout() -> None:
    result = run("mockserver", "--port", "0", via='"$@" >/dev/full')
    assert (result.code, result.complaint) == (4, "mockserver: No space left on device")


def test_it_outlives_the_reader_of_its_ready_line() -> None:
    """As after `mockserver --ready-json | head -1` in a script."""
    with Served("--log") as server:
        server.stop_reading()
        assert exchange(server.port, body=CHAT).status == 200
        server.expect_error("#1 POST")
        assert exchange(server.port, body=CHAT).status == 200


def test_it_needs_no_stdin() -> None:
    with Served(via='"$@" <&-') as server:
        assert exchange(server.port, body=CHAT).status == 200


def test_no_warnings_in_development_mode() -> None:
    """With every warning on, what nobody closed would show."""
    with Served(env={"PYTHONDEVMODE": "1", "PYTHONWARNINGS": "always"}) as server, connected(server.port) as held:
        exchange(server.port, body=STREAM)
        raw(server.port, wire(body=STREAM, mock="fault=reset@token:2"))
        raw(server.port, b"nonsense\r\n\r\n")
        held.sendall(HELD)
        read_tokens(held, 3)
        result = server.terminate()
    assert (result.code, result.err) == (0, "")


# -------------------------------------------------------------------------------------------------------- wrong options

WRONG: dict[str, tuple[list[str], tuple[str, ...]]] = {
    "unknown option": (["--rat", "5"], ("--rat", "--rate")),
    "port": (["--port", "70000"], ("--port", "65535")),
    "port word": (["--port", "http"], ("--port", "http")),
    "seed": (["--seed", "-1"], ("--seed", "x>=0")),
    "slots": (["--slots", "0"], ("--slots", "x>=1")),
    "body": (["--max-body-bytes", "0"], ("--max-body-bytes", "x>=1")),
    "connections": (["--max-connections", "none"], ("--max-connections", "none")),
    "speed": (["--replay", "x", "--speed", "0"], ("--speed", "x>0")),
    "speed alone": (["--speed", "2"], ("--speed", "--replay")),
    "authority alone": (["--tls-ca", "x"], ("--tls-ca", "--tls", "add it")),
    "rate": (["--rate", "fast"], ("--rate", "'fast'", "write 0 for no delay")),
    "rate below zero": (["--rate", "-1"], ("--rate", "'-1'")),
    "rate no number": (["--rate", "nan"], ("--rate", "'nan'")),
    "no unit": (["--ttft", "50"], ("--ttft", "'50'", "50ms")),
    "tokens": (["--tokens", "1.5"], ("--tokens", "'1.5'")),
    "gaps": (["--gaps", "gamme:2"], ("--gaps", "gamme", "gamma")),
    "trace": (["--gaps", "trace:none.txt"], ("--gaps", "none.txt", "No such file")),
    "fault": (["--fault", "rest@token:5"], ("--fault", "rest", "reset")),
    "place": (["--fault", "reset@tokn:5"], ("--fault", "tokn", "token:N")),
    "fault after a good one": (["--fault", "ping", "--fault", "status:99"], ("--fault", "status", "99")),
    "split": (["--split", "every-bite"], ("--split", "every-bite", "every-byte")),
    "chunks": (["--chunks", "size:0"], ("--chunks", "size:0")),
    "framing": (["--framing", "gzip"], ("--framing", "'gzip'", "chunked")),
    "writes": (["--writes", "ack"], ("--writes", "'ack'", "acked")),
    "gate": (["--gate", "mid@nowhere"], ("--gate", "nowhere", "token:N")),
    "call": (["--call", "f:{"], ("--call", "'{'", "JSON")),
    "clock word": (["--clock", "now"], ("--clock", "'now'", "fixed:2026-01-01")),
    "clock": (["--clock", "fixed:2026-13-01"], ("--clock", "'fixed:2026-13-01'", "fixed:2026-01-01")),
    "clock too early": (["--clock", "fixed:1969-12-31"], ("--clock", "1970")),
    "clock too late": (["--clock", "fixed:2300-01-01"], ("--clock", "2261")),
    "no text": (["--text", "none.txt"], ("--text", "none.txt", "No such file")),
    "text is a folder": (["--text", "."], ("--text", "'.'", "directory")),
    "no scenarios": (["--scenarios", "none.toml"], ("none.toml", "No such file")),
    "no cassette": (["--replay", "none.cassette"], ("none.cassette", "No such file")),
    "cassette is a folder": (["--replay", "."], ("cassette .", "directory")),
    "journal is a folder": (["--journal", "."], ("journal .", "directory")),
    "no folder for the journal": (["--journal", "none/j"], ("journal none/j", "No such file")),
    "no folder for the authority": (["--tls", "--tls-ca", "none/ca"], ("--tls-ca", "none/ca", "No such file")),
    "word": (["serve"], ("serve",)),
    "options before record": (
        ["--rate", "5", "record", "--upstream", "http://h", "--cassette", "c"],
        ("--rate", "record", "behind"),
    ),
    "no upstream": (["record", "--cassette", "c"], ("--upstream",)),
    "no file": (["record", "--upstream", "http://h"], ("--cassette",)),
    "upstream": (["record", "--upstream", "localhost:1", "--cassette", "c"], ("localhost:1", "http://127.0.0.1:11434")),
}


class Ended(NamedTuple):
    """How the program has ended."""

    code: int
    out: str
    err: str


Refused = Callable[..., Ended]


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Refused:
    """Start the program in this process and an empty folder, where it must end before it listens.

    A process for each of so many cases would take half a minute.
    """

    def started(main: object) -> None:
        pytest.fail("it has started")

    def run_here(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["mockserver", *arguments])
        with pytest.raises(SystemExit) as ended:
            mockserver()
        return Ended(int(ended.value.code or 0), *capsys.readouterr())

    monkeypatch.setattr("streamkit.cli.mock.run_trio", started)
    monkeypatch.chdir(tmp_path)
    return run_here


@pytest.mark.parametrize(("arguments", "words"), WRONG.values(), ids=WRONG)
def test_a_wrong_option_is_named_and_the_remedy_told(
    arguments: list[str], words: tuple[str, ...], refused: Refused, tmp_path: Path
) -> None:
    result = refused(*arguments)
    assert (result.code, result.out) == (2, ""), result.err
    last = result.err.splitlines()[-1]
    for word in words:
        assert word in last, f"{word!r} is not in {last!r}"
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_option_of_a_process() -> None:
    """The same, seen from outside."""
    result = run("streamkit", "mock", "--port", "0", "--rate", "fast")
    assert (result.code, result.out) == (2, b"")
    assert result.complaint.startswith("streamkit mock: --rate: 'fast' is no number of tokens a second")


@pytest.mark.parametrize("options", ["--text", "--scenarios", "--replay", "--journal", "--tls --tls-ca"])
def test_a_strange_name_makes_one_printable_line(options: str, refused: Refused) -> None:
    result = refused(*options.split(), os.fsdecode(b"/nope/\xff\n\x1b[31m"))
    assert result.code == 2
    assert result.err.endswith("\n")
    assert result.err[:-1].isprintable()


# --------------------------------------------------------------------------------------------------------- wrong files

SCENARIOS = {
    "misspelt": ('[defaults]\nrate = 5\n[[scenario]]\nname="a"\nrate=1\n[[scenario]]\nname="b"\nrat = 7', 8, "rat"),
    "wrong value": ("[defaults]\nsay = 'a'\nttft = '50'", 3, "ttft"),
    "wrong type": ("[[scenario]]\nname='a'\nrate = []", 3, "rate"),
    "wrong when": ("[[scenario]]\nname='a'\nwhen = {modell = 'x'}", 3, "modell"),
    "no regex": ("[[scenario]]\nname='a'\nwhen = {prompt = '/(/'}", 3, "prompt"),
    "missing text": ("[defaults]\ntext = 'none.txt'", 2, "text"),
    "unknown table": ("[default]\nrate=5", 1, "default"),
    "no TOML": ("[defaults]\nrate = = 5", 2, "TOML"),
}


@pytest.mark.parametrize(("text", "line", "key"), SCENARIOS.values(), ids=SCENARIOS)
def test_a_mistake_in_a_scenario_file(text: str, line: int, key: str, refused: Refused, tmp_path: Path) -> None:
    path = tmp_path / "demo.toml"
    path.write_text(text)
    result = refused("--scenarios", "demo.toml")
    assert (result.code, result.out) == (2, "")
    assert re.fullmatch(rf"mockserver: demo\.toml\b.*\b{line}\b.*\n", result.err), result.err
    assert key in result.err


def test_scenarios_are_played_and_the_command_line_overrules_their_defaults(tmp_path: Path) -> None:
    path = tmp_path / "demo.toml"
    (tmp_path / "said.txt").write_text("from a file")
    path.write_text("[defaults]\nsay='default'\ntokens=3\n[[scenario]]\nname='x'\nwhen={model='x*'}\ntext='said.txt'\n")
    with Served("--scenarios", str(path), "--say", "command") as server:
        for model, said in (("m", "command"), ("x1", "from a file")):
            value = exchange(server.port, body={**CHAT, "model": model}).value
            assert value["choices"][0]["message"]["content"] == said


@pytest.mark.parametrize("content", [b"\xff\xfe", b"ok\xc3", b"\xed\xa0\x80"])
def test_a_text_that_is_not_utf8(content: bytes, refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "said.txt").write_bytes(content)
    result = refused("--text", "said.txt")
    assert (result.code, result.out) == (2, "")
    assert re.fullmatch(r"mockserver: --text: .*'said\.txt' is not UTF-8: byte \d is wrong\n", result.err)


def test_a_text_is_said_as_it_is(tmp_path: Path) -> None:
    text = "Grüße,\r\n\tworld \U0001f600  \n\n"
    path = tmp_path / "said.txt"
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    with Served("--text", str(path)) as server:
        path.unlink()
        assert exchange(server.port, body=CHAT).value["choices"][0]["message"]["content"] == text
        chunks = exchange(server.port, body=STREAM).body.split(b"\n\n")
        deltas = [json.loads(chunk[6:])["choices"][0]["delta"] for chunk in chunks if chunk[6:7] == b"{"]
        assert "".join(delta.get("content", "") for delta in deltas) == text


CASSETTES = {
    "empty": b"",
    "nonsense": b"garbage\n",
    "binary": bytes(range(256)),
    "another version": b'{"kind":"cassette","version":99}\n',
    "broken line": b'{"kind":"cassette","version":1}\n{"kind":"request"\n{"kind":"end"}\n',
    "unknown line": b'{"kind":"cassette","version":1}\n{"kind":"what"}\n{"kind":"what"}\n',
}


@pytest.mark.parametrize("content", CASSETTES.values(), ids=CASSETTES)
def test_a_corrupt_cassette(content: bytes, refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "chat.cassette").write_bytes(content)
    result = refused("--replay", "chat.cassette")
    assert (result.code, result.out) == (2, "")
    assert re.fullmatch(r"mockserver: .*chat\.cassette.*\n", result.err)
    assert not content or re.search(r"line \d", result.err)


# ---------------------------------------------------------------------------------------------------------------- TLS


def test_tls_with_the_authority_that_it_writes(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    with Served("--tls", "--tls-ca", str(path), "--say", "secret") as server:
        assert server.url == f"https://127.0.0.1:{server.port}"
        assert server.ready["certificate_authority"] == path.read_text()
        trust = ssl.create_default_context(cafile=path)
        for name in ("127.0.0.1", "localhost"):
            reply = httpx.post(f"https://{name}:{server.port}/v1/chat/completions", json=CHAT, verify=trust)
            assert reply.json()["choices"][0]["message"]["content"] == "secret"
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            httpx.get(f"{server.url}/api/version")
        assert b"400" in raw(server.port, wire("/api/version")) or raw(server.port, wire("/api/version")) == b""
        assert httpx.get(f"{server.url}/api/version", verify=trust).status_code == 200
        result = server.terminate()
    assert (result.code, result.err) == (0, "")


def test_the_readable_ready_line_has_no_certificate() -> None:
    with Filter("mockserver", "--port", "0", "--tls") as process:
        process.until(lambda: b"\n" in process.out, "say that it is ready")
        assert re.fullmatch(rb"ready at https://127\.0\.0\.1:\d+ \(seed \d+\)\n", process.out)


# ------------------------------------------------------------------------------------------------------ journal and log


def test_the_journal_file(tmp_path: Path) -> None:
    path = tmp_path / "journal.ndjson"
    bodies = []
    for _ in range(2):
        with Served("--journal", str(path), "--journal-bytes", "100000", "--tokens", "3") as server:
            bodies.append(exchange(server.port, body=STREAM, headers={"Authorization": "Bearer TOP-SECRET"}).body)
            raw(server.port, wire(body=STREAM, mock="fault=reset@token:2"))
            server.until(lambda: path.read_text().count("reset@token:2") >= 2, "write its journal")
            server.terminate()
    assert "TOP-SECRET" not in path.read_text()
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(lines) == 6
    for body, (clocks, whole, cut) in zip(bodies, (lines[:3], lines[3:]), strict=True):
        assert clocks["mockserver_journal"] == 1
        assert 0 < whole["arrived_ns"] - clocks["monotonic_ns"] < 10**10
        assert (whole["number"], whole["outcome"], whole["status"], whole["tokens"]) == (1, "complete", 200, 3)
        assert whole["body"] == STREAM
        sent = whole["sent"].encode("latin-1")
        assert len(sent) == whole["sent_bytes"] == sum(row[3] for row in whole["writes"])
        assert sent.endswith(b"0\r\n\r\n")
        assert b"".join(re.findall(rb"data: [^\r]*\n\n", sent)) == body
        assert (cut["number"], cut["outcome"], cut["faults"], cut["tokens"]) == (2, "reset", ["reset@token:2"], 2)


def test_a_journal_that_takes_no_more_is_told_once_and_costs_no_answer(tmp_path: Path) -> None:
    """A limit on the size of files stands in for a full disk."""
    path = tmp_path / "journal.ndjson"
    via = 'sh -c \'trap "" XFSZ; ulimit -f 8; exec "$@"\' sh "$@"'
    with Served("--journal", str(path), via=via) as server:
        replies = [exchange(server.port, body={**STREAM, "max_tokens": 200}) for _ in range(6)]
        assert [reply.status for reply in replies] == [200] * 6
        assert all(reply.body.endswith(b"data: [DONE]\n\n") for reply in replies)
        result = server.terminate()
    assert result.code == 0
    assert re.search("journal.ndjson cannot be written: .*[Ff]ile too large; it ends here", result.complaint)


def test_no_room_for_a_journal() -> None:
    result = run("mockserver", "--port", "0", "--journal", "/dev/full")
    assert (result.code, result.out) == (4, b"")
    assert result.complaint == "mockserver: the journal /dev/full cannot be written: No space left on device"


def test_log_lines() -> None:
    with Served("--log", "--tokens", "3") as server:
        exchange(server.port, body=STREAM)
        server.expect_error(r"(?m)^mockserver: #1 POST /v1/chat/completions 200 complete 3 tokens \d+ bytes \d+ ms$")
        exchange(server.port, "/v1/nope?key=SECRET")
        server.expect_error(r"(?m)^mockserver: #2 GET \S+ 404 complete 0 tokens")
        raw(server.port, wire(body=STREAM, mock="fault=reset@token:2"))
        server.expect_error(r"(?m)^mockserver: #3 POST \S+ 200 reset 2 tokens .*  reset@token:2$")
        result = server.terminate()
    assert "SECRET" not in result.err
    assert len(result.err.splitlines()) == 3
    assert result.err.replace("\n", "").isprintable()


def test_no_log_where_nobody_looks() -> None:
    with Served() as server:
        exchange(server.port, body=STREAM)
        assert server.terminate().err == ""


# ------------------------------------------------------------------------------------------------------- the same again

ASKED: tuple[tuple[str, object], ...] = (
    ("/v1/chat/completions", STREAM),
    ("/v1/chat/completions", STREAM),
    ("/api/chat", CHAT),
    ("/v1/messages", {**STREAM, "max_tokens": 50}),
    ("/v1/responses", {"model": "m", "input": "hi", "stream": True}),
    ("/v1beta/models/m:streamGenerateContent?alt=sse", {"contents": [{"parts": [{"text": "hi"}]}]}),
    ("/agui", {"threadId": "t", "runId": "r", "messages": [{"id": "1", "role": "user", "content": "hi"}]}),
    ("/generate", None),
    ("/v1/models", None),
    ("/api/tags", None),
    ("/nope", None),
    ("/api/chat", {"no": "model"}),
)

EXACT = ("--rate", "0", "--split", "random:1:40", "--chunks", "random:1:20", "--tokens", "20")


def test_a_seed_and_a_clock_make_the_same_bytes_in_every_process() -> None:
    said = []
    for seed in ("7", "7", "8"):
        with Served("--seed", seed, "--clock", "fixed:2026-02-03T04:05:06.789Z", *EXACT) as server:
            asked = [wire(path, body, more="Connection: close\r\n") for path, body in ASKED]
            said.append([raw(server.port, request) for request in asked])
    assert said[0] == said[1]
    assert [one.split(b" ", 2)[1] for one in said[0]] == [b"200"] * 10 + [b"404", b"400"]
    assert sum(one != other for one, other in zip(said[0], said[2], strict=True)) >= 9
    assert said[0][0] != said[0][1], "an equal request later has words of its own"
    assert b"Date: Tue, 03 Feb 2026 04:05:06 GMT" in said[0][0]


def test_an_hour_east_is_an_hour_earlier() -> None:
    with Served("--clock", "fixed:2026-02-03T04:05:06+01:00") as server:
        assert exchange(server.port, "/v1/models").headers["date"] == "Tue, 03 Feb 2026 03:05:06 GMT"
        assert b'"created_at":"2026-02-03T03:05:06' in exchange(server.port, "/api/chat", CHAT).body


def test_the_limits_are_options() -> None:
    options = ("--max-body-bytes", "1000", "--max-connections", "3", "--model", "a", "--model", "b", "--slots", "1")
    with Served(*options, "--admin-token", "t0k") as server, contextlib.ExitStack() as clients:
        assert exchange(server.port, body={**CHAT, "model": "a"}).status == 200
        assert exchange(server.port, body=CHAT).status == 404
        assert [model["id"] for model in exchange(server.port, "/v1/models").value["data"]] == ["a", "b"]
        assert exchange(server.port, body={**CHAT, "model": "a", "pad": "x" * 1000}).status == 413
        assert exchange(server.port, "/_mock/state").status == 401
        assert exchange(server.port, "/_mock/state", headers={"X-Mock-Token": "t0k"}).value["slots"] == 1
        held = [clients.enter_context(connected(server.port)) for _ in range(3)]
        for client in held:  # it has been accepted, and stays
            client.sendall(wire("/health"))
            read_until(client, b"\r\n\r\n")
        assert exchange(server.port, "/api/version").status == 503


@linux_only
def test_a_low_soft_limit_on_open_files_is_raised() -> None:
    via = 'sh -c \'ulimit -S -n 32; exec "$@"\' sh "$@"'
    with Served(via=via) as server, contextlib.ExitStack() as clients:
        held = [clients.enter_context(connected(server.port)) for _ in range(60)]
        for client in held:
            client.sendall(wire("/api/version"))
        for client in held:
            assert b"200 OK" in read_until(client, b"\r\n\r\n")


# ---------------------------------------------------------------------------------------------------- record and replay


def reads_of(path: Path) -> list[list[bytes]]:
    """Return the reads of each exchange in a cassette."""
    from streamkit.io.cassette import read_cassette

    return [[read.data for read in recorded.reads] for recorded in read_cassette(path).exchanges]


@linux_only
def test_record_then_replay(tmp_path: Path) -> None:
    """The boundaries of reads are the same once more: each of the original's writes, one by one."""
    path = tmp_path / "chat.cassette"
    requests = [
        wire(body=STREAM, more="Authorization: Bearer TOP-SECRET\r\nConnection: close\r\n"),
        wire(body=STREAM, mock="fault=reset@token:2"),
        wire("/api/chat", CHAT, mock="fault=close@token:2"),
        wire("/nope", more="Connection: close\r\n"),
    ]
    options = ("--seed", "3", "--tokens", "5", "--split", "size:50", "--writes", "acked")
    with Served(*options) as real:
        upstream = ("--upstream", real.url, "--cassette", str(path))
        with Served(*upstream, command=("mockserver", "record")) as recorder:
            assert recorder.ready["cassette"] == str(path)
            originals = [raw(recorder.port, request) for request in requests]
            assert recorder.terminate().code == 0
    assert originals[0].endswith(b"0\r\n\r\n")
    assert b"TOP-SECRET" not in path.read_bytes()
    recorded = reads_of(path)
    assert [b"".join(reads) for reads in recorded] == originals
    assert len(recorded[0]) > 5, "the writes did not come one by one at all"
    journal = tmp_path / "journal"
    with Served("--replay", str(path), "--speed", "10", "--journal", str(journal), "--writes", "acked") as replayed:
        assert [raw(replayed.port, request) for request in requests] == originals
        assert exchange(replayed.port, "/never").status == 404
        assert raw(replayed.port, requests[0]) == originals[1], "of equal requests the last one is repeated"
        replayed.terminate()
    entries = [json.loads(line) for line in journal.read_text().splitlines()[1:]]
    written = [[row[3] for row in entry["writes"]] for entry in entries[:4]]
    assert written == [[len(read) for read in reads] for reads in recorded]
    assert [entry["outcome"] for entry in entries[:4]] == ["complete", "reset", "closed", "complete"]


def test_a_recorder_says_what_is_wrong_and_lives_on(tmp_path: Path) -> None:
    path = tmp_path / "c"
    with taken_port() as port:
        busy = run("mockserver", "record", "--upstream", "http://h", "--cassette", str(path), "--port", str(port))
    assert busy.code == 4
    assert f"port {port}: it is in use" in busy.complaint
    assert not path.exists(), "nothing was recorded, so there is no file that is in the way next time"
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        upstream = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        with Served("--upstream", upstream, "--cassette", str(path), command=("mockserver", "record")) as recorder:
            for _ in range(2):
                assert exchange(recorder.port, body=CHAT).status == 502
            recorder.interrupt()
            result = recorder.wait()
    assert (result.code, result.err) == (130, "")
    for name, words in ((path, r"c exists: .*another name"), (tmp_path / "none" / "c", "none/c .*No such file")):
        again = run("mockserver", "record", "--upstream", "http://h", "--cassette", str(name), "--port", "0")
        assert again.code == 2
        assert re.search(words, again.complaint)


def test_a_recorder_that_is_stopped_amid_a_stream_leaves_what_can_be_played(tmp_path: Path) -> None:
    path = tmp_path / "chat.cassette"
    with Served() as real:
        record = ("--upstream", real.url, "--cassette", str(path))
        with (
            Served(*record, command=("mockserver", "record")) as recorder,
            connected(recorder.port) as client,
        ):
            client.sendall(HELD)
            got = read_tokens(client, 3)
            assert recorder.terminate().code == 0
    with Served("--replay", str(path), "--speed", "100") as replayed:
        assert raw(replayed.port, HELD).startswith(got)


# -------------------------------------------------------------------------------------------------- what is in a start

NOT_LOADED = {"asyncio", "anyio", "httpx", "hypothesis", "pytest", "rich", "trustme", "cryptography", "numpy"}


def test_an_idle_server_has_loaded_nothing_that_it_does_not_need(tmp_path: Path) -> None:
    script = tmp_path / "started.py"
    script.write_text(
        "import atexit, json, sys\n"
        "atexit.register(lambda: print(json.dumps(sorted(sys.modules))))\n"
        "sys.argv[0] = 'mockserver'\n"
        "from streamkit.cli.main import mockserver\n"
        "mockserver()\n"
    )
    with Served(command=("python", str(script))) as server:
        exchange(server.port, body=STREAM)
        loaded = {name.partition(".")[0] for name in json.loads(server.terminate().out.splitlines()[-1])}
    assert not loaded & NOT_LOADED
    assert "trio" in loaded


def test_slow_and_fast_clients_are_answered_beside_each_other() -> None:
    """One process, many connections: none waits for another."""
    with Served("--tokens", "3") as server, connected(server.port) as held:
        held.sendall(HELD)
        read_tokens(held, 3)
        client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=DEADLINE_S)
        for _ in itertools.repeat(None, 5):
            client.request("POST", "/api/chat", json.dumps(CHAT))
            assert client.getresponse().read().count(b"\n") >= 4
        client.close()
        assert exchange(server.port, "/_mock/gates/held/open", b"", method="POST").status == 200
        assert b"[DONE]" in read_until(held, b"0\r\n\r\n")
        assert exchange(server.port, "/_mock/state").value["requests"] == 6
