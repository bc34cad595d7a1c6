"""What a server really did, from its journal: when it had a request, and when it wrote each token. Pure.

The truth is that of `mockserver --journal`, a line a request. A token is taken for written when the write that
completed it began, just before the system call: whatever comes later, the kernel's way to us included, counts as our
error. A request is taken for arrived when the kernel had its last byte, where the mock knows that, else when it was
read.

A line that is none, or that contradicts itself, has no truth: nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Final, TypeAlias

import msgspec

__all__ = ["Entry", "Truth", "parse_entry", "truth_of", "truths_of"]

ID_HEADER: Final = "x-request-id"

LAST_CHUNK_BYTES: Final = 5
"""`0`, two line ends: the chunk that ends a body, which the mock writes by itself behind the terminator."""

MAX_TOKENS: Final = 1_000_000
"""Of one answer. A line that has more in it is not believed."""


Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=2**62)]
"""What a clock of 64 bits can say, and what can be computed with without a thought."""


class Written(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A write of the journal; see `mockserver.journal.WriteDone`."""

    planned_ns: Count
    began_ns: Count
    ended_ns: Count
    size_bytes: Count
    tokens: Count


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the journal, as far as truth needs it.

    Attributes:
        number: of the request, from 1.
        headers: of the request, as they came; secrets are redacted.
        body: of the request as JSON: the value that it is, or its text; null where there is none.
        arrived_ns, kernel_ns: when the request's last byte was read, and when the kernel had it.
        tokens: how many the answer had.
        writes: what was written, the first 2,048 of them; writes_dropped: how many there were besides.
    """

    number: Count
    method: str = ""
    target: str = ""
    headers: list[tuple[str, str]] = []
    dialect: str = ""
    status: int | None = None
    outcome: str = ""
    arrived_ns: Count
    kernel_ns: Count | None = None
    ended_ns: Count | None = None
    tokens: Count = 0
    writes: list[Written] = []
    writes_dropped: Count = 0
    body: msgspec.Raw = msgspec.Raw(b"null")

    @property
    def request_id(self) -> str:
        """What came as X-Request-ID; empty where nothing did."""
        return next((value for name, value in self.headers if name.lower() == ID_HEADER), "")


class Truth(msgspec.Struct, frozen=True):
    """What is true of one request. All times are ns of CLOCK_MONOTONIC.

    Attributes:
        request_id: its X-Request-ID.
        arrived_ns: when the server's kernel had its last byte.
        head_ns: when the first write began: the response's head is in it.
        token_ns: when each token was written, in order; tokens of one write have the same time.
        end_ns: when the terminator was written.
        has_kernel: whether `arrived_ns` is the kernel's; else it is when the server read.
    """

    request_id: str
    arrived_ns: int
    head_ns: int
    token_ns: list[int]
    end_ns: int
    has_kernel: bool = True


_DECODER: Final = msgspec.json.Decoder(Entry)


def parse_entry(line: bytes) -> Entry | None:
    """Return the request of a line; None where the line is none, as the journal's first one, which has the clocks."""
    try:
        return _DECODER.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def truth_of(entry: Entry) -> Truth | None:
    """Return what is true of a request.

    None where the answer did not come to its end, where the journal does not have all of its writes, where its times
    or its counts go backwards, or where nobody knows what the request was called.
    """
    if entry.outcome != "complete" or entry.writes_dropped or not entry.writes or not entry.request_id:
        return None
    if entry.tokens > MAX_TOKENS:
        return None
    token_ns: list[int] = []
    last_ns = arrived_ns = entry.arrived_ns if entry.kernel_ns is None else entry.kernel_ns
    for write in entry.writes:
        more = write.tokens - len(token_ns)
        if write.began_ns < last_ns or more < 0 or write.tokens > entry.tokens:
            return None
        last_ns = write.began_ns
        token_ns += [last_ns] * more
    if len(token_ns) != entry.tokens:
        return None
    writes = entry.writes
    has_last_chunk = len(writes) > 1 and writes[-1].size_bytes == LAST_CHUNK_BYTES
    end_ns = writes[-2 if has_last_chunk else -1].began_ns
    has_kernel = entry.kernel_ns is not None
    return Truth(entry.request_id, arrived_ns, writes[0].began_ns, token_ns, end_ns, has_kernel)


def truths_of(entries: Iterable[Entry | None]) -> dict[str, Truth]:
    """Return what is true of each request by its X-Request-ID; a name that two requests have is none's."""
    truths: dict[str, Truth] = {}
    twice: set[str] = set()
    for entry in entries:
        truth = None if entry is None else truth_of(entry)
        if truth is not None:
            if truth.request_id in truths:
                twice.add(truth.request_id)
            truths[truth.request_id] = truth
    for name in twice:
        del truths[name]
    return truths
