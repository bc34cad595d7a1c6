"""How deep a JSON text is nested: the same whatever it is cut into, and found faster than it is decoded."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from streamkit.codecs import jsontext
from streamkit.codecs.jsontext import MAX_DEPTH


def is_too_deep_by_the_book(text: bytes) -> bool:
    """Whether brackets outside of strings are nested too deep: letter by letter. An escape there is no JSON at all."""
    depth, place = 0, 0
    while place < len(text):
        if text[place : place + 1] == b'"':
            place += 1
            while place < len(text) and text[place : place + 1] != b'"':
                place += 2 if text[place : place + 1] == b"\\" else 1
        elif text[place : place + 1] == b"\\":
            reject()
        elif text[place] in b"[{":
            depth += 1
        elif text[place] in b"]}":
            depth -= 1
        if depth > MAX_DEPTH:
            return True
        place += 1
    return False


PIECES = st.sampled_from([b"[" * 300, b"]" * 200, b'{"a":' * 100, b"}" * 50, b'"[\\"["', b'"\\\\"', b"[],", b'"'])


@given(st.lists(PIECES, max_size=20).map(b"".join), st.integers(1, 200))
def test_how_deep_a_text_is_does_not_depend_on_how_it_is_cut_up(text: bytes, window_bytes: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jsontext, "WINDOW_BYTES", window_bytes)
        assert (jsontext.too_deep_at(text + b" " * jsontext.SAFE_BYTES) is not None) == is_too_deep_by_the_book(text)


def test_to_look_for_depth_takes_less_time_than_to_decode() -> None:
    text = b"[" + b"[]," * 1_000_000 + b"[]]"
    begun = time.thread_time()
    assert jsontext.too_deep_at(text) is None
    looked = time.thread_time()
    jsontext.decode(text)
    assert looked - begun < time.thread_time() - looked
