"""The gateway: who is let in, what is its own to answer, and a `Relay` and a `Record` for everything else.

The upstream is fixed by the configuration. A request's target only says what is asked for there, also where it names
another server (absolute form), and CONNECT, which is nothing but another server, is refused.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from http import HTTPStatus
from itertools import count
from typing import Final

import trio

from streamkit.codecs.jsontext import encode_value
from streamkit.gateway.config import GatewayConfig
from streamkit.gateway.guard import PREFIX, key_headers, refusal_of
from streamkit.gateway.record import Record
from streamkit.gateway.relay import Relay
from streamkit.gateway.stats import Stats
from streamkit.http.clock import now_ns
from streamkit.http.connect import Dial, dial_of
from streamkit.http.exchange import Exchange
from streamkit.http.pool import Pool
from streamkit.http.redact import redacted_target
from streamkit.http.server import plain_refusal
from streamkit.http.stream import WireStream
from streamkit.http.wire import response_head

__all__ = ["Gateway", "OnRecord"]

STATS: Final = f"{PREFIX}stats"

MAX_TARGET: Final = 2048
"""How much of a target is written down."""

PLAIN: Final = (("Content-Type", "text/plain; charset=utf-8"),)
JSON: Final = (("Content-Type", "application/json"), ("Cache-Control", "no-store"))

OnRecord = Callable[[Record], None]


class Gateway:
    """Passes requests on to one upstream. `handle` is a handler for `streamkit.http.server.serve`.

    Args:
        config: what it is told.
        on_record: called with the record of each request once it is over.
        dial: makes connections to the upstream in another way, for tests.

    Attributes:
        pool: the connections to the upstream. `Pool.reap` is for a task of the owner's.
        stats: the counters.
        name: what `Via` calls us: no other gateway, so that a loop shows (RFC 9110 section 7.6).
        is_draining: set it, and every response is the last one on its connection.
    """

    def __init__(self, config: GatewayConfig, *, on_record: OnRecord | None = None, dial: Dial | None = None) -> None:
        self.config = config
        self.pool = Pool(
            dial or dial_of(config.upstream, config.upstream_tls, stamps=False),
            max_head_bytes=config.max_response_head_bytes,
        )
        self.stats = Stats()
        self.is_draining = False
        self.name = f"streamkit-{secrets.token_hex(4)}"
        self._on_record = on_record
        self._numbers = count(1)

    async def aclose(self) -> None:
        """Close the connections that wait for a request."""
        await self.pool.aclose()

    def refuse(self, status: int, reason: str, stream: WireStream) -> bytes:
        """Write down that what came was no request, and return the answer; for `streamkit.http.server.serve`."""
        if status == HTTPStatus.INTERNAL_SERVER_ERROR:  # of a request that has its record
            return plain_refusal(status, reason, stream)
        record = self._record_of(stream, now_ns())
        record.status, record.detail = status, reason
        record.outcome = "refused" if status == HTTPStatus.SERVICE_UNAVAILABLE else "bad-request"
        self.stats.begin()
        self._finish(record)
        return plain_refusal(status, reason, stream)

    async def handle(self, exchange: Exchange) -> None:
        """Answer one request, and write down what came of it."""
        request = exchange.request
        record = self._record_of(exchange.stream, request.arrived_ns)
        record.method, record.version = request.method, request.version
        record.target = redacted_target(request.target)[:MAX_TARGET]
        self.stats.begin()
        try:
            await self._answer(exchange, record)
        except trio.BrokenResourceError:
            record.outcome = "client-left"
            raise
        except trio.Cancelled:
            record.outcome = "stopped"
            raise
        except BaseExceptionGroup as group:
            if group.split(trio.Cancelled)[1] is None:  # both directions were cancelled
                record.outcome = "stopped"
            raise
        finally:
            self._finish(record)

    def _record_of(self, stream: WireStream, arrived_ns: int) -> Record:
        return Record(next(self._numbers), time.time_ns(), stream.peer, arrived_ns)

    def _finish(self, record: Record) -> None:
        record.ended_ns = now_ns()
        self.stats.end(record)
        if self._on_record is not None:
            self._on_record(record)

    async def _answer(self, exchange: Exchange, record: Record) -> None:
        request = exchange.request
        record.outcome = "refused"
        refusal = refusal_of(request, self.config)
        if refusal is not None:
            record.detail = refusal.reason
            await self._say(exchange, record, refusal.status, refusal.body, refusal.headers)
        elif request.method == "CONNECT":
            exchange.keep_alive = False  # what comes next may be meant for the tunnel
            await self._say(exchange, record, 501, b"this gateway has one upstream, and opens no tunnel\n", PLAIN)
        elif f" {self.name}," in f"{request.get('via')},":
            await self._say(exchange, record, 508, b"the upstream of this gateway leads back to this gateway\n", PLAIN)
        elif request.method in {"TRACE", "OPTIONS"} and request.get("max-forwards") == "0":
            record.outcome = (
                "ok"  # it is meant for us (RFC 9110 section 7.6.2); no head is sent back, it may hold a key
            )
            await self._say(exchange, record, 200, b"", PLAIN)
        elif not request.path.startswith(PREFIX):
            record.outcome = "failed"  # until it turns out to be something else
            relay = Relay(
                exchange,
                record,
                self.config,
                self.pool,
                via=self.name,
                dropped=key_headers(request, self.config),
                is_last=lambda: self.is_draining,
            )
            await relay.run()
        elif request.path != STATS:
            await self._say(exchange, record, 404, f"below {PREFIX} there is {STATS}, nothing else\n".encode(), PLAIN)
        elif request.method not in {"GET", "HEAD"}:
            await self._say(exchange, record, 405, b"this can only be read\n", (*PLAIN, ("Allow", "GET, HEAD")))
        else:
            record.outcome = "ok"
            await self._say(exchange, record, 200, encode_value(self.stats.document(self.pool)), JSON)

    async def _say(
        self, exchange: Exchange, record: Record, status: int, body: bytes, headers: Sequence[tuple[str, str]]
    ) -> None:
        """Answer without the upstream. Where a body is on its way, the connection ends behind the answer."""
        if exchange.has_unread_body or self.is_draining:
            exchange.keep_alive = False
        connection = "keep-alive" if exchange.keep_alive else "close"
        record.status = status
        if status >= 400 and not record.detail:
            record.detail = body.decode().strip()
        head = response_head(status, [*headers, ("Content-Length", str(len(body))), ("Connection", connection)])
        await exchange.stream.send_all(head if exchange.request.method == "HEAD" else head + body)
