"""OpenAI's three endpoints: which neutral request is read of a body, and what of it is left over."""

from __future__ import annotations

from typing import Any

import pytest

from streamkit.dialects.requests import ChatMessage, ChatRequest, ResponseSchema, Tool, ToolCall
from tests.vendors.asking import body_of, left_in, reading, refused

CHAT = "/v1/chat/completions"
COMPLETIONS = "/v1/completions"
RESPONSES = "/v1/responses"

HELLO: dict[str, Any] = {"role": "user", "content": "Hello"}
SCHEMA: dict[str, object] = {"type": "object", "properties": {"city": {"type": "string"}}}
FUNCTION = {"name": "weather", "description": "Tells it.", "parameters": SCHEMA}
WEATHER = Tool("weather", "Tells it.", SCHEMA)
CALL = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Ulm"}'}}
CALLED = ToolCall("c1", "weather", '{"city": "Ulm"}')
ITEM = {"type": "function_call", "id": "fc", "call_id": "c1", "name": "weather", "arguments": '{"city": "Ulm"}'}
RESULT = {"type": "function_call_output", "call_id": "c1", "output": "Sunny"}


def chat(**fields: object) -> dict[str, object]:
    return {"model": "gpt", "messages": [HELLO], **fields}


def completion(**fields: object) -> dict[str, object]:
    return {"model": "gpt", "prompt": "Hello", **fields}


def response(**fields: object) -> dict[str, object]:
    return {"model": "gpt", "input": "Hello", **fields}


def said(*messages: object) -> tuple[list[ChatMessage], list[tuple[str, str | None]]]:
    """What is read of a chat's messages, and what is left over."""
    found = reading(CHAT, chat(messages=messages))
    return found.request.messages, left_in(found)


def heard(*items: object, **fields: object) -> tuple[list[ChatMessage], list[tuple[str, str | None]]]:
    """What is read of a response's items, and what is left over."""
    found = reading(RESPONSES, response(input=items, **fields))
    return found.request.messages, left_in(found)


def test_everything_that_a_chat_can_say_is_read() -> None:
    body = chat(
        messages=[
            {"role": "system", "content": "Be brief."},
            HELLO,
            {"role": "assistant", "content": None, "reasoning_content": "Hm.", "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "c1", "content": "Sunny"},
        ],
        tools=[{"type": "function", "function": FUNCTION}],
        tool_choice={"type": "function", "function": {"name": "weather"}},
        parallel_tool_calls=False,
        max_completion_tokens=9,
        temperature=0.5,
        top_p=0.25,
        top_k=4,
        seed=7,
        stop="END",
        frequency_penalty=1.0,
        presence_penalty=-1.0,
        n=2,
        response_format={
            "type": "json_schema",
            "json_schema": {"name": "city", "schema": SCHEMA, "description": "One.", "strict": True},
        },
        reasoning_effort="high",
        stream=True,
        stream_options={"include_usage": True},
    )
    found = reading(CHAT, body)
    assert found.request == ChatRequest(
        model="gpt",
        messages=[
            ChatMessage("system", "Be brief."),
            ChatMessage("user", "Hello"),
            ChatMessage("assistant", "", [CALLED], reasoning="Hm."),
            ChatMessage("tool", "Sunny", tool_call_id="c1"),
        ],
        tools=[WEATHER],
        tool_choice="weather",
        parallel_tool_calls=False,
        max_tokens=9,
        temperature=0.5,
        top_p=0.25,
        top_k=4,
        seed=7,
        stop=["END"],
        frequency_penalty=1.0,
        presence_penalty=-1.0,
        n=2,
        response_format=ResponseSchema(SCHEMA, "city", "One.", strict=True),
        reasoning="high",
        stream=True,
        include_usage=True,
    )
    assert (found.dialect, found.framing, found.leftovers) == ("openai-chat", "sse", ())
    assert found.echoed == {"openai.usage": None}


def test_a_chat_that_says_little_leaves_the_rest_to_the_server() -> None:
    messages = [ChatMessage("user", "Hello")]
    assert reading(CHAT, chat()).request == ChatRequest(model="gpt", messages=messages, stream=False)
    streamed = ChatRequest(model="gpt", messages=messages, stream=True, include_usage=False)
    assert reading(CHAT, chat(stream=True)).request == streamed


def test_everything_that_a_completion_can_say_is_read() -> None:
    body = completion(
        max_tokens=9,
        temperature=0.5,
        top_p=0.25,
        top_k=4,
        seed=7,
        stop=["a", "b"],
        frequency_penalty=1.0,
        presence_penalty=-1.0,
        n=2,
        best_of=2,
        stream=True,
    )
    found = reading(COMPLETIONS, body)
    assert found.request == ChatRequest(
        model="gpt",
        messages=[ChatMessage("user", "Hello")],
        max_tokens=9,
        temperature=0.5,
        top_p=0.25,
        top_k=4,
        seed=7,
        stop=["a", "b"],
        frequency_penalty=1.0,
        presence_penalty=-1.0,
        n=2,
        include_usage=False,
    )
    assert found.leftovers == ()
    assert reading(COMPLETIONS, completion(prompt=["Hello"])).request.messages == found.request.messages


def test_everything_that_a_response_can_say_is_read() -> None:
    body = response(
        instructions="Be brief.",
        input=[HELLO, ITEM, RESULT, {"role": "developer", "content": "Now."}],
        tools=[{"type": "function", **FUNCTION, "strict": False}],
        tool_choice="required",
        parallel_tool_calls=True,
        max_output_tokens=16,
        temperature=0.5,
        top_p=0.25,
        text={"format": {"type": "json_schema", "name": "city", "schema": SCHEMA, "strict": False}},
        reasoning={"effort": "low", "summary": "auto"},
        include=["reasoning.encrypted_content"],
        store=False,
        stream=True,
    )
    found = reading(RESPONSES, body)
    assert found.request == ChatRequest(
        model="gpt",
        messages=[
            ChatMessage("system", "Be brief."),
            ChatMessage("user", "Hello"),
            ChatMessage("assistant", "", [CALLED]),
            ChatMessage("tool", "Sunny", tool_call_id="c1"),
            ChatMessage("system", "Now."),
        ],
        tools=[WEATHER],
        tool_choice="required",
        parallel_tool_calls=True,
        max_tokens=16,
        temperature=0.5,
        top_p=0.25,
        response_format=ResponseSchema(SCHEMA, "city", strict=False),
        reasoning="low",
    )
    assert (found.dialect, found.framing, found.leftovers) == ("openai-responses", "sse", ())


@pytest.mark.parametrize(
    ("message", "read"),
    [
        ({"role": "developer", "content": "Be brief."}, ChatMessage("system", "Be brief.")),
        ({"role": "user", "content": ["One ", {"type": "text", "text": "two"}]}, ChatMessage("user", "One two")),
        ({"role": "user", "content": []}, ChatMessage("user")),
        ({"role": "assistant", "content": None}, ChatMessage("assistant")),
        ({"role": "assistant", "content": None, "refusal": "No."}, ChatMessage("assistant", "No.")),
        (
            {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}], "annotations": []},
            ChatMessage("assistant", "No."),
        ),
        ({"role": "assistant", "content": "Hi", "reasoning": "Hm."}, ChatMessage("assistant", "Hi", reasoning="Hm.")),
        (
            {"role": "assistant", "content": "", "function_call": {"name": "weather", "arguments": "{}"}},
            ChatMessage("assistant", "", [ToolCall("", "weather", "{}")]),
        ),
        ({"role": "function", "name": "weather", "content": "?"}, ChatMessage("tool", "?", tool_name="weather")),
    ],
)
def test_every_form_of_a_message_of_a_chat_is_read(message: object, read: ChatMessage) -> None:
    assert said(message) == ([read], [])


IMAGE = {"type": "image_url", "image_url": {"url": "data:,", "detail": "low"}}


@pytest.mark.parametrize(
    ("fields", "where", "why"),
    [
        ({"messages": [{**HELLO, "content": [IMAGE]}]}, "messages.0.content.0", "images cannot be translated"),
        (
            {"messages": [{**HELLO, "content": ["?", {"type": "input_audio", "input_audio": {}}]}]},
            "messages.0.content.1",
            "audio cannot be translated",
        ),
        ({"messages": [{**HELLO, "content": [{"type": "file"}]}]}, "messages.0.content.0", "files cannot"),
        ({"messages": [{**HELLO, "content": [{"type": "smell"}]}]}, "messages.0.content.0", "parts of type 'smell'"),
        (
            {"messages": [HELLO, {"role": "assistant", "audio": {"id": "a"}}]},
            "messages.1.audio",
            "an answer that was spoken",
        ),
        ({"tools": [{"type": "custom", "custom": {"name": "note"}}]}, "tools.0.custom", "custom tools"),
        (
            {
                "tools": [{"type": "function", "function": FUNCTION}],
                "tool_choice": {
                    "type": "allowed_tools",
                    "allowed_tools": {"mode": "required", "tools": [{"type": "custom", "custom": {"name": "note"}}]},
                },
            },
            "tool_choice",
            "a choice among tools that are not functions",
        ),
        ({"logit_bias": {"50256": -100}}, "logit_bias", "tokens of another model"),
        ({"logprobs": True}, "logprobs", "probabilities"),
        ({"modalities": ["text", "audio"]}, "modalities", "no text"),
        ({"prediction": {"type": "content", "content": "?"}}, "prediction", "predicted"),
        ({"web_search_options": {}}, "web_search_options", "searching the web"),
    ],
)
def test_what_would_make_another_answer_of_a_chat_is_refused(fields: dict[str, object], where: str, why: str) -> None:
    found = reading(CHAT, chat(**fields))
    ((place, message),) = left_in(found)
    assert place == where
    assert why in (message or "")


def test_a_refusal_is_said_as_openai_says_it() -> None:
    found = reading(CHAT, chat(messages=[{**HELLO, "content": ["?", IMAGE]}]))
    (left,) = found.leftovers
    assert left.refusal is not None
    assert body_of(left.refusal, "openai-chat") == {
        "error": {
            "message": "Unsupported parameter: 'messages[0].content[1]': images cannot be translated.",
            "type": "invalid_request_error",
            "param": "messages[0].content[1]",
            "code": "unsupported_parameter",
        }
    }


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"user": "u"}, "user"),
        ({"store": True}, "store"),
        ({"verbosity": "low"}, "verbosity"),
        ({"messages": [{**HELLO, "name": "Ann"}]}, "messages.0.name"),
        ({"tools": [{"type": "function", "function": {**FUNCTION, "strict": True}}]}, "tools.0.function.strict"),
        ({"stream": True, "stream_options": {"include_obfuscation": True}}, "stream_options.include_obfuscation"),
        ({"reasoning": {"effort": "low", "max_tokens": 9}}, "reasoning.max_tokens"),
    ],
)
def test_what_changes_nothing_of_a_chats_answer_is_dropped(fields: dict[str, object], where: str) -> None:
    assert left_in(reading(CHAT, chat(**fields))) == [(where, None)]


@pytest.mark.parametrize(
    "fields",
    [
        {"foo": None, "user": None, "logprobs": None, "tools": None, "messages": [{**HELLO, "audio": None}]},
        {"logprobs": False, "top_logprobs": 0, "logit_bias": {}, "modalities": ["text"], "store": False},
        {"tools": [{"type": "function", "function": {**FUNCTION, "strict": False}}]},
        {"response_format": {"type": "text"}, "n": 1, "reasoning": {"exclude": False}},
        {"messages": [{"role": "assistant", "content": "", "tool_calls": [{**CALL, "index": 0}]}]},
    ],
)
def test_what_asks_for_nothing_is_no_leftover(fields: dict[str, object]) -> None:
    assert left_in(reading(CHAT, chat(**fields))) == []


@pytest.mark.parametrize(
    ("target", "fields", "param", "code", "message"),
    [
        (CHAT, {"foo": 1}, None, None, "Unrecognized request argument supplied: foo"),
        (
            CHAT,
            {"messages": [{**HELLO, "foo": 1}]},
            "messages[0].foo",
            "unknown_parameter",
            "Unknown parameter: 'messages[0].foo'.",
        ),
        (COMPLETIONS, {"prompt": "?", "messages": []}, None, None, "Unrecognized request argument supplied: messages"),
        (RESPONSES, {"foo": 1}, "foo", "unknown_parameter", "Unknown parameter: 'foo'."),
        (RESPONSES, {"messages": [HELLO]}, "messages", "unknown_parameter", "Unknown parameter: 'messages'."),
        (
            RESPONSES,
            {"input": [{**HELLO, "name": "Ann"}]},
            "input[0].name",
            "unknown_parameter",
            "Unknown parameter: 'input[0].name'.",
        ),
        (
            RESPONSES,
            {"text": {"format": {"type": "text", "schema": {}}}},
            "text.format.schema",
            "unknown_parameter",
            "Unknown parameter: 'text.format.schema'.",
        ),
    ],
)
def test_a_field_that_openai_does_not_know_is_refused_in_its_words(
    target: str, fields: dict[str, object], param: str | None, code: str | None, message: str
) -> None:
    whole = {CHAT: chat, COMPLETIONS: completion, RESPONSES: response}[target]
    (left,) = reading(target, whole(**fields)).leftovers
    assert left.refusal is not None
    expected = {"message": message, "type": "invalid_request_error", "param": param, "code": code}
    assert (left.refusal.status, body_of(left.refusal, "openai-chat")) == (400, {"error": expected})


@pytest.mark.parametrize(
    "place",
    [
        {"tools": [{"type": "function", "function": FUNCTION, "foo": 1}]},
        {"tools": [{"type": "function", "function": {**FUNCTION, "foo": 1}}]},
        {"messages": [{"role": "assistant", "tool_calls": [{**CALL, "foo": 1}]}]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "?", "foo": 1}]}]},
        {"messages": [{"role": "user", "content": "?", "tool_calls": [CALL]}]},
        {"stream": True, "stream_options": {"foo": 1}},
        {"response_format": {"type": "json_object", "foo": 1}},
        {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {}, "foo": 1}}},
        {"reasoning": {"foo": 1}},
        {
            "tools": [{"type": "function", "function": FUNCTION}],
            "tool_choice": {"type": "function", "function": {"name": "weather", "foo": 1}},
        },
    ],
)
def test_no_field_is_overlooked_however_deep_it_lies(place: dict[str, object]) -> None:
    ((_, message),) = left_in(reading(CHAT, chat(**place)))
    assert (message or "").startswith("Unknown parameter: ")


def test_a_result_of_no_call_is_refused_in_openais_words() -> None:
    begin = "Invalid parameter: "
    without = f"{begin}messages with role 'tool' must be a response to a preceeding message with 'tool_calls'."
    _, left = said(HELLO, {"role": "tool", "tool_call_id": "c1", "content": "?"})
    assert left == [("messages.1.role", without)]
    asked = {"role": "assistant", "tool_calls": [CALL]}
    _, left = said(asked, {"role": "tool", "tool_call_id": "c2", "content": "?"})
    assert left == [
        ("messages.1.tool_call_id", f"{begin}'tool_call_id' of 'c2' not found in 'tool_calls' of previous message.")
    ]
    _, left = heard(HELLO, RESULT)
    assert left == [("input.1.call_id", "No tool call found for function call output with call_id c1.")]
    _, left = heard(RESULT, previous_response_id="resp_1")
    assert [place for place, _ in left] == ["previous_response_id"]


@pytest.mark.parametrize(
    ("texts", "whole"),
    [
        (["line1", "line2"], "line1\nline2"),
        (["12", "", "34", ""], "12\n34"),
        (["a\n", "b", " c", "d"], "a\nb c\nd"),
        (["", ""], ""),
        ([" alone "], " alone "),
    ],
)
def test_texts_of_one_message_do_not_run_together_and_those_of_an_answer_are_one(texts: list[str], whole: str) -> None:
    parts = [{"type": "text", "text": each} for each in texts]
    asked = {"role": "assistant", "content": parts, "tool_calls": [CALL]}
    messages, _ = said(
        {"role": "user", "content": parts}, asked, {"role": "tool", "tool_call_id": "c1", "content": parts}
    )
    assert [message.text for message in messages] == [whole, "".join(texts), whole]
    items, _ = heard(
        {"role": "user", "content": [{"type": "input_text", "text": each} for each in texts]},
        {"role": "assistant", "content": [{"type": "output_text", "text": each} for each in texts]},
        ITEM,
        {**RESULT, "output": [{"type": "input_text", "text": each} for each in texts]},
    )
    assert [message.text for message in items] == [whole, "".join(texts), whole]


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"min_p": 0.1}, "min_p"),
        ({"repetition_penalty": 1.1}, "repetition_penalty"),
        ({"chat_template_kwargs": {"enable_thinking": False}}, "chat_template_kwargs"),
        ({"usage": {"include": True}}, "usage"),
        ({"messages": [{**HELLO, "cache_control": {"type": "ephemeral"}}]}, "messages.0.cache_control"),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "?", "cache_control": {}}]}]},
            "messages.0.content.0.cache_control",
        ),
        ({"messages": [{"role": "assistant", "content": "?", "thinking_blocks": []}]}, "messages.0.thinking_blocks"),
    ],
)
def test_what_clients_of_compatible_servers_send_with_every_request_is_dropped(
    fields: dict[str, object], where: str
) -> None:
    assert left_in(reading(CHAT, chat(**fields))) == [(where, None)]
    if "messages" not in fields:
        assert left_in(reading(COMPLETIONS, completion(**fields))) == [(where, None)]


def test_an_input_without_any_item_is_none() -> None:
    told = refused(RESPONSES, response(input=[]))
    assert (told.status, told.error["param"]) == (400, "input")
    assert told.error["message"].startswith('One of "input" or "previous_response_id"')
    assert reading(RESPONSES, response(input=[], previous_response_id="resp_1")).request.messages == []


def test_several_results_may_follow_the_calls_in_any_order() -> None:
    calls = [CALL, {**CALL, "id": "c2"}]
    results = [{"role": "tool", "tool_call_id": each, "content": each} for each in ("c2", "c1")]
    messages, left = said(HELLO, {"role": "assistant", "tool_calls": calls}, *results, HELLO)
    assert ([message.text for message in messages], left) == (["Hello", "", "c2", "c1", "Hello"], [])


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("none", ("none", ["weather", "time"])),
        ("required", ("required", ["weather", "time"])),
        ({"type": "function", "function": {"name": "time"}}, ("time", ["weather", "time"])),
        (
            {
                "type": "allowed_tools",
                "allowed_tools": {
                    "mode": "required",
                    "tools": [{"type": "function", "function": {"name": "time"}}],
                },
            },
            ("required", ["time"]),
        ),
    ],
)
def test_every_choice_of_tools_that_has_a_neutral_word_is_read(choice: object, expected: object) -> None:
    tools = [{"type": "function", "function": {"name": name}} for name in ("weather", "time")]
    found = reading(CHAT, chat(tools=tools, tool_choice=choice))
    assert (found.request.tool_choice, [tool.name for tool in found.request.tools]) == expected
    assert found.leftovers == ()


@pytest.mark.parametrize("name", ["auto", "none", "required"])
def test_a_tool_that_has_to_be_called_may_have_the_name_of_another_choice(name: str) -> None:
    functions = [{"name": each} for each in (name, "time")]
    named = {"type": "function", "function": {"name": name}}
    tools = [{"type": "function", "function": each} for each in functions]
    flat = [{"type": "function", **each} for each in functions]
    for found in (
        reading(CHAT, chat(tools=tools, tool_choice=named)),
        reading(CHAT, chat(functions=functions, function_call={"name": name})),
        reading(RESPONSES, response(tools=flat, tool_choice={"type": "function", "name": name})),
    ):
        assert (found.request.tool_choice, [tool.name for tool in found.request.tools]) == ("required", [name])


def test_functions_of_old_are_tools() -> None:
    found = reading(CHAT, chat(functions=[FUNCTION], function_call={"name": "weather"}))
    assert (found.request.tools, found.request.tool_choice, found.leftovers) == ([WEATHER], "weather", ())


@pytest.mark.parametrize(
    ("fields", "reasoning"),
    [
        ({}, None),
        ({"reasoning_effort": "none"}, "none"),
        ({"reasoning_effort": "xhigh"}, "xhigh"),
        ({"reasoning": {"effort": "low"}}, "low"),
        ({"reasoning": {"enabled": True}}, True),
        ({"reasoning": {"enabled": True, "effort": "low"}}, "low"),
        ({"reasoning": {"enabled": False, "effort": "low"}}, False),
    ],
)
def test_how_hard_to_think_is_read(fields: dict[str, object], reasoning: object) -> None:
    assert reading(CHAT, chat(**fields)).request.reasoning == reasoning


@pytest.mark.parametrize(
    ("items", "read"),
    [
        (["?"], None),
        (
            [
                {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "One"}]},
                {"type": "message", "id": "m", "status": "completed", "role": "assistant", "content": "Two"},
                ITEM,
                {**ITEM, "call_id": "c2"},
            ],
            [
                ChatMessage("user", "One"),
                ChatMessage("assistant", "Two", [CALLED, ToolCall("c2", "weather", '{"city": "Ulm"}')]),
            ],
        ),
        (
            [
                {"type": "reasoning", "id": "rs", "summary": [{"type": "summary_text", "text": "Hm."}]},
                {
                    "role": "assistant",
                    "content": [{"type": "output_text", "text": "A", "annotations": [], "logprobs": []}],
                },
                {"type": "reasoning", "summary": [], "encrypted_content": "c2VhbA=="},
                ITEM,
                {"role": "assistant", "content": "B"},
            ],
            [
                ChatMessage("assistant", "A", reasoning="Hm."),
                ChatMessage("assistant", "", [CALLED], encrypted="c2VhbA=="),
                ChatMessage("assistant", "B"),
            ],
        ),
        (
            [{"role": "assistant", "content": "A"}, {"role": "assistant", "content": "B"}],
            [ChatMessage("assistant", "A"), ChatMessage("assistant", "B")],
        ),
        (
            [ITEM, {**RESULT, "output": [{"type": "input_text", "text": "Sun"}, {"type": "input_text", "text": "ny"}]}],
            [ChatMessage("assistant", "", [CALLED]), ChatMessage("tool", "Sun\nny", tool_call_id="c1")],
        ),
        (
            [{"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "Hm."}]}],
            [ChatMessage("assistant", reasoning="Hm.")],
        ),
    ],
)
def test_items_become_the_messages_that_they_are_parts_of(items: list[object], read: list[ChatMessage] | None) -> None:
    if read is None:
        assert refused(RESPONSES, response(input=items)).error["param"] == "input[0]"
        return
    assert heard(*items) == (read, [])


@pytest.mark.parametrize(
    ("fields", "where", "why"),
    [
        ({"previous_response_id": "resp_1"}, "previous_response_id", "an earlier request"),
        ({"conversation": "conv_1"}, "conversation", "an earlier request"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt", "an earlier request"),
        ({"background": True}, "background", "fetched later"),
        ({"tools": [{"type": "web_search"}]}, "tools.0", "tools of type 'web_search'"),
        ({"tools": [{"type": "custom", "name": "note"}]}, "tools.0", "custom tools"),
        (
            {"tools": [{"type": "function", **FUNCTION}], "tool_choice": {"type": "mcp", "server_label": "a"}},
            "tool_choice",
            "not functions",
        ),
        ({"input": [{"role": "user", "content": [{"type": "input_image"}]}]}, "input.0.content.0", "images"),
        ({"input": [ITEM, {**RESULT, "output": [{"type": "input_file"}]}]}, "input.1.output.0", "files"),
        (
            {"input": [{"type": "item_reference", "id": "m"}]},
            "input.0",
            "items of type 'item_reference' cannot be translated; a client that is told not to store",
        ),
        (
            {"input": [{"type": "custom_tool_call", "call_id": "c", "name": "note", "input": "?"}]},
            "input.0",
            "items of type 'custom_tool_call'",
        ),
        ({"include": ["message.output_text.logprobs"]}, "include", "probabilities"),
        ({"reasoning": {"mode": "pro"}}, "reasoning.mode", "a mode of thinking"),
    ],
)
def test_what_would_make_another_answer_of_a_response_is_refused(
    fields: dict[str, object], where: str, why: str
) -> None:
    ((place, message),) = left_in(reading(RESPONSES, response(**fields)))
    assert place == where
    assert why in (message or "")


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"store": True}, "store"),
        ({"truncation": "auto"}, "truncation"),
        ({"metadata": {"a": "b"}}, "metadata"),
        ({"text": {"verbosity": "low"}}, "text.verbosity"),
        ({"client_metadata": {"a": "b"}}, "client_metadata"),
        ({"context_management": [{"type": "compaction", "compact_threshold": 9}]}, "context_management"),
        ({"include": ["file_search_call.results"]}, "include"),
        ({"reasoning": {"effort": "low", "summary": "detailed"}}, "reasoning.summary"),
        ({"stream": True, "stream_options": {"include_obfuscation": True}}, "stream_options.include_obfuscation"),
    ],
)
def test_what_changes_nothing_of_a_responses_answer_is_dropped(fields: dict[str, object], where: str) -> None:
    assert left_in(reading(RESPONSES, response(**fields))) == [(where, None)]


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"prompt": ["One", "Two"]}, "prompt"),
        ({"prompt": [1, 2]}, "prompt"),
        ({"suffix": "?"}, "suffix"),
        ({"best_of": 3}, "best_of"),
        ({"echo": True}, "echo"),
        ({"logprobs": 0}, "logprobs"),
        ({"logit_bias": {"1": 1}}, "logit_bias"),
    ],
)
def test_what_would_make_another_answer_of_a_completion_is_refused(fields: dict[str, object], where: str) -> None:
    ((place, message),) = left_in(reading(COMPLETIONS, completion(**fields)))
    assert place == where
    assert (message or "").startswith(f"Unsupported parameter: '{where}': ")
    quiet = reading(COMPLETIONS, completion(suffix="", echo=False, best_of=1, logit_bias={}, prompt=None))
    assert (quiet.leftovers, quiet.request.messages) == ((), [ChatMessage("user")])


@pytest.mark.parametrize(
    ("target", "fields", "param"),
    [
        (CHAT, {"seed": "7"}, "seed"),
        (CHAT, {"top_k": 0.5}, "top_k"),
        (CHAT, {"parallel_tool_calls": "no"}, "parallel_tool_calls"),
        (CHAT, {"reasoning_effort": "extreme"}, "reasoning_effort"),
        (CHAT, {"messages": [{"role": "assistant", "tool_calls": {}}]}, "messages[0].tool_calls"),
        (CHAT, {"messages": [{"role": "assistant", "tool_calls": [{}]}]}, "messages[0].tool_calls[0].function"),
        (
            CHAT,
            {"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "a", "arguments": {}}}]}]},
            "messages[0].tool_calls[0].function.arguments",
        ),
        (
            CHAT,
            {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "strict": 1}}},
            "response_format.json_schema.strict",
        ),
        (COMPLETIONS, {"seed": 0.5}, "seed"),
        (COMPLETIONS, {"prompt": {}}, "prompt"),
        (RESPONSES, {"instructions": []}, "instructions"),
        (RESPONSES, {"include": "all"}, "include"),
        (RESPONSES, {"stream_options": [], "stream": True}, "stream_options"),
        (RESPONSES, {"reasoning": {"effort": "extreme"}}, "reasoning.effort"),
        (RESPONSES, {"input": [{"type": "function_call", "call_id": "c", "name": "a"}]}, "input[0].arguments"),
        (RESPONSES, {"input": [{"type": "function_call_output", "call_id": "c"}]}, "input[0].output"),
        (RESPONSES, {"input": [{**RESULT, "output": {}}]}, "input[0].output"),
        (
            RESPONSES,
            {"input": [{"type": "reasoning", "summary": "?", "encrypted_content": 5}]},
            "input[0].encrypted_content",
        ),
    ],
)
def test_a_value_of_a_wrong_type_is_refused_with_its_place(target: str, fields: dict[str, object], param: str) -> None:
    whole = {CHAT: chat, COMPLETIONS: completion, RESPONSES: response}[target]
    told = refused(target, whole(**fields))
    assert (told.status, told.error["param"]) == (400, param)
