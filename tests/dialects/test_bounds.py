"""What a hostile sender can make us keep has an end."""

from __future__ import annotations

import json

import pytest

from streamkit.dialects.arrange import WholeCalls
from streamkit.dialects.convert import Converter, decoder_of, encoder_of
from streamkit.dialects.encoder import MAX_LOSS_WORDS
from streamkit.dialects.events import Error, PartStart, Ping, Start, Text, ToolArgs
from streamkit.dialects.parts import MAX_OPEN
from streamkit.errors import DecodeError, EncodeError


def chunk(delta: object) -> bytes:
    record = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return f"data: {json.dumps({**record, 'choices': [{'index': 0, 'delta': delta}]})}\n\n".encode()


def test_calls_that_are_open_at_once() -> None:
    decoder = decoder_of("openai-chat")
    calls = [{"index": n, "id": f"c{n}", "function": {"name": "f", "arguments": ""}} for n in range(MAX_OPEN + 1)]
    decoder.feed(chunk({"tool_calls": calls[:MAX_OPEN]}))
    with pytest.raises(DecodeError, match="open at once") as caught:
        decoder.feed(chunk({"tool_calls": calls[MAX_OPEN:]}))
    assert caught.value.code == "limit"


def test_words_of_losses() -> None:
    encoder = encoder_of("anthropic")
    encoder.feed_many([Start(), PartStart(0, "text")])
    for number in range(10 * MAX_LOSS_WORDS):
        encoder.feed(Text(0, "x", extra={f"nobody.{number}": 1}))
    assert len(encoder.losses) == MAX_LOSS_WORDS + 1
    assert sum(encoder.losses.values()) == 10 * MAX_LOSS_WORDS


def test_what_a_first_record_may_weigh() -> None:
    converter = Converter("auto", "openai-chat", max_record_bytes=1000)
    with pytest.raises(DecodeError, match="limit"):
        converter.feed(b'{"x":"' + b"y" * 2000)


def test_a_comment_is_one_line_for_every_reader() -> None:
    """Some take U+2028 for a line end; what comes after it in a comment would be an event to them."""
    for name in ("openai-chat", "anthropic", "ag-ui", "vercel-ui", "openai-responses"):
        wire = b"".join(encoder_of(name).feed_many([Start(), Ping("a\u2028data: {}\u0085\u2029\r\nb")]))
        assert not any(separator in wire.decode() for separator in "\u2028\u2029\x85\r")
        assert b"\ndata: {}" not in wire


def test_calls_that_are_lost_with_the_stream_are_counted() -> None:
    for target in ("ollama-chat", "gemini"):
        encoder = encoder_of(target)
        encoder.feed_many([Start(), PartStart(0, "tool", "a", "f"), ToolArgs(0, "{}"), Error("it broke")])
        assert encoder.losses["tool-call"] == 1


def test_what_is_held_of_a_call_counts_with_its_extra() -> None:
    stage = WholeCalls(max_held_bytes=1000)
    stage.feed(PartStart(0, "tool", "a", "f"))
    with pytest.raises(EncodeError, match="1000 bytes"):
        stage.feed(ToolArgs(0, "{}", extra={"x.y": "z" * 1000}))
