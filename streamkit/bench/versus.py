"""Two results beside each other: which run belongs to which, what their figures are, how far these differ. Pure.

Results are what `streamkit bench --json` has written, as plain values that were checked when they were read
(`report.document.read_document`). Any quantile comes out of the histograms in them.

A difference has its interval from the intervals of both figures: each end is away from the difference by the root of
the squares of how far the figures' own ends are away from them (MOVER: Zou and Donner, "Construction of confidence
limits about effect measures: a general approach", 2008; of ratios on their logarithms). It needs no normal
distribution, and intervals need not be symmetric. The two samples have to be independent of each other.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import msgspec

from streamkit.bench.calibration import LEAST_LOAD
from streamkit.bench.distribution import Distribution, floor_of
from streamkit.bench.hdr import from_hdr
from streamkit.bench.metrics import Metric
from streamkit.bench.results import Estimate
from streamkit.bench.statistics import estimate, mean_interval, share_interval
from streamkit.errors import ConfigError, DecodeError

__all__ = ["ERRORS", "GOODPUT", "Document", "Matched", "Side", "difference", "matched_runs", "relative_difference"]

Document: TypeAlias = Mapping[str, Any]  # type: ignore[explicit-any,unused-ignore]  # JSON, checked when it was read
"""A result, or a part of one, as plain values."""

ERRORS: Final = "errors"
GOODPUT: Final = "goodput"
"""Shares of the requests that ended, in percent; compared like metrics."""


class Side:
    """A run of one of the two results.

    Args:
        run: the run's part of the document.
        name: of the result, for errors.
        confidence: of all intervals.
    """

    def __init__(self, run: Document, name: str, confidence: float) -> None:
        self.run = run
        self.name = name
        self._confidence = confidence
        self._distributions: dict[str, Distribution] = {}

    def distribution(self, metric: Metric) -> Distribution:
        """Return a metric's values; none where the result has none, as one of an older version may.

        Raises:
            ConfigError: its histogram cannot be read.
        """
        known = self._distributions.get(metric.name)
        if known is None:
            fields = self.run["metrics"].get(metric.name, {})
            text, least = fields.get("hdr"), fields.get("hdr_least")
            try:
                known = from_hdr(text) if text else Distribution()
                if least:
                    known.may_be(from_hdr(least), fields["at_most"])
            except DecodeError as error:
                raise ConfigError(f"{self.name}: the histogram of {metric.name} is damaged: {error.reason}") from None
            if known.n:
                # The histogram knows the ends by their buckets; the figures beside it know them exactly.
                low, high = (round(fields[end] * metric.scale) for end in ("min", "max"))
                known.low = low if floor_of(low) == floor_of(known.low) else known.low
                known.high = high if floor_of(high) == floor_of(known.high) else known.high
            self._distributions[metric.name] = known
        return known

    def figure(self, metric: Metric, q: float | None) -> Estimate | None:
        """Return a quantile, or the mean where `q` is None; None where the sample is too small.

        Raises:
            ConfigError: the histogram cannot be read.
        """
        distribution = self.distribution(metric)
        if q is not None:
            # A histogram does not know which values are of one answer; where the result does not say it either, take it
            # that each answer has as many.
            answers = self.run["ok"]
            said = self.run["metrics"].get(metric.name, {}).get("independent", answers)
            drawn = min(said, answers) if metric.many else None
            return estimate(distribution, q, metric.scale, self._confidence, independent=drawn)
        # A mean of gaps has no interval here: how far those of one answer hang together is not in a histogram.
        return None if metric.many else mean_interval(distribution, metric.scale, self._confidence)

    def share(self, name: str) -> Estimate | None:
        """Return the share of the requests that failed, or that were good, in percent; None where none ended.

        Of some answers nobody knows whether they were good: the upper end of the share takes it that all of them were.
        """
        run = self.run
        ended = run["ok"] + run["errors"]
        if name == GOODPUT:
            goodput = run["goodput"]
            found = None if goodput is None else share_interval(goodput["requests"], ended, self._confidence)
            unjudged = 0 if goodput is None else goodput.get("unjudged", 0)
            if found is not None and unjudged:  # they may all have kept the objectives
                most = share_interval(goodput["requests"] + unjudged, ended, self._confidence)
                found = Estimate(found.value, found.low, found.high if most is None else most.high)
        else:
            found = share_interval(run["errors"], ended, self._confidence)
        return found and Estimate(found.value * 100, found.low * 100, found.high * 100)

    def tool_error(self, metric: Metric, q: float | None) -> float | None:
        """Return our own error in a figure, in its unit: the usual one of medians and means, the p99 of others.

        None where nobody knows it: there was no calibration, it had nothing of the metric, too little for a p99, or far
        less load than the run.
        """
        error = self.run["tool_error"].get(metric.name)
        found = (
            None
            if error is None or error.get("load", 1) < LEAST_LOAD
            else error["p50" if q is None or q <= 0.5 else "p99"]
        )
        return None if found is None else float(found)

    def is_unjudged(self, metric: Metric, q: float | None) -> bool:
        """Tell whether a calibration had something of a metric, and too little for this figure's error."""
        return metric.name in self.run["tool_error"] and self.tool_error(metric, q) is None

    def is_all_errors(self) -> bool:
        """Tell whether requests ended and none of them was answered well."""
        return not self.run["ok"] and self.run["errors"] > 0


class Matched(msgspec.Struct, frozen=True):
    """The two runs of one load.

    Attributes:
        server: its name, that of B where the two differ.
        load: in words.
        a, b: the runs.
        has_one_slo: whether both were judged by the same objectives; else their goodputs are two different things.
    """

    server: str
    load: str
    a: Side
    b: Side
    has_one_slo: bool = True


def matched_runs(
    a: Document, b: Document, names: tuple[str, str], confidence: float
) -> tuple[list[Matched], list[str]]:
    """Return the runs of the same load on the same server, and sentences about those that have no counterpart.

    Where each result has one server, these two are compared, whatever they are called. Of several runs of one load the
    first belongs to the first. A load is of all servers together: shared by two servers it is another one than alone.
    """
    is_by_server = any(len({run["server"] for run in each["runs"]}) > 1 for each in (a, b))
    ours, theirs = (_by_key(each, is_by_server=is_by_server) for each in (a, b))
    matched = [
        Matched(
            theirs[key]["server"],
            key[1],
            Side(run, names[0], confidence),
            Side(theirs[key], names[1], confidence),
            a["slo"] == b["slo"],
        )
        for key, run in ours.items()
        if key in theirs
    ]
    notes = [
        f"only {name} has {key[1]}" + (f" on {run['server']}" if is_by_server else "")
        for name, mine, others in ((names[0], ours, theirs), (names[1], theirs, ours))
        for key, run in mine.items()
        if key not in others
    ]
    return matched, notes


def _by_key(document: Document, *, is_by_server: bool) -> dict[tuple[str, str, int], Document]:
    seen: Counter[tuple[str, str]] = Counter()
    found = {}
    servers = len({run["server"] for run in document["runs"]})
    shared = f", shared by {servers} servers" if servers > 1 else ""
    for run in document["runs"]:
        key = (run["server"] if is_by_server else "", load_words(run) + shared)
        found[*key, seen[key]] = run
        seen[key] += 1
    return found


def load_words(run: Document) -> str:
    """Return a run's load in words; different loads have different ones."""
    if "concurrency" in run:
        return f"concurrency {run['concurrency']}"
    trace, arrivals = run.get("trace"), run.get("arrivals")
    if trace is not None:
        return f"trace of {trace['requests']} requests in {trace['span_s']:g} s"
    how = ""
    if arrivals is not None:
        cv = f" of cv {arrivals['cv']:g}" if arrivals["process"] == "gamma" else ""
        how = f" ({arrivals['process']}{cv})"
    return f"rate {run['rate']:g}/s{how}"


def difference(a: Estimate, b: Estimate) -> Estimate:
    """Return b less a, with its interval."""
    value = b.value - a.value
    low = value - math.hypot(b.value - b.low, a.high - a.value)
    high = value + math.hypot(b.high - b.value, a.value - a.low)
    return Estimate(value, low, high)


def relative_difference(a: Estimate, b: Estimate) -> Estimate | None:
    """Return by which share of a b is more, with its interval; None where a figure is not above zero."""
    if a.value <= 0 or b.value <= 0:
        return None
    ratio = math.log(b.value / a.value)
    low = ratio - math.hypot(_log_ratio(b.value, b.low), _log_ratio(a.high, a.value))
    high = ratio + math.hypot(_log_ratio(b.high, b.value), _log_ratio(a.value, a.low))
    return Estimate(b.value / a.value - 1, math.expm1(low), math.expm1(high) if high < 700 else math.inf)


def _log_ratio(more: float, less: float) -> float:
    return math.log(more / less) if less > 0 else math.inf
