"""The plots of one metric over several runs: how its values are spread, and its quantiles. Values. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from streamkit.bench.distribution import Distribution
from streamkit.bench.metrics import Metric
from streamkit.bench.report.page_figures import Figure, Trace, axis, figure, is_wide, plain, rounded, scaled, value_axis
from streamkit.bench.report.words import number
from streamkit.bench.results import Run, ToolError
from streamkit.bench.statistics import quantile_rank, quantile_ranks, values_at

__all__ = ["Curve", "distributions", "quantiles"]

WIDE_SPREAD: Final = 5.0
"""Where values spread further than this many times the least, their axis is logarithmic: a tail hides the rest."""

MAX_FILLED: Final = 3
MAX_BINS: Final = 72
MIN_BINS: Final = 12
STEPS_PER_DECADE: Final = 12
MAX_NINES: Final = 4
TICKS: Final = (
    (1.0, "0"),
    (2.0, "50 %"),
    (10.0, "90 %"),
    (100.0, "99 %"),
    (1e3, "99.9 %"),
    (1e4, "99.99 %"),
)


class Curve:
    """A run in a plot: its name, its colour, its distribution.

    Args:
        name: of the run.
        ink: its colour, see the module, and its dash.
        run: the run.
        metric: of whose values it is.
    """

    def __init__(self, name: str, ink: tuple[str, str], run: Run, metric: Metric) -> None:
        self.name = plain(name)
        self.colour, self.dash = ink
        self.values: Distribution = run.tally.distribution(metric.name)
        self.scale = metric.scale
        self.error: ToolError | None = run.tool_error.get(metric.name)
        self.drawn = run.tally.outcomes["ok"] if metric.many else None

    def at(self, quantiles: Sequence[float]) -> list[float]:
        """Return the values of these quantiles, which are in order."""
        ranks = [quantile_rank(self.values.n, quantile) for quantile in quantiles]
        return [value / self.scale for value in self.values.at_ranks(ranks)]

    def ranks(self, quantile: float, confidence: float) -> tuple[int, int, int] | None:
        """Return the ranks of a quantile and of its interval's ends, as `statistics.quantile_ranks` does."""
        return quantile_ranks(self.values, quantile, confidence, independent=self.drawn)


# How the values lie.


def distributions(metric: Metric, curves: Sequence[Curve]) -> Figure:
    """Return how the values of a metric lie, run beside run; the last bin has all that is above."""
    ends = [curve.at([0.001, 0.99]) for curve in curves]
    low, high = min(each[0] for each in ends), max(each[1] for each in ends)
    is_log = metric.scale > 1 and is_wide((low, high), WIDE_SPREAD)
    bins = min(MAX_BINS, max(MIN_BINS, round(4 * math.sqrt(max(curve.values.n for curve in curves)))))
    edges = _edges(low, high, bins, is_log=is_log, is_counted=metric.scale == 1)
    middles = [math.sqrt(a * b) if is_log else (a + b) / 2 for a, b in pairwise(edges)]
    data: list[Trace] = []
    highest = 0.0
    for curve in curves:
        shares = _shares(curve, edges)
        highest = max(highest, *shares)
        data.append(
            {
                "type": "scatter",
                "name": curve.name,
                "x": rounded(middles),
                "y": rounded(shares),
                "mode": "lines",
                "line": {"color": curve.colour, "width": 1.6, "shape": "hvh", "dash": curve.dash},
                **({"fill": "tozeroy", "fillcolor": f"{curve.colour}/0.18"} if len(curves) <= MAX_FILLED else {}),
                "hovertemplate": "%{x:.4~g}: %{y:.3~g} % of them<extra>%{fullData.name}</extra>",
            }
        )
    data += _error_bars(curves, highest)
    top = number(edges[-2])
    return figure(
        f"How the values of {metric.short} are spread: the share of them in each of {len(middles)} steps; the last "
        f"one has all above {top}. {_ERROR_WORDS if any(curve.error for curve in curves) else ''}",
        data,
        x=value_axis(metric, **(scaled((low, high), wide=WIDE_SPREAD) if is_log else {})),
        y=axis("share (%)", rangemode="tozero"),
    )


_ERROR_WORDS: Final = (
    "The short bars are how far our own error (p99, where it is known) reaches to both sides of the median."
)


def _edges(low: float, high: float, bins: int, *, is_log: bool, is_counted: bool) -> list[float]:
    if is_counted:
        step = max(1, math.ceil((high - low + 2) / bins))
        first = math.floor(low) - 0.5
        return [first + step * index for index in range(math.ceil((high - first) / step) + 2)]
    if is_log:
        return [low * (high / low) ** (index / (bins - 2)) for index in range(-1, bins)]
    room = max((high - low) * 0.02, abs(high) * 0.01, 1e-6)
    low, high = max(0.0, low - room), high + room
    return [low + (high - low) * index / bins for index in range(bins + 1)]


def _shares(curve: Curve, edges: Sequence[float]) -> list[float]:
    """Return the percentage of values between each two edges; those beyond the ends are in the first and the last."""
    counts = [0] * (len(edges) - 1)
    at = 0
    for floor, count in curve.values.buckets():
        value = min(max(floor, curve.values.low), curve.values.high) / curve.scale
        while at < len(counts) - 1 and value >= edges[at + 1]:
            at += 1
        counts[at] += count
    return [100 * count / curve.values.n for count in counts]


def _error_bars(curves: Sequence[Curve], highest: float) -> list[Trace]:
    """Return, above the distributions, a bar for each run's tool error around its median."""
    data: list[Trace] = []
    for index, curve in enumerate(curves):
        if curve.error is None:
            continue
        (median,) = curve.at([0.5])
        reach = curve.error.p50 if curve.error.p99 is None else curve.error.p99
        data.append(
            {
                "type": "scatter",
                "name": "tool error",
                "legendgroup": "tool",
                "showlegend": not data,
                "x": rounded([max(median - reach, 0), median, median + reach]),
                "y": rounded([highest * (1.06 + 0.05 * index)] * 3),
                "mode": "lines+markers",
                "line": {"color": "--tool", "width": 2},
                "marker": {
                    "color": ["--tool", curve.colour, "--tool"],
                    "size": [9, 7, 9],
                    "symbol": ["line-ns-open", "circle", "line-ns-open"],
                },
                "customdata": [[number(median), number(reach), curve.name]] * 3,
                "hovertemplate": "%{customdata[0]}, tool error ±%{customdata[1]}<extra>%{customdata[2]}</extra>",
            }
        )
    return data


# Quantile by quantile.

LEGEND_OF_ERROR: Final[Trace] = {
    "type": "scatter",
    "name": "tool error",
    "legendgroup": "tool",
    "x": [None],
    "y": [None],
    "mode": "markers",
    "marker": {"color": "--tool", "symbol": "line-ns-open", "size": 9, "line": {"color": "--tool", "width": 2}},
}
"""Only for the legend: there a whisker would be a dot."""


def quantiles(metric: Metric, curves: Sequence[Curve], confidence: float) -> Figure:
    """Return the quantiles of a metric with their intervals, as far as the samples support them."""
    data: list[Trace] = []
    values: list[float] = []
    places: list[float] = []
    for curve in curves:
        drawn = _curve(curve, confidence)
        places += [place for trace in drawn for place in trace["x"]]  # type: ignore[attr-defined]
        values += [value for trace in drawn for value in trace["y"]]  # type: ignore[attr-defined]
        data += drawn
    whiskers = [trace for curve in curves for trace in _whiskers(curve, confidence)]
    if whiskers:
        data.append(LEGEND_OF_ERROR)
    error = " The whiskers are our own error: p50 at the median, p99 at the others." if whiskers else ""
    return figure(
        f"Quantiles of {metric.short}, {metric.words}; the bands are {confidence:.0%} intervals. A curve ends where "
        f"the sample supports no interval.{error}",
        [*data, *whiskers],
        x=axis(
            "quantile",
            type="log",
            tickmode="array",
            tickangle=0,
            range=[-0.02, math.log10(max(places, default=10.0)) + 0.04],
            tickvals=[at for at, _ in TICKS],
            ticktext=[words for _, words in TICKS],
        ),
        y=value_axis(metric, **scaled(values)),
    )


def _grid(n: int) -> list[float]:
    """Return the quantiles of a curve, denser towards 1; no more than there are values."""
    nines = min(MAX_NINES, math.log10(max(n, 2)))
    places = [10 ** (index / STEPS_PER_DECADE) for index in range(1, math.floor(nines * STEPS_PER_DECADE) + 1)]
    return sorted({*(1 - 1 / place for place in places), 0.5, 0.9, 0.99, 0.999})


def _curve(curve: Curve, confidence: float) -> list[Trace]:
    """Return a band and a line."""
    known = [(q, found) for q in _grid(curve.values.n) if (found := curve.ranks(q, confidence)) is not None]
    if not known:
        return []
    ranks = sorted({rank for _, found in known for rank in found})
    at_rank = dict(zip(ranks, values_at(curve.values, ranks), strict=True))
    places = rounded(1 / (1 - q) for q, _ in known)
    least_ranks = sorted({found[0] for _, found in known})
    least = dict(zip(least_ranks, values_at(curve.values.least, least_ranks), strict=True))
    lows = [least[found[0]].low / curve.scale for _, found in known]
    middles = [at_rank[found[1]].value / curve.scale for _, found in known]
    highs = [at_rank[found[2]].high / curve.scale for _, found in known]
    shared: Trace = {"type": "scatter", "name": curve.name, "legendgroup": curve.name, "mode": "lines"}
    band: Trace = {
        "x": [*places, *reversed(places)],
        "y": rounded([*highs, *reversed(lows)]),
        "line": {"width": 0, "color": curve.colour},
        "fill": "toself",
        "fillcolor": f"{curve.colour}/0.2",
        "hoverinfo": "skip",
        "showlegend": False,
    }
    line: Trace = {
        "x": places,
        "y": rounded(middles),
        "line": {"color": curve.colour, "width": 2, "dash": curve.dash},
        "customdata": [
            [f"{100 * q:.4g}", number(low), number(high)] for (q, _), low, high in zip(known, lows, highs, strict=True)
        ],
        "hovertemplate": "p%{customdata[0]}: %{y:.4~g} [%{customdata[1]}, %{customdata[2]}]"
        "<extra>%{fullData.name}</extra>",
    }
    return [shared | band, shared | line]


def _whiskers(curve: Curve, confidence: float) -> list[Trace]:
    """Return the tool's error at the quantiles that tables have."""
    error = curve.error
    if error is None:
        return []
    known = [q for q in (0.5, 0.9, 0.99) if curve.ranks(q, confidence) is not None]
    known = [q for q in known if q == 0.5 or error.p99 is not None]
    if not known:
        return []
    reaches = [error.p50 if q == 0.5 else error.p99 or 0.0 for q in known]
    return [
        {
            "type": "scatter",
            "name": "tool error",
            "legendgroup": "tool",
            "showlegend": False,
            "x": [1 / (1 - q) for q in known],
            "y": rounded(curve.at(known)),
            "mode": "markers",
            "marker": {"color": curve.colour, "size": 5},
            "error_y": {
                "type": "data",
                "array": rounded(reaches),
                "color": "--tool",
                "thickness": 1.8,
                "width": 7,
            },
            "customdata": [[number(reach), curve.name] for reach in reaches],
            "hovertemplate": "%{y:.4~g}, tool error ±%{customdata[0]}<extra>%{customdata[1]}</extra>",
        }
    ]
