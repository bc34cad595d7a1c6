"""Sees what passes a gateway: which requests, on which connections, and what belongs together.

A request is one stream, from its head to its end, whatever came of it. A resumable one goes on behind the answer to
its `POST`: the connections that read its events (`GET /streams/ID/events`) belong to it, and it is over when its
upstream is and nobody reads it; as long as nobody has read it to its end, somebody may still come. The page names its
own streams, to know them again: in a header that goes no further, or, for a WebSocket, which can have none, in the
query.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from mockserver.recording.reading import ResponseReader
from streamkit.gateway.guard import PREFIX as OWN_PREFIX
from streamkit.gateway.record import Outcome, Record
from streamkit.gateway.route import STREAMS, WEBSOCKET
from streamkit.gateway.sending import send_whole
from streamkit.http.clock import now_ns
from streamkit.http.connect import Dial
from streamkit.http.exchange import Exchange, Request
from streamkit.http.stream import WireStream
from streamkit.watch.api import API
from streamkit.watch.moments import Moment, Sight
from streamkit.watch.pages import Pages
from streamkit.watch.prefix import PREFIX
from streamkit.watch.seen import SEES, SeenStream, Sees
from streamkit.watch.sights import Sights

if TYPE_CHECKING:
    import trio

__all__ = ["TAG_HEADER", "Watch"]

logger = logging.getLogger("streamkit.watch")

TAG_HEADER: Final = "x-streamkit-watch"
TAG_PARAMETER: Final = "watch"

TAG: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")

EVENTS: Final = re.compile(rf"{STREAMS}/([^/]+)(/events)?")

GRACE_S: Final = 30.0
MAX_GRACE_S: Final = 3600.0

UNSEEN: Final = (PREFIX, OWN_PREFIX)
"""Below which paths there are no streams."""

GONE: Final = frozenset({204, 404})
"""What `DELETE` is answered where there is no stream any more."""

READ: Final = frozenset({200, 204})
"""What a reader is answered who gets some of it, or has all."""

LOCATION: Final = re.compile(rb"(?i)\r\nlocation:[ \t]*/streams/([^/\r\n]+)/events[ \t]*\r\n")


class Watch:
    """The onlooker of one gateway: what `streamkit.gateway.onlooker` asks for.

    Args:
        api: answers what the page asks.
        sights: where what is seen is kept.
        grace_s: how long the gateway keeps a resumable stream that nobody reads.
    """

    def __init__(self, api: API, sights: Sights, *, grace_s: float = GRACE_S) -> None:
        self.api = api
        self.sights = sights
        self._grace_ns = int(min(grace_s, MAX_GRACE_S) * 1e9)
        self._pages = Pages()

    @property
    def prefix(self) -> str:
        """Below which path the page is."""
        return PREFIX

    def seen(self, dial: Dial) -> Dial:
        """Return what makes the same connections, and shows what is sent and read on them."""

        async def seen_dial() -> WireStream:
            return SeenStream(await dial(), "upstream")

        return seen_dial

    def is_open(self, request: Request) -> bool:
        """Tell whether it is the page itself that is asked for, in which nothing is secret."""
        return self._pages.has(request) or request.path == PREFIX[:-1]

    async def answer(self, exchange: Exchange, record: Record, drain: trio.Event) -> None:
        """Answer with the page, or with what it asks for."""
        if exchange.request.path == PREFIX[:-1]:
            await send_whole(exchange, record, 308, b"", [("Location", PREFIX)], is_last=drain.is_set())
        elif self._pages.knows(exchange.request):
            await self._pages.answer(exchange, record, is_last=drain.is_set())
        else:
            await self.api.answer(exchange, record, drain)

    def stream_failed(self, stream_id: str, outcome: Outcome, detail: str) -> None:
        """Note why a resumable stream is over."""
        sight = self.sights.find_stream(stream_id)
        if sight is not None:
            sight.failure = outcome, detail
            sight.change()

    @contextmanager
    def looking(self, exchange: Exchange, record: Record) -> Iterator[None]:
        """Look on while a request is answered."""
        request = exchange.request
        found = EVENTS.fullmatch(request.path)
        visited = None if found is None else self.sights.find_stream(found[1])
        if found is not None and visited is not None:
            if found[2] and request.method == "GET":
                with self._visiting(visited, exchange, record):
                    yield
            else:
                yield
                if request.method == "DELETE" and record.status in GONE:  # then nobody comes for the rest
                    visited.is_read = True
                    visited.awaited_until_ns = 0
                    visited.change()
            return
        if f"{request.path}/".startswith(UNSEEN):
            yield
            return
        sight = self.sights.begin(record, method=request.method, tag=_tag_of(request))
        with self._seeing(exchange, _safe(sight, self._sees_of(sight, request))):
            try:
                yield
            finally:
                sight.is_answered = True
                self._look_over(sight)
                sight.change()  # its record is filled in

    @contextmanager
    def _visiting(self, sight: Sight, exchange: Exchange, record: Record) -> Iterator[None]:
        """Look on while somebody reads a resumable stream, who makes it live again where it was over."""
        sight.visitors += 1
        self._look_over(sight)
        try:
            with self._seeing(exchange, _safe(sight, sight.see)):
                yield
        finally:
            sight.visitors -= 1
            if record.status in READ:
                sight.visit = record
                sight.is_read |= sight.is_upstream_over and record.outcome != "client-left"
            self._look_over(sight)
            sight.change()

    def _sees_of(self, sight: Sight, request: Request) -> Sees:
        """Return who sees a request: for one that asks for a resumable stream, also what that one's id is."""
        if not (request.path == STREAMS and request.method == "POST"):
            return sight.see

        response = ResponseReader(request.method)

        def see(moment: Moment) -> None:
            nonlocal response
            sight.see(moment)
            if moment.side == "client" and moment.what == "sent" and not sight.stream_id:
                found = LOCATION.search(moment.data)
                if found is not None:
                    self.sights.name(sight, found[1].decode("latin-1"))
            elif moment.side == "upstream" and moment.what == "sent":
                if sight.is_upstream_over:  # it is asked again: on another connection, or in other words
                    response = ResponseReader(request.method)
                    sight.is_upstream_over = False
            elif moment.side == "upstream":
                response.feed(moment.data)
                # The connection is kept for others where the response is whole, which is no moment.
                sight.is_upstream_over |= moment.what != "read" or response.is_complete
                self._look_over(sight)

        return see

    def _look_over(self, sight: Sight) -> None:
        """See whether a stream is over: then it may make room for others."""
        is_live = not sight.is_answered or bool(sight.stream_id and (sight.visitors or not sight.is_upstream_over))
        if is_live != sight.is_live:
            sight.is_live = is_live
            sight.ended_ns = None if is_live else now_ns()
            is_awaited = sight.stream_id and not sight.is_read and not is_live
            sight.awaited_until_ns = now_ns() + self._grace_ns if is_awaited else 0
            sight.change()

    @contextmanager
    def _seeing(self, exchange: Exchange, sees: Sees) -> Iterator[None]:
        stream = exchange.stream
        exchange.stream = SeenStream(stream, "client")
        token = SEES.set(sees)
        try:
            yield
        finally:
            SEES.reset(token)
            exchange.stream = stream


def _safe(sight: Sight, sees: Sees) -> Sees:
    """Return the same, which a mistake of ours ends: whatever it is, the stream that is seen has to go on."""
    is_over = False

    def see(moment: Moment) -> None:
        nonlocal is_over
        if is_over:
            return
        try:
            sees(moment)
        except Exception:
            is_over = True
            sight.lost_moments += 1
            logger.exception("a stream is not seen any more")

    return see


def _tag_of(request: Request) -> str:
    """Return how the page calls this stream, and take the name out of what goes on."""
    given = request.get(TAG_HEADER)
    if given is not None:
        request.headers = [each for each in request.headers if each[0].lower() != TAG_HEADER]
    elif request.path == WEBSOCKET:
        given = dict(parse_qsl(request.query)).get(TAG_PARAMETER, "")
    return given if given is not None and TAG.fullmatch(given) else ""
