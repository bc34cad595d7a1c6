"""The plots of a sweep: latency and throughput against load, with the knee. Values. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from streamkit.bench.metrics import Metric
from streamkit.bench.report.fields import Document
from streamkit.bench.report.page_figures import (
    Axis,
    Figure,
    Trace,
    axis,
    figure,
    plain,
    rounded,
    scaled,
    server_colours,
    value_axis,
)
from streamkit.bench.report.page_words import load_number
from streamkit.bench.report.run_fields import MetricDocument, RunDocument
from streamkit.bench.report.words import number
from streamkit.bench.results import Result

__all__ = ["Sweep", "latency", "sweeps", "throughput"]

LINES: Final = (("p50", "solid", "circle"), ("p90", "dash", "diamond"), ("p99", "dot", "square"))
"""How each quantile is drawn."""


@dataclass(frozen=True)
class Sweep:
    """The runs of one server at several loads of one kind.

    Attributes:
        server: its name.
        colour: a colour of the page.
        kind: "concurrency" or "rate".
        runs: each with its load, from the least load on.
        knee: the load at which it bends; None where nobody found that.
    """

    server: str
    colour: str
    kind: str
    runs: list[tuple[float, RunDocument]]
    knee: float | None


def sweeps(result: Result, document: Document) -> list[Sweep]:
    """Return the sweeps, one for each server that was asked at two loads or more."""
    knees = {knee.server: knee.load for knee in document.knees if knee.edge is None}
    found: list[Sweep] = []
    for server, colour in server_colours(run.server for run in document.runs).items():
        runs: list[tuple[float, RunDocument]] = []
        for run, told in zip(result.runs, document.runs, strict=True):
            load = load_number(run.load)
            if told.server == server and load is not None:
                runs.append((load, told))
        runs.sort(key=lambda each: each[0])
        kinds = {isinstance(told.concurrency, int) for _, told in runs}
        if len({load for load, _ in runs}) > 1 and len(kinds) == 1:
            kind = "concurrency" if kinds == {True} else "rate"
            found.append(Sweep(server, colour, kind, runs, knees.get(server)))
    return found if len({each.kind for each in found}) <= 1 else []


def load_axis(sweep_list: Sequence[Sweep]) -> Axis:
    """Return the axis of the load, with a tick at each that was measured."""
    loads = sorted({load for sweep in sweep_list for load, _ in sweep.runs})
    made = axis("requests at once" if sweep_list[0].kind == "concurrency" else "requests due a second")
    if loads[0] > 0 and loads[-1] / loads[0] >= 8:
        made["type"] = "log"
    if len(loads) <= 12:
        made |= {"tickmode": "array", "tickvals": loads, "ticktext": [f"{load:g}" for load in loads]}
    return made


def latency(metric: Metric, every: Sequence[Sweep]) -> Figure:
    """Return a metric's quantiles against the load, with their intervals, the tool's own error, and the knee."""
    data: list[Trace] = []
    for sweep in every:
        for name, dash, symbol in LINES if len(every) == 1 else (LINES[0], LINES[2]):
            points = [
                (load, metric_of, value)
                for load, run in sweep.runs
                if (value := getattr(metric_of := run.metrics[metric.name], name)) is not None
            ]
            if points:
                label = name if len(every) == 1 else f"{sweep.server} {name}"
                colour = sweep.colour if len(every) > 1 else {"p50": "--s1", "p90": "--s2", "p99": "--s3"}[name]
                data.append(_line(points, name, label=label, colour=colour, dash=dash, symbol=symbol))
    values = [value for trace in data for value in trace["y"] if value > 0]  # type: ignore[attr-defined]
    x, y = load_axis(every), value_axis(metric, **scaled(values))
    layout = _knees(every)
    errors = _error_lines(metric, every)
    if errors:
        own = [value for trace in errors for value in trace["y"] if value > 0]  # type: ignore[attr-defined]
        x["anchor"], y["domain"] = "y2", [0.32, 1]
        layout["yaxis2"] = axis("tool error", **scaled(own, 3)) | {"domain": [0, 0.24], "nticks": 3}
    knee = " The upright line is the knee." if any(sweep.knee is not None for sweep in every) else ""
    error = " Below, on a scale of its own, is our own error: p50 and, dotted, p99." if errors else ""
    return figure(
        f"{metric.short}, {metric.words}, against the load; the bars are the intervals. A p99 that the sample cannot "
        f"support is not drawn.{error}{knee}",
        [*data, *errors],
        x=x,
        y=y,
        **layout,
    )


def _line(
    points: Sequence[tuple[float, MetricDocument, float]], name: str, *, label: str, colour: str, dash: str, symbol: str
) -> Trace:
    ends = [getattr(metric, f"{name}_interval") or (value, value) for _, metric, value in points]
    return {
        "type": "scatter",
        "name": plain(label),
        "legendgroup": plain(label),
        "x": [load for load, _, _ in points],
        "y": rounded(value for _, _, value in points),
        "mode": "lines+markers",
        "line": {"color": colour, "width": 2, "dash": dash},
        "marker": {"color": colour, "symbol": symbol, "size": 8},
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": rounded(max(0.0, high - value) for (_, high), (_, _, value) in zip(ends, points, strict=True)),
            "arrayminus": rounded(max(0.0, value - low) for (low, _), (_, _, value) in zip(ends, points, strict=True)),
            "color": colour,
            "thickness": 1.4,
            "width": 5,
        },
        "customdata": [[number(low), number(high)] for low, high in ends],
        "hovertemplate": "%{x:~g}: %{y:.4~g} [%{customdata[0]}, %{customdata[1]}]<extra>%{fullData.name}</extra>",
    }


def _error_lines(metric: Metric, every: Sequence[Sweep]) -> list[Trace]:
    """Return the tool's error at each load; the greatest, where several servers were asked at one."""
    data: list[Trace] = []
    for name, dash in (("p50", "solid"), ("p99", "dot")):
        worst: dict[float, float] = {}
        for load, run in (each for sweep in every for each in sweep.runs):
            error = run.tool_error.get(metric.name)
            value = None if error is None else getattr(error, name)
            if value is not None:
                worst[load] = max(value, worst.get(load, 0.0))
        if worst:
            data.append(
                {
                    "type": "scatter",
                    "name": f"tool error {name}",
                    "yaxis": "y2",
                    "showlegend": False,
                    "x": sorted(worst),
                    "y": rounded(worst[load] for load in sorted(worst)),
                    "mode": "lines+markers",
                    "line": {"color": "--tool", "width": 1.4, "dash": dash},
                    "marker": {"color": "--tool", "symbol": "x-thin-open", "size": 7},
                    "hovertemplate": "%{x:~g}: ±%{y:.3~g}<extra>%{fullData.name}</extra>",
                }
            )
    return data


def _knees(every: Sequence[Sweep]) -> dict[str, object]:
    """Return the knees as lines from bottom to top; a shape knows the value on an axis, a note its logarithm."""
    known = [(sweep, sweep.knee) for sweep in every if sweep.knee is not None]
    shapes = [
        {
            "type": "line",
            "xref": "x",
            "yref": "paper",
            "x0": knee,
            "x1": knee,
            "y0": 0,
            "y1": 1,
            "line": {"color": sweep.colour if len(every) > 1 else "--dim", "width": 1.4, "dash": "dashdot"},
            "label": {
                "text": "knee" if len(every) == 1 else plain(f"knee of {sweep.server}"),
                "textposition": "end",
                "textangle": 0,
                "xanchor": "right",
                "font": {"color": "--dim", "size": 11},
                "yanchor": "top",
            },
        }
        for sweep, knee in known
    ]
    return {"shapes": shapes}


def throughput(every: Sequence[Sweep]) -> Figure:
    """Return answered requests a second against the load, and those that kept the objectives."""
    data: list[Trace] = []
    for sweep in every:
        loads = [load for load, _ in sweep.runs]
        name = sweep.server if len(every) > 1 else "answered"
        data.append(
            {
                "type": "scatter",
                "name": plain(name),
                "x": loads,
                "y": rounded(run.requests_per_s for _, run in sweep.runs),
                "mode": "lines+markers",
                "line": {"color": sweep.colour, "width": 2},
                "marker": {"color": sweep.colour, "size": 8},
                "hovertemplate": "%{x:~g}: %{y:.4~g}/s<extra>%{fullData.name}</extra>",
            }
        )
        good = [(load, run.goodput.requests_per_s) for load, run in sweep.runs if run.goodput is not None]
        if good:
            data.append(
                {
                    "type": "scatter",
                    "name": plain(f"{name}, within the objectives"),
                    "x": [load for load, _ in good],
                    "y": rounded(value for _, value in good),
                    "mode": "lines+markers",
                    "line": {"color": sweep.colour, "width": 2, "dash": "dash"},
                    "marker": {"color": sweep.colour, "symbol": "diamond", "size": 8},
                    "hovertemplate": "%{x:~g}: %{y:.4~g}/s<extra>%{fullData.name}</extra>",
                }
            )
    return figure(
        "Requests that were answered well, a second, against the load.",
        data,
        x=load_axis(every),
        y=axis("requests a second", rangemode="tozero"),
        **_knees(every),
    )
