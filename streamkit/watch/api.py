"""What the page asks the gateway, below `/_watch/api/`. JSON, or lines of it that go on as long as there is news.

::

    POST enter              the page's token, which all others want in the header X-Streamkit-Token
    GET  about              what the gateway speaks, and which ways of feeding a browser it has
    GET  clock              when the question came and when the answer left, for the browser's clock
    GET  streams            the list: every stream that is kept, then each change (NDJSON)
    GET  streams/N          one stream: its marks so far, then each new one, then its end (NDJSON)
    GET  streams/N/cassette the same as `mockserver record` would have written it down
    GET  mock               how the mock server is set, where it is the model; PUT sets it

The guard of the gateway has checked Host, Origin and key before any of this. Nothing waits in a queue: who follows
slowly is told later, from what is kept.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Final

import trio

from streamkit.errors import ConfigError
from streamkit.gateway.record import Record
from streamkit.http.clock import now_ns
from streamkit.http.exchange import Exchange
from streamkit.http.head import BadHead
from streamkit.watch.following import List, follow_one
from streamkit.watch.model import MockModel, Model
from streamkit.watch.moments import Sight
from streamkit.watch.prefix import PREFIX
from streamkit.watch.sending import Request, send_file, send_json, send_lines
from streamkit.watch.sights import Sights
from streamkit.watch.taping import NoCassetteError, cassette_of

__all__ = ["API", "TOKEN_HEADER"]

TOKEN_HEADER: Final = "X-Streamkit-Token"  # noqa: S105 - the name of a header

API_PREFIX: Final = f"{PREFIX}api/"

TOKEN_BYTES: Final = 16

MAX_DIGITS: Final = 18
"""Of a stream's number; there is none with more."""

MAX_SETTINGS_BYTES: Final = 64 * 1024

MAX_SAVING: Final = 2
SAVE_WAIT_S: Final = 10.0
"""How many cassettes are made and sent at once, and how long others wait for that: each is as large as its stream."""


class _Refused(Exception):
    """The page cannot have that; status and reason."""

    def __init__(self, status: int, reason: str, *headers: tuple[str, str]) -> None:
        self.status = status
        self.reason = reason
        self.headers = headers
        super().__init__(reason)


Handler = Callable[[Request], Awaitable[None]]


class API:
    """Answers the page.

    Args:
        sights: what is seen.
        model: what stands behind the gateway.
    """

    def __init__(self, sights: Sights, model: Model) -> None:
        self._sights = sights
        self._model = model
        self._list = List(sights)
        self._saving = trio.Semaphore(MAX_SAVING)
        self._token = secrets.token_urlsafe(TOKEN_BYTES)

    async def answer(self, exchange: Exchange, record: Record, drain: trio.Event) -> None:
        """Answer one request; the guard has let it in.

        Raises:
            BrokenResourceError: the client is gone.
        """
        asked = Request(exchange, record, drain)
        try:
            await self._routed(exchange)(asked)
        except _Refused as refused:
            record.outcome, record.detail = "refused", refused.reason
            await send_json(asked, {"error": refused.reason}, refused.status, *refused.headers)

    def _routed(self, exchange: Exchange) -> Handler:
        """Return what answers a request.

        Raises:
            _Refused: nothing does, or it has not the page's token.
        """
        request = exchange.request
        path = request.path.removeprefix(API_PREFIX)
        parts = path.split("/")
        if not request.path.startswith(API_PREFIX):
            raise _Refused(404, f"there is no such file; the page is at {PREFIX}")
        if parts[0] == "streams" and len(parts) in {2, 3} and parts[1].isascii() and parts[1].isdigit():
            number = int(parts[1]) if len(parts[1]) <= MAX_DIGITS else 0
            routes: Mapping[str, Handler] = {"GET": partial(self._stream, number)}
            if len(parts) == 3:
                routes = {"GET": partial(self._cassette, number)} if parts[2] == "cassette" else {}
        else:
            paths: dict[str, dict[str, Handler]] = {
                "enter": {"POST": self._enter},
                "about": {"GET": self._about},
                "clock": {"GET": self._clock},
                "streams": {"GET": self._streams},
                "mock": {"GET": self._mock, "PUT": self._set_mock},
            }
            routes = paths.get(path, {})
        if not routes:
            raise _Refused(404, f"there is nothing at {request.path[:200]}")
        if request.method not in routes:
            allowed = ", ".join(routes)
            raise _Refused(405, f"the method for this path is {allowed}", ("Allow", allowed))
        if path != "enter":
            given = (request.get(TOKEN_HEADER) or "").encode("latin-1", "replace")
            if not hmac.compare_digest(given, self._token.encode()):
                raise _Refused(403, f"the page's token is wanted in {TOKEN_HEADER}: load the page again")
        return routes[request.method]

    async def _enter(self, asked: Request) -> None:
        await send_json(asked, {"token": self._token})

    async def _about(self, asked: Request) -> None:
        await send_json(asked, self._model.facts())

    @staticmethod
    async def _clock(asked: Request) -> None:
        await send_json(asked, {"received_ns": asked.exchange.request.arrived_ns, "sent_ns": now_ns()})

    async def _streams(self, asked: Request) -> None:
        await send_lines(asked, self._list.follow)

    async def _stream(self, number: int, asked: Request) -> None:
        sight = self._found(number)
        await send_lines(asked, partial(follow_one, self._sights, sight), partial(self._end_of, sight))

    async def _end_of(self, sight: Sight) -> bool:
        """Wait, where the gateway drains, until nobody is sent any of a stream; tell whether its news end by that."""
        while not sight.is_answered or sight.visitors:
            await self._sights.wait_changed(self._sights.version)
        sight.awaited_until_ns = 0  # who comes now is refused
        sight.change()
        return not sight.is_live

    async def _cassette(self, number: int, asked: Request) -> None:
        sight = self._found(number)
        with trio.move_on_after(SAVE_WAIT_S) as waiting:
            await self._saving.acquire()
        if waiting.cancelled_caught:
            raise _Refused(503, "others are being saved: try again in a while", ("Retry-After", "5"))
        try:
            make = partial(cassette_of, sight, self._model.upstream_url)
            data = await trio.to_thread.run_sync(make)  # which may be large
            await send_file(asked, data, f"stream-{number}.cassette")
        except NoCassetteError as error:
            raise _Refused(409, str(error)) from None
        finally:
            self._saving.release()

    async def _mock(self, asked: Request) -> None:
        await send_json(asked, self._mock_model().state())

    async def _set_mock(self, asked: Request) -> None:
        mock = self._mock_model()
        body = bytearray()
        try:
            while (read := await asked.exchange.receive_body()) is not None:
                body += read.data
                if len(body) > MAX_SETTINGS_BYTES:
                    raise _Refused(413, f"settings have {MAX_SETTINGS_BYTES} bytes at most")
        except BadHead as error:
            raise _Refused(error.status, error.reason) from None
        try:
            mock.configure(body.decode())
        except UnicodeError:
            raise _Refused(400, "the settings are not UTF-8") from None
        except ConfigError as error:
            raise _Refused(400, str(error)) from None
        await send_json(asked, mock.state())

    def _mock_model(self) -> MockModel:
        if not isinstance(self._model, MockModel):
            raise _Refused(404, "the model is no mock server")
        return self._model

    def _found(self, number: int) -> Sight:
        sight = self._sights.find(number)
        if sight is None:
            raise _Refused(404, f"there is no stream {number}, or it is not kept any more")
        return sight
