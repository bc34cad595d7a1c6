"""How far our figures can be trusted, as a calibration has found it, and what follows from that. Pure.

The errors themselves are made in `streamkit.bench.compared`. Server and tool share a machine while they calibrate, so
the tool has less of it than beside a server elsewhere: the error is rather overstated. Where there are several
calibrations, before a run and after it or on several machines, the worse one counts, figure by figure. Where one of
them was too small for a p99 of the error, all together may be large enough; it is never less than any of them knows.

The mock is a program of its own with a limit of its own: a server that answers thousands of times a second is faster.
An error that was measured at far less than the run's load says nothing about the run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal

import msgspec
from msgspec.structs import replace

from streamkit.bench.compared import COUNTS
from streamkit.bench.distribution import Distribution
from streamkit.bench.metrics import BY_NAME
from streamkit.bench.results import Run, ToolError
from streamkit.bench.shape import Shape
from streamkit.bench.statistics import CONFIDENCE, quantile_rank, smallest_n

__all__ = ["HEADLINES", "Calibration", "error_for", "expected", "in_doubt", "judging", "trust", "unjudged", "worse"]

HEADLINES: Final = ("ttft_ms", "ttft_from_schedule_ms", "first_visible_ms", "event_gap_ms", "tpot_ms", "e2e_ms")
"""The figures for whose sake a strict run is refused."""


LEAST_LOAD: Final = 0.5
"""The share of a run's load at which an error has to be measured to say something about the run."""

EVENTS_A_REQUEST: Final = 4
"""What a request keeps the tool busy besides its token events, in token events."""


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """What a calibration has found; goes to other processes as JSON.

    Attributes:
        tool_error: by the metric's name.
        spread: by the metric's name, the errors without their signs, as `Distribution.as_json` has them.
        confidence: what a p99 of the error has to keep to be one.
        parts: of the TTFT's, in ms; see `streamkit.bench.compared.Compared`.
        counts: see there.
        requests_per_s: how many requests a second there were, well answered.
        events_per_s: how many token events a second were in them.
        shape: of the answers.
        lag_max_ns: the longest that the loop stood still.
        notes: sentences about how it differs from the run.
    """

    tool_error: dict[str, ToolError]
    parts: dict[str, ToolError]
    counts: dict[str, int]
    requests_per_s: float
    shape: Shape
    lag_max_ns: int = 0
    notes: list[str] = []
    spread: dict[str, list[int]] = {}
    confidence: float = CONFIDENCE
    events_per_s: float = 0.0


def error_for(q: float, error: ToolError | None) -> float | None:
    """Return the error that a quantile is judged by: the median error up to the median, above it the p99.

    None where nobody knows it, also because there was far less to do when it was measured.
    """
    if error is None or error.load < LEAST_LOAD:
        return None
    return error.p50 if q <= 0.5 else error.p99


def trust(
    figure: float, q: float, error: ToolError | None, max_tool_error: float
) -> Literal["trusted", "doubtful", "unknown"]:
    """Tell whether the tool's own error is small enough beside a figure.

    Args:
        figure: a quantile of a metric, in the metric's unit.
        q: which quantile.
        error: of that metric.
        max_tool_error: the share of the figure that the error may be.

    Returns:
        "doubtful" where it is more; "unknown" where the calibration was too short to say, or knows no such metric.
    """
    own = error_for(q, error)
    if own is None:
        return "unknown"
    return "doubtful" if own > max_tool_error * abs(figure) else "trusted"


def in_doubt(
    figures: Mapping[str, Mapping[float, float]],
    tool_error: Mapping[str, ToolError],
    max_tool_error: float,
    *,
    names: Iterable[str] = HEADLINES,
) -> list[str]:
    """Return, for people, the figures that are doubtful: a strict run is refused for any.

    Args:
        figures: by the metric's name and the quantile, in the metric's unit; before a run, what is expected.
        tool_error: by the metric's name.
        max_tool_error: the share of a figure that the error may be.
        names: the metrics that count.
    """
    said: list[str] = []
    for name in names:
        error = tool_error.get(name)
        metric = BY_NAME[name]
        unit = "ms" if name.endswith("_ms") else ""
        for q, figure in figures.get(name, {}).items():
            own = error_for(q, error)
            if own is not None and trust(figure, q, error, max_tool_error) == "doubtful":
                what = f"{metric.short} p{100 * q:g}"
                said.append(
                    f"{what} is {figure:.3g} {unit} and the tool's own error {own:.3g} {unit}".replace("  ", " ")
                )
    return said


def unjudged(
    figures: Mapping[str, Mapping[float, float]],
    tool_error: Mapping[str, ToolError],
    *,
    names: Iterable[str] = HEADLINES,
) -> list[str]:
    """Return, for people, the figures of which nobody knows whether they are doubtful; a strict run fails for any.

    Args:
        figures: by the metric's name and the quantile.
        tool_error: by the metric's name.
        names: the metrics that count.
    """
    said: list[str] = []
    for name in names:
        error = tool_error.get(name)
        unknown = [f"p{100 * q:g}" for q in figures.get(name, {}) if error_for(q, error) is None]
        if unknown:
            if error is None:
                of = "nothing of it"
            elif error.load < LEAST_LOAD:
                of = f"{error.load:.0%} of the run's load"
            else:
                of = f"{error.n} values of it, too few"
            what = f"{BY_NAME[name].short} {', '.join(unknown)}"
            said.append(f"of {what} nobody knows the tool's own error: the calibration had {of}")
    return said


def expected(shape: Shape) -> dict[str, dict[float, float]]:
    """Return the medians that a run will have whose answers are like this, for `in_doubt` to judge it beforehand.

    A gap of 0 is one that nobody knows: whole answers came in one read.
    """
    figures = {"ttft_ms": shape.ttft_ms, "e2e_ms": shape.length_ms, "event_gap_ms": shape.gap_ms}
    return {
        name: {0.5: figure}
        for name, figure in figures.items()
        if figure and (name != "event_gap_ms" or shape.tokens > 1)
    }


def judging(calibration: Calibration, runs: Sequence[Run]) -> tuple[dict[str, ToolError], list[str]]:
    """Return the errors that stand beside the figures of some runs, and sentences about what these do not say.

    Args:
        calibration: whose errors.
        runs: those that shared its load.
    """
    lengths_s = [run.duration_s for run in runs if run.duration_s]
    if not lengths_s:
        return calibration.tool_error, []
    events_per_s = sum(run.tally.counts["token_events"] for run in runs) / max(lengths_s)
    requests_per_s = sum(run.tally.outcomes["ok"] for run in runs) / max(lengths_s)
    wanted = events_per_s + EVENTS_A_REQUEST * requests_per_s
    had = calibration.events_per_s + EVENTS_A_REQUEST * calibration.requests_per_s
    load = min(1.0, had / wanted) if wanted else 1.0
    errors = {name: replace(error, load=load) for name, error in calibration.tool_error.items()}
    if load >= LEAST_LOAD:
        return errors, []
    words = (
        f"the mock server of the calibration could not answer as fast: {calibration.requests_per_s:,.0f} requests and"
        f" {calibration.events_per_s:,.0f} token events a second, and the run had {requests_per_s:,.0f} and"
        f" {events_per_s:,.0f}: how far the tool is off at the run's load is not known"
    )
    return errors, [words]


def worse(calibrations: Sequence[Calibration]) -> Calibration:
    """Return the worse of each: of a calibration before a run and one after it, or of several machines'.

    Raises:
        ValueError: there is none.
    """
    if not calibrations:
        raise ValueError("the worse of no calibrations")
    names = sorted({name for each in calibrations for name in each.tool_error})
    parts = sorted({name for each in calibrations for name in each.parts})
    notes = [*dict.fromkeys(note for each in calibrations for note in each.notes)]
    spread = {name: _together(each.spread.get(name, []) for each in calibrations) for name in names}
    confidence = max(each.confidence for each in calibrations)
    return Calibration(
        tool_error={
            name: _worst(
                [each.tool_error.get(name) for each in calibrations], spread[name], BY_NAME[name].scale, confidence
            )
            for name in names
        },
        parts={name: _worst([each.parts.get(name) for each in calibrations]) for name in parts},
        counts={name: sum(each.counts.get(name, 0) for each in calibrations) for name in COUNTS},
        requests_per_s=min(each.requests_per_s for each in calibrations),
        events_per_s=min(each.events_per_s for each in calibrations),
        shape=calibrations[0].shape,
        lag_max_ns=max(each.lag_max_ns for each in calibrations),
        notes=notes + _spread(calibrations),
        spread={name: every.as_json() for name, every in spread.items() if every.n},
        confidence=confidence,
    )


def _together(spreads: Iterable[list[int]]) -> Distribution:
    every = Distribution()
    for each in spreads:
        every.merge(Distribution.from_json(each))
    return every


def _worst(
    errors: Iterable[ToolError | None],
    spread: Distribution | None = None,
    scale: int = 1,
    confidence: float = CONFIDENCE,
) -> ToolError:
    known = [error for error in errors if error is not None]
    n = min(error.n for error in known)
    p50 = max(error.p50 for error in known)
    tails = [error.p99 for error in known if error.p99 is not None]
    p99 = max(tails, default=None)
    if len(tails) < len(known):
        p99 = None
        if spread is not None and spread.n >= smallest_n(0.99, confidence):
            (together,) = spread.at_ranks([quantile_rank(spread.n, 0.99)])
            n, p99 = spread.n, max(together / scale, p50, *tails)
    return ToolError(n=n, p50=p50, p99=p99, bias=max((error.bias for error in known), key=abs))


def _spread(calibrations: Sequence[Calibration]) -> list[str]:
    """Say what the calibrations have found where there are several; the worse one stands beside the figures."""
    found = [each.tool_error["ttft_ms"].p50 for each in calibrations if "ttft_ms" in each.tool_error]
    if len(found) < 2:
        return []
    each = ", ".join(f"{value:.3f}" for value in found)
    return [f"the tool's own error is the worst of {len(found)} calibrations: the median error of ttft was {each} ms"]
