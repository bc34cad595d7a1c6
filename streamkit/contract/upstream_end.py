"""The upstream's end of a case: one request that the proxy has passed on, and every byte of the answer to it.

What is written is exactly what is asked for, legal or not, and is in the trace with the time when the kernel had it. A
proxy that goes away is written down and not raised.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

import trio

from streamkit.contract.content import TOKEN_HEADER, Meter, Part
from streamkit.contract.patience import spans
from streamkit.contract.trace import EXCERPT_BYTES, Event, Exchanged, Head, Pairs, Piece, Trace
from streamkit.http.clock import now_ns
from streamkit.http.exchange import Exchange
from streamkit.http.head import BadHead
from streamkit.http.inbox import Left
from streamkit.http.wire import chunk, last_chunk, reason_of, response_head

__all__ = ["FRAMINGS", "Framing", "UpstreamEnd"]

Framing = Literal["chunked", "close", "cl", "auto"]

FRAMINGS: Final[tuple[Framing, ...]] = ("chunked", "close", "cl")
"""How a body may end: with its last chunk, with the connection, or after its Content-Length."""

KEPT_REQUEST_BYTES: Final = 1 << 20

LOOKS: Final = 8
"""How many times in a row nothing was taken from an upstream that is blocked."""


class UpstreamEnd:
    """One request at the upstream, and its answer.

    Attributes:
        exchange: what came; its body may be read piece by piece.
        exchanged: where what happens is written down.
        is_done: set once nothing more is to be done on this request.
        is_gone: whether the proxy has gone away.
        token: of the case that this belongs to; it stands in the answer's head, so that a client sees whose that is.
    """

    def __init__(self, exchange: Exchange, body: bytes = b"") -> None:
        request = exchange.request
        self.exchange = exchange
        self.body = body
        line = f"{request.method} {request.target} HTTP/{request.version}"
        self.line = Head(request.arrived_ns, line, request.headers)
        self.is_done = trio.Event()
        self.is_gone = False
        self.exchanged = Exchanged()
        self.framing: Framing = "auto"
        self.token = ""
        self._meter = Meter()
        self._trace = Trace()
        self._held = memoryview(b"")  # what `pour` could not get rid of
        self._start_bytes = exchange.stream.sent_bytes

    def join(self, exchanged: Exchanged, meter: Meter, trace: Trace) -> None:
        """Make this an attempt of that exchange."""
        self.exchanged, self._meter, self._trace = exchanged, meter, trace
        exchanged.attempts.append(self.line)
        exchanged.attempts_ns.append(self.line.at_ns)
        if self.body:
            self._keep(self.body)
        request = self.exchange.request
        self._note("head", request.head, at_ns=request.arrived_ns, note=self.line.line)

    @property
    def version(self) -> str:
        """The HTTP version that the proxy speaks: a 1.0 one is owed an answer that ends with the connection."""
        return self.exchange.request.version

    @property
    def connection(self) -> int:
        """The number of the proxy's connection on which the request came."""
        return self.exchange.request.connection

    async def receive_body(self) -> bytes | None:
        """Return the next bytes of the request's body as they come, None at its end."""
        try:
            read = await self.exchange.receive_body()
        except (trio.BrokenResourceError, BadHead):
            self.is_gone = True
            return None
        if read is None:
            return None
        self._keep(read.data)
        self._note("read", read.data, at_ns=read.read_ns)
        return read.data

    async def read_body(self, within_s: float) -> bytes:
        """Read the rest of the request's body, as far as it comes in time; returns all of it, within a bound."""
        for span_s in spans(within_s):
            with trio.move_on_after(span_s) as scope:
                while await self.receive_body() is not None:
                    pass
            if not scope.cancelled_caught:
                break
        return self.exchanged.request_body

    def _keep(self, data: bytes) -> None:
        exchanged = self.exchanged
        exchanged.request_body_bytes += len(data)
        if len(exchanged.request_body) < KEPT_REQUEST_BYTES:
            exchanged.request_body += data

    async def interim(self, status: int, headers: Pairs) -> None:
        """Send an interim response."""
        await self.write(response_head(status, headers))

    async def respond(
        self,
        framing: Framing = "auto",
        *,
        status: int = 200,
        media_type: str = "text/event-stream",
        headers: Iterable[tuple[str, str]] = (),
        size_bytes: int = 0,
    ) -> None:
        """Send the head of the answer.

        Args:
            framing: how its body ends; "auto" as the request's version has it.
            status: of the answer.
            media_type: its Content-Type; empty for none.
            headers: besides.
            size_bytes: the Content-Length, where the framing is "cl".
        """
        if framing == "auto":
            framing = "chunked" if self.version == "1.1" else "close"
        self.framing = framing
        fields = [("Content-Type", media_type)] if media_type else []
        fields += [*headers, *([(TOKEN_HEADER, self.token)] if self.token else [])]
        if framing == "chunked":
            fields.append(("Transfer-Encoding", "chunked"))
        elif framing == "cl":
            fields.append(("Content-Length", str(size_bytes)))
        if framing == "close" or not self.exchange.keep_alive:
            fields.append(("Connection", "close"))
            self.exchange.keep_alive = False
        line = f"HTTP/1.1 {status} {reason_of(status)}"
        self.exchanged.sent_head = Head(now_ns(), line, fields)
        await self.write(response_head(status, fields), note=line)

    def expect(self, part: Part, mark: str = "") -> Piece:
        """Note a piece of the body that is about to be sent, and return it: `send` and `deliver` do that."""
        units = self._meter.expect(part)
        piece = Piece(units, len(part.data), mark=mark, begun_ns=now_ns())
        self.exchanged.pieces.append(piece)
        self.exchanged.expected_units = units
        return piece

    def framed(self, data: bytes) -> bytes:
        """Return bytes of the body in the answer's framing."""
        return chunk(data) if self.framing == "chunked" else data

    async def send(self, part: Part, mark: str = "") -> Piece:
        """Send a piece of the body in one write, and return it. It may wait for a proxy that takes no more."""
        piece = self.expect(part, mark)
        if await self.write(self.framed(part.data), units=piece.units):
            piece.sent_ns = now_ns()
        return piece

    async def write(self, data: bytes, *, units: int = 0, note: str = "") -> bool:
        """Write bytes as they are, and tell whether the kernel has them all."""
        if self.is_gone:
            return False
        began_ns = now_ns()  # what the client has of it must not stand before it in the log
        try:
            if self._held:
                await self.exchange.stream.send_all(self._held)
                self._held = memoryview(b"")
            await self.exchange.stream.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self._lose("reset", now_ns())
            return False
        self._note("send", data, at_ns=began_ns, units=units, note=note)
        return True

    @property
    def taken_bytes(self) -> int:
        """How much of the answer, with its framing, the other end's kernel has taken so far."""
        stream = self.exchange.stream
        return stream.sent_bytes - self._start_bytes - (stream.unsent_bytes() or 0)

    async def pour(self, part: Part, size_bytes: int, *, patience_s: float) -> bool:
        """Send the same piece again and again, until so many bytes were given away or nothing more is taken.

        What was given away of a piece that was not taken whole is remembered: the next `write` begins with the rest.

        Args:
            part: all of them are this one, so that it costs no memory however many there are.
            size_bytes: of the answer with its framing, counted from its first byte.
            patience_s: how long nothing at all has to be taken before the proxy counts as blocked.

        Returns:
            Whether so much was taken; False where the proxy is blocked, or gone.
        """
        stream = self.exchange.stream
        data = self.framed(part.data)
        poured_bytes = 0
        try:
            while stream.sent_bytes - self._start_bytes < size_bytes:
                if not self._held:
                    piece = self.expect(part)
                    piece.sent_ns = now_ns()
                    self._held = memoryview(data)
                sent = stream.send_now(self._held)
                self._held = self._held[sent:]
                poured_bytes += sent
                if sent:
                    await trio.lowlevel.checkpoint()
                elif not await self._wait_for_room(patience_s):
                    break
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self._lose("reset", now_ns())
        number, units = self.exchange.request.connection, self.exchanged.expected_units
        note = "the same piece again and again"
        self._trace.note(Event(now_ns(), "upstream", number, "send", poured_bytes, units, data[:EXCERPT_BYTES], note))
        return not self.is_gone and stream.sent_bytes - self._start_bytes >= size_bytes

    async def _wait_for_room(self, patience_s: float) -> bool:
        """Wait until more is taken; tell whether it is before the other end has taken nothing for so long."""
        taken_bytes, looks = self.taken_bytes, 0
        while looks < LOOKS:  # not until a time: a machine that stood still for a while says nothing about the proxy
            with trio.move_on_after(patience_s / LOOKS):
                await self.exchange.stream.wait_send_all_might_not_block()
                return True
            looks += 1
            if self.taken_bytes != taken_bytes:  # not enough for the kernel to tell, but not nothing
                taken_bytes, looks = self.taken_bytes, 0
        return False

    async def finish(self, trailers: Pairs | None = None) -> None:
        """End the answer as its framing has it."""
        if self.framing == "chunked":
            await self.write(last_chunk(trailers or []))
        self.end("clean")

    def end(self, how: Literal["clean", "reset", "closed"]) -> None:
        """End the answer: cleanly, by an RST, or by a FIN wherever it is. What is behind a clean end may be kept."""
        if not self.exchanged.upstream_end:
            self.exchanged.upstream_end = how
        if how == "reset":
            self.exchange.stream.abort()
        if how != "clean" or self.is_gone:
            self.exchange.keep_alive = False
        self._note({"clean": "end", "reset": "reset", "closed": "close"}[how], note=how)
        self.is_done.set()

    async def hang_up(self) -> None:
        """Close the connection of an answer that is done, as servers do with one that is idle for long."""
        self._note("close", note="idle")
        await self.exchange.stream.aclose()

    async def wait_left(self, within_s: float) -> bool:
        """Wait until the proxy goes away from this request, and tell whether it has, in time."""
        if self.is_gone:
            return True
        for span_s in spans(within_s):
            with trio.move_on_after(span_s):
                left: Left = await self.exchange.wait_left()
                self._lose(left.how, left.at_ns)
            if self.is_gone:
                break
        return self.is_gone

    def _lose(self, how: str, at_ns: int) -> None:
        if not self.is_gone:
            self.is_gone = True
            self.exchanged.left_ns, self.exchanged.left_how = at_ns, how
            self._note("end", at_ns=at_ns, note=f"the proxy left: {how}")

    def drop(self) -> None:
        """Give up whatever is not done, with an RST. Does nothing on what is."""
        if not self.is_done.is_set():
            self.exchange.stream.abort()
            self.exchange.keep_alive = False
            self.is_done.set()

    def _note(self, what: str, data: bytes = b"", *, at_ns: int = 0, units: int = 0, note: str = "") -> None:
        number = self.exchange.request.connection
        event = Event(at_ns or now_ns(), "upstream", number, what, len(data), units, data[:EXCERPT_BYTES], note)
        self._trace.note(event)
