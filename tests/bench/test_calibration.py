"""What is concluded from the tool's errors: which figures are in doubt, and which of several calibrations counts."""

from __future__ import annotations

import msgspec
import pytest
from msgspec.structs import replace

from streamkit.bench.calibration import Calibration, error_for, expected, in_doubt, judging, trust, unjudged, worse
from streamkit.bench.distribution import Distribution
from streamkit.bench.plan import Concurrency
from streamkit.bench.results import Ran, Run, ToolError
from streamkit.bench.shape import Shape
from streamkit.bench.tally import Tally

ERROR = ToolError(n=500, p50=0.5, p99=4.0, bias=0.4)


@pytest.mark.parametrize(
    ("figure", "q", "error", "said"),
    [
        (5.0, 0.5, ERROR, "trusted"),  # a tenth, not more
        (4.9, 0.5, ERROR, "doubtful"),
        (40.0, 0.99, ERROR, "trusted"),
        (39.0, 0.99, ERROR, "doubtful"),
        (39.0, 0.9, ERROR, "doubtful"),  # above the median the worst case counts
        (0.0, 0.5, ERROR, "doubtful"),
        (0.0, 0.5, ToolError(500, 0.0, 0.0, 0.0), "trusted"),
        (50.0, 0.5, ToolError(20, 0.5, None, 0.4), "trusted"),
        (5000.0, 0.99, ToolError(20, 0.5, None, 0.4), "unknown"),
        (5000.0, 0.99, None, "unknown"),
    ],
)
def test_a_figure_is_marked_where_the_tools_own_error_is_too_large(
    figure: float, q: float, error: ToolError | None, said: str
) -> None:
    assert trust(figure, q, error, 0.1) == said


def test_up_to_the_median_the_median_error_counts() -> None:
    assert [error_for(q, ERROR) for q in (0.1, 0.5, 0.51, 0.99)] == [0.5, 0.5, 4.0, 4.0]


def test_a_strict_run_is_told_which_figures_are_in_doubt() -> None:
    figures = {"ttft_ms": {0.5: 50.0, 0.99: 20.0}, "e2e_ms": {0.5: 1.0}, "headers_ms": {0.5: 0.001}}
    errors = {"ttft_ms": ERROR, "headers_ms": ERROR}
    assert in_doubt(figures, errors, 0.1) == ["ttft p99 is 20 ms and the tool's own error 4 ms"]
    assert in_doubt(figures, errors, 0.3) == []


def test_a_strict_run_is_refused_before_it_begins_where_its_medians_will_be_in_doubt() -> None:
    shape = Shape(4, 10, 2)
    errors = {"ttft_ms": ERROR, "event_gap_ms": ERROR, "e2e_ms": ERROR}
    assert in_doubt(expected(shape), errors, 0.1) == ["ttft p50 is 4 ms and the tool's own error 0.5 ms"]
    assert "event_gap_ms" not in expected(Shape(4, 0, 1))


def calibration(p50: float, p99: float | None, bias: float, **changes: object) -> Calibration:
    fields: dict[str, object] = {
        "tool_error": {"ttft_ms": ToolError(500, p50, p99, bias)},
        "parts": {"sending": ToolError(500, p50 / 2, None, bias)},
        "counts": {"requests": 500, "false_zero_gaps": 1},
        "requests_per_s": 100.0,
        "shape": Shape(50, 10, 32),
        "notes": ["the same"],
    }
    return Calibration(**(fields | changes))  # type: ignore[arg-type]


def test_of_before_and_after_the_worse_counts_and_it_is_said() -> None:
    after = calibration(0.2, 2.5, -0.3, requests_per_s=90.0, lag_max_ns=7)
    after.tool_error["e2e_ms"] = ToolError(9, 1, None, 1)
    both = worse([calibration(0.1, 3.0, 0.1), after])
    assert both.tool_error["ttft_ms"] == ToolError(500, 0.2, 3.0, -0.3)
    assert both.tool_error["e2e_ms"] == ToolError(9, 1, None, 1)
    assert both.parts["sending"].p50 == 0.1
    assert both.counts["false_zero_gaps"] == 2
    assert (both.requests_per_s, both.lag_max_ns) == (90.0, 7)
    assert both.notes == [
        "the same",
        "the tool's own error is the worst of 2 calibrations: the median error of ttft was 0.100, 0.200 ms",
    ]


def counted(errors_ms: list[float], p99: float | None) -> Calibration:
    """A calibration whose errors are these."""
    ns = sorted(round(each * 1e6) for each in errors_ms)
    error = ToolError(len(ns), ns[len(ns) // 2] / 1e6, p99, 0.0)
    return calibration(0, None, 0, tool_error={"ttft_ms": error}, spread={"ttft_ms": Distribution(ns).as_json()})


def test_a_p99_that_one_calibration_cannot_tell_is_that_of_all_together_and_never_less_than_what_is_known() -> None:
    busy, calm = [11.0 + each / 100 for each in range(100)], [0.01 * each for each in range(400)]
    both = worse([counted(busy, None), counted(calm, 3.96)]).tool_error["ttft_ms"]
    assert both.n == 500
    assert both.p50 == 11.5
    assert both.p99 == pytest.approx(11.94, abs=0.01), "of all 500, and not the calm one's 3.96"
    # Where hardly any request ended while it was busy, these are lost among the others: then what each of them knows.
    few = worse([counted([11.0] * 6, None), counted(calm * 3, 3.96)]).tool_error["ttft_ms"]
    assert (few.p50, few.p99) == (11.0, 11.0)
    # Merged again, as those of several machines are.
    again = worse([worse([counted(busy, None), counted(calm, 3.96)]), counted(calm, 3.96)])
    assert again.tool_error["ttft_ms"].p99 == pytest.approx(11.94, abs=0.01)


def test_a_p99_that_all_together_cannot_tell_is_unknown() -> None:
    two = [counted([0.01 * each for each in range(1, 151)], None)] * 2
    assert worse(two).tool_error["ttft_ms"].p99 is None
    assert worse([*two, two[0]]).tool_error["ttft_ms"].p99 == pytest.approx(1.49, abs=0.01)
    assert worse([counted([1.0] * 100, None), calibration(0.1, 3.0, 0.1)]).tool_error["ttft_ms"].p99 is None


def test_a_figure_whose_error_nobody_knows_is_not_passed_over() -> None:
    figures = {"ttft_ms": {0.5: 50.0, 0.9: 90.0, 0.99: 99.0}, "event_gap_ms": {0.5: 10.0}, "headers_ms": {0.5: 1.0}}
    small = {"ttft_ms": ToolError(126, 0.1, None, 0.1)}
    assert unjudged(figures, small) == [
        "of ttft p90, p99 nobody knows the tool's own error: the calibration had 126 values of it, too few",
        "of event_gap p50 nobody knows the tool's own error: the calibration had nothing of it",
    ]
    assert unjudged({"ttft_ms": figures["ttft_ms"]}, {"ttft_ms": ERROR}) == []


def run_of(requests: int, events: int, seconds: float) -> Run:
    run = Run("server", Concurrency(2), Tally(), ran=[Ran(0, round(seconds * 1e9), 0, 1, 0, 0, 1)])
    run.tally.outcomes["ok"], run.tally.counts["token_events"] = requests, events
    return run


def test_an_error_that_was_measured_at_far_less_load_judges_nothing() -> None:
    slow = calibration(0.1, 3.0, 0.1, requests_per_s=500.0, events_per_s=500.0)
    errors, notes = judging(slow, [run_of(4000, 4000, 1.0), run_of(4000, 4000, 1.0)])
    assert errors["ttft_ms"].load == 1 / 16
    assert "could not answer as fast: 500 requests and 500 token events a second, and the run had 8,000" in notes[0]
    assert [trust(100.0, q, errors["ttft_ms"], 0.1) for q in (0.5, 0.99)] == ["unknown"] * 2
    assert unjudged({"ttft_ms": {0.5: 100.0}}, errors) == [
        "of ttft p50 nobody knows the tool's own error: the calibration had 6% of the run's load"
    ]
    # Shorter answers at as many token events a second are the same load, and more is no harm.
    for requests, events in ((20, 4000), (500, 500), (700, 700), (1, 1), (0, 0)):
        errors, notes = judging(replace(slow, events_per_s=4000.0), [run_of(requests, events, 1.0)])
        assert (errors["ttft_ms"].load, notes) == (1.0, [])
    assert judging(slow, [Run("server", Concurrency(2), Tally())]) == (slow.tool_error, [])


def test_one_calibration_is_its_own_worst_and_of_none_there_is_none() -> None:
    assert worse([calibration(0.1, None, 0.1)]).tool_error == calibration(0.1, None, 0.1).tool_error
    with pytest.raises(ValueError, match="no calibrations"):
        worse([])


def test_a_calibration_goes_to_other_processes_and_comes_back() -> None:
    one = calibration(0.1, 3.0, 0.1)
    assert msgspec.json.decode(msgspec.json.encode(one), type=Calibration) == one
