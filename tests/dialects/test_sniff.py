"""Finding out which dialect a stream is: from its first record, and at no text's cost."""

from __future__ import annotations

import pytest

from streamkit.dialects.convert import Converter, decoder_of
from streamkit.dialects.events import Error, Text
from streamkit.dialects.sniff import AutoDecoder, Sniffer, guess
from streamkit.errors import DecodeError, EncodeError
from streamkit.testing import outcome
from tests.dialects.examples import EXAMPLES, Example

NAMED = [example for example in EXAMPLES if example.dialect != "json"]


@pytest.mark.parametrize("example", NAMED, ids=str)
def test_every_example_is_known_by_its_first_records(example: Example) -> None:
    auto = AutoDecoder()
    ours = outcome(auto, [example.wire])
    assert auto.found == example.source
    assert ours == outcome(decoder_of(example.source), [example.wire])


@pytest.mark.parametrize("example", NAMED, ids=str)
def test_no_text_waits_for_the_guess(example: Example) -> None:
    """Byte by byte, each text comes with the byte with which it comes when the dialect is known."""
    auto, known = AutoDecoder(), decoder_of(example.source)
    for place in range(min(len(example.wire), 3000)):
        byte = example.wire[place : place + 1]
        guessed = [event for event in auto.feed(byte) if isinstance(event, Text)]
        assert guessed == [event for event in known.feed(byte) if isinstance(event, Text)], f"at byte {place}"


@pytest.mark.parametrize(
    ("head", "found"),
    [
        (b"", None),
        (b" \r\n", None),
        (b"dat", None),
        (b"data: ", None),
        (b": hello\n\n", None),
        (b'data: {"x":1}\n\n', None),
        (b'data: {"x":1}\n\n' * 8, "json/sse"),
        (b"data: hello\n\n", "json/sse"),
        (b'{"x":1}\n', None),
        (b'{"x":1}', None),
        (b'{"x":1}\n' * 8, "json"),
        (b"[" + b'{"x":1},' * 8, "json/json-array"),
        (b"\xef\xbb\xbf" + b'{"x":1}\n' * 8, "json"),
        (b"\xef", None),
        (b"\xef\xbb", None),
        (b"\xef\xbb\xbf", None),
        (b"d", None),
        (b"Hello", "text"),
        (b"Hello, you", "text"),
        (b"database", "text"),
        (b"<html>", "text"),
    ],
)
def test_what_belongs_to_nobody(head: bytes, found: str | None) -> None:
    assert Sniffer().feed(head) == found


def test_a_first_record_that_nobody_knows_does_not_decide() -> None:
    auto = AutoDecoder()
    unknown = b'data: {"foo":1}\n\n'
    plain = next(example for example in EXAMPLES if str(example) == "openai-chat-plain-sse")
    assert auto.feed(unknown) == []
    auto.feed(plain.wire)
    assert auto.found == "openai-chat"
    assert outcome(AutoDecoder(), [unknown + plain.wire]).error is None


def test_one_record_without_a_line_end_is_enough() -> None:
    wire = b'{"model":"m","message":{"role":"assistant","content":"Hi"},"done":true,"done_reason":"stop"}'
    events = outcome(AutoDecoder(), [wire]).items
    assert [event.text for event in events if isinstance(event, Text)] == ["Hi"]
    (error,) = outcome(AutoDecoder(), [b'{"error":"model not found"}']).items
    assert isinstance(error, Error)


def test_the_end_of_the_input_decides() -> None:
    sniffer = Sniffer()
    assert sniffer.feed(b"da") is None
    assert sniffer.finish() == "text"
    assert Sniffer().finish() is None


def test_a_guess_is_only_made_for_a_particular_dialect() -> None:
    assert guess(b'{"x":1}\n') is None
    assert guess(b'{"model":"m","message":{"role":"assistant","content":"x"},"done":false}\n') == "ollama-chat"


@pytest.mark.parametrize(
    ("wire", "reason"),
    [
        (b'{"error":{"message":"Invalid API key"}}', "of no dialect"),
        (b'{"x":1}\n{"x":2}\n', "of no dialect"),
        (b'data: {"x":1}\n\n', "of no dialect"),
        (b'[{"x":1}]', "of no dialect"),
        (b"<!DOCTYPE html>\n<p>502", "HTML page"),
        (b"\n <HTML>", "HTML page"),
    ],
)
def test_what_is_no_answer_is_not_made_an_empty_one(wire: bytes, reason: str) -> None:
    for pieces in ([wire], [wire[place : place + 1] for place in range(len(wire))]):
        auto = AutoDecoder()
        with pytest.raises(DecodeError, match=reason) as caught:  # noqa: PT012 - it may come with any of the pieces
            for piece in pieces:
                auto.feed(piece)
            auto.finish()
        assert caught.value.code == "wrong-dialect"
        assert auto.found is None


def test_records_of_nobody_are_no_answer_in_a_dialect() -> None:
    converter = Converter("json", "openai-chat")
    converter.feed(b'{"x":1}\n')
    with pytest.raises(EncodeError, match="none of the records"):
        converter.finish()
    kept = Converter("json", "json/sse")
    assert b"".join([*kept.feed(b'{"x":1}\n'), *kept.finish()]) == b'data: {"x":1}\n\n'


def test_silence_before_the_first_record_is_bounded() -> None:
    auto = AutoDecoder(max_record_bytes=100)
    for _ in range(12):
        auto.feed(b": ping\n\n")
    with pytest.raises(DecodeError, match="limit"):
        auto.feed(b": one too many\n\n")


def test_nothing_is_an_empty_input() -> None:
    auto = AutoDecoder()
    (error,) = auto.finish()
    assert isinstance(error, Error)
    assert error.type == "truncated"


def test_an_undecided_record_is_bounded() -> None:
    auto = AutoDecoder(max_record_bytes=100)
    assert auto.feed(b'{"x":"' + b"y" * 60) == []
    with pytest.raises(DecodeError, match="limit"):
        auto.feed(b"y" * 60)


def test_a_record_that_two_dialects_begin_with_waits_for_the_next() -> None:
    auto = AutoDecoder()
    assert auto.feed(b'data: {"type":"start"}\n\n') == []
    assert auto.found is None
    events = auto.feed(b'data: {"type":"text_message","data":{"content":"Hi"}}\n\n')
    assert auto.found == "agent-poc"
    assert [event.text for event in events if isinstance(event, Text)] == ["Hi"]
    auto.reset()
    auto.feed(b'data: {"type":"start"}\n\n')
    auto.feed(b'data: {"type":"start-step"}\n\n')
    assert auto.found == "vercel-ui"
