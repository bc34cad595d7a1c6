"""`streamkit contract` as a user meets it: a process, its options, its files, its exit codes, its signals."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mockserver.script import Gate, Script, Write
from mockserver.scripted import written_script
from streamkit.cli.contract_fuzz import repeating
from streamkit.http.in_thread import in_thread
from tests.cli.harness import Filter, Result, run
from tests.contract.against import free_port, listening
from tests.contract.mutants.all import MUTANTS

FEW = ("--run", "flush.sse.chunked", "--run", "end.abort.mid", "--run", "hdr.via")

NOWHERE = ("--target", "http://127.0.0.1:1", "--upstream", "127.0.0.1:0")


def contract(*arguments: str, stdin: bytes = b"") -> Result:
    return run("streamkit", "contract", *arguments, stdin=stdin)


def lines_of(result: Result) -> list[list[str]]:
    return [line.split("  ", 2) for line in result.out.decode().splitlines()]


@contextmanager
def mutant(name: str) -> Iterator[tuple[str, ...]]:
    """A wrong relay in a thread; gives the options that test it."""
    port = free_port()
    with in_thread(lambda: listening(MUTANTS[name].relay(port).serve), "mutant") as (url, _):
        yield ("--target", url, "--upstream", f"127.0.0.1:{port}", "--limit", "300ms")


def test_the_embedded_gateway_keeps_its_promises(tmp_path: Path) -> None:
    files = {name: tmp_path / f"report.{name}" for name in ("json", "html", "junit", "publish")}
    result = contract(*FEW, *(word for name, path in files.items() for word in (f"--{name}", str(path))))
    assert (result.code, result.err) == (0, "")
    verdicts = {words[1]: words[0] for words in lines_of(result) if len(words) == 3}
    assert verdicts["flush.sse.chunked"] == verdicts["end.abort.mid"] == "OK"
    assert verdicts["hdr.via"] == "INFORMATIONAL"
    report = json.loads(files["json"].read_bytes())
    assert {case["id"]: case["verdict"] for case in report["cases"]} == verdicts
    assert (report["summary"]["OK"], report["profile"], report["seed"]) == (5, "pipe", 0)
    (abort,) = (case for case in report["cases"] if case["id"] == "end.abort.mid")
    assert abort["ending"] == "incomplete-visible"
    assert files["html"].read_text().startswith("<!doctype html>")
    assert "<testcase" in files["junit"].read_text()
    assert "evidence" not in files["publish"].read_text()


def test_json_is_all_that_standard_output_has() -> None:
    result = contract("--run", "flush.sse.chunked", "--json", "-")
    assert [case["id"] for case in json.loads(result.out)["cases"]][-1] == "flush.sse.chunked"
    assert "OK  flush.sse.chunked" in result.err


def test_a_proxy_that_breaks_a_promise_is_exit_1(tmp_path: Path) -> None:
    known, stale = tmp_path / "known.txt", tmp_path / "stale.txt"
    known.write_text("end.abort.mid  # it swallows errors\n")
    stale.write_text("end.abort.mid\nflush.sse.chunked\n")
    with mutant("Swallowed") as target:
        plain = contract(*target, *FEW)
        assert plain.code == 1
        assert ["FAILED", "end.abort.mid"] in [words[:2] for words in lines_of(plain)]
        assert contract(*target, *FEW, "--expected-failures", str(known)).code == 0
        outdated = contract(*target, *FEW, "--expected-failures", str(stale))
        assert (outdated.code, b"stale: flush.sse.chunked" in outdated.out) == (1, True)


def test_what_should_hold_fails_with_strict_alone() -> None:
    with mutant("HeldHead") as target:
        assert contract(*target, "--run", "flush.head").code == 0
        assert contract(*target, "--run", "flush.head", "--strict").code == 1


def test_a_target_that_cannot_be_tested_is_exit_4(tmp_path: Path) -> None:
    """The reason is what is to be read: before all that was not run for it, and behind that again."""
    known = tmp_path / "known.txt"
    known.write_text("")
    result = contract(*NOWHERE, "--expected-failures", str(known), "--run", "flush")
    reach, not_run, blank, *_, again = result.out.decode().splitlines()
    assert result.code == 4
    assert reach.startswith("HARNESS-ERROR  setup.reach  cannot connect to http://127.0.0.1:1: connection refused; st")
    assert re.match(r"DEPENDENCY-FAILED  \d\d cases  not run: it says nothing while setup.reach is HARNESS", not_run)
    assert (blank, again) == ("", reach)


def test_a_report_that_cannot_be_written_keeps_no_other_back(tmp_path: Path) -> None:
    html = tmp_path / "report.html"
    result = contract("--run", "flush.head", "--json", "/dev/full", "--html", str(html))
    assert result.code == 4
    assert "--json /dev/full: No space left on device" in result.err
    assert html.read_text().startswith("<!doctype html>")
    assert b"cases against streamkit gateway" in result.out


@pytest.mark.parametrize(
    "script", [Script([]), Script([Write(b"garbage no http")]), Script([Write(b"HTTP/1.1 100 \r\n\r\n")])]
)
def test_a_script_that_is_no_response_is_refused(script: Script) -> None:
    result = contract("--script", "-", stdin=written_script(script).encode())
    assert result.code == 2
    assert "--script - writes no final response's head" in result.err


def test_the_list_runs_nothing() -> None:
    result = contract("--list", "--run", "flush", *NOWHERE)
    ids = [line.split()[0] for line in result.out.decode().splitlines()]
    assert ids[:3] == ["flush.head", "flush.head.get", "flush.sse.chunked"]
    assert all(case_id.startswith("flush.") for case_id in ids)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--target", "http://127.0.0.1:1"], "--target needs --upstream HOST:PORT"),
        (["--upstream", "127.0.0.1:0"], "--upstream does nothing without --target or --with"),
        (["--target", "a", "--upstream", "127.0.0.1:0"], "'a' is not an http or https URL"),
        ([*NOWHERE[:2], "--upstream", "9000"], "'9000' is not HOST:PORT"),
        ([*NOWHERE, "--with", "nginx"], "--target and --with do not go together"),
        (["--with", "ngnix"], "no proxy is called 'ngnix': choose from nginx"),
        (["--run", "flsh"], "did you mean flush"),
        (["--client-dialect", "french"], "there is no dialect 'french'"),
        (["--insecure"], "--insecure does nothing without --target"),
        (["--html", "-"], "--html - would stand among the lines of the run"),
        (["--junit", "/"], "--junit /: it is a directory"),
        (["--fuzz", "1", "--json", "x"], "--json is about the cases, and does nothing with --fuzz"),
        (["--with", "nginx", "--product", "x"], "--product does nothing without --target"),
        (["--config", "x"], "--config does nothing without --target"),
        (["--limit", "0"], "--limit 0: a piece has to be waited for"),
        (["--fuzz", "1", "--strict"], "--strict is about the cases, and does nothing with --fuzz"),
        (["--fuzz", "1", "--script", "x"], "--fuzz and --script do not go together"),
        (["--path", "x"], "--path 'x' has to begin with a slash"),
        (["--script", "no-such-file"], "--script no-such-file: No such file"),
        (["--expected-failures", "no-such-file"], "no-such-file: No such file"),
        (["--json", "no/such/directory/x.json"], "--json no/such/directory/x.json: there is no such directory"),
        (["--header", "x"], "write NAME=VALUE"),
        (["--strict", "matrix", "--with", "nginx"], "--strict before matrix would do nothing"),
        (["matrix", "--with", "ngnix"], "no proxy is called 'ngnix'"),
    ],
)
def test_a_mistake_is_exit_2(arguments: list[str], complaint: str) -> None:
    result = contract(*arguments)
    assert result.code == 2
    assert complaint in " ".join(result.err.split())


def test_a_script_is_played_and_repeats_what_was_found() -> None:
    script = Script([Write(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"), Write(b"one"), Gate("held")])
    text = written_script(script).encode()
    assert contract("--script", "-", stdin=text).code == 0
    with mutant("WholeBody") as slow:
        target = (*slow[:-1], "100ms")  # what it holds does not come by itself
        found = contract(*target, "--fuzz", "50", "--seed", "3")
        assert found.code == 1
        printed = found.out.decode()
        assert f"--target {target[1]} --upstream {target[3]} --limit 0.1s --script - <<'END'" in printed
        again = printed.partition("<<'END'\n")[2].partition("END\n")[0]
        assert contract(*target, "--script", "-", stdin=again.encode()).code == 1
    assert contract("--script", "-", stdin=again.encode()).code == 0


def test_a_repeating_command_shows_no_secret() -> None:
    options: dict[str, object] = dict.fromkeys(
        ("with_", "advertise", "target_ca", "profile", "upstream_dialect", "model", "path"), ""
    )
    options |= {"target": "http://a", "upstream": "b:1", "client_dialect": "openai-chat"}
    options |= {"upstream_tls": True, "upstream_ca": "ca.pem", "insecure": True, "limit_s": 1.0}
    command = repeating(Script([]), {**options, "headers": [("X-Auth", "secret")]})
    assert '--header X-Auth="${X_AUTH:?is what the header X-Auth is to be}"' in command, "a shell stops there"
    assert "--upstream-tls --upstream-ca ca.pem --insecure --limit 1s --script -" in command, "all that it needs"
    assert "secret" not in command


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_at_once(number: signal.Signals, code: int) -> None:
    with mutant("Hangs") as target, Filter("streamkit", "contract", *target[:-1], "60s", "--run", "end.abort") as slow:
        slow.until(lambda: b"setup.fresh" in slow.out, "begin")
        slow.process.send_signal(number)
        assert slow.wait().code == code


def test_a_closed_pipe_is_exit_141() -> None:
    with Filter("streamkit", "contract", "--run", "flush", "--limit", "1s") as told:
        told.stop_reading()
        assert told.wait().code == 141
