"""Plain text as a dialect: all of it is text, its end is the end, and it can say nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamkit.dialects.convert import Converter, decoder_of, encoder_of
from streamkit.dialects.events import (
    Custom,
    End,
    Error,
    Event,
    Finish,
    FinishReason,
    PartEnd,
    PartStart,
    Ping,
    Raw,
    Reasoning,
    Refusal,
    Start,
    Text,
    ToolArgs,
    Usage,
)
from streamkit.dialects.message import Choice, Message, Part
from streamkit.dialects.text import DIALECT
from streamkit.errors import DecodeError, EncodeError, ReportedError, TruncatedError
from streamkit.testing import check_items
from tests.dialects.wires import decode, encode

START = Start(dialect="text")
ENDED = [Finish("stop"), End()]


def test_each_read_is_a_piece_at_once() -> None:
    decoder = decoder_of("text", strict=True)
    assert decoder.feed(b"Hel") == [START, PartStart(0, "text"), Text(0, "Hel")]
    assert decoder.feed(b"") == []
    assert decoder.feed("lo \u2028".encode()) == [Text(0, "lo \u2028")]
    assert decoder.finish() == [PartEnd(0), *ENDED]
    assert decoder.finish() == []


def test_a_character_waits_for_its_last_byte_and_nothing_else_does() -> None:
    decoder = decoder_of("text")
    whole = "a👋b".encode()
    assert decoder.feed(whole[:3])[-1] == Text(0, "a")
    assert decoder.feed(whole[3:4]) == []
    assert decoder.feed(whole[4:]) == [Text(0, "👋b")]


def test_no_input_is_an_empty_answer() -> None:
    assert decode("text", b"", strict=True) == [START, *ENDED]


@pytest.mark.parametrize("wire", [b"{}", b'data: {"type":"start"}\n\n', b"\0\x1b[31m", b"\r\n \n"])
def test_everything_is_text_whatever_it_looks_like(wire: bytes) -> None:
    assert decode("text", wire, strict=True)[2] == Text(0, wire.decode())


def test_a_cut_inside_a_character_is_a_cut() -> None:
    events = decode("text", "Hi 👋".encode()[:-1])
    assert events[:3] == [START, PartStart(0, "text"), Text(0, "Hi ")]
    (error,) = events[3:]
    assert isinstance(error, Error)
    assert error.type == "truncated"
    converter = Converter("text", "text")
    assert converter.feed(b"Hi \xe2\x80") == [b"Hi "]
    with pytest.raises(TruncatedError):
        converter.finish()


def test_what_is_no_utf8_is_refused_where_it_stands() -> None:
    decoder = decoder_of("text")
    decoder.feed(b"ab")
    with pytest.raises(DecodeError) as caught:
        decoder.feed(b"c\xff")
    assert caught.value.code == "invalid-utf8"
    assert caught.value.offset == 3
    assert caught.value.items == [Text(0, "c")]


def test_text_alone_is_written() -> None:
    inputs = [
        Custom("x", 1),
        Start("id", "model"),
        Ping(),
        PartStart(0, "reasoning"),
        Reasoning(0, "Hm"),
        PartEnd(0, "signature", "encrypted"),
        PartStart(1, "text"),
        Text(1, "Hel"),
        PartStart(2, "tool", "call_1", "f"),
        ToolArgs(2, "{}"),
        Text(1, "lo\r\n\u0085"),
        PartEnd(2),
        PartEnd(1),
        PartStart(3, "refusal"),
        Refusal(3, " No."),
        PartEnd(3),
        PartStart(0, "text", choice=1),
        Raw("text", "", "{}"),
        Usage(1, 2),
        Finish("length"),
        End(),
    ]
    pieces = {7: [b"Hel"], 10: ["lo\r\n\u0085".encode()], 14: [b" No."]}
    check_items(DIALECT.encoder, inputs, [pieces.get(place, []) for place in range(len(inputs))], joined=True)
    encoder = DIALECT.encoder()
    encoder.feed_many(inputs)
    words = "custom ping reasoning signature encrypted tool-call refusal choice raw finish"
    assert encoder.losses == dict.fromkeys(words.split(), 1)


@pytest.mark.parametrize("reason", ["error", "cancelled"])
def test_nothing_is_written_of_an_answer_that_failed(reason: FinishReason) -> None:
    said: list[Event] = [Start(), PartStart(0, "text"), Text(0, "Hel"), PartEnd(0)]
    assert encode("text", [*said, Error("boom")]) == b"Hel"
    assert encode("text", said) == b"Hel"
    assert encode("text", [*said, Finish(reason)]) == b"Hel"


def test_a_failed_answer_is_raised_so_that_nobody_ends_the_stream() -> None:
    """The class of BerriAI/litellm#40578 where the target has no form for an error at all."""
    converter = Converter("openai-chat", "text")
    with pytest.raises(ReportedError, match="boom") as caught:
        converter.feed(
            b'data: {"choices":[{"index":0,"delta":{"content":"Hel"}}]}\n\ndata: {"error":{"message":"boom"}}\n\n'
        )
    assert b"".join(caught.value.items) == b"Hel"  # type: ignore[arg-type]
    with pytest.raises(TruncatedError):
        Converter("openai-chat", "text").finish()


def test_a_lone_surrogate_cannot_be_written() -> None:
    encoder = encoder_of("text")
    with pytest.raises(EncodeError, match="surrogate"):
        encoder.feed_many([Start(), PartStart(0, "text"), Text(0, "\ud800")])


@given(pieces=st.lists(st.text(st.characters(codec="utf-8") | st.just("\ufeff"))))
def test_text_is_read_back_a_first_byte_order_mark_included(pieces: list[str]) -> None:
    events: list[Event] = [Start(), PartStart(0, "text"), *[Text(0, piece) for piece in pieces], PartEnd(0), *ENDED]
    heard = decode("text", encode("text", events))
    assert "".join([event.text for event in heard if isinstance(event, Text)]) == "".join(pieces)


def test_a_byte_order_mark_is_no_text() -> None:
    assert decode("text", b"\xef\xbb\xbfHi")[2] == Text(0, "Hi")
    assert decode("text", b"\xef\xbb\xbf") == [START, *ENDED]


def test_the_document_is_the_text() -> None:
    parts = [Part("reasoning", "Hm"), Part("text", "Hel"), Part("tool", "{}"), Part("text", "lo"), Part("refusal", "!")]
    assert DIALECT.document(Message(choices=[Choice(parts=parts)])) == "Hello!"
    assert DIALECT.document(Message()) == ""
    assert DIALECT.media_type() == "text/plain; charset=utf-8"


def test_only_text_looks_like_it() -> None:
    assert DIALECT.looks_like("x", "message")
    assert not DIALECT.looks_like({"text": "x"}, "message")
