"""`HTTPTransport`: our own HTTP/1.1 below a chat, straight to the server, with a stamp on every read.

Environment proxies, redirects and HTTP/2 are for the other transport. A request is sent while the response is listened
for, because a server may refuse before it has read everything. Nothing is sent twice: a chat is a POST, and a server
may have begun to answer one that seems lost (RFC 9110 section 9.2.2).
"""

from __future__ import annotations

import math
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Final, Self, TypeAlias

import trio

from streamkit.client.transport import HTTPRequest, HTTPResponse, Interim, ResponseInfo
from streamkit.errors import ConnectTimeout, DisconnectedError, ProtocolError
from streamkit.http.background import background
from streamkit.http.client import ClientConnection, Tap
from streamkit.http.connect import Dial, dial_of
from streamkit.http.head import ResponseHead
from streamkit.http.origin import Origin
from streamkit.http.pool import Pool
from streamkit.http.stream import TimedRead

__all__ = ["HTTPTransport"]

Answer: TypeAlias = tuple[ResponseHead, list[Interim]]

MAX_INTERIMS: Final = 16
"""How many interim responses a server may send before the response."""


class HTTPTransport:
    """Our own HTTP/1.1.

    Used as it is, each chat has a connection of its own. As a context manager it may be given to many chats, also at
    the same time: connections whose answer was read to its end are kept for the next one until the block is left.

    ::

        async with HTTPTransport() as transport:
            async with open_chat(url, ..., transport=transport) as chat: ...
            async with open_chat(url, ..., transport=transport) as chat: ...

    Args:
        tls: what is trusted; by default what the system trusts.
        dial: makes the connections to a server, in place of TCP and TLS.
        pool: the connections to the only server that is asked; they are kept, and closed by the owner of the pool.
    """

    def __init__(
        self,
        *,
        tls: ssl.SSLContext | None = None,
        dial: Callable[[Origin], Dial] | None = None,
        pool: Pool | None = None,
    ) -> None:
        self._tls = tls
        self._dial = dial
        self._pool = pool
        self._pools: dict[tuple[str, str, int], Pool] = {}
        self._keeps = pool is not None

    async def __aenter__(self) -> Self:
        self._keeps = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections that wait. Those of chats that are still open are theirs, and are not kept any more."""
        self._keeps = False
        for pool in self._pools.values():
            await pool.aclose()

    async def open(
        self,
        request: HTTPRequest,
        *,
        connect_s: float | None = None,
        on_sending: Callable[[], None] = lambda: None,
        on_read: Tap | None = None,
    ) -> HTTPResponse:
        """Send a request and return its response as soon as the head is there; see `Transport`."""
        pool = self._pool or self._pool_of(request.origin)
        connection = await pool.take()
        is_reused = connection is not None
        if connection is None:
            with trio.move_on_after(math.inf if connect_s is None else connect_s):
                connection = await pool.connect()
            if connection is None:
                raise ConnectTimeout(connect_s or math.inf)
        connection.tap = on_read
        on_sending()
        try:
            head, interims = await _exchange(connection, request)
        except BaseException:
            connection.abort()
            raise
        url = request.shown_url
        info = ResponseInfo(
            head.status, head.reason, head.version, head.headers, interims, url=url, is_reused=is_reused
        )
        return OwnResponse(connection, info, partial(self._take_back, pool, connection, head))

    def _pool_of(self, origin: Origin) -> Pool:
        key = origin.scheme, origin.host, origin.port
        pool = self._pools.get(key)
        if pool is None:
            dial = dial_of(origin, self._tls) if self._dial is None else self._dial(origin)
            pool = self._pools[key] = Pool(dial)
        return pool

    async def _take_back(self, pool: Pool, connection: ClientConnection, head: ResponseHead) -> None:
        """Take back a connection whose response was read to its end."""
        connection.tap = None
        if self._keeps:
            await pool.give_back(connection, head)
        else:
            await connection.aclose()


class OwnResponse(HTTPResponse):
    """A response on one of our own connections."""

    def __init__(
        self, connection: ClientConnection, info: ResponseInfo, release: Callable[[], Awaitable[None]]
    ) -> None:
        self.info = info
        self._connection = connection
        self._release = release
        self._is_closed = False

    async def receive(self) -> TimedRead | None:
        read = await self._connection.receive()
        if self._connection.is_complete:
            self.info.trailers = self._connection.trailers
        return read

    async def aclose(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            if self._connection.is_complete:
                await self._release()
            else:
                self._connection.abort()
        await trio.lowlevel.checkpoint()


async def _exchange(connection: ClientConnection, request: HTTPRequest) -> Answer:
    """Send a request and return what answers it, before its body.

    A refusal ends the sending. Any other answer is waited with until the request is out: whoever answers a question
    has read it.
    """
    answers: list[Answer] = []
    has_answered = trio.Event()

    async def listen() -> None:
        answers.append(await _receive_final(connection, request.method))
        has_answered.set()
        if answers[0][0].status >= 300:
            nursery.cancel_scope.cancel()

    async with background() as nursery:
        nursery.start_soon(listen)
        with suppress(DisconnectedError):  # the server is gone, but may have said why: that is for `listen` to find
            await connection.send(request.head, request.body)
        await has_answered.wait()
    return answers[0]


async def _receive_final(connection: ClientConnection, method: str) -> Answer:
    interims: list[Interim] = []
    while True:
        head = await connection.receive_head(method)
        if head.status >= 200:
            return head, interims
        if head.status == 101:
            raise ProtocolError("the server switches to another protocol, which nobody asked for")
        if len(interims) == MAX_INTERIMS:
            raise ProtocolError(f"the server sent more than {MAX_INTERIMS} interim responses")
        interims.append(Interim(head.status, head.headers))
