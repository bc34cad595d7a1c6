"""The evidence of one case: both ends' logs on one clock, bounded, without secrets, as text. Values; pure.

All times are microseconds since the first thing that either end saw or did. Of a long log the beginning, the end and
what is near a mark are kept; each gap says how much was left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Final

import msgspec

from streamkit.contract.report.secrets import Veil
from streamkit.contract.trace import Event, Exchanged, Head, Piece, Trace

__all__ = ["Evidence", "ExchangeLog", "HeadLog", "LogEntry", "PieceLog", "evidence_of", "kept", "one_line", "visible"]

MAX_EXCHANGES: Final = 24
MAX_HEADERS: Final = 60
MAX_TEXT: Final = 600
"""The most characters of one header's value, one note, one sentence."""

NEAR: Final = 3
"""How many entries on either side of something remarkable are kept before others."""


class LogEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Something that one end saw or did.

    Attributes:
        at_us: when.
        side: `client` or `upstream`.
        connection: the how manyth connection of this side, from 1; 0 for none.
        what: `connect`, `send`, `read`, `head`, `end`, `close`, `reset` or `mark`.
        size_bytes: of what was sent or read.
        data: the beginning of the bytes, with escapes for what is not printable.
        note: for people.
        skipped: how many entries before this one are left out here.
    """

    at_us: float
    side: str
    connection: int
    what: str
    size_bytes: int = 0
    data: str = ""
    note: str = ""
    skipped: int = 0


class HeadLog(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A head, with its first line."""

    at_us: float
    line: str
    headers: list[tuple[str, str]]


class PieceLog(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A piece of the body of an answer.

    Attributes:
        number: from 1.
        sent_us, came_us: when the kernel took it from the upstream, and when the client had it; null where never.
        mark: what was different about it, empty for nothing.
        first_us, first_units: when the client had the first of it and how much, where it did not come at once.
    """

    number: int
    size_bytes: int
    sent_us: float | None
    came_us: float | None
    mark: str = ""
    first_us: float | None = None
    first_units: int = 0


class ExchangeLog(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One request and its answer, at both ends.

    Attributes:
        attempts: the heads of the requests that reached the upstream.
        sent_head, head: the head of the answer as the upstream sent it, and as the client got it.
        pieces: of the body; `omitted_pieces` are left out.
        units, expected_units: how much of the right answer came, and was sent.
        problem: what is wrong with the body that came.
        excess: what came behind its end.
        client_left_us: when the client went away; null where it did not.
        left_us, left_how: when and how the upstream saw that.
    """

    attempts: list[HeadLog]
    sent_head: HeadLog | None
    interim: list[HeadLog]
    head: HeadLog | None
    trailers: list[tuple[str, str]]
    pieces: list[PieceLog]
    omitted_pieces: int
    body_bytes: int
    units: int
    expected_units: int
    client_end: str
    upstream_end: str
    ending: str
    problem: str
    excess: str
    client_left_us: float | None
    left_us: float | None
    left_how: str


class Evidence(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What both ends saw and did in one case.

    Attributes:
        entries: the log, in the order of time; `omitted_entries` are left out.
        exchanges: in the order in which they were begun; `omitted_exchanges` are left out.
    """

    entries: list[LogEntry]
    omitted_entries: int
    exchanges: list[ExchangeLog]
    omitted_exchanges: int


def evidence_of(trace: Trace, *, max_entries: int = 200, max_pieces: int = 100, excerpt_chars: int = 400) -> Evidence:
    """Return the evidence of a trace.

    Args:
        trace: of one case.
        max_entries: how much of the log is kept.
        max_pieces: how much of one answer's pieces is.
        excerpt_chars: how much is kept of what one entry has sent or read.
    """
    veil = Veil(trace)
    clock = _Clock(trace)
    events = sorted(trace.events, key=lambda event: event.at_ns)
    chosen = kept(len(events), max_entries, [at for at, event in enumerate(events) if _is_remarkable(event)])
    entries = []
    before = -1
    for at in chosen:
        entries.append(_entry(events[at], clock, veil, excerpt_chars, at - before - 1))
        before = at
    exchanges = trace.exchanges[:MAX_EXCHANGES]
    return Evidence(
        entries,
        len(events) - len(chosen) + trace.omitted_events,
        [_exchange(each, clock, veil, max_pieces, excerpt_chars) for each in exchanges],
        len(trace.exchanges) - len(exchanges),
    )


def kept(count: int, most: int, remarkable: Sequence[int] = ()) -> list[int]:
    """Return which of `count` things to show when only `most` can be: the first, the last, and what is remarkable."""
    if count <= most:
        return list(range(count))
    edge = max(1, most // 4)
    order = [*range(edge), *range(count - edge, count), *remarkable]
    order += [near for at in remarkable for near in range(at - NEAR, at + NEAR + 1) if 0 <= near < count]
    order += range(count)
    return sorted(islice(dict.fromkeys(order), most))


def visible(data: bytes, most_chars: int = MAX_TEXT) -> str:
    r"""Return bytes as text on one line: UTF-8 as it is, line ends as \r and \n, everything else that hides escaped."""
    text = data[: most_chars * 4].decode("utf-8", "surrogateescape")
    return "".join("\\\\" if char == "\\" else _visible(char) for char in text[:most_chars])[:most_chars]


def one_line(text: str, most_chars: int = MAX_TEXT) -> str:
    """Return text on one line, with what hides escaped, and backslashes as they are."""
    return "".join(map(_visible, text[:most_chars]))[:most_chars]


def _visible(char: str) -> str:
    if char.isprintable():
        return char
    point = ord(char)
    if 0xDC80 <= point <= 0xDCFF:
        point -= 0xDC00  # a byte that is no UTF-8
    known = {"\r": "\\r", "\n": "\\n", "\t": "\\t"}.get(char)
    return known or (
        f"\\x{point:02x}" if point < 0x100 else f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"
    )


class _Clock:
    """Tells times from the first one in a trace."""

    def __init__(self, trace: Trace) -> None:
        times = [event.at_ns for event in trace.events]
        for each in trace.exchanges:
            times += each.attempts_ns
            times += [head.at_ns for head in (each.sent_head, each.head) if head is not None]
            times += [piece.sent_ns for piece in each.pieces]
        self._zero_ns = min(filter(None, times), default=0)

    def us(self, at_ns: int) -> float:
        return round((at_ns - self._zero_ns) / 1000, 1)

    def us_or_none(self, at_ns: int) -> float | None:
        return self.us(at_ns) if at_ns else None


def _is_remarkable(event: Event) -> bool:
    return event.what not in {"send", "read", "connect"}


def _entry(event: Event, clock: _Clock, veil: Veil, excerpt_chars: int, skipped: int) -> LogEntry:
    return LogEntry(
        clock.us(event.at_ns),
        event.side,
        event.connection,
        event.what,
        event.size_bytes,
        visible(veil.data(event.data), excerpt_chars),
        one_line(veil.note(event)),
        skipped,
    )


def _head(head: Head | None, clock: _Clock, veil: Veil) -> HeadLog | None:
    if head is None:
        return None
    pairs = [(one_line(name), one_line(value)) for name, value in veil.headers(head.headers[:MAX_HEADERS])]
    return HeadLog(clock.us(head.at_ns), one_line(veil.line(head.line)), pairs)


def _heads(heads: Sequence[Head], clock: _Clock, veil: Veil) -> list[HeadLog]:
    return [shown for head in heads[:MAX_EXCHANGES] if (shown := _head(head, clock, veil)) is not None]


def _sent_ns(piece: Piece) -> int:
    """Return when a piece was sent: not behind its arrival, which may be seen before the call that sends it returns."""
    return min(piece.sent_ns, piece.came_ns) if piece.came_ns else piece.sent_ns


def _exchange(exchanged: Exchanged, clock: _Clock, veil: Veil, max_pieces: int, excerpt_chars: int) -> ExchangeLog:
    pieces = exchanged.pieces
    odd = [at for at, piece in enumerate(pieces) if not piece.came_ns][:1]
    odd += [at for at, (piece, last) in enumerate(zip(pieces[1:], pieces, strict=False), 1) if piece.mark != last.mark]
    chosen = kept(len(pieces), max_pieces, odd)
    return ExchangeLog(
        attempts=_heads(exchanged.attempts, clock, veil),
        sent_head=_head(exchanged.sent_head, clock, veil),
        interim=_heads(exchanged.interim, clock, veil),
        head=_head(exchanged.head, clock, veil),
        trailers=[(one_line(name), one_line(value)) for name, value in veil.headers(exchanged.trailers)],
        pieces=[
            PieceLog(
                at + 1,
                pieces[at].size_bytes,
                clock.us_or_none(_sent_ns(pieces[at])),
                clock.us_or_none(pieces[at].came_ns),
                pieces[at].mark,
                clock.us_or_none(pieces[at].first_ns),
                pieces[at].first_units,
            )
            for at in chosen
        ],
        omitted_pieces=len(pieces) - len(chosen),
        body_bytes=exchanged.body_bytes,
        units=exchanged.units,
        expected_units=exchanged.expected_units,
        client_end=exchanged.client_end,
        upstream_end=exchanged.upstream_end,
        ending=str(exchanged.ending),
        problem=one_line(veil.text(exchanged.problem)),
        excess=visible(veil.data(exchanged.excess), excerpt_chars),
        client_left_us=clock.us_or_none(exchanged.client_left_ns),
        left_us=clock.us_or_none(exchanged.left_ns),
        left_how=exchanged.left_how,
    )
