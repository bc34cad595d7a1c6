"""Conditions on the difference of two results, as a script has them judged: `--fail-if "ttft p95 +10%"`. Pure.

A condition is judged by the whole interval of the difference, and by our own error beside it. What is neither beyond
the limit for certain nor within it for certain is undecided; a script that must not go on then says so with a condition
of its own, `--fail-if undecided`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final, Literal, TypeAlias

import msgspec

from mockserver.wording import shown
from streamkit.bench.compare import MEAN, SAME_WITHIN, SHARES, UNJUDGED, Row, confidence_of, metric_row, share_row
from streamkit.bench.metrics import NS_PER_MS, Metric
from streamkit.bench.results import Estimate
from streamkit.bench.until import metric_named, parse_quantile
from streamkit.bench.versus import GOODPUT, Document, Matched, matched_runs
from streamkit.errors import ConfigError

__all__ = ["Condition", "Judged", "Outcome", "judge", "judge_all", "outcome_of", "parse_fail_if"]

Outcome: TypeAlias = Literal["failed", "passed", "undecided"]

UNDECIDED: Final = "undecided"
"""The condition that is about the others."""

LIMIT: Final = re.compile(r"([+-])(\d+(?:\.\d+)?)(%|us|ms|s|)")
IN_MS: Final = {"us": 1e-3, "ms": 1.0, "s": 1e3}


class Condition(msgspec.Struct, frozen=True):
    """What must not be.

    Attributes:
        metric: its name, or "errors" or "goodput"; "undecided" for what is about the others.
        figure: "p95", "mean"; empty for a share.
        limit: the difference beyond which it fails: above it where it is positive or zero, below it where it is
            negative. A share of A's figure where `is_relative`, else in the metric's unit (percentage points).
        is_below: whether it fails below the limit.
        is_relative: see `limit`.
        text: what was asked.
    """

    metric: str
    figure: str
    limit: float
    is_below: bool
    is_relative: bool
    text: str


class Judged(msgspec.Struct, frozen=True):
    """A condition and one load.

    Attributes:
        condition: it.
        row: the figure that it is about; None where the two results have no load in common.
        outcome: "failed" only where the whole interval is beyond the limit, by more than our own error; "passed" only
            where the whole interval is not beyond it. Of `undecided` see `judge_all`.
        words: why.
    """

    condition: Condition
    row: Row | None
    outcome: Outcome
    words: str


def parse_fail_if(text: str) -> Condition:
    """Return what `ttft p95 +10%` asks for: to fail where B's figure is more than A's by more than that.

    A limit is a share of A's figure (`+10%`), or a time (`+5ms`); `-10%` fails where B is less by more than that. Any
    quantile, or `mean`; for `errors` and `goodput`, which are shares, percentage points and no quantile. `undecided`
    alone is to fail where another condition is undecided.

    Raises:
        ConfigError: it is none of that.
    """
    figure: str | None = None
    metric: Metric | None = None
    share = ""
    limit: re.Match[str] | None = None
    example = "it is said like 'ttft p95 +10%'"
    if text.strip().lower() == UNDECIDED:
        return Condition(UNDECIDED, "", 0.0, is_below=False, is_relative=False, text=text)
    for word in text.strip().lower().replace("\N{MINUS SIGN}", "-").split():
        if limit is None and (found := LIMIT.fullmatch(word)):
            limit = found
        elif figure is None and (word == MEAN or re.fullmatch(r"p\d.*", word)):
            figure = word
        elif metric is None and not share:
            share = word if word in SHARES else ""
            metric = None if share else metric_named(word)
        else:
            raise ConfigError(f"{shown(text)} has {shown(word)} besides a figure and a limit: {example}")
    if limit is None or (metric is None and not share):
        missing = "a limit with its sign" if limit is None else "a metric"
        raise ConfigError(f"{shown(text)} lacks {missing}: {example}")
    size, unit, is_below = float(limit[2]), limit[3], limit[1] == "-"
    size = -size if is_below else size
    if metric is None:
        if unit != "%" or figure is not None:
            raise ConfigError(f"{shown(text)}: {share} is a share; say how many percentage points, like {share} +1%")
        return Condition(share, "", size, is_below, is_relative=False, text=text)
    if figure is None:
        raise ConfigError(f"{shown(text)} lacks a quantile: {example}")
    if figure != MEAN:
        parse_quantile(figure)
    elif metric.many:
        raise ConfigError(f"{shown(text)}: the mean of {metric.short} has no interval here; say a quantile")
    if unit == "%":
        return Condition(metric.name, figure, size / 100, is_below, is_relative=True, text=text)
    if (metric.scale == NS_PER_MS) != bool(unit):
        raise ConfigError(f"{shown(text)}: a limit of {metric.short} is a share (+10%) or {_absolute(metric)}")
    return Condition(metric.name, figure, size * IN_MS.get(unit, 1.0), is_below, is_relative=False, text=text)


def _absolute(metric: Metric) -> str:
    return "a time (+5ms)" if metric.scale == NS_PER_MS else "a number (+5)"


def judge(condition: Condition, a: Document, b: Document, *, names: tuple[str, str] = ("A", "B")) -> list[Judged]:
    """Judge a condition, for each load that both results have.

    Raises:
        ConfigError: a histogram in one of them cannot be read.
    """
    matched, _ = matched_runs(a, b, names, confidence_of(a, b))
    if not matched:
        return [Judged(condition, None, "undecided", "the two results have no load in common")]
    return [_judge(condition, each, names) for each in matched]


def judge_all(
    conditions: Sequence[Condition], a: Document, b: Document, *, names: tuple[str, str] = ("A", "B")
) -> list[Judged]:
    """Judge all conditions, for each load that both results have; the one that is about the others comes last.

    That one, `undecided`, has failed where any of them is undecided, and has passed otherwise: for a script that must
    not go on where nothing is known.

    Raises:
        ConfigError: it is alone; or a histogram in one of the results cannot be read.
    """
    others = [each for each in conditions if each.metric != UNDECIDED]
    judged = [each for condition in others for each in judge(condition, a, b, names=names)]
    for condition in conditions:
        if condition.metric == UNDECIDED:
            if not others:
                raise ConfigError(f"{shown(condition.text)} is about other conditions, and there is none")
            many = sum(each.outcome == "undecided" for each in judged)
            words = f"{many} of {len(judged)} cannot be told"
            return [*judged, Judged(condition, None, "failed" if many else "passed", words)]
    return judged


def outcome_of(judged: Iterable[Judged]) -> Outcome:
    """Return what is said of all of them: "failed" if one is; "passed" only if all are."""
    outcomes = {each.outcome for each in judged}
    return "failed" if "failed" in outcomes else "passed" if outcomes == {"passed"} else "undecided"


def _judge(condition: Condition, matched: Matched, names: tuple[str, str]) -> Judged:
    is_unjudged = False
    if condition.metric in SHARES:
        row = share_row(matched, condition.metric)
    else:
        metric = metric_named(condition.metric)
        row = metric_row(matched, metric, condition.figure, names, SAME_WITHIN)
        q = None if condition.figure == MEAN else parse_quantile(condition.figure)
        is_unjudged = any(side.is_unjudged(metric, q) for side in (matched.a, matched.b))
    if condition.metric not in SHARES and matched.b.is_all_errors() and not matched.a.is_all_errors():
        # No answer at all is slower than any answer.
        return Judged(condition, row, "failed", f"all {matched.b.run['errors']} requests of {names[1]} failed")
    if row is None:
        return Judged(condition, None, "undecided", "neither result has this figure")
    found = row.relative if condition.is_relative else row.difference
    if row.verdict == "unknown" and condition.metric == GOODPUT and not matched.has_one_slo:
        return Judged(condition, row, "undecided", row.note)
    if found is None or row.a is None:
        return Judged(condition, row, "undecided", row.note or f"{names[0]}'s figure is 0: nothing is a share of it")
    tool_error = (row.tool_error or 0.0) / (abs(row.a.value) if condition.is_relative else 1)
    low, high, limit = found.low, found.high, condition.limit
    if condition.is_below:
        low, high, limit = -found.high, -found.low, -condition.limit
    words = _words(found, condition)
    if is_unjudged:
        return Judged(condition, row, "undecided", f"{words}; {UNJUDGED}")
    if low - tool_error > limit:
        return Judged(condition, row, "failed", words)
    if high <= limit and (tool_error <= limit or high + tool_error <= limit):
        return Judged(condition, row, "passed", words)
    if low > limit or high <= limit:
        words += f"; the tool's own error is {_amount(tool_error, condition)}"
    return Judged(condition, row, "undecided", words)


def _words(found: Estimate, condition: Condition) -> str:
    value, low, high = (_amount(each, condition, sign=True) for each in (found.value, found.low, found.high))
    return f"{value}, from {low} to {high}"


def _amount(value: float, condition: Condition, *, sign: bool = False) -> str:
    number = value * 100 if condition.is_relative else value
    unit = "%" if condition.is_relative or condition.metric in SHARES else ""
    unit = unit or (" ms" if condition.metric.endswith("_ms") else "")
    return f"{number:{'+' if sign else ''}.3g}{unit}"
