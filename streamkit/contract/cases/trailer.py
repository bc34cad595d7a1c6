"""trailer: trailers come through, or do at least no harm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from streamkit.contract.case import Case, levels
from streamkit.contract.cases.end_judges import judge_clean
from streamkit.contract.trace import Trace
from streamkit.contract.verdicts import Finding

if TYPE_CHECKING:
    from streamkit.contract.client_end import ClientEnd
    from streamkit.contract.stand import Stand
    from streamkit.contract.upstream_end import UpstreamEnd

__all__ = ["CASES", "judge_forward", "judge_survive"]

NAME: Final = "X-Streamkit-Checksum"

VALUE: Final = "0123456789abcdef"

EVENTS: Final = 3


async def answer_with_trailers(stand: Stand, client: ClientEnd, up: UpstreamEnd) -> None:
    """Answer to the end, with a trailer that the head announces, while the client reads."""
    await up.read_body(stand.limit_s)
    await up.respond("chunked", media_type=stand.talk.media_type, headers=[("Trailer", NAME)])

    async def send() -> None:
        for part in stand.talk.parts(EVENTS):
            await up.send(part)
        await up.finish([(NAME, VALUE)])

    async def receive() -> None:
        await client.rest(stand.limit_s)

    await stand.together(send, receive)


async def drive_forward(stand: Stand) -> None:
    """Ask as a client that wants trailers."""
    asked = stand.talk.request(headers=[("TE", "trailers"), ("Connection", "TE")])
    client, up = await stand.ask(asked)
    await answer_with_trailers(stand, client, up)


def judge_forward(trace: Trace) -> Finding:
    """Say whether the trailer came, and announced."""
    exchanged = trace.exchange
    came = [value for name, value in exchanged.trailers if name.lower() == NAME.lower()]
    head = exchanged.head
    facts: dict[str, object] = {
        "is_forwarded": came == [VALUE],
        "is_announced": head is not None and NAME.lower() in (head.get("trailer") or "").lower(),
        "is_asked_for": any("trailers" in (attempt.get("te") or "").lower() for attempt in exchanged.attempts),
    }
    if came == [VALUE]:
        return Finding(None, "the trailer came through", facts)
    return Finding(None, f"the trailer came as {came[0]!r}" if came else "the trailer was dropped", facts)


async def drive_survive(stand: Stand) -> None:
    """Send trailers to a client that did not ask for them; then another answer on the same connection."""
    client, up = await stand.ask()
    await answer_with_trailers(stand, client, up)
    if not client.is_reusable:
        return
    _, second = await stand.try_ask(client=client)
    if second is not None:
        await answer_with_trailers(stand, client, second)


def judge_survive(trace: Trace) -> Finding:
    """Say whether the body came whole, and the next answer on the connection as well."""
    finding = judge_clean(trace)
    if finding.holds:
        return Finding(holds=True, detail="trailers do no harm to the body, nor to what follows", facts=finding.facts)
    return Finding(holds=False, detail=f"behind trailers: {finding.detail}", facts=finding.facts)


CASES: Final[tuple[Case, ...]] = (
    Case(
        id="trailer.forward",
        levels=levels("info", "info"),
        rule="Recorded: whether trailers reach a client that says it wants them.",
        drive=drive_forward,
        judge=judge_forward,
        endings=frozenset(),
    ),
    Case(
        id="trailer.survive",
        levels=levels("must", "must"),
        rule="Trailers behind an answer break neither its body nor the next answer on the connection.",
        bugs=("maximhq/bifrost#1613",),
        drive=drive_survive,
        judge=judge_survive,
    ),
)
