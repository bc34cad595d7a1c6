"""No cut anywhere looks like an end (law L7), for every example, at every byte.

The stream is fed byte by byte and a copy of the decoder is finished after each, so that the work stays linear in the
stream's length. What the targets make of a cut is asked after each record: there nothing else can change.
"""

from __future__ import annotations

from copy import deepcopy

import pytest

from streamkit.dialects.convert import Converter, decoder_of
from streamkit.dialects.events import End, Error, Event
from streamkit.dialects.registry import DIALECTS
from streamkit.errors import DecodeError, EncodeError
from tests.dialects.examples import EXAMPLES, Example

TERMINATED = [example for example in EXAMPLES if DIALECTS[example.dialect].framings[0] != "text"]

IMPLIED = {"gemini", "json"}
"""Dialects whose end is the end of the input, if what came before it was complete."""

TARGETS = [name for name, dialect in DIALECTS.items() if dialect.framings[0] != "text"]


LONG_BYTES = 3000
"""The work is a copy of the decoder for each byte: what is longer takes its time, but for the shortest of a dialect."""

SHORTEST = {
    min((each for each in TERMINATED if each.dialect == name), key=lambda each: len(each.wire)) for name in TARGETS
}

BY_LENGTH = [
    pytest.param(each, marks=pytest.mark.slow if len(each.wire) > LONG_BYTES and each not in SHORTEST else ())
    for each in TERMINATED
]


@pytest.mark.parametrize("example", BY_LENGTH, ids=str)
def test_a_stream_cut_at_any_byte_does_not_end(example: Example) -> None:
    decoder = decoder_of(example.source)
    ended_at: int | None = None
    for place in range(len(example.wire)):
        cut = deepcopy(decoder)
        try:
            rest = cut.finish()
        except DecodeError:
            rest = [Error("cut")]
        if not example.wire[place:].strip():
            break  # the last record is complete: NDJSON needs no line end after it
        if ended_at is None and not (example.dialect in IMPLIED and rest and isinstance(rest[-1], End)):
            assert rest, f"at byte {place} the stream just stops"
            assert isinstance(rest[-1], Error), f"cut at byte {place}, it ends in {rest[-1]}"
        events = decoder.feed(example.wire[place : place + 1])
        if events and isinstance(events[-1], (End, Error)) and ended_at is None:
            ended_at = place
    last = [*decoder.feed(example.wire[place:]), *decoder.finish()]
    if example.ends_cleanly:
        assert ended_at is not None or any(isinstance(event, End) for event in last)
    else:
        assert not any(isinstance(event, End) for event in last)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("example", TERMINATED, ids=str)
def test_what_is_written_of_a_cut_stream_does_not_end(example: Example, target: str) -> None:
    converter = Converter(example.source, target)
    reader = decoder_of(target)
    step = max(1, len(example.wire) // 40)
    for start in range(0, len(example.wire), step):
        before, after = deepcopy(converter), deepcopy(reader)
        try:
            written = before.finish()
        except (DecodeError, EncodeError) as error:
            rest = finished(after, b"".join(error.items))  # type: ignore[arg-type]
            assert not any(isinstance(event, End) for event in rest), f"cut at byte {start}: {rest}"
        else:
            assert example.dialect in IMPLIED or not example.wire[start:].strip()
            assert any(isinstance(event, End) for event in finished(after, b"".join(written)))
        try:
            pieces = converter.feed(example.wire[start : start + step])
        except (DecodeError, EncodeError):
            return
        for event in [event for piece in pieces for event in reader.feed(piece)]:
            if isinstance(event, (End, Error)):
                return


def finished(reader: object, rest: bytes) -> list[Event]:
    """What a reader makes of the rest of a stream."""
    try:
        return [*reader.feed(rest), *reader.finish()]  # type: ignore[attr-defined]
    except DecodeError as error:
        return [*error.items]  # type: ignore[list-item]
