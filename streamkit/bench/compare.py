"""Two results compared, for people and for scripts: rows with a verdict each. Pure.

A verdict is about the difference of a figure with its interval, and about our own error beside it:

- same: the whole interval is within a margin that does not matter (5 % of A's figure), and so is our own error;
- better, worse: the whole interval is on one side of zero, and further from it than our own error reaches;
- changed: the same, of a figure of which neither more nor less is better;
- unknown: none of these, because the samples are too small, or the tool is not exact enough, or nobody knows whether it
  is: the calibration was too small for a figure that high. Without any calibration the tool's error is left out of it,
  and the notes say so.

What the intervals hold is what the sample of each run leaves open. Two runs also differ in when they were: a machine or
a model that was busier in one of them makes a difference that is there, and is not the server's. `BETWEEN` says so with
every comparison. Many rows at 95 % each are not all right: of twenty figures of two equal servers one may well be
"worse" by a little. Conditions (`streamkit.bench.conditions`) are meant to be few, and say by how much.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal, TypeAlias

import msgspec

from streamkit.bench.metrics import METRICS, Metric
from streamkit.bench.results import Estimate
from streamkit.bench.statistics import check_confidence
from streamkit.bench.until import parse_quantile
from streamkit.bench.versus import ERRORS, GOODPUT, Document, Matched, difference, matched_runs, relative_difference

__all__ = [
    "BETWEEN",
    "SAME_WITHIN",
    "Comparison",
    "Row",
    "Verdict",
    "compare",
]

Verdict: TypeAlias = Literal["better", "worse", "same", "changed", "unknown"]

SAME_WITHIN: Final = 0.05
"""A difference of this share of A's figure does not matter."""

FIGURES: Final = ("p50", "p90", "p99")
MEAN: Final = "mean"
SHARES: Final = {ERRORS: "less", GOODPUT: "more"}
SAME_POINTS: Final = 1.0
"""Of a share, a difference of so many percentage points does not matter."""

BETWEEN: Final = (
    "the intervals are of the requests of each run; whatever else was different when the other one ran, a busier"
    " machine for instance, is not in them: to compare two servers, ask both in one run (--direct A --proxy B)"
)

UNJUDGED: Final = (
    "the tool's own error is not known there: the calibration was too small (--calibration), or of far less load"
)


class Row(msgspec.Struct, frozen=True):
    """A figure of both results.

    Attributes:
        server: its name.
        load: in words.
        metric: its name, or "errors" or "goodput": shares of the requests, in percent.
        figure: "p50", "p95", "mean"; empty for a share.
        a, b: the figures; None where the sample cannot support one.
        difference: B less A, in the metric's unit (percentage points, for a share); None where a figure is missing.
        relative: the same as a share of A; None also where A is zero, and for shares. Its upper end is infinite where
            A's interval reaches zero.
        tool_error: our own error in either figure, the greater one, in the metric's unit; None where nobody knows it of
            one of them.
        verdict: what that says.
        note: why a verdict is "unknown"; empty for the others.
    """

    server: str
    load: str
    metric: str
    figure: str
    a: Estimate | None
    b: Estimate | None
    difference: Estimate | None
    relative: Estimate | None
    tool_error: float | None
    verdict: Verdict
    note: str = ""


class Comparison(msgspec.Struct, frozen=True):
    """Two results compared.

    Attributes:
        rows: by load and server, in the order of A, then by metric. What neither result has, has no row.
        notes: loads that only one has, settings that differ, and `BETWEEN`.
        confidence: of the intervals.
    """

    rows: list[Row]
    notes: list[str]
    confidence: float


def compare(
    a: Document, b: Document, *, names: tuple[str, str] = ("A", "B"), same_within: float = SAME_WITHIN
) -> Comparison:
    """Compare two results.

    Args:
        a: a document, the older one for instance.
        b: the other, which is what is judged.
        names: what to call them.
        same_within: the share of a figure that does not matter.

    Raises:
        ConfigError: a histogram in one of them cannot be read.
    """
    confidence = confidence_of(a, b)
    matched, notes = matched_runs(a, b, names, confidence)
    rows = [row for each in matched for row in _rows(each, names, same_within)]
    return Comparison(rows, [*_settings(a, b, names), *notes, *_untold(a, b, names), BETWEEN], confidence)


def confidence_of(a: Document, b: Document) -> float:
    """Return the confidence of both, the greater one: what is said shall hold with both."""
    confidence = max(float(a["confidence"]), float(b["confidence"]))
    check_confidence(confidence)
    return confidence


def _rows(matched: Matched, names: tuple[str, str], same_within: float) -> Iterable[Row]:
    for share in SHARES:
        row = share_row(matched, share)
        if row is not None:
            yield row
    for metric in METRICS:
        for figure in FIGURES:
            row = metric_row(matched, metric, figure, names, same_within)
            if row is not None:
                yield row


def share_row(matched: Matched, name: str) -> Row | None:
    """Return the row of "errors" or "goodput", in percent; None where a result does not have it."""
    a, b = matched.a.share(name), matched.b.share(name)
    if a is None or b is None:
        return None
    found = difference(a, b)
    verdict, note = _verdict(found, SAME_POINTS, 0.0, SHARES[name])
    if name == GOODPUT and not matched.has_one_slo:
        verdict, note = "unknown", "the two have different objectives"
    return Row(matched.server, matched.load, name, "", a, b, found, None, None, verdict, note)


def metric_row(matched: Matched, metric: Metric, figure: str, names: tuple[str, str], same_within: float) -> Row | None:
    """Return the row of a quantile ("p95") or the mean of a metric; None where neither result has it."""
    q = None if figure == MEAN else parse_quantile(figure)
    a, b = matched.a.figure(metric, q), matched.b.figure(metric, q)
    if a is None and b is None:
        return None
    sides = matched.a, matched.b
    is_unjudged = any(side.is_unjudged(metric, q) for side in sides)
    errors = [each for side in sides if not is_unjudged and (each := side.tool_error(metric, q)) is not None]
    tool_error = max(errors, default=None)
    found = relative = None
    verdict: Verdict = "unknown"
    if a is None or b is None:
        note = _missing(matched, metric, names, is_b=a is not None)
    else:
        found, relative = difference(a, b), relative_difference(a, b)
        verdict, note = _verdict(found, same_within * abs(a.value), tool_error or 0.0, metric.better)
    if is_unjudged and not note:
        verdict, note = "unknown", UNJUDGED
    return Row(matched.server, matched.load, metric.name, figure, a, b, found, relative, tool_error, verdict, note)


def _missing(matched: Matched, metric: Metric, names: tuple[str, str], *, is_b: bool) -> str:
    side, name = (matched.b, names[1]) if is_b else (matched.a, names[0])
    if side.is_all_errors():
        return f"{name} has no figure: all of its {side.run['errors']} requests failed"
    return f"{name} has no figure: n = {side.distribution(metric).n} is too small"


def _verdict(found: Estimate, margin: float, tool_error: float, better: str) -> tuple[Verdict, str]:
    """Return a verdict about a difference, and why there is none."""
    if -margin <= found.low and found.high <= margin and tool_error <= margin:
        return "same", ""
    sign = 1 if found.low > tool_error else -1 if found.high < -tool_error else 0
    if not sign:
        if found.low > 0 or found.high < 0 or max(abs(found.low), abs(found.high)) <= margin:
            return "unknown", f"the tool's own error is {tool_error:.3g}"
        return "unknown", "the samples are too small to say"
    if not better:
        return "changed", ""
    return "worse" if (sign > 0) == (better == "less") else "better", ""


def _settings(a: Document, b: Document, names: tuple[str, str]) -> list[str]:
    """Return sentences about what else differs between the two, and may be why the figures do."""
    notes = [
        f"the two differ in {what}: {a[what]} in {names[0]}, {b[what]} in {names[1]}"
        for what in ("prompts", "machine", "workers", "version")
        if a[what] != b[what]
    ]
    if a["slo"] != b["slo"]:
        notes.append("the two have different objectives, and so different goodput")
    notes += [f"{name} was interrupted" for name, each in zip(names, (a, b), strict=True) if each["is_interrupted"]]
    return notes


def _untold(a: Document, b: Document, names: tuple[str, str]) -> Iterable[str]:
    """Yield a sentence about results that do not say how far the tool itself may be off."""
    found = [
        name for name, each in zip(names, (a, b), strict=True) if not any(run["tool_error"] for run in each["runs"])
    ]
    if found:
        was = "was" if len(found) == 1 else "were"
        yield f"{' and '.join(found)} {was} not calibrated: verdicts leave the tool's own error there out"
