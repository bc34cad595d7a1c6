"""What the server says that it took, beside what we measured: a cross-check, for dialects that say so (Ollama's). Pure.

Ollama's last record has `total_duration`, `load_duration`, `prompt_eval_duration` and `eval_duration`, in ns of the
server's own clock. They hold what the server itself did, so ours are greater: by the network, by a queue that the
server does not count, and by our own error. Ours cannot be less for a span that begins with our sending; where it is,
one of the two is wrong, and `sooner` counts it. Clocks are never compared, only spans.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from streamkit.bench.record import RequestRecord, ServerTimes

__all__ = ["CHECKS", "Check", "CrossCheck", "cross_checks", "spans_of"]

NS_PER_MS: Final = 1e6


@dataclass(frozen=True)
class Check:
    """A span that both ends know.

    Attributes:
        name: in the document.
        theirs_words, ours_words: what each side counts, for people.
        theirs, ours: in ns; None where it is not known.
    """

    name: str
    theirs_words: str
    ours_words: str
    theirs: Callable[[ServerTimes], int | None]
    ours: Callable[[RequestRecord], int | None]


class CrossCheck(msgspec.Struct, frozen=True):
    """One span, summed up over the answers in which both ends know it.

    Attributes:
        name: of the check.
        n: how many answers.
        theirs_ms, ours_ms: means.
        sooner: in how many answers ours is less than theirs.
    """

    name: str
    n: int
    theirs_ms: float
    ours_ms: float
    sooner: int

    @property
    def difference_ms(self) -> float:
        """The mean of ours less theirs."""
        return self.ours_ms - self.theirs_ms


def _before_first(times: ServerTimes) -> int | None:
    known = [each for each in (times.load_ns, times.prompt_ns) if each is not None]
    return sum(known) if times.prompt_ns is not None else None


def _between(before: str, after: str) -> Callable[[RequestRecord], int | None]:
    def span(record: RequestRecord) -> int | None:
        began_ns, ended_ns = getattr(record, before), getattr(record, after)
        return None if began_ns is None or ended_ns is None else ended_ns - began_ns

    return span


CHECKS: Final = (
    Check("total", "total_duration", "end to end", lambda times: times.total_ns, _between("sent_ns", "end_ns")),
    Check(
        "first_token",
        "load_duration + prompt_eval_duration",
        "time to first token",
        _before_first,
        _between("sent_ns", "first_token_ns"),
    ),
    Check(
        "generation",
        "eval_duration",
        "first token to end",
        lambda times: times.eval_ns,
        _between("first_token_ns", "end_ns"),
    ),
)
"""In the order in which they are shown."""

PREFIX: Final = "server"


def spans_of(record: RequestRecord) -> Iterator[tuple[str, int]]:
    """Yield what is added to a tally's counts for an answer whose server says what it took: names and numbers."""
    if record.server is None:
        return
    for check in CHECKS:
        theirs_ns, ours_ns = check.theirs(record.server), check.ours(record)
        if theirs_ns is None or ours_ns is None:
            continue
        yield f"{PREFIX}.{check.name}.n", 1
        yield f"{PREFIX}.{check.name}.theirs_ns", theirs_ns
        yield f"{PREFIX}.{check.name}.ours_ns", ours_ns
        yield f"{PREFIX}.{check.name}.sooner", int(ours_ns < theirs_ns)


def cross_checks(counts: Mapping[str, int]) -> list[CrossCheck]:
    """Return what a tally's counts hold of it; empty where no server said anything."""
    found = []
    for check in CHECKS:
        n, theirs_ns, ours_ns, sooner = (
            counts.get(f"{PREFIX}.{check.name}.{what}", 0) for what in ("n", "theirs_ns", "ours_ns", "sooner")
        )
        if n:
            found.append(CrossCheck(check.name, n, theirs_ns / n / NS_PER_MS, ours_ns / n / NS_PER_MS, sooner))
    return found
