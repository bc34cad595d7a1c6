"""An answer on its way down, converted: one write to the client for each read from upstream, and no later.

The client's end is the answer's own end. Once its terminator was seen the response ends, whatever the upstream's
connection does afterwards; and where it was not, no end is written that could be taken for one.
"""

from __future__ import annotations

import math
from contextlib import suppress
from typing import Final

import trio

from streamkit.client.coding import PIECE_BYTES, coding_of
from streamkit.dialects.convert import Converter
from streamkit.dialects.decoder import TRUNCATED
from streamkit.dialects.events import Error
from streamkit.dialects.registry import DIALECTS
from streamkit.errors import (
    DisconnectedError,
    EncodeError,
    RemoteError,
    ReportedError,
    StreamkitError,
    StreamTimeout,
    TruncatedError,
)
from streamkit.gateway.asker import Answer
from streamkit.gateway.record import Record
from streamkit.gateway.retouch import Retouch
from streamkit.http.stream import WireStream
from streamkit.http.wire import chunk, last_chunk

__all__ = ["Conversion", "Down"]

TOUCHES: Final = 16
"""The idle limit is moved on only so many times in its span; see `streamkit.gateway.relay`."""

REST_S: Final = 0.5
"""How long the end of the upstream's body is waited for behind the end of its answer: with it the connection can be
used again, and the upstream does not take the client for gone. Meanwhile only the client's next request waits."""


class Down:
    """The client's side of one answer: frames what is written, and counts it."""

    def __init__(self, stream: WireStream, record: Record, *, is_chunked: bool) -> None:
        self._stream = stream
        self._record = record
        self._is_chunked = is_chunked
        self._rest = memoryview(b"")

    def send_now(self, pieces: list[bytes], *, is_last: bool = False) -> bool:
        """Send the pieces in one write, without a checkpoint; return whether the kernel took all of it.

        Raises:
            BrokenResourceError: the client is gone.
        """
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        self._record.response_bytes += len(data)
        if self._is_chunked:
            data = chunk(data) + last_chunk() if is_last else chunk(data)
        sent = self._stream.send_now(data) if data else 0
        if sent < len(data):
            self._rest = memoryview(data)[sent:]
            return False
        return True

    async def send_rest(self) -> None:
        """Send what the kernel did not take."""
        rest, self._rest = self._rest, memoryview(b"")
        await self._stream.send_all(rest)

    async def send(self, pieces: list[bytes], *, is_last: bool = False) -> None:
        """Do both."""
        if not self.send_now(pieces, is_last=is_last):
            await self.send_rest()


class Conversion:
    """One answer that is being converted.

    Args:
        answer: from upstream, its head is there.
        converter: new; `retouch` is one of its stages.
        retouch: knows whether the answer's end has come.
        down: where it goes.
        record: counts.
        idle_s: how long the upstream may be silent.

    Attributes:
        is_torn: whether a failure leaves the body without an end, because nothing could be told of it.
    """

    def __init__(
        self,
        answer: Answer,
        converter: Converter,
        retouch: Retouch,
        *,
        down: Down,
        record: Record,
        idle_s: float,
    ) -> None:
        self._answer = answer
        self._converter = converter
        self._retouch = retouch
        self._down = down
        self._record = record
        self._idle_s = idle_s
        self.is_torn = "error" not in DIALECTS[converter.encoder.name].carries

    async def run(self) -> StreamkitError | None:
        """Send the answer to its end.

        Returns:
            None where it is whole. Otherwise why it is not: then the client was told so, in its dialect's form; or,
            where that has none (`is_torn`), the body has no end yet, and must not get one.

        Raises:
            BrokenResourceError: the client is gone.
        """
        out: list[bytes] = []
        failure: StreamkitError | None = None
        try:
            with trio.CancelScope(deadline=trio.current_time() + self._idle_s) as scope:
                await self._convert(out, scope)
            if scope.cancelled_caught:
                failure = StreamTimeout(self._idle_s)
        except (RemoteError, EncodeError) as error:
            failure = error
        if failure is not None and not (self._retouch.has_ended and not isinstance(failure, ReportedError)):
            # The converter's own failures have their form with them; of all others it has not heard.
            told = self._converter.fail(_event_of(failure)) or getattr(failure, "items", [])
            self.is_torn = self.is_torn or not self._converter.encoder.over
            await self._down.send([*out, *told], is_last=not self.is_torn)
            return failure
        self._record.outcome = "ok"  # who leaves now has everything
        await self._down.send([*out, *getattr(failure, "items", [])], is_last=True)
        await self._read_rest()
        return None

    async def _convert(self, out: list[bytes], scope: trio.CancelScope) -> None:
        """Convert and send, up to the read that brings the end; what that means is left in `out`."""
        answer, converter, record, down = self._answer, self._converter, self._record, self._down
        encoder, receive = converter.encoder, answer.response.receive
        coding = coding_of(answer.response.info.header("Content-Encoding"))
        touched_at = trio.current_time()
        while True:
            read = answer.held.pop(0) if answer.held else await receive()
            if read is None:
                coding.finish()
                out += converter.finish()
                return
            record.reads += 1
            if record.first_ns is None:
                record.first_ns = read.read_ns
            for data in coding.feed(read.data):
                out += converter.feed(data)
                if encoder.over:
                    return
                if len(data) >= PIECE_BYTES:  # there may be a thousand more of them in this read
                    scope.deadline = touched_at = math.inf
                    await down.send(out)
                    out.clear()
                    await trio.lowlevel.checkpoint()
            if out:
                if not down.send_now(out):
                    scope.deadline = touched_at = math.inf  # the client's slowness is not the upstream's silence
                    await down.send_rest()
                out.clear()
            now = trio.current_time()
            if abs(now - touched_at) > self._idle_s / TOUCHES:
                touched_at = now
                scope.deadline = now + self._idle_s

    async def _read_rest(self) -> None:
        """Read what comes behind the answer, but not for long, so that the connection can be used again."""
        with suppress(RemoteError), trio.move_on_after(REST_S):
            while await self._answer.response.receive() is not None:
                pass


def _event_of(error: StreamkitError) -> Error:
    is_cut = isinstance(error, (DisconnectedError, TruncatedError))
    return Error(str(error), TRUNCATED if is_cut else error.code)
