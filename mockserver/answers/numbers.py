"""Numbers that fit a JSON Schema: its bounds, of which drafts have different forms, and multiples. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from random import Random
from typing import Final

__all__ = ["NO_SCHEMA", "Schema", "bound_of", "integer_of", "number_of"]

Schema = Mapping[str, object]

NO_SCHEMA: Final[Schema] = {}


def integer_of(schema: Schema, rng: Random) -> int:
    """Return an integer that fits the schema."""
    low, high = limits_of(schema, step=1)
    number = math.ceil(low) + int(rng.random() * max(1, math.floor(high) - math.ceil(low) + 1))
    multiple = bound_of(schema, "multipleOf")
    if multiple and multiple >= 1 and multiple == int(multiple):
        number = -(-number // int(multiple)) * int(multiple)
        number -= int(multiple) if number > high and number - int(multiple) >= low else 0
    return number


def number_of(schema: Schema, rng: Random) -> float:
    """Return a number that fits the schema."""
    low, high = limits_of(schema, step=0.01)
    multiple = bound_of(schema, "multipleOf")
    if multiple and multiple > 0:
        return multiple_of(multiple, low, high, rng)
    number = low + rng.random() * (high - low)
    rounded = round(number, 2)
    return rounded if low <= rounded <= high else number


def multiple_of(multiple: float, low: float, high: float, rng: Random) -> float:
    """Return a multiple between the bounds, if there is one."""
    first, last = low / multiple, high / multiple
    if not (math.isfinite(first) and math.isfinite(last)):
        return low
    number = (math.ceil(first) + int(rng.random() * max(1, math.floor(last) - math.ceil(first) + 1))) * multiple
    return number if math.isfinite(number) else low


def bound_of(schema: Schema, key: str) -> float | None:
    """Return a number that a schema gives, or None where it is none that can be reckoned with."""
    value = schema.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return value if -1e15 <= value <= 1e15 else None


def limits_of(schema: Schema, step: float) -> tuple[float, float]:
    """Return the least and the greatest number that is allowed, a hundred apart where the schema says only one.

    Args:
        schema: whose bounds.
        step: how far inside an exclusive bound the numbers begin, if there is room.
    """
    low, above = bound_of(schema, "minimum"), bound_of(schema, "exclusiveMinimum")
    high, under = bound_of(schema, "maximum"), bound_of(schema, "exclusiveMaximum")
    if schema.get("exclusiveMinimum") is True:  # as draft 4 and OpenAPI 3.0 have it
        low, above = None, low
    if schema.get("exclusiveMaximum") is True:
        high, under = None, high
    if step < 1 and above is not None and under is not None:
        step = min(step, (under - above) / 3)
    if above is not None and (low is None or low <= above):
        low = math.floor(above) + 1 if step == 1 else above + step
    if under is not None and (high is None or high >= under):
        high = math.ceil(under) - 1 if step == 1 else under - step
    if low is None:
        low = 1 if high is None or high >= 1 else high - 100
    if high is None:
        high = max(low, 0) + 100
    return low, max(low, high)
