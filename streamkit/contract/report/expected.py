"""Which failures were known, which are new, and which entries of the list are no longer true. Pure.

A file of expected failures has a case's id on each line, and behind `#` why it fails:

    # nginx 1.22 with nothing but proxy_pass
    flush.sse.close   # proxy_buffering is on
    - flush.sse.cl    # the same, written as an item of a YAML list

    gateway:          # what follows is only for --profile gateway
      - llm.usage.no-delta  # owner/repo#123
    all:              # what follows is for every profile again

A run fails (exit code 1) where

- a case fails and is not listed. FAILED is failing, and so are HARNESS-ERROR and DEPENDENCY-FAILED: what could not be
  told is not fine. NON-STRICT is, with `--strict`.
- a listed case was run and does not fail: the entry is stale, and would hide the next regression. That a case is
  NON-STRICT in a run without `--strict` does not make its entry stale: one list serves both.
- a listed id is none of the suite's: it never can be true. `setup.forward` is none; nobody can expect that.

An entry whose case was not run this time (`--run`, `--skip`, not for this profile, not without `--slow`) says nothing.
There are no wildcards: a new case must not be excused by an old entry.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from streamkit.contract.cases import CASES
from streamkit.contract.results import Report, Result
from streamkit.contract.verdicts import PROFILES, Verdict
from streamkit.errors import ConfigError

__all__ = ["Comparison", "Expected", "compare", "expected_lines", "is_failing", "parse_expected", "unknown_ids"]

ID: Final = re.compile(r"[a-z0-9]+(?:[.-][a-z0-9]+)+")
LINE: Final = re.compile(r"\s*(?:- +)?(?P<entry>[^#\s][^#]*?)?\s*(?:#\s*(?P<reason>.*?)\s*)?")
EVERY: Final = "all"

FAILING: Final = frozenset({Verdict.FAILED, Verdict.HARNESS_ERROR, Verdict.DEPENDENCY_FAILED})


@dataclass(frozen=True)
class Expected:
    """One entry: the profile that it is for, or empty for each, and why the case fails."""

    id: str
    reason: str = ""
    profile: str = ""


@dataclass(frozen=True)
class Comparison:
    """A run held against what was expected of it.

    Attributes:
        known: what fails and was expected to, each with its reason.
        new: what fails and was not expected to.
        stale: ids that are listed and do not fail.
        unknown: ids that are listed and that no case has.
    """

    known: Mapping[str, str]
    new: tuple[Result, ...]
    stale: tuple[str, ...]
    unknown: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        """0 where a run went as it was expected to, 1 otherwise."""
        return 1 if self.new or self.untrue else 0

    @property
    def untrue(self) -> tuple[str, ...]:
        """The entries that are not true: stale ones and unknown ones."""
        return (*self.stale, *self.unknown)

    @property
    def lines(self) -> list[str]:
        """What does not go as expected, and what to do about it, for people."""
        lines = [f"{len(self.known)} known failures"] if self.known else []
        lines += [f"new: {result.id} is {result.verdict}" for result in self.new]
        lines += [
            f"stale: {case_id} does not fail any more: take it out of the expected failures" for case_id in self.stale
        ]
        return lines + [f"unknown: no case is called {case_id}: correct or remove it" for case_id in self.unknown]


def parse_expected(text: str) -> list[Expected]:
    """Return the entries of a file.

    Raises:
        ConfigError: a line is neither an id, nor a profile, nor a comment; or an entry is there twice.
    """
    entries: dict[tuple[str, str], Expected] = {}
    profile = ""
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        found = LINE.fullmatch(line)
        entry = (found["entry"] or "") if found else line
        if not entry or entry == "---":
            continue
        if entry.endswith(":"):
            name = entry[:-1].rstrip()
            if name not in {*PROFILES, EVERY}:
                known = ", ".join((*PROFILES, EVERY))
                raise ConfigError(f"expected failures, line {number}: no profile is called {name!r}: say {known}")
            profile = "" if name == EVERY else name
            continue
        if any(char in entry for char in "*?["):
            raise ConfigError(f"expected failures, line {number}: {entry!r}: no wildcards here: list each id")
        if ID.fullmatch(entry) is None:
            raise ConfigError(f"expected failures, line {number}: {entry!r} is no id of a case (group.case # reason)")
        if (profile, entry) in entries:
            raise ConfigError(f"expected failures, line {number}: {entry} is listed twice")
        entries[profile, entry] = Expected(entry, (found["reason"] or "") if found else "", profile)
    return list(entries.values())


def compare(
    report: Report,
    expected: Iterable[Expected],
    *,
    strict: bool = False,
    suite: Collection[str] | None = None,
) -> Comparison:
    """Hold a run against the expected failures.

    Args:
        report: of the run.
        expected: of `parse_expected`; none where every failure is new.
        strict: whether NON-STRICT is failing.
        suite: the ids that there are; by default all of the suite's.
    """
    ids = {case.id for case in CASES} if suite is None else set(suite)
    entries = list(expected)
    wanted = {each.id: each for each in entries if each.profile in {"", report.profile}}
    failing = [each for each in report.results if is_failing(each.verdict, strict=strict)]
    excused = {each.id for each in report.results if is_failing(each.verdict, strict=True)}
    ran = {each.id for each in report.results}
    return Comparison(
        known={each.id: wanted[each.id].reason for each in failing if each.id in wanted and each.id in ids},
        new=tuple(each for each in failing if each.id not in wanted or each.id not in ids),
        stale=tuple(case_id for case_id in wanted if case_id in ids & ran and case_id not in excused),
        unknown=unknown_ids(entries, ids),
    )


def unknown_ids(expected: Iterable[Expected], suite: Collection[str] | None = None) -> tuple[str, ...]:
    """Return the ids that are listed and that no case has, of those in `suite`: by default all there are."""
    ids = {case.id for case in CASES} if suite is None else suite
    return tuple(dict.fromkeys(each.id for each in expected if each.id not in ids))


def is_failing(verdict: Verdict, *, strict: bool = False) -> bool:
    """Tell whether a case of this verdict makes a run fail, where it was not expected to."""
    return verdict in FAILING or (strict and verdict is Verdict.NON_STRICT)


def expected_lines(report: Report, *, strict: bool = False) -> list[str]:
    """Return the lines of a file by which this run would have been expected."""
    failing = [each for each in report.results if is_failing(each.verdict, strict=strict)]
    return [f"{each.id}  # {each.verdict}" for each in failing if not each.id.startswith("setup.")]
