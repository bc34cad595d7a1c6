"""What a gateway has done since it was started, in counters: what `GET /_gateway/stats` answers.

Everything is a count, a sum or a maximum, so that it takes the same room after a request and after a billion. The
document is in the README; times in it are in ms, with the unit in the name.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Final, get_args

from streamkit.gateway.record import Outcome, Record

if TYPE_CHECKING:
    from streamkit.gateway.streams import Streams
    from streamkit.http.pool import Pool

__all__ = ["BOUNDS_MS", "Stats", "Times"]

BOUNDS_MS: Final = (10, 100, 1000, 10_000, 60_000)
"""How the times are grouped; a model's first token may take any of these orders of magnitude."""

CLASSES: Final = ("none", "1xx", "2xx", "3xx", "4xx", "5xx")
"""Of statuses; `none` is a client that got none, and what is beyond 599 counts as `5xx`."""

MS: Final = 1_000_000


class Times:
    """How long something took: how often, in total, at most, and how often within each of `BOUNDS_MS`.

    Attributes:
        count: how many there were.
        sum_ns: all of them together.
        max_ns: the longest one.
        within: for each of `BOUNDS_MS`, how many took no longer.
    """

    __slots__ = ("count", "max_ns", "sum_ns", "within")

    def __init__(self) -> None:
        self.count = 0
        self.sum_ns = 0
        self.max_ns = 0
        self.within = dict.fromkeys(BOUNDS_MS, 0)

    def add(self, took_ns: int) -> None:
        """Count one more."""
        self.count += 1
        self.sum_ns += took_ns
        self.max_ns = max(self.max_ns, took_ns)
        for bound_ms in BOUNDS_MS:
            if took_ns <= bound_ms * MS:
                self.within[bound_ms] += 1

    def as_json(self) -> dict[str, object]:
        """Return them as a JSON object."""
        return {
            "count": self.count,
            "sum_ms": self.sum_ns / MS,
            "max_ms": self.max_ns / MS,
            "within_ms": {str(bound_ms): count for bound_ms, count in self.within.items()},
        }


class Stats:
    """The counters of one gateway.

    Args:
        started_at_ns: ns since 1970; now, by default.

    Attributes:
        active: requests that have begun and not ended.
        outcomes: how many requests ended in which way.
        statuses: how many got a status of which class.
        dialects: how many were read in which dialect; those that were only passed on count for none.
        request_bytes: of request bodies passed on.
        response_bytes: of response bodies passed on.
        reads: reads from upstream that brought some of a body.
        retries: requests that were sent once more.
        to_head: from a request's head to its response's.
        to_first_byte: from a request's head to the first byte of its response's body.
        total: from a request's head to the end of it all.
    """

    def __init__(self, started_at_ns: int | None = None) -> None:
        self.started_at_ns = time.time_ns() if started_at_ns is None else started_at_ns
        self.active = 0
        self.outcomes: Counter[Outcome] = Counter(dict.fromkeys(get_args(Outcome), 0))
        self.statuses = Counter(dict.fromkeys(CLASSES, 0))
        self.dialects: Counter[str] = Counter()
        self.request_bytes = 0
        self.response_bytes = 0
        self.reads = 0
        self.retries = 0
        self.to_head = Times()
        self.to_first_byte = Times()
        self.total = Times()

    def begin(self) -> None:
        """Count a request whose head has come."""
        self.active += 1

    def end(self, record: Record) -> None:
        """Count what came of it."""
        self.active -= 1
        self.outcomes[record.outcome] += 1
        self.statuses["none" if record.status is None else CLASSES[min(record.status // 100, 5)]] += 1
        if record.dialect:
            self.dialects[record.dialect] += 1
        self.request_bytes += record.request_bytes
        self.response_bytes += record.response_bytes
        self.reads += record.reads
        self.retries += record.retries
        for times, at_ns in (
            (self.to_head, record.head_ns),
            (self.to_first_byte, record.first_ns),
            (self.total, record.ended_ns),
        ):
            if at_ns is not None:
                times.add(at_ns - record.arrived_ns)

    def document(self, pool: Pool, streams: Streams | None = None) -> dict[str, object]:
        """Return all of it as a JSON object, with what the pool of connections upstream and the streams count."""
        counted = (0, 0, 0) if streams is None else (streams.open, streams.begun, streams.abandoned)
        return {
            "started_at_ns": self.started_at_ns,
            "requests": {
                "active": self.active,
                "ended": self.outcomes.total(),
                "by_outcome": dict(self.outcomes),
                "by_status": dict(self.statuses),
                "by_dialect": dict(self.dialects),
                "retries": self.retries,
            },
            "bytes": {"requests": self.request_bytes, "responses": self.response_bytes, "reads": self.reads},
            "times": {
                "to_head": self.to_head.as_json(),
                "to_first_byte": self.to_first_byte.as_json(),
                "total": self.total.as_json(),
            },
            "upstream": {"opened": pool.opened, "reused": pool.reused, "idle": pool.idle},
            "streams": dict(zip(("open", "begun", "abandoned"), counted, strict=True)),
        }
