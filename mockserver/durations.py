"""Durations as people write them: `250ms`, `1.5s`, `2m`, `80us`, and `0`. Pure.

A unit has to be there: what a bare number means is another thing in every tool. All arithmetic is exact, in integers.
"""

from __future__ import annotations

import re
from typing import Final

from mockserver.wording import shown
from streamkit.errors import ConfigError

__all__ = ["MAX_NS", "TAKES", "duration_text", "parse_duration"]

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


def duration_text(ns: int) -> str:
    """Write a duration so that `parse_duration` reads the same again, in the largest unit that it fills."""
    if not ns:
        return "0"
    unit = max((name for name, unit_ns in UNITS_NS.items() if unit_ns <= ns), key=UNITS_NS.__getitem__, default="us")
    whole, rest = divmod(ns, UNITS_NS[unit])
    if unit == "m" and rest:  # minutes with a fraction are hard to read, and not all have a finite one
        unit = "s"
        whole, rest = divmod(ns, UNITS_NS[unit])
    places = len(str(UNITS_NS[unit])) - 1
    fraction = f"{rest:0{places}d}".rstrip("0")
    return f"{whole}.{fraction}{unit}" if fraction else f"{whole}{unit}"
