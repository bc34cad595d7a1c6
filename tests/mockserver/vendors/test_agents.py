"""AG-UI's endpoint, and the small agent service's: by POST, and by a GET as an EventSource sends it."""

from __future__ import annotations

from typing import Any

import pytest

from mockserver.ask import Ask, Tool
from mockserver.vendors import Facts
from streamkit.dialects.events import Start
from streamkit.dialects.registry import DIALECTS
from tests.mockserver.vendors.asking import answer, ask, question, refusal, refused

HELLO: dict[str, Any] = {"id": "1", "role": "user", "content": "Hello you"}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}


def run(**fields: object) -> dict[str, object]:
    empty: dict[str, object] = {"state": {}, "tools": [], "context": [], "forwardedProps": {}}
    return {"threadId": "t-1", "runId": "r-1", "messages": [HELLO], **empty, **fields}


def test_a_run_keeps_the_ids_that_the_client_gave_it() -> None:
    asked = ask("/agui", run())
    assert (asked.prompt, asked.prompt_tokens, asked.stream, asked.model) == ("Hello you", 2, True, "mock")
    assert asked.echoed == {"ag-ui.threadId": "t-1", "ag-ui.runId": "r-1"}
    [record] = DIALECTS["ag-ui"].encoder().feed(Start("run-0", extra=dict(asked.echoed)))
    assert b'"threadId":"t-1"' in record
    assert b'"runId":"r-1"' in record


def test_only_what_it_needs_has_to_be_there() -> None:
    assert ask("/agui", {"threadId": "t", "runId": "r", "messages": []}).prompt == ""


def test_messages_of_every_role_are_heard() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    messages = [
        {"id": "0", "role": "system", "content": "Be kind."},
        {"id": "1", "role": "user", "content": [{"type": "text", "text": "One"}, {"type": "image", "source": {}}]},
        {"id": "2", "role": "activity", "activityType": "plan", "content": {"steps": []}},
        {"id": "3", "role": "assistant", "toolCalls": [call]},
        {"id": "4", "role": "tool", "toolCallId": "c", "content": "Sunny"},
    ]
    asked = ask("/agui", run(messages=messages))
    assert (asked.prompt, asked.prompt_tokens, asked.tools_answered) == ("One", 4, True)


def test_a_pages_tools() -> None:
    tools = [{"name": "weather", "description": "?", "parameters": SCHEMA}, {"name": "odd", "parameters": "none"}]
    assert ask("/agui", run(tools=tools)).tools == (Tool("weather", SCHEMA), Tool("odd"))


def test_a_model_may_be_among_what_is_forwarded() -> None:
    assert ask("/agui", run(forwardedProps={"model": "gpt"})).model == "gpt"
    assert ask("/agui", run(forwardedProps=None)).model == "mock"
    told = refused("/agui", run(forwardedProps={"model": "gpt"}), Facts(models=("mock",)))
    assert (told.status, told.body) == (404, {"error": {"message": "there is no model 'gpt'", "param": "model"}})


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"threadId": None}, "threadId: the field is required"),
        ({"runId": 5}, "runId: expected string, not integer"),
        ({"messages": None}, "messages: the field is required"),
        ({"messages": {}}, "messages: expected array, not object"),
        ({"messages": [{"id": "1"}]}, "messages.0.role: the field is required"),
        (
            {"messages": [{"role": "bot"}]},
            "messages.0.role: 'bot' is none of developer, system, assistant, user, tool, activity, reasoning",
        ),
        ({"messages": [{"role": "user"}]}, "messages.0.content: the field is required"),
        ({"tools": [{}]}, "tools.0.name: the field is required"),
    ],
)
def test_what_is_no_run(fields: dict[str, object], message: str) -> None:
    told = refused("/agui", run(**fields))
    assert (told.status, told.error["message"]) == (400, message)


def test_a_chat_with_the_agent_service() -> None:
    asked = ask("/chat", {"messages": [{"role": "user", "content": "Hello you"}]})
    assert asked == Ask(dialect="agent-poc", framing="sse", model="mistral:latest", prompt="Hello you", prompt_tokens=2)
    assert ask("/chat", {"messages": [HELLO], "model": "gpt"}).model == "gpt"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "messages: the field is required"),
        ({"messages": []}, "messages: it must not be empty"),
        ({"messages": [{"role": "user"}]}, "messages.0.content: the field is required"),
        ({"messages": [{"content": "?"}]}, "messages.0.role: the field is required"),
        ([], "the request body is no JSON object"),
    ],
)
def test_what_is_no_chat(body: object, message: str) -> None:
    told = refused("/chat", body)
    assert (told.status, told.error["message"]) == (400, message)


def test_a_body_that_is_missing_or_broken() -> None:
    assert refusal(question("POST", "/chat")).error["message"].startswith("there is no request body")
    assert (
        refusal(question("POST", "/agui", raw=b"{?"))
        .error["message"]
        .startswith("the request body is not JSON, at byte 1: ")
    )


@pytest.mark.parametrize("target", ["/chat", "/agui"])
def test_an_event_source_can_only_get(target: str) -> None:
    asked = answer(question("GET", f"{target}?prompt=Hello%20you&model=m"))
    assert isinstance(asked, Ask)
    assert (asked.prompt, asked.prompt_tokens, asked.model, asked.stream) == ("Hello you", 2, "m", True)
    told = refusal(question("GET", target))
    assert (told.status, told.error["message"]) == (400, "prompt: the field is required")


def test_a_get_may_name_the_run() -> None:
    asked = answer(question("GET", "/agui?prompt=Hi&threadId=t-1&runId=r-1"))
    assert isinstance(asked, Ask)
    assert asked.echoed == {"ag-ui.threadId": "t-1", "ag-ui.runId": "r-1"}
    bare = answer(question("GET", "/agui?prompt=Hi"))
    assert isinstance(bare, Ask)
    assert bare.echoed == {}
