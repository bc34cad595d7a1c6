from __future__ import annotations

import json
import math
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.answers import schema as schema_module
from mockserver.answers.numbers import Schema
from mockserver.answers.schema import (
    MAX_CHARS,
    MAX_DEPTH,
    MAX_ITEMS,
    MAX_MERGED,
    MAX_OPTIONS,
    MAX_PROPERTIES,
    MAX_VALUES,
    arguments_of,
    json_of,
    value_of,
)
from streamkit.codecs.jsontext import decode_checked

SEEDS = st.integers(0, 2**64 - 1)

KEYWORDS = (
    *("type", "enum", "const", "default", "examples", "properties", "required", "items", "prefixItems", "anyOf"),
    *("oneOf", "allOf", "$ref", "$defs", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    *("minItems", "maxItems", "minLength", "maxLength", "format", "additionalProperties", "nullable"),
)
WORDS = (
    *("string", "number", "integer", "boolean", "object", "array", "null", "OBJECT", "date", "#", "#/$defs/type"),
    *("#/properties", "#/nowhere", "a", "b"),
)

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(WORDS) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from((*KEYWORDS, "a", "b")), inner, max_size=6)
    ),
    max_leaves=20,
)
"""Whatever may stand where a schema should, in the keywords of schemas."""


@st.composite
def bounded(draw: st.DrawFn, kind: str, low: int, high: int) -> dict[str, object]:
    """Return a schema of numbers with both bounds, of which none, one or both are exclusive."""
    least = draw(st.integers(low, high))
    most = draw(st.integers(least + 2, high + 2))
    lower = draw(st.sampled_from(["minimum", "exclusiveMinimum"]))
    upper = draw(st.sampled_from(["maximum", "exclusiveMaximum"]))
    return {"type": kind, lower: least, upper: most}


LEAVES = st.one_of(
    bounded("integer", -1000, 1000),
    bounded("number", -1000, 1000),
    st.just({"type": "boolean"}),
    st.just({"type": "null"}),
    st.builds(
        lambda low, more: {"type": "string", "minLength": low, "maxLength": low + more},
        st.integers(0, 30),
        st.integers(0, 30),
    ),
    st.builds(lambda options: {"enum": options}, st.lists(st.integers() | st.text(), min_size=1, max_size=4)),
    st.builds(lambda value: {"const": value}, st.integers() | st.text()),
    st.builds(lambda kind: {"type": [kind, "null"]}, st.sampled_from(["string", "integer"])),
)


def objects(inner: st.SearchStrategy[dict[str, object]]) -> st.SearchStrategy[dict[str, object]]:
    def built(properties: dict[str, object], count: int) -> dict[str, object]:
        return {"type": "object", "properties": properties, "required": list(properties)[:count]}

    return st.builds(built, st.dictionaries(st.text(min_size=1, max_size=4), inner, max_size=4), st.integers(0, 4))


def arrays(inner: st.SearchStrategy[dict[str, object]]) -> st.SearchStrategy[dict[str, object]]:
    def built(items: dict[str, object], low: int, more: int) -> dict[str, object]:
        return {"type": "array", "items": items, "minItems": low, "maxItems": low + more}

    return st.builds(built, inner, st.integers(0, 3), st.integers(0, 3))


SCHEMAS = st.recursive(LEAVES, lambda inner: objects(inner) | arrays(inner), max_leaves=8)


def fits(value: object, schema: Schema) -> bool:
    """Whether a value is what one of `SCHEMAS` allows; as short as it can be, and no code of the module itself."""
    if "const" in schema:
        return value == schema["const"]
    if "enum" in schema:
        return value in schema["enum"]  # type: ignore[operator]  # it is a list
    kind = schema["type"]
    if isinstance(kind, list):
        return any(fits(value, {**schema, "type": each}) for each in kind)
    if kind == "object":
        assert isinstance(value, dict)
        properties: dict[str, Schema] = schema["properties"]  # type: ignore[assignment]
        required: list[str] = schema["required"]  # type: ignore[assignment]
        return set(required) <= value.keys() and all(fits(value[key], properties[key]) for key in value)
    if kind == "array":
        assert isinstance(value, list)
        items: Schema = schema["items"]  # type: ignore[assignment]
        return within(len(value), schema, "minItems", "maxItems") and all(fits(each, items) for each in value)
    if kind == "string":
        return isinstance(value, str) and within(len(value), schema, "minLength", "maxLength")
    if kind in {"integer", "number"}:
        is_number = isinstance(value, int if kind == "integer" else (int, float)) and not isinstance(value, bool)
        return is_number and within(value, schema, "minimum", "maximum")  # type: ignore[arg-type]
    return value is None if kind == "null" else isinstance(value, bool)


def within(number: float, schema: Schema, low: str, high: str) -> bool:
    above: float = schema.get("exclusiveMinimum", -math.inf)  # type: ignore[assignment]
    below: float = schema.get("exclusiveMaximum", math.inf)  # type: ignore[assignment]
    least: float = schema.get(low, -math.inf)  # type: ignore[assignment]
    most: float = schema.get(high, math.inf)  # type: ignore[assignment]
    return least <= number <= most and (low != "minimum" or above < number < below)


@given(SCHEMAS, SEEDS)
def test_what_is_made_fits_the_schema(schema: dict[str, object], seed: int) -> None:
    assert fits(value_of(schema, seed), schema)


def test_the_checker_of_these_tests_finds_a_misfit() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer", "exclusiveMaximum": 3}}, "required": ["a"]}
    assert fits({"a": 2}, schema)
    assert not fits({"a": 3}, schema)
    assert not fits({}, schema)
    assert not fits({"a": True}, schema)


@given(ANYTHING, SEEDS)
def test_whatever_stands_for_a_schema_the_arguments_are_an_object(schema: object, seed: int) -> None:
    value_of(schema, seed)
    text = arguments_of(schema if isinstance(schema, dict) else {"type": schema}, seed)
    assert isinstance(decode_checked(text.encode()), dict)


@given(ANYTHING, SEEDS)
def test_whatever_stands_for_a_schema_there_is_json_for_it(schema: object, seed: int) -> None:
    decode_checked(json_of(schema, seed).encode())


@given(SCHEMAS, SEEDS)
def test_the_same_seed_makes_the_same_value(schema: dict[str, object], seed: int) -> None:
    assert value_of(schema, seed) == value_of(schema, seed)


def test_other_seeds_make_other_values() -> None:
    assert len({str(value_of({"type": "integer", "minimum": 0, "maximum": 10**9}, seed)) for seed in range(50)}) > 40


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"default": "Paris", "type": "string"}, "Paris"),
        ({"type": "string", "format": "date-time"}, "2026-01-31T12:34:56Z"),
        ({"type": "STRING", "enum": ["celsius"]}, "celsius"),
        ({"examples": [{"a": 1}]}, {"a": 1}),
        ({"anyOf": [{"const": 7}]}, 7),
        ({"oneOf": [{"$ref": "#/$defs/x~1y"}], "$defs": {"x/y": {"const": [1]}}}, [1]),
        ({"type": ["null", "integer"], "minimum": 5, "maximum": 5}, 5),
        ({"type": "integer", "multipleOf": 7, "minimum": 8, "maximum": 20}, 14),
        ({"type": "number", "exclusiveMinimum": 1, "maximum": 1.5, "multipleOf": 0.5}, 1.5),
        ({"minimum": 2, "maximum": 2}, 2.0),
        ({"type": "integer", "minimum": 0, "exclusiveMinimum": True, "maximum": 1}, 1),
        ({"type": "string", "maxLength": 0}, ""),
        ({"type": "array", "maxItems": 0}, []),
        ({"prefixItems": [{"const": 1}, {"const": "b"}], "maxItems": 2}, [1, "b"]),
        ({"type": "object", "properties": {}}, {}),
        ({"type": "object", "required": ["a"], "additionalProperties": {"const": 1}}, {"a": 1}),
        (
            {
                "allOf": [
                    {"properties": {"a": {"const": 1}}, "required": ["a"]},
                    {"properties": {"b": {"const": 2}}, "required": ["b"]},
                ]
            },
            {"a": 1, "b": 2},
        ),
        (
            {
                "allOf": [{"$ref": "#/$defs/a"}, {"$ref": "#/$defs/b"}],
                "$defs": {
                    "a": {"properties": {"a": {"const": 1}}, "required": ["a"]},
                    "b": {"properties": {"b": {"const": 2}}, "required": ["b"]},
                },
            },
            {"a": 1, "b": 2},
        ),
    ],
)
def test_one_keyword_after_the_other(schema: Schema, value: object) -> None:
    assert {json.dumps(value_of(schema, seed)) for seed in range(8)} == {json.dumps(value)}


TREE = {
    "$ref": "#/$defs/node",
    "$defs": {
        "node": {
            "type": "object",
            "properties": {key: {"$ref": "#/$defs/node"} for key in "abcdefgh"},
            "required": list("abcdefgh"),
        }
    },
}


def test_a_schema_without_end_makes_a_value_of_bounded_size() -> None:
    text = arguments_of(TREE, 1)
    assert 10 < text.count("{") <= MAX_VALUES + 1


def test_a_schema_without_end_makes_a_value_of_bounded_depth() -> None:
    text = arguments_of({"properties": {"a": {"$ref": "#"}}, "required": ["a"]}, 1)
    assert text == '{"a":' * MAX_DEPTH + "{}" + "}" * MAX_DEPTH


def test_there_is_a_number_between_bounds_however_near_they_are() -> None:
    schema = {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 0.001}
    assert all(0 < value_of(schema, seed) < 0.001 for seed in range(20))  # type: ignore[operator]


def test_a_reference_to_itself_makes_something() -> None:
    assert arguments_of({"$ref": "#"}, 1) == "{}"
    assert arguments_of({"properties": {"a": {"anyOf": [{"$ref": "#/properties/a"}]}}, "required": ["a"]}, 1)


def test_what_is_too_much_to_ask_for_is_bounded() -> None:
    assert len(value_of({"type": "array", "minItems": 10**9}, 1)) == MAX_ITEMS  # type: ignore[arg-type]
    assert len(value_of({"type": "string", "minLength": 10**9}, 1)) <= 300  # type: ignore[arg-type]


def test_an_enum_that_json_text_cannot_hold_makes_no_arguments() -> None:
    deep: object = 1
    for _ in range(600):
        deep = [deep]
    assert arguments_of({"properties": {"a": {"const": deep}}, "required": ["a"]}, 1) == "{}"


NODE = {
    "type": "object",
    "properties": {
        "near": {"type": "array", "items": {"$ref": "#/$defs/node"}},
        "above": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
        "beside": {"type": ["object", "null"], "properties": {"node": {"$ref": "#/$defs/node"}}, "required": ["node"]},
        "either": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "integer"}]},
    },
    "required": ["near", "above", "beside", "either"],
}


def is_node(value: object) -> bool:
    """Whether a value is as `NODE` has it, down to its leaves."""
    if not isinstance(value, dict) or value.keys() != {"near", "above", "beside", "either"}:
        return False
    others = [*value["near"], *(each for each in (value["above"], value["either"]) if isinstance(each, dict))]
    if value["beside"] is not None:
        others.append(value["beside"]["node"])
    return all(map(is_node, others))


@given(SEEDS)
def test_a_tree_comes_to_an_end_before_the_bounds_cut_it(seed: int) -> None:
    assert is_node(value_of({"$ref": "#/$defs/node", "$defs": {"node": NODE}}, seed))


def nested(schema: object, levels: int) -> object:
    """Return a schema of arrays in arrays, as full as they may be."""
    for _ in range(levels):
        schema = {"type": "array", "minItems": MAX_ITEMS, "items": schema}
    return schema


LARGE = "x" * (MAX_CHARS // 2)


@pytest.mark.parametrize(
    "schema",
    [
        nested({"const": LARGE}, 3),
        nested({"enum": [[LARGE]]}, 3),
        nested({"default": {LARGE: 1}}, 3),
        nested({"type": "string", "minLength": 10**9}, 3),
        nested({"type": "object", "properties": {LARGE: {"const": 1}}, "required": [LARGE]}, 3),
        nested({"type": "object", "required": [LARGE]}, 3),
    ],
)
def test_what_a_value_takes_over_from_its_schema_is_bounded(schema: object) -> None:
    assert MAX_CHARS // 2 < len(json_of(schema, 1)) < 3 * MAX_CHARS


def test_what_is_too_long_to_be_taken_over_is_made_up() -> None:
    schema = {"type": "object", "properties": {"a": {"const": "x" * 2 * MAX_CHARS, "type": "integer"}}}
    value = value_of({**schema, "required": ["a"]}, 1)
    assert isinstance(value, dict)
    assert isinstance(value["a"], int)


def test_how_much_of_several_schemas_is_put_together_is_bounded() -> None:
    def part(number: int) -> dict[str, object]:
        names = [f"{number} {name}" for name in range(2 * MAX_PROPERTIES)]
        return {"properties": {name: {"$ref": "#"} for name in names}, "required": names}

    schema = {"type": "object", "allOf": [part(number) for number in range(2 * MAX_OPTIONS)]}
    tracemalloc.start()
    try:
        text = arguments_of(schema, 1)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(text) > MAX_VALUES
    assert peak_bytes < 100 * MAX_MERGED


def test_a_schema_that_is_part_of_itself_is_put_together_a_bounded_number_of_times(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked_up: list[object] = []
    refer = schema_module.Maker._referred  # noqa: SLF001 - it is what is counted

    def counted(maker: schema_module.Maker, pointer: object) -> Schema:
        looked_up.append(pointer)
        return refer(maker, pointer)

    monkeypatch.setattr(schema_module.Maker, "_referred", counted)
    again = {"$ref": "#/$defs/a"}
    array = {"type": "array", "minItems": MAX_ITEMS, "items": again, "allOf": [again] * MAX_OPTIONS}
    assert json_of({**again, "$defs": {"a": array}}, 1).startswith("[[")
    assert len(looked_up) < 20_000
