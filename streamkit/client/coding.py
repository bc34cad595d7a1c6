"""Undo the content coding of a body, piece by piece: what the bytes read so far determine comes out at once. Pure.

RFC 9110 section 8.4.1. `identity` is asked for, because a server that compresses a stream holds it back; what comes all
the same as `gzip` or `deflate` is undone. A small piece may inflate to a thousand times its size: pieces of at most
`PIECE_BYTES` come out one after the other, so that whoever takes them can stop, or do something else, in between.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Final, Protocol

from streamkit.errors import DecodeError, ProtocolError, TruncatedError

__all__ = ["PIECE_BYTES", "Coding", "Identity", "coding_of"]

PIECE_BYTES: Final = 1 << 16
"""The most that comes out in one piece: as much as a read of a body without a coding may bring."""


class Coding(Protocol):
    """Undoes one content coding."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take bytes of the body; yield what they mean, in order.

        Raises:
            DecodeError: they are not in this coding. What came before that place was yielded.
        """
        ...

    def finish(self) -> None:
        """Take the end of the body.

        Raises:
            TruncatedError: it may not end here.
        """
        ...


def coding_of(content_encoding: str) -> Coding:
    """Return what undoes the value of a Content-Encoding header, which may be empty.

    Raises:
        ProtocolError: it is none of identity, gzip and deflate, or several at once.
    """
    name = content_encoding.strip().lower()
    if name in {"", "identity"}:
        return Identity()
    if name in {"gzip", "x-gzip", "deflate"}:
        return Inflated("deflate" if name == "deflate" else "gzip")
    raise ProtocolError(f"the body comes in Content-Encoding {name[:40]!r}, although none was asked for")


class Identity:
    """No coding."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        yield data

    def finish(self) -> None:
        """Do nothing: what is not coded may end anywhere."""


class Inflated:
    """Gzip, in as many members as come; or deflate, with zlib's header or, as some send it, without one."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._inflate = zlib.decompressobj(zlib.MAX_WBITS | (16 if name == "gzip" else 0))
        self._offset = 0
        self._is_inside = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        if not data:
            return
        if not self._offset and self._name == "deflate" and data[0] & 0x0F != zlib.DEFLATED:
            self._inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        at = self._offset
        self._offset += len(data)
        is_more = True
        while is_more:
            if self._inflate.eof:
                if self._name != "gzip":
                    return
                self._inflate = zlib.decompressobj(zlib.MAX_WBITS | 16)
            try:
                piece = self._inflate.decompress(data, PIECE_BYTES)
            except zlib.error as error:
                reason = f"this is not {self._name}, which Content-Encoding says that it is: {error}"
                raise DecodeError(reason, stage=self._name, record=None, offset=at, code="bad-coding") from None
            if piece:
                yield piece
            data = self._inflate.unused_data or self._inflate.unconsumed_tail
            is_more = bool(data) or (len(piece) == PIECE_BYTES and not self._inflate.eof)
        self._is_inside = not self._inflate.eof

    def finish(self) -> None:
        if self._is_inside:
            reason = f"the body ends inside its {self._name}"
            raise TruncatedError(reason, dropped_bytes=0, stage=self._name, record=None, offset=self._offset)
