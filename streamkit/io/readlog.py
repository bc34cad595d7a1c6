"""The reads of a stream, one row each: when, how much, which records it completed, where it was cut. Pure.

Bytes and times come in, rows and a summary go out; who reads and what the time is, is the caller's affair. The framing
is found in the first bytes, and the dialect in the first records, unless the caller knows them.

A read has one time, and where several segments had come by then it is the newest one's: such a read is *unresolved*, as
what came in it earlier came at a time that nobody knows. Its gap is a gap to the newest segment, not between pieces.
Unresolved too, and without a gap, is a read that came with the one before: by its stamp, which is no later, or because
its segment was counted there. One read of the wire may bring several records of TLS. No gap is ever a zero that nobody
measured.

Kept are 8 bytes for each read (for the quantiles) and one unfinished record, never the stream.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

import msgspec

from streamkit.codecs.cutplace import CutPlace, FramingName, Place
from streamkit.codecs.records import DEFAULT_LIMIT_BYTES, check_choice
from streamkit.dialects.sniff import Sniffer, framing_in

if TYPE_CHECKING:
    from streamkit.http.stream import TimedRead

__all__ = ["CutCounts", "Gaps", "ReadLog", "ReadRow", "Summary", "quantile_of"]

FramingChoice: TypeAlias = Literal["auto", FramingName]

HELD_BYTES: Final = 4096
"""How much white space may stand before the first byte that shows the framing."""

TAIL_BYTES: Final = 12
"""How much of a read's end a row shows."""

BINARY: Final = (b"\0", b"\x1f\x8b", b"\x28\xb5\x2f\xfd")
"""How what is no text may begin: with a NUL, or compressed with gzip or zstd."""


class ReadRow(msgspec.Struct, frozen=True, gc=False, tag_field="kind", tag="read"):
    """One read. Times are ns on the scale of the caller's.

    Attributes:
        number: counted from 1.
        at_ns: when it came.
        gap_ns: since the read before; None of the first, and of one that came with the read before.
        bytes: how many it brought.
        records: how many records it completed, the bad ones included.
        bad_records: how many of them are none: no JSON, or over the limit.
        cut: where it ended; None where that has no meaning, or is not known any more.
        tail: its last bytes, as printable ASCII.
        by_kernel: whether `at_ns` is when the kernel had it, rather than when it was read.
        segments: how many TCP segments it was made of, None where nobody counted.
        is_resolved: whether `at_ns` is the time of all of it.
    """

    number: int
    at_ns: int
    gap_ns: int | None
    bytes: int
    records: int
    bad_records: int
    cut: Place | None
    tail: str
    by_kernel: bool
    segments: int | None
    is_resolved: bool


class Gaps(msgspec.Struct, frozen=True):
    """The gaps before resolved reads, in ns: how many there are, quantiles by the nearest rank, and the longest."""

    count: int
    p50_ns: int
    p90_ns: int
    p99_ns: int
    max_ns: int


class CutCounts(msgspec.Struct, frozen=True):
    """How many reads ended at which place; of a read behind a CR the next one has told which.

    Attributes:
        character: inside a character.
        crlf: between a CR and its LF.
        record: inside a record.
        between: between two records, the stream's end included.
    """

    character: int
    crlf: int
    record: int
    between: int


class Summary(msgspec.Struct, frozen=True, tag_field="kind", tag="summary"):
    """The whole stream. Times are ns on the scale of the rows'.

    Attributes:
        reads, bytes, records, bad_records: of all rows together; `records` has the one too that the end completed.
        comments: how many SSE comments there were.
        framing: how the records lie in the bytes; "auto" where nothing came that showed it.
        dialect: what the records look like; empty where they look like none that is known.
        records_per_read: the mean.
        gaps: those before reads that are resolved; None where there was none.
        first_byte_ns: when the first read came; None where none did.
        first_record_ns: when the first record was complete.
        cuts: how many reads ended where.
        unresolved_reads: how many were of several segments, or came with the read before.
        kernel_reads: how many have the kernel's time.
        how: how the stream ended, in the caller's word for it.
        detail: more about that, for people.
        ended_ns: when.
        problem: what is wrong with the stream itself: what was cut at the end, or why its records cannot be told.
        dropped_bytes: how many bytes of a cut record were there.
    """

    reads: int
    bytes: int
    records: int
    bad_records: int
    comments: int
    framing: str
    dialect: str
    records_per_read: float
    gaps: Gaps | None
    first_byte_ns: int | None
    first_record_ns: int | None
    cuts: CutCounts
    unresolved_reads: int
    kernel_reads: int
    how: str
    detail: str
    ended_ns: int
    problem: str
    dropped_bytes: int


class ReadLog:
    """Takes the reads of one stream, gives a row for each, and in the end the summary."""

    def __init__(self, *, framing: FramingChoice = "auto", max_record_bytes: int | None = DEFAULT_LIMIT_BYTES) -> None:
        """Begin a stream.

        Args:
            framing: how the records lie in the bytes; "auto" finds out.
            max_record_bytes: a longer record is a bad one; None lifts the limit.

        Raises:
            ConfigError: there is no such framing, or the limit is no limit.
        """
        check_choice(framing, "framing", ("auto", *get_args(FramingName)))
        self._max_record_bytes = max_record_bytes
        self._cutter = None if framing == "auto" else CutPlace(framing, max_record_bytes=max_record_bytes)
        self._head = b""
        self._sniffer = Sniffer(max_record_bytes)
        self._reads = self._bytes = self._unresolved = self._by_kernel = 0
        self._first_ns: int | None = None
        self._first_record_ns: int | None = None
        self._last_ns = 0
        self._last_by_kernel = False
        self._gaps = array("q")
        self._cuts: dict[Place, int] = dict.fromkeys(get_args(Place), 0)
        self._behind_cr: Place | None = None  # of the last read: its place if no LF follows

    @property
    def framing(self) -> str:
        """The framing, "auto" as long as it is not known."""
        return "auto" if self._cutter is None else self._cutter.framing

    def read(self, data: bytes, at_ns: int, *, by_kernel: bool = False, segments: int | None = None) -> ReadRow:
        """Take one read.

        Args:
            data: what it brought.
            at_ns: when; a time before that of the read before becomes that one.
            by_kernel: whether the kernel says so.
            segments: how many TCP segments it was made of, None where nobody counted.
        """
        gap_ns = None
        is_together = False
        if self._first_ns is None:
            self._first_ns = at_ns
        else:
            # Stamps come from another clock, at a rate that is measured each time: one may seem older than that before.
            is_older = by_kernel and self._last_by_kernel and at_ns <= self._last_ns
            is_together = is_older or segments == 0  # counted with the read before, and this is its rest
            at_ns = max(at_ns, self._last_ns)
            if not is_together:
                gap_ns = at_ns - self._last_ns
        self._last_ns, self._last_by_kernel = at_ns, by_kernel
        before = (0, 0) if self._cutter is None else (self._cutter.records, self._cutter.bad_records)
        place = self._follow(data)
        records, bad_records = 0, 0
        if self._cutter is not None:
            records, bad_records = self._cutter.records - before[0], self._cutter.bad_records - before[1]
        if records and self._first_record_ns is None:
            self._first_record_ns = at_ns
        is_resolved = (segments is None or segments <= 1) and not is_together
        if is_resolved and gap_ns is not None:
            self._gaps.append(gap_ns)
        self._reads += 1
        self._bytes += len(data)
        self._unresolved += not is_resolved
        self._by_kernel += by_kernel
        return ReadRow(
            number=self._reads,
            at_ns=at_ns,
            gap_ns=gap_ns,
            bytes=len(data),
            records=records,
            bad_records=bad_records,
            cut=place,
            tail=_tail_of(data),
            by_kernel=by_kernel,
            segments=segments,
            is_resolved=is_resolved,
        )

    def take(self, read: TimedRead, *, origin_ns: int = 0) -> ReadRow:
        """Take one read as it came from a stream: at the kernel's time where there is one, counted from `origin_ns`."""
        by_kernel = read.kernel_ns is not None
        at_ns = read.read_ns if read.kernel_ns is None else read.kernel_ns
        return self.read(read.data, at_ns - origin_ns, by_kernel=by_kernel, segments=read.segments)

    def finish(self, how: str, at_ns: int, detail: str = "") -> Summary:
        """Take the end of the stream, and return what there is to say of the whole.

        Args:
            how: how it ended, in one word.
            at_ns: when.
            detail: more about that, for people.
        """
        records = 0 if self._cutter is None else self._cutter.records
        if self._cutter is None and self._head:
            self._decide("lines")
        if self._behind_cr is not None:
            self._cuts[self._behind_cr] += 1
            self._behind_cr = None
        self._sniffer.finish()
        cutter = self._cutter or CutPlace("none")
        cutter.finish()
        at_ns = max(at_ns, self._last_ns)
        if cutter.records > records and self._first_record_ns is None:
            self._first_record_ns = at_ns
        return Summary(
            reads=self._reads,
            bytes=self._bytes,
            records=cutter.records,
            bad_records=cutter.bad_records,
            comments=cutter.comments,
            framing=self.framing,
            dialect=self._dialect,
            records_per_read=cutter.records / self._reads if self._reads else 0.0,
            gaps=_gaps_of(self._gaps),
            first_byte_ns=self._first_ns,
            first_record_ns=self._first_record_ns,
            cuts=CutCounts(self._cuts["character"], self._cuts["cr"], self._cuts["record"], self._cuts["between"]),
            unresolved_reads=self._unresolved,
            kernel_reads=self._by_kernel,
            how=how,
            detail=detail,
            ended_ns=at_ns,
            problem=cutter.problem,
            dropped_bytes=cutter.dropped_bytes,
        )

    @property
    def _dialect(self) -> str:
        found = self._sniffer.found or ""
        is_particular = not self._sniffer.why_not and found.partition("/")[0] not in {"json", "text"}
        return found if is_particular and self.framing not in {"lines", "none"} else ""

    def _follow(self, data: bytes) -> Place | None:
        """Return where a read has ended, and count it there."""
        if self._sniffer.found is None:
            self._sniffer.feed(data)
        if self._cutter is not None:
            self._cutter.feed(data)
        elif (framing := self._framing_of(self._head + data)) is not None:
            self._head += data
            self._decide(framing)
        else:
            self._head += data
        place = self._undecided_place() if self._cutter is None else self._cutter.place
        if self._behind_cr is not None and data:
            self._cuts["cr" if data.startswith(b"\n") else self._behind_cr] += 1
            self._behind_cr = None
        if place == "cr":
            self._behind_cr = "record" if self._cutter is not None and self._cutter.is_inside else "between"
        elif place is not None:
            self._cuts[place] += 1
        return place

    def _framing_of(self, head: bytes) -> FramingName | None:
        if head.startswith(BINARY):
            return "none"
        found = framing_in(head)
        if found is None:
            return "lines" if len(head) > HELD_BYTES else None
        return "lines" if found in {"text", "html"} else _KNOWN[found]

    def _decide(self, framing: FramingName) -> None:
        self._cutter = CutPlace(framing, max_record_bytes=self._max_record_bytes)
        self._cutter.feed(self._head)
        self._head = b""

    def _undecided_place(self) -> Place | None:
        """Return where a stream ends of which a few bytes are there, too few to show its framing."""
        head = CutPlace("ndjson")
        head.feed(self._head)
        return head.place


_KNOWN: Final[dict[str, FramingName]] = {"sse": "sse", "ndjson": "ndjson", "json-array": "json-array"}


def quantile_of(ordered: Sequence[int], permille: int) -> int:
    """Return the smallest of the values that so many in a thousand of them do not exceed (the nearest rank).

    Args:
        ordered: the values in ascending order, at least one.
        permille: from 0 to 1000.
    """
    rank = -(-permille * len(ordered) // 1000)
    return ordered[max(rank, 1) - 1]


def _gaps_of(gaps: array[int]) -> Gaps | None:
    if not gaps:
        return None
    ordered = sorted(gaps)
    return Gaps(len(ordered), *(quantile_of(ordered, permille) for permille in (500, 900, 990, 1000)))


def _tail_of(data: bytes) -> str:
    return repr(data[-TAIL_BYTES:])[2:-1]
