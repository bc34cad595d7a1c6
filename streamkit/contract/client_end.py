"""The client's end of a case: requests byte by byte, and every read of the answer with its stamps, into the trace.

It takes whatever the proxy sends: what is no HTTP any more, or ends too early, is written down and not raised.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import trio

from streamkit.client.coding import Coding, Identity, coding_of
from streamkit.contract.content import Asked, Meter
from streamkit.contract.patience import spans
from streamkit.contract.trace import EXCERPT_BYTES, KEPT_BODY_BYTES, Event, Exchanged, Head, Trace
from streamkit.dialects.events import End
from streamkit.errors import DecodeError, DisconnectedError, ProtocolError
from streamkit.http.client import ClientConnection
from streamkit.http.clock import now_ns
from streamkit.http.stream import TimedRead, WireStream

if TYPE_CHECKING:
    from streamkit.http.head import ResponseHead

__all__ = ["ClientEnd"]

KEPT_WRONG_BYTES: Final = 256 << 10
"""How much of an answer is kept once something was wrong with it: it may go on for ever, in many cases."""


class ClientEnd:
    """One connection to the proxy.

    Attributes:
        exchanged: what happens to the request that was sent last.
        meter: how much of its answer has come.
        stream: for what has no method here: writing slowly, half a request, an RST.
    """

    def __init__(self, stream: WireStream, number: int, trace: Trace, *, decodes: bool) -> None:
        self.stream = stream
        self.exchanged = Exchanged()
        self.meter = Meter()
        self._connection = ClientConnection(stream, tap=self._note_read)
        self._number = number
        self._trace = trace
        self._decodes = decodes
        self._method = "GET"
        self._coding: Coding = Identity()
        self._arrived = 0
        self._wrong_until_s, self._wrong_bytes = math.inf, 0
        self._is_close_delimited = False
        self._note("connect")

    @property
    def is_reusable(self) -> bool:
        """Whether another request may follow on this connection."""
        return self._connection.is_reusable

    def begin(self, asked: Asked, meter: Meter, exchanged: Exchanged) -> None:
        """Make what comes next the answer to this request."""
        self.exchanged, self.meter, self._method = exchanged, meter, asked.method
        self._coding, self._arrived = Identity(), 0
        self._wrong_until_s, self._wrong_bytes = math.inf, 0

    async def send_request(self, asked: Asked, *, with_body: bool = True) -> None:
        """Send a request's head, and its body along with it or not."""
        data = asked.head + (asked.body if with_body else b"")
        self._note("send", data)
        try:
            await self._connection.send(data)
        except DisconnectedError:
            self._note("end", note="the proxy was gone")

    async def send(self, data: bytes) -> None:
        """Send bytes of a request's body, as they are."""
        self._note("send", data)
        try:
            await self.stream.send_all(data)
        except trio.BrokenResourceError:
            self._note("end", note="the proxy was gone")

    async def head(self, within_s: float) -> Head | None:
        """Return the final head of the answer, None where it does not come in time or never will."""
        exchanged = self.exchanged
        for span_s in spans(within_s):
            with trio.move_on_after(span_s):
                await trio.lowlevel.checkpoint()
                while exchanged.head is None and not exchanged.client_end:
                    await self._read_head()
            if exchanged.head is not None or exchanged.client_end:
                break
        return exchanged.head

    async def next_head(self, within_s: float) -> bool:
        """Wait for a head, interim or final, and tell whether one came in time."""
        exchanged = self.exchanged
        before = len(exchanged.interim)
        for span_s in spans(within_s):
            if exchanged.head is not None or exchanged.client_end or len(exchanged.interim) > before:
                break
            with trio.move_on_after(span_s):
                await self._read_head()
        return len(exchanged.interim) > before or exchanged.head is not None

    async def until(self, units: int, within_s: float) -> bool:
        """Read until so much of the answer has come; tell whether it has, in time, before an end or a mistake."""
        for span_s in spans(within_s):
            if self.meter.units >= units:
                break
            with trio.move_on_after(span_s) as scope:
                await trio.lowlevel.checkpoint()
                while await self.read() and self.meter.units < units:
                    pass
            if not scope.cancelled_caught:
                break
        return self.meter.units >= units

    async def until_bytes(self, size_bytes: int, within_s: float) -> bool:
        """Read until so many bytes of the body have come, whatever they are."""
        for span_s in spans(within_s):
            with trio.move_on_after(span_s) as scope:
                await trio.lowlevel.checkpoint()
                while self.exchanged.body_bytes < size_bytes and await self.read():
                    pass
            if not scope.cancelled_caught:
                break
        return self.exchanged.body_bytes >= size_bytes

    async def rest(self, within_s: float) -> None:
        """Read to the end. Where for `within_s` nothing comes, or nothing right, the answer hangs."""
        while not self.exchanged.client_end:
            if not await self.read_within(within_s):
                self.exchanged.client_end = "hang"
                self._note("mark", note="hangs")

    async def read_within(self, within_s: float) -> bool:
        """Read once, and tell whether anything came in time.

        Of what goes on although the upstream has ended, and everything has come or is wrong, no more is taken than
        `within_s` brings: a stream that only beats on never ends.
        """
        now_s = trio.current_time()
        exchanged = self.exchanged
        if exchanged.upstream_end and (exchanged.problem or exchanged.units >= exchanged.expected_units):
            self._wrong_until_s = min(self._wrong_until_s, now_s + within_s)
        with trio.move_on_at(min(now_s + within_s, self._wrong_until_s)) as scope:
            await self.read()
        return not scope.cancelled_caught

    async def read(self) -> bool:
        """Take what one read brings; tell whether more may come, which is so as long as nothing is wrong."""
        exchanged = self.exchanged
        if exchanged.client_end:
            return False
        if exchanged.head is None:
            await self._read_head()
            return not exchanged.client_end
        try:
            read = await self._connection.receive()
        except DisconnectedError as error:
            self._end("reset" if error.is_reset else "cut", str(error))
        except ProtocolError as error:
            self._end("broken", str(error))
        else:
            if read is None:
                self._end("closed" if self._is_close_delimited else "complete")
            else:
                self._take(read)
                if self._connection.is_complete:
                    self._end("complete")
        return not (exchanged.client_end or exchanged.problem)

    async def _read_head(self) -> None:
        exchanged = self.exchanged
        try:
            response = await self._connection.receive_head(self._method)
        except DisconnectedError as error:
            self._end("reset" if error.is_reset else "cut", str(error))
            return
        except ProtocolError as error:
            self._end("broken", str(error))
            return
        head = _head_of(response, self._connection.last_read)
        self._note("head", at_ns=head.at_ns, note=head.line)
        if response.status < 200 and response.status != 101:
            exchanged.interim.append(head)
            return
        exchanged.head = head
        self._is_close_delimited = response.body == "close"
        coding = head.get("content-encoding") or ""
        if coding and not self._decodes:
            exchanged.problem = f"the answer came in Content-Encoding {coding[:40]}, which was not asked for"
        try:
            self._coding = coding_of(coding) if self._decodes else Identity()
        except ProtocolError as error:
            exchanged.problem = str(error)
        if self._connection.is_complete:
            self._end("complete")

    def accept_coding(self) -> None:
        """Undo gzip from now on, because this request offers it."""
        self._decodes = True

    def _take(self, read: TimedRead) -> None:
        exchanged, meter = self.exchanged, self.meter
        try:
            for piece in self._coding.feed(read.data):
                exchanged.body_bytes += len(piece)
                if len(exchanged.body) < KEPT_BODY_BYTES and self._wrong_bytes < KEPT_WRONG_BYTES:
                    exchanged.body += piece
                self._wrong_bytes += len(piece) if exchanged.problem else 0
                meter.feed(piece)
        except DecodeError as error:
            exchanged.problem = exchanged.problem or str(error)
        self._note_progress(read.kernel_ns or read.read_ns)

    def _note_progress(self, at_ns: int) -> None:
        exchanged, meter = self.exchanged, self.meter
        exchanged.units, exchanged.expected_units = meter.units, meter.expected
        exchanged.problem = exchanged.problem or meter.problem
        pieces = exchanged.pieces
        while self._arrived < len(pieces) and pieces[self._arrived].units <= meter.units:
            pieces[self._arrived].came_ns = at_ns
            self._arrived += 1
        before = pieces[self._arrived - 1].units if self._arrived else 0
        if self._arrived < len(pieces) and meter.units > before and not pieces[self._arrived].first_ns:
            pieces[self._arrived].first_ns, pieces[self._arrived].first_units = at_ns, meter.units - before

    def _end(self, how: str, note: str = "") -> None:
        exchanged, meter = self.exchanged, self.meter
        exchanged.client_end = how  # type: ignore[assignment]  # one of those words
        if how in {"complete", "closed"}:
            try:
                self._coding.finish()
            except DecodeError as error:
                exchanged.problem = exchanged.problem or str(error)
        is_told = any(isinstance(event, End) for event in meter.events)
        meter.finish()
        self._note_progress(now_ns())
        # Where the body's end is the terminator, or belongs to it, a body that is torn has none.
        is_whole = how in {"complete", "closed"} and any(isinstance(event, End) for event in meter.events)
        exchanged.has_end_event = is_told or is_whole
        exchanged.has_error_event = meter.has_error
        exchanged.trailers = self._connection.trailers
        exchanged.excess = self._connection.excess
        self._note("end", note=note or how)

    def leave(self, how: str = "fin") -> None:
        """Go away: by closing the connection, or by an RST."""
        self.exchanged.client_left_ns = now_ns()
        self._note("close" if how == "fin" else "reset")
        if how != "fin":
            self.stream.abort()

    async def aclose(self) -> None:
        """Close the connection, with nothing unread that would make it an RST as far as that can be had."""
        if not self.exchanged.client_left_ns:
            self.leave()
        with trio.CancelScope(shield=True, deadline=-math.inf):
            await self.stream.aclose()

    async def half_close(self) -> None:
        """Close the sending side alone. A proxy that is gone by then, of itself or for TLS's goodbye, is no error."""
        self._note("close", note="sending side only")
        try:
            await self.stream.send_eof()
        except (trio.BrokenResourceError, trio.ClosedResourceError):  # what it was told before was enough for it
            self._note("mark", note="the proxy was gone")

    def _note_read(self, read: TimedRead) -> None:
        at_ns = read.kernel_ns or read.read_ns
        self._note("read", read.data, at_ns=at_ns)

    def _note(self, what: str, data: bytes = b"", *, at_ns: int = 0, note: str = "") -> None:
        event = Event(
            at_ns or now_ns(), "client", self._number, what, len(data), self.meter.units, data[:EXCERPT_BYTES], note
        )
        self._trace.note(event)


def _head_of(response: ResponseHead, read: TimedRead) -> Head:
    line = f"HTTP/{response.version} {response.status} {response.reason}".rstrip()
    return Head(read.kernel_ns or read.read_ns, line, response.headers)
