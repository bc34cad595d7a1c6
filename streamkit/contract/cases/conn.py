"""conn: one connection serves several streams, and one that the upstream has closed is not used again."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from streamkit.contract.case import Case, levels
from streamkit.contract.diagnosis import Diagnosis, diagnosis_of
from streamkit.contract.lockstep import Source, drive_lockstep
from streamkit.contract.trace import Exchanged, Trace
from streamkit.contract.verdicts import Ending, Finding

if TYPE_CHECKING:
    from streamkit.contract.client_end import ClientEnd
    from streamkit.contract.stand import Stand
    from streamkit.contract.upstream_end import Framing, UpstreamEnd

__all__ = ["CASES", "answer"]

STREAMS: Final[tuple[Framing, ...]] = ("chunked", "chunked", "cl", "chunked")
"""The framings of the streams on one connection. Those like the first are sent in lockstep, and held against it."""

EVENTS: Final = 5
"""Tokens of each of these."""


async def answer(stand: Stand, client: ClientEnd, up: UpstreamEnd, framing: Framing = "chunked") -> bool:
    """Give a short answer to the end, and tell whether the client has it whole."""
    parts = stand.talk.parts(3)
    await up.read_body(stand.limit_s)
    size_bytes = Source(parts).size_bytes
    await up.respond(framing, media_type=stand.talk.media_type, size_bytes=size_bytes)
    await stand.flow(client, up, parts)
    return client.exchanged.ending is Ending.COMPLETE


async def answer_in_lockstep(stand: Stand, client: ClientEnd, up: UpstreamEnd) -> bool:
    """Give an answer in lockstep, and tell whether the client has it whole."""
    content = stand.talk.answer()
    parts = [content.open(), *map(content.text, stand.talk.tokens(EVENTS))]
    await up.read_body(stand.limit_s)
    await up.respond("chunked", media_type=stand.talk.media_type)
    await drive_lockstep(stand, client, up, Source(parts, lambda size: content.text("x" * size), content.close))
    return client.exchanged.ending is Ending.COMPLETE


async def drive_reuse(stand: Stand) -> None:
    """Make some streams on one connection, as far as the proxy leaves it open."""
    facts = stand.trace.facts
    client = await stand.connect()
    connections: list[int] = []
    is_prompt = True
    facts["streams"] = facts["whole_streams"] = 0
    for number, framing in enumerate(STREAMS, 1):
        if number > 1 and not client.is_reusable:
            return
        facts["streams"] = number
        if number == 1:
            _, up = await stand.ask(client=client)
        else:
            _, arrived = await stand.try_ask(client=client)
            if arrived is None:
                return
            up = arrived
        connections.append(up.connection)
        facts["upstream_connections"] = len({*connections})
        # Where the first one is held up the others cannot be worse, and nothing is learned from waiting for them too.
        if framing != STREAMS[0] or not is_prompt:
            is_whole = await answer(stand, client, up, framing)
        else:
            is_whole = await answer_in_lockstep(stand, client, up)
            is_prompt = diagnosis_of(client.exchanged).kind == "prompt"
        if not is_whole:
            return
        facts["whole_streams"] = number


def judge_reuse(trace: Trace) -> Finding:
    """Say whether each stream on the connection was whole."""
    facts = dict(trace.facts)
    begun, whole = facts["streams"], facts["whole_streams"]
    if begun != whole:
        why = got_instead(trace.exchanges[-1])
        detail = f"stream {begun} on the same connection did not come through: {why}"
        return Finding(holds=False, detail=detail, facts=facts)
    if whole == 1:
        detail = "the proxy closes a client's connection after each answer"
        return Finding(None, detail, facts, is_implemented=False)
    if held := later_held(trace):
        number, found = held
        detail = f"stream {number} on the same connection is held up, where the first was not: {found.sentence}"
        return Finding(holds=False, detail=detail, facts=found.facts | facts, is_late=found.kind == "timer")
    said = f"{whole} streams came whole on one connection; at the upstream it were {facts['upstream_connections']}"
    if whole != len(STREAMS):
        said += ", and then the proxy closed it"
    return Finding(holds=True, detail=said, facts=facts)


def later_held(trace: Trace) -> tuple[int, Diagnosis] | None:
    """Return the first stream that lockstep found to be held up, with how; None where none is, or the first is."""
    driven = [(number, diagnosis_of(each)) for number, each in enumerate(trace.exchanges, 1) if each.lockstep]
    held = [(number, each) for number, each in driven if each.kind != "prompt"]
    return held[0] if held and held[0][0] > 1 else None


def got_instead(exchanged: Exchanged) -> str:
    """Say what a client got whose answer did not come whole."""
    if exchanged.attempts:
        return exchanged.problem or f"it ended {exchanged.ending}"
    if exchanged.head is None:
        return f"no answer, and the connection was {exchanged.client_end or 'silent'}"
    return f"the proxy answered {exchanged.head.status} by itself"


async def closed_between(stand: Stand, client: ClientEnd, up: UpstreamEnd, wait_s: float) -> bool:
    """Have the upstream close its idle connection, ask again, and tell whether the answer came whole."""
    await up.hang_up()
    if wait_s:
        await stand.sleep(wait_s)
    is_reused = client.is_reusable and client.stream.is_quiet()
    if not is_reused:
        client = await stand.connect()
    _, next_up = await stand.try_ask(client=client)
    if next_up is None and is_reused and client.exchanged.client_end in {"cut", "reset"} and not client.exchanged.head:
        # The client's connection was closed along with the upstream's: a client takes a new one (RFC 9112, 9.3.1).
        stand.trace.facts["is_client_closed_too"] = True
        client, next_up = await stand.try_ask()
    return next_up is not None and await answer(stand, client, next_up)


async def drive_close_race(stand: Stand) -> None:
    """Close the upstream's idle connection and ask; where that fails, give the proxy time to notice. Then abort one.

    What is sent at the very moment of the close may be lost without anybody's fault (RFC 9112, 9.5). What fails when
    the close is long past is the proxy's.
    """
    facts = stand.trace.facts
    client, up = await stand.ask()
    await answer(stand, client, up)
    facts["is_kept"] = up.exchange.keep_alive
    facts["at_once"] = await closed_between(stand, client, up, 0.0)
    if not facts["at_once"]:
        facts["at_once_got"] = got_instead(stand.trace.exchanges[-1])
        client, up = await stand.ask()
        await answer(stand, client, up)
        facts["later"] = await closed_between(stand, client, up, stand.limit_s)
        if not facts["later"]:
            facts["later_got"] = got_instead(stand.trace.exchanges[-1])
    client, up = await stand.ask()
    await up.read_body(stand.limit_s)
    await up.respond("chunked", media_type=stand.talk.media_type)
    await stand.deliver(client, up, stand.talk.parts(2)[0])
    up.end("reset")

    async def refuse_again() -> None:  # or another attempt at this one would be taken for the next request
        while (attempt := await stand.again(client, float("inf"))) is not None:
            attempt.end("closed")

    await stand.beside(partial(client.rest, stand.limit_s), refuse_again)
    again, next_up = await stand.try_ask()
    facts["after_abort"] = next_up is not None and await answer(stand, again, next_up)
    if not facts["after_abort"]:
        facts["after_abort_got"] = got_instead(stand.trace.exchanges[-1])


def judge_close_race(trace: Trace) -> Finding:
    """Say whether a request passes once a connection was closed, or a stream aborted."""
    facts = dict(trace.facts)
    said = []
    if facts.get("at_once") is False and facts.get("later") is False:
        said.append(f"the upstream closed an idle connection, and the next request got this: {facts.get('later_got')}")
    if facts.get("after_abort") is False:
        said.append(f"the upstream aborted a stream, and the next request got this: {facts.get('after_abort_got')}")
    if said:
        return Finding(holds=False, detail="; ".join(said), facts=facts)
    detail = "a request passes after the upstream has closed an idle connection, and after it has aborted a stream"
    if not facts.get("is_kept"):
        detail += " (the proxy keeps no connections to it)"
    if facts.get("at_once") is False:
        detail += f"; one sent at the very moment of the close was lost: {facts.get('at_once_got')}"
    return Finding(holds=True, detail=detail, facts=facts)


async def drive_pipelined(stand: Stand) -> None:
    """Send two requests at once, and answer one after the other."""
    facts = stand.trace.facts
    asked = stand.talk.request()
    second = replace(asked, target=f"{asked.target}&second=1")
    client = await stand.connect()
    stand.begin(client, asked)
    both = replace(asked.with_headers(length_of(asked.body)), body=asked.body + second.head + second.body)
    await client.send_request(both)
    up = await stand.try_arrive(client)
    facts["answered"] = int(up is not None and await answer(stand, client, up))
    if not client.is_reusable:
        return
    exchanged = stand.begin(client, second)
    next_up: list[UpstreamEnd] = []

    async def arrive() -> None:
        if (up := await stand.again(client, stand.limit_s)) is not None:
            next_up.append(up)

    await stand.beside(arrive, partial(client.head, float("inf")))
    if next_up and exchanged.head is None and await answer(stand, client, next_up[0]):
        facts["answered"] = 2


def length_of(body: bytes) -> tuple[str, str]:
    """Return the header with a body's length."""
    return "Content-Length", str(len(body))


def judge_pipelined(trace: Trace) -> Finding:
    """Record how many of two requests that were sent at once are answered."""
    facts = dict(trace.facts)
    return Finding(None, f"of two requests that were sent at once {facts.get('answered')} were answered", facts)


CASES: Final[tuple[Case, ...]] = (
    Case(
        id="conn.reuse",
        levels=levels("must", "must"),
        rule="The streams behind the first one on a connection come through as that does, whole and at once.",
        bugs=("maximhq/bifrost#1613",),
        drive=drive_reuse,
        judge=judge_reuse,
    ),
    Case(
        id="conn.close-race",
        levels=levels("must", "must"),
        rule="After the upstream has closed an idle connection, or aborted a stream, the next request passes.",
        drive=drive_close_race,
        judge=judge_close_race,
        group="alone",  # its upstream closes connections that the proxy may have given to another case
    ),
    Case(
        id="conn.pipelined",
        levels=levels("info", "info"),
        rule="Whether two requests that are sent at once are both answered.",
        drive=drive_pipelined,
        judge=judge_pipelined,
        endings=frozenset(),
    ),
)
