"""The cases of `bytes` that are about whole answers: many bytes, many events, several in one write, the very end."""

from __future__ import annotations

import re
from random import Random
from typing import TYPE_CHECKING, Final

from streamkit.contract.case import Case, levels
from streamkit.contract.content import Part
from streamkit.contract.cutting import judge_whole, whole
from streamkit.contract.lockstep import joined
from streamkit.contract.trace import Trace
from streamkit.contract.upstream_end import FRAMINGS
from streamkit.contract.verdicts import Ending, Finding

if TYPE_CHECKING:
    from streamkit.contract.stand import Stand
    from streamkit.contract.upstream_end import Framing

__all__ = ["MERGE", "NO_FINAL_NEWLINE", "ORDER", "RANDOM", "SLOW_CLIENT"]

CHUNK_BYTES: Final = (1, 2, 3, 7, 100, 1000, 4096, 8191, 16385)
"""Besides any number up to `MAX_CHUNK_BYTES`."""

MAX_CHUNK_BYTES: Final = 70_000

OTHERS_SHARE: Final = 4
"""What part of the chunked body those in other framings are."""

MERGED: Final = (1, 2, 3, 5, 8, 13, 40)

SEQUENCE: Final = 2000

SLOW_BYTES: Final = 1 << 20

SLOW_PART_BYTES: Final = 16 << 10

SLOW_WRITE_BYTES: Final = 15_000

SLOW_READ_GAP_S: Final = 0.004


async def drive_random(stand: Stand) -> None:
    """Send random bytes in each framing, as long as they come; most of them chunked."""
    size_bytes = stand.setting.sizes.random_bytes
    for framing in FRAMINGS:
        await send_random(stand, framing, size_bytes if framing == "chunked" else size_bytes // OTHERS_SHARE)
        if whole(stand.trace.exchanges[-1]):
            stand.trace.subject = len(stand.trace.exchanges) - 1
            return


async def send_random(stand: Stand, framing: Framing, size_bytes: int) -> None:
    """Send random bytes in random chunks, in writes that know nothing of them."""
    client, up = await stand.ask()
    await up.respond(framing, media_type="application/octet-stream", size_bytes=size_bytes)
    random = Random(f"{stand.setting.seed}:{framing}")
    body = memoryview(random.randbytes(size_bytes))
    wire, at = bytearray(), 0
    while at < len(body):
        size = random.choice((*CHUNK_BYTES, random.randint(1, MAX_CHUNK_BYTES)))
        part = Part(bytes(body[at : at + size]))
        up.expect(part)
        wire += up.framed(part.data)
        at += size

    async def write() -> None:
        begin, view = 0, memoryview(wire)
        while begin < len(view):
            size = random.randint(1, 2 * MAX_CHUNK_BYTES)
            if not await up.write(bytes(view[begin : begin + size])):
                return
            begin += size
        await up.finish()

    await stand.to_the_end(client, up, write)


async def drive_merge(stand: Stand) -> None:
    """Send several events in one write, more each time; all of them have to come."""
    client, up = await stand.ask()
    await up.respond("chunked", media_type=stand.talk.media_type)
    answer = stand.talk.answer()
    opening, start = [answer.open()], 0
    for count in MERGED:
        texts = stand.talk.tokens(count, start=start)
        if not await stand.deliver(client, up, joined([*opening, *map(answer.text, texts)])):
            break
        opening, start = [], start + count
    # The last ones come together with the end of the answer.
    last = [answer.text(text) for text in stand.talk.tokens(3, start=start)]
    await stand.flow(client, up, [joined([*last, answer.close()])])


async def drive_no_final_newline(stand: Stand) -> None:
    """End an answer without the newlines that stand behind its last record."""
    stand.trace.facts["by_bytes"] = stand.setting.by_bytes
    client, up = await stand.ask()
    await up.respond("chunked", media_type=stand.talk.media_type)
    *parts, last = stand.talk.parts(5)
    await stand.flow(client, up, [*parts, Part(last.data.rstrip(b"\r\n"), last.text)])


def judge_no_final_newline(trace: Trace) -> Finding:
    """Say whether all bytes came; of a gateway, whether all of the text did, and an end that one can see."""
    found = judge_whole(trace)
    if found.holds and trace.facts.get("by_bytes") and trace.exchange.ending is not Ending.COMPLETE:
        return Finding(holds=False, detail=f"all bytes came, but the ending is {trace.exchange.ending}")
    return found


async def drive_order(stand: Stand) -> None:
    """Send numbered events, now one in a write and now some, as fast as they are taken."""
    client, up = await stand.ask()
    await up.respond("chunked", media_type=stand.talk.media_type)
    answer = stand.talk.answer()
    random = Random(stand.setting.seed)
    numbered = iter([answer.open(), *(answer.text(f"n{number}. ") for number in range(SEQUENCE))])
    parts = []
    while batch := [part for part, _ in zip(numbered, range(random.randint(1, 20)), strict=False)]:
        parts.append(joined(batch))
    await stand.flow(client, up, [*parts, answer.close()])


def disorder_of(body: bytes) -> str:
    """Say what is the matter with the sequence of numbers in a body; empty where nothing is."""
    seen: set[int] = set()
    for wanted, number in enumerate(map(int, re.findall(rb"n(\d+)\. ", body))):
        if number in seen:
            return f"event {number} came twice"
        if number != wanted:
            return f"event {wanted} did not come in its place: there was event {number}"
        seen.add(number)
    return "" if len(seen) == SEQUENCE else f"only the first {len(seen)} of {SEQUENCE} events came"


def judge_order(trace: Trace) -> Finding:
    """Say whether each event came once, in its order."""
    found = judge_whole(trace)
    if found.holds:
        return Finding(holds=True, detail=f"each of {SEQUENCE} numbered events came once, in order", facts=found.facts)
    told = disorder_of(bytes(trace.exchange.body))
    return Finding(found.holds, f"{told}; {found.detail}" if told else found.detail, found.facts)


async def drive_slow_client(stand: Stand) -> None:
    """Let the upstream send all, end, and close; then let the client read on, slowly."""
    client, up = await stand.ask()
    up.exchange.keep_alive = False
    await up.respond("chunked", media_type=stand.talk.media_type)
    answer = stand.talk.answer()
    texts = ("".join(f"{at}.{number} " for number in range(SLOW_PART_BYTES // 8)) for at in range(1 << 20))
    parts, size_bytes = [answer.open()], 0
    while size_bytes < SLOW_BYTES:
        parts.append(answer.text(next(texts)))
        size_bytes += len(parts[-1].data)
    answered = joined([*parts, answer.close()])
    sent_bytes = [0]

    async def send() -> None:
        # Cut where no event ends; what is expected is there from the first on, which only makes it come early.
        for at in range(0, len(answered.data), SLOW_WRITE_BYTES):
            part = Part(answered.data[at : at + SLOW_WRITE_BYTES], "" if at else answered.text)
            sent_bytes[0] += (await up.send(part)).size_bytes
        await up.finish()

    async def wait() -> None:
        await stand.settled(lambda: sent_bytes[0], stand.limit_s)
        stand.trace.facts["sent_before_reading_bytes"] = sent_bytes[0]

    await stand.to_the_end(client, up, send, first=wait, gap_s=SLOW_READ_GAP_S)


def judge_slow_client(trace: Trace) -> Finding:
    """Say whether the tail came."""
    reason = whole(trace.exchange)
    facts = {name: trace.facts[name] for name in ("sent_before_reading_bytes",) if name in trace.facts}
    if reason:
        return Finding(holds=False, detail=reason, facts=facts)
    detail = f"all of {trace.exchange.expected_units} bytes came to a client that began to read when they had been sent"
    return Finding(holds=True, detail=detail, facts=facts)


RANDOM: Final = Case(
    id="bytes.random",
    levels=levels("must", None),
    rule="Random bytes in random chunks and writes come as they were sent, however the answer's end is told.",
    drive=drive_random,
    judge=judge_whole,
)

MERGE: Final = Case(
    id="bytes.event-merge",
    levels=levels("must", "must"),
    rule="Several events in one write all come: a read is no event.",
    bugs=("jawah/urllib3.future#344",),
    drive=drive_merge,
    judge=judge_whole,
)

NO_FINAL_NEWLINE: Final = Case(
    id="bytes.no-final-newline",
    levels=levels("must", "must"),
    rule="A last record without its newlines is passed on: only who reads it in the end may discard it.",
    bugs=("openai/openai-node#2725", "google-gemini/gemini-cli#29059", "a2aproject/a2a-python#1213"),
    drive=drive_no_final_newline,
    judge=judge_no_final_newline,
    endings=frozenset({Ending.COMPLETE, Ending.VISIBLE, Ending.RESET}),
)

ORDER: Final = Case(
    id="bytes.order.seq",
    levels=levels("must", "must"),
    rule="Of many numbered events none is lost, doubled, or out of its place.",
    drive=drive_order,
    judge=judge_order,
)

SLOW_CLIENT: Final = Case(
    id="bytes.slow-client",
    levels=levels("must", "must"),
    rule="A client that reads slowly gets the tail as well, although the upstream has long ended and gone.",
    bugs=("http-party/node-http-proxy#327",),
    drive=drive_slow_client,
    judge=judge_slow_client,
)
