"""A request, and what its handler can do with it: read the body, watch for the client's leaving, write the response.

The handler writes every byte of the response to `Exchange.stream` itself. Nothing is added, nothing is checked.
"""

from __future__ import annotations

from typing import Final

import msgspec
import trio

from streamkit.http.body import BodyReader, body_reader
from streamkit.http.head import BadHead, RequestHead, split_target
from streamkit.http.inbox import Inbox, Left
from streamkit.http.limits import Limits
from streamkit.http.stream import TimedRead, WireStream

__all__ = ["Exchange", "Request"]

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class Request(msgspec.Struct):
    """A request as it came.

    Attributes:
        target: as in the request line.
        path: of the target, percent-decoded; for an absolute target too. `*` and an authority stay what they are.
        query: of the target, behind the question mark, as it came.
        version: "1.1" or "1.0".
        headers: in order, names in the case in which they came, as latin-1.
        head: the bytes of request line and headers with the blank line.
        connection: the connection's number, counted by the server.
        number: the how manyth request on this connection it is, counted from 1.
        arrived_ns: when the read returned that completed the head; once the body was read, the one that completed that.
        kernel_ns: when the kernel had that; None where it did not say.
    """

    method: str
    target: str
    path: str
    query: str
    version: str
    headers: list[tuple[str, str]]
    head: bytes
    connection: int
    number: int
    arrived_ns: int
    kernel_ns: int | None

    def get(self, name: str) -> str | None:
        """Return the value of the header `name` in whatever case, of several joined by ", "; None if there is none."""
        name = name.lower()
        values = [value for key, value in self.headers if key.lower() == name]
        return ", ".join(values) if values else None


class Exchange:
    """One request and the place where its response goes.

    Attributes:
        request: whose `arrived_ns` and `kernel_ns` move on while the body is read.
        stream: for the bytes of the response. The input belongs to the exchange: do not read from it.
        keep_alive: whether the connection may serve another request afterwards. It starts as what the client wants; set
            it to False when the response ends with the connection or says `Connection: close`.
        body_framing: how the request's body ends: after so many bytes (0 where there is none), or "chunked".
        expects_continue: whether the client may wait for a 100 before it sends the body: it has asked for one, was sent
            none by `receive_body`, and no piece of the body was received yet.
    """

    __slots__ = (
        "_body",
        "_inbox",
        "_limits",
        "_reader",
        "_start_bytes",
        "body_framing",
        "expects_continue",
        "keep_alive",
        "request",
        "stream",
    )

    def __init__(self, request: Request, head: RequestHead, inbox: Inbox, limits: Limits) -> None:
        self.request = request
        self.stream: WireStream = inbox.stream
        self.keep_alive = head.keep_alive
        self._inbox = inbox
        self._limits = limits
        self._body = self.body_framing = head.body
        self._reader: BodyReader | None = None
        self.expects_continue = head.expects_continue
        self._start_bytes = self.stream.sent_bytes

    @property
    def has_begun(self) -> bool:
        """Whether anything of the response was sent yet; a 100 does not count."""
        return self.stream.sent_bytes > self._start_bytes

    @property
    def has_unread_body(self) -> bool:
        """Whether the request has a body whose end was not read."""
        return bool(self._body)

    @property
    def has_held_body(self) -> bool:
        """Whether some of the body came with the head, so that `receive_body` has a piece without waiting for one."""
        return bool(self._body) and self._inbox.held_bytes > 0

    @property
    def has_left(self) -> bool:
        """Whether the client was seen to leave: it sends no more, or is gone."""
        return self._inbox.left is not None

    @property
    def has_overflowed(self) -> bool:
        """Whether the client sent too much while `wait_left` watched it; its connection serves no more requests."""
        return self._inbox.has_overflowed

    @property
    def trailers(self) -> list[tuple[str, str]]:
        """The headers behind a chunked body that was read to its end, names as they came."""
        return [] if self._reader is None else self._reader.trailers

    async def read_body(self, *, auto_continue: bool = True) -> bytes:
        """Read the rest of the body, which may be empty, and return it.

        Args:
            auto_continue: whether a client that waits for `100 Continue` gets it first.

        Raises:
            BadHead: the body is broken, late or too long. Where nothing was sent yet, the server answers that itself
                if it is let through.
            BrokenResourceError: the client is gone.
        """
        if not self._body:
            return b""
        first = await self.receive_body(auto_continue=auto_continue)
        second = first and await self.receive_body()
        if first is None or second is None:
            return first.data if first else b""
        body = bytearray(first.data)
        body += second.data
        while (read := await self.receive_body()) is not None:
            body += read.data
        return bytes(body)

    async def receive_body(self, *, auto_continue: bool = True) -> TimedRead | None:
        """Return the next piece of the body as it comes, unchunked, or None at its end; as `read_body` in the rest.

        One piece is what one read brought. Nothing is lost where this is cancelled.
        """
        if not self._body:
            return None
        if self._inbox.has_overflowed:
            raise RuntimeError("the body was thrown away: it has to be read before the client is watched")
        if self._reader is None:
            self._reader = body_reader(self._body, self._inbox, self._limits)
        if self.expects_continue and auto_continue:
            self.expects_continue = False
            if not self._inbox.held_bytes:  # a client that has sent some of it does not wait
                await self.stream.send_all(CONTINUE)
                self._start_bytes += len(CONTINUE)
        read = await self._reader.receive()
        self.expects_continue = False
        if self._reader.is_complete:
            self._body = 0
        self.request.arrived_ns = self._reader.last_read.read_ns
        self.request.kernel_ns = self._reader.last_read.kernel_ns
        return read

    async def wait_left(self) -> Left:
        """Wait until the client leaves, and say how. For a task beside the one that writes the response.

        Requests that the client has sent behind this one are kept, within a bound; beyond it they are thrown away, and
        `has_overflowed` says so. To be called once the body was read, or is not wanted any more: what is unread of it
        counts among what was sent ahead. A task that reads the body sees the client leave by itself, and one that does
        so at the same time gets `trio.BusyResourceError`.
        """
        return await self._inbox.wait_left()

    async def wait_gone(self, *, half_close: bool) -> bool:
        """Wait until nobody waits for the response any more; as `wait_left` in the rest.

        Args:
            half_close: whether a client that sends no more is still there; then only a reset says that it is gone.

        Returns:
            Whether it was the client that left; False where we have closed the connection ourselves.
        """
        try:
            left = await self.wait_left()
            if left.how == "fin" and half_close:
                await self.stream.wait_reset()
        except trio.BrokenResourceError:
            return True
        return left.how != "closed"

    def take_over(self) -> Inbox:
        """Take the connection for another protocol, and return its input, with what was sent behind this request.

        Nobody else reads from it any more: not `wait_left`, and no request follows. What is said of `stream` stays
        true; the server closes it when the handler returns, and throws away what comes until the client does.

        Raises:
            RuntimeError: the request has a body that was not read to its end.
        """
        if self._body:
            raise RuntimeError(
                "what comes next is the request's body: it has to be read before the connection is taken"
            )
        self.keep_alive = False
        return self._inbox

    async def skip_body(self, max_bytes: int) -> bool:
        """Throw away what was not read of the body, and return whether the next request is what comes next."""
        if (
            self.has_overflowed or self.expects_continue
        ):  # it may send the body, or not: who could tell the next request from it
            return False
        try:
            while self._body and max_bytes > 0:
                read = await self.receive_body()
                max_bytes -= len(read.data) if read else 0
        except BadHead:
            return False
        return not self._body


def request_of(head: RequestHead, data: bytes, read: TimedRead, *, connection: int, number: int) -> Request:
    """Make a request of its head, as read and as it came, and of the read that completed it."""
    path, query = split_target(head.target)
    return Request(
        method=head.method,
        target=head.target,
        path=path,
        query=query,
        version=head.version,
        headers=head.headers,
        head=data,
        connection=connection,
        number=number,
        arrived_ns=read.read_ns,
        kernel_ns=read.kernel_ns,
    )
