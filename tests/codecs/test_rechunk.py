"""Where each policy cuts, and what no policy may do: change a byte, or let the input's own cuts show."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamkit import (
    Coalesce,
    ConfigError,
    Events,
    EveryByte,
    Hostile,
    LimitExceeded,
    Lines,
    RandomSize,
    Rechunker,
    Size,
)
from streamkit.codecs.policies import POLICIES, Policy
from streamkit.testing import outcome, splits

TEXTS = {"size": "3", "random": "1:5", "coalesce": "2"}
"""A text form for every policy that takes one."""

POLICY_ROWS = {name: policy.parse(TEXTS.get(name, ""), seed=7) for name, policy in POLICIES.items()}


def pieces_of(policy: Policy, *inputs: bytes) -> list[object]:
    return list(outcome(Rechunker(policy), inputs).items)


@pytest.mark.parametrize(
    ("policy", "wire", "pieces"),
    [
        (Size(4), b"abcdefghij", [b"abcd", b"efgh", b"ij"]),
        (Size(1), b"", []),
        (EveryByte(), b"a\xc3\xa9", [b"a", b"\xc3", b"\xa9"]),
        (Lines(), b"a\r\n\nb\rc", [b"a\r\n", b"\n", b"b\rc"]),
        (Events(), b"data: a\n\n: c\r\r\n\r\ndata: b", [b"data: a\n\n", b": c\r\r\n", b"\r\n", b"data: b"]),
        (Events(), b"data: a\r\n\r\ndata: b\r\r", [b"data: a\r\n\r\n", b"data: b\r\r"]),
        (
            Hostile(),
            b'"\xc3\xa9\\n\xf0\x9f\x99\x82"\r\n\n',
            [b'"\xc3', b"\xa9\\", b"n\xf0", b"\x9f", b"\x99", b'\x82"', b"\r", b"\n", b"\n"],
        ),
        (Hostile(), b"plain", [b"plain"]),
        (Hostile(), b"\\\\u", [b"\\", b"\\", b"u"]),
    ],
)
def test_where_the_cuts_are(policy: Policy, wire: bytes, pieces: list[bytes]) -> None:
    assert pieces_of(policy, wire) == pieces


def test_coalesce_counts_what_comes_in() -> None:
    assert pieces_of(Coalesce(2), b"a", b"b", b"", b"c", b"d", b"e") == [b"ab", b"cd", b"e"]


def test_random_sizes_come_from_the_seed_and_stay_in_bounds() -> None:
    data = bytes(range(256)) * 40
    pieces = pieces_of(RandomSize(3, 9, seed=1), data)
    assert pieces == pieces_of(RandomSize(3, 9, seed=1), data)
    assert pieces != pieces_of(RandomSize(3, 9, seed=2), data)
    assert {len(piece) for piece in pieces[:-1] if isinstance(piece, bytes)} == set(range(3, 10))


def test_reset_starts_the_seed_again() -> None:
    stage = Rechunker(RandomSize(1, 9, seed=1))
    first = outcome(stage, [bytes(100)])
    stage.reset()
    assert outcome(stage, [bytes(100)]) == first


@pytest.mark.parametrize("name", POLICIES)
@given(data=st.data())
def test_no_policy_changes_a_byte(name: str, data: st.DataObject) -> None:
    wire = data.draw(st.binary(max_size=60) | st.text("aé🙂\\\r\n: ", max_size=40).map(str.encode))
    pieces = pieces_of(POLICY_ROWS[name], *data.draw(splits(wire)))
    assert b"".join(piece for piece in pieces if isinstance(piece, bytes)) == wire
    assert b"" not in pieces


@pytest.mark.parametrize("name", [name for name, policy in POLICIES.items() if policy.holds and policy is not Coalesce])
@given(data=st.data())
def test_the_pieces_of_a_policy_that_holds_depend_on_the_bytes_alone(name: str, data: st.DataObject) -> None:
    wire = data.draw(st.text("aé\r\n", max_size=40).map(str.encode))
    assert pieces_of(POLICY_ROWS[name], *data.draw(splits(wire))) == pieces_of(POLICY_ROWS[name], wire)


@pytest.mark.parametrize("name", [name for name, policy in POLICIES.items() if not policy.holds])
@given(pieces=st.lists(st.text("aé\\\r\n", max_size=5).map(str.encode)))
def test_a_policy_that_does_not_hold_puts_out_each_input_at_once(name: str, pieces: list[bytes]) -> None:
    stage = Rechunker(POLICY_ROWS[name])
    for piece in pieces:
        assert b"".join(stage.feed(piece)) == piece


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("size", ""), ("size", "x"), ("size", "0"), ("size", "-1"), ("size", "1:2"), ("size", "1.5"),
        ("size", "9" * 30),
        ("random", "5"), ("random", "0:5"), ("random", "5:1"), ("random", "1:"), ("random", "1:2:3"),
        ("coalesce", "0"), ("coalesce", "many"),
    ],
)  # fmt: skip
def test_a_text_that_is_no_policy(name: str, text: str) -> None:
    with pytest.raises(ConfigError):
        POLICIES[name].parse(text, seed=1)


def test_what_is_held_has_a_bound() -> None:
    stage = Rechunker(Lines(), max_held_bytes=5)
    with pytest.raises(LimitExceeded) as caught:
        stage.feed(b"ok\n1234567")
    assert (caught.value.items, caught.value.offset, caught.value.record) == ([b"ok\n"], 8, 2)
