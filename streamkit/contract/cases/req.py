"""req: requests get through: piece by piece, without a body, with an expectation, with a large head."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, Literal

from streamkit.contract.case import Case, levels
from streamkit.contract.cases.req_body import BODY, differs
from streamkit.contract.trace import Head, Pairs, Trace
from streamkit.contract.verdicts import Ending, Finding
from streamkit.http.wire import chunk, last_chunk

if TYPE_CHECKING:
    from streamkit.contract.client_end import ClientEnd
    from streamkit.contract.content import Asked
    from streamkit.contract.stand import Stand
    from streamkit.contract.upstream_end import UpstreamEnd

__all__ = ["CASES"]

PADDINGS: Final = (64, 64, 5000, 64, 20_000, 64)
"""How many characters of the message come before each mark: small pieces, and some that are longer than a buffer."""

HELD_WAIT_S: Final = 0.1
"""How long a piece that is held is waited for after each further one. It only says how exact the figure is."""

HEAD_LENGTH_BYTES: Final = 1234
"""The Content-Length of an answer to HEAD."""

LARGE_FIELDS: Final[Pairs] = [(f"X-Large-{number}", f"{number}" * 4096) for number in range(1, 9)]
"""32 KiB, in fields that none of the usual limits of a single field stops."""

Upload = Literal["cl", "chunked"]

UPLOADS: Final[dict[Upload, str]] = {"cl": "with Content-Length", "chunked": "chunked"}


def mark_of(number: int) -> str:
    """Return what stands at the end of a piece: the upstream has the piece when it has that, however it came."""
    return f"[mark {number}]"


def padded(stand: Stand) -> Asked:
    """Return a request of the client's dialect whose message has the marks in it."""
    text = "".join(f" {'x' * size} {mark_of(number)}" for number, size in enumerate(PADDINGS, 1))
    return stand.talk.request(padding=text)


def cut_up(body: bytes) -> list[bytes]:
    """Cut a body behind each of its marks; the last piece is what comes behind all of them."""
    pieces, begin = [], 0
    for number in range(1, len(PADDINGS) + 1):
        mark = mark_of(number).encode()
        end = body.index(mark, begin) + len(mark)
        pieces.append(body[begin:end])
        begin = end
    return [*pieces, body[begin:]]


async def receive_mark(up: UpstreamEnd, number: int) -> None:
    """Read the request's body until the mark is there, or it ends."""
    mark = mark_of(number).encode()
    while mark not in up.exchanged.request_body and await up.receive_body() is not None:
        pass


async def has_mark(stand: Stand, up: UpstreamEnd | None, number: int, within_s: float) -> bool:
    """Tell whether the upstream has a piece, in time."""
    if up is None:
        return False
    await stand.within(within_s, partial(receive_mark, up, number))
    return mark_of(number).encode() in up.exchanged.request_body


async def upload(stand: Stand, framing: Upload) -> None:
    """Send a request piece by piece: each one once the upstream has the one before it. Then have it answered."""
    asked = padded(stand)
    pieces = cut_up(asked.body)
    if framing == "chunked":
        asked = asked.with_headers(("Transfer-Encoding", "chunked"))
    facts = stand.trace.facts
    client = await stand.connect()
    exchanged = stand.begin(client, asked)
    await client.send_request(asked, with_body=False)
    up: UpstreamEnd | None = None
    held, behind_bytes = 0, 0
    is_there = False
    for number, piece in enumerate(pieces[:-1], 1):
        await client.send(chunk(piece) if framing == "chunked" else piece)
        if not held:
            up = up or await stand.try_arrive(client)
            if await has_mark(stand, up, number, stand.limit_s):
                stand.mark(f"{framing}: the upstream has piece {number}")
                continue
            held = number
            facts[f"{framing}_held_piece"] = held
            stand.mark(f"{framing}: piece {number} was not there in time")
        elif not is_there and not exchanged.client_end:
            behind_bytes += len(piece)
            up = up or await stand.again(client, HELD_WAIT_S)
            is_there = await has_mark(stand, up, held, HELD_WAIT_S)
    facts[f"{framing}_behind_bytes"] = behind_bytes if is_there else None
    await client.send(chunk(pieces[-1]) + last_chunk() if framing == "chunked" else pieces[-1])
    up = up or await stand.try_arrive(client)
    if up is None:
        facts[f"{framing}_problem"] = refusal_of(client)
        return
    facts[f"{framing}_problem"] = await taken(stand, up, asked)
    await answer(stand, client, up)


async def taken(stand: Stand, up: UpstreamEnd, asked: Asked) -> str:
    """Read the rest of a request, and say what is wrong with it."""
    body = await up.read_body(stand.limit_s)
    if stand.setting.by_bytes:
        return differs(asked.body, body)
    lost = [number for number in range(1, len(PADDINGS) + 1) if mark_of(number).encode() not in body]
    return f"of the message's {len(PADDINGS)} pieces {len(lost)} were lost" if lost else ""


def refusal_of(client: ClientEnd) -> str:
    """Say what a client got whose request did not get through."""
    head = client.exchanged.head
    return "it did not get through" if head is None else f"it was refused: {head.status}"


async def answer(stand: Stand, client: ClientEnd, up: UpstreamEnd) -> None:
    """Give a short answer to the end."""
    await up.respond("chunked", media_type=stand.talk.media_type)
    await stand.flow(client, up, stand.talk.parts(2))


async def drive_stream(stand: Stand) -> None:
    """Send one request with a length, and a chunked one."""
    for framing in UPLOADS:
        await upload(stand, framing)


def judge_stream(trace: Trace) -> Finding:
    """Say whether each piece was at the upstream before the next one was sent."""
    facts = {name: value for name, value in trace.facts.items() if value not in {"", None}}
    count = len(PADDINGS)
    said = []
    for framing, words in UPLOADS.items():
        problem, held = facts.get(f"{framing}_problem"), facts.get(f"{framing}_held_piece")
        if problem:
            said.append(f"{words}: {problem}")
        elif held:
            behind = facts.get(f"{framing}_behind_bytes")
            until = "the request was whole" if behind is None else f"about {behind} more bytes had been sent"
            said.append(f"{words}, piece {held} of {count} was held until {until}")
    if said:
        return Finding(holds=False, detail=f"a request that is sent slowly: {'; '.join(said)}", facts=facts)
    detail = f"each of {count} pieces of a request was at the upstream before the next one was sent, in both framings"
    return Finding(holds=True, detail=detail, facts=facts)


async def drive_duplex(stand: Stand) -> None:
    """Answer a request of which only the beginning has been sent."""
    asked = padded(stand)
    first, *rest = cut_up(asked.body)
    asked = asked.with_headers(("Transfer-Encoding", "chunked"))
    facts = stand.trace.facts
    client = await stand.connect()
    stand.begin(client, asked)
    await client.send_request(asked, with_body=False)
    await client.send(chunk(first))
    up = await stand.try_arrive(client)
    facts["is_streamed"] = await has_mark(stand, up, 1, stand.limit_s)
    opening, *others = stand.talk.parts(3)
    if facts["is_streamed"] and up is not None:
        await up.respond("chunked", media_type=stand.talk.media_type)
        facts["is_duplex"] = await stand.deliver(client, up, opening) and await stand.deliver(client, up, others.pop(0))
    await client.send(b"".join(map(chunk, rest)) + last_chunk())
    up = up or await stand.try_arrive(client)
    if up is None:
        facts["problem"] = refusal_of(client)
        return
    facts["problem"] = await taken(stand, up, asked)
    if facts["is_streamed"]:
        await stand.flow(client, up, others)
    else:
        await answer(stand, client, up)


def judge_duplex(trace: Trace) -> Finding:
    """Record whether an answer may begin before its request has ended."""
    facts = trace.facts
    if not facts.get("is_streamed"):
        said = "a request is collected before it is passed on, so that no answer can begin earlier"
    elif facts.get("is_duplex"):
        said = "an answer passes while its request is still being sent"
    else:
        said = "an answer that begins before its request has ended is held"
    problem = facts.get("problem")
    return Finding(None, f"{said}; {problem}" if problem else said, dict(facts))


async def drive_head(stand: Stand) -> None:
    """Ask with HEAD, and then with POST on the same connection."""
    facts = stand.trace.facts
    client, up = await stand.ask(stand.talk.request("HEAD"))
    is_get = facts["is_asked_as_get"] = up.line.line.startswith("GET ")
    await up.respond("cl", media_type="application/json", size_bytes=HEAD_LENGTH_BYTES)
    if is_get:
        await up.write(b" " * HEAD_LENGTH_BYTES)
    facts["is_held"] = await client.head(stand.limit_s) is None
    await up.finish()
    await client.rest(stand.limit_s)
    if client.is_reusable:
        _, up_then = await stand.try_ask(client=client)
        facts["is_next_answered"] = False
        if up_then is not None:
            await answer(stand, client, up_then)
            facts["is_next_answered"] = client.exchanged.ending is Ending.COMPLETE


def judge_head(trace: Trace) -> Finding:
    """Say whether the head came whole, without its body and without waiting for one."""
    exchanged = trace.exchange
    head = exchanged.head
    problems = []
    if trace.facts.get("is_held"):
        problems.append("the head was held as if a body had to come")
    if head is None:
        problems.append("no head came")
    else:
        length = head.get("content-length")
        if length != str(HEAD_LENGTH_BYTES):
            problems.append(f"Content-Length: {HEAD_LENGTH_BYTES} came as {length}")
        if exchanged.excess or exchanged.body_bytes:
            problems.append(f"{len(exchanged.excess) or exchanged.body_bytes} bytes of a body came behind it")
    if trace.facts.get("is_next_answered") is False:
        problems.append("the next request on this connection was not answered")
    if problems:
        return Finding(holds=False, detail=f"an answer to HEAD: {'; '.join(problems)}")
    return Finding(holds=True, detail="an answer to HEAD came at once, with its Content-Length and no body")


async def drive_expect(stand: Stand) -> None:
    """Wait for a 100 before the body is sent, and send it anyway at the limit, as clients do."""
    asked = padded(stand).with_headers(("Expect", "100-continue"))
    facts = stand.trace.facts
    client = await stand.connect()
    exchanged = stand.begin(client, asked)
    await client.send_request(asked, with_body=False)
    arrived: list[UpstreamEnd] = []

    async def upstream() -> None:
        """Ask for the body as soon as the head is there."""
        if (up := await stand.again(client, float("inf"))) is not None:
            arrived.append(up)
            await up.read_body(float("inf"))

    async def wait_and_send() -> None:
        facts["is_continued"] = await client.next_head(stand.limit_s)
        if exchanged.head is None:
            stand.mark("body")
            await client.send(asked.body)

    await stand.beside(wait_and_send, upstream)
    if exchanged.head is not None:
        facts["refused"] = exchanged.head.status
        await client.rest(stand.limit_s)
        return
    up = arrived[0] if arrived else await stand.try_arrive(client)
    if up is None:
        facts["problem"] = refusal_of(client)
        return
    facts["is_expected_upstream"] = up.line.get("expect") is not None
    facts["problem"] = await taken(stand, up, asked)
    await answer(stand, client, up)


def judge_expect(trace: Trace) -> Finding:
    """Say whether the client was told to go on, and the body came through."""
    facts = {name: value for name, value in trace.facts.items() if value not in {"", None}}
    if refused := facts.get("refused"):
        detail = f"Expect: 100-continue is refused with {refused}: a client has to ask again without it"
        return Finding(refused == 417, detail, facts, is_implemented=refused != 417)
    problems = []
    if not facts.get("is_continued"):
        problems.append("no 100 came, and a client that waits for it hangs")
    if problem := facts.get("problem"):
        problems.append(str(problem))
    if problems:
        return Finding(holds=False, detail=f"Expect: 100-continue: {'; '.join(problems)}", facts=facts)
    who = "the upstream" if facts.get("is_expected_upstream") else "the proxy itself"
    detail = f"Expect: 100-continue was answered with 100, for {who} said so, and the body came through"
    return Finding(holds=True, detail=detail, facts=facts)


async def drive_large_head(stand: Stand) -> None:
    """Ask with a large head."""
    client, up = await stand.try_ask(stand.talk.request(headers=LARGE_FIELDS))
    if up is None:
        stand.trace.facts["problem"] = refusal_of(client)
        return
    stand.trace.facts["by_bytes"] = stand.setting.by_bytes
    await up.read_body(stand.limit_s)
    await answer(stand, client, up)


def judge_large_head(trace: Trace) -> Finding:
    """Say whether the request got through with all of its fields; a gateway may leave out what it does not know."""
    size = sum(len(name) + len(value) + 4 for name, value in LARGE_FIELDS)
    if problem := trace.facts.get("problem"):
        return Finding(holds=False, detail=f"a request with a head of {size} bytes and more: {problem}")
    asked = trace.exchange.attempts[0] if trace.exchange.attempts else Head(0, "", [])
    lost = [name for name, value in LARGE_FIELDS if asked.get(name) != value]
    if lost and trace.facts.get("by_bytes"):
        return Finding(holds=False, detail=f"of a head of {size} bytes and more {len(lost)} fields were lost")
    return Finding(holds=True, detail=f"a request with a head of {size} bytes and more got through")


CASES: Final[tuple[Case, ...]] = (
    Case(
        id="req.stream",
        levels=levels("should", "should"),
        rule="A request is passed on as it comes: an upload that is collected first begins late, and is all in memory.",
        bugs=("cloudflare/cloudflared#1385", "mitmproxy/mitmproxy#5060"),
        drive=drive_stream,
        judge=judge_stream,
    ),
    Case(
        id="req.duplex",
        levels=levels("info", "info"),
        rule="Whether an answer may begin before its request has ended.",
        drive=drive_duplex,
        judge=judge_duplex,
        endings=frozenset(),
    ),
    BODY,
    Case(
        id="req.head",
        levels=levels("must", None),
        rule="An answer to HEAD keeps its Content-Length, and no body is waited for or sent.",
        bugs=("elazarl/goproxy#11", "elazarl/goproxy#339"),
        drive=drive_head,
        judge=judge_head,
    ),
    Case(
        id="req.expect",
        levels=levels("must", "must"),
        rule="A client that waits for 100 Continue gets it in time, and its body gets through.",
        bugs=("kgateway-dev/kgateway#14480",),
        drive=drive_expect,
        judge=judge_expect,
        endings=frozenset({Ending.COMPLETE, Ending.VISIBLE}),
    ),
    Case(
        id="req.large-head",
        levels=levels("should", "should"),
        rule="A request with 32 KiB of headers gets through: traces, tokens and cookies add up.",
        drive=drive_large_head,
        judge=judge_large_head,
        endings=frozenset({Ending.COMPLETE, Ending.VISIBLE}),
    ),
)
