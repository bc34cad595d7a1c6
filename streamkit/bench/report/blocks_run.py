"""One load on one server, as a block. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from streamkit.bench.distribution import Distribution
from streamkit.bench.metrics import BY_NAME, Metric
from streamkit.bench.ollama import CHECKS, CrossCheck, cross_checks
from streamkit.bench.report.cells import Block, Cell, Table, error_words, estimate_cell, many, signed
from streamkit.bench.report.document import figures_of
from streamkit.bench.report.marks import is_judged, marks_of
from streamkit.bench.report.veil import Veil
from streamkit.bench.report.words import number, shared_words, shown_metrics
from streamkit.bench.results import Result, Run
from streamkit.bench.tally import Bound

__all__ = ["bounds_words", "run_block"]

APART: Final = ("ttft_ms", "e2e_ms")
"""Metrics that have a row for new connections and one for reused ones, where there are both."""


def run_block(run: Run, result: Result, veil: Veil) -> Block:
    """Return what is said of a run."""
    tally = run.tally
    ok, errors, unfinished = tally.outcomes["ok"], tally.errors, tally.outcomes["unfinished"]
    rate = f"in {run.duration_s:.1f} s ({number(run.requests_per_s)}/s)"
    told = [
        f"{ok:,} of {tally.counts['requests']:,} requests ok {rate}",
        many(errors, "error"),
    ]
    if unfinished:
        told.append(f"{unfinished:,} unfinished")
    if run.is_interrupted:
        told.append("interrupted")
    title = f"{veil.text(run.server)}, {shared_words(run.load, len(result.servers))}: {', '.join(told)}"
    table = _figures(run, result) if ok else None
    return Block(title, table, [*_failures(run, veil), *_words(run, result, veil)], is_bad=errors > 0)


def _figures(run: Run, result: Result) -> Table:
    rows = []
    for metric in shown_metrics([run]):
        apart = run.tally.distributions[metric.name]
        rows.append(_row(metric.name, run.tally.distribution(metric.name), metric, run, result))
        if metric.name in APART and all(each.n for each in apart.values()):
            for which, words in (("new", "  new connections"), ("reused", "  reused ones")):
                rows.append(_row(words, apart[which], metric, run, result))
    head = ["", "n", "p50", "p90", "p99", "mean", "max", "tool error p50 / p99"]
    return Table(head, rows, extras=(6, 5))


def _row(words: str, distribution: Distribution, metric: Metric, run: Run, result: Result) -> list[Cell]:
    error = run.tool_error.get(metric.name)
    answers = run.tally.outcomes["ok"]
    figures = figures_of(distribution, metric, answers, result.confidence)
    marks = marks_of(figures, error, result.max_tool_error) if is_judged(metric) and run.tool_error else {}
    return [
        Cell(words, style="dim" if words.startswith(" ") else ""),
        Cell(f"{distribution.n:,}"),
        *(estimate_cell(found, mark=marks.get(name, "")) for name, found in figures.items()),
        Cell(number(distribution.mean / metric.scale)),
        Cell(number(distribution.high / metric.scale)),
        Cell(error_words(error) if metric.tool and not words.startswith(" ") else ""),
    ]


def _failures(run: Run, veil: Veil) -> Iterator[tuple[str, str]]:
    for kind, n in run.tally.outcomes.most_common():
        if kind in {"ok", "unfinished"} or not n:
            continue
        details = [veil.text(each) for each in run.tally.details.get(kind, [])]
        yield f"{n:,} {kind}" + (f": {details[0]}" if details else ""), "red"
        yield from ((f"    or: {each}", "red") for each in details[1:])


def _words(run: Run, result: Result, veil: Veil) -> Iterator[tuple[str, str]]:
    """Yield what else is to be known of a run."""
    if run.tally.outcomes["ok"]:
        if result.slo:
            yield _goodput(run, result.slo), ""
        yield _tokens(run), ""
        yield from _resolution(run)
        yield from ((each, "") for each in _server_times(run))
        if not run.tool_error:
            yield "no calibration: the tool's own error is not known", "yellow"
        elif run.calibrated_per_s:
            yield f"the tool's error was measured at {number(run.calibrated_per_s)} requests/s", ""
    yield from ((each, "") for each in _own(run))
    yield from ((veil.text(each), "yellow") for each in run.notes)


def _goodput(run: Run, slo: Sequence[Bound]) -> str:
    good, all_of = run.tally.counts["good"], run.tally.counts["requests"] - run.tally.outcomes["unfinished"]
    per_s = good / run.duration_s if run.duration_s else 0.0
    unjudged = run.tally.counts["unjudged"]
    untold = f"; of {unjudged:,} more nobody knows, as gaps that matter are unresolved" if unjudged else ""
    return f"goodput {number(per_s)}/s: {good:,} of {many(all_of, 'request')} kept {bounds_words(slo)}{untold}"


def bounds_words(slo: Sequence[Bound]) -> str:
    """Return objectives as people say them."""
    told = []
    for bound in slo:
        metric = BY_NAME[bound.metric]
        unit = " ms" if metric.name.endswith("_ms") else "/s" if metric.name.endswith("_per_s") else ""
        told.append(f"{metric.short} <= {bound.limit / metric.scale:g}{unit}")
    return ", ".join(told)


def _tokens(run: Run) -> str:
    counts, ok = run.tally.counts, run.tally.outcomes["ok"]
    said = counts["said_answers"]
    per_s = counts["tokens"] / run.duration_s if run.duration_s else 0.0
    source = "by the server's own counts" if said == ok else "as token events: the server does not count them"
    if 0 < said < ok:
        source = f"by the server's own counts in {said:,} of {ok:,} answers, as token events in the others"
    prompts = f"; prompts had {counts['input_tokens']:,}" if counts["said_inputs"] else ""
    if counts["said_cached"]:
        prompts += f"{', of them' if prompts else '; of the prompts'} {counts['cached_tokens']:,} cached"
    return f"tokens: {counts['tokens']:,} ({number(per_s)}/s), {source}{prompts}"


def _resolution(run: Run) -> Iterator[tuple[str, str]]:
    counts = run.tally.counts
    unresolved = counts["unresolved_gaps"]
    gaps = run.tally.distribution("event_gap_ms").n + unresolved
    if unresolved:
        yield (
            f"{unresolved:,} of {gaps:,} gaps between token events are unresolved: in no figure, and not zero",
            "yellow",
        )
    elif gaps:
        yield f"gaps between token events: {gaps:,}, all of them resolved", ""
    if counts["unresolved_firsts"]:
        yield (
            f"in {many(counts['unresolved_firsts'], 'answer')} the first token came no later than its figure says",
            "yellow",
        )
    if counts["read_stamped"]:
        yield f"{many(counts['read_stamped'], 'answer')} without kernel stamps: read stamps stand for them", "yellow"


def _server_times(run: Run) -> Iterator[str]:
    words = {check.name: check for check in CHECKS}
    for each in cross_checks(run.tally.counts):
        check = words[each.name]
        told = (
            f"server's {check.theirs_words} {number(each.theirs_ms)} ms, our {check.ours_words} {number(each.ours_ms)}"
        )
        yield f"{told} ({signed(each.difference_ms)}), means of {many(each.n, 'answer')}{_sooner(each)}"


def _sooner(check: CrossCheck) -> str:
    if not check.sooner:
        return ""
    told = f"; in {check.sooner:,} of them ours is less"
    return told if check.name == "generation" else f"{told}, so one of the two is wrong"


def _own(run: Run) -> Iterator[str]:
    """Yield how the tool itself was."""
    counts, ran = run.tally.counts, run.ran
    if ran:
        lag_ms = max(each.lag_max_ns for each in ran) / 1e6
        touched = f", while {many(counts['lagged'], 'request')} ran" if counts["lagged"] else ""
        peak, opened = sum(each.peak for each in ran), sum(each.connections for each in ran)
        yield (
            f"the tool stood still for {number(lag_ms)} ms at most{touched}; "
            f"{many(peak, 'request')} at once at most, {many(opened, 'connection')} opened"
        )
    if counts["stale_connections"]:
        yield f"kept connections that were dead, and replaced: {counts['stale_connections']:,}"
    if counts["clock_jumps"]:
        jumped = many(counts["clock_jumps"], "request")
        yield f"the clock was set while {jumped} ran: read stamps stand for the kernel's"
