"""The gateway: who is let in, whose business a request is, and a `Record` of what came of it.

The upstream is fixed by the configuration. A request's target only says what is asked for there, also where it names
another server (absolute form), and CONNECT, which is nothing but another server, is refused.

Without `GatewayConfig.speaks` every request is passed on as it is. With it, those whose path is some vendor's endpoint
are answered in that vendor's dialect (`Translator`); those of the upstream's own vendor, and what nobody knows, are
passed on all the same.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, nullcontext
from functools import partial
from http import HTTPStatus
from itertools import count
from typing import Final

import trio

from streamkit.client.chat import Chat
from streamkit.codecs.jsontext import encode_value
from streamkit.gateway.asker import Asker
from streamkit.gateway.config import GatewayConfig
from streamkit.gateway.cors import cors_headers, preflight, unsent_headers
from streamkit.gateway.envelopes import reading_of
from streamkit.gateway.failures import told
from streamkit.gateway.guard import PREFIX, key_headers, refusal_of
from streamkit.gateway.onlooker import Onlooker
from streamkit.gateway.record import Record
from streamkit.gateway.relay import Relay
from streamkit.gateway.rename import renamed_body
from streamkit.gateway.route import Route, route_of
from streamkit.gateway.sending import PLAIN, send_whole
from streamkit.gateway.stats import Stats
from streamkit.gateway.streams import Streams
from streamkit.gateway.translate import Translator
from streamkit.http.clock import now_ns
from streamkit.http.connect import Dial, dial_of
from streamkit.http.exchange import Exchange
from streamkit.http.head import BadHead
from streamkit.http.pool import Pool
from streamkit.http.redact import redacted_target
from streamkit.http.server import plain_refusal
from streamkit.http.stream import WireStream
from streamkit.vendors import find
from streamkit.vendors.question import question_of

__all__ = ["Gateway", "OnRecord"]

STATS: Final = f"{PREFIX}stats"

MAX_TARGET: Final = 2048
"""How much of a target is written down."""

MAX_DETAIL: Final = 1000
"""How much is written down of what went wrong, in characters: what a client has sent may be in it."""

JSON: Final = (("Content-Type", "application/json"), ("Cache-Control", "no-store"))

OnRecord = Callable[[Record], None]


class Gateway:
    """Passes requests on to one upstream. `handle` is a handler for `streamkit.http.server.serve`.

    Args:
        config: what it is told.
        on_record: called with the record of each request once it is over.
        dial: makes connections to the upstream in another way, for tests.
        onlooker: sees what passes, and answers what is asked below its own prefix.

    Attributes:
        pool: the connections to the upstream. `Pool.reap` is for a task of the owner's.
        stats: the counters.
        name: what `Via` calls us: no other gateway, so that a loop shows (RFC 9110 section 7.6).
        streams: the resumable streams; `Streams.run` is for a task of the owner's. None without `GatewayConfig.speaks`.
        drain: set it, and every response is the last one on its connection.
    """

    def __init__(
        self,
        config: GatewayConfig,
        *,
        on_record: OnRecord | None = None,
        dial: Dial | None = None,
        onlooker: Onlooker | None = None,
    ) -> None:
        self.config = config
        dial = dial or dial_of(config.upstream, config.upstream_tls, stamps=onlooker is not None)
        self.pool = Pool(
            dial if onlooker is None else onlooker.seen(dial), max_head_bytes=config.max_response_head_bytes
        )
        self._onlooker = onlooker
        self._own = PREFIX if onlooker is None else (PREFIX, onlooker.prefix)
        self.stats = Stats()
        self.drain = trio.Event()
        self.name = f"streamkit-{secrets.token_hex(4)}"
        self._asker = Asker(config, self.pool, self.name)
        self._translator = Translator(config, self._asker)
        told = () if onlooker is None else (onlooker.stream_failed,)
        self.streams = Streams(self._asker, config, *told) if config.speaks else None
        self._on_record = on_record
        self._numbers = count(1)

    @property
    def is_draining(self) -> bool:
        """Whether every response is the last one on its connection."""
        return self.drain.is_set()

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
        with nullcontext() if self._onlooker is None else self._onlooker.looking(exchange, record):
            await self._conclude(exchange, record)

    async def _conclude(self, exchange: Exchange, record: Record) -> None:
        """Answer one request to its end, whatever that is."""
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
        record.detail = record.detail[:MAX_DETAIL]
        self.stats.end(record)
        if self._on_record is not None:
            self._on_record(record)

    async def _answer(self, exchange: Exchange, record: Record) -> None:
        request, config = exchange.request, self.config
        record.outcome = "refused"
        cors = cors_headers(request, config)
        onlooker = self._onlooker
        is_open = onlooker is not None and onlooker.is_open(request)
        refusal = refusal_of(request, config, own=self._own, is_open=is_open)
        if refusal is not None:
            record.detail = refusal.reason
            body = refusal.body
            if config.speaks:  # then it is known whose client this is
                dialect = find(question_of(request.method, request.path, request.query, request.headers)).dialect
                body = body if dialect == "json" else encode_value(told(dialect, refusal.status, refusal.reason))
            await self._say(exchange, record, refusal.status, body, [*refusal.headers, *cors])
        elif (allowed := preflight(request, config)) is not None:
            record.outcome = "ok"
            await self._say(exchange, record, 204, b"", allowed)
        elif request.method == "CONNECT":
            exchange.keep_alive = False  # what comes next may be meant for the tunnel
            await self._say(
                exchange, record, 501, b"this gateway has one upstream, and opens no tunnel\n", [*PLAIN, *cors]
            )
        elif f" {self.name}," in f"{request.get('via')},":
            text = b"the upstream of this gateway leads back to this gateway\n"
            await self._say(exchange, record, 508, text, [*PLAIN, *cors])
        elif request.method in {"TRACE", "OPTIONS"} and request.get("max-forwards") == "0":
            # It is meant for us (RFC 9110 section 7.6.2); no head is sent back, it may hold a key.
            record.outcome = "ok"
            await self._say(exchange, record, 200, b"", [*PLAIN, *cors])
        elif request.path.startswith(PREFIX):
            await self._answer_own(exchange, record, cors)
        elif onlooker is not None and f"{request.path}/".startswith(onlooker.prefix):
            record.outcome = "ok"
            await onlooker.answer(exchange, record, self.drain)
        else:
            await self._pass(exchange, record, cors)

    async def _pass(self, exchange: Exchange, record: Record, cors: Sequence[tuple[str, str]]) -> None:
        """Have the upstream answer, in its own words or in the client's."""
        record.outcome = "failed"  # until it turns out to be something else
        config, request = self.config, exchange.request
        dropped = key_headers(request, config) | unsent_headers(request, config)
        route = route_of(request, config) if config.speaks else Route("relay")
        if route.kind == "translate" and route.found is not None:
            await self._translator.handle(
                exchange, record, route.found, added=cors, dropped=dropped, is_last=self.drain.is_set
            )
        elif route.kind == "streams" and self.streams is not None:
            await self.streams.handle(exchange, record, added=cors, dropped=dropped, is_last=self.drain.is_set)
        elif route.kind == "websocket":
            await self._talk(exchange, record, cors, dropped)
        else:
            await self._relay(exchange, record, route, cors, dropped)

    async def _relay(
        self,
        exchange: Exchange,
        record: Record,
        route: Route,
        cors: Sequence[tuple[str, str]],
        dropped: frozenset[str],
    ) -> None:
        """Pass a request on in its own words, but for the model's name."""
        request, config = exchange.request, self.config
        request.target = route.target or request.target
        body = None
        if route.kind == "rename" and route.found is not None:
            try:
                body = renamed_body(await exchange.read_body(), config)
            except BadHead as error:
                await self._translator.refuse(
                    exchange, record, route.found, error, added=cors, is_last=self.drain.is_set
                )
                return
        relay = Relay(
            exchange,
            record,
            config,
            self.pool,
            via=self.name,
            dropped=dropped,
            cors=cors,
            body=body,
            tell=None if route.found is None else partial(told, route.found.dialect),
            is_last=self.drain.is_set,
        )
        await relay.run()

    async def _talk(
        self, exchange: Exchange, record: Record, cors: Sequence[tuple[str, str]], dropped: frozenset[str]
    ) -> None:
        """Answer questions over a WebSocket."""
        from streamkit.gateway.websocket import serve_websocket  # with a library that nobody else needs

        headers = [each for each in exchange.request.headers if each[0].lower() not in dropped]

        @asynccontextmanager
        async def ask(envelope: bytes) -> AsyncIterator[Chat]:
            reading = await reading_of(envelope, self.config)
            record.dialect, record.upstream_dialect = reading.dialect, self.config.speaks
            async with self._asker.chat(reading, headers) as chat:
                yield chat

        await serve_websocket(exchange, record, ask, limits=self.config.limits, drain=self.drain, added=cors)

    async def _answer_own(self, exchange: Exchange, record: Record, cors: Sequence[tuple[str, str]]) -> None:
        """Answer a request for what is the gateway's own."""
        request = exchange.request
        if request.path != STATS:
            text = f"below {PREFIX} there is {STATS}, nothing else\n"
            await self._say(exchange, record, 404, text.encode(), [*PLAIN, *cors])
        elif request.method not in {"GET", "HEAD"}:
            headers = [*PLAIN, ("Allow", "GET, HEAD"), *cors]
            await self._say(exchange, record, 405, b"this can only be read\n", headers)
        else:
            record.outcome = "ok"
            await self._say(
                exchange, record, 200, encode_value(self.stats.document(self.pool, self.streams)), [*JSON, *cors]
            )

    async def _say(
        self,
        exchange: Exchange,
        record: Record,
        status: int,
        body: bytes,
        headers: Sequence[tuple[str, str]] = PLAIN,
    ) -> None:
        """Answer without the upstream. Where a body is on its way, the connection ends behind the answer."""
        if status >= 400 and not record.detail:
            record.detail = body.decode().strip()
        await send_whole(exchange, record, status, body, headers, is_last=self.is_draining)
