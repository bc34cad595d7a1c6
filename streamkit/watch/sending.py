"""How the page is answered: with a document, with a file, or with lines that go on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
import trio

from streamkit.codecs.jsontext import encode_value
from streamkit.gateway.record import Record
from streamkit.gateway.sending import send_whole
from streamkit.http.exchange import Exchange
from streamkit.http.wire import chunk, last_chunk, response_head
from streamkit.watch.following import Follow

__all__ = ["Request", "send_file", "send_json", "send_lines"]

IDLE_S: Final = 600.0
"""How long a page may take nothing of its lines; as long as other clients of a gateway, by default."""

TAKE_S: Final = 30.0
SLICE_BYTES: Final = 256 * 1024
"""How long so much of a file may take."""

HEADERS: Final = (
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
)


class Request(msgspec.Struct):
    """What the page asks, and where the answer goes."""

    exchange: Exchange
    record: Record
    drain: trio.Event


async def send_json(asked: Request, value: object, status: int = 200, *headers: tuple[str, str]) -> None:
    """Send a document."""
    told = [("Content-Type", "application/json"), *headers, *HEADERS]
    is_last = asked.drain.is_set()
    await send_whole(asked.exchange, asked.record, status, encode_value(value), told, is_last=is_last)


async def send_file(asked: Request, data: bytes, name: str) -> None:
    """Send a file, as long as the client takes of it."""
    exchange, record = asked.exchange, asked.record
    exchange.keep_alive &= not (asked.drain.is_set() or exchange.has_unread_body)
    record.status = 200
    headers = [
        ("Content-Type", "application/x-ndjson"),
        ("Content-Disposition", f'attachment; filename="{name}"'),
        *HEADERS,
        ("Content-Length", str(len(data))),
        ("Connection", "keep-alive" if exchange.keep_alive else "close"),
    ]
    out, rest = response_head(200, headers), memoryview(data)
    while out:
        with trio.move_on_after(TAKE_S) as taking:
            await exchange.stream.send_all(out)
        if taking.cancelled_caught:
            record.outcome, record.detail = "timeout", f"the page took nothing for {TAKE_S:g} s"
            exchange.keep_alive = False
            exchange.stream.abort()
            return
        out, rest = bytes(rest[:SLICE_BYTES]), rest[SLICE_BYTES:]
        record.response_bytes += len(out)


async def send_lines(asked: Request, follow: Follow, end_of: Callable[[], Awaitable[bool]] | None = None) -> None:
    """Send lines as they come, until there are no more, the client leaves, or the gateway is about to stop.

    Args:
        asked: what is answered.
        follow: sends them.
        end_of: waits, where the gateway is about to stop, for what is told of, and tells whether the lines end by that.
    """
    exchange, record = asked.exchange, asked.record
    is_chunked = exchange.request.version == "1.1"
    keeps = exchange.keep_alive and is_chunked and not exchange.has_unread_body and not asked.drain.is_set()
    framing = ("Transfer-Encoding", "chunked") if is_chunked else ("Connection", "close")
    exchange.keep_alive = False
    record.status = 200
    head = response_head(
        200, [("Content-Type", "application/x-ndjson"), ("X-Accel-Buffering", "no"), *HEADERS, framing]
    )
    await exchange.stream.send_all(head)
    is_left = is_whole = False

    async def send(data: bytes) -> None:
        record.response_bytes += len(data)
        with trio.move_on_after(IDLE_S) as sending:
            await exchange.stream.send_all(chunk(data) if is_chunked else data)
        if sending.cancelled_caught:
            record.outcome, record.detail = "timeout", f"the page took nothing for {IDLE_S:g} s"
            nursery.cancel_scope.cancel()
            await trio.lowlevel.checkpoint()

    async def watch_client() -> None:
        nonlocal is_left
        is_left = await exchange.wait_gone(half_close=False)
        nursery.cancel_scope.cancel()

    async def watch_drain() -> None:
        await asked.drain.wait()
        if end_of is None or not await end_of():
            nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch_client)
        nursery.start_soon(watch_drain)
        try:
            await follow(send)
            is_whole = True
        except trio.BrokenResourceError:
            is_left = True
        nursery.cancel_scope.cancel()
    if is_whole and is_chunked:
        await exchange.stream.send_all(last_chunk())
        exchange.keep_alive = keeps
    elif not is_whole:  # nobody is to take it for whole; in HTTP/1.0 the connection's end is that of the lines
        record.outcome = "client-left" if is_left else record.outcome
        exchange.stream.abort()
