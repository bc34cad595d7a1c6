"""Verdicts and conditions on results whose difference is known, and how often they are wrong."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any, TypeAlias

import numpy as np
import pytest
from numpy.typing import NDArray

from streamkit.bench.compare import BETWEEN, Row, compare
from streamkit.bench.conditions import Condition, Judged, judge, judge_all, outcome_of, parse_fail_if
from streamkit.bench.distribution import Distribution
from streamkit.bench.hdr import to_hdr
from streamkit.bench.plan import Arrivals, Concurrency, Load, Server
from streamkit.bench.report.document import as_json, read_document
from streamkit.bench.results import Estimate, Result, Run, ToolError
from streamkit.bench.tally import Bound, Tally
from streamkit.bench.versus import difference, relative_difference
from streamkit.errors import ConfigError
from tests.bench.results_made import whole_result

Document = dict[str, Any]
Values: TypeAlias = Sequence[float] | NDArray[np.float64]
Draw = Callable[[np.random.Generator, int], Values]

CLOSED = Concurrency(8)

UNTOLD = "A and B were not calibrated: verdicts leave the tool's own error there out"


def run_of(
    values_ms: Values = (),
    *,
    load: Load = CLOSED,
    server: str = "server",
    errors: int = 0,
    good: int | None = None,
    tool_ms: float | None = None,
    metric: str = "ttft_ms",
    answers: int | None = None,
    scale: int = 1_000_000,
) -> Run:
    tally = Tally()
    for value in values_ms:
        tally.distributions[metric]["new"].add(round(float(value) * scale))
    ok = len(values_ms) if answers is None else answers
    tally.outcomes["ok"], tally.outcomes["status"] = ok, errors
    tally.counts["requests"], tally.counts["good"] = ok + errors, ok if good is None else good
    error = {} if tool_ms is None else {metric: ToolError(n=500, p50=tool_ms / 4, p99=tool_ms, bias=0.0)}
    return Run(server, load, tally, tool_error=error)


def document(*runs: Run, slo: bool = False, prompts: str = "", is_interrupted: bool = False) -> Document:
    names = dict.fromkeys(run.server for run in runs)
    servers = [Server(name, "http://127.0.0.1:1/", "openai-chat") for name in names]
    bounds = [Bound("ttft_ms", 10**9)] if slo else []
    result = Result(servers, [*runs], slo=bounds, prompts=prompts, is_interrupted=is_interrupted)
    return read_document(as_json(result).encode(), "F")


def around(middle_ms: float, n: int = 2000, seed: int = 1) -> Values:
    return np.random.default_rng(seed).normal(middle_ms, middle_ms / 20, n)


def row_of(a: Document, b: Document, metric: str = "ttft_ms", figure: str = "p50") -> Row:
    (row,) = [row for row in compare(a, b).rows if (row.metric, row.figure) == (metric, figure)]
    return row


def judged(text: str, a: Document, b: Document) -> Judged:
    (found,) = judge(parse_fail_if(text), a, b)
    return found


# The grammar.


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("ttft p95 +10%", ("ttft_ms", "p95", 0.1, False, True)),
        ("p95 ttft +10%", ("ttft_ms", "p95", 0.1, False, True)),
        ("+10% P95 TTFT_MS", ("ttft_ms", "p95", 0.1, False, True)),
        ("ttft p99.9 +5ms", ("ttft_ms", "p99.9", 5.0, False, False)),
        ("e2e mean +0.5s", ("e2e_ms", "mean", 500.0, False, False)),
        ("event_gap p50 +200us", ("event_gap_ms", "p50", 0.2, False, False)),
        ("tokens_per_s p50 -10%", ("tokens_per_s", "p50", -0.1, True, True)),
        ("tokens_per_s p50 \N{MINUS SIGN}5", ("tokens_per_s", "p50", -5.0, True, False)),
        ("errors +1%", ("errors", "", 1.0, False, False)),
        ("goodput -0.5%", ("goodput", "", -0.5, True, False)),
    ],
)
def test_what_is_asked_for(text: str, condition: tuple[Any, ...]) -> None:
    found = parse_fail_if(text)
    assert (found.metric, found.figure, found.limit, found.is_below, found.is_relative) == condition
    assert found.text == text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "lacks a limit"),
        ("ttft p95", "lacks a limit"),
        ("ttft p95 10%", "besides|no metric"),
        ("ttft +10%", "lacks a quantile"),
        ("p95 +10%", "lacks a metric"),
        ("tfft p95 +10%", "did you mean ttft"),
        ("ttft p100 +10%", "no quantile"),
        ("ttft p95 +10% now", "besides"),
        ("ttft p95 +10", "a time"),
        ("events_per_read p50 +1ms", "a number"),
        ("event_gap mean +1ms", "say a quantile"),
        ("errors p50 +1%", "percentage points"),
        ("errors +1ms", "percentage points"),
        ("errors ttft +1%", "besides"),
    ],
)
def test_what_cannot_be_asked_for(text: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        parse_fail_if(text)


# Verdicts.


@pytest.mark.parametrize(
    ("after", "verdict"), [(60.0, "worse"), (40.0, "better"), (50.2, "same"), (49.8, "same"), (52.4, "unknown")]
)
def test_a_difference_that_is_known_gets_its_verdict(after: float, verdict: str) -> None:
    n = 12 if verdict == "unknown" else 2000
    row = row_of(document(run_of(around(50, n))), document(run_of(around(after, n, seed=2))))
    assert row.verdict == verdict
    assert bool(row.note) == (verdict == "unknown")
    assert row.difference is not None
    assert row.relative is not None
    assert row.difference.low < after - 50 < row.difference.high
    assert row.relative.low < after / 50 - 1 < row.relative.high


def test_more_tokens_a_second_are_better_and_more_events_a_read_are_only_more() -> None:
    def both(metric: str, scale: int) -> str:
        made = [run_of([value] * 50, metric=metric, scale=scale) for value in (4, 8)]
        return row_of(document(made[0]), document(made[1]), metric).verdict

    assert both("tokens_per_s", 1000) == "better"
    assert both("events_per_read", 1) == "changed"
    assert both("ttft_ms", 1_000_000) == "worse"


def test_a_difference_within_the_tools_own_error_is_not_blamed_on_the_server() -> None:
    a, b = (run_of(around(at, seed=at), tool_ms=30) for at in (50, 60))
    row = row_of(document(a), document(b), figure="p99")
    assert (row.verdict, row.tool_error) == ("unknown", 30)
    assert row.note == "the tool's own error is 30"
    # Of a median the usual error counts.
    assert row_of(document(a), document(b)).tool_error == 7.5
    assert row_of(document(a), document(b)).verdict == "worse"
    alike = run_of(around(50), tool_ms=30)
    assert row_of(document(alike), document(alike), figure="p99").verdict == "unknown"


def test_a_figure_whose_tool_error_the_calibration_could_not_tell_has_no_verdict() -> None:
    a, b = (run_of(around(at, seed=at), tool_ms=2) for at in (50, 80))
    b.tool_error["ttft_ms"] = ToolError(n=126, p50=0.1, p99=None, bias=0.0)
    both = document(a), document(b)
    assert row_of(*both).verdict == "worse", "a median's is known"
    row = row_of(*both, figure="p99")
    assert (row.verdict, row.tool_error) == ("unknown", None)
    assert "the calibration was too small" in row.note
    for text in ("ttft p99 +10%", "ttft p99 -10%"):
        assert judged(text, *both).outcome == "undecided"
        assert "the calibration was too small" in judged(text, *both).words
    assert judged("ttft p50 +10%", *both).outcome == "failed"


def test_goodput_of_two_objectives_is_not_one_thing() -> None:
    a, b = (document(run_of(around(50), good=good), slo=True) for good in (2000, 200))
    assert row_of(a, b, "goodput", "").verdict == "worse"
    b["slo"][0]["limit"] /= 2
    row = row_of(a, b, "goodput", "")
    assert (row.verdict, row.note) == ("unknown", "the two have different objectives")
    assert judged("goodput -5%", a, b).outcome == "undecided"


def test_answers_that_nobody_can_judge_may_have_been_good() -> None:
    a, b = (document(run_of(around(50), good=good), slo=True) for good in (2000, 200))
    b["runs"][0]["goodput"]["unjudged"] = 1790
    row = row_of(a, b, "goodput", "")
    assert row.b is not None
    assert row.b.value == 10
    assert row.b.low < 10
    assert row.b.high > 99
    assert judged("goodput -5%", a, b).outcome == "undecided"


def test_what_one_side_cannot_say_is_unknown_and_what_neither_can_is_not_there() -> None:
    a, b = document(run_of(around(50, 400))), document(run_of(around(50, 300)))
    row = row_of(a, b, figure="p99")
    assert (row.b, row.difference, row.verdict) == (None, None, "unknown")
    assert row.note == "B has no figure: n = 300 is too small"
    figures = {row.figure for row in compare(b, b).rows if row.metric == "ttft_ms"}
    assert figures == {"p50", "p90"}
    assert not [row for row in compare(b, b).rows if row.metric == "first_tool_ms"]


def test_errors_are_compared_as_shares_and_failing_is_never_faster() -> None:
    a = document(run_of(around(50, 1000)), slo=True)
    b = document(run_of(around(30, 500), errors=500, good=400), slo=True)
    assert row_of(a, b, "errors", "").verdict == "worse"
    goodput = row_of(a, b, "goodput", "")
    assert goodput.verdict == "worse"
    assert goodput.b is not None
    assert goodput.b.value == 40
    none = document(run_of(errors=1000))
    row = row_of(a, none)
    assert (row.verdict, row.b) == ("unknown", None)
    assert row.note == "B has no figure: all of its 1000 requests failed"
    assert judged("ttft p50 +10%", a, none).outcome == "failed"
    assert judged("ttft p50 -10%", a, none).outcome == "failed"
    assert judged("ttft p50 +10%", none, none).outcome == "undecided"
    assert judged("errors +1%", a, b).outcome == "failed"
    assert judged("errors +1%", b, a).outcome == "passed"
    assert judged("goodput -1%", a, b).outcome == "failed"


def test_gaps_count_as_many_as_there_are_answers() -> None:
    gaps = around(10, 4000)
    few, many = (document(run_of(gaps, metric="event_gap_ms", answers=answers)) for answers in (100, 400))
    assert row_of(many, many, "event_gap_ms", "p99").verdict == "unknown"  # there, but its interval is wide
    assert not [row for row in compare(few, few).rows if (row.metric, row.figure) == ("event_gap_ms", "p99")]


def test_gaps_of_answers_that_are_not_equally_long_count_as_the_result_says() -> None:
    made = document(run_of(around(10, 4000), metric="event_gap_ms", answers=400))
    metric = made["runs"][0]["metrics"]["event_gap_ms"]
    assert row_of(made, made, "event_gap_ms", "p99").a is not None
    metric["independent"] = 300
    assert not [row for row in compare(made, made).rows if (row.metric, row.figure) == ("event_gap_ms", "p99")]
    found = row_of(made, made, "event_gap_ms").a
    assert found is not None


def test_first_tokens_that_may_have_come_sooner_are_so_in_a_comparison_too() -> None:
    run = run_of(around(50, 400))
    for value, count in [*run.tally.distributions["ttft_ms"]["new"].buckets()]:
        for _ in range(count):
            run.tally.distributions["ttft_ms"]["new"].may_be_less(value, 20_000_000)
    made = document(run)
    found = row_of(made, made).a
    assert found is not None
    fields = made["runs"][0]["metrics"]["ttft_ms"]
    assert (found.value, found.low, found.high) == pytest.approx((fields["p50"], *fields["p50_interval"]))
    assert found.low == pytest.approx(30, abs=1)


def test_figures_of_a_result_are_those_that_it_has_itself() -> None:
    a = document(run_of([*around(50, 1000), 123.456789, 33.345678]))
    metric = a["runs"][0]["metrics"]["ttft_ms"]
    for figure in ("p50", "p90", "p99"):
        found = row_of(a, a, figure=figure).a
        assert found is not None
        assert (found.value, found.low, found.high) == pytest.approx((metric[figure], *metric[f"{figure}_interval"]))


# Which run belongs to which.


def test_runs_of_one_load_belong_together_whatever_the_only_server_is_called() -> None:
    loads: list[Load] = [Concurrency(1), Concurrency(8), Arrivals("poisson", 8.0), Arrivals("constant", 8.0)]
    a = document(*[run_of(around(50), load=load, server="old") for load in loads])
    b = document(*[run_of(around(50), load=load, server="new") for load in [Concurrency(64), *loads[:0:-1]]])
    found = compare(a, b)
    assert list(dict.fromkeys((row.server, row.load) for row in found.rows)) == [
        ("new", "concurrency 8"),
        ("new", "rate 8/s (poisson)"),
        ("new", "rate 8/s (constant)"),
    ]
    assert found.notes == ["only A has concurrency 1", "only B has concurrency 64", UNTOLD, BETWEEN]


def test_several_servers_are_told_apart_by_name() -> None:
    a = document(run_of(around(50), server="direct"), run_of(around(60), server="proxy"))
    b = document(run_of(around(90), server="proxy"), run_of(around(50), server="direct"))
    verdicts = {row.server: row.verdict for row in compare(a, b).rows if row.figure == "p50"}
    assert verdicts == {"direct": "same", "proxy": "worse"}
    # What one of two servers has of a load is not what it has of it alone.
    alone = compare(a, document(run_of(around(50), server="proxy")))
    assert alone.rows == []
    assert alone.notes[:3] == [
        "only A has concurrency 8, shared by 2 servers on direct",
        "only A has concurrency 8, shared by 2 servers on proxy",
        "only B has concurrency 8 on proxy",
    ]


def test_settings_that_differ_are_named() -> None:
    a = document(run_of(around(50)), prompts="short ones")
    b = document(run_of(around(50)), prompts="long ones", is_interrupted=True)
    assert compare(a, b, names=("old.json", "new.json")).notes == [
        "the two differ in prompts: short ones in old.json, long ones in new.json",
        "new.json was interrupted",
        UNTOLD.replace("A and B", "old.json and new.json"),
        BETWEEN,
    ]
    calibrated = document(run_of(around(50), tool_ms=1.0))
    assert compare(a, calibrated).notes[-2] == UNTOLD.replace("A and B were", "A was")
    assert compare(calibrated, calibrated).notes == [BETWEEN]


def test_a_damaged_histogram_is_the_files_fault() -> None:
    a = document(run_of(around(50)))
    b = deepcopy(a)
    b["runs"][0]["metrics"]["ttft_ms"]["hdr"] = "HISTx"
    with pytest.raises(ConfigError, match=r"new\.json: the histogram of ttft_ms is damaged"):
        compare(a, b, names=("old.json", "new.json"))


def test_a_whole_result_is_the_same_as_itself() -> None:
    plain = read_document(as_json(whole_result()).encode(), "F")
    found = compare(plain, plain)
    assert {row.verdict for row in found.rows} <= {"same", "unknown"}
    assert all(row.note for row in found.rows if row.verdict == "unknown")
    for row in found.rows:
        if row.difference is not None:
            assert row.difference.low <= row.difference.value == 0 <= row.difference.high


# Conditions.


@pytest.mark.parametrize(
    ("text", "after", "n", "outcome"),
    [
        ("ttft p95 +10%", 60.0, 2000, "failed"),
        ("ttft p95 +10%", 50.0, 2000, "passed"),
        ("ttft p95 +10%", 54.0, 200, "undecided"),
        ("ttft p95 +5ms", 60.0, 2000, "failed"),
        ("ttft p95 +5ms", 51.0, 2000, "passed"),
        ("ttft p95 +5ms", 54.0, 150, "undecided"),
        ("ttft p95 -10%", 40.0, 2000, "failed"),
        ("ttft p95 -10%", 50.0, 2000, "passed"),
        ("ttft mean +10%", 60.0, 100, "failed"),
        ("ttft p99 +10%", 100.0, 300, "undecided"),  # no p99 of 300
        ("ttft p50 +0%", 49.0, 2000, "passed"),
        ("ttft p50 +0%", 51.0, 2000, "failed"),
        ("e2e p50 +10%", 100.0, 300, "undecided"),  # nothing is known of it
    ],
)
def test_a_condition_is_judged_by_the_whole_interval(text: str, after: float, n: int, outcome: str) -> None:
    a, b = document(run_of(around(50, n))), document(run_of(around(after, n, seed=2)))
    found = judged(text, a, b)
    assert found.outcome == outcome
    assert found.words


def test_a_condition_does_not_fail_or_pass_where_the_tool_is_not_exact_enough() -> None:
    def with_tool(error_ms: float, after: float) -> Judged:
        a, b = (run_of(around(at), tool_ms=error_ms) for at in (50, after))
        return judged("ttft p95 +10%", document(a), document(b))

    assert with_tool(2, 60).outcome == "failed"
    assert with_tool(2, 50).outcome == "passed"
    assert with_tool(20, 60).outcome == "undecided"
    assert "the tool's own error is" in with_tool(20, 60).words
    assert with_tool(20, 50).outcome == "undecided"
    assert with_tool(20, 100).outcome == "failed"
    assert with_tool(20, 20).outcome == "passed"


def test_one_load_that_fails_fails_all_and_one_that_is_undecided_is_not_passed() -> None:
    def outcome(*after: float) -> str:
        loads = [Concurrency(1 + at) for at in range(len(after))]
        a = document(*[run_of(around(50, 150), load=load) for load in loads])
        b = document(*[run_of(around(to, 150, seed=2), load=load) for to, load in zip(after, loads, strict=True)])
        return outcome_of(judge(parse_fail_if("ttft p50 +10%"), a, b))

    assert outcome(50, 50) == "passed"
    assert outcome(50, 55, 90) == "failed"
    assert outcome(50, 55) == "undecided"
    other = judge(parse_fail_if("ttft p50 +10%"), document(run_of()), document(run_of(load=Concurrency(1))))
    assert outcome_of(other) == outcome_of([]) == "undecided"


def test_a_script_may_take_what_is_undecided_for_a_failure() -> None:
    a, b = (document(run_of(around(at, 150, seed=at))) for at in (50, 54))
    known, open_, strict = (parse_fail_if(text) for text in ("ttft p50 +50%", "ttft p95 +10%", " Undecided"))
    assert [each.outcome for each in judge_all([known, open_], a, b)] == ["passed", "undecided"]
    found = judge_all([strict, known, open_], a, b)
    assert [each.outcome for each in found] == ["passed", "undecided", "failed"]
    assert (outcome_of(found), found[-1].words) == ("failed", "1 of 2 cannot be told")
    assert outcome_of(judge_all([known, strict], a, b)) == "passed"
    with pytest.raises(ConfigError, match="is about other conditions"):
        judge_all([strict], a, b)


# How often an interval of a difference holds the truth.


def test_the_difference_of_two_known_figures_by_hand() -> None:
    a, b = Estimate(10.0, 7.0, 14.0), Estimate(20.0, 17.0, 28.0)
    assert difference(a, b) == Estimate(10.0, 10 - math.hypot(3, 4), 10 + math.hypot(8, 3))
    found = relative_difference(a, b)
    assert found is not None
    assert found.value == 1
    assert found.low == pytest.approx(2 * math.exp(-math.hypot(math.log(20 / 17), math.log(14 / 10))) - 1)
    assert found.high == pytest.approx(2 * math.exp(math.hypot(math.log(28 / 20), math.log(10 / 7))) - 1)
    assert relative_difference(Estimate(0, 0, 1), b) is None
    open_ended = relative_difference(Estimate(1, 0, 2), b)
    assert open_ended is not None
    assert open_ended.high == math.inf
    assert open_ended.low == pytest.approx(20 * math.exp(-math.hypot(math.log(20 / 17), math.log(2))) - 1)


@pytest.mark.parametrize("figure", ["p50", "p95"])
@pytest.mark.parametrize(
    "draw",
    [
        pytest.param(lambda source, n: source.exponential(30, n), id="exponential"),
        pytest.param(lambda source, n: source.lognormal(3, 1, n), id="lognormal"),
        pytest.param(lambda source, n: 50 + source.pareto(3, n), id="tail"),
    ],
)
def test_a_condition_fails_equal_servers_no_more_often_than_its_confidence_allows(draw: Draw, figure: str) -> None:
    source = np.random.default_rng(9)
    runs, condition = 100, parse_fail_if(f"ttft {figure} +0%")
    outside = failed = 0
    for _ in range(runs):
        a, b = (as_plain(draw(source, 250)) for _ in range(2))
        (found,) = judge(condition, a, b)
        assert found.row is not None
        assert found.row.difference is not None
        outside += not found.row.difference.low <= 0 <= found.row.difference.high
        failed += found.outcome == "failed"
    assert outside <= runs * 0.05 + 3 * math.sqrt(runs * 0.05)
    assert failed <= runs * 0.025 + 3 * math.sqrt(runs * 0.025)


def as_plain(values_ms: Values) -> Document:
    """Only what a comparison looks at: making a whole document takes longer than judging it."""
    made = document(run_of(values_ms[:1]))
    made["runs"][0]["metrics"]["ttft_ms"]["hdr"] = hdr_of(values_ms)
    return made


def hdr_of(values_ms: Values) -> str:
    return to_hdr(Distribution((np.asarray(values_ms) * 1e6).astype(np.int64).tolist()))


def test_conditions_are_values() -> None:
    assert parse_fail_if("ttft p95 +10%") == Condition(
        "ttft_ms", "p95", 0.1, is_below=False, is_relative=True, text="ttft p95 +10%"
    )
