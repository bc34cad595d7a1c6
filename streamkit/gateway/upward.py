"""A request's way up: its body, piece by piece as it comes, and the watch for the client's leaving, in all windows.

One task. While it reads the body it sees the client leave by itself; behind the body it waits for nothing else. In
between, while there is no connection yet or the upstream takes nothing, nobody reads from the client: there the kernel
is asked (`WireStream.wait_reset`), which does not see a FIN that waits behind bytes for which there is no room.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

import trio

from streamkit.gateway.record import Record
from streamkit.http.client import ClientConnection
from streamkit.http.exchange import Exchange
from streamkit.http.head import BadHead
from streamkit.http.stream import WireStream
from streamkit.http.wire import chunk, last_chunk

__all__ = ["Turn", "Upward"]

Turn = Literal["client", "upstream"]

SOON_S: Final = 0.005
"""A connection that is there within this time is not waited for in any other way, which would cost 60 us."""


class Upward:
    """Passes the body of one request on.

    Args:
        exchange: the client's.
        record: is filled in.
        half_close: whether a client that closes its sending side is still there.
        on_turn: told whose turn it is: the client's, which owes more of its body, or the upstream's.
        on_end: called when the client has left, or its body is refused: the exchange is over.

    Attributes:
        first: what came of the body with the head, framed, to go up with the head.
        is_sent: whether the whole request was handed over.
        is_left: whether the client has left.
        refused: why the body is refused; None as long as it is not.
        connection: where the body goes; None before the head went there, and once the response is over.
    """

    def __init__(
        self,
        exchange: Exchange,
        record: Record,
        *,
        half_close: bool,
        on_turn: Callable[[Turn], None],
        on_end: Callable[[], None],
    ) -> None:
        self.first = b""
        self.is_sent = not exchange.has_unread_body
        self.is_left = False
        self.refused: BadHead | None = None
        self.connection: ClientConnection | None = None
        self._exchange = exchange
        self._record = record
        self._half_close = half_close
        self._on_turn = on_turn
        self._on_end = on_end
        self._is_open = trio.Event()

    def open(self, connection: ClientConnection) -> None:
        """Let the body follow the head that went out on `connection`."""
        self.connection = connection
        self._is_open.set()

    def close(self) -> None:
        """Forget the callbacks, whose owner holds this: such a ring would wait for the garbage collector."""
        del self._on_turn, self._on_end

    def leave(self) -> None:
        """Take it that the client is gone. One that has all of its response may go."""
        if self._record.outcome != "ok":
            self.is_left = True
            self._on_end()

    async def take_first(self) -> None:
        """Take what came of a counted body with the head; the first bytes of a chunked one may hold no piece yet."""
        exchange = self._exchange
        if not exchange.has_held_body or exchange.body_framing == "chunked":
            return
        try:
            piece = await exchange.receive_body(auto_continue=False)
        except BadHead as error:
            self.refused = error
        else:
            self.first = b"" if piece is None else self._framed(piece.data)
            self.is_sent = not exchange.has_unread_body

    async def run(self) -> None:
        """Pass the body on, then watch for the client's leaving until cancelled."""
        try:
            if self._exchange.has_unread_body:
                await self._wait_open()
                await self._send_body()
            if not await self._exchange.wait_gone(half_close=self._half_close):
                return
        except BadHead as error:
            if self._half_close or not self._exchange.has_left:
                self.refused = error
                self._on_end()
                return
        except trio.BrokenResourceError:
            pass
        self.leave()

    async def _wait_open(self) -> None:
        with trio.move_on_after(SOON_S):
            await self._is_open.wait()
            return
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch_unread)
            await self._is_open.wait()
            nursery.cancel_scope.cancel()

    async def _send_body(self) -> None:
        exchange, connection = self._exchange, self.connection
        while connection is not None and exchange.has_unread_body:
            self._on_turn("upstream" if exchange.expects_continue else "client")
            piece = await exchange.receive_body(auto_continue=False)
            data = b"" if piece is None else self._framed(piece.data)
            is_last = not exchange.has_unread_body
            if is_last and exchange.body_framing == "chunked":
                data += last_chunk(exchange.trailers)
            if connection is not self.connection:
                return  # the response is over: nobody wants the rest
            self._on_turn("upstream")
            if not await self._send(connection.stream, data):
                return
            self.is_sent = is_last

    def _framed(self, data: bytes) -> bytes:
        """Count a piece of the body, and return it as it goes up."""
        self._record.request_bytes += len(data)
        return chunk(data) if self._exchange.body_framing == "chunked" else data

    async def _send(self, stream: WireStream, data: bytes) -> bool:
        """Send, and return whether the upstream takes more."""
        try:
            sent = stream.send_now(data) if data else 0
            if sent < len(data):
                return await self._send_rest(stream, memoryview(data)[sent:])
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return False  # perhaps it has answered, and reading will tell
        return True

    async def _send_rest(self, stream: WireStream, data: memoryview) -> bool:
        """Send to an upstream that takes it slowly, while the client may leave."""
        is_taken = False
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch_unread)
            try:
                await stream.send_all(data)
                is_taken = True
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                pass  # as in `_send`
            nursery.cancel_scope.cancel()
        return is_taken

    async def _watch_unread(self) -> None:
        await self._exchange.stream.wait_reset(or_fin=not self._half_close)
        self.leave()
