"""The faults below the dialect: statuses, heads, chunks, lengths, the connection's end (RFC 9110, RFC 9112). Pure."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import chain
from typing import Final

from mockserver.durations import parse_duration
from mockserver.faults.kind import ANYWHERE, Context, Kind, integer_of, place_of
from mockserver.faults.places import InapplicableError, rewritten
from mockserver.faults.spec import Fault, Place
from mockserver.response import Headers, Record, Response, Step, Verbatim, without
from mockserver.script import Close, Gate, Reset, Stall
from mockserver.splits.head import has_body
from streamkit.codecs.jsontext import encode_value
from streamkit.errors import ConfigError
from streamkit.http.wire import reason_of

__all__ = ["KINDS", "broken_off", "check_unicode", "with_media_type"]

BEFORE_HEAD: Final = Place("before-head")
AFTER_HEAD: Final = Place("after-head")
MIDWAY: Final = Place("token", 1)
BODY: Final = ANYWHERE - {"before-head"}
HEAD_ONLY: Final = frozenset({"before-head"})

BAD_CHUNK_SIZE: Final = b"xyz\r\n"
"""A chunk's head whose size is no hexadecimal number (RFC 9112, 7.1)."""

STREAM_HEADERS: Final = {"cache-control", "x-accel-buffering", "content-encoding", "content-type", "transfer-encoding"}
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

    What is cut off stays behind the action: it is never sent, but the length that a head promises has it.

    Raises:
        InapplicableError: the place is never reached.
    """
    if place.kind == "before-head":
        return replace(response, before_head=(*response.before_head, action))
    return rewritten(response, place, lambda rest: chain((action,), rest))


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
    return replace(
        response,
        status=status,
        headers=(*headers, *without(response.headers, *given)),
        steps=(Record(body),),
        before_head=tuple(step for step in response.before_head if not isinstance(step, Record)),  # no wait for tokens
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


def apply_bad_chunk(response: Response, fault: Fault, context: Context) -> Response:
    """Send a chunk whose size is no number."""
    _check_chunked(response, context)
    bad = Verbatim(BAD_CHUNK_SIZE, in_chunks=True)
    return rewritten(response, place_of(fault), lambda rest: chain((bad,), rest))


def _check_chunked(response: Response, context: Context) -> None:
    if not has_body(response.status, head_only=context.head_only):
        raise InapplicableError("the response has no body")
    if response.framing != "chunked":
        raise InapplicableError("the body is not chunked")


def apply_no_last_chunk(response: Response, fault: Fault, context: Context) -> Response:  # noqa: ARG001
    """Send everything but the chunk that ends a body, then FIN."""
    _check_chunked(response, context)
    return replace(_followed(response, Close()), last_chunk=False)


def _followed(response: Response, *steps: Step) -> Response:
    if response.after_body:
        raise InapplicableError("another fault ends it already")
    return replace(response, after_body=steps)


def apply_length(response: Response, fault: Fault, context: Context) -> Response:  # noqa: ARG001
    """Say a wrong length."""
    error = length_error_of(fault.argument)
    headers = without(response.headers, "transfer-encoding")
    return replace(response, headers=headers, framing="length", length_error=response.length_error + error)


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
    return with_media_type(response, fault.argument)


def with_media_type(response: Response, media_type: str) -> Response:
    """Return the response with another media type."""
    return replace(response, headers=(("Content-Type", media_type), *without(response.headers, "content-type")))


def check_field_value(text: str) -> None:
    """Read what may stand in a header.

    Raises:
        ConfigError: it may not.
    """
    if not FIELD_VALUE.match(text):
        msg = f"takes the value of a header, not {text!r}"
        raise ConfigError(msg)


def apply_interim(response: Response, fault: Fault, context: Context) -> Response:
    """Send an interim response before the head."""
    if context.version == "1.0":
        raise InapplicableError("HTTP/1.0 has no interim responses")
    interim = int(fault.argument), INTERIM[fault.argument]
    return replace(response, interim=(*response.interim, interim))


def check_interim(text: str) -> None:
    """Read an interim status."""
    if text not in INTERIM:
        msg = f"takes one of {', '.join(INTERIM)}, not {text!r}"
        raise ConfigError(msg)


def apply_trailers(response: Response, fault: Fault, context: Context) -> Response:
    """Send a header after the body."""
    _check_chunked(response, context)
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


def apply_junk(response: Response, fault: Fault, context: Context) -> Response:
    """Send bytes that belong to no response, after this one, and close."""
    if response.framing == "close" and has_body(response.status, head_only=context.head_only):
        raise InapplicableError("nothing but the connection's end tells where the body ends")
    return _followed(response, Verbatim(fault.argument.encode()), Close())


def check_unicode(text: str) -> None:
    """Read any text that can be sent.

    Raises:
        ConfigError: it cannot.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        msg = f"takes Unicode text, not {text!r}"
        raise ConfigError(msg) from None


def apply_slow_close(response: Response, fault: Fault, context: Context) -> Response:  # noqa: ARG001
    """Send everything, and close the connection after a while without a word."""
    return _followed(response, Stall(parse_duration(fault.argument)), Close())


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
        check=check_unicode,
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
