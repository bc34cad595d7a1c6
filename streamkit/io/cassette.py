r"""Cassettes: recorded exchanges with a server, as NDJSON, with the bytes and the time of every read.

A line is an object with a `kind`. The first is the header. Then come the lines of the exchanges, mixed where several
ran at once, each with the number of its exchange:

::

    {"kind":"cassette","version":1,"upstream":"http://127.0.0.1:11434","recorded_at":"2026-01-31T12:00:00Z"}
    {"kind":"request","exchange":1,"method":"POST","target":"/api/chat","version":"1.1","headers":[["Host","a"]],"text":"{}"}
    {"kind":"read","exchange":1,"at_ns":8041000,"text":"HTTP/1.1 200 OK\r\n...","by":"kernel","segments":1}
    {"kind":"read","exchange":1,"at_ns":9041000,"base64":"4pyT"}
    {"kind":"end","exchange":1,"at_ns":9050000,"how":"complete","keep_alive":true,"detail":""}

Times are ns after the whole request had gone to the server (where it never did, after it had come from the client), and
never go back within an exchange. Bytes are `text` where they are UTF-8 and that is at most twice as long, else
`base64`.

Written line by line, each with one system call, so an interrupted recording is readable up to where it was: an
exchange without its end was cut. Secrets of requests are not written (`streamkit.http.redact`: headers, parameters,
keys of JSON bodies); what the server answers is, whatever is in it. Not for recordings that do not fit into memory: the
reader keeps all of it.
"""

from __future__ import annotations

import os
from binascii import a2b_base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Final, Literal

import msgspec

from streamkit.errors import ConfigError, DecodeError, TruncatedError, excerpt_of

__all__ = [
    "VERSION",
    "Cassette",
    "Ended",
    "How",
    "Read",
    "Recorded",
    "parse_cassette",
    "read_cassette",
]

VERSION: Final = 1

NO_CASSETTE: Final = 'this is no cassette, which begins with {"kind":"cassette","version":1}'

MAX_LINE_BYTES: Final = 72 * 1024 * 1024
"""The longest line that is read: room for a request body of 32 MiB, of which each byte may take two."""

MAX_BYTES: Final = 512 * 1024 * 1024
"""The most that is read of a cassette, because all of it is kept."""

How = Literal["complete", "fin", "reset", "left", "unreachable"]
"""How an exchange ended: its response was complete by its framing; the server closed before that; the server reset the
connection; the client left; the server could not be reached, or not in time."""

Nanoseconds = Annotated[int, msgspec.Meta(ge=0, le=2**62)]
Number = Annotated[int, msgspec.Meta(ge=1, le=2**62)]


class Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", omit_defaults=True):
    """What all lines have in common: no field but the ones of their kind."""


class HeaderLine(Line, frozen=True, tag="cassette"):
    """The first line. `upstream` is the URL of the server, without any secret; `recorded_at` is for people."""

    version: int
    upstream: str = ""
    recorded_at: str = ""


class RequestLine(Line, frozen=True, tag="request"):
    """The line that begins an exchange."""

    exchange: Number
    method: str
    target: str
    version: str
    headers: tuple[tuple[str, str], ...]
    text: str | None = None
    base64: str | None = None


class ReadLine(Line, frozen=True, tag="read"):
    """What one read of the response brought, and when."""

    exchange: Number
    at_ns: Nanoseconds
    text: str | None = None
    base64: str | None = None
    by: Literal["kernel", "read"] = "read"
    segments: int | None = None


class EndLine(Line, frozen=True, tag="end"):
    """The line that ends an exchange."""

    exchange: Number
    at_ns: Nanoseconds
    how: How
    keep_alive: bool = False
    detail: str = ""


_decode_object = msgspec.json.Decoder(dict[str, Any]).decode
_decode_line = msgspec.json.Decoder(HeaderLine | RequestLine | ReadLine | EndLine).decode


class Read(msgspec.Struct, frozen=True, gc=False):
    """What one read of the response brought.

    Attributes:
        at_ns: when, in ns after the whole request had gone to the server.
        by_kernel: whether that is when the kernel received it (of several segments the last), rather than when it was
            read.
        segments: how many TCP segments had come in since the read before, None where nobody counted.
    """

    data: bytes
    at_ns: int
    by_kernel: bool = False
    segments: int | None = None


class Ended(msgspec.Struct, frozen=True, gc=False):
    """How and when an exchange ended.

    Attributes:
        keep_alive: whether the response left the connection usable for another request.
        detail: for people: what exactly went wrong.
    """

    how: How
    at_ns: int
    keep_alive: bool = False
    detail: str = ""


@dataclass
class Recorded:
    """One exchange: a request, as far as it is no secret, and every read of its response.

    Attributes:
        line: the line of the cassette on which it begins.
        ended: None where the recording was interrupted first.
    """

    method: str
    target: str
    version: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    line: int
    reads: list[Read] = field(default_factory=list)
    ended: Ended | None = None


@dataclass(frozen=True)
class Cassette:
    """A whole cassette; the exchanges in the order in which their requests came."""

    name: str
    upstream: str
    recorded_at: str
    exchanges: tuple[Recorded, ...]


def read_cassette(path: str | os.PathLike[str], *, cut_ok: bool = False) -> Cassette:
    """Read a cassette whole.

    Args:
        path: the file.
        cut_ok: whether a last line that was cut is passed over.

    Raises:
        ConfigError: the file cannot be opened or read.
        DecodeError: it is no cassette, or a broken one; the message names the line.
        TruncatedError: the last line was cut, and `cut_ok` is not set.
    """
    name = os.fspath(path)
    try:
        with Path(path).open("rb") as file:
            return parse_cassette(file, name=name, cut_ok=cut_ok)
    except (OSError, ValueError) as error:
        if isinstance(error, DecodeError):
            raise
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(f"the cassette {name} cannot be read: {reason}") from None


def parse_cassette(file: BinaryIO, *, name: str = "cassette", cut_ok: bool = False) -> Cassette:
    """Read a cassette from an open file; `name` is for messages. As `read_cassette`."""
    header: HeaderLine | None = None
    exchanges: dict[int, Recorded] = {}
    for number, line in _lines(file, name):
        try:
            if header is None:
                header = _header_of(line)
            else:
                _add(exchanges, _decode_line(line), number)
        except (ValueError, RecursionError) as error:
            reason = "it is nested too deep" if isinstance(error, RecursionError) else _first_lower(str(error))
            whole = line.endswith(b"\n") or isinstance(error, msgspec.ValidationError)
            if whole:
                raise _broken(name, number, reason, line) from None
            if not cut_ok:
                raise _cut(name, number, line) from None
            break
    if header is None:
        raise _broken(name, 1, f"{NO_CASSETTE}: it is empty", b"")
    return Cassette(name, header.upstream, header.recorded_at, tuple(exchanges.values()))


def _lines(file: BinaryIO, name: str) -> Iterator[tuple[int, bytes]]:
    """Yield the lines that are not blank, with their numbers."""
    number = total = 0
    while line := file.readline(MAX_LINE_BYTES + 1):
        number += 1
        total += len(line)
        if len(line) > MAX_LINE_BYTES:
            raise _broken(name, number, f"it is longer than the limit of {MAX_LINE_BYTES} bytes", line)
        if total > MAX_BYTES:
            raise _broken(name, number, f"the cassette is larger than the limit of {MAX_BYTES} bytes", line)
        if not line.isspace():
            yield number, line


def _header_of(line: bytes) -> HeaderLine:
    try:
        fields = _decode_object(line)
    except (ValueError, RecursionError) as error:
        raise msgspec.ValidationError(f"{NO_CASSETTE}: {_first_lower(str(error))}") from None
    if fields.get("kind") != "cassette":
        raise msgspec.ValidationError(NO_CASSETTE)
    if fields.get("version") != VERSION:
        msg = f"it is a cassette of version {fields.get('version')!r}, but only version {VERSION} can be read"
        raise msgspec.ValidationError(msg)
    return msgspec.convert(fields, HeaderLine)


def _add(exchanges: dict[int, Recorded], line: Line, number: int) -> None:
    """Add what a line says to its exchange, or raise a ValidationError that says why it cannot be."""
    if isinstance(line, RequestLine):
        if line.exchange in exchanges:
            raise msgspec.ValidationError(f"exchange {line.exchange} was begun before")
        body = _data_of(line)
        exchanges[line.exchange] = Recorded(line.method, line.target, line.version, line.headers, body, number)
        return
    if not isinstance(line, (ReadLine, EndLine)):
        raise msgspec.ValidationError("a cassette has one header, on its first line")
    recorded = exchanges.get(line.exchange)
    if recorded is None:
        raise msgspec.ValidationError(f"exchange {line.exchange} has no request before this line")
    if recorded.ended is not None:
        raise msgspec.ValidationError(f"exchange {line.exchange} has ended before this line")
    last_ns = recorded.reads[-1].at_ns if recorded.reads else 0
    if line.at_ns < last_ns:
        msg = f"its time, {line.at_ns} ns, is before that of the last read of exchange {line.exchange}, {last_ns} ns"
        raise msgspec.ValidationError(msg)
    if isinstance(line, ReadLine):
        recorded.reads.append(Read(_data_of(line), line.at_ns, line.by == "kernel", line.segments))
    else:
        recorded.ended = Ended(line.how, line.at_ns, line.keep_alive, line.detail)


def _data_of(line: RequestLine | ReadLine) -> bytes:
    if (line.text is None) == (line.base64 is None):
        raise msgspec.ValidationError(f"a {line.__struct_config__.tag} has either `text` or `base64`")
    if line.text is not None:
        return line.text.encode()
    try:
        return a2b_base64(line.base64 or "", strict_mode=True)
    except ValueError as error:
        raise msgspec.ValidationError(f"its base64 is broken: {_first_lower(str(error))}") from None


def _first_lower(text: str) -> str:
    return text if text[:2].isupper() else text[:1].lower() + text[1:]


def _broken(name: str, number: int, reason: str, line: bytes) -> DecodeError:
    where = f"{name}, line {number}"
    return DecodeError(reason, stage=where, record=None, offset=None, excerpt=excerpt_of(line), code="cassette")


def _cut(name: str, number: int, line: bytes) -> TruncatedError:
    reason = "it was cut, as when a recording is interrupted; without this line the cassette can be read"
    return TruncatedError(
        reason,
        dropped_bytes=len(line),
        stage=f"{name}, line {number}",
        record=None,
        offset=None,
        excerpt=excerpt_of(line),
    )
