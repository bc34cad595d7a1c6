"""Does every token come at its time? 200 tokens at 100 a second after 50 ms, one stream and 100 in a burst.

- Drift: how much longer than asked the 199 gaps took together, the median over the streams. A server that sleeps for
  each token is late by a little each time and never makes up for it.
- The p99 gap over all streams, as what it exceeds the control's of the same round by: what client and machine add is in
  both.
- TTFT: how far from the asked 50 ms the first token was, the median over the streams of a burst. Counted by the mock's
  journal from the kernel's receive stamp of the request to the end of the write; and by the client from just before
  sending to just after reading, which has two wake-ups more, shown with the control's and judged only where there is
  no journal. The connections of a burst are open before its first request leaves.

What they do not say: anything about single late tokens beyond the p99; the note of a row has the worst stream.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Final

from benchmarks.measure import Effort, Figure, percentile
from benchmarks.mock.figures import Run
from benchmarks.mock.journal import entries_since, first_tokens_ns
from benchmarks.mock.rounds import Load, take_turns
from benchmarks.mock.servers import Asked, Contenders, Server
from benchmarks.report import Row, Target, skipped

__all__ = ["NAME", "excuse", "run"]

NAME: Final = "mock-pacing"
TOKENS, RATE, TTFT_MS = 200, 100, 50
GAP_NS: Final = 1e9 / RATE
BURSTS: Final = (1, 100)
DRIFT = Target("<=", 0.1, "%")
GAP = Target("<=", 1, "ms")
TTFT = Target("<=", 1, "ms")


def run(effort: Effort, contenders: Contenders) -> list[Row]:
    """Answer the question."""
    asked = Asked(tokens=effort.of(TOKENS, at_least=10), rate=RATE, ttft_ms=TTFT_MS, seed=effort.seed)
    rows: list[Row] = []
    with ExitStack() as stack:
        launchers = {"ours": contenders.ours, "control": contenders.control, **contenders.peers}
        servers = {name: stack.enter_context(Server(name, launcher(asked))) for name, launcher in launchers.items()}
        off = JournalTTFT(servers["ours"])
        for streams in BURSTS:
            load = Load(streams, streams, asked.tokens)
            runs = take_turns(servers, load, effort.rounds, warm_up=None if rows else load, after=off.note)
            rows += rows_of(runs, list(contenders.peers))
            if streams > 1:
                rows += ttft_rows(runs, off.rounds_ms[-effort.rounds :])
    return rows


class JournalTTFT:
    """Asks the journal of our server after each of its turns.

    Attributes:
        rounds_ms: for each turn so far the median of how far off the first tokens were.
    """

    def __init__(self, ours: Server) -> None:
        self._ours = ours
        self._seen = 0
        self.rounds_ms: list[float | None] = []

    def note(self, server: Server) -> None:
        """Take down what the journal has, if it was our server's turn."""
        if server is not self._ours:
            return
        entries = entries_since(server.url, self._seen)
        self._seen = max((entry["number"] for entry in entries), default=self._seen)
        found = [abs(ns / 1e6 - TTFT_MS) for ns in first_tokens_ns(entries)]
        self.rounds_ms.append(percentile(found, 50) if found else None)


def rows_of(runs: Mapping[str, Sequence[Run]], peers: Sequence[str]) -> list[Row]:
    """Drift and gaps."""
    ours, control = runs["ours"], runs["control"]
    streams = len(ours[0].streams)
    label = f"{streams} stream{'s' if streams > 1 else ''}"
    worst = {
        "worst stream": Figure.of([one.worst_drift_percent(GAP_NS) for one in ours], "%"),
        "the control's": Figure.of([one.worst_drift_percent(GAP_NS) for one in control], "%"),
    }
    excess = [mine.gap_ms(99) - its.gap_ms(99) for mine, its in zip(ours, control, strict=True)]
    p99 = {"ours": gaps(ours), "control": gaps(control)}
    rows = [
        Row(
            *(NAME, f"drift, {label}", drift(ours), drift(control), "control"),
            target=DRIFT,
            note=excuse(drift(control), DRIFT),
            detail=worst,
        ),
        Row(NAME, f"p99 gap over the control's, {label}", Figure.of(excess, "ms"), target=GAP, detail=p99),
    ]
    for name in peers:
        rows += [
            Row(NAME, f"drift, {label}, beside a peer", drift(ours), drift(runs[name]), name),
            Row(NAME, f"p99 gap, {label}, beside a peer", gaps(ours), gaps(runs[name]), name),
        ]
    return rows


def ttft_rows(runs: Mapping[str, Sequence[Run]], journal_ms: Sequence[float | None]) -> list[Row]:
    """How far off the first token was."""
    known = [off_ms for off_ms in journal_ms if off_ms is not None]
    ours, control = ([one.ttft_off_ms(TTFT_MS) for one in runs[name]] for name in ("ours", "control"))
    label = f"TTFT off {TTFT_MS} ms, burst of {len(runs['ours'][0].streams)}"
    if known:
        journal = Row(NAME, f"{label}, from the kernel's stamp", Figure.of(known, "ms"), target=TTFT)
    else:
        journal = skipped(NAME, f"{label}, from the kernel's stamp", "the server's journal does not tell")
    excess = Figure.of([mine - its for mine, its in zip(ours, control, strict=True)], "ms")
    rows = [
        journal,
        Row(NAME, f"{label}, seen by the client", Figure.of(ours, "ms"), Figure.of(control, "ms"), "control"),
        Row(NAME, f"{label}, over the control's", excess, target=None if known else TTFT),
    ]
    for name in set(runs) - {"ours", "control"}:
        theirs = Figure.of([one.ttft_off_ms(TTFT_MS) for one in runs[name]], "ms")
        rows.append(Row(NAME, f"{label}, beside a peer", Figure.of(ours, "ms"), theirs, name))
    return rows


def excuse(control: Figure, target: Target) -> str:
    """What to say beside a figure in whose rounds not even the control reached the target."""
    return "" if target.met_by(control) else "the control missed it too: the machine is busy, or too slow for this"


def drift(runs: Sequence[Run]) -> Figure:
    """Drift over the rounds."""
    return Figure.of([one.drift_percent(GAP_NS) for one in runs], "%")


def gaps(runs: Sequence[Run]) -> Figure:
    """The p99 gap over the rounds."""
    return Figure.of([one.gap_ms(99) for one in runs], "ms")
