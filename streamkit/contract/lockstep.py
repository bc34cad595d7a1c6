"""Lockstep: the upstream does not send piece N+1 before the client holds piece N. What then never comes is held back.

A piece that is not there in time is looked into. Silence goes on for a second span: what comes in it was delayed by a
timer. Then more is sent, piece by piece: what comes only now was buffered, and how much it took, and how much came at
once, say how much the proxy holds. Then the answer ends: what comes only now was held until the end. The rest is lost.

`lockstep` and `drive_lockstep` do this; `contract.diagnosis` reads out of the trace what it means.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import TYPE_CHECKING, Final

from streamkit.contract.case import Drive
from streamkit.contract.content import Asked, Part
from streamkit.contract.diagnosis import Diagnosis, diagnosis_of, judge_lockstep
from streamkit.contract.trace import Lockstep

if TYPE_CHECKING:
    from streamkit.contract.client_end import ClientEnd
    from streamkit.contract.stand import Stand
    from streamkit.contract.upstream_end import Framing, UpstreamEnd

__all__ = ["Diagnosis", "Source", "diagnosis_of", "drive_lockstep", "joined", "judge_lockstep", "lockstep"]

STEPS: Final = ((8 << 10, 256), (16 << 10, 1 << 10), (80 << 10, 4 << 10), (1 << 20, 64 << 10))
"""What is sent to see what comes out: in all up to so many bytes, in steps of so many. They are a sixteenth or less of
the usual buffers (4, 8, 16, 64 KiB)."""

COUNTED_BYTES: Final = 80 << 10
"""The same in an answer with a Content-Length, which has to be sent whole even where nothing was held."""

LONG_S: Final = 2.0
"""So long the pieces of a long run go one by one: with a timer in the way each of them takes a time of its own."""

GROUP: Final = 12
"""So many of them go in one from then on. They are less than the smallest of the usual buffers."""

FILLER_WAIT_S: Final = 0.03
"""How long each of them is waited for. It only decides how exact a buffer's size is."""


@dataclass(frozen=True)
class Source:
    """What is sent in lockstep.

    Attributes:
        parts: the pieces in order.
        filler: makes a piece of about so many bytes that may follow them; None where nothing may.
        closing: makes what ends the content, after which no filler can be made; None where the last part does.
        reserve: fillers that are sent in any case, because a Content-Length has promised them.
        longer: makes pieces that follow the parts in lockstep, for as long as that takes no time (`LONG_S`) one by one;
            not where a Content-Length is given.
        pauses_s: how long there is silence before a piece, by its number from 1.
    """

    parts: Sequence[Part]
    filler: Callable[[int], Part] | None = None
    closing: Callable[[], Part] | None = None
    reserve: Sequence[Part] = ()
    longer: Callable[[], Iterable[Part]] | None = None
    pauses_s: Mapping[int, float] = field(default_factory=dict)

    def counted(self) -> Source:
        """Return it as what a Content-Length can be given for: all that will ever be sent is made."""
        if self.filler is None:
            return self
        reserve = [self.filler(size) for size in _steps(COUNTED_BYTES)]
        # The last byte is the end of such an answer, so it is not one that something may be learned from before.
        closing = self.closing or reserve.pop
        last = closing()
        return Source(self.parts, None, lambda: last, reserve)

    @property
    def size_bytes(self) -> int:
        """How much all of it is, where it is counted."""
        last = [] if self.closing is None else [self.closing()]
        return sum(len(part.data) for part in (*self.parts, *self.reserve, *last))

    def fillers(self) -> Iterable[Part]:
        """Return what may be sent to see what comes out; made as it is asked for."""
        return self.reserve if self.filler is None else map(self.filler, _steps(STEPS[-1][0]))


def _step_after(sent_bytes: int) -> int:
    return next((step for until, step in STEPS if sent_bytes < until), STEPS[-1][1])


def _steps(size_bytes: int) -> Iterator[int]:
    """Yield the sizes of pieces that are so much together."""
    sent_bytes = 0
    while sent_bytes < size_bytes:
        step = _step_after(sent_bytes)
        yield step
        sent_bytes += step


def _in_steps(parts: Iterable[Part]) -> Iterator[Part]:
    """Cut pieces that are larger than the step that is due. Their text goes with their last one."""
    sent_bytes = 0
    for part in parts:
        data = part.data
        while len(data) > 2 * (step := _step_after(sent_bytes)):
            yield Part(data[:step])
            data = data[step:]
            sent_bytes += step
        yield Part(data, part.text)
        sent_bytes += len(data)


def joined(parts: Iterable[Part]) -> Part:
    """Return several pieces as one."""
    parts = list(parts)
    return Part(b"".join(part.data for part in parts), "".join(part.text for part in parts))


def lockstep(
    source: Callable[[Stand], Source],
    *,
    framing: Framing = "chunked",
    asked: Callable[[Stand], Asked] | None = None,
    media_type: str = "",
    headers: Sequence[tuple[str, str]] = (),
    offers_gzip: bool = False,
) -> Drive:
    """Return a drive that asks, and sends `source` in lockstep.

    Args:
        source: what is sent.
        framing: how its body ends.
        asked: the request; by default the dialect's usual one.
        media_type: the answer's; by default the dialect's own.
        headers: of the answer, besides.
        offers_gzip: whether the client says that it takes gzip, and undoes it.
    """

    async def drive(stand: Stand) -> None:
        content = source(stand).counted() if framing == "cl" else source(stand)
        request = asked(stand) if asked else stand.talk.request()
        client = await stand.connect()
        if offers_gzip:
            client.accept_coding()
            request = request.with_headers(("Accept-Encoding", "gzip"))
        _, up = await stand.ask(request, client=client)
        await up.respond(
            framing,
            media_type=media_type or stand.talk.media_type,
            headers=headers,
            size_bytes=content.size_bytes if framing == "cl" else 0,
        )
        await drive_lockstep(stand, client, up, content)

    return drive


async def drive_lockstep(stand: Stand, client: ClientEnd, up: UpstreamEnd, source: Source) -> None:
    """Send everything in lockstep, to the end of the answer; where a piece does not come, find out why."""
    steps = client.exchanged.lockstep = Lockstep(len(source.parts))
    parts = iter(source.parts)
    rest, fillers = _in_steps(parts), iter(source.fillers())
    longer = _longer(stand, stand.now_ns() + int(LONG_S * 1e9), source.longer() if source.longer is not None else ())
    for number, part in enumerate(chain(parts, longer), 1):
        steps.planned = max(steps.planned, number)
        if pause_s := source.pauses_s.get(number):
            await stand.sleep(pause_s)
        if not await stand.deliver(client, up, part):
            steps.piece = number
            if await _has_waited(stand, client, up):
                if (following := next(parts, None)) is not None:
                    # One more: it has the timer's whole span to wait, where the first may have come in its midst.
                    await stand.deliver(client, up, following, within_s=2 * stand.limit_s)
            elif steps.filler_ns:
                await _send_more(stand, client, up, chain(rest, fillers))
            break
    steps.has_ended_early = bool(client.exchanged.client_end)

    async def end() -> None:
        # What was promised, or stands before the closing, is sent at once: nothing is to be learned from it any more.
        if left := [*rest, *(fillers if source.filler is None else ())]:
            await up.send(joined(left), "filler")
        if up.framing == "cl":
            steps.ending_ns = stand.now_ns()
        if source.closing is not None:
            await up.send(source.closing(), "closing")
            if steps.filler_ns and up.framing != "cl":
                await stand.sleep(FILLER_WAIT_S)  # or what the closing brings out would seem to come with the end
        steps.ending_ns = steps.ending_ns or stand.now_ns()
        stand.mark("the answer ends")
        await up.finish()

    await stand.to_the_end(client, up, end)


def _longer(stand: Stand, end_ns: int, parts: Iterable[Part]) -> Iterator[Part]:
    """Yield the pieces one by one until a time, and then some in one."""
    each = iter(parts)
    while group := [*islice(each, 1 if stand.now_ns() < end_ns else GROUP)]:
        yield joined(group)


async def _has_waited(stand: Stand, client: ClientEnd, up: UpstreamEnd) -> bool:
    """Keep silent for a second span, and tell whether the piece that is missing came in it."""
    exchanged, steps = client.exchanged, client.exchanged.lockstep
    if steps is None or exchanged.problem or exchanged.client_end:
        return False
    steps.limit_ns, steps.limit_units = stand.now_ns(), client.meter.units
    stand.mark(f"piece {steps.piece} was not there in time; nothing more is sent")
    if await client.until(up.exchanged.expected_units, stand.limit_s):
        return True
    if not (exchanged.problem or exchanged.client_end):
        steps.filler_ns = stand.now_ns()
        stand.mark("more is sent, to see what comes out")
    return False


async def _send_more(stand: Stand, client: ClientEnd, up: UpstreamEnd, more: Iterator[Part]) -> None:
    """Send more and more, until the piece that is missing comes."""
    exchanged, steps, wanted = client.exchanged, client.exchanged.lockstep, up.exchanged.expected_units
    for part in more:
        await stand.deliver(client, up, part, within_s=FILLER_WAIT_S, mark="filler")
        if steps is not None and client.meter.units >= wanted:
            await client.until(up.exchanged.expected_units, FILLER_WAIT_S)
            steps.released_units, steps.released_of_units = client.meter.units, up.exchanged.expected_units
            await _send_as_much(stand, client, up, more)
            return
        if up.is_gone or exchanged.client_end or exchanged.problem:
            return


async def _send_as_much(stand: Stand, client: ClientEnd, up: UpstreamEnd, more: Iterator[Part]) -> None:
    """Send as much at once as it took, and see whether it brings something out at once: time may have done it.

    A timer that is longer than two spans ends while more is sent, and looks like a buffer. Only what then comes in a
    silence again, and not before it, is one.
    """
    exchanged, steps = client.exchanged, client.exchanged.lockstep
    if steps is None or exchanged.problem or exchanged.client_end:
        return
    missing = [piece for piece in exchanged.pieces if not piece.mark][-1]
    took_s = (missing.came_ns - missing.begun_ns) / 1e9
    size_bytes = sum(piece.size_bytes for piece in exchanged.pieces if piece.begun_ns >= missing.begun_ns)
    size_bytes += exchanged.pieces[-1].size_bytes  # for what it collects besides: heads, sizes of chunks
    burst: list[Part] = []
    while sum(len(part.data) for part in burst) < size_bytes and (part := next(more, None)) is not None:
        burst.append(part)
    is_enough = sum(len(part.data) for part in burst) >= size_bytes  # or what does not come says nothing
    before = client.meter.units
    stand.mark("as much again is sent at once")
    await stand.within(stand.limit_s, lambda: stand.while_reading(client, lambda: up.send(joined(burst), "filler")))
    if is_enough and not await client.until(before + 1, stand.limit_s):
        stand.mark("nothing more is sent")
        steps.is_timed = await client.until(before + 1, 2 * took_s)
