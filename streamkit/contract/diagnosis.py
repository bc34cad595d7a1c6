"""What a failed lockstep means: what became of the piece that was not there in time. Pure.

It is read out of what was done (`trace.Lockstep`) and of when the piece came: while nothing more was sent, when more
was sent, when the answer ended, or never. How much more it took, and how much then came at once, is the buffer's size.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from streamkit.contract.trace import Exchanged, Lockstep, Piece, Trace
from streamkit.contract.verdicts import Ending, Finding
from streamkit.http.wire import response_head

__all__ = ["Diagnosis", "diagnosis_of", "judge_all_lockstep", "judge_lockstep"]

ROUND_BYTES: Final = 512
"""Buffers are multiples of this. It only tells whether the head was in the buffer too."""

ONE_READ_BYTES: Final = 16 << 10
"""What is written at once and is no more than this comes to a proxy in one read, as a rule. Of more it may get a part,
and give it out, before the rest is there."""

SLOW_MS: Final = 100.0
"""From here on it is said of a piece that came in time how long it took. It decides nothing: `lat.plateau` judges."""

BROKEN: Final = {
    "complete": "ended in good order, as if it were whole",
    "closed": "ended with its connection, as if it were whole",
    "cut": "was cut off",
    "reset": "was reset",
    "broken": "became something that is no HTTP",
}


@dataclass(frozen=True)
class Diagnosis:
    """What became of the pieces.

    Attributes:
        kind: `prompt`: each came before the next was sent. `timer`: one came late, although nothing more was sent.
            `buffered`: one came only when more had been sent. `until-end`: one came only when the answer had ended.
            `lost`: one never came. `wrong`: what came is not what was sent. `broken`: the answer ended too early.
        piece: which one, counted from 1; 0 for `prompt`.
        pieces: how many were to come.
        buffer_bytes: how much of the body the proxy had collected when it gave it out, for `buffered`.
        buffer_least_bytes: as much was not enough yet. One less than `buffer_bytes` where that is exact.
        head_bytes: of the head that was in the same buffer; 0 where that cannot be said.
        more_bytes: how much was sent after it until it came, for `buffered` (and `timer`); until the answer ended, for
            `until-end` and `lost`.
        held_bytes: how much of the piece was missing at the limit, where bytes are compared.
        is_head_held: whether the head of the answer was not there either.
        delay_ms: how late it was, for `timer`.
        slowest_ms: how long the slowest piece took, for `prompt`.
        reason: of `wrong` and `broken`.
    """

    kind: Literal["prompt", "timer", "buffered", "until-end", "lost", "wrong", "broken"]
    piece: int = 0
    pieces: int = 0
    buffer_bytes: int = 0
    buffer_least_bytes: int = 0
    head_bytes: int = 0
    more_bytes: int = 0
    held_bytes: int = 0
    is_head_held: bool = False
    delay_ms: float = 0.0
    slowest_ms: float = 0.0
    reason: str = ""

    @property
    def sentence(self) -> str:
        """What it means, for people."""
        where = f"piece {self.piece} of {self.pieces}"
        if self.is_head_held:
            where = f"the head and {where}"
        elif self.held_bytes:
            where = f"{where} (its last {_bytes(self.held_bytes)})"
        more = _bytes(self.more_bytes, "more ")
        has = "were" if self.is_head_held else "was"
        match self.kind:
            case "prompt":
                slow = f", but one took {self.slowest_ms:.0f} ms" if self.slowest_ms >= SLOW_MS else ""
                return f"each of {self.pieces} pieces was there before the next one was sent{slow}"
            case "timer":
                why = f"{more} meanwhile were not why it came" if self.more_bytes else "nothing was sent meanwhile"
                return f"{where} {has} delayed by a timer of about {self.delay_ms:.0f} ms: {why}"
            case "buffered":
                return f"{where} {has} buffered: it took {more} until {self.amount} came at once"
            case "until-end":
                return f"{where} {has} buffered until the end of the answer: {more} had not helped"
            case "lost":
                return f"{where} never came: not after {more}, and not with the end of the answer"
            case "wrong":
                return f"{where} came wrong: {self.reason}"
            case "broken":
                return f"the answer {self.reason} before {where} came"

    @property
    def amount(self) -> str:
        """The buffer's size, for people."""
        size = self.buffer_bytes
        if size - self.buffer_least_bytes > 1:
            return f"{self.buffer_least_bytes + 1} to {size} bytes"
        return f"{_bytes(size)} ({size + self.head_bytes} with the head)" if self.head_bytes else _bytes(size)

    @property
    def facts(self) -> dict[str, object]:
        """The same by names; only what says something."""
        facts: dict[str, object] = {"diagnosis": self.kind, "pieces": self.pieces}
        for name in ("piece", "buffer_bytes", "buffer_least_bytes", "head_bytes", "more_bytes", "held_bytes"):
            if value := getattr(self, name):
                facts[name] = value
        if self.kind == "timer":
            facts["delay_ms"] = round(self.delay_ms, 1)
        if self.kind == "prompt":
            facts["slowest_ms"] = round(self.slowest_ms, 3)
        if self.is_head_held:
            facts["is_head_held"] = True
        return facts


def _bytes(count: int, more: str = "") -> str:
    return f"{count} {more}byte{'' if count == 1 else 's'}"


def diagnosis_of(exchanged: Exchanged) -> Diagnosis:
    """Read out of an exchange in lockstep what became of its pieces."""
    pieces = [piece for piece in exchanged.pieces if not piece.mark]
    steps = exchanged.lockstep or Lockstep(len(pieces))
    if exchanged.problem:
        missing = next((number for number, piece in enumerate(pieces, 1) if not piece.came_ns), len(pieces))
        return Diagnosis("wrong", missing, steps.planned, reason=exchanged.problem)
    if not steps.piece:
        return _prompt_or_broken(exchanged, pieces, steps)
    number = steps.piece
    piece = pieces[number - 1]
    is_head_held = exchanged.head is None or exchanged.head.at_ns > steps.limit_ns > 0
    is_broken = steps.has_ended_early or exchanged.client_end in {"cut", "reset", "broken"}
    if not steps.limit_ns or (is_broken and not piece.came_ns):
        reason = BROKEN.get(exchanged.client_end, "came to nothing")
        return Diagnosis("broken", number, steps.planned, reason=reason)
    ended_ns = steps.ending_ns or sys.maxsize
    until_ns = min(ended_ns, piece.came_ns or ended_ns)
    behind = [each for each in exchanged.pieces if each is not piece and each.begun_ns >= piece.begun_ns]
    more = sum(each.size_bytes for each in behind if 0 < each.begun_ns <= until_ns)
    partly = _is_by_bytes(exchanged.pieces) and steps.limit_units > piece.units - piece.size_bytes
    held = piece.units - steps.limit_units if partly else 0
    if not piece.came_ns:
        return Diagnosis("lost", number, steps.planned, more_bytes=more, held_bytes=held, is_head_held=is_head_held)
    if piece.came_ns >= steps.ending_ns > 0:
        return Diagnosis(
            "until-end", number, steps.planned, more_bytes=more, held_bytes=held, is_head_held=is_head_held
        )
    if 0 < steps.filler_ns <= piece.came_ns and not steps.is_timed:
        most, least, head = _buffer_of(exchanged, piece, steps, is_head_held=is_head_held)
        return Diagnosis(
            "buffered", number, steps.planned, most, least, head, more, held_bytes=held, is_head_held=is_head_held
        )
    # The piece after it, which had the whole span to wait, says more.
    looked_at = pieces[number - 1 : number if steps.is_timed else number + 1]
    delays = [each.came_ns - each.sent_ns for each in looked_at if each.came_ns]
    more = more if steps.is_timed else 0
    delay_ms = max(delays) / 1e6
    return Diagnosis("timer", number, steps.planned, more_bytes=more, is_head_held=is_head_held, delay_ms=delay_ms)


def _prompt_or_broken(exchanged: Exchanged, pieces: Sequence[Piece], steps: Lockstep) -> Diagnosis:
    missing = next((number for number, piece in enumerate(pieces, 1) if not piece.came_ns), 0)
    if missing or len(pieces) < steps.planned:
        reason = BROKEN.get(exchanged.client_end, "came to nothing")
        return Diagnosis("broken", missing or len(pieces) + 1, steps.planned, reason=reason)
    slowest_ns = max([each.came_ns - (each.begun_ns or each.sent_ns) for each in pieces if each.sent_ns], default=0)
    return Diagnosis("prompt", 0, steps.planned, slowest_ms=max(0, slowest_ns) / 1e6)


def _buffer_of(exchanged: Exchanged, piece: Piece, steps: Lockstep, *, is_head_held: bool) -> tuple[int, int, int]:
    """Return how much was collected when the piece came, how much was not enough, and how long a head was with it."""
    pieces = exchanged.pieces
    collected = [each for each in pieces if each.units > steps.limit_units and 0 < each.begun_ns <= piece.came_ns]
    most = sum(each.size_bytes for each in collected)
    least = most - (collected[-1].size_bytes if len(collected) > 1 else 1)
    if not _is_by_bytes(pieces):
        return most, least, 0
    first = next((each for each in pieces if each.units > steps.limit_units), piece)
    came_of_first = max(0, steps.limit_units - (first.units - first.size_bytes))
    most, least = most - came_of_first, least - came_of_first
    released = steps.released_units - steps.limit_units
    if released <= least or steps.released_units >= steps.released_of_units:
        return most, least, 0  # all of it, or only a part of what was on its way had been read by then
    if collected[-1].size_bytes > ONE_READ_BYTES:
        return released, least, 0  # what it did not give out may only have come later
    # It kept some of what it had: what it gave out is what it holds, to the byte.
    head = 0
    if is_head_held and exchanged.sent_head is not None and released % ROUND_BYTES:
        head = len(response_head(exchanged.sent_head.status, exchanged.sent_head.headers))
    return released, released - 1, head


def _is_by_bytes(pieces: Sequence[Piece]) -> bool:
    """Tell whether the client's units are bytes of the body; otherwise they are bytes of a text."""
    return not pieces or pieces[-1].units == sum(piece.size_bytes for piece in pieces)


def judge_lockstep(trace: Trace) -> Finding:
    """Say whether every piece came before the next one was sent."""
    found = diagnosis_of(trace.exchange)
    facts = found.facts
    head = trace.exchange.head
    if head is not None and (coding := head.get("content-encoding")):
        facts["content_encoding"] = coding
    return Finding(found.kind == "prompt", found.sentence, facts, is_late=found.kind == "timer")


def judge_all_lockstep(exchanges: Iterable[Exchanged]) -> Finding:
    """Say the same of several answers at once, and whether each of them was complete."""
    found = [diagnosis_of(exchanged) for exchanged in exchanges]
    endings = [exchanged.ending for exchanged in exchanges]
    wrong = [number for number, each in enumerate(found) if each.kind != "prompt"]
    facts: dict[str, object] = {"streams": len(found), "held_streams": len(wrong)}
    if wrong:
        worst = found[wrong[0]]
        detail = f"{len(wrong)} of {len(found)} streams were held up; in the first of them {worst.sentence}"
        is_late = all(each.kind in {"prompt", "timer"} for each in found)
        return Finding(holds=False, detail=detail, facts={**worst.facts, **facts}, is_late=is_late)
    ended = [ending for ending in endings if ending is not Ending.COMPLETE]
    if ended:
        detail = f"{len(ended)} of {len(found)} streams did not end well: {ended[0]}"
        return Finding(holds=False, detail=detail, facts=facts)
    detail = f"in each of {len(found)} streams every piece was there before the next one was sent"
    return Finding(holds=True, detail=detail, facts=facts)
