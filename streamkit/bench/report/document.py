"""A benchmark as JSON, and back as far as a comparison needs it. Pure.

`fields` says what each field means; `schema.json` beside this file is their JSON Schema, and a test holds the two
together. What a server said is on one line and without what the user keeps secret (`veil`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from math import isfinite
from typing import Any, Final, Literal

import msgspec

from streamkit.bench.distribution import Distribution
from streamkit.bench.hdr import to_hdr
from streamkit.bench.metrics import BY_NAME, METRICS, Metric
from streamkit.bench.ollama import CHECKS, cross_checks
from streamkit.bench.plan import NS, Arrivals, Concurrency, Load, Replay
from streamkit.bench.report.fields import (
    SCHEMA_ID,
    BoundDocument,
    DifferenceDocument,
    Document,
    FigureName,
    KneeDocument,
    PairedDocument,
    ServerDocument,
    TokenDelayDocument,
)
from streamkit.bench.report.marks import QUANTILES, is_judged, marked, marks_of
from streamkit.bench.report.run_fields import (
    ArrivalsDocument,
    ConnectionsDocument,
    Figures,
    GoodputDocument,
    Interval,
    KindDocument,
    LoopDocument,
    MetricDocument,
    QuantileName,
    RunDocument,
    RunErrorDocument,
    ServerTimesDocument,
    TokensDocument,
    ToolErrorDocument,
    TraceDocument,
)
from streamkit.bench.report.veil import Veil, shown_url
from streamkit.bench.results import Difference, Estimate, Paired, Result, Run, TokenDelay, ToolError
from streamkit.bench.statistics import estimate
from streamkit.errors import ConfigError

__all__ = ["as_document", "as_json", "began_of", "figures_of", "read_document"]

NAMES: Final[tuple[QuantileName, ...]] = ("p50", "p90", "p99")

DIGITS: Final = 6
"""Behind the point: of ms that is a ns."""

MOST: Final = 2**63 - 1
"""The greatest whole number that readers of JSON can be expected to take. Only a server that lies gets there."""


def as_json(result: Result) -> str:
    """Return a benchmark as JSON text."""
    return msgspec.json.format(msgspec.json.encode(as_document(result)), indent=2).decode() + "\n"


def as_document(result: Result) -> Document:
    """Return a benchmark as the value that is written."""
    veil = Veil(result.servers)
    text = veil.text
    return Document(
        schema=SCHEMA_ID,
        version=result.version,
        began=began_of(result),
        machine=text(result.machine),
        seed=result.seed,
        workers=result.workers,
        confidence=result.confidence,
        max_tool_error=result.max_tool_error,
        prompts=text(result.prompts),
        servers=[
            ServerDocument(text(each.name), text(shown_url(each.url)), each.dialect, text(each.model))
            for each in result.servers
        ],
        slo=[BoundDocument(each.metric, _rounded(each.limit / BY_NAME[each.metric].scale)) for each in result.slo],
        runs=[_run(run, result, veil) for run in result.runs],
        paired=[_paired(each, veil, result.max_tool_error) for each in result.paired],
        knees=[
            KneeDocument(text(each.server), each.index, each.load, each.edge or None, text(each.words))
            for each in result.knees
        ],
        is_interrupted=result.is_interrupted,
        notes=[text(each) for each in result.notes],
    )


def began_of(result: Result) -> str | None:
    """Return when a benchmark began, as RFC 3339 has it; None where that is not known."""
    if not result.began_unix_s:
        return None
    return datetime.fromtimestamp(result.began_unix_s, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def read_document(data: bytes, name: str) -> dict[str, Any]:
    """Return what `as_json` has written, as plain values, checked against its types.

    Args:
        data: the JSON text.
        name: of the file, for the error.

    Raises:
        ConfigError: it is no JSON, or not of this kind.
    """
    try:
        value = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"{name} is no JSON: {error}") from None
    kind = value.get("schema") if isinstance(value, dict) else None
    if kind != SCHEMA_ID:
        said = f"its schema is {kind!r:.80}" if kind is not None else "it has no schema"
        raise ConfigError(f"{name} is no result of `streamkit bench --json`: {said}, not {SCHEMA_ID!r}")
    try:
        msgspec.convert(value, Document, strict=True)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{name} is no whole result of `streamkit bench --json`: {error}") from None
    return value  # type: ignore[no-any-return]  # it is a dict, as its schema was in it


# A run.


def _run(run: Run, result: Result, veil: Veil) -> RunDocument:
    tally, counts, outcomes = run.tally, run.tally.counts, run.tally.outcomes
    return RunDocument(
        **_load(run.load),
        server=veil.text(run.server),
        requests=counts["requests"],
        ok=outcomes["ok"],
        errors=tally.errors,
        unfinished=outcomes["unfinished"],
        errors_by_kind={
            kind: KindDocument(n, [veil.text(each) for each in tally.details.get(kind, [])])
            for kind, n in sorted(outcomes.items(), key=lambda each: -each[1])
            if kind not in {"ok", "unfinished"} and n
        },
        duration_s=_rounded(run.duration_s),
        requests_per_s=_rounded(run.requests_per_s),
        metrics={metric.name: _metric(metric, run, result) for metric in METRICS},
        gaps=tally.distribution("event_gap_ms").n + counts["unresolved_gaps"],
        unresolved_gaps=counts["unresolved_gaps"],
        unresolved_firsts=counts["unresolved_firsts"],
        tool_error_ms=_run_error(run),
        tool_error={name: _tool_error(each) for name, each in run.tool_error.items()},
        connections=_connections(run, result.confidence),
        goodput=_goodput(run) if result.slo else None,
        tokens=_tokens(run),
        server_times=_server_times(run),
        loop=_loop(run),
        is_goal_met=run.is_goal_met,
        is_interrupted=run.is_interrupted,
        notes=[veil.text(each) for each in run.notes],
    )


def _load(load: Load) -> dict[str, Any]:
    match load:
        case Concurrency(concurrency):
            return {"concurrency": concurrency}
        case Arrivals(process, per_s, cv):
            varies = {"poisson": 1.0, "constant": 0.0}.get(process, cv)
            return {"rate": per_s, "arrivals": ArrivalsDocument(process, varies)}
        case Replay(at_ns):
            span_s = (at_ns[-1] - at_ns[0]) / NS if at_ns else 0.0
            rate = (len(at_ns) - 1) / span_s if span_s else 0.0
            return {"rate": _rounded(rate), "trace": TraceDocument(len(at_ns), _rounded(span_s))}


def figures_of(
    distribution: Distribution, metric: Metric, answers: int, confidence: float
) -> dict[QuantileName, Estimate | None]:
    """Return a metric's quantiles by their names, None where the sample is too small.

    Args:
        distribution: the metric's values.
        metric: of which they are.
        answers: of how many answers they come: so many values are independent of each other.
        confidence: of the intervals.
    """
    drawn = answers if metric.many else None
    return {
        name: estimate(distribution, QUANTILES[name], metric.scale, confidence, independent=drawn) for name in NAMES
    }


def _figures(
    distribution: Distribution, metric: Metric, figures: Mapping[QuantileName, Estimate | None]
) -> dict[str, Any]:
    """Return the fields of `Figures`."""
    n, scale = distribution.n, metric.scale
    fields: dict[str, Any] = {"n": n}
    for name, found in figures.items():
        fields |= _estimate(name, found)
    ends = {"mean": distribution.mean, "min": distribution.low, "max": distribution.high}
    return fields | {name: _rounded(each / scale) if n else None for name, each in ends.items()}


def _metric(metric: Metric, run: Run, result: Result) -> MetricDocument:
    distribution, answers = run.tally.distribution(metric.name), run.tally.outcomes["ok"]
    figures = figures_of(distribution, metric, answers, result.confidence)
    marks = marks_of(figures, run.tool_error.get(metric.name), result.max_tool_error) if is_judged(metric) else {}
    return MetricDocument(
        **_figures(distribution, metric, figures),
        marks=marked(marks, "!"),
        unknown=marked(marks, "?"),
        hdr=to_hdr(distribution) if distribution.n else None,
        scale=metric.scale,
        independent=min(distribution.independent, answers) if metric.many else distribution.independent,
        at_most=distribution.at_most,
        hdr_least=to_hdr(distribution.least) if distribution.at_most else None,
    )


def _connections(run: Run, confidence: float) -> ConnectionsDocument:
    distributions = run.tally.distributions
    answers = {which: distributions["e2e_ms"][which].n for which in ("new", "reused")}

    def figures(which: str) -> dict[str, Figures]:
        return {
            metric.name: Figures(
                **_figures(distribution, metric, figures_of(distribution, metric, answers[which], confidence))
            )
            for metric in METRICS
            if (distribution := distributions[metric.name][which]).n
        }

    stale = run.tally.counts["stale_connections"]
    return ConnectionsDocument(answers["new"], answers["reused"], stale, figures("new"), figures("reused"))


def _run_error(run: Run) -> RunErrorDocument:
    error = run.tool_error.get("ttft_ms")
    if error is None:
        return RunErrorDocument(None, None, 0.0)
    return RunErrorDocument(
        _rounded(error.p50), None if error.p99 is None else _rounded(error.p99), _rounded(run.calibrated_per_s)
    )


def _tool_error(error: ToolError) -> ToolErrorDocument:
    p99 = None if error.p99 is None else _rounded(error.p99)
    return ToolErrorDocument(error.n, _rounded(error.p50), p99, _rounded(error.bias), _rounded(error.load))


def _goodput(run: Run) -> GoodputDocument:
    good, ended = run.tally.counts["good"], run.tally.counts["requests"] - run.tally.outcomes["unfinished"]
    per_s = good / run.duration_s if run.duration_s else 0.0
    share = _rounded(good / ended) if ended else None
    return GoodputDocument(good, _rounded(per_s), share, run.tally.counts["unjudged"])


def _tokens(run: Run) -> TokensDocument:
    counts, ok = run.tally.counts, run.tally.outcomes["ok"]
    said = counts["said_answers"]
    source: Literal["server", "events", "both"] | None = None
    if ok:
        source = "server" if said == ok else "both" if said else "events"
    return TokensDocument(
        output=_bounded(counts["tokens"]),
        output_per_s=_rounded(counts["tokens"] / run.duration_s) if run.duration_s else 0.0,
        source=source,
        said_answers=said,
        events=counts["token_events"],
        reads=counts["reads"],
        input=_bounded(counts["input_tokens"]) if counts["said_inputs"] else None,
        cached=_bounded(counts["cached_tokens"]) if counts["said_cached"] else None,
    )


def _server_times(run: Run) -> dict[str, ServerTimesDocument]:
    words = {check.name: check for check in CHECKS}
    return {
        each.name: ServerTimesDocument(
            n=each.n,
            theirs_ms=_rounded(each.theirs_ms),
            ours_ms=_rounded(each.ours_ms),
            difference_ms=_rounded(each.difference_ms),
            theirs=words[each.name].theirs_words,
            ours=words[each.name].ours_words,
            sooner=each.sooner,
        )
        for each in cross_checks(run.tally.counts)
    }


def _loop(run: Run) -> LoopDocument:
    counts, ran = run.tally.counts, run.ran
    return LoopDocument(
        processes=len(ran),
        lag_max_ms=_rounded(max((each.lag_max_ns for each in ran), default=0) / 1e6),
        lag_mean_ms=_rounded(sum(each.lag_mean_ns for each in ran) / 1e6 / max(1, len(ran))),
        lagged_requests=counts["lagged"],
        peak_in_flight=sum(each.peak for each in ran),
        connections=sum(each.connections for each in ran),
        clock_jumps=counts["clock_jumps"],
        read_stamped=counts["read_stamped"],
    )


# Pairs.


def _paired(paired: Paired, veil: Veil, share: float) -> PairedDocument:
    def differences(of: Mapping[str, Difference]) -> dict[str, DifferenceDocument]:
        return {name: _difference(each, paired.tool_error.get(name), share) for name, each in of.items()}

    def delays(of: Mapping[str, TokenDelay], way: str) -> dict[str, TokenDelayDocument]:
        error = paired.delay_error.get(way)
        return {veil.text(server): _delay(each, error, share) for server, each in of.items()}

    return PairedDocument(
        **_load(paired.load),
        direct=veil.text(paired.direct),
        proxy=veil.text(paired.proxy),
        pairs=paired.pairs,
        broken=paired.broken,
        cut=paired.cut,
        uneven=paired.uneven,
        differences=differences(paired.differences),
        differences_reused=differences(paired.differences_reused),
        events_per_read_in=_rounded(paired.events_per_read_in),
        events_per_read_out=_rounded(paired.events_per_read_out),
        events_per_segment_in=_rounded(paired.events_per_segment_in) or None,
        events_per_segment_out=_rounded(paired.events_per_segment_out) or None,
        events_per_write=_rounded(paired.events_per_write) or None,
        token_delay=delays(paired.token_delay, "token"),
        request_delay=delays(paired.request_delay, "request"),
        shares=differences(paired.shares),
        unmatched={veil.text(server): n for server, n in paired.unmatched.items()},
        tool_error={name: _tool_error(each) for name, each in paired.tool_error.items()},
        delay_error={way: _tool_error(each) for way, each in paired.delay_error.items()},
    )


def _difference(difference: Difference, error: ToolError | None, share: float) -> DifferenceDocument:
    figures: dict[FigureName, Estimate | None] = {"mean": difference.mean}
    figures |= {name: getattr(difference, name) for name in NAMES}
    marks = marks_of(figures, error, share)
    fields: dict[str, Any] = {"n": difference.n, "marks": marked(marks, "!"), "unknown": marked(marks, "?")}
    for name, found in figures.items():
        fields |= _estimate(name, found)
    return DifferenceDocument(**fields)


def _delay(delay: TokenDelay, error: ToolError | None, share: float) -> TokenDelayDocument:
    figures: dict[QuantileName, Estimate | None] = {name: getattr(delay, name) for name in NAMES}
    marks = marks_of(figures, error, share)
    fields: dict[str, Any] = {"n": delay.n, "requests": delay.requests, "unresolved": delay.unresolved}
    fields |= {"marks": marked(marks, "!"), "unknown": marked(marks, "?")}
    for name, found in figures.items():
        fields |= _estimate(name, found)
    return TokenDelayDocument(**fields)


def _estimate(name: str, found: Estimate | None) -> dict[str, Any]:
    """Return an estimate's two fields."""
    if found is None:
        return {name: None, f"{name}_interval": None}
    interval: Interval = (_rounded(found.low), _rounded(found.high))
    return {name: _rounded(found.value), f"{name}_interval": interval}


def _rounded(value: float) -> float:
    return round(value, DIGITS) if isfinite(value) else 0.0


def _bounded(count: int) -> int:
    return max(-MOST, min(MOST, count))
