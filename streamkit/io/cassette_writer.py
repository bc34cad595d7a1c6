"""Writing cassettes, line by line: the format is `streamkit.io.cassette`'s.

Each line is one system call, so that an interrupted recording is readable up to where it was. Nothing is synced to the
disk: a machine that loses its power may lose lines, a process that is killed does not.
"""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Iterable
from types import TracebackType
from typing import BinaryIO, Literal, Self

import msgspec

from streamkit.errors import ConfigError, StageStateError
from streamkit.http.redact import redacted_body, redacted_headers, redacted_target
from streamkit.io.cassette import VERSION, Ended, EndLine, HeaderLine, Line, Read, ReadLine, RequestLine

__all__ = ["CassetteWriter", "create_cassette"]

_encode = msgspec.json.Encoder().encode


def _as_fields(data: bytes) -> dict[str, str]:
    """Return the field that holds `data`."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return {"base64": b64encode(data).decode()}
    # Control characters cost six bytes each in JSON: the limit on lines must hold for whatever comes.
    if len(_encode(text)) - 2 > 2 * len(data):
        return {"base64": b64encode(data).decode()}
    return {"text": text}


class CassetteWriter:
    """Writes a cassette, line by line. A context manager that closes the file.

    The calls block for as long as the file system takes to accept one line, typically 3 us. After a write that failed
    the cassette may end in half a line, so nothing more is written: every later call raises the same error.
    """

    def __init__(self, file: BinaryIO, *, upstream: str, recorded_at: str) -> None:
        """Write the header to `file`, which should be unbuffered.

        Raises:
            OSError: it cannot be written.
        """
        self._file = file
        self._error: OSError | None = None
        self._last = 0
        self._times: dict[int, int] = {}
        self._write(HeaderLine(VERSION, upstream, recorded_at))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def request(self, method: str, target: str, version: str, headers: Iterable[tuple[str, str]], body: bytes) -> int:
        """Begin an exchange and return its number.

        Raises:
            OSError: the line cannot be written, or an earlier one could not.
        """
        self._last += 1
        shown = tuple(redacted_headers(headers))
        fields = _as_fields(redacted_body(body))
        self._write(RequestLine(self._last, method, redacted_target(target), version, shown, **fields))
        self._times[self._last] = 0
        return self._last

    def read(self, exchange: int, read: Read) -> None:
        """Add a read to an exchange. A time before that of the last read becomes that time.

        Raises:
            OSError: the line cannot be written, or an earlier one could not.
            StageStateError: the exchange has ended, or was never begun.
        """
        by: Literal["kernel", "read"] = "kernel" if read.by_kernel else "read"
        at_ns = self._time(exchange, read.at_ns)
        self._write(ReadLine(exchange, at_ns, **_as_fields(read.data), by=by, segments=read.segments))

    def end(self, exchange: int, ended: Ended) -> None:
        """End an exchange.

        Raises:
            OSError: the line cannot be written, or an earlier one could not.
            StageStateError: the exchange has ended already, or was never begun.
        """
        at_ns = self._time(exchange, ended.at_ns)
        del self._times[exchange]
        self._write(EndLine(exchange, at_ns, ended.how, ended.keep_alive, ended.detail))

    def _time(self, exchange: int, at_ns: int) -> int:
        if exchange not in self._times:
            raise StageStateError(f"exchange {exchange} of the cassette has ended, or was never begun")
        self._times[exchange] = max(self._times[exchange], at_ns)
        return self._times[exchange]

    def _write(self, line: Line) -> None:
        if self._error is not None:
            raise self._error
        rest = memoryview(_encode(line) + b"\n")
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            self._error = error
            raise


def create_cassette(path: str | os.PathLike[str], *, upstream: str, recorded_at: str) -> CassetteWriter:
    """Create a cassette that only its owner may read. One that exists is left alone: it may have cost money.

    Raises:
        ConfigError: there is such a file already, or it cannot be created.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        fd = os.open(path, flags, 0o600)
    except FileExistsError:
        raise ConfigError(f"{os.fspath(path)} exists: delete it, or give the cassette another name") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(f"the cassette {os.fspath(path)} cannot be created: {reason}") from None
    return CassetteWriter(os.fdopen(fd, "wb", buffering=0), upstream=upstream, recorded_at=recorded_at)
