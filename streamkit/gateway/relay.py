"""One request through the gateway: both directions as they come, and whatever end they come to.

Two tasks: one passes the request's body up and watches for the client's leaving (`streamkit.gateway.upward`), one
passes the response down. On the way down one read from upstream is one write to the client: its payload is framed anew,
and goes out before another byte is read. A client that does not read therefore stops the upstream, and nothing is held
but one read.

Ends are passed on as what they were (RFC 9112 section 8): what is not whole never looks whole.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final

import trio

from streamkit.errors import ConnectError, DisconnectedError, ProtocolError
from streamkit.gateway.config import GatewayConfig
from streamkit.gateway.heads import Framing, client_head, framing_for, interim_head, upstream_head
from streamkit.gateway.record import Outcome, Record
from streamkit.gateway.sending import json_refusal
from streamkit.gateway.upward import Turn, Upward
from streamkit.http.client import ClientConnection
from streamkit.http.exchange import Exchange
from streamkit.http.head import ResponseHead
from streamkit.http.pool import Pool
from streamkit.http.server import plain_refusal
from streamkit.http.stream import TimedRead
from streamkit.http.wire import chunk, last_chunk

__all__ = ["Relay"]

IDEMPOTENT: Final = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"})
"""What may be sent twice (RFC 9110 section 9.2.2)."""

TOUCHES: Final = 16
"""The idle limit is moved on only so many times in its span: moving it with every read would cost 2 us each."""

MAX_INTERIMS: Final = 100
"""More interim responses than that are an upstream's way of never answering."""


class _Failed(Exception):
    """The upstream does not answer as it should; what the client is told, and the log."""

    def __init__(self, outcome: Outcome, reason: str, *, status: int = 502, is_reset: bool = True) -> None:
        self.outcome: Outcome = outcome
        self.reason = reason
        self.status = status
        self.is_reset = is_reset
        super().__init__(reason)


class Relay:
    """Passes one exchange on.

    Args:
        exchange: the client's.
        record: is filled in.
        config: the gateway's.
        pool: the connections to the upstream.
        via: the gateway's name.
        dropped: names of request headers that stay behind.
        cors: what the response says to pages.
        body: what goes up in place of the request's body, which was read.
        tell: from a status and a reason to the JSON document that the client is told of a failure; without it a text.
        is_last: tells, when the response's head goes out, whether the client's connection closes behind it in any case.
    """

    def __init__(
        self,
        exchange: Exchange,
        record: Record,
        config: GatewayConfig,
        pool: Pool,
        *,
        via: str,
        dropped: frozenset[str] = frozenset(),
        cors: Sequence[tuple[str, str]] = (),
        body: bytes | None = None,
        tell: Callable[[int, str], object] | None = None,
        is_last: Callable[[], bool] = bool,
    ) -> None:
        self._exchange = exchange
        self._record = record
        self._config = config
        self._pool = pool
        self._via = via
        self._dropped = dropped
        self._cors = cors
        self._tell = tell
        self._client_keeps = exchange.keep_alive
        self._is_last = is_last
        self._framing: Framing | None = None  # once the head is out
        self._is_torn = False  # while an interim response is half out
        self._connection: ClientConnection | None = None
        self._scope = trio.CancelScope()
        self._patience = trio.CancelScope()
        self._up = Upward(exchange, record, half_close=config.half_close, on_turn=self._take_turn, on_end=self._stop)
        self._body_framing = exchange.body_framing if body is None else len(body)
        if body is not None:
            self._up.first = body
            record.request_bytes = len(body)

    async def run(self) -> None:
        """Pass the exchange on to its end, once. Whatever the two sides do, nothing is raised for it."""
        try:
            await self._run()
        finally:
            self._up.close()

    async def _run(self) -> None:
        exchange = self._exchange
        exchange.keep_alive = False  # until the response turns out to be whole
        failure: _Failed | None = None
        await self._up.take_first()
        if self._up.refused is None:
            async with trio.open_nursery() as nursery:
                self._scope = nursery.cancel_scope
                nursery.start_soon(self._up.run)
                try:
                    await self._pass_down()
                except _Failed as error:
                    failure = error
                nursery.cancel_scope.cancel()
        if self._record.outcome == "ok":
            return  # whoever leaves now has everything
        refused = self._up.refused
        if self._up.is_left:
            self._record.outcome = "client-left"
            exchange.stream.abort()
        elif refused is not None:
            self._record.outcome, self._record.detail = "bad-request", refused.reason
            await self._refuse(refused.status, refused.reason, is_reset=True)
        elif failure is not None:
            self._record.outcome, self._record.detail = failure.outcome, failure.reason
            await self._refuse(failure.status, failure.reason, is_reset=failure.is_reset)

    def _take_turn(self, turn: Turn) -> None:
        """Let the time for the head run while it is the upstream's turn: a client that owes its body takes its own."""
        limit_s = self._config.head_timeout_s if turn == "upstream" else math.inf
        self._patience.deadline = trio.current_time() + limit_s

    def _stop(self) -> None:
        """The exchange is over: upstream first of all."""
        if self._connection is not None:
            self._connection.abort()
        self._scope.cancel()

    async def _pass_down(self) -> None:
        try:
            head = await self._ask()
            self._record.head_ns = self._connection.last_read.read_ns if self._connection else None
            await self._answer(head)
        except DisconnectedError as error:
            raise _Failed("upstream-cut", str(error), is_reset=error.is_reset) from None
        except ProtocolError as error:
            raise _Failed("bad-response", str(error)) from None
        except trio.BrokenResourceError:  # of a write: what breaks upstream is a DisconnectedError
            self._up.leave()
        except trio.ClosedResourceError:  # by the other task, to which the exchange is over
            if not self._scope.cancel_called:
                raise
        finally:
            if self._connection is not None:
                self._connection.abort()

    async def _ask(self) -> ResponseHead:
        """Send the request and wait for the final head; once more, where the connection was dead and that is safe."""
        request = self._exchange.request
        head = upstream_head(
            self._config.upstream,
            request,
            self._body_framing,
            via=self._via,
            dropped=self._dropped,
            key=self._config.upstream_key,
            speaks=self._config.speaks,
        )
        connection = await self._pool.take()
        if connection is not None:
            self._record.reused = True
            try:
                return await self._try(connection, head)
            except DisconnectedError:
                if connection.has_answered or request.method not in IDEMPOTENT or self._body_framing:
                    raise
                connection.abort()
            self._record.reused = False
            self._record.retries += 1
        return await self._try(await self._connect(), head)

    async def _connect(self) -> ClientConnection:
        limit_s = self._config.connect_timeout_s
        try:
            with trio.move_on_after(limit_s):
                return await self._pool.connect()
        except ConnectError as error:
            raise _Failed("unreachable", str(error)) from None
        raise _Failed("timeout", f"there was no connection to the upstream within {limit_s:g} s", status=504)

    async def _try(self, connection: ClientConnection, head: bytes) -> ResponseHead:
        self._connection = connection
        limit_s = self._config.head_timeout_s
        with trio.CancelScope(deadline=trio.current_time() + limit_s) as self._patience:
            try:
                await connection.send(head, self._up.first)
            except DisconnectedError:
                if self._record.reused:
                    raise
                # It may have answered before it left: reading tells.
            self._up.open(connection)
            for _ in range(MAX_INTERIMS):
                response = await connection.receive_head(self._exchange.request.method)
                if response.status >= 200:
                    return response
                await self._pass_interim(response)
            raise ProtocolError(f"the upstream sent {MAX_INTERIMS} interim responses and no final one")
        raise _Failed("timeout", f"the upstream did not answer within {limit_s:g} s", status=504)

    async def _pass_interim(self, head: ResponseHead) -> None:
        if head.status == 101:
            raise ProtocolError("the upstream switched protocols, and nobody had asked it to")
        if self._exchange.request.version == "1.1":
            self._is_torn = True
            await self._exchange.stream.send_all(interim_head(head))
            self._is_torn = False

    async def _answer(self, head: ResponseHead) -> None:
        """Pass the response on, from its head to its end."""
        exchange, record, connection = self._exchange, self._record, self._connection
        assert connection is not None  # noqa: S101 - it has just answered
        request = exchange.request
        framing = framing_for(head, method=request.method, version=request.version)
        # Of a request that is answered before its end nobody knows where the next one begins (RFC 9112 section 9.3).
        keeps = self._client_keeps and framing != "close" and not exchange.has_unread_body and not self._is_last()
        out = client_head(head, framing, keep_alive=keeps, version=request.version, cors=self._cors)
        read = connection.receive_held()
        if read is not None:
            out += self._taken(read, framing)
        if connection.is_complete:
            out += _end(connection, framing)
        self._framing = framing
        sent = exchange.stream.send_now(out)  # without a checkpoint: a client that has got all of it may leave at once
        record.status = head.status
        if sent < len(out):
            await exchange.stream.send_all(memoryview(out)[sent:])
        if not connection.is_complete:
            await self._stream(connection, framing)
        record.outcome = "ok"
        exchange.keep_alive = keeps
        self._connection = self._up.connection = None
        if self._up.is_sent:
            await self._pool.give_back(connection, head)
        else:
            connection.abort()

    async def _stream(self, connection: ClientConnection, framing: Framing) -> None:
        """Pass the body on, a write for each read."""
        limit_s = self._config.idle_timeout_s
        stream = self._exchange.stream
        touched_at = trio.current_time()
        with trio.CancelScope(deadline=touched_at + limit_s) as scope:
            while True:
                read = await connection.receive()
                is_complete = connection.is_complete
                out = b"" if read is None else self._taken(read, framing)
                if is_complete:
                    out += _end(connection, framing)
                # No checkpoint: the next read is one.
                sent = stream.send_now(out) if out else 0
                if sent < len(out):
                    scope.deadline = math.inf  # the client's slowness is not the upstream's silence
                    await stream.send_all(memoryview(out)[sent:])
                    touched_at = -math.inf
                if is_complete:
                    return
                now = trio.current_time()
                if now - touched_at > limit_s / TOUCHES:
                    touched_at = now
                    scope.deadline = now + limit_s
        raise _Failed("timeout", f"the upstream sent nothing for {limit_s:g} s")

    def _taken(self, read: TimedRead, framing: Framing) -> bytes:
        """Count what a read brought, and return it as the client gets it."""
        record, data = self._record, read.data
        record.reads += 1
        record.response_bytes += len(data)
        if record.first_ns is None:
            record.first_ns = read.read_ns
        return chunk(data) if framing == "chunked" else data

    async def _refuse(self, status: int, reason: str, *, is_reset: bool) -> None:
        """Say what went wrong where nothing was said yet; otherwise end the connection so that it shows."""
        stream = self._exchange.stream
        if self._framing is None and not self._is_torn:
            if self._tell is None:
                answer = plain_refusal(status, reason, stream, headers=self._cors)
            else:
                answer = json_refusal(status, self._tell(status, reason), self._cors)
            if self._exchange.request.method == "HEAD":
                answer = answer[: answer.index(b"\r\n\r\n") + 4]
            try:
                with trio.move_on_after(self._config.limits.linger_timeout_s):
                    await stream.send_all(answer)
                    self._record.status = status
                    return
            except trio.BrokenResourceError:
                self._record.outcome = "client-left"
        if is_reset or self._framing not in {"chunked", "counted"}:  # of which a mere end would show
            stream.abort()


def _end(connection: ClientConnection, framing: Framing) -> bytes:
    """Return what the client gets at the end of a whole body."""
    return last_chunk(connection.trailers) if framing == "chunked" else b""
