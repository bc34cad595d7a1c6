"""limit: long lines, long heads and very many events get through; or it is seen that they do not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from streamkit.contract.case import Case, Drive, levels
from streamkit.contract.content import Part
from streamkit.contract.cutting import judge_whole, whole
from streamkit.contract.lockstep import joined
from streamkit.contract.verdicts import Finding, Level
from streamkit.http.wire import response_head

if TYPE_CHECKING:
    from streamkit.contract.content import Talk
    from streamkit.contract.stand import Stand
    from streamkit.contract.trace import Pairs, Trace

__all__ = ["CASES"]

LINES: Final[dict[str, tuple[int, Level]]] = {
    "64k": (64 << 10, "must"),
    "128k": (128 << 10, "must"),
    "512k": (512 << 10, "must"),
    "1m": (1 << 20, "should"),
    "2m": (2 << 20, "should"),
}
"""The usual limits, and how binding it is that lines a little longer than they pass."""

BESIDE_BYTES: Final = 16
"""How much shorter and longer than the limit the two lines are. Who counts the line's end too is met as well."""

HEADS: Final = {"8k": 8 << 10, "16k": 16 << 10, "32k": 32 << 10}

BELOW_BYTES: Final = 64
"""How much shorter a head is than the buffer that it has to fit in."""

FIELD_BYTES: Final = 1000

EVENTS_OF_A_WRITE: Final = 500


def line_of(talk: Talk, size_bytes: int) -> str:
    """Return the text of a token whose line is about so long in the upstream's dialect."""
    answer = talk.answer()
    answer.open()
    longest = max(map(len, answer.text("x").data.splitlines()))
    return "x" * (size_bytes - longest + 1)


def long_line(size_bytes: int) -> Drive:
    """Return a drive that sends two lines, a little shorter and a little longer than this, among small ones."""

    async def drive(stand: Stand) -> None:
        talk = stand.talk
        sizes = (size_bytes - BESIDE_BYTES, size_bytes + BESIDE_BYTES)
        stand.trace.facts["shorter_bytes"], stand.trace.facts["longer_bytes"] = sizes
        client, up = await stand.ask()
        await up.respond("chunked", media_type=talk.media_type)
        answer = talk.answer()
        first, second, third = talk.tokens(3)
        below, above = (line_of(talk, size) for size in sizes)
        parts = [answer.open(), *map(answer.text, (first, below, second, above, third)), answer.close()]
        await stand.flow(client, up, parts)

    return drive


def judge_line(trace: Trace) -> Finding:
    """Say whether both lines came, and what followed them."""
    exchanged = trace.exchange
    below, above = (trace.facts[name] for name in ("shorter_bytes", "longer_bytes"))
    facts = {"shorter_bytes": below, "longer_bytes": above}
    reason = whole(exchanged)
    if not reason:
        return Finding(holds=True, detail=f"lines of {below} and {above} bytes came whole", facts=facts)
    arrived = [bool(piece.came_ns) for piece in exchanged.pieces]
    lost = f"a line of {below} bytes" if not all(arrived[:3]) else f"one of {above} bytes, after one of {below} bytes"
    what = lost if not all(arrived[:5]) else f"what follows lines of {below} and {above} bytes"
    return Finding(holds=False, detail=f"{what} did not come: {reason}", facts=facts)


def long_head(size_bytes: int) -> Drive:
    """Return a drive that answers with a head of this size, less `BELOW_BYTES`, in fields of `FIELD_BYTES`."""

    async def drive(stand: Stand) -> None:
        client, up = await stand.ask()
        # What `respond` says itself is not much longer than this.
        room = size_bytes - BELOW_BYTES - len(response_head(200, [("Content-Type", stand.talk.media_type)])) - 48
        fields: Pairs = []
        while room > 0:
            name = f"X-Streamkit-Filler-{len(fields)}"
            value = "f" * max(1, min(FIELD_BYTES, room) - len(name) - len(": \r\n"))
            fields.append((name, value))
            room -= len(name) + len(value) + len(": \r\n")
        stand.trace.facts["fields"] = len(fields) if stand.setting.by_bytes else 0
        await up.respond("chunked", media_type=stand.talk.media_type, headers=fields)
        await stand.flow(client, up, stand.talk.parts(5))

    return drive


def judge_head(trace: Trace) -> Finding:
    """Say whether the answer came, and, where heads are to be left alone, its fields."""
    exchanged = trace.exchange
    sent = exchanged.sent_head
    size_bytes = 0 if sent is None else len(response_head(sent.status, sent.headers))
    facts: dict[str, object] = {"head_bytes": size_bytes}
    if reason := whole(exchanged):
        return Finding(holds=False, detail=f"an answer whose head has {size_bytes} bytes: {reason}", facts=facts)
    wanted = trace.facts.get("fields", 0)
    got = [] if exchanged.head is None else exchanged.head.headers
    came = sum(name.lower().startswith("x-streamkit-filler-") for name, _ in got)
    if wanted and came != wanted:
        return Finding(holds=False, detail=f"{came} of {wanted} long fields of the head came", facts=facts)
    return Finding(holds=True, detail=f"an answer whose head has {size_bytes} bytes came whole", facts=facts)


async def drive_events(stand: Stand) -> None:
    """Send very many events, many of them in a write."""
    client, up = await stand.ask()
    await up.respond("chunked", media_type=stand.talk.media_type)
    count = stand.setting.sizes.events
    stand.trace.facts["events"] = count
    answer = stand.talk.answer()

    def event(number: int) -> Part:
        return Part(b'data: {"n":%d}\n\n' % number) if stand.setting.by_bytes else answer.text(f"{number} ")

    async def send() -> None:
        await up.send(answer.open())
        for start in range(0, count, EVENTS_OF_A_WRITE):
            numbers = range(start, min(count, start + EVENTS_OF_A_WRITE))
            await up.send(joined(map(event, numbers)))
        await up.send(answer.close())
        await up.finish()

    await stand.to_the_end(client, up, send)


def judge_events(trace: Trace) -> Finding:
    """Say whether they all came."""
    found = judge_whole(trace)
    count = trace.facts.get("events")
    detail = f"all of {count} events came" if found.holds else f"of {count} events: {found.detail}"
    return Finding(found.holds, detail, {"events": count})


CASES: Final = (
    *(
        Case(
            id=f"limit.line.{name}",
            levels=levels(level, level),
            rule=f"Lines a little shorter and a little longer than {size_bytes} bytes pass: tool calls have them.",
            bugs=(
                *("infiniflow/ragflow#15381", "openai/openai-go#368", "mark3labs/mcp-go#61", "cloudwego/hertz#1441"),
                *("aio-libs/aiohttp#4453", "open-webui/open-webui#24928", "sgl-project/sglang#7301"),
            ),
            drive=long_line(size_bytes),
            judge=judge_line,
        )
        for name, (size_bytes, level) in LINES.items()
    ),
    *(
        Case(
            id=f"limit.head.{name}",
            levels=levels("must", "must"),
            rule=f"An answer passes whose head has nearly {size_bytes} bytes: cookies, policies and traces need them.",
            bugs=("maximhq/bifrost#4264",),
            drive=long_head(size_bytes),
            judge=judge_head,
        )
        for name, size_bytes in HEADS.items()
    ),
    Case(
        id="limit.events.1e5",
        levels=levels("must", "must"),
        rule="An answer of a hundred thousand events passes whole.",
        bugs=(),
        drive=drive_events,
        judge=judge_events,
        bound_s=120.0,
    ),
)
