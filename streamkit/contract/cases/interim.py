"""interim: interim responses do no harm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from streamkit.contract.case import Case, levels
from streamkit.contract.trace import Exchanged, Trace
from streamkit.contract.verdicts import Ending, Finding

if TYPE_CHECKING:
    from streamkit.contract.stand import Stand
    from streamkit.contract.upstream_end import UpstreamEnd

__all__ = ["CASES", "judge_100", "judge_103"]

EVENTS: Final = 3

INTERIM_WAIT_S: Final = 0.1
"""How long a 103 is alone on the wire, so that a proxy reads it apart from the final head; most pass it on at once."""

CONTINUE_WAIT_S: Final = 1.0
"""How long a client waits for a 100 before it sends its body without one (RFC 9110, section 10.1.1: not for ever)."""


async def drive_103(stand: Stand) -> None:
    """Send early hints before the answer; to HTTP/1.0 none may be sent, and so the case ends there."""
    client, up = await stand.ask()
    await up.read_body(stand.limit_s)
    if up.version == "1.0":
        stand.mark("http/1.0")
    else:
        await up.interim(103, [("Link", "</style.css>; rel=preload; as=style")])
        await client.next_head(min(INTERIM_WAIT_S, stand.limit_s))
    await up.respond("chunked", media_type=stand.talk.media_type)
    await stand.flow(client, up, stand.talk.parts(EVENTS))


def judge_103(trace: Trace) -> Finding:
    """Say whether the final answer came whole."""
    exchanged = trace.exchange
    if trace.marked_ns("http/1.0"):
        detail = "it asks the upstream with HTTP/1.0, to which no interim response may be sent"
        return Finding(None, detail, is_implemented=False)
    passed = [head.status for head in exchanged.interim]
    facts: dict[str, object] = {"is_forwarded": 103 in passed, "status": exchanged.head.status if exchanged.head else 0}
    reason = not_whole(exchanged)
    if reason:
        return Finding(holds=False, detail=f"behind a 103 the final answer did not come whole: {reason}", facts=facts)
    done = "passed on" if 103 in passed else "left out"
    return Finding(holds=True, detail=f"the final answer came whole; the 103 was {done}", facts=facts)


async def drive_100(stand: Stand) -> None:
    """Ask with `Expect: 100-continue`, and send the body when told to, or when that takes too long."""
    asked = stand.talk.request(headers=[("Expect", "100-continue")])
    client = await stand.connect()
    exchanged = stand.begin(client, asked)
    await client.send_request(asked, with_body=False)
    arrived: list[UpstreamEnd] = []

    async def give_body() -> None:
        if not await client.next_head(min(CONTINUE_WAIT_S, stand.limit_s)):
            stand.mark("impatient")
        if exchanged.head is None and not exchanged.client_end:
            await client.send(asked.body)

    async def take() -> None:
        up = await stand.again(client, stand.limit_s)
        if up is not None:
            arrived.append(up)
            stand.trace.facts["is_expect_forwarded"] = bool(up.line.get("expect"))
            await up.read_body(stand.limit_s)  # which sends the 100, where the proxy asks for it

    await stand.together(give_body, take)
    if not arrived:
        await client.rest(stand.limit_s)
        return
    up = arrived[0]
    await up.respond("chunked", media_type=stand.talk.media_type)
    await stand.flow(client, up, stand.talk.parts(EVENTS))


def judge_100(trace: Trace) -> Finding:
    """Record who sent the 100; only an answer that never comes is wrong."""
    exchanged = trace.exchange
    is_forwarded = bool(trace.facts.get("is_expect_forwarded"))
    is_told = any(head.status == 100 for head in exchanged.interim)
    told_by = ("upstream" if is_forwarded else "proxy") if is_told else "nobody"
    facts: dict[str, object] = {"is_expect_forwarded": is_forwarded, "continue_from": told_by}
    if exchanged.client_end in {"hang", ""}:
        return Finding(holds=False, detail="a request with Expect: 100-continue never gets its answer", facts=facts)
    if exchanged.head is not None and exchanged.head.status >= 400:
        return Finding(None, f"Expect: 100-continue is refused with {exchanged.head.line!r}", facts)
    reason = not_whole(exchanged)
    if reason:
        detail = f"the answer to a request with Expect: 100-continue did not come whole: {reason}"
        return Finding(holds=False, detail=detail, facts=facts)
    said = {
        "upstream": "the 100 comes from the upstream, end to end",
        "proxy": "the proxy sends the 100 itself, and the upstream does not see what was expected",
        "nobody": "no 100 was sent; the client's body went without one",
    }[told_by]
    return Finding(None, said, facts)


def not_whole(exchanged: Exchanged) -> str:
    """Say why an answer is not whole; empty if it is."""
    if exchanged.problem:
        return exchanged.problem
    if exchanged.ending is Ending.COMPLETE and exchanged.head and exchanged.head.status == 200:
        return ""
    line = exchanged.head.line if exchanged.head else "no final head"
    return f"{line}, {exchanged.units} of {exchanged.expected_units} units, ending: {exchanged.ending}"


CASES: Final[tuple[Case, ...]] = (
    Case(
        id="interim.103",
        levels=levels("must", "must"),
        rule="A 103 before the answer is passed on or left out; the final answer comes, whole, in either case.",
        bugs=("mitmproxy/mitmproxy#2229", "freenginx/nginx#3", "caddyserver/caddy#5074", "h2o/h2o#1771"),
        drive=drive_103,
        judge=judge_103,
    ),
    Case(
        id="interim.100",
        levels=levels("must", "must"),
        rule="A request with Expect: 100-continue gets its answer; who sends the 100 is only recorded.",
        bugs=("kgateway-dev/kgateway#14480",),
        drive=drive_100,
        judge=judge_100,
        endings=frozenset(),
    ),
)
