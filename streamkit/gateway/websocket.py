"""`GET /ws`: questions as messages of a WebSocket, and answers as neutral events, each a message of JSON.

The client sends an envelope (`streamkit.vendors.envelope`) as a text message, and gets the records of the dialect
`json`: `{"streamkit":"start",...}` ... `{"streamkit":"end"}`; before them, where something of the question was left out
because the upstream has no place for it, `{"streamkit":"custom","name":"dropped","value":["seed"]}`. Then it may ask
again. All that one read from upstream brings is one write. While an answer runs, `{"cancel": true}` stops it: an
`error` record with the code `cancelled` ends it, and the connection stays. The client's leaving, in whatever way, stops
it too: the upstream is aborted at once; but behind the `end`, where many leave, it has `REST_S` to end its response.

An answer that fails or is cut ends with an `error` record too, and then the connection is closed. Our close codes
(RFC 6455, section 7.4) are 1000 for a client that asks nothing more, 1001 where the gateway goes away, 1002, 1003,
1007 and 1009 for what is no message or no JSON, 1008 for what is refused (a request, a second question while an answer
runs, no question in time), and 1011 where the upstream failed. Behind a part of an answer the code is never 1000.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from typing import Final, TypeAlias

import trio

from streamkit.client.chat import Chat
from streamkit.dialects.convert import encoder_of
from streamkit.dialects.encoder import Encoder
from streamkit.dialects.events import Custom, End, Error, Event, Ping
from streamkit.errors import EncodeError, RemoteError, StreamkitError, TruncatedError
from streamkit.gateway.record import Outcome, Record
from streamkit.gateway.translated import error_of, told_by
from streamkit.gateway.websocket_ending import CANCELLED, goodbye_of, is_cancel
from streamkit.gateway.websocket_handshake import accept_head, handshake_refusal
from streamkit.gateway.websocket_wire import Closed, Ear, Heard, Mouth, Pinged, Said
from streamkit.http.clock import now_ns
from streamkit.http.exchange import Exchange
from streamkit.http.limits import Limits
from streamkit.io.items import Items
from streamkit.vendors.question import RefusedError

__all__ = ["PATIENCE_S", "REST_S", "SILENCE_S", "Ask", "serve_websocket"]

Ask: TypeAlias = Callable[[bytes], AbstractAsyncContextManager[Items[Event]]]
"""From an envelope, text in UTF-8, to its answer, while a block runs. Raises `RefusedError` (where it is no JSON,
`NoJSONError`), or a `StreamkitError`, there or when the answer is read."""

SILENCE_S: Final = 20.0
"""Behind how much silence towards the client we send a ping: proxies in between close what is silent for longer."""

PATIENCE_S: Final = 60.0
"""How long a client may say nothing behind such a ping."""

REST_S: Final = 0.5
"""How long the rest of the upstream's response is read behind a whole answer, where the client has left."""

SLICE_BYTES: Final = 4096
"""How much of a read is taken without letting others run: 64 KiB of empty frames would take 100 ms."""


async def serve_websocket(
    exchange: Exchange,
    record: Record,
    ask: Ask,
    *,
    limits: Limits,
    drain: trio.Event | None = None,
    added: Sequence[tuple[str, str]] = (),
) -> None:
    """Answer a request for a WebSocket, and whatever is asked on it, until one side closes.

    Whatever the client does, nothing is raised for it, once the WebSocket is open. An error that `ask` may not raise
    goes on to the caller, after the client was told 1011.

    Args:
        exchange: the guard has let it in. The connection ends with it.
        record: is filled in: one for the whole connection.
        ask: asks the upstream; leaving its block early has to abort it.
        limits: of the client: a message has `max_body_bytes` at most, the first one comes within `head_timeout_s`, the
            next begins within `idle_timeout_s` and is there `head_timeout_s` later, closing takes `linger_timeout_s`.
        drain: once it is set a running answer is the last; who waits for a question is let go at once.
        added: headers of a refusal that the gateway has of its own.

    Raises:
        BrokenResourceError: the client is gone before the WebSocket is open.
    """
    refusal = handshake_refusal(exchange.request, has_body=exchange.has_unread_body)
    if refusal is not None:
        exchange.keep_alive = False
        record.status, record.outcome, record.detail = refusal.status, "refused", refusal.reason
        await exchange.stream.send_all(refusal.response(exchange.request, added))
        return
    record.outcome = "failed"  # until it turns out to be something else
    conversation = _Conversation(exchange, record, ask, limits, trio.Event() if drain is None else drain)
    await conversation.run()


class _Conversation:
    """One WebSocket: a task that hears the client, one that keeps the connection alive, and one that answers."""

    def __init__(self, exchange: Exchange, record: Record, ask: Ask, limits: Limits, drain: trio.Event) -> None:
        self._exchange = exchange
        self._record = record
        self._ask = ask
        self._limits = limits
        self._drain = drain
        self._inbox = exchange.take_over()
        self._ear = Ear(limits.max_body_bytes)
        self._mouth = Mouth(exchange.stream, self._ear)
        self._everything = trio.CancelScope()
        self._talk = trio.CancelScope()
        self._waiting = trio.CancelScope()  # for a question
        self._is_owed = True  # a question: the first one, or one that has begun
        self._question = b""
        self._has_come = trio.Event()
        self._encoder: Encoder | None = None  # of the answer that runs, or was cut
        self._next: bytes | None = None  # a question that has come behind a cancel
        self._asking: trio.CancelScope | None = None  # until the answer's last record is on its way
        self._is_resting = False  # the answer is whole, and what the upstream sends behind it is read
        self._is_cancelled = False  # the newest answer
        self._has_left = False
        self._goodbye: tuple[int, str] | None = None
        self._has_closed = trio.Event()  # the client
        self._error: Exception | None = None

    async def run(self) -> None:
        """Converse to the end, once."""
        stream = self._exchange.stream
        await stream.send_all(accept_head(self._exchange.request))
        self._record.status = 101
        try:
            async with trio.open_nursery() as nursery:
                self._everything = nursery.cancel_scope
                nursery.start_soon(self._listen)
                nursery.start_soon(self._keep)
                nursery.start_soon(self._watch_drain)
                await self._converse()
                nursery.cancel_scope.cancel()
        except BaseException as error:
            if not isinstance(error, Exception):  # we are stopped
                self._say_goodbye_now()
                await trio.aclose_forcefully(stream)
            raise
        if self._error is not None:
            raise self._error

    def _say_goodbye_now(self) -> None:
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):  # then nobody is there to hear it
            self._mouth.close_now(1001, "the gateway stops")

    async def _converse(self) -> None:
        try:
            with self._talk:
                while self._goodbye is None:
                    await self._take_question()
                    if self._asking is not None:
                        await self._answer(self._question, self._asking)
            if self._has_left:
                self._exchange.stream.abort()
                return
            await self._cut()
            await self._close()
        except trio.BrokenResourceError:
            self._leave("reset its connection")

    async def _cut(self) -> None:
        """Say that the answer ends here, where the client is still to be told."""
        encoder, goodbye = self._encoder, self._goodbye
        if encoder is not None and goodbye is not None and not self._has_closed.is_set():
            with trio.move_on_after(self._limits.linger_timeout_s):
                await self._fail(encoder, Error(goodbye[1], "refused", status=400))

    async def _close(self) -> None:
        """Send our close frame and wait for the client's, or the other way round."""
        code, reason = self._goodbye or (1000, "")
        with trio.move_on_after(self._limits.linger_timeout_s):
            await self._mouth.close(code, reason)
            if not self._ear.is_deaf:
                await self._has_closed.wait()
        if self._mouth.unsent:
            self._exchange.stream.abort()

    def _end(self, code: int, reason: str, outcome: Outcome) -> None:
        """Let the conversation end, unless it ends already; what was answered so far goes out before."""
        if self._goodbye is None:
            self._goodbye = code, reason
            self._record.outcome = outcome
            if outcome != "ok":
                self._record.detail = reason
            self._hush()

    def _hush(self) -> bool:
        """Answer nothing more. Where all was said the upstream's response may come to its end; tell whether it may."""
        if not self._is_resting or self._mouth.unsent:
            self._talk.cancel()
            return False
        self._talk.deadline = min(self._talk.deadline, trio.current_time() + REST_S)
        return True

    def _leave(self, how: str) -> None:
        """The client is gone without a close frame, or behind ours."""
        if self._goodbye is None:
            self._note_leaving(how)
        if self._hush():
            self._goodbye = self._goodbye or (1006, "")
            self._has_left = True
        else:
            self._exchange.stream.abort()
            self._everything.cancel()

    def _note_leaving(self, how: str) -> None:
        if self._is_cancelled:  # which is leaving in so many words
            self._record.outcome, self._record.detail = "client-left", CANCELLED.message
        elif self._asking is None and not self._mouth.unsent:
            self._record.outcome = "ok"  # it has all that it has asked for
        else:
            self._record.outcome, self._record.detail = "client-left", f"the client {how} while it was answered"

    # What the client says.

    async def _listen(self) -> None:
        try:
            while not self._ear.is_deaf:
                read = await self._inbox.receive()
                if not read.data:
                    self._leave("closed its connection")
                    return
                self._mouth.heard()
                self._hear(self._ear.feed(read.data[:SLICE_BYTES]))
                for place in range(SLICE_BYTES, len(read.data), SLICE_BYTES):
                    await trio.lowlevel.checkpoint()
                    self._hear(self._ear.feed(read.data[place : place + SLICE_BYTES]))
        except trio.BrokenResourceError:
            self._leave("reset its connection")

    def _hear(self, heard: list[Heard]) -> None:
        ping: Pinged | None = None
        for each in heard:
            if isinstance(each, Said):
                self._hear_message(each.data)
            elif isinstance(each, Pinged):
                ping = each
            elif isinstance(each, Closed):
                if self._goodbye is None:
                    self._note_leaving("closed its connection")
                    self._goodbye = each.code, ""
                self._has_closed.set()
                self._hush()
            else:
                self._end(each.code, each.reason, "bad-request")
        if ping is not None:
            self._mouth.pong(ping.payload)
        if self._ear.is_inside and self._asking is None and not self._is_owed:
            self._is_owed = True
            self._waiting.deadline = trio.current_time() + self._limits.head_timeout_s

    def _hear_message(self, data: bytes) -> None:
        if self._goodbye is not None:
            return
        if is_cancel(data):
            if self._asking is not None:  # else it has crossed the answer's last record
                self._asking.cancel()
        elif self._asking is not None and self._asking.cancel_called and self._next is None:
            self._next = data
        elif self._asking is not None:
            self._end(1008, "one question at a time: an answer is still on its way", "bad-request")
        else:
            self._record.request_bytes += len(data)
            self._question = data
            self._asking = trio.CancelScope()
            self._has_come.set()

    # What the client is told.

    async def _keep(self) -> None:
        try:
            await self._mouth.keep(SILENCE_S, PATIENCE_S)
            self._leave(f"did not answer a ping within {PATIENCE_S:g} s")
        except trio.BrokenResourceError:
            self._leave("reset its connection")

    async def _watch_drain(self) -> None:
        await self._drain.wait()
        self._waiting.cancel()

    async def _take_question(self) -> None:
        """Wait for a question; where none comes, the conversation ends."""
        limits = self._limits
        if self._drain.is_set():
            self._end(1001, "the gateway goes away", "ok")
            return
        if self._next is not None:
            data, self._next = self._next, None
            self._hear_message(data)
        limit_s = limits.head_timeout_s if self._is_owed else limits.idle_timeout_s
        with trio.CancelScope(deadline=trio.current_time() + limit_s) as self._waiting:
            await self._has_come.wait()
        self._has_come = trio.Event()
        if self._asking is not None:
            self._is_owed = False
        elif self._drain.is_set():
            self._end(1001, "the gateway goes away", "ok")
        elif self._is_owed:
            self._end(1008, f"no whole question came within {limits.head_timeout_s:g} s", "bad-request")
        else:
            self._end(1000, f"nothing was asked for {limits.idle_timeout_s:g} s", "ok")

    async def _answer(self, question: bytes, asking: trio.CancelScope) -> None:
        """Answer one question. Where that fails, the conversation ends; where it is cancelled, it does not."""
        encoder = self._encoder = encoder_of("json")
        self._is_cancelled = False
        error: Exception | None = None
        with asking:
            try:
                async with self._ask(question) as answer:
                    if self._record.head_ns is None:
                        self._record.head_ns = now_ns()
                    await self._pass_all(answer, encoder)
            except trio.BrokenResourceError:
                raise
            except Exception as raised:  # noqa: BLE001 - the client is told, and those that nobody expects go on
                error = raised
            finally:
                self._is_resting = False
        if self._asking is not asking:
            return  # the answer was whole before that
        if asking.cancelled_caught:
            self._is_cancelled = True
            await self._fail(encoder, CANCELLED)
            self._asking = None
            return
        error = error or TruncatedError("the answer was cut", dropped_bytes=0, stage="", record=None, offset=None)
        if not isinstance(error, (RefusedError, StreamkitError)):
            self._error = error
        told = error_of(error)
        await self._fail(encoder, told)
        code, outcome = goodbye_of(error)
        self._record.detail = told.message
        self._end(code, told.message, outcome)

    async def _pass_all(self, answer: Items[Event], encoder: Encoder) -> None:
        """Send an answer to its end."""
        if isinstance(answer, Chat) and answer.dropped:
            await self._send(encoder.feed(Custom("dropped", answer.dropped)))
        try:
            while True:
                await self._pass(await answer.receive_batch(), encoder)
        except trio.EndOfChannel:
            return
        except RemoteError as error:
            raise told_by(answer.message, error) if isinstance(answer, Chat) else error from None

    async def _pass(self, events: list[Event], encoder: Encoder) -> None:
        """Send what one read has brought."""
        record = self._record
        record.reads += 1
        if record.first_ns is None:
            record.first_ns = now_ns()
        failure: EncodeError | None = None
        try:
            out = encoder.feed_many(events)
        except EncodeError as error:
            failure, out = error, [*error.items]  # type: ignore[list-item]  # they are the encoder's
        if failure is None and type(events[-1]) is End:
            self._asking = None
            self._is_resting = True
        if out:
            await self._send(out)
        if failure is not None:
            raise failure
        if not out and any(type(event) is Ping for event in events):  # a heartbeat for which JSON has no place yet
            self._mouth.ping()

    async def _fail(self, encoder: Encoder, told: Error) -> None:
        if not encoder.over:
            await self._send(encoder.feed(told))

    async def _send(self, pieces: list[bytes]) -> None:
        lines = b"".join(pieces).split(b"\n")
        records = lines[:-1]
        self._record.response_bytes += sum([len(record) for record in records])
        await self._mouth.send(records)
