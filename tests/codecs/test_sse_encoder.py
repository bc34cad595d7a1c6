"""The event-stream encoder: whatever text goes in, exactly the intended events come out, and nothing else.

What comes out is judged by the oracle (the standard's algorithm, transcribed), not by our own decoder. The reports
behind the injection tests: rexxars/sse-channel#42, fastapi/fastapi#15187, fanout/django-eventstream#185,
javalin/javalin#2579, softwaremill/sttp-model#480, kennethreitz/responder#616, wheels-dev/wheels#2051,
dpskvn/express-sse#60, mpetrunic/fastify-sse-v2#110.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streamkit.codecs.sse import SSEDecoder
from streamkit.codecs.sse_encoder import SSEEncoder
from streamkit.codecs.sse_events import SSEComment, SSEEvent
from streamkit.errors import ConfigError, EncodeError, StageStateError
from tests.codecs.sse_cases import CASES, Case, Triple
from tests.codecs.sse_oracle import dropped_bytes, interpret


def encode(*items: object, event: str | None = None, retry_ms: int | None = None, done: str | None = None) -> bytes:
    encoder = SSEEncoder(event=event, retry_ms=retry_ms, done=done)
    return b"".join([piece for item in items for piece in encoder.feed(item)] + encoder.finish())


def as_lines(text: str) -> list[str]:
    """Cut at the three line ends of the format."""
    return re.split("\r\n|\r|\n", text)


def as_read(text: str) -> str:
    """Data as it arrives: every line end is an LF."""
    return "\n".join(as_lines(text))


# --- the bytes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("item", "wire"),
    [
        (SSEEvent(data="a"), b"data: a\n\n"),
        (SSEEvent("message", "a"), b"data: a\n\n"),
        (SSEEvent("", "a"), b"data: a\n\n"),
        (SSEEvent("x", "a"), b"event: x\ndata: a\n\n"),
        (SSEEvent("x", "a", "1"), b"event: x\nid: 1\ndata: a\n\n"),
        (SSEEvent(data="a", id="1"), b"id: 1\ndata: a\n\n"),
        (SSEEvent(data=""), b"data: \n\n"),
        (SSEEvent("x"), b"event: x\ndata: \n\n"),
        (SSEEvent(data="a\nb"), b"data: a\ndata: b\n\n"),
        (SSEEvent(data="a\r\nb\rc"), b"data: a\ndata: b\ndata: c\n\n"),
        (SSEEvent(data="a\n"), b"data: a\ndata: \n\n"),
        (SSEEvent(data="\n"), b"data: \ndata: \n\n"),
        (SSEEvent(data="\n\n"), b"data: \ndata: \ndata: \n\n"),
        (SSEEvent(data="\r\n"), b"data: \ndata: \n\n"),
        (SSEEvent(data="\n\r"), b"data: \ndata: \ndata: \n\n"),
        (SSEEvent(data=" a "), b"data:  a \n\n"),
        (SSEEvent(data=": a"), b"data: : a\n\n"),
        (SSEEvent(data="a\u2028b\x85c\x0bd"), "data: a\u2028b\x85c\x0bd\n\n".encode()),
        (SSEEvent(data="é👋"), "data: é👋\n\n".encode()),
        (SSEEvent(data="a\x00b"), b"data: a\x00b\n\n"),
        ("a", b"data: a\n\n"),
        ("", b"data: \n\n"),
        ("a\rb", b"data: a\ndata: b\n\n"),
        (b"a", b"data: a\n\n"),
        (b"", b"data: \n\n"),
        (b"a\r\n\r\nb", b"data: a\ndata: \ndata: b\n\n"),
        (b'{"a":\r1}', b'data: {"a":\ndata: 1}\n\n'),
        (b"\xff\xe2\x82", b"data: \xff\xe2\x82\n\n"),
        (SSEComment("ping"), b": ping\n\n"),
        (SSEComment(""), b": \n\n"),
        (SSEComment("a\nb\rc\r\nd"), b": a\n: b\n: c\n: d\n\n"),
        (SSEComment("data: x\n\ndata: y"), b": data: x\n: \n: data: y\n\n"),
    ],
)
def test_wire(item: object, wire: bytes) -> None:
    assert encode(item) == wire


@pytest.mark.parametrize("item", ["a", b"a"])
def test_event_of_data_alone(item: str | bytes) -> None:
    assert encode(item, event="x") == b"event: x\ndata: a\n\n"
    assert encode(item, event="message") == b"data: a\n\n"
    assert encode(SSEEvent("y", "a"), SSEEvent(data="b"), event="x") == b"event: y\ndata: a\n\ndata: b\n\n"


def test_id_is_written_when_it_changes() -> None:
    assert encode(
        SSEEvent(data="a", id="1"),
        SSEEvent(data="b", id="1"),
        SSEEvent(data="c", id="2"),
        SSEEvent(data="d", id=""),
        SSEEvent(data="e", id=""),
        SSEEvent(data="f", id="2"),
    ) == (
        b"id: 1\ndata: a\n\n"
        b"data: b\n\n"
        b"id: 2\ndata: c\n\n"
        b"id: \ndata: d\n\n"
        b"data: e\n\n"
        b"id: 2\ndata: f\n\n"
    )  # fmt: skip


def test_retry_comes_first_and_once() -> None:
    wire = encode("a", "b", retry_ms=1500)
    assert interpret(wire).retry_ms == 1500
    assert interpret(wire).events == [("message", "a", ""), ("message", "b", "")]
    assert wire.startswith(b"retry: 1500\n")
    assert wire.count(b"retry") == 1
    assert interpret(encode(retry_ms=0)).retry_ms == 0


def test_done() -> None:
    encoder = SSEEncoder(done="[DONE]")
    assert encoder.feed("a") == [b"data: a\n\n"]
    assert encoder.finish() == [b"data: [DONE]\n\n"]
    assert encoder.finish() == []
    with pytest.raises(StageStateError):
        encoder.feed("b")
    encoder.reset()
    assert encoder.feed("b") == [b"data: b\n\n"]
    assert encoder.finish() == [b"data: [DONE]\n\n"]


def test_no_done_unless_asked_for() -> None:
    assert SSEEncoder().finish() == []


def test_reset_forgets_the_id_and_asks_for_retry_again() -> None:
    encoder = SSEEncoder(retry_ms=5)
    first = b"".join(encoder.feed(SSEEvent(data="a", id="1")))
    assert b"".join(encoder.feed(SSEEvent(data="a", id="1"))) == b"data: a\n\n"
    encoder.reset()
    assert b"".join(encoder.feed(SSEEvent(data="a", id="1"))) == first


# --- what cannot be written ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "item",
    [
        SSEEvent("x\ndata: injected", "a"),
        SSEEvent("x\rdata: injected", "a"),
        SSEEvent("x\r\n\r\n", "a"),
        SSEEvent("\n", "a"),
        SSEEvent("x\n", "a"),
        SSEEvent(data="a", id="1\ndata: injected"),
        SSEEvent(data="a", id="1\r"),
        SSEEvent(data="a", id="\n"),
        SSEEvent(data="a", id="1\x002"),
        SSEEvent(data="\ud800"),
        SSEEvent("\ud800", "a"),
        SSEEvent(data="a", id="\ud800"),
        SSEComment("\ud800"),
        "\udfff",
        None,
        17,
        {"data": "a"},
        pytest.param(object(), id="object()"),
    ],
    ids=repr,
)
def test_no_form_for(item: object) -> None:
    encoder = SSEEncoder()
    encoder.feed("fine")
    with pytest.raises(EncodeError) as caught:
        encoder.feed(item)
    assert (caught.value.stage, caught.value.record) == ("sse-encoder", 2)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, ValueError)
    with pytest.raises(StageStateError):
        encoder.feed("a")
    encoder.reset()
    assert encoder.feed("a") == [b"data: a\n\n"]


def test_error_carries_the_frames_before_it() -> None:
    with pytest.raises(EncodeError) as caught:
        SSEEncoder().feed_many(["a", SSEEvent("x", "b"), SSEEvent("\n"), "c"])
    assert (
        b"".join(item for item in caught.value.items if isinstance(item, bytes)) == b"data: a\n\nevent: x\ndata: b\n\n"
    )
    assert caught.value.record == 3


@pytest.mark.parametrize("event", ["a\nb", "\r", "x\r\n", "\ud800"])
def test_option_event_is_checked_at_once(event: str) -> None:
    with pytest.raises(ConfigError):
        SSEEncoder(event=event)


@pytest.mark.parametrize("retry_ms", [-1, 10**30])
def test_option_retry_is_checked_at_once(retry_ms: int) -> None:
    with pytest.raises(ConfigError):
        SSEEncoder(retry_ms=retry_ms)


# --- injection -------------------------------------------------------------------------------------------------------

EVIL = st.text(
    st.one_of(
        st.sampled_from("\r\n\r\n:: \x00\u2028\u2029\x85\x0b\x0c\x1c\x1e\ufeff\ufffdabé👋"),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=12,
)
EVIL_TEXT = st.one_of(
    EVIL,
    st.lists(
        st.sampled_from(
            ["\n", "\r", "\r\n", "\n\n", "data: ", "data", "event: x", "id: 9", "retry: 1", ": ", ":", " ", "a"]
        )
    ).map("".join),
)
"""Any text, and texts made of the format's own words."""

ONE_LINE = EVIL_TEXT.map(lambda text: re.sub("[\r\n\x00]", "", text))

WRITABLE = st.one_of(
    st.builds(SSEEvent, ONE_LINE, EVIL_TEXT, ONE_LINE),
    st.builds(SSEEvent, st.just("message"), EVIL_TEXT, st.sampled_from(["", "1", "2"])),
    st.builds(SSEComment, EVIL_TEXT),
)

ITEMS = st.one_of(
    WRITABLE,
    st.builds(SSEEvent, EVIL_TEXT, EVIL_TEXT, EVIL_TEXT),
    EVIL_TEXT,
    st.binary(max_size=12),
    EVIL_TEXT.map(str.encode),
)


def refused(item: object) -> bool:
    """Whether an item has no form: a line break in event or id, or NUL in the id."""
    if not isinstance(item, SSEEvent):
        return False
    return any(bad in item.event + item.id for bad in "\r\n") or "\x00" in item.id


def intended(items: Sequence[object], event: str) -> list[Triple | str]:
    """What a reader must see: each event, and each line of each comment, in order."""
    out: list[Triple | str] = []
    last_id = ""
    for item in items:
        if isinstance(item, SSEComment):
            out += [" " + line for line in as_lines(item.text)]
        elif isinstance(item, SSEEvent):
            last_id = item.id
            out.append((item.event or "message", as_read(item.data), item.id))
        else:
            assert isinstance(item, (str, bytes))
            text = item if isinstance(item, str) else item.decode("utf-8", "replace")
            out.append((event, as_read(text), last_id))
    return out


@given(st.lists(ITEMS, max_size=6), st.sampled_from([None, "x", "a b:c"]), st.booleans())
@example([SSEEvent("x", "a\rid: 1\revent: y", "")], None, False)
@example([SSEComment("\n\ndata: injected\n\n"), ""], None, False)
@example([SSEEvent("\ufeff", "\ufeff", "\ufeff")], None, False)
@example(["\ufeff"], None, False)
def test_nothing_can_be_injected(items: list[object], event: str | None, many: bool) -> None:
    encoder = SSEEncoder(event=event)
    accepted: list[object] = []
    wire = b""
    for item in items:
        if refused(item):
            with pytest.raises(EncodeError):
                SSEEncoder(event=event).feed(item)
            continue
        accepted.append(item)
        if many:
            continue
        wire += b"".join(encoder.feed(item))
        # Each frame is complete in itself: a reader has the event now, and nothing is pending.
        assert interpret(wire).order == intended(accepted, event or "message")
        assert dropped_bytes(wire) == 0
    if many:
        wire = b"".join(encoder.feed_many(accepted))
    outcome = interpret(wire)
    assert outcome.order == intended(accepted, event or "message")
    assert outcome.retry_ms is None


@given(EVIL_TEXT)
def test_event_or_refusal(text: str) -> None:
    """No text in the place of an event's type can do anything but name the event, or be refused."""
    try:
        wire = encode(SSEEvent(text, "a"), "b")
    except EncodeError:
        assert "\r" in text or "\n" in text
    else:
        assert interpret(wire).events == [(text or "message", "a", ""), ("message", "b", "")]


@given(EVIL_TEXT)
def test_id_or_refusal(text: str) -> None:
    try:
        wire = encode(SSEEvent(data="a", id=text))
    except EncodeError:
        assert "\r" in text or "\n" in text or "\x00" in text
    else:
        assert interpret(wire).events == [("message", "a", text)]
        assert interpret(wire).last_event_id == text


@given(EVIL_TEXT)
def test_data_of_any_text(text: str) -> None:
    expected = [("message", as_read(text), "")]
    assert interpret(encode(text)).events == expected
    assert interpret(encode(text.encode())).events == expected
    assert interpret(encode(SSEEvent(data=text))).events == expected
    assert interpret(encode(done=text)).events == expected


@given(EVIL_TEXT)
def test_comment_of_any_text(text: str) -> None:
    outcome = interpret(encode("a", SSEComment(text), "b"))
    assert outcome.events == [("message", "a", ""), ("message", "b", "")]
    assert outcome.comments == [" " + line for line in as_lines(text)]


@given(
    st.lists(st.one_of(EVIL_TEXT.map(str.encode), st.binary(max_size=12)), max_size=20), st.sampled_from([None, "x"])
)
def test_many_are_as_one_by_one(items: list[bytes], event: str | None) -> None:
    for retry_ms, done in ((None, None), (5, "[DONE]")):
        encoder = SSEEncoder(event=event, retry_ms=retry_ms, done=done)
        many = b"".join([*encoder.feed_many(items), *encoder.feed_many([]), *encoder.finish()])
        assert many == encode(*items, event=event, retry_ms=retry_ms, done=done)


# --- there and back --------------------------------------------------------------------------------------------------


@given(st.lists(WRITABLE, max_size=6))
def test_our_decoder_reads_it_back(items: list[SSEEvent | SSEComment]) -> None:
    """Up to what the format cannot carry: a CR becomes an LF, a comment of several lines several comments."""
    read = SSEDecoder(comments=True).feed(encode(*items))
    expected: list[SSEEvent | SSEComment] = []
    for item in items:
        if isinstance(item, SSEComment):
            expected += [SSEComment(line) for line in as_lines(item.text)]
        else:
            expected.append(SSEEvent(item.event or "message", as_read(item.data), item.id))
    assert read == expected


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_case_survives_a_second_writing(case: Case) -> None:
    """Decoded and encoded again, a stream means the same."""
    events = SSEDecoder().feed(case.wire)
    again = interpret(encode(*events))
    assert again.events == case.events
    assert again.last_event_id == (case.events[-1][2] if case.events else "")
