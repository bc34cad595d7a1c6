"""Cut a byte stream into lines, whatever the reads were, in linear time and bounded memory.

`LineScanner` is the stage. `LineSplitter` is what it shares with the record decoders: it holds the bytes of one
unfinished line and nothing else. Only new bytes are ever searched for a line end, so a byte of an 8 MiB line costs what
a byte of a 64 KiB line costs, whatever the size of the reads.

The two sets of line ends are not interchangeable. NDJSON ends a record at LF alone (a CR is JSON white space); an event
stream ends a line at CR, LF or CRLF (WHATWG HTML, section 9.2.6). Neither is `str.splitlines`, which also cuts at
U+2028 and seven other characters: the most frequent bug of peers in this place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from streamkit.codecs.records import DEFAULT_LIMIT_BYTES, OnError, check_choice, check_limit
from streamkit.codecs.stage import BadRecord, Stage
from streamkit.errors import LimitExceeded, excerpt_of

__all__ = ["LineScanner", "LineSplitter", "TooLong"]

CR: Final = 13
LF: Final = 10


@dataclass(frozen=True, slots=True)
class TooLong:
    """Stands in a list of lines for one that is over the limit.

    Attributes:
        offset: where the line's first byte too many is in the stream.
        excerpt: the bytes before it, escaped.
        size_bytes: the line's length, as far as it was there.
    """

    offset: int
    excerpt: str
    size_bytes: int

    def error(self, limit_bytes: int, stage: str, record: int) -> LimitExceeded:
        """Return the error of `stage` for this line."""
        return LimitExceeded(
            limit_bytes=limit_bytes, stage=stage, record=record, offset=self.offset, excerpt=self.excerpt
        )


class LineSplitter:
    """Reads in, complete lines out, the unfinished one held.

    A line over the limit becomes a `TooLong` at the read that shows that it is one; what follows of it is dropped as it
    comes, never held. The limit counts the bytes before the line end (CRLF or LF; universal, CR too).

    Attributes:
        start: where the first line that the last `split` returned begins in the stream.
        end: how many bytes have come.
        dropping: whether the unfinished line is over the limit.
        dropped_bytes: how much of that line has come.
    """

    __slots__ = ("_after_cr", "_held", "_limit_bytes", "_universal", "dropped_bytes", "dropping", "end", "start")

    def __init__(self, limit_bytes: int, *, universal: bool = False) -> None:
        self._limit_bytes = limit_bytes
        self._universal = universal
        # A bytearray, not a list of pieces: in a list a piece of 64 bytes takes 105, and the limit is on what is held.
        self._held = bytearray()
        self.end = 0
        self.dropping = False
        self.dropped_bytes = 0
        self._after_cr = False
        self.start = 0

    def split(self, data: bytes) -> Sequence[bytes | TooLong]:
        """Return the lines that `data` completes, without their LF (or, universal, without their line end)."""
        if self._after_cr and data:
            self._after_cr = False
            if data[0] == LF:
                data = data[1:]
                self.end += 1
        if self.dropping:
            data = self._drop(data)
        self.start = self.end - len(self._held)
        self.end += len(data)
        if self._universal:
            lines = data.splitlines()
            tail = lines.pop() if data and data[-1] not in {CR, LF} else b""
            self._after_cr = data.endswith(b"\r") if data else self._after_cr
        else:
            lines = data.split(b"\n")
            tail = lines.pop()
        if lines and self._held:
            self._held += lines[0]
            lines[0] = self.rest()
        if self.end - self.start <= self._limit_bytes:
            self._held += tail
            return lines
        checked = self._checked(data, lines)
        self._held += tail
        if not self._fits(self._held):
            start = self.end - len(self._held)
            self.dropped_bytes = len(self._held)
            checked.append(self._too_long(start, self.rest()))
            self.dropping = True
        return checked

    def rest(self) -> bytes:
        """Return the unfinished line, and hold nothing."""
        rest = bytes(self._held)
        self._held = bytearray()  # gives the memory back before the caller decodes the line
        return rest

    def _checked(self, data: bytes, lines: list[bytes]) -> list[bytes | TooLong]:
        """Put a `TooLong` in the place of each line over the limit."""
        # For LF alone the line end is one byte; for the others only the data knows.
        ends = [len(piece) for piece in data.splitlines(keepends=True)] if self._universal else []
        out: list[bytes | TooLong] = []
        start = self.start
        for index, line in enumerate(lines):
            out.append(line if self._fits(line) else self._too_long(start, line))
            if not self._universal:
                start += len(line) + 1
            elif index:
                start += ends[index]
            else:
                start = self.end - len(data) + ends[0]
        return out

    def _fits(self, line: bytes | bytearray) -> bool:
        excess = len(line) - self._limit_bytes
        # One byte too many may be the CR of a CRLF.
        return excess <= 0 or (excess == 1 and not self._universal and line[-1] == CR)

    def _too_long(self, start: int, line: bytes) -> TooLong:
        end = self._limit_bytes
        return TooLong(offset=start + end, excerpt=excerpt_of(line[:end], end), size_bytes=len(line))

    def _drop(self, data: bytes) -> bytes:
        """Drop the rest of a line that was too long; return what comes after its end."""
        lines = data.splitlines(keepends=True) if self._universal else data.split(b"\n", 1)
        ended = (lines and lines[0][-1] in {CR, LF}) if self._universal else len(lines) > 1
        if not ended:
            self.end += len(data)
            self.dropped_bytes += len(data)
            return b""
        self.dropping = False
        dropped = len(lines[0]) + (not self._universal)
        if self._universal and dropped == len(data):
            self._after_cr = data.endswith(b"\r")
        self.end += dropped
        return data[dropped:]


class LineScanner(Stage[bytes, bytes | BadRecord]):
    """Bytes to lines without their line ends. The last line needs none: `finish()` returns it.

    A line over the limit raises `LimitExceeded` as soon as one byte too many is there; with `on_error="item"` a
    `BadRecord` takes its place, and what follows of that line is dropped.
    """

    name = "lines"

    def __init__(
        self,
        *,
        max_line_bytes: int | None = DEFAULT_LIMIT_BYTES,
        newline: Literal["lf", "any"] = "lf",
        on_error: OnError = "raise",
    ) -> None:
        """Make a scanner.

        Args:
            max_line_bytes: the longest line, without its LF; None lifts the limit.
            newline: "lf" ends a line at LF and drops one CR before it (another CR is data); "any" ends a line at CR,
                LF or CRLF, at the CR already: an LF that follows, in this read or a later one, is swallowed.
            on_error: "raise" a long line's error, or yield it as a `BadRecord` "item" and go on.

        Raises:
            ConfigError: an option has another value.
        """
        check_choice(newline, "newline", ("lf", "any"))
        check_choice(on_error, "on_error", ("raise", "item"))
        self._limit_bytes = check_limit(max_line_bytes, "max_line_bytes")
        self._universal = newline == "any"
        self._on_error = on_error
        self._start()

    def _start(self) -> None:
        self._splitter = LineSplitter(self._limit_bytes, universal=self._universal)
        self._line = 0

    def feed(self, data: bytes, /) -> list[bytes | BadRecord]:
        if self._closed is not None:
            self._check_open()
        out: list[bytes | BadRecord] = []
        for line in self._splitter.split(data):
            self._line += 1
            if not isinstance(line, TooLong):
                out.append(line if self._universal else line.removesuffix(b"\r"))
                continue
            error = line.error(self._limit_bytes, self.name, self._line)
            if self._on_error == "raise":
                raise self._fail(error, out)
            out.append(BadRecord(error))
        return out

    def finish(self) -> list[bytes | BadRecord]:
        if self._closed is not None:
            return []
        super().finish()
        last = self._splitter.rest()
        return [last] if last else []

    def reset(self) -> None:
        super().reset()
        self._start()
