"""The converter: one stage, prompt, and never a success where the source had none."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamkit.dialects.convert import Converter, decoder_of, encoder_of
from streamkit.dialects.encoder import Encoder
from streamkit.dialects.events import (
    End,
    Error,
    Event,
    Finish,
    PartEnd,
    PartStart,
    Ping,
    Refusal,
    Start,
    Text,
    ToolArgs,
)
from streamkit.dialects.message import MessageAccumulator
from streamkit.dialects.ollama import OllamaDecoder
from streamkit.dialects.ollama_chat import OllamaChatDecoder
from streamkit.dialects.registry import DIALECTS
from streamkit.errors import (
    ConfigError,
    DecodeError,
    EncodeError,
    LimitExceeded,
    ReportedError,
    StageStateError,
    TruncatedError,
)
from streamkit.testing import check_stage, outcome, splits
from tests.dialects.examples import EXAMPLES, Example

LINE = b'{"model":"m","created_at":"2026-11-20T10:00:00Z","message":{"role":"assistant","content":"Hi"},"done":false}\n'
LAST = (
    b'{"model":"m","created_at":"2026-11-20T10:00:01Z","message":{"role":"assistant","content":""},"done":true,'
    b'"done_reason":"stop","prompt_eval_count":3,"eval_count":1}\n'
)


def joined(stage: Converter, wire: bytes) -> bytes:
    return b"".join([*stage.feed(wire), *stage.finish()])


def test_a_stream_of_ollama_becomes_one_of_openai() -> None:
    def chunk(delta: str, reason: str = "null", index: str = "") -> str:
        choice = f'{{"index":0,"delta":{delta},"logprobs":null,"finish_reason":{reason}}}'
        head = '{"id":"chatcmpl-7","object":"chat.completion.chunk","created":1795168800,"model":"m","choices":['
        return f"data: {head}{'' if index else choice}]{index}}}\n\n"

    counts = ',"usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4}'
    expected = (
        chunk('{"role":"assistant","content":""}')
        + chunk('{"content":"Hi"}')
        + chunk("{}", '"stop"')
        + chunk("", index=counts)
        + "data: [DONE]\n\n"
    )
    converter = Converter("ollama-chat", "openai-chat", message_id="chatcmpl-7")
    assert joined(converter, LINE + LAST) == expected.encode()
    assert converter.losses == {}
    assert converter.repairs == []


def test_a_text_leaves_with_the_last_byte_of_its_record() -> None:
    converter = Converter("ollama-chat", "openai-chat")
    for place in range(len(LINE) - 1):
        assert converter.feed(LINE[place : place + 1]) == []
    assert b'"content":"Hi"' in b"".join(converter.feed(b"\n"))


PROMPT = [example for example in EXAMPLES if DIALECTS[example.dialect].framings[0] != "text"]


@pytest.mark.parametrize("target", DIALECTS)
@pytest.mark.parametrize("example", PROMPT, ids=str)
def test_every_text_leaves_with_its_record(example: Example, target: str) -> None:
    """Promptness (L8) of every pair, over real streams: after each byte the texts out are the texts in."""
    source, converter, reader = decoder_of(example.source), Converter(example.source, target), decoder_of(target)
    kinds = (Text,) if "refusal" in DIALECTS[target].carries else (Text, Refusal)
    said, heard = "", ""
    for piece in example.wire.splitlines(keepends=True):
        said += "".join([e.text for e in source.feed(piece) if isinstance(e, kinds) and e.choice == 0])
        try:
            frames = converter.feed(piece)
        except ReportedError:
            return
        events = [event for frame in frames for event in reader.feed(frame)]
        heard += "".join([e.text for e in events if isinstance(e, Text) and e.choice == 0])
        assert heard == said, f"after {piece!r}"


def test_the_laws_of_stages() -> None:
    expected = joined(Converter("ollama-chat", "anthropic"), LINE + LAST)
    check_stage(lambda: Converter("ollama-chat", "anthropic"), LINE + LAST, [expected], joined=True)


class TestFailure:
    @pytest.mark.parametrize("target", DIALECTS)
    def test_a_cut_is_an_error_in_every_target(self, target: str) -> None:
        converter = Converter("ollama-chat", target)
        written = b"".join(converter.feed(LINE))
        with pytest.raises(TruncatedError, match="without its terminator") as caught:
            converter.finish()
        assert caught.value.truncated
        reader = decoder_of(target)
        events = [*reader.feed(written + b"".join(caught.value.items)), *reader.finish()]  # type: ignore[arg-type]
        if target != "text":
            assert isinstance(events[-1], Error)
        with pytest.raises(StageStateError):
            converter.feed(LAST)
        assert converter.finish() == []

    def test_a_cut_inside_a_record_is_a_cut(self) -> None:
        converter = Converter("ollama-chat", "openai-chat")
        converter.feed(LINE[:50])
        with pytest.raises(TruncatedError):
            converter.finish()

    def test_an_error_that_the_sender_reports(self) -> None:
        converter = Converter("ollama-chat", "openai-chat")
        converter.feed(LINE)
        with pytest.raises(ReportedError, match="model runner has crashed") as caught:
            converter.feed(b'{"error":"model runner has crashed"}\n')
        (frame,) = caught.value.items
        assert isinstance(frame, bytes)
        assert frame.startswith(b'data: {"error":{"message":"model runner has crashed"')

    def test_a_broken_record_ends_the_output_in_an_error(self) -> None:
        converter = Converter("ollama-chat", "openai-chat")
        with pytest.raises(DecodeError, match=f"record 2 at byte {len(LINE)}") as caught:
            converter.feed(LINE + b"oops\n" + LAST)
        written = b"".join(caught.value.items)  # type: ignore[arg-type]
        assert written.index(b'"content":"Hi"') < written.index(b'"error"')
        assert b"[DONE]" not in written

    def test_a_record_of_another_dialect(self) -> None:
        with pytest.raises(DecodeError, match="ollama-chat") as caught:
            Converter("ollama-generate", "openai-chat").feed(LINE)
        assert caught.value.code == "wrong-dialect"

    def test_a_stream_of_another_framing(self) -> None:
        converter = Converter("openai-chat", "ollama-chat")
        assert converter.feed(LINE) == []
        with pytest.raises(DecodeError, match="it looks like ollama-chat"):
            converter.finish()

    def test_what_is_wrong_after_a_whole_stream_spoils_nothing(self) -> None:
        for pieces in ([LINE + LAST + b"oops\n"], [LINE + LAST, b"oops\n"]):
            converter = Converter("ollama-chat", "openai-chat")
            written = b""
            with pytest.raises(DecodeError, match="record 3") as caught:  # noqa: PT012 - the first piece may pass
                for piece in pieces:
                    written += b"".join(converter.feed(piece))
            written += b"".join(caught.value.items)  # type: ignore[arg-type]
            assert written.endswith(b"data: [DONE]\n\n")

    @pytest.mark.parametrize("name", ["openai-chat", "anthropic", "ag-ui", "openai-completions", "openai-responses"])
    def test_another_dialect_is_known_by_its_record_however_it_is_cut(self, name: str) -> None:
        wire = b'data: {"type":"start"}\n\ndata: {"type":"text_message","data":{"content":"a"}}\n\n'
        whole = outcome(decoder_of(name), [wire])
        assert whole.error is not None
        assert whole == outcome(decoder_of(name), [wire[place : place + 1] for place in range(len(wire))])

    def test_what_looks_like_nothing_is_passed_over(self) -> None:
        converter = Converter("ollama-chat", "openai-chat")
        assert converter.feed(b'{"nobody":"knows"}\n') == []
        assert converter.losses == {"raw": 1}

    def test_an_empty_input(self) -> None:
        with pytest.raises(TruncatedError, match="empty"):
            Converter("ollama-chat", "openai-chat").finish()

    def test_a_model_that_stops_with_an_error(self) -> None:
        chunk = b'data: {"id":"x","object":"chat.completion.chunk","created":1,"model":"m","choices":[%b]}\n\n'
        wire = chunk % b'{"index":0,"delta":{"content":"a"},"finish_reason":"error"}' + b"data: [DONE]\n\n"
        for target in ("anthropic", "ollama-chat", "openai-chat"):
            with pytest.raises(ReportedError, match="because of an error"):
                Converter("openai-chat", target).feed(wire)

    def test_arguments_that_the_target_cannot_write(self) -> None:
        chunk = b'data: {"id":"x","object":"chat.completion.chunk","created":1,"model":"m","choices":[%b]}\n\n'
        call = b'{"index":0,"id":"c","type":"function","function":{"name":"f","arguments":"{oops"}}'
        wire = (
            chunk % (b'{"index":0,"delta":{"tool_calls":[%b]},"finish_reason":null}' % call)
            + chunk % b'{"index":0,"delta":{},"finish_reason":"tool_calls"}'
        )
        converter = Converter("openai-chat", "ollama-chat")
        with pytest.raises(EncodeError, match="no JSON object") as caught:
            converter.feed(wire)
        assert b'"error"' in b"".join(caught.value.items)  # type: ignore[arg-type]

    def test_a_stage_between_that_fails(self) -> None:
        converter = Converter("ollama-chat", "openai-chat", stages=[MessageAccumulator(max_bytes=3)])
        with pytest.raises(LimitExceeded):
            converter.feed(LINE)


def test_an_event_without_data_is_a_heartbeat() -> None:
    """Official clients break on it; nothing is lost by being patient."""
    decoder = decoder_of("openai-chat", strict=True)
    assert decoder.feed(b"event: ping\ndata:\n\n") == [Ping()]


def test_stages_between_see_the_events() -> None:
    messages = MessageAccumulator()
    joined(Converter("ollama-chat", "openai-chat", stages=[messages]), LINE + LAST)
    assert messages.message.text == "Hi"
    assert messages.message.complete


def test_a_converter_can_be_reset() -> None:
    converter = Converter("ollama-chat", "openai-chat")
    first = joined(converter, LINE + LAST)
    converter.reset()
    assert joined(converter, LINE + LAST) == first
    converter.reset()
    with pytest.raises(TruncatedError):
        joined(converter, LINE)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Converter("nobody", "openai-chat"),
        lambda: Converter("auto", "auto"),
        lambda: decoder_of("ollama-chat/sse"),
        lambda: encoder_of("gemini/ndjson"),
        lambda: decoder_of(""),
    ],
)
def test_what_there_is_not(make: Callable[[], object]) -> None:
    with pytest.raises(ConfigError):
        make()


class TestEncoder:
    """What all encoders have in common; by way of one of them."""

    def encoder(self) -> Encoder:
        return encoder_of("openai-chat")

    @pytest.mark.parametrize(
        ("events", "reason"),
        [
            ([Start(), Text(0, "x"), Start()], "second Start"),
            ([Start(), Finish("stop"), End(), Text(0, "x")], "after the end"),
            ([Start(), Finish("stop"), End(), End()], "after the end"),
            ([Start(), ToolArgs(3, "{}")], "part 3 of choice 0 is not open"),
            ([Start(), PartEnd(0)], "not open"),
            ([Start(), Text(0, "\ud800")], "surrogate"),
        ],
    )
    def test_an_unlawful_stream_is_refused(self, events: list[Event], reason: str) -> None:
        with pytest.raises(EncodeError, match=reason):
            self.encoder().feed_many(events)

    def test_what_was_good_before_it_gets_out(self) -> None:
        with pytest.raises(EncodeError) as caught:
            self.encoder().feed_many([Start(), PartStart(0, "text"), Text(0, "good"), Text(0, "\ud800")])
        (written,) = caught.value.items
        assert isinstance(written, bytes)
        assert b'"good"' in written
        assert written.endswith(b"}\n\n")
        assert b'"error"' in written
        assert b"[DONE]" not in written

    def test_a_stream_without_a_start_gets_one(self) -> None:
        assert self.encoder().feed(Text(0, "x"))[0].startswith(b'data: {"id":"chatcmpl-0"')

    def test_an_end_that_never_came_is_an_error(self) -> None:
        encoder = self.encoder()
        encoder.feed_many([Start(), PartStart(0, "text"), Text(0, "x")])
        (last,) = encoder.finish()
        assert b'"error"' in last

    def test_a_model_name_of_ones_own(self) -> None:
        encoder = encoder_of("openai-chat", model="mine", created_ns=5_000_000_000, message_id="id")
        (first,) = encoder.feed(Start(model="theirs"))
        assert b'"id":"id"' in first
        assert b'"created":5,"model":"mine"' in first


class Slow(OllamaChatDecoder):
    """The decoder without its shortcut."""

    _take = OllamaDecoder._take  # noqa: SLF001 - what the shortcut overrides


VALUES: st.SearchStrategy[object] = st.sampled_from(
    [None, True, False, 0, 1.5, "", "x", "é\u2028", [], {}, "assistant"]
)


@given(
    records=st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                "model": VALUES,
                "created_at": VALUES,
                "done": st.booleans() | VALUES,
                "extra": VALUES,
                "message": VALUES
                | st.fixed_dictionaries(
                    {}, optional={"role": VALUES, "content": VALUES, "thinking": VALUES, "tool_calls": VALUES}
                ),
            },
        ),
        max_size=4,
    )
)
def test_the_shortcut_says_what_the_long_way_says(records: list[object]) -> None:
    from streamkit.codecs.jsontext import encode_value

    wire = LINE + b"".join([encode_value(record) + b"\n" for record in records]) + LAST
    assert outcome(OllamaChatDecoder(), [wire]) == outcome(Slow(), [wire])


def test_the_other_framing_of_the_same_dialect_is_named() -> None:
    decoder = decoder_of("gemini")
    decoder.feed(b'[{"candidates":[{"content":{"parts":[{"text":"a"}],"role":"model"},"index":0}]}\n,')
    with pytest.raises(DecodeError, match="it looks like gemini/json-array"):
        decoder.finish()


@pytest.mark.parametrize("name", ["ollama-chat", "openai-chat", "anthropic"])
def test_no_shortcut_goes_on_after_an_error(name: str) -> None:
    """Each of these has a short way for the text that is open; an error ends that text too."""
    wire = b"".join(encoder_of(name).feed_many([Start(), PartStart(0, "text"), Text(0, "a"), Text(0, "b")]))
    error = b"".join(encoder_of(name).feed(Error("it broke", "api_error")))
    decoder = decoder_of(name)
    assert isinstance(decoder.feed(wire + error)[-1], Error)
    record = b"".join(encoder_of(name).feed_many([Start(), PartStart(0, "text"), Text(0, "c")]))
    assert decoder.feed(record) == []


@given(data=st.data())
def test_what_is_written_of_a_failure_does_not_depend_on_the_cuts(data: st.DataObject) -> None:
    """What the input looks like instead is for people; how much is known of that depends on the reads."""
    wire = b"event: message_start\ndata: {}\n\n"
    whole = outcome(Converter("ollama-chat", "openai-chat"), [wire], joined=True)
    assert outcome(Converter("ollama-chat", "openai-chat"), data.draw(splits(wire)), joined=True) == whole
