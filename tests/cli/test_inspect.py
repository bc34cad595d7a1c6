"""`streamkit inspect`: a line a read, as it comes, and the sum; of pipes, files, cassettes and servers."""

from __future__ import annotations

import json
import os
import pty
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mockserver import mockserver_in_thread
from mockserver.open import MockInThread
from tests.cli.harness import Filter, Result, run
from tests.cli.inside import Inside, inside_of
from tests.cli.served import STREAM, exchange
from tests.cli.servedonce import served_once

INSPECT = ("streamkit", "inspect")
PATH = "/v1/chat/completions"

READS: list[tuple[bytes, int, str]] = [
    (b"data: caf\xc3", 0, "character"),
    (b"\xa9", 0, "record"),
    (b"\r", 0, "cr"),
    (b"\n\r\n", 1, "between"),
    (b"data: 1\n\ndata: 2\n\n", 2, "between"),
    (b": ping\n\n", 0, "between"),
]
"""What is written, the records that it completes, and where it ends."""


def objects(out: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


def cassette(path: Path, *exchanges: list[dict[str, object]]) -> str:
    lines: list[dict[str, object]] = [{"kind": "cassette", "version": 1, "upstream": "http://127.0.0.1:1"}]
    for number, each in enumerate(exchanges, 1):
        request = {"method": "POST", "target": "/api/chat", "version": "1.1", "headers": [], "text": "{}"}
        lines += [{"kind": "request", "exchange": number, **request}, *({**line, "exchange": number} for line in each)]
    path.write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines))
    return str(path)


def file_of(folder: Path, wire: bytes) -> str:
    path = folder / "wire"
    path.write_bytes(wire)
    return str(path)


HEAD = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
TOLD: list[dict[str, object]] = [
    {"kind": "read", "at_ns": 8_041_000, "text": f"{HEAD}8\r\n" + '{"a":1}\n' + "\r\n", "by": "kernel", "segments": 1},
    {"kind": "read", "at_ns": 12_000_000, "text": '4\r\n{"b"\r\n', "by": "kernel", "segments": 3},
    {"kind": "read", "at_ns": 12_500_000, "text": "4\r\n:2}\n\r\n0\r\n\r\n"},
    {"kind": "end", "at_ns": 13_000_000, "how": "complete", "keep_alive": True},
]


@pytest.fixture(scope="module")
def mock() -> Iterator[MockInThread]:
    with mockserver_in_thread(say="one two three four") as mock:
        yield mock


@pytest.fixture
def inside(capfdbinary: pytest.CaptureFixture[bytes]) -> Inside:
    return inside_of(capfdbinary)


# --------------------------------------------------------------------------------------------------------------- pipes


def test_each_read_is_a_line_before_the_next_one_comes() -> None:
    with Filter(*INSPECT, "--json") as process:
        for number, (piece, records, cut) in enumerate(READS, 1):
            process.send(piece)
            process.until(lambda wanted=number: process.out.count(b"\n") == wanted, "show the read")  # type: ignore[misc]
            row = objects(bytes(process.out))[-1]
            assert (row["number"], row["bytes"], row["records"], row["cut"]) == (number, len(piece), records, cut)
        result = process.finish()
    summary = objects(result.out)[-1]
    assert (result.code, result.err) == (0, "")
    assert summary["kind"] == "summary"
    assert (summary["reads"], summary["records"], summary["comments"]) == (6, 3, 1)
    assert summary["bytes"] == sum(len(piece) for piece, _, _ in READS)
    assert summary["cuts"] == {"character": 1, "crlf": 1, "record": 1, "between": 3}
    assert summary["how"] == "eof"


def test_times_are_since_the_start_and_gaps_add_up() -> None:
    with Filter(*INSPECT, "--json") as process:
        for number in range(1, 4):
            process.send(b"%d\n" % number)
            process.until(lambda wanted=number: process.out.count(b"\n") == wanted, "show the read")  # type: ignore[misc]
        *rows, summary = objects(process.finish().out)
    assert rows[0]["gap_ns"] is None
    assert sum(row["gap_ns"] or 0 for row in rows) == rows[-1]["at_ns"] - rows[0]["at_ns"]
    assert 0 < rows[0]["at_ns"] == summary["first_byte_ns"] <= rows[-1]["at_ns"] <= summary["ended_ns"]
    assert summary["gaps"]["max_ns"] == max(row["gap_ns"] or 0 for row in rows)


def test_columns_have_the_same_width_whatever_is_in_them() -> None:
    with Filter(*INSPECT) as process:
        for number, (piece, _, _) in enumerate(READS, 1):
            process.send(piece)
            process.until(lambda wanted=number: process.out.count(b"\n") == wanted, "show the read")  # type: ignore[misc]
        text = process.finish().out.decode()
    rows, _, _ = text.partition("\n\n")
    lines = rows.splitlines()
    assert {line.index(" ms ") for line in lines} == {lines[0].index(" ms ")}
    assert {line.index(" B ") for line in lines} == {lines[0].index(" B ")}
    assert {line.index(" rec ") for line in lines} == {lines[0].index(" rec ")}
    words = ["inside a character", "inside a record", "behind a CR", "between records", "between records"]
    assert [line[line.index(" rec ") + 6 :].partition("  ")[0].strip() for line in lines][:5] == words


def test_nothing_of_the_stream_can_steer_a_terminal() -> None:
    result = run(*INSPECT, stdin="data: \x1b[31m\x07\x9b\x00\x7f\n\n".encode() + b"\xff\xfe\x1b]0;x\x07")
    assert all(letter == "\n" or letter.isprintable() for letter in result.out.decode())
    assert result.complaint.isprintable()


ENDS = [
    (b"data: 1\n\ndata: 2", 3, "ends inside an event"),
    (b'{"a":1}\n{"b"', 3, "ends inside a record"),
    (b'[{"a":1},', 3, "the input ends"),
    (b"[1 2]", 3, "expected ',' or ']'"),
    (b'{"a":1}\n{"b":2}', 0, ""),
    (b"words without a line end", 0, ""),
    (b"", 0, ""),
]


@pytest.mark.parametrize(("wire", "code", "complaint"), ENDS)
def test_a_stream_that_is_cut_is_exit_3_behind_its_summary(
    inside: Inside, tmp_path: Path, wire: bytes, code: int, complaint: str
) -> None:
    result = inside(*INSPECT, "--json", file_of(tmp_path, wire))
    assert result.code == code
    assert objects(result.out)[-1]["kind"] == "summary"
    if complaint:
        assert complaint in result.complaint
        assert result.complaint.startswith("streamkit inspect: ")


def test_a_file_is_read_as_it_is(inside: Inside, tmp_path: Path) -> None:
    path = tmp_path / "in"
    path.write_bytes(b'{"a":1}\n' * 3)
    row, summary = objects(inside(*INSPECT, "--json", str(path)).out)
    assert (row["bytes"], row["records"]) == (24, 3)
    assert (summary["framing"], summary["dialect"]) == ("ndjson", "")


@pytest.mark.parametrize("framing", ["sse", "ndjson", "json-array", "lines", "none"])
def test_a_framing_that_is_given_counts(inside: Inside, tmp_path: Path, framing: str) -> None:
    summary = objects(inside(*INSPECT, "--json", "--framing", framing, file_of(tmp_path, b"[1]\n")).out)[-1]
    assert summary["framing"] == framing
    assert summary["records"] == {"sse": 0, "ndjson": 1, "json-array": 1, "lines": 1, "none": 0}[framing]


def test_a_dialect_is_recognised(inside: Inside, tmp_path: Path) -> None:
    line = (
        b'{"model":"m","created_at":"2026-01-01T00:00:00Z","message":{"role":"assistant","content":"a"},"done":false}\n'
    )
    assert objects(inside(*INSPECT, "--json", file_of(tmp_path, line)).out)[-1]["dialect"] == "ollama-chat"
    assert "1 record (ollama-chat in ndjson, 1.00 a read)" in inside(*INSPECT, file_of(tmp_path, line)).out.decode()


def test_ctrl_c_sums_up_what_came() -> None:
    with Filter(*INSPECT, "--json") as process:
        process.send(b"data: 1\n\n")
        process.until(lambda: b"\n" in process.out, "show the read")
        process.interrupt()
        result = process.wait()
    assert (result.code, result.err) == (130, "")
    summary = objects(result.out)[-1]
    assert (summary["how"], summary["records"]) == ("interrupted", 1)
    assert summary["ended_ns"] > objects(result.out)[0]["at_ns"]


def test_a_reader_that_leaves_ends_it_while_nothing_comes() -> None:
    with Filter(*INSPECT) as process:
        process.send(b"data: 1\n\n")
        process.until(lambda: b"\n" in process.out, "show the read")
        process.stop_reading()
        result = process.wait()
    assert (result.code, result.err) == (141, "")


def test_a_terminal_gets_a_heading_and_colours() -> None:
    ours, theirs = pty.openpty()
    try:
        with Filter(*INSPECT, stdout=theirs, env={"TERM": "xterm", "NO_COLOR": ""}) as process:
            process.send(b"data: 1\n\n")
            process.finish()
        shown = os.read(ours, 65536).decode()
    finally:
        os.close(ours)
        os.close(theirs)
    assert shown.split()[:4] == ["read", "at", "gap", "bytes"]
    assert "\x1b[32mbetween records" in shown


# ----------------------------------------------------------------------------------------------------------- cassettes


def test_a_cassette_shows_its_reads_at_their_times(inside: Inside, tmp_path: Path) -> None:
    *rows, summary = objects(inside(*INSPECT, "--json", cassette(tmp_path / "c", TOLD)).out)
    assert [(row["at_ns"], row["bytes"], row["records"], row["cut"]) for row in rows] == [
        (8_041_000, 8, 1, "between"),
        (12_000_000, 4, 0, "record"),
        (12_500_000, 4, 1, "between"),
    ]
    assert [(row["by_kernel"], row["segments"], row["is_resolved"]) for row in rows] == [
        (True, 1, True),
        (True, 3, False),
        (False, None, True),
    ]
    assert (summary["how"], summary["ended_ns"], summary["unresolved_reads"]) == ("complete", 13_000_000, 1)


def test_an_unresolved_read_is_marked(inside: Inside, tmp_path: Path) -> None:
    lines = inside(*INSPECT, cassette(tmp_path / "c", TOLD)).out.decode().splitlines()
    assert [line.endswith("unresolved: 3 segments") for line in lines[:3]] == [False, True, False]
    assert "times: the kernel's for 2 of 3 reads, 1 unresolved" in lines


def test_an_exchange_is_chosen(inside: Inside, tmp_path: Path) -> None:
    refused: list[dict[str, object]] = [
        {"kind": "read", "at_ns": 1, "text": "HTTP/1.1 429 Too Many\r\nContent-Length: 2\r\n\r\n{}"},
        {"kind": "end", "at_ns": 2, "how": "complete"},
    ]
    path = cassette(tmp_path / "c", TOLD, refused)
    first = inside(*INSPECT, "--json", path)
    assert (first.code, objects(first.out)[-1]["records"]) == (0, 2)
    assert "the first of 2 exchanges" in first.complaint
    second = inside(*INSPECT, "--json", "--exchange", "2", path)
    assert (second.code, objects(second.out)[-1]["bytes"]) == (4, 2)
    assert "status 429" in second.complaint
    third = inside(*INSPECT, "--exchange", "3", path)
    assert (third.code, third.out) == (2, b"")
    assert "has 2 exchanges" in third.complaint


def test_a_cassette_whose_body_was_cut(inside: Inside, tmp_path: Path) -> None:
    cut = [*TOLD[:2], {"kind": "end", "at_ns": 20_000_000, "how": "reset", "detail": "connection reset by peer"}]
    result = inside(*INSPECT, "--json", cassette(tmp_path / "c", cut))
    assert result.code == 3
    assert objects(result.out)[-1]["how"] == "reset"
    assert "the body is not whole" in result.complaint


def test_a_cassette_that_is_cut_before_its_first_read(inside: Inside, tmp_path: Path) -> None:
    path = Path(cassette(tmp_path / "cut.cassette", TOLD))
    path.write_bytes(path.read_bytes()[:100])
    result = inside(*INSPECT, str(path))
    assert result.code == 3
    assert "cut" in result.err


def test_a_cassette_whose_header_is_written_otherwise(inside: Inside, tmp_path: Path) -> None:
    path = Path(cassette(tmp_path / "c.cassette", TOLD))
    path.write_bytes(
        path.read_bytes().replace(b'{"kind":"cassette","version":1,', b'{ "version": 1, "kind": "cassette",')
    )
    assert objects(inside(*INSPECT, "--json", str(path)).out)[-1]["how"] == "complete"


def test_a_broken_cassette(inside: Inside, tmp_path: Path) -> None:
    path = tmp_path / "c"
    path.write_text('{"kind":"cassette","version":9}\n')
    result = inside(*INSPECT, str(path))
    assert (result.code, result.out) == (3, b"")
    assert "version 9" in result.complaint


# --------------------------------------------------------------------------------------------------------------- usage

MISTAKES = [
    (["--framing", "xml", "-"], "xml"),
    (["--exchange", "1", "-"], "--exchange does nothing without a cassette"),
    (["--prompt", "Hi", "-"], "--prompt would do nothing: give a URL"),
    (["--dialect", "gemini", "--connect-timeout", "5s", "-"], "--dialect, --connect-timeout would do nothing"),
    (["http://127.0.0.1:1/x#y"], "fragment"),
    (["http://127.0.0.1:1/x", "--dialect", "klingon"], "no dialect 'klingon'"),
    (["http://127.0.0.1:1/api/chat", "--prompt", " "], "prompt is empty"),
    (["http://127.0.0.1:1/v1/chat/completions"], "add --prompt TEXT, or --data JSON"),
    (["http://127.0.0.1:1/", "--prompt", "a", "--data", "{}"], "two bodies"),
    (["http://127.0.0.1:1/x", "--prompt", "a"], "--dialect"),
    (["http://127.0.0.1:1/x", "--model", "m"], "--model does nothing without --prompt"),
    (["http://127.0.0.1:1/x", "--data", "@/nope"], "no such file"),
    (["http://127.0.0.1:1/x", "--header", "a"], "NAME=VALUE"),
    (["http://127.0.0.1:1/x", "--header", "a b=c"], "no name of a header"),
    (["http://127.0.0.1:1/x", "--header", "a=\x07"], "no header may have"),
    (["http://127.0.0.1:1/x", "--timeout", "3"], "no unit"),
    (["http://127.0.0.1:1/x", "--api-key-env", "NOT_THERE_AT_ALL"], "NOT_THERE_AT_ALL"),
    (["http://127.0.0.1:1/x", "--upstream-ca", "/nope"], "no such file"),
    (["http://user:secret@127.0.0.1/"], "user or password"),
    (["/nope/nowhere"], "no such file"),
]


@pytest.mark.parametrize(("arguments", "complaint"), MISTAKES)
def test_a_mistake_is_told_in_words_before_anything_is_asked(
    inside: Inside, arguments: list[str], complaint: str
) -> None:
    result = inside(*INSPECT, *arguments)
    assert (result.code, result.out) == (2, b"")
    assert complaint.lower() in result.err.lower()
    assert "secret" not in result.err


# ------------------------------------------------------------------------------------------------------------- servers


def test_reads_of_a_server_come_one_by_one() -> None:
    """The read of a token is shown before the next one is sent."""
    gates = [f"g{number}@token:{number}" for number in range(1, 4)]
    with (
        mockserver_in_thread(say="one two three four", gate=gates) as mock,
        Filter(*INSPECT, "--json", mock.url + PATH, "--prompt", "Hi", "--model", "m") as process,
    ):
        shown = 0
        for number in range(1, 4):
            mock.wait_at_gate(f"g{number}")
            process.until(lambda before=shown: process.out.count(b"\n") > before, "show the read")  # type: ignore[misc]
            shown = process.out.count(b"\n")
            mock.open_gate(f"g{number}")
        result = process.wait()
    *rows, summary = objects(result.out)
    assert (result.code, result.err) == (0, "")
    assert (summary["how"], summary["dialect"], summary["framing"]) == ("complete", "openai-chat", "sse")
    assert sum(row["bytes"] for row in rows) == summary["bytes"]


def test_of_a_server_only_the_bodys_bytes_are_shown(inside: Inside, mock: MockInThread) -> None:
    body = exchange(int(mock.url.rpartition(":")[2]), PATH, STREAM).body
    result = inside(*INSPECT, "--json", mock.url + PATH, "--data", json.dumps(STREAM))
    *rows, summary = objects(result.out)
    assert result.code == 0
    assert abs(summary["bytes"] - len(body)) < 100  # ids differ in length
    assert summary["records"] == body.count(b"\n\n")
    assert rows[0]["at_ns"] > 0


def test_a_body_from_a_file(inside: Inside, mock: MockInThread, tmp_path: Path) -> None:
    path = tmp_path / "chat.json"
    path.write_text(json.dumps(STREAM))
    assert inside(*INSPECT, mock.url + PATH, "--data", f"@{path}").code == 0


def check_refusal(result: Result, status: int) -> None:
    assert result.code == 4
    assert f"status {status}" in result.complaint


def test_a_refusal_is_shown_and_is_exit_4(inside: Inside, mock: MockInThread) -> None:
    result = inside(*INSPECT, "--json", mock.url + PATH, "--data", "{}", "--header", "X-Mock=fault=status:429")
    check_refusal(result, 429)
    assert objects(result.out)[-1]["bytes"] > 0


def test_a_header_that_is_given_takes_the_keys_place(inside: Inside, mock: MockInThread) -> None:
    options = ("--api-key-env", "A_KEY", "--header", "Authorization=Bearer other", "--data", "{}")
    inside(*INSPECT, mock.url + PATH, *options, env={"A_KEY": "sk-s3cr3t"})
    names = [name.lower() for name, _ in mock.journal[-1]["headers"]]
    assert names.count("authorization") == 1


def test_a_get_where_a_post_is_wanted_has_a_hint(inside: Inside, mock: MockInThread) -> None:
    result = inside(*INSPECT, mock.url + PATH, "--method", "GET")
    assert result.code == 4
    assert "add --prompt TEXT or --data JSON" in result.complaint


def test_a_get_is_what_a_url_alone_means(inside: Inside, mock: MockInThread) -> None:
    result = inside(*INSPECT, "--json", f"{mock.url}/v1/models?a=b", "--header", "X-Team=blue")
    assert (result.code, objects(result.out)[-1]["how"]) == (0, "complete")
    entry = mock.journal[-1]
    assert (entry["method"], entry["target"]) == ("GET", "/v1/models?a=b")
    assert ["X-Team", "blue"] in entry["headers"]
    assert ["Accept-Encoding", "identity"] in entry["headers"]


def test_a_redirect_is_shown_and_not_followed(inside: Inside) -> None:
    moved = b"HTTP/1.1 308 Permanent Redirect\r\nLocation: /there?key=s3cr3t\r\nContent-Length: 5\r\n\r\nthere"
    with served_once(moved) as url:
        result = inside(*INSPECT, "--json", f"{url}/here")
    assert (result.code, objects(result.out)[-1]["bytes"]) == (4, 5)
    assert result.complaint.endswith("with status 308 Permanent Redirect; it points to /there?key=[redacted]")


def test_a_body_that_was_compressed_unasked_is_told(inside: Inside) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\n"
    with served_once(head + b"\x1f\x8b\x08") as url:
        result = inside(*INSPECT, "--json", f"{url}/here")
    assert (result.code, objects(result.out)[-1]["framing"]) == (0, "none")
    assert "compressed (gzip)" in result.complaint


CUTS = [("close@token:3", "fin"), ("reset@token:3", "reset"), ("bad-chunk@token:3", "broken")]


@pytest.mark.parametrize(("fault", "how"), CUTS)
def test_a_body_that_is_cut_is_exit_3(mock: MockInThread, fault: str, how: str) -> None:
    result = run(
        *INSPECT, "--json", mock.url + PATH, "--prompt", "Hi", "--model", "m", "--header", f"X-Mock=fault={fault}"
    )
    assert result.code == 3
    assert result.complaint
    summary = objects(result.out)[-1]
    assert (summary["how"], summary["records"] > 0) == (how, True)


def test_nobody_listens(inside: Inside) -> None:
    result = inside(*INSPECT, "--json", "http://127.0.0.1:1/x")
    assert result.code == 4
    assert "cannot connect to http://127.0.0.1:1" in result.complaint
    assert objects(result.out)[-1]["how"] == "unreachable"


def test_a_silent_server_and_a_timeout(mock: MockInThread) -> None:
    url = mock.url + PATH
    result = run(
        *INSPECT,
        "--json",
        url,
        "--prompt",
        "Hi",
        "--timeout",
        "300ms",
        "--header",
        "X-Mock=fault=stall@token:1",
        "--model",
        "m",
    )
    assert result.code == 4
    assert "not finished within 0.3 s" in result.complaint
    assert objects(result.out)[-1]["how"] == "timeout"
