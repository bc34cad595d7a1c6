"""One WebSocket on the wire: bytes to messages (`Ear`, pure), and messages to writes (`Mouth`).

wsproto reads and checks the frames (RFC 6455, sections 5 to 7). What a client can make us keep is one message up to a
limit, and one pong: of pings that come faster than we can answer, the newest is answered (section 5.5.3). A write that
is cancelled in the middle of a frame is gone on with by the next one, so that an answer can be stopped and the
connection stays good.
"""

from __future__ import annotations

from math import inf
from typing import Final, TypeAlias

import msgspec
import trio
from wsproto.connection import SERVER, Connection, ConnectionState
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong, TextMessage
from wsproto.frame_protocol import CloseReason

from streamkit.http.stream import WireStream

__all__ = ["Closed", "Ear", "Heard", "Mouth", "Pinged", "Said", "Wrong"]

NO_CODE: Final = CloseReason.NO_STATUS_RCVD
"""Instead of the code of a close frame without one, which wsproto writes for this object only, not for 1005."""

TEXT: Final = 0x81
"""The first byte of a text message that is one frame."""

LONG_BYTES: Final = 65536
"""A payload of that length has its length in 8 bytes, one of 126 and more in 2 (RFC 6455, section 5.2)."""


class Said(msgspec.Struct, frozen=True, gc=False):
    """A message: its text, in UTF-8."""

    data: bytes


class Pinged(msgspec.Struct, frozen=True, gc=False):
    """A ping, which wants to hear its payload again."""

    payload: bytes


class Closed(msgspec.Struct, frozen=True, gc=False):
    """The client closes; nothing follows. 1005: it says no code."""

    code: int


class Wrong(msgspec.Struct, frozen=True, gc=False):
    """The client did something for which its connection is closed; `code` and `reason` are what it is told."""

    code: int
    reason: str


Heard: TypeAlias = Said | Pinged | Closed | Wrong


class Ear:
    """What a client sends, and the control frames that answer it.

    Args:
        max_message_bytes: a longer message is wrong, 1009.

    Attributes:
        is_inside: whether a message has begun and not ended.
        is_deaf: whether what comes is not understood any more: behind the client's close, or a broken frame.
    """

    def __init__(self, max_message_bytes: int) -> None:
        self.is_inside = False
        self.is_deaf = False
        self._max_message_bytes = max_message_bytes
        self._connection = Connection(SERVER)
        self._message = bytearray()
        self._is_wrong = False

    def feed(self, data: bytes) -> list[Heard]:
        """Take bytes as they came; behind a `Wrong` nothing but a `Closed` comes."""
        if self.is_deaf:
            return []
        self._connection.receive_data(data)
        heard: list[Heard] = []
        for event in self._connection.events():
            if isinstance(event, Ping):
                heard.append(Pinged(bytes(event.payload)))
            elif isinstance(event, CloseConnection):
                self.is_deaf = True
                is_theirs = self._connection.state in {ConnectionState.REMOTE_CLOSING, ConnectionState.CLOSED}
                if is_theirs:
                    heard.append(Closed(int(event.code)))
                elif not self._is_wrong:
                    heard.append(Wrong(int(event.code), event.reason or ""))
            elif not self._is_wrong and isinstance(event, TextMessage):
                heard += self._taken(event)
            elif not self._is_wrong and isinstance(event, BytesMessage):
                heard.append(self._refused(1003, "only text is understood here"))
        return heard

    def _taken(self, event: TextMessage) -> list[Heard]:
        message = self._message
        message += event.data.encode()
        if len(message) > self._max_message_bytes:
            return [self._refused(1009, f"a message may have {self._max_message_bytes} bytes at most")]
        self.is_inside = not event.message_finished
        if self.is_inside:
            return []
        self._message = bytearray()
        return [Said(bytes(message))]

    def _refused(self, code: int, reason: str) -> Wrong:
        self._is_wrong = True
        self.is_inside = False
        self._message = bytearray()
        return Wrong(code, reason)

    def ping(self) -> bytes:
        """Return a ping."""
        return self._connection.send(Ping())

    def pong(self, payload: bytes) -> bytes:
        """Return the answer to a ping."""
        return self._connection.send(Pong(payload))

    def close(self, code: int, reason: str = "") -> bytes:
        """Return the frame behind which nothing is sent; of the reason as much as it holds."""
        return self._connection.send(CloseConnection(NO_CODE if code == NO_CODE else code, reason))


def text_message(data: bytes) -> bytes:
    """Return a message of UTF-8 text. wsproto would copy it three times, and decode it."""
    size = len(data)
    if size < 126:
        return b"%c%c%b" % (TEXT, size, data)
    if size < LONG_BYTES:
        return b"%c\x7e%b%b" % (TEXT, size.to_bytes(2), data)
    return b"%c\x7f%b%b" % (TEXT, size.to_bytes(8), data)


class Mouth:
    """The only one that writes to a WebSocket's stream.

    Args:
        stream: the client's, behind the opening.
        ear: what makes the control frames.

    Attributes:
        unsent: what has to go out before anything else.
    """

    def __init__(self, stream: WireStream, ear: Ear) -> None:
        self.unsent = bytearray()
        self._stream = stream
        self._ear = ear
        self._pen = trio.Lock()
        self._pong: bytes | None = None
        self._is_closing = False
        self._sent_s = trio.current_time()
        self._pinged_s = inf  # when the oldest ping went out that nothing was heard since
        self._wake = trio.Event()

    def heard(self) -> None:
        """Take note that the client lives."""
        self._pinged_s = inf

    async def send(self, records: list[bytes]) -> None:
        """Send messages, in one write; no checkpoint where the client takes them at once.

        Where this is cancelled, the rest still goes out, before whatever is sent next.

        Raises:
            BrokenResourceError: the client is gone.
        """
        data = b"".join([text_message(record) for record in records])
        if not self.unsent and not self._pen.locked():
            sent = self._stream.send_now(data)
            self._sent_s = trio.current_time()
            if sent == len(data):
                return
            data = data[sent:]
        self.unsent += data
        await self._flush()

    def pong(self, payload: bytes) -> None:
        """Answer a ping: now, or behind what is being written. Raises as `send` does."""
        if not self._is_closing:
            self._pong = payload
            self._push()

    def ping(self) -> None:
        """Send a ping, unless something is being written anyway. Raises as `send` does."""
        if self._is_closing or self._ear.is_deaf or self._pen.locked():
            return
        self.unsent += self._ear.ping()
        self._pinged_s = min(self._pinged_s, trio.current_time())
        self._push()

    async def close(self, code: int, reason: str = "") -> None:
        """Send what is left to be sent, and a close frame; nothing is sent behind it. Raises as `send` does."""
        self._end(code, reason)
        await self._flush()

    def close_now(self, code: int, reason: str = "") -> None:
        """Do as `close` does, as far as it goes without waiting."""
        if not self._is_closing:
            self._end(code, reason)
            self._push()

    def _end(self, code: int, reason: str) -> None:
        self._take_pong()
        self._is_closing = True
        self.unsent += self._ear.close(code, reason)

    async def keep(self, silence_s: float, patience_s: float) -> None:
        """Say something at least that often, and return when the client has said nothing for too long.

        A client that does not take what is being sent is slow: it is neither pinged nor given up.

        Args:
            silence_s: behind how much silence on our side a ping goes out.
            patience_s: how long nothing may be heard behind a ping.

        Raises:
            BrokenResourceError: the client is gone.
        """
        while True:
            now_s = trio.current_time()
            due_s = min(self._sent_s + silence_s, self._pinged_s + patience_s)
            if self._pen.locked():
                due_s = max(due_s, now_s + silence_s)
            elif now_s >= self._pinged_s + patience_s:
                return
            elif now_s >= self._sent_s + silence_s:
                self.ping()
                continue
            with trio.move_on_at(due_s):
                await self._wake.wait()
            if self._wake.is_set():
                self._wake = trio.Event()
                await self._flush()

    def _take_pong(self) -> None:
        if self._pong is not None and not (self._is_closing or self._ear.is_deaf):
            self.unsent += self._ear.pong(self._pong)
        self._pong = None

    def _push(self) -> None:
        """Write without waiting, unless somebody is writing; whoever that is sees to the rest."""
        if self._pen.locked():
            return
        self._take_pong()
        del self.unsent[: self._stream.send_now(bytes(self.unsent))]
        self._sent_s = trio.current_time()
        if self.unsent:
            self._wake.set()

    async def _flush(self) -> None:
        try:
            async with self._pen:
                self._take_pong()
                if self.unsent:
                    await self._send_all(bytes(self.unsent))
        finally:
            if self.unsent or self._pong is not None:
                self._wake.set()

    async def _send_all(self, data: bytes) -> None:
        before_bytes = self._stream.sent_bytes
        try:
            await self._stream.send_all(data)
        finally:
            del self.unsent[: self._stream.sent_bytes - before_bytes]
            self._sent_s = trio.current_time()
            if self._pinged_s < inf:  # it could not be heard before it was said
                self._pinged_s = self._sent_s
