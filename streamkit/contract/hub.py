"""The upstream of all cases: one port, where each request is given to the case that it belongs to.

A request is told apart by a token in its path or query, in a header, or in its message: whichever of them the proxy
lets through. Where it lets none through, cases run one at a time, and every request is the running case's.

What belongs to no case (a gateway that asks for the list of models, a health check) the mock server answers.
"""

from __future__ import annotations

import re
from collections import deque
from typing import Final

import trio

from mockserver.app import MockServer
from streamkit.contract.content import TOKEN_HEADER
from streamkit.contract.upstream_end import UpstreamEnd
from streamkit.http.exchange import Exchange
from streamkit.http.head import BadHead
from streamkit.http.wire import response_head

__all__ = ["TOKEN_PREFIX", "Desk", "Hub"]

TOKEN_PREFIX: Final = "skc"  # noqa: S105 - no secret
TOKEN: Final = re.compile(rf"{TOKEN_PREFIX}[0-9a-f]{{12}}".encode())

TOKEN_BYTES: Final = len(TOKEN_PREFIX) + 12

SEARCHED_BYTES: Final = 1 << 20
"""How much of a request's body is searched for the token."""

KEPT_TOKENS: Final = 10_000

NOBODY: Final = b"no case of the contract harness waits for this request\n"


class Desk:
    """Where the requests of one case arrive.

    Attributes:
        carriers: by what the requests were told apart so far: `path`, `header`, `body`, or `turn`.
    """

    def __init__(self) -> None:
        self.carriers: set[str] = set()
        self._waiting: deque[UpstreamEnd] = deque()
        self._all: list[UpstreamEnd] = []
        self._changed = trio.Event()

    def put(self, end: UpstreamEnd) -> None:
        """Let a request arrive."""
        self._waiting.append(end)
        self._all.append(end)
        self._changed.set()
        self._changed = trio.Event()

    async def get(self) -> UpstreamEnd:
        """Return the next request, waiting for it."""
        while not self._waiting:
            await self._changed.wait()
        return self._waiting.popleft()

    @property
    def arrived(self) -> int:
        """How many requests have come."""
        return len(self._all)

    def drop(self) -> None:
        """Give up what was not answered to its end."""
        for end in self._all:
            end.drop()


class Hub:
    """Gives requests to cases; its `handle` is a handler of `streamkit.http.server`.

    Attributes:
        turn: the token of the one case that runs, where no token gets through; empty otherwise.
        strays: how many requests belonged to no case.
    """

    def __init__(self, mock: MockServer) -> None:
        self.turn = ""
        self.strays = 0
        self._mock = mock
        self._desks: dict[str, Desk] = {}
        self._past: dict[str, None] = {}

    def open(self, token: str) -> Desk:
        """Have the requests with this token arrive at the desk that is returned."""
        desk = self._desks[token] = Desk()
        return desk

    def close(self, token: str) -> None:
        """Give up what is left of a case; later requests with its token are refused."""
        desk = self._desks.pop(token, None)
        if desk is not None:
            desk.drop()
        self._past[token] = None
        while len(self._past) > KEPT_TOKENS:
            del self._past[next(iter(self._past))]

    async def handle(self, exchange: Exchange) -> None:
        """Take one request, and wait until its case is done with it."""
        token, carriers = self._token_in_head(exchange)
        body = b""
        if token is None and exchange.has_unread_body:
            body = await _beginning_of_body(exchange)
            token, carriers = _token_in(body), {"body"}
        if token is None and self.turn:
            token, carriers = self.turn, {"turn"}
        desk = None if token is None else self._desks.get(token)
        if desk is None:
            await self._refuse(exchange, is_past=token is not None or bool(body))
            return
        desk.carriers |= carriers
        end = UpstreamEnd(exchange, body)
        desk.put(end)
        await end.is_done.wait()

    def _token_in_head(self, exchange: Exchange) -> tuple[str | None, set[str]]:
        request = exchange.request
        found = {"path": _token_in(request.target), "header": _token_in(request.get(TOKEN_HEADER) or "")}
        return found["path"] or found["header"], {name for name, token in found.items() if token}

    async def _refuse(self, exchange: Exchange, *, is_past: bool) -> None:
        self.strays += 1
        if not is_past:
            await self._mock.handle(exchange)
            return
        fields = [("Content-Type", "text/plain"), ("Content-Length", str(len(NOBODY))), ("Connection", "close")]
        exchange.keep_alive = False
        await exchange.stream.send_all(response_head(503, fields) + NOBODY)


def _token_in(text: str | bytes) -> str | None:
    found = TOKEN.search(text.encode("latin-1", "replace") if isinstance(text, str) else text)
    return None if found is None else found.group().decode()


async def _beginning_of_body(exchange: Exchange) -> bytes:
    """Read a body as far as the token may be in it."""
    body = bytearray()
    try:
        while len(body) < SEARCHED_BYTES and (read := await exchange.receive_body()) is not None:
            body += read.data
            if TOKEN.search(body, max(0, len(body) - len(read.data) - TOKEN_BYTES)):
                break
    except BadHead:
        pass
    return bytes(body)
