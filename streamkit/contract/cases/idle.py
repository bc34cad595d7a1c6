"""idle and duration: a stream that is silent, that is read slowly, or that lasts long, is not cut.

All of it takes minutes, and runs only when it is asked for. `Sizes` has the seconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from streamkit.contract.case import Case, Judge, levels
from streamkit.contract.content import Part
from streamkit.contract.sse_forms import is_sse
from streamkit.contract.trace import Trace
from streamkit.contract.verdicts import Finding

if TYPE_CHECKING:
    from streamkit.contract.client_end import ClientEnd
    from streamkit.contract.stand import Stand
    from streamkit.contract.upstream_end import UpstreamEnd

__all__ = ["CASES"]

COMMENT: Final = Part(b": keep-alive\n\n")

SLOW_READS: Final = 200
"""How many reads a slow reader makes in its time: enough for what waits before it to move every ten seconds, although
kernels make room by the megabyte. About 140 KB/s where its time is 65 s."""

SLOW_PIECES: Final = 1536
SLOW_PIECE_BYTES: Final = 16_384
"""24 MiB together: more than it reads, and what lies between both ends besides, so that everything waits for it."""

RECEIVE_BYTES: Final = 32_768
"""How much the kernel takes in for a reader that is slow."""

DURATION_PIECE_S: Final = 1.0
"""Between two pieces of a stream that lasts long; less where it lasts less than ten of them."""


async def begin(stand: Stand, *, receive_bytes: int = 0) -> tuple[ClientEnd, UpstreamEnd]:
    """Ask, and send the head of the answer."""
    client = await stand.connect(receive_bytes=receive_bytes)
    _, up = await stand.ask(client=client)
    await up.read_body(stand.limit_s)
    await up.respond("chunked", media_type=stand.talk.media_type)
    return client, up


async def wait(stand: Stand, client: ClientEnd, seconds: float) -> None:
    """Wait, with the client reading; not longer than its stream lasts."""
    await client.until(client.meter.units + 1, seconds)
    note_lasting(stand, client)


def note_lasting(stand: Stand, client: ClientEnd) -> None:
    """Note how long the stream has lasted so far, or did when it ended."""
    since_ns = stand.trace.marked_ns("stream")
    stand.trace.facts["lasted_s"] = round((stand.now_ns() - since_ns) / 1e9, 3)
    stand.trace.facts["is_cut"] = bool(client.exchanged.client_end)


async def drive_silence(stand: Stand) -> None:
    """Send a piece, nothing for a long time, and the rest."""
    client, up = await begin(stand)
    first, *rest = stand.talk.parts(2)
    await stand.deliver(client, up, first)
    stand.mark("stream")
    await wait(stand, client, stand.setting.sizes.idle_s)
    await stand.flow(client, up, rest)


async def drive_heartbeat(stand: Stand) -> None:
    """Send a piece, nothing but heartbeats for a longer time than the silence lasts, and the rest."""
    sizes = stand.setting.sizes
    client, up = await begin(stand)
    first, *rest = stand.talk.parts(2)
    await stand.deliver(client, up, first)
    stand.mark("stream")
    for _ in range(int(1.25 * sizes.idle_s / sizes.heartbeat_s)):
        await wait(stand, client, sizes.heartbeat_s)
        if client.exchanged.client_end:
            break
        await stand.deliver(client, up, COMMENT)
    await stand.flow(client, up, rest)


async def drive_slow_reader(stand: Stand) -> None:
    """Send as much as is taken to a client that reads a little now and then; in the end it reads all."""
    client, up = await begin(stand, receive_bytes=RECEIVE_BYTES)
    answer = stand.talk.answer()
    stand.mark("stream")

    async def send() -> None:
        await up.send(answer.open())
        for number in range(SLOW_PIECES):
            await up.send(answer.text(f"{number:08}".ljust(SLOW_PIECE_BYTES, "x")))
        await up.send(answer.close())
        await up.finish()

    async def read() -> None:
        for _ in range(SLOW_READS):
            await stand.sleep(stand.setting.sizes.idle_s / SLOW_READS)
            await stand.within(stand.limit_s, client.read)
            if client.exchanged.client_end:
                break
        note_lasting(stand, client)
        await client.rest(stand.limit_s)

    await stand.together(send, read)


async def drive_duration(stand: Stand) -> None:
    """Send a piece now and then for a long time."""
    duration_s = stand.setting.sizes.duration_s
    every_s = min(DURATION_PIECE_S, duration_s / 10)
    client, up = await begin(stand)
    answer = stand.talk.answer()
    await stand.deliver(client, up, answer.open())
    stand.mark("stream")
    for token in stand.talk.tokens(int(duration_s / every_s)):
        await wait(stand, client, every_s)
        if client.exchanged.client_end or not await stand.deliver(client, up, answer.text(token)):
            break
    note_lasting(stand, client)
    await stand.flow(client, up, [answer.close()])


def judge_lasting(what: str) -> Judge:
    """Return a judge that says whether the stream came whole.

    Args:
        what: it did all the time, for people.
    """

    def judge(trace: Trace) -> Finding:
        exchanged = trace.exchange
        lasted_s = trace.facts.get("lasted_s", 0)
        facts: dict[str, object] = {"lasted_s": lasted_s}
        if trace.facts.get("is_cut"):
            detail = f"a stream that {what} was cut after {lasted_s} s ({exchanged.client_end})"
        elif exchanged.problem:
            detail = f"a stream that {what} came wrong: {exchanged.problem}"
        elif exchanged.units < exchanged.expected_units:
            came = f"{exchanged.units} of {exchanged.expected_units}"
            detail = f"a stream that {what} for {lasted_s} s was not delivered afterwards: {came} units came"
        else:
            return Finding(holds=True, detail=f"a stream that {what} for {lasted_s} s came whole", facts=facts)
        return Finding(holds=False, detail=detail, facts=facts)

    return judge


CASES: Final[tuple[Case, ...]] = (
    Case(
        id="idle.60s",
        levels=levels("should", "should"),
        rule="A stream that is silent for a minute goes on: models think for longer than that.",
        bugs=("NVIDIA/NemoClaw#3210", "skyflo-ai/skyflo#46", "harness/harness#1293", "stellar/go-stellar-sdk#376"),
        drive=drive_silence,
        judge=judge_lasting("was silent"),
        is_slow=True,
        bound_s=150.0,
    ),
    Case(
        id="idle.heartbeat",
        levels=levels("should", "should"),
        rule="Heartbeats keep a stream alive that has nothing to say for more than a minute.",
        bugs=("NVIDIA/NemoClaw#3210", "harness/harness#1293"),
        drive=drive_heartbeat,
        judge=judge_lasting("had nothing but heartbeats"),
        is_slow=True,
        applies=is_sse,
        bound_s=180.0,
    ),
    Case(
        id="idle.slow-reader",
        levels=levels("should", "should"),
        rule="A stream whose client reads slowly is not taken for an idle one.",
        bugs=("envoyproxy/envoy#34035",),
        drive=drive_slow_reader,
        judge=judge_lasting("was read slowly"),
        is_slow=True,
        bound_s=180.0,
    ),
    Case(
        id="duration.120s",
        levels=levels("should", "should"),
        rule="A stream that flows for two minutes is not cut: a limit for requests is none for streams.",
        bugs=("envoyproxy/envoy#8662", "envoyproxy/envoy#17845", "nstapelbroek/envoy-swarm-control-plane#16"),
        drive=drive_duration,
        judge=judge_lasting("flowed"),
        is_slow=True,
        bound_s=240.0,
    ),
)
