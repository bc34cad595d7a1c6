"""A JSON value made up from a JSON Schema: a call's arguments, or an answer that has to fit. Pure, never at a loss.

A schema comes from the network and may be anything. Of what JSON Schema (2020-12) has, the common part is kept to:
`type` (Gemini's upper case too), `enum`, `const`, `default`, `examples`, `properties`, `required`, `items`,
`prefixItems`, `anyOf`, `oneOf`, `allOf`, local `$ref`, the bounds of numbers, strings and arrays, `multipleOf`, and the
usual formats. `pattern`, `not` and conditions are not; a keyword that makes no sense is passed over. How deep and how
large the value gets is bounded, and so is the work for it, so a schema that demands the impossible gets less than it
demands. Where a value gets deep or large, it is as small as the schema allows, so that one of a tree comes to an end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from random import Random
from typing import Final

from mockserver.answers.numbers import NO_SCHEMA, Schema, bound_of, integer_of, number_of
from mockserver.answers.words import WORDS
from streamkit.codecs.jsontext import encode_value

__all__ = ["arguments_of", "json_of", "value_of"]

MAX_DEPTH: Final = 12
"""Of objects and arrays in each other, and of references and alternatives that lead to a schema."""

MAX_VALUES: Final = 256
"""How many values one value is made of, about."""

SMALL_DEPTH: Final = 4
SMALL_VALUES: Final = MAX_VALUES // 2
"""From this depth, and this many values on, no more is made than has to be."""

MAX_CHARS: Final = 16_384
"""Of all names and strings in a value, and of what it takes over from the schema, together."""

MAX_SHORT: Final = 64
"""What is no longer than that is taken over even then; there are few values."""

MAX_ITEMS: Final = 8
"""Elements of one array."""

MAX_STRING: Final = 256
"""Characters of one string."""

MAX_PROPERTIES: Final = 1000
"""How many properties of one object are looked at, and how many required ones."""

MAX_OPTIONS: Final = 256
"""How many schemas of one `allOf` are looked at, or types of one list."""

MAX_COMPARED: Final = 16
"""Of how many alternatives the smallest is looked for."""

MAX_MERGED: Final = 100_000
MERGE_COST: Final = 10
"""How many properties and required names are copied for one value, because several schemas have them together; and as
how many of them it counts that there is another schema."""

MAX_POINTER: Final = 1000
"""Characters of a `$ref`."""

KEYWORDS: Final = (
    *("$ref", "type", "enum", "const", "default", "examples", "anyOf", "oneOf", "allOf"),
    *("properties", "required", "additionalProperties", "items", "prefixItems", "minItems", "maxItems"),
    *("format", "minLength", "maxLength"),
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
)
"""What counts of a schema; only that is ever copied, however much there is besides."""

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
    text = json_of(schema, seed)
    return text if text.startswith("{") else "{}"


def json_of(schema: object, seed: int) -> str:
    """Return the JSON text of a value that fits the schema; `null` where there is none that JSON text can hold."""
    try:
        return encode_value(value_of(schema, seed)).decode()
    except (ValueError, RecursionError):  # an enum, for instance, may hold what is nested too deep
        return "null"


def value_of(schema: object, seed: int) -> object:
    """Return a value that fits the schema, the same for the same seed."""
    return Maker(schema, Random(seed)).make(schema, 0)


class Maker:
    """Makes one value."""

    def __init__(self, root: object, rng: Random) -> None:
        self._root = root
        self._random = rng.random
        self._left = MAX_VALUES
        self._chars_left = MAX_CHARS
        self._merged_left = MAX_MERGED
        self._makers: dict[str, Callable[[Schema, int], object]] = {
            "object": self._object,
            "array": self._array,
            "string": self._string,
            "integer": lambda schema, _: integer_of(schema, rng),
            "number": lambda schema, _: number_of(schema, rng),
            "boolean": lambda *_: self._random() < 0.5,
            "null": lambda *_: None,
        }

    def make(self, schema: object, depth: int) -> object:
        """Return a value for a schema `depth` levels below the root."""
        self._left -= 1
        is_small = self._is_small(depth)
        found = self._resolved(schema, is_small=is_small)
        for value in self._given(found):
            if self._affords(value):
                return value
        return self._makers[self._type_of(found, is_small=is_small)](found, depth)

    def _is_small(self, depth: int) -> bool:
        """Tell whether what is made at that depth should be as small as it can be."""
        return depth >= SMALL_DEPTH or self._left < SMALL_VALUES or self._chars_left <= 0

    def _given(self, schema: Schema) -> Iterator[object]:
        """Yield the values that a schema itself has, the first of which will do."""
        if "const" in schema:
            yield schema["const"]
        options = schema.get("enum")
        if isinstance(options, (list, tuple)) and options:
            yield options[self._below(len(options))]
        if "default" in schema:
            yield schema["default"]
        examples = schema.get("examples")
        if isinstance(examples, (list, tuple)) and examples:
            yield examples[self._below(len(examples))]

    def _below(self, count: int) -> int:
        return int(self._random() * count)

    def _resolved(self, schema: object, *, is_small: bool) -> Schema:
        """Return the schema with what it refers to and one of its alternatives put in."""
        found = known_of(schema)
        for _ in range(MAX_DEPTH):
            if "$ref" in found:
                found = self._with_referred(found)
                continue
            for key in ("anyOf", "oneOf"):
                options = found.get(key)
                if isinstance(options, (list, tuple)) and options:
                    del found[key]
                    self._merge(found, self._option(options, is_small=is_small))
                    break
            else:
                parts = found.pop("allOf", None)
                if not isinstance(parts, (list, tuple)):
                    return found
                for part in parts[:MAX_OPTIONS]:
                    self._merge(found, part)
        return found

    def _option(self, options: Sequence[object], *, is_small: bool) -> object:
        if is_small:
            few = options[:MAX_COMPARED]
            least = min(map(weight_of, few))
            options = [option for option in few if weight_of(option) == least]
        return options[self._below(len(options))]

    def _merge(self, schema: dict[str, object], part: object) -> None:
        """Make a schema demand what `part` does too, as far as properties and what is required go."""
        if self._merged_left <= 0:
            return
        more = known_of(part)
        if "$ref" in more:
            more = self._with_referred(more)
        properties = [mapping_of(each.get("properties")) for each in (schema, more)]
        required = [found for each in (schema, more) if isinstance(found := each.get("required"), list)]
        self._merged_left -= MERGE_COST + sum([min(len(each), MAX_PROPERTIES) for each in (*properties, *required)])
        schema |= more
        if all(properties):
            schema["properties"] = {key: each[key] for each in properties for key in islice(each, MAX_PROPERTIES)}
        if len(required) > 1:
            schema["required"] = [name for each in required for name in each[:MAX_PROPERTIES]]

    def _with_referred(self, schema: Schema) -> dict[str, object]:
        """Return a schema with what its `$ref` points at, unless it says something else itself."""
        rest = {key: value for key, value in schema.items() if key != "$ref"}
        return {**known_of(self._referred(schema["$ref"])), **rest}

    def _referred(self, pointer: object) -> Schema:
        """Return what a JSON pointer in this document (RFC 6901) points at, or an empty schema."""
        if not isinstance(pointer, str) or not pointer.startswith("#") or len(pointer) > MAX_POINTER:
            return NO_SCHEMA
        found: object = self._root
        for step in pointer[1:].split("/")[1:]:
            found = mapping_of(found).get(step.replace("~1", "/").replace("~0", "~"))
        return mapping_of(found)

    def _type_of(self, schema: Schema, *, is_small: bool) -> str:
        named = schema.get("type")
        if isinstance(named, (list, tuple)) and named:
            words = named[:MAX_OPTIONS]
            others = [each for each in words if each != "null"]
            named = others[0] if others and not (is_small and len(others) < len(words)) else "null"
        word = named.lower() if isinstance(named, str) and len(named) < 16 else ""
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
        names = listed[:MAX_PROPERTIES] if isinstance(listed, (list, tuple)) else ()
        required = {key for key in names if isinstance(key, str)}
        is_small = self._is_small(depth)
        made: dict[str, object] = {}
        for key, inner in islice(properties.items(), MAX_PROPERTIES):
            if isinstance(key, str) and (key in required or (self._random() < 0.5 and not is_small)):
                if self._left <= 0:
                    break
                if self._affords(key):
                    made[key] = self.make(inner, depth + 1)
        for key in sorted([key for key in required if key not in properties]):
            if self._left <= 0:
                break
            if self._affords(key):
                made[key] = self.make(schema.get("additionalProperties"), depth + 1)
        return made

    def _affords(self, given: object) -> bool:
        """Tell whether the value may have this in it, which comes from the schema, and count it; what is short may."""
        size = size_of(given, max(self._chars_left, MAX_SHORT))
        if size > max(self._chars_left, MAX_SHORT):
            return False
        self._chars_left -= size
        return True

    def _array(self, schema: Schema, depth: int) -> list[object]:
        if depth >= MAX_DEPTH:
            return []
        fixed = schema.get("prefixItems")
        firsts = [*fixed[:MAX_ITEMS]] if isinstance(fixed, (list, tuple)) else []
        low = bound_of(schema, "minItems") or 0
        high = bound_of(schema, "maxItems")
        usual = 1 + self._below(3)
        count = max(low, len(firsts), 0 if self._is_small(depth) else usual)
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
        low = min(bound_of(schema, "minLength") or 0, MAX_STRING, max(self._chars_left, 0))
        most = bound_of(schema, "maxLength")
        high = MAX_STRING if most is None else min(max(most, 0), MAX_STRING)
        text = WORDS[self._below(len(WORDS))]
        while len(text) < low:
            text += " " + WORDS[self._below(len(WORDS))]
        text = text[: int(high)]
        self._chars_left -= len(text)
        return text


def mapping_of(value: object) -> Schema:
    """Return the value if it can be a schema, and one without demands if not."""
    return value if isinstance(value, Mapping) else NO_SCHEMA


def known_of(schema: object) -> dict[str, object]:
    """Return what counts of a schema, as a copy."""
    found = mapping_of(schema)
    return {key: found[key] for key in KEYWORDS if key in found}


def weight_of(option: object) -> int:
    """Return how much an alternative may become: nothing, a scalar, or something that has others in it."""
    found = mapping_of(option)
    kind = found.get("type")
    if kind == "null":
        return 0
    is_scalar = isinstance(kind, str) and kind.lower() not in {"object", "array"}
    return 1 if is_scalar or "const" in found or "enum" in found else 2


def size_of(value: object, limit: int) -> int:
    """Return how many characters and values a JSON value has, about; more than `limit` is not counted to its end."""
    size = 0
    left = [value]
    while left and size <= limit:
        each = left.pop()
        size += 1
        if isinstance(each, str):
            size += len(each)
        elif isinstance(each, (list, tuple, dict)):
            size += len(each)
            if size > limit:
                break
            left.extend(each)
            if isinstance(each, dict):
                left.extend(each.values())
    return size
