"""Hostile wires: an example in which one JSON value, anywhere, is replaced by one of another type, or left out.

An example is cut down first to one or two records of each shape, so that a mutant is small and every place is still
there. Places are told apart by their path without list indices and by the record's `type`: of a hundred text deltas
one is mutated.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

from tests.dialects.examples import Example

Path = tuple[str | int, ...]

Value: TypeAlias = Any
"""A JSON value, or `MISSING`."""

MISSING: Final = object()

VALUES: Final[tuple[Value, ...]] = (
    *(None, True, 0, -1, 1.5, 1e300, 10**40, "", "x", "\u2028", [], {}, [None], {"x": None}),
    MISSING,
)

KEPT: Final = 2
"""How many records of one shape stay in an example."""

EVENT = re.compile(rb"(?:[^\r\n]+(?:\r\n|\n|\r))+(?:\r\n|\n|\r)?|(?:\r\n|\n|\r)")

DATA = re.compile(rb"(?m)^data:")


@dataclass(frozen=True)
class Record:
    """One record: a JSON value and the bytes around it; a comment, or `[DONE]`, is all `before`."""

    before: bytes
    value: Value = MISSING
    after: bytes = b""

    @property
    def wire(self) -> bytes:
        return self.before if self.value is MISSING else self.before + json.dumps(self.value).encode() + self.after

    @property
    def kind(self) -> str:
        return str(self.value.get("type", "")) if isinstance(self.value, dict) else ""

    @property
    def shape(self) -> frozenset[tuple[str, ...]]:
        if self.value is MISSING:
            return frozenset({(self.before.decode(),)})
        return frozenset({place_of(self, path)[1] for path in paths_in(self.value)})


@dataclass(frozen=True)
class Mutant:
    """A hostile wire, and what is wrong with it."""

    wire: bytes
    what: str


def records_of(example: Example) -> list[Record]:
    """Take a wire apart."""
    if example.framing == "ndjson":
        return [record_of(line, b"", b"\n") for line in example.wire.splitlines() if line.strip()]
    if example.framing == "json-array":
        return [Record(b"", value) for value in json.loads(example.wire)] if example.ends_cleanly else []
    if example.framing == "sse":
        return [*map(sse_record, EVENT.findall(example.wire))]
    return []


def sse_record(event: bytes) -> Record:
    at = DATA.search(event)
    if at is None or len(DATA.findall(event)) > 1:
        return Record(event)
    line_end = re.compile(rb"[\r\n]|\Z").search(event, at.end())
    assert line_end is not None
    return record_of(event[at.end() : line_end.start()], event[: at.end()] + b" ", event[line_end.start() :])


def record_of(text: bytes, before: bytes, after: bytes) -> Record:
    try:
        return Record(before, json.loads(text), after)
    except ValueError:  # the terminator, or a record that was cut
        return Record(before + text.strip() + after)


def joined(framing: str, records: list[Record]) -> bytes:
    """Put a wire together."""
    if framing == "json-array":
        return b"[%b]" % b",\n".join([record.wire for record in records])
    return b"".join([record.wire for record in records])


def cut_down(records: list[Record]) -> list[Record]:
    """Return one or two records of each shape."""
    seen: Counter[tuple[str, frozenset[tuple[str, ...]]]] = Counter()
    kept = []
    for record in records:
        key = record.kind, record.shape
        seen[key] += 1
        if seen[key] <= KEPT:
            kept.append(record)
    return kept


def paths_in(value: Value, path: Path = ()) -> Iterator[Path]:
    """Every place in a JSON value."""
    yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from paths_in(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value[:3]):
            yield from paths_in(inner, (*path, index))


def place_of(record: Record, path: Path) -> tuple[str, tuple[str, ...]]:
    """What tells a place from others: not which element of a list it is in."""
    return record.kind, tuple("*" if isinstance(step, int) else step for step in path)


def at_path(value: Value, path: Path, new: Value) -> Value:
    """Return the value with another one at a place, or, for `MISSING`, without that place."""
    if not path:
        return new
    step, rest = path[0], path[1:]
    copy: Value = dict(value) if isinstance(value, dict) else list(value)
    if rest or new is not MISSING:
        copy[step] = at_path(value[step], rest, new)
    else:
        del copy[step]
    return copy


def mutants_of(example: Example, seen: set[tuple[str, tuple[str, ...]]]) -> Iterator[Mutant]:
    """Every mutant of an example at the places that are not among the `seen` ones; they are added to those."""
    records = cut_down(records_of(example))
    for number, record in enumerate(records):
        if record.value is MISSING:
            continue
        for path in paths_in(record.value):
            place = place_of(record, path)
            if place in seen:
                continue
            seen.add(place)
            for new in VALUES:
                if not path and new is MISSING:
                    changed = [*records[:number], *records[number + 1 :]]
                else:
                    mutated = replace(record, value=at_path(record.value, path, new))
                    changed = [*records[:number], mutated, *records[number + 1 :]]
                what = f"record {number}, {'.'.join(map(str, path))}: {'missing' if new is MISSING else repr(new)}"
                yield Mutant(joined(example.framing, changed), what)
