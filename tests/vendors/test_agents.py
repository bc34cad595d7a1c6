"""AG-UI's endpoint, and the small agent service's: by POST, and by a GET as an EventSource sends it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ag_ui.core
import pytest

from mockserver.ask import Ask
from streamkit.dialects.events import Start
from streamkit.dialects.registry import DIALECTS
from streamkit.dialects.request_messages import ChatMessage, ToolCall
from streamkit.dialects.requests import ChatRequest, Tool
from streamkit.vendors import Facts
from streamkit.vendors.question import Question
from streamkit.vendors.reading import Reading
from tests.vendors.asking import answer, ask, asked_in, is_newer, left_in, question, reading, refusal, refused

if TYPE_CHECKING:
    import pydantic

TABLES_OF = "1.0.0"
"""The version of ag-ui-protocol after which the tables here were made."""

HELLO: dict[str, Any] = {"id": "1", "role": "user", "content": "Hello you"}
SCHEMA: dict[str, object] = {"type": "object", "properties": {"city": {"type": "string"}}}


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
    assert ask("/agui", run(tools=tools)).tools == (Tool("weather", "?", SCHEMA), Tool("odd"))


def test_everything_of_a_run_that_there_is_a_neutral_word_for() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Ulm"}'}}
    messages = [
        {"id": "0", "role": "system", "content": "Be kind."},
        {"id": "1", "role": "developer", "content": "Be short."},
        {
            "id": "2",
            "role": "user",
            "content": [{"type": "text", "text": "Is it "}, {"type": "text", "text": "sunny?"}],
        },
        {"id": "3", "role": "reasoning", "content": "I should", "encryptedValue": ""},
        {"id": "4", "role": "reasoning", "content": " look.", "encryptedValue": "c2Vj"},
        {"id": "5", "role": "assistant", "toolCalls": [call]},
        {"id": "6", "role": "tool", "toolCallId": "c", "content": "Sunny"},
        {"id": "7", "role": "reasoning", "content": "Done.", "encryptedValue": "ZG9uZQ=="},
        {"id": "8", "role": "reasoning", "content": "Well."},
        {"id": "9", "role": "user", "content": "And now?"},
        {"id": "10", "role": "reasoning", "content": "Hm."},
    ]
    tools = [{"name": "weather", "description": "Tells it.", "parameters": SCHEMA}]
    assert reading("/agui", run(messages=messages, tools=tools, forwardedProps={"model": "m"})) == Reading(
        "ag-ui",
        "sse",
        ChatRequest(
            model="m",
            messages=[
                ChatMessage("system", "Be kind."),
                ChatMessage("system", "Be short."),
                ChatMessage("user", "Is it sunny?"),
                ChatMessage(
                    "assistant",
                    tool_calls=[ToolCall("c", "weather", '{"city": "Ulm"}')],
                    reasoning="I should look.",
                    encrypted="c2Vj",
                ),
                ChatMessage("tool", "Sunny", tool_call_id="c"),
                ChatMessage("assistant", reasoning="Done.", encrypted="ZG9uZQ=="),
                ChatMessage("assistant", reasoning="Well."),
                ChatMessage("user", "And now?"),
                ChatMessage("assistant", reasoning="Hm."),
            ],
            tools=[Tool("weather", "Tells it.", SCHEMA)],
            id="t-1",
        ),
        echoed={"ag-ui.threadId": "t-1", "ag-ui.runId": "r-1"},
    )


def test_what_the_page_lets_the_agent_know_is_a_system_text() -> None:
    context = [{"description": "selected row", "value": "42"}, {"description": "", "value": "Ulm"}, {"value": ""}]
    for system in ([], [{"id": "0", "role": "system", "content": "Be kind."}]):
        found = reading("/agui", run(messages=[*system, HELLO, HELLO], context=context))
        roles = [(message.role, message.text) for message in found.request.messages]
        assert roles[len(system)] == ("system", "selected row: 42\n\nUlm")
        assert [role for role, _ in roles] == ["system"] * len(system) + ["system", "user", "user"]
        assert found.leftovers == ()


def names_of(model: type[pydantic.BaseModel]) -> set[str]:
    """The names that the fields of a type of the SDK have on the wire."""
    return {field.alias or name for name, field in model.model_fields.items()}


def test_every_field_of_a_run_that_the_sdk_knows_is_placed() -> None:
    read = {"threadId", "runId", "messages", "tools", "forwardedProps", "protocolVersion", "parentRunId"}
    new = names_of(ag_ui.core.RunAgentInput) - {*read, "context", "state", "resume"}
    assert not new or is_newer("ag-ui-protocol", TABLES_OF)
    for name in new:
        assert left_in(reading("/agui", run(**{name: {"odd": 1}}))), f"{name} is passed over in silence"
    assert left_in(reading("/agui", run(protocolVersion="1.0", parentRunId="r-0", resume=[]))) == []
    found = reading(
        "/agui",
        run(
            state={"page": 1},
            context=[{"description": "?", "value": "!", "odd": 1}],
            resume=[{"interruptId": "i", "status": "resolved"}],
            forwardedProps={"model": "m", "depth": 2},
            foo=1,
        ),
    )
    assert sorted(left_in(found), key=lambda left: left[0]) == [
        ("context.0.odd", None),
        ("foo", None),
        ("forwardedProps.depth", None),
        ("resume", "resume: an interrupted run cannot be resumed elsewhere"),
        ("state", None),
    ]


def test_every_field_of_a_message_that_the_sdk_knows_is_placed() -> None:
    core = ag_ui.core
    kinds = (
        *(core.UserMessage, core.AssistantMessage, core.SystemMessage, core.DeveloperMessage, core.ToolMessage),
        core.ReasoningMessage,
    )
    known = {name for kind in kinds for name in names_of(kind)}
    read = {"id", "role", "name", "content", "toolCalls", "toolCallId", "subagentRunId"}
    assert known <= {*read, "encryptedValue", "error", "metadata"} or is_newer("ag-ui-protocol", TABLES_OF)
    everything = {
        "role": "tool",
        "toolCallId": "c",
        "content": "?",
        "encryptedValue": "e",
        "error": "e",
        "metadata": {},
    }
    found = reading("/agui", run(messages=[everything]))
    assert {*left_in(found)} == {(f"messages.0.{name}", None) for name in ("encryptedValue", "error", "metadata")}


@pytest.mark.parametrize(("target", "body"), [("/agui", run()), ("/chat", {})])
def test_parts_that_are_no_text_cannot_be_translated(target: str, body: dict[str, object]) -> None:
    parts = [{"type": "text", "text": "What is this?"}, {"type": "image", "source": {"type": "url", "value": "x"}}]
    found = reading(target, {**body, "messages": [{"role": "user", "content": parts}]})
    what = "messages.0.content.1: a part of type 'image' cannot be translated"
    assert left_in(found) == [("messages.0.content.1", what)]
    assert found.request.messages == [ChatMessage("user", "What is this?")]


def test_a_chat_of_the_agent_service_is_read() -> None:
    messages = [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hello you", "id": "7"},
        {"role": "critic", "content": "Hm"},
    ]
    found = reading("/chat", {"messages": messages, "temperature": 1})
    assert found.request == ChatRequest(
        model="mistral:latest",
        messages=[
            ChatMessage("system", "Be kind."),
            ChatMessage("user", "Hello"),
            ChatMessage("assistant", "Hello you"),
            ChatMessage("assistant", "Hm"),
        ],
    )
    assert left_in(found) == [
        ("messages.2.id", None),
        ("messages.3.role", "messages.3.role: a message of the role 'critic' cannot be translated"),
        ("temperature", None),
    ]


def test_what_the_service_says_of_itself() -> None:
    well, ill = Facts(service="gateway"), Facts(is_healthy=False)
    assert answer(question("GET", "/"), well) == {"service": "gateway", "status": "running"}
    assert answer(question("GET", "/health"), well) == {"status": "healthy", "ollama": "connected"}
    assert answer(question("GET", "/health"), ill) == {"status": "degraded", "ollama": "disconnected"}


@pytest.mark.parametrize(
    ("asked", "prompt", "model"),
    [
        (question("GET", "/generate?prompt=Hello%20you&model=m&t=5"), "Hello you", "m"),
        (question("POST", "/generate?prompt=Hello%20you"), "Hello you", "mock"),
        (question("POST", "/generate", {"prompt": "Hello you", "model": "m"}), "Hello you", "m"),
        (question("POST", "/generate", headers={"content-type": "text/plain"}, raw=b"Hello you"), "Hello you", "mock"),
        (question("POST", "/generate?model=m", raw=b"Hello \xff\n"), "Hello \ufffd\n", "m"),
    ],
)
def test_a_prompt_for_plain_text(asked: Question, prompt: str, model: str) -> None:
    found = answer(asked)
    assert found == Reading("text", "text", ChatRequest(model=model, messages=[ChatMessage("user", prompt)]))


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_lines_of_plain_text_need_no_prompt_and_a_model_does(method: str) -> None:
    found = answer(question(method, "/generate"))
    assert isinstance(found, Reading)
    what = "a prompt is needed, as ?prompt=, as a JSON body with `prompt`, or as the body itself"
    assert left_in(found) == [("prompt", what)]
    assert asked_in(found) == Ask(dialect="text", framing="text", model="mock")


def test_what_is_no_request_for_plain_text() -> None:
    for headers, raw in (({"content-type": "application/json"}, b"Hello"), ({}, b"{")):
        told = refusal(question("POST", "/generate", headers=headers, raw=raw))
        assert told.error["message"].startswith("the request body is not JSON, at byte")
    told = refused("/generate", {"prompt": 5})
    assert told.error["message"] == "prompt: expected string, not integer"
    assert refused("/generate", {"prompt": "?", "model": "m"}, Facts(models=("other",))).status == 404


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
    asked = asked_in(answer(question("GET", f"{target}?prompt=Hello%20you&model=m")))
    assert isinstance(asked, Ask)
    assert (asked.prompt, asked.prompt_tokens, asked.model, asked.stream) == ("Hello you", 2, "m", True)
    told = refusal(question("GET", target))
    assert (told.status, told.error["message"]) == (400, "prompt: the field is required")


def test_a_get_may_name_the_run() -> None:
    asked = asked_in(answer(question("GET", "/agui?prompt=Hi&threadId=t-1&runId=r-1")))
    assert isinstance(asked, Ask)
    assert asked.echoed == {"ag-ui.threadId": "t-1", "ag-ui.runId": "r-1"}
    bare = asked_in(answer(question("GET", "/agui?prompt=Hi")))
    assert isinstance(bare, Ask)
    assert bare.echoed == {}
