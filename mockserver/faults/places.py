"""Where in a body something happens: what comes before a place goes through as it is. Pure.

- `token:N` is before the first record that completes more than N tokens. Where no record does, but N tokens came, it is
  before the terminator.
- `event:N+K` is after N records and K bytes of the next; of a record that has fewer, after all of it. A record that an
  earlier fault cut in two is still one.
- `before-terminator` is before the record that says that nothing is missing, or, without such a record, the end.
- A body that an earlier fault broke off has no place after that.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import replace
from itertools import chain

import msgspec

from mockserver.faults.spec import Place
from mockserver.response import Record, Response, Step, Steps
from mockserver.script import Close, Reset

__all__ = ["InapplicableError", "Then", "before", "reaches", "replaced", "rewritten"]

Then = Callable[[Iterator[Step]], Iterable[Step]]
"""Makes what is sent from what would have been, from a place on to where an earlier fault breaks it off."""


class InapplicableError(Exception):
    """A fault that cannot befall this response; its text says why, for the journal."""


def before(steps: Iterator[Step], place: Place) -> Generator[Step, None, list[Step] | None]:
    """Yield the steps before a place.

    Returns:
        The steps after the place that had to be taken from `steps` to find it; None if it is not in there.
    """
    if place.kind == "after-head":
        return []
    wanted = place.number if place.kind in {"token", "event"} else None
    by_token, by_event = place.kind == "token", place.kind == "event"
    tokens = events = 0
    passed_bytes = 0  # of the record that is under way, where it was cut
    for step in steps:
        if isinstance(step, Record):
            if by_event and events == wanted:
                at_byte = place.plus_bytes - passed_bytes
                if not at_byte:
                    return [step]
                if step.cut_from is None or at_byte <= len(step.data):
                    head, rest = _cut(step, at_byte, tokens)
                    yield head
                    return rest
            whole = step.cut_from or step
            if by_token and (whole.tokens > wanted or (whole.is_terminator and tokens >= wanted)):  # type: ignore[operator]
                return [step]
            if whole.is_terminator and wanted is None:
                return [step]
            tokens = step.tokens
            events += step.cut_from is None
            passed_bytes = passed_bytes + len(step.data) if step.cut_from else 0
        yield step
        if isinstance(step, Close | Reset):
            return None
    at_end = wanted == events and not place.plus_bytes
    if passed_bytes:  # the rest of the last record was left out: what came is all of it
        at_end = wanted == (events if place.plus_bytes else events + 1)
    if wanted is None or (by_token and tokens >= wanted) or (by_event and at_end):
        return []
    return None


def _cut(record: Record, at_byte: int, tokens_before: int) -> tuple[Record, list[Step]]:
    """Return a record's two parts; its tokens are complete with the second."""
    if at_byte >= len(record.data):
        return record, []
    head = Record(record.data[:at_byte], tokens_before, record.at_ns, cut_from=record.cut_from or record)
    return head, [msgspec.structs.replace(record, data=record.data[at_byte:])]


def reaches(steps: Iterable[Step], place: Place) -> bool:
    """Return whether a place is in there; looks no further than to it."""
    return _reached(steps, place) is not None


def _reached(steps: Iterable[Step], place: Place) -> Iterator[Step] | None:
    rest = iter(steps)
    search = before(rest, place)
    while True:
        try:
            next(search)
        except StopIteration as stop:
            taken: list[Step] | None = stop.value
            return None if taken is None else chain(taken, rest)


def rewritten(response: Response, place: Place, then: Then) -> Response:
    """Return the response in which `then` makes what comes after the place.

    Raises:
        InapplicableError: the place is never reached.
    """
    source = response.steps
    if not reaches(source, place):
        raise InapplicableError("the answer ends before that place")

    def make() -> Iterator[Step]:
        rest = iter(source)
        taken = yield from before(rest, place)
        if taken is not None:
            yield from replaced(chain(taken, rest), then)

    return replace(response, steps=Steps(make))


def replaced(steps: Iterator[Step], then: Then) -> Iterator[Step]:
    """Yield what `then` makes of the steps up to a break, with the break; then what that cut off, as it is.

    Where `then` does not let the break through, nothing comes after what it makes.
    """
    cut: list[Step] = []

    def unbroken() -> Iterator[Step]:
        for step in steps:
            if isinstance(step, Close | Reset):
                cut.append(step)
                yield step
                return
            yield step

    for step in then(unbroken()):
        yield step
        if cut and step is cut[0]:
            yield from steps
            return
