"""The JSON report's types, a run's part: what each field is called and means. Pure; `fields` has the rest.

A figure that the sample cannot support is null: it is known neither where it is nor within what. What does not apply at
all (`rate` in a closed loop) is not there.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

__all__ = [
    "ArrivalsDocument",
    "ConnectionsDocument",
    "Figures",
    "GoodputDocument",
    "Interval",
    "KindDocument",
    "LoadDocument",
    "LoopDocument",
    "MetricDocument",
    "QuantileName",
    "RunDocument",
    "RunErrorDocument",
    "ServerTimesDocument",
    "TokensDocument",
    "ToolErrorDocument",
    "TraceDocument",
]

Interval: TypeAlias = tuple[float, float] | None

QuantileName: TypeAlias = Literal["p50", "p90", "p99"]


class Figures(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Figures of a metric, in the unit that its name says.

    Attributes:
        n: how many values there are.
        p50, p90, p99: quantiles; null where `n` is too small for a two-sided interval.
        p50_interval, p90_interval, p99_interval: the ends of the quantile's interval, at the document's `confidence`.
        mean, min, max: of all values; null where there is none.
    """

    n: int
    p50: float | None
    p50_interval: Interval
    p90: float | None
    p90_interval: Interval
    p99: float | None
    p99_interval: Interval
    mean: float | None
    min: float | None
    max: float | None


class MetricDocument(Figures, frozen=True, forbid_unknown_fields=True):
    """A metric over all requests that are ok.

    Attributes:
        marks: which of its quantiles are marked: our own error is more than `max_tool_error` of them.
        unknown: of which of its quantiles nobody knows how large our own error is: there was no calibration, or it was
            too short to tell. None where no calibration can: of connecting, and of what is only counted.
        hdr: all values as a histogram: HdrHistogram's compressed V2 encoding, in base64; null where there is none.
        scale: the histogram's numbers divided by this are in the metric's unit.
        independent: as how many independent values its `n` values count: those of one answer hang together.
        at_most: of how many values it is only known that they are no more than that.
        hdr_least: the histogram with these as little as they may be, from which the lower ends of the intervals are;
            null where all values are known.
    """

    marks: list[QuantileName]
    unknown: list[QuantileName]
    hdr: str | None
    scale: int
    independent: int
    at_most: int
    hdr_least: str | None = None


class ConnectionsDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The requests that are ok, by connection: a new one, and one that had been used.

    Attributes:
        new_requests, reused_requests: how many requests were answered well on each.
        stale: how many kept connections turned out to be dead and were replaced; that is nobody's failure.
        new, reused: metrics by name, those that have values.
    """

    new_requests: int
    reused_requests: int
    stale: int
    new: dict[str, Figures]
    reused: dict[str, Figures]


class KindDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Requests that failed alike.

    Attributes:
        n: how many.
        details: what the first few different ones said.
    """

    n: int
    details: list[str]


class ToolErrorDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far a metric of ours is off, in its unit, as a server that is known has shown.

    Attributes:
        n: how many requests it is from.
        p50, p99: quantiles of the absolute error; null where `n` is too small.
        bias: the median of the signed error: what we print less what is true.
        load: how much of the run's load there was while it was measured, as a share; 1 where it was as much, or more.
    """

    n: int
    p50: float
    p99: float | None
    bias: float
    load: float


class RunErrorDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The tool's own error in `ttft_ms` during this load.

    Attributes:
        p50, p99: quantiles of the absolute error in ms; null where there was no calibration.
        calibrated_per_s: requests a second that the calibration had; 0 where there was none.
    """

    p50: float | None
    p99: float | None
    calibrated_per_s: float


class GoodputDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What kept the objectives.

    Attributes:
        requests: how many were answered well and kept all of them.
        requests_per_s: the same, a second.
        share: of all requests that ended, failed ones included; null where none did.
        unjudged: of how many answers nobody knows whether they kept them, as of a gap that they limit only the most is
            known that it can have been; they are not in `requests`.
    """

    requests: int
    requests_per_s: float
    share: float | None
    unjudged: int


class TokensDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Tokens of the answers that are ok.

    Attributes:
        output: how many.
        output_per_s: of all answers together, a second.
        source: who counted `output`: the server in every answer, nobody (then token events are counted), or one and
            the other; null where there is no answer.
        said_answers: in how many answers the server gave a count.
        events: token events, whoever counted tokens.
        reads: that brought them.
        input, cached: of the prompts, as the servers say; null where none does.
    """

    output: int
    output_per_s: float
    source: Literal["server", "events", "both"] | None
    said_answers: int
    events: int
    reads: int
    input: int | None
    cached: int | None


class ServerTimesDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A span that the server says that it took, beside ours: a cross-check.

    Attributes:
        n: in how many answers both are known.
        theirs_ms, ours_ms, difference_ms: means; the difference is ours less theirs.
        theirs, ours: what each side counts, in words.
        sooner: in how many answers ours is less than theirs.
    """

    n: int
    theirs_ms: float
    ours_ms: float
    difference_ms: float
    theirs: str
    ours: str
    sooner: int


class LoopDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the tool itself was, over all servers of this load.

    Attributes:
        processes: how many processes ran.
        lag_max_ms, lag_mean_ms: how long their loops stood still.
        lagged_requests: how many of this run's requests that touched.
        peak_in_flight: the most requests that ran at once, added up over the processes.
        connections: how many were opened.
        clock_jumps: in how many requests somebody set the clock; they have no kernel stamps.
        read_stamped: how many answers that are ok have no kernel stamps.
    """

    processes: int
    lag_max_ms: float
    lag_mean_ms: float
    lagged_requests: int
    peak_in_flight: int
    connections: int
    clock_jumps: int
    read_stamped: int


class ArrivalsDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How an open loop's gaps are drawn.

    Attributes:
        process: their distribution.
        cv: their coefficient of variation.
    """

    process: Literal["poisson", "constant", "gamma"]
    cv: float


class TraceDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A load that was replayed.

    Attributes:
        requests: how many lines it has.
        span_s: from the first to the last.
    """

    requests: int
    span_s: float


class LoadDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A load: `concurrency` or `rate` is there, never both. Several servers share it: each has its part of it.

    Attributes:
        concurrency: of a closed loop: so many requests at any time, on all servers together.
        rate: of an open loop: requests a second, on all servers together. Of a trace, which each of them gets as a
            whole, the mean.
        arrivals: of a rate.
        trace: where one was replayed.
    """

    concurrency: int | UnsetType = UNSET
    rate: float | UnsetType = UNSET
    arrivals: ArrivalsDocument | UnsetType = UNSET
    trace: TraceDocument | UnsetType = UNSET


class RunDocument(LoadDocument, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One load on one server.

    Attributes:
        server: its name.
        requests: how many began: `ok` + `errors` + `unfinished`.
        ok: how many were answered well; only they have a part in any latency.
        errors: how many failed.
        unfinished: how many the end of the run cut off.
        errors_by_kind: the kinds that there are.
        duration_s: from the first request's beginning to the last one's end.
        requests_per_s: answered well, a second.
        metrics: by name; all of them are there, whether they have values or not.
        gaps: how many gaps there are between token events; `event_gap_ms` has those that are known.
        unresolved_gaps: how many of them nobody knows, both events having come in one read; never zeros in a figure.
        unresolved_firsts: in how many answers the first token's time is known only as "no later than".
        tool_error_ms: of `ttft_ms`.
        tool_error: by metric; empty where there was no calibration.
        connections: new and reused ones apart.
        goodput: null where there are no objectives.
        tokens: of the answers.
        server_times: by span; empty where the server says nothing of that.
        loop: how the tool itself was.
        is_goal_met: whether it has found out what it was to (`--until`), well enough; null where there was no goal.
        is_interrupted: whether it was ended before its time.
        notes: what the figures do not say.
    """

    server: str
    requests: int
    ok: int
    errors: int
    unfinished: int
    errors_by_kind: dict[str, KindDocument]
    duration_s: float
    requests_per_s: float
    metrics: dict[str, MetricDocument]
    gaps: int
    unresolved_gaps: int
    unresolved_firsts: int
    tool_error_ms: RunErrorDocument
    tool_error: dict[str, ToolErrorDocument]
    connections: ConnectionsDocument
    goodput: GoodputDocument | None
    tokens: TokensDocument
    server_times: dict[str, ServerTimesDocument]
    loop: LoopDocument
    is_goal_met: bool | None
    is_interrupted: bool
    notes: list[str]
