"""lat: how much later each piece is for the proxy, and whether a timer holds it.

Lockstep does not see a piece that comes late by itself: a proxy that corks small writes passes all of `flush`, and adds
200 ms to every token. So pieces go one by one, each when the one before it is there and a gap is over, and their times
are held against those past the proxy. The time of arrival is the kernel's where it tells one.

A plateau is what a timer makes, and work does not: half of the pieces or more within `NARROW` of the same time, at two
gaps or more, far above the run past the proxy. A timer that begins with the piece adds the same at each gap; one that
goes round by its own clock, or began with the piece before, adds less the longer the gap was. Both are looked for. What
is spread widely is no plateau, however late it is: the machine may be busy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from streamkit.contract.case import Case, levels
from streamkit.contract.content import Meter
from streamkit.contract.trace import Trace
from streamkit.contract.verdicts import Finding

if TYPE_CHECKING:
    from streamkit.contract.client_end import ClientEnd
    from streamkit.contract.content import Answer
    from streamkit.contract.stand import Stand
    from streamkit.contract.upstream_end import UpstreamEnd

__all__ = ["CASES", "Plateau", "plateau_of"]

WARM_UP: Final = 20
"""Pieces that are not counted: while a connection is new, the kernel acknowledges at once, and nothing waits for it."""

PAIRS: Final = 200
"""Pieces through the proxy, and as many past it, for `lat.added`."""

BLOCK: Final = 25
"""How many of them go one way before some go the other: what disturbs the machine disturbs both."""

AT_A_GAP: Final = 20
SPENT_MS: Final = 150
"""How many pieces are sent with each gap between them, at most, and about how long that takes; `LEAST` in any case."""

BUDGET_S: Final = 0.8
"""After this time a gap is left, if three pieces were measured: with a timer of 200 ms they take long enough."""

LEAST: Final = 3
"""Fewer times than this say nothing about their spread."""

ENOUGH: Final = 8
"""A plateau of fewer times, all of its gaps together, may be chance: there are gaps with no more than three."""

LATE: Final = 10
"""Pieces to a client that acknowledges late, as other systems than Linux do: only to them Nagle's algorithm shows. That
is said, and not judged: which client a proxy has is not its fault."""

NARROW: Final = 0.1
"""How far times of one plateau may be from each other, as a share of them: the reference's 10 %."""

FLOOR_MS: Final = 10.0
"""What is less than this may be work, or waiting for a processor (a turn takes 3 ms or 4), and is no timer's."""

FAR_ABOVE: Final = 3.0
"""A plateau is this many times the run past the proxy at the same time, or the machine itself is late; and this many
times the way to the proxy, or it is only far away."""

KNOWN_MS: Final[dict[int, str]] = {
    40: "a delayed acknowledgement, which Nagle's algorithm waits for: TCP_NODELAY is not set",
    100: "a flush timer of 100 ms",
    200: "a corked socket (TCP_CORK or MSG_MORE), which the kernel lets go after 200 ms",
    250: "a flush timer of 250 ms",
}


@dataclass
class Path:
    """An answer that goes on, through the proxy or past it."""

    client: ClientEnd
    up: UpstreamEnd
    answer: Answer
    sent: int = 0


async def open_path(stand: Stand, *, direct: bool) -> Path:
    """Ask, and begin an answer."""
    began_ns = stand.now_ns()
    client = await stand.connect(direct=direct)
    connected_ns = stand.now_ns()
    # Past the proxy the client gets the upstream's dialect: there it is a matter of bytes.
    _, up = await stand.ask(client=client, meter=Meter() if direct else None)
    if not direct:
        times = (connected_ns - began_ns, client.exchanged.attempts_ns[0] - connected_ns)
        stand.trace.facts["distance_ns"] = min(times)
    await up.read_body(stand.limit_s)
    await up.respond("chunked", media_type=stand.talk.media_type)
    path = Path(client, up, stand.talk.answer())
    await stand.deliver(client, up, path.answer.open())
    return path


async def ping(stand: Stand, path: Path) -> int:
    """Send a token, wait for it, and return how long it took, in ns; 0 where it did not come in time."""
    part = path.answer.text(stand.talk.tokens(1, start=path.sent)[0])
    path.sent += 1
    client, up = path.client, path.up
    piece = up.expect(part)
    data = up.framed(part.data)
    piece.sent_ns = stand.now_ns()  # before the write: past the proxy the piece is there when the write returns
    await up.write(data, units=piece.units)
    await client.until(piece.units, stand.limit_s)
    return max(1, piece.came_ns - piece.sent_ns) if piece.came_ns else 0


async def ping_proxy(stand: Stand, path: Path) -> int:
    """Do as `ping` does; where the token does not come, keep silent for a second span, and note what becomes of it."""
    taken_ns = await ping(stand, path)
    exchanged = path.client.exchanged
    if not taken_ns and not exchanged.problem:
        piece = exchanged.pieces[-1]
        await path.client.until(piece.units, stand.limit_s)
        stand.trace.facts["missing_token"] = path.sent
        stand.trace.facts["missing_came_ns"] = piece.came_ns - piece.sent_ns if piece.came_ns else 0
    return taken_ns


async def close_path(stand: Stand, path: Path) -> None:
    """End the answer."""
    await path.up.send(path.answer.close())
    await path.up.finish()
    await path.client.rest(stand.limit_s)


async def drive_added(stand: Stand) -> None:
    """Send pieces through the proxy and past it, by turns."""
    proxied, direct = await open_path(stand, direct=False), await open_path(stand, direct=True)
    times: dict[str, list[int]] = {"proxied_ns": [], "direct_ns": []}
    stand.trace.facts.update(times)
    began_ns = stand.now_ns()
    for number in range(WARM_UP):
        if not await ping_proxy(stand, proxied):
            return
        await ping(stand, direct)
        if number >= LEAST and stand.now_ns() - began_ns > BUDGET_S * 1e9:
            break
    began_ns = stand.now_ns()
    while len(times["proxied_ns"]) < PAIRS:
        for path, each, into in (
            (proxied, ping_proxy, times["proxied_ns"]),
            (direct, ping, times["direct_ns"]),
        ):
            for _ in range(BLOCK):
                if not (taken_ns := await each(stand, path)):
                    return
                into.append(taken_ns)
                if len(into) >= LEAST and stand.now_ns() - began_ns > BUDGET_S * 1e9:
                    break
        if stand.now_ns() - began_ns > BUDGET_S * 1e9:
            break
    await close_path(stand, proxied)
    await close_path(stand, direct)


async def drive_plateau(stand: Stand) -> None:
    """Send pieces with several gaps between them, through the proxy, and at each gap some past it."""
    proxied, direct = await open_path(stand, direct=False), await open_path(stand, direct=True)
    by_gap: dict[int, list[int]] = {}
    past: dict[int, list[int]] = {}
    stand.trace.facts["proxied_by_gap_ns"], stand.trace.facts["direct_by_gap_ns"] = by_gap, past
    began_ns = stand.now_ns()
    for number in range(WARM_UP):
        if not await ping_proxy(stand, proxied):
            return
        if number >= LEAST and stand.now_ns() - began_ns > BUDGET_S * 1e9:
            break
    for gap_ms in stand.setting.sizes.gaps_ms:
        began_ns = stand.now_ns()
        times = by_gap[gap_ms] = []
        past[gap_ms] = []
        for _ in range(max(LEAST, min(AT_A_GAP, SPENT_MS // max(1, gap_ms)))):
            if gap_ms:
                await stand.sleep(gap_ms / 1000)
            if not (taken_ns := await ping_proxy(stand, proxied)):
                return
            times.append(taken_ns)
            past[gap_ms].append(await ping(stand, direct))
            if len(times) >= LEAST and stand.now_ns() - began_ns > BUDGET_S * 1e9:
                break
    late: list[int] = []
    stand.trace.facts["late_ns"] = late
    began_ns = stand.now_ns()
    while len(late) < LATE and (len(late) < LEAST or stand.now_ns() - began_ns < BUDGET_S * 1e9):
        stand.acknowledge_late(proxied.client)
        if not (taken_ns := await ping_proxy(stand, proxied)):
            return
        late.append(taken_ns)
    await close_path(stand, proxied)
    await close_path(stand, direct)


def quantile(times: Sequence[float], share: float) -> float:
    """Return the value below which this share of the times is, the nearest one that was measured."""
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def judge_added(trace: Trace) -> Finding:
    """Record what the proxy adds."""
    proxied, direct = times_in(trace, "proxied_ns"), times_in(trace, "direct_ns")
    if missing := missing_of(trace):
        return replace(missing, holds=None)
    if len(proxied) < LEAST or len(direct) < LEAST:
        return Finding(None, "nothing could be measured: pieces do not come one by one")
    facts: dict[str, object] = {
        f"{name}_{label}_us": round(quantile(times, share) / 1000, 1)
        for name, times in (("proxied", proxied), ("direct", direct))
        for label, share in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99))
    }
    added_us = (quantile(proxied, 0.5) - quantile(direct, 0.5)) / 1000
    facts |= {"added_p50_us": round(added_us, 1), "pieces": len(proxied)}
    detail = (
        f"a piece takes {facts['proxied_p50_us']} us (p99 {facts['proxied_p99_us']}) through the proxy and "
        f"{facts['direct_p50_us']} us (p99 {facts['direct_p99_us']}) past it: {added_us:.0f} us are the proxy's"
    )
    return Finding(None, detail, facts)


def missing_of(trace: Trace) -> Finding | None:
    """Say what became of a token that was not there in time; None where each of them was."""
    number, came_ns = trace.facts.get("missing_token"), trace.facts.get("missing_came_ns")
    if not isinstance(number, int) or not isinstance(came_ns, int):
        return None
    facts: dict[str, object] = {"missing_token": number}
    if came_ns:
        detail = f"token {number} came {came_ns / 1e6:.0f} ms late, although nothing else was sent meanwhile"
        return Finding(holds=False, detail=detail, facts=facts | {"delay_ms": round(came_ns / 1e6, 1)}, is_late=True)
    detail = f"token {number} never came, although those before it had come one by one: it is held back"
    return Finding(holds=False, detail=detail, facts=facts)


def times_in(trace: Trace, name: str) -> list[int]:
    """Return the times that a drive has measured."""
    times = trace.facts.get(name)
    return times if isinstance(times, list) else []


@dataclass(frozen=True)
class Plateau:
    """Where the times are, whatever the gap.

    Attributes:
        ms: the timer's time.
        gaps_ms: the gaps at which it shows.
        is_clock: whether it was running already when the piece came, so that a gap takes away from the wait.
    """

    ms: float
    gaps_ms: tuple[int, ...]
    is_clock: bool

    @property
    def sentence(self) -> str:
        """What it means, for people."""
        near = min(KNOWN_MS, key=lambda known: abs(known - self.ms))
        name = f", as of {KNOWN_MS[near]}" if abs(self.ms - near) <= NARROW * near else ""
        how = "wait for a clock of" if self.is_clock else "are held for"
        gaps = ", ".join(map(str, self.gaps_ms))
        return f"pieces {how} {self.ms:.0f} ms{name} (at gaps of {gaps} ms between them)"


def plateau_of(proxied: dict[int, list[int]], direct: dict[int, list[int]], *, distance_ns: int = 0) -> Plateau | None:
    """Return the plateau in these times (in ns, by gap in ms), the one that the most gaps show. Pure.

    `distance_ns` is how far away the proxy is: it took at most so long to connect to it, and to get a request through
    it. Whatever holds answers has no part in that.
    """
    found: list[Plateau] = []
    for is_clock in (False, True):
        centres = {}
        for gap_ms, times_ns in proxied.items():
            shift_ms = gap_ms if is_clock else 0
            times = [each / 1e6 + shift_ms for each in times_ns]
            waits = [each / 1e6 for each in times_ns]
            past = [max(each, distance_ns) / 1e6 for each in direct.get(gap_ms, []) if each]
            if len(times) >= LEAST and is_late(waits, past) and is_narrow(times):
                centres[gap_ms] = quantile(times, 0.5)
        for centre in centres.values():
            gaps = tuple(gap for gap, each in centres.items() if abs(each - centre) <= NARROW * centre)
            if len(gaps) > 1 and sum(len(proxied[gap]) for gap in gaps) >= ENOUGH:
                found.append(Plateau(quantile([centres[gap] for gap in gaps], 0.5), gaps, is_clock))
    return max(found, key=lambda each: (len(each.gaps_ms), not each.is_clock), default=None)


def is_late(waits_ms: Sequence[float], past_ms: Sequence[float]) -> bool:
    """Tell whether pieces wait for longer than work takes, and than the machine makes them wait anyway."""
    middle = quantile(waits_ms, 0.5)
    return middle >= FLOOR_MS and (not past_ms or middle >= FAR_ABOVE * quantile(past_ms, 0.9))


def is_narrow(times_ms: Sequence[float]) -> bool:
    """Tell whether the middle half of the times is all the same, but for a tenth."""
    return quantile(times_ms, 0.75) - quantile(times_ms, 0.25) <= NARROW * quantile(times_ms, 0.5)


def by_gap_in(trace: Trace, name: str) -> dict[int, list[int]]:
    """Return the times by gap that a drive has measured."""
    times = trace.facts.get(name)
    return times if isinstance(times, dict) else {}


def judge_plateau(trace: Trace) -> Finding:
    """Say whether a timer holds pieces."""
    proxied, direct = by_gap_in(trace, "proxied_by_gap_ns"), by_gap_in(trace, "direct_by_gap_ns")
    if missing := missing_of(trace):
        return missing
    measured = {gap: times for gap, times in proxied.items() if len(times) >= LEAST}
    if not measured:
        return Finding(None, "nothing could be measured: pieces do not come one by one")
    facts: dict[str, object] = {
        f"gap_{gap}_ms_p50_ms": round(quantile(times, 0.5) / 1e6, 3) for gap, times in measured.items()
    }
    distance_ns = trace.facts.get("distance_ns")
    found = plateau_of(proxied, direct, distance_ns=distance_ns if isinstance(distance_ns, int) else 0)
    late = [each / 1e6 for each in times_in(trace, "late_ns")]
    nagle = ""
    if len(late) >= LEAST:
        facts["late_acknowledged_p50_ms"] = round(quantile(late, 0.5), 3)
        if found is None and quantile(late, 0.5) >= FLOOR_MS:
            nagle = f"; to a client that acknowledges late a piece takes {quantile(late, 0.5):.0f} ms ({KNOWN_MS[40]})"
    if found is not None:
        facts |= {"plateau_ms": round(found.ms, 1), "gaps_ms": list(found.gaps_ms), "is_clock": found.is_clock}
        return Finding(holds=False, detail=found.sentence, facts=facts)
    slowest = max(quantile(times, 0.5) for times in measured.values()) / 1e6
    detail = f"no timer holds a piece, at gaps of 0 to {max(measured)} ms: the slowest gap's p50 is {slowest:.2f} ms"
    return Finding(holds=True, detail=f"{detail}{nagle}", facts=facts)


CASES: Final[tuple[Case, ...]] = (
    Case(
        id="lat.added",
        levels=levels("info", "info"),
        rule="How much later a piece is for the proxy, as p50 and p99, held against the way past it.",
        drive=drive_added,
        judge=judge_added,
        needs=("flush.sse.chunked",),
        group="alone",
    ),
    Case(
        id="lat.plateau",
        levels=levels("should", "should"),
        rule="No timer holds pieces: corks, delayed acknowledgements and flush timers show as one time for all.",
        bugs=("caddyserver/caddy#677", "caddyserver/caddy#1972"),
        drive=drive_plateau,
        judge=judge_plateau,
        needs=("flush.sse.chunked",),
        group="alone",
    ),
)
