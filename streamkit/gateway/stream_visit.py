"""One request to a resumable stream, or for one, and the answer to it: a document, a refusal, or the events.

All that a client is told here is in the form of our own dialect: errors are those of `plain_failure`. What the upstream
said of a request that it refused goes on, with its status and its headers, when to come back among them.

An event stream goes out with each read from upstream in one write, up to 64 KiB. It ends cleanly only behind the
stream's own end: one that is stopped, or whose reader is too slow for what is kept, is aborted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import trio

from streamkit.client.chat import Chat
from streamkit.dialects.failure import Failure, plain_failure
from streamkit.errors import StatusError, StreamkitError
from streamkit.gateway.crossing import answer_headers
from streamkit.gateway.failures import failure_of
from streamkit.gateway.losses import DROPPED_HEADER, dropped_value
from streamkit.gateway.record import Outcome, Record
from streamkit.gateway.sending import send_json, send_whole
from streamkit.gateway.stream_answer import AnswerStream, Place
from streamkit.gateway.stream_buffer import GoneError
from streamkit.gateway.translated import outcome_of, with_retry_after
from streamkit.http.clock import now_ns
from streamkit.http.exchange import Exchange
from streamkit.http.wire import chunk, last_chunk, response_head
from streamkit.vendors.question import RefusedError

__all__ = ["Headers", "Visit"]

SLICE_BYTES: Final = 64 * 1024
"""How much of the events is handed over at once."""

Headers = Sequence[tuple[str, str]]

NO_STORE: Final = ("Cache-Control", "no-store")

EVENT_STREAM: Final = (("Content-Type", "text/event-stream"), NO_STORE, ("X-Accel-Buffering", "no"))
"""What keeps caches, and proxies in front of us, from holding the events."""


class Visit:
    """One request, and its answer.

    Args:
        exchange: the client's.
        record: is filled in.
        added: headers of the response that the gateway has of its own.
        is_last: tells whether the client's connection closes behind the response in any case.
        half_close: whether a client that closes its sending side is still there.
        idle_s: how long a reader of events may take nothing.

    Attributes:
        is_left: whether the client was seen to leave.
    """

    def __init__(
        self,
        exchange: Exchange,
        record: Record,
        added: Headers,
        is_last: Callable[[], bool],
        *,
        half_close: bool,
        idle_s: float,
    ) -> None:
        self.exchange = exchange
        self.record = record
        self.is_last = is_last
        self.is_left = False
        self._added = added
        self._half_close = half_close
        self._idle_s = idle_s
        self._is_chunked = exchange.request.version == "1.1"
        record.outcome = "refused"  # until it turns out to be something else

    async def allows(self, *methods: str) -> bool:
        """Tell whether the method is one of these; answer that it is not otherwise."""
        if self.exchange.request.method in methods:
            return True
        allowed = ", ".join(methods)
        await self.fail(405, f"the method for this path is {' or '.join(methods)}", [("Allow", allowed)])
        return False

    async def send(self, status: int, value: object = None, headers: Headers = ()) -> None:
        """Answer with a JSON document, or without one where the status has none."""
        told = [*headers, NO_STORE, *self._added]
        if status == 204:
            await send_whole(self.exchange, self.record, status, b"", told, is_last=self.is_last())
        else:
            await send_json(self.exchange, self.record, status, value, told, is_last=self.is_last())

    async def fail(self, status: int, message: str, headers: Headers = ()) -> None:
        """Answer that the request fails."""
        self.record.detail = message
        await self.send(status, plain_failure(Failure(status, message)), headers)

    async def refuse(self, error: RefusedError | StreamkitError) -> None:
        """Answer that nothing could be asked, or that the upstream refused: with its status, and when to come back."""
        failure = failure_of(error)
        self.record.detail = failure.message
        headers: Headers = ()
        if isinstance(error, RefusedError):
            headers = error.headers
        else:
            self.record.outcome = outcome_of(error)
        if isinstance(error, StatusError):
            headers = with_retry_after(answer_headers(error.headers, ""), error)
        await self.send(failure.status, plain_failure(failure), headers)

    async def tell(self, stream_id: str, events: str, chat: Chat) -> None:
        """Answer where the events are, and what of the question was left out."""
        self.record.outcome = "ok"
        self.record.head_ns, self.record.reused = now_ns(), chat.response.is_reused
        told = [("Location", events), *answer_headers(chat.response.headers, "")]
        if chat.dropped:
            told.append((DROPPED_HEADER, dropped_value(chat.dropped)))
        await self.send(201, {"id": stream_id, "events": events, "dialect": "json"}, told)

    async def send_head(self) -> None:
        """Send the head that the events would have."""
        head, keeps = self._head()
        await self.exchange.stream.send_all(head)
        self.record.status, self.record.outcome = 200, "ok"
        self.exchange.keep_alive = keeps

    async def send_events(self, stream: AnswerStream, place: Place, retry: bytes) -> None:
        """Send what is behind a place, and what comes, until the stream is over or the reader leaves.

        Args:
            stream: that the reader has entered.
            place: the reader's.
            retry: what goes before the first event.
        """
        exchange, record = self.exchange, self.record
        head, keeps = self._head()
        exchange.keep_alive = False  # until the response is whole
        record.status = 200
        gone: GoneError | None = None
        is_whole = False
        async with trio.open_nursery() as watching:
            watching.start_soon(self.watch, watching.cancel_scope)
            try:
                await self._carry(stream, place, head, retry)
                is_whole = True
            except trio.BrokenResourceError:
                self.is_left = True
            except GoneError as error:
                gone = error
            watching.cancel_scope.cancel()
        if is_whole:
            record.outcome, record.detail = stream.outcome, stream.detail
            exchange.keep_alive = keeps
        elif gone is not None:
            record.detail = str(gone)
            self.abort("stopped")
        else:
            self.abort("client-left")

    def _head(self) -> tuple[bytes, bool]:
        """Return the head of an event stream, and whether the connection is kept behind it."""
        exchange = self.exchange
        keeps = exchange.keep_alive and self._is_chunked and not exchange.has_unread_body and not self.is_last()
        headers = [*EVENT_STREAM, *self._added, ("Connection", "keep-alive" if keeps else "close")]
        if self._is_chunked:
            headers.append(("Transfer-Encoding", "chunked"))
        return response_head(200, headers), keeps

    async def _carry(self, stream: AnswerStream, place: Place, out: bytes, data: bytes) -> None:
        """Send `out`, then `data` and the events: a write for each read from upstream, or for as many as there are.

        No more than `SLICE_BYTES` are copied at once: a reader that takes nothing costs no more than that.

        Raises:
            GoneError: the reader is too slow for what is kept or takes nothing, or the stream was stopped.
            BrokenResourceError: the reader is gone.
        """
        record = self.record
        while True:
            events = stream.rest(place, SLICE_BYTES)
            is_end = stream.is_over and place.at + len(events) == stream.buffer.end
            data += events
            out += chunk(data) if self._is_chunked else data
            if is_end and self._is_chunked:
                out += last_chunk()
            with trio.move_on_after(self._idle_s) as sending:
                await self.exchange.stream.send_all(out)
            if sending.cancelled_caught:
                raise GoneError(f"the reader took nothing for {self._idle_s:g} s")
            stream.took(place, len(events))
            record.response_bytes += len(data)
            if events:
                record.reads += 1
                record.first_ns = record.first_ns or now_ns()
            if is_end:
                return
            out = data = b""
            await stream.wait_more(place)

    async def watch(self, scope: trio.CancelScope) -> None:
        """Cancel when the client leaves."""
        if await self.exchange.wait_gone(half_close=self._half_close):
            self.is_left = True
            scope.cancel()

    def abort(self, outcome: Outcome) -> None:
        """End the connection so that nobody takes the answer for whole."""
        self.record.outcome = outcome
        self.exchange.stream.abort()
