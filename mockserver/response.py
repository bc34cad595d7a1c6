"""A response before it is HTTP: status, headers, and steps. Pure values, which faults rewrite.

A `Response` says what is sent in which order, and when; how it is framed and cut is `mockserver.splits`'s business,
which makes the `Script` (`mockserver.script`) of it that the server performs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from mockserver.script import Close, Gate, Reset, Stall

__all__ = ["Framing", "Headers", "Record", "Response", "Step", "Steps", "Verbatim"]

Headers = tuple[tuple[str, str], ...]
"""Names and values, in the order and the case in which they are sent."""

Framing = Literal["chunked", "length", "close"]
"""How the end of a body is told: by chunks, by Content-Length, or by closing the connection."""


class Record(msgspec.Struct, frozen=True, gc=False):
    """One framed record of the body (an SSE event with its blank line, a line of NDJSON), or a whole document.

    Attributes:
        tokens: how many tokens of the answer are complete once this record is sent.
        at_ns: when it is due, in ns after the origin of the response. Never earlier than the record before it.
        is_terminator: whether it is the record by which the dialect says that nothing is missing.
    """

    data: bytes
    tokens: int = 0
    at_ns: int = 0
    is_terminator: bool = False


class Verbatim(msgspec.Struct, frozen=True, gc=False):
    """Bytes that go out as they are, past the framing: a broken chunk header for instance."""

    data: bytes


Step = Record | Verbatim | Gate | Stall | Reset | Close


@dataclass(frozen=True)
class Steps:
    """Steps that can be gone through again and again, always the same, without all of them being in memory.

    A thousand streams are answered at once; a list of all records of each would be most of the memory.
    """

    make: Callable[[], Iterator[Step]]

    def __iter__(self) -> Iterator[Step]:
        return self.make()


@dataclass(frozen=True)
class Response:
    """What is answered to one request.

    Attributes:
        headers: without Content-Length, Transfer-Encoding, Connection and Date, which framing and server add.
        steps: the body; iterating twice gives the same steps twice.
        before_head: what happens before the first byte of the response (a stall, a reset, a gate).
        interim: responses with a 1xx status before the head.
        trailers: headers after the body; only sent where the body is chunked.
        length_error: what the Content-Length says too much or too little, in bytes, where the framing is "length".
        gzip: whether the body is compressed, each record flushed.
        close: whether the connection is closed after the response, whatever the client wants.
    """

    status: int = 200
    headers: Headers = ()
    steps: Iterable[Step] = ()
    framing: Framing = "chunked"
    before_head: tuple[Step, ...] = ()
    interim: tuple[tuple[int, Headers], ...] = ()
    trailers: Headers = ()
    length_error: int = 0
    gzip: bool = False
    close: bool = False
    notes: tuple[str, ...] = field(default=(), compare=False)
    """What the journal says about how this response was made: faults that were applied, for instance."""
