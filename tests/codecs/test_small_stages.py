"""The accumulator, the text decoder, the array codecs: what the laws do not say about them."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamkit import (
    Accumulator,
    BadRecord,
    ConfigError,
    DecodeError,
    EncodeError,
    JSONArrayDecoder,
    JSONArrayEncoder,
    LimitExceeded,
    LineScanner,
    NDJSONDecoder,
    NDJSONEncoder,
    SSEDecoder,
    SSEEncoder,
    SSEEvent,
    Stage,
    StageStateError,
    TruncatedError,
    Utf8Decoder,
)
from streamkit.testing import outcome, splits


@dataclass
class Point:
    x: float


def test_an_accumulator_has_the_whole_afterwards() -> None:
    kept = Accumulator()
    assert kept.value == b""
    assert kept.feed(b"caf\xc3") == [b"caf\xc3"]
    assert kept.feed(b"") == []
    kept.feed(b"\xa9")
    assert (kept.value, kept.size_bytes, kept.complete) == (b"caf\xc3\xa9", 5, True)
    kept.reset()
    assert (kept.value, kept.size_bytes) == (b"", 0)


def test_an_accumulator_over_its_bound_lets_everything_pass_and_never_calls_a_part_the_whole() -> None:
    kept = Accumulator(max_bytes=3)
    assert [*kept.feed(b"ab"), *kept.feed(b"cd"), *kept.feed(b"ef")] == [b"ab", b"cd", b"ef"]
    assert (kept.complete, kept.prefix, kept.size_bytes) == (False, b"abc", 6)
    with pytest.raises(LimitExceeded):
        _ = kept.value


def test_an_accumulator_of_text_counts_bytes_and_keeps_whole_characters() -> None:
    kept = Accumulator(str, max_bytes=4)
    assert kept.value == ""
    kept.feed("aé")
    assert kept.value == "aé"
    kept.feed("é")
    assert (kept.prefix, kept.complete) == ("aé", False)


@pytest.mark.parametrize(
    ("wire", "offset", "text"), [(b"a\xffb", 1, "a"), (b"a\xc3(", 1, "a"), (b"\xef\xbb\xbf\xed\xa0\x80", 3, "")]
)
def test_strict_text_names_the_bad_byte_and_keeps_the_good_text(wire: bytes, offset: int, text: str) -> None:
    for pieces in ([wire], [wire[at : at + 1] for at in range(len(wire))]):
        got = outcome(Utf8Decoder(), pieces, joined=True)
        assert got.error is not None
        assert (got.error[1], got.error[3], "".join(map(str, got.items))) == ("invalid-utf8", offset, text)


def test_strict_text_cut_inside_a_character() -> None:
    stage = Utf8Decoder()
    stage.feed(b"a\xe6\x97")
    with pytest.raises(TruncatedError) as caught:
        stage.finish()
    assert (caught.value.offset, caught.value.dropped_bytes) == (1, 2)


def test_a_byte_order_mark_can_be_kept() -> None:
    assert Utf8Decoder(bom="keep").feed(b"\xef\xbb\xbfa") == ["\ufeffa"]


@given(data=st.data())
def test_replaced_text_is_what_python_replaces(data: st.DataObject) -> None:
    wire = data.draw(st.binary(max_size=30))
    pieces = data.draw(splits(wire))
    text = outcome(Utf8Decoder(errors="replace", bom="keep"), pieces, joined=True).items
    assert "".join(map(str, text)) == wire.decode("utf-8", "replace")


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@given(elements=st.lists(values, max_size=5), indent=st.sampled_from([None, 0, 2]), data=st.data())
def test_an_array_of_any_layout_gives_its_elements(
    elements: list[object], indent: int | None, data: st.DataObject
) -> None:
    wire = json.dumps(elements, indent=indent, ensure_ascii=data.draw(st.booleans())).encode()
    assert outcome(JSONArrayDecoder(), data.draw(splits(wire))).items == elements


@given(elements=st.lists(values, max_size=5))
def test_an_array_written_reads_back(elements: list[object]) -> None:
    wire = outcome(JSONArrayEncoder(), elements, joined=True).items
    assert json.loads(b"".join(piece for piece in wire if isinstance(piece, bytes))) == elements


@pytest.mark.parametrize(
    ("wire", "items", "offset"),
    [
        (b'{"error":{}}', [], 0),
        (b"\xef[1]", [], 1),
        (b"[1 2]", [1], 3),
        (b"[1,]", [1], 3),
        (b"[,1]", [], 1),
        (b"[1]]", [1], 3),
        (b"[1]\n,", [1], 4),
        (b"[tru]", [], 4),
        (b"[truex]", [True], 5),
        (b"[01]", [], 2),
        (b"[{]}", [], 2),
        (b'["a\x01"]', [], 3),
        (b"[\xff]", [], 1),
    ],
)
def test_a_broken_array_keeps_what_came_before(wire: bytes, items: list[object], offset: int) -> None:
    for pieces in ([wire], [wire[at : at + 1] for at in range(len(wire))]):
        got = outcome(JSONArrayDecoder(), pieces)
        assert got.error is not None
        assert (got.items, got.error[0], got.error[3]) == (items, DecodeError, offset)


@pytest.mark.parametrize("wire", [b"", b" \n", b"[", b"[1", b"[1,", b'[{"a":"]', b"[1\n"])
def test_an_array_without_its_end_is_cut(wire: bytes) -> None:
    stage = JSONArrayDecoder()
    stage.feed(wire)
    with pytest.raises(TruncatedError):
        stage.finish()


def test_an_array_goes_on_after_a_bad_element() -> None:
    stage = JSONArrayDecoder(on_error="item", max_record_bytes=6)
    first, second, third, fourth = stage.feed(b'[1 ,{,},"1234567890", 2 ]')
    assert (first, fourth) == (1, 2)
    assert [bad.error.code for bad in (second, third) if isinstance(bad, BadRecord)] == ["invalid-json", "limit"]
    assert stage.finish() == []


def test_a_bad_option_says_what_it_can_be() -> None:
    makers: list[type[Stage[bytes, object]]] = [LineScanner, NDJSONDecoder, SSEDecoder, JSONArrayDecoder]
    for make in makers:
        with pytest.raises(ConfigError, match="'raise' or 'item'"):
            make(on_error="ignore")  # type: ignore[call-arg]
    for options in ({"max_record_bytes": 0}, {"blank": "x"}):
        with pytest.raises(ConfigError):
            NDJSONDecoder(**options)
    with pytest.raises(ConfigError):
        LineScanner(newline="crlf")  # type: ignore[arg-type]
    with pytest.raises(ConfigError):
        SSEEncoder(event="a\nb")
    with pytest.raises(ConfigError):
        SSEEncoder(retry_ms=-1)
    with pytest.raises(ConfigError):
        Accumulator(int)  # type: ignore[arg-type]


def peak_bytes(work: Callable[[], object]) -> int:
    """How much memory a call takes at its most."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("make", "piece", "times"),
    [
        (Accumulator, b"ab", 2**19),
        (lambda: Accumulator(str), "abcd", 2**18),
        (lambda: SSEDecoder(max_event_bytes=None), b"data:ab\n", 2**17),
        (lambda: SSEDecoder(max_event_bytes=None), b"data:\n", 2**17),
    ],
    ids=["accumulator", "text", "short data lines", "empty data lines"],
)
@pytest.mark.slow
def test_what_is_held_in_many_small_pieces_takes_little_more_than_its_size(
    make: Callable[[], Stage[Any, Any]], piece: bytes | str, times: int
) -> None:
    def work() -> object:
        stage = make()
        for _ in range(times):
            stage.feed(piece)
        return stage.finish(), getattr(stage, "prefix", None)

    assert peak_bytes(work) < 3 * len(piece) * times


@pytest.mark.parametrize("make", [NDJSONDecoder, JSONArrayDecoder])
@pytest.mark.parametrize("last", [b"1", b"x"])
def test_strings_of_escapes_take_no_more_memory_than_others(make: type[Stage[bytes, object]], last: bytes) -> None:
    record = b'["' + b"\\n" * 2**20 + b'",' + b"[]," * 600 + last + b"]"

    def work() -> None:
        outcome(make(), [b"[" + record + b"]\n"])

    assert peak_bytes(work) < 6 * len(record)


@pytest.mark.parametrize(
    "value", [float("nan"), {"a": [1, {"b": float("inf")}]}, {float("nan"): 1}, {float("-inf"): 1}, Point(float("nan"))]
)
def test_what_json_has_no_form_for_is_refused(value: object) -> None:
    with pytest.raises(EncodeError, match="no JSON form"):
        NDJSONEncoder().feed(value)


def test_what_no_decoder_of_ours_takes_is_not_written() -> None:
    value: list[object] = []
    for _ in range(600):
        value = [value]
    with pytest.raises(EncodeError, match="512"):
        NDJSONEncoder().feed(value)
    assert NDJSONEncoder().feed({"nan": None, "x": "null"}) == [b'{"nan":null,"x":"null"}\n']


def test_what_is_no_event_is_refused() -> None:
    for item in (5, SSEEvent(data=5), SSEEvent(id=None), SSEEvent(event="a\nb")):  # type: ignore[arg-type]
        with pytest.raises(EncodeError):
            SSEEncoder().feed(item)
    assert SSEEncoder().feed(bytearray(b"x")) == SSEEncoder().feed_many([memoryview(b"x")]) == [b"data: x\n\n"]


def test_a_convert_that_breaks_closes_the_decoder() -> None:
    def broken(_: object) -> list[object]:
        raise KeyError("k")

    stages: list[tuple[Stage[bytes, object], bytes]] = [
        (NDJSONDecoder(convert=lambda value, _: broken(value)), b"1\n"),
        (SSEDecoder(convert=broken), b"data: 1\n\n"),
    ]
    for stage, wire in stages:
        with pytest.raises(KeyError):
            stage.feed(wire)
        with pytest.raises(StageStateError, match="convert"):
            stage.feed(wire)


def test_the_last_record_has_no_line_end_either() -> None:
    stage = NDJSONDecoder(raw=True)
    assert (stage.feed(b"1\r"), stage.finish()) == ([], [b"1"])


def test_an_element_over_the_limit_is_counted_once() -> None:
    stage = JSONArrayDecoder(max_record_bytes=3, on_error="item")
    first, second = stage.feed(b'[1,"aaaaaaa')
    assert first == 1
    assert isinstance(second, BadRecord)
    with pytest.raises(TruncatedError) as caught:
        stage.finish()
    assert second.error.record == caught.value.record == 2


def test_equal_stages_in_one_pipeline_are_still_two() -> None:
    @dataclass
    class Tag(Stage[bytes, bytes]):
        name = "tag"

        def feed(self, item: bytes, /) -> list[bytes]:
            if item == b"bad!":
                raise self._fail(EncodeError("bad", stage=self.name), [b"good"])
            return [item + b"!"]

    with pytest.raises(EncodeError) as caught:
        (Tag() | Tag()).feed(b"bad")
    assert caught.value.items == [b"good"]


@pytest.mark.parametrize("start", [b"", b"event: x\n", b": comment\ndata: 1\n", b"data: 1\n\n"])
def test_a_long_line_is_not_copied_for_each_read(start: bytes) -> None:
    """Of what is held, a read copies at most a few bytes: the memory it takes for a moment says so."""
    stage = SSEDecoder()
    stage.feed(start + b"data: " + bytes(2**20))
    for _ in range(3):
        stage.feed(b"x" * 64)
    assert peak_bytes(lambda: [stage.feed(b"x" * 64) for _ in range(20)]) < 2**19


def test_retry_has_at_most_15_digits() -> None:
    stage = SSEDecoder()
    stage.feed(b"retry: 123456789012345\nretry: 1234567890123456\n")
    assert stage.retry_ms == 123456789012345


def test_the_lf_of_a_blank_lines_crlf_belongs_to_that_line() -> None:
    stage = SSEDecoder()
    for piece in (b"data: a\r\n\r", b"\ndata: b"):
        stage.feed(piece)
    stage.finish()
    assert stage.dropped_bytes == 7
