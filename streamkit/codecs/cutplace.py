"""Where a stream was cut: inside a character, behind a CR, inside a record, or between two.

A reader that is only right when reads and records agree is wrong; this says where they do not. `CutPlace` takes the
pieces of a stream in one framing and knows after each how many records are complete, and at which place it ended. Both
depend on the bytes so far and on nothing else, so a place is known with the read: behind a CR it is open whether an LF
follows, which the first byte of the next piece tells.

Records are counted by the framing's own decoder, which keeps its limit. Whether the bytes are inside of one is the
decoder's affair too where only it can know (JSON arrays), else a few lines here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal, TypeAlias, get_args

from streamkit.codecs.jsonarray import JSONArrayDecoder
from streamkit.codecs.lines import CR, LF, LineScanner
from streamkit.codecs.ndjson import NDJSONDecoder
from streamkit.codecs.records import BOM, DEFAULT_LIMIT_BYTES, check_choice
from streamkit.codecs.sse import SSEDecoder
from streamkit.codecs.sse_events import SSEComment
from streamkit.codecs.stage import BadRecord, Stage
from streamkit.errors import DecodeError, TruncatedError

__all__ = ["CutPlace", "FramingName", "Place", "ends_inside_character"]

Place: TypeAlias = Literal["character", "cr", "record", "between"]
"""Where a piece ended, the first of these that is true: inside a character in UTF-8; behind a CR; inside a record (or
an SSE comment); between two records, where the stream's beginning and end belong too."""

FramingName: TypeAlias = Literal["sse", "ndjson", "json-array", "lines", "none"]
"""How records lie in the bytes: `lines` are those of any text, ended by CR, LF or CRLF; with `none` there are none."""

BLANK: Final = b" \t\r"

LEAD_FROM: Final = {2: 0xC2, 3: 0xE0, 4: 0xF0}
"""The first byte that begins a character of so many bytes (RFC 3629)."""

SECOND: Final = {0xE0: (0xA0, 0xBF), 0xED: (0x80, 0x9F), 0xF0: (0x90, 0xBF), 0xF4: (0x80, 0x8F)}
"""What may follow where that is less than every continuation byte: no overlong form, no surrogate, nothing too high."""


def ends_inside_character(data: bytes) -> bool:
    """Tell whether `data` ends in some but not all bytes of one character in UTF-8. Its last three bytes are enough."""
    for back in range(1, min(3, len(data)) + 1):
        lead = data[-back]
        if lead & 0xC0 == 0x80:
            continue
        if not LEAD_FROM[back + 1] <= lead <= 0xF4:
            return False
        low, high = SECOND.get(lead, (0x80, 0xBF))
        return back == 1 or low <= data[1 - back] <= high
    return False


class CutPlace:
    """Pieces of a stream in, and after each: how many records are complete, and where it was cut.

    Nothing is raised for what is wrong with the stream.

    Attributes:
        framing: how the records lie in the bytes.
        records: how many are complete; the bad ones count.
        bad_records: how many of them are none: no JSON, or over the limit.
        comments: how many SSE comments there were.
        is_inside: whether the last piece ended inside a record, whatever its place.
        problem: why records cannot be told any more, or what the end of the stream cut; empty as long as all is well.
        dropped_bytes: after `finish`, how many bytes of a record that was cut were there.
    """

    def __init__(self, framing: FramingName, *, max_record_bytes: int | None = DEFAULT_LIMIT_BYTES) -> None:
        """Begin a stream.

        Raises:
            ConfigError: there is no such framing, or the limit is no limit.
        """
        check_choice(framing, "framing", get_args(FramingName))
        self.framing = framing
        self.records = 0
        self.bad_records = 0
        self.comments = 0
        self.is_inside = False
        self.problem = ""
        self.dropped_bytes = 0
        self._decoder, self._looks_inside = _PARTS[framing](max_record_bytes)
        self._tail = b""
        # The stream's first bytes, as long as they may be a byte-order mark, which lines keep.
        self._start: bytes | None = None if framing == "lines" else b""

    @property
    def place(self) -> Place | None:
        """Where the last piece ended; None where nobody can tell: there are no records, or they are broken."""
        if self._decoder is None or (self.problem and not self.dropped_bytes):
            return None
        if ends_inside_character(self._tail):
            return "character"
        if self._tail.endswith(b"\r"):
            return "cr"
        return "record" if self.is_inside else "between"

    def feed(self, data: bytes) -> None:
        """Take the next piece."""
        if self._decoder is None or self.problem:
            return
        self._tail = (self._tail + data[-3:])[-3:]
        try:
            self._count(self._decoder.feed(data))
        except DecodeError as error:
            self._fail(error)
        data = self._after_mark(data)
        if data:
            self.is_inside = self._looks_inside(data)

    def finish(self) -> None:
        """Take the end of the stream: it may complete a last record, or cut it."""
        if self._decoder is None or self.problem:
            return
        try:
            self._count(self._decoder.finish())
        except DecodeError as error:
            self._fail(error)
        if isinstance(self._decoder, SSEDecoder) and self._decoder.dropped_bytes:
            self.dropped_bytes = self._decoder.dropped_bytes
            self.problem = f"sse: the input ends inside an event, of which {self.dropped_bytes} bytes were there"

    def _count(self, items: Any) -> None:  # noqa: ANN401 - what a decoder yields
        for item in items:
            if isinstance(item, SSEComment):
                self.comments += 1
            else:
                self.records += 1
                self.bad_records += isinstance(item, BadRecord)

    def _fail(self, error: DecodeError) -> None:
        self._count(error.items)
        self.problem = str(error)
        if isinstance(error, TruncatedError):
            self.dropped_bytes = error.dropped_bytes

    def _after_mark(self, data: bytes) -> bytes:
        """Return the piece without the byte-order mark that may begin the stream."""
        if self._start is None:
            return data
        start = self._start + data
        if len(start) < len(BOM) and BOM.startswith(start):
            self._start = start
            return b""
        self._start = None
        return start.removeprefix(BOM)


class _Line:
    """Whether an NDJSON stream is inside a record: in a line that is not blank."""

    def __init__(self) -> None:
        self._is_inside = False

    def __call__(self, data: bytes) -> bool:
        _, line_end, line = data.rpartition(b"\n")
        self._is_inside = bool(line.strip(BLANK)) or (self._is_inside and not line_end)
        return self._is_inside


class _Block:
    """Whether an event stream is inside a record: something came since the last blank line that is no whole comment."""

    def __init__(self) -> None:
        self._first: int | None = None  # of the unfinished line
        self._has_field = False
        self._after_cr = False

    def __call__(self, data: bytes) -> bool:
        if self._after_cr and data[0] == LF:
            data = data[1:]
        lines = data.splitlines()
        tail = lines.pop() if data and data[-1] not in {CR, LF} else b""
        self._after_cr = data.endswith(b"\r")
        for line in lines:
            first = line[0] if self._first is None and line else self._first
            self._first = None
            if first is None:
                self._has_field = False
            elif first != ord(":"):
                self._has_field = True
        if tail and self._first is None:
            self._first = tail[0]
        return self._has_field or self._first is not None


def _is_inside_line(data: bytes) -> bool:
    return data[-1] not in {CR, LF}


_Parts: TypeAlias = tuple[Stage[bytes, Any] | None, Callable[[bytes], bool]]


def _sse(max_record_bytes: int | None) -> _Parts:
    return SSEDecoder(max_event_bytes=max_record_bytes, comments=True, on_error="item"), _Block()


def _ndjson(max_record_bytes: int | None) -> _Parts:
    return NDJSONDecoder(max_record_bytes=max_record_bytes, on_error="item"), _Line()


def _json_array(max_record_bytes: int | None) -> _Parts:
    decoder: JSONArrayDecoder[object] = JSONArrayDecoder(max_record_bytes=max_record_bytes, on_error="item")
    return decoder, lambda _: decoder.is_inside


def _lines(max_record_bytes: int | None) -> _Parts:
    return LineScanner(max_line_bytes=max_record_bytes, newline="any", on_error="item"), _is_inside_line


def _none(max_record_bytes: int | None) -> _Parts:  # noqa: ARG001 - as the others
    return None, lambda _: False


_PARTS: Final[dict[FramingName, Callable[[int | None], _Parts]]] = {
    "sse": _sse,
    "ndjson": _ndjson,
    "json-array": _json_array,
    "lines": _lines,
    "none": _none,
}
