"""When a server asks to come back: `Retry-After` in seconds or as a date (RFC 9110 sections 10.2.3 and 5.6.7).

`retry-after-ms` and `x-ms-retry-after-ms`, which OpenAI and Azure send besides, are finer and come first; Google puts
its delay into the body. What makes no sense (a negative number, a date that is none, more than `MAX_DELAY_S`) is as if
it were not there. A date in the past means now.
"""

from __future__ import annotations

import re
from calendar import timegm
from collections.abc import Mapping
from typing import Final

__all__ = ["MAX_DELAY_S", "retry_after_s"]

MAX_DELAY_S: Final = 366 * 24 * 3600.0
"""More than a year is nobody's answer, and a number that long only breaks timers."""

MS_HEADERS: Final = ("retry-after-ms", "x-ms-retry-after-ms")

NUMBER: Final = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,15})?")

MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")

CLOCK: Final = r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)"
DATES: Final = (
    re.compile(rf"\w{{3}}, (?P<day>\d\d) (?P<month>\w{{3}}) (?P<year>\d{{4}}) {CLOCK} (?:GMT|UTC)", re.ASCII),
    re.compile(rf"\w{{6,9}}, (?P<day>\d\d)-(?P<month>\w{{3}})-(?P<year>\d\d) {CLOCK} GMT", re.ASCII),
    re.compile(rf"\w{{3}} (?P<month>\w{{3}}) (?P<day>[ \d]\d) {CLOCK} (?P<year>\d{{4}})", re.ASCII),
)
"""The three forms of a date in HTTP; the second and the third have been outdated for long, and must be read."""


def retry_after_s(fields: Mapping[str, str], delay: str, now: float) -> float | None:
    """Return how long to wait in seconds, None where nothing sensible is said.

    Args:
        fields: the headers, names in lower case.
        delay: what the body says, as `34s` or `1.5s`; empty where it says nothing.
        now: in seconds since 1970.
    """
    for name in MS_HEADERS:
        milliseconds = number_of(fields.get(name, ""))
        if milliseconds is not None and milliseconds / 1000 <= MAX_DELAY_S:
            return milliseconds / 1000
    said = fields.get("retry-after", "").strip()
    seconds = number_of(said)
    if seconds is None and (moment := time_of(said, now)) is not None:
        seconds = max(0.0, moment - now)
    if seconds is None:
        seconds = number_of(delay.removesuffix("s"))
    return seconds if seconds is not None and seconds <= MAX_DELAY_S else None


def number_of(text: str) -> float | None:
    """Return a number that is not negative, None for any other text."""
    text = text.strip()
    return float(text) if NUMBER.fullmatch(text) else None


def time_of(text: str, now: float) -> float | None:
    """Return a date in seconds since 1970, None for a text that is none."""
    found = next((match for pattern in DATES if (match := pattern.fullmatch(text))), None)
    if found is None or found["month"].lower() not in MONTHS:
        return None
    year = int(found["year"])
    if year < 100:
        # RFC 9110 section 5.6.7: what looks more than 50 years ahead is the latest such year in the past.
        year += int(1970 + now // 31_556_952) // 100 * 100
        year -= 100 if year > 1970 + now // 31_556_952 + 50 else 0
    month, day = MONTHS.index(found["month"].lower()) + 1, int(found["day"])
    hour, minute, second = int(found["hour"]), int(found["minute"]), int(found["second"])
    if year < 1 or not 1 <= day <= 31 or hour > 23 or minute > 59 or second > 60:
        return None
    return float(timegm((year, month, day, hour, minute, second)))
