"""How fast is SSE decoding, against the best of the Python decoders that people use?

The wire is 20 000 OpenAI-like events (about 195 bytes, 3 % of them with characters outside ASCII), read in chunks of 64
bytes, 1 KiB, 64 KiB, and one event a chunk. Every decoder gets the same list of chunks; all events are consumed, their
`data` is read, none is kept. Before anything is timed, every decoder must produce the same number of events with the
same amount of text, else the run stops. Our figure and the peer's are MB/s of wire; the ratio is against the fastest
peer.

The JavaScript eventsource-parser takes its turns in the same rounds, where node and the package are there. Its row has
no target. Two rows with Anthropic-like events (`event:` and `data:` lines) show what a second field costs; no target
either.

What the figures do not say: what a network read, a TLS record, or decoding the JSON inside costs (more than all this).
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from benchmarks.eventsource_parser import EventsourceParser
from benchmarks.measure import Effort, Figure, Turn, Unavailable, alternate, ratio, turn
from benchmarks.peers import Contender, consume, drain, installed_peers, streamkit_sse
from benchmarks.report import Row, Target, skipped
from benchmarks.workloads import anthropic_text_deltas, chunks_of, openai_chat_events

NAME = "sse-decode"
EVENTS = 20_000
OURS = "streamkit"
Reads = Callable[[Sequence[bytes]], list[bytes]]


def by_size(size: int, events: Sequence[bytes]) -> list[bytes]:
    """The events as reads of `size` bytes."""
    return chunks_of(b"".join(events), size)


READS: dict[str, tuple[Reads, float]] = {
    "64 B chunks": (partial(by_size, 64), 1.5),
    "1 KiB chunks": (partial(by_size, 1024), 3),
    "64 KiB chunks": (partial(by_size, 65536), 6),
    "one event a chunk": (list, 2.5),
}


def run(effort: Effort) -> list[Row]:
    """Answer the question."""
    peers, absent = installed_peers()
    rows = [skipped(NAME, name, "not installed") for name in absent]
    contenders: dict[str, Contender] = {OURS: streamkit_sse, **peers}
    openai_events = openai_chat_events(effort.of(EVENTS), effort.seed)
    with tempfile.TemporaryDirectory() as folder:
        wire_file = Path(folder, "wire.sse")
        wire_file.write_bytes(b"".join(openai_events))
        try:
            with EventsourceParser(wire_file) as javascript:
                for what, (reads, target) in READS.items():
                    rows += race(what, reads(openai_events), contenders, effort, target=target, javascript=javascript)
        except Unavailable as why:
            for what, (reads, target) in READS.items():
                rows += race(what, reads(openai_events), contenders, effort, target=target)
            rows.append(skipped(NAME, "eventsource-parser", str(why)))
    anthropic_events = anthropic_text_deltas(effort.of(EVENTS), effort.seed)
    for what in ("1 KiB chunks", "64 KiB chunks"):
        reads, _ = READS[what]
        rows += race(f"Anthropic-like events, {what}", reads(anthropic_events), contenders, effort)
    return rows


def race(
    what: str,
    chunks: Sequence[bytes],
    contenders: Mapping[str, Contender],
    effort: Effort,
    *,
    target: float | None = None,
    javascript: EventsourceParser | None = None,
) -> list[Row]:
    """Time all contenders on these chunks: one row against the best Python peer, one against JavaScript."""
    check_same(chunks, contenders)
    turns: dict[str, Turn] = {name: turn(partial(_pass, contender, chunks)) for name, contender in contenders.items()}
    if javascript is not None:
        javascript.set_reads(chunks)
        turns[javascript.name] = javascript.turn
    taken = alternate(turns, effort.rounds)
    wire_bytes = sum(map(len, chunks))
    speeds = {name: Figure.of([wire_bytes * 1000 / ns for ns in times], "MB/s") for name, times in taken.items()}
    peers = {name: speeds[name] for name in contenders if name != OURS}
    best = max(peers, key=lambda name: peers[name].value, default=None)
    against_best = ratio(taken[best], taken[OURS]) if best else None
    wanted = Target(">=", target, "x") if target and best else None
    rows = [Row(NAME, what, speeds[OURS], peers.get(best or ""), best or "", against_best, wanted, detail=peers)]
    if javascript is not None:
        name = javascript.name
        rows.append(Row(NAME, f"{what}, JavaScript", speeds[OURS], speeds[name], name, ratio(taken[name], taken[OURS])))
    return rows


def check_same(chunks: Sequence[bytes], contenders: Mapping[str, Contender]) -> None:
    """See that all contenders decode the same.

    Raises:
        RuntimeError: one of them does not, so its speed would mean nothing.
    """
    tallies = {name: drain(contender(chunks)) for name, contender in contenders.items()}
    if len(set(tallies.values())) > 1:
        msg = f"the decoders disagree about the same bytes: {tallies}"
        raise RuntimeError(msg)


def _pass(contender: Contender, chunks: Sequence[bytes]) -> None:
    consume(contender(chunks))
