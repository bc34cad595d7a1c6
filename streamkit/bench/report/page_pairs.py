"""The plots of proxy mode: what each proxy adds, metric by metric, with intervals and the tool's own error. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from streamkit.bench.metrics import BY_NAME
from streamkit.bench.report.fields import DifferenceDocument, Document, PairedDocument, TokenDelayDocument
from streamkit.bench.report.page_figures import Figure, Trace, axis, plain, rounded, server_colours
from streamkit.bench.report.page_figures import figure as plot
from streamkit.bench.report.run_fields import ToolErrorDocument
from streamkit.bench.report.words import load_words, number
from streamkit.bench.results import Result

__all__ = ["SHARES", "differences", "loads"]

ROWS: Final = ("mean", "p50", "p90", "p99")
PANEL_PX: Final = 132

SHARES: Final = {
    "request_delay_ms": "the request's way to the upstream",
    "first_token_delay_ms": "the first token's way back",
    "token_delay_ms": "a token's way back",
}
"""What only the upstream's journal tells, of each pair the proxy's less the direct one's."""

ZERO: Final = {"zeroline": True, "zerolinecolor": "--dim", "zerolinewidth": 1.4}

Shown: TypeAlias = DifferenceDocument | TokenDelayDocument

Pairings: TypeAlias = Sequence[PairedDocument]


@dataclass(frozen=True)
class Panel:
    """One metric's part of the plot.

    Attributes:
        title: the metric.
        shown: servers, each with its colour and its figures.
        own_error: how far the tool may be off; 0 where nobody knows.
    """

    title: str
    shown: Sequence[tuple[str, str, Shown]]
    own_error: float


def loads(result: Result, document: Document) -> list[tuple[str, list[PairedDocument]]]:
    """Return the pairings, those of one load together, with what the load is called."""
    found: dict[str, list[PairedDocument]] = {}
    for paired, told in zip(result.paired, document.paired, strict=True):
        found.setdefault(load_words(paired.load), []).append(told)
    return list(found.items())


def differences(pairings: Pairings, document: Document) -> Figure:
    """Return a panel for each metric: the paired differences of each proxy, and how far the tool itself may be off."""
    panels = _panels(pairings, document)
    data: list[Trace] = []
    axes: dict[str, object] = {}
    titles: list[object] = []
    bands: list[object] = []
    named: set[str] = set()
    height = 1 / max(len(panels), 1)
    for index, panel in enumerate(panels):
        suffix = "" if index == 0 else str(index + 1)
        top = 1 - index * height
        low, high = _reach(panel)
        axes[f"xaxis{suffix}"] = axis("", domain=[0, 1], anchor=f"y{suffix}", range=[low, high], nticks=7) | ZERO
        axes[f"yaxis{suffix}"] = axis(
            "",
            domain=[top - height * 0.76, top - height * 0.17],
            anchor=f"x{suffix}",
            range=[len(ROWS) - 0.4, -0.6],
            tickmode="array",
            tickvals=[*range(len(ROWS))],
            ticktext=[*ROWS],
            showgrid=False,
        )
        titles.append(
            {
                "text": f"<b>{plain(panel.title)}</b>",
                "x": 0,
                "xref": "paper",
                "xanchor": "left",
                "y": top - height * 0.15,
                "yref": "paper",
                "yanchor": "bottom",
                "showarrow": False,
                "font": {"color": "--text", "size": 12},
            }
        )
        if panel.own_error:
            bands.append(
                {
                    "type": "rect",
                    "xref": f"x{suffix}",
                    "yref": f"y{suffix} domain",
                    "y0": 0,
                    "y1": 1,
                    "x0": -panel.own_error,
                    "x1": panel.own_error,
                    "fillcolor": "--tool/0.22",
                    "layer": "below",
                    "line": {"width": 0},
                }
            )
        for place, (server, colour, shown) in enumerate(panel.shown):
            offset = (place - (len(panel.shown) - 1) / 2) * min(0.22, 0.7 / len(panel.shown))
            data += _points(server, colour, shown, offset, suffix, is_named=server not in named)
            named.add(server)
    words = (
        "What a proxy adds: of each pair of requests the proxy's less the direct one's, with "
        f"{document.confidence:.0%} intervals. What is right of 0 came later through the proxy."
    )
    if bands:
        words += (
            " The shaded bands are the tool's own error, of both sides where there are two: its p99, or p50 if no more"
            " is known."
        )
    made = plot(words, data, x={}, y={}, annotations=titles, shapes=bands, height=70 + PANEL_PX * len(panels))
    made["layout"] |= axes  # type: ignore[operator]
    return made


def _panels(paired: Pairings, document: Document) -> list[Panel]:
    inks = server_colours(server.name for server in document.servers)
    found: list[tuple[str, Mapping[str, Shown], float]] = []
    for name, metric in BY_NAME.items():
        metric_of = {each.proxy: each.differences[name] for each in paired if name in each.differences}
        if name == "first_visible_ms" and all(
            each.differences.get("ttft_ms") == metric_of.get(each.proxy) for each in paired
        ):
            continue  # nothing came before the text: it would be the same panel twice
        found.append((metric.short, metric_of, _reach_of(each.tool_error.get(name) for each in paired)))
    for name, words in SHARES.items():
        shares = {each.proxy: each.shares[name] for each in paired if name in each.shares}
        found.append((words, shares, _reach_of(each.tool_error.get(name) for each in paired)))
    delays = {server: delay for each in paired for server, delay in each.token_delay.items()}
    own = _reach_of(each.delay_error.get("token") for each in paired)
    found.append(("upstream's write to our read", delays, own))
    return [
        Panel(f"{title} (ms)", [(server, inks.get(server, "--dim"), each) for server, each in shown.items()], own)
        for title, shown, own in found
        if shown
    ]


def _reach_of(errors: Iterable[ToolErrorDocument | None]) -> float:
    """Return how far the tool may be off: the p99 of its error, or the p50 where that is all; 0 where nobody knows."""
    known = [error.p50 if error.p99 is None else error.p99 for error in errors if error is not None]
    return max(known, default=0.0)


def _figures(shown: Shown) -> list[tuple[int, str, float, tuple[float, float]]]:
    """Return the figures that there are: row, name, value, interval."""
    found = []
    for row, name in enumerate(ROWS):
        value = getattr(shown, name, None)
        if value is not None:
            found.append((row, name, value, getattr(shown, f"{name}_interval") or (value, value)))
    return found


def _reach(panel: Panel) -> tuple[float, float]:
    """Return the ends of a panel's axis: all intervals, 0, and the tool's error where that is not far more."""
    own = panel.own_error
    ends = [
        end for _, _, shown in panel.shown for _, _, value, interval in _figures(shown) for end in (value, *interval)
    ]
    low, high = min([0.0, *ends]), max([0.0, *ends])
    spread = max(high - low, 1e-3)
    low, high = max(min(low, -own), low - spread), min(max(high, own), high + spread)
    room = (high - low) * 0.05
    return low - room, high + room


def _points(proxy: str, colour: str, shown: Shown, offset: float, suffix: str, *, is_named: bool) -> list[Trace]:
    known = _figures(shown)
    if not known:
        return []
    return [
        {
            "type": "scatter",
            "name": plain(proxy),
            "legendgroup": plain(proxy),
            "showlegend": is_named,
            "x": rounded(value for _, _, value, _ in known),
            "y": [row + offset for row, _, _, _ in known],
            "xaxis": f"x{suffix}",
            "yaxis": f"y{suffix}",
            "mode": "markers",
            "marker": {"color": colour, "size": 8},
            "error_x": {
                "type": "data",
                "symmetric": False,
                "array": rounded(max(0.0, high - value) for _, _, value, (_, high) in known),
                "arrayminus": rounded(max(0.0, value - low) for _, _, value, (low, _) in known),
                "color": colour,
                "thickness": 1.6,
                "width": 4,
            },
            "customdata": [[name, number(value), number(low), number(high)] for _, name, value, (low, high) in known],
            "hovertemplate": "%{customdata[0]}: %{customdata[1]} [%{customdata[2]}, %{customdata[3]}]"
            "<extra>%{fullData.name}</extra>",
        }
    ]
