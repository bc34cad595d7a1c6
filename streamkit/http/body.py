"""The body of a request, read by read as it comes, out of its framing (`streamkit.http.unframe`).

Nothing is held back: what a read brought is one piece. What is behind the body goes back to the inbox.
"""

from __future__ import annotations

import trio

from streamkit.http.head import BadHead, Body
from streamkit.http.inbox import Inbox
from streamkit.http.limits import Limits
from streamkit.http.stream import TimedRead
from streamkit.http.unframe import unframer_of

__all__ = ["BodyReader", "body_reader"]


def body_reader(body: Body, inbox: Inbox, limits: Limits) -> BodyReader:
    """Return the reader of a body that ends as `body` says.

    Raises:
        BadHead: it is announced to be longer than the limit (413).
    """
    if body == "close":
        raise ValueError("a request's body cannot end with the connection")
    if body != "chunked" and body > limits.max_body_bytes:
        raise _too_long(limits)
    return BodyReader(body, inbox, limits)


class BodyReader:
    """Reads one body. `body_reader` makes it.

    Attributes:
        last_read: the read that the newest piece, or the end, came in.
    """

    __slots__ = ("_got_bytes", "_inbox", "_limits", "_unframer", "last_read")

    def __init__(self, body: Body, inbox: Inbox, limits: Limits) -> None:
        self._unframer = unframer_of(body)
        self._inbox = inbox
        self._limits = limits
        self._got_bytes = 0
        self.last_read = TimedRead(b"", 0)

    @property
    def is_complete(self) -> bool:
        """Whether the body has come to its end. Its last piece may already have told."""
        return self._unframer.is_complete

    @property
    def trailers(self) -> list[tuple[str, str]]:
        """The headers behind it; whole once it is complete."""
        return self._unframer.trailers

    async def receive(self) -> TimedRead | None:
        """Return what the next read with payload brought, with its stamps, or None when the body is whole.

        Raises:
            BadHead: it is not what was announced (400), too slow (408), or too long (413). What came before the broken
                place was returned; of what is too long the read that went beyond the limit was not.
            BrokenResourceError: the client is gone.
        """
        unframer = self._unframer
        while not unframer.is_complete:
            if unframer.problem:
                raise BadHead(400, f"the chunked body is broken: {unframer.problem}")
            read = self.last_read = await _receive(self._inbox, self._limits.body_timeout_s)
            payload = unframer.feed(read.data)
            if unframer.excess:
                self._inbox.put_back(unframer.excess, read)
            if payload:
                self._got_bytes += len(payload)
                if self._got_bytes > self._limits.max_body_bytes:
                    raise _too_long(self._limits)
                if payload is read.data:
                    return read
                return TimedRead(payload, read.read_ns, read.kernel_ns, read.segments)
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
