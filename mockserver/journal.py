"""What was really done: for each request what came in, each write with its times, and how it ended.

All times are monotonic ns. The journal is bounded: the oldest entries make room, an entry keeps the first so many
writes and body bytes and counts the rest. Secrets are redacted before anything is kept. With a file, each finished
entry is appended as a line of JSON.
"""

from __future__ import annotations

import struct
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

from streamkit.codecs.jsontext import encode_value
from streamkit.errors import ConfigError

__all__ = ["Entry", "Journal", "WriteDone"]

MAX_ENTRIES: Final = 1000
MAX_WRITES: Final = 4096

ROW: Final = struct.Struct("<qqqii")


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
    """

    __slots__ = (
        *("arrived_ns", "blocked_ns", "body", "connection", "dialect", "ended_ns", "error", "headers", "kernel_ns"),
        *("left", "left_ns", "max_bytes", "max_writes", "method", "model", "moved_ns", "notes", "number", "origin_ns"),
        *("outcome", "queued_ns", "rows", "scenario", "seed", "sent", "sent_bytes", "status", "target", "tokens"),
        *("writes_dropped", "faults", "peer"),
    )

    def __init__(self, number: int, *, max_writes: int, max_bytes: int) -> None:
        self.number = number
        self.connection = 0
        self.peer = ""
        self.method = ""
        self.target = ""
        self.headers: list[tuple[str, str]] = []
        self.body: object = None
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
        self.sent = bytearray()
        self.sent_bytes = 0
        self.tokens = 0
        self.max_writes = max_writes * ROW.size
        self.max_bytes = max_bytes
        self.writes_dropped = 0

    def wrote(self, planned_ns: int, began_ns: int, ended_ns: int, data: bytes | memoryview, tokens: int) -> None:
        """Note a write."""
        size = len(data)
        self.sent_bytes += size
        self.tokens = tokens
        if len(self.rows) < self.max_writes:
            self.rows += ROW.pack(planned_ns, began_ns, ended_ns, size, tokens)
        else:
            self.writes_dropped += 1
        room = self.max_bytes - len(self.sent)
        if room > 0:
            self.sent += data[:room]

    @property
    def writes(self) -> list[WriteDone]:
        """The writes, in order."""
        return [WriteDone(*row) for row in ROW.iter_unpack(self.rows)]

    def as_json(self, *, with_writes: bool = True) -> dict[str, Any]:
        """Return the entry as a JSON value; a write is [planned_ns, began_ns, ended_ns, size_bytes, tokens]."""
        shown: dict[str, Any] = {
            name: getattr(self, name)
            for name in (
                *("number", "connection", "peer", "method", "target", "headers", "body", "dialect", "model"),
                *("scenario", "seed", "faults", "notes", "status", "arrived_ns", "kernel_ns", "origin_ns"),
                *("queued_ns", "blocked_ns", "moved_ns", "ended_ns", "left", "left_ns", "outcome", "error"),
                *("sent_bytes", "tokens", "writes_dropped"),
            )
        }
        if with_writes:
            shown["writes"] = [list(row) for row in ROW.iter_unpack(self.rows)]
            shown["sent"] = self.sent.decode("latin-1")
        return shown


class Journal:
    """The entries, oldest first.

    Attributes:
        count: how many there have been.
        on_end: called with each finished entry.
    """

    def __init__(
        self,
        *,
        max_entries: int = MAX_ENTRIES,
        max_writes: int = MAX_WRITES,
        keep_bytes: int = 0,
        path: Path | None = None,
    ) -> None:
        """Make an empty journal.

        Args:
            max_entries: how many requests are remembered.
            max_writes: how many writes of each.
            keep_bytes: how many bytes of each response.
            path: a file that each finished entry is appended to.

        Raises:
            ConfigError: the file cannot be written.
        """
        self._entries: deque[Entry] = deque(maxlen=max_entries)
        self._max_writes = max_writes
        self._keep_bytes = keep_bytes
        self.count = 0
        self.on_end: Callable[[Entry], None] = ignore
        self._file: IO[bytes] | None = None
        if path is not None:
            try:
                self._file = path.open("ab")
            except OSError as error:
                raise ConfigError(f"the journal {path} cannot be written: {error.strerror}") from error
            clocks = {"mockserver_journal": 1, "monotonic_ns": time.monotonic_ns(), "unix_ns": time.time_ns()}
            self._write_line(clocks)

    def begin(self) -> Entry:
        """Return a new entry, which is part of the journal from now on."""
        self.count += 1
        entry = Entry(self.count, max_writes=self._max_writes, max_bytes=self._keep_bytes)
        self._entries.append(entry)
        return entry

    def end(self, entry: Entry, ended_ns: int) -> None:
        """Close an entry, and write it to the file if there is one."""
        entry.ended_ns = ended_ns
        self.on_end(entry)
        if self._file is not None:
            self._write_line(entry.as_json())

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
        self._entries.clear()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _write_line(self, value: object) -> None:
        if self._file is None:
            return
        self._file.write(encode_value(value) + b"\n")
        self._file.flush()
