"""The evidence of one case drawn: time goes down, the upstream is left, the client right, the proxy between them. Pure.

Each piece is an arrow from where it was sent to where it arrived. Every entry has a row of its own, so nothing covers
anything; long silences are named and not drawn to scale. Widths are per cent: the picture fits a phone without scaling
its letters.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from html import escape
from itertools import pairwise
from typing import Final, Literal

from streamkit.contract.report.evidence import Evidence, ExchangeLog, LogEntry, PieceLog, kept

__all__ = ["LATE", "MARKERS", "time_text", "timeline"]

Lane = Literal["upstream", "client", "mark"]

ROW_PX: Final = 18
TOP_PX: Final = 34
X_OF: Final = {"upstream": 43, "client": 71}
"""Where the lanes are, in per cent of the width; the times stand left of them."""

MIDDLE: Final = 57

SILENCE_US: Final = 50_000.0
"""From here on a silence is named."""

LATE: Final = re.compile(r"\blimit\b|in time|\bhangs\b")
"""What marks say that a prompt piece does not cross."""

MARK_PX: Final = 16
LABEL_CHARS: Final = 56
GONE: Final = "the proxy "

KINDS: Final = ("ok", "late", "lost", "plain")

MARKERS: Final = (
    '<svg class="markers" aria-hidden="true"><defs>'
    + "".join(
        f'<marker id="arrow-{kind}" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path class="arrow-{kind}" d="M0 0L8 4L0 8z"/></marker>'
        for kind in KINDS
    )
    + "</defs></svg>"
)
"""The heads of the arrows, once on a page."""


@dataclass(eq=False)
class Point:
    """Something on a lane, or a mark across them; `extra` is what of its label a narrow page leaves out."""

    at_us: float
    lane: Lane
    label: str
    kind: str = "plain"
    extra: str = ""
    row_us: float = 0.0
    y: int = 0

    def __post_init__(self) -> None:
        self.row_us = self.at_us


@dataclass
class Arrow:
    """From one point to another; to nowhere, where it never arrived."""

    start: Point
    end: Point | None
    kind: str


@dataclass
class Picture:
    """What is drawn."""

    points: list[Point] = field(default_factory=list)
    arrows: list[Arrow] = field(default_factory=list)
    gaps: list[tuple[float, float]] = field(default_factory=list)
    """Times between which something is left out of the evidence."""

    def add(self, at_us: float, lane: Lane, label: str, kind: str = "plain", extra: str = "") -> Point:
        point = Point(at_us, lane, label, kind, extra)
        self.points.append(point)
        return point

    def link(self, start: Point, end: Point | None, kind: str = "plain") -> None:
        if end is not None:
            # A send is stamped when its call has returned, a read by the kernel: it may have been there before that.
            end.row_us = max(end.row_us, start.row_us + 0.01)
        self.arrows.append(Arrow(start, end, kind))


def timeline(evidence: Evidence, *, max_rows: int = 70) -> str:
    """Return the drawing as SVG; empty where nothing happened."""
    picture = _picture(evidence)
    points = sorted(picture.points, key=lambda point: (point.row_us, point.lane == "client"))
    if not points:
        return ""
    busy = {
        id(point) for arrow in picture.arrows if arrow.kind in {"late", "lost"} for point in (arrow.start, arrow.end)
    }
    odd = [at for at, point in enumerate(points) if point.lane == "mark" or id(point) in busy]
    rows, height = _rows(points, kept(len(points), max_rows, odd[:max_rows]), picture.gaps)
    shown = {id(point) for point in points if point.y}
    body = [
        f'<rect class="proxy" x="{MIDDLE - 7}%" y="{TOP_PX - 12}" width="14%" height="{height - TOP_PX + 6}"/>',
        *(f'<line class="lane" x1="{x}%" x2="{x}%" y1="{TOP_PX - 12}" y2="{height - 6}"/>' for x in X_OF.values()),
        *(f'<text class="lane-name" x="{x}%" y="14">{name}</text>' for name, x in {**X_OF, "proxy": MIDDLE}.items()),
        *rows,
        *(_arrow(arrow) for arrow in picture.arrows if id(arrow.start) in shown and _is_shown(arrow, shown)),
        *(_point(point) for point in points if point.y),
    ]
    label = escape(_told(evidence, picture))
    return f'<svg class="timeline" role="img" aria-label="{label}" width="100%" height="{height}">{"".join(body)}</svg>'


def time_text(at_us: float) -> str:
    """Return a time for people."""
    if at_us < 1000:
        return f"{at_us:.0f} µs"
    return f"{at_us / 1000:.1f} ms" if at_us < 1e6 else f"{at_us / 1e6:.3f} s"


def _is_shown(arrow: Arrow, shown: set[int]) -> bool:
    return arrow.end is None or id(arrow.end) in shown


def _picture(evidence: Evidence) -> Picture:
    picture = Picture()
    limits = [entry.at_us for entry in evidence.entries if entry.what == "mark" and LATE.search(entry.note)]
    used: set[float] = set()
    reads = {
        entry.at_us: entry.size_bytes for entry in evidence.entries if entry.side == "client" and entry.what == "read"
    }
    for exchange in evidence.exchanges:
        _add_exchange(picture, exchange, limits, used, reads)
    _add_entries(picture, evidence, limits, used)
    picture.gaps += [
        (last.at_us, entry.at_us)
        for last, entry in pairwise(evidence.entries)
        if entry.skipped and last.at_us < entry.at_us
    ]
    for exchange in evidence.exchanges:
        picture.gaps += [
            (last.sent_us, piece.sent_us)
            for last, piece in pairwise(exchange.pieces)
            if piece.number > last.number + 1 and last.sent_us is not None and piece.sent_us is not None
        ]
    return picture


def _add_exchange(
    picture: Picture, exchange: ExchangeLog, limits: list[float], used: set[float], reads: dict[float, int]
) -> None:
    sent_head, head = exchange.sent_head, exchange.head
    lost = "lost" if exchange.client_end else "plain"  # what nobody waited for is not lost
    if head is not None:
        used.add(head.at_us)
    if sent_head is not None:
        start = picture.add(sent_head.at_us, "upstream", f"head {_status(sent_head.line)}")
        came = None
        if head is not None:
            extra = f"in {reads[head.at_us]} B" if reads.get(head.at_us) else ""
            came = picture.add(head.at_us, "client", f"head {_status(head.line)}", extra=extra)
        kind = lost if came is None else "late" if _crosses(sent_head.at_us, came.at_us, limits) else "ok"
        picture.link(start, came, kind)
    elif head is not None:
        picture.add(head.at_us, "client", f"head {_status(head.line)}, the proxy's own", "late")
    arrivals: dict[float, list[PieceLog]] = {}
    for piece in exchange.pieces:
        if piece.came_us is not None:
            arrivals.setdefault(piece.came_us, []).append(piece)
            used.add(piece.came_us)
    begun = {piece.first_us: piece for piece in exchange.pieces if not _is_torn(piece, limits)}
    ends = {at: _arrival(picture, at, pieces, limits, begun.get(at)) for at, pieces in arrivals.items()}
    for piece in exchange.pieces:
        if piece.sent_us is None:
            continue
        start = picture.add(piece.sent_us, "upstream", f"#{piece.number} {piece.size_bytes} B", extra=piece.mark)
        if piece.first_us is not None and _is_torn(piece, limits):
            used.add(piece.first_us)
            first = picture.add(piece.first_us, "client", f"#{piece.number}, its first {piece.first_units}")
            picture.link(start, first, "late" if _crosses(piece.sent_us, piece.first_us, limits) else "ok")
        if piece.came_us is None:
            if exchange.client_left_us is None or piece.sent_us < exchange.client_left_us:
                picture.link(start, None, "plain" if piece.mark else lost)
        else:
            is_late = not piece.mark and _crosses(piece.sent_us, piece.came_us, limits)
            end = ends[piece.came_us]
            end.kind = "late" if is_late else end.kind
            picture.link(start, end, "late" if is_late else "plain" if piece.mark else "ok")


def _add_entries(picture: Picture, evidence: Evidence, limits: list[float], used: set[float]) -> None:
    """Add what is no head and no piece of an answer."""
    sends = [entry.at_us for entry in evidence.entries if entry.side == "upstream" and entry.what == "send"]
    taken = {entry.at_us for entry in evidence.entries if entry.what == "send" and entry.note.startswith("HTTP/1.")}
    for exchange in evidence.exchanges:
        for piece in exchange.pieces:
            # The entry is written just before the piece is stamped.
            if piece.sent_us is not None and (at := bisect_right(sends, piece.sent_us + 0.05)):
                taken.add(sends[at - 1])
    asked: list[Point] = []
    got: list[Point] = []
    for entry in evidence.entries:
        point = _entry_point(picture, entry, used, taken)
        if point is not None and entry.what == "send" and entry.side == "client" and _is_request(entry):
            asked.append(point)
        elif point is not None and entry.what == "head" and entry.side == "upstream":
            got.append(point)
    _link_requests(picture, asked, got)
    _link_leaving(picture, evidence, limits)


def _entry_point(picture: Picture, entry: LogEntry, used: set[float], taken: set[float]) -> Point | None:
    """Add a point for an entry of the log, unless it is there as a head or a piece."""
    side: Lane = "client" if entry.side == "client" else "upstream"
    is_there = entry.at_us in (taken if side == "upstream" else used)
    label, kind, lane = entry.what, "plain", side
    match entry.what:
        case "mark":
            lane = side if entry.connection else "mark"
            label, kind = entry.note, "late" if LATE.search(entry.note) else "plain"
        case "send" | "read":
            name = "request" if side == "client" and _is_request(entry) else entry.what
            label = f"{name} {entry.size_bytes} B"
        case "head":
            label = "request" if side == "upstream" else f"head {_status(entry.note)}"
        case "end" | "close" | "reset":
            note = entry.note if entry.note != entry.what else ""
            is_bad = entry.what == "end" and side == "client" and note not in {"complete", "closed"}
            label, kind = _ended(entry.what, note), "late" if is_bad else "plain"
    drawn = {"upstream": {"send"}, "client": {"read", "head"}}[side]
    return None if is_there and entry.what in drawn else picture.add(entry.at_us, lane, label, kind)


def _ended(what: str, note: str) -> str:
    if note.startswith(GONE):
        return note.removeprefix(GONE)
    return f"{what}: {note}" if note else what


def _is_request(entry: LogEntry) -> bool:
    return " HTTP/1." in entry.data


def _link_requests(picture: Picture, asked: list[Point], got: list[Point]) -> None:
    """Draw requests where it is plain which is which: one is there before the next one is sent."""
    for number, start in enumerate(asked):
        until = asked[number + 1].at_us if number + 1 < len(asked) else float("inf")
        here = [point for point in got if start.at_us <= point.at_us < until]
        if here:
            picture.link(start, here[0])


def _link_leaving(picture: Picture, evidence: Evidence, limits: list[float]) -> None:
    """Draw how the upstream learned that its client had left, or did not."""
    for exchange in evidence.exchanges:
        left_us, seen_us = exchange.client_left_us, exchange.left_us
        start = next((each for each in picture.points if each.lane == "client" and each.at_us == left_us), None)
        if left_us is None:
            continue
        start = start or next(
            (each for each in picture.points if each.lane == "client" and 0 <= each.at_us - left_us < 100), None
        )
        if start is None:
            continue
        if seen_us is None and not exchange.upstream_end and any(at_us > left_us for at_us in limits):
            picture.link(start, None, "lost")
        elif seen_us is not None and seen_us >= left_us:
            end = next((each for each in picture.points if each.lane == "upstream" and each.at_us == seen_us), None)
            if end is not None:
                picture.link(start, end, "late" if _crosses(left_us, seen_us, limits) else "plain")


def _rows(points: list[Point], chosen: list[int], gaps: list[tuple[float, float]]) -> tuple[list[str], int]:
    """Give each point that is shown its place; returns what stands between rows, and the height of all."""
    between: list[str] = []
    y = TOP_PX
    before: int | None = None
    for at in chosen:
        point = points[at]
        if before is not None:
            missing = at - before - 1
            silent_us = point.row_us - points[before].row_us
            is_cut = any(begin < point.row_us and end > points[before].row_us for begin, end in gaps)
            text = f"… {missing or ''} more …" if missing or is_cut else ""
            if silent_us >= SILENCE_US and not text:
                text = f"{time_text(silent_us)} of silence"
            if text:
                between.append(f'<text class="between" x="{MIDDLE}%" y="{y + 4}">{text}</text>')
                y += ROW_PX
        y += MARK_PX if point.lane == "mark" else 0
        point.y = y
        y += ROW_PX
        before = at
    return between, y


def _arrow(arrow: Arrow) -> str:
    lane = arrow.start.lane
    x1 = X_OF[lane]
    if arrow.end is None:
        x2 = MIDDLE + (1 if lane == "client" else -1)
        y = arrow.start.y
        return f'<line class="a-{arrow.kind} stub" x1="{x1}%" y1="{y}" x2="{x2}%" y2="{y}"/>' + (
            f'<text class="cross a-lost-text" x="{x2}%" y="{y + 4}">✗</text>' if arrow.kind == "lost" else ""
        )
    return (
        f'<line class="a-{arrow.kind}" x1="{x1}%" y1="{arrow.start.y}" x2="{X_OF[arrow.end.lane]}%" '
        f'y2="{arrow.end.y}" marker-end="url(#arrow-{arrow.kind})"/>'
    )


def _point(point: Point) -> str:
    cut = "…" if len(point.label) > LABEL_CHARS else ""
    y, label = point.y, escape(point.label[:LABEL_CHARS]) + cut
    label += f'<tspan class="extra"> {escape(point.extra)}</tspan>' if point.extra else ""
    stamp = f'<text class="at" x="0" y="{y + 4}">{time_text(point.row_us)}</text>'
    if point.lane == "mark":
        return (
            f'{stamp}<line class="mark mark-{point.kind}" x1="70" x2="100%" y1="{y}" y2="{y}"/>'
            f'<text class="mark-name mark-{point.kind}-text" x="0" y="{y - 9}">{label}</text>'
        )
    x = X_OF[point.lane]
    place = f'class="l-{point.lane} p-{point.kind}" x="{x + (1.5 if point.lane == "client" else -1.5)}%"'
    return f'{stamp}<circle class="d-{point.kind}" cx="{x}%" cy="{y}" r="3"/><text {place} y="{y + 4}">{label}</text>'


def _crosses(start_us: float, end_us: float, limits: list[float]) -> bool:
    return any(start_us < at_us <= end_us for at_us in limits)


def _status(line: str) -> str:
    return ([*line.split(" ", 2), "", ""])[1]


def _is_torn(piece: PieceLog, limits: list[float]) -> bool:
    """Tell whether a part of a piece came in time, and the rest late or never: what a buffer makes of it."""
    first_us, came_us = piece.first_us, piece.came_us
    return first_us is not None and (came_us is None or _crosses(first_us, came_us, limits))


def _arrival(
    picture: Picture, at_us: float, pieces: list[PieceLog], limits: list[float], begun: PieceLog | None
) -> Point:
    """Add a point for what has come whole by then: of the first of it a part may have been there before.

    Args:
        picture: where to.
        at_us: when.
        pieces: which.
        limits: when something had not come in time.
        begun: of which piece a part came with them.
    """
    rest, whole = ([pieces[0]], pieces[1:]) if _is_torn(pieces[0], limits) else ([], pieces)
    labels = [f"the rest of #{piece.number}" for piece in rest]
    if whole:
        size_bytes = sum(piece.size_bytes for piece in whole)
        first, last = whole[0].number, whole[-1].number
        labels.append(f"#{first} {size_bytes} B" if first == last else f"#{first}..{last} {size_bytes} B")
    labels += [f"{begun.first_units} of #{begun.number}"] if begun else []
    return picture.add(at_us, "client", ", ".join(labels), extra="at once" if len(labels) + len(pieces) > 2 else "")


def _told(evidence: Evidence, picture: Picture) -> str:
    pieces = [piece for exchange in evidence.exchanges for piece in exchange.pieces]
    came = sum(piece.came_us is not None for piece in pieces)
    late = sum(arrow.kind == "late" for arrow in picture.arrows)
    return f"Timeline: {len(pieces)} pieces shown, {came} of them arrived, {late} late. The table below has the times."
