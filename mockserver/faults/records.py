"""The faults of a body's records that any dialect may have: lost, doubled, swapped, broken, or put in between. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import takewhile
from random import Random
from typing import Final

import msgspec

from mockserver.faults.errors import stream_of
from mockserver.faults.frames import Frame, Frames, check_framing, rewriting
from mockserver.faults.insertion import Insertion, inserted
from mockserver.faults.kind import ANYWHERE, BETWEEN, Context, Kind, integer_of, place_of
from mockserver.faults.places import InapplicableError, rewritten
from mockserver.faults.spec import Fault, Place
from mockserver.faults.transport import check_unicode
from mockserver.response import Record, Response, Step, Verbatim
from mockserver.script import Close, Reset
from mockserver.seeds import sub_seed
from streamkit.codecs.jsontext import encode_value
from streamkit.dialects.events import Ping
from streamkit.errors import ConfigError

__all__ = ["KINDS"]

MIDWAY: Final = Place("token", 1)
AT_END: Final = Place("before-terminator")
ONLY_END: Final = frozenset({"before-terminator"})

MAX_OVERSIZED: Final = 64 * 1024 * 1024
MAX_GARBAGE: Final = 1024 * 1024

NOT_UTF8: Final = b"\xff"
LINE_SEPARATOR: Final = "\u2028".encode()

LONG_FIELD: Final = "mock_padding"

TEXT_FIELD: Final = re.compile(
    rb'"(?:content|text|delta|response|thinking|partial_json|arguments|reasoning(?:_content)?|refusal)": ?"'
)
"""Where the text of a record begins, in any dialect."""


# The end


def apply_no_terminator(response: Response, fault: Fault, context: Context) -> Response:  # noqa: ARG001 - all have it
    """Leave out what says that nothing is missing."""
    _check_terminator(response)
    return rewritten(
        response,
        place_of(fault),
        lambda rest: (step for step in rest if not (isinstance(step, Record) and step.is_terminator)),
    )


def apply_terminator_twice(response: Response, fault: Fault, context: Context) -> Response:  # noqa: ARG001
    """Say twice that nothing is missing."""
    _check_terminator(response)

    def then(rest: Iterator[Step]) -> Iterator[Step]:
        for step in rest:
            yield step
            if isinstance(step, Record) and step.is_terminator:
                yield step

    return rewritten(response, place_of(fault), then)


def _check_terminator(response: Response) -> None:
    sent = takewhile(lambda step: not isinstance(step, Close | Reset), response.steps)
    if not any(isinstance(step, Record) and step.is_terminator for step in sent):
        raise InapplicableError("nothing in the answer says that it is the end")


def apply_end(response: Response, fault: Fault, context: Context) -> Response:  # noqa: ARG001
    """End the body here as if that were all of it."""
    return rewritten(response, place_of(fault), lambda _: ())


# Records


def apply_bad_json(response: Response, fault: Fault, context: Context) -> Response:
    """Leave out the last byte of a record's JSON text."""
    return _next_text(response, fault, context, lambda text: text[:-1])


def apply_bad_utf8(response: Response, fault: Fault, context: Context) -> Response:
    """Put a byte into a record's text that is in no UTF-8."""
    if context.framing == "text":
        return inserted(response, place_of(fault), lambda: Insertion(NOT_UTF8))
    return _next_text(response, fault, context, lambda text: _with_text(text, NOT_UTF8))


def apply_raw_u2028(response: Response, fault: Fault, context: Context) -> Response:
    """Put U+2028 into a record's text, as it is: legal JSON, but what some readers take for a line's end."""
    return _next_text(response, fault, context, lambda text: _with_text(text, LINE_SEPARATOR))


def _with_text(text: bytes, data: bytes) -> bytes:
    """Return a record with bytes put in where its text begins; without one, at the end of its last string."""
    match = TEXT_FIELD.search(text)
    at_byte = match.end() if match else text.rfind(b'"') if b'"' in text else len(text)
    return text[:at_byte] + data + text[at_byte:]


def _next_text(response: Response, fault: Fault, context: Context, change: Callable[[bytes], bytes]) -> Response:
    """Change the bytes of the first JSON text after a place: of a record, or of a document."""
    if context.framing:
        check_framing(context)
        return _next_record(response, fault, context, lambda frame: [frame.with_text(change(frame.text or b""))])

    def then(rest: Iterator[Step]) -> Iterator[Step]:
        for step in rest:
            if isinstance(step, Record):
                yield msgspec.structs.replace(step, data=change(step.data))
                break
            yield step
        yield from rest

    return rewritten(response, place_of(fault), then)


def apply_oversized(response: Response, fault: Fault, context: Context) -> Response:
    """Make a record's line this long."""
    size_bytes = oversized_of(fault.argument)
    if context.framing == "text":
        return inserted(response, place_of(fault), lambda: Insertion(b"x" * size_bytes))
    check_framing(context)

    def grown(frame: Frame) -> list[Frame]:
        value = {**frame.body, LONG_FIELD: ""}
        missing = max(0, size_bytes - len(encode_value(value)))
        return [frame.with_value({**value, LONG_FIELD: "x" * missing})]

    return _next_record(response, fault, context, grown, objects=True)


def oversized_of(text: str) -> int:
    """Read a number of bytes."""
    return integer_of(text, 1, MAX_OVERSIZED, "a number of bytes")


def apply_duplicate(response: Response, fault: Fault, context: Context) -> Response:
    """Send a record twice."""
    check_framing(context)
    return _next_record(response, fault, context, lambda frame: [frame, frame])


def apply_drop(response: Response, fault: Fault, context: Context) -> Response:
    """Lose a record."""
    check_framing(context)
    return _next_record(response, fault, context, lambda _: [])


def _next_record(
    response: Response,
    fault: Fault,
    context: Context,
    change: Callable[[Frame], list[Frame]],
    *,
    objects: bool = False,
) -> Response:
    """Change the first record after a place; what comes before it there, a heartbeat for instance, is no record."""

    def is_it(frame: Frame) -> bool:
        return bool(frame.body) if objects else frame.text is not None

    def rewrite(frames: Frames) -> Iterator[Frame]:
        for frame in frames:
            if is_it(frame):
                yield from change(frame)
                break
            yield frame
        yield from frames

    _check_records(response, fault, context, 1, is_it)
    return rewritten(response, place_of(fault), rewriting(rewrite, context.framing))


def _check_records(
    response: Response, fault: Fault, context: Context, count: int, is_it: Callable[[Frame], bool]
) -> None:
    found = 0

    def count_records(frames: Frames) -> Iterator[Frame]:
        nonlocal found
        for frame in frames:
            found += is_it(frame)
            if found == count:
                return
        yield from ()

    for _ in rewritten(response, place_of(fault), rewriting(count_records, context.framing)).steps:
        pass
    if found < count:
        raise InapplicableError("no record comes after that place" if count == 1 else "too few records come after it")


def apply_reorder(response: Response, fault: Fault, context: Context) -> Response:
    """Send two records in the wrong order; the first waits until the second is due."""
    check_framing(context)

    def rewrite(frames: Frames) -> Iterator[Frame]:
        held: Frame | None = None
        for frame in frames:
            if frame.text is None:
                yield frame
            elif held is None:
                held = frame
            else:
                yield from _swapped(held, frame)
                break
        yield from frames

    _check_records(response, fault, context, 2, lambda frame: frame.text is not None)
    return rewritten(response, place_of(fault), rewriting(rewrite, context.framing))


def _swapped(first: Frame, second: Frame) -> Iterator[Frame]:
    early, late = first.step, second.step
    assert isinstance(early, Record)  # noqa: S101 - a frame with a text is a record's
    assert isinstance(late, Record)  # noqa: S101
    yield msgspec.structs.replace(second, step=msgspec.structs.replace(late, tokens=early.tokens))
    yield msgspec.structs.replace(first, step=msgspec.structs.replace(early, tokens=late.tokens, at_ns=late.at_ns))


# What is put in between


def apply_ping(response: Response, fault: Fault, context: Context) -> Response:
    """Send a heartbeat in the dialect's own form."""
    dialect = stream_of(context)
    written = b"".join(dialect.encoder(framing=context.framing).feed(Ping()))
    if not written:
        raise InapplicableError(f"{dialect.name} has no heartbeat")
    return inserted(response, place_of(fault), lambda: Insertion(written))


def apply_comment(response: Response, fault: Fault, context: Context) -> Response:
    """Send an event stream's comment."""
    check_framing(context, "sse")
    return inserted(response, place_of(fault), lambda: Insertion(f": {fault.argument}\n\n".encode()))


def check_line(text: str) -> None:
    """Read what has to stay on one line.

    Raises:
        ConfigError: it does not.
    """
    check_unicode(text)
    if re.search("[\r\n]", text):
        msg = f"takes a text without line breaks, not {text!r}"
        raise ConfigError(msg)


def apply_blank_line(response: Response, fault: Fault, context: Context) -> Response:
    """Send an empty line."""
    check_framing(context, "sse", "ndjson", "text")
    return inserted(response, place_of(fault), lambda: Insertion(b"\n"))


def apply_garbage(response: Response, fault: Fault, context: Context) -> Response:
    """Send random bytes."""
    place = place_of(fault)
    data = Random(sub_seed(context.seed, "garbage")).randbytes(garbage_of(fault.argument))
    if place.kind == "before-head":
        return replace(response, before_head=(*response.before_head, Verbatim(data)))
    return inserted(response, place_of(fault), lambda: Insertion(data))


def garbage_of(text: str) -> int:
    """Read a number of bytes."""
    return integer_of(text, 1, MAX_GARBAGE, "a number of bytes")


KINDS: Final = (
    Kind(
        "end",
        "End the body here, cleanly, as if that were all.",
        apply_end,
        place=MIDWAY,
        places=ANYWHERE - {"before-head"},
    ),
    Kind(
        "no-terminator",
        "End cleanly, without the record by which the dialect says that nothing is missing.",
        apply_no_terminator,
        place=AT_END,
        places=ONLY_END,
    ),
    Kind("terminator-twice", "Send that record twice.", apply_terminator_twice, place=AT_END, places=ONLY_END),
    Kind("bad-json", "Leave out the last byte of a record's JSON.", apply_bad_json, place=MIDWAY, places=BETWEEN),
    Kind("bad-utf8", "Put a byte 0xFF into a record's text.", apply_bad_utf8, place=MIDWAY, places=BETWEEN),
    Kind("raw-u2028", "Put U+2028 into a record's text, as it is.", apply_raw_u2028, place=MIDWAY, places=BETWEEN),
    Kind(
        "oversized",
        "Make a record so long, by a field that nobody knows.",
        apply_oversized,
        takes="[BYTES]",
        default="1048576",
        check=oversized_of,
        place=MIDWAY,
        places=BETWEEN,
    ),
    Kind("duplicate", "Send a record twice.", apply_duplicate, place=MIDWAY, places=BETWEEN),
    Kind("drop", "Lose a record.", apply_drop, place=MIDWAY, places=BETWEEN),
    Kind("reorder", "Send two records in the wrong order.", apply_reorder, place=MIDWAY, places=BETWEEN),
    Kind("ping", "Send a heartbeat in the dialect's own form.", apply_ping, place=MIDWAY, places=BETWEEN),
    Kind(
        "comment",
        "Send a comment in an event stream.",
        apply_comment,
        takes="[TEXT]",
        default="comment",
        check=check_line,
        place=MIDWAY,
        places=BETWEEN,
    ),
    Kind("blank-line", "Send an empty line.", apply_blank_line, place=MIDWAY, places=BETWEEN),
    Kind(
        "garbage",
        "Send so many random bytes.",
        apply_garbage,
        takes="[BYTES]",
        default="16",
        check=garbage_of,
        place=MIDWAY,
        places=ANYWHERE,
    ),
)
