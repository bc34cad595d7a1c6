"""The one form of a body: what says the same is the same, everything else is left alone."""

from __future__ import annotations

import json
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.canonical import canonical_body

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=20,
)


def test_keys_are_sorted_at_every_depth_and_white_space_goes() -> None:
    assert canonical_body(b'{"b": [ {"z":1, "y":"\\u00e9"} ],\n "a":2}') == '{"a":2,"b":[{"y":"é","z":1}]}'.encode()


@pytest.mark.parametrize(
    "body",
    [
        *(
            b"",
            b"plain text",
            b"\xff\xfe",
            b'{"a":1e400}',
            b"NaN",
            b'{"a":"\\ud800"}',
            b'"\xff"',
            b'{"a":1',
            b"[" * 100_000,
        ),
        *(b"\xef\xbb\xbf{ }", b'{"a" :' * 513 + b"1" + b"}" * 513),
    ],
)
def test_what_is_not_strict_json_stays_as_it_is(body: bytes) -> None:
    assert canonical_body(body) == body


def test_numbers_keep_their_type_and_size() -> None:
    big = b"1234567890123456789012345678901234567890"
    assert canonical_body(b"[1, 1.0, " + big + b"]") == b"[1,1.0," + big + b"]"


@given(JSON, st.randoms(use_true_random=False))
def test_the_way_it_is_written_makes_no_difference(value: object, rng: Random) -> None:
    def shuffled(each: object) -> object:
        if isinstance(each, dict):
            names = list(each)
            rng.shuffle(names)
            return {name: shuffled(each[name]) for name in names}
        return [shuffled(one) for one in each] if isinstance(each, list) else each

    other = json.dumps(shuffled(value), indent=1, ensure_ascii=True).encode()
    plain = canonical_body(json.dumps(value, ensure_ascii=False).encode())
    assert canonical_body(other) == plain
    assert canonical_body(plain) == plain


@given(st.binary(max_size=60))
def test_no_body_makes_it_fail(body: bytes) -> None:
    assert isinstance(canonical_body(body), bytes)
