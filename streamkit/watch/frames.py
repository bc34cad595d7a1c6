"""The messages of a WebSocket's frames as a server sends them: unmasked, without extensions (RFC 6455, 5.2). Pure.

For what our own gateway writes, which is right by its own tests: nothing is checked here.
"""

from __future__ import annotations

__all__ = ["MessageReader"]

CONTROL = 0x8
FIN = 0x80


class MessageReader:
    """Takes frames, however they are cut, and returns what is in the messages.

    Attributes:
        count: how many messages are complete.
    """

    def __init__(self) -> None:
        self.count = 0
        self._header = bytearray()
        self._left = 0
        self._opcode = 0
        self._is_fragment = False

    @property
    def is_inside(self) -> bool:
        """Whether a message is not complete, or a frame is not."""
        return bool(self._left or self._header or self._is_fragment)

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes, and return those of messages among them."""
        pieces: list[bytes] = []
        at = 0
        while at < len(data):
            if not self._left:
                needed = self._header_bytes() - len(self._header)
                self._header += data[at : at + needed]
                at += needed
                if len(self._header) < self._header_bytes():
                    continue
                self._begin()
            taken = data[at : at + self._left]
            at += len(taken)
            self._left -= len(taken)
            if self._opcode < CONTROL:
                pieces.append(taken)
                self.count += not (self._left or self._is_fragment)
        return b"".join(pieces)

    def _header_bytes(self) -> int:
        """Return how long the header is, as far as it is known."""
        if len(self._header) < 2:
            return 2
        return {126: 4, 127: 10}.get(self._header[1] & 0x7F, 2)

    def _begin(self) -> None:
        header = self._header
        self._opcode = header[0] & 0xF
        length = header[1] & 0x7F
        self._left = int.from_bytes(header[2:]) if length > 125 else length
        if self._opcode < CONTROL:
            self._is_fragment = not header[0] & FIN
        self._header = bytearray()
