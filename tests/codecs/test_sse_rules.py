"""The event-stream rules: every case of the table in every cut, then adversarial streams against the oracle.

Three judges that do not know each other: the table (written by hand), the oracle (the standard's algorithm,
transcribed), and, in test_sse_referees.py, decoders that other people wrote.
"""

from __future__ import annotations

import re
import time
import tracemalloc
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streamkit.codecs.sse import SSEDecoder
from streamkit.codecs.sse_events import SSEComment, SSEEvent
from streamkit.codecs.stage import BadRecord
from streamkit.errors import ConfigError, DecodeError, LimitExceeded, StageStateError
from tests.codecs.sse_cases import CASES, Case, Triple
from tests.codecs.sse_oracle import dropped_bytes, interpret

every_case = pytest.mark.parametrize("case", CASES, ids=str)


def triples(events: Iterable[SSEEvent]) -> list[Triple]:
    return [(event.event, event.data, event.id) for event in events]


def bytewise(data: bytes) -> list[bytes]:
    return [data[i : i + 1] for i in range(len(data))]


def run(pieces: Iterable[bytes]) -> tuple[list[Triple], str, int | None, int]:
    """Decode; return everything that a decoder has to say about a stream."""
    decoder = SSEDecoder()
    events = [event for piece in pieces for event in decoder.feed(piece)]
    assert decoder.finish() == []
    return triples(events), decoder.last_event_id, decoder.retry_ms, decoder.dropped_bytes


# --- the table -------------------------------------------------------------------------------------------------------


def test_the_table_names_each_case_once() -> None:
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names) >= 200
    assert {case.rule for case in CASES} == set(range(1, 9))


@every_case
def test_oracle_agrees_with_the_table(case: Case) -> None:
    outcome = interpret(case.wire)
    assert outcome.events == case.events
    assert outcome.last_event_id == case.last_event_id
    assert case.retry_ms in {outcome.retry_ms, -1}
    assert dropped_bytes(case.wire) == case.dropped


def cuts(wire: bytes) -> Iterator[list[bytes]]:
    """Yield `wire` whole, in equal pieces, with empty pieces between, and in two at every position (or many)."""
    yield [wire]
    for size in (1, 2, 3):
        yield [wire[i : i + size] for i in range(0, len(wire), size)]
    yield [piece for byte in bytewise(wire) for piece in (b"", byte, b"")]
    middle = range(64, len(wire) - 64, max(1, len(wire) // 50) if len(wire) > 600 else 1)
    for at in sorted({*range(min(64, len(wire))), *middle, *range(max(0, len(wire) - 64), len(wire))}):
        yield [wire[:at], wire[at:]]


@every_case
def test_every_cut(case: Case) -> None:
    for chunks in cuts(case.wire):
        events, last_event_id, retry_ms, dropped = run(chunks)
        assert events == case.events
        assert last_event_id == case.last_event_id
        assert case.retry_ms in {retry_ms, -1}
        assert dropped == case.dropped


@every_case
def test_promptness(case: Case) -> None:
    """Each event comes out of the feed of its completing byte."""
    decoder = SSEDecoder()
    came_at = [end for end, byte in enumerate(bytewise(case.wire), 1) for _ in decoder.feed(byte)]
    assert came_at == case.complete_at


@every_case
def test_prompt_in_pieces(case: Case) -> None:
    """The same where the chunks end with the events, as they do when a server flushes after each."""
    decoder = SSEDecoder()
    for piece in case.pieces:
        assert triples(decoder.feed(piece.wire)) == ([piece.event] if piece.event else [])


@every_case
def test_twice_in_one_stream(case: Case) -> None:
    """A stream goes on after a case as it would after any other bytes (of which the oracle is the judge)."""
    wire = case.wire + b"\n\n" + case.wire
    assert run([wire])[:2] == run(bytewise(wire))[:2] == (interpret(wire).events, interpret(wire).last_event_id)


def test_retry_is_known_after_its_own_line() -> None:
    decoder = SSEDecoder()
    decoder.feed(b"data: a\nretry: 12")
    assert decoder.retry_ms is None
    decoder.feed(b"\r")
    assert decoder.retry_ms == 12


@pytest.mark.parametrize("digits", [1, 4, 15, 16, 20, 309, 4300, 4301, 100_000])
@pytest.mark.parametrize("digit", [b"0", b"1", b"9"])
def test_retry_of_any_length_breaks_nothing(digits: int, digit: bytes) -> None:
    decoder = SSEDecoder()
    assert triples(decoder.feed(b"retry: " + digit * digits + b"\ndata: a\n\n")) == [("message", "a", "")]
    assert decoder.retry_ms is None or decoder.retry_ms >= 0
    if digits <= 15:
        assert decoder.retry_ms == int(digit * digits)


def test_last_event_id_changes_at_the_blank_line() -> None:
    decoder = SSEDecoder()
    decoder.feed(b"id: 1\ndata: a\n")
    assert decoder.last_event_id == ""
    decoder.feed(b"\n")
    assert decoder.last_event_id == "1"


# --- against the oracle ----------------------------------------------------------------------------------------------

ATOMS = st.sampled_from(
    [
        b"data", b"data:", b"data: ", b"data: a\n", b"data: a\n\n", b":", b": ", b" ", b"\r", b"\n", b"\r\n", b"\n\n",
        b"\r\n\r\n", b"id", b"id: ", b"id: 1\n", b"id:\n", b"event", b"event: x\n", b"retry", b"retry: ", b"retry: 5\n",
        b"\xef\xbb\xbf", b"\xef\xbb", b"\xbf", b"\0", b"0", b"1", b"23", b"a", b"\x80", b"\xff", b"\xc0\xaf",
        b"\xe2\x82",
        b"\xf0\x9f\x98", b"\xed\xa0\x80", b"\x85", b"\x0b", b"\x1e", b"\xe2\x80\xa8", b"\xc2\x85", "é".encode(),
        "你".encode(), "👋".encode(), "\u0663".encode(),
    ]
)  # fmt: skip

CHUNKS = st.lists(st.lists(ATOMS, max_size=12).map(b"".join), max_size=10)
"""A stream as it arrives: small, odd, and cut between atoms."""

BLOCKS = st.one_of(
    st.builds(
        lambda texts, times: b"".join(b"data: %s\n\n" % text.encode() for text in texts) * times,
        st.lists(st.text("ab :é你👋\u2028", max_size=12), min_size=1, max_size=6),
        st.integers(1, 120),
    ),
    st.sampled_from(
        [
            b"data: a\n\n" * 600, b"data: " + b"x" * 5000 + b"\n\n", b"data: \xff\n\n" * 500, b"data: a\r\n\r\n" * 400,
            b"id: 7\n\n", b"data: a\ndata: b\n\n", b"data: \n\n", b"data\n\n", b"\n\n", b": c\n\n", b"event: x\n",
        ]
    ),
    ATOMS,
)  # fmt: skip

BULK_CHUNKS = st.lists(st.lists(BLOCKS, min_size=1, max_size=8).map(b"".join), min_size=1, max_size=4)
"""Chunks of many plain events with odd things between them: the decoder has another way through for the plain ones."""


MOSTLY_PLAIN_CHUNKS = st.lists(
    st.lists(
        st.one_of(st.sampled_from([b"data: a\n\n", b"data: b\n\n", b"dat", b"a: c\n\n", b"data: d", b"\n\n"]), ATOMS),
        max_size=3,
    ).map(b"".join),
    max_size=8,
)
"""Plain events flushed one by one, as a live server does, with an odd thing here and there."""


@st.composite
def recut(draw: st.DrawFn, streams: st.SearchStrategy[list[bytes]]) -> list[bytes]:
    """The same bytes, cut anywhere instead."""
    wire = b"".join(draw(streams))
    ends = sorted(draw(st.lists(st.integers(0, len(wire)), max_size=8)))
    return [wire[start:end] for start, end in zip([0, *ends], [*ends, len(wire)], strict=True)]


def with_bom(chunks: list[bytes]) -> list[bytes]:
    return [b"\xef\xbb\xbf" + chunks[0], *chunks[1:]] if chunks else chunks


def any_stream(streams: st.SearchStrategy[list[bytes]]) -> st.SearchStrategy[list[bytes]]:
    return st.one_of(streams, recut(streams), streams.map(with_bom))


def check_against_oracle(chunks: list[bytes]) -> None:
    """At every moment of the stream the decoder must know exactly what the oracle makes of the bytes so far."""
    decoder = SSEDecoder()
    events: list[Triple] = []
    wire = b""
    for chunk in chunks:
        wire += chunk
        events += triples(decoder.feed(chunk))
        expected = interpret(wire)
        assert events == expected.events
        assert decoder.last_event_id == expected.last_event_id
        assert decoder.retry_ms == expected.retry_ms
    assert decoder.finish() == []
    assert decoder.dropped_bytes == dropped_bytes(wire)
    assert decoder.last_event_id == interpret(wire).last_event_id


@given(any_stream(st.one_of(CHUNKS, MOSTLY_PLAIN_CHUNKS)))
@example([b"data: a\r", b"", b"\n", b"\r", b"", b"\ndata: b\r\n\r\n"])
@example([b"dat", b"a: a\n\n", b"\xef\xbb\xbfdata: b\n\n"])
@example([b"\xef", b"\xbb", b"\xbf", b"\xef\xbb\xbfdata: a\n\n"])
@example([b"id: 1\n", b"data: a\n\n" * 600])
@example([b"\n", b"\n\n\n", b"data: a\n\n", b"\r", b"data: b\n\n", b"\ndata: c\n\n"])
def test_fuzz_against_the_oracle(chunks: list[bytes]) -> None:
    check_against_oracle(chunks)


@given(CHUNKS.map(b"".join))
def test_fuzz_bytewise_against_the_oracle(wire: bytes) -> None:
    check_against_oracle(bytewise(wire))


@given(any_stream(BULK_CHUNKS))
@example([b"\r", b"data: a\n\n" * 600, b"\ndata: b\n\n", b"data: " + b"x" * 5000 + b"\n\n" + b"data: c\n\n" * 3])
@example(
    [b"\n", b"dat", b"a: a\n\n" * 600 + b"data: a\n\n" * 600 + b"data: \xe2\x82", b"\xac\n\n" + b"data: b\n\n" * 600]
)
@example([b"\n\n", b"\n\n" + b"data: a\n\n" * 600 + b"\n", b"data\n\n" + b"data: a\n\n" * 600])
def test_fuzz_long_chunks_against_the_oracle(chunks: list[bytes]) -> None:
    check_against_oracle(chunks)


@given(any_stream(st.one_of(CHUNKS, BULK_CHUNKS)))
def test_fuzz_comments_in_their_place(chunks: list[bytes]) -> None:
    decoder = SSEDecoder(comments=True)
    items = [item for chunk in chunks for item in decoder.feed(chunk)]
    came = [item.text if isinstance(item, SSEComment) else (item.event, item.data, item.id) for item in items]
    expected = [item.removeprefix(" ") if isinstance(item, str) else item for item in interpret(b"".join(chunks)).order]
    assert came == expected


@given(any_stream(CHUNKS))
def test_fuzz_flush_partial_is_two_line_ends_more(chunks: list[bytes]) -> None:
    decoder = SSEDecoder(flush_partial=True)
    came = [event for chunk in chunks for event in decoder.feed(chunk)]
    came += decoder.finish()
    expected = interpret(b"".join(chunks) + b"\n\n")
    assert triples(came) == expected.events
    assert decoder.last_event_id == expected.last_event_id
    assert decoder.dropped_bytes == 0


# --- comments, the end, reset ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (b":", ""),
        (b": ", ""),
        (b": hi", "hi"),
        (b":hi", "hi"),
        (b":  hi ", " hi "),
        (b"::", ":"),
        (b": \xff", "\ufffd"),
    ],
)
@pytest.mark.parametrize("line_end", [b"\n", b"\r"])
def test_comment_comes_with_its_line(line: bytes, text: str, line_end: bytes) -> None:
    decoder = SSEDecoder(comments=True)
    assert decoder.feed(b"data: a\n" + line) == []
    assert decoder.feed(line_end) == [SSEComment(text)]
    assert decoder.feed(b"\n\n") == [SSEEvent("message", "a")]


def test_no_comments_unless_asked_for() -> None:
    assert SSEDecoder().feed(b": a\n\n: b\n") == []


def test_finish_is_idempotent_and_closes() -> None:
    decoder = SSEDecoder(flush_partial=True)
    decoder.feed(b"data: a")
    assert triples(decoder.finish()) == [("message", "a", "")]
    assert decoder.finish() == []
    with pytest.raises(StageStateError):
        decoder.feed(b"data: b\n\n")
    with pytest.raises(StageStateError):
        decoder.feed(b"")


@given(any_stream(CHUNKS), any_stream(CHUNKS), st.booleans())
@example([b"data: a\r"], [b"\ndata: b\n\n"], False)
@example([b"id: 1\nretry: 5\ndata: a\n\nevent: x\ndata: b"], [b"\xef\xbb\xbfdata: a\n\n"], True)
def test_reset_is_a_new_decoder(before: list[bytes], after: list[bytes], finish: bool) -> None:
    decoder = SSEDecoder()
    for chunk in before:
        decoder.feed(chunk)
    if finish:
        decoder.finish()
    decoder.reset()
    assert (decoder.last_event_id, decoder.retry_ms, decoder.dropped_bytes) == ("", None, 0)
    events = [event for chunk in after for event in decoder.feed(chunk)]
    decoder.finish()
    expected = interpret(b"".join(after))
    assert triples(events) == expected.events
    assert (decoder.last_event_id, decoder.retry_ms) == (expected.last_event_id, expected.retry_ms)
    assert decoder.dropped_bytes == dropped_bytes(b"".join(after))


def test_events_are_values() -> None:
    first, second = SSEDecoder().feed(b"data: a\n\ndata: a\n\n")
    assert first == second == SSEEvent("message", "a", "") == SSEEvent(data="a")
    assert hash(first) == hash(second)
    with pytest.raises(AttributeError):
        first.data = "b"  # type: ignore[misc]


# --- limits ----------------------------------------------------------------------------------------------------------

Verdict = tuple[str, int | None, int | None, str]


def verdict_of(error: DecodeError) -> Verdict:
    return error.code, error.offset, error.record, error.excerpt


def limited(chunks: Iterable[bytes], limit: int | None) -> tuple[list[Triple], Verdict | None]:
    """Decode until the first error; return the events before it and what it says."""
    decoder = SSEDecoder(max_event_bytes=limit)
    events: list[Triple] = []
    try:
        for chunk in chunks:
            events += triples(decoder.feed(chunk))
    except LimitExceeded as error:
        return events + triples(item for item in error.items if isinstance(item, SSEEvent)), verdict_of(error)
    return events, None


def limited_items(chunks: Iterable[bytes], limit: int) -> list[Triple | Verdict]:
    """Decode past every error; return what came, in order."""
    decoder = SSEDecoder(max_event_bytes=limit, on_error="item")
    out: list[Triple | Verdict] = []
    for chunk in chunks:
        for item in decoder.feed(chunk):
            if isinstance(item, BadRecord):
                assert not item.error.items
                out.append(verdict_of(item.error))
            else:
                assert isinstance(item, SSEEvent)
                out.append((item.event, item.data, item.id))
    assert decoder.finish() == []
    return out


def by_block(wire: bytes) -> list[bytes]:
    """Cut after each blank line."""
    return re.split(rb"(?<=\n\n)", wire)


@pytest.mark.parametrize(
    ("wire", "limit", "events", "record", "offset"),
    [
        pytest.param(b"data: abcd\n\n", 10, 1, None, None, id="line-just-fits"),
        pytest.param(b"data: abcde\n\n", 10, 0, 1, 10, id="line-one-over"),
        pytest.param(b"data: abcde\r\r", 10, 0, 1, 10, id="line-one-over-cr"),
        pytest.param(b"data: abcde", 10, 0, 1, 10, id="line-not-ended"),
        pytest.param(b"data: a\n\ndata: abcde\n\n", 10, 1, 2, 19, id="second-event"),
        pytest.param(b"data: a\r\n\r\ndata: abcde\r\n\r\n", 10, 1, 2, 21, id="second-event-crlf"),
        pytest.param(b"data: a\ndata: b\ndata: c\n\n", 23, 1, None, None, id="lines-just-fit"),
        pytest.param(b"data: a\ndata: b\ndata: c\n\n", 22, 0, 1, 22, id="lines-together-one-over"),
        pytest.param(b"data\n" * 100 + b"\n", 50, 0, 1, 50, id="many-empty-data-lines"),
        pytest.param(b"data: a\n\n" * 100, 20, 100, None, None, id="many-events"),
        pytest.param(b": c\n" * 100 + b"data: a\n\n", 20, 1, None, None, id="comments-are-not-held"),
        pytest.param(b"x: y\n" * 100 + b"data: a\n\n", 20, 1, None, None, id="unknown-fields-are-not-held"),
        pytest.param(b"\n" * 100 + b"data: a\n\n", 20, 1, None, None, id="blank-lines-are-not-held"),
        pytest.param(b"data: a\n\n" * 3 + b"data: " + b"x" * 50, 40, 3, 4, 67, id="tail-after-events"),
    ],
)
def test_limit(wire: bytes, limit: int, events: int, record: int | None, offset: int | None) -> None:
    for chunks in ([wire], bytewise(wire), by_block(wire), *([wire[:at], wire[at:]] for at in range(len(wire)))):
        came, verdict = limited(chunks, limit)
        assert len(came) == events
        if offset is None:
            assert verdict is None
        else:
            assert verdict is not None
            assert verdict[:3] == ("limit", offset, record)


def test_limit_trips_at_the_byte_over_it() -> None:
    decoder = SSEDecoder(max_event_bytes=10)
    assert decoder.feed(b"data: abcd") == []
    with pytest.raises(LimitExceeded) as caught:
        decoder.feed(b"e")
    assert (caught.value.offset, caught.value.record, caught.value.limit_bytes) == (10, 1, 10)
    assert caught.value.stage == "sse"
    assert "10 bytes" in str(caught.value)


def test_limit_error_carries_the_events_of_its_call() -> None:
    decoder = SSEDecoder(max_event_bytes=10)
    assert triples(decoder.feed(b"data: a\n\n")) == [("message", "a", "")]
    with pytest.raises(LimitExceeded) as caught:
        decoder.feed(b"data: b\n\ndata: c\n\ndata: ddddd\n\ndata: e\n\n")
    assert caught.value.items == [SSEEvent(data="b"), SSEEvent(data="c")]
    assert caught.value.record == 4


def test_limit_closes_until_reset() -> None:
    decoder = SSEDecoder(max_event_bytes=10)
    with pytest.raises(LimitExceeded):
        decoder.feed(b"id: 1\n\nid: 22222222222")
    for _ in range(2):
        with pytest.raises(StageStateError):
            decoder.feed(b"data: a\n\n")
    decoder.reset()
    assert triples(decoder.feed(b"data: a\n\n")) == [("message", "a", "")]
    with pytest.raises(LimitExceeded) as caught:
        decoder.feed(b"data: abcde")
    assert (caught.value.offset, caught.value.record) == (19, 2)


LIMIT_WIRES = st.lists(
    st.one_of(
        st.builds(lambda n, end: b"data: " + b"x" * n + end, st.integers(0, 30), st.sampled_from([b"\n", b"\r\n"])),
        st.sampled_from([b"\n", b"\n\n", b"\r\n\r\n", b"\r", b": comment\n", b"event: abc\n", b"id: 1\n", b"foo\n"]),
        ATOMS,
    ),
    max_size=12,
).map(b"".join)  # fmt: skip


@given(LIMIT_WIRES, st.integers(1, 40), st.data())
@example(b"\xef\xbb\xbfdata: abcd\n\n", 10, None)
@example(b"data: abcdefgh\ndata: " + b"x" * 40 + b"\n\ndata: a\n\n", 10, None)
def test_limit_does_not_depend_on_the_split(wire: bytes, limit: int, data: st.DataObject | None) -> None:
    whole, items = limited([wire], limit), limited_items([wire], limit)
    assert limited(bytewise(wire), limit) == whole
    assert limited_items(bytewise(wire), limit) == items
    assert limited(by_block(wire), limit) == whole
    assert limited_items(by_block(wire), limit) == items
    if data is not None:
        chunks = data.draw(recut(st.just([wire])))
        assert limited(chunks, limit) == whole
        assert limited_items(chunks, limit) == items
    if whole[1] is None:
        assert items == whole[0] == interpret(wire).events
    else:
        assert items[: len(whole[0]) + 1] == [*whole[0], whole[1]]


def test_item_mode_goes_on_with_the_next_event() -> None:
    wire = b"data: a\n\nevent: x\ndata: " + b"y" * 50 + b"\ndata: more\nretry\n\ndata: b\n\n"
    for chunks in ([wire], bytewise(wire)):
        first, bad, last = limited_items(chunks, 30)
        assert first == ("message", "a", "")
        assert bad[:3] == ("limit", 39, 2)
        assert last == ("message", "b", "")


@pytest.mark.parametrize(
    "event", [b"id: 2\ndata: " + b"y" * 50, b"data: " + b"y" * 50 + b"\nid: 2", b"id: " + b"2" * 50]
)
def test_item_mode_forgets_the_whole_event(event: bytes) -> None:
    """Its id too: a reader that reconnects with it would never be told what it missed."""
    wire = b"id: 1\ndata: a\n\n" + event + b"\nevent: x\n\ndata: b\n\n"
    for chunks in ([wire], bytewise(wire), by_block(wire)):
        first, bad, last = limited_items(chunks, 30)
        assert first == ("message", "a", "1")
        assert bad[0] == "limit"
        assert last == ("message", "b", "1")


@pytest.mark.parametrize(
    ("tail", "dropped"), [(b"", 0), (b"data: " + b"y" * 50, 56), (b"data: " + b"y" * 50 + b"\nx", 58)]
)
def test_item_mode_counts_what_the_end_drops(tail: bytes, dropped: int) -> None:
    for chunks in ([b"data: a\n\n" + tail], bytewise(b"data: a\n\n" + tail)):
        decoder = SSEDecoder(max_event_bytes=30, on_error="item", flush_partial=True)
        for chunk in chunks:
            decoder.feed(chunk)
        assert decoder.finish() == []
        assert decoder.dropped_bytes == dropped


def test_item_mode_reports_an_event_once() -> None:
    wire = (b"data: " + b"y" * 50 + b"\n") * 5 + b"\ndata: b\n\n"
    for chunks in ([wire], bytewise(wire), [wire[i : i + 7] for i in range(0, len(wire), 7)]):
        bad, good = limited_items(chunks, 20)
        assert bad[:3] == ("limit", 20, 1)
        assert good == ("message", "b", "")


def test_item_mode_holds_nothing_of_a_long_line() -> None:
    decoder = SSEDecoder(max_event_bytes=1000, on_error="item")
    chunk = b"x" * 100_000
    decoder.feed(b"data: ")
    tracemalloc.start()
    try:
        bad = [item for _ in range(100) for item in decoder.feed(chunk)]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(bad) == 1
    assert peak < 1_000_000
    assert decoder.feed(b"\n\ndata: a\n\n") == [SSEEvent(data="a")]


def test_default_limit_is_16_mib() -> None:
    fits = b"data: " + b"x" * (16 * 1024 * 1024 - 6)
    (event,) = SSEDecoder().feed(fits + b"\n\n")
    assert len(event.data) == 16 * 1024 * 1024 - 6
    with pytest.raises(LimitExceeded):
        SSEDecoder().feed(fits + b"x\n\n")


def test_none_lifts_the_limit() -> None:
    decoder = SSEDecoder(max_event_bytes=None)
    decoder.feed(b"data: " + b"x" * (17 * 1024 * 1024))
    (event,) = decoder.feed(b"\ndata: y\n\n")
    assert len(event.data) == 17 * 1024 * 1024 + 2


@pytest.mark.parametrize("limit", [0, -1])
def test_limit_must_be_positive(limit: int) -> None:
    with pytest.raises(ConfigError):
        SSEDecoder(max_event_bytes=limit)


# --- linear time (encode/httpx#2422, rexxars/eventsource-parser#28, denoland/std#7231) -------------------------------


def long_streams() -> Iterator[tuple[str, bytes, int]]:
    yield "one line in small chunks", b"data: " + b"x" * 4_000_000 + b"\n\n", 64
    yield "one line bytewise", b"data: " + b"x" * 300_000 + b"\n\n", 1
    yield "one event of many lines", b"data: x\n" * 200_000 + b"\n", 64
    yield "many events in one chunk", b"data: x\n\n" * 300_000, 1 << 30
    yield "many odd events in one chunk", b"data: x\ndata: y\n\n" * 200_000, 1 << 30
    yield "a long comment", b": " + b"x" * 4_000_000 + b"\n", 64


@pytest.mark.parametrize(("wire", "size"), [pytest.param(wire, size, id=name) for name, wire, size in long_streams()])
def test_time_is_linear(wire: bytes, size: int) -> None:
    """A quadratic decoder takes minutes for these, a linear one a fraction of a second."""
    decoder = SSEDecoder()
    started = time.process_time()
    events = [event for at in range(0, len(wire), size) for event in decoder.feed(wire[at : at + size])]
    assert time.process_time() - started < 10
    assert len(events) == wire.count(b"\n\n")
