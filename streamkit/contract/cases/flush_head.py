"""flush.head: the head of an answer reaches the client before any byte of its body; and asking with GET."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from streamkit.contract.case import Case, Drive, Judge, levels
from streamkit.contract.stand import NotForwarded
from streamkit.contract.verdicts import Finding

if TYPE_CHECKING:
    from streamkit.contract.content import Asked
    from streamkit.contract.setting import Setting
    from streamkit.contract.stand import Stand
    from streamkit.contract.trace import Trace

__all__ = ["CASES", "can_get", "getting", "judge_unless_refused", "unless_refused"]

PIECES: Final = 6

REFUSALS: Final = {400, 404, 405, 406, 415, 422, 501}
"""What says that GET is not for this place. Others say that something is wrong."""


def getting(stand: Stand) -> Asked:
    """Ask with GET, as an EventSource does."""
    return stand.talk.request("GET")


def can_get(setting: Setting) -> bool:
    """Tell whether an answer to GET can be read: a gateway does not translate what is no chat."""
    return setting.by_bytes or setting.client_dialect == setting.upstream_dialect


def unless_refused(drive: Drive) -> Drive:
    """Return a drive that is content with a proxy which refuses this kind of request."""

    async def drive_unless_refused(stand: Stand) -> None:
        stand.trace.facts["by_bytes"] = stand.setting.by_bytes
        try:
            await drive(stand)
        except NotForwarded as refused:
            head = refused.exchanged.head
            if head is None or head.status not in REFUSALS:
                raise
            stand.trace.facts["refused_with"] = head.status

    return drive_unless_refused


def judge_unless_refused(judge: Judge) -> Judge:
    """Return a judge who knows of that: a gateway need not serve GET, and what passes bytes on has to."""

    def judged(trace: Trace) -> Finding:
        status = trace.facts.get("refused_with")
        if status is None:
            return judge(trace)
        detail = f"GET is refused with {status}, and does not reach the upstream"
        return Finding(holds=False, detail=detail, is_implemented=bool(trace.facts.get("by_bytes")))

    return judged


async def drive_head(stand: Stand, asked: Asked) -> None:
    """Send a head and wait; where it does not come, see what it waits for."""
    client, up = await stand.ask(asked)
    parts = stand.talk.parts(PIECES)
    await up.respond("chunked", media_type=stand.talk.media_type)
    if await client.head(stand.limit_s) is None:
        stand.mark("the head was not there in time; nothing more is sent")
        await client.head(stand.limit_s)
    if client.exchanged.head is None:
        stand.trace.facts["body_began_ns"] = stand.now_ns()
        await stand.deliver(client, up, parts.pop(0))
    await stand.flow(client, up, parts)


async def drive_post(stand: Stand) -> None:
    """Ask with POST, and watch for the head."""
    await drive_head(stand, stand.talk.request())


async def drive_get(stand: Stand) -> None:
    """Ask with GET, and watch for the head."""
    await drive_head(stand, getting(stand))


def judge_head(trace: Trace) -> Finding:
    """Say whether the head came before anything of the body was sent."""
    exchanged = trace.exchange
    head, sent = exchanged.head, exchanged.sent_head
    if head is None or sent is None:
        return Finding(holds=False, detail="the head of the answer never came")
    delay_ms = (head.at_ns - sent.at_ns) / 1e6
    facts = {"head_delay_ms": round(delay_ms, 3)}
    if not trace.marks:
        return Finding(holds=True, detail="the head was there before anything of the body was sent", facts=facts)
    if "body_began_ns" not in trace.facts:
        return Finding(holds=False, detail=f"the head came by itself, but {delay_ms:.0f} ms late", facts=facts)
    before = [piece for piece in exchanged.pieces if piece.begun_ns <= head.at_ns]
    size_bytes = sum(piece.size_bytes for piece in before)
    held = f"the head was held until {size_bytes} bytes of the body had been sent"
    is_all = len(before) == len(exchanged.pieces) > 1
    detail = f"{held}, all of it" if is_all else f"{held}: its first piece"
    if not is_all and len(before) > 1:
        detail = f"{held}, {len(before)} pieces"
    return Finding(holds=False, detail=detail, facts={**facts, "held_until_bytes": size_bytes})


CASES: Final = (
    Case(
        id="flush.head",
        levels=levels("should", "info"),
        rule="The head of an answer is with the client before any byte of the body is sent: it may be long until then.",
        bugs=("golang/go#31125", "golang/go#31126", "caddyserver/caddy#4247", "caddyserver/caddy#3556"),
        drive=drive_post,
        judge=judge_head,
    ),
    Case(
        id="flush.head.get",
        levels=levels("should", "info"),
        rule="The head of an answer to GET is with the client before any byte of the body: EventSource waits for it.",
        bugs=("maximhq/bifrost#3183",),
        drive=unless_refused(drive_get),
        judge=judge_unless_refused(judge_head),
        applies=can_get,
    ),
)
