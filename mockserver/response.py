"""A response before it is HTTP: status, headers, and steps. Pure values, which faults rewrite.

A `Response` says what is sent in which order, and when; how it is framed and cut is `mockserver.splits`'s business,
which makes the `Script` (`mockserver.script`) of it that the server performs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from mockserver.script import Again, Close, Gate, Reset, Stall

__all__ = ["Framing", "Headers", "Record", "Response", "Step", "Steps", "Verbatim", "without"]

Headers = tuple[tuple[str, str], ...]
"""Names and values, in the order and the case in which they are sent."""


def without(headers: Headers, *names: str) -> Headers:
    """Return the headers that have none of these names, which are in lower case."""
    return tuple((name, value) for name, value in headers if name.lower() not in names)


Framing = Literal["chunked", "length", "close"]
"""How the end of a body is told: by chunks, by Content-Length, or by closing the connection."""


class Record(msgspec.Struct, frozen=True, gc=False):
    """One framed record of the body (an SSE event with its blank line, a line of NDJSON), or a whole document.

    Attributes:
        tokens: how many tokens of the answer are complete once this record is sent.
        at_ns: when it is due, in ns after the origin of the response. Never earlier than the record before it.
        is_terminator: whether it is the record by which the dialect says that nothing is missing.
        cut_from: the whole, where a fault cut it in two, and this is not the last part of it.
    """

    data: bytes
    tokens: int = 0
    at_ns: int = 0
    is_terminator: bool = False
    cut_from: Record | None = None


class Verbatim(msgspec.Struct, frozen=True, gc=False):
    """Bytes that go out as they are, past the framing: a broken chunk header for instance.

    Attributes:
        in_chunks: whether they mean something among chunks only; in any other body they are left out.
    """

    data: bytes
    in_chunks: bool = False


Step = Record | Verbatim | Gate | Stall | Reset | Close


class Steps(Again[Step]):
    """The steps of a response, made one by one."""


@dataclass(frozen=True)
class Response:
    """What is answered to one request.

    Attributes:
        headers: without Content-Length, Transfer-Encoding, Connection and Date, which framing and server add.
        steps: the body; iterating twice gives the same steps twice. What follows a Reset or Close is never sent, but
            counts for the length that the head promises.
        before_head: what happens before the first byte of the response (a stall, a reset, a gate).
        interim: responses with a 1xx status before the head.
        after_body: what happens after the last byte of the response; nothing of it is in the body or its length.
        last_chunk: whether a chunked body gets the chunk that ends it.
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
    after_body: tuple[Step, ...] = ()
    last_chunk: bool = True
    trailers: Headers = ()
    length_error: int = 0
    gzip: bool = False
    close: bool = False
    notes: tuple[str, ...] = field(default=(), compare=False)
    """What the journal says about how this response was made: faults that were applied, for instance."""
