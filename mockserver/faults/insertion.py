"""Records put in between others. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import chain

from mockserver.faults.places import InapplicableError, Then, before, reaches, replaced
from mockserver.faults.spec import Place
from mockserver.response import Record, Response, Step, Steps

__all__ = ["Insertion", "inserted"]


class Insertion:
    """What is put into a body, made anew each time that the body is gone through."""

    def __init__(self, *data: bytes) -> None:
        self._data = data

    def see(self, step: Step) -> None:
        """Take a step that comes before it."""

    def write(self) -> Iterable[bytes]:
        """Return the records."""
        return self._data


def inserted(
    response: Response, place: Place, make: Callable[[], Insertion], then: Then = lambda rest: rest
) -> Response:
    """Put records in, at the time of what went before them; `then` says what follows."""
    source = response.steps
    if not reaches(source, place):
        raise InapplicableError("the answer ends before that place")

    def steps() -> Iterator[Step]:
        insertion = make()
        rest = iter(source)
        search = before(rest, place)
        tokens = at_ns = 0
        taken: list[Step] | None = None
        while True:
            try:
                step = next(search)
            except StopIteration as stop:
                taken = stop.value
                break
            if isinstance(step, Record):
                tokens, at_ns = step.tokens, step.at_ns
            insertion.see(step)
            yield step
        if taken is not None:
            yield from (Record(data, tokens, at_ns) for data in insertion.write())
            yield from replaced(chain(taken, rest), then)

    return replace(response, steps=Steps(steps))
