"""Resumable streams over HTTP: a chat that outlives the connections of those who read it.

- `POST /streams` asks, with an envelope (`streamkit.vendors.envelope`), and answers as soon as the upstream has begun
  to: 201 and where the events are. What the upstream refuses is refused here, with its status.
- `GET /streams/ID/events` is an event stream for browsers' `EventSource` (WHATWG HTML, section 9.2). It goes on behind
  the event that `Last-Event-ID` names, and ends cleanly behind the `end` or `error` record. The reader then comes back
  by itself: 204 ends that, as does every other status than 200.
- `DELETE /streams/ID` cancels.

The id is what gives access, as `EventSource` can send no key: whoever knows it may read and cancel, and it cannot be
guessed (128 bits). `streamkit.http.redact` keeps it out of logs.

A reader that leaves costs nothing but its connection. A stream that nobody has read for the grace time is given up, and
so is the request upstream; a finished one is kept as long for those whose connection broke at the end.
"""

from __future__ import annotations

import math
import re
import secrets
from collections.abc import Callable
from functools import partial
from typing import Final
from urllib.parse import parse_qsl

import trio

from streamkit.client.chat import Chat
from streamkit.codecs.sse_encoder import SSEEncoder
from streamkit.errors import StreamkitError, StreamTimeout
from streamkit.gateway.asker import Asker
from streamkit.gateway.config import GatewayConfig
from streamkit.gateway.envelopes import reading_of
from streamkit.gateway.record import Outcome, Record
from streamkit.gateway.route import STREAMS
from streamkit.gateway.stream_answer import AnswerStream, Ask, OnFailure
from streamkit.gateway.stream_buffer import GoneError
from streamkit.gateway.stream_visit import Headers, Visit
from streamkit.http.exchange import Exchange, Request
from streamkit.http.head import BadHead
from streamkit.vendors.question import RefusedError

__all__ = ["Streams"]

PATH: Final = re.compile(rf"{STREAMS}/(?P<id>[^/]+)(?P<events>/events)?")

ID_BYTES: Final = 16

RETRY_MS: Final = 500
"""How long a browser waits before it comes back. Its own 3 s would be a long silence in the middle of a sentence."""

MAX_WAIT_S: Final = 60
"""How long somebody is asked to wait, at most, for whom there is no room."""

EVENT_ID: Final = re.compile(r"0|[1-9][0-9]{0,17}")


class Streams:
    """The resumable streams of one gateway.

    `run` has to be running; cancelling it aborts them all. Then nobody can be served, and whoever reads is cut off.

    Args:
        asker: asks the upstream.
        config: the gateway's.
        on_failure: is told of each stream that did not come to its own end: its id, how, and why.

    Attributes:
        begun: how many streams there were, those included that there are.
        abandoned: how many of them were given up because nobody read them.
    """

    def __init__(
        self,
        asker: Asker,
        config: GatewayConfig,
        on_failure: Callable[[str, Outcome, str], None] = lambda _id, _outcome, _detail: None,
    ) -> None:
        self.begun = 0
        self.abandoned = 0
        self._asker = asker
        self._config = config
        self._on_failure = on_failure
        self._streams: dict[str, AnswerStream] = {}
        self._nursery: trio.Nursery | None = None
        retry_ms = int(min(RETRY_MS, config.stream_grace_s * 1000 / 4))
        self._retry = b"".join(SSEEncoder(retry_ms=retry_ms).finish())

    @property
    def open(self) -> int:
        """How many there are, those that are kept after their end included."""
        return len(self._streams)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Read the answers of all streams until cancelled."""
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                task_status.started()
                await trio.sleep_forever()
        finally:
            self._nursery = None

    async def handle(
        self,
        exchange: Exchange,
        record: Record,
        *,
        added: Headers = (),
        dropped: frozenset[str] = frozenset(),
        is_last: Callable[[], bool] = bool,
    ) -> None:
        """Answer a request whose path is `STREAMS`, or below it.

        Args:
            exchange: the client's.
            record: is filled in.
            added: headers of the response that the gateway has of its own.
            dropped: names, in lower case, of request headers that are meant for the gateway alone.
            is_last: tells whether the gateway takes on nothing new: a POST is refused then, and the client's
                connection closes behind the response in any case.

        Raises:
            BrokenResourceError: the client is gone.
        """
        config = self._config
        visit = Visit(exchange, record, added, is_last, half_close=config.half_close, idle_s=config.idle_timeout_s)
        path = exchange.request.path
        found = PATH.fullmatch(path)
        if path == STREAMS:
            if await visit.allows("POST"):
                await self._begin(visit, dropped)
        elif found is None:
            await visit.fail(404, f"there is nothing at this path, but there is {STREAMS}/ID/events")
        elif found["events"]:
            if await visit.allows("GET", "HEAD"):
                await self._read(visit, found["id"])
        elif await visit.allows("DELETE"):
            await self._cancel(visit, found["id"])

    async def _begin(self, visit: Visit, dropped: frozenset[str]) -> None:
        """Read the envelope, ask, and say where the events are."""
        exchange, record, config = visit.exchange, visit.record, self._config
        try:
            body = await exchange.read_body()
        except BadHead as error:
            record.outcome = "bad-request"
            await visit.fail(error.status, error.reason)
            return
        record.request_bytes = len(body)
        if visit.is_last() or self._nursery is None:
            await visit.fail(503, "the gateway is about to stop", [("Retry-After", "1")])
            return
        try:
            reading = await reading_of(body, config)
        except RefusedError as error:
            await visit.refuse(error)
            return
        record.dialect, record.upstream_dialect = reading.dialect, config.speaks
        if not self._has_room():
            reason = f"there are {config.max_streams} streams already, which is the limit"
            wait_s = math.ceil(min(config.stream_grace_s, MAX_WAIT_S))
            await visit.fail(503, reason, [("Retry-After", str(wait_s))])
            return
        headers = [(name, value) for name, value in exchange.request.headers if name.lower() not in dropped]
        await self._ask(visit, self._nursery, partial(self._asker.chat, reading, headers))

    def _has_room(self) -> bool:
        """Tell whether one more stream may be; the oldest that was read to its end, or cancelled, makes room for it."""
        if len(self._streams) < self._config.max_streams:
            return True
        for stream_id, stream in self._streams.items():
            if stream.is_done and not stream.has_readers:
                stream.forget()
                del self._streams[stream_id]
                return True
        return False

    async def _ask(self, visit: Visit, nursery: trio.Nursery, ask: Ask) -> None:
        config = self._config
        stream_id = secrets.token_urlsafe(ID_BYTES)
        on_failure: OnFailure = partial(self._on_failure, stream_id)
        stream = AnswerStream(
            buffer_bytes=config.stream_buffer_bytes, grace_s=config.stream_grace_s, on_failure=on_failure
        )
        self._streams[stream_id] = stream
        chat: Chat | None = None
        error: RefusedError | StreamkitError = StreamTimeout(config.head_timeout_s)
        async with trio.open_nursery() as watching:
            watching.start_soon(visit.watch, watching.cancel_scope)
            try:
                with trio.move_on_after(config.head_timeout_s):
                    chat = await nursery.start(self._live, stream_id, stream, ask)
            except (RefusedError, StreamkitError) as raised:
                error = raised
            watching.cancel_scope.cancel()
        if visit.is_left:
            stream.forget()
            visit.abort("client-left")
        elif chat is None:
            await visit.refuse(error)
        else:
            self.begun += 1
            try:
                await visit.tell(stream_id, f"{STREAMS}/{stream_id}/events", chat)
                if stream.failure is not None:  # nobody could know then whose it was
                    self._on_failure(stream_id, *stream.failure)
            except BaseException:
                stream.forget()  # nobody knows its id
                raise

    async def _live(
        self, stream_id: str, stream: AnswerStream, ask: Ask, *, task_status: trio.TaskStatus[Chat]
    ) -> None:
        """Keep a stream in the table for as long as it lives."""
        try:
            await stream.run(ask, task_status=task_status)
            self.abandoned += not stream.is_over
        finally:
            self._streams.pop(stream_id, None)

    async def _read(self, visit: Visit, stream_id: str) -> None:
        """Send the events behind the last one that the reader has had, and those that come."""
        stream = await self._find(visit, stream_id)
        if stream is None:
            return
        last_id = _last_id(visit.exchange.request)
        if last_id is None:
            await visit.fail(410, "the last event id is none of this stream's, which are numbers")
            return
        if stream.is_over and last_id == stream.buffer.last_id:
            visit.record.outcome = "ok"
            await visit.send(204)
            return
        try:
            if visit.exchange.request.method == "HEAD":
                stream.buffer.place_behind(last_id)
                await visit.send_head()
                return
            place = stream.enter(last_id, visit.exchange.stream)
        except GoneError as error:
            await visit.fail(410, str(error))
            return
        try:
            await visit.send_events(stream, place, self._retry)
        finally:
            stream.leave(place)

    async def _cancel(self, visit: Visit, stream_id: str) -> None:
        stream = await self._find(visit, stream_id)
        if stream is not None:
            if stream.is_over and not stream.has_readers:
                stream.forget()
            else:
                stream.cancel()  # and those who read it are told, also when they come back
            visit.record.outcome = "ok"
            await visit.send(204)

    async def _find(self, visit: Visit, stream_id: str) -> AnswerStream | None:
        """Return a stream that lives; answer that there is none otherwise."""
        stream = self._streams.get(stream_id)
        if stream is None or stream.is_gone:
            await visit.fail(404, "there is no such stream, or it is not kept any more")
            return None
        return stream


def _last_id(request: Request) -> int | None:
    """Return the number of the last event that the reader has had, 0 where it has had none; None for what is no number.

    A header goes before the query: browsers send it once they come back, to the same URL.
    """
    given = request.get("last-event-id")
    if given is None:
        given = dict(parse_qsl(request.query)).get("last-event-id", "0")
    return int(given) if EVENT_ID.fullmatch(given) else None
