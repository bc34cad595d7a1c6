"""How a fault is written: `KIND[:ARGUMENT][@PLACE][,first:N][,share:P]`. Pure.

Only the form is checked here; which kinds there are, what they take and where they may stand is
`mockserver.faults.table`'s business, whose `fault_of` reads a text and checks all of it. In an argument a backslash
makes `@`, a comma and the backslash itself plain characters; a comma needs it only before `first:` and `share:`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from streamkit.errors import ConfigError

__all__ = ["Fault", "Place", "PlaceKind", "fault_text", "parse_fault", "parse_place", "place_text"]

PlaceKind = Literal["before-head", "after-head", "token", "event", "before-terminator"]

PLACES: Final = "before-head, after-head, token:N, event:N, event:N+BYTES or before-terminator"

PLACE: Final = re.compile(
    r"(?P<whole>before-head|after-head|before-terminator)|token:(?P<token>\d{1,15})"
    r"|event:(?P<event>\d{1,15})(?:\+(?P<plus>\d{1,15}))?",
    re.ASCII,
)
FORM: Final = re.compile(
    r"(?P<kind>[a-z0-9][a-z0-9-]*)(?::(?P<argument>(?:[^@\\]|\\.)*?))?(?:@(?P<place>[^@,\\]*))?"
    r"(?P<options>(?:,(?:first|share):[^,@\\]*)*)\Z",
    re.ASCII | re.DOTALL,
)
SHARE: Final = re.compile(r"(?P<number>\d{1,9}(?:\.\d{1,30})?(?:e-\d{1,3})?)(?P<percent>%?)\Z", re.ASCII)
MAX_CHARACTERS: Final = 4096
"""The longest text of a fault; it may come from the network."""

ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)
SPECIAL: Final = re.compile(r"[\\@,]")


@dataclass(frozen=True)
class Place:
    """Where in a response something happens.

    Attributes:
        number: of a token or an event; that many of them come through first.
        plus_bytes: that many bytes of the next event come through too.
    """

    kind: PlaceKind
    number: int = 0
    plus_bytes: int = 0


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong.

    Attributes:
        kind: a row of `mockserver.faults.table`.
        argument: what the kind takes; empty for its default.
        place: None for the kind's own.
        first: only the first so many requests that it befalls. What counts is that it was applied to the response: a
            request on which it could do nothing (of another dialect, answered with a document, with fewer tokens than
            its place wants, outside of its share) does not. Each fault counts apart, over all connections and
            endpoints, equal ones together; a reset of the server begins again.
        share: only this share of the requests, drawn from each request's seed.
    """

    kind: str
    argument: str = ""
    place: Place | None = None
    first: int | None = None
    share: float | None = None


def place_text(place: Place) -> str:
    """Return how a place is written; `parse_place` reads it."""
    if place.kind not in {"token", "event"}:
        return place.kind
    return f"{place.kind}:{place.number}" + (f"+{place.plus_bytes}" if place.plus_bytes else "")


def fault_text(fault: Fault, *, often: bool = True) -> str:
    """Return how a fault is written; `parse_fault` reads it. Without `often`, how often it happens is left out."""
    text = fault.kind
    if fault.argument:
        text += ":" + SPECIAL.sub(r"\\\g<0>", fault.argument)
    if fault.place is not None:
        text += "@" + place_text(fault.place)
    if often and fault.first is not None:
        text += f",first:{fault.first}"
    if often and fault.share is not None:
        text += f",share:{fault.share!r}"
    return text


def parse_place(text: str) -> Place:
    """Read a place.

    Raises:
        ConfigError: there is none of that name, or its numbers are not what it takes.
    """
    match = PLACE.fullmatch(text)
    if match is None:
        msg = f"{text!r} is no place; there are {PLACES}"
        raise ConfigError(msg)
    if match["token"] is not None:
        return Place("token", int(match["token"]))
    if match["event"] is not None:
        return Place("event", int(match["event"]), int(match["plus"] or 0))
    return Place(match["whole"])  # type: ignore[arg-type]  # the pattern has the same words


def parse_fault(text: str) -> Fault:
    """Read a fault, for instance `reset@token:5`, `status:429:2,first:3`, `stall:2s@event:4+7,share:0.1`.

    Raises:
        ConfigError: it is not of the form, a place or number in it makes no sense.
    """
    if len(text) > MAX_CHARACTERS:
        msg = f"a fault of {len(text)} characters is too long; {MAX_CHARACTERS} are the most: {text[:40]!r}..."
        raise ConfigError(msg)
    match = FORM.match(text)
    if match is None:
        msg = f"{text!r} is no fault; one looks like KIND[:ARGUMENT][@PLACE][,first:N][,share:P], as reset@token:5"
        raise ConfigError(msg)
    first: int | None = None
    share: float | None = None
    for option in match["options"].split(",")[1:]:
        name, _, value = option.partition(":")
        if name == "first":
            first = _first_of(value, text)
        else:
            share = _share_of(value, text)
    argument = ESCAPED.sub(r"\1", match["argument"] or "")
    place = None if match["place"] is None else parse_place(match["place"])
    return Fault(match["kind"], argument, place, first, share)


def _first_of(value: str, text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,15}", value):
        msg = f"in the fault {text!r}, first:{value} should be a number of requests, as first:3"
        raise ConfigError(msg)
    return int(value)


def _share_of(value: str, text: str) -> float:
    match = SHARE.match(value)
    share = float(match["number"]) / (100 if match["percent"] else 1) if match else -1.0
    if not 0 <= share <= 1:
        msg = f"in the fault {text!r}, share:{value} should be from 0 to 1, as share:0.1, or a percentage, as share:10%"
        raise ConfigError(msg)
    return share
