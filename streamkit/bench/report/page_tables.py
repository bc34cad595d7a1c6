"""The tables of the page: all that the plots show, and more, for who has no JavaScript too. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Final, TypeAlias

from streamkit.bench.metrics import BY_NAME
from streamkit.bench.report.fields import DifferenceDocument, Document, PairedDocument, TokenDelayDocument
from streamkit.bench.report.page_pairs import SHARES
from streamkit.bench.report.page_words import short, unit_of
from streamkit.bench.report.run_fields import Figures, Interval, MetricDocument, RunDocument, ToolErrorDocument
from streamkit.bench.report.words import joins_events, number

__all__ = ["all_loads", "pairs", "run_details"]

QUANTILES: Final = ("p50", "p90", "p99")
Errors: TypeAlias = Mapping[str, ToolErrorDocument]

NO_ERRORS: Final[Errors] = {}

COUNTS: Final = ("requests", "failed", "answered/s")


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], *, label: str, css: str = "") -> str:
    """Return a table that scrolls where it is too wide; the cells are HTML, the heads and the label are not."""
    head = "".join(f'<th scope="col">{escape(each)}' for each in heads)
    body = "".join(f'<tr><th scope="row">{row[0]}{"".join(f"<td>{cell}" for cell in row[1:])}' for row in rows)
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(label)}">'
        f'<table class="{css}"><thead><tr>{head}</thead><tbody>{body}</tbody></table></div>'
    )


MARKS: Final[dict[str, str]] = {
    "": "",
    "!": '<span class="mark" title="our own error is a large part of it">!</span>',
    "?": '<span class="mark" title="how large our own error is in it is not known">?</span>',
}


def figure_cell(value: float | None, interval: Interval, *, mark: str = "", sign: str = "") -> str:
    """Return a figure and below it its interval."""
    if value is None:
        return '<span class="none">-</span>'
    ends = (
        ""
        if interval is None
        else f'<span class="iv">[{number(interval[0], sign)}, {number(interval[1], sign)}]</span>'
    )
    return f"<b>{number(value, sign)}</b>{MARKS[mark]}{ends}"


def error_cell(error: ToolErrorDocument | None) -> str:
    """Return the tool's error of a metric."""
    if error is None:
        return '<span class="none">unknown</span>'
    p99 = "-" if error.p99 is None else number(error.p99)
    return f'<b>±{number(error.p50)}</b><span class="iv">p99 {p99}</span>'


# All loads.


def all_loads(document: Document, names: Sequence[str], anchors: Sequence[str]) -> str:
    """Return a row for each run, with what people look for first."""
    is_all_visible = all(
        run.metrics["first_visible_ms"].p50 in {None, run.metrics["ttft_ms"].p50} for run in document.runs
    )
    columns = [
        (f"{BY_NAME[name].short} {quantile}", name, quantile)
        for name, quantile in (
            ("ttft_ms", "p50"),
            ("ttft_ms", "p99"),
            ("ttft_from_schedule_ms", "p99"),
            ("first_visible_ms", "p50"),
            ("tpot_ms", "p50"),
            ("event_gap_ms", "p99"),
            ("e2e_ms", "p50"),
        )
        if any(run.metrics[name].n for run in document.runs) and not (name == "first_visible_ms" and is_all_visible)
    ]
    has_slo = any(run.goodput is not None for run in document.runs)
    words = [words for words, _, _ in columns]
    heads = ["load", words[0], "its tool error", *words[1:], *COUNTS] if words else ["load", *COUNTS]
    rows = []
    for run, name, anchor in zip(document.runs, names, anchors, strict=True):
        cells = [_quantile(run.metrics[metric], quantile, run.tool_error) for _, metric, quantile in columns]
        if cells:
            cells.insert(1, error_cell(run.tool_error.get(columns[0][1])))
        cells += [str(run.requests), _failed(run), number(run.requests_per_s)]
        if has_slo:
            share = None if run.goodput is None else run.goodput.share
            cells.append("-" if share is None else f"{share:.1%}")
        rows.append([f'<a href="#{anchor}">{escape(name)}</a>', *cells])
    return table([*heads, *(["goodput"] if has_slo else [])], rows, label="All loads", css="figures")


def _failed(run: RunDocument) -> str:
    return f'<span class="v v-bad">{run.errors}</span>' if run.errors else "0"


def _quantile(figures: Figures, quantile: str, errors: Errors = NO_ERRORS) -> str:
    mark = mark_of(figures, quantile, errors) if isinstance(figures, MetricDocument) else ""
    return figure_cell(getattr(figures, quantile), getattr(figures, f"{quantile}_interval"), mark=mark)


def mark_of(of: MetricDocument | DifferenceDocument | TokenDelayDocument, name: str, errors: Errors) -> str:
    """Return the mark of a figure; where no error is known of any, that is said once, and not of each."""
    return "!" if name in of.marks else "?" if errors and name in of.unknown else ""


# One run.


def run_details(run: RunDocument, name: str, anchor: str, share: float) -> str:
    """Return all that is known of a run."""
    parts = [
        _facts(run),
        *(f'<p class="note">{escape(short(note, 600))}</p>' for note in run.notes),
        _errors(run),
        _metrics(run, share),
        _connections(run),
        _server_times(run),
    ]
    return (
        f'<details class="run" id="{anchor}"><summary>{escape(name)} <span class="said">{run.requests} requests'
        f"{f', {run.errors} failed' if run.errors else ''}</span></summary>"
        f'<div class="body">{"".join(parts)}</div></details>'
    )


def _facts(run: RunDocument) -> str:
    tokens, loop = run.tokens, run.loop
    source = {"server": "as the server counts", "events": "token events counted", "both": "partly as the server counts"}
    facts = [
        ("requests", f"{run.requests}: {run.ok} answered, {run.errors} failed, {run.unfinished} cut off by the end"),
        ("took", f"{run.duration_s:.1f} s; {number(run.requests_per_s)} answers a second"),
        (
            "tokens",
            f"{tokens.output:,} ({source.get(tokens.source or '', 'none')}); {number(tokens.output_per_s)} a second",
        ),
        ("prompt tokens", "" if tokens.input is None else f"{tokens.input:,}, of which {tokens.cached or 0:,} cached"),
        ("token events", f"{tokens.events:,} in {tokens.reads:,} reads"),
        (
            "gaps nobody knows",
            f"{run.unresolved_gaps:,} of {run.gaps:,}: of one of the two events no time is known"
            if run.unresolved_gaps
            else "none",
        ),
        (
            "first tokens",
            f"of {run.unresolved_firsts:,} answers only known as no later than what is counted"
            if run.unresolved_firsts
            else "",
        ),
        (
            "goodput",
            ""
            if run.goodput is None
            else f"{run.goodput.requests:,} requests kept them all, {number(run.goodput.requests_per_s)} a second"
            + (f"; of {run.goodput.unjudged:,} more nobody knows" if run.goodput.unjudged else ""),
        ),
        (
            "the tool itself",
            f"processes: {loop.processes}; connections: {loop.connections}; at most {loop.peak_in_flight} at once",
        ),
        (
            "its loop",
            f"stood still for at most {number(loop.lag_max_ms)} ms; that touched {loop.lagged_requests} requests",
        ),
        (
            "stamps",
            f"{loop.read_stamped} answers have no kernel stamps: their times are when they were read"
            if loop.read_stamped
            else "of the kernel, in every answer",
        ),
        ("clock", f"somebody set it during {loop.clock_jumps} requests" if loop.clock_jumps else ""),
    ]
    rows = "".join(f"<dt>{name}</dt><dd>{escape(value)}</dd>" for name, value in facts if value)
    return f'<dl class="pairs">{rows}</dl>'


def _errors(run: RunDocument) -> str:
    if not run.errors_by_kind:
        return ""
    rows = [
        [
            escape(kind),
            str(of.n),
            "<br>".join(escape(short(detail)) for detail in of.details) or '<span class="none">-</span>',
        ]
        for kind, of in run.errors_by_kind.items()
    ]
    shown = table(["kind", "requests", "what was said"], rows, label="Failed requests", css="said")
    return f"<h4>Failed requests</h4>{shown}"


def _metrics(run: RunDocument, share: float) -> str:
    rows = []
    for name, figures in run.metrics.items():
        if not figures.n:
            continue
        metric = BY_NAME[name]
        unit = unit_of(metric)
        rows.append(
            [
                f'<code title="{escape(metric.words)}">{metric.short}</code> <span class="unit">{unit}</span>',
                f"{figures.n:,}",
                *(_quantile(figures, quantile, run.tool_error) for quantile in QUANTILES),
                number(figures.mean),
                f"{number(figures.min)}<span class='iv'>to {number(figures.max)}</span>",
                error_cell(run.tool_error.get(name)) if metric.tool else "",
            ]
        )
    if not rows:
        return '<p class="note">No request was answered well: there are no figures.</p>'
    heads = ["figure", "n", "p50", "p90", "p99", "mean", "least to greatest", "tool error"]
    marked = any(figures.marks for figures in run.metrics.values())
    note = f'<p class="note">! our own error is more than {share:.0%} of the figure.</p>' if marked else ""
    if run.tool_error and any(figures.unknown for figures in run.metrics.values()):
        note += '<p class="note">? how large our own error is in it is not known.</p>'
    return f"<h4>Figures</h4>{table(heads, rows, label='Figures', css='figures')}{note}"


def _connections(run: RunDocument) -> str:
    of = run.connections
    names = [name for name in BY_NAME if name in of.new or name in of.reused]
    if not of.new or not of.reused:
        return ""
    rows = [
        [f"<code>{BY_NAME[name].short}</code>", *_both(of.new.get(name), of.reused.get(name))]
        for name in names
        if name in {"ttft_ms", "headers_ms", "connect_ms", "e2e_ms"}
    ]
    stale = f" {of.stale} kept ones were dead and replaced." if of.stale else ""
    heads = ["", f"new ({of.new_requests}) p50", "p99", f"kept ({of.reused_requests}) p50", "p99"]
    shown = table(heads, rows, label="Connections", css="figures")
    return f"<h4>New connections and kept ones</h4>{shown}<p class='note'>{stale}</p>"


def _both(new: Figures | None, reused: Figures | None) -> list[str]:
    return [
        figure_cell(None, None) if each is None else _quantile(each, quantile)
        for each in (new, reused)
        for quantile in ("p50", "p99")
    ]


def _server_times(run: RunDocument) -> str:
    if not run.server_times:
        return ""
    rows = [
        [
            f"<code>{escape(name)}</code>",
            str(of.n),
            f'{number(of.theirs_ms)}<span class="iv">{escape(of.theirs)}</span>',
            f'{number(of.ours_ms)}<span class="iv">{escape(of.ours)}</span>',
            number(of.difference_ms),
        ]
        for name, of in run.server_times.items()
    ]
    heads = ["span", "answers", "theirs (ms, mean)", "ours", "ours less theirs"]
    shown = table(heads, rows, label="The server's own times", css="figures said")
    return f"<h4>What the server says that it took</h4>{shown}"


# Proxies.


def pairs(document: Document, loads: Sequence[str]) -> str:
    """Return, for each proxy and load, what it adds."""
    parts = []
    for index, (paired, load) in enumerate(zip(document.paired, loads, strict=True)):
        rows = [
            _difference(f"<code>{BY_NAME[name].short}</code>{words}", of, paired.tool_error, name)
            for words, every in (("", paired.differences), (", kept connections", paired.differences_reused))
            for name, of in every.items()
            if name in BY_NAME
        ]
        rows += [
            _difference(escape(SHARES.get(name, name)), of, paired.tool_error, name)
            for name, of in paired.shares.items()
        ]
        rows += [
            _difference(f"a {way}'s delay, <code>{escape(short(server, 40))}</code>", of, paired.delay_error, way)
            for way, delays in (("token", paired.token_delay), ("request", paired.request_delay))
            for server, of in delays.items()
        ]
        heads = ["proxy less direct (ms)", "n", "mean", *QUANTILES, "tool error"]
        label = f"{paired.proxy} less {paired.direct}"
        parts.append(
            f'<details class="run"{" open" if index == 0 else ""}><summary>{escape(short(paired.proxy, 60))} less '
            f'{escape(short(paired.direct, 60))} <span class="said">{escape(load)}</span></summary><div class="body">'
            f"{_pair_note(paired)}{table(heads, rows, label=label, css='figures')}</div></details>"
        )
    return "".join(parts)


def _difference(words: str, of: DifferenceDocument | TokenDelayDocument, errors: Errors, name: str) -> list[str]:
    def cell(figure: str, sign: str = "") -> str:
        mark = mark_of(of, figure, errors)
        return figure_cell(getattr(of, figure), getattr(of, f"{figure}_interval"), mark=mark, sign=sign)

    sign, mean = "", ""
    if isinstance(of, DifferenceDocument):
        sign, mean = "+", cell("mean", "+")
    return [words, f"{of.n:,}", mean, *(cell(each, sign) for each in QUANTILES), error_cell(errors.get(name))]


def _pair_note(paired: PairedDocument) -> str:
    broken = f"; of {paired.broken} more a side failed" if paired.broken else ""
    broken += f"; {paired.cut} were cut off by the end" if paired.cut else ""
    broken += f"; {paired.uneven} have answers of different lengths" if paired.uneven else ""
    unmatched = sum(paired.unmatched.values())
    broken += f"; of {unmatched} answers the journal does not tell" if unmatched else ""
    into, out = paired.events_per_read_in, paired.events_per_read_out
    events = f"Token events in one read: {number(into)} directly, {number(out)} through the proxy"
    into_one, out_of_one = paired.events_per_segment_in, paired.events_per_segment_out
    if into_one is not None or out_of_one is not None:
        events += f"; in one segment: {number(into_one)} and {number(out_of_one)}"
    if paired.events_per_write is not None:
        events += f"; the upstream wrote {number(paired.events_per_write)} at once for the proxy"
    more = " The proxy puts events together." if joins_events(paired) else ""
    return f'<p class="note">{paired.pairs} pairs{broken}. {events}.{more}</p>'
