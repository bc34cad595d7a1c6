"""`streamkit bench` as a user meets it: its options, its files, its exit codes, its signals.

What needs no process of its own runs in this one (`tests.cli.inside`); most cases go without warm-up and calibration,
which have cases of their own. What the figures are worth is not looked at here.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

import streamkit.bench.report
from mockserver.open import MockInThread, mockserver_in_thread
from streamkit.bench.hlog import read_hlog
from streamkit.bench.job import Job
from streamkit.bench.plan import Concurrency
from streamkit.bench.report.document import as_json
from streamkit.bench.results import Result as Found
from streamkit.cli import bench_run
from streamkit.gateway.open import open_gateway
from streamkit.http.in_thread import in_thread
from tests.bench.results_made import SERVER, record_of, records_of, run_of
from tests.cli.harness import DEADLINE_S, Filter, Result, run
from tests.cli.inside import Inside, inside_of
from tests.contract.against import free_port

QUICK = ("--calibration", "0", "--warmup", "none")

NOWHERE = "http://127.0.0.1:1/v1"

JUDGE = jsonschema.Draft202012Validator(
    json.loads(Path(streamkit.bench.report.__file__).with_name("schema.json").read_text())
)


@pytest.fixture(scope="module")
def server() -> Iterator[MockInThread]:
    with mockserver_in_thread(ttft="2ms", rate=1000, tokens=4) as mock:
        yield mock


@pytest.fixture
def mock(server: MockInThread) -> MockInThread:
    """The one server, with nothing in its journal."""
    server.reset()
    return server


@pytest.fixture
def inside(capfdbinary: pytest.CaptureFixture[bytes]) -> Inside:
    """A command in this process."""
    return inside_of(capfdbinary)


def bench(inside: Inside, *arguments: str, env: dict[str, str] | None = None) -> Result:
    result: Result = inside("streamkit", "bench", *arguments, env=env)
    return result


def found(result: Result) -> dict[str, Any]:
    """What `--json -` has written, judged by the committed schema."""
    document: dict[str, Any] = json.loads(result.out)
    JUDGE.validate(document)
    return document


def measured(inside: Inside, mock: MockInThread, *arguments: str) -> dict[str, Any]:
    """Measure quickly, and return the JSON."""
    result = bench(inside, f"{mock.url}/v1", "--model", "m", *QUICK, "--json", "-", *arguments)
    assert result.code == 0, result.err
    return found(result)


def bodies(mock: MockInThread) -> list[dict[str, Any]]:
    return [entry["body"] for entry in mock.journal]


def prompts(mock: MockInThread) -> list[str]:
    return [body["messages"][-1]["content"] for body in bodies(mock)]


class Answering(BaseHTTPRequestHandler):
    """Answers whatever is asked with `status` and `answer()`."""

    status = 200
    media_type = "application/json"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        said = self.answer(body)
        self.send_response(self.status)
        self.send_header("Content-Type", self.media_type)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def answer(self, body: bytes) -> bytes:
        """Say something."""
        raise NotImplementedError

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Llama(Answering):
    """Speaks Ollama's dialect, whatever the path."""

    media_type = "application/x-ndjson"

    def answer(self, body: bytes) -> bytes:
        del body
        said = (
            {"model": "m", "message": {"role": "assistant", "content": "Hi"}, "done": last} for last in (False, True)
        )
        return b"".join(json.dumps(each).encode() + b"\n" for each in said)


class Echo(Answering):
    """Refuses everything, and says what it was sent."""

    status = 401

    def answer(self, body: bytes) -> bytes:
        del body
        return json.dumps({"error": {"message": f"refused: {dict(self.headers)} {self.path}"}}).encode()


@contextmanager
def answering(handler: type[Answering]) -> Iterator[str]:
    """Serve at the URL that is yielded."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{serving.server_address[1]}"
        finally:
            serving.shutdown()
            thread.join()


# What makes no sense.


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "say what is to be measured: a URL, like"),
        ([NOWHERE, "--direct", NOWHERE], "URL and --direct cannot both be meant"),
        ([NOWHERE, "--proxy", NOWHERE], "URL and --proxy cannot both be meant"),
        (["--direct", NOWHERE], "--direct is for beside a proxy: add --proxy URL"),
        (["--upstream", "127.0.0.1:0"], "--upstream is for beside a proxy: add --proxy URL"),
        (["--proxy", NOWHERE], "add --direct URL, or --upstream HOST:PORT"),
        (["--direct", NOWHERE, "--proxy", f"direct={NOWHERE}"], "have the same name; name them like --proxy nginx="),
        (["--proxy", NOWHERE, "--upstream", "9000"], "write it like 127.0.0.1:9000"),
        (["ftp://x"], "is not an http or https URL; write it like"),
        (["http://me:secret-word@127.0.0.1:1"], "give an API key, or an Authorization header, instead"),
        ([NOWHERE, "--dialect", "french"], "there is no dialect 'french'; there are ollama-chat"),
        ([NOWHERE, "--concurrency", "0"], "write a whole number from 1 to"),
        ([NOWHERE, "--concurrency", "8,8"], "a load is run once"),
        ([NOWHERE, "--rate", "20"], "is no rate: write poisson:20, constant:20, or gamma:20,0.5"),
        ([NOWHERE, "--rate", "gamma:20"], "write gamma:20,0.5"),
        ([NOWHERE, "--concurrency", "1", "--rate", "poisson:1"], "--concurrency and --rate cannot both be meant"),
        ([NOWHERE, "--trace", "no-such-file"], "--trace no-such-file: No such file"),
        ([NOWHERE, "--prompts", "no-such-file"], "--prompts no-such-file: No such file"),
        ([NOWHERE, "--prompt", "a", "--input-tokens", "9"], "--prompt and --input-tokens cannot both be meant"),
        ([NOWHERE, "--requests", "9", "--until", "p50 ttft 5%"], "--requests and --until cannot both be meant"),
        ([NOWHERE, "--until", "p50 ttft"], "lacks a tolerance in %: it is said like p99 ttft"),
        ([NOWHERE, "--until", ""], "--until '' says nothing: leave it out, or write a value"),
        ([NOWHERE, "--until", "p99 dispatch_delay 5%"], "are never due: take --rate"),
        ([NOWHERE, "--slo", "ttft"], "write METRIC=TIME, like ttft=200ms"),
        ([NOWHERE, "--slo", ""], "--slo '' says nothing: leave it out, or write a value"),
        ([NOWHERE, "--slo", "ttft_from_schedule=1s"], "are never due: take --rate"),
        ([NOWHERE, "--warmup", "some"], "write a number of requests, a time like 5s, or none"),
        ([NOWHERE, "--duration", "0"], "--duration 0 leaves no time for a request to begin: write a time"),
        ([NOWHERE, "--duration", "30"], "'30' has no unit: write 30ms, or another of us, ms, s, m"),
        ([NOWHERE, "--max-tool-error", "some"], "is no share: write it like 10%"),
        ([NOWHERE, "--strict", "--calibration", "0"], "--strict goes by the calibration: leave --calibration 0 out"),
        ([NOWHERE, "--max-tool-error", "5%", "--calibration", "0"], "--max-tool-error goes by the calibration"),
        ([NOWHERE, "--header", "x"], "write NAME=VALUE"),
        ([NOWHERE, "--header", "Content-Length=5"], "Content-Length is set by what sends the request; leave it out"),
        ([NOWHERE, "--header", "transfer-encoding=chunked"], "is set by what sends the request; leave it out"),
        ([NOWHERE, "--api-key-env", "NO_SUCH_KEY"], "there is no such environment variable"),
        ([NOWHERE, "--server-ca", "x"], "--server-ca is about servers whose URL begins with https:"),
        (["https://127.0.0.1:1/v1", "--server-ca", "no-such-file"], "no-such-file: No such file"),
        ([NOWHERE, "--html", "-"], "--html - would stand among the lines of the run: name a file"),
        ([NOWHERE, "--json", "no/such/x.json"], "--json no/such/x.json: there is no such directory"),
        ([NOWHERE, "--raw", "/"], "--raw /: it is a directory"),
        ([NOWHERE, "--raw", "x", "--json", "x"], "two reports would be written to x: name two files"),
        (["--strict", "compare"], "compare comes first: streamkit bench compare A.json B.json"),
        (["compare", "A.json"], "Missing argument 'B.json'"),
        (["compare", "no-such-file", "b"], "A.json no-such-file: No such file"),
        (["compare", "-", "-"], "cannot both come on standard input: name a file"),
        (["compare", __file__, __file__], "is no JSON"),
        (["compare", "a", "b", "--fail-if", "ttft p95"], "lacks a limit with its sign: it is said like"),
    ],
)
def test_a_mistake_is_exit_2_and_says_what_to_do(inside: Inside, arguments: list[str], complaint: str) -> None:
    result = bench(inside, *arguments)
    assert (result.code, result.out) == (2, b"")
    assert complaint in " ".join(result.err.split())
    assert "secret-word" not in result.err


# What is asked, and how much.


def test_a_sweep_of_concurrencies(inside: Inside, mock: MockInThread) -> None:
    document = measured(inside, mock, "--concurrency", "1,2,4", "--requests", "8")
    assert [each["concurrency"] for each in document["runs"]] == [1, 2, 4]
    assert [(each["requests"], each["errors"]) for each in document["runs"]] == [(8, 0)] * 3
    assert [each["server"] for each in document["knees"]] == ["server"]
    assert len(mock.journal) == 24


def test_rates(inside: Inside, mock: MockInThread) -> None:
    rates = ("--rate", "constant:200", "--rate", "gamma:300,2")
    document = measured(inside, mock, *rates, "--requests", "6", "--slo", "ttft_from_schedule=30s,itl=10s")
    assert [each["rate"] for each in document["runs"]] == [200, 300]
    assert all(each["metrics"]["ttft_from_schedule_ms"]["n"] == 6 for each in document["runs"])
    assert [each["goodput"]["requests"] for each in document["runs"]] == [6, 6]


def test_a_trace(inside: Inside, mock: MockInThread, tmp_path: Path) -> None:
    trace = tmp_path / "trace.ndjson"
    rows = ({"at_ms": 5, "prompt": "second", "max_tokens": 2}, {"timestamp": 0, "input_length": 50, "output_length": 3})
    trace.write_text("".join(json.dumps(row) + "\n" for row in rows))
    document = measured(inside, mock, "--trace", str(trace))
    (only,) = document["runs"]
    assert (only["requests"], only["tokens"]["output"]) == (2, 5)
    most = [body.get("max_tokens", body.get("max_completion_tokens")) for body in bodies(mock)]
    assert most in ([2, 3], [3, 2])
    assert any(each.endswith("second") for each in prompts(mock))


def test_until_a_figure_is_known(inside: Inside, mock: MockInThread) -> None:
    document = measured(inside, mock, "--until", "p50 e2e +-90%", "--concurrency", "4")
    (only,) = document["runs"]
    assert 30 <= only["requests"] < 2000, "not for the ten minutes that it has"
    assert only["is_goal_met"] is True
    assert any("p50 e2e: " in note and "±90% wanted" in note for note in only["notes"])
    assert not document["is_interrupted"]


def test_a_goal_that_was_not_reached_is_exit_1(inside: Inside, mock: MockInThread) -> None:
    places = (f"{mock.url}/v1", "--model", "m", *QUICK, "--json", "-")
    result = bench(inside, *places, "--until", "p99 ttft +-0.01%", "--duration", "100ms")
    assert result.code == 1, result.err
    assert found(result)["runs"][0]["is_goal_met"] is False
    assert "--until p99 ttft +-0.01%: not known well enough for server, concurrency 1" in result.err


def test_a_warm_up_counts_nothing(inside: Inside, mock: MockInThread) -> None:
    document = measured(inside, mock, "--warmup", "3", "--requests", "2")
    assert document["runs"][0]["requests"] == 2
    assert len(mock.journal) == 5


def test_prompts_are_unique_unless_they_are_to_be_the_same(inside: Inside, mock: MockInThread, tmp_path: Path) -> None:
    listed = tmp_path / "prompts.txt"
    listed.write_text("First?\nSecond?\n")
    measured(inside, mock, "--prompts", str(listed), "--requests", "4", "--max-tokens", "2")
    said = prompts(mock)
    assert sorted(each.split()[-1] for each in said) == ["First?", "First?", "Second?", "Second?"]
    assert len({each[:2] for each in said}) == 4, "no prefix cache knows the beginning of any"
    mock.reset()
    measured(inside, mock, "--prompt", "Why?", "--same-prompt", "--requests", "3")
    assert {*prompts(mock)} == {"Why?"}
    mock.reset()
    measured(inside, mock, "--input-tokens", "40", "--requests", "2")
    assert all(15 < len(each.split()) < 41 for each in prompts(mock)), "what makes each unique has its share"


# What comes out.


def test_all_reports_of_a_run(inside: Inside, mock: MockInThread, tmp_path: Path) -> None:
    files = {name: tmp_path / f"report.{name}" for name in ("json", "html", "hlog", "raw")}
    options = (word for name, path in files.items() for word in (f"--{name}", str(path)))
    places = (f"{mock.url}/v1", "--model", "m", "--requests", "8", "--concurrency", "2")
    result = bench(inside, *places, "--calibration", "200ms", "--warmup", "2", *options)
    assert result.code == 0, result.err
    document = json.loads(files["json"].read_bytes())
    JUDGE.validate(document)
    (only,) = document["runs"]
    assert (only["requests"], only["errors"], only["metrics"]["ttft_ms"]["n"]) == (8, 0, 8)
    assert only["tool_error_ms"]["p50"] > 0, "a clock has no zero error"
    page = files["html"].read_text()
    assert page.startswith("<!doctype html>")
    assert "ttft" in page
    logged = {each.tag: each.distribution.n for each in read_hlog(files["hlog"].read_text())}
    assert logged["server/concurrency-2/ttft_ms/new"] + logged["server/concurrency-2/ttft_ms/reused"] == 8
    raw = [json.loads(line) for line in files["raw"].read_text().splitlines()]
    assert [each.get("outcome") for each in raw[1:-1]] == ["ok"] * 8
    assert sum(read[2] for each in raw[1:-1] for read in each["token_reads"]) == 32
    assert raw[-1] == {"end": True, "records": 8, "dropped": 0}
    table = result.out.decode()
    assert "8 of 8 requests ok" in table
    assert re.search(r"^  ttft_ms +8 +\d", table, re.MULTILINE)
    phases = re.findall(r"^(\w+ ?\w*)", result.err, re.MULTILINE)
    assert phases == ["warming up", "calibrating before", "measuring", "calibrating after"]


def test_json_is_all_that_standard_output_has(inside: Inside, mock: MockInThread) -> None:
    result = bench(inside, f"{mock.url}/v1", "--model", "m", *QUICK, "--requests", "2", "--json", "-")
    assert found(result)["runs"][0]["requests"] == 2
    assert "2 of 2 requests ok" in result.err


def test_a_report_that_cannot_be_written_keeps_no_other_back(
    inside: Inside, mock: MockInThread, tmp_path: Path
) -> None:
    places = (f"{mock.url}/v1", "--model", "m", *QUICK, "--requests", "1")
    result = bench(inside, *places, "--json", "/dev/full", "--hlog", str(tmp_path / "x"))
    assert result.code == 4
    assert "--json /dev/full: No space left on device" in result.err
    assert read_hlog((tmp_path / "x").read_text())
    assert b"1 of 1 requests ok" in result.out


def test_records_that_cannot_be_written_are_exit_4_too(inside: Inside, mock: MockInThread) -> None:
    result = bench(inside, f"{mock.url}/v1", "--model", "m", *QUICK, "--requests", "3", "--raw", "/dev/full")
    assert result.code == 4
    assert "--raw /dev/full: it cannot be written: No space left on device; 3 records are not in it" in result.err
    assert b"3 of 3 requests ok" in result.out


def test_no_report_takes_another_ones_place(inside: Inside, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "x")
    (tmp_path / "there").mkdir()
    for other in (tmp_path / "link", tmp_path / "there" / ".." / "x"):
        result = bench(inside, NOWHERE, "--json", str(tmp_path / "x"), "--raw", str(other))
        assert result.code == 2, other
        assert "two reports would be written to" in result.err


def test_records_are_not_for_a_pipe_that_nobody_reads(inside: Inside, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    result = bench(inside, NOWHERE, "--raw", str(tmp_path / "pipe"))
    assert result.code == 2
    assert "a pipe that nobody may be reading would hold everything up" in result.err


# What goes wrong.


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", NOWHERE])
def test_no_server_is_exit_4(inside: Inside, url: str) -> None:
    result = bench(inside, url, "--model", "m")
    assert (result.code, result.out) == (4, b"")
    assert "cannot connect to http://127.0.0.1:1: connection refused" in result.err.splitlines()[-1]


@pytest.mark.parametrize("warmup", ["1", "none"])
def test_a_wrong_dialect_says_which_it_looks_like(inside: Inside, warmup: str) -> None:
    given = ("--model", "m", "--calibration", "0", "--warmup", warmup, "--requests", "2")
    with answering(Llama) as url:
        result = bench(inside, f"{url}/v1", *given)
    assert result.code == 4
    assert re.search(r"wrong-dialect: .*it looks like ollama-chat", result.err + result.out.decode())


@pytest.mark.parametrize(
    ("fault", "kind"), [("status:503", "status"), ("close@token:2", "truncated"), ("error@token:1", "in-band-error")]
)
def test_where_all_fails_nothing_is_fast(inside: Inside, mock: MockInThread, fault: str, kind: str) -> None:
    mock.configure(fault=fault)
    result = bench(inside, f"{mock.url}/v1", "--model", "m", *QUICK, "--requests", "3", "--json", "-")
    assert result.code == 4
    (only,) = found(result)["runs"]
    assert (only["requests"], only["errors"]) == (3, 3)
    assert [*only["errors_by_kind"]] == [kind]
    assert all(not each["n"] for each in only["metrics"].values())
    assert result.err.splitlines()[-1].endswith("no request was answered well: there are no figures")


# A strict run.


def test_a_strict_run_is_refused_before_it_is_made(inside: Inside, mock: MockInThread) -> None:
    strict = ("--strict", "--calibration", "200ms", "--warmup", "2", "--requests", "4")
    refused = bench(inside, f"{mock.url}/v1", "--model", "m", *strict, "--max-tool-error", "0%")
    assert (refused.code, refused.out) == (2, b"")
    assert re.search(r"the tool's own error is more than 0% here: ttft p50 is .*; take a quieter", refused.err)
    assert len(mock.journal) == 2, "nothing but the warm-up was asked"
    assert bench(inside, f"{mock.url}/v1", "--model", "m", *strict, "--max-tool-error", "100000%").code == 0


@pytest.mark.parametrize(
    ("error_ms", "is_strict", "code"), [(9, True, 1), (9, False, 0), (0.01, True, 0), (None, True, 1)]
)
def test_a_strict_run_fails_where_its_figures_are_in_doubt(
    capsys: pytest.CaptureFixture[str], error_ms: float | None, is_strict: bool, code: int
) -> None:
    result = Found([SERVER], [run_of(records_of(100), error_ms=error_ms)])
    options = dict.fromkeys(("json_path", "html_path", "hlog_path"))
    job = Job([SERVER], [Concurrency(8)], ["Why?"], is_strict=is_strict)
    assert bench_run.outcome(result, job, options, []) == code
    assert ("too uncertain for --strict" in capsys.readouterr().err) == (code == 1)


# A proxy.


def test_a_proxy_beside_the_server(inside: Inside, mock: MockInThread) -> None:
    with in_thread(lambda: open_gateway(mock.url), "gateway") as (gateway, _):
        places = ("--direct", f"{mock.url}/v1", "--proxy", f"{gateway.url}/v1", "--proxy", f"again={gateway.url}/v1")
        result = bench(inside, *places, "--model", "m", *QUICK, "--requests", "8", "--json", "-")
    assert result.code == 0, result.err
    document = found(result)
    assert [(each["server"], each["requests"]) for each in document["runs"]] == [
        ("direct", 8),
        ("proxy-1", 8),
        ("again", 8),
    ]
    assert [(each["proxy"], each["pairs"]) for each in document["paired"]] == [("proxy-1", 8), ("again", 8)]
    assert "proxy-1 less direct, 1 at once shared by 3 servers: 8 pairs" in result.err


def test_a_proxy_before_our_own_upstream(inside: Inside) -> None:
    port = free_port()
    with in_thread(lambda: open_gateway(f"http://127.0.0.1:{port}"), "gateway") as (gateway, _):
        places = ("--proxy", f"{gateway.url}/v1/chat/completions", "--upstream", f"127.0.0.1:{port}")
        result = bench(inside, *places, *QUICK, "--requests", "6", "--max-tokens", "3", "--json", "-")
    assert result.code == 0, result.err
    assert [each["model"] for each in found(result)["servers"]] == ["mock", "mock"], "nobody has to know it"
    (paired,) = found(result)["paired"]
    assert paired["pairs"] == 6
    assert {name: each["n"] for name, each in paired["token_delay"].items()} == {"direct": 18, "proxy": 18}


@pytest.mark.parametrize(
    ("warmup", "words"),
    [
        ("auto", "proxy: none of the 2 requests of the warm-up was answered: no-connection"),
        ("none", "proxy answered no"),
    ],
)
def test_a_proxy_that_answers_nothing_is_exit_4(inside: Inside, mock: MockInThread, warmup: str, words: str) -> None:
    places = ("--direct", f"{mock.url}/v1", "--proxy", NOWHERE, "--model", "m", "--dialect", "openai-chat")
    result = bench(inside, *places, "--calibration", "0", "--warmup", warmup, "--requests", "2")
    assert result.code == 4, result.err
    assert words in result.err


# Signals and pipes.


def test_an_interrupt_prints_what_there_is(mock: MockInThread, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    given = ("--model", "m", *QUICK, "--duration", "5m", "--concurrency", "1,2", "--json", str(path))
    with Filter("streamkit", "bench", f"{mock.url}/v1", *given) as process:
        process.expect_error(r"measuring: concurrency 1\n.*in flight; [1-9]\d* ok")
        process.interrupt()
        result = process.wait()
    assert result.code == 130
    document = json.loads(path.read_bytes())
    JUDGE.validate(document)
    assert document["is_interrupted"]
    (only,) = document["runs"]
    assert only["metrics"]["ttft_ms"]["n"] > 0
    assert b"interrupted" in result.out
    assert "concurrency 2" not in result.err


def test_a_second_signal_is_not_waited_for_and_the_first_is_named() -> None:
    """A server that takes the request for what it speaks and never answers: nothing has begun that could be stopped."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(DEADLINE_S)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with Filter("streamkit", "bench", url, "--model", "m") as process:
            peer, _ = listener.accept()
            with peer:
                process.process.send_signal(signal.SIGTERM)
                assert process.wait().code == 143


def test_a_closed_pipe_is_exit_141(mock: MockInThread) -> None:
    with Filter("streamkit", "bench", f"{mock.url}/v1", "--model", "m", *QUICK, "--requests", "2") as process:
        process.stop_reading()
        result = process.wait()
    assert result.code == 141
    assert "2 of 2 requests" in result.err


@pytest.mark.parametrize("via", ['"$@" 2>&-', '"$@" 2>/dev/full'])
def test_progress_that_nobody_can_hear_ends_nothing(mock: MockInThread, via: str) -> None:
    result = run("streamkit", "bench", f"{mock.url}/v1", "--model", "m", *QUICK, "--requests", "2", via=via)
    assert result.code == 0
    assert result.out.startswith(b"streamkit bench ")
    assert b"2 of 2 requests ok" in result.out


# Two results.


def saved(directory: Path, name: str, ttft_ms: float, failed: int = 0) -> str:
    """Save a result of requests whose first tokens took so long; some failed."""
    records = [record_of(number, ttft_ms=ttft_ms + number % 10 / 100) for number in range(500)]
    records += [record_of(number, outcome="status") for number in range(500, 500 + failed)]
    path = directory / name
    path.write_text(as_json(Found([SERVER], [run_of(records)], version="0", machine="this one")))
    return str(path)


@pytest.mark.parametrize(
    ("condition", "code", "outcome"),
    [
        ("ttft p95 +10%", 1, "failed"),
        ("ttft p95 +30%", 0, "passed"),
        ("e2e p50 +5ms", 1, "failed"),
        ("errors +5%", 0, "passed"),
        ("ttft p99.99 +1%", 0, "undecided"),
    ],
)
def test_a_script_can_use_the_verdict(inside: Inside, tmp_path: Path, condition: str, code: int, outcome: str) -> None:
    before, after = saved(tmp_path, "a.json", 50), saved(tmp_path, "b.json", 60)
    result = bench(inside, "compare", before, after, "--fail-if", condition, "--json", "-")
    assert (result.code, json.loads(result.out)["outcome"]) == (code, outcome)
    assert f"{outcome}: {condition}" in result.err
    assert bench(inside, "compare", before, after).code == 0, "nobody asked for a verdict"


def test_a_comparison_is_not_written_over_what_it_compares(inside: Inside, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(as_json(Found([SERVER], [run_of(records_of(9))])))
    result = bench(inside, "compare", str(path), str(path), "--json", str(tmp_path / "." / "a.json"))
    assert result.code == 2
    assert "would take the place of a result that is compared" in result.err


def test_one_of_two_results_may_come_on_standard_input(tmp_path: Path) -> None:
    before, after = saved(tmp_path, "a.json", 50), saved(tmp_path, "b.json", 50)
    arguments = ("compare", "-", after, "--fail-if", "ttft p50 +10%", "--fail-if", "ttft p90 +10%")
    result = run("streamkit", "bench", *arguments, stdin=Path(before).read_bytes())
    assert (result.code, result.err) == (0, "")
    assert result.out.decode().count("\npassed: ") == 2


def test_results_that_have_nothing_in_common_pass_no_condition(inside: Inside, tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    other.write_text(as_json(Found([SERVER], [run_of(records_of(9), load=Concurrency(2))])))
    result = bench(inside, "compare", saved(tmp_path, "a.json", 50), str(other), "--fail-if", "ttft p50 +10%")
    assert result.code == 2
    assert "have no load in common: there is nothing to judge" in result.err


# Secrets.


@pytest.mark.parametrize("warmup", ["1", "none"])
def test_no_secret_comes_out_anywhere(inside: Inside, tmp_path: Path, warmup: str) -> None:
    secrets = {"api key": "sk-0123456789abcdef", "header": "open-sesame-42", "parameter": "q-9876543210"}
    files = {name: tmp_path / name for name in ("json", "html", "hlog", "raw")}
    options = (word for name, path in files.items() for word in (f"--{name}", str(path)))
    with answering(Echo) as url:
        place = f"{url}/v1/chat/completions?api_key={secrets['parameter']}"
        result = bench(
            inside,
            *(place, "--model", "m", "--requests", "2", "--calibration", "0", "--warmup", warmup),
            *("--header", f"X-Vault={secrets['header']}", "--api-key-env", "BENCH_KEY", *options),
            env={"BENCH_KEY": secrets["api key"]},
        )
    assert result.code == 4
    assert "refused: " in result.out.decode() + result.err, "what the server said is told"
    written = [path.read_text() for path in files.values() if path.exists()]
    assert len(written) == (4 if warmup == "none" else 0)
    for text in (result.out.decode(), result.err, *written):
        for name, secret in secrets.items():
            assert secret not in text, name
