"""The body of a recorded response, read by read: what a cassette's reads bring without heads and framing. Pure.

A recorded read keeps its time; one that brought nothing of the body is left out. What breaks HTTP ends the body, as it
does for `streamkit.http.client`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from streamkit.http.head import BadHead, ResponseHead, find_end, read_response
from streamkit.http.unframe import unframer_of
from streamkit.io.cassette import Read, Recorded

__all__ = ["RecordedBody", "body_of"]


@dataclass
class RecordedBody:
    """What a recorded exchange brought.

    Attributes:
        head: of the final response; None where it never came whole.
        reads: those that brought some of the body, with that part of them.
        is_complete: whether the body came to the end that HTTP has for it.
        problem: what is wrong with the response as HTTP; empty where nothing is.
    """

    head: ResponseHead | None = None
    reads: list[Read] = field(default_factory=list)
    is_complete: bool = False
    problem: str = ""


def body_of(recorded: Recorded) -> RecordedBody:
    """Take the heads and the framing off a recorded response."""
    body = RecordedBody()
    unframer = None
    held = b""
    for read in recorded.reads:
        if unframer is None:
            held += read.data
            try:
                body.head, data = _after_heads(held, recorded.method)
            except BadHead as error:
                body.problem = f"the head of the response is refused: {error.reason}"
                return body
            if body.head is None:
                held = data
                continue
            unframer = unframer_of(body.head.body)
        else:
            data = read.data
        payload = unframer.feed(data)
        if payload:
            body.reads.append(Read(payload, read.at_ns, read.by_kernel, read.segments))
    how = "cut" if recorded.ended is None else recorded.ended.how
    if unframer is None:
        body.problem = "there is no whole head of a response"
        return body
    if how in {"complete", "fin"}:
        unframer.finish()
    body.is_complete = unframer.is_complete
    body.problem = unframer.problem
    return body


def _after_heads(data: bytes, method: str) -> tuple[ResponseHead | None, bytes]:
    """Return the final head and what follows it, or None and what is left behind the interim ones."""
    while (end := find_end(data)) >= 0:
        head = read_response(data[:end], method=method)
        data = data[end:]
        if head.status >= 200 or head.status == 101:
            return head, data
    return None, data
