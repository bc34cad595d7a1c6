"""Before any case: does the target listen, pass requests on to us, and answer with what we said, now?

These are rows like the cases, and come first in the report. Where one does not hold nothing is said of the target: it
is a HARNESS-ERROR that says what to do, and all cases depend on it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from streamkit.contract.case import Case, levels
from streamkit.contract.content import TOKEN_HEADER
from streamkit.contract.misfit import misfit_of
from streamkit.contract.stand import NotForwarded
from streamkit.contract.token import token_in
from streamkit.contract.trace import Exchanged, Trace
from streamkit.contract.verdicts import Finding
from streamkit.errors import excerpt_of

if TYPE_CHECKING:
    from streamkit.contract.client_end import ClientEnd
    from streamkit.contract.stand import Stand
    from streamkit.contract.upstream_end import UpstreamEnd

__all__ = ["CONTROL", "FORWARD", "FRESH", "REACH", "SETUP"]

WORDS: Final = ("first", "second")
"""What the two answers to the same request are made of."""

WORD_COUNT: Final = 4

DIRECT: Final = (
    "there is no proxy in between: the upstream got the request on the very connection that the client made to {url}, "
    "so --target is the harness's own --upstream; give the URL where the proxy listens as --target"
)
"""What is said where the target is ourselves."""


async def drive_reach(stand: Stand) -> None:
    """Ask, and take any HTTP for an answer."""
    try:
        client, up = await stand.ask()
    except NotForwarded as refused:
        if refused.exchanged.head is None:
            raise
        return
    await answer(stand, client, up, "reach")


def judge_reach(trace: Trace) -> Finding:
    """Say that something came: where nothing did, the drive has raised."""
    head = trace.exchange.head
    how = f"answers with {head.line}" if head else "passes a request on"
    return Finding(holds=True, detail=f"the target listens, and {how}")


async def drive_forward(stand: Stand) -> None:
    """Ask once, and get the answer whole."""
    client, up = await stand.ask()
    body = await up.read_body(stand.limit_s)
    carriers = set(stand.carriers)
    if stand.talk.token.encode() in body:
        carriers |= {"body"}
    stand.trace.facts["carriers"] = sorted(carriers)
    direct = DIRECT.format(url=stand.setting.target.url) if stand.is_direct(client, up) else ""
    stand.trace.facts["misfit"] = direct or misfit_of(stand.setting, up.line, body)
    await answer(stand, client, up, "word")


def judge_forward(trace: Trace) -> Finding:
    """Say whether something of the answer came. Whether all of it did, and right, is for the cases to say."""
    exchanged = trace.exchange
    carriers = trace.facts.get("carriers")
    facts: dict[str, object] = {"carriers": carriers}
    if misfit := trace.facts.get("misfit"):
        return Finding(holds=False, detail=str(misfit), facts=facts)
    what = _what_is_wrong(exchanged, _said_at_end(trace))
    if what:
        return Finding(holds=False, detail=f"the target asked the upstream and was answered, but {what}", facts=facts)
    by = "nothing, so cases run one at a time" if carriers == ["turn"] else " and ".join(_words(carriers))
    detail = f"a request arrives at the upstream, and its answer at the client; requests are told apart by {by}"
    return Finding(holds=True, detail=detail, facts=facts)


def _words(carriers: object) -> list[str]:
    return [str(each) for each in carriers if each != "turn"] if isinstance(carriers, list) else []


def _said_at_end(trace: Trace) -> str:
    """Return what the client's reader had to say about the end."""
    return next((event.note for event in reversed(trace.events) if event.side == "client" and event.what == "end"), "")


def _what_is_wrong(exchanged: Exchanged, said: str) -> str:
    head = exchanged.head
    if head is None and exchanged.client_end in {"cut", "reset"}:
        return "closed the client's connection without passing it on: look at its log"
    if head is None and exchanged.client_end == "broken":
        return f"what it gave the client is no HTTP/1.1 ({said}): look at its log"
    if head is None:
        return "the client had nothing of it in time: is the target slower than --limit?"
    if head.status >= 400:
        return f"gave the client {head.status}: look at its log; are --client-dialect and --upstream-dialect right?"
    body = bytes(exchanged.body)
    is_ours = head.get(TOKEN_HEADER) or head.get("content-encoding") or token_in(body) or exchanged.units
    if is_ours:
        return ""
    if not body:
        return "nothing of its body came in time: is the target slower than --limit, or is --profile another one?"
    return (
        f"the client got something else ({excerpt_of(body)}): does the target copy requests to us and answer from "
        f"somewhere else, or are --client-dialect and --upstream-dialect wrong?"
    )


async def drive_fresh(stand: Stand) -> None:
    """Ask the very same twice, and answer differently."""
    asked = stand.talk.request()
    for word in WORDS:
        try:
            client, up = await stand.ask(asked)
        except NotForwarded as refused:
            head = refused.exchanged.head
            if word == WORDS[0] or head is None or head.status >= 300:
                raise
            return
        await answer(stand, client, up, word)


def judge_fresh(trace: Trace) -> Finding:
    """Say whether the second answer is the second one."""
    second = trace.exchanges[-1]
    first_word, second_word = (word.encode() for word in WORDS)
    is_old = first_word in second.body and second_word not in second.body
    if second.attempts and not is_old:
        return Finding(holds=True, detail="the same request twice gets two answers, each its own")
    whose = "got the answer to the first one" if is_old else "was answered without asking the upstream"
    return Finding(
        holds=False,
        detail=f"the target answers from a cache: of two equal requests the second {whose}; turn its cache off",
    )


async def answer(stand: Stand, client: ClientEnd, up: UpstreamEnd, word: str) -> None:
    """Answer in the ordinary way, in a few tokens made of this word."""
    await up.read_body(stand.limit_s)
    await up.respond(media_type=stand.talk.media_type)
    await stand.flow(client, up, stand.talk.parts_of([f"{word}{number} " for number in range(WORD_COUNT)]))


REACH: Final = Case(
    id="setup.reach",
    levels=levels("must", "must"),
    rule="The target listens, and speaks HTTP/1.1 there.",
    drive=drive_reach,
    judge=judge_reach,
    endings=frozenset(),
    bound_s=0.0,
)

FORWARD: Final = Case(
    id="setup.forward",
    levels=levels("must", "must"),
    rule="The target passes an ordinary request on to the upstream, and its answer back.",
    drive=drive_forward,
    judge=judge_forward,
    endings=frozenset(),
    bound_s=0.0,
)

FRESH: Final = Case(
    id="setup.fresh",
    levels=levels("must", "must"),
    rule="The target asks the upstream for each request, also for one that it has seen before.",
    drive=drive_fresh,
    judge=judge_fresh,
    endings=frozenset(),
    bound_s=0.0,
)

SETUP: Final = (REACH, FORWARD, FRESH)
"""In their order: each builds on those before it."""

CONTROL: Final = replace(FORWARD, id="setup.control")
"""The ordinary request that tells, in the middle of a run, whether the target still works. It is in no report."""
