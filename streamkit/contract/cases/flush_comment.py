"""flush.comment: a lone comment, which is how servers keep a silent stream alive, passes before the next event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from streamkit.contract.case import Case, levels
from streamkit.contract.content import Part
from streamkit.contract.lockstep import Source, drive_lockstep, judge_lockstep
from streamkit.contract.sse_forms import is_sse
from streamkit.contract.verdicts import Finding
from streamkit.dialects.events import Ping, Start
from streamkit.dialects.registry import get_dialect

if TYPE_CHECKING:
    from streamkit.contract.setting import Setting
    from streamkit.contract.stand import Stand
    from streamkit.contract.trace import Trace

__all__ = ["CASES"]

PAIRS: Final = 6

COMMENT: Final = Part(b": keep-alive\n\n")


def applies(setting: Setting) -> bool:
    """Tell whether there are comments, and, where they may be translated, something that they can become."""
    if setting.by_bytes or not is_sse(setting):
        return is_sse(setting)
    row, framing = get_dialect(setting.client_dialect)
    encoder = row.encoder(framing=framing)
    encoder.feed(Start())
    return bool(encoder.feed(Ping()))


async def drive(stand: Stand) -> None:
    """Send events and comments in turn, in lockstep."""
    client, up = await stand.ask()
    await up.respond("chunked", media_type=stand.talk.media_type)
    answer = stand.talk.answer()
    opening = answer.open()
    tokens = [answer.text(text) for text in stand.talk.tokens(PAIRS)]
    if stand.setting.by_bytes:
        parts = [part for token in tokens for part in (token, COMMENT)]
        source = Source([opening, *parts], lambda size: answer.text("x" * size), answer.close)
        await drive_lockstep(stand, client, up, source)
        return
    facts = stand.trace.facts
    facts["comments"] = facts["heartbeats"] = 0
    await stand.deliver(client, up, opening)
    for number, token in enumerate(tokens, 1):
        if not await stand.deliver(client, up, token):
            break
        before = client.exchanged.body_bytes
        facts["comments"] = number
        await up.send(COMMENT)
        # What it becomes is the gateway's affair: anything that the client gets keeps its stream alive.
        if not await client.until_bytes(before + 1, stand.limit_s):
            break
        facts["heartbeats"] = number
    await stand.flow(client, up, [answer.close()])


def judge(trace: Trace) -> Finding:
    """Say whether each comment came, or what a gateway has in its place, before the next event was sent."""
    if "comments" not in trace.facts:
        return judge_lockstep(trace)
    sent, came = trace.facts["comments"], trace.facts["heartbeats"]
    facts = {"comments": sent, "heartbeats": came}
    if trace.exchange.problem:
        return Finding(holds=False, detail=trace.exchange.problem, facts=facts)
    if came != PAIRS:
        detail = f"comment {sent} of {PAIRS} did not pass: the client got nothing, and would give up a silent stream"
        return Finding(holds=False, detail=detail, facts=facts)
    return Finding(holds=True, detail=f"for each of {came} comments the client got something at once", facts=facts)


CASES: Final = (
    Case(
        id="flush.comment",
        levels=levels("must", "should"),
        rule="A comment passes before the next event is sent: it is there to keep a silent stream alive.",
        bugs=("mnfst/llm-gateway#2053", "Routstr/routstr-core#543"),
        drive=drive,
        judge=judge,
        applies=applies,
    ),
)
