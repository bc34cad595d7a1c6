"""A byte stream whose every read is written down beforehand: how a test states its exact segmentation."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

import trio

__all__ = ["ScriptedStream"]


class ScriptedStream(trio.abc.ReceiveStream):
    """A source for tests that plays a script.

    The script's entries, in order: `bytes` are what one read returns (cut if the reader asks for less); a `trio.Event`
    is waited for, and the read goes on with the next entry; an exception is raised. Then comes the end, b"".

    Attributes:
        reads: how many reads have returned bytes.
        closed: whether the stream has been closed.
    """

    def __init__(self, script: Iterable[bytes | trio.Event | Exception]) -> None:
        self._script = deque(script)
        self.reads = 0
        self.closed = False

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Play the script up to the next bytes. A cancelled read loses nothing.

        Raises:
            trio.ClosedResourceError: the stream was closed.
        """
        await trio.lowlevel.checkpoint()
        while True:
            if self.closed:
                msg = "this stream was closed"
                raise trio.ClosedResourceError(msg)
            entry = self._script[0] if self._script else b""
            if isinstance(entry, trio.Event):
                await entry.wait()
                self._script.popleft()
            elif isinstance(entry, Exception):
                self._script.popleft()
                raise entry
            else:
                return self._read(entry, max_bytes)

    def _read(self, entry: bytes, max_bytes: int | None) -> bytes:
        if not entry:
            return b""
        self.reads += 1
        if max_bytes is not None and len(entry) > max_bytes:
            self._script[0] = entry[max_bytes:]
            return entry[:max_bytes]
        self._script.popleft()
        return entry

    async def aclose(self) -> None:
        """Close the stream."""
        self.closed = True
        await trio.lowlevel.checkpoint()
