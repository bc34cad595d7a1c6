"""Connections to one server that are kept for the next request: newest first, not for long, none that is dead.

A server may close a connection that does nothing at any moment, also at that moment at which a request goes out on it.
So connections are kept for less time than servers keep them (uvicorn and Node.js close after 5 s; a server that says
`Keep-Alive: timeout=N` is believed), and one that has an end or bytes waiting is not used again. What remains of the
race is for the caller: only it knows whether a request may be sent twice (RFC 9110, section 9.2.2).
"""

from __future__ import annotations

import re
from typing import Final

import trio

from streamkit.http.client import MAX_HEAD_BYTES, ClientConnection
from streamkit.http.connect import Dial
from streamkit.http.head import ResponseHead

__all__ = ["IDLE_S", "Pool"]

IDLE_S: Final = 4.0
"""How long a connection is kept where its server does not say."""

MAX_IDLE: Final = 64
"""How many connections are kept."""

TIMEOUT: Final = re.compile(r"(?:^|,)\s*timeout\s*=\s*(\d{1,6})", re.IGNORECASE)


class Pool:
    """The connections to one server.

    Args:
        dial: makes a connection.
        idle_s: how long one is kept that does nothing, where its server does not keep it for less.
        max_idle: how many are kept; the oldest one makes room.
        max_head_bytes: of the heads of responses.

    Attributes:
        opened: how many connections were made.
        reused: how many requests went out on one that was there.
    """

    def __init__(
        self, dial: Dial, *, idle_s: float = IDLE_S, max_idle: int = MAX_IDLE, max_head_bytes: int = MAX_HEAD_BYTES
    ) -> None:
        self._dial = dial
        self._idle_s = idle_s
        self._max_idle = max_idle
        self._max_head_bytes = max_head_bytes
        self._idle: list[tuple[float, ClientConnection]] = []
        self._is_closed = False
        self.opened = 0
        self.reused = 0

    @property
    def idle(self) -> int:
        """How many connections wait for a request."""
        return len(self._idle)

    async def connect(self) -> ClientConnection:
        """Make a connection.

        Raises:
            ConnectError: there is none.
        """
        stream = await self._dial()
        self.opened += 1
        return ClientConnection(stream, max_head_bytes=self._max_head_bytes)

    async def take(self) -> ClientConnection | None:
        """Take a connection that waits, or None where there is none. It is the caller's until it gives it back."""
        now = trio.current_time()
        while self._idle:
            until, connection = self._idle.pop()
            if until > now and connection.stream.is_quiet():
                self.reused += 1
                return connection
            await _close(connection)
        return None

    async def give_back(self, connection: ClientConnection, head: ResponseHead) -> None:
        """Keep a connection whose response, with that head, was read to its end, or close it where it is of no use."""
        idle_s = min(self._idle_s, _idle_s(head))
        if self._is_closed or not connection.is_reusable or idle_s <= 0:
            await _close(connection)
            return
        self._idle.append((trio.current_time() + idle_s, connection))
        if len(self._idle) > self._max_idle:
            await _close(self._idle.pop(0)[1])

    async def reap(self) -> None:
        """Close, until cancelled, what has waited long enough or was closed by the server. For a task of its own."""
        while True:
            await trio.sleep(self._idle_s)
            now = trio.current_time()
            for each in [each for each in self._idle if each[0] <= now or not each[1].stream.is_quiet()]:
                if each in self._idle:  # closing lets other tasks in, and they may have taken it
                    self._idle.remove(each)
                    await _close(each[1])

    async def aclose(self) -> None:
        """Close what waits, and from now on what is given back."""
        self._is_closed = True
        while self._idle:
            await _close(self._idle.pop()[1])


async def _close(connection: ClientConnection) -> None:
    """Close a connection without waiting, also where the task is cancelled: one after the other has to be closed."""
    with trio.CancelScope(shield=True):
        await trio.aclose_forcefully(connection.stream)


def _idle_s(head: ResponseHead) -> float:
    """Return for how long a server says that it keeps the connection, less a second for the way there."""
    for name, value in head.headers:
        if name.lower() == "keep-alive" and (found := TIMEOUT.search(value)):
            return float(found[1]) - 1
    return float("inf")
