"""A line for each request: the same fields for programs, words for people, and nothing that a terminal obeys."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamkit.gateway.log import json_line, line_of, text_line
from streamkit.gateway.record import Record

WHOLE = Record(
    number=7,
    started_at_ns=1_767_225_600_000_001_999,
    client="127.0.0.1:4711",
    method="POST",
    target="/v1/chat/completions?key=[redacted]",
    version="1.1",
    arrived_ns=1_000_000_000,
    status=200,
    outcome="ok",
    reused=True,
    head_ns=1_250_000_400,
    first_ns=1_251_000_000,
    ended_ns=3_000_000_000,
    request_bytes=71,
    response_bytes=4096,
    reads=40,
)

WHOLE_JSON = (
    '{"at":"2026-01-01T00:00:00.000001Z","number":7,"client":"127.0.0.1:4711","method":"POST",'
    '"target":"/v1/chat/completions?key=[redacted]","http_version":"1.1","dialect":"",'
    '"upstream_dialect":"","status":200,"outcome":"ok","detail":"",'
    '"reused":true,"retries":0,"head_ms":250.0,"first_byte_ms":251.0,"total_ms":2000.0,"request_bytes":71,'
    '"response_bytes":4096,"reads":40}'
)

WHOLE_TEXT = (
    "#7 127.0.0.1:4711 POST /v1/chat/completions?key=[redacted]  200 ok  4096 bytes  head 250 ms  first byte 251 ms"
    "  total 2000 ms"
)

CUT = Record(8, 0, "", 5, "GET", "/", "1.0", outcome="unreachable", detail="connection refused", retries=1)


def test_a_request_as_json() -> None:
    assert json_line(WHOLE) == WHOLE_JSON


def test_a_request_as_text() -> None:
    assert text_line(WHOLE) == WHOLE_TEXT


def test_what_there_was_none_of() -> None:
    fields = json.loads(json_line(CUT))
    assert list(fields) == list(json.loads(WHOLE_JSON))
    assert [fields[name] for name in ("status", "head_ms", "first_byte_ms", "total_ms")] == [None] * 4
    assert fields["at"] == "1970-01-01T00:00:00.000000Z"
    assert text_line(CUT) == "#8 GET /  - unreachable  0 bytes  sent again  connection refused"


def test_from_which_dialect_to_which() -> None:
    read = Record(8, 0, "", 5, "POST", "/v1/messages", "1.1", "anthropic", "ollama-chat", 200, "ok")
    fields = json.loads(json_line(read))
    assert (fields["dialect"], fields["upstream_dialect"]) == ("anthropic", "ollama-chat")
    assert text_line(read) == "#8 POST /v1/messages  anthropic as ollama-chat  200 ok  0 bytes"
    read.upstream_dialect = ""  # it was refused before anybody was asked
    assert text_line(read) == "#8 POST /v1/messages  anthropic  200 ok  0 bytes"


def test_what_was_no_request() -> None:
    refused = Record(9, 0, "127.0.0.1:1", 5, status=400, outcome="bad-request", detail="this is not HTTP")
    assert text_line(refused) == "#9 127.0.0.1:1  400 bad-request  0 bytes  this is not HTTP"
    assert json.loads(json_line(refused))["method"] == ""


def test_the_format_is_chosen_by_its_name() -> None:
    assert line_of(WHOLE, "json") == WHOLE_JSON
    assert line_of(WHOLE, "text") == WHOLE_TEXT


NASTY = "\x1b[2J\r\n\x9b31m\u202e\x7f\ud800\N{GRINNING FACE}caf\xe9"


@pytest.mark.parametrize("line", [json_line, text_line])
def test_no_terminal_obeys_a_line(line: object) -> None:
    assert callable(line)
    written = line(Record(1, 0, NASTY, 0, NASTY, NASTY, NASTY, detail=NASTY))
    assert written.isprintable()
    assert "\\x1b" in written or "\\u001b" in written


@given(detail=st.text(), target=st.text())
def test_json_holds_whatever_there_was(detail: str, target: str) -> None:
    record = Record(1, 0, "", 0, "GET", target, "1.1", detail=detail)
    line = json_line(record)
    assert line.isascii()
    assert line.isprintable()
    fields = json.loads(line)
    assert (fields["detail"], fields["target"]) == (detail, target)
