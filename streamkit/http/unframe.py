"""Bodies out of their framing, piece by piece as the bytes come: counted, chunked, or until the connection ends. Pure.

RFC 9112, sections 6 and 7. Bytes go in as they are read and payload comes out at once, all of a read in one piece. What
many parsers forgive is refused, because readers that disagree about where a chunk ends disagree about where the next
message begins: a chunk size that is not plain hexadecimal, a line that ends in LF alone or has a CR in it, a chunk that
is not followed by CRLF, a folded trailer. Chunk extensions are read over and not kept (section 7.1.1).

Trailers that say where the message ends or goes, who sends it, or how its body is read are dropped (`NO_TRAILERS`):
whoever merged them into the head would read another message than was checked (RFC 9110, section 6.5.1).

Not h11: for a chunk of 160 bytes it takes 5 to 8 us, where this takes 0.7 (one chunk a read) to 1.9 (a cut inside its
size line), and a gateway's whole path is a few times that (`python -m benchmarks gateway`). Tests hold the two against
each other: what h11 refuses is refused here, but for white space before the `;` of an extension, which section 7.1.1
demands to be read over.
"""

from __future__ import annotations

import re
from typing import Final, Protocol

from streamkit.http.head import BadHead, Body, read_fields

__all__ = ["MAX_TRAILER_BYTES", "NO_TRAILERS", "Unframer", "unframer_of"]

MAX_TRAILER_BYTES: Final = 16384
"""The longest trailer section, its blank line included."""

MAX_LINE_BYTES: Final = 4096
"""The longest line with a chunk's size, extensions included. Senders that pad it do so to exhaust or to confuse."""

SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,15})(?:[ \t]*;[\t -~\x80-\xff]*+)?[ \t]*\r\n")
"""A chunk's size and its extensions (section 7.1), a size below 2 ** 60."""

MAY_BE_SIZE: Final = re.compile(rb"[0-9A-Fa-f]{0,15}(?:(?<=[0-9A-Fa-f])[ \t]*(?:;[\t -~\x80-\xff]*+)?[ \t]*\r?)?\Z")
"""The beginning of such a line."""

NO_TRAILERS: Final = frozenset(
    {
        *("content-length", "transfer-encoding", "trailer", "te", "connection", "keep-alive", "upgrade", "host"),
        *("proxy-connection", "expect", "max-forwards", "range", "cache-control", "pragma", "authorization"),
        *("proxy-authorization", "proxy-authenticate", "www-authenticate", "cookie", "set-cookie", "set-cookie2"),
        *("content-encoding", "content-type", "content-range", "location", "retry-after", "vary", "http2-settings"),
    }
)
"""Fields that may not stand behind a body, in lower case: framing, routing, modifiers, authentication, and content."""


class Unframer(Protocol):
    """Takes one body out of its framing. Never raises. How the bytes are cut changes nothing in what it says.

    Attributes:
        is_complete: whether the end of the body was seen.
        problem: why the rest of it cannot be read; empty as long as it can. What came before is good.
        excess: what came behind the end of the body.
        trailers: the fields behind a chunked body, once it is complete; without those that may not stand there.
    """

    is_complete: bool
    problem: str
    excess: bytes
    trailers: list[tuple[str, str]]

    def feed(self, data: bytes) -> bytes:
        """Take what one read gave, and return the payload in it, which may be none."""
        ...

    def finish(self) -> None:
        """Take the end of the input: `is_complete` or `problem` says afterwards what that means."""
        ...


def unframer_of(body: Body) -> Unframer:
    """Return what reads a body that ends as `body` says."""
    if body == "chunked":
        return Chunked()
    return UntilClosed() if body == "close" else Counted(body)


class UntilClosed:
    """A body that ends with the connection."""

    __slots__ = ("excess", "is_complete", "problem", "trailers")

    def __init__(self) -> None:
        self.is_complete = False
        self.problem = ""
        self.excess = b""
        self.trailers: list[tuple[str, str]] = []

    def feed(self, data: bytes) -> bytes:
        return data

    def finish(self) -> None:
        self.is_complete = True


class Counted:
    """A body of a length that was announced."""

    __slots__ = ("_left_bytes", "excess", "is_complete", "problem", "trailers")

    def __init__(self, length: int) -> None:
        self._left_bytes = length
        self.is_complete = length == 0
        self.problem = ""
        self.excess = b""
        self.trailers: list[tuple[str, str]] = []

    def feed(self, data: bytes) -> bytes:
        left_bytes = self._left_bytes - len(data)
        if left_bytes > 0:
            self._left_bytes = left_bytes
            return data
        if left_bytes < 0:
            self.excess += data[self._left_bytes :]
            data = data[: self._left_bytes]
        self._left_bytes = 0
        self.is_complete = True
        return data

    def finish(self) -> None:
        if not self.is_complete:
            self.problem = f"the body ended {self._left_bytes} bytes before its announced end"


class Chunked:
    """A chunked body. Where it is in it: in a chunk's data, behind it, in a size line, or in the trailers."""

    __slots__ = ("_held", "_left_bytes", "_trailer_bytes", "_where", "excess", "is_complete", "problem", "trailers")

    def __init__(self) -> None:
        self._held = b""  # the beginning of a line
        self._left_bytes = 0
        self._trailer_bytes = 0
        self._where = "size"
        self.is_complete = False
        self.problem = ""
        self.excess = b""
        self.trailers: list[tuple[str, str]] = []

    def feed(self, data: bytes) -> bytes:
        if self._where == "size" and not self._held:
            found = SIZE.match(data)
            if found is not None:  # as nearly every read of a stream of tokens is: one whole chunk
                start = found.end()
                size = int(found.group(1), 16)
                if size and start + size + 2 == len(data) and data.endswith(b"\r\n") and start <= MAX_LINE_BYTES:
                    return data[start:-2]
        return self._feed(data)

    def _feed(self, data: bytes) -> bytes:
        if self.is_complete:
            self.excess += data
            return b""
        if self._held:
            data = self._held + data
            self._held = b""
        pieces: list[bytes] = []
        at = self._take_whole_chunks(data, pieces) if self._where == "size" else 0
        while at < len(data) and not self.problem and not self.is_complete:
            if self._where == "data":
                piece = data[at : at + self._left_bytes] if at or len(data) > self._left_bytes else data
                pieces.append(piece)
                at += len(piece)
                self._left_bytes -= len(piece)
                if not self._left_bytes:
                    self._where = "behind"
            elif self._where == "behind":
                at = self._take_line_end(data, at)
            elif self._where == "size":
                at = self._take_size(data, at)
            else:
                at = self._take_trailer(data, at)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    @staticmethod
    def _take_whole_chunks(data: bytes, pieces: list[bytes]) -> int:
        """Take the chunks that are whole, for which nothing need be remembered, and return where they end."""
        at = 0
        while (found := SIZE.match(data, at)) is not None:
            start = found.end()
            end = start + int(found.group(1), 16)
            if end == start or data[end : end + 2] != b"\r\n" or start - at > MAX_LINE_BYTES:
                break
            pieces.append(data[start:end])
            at = end + 2
        return at

    def finish(self) -> None:
        if not self.is_complete and not self.problem:
            before = "the end of its trailers" if self._where == "trailers" else "its last chunk"
            self.problem = f"the body ended before {before}"

    def _fail(self, problem: str) -> None:
        self.problem = problem
        self._where = "broken"

    def _take_line_end(self, data: bytes, at: int) -> int:
        found = data[at : at + 2]
        if found == b"\r\n":
            self._where = "size"
        elif found == b"\r":
            self._held = found
        else:
            self._fail("a chunk is longer or shorter than its size says")
        return at + 2

    def _take_size(self, data: bytes, at: int) -> int:
        found = SIZE.match(data, at)
        if found is not None and found.end() - at <= MAX_LINE_BYTES:
            self._left_bytes = int(found.group(1), 16)
            self._where = "data" if self._left_bytes else "trailers"
            return found.end()
        rest = data[at : at + MAX_LINE_BYTES]
        if not MAY_BE_SIZE.match(rest):
            self._fail("the size of a chunk is no hexadecimal number")
        elif at + MAX_LINE_BYTES < len(data):
            self._fail(f"the line with a chunk's size is longer than {MAX_LINE_BYTES} bytes")
        else:
            self._held = rest
        return len(data)

    def _take_trailer(self, data: bytes, at: int) -> int:
        """Take one line of the trailers, or the blank line behind them."""
        end = data.find(b"\n", at) + 1
        if self._trailer_bytes + (end or len(data)) - at > MAX_TRAILER_BYTES:
            self._fail(f"the trailers are longer than the limit of {MAX_TRAILER_BYTES} bytes")
        elif not end:
            self._held = data[at:]
        elif end - at == 2 and data.startswith(b"\r", at):
            self.excess = data[end:]
            self.is_complete = True
            self._where = "done"
        else:
            self._trailer_bytes += end - at
            try:
                ((name, value),) = read_fields(data[at:end].decode("latin-1") + "\r\n")
            except BadHead as error:
                self._fail(f"a trailer is refused: {error.reason}")
            else:
                if name.lower() not in NO_TRAILERS:
                    self.trailers.append((name, value))
        return end or len(data)
