"""The NDJSON rules: every case of the table in every cut, then adversarial lines against an independent recogniser.

The recogniser below is RFC 8259's grammar, written as a machine that takes one byte after the other and names the first
byte that it cannot take. The standard library's decoder judges the values. Neither shares code with the decoder.
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Callable, Iterable
from typing import NoReturn

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streamkit.codecs.ndjson import NDJSONDecoder
from streamkit.codecs.ndjson_encoder import NDJSONEncoder
from streamkit.codecs.stage import BadRecord
from streamkit.errors import (
    ConfigError,
    DecodeError,
    EncodeError,
    LimitExceeded,
    StageStateError,
    TruncatedError,
)
from tests.codecs.ndjson_cases import CASES, NOTHING, TEXTS, Bad, Case, Text

every_case = pytest.mark.parametrize("case", CASES, ids=str)
every_text = pytest.mark.parametrize("text", TEXTS, ids=str)


def bytewise(data: bytes) -> list[bytes]:
    return [data[i : i + 1] for i in range(len(data))]


def every_cut(data: bytes) -> Iterable[list[bytes]]:
    """Yield `data` whole, bytewise, and in two, with empty chunks between, at every position (or many)."""
    yield [data]
    yield bytewise(data)
    step = max(1, len(data) // 200)
    for at in sorted({*range(0, len(data), step), *range(min(32, len(data))), max(0, len(data) - 1)}):
        yield [data[:at], b"", data[at:], b""]


def same(left: object, right: object) -> bool:
    """Compare JSON values without Python's leniency: True is not 1, nor 1.0, and -0.0 is not 0.0. Without recursion."""
    waiting = [(left, right)]
    while waiting:
        a, b = waiting.pop()
        if type(a) is not type(b):
            return False
        if isinstance(a, list) and isinstance(b, list):
            if len(a) != len(b):
                return False
            waiting += zip(a, b, strict=True)
        elif isinstance(a, dict) and isinstance(b, dict):
            if list(a) != list(b):
                return False
            waiting += zip(a.values(), b.values(), strict=True)
        elif isinstance(a, float) and isinstance(b, float):
            if a != b or math.copysign(1, a) != math.copysign(1, b):
                return False
        elif a != b:
            return False
    return True


def all_same(left: list[object], right: list[object]) -> bool:
    return same(list(left), list(right))


def as_bad(error: DecodeError) -> Bad:
    assert error.offset is not None
    assert error.stage == "ndjson"
    return Bad(error.code, error.offset)


def decode(chunks: Iterable[bytes], *, blank_is_error: bool = False) -> list[object]:
    """Decode past every bad record; return values and `Bad`s."""
    decoder = NDJSONDecoder(on_error="item", blank="error" if blank_is_error else "skip")
    out: list[object] = []
    try:
        for chunk in chunks:
            out += decoder.feed(chunk)
        out += decoder.finish()
    except TruncatedError as error:
        out += [*error.items, BadRecord(error)]
    return [as_bad(item.error) if isinstance(item, BadRecord) else item for item in out]


def decode_until_error(chunks: Iterable[bytes]) -> tuple[list[object], DecodeError | None]:
    """Decode up to the first bad record; return the values before it and its error."""
    decoder = NDJSONDecoder()
    out: list[object] = []
    try:
        for chunk in chunks:
            out += decoder.feed(chunk)
        out += decoder.finish()
    except DecodeError as error:
        with pytest.raises(StageStateError):
            decoder.feed(b"")
        return [*out, *error.items], error
    return out, None


# --- the independent judge -------------------------------------------------------------------------------------------

SPACE = b" \t\r\n"
NUMBER = re.compile(rb"(-?(?:0|[1-9][0-9]*))(\.[0-9]+)?([eE][+-]?[0-9]+)?")
NUMBER_STEPS: dict[str, tuple[tuple[bytes, str], ...]] = {
    "start": ((b"-", "minus"), (b"0", "zero"), (b"123456789", "int")),
    "minus": ((b"0", "zero"), (b"123456789", "int")),
    "zero": ((b".", "point"), (b"eE", "e")),
    "int": ((b"0123456789", "int"), (b".", "point"), (b"eE", "e")),
    "point": ((b"0123456789", "fraction"),),
    "fraction": ((b"0123456789", "fraction"), (b"eE", "e")),
    "e": ((b"+-", "sign"), (b"0123456789", "exponent")),
    "sign": ((b"0123456789", "exponent"),),
    "exponent": ((b"0123456789", "exponent"),),
}
NUMBER_ENDS = {"zero", "int", "fraction", "exponent"}


class WrongAtError(Exception):
    """The text is wrong at a byte."""

    def __init__(self, code: str, position: int) -> None:
        super().__init__(code, position)
        self.bad = Bad(code, position)


def wrong(position: int, code: str = "invalid-json") -> NoReturn:
    raise WrongAtError(code, position)


def number_end(text: bytes, start: int) -> int:
    state, position = "start", start
    while True:
        byte = text[position : position + 1]
        steps = [to for accepted, to in NUMBER_STEPS[state] if byte and byte in accepted]
        if not steps:
            break
        state = steps[0]
        position += 1
    if state not in NUMBER_ENDS:
        wrong(position)
    token = text[start:position]
    if token.lstrip(b"-").isdigit():
        if len(token.lstrip(b"-")) > 4300:
            wrong(start, "number-range")
    elif math.isinf(float(token)):
        wrong(start, "number-range")
    return position


def hex_end(text: bytes, start: int) -> int:
    for position in range(start, start + 4):
        if text[position : position + 1] not in {bytes([digit]) for digit in b"0123456789abcdefABCDEF"}:
            wrong(position)
    return start + 4


def string_end(text: bytes, start: int) -> int:
    position = start + 1
    while True:
        if position >= len(text) or text[position] < 0x20:
            wrong(position)
        byte = text[position : position + 1]
        if byte == b'"':
            return position + 1
        if byte != b"\\":
            position += 1
            continue
        kind = text[position + 1 : position + 2]
        if kind and kind in b'"\\/bfnrt':
            position += 2
        elif kind == b"u":
            end = hex_end(text, position + 2)
            unit = int(text[position + 2 : end], 16)
            if 0xD800 <= unit <= 0xDFFF:
                other = re.compile(rb"\\u[dD][c-fC-F][0-9a-fA-F]{2}").match(text, end)
                if unit >= 0xDC00 or not other:
                    wrong(position)
                end = other.end()
            position = end
        else:
            wrong(position + 1)


def check_grammar(text: bytes) -> None:
    """Raise for the first byte that RFC 8259, with the decoder's limits, does not allow. A byte over 7F is a letter."""
    closes: list[bytes] = []
    expected = "value"
    position = 0
    while True:
        while position < len(text) and text[position] in SPACE:
            position += 1
        if position == len(text):
            if expected != "end":
                wrong(position)
            return
        byte = text[position : position + 1]
        if expected == "end":
            wrong(position)
        elif expected == "colon":
            if byte != b":":
                wrong(position)
            expected = "value"
            position += 1
        elif expected in {"key", "key or close"} and byte == b'"':
            position = string_end(text, position)
            expected = "colon"
        elif expected in {"value or close", "key or close", "comma or close"} and byte == closes[-1]:
            closes.pop()
            position += 1
            expected = "comma or close" if closes else "end"
        elif expected == "comma or close":
            if byte != b",":
                wrong(position)
            expected = "key" if closes[-1] == b"}" else "value"
            position += 1
        elif expected not in {"value", "value or close"}:
            wrong(position)
        elif byte in {b"[", b"{"}:
            if len(closes) == 512:
                wrong(position, "too-deep")
            closes.append(b"]" if byte == b"[" else b"}")
            expected = "value or close" if byte == b"[" else "key or close"
            position += 1
        else:
            position = scalar_end(text, position)
            expected = "comma or close" if closes else "end"


def scalar_end(text: bytes, position: int) -> int:
    byte = text[position : position + 1]
    if byte == b'"':
        return string_end(text, position)
    if byte in b"-0123456789":
        return number_end(text, position)
    for literal in (b"null", b"true", b"false"):
        if byte == literal[:1]:
            for index, letter in enumerate(literal):
                if text[position + index : position + index + 1] != bytes([letter]):
                    wrong(position + index)
            return position + len(literal)
    wrong(position)


def judge(text: bytes) -> Bad | None:
    """Return what is wrong with a JSON text, or None."""
    not_utf8 = len(text) + 1
    try:
        text.decode()
    except UnicodeDecodeError as error:
        not_utf8 = error.start
    try:
        check_grammar(text)
    except WrongAtError as error:
        if error.bad.offset < not_utf8:
            return error.bad
    return Bad("invalid-utf8", not_utf8) if not_utf8 <= len(text) else None


def expected_outcomes(wire: bytes, *, blank_is_error: bool = False) -> list[object]:
    """Say what a decoder must yield for a whole input: values, `Bad`s, and at last perhaps a truncation."""
    out: list[object] = []
    start = 0
    *lines, last = wire.split(b"\n")
    for line in lines:
        out += outcome_of(line.removesuffix(b"\r"), start, first=start == 0, blank_is_error=blank_is_error)
        start += len(line) + 1
    for item in outcome_of(last.removesuffix(b"\r"), start, first=start == 0, blank_is_error=False):
        out.append(Bad("truncated", item.offset) if isinstance(item, Bad) else item)
    return out


def outcome_of(line: bytes, start: int, *, first: bool, blank_is_error: bool) -> list[object]:
    if first and line.startswith(b"\xef\xbb\xbf"):
        line, start = line[3:], start + 3
    if not line.strip(b" \t\r"):
        return [Bad("blank-line", start)] if blank_is_error else []
    bad = judge(line)
    return [Bad(bad.code, start + bad.offset) if bad else json.loads(line.decode())]


# --- one text --------------------------------------------------------------------------------------------------------


def test_the_tables_name_each_case_once() -> None:
    assert len({str(case) for case in CASES}) == len(CASES) >= 60
    assert len({text.name for text in TEXTS}) == len(TEXTS) >= 150


@every_text
def test_judge_agrees_with_the_table(text: Text) -> None:
    """A machine to be trusted with adversarial input must get the ordinary right."""
    bad = judge(text.text)
    assert bad == (text.outcome if isinstance(text.outcome, Bad) else None)


@every_text
def test_text_alone(text: Text) -> None:
    (outcome,) = decode([text.text + b"\n"])
    assert same(outcome, text.outcome)


@every_text
def test_text_among_others(text: Text) -> None:
    """In the middle of a stream, where the decoder may take many lines at once; and with CRLF."""
    expected = text.outcome if not isinstance(text.outcome, Bad) else Bad(text.outcome.code, text.outcome.offset + 10)
    wire = b'0\n{"a":1}\n' + text.text + b"\n[2]\n"
    assert all_same(decode([b"0\n", wire[2:]]), [0, {"a": 1}, expected, [2]])
    assert all_same(decode([wire.replace(b"\n[2]", b"\r\n[2]")]), [0, {"a": 1}, expected, [2]])


@every_text
def test_text_without_line_end(text: Text) -> None:
    outcome = decode([text.text])
    if isinstance(text.outcome, Bad):
        assert outcome == [Bad("truncated", text.outcome.offset)]
    else:
        assert all_same(outcome, [text.outcome])


@every_text
def test_text_raw_has_the_same_verdict(text: Text) -> None:
    for before, after in ((b"", b"\n"), (b"", b"\r\n"), (b"0\n", b"\n"), (b"", b"")):
        decoder = NDJSONDecoder(raw=True)
        wire = before + text.text + after
        if isinstance(text.outcome, Bad):
            with pytest.raises(DecodeError) as caught:
                decoder.feed(wire) + decoder.finish()
            code = text.outcome.code if after else "truncated"
            assert as_bad(caught.value) == Bad(code, text.outcome.offset + len(before))
        else:
            assert [*decoder.feed(wire), *decoder.finish()] == [*before.split(), text.text]


@every_text
def test_text_decoded_deep_in_a_callers_stack(text: Text) -> None:
    """However little stack is left, a record never ends in RecursionError; a shallow one decodes as ever."""

    def at_depth(frames: int, call: Callable[[], list[object]]) -> list[object]:
        return call() if frames == 0 else at_depth(frames - 1, call)

    frame, depth = sys._getframe(), 0  # noqa: SLF001 - the only way to learn how deep we are
    while frame.f_back is not None:
        frame, depth = frame.f_back, depth + 1
    zero, outcome = at_depth(sys.getrecursionlimit() - depth - 60, lambda: decode([b"0\n", text.text + b"\n"]))
    assert zero == 0
    if text.text.count(b"[") + text.text.count(b"{") < 40:
        expected = text.outcome
        assert same(outcome, Bad(expected.code, expected.offset + 2) if isinstance(expected, Bad) else expected)


# --- framing ---------------------------------------------------------------------------------------------------------


@every_case
def test_judge_agrees_with_the_framing_table(case: Case) -> None:
    assert all_same(expected_outcomes(case.wire), case.outcomes)


@every_case
def test_every_cut(case: Case) -> None:
    for chunks in every_cut(case.wire):
        assert all_same(decode(chunks), case.outcomes)


@every_case
def test_promptness(case: Case) -> None:
    """Each record, good or bad, comes out of the feed of its line feed."""
    decoder = NDJSONDecoder(on_error="item")
    came_at = [end for end, byte in enumerate(bytewise(case.wire), 1) for _ in decoder.feed(byte)]
    assert came_at == case.decided_at


@every_case
def test_error_is_the_same_in_every_cut(case: Case) -> None:
    """Up to the first bad record: the values before it, and everything that the error says."""
    bad_at = next((i for i, outcome in enumerate(case.outcomes) if isinstance(outcome, Bad)), None)
    said = set()
    for chunks in every_cut(case.wire):
        values, error = decode_until_error(chunks)
        assert all_same(values, case.outcomes[:bad_at])
        assert (error is None) == (bad_at is None)
        if error is not None:
            assert as_bad(error) == case.outcomes[len(values)]
            assert error.record == len(values) + 1
            assert error.truncated == (error.code == "truncated") == isinstance(error, TruncatedError)
            said.add((str(error), error.reason, error.excerpt))
    assert len(said) == (bad_at is not None)


@every_case
def test_raw_has_the_same_verdicts(case: Case) -> None:
    for chunks in ([case.wire], bytewise(case.wire)):
        decoder = NDJSONDecoder(raw=True, on_error="item")
        out: list[bytes | BadRecord] = []
        try:
            for chunk in chunks:
                out += decoder.feed(chunk)
            out += decoder.finish()
        except TruncatedError as error:
            out.append(BadRecord(error))
        outcomes = [as_bad(item.error) if isinstance(item, BadRecord) else json.loads(item) for item in out]
        assert all_same(outcomes, case.outcomes)
        assert all(b"\n" not in item and item in case.wire for item in out if isinstance(item, bytes))


def test_good_records_before_a_bad_one_are_in_the_error() -> None:
    decoder = NDJSONDecoder()
    assert decoder.feed(b"1\n2\n") == [1, 2]
    with pytest.raises(DecodeError) as caught:
        decoder.feed(b"3\n4\n[5\n6\n")
    error = caught.value
    assert error.items == [3, 4]
    assert (error.record, error.offset, error.code) == (5, 10, "invalid-json")
    assert "[5" in error.excerpt
    assert "record 5" in str(error)
    assert "byte 10" in str(error)


def test_item_mode_goes_on() -> None:
    decoder = NDJSONDecoder(on_error="item")
    one, bad, two = decoder.feed(b"1\nx\n2\n")
    assert (one, two) == (1, 2)
    assert isinstance(bad, BadRecord)
    assert (bad.error.record, bad.error.offset, bad.error.items) == (2, 2, ())


def test_item_mode_raises_a_cut_all_the_same() -> None:
    """What is missing at the end of the input is not a record to skip."""
    decoder = NDJSONDecoder(on_error="item")
    assert decoder.feed(b'1\n{"a"') == [1]
    with pytest.raises(TruncatedError) as caught:
        decoder.finish()
    assert (caught.value.dropped_bytes, caught.value.record, caught.value.truncated) == (4, 2, True)


def test_excerpt_is_short_and_printable() -> None:
    with pytest.raises(DecodeError) as caught:
        NDJSONDecoder().feed(b'"' + b"x" * 500 + b"\x1b[31m\xff" + b"y" * 500 + b'"\n')
    excerpt = caught.value.excerpt
    assert len(excerpt) < 200
    assert excerpt.isascii()
    assert excerpt.isprintable()
    assert "\\x1b" in excerpt


def test_error_lies_within_its_own_line() -> None:
    """What a record lacks must not be looked for in the next one."""
    with pytest.raises(DecodeError) as caught:
        NDJSONDecoder().feed(b'{"a":1\n}\n')
    assert caught.value.offset == 6


@pytest.mark.parametrize("line", [b"", b"\r", b" ", b"\t \r", b"\r\r"])
def test_blank_line_is_an_error_if_asked_for(line: bytes) -> None:
    wire = b"1\n" + line + b"\n2\n"
    for chunks in every_cut(wire):
        assert decode(chunks, blank_is_error=True) == [1, Bad("blank-line", 2), 2]


def test_blank_rest_is_no_line_even_if_blank_lines_are_errors() -> None:
    assert decode([b"1\n"], blank_is_error=True) == [1]
    assert decode([b""], blank_is_error=True) == []


def test_blank_lines_do_not_count_as_records() -> None:
    with pytest.raises(DecodeError) as caught:
        NDJSONDecoder().feed(b"\n\n1\n\nx\n")
    assert caught.value.record == 2


def test_finish_is_idempotent_and_closes() -> None:
    decoder = NDJSONDecoder()
    decoder.feed(b"1")
    assert decoder.finish() == [1]
    assert decoder.finish() == []
    with pytest.raises(StageStateError):
        decoder.feed(b"2\n")


def test_cut_is_told_once() -> None:
    decoder = NDJSONDecoder()
    decoder.feed(b"[")
    with pytest.raises(TruncatedError):
        decoder.finish()
    assert decoder.finish() == []


@pytest.mark.parametrize("before", [b"1\n2\n[3", b"\xef\xbb\xbf", b"\xef", b"1\n", b"", b'"' + b"x" * 100])
@pytest.mark.parametrize("finish", [True, False])
def test_reset_is_a_new_decoder(before: bytes, finish: bool) -> None:
    decoder = NDJSONDecoder(max_record_bytes=50)
    try:
        decoder.feed(before)
        if finish:
            decoder.finish()
    except DecodeError:
        pass
    decoder.reset()
    assert decoder.feed(b"\xef\xbb\xbf1\n2\n") == [1, 2]
    with pytest.raises(DecodeError) as caught:
        decoder.feed(b"x\n")
    assert (caught.value.offset, caught.value.record) == (7, 3)


def test_option_that_is_none() -> None:
    with pytest.raises(ConfigError):
        NDJSONDecoder(max_record_bytes=0)
    with pytest.raises(ConfigError):
        NDJSONDecoder(on_error="skip")  # type: ignore[call-overload]
    with pytest.raises(ConfigError):
        NDJSONDecoder(blank="keep")  # type: ignore[call-overload]


# --- fuzz ------------------------------------------------------------------------------------------------------------

LINE_ATOMS = st.sampled_from(
    [
        b"\n", b"\n", b"\r\n", b"\r", b" ", b"\t", b"[", b"]", b"{", b"}", b",", b":", b'"', b'"a"', b'"a":', b"null",
        b"true", b"false", b"nul", b"0", b"1", b"-", b"1.5", b"1e5", b"1e400", b"e", b".", b"18446744073709551616",
        b"\\", b"\\u0041", b"\\ud83d", b"\\udc4b", b"\\ud", b"\\n", b"\\x", b"NaN", b"Infinity", b"\xef\xbb\xbf",
        b"\xff", b"\xfe",
        b"\0", b"\x80", b"\xe2\x82", b"\xed\xa0\x80", b"\xc2\x85", b"\xe2\x80\xa8", "é👋".encode(), b"\x0b",
        b"\x1f", b"x", b"1\n", b'{"a":1}\n', b'"\xff"', b'"\\ud800"', b'["', b'{"',
    ]
)  # fmt: skip

JSON_VALUES: st.SearchStrategy[object] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**80), 2**80)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)

JSON_LINES = st.builds(
    lambda value, ascii_only, spaced, end: (
        json.dumps(
            value, ensure_ascii=ascii_only, indent=None, separators=(", ", " : ") if spaced else (",", ":")
        ).encode()
        + end
    ),
    JSON_VALUES,
    st.booleans(),
    st.booleans(),
    st.sampled_from([b"\n", b"\r\n", b" \n", b""]),
)


@st.composite
def spoiled(draw: st.DrawFn) -> bytes:
    """Good lines, some of them with a few bytes dropped, repeated or put in."""
    wire = bytearray(b"".join(draw(st.lists(JSON_LINES, max_size=5))))
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(wire)))
        to = draw(st.integers(at, min(len(wire), at + 3)))
        wire[at:to] = draw(st.one_of(st.just(b""), LINE_ATOMS))
    return bytes(wire)


WIRES = st.one_of(st.lists(LINE_ATOMS, max_size=12).map(b"".join), spoiled(), st.binary(max_size=12))


def cut(wire: bytes, data: st.DataObject) -> list[bytes]:
    ends = sorted(data.draw(st.lists(st.integers(0, len(wire)), max_size=6)))
    return [wire[start:end] for start, end in zip([0, *ends], [*ends, len(wire)], strict=True)]


@given(WIRES, st.data(), st.booleans())
def test_fuzz_against_the_judge(wire: bytes, data: st.DataObject, blank_is_error: bool) -> None:
    expected = expected_outcomes(wire, blank_is_error=blank_is_error)
    for chunks in ([wire], bytewise(wire), cut(wire, data)):
        assert all_same(decode(chunks, blank_is_error=blank_is_error), expected)


@given(WIRES, st.data())
def test_fuzz_raw_verdicts_equal_decoded_verdicts(wire: bytes, data: st.DataObject) -> None:
    """On every input, good or bad: the same records at the same places, the same errors in every word."""

    def told(decoder: NDJSONDecoder[object] | NDJSONDecoder[bytes], chunks: list[bytes]) -> list[object]:
        out: list[object] = []
        try:
            for chunk in chunks:
                out += decoder.feed(chunk)
            out += decoder.finish()
        except DecodeError as error:
            said = (type(error), str(error), error.code, error.offset, error.record, error.excerpt, error.truncated)
            out += [*error.items, said]
        return out

    decoded = told(NDJSONDecoder(), [wire])
    for chunks in ([wire], bytewise(wire), cut(wire, data)):
        assert all_same(told(NDJSONDecoder(), chunks), decoded)
        raw = told(NDJSONDecoder(raw=True), chunks)
        assert all_same([json.loads(item) if isinstance(item, bytes) else item for item in raw], decoded)


@given(st.lists(JSON_LINES, max_size=20), st.data())
def test_fuzz_good_lines(lines: list[bytes], data: st.DataObject) -> None:
    lines = [line if line.endswith(b"\n") else line + b"\n" for line in lines]
    wire = b"".join(lines)
    expected: list[object] = [json.loads(line) for line in lines]
    for chunks in ([wire], lines, cut(wire, data)):
        assert all_same(decode(chunks), expected)
    for chunks in ([wire], lines, bytewise(wire), cut(wire, data)):
        decoder = NDJSONDecoder(raw=True)
        raw = [record for chunk in chunks for record in decoder.feed(chunk)]
        assert raw == [line[:-1].removesuffix(b"\r") for line in lines]


@given(
    st.lists(st.sampled_from([b"[", b"]", b"{", b'{"a":', b"}", b'"', b"\\", b'["', b"1", b","]), max_size=30),
    st.integers(0, 60),
)
def test_fuzz_depth(atoms: list[bytes], times: int) -> None:
    """Brackets in and out of strings, deep enough to matter: the limit counts levels, not characters."""
    text = b"1" if not atoms or not times else b"".join(atoms) * times
    (verdict,) = decode([text + b"\n"])
    bad = judge(text)
    if bad is None:
        assert same(verdict, json.loads(text))
    else:
        assert isinstance(verdict, Bad)
        assert verdict.code in {bad.code, "too-deep"}


# --- limit -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wire", "limit", "outcomes"),
    [
        pytest.param(b'"abcd"\n', 6, ["abcd"], id="just-fits"),
        pytest.param(b'"abcde"\n', 6, [Bad("limit", 6)], id="one-over"),
        pytest.param(b'"abcd"', 6, ["abcd"], id="just-fits-not-ended"),
        pytest.param(b'1\n"abcdef"\n2\n', 6, [1, Bad("limit", 8), 2], id="between"),
        pytest.param(b"1\n" * 50, 2, [1] * 50, id="many-records"),
        pytest.param(b'"abcdef"\n"abcdef"\n', 6, [Bad("limit", 6), Bad("limit", 15)], id="two"),
        pytest.param(b"x" * 100 + b"\n1\n", 6, [Bad("limit", 6), 1], id="long-and-bad"),
        pytest.param(b" " * 100 + b"\n1\n", 6, [Bad("limit", 6), 1], id="long-and-blank"),
        pytest.param(b'"abcdef"\n\xef\xbb\xbf1\n', 6, [Bad("limit", 6), Bad("invalid-json", 9)], id="bom-on-next-line"),
        pytest.param(b"[[[[[[[[\n1\n", 6, [Bad("limit", 6), 1], id="not-decoded"),
    ],
)
def test_limit(wire: bytes, limit: int, outcomes: list[object]) -> None:
    for raw in (False, True):
        for chunks in every_cut(wire):
            decoder: NDJSONDecoder[object] = NDJSONDecoder(max_record_bytes=limit, on_error="item", raw=raw)
            out = [item for chunk in chunks for item in decoder.feed(chunk)]
            out += decoder.finish()
            values = [json.loads(item) if isinstance(item, bytes) else item for item in out]
            assert [as_bad(item.error) if isinstance(item, BadRecord) else item for item in values] == outcomes


@given(WIRES, st.integers(1, 30), st.data())
@example(b"\xef\xbb\xbf1234567\n1\n", 8, None)
@example(b"12345678\r\n1\n", 8, None)
def test_limit_does_not_depend_on_the_split(wire: bytes, limit: int, data: st.DataObject | None) -> None:
    def told(chunks: list[bytes]) -> list[object]:
        decoder = NDJSONDecoder(max_record_bytes=limit, on_error="item")
        out: list[object] = []
        try:
            for chunk in chunks:
                out += decoder.feed(chunk)
            out += decoder.finish()
        except DecodeError as error:
            out += [*error.items, BadRecord(error)]
        return [(str(item.error), item.error.code) if isinstance(item, BadRecord) else item for item in out]

    whole = told([wire])
    assert all_same(told(bytewise(wire)), whole)
    if data is not None:
        assert all_same(told(cut(wire, data)), whole)


def test_input_that_ends_inside_a_long_record_is_cut() -> None:
    """The long record was reported, but not that the input ended in it."""
    for chunks in every_cut(b'1\n"abcdef'):
        decoder = NDJSONDecoder(max_record_bytes=6, on_error="item")
        one, bad = [item for chunk in chunks for item in decoder.feed(chunk)]
        assert one == 1
        assert isinstance(bad, BadRecord)
        assert as_bad(bad.error) == Bad("limit", 8)
        with pytest.raises(TruncatedError) as caught:
            decoder.finish()
        assert (caught.value.record, caught.value.offset) == (2, 9)


def test_limit_trips_at_the_byte_over_it() -> None:
    decoder = NDJSONDecoder(max_record_bytes=10)
    assert decoder.feed(b'1\n"abcdefghi') == [1]
    with pytest.raises(LimitExceeded) as caught:
        decoder.feed(b"j")
    assert (caught.value.offset, caught.value.record, caught.value.limit_bytes) == (12, 2, 10)
    with pytest.raises(StageStateError):
        decoder.feed(b"\n")


def test_default_limit_is_16_mib_and_none_lifts_it() -> None:
    fits = b'"' + b"x" * (16 * 1024 * 1024 - 2) + b'"'
    assert len(NDJSONDecoder(raw=True).feed(fits + b"\n")) == 1
    with pytest.raises(LimitExceeded):
        NDJSONDecoder().feed(b" " + fits)
    assert NDJSONDecoder(raw=True, max_record_bytes=None).feed(b" " + fits + b"\n") == [b" " + fits]


# --- convert ---------------------------------------------------------------------------------------------------------


class OddError(ValueError):
    code = "odd"


def twice_if_even(record: object, text: bytes) -> list[object]:
    assert int(text) == record
    assert isinstance(record, int)
    if record < 0:
        raise ValueError("negative")
    if record % 2:
        raise OddError("odd")
    return [record, record] if record else []


def test_convert_knows_the_place() -> None:
    decoder = NDJSONDecoder(convert=twice_if_even, on_error="item")
    four, again, minus, odd, two, _ = decoder.feed(b"4\n0\n-1\n\n3\n2\n")
    assert [four, again, two] == [4, 4, 2]
    assert isinstance(minus, BadRecord)
    assert isinstance(odd, BadRecord)
    assert (minus.error.code, minus.error.record, minus.error.offset) == ("bad-field", 3, 4)
    assert (odd.error.code, odd.error.record, odd.error.offset) == ("odd", 4, 8)


# --- the encoder -----------------------------------------------------------------------------------------------------


def encode(*items: object) -> bytes:
    encoder = NDJSONEncoder()
    return b"".join([piece for item in items for piece in encoder.feed(item)] + encoder.finish())


@pytest.mark.parametrize(
    ("value", "line"),
    [
        (None, b"null\n"),
        (True, b"true\n"),
        ({}, b"{}\n"),
        ({"a": [1, "x", None]}, b'{"a":[1,"x",null]}\n'),
        ("é👋", '"é👋"\n'.encode()),
        ("a\nb\rc", b'"a\\nb\\rc"\n'),
        ('"\\', b'"\\"\\\\"\n'),
        (2**70, b"1180591620717411303424\n"),
        ([-(2**70)], b"[-1180591620717411303424]\n"),
        (2**64, b"18446744073709551616\n"),
        ({"n": 10**25}, b'{"n":1' + b"0" * 25 + b"}\n"),
        (1.5, b"1.5\n"),
        ("a\u2028b\u2029c\x85d", b'"a\\u2028b\\u2029c\\u0085d"\n'),
        ({"\u2028": "\u2029"}, b'{"\\u2028":"\\u2029"}\n'),
        ("null", b'"null"\n'),
        ([None, "null", 1.0], b'[null,"null",1.0]\n'),
    ],
)  # fmt: skip
def test_encoded_line(value: object, line: bytes) -> None:
    assert encode(value) == line


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(
    "wrap",
    [
        lambda bad: bad,
        lambda bad: [bad],
        lambda bad: [None, bad],
        lambda bad: {"a": bad},
        lambda bad: {"a": [1, {"b": (2, bad)}]},
        lambda bad: [None, {"n": None, "x": {"y": [[bad]]}}],
    ],
)
def test_no_form_for_nan(bad: float, wrap: Callable[[float], object]) -> None:
    encoder = NDJSONEncoder()
    assert encoder.feed(1) == [b"1\n"]
    with pytest.raises(EncodeError) as caught:
        encoder.feed(wrap(bad))
    assert caught.value.record == 2
    with pytest.raises(StageStateError):
        encoder.feed(1)
    encoder.reset()
    assert encoder.feed(1) == [b"1\n"]


@pytest.mark.parametrize(
    "value",
    ["\ud800", ["a", "\udc00"], {"\ud83d": 1}, {"a": "\ud83d\ud83d"}, object(), {"a": object()}, {(1, 2): 3}],
    ids=["surrogate", "surrogate-low", "surrogate-key", "surrogate-two", "object", "object-inside", "tuple-key"],
)
def test_no_form_for(value: object) -> None:
    with pytest.raises(EncodeError) as caught:
        NDJSONEncoder().feed(value)
    assert caught.value.stage == "ndjson-encoder"
    assert isinstance(caught.value, ValueError)


def test_no_form_for_a_value_without_end() -> None:
    value: list[object] = []
    value.append(value)
    with pytest.raises(EncodeError):
        NDJSONEncoder().feed(value)


def test_encode_error_carries_the_lines_before_it() -> None:
    with pytest.raises(EncodeError) as caught:
        NDJSONEncoder().feed_many([1, {"a": 2}, math.nan, 3])
    assert b"".join(item for item in caught.value.items if isinstance(item, bytes)) == b'1\n{"a":2}\n'
    assert caught.value.record == 3


@pytest.mark.parametrize(
    ("record", "line"),
    [
        (b'{"a":1}', b'{"a":1}\n'),
        (b' { "a" : 1.50 } ', b' { "a" : 1.50 } \n'),
        (b'{"a":\r1}', b'{"a": 1}\n'),
        (b'{\r\n  "a": 1\r\n}', b'{    "a": 1  }\n'),
        (b'{\n"a":\n1}', b'{ "a": 1}\n'),
        (b'"\xe2\x80\xa8"', b'"\xe2\x80\xa8"\n'),
        (b"18446744073709551616", b"18446744073709551616\n"),
    ],
)
def test_raw_record_goes_out_as_it_is(record: bytes, line: bytes) -> None:
    assert encode(record) == line
    assert decode([line]) == [json.loads(record)]


@given(st.lists(JSON_VALUES, max_size=8), st.data())
def test_round_trip(values: list[object], data: st.DataObject) -> None:
    wire = encode(*values)
    assert wire.count(b"\n") == len(values)
    assert not {"\u2028", "\u2029", "\x85"} & set(wire.decode())
    assert all_same(decode(cut(wire, data)), values)
    assert b"".join(NDJSONEncoder().feed_many(values)) == wire
    assert [json.loads(line) for line in wire.split(b"\n")[:-1]] == values


@given(st.lists(JSON_VALUES, max_size=8), st.booleans())
def test_raw_round_trip(values: list[object], indented: bool) -> None:
    records = [json.dumps(value, indent=1 if indented else None).encode() for value in values]
    wire = encode(*records)
    raw = NDJSONDecoder(raw=True).feed(wire)
    assert all_same([json.loads(record) for record in raw], values)
    assert encode(*raw) == wire
    assert all_same(decode([wire]), values)


def test_nothing_encoded_yet_is_not_a_value() -> None:
    assert NDJSONEncoder().finish() == []
    assert NOTHING is not None
