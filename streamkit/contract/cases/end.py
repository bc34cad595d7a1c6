"""end: an answer that breaks off never looks whole, and a whole one ends once.

A reader who cannot tell a cut answer from a finished one has lost the rest without knowing it. So the behaviour is that
what came is a prefix of what was sent, with nothing put behind it, and the ending has to be one that anybody can see.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Final

from streamkit.contract.case import Case, Drive, levels
from streamkit.contract.cases.end_judges import judge_abort, judge_abort_close, judge_before_head, judge_clean
from streamkit.contract.cases.situation import LONG_BYTES, ask_on_used, send_long
from streamkit.contract.content import Part
from streamkit.contract.verdicts import Ending

if TYPE_CHECKING:
    from streamkit.contract.client_end import ClientEnd
    from streamkit.contract.stand import Stand
    from streamkit.contract.upstream_end import Framing, UpstreamEnd

__all__ = ["CASES"]

EVENTS: Final = 3

HEAD_WAIT_S: Final = 0.1
"""How long a head alone is waited for before the upstream breaks off behind it; many proxies hold it back."""

HANG_LIMITS: Final = 3
"""After so many limits an answer that still comes, heartbeats for instance, will not end."""

VISIBLE: Final = frozenset({Ending.VISIBLE, Ending.RESET})

Break = Callable[["Stand", "ClientEnd", "UpstreamEnd"], Awaitable[None]]

Ask = Callable[["Stand"], Awaitable[tuple["ClientEnd", "UpstreamEnd"]]]

Way = tuple[str, Ask, Break | None]
"""What is different about one of the ways in which a case breaks off, how it is asked for, and how it breaks off."""


async def deliver_all(stand: Stand, client: ClientEnd, up: UpstreamEnd, parts: list[Part]) -> None:
    """Have the client hold all of these; where one is held back the rest is sent at once."""
    is_prompt = True
    for part in parts:
        if is_prompt:
            is_prompt = await stand.deliver(client, up, part)
        else:
            await up.send(part)
    if not is_prompt:
        stand.trace.facts["held_back"] = True


async def begin(
    stand: Stand, client: ClientEnd, up: UpstreamEnd, framing: Framing = "chunked", media_type: str = ""
) -> list[Part]:
    """Answer with some tokens, and return what would have been the rest."""
    parts = stand.talk.parts(EVENTS + 2)
    size_bytes = sum(len(part.data) for part in parts)
    await up.respond(framing, media_type=media_type or stand.talk.media_type, size_bytes=size_bytes)
    await deliver_all(stand, client, up, parts[: EVENTS + 1])
    return parts[EVENTS + 1 :]


async def break_mid(stand: Stand, client: ClientEnd, up: UpstreamEnd) -> None:
    """Close in the middle of a chunk, and of a record."""
    rest = await begin(stand, client, up)
    data = rest[0].data
    half = len(data) // 2
    whole = up.framed(data)
    up.expect(Part(data[:half]))
    await up.write(whole[: whole.index(b"\r\n") + 2 + half])
    up.end("closed")


async def break_boundary(stand: Stand, client: ClientEnd, up: UpstreamEnd) -> None:
    """Close behind a whole chunk, without the last one."""
    await begin(stand, client, up)
    up.end("closed")


async def break_plain(stand: Stand, client: ClientEnd, up: UpstreamEnd) -> None:
    """Close behind a whole chunk of an answer that says that it is plain text."""
    await begin(stand, client, up, media_type="text/plain")
    up.end("closed")


async def break_long(stand: Stand, client: ClientEnd, up: UpstreamEnd) -> None:
    """Close behind a whole chunk, once the client holds a lot."""
    answer = stand.talk.answer()
    await up.respond("chunked", media_type=stand.talk.media_type)
    await stand.deliver(client, up, answer.open())
    await send_long(stand, client, up, answer)
    up.end("closed")


async def break_rst(stand: Stand, client: ClientEnd, up: UpstreamEnd) -> None:
    """Reset behind a whole chunk."""
    await begin(stand, client, up)
    up.end("reset")


async def break_cl(stand: Stand, client: ClientEnd, up: UpstreamEnd) -> None:
    """Close short of the Content-Length."""
    await begin(stand, client, up, "cl")
    up.end("closed")


async def break_close(stand: Stand, client: ClientEnd, up: UpstreamEnd) -> None:
    """Close too early where closing is what ends the body."""
    await begin(stand, client, up, "close")
    up.end("closed")


async def break_after_head(stand: Stand, client: ClientEnd, up: UpstreamEnd) -> None:
    """Close behind a head that promises a body."""
    await up.respond("chunked", media_type=stand.talk.media_type)
    await client.head(min(HEAD_WAIT_S, stand.limit_s))
    up.end("closed")


async def ask(stand: Stand) -> tuple[ClientEnd, UpstreamEnd]:
    """Ask as usual."""
    return await stand.ask()


async def ask_with_get(stand: Stand) -> tuple[ClientEnd, UpstreamEnd]:
    """Ask with GET."""
    return await stand.ask(stand.talk.request("GET"))


async def ask_with_gzip(stand: Stand) -> tuple[ClientEnd, UpstreamEnd]:
    """Ask for a client that takes gzip: what compresses stands in the answer's way then, and in its end's."""
    client = await stand.connect()
    client.accept_coding()
    return await stand.ask(stand.talk.request().with_headers(("Accept-Encoding", "gzip")), client=client)


async def answer_again(stand: Stand, client: ClientEnd, up: UpstreamEnd) -> None:
    """Answer a further attempt: whole, where the client holds something already, behind which this has no place."""
    if not client.exchanged.units:
        up.end("closed")
        return
    await up.read_body(stand.limit_s)
    await up.respond("chunked", media_type=stand.talk.media_type)
    for part in stand.talk.parts_of(["another ", "answer"]):
        await up.write(up.framed(part.data), note="the answer to another attempt")
    await up.finish()


def aborted(break_off: Break | None, *others: Way) -> Drive:
    """Return a drive whose upstream breaks off like this, and then in other ways, as long as it ends well.

    Args:
        break_off: None where there is no answer at all the first time either.
        others: the other ways.
    """

    async def drive(stand: Stand) -> None:
        ways: dict[int, str] = {}
        stand.trace.facts["ways"] = ways
        for name, ask_for, break_it in (("", ask, break_off), *others):
            if (ask_for is ask_with_get or break_it is break_plain) and not stand.setting.by_bytes:
                continue  # a gateway need not know either
            stand.trace.subject = len(stand.trace.exchanges)
            await one(stand, ask_for, break_it)
            ways[stand.trace.subject] = name
            if stand.trace.exchange.ending not in VISIBLE:
                return

    async def one(stand: Stand, ask_for: Ask, break_it: Break | None) -> None:
        client, up = await ask_for(stand)
        await up.read_body(stand.limit_s)
        if break_it is None:
            up.end("closed")
        else:
            await break_it(stand, client, up)
        stand.mark("broken off")

        async def further() -> None:
            while (again := await stand.again(client, float("inf"))) is not None:
                await stand.within(stand.limit_s, partial(answer_again, stand, client, again))

        reading = partial(stand.beside, partial(client.rest, stand.limit_s), further)
        if not await stand.within(HANG_LIMITS * stand.limit_s, reading):
            client.exchanged.client_end = "hang"  # something comes again and again, but no end

    return drive


def clean(framing: Framing) -> Drive:
    """Return a drive of a whole answer in this framing, and of a second one on the same connection if that is kept."""

    async def drive(stand: Stand) -> None:
        client, up = await stand.ask()
        await answer_whole(stand, client, up, framing)
        if not client.is_reusable:
            return
        stand.mark("reuse")
        _, second = await stand.try_ask(client=client)
        if second is not None:
            await answer_whole(stand, client, second, framing)

    return drive


async def answer_whole(stand: Stand, client: ClientEnd, up: UpstreamEnd, framing: Framing) -> None:
    """Answer to the end, while the client reads."""
    parts = stand.talk.parts(EVENTS)
    await up.read_body(stand.limit_s)
    size_bytes = sum(len(part.data) for part in parts)
    await up.respond(framing, media_type=stand.talk.media_type, size_bytes=size_bytes)
    await stand.flow(client, up, parts)


LATER: Final[dict[str, tuple[Way, ...]]] = {
    "boundary": (
        (f"behind {LONG_BYTES >> 10} KiB", ask, break_long),
        ("where the client takes gzip", ask_with_gzip, break_boundary),
        ("of a GET", ask_with_get, break_boundary),
        ("of plain text", ask, break_plain),
    ),
    "rst": (("on a connection that had served an answer", ask_on_used, break_rst),),
}
"""Further ways of breaking off: who makes an abort look clean may do so for some answers only."""

ABORTS: Final[dict[str, tuple[Break, str, tuple[str, ...]]]] = {
    "mid": (
        break_mid,
        "An upstream that is gone in the middle of a chunk",
        ("ollama/ollama#18469", "NousResearch/hermes-agent#64554", "traefik/traefik#13569"),
    ),
    "boundary": (break_boundary, "An upstream that is gone between two chunks", ("vitejs/vite#20712",)),
    "rst": (break_rst, "An upstream that resets the connection", ("vitejs/vite#20712",)),
    "cl": (
        break_cl,
        "An upstream that is gone short of its Content-Length",
        ("caddyserver/caddy#7845", "caddyserver/caddy#7998", "caddyserver/caddy#8053"),
    ),
}

CLEAN: Final[dict[Framing, str]] = {
    "chunked": "A chunked answer",
    "close": "An answer that ends with the connection",
    "cl": "An answer with a Content-Length",
}

CASES: Final[tuple[Case, ...]] = (
    *(
        Case(
            id=f"end.abort.{name}",
            levels=levels("must", "must"),
            rule=f"{who} leaves an answer that is visibly cut: no clean end, no hang, nothing behind what was sent.",
            bugs=bugs,
            drive=aborted(break_off, *LATER.get(name, ())),
            judge=judge_abort,
            endings=VISIBLE,
            group="last",
        )
        for name, (break_off, who, bugs) in ABORTS.items()
    ),
    Case(
        id="end.abort.before-head",
        levels=levels("must", "must"),
        rule="An upstream that is gone before its answer is a 502 or 504, or a visible break, never an empty answer.",
        bugs=("vitejs/vite#20712", "caddyserver/caddy#7845"),
        drive=aborted(None),
        judge=judge_before_head,
        endings=VISIBLE,
        group="last",
    ),
    Case(
        id="end.abort.after-head",
        levels=levels("must", "must"),
        rule="An upstream that is gone right behind its head is a visible break, and never an empty answer.",
        bugs=("ollama/ollama#18469", "vitejs/vite#20712"),
        drive=aborted(break_after_head),
        judge=judge_before_head,
        endings=VISIBLE,
        group="last",
    ),
    Case(
        id="end.abort.close",
        levels=levels("info", "info"),
        rule="Recorded: what becomes of a cut answer that ends with its connection, as a whole one would.",
        bugs=("Mininglamp-OSS/octo-server#737",),
        drive=aborted(break_close),
        judge=judge_abort_close,
        endings=frozenset(),
        group="last",
    ),
    *(
        Case(
            id=f"end.clean.{framing}",
            levels=levels("must", "must"),
            rule=f"{what} ends once, with nothing behind it, and a connection that is kept serves the next request.",
            bugs=("maximhq/bifrost#1613",),
            drive=clean(framing),
            judge=judge_clean,
        )
        for framing, what in CLEAN.items()
    ),
)
