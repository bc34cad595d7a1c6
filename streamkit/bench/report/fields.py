"""The JSON report's types: what each field is called and means. `schema.json` is made from them. Pure.

`run_fields` has those of a run, which are most of it.
"""

from __future__ import annotations

import re
from typing import Any, Final, Literal, TypeAlias

import msgspec

from streamkit.bench.report.run_fields import (
    Figures,
    Interval,
    LoadDocument,
    QuantileName,
    RunDocument,
    ToolErrorDocument,
)

__all__ = [
    "SCHEMA_ID",
    "BoundDocument",
    "DifferenceDocument",
    "Document",
    "KneeDocument",
    "PairedDocument",
    "ServerDocument",
    "TokenDelayDocument",
    "schema",
]

FigureName: TypeAlias = Literal["mean", "p50", "p90", "p99"]

SCHEMA_ID: Final = "streamkit.bench.result/1"
"""The number changes when what is there already changes its meaning; what is added does not change it."""

ATTRIBUTE: Final = re.compile(r"^ {8}(\w+(?:, \w+)*): (.*(?:\n {12}.*)*)", re.MULTILINE)
"""One of the attributes, or several, in a docstring."""


class ServerDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A server that was asked. Keys and headers are not shown.

    Attributes:
        name: by which runs call it.
        url: without its secrets.
        dialect: what it speaks.
        model: that was asked; empty for the server's own choice.
    """

    name: str
    url: str
    dialect: str
    model: str


class BoundDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One objective: a metric of a request is at most so much.

    Attributes:
        metric: its name.
        limit: in the metric's unit.
    """

    metric: str
    limit: float


class DifferenceDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a proxy adds to a metric, in its unit: of each pair of requests, the proxy's less the direct one's.

    Attributes:
        n: how many pairs.
        mean, p50, p90, p99: of the differences; a quantile is null where `n` is too small.
        mean_interval, p50_interval, p90_interval, p99_interval: at the document's `confidence`.
        marks: which of them are marked: our own error (`tool_error` of the pair) is more than `max_tool_error` of them.
        unknown: of which nobody knows how large our own error is.
    """

    n: int
    mean: float
    mean_interval: Interval
    p50: float | None
    p50_interval: Interval
    p90: float | None
    p90_interval: Interval
    p99: float | None
    p99_interval: Interval
    marks: list[FigureName]
    unknown: list[FigureName]


class TokenDelayDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long after one end wrote something the other had it, in ms.

    The intervals are wide enough for all tokens of an answer being delayed alike.

    Attributes:
        n: how many tokens, or requests.
        requests: of how many answers they are.
        unresolved: how many tokens of these answers have no known time, as they came together with others.
        p50, p90, p99: quantiles; null where `n` is too small.
        p50_interval, p90_interval, p99_interval: at the document's `confidence`.
        marks: which of them are marked: our own error (`delay_error` of the pair) is more than `max_tool_error` of
            them.
        unknown: of which nobody knows how large our own error is.
    """

    n: int
    requests: int
    unresolved: int
    p50: float | None
    p50_interval: Interval
    p90: float | None
    p90_interval: Interval
    p99: float | None
    p99_interval: Interval
    marks: list[QuantileName]
    unknown: list[QuantileName]


class PairedDocument(LoadDocument, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A proxy beside the server itself, under one load.

    Attributes:
        direct, proxy: the names of the two.
        pairs: how many pairs were answered well on both sides.
        broken: of how many a side failed; no half of one is used.
        cut: of how many a side never ended, or never began, because the run was over.
        uneven: how many of the pairs have answers of different lengths: their end-to-end times differ by that too.
        differences: by metric.
        differences_reused: the same of the pairs whose both sides had a connection that was there already.
        events_per_read_in, events_per_read_out: token events in one read of ours, directly and behind the proxy: means.
            Where we are late, there are more on both sides.
        events_per_segment_in, events_per_segment_out: the same in reads of one segment alone: what the other end
            joined, whether we were late or not; null where there was no such read.
        events_per_write: how many the upstream wrote at once, for the proxy; null where no journal tells.
        token_delay: by server, how long after the upstream wrote a token the client had it; empty where the upstream's
            journal is not there to tell.
        request_delay: by server, how long after we had sent a request the upstream had it; likewise.
        shares: what the journal tells, of each pair the proxy's less the direct one's: `request_delay_ms`,
            `first_token_delay_ms`, and `token_delay_ms`, the median of an answer's tokens.
        unmatched: by server, how many answers the journal tells nothing of, or not token by token.
        tool_error: by the name of a difference or a share, how far we may be off in it: the errors of both sides, added
            up; empty where there was no calibration.
        delay_error: the same of `request_delay` (as "request") and `token_delay` (as "token").
    """

    direct: str
    proxy: str
    pairs: int
    broken: int
    cut: int
    uneven: int
    differences: dict[str, DifferenceDocument]
    differences_reused: dict[str, DifferenceDocument]
    events_per_read_in: float
    events_per_read_out: float
    events_per_segment_in: float | None
    events_per_segment_out: float | None
    events_per_write: float | None
    token_delay: dict[str, TokenDelayDocument]
    request_delay: dict[str, TokenDelayDocument]
    shares: dict[str, DifferenceDocument]
    unmatched: dict[str, int]
    tool_error: dict[str, ToolErrorDocument]
    delay_error: dict[str, ToolErrorDocument]


class KneeDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a sweep bends.

    Attributes:
        server: whose sweep it is.
        index: of the run, from 0, among those of this server.
        load: its concurrency, or its rate.
        edge: where that is the least or the greatest load, it is no knee yet, but the best of those that were tried;
            else null.
        words: why this one.
    """

    server: str
    index: int
    load: float
    edge: Literal["least", "greatest"] | None
    words: str


class Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A whole benchmark.

    Attributes:
        schema: what this document is.
        version: of streamkit.
        began: when, in UTC; null where that is not known.
        machine: where it ran.
        seed: of schedules and orders.
        workers: how many processes sent requests.
        confidence: of all intervals.
        max_tool_error: the share of a figure that our own error may be before it is marked.
        prompts: what was asked, in words.
        servers: who was asked.
        slo: the objectives.
        runs: one for each load and server, in order.
        paired: one for each load and proxy.
        knees: of sweeps.
        is_interrupted: whether it was ended before its time.
        notes: what holds for all of it.
    """

    schema: str
    version: str
    began: str | None
    machine: str
    seed: int
    workers: int
    confidence: float
    max_tool_error: float
    prompts: str
    servers: list[ServerDocument]
    slo: list[BoundDocument]
    runs: list[RunDocument]
    paired: list[PairedDocument]
    knees: list[KneeDocument]
    is_interrupted: bool
    notes: list[str]


def schema() -> dict[str, Any]:
    """Return the JSON Schema of a document."""
    (reference,), parts = msgspec.json.schema_components([Document], ref_template="#/$defs/{name}")
    for part in parts.values():
        _describe(part)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$comment": "Made from streamkit/bench/report/fields.py.",
        **reference,
        "$defs": parts,
    }


def _describe(part: dict[str, Any]) -> None:
    """Give each property of a schema what a docstring says of it: its class's, or that of a class it has fields of."""
    docstring = str(part.get("description", ""))
    sentence, heading, _ = docstring.partition("\n\n    Attributes:\n")
    if heading:
        part["description"] = sentence
    told: dict[str, str] = {}
    for each in (Figures.__doc__, LoadDocument.__doc__, docstring):
        told |= {name: found[2] for found in ATTRIBUTE.finditer(each or "") for name in found[1].split(", ")}
    for name, field in part.get("properties", {}).items():
        if name in told:
            field["description"] = " ".join(told[name].split())
