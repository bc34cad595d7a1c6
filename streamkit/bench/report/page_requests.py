"""The plots of single requests: what they took over the time of a run, and the first of them in detail. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias

from streamkit.bench.record import RequestRecord
from streamkit.bench.report.page_figures import Figure, Trace, axis, figure, plain, rounded, scaled
from streamkit.bench.report.page_words import began_ns, first_ns, short
from streamkit.bench.report.veil import Veil
from streamkit.bench.report.words import number
from streamkit.bench.results import Run

__all__ = ["first_requests", "has_one_clock", "over_time", "points_each"]

MAX_POINTS: Final = 40_000
LEAST_POINTS: Final = 200
"""Requests in the plots over time of all runs, and in the one of any; evenly chosen, where the samples have more."""

MAX_ROWS: Final = 48
MIN_ROWS: Final = 4
MAX_SPANS: Final = 5
"""Where requests begin later than this many of them take, one after another, they would be too short to be seen."""

MAX_READS: Final = 4000
"""Marks of reads in one plot; where there are more, fewer requests have them."""

ROW_PX: Final = 13

NS_PER_S: Final = 1e9
NS_PER_MS: Final = 1e6

FAILED: Final = "failed"
LAG: Final = "tool's lag"


def has_one_clock(run: Run) -> bool:
    """Tell whether the sample's times are of one clock: those of several machines cannot be drawn on one axis."""
    times = [first_ns(record) for record in run.sample] + [each.began_ns for each in run.ran]
    longest_ns = max((each.ended_ns - each.began_ns for each in run.ran), default=0)
    return not times or max(times) - min(times) <= 3 * longest_ns + 60 * NS_PER_S


def points_each(runs: int) -> int:
    """Return how many requests a plot over time may have, where there are so many of them."""
    return max(LEAST_POINTS, MAX_POINTS // max(runs, 1))


def over_time(run: Run, veil: Veil, most: int = MAX_POINTS) -> Figure:
    """Return each sampled request as a point: when it was due, and what it took; those that failed on a line below.

    Args:
        run: the run.
        veil: over what servers have said.
        most: how many requests are drawn.
    """
    start = began_ns(run)
    step = max(1, -(-len(run.sample) // most))
    records = sorted(run.sample, key=first_ns)[::step]
    fine = [record for record in records if record.is_ok]
    data = _clouds([record for record in fine if record.is_reused], start, is_reused=True)
    new = _clouds([record for record in fine if not record.is_reused], start, is_reused=False)
    for trace in new:
        trace["showlegend"] = not data
    data += new
    values = [value for trace in data for value in trace["y"]]  # type: ignore[attr-defined]
    below = [*_lags(records, start), *_failures(records, start, veil)]
    bottom = 0.0
    axes: dict[str, object] = {}
    for trace in below:
        share = 0.07 if trace["name"] == FAILED else 0.16
        domain = [bottom, bottom + share]
        axes[f"yaxis{str(trace['yaxis'])[1:]}"] = (
            axis("", domain=domain, showgrid=False, type="category", range=[-0.5, 0.5])
            if trace["name"] == FAILED
            else axis("lag (ms)", domain=domain, rangemode="tozero", nticks=3)
        )
        bottom += share + 0.05
    whole = run.tally.counts["requests"]
    some = f" {len(records)} of {whole} requests are drawn." if len(records) < whole else ""
    return figure(
        f"What each request took, by when it was due; open circles are on a new connection. Below: how long the "
        f"tool's own loop stood still meanwhile, and requests that failed, which have no latency.{some}",
        [*data, *below],
        x=axis("s since the run began", anchor=below[0]["yaxis"] if below else "y"),
        y=axis("ms", domain=[bottom, 1], **scaled(values)),
        **axes,
    )


def _clouds(records: Sequence[RequestRecord], start: int, *, is_reused: bool) -> list[Trace]:
    """Return the points of requests on connections of one kind."""
    data: list[Trace] = []
    for name, stamp, since, colour in (
        ("ttft", "first_token_ns", "sent_ns", "--s1"),
        ("e2e", "end_ns", "sent_ns", "--s2"),
        ("ttft from due", "first_token_ns", "scheduled_ns", "--s3"),
    ):
        points = [
            (record, (at - begin) / NS_PER_MS)
            for record in records
            if (at := getattr(record, stamp)) is not None and (begin := getattr(record, since)) is not None
        ]
        if points:
            data.append(
                {
                    "type": "scatter",
                    "name": name,
                    "x": rounded((first_ns(record) - start) / NS_PER_S for record, _ in points),
                    "y": rounded(value for _, value in points),
                    "mode": "markers",
                    "marker": {
                        "color": colour,
                        "size": 5 if is_reused else 6,
                        "opacity": 0.75,
                        "symbol": "circle" if is_reused else "circle-open",
                    },
                    "customdata": [record.number for record, _ in points],
                    "hovertemplate": "request %{customdata} at %{x:.3~f} s: %{y:.4~g} ms<extra></extra>",
                }
            )
    return data


def _lags(records: Sequence[RequestRecord], start: int) -> list[Trace]:
    """Return how long the tool's own loop stood still while each request ran."""
    if not any(record.lag_ns > 0 for record in records):
        return []
    return [
        {
            "type": "scatter",
            "name": LAG,
            "x": rounded((first_ns(record) - start) / NS_PER_S for record in records),
            "y": rounded(record.lag_ns / NS_PER_MS for record in records),
            "yaxis": "y2",
            "mode": "markers",
            "showlegend": False,
            "marker": {"color": "--tool", "symbol": "diamond", "size": 4, "opacity": 0.75},
            "customdata": [record.number for record in records],
            "hovertemplate": "request %{customdata} at %{x:.3~f} s: the tool stood still for %{y:.3~g} ms"
            "<extra></extra>",
        }
    ]


def _failures(records: Sequence[RequestRecord], start: int, veil: Veil) -> list[Trace]:
    """Return the requests that failed, on a line: how long that took is no latency."""
    failed = [each for each in records if each.outcome not in {"ok", "unfinished", None}]
    if not failed:
        return []
    return [
        {
            "type": "scatter",
            "name": FAILED,
            "x": rounded((first_ns(record) - start) / NS_PER_S for record in failed),
            "y": [FAILED] * len(failed),
            "yaxis": "y3",
            "mode": "markers",
            "showlegend": False,
            "marker": {"color": "--bad", "symbol": "x", "size": 7},
            "customdata": [[record.number, _said(record, veil)] for record in failed],
            "hovertemplate": "request %{customdata[0]} at %{x:.3~f} s: %{customdata[1]}<extra></extra>",
        }
    ]


def _said(record: RequestRecord, veil: Veil) -> str:
    """Return how a request failed, as text for plotly."""
    return plain(f"{record.outcome or 'unfinished'}: {short(veil.text(record.detail), 90)}")


# One row a request.

Span: TypeAlias = tuple[int, int, int]
"""Its row, where it begins, and where it ends."""

Part: TypeAlias = tuple[str, int, int]
"""The same, with a name of `SPANS` for the row."""


def first_requests(run: Run, veil: Veil) -> Figure:
    """Return the first requests of a run, a row each: what took its time, and each read of tokens."""
    start = began_ns(run)
    records = _first(run)
    spans: dict[str, list[Span]] = {name: [] for name, _, _ in SPANS}
    for row, record in enumerate(records):
        for name, begin, end in _spans(record):
            spans[name].append((row, begin, end))
    data: list[Trace] = [
        {
            "type": "bar",
            "orientation": "h",
            "name": name,
            "base": rounded((begin - start) / NS_PER_MS for _, begin, _ in some),
            "x": rounded((end - begin) / NS_PER_MS for _, begin, end in some),
            "y": [row for row, _, _ in some],
            "width": 0.72,
            "marker": {"color": colour, "line": {"width": 0}},
            "customdata": [[records[row].number, number((end - begin) / NS_PER_MS)] for row, begin, end in some],
            "hovertemplate": f"request %{{customdata[0]}}: {words}, %{{customdata[1]}} ms<extra></extra>",
        }
        for name, colour, words in SPANS
        if (some := spans[name])
    ]
    reads, left_out = _reads(records, start)
    height = 120 + ROW_PX * max(len(records), 8)
    return figure(
        f"The first {len(records)} requests, a row each, from when they were due. {left_out}",
        [*data, *reads, *_ends(records, start, veil)],
        x=axis("ms since the run began"),
        y=axis("", range=[len(records) - 0.4, -0.6], showgrid=False, showticklabels=False, ticks=""),
        barmode="overlay",
        bargap=0,
        height=height,
    )


def _first(run: Run) -> list[RequestRecord]:
    """Return the first requests, in order: no more than can be told apart on one axis of time."""
    records = sorted(run.sample, key=lambda record: (first_ns(record), record.number))[:MAX_ROWS]
    lasts = sorted(_last_ns(record) - first_ns(record) for record in records)
    until = first_ns(records[0]) + MAX_SPANS * lasts[len(lasts) // 2] if records else 0
    return [record for index, record in enumerate(records) if index < MIN_ROWS or first_ns(record) <= until]


SPANS: Final = (
    ("waiting", "--dim/0.35", "waiting until the tool began it"),
    ("connecting", "--s4", "connecting"),
    ("first token", "--s1/0.8", "to the first token"),
    ("streaming", "--s2/0.5", "from the first token to the last"),
    ("end", "--dim/0.6", "from the last token to the end"),
)


def _spans(record: RequestRecord) -> list[Part]:
    """Return the parts of a request that took time, by the names of `SPANS`."""
    parts = (
        (SPANS[0][0], record.scheduled_ns, record.began_ns),
        (SPANS[1][0], record.connecting_ns, record.connected_ns),
        (SPANS[2][0], record.sent_ns, record.first_token_ns if record.first_token_ns is not None else _last_ns(record)),
        (SPANS[3][0], record.first_token_ns, record.last_token_ns),
        (SPANS[4][0], record.last_token_ns, record.end_ns),
    )
    return [(name, begin, end) for name, begin, end in parts if begin is not None and end is not None and end > begin]


def _last_ns(record: RequestRecord) -> int:
    """Return the last moment that is known of a request."""
    stamps = (
        record.began_ns,
        record.connected_ns,
        record.sent_ns,
        record.headers_ns,
        record.first_byte_ns,
        record.first_event_ns,
        record.last_token_ns,
        record.end_ns,
    )
    return max(stamp for stamp in stamps if stamp is not None)


def _reads(records: Sequence[RequestRecord], start: int) -> tuple[list[Trace], str]:
    """Return a mark for each read that brought tokens, and what is to be said of them."""
    marked = fitting = 0
    for record in records:
        fitting += len(record.token_reads)
        marked += fitting <= MAX_READS
    data: list[Trace] = []
    is_any_unresolved = False
    for name, colour, is_wanted in (
        ("a read", "--text", True),
        ("unresolved", "--bad", False),
    ):
        points = [
            (row, read)
            for row, record in enumerate(records[:marked])
            for read in record.token_reads
            if (read.is_resolved and read.tokens == 1) is is_wanted
        ]
        if not points:
            continue
        is_any_unresolved |= not is_wanted
        data.append(
            {
                "type": "scatter",
                "name": name,
                "x": rounded((read.at_ns - start) / NS_PER_MS for _, read in points),
                "y": [row for row, _ in points],
                "mode": "markers",
                "marker": {
                    "color": colour,
                    "symbol": "line-ns-open",
                    "size": 6,
                    "line": {"width": 1.1, "color": colour},
                },
                "customdata": [[records[row].number, read.tokens] for row, read in points],
                "hovertemplate": "request %{customdata[0]}: %{customdata[1]} token events at %{x:.3~f} ms"
                "<extra></extra>",
            }
        )
    some = f" (of the first {marked} requests)" if marked < len(records) else ""
    told = f"Each tick is a read that brought tokens{some}; a cross is where one failed or was cut off."
    if is_any_unresolved:
        told += " Red ones brought several at once, or swallowed several segments: when each came nobody knows."
    return data, told


def _ends(records: Sequence[RequestRecord], start: int, veil: Veil) -> list[Trace]:
    """Return a cross behind each request that failed or was cut off."""
    points = [(row, record) for row, record in enumerate(records) if not record.is_ok]
    if not points:
        return []
    return [
        {
            "type": "scatter",
            "name": "failed",
            "x": rounded((_last_ns(record) - start) / NS_PER_MS for _, record in points),
            "y": [row for row, _ in points],
            "mode": "markers",
            "marker": {"color": "--bad", "symbol": "x", "size": 8},
            "customdata": [[record.number, _said(record, veil)] for _, record in points],
            "hovertemplate": "request %{customdata[0]}: %{customdata[1]}<extra></extra>",
        }
    ]
