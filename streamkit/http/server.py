"""An HTTP/1.1 server that no client ends, on trio: connections, requests one after the other, and clean ends.

It reads requests (strictly: `streamkit.http.head`) and leaves every byte of the response to the handler. Keep-alive,
pipelining, HTTP/1.0 and half-closed connections are its business. So is the end: unread input is drained before a
connection is closed, within bounds, because a kernel that has unread input resets the connection, and a reset destroys
the end of the response on its way (RFC 9112, section 9.6). A response that its handler gave up is ended by a reset, so
that nobody takes it for whole. A server that drains takes on nothing new, and ends with the last response.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from itertools import count
from typing import Final, TypeAlias

import trio

from streamkit.http.exchange import Exchange, Request, request_of
from streamkit.http.head import BadHead, find_end, is_request_start, read_request
from streamkit.http.inbox import Inbox, Left
from streamkit.http.limits import Limits
from streamkit.http.stream import TimedRead, WireStream
from streamkit.http.wire import response_head

__all__ = ["Exchange", "Handler", "Left", "Refuse", "Request", "Waits", "plain_refusal", "serve", "serve_connection"]

Handler: TypeAlias = Callable[[Exchange], Awaitable[None]]

Refuse: TypeAlias = Callable[[int, str, WireStream], bytes]
"""Makes the answer, status, headers and all, to what is no request, of a status and the reason."""

OnError: TypeAlias = Callable[[Exception], None]

SKIP_BYTES: Final = 256 * 1024
"""How much of a body that its handler did not want is read for the sake of the next request."""

LINGER_BYTES: Final = 4 * 2**20
"""How much is thrown away before a connection is closed."""

BLANK_BYTES: Final = 64
"""How many CR and LF may stand before a request (RFC 9112, section 2.2 asks for two)."""

TURNED_AWAY: Final = 64
"""How many connections beyond the limit are told so at the same time. More are reset."""

logger = logging.getLogger("streamkit.http")


def plain_refusal(
    status: int,
    reason: str,
    stream: WireStream,  # noqa: ARG001 - others may want to know whom
    *,
    headers: Iterable[tuple[str, str]] = (),
) -> bytes:
    """Answer in plain text, with `headers` besides, and close."""
    body = f"{reason}\n".encode("latin-1", "replace")
    own = [
        ("Content-Type", "text/plain; charset=iso-8859-1"),
        ("Content-Length", str(len(body))),
        ("Connection", "close"),
    ]
    return response_head(status, [*own, *headers]) + body


def log_error(error: Exception) -> None:
    """Log what a handler raised, with where it came from."""
    logger.error("a handler failed", exc_info=error)


class Waits:
    """The connections of a server that wait for a request, and the end of all waiting.

    Attributes:
        are_over: whether nobody waits any more.
    """

    __slots__ = ("_scopes", "are_over")

    def __init__(self) -> None:
        self.are_over = False
        self._scopes: set[trio.CancelScope] = set()

    def add(self, scope: trio.CancelScope) -> None:
        """Have `scope` cancelled when waiting is over."""
        if self.are_over:
            scope.cancel()
        else:
            self._scopes.add(scope)

    def discard(self, scope: trio.CancelScope) -> None:
        """Leave `scope` alone: what was waited for has begun to come."""
        self._scopes.discard(scope)

    def end(self) -> None:
        """Let nobody wait any more."""
        self.are_over = True
        while self._scopes:
            self._scopes.pop().cancel()


async def serve(
    listeners: Sequence[trio.abc.Listener[WireStream]],
    handler: Handler,
    *,
    limits: Limits | None = None,
    refuse: Refuse = plain_refusal,
    on_error: OnError = log_error,
    drain: trio.Event | None = None,
    task_status: trio.TaskStatus[Sequence[trio.abc.Listener[WireStream]]] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve connections until it is cancelled; then reset what is being answered, and close the rest.

    Where the listeners are closed from outside, it returns once the last connection is done. When `drain` is set, it
    closes them itself, and every connection that waits for a request; a request whose first byte has come is still read
    and answered, no other one follows on its connection, and with the last of them it returns. How long that may take
    is for the caller to say, who cancels it then. The handler should see to it that responses say `Connection: close`.

    Args:
        listeners: of `open_listeners`, or others; they are closed at the end.
        handler: called with each request; see `serve_connection`.
        limits: the defaults of `Limits` where None.
        refuse: makes the answer to what is no request.
        on_error: called with what a handler raised and no client is to blame for.
        drain: set by the caller when no more is to be taken on.
        task_status: is told the listeners.
    """
    limits = limits or Limits()
    numbers = count(1)
    open_now = 0
    accepting = len(listeners)
    waits = Waits()
    watch = trio.CancelScope()

    async def serve_one(stream: WireStream, place: int) -> None:
        nonlocal open_now
        try:
            if place <= limits.max_connections:
                number = next(numbers)
                await serve_connection(
                    stream, handler, limits=limits, refuse=refuse, on_error=on_error, connection=number, waits=waits
                )
            elif place <= limits.max_connections + TURNED_AWAY:
                await _turn_away(stream, limits, refuse)
            else:
                stream.abort()
        finally:
            open_now -= 1
            if not (accepting or open_now):
                watch.cancel()

    async def accept_from(listener: trio.abc.Listener[WireStream]) -> None:
        nonlocal accepting, open_now
        while True:
            try:
                stream = await listener.accept()
            except trio.ClosedResourceError:
                break
            open_now += 1
            nursery.start_soon(serve_one, stream, open_now)
        accepting -= 1
        if not (accepting or open_now):
            watch.cancel()

    async def drain_when_told(told: trio.Event) -> None:
        with watch:
            await told.wait()
            waits.end()
            for listener in listeners:
                await trio.aclose_forcefully(listener)

    try:
        async with trio.open_nursery() as nursery:
            for listener in listeners:
                nursery.start_soon(accept_from, listener)
            if drain is not None:
                nursery.start_soon(drain_when_told, drain)
            task_status.started(listeners)
    finally:
        for listener in listeners:
            await trio.aclose_forcefully(listener)


async def serve_connection(
    stream: WireStream,
    handler: Handler,
    *,
    limits: Limits | None = None,
    refuse: Refuse = plain_refusal,
    on_error: OnError = log_error,
    connection: int = 1,
    waits: Waits | None = None,
) -> None:
    """Serve the requests of one connection, one after the other, until either side wants no more; then close it.

    A client may do what it likes, and leave when it likes: nothing is raised. What a handler raises goes to `on_error`;
    the client gets a 500 if nothing was sent yet, and a reset otherwise.

    Args:
        stream: closed at the end.
        handler: writes the response to `Exchange.stream`. It may let `BrokenResourceError` and `BadHead` through.
        limits: the defaults of `Limits` where None.
        refuse: makes the answer to what is no request.
        on_error: called with what the handler raised and the client is not to blame for.
        connection: the number of this connection, for `Request.connection`.
        waits: once they are over, no further request is waited for.
    """
    limits = limits or Limits()
    waits = waits or Waits()
    inbox = Inbox(stream)
    number = 0
    try:
        try:
            while True:
                number += 1
                exchange = await _next_exchange(inbox, limits, waits, connection, number)
                if exchange is None:
                    if waits.are_over and stream.is_quiet() and not stream.unsent_bytes():
                        await stream.aclose()  # with nothing on its way in either direction
                        return
                    break
                if not await _answer(exchange, handler, refuse, on_error, limits) or waits.are_over:
                    break
                del exchange  # before the wait for the next one, which may be long
        except BadHead as error:
            await _send_refusal(stream, refuse(error.status, error.reason, stream), limits)
        await _linger(inbox, limits)
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        stream.abort()
    except BaseException:
        await trio.aclose_forcefully(stream)
        raise


async def _next_exchange(inbox: Inbox, limits: Limits, waits: Waits, connection: int, number: int) -> Exchange | None:
    """Wait for a request; None where none comes any more."""
    patience_s = limits.head_timeout_s if number == 1 else limits.idle_timeout_s
    with trio.CancelScope(deadline=trio.current_time() + patience_s) as scope:  # `move_on_after` costs 2 us more
        waits.add(scope)
        try:
            read, data = await _beginning(inbox)
        finally:
            waits.discard(scope)
    if scope.cancelled_caught:
        if not waits.are_over or (inbox.stream.is_quiet() and not inbox.held_bytes):
            return None
        with trio.CancelScope(deadline=trio.current_time() + patience_s) as scope:
            read, data = await _beginning(inbox)  # it had come already
        if scope.cancelled_caught:
            return None
    if not data:
        return None
    if not is_request_start(data):
        raise BadHead(400, "this is not HTTP (perhaps TLS, on a port without?)")
    end = find_end(data)
    if end < 0:
        with trio.move_on_after(limits.head_timeout_s) as scope:
            data, end, read = await _rest_of_head(inbox, bytearray(data), limits)
        if scope.cancelled_caught:
            raise BadHead(408, "the head did not come in time")
    if end > limits.max_head_bytes:
        raise _long_head(data, limits)
    inbox.put_back(data[end:], read)
    head_bytes = data[:end]
    head = read_request(head_bytes)
    return Exchange(request_of(head, head_bytes, read, connection=connection, number=number), head, inbox, limits)


async def _beginning(inbox: Inbox) -> tuple[TimedRead, bytes]:
    """Wait for a request's first bytes; none at the end of the input. Nothing is lost when it is cancelled."""
    skipped_bytes = 0
    while True:
        read = await inbox.receive()
        if not read.data:
            return read, b""
        data = read.data.lstrip(b"\r\n") if read.data[0] in b"\r\n" else read.data
        if data:
            return read, data
        skipped_bytes += len(read.data)
        if skipped_bytes > BLANK_BYTES:
            raise BadHead(400, "there are too many blank lines before the request")


async def _rest_of_head(inbox: Inbox, data: bytearray, limits: Limits) -> tuple[bytes, int, TimedRead]:
    while len(data) <= limits.max_head_bytes:
        read = await inbox.receive()
        if not read.data:
            raise BadHead(400, "the input ended inside the head")
        searched = len(data)
        data += read.data
        if (end := find_end(data, searched)) >= 0:
            return bytes(data), end, read
    raise _long_head(data, limits)


def _long_head(data: bytes | bytearray, limits: Limits) -> BadHead:
    if data.find(b"\n", 0, limits.max_head_bytes) < 0:
        return BadHead(414, f"the request line is longer than the limit of {limits.max_head_bytes} bytes")
    return BadHead(431, f"the head is longer than the limit of {limits.max_head_bytes} bytes")


async def _answer(exchange: Exchange, handler: Handler, refuse: Refuse, on_error: OnError, limits: Limits) -> bool:
    """Have the request answered, and return whether another may follow."""
    stream = exchange.stream
    try:
        await handler(exchange)
    except Exception as error:  # noqa: BLE001 - whatever a handler raises, the other connections go on
        refusal, foreign = _sorted_out(error)
        for each in foreign:
            on_error(each)
        if exchange.has_begun or not (refusal or foreign):
            stream.abort()
            return False
        refusal = refusal or BadHead(500, "the server failed")
        await _send_refusal(stream, refuse(refusal.status, refusal.reason, stream), limits)
        return False
    except BaseExceptionGroup as group:  # cancelled, and something else at the same time
        stream.abort()
        ours, rest = group.split(Exception)
        for each in _sorted_out(ours)[1] if ours else ():
            on_error(each)
        raise (rest or group) from None
    except BaseException:  # cancelled, for instance: what was written so far must not look whole
        stream.abort()
        raise
    if not exchange.keep_alive or exchange.has_overflowed:
        return False
    if not exchange.has_unread_body:
        return True
    with trio.move_on_after(limits.linger_timeout_s):
        return await exchange.skip_body(SKIP_BYTES)
    return False


def _sorted_out(error: Exception) -> tuple[BadHead | None, list[Exception]]:
    """Tell apart, in a group or not: a request that is refused, and errors of the handler.

    A client that left is neither: nothing has to be done about it.
    """
    refusal = None
    foreign = []
    waiting = [error]
    while waiting:
        each = waiting.pop()
        if isinstance(each, ExceptionGroup):
            waiting += each.exceptions
        elif isinstance(each, BadHead):
            refusal = each
        elif not isinstance(each, trio.BrokenResourceError | trio.ClosedResourceError):
            foreign.append(each)
    return refusal, foreign


async def _send_refusal(stream: WireStream, data: bytes, limits: Limits) -> None:
    with trio.move_on_after(limits.linger_timeout_s):
        await stream.send_all(data)


async def _turn_away(stream: WireStream, limits: Limits, refuse: Refuse) -> None:
    try:
        reason = f"there are {limits.max_connections} connections already, which is the limit"
        await _send_refusal(stream, refuse(503, reason, stream), limits)
        await _linger(Inbox(stream), limits)
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        stream.abort()


async def _linger(inbox: Inbox, limits: Limits) -> None:
    """Say that no more comes, throw away what the client still sends until it says so too, and close."""
    with trio.move_on_after(limits.linger_timeout_s):
        await inbox.stream.send_eof()
        got_bytes = 0
        while got_bytes < LINGER_BYTES and (read := await inbox.receive()).data:
            got_bytes += len(read.data)
    await inbox.stream.aclose()
