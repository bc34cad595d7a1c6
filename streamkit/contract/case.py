"""One row of the contract: what is promised, how both ends are driven to see it, and what their traces then say."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from streamkit.contract.setting import Setting
from streamkit.contract.trace import Trace
from streamkit.contract.verdicts import Ending, Finding, Level, Profile

if TYPE_CHECKING:
    from streamkit.contract.stand import Stand

__all__ = ["COMPLETE", "Case", "Drive", "Group", "Judge", "Levels", "levels"]

Drive = Callable[["Stand"], Awaitable[None]]
"""Drives both ends through a case, and writes what happens into the stand's trace. It judges nothing.

It raises `NotForwarded` where the upstream never got the request; anything else that it raises is a bug of ours.
"""

Judge = Callable[[Trace], Finding]
"""Says from a trace whether the rule was kept. Pure."""

Group = Literal["beside", "alone", "last"]
"""When a case runs: beside others; alone, because what it measures would be disturbed, or it would disturb them; last,
because gateways stop asking an upstream that fails."""

COMPLETE = frozenset({Ending.COMPLETE})


@dataclass(frozen=True)
class Levels:
    """How binding a rule is for each profile; None where it does not apply."""

    pipe: Level | None
    gateway: Level | None
    edge: Level | None

    def of(self, profile: Profile) -> Level | None:
        """Return the level for a profile."""
        match profile:
            case "pipe":
                return self.pipe
            case "gateway":
                return self.gateway
            case "edge":
                return self.edge


def levels(pipe: Level | None, gateway: Level | None, edge: Level | Literal["pipe"] | None = "pipe") -> Levels:
    """Return levels; an edge is held to what a pipe is held to, unless something else is said."""
    return Levels(pipe, gateway, pipe if edge == "pipe" else edge)


def always(_: Setting) -> bool:
    """Apply in every setting."""
    return True


@dataclass(frozen=True)
class Case:
    """A case.

    Attributes:
        id: `group.case` or `group.case.variant`; it never changes its meaning.
        levels: how binding it is.
        rule: one sentence: what has to be so, and why.
        bugs: the real bugs that it stands for, as owner/repo#number.
        drive, judge: see `Drive` and `Judge`.
        endings: the endings that are right; empty where every one is.
        needs: the cases that have to hold, or it says nothing.
        group: see `Group`.
        is_slow: whether it only runs when asked for.
        applies: whether it makes sense in a setting at all, beside its level.
        bound_s: how long it may take besides what it waits for, in seconds.
    """

    id: str
    levels: Levels
    rule: str
    drive: Drive
    judge: Judge
    bugs: tuple[str, ...] = ()
    endings: frozenset[Ending] = COMPLETE
    needs: tuple[str, ...] = ()
    group: Group = "beside"
    is_slow: bool = False
    applies: Callable[[Setting], bool] = field(default=always)
    bound_s: float = 30.0

    def level(self, setting: Setting) -> Level | None:
        """Return how binding it is in a setting; None where it is not for it."""
        return self.levels.of(setting.profile) if self.applies(setting) else None
