"""What was really done: for each request what came in, each write with its times, and how it ended.

All times are monotonic ns. The journal is bounded, in entries and in bytes: the oldest entries make room, an entry
keeps the first so many writes and body bytes and counts the rest. Secrets are redacted before anything is kept. With a
file, each finished entry is appended as a line of JSON.
"""

from __future__ import annotations

import struct
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from io import FileIO
from pathlib import Path
from typing import Any, Final, NamedTuple

from streamkit.codecs.jsontext import JSONTextError, decode_checked, encode_value
from streamkit.errors import ConfigError
from streamkit.http.redact import redacted_body, redacted_headers, redacted_target

__all__ = ["Entry", "Journal", "WriteDone"]

MAX_ENTRIES: Final = 1000
MAX_WRITES: Final = 2048
MAX_TOTAL_BYTES: Final = 16 * 2**20
MAX_BODY_BYTES: Final = 65536
ENTRY_BYTES: Final = 1500
"""What an entry takes besides its writes, head and body."""

ROW: Final = struct.Struct("<IIIHH")
"""A write in 16 bytes: how much later than the write before it was due, how much later than that it began, how long it
took, its size, and how many tokens were complete since the write before. What does not fit, a gap of more than 4 s for
instance, is kept apart."""


class WriteDone(NamedTuple):
    """One write as it really was.

    Attributes:
        planned_ns: when it was due; the same as `began_ns` where nothing was waited for.
        began_ns, ended_ns: around handing it to the kernel, waiting for room included.
        size_bytes: how much the kernel took.
        tokens: how many tokens of the answer were complete with it.
    """

    planned_ns: int
    began_ns: int
    ended_ns: int
    size_bytes: int
    tokens: int


def ignore(entry: Entry) -> None:
    """Do nothing with an entry."""


def ignore_failure(error: OSError) -> None:
    """Do nothing about a file that takes no more."""


class Entry:
    """What is known of one request.

    Attributes:
        number: of the request, from 1.
        connection: of the connection that it came by.
        arrived_ns: when its last byte was read; kernel_ns: when the kernel had it, or None.
        origin_ns: what the schedule counts from: the arrival, or the end of the wait for a slot.
        queued_ns: how long it waited for a slot.
        blocked_ns: how long writes waited for the client to read.
        moved_ns: how much later the rest became by gates and stalls.
        left: how the client left, "fin" or "reset", or None; left_ns: when that was seen.
        outcome: "running", "complete", "client-left", "reset", "closed", "stalled", "refused", "error" or "stopped".
        sent: the response's bytes, at most as many as the journal keeps.
        is_kept: whether the journal still has it; kept_bytes: what it counts for there, 0 while it is running.
    """

    __slots__ = (
        *("arrived_ns", "blocked_ns", "body", "connection", "dialect", "ended_ns", "error", "head", "kernel_ns"),
        *("left", "left_ns", "max_bytes", "max_writes", "method", "model", "moved_ns", "notes", "number", "origin_ns"),
        *("outcome", "queued_ns", "rows", "scenario", "seed", "sent", "sent_bytes", "status", "target", "tokens"),
        *("writes_dropped", "faults", "peer", "is_kept", "kept_bytes", "wide", "last_ns"),
    )

    def __init__(self, number: int, *, max_writes: int, max_bytes: int) -> None:
        self.number = number
        self.connection = 0
        self.peer = ""
        self.method = ""
        self.target = ""
        self.head = ""
        self.body = b""
        self.dialect = ""
        self.model = ""
        self.scenario = ""
        self.seed: int | None = None
        self.faults: tuple[str, ...] = ()
        self.notes: tuple[str, ...] = ()
        self.status: int | None = None
        self.arrived_ns = 0
        self.kernel_ns: int | None = None
        self.origin_ns = 0
        self.queued_ns = 0
        self.blocked_ns = 0
        self.moved_ns = 0
        self.ended_ns: int | None = None
        self.left: str | None = None
        self.left_ns: int | None = None
        self.outcome = "running"
        self.error = ""
        self.rows = bytearray()
        self.wide: dict[int, WriteDone] = {}
        self.last_ns = 0
        self.sent = bytearray()
        self.sent_bytes = 0
        self.tokens = 0
        self.is_kept = True
        self.kept_bytes = 0
        self.max_writes = max_writes * ROW.size
        self.max_bytes = max_bytes
        self.writes_dropped = 0

    def wrote(self, planned_ns: int, began_ns: int, ended_ns: int, data: bytes | memoryview, tokens: int) -> None:
        """Note a write."""
        size = len(data)
        self.sent_bytes += size
        if len(self.rows) < self.max_writes:
            try:
                self.rows += ROW.pack(
                    planned_ns - self.last_ns, began_ns - planned_ns, ended_ns - began_ns, size, tokens - self.tokens
                )
            except struct.error:
                self.wide[len(self.rows) // ROW.size] = WriteDone(planned_ns, began_ns, ended_ns, size, tokens)
                self.rows += bytes(ROW.size)
            self.last_ns = planned_ns
        else:
            self.writes_dropped += 1
        self.tokens = tokens
        room = self.max_bytes - len(self.sent)
        if room > 0:
            self.sent += data[:room]

    def asked(self, target: str, headers: Iterable[tuple[str, str]], body: bytes) -> None:
        """Note what was asked, without its secrets. Text is kept, not values: those can take 25 times its size."""
        self.target = redacted_target(target)
        self.head = "\n".join([f"{name}: {value}" for name, value in redacted_headers(headers)])
        self.body = redacted_body(body) if len(body) <= MAX_BODY_BYTES else b"(%d bytes)" % len(body)

    @property
    def headers(self) -> list[list[str]]:
        """The request's headers, in their order."""
        return [line.split(": ", 1) for line in self.head.split("\n")] if self.head else []

    @property
    def size_bytes(self) -> int:
        """About how much memory this takes."""
        return (
            ENTRY_BYTES
            + len(self.rows)
            + 200 * len(self.wide)
            + len(self.sent)
            + len(self.head)
            + len(self.body)
            + len(self.target)
        )

    @property
    def writes(self) -> list[WriteDone]:
        """The writes, in order."""
        rows: list[WriteDone] = []
        planned_ns = tokens = 0
        for number, (since_ns, late_ns, took_ns, size, more) in enumerate(ROW.iter_unpack(self.rows)):
            row = self.wide.get(number)
            if row is None:
                began_ns = planned_ns + since_ns + late_ns
                row = WriteDone(planned_ns + since_ns, began_ns, began_ns + took_ns, size, tokens + more)
            rows.append(row)
            planned_ns, tokens = row.planned_ns, row.tokens
        return rows

    def as_json(self, *, with_writes: bool = True) -> dict[str, Any]:
        """Return the entry as a JSON value; a write is [planned_ns, began_ns, ended_ns, size_bytes, tokens]."""
        shown: dict[str, Any] = {
            name: getattr(self, name)
            for name in (
                *("number", "connection", "peer", "method", "target", "headers", "dialect", "model"),
                *("scenario", "seed", "faults", "notes", "status", "arrived_ns", "kernel_ns", "origin_ns"),
                *("queued_ns", "blocked_ns", "moved_ns", "ended_ns", "left", "left_ns", "outcome", "error"),
                *("sent_bytes", "tokens", "writes_dropped"),
            )
        }
        shown["body"] = shown_body(self.body)
        if with_writes:
            shown["writes"] = self.writes
            shown["sent"] = self.sent.decode("latin-1")
        return shown


def shown_body(body: bytes) -> object:
    """Return a body as the journal shows it: JSON as a value, anything else as text."""
    try:
        return decode_checked(body) if body else None
    except JSONTextError:
        return body.decode("utf-8", "replace")


class Journal:
    """The entries, oldest first.

    Attributes:
        count: how many there have been.
        on_end: called with each finished entry.
        on_failure: called when the file takes no more; it is closed then, and the journal goes on without it.
    """

    def __init__(
        self,
        *,
        max_entries: int = MAX_ENTRIES,
        max_writes: int = MAX_WRITES,
        max_total_bytes: int = MAX_TOTAL_BYTES,
        keep_bytes: int = 0,
        path: Path | None = None,
    ) -> None:
        """Make an empty journal.

        Args:
            max_entries: how many requests are remembered.
            max_writes: how many writes of each.
            max_total_bytes: about how much memory all finished entries may take.
            keep_bytes: how many bytes of each response.
            path: a file that each finished entry is appended to.

        Raises:
            ConfigError: the file cannot be opened.
            OSError: it cannot be written; the text names it.
        """
        self._entries: deque[Entry] = deque()
        self._max_entries = max_entries
        self._max_total_bytes = max_total_bytes
        self._total_bytes = 0
        self._max_writes = max_writes
        self._keep_bytes = keep_bytes
        self.count = 0
        self.on_end: Callable[[Entry], None] = ignore
        self.on_failure: Callable[[OSError], None] = ignore_failure
        self._path = path
        self._file: FileIO | None = None
        if path is not None:
            try:
                self._file = path.open("ab", buffering=0)
            except OSError as error:
                raise ConfigError(f"the journal {path} cannot be written: {error.strerror}") from error
            clocks = {"mockserver_journal": 1, "monotonic_ns": time.monotonic_ns(), "unix_ns": time.time_ns()}
            if (failure := self._write_line(clocks)) is not None:
                raise failure

    def begin(self) -> Entry:
        """Return a new entry, which is part of the journal from now on."""
        self.count += 1
        entry = Entry(self.count, max_writes=self._max_writes, max_bytes=self._keep_bytes)
        self._entries.append(entry)
        self._make_room()
        return entry

    def end(self, entry: Entry, ended_ns: int) -> None:
        """Close an entry, and write it to the file if there is one."""
        entry.ended_ns = ended_ns
        if entry.is_kept:
            entry.kept_bytes = entry.size_bytes
            self._total_bytes += entry.kept_bytes
            self._make_room()
        self.on_end(entry)
        if self._file is not None and (failure := self._write_line(entry.as_json())) is not None:
            self.on_failure(failure)

    def _make_room(self) -> None:
        """Forget the oldest entries, but for the last one, until the rest is within the bounds."""
        entries = self._entries
        while len(entries) > self._max_entries or (self._total_bytes > self._max_total_bytes and len(entries) > 1):
            oldest = entries.popleft()
            oldest.is_kept = False
            self._total_bytes -= oldest.kept_bytes

    def __iter__(self) -> Iterator[Entry]:
        return iter(tuple(self._entries))

    def __len__(self) -> int:
        return len(self._entries)

    def __getitem__(self, index: int) -> Entry:
        """Return an entry by its place, -1 for the last."""
        return self._entries[index]

    def find(self, wanted: Callable[[Entry], bool]) -> list[Entry]:
        """Return the entries that `wanted` says yes to."""
        return [entry for entry in self._entries if wanted(entry)]

    def clear(self) -> None:
        """Forget all entries; numbers go on."""
        for entry in self._entries:
            entry.is_kept = False
        self._entries.clear()
        self._total_bytes = 0

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _write_line(self, value: object) -> OSError | None:
        """Append a line; where that fails, close the file for good and return why."""
        if self._file is None:
            return None
        rest = encode_value(value) + b"\n"
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            self.close()
            return OSError(error.errno, f"the journal {self._path} cannot be written: {error.strerror or error}")
        return None
