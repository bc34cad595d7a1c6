"""bp: a client that does not read stops the upstream, and what lies in between is bounded.

What a proxy takes in although nobody takes it out is its memory, or its disk. A bound cannot be told from a number: it
is one if the amount does not grow with the length of the stream. So there are two lengths.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from streamkit.contract.case import Case, levels
from streamkit.contract.content import Part
from streamkit.contract.trace import Trace
from streamkit.contract.upstream_end import FRAMINGS
from streamkit.contract.verdicts import Finding

if TYPE_CHECKING:
    from streamkit.contract.client_end import ClientEnd
    from streamkit.contract.content import Answer
    from streamkit.contract.stand import Stand
    from streamkit.contract.upstream_end import Framing, UpstreamEnd

__all__ = ["CASES", "judge_absorb", "judge_resume", "size_text"]

CLIENT_BYTES: Final = 64 << 10
"""What the client's kernel takes in: little, because it is the proxy that is measured."""

ENDLESS_BYTES: Final = 1 << 40
"""The Content-Length of an answer that is poured out until it is stopped."""

PIECE_BYTES: Final = 64 << 10

EVENT_BYTES: Final = 1 << 10
"""Text of one event for a proxy that passes bytes: long lines are another case's."""

BIG_EVENT_BYTES: Final = 32 << 10
"""The same for a gateway that reads events: few and big, because bytes are measured, and events cost it time."""

STALL_S: Final = 1.0
"""How long nothing may be taken before the upstream counts as blocked. Its kernel's buffers are full by then: a proxy
that takes more has room to take it, and does so in less than a ms."""

SLOW_S: Final = 20.0
"""How long a length may take at most; or the limit, where that is more."""

TAIL: Final = 3

RESUME_SHARE: Final = 4
"""What part of the shorter length is sent before the client reads on, to a proxy that does not stop before."""


async def begin(stand: Stand, framing: Framing = "chunked") -> tuple[ClientEnd, UpstreamEnd, Answer]:
    """Ask, on a connection that takes in little, and begin to answer; the client does not read."""
    client, up = await stand.ask(client=await stand.connect(receive_bytes=CLIENT_BYTES))
    await up.read_body(stand.limit_s)
    await up.respond(framing, media_type=stand.talk.media_type, size_bytes=ENDLESS_BYTES)
    answer = stand.talk.answer()
    await up.send(answer.open())
    return client, up, answer


def piece_of(stand: Stand, answer: Answer) -> Part:
    """Return some events as one piece, to be sent over and over."""
    event_bytes = EVENT_BYTES if stand.setting.by_bytes else BIG_EVENT_BYTES
    # By turns: LiteLLM, for one, takes a hundred equal chunks for a model that has lost its mind, and breaks off.
    events = [answer.text("xy"[number % 2] * event_bytes) for number in range(max(2, PIECE_BYTES // event_bytes))]
    return Part(b"".join(event.data for event in events), "".join(event.text for event in events))


async def drive_absorb(stand: Stand) -> None:
    """Pour out an answer; of a proxy that passes bytes one in each framing, all at the same time."""
    stand.trace.facts["lengths_bytes"] = list(stand.setting.sizes.absorb_bytes)
    framings = FRAMINGS if stand.setting.by_bytes else FRAMINGS[:1]
    begun = [(framing, *await begin(stand, framing)) for framing in framings]
    found: dict[Framing, dict[str, object]] = {framing: {"framing": framing} for framing in framings}
    await stand.together(
        *(partial(absorb, stand, up, piece_of(stand, answer), found[framing]) for framing, _, up, answer in begun)
    )
    # What is said is of the chunked one, unless another is worse.
    worst = max(found.values(), key=badness)
    stand.trace.facts.update(worst)


def badness(facts: dict[str, object]) -> tuple[bool, int, bool]:
    """Tell what was found of one answer from what is worse."""
    return facts["outcome"] == "gone", int(str(facts.get("lengths_through", 0))), facts["outcome"] == "slow"


async def absorb(stand: Stand, up: UpstreamEnd, piece: Part, facts: dict[str, object]) -> None:
    """Send until nothing more is taken, or the length is through; where it is, send on to the second length."""
    for size_bytes in stand.setting.sizes.absorb_bytes:
        facts["outcome"] = await pour(stand, up, piece, size_bytes)
        facts["absorbed_bytes"] = up.taken_bytes
        if facts["outcome"] != "through":
            break
        facts["lengths_through"] = 1 + int(str(facts.get("lengths_through", 0)))


async def pour(stand: Stand, up: UpstreamEnd, piece: Part, size_bytes: int) -> str:
    """Send so much, and say what became of it: `through`, `blocked`, `gone`, or `slow`."""
    is_through = False

    async def send() -> None:
        nonlocal is_through
        is_through = await up.pour(piece, size_bytes, patience_s=min(STALL_S, stand.limit_s))

    in_time = await stand.within(max(SLOW_S, 4 * stand.limit_s), send)
    if up.is_gone:
        return "gone"
    if not in_time:
        return "slow"
    return "through" if is_through else "blocked"


def judge_absorb(trace: Trace) -> Finding:
    """Say whether what was absorbed has a bound that is not the stream's length."""
    outcome, through = trace.facts.get("outcome", ""), int(str(trace.facts.get("lengths_through", 0)))
    absorbed_bytes = int(str(trace.facts.get("absorbed_bytes", 0)))
    lengths = [size_text(each) for each in _numbers(trace.facts.get("lengths_bytes"))]
    facts: dict[str, object] = {"absorbed_bytes": absorbed_bytes, "outcome": outcome, "lengths_through": through}
    absorbed, unread = size_text(absorbed_bytes), "with a client that did not read"
    if (framing := trace.facts.get("framing", "chunked")) != "chunked":
        facts["framing"] = framing
        unread += " an answer which " + ("ends with its connection" if framing == "close" else "has a Content-Length")
    if outcome == "gone":
        detail = f"it broke off the stream of a client that did not read, after {absorbed}, where it should have waited"
        return Finding(holds=False, detail=detail, facts=facts)
    if not through:
        if outcome == "blocked":
            detail = f"{unread} the upstream was stopped after {absorbed}"
            return Finding(holds=True, detail=detail, facts=facts)
        return Finding(None, f"it was so slow to take bytes that nothing can be said: {absorbed} until then", facts)
    if through == len(lengths):
        detail = f"{unread} it took in all of a stream of {lengths[-1]}: the upstream is never stopped"
    else:
        went_on = "and was still taking more" if outcome == "slow" else "and stopped only there"
        detail = f"{unread} it took in all of the first {lengths[0]}, {absorbed} in all, {went_on}"
    return Finding(holds=False, detail=f"{detail}; that is memory or disk, for each client", facts=facts)


async def drive_resume(stand: Stand) -> None:
    """Send until the proxy is blocked, or a good part of the length is through; then the client reads to the end."""
    client, up, answer = await begin(stand)
    size_bytes = stand.setting.sizes.absorb_bytes[0] // RESUME_SHARE
    stand.trace.facts["outcome"] = await pour(stand, up, piece_of(stand, answer), size_bytes)
    stand.trace.facts["absorbed_bytes"] = up.taken_bytes
    stand.mark("resume")

    async def send() -> None:
        for token in stand.talk.tokens(TAIL):
            await up.send(answer.text(token))
        await up.send(answer.close())
        await up.finish()

    # Not only for as long as the client reads: a gateway that knows the dialect ends its answer at the terminator, and
    # that may be before the upstream has written the end of its own.
    await stand.to_the_end(client, up, send)


def judge_resume(trace: Trace) -> Finding:
    """Say whether everything came once the client read again."""
    exchanged = trace.exchange
    absorbed_bytes = int(str(trace.facts.get("absorbed_bytes", 0)))
    facts: dict[str, object] = {"absorbed_bytes": absorbed_bytes, "units": exchanged.units}
    paused = f"with {size_text(absorbed_bytes)} taken and nothing read"
    if exchanged.problem:
        return Finding(holds=False, detail=f"{paused}, the rest came wrong: {exchanged.problem}", facts=facts)
    if exchanged.units < exchanged.expected_units or not exchanged.upstream_end:
        detail = f"{paused}, the client read again and got {size_text(exchanged.units)}, but not the rest"
        return Finding(holds=False, detail=f"{detail}: {exchanged.client_end or 'no end'}", facts=facts)
    return Finding(
        holds=True, detail=f"{paused}, the client read again and got all of {size_text(exchanged.units)}", facts=facts
    )


def size_text(size_bytes: int) -> str:
    """Return a size as people say it."""
    return f"{size_bytes / 2**20:.1f} MiB" if size_bytes >= 1 << 20 else f"{size_bytes / 2**10:.0f} KiB"


def _numbers(values: object) -> list[int]:
    return [int(value) for value in values] if isinstance(values, list) else []


CASES: Final[tuple[Case, ...]] = (
    Case(
        id="bp.absorb",
        levels=levels("must", "must"),
        rule="A client that does not read stops the upstream: what the proxy takes in has a bound of its own.",
        bugs=("MAXeaglet/commandcode-proxy#20", "h2o/h2o#2355", "Kludex/starlette#1017"),
        drive=drive_absorb,
        judge=judge_absorb,
        endings=frozenset(),
        group="alone",
        bound_s=90.0,
    ),
    Case(
        id="bp.resume",
        levels=levels("must", "must"),
        rule="When a client that had stopped reads again, everything flows on, right and to its end.",
        bugs=("http-party/node-http-proxy#327",),
        drive=drive_resume,
        judge=judge_resume,
        group="alone",
        bound_s=90.0,
    ),
)
