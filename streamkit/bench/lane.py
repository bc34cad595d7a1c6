"""One request after the other over kept connections: send, read, stamp, and say how it ended.

Not `streamkit.client.open_chat`: that has a nursery and a cancel scope for each read, which is right for a program that
talks to a model and costs 0.2 ms a request here, as long as the whole request may take at 5,000 a second. Deadlines are
kept by one task for all requests (`Watchdog`).
"""

from __future__ import annotations

import errno
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Final

import trio

from streamkit.bench.masking import Mask
from streamkit.bench.observer import Observer
from streamkit.bench.plan import Limits
from streamkit.bench.prepare import Prepared, mark_of
from streamkit.bench.reader import Reader, socket_of
from streamkit.bench.record import RequestRecord
from streamkit.bench.schedule import Due
from streamkit.bench.watchdog import TIMEOUTS, InFlight, Watchdog
from streamkit.client.answer import PAGES, wrong_answer
from streamkit.client.coding import Coding, Identity, coding_of
from streamkit.dialects.decoder import Decoder
from streamkit.dialects.endpoints import framing_of
from streamkit.dialects.refusals import status_error
from streamkit.dialects.sniff import framing_in, guess
from streamkit.errors import (
    ConnectError,
    DecodeError,
    DisconnectedError,
    ProtocolError,
    ReportedError,
    StreamkitError,
)
from streamkit.http.client import ClientConnection
from streamkit.http.head import ResponseHead
from streamkit.http.pool import Pool
from streamkit.http.stream import SocketStream, WireStream

__all__ = ["Asker", "OnRecord"]

MAX_REFUSAL_BYTES: Final = 65536
REFUSAL_S: Final = 5.0
"""How much of a refusal is read, and how long."""

MAX_INTERIMS: Final = 16

AT_ONCE_NS: Final = 5_000_000
"""A kept connection that ends so soon behind a question, and one round trip, and has answered nothing, was closed while
it waited: whatever came there was read by nobody. One that ends later has been listened to."""

TCP_RTT_OFFSET: Final = 68
"""Of `tcpi_rtt`, in us, in Linux's `struct tcp_info`."""

DETAIL_CHARS: Final = 500

LOCAL_LIMITS: Final = {errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL, errno.ENOBUFS, errno.ENOMEM}
"""What this machine says where it has no descriptor, port or memory left for a connection. No server is to blame."""


class Asker:
    """Asks one server.

    Args:
        prepared: whom and what.
        pool: of its connections.
        watchdog: keeps the deadlines.
        limits: of it.
        reader: reads the answers.
        run_id: a number that no other run has; the requests' marks have it in them.
    """

    def __init__(
        self, prepared: Prepared, pool: Pool, watchdog: Watchdog, limits: Limits, *, reader: Reader, run_id: int
    ) -> None:
        self._prepared = prepared
        self._pool = pool
        self._watchdog = watchdog
        self._limits = limits
        self._run_id = run_id
        self._reader = reader
        self._secrets = prepared.secrets
        self._mask = Mask(prepared.secrets)
        self._framing = framing_of(prepared.request.target) or prepared.framing
        # A decoder is a cycle (its reader calls it), which the garbage collector would have to free for each request.
        self._decoders: list[Decoder] = []

    async def ask(self, due: Due, record: RequestRecord) -> None:
        """Ask once, and fill the record; raises nothing but what ends the whole run."""
        prepared = self._prepared
        record.target = prepared.server.name
        mark = record.request_id = mark_of(self._run_id, due.number)
        head, body = prepared.question(due.prompt, due.max_tokens, due.characters).marked(mark)
        request = head + body
        while True:
            connection = await self._connection(record)
            if connection is None:
                return
            if await self._exchange(connection, request, record):
                return
            # The server had closed it while it waited: that is nobody's failure. What it takes counts all the same.
            record.stale_connections += 1

    async def _connection(self, record: RequestRecord) -> ClientConnection | None:
        connection = await self._pool.take()
        record.is_reused = connection is not None
        if connection is not None:
            return connection
        record.connecting_ns = time.monotonic_ns()
        watchdog = self._watchdog
        scope = trio.CancelScope(deadline=trio.current_time() + self._limits.connect_s)
        watchdog.connecting.add(scope)
        try:
            with scope:
                connection = await self._pool.connect()
        except ConnectError as error:
            is_local = not LOCAL_LIMITS.isdisjoint(numbers_of(error))
            record.outcome = "tool-limit" if is_local else "no-connection"
            record.detail = self._words(error) + (": that is a limit of this machine" if is_local else "")
            return None
        finally:
            watchdog.connecting.discard(scope)
        if connection is None:
            record.outcome = "unfinished" if watchdog.over == "unfinished" else "connect-timeout"
            words = "no connection had come about when the run ended" if watchdog.over else TIMEOUTS["connect-timeout"]
            record.detail = (
                TIMEOUTS["unfinished"] if record.outcome == "unfinished" else words.format(self._limits.connect_s)
            )
            return None
        record.connected_ns = time.monotonic_ns()
        return connection

    async def _exchange(self, connection: ClientConnection, request: bytes, record: RequestRecord) -> bool:
        """Send, and read the answer; return False where a connection that was reused was dead."""
        decoder = self._decoders.pop() if self._decoders else self._prepared.row.decoder(framing=self._framing)
        observer = Observer(record, decoder)
        head: ResponseHead | None = None
        stream = socket_of(connection.stream) or connection.stream
        sent_bytes = stream.sent_bytes
        observer.is_sealed = stream is not connection.stream
        flight = InFlight(connection, observer, self._reader)
        self._watchdog.running.add(flight)
        try:
            await self._send(connection, request, record)
            head = await self._head(connection)
            observer.saw_head(connection.last_read, head.status)
            if head.status >= 300:
                await self._refused(connection, head, observer)
            else:
                await self._body(head, observer, flight)
        except DisconnectedError as error:
            if record.is_reused and not connection.has_answered and was_stale(stream, sent_bytes, error, record):
                connection.abort()
                return False
            self._lost(observer, error, head)
        except ProtocolError as error:
            observer.fail("protocol", self._words(error))
        except trio.ClosedResourceError:  # by the watchdog
            observer.fail(flight.too_late, flight.words)
        except BaseException:
            connection.abort()
            raise
        finally:
            self._watchdog.running.discard(flight)
        self._watchdog.judge(record)
        if observer.is_over:  # and nothing is pending: it feeds its decoder no more
            decoder.reset()
            self._decoders.append(decoder)
        if record.detail:
            record.detail = self._mask.text(record.detail)[:DETAIL_CHARS]
        if head is not None and connection.is_complete:
            await self._pool.give_back(connection, head)
        else:
            connection.abort()
        return True

    @staticmethod
    async def _send(connection: ClientConnection, request: bytes, record: RequestRecord) -> None:
        """Send, and stamp just before the call that takes the last byte.

        Stamping behind it would be too late: the server may have read, and answered, before that call returns. What is
        sent again was sent when it was sent first.
        """
        first_ns, now_ns = record.sent_ns, time.monotonic_ns()
        record.sent_ns = first_ns or now_ns
        sent = connection.send_now(request)
        if sent == len(request):
            return
        record.sent_ns = first_ns or time.monotonic_ns()
        blocked_ns = connection.stream.blocked_ns
        await connection.send_rest(memoryview(request)[sent:])
        if connection.stream.blocked_ns != blocked_ns and first_ns is None:  # it went as there was room for it
            record.sent_ns = connection.stream.resumed_ns

    async def _head(self, connection: ClientConnection) -> ResponseHead:
        method = self._prepared.request.method
        for _ in range(MAX_INTERIMS):
            head = await connection.receive_head(method)
            if head.status >= 200:
                return head
            if head.status == 101:
                raise ProtocolError("the server switches to another protocol, which nobody asked for")
        raise ProtocolError(f"the server sent more than {MAX_INTERIMS} interim responses")

    async def _body(self, head: ResponseHead, observer: Observer, flight: InFlight) -> None:
        observer.coding = coding_in(head)
        if is_doubtful(head, self._framing) and not await self._is_stream(head, observer, flight):
            return
        await self._reader.read(flight)
        observer.finish(flight.connection.last_read)

    async def _is_stream(self, head: ResponseHead, observer: Observer, flight: InFlight) -> bool:
        """Tell whether what calls itself a page or a document is a stream all the same; if not, say what it is."""
        coding = coding_in(head)
        start = bytearray()
        while framing_in(bytes(start)) is None and len(start) < MAX_REFUSAL_BYTES:
            if not await self._read_into(start, coding, observer, flight):
                break
        if framing_in(bytes(start)) == self._framing != "text":
            observer.work()
            return True
        with trio.move_on_after(REFUSAL_S):
            while await self._read_into(start, coding, observer, flight):
                if len(start) >= MAX_REFUSAL_BYTES:
                    break
        observer.pending.clear()
        body = bytes(start[:MAX_REFUSAL_BYTES])
        error = wrong_answer(body, media_type_of(head), self._prepared.row.name, self._secrets)
        found = "" if isinstance(error, ReportedError) else guess(body)
        looks = f": it looks like {found}" if found not in {None, "", "text", self._prepared.server.dialect} else ""
        observer.fail("wrong-dialect" if error.code == "wrong-dialect" else "in-band-error", f"{error}{looks}")
        return False

    @staticmethod
    async def _read_into(start: bytearray, coding: Coding | None, observer: Observer, flight: InFlight) -> bool:
        """Read a piece of a body, and keep it for the observer; return False at the body's end."""
        read = await flight.connection.receive()
        if read is None:
            return False
        flight.heard_ns = read.read_ns
        observer.pending.append(read)
        try:
            for piece in (read.data,) if coding is None else coding.feed(read.data):
                start += piece
                if len(start) >= MAX_REFUSAL_BYTES:
                    break
        except DecodeError:
            return False
        return True

    async def _refused(self, connection: ClientConnection, head: ResponseHead, observer: Observer) -> None:
        """Read what a refusal says, within bounds."""
        body = bytearray()
        with suppress(StreamkitError, trio.ClosedResourceError), trio.move_on_after(REFUSAL_S):
            while (read := await connection.receive()) is not None:
                body += read.data
                if len(body) >= MAX_REFUSAL_BYTES:
                    break
        error = status_error(head.status, head.headers, bytes(body[:MAX_REFUSAL_BYTES]), time.time(), self._secrets)
        observer.fail("status", str(error))

    def _lost(self, observer: Observer, error: DisconnectedError, head: ResponseHead | None) -> None:
        # Where the stream had begun, it is cut, whatever the framing says of that.
        observer.work()
        begun = head is not None and observer.record.first_event_ns is not None
        observer.fail("truncated" if begun else "disconnected", self._words(error))

    def _words(self, error: Exception) -> str:
        return self._mask.text(str(error))[:DETAIL_CHARS]


def was_stale(stream: WireStream, sent_bytes: int, error: DisconnectedError, record: RequestRecord) -> bool:
    """Tell whether a kept connection that has ended was closed before the question came there.

    Only then is it nobody's failure, and may be asked again. An end that acknowledges nothing of the question was sent
    before it came. A reset acknowledges nothing in any case, and an end may cross with a question that is acknowledged
    and read by nobody: of these, those that come at once are believed.

    Args:
        stream: the innermost one, over which the question went.
        sent_bytes: how many bytes had gone over it before.
        error: how it has ended.
        record: of the question.
    """
    taken_bytes, unsent_bytes = stream.sent_bytes - sent_bytes, stream.unsent_bytes()
    if not error.is_reset and unsent_bytes is not None and unsent_bytes >= taken_bytes:
        return True
    return time.monotonic_ns() - (record.sent_ns or 0) < AT_ONCE_NS + round_trip_ns(stream)


def round_trip_ns(stream: WireStream) -> int:
    """Return how long a round trip takes, by what TCP has seen of it; 0 where nobody knows."""
    if not isinstance(stream, SocketStream) or sys.platform != "linux":
        return 0
    try:
        info = stream.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_RTT_OFFSET + 4)
    except OSError:
        return 0
    return int.from_bytes(info[TCP_RTT_OFFSET:], sys.byteorder) * 1000


def numbers_of(error: BaseException | None) -> Iterator[int]:
    """Yield the numbers of the system's errors behind an error."""
    if isinstance(error, OSError) and error.errno is not None:
        yield error.errno
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from numbers_of(each)
    if error is not None:
        yield from numbers_of(error.__cause__)


def media_type_of(head: ResponseHead) -> str:
    """Return what a body says that it is, without parameters, in lower case."""
    values = [value for name, value in head.headers if name.lower() == "content-type"]
    return values[0].partition(";")[0].strip().lower() if values else ""


def is_doubtful(head: ResponseHead, framing: str) -> bool:
    """Tell whether a body calls itself a page, or a document where a stream is no document."""
    media_type = media_type_of(head)
    is_document = media_type == "application/json" or media_type.endswith("+json")
    return media_type in PAGES or (is_document and framing in {"sse", "text"})


def coding_in(head: ResponseHead) -> Coding | None:
    """Return what undoes the body's content coding; None where there is none.

    Raises:
        ProtocolError: it is in a coding that is not known.
    """
    for name, value in head.headers:
        if name.lower() == "content-encoding":
            coding = coding_of(value)
            return None if isinstance(coding, Identity) else coding
    return None


OnRecord = Callable[[RequestRecord], None]
