"""Numbers as the command line has them, each within its bounds. Pure.

A number is written in ASCII digits, without sign, exponent or separators: what else Python takes for one (`1_000`,
`nan`, digits of other scripts) is a typing error more often than a wish.
"""

from __future__ import annotations

import re
from typing import Final

from mockserver.wording import shown
from streamkit.errors import ConfigError

__all__ = ["parse_number", "parse_whole"]

WHOLE: Final = re.compile(r"[0-9]{1,18}")
NUMBER: Final = re.compile(r"(?:[0-9]{1,15}(?:\.[0-9]{0,15})?|\.[0-9]{1,15})")


def parse_whole(text: str, what: str, least: int, most: int) -> int:
    """Return a whole number from `least` to `most`; `what` it is stands in the error.

    Raises:
        ConfigError: it is none, or is out of bounds.
    """
    if WHOLE.fullmatch(text) and least <= (number := int(text)) <= most:
        return number
    raise ConfigError(f"{shown(text)} is no {what}: write a whole number from {least:,} to {most:,}")


def parse_number(text: str, what: str, least: float, most: float) -> float:
    """Return a number from `least` to `most`; `what` it is stands in the error.

    Raises:
        ConfigError: it is none, or is out of bounds.
    """
    if NUMBER.fullmatch(text) and least <= (number := float(text)) <= most:
        return number
    raise ConfigError(f"{shown(text)} is no {what}: write a number from {least:g} to {most:,.10g}")
