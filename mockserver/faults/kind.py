"""What a kind of fault is: a row of `mockserver.faults.table`. And how arguments are read. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from mockserver.faults.spec import Fault, Place
from mockserver.response import Headers, Response
from streamkit.dialects.dialect import Dialect
from streamkit.errors import ConfigError

__all__ = [
    "ANYWHERE",
    "BETWEEN",
    "Apply",
    "Check",
    "Context",
    "Kind",
    "integer_of",
    "no_argument",
    "place_of",
]

ANYWHERE: Final = frozenset({"before-head", "after-head", "token", "event", "event+bytes", "before-terminator"})
"""Every kind of place, inside a record too."""

BETWEEN: Final = frozenset({"after-head", "token", "event", "before-terminator"})
"""The places between two records."""


@dataclass(frozen=True)
class Context:
    """What a fault has to know about the response that it befalls.

    Attributes:
        dialect: what the records are of; None where it is none's.
        framing: the framing of the records ("sse", "ndjson"); empty for a document that is not streamed.
        seed: of this request's faults.
        failure: makes headers and body of the vendor's error with a status and a message; None for a plain one.
        version: of the request's HTTP, "1.0" or "1.1".
        head_only: whether the request was a HEAD.
    """

    dialect: Dialect | None = None
    framing: str = ""
    seed: int = 0
    failure: Callable[[int, str], tuple[Headers, bytes]] | None = None
    version: str = "1.1"
    head_only: bool = False


Apply = Callable[[Response, Fault, Context], Response]
"""Returns the response with the fault; its argument and place are checked, and the kind's own where it had none.
Raises InapplicableError."""

Check = Callable[[str], object]
"""Reads an argument. Raises ConfigError: what it should be."""


def no_argument(text: str) -> None:
    """Read the argument of a kind that takes none.

    Raises:
        ConfigError: there is one.
    """
    if text:
        msg = "takes no argument"
        raise ConfigError(msg)


@dataclass(frozen=True)
class Kind:
    """A kind of fault.

    Attributes:
        summary: one sentence for lists.
        takes: what its argument looks like, for people; empty for a kind without, in brackets where it may be left out.
        default: the argument where there is none; empty for none, or where `takes` is not in brackets.
        check: reads an argument.
        place: where it happens where no place is given; None where it is a matter of the whole response.
        places: where it may happen; "event+bytes" is inside a record.
        dialects: the names of those that it is for; empty for any.
    """

    name: str
    summary: str
    apply: Apply
    takes: str = ""
    default: str = ""
    check: Check = no_argument
    place: Place | None = None
    places: frozenset[str] = frozenset()
    dialects: tuple[str, ...] = ()


def integer_of(text: str, least: int, most: int, what: str) -> int:
    """Read a whole number.

    Raises:
        ConfigError: it is none, or out of range.
    """
    if not re.fullmatch(r"[+-]?[0-9]{1,18}", text) or not least <= int(text) <= most:
        msg = f"takes {what}, from {least} to {most}, not {text!r}"
        raise ConfigError(msg)
    return int(text)


def place_of(fault: Fault) -> Place:
    """Return a fault's place, where its kind has a default."""
    assert fault.place is not None  # noqa: S101 - `apply_faults` has put the default in
    return fault.place
