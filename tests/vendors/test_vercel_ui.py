"""The AI SDK's UI chat: what is understood of its messages and their parts, and what is said of a bad one."""

from __future__ import annotations

from typing import Any

import pytest

from streamkit.dialects.registry import DIALECTS
from streamkit.dialects.request_messages import ChatMessage, ToolCall
from streamkit.dialects.requests import ChatRequest
from streamkit.vendors import Facts
from streamkit.vendors.reading import Reading
from tests.vendors.asking import answer, ask, left_in, question, reading, refused

CHAT = "/ui/chat"

HELLO: dict[str, Any] = {"id": "m1", "role": "user", "parts": [{"type": "text", "text": "Hello you"}]}


def body(*messages: dict[str, Any], **fields: object) -> dict[str, object]:
    return {"id": "chat-1", "messages": [*(messages or (HELLO,))], "trigger": "submit-message", **fields}


def assistant(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"id": "m2", "role": "assistant", "parts": [*parts]}


def tool(state: str, **fields: object) -> dict[str, Any]:
    return {"type": "tool-weather", "toolCallId": "c", "state": state, "input": {"city": "Ulm"}, **fields}


def test_the_least_that_a_request_needs() -> None:
    asked = ask(CHAT, body())
    assert (asked.dialect, asked.framing, asked.model, asked.prompt) == ("vercel-ui", "sse", "mock", "Hello you")
    assert asked.stream


def test_everything_that_there_is_a_neutral_word_for() -> None:
    said = assistant(
        {"type": "step-start"},
        {"type": "reasoning", "text": "I should look.", "state": "done"},
        {"type": "text", "text": "One ", "state": "done"},
        {"type": "text", "text": "moment."},
        tool("output-available", toolCallId="c1", output={"sky": "blue"}),
        {
            "type": "dynamic-tool",
            "toolName": "time",
            "toolCallId": "c2",
            "state": "output-available",
            "input": {},
            "output": "Noon",
        },
        {"type": "step-start"},
        {"type": "text", "text": "It is sunny."},
    )
    system = {"id": "m0", "role": "system", "parts": [{"type": "text", "text": "Be kind."}]}
    found = reading(CHAT, body(system, HELLO, said, HELLO, model="m", messageId="m1"))
    assert found == Reading(
        "vercel-ui",
        "sse",
        ChatRequest(
            model="m",
            id="chat-1",
            messages=[
                ChatMessage("system", "Be kind."),
                ChatMessage("user", "Hello you"),
                ChatMessage(
                    "assistant",
                    "One moment.",
                    [ToolCall("c1", "weather", '{"city":"Ulm"}'), ToolCall("c2", "time", "{}")],
                    reasoning="I should look.",
                ),
                ChatMessage("tool", '{"sky":"blue"}', tool_call_id="c1", tool_name="weather"),
                ChatMessage("tool", "Noon", tool_call_id="c2", tool_name="time"),
                ChatMessage("assistant", "It is sunny."),
                ChatMessage("user", "Hello you"),
            ],
        ),
    )


def test_what_is_written_for_such_a_route_is_read_back() -> None:
    asked = ChatRequest(
        model="m",
        id="chat-1",
        messages=[
            ChatMessage("user", "Is it sunny?"),
            ChatMessage("assistant", "", [ToolCall("c", "weather", '{"city":"Ulm"}')], reasoning="Hm."),
            ChatMessage("tool", "Sunny", tool_call_id="c", tool_name="weather"),
            ChatMessage("assistant", ""),
            ChatMessage("user", "And now?"),
        ],
    )
    assert reading(CHAT, DIALECTS["vercel-ui"].request(asked).body).request == asked


@pytest.mark.parametrize(
    ("state", "fields", "result"),
    [
        ("input-available", {}, None),
        ("output-available", {"output": [1]}, "[1]"),
        ("output-available", {}, ""),
        ("output-error", {"errorText": "no such city"}, "no such city"),
        ("output-denied", {"approval": {"id": "a", "approved": False}}, "The user has not allowed this call."),
    ],
)
def test_how_far_a_call_has_got(state: str, fields: dict[str, object], result: str | None) -> None:
    found = reading(CHAT, body(HELLO, assistant(tool(state, **fields))))
    call = ChatMessage("assistant", "", [ToolCall("c", "weather", '{"city":"Ulm"}')])
    results = [] if result is None else [ChatMessage("tool", result, tool_call_id="c", tool_name="weather")]
    assert found.request.messages[1:] == [call, *results]
    assert found.leftovers == ()


def test_of_a_call_that_is_not_whole_nothing_is_told() -> None:
    found = reading(CHAT, body(HELLO, assistant({"type": "text", "text": "Well."}, tool("input-streaming"))))
    assert found.request.messages[1:] == [ChatMessage("assistant", "Well.")]


def test_arguments_that_made_no_sense_go_back_as_they_were() -> None:
    broken = tool("output-error", input=None, rawInput={"town": 5}, errorText="?")
    found = reading(CHAT, body(HELLO, assistant(broken)))
    assert found.request.messages[1].tool_calls == [ToolCall("c", "weather", '{"town":5}')]


def test_what_cannot_be_translated() -> None:
    file = {"type": "file", "mediaType": "image/png", "url": "data:image/png;base64,AA=="}
    approval = tool("approval-requested", approval={"id": "a"})
    messages = [{**HELLO, "parts": [*HELLO["parts"], file]}, assistant(approval), {**HELLO, "parts": [tool("odd")]}]
    messages[-1]["parts"][0]["state"] = "input-available"
    found = reading(CHAT, body(*messages))
    assert left_in(found) == [
        ("messages.0.parts.1", "messages.0.parts.1: a part of type 'file' cannot be translated"),
        ("messages.1.parts.0.approval", "messages.1.parts.0.approval: an approval cannot be translated"),
        ("messages.2.parts.0", "messages.2.parts.0: only the assistant calls tools"),
    ]
    assert [message.text for message in found.request.messages] == ["Hello you", "", ""]


def test_what_is_for_the_page_is_left_out_and_named() -> None:
    vendor = {"openai": {"itemId": "i"}}
    said = assistant(
        {"type": "text", "text": "See.", "providerMetadata": vendor},
        {"type": "source-url", "sourceId": "s", "url": "http://example.org"},
        {"type": "data-weather", "data": {"sky": "blue"}},
        tool("input-available", callProviderMetadata=vendor, title="Weather", providerExecuted=False, foo=1),
    )
    found = reading(CHAT, body(HELLO, {**said, "metadata": {"at": 1}, "foo": 1}, foo=1))
    assert {*left_in(found)} == {
        ("messages.1.parts.0.providerMetadata", None),
        ("messages.1.parts.1.type", None),
        ("messages.1.parts.2.type", None),
        ("messages.1.parts.3.callProviderMetadata", None),
        ("messages.1.parts.3.foo", None),
        ("messages.1.metadata", None),
        ("messages.1.foo", None),
        ("foo", None),
    }


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"messages": None}, "messages: the field is required"),
        ({"messages": []}, "messages: it must not be empty"),
        ({"messages": "Hello"}, "messages: expected array, not string"),
        ({"messages": [{"role": "user"}]}, "messages.0.parts: the field is required"),
        ({"messages": [{"parts": []}]}, "messages.0.role: the field is required"),
        ({"messages": [{"role": "tool", "parts": []}]}, "messages.0.role: 'tool' is none of system, user, assistant"),
        ({"messages": [{"role": "user", "parts": [{}]}]}, "messages.0.parts.0.type: the field is required"),
        (
            {"messages": [{"role": "user", "parts": [{"type": "text", "text": 5}]}]},
            "messages.0.parts.0.text: expected string, not integer",
        ),
        ({"messages": [assistant({"type": "tool-a"})]}, "messages.0.parts.0.toolCallId: the field is required"),
        (
            {"messages": [assistant({"type": "dynamic-tool", "toolCallId": "c"})]},
            "messages.0.parts.0.toolName: the field is required",
        ),
        ({"id": 5}, "id: expected string, not integer"),
    ],
)
def test_what_is_no_request(fields: dict[str, object], message: str) -> None:
    told = refused(CHAT, {**body(), **fields})
    assert (told.status, told.error["message"]) == (400, message)


def test_a_model_that_there_is_not() -> None:
    assert refused(CHAT, body(model="gpt"), Facts(models=("mock",))).status == 404
    assert isinstance(answer(question("POST", CHAT, body()), Facts(models=("mock",))), Reading)
