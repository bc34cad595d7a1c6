"""The defects of event streams as such: legal variants that some readers do not know, and what is none. Pure.

The WHATWG standard allows CR LF, a byte order mark and a missing space after the colon; it drops an event without data,
and one that no blank line ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from mockserver.faults.defect import Defect
from mockserver.faults.frames import DONE, Frame, Frames
from mockserver.response import Record
from streamkit.dialects.registry import DIALECTS

__all__ = ["DEFECTS"]

SSE: Final = tuple(name for name, dialect in DIALECTS.items() if "sse" in dialect.framings)
NO_DONE: Final = tuple(name for name in SSE if name not in {"openai-chat", "openai-completions", "vercel-ui"})
NO_TYPES: Final = tuple(name for name in SSE if name not in {"anthropic", "openai-responses"})


def with_bytes(change: Callable[[bytes], bytes]) -> Callable[[Frames], Iterator[Frame]]:
    """Return what changes the bytes of every record, comments included."""

    def rewrite(frames: Frames) -> Iterator[Frame]:
        for frame in frames:
            yield frame.with_raw(change(frame.step.data)) if isinstance(frame.step, Record) else frame

    return rewrite


def no_space(data: bytes) -> bytes:
    """Leave out the space after the colon of each field."""
    lines = data.split(b"\n")
    return b"\n".join(
        name + b":" + value.removeprefix(b" ") if colon else name
        for name, colon, value in (line.partition(b":") for line in lines)
    )


def bom(frames: Frames) -> Iterator[Frame]:
    """Begin with a byte order mark."""
    for frame in frames:
        if isinstance(frame.step, Record):
            yield frame.with_raw(b"\xef\xbb\xbf" + frame.step.data)
            break
        yield frame
    yield from frames


def no_last_blank_line(frames: Frames) -> Iterator[Frame]:
    """Leave out the blank line after the last event."""
    held: list[Frame] = []
    for frame in frames:
        if isinstance(frame.step, Record):
            yield from held
            held = []
        elif not held:
            yield frame
            continue
        held.append(frame)
    if held and isinstance(held[0].step, Record):
        yield held[0].with_raw(held[0].step.data.removesuffix(b"\n"))
    yield from held[1:]


def done_marker(frames: Frames) -> Iterator[Frame]:
    """End with `[DONE]`, where the dialect has none."""
    last = Record(b"")
    for frame in frames:
        if isinstance(frame.step, Record):
            last = msgspec.structs.replace(frame.step, is_terminator=False)
        yield frame
    yield Frame(last, text=DONE, changed=True)


def event_without_data(frames: Frames) -> Iterator[Frame]:
    """Follow the first event by one that has a type and no data."""
    yield from _after_first(frames, b"event: ping\n\n")


def empty_data(frames: Frames) -> Iterator[Frame]:
    """Follow the first event by one whose data is empty."""
    yield from _after_first(frames, b"data: \n\n")


def _after_first(frames: Frames, data: bytes) -> Iterator[Frame]:
    for frame in frames:
        yield frame
        if frame.text is not None:
            yield frame.plain().with_raw(data)
            break
    yield from frames


def event_lines(frames: Frames) -> Iterator[Frame]:
    """Give each event the type that it would have without one."""
    for frame in frames:
        yield frame.with_text(frame.text, "message") if frame.text is not None else frame


def ndjson(frames: Frames) -> Iterator[Frame]:
    """Write the data of each event as a line; what is no JSON is left out."""
    for frame in frames:
        if frame.text is not None and frame.text != DONE:
            yield frame.with_raw(frame.text + b"\n")
        elif not isinstance(frame.step, Record):
            yield frame


DEFECTS: Final = (
    Defect("ndjson-for-sse", "Write events as lines.", SSE, ndjson, media_type="application/x-ndjson"),
    Defect("crlf", "End lines with CR LF.", SSE, with_bytes(lambda data: data.replace(b"\n", b"\r\n"))),
    Defect("bom", "Begin with a byte order mark.", SSE, bom),
    Defect("no-space", "Leave out the space after the colon.", SSE, with_bytes(no_space)),
    Defect("empty-data", "Send an event whose data is empty.", SSE, empty_data),
    Defect("event-without-data", "Send an event with a type and no data.", SSE, event_without_data),
    Defect("no-last-blank-line", "Leave out the blank line after the last event.", SSE, no_last_blank_line),
    Defect("done-marker", "End with [DONE], where the dialect has none.", NO_DONE, done_marker),
    Defect("event-lines", "Write the types of events, where the dialect has none.", NO_TYPES, event_lines),
)
