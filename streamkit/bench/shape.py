"""What answers look like in time, and how they are shortened for a calibration that has not all day. Pure."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable
from statistics import median
from typing import Final

import msgspec

from streamkit.bench.plan import NS, Arrivals, Concurrency, Load, Replay
from streamkit.bench.record import RequestRecord

__all__ = ["Shape", "fitted", "seconds_for", "shape_of"]

WANTED: Final = 400
"""Requests that a calibration wants: a p99 with an interval of 95 % takes 368."""

WANTED_OF_TWO: Final = 240
"""Requests that it takes a longer time for: the one before a run and the one after it have enough together."""

LONGER: Final = 3.0
"""How many times as long as it was asked to a calibration takes at most, so that it has those."""

LEAST_TOKENS: Final = 3
"""An answer is not made shorter than that, so that there are gaps in it, and one that is not the last."""

LEAST_TTFT_MS: Final = 5.0


class Shape(msgspec.Struct, frozen=True):
    """An answer in time.

    Attributes:
        ttft_ms: from the request to the first token.
        gap_ms: between one token and the next.
        tokens: how many.
    """

    ttft_ms: float
    gap_ms: float
    tokens: int

    @property
    def length_ms(self) -> float:
        """From the request to the last token."""
        return self.ttft_ms + self.gap_ms * (self.tokens - 1)


def shape_of(records: Iterable[RequestRecord]) -> Shape | None:
    """Return the shape of the answer in the middle of those that are ok, each figure for itself; None for none.

    Where several tokens come in one read, the gap is what it would be if they came one by one.
    """
    ttfts: list[float] = []
    gaps: list[float] = []
    tokens: list[int] = []
    for record in records:
        if not record.is_ok or record.sent_ns is None or record.first_token_ns is None or record.last_token_ns is None:
            continue
        ttfts.append((record.first_token_ns - record.sent_ns) / 1e6)
        tokens.append(record.token_events)
        more = record.token_events - record.first_tokens
        if more > 0:
            gaps.append((record.last_token_ns - record.first_token_ns) / 1e6 / more)
    if not ttfts:
        return None
    return Shape(max(0.0, median(ttfts)), max(0.0, median(gaps)) if gaps else 0.0, max(1, round(median(tokens))))


def fitted(shape: Shape, load: Load, seconds: float) -> tuple[Shape, Load, str]:
    """Return the answers and the load to calibrate with, and a sentence where they are not those of the run.

    What is kept is what keeps the tool busy: how many streams there are at once and how many token events a second
    come. Where so few requests would end in the time that nothing could be said of them, or where an answer takes
    longer than half of it, answers are shorter, first token and tokens alike, and a rate is higher by as much. Of a
    trace it is the busiest span.

    Args:
        shape: of the run's answers.
        load: of the run.
        seconds: how long the calibration's requests may begin.
    """
    length_ms = max(shape.length_ms, 0.001)
    longest = seconds * 500 / length_ms
    if isinstance(load, Replay):
        shorter = _shortened(shape, longest)
        return shorter, _busiest(load, seconds), _words(shape, shorter, 1.0)
    per_s = load.concurrency * 1000 / length_ms if isinstance(load, Concurrency) else load.per_s
    shorter = _shortened(shape, min(longest, per_s * seconds / WANTED))
    share = min(1.0, shorter.length_ms / length_ms)
    if shorter == shape:
        return shape, load, ""
    if isinstance(load, Concurrency):
        return shorter, load, _words(shape, shorter, 1.0)
    faster = Arrivals(load.process, load.per_s / max(share, 1e-6), load.cv)
    return shorter, faster, _words(shape, shorter, share)


def seconds_for(shape: Shape, load: Load, seconds: float) -> float:
    """Return how long the requests of a calibration begin, its answers and its load being `fitted`.

    Longer than it was asked, within bounds, where so few streams are open at once that hardly any answer would end.

    Args:
        shape: of its answers.
        load: its own.
        seconds: how long it was asked to take.
    """
    if isinstance(load, Replay):
        return seconds
    length_ms = max(shape.length_ms, 0.001)
    per_s = load.concurrency * 1000 / length_ms if isinstance(load, Concurrency) else load.per_s
    return min(max(seconds, WANTED_OF_TWO / per_s), LONGER * seconds)


def _shortened(shape: Shape, share: float) -> Shape:
    if share >= 1:
        return shape
    tokens = max(math.ceil(shape.tokens * share), min(shape.tokens, LEAST_TOKENS))
    if tokens > LEAST_TOKENS:
        share = max(share, tokens / shape.tokens)
    return Shape(max(shape.ttft_ms * share, min(shape.ttft_ms, LEAST_TTFT_MS)), shape.gap_ms, tokens)


def _busiest(load: Replay, seconds: float) -> Replay:
    """Return the span of a trace in which the most requests begin; answers are as long as the shape says."""
    span_ns = round(seconds * NS)
    at_ns = load.at_ns
    best = 0, 0
    for first, began_ns in enumerate(at_ns):
        behind = bisect_left(at_ns, began_ns + span_ns)
        if behind - first > best[1] - best[0]:
            best = first, behind
    some = slice(*best)
    begin_ns = at_ns[best[0]] if at_ns else 0
    shifted = [each - begin_ns for each in at_ns[some]]
    return Replay(shifted, load.prompts[some], [0] * len(shifted), load.characters[some])


def _words(shape: Shape, shorter: Shape, share: float) -> str:
    if shorter == shape:
        return ""
    rate = "" if share == 1 else f", at a rate {1 / share:.1f} times as high"
    return (
        f"calibrated with shorter answers{rate}, so that enough of them end: {shorter.ttft_ms:.0f} ms to the first"
        f" token and {shorter.tokens} tokens, not {shape.ttft_ms:.0f} ms and {shape.tokens}"
    )
