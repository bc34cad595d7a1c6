"""Arguments for a tool call, made up from the tool's JSON Schema. Pure, and never at a loss.

A schema comes from the network and may be anything. Of what JSON Schema (2020-12) has, the common part is kept to:
`type` (Gemini's upper case too), `enum`, `const`, `default`, `examples`, `properties`, `required`, `items`,
`prefixItems`, `anyOf`, `oneOf`, `allOf`, local `$ref`, the bounds of numbers, strings and arrays, `multipleOf`, and the
usual formats. `pattern`, `not` and conditions are not; a keyword that makes no sense is passed over. How deep and how
large the value gets is bounded, so a schema that demands the impossible gets less than it demands.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from random import Random
from typing import Final

from mockserver.answers.words import WORDS
from streamkit.codecs.jsontext import encode_value

__all__ = ["arguments_of", "value_of"]

MAX_DEPTH: Final = 8
"""Of objects and arrays in each other, and of references and alternatives that lead to a schema."""

MAX_VALUES: Final = 256
"""How many values one call's arguments are made of, about."""

MAX_ITEMS: Final = 8
"""Elements of one array."""

MAX_STRING: Final = 256
"""Characters of one string."""

Schema = Mapping[str, object]

NO_SCHEMA: Final[Schema] = {}

FORMATS: Final[dict[str, str]] = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T12:34:56Z",
    "time": "12:34:56Z",
    "duration": "PT5M",
    "email": "someone@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "uuid": "0b8f6e3a-5c1d-4e7f-9a2b-3c4d5e6f7a8b",
}


def arguments_of(schema: Schema, seed: int) -> str:
    """Return the JSON text of arguments that fit the schema; always an object."""
    value = value_of(schema, seed)
    try:
        return encode_value(value).decode() if isinstance(value, dict) else "{}"
    except (ValueError, RecursionError):  # an enum, for instance, may hold what is nested too deep
        return "{}"


def value_of(schema: object, seed: int) -> object:
    """Return a value that fits the schema, the same for the same seed."""
    return Maker(schema, Random(seed)).make(schema, 0)


class Maker:
    """Makes one value."""

    def __init__(self, root: object, rng: Random) -> None:
        self._root = root
        self._random = rng.random
        self._left = MAX_VALUES
        self._makers: dict[str, Callable[[Schema, int], object]] = {
            "object": self._object,
            "array": self._array,
            "string": self._string,
            "integer": lambda schema, _: self._integer(schema),
            "number": lambda schema, _: self._number(schema),
            "boolean": lambda *_: self._random() < 0.5,
            "null": lambda *_: None,
        }

    def make(self, schema: object, depth: int) -> object:
        """Return a value for a schema `depth` levels below the root."""
        self._left -= 1
        found = self._resolved(schema)
        if "const" in found:
            return found["const"]
        options = found.get("enum")
        if isinstance(options, (list, tuple)) and options:
            return options[self._below(len(options))]
        if "default" in found:
            return found["default"]
        examples = found.get("examples")
        if isinstance(examples, (list, tuple)) and examples:
            return examples[self._below(len(examples))]
        return self._makers[self._type_of(found)](found, depth)

    def _below(self, count: int) -> int:
        return int(self._random() * count)

    def _resolved(self, schema: object) -> Schema:
        """Return the schema with what it refers to and one of its alternatives put in."""
        found = mapping_of(schema)
        for _ in range(MAX_DEPTH):
            if "$ref" in found:
                rest = {key: value for key, value in found.items() if key != "$ref"}
                found = {**self._referred(found["$ref"]), **rest}
                continue
            for key in ("anyOf", "oneOf"):
                options = found.get(key)
                if isinstance(options, (list, tuple)) and options:
                    rest = {word: value for word, value in found.items() if word != key}
                    found = merged(rest, mapping_of(options[self._below(len(options))]))
                    break
            else:
                parts = found.get("allOf")
                if not isinstance(parts, (list, tuple)):
                    return found
                found = {key: value for key, value in found.items() if key != "allOf"}
                for part in parts[:MAX_VALUES]:
                    found = merged(found, mapping_of(part))
        return found

    def _referred(self, pointer: object) -> Schema:
        """Return what a JSON pointer in this document (RFC 6901) points at, or an empty schema."""
        if not isinstance(pointer, str) or not pointer.startswith("#"):
            return NO_SCHEMA
        found: object = self._root
        for step in pointer[1:].split("/")[1:]:
            found = mapping_of(found).get(step.replace("~1", "/").replace("~0", "~"))
        return mapping_of(found)

    def _type_of(self, schema: Schema) -> str:
        named = schema.get("type")
        if isinstance(named, (list, tuple)) and named:
            named = next((each for each in named if each != "null"), named[0])
        word = named.lower() if isinstance(named, str) else ""
        if word in self._makers:
            return word
        if "properties" in schema or "required" in schema:
            return "object"
        if "items" in schema or "prefixItems" in schema:
            return "array"
        if any(key in schema for key in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")):
            return "number"
        return "string"

    def _object(self, schema: Schema, depth: int) -> dict[str, object]:
        if depth >= MAX_DEPTH:
            return {}
        properties = mapping_of(schema.get("properties"))
        listed = schema.get("required")
        required = {key for key in listed if isinstance(key, str)} if isinstance(listed, (list, tuple)) else set()
        made: dict[str, object] = {}
        for key, inner in properties.items():
            if isinstance(key, str) and (key in required or self._random() < 0.5):
                if self._left <= 0:
                    break
                made[key] = self.make(inner, depth + 1)
        for key in sorted(required - properties.keys()):
            if self._left <= 0:
                break
            made[key] = self.make(schema.get("additionalProperties"), depth + 1)
        return made

    def _array(self, schema: Schema, depth: int) -> list[object]:
        if depth >= MAX_DEPTH:
            return []
        fixed = schema.get("prefixItems")
        firsts = [*fixed] if isinstance(fixed, (list, tuple)) else []
        low = bound_of(schema, "minItems") or 0
        high = bound_of(schema, "maxItems")
        count = max(low, len(firsts), 1 + self._below(3))
        count = int(min(count, MAX_ITEMS, count if high is None else max(high, 0)))
        items = schema.get("items")
        made: list[object] = []
        while len(made) < count and self._left > 0:
            made.append(self.make(firsts[len(made)] if len(made) < len(firsts) else items, depth + 1))
        return made

    def _string(self, schema: Schema, depth: int) -> str:  # noqa: ARG002 - a string has nothing below it
        named = schema.get("format")
        if isinstance(named, str) and named in FORMATS:
            return FORMATS[named]
        low = min(bound_of(schema, "minLength") or 0, MAX_STRING)
        most = bound_of(schema, "maxLength")
        high = MAX_STRING if most is None else min(max(most, 0), MAX_STRING)
        text = WORDS[self._below(len(WORDS))]
        while len(text) < low:
            text += " " + WORDS[self._below(len(WORDS))]
        return text[: int(high)]

    def _integer(self, schema: Schema) -> int:
        low, high = limits_of(schema, step=1)
        number = math.ceil(low) + self._below(max(1, math.floor(high) - math.ceil(low) + 1))
        multiple = bound_of(schema, "multipleOf")
        if multiple and multiple >= 1 and multiple == int(multiple):
            number = -(-number // int(multiple)) * int(multiple)
            number -= int(multiple) if number > high and number - int(multiple) >= low else 0
        return number

    def _number(self, schema: Schema) -> float:
        low, high = limits_of(schema, step=0.01)
        multiple = bound_of(schema, "multipleOf")
        if multiple and multiple > 0:
            return self._multiple(multiple, low, high)
        number = low + self._random() * (high - low)
        rounded = round(number, 2)
        return rounded if low <= rounded <= high else number

    def _multiple(self, multiple: float, low: float, high: float) -> float:
        first, last = low / multiple, high / multiple
        if not (math.isfinite(first) and math.isfinite(last)):
            return low
        number = (math.ceil(first) + self._below(max(1, math.floor(last) - math.ceil(first) + 1))) * multiple
        return number if math.isfinite(number) else low


def mapping_of(value: object) -> Schema:
    """Return the value if it can be a schema, and one without demands if not."""
    return value if isinstance(value, Mapping) else NO_SCHEMA


def merged(schema: Schema, more: Schema) -> Schema:
    """Return a schema that demands what both do, as far as properties and what is required go."""
    both = {**schema, **more}
    for key in ("properties", "$defs"):
        if key in schema and key in more:
            both[key] = {**mapping_of(schema[key]), **mapping_of(more[key])}
    ours, theirs = schema.get("required"), more.get("required")
    if isinstance(ours, (list, tuple)) and isinstance(theirs, (list, tuple)):
        both["required"] = [*ours, *theirs]
    return both


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
