"""The faults below the dialect: statuses, heads, chunks, lengths, the connection's end (RFC 9110, RFC 9112). Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from typing import Final

from mockserver.durations import parse_duration
from mockserver.faults.kind import ANYWHERE, Context, Kind, integer_of, place_of
from mockserver.faults.places import InapplicableError, bytes_after, rewritten
from mockserver.faults.spec import Fault, Place
from mockserver.response import Headers, Record, Response, Step, Verbatim
from mockserver.script import Close, Gate, Reset, Stall
from streamkit.codecs.jsontext import encode_value
from streamkit.errors import ConfigError
from streamkit.http.wire import last_chunk, reason_of

__all__ = ["KINDS", "broken_off"]

BEFORE_HEAD: Final = Place("before-head")
AFTER_HEAD: Final = Place("after-head")
MIDWAY: Final = Place("token", 1)
BODY: Final = ANYWHERE - {"before-head"}
HEAD_ONLY: Final = frozenset({"before-head"})

BAD_CHUNK_SIZE: Final = b"xyz\r\n"
"""A chunk's head whose size is no hexadecimal number (RFC 9112, 7.1)."""

STREAM_HEADERS: Final = {"cache-control", "x-accel-buffering", "content-encoding", "content-type"}
"""The headers of a stream that an error does not have."""

INTERIM: Final[dict[str, Headers]] = {
    "100": (),
    "102": (),
    "103": (("Link", "</style.css>; rel=preload; as=style"),),
}

TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
FIELD_VALUE: Final = re.compile(r"[\x21-\x7e\xa0-\xff](?:[\t \x21-\x7e\xa0-\xff]*[\x21-\x7e\xa0-\xff])?\Z")


def _paused(response: Response, fault: Fault, action: Gate | Stall) -> Response:
    if place_of(fault).kind == "before-head":
        return replace(response, before_head=(*response.before_head, action))
    return rewritten(response, place_of(fault), lambda rest: chain((action,), rest))


def broken_off(response: Response, place: Place, action: Reset | Close) -> Response:
    """Return the response that ends with `action` at a place, so that the client can know that something is missing.

    Raises:
        InapplicableError: the place is never reached.
    """
    if place.kind == "before-head":
        return replace(response, before_head=(*response.before_head, action))
    cut = rewritten(response, place, lambda _: (action,))
    if response.framing == "length":  # it is told of the steps, and what is cut off has to be in it
        return replace(cut, length_error=cut.length_error + bytes_after(response.steps, place))
    return cut


def apply_status(response: Response, fault: Fault, context: Context) -> Response:
    """Answer with an error instead."""
    status, retry_after_s = status_of(fault.argument)
    message = f"the mock server was told to answer {status} {reason_of(status)}".rstrip()
    if context.failure is None:
        headers: Headers = (("Content-Type", "application/json"),)
        body = encode_value({"error": {"message": message}})
    else:
        headers, body = context.failure(status, message)
    if retry_after_s is not None:
        headers = (*headers, ("Retry-After", str(retry_after_s)))
    given = {name.lower() for name, _ in headers} | STREAM_HEADERS
    if context.dialect is not None:
        given |= {name.lower() for name in context.dialect.headers}
    kept = tuple((name, value) for name, value in response.headers if name.lower() not in given)
    return replace(
        response,
        status=status,
        headers=(*headers, *kept),
        steps=(Record(body),),
        framing="length",
        trailers=(),
        length_error=0,
        gzip=False,
    )


def status_of(text: str) -> tuple[int, int | None]:
    """Read `CODE[:RETRY_AFTER_S]`.

    Raises:
        ConfigError: it is not that.
    """
    code, colon, after = text.partition(":")
    status = integer_of(code, 200, 999, "an HTTP status")
    return status, integer_of(after, 0, 10**9, "after the status the seconds of Retry-After") if colon else None


def apply_stall(response: Response, fault: Fault, context: Context) -> Response:  # noqa: ARG001 - all kinds have it
    """Send nothing for a while, or for ever."""
    return _paused(response, fault, Stall(parse_duration(fault.argument) if fault.argument else None))


def check_stall(text: str) -> None:
    """Read a duration, or nothing."""
    if text:
        parse_duration(text)


def apply_gate(response: Response, fault: Fault, context: Context) -> Response:  # noqa: ARG001
    """Wait for somebody to open a gate."""
    return _paused(response, fault, Gate(fault.argument))


def check_gate(text: str) -> None:
    """Read a gate's name."""
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,100}", text):
        msg = f"takes a name of letters, digits, '-', '_' and '.', not {text!r}"
        raise ConfigError(msg)


def apply_reset(response: Response, fault: Fault, context: Context) -> Response:  # noqa: ARG001
    """End with RST."""
    return broken_off(response, place_of(fault), Reset())


def apply_close(response: Response, fault: Fault, context: Context) -> Response:  # noqa: ARG001
    """End with FIN."""
    return broken_off(response, place_of(fault), Close())


def apply_bad_chunk(response: Response, fault: Fault, context: Context) -> Response:  # noqa: ARG001
    """Send a chunk whose size is no number."""
    _chunked(response)
    return rewritten(response, place_of(fault), lambda rest: chain((Verbatim(BAD_CHUNK_SIZE),), rest))


def _chunked(response: Response) -> None:
    if response.framing != "chunked":
        raise InapplicableError("the body is not chunked")


def apply_no_last_chunk(response: Response, fault: Fault, context: Context) -> Response:  # noqa: ARG001
    """Send everything but the chunk that ends a body, then FIN."""
    _chunked(response)
    return rewritten(response, place_of(fault), lambda rest: chain(rest, (Close(),)))


def apply_length(response: Response, fault: Fault, context: Context) -> Response:  # noqa: ARG001
    """Say a wrong length."""
    error = length_error_of(fault.argument)
    return replace(response, framing="length", length_error=response.length_error + error)


def length_error_of(text: str) -> int:
    """Read a signed number of bytes.

    Raises:
        ConfigError: it is none, has no sign, or is zero.
    """
    if text[:1] not in {"+", "-"} or not text.strip("+-0"):
        msg = f"takes how many bytes too many or too few, with a sign, as +10 or -10, not {text!r}"
        raise ConfigError(msg)
    return integer_of(text, -(10**12), 10**12, "a number of bytes with a sign")


def apply_content_type(response: Response, fault: Fault, context: Context) -> Response:  # noqa: ARG001
    """Call the body something else."""
    kept = tuple((name, value) for name, value in response.headers if name.lower() != "content-type")
    return replace(response, headers=(("Content-Type", fault.argument), *kept))


def check_field_value(text: str) -> None:
    """Read what may stand in a header.

    Raises:
        ConfigError: it may not.
    """
    if not FIELD_VALUE.match(text):
        msg = f"takes the value of a header, not {text!r}"
        raise ConfigError(msg)


def apply_interim(response: Response, fault: Fault, context: Context) -> Response:  # noqa: ARG001
    """Send an interim response before the head."""
    interim = int(fault.argument), INTERIM[fault.argument]
    return replace(response, interim=(*response.interim, interim))


def check_interim(text: str) -> None:
    """Read an interim status."""
    if text not in INTERIM:
        msg = f"takes one of {', '.join(INTERIM)}, not {text!r}"
        raise ConfigError(msg)


def apply_trailers(response: Response, fault: Fault, context: Context) -> Response:  # noqa: ARG001
    """Send a header after the body."""
    _chunked(response)
    return replace(response, trailers=(*response.trailers, trailer_of(fault.argument)))


def trailer_of(text: str) -> tuple[str, str]:
    """Read `NAME=VALUE`.

    Raises:
        ConfigError: it is not that.
    """
    name, equals, value = text.partition("=")
    if not equals or not TOKEN.match(name) or not FIELD_VALUE.match(value):
        msg = f"takes NAME=VALUE, a header's name and value, not {text!r}"
        raise ConfigError(msg)
    return name, value


def apply_junk(response: Response, fault: Fault, context: Context) -> Response:  # noqa: ARG001
    """Send bytes that belong to no response, after this one."""
    junk = fault.argument.encode("latin-1", "replace")
    if response.framing == "length":
        added = _followed(response, Record(junk))
        return replace(added, length_error=response.length_error - len(junk), close=True)
    _chunked(response)
    return _followed(response, Verbatim(last_chunk(response.trailers) + junk), Close())


def _followed(response: Response, *more: Step) -> Response:
    """Add steps at the end of a body that comes to its end."""
    return rewritten(response, AFTER_HEAD, lambda rest: _with_end(rest, more))


def _with_end(rest: Iterator[Step], more: tuple[Step, ...]) -> Iterator[Step]:
    at_ns = tokens = 0
    for step in rest:
        yield step
        if isinstance(step, Record):
            at_ns, tokens = step.at_ns, step.tokens
        if isinstance(step, Close | Reset):
            return
    for step in more:
        yield Record(step.data, tokens, at_ns) if isinstance(step, Record) else step


def apply_slow_close(response: Response, fault: Fault, context: Context) -> Response:  # noqa: ARG001
    """Send everything, and keep the connection open for a while without a word."""
    stall = Stall(parse_duration(fault.argument))
    if response.framing == "chunked":
        return _followed(response, Verbatim(last_chunk(response.trailers)), stall, Close())
    return replace(_followed(response, stall), close=True)


KINDS: Final = (
    Kind(
        "status",
        "Answer with this status and the vendor's own error body; with Retry-After, if that is given.",
        apply_status,
        takes="CODE[:RETRY_AFTER_S]",
        check=status_of,
        place=BEFORE_HEAD,
        places=HEAD_ONLY,
    ),
    Kind(
        "stall",
        "Send nothing for so long, then go on; without a duration, until the client leaves.",
        apply_stall,
        takes="[DURATION]",
        check=check_stall,
        place=MIDWAY,
        places=ANYWHERE,
    ),
    Kind(
        "gate",
        "Hold the stream until the gate of this name is opened.",
        apply_gate,
        takes="NAME",
        check=check_gate,
        place=AFTER_HEAD,
        places=ANYWHERE,
    ),
    Kind("reset", "End the connection with RST.", apply_reset, place=MIDWAY, places=ANYWHERE),
    Kind(
        "close", "End the connection with FIN, in the middle of the body.", apply_close, place=MIDWAY, places=ANYWHERE
    ),
    Kind("bad-chunk", "Send a chunk whose size is no number.", apply_bad_chunk, place=MIDWAY, places=BODY),
    Kind(
        "no-last-chunk",
        "Leave out the chunk that ends the body, and close with FIN.",
        apply_no_last_chunk,
        place=AFTER_HEAD,
        places=frozenset({"after-head"}),
    ),
    Kind(
        "length",
        "Say a Content-Length that is so many bytes too large or too small.",
        apply_length,
        takes="+BYTES|-BYTES",
        check=length_error_of,
        place=BEFORE_HEAD,
        places=HEAD_ONLY,
    ),
    Kind(
        "content-type",
        "Say that the body is of another media type.",
        apply_content_type,
        takes="[TYPE]",
        default="text/html",
        check=check_field_value,
        place=BEFORE_HEAD,
        places=HEAD_ONLY,
    ),
    Kind(
        "interim",
        "Send an interim response first (RFC 9110, 15.2; RFC 8297).",
        apply_interim,
        takes="[100|102|103]",
        default="103",
        check=check_interim,
        place=BEFORE_HEAD,
        places=HEAD_ONLY,
    ),
    Kind(
        "trailers",
        "Send a header after a chunked body.",
        apply_trailers,
        takes="[NAME=VALUE]",
        default="X-Mock-Trailer=end",
        check=trailer_of,
        place=BEFORE_HEAD,
        places=HEAD_ONLY,
    ),
    Kind(
        "junk-after-end",
        "Send bytes after the end of the response, then close.",
        apply_junk,
        takes="[TEXT]",
        default="junk",
        check=str,
        place=AFTER_HEAD,
        places=frozenset({"after-head"}),
    ),
    Kind(
        "slow-close",
        "Send everything, and close so much later.",
        apply_slow_close,
        takes="[DURATION]",
        default="1s",
        check=parse_duration,
        place=AFTER_HEAD,
        places=frozenset({"after-head"}),
    ),
)
