"""Event streams that can be taken up again where they broke off: `id`, `retry` and `Last-Event-ID`. Pure.

The HTML standard's server-sent events: a reader that reconnects sends the id of the last event that it had, and 204
tells it to stop. Our ids name the seed of the answer and the event's number in it (`1f9c-12`), so that the very same
answer goes on after that event, with the gaps between the rest as they would have been.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import msgspec

from mockserver.response import Record, Step, Steps

__all__ = ["ids_added", "resumed", "seed_of"]

ID: Final = re.compile(r"([0-9a-f]{1,16})-([0-9]{1,9})")


def ids_added(steps: Steps, seed: int | None, retry_ms: int | None) -> Steps:
    """Give each event an id from `seed`, if there is one, and begin with a reconnection time, if there is one."""

    def make() -> Iterator[Step]:
        if retry_ms is not None:
            yield Record(b"retry: %d\n\n" % retry_ms)
        number = 0
        for step in steps:
            if seed is not None and isinstance(step, Record) and not step.data.startswith(b":"):
                number += 1
                yield msgspec.structs.replace(step, data=b"id: %x-%d\n%b" % (seed, number, step.data))
            else:
                yield step

    return Steps(make)


def seed_of(last_event_id: str) -> int | None:
    """Return the seed of the answer that an id is from, or None for an id that is not ours."""
    match = ID.fullmatch(last_event_id)
    return int(match[1], 16) if match else None


def resumed(steps: Steps, last_event_id: str) -> Steps | None:
    """Return what comes after the event with that id, the first of it at once; None if nothing does.

    Times and tokens count from there. Steps whose ids are others are returned whole: such a reader had another stream.
    """
    mark = b"id: %b\n" % last_event_id.encode()
    passed = 0
    last: Record | None = None
    for step in steps:
        if last is not None:
            break
        passed += 1
        if isinstance(step, Record) and step.data.startswith(mark):
            last = step
    else:
        return steps if last is None else None
    from_ns, tokens = last.at_ns, last.tokens

    def make() -> Iterator[Step]:
        for number, step in enumerate(steps):
            if number < passed:
                continue
            if isinstance(step, Record):
                yield msgspec.structs.replace(step, at_ns=step.at_ns - from_ns, tokens=step.tokens - tokens)
            else:
                yield step

    return Steps(make)
