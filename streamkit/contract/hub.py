"""The upstream of all cases: one port, where each request is given to the case that it belongs to.

A request is told apart by a token in its path or query, in a header, or in its message: whichever of them the proxy
lets through. Where it lets none through, cases run one at a time, and every request is the running case's that has the
method of one that it sent.

What belongs to no case (a gateway that asks for the list of models, a health check) the mock server answers. What comes
late, when its case is over, is refused with 410: proxies neither try that again nor count it against us.
"""

from __future__ import annotations

from collections import deque
from typing import Final

import trio

from mockserver.app import MockServer
from streamkit.contract.content import TOKEN_HEADER
from streamkit.contract.token import TOKEN, TOKEN_BYTES, token_in
from streamkit.contract.upstream_end import UpstreamEnd
from streamkit.http.exchange import Exchange
from streamkit.http.head import BadHead
from streamkit.http.wire import response_head

__all__ = ["Desk", "Hub"]

SEARCHED_BYTES: Final = 1 << 20
"""How much of a request's body is searched for the token."""

MAX_WAITING: Final = 256
"""How many requests may wait at one desk: a proxy that asks again and again must not fill our memory."""

NOBODY: Final = b"no case of the contract harness waits for this request (any more)\n"


class Desk:
    """Where the requests of one case arrive.

    Attributes:
        carriers: by what the requests were told apart so far: `path`, `header`, `body`, or `turn`.
        methods: of the requests that the case has sent; what comes without a token has to have one of them.
        arrived: how many requests have come.
    """

    def __init__(self) -> None:
        self.carriers: set[str] = set()
        self.methods: set[str] = set()
        self.arrived = 0
        self._waiting: deque[UpstreamEnd] = deque()
        self._open: list[UpstreamEnd] = []
        self._changed = trio.Event()

    @property
    def is_full(self) -> bool:
        """Whether too many requests wait already."""
        return len(self._waiting) >= MAX_WAITING

    def put(self, end: UpstreamEnd) -> None:
        """Let a request arrive."""
        self.arrived += 1
        self._open = [each for each in self._open if not each.is_done.is_set()]
        self._open.append(end)
        self._waiting.append(end)
        self._changed.set()
        self._changed = trio.Event()

    async def get(self) -> UpstreamEnd:
        """Return the next request, waiting for it."""
        while not self._waiting:
            await self._changed.wait()
        return self._waiting.popleft()

    def drop(self) -> None:
        """Give up what was not answered to its end."""
        for end in self._open:
            end.drop()


class Hub:
    """Gives requests to cases; its `handle` is a handler of `streamkit.http.server`.

    Attributes:
        turn: the token of the one case whose turn it is: what has no token is for that one. Empty where requests have
            tokens, or nobody has a turn.
        is_blind: whether it is known that no token gets through; then nobody looks for one in bodies.
        strays: how many requests had no token, and were no case's.
        late: how many requests had the token of a case that was over.
    """

    def __init__(self, mock: MockServer) -> None:
        self.turn = ""
        self.is_blind = False
        self.strays = 0
        self.late = 0
        self._mock = mock
        self._desks: dict[str, Desk] = {}

    def open(self, token: str) -> Desk:
        """Have the requests with this token arrive at the desk that is returned."""
        desk = self._desks[token] = Desk()
        return desk

    def close(self, token: str) -> None:
        """Give up what is left of a case; later requests with its token are refused."""
        desk = self._desks.pop(token, None)
        if desk is not None:
            desk.drop()
        if self.turn == token:
            self.turn = ""

    async def handle(self, exchange: Exchange) -> None:
        """Take one request, and wait until its case is done with it."""
        token, carriers = _token_in_head(exchange)
        body = b""
        if token is None and exchange.has_unread_body and not self.is_blind:
            body = await _beginning_of_body(exchange)
            token, carriers = token_in(body), {"body"}
        if token is None and self.turn and exchange.request.method in self._desks[self.turn].methods:
            token, carriers = self.turn, {"turn"}
        desk = None if token is None else self._desks.get(token)
        if token is None:
            self.strays += 1
            await self._answer_stray(exchange, body)
        elif desk is None or desk.is_full:
            self.late += 1
            await _refuse(exchange)
        else:
            desk.carriers |= carriers
            end = UpstreamEnd(exchange, body)
            end.token = token
            desk.put(end)
            await end.is_done.wait()

    async def _answer_stray(self, exchange: Exchange, body: bytes) -> None:
        """Answer what is no case's as an ordinary server would."""
        if not body:
            await self._mock.handle(exchange)
        elif exchange.has_unread_body:
            await _refuse(exchange)
        else:
            again = Reread(exchange, body)
            try:
                await self._mock.handle(again)
            finally:
                exchange.keep_alive = again.keep_alive


class Reread(Exchange):
    """An exchange whose request's body was read, and may be read once more."""

    __slots__ = ("_whole",)

    def __init__(self, exchange: Exchange, body: bytes) -> None:
        for name in Exchange.__slots__:
            setattr(self, name, getattr(exchange, name))
        self._whole = body

    async def read_body(self, *, auto_continue: bool = True) -> bytes:  # noqa: ARG002 - that was done
        return self._whole


async def _refuse(exchange: Exchange) -> None:
    fields = [("Content-Type", "text/plain"), ("Content-Length", str(len(NOBODY))), ("Connection", "close")]
    exchange.keep_alive = False
    await exchange.stream.send_all(response_head(410, fields) + (b"" if exchange.request.method == "HEAD" else NOBODY))


def _token_in_head(exchange: Exchange) -> tuple[str | None, set[str]]:
    request = exchange.request
    found = {
        "path": token_in(request.target.encode("latin-1", "replace")),
        "header": token_in((request.get(TOKEN_HEADER) or "").encode("latin-1", "replace")),
    }
    return found["path"] or found["header"], {name for name, token in found.items() if token}


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
