"""The lines that a stream brings, one at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import trio

__all__ = ["Lines"]

READ_BYTES: Final = 1 << 20


class Lines:
    """Reads lines from another process of ours: as long as they come.

    Args:
        stream: is not closed here.
    """

    def __init__(self, stream: trio.abc.ReceiveStream) -> None:
        self._stream = stream
        self._buffer = bytearray()
        self._searched = 0

    async def next(self) -> bytes | None:
        """Return the next line, without its end; None at the end: what no line break ends was cut, and is no line."""
        while (end := self._buffer.find(b"\n", self._searched)) < 0:
            self._searched = len(self._buffer)
            data = await self._stream.receive_some(READ_BYTES)
            if not data:
                return None
            self._buffer += data
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        self._searched = 0
        return line
