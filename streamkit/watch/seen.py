"""A stream of bytes that somebody sees: passes everything through, and shows what was sent and read, with the times.

Whose stream it is on a kept connection, the context tells: everything that the gateway does for a request, it does in
tasks that began in the request's own (`contextvars`; trio hands the context down). So a connection is wrapped once,
and what passes on it goes to whoever it is for.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from itertools import count
from typing import Final, TypeAlias

import trio

from streamkit.http.clock import now_ns
from streamkit.http.stream import RECEIVE_BYTES, TimedRead, WireStream
from streamkit.watch.moments import Moment, Side, What

__all__ = ["SEES", "SeenStream", "Sees"]

Sees: TypeAlias = Callable[[Moment], None]

SEES: Final[ContextVar[Sees | None]] = ContextVar("streamkit.watch", default=None)
"""Who sees what is done in this context."""

_numbers = count()


class SeenStream(WireStream):
    """`stream`, shown to whoever looks on in the context of each call.

    What `WireStream` counts, the stream behind counts: there may be more on it than goes through here.

    Args:
        stream: what is passed on to; owned from now on.
        side: which of the gateway's neighbours is at its other end.
    """

    __slots__ = ("_number", "_side", "_stream")

    def __init__(self, stream: WireStream, side: Side) -> None:  # the counters of `WireStream` are not begun: see above
        self.peer = stream.peer
        self._stream = stream
        self._side: Side = side
        self._number = next(_numbers)

    @property
    def sent_bytes(self) -> int:  # type: ignore[override]
        return self._stream.sent_bytes

    @property
    def blocked_ns(self) -> int:  # type: ignore[override]
        return self._stream.blocked_ns

    @property
    def resumed_ns(self) -> int:  # type: ignore[override]
        return self._stream.resumed_ns

    def _show(self, what: What, at_ns: int, data: bytes = b"", done_ns: int | None = None) -> None:
        sees = SEES.get()
        if sees is not None:
            sees(Moment(self._side, what, self._number, at_ns, data, done_ns))

    async def receive(self, max_bytes: int = RECEIVE_BYTES) -> TimedRead:
        try:
            read = await self._stream.receive(max_bytes)
        except trio.BrokenResourceError:
            self._show("reset", now_ns())
            raise
        sees = SEES.get()
        if sees is None:
            pass
        elif read.data:
            side, number = self._side, self._number
            sees(Moment(side, "read", number, read.read_ns, read.data, None, read.kernel_ns, read.segments))
        else:
            self._show("end", read.read_ns or now_ns())
        return read

    def send_now(self, data: bytes | bytearray | memoryview) -> int:
        sees = SEES.get()
        began_ns = now_ns()
        sent = self._stream.send_now(data)
        if sent and sees is not None:
            sees(Moment(self._side, "sent", self._number, began_ns, _taken(data, sent)))
        return sent

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        began_ns, before = now_ns(), self._stream.sent_bytes
        resumed_ns = self._stream.resumed_ns
        try:
            await self._stream.send_all(data)
        finally:
            sent = self._stream.sent_bytes - before
            if sent:
                is_late = self._stream.resumed_ns != resumed_ns
                self._show("sent", began_ns, _taken(data, sent), now_ns() if is_late else None)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def send_eof(self) -> None:
        await self._stream.send_eof()

    def abort(self) -> None:
        self._show("abort", now_ns())
        self._stream.abort()

    async def aclose(self) -> None:
        await self._stream.aclose()

    def unsent_bytes(self) -> int | None:
        return self._stream.unsent_bytes()

    def is_quiet(self) -> bool:
        return self._stream.is_quiet()

    @property
    def is_truncated(self) -> bool:
        return self._stream.is_truncated

    async def wait_reset(self, *, or_fin: bool = False) -> None:
        await self._stream.wait_reset(or_fin=or_fin)


def _taken(data: bytes | bytearray | memoryview, sent: int) -> bytes:
    """Return the first so many bytes, which do not change any more."""
    return data if isinstance(data, bytes) and sent == len(data) else bytes(memoryview(data)[:sent])
