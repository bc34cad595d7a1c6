"""What happened at both ends of one case: two wire logs on one clock, and what was measured. Values; pure.

All times are ns on the scale of `streamkit.http.clock.now_ns`. A trace holds what verdicts need whole (heads, when each
piece was sent and when it was there) and what people need to see bounded (`Event.data`, `MAX_EVENTS`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

import msgspec

from streamkit.contract.verdicts import Ending

__all__ = [
    "EXCERPT_BYTES",
    "KEPT_BODY_BYTES",
    "MAX_EVENTS",
    "Event",
    "Exchanged",
    "Head",
    "Lockstep",
    "Pairs",
    "Piece",
    "Trace",
]

MAX_EVENTS: Final = 4000
EXCERPT_BYTES: Final = 400
KEPT_BODY_BYTES: Final = 8 << 20
"""How much of what a client got is kept for verdicts that read it."""

Pairs = list[tuple[str, str]]

Side = Literal["client", "upstream"]

ClientEnd = Literal["", "complete", "closed", "cut", "reset", "broken", "hang"]
"""How the response ended as the client's HTTP reads it: by its own framing; with the connection, which was its framing;
the connection's end came too early; RST; it is no HTTP any more; never. Empty: nobody waited for it."""

UpstreamEnd = Literal["", "clean", "reset", "closed"]
"""How the upstream ended its response: as its framing says; by RST; by FIN in the middle. Empty: it did not."""


class Event(msgspec.Struct, frozen=True, gc=False):
    """Something that one end saw or did.

    Attributes:
        connection: the how manyth connection of this side in this case, from 1.
        what: `connect`, `send`, `read`, `head`, `end` (the other side's input ended), `close`, `reset`, `mark`.
        size_bytes: of what was sent or read.
        units: how far the answer was afterwards, as `Piece.units` counts; 0 where that says nothing.
        data: the beginning of the bytes.
        note: for people.
    """

    at_ns: int
    side: Side
    connection: int
    what: str
    size_bytes: int = 0
    units: int = 0
    data: bytes = b""
    note: str = ""


class Head(msgspec.Struct, frozen=True):
    """A head as it came or was sent; `line` is its first line."""

    at_ns: int
    line: str
    headers: Pairs

    def all(self, name: str) -> list[str]:
        """Return the values of a header, in whatever case it came."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def get(self, name: str) -> str | None:
        """Return its value, of several joined by ", "; None if there is none."""
        return ", ".join(self.all(name)) or ("" if self.all(name) else None)

    @property
    def status(self) -> int:
        """The status of a response."""
        return int(self.line.split(" ")[1])


class Piece(msgspec.Struct):
    """A piece of a response that the upstream sent.

    Attributes:
        units: what the client holds once it has all of it: bytes of the body, or of the text (`content.Meter`).
        size_bytes: of the body.
        begun_ns: when it began to be sent. Its first bytes may come before `sent_ns`.
        sent_ns: when the kernel had it; 0 where it has not.
        came_ns: when the client had it; 0 where it never did.
        mark: what was different about it: empty, `filler` for what was only sent to see what comes out.
        first_ns: when the client had the first of it, where that came before the rest; 0 where all came at once.
        first_units: how much of it that was.
    """

    units: int
    size_bytes: int
    sent_ns: int = 0
    came_ns: int = 0
    mark: str = ""
    begun_ns: int = 0
    first_ns: int = 0
    first_units: int = 0


class Lockstep(msgspec.Struct):
    """What lockstep did about an answer, and about the first piece that was not there in time (`contract.lockstep`).

    Attributes:
        planned: how many pieces were to be sent one after the other.
        piece: which of them, from 1, was not there within the limit; 0 as long as each was.
        limit_ns: when that was found.
        limit_units: how much the client held then.
        filler_ns: when more was sent, because a second span of silence had changed nothing; 0 where it was not.
        released_units: how much the client held once the piece had come, and all that came along with it.
        released_of_units: how much had been sent by then.
        is_timed: whether what came when more was sent then came in a silence as well, and for as much at once did not.
        ending_ns: when what ends the answer was sent.
        has_ended_early: whether it had ended for the client before that.
    """

    planned: int
    piece: int = 0
    limit_ns: int = 0
    limit_units: int = 0
    filler_ns: int = 0
    released_units: int = 0
    released_of_units: int = 0
    is_timed: bool = False
    ending_ns: int = 0
    has_ended_early: bool = False


@dataclass
class Exchanged:
    """One request that a client made through the proxy, and its answer, at both ends.

    Attributes:
        attempts: the heads of the requests that reached the upstream for it; more than one where the proxy tries again.
        request_body: what the upstream got of the first attempt's body, bounded.
        request_pieces_ns: when the upstream had each piece of a request's body that was sent in lockstep.
        sent_head: what the upstream answered.
        interim, head, trailers: what the client got.
        pieces: what the upstream sent as the body, piece by piece.
        body: what the client got as the body, decoded from its content coding, up to a bound.
        body_bytes: how much that was in all.
        excess: what the client got behind the end of the body.
        problem: what is wrong with the body that came, empty as long as it is a prefix of what was sent.
        units, expected_units: how much of the right body came, and was sent.
        client_end, upstream_end: see there.
        left_ns, left_how: when and how the upstream saw its client leave; 0 and empty where it did not.
        client_left_ns: when the client left; 0 where it did not.
        lockstep: what lockstep did about it; None where it was not used.
    """

    attempts: list[Head] = field(default_factory=list)
    attempts_ns: list[int] = field(default_factory=list)
    request_body: bytes = b""
    request_body_bytes: int = 0
    sent_head: Head | None = None
    interim: list[Head] = field(default_factory=list)
    head: Head | None = None
    trailers: Pairs = field(default_factory=list)
    pieces: list[Piece] = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)
    body_bytes: int = 0
    excess: bytes = b""
    problem: str = ""
    units: int = 0
    expected_units: int = 0
    client_end: ClientEnd = ""
    upstream_end: UpstreamEnd = ""
    left_ns: int = 0
    left_how: str = ""
    client_left_ns: int = 0
    lockstep: Lockstep | None = None
    has_error_event: bool = False
    """Whether the client's stream, read as its dialect, says itself that it failed. Gateways may say it so."""
    has_end_event: bool = False
    """Whether it says itself that it is whole, by its dialect's terminator."""

    @property
    def ending(self) -> Ending:
        """How this finished for the client, held against what the upstream did."""
        match self.client_end:
            case "":
                return Ending.NONE
            case "hang":
                return Ending.HANG
            case "reset":
                return Ending.RESET
            case "cut" | "broken":
                return Ending.VISIBLE
        if self.upstream_end == "clean" and self.units >= self.expected_units and not self.problem:
            return Ending.COMPLETE
        return Ending.VISIBLE if self.has_error_event or self.is_refusal else Ending.INVISIBLE

    @property
    def is_refusal(self) -> bool:
        """Whether the client got an error status, which the upstream did not send."""
        sent = self.sent_head.status if self.sent_head else 0
        return self.head is not None and self.head.status >= 400 and self.head.status != sent


@dataclass
class Trace:
    """All of one case.

    Attributes:
        exchanges: in the order in which they were begun; nearly always one.
        events: both wire logs, in the order of time, bounded.
        omitted_events: how many were not kept.
        marks: what the driver did at what time, for verdicts: `limit` (a piece had not come in time), `silence` (nor in
            the second span), `filler`, `ended`...
        facts: what a driver measured, by names with units.
        subject: which of the exchanges the case is about, from 0; those before it only led there.
        given: headers that were given to be sent along. Whatever they are called, their values are for no report.
    """

    exchanges: list[Exchanged] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    omitted_events: int = 0
    marks: list[tuple[int, str]] = field(default_factory=list)
    facts: dict[str, object] = field(default_factory=dict)
    subject: int = 0
    given: Sequence[tuple[str, str]] = ()

    @property
    def exchange(self) -> Exchanged:
        """The exchange that the case is about, nearly always the first; an empty one where there is none."""
        return self.exchanges[self.subject] if self.subject < len(self.exchanges) else Exchanged()

    def note(self, event: Event) -> None:
        """Add to the log, within its bound."""
        if len(self.events) < MAX_EVENTS:
            self.events.append(event)
        else:
            self.omitted_events += 1

    def mark(self, at_ns: int, what: str) -> None:
        """Remember when something was done."""
        self.marks.append((at_ns, what))
        self.note(Event(at_ns, "client", 0, "mark", note=what))

    def marked_ns(self, what: str) -> int:
        """Return when it was done first; 0 where it was not."""
        return next((at_ns for at_ns, name in self.marks if name == what), 0)
