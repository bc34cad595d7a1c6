"""`--raw FILE`: every record of a run as a line of JSON, with all its stamps and token reads.

A load begins with a line that has both clocks and the plan, without its secrets and prompts, and ends with one that
says how many records there are. Loads follow one another in the file. A record's times are ns of CLOCK_MONOTONIC; with
the clocks of the line before they are times of day.

Records are encoded at once and written by a thread, so that no disk holds up the loop. What a disk cannot take in time
is dropped and counted, in the last line and in the notes: the figures themselves are made from every record.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import BytesIO, FileIO, RawIOBase
from pathlib import Path
from typing import Final

import msgspec
import trio

from streamkit.bench.plan import Plan, Replay, Server
from streamkit.bench.record import RequestRecord
from streamkit.errors import ConfigError
from streamkit.http.background import background
from streamkit.http.redact import REDACTED, redacted_target

__all__ = ["RawFile", "header_of", "open_raw_file"]

FORMAT: Final = 1

MAX_BUFFERED_BYTES: Final = 64 * 2**20

WRITE_S: Final = 0.25


class RawFile:
    """Writes records; made by `open_raw_file`.

    Attributes:
        written: how many records the file has.
        dropped: how many it does not have, because the disk was too slow or failed.
    """

    def __init__(self, file: RawIOBase | BytesIO, path: Path, max_buffered_bytes: int = MAX_BUFFERED_BYTES) -> None:
        self._file = file
        self._path = path
        self._max = max_buffered_bytes
        self._buffer = bytearray()
        self._waiting = 0
        self._encoder = msgspec.json.Encoder()
        self._failure = ""
        self.written = 0
        self.dropped = 0

    def add(self, record: RequestRecord) -> None:
        """Write a record, soon."""
        if self._failure:
            self.dropped += 1
        else:
            self.add_line(self._encoder.encode(record))

    def add_line(self, line: bytes | msgspec.Raw) -> None:
        """Write a record that is JSON already, soon."""
        size = memoryview(line).nbytes
        if self._failure or (self._buffer and len(self._buffer) + size > self._max):
            self.dropped += 1
            return
        self._buffer += line
        self._buffer += b"\n"
        self._waiting += 1

    @property
    def notes(self) -> list[str]:
        """What went wrong, for people."""
        if self._failure:
            return [f"{self._path}: {self._failure}; {self.dropped} records are not in it"]
        return [f"{self._path}: the disk was too slow; {self.dropped} records are not in it"] if self.dropped else []

    async def run(self) -> None:
        """Write what comes until cancelled."""
        while True:
            await trio.sleep(WRITE_S)
            await self.flush()

    async def flush(self) -> None:
        """Write what has come so far. Where that fails, nothing is written any more."""
        data, records = self._buffer, self._waiting
        if not data:
            return
        self._buffer, self._waiting = bytearray(), 0
        try:
            await trio.to_thread.run_sync(self._write, data)
        except OSError as error:
            self._failure = f"it cannot be written: {error.strerror or error}"
            self.dropped += records
        else:
            self.written += records

    async def end(self) -> None:
        """Write what is left, and the last line."""
        await self.flush()
        last = {"end": True, "records": self.written, "dropped": self.dropped}
        if not self._failure:
            self._buffer += self._encoder.encode(last) + b"\n"
            await self.flush()

    def _write(self, data: bytearray) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[self._file.write(rest) :]


@asynccontextmanager
async def open_raw_file(path: Path | None, plan: Plan) -> AsyncIterator[RawFile | None]:
    """Give the file for one load to the block, or None for none; it is appended to.

    A disk that is full keeps nothing from being measured: the file's notes say what it does not have.

    Raises:
        ConfigError: it cannot be opened.
    """
    if path is None:
        yield None
        return
    file = _open(path)
    with file:
        raw = RawFile(file, path)
        raw.add_line(header_of(plan, time.monotonic_ns(), time.time_ns()))
        await raw.flush()
        raw.written = raw.dropped = 0  # that was no record
        try:
            async with background() as beside:
                beside.start_soon(raw.run)
                yield raw
        finally:
            with trio.CancelScope(shield=True):
                await raw.end()


def _open(path: Path) -> FileIO:
    try:
        return path.open("ab", buffering=0)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from error


def header_of(plan: Plan, monotonic_ns: int, unix_ns: int) -> bytes:
    """Return the line before a load's records."""
    load: object = plan.load
    if isinstance(plan.load, Replay):
        load = {"type": "trace", "requests": len(plan.load.at_ns)}
    shown = {
        **msgspec.structs.asdict(plan),
        "load": load,
        "prompts": len(plan.prompts),
        "servers": [shown_server(server) for server in plan.servers],
    }
    header = {"streamkit_bench_raw": FORMAT, "monotonic_ns": monotonic_ns, "unix_ns": unix_ns, "plan": shown}
    return msgspec.json.encode(header)


def shown_server(server: Server) -> Server:
    """Return a server without its secrets: of the user's headers only the names are told."""
    return msgspec.structs.replace(
        server,
        url=redacted_target(server.url),
        headers=[(name, REDACTED) for name, _ in server.headers],
        api_key=REDACTED if server.api_key else "",
    )
