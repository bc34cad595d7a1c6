"""Every figure of a request, a row each: its name, its unit, and how it comes out of a record. Pure.

A metric's name is the same in the JSON, in the table and on the command line (there without its unit: `ttft`). A new
one is a row. `values` are whole numbers; divided by `scale` they are in the unit that the name says.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from streamkit.bench.record import RequestRecord

__all__ = ["BY_NAME", "METRICS", "Metric", "unresolved_gaps"]

NS_PER_MS: Final = 1_000_000

TURN_NS: Final = 2_000_000
"""How long a segment may lie in the kernel unread although the loop was not seen to stand still."""


@dataclass(frozen=True)
class Metric:
    """A figure.

    Attributes:
        name: with its unit.
        words: what it is, for people.
        values: of a record that is ok: one, several, or none where it does not apply.
        scale: by which a value is divided.
        better: what is better, "less" or "more"; empty where neither is.
        tool: whether the tool's own error has a part in it, so that the calibration says how far it can be trusted.
        many: whether one answer has many values. They are not independent of each other, as answers nearly are.
        most: what no value of a record is above, those that nobody knows included; None where all are known.
        slack: by how much a record's value may be less than that, where it is only known to be no more; 0 where it is
            known. None where that cannot be.
    """

    name: str
    words: str
    values: Callable[[RequestRecord], Sequence[int]]
    scale: int = NS_PER_MS
    better: str = "less"
    tool: bool = True
    many: bool = False
    most: Callable[[RequestRecord], int] | None = None
    slack: Callable[[RequestRecord], int] | None = None

    @property
    def short(self) -> str:
        """The name without its unit, as the command line has it."""
        return self.name.removesuffix("_ms").removesuffix("_per_s")

    def is_kept(self, record: RequestRecord, limit: int) -> bool | None:
        """Tell whether no value of a record that is ok is above a limit; None where nobody knows.

        What does not apply (the time per token of an answer that came at once) is kept.
        """
        if max(self.values(record), default=0) > limit:
            return False
        return True if self.most is None or self.most(record) <= limit else None


def _since_sent(name: str) -> Callable[[RequestRecord], Sequence[int]]:
    def values(record: RequestRecord) -> Sequence[int]:
        at_ns = getattr(record, name)
        return () if at_ns is None or record.sent_ns is None else (at_ns - record.sent_ns,)

    return values


def _since_scheduled(name: str) -> Callable[[RequestRecord], Sequence[int]]:
    def values(record: RequestRecord) -> Sequence[int]:
        at_ns = getattr(record, name)
        return () if at_ns is None or record.scheduled_ns is None else (at_ns - record.scheduled_ns,)

    return values


def _slack_of(name: str) -> Callable[[RequestRecord], int]:
    """Return how much sooner than its stamp something may have come that was read with other segments.

    Not before the loop had last read all that there was: what lay there longer than a turn lay there while the loop
    stood still. Of a standstill the sampler sees a half, or more (`LagSampler`); the newest segment knows it, too.
    """
    at_name, read_name = f"{name}_ns", f"{name}_read_ns"

    def slack(record: RequestRecord) -> int:
        read_ns: int = getattr(record, read_name)
        if read_ns == record.first_token_read_ns:
            if record.is_first_resolved:
                return 0
        else:
            reads = record.token_reads
            place = bisect_left(reads, read_ns, key=lambda read: read.read_ns)
            if place < len(reads) and reads[place].is_resolved:
                return 0
        at_ns: int = getattr(record, at_name)
        lain_ns = TURN_NS + 2 * max(record.lag_ns, read_ns - at_ns)
        return max(1, at_ns - max(read_ns - lain_ns, record.sent_ns or 0))

    return slack


def _connect(record: RequestRecord) -> Sequence[int]:
    if record.connecting_ns is None or record.connected_ns is None:
        return ()
    return (record.connected_ns - record.connecting_ns,)


def _dispatch(record: RequestRecord) -> Sequence[int]:
    return () if record.scheduled_ns is None else (record.began_ns - record.scheduled_ns,)


def _tpot(record: RequestRecord) -> Sequence[int]:
    if record.last_token_ns is None or record.first_token_ns is None:
        return ()
    # An event may be several tokens, by the server's count: those of the first read are its share of the events.
    events, span_ns = record.token_events, record.last_token_ns - record.first_token_ns
    more = record.streamed_tokens * (events - record.first_tokens)
    return (round(span_ns * events / more),) if more > 0 and span_ns > 0 else ()


def _rate(record: RequestRecord) -> Sequence[int]:
    if record.last_token_ns is None or record.sent_ns is None or record.last_token_ns <= record.sent_ns:
        return ()
    return (round(record.tokens * 1e12 / (record.last_token_ns - record.sent_ns)),)


def _event_gaps(record: RequestRecord) -> Sequence[int]:
    reads = record.token_reads
    if len(reads) < 2:
        return ()
    return [
        after.at_ns - before.at_ns  # `known_gap`, without a call for each
        for before, after in pairwise(reads)
        if after.is_resolved and (before.is_resolved or before.is_last_known)
    ]


def _most_gap(record: RequestRecord) -> int:
    """Return the longest time from one read's newest segment to the next one's: no gap in or between them is longer."""
    return max((after.at_ns - before.at_ns for before, after in pairwise(record.token_reads)), default=0)


def _read_gaps(record: RequestRecord) -> Sequence[int]:
    reads = record.token_reads
    if len(reads) < 2:
        return ()
    return [after.read_ns - before.read_ns for before, after in pairwise(reads)]


def unresolved_gaps(record: RequestRecord) -> int:
    """Return how many gaps between token events nobody knows: they are in no distribution, and never zero."""
    return max(0, record.token_events - 1) - len(_event_gaps(record))


METRICS: Final = (
    Metric(
        "ttft_ms",
        "from the request's last byte sent to the first token of any kind",
        _since_sent("first_token_ns"),
        slack=_slack_of("first_token"),
    ),
    Metric("ttft_read_ms", "the same, by when the program read it", _since_sent("first_token_read_ns")),
    Metric(
        "ttft_from_schedule_ms",
        "from when the request was due to the first token: what a user waits",
        _since_scheduled("first_token_ns"),
        slack=_slack_of("first_token"),
    ),
    Metric(
        "first_visible_ms",
        "to the first text that the user sees, behind any reasoning",
        _since_sent("first_visible_ns"),
        slack=_slack_of("first_visible"),
    ),
    Metric(
        "first_tool_ms",
        "to the first tool call",
        _since_sent("first_tool_ns"),
        slack=_slack_of("first_tool"),
    ),
    Metric("tpot_ms", "per token behind the first: (last - first) / (tokens - those of the first read)", _tpot),
    Metric("event_gap_ms", "between one token event and the next", _event_gaps, many=True, most=_most_gap),
    Metric(
        "read_gap_ms",
        "between one read that brought tokens and the next, as the program read them",
        _read_gaps,
        many=True,
    ),
    Metric("e2e_ms", "from the request's last byte sent to the end of the answer", _since_sent("end_ns")),
    Metric(
        "e2e_from_schedule_ms", "from when the request was due to the end of the answer", _since_scheduled("end_ns")
    ),
    Metric("headers_ms", "to the head of the response", _since_sent("headers_ns")),
    Metric(
        "first_event_ms",
        "to the first event of any kind, one that only names a role too",
        _since_sent("first_event_ns"),
    ),
    Metric("connect_ms", "connecting, with TLS, where a new connection was made", _connect),
    Metric("dispatch_delay_ms", "from when a request was due until the tool began it", _dispatch, tool=False),
    Metric("tokens_per_s", "tokens of one answer per second, from sending to the last token", _rate, 1000, "more"),
    Metric(
        "events_per_read",
        "token events in one read",
        lambda record: [each.tokens for each in record.token_reads],
        1,
        "",
        many=True,
    ),
)
"""In the order in which they are shown."""

BY_NAME: Final = {metric.name: metric for metric in METRICS}


def shown_names(metrics: Iterable[Metric] = METRICS) -> str:
    """Return the short names, for people."""
    return ", ".join(metric.short for metric in metrics)
