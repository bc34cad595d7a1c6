"""A benchmark as one page: nothing is loaded from anywhere, and it works without a network. Pure.

The plots are plotly's, whose JavaScript is in the page. What they show stands in tables too. The page forbids itself
every request and every script but its own two (Content-Security-Policy), so that whatever a server has said can only be
shown.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from html import escape
from typing import Final

import msgspec

from streamkit.bench.metrics import BY_NAME
from streamkit.bench.report.fields import DifferenceDocument, Document, TokenDelayDocument
from streamkit.bench.report.page_css import CSS
from streamkit.bench.report.page_curves import Curve, distributions, quantiles
from streamkit.bench.report.page_figures import Figure, inks_of, thinned
from streamkit.bench.report.page_js import JS
from streamkit.bench.report.page_load import latency, sweeps, throughput
from streamkit.bench.report.page_pairs import differences, loads
from streamkit.bench.report.page_requests import first_requests, has_one_clock, over_time, points_each
from streamkit.bench.report.page_tables import all_loads, pairs, run_details
from streamkit.bench.report.page_words import run_names, short, unit_of
from streamkit.bench.report.run_fields import MetricDocument, ToolErrorDocument
from streamkit.bench.report.veil import Veil
from streamkit.bench.report.words import has_values, load_words, number, shown_metrics
from streamkit.bench.results import Result

__all__ = ["as_html"]

SWEPT: Final = (
    "ttft_ms",
    "ttft_from_schedule_ms",
    "first_visible_ms",
    "tpot_ms",
    "event_gap_ms",
    "e2e_ms",
    "e2e_from_schedule_ms",
    "dispatch_delay_ms",
)
"""Metrics that are drawn against the load."""


def as_html(result: Result, document: Document, plotly_js: str) -> str:
    """Return the page.

    Args:
        result: what the plots of distributions and of single requests are made from.
        document: the same, as the JSON report has it: all figures of the page are its figures.
        plotly_js: plotly's JavaScript: `page_plotly.plotly_source()`.
    """
    names = run_names(result.runs, [run.server for run in document.runs])
    title = f"How fast does it stream? {_asked(document)}"
    figures: dict[str, Figure] = {}
    body = [
        _meta(document),
        *_outcomes(document),
        "<h2>All loads</h2>",
        all_loads(document, names, _anchors(document)),
        *(f'<p class="note">{escape(short(note, 600))}</p>' for note in document.notes),
        "<noscript><p>The plots need JavaScript. All figures are in the tables.</p></noscript>",
        _pairs(result, document, figures),
        _sweeps(result, document, figures),
        _distributions(result, document, names, figures),
        _requests(result, names, figures),
        "<h2>Every figure</h2>",
        *(
            run_details(run, name, anchor, document.max_tool_error)
            for run, name, anchor in zip(document.runs, names, _anchors(document), strict=True)
        ),
    ]
    return _whole(title, body, document, figures, _inert(plotly_js))


def _whole(title: str, body: Sequence[str], document: Document, figures: Mapping[str, Figure], plotly_js: str) -> str:
    scripts = f"'{_hash(plotly_js)}' '{_hash(JS)}'"
    # plotly writes rules of its own into the page; a style can load nothing, since nothing may be loaded.
    policy = (
        f"default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; script-src {scripts}; base-uri 'none'; "
        "form-action 'none'"
    )
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f'<title>{escape(title)}</title><link rel="icon" href="data:,"><style>{CSS}</style></head><body>',
        f"<header><h1>{escape(title)}</h1></header><main>",
        *body,
        f"</main><footer><p>streamkit bench {escape(document.version)}</p>",
        '<button type="button" id="save" hidden>Save the figures as JSON</button></footer>',
        f'<script type="application/json" id="figures">{_json(figures)}</script>',
        f'<script type="application/json" id="document">{_json(document)}</script>',
        f"<script>{plotly_js}</script><script>{JS}</script></body></html>\n",
    ]
    return "".join(parts)


def _json(value: object) -> str:
    """Return JSON that ends no script and begins no comment."""
    return msgspec.json.encode(value).decode().replace("<", "\\u003c")


def _inert(script: str) -> str:
    """Return a script in which nothing ends it but its end; what is changed stands in texts and patterns only."""
    return script.replace("</script", "<\\/script").replace("<!--", "<\\!--").replace("\r\n", "\n")


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _asked(document: Document) -> str:
    if len(document.servers) == 1:
        return short(document.servers[0].model or document.servers[0].url, 120)
    if document.paired:
        proxies = dict.fromkeys(short(paired.proxy, 40) for paired in document.paired)
        return f"{', '.join(proxies)} beside {short(document.paired[0].direct, 40)}"
    return f"{len(document.servers)} servers side by side"


def _anchors(document: Document) -> list[str]:
    return [f"run-{index + 1}" for index in range(len(document.runs))]


def _meta(document: Document) -> str:
    is_one = len(document.servers) == 1
    meta = [
        (
            "server" if is_one else short(server.name, 40),
            f"{server.url} ({server.dialect}{', ' if server.model else ''}{server.model})",
        )
        for server in document.servers
    ]
    limits = ", ".join(
        f"{BY_NAME[bound.metric].short} ≤ {number(bound.limit)} {unit_of(BY_NAME[bound.metric])}".strip()
        for bound in document.slo
    )
    meta += [
        ("prompts", document.prompts),
        ("each load", "" if is_one else f"shared by these {len(document.servers)} servers"),
        ("objectives", limits),
        ("began", document.began or ""),
        ("machine", document.machine),
        ("workers", str(document.workers) if document.workers > 1 else ""),
        ("seed", str(document.seed)),
        ("intervals", f"{document.confidence:.0%}"),
    ]
    rows = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(short(value))}</dd></div>" for name, value in meta if value
    )
    return f'<dl class="meta">{rows}</dl>'


def _outcomes(document: Document) -> list[str]:
    """Return, in a sentence each, what one has to know before the figures."""
    requests = sum(run.requests for run in document.runs)
    errors = sum(run.errors for run in document.runs)
    every: list[tuple[MetricDocument | DifferenceDocument | TokenDelayDocument, Mapping[str, ToolErrorDocument]]] = [
        *((of, run.tool_error) for run in document.runs for of in run.metrics.values()),
        *((of, paired.tool_error) for paired in document.paired for of in paired.differences.values()),
        *((of, paired.tool_error) for paired in document.paired for of in paired.shares.values()),
        *((of, paired.delay_error) for paired in document.paired for of in paired.token_delay.values()),
        *((of, paired.delay_error) for paired in document.paired for of in paired.request_delay.values()),
    ]
    marked = sum(len(of.marks) for of, _ in every)
    unknown = sum(len(of.unknown) for of, errors_of in every if errors_of)
    calibrated = sum(bool(run.tool_error) for run in document.runs)
    share = f"{document.max_tool_error:.0%}"
    are, them = ("figures are", "them") if marked > 1 else ("figure is", "it")
    found: list[tuple[str, str]] = []
    if document.is_interrupted or any(run.is_interrupted for run in document.runs):
        found.append(("warn", "It was interrupted: these are the figures of what had ended by then."))
    if not requests:
        found.append(("bad", "✗ No request was made."))
    elif errors:
        found.append(("bad", f"✗ {errors:,} of {requests:,} requests failed; they are in no latency."))
    if marked:
        found.append(
            (
                "warn",
                f"! {marked} {are} marked: our own error is more than {share} of {them}.",
            )
        )
    if calibrated < len(document.runs):
        found.append(("plain", "How far the figures are off is not known: there was no calibration."))
    elif unknown:
        them = "figures" if unknown > 1 else "figure"
        found.append(("plain", f"? Of {unknown} {them} nobody knows how far off: the calibration has too few values."))
    if requests and not errors and not found:
        found.append(
            ("ok", f"✓ No request of {requests:,} failed, and our own error is within {share} of every figure.")
        )
    return [f'<p class="outcome {css}">{escape(words)}</p>' for css, words in found]


# The plots: each section puts its figures in, by the name that the page's script looks for.


def _plot(family: str, by: str = "", *, is_high: bool = False) -> str:
    height = " high" if is_high else ""
    return (
        f'<figure><div class="plot{height}" data-family="{family}" data-by="{by}" role="img"></div>'
        "<figcaption></figcaption></figure>"
    )


def _choose(select_id: str, label: str, options: Sequence[tuple[str, str]]) -> str:
    listed = "".join(f'<option value="{escape(value)}">{escape(words)}</option>' for value, words in options)
    return f'<div class="choose" hidden><label>{label} <select id="{select_id}">{listed}</select></label></div>'


def _sweeps(result: Result, document: Document, figures: dict[str, Figure]) -> str:
    found = sweeps(result, document)
    if not found:
        return ""
    metrics = [metric for metric in shown_metrics(result.runs) if metric.name in SWEPT]
    for metric in metrics:
        figures[f"latency:{metric.name}"] = latency(metric, found)
    figures["throughput"] = throughput(found)
    chosen = _choose("swept", "figure", [(metric.name, f"{metric.short}: {metric.words}") for metric in metrics])
    knees = "".join(f'<p class="note">{escape(short(knee.words))}</p>' for knee in document.knees)
    return (
        f'<h2>Against load</h2>{chosen}<div class="plots">{_plot("latency", "swept")}{_plot("throughput")}</div>{knees}'
    )


def _pairs(result: Result, document: Document, figures: dict[str, Figure]) -> str:
    found = loads(result, document)
    if not found:
        return ""
    for index, (_, pairings) in enumerate(found):
        figures[f"pairs:{index}"] = differences(pairings, document)
    chosen = _choose("paired", "load", [(str(index), words) for index, (words, _) in enumerate(found)])
    tables = pairs(document, [load_words(paired.load) for paired in result.paired])
    plot = _plot("pairs", "paired", is_high=True)
    return f'<h2>What a proxy adds</h2>{chosen}<div class="plots one">{plot}</div>{tables}'


def _distributions(result: Result, document: Document, names: Sequence[str], figures: dict[str, Figure]) -> str:
    metrics = shown_metrics(result.runs)
    if not metrics:
        return ""
    drawn = thinned(result.runs)
    inks = dict(zip(drawn, inks_of([document.runs[index] for index in drawn]), strict=True))
    for metric in metrics:
        curves = [
            Curve(names[index], inks[index], result.runs[index], metric)
            for index in drawn
            if has_values(result.runs[index], metric.name)
        ]
        if curves:
            figures[f"lies:{metric.name}"] = distributions(metric, curves)
            figures[f"quantiles:{metric.name}"] = quantiles(metric, curves, result.confidence)
    chosen = _choose("metric", "figure", [(metric.name, f"{metric.short}: {metric.words}") for metric in metrics])
    few = f'<p class="note">{len(drawn)} of {len(names)} runs are drawn.</p>' if len(drawn) < len(names) else ""
    plots = _plot("lies", "metric") + _plot("quantiles", "metric")
    return f'<h2>Distributions and quantiles</h2>{chosen}<div class="plots">{plots}</div>{few}'


def _requests(result: Result, names: Sequence[str], figures: dict[str, Figure]) -> str:
    veil = Veil(result.servers)
    shown = [index for index, run in enumerate(result.runs) if run.sample and has_one_clock(run)]
    if not shown:
        return ""
    for index in shown:
        figures[f"time:{index}"] = over_time(result.runs[index], veil, points_each(len(shown)))
        figures[f"first:{index}"] = first_requests(result.runs[index], veil)
    chosen = _choose("run", "load", [(str(index), names[index]) for index in shown])
    return (
        f'<h2>Request by request</h2>{chosen}<div class="plots one">{_plot("time", "run")}'
        f"{_plot('first', 'run', is_high=True)}</div>"
    )
