"""What we measured of a known server, less what it really did: the errors of our figures, request by request. Pure.

Each metric that has a truth is a row: what it would be if nothing came between the server and the figure. The errors
are those of single requests (of the gaps, of single gaps), each with its sign, so that a tool that is late half of the
time and early otherwise is not taken for a good one. What counts as ours is everything between the server's write and
the figure: the kernel's loopback, our reading, our loop, and on the way there all that lies between our stamp of the
sending and the server's kernel.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Final

from streamkit.bench.distribution import Distribution
from streamkit.bench.metrics import BY_NAME
from streamkit.bench.record import RequestRecord, known_gap
from streamkit.bench.results import ToolError
from streamkit.bench.statistics import CONFIDENCE, quantile_rank, smallest_n
from streamkit.bench.truth import Truth

__all__ = ["COUNTS", "RECEIVING", "SENDING", "UNTOLD", "Compared", "Errors", "compare", "spreads", "tool_errors"]

ALIKE: Final = {"first_tool_ms": "ttft_ms", "first_event_ms": "headers_ms"}
"""Metrics of which the mock has no truth, and those whose stamp is made in the same way."""

UNTOLD: Final = frozenset({"connect_ms", "events_per_read"})
"""Metrics in which the tool has a part, and no error: nobody but us knows when a connection began; how many events are
in a read is counted, not timed."""

COUNTS: Final = ("requests", "failed", "unmatched", "miscounted", "gaps", "unresolved_gaps", "false_zero_gaps")

SENDING: Final = "sending"
RECEIVING: Final = "receiving"
RECEIVING_READ: Final = "receiving_read"
"""Parts of the error of a TTFT: from our stamp to the server's kernel, and from the server's write to our stamps."""


class Errors:
    """Signed errors, in the whole numbers of their metric. They merge by adding up."""

    __slots__ = ("over", "under")

    def __init__(self) -> None:
        self.over = Distribution()
        self.under = Distribution()

    def add(self, error: int) -> None:
        """Add one: what we say less what is true."""
        if error < 0:
            self.under.add(-error)
        else:
            self.over.add(error)

    def merge(self, other: Errors) -> None:
        """Add the errors of another one."""
        self.over.merge(other.over)
        self.under.merge(other.under)

    @property
    def n(self) -> int:
        """How many there are."""
        return self.over.n + self.under.n

    @property
    def absolute(self) -> Distribution:
        """The errors without their signs."""
        absolute = Distribution()
        absolute.merge(self.over)
        absolute.merge(self.under)
        return absolute

    def tool_error(self, scale: float, confidence: float = CONFIDENCE) -> ToolError | None:
        """Return what they amount to, divided by `scale`; None where there are too few for a median."""
        n = self.n
        if n < smallest_n(0.5, confidence):
            return None
        absolute = self.absolute
        p50 = _quantile(absolute, 0.5)
        p99 = _quantile(absolute, 0.99) / scale if n >= smallest_n(0.99, confidence) else None
        return ToolError(n, p50 / scale, p99, self._median() / scale)

    def _median(self) -> float:
        rank = quantile_rank(self.n, 0.5)
        if rank <= self.under.n:
            return -self.under.at_ranks([self.under.n - rank + 1])[0]
        return self.over.at_ranks([rank - self.under.n])[0]


def _quantile(distribution: Distribution, q: float) -> float:
    return distribution.at_ranks([quantile_rank(distribution.n, q)])[0]


# What is true of each metric, in the metric's whole numbers. Where the record has no such figure, nobody asks.

True_ = Callable[[RequestRecord, Truth], float]


def _ttft(_: RequestRecord, truth: Truth) -> float:
    return truth.token_ns[0] - truth.arrived_ns


def _e2e(_: RequestRecord, truth: Truth) -> float:
    return truth.end_ns - truth.arrived_ns


def _connecting(record: RequestRecord) -> int:
    """Return how long connecting took: who waits since the schedule waits for it too, and it is no error of ours."""
    if record.connecting_ns is None or record.connected_ns is None:
        return 0
    return record.connected_ns - record.connecting_ns


def _tpot(_: RequestRecord, truth: Truth) -> float:
    token_ns = truth.token_ns
    more = len(token_ns) - token_ns.count(token_ns[0])
    return (token_ns[-1] - token_ns[0]) / more if more else 0.0


def _tokens_per_s(_: RequestRecord, truth: Truth) -> float:
    return len(truth.token_ns) * 1e12 / max(1, truth.token_ns[-1] - truth.arrived_ns)


OF_ENDS: Final[Mapping[str, True_]] = {
    "ttft_ms": _ttft,
    "ttft_read_ms": _ttft,
    "ttft_from_schedule_ms": lambda record, truth: _ttft(record, truth) + _connecting(record),
    "first_visible_ms": _ttft,
    "e2e_ms": _e2e,
    "e2e_from_schedule_ms": lambda record, truth: _e2e(record, truth) + _connecting(record),
    "headers_ms": lambda _, truth: truth.head_ns - truth.arrived_ns,
}
"""Metrics that a request has one of. The mock's tokens are text, and visible: its first is the first visible one."""

OF_TOKENS: Final[Mapping[str, True_]] = {"tpot_ms": _tpot, "tokens_per_s": _tokens_per_s}
"""Those for which the tokens are counted."""


def _read_errors(record: RequestRecord, truth: Truth) -> tuple[list[int], list[int], int]:
    """Return the errors of the gaps between events and between reads, and how many of the former are zero and false.

    A gap is compared with that between the same tokens. Of a read with several tokens the last is what its time is of.
    """
    events: list[int] = []
    reads: list[int] = []
    false_zeros = 0
    done = 0
    for before, after in pairwise(record.token_reads):
        done += before.tokens
        last_ns, first_ns = truth.token_ns[done - 1], truth.token_ns[done]
        gap_ns = known_gap(before, after)
        if gap_ns is not None:
            events.append(gap_ns - (first_ns - last_ns))
            false_zeros += gap_ns <= 0 < first_ns - last_ns
        newest_ns = truth.token_ns[done + after.tokens - 1]
        reads.append(after.read_ns - before.read_ns - (newest_ns - last_ns))
    return events, reads, false_zeros


class Compared:
    """Errors by the metric's name, and what could not be compared.

    Attributes:
        errors: by the metric's name.
        parts: of a TTFT's error: "sending", "receiving", "receiving_read".
        counts: "requests" that were compared; "failed" ones; "unmatched" ones, of which the server's journal says
            nothing that is whole; "miscounted" ones, of which we have other tokens than were sent; "unresolved_gaps";
            "gaps" that are resolved; "false_zero_gaps", of which we say 0 and the server does not.
    """

    def __init__(self) -> None:
        self.errors: dict[str, Errors] = {}
        self.parts: dict[str, Errors] = {}
        self.counts: dict[str, int] = dict.fromkeys(COUNTS, 0)

    def add(self, record: RequestRecord, truth: Truth | None, *, may_merge: bool = False) -> None:
        """Compare a request with what is true of it.

        Args:
            record: what we know.
            truth: what is true; None where the journal does not tell.
            may_merge: whether tokens that are read together are one event, as in text without any framing. Then only
                the first one and the end are compared.
        """
        counts = self.counts
        if not record.is_ok:
            counts["failed"] += 1
            return
        if truth is None or not truth.token_ns or record.sent_ns is None:
            counts["unmatched"] += 1
            return
        events, tokens = sum(each.tokens for each in record.token_reads), len(truth.token_ns)
        if events != tokens and not (may_merge and 0 < events < tokens):
            counts["miscounted"] += 1
            return
        counts["requests"] += 1
        self._compare_ends(record, truth, record.sent_ns)
        if events == tokens:
            self._compare_tokens(record, truth)
        else:
            counts["unresolved_gaps"] += tokens - 1

    def _compare_ends(self, record: RequestRecord, truth: Truth, sent_ns: int) -> None:
        self._compare(OF_ENDS, record, truth)
        first_ns, first_read_ns = record.first_token_ns or 0, record.first_token_read_ns or 0
        for part, error in (
            (SENDING, truth.arrived_ns - sent_ns),
            (RECEIVING, first_ns - truth.token_ns[0]),
            (RECEIVING_READ, first_read_ns - truth.token_ns[0]),
        ):
            self.parts.setdefault(part, Errors()).add(error)

    def _compare_tokens(self, record: RequestRecord, truth: Truth) -> None:
        self._compare(OF_TOKENS, record, truth)
        events, reads, false_zeros = _read_errors(record, truth)
        self._add("event_gap_ms", events)
        self._add("read_gap_ms", reads)
        self.counts["gaps"] += len(events)
        self.counts["unresolved_gaps"] += len(truth.token_ns) - 1 - len(events)
        self.counts["false_zero_gaps"] += false_zeros

    def _compare(self, rows: Mapping[str, True_], record: RequestRecord, truth: Truth) -> None:
        for name, true_of in rows.items():
            values = BY_NAME[name].values(record)
            if values:
                self._add(name, [values[0] - round(true_of(record, truth))])

    def _add(self, name: str, errors: Sequence[int]) -> None:
        if errors:
            mine = self.errors.setdefault(name, Errors())
            for error in errors:
                mine.add(error)

    def merge(self, other: Compared) -> None:
        """Add what another one has compared."""
        for mine, theirs in ((self.errors, other.errors), (self.parts, other.parts)):
            for name, errors in theirs.items():
                mine.setdefault(name, Errors()).merge(errors)
        for name, count in other.counts.items():
            self.counts[name] += count


def compare(records: Iterable[RequestRecord], truths: Mapping[str, Truth]) -> Compared:
    """Compare requests with what is true of them, by their X-Request-ID."""
    compared = Compared()
    for record in records:
        compared.add(record, truths.get(record.request_id))
    return compared


def tool_errors(compared: Compared, confidence: float = CONFIDENCE) -> dict[str, ToolError]:
    """Return how far each metric is off, in the metric's unit, as far as there is enough to say so."""
    found = {
        name: error
        for name, errors in compared.errors.items()
        if (error := errors.tool_error(BY_NAME[name].scale, confidence)) is not None
    }
    return found | {name: found[other] for name, other in ALIKE.items() if other in found}


def spreads(compared: Compared) -> dict[str, list[int]]:
    """Return the errors of each metric without their signs, as numbers; see `Calibration.spread`."""
    found = {name: errors.absolute.as_json() for name, errors in compared.errors.items()}
    return found | {name: found[other] for name, other in ALIKE.items() if other in found}
