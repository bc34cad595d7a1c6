"""Records of requests made by hand: times in ms since the request was sent, so that figures can be read off."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from streamkit.bench.record import FAILURES, Outcome, RequestRecord, TokenRead

MS = 1_000_000

SENT_NS = 5_000_000 * MS
"""When every request here is sent: some time after a machine's start."""


def at(ms: float) -> int:
    return SENT_NS + round(ms * MS)


def record_of(
    *reads: tuple[float, int] | tuple[float, int, bool],
    read_late_ms: float = 0.0,
    end_ms: float | None = None,
    outcome: Outcome = "ok",
    is_reused: bool = True,
    due_ms: float | None = None,
    began_ms: float = 0.0,
    said: int | None = None,
    number: int = 0,
) -> RequestRecord:
    """Return the record of an answer of visible text.

    Each of `reads` is when it came, how many token events it had, and whether it is resolved; it is read `read_late_ms`
    later. The end comes with the last one unless `end_ms` says otherwise. `said` is the server's own count of tokens.
    """
    made = [TokenRead(at(ms), at(ms + read_late_ms), events, *(rest or (True,))) for ms, events, *rest in reads]
    record = RequestRecord(
        number=number,
        outcome=outcome,
        is_reused=is_reused,
        scheduled_ns=None if due_ms is None else at(due_ms),
        began_ns=at(began_ms),
        sent_ns=SENT_NS,
        has_kernel=True,
        token_reads=made,
        visible_tokens=sum(each.tokens for each in made),
        output_tokens=said,
    )
    if made:
        record.first_token_ns, record.first_token_read_ns = made[0].at_ns, made[0].read_ns
        record.first_visible_ns, record.first_visible_read_ns = made[0].at_ns, made[0].read_ns
        record.last_token_ns, record.last_token_read_ns = made[-1].at_ns, made[-1].read_ns
        record.first_tokens = made[0].tokens
        record.is_first_resolved = made[0].is_resolved
    if end_ms is not None or made:
        record.end_ns = at(end_ms) if end_ms is not None else made[-1].at_ns
        record.end_read_ns = record.end_ns
    return record


@st.composite
def records(draw: st.DrawFn) -> RequestRecord:
    """Answers of all kinds and ends."""
    outcomes: Sequence[str] = ("ok", "ok", "ok", "unfinished", *FAILURES)
    gaps = draw(st.lists(st.tuples(st.integers(0, 3000), st.integers(1, 5), st.booleans()), min_size=1, max_size=8))
    now_ms, reads = 0.0, []
    for gap, events, is_resolved in gaps:
        now_ms += gap / 10
        reads.append((now_ms, events, is_resolved and gap > 0))
    due = draw(st.none() | st.integers(-500, 0))
    record = record_of(
        *reads,
        read_late_ms=draw(st.integers(0, 20)) / 10,
        end_ms=now_ms + draw(st.integers(0, 100)),
        outcome=draw(st.sampled_from(outcomes)),
        is_reused=draw(st.booleans()),
        due_ms=None if due is None else float(due),
        said=draw(st.none() | st.integers(0, 60)),
    )
    record.detail = "" if record.is_ok else draw(st.sampled_from(["a", "b", "c", "d", "e"]))
    record.cached_tokens = draw(st.none() | st.integers(0, 9))
    record.input_tokens = draw(st.none() | st.integers(0, 9))
    record.lag_ns = draw(st.sampled_from([0, 0, 700_000]))
    record.stale_connections = draw(st.sampled_from([0, 0, 1]))
    record.has_kernel = draw(st.booleans())
    return record
