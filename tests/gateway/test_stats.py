"""The counters: what each request adds to them, and that they never grow."""

from __future__ import annotations

import json
from typing import get_args

import pytest
import trio

from streamkit.codecs.jsontext import encode_value
from streamkit.gateway.open import OpenGateway, open_gateway
from streamkit.gateway.record import Outcome, Record
from streamkit.gateway.stats import Stats, Times
from streamkit.http.pool import Pool
from streamkit.http.stream import WireStream
from tests.gateway.shell import asked

MS = 1_000_000


async def no_dial() -> WireStream:
    raise AssertionError


def record(outcome: Outcome = "ok", status: int | None = 200, **more: int) -> Record:
    return Record(1, 0, "", 1000 * MS, "GET", "/", "1.1", status=status, outcome=outcome, **more)  # type: ignore[arg-type]


def document(*records: Record) -> dict[str, object]:
    stats = Stats(started_at_ns=5)
    for each in records:
        stats.begin()
        stats.end(each)
    return stats.document(Pool(no_dial))


def test_the_document_of_nothing_has_all_its_fields() -> None:
    times = {"count": 0, "sum_ms": 0, "max_ms": 0}
    times |= {"within_ms": {"10": 0, "100": 0, "1000": 0, "10000": 0, "60000": 0}}  # type: ignore[dict-item]
    assert document() == {
        "started_at_ns": 5,
        "requests": {
            "active": 0,
            "ended": 0,
            "by_outcome": dict.fromkeys(get_args(Outcome), 0),
            "by_status": {"none": 0, "1xx": 0, "2xx": 0, "3xx": 0, "4xx": 0, "5xx": 0},
            "by_dialect": {},
            "retries": 0,
        },
        "bytes": {"requests": 0, "responses": 0, "reads": 0},
        "times": {"to_head": times, "to_first_byte": times, "total": times},
        "upstream": {"opened": 0, "reused": 0, "idle": 0},
        "streams": {"open": 0, "begun": 0, "abandoned": 0},
    }


def test_each_request_counts_where_it_belongs() -> None:
    shown = document(
        record(head_ns=1010 * MS, first_ns=1011 * MS, ended_ns=1100 * MS, request_bytes=1, response_bytes=20, reads=3),
        record("upstream-cut", head_ns=3000 * MS, ended_ns=99_000 * MS, request_bytes=2, response_bytes=5, reads=1),
        record("client-left", None, ended_ns=1001 * MS, retries=1),
        record("bad-response", 502),
        record(status=799),
        record("refused", 401),
    )
    requests = shown["requests"]
    assert isinstance(requests, dict)
    assert (requests["active"], requests["ended"], requests["retries"]) == (0, 6, 1)
    assert {name: count for name, count in requests["by_outcome"].items() if count} == {
        "ok": 2,
        "upstream-cut": 1,
        "client-left": 1,
        "bad-response": 1,
        "refused": 1,
    }
    assert requests["by_status"] == {"none": 1, "1xx": 0, "2xx": 2, "3xx": 0, "4xx": 1, "5xx": 2}
    assert shown["bytes"] == {"requests": 3, "responses": 25, "reads": 4}
    assert shown["times"] == {
        "to_head": times(2, 2010, 2000, 1, 1, 1, 2, 2),
        "to_first_byte": times(1, 11, 11, 0, 1, 1, 1, 1),
        "total": times(3, 98_101, 98_000, 1, 2, 2, 2, 2),
    }


def times(count: int, sum_ms: float, max_ms: float, *within: int) -> dict[str, object]:
    bounds = ("10", "100", "1000", "10000", "60000")
    return {"count": count, "sum_ms": sum_ms, "max_ms": max_ms, "within_ms": dict(zip(bounds, within, strict=True))}


def test_requests_that_were_read_are_counted_by_their_dialect() -> None:
    read = [record(), record(), record("refused", 400), record()]
    read[0].dialect = read[2].dialect = "openai-chat"
    read[1].dialect = "anthropic"
    requests = document(*read)["requests"]
    assert isinstance(requests, dict)
    assert requests["by_dialect"] == {"openai-chat": 2, "anthropic": 1}


def test_a_time_on_a_bound_is_within_it() -> None:
    took = Times()
    took.add(10 * MS)
    took.add(10 * MS + 1)
    assert took.within[10] == 1


def test_what_runs_is_counted_until_it_ends() -> None:
    stats = Stats()
    stats.begin()
    stats.begin()
    assert stats.active == 2
    stats.end(record())
    assert stats.active == 1


@pytest.mark.parametrize("outcome", get_args(Outcome))
def test_every_outcome_has_its_counter(outcome: Outcome) -> None:
    requests = document(record(outcome))["requests"]
    assert isinstance(requests, dict)
    assert requests["by_outcome"][outcome] == 1


def test_a_million_requests_take_no_more_room_than_one() -> None:
    stats = Stats(started_at_ns=5)
    one = len(encode_value(document(record(ended_ns=1001 * MS))))
    each = record(ended_ns=1001 * MS, status=299, retries=1)
    for _ in range(100_000):
        stats.begin()
        stats.end(each)
    assert len(encode_value(stats.document(Pool(no_dial)))) < one + 60


# ------------------------------------------------------------------------------------------------- while a gateway runs


async def stats_of(gateway: OpenGateway, *headers: str) -> tuple[bytes, dict[str, object]]:
    head, _, body = (await asked(gateway.port, "GET /_gateway/stats", *headers)).partition(b"\r\n\r\n")
    return head, json.loads(body) if head.startswith(b"HTTP/1.1 200 ") else {}


async def test_a_gateway_answers_them() -> None:
    with trio.fail_after(10):
        async with open_gateway("http://127.0.0.1:1", api_key="our-secret", upstream_key="their-secret") as gateway:
            assert b" 401 " in await asked(gateway.port, "GET /_gateway/stats")
            assert b" 502 " in await asked(gateway.port, "GET /?key=query-secret", "x-api-key: our-secret")
            head, shown = await stats_of(gateway, "x-api-key: our-secret")
            assert b"Cache-Control: no-store" in head
            assert b"Content-Type: application/json" in head
            requests = shown["requests"]
            assert isinstance(requests, dict)
            assert (requests["active"], requests["ended"]) == (1, 2)
            assert (requests["by_outcome"]["refused"], requests["by_outcome"]["unreachable"]) == (1, 1)
            assert requests["by_status"] == {"none": 0, "1xx": 0, "2xx": 0, "3xx": 0, "4xx": 1, "5xx": 1}
            assert "secret" not in json.dumps(shown) + repr(gateway.records) + repr(gateway.gateway.config)
            page, _ = await stats_of(gateway, "x-api-key: our-secret", "Origin: http://evil.example")
            assert page.startswith(b"HTTP/1.1 403 ")
