"""What all plots have in common: axes, colours, the layout. Values. Pure.

A plot is what plotly takes: traces and a layout. A colour is the name of a variable of the page's style (`--s1`), with
a place on a scale (`--ramp@0.5`) or a share of opacity (`--s1/0.2`) behind it; the page puts in what light or dark ask
for. Whatever may come from outside goes through `plain`: plotly reads markup in texts.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape
from typing import Final, TypeAlias

from streamkit.bench.metrics import Metric
from streamkit.bench.report.page_words import unit_of
from streamkit.bench.report.run_fields import RunDocument
from streamkit.bench.results import Run

__all__ = [
    "Axis",
    "Figure",
    "Trace",
    "axis",
    "figure",
    "inks_of",
    "is_wide",
    "plain",
    "rounded",
    "scaled",
    "server_colours",
    "thinned",
    "value_axis",
]

Axis: TypeAlias = dict[str, object]
Trace: TypeAlias = dict[str, object]
Figure: TypeAlias = dict[str, object]

WIDE: Final = 20.0
"""Where the greatest value is this many times the least, an axis is logarithmic."""

DASHES: Final = ("solid", "dash", "dot", "dashdot", "longdash")

MAX_CURVES: Final = 10
"""How many runs are drawn in one plot; evenly chosen, where there are more."""


def plain(text: str) -> str:
    """Return a text of which plotly takes nothing for markup."""
    return escape(text, quote=False)


def rounded(values: Iterable[float]) -> list[float]:
    """Return values as they go to the page: six digits are more than anybody sees."""
    return [float(f"{value:.6g}") for value in values]


def server_colours(servers: Iterable[str]) -> dict[str, str]:
    """Return a colour for each server, the same in all plots of a page."""
    return {server: f"--s{index % 8 + 1}" for index, server in enumerate(dict.fromkeys(servers))}


def inks_of(runs: Sequence[RunDocument]) -> list[tuple[str, str]]:
    """Return a colour and a dash for each run: of one server along a scale, else by server and load."""
    by_server = server_colours(run.server for run in runs)
    if len(by_server) == 1:
        return [
            (f"--ramp@{index / (len(runs) - 1):.3f}" if len(runs) > 1 else "--s1", "solid")
            for index in range(len(runs))
        ]
    seen: list[str] = []
    inks = []
    for run in runs:
        inks.append((by_server[run.server], DASHES[seen.count(run.server) % len(DASHES)]))
        seen.append(run.server)
    return inks


def thinned(runs: Sequence[Run]) -> list[int]:
    """Return which runs are drawn where they share a plot."""
    if len(runs) <= MAX_CURVES:
        return [*range(len(runs))]
    return sorted({round(index * (len(runs) - 1) / (MAX_CURVES - 1)) for index in range(MAX_CURVES)})


def axis(title: str, **more: object) -> Axis:
    """Return an axis."""
    made: Axis = {
        "title": {"text": title, "standoff": 10},
        "gridcolor": "--line",
        "linecolor": "--line",
        "tickcolor": "--line",
        "zeroline": False,
        "automargin": True,
    }
    return made | more


def scaled(values: Iterable[float], most_ticks: int = 9, wide: float = WIDE) -> Axis:
    """Return what an axis of these values is: from 0, or, where they are far apart, logarithmic with plain numbers."""
    every = [*values]
    if not is_wide(every, wide):
        return {"rangemode": "tozero"}
    low, high = math.floor(math.log10(min(every))), math.ceil(math.log10(max(every)))
    steps = (1, 2, 5) if math.log10(max(every) / min(every)) < 2.2 else (1,)
    ticks = [step * 10**decade for decade in range(low, high + 1) for step in steps]
    ticks = ticks[:: max(1, -(-len(ticks) // most_ticks))] if len(steps) == 1 else ticks
    return {
        "type": "log",
        "tickmode": "array",
        "tickvals": ticks,
        "ticktext": [f"{tick:,.10g}" for tick in ticks],
        "minor": {"showgrid": False},
    }


def is_wide(values: Iterable[float], wide: float = WIDE) -> bool:
    """Tell whether these values need a logarithmic axis, and can have one."""
    every = [*values]
    return bool(every) and min(every) > 0 and max(every) / min(every) > wide


def figure(words: str, data: Sequence[Trace], *, x: Axis, y: Axis, **layout: object) -> Figure:
    """Return a plot.

    Args:
        words: what it shows, for the line below it and for who does not see it.
        data: its traces.
        x: the axis of x.
        y: the axis of y.
        layout: what else plotly is to know.
    """
    common: dict[str, object] = {
        "font": {"color": "--text", "size": 12, "family": "system-ui, sans-serif"},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "margin": {"l": 52, "r": 14, "t": 14, "b": 44},
        "xaxis": x,
        "yaxis": y,
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "font": {"color": "--text"}},
        "hoverlabel": {"bgcolor": "--card", "bordercolor": "--line", "font": {"color": "--text"}},
        "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": "--dim", "activecolor": "--text"},
        "hovermode": "closest",
        "showlegend": True,
    }
    return {"words": words, "data": [*data], "layout": common | layout}


def value_axis(metric: Metric, **more: object) -> Axis:
    """Return the axis of a metric's values."""
    unit = unit_of(metric)
    return axis(f"{metric.short} ({unit})" if unit else metric.short, **more)
