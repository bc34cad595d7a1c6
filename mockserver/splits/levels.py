"""The three levels of cuts, chained: records to the body's pieces, pieces to chunks, the wire to writes. Pure.

A body that is compressed is compressed piece by piece, each flushed (zlib's Z_SYNC_FLUSH), as a server does that hands
each piece to its compressor and sends what comes out: cuts of records are cuts of the text, cuts of chunks are cuts of
the compressed bytes. The gzip header has no time in it, so that equal bodies are equal bytes.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Final

from mockserver.response import Record
from mockserver.script import Write
from mockserver.seeds import sub_seed
from mockserver.splits.cuts import NO_CUT, Cuts, Level, Mark, Piece

__all__ = ["Body", "Wire"]

GZIP_WBITS: Final = 16 + 12
GZIP_MEM_LEVEL: Final = 5
"""What makes zlib write gzip (RFC 1952), with a window of 4 KiB: 32 KiB of memory a stream instead of 256."""


class Body:
    """Records to the payloads of chunks, or to bytes of a body that has no chunks, and then no cuts of them.

    Attributes:
        tokens: how many tokens of the answer are in what came so far.
    """

    def __init__(self, cuts: Cuts, seed: int, *, chunked: bool, gzip: bool) -> None:
        self._records = Level(cuts.records, sub_seed(seed, "cuts of records"))
        self._chunks = Level(cuts.chunks if chunked else NO_CUT, sub_seed(seed, "cuts of chunks"))
        self._gzip = zlib.compressobj(wbits=GZIP_WBITS, memLevel=GZIP_MEM_LEVEL) if gzip else None
        self.tokens = 0

    def push(self, record: Record) -> list[Piece]:
        """Take a record, return what can go."""
        self.tokens = record.tokens
        data = record.data
        return self._on(self._records.push(data, [(len(data), record.tokens)])) if data else []

    def flush(self) -> list[Piece]:
        """Return what is held; more will come."""
        return self._on(self._records.flush()) + self._chunks.flush()

    def end(self) -> list[Piece]:
        """Return what is held, and the end of the compressed data."""
        pieces = self._on(self._records.flush())
        if self._gzip is not None:
            pieces += self._chunks.push(self._gzip.flush(), [])
        return pieces + self._chunks.flush()

    def _on(self, pieces: list[Piece]) -> list[Piece]:
        out: list[Piece] = []
        for data, marks in pieces:
            if self._gzip is None:
                out += self._chunks.push(data, marks)
            else:
                packed = self._gzip.compress(data) + self._gzip.flush(zlib.Z_SYNC_FLUSH)
                out += self._chunks.push(packed, [(len(packed), tokens) for _, tokens in marks[-1:]])
        return out


class Wire:
    """The bytes of the wire to writes, each with the tokens that are through."""

    def __init__(self, cuts: Cuts, seed: int) -> None:
        self._split = Level(cuts.split, sub_seed(seed, "cuts of writes"))
        self._tokens = 0

    def push(self, data: bytes, marks: Sequence[Mark] = ()) -> list[Write]:
        """Take bytes as they are, return the writes that are complete."""
        return self._writes(self._split.push(data, marks))

    def body(self, pieces: list[Piece], *, chunked: bool) -> list[Write]:
        """Take pieces of the body, each a chunk or as it is; return the writes that are complete."""
        writes: list[Write] = []
        for data, marks in pieces:
            if chunked:
                size = b"%x\r\n" % len(data)
                shifted = [(len(size) + place, tokens) for place, tokens in marks]
                writes += self.push(b"%b%b\r\n" % (size, data), shifted)
            else:
                writes += self.push(data, marks)
        return writes

    def flush(self) -> list[Write]:
        """Return what is held."""
        return self._writes(self._split.flush())

    def _writes(self, pieces: list[Piece]) -> list[Write]:
        writes = []
        for data, marks in pieces:
            if marks:
                self._tokens = marks[-1][1]
            writes.append(Write(data, self._tokens))
        return writes
