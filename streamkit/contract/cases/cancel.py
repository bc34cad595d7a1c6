"""cancel: a client that goes away is gone upstream, at once, in every window.

A model that nobody listens to still costs. There are three windows: while chunks flow (the proxy's next write fails),
in the middle of a silence, and before the answer has begun. In the last two only a proxy that watches its client knows.
Where it does not notice within the limit, the upstream goes on to write, to see whether that is what it waits for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from streamkit.contract.case import Case, Drive, levels
from streamkit.contract.cases.situation import ask_on_used, send_long
from streamkit.contract.trace import Trace
from streamkit.contract.verdicts import Finding

if TYPE_CHECKING:
    from streamkit.contract.client_end import ClientEnd
    from streamkit.contract.content import Answer
    from streamkit.contract.stand import Stand
    from streamkit.contract.upstream_end import UpstreamEnd

__all__ = ["CASES", "judge_cancel", "judge_half_close", "judge_then_next"]

EVENTS: Final = 2
"""Tokens that the client holds before it goes."""

CHUNK_GAP_S: Final = 0.03
"""How far apart the chunks of a flowing stream are. It decides nothing."""

PROBES: Final = 20
"""Chunks that are sent to a proxy that has not noticed, to see whether writing makes it."""

AWHILE_S: Final = 0.25
"""How long a proxy's reaction is looked for where it is only recorded whether it comes by then."""

Window = Literal["flow", "idle", "ttft", "either"]
"""When the client goes: while chunks flow, while the upstream is silent, before the answer; or in a silence after which
chunks flow again."""


async def begin(stand: Stand, client: ClientEnd, up: UpstreamEnd, answer: Answer) -> None:
    """Begin to answer, until the client holds some tokens; a proxy that holds them back does not keep it waiting."""
    await up.respond("chunked", media_type=stand.talk.media_type)
    for part in (answer.open(), *(answer.text(token) for token in stand.talk.tokens(EVENTS))):
        if not await stand.deliver(client, up, part):
            stand.trace.facts["held_back"] = True
            break


async def leave(client: ClientEnd, how: str) -> None:
    """Go away."""
    client.leave(how)
    await client.aclose()


async def flow_until_left(stand: Stand, up: UpstreamEnd, answer: Answer, most: int) -> int:
    """Send chunks until the proxy leaves, or so many; return how many that were."""
    for number in range(most):
        if up.is_gone:
            return number
        token = stand.talk.tokens(1, start=EVENTS + number)[0]
        await stand.within(stand.limit_s, lambda token=token: up.send(answer.text(token)))  # type: ignore[misc]
        await up.wait_left(CHUNK_GAP_S)
    return most


def cancelling(window: Window, how: str = "fin", *, stream: bool = True) -> Drive:
    """Return a drive whose client goes away in this window, by closing its connection or by an RST."""

    async def drive(stand: Stand) -> None:
        asked = stand.talk.request(stream=stream)
        # Where the upstream is silent it is a connection that has served an answer, and where it flows it has for long:
        # who has gone from there on its way is noticed in fewer places.
        client, up = await (ask_on_used(stand, asked) if window == "idle" else stand.ask(asked))
        await cancel(stand, client, up)
        if window == "idle" and up.is_gone and stand.setting.by_bytes and not stand.trace.marked_ns("limit"):
            number = len(stand.trace.exchanges)
            client, another = await stand.try_ask(stand.talk.request("GET"))
            if another is not None:  # or what was left behind blocks it, which is `cancel.then-next`'s matter
                stand.trace.subject = number
                await cancel(stand, client, another)

    async def cancel(stand: Stand, client: ClientEnd, up: UpstreamEnd) -> None:
        await up.read_body(stand.limit_s)
        answer = stand.talk.answer()
        if window != "ttft":
            await begin(stand, client, up, answer)
        facts = stand.trace.facts
        if facts.get("is_used") and facts.pop("held_back", False):
            # That a second stream on a connection does not come is `conn.reuse`'s matter.
            del facts["is_used"]
            stand.trace.subject = len(stand.trace.exchanges)
            await cancel(stand, *(await stand.ask(stand.talk.request(stream=stream))))
            return
        if window == "flow":
            await send_long(stand, client, up, answer)
            # What is unread when a client leaves makes that a reset, which is another case.
            await client.until(client.meter.expected, min(AWHILE_S, stand.limit_s))
        await leave(client, how)
        if window == "either":
            stand.trace.facts["by_silence"] = await up.wait_left(min(AWHILE_S, stand.limit_s))
        if window in {"flow", "either"}:
            chunks = await flow_until_left(stand, up, answer, round(stand.limit_s / CHUNK_GAP_S) + 1)
            stand.trace.facts["chunks_after"] = chunks
        elif not await up.wait_left(stand.limit_s):
            stand.mark("late")
            await up.wait_left(stand.limit_s)  # one that looks for its client now and then may come to it
        if up.is_gone:
            return
        stand.mark("limit")
        if window == "ttft":
            await up.respond("chunked", media_type=stand.talk.media_type if stream else "application/json")
            await stand.within(stand.limit_s, lambda: up.send(answer.open()))
        if window in {"idle", "ttft"}:
            stand.trace.facts["probes"] = await flow_until_left(stand, up, answer, PROBES)

    return drive


def judge_cancel(trace: Trace) -> Finding:
    """Say whether the upstream saw its client leave, and how late."""
    exchanged = trace.exchange
    limit_ns = trace.marked_ns("limit")
    facts: dict[str, object] = {}
    facts |= {
        name: trace.facts[name]
        for name in ("held_back", "by_silence", "chunks_after", "is_used")
        if name in trace.facts
    }
    if exchanged.left_ns and not limit_ns:
        noticed_ms = (exchanged.left_ns - exchanged.client_left_ns) / 1e6
        if noticed_ms < 0:
            detail = f"the proxy left the upstream by itself, {-noticed_ms:.1f} ms before its client left"
            return Finding(holds=False, detail=detail, facts=facts)
        facts |= {"noticed_ms": round(noticed_ms, 3), "left_how": exchanged.left_how}
        how = {"fin": "closed", "reset": "reset"}.get(exchanged.left_how, exchanged.left_how)
        detail = f"the upstream's connection was {how} {noticed_ms:.1f} ms after the client had left"
        is_late = trace.marked_ns("late") > 0
        return Finding(
            holds=not is_late, detail=f"{detail}, in silence" if is_late else detail, facts=facts, is_late=is_late
        )
    waited_s = (limit_ns - exchanged.client_left_ns) / 1e9
    facts["waited_ms"] = round(waited_s * 1e3)
    whose = "of a GET " if exchanged.attempts and exchanged.attempts[0].line.startswith("GET ") else ""
    detail = f"the client {whose}left, and {waited_s:.1f} s later the upstream's connection was still open"
    if "chunks_after" in trace.facts:
        detail += f", although {trace.facts['chunks_after']} chunks were sent into it: nothing ever stops the upstream"
    elif exchanged.left_ns:
        facts["probes"] = trace.facts.get("probes", 0)
        detail += (
            f"; it was closed only when the upstream went on to write (chunks: {facts['probes']}): the proxy notices "
            f"by its own writes alone, and does not watch its client while it waits for the upstream"
        )
    else:
        detail += f", and so it was when {trace.facts.get('probes', 0)} more chunks were sent"
    return Finding(holds=False, detail=detail, facts=facts)


async def drive_then_next(stand: Stand) -> None:
    """Cancel a stream while it flows; then ask for an ordinary one, on another connection."""
    client, up = await stand.ask()
    await up.read_body(stand.limit_s)
    answer = stand.talk.answer()
    await begin(stand, client, up, answer)
    await leave(client, "fin")
    await flow_until_left(stand, up, answer, 3)
    stand.mark("next")
    client, another = await stand.try_ask()
    if another is None:
        stand.mark("refused")
        return
    await another.read_body(stand.limit_s)
    await another.respond("chunked", media_type=stand.talk.media_type)
    await stand.flow(client, another, stand.talk.parts(4))


def judge_then_next(trace: Trace) -> Finding:
    """Say whether the ordinary stream came whole."""
    if len(trace.exchanges) < 2:
        return Finding(holds=False, detail="no second request was made")
    exchanged = trace.exchanges[1]
    if trace.marked_ns("refused"):
        what = exchanged.head.line if exchanged.head else exchanged.client_end or "silence"
        detail = (
            f"right after a stream was cancelled, another request did not reach the upstream: its client got {what}"
        )
        return Finding(holds=False, detail=detail)
    if exchanged.problem or exchanged.units < exchanged.expected_units or exchanged.client_end in {"cut", "hang"}:
        why = exchanged.problem or f"{exchanged.units} of {exchanged.expected_units} units, ending: {exchanged.ending}"
        return Finding(holds=False, detail=f"right after a stream was cancelled, another one did not come right: {why}")
    took_ms = (exchanged.attempts_ns[0] - trace.marked_ns("next")) / 1e6 if exchanged.attempts_ns else 0.0
    return Finding(
        holds=True,
        detail="right after a stream was cancelled, another one came whole",
        facts={"next_arrived_ms": round(took_ms, 3)},
    )


async def drive_half_close(stand: Stand) -> None:
    """Close the client's sending side in the middle of an answer; then go on, if the proxy does."""
    client, up = await stand.ask()
    await up.read_body(stand.limit_s)
    answer = stand.talk.answer()
    await begin(stand, client, up, answer)
    stand.mark("half-close")
    await client.half_close()
    await up.wait_left(min(AWHILE_S, stand.limit_s))
    stand.mark("on")
    texts = stand.talk.tokens(3, start=EVENTS)
    await stand.flow(client, up, [*(answer.text(text) for text in texts), answer.close()])


def judge_half_close(trace: Trace) -> Finding:
    """Say what the proxy made of it."""
    exchanged = trace.exchange
    is_whole = exchanged.units >= exchanged.expected_units and not exchanged.problem
    facts: dict[str, object] = {"goes_on": is_whole}
    if is_whole:
        return Finding(None, "a client that closes its sending side alone still gets the rest of the answer", facts)
    if exchanged.left_ns:
        facts["left_ms"] = round((exchanged.left_ns - trace.marked_ns("half-close")) / 1e6, 3)
        detail = f"the proxy takes it for a client that has left: it left the upstream after {facts['left_ms']} ms"
        return Finding(None, detail, facts)
    return Finding(None, f"the answer did not come to its end: {exchanged.ending}", facts)


CASES: Final[tuple[Case, ...]] = (
    Case(
        id="cancel.flow",
        levels=levels("must", "must"),
        rule="A client that leaves while chunks flow ends the upstream's request: nobody pays for what nobody reads.",
        bugs=("http-party/node-http-proxy#1582", "BerriAI/litellm#13774", "vitejs/vite#12157"),
        drive=cancelling("flow"),
        judge=judge_cancel,
        endings=frozenset(),
    ),
    Case(
        id="cancel.idle",
        levels=levels("must", "must"),
        rule="A client that leaves while the upstream is silent ends the upstream's request, without waiting for more.",
        bugs=("haproxy/haproxy#1505", "scaleapi/scale-agentex#383", "phpple/caddy2-cn-doc#7", "maximhq/bifrost#3164"),
        drive=cancelling("idle"),
        judge=judge_cancel,
        endings=frozenset(),
    ),
    Case(
        id="cancel.ttft",
        levels=levels("must", "must"),
        rule="A client that leaves before the answer has begun ends the upstream's request: prompts cost, too.",
        bugs=("BerriAI/litellm#31499", "1rgs/claude-code-proxy#114", "haproxy/haproxy#2344"),
        drive=cancelling("ttft"),
        judge=judge_cancel,
        endings=frozenset(),
    ),
    Case(
        id="cancel.rst",
        levels=levels("must", "must"),
        rule="A client that resets its connection ends the upstream's request, with the next chunk at the latest.",
        bugs=("http-party/node-http-proxy#158", "chimurai/http-proxy-middleware#678"),
        drive=cancelling("either", "rst"),
        judge=judge_cancel,
        endings=frozenset(),
    ),
    Case(
        id="cancel.then-next",
        levels=levels("must", "must"),
        rule="Right after a cancelled stream another one passes: what a client leaves behind blocks nobody.",
        bugs=("theroyallab/tabbyAPI#428",),
        drive=drive_then_next,
        judge=judge_then_next,
        endings=frozenset(),
    ),
    Case(
        id="cancel.half-close",
        levels=levels("info", "info"),
        rule="Recorded: whether a client that closes only its sending side still gets the rest, or counts as gone.",
        drive=drive_half_close,
        judge=judge_half_close,
        endings=frozenset(),
    ),
    Case(
        id="cancel.nonstream",
        levels=levels("should", "should"),
        rule="A client that leaves before the answer to a request for no stream ends the upstream's request as well.",
        bugs=("BerriAI/litellm#30244", "vllm-project/vllm#9428"),
        drive=cancelling("ttft", stream=False),
        judge=judge_cancel,
        endings=frozenset(),
    ),
)
