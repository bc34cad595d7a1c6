"""Named defects of single dialects: what real servers get wrong, each exactly that and nothing else. Pure.

A defect is a function over the parsed records of an answer. Several dialects may have one of the same name, each its
own; together they are one row of `mockserver.faults.table`. An answer that has nothing that could be spoilt (no tool
call, for a defect of tool calls) stays as it is, and a note says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Final

from mockserver.faults.frames import Frame, Frames, Rewrite, check_framing, rewriting
from mockserver.faults.kind import Context, Kind
from mockserver.faults.places import InapplicableError, rewritten
from mockserver.faults.spec import Fault, Place
from mockserver.faults.transport import with_media_type
from mockserver.response import Response

__all__ = [
    "Defect",
    "dicts_in",
    "dropping",
    "each",
    "first_of",
    "kinds_of",
    "renamed_type",
    "spoilt",
]

WHOLE: Final = Place("after-head")


@dataclass(frozen=True)
class Defect:
    """A defect of one dialect, or of some that look alike.

    Attributes:
        rewrite: makes the frames with it.
        framings: those of the dialect's framings that can have it.
        media_type: what the body is then, where it is something else.
    """

    name: str
    summary: str
    dialects: tuple[str, ...]
    rewrite: Rewrite
    framings: tuple[str, ...] = ("sse",)
    media_type: str = ""


def spoilt(response: Response, defect: Defect, context: Context) -> Response:
    """Return the response with a defect.

    Raises:
        InapplicableError: the answer comes in another framing, or has nothing that could be spoilt.
    """
    check_framing(context, *defect.framings)
    found = rewritten(response, WHOLE, rewriting(defect.rewrite, context.framing))
    if all(one == other for one, other in zip_longest(response.steps, found.steps)):
        raise InapplicableError("the answer has nothing that could have this defect")
    return with_media_type(found, defect.media_type) if defect.media_type else found


def kinds_of(defects: Iterable[Defect]) -> list[Kind]:
    """Return a kind for each name; where dialects have different defects of one name, the dialect decides."""
    by_name: dict[str, list[Defect]] = {}
    for defect in defects:
        by_name.setdefault(defect.name, []).append(defect)
    return [_kind(name, rows) for name, rows in by_name.items()]


def _kind(name: str, rows: list[Defect]) -> Kind:
    variants = {dialect: defect for defect in rows for dialect in defect.dialects}

    def apply(response: Response, fault: Fault, context: Context) -> Response:  # noqa: ARG001 - all kinds have it
        assert context.dialect is not None  # noqa: S101 - a kind with `dialects` is not applied without
        return spoilt(response, variants[context.dialect.name], context)

    summaries = dict.fromkeys(defect.summary for defect in rows)
    return Kind(name, " Or: ".join(summaries), apply, dialects=tuple(variants))


def each(change: Callable[[Frame, dict[str, Any]], Frame | None]) -> Rewrite:
    """Return what changes each record whose value is an object; it gets the value too, to be changed at will.

    None leaves the record as it is.
    """

    def rewrite(frames: Frames) -> Iterator[Frame]:
        for frame in frames:
            body = frame.body
            yield (change(frame, body) if body else None) or frame

    return rewrite


def dropping(is_it: Callable[[dict[str, Any]], bool]) -> Rewrite:
    """Return what leaves out the records that this is true of."""
    return lambda frames: (frame for frame in frames if not (frame.text is not None and is_it(frame.body)))


def first_of(is_it: Callable[[dict[str, Any]], bool], change: Callable[[Frame], Iterable[Frame]]) -> Rewrite:
    """Return what puts others in the place of the first record that this is true of."""

    def rewrite(frames: Frames) -> Iterator[Frame]:
        for frame in frames:
            if frame.text is not None and is_it(frame.body):
                yield from change(frame)
                break
            yield frame
        yield from frames

    return rewrite


def renamed_type(frame: Frame, body: dict[str, Any], name: str) -> Frame:
    """Return the frame with another `type`, in the event's type too, where it has one."""
    return frame.with_value({**body, "type": name}, name if frame.name else "")


def dicts_in(value: object) -> list[dict[str, Any]]:
    """Return the objects in what should be an array of them."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
