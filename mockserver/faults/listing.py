"""The table of faults as lists and documentation show it: all texts. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from mockserver.faults.kind import Kind
from mockserver.faults.spec import place_text
from mockserver.faults.table import FAULTS
from streamkit.dialects.registry import DIALECTS

__all__ = ["FaultRow", "describe"]

EVENT_STREAMS: Final = tuple(name for name, dialect in DIALECTS.items() if "sse" in dialect.framings)

MAX_DEFAULT: Final = 20
"""A default in more characters is a sentence, and nobody has to know it."""


@dataclass(frozen=True)
class FaultRow:
    """A kind of fault.

    Attributes:
        written: its name, and what it takes.
        place: where it happens where no place is given; empty for a matter of the whole answer.
        dialects: those that it is for; empty for all.
    """

    written: str
    place: str
    dialects: str
    summary: str


def describe() -> list[FaultRow]:
    """Return a row for each fault that `fault=` takes, in the order of the table."""
    return [
        FaultRow(
            _written(kind),
            "" if kind.place is None else place_text(kind.place),
            dialects_of(kind.dialects),
            kind.summary + (f" Default: {kind.default}." if 0 < len(kind.default) <= MAX_DEFAULT else ""),
        )
        for kind in FAULTS.values()
        if kind.name != "gate"  # a setting of its own
    ]


def dialects_of(names: tuple[str, ...]) -> str:
    """Name dialects shortly: nearly all that are event streams by those that are missing."""
    missing = [name for name in EVENT_STREAMS if name not in names]
    if len(missing) >= len(names) or not set(names) <= set(EVENT_STREAMS):
        return ", ".join(names)
    return "event streams" + (f" but {', '.join(missing)}" if missing else "")


def _written(kind: Kind) -> str:
    if not kind.takes:
        return kind.name
    if kind.takes.startswith("["):
        return f"{kind.name}[:{kind.takes[1:]}"
    return f"{kind.name}:{kind.takes}"
