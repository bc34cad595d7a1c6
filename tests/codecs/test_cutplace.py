"""Where a stream was cut, against oracles that look at the whole prefix and share no code with what they judge."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamkit.codecs.cutplace import CutPlace, FramingName, Place, ends_inside_character
from streamkit.codecs.jsonarray import JSONArrayDecoder
from streamkit.codecs.lines import LineScanner
from streamkit.codecs.ndjson import NDJSONDecoder
from streamkit.codecs.sse import SSEDecoder
from streamkit.codecs.stage import BadRecord, Stage
from streamkit.errors import ConfigError, TruncatedError

BOM = b"\xef\xbb\xbf"

# ------------------------------------------------------------------------------------------------------------- oracles


@functools.cache
def beginnings() -> set[bytes]:
    """Every proper beginning of every character in UTF-8."""
    scalars = (chr(code) for code in range(0x80, 0x110000) if not 0xD800 <= code < 0xE000)
    return {wire[:size] for wire in (each.encode() for each in scalars) for size in range(1, len(wire))}


def inside_character(prefix: bytes) -> bool:
    return any(prefix[-size:] in beginnings() for size in (1, 2, 3) if size <= len(prefix))


def inside_line(prefix: bytes) -> bool:
    return prefix != b"" and prefix[-1:] not in {b"\r", b"\n"}


def inside_ndjson(prefix: bytes) -> bool:
    return prefix.removeprefix(BOM).split(b"\n")[-1].strip(b" \t\r") != b""


def inside_sse(prefix: bytes) -> bool:
    text = prefix.removeprefix(BOM).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    *lines, tail = text.split(b"\n")
    block = lines[len(lines) - lines[::-1].index(b"") :] if b"" in lines else lines
    return tail != b"" or any(not line.startswith(b":") for line in block)


def inside_json_array(prefix: bytes) -> bool:
    """Letter by letter, for arrays that are well formed."""
    depth, in_string, escaped, scalar = 0, False, False, ""
    for letter in prefix.removeprefix(BOM).decode("latin-1"):
        if in_string:
            in_string = escaped or letter != '"'
            escaped = letter == "\\" and not escaped
        elif letter in "[{":
            depth += 1
        elif letter in "]}":
            depth -= 1
            scalar = ""
        elif letter == '"':
            in_string = True
        elif depth == 1:
            scalar = "" if letter in ", \r\n" else scalar + letter
    return depth > 1 or in_string or (scalar not in {"true", "false", "null", ""})


INSIDE: dict[FramingName, Callable[[bytes], bool]] = {
    "sse": inside_sse,
    "ndjson": inside_ndjson,
    "json-array": inside_json_array,
    "lines": inside_line,
}


def place_of(framing: FramingName, prefix: bytes) -> Place:
    if inside_character(prefix):
        return "character"
    if prefix.endswith(b"\r"):
        return "cr"
    return "record" if INSIDE[framing](prefix) else "between"


# ------------------------------------------------------------------------------------------------------------- streams


def joined(*pieces: str | bytes) -> st.SearchStrategy[bytes]:
    wires = [each.encode() if isinstance(each, str) else each for each in pieces]
    return st.lists(st.sampled_from(wires), max_size=12).map(b"".join)


SSE = joined(
    "data: 1", "data:é\U0001f642", "\r\n", "\n", "\r", "\n\n", "\r\n\r\n", ": ping", ":", "id: 7", "x", BOM, b"\xf0\x9f"
)
NDJSON = joined('{"a":1}', '"é\U0001f642"', "\r\n", "\n", " ", "\t", "\r", "{", "nonsense", BOM, b"\xe2\x82", b"\xff")
LINES = joined("a", "東京", "\r\n", "\n", "\r", " ", BOM, b"\xc3", b"\x80")

ELEMENT = st.recursive(
    st.none() | st.booleans() | st.integers(0, 999) | st.text(alphabet='a"\\é\U0001f642 ,[]{}', max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=6,
)


@st.composite
def json_arrays(draw: st.DrawFn) -> bytes:
    space = draw(st.sampled_from(["", " ", "\n", "\r\n"]))
    elements = [json.dumps(each, ensure_ascii=False) for each in draw(st.lists(ELEMENT, max_size=4))]
    return (draw(st.sampled_from(["", "\ufeff"])) + f"[{space}" + f"{space},{space}".join(elements) + "]").encode()


WIRES: dict[FramingName, st.SearchStrategy[bytes]] = {
    "sse": SSE,
    "ndjson": NDJSON,
    "json-array": json_arrays(),
    "lines": LINES,
}


@st.composite
def pieces_of(draw: st.DrawFn, wires: st.SearchStrategy[bytes]) -> list[bytes]:
    wire = draw(wires)
    cuts = sorted(draw(st.sets(st.integers(0, len(wire)), max_size=8)) | {0, len(wire)})
    return [wire[start:end] for start, end in pairwise(cuts)]


each_framing = pytest.mark.parametrize("framing", WIRES)

# ---------------------------------------------------------------------------------------------------------------- laws


@given(
    st.binary(max_size=6)
    | st.text(max_size=3).map(str.encode).flatmap(lambda wire: st.integers(0, 3).map(lambda n: wire[: len(wire) - n]))
)
def test_inside_a_character_is_what_begins_one_and_no_more(data: bytes) -> None:
    assert ends_inside_character(data) == inside_character(data)


@each_framing
@given(data=st.data())
def test_the_place_is_that_of_the_prefix_however_it_was_cut(framing: FramingName, data: st.DataObject) -> None:
    cut = CutPlace(framing)
    prefix = b""
    for piece in data.draw(pieces_of(WIRES[framing])):
        prefix += piece
        cut.feed(piece)
        assert cut.place == place_of(framing, prefix), prefix


def decoder_of(framing: FramingName) -> Stage[bytes, object]:
    decoders: dict[FramingName, Stage[bytes, object]] = {
        "sse": SSEDecoder(),
        "ndjson": NDJSONDecoder(on_error="item"),
        "json-array": JSONArrayDecoder(on_error="item"),
        "lines": LineScanner(newline="any"),
    }
    return decoders[framing]


@each_framing
@given(data=st.data())
def test_as_many_records_as_the_decoder_finds_in_the_whole(framing: FramingName, data: st.DataObject) -> None:
    pieces = data.draw(pieces_of(WIRES[framing]))
    decoder = decoder_of(framing)
    items = decoder.feed(b"".join(pieces))
    is_cut = False
    try:
        items += decoder.finish()
    except TruncatedError as error:
        items += error.items
        is_cut = True
    cut = CutPlace(framing)
    for piece in pieces:
        cut.feed(piece)
    cut.finish()
    assert cut.records == len(items)
    assert cut.bad_records == sum(isinstance(item, BadRecord) for item in items)
    assert bool(cut.problem) == (is_cut or bool(getattr(decoder, "dropped_bytes", 0)))


@each_framing
@given(data=st.data())
def test_counts_are_those_of_the_prefix(framing: FramingName, data: st.DataObject) -> None:
    """What a read completes is counted with that read: a stage's promptness."""
    cut, prefix = CutPlace(framing), b""
    for piece in data.draw(pieces_of(WIRES[framing])):
        prefix += piece
        cut.feed(piece)
        assert cut.records == len(decoder_of(framing).feed(prefix))


@given(st.lists(st.binary(max_size=20)), st.sampled_from([*WIRES, "none"]))
def test_nothing_is_raised_for_any_bytes(pieces: list[bytes], framing: FramingName) -> None:
    cut = CutPlace(framing, max_record_bytes=8)
    for piece in pieces:
        cut.feed(piece)
    cut.finish()


# --------------------------------------------------------------------------------------------------------------- cases

CASES: list[tuple[FramingName, bytes, Place]] = [
    ("sse", b"", "between"),
    ("sse", b"data: caf\xc3", "character"),
    ("sse", b"data: caf\xc3\xa9", "record"),
    ("sse", b"data: x\r", "cr"),
    ("sse", b"data: x\r\n", "record"),
    ("sse", b"data: x\r\n\r", "cr"),
    ("sse", b"data: x\r\n\r\n", "between"),
    ("sse", b": ping\n", "between"),
    ("sse", b": pi", "record"),
    ("sse", b"data: x\n: ping\n", "record"),
    ("ndjson", b"{}\n", "between"),
    ("ndjson", b"{}\n ", "between"),
    ("ndjson", b"{}\n{", "record"),
    ("json-array", b"[", "between"),
    ("json-array", b"[{}", "between"),
    ("json-array", b"[{},", "between"),
    ("json-array", b'[{"a', "record"),
    ("json-array", b"[1", "record"),
    ("json-array", b"[true", "between"),
    ("json-array", b"[tru", "record"),
    ("lines", b"one\n", "between"),
    ("lines", b"one", "record"),
]


@pytest.mark.parametrize(("framing", "wire", "place"), CASES, ids=[f"{framing} {wire!r}" for framing, wire, _ in CASES])
def test_a_place(framing: FramingName, wire: bytes, place: Place) -> None:
    cut = CutPlace(framing)
    cut.feed(wire)
    assert cut.place == place


def test_behind_a_cr_it_is_known_what_comes_if_no_lf_does() -> None:
    cut = CutPlace("sse")
    cut.feed(b"data: x\r")
    assert (cut.place, cut.is_inside) == ("cr", True)
    cut.feed(b"\r")
    assert (cut.place, cut.is_inside, cut.records) == ("cr", False, 1)


def test_heartbeats_are_no_records() -> None:
    cut = CutPlace("sse")
    cut.feed(b": ping\n\ndata: 1\n\n: ping\n\n")
    assert (cut.records, cut.comments) == (1, 2)


def test_an_array_that_is_none_is_followed_no_further() -> None:
    cut = CutPlace("json-array")
    cut.feed(b"[1,2 3")
    cut.feed(b",4]")
    cut.finish()
    assert cut.records == 2
    assert cut.place is None
    assert "expected ',' or ']'" in cut.problem


@pytest.mark.parametrize(
    ("framing", "wire", "dropped_bytes"),
    [
        ("sse", b"data: 1\n\ndata: 2\n", 8),
        ("ndjson", b'{}\n{"a', 3),
        ("json-array", b"[{", 1),
        ("ndjson", b"{}\n{}", 0),
    ],
)
def test_the_end_inside_a_record_cuts_it(framing: FramingName, wire: bytes, dropped_bytes: int) -> None:
    cut = CutPlace(framing)
    cut.feed(wire)
    cut.finish()
    assert cut.dropped_bytes == dropped_bytes
    assert bool(cut.problem) == bool(dropped_bytes)


def test_without_framing_there_are_no_places() -> None:
    cut = CutPlace("none")
    cut.feed(b"\xc3")
    cut.finish()
    assert (cut.place, cut.records, cut.problem) == (None, 0, "")


def test_a_framing_that_does_not_exist() -> None:
    with pytest.raises(ConfigError, match="framing is 'xml'"):
        CutPlace("xml")  # type: ignore[arg-type]
