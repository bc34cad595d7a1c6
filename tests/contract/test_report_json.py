"""The JSON report: what is in it, that its schema is the committed one, and that no key gets into it."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest

import streamkit.contract.report
from streamkit.contract.cases import CASES
from streamkit.contract.open import open_runner
from streamkit.contract.report.document import Document, MatrixDocument, as_json, as_json_matrix, as_published, schema
from streamkit.contract.report.evidence import evidence_of, kept, visible
from streamkit.contract.report.secrets import Veil
from streamkit.contract.results import Report
from streamkit.contract.setting import Setting
from streamkit.contract.trace import Event, Head, Trace
from streamkit.contract.verdicts import Verdict
from streamkit.http.origin import parse_origin
from tests.contract.reports import COOKIE, KEY, held_trace, report_of, result_of

SCHEMA = Path(streamkit.contract.report.__file__).with_name("schema.json")


def read(text: str) -> dict[str, Any]:
    """Return a report as its schema's types read it: strictly, with nothing else in it."""
    msgspec.json.decode(text, type=Document, strict=True)
    value: dict[str, Any] = json.loads(text)
    return value


def test_the_committed_schema_is_that_of_what_is_written() -> None:
    assert json.loads(SCHEMA.read_text()) == json.loads(json.dumps(schema())), "make schema.json anew from schema()"


def test_the_schema_names_every_field_and_says_what_it_means() -> None:
    document = schema()["$defs"]["Document"]
    assert set(document["required"]) == set(read(as_json(report_of())))
    assert document["additionalProperties"] is False
    assert (
        document["properties"]["config_digest"]["description"] == "of its configuration; empty where that is not known."
    )


def test_a_report_has_what_machines_ask_for() -> None:
    report = read(as_json(report_of()))
    assert [case["id"] for case in report["cases"]][:2] == ["flush.head", "flush.sse.close"]
    case = report["cases"][1]
    assert {
        name: case[name] for name in ("verdict", "ending", "behaviour", "ending_verdict", "level", "duration_s")
    } == {
        "verdict": "FAILED",
        "ending": "complete",
        "behaviour": "FAILED",
        "ending_verdict": "OK",
        "level": "must",
        "duration_s": 0.25,
    }
    assert case["facts"] == {"pieces": 3, "p50_ms": 1.5, "odd": None, "raw": "\\x00a", "all": {"b": [1, 2]}}
    assert report["summary"] == dict.fromkeys(map(str, Verdict), 1)
    assert report["began"] == "2026-09-21T14:13:20Z"
    assert (report["profile"], report["seed"], report["version"], report["product"]) == ("pipe", 7, "0.1.0", "nginx")


def test_the_evidence_has_both_ends_on_one_clock() -> None:
    evidence = read(as_json(report_of()))["cases"][1]["evidence"]
    assert [(entry["at_us"], entry["side"], entry["what"]) for entry in evidence["entries"][:4]] == [
        (0.0, "client", "connect"),
        (1.0, "client", "send"),
        (1000.0, "upstream", "head"),
        (2000.0, "upstream", "send"),
    ]
    (exchange,) = evidence["exchanges"]
    piece = {"number": 1, "size_bytes": 9, "sent_us": 4000.0, "came_us": 2e6, "mark": ""}
    assert exchange["pieces"][0] == {**piece, "first_us": None, "first_units": 0}


def test_several_reports_are_one_document() -> None:
    text = as_json_matrix(["nginx:default", "haproxy:default"], [report_of(), report_of(product="haproxy")])
    matrix = msgspec.json.decode(text, type=MatrixDocument, strict=True)
    assert [(each.name, each.report.product) for each in matrix.proxies] == [
        ("nginx:default", "nginx"),
        ("haproxy:default", "haproxy"),
    ]
    assert json.loads(text)["schema"] == "streamkit.contract.matrix/1"
    assert KEY not in text


def test_a_published_report_has_no_logs() -> None:
    report = read(as_published(report_of()))
    assert {"product", "product_version", "config_digest", "version"} <= report.keys()
    assert all("evidence" not in case for case in report["cases"])


@pytest.mark.parametrize("write", [as_json, as_published])
def test_no_key_is_in_it(write: Callable[[Report], str]) -> None:
    text = write(report_of())
    assert KEY not in text
    assert "deadbeef" not in text
    assert "[redacted]" in text


def test_a_secret_that_two_reads_have_between_them_is_in_neither() -> None:
    answer = f"HTTP/1.1 200 OK\r\nSet-Cookie: {COOKIE}\r\n\r\n".encode()
    for cut in range(len(answer)):
        trace = Trace()
        exchanged = held_trace().exchanges[0]
        exchanged.head = Head(2, "HTTP/1.1 200 OK", [("Set-Cookie", COOKIE)])
        trace.exchanges.append(exchanged)
        trace.events += [
            Event(1, "client", 1, "read", data=answer[:cut]),
            Event(2, "client", 1, "read", data=answer[cut:]),
        ]
        veil = Veil(trace)
        shown = veil.data(answer[:cut]) + veil.data(answer[cut:])
        assert b"deadbeef42" not in shown, cut


def test_a_value_is_secret_wherever_it_stands_and_the_words_around_it_are_not() -> None:
    trace = Trace()
    exchanged = held_trace().exchanges[0]
    exchanged.attempts[0].headers.append(("Cookie", "a=1; session=0a1b2c3d4e"))
    exchanged.head = Head(2, "HTTP/1.1 200 OK", [("Set-Cookie", "sid=feedface01; HttpOnly; SameSite=Strict")])
    trace.exchanges.append(exchanged)
    veil = Veil(trace)
    told = f"{KEY} 0a1b2c3d4e feedface01 HttpOnly Bearer"
    assert veil.text(told) == "[redacted] [redacted] [redacted] HttpOnly Bearer"
    assert veil.value({"x-api-key": "short", "n": [KEY, 1]}) == {"x-api-key": "[redacted]", "n": ["[redacted]", 1]}


def test_what_was_given_for_the_run_is_secret_whatever_it_is_called() -> None:
    trace = Trace(given=[("X-Vault", "open sesame"), ("X-Pin", "1234"), ("Accept", "text/event-stream")])
    veil = Veil(trace)
    shown = veil.data(b"GET / HTTP/1.1\r\nx-vault: open sesame\r\nX-PIN: 1234\r\nAccept: text/event-stream\r\n\r\n1234")
    assert shown == (
        b"GET / HTTP/1.1\r\nx-vault: [redacted]\r\nX-PIN: [redacted]\r\nAccept: text/event-stream\r\n\r\n1234"
    )
    assert veil.data(b"X-Other: open sesame\r\n\r\n") == b"X-Other: [redacted]\r\n\r\n", "under any name"
    assert veil.headers([("x-pin", "1234"), ("n", "1234")]) == [("x-pin", "[redacted]"), ("n", "1234")]
    assert veil.text("it said open sesame") == "it said [redacted]"


def test_bytes_are_shown_on_one_line() -> None:
    assert visible("é\r\n\t\\\x00\u202e\U0010fffd".encode() + b"\xff") == r"é\r\n\t\\\x00\u202e\U0010fffd\xff"
    assert len(visible(b"\x00" * 1000, 50)) == 50


def test_a_long_log_keeps_its_ends_and_what_is_remarkable() -> None:
    assert kept(3, 5) == [0, 1, 2]
    assert kept(100, 12, [50]) == [0, 1, 2, 47, 48, 49, 50, 51, 52, 97, 98, 99]
    evidence = evidence_of(held_trace(50, fillers=50), max_entries=20, max_pieces=9)
    assert len(evidence.entries) == 20
    assert sum(entry.skipped for entry in evidence.entries) == evidence.omitted_entries == 110 - 20
    assert {entry.note for entry in evidence.entries if entry.what == "mark"} == {"limit", "finish"}
    (exchange,) = evidence.exchanges
    assert (len(exchange.pieces), exchange.omitted_pieces) == (9, 91)
    assert {piece.mark for piece in exchange.pieces} == {"", "filler"}


def test_odd_text_can_be_written() -> None:
    (case,) = read(as_json(report_of(result_of("flush.head", Verdict.OK, "half \ud800 a pair"))))["cases"]
    assert case["detail"].startswith("half ")
    assert case["detail"].endswith(" a pair")


async def test_a_real_run_is_a_report() -> None:
    setting = Setting(parse_origin("http://127.0.0.1:1"), limit_s=2.0, headers=(("Authorization", f"Bearer {KEY}"),))
    async with open_runner(setting) as runner:
        results = await runner.run([case for case in CASES if case.id in {"flush.sse.chunked", "flush.sse.close"}])
    report = read(as_json(Report("http://127.0.0.1", "pipe", "openai-chat", "openai-chat", 0, "0.1.0", results)))
    case = next(case for case in report["cases"] if case["id"] == "flush.sse.chunked")
    assert (case["verdict"], case["ending"]) == ("OK", "complete")
    pieces = case["evidence"]["exchanges"][0]["pieces"]
    assert all(last["came_us"] <= piece["sent_us"] for last, piece in pairwise(pieces))
    assert KEY not in json.dumps(report)
