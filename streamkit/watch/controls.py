"""What of the mock server can be set from the page, made of the mock's own tables: settings, gaps, cuts, faults. Pure.

The page makes a field of each control, and a menu of its choices. Only the examples are written here, which are what a
field shows before anything is set.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, get_args

import msgspec

from mockserver.config.keys import GROUPS
from mockserver.faults.spec import place_text
from mockserver.faults.table import FAULTS
from mockserver.pacing import GAPS, Gaps
from mockserver.settings import Writes
from streamkit.codecs.policies import POLICIES, Policy

__all__ = ["CONTROLS", "Choice", "Control", "controls_for"]

CONTROLS: Final = (
    *("rate", "ttft", "gaps", "tokens", "reasoning", "call", "say", "records", "chunks", "split", "writes", "fault"),
)
"""The settings that the page has a field for; any other can be written as in the header X-Mock."""

EXAMPLES: Final[Mapping[str, str]] = {
    "rate": "20",
    "ttft": "300ms",
    "tokens": "40",
    "reasoning": "8",
    "call": 'get_weather:{"city": "Rome"}',
    "say": "It rains.",
}

ARGUMENTS: Final[Mapping[str, str]] = {
    "uniform": "0.5",
    "normal": "0.3",
    "lognormal": "0.5",
    "gamma": "2",
    "size": "7",
    "random": "1:16",
    "coalesce": "5",
    "status": "429:1",
    "length": "+10",
    "stall": "2s",
}
"""What a menu's choice begins with that needs an argument, or is dull without."""

LISTED: Final = frozenset({"gaps", "fault"})
"""Settings whose sentence ends with a list of what there is, as their menus do."""

FROM_FILES: Final = "trace"
"""Gaps that are read from a file: who can only send requests chooses none."""

OWN_SETTING: Final = "gate"
"""A fault that is written as a setting of its own."""


class Choice(msgspec.Struct, frozen=True):
    """One of the things that a control can be set to: `name[:argument][@place]`.

    Attributes:
        takes: what its argument looks like; empty where there is none, in brackets where it may be left out.
        summary: one sentence, or none where the name says it.
        example: an argument to begin with; empty for none.
        default: the argument that stands for none.
        place: of a fault: where it happens where nothing else is said.
        places: of a fault: the kinds of place where it may; empty for a matter of the whole answer.
        dialects: of a fault: which it is for, of those that are spoken; empty for all.
    """

    name: str
    takes: str = ""
    summary: str = ""
    example: str = ""
    default: str = ""
    place: str = ""
    places: tuple[str, ...] = ()
    dialects: tuple[str, ...] = ()


class Control(msgspec.Struct, frozen=True):
    """A setting that the page has a field for.

    Attributes:
        group: the heading of the group that it is of.
        takes: what its value looks like, for people.
        summary: one sentence.
        default: what it is where it is not set.
        example: a value for it.
        repeats: whether it may be given several times.
        choices: what its value can begin with; None for one that is written freely.
    """

    group: str
    takes: str
    summary: str
    default: str
    example: str
    repeats: bool
    choices: tuple[Choice, ...] | None = None


def controls_for(dialects: Iterable[str]) -> dict[str, Control]:
    """Return the controls by their keys, in the order of the mock's groups.

    Args:
        dialects: those in which the mock is asked; no fault of others is offered. None at all: in any.
    """
    spoken = frozenset(dialects)
    return {
        key: Control(
            group,
            setting.takes,
            setting.summary.partition(":")[0] + "." if key in LISTED else setting.summary,
            setting.default,
            EXAMPLES.get(key, ""),
            setting.repeats,
            _choices(key, spoken),
        )
        for group, settings in GROUPS.items()
        for key, setting in settings.items()
        if key in CONTROLS
    }


def _choices(key: str, spoken: frozenset[str]) -> tuple[Choice, ...] | None:
    match key:
        case "gaps":
            return _named(GAPS)
        case "records" | "chunks" | "split":
            return _named(POLICIES)
        case "writes":
            return tuple(map(Choice, get_args(Writes)))
        case "fault":
            return tuple(_faults(spoken))
    return None


def _named(rows: Mapping[str, type[Gaps | Policy]]) -> tuple[Choice, ...]:
    return tuple(
        Choice(name, row.takes, row.summary, ARGUMENTS.get(name, ""))
        for name, row in rows.items()
        if name != FROM_FILES
    )


def _faults(spoken: frozenset[str]) -> Iterable[Choice]:
    for kind in FAULTS.values():
        if kind.name == OWN_SETTING or (spoken and kind.dialects and not spoken & set(kind.dialects)):
            continue
        yield Choice(
            kind.name,
            kind.takes,
            kind.summary,
            ARGUMENTS.get(kind.name, ""),
            kind.default,
            "" if kind.place is None else place_text(kind.place),
            tuple(sorted(kind.places)),
            tuple(each for each in kind.dialects if not spoken or each in spoken),
        )
