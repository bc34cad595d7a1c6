# ruff: noqa: ARG002 - a hook is given whatever one of the mutants needs
"""What a mutant is: a relay with one thing wrong, and the cases that must say so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from streamkit.contract.verdicts import Profile
from tests.contract.mutants.link import Body, Framing, Head
from tests.contract.mutants.relay import At, Relay, Same

__all__ = ["MUTANTS", "Changed", "Mutant", "cases", "media_type", "mutant"]


@dataclass(frozen=True)
class Mutant:
    """A relay that is wrong on purpose.

    Attributes:
        relay: what is wrong with it stands in its docstring.
        failed: the cases that it must fail. No other case may be FAILED.
        non_strict: the same for NON-STRICT.
        profile: as what it is judged.
        is_slow: whether it is left to the slow group: it takes long, or is akin to another one.
    """

    relay: type[Relay]
    failed: frozenset[str]
    non_strict: frozenset[str]
    profile: Profile = "pipe"
    is_slow: bool = False

    @property
    def name(self) -> str:
        return self.relay.__name__


MUTANTS: Final[dict[str, Mutant]] = {}
"""By their names; complete once all files of mutants are imported."""

R = TypeVar("R", bound=type[Relay])


def cases(*names: str) -> frozenset[str]:
    """Return ids, of which each name may hold several that differ in their last part: `flush.sse.{chunked,close}`."""
    ids = set[str]()
    for name in names:
        stem, brace, last = name.partition("{")
        ids.update(f"{stem}{each}" for each in last.rstrip("}").split(",")) if brace else ids.add(name)
    return frozenset(ids)


def mutant(
    failed: frozenset[str] = frozenset(),
    non_strict: frozenset[str] = frozenset(),
    *,
    profile: Profile = "pipe",
    is_slow: bool = False,
) -> Callable[[R], R]:
    """Make a relay one of the mutants."""

    def add(relay: R) -> R:
        MUTANTS[relay.__name__] = Mutant(relay, failed, non_strict, profile, is_slow)
        return relay

    return add


class Changed(Relay):
    """A relay whose answers may get another length, and are chunked where they had one."""

    def framing(self, at: At, body: Body) -> Framing:
        return "chunked" if body.framing == "length" and self.changes(at) else body.framing

    def changes(self, at: At) -> bool:
        """Tell whether this answer is changed."""
        return True


def media_type(response: Head) -> str:
    """Return an answer's Content-Type, as it is."""
    return ", ".join(response.all("content-type"))


__all__ += ["Same"]
