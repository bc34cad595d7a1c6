"""What a benchmark has found, as values: what the table, the JSON document and the page are made from. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import msgspec

from streamkit.bench.plan import Load, Server
from streamkit.bench.record import RequestRecord
from streamkit.bench.tally import Bound, Tally

__all__ = ["Difference", "Estimate", "Knee", "Paired", "Ran", "Result", "Run", "TokenDelay", "ToolError"]


class Estimate(msgspec.Struct, frozen=True):
    """A figure and what it may as well be, in the metric's unit.

    Attributes:
        value: the estimate.
        low, high: the ends of its interval, at `Result.confidence`.
    """

    value: float
    low: float
    high: float


class Ran(msgspec.Struct, frozen=True):
    """What is known of a load in one process besides its requests. Times are of CLOCK_MONOTONIC.

    Attributes:
        began_ns, ended_ns: the first request could begin; the last one had ended.
        last_begin_ns: when the last request began.
        connections: how many were opened.
        lag_max_ns, lag_mean_ns: of the loop.
        peak: the most requests that ran at once.
        unbegun: how many requests of an open loop were due before its end and never began, because the tool was behind,
            or too many ran already.
    """

    began_ns: int
    ended_ns: int
    last_begin_ns: int
    connections: int
    lag_max_ns: int
    lag_mean_ns: int
    peak: int
    unbegun: int = 0


class ToolError(msgspec.Struct, frozen=True):
    """How far a metric of ours is off, in the metric's unit: measured against a server that is known.

    Attributes:
        n: how many requests it is from; of gaps, how many gaps.
        p50, p99: quantiles of the absolute error, request by request; the p99 is None where `n` is too small for one.
        bias: the median of the signed error: what we print less what is true.
        load: how much of the run's load there was while it was measured, as a share; 1 where it was as much, or more.
    """

    n: int
    p50: float
    p99: float | None
    bias: float
    load: float = 1.0


@dataclass
class Run:
    """One load on one server.

    Attributes:
        server: its name.
        load: what was asked for.
        tally: what came of it.
        ran: of each process.
        sample: some of the records, for the timeline: the first ones, and others at random.
        tool_error: by the metric's name; empty where there was no calibration.
        calibrated_per_s: requests a second that the calibration had; 0 where there was none.
        notes: sentences about what the figures do not say.
        is_interrupted: whether it was ended before its time.
        is_goal_met: whether it has found out what it was to (`--until`), well enough; None where there was no goal.
    """

    server: str
    load: Load
    tally: Tally
    ran: list[Ran] = field(default_factory=list)
    sample: list[RequestRecord] = field(default_factory=list)
    tool_error: dict[str, ToolError] = field(default_factory=dict)
    calibrated_per_s: float = 0.0
    notes: list[str] = field(default_factory=list)
    is_interrupted: bool = False
    is_goal_met: bool | None = None

    @property
    def duration_s(self) -> float:
        """From the first moment of any process to the last one's end."""
        if not self.ran:
            return 0.0
        return (max(each.ended_ns for each in self.ran) - min(each.began_ns for each in self.ran)) / 1e9

    @property
    def requests_per_s(self) -> float:
        """Requests that were answered well, a second."""
        return self.tally.outcomes["ok"] / self.duration_s if self.duration_s else 0.0


class Difference(msgspec.Struct, frozen=True):
    """What a proxy adds to a metric: paired differences, proxy less direct, in the metric's unit.

    Attributes:
        n: how many pairs.
        p50, p90, p99: quantiles of the differences; None where `n` is too small.
        mean: and its interval.
    """

    n: int
    mean: Estimate
    p50: Estimate | None
    p90: Estimate | None
    p99: Estimate | None


class TokenDelay(msgspec.Struct, frozen=True):
    """How long after the upstream wrote a token the client had it, in ms: the proxy's share of every token's delay.

    The intervals are wide enough for all tokens of an answer being delayed alike.

    Attributes:
        n: how many tokens.
        requests: of how many answers they are.
        unresolved: how many of the tokens came in one read with others. Each counts as late as it can have come; the
            lower ends of the intervals have it as early.
    """

    n: int
    p50: Estimate | None
    p90: Estimate | None
    p99: Estimate | None
    requests: int = 0
    unresolved: int = 0


@dataclass
class Paired:
    """A proxy beside the server itself, under one load.

    Attributes:
        direct, proxy: the names of the two.
        load: what was asked for.
        differences: by the metric's name.
        pairs: how many pairs are ok on both sides; broken: of how many a side failed; cut: of how many a side never
            ended, or never began, because the run was over.
        uneven: how many of the pairs have answers of different lengths: their end-to-end times differ by that too.
        events_per_read_in, events_per_read_out: the mean of token events in a read of ours, directly and behind the
            proxy. Where we are late, reads on both sides have more in them.
        events_per_segment_in, events_per_segment_out: the same in reads of one segment alone, which is what the other
            end joined, whether we were late or not; 0 where there was none.
        events_per_write: how many the upstream wrote at once, for the proxy, where its journal tells; else 0.
        differences_reused: as `differences`, of the pairs whose both sides had a connection that was there already.
        token_delay: by server, where the upstream's journal tells.
        request_delay: the same of requests: how long after we had sent one the upstream had it.
        shares: pair by pair, proxy less direct, what the journal tells: `request_delay_ms`, `first_token_delay_ms`, and
            `token_delay_ms`, the median of an answer's tokens.
        unmatched: by server, how many answers the journal tells nothing of, or not token by token.
        tool_error: by the name of a difference or a share, how far the tool itself may be off in it: both sides' errors
            added up; empty where there was no calibration.
        delay_error: the same of `request_delay` ("request") and `token_delay` ("token").
    """

    direct: str
    proxy: str
    load: Load
    differences: dict[str, Difference]
    pairs: int
    broken: int
    events_per_read_in: float
    events_per_read_out: float
    cut: int = 0
    uneven: int = 0
    events_per_segment_in: float = 0.0
    events_per_segment_out: float = 0.0
    events_per_write: float = 0.0
    differences_reused: dict[str, Difference] = field(default_factory=dict)
    token_delay: dict[str, TokenDelay] = field(default_factory=dict)
    request_delay: dict[str, TokenDelay] = field(default_factory=dict)
    shares: dict[str, Difference] = field(default_factory=dict)
    unmatched: dict[str, int] = field(default_factory=dict)
    tool_error: dict[str, ToolError] = field(default_factory=dict)
    delay_error: dict[str, ToolError] = field(default_factory=dict)


class Knee(msgspec.Struct, frozen=True):
    """Where a sweep bends.

    Attributes:
        server: whose sweep it is.
        index: of the run, among those of this server.
        load: its concurrency, or its rate.
        words: why this one, for people.
        edge: "least" or "greatest" where it is that load of the sweep: then it is only the best of those that were
            tried, and the knee may lie outside; empty for a knee with loads on both sides.
    """

    server: str
    index: int
    load: float
    words: str
    edge: Literal["", "least", "greatest"] = ""


@dataclass
class Result:
    """A whole benchmark.

    Attributes:
        servers: who was asked; keys and headers are secrets, and no report shows them.
        runs: a load and a server each, in order.
        paired: a load and a proxy each.
        knees: of sweeps.
        slo: what a request has to keep.
        confidence: of all intervals.
        max_tool_error: the share of a figure that our own error may be before the figure is marked.
        seed: of schedules and orders.
        workers: how many processes.
        prompts: words about what was asked.
        began_unix_s: when it began.
        version: of streamkit.
        machine: words about where it ran: system, processors, Python.
        notes: sentences that hold for all of it.
        lost: sentences about what the file of all records does not have, though it was wanted.
        is_interrupted: whether it was ended before its time.
    """

    servers: list[Server]
    runs: list[Run] = field(default_factory=list)
    paired: list[Paired] = field(default_factory=list)
    knees: list[Knee] = field(default_factory=list)
    slo: list[Bound] = field(default_factory=list)
    confidence: float = 0.95
    max_tool_error: float = 0.1
    seed: int = 0
    workers: int = 1
    prompts: str = ""
    began_unix_s: float = 0.0
    version: str = ""
    machine: str = ""
    notes: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    is_interrupted: bool = False
