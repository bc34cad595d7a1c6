"""Lockstep: the upstream does not send piece N+1 before the client holds piece N. What then never comes is held back.

A piece that is not there in time is diagnosed by cause. Silence goes on for a second span: what comes in it was delayed
by a timer. Then more is sent, piece by piece: what comes only now was buffered, and how much it took says how much the
proxy holds. Then the answer ends: what comes only now was held until the end. The rest is lost.

`drive` does it, `judge` reads it out of the trace and is pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from streamkit.contract.case import Drive
from streamkit.contract.content import Asked, Part
from streamkit.contract.trace import Exchanged, Trace
from streamkit.contract.verdicts import Finding

if TYPE_CHECKING:
    from streamkit.contract.client_end import ClientEnd
    from streamkit.contract.stand import Stand
    from streamkit.contract.upstream_end import Framing, UpstreamEnd

__all__ = ["Diagnosis", "Source", "diagnosis_of", "drive_lockstep", "judge_lockstep", "lockstep"]

FILLER_BYTES: Final = (64, 256, 1024, 1024, 2048, 4096, 4096, 8192, 8192, *(16384,) * 6, *(65536,) * 14)
"""What is sent to see what comes out: about 1 MiB, in steps that tell the usual buffers (4, 8, 16, 64 KiB) apart."""

FILLER_WAIT_S: Final = 0.15
"""How long each of them is waited for. It only decides how exact the buffer's size is."""


@dataclass(frozen=True)
class Source:
    """What is sent in lockstep.

    Attributes:
        parts: the pieces in order.
        filler: makes a piece of about so many bytes that may follow them; None where nothing may.
        closing: makes what ends the content, after which no filler can be made; None where the last part does.
    """

    parts: Sequence[Part]
    filler: Callable[[int], Part] | None = None
    closing: Callable[[], Part] | None = None

    def counted(self) -> Source:
        """Return it as what a Content-Length can be given for: nothing can be put in any more."""
        return Source(self.parts if self.closing is None else [*self.parts, self.closing()])

    @property
    def size_bytes(self) -> int:
        """How much the parts are."""
        return sum(len(part.data) for part in self.parts)


@dataclass(frozen=True)
class Diagnosis:
    """What became of the pieces.

    Attributes:
        kind: `prompt`: each came before the next was sent. `timer`: one came late, although nothing more was sent.
            `buffered`: one came only when more had been sent. `until-end`: one came only when the answer had ended.
            `lost`: one never came. `wrong`: what came is not what was sent. `broken`: the answer ended too early.
        piece: which one, counted from 1; 0 for `prompt`.
        pieces: how many were to come.
        buffer_bytes: how much had to follow it, for `buffered`.
        delay_ms: how late it was, for `timer`.
        reason: of `wrong` and `broken`.
    """

    kind: Literal["prompt", "timer", "buffered", "until-end", "lost", "wrong", "broken"]
    piece: int = 0
    pieces: int = 0
    buffer_bytes: int = 0
    delay_ms: float = 0.0
    reason: str = ""

    @property
    def sentence(self) -> str:
        """What it means, for people."""
        where = f"piece {self.piece} of {self.pieces}"
        match self.kind:
            case "prompt":
                return f"each of {self.pieces} pieces was there before the next one was sent"
            case "timer":
                return f"{where} was delayed by a timer of about {self.delay_ms:.0f} ms: it came by itself, late"
            case "buffered":
                return f"{where} was buffered: it came only when about {self.buffer_bytes} more bytes had been sent"
            case "until-end":
                return f"{where} was buffered until the end of the answer"
            case "lost":
                return f"{where} never came, not even with the end of the answer"
            case "wrong":
                return f"{where} came wrong: {self.reason}"
            case "broken":
                return f"the answer ended before {where} was there: {self.reason}"


def lockstep(
    source: Callable[[Stand], Source],
    *,
    framing: Framing = "chunked",
    asked: Callable[[Stand], Asked] | None = None,
    media_type: str = "",
    headers: Sequence[tuple[str, str]] = (),
) -> Drive:
    """Return a drive that asks, and sends `source` in lockstep.

    Args:
        source: what is sent.
        framing: how its body ends.
        asked: the request; by default the dialect's usual one.
        media_type: the answer's; by default the dialect's own.
        headers: of the answer, besides.
    """

    async def drive(stand: Stand) -> None:
        content = source(stand).counted() if framing == "cl" else source(stand)
        client, up = await stand.ask(asked(stand) if asked else None)
        await up.respond(
            framing,
            media_type=media_type or stand.talk.media_type,
            headers=headers,
            size_bytes=content.size_bytes,
        )
        await drive_lockstep(stand, client, up, content)

    return drive


async def drive_lockstep(stand: Stand, client: ClientEnd, up: UpstreamEnd, source: Source) -> None:
    """Send everything in lockstep, to the end of the answer; where a piece does not come, find out why."""
    stand.trace.facts["planned_pieces"] = len(source.parts)
    parts = iter(source.parts)
    for part in parts:
        if not await stand.deliver(client, up, part):
            await _find_out(stand, client, up, source, parts)
            break
    if source.closing is not None:
        await up.send(source.closing(), "closing")
    stand.mark("finish")
    await up.finish()
    await client.rest(stand.limit_s)


async def _find_out(stand: Stand, client: ClientEnd, up: UpstreamEnd, source: Source, rest: Iterator[Part]) -> None:
    wanted = up.exchanged.expected_units
    exchanged = client.exchanged
    if exchanged.problem or exchanged.client_end:
        return
    stand.mark("limit")
    if await client.until(wanted, stand.limit_s):
        stand.mark("timer")
        for part in rest:
            if not await stand.deliver(client, up, part, within_s=2 * stand.limit_s):
                return
        return
    stand.mark("filler")
    fillers = rest if source.filler is None else map(source.filler, FILLER_BYTES)
    for part in fillers:
        if up.is_gone or exchanged.client_end or exchanged.problem:
            return
        if await stand.deliver(client, up, part, within_s=FILLER_WAIT_S, mark="filler") or client.meter.units >= wanted:
            break
    if source.filler is None:
        for part in rest:
            await up.send(part, "filler")


def diagnosis_of(exchanged: Exchanged, trace: Trace) -> Diagnosis:
    """Read out of a trace what became of the pieces. Pure."""
    pieces = [piece for piece in exchanged.pieces if not piece.mark]
    planned = trace.facts.get("planned_pieces")
    count = planned if isinstance(planned, int) else len(pieces)
    limit_ns, filler_ns = trace.marked_ns("limit"), trace.marked_ns("filler")
    finish_ns = trace.marked_ns("finish")
    missing = next((number for number, piece in enumerate(pieces, 1) if not piece.came_ns), 0)
    if exchanged.problem:
        return Diagnosis("wrong", missing or count, count, reason=exchanged.problem)
    late = next((n for n, piece in enumerate(pieces, 1) if limit_ns and (piece.came_ns or limit_ns + 1) > limit_ns), 0)
    if not late and not missing:
        return Diagnosis("prompt", 0, count)
    number = late or missing
    piece = pieces[number - 1]
    if not piece.came_ns:
        if exchanged.client_end not in {"complete", "closed", "hang", ""} or not limit_ns:
            return Diagnosis("broken", number, count, reason=exchanged.client_end or "nothing came")
        return Diagnosis("lost", number, count)
    if finish_ns and piece.came_ns >= finish_ns:
        return Diagnosis("until-end", number, count)
    if filler_ns and piece.came_ns >= filler_ns:
        behind = sum(
            each.size_bytes
            for each in exchanged.pieces
            if each.units > piece.units and each.sent_ns and each.sent_ns <= piece.came_ns
        )
        return Diagnosis("buffered", number, count, buffer_bytes=behind)
    return Diagnosis("timer", number, count, delay_ms=(piece.came_ns - piece.sent_ns) / 1e6)


def judge_lockstep(trace: Trace) -> Finding:
    """Say whether every piece came before the next one was sent."""
    found = diagnosis_of(trace.exchange, trace)
    facts: dict[str, object] = {"diagnosis": found.kind, "pieces": found.pieces}
    if found.kind != "prompt":
        facts["piece"] = found.piece
    if found.kind == "buffered":
        facts["buffer_bytes"] = found.buffer_bytes
    if found.kind == "timer":
        facts["delay_ms"] = round(found.delay_ms, 1)
    return Finding(found.kind == "prompt", found.sentence, facts)
