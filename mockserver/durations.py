"""Durations as people write them: `250ms`, `1.5s`, `2m`, `80us`, and `0`. Pure.

A unit has to be there: what a bare number means is another thing in every tool. All arithmetic is exact, in integers.
"""

from __future__ import annotations

import re
from typing import Final

from mockserver.wording import shown
from streamkit.errors import ConfigError

__all__ = ["MAX_NS", "TAKES", "parse_duration"]

UNITS_NS: Final = {"us": 1_000, "ms": 1_000_000, "s": 1_000_000_000, "m": 60_000_000_000}

MAX_NS: Final = 7 * 24 * 60 * UNITS_NS["m"]
"""A week. Nobody waits longer on purpose, and all that is computed with durations stays small."""

TAKES: Final = "a number with us, ms, s or m (250ms), or 0"

DURATION: Final = re.compile(r"([0-9]{1,15})(?:\.([0-9]{1,9}))?\s*(us|ms|s|m)?")


def parse_duration(text: str) -> int:
    """Return a duration in nanoseconds.

    Raises:
        ConfigError: it is no duration, has no unit, is over a week, or has a fraction of a nanosecond.
    """
    match = DURATION.fullmatch(text)
    if match is None:
        raise ConfigError(f"{shown(text)} is no duration: write {TAKES}")
    whole, fraction, unit = match[1], match[2] or "", match[3]
    digits = int(whole + fraction)
    if unit is None:
        if digits:
            raise ConfigError(f"{shown(text)} has no unit: write {text}ms, or another of {', '.join(UNITS_NS)}")
        return 0
    ns, rest = divmod(digits * UNITS_NS[unit], int(10 ** len(fraction)))
    if rest:
        raise ConfigError(f"{shown(text)} has a fraction of a nanosecond: write fewer digits")
    if ns > MAX_NS:
        raise ConfigError(f"{shown(text)} is more than a week, which is the most")
    return ns
