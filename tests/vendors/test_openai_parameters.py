"""Every parameter that the openai package has is read, dropped or refused on purpose: a new one fails here."""

from __future__ import annotations

import typing
from collections.abc import Mapping

import pytest
from openai.types import completion_create_params as completions
from openai.types.chat import (
    chat_completion_assistant_message_param,
    chat_completion_content_part_text_param,
    chat_completion_developer_message_param,
    chat_completion_function_message_param,
    chat_completion_function_tool_param,
    chat_completion_message_function_tool_call_param,
    chat_completion_stream_options_param,
    chat_completion_system_message_param,
    chat_completion_tool_message_param,
    chat_completion_user_message_param,
)
from openai.types.chat import completion_create_params as chats
from openai.types.responses import (
    easy_input_message_param,
    function_tool_param,
    response_create_params,
    response_format_text_json_schema_config_param,
    response_function_tool_call_param,
    response_input_param,
    response_output_message_param,
    response_reasoning_item_param,
    response_text_config_param,
)
from openai.types.shared_params import function_definition, reasoning, response_format_json_schema

from tests.vendors.asking import is_newer, left_in, reading

READ, DROPPED, REFUSED = "read", "dropped", "refused"

TABLES_OF = "3.52.0"
"""The version of openai after which the tables here were made."""

TEXT: dict[str, object] = {"role": "user", "content": "Hello"}
FUNCTION: dict[str, object] = {"name": "weather", "parameters": {"type": "object"}}
CALL: dict[str, object] = {"id": "c", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
OFFERED = {"tools": [{"type": "function", "function": FUNCTION}]}
OFFERED_FLAT = {"tools": [{"type": "function", **FUNCTION}]}
CALLED: list[dict[str, object]] = [{"role": "assistant", "tool_calls": [CALL]}]
SCHEMA: dict[str, object] = {"name": "a", "schema": {"type": "object"}}

Table = Mapping[str, tuple[str, object]]

SAMPLING: Table = {
    "temperature": (READ, 1.0),
    "top_p": (READ, 0.5),
    "frequency_penalty": (READ, 0.5),
    "presence_penalty": (READ, 0.5),
    "seed": (READ, 1),
    "stop": (READ, "END"),
    "n": (READ, 2),
}

CHAT: Table = {
    **SAMPLING,
    "model": (READ, "gpt"),
    "messages": (READ, [TEXT]),
    "max_tokens": (READ, 5),
    "max_completion_tokens": (READ, 5),
    "tools": (READ, OFFERED["tools"]),
    "tool_choice": (READ, {**OFFERED, "tool_choice": "required"}),
    "functions": (READ, [FUNCTION]),
    "function_call": (READ, {"functions": [FUNCTION], "function_call": {"name": "weather"}}),
    "parallel_tool_calls": (READ, False),
    "response_format": (READ, {"type": "json_object"}),
    "reasoning_effort": (READ, "low"),
    "stream": (READ, True),
    "stream_options": (READ, {"stream": True, "stream_options": {"include_usage": True}}),
    "metadata": (DROPPED, {"a": "b"}),
    "prompt_cache_key": (DROPPED, "k"),
    "prompt_cache_options": (DROPPED, {"mode": "explicit"}),
    "prompt_cache_retention": (DROPPED, "24h"),
    "safety_identifier": (DROPPED, "s"),
    "service_tier": (DROPPED, "flex"),
    "store": (DROPPED, True),
    "user": (DROPPED, "u"),
    "verbosity": (DROPPED, "low"),
    "audio": (REFUSED, {"format": "wav", "voice": "ash"}),
    "logit_bias": (REFUSED, {"1": 1}),
    "logprobs": (REFUSED, True),
    "modalities": (REFUSED, ["text", "audio"]),
    "moderation": (REFUSED, {"model": "m"}),
    "prediction": (REFUSED, {"type": "content", "content": "?"}),
    "top_logprobs": (REFUSED, 2),
    "web_search_options": (REFUSED, {}),
}

COMPLETION: Table = {
    **SAMPLING,
    "model": (READ, "gpt"),
    "prompt": (READ, "Hello"),
    "max_tokens": (READ, 5),
    "stream": (READ, True),
    "stream_options": (READ, {"stream": True, "stream_options": {"include_usage": True}}),
    "user": (DROPPED, "u"),
    "best_of": (REFUSED, 2),
    "echo": (REFUSED, True),
    "logit_bias": (REFUSED, {"1": 1}),
    "logprobs": (REFUSED, 1),
    "suffix": (REFUSED, "?"),
}

RESPONSE: Table = {
    "model": (READ, "gpt"),
    "input": (READ, "Hello"),
    "instructions": (READ, "Be brief."),
    "max_output_tokens": (READ, 16),
    "parallel_tool_calls": (READ, False),
    "reasoning": (READ, {"effort": "low"}),
    "stream": (READ, True),
    "stream_options": (DROPPED, {"stream": True, "stream_options": {"include_obfuscation": True}}),
    "temperature": (READ, 1.0),
    "text": (READ, {"format": {"type": "json_object"}}),
    "tool_choice": (READ, {**OFFERED_FLAT, "tool_choice": "required"}),
    "tools": (READ, OFFERED_FLAT["tools"]),
    "top_p": (READ, 0.5),
    "access_programs": (DROPPED, {"cyber": "standard"}),
    "image": (DROPPED, {"detail": "low"}),
    "include": (DROPPED, ["file_search_call.results"]),
    "max_tool_calls": (DROPPED, 2),
    "metadata": (DROPPED, {"a": "b"}),
    "prompt_cache_key": (DROPPED, "k"),
    "prompt_cache_options": (DROPPED, {"mode": "explicit"}),
    "prompt_cache_retention": (DROPPED, "24h"),
    "safety_identifier": (DROPPED, "s"),
    "service_tier": (DROPPED, "flex"),
    "store": (DROPPED, True),
    "truncation": (DROPPED, "auto"),
    "user": (DROPPED, "u"),
    "background": (REFUSED, True),
    "background_options": (REFUSED, {"x": 1}),
    "context_management": (DROPPED, [{"type": "compaction"}]),
    "conversation": (REFUSED, "conv_1"),
    "moderation": (REFUSED, {"model": "m"}),
    "previous_response_id": (REFUSED, "resp_1"),
    "prompt": (REFUSED, {"id": "pmpt_1"}),
    "top_logprobs": (REFUSED, 2),
}

BODIES: dict[str, tuple[str, dict[str, object], Table, tuple[type, ...]]] = {
    "chat": (
        "/v1/chat/completions",
        {"model": "gpt", "messages": [TEXT]},
        CHAT,
        (chats.CompletionCreateParamsNonStreaming, chats.CompletionCreateParamsStreaming),
    ),
    "completion": (
        "/v1/completions",
        {"model": "gpt", "prompt": "Hello"},
        COMPLETION,
        (completions.CompletionCreateParamsNonStreaming, completions.CompletionCreateParamsStreaming),
    ),
    "response": (
        "/v1/responses",
        {"model": "gpt", "input": "Hello"},
        RESPONSE,
        (
            response_create_params.ResponseCreateParamsNonStreaming,
            response_create_params.ResponseCreateParamsStreaming,
        ),
    ),
}


def names_of(*types: type) -> set[str]:
    """The keys of typed dictionaries."""
    return {name for each in types for name in typing.get_type_hints(each)}


def what_becomes(target: str, body: dict[str, object]) -> str:
    """What becomes of a field; the rest of the body is read."""
    left = left_in(reading(target, body))
    if not left:
        return READ
    ((_, message),) = left
    assert "nknown parameter" not in (message or "")
    assert "Unrecognized" not in (message or "")
    return REFUSED if message else DROPPED


@pytest.mark.parametrize("kind", BODIES)
def test_the_table_has_every_parameter_that_the_package_has(kind: str) -> None:
    target, least, table, types = BODIES[kind]
    new = names_of(*types) - set(table)
    assert not new or is_newer("openai", TABLES_OF)
    for name in new:
        assert left_in(reading(target, {**least, name: {"odd": 1}})), f"{name} is passed over in silence"


@pytest.mark.parametrize(
    ("kind", "name", "fate", "value"),
    [(kind, name, fate, value) for kind, body in BODIES.items() for name, (fate, value) in body[2].items()],
)
def test_what_becomes_of_a_parameter(kind: str, name: str, fate: str, value: object) -> None:
    target, least, _, _ = BODIES[kind]
    fields = value if isinstance(value, dict) and name in value else {name: value}
    assert what_becomes(target, {**least, **fields}) == fate
    assert what_becomes(target, {**least, "user": None}) == READ


PARTS: dict[str, tuple[type, set[str], set[str], set[str]]] = {
    # The type, and its keys: those that are read, that are dropped, and that are refused.
    "user": (chat_completion_user_message_param.ChatCompletionUserMessageParam, {"role", "content"}, {"name"}, set()),
    "system": (
        chat_completion_system_message_param.ChatCompletionSystemMessageParam,
        {"role", "content"},
        {"name"},
        set(),
    ),
    "developer": (
        chat_completion_developer_message_param.ChatCompletionDeveloperMessageParam,
        {"role", "content"},
        {"name"},
        set(),
    ),
    "assistant": (
        chat_completion_assistant_message_param.ChatCompletionAssistantMessageParam,
        {"role", "content", "refusal", "tool_calls", "function_call"},
        {"name"},
        {"audio"},
    ),
}

SAMPLES: dict[str, object] = {
    "content": "Hello",
    "name": "Ann",
    "refusal": "No.",
    "tool_calls": [CALL],
    "function_call": {"name": "weather", "arguments": "{}"},
    "audio": {"id": "a"},
}


@pytest.mark.parametrize(
    ("role", "key", "fate"),
    [
        (role, key, fate)
        for role, (_, *fates) in PARTS.items()
        for fate, keys in zip((READ, DROPPED, REFUSED), fates, strict=True)
        for key in sorted(keys - {"role"})
    ],
)
def test_what_becomes_of_a_messages_field(role: str, key: str, fate: str) -> None:
    message = {"role": role, "content": "Hello", key: SAMPLES[key]}
    assert what_becomes("/v1/chat/completions", {"model": "gpt", "messages": [message]}) == fate


@pytest.mark.parametrize("role", PARTS)
def test_every_field_of_a_message_has_its_fate(role: str) -> None:
    message, *fates = PARTS[role]
    new = names_of(message) - set().union(*fates)
    assert not new or is_newer("openai", TABLES_OF)
    for name in new:
        asked = {"model": "gpt", "messages": [{"role": role, "content": "Hello", name: {"odd": 1}}]}
        assert left_in(reading("/v1/chat/completions", asked)), f"{name} is passed over in silence"


CHAT_FORMS: list[tuple[type, dict[str, object], str]] = [
    (
        chat_completion_tool_message_param.ChatCompletionToolMessageParam,
        {"role": "tool", "tool_call_id": "c", "content": "?"},
        READ,
    ),
    (
        chat_completion_function_message_param.ChatCompletionFunctionMessageParam,
        {"role": "function", "name": "weather", "content": "?"},
        READ,
    ),
]


@pytest.mark.parametrize(("form", "message", "fate"), CHAT_FORMS)
def test_every_form_of_a_result_is_known(form: type, message: dict[str, object], fate: str) -> None:
    assert names_of(form) <= set(message) or is_newer("openai", TABLES_OF)
    assert what_becomes("/v1/chat/completions", {"model": "gpt", "messages": [*CALLED, message]}) == fate


def chat(**fields: object) -> tuple[str, dict[str, object]]:
    return "/v1/chat/completions", {"model": "gpt", "messages": [TEXT], **fields}


def response(**fields: object) -> tuple[str, dict[str, object]]:
    return "/v1/responses", {"model": "gpt", "input": "Hello", **fields}


def result(**fields: object) -> list[dict[str, object]]:
    call: dict[str, object] = {"type": "function_call", "call_id": "c", "name": "weather", "arguments": "{}"}
    return [call, {"type": "function_call_output", "call_id": "c", "output": "?", **fields}]


TEXT_PART = chat_completion_content_part_text_param.ChatCompletionContentPartTextParam
FUNCTION_CALL = chat_completion_message_function_tool_call_param.ChatCompletionMessageFunctionToolCallParam
JSON_SCHEMA = response_format_text_json_schema_config_param.ResponseFormatTextJSONSchemaConfigParam
FULL_PART: dict[str, object] = {"type": "text", "text": "?", "prompt_cache_breakpoint": {"mode": "explicit"}}
FULL_SCHEMA: dict[str, object] = {**SCHEMA, "description": "?", "strict": True}
FULL_FUNCTION: dict[str, object] = {**FUNCTION, "description": "?", "strict": False}
FULL_TOOL: dict[str, object] = {
    **FULL_FUNCTION,
    "type": "function",
    "allowed_callers": ["direct"],
    "async": False,
    "defer_loading": False,
    "output_schema": {"type": "object"},
}
OWN: dict[str, object] = {"caller": {"type": "direct"}, "id": "i", "status": "completed"}
FULL_CALL: dict[str, object] = {**result()[0], **OWN, "async": False, "namespace": "n"}
FULL_RESULT: dict[str, object] = {**result()[1], **OWN, "name": "weather", "namespace": "n"}
FULL_MESSAGE: dict[str, object] = {"type": "message", "role": "assistant", "content": "?", "phase": "final_answer"}
FULL_THOUGHT: dict[str, object] = {
    "type": "reasoning",
    "id": "rs",
    "summary": [{"type": "summary_text", "text": "Hm."}],
    "content": [{"type": "reasoning_text", "text": "Hm."}],
    "encrypted_content": "c2VhbA==",
    "status": "completed",
}
FULL_THINKING: dict[str, object] = {
    "context": "auto",
    "effort": "low",
    "generate_summary": "auto",
    "mode": "standard",
    "summary": "auto",
}

NESTED: list[tuple[type, dict[str, object], tuple[str, dict[str, object]], str]] = [
    (TEXT_PART, FULL_PART, chat(messages=[{"role": "user", "content": [FULL_PART]}]), DROPPED),
    (FUNCTION_CALL, CALL, chat(messages=[{"role": "assistant", "tool_calls": [CALL]}]), READ),
    (
        chat_completion_function_tool_param.ChatCompletionFunctionToolParam,
        {"type": "function", "function": FUNCTION},
        chat(**OFFERED),
        READ,
    ),
    (
        function_definition.FunctionDefinition,
        FULL_FUNCTION,
        chat(tools=[{"type": "function", "function": FULL_FUNCTION}]),
        READ,
    ),
    (
        response_format_json_schema.JSONSchema,
        FULL_SCHEMA,
        chat(response_format={"type": "json_schema", "json_schema": FULL_SCHEMA}),
        READ,
    ),
    (
        chat_completion_stream_options_param.ChatCompletionStreamOptionsParam,
        {"include_usage": True, "include_obfuscation": False},
        chat(stream=True, stream_options={"include_usage": True, "include_obfuscation": False}),
        READ,
    ),
    (
        response_create_params.StreamOptions,
        {"include_obfuscation": False},
        response(stream=True, stream_options={"include_obfuscation": False}),
        READ,
    ),
    (function_tool_param.FunctionToolParam, FULL_TOOL, response(tools=[FULL_TOOL]), DROPPED),
    (
        JSON_SCHEMA,
        {**FULL_SCHEMA, "type": "json_schema"},
        response(text={"format": {**FULL_SCHEMA, "type": "json_schema"}}),
        READ,
    ),
    (
        response_text_config_param.ResponseTextConfigParam,
        {"format": {"type": "text"}, "verbosity": "low"},
        response(text={"format": {"type": "text"}, "verbosity": "low"}),
        DROPPED,
    ),
    (reasoning.Reasoning, FULL_THINKING, response(reasoning=FULL_THINKING), DROPPED),
    (easy_input_message_param.EasyInputMessageParam, FULL_MESSAGE, response(input=[FULL_MESSAGE]), READ),
    (
        response_output_message_param.ResponseOutputMessageParam,
        {**FULL_MESSAGE, "id": "m", "status": "completed"},
        response(input=[{**FULL_MESSAGE, "id": "m", "status": "completed"}]),
        READ,
    ),
    (response_reasoning_item_param.ResponseReasoningItemParam, FULL_THOUGHT, response(input=[FULL_THOUGHT]), READ),
    (
        response_function_tool_call_param.ResponseFunctionToolCallParam,
        FULL_CALL,
        response(input=[FULL_CALL]),
        DROPPED,
    ),
    (
        response_input_param.FunctionCallOutput,
        FULL_RESULT,
        response(input=[result()[0], FULL_RESULT]),
        DROPPED,
    ),
]


@pytest.mark.parametrize(("form", "full", "asked", "fate"), NESTED)
def test_every_field_of_what_a_request_is_made_of_is_known(
    form: type, full: dict[str, object], asked: tuple[str, dict[str, object]], fate: str
) -> None:
    assert names_of(form) <= set(full) or is_newer("openai", TABLES_OF)
    assert what_becomes(*asked) == fate
