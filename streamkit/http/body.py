"""The body of a request, piece by piece as it comes: counted by Content-Length, or unchunked by h11.

No piece is held back and none is joined to another. What is behind the body goes back to the inbox.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

import trio

from streamkit.http.head import BadHead, Body
from streamkit.http.inbox import Inbox
from streamkit.http.limits import Limits
from streamkit.http.stream import TimedRead

if TYPE_CHECKING:
    import h11

__all__ = ["BodyReader", "body_reader"]

STARVED_AFTER: Final = 256
"""So many pieces of one read may be handed on before other tasks get their turn."""

HEAD: Final = b"POST / HTTP/1.1\r\nHost: -\r\nTransfer-Encoding: chunked\r\n\r\n"
"""What h11 has to see before a chunked body: the real head was read more strictly than h11 would."""


class BodyReader(Protocol):
    """Reads one body.

    Attributes:
        last_read: the read that the newest piece, or the end, came in.
        trailers: the headers behind it; whole once `receive` has returned None.
    """

    last_read: TimedRead
    trailers: list[tuple[str, str]]

    async def receive(self) -> TimedRead | None:
        """Return the next piece with the stamps of the read that it came in, or None when the body is whole.

        Raises:
            BadHead: it is not what was announced (400), too slow (408), or too long (413).
            BrokenResourceError: the client is gone.
        """
        ...


def body_reader(body: Body, inbox: Inbox, limits: Limits) -> BodyReader:
    """Return the reader of a body that ends as `body` says.

    Raises:
        BadHead: it is announced to be longer than the limit (413).
    """
    if body == "chunked":
        return _Chunked(inbox, limits)
    if body == "close":
        raise ValueError("a request's body cannot end with the connection")
    if body > limits.max_body_bytes:
        raise _too_long(limits)
    return _Counted(body, inbox, limits)


class _Counted:
    __slots__ = ("_inbox", "_left_bytes", "_timeout_s", "last_read", "trailers")

    def __init__(self, length: int, inbox: Inbox, limits: Limits) -> None:
        self._left_bytes = length
        self._inbox = inbox
        self._timeout_s = limits.body_timeout_s
        self.last_read = TimedRead(b"", 0)
        self.trailers: list[tuple[str, str]] = []

    async def receive(self) -> TimedRead | None:
        if not self._left_bytes:
            return None
        read = self.last_read = await _receive(self._inbox, self._timeout_s)
        left_bytes = self._left_bytes - len(read.data)
        if left_bytes < 0:
            length = self._left_bytes
            self._left_bytes = 0
            self._inbox.put_back(read.data[length:], read)
            return TimedRead(read.data[:length], read.read_ns, read.kernel_ns, read.segments)
        self._left_bytes = left_bytes
        return read


class _Chunked:
    __slots__ = ("_got_bytes", "_h11", "_handed_on", "_inbox", "_limits", "last_read", "trailers")

    def __init__(self, inbox: Inbox, limits: Limits) -> None:
        import h11

        self._h11: h11.Connection | None = h11.Connection(h11.SERVER, max_incomplete_event_size=limits.max_head_bytes)
        self._h11.receive_data(HEAD)
        self._h11.next_event()
        self._inbox = inbox
        self._limits = limits
        self._got_bytes = 0
        self._handed_on = 0
        self.last_read = TimedRead(b"", 0)
        self.trailers: list[tuple[str, str]] = []

    async def receive(self) -> TimedRead | None:
        import h11

        while self._h11 is not None:
            try:
                event = self._h11.next_event()
            except h11.RemoteProtocolError as error:
                raise BadHead(400, f"the chunked body is broken: {error}") from None
            match event:
                case h11.Data(data=data):
                    self._got_bytes += len(data)
                    if self._got_bytes > self._limits.max_body_bytes:
                        raise _too_long(self._limits)
                    self._handed_on += 1
                    if self._handed_on % STARVED_AFTER == 0:
                        await trio.lowlevel.checkpoint()
                    read = self.last_read
                    return TimedRead(bytes(data), read.read_ns, read.kernel_ns, read.segments)
                case h11.EndOfMessage(headers=headers):
                    self.trailers = [(n.decode("latin-1"), v.decode("latin-1")) for n, v in headers.raw_items()]
                    self._inbox.put_back(self._h11.trailing_data[0], self.last_read)
                    self._h11 = None
                case _:
                    self.last_read = await _receive(self._inbox, self._limits.body_timeout_s)
                    self._h11.receive_data(self.last_read.data)
        return None


async def _receive(inbox: Inbox, timeout_s: float) -> TimedRead:
    if inbox.held_bytes:
        read = await inbox.receive()
    else:
        with trio.CancelScope(deadline=trio.current_time() + timeout_s) as scope:
            read = await inbox.receive()
        if scope.cancelled_caught:
            raise BadHead(408, "the body did not come in time")
    if not read.data:
        raise BadHead(400, "the body ended before its announced end")
    return read


def _too_long(limits: Limits) -> BadHead:
    return BadHead(413, f"the body is longer than the limit of {limits.max_body_bytes} bytes")
