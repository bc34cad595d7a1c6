"""What is said of a case: verdicts, endings, levels, and how one follows from the other. Pure.

The words are Autobahn's and those of the HTTP cache tests. Behaviour (did each piece come at once, are the bytes the
same) and ending (how the exchange finished for its client) are judged apart; a case's verdict is the worse of the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Literal

__all__ = ["LEVELS", "PROFILES", "Ending", "Finding", "Level", "Profile", "Verdict", "verdict_of", "worst"]

Profile = Literal["pipe", "gateway", "edge"]
"""What a proxy claims to be: a byte-transparent reverse proxy; a gateway that may write events anew, and is judged on
tokens; an edge that may compress."""

PROFILES: Final[tuple[Profile, ...]] = ("pipe", "gateway", "edge")

Level = Literal["must", "should", "info"]

LEVELS: Final[tuple[Level, ...]] = ("must", "should", "info")


class Verdict(StrEnum):
    """What is said of a case.

    - `OK`: it holds.
    - `NON_STRICT`: it does not, and should.
    - `INFORMATIONAL`: recorded, not judged.
    - `UNIMPLEMENTED`: the proxy does not claim to do this.
    - `FAILED`: it does not hold, and must.
    - `HARNESS_ERROR`: nothing can be said, because of something that is not the proxy's behaviour.
    - `DEPENDENCY_FAILED`: not run, because what it builds on does not hold.
    """

    OK = "OK"
    NON_STRICT = "NON-STRICT"
    INFORMATIONAL = "INFORMATIONAL"
    UNIMPLEMENTED = "UNIMPLEMENTED"
    FAILED = "FAILED"
    HARNESS_ERROR = "HARNESS-ERROR"
    DEPENDENCY_FAILED = "DEPENDENCY-FAILED"


class Ending(StrEnum):
    """How an exchange finished, for its client.

    `COMPLETE`: whole, and said so. `VISIBLE`: not whole, and anybody can see it. `INVISIBLE`: not whole, and it looks
    finished. `HANG`: it never finished. `RESET`: the connection was reset. `NONE`: there was nothing that could end.
    """

    COMPLETE = "complete"
    VISIBLE = "incomplete-visible"
    INVISIBLE = "incomplete-invisible"
    HANG = "hang"
    RESET = "reset"
    NONE = "none"


@dataclass(frozen=True)
class Finding:
    """What a case's pure judge says of its trace.

    Attributes:
        holds: whether the rule was kept; None where this case only records.
        detail: one sentence for people, with the figures.
        facts: the figures by name, for machines; names have their units.
        is_implemented: whether the proxy does this at all, where it need not.
        is_late: whether all that is wrong is that something came late, by itself. How late is too late nobody can say
            without a tuned threshold, so that this is never worse than what should not be.
    """

    holds: bool | None
    detail: str
    facts: Mapping[str, object] = field(default_factory=dict)
    is_implemented: bool = True
    is_late: bool = False


SEVERITY: Final = (
    Verdict.OK,
    Verdict.INFORMATIONAL,
    Verdict.UNIMPLEMENTED,
    Verdict.NON_STRICT,
    Verdict.DEPENDENCY_FAILED,
    Verdict.HARNESS_ERROR,
    Verdict.FAILED,
)


def verdict_of(holds: bool | None, level: Level, *, is_implemented: bool = True) -> Verdict:  # noqa: FBT001 - the rule's
    """Return the verdict on a rule of this level that was kept or not."""
    if not is_implemented:
        return Verdict.UNIMPLEMENTED
    if level == "info" or holds is None:
        return Verdict.INFORMATIONAL
    if holds:
        return Verdict.OK
    return Verdict.FAILED if level == "must" else Verdict.NON_STRICT


def worst(*verdicts: Verdict) -> Verdict:
    """Return the one that matters most."""
    return max(verdicts, key=SEVERITY.index)
