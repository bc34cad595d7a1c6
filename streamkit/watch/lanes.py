"""What was seen of a stream, as the marks of two lanes: read from upstream, written to the client. Pure.

A mark is a read, or a write, that brought some of the body: where it lies in the body, how many records were complete
with it, and where it was cut. A write's `through` says how many marks of the upstream lane there were when it began:
what it brought is of those, and of none later. So the page draws lines from it to the reads since the write before.
In a gateway that passes bytes on, that is the same bytes; where it converts, it is the bytes that they became.

Keys that went upstream are not shown where they come back (`streamkit.watch.keymask`).

Marks are made when somebody looks, from `streamkit.watch.moments`, which is cheap to write and holds up no stream.
"""

from __future__ import annotations

from array import array
from binascii import b2a_base64
from bisect import bisect_right
from typing import Final, Literal

import msgspec

from streamkit.codecs.cutplace import CutPlace, FramingName
from streamkit.http.head import BadHead, find_end, read_response
from streamkit.http.unframe import Unframer, UntilClosed, unframer_of
from streamkit.io.readlog import ReadLog
from streamkit.watch.frames import MessageReader
from streamkit.watch.keymask import KeyMask
from streamkit.watch.moments import Moment

__all__ = ["Gone", "Head", "Lanes", "Mark", "Row"]

Lane = Literal["upstream", "gateway"]

HEAD_BYTES: Final = 1024
TAIL_BYTES: Final = 256
"""How much of a mark's bytes goes with it: its first ones, and where there are more its last ones."""

FRAMINGS: Final[dict[str, FramingName]] = {
    "text/event-stream": "sse",
    "application/x-ndjson": "ndjson",
    "application/ndjson": "ndjson",
    "text/plain": "lines",
}

SWITCHING: Final = 101
CREATED: Final = 201
"""The status of an answer that only says where the stream is."""


class Mark(msgspec.Struct, frozen=True, gc=False, tag_field="kind", tag="mark"):
    """One read or write that brought some of the body. Times are ns of `streamkit.http.clock.now_ns`.

    Attributes:
        lane: whose.
        n: the how manyth of its lane, counted from 0.
        connection: the how manyth of its lane's connections, counted from 0.
        at_ns: when it was read, or handed to the kernel.
        done_ns: when the kernel had taken the last of it, where that was later; else None.
        kernel_ns: when the kernel had received it; None where it does not say.
        segments: of how many TCP segments a read was made, None where nobody counted.
        start, bytes: where it begins in the body of its connection, and its length. Of a WebSocket the body is what is
            in the messages.
        records: how many records, or messages, were complete with it, on this connection, since the beginning.
        cut: where it ended: `character`, `cr`, `record`, `between`; None where that has no meaning.
        through: of a write: how many marks of the upstream lane there were when it began. Of a read: `n`.
        head, tail: its first bytes and, where that is not all of them, its last ones, in base64.
    """

    lane: Lane
    n: int
    connection: int
    at_ns: int
    done_ns: int | None
    kernel_ns: int | None
    segments: int | None
    start: int
    bytes: int
    records: int
    cut: str | None
    through: int
    head: str
    tail: str


class Head(msgspec.Struct, frozen=True, gc=False, tag_field="kind", tag="head"):
    """The head of a final response was whole: on which lane, when, and what it said."""

    lane: Lane
    connection: int
    at_ns: int
    status: int
    media_type: str
    n: int


class Gone(msgspec.Struct, frozen=True, gc=False, tag_field="kind", tag="gone"):
    """A connection ended before the body did, or with it: `end`, `reset` by the other side, or `abort` by the gateway.

    `is_whole` says whether the body was whole by its framing.
    """

    lane: Lane
    connection: int
    at_ns: int
    how: str
    is_whole: bool


Row = Mark | Head | Gone


class _Wire:
    """One connection's way of a response: heads, then the body by its framing, or messages behind a 101."""

    def __init__(self, number: int, method: str) -> None:
        self.number = number
        self.bytes = 0
        self.is_gone = False
        self._is_silent = False
        self._method = method
        self._head = bytearray()
        self._unframer: Unframer | None = None
        self._messages: MessageReader | None = None
        self._cutter: CutPlace | None = None
        self._log: ReadLog | None = None  # finds out what the media type does not say
        self.records = 0
        self.before = b""  # what `KeyMask` needs of the bytes before

    @property
    def is_whole(self) -> bool:
        return self._unframer is not None and self._unframer.is_complete

    def end(self) -> None:
        """Take the end of the connection, which is that of a body with no other."""
        if self._unframer is not None:
            self._unframer.finish()

    def again(self) -> None:
        """Begin another response on the same connection; the body goes on where it was."""
        self._head.clear()
        self._unframer = self._messages = self._cutter = self._log = None

    def feed(self, data: bytes) -> tuple[tuple[int, str] | None, bytes]:
        """Take the next bytes; return status and media type where a final head ended in them, and the body's bytes.

        What is no HTTP, or broken, is taken for a body.
        """
        told = None
        if self._unframer is None and self._messages is None:
            searched = len(self._head)
            self._head += data
            data = b""
            try:
                while (end := find_end(self._head, searched)) >= 0:
                    searched = 0
                    head = read_response(bytes(self._head[:end]), method=self._method)
                    del self._head[:end]
                    if head.status == SWITCHING:
                        self._messages = MessageReader()
                    elif head.status >= 200:
                        self._unframer = unframer_of(head.body)
                    else:
                        continue
                    media_type = next((value for name, value in head.headers if name.lower() == "content-type"), "")
                    self._is_silent = head.status == CREATED
                    told = head.status, media_type.partition(";")[0].strip().lower()
                    framing = FRAMINGS.get(told[1])
                    if framing is None:
                        self._log = ReadLog()
                    else:
                        self._cutter = CutPlace(framing)
                    data = bytes(self._head)
                    self._head.clear()
                    break
            except BadHead:
                self._unframer, data = UntilClosed(), bytes(self._head)
        if self._messages is not None:
            return told, self._messages.feed(data)
        body = self._unframer.feed(data) if self._unframer is not None and data else b""
        return told, b"" if self._is_silent else body

    def log(self, data: bytes, at_ns: int) -> str | None:
        """Count the records of the body's next bytes, and return where they end."""
        if self._messages is not None:
            self.records = self._messages.count
            return "record" if self._messages.is_inside else "between"
        if self._cutter is not None:
            before = self._cutter.records
            self._cutter.feed(data)
            self.records += self._cutter.records - before
            return self._cutter.place
        if self._log is None:
            return None
        row = self._log.read(data, at_ns)
        self.records += row.records
        return row.cut


class Lanes:
    """Makes rows of moments, in their order.

    Args:
        method: of the client's request.
    """

    def __init__(self, method: str) -> None:
        self._method = method
        self._upstream: dict[int, _Wire] = {}
        self._client: dict[int, _Wire] = {}
        self._read_ns = array("q")
        self._writes = 0
        self._mask = KeyMask()

    def feed(self, moment: Moment) -> list[Row]:
        """Take a moment, and return what it adds."""
        is_upstream = moment.side == "upstream"
        wires = self._upstream if is_upstream else self._client
        wire = wires.get(moment.connection)
        if wire is None:
            # The gateway asks with POST, or as the client did: what matters is that the answer to HEAD has no body.
            wire = wires[moment.connection] = _Wire(len(wires), self._method)
        lane: Lane = "upstream" if is_upstream else "gateway"
        if moment.what == ("read" if is_upstream else "sent"):
            return self._taken(wire, lane, moment)
        if moment.what == "sent":
            self._mask.learn(moment.data)
            if wire.is_whole:
                wire.again()
        if moment.what in {"end", "reset", "abort"} and not wire.is_gone:
            wire.is_gone = True
            if moment.what == "end":
                wire.end()
            return [Gone(lane, wire.number, moment.at_ns, moment.what, wire.is_whole)]
        return []

    def _taken(self, wire: _Wire, lane: Lane, moment: Moment) -> list[Row]:
        told, body = wire.feed(moment.data)
        rows: list[Row] = []
        if told is not None:
            rows.append(Head(lane, wire.number, moment.at_ns, *told, n=len(self._read_ns)))
        if not body:
            return rows
        is_upstream = lane == "upstream"
        reads = len(self._read_ns)
        n = reads if is_upstream else self._writes
        cut = wire.log(body, moment.at_ns)
        shown, wire.before = self._mask.feed(wire.before, body)
        head, tail = _shown(shown)
        rows.append(
            Mark(
                lane,
                n,
                wire.number,
                moment.at_ns,
                moment.done_ns,
                moment.kernel_ns,
                moment.segments,
                start=wire.bytes,
                bytes=len(body),
                records=wire.records,
                cut=cut,
                # A write that had to wait is seen at its end, behind reads that came after its beginning.
                through=reads if is_upstream else bisect_right(self._read_ns, moment.at_ns),
                head=head,
                tail=tail,
            )
        )
        wire.bytes += len(body)
        if is_upstream:
            self._read_ns.append(max(moment.at_ns, self._read_ns[-1] if reads else 0))
        else:
            self._writes += 1
        return rows


def _shown(body: bytes) -> tuple[str, str]:
    """Return what of a mark's bytes goes with it."""
    tail = b"" if len(body) <= HEAD_BYTES + TAIL_BYTES else body[-TAIL_BYTES:]
    head = body[:HEAD_BYTES] if tail else body
    return _text(head), _text(tail)


def _text(data: bytes) -> str:
    return b2a_base64(data, newline=False).decode()
