"""Requests in each vendor's own form, written by hand: one long conversation, and what is peculiar to each vendor."""

from __future__ import annotations

import math
import re
import time
from typing import Any

import pytest

from streamkit.dialects.message import Choice, Message, Part
from streamkit.dialects.registry import DIALECTS
from streamkit.dialects.request_parts import linked
from streamkit.dialects.requests import ChatMessage, ChatRequest, ResponseSchema, Tool, ToolCall, messages_of
from streamkit.errors import ConfigError
from tests.dialects.asked import body_of, document_of

SCHEMA: dict[str, object] = {"type": "object", "properties": {"city": {"type": "string"}}}
NOTHING: dict[str, object] = {"type": "object", "properties": {}}

TALK = [
    ChatMessage("system", "Be brief."),
    ChatMessage("user", "Weather in Rome and Oslo?"),
    ChatMessage(
        "assistant",
        "Let me look.",
        [ToolCall("a", "weather", '{"city":"Rome"}'), ToolCall("b", "weather", '{"city":"Oslo"}')],
        reasoning="Two calls.",
        signature="c2ln",
    ),
    ChatMessage("tool", '{"celsius":21}', tool_call_id="a"),
    ChatMessage("tool", "rain", tool_call_id="b"),
    ChatMessage("user", "And now?"),
]
TOOLS = [Tool("weather", "Weather in a city.", SCHEMA), Tool("time")]


def ask(**fields: Any) -> ChatRequest:  # noqa: ANN401 - as the fields are
    return ChatRequest(**{"model": "m", "messages": TALK, **fields})


def said(*texts: str) -> list[ChatMessage]:
    return [ChatMessage("user", text) for text in texts]


def test_openai_chat() -> None:
    document = document_of("openai-chat", ask(tools=TOOLS, tool_choice="time", max_tokens=9))
    assert (document.method, document.path) == ("POST", "/v1/chat/completions")
    assert document.headers == [("Content-Type", "application/json"), ("Accept", "text/event-stream")]
    assert document.dropped == ["message.reasoning", "message.signature"]
    assert document.body == {
        "model": "m",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Weather in Rome and Oslo?"},
            {
                "role": "assistant",
                "content": "Let me look.",
                "tool_calls": [
                    {"id": "a", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Rome"}'}},
                    {"id": "b", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Oslo"}'}},
                ],
            },
            {"role": "tool", "tool_call_id": "a", "content": '{"celsius":21}'},
            {"role": "tool", "tool_call_id": "b", "content": "rain"},
            {"role": "user", "content": "And now?"},
        ],
        "tools": [
            {
                "type": "function",
                "function": {"name": "weather", "description": "Weather in a city.", "parameters": SCHEMA},
            },
            {"type": "function", "function": {"name": "time", "parameters": NOTHING}},
        ],
        "tool_choice": {"type": "function", "function": {"name": "time"}},
        "max_tokens": 9,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_openai_responses() -> None:
    document = document_of("openai-responses", ask(tools=TOOLS[:1], tool_choice="weather", max_tokens=99))
    assert document.path == "/v1/responses"
    assert document.dropped == []
    assert document.body == {
        "model": "m",
        "instructions": "Be brief.",
        "input": [
            {"type": "message", "role": "user", "content": "Weather in Rome and Oslo?"},
            {
                "type": "reasoning",
                "summary": [{"type": "summary_text", "text": "Two calls."}],
                "encrypted_content": "c2ln",
            },
            {"type": "message", "role": "assistant", "content": "Let me look."},
            {"type": "function_call", "call_id": "a", "name": "weather", "arguments": '{"city":"Rome"}'},
            {"type": "function_call", "call_id": "b", "name": "weather", "arguments": '{"city":"Oslo"}'},
            {"type": "function_call_output", "call_id": "a", "output": '{"celsius":21}'},
            {"type": "function_call_output", "call_id": "b", "output": "rain"},
            {"type": "message", "role": "user", "content": "And now?"},
        ],
        "tools": [
            {
                "type": "function",
                "name": "weather",
                "description": "Weather in a city.",
                "parameters": SCHEMA,
                "strict": False,
            }
        ],
        "tool_choice": {"type": "function", "name": "weather"},
        "max_output_tokens": 99,
        "store": False,
        "stream": True,
    }


def test_anthropic() -> None:
    document = document_of("anthropic", ask(tools=TOOLS, tool_choice="required", parallel_tool_calls=False))
    assert document.path == "/v1/messages"
    assert ("anthropic-version", "2023-06-01") in document.headers
    assert document.dropped == []
    assert document.body == {
        "model": "m",
        "max_tokens": 4096,
        "system": "Be brief.",
        "messages": [
            {"role": "user", "content": "Weather in Rome and Oslo?"},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "Two calls.", "signature": "c2ln"},
                    {"type": "text", "text": "Let me look."},
                    {"type": "tool_use", "id": "a", "name": "weather", "input": {"city": "Rome"}},
                    {"type": "tool_use", "id": "b", "name": "weather", "input": {"city": "Oslo"}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "a", "content": '{"celsius":21}'},
                    {"type": "tool_result", "tool_use_id": "b", "content": "rain"},
                    {"type": "text", "text": "And now?"},
                ],
            },
        ],
        "tools": [
            {"name": "weather", "description": "Weather in a city.", "input_schema": SCHEMA},
            {"name": "time", "input_schema": NOTHING},
        ],
        "tool_choice": {"type": "any", "disable_parallel_tool_use": True},
        "stream": True,
    }


def test_gemini() -> None:
    document = document_of("gemini", ask(tools=TOOLS[:1], tool_choice="weather", max_tokens=9, stop=["END"], top_k=3))
    assert document.path == "/v1beta/models/m:streamGenerateContent?alt=sse"
    assert document.dropped == []
    assert document.body == {
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "contents": [
            {"role": "user", "parts": [{"text": "Weather in Rome and Oslo?"}]},
            {
                "role": "model",
                "parts": [
                    {"text": "Two calls.", "thought": True},
                    {"text": "Let me look."},
                    {
                        "functionCall": {"id": "a", "name": "weather", "args": {"city": "Rome"}},
                        "thoughtSignature": "c2ln",
                    },
                    {"functionCall": {"id": "b", "name": "weather", "args": {"city": "Oslo"}}},
                ],
            },
            {
                "role": "user",
                "parts": [
                    {"functionResponse": {"id": "a", "name": "weather", "response": {"celsius": 21}}},
                    {"functionResponse": {"id": "b", "name": "weather", "response": {"output": "rain"}}},
                ],
            },
            {"role": "user", "parts": [{"text": "And now?"}]},
        ],
        "tools": [
            {
                "functionDeclarations": [
                    {"name": "weather", "description": "Weather in a city.", "parametersJsonSchema": SCHEMA}
                ]
            }
        ],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["weather"]}},
        "generationConfig": {"maxOutputTokens": 9, "topK": 3, "stopSequences": ["END"]},
    }


def test_ollama_chat() -> None:
    request = ask(tools=TOOLS[:1], max_tokens=9, temperature=0, stop=["END"], reasoning=True, response_format="json")
    document = document_of("ollama-chat", request)
    assert document.path == "/api/chat"
    assert ("Accept", "application/x-ndjson") in document.headers
    assert document.dropped == ["message.signature"]
    assert document.body == {
        "model": "m",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Weather in Rome and Oslo?"},
            {
                "role": "assistant",
                "content": "Let me look.",
                "thinking": "Two calls.",
                "tool_calls": [
                    {"id": "a", "function": {"name": "weather", "arguments": {"city": "Rome"}}},
                    {"id": "b", "function": {"name": "weather", "arguments": {"city": "Oslo"}}},
                ],
            },
            {"role": "tool", "content": '{"celsius":21}', "tool_name": "weather", "tool_call_id": "a"},
            {"role": "tool", "content": "rain", "tool_name": "weather", "tool_call_id": "b"},
            {"role": "user", "content": "And now?"},
        ],
        "tools": [
            {
                "type": "function",
                "function": {"name": "weather", "description": "Weather in a city.", "parameters": SCHEMA},
            }
        ],
        "options": {"num_predict": 9, "temperature": 0, "stop": ["END"]},
        "format": "json",
        "think": True,
        "stream": True,
    }


def test_ollama_generate() -> None:
    request = ask(messages=[TALK[0], *said("Hi", "there")], seed=0, response_format=ResponseSchema(SCHEMA))
    document = document_of("ollama-generate", request)
    assert document.path == "/api/generate"
    assert document.body == {
        "model": "m",
        "system": "Be brief.",
        "prompt": "Hi\n\nthere",
        "options": {"seed": 0},
        "format": SCHEMA,
        "stream": True,
    }


def test_ag_ui() -> None:
    document = document_of("ag-ui", ask(tools=TOOLS[1:], id="t"))
    assert document.path == "/agui"
    assert document.dropped == []
    assert document.body == {
        "threadId": "t",
        "runId": "t-run-6",
        "state": {},
        "messages": [
            {"id": "t-0", "role": "system", "content": "Be brief."},
            {"id": "t-1", "role": "user", "content": "Weather in Rome and Oslo?"},
            {"id": "t-2-reasoning", "role": "reasoning", "content": "Two calls.", "encryptedValue": "c2ln"},
            {
                "id": "t-2",
                "role": "assistant",
                "content": "Let me look.",
                "toolCalls": [
                    {"id": "a", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Rome"}'}},
                    {"id": "b", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Oslo"}'}},
                ],
            },
            {"id": "t-3", "role": "tool", "toolCallId": "a", "content": '{"celsius":21}'},
            {"id": "t-4", "role": "tool", "toolCallId": "b", "content": "rain"},
            {"id": "t-5", "role": "user", "content": "And now?"},
        ],
        "tools": [{"name": "time", "description": "", "parameters": NOTHING}],
        "context": [],
        "forwardedProps": {"model": "m"},
    }


def test_vercel_ui_puts_a_result_into_the_part_of_its_call() -> None:
    document = document_of("vercel-ui", ask(id="c"))
    assert document.path == "/api/chat"
    assert document.dropped == ["message.signature"]
    assert document.body == {
        "model": "m",
        "id": "c",
        "messages": [
            {"id": "c-0", "role": "system", "parts": [{"type": "text", "text": "Be brief."}]},
            {"id": "c-1", "role": "user", "parts": [{"type": "text", "text": "Weather in Rome and Oslo?"}]},
            {
                "id": "c-2",
                "role": "assistant",
                "parts": [
                    {"type": "reasoning", "text": "Two calls.", "state": "done"},
                    {"type": "text", "text": "Let me look."},
                    {
                        "type": "tool-weather",
                        "toolCallId": "a",
                        "state": "output-available",
                        "input": {"city": "Rome"},
                        "output": {"celsius": 21},
                    },
                    {
                        "type": "tool-weather",
                        "toolCallId": "b",
                        "state": "output-available",
                        "input": {"city": "Oslo"},
                        "output": "rain",
                    },
                ],
            },
            {"id": "c-5", "role": "user", "parts": [{"type": "text", "text": "And now?"}]},
        ],
        "trigger": "submit-message",
    }


def test_agent_poc() -> None:
    document = document_of("agent-poc", ask(messages=said("Hi"), temperature=0.5, stream=False))
    assert document.path == "/chat"
    assert document.body == {"messages": [{"role": "user", "content": "Hi"}], "model": "m"}
    assert document.dropped == ["temperature", "stream"]


def test_text() -> None:
    document = document_of("text", ask(messages=[TALK[0], *said("Hi")], model=""))
    assert (document.method, document.path) == ("POST", "/generate")
    assert document.body == {"prompt": "Be brief.\n\nHi"}
    assert document.dropped == ["system.role"]


def test_json_has_no_requests_and_says_what_to_do() -> None:
    with pytest.raises(ConfigError, match="give the dialect"):
        document_of("json", ask())


@pytest.mark.parametrize("dialect", [name for name in DIALECTS if name != "json"])
def test_extra_comes_last_and_objects_are_merged(dialect: str) -> None:
    extra = {"options": {"num_ctx": 8192}, "stream": None, "model": "other", "generationConfig": {"topK": 1}}
    body = body_of(dialect, ask(messages=said("Hi"), temperature=0.5, extra=extra))
    assert body["model"] == "other"
    assert body["stream"] is None
    assert body["options"]["num_ctx"] == 8192
    assert body["options"].get("temperature", 0.5) == 0.5
    assert body["generationConfig"]["topK"] == 1
    if dialect.startswith("ollama"):
        assert body["options"] == {"temperature": 0.5, "num_ctx": 8192}
    if dialect == "gemini":
        assert body["generationConfig"] == {"temperature": 0.5, "topK": 1}


def test_what_json_cannot_hold_is_a_config_error() -> None:
    for bad in (math.nan, "\ud800", object()):
        with pytest.raises(ConfigError, match="cannot be written as JSON"):
            _ = document_of("openai-chat", ask(extra={"bad": bad})).content


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("gpt-4o", "max_tokens"),
        ("llama3.2:3b", "max_tokens"),
        ("gpt-oss:20b", "max_tokens"),
        ("deepseek-ai/DeepSeek-R1", "max_tokens"),
        ("olmo-7b", "max_tokens"),
        ("o3-mini", "max_completion_tokens"),
        ("openai/o1", "max_completion_tokens"),
        ("gpt-5.1", "max_completion_tokens"),
        ("gpt-5", "max_completion_tokens"),
    ],
)
def test_only_openais_reasoning_models_get_the_new_bound(model: str, name: str) -> None:
    body = body_of("openai-chat", ask(model=model, max_tokens=7))
    assert {key: value for key, value in body.items() if "tokens" in key} == {name: 7}


@pytest.mark.parametrize(
    ("model", "reasoning", "effort", "dropped"),
    [
        ("m", None, None, []),
        ("m", "minimal", "low", []),
        ("m", "high", "high", []),
        ("qwen3:8b", "max", "high", []),
        ("m", "none", None, ["reasoning"]),
        ("gpt-oss:20b", False, None, ["reasoning"]),
        ("m", True, None, ["reasoning"]),
        ("gpt-4o", False, None, []),
        ("openai/gpt-4.1-mini", "high", None, ["reasoning"]),
        ("gpt-5-chat-latest", True, None, ["reasoning"]),
        ("o3", "none", "low", ["reasoning"]),
        ("o3", "xhigh", "high", []),
        ("gpt-5", "none", "minimal", ["reasoning"]),
        ("gpt-5-codex", "none", "low", ["reasoning"]),
        ("gpt-5.1", "none", "none", []),
        ("gpt-5.1", "minimal", "low", []),
        ("gpt-5.1", "max", "high", []),
        ("gpt-5.1-codex-max", "max", "xhigh", []),
        ("openai/gpt-5.2", "max", "xhigh", []),
        ("gpt-5.2", True, None, ["reasoning"]),
        ("o3", True, None, ["reasoning"]),
    ],
)
def test_openai_is_told_no_effort_that_the_model_would_refuse(
    model: str, reasoning: bool | str | None, effort: str | None, dropped: list[str]
) -> None:
    document = document_of("openai-chat", ask(model=model, reasoning=reasoning, messages=said("x")))
    assert isinstance(document.body, dict)
    assert (document.body.get("reasoning_effort"), document.dropped) == (effort, dropped)
    items = document_of("openai-responses", ask(model=model, reasoning=reasoning, messages=said("x")))
    assert isinstance(items.body, dict)
    told = items.body.get("reasoning")
    if reasoning is True and model != "gpt-5-chat-latest":
        assert (told, items.dropped) == ({"effort": "medium", "summary": "auto"}, [])
    else:
        assert (told, items.dropped) == (effort and {"effort": effort}, dropped)


@pytest.mark.parametrize("dialect", ["openai-chat", "ollama-chat"])
def test_nothing_but_results_comes_behind_calls(dialect: str) -> None:
    messages = [
        *said("x"),
        ChatMessage("assistant", "First.", reasoning="Hm.", signature="s1"),
        ChatMessage("assistant", "", [ToolCall("a", "f")], reasoning="So.", signature="s2"),
        ChatMessage("assistant", "Then.", [ToolCall("b", "f"), ToolCall("c", "f")], encrypted="s3"),
        ChatMessage("assistant", "Last."),
        *[ChatMessage("tool", each, tool_call_id=each) for each in "cab"],
        ChatMessage("assistant", "Done."),
        ChatMessage("assistant", "Really."),
    ]
    written = body_of(dialect, ask(messages=messages))["messages"]
    roles = ["user", "assistant", "assistant", "tool", "tool", "tool", "assistant", "assistant"]
    assert [each["role"] for each in written] == roles
    assert written[2]["content"] == "Then.\n\nLast."
    assert [call["id"] for call in written[2]["tool_calls"]] == ["a", "b", "c"]


@pytest.mark.parametrize("dialect", ["openai-chat", "openai-responses"])
def test_an_answer_whose_beginning_is_there_begins_anew_and_that_is_named(dialect: str) -> None:
    begun = [*said("x"), ChatMessage("assistant", "{")]
    assert document_of(dialect, ask(messages=begun)).dropped == ["message.prefill"]
    assert document_of("ollama-chat", ask(messages=begun)).dropped == []
    assert document_of("anthropic", ask(messages=begun)).dropped == []
    assert document_of(dialect, ask(messages=[*begun, *said("y")])).dropped == []


def test_tens_of_thousands_of_calls_find_their_results_at_once() -> None:
    calls = [ToolCall(f"c{number}" if number % 2 else "", f"f{number}") for number in range(30_000)]
    results = [
        ChatMessage("tool", "x", tool_call_id=call.id, tool_name="" if call.id else call.name) for call in calls[::-1]
    ]
    begun = time.process_time()
    linking = linked([ChatMessage("assistant", "", calls), *results])
    assert time.process_time() - begun < 5  # it took twenty seconds when each result was sought among all calls
    assert [message.tool_name for message in linking[1:]] == [call.name for call in calls[::-1]]


def test_a_message_that_only_calls_has_null_for_content_and_blank_arguments_are_an_empty_object() -> None:
    messages = [ChatMessage("user", "x"), ChatMessage("assistant", "", [ToolCall("a", "f")])]
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    assert body_of("openai-chat", ask(messages=messages))["messages"][1] == {
        "role": "assistant",
        "content": None,
        "tool_calls": [call],
    }
    assert body_of("anthropic", ask(messages=messages))["messages"][1]["content"] == [
        {"type": "tool_use", "id": "a", "name": "f", "input": {}}
    ]


def test_calls_without_ids_get_some_that_nobody_has_and_results_find_them_in_order() -> None:
    messages = [
        ChatMessage("user", "x"),
        ChatMessage("assistant", "", [ToolCall("", "f"), ToolCall("call_1", "g"), ToolCall("", "f")]),
        ChatMessage("tool", "1", tool_name="g"),
        ChatMessage("tool", "2"),
        ChatMessage("tool", "3"),
    ]
    body = body_of("anthropic", ask(messages=messages))
    assert [block["id"] for block in body["messages"][1]["content"]] == ["call_2", "call_1", "call_3"]
    assert [(block["tool_use_id"], block["content"]) for block in body["messages"][2]["content"]] == [
        ("call_1", "1"),
        ("call_2", "2"),
        ("call_3", "3"),
    ]
    ollama = body_of("ollama-chat", ask(messages=messages))["messages"]
    assert [call.get("id") for call in ollama[1]["tool_calls"]] == [None, "call_1", None]
    assert [message["tool_name"] for message in ollama[2:]] == ["g", "f", "f"]


def test_anthropics_turns_alternate_and_results_come_before_what_is_said() -> None:
    messages = [
        *said("a", " ", "b"),
        ChatMessage("assistant", "", [ToolCall("1", "f")]),
        ChatMessage("user", "wait"),
        ChatMessage("tool", "", tool_call_id="1"),
        ChatMessage("assistant", ""),
        ChatMessage("user", "go"),
    ]
    body = body_of("anthropic", ask(messages=messages))
    assert body["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "1", "name": "f", "input": {}}]},
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "1"},
                {"type": "text", "text": "wait"},
                {"type": "text", "text": "go"},
            ],
        },
    ]


def test_of_a_message_that_was_nothing_but_a_thought_nothing_is_left_where_thoughts_stay_behind() -> None:
    thought = ChatMessage("assistant", reasoning="Hm.", encrypted="c2ln")
    messages = [*said("a"), thought, ChatMessage("assistant", ""), *said("b")]
    for dialect in ("openai-chat", "agent-poc"):
        document = document_of(dialect, ask(messages=messages))
        assert document.dropped == ["message.reasoning", "message.signature"]
        assert isinstance(document.body, dict)
        assert [each["content"] for each in document.body["messages"]] == ["a", "", "b"]
    assert [item["type"] for item in body_of("openai-responses", ask(messages=messages))["input"]] == [
        *("message", "reasoning", "message", "message"),
    ]
    sealed = [*said("a"), ChatMessage("assistant", encrypted="c2ln"), *said("b")]
    for dialect in ("ollama-chat", "vercel-ui"):
        document = document_of(dialect, ask(messages=sealed))
        assert document.dropped == ["message.signature"]
        assert isinstance(document.body, dict)
        assert [each["role"] for each in document.body["messages"]] == ["user", "user"]
        assert len(body_of(dialect, ask(messages=messages))["messages"]) == 4


def test_geminis_neighbours_are_one_content_with_an_empty_message_between_them_too() -> None:
    messages = [*said("a"), ChatMessage("assistant", ""), *said("b")]
    assert body_of("gemini", ask(messages=messages))["contents"] == [
        {"role": "user", "parts": [{"text": "a"}, {"text": "b"}]}
    ]


def test_results_in_the_parts_of_calls_whose_ids_come_again() -> None:
    messages = [
        *said("x"),
        ChatMessage("assistant", "", [ToolCall("call_0", "f")]),
        ChatMessage("tool", "1", tool_call_id="call_0"),
        ChatMessage("assistant", "", [ToolCall("call_0", "f"), ToolCall("call_1", "f")]),
        ChatMessage("tool", "2", tool_call_id="call_0"),
    ]
    parts = [part for message in body_of("vercel-ui", ask(messages=messages))["messages"] for part in message["parts"]]
    assert [part.get("output") for part in parts[1:]] == ["1", "2", None]
    assert [part["state"] for part in parts[1:]] == ["output-available", "output-available", "input-available"]


def test_that_calls_come_one_at_a_time_is_no_matter_where_none_may_be_called() -> None:
    for dialect in ("ollama-chat", "gemini", "ag-ui"):
        fields: dict[str, Any] = {"messages": said("x"), "tools": TOOLS, "parallel_tool_calls": False}
        assert document_of(dialect, ask(**fields)).dropped == ["parallel_tool_calls"]
        assert document_of(dialect, ask(**fields, tool_choice="none")).dropped == []


def test_a_late_system_message_moves_to_the_start_where_there_is_no_place_for_it() -> None:
    messages = [*said("a"), ChatMessage("system", "Now in French."), *said("b")]
    for dialect in ("anthropic", "gemini", "ollama-generate"):
        assert document_of(dialect, ask(messages=messages)).dropped == ["system.place"]
    assert body_of("anthropic", ask(messages=messages))["system"] == "Now in French."
    assert [each["role"] for each in body_of("openai-responses", ask(messages=messages))["input"]] == [
        "user",
        "system",
        "user",
    ]


def test_a_system_alone_is_the_input_of_a_response() -> None:
    body = body_of("openai-responses", ask(messages=[ChatMessage("system", "Go.")]))
    assert body["input"] == [{"type": "message", "role": "system", "content": "Go."}]
    assert "instructions" not in body


THINKING = [
    ("claude-opus-4-8", True, None, {"type": "adaptive", "display": "summarized"}, 4096),
    ("claude-sonnet-5", "high", 500, {"type": "adaptive", "display": "summarized"}, 500),
    ("claude-opus-4-5-20251101", True, None, {"type": "enabled", "budget_tokens": 8192}, 12_288),
    ("claude-sonnet-4-20250514", "low", None, {"type": "enabled", "budget_tokens": 4096}, 8192),
    ("claude-3-7-sonnet-latest", "high", 4000, {"type": "enabled", "budget_tokens": 2000}, 4000),
    ("anthropic.claude-3-5-haiku-20241022-v1:0", "max", 1100, {"type": "enabled", "budget_tokens": 1024}, 1100),
    ("qwen3", "minimal", None, {"type": "enabled", "budget_tokens": 1024}, 5120),
    ("qwen3", "medium", 12_288, {"type": "enabled", "budget_tokens": 8192}, 12_288),
    ("qwen3", "high", 12_288, {"type": "enabled", "budget_tokens": 8192}, 12_288),
    ("claude-opus-4-8", False, None, {"type": "disabled"}, 4096),
]


@pytest.mark.parametrize(("model", "reasoning", "bound", "thinking", "max_tokens"), THINKING)
def test_anthropic_thinks_in_the_form_that_the_model_takes(
    model: str, reasoning: bool | str, bound: int | None, thinking: object, max_tokens: int
) -> None:
    body = body_of("anthropic", ask(model=model, messages=said("x"), reasoning=reasoning, max_tokens=bound))
    assert (body["thinking"], body["max_tokens"]) == (thinking, max_tokens)
    assert body.get("output_config") == ({"effort": "high"} if model == "claude-sonnet-5" else None)


def test_anthropic_drops_what_does_not_go_with_thinking() -> None:
    thinking = {"model": "claude-opus-4-6", "reasoning": True, "messages": said("x")}
    document = document_of("anthropic", ask(**thinking, temperature=0.2, top_k=4, top_p=0.5))
    assert document.dropped == ["temperature", "top_p", "top_k"]
    fine = document_of("anthropic", ask(**thinking, temperature=0.2, top_p=0.97))
    assert fine.dropped == ["temperature"]
    forced = document_of("anthropic", ask(**thinking, tools=TOOLS, tool_choice="required"))
    assert forced.dropped == ["reasoning"]
    plain = [*said("x"), ChatMessage("assistant", "", [ToolCall("a", "f")]), ChatMessage("tool", "1")]
    assert document_of("anthropic", ask(**{**thinking, "messages": plain})).dropped == ["reasoning"]
    assert document_of("anthropic", ask(reasoning=True, messages=said("x"), max_tokens=1024)).dropped == ["reasoning"]


@pytest.mark.parametrize(
    ("model", "kept"),
    [
        ("claude-opus-4-6", True),
        ("claude-opus-4-20250514", True),
        ("claude-3-haiku", True),
        ("qwen3", True),
        ("claude-opus-4-7", False),
        ("claude-sonnet-5", False),
        ("claude-mythos-preview", False),
    ],
)
def test_newer_claudes_get_no_temperature(model: str, kept: bool) -> None:
    document = document_of("anthropic", ask(model=model, messages=said("x"), temperature=0.2))
    assert document.dropped == ([] if kept else ["temperature"])
    assert (b'"temperature":0.2' in document.content) == kept


def test_anthropics_temperature_ends_at_1() -> None:
    assert document_of("anthropic", ask(messages=said("x"), temperature=1.5, top_k=4)).dropped == ["temperature"]
    assert document_of("anthropic", ask(messages=said("x"), temperature=1.0, top_k=4)).dropped == []


def test_unsigned_thoughts_go_back_only_where_nobody_checks_them() -> None:
    messages = [*said("x"), ChatMessage("assistant", "y", reasoning="Hm."), *said("z")]
    kept = {
        name
        for name in ("openai-chat", "openai-responses", "anthropic", "gemini", "ollama-chat", "ag-ui", "vercel-ui")
        if b"Hm." in document_of(name, ask(messages=messages)).content
    }
    assert kept == {"gemini", "ollama-chat", "ag-ui", "vercel-ui"}
    for name in ("openai-chat", "openai-responses", "anthropic"):
        assert "message.reasoning" in document_of(name, ask(messages=messages)).dropped


@pytest.mark.parametrize(
    ("model", "reasoning", "config"),
    [
        ("gemini-2.5-flash", True, {"includeThoughts": True}),
        ("gemini-2.5-flash", "low", {"includeThoughts": True, "thinkingBudget": 1024}),
        ("gemini-3-pro", "xhigh", {"includeThoughts": True, "thinkingLevel": "HIGH"}),
        ("gemini-2.5-flash", False, {"thinkingBudget": 0}),
    ],
)
def test_gemini_thinks_by_levels_or_by_tokens(model: str, reasoning: bool | str, config: object) -> None:
    body = body_of("gemini", ask(model=model, reasoning=reasoning))
    assert body["generationConfig"]["thinkingConfig"] == config


@pytest.mark.parametrize(
    ("model", "reasoning", "think"),
    [
        ("gpt-oss:20b", True, True),
        ("gpt-oss:20b", False, False),
        ("gpt-oss:20b", "none", False),
        ("hf.co/org/gpt-oss-120b", "minimal", "low"),
        ("gpt-oss:20b", "xhigh", "high"),
        ("gpt-oss:20b", "max", "high"),
        ("hf.co/org/GPT-OSS-20B-GGUF", "medium", "medium"),
        ("qwen3", "low", True),
        ("qwen3", "max", True),
        ("qwen3", "none", False),
        ("qwen3", True, True),
        ("qwen3", False, False),
    ],
)
def test_ollama_thinks_by_levels_where_the_model_has_some(model: str, reasoning: bool | str, think: object) -> None:
    assert body_of("ollama-chat", ask(model=model, reasoning=reasoning))["think"] == think
    assert body_of("ollama-generate", ask(model=model, reasoning=reasoning, messages=said("x")))["think"] == think
    assert "think" not in body_of("ollama-chat", ask(model=model))


@pytest.mark.parametrize(("bound", "written"), [(1, 16), (15, 16), (16, 16), (17, 17), (None, None)])
def test_responses_have_no_bound_below_the_least(bound: int | None, written: int | None) -> None:
    assert body_of("openai-responses", ask(max_tokens=bound)).get("max_output_tokens") == written


@pytest.mark.parametrize("call_id", ["functions.f:0", "toolu é", "call_" + "x" * 60])
def test_ids_that_anthropic_refuses_get_others_for_calls_and_results_alike(call_id: str) -> None:
    calls = [ToolCall(each, "f") for each in (call_id, "functions_f_0", "toolu__", "b")]
    results = [ChatMessage("tool", each.id, tool_call_id=each.id) for each in calls[::-1]]
    body = body_of("anthropic", ask(messages=[*said("x"), ChatMessage("assistant", "", calls), *results]))
    used = [block["id"] for block in body["messages"][1]["content"]]
    assert [block["tool_use_id"] for block in body["messages"][2]["content"]] == used[::-1]
    assert used[1:] == ["functions_f_0", "toolu__", "b"]
    assert len({*used}) == 4
    assert all(re.fullmatch("[a-zA-Z0-9_-]{1,64}", each) for each in used)


def test_ids_that_come_again_get_others_for_anthropic() -> None:
    """Servers that count the calls of each answer anew give them; Anthropic: "`tool_use` ids must be unique"."""
    turns = [("a", "f", "0"), ("call_0", "f", "1"), ("call_0", "f", "2"), ("call_0", "g", "3"), ("a:b", "f", "4")]
    messages = said("x")
    for call_id, name, result in turns:
        messages.append(ChatMessage("assistant", "", [ToolCall(call_id, name)]))
        messages.append(ChatMessage("tool", result, tool_call_id=call_id, tool_name=name))
    blocks = [turn["content"][0] for turn in body_of("anthropic", ask(messages=messages))["messages"][1:]]
    used = [block["id"] for block in blocks[::2]]
    assert used == ["a", "call_0", "call_0_2", "call_0_3", "a_b"]
    results = [(block["tool_use_id"], block["content"]) for block in blocks[1::2]]
    assert results == list(zip(used, "01234", strict=True))
    both = [ToolCall("c", "f"), ToolCall("c", "g")]
    parts = [ChatMessage("tool", each, tool_name=each) for each in "gf"]
    body = body_of("anthropic", ask(messages=[*said("x"), ChatMessage("assistant", "", both), *parts]))
    assert [block["id"] for block in body["messages"][1]["content"]] == ["c", "c_2"]
    told = [(block["tool_use_id"], block["content"]) for block in body["messages"][2]["content"]]
    assert told == [("c_2", "g"), ("c", "f")]


def test_responses_show_thoughts_only_for_a_plain_yes() -> None:
    body = body_of("openai-responses", ask(reasoning=True))
    assert body["reasoning"] == {"effort": "medium", "summary": "auto"}
    assert body["include"] == ["reasoning.encrypted_content"]
    assert body_of("openai-responses", ask(reasoning="high"))["reasoning"] == {"effort": "high"}


@pytest.mark.parametrize(
    ("model", "path"),
    [
        ("gemini-3-pro", "/v1beta/models/gemini-3-pro:generateContent"),
        ("models/gemini-3-pro", "/v1beta/models/gemini-3-pro:generateContent"),
        ("tunedModels/mine", "/v1beta/tunedModels/mine:generateContent"),
        ("a/b c?", "/v1beta/models/a%2Fb%20c%3F:generateContent"),
    ],
)
def test_geminis_model_stands_in_the_path(model: str, path: str) -> None:
    document = document_of("gemini", ask(model=model, stream=False))
    assert document.path == path
    assert ("Accept", "application/json") in document.headers


def test_the_same_conversation_has_the_same_id_in_all_its_turns() -> None:
    first = body_of("ag-ui", ask(messages=TALK[:2]))
    later = body_of("ag-ui", ask(messages=TALK))
    other = body_of("ag-ui", ask(messages=said("else")))
    assert first["threadId"] == later["threadId"] != other["threadId"]
    assert first["runId"] != later["runId"]


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("openai-chat", {"messages": []}, "messages: there is none"),
    ("openai-chat", {"messages": [*said("x"), ChatMessage("tool", "1")]}, r"messages\[1\].*no unanswered tool call"),
    ("gemini", {"messages": [*TALK[:4], ChatMessage("tool", "1", tool_call_id="a")]}, "with the id 'a'"),
    ("ag-ui", {"messages": [ChatMessage("user", "x", [ToolCall("a", "f")])]}, "only the assistant calls"),
    ("openai-chat", {"tool_choice": "f", "tools": TOOLS}, "tool_choice: 'f' .* weather, time"),
    ("anthropic", {"tool_choice": "required"}, "tool_choice: 'required' .* none"),
    ("openai-chat", {"reasoning": "hard"}, "reasoning: 'hard' is none of"),
    ("ollama-chat", {"model": ""}, "ollama-chat needs the name of a model"),
    ("gemini", {"model": ""}, "gemini needs"),
    ("anthropic", {"model": ""}, "anthropic needs"),
    ("anthropic", {"messages": said(" ")}, "nobody says anything"),
    ("gemini", {"messages": [TALK[0]]}, "nobody says anything"),
    ("ollama-generate", {"messages": said("")}, "only loads the model"),
    ("ollama-generate", {}, "has no tool calls; ollama-chat has"),
    ("openai-completions", {"messages": [*said("x"), ChatMessage("assistant", "y")]}, "one prompt"),
    ("openai-completions", {"messages": said("x"), "tools": TOOLS}, "has no tools; openai-chat has"),
    ("text", {"messages": [ChatMessage("assistant", "y")]}, "one prompt"),
    ("agent-poc", {"messages": said("x"), "tools": TOOLS}, "has no tools"),
    ("vercel-ui", {"tools": TOOLS}, "the tools are the server's"),
]


@pytest.mark.parametrize(("dialect", "fields", "message"), REFUSED)
def test_what_would_mean_something_else_is_refused(dialect: str, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        document_of(dialect, ask(**fields))


@pytest.mark.parametrize("dialect", ["anthropic", "gemini", "ollama-chat", "vercel-ui"])
@pytest.mark.parametrize("arguments", ['{"city":', "[1]", '"x"', "\ud800"])
def test_arguments_that_are_no_object_are_refused_where_they_have_to_be_one(dialect: str, arguments: str) -> None:
    messages = [*said("x"), ChatMessage("assistant", "", [ToolCall("a", "weather", arguments)])]
    with pytest.raises(ConfigError, match="'a' of 'weather' has arguments that are no JSON object"):
        document_of(dialect, ask(messages=messages))


def test_tools_that_must_not_be_called_are_no_matter_for_a_dialect_without_tools() -> None:
    document_of("agent-poc", ask(messages=said("x"), tools=TOOLS, tool_choice="none"))


def test_messages_are_read_in_their_widespread_forms() -> None:
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": {"n": 1}}}
    written: list[dict[str, object]] = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "a"}, "b"], "name": None, "tool_calls": []},
        {"role": "assistant", "content": None, "reasoning_content": "Hm.", "tool_calls": [call]},
        {"role": "tool", "content": "1", "tool_call_id": "a", "name": "f"},
        {"role": "assistant", "tool_calls": [{"name": "g", "arguments": "{}"}], "thinking": "So.", "signature": "s"},
    ]
    assert messages_of(written) == [
        ChatMessage("system", "Be brief."),
        ChatMessage("user", "ab"),
        ChatMessage("assistant", "", [ToolCall("a", "f", '{"n":1}')], reasoning="Hm."),
        ChatMessage("tool", "1", tool_call_id="a", tool_name="f"),
        ChatMessage("assistant", "", [ToolCall("", "g", "{}")], reasoning="So.", signature="s"),
    ]
    assert messages_of("Hi") == said("Hi") == messages_of(said("Hi"))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([], "messages: there is none"),
        (7, "messages: expected a text or a list"),
        ({"role": "user"}, "messages: expected a text or a list"),
        (b"Hi", "messages: expected a text or a list"),
        (["Hi"], r"messages\[0\]: expected an object"),
        ([{"content": "x"}], r"messages\[0\].role: it has to be one of system, user"),
        ([{"role": "bot"}], r"messages\[0\].role: 'bot' is not one of"),
        ([ChatMessage("bot")], r"messages\[0\].role"),  # type: ignore[arg-type]
        ([{"role": "user", "content": 3}], r"messages\[0\].content: expected a text or a list"),
        ([{"role": "user", "content": [{"type": "image_url"}]}], r"content\[0\]: only text .* 'image_url'"),
        ([{"role": "user", "content": [3]}], r"content\[0\]"),
        ([{"role": "user", "images": ["x"]}], r"messages\[0\].images: there is no place for it"),
        ([{"role": "user", "content": "x", "tool_calls": [{}]}], "only the assistant"),
        ([{"role": "assistant", "tool_calls": "f"}], r"tool_calls: expected a list"),
        ([{"role": "assistant", "tool_calls": [3]}], r"tool_calls\[0\]: expected an object"),
        ([{"role": "assistant", "tool_calls": [{"id": "a"}]}], r"tool_calls\[0\]: the name"),
        ([{"role": "assistant", "tool_calls": [{"name": "f", "arguments": 3}]}], "expected JSON text or an object"),
        ([{"role": "assistant", "tool_calls": [{"name": "f", "arguments": {"x": math.inf}}]}], "written as JSON"),
        ([{"role": "tool", "tool_call_id": 3}], r"messages\[0\].tool_call_id: expected a text"),
    ],
)
def test_messages_in_another_form_are_refused_and_it_says_where(value: Any, message: str) -> None:  # noqa: ANN401 - wrong
    with pytest.raises(ConfigError, match=message):
        messages_of(value)


def test_an_answer_stands_for_what_the_assistant_said() -> None:
    parts = [
        Part("reasoning", "Hm.", signature="s1", complete=True),
        Part("reasoning", encrypted="e1", complete=True),
        Part("text", "It ", complete=True),
        Part("text", "rains.", complete=True),
        Part("tool", '{"a":1}', tool_id="c1", tool_name="add", complete=True),
    ]
    answer = Message(choices=[Choice(0, parts)], complete=True)
    assert messages_of([answer]) == [
        ChatMessage("assistant", reasoning="Hm.", signature="s1"),
        ChatMessage("assistant", "It rains.", [ToolCall("c1", "add", '{"a":1}')], encrypted="e1"),
    ]
    asked = ChatRequest(messages=messages_of([ChatMessage("user", "Hi"), answer]), model="m")
    body = body_of("anthropic", asked)
    assert [block["type"] for block in body["messages"][1]["content"]] == [
        *("thinking", "redacted_thinking", "text", "tool_use"),
    ]


def test_an_answer_that_is_not_whole_cannot_be_answered() -> None:
    with pytest.raises(ConfigError, match=r"messages\[1\]: this answer is not whole"):
        messages_of([ChatMessage("user", "Hi"), Message(choices=[Choice(0, [Part("text", "It r")])])])
