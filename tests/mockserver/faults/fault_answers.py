"""Answers for faults to befall: neutral events of our own, written by a dialect's encoder, one record a step."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from mockserver.faults.table import Context, apply_faults, fault_of
from mockserver.response import Record, Response, Step, Verbatim
from streamkit.dialects.events import End, Event, Finish, PartEnd, PartStart, Start, Text, ToolArgs, Usage
from streamkit.dialects.registry import DIALECTS, get_dialect

ENDS = {"sse": b"\n\n", "ndjson": b"\n"}

WORDS = ("Grüße", " from", " the", " mock", " 🦉.")

START = Start("id-1", "m", created_ns=1_700_000_000_000_000_000)
TEXT = (PartStart(0, "text"), *(Text(0, word) for word in WORDS), PartEnd(0))
USAGE = Usage(input_total=3, output_total=5)


def call(part: int, name: str, *pieces: str) -> tuple[Event, ...]:
    """A tool call, its arguments in pieces."""
    start = PartStart(part, "tool", tool_id=f"call_{name}", tool_name=name)
    return (start, *(ToolArgs(part, piece) for piece in pieces), PartEnd(part))


CALLS = (*call(1, "look", '{"at":', ' "x"', "}"), *call(2, "find", '{"n"', ": 1}"))

PLAIN = (START, *TEXT, USAGE, Finish("stop"), End())
TOOLS = (START, *TEXT, *CALLS, USAGE, Finish("tool_calls"), End())
TWO_CHOICES = (
    START,
    PartStart(0, "text"),
    PartStart(0, "text", choice=1),
    *(Text(0, word, choice=choice) for word in WORDS for choice in (0, 1)),
    *(event for choice in (0, 1) for event in (PartEnd(0, choice=choice), Finish("stop", choice=choice))),
    USAGE,
    End(),
)


def steps_of(name: str, events: Iterable[Event]) -> list[Step]:
    """The records of a dialect (`NAME` or `NAME/FRAMING`), 10 ms a token; the last one ends the answer."""
    dialect, framing = get_dialect(name)
    encoder = dialect.encoder(framing=framing)
    steps: list[Step] = []
    tokens = 0
    for event in events:
        tokens += isinstance(event, (Text, ToolArgs))
        for data in encoder.feed(event):
            end = ENDS.get(framing)
            pieces = [piece + end for piece in data.split(end)[:-1]] if end else [data]
            steps += [Record(piece, tokens, tokens * 10_000_000) for piece in pieces]
    last = steps[-1]
    assert isinstance(last, Record)
    steps[-1] = Record(last.data, last.tokens, last.at_ns, is_terminator=name != "text")
    return steps


def response_of(name: str, events: Iterable[Event] = PLAIN) -> Response:
    """The answer as a good server gives it."""
    dialect, framing = get_dialect(name)
    return Response(200, (("Content-Type", dialect.media_type(framing)),), tuple(steps_of(name, events)))


def context_of(name: str, seed: int = 1) -> Context:
    dialect, framing = get_dialect(name)
    return Context(dialect, framing, seed)


def faulty(name: str, *faults: str, events: Iterable[Event] = PLAIN) -> Response:
    """The answer with faults, which all befall it."""
    return apply_faults(response_of(name, events), [fault_of(fault) for fault in faults], context_of(name))


def body_of(response: Response) -> bytes:
    """All bytes of the body, waits left out."""
    return b"".join(step.data for step in response.steps if isinstance(step, Record | Verbatim))


def records_of(response: Response) -> list[bytes]:
    return [step.data for step in response.steps if isinstance(step, Record)]


def with_steps(response: Response, *steps: Step) -> Response:
    return replace(response, steps=steps)


def comes_as(name: str) -> list[str]:
    """The dialect in each of its framings."""
    return [f"{name}/{framing}" for framing in DIALECTS[name].framings]
