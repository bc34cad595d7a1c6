"""Seals on thoughts: with the client in a place of its own, marked; upstream only where they came from."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamkit.dialects.convert import Converter
from streamkit.dialects.events import End, Error, Event, Finish, PartEnd, PartStart, Reasoning, Start, Text, ToolArgs
from streamkit.dialects.message import Message, MessageAccumulator
from streamkit.dialects.registry import DIALECTS
from streamkit.dialects.requests import ChatMessage, ChatRequest
from streamkit.gateway.seals import Seals, carries_seals, marked, message_with_marks, unmarked, unsealed
from streamkit.vendors import Facts, find
from streamkit.vendors.envelope import read_envelope
from streamkit.vendors.question import Question
from streamkit.vendors.reading import Reading
from tests.gateway.peers import exchange, framed, head_bytes, standing
from tests.gateway.translating import ask

FACTS: Final = Facts(None)

SEAL: Final = "U0lHTkFUVVJF"

VENDORS: Final = ("anthropic", "gemini", "openai-responses")

PATHS: Final[Mapping[str, str]] = {
    "anthropic": "/v1/messages",
    "openai-responses": "/v1/responses",
    "openai-chat": "/v1/chat/completions",
    "gemini": "/v1beta/models/m:generateContent",
}

SIGNED: Final[tuple[Event, ...]] = (PartStart(0, "reasoning"), Reasoning(0, "Hm."), PartEnd(0, signature=SEAL))
HIDDEN: Final[tuple[Event, ...]] = (PartStart(0, "reasoning"), PartEnd(0, encrypted=SEAL))
SHOWN: Final[tuple[Event, ...]] = (PartStart(0, "reasoning"), Reasoning(0, "Hm."), PartEnd(0, encrypted=SEAL))
CALL: Final[tuple[Event, ...]] = (
    *(PartStart(1, "tool", tool_id="c1", tool_name="f"), ToolArgs(1, '{"a":1}'), PartEnd(1)),
)
SIGNED_CALL: Final[tuple[Event, ...]] = (*CALL[:-1], PartEnd(1, signature=SEAL))
THOUGHT: Final[tuple[Event, ...]] = (PartStart(0, "reasoning"), Reasoning(0, "Hm."), PartEnd(0))

ANSWERS: Final[Mapping[str, tuple[str, tuple[Event, ...]]]] = {
    "anthropic, signed": ("anthropic", (*SIGNED, *CALL)),
    "anthropic, redacted": ("anthropic", (*HIDDEN, *CALL)),
    "openai, with a summary": ("openai-responses", (*SHOWN, *CALL)),
    "openai, without": ("openai-responses", (*HIDDEN, *CALL)),
    "gemini, a thought": ("gemini", (*SIGNED, *CALL)),
    "gemini, a call": ("gemini", (*THOUGHT, *SIGNED_CALL)),
    "gemini, only a call": ("gemini", SIGNED_CALL),
}


def whole(vendor: str, events: Iterable[Event]) -> list[Event]:
    return [Start("m1", "m", dialect=vendor), *events, Finish("tool_calls"), End()]


def message_of(events: Iterable[Event]) -> Message:
    kept = MessageAccumulator()
    kept.feed_many(events)
    return kept.message


def streamed(vendor: str, client: str, events: list[Event]) -> Message:
    """What the client of a stream has heard."""
    encoder = DIALECTS[client].encoder()
    wire = b"".join((Seals(vendor, client) | encoder).feed_many(events))
    decoder = DIALECTS[client].decoder()
    return message_of([*decoder.feed(wire), *decoder.finish()])


def replayed(client: str, document: Any) -> dict[str, Any]:  # noqa: ANN401 - a JSON value
    """The second turn of a client that sends back what it got."""
    result = "Sunny"
    if client == "anthropic":
        (call,) = [block for block in document["content"] if block["type"] == "tool_use"]
        told = [{"type": "tool_result", "tool_use_id": call["id"], "content": result}]
        turns = [{"role": "assistant", "content": document["content"]}, {"role": "user", "content": told}]
        return {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}, *turns]}
    if client == "openai-responses":
        (call,) = [item for item in document["output"] if item["type"] == "function_call"]
        told = [{"type": "function_call_output", "call_id": call["call_id"], "output": result}]
        return {"model": "m", "input": [{"role": "user", "content": "Hi"}, *document["output"], *told]}
    if client == "openai-chat":
        message = document["choices"][0]["message"]
        turns = [message, {"role": "tool", "tool_call_id": message["tool_calls"][0]["id"], "content": result}]
        return {"model": "m", "messages": [{"role": "user", "content": "Hi"}, *turns]}
    content = document["candidates"][0]["content"]
    told = [{"functionResponse": {"name": "f", "response": {"output": result}}}]
    return {"contents": [{"parts": [{"text": "Hi"}]}, content, {"role": "user", "parts": told}]}


def read(client: str, body: object) -> Reading:
    question = Question("POST", PATHS[client], {}, {}, json.dumps(body).encode())
    found = find(question).read(question, FACTS)
    assert isinstance(found, Reading)
    return found


def sealed_parts(vendor: str, body: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - a JSON value
    """What of a request upstream has a seal."""
    if vendor == "anthropic":
        contents = [message["content"] for message in body["messages"] if isinstance(message["content"], list)]
        blocks = [block for content in contents for block in content]
        return [block for block in blocks if "signature" in block or "data" in block]
    if vendor == "gemini":
        return [part for content in body["contents"] for part in content["parts"] if "thoughtSignature" in part]
    return [item for item in body["input"] if "encrypted_content" in item]


def asked_again(vendor: str, client: str, document: object) -> tuple[list[dict[str, Any]], list[str]]:
    """The sealed parts of what goes up in the second turn, and what did not."""
    reading = read(client, replayed(client, document))
    assert all(leftover.refusal is None for leftover in reading.leftovers)
    messages, dropped = unsealed(reading, vendor)
    body: Any = DIALECTS[vendor].request(ChatRequest(model="gemini-3-pro", messages=[*messages])).body
    return sealed_parts(vendor, body), dropped


# ------------------------------------------------------------------------------------------------------ there and back


@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize("client", ["anthropic", "openai-responses", "gemini"])
@pytest.mark.parametrize("is_stream", [True, False])
def test_a_seal_comes_back_to_its_vendor_as_what_it_was(name: str, client: str, is_stream: bool) -> None:
    vendor, events = ANSWERS[name]
    if vendor == client:
        return  # nothing is converted there
    if is_stream:
        message = streamed(vendor, client, whole(vendor, events))
    else:
        message = message_with_marks(message_of(whole(vendor, events)), vendor, client)
    (part,), dropped = asked_again(vendor, client, DIALECTS[client].document(message))
    assert dropped == []
    if vendor == "gemini" and "call" in name:
        assert (part["functionCall"]["name"], part["thoughtSignature"]) == ("f", SEAL)
    elif vendor == "gemini":
        assert part["thoughtSignature"] == SEAL
    elif vendor == "openai-responses":
        assert part["encrypted_content"] == SEAL
    elif events[-len(CALL) - 1] == SIGNED[-1]:
        assert part == {"type": "thinking", "thinking": "Hm.", "signature": SEAL}
    else:
        assert part == {"type": "redacted_thinking", "data": SEAL}


@pytest.mark.parametrize("is_stream", [True, False])
def test_the_seal_of_a_call_stands_in_openais_chat_where_google_has_it(is_stream: bool) -> None:
    events = whole("gemini", (*THOUGHT, *SIGNED_CALL))
    if is_stream:
        wire = b"".join((Seals("gemini", "openai-chat") | DIALECTS["openai-chat"].encoder()).feed_many(events))
        chunks = [json.loads(line[6:]) for line in wire.splitlines() if line.startswith(b"data: {")]
        deltas = [choice["delta"] for chunk in chunks for choice in chunk["choices"]]
        calls = [call for delta in deltas for call in delta.get("tool_calls", [])]
        message: dict[str, Any] = {"role": "assistant", "tool_calls": [calls[0]]}
        calls[0]["function"]["arguments"] = calls[1]["function"]["arguments"]
        assert all("tool_call" not in chunk for chunk in chunks)
        document: Any = {"choices": [{"message": message}]}
    else:
        document = DIALECTS["openai-chat"].document(message_with_marks(message_of(events), "gemini", "openai-chat"))
    (call,) = document["choices"][0]["message"]["tool_calls"]
    assert call["extra_content"] == {"google": {"thought_signature": SEAL}}
    (part,), dropped = asked_again("gemini", "openai-chat", document)
    assert (part["functionCall"]["name"], part["thoughtSignature"], dropped) == ("f", SEAL, [])


@pytest.mark.parametrize(("events", "expected"), [(SIGNED, "thinking"), (HIDDEN, "redacted_thinking")])
def test_a_page_of_ag_ui_sends_back_one_kind_of_value(events: tuple[Event, ...], expected: str) -> None:
    stages = Seals("anthropic", "ag-ui") | DIALECTS["ag-ui"].encoder()
    wire = b"".join(stages.feed_many(whole("anthropic", (*events, *CALL))))
    records = [json.loads(line[6:]) for line in wire.splitlines() if line.startswith(b"data: ")]
    (value,) = [record["encryptedValue"] for record in records if "encryptedValue" in record]
    turns = [
        {"id": "1", "role": "user", "content": "Hi"},
        {"id": "2", "role": "reasoning", "content": "Hm.", "encryptedValue": value},
        {"id": "3", "role": "assistant", "content": "Hello"},
    ]
    body = {"threadId": "t", "runId": "r", "state": {}, "messages": turns, "tools": [], "context": []}
    question = Question("POST", "/agui", {}, {}, json.dumps(body).encode())
    reading = find(question).read(question, FACTS)
    assert isinstance(reading, Reading)
    messages, dropped = unsealed(reading, "anthropic")
    written: Any = DIALECTS["anthropic"].request(ChatRequest(model="m", messages=[*messages])).body
    (part,) = sealed_parts("anthropic", written)
    assert (part["type"], part.get("signature", part.get("data")), dropped) == (expected, SEAL, [])


@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize("client", ["anthropic", "openai-responses", "gemini"])
@pytest.mark.parametrize("other", VENDORS)
def test_no_vendor_gets_the_seal_of_another(name: str, client: str, other: str) -> None:
    vendor, events = ANSWERS[name]
    if vendor in {client, other}:
        return
    message = message_with_marks(message_of(whole(vendor, events)), vendor, client)
    parts, dropped = asked_again(other, client, DIALECTS[client].document(message))
    assert dropped == ["message.signature"]
    placeholder = "skip_thought_signature_validator"
    assert [part.get("thoughtSignature") for part in parts] == ([placeholder] if other == "gemini" else [])


# ------------------------------------------------------------------------------------------------- seals without a mark


def sealed_by_client(client: str) -> Any:  # noqa: ANN401 - a JSON value
    """A document of the client's own vendor."""
    events = SIGNED_CALL if client in {"gemini", "openai-chat"} else (*SIGNED, *CALL)
    if client == "openai-responses":
        events = (*SHOWN, *CALL)
    message = message_of(whole(client, events))
    if client == "openai-chat":
        message = message_with_marks(message, "gemini", client)
    return DIALECTS[client].document(message)


@pytest.mark.parametrize("client", ["anthropic", "openai-responses", "gemini", "openai-chat"])
@pytest.mark.parametrize("vendor", VENDORS)
def test_a_seal_without_a_mark_is_that_of_the_clients_vendor(client: str, vendor: str) -> None:
    parts, dropped = asked_again(vendor, client, sealed_by_client(client))
    owner = "gemini" if client == "openai-chat" else client
    if vendor == owner:
        assert (len(parts), dropped) == (1, [])
    else:
        assert dropped == ["message.signature"]
        assert SEAL not in json.dumps(parts)


def test_in_an_envelope_the_seals_are_those_of_the_events_before() -> None:
    content = [{"type": "thinking", "thinking": "Hm.", "signature": SEAL}]
    request = {"model": "m", "max_tokens": 9, "messages": [{"role": "assistant", "content": content}]}
    reading = read_envelope(json.dumps({"dialect": "anthropic", "request": request}), FACTS)
    assert unsealed(reading, "gemini") == ([ChatMessage("assistant", reasoning="Hm.", signature=SEAL)], [])


def test_where_nobody_seals_the_writer_drops_it_by_itself() -> None:
    reading = read("anthropic", replayed("anthropic", sealed_by_client("anthropic")))
    messages, dropped = unsealed(reading, "openai-chat")
    assert (messages, dropped) == (reading.request.messages, [])
    written = DIALECTS["openai-chat"].request(ChatRequest(model="m", messages=[*messages]))
    assert "message.signature" in written.dropped


@pytest.mark.parametrize(
    "extra", [None, {}, {"google": None}, {"google": {"a": 1}}, {"vendor": {"thought_signature": "x"}}]
)
def test_what_others_put_beside_a_call_is_passed_over(extra: object) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}, "extra_content": extra}
    document = {"choices": [{"message": {"role": "assistant", "tool_calls": [call]}}]}
    reading = read("openai-chat", replayed("openai-chat", document))
    assert reading.leftovers == ()
    assert not any(message.is_sealed for message in reading.request.messages)


# ------------------------------------------------------------------------------------------------------------- the mark


@given(vendor=st.sampled_from(VENDORS), kind=st.sampled_from(["signature", "encrypted"]), seal=st.text())
def test_a_mark_tells_whose_a_seal_is(vendor: str, kind: str, seal: str) -> None:
    assert unmarked(marked(vendor, kind, seal)) == (vendor, kind, seal)


@given(text=st.text())
def test_what_has_no_mark_is_left_as_it_is(text: str) -> None:
    assert unmarked(text) is None


@pytest.mark.parametrize("rest", ["", "!", "A", "AAAA", "////", "\udc80"])
def test_a_broken_mark_is_none(rest: str) -> None:
    mark = marked("gemini", "signature", "")[:16]
    assert unmarked(mark + rest) is None


# ------------------------------------------------------------------------------------------------------------ the stage


def test_only_what_is_sealed_is_touched() -> None:
    events = whole("gemini", (*THOUGHT, *CALL, PartStart(2, "text"), Text(2, "Hi"), PartEnd(2)))
    for client in ("anthropic", "openai-responses", "openai-chat", "ag-ui"):
        assert Seals("gemini", client).feed_many(events) == events
        stage = Seals("gemini", client)
        assert [out for event in events for out in stage.feed(event)] == events


def test_a_call_that_is_cut_goes_on_before_the_failure() -> None:
    for last in (Error("cut"), Finish("length"), End()):
        stage = Seals("gemini", "anthropic")
        assert stage.feed_many([CALL[0], CALL[1]]) == []
        assert stage.feed(last) == [CALL[0], CALL[1], last]
        assert stage.finish() == []
    stage = Seals("gemini", "anthropic")
    stage.feed(CALL[0])
    assert stage.finish() == [CALL[0]]
    stage.reset()
    assert stage.feed_many(SIGNED) != []


def test_who_has_no_place_for_seals_gets_none() -> None:
    assert not carries_seals("ollama-chat", "anthropic")
    assert not carries_seals("anthropic", "ollama-chat")
    message = message_of(whole("anthropic", SIGNED))
    assert message_with_marks(message, "anthropic", "ollama-chat") is message


def test_both_seals_of_two_choices_are_kept_apart() -> None:
    events: list[Event] = [
        *(PartStart(0, "tool", tool_name="f", choice=0), PartStart(0, "tool", tool_name="g", choice=1)),
        *(PartEnd(0, signature="b", choice=1), PartEnd(0, signature="a", choice=0)),
    ]
    out = Seals("gemini", "openai-chat").feed_many(events)
    starts = [event for event in out if isinstance(event, PartStart)]
    seals: list[Any] = [event.extra["openai.tool_call"] for event in starts]
    assert [each["extra_content"]["google"]["thought_signature"] for each in seals] == ["b", "a"]
    assert [event.tool_name for event in starts] == ["g", "f"]


def test_a_gemini_stream_through_the_converter_keeps_its_seal() -> None:
    parts = [{"text": "Hm.", "thought": True}, {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": SEAL}]
    records: list[Any] = [{"candidates": [{"content": {"parts": [part]}}]} for part in parts]
    records.append({"candidates": [{"content": {"parts": []}, "finishReason": "STOP"}]})
    wire = b"".join(b"data: " + json.dumps(record).encode() + b"\n\n" for record in records)
    converter = Converter("gemini", "anthropic", stages=[Seals("gemini", "anthropic")])
    out = b"".join([*converter.feed(wire), *converter.finish()])
    starts = [json.loads(line[6:]) for line in out.splitlines() if line.startswith(b"data: ")]
    blocks = [record["content_block"]["type"] for record in starts if record["type"] == "content_block_start"]
    assert blocks == ["thinking", "redacted_thinking", "tool_use"]
    assert converter.losses == {}


# -------------------------------------------------------------------------------------------------- through the gateway


@pytest.mark.parametrize("stream", [True, False])
async def test_the_second_turn_has_the_seal_of_the_first(stream: bool) -> None:
    part = {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": SEAL}
    record = {"candidates": [{"content": {"role": "model", "parts": [part]}, "finishReason": "STOP"}]}
    body = {"model": "gemini-3-pro", "input": "Hi", "stream": stream}
    async with standing(speaks="gemini") as stand:
        client, server, _ = await exchange(stand, ask(body, "/v1/responses"))
        await server.rest()
        await server.send(head_bytes("chunked", 0, [("Content-Type", "text/event-stream")]))
        await server.send(framed("chunked", b"data: " + json.dumps(record).encode() + b"\n\n") + b"0\r\n\r\n")
        await client.head("POST")
        data, _ = await client.rest()
        if stream:
            last = [line for line in data.splitlines() if line.startswith(b"data: ")][-1]
            document = json.loads(last[6:])["response"]
        else:
            document = json.loads(data)
        await client.send(ask({**replayed("openai-responses", document), "model": "gemini-3-pro"}, "/v1/responses"))
        _, sent = await server.request()
    (sealed,) = sealed_parts("gemini", json.loads(sent))
    assert (sealed["functionCall"]["name"], sealed["thoughtSignature"]) == ("f", SEAL)


@pytest.mark.parametrize("client", ["anthropic", "openai-responses"])
async def test_a_foreign_seal_is_dropped_and_named(client: str) -> None:
    body = replayed(client, sealed_by_client(client))
    async with standing(speaks="gemini") as stand:
        asking, server, _ = await exchange(stand, ask({**body, "stream": True}, PATHS[client]))
        sent, _ = await server.rest()
        await server.send(head_bytes("chunked", 0, [("Content-Type", "text/event-stream")]))
        head = await asking.head("POST")
    assert "message.signature" in (head.get("x-streamkit-dropped") or "")
    assert SEAL.encode() not in sent
