"""Against the mock server: every dialect that it speaks, cut everywhere, failing in every way; by both transports."""

from __future__ import annotations

import pytest

from mockserver import open_mockserver
from streamkit.client.timeouts import Timeouts
from streamkit.dialects.events import End, Finish
from streamkit.dialects.requests import Tool
from streamkit.errors import (
    ConnectError,
    DecodeError,
    DisconnectedError,
    IdleTimeout,
    ReportedError,
    StatusError,
    StreamkitError,
    TruncatedError,
)
from streamkit.http.tls import ThrowawayCertificate, throwaway_certificate
from tests.client.mocking import DIALECTS, TRANSPORTS, Carrier, chat_with, text_of, told, until_left

SAID = "It rains in größeren Mengen, 🐢."

REASONERS = ("ollama-chat", "openai-chat", "openai-responses", "anthropic", "gemini")

WEATHER = Tool(
    "weather",
    "The weather of a city.",
    {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_every_dialect_comes_through(dialect: str, transport: Carrier) -> None:
    async with open_mockserver(say=SAID) as mock, chat_with(mock, dialect, transport) as chat:
        events, error = await told(chat)
    assert error is None
    assert text_of(events) == chat.text
    assert SAID in chat.text if dialect == "text" else chat.text == SAID
    assert isinstance(events[-1], End)
    assert chat.message.complete
    assert chat.dialect == dialect.partition("/")[0]
    assert mock.journal[-1].outcome == "complete"
    assert [entry.dialect for entry in mock.journal] == [chat.dialect]


@pytest.mark.parametrize("split", ["every-byte", "hostile", "coalesce:7"])
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_cuts_change_nothing(dialect: str, split: str) -> None:
    async with open_mockserver(say=SAID, split=split) as mock, chat_with(mock, dialect) as chat:
        events, error = await told(chat)
    assert error is None
    assert SAID in text_of(events)
    assert chat.message.complete


@pytest.mark.parametrize("framing", ["chunked", "length", "close"])
@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_framings_change_nothing(framing: str, transport: Carrier) -> None:
    async with open_mockserver(say=SAID, framing=framing) as mock, chat_with(mock, "openai-chat", transport) as chat:
        events, error = await told(chat)
    assert error is None
    assert text_of(events) == SAID


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_gzip_that_nobody_asked_for_changes_nothing(transport: Carrier) -> None:
    async with open_mockserver(say=SAID, gzip="always") as mock, chat_with(mock, "openai-chat", transport) as chat:
        assert chat.response.header("Content-Encoding") == "gzip"
        events, error = await told(chat)
    assert error is None
    assert text_of(events) == SAID


@pytest.fixture(scope="module")
def certificate() -> ThrowawayCertificate:
    return throwaway_certificate()


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_tls_changes_nothing_where_there_is_trust(transport: Carrier, certificate: ThrowawayCertificate) -> None:
    trusting = certificate.client_context()
    secure = open_mockserver(say=SAID, tls=certificate.context)
    async with secure as mock, chat_with(mock, "openai-chat", transport, tls=trusting) as chat:
        assert mock.url.startswith("https://")
        events, error = await told(chat)
    assert error is None
    assert text_of(events) == SAID


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_without_trust_nothing_is_sent(transport: Carrier, certificate: ThrowawayCertificate) -> None:
    async with open_mockserver(say=SAID, tls=certificate.context) as mock:
        with pytest.raises(ConnectError, match="its certificate is not trusted"):
            async with chat_with(mock, "openai-chat", transport):
                pytest.fail("the block must not begin")
        assert len(mock.journal) == 0


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_leaving_early_is_seen_through_tls(transport: Carrier, certificate: ThrowawayCertificate) -> None:
    async with open_mockserver(gate="pause@token:2", tls=certificate.context) as mock:
        async with chat_with(mock, "openai-chat", transport, tls=certificate.client_context()) as chat:
            await anext(chat)
            await mock.gates.wait_for("pause")
        await until_left(mock)


@pytest.mark.parametrize("dialect", REASONERS)
async def test_reasoning_and_usage_are_in_the_message(dialect: str) -> None:
    async with open_mockserver(say=SAID, reasoning=5) as mock, chat_with(mock, dialect, reasoning=True) as chat:
        _, error = await told(chat)
    assert error is None
    assert chat.message.reasoning
    assert chat.text == SAID
    assert chat.message.usage.output_total
    assert chat.message.usage.input_total


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("dialect", REASONERS)
async def test_a_tool_is_called(dialect: str, transport: Carrier) -> None:
    called = open_mockserver(call='weather:{"city":"Köln"}')
    async with called as mock, chat_with(mock, dialect, transport, tools=[WEATHER]) as chat:
        _, error = await told(chat)
    assert error is None
    (call,) = chat.message.tool_calls
    assert call.tool_name == "weather"
    assert call.arguments == {"city": "Köln"}
    assert chat.message.reason == "tool_calls"


async def test_a_conversation_with_a_tools_result_goes_on() -> None:
    messages: list[dict[str, object]] = [
        {"role": "user", "content": "How is the weather?"},
        {
            "role": "assistant",
            "tool_calls": [{"id": "c1", "function": {"name": "weather", "arguments": '{"city":"Bonn"}'}}],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "Rain."},
    ]
    async with open_mockserver(say=SAID) as mock:
        for dialect in ("ollama-chat", "openai-chat", "openai-responses", "anthropic"):
            async with chat_with(mock, dialect, messages=messages, tools=[WEATHER], system="Be brief.") as chat:
                _, error = await told(chat)
            assert error is None
            assert chat.text == SAID


@pytest.mark.parametrize("dialect", ["ollama-chat", "openai-chat", "openai-responses", "anthropic", "gemini"])
async def test_a_second_turn_begins_with_the_first_ones_answer(dialect: str) -> None:
    question = {"role": "user", "content": "How is the weather?"}
    bodies: list[bytes] = []
    async with open_mockserver(call='weather:{"city":"Köln"}', reasoning=4) as mock:
        async with chat_with(mock, dialect, messages=[question], tools=[WEATHER], reasoning=True) as chat:
            _, error = await told(chat)
            assert error is None
        call = chat.message.tool_calls[0]
        result = {"role": "tool", "tool_call_id": call.tool_id, "tool_name": "weather", "content": "Rain."}
        turns = [question, chat.message, result]
        async with chat_with(mock, dialect, messages=turns, tools=[WEATHER], reasoning=True) as again:
            bodies.append(again.request.body)
            _, error = await told(again)
            assert error is None
    (body,) = bodies
    assert "Köln".encode() in body
    assert b"Rain." in body
    for part in chat.message.first.parts:
        assert part.signature.encode() in body
        assert part.encrypted.encode() in body


FAULTS: dict[str, type[StreamkitError]] = {
    "reset@token:3": DisconnectedError,
    "close@token:3": DisconnectedError,
    "bad-json@token:3": DecodeError,
    "error:no more memory@token:3": ReportedError,
    "end@token:3": TruncatedError,
    "no-terminator": TruncatedError,
}


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("dialect", ["ollama-chat", "openai-chat", "openai-responses", "anthropic"])
@pytest.mark.parametrize(("fault", "kind"), FAULTS.items(), ids=FAULTS)
async def test_a_fault_is_an_error_after_everything_good(
    fault: str, kind: type[StreamkitError], dialect: str, transport: Carrier
) -> None:
    failing = open_mockserver(say="one two three four five six", fault=fault)
    async with failing as mock, chat_with(mock, dialect, transport) as chat:
        events, error = await told(chat)
    assert type(error) is kind
    assert not any(isinstance(event, End) for event in events)
    assert text_of(events).startswith("one two")
    assert not chat.message.complete
    assert chat.message.error is not None
    if kind is ReportedError:
        assert "no more memory" in str(error)
    if fault != "no-terminator":
        assert not any(isinstance(event, Finish) for event in events)


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_body_shorter_than_its_length_is_a_broken_connection(transport: Carrier) -> None:
    short = open_mockserver(say=SAID, framing="length", fault="length:+50")
    async with short as mock, chat_with(mock, "ollama-chat", transport) as chat:
        events, error = await told(chat)
    assert error is None  # the answer's own terminator came
    assert text_of(events) == SAID
    cut = open_mockserver(say=SAID, framing="length", fault=["length:+50", "no-terminator"])
    async with cut as mock, chat_with(mock, "ollama-chat", transport) as chat:
        _, error = await told(chat)
    assert type(error) is DisconnectedError


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("dialect", ["ollama-chat", "openai-chat", "anthropic", "gemini"])
async def test_a_refusal_says_what_the_vendor_says(dialect: str, transport: Carrier) -> None:
    async with open_mockserver(fault="status:429:2") as mock:
        with pytest.raises(StatusError, match="429") as caught:
            async with chat_with(mock, dialect, transport):
                pytest.fail("the block must not begin")
    assert caught.value.status == 429
    assert caught.value.retry_after_s == 2
    assert "told to answer 429" in caught.value.message


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_server_that_is_silent_is_given_up(transport: Carrier) -> None:
    async with open_mockserver(say="one two three", fault="stall@token:2") as mock:
        async with chat_with(mock, "ollama-chat", transport, timeouts=Timeouts(idle_s=0.2)) as chat:
            events, error = await told(chat)
        assert type(error) is IdleTimeout
        assert text_of(events) == "one two"
        await until_left(mock)
