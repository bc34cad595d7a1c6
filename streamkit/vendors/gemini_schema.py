"""Google's form of a schema (google-genai `types.Schema`), as JSON Schema. Pure.

Google writes types in capitals, keys in either of two spellings, numbers of 64 bits as strings, and `nullable` where
JSON Schema has one more type. The order of properties has no place there. What else stands in a schema stays.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from streamkit.vendors.fields import Fields
from streamkit.vendors.gemini_manner import MANNER, numeric, underscored

__all__ = ["json_schema"]

MAX_DEPTH: Final = 64
"""How deep schemas may be within each other."""

NAMES: Final = (
    *("anyOf", "minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"),
    *("additionalProperties", "prefixItems", "propertyOrdering"),
)

SPELLINGS: Final[Mapping[str, str]] = {underscored(name): name for name in NAMES}

COUNTS: Final = frozenset({name for name in NAMES if name.startswith(("min", "max"))})

BOUNDS: Final = frozenset({"minimum", "maximum"})

NAMED: Final = frozenset({"properties", "$defs", "defs"})
"""Keys whose objects have schemas under names of the writer's own."""

VALUES: Final = frozenset({"enum", "default", "example", "const", "required"})
"""Keys of values, which are no schemas."""

UNSAID: Final = "type_unspecified"


def json_schema(fields: Fields) -> dict[str, object]:
    """Return a schema as JSON Schema.

    Raises:
        RefusedError: it is too deep.
    """

    def within(value: object, depth: int) -> object:
        if isinstance(value, list):
            return [within(each, depth) for each in value]
        return schema_of(value, depth, within) if isinstance(value, dict) else value

    def schema_of(schema: dict[str, Any], depth: int, inner: Callable[[object, int], object]) -> dict[str, object]:
        if depth == MAX_DEPTH:
            raise MANNER.untranslatable(fields.path, f"the schema is nested deeper than {MAX_DEPTH} levels")
        return converted(schema, lambda value: inner(value, depth + 1))

    return schema_of(dict(fields.value), 0, within)


def converted(schema: Mapping[str, Any], inner: Callable[[object], object]) -> dict[str, object]:
    """Return one schema; `inner` converts those in it."""
    told: dict[str, object] = {}
    for written, value in schema.items():
        key = SPELLINGS.get(written, written)
        if key in {"nullable", "propertyOrdering"} or value is None:
            continue
        if key == "type" and isinstance(value, str):
            if value.lower() != UNSAID:
                told[key] = value.lower()
        elif key in NAMED and isinstance(value, dict):
            told[key] = {name: inner(each) for name, each in value.items()}
        elif key in VALUES:
            told[key] = value
        elif key in COUNTS or key in BOUNDS:
            told[key] = numeric(value, whole=key in COUNTS)
        else:
            told[key] = inner(value)
    return or_null(told) if schema.get("nullable") is True else told


def or_null(schema: dict[str, object]) -> dict[str, object]:
    """Return a schema that also takes null."""
    kind, options, values = schema.get("type"), schema.get("anyOf"), schema.get("enum")
    told = dict(schema)
    if isinstance(kind, str) and kind != "null":
        told["type"] = [kind, "null"]
    elif isinstance(kind, list) and "null" not in kind:
        told["type"] = [*kind, "null"]
    if isinstance(options, list) and {"type": "null"} not in options:
        told["anyOf"] = [*options, {"type": "null"}]
    if isinstance(values, list) and None not in values:
        told["enum"] = [*values, None]
    return told
