"""The JSON result: what is in it, that its schema is the committed one, and that no secret gets into it."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

import streamkit.bench.report
from streamkit.bench.distribution import Distribution
from streamkit.bench.hdr import from_hdr
from streamkit.bench.metrics import BY_NAME, METRICS
from streamkit.bench.plan import Replay, Server
from streamkit.bench.report.document import as_json, read_document
from streamkit.bench.report.fields import schema
from streamkit.bench.report.veil import Veil
from streamkit.bench.results import Result, Run, ToolError
from streamkit.bench.tally import Tally
from streamkit.errors import ConfigError
from tests.bench.results_made import (
    KEY,
    MS,
    PASSWORD,
    SERVER,
    VAULT,
    failed,
    record_of,
    records_of,
    run_of,
    whole_result,
)

SCHEMA = json.loads(Path(streamkit.bench.report.__file__).with_name("schema.json").read_text())

KNEE = whole_result().knees[0].words

JUDGE = jsonschema.Draft202012Validator(SCHEMA)


def written(result: Result) -> dict[str, Any]:
    """Return a result as it is read again, judged by the committed schema."""
    text = as_json(result)
    JUDGE.validate(json.loads(text, parse_constant=no_constant))
    return read_document(text.encode(), "it")


def no_constant(name: str) -> None:
    raise AssertionError(f"{name} is no JSON")


def one_run(run: Run, *, max_tool_error: float = 0.1) -> dict[str, Any]:
    found: dict[str, Any] = written(Result([SERVER], [run], max_tool_error=max_tool_error))["runs"][0]
    return found


def test_the_committed_schema_is_that_of_what_is_written() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert json.loads(json.dumps(schema())) == SCHEMA, "make schema.json anew from schema()"


def test_the_schema_says_what_every_field_means() -> None:
    for name, part in SCHEMA["$defs"].items():
        assert not [field for field, told in part["properties"].items() if "description" not in told], name
        assert part["additionalProperties"] is False


def test_a_run_has_what_scripts_ask_for() -> None:
    document = written(whole_result())
    closed, opened = document["runs"]
    assert (closed["concurrency"], "rate" in closed) == (8, False)
    assert (opened["rate"], opened["arrivals"], "concurrency" in opened) == (20, {"process": "gamma", "cv": 2}, False)
    assert [closed[name] for name in ("requests", "ok", "errors", "unfinished")] == [404, 400, 3, 1]
    assert closed["requests_per_s"] == 40
    assert (closed["gaps"], closed["unresolved_gaps"]) == (390 * 3 + 10 * 7, 70)
    assert closed["tool_error_ms"] == {"p50": 0.02, "p99": 0.1, "calibrated_per_s": 61.5}
    assert closed["metrics"].keys() == {metric.name for metric in METRICS}
    assert closed["errors_by_kind"]["status"]["n"] == 2
    assert closed["errors_by_kind"]["truncated"]["details"] == ["the stream ends without its terminator"]
    assert closed["goodput"]["share"] == pytest.approx(closed["goodput"]["requests"] / 403, abs=1e-6)
    assert closed["goodput"]["unjudged"] == 2
    assert (opened["is_interrupted"], document["is_interrupted"]) == (True, False)
    assert (closed["is_goal_met"], one_run(run_of([], is_goal_met=False))["is_goal_met"]) == (None, False)
    assert document["knees"] == [{"server": "direct", "index": 0, "load": 8, "edge": None, "words": KNEE}]
    assert document["slo"] == [{"metric": "ttft_ms", "limit": 51}, {"metric": "tpot_ms", "limit": 30}]
    assert (document["began"], document["seed"], document["workers"]) == ("2026-09-21T14:13:19Z", 7, 2)


def test_figures_have_their_intervals_and_no_figure_that_the_sample_cannot_support() -> None:
    values = sorted(50 + 0.01 * number for number in range(367))
    run = run_of(record_of(number, ttft_ms=ttft_ms) for number, ttft_ms in enumerate(values))
    ttft = one_run(run)["metrics"]["ttft_ms"]
    assert (ttft["p99"], ttft["p99_interval"]) == (None, None)  # 368 values are the fewest
    assert ttft["p50"] == pytest.approx(values[183], rel=1e-3)
    low, high = ttft["p50_interval"]
    assert low < ttft["p50"] < high
    assert [ttft[name] for name in ("n", "min", "max")] == [367, 50, pytest.approx(53.66)]
    assert ttft["mean"] == pytest.approx(math.fsum(values) / 367)


def test_gaps_of_a_few_answers_are_not_many_independent_values() -> None:
    gaps = one_run(run_of([record_of(number, tokens=200) for number in range(5)]))["metrics"]["event_gap_ms"]
    assert (gaps["n"], gaps["p50"], gaps["p99"]) == (5 * 199, None, None)
    assert gaps["independent"] == 5
    answers = [record_of(number, tokens=301 if number == 4 else 2) for number in range(5)]
    assert one_run(run_of(answers))["metrics"]["event_gap_ms"]["independent"] == 1, "one has nearly all of them"


def test_the_histogram_in_it_is_the_distribution() -> None:
    run = run_of(records_of(200))
    metric = one_run(run)["metrics"]["ttft_ms"]
    read, whole = from_hdr(metric["hdr"]), run.tally.distribution("ttft_ms")
    assert [*read.buckets()] == [*whole.buckets()]
    assert metric["scale"] == BY_NAME["ttft_ms"].scale


def test_new_and_reused_connections_are_apart() -> None:
    slow = [record_of(number, ttft_ms=90) for number in range(4)]
    connections = one_run(run_of([*slow, *(record_of(number, ttft_ms=50) for number in range(4, 20))]))["connections"]
    assert (connections["new_requests"], connections["reused_requests"]) == (4, 16)
    assert (connections["new"]["ttft_ms"]["min"], connections["reused"]["ttft_ms"]["max"]) == (90, 50)
    assert connections["new"]["connect_ms"]["n"] == 4
    assert "connect_ms" not in connections["reused"]


def test_a_figure_is_marked_where_our_own_error_is_too_much_of_it() -> None:
    # 8 % of the median at the middle, 40 % at the tail, and gaps of a fifth of that.
    metrics = one_run(run_of(records_of(400), error_ms=4))["metrics"]
    assert metrics["ttft_ms"]["marks"] == ["p90", "p99"]
    assert metrics["event_gap_ms"]["marks"] == ["p50", "p90", "p99"]
    assert one_run(run_of(records_of(400), error_ms=4), max_tool_error=0.5)["metrics"]["ttft_ms"]["marks"] == []


def test_a_figure_whose_own_error_nobody_knows_is_told_from_one_that_is_fine() -> None:
    run = run_of(records_of(400))
    run.tool_error["ttft_ms"] = ToolError(20, 0.02, None, 0.02)
    del run.tool_error["tpot_ms"]
    metrics = one_run(run)["metrics"]
    found = {name: (metrics[name]["marks"], metrics[name]["unknown"]) for name in ("ttft_ms", "tpot_ms", "e2e_ms")}
    assert found == {"ttft_ms": ([], ["p90", "p99"]), "tpot_ms": ([], ["p50", "p90", "p99"]), "e2e_ms": ([], [])}
    assert metrics["events_per_read"]["unknown"] == [], "no calibration tells of that"


def test_without_a_calibration_nothing_is_said_of_our_error() -> None:
    run = one_run(run_of(records_of(10), error_ms=None))
    assert (run["tool_error"], run["tool_error_ms"]) == ({}, {"p50": None, "p99": None, "calibrated_per_s": 0})


def test_who_counted_the_tokens_is_named() -> None:
    def tokens(*counted: int | None) -> dict[str, Any]:
        records = [
            record_of(number, output_tokens=count, input_tokens=None if count is None else 9)
            for number, count in enumerate(counted)
        ]
        found: dict[str, Any] = one_run(run_of(records))["tokens"]
        return found

    assert [tokens(7, 7)[name] for name in ("output", "source", "events", "input")] == [14, "server", 8, 18]
    assert [tokens(7, None)[name] for name in ("output", "source", "events", "input")] == [11, "both", 8, 9]
    assert [tokens(None)[name] for name in ("output", "source", "input", "cached")] == [4, "events", None, None]
    assert [tokens()[name] for name in ("output", "source", "input", "cached")] == [0, None, None, None]


def test_a_trace_has_a_rate_too() -> None:
    replay = Replay(at_ns=[0, 10**9, 4 * 10**9], prompts=[0, 0, 0], max_tokens=[0, 0, 0])
    run = one_run(run_of(records_of(3), load=replay))
    assert (run["rate"], run["trace"]) == (0.5, {"requests": 3, "span_s": 4})


def test_pairs_have_differences_with_their_signs() -> None:
    (paired,) = written(whole_result())["paired"]
    assert (paired["direct"], paired["proxy"], paired["concurrency"]) == ("direct", "proxy", 8)
    assert (paired["pairs"], paired["broken"], paired["cut"]) == (200, 3, 2)
    ttft, e2e = paired["differences"]["ttft_ms"], paired["differences"]["e2e_ms"]
    assert (ttft["p50"], ttft["p50_interval"], ttft["p99"]) == (0.4, pytest.approx([0.3, 0.5]), None)
    assert e2e["mean"] == -0.05
    assert paired["token_delay"]["proxy"]["unresolved"] == 12


def test_what_a_proxy_adds_has_our_own_error_beside_it() -> None:
    (paired,) = written(whole_result())["paired"]
    assert paired["tool_error"]["ttft_ms"] == {"n": 500, "p50": 0.04, "p99": 0.2, "bias": 0, "load": 1}
    ttft, e2e = paired["differences"]["ttft_ms"], paired["differences"]["e2e_ms"]
    assert (ttft["marks"], ttft["unknown"]) == (["p90"], []), "0.2 of 0.4 ms, and 0.04 at the median"
    assert (e2e["marks"], e2e["unknown"]) == (["mean", "p50"], ["p90"])
    assert paired["shares"]["token_delay_ms"]["unknown"] == ["mean", "p50", "p90"]
    assert paired["delay_error"].keys() == {"token"}
    assert paired["token_delay"]["direct"]["unknown"] == []
    assert paired["request_delay"]["direct"]["unknown"] == ["p50"]


def test_what_a_proxy_joins_is_said_of_reads_segments_and_writes() -> None:
    (paired,) = written(whole_result())["paired"]
    assert [paired[f"events_per_{each}"] for each in ("read_in", "read_out", "segment_in", "segment_out", "write")] == [
        *(1.0, 3.9),
        *(1.0, 3.0),
        1.25,
    ]
    result = whole_result()
    result.paired[0].events_per_segment_out = result.paired[0].events_per_write = 0.0
    (paired,) = written(result)["paired"]
    assert (paired["events_per_segment_out"], paired["events_per_write"]) == (None, None)


def test_a_run_without_any_answer_has_no_figures() -> None:
    run = one_run(run_of([failed(0, "no-connection", "nobody listens")]))
    assert {metric["n"] for metric in run["metrics"].values()} == {0}
    ttft = run["metrics"]["ttft_ms"]
    assert {ttft[name] for name in ("p50", "p50_interval", "mean", "min", "max", "hdr")} == {None}
    assert written(Result([SERVER], [Run("direct", run_of([]).load, Tally())]))["runs"][0]["requests"] == 0
    assert written(Result([]))["runs"] == []


def test_no_secret_is_in_it() -> None:
    text = as_json(whole_result())
    for secret in (KEY, f"{KEY}2", PASSWORD, VAULT):
        assert secret not in text, secret
    assert "a note about [redacted]" in text
    assert r"503: you sent\\n[redacted] and [redacted]\\x1b[2J" in text


@pytest.mark.parametrize(
    ("server", "secret"),
    [
        (Server("s", "http://h/?api_key=a%2Fb%2Fc%2Fd%2Fe", "text"), "a/b/c/d/e"),
        (Server("s", "http://h/", "text", headers=[("Authorization", "Bearer abc12345")]), "abc12345"),
        (Server("s", "http://h/", "text", headers=[("X-Team", "blue falcon")]), "blue falcon"),
        (Server("s", "http://user:pa%20ss%20word@h/", "text"), "pa ss word"),
    ],
)
def test_what_was_given_is_secret_wherever_a_server_says_it_again(server: Server, secret: str) -> None:
    assert Veil([server]).text(f"you sent {secret}!") == "you sent [redacted]!"


def test_a_secret_that_was_cut_before_it_came_to_us_is_hidden_too() -> None:
    veil = Veil([SERVER])
    assert veil.text(f"no JSON: key={KEY[:12]}...") == "no JSON: key=[redacted]..."
    assert veil.text(f"no JSON: key={KEY.upper()}") == "no JSON: key=[redacted]"
    assert veil.text(f"no JSON: key={KEY[:7]}") == f"no JSON: key={KEY[:7]}", "so little may stand anywhere"
    own = Server("s", "http://127.0.0.1:8000/v1", "text", headers=[("X-Referer", "http://127.0.0.1:8000/app")])
    assert Veil([own]).text("http://127.0.0.1:8000/v1") == "http://127.0.0.1:8000/v1", "no key"


def test_half_a_surrogate_pair_can_be_written() -> None:
    assert one_run(run_of([failed(0, "status", "\ud83d")]))["errors_by_kind"]["status"]["details"] == [r"\ud83d"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"{", "no JSON"),
        (b"[]", "has no schema"),
        (b'{"schema": "streamkit.contract.report/1"}', "streamkit.contract.report/1"),
        (b'{"schema": "streamkit.bench.result/1"}', "whole result"),
        (b"\xff", "no JSON"),
        (b"[" * 100_000, "no JSON"),
    ],
)
def test_what_is_no_result_is_refused_by_name(text: bytes, words: str) -> None:
    with pytest.raises(ConfigError, match=rf"a\.json.*{words}"):
        read_document(text, "a.json")


def test_a_figure_that_is_text_is_refused() -> None:
    document = json.loads(as_json(whole_result()))
    document["runs"][0]["metrics"]["ttft_ms"]["p50"] = "50"
    with pytest.raises(ConfigError, match="whole result"):
        read_document(json.dumps(document).encode(), "a.json")


def test_a_bound_is_in_its_metrics_unit() -> None:
    limits = {each["metric"]: each["limit"] for each in written(whole_result())["slo"]}
    assert limits == {"ttft_ms": 51, "tpot_ms": 30}
    assert Distribution([51 * MS]).high / BY_NAME["ttft_ms"].scale == limits["ttft_ms"]
