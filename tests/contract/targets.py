"""Targets that misbehave, for the tests of the harness: each is a function that answers one request. On loopback.

`relay` is the good one: it asks the upstream on a connection of its own and passes on what comes. The others refuse,
lie, remember, crash, or are late.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

import trio

from streamkit.contract.case import Case, levels
from streamkit.contract.open import open_runner, open_upstream
from streamkit.contract.runner import Runner
from streamkit.contract.setting import Setting
from streamkit.contract.stand import NotForwarded, Stand
from streamkit.contract.trace import Trace
from streamkit.contract.verdicts import Finding
from streamkit.http.background import background
from streamkit.http.exchange import Exchange
from streamkit.http.limits import Limits
from streamkit.http.listener import open_listeners
from streamkit.http.origin import parse_origin
from streamkit.http.server import serve
from streamkit.http.tls import TLSListener
from streamkit.http.wire import response_head

PATIENCE_S: Final = 30

LIMITS: Final = Limits(linger_timeout_s=0.2)


@dataclass
class Target:
    """One target, while it runs.

    Attributes:
        port: where its upstream listens.
        asked: how many requests came.
        now, most: how many are answered now, and were at most.
        doomed: cancelled where the target crashes.
    """

    port: int
    asked: int = 0
    now: int = 0
    most: int = 0
    notes: dict[str, object] = field(default_factory=dict)
    doomed: trio.CancelScope = field(default_factory=trio.CancelScope)


Answer = Callable[[Target, Exchange], Awaitable[None]]


async def relay(
    target: Target,
    exchange: Exchange,
    *,
    path: str = "",
    drops: Sequence[str] = (),
    rewrite: Callable[[bytes], bytes] = lambda body: body,
) -> None:
    """Pass the request on, and the answer back byte by byte.

    Args:
        target: which.
        exchange: the request.
        path: instead of the request's own.
        drops: headers that do not get through.
        rewrite: what becomes of the body.
    """
    body = rewrite(await exchange.read_body())
    request = exchange.request
    gone = {"connection", "content-length", "transfer-encoding", *drops}
    lines = [f"{request.method} {path or request.target} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in request.headers if name.lower() not in gone]
    lines += ["Connection: close", f"Content-Length: {len(body)}", "", ""]
    exchange.keep_alive = False
    async with await trio.open_tcp_stream("127.0.0.1", target.port) as upstream:
        await upstream.send_all("\r\n".join(lines).encode("latin-1") + body)
        async for data in upstream:
            await exchange.stream.send_all(data)


async def reply(exchange: Exchange, status: int, body: bytes = b"", fields: Sequence[tuple[str, str]] = ()) -> None:
    """Answer by itself."""
    await exchange.read_body()
    await exchange.stream.send_all(response_head(status, [*fields, ("Content-Length", str(len(body)))]) + body)


def always(status: int, body: bytes = b"", fields: Sequence[tuple[str, str]] = ()) -> Answer:
    """Never ask the upstream."""

    async def answer(_: Target, exchange: Exchange) -> None:
        await reply(exchange, status, body, fields)

    return answer


async def close(_: Target, exchange: Exchange) -> None:
    """Close every connection."""
    exchange.keep_alive = False


async def be_silent(_target: Target, _exchange: Exchange) -> None:
    """Listen, and never say anything."""
    await trio.sleep_forever()


@asynccontextmanager
async def running(
    answer: Answer, *, port: int = 0, upstream_port: int = 1, tls: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[Target, str]]:
    """Run a target while the block runs; gives it and its URL. One that crashes comes back where `notes` say so."""
    listeners = await open_listeners(port)
    place = listeners[0].port
    target = Target(upstream_port)

    async def handle(exchange: Exchange) -> None:
        target.asked += 1
        target.now += 1
        target.most = max(target.most, target.now)
        try:
            await answer(target, exchange)
        finally:
            target.now -= 1

    async def live() -> None:
        nonlocal listeners
        while True:
            served = listeners if tls is None else [TLSListener(each, tls) for each in listeners]
            with trio.CancelScope() as target.doomed:
                await serve(served, handle, limits=LIMITS)
            back_s = target.notes.get("back_s")
            if not isinstance(back_s, float):
                return
            await trio.sleep(back_s)
            listeners = await open_listeners(place)

    async with background() as nursery:
        nursery.start_soon(live)  # the listeners are there already: who connects before it runs waits
        yield target, f"{'http' if tls is None else 'https'}://127.0.0.1:{place}"


@asynccontextmanager
async def facing(answer: Answer, limit_s: float = 2.0, **options: object) -> AsyncIterator[tuple[Runner, Target]]:
    """A runner for a target that can ask our upstream."""
    with trio.fail_after(PATIENCE_S):
        async with (
            open_upstream() as (hub, place),
            running(answer, upstream_port=place.port) as (target, url),
            open_runner(setting_of(url, limit_s, **options), hub=hub, upstream=place) as runner,
        ):
            yield runner, target


def setting_of(url: str, limit_s: float = 2.0, **options: object) -> Setting:
    """A setting for that target."""
    return Setting(parse_origin(url), limit_s=limit_s, **options)  # type: ignore[arg-type]  # tests name real ones


# ------------------------------------------------------------------------------------------------------------- cases


async def ask_once(stand: Stand, *headers: tuple[str, str], status: int = 200) -> None:
    """Ask, and get an answer."""
    client, up = await stand.ask(stand.talk.request(headers=list(headers)))
    await up.read_body(stand.limit_s)
    await up.respond(status=status)
    await stand.flow(client, up, stand.talk.parts(3))


async def ask_and_abort(stand: Stand) -> None:
    """Ask, and have the upstream break off."""
    client, up = await stand.ask()
    await up.read_body(stand.limit_s)
    await up.respond("chunked")
    await stand.deliver(client, up, stand.talk.parts(1)[0])
    up.end("reset")
    await client.rest(stand.limit_s)


async def ask_anyhow(stand: Stand) -> None:
    """Ask, where it is the case's point whether that gets through."""
    try:
        await ask_once(stand)
    except NotForwarded:
        stand.trace.facts["refused"] = True


def judge_whole(trace: Trace) -> Finding:
    """Everything came."""
    exchanged = trace.exchange
    is_whole = exchanged.client_end == "complete" and exchanged.units == exchanged.expected_units > 0
    return Finding(is_whole and not exchanged.problem, exchanged.problem or f"{exchanged.units} units came")


def judge_any(_: Trace) -> Finding:
    """Whatever happened is right."""
    return Finding(holds=True, detail="it was driven")


def row(case_id: str, drive: Callable[[Stand], Awaitable[None]] = ask_once, **options: object) -> Case:
    """A case; by default an ordinary request."""
    fields: dict[str, object] = {"judge": judge_whole, "endings": frozenset(), "bound_s": 5.0, **options}
    return Case(id=case_id, levels=levels("must", "must"), rule="A rule.", drive=drive, **fields)  # type: ignore[arg-type]


def with_header(name: str, value: str = "yes") -> Callable[[Stand], Awaitable[None]]:
    """A drive whose request has a header that the target knows."""

    async def drive(stand: Stand) -> None:
        await ask_once(stand, (name, value))

    return drive


def abort_row(case_id: str = "last.abort") -> Case:
    """A case in which the upstream fails."""
    return row(case_id, ask_and_abort, judge=judge_any, group="last")


ORDINARY: Final = tuple(row(f"ordinary.{number}") for number in range(6))
