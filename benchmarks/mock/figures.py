"""From stamps to numbers. Pure: no clock, no socket.

Where a read brought several tokens, all of them arrived then: the gaps between them are 0. A gap is known only between
tokens, so a stream of N tokens has N-1 of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Any

from benchmarks.measure import percentile

__all__ = ["Run", "Stamps", "check", "run_of"]


@dataclass(frozen=True, slots=True)
class Stamps:
    """One stream as the client saw it; client.py says what each one means."""

    sent_ns: int
    at_ns: Sequence[int]
    tokens: Sequence[int]
    reads: int
    segments: int | None
    ended_ns: int

    def drift(self, gap_ns: float) -> float:
        """How much longer than asked the tokens took, from the first one to the last, as a share; negative: shorter."""
        return (self.at_ns[-1] - self.at_ns[0]) / ((sum(self.tokens) - 1) * gap_ns) - 1

    def gaps_ns(self) -> list[int]:
        """The gaps between its tokens."""
        between = (later - sooner for sooner, later in pairwise(self.at_ns))
        inside = chain.from_iterable([0] * (count - 1) for count in self.tokens)
        return [*between, *inside]

    def ttft_ns(self) -> int:
        """From the request's sending to the first token's arrival."""
        return self.at_ns[0] - self.sent_ns


@dataclass(frozen=True, slots=True)
class Run:
    """What one server did in one turn.

    Attributes:
        began_ns: before the first request.
        streams: in the order in which they ended.
        cpu_ns: what the server's process ran meanwhile; None where the system does not tell.
        peak_bytes: its highest resident memory since it started.
    """

    began_ns: int
    streams: Sequence[Stamps]
    cpu_ns: int | None = None
    peak_bytes: int = 0

    def tokens_per_s(self) -> float:
        """Of all streams, from the first request to the last end."""
        spent_ns = max(stream.ended_ns for stream in self.streams) - self.began_ns
        return self._tokens() * 1e9 / spent_ns

    def cpu_us_per_token(self) -> float | None:
        """The server's processor time for a token."""
        return None if self.cpu_ns is None else self.cpu_ns / 1000 / self._tokens()

    def segments(self) -> float | None:
        """The median of the segments a stream came in; None where the system does not count them."""
        counts = [stream.segments for stream in self.streams if stream.segments is not None]
        return percentile(counts, 50) if counts else None

    def reads(self) -> float:
        """The median of the reads that a stream took."""
        return percentile([stream.reads for stream in self.streams], 50)

    def drift_percent(self, gap_ns: float) -> float:
        """The median over the streams, its sign dropped: too fast is as wrong as too slow."""
        return abs(percentile([stream.drift(gap_ns) for stream in self.streams], 50)) * 100

    def worst_drift_percent(self, gap_ns: float) -> float:
        """That of the stream which is furthest off."""
        return max(abs(stream.drift(gap_ns)) for stream in self.streams) * 100

    def gap_ms(self, percent: float) -> float:
        """A percentile of all gaps of all streams."""
        return percentile([gap for stream in self.streams for gap in stream.gaps_ns()], percent) / 1e6

    def ttft_off_ms(self, asked_ms: float) -> float:
        """The median over the streams of how far from what was asked the first token came, seen from the client."""
        return percentile([abs(stream.ttft_ns() / 1e6 - asked_ms) for stream in self.streams], 50)

    def _tokens(self) -> int:
        return sum(sum(stream.tokens) for stream in self.streams)


def run_of(result: Mapping[str, Any], *, cpu_ns: int | None = None, peak_bytes: int = 0) -> Run:
    """Make it of the client's result."""
    streams = [Stamps(**stream) for stream in result["streams"]]
    return Run(result["began_ns"], streams, cpu_ns, peak_bytes)


def check(run: Run, name: str, *, streams: int, tokens: int) -> None:
    """Raise a RuntimeError unless every stream is there with every token: the speed of a wrong answer is none."""
    if len(run.streams) != streams:
        msg = f"{name}: {len(run.streams)} streams came of {streams}"
        raise RuntimeError(msg)
    wrong = [sum(stream.tokens) for stream in run.streams if sum(stream.tokens) != tokens]
    if wrong:
        msg = f"{name}: {len(wrong)} of {streams} streams had not {tokens} tokens, one of them {wrong[0]}"
        raise RuntimeError(msg)
