"""Which cases a run is about, and in which order they may run. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Final

from streamkit.contract.case import Case, Group
from streamkit.contract.setting import Setting
from streamkit.contract.verdicts import Level
from streamkit.errors import ConfigError

__all__ = ["Chosen", "chosen", "in_phases", "matching"]

Chosen = list[tuple[Case, Level]]

PHASES: Final[tuple[Group, ...]] = ("beside", "alone", "last")


def matching(cases: Iterable[Case], prefix: str) -> list[Case]:
    """Return the cases that a prefix means: whole words of an id, `flush.sse`; where there is none, any beginning."""
    every = list(cases)
    words = prefix.rstrip(".")
    found = [case for case in every if case.id == words or case.id.startswith(f"{words}.")]
    return found or [case for case in every if prefix and case.id.startswith(prefix)]


def chosen(
    cases: Iterable[Case],
    run: Sequence[str] = (),
    skip: Sequence[str] = (),
    slow: bool = False,  # noqa: FBT001, FBT002 - the option's name
    setting: Setting | None = None,
    *,
    with_needs: bool = False,
) -> Chosen:
    """Return the cases to run with their levels, in the order of `cases`.

    Args:
        cases: all there are.
        run: prefixes of ids; empty for all.
        skip: prefixes of ids that are left out.
        slow: whether the slow ones are among them.
        setting: what is tested; a case that does not apply to it is left out.
        with_needs: whether what a chosen case builds on comes along. Without that it runs all the same.

    Raises:
        ConfigError: a prefix means no case, or none that could run here, or nothing is left.
    """
    every = list(cases)
    of_id = {case.id: case for case in every}
    wanted = {case.id for prefix in run for case in _found(every, prefix)} if run else set(of_id)
    unwanted = {case.id for prefix in skip for case in _found(every, prefix)}
    level_of = {case.id: case.levels.pipe or "info" if setting is None else case.level(setting) for case in every}
    for prefix in run:
        _check(matching(every, prefix), prefix, level_of, slow=slow)
    left = {name for name in wanted - unwanted if level_of[name] and (slow or not of_id[name].is_slow)}
    if with_needs:
        waiting = list(left)
        while waiting:
            needed = {name for name in of_id[waiting.pop()].needs if name in of_id and level_of[name]} - left - unwanted
            left |= needed
            waiting += needed
    found: Chosen = [(case, level) for case in every if case.id in left and (level := level_of[case.id])]
    if not found:
        raise ConfigError("no case is left to run: --skip leaves out all that --run chooses")
    return found


def _found(cases: Sequence[Case], prefix: str) -> list[Case]:
    found = matching(cases, prefix)
    if not found:
        raise ConfigError(f"no case begins with {prefix!r}{_near(cases, prefix)}; --list shows them all")
    return found


def _near(cases: Sequence[Case], prefix: str) -> str:
    parts = (case.id.split(".") for case in cases)
    names = {".".join(words[:count]) for words in parts for count in range(1, len(words) + 1)}
    near = get_close_matches(prefix, sorted(names), n=3, cutoff=0.5)
    return f" (did you mean {' or '.join(near)}?)" if near else ""


def _check(found: Sequence[Case], prefix: str, level_of: dict[str, Level | None], *, slow: bool) -> None:
    """Refuse a prefix that means cases, of which none could run: that nothing is tested must not pass for a success."""
    here = [case for case in found if level_of[case.id]]
    if not here:
        raise ConfigError(f"no case that begins with {prefix!r} is for this profile and these dialects")
    if not slow and all(case.is_slow for case in here):
        raise ConfigError(f"all cases that begin with {prefix!r} are slow: add --slow")


def in_phases(found: Chosen) -> list[Chosen]:
    """Return what runs first, then, and last: each case in its group's phase, or in that of what it builds on.

    Raises:
        ValueError: cases need each other in a circle.
    """
    of_id = {case.id: case for case, _ in found}
    known: dict[str, int] = {}

    def phase_of(case: Case, above: tuple[str, ...] = ()) -> int:
        if case.id in above:
            raise ValueError(f"cases need each other: {' -> '.join([*above, case.id])}")
        if case.id not in known:
            needed = (of_id[name] for name in case.needs if name in of_id)
            known[case.id] = max([PHASES.index(case.group), *(phase_of(each, (*above, case.id)) for each in needed)])
        return known[case.id]

    phases: list[Chosen] = [[] for _ in PHASES]
    for case, level in found:
        phases[phase_of(case)].append((case, level))
    return phases
