"""One connection to a server, from the client's side: requests one after the other, each response read by read.

Every read has its stamps. Interim responses and trailers are there to be seen. What comes is checked as strictly as
what a server reads (`streamkit.http.head`, `streamkit.http.unframe`), and refused as a `ProtocolError`; an end that
comes too early is a `DisconnectedError`, never an end. Over TLS that includes an end which nobody announced with a
`close_notify`, where the body has no other end (RFC 9112, section 9.8). Nothing is retried, followed, decoded or added.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

import trio

from streamkit.errors import DisconnectedError, ProtocolError
from streamkit.http.head import BadHead, ResponseHead, find_end, is_response_start, read_response
from streamkit.http.stream import TimedRead, WireStream
from streamkit.http.unframe import Unframer, UntilClosed, unframer_of

__all__ = ["MAX_HEAD_BYTES", "ClientConnection", "Tap"]

MAX_HEAD_BYTES: Final = 65536
"""The longest head of a response; as long as that of a request may be."""

Tap: TypeAlias = Callable[[TimedRead], None]
"""Sees every read as it came from the wire, head and framing included, before anybody else does.

What it raises comes out of the call that has read. Nothing is lost by that: the next call goes on with that read.
"""


class ClientConnection:
    """A connection to a server, over `stream`, which it owns from now on.

    One task may send while another one receives. A call that is cancelled has lost nothing. All raise
    `trio.ClosedResourceError` once the connection was closed or aborted here.

    Args:
        stream: connected.
        tap: sees every read; see `Tap`.
        max_head_bytes: a longer head is a `ProtocolError`.

    Attributes:
        requests: how many requests were begun on it.
        has_answered: whether anything came since the last request was begun. Where nothing did, an idle connection may
            have been closed by the server before it saw the request.
        last_read: the stamps of the newest read, with its bytes as they came.
    """

    __slots__ = (
        *("_has_ended", "_head", "_held", "_keep_alive", "_lost", "_unframer", "has_answered", "last_read"),
        *("max_head_bytes", "requests", "stream", "tap"),
    )

    def __init__(self, stream: WireStream, *, tap: Tap | None = None, max_head_bytes: int = MAX_HEAD_BYTES) -> None:
        self.stream = stream
        self.tap = tap
        self.max_head_bytes = max_head_bytes
        self.requests = 0
        self.has_answered = False
        self.last_read = TimedRead(b"", 0)
        self._head = bytearray()  # the beginning of one
        self._held: TimedRead | None = None  # what was read and nobody has got
        self._has_ended = False
        self._lost: tuple[str, bool] | None = None  # how: a socket tells of a reset once, and of an end from then on
        self._keep_alive = True
        self._unframer: Unframer = UntilClosed()

    @property
    def is_complete(self) -> bool:
        """Whether the response has come to its end. Its last piece may already have told."""
        return self._unframer.is_complete

    @property
    def is_reusable(self) -> bool:
        """Whether another request may follow: the response is whole, and nothing came behind it."""
        return self._keep_alive and self._unframer.is_complete and not self._unframer.excess and self._held is None

    @property
    def excess(self) -> bytes:
        """What has come behind the end of the response, although nothing more was asked for."""
        return self._unframer.excess + (b"" if self._held is None or not self.is_complete else self._held.data)

    @property
    def trailers(self) -> list[tuple[str, str]]:
        """The fields behind a chunked response that is complete."""
        return self._unframer.trailers

    async def send(self, head: bytes, body: bytes = b"") -> None:
        """Begin a request, with its head and as much of its body as goes along; the rest is sent on `stream`.

        Raises:
            DisconnectedError: the server is gone. It may have answered before that.
        """
        self._begin()
        await self.send_rest(head + body)

    def send_now(self, data: bytes) -> int:
        """Begin a request, as `send` does, with what goes without waiting; return how many bytes that is.

        The rest is for `send_rest`. No checkpoint: where all of it goes, the task's next wait is for the answer.

        Raises:
            DisconnectedError: the server is gone.
        """
        self._begin()
        try:
            return self.stream.send_now(data)
        except trio.BrokenResourceError as error:
            raise _gone(error) from error

    async def send_rest(self, data: bytes | memoryview) -> None:
        """Send what is left of a request.

        Raises:
            DisconnectedError: the server is gone.
        """
        try:
            await self.stream.send_all(data)
        except trio.BrokenResourceError as error:
            raise _gone(error) from error

    def _begin(self) -> None:
        self.requests += 1
        self.has_answered = False
        self._unframer = UntilClosed()

    async def receive_head(self, method: str) -> ResponseHead:
        """Wait for the head of a response and return it: that of an interim one (below 200), or of the final one.

        The body of a 101, and of a 2xx to CONNECT, is the other protocol, until the connection ends.

        Args:
            method: of the request, on which it depends whether there is a body.

        Raises:
            ProtocolError: it is no head, too long, or ambiguous.
            DisconnectedError: the connection ended before it.
        """
        data = self._head
        end = -1
        try:
            while end < 0:
                read = await self._next_read(in_head=True)
                searched = len(data)
                data += read.data
                if not is_response_start(data):
                    raise BadHead(502, f"this is no HTTP: {bytes(data[:40])!r}")  # noqa: TRY301 - as those of the rest
                end = find_end(data, searched)
                if max(end, len(data) if end < 0 else 0) > self.max_head_bytes:
                    raise ProtocolError(
                        f"the head of the response is longer than the limit of {self.max_head_bytes} bytes"
                    )
            head = read_response(bytes(data[:end]), method=method)
        except BadHead as error:
            raise ProtocolError(f"the head of the response is refused: {error.reason}") from None
        if end < len(data):
            self._held = TimedRead(bytes(data[end:]), read.read_ns, read.kernel_ns, read.segments)
        data.clear()
        if head.status >= 200 or head.status == 101:
            self._keep_alive = head.keep_alive
            self._unframer = unframer_of(head.body)
        return head

    def receive_held(self) -> TimedRead | None:
        """Return the body's bytes that came in one read with the head, without waiting; None where there are none."""
        read, self._held = self._held, None
        return None if read is None else self._payload(read)

    async def receive(self) -> TimedRead | None:
        """Return the body's bytes that one read brought, with that read's stamps, or None at the body's end.

        Reads that bring framing and nothing else are waited over. A piece may be the last one: then `is_complete` says
        so at once.

        Raises:
            ProtocolError: the framing is broken; what came before that place was returned.
            DisconnectedError: the connection ended before the body.
        """
        while not self._unframer.is_complete:
            self.check_body()
            piece = self._taken(await self._next_read())
            if piece is not None:
                return piece
        return None

    def take(self, read: TimedRead) -> TimedRead | None:
        """Take what somebody else has just read from `stream`, as `receive` takes what it reads; None for no payload.

        For who reads many connections in one task. Whether the body is at its end, `is_complete` says.

        Raises:
            ProtocolError, DisconnectedError: as `receive` does, and at once.
        """
        if read.data:
            self.last_read = read
        piece = self._taken(self._noted(read, in_head=False))
        if piece is None:
            self.check_body()
        return piece

    def check_body(self) -> None:
        """Raise where no more of the body can be read; nothing has to be waited for to know that.

        Raises:
            ProtocolError, DisconnectedError: as `receive` does.
        """
        problem = self._unframer.problem
        if problem:
            if self._has_ended:
                raise DisconnectedError(problem)
            raise ProtocolError(f"the body of the response is broken: {problem}")

    def _taken(self, read: TimedRead) -> TimedRead | None:
        """Return the payload of a read; the end of the input is the body's end, or a problem."""
        if read.data:
            return self._payload(read)
        if self.stream.is_truncated and isinstance(self._unframer, UntilClosed):
            raise DisconnectedError("the TLS connection ended without close_notify: the body may be cut")
        self._unframer.finish()
        return None

    def _payload(self, read: TimedRead) -> TimedRead | None:
        if self._unframer.is_complete:
            self._held = read  # it is nobody's, and the connection is of no use any more
            return None
        payload = self._unframer.feed(read.data)
        if payload is read.data:
            return read
        return TimedRead(payload, read.read_ns, read.kernel_ns, read.segments) if payload else None

    async def _next_read(self, *, in_head: bool = False) -> TimedRead:
        """Return what is held, or the next read; without data at the end of the input, where a body may end."""
        if self._held is None:
            if self._lost is not None:
                raise DisconnectedError(self._lost[0], is_reset=self._lost[1])
            try:
                self._held = await self.stream.receive()
            except trio.BrokenResourceError as error:
                raise self.lost_by(error) from error
            if self._held.data:
                self.last_read = self._held
                self.has_answered = True
                if self.tap is not None:
                    self.tap(self._held)
        read, self._held = self._held, None
        return self._noted(read, in_head=in_head)

    def lost_by(self, error: trio.BrokenResourceError) -> DisconnectedError:
        """Note that a read has found the connection broken, and return the error that this is (it is not raised)."""
        self._keep_alive = False
        gone = _gone(error)
        self._lost = str(gone), True
        return gone

    def _noted(self, read: TimedRead, *, in_head: bool) -> TimedRead:
        """Note an end of the input, and return the read."""
        if not read.data:
            self._has_ended = True
            self._keep_alive = False
            if in_head:
                where = "inside the head of" if self._head else "before"
                self._lost = f"the server closed the connection {where} its response", False
                raise DisconnectedError(self._lost[0])
        return read

    def abort(self) -> None:
        """End the connection with RST, at once: the server need not go on. Does nothing on a closed one."""
        self._keep_alive = False
        self.stream.abort()

    async def aclose(self) -> None:
        """Close the connection."""
        self._keep_alive = False
        await self.stream.aclose()


def _gone(error: trio.BrokenResourceError) -> DisconnectedError:
    cause = error.__cause__
    reason = cause.strerror.lower() if isinstance(cause, OSError) and cause.strerror else str(error)
    return DisconnectedError(f"the connection to the server was lost: {reason}", is_reset=True)
