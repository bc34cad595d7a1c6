"""Send a body so that the proxy reads it cut where we want, which no sender can see: it is shown by what comes out.

Piece N's end goes in one write with the beginning of piece N+1, and the next write is made once the client holds piece
N. Then the proxy has read that write whole, so what continues it comes to it in a read of its own. That holds for
proxies that pass only whole lines or events, too. Where pieces are held back it cannot be known; they are sent all the
same, with a short wait in between.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from streamkit.contract.content import Part
from streamkit.contract.trace import Exchanged, Trace
from streamkit.contract.verdicts import Finding

if TYPE_CHECKING:
    from streamkit.contract.client_end import ClientEnd
    from streamkit.contract.stand import Stand
    from streamkit.contract.upstream_end import UpstreamEnd

__all__ = ["APART_S", "judge_whole", "near", "send_cut", "whole"]

PATIENCE_S: Final = 0.05
"""How long a piece is waited for that shows where the proxy is. It decides how sure the cuts are, and no verdict."""

MAX_MISSES: Final = 3

APART_S: Final = 0.002
"""How long it is between two writes where nothing can show that the proxy has read the first: it nearly always has."""


async def send_cut(
    stand: Stand, client: ClientEnd, up: UpstreamEnd, parts: Sequence[Part], cuts: Sequence[int]
) -> None:
    """Send pieces, each of them cut once: `cuts` says behind how many of its bytes. The answer is not ended.

    The facts of the trace then have how many `cuts` were made, and how many of them were seen to be `cuts_apart`.
    """
    facts = stand.trace.facts
    apart, misses, before = 0, 0, b""
    for part, cut in zip(parts, cuts, strict=True):
        # Its text may come before its last byte does: the second newline of a blank line, say, adds nothing to it.
        piece = await up.send(Part(before + part.data[:cut], part.text))
        wanted = piece.units - (cut if stand.setting.by_bytes else len(part.text_bytes))
        if wanted <= client.meter.units:  # it completes nothing that could be seen
            await client.until(client.meter.units + 1, APART_S)
        elif await client.until(wanted, PATIENCE_S if misses < MAX_MISSES else APART_S):
            apart += 0 < cut < len(part.data)
        else:
            misses += 1
        before = part.data[cut:]
        if client.exchanged.client_end or client.exchanged.problem:
            break
    await up.send(Part(before))
    made = sum(0 < cut < len(part.data) for part, cut in zip(parts, cuts, strict=True))
    facts["cuts"] = _count(facts.get("cuts")) + made
    facts["cuts_apart"] = _count(facts.get("cuts_apart")) + apart


def _count(value: object) -> int:
    return value if isinstance(value, int) else 0


def near(data: bytes, wanted: Iterable[int]) -> list[int]:
    """Return the cuts that are right before or behind a byte of these values."""
    values = set(wanted)
    return [at for at in range(1, len(data) + 1) if data[at - 1] in values or (at < len(data) and data[at] in values)]


def whole(exchanged: Exchanged) -> str:
    """Say what is wrong with what came of an answer; empty where it is what was sent, all of it, with an end."""
    if exchanged.is_refusal and exchanged.head is not None:
        return f"the proxy answered {exchanged.head.status} in its place"
    if exchanged.problem:
        return exchanged.problem
    missing = exchanged.expected_units - exchanged.units
    if missing > 0:
        ended = {"hang": "and no end of it", "cut": "then the connection was closed", "reset": "then it was reset"}
        how = ended.get(exchanged.client_end, "then the answer ended as if it were whole")
        return f"{exchanged.units} of {exchanged.expected_units} bytes came, {how}: the last {missing} are missing"
    if exchanged.excess:
        return f"{len(exchanged.excess)} bytes came behind the answer's end"
    return ""


def judge_whole(trace: Trace) -> Finding:
    """Say whether each answer came as it was sent."""
    facts: dict[str, object] = {name: trace.facts[name] for name in ("cuts", "cuts_apart") if name in trace.facts}
    expected = sum(exchanged.expected_units for exchanged in trace.exchanges)
    facts["expected_units"] = expected
    wrong = [reason for exchanged in trace.exchanges if (reason := whole(exchanged))]
    if wrong:
        return Finding(holds=False, detail=wrong[0], facts=facts)
    cut = f", cut at {facts['cuts']} places ({facts['cuts_apart']} seen to be apart)" if "cuts" in facts else ""
    return Finding(holds=True, detail=f"all of {expected} bytes came as they were sent{cut}", facts=facts)
