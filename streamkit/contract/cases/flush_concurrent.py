"""flush.concurrent: streams do not wait for each other, and none waits for a reader that has stopped to read."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from streamkit.contract.case import Case, levels
from streamkit.contract.diagnosis import judge_all_lockstep
from streamkit.contract.lockstep import Source, drive_lockstep
from streamkit.contract.stand import NotForwarded
from streamkit.contract.verdicts import Finding

if TYPE_CHECKING:
    from streamkit.contract.client_end import ClientEnd
    from streamkit.contract.stand import Stand
    from streamkit.contract.trace import Trace
    from streamkit.contract.upstream_end import UpstreamEnd

__all__ = ["CASES"]

STREAMS: Final = 8

EVENTS: Final = 12

STALLED_BYTES: Final = 16 << 20
"""What waits for the reader that does not read: more than the kernel's buffers on the way hold."""

WRITE_BYTES: Final = 64 << 10


async def drive(stand: Stand) -> None:
    """Have one client read nothing of a long answer, and run lockstep with several others beside it."""
    _, stalled = await stand.ask()
    await stalled.respond("chunked", media_type=stand.talk.media_type)
    sent_bytes = [0]

    async def pour() -> None:
        answer = stand.talk.answer()
        await stalled.send(answer.open())
        part = answer.text("x" * WRITE_BYTES)
        while sent_bytes[0] < STALLED_BYTES and not stalled.is_gone:
            await stalled.send(part)
            sent_bytes[0] += len(part.data)

    async with stand.meanwhile(pour):
        await stand.settled(lambda: sent_bytes[0], stand.limit_s)
        stand.trace.facts["stalled_bytes"] = sent_bytes[0]
        pairs: list[tuple[ClientEnd, UpstreamEnd]] = []
        for _ in range(STREAMS):
            try:
                pairs.append(await stand.ask())
            except NotForwarded as refused:
                if refused.exchanged.head is not None:
                    raise
                stand.trace.facts["not_forwarded"] = len(pairs) + 1
                return
        await stand.together(*(partial(lockstep_of, stand, client, up) for client, up in pairs))


async def lockstep_of(stand: Stand, client: ClientEnd, up: UpstreamEnd) -> None:
    """Run one of the streams."""
    answer = stand.talk.answer()
    await up.respond("chunked", media_type=stand.talk.media_type)
    parts = [answer.open(), *(answer.text(text) for text in stand.talk.tokens(EVENTS))]
    await drive_lockstep(stand, client, up, Source(parts, lambda size: answer.text("x" * size), answer.close))


def judge(trace: Trace) -> Finding:
    """Say whether the streams beside the stalled one were prompt, each of them, and ended well."""
    stalled_bytes = trace.facts.get("stalled_bytes", 0)
    facts = {"stalled_bytes": stalled_bytes}
    if number := trace.facts.get("not_forwarded"):
        detail = f"beside a stream whose client does not read, request {number} of {STREAMS} never reached the upstream"
        return Finding(holds=False, detail=detail, facts=facts)
    found = judge_all_lockstep(trace.exchanges[1:])
    detail = f"{found.detail}, beside one whose client did not read (of which {stalled_bytes} bytes were sent)"
    return Finding(found.holds, detail, {**found.facts, **facts}, is_late=found.is_late)


CASES: Final = (
    Case(
        id=f"flush.concurrent.{STREAMS}",
        levels=levels("must", "must"),
        rule=f"Each of {STREAMS} streams at once is prompt, although one more client has stopped to read its own.",
        bugs=("maximhq/bifrost#2204",),
        drive=drive,
        judge=judge,
        endings=frozenset(),
        group="alone",  # one that stalls may hold up all others, and they are not to be blamed for it
    ),
)
