"""What the official Python SDKs ask: a conversation with tools in two turns, and every option that they have.

Each function takes the base URL of a server and asks there as applications do: what comes back in the first turn goes
into the second as the SDK hands it out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import ag_ui.core as ag_ui
import ollama
from google.genai import types

from tests.dialects.sdks import (
    AG_UI_RUN,
    ANTHROPIC_TOOLS,
    CHAT_TOOLS,
    GEMINI_TOOLS,
    NO_TLS,
    RESPONSES_TOOLS,
    TIMEOUT_S,
    ag_ui_events,
    openai_client,
)
from tests.mockserver.sdk_documents import anthropic_client, functions_of, gemini_client, ollama_client

__all__ = ["ASKED", "ASKS", "OPTIONS", "RESULTS", "SYSTEM", "TURNS", "Turns"]

SYSTEM: Final = "Be kind."
ASKED: Final = "Where is it?\u2028🦉"
RESULTS: Final = {"look": "it is here", "find": "there are two"}

Headers = Mapping[str, str]

Turns = Callable[[str], str]
"""Asks at a base URL, calls tools, tells their results, and returns what is said then."""


def chat_turns(url: str, *, stream: bool) -> str:
    messages: list[Any] = [{"role": "developer", "content": SYSTEM}, {"role": "user", "content": ASKED}]
    with openai_client(f"{url}/v1") as client:

        def ask() -> Any:  # noqa: ANN401 - a message
            if not stream:
                return client.chat.completions.create(model="m", messages=messages, tools=CHAT_TOOLS).choices[0].message
            with client.chat.completions.stream(model="m", messages=messages, tools=CHAT_TOOLS) as events:
                return events.get_final_completion().choices[0].message

        first = ask()
        messages.append(first)
        messages += [
            {"role": "tool", "tool_call_id": call.id, "content": RESULTS[call.function.name]}
            for call in functions_of(first)
        ]
        return str(ask().content)


def chat_documents(url: str) -> str:
    """OpenAI's chat, one document each."""
    return chat_turns(url, stream=False)


def chat_streams(url: str) -> str:
    """OpenAI's chat, streamed."""
    return chat_turns(url, stream=True)


def responses(url: str) -> str:
    """OpenAI's Responses: all items of the output go back."""
    items: list[Any] = [{"role": "user", "content": ASKED}]
    options: Any = {"model": "m", "tools": RESPONSES_TOOLS, "instructions": SYSTEM}
    with openai_client(f"{url}/v1") as client:
        with client.responses.stream(**options, input=items) as events:
            first = events.get_final_response()
        items += [item.to_dict() for item in first.output]
        for item in first.output:
            if item.type == "function_call":
                items.append({"type": "function_call_output", "call_id": item.call_id, "output": RESULTS[item.name]})
        return str(client.responses.create(**options, input=items).output_text)


def anthropic_turns(url: str) -> str:
    """Anthropic's Messages: all blocks go back, thoughts too."""
    messages: list[Any] = [{"role": "user", "content": ASKED}]
    options: Any = {"model": "m", "max_tokens": 99, "tools": ANTHROPIC_TOOLS, "system": SYSTEM}
    with anthropic_client(url) as client:
        with client.messages.stream(**options, messages=messages) as events:
            first = events.get_final_message()
        results = [
            {"type": "tool_result", "tool_use_id": block.id, "content": RESULTS[block.name]}
            for block in first.content
            if block.type == "tool_use"
        ]
        messages += [{"role": "assistant", "content": first.content}, {"role": "user", "content": results}]
        second = client.messages.create(**options, messages=messages)
    return "".join(block.text for block in second.content if block.type == "text")


def ollama_turns(url: str) -> str:
    """Ollama's chat: results have the tool's name, no id."""
    messages: list[Any] = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": ASKED}]
    with ollama_client(url) as client:
        first = client.chat("m", messages, tools=CHAT_TOOLS).message
        messages.append(first)
        for call in first.tool_calls or ():
            name = call.function.name
            messages.append({"role": "tool", "content": RESULTS[name], "tool_name": name})
        return "".join(part.message.content or "" for part in client.chat("m", messages, tools=CHAT_TOOLS, stream=True))


def gemini_turns(url: str) -> str:
    """Gemini: the candidate's content goes back, thoughts and signatures too."""
    config = types.GenerateContentConfig(tools=GEMINI_TOOLS, system_instruction=SYSTEM)
    with gemini_client(url) as client:
        first = client.models.generate_content(model="m", contents=ASKED, config=config)
        assert first.candidates
        results = [
            types.Part(
                function_response=types.FunctionResponse(
                    id=call.id, name=call.name, response={"output": RESULTS[call.name or ""]}
                )
            )
            for call in first.function_calls or ()
        ]
        contents: Any = [types.UserContent(ASKED), first.candidates[0].content, types.UserContent(results)]
        return str(client.models.generate_content(model="m", contents=contents, config=config).text)


def ag_ui_turns(url: str) -> str:
    """AG-UI: the messages as a page keeps them."""
    messages: list[Any] = [ag_ui.SystemMessage(id="0", content=SYSTEM), ag_ui.UserMessage(id="1", content=ASKED)]
    events = ag_ui_events(f"{url}/agui", AG_UI_RUN.model_copy(update={"messages": messages}))
    names = {event.tool_call_id: event.tool_call_name for event in events if event.type == "TOOL_CALL_START"}
    arguments = dict.fromkeys(names, "")
    for event in events:
        if event.type == "TOOL_CALL_ARGS":
            arguments[event.tool_call_id] += event.delta
    calls = [
        ag_ui.ToolCall(id=each, function=ag_ui.FunctionCall(name=name, arguments=arguments[each]))
        for each, name in names.items()
    ]
    messages.append(ag_ui.AssistantMessage(id="2", tool_calls=calls))
    messages += [
        ag_ui.ToolMessage(id=f"result-{each}", content=RESULTS[name], tool_call_id=each) for each, name in names.items()
    ]
    events = ag_ui_events(f"{url}/agui", AG_UI_RUN.model_copy(update={"messages": messages, "run_id": "run-2"}))
    return "".join(event.delta for event in events if event.type == "TEXT_MESSAGE_CONTENT")


TURNS: Final[Mapping[str, Turns]] = {
    "openai-chat": chat_documents,
    "openai-chat-stream": chat_streams,
    "openai-responses": responses,
    "anthropic": anthropic_turns,
    "ollama-chat": ollama_turns,
    "gemini": gemini_turns,
    "ag-ui": ag_ui_turns,
}
"""Those that can be offered tools."""


# -------------------------------------------------------------------------------------------------------------- options

SCHEMA: Final = {
    "type": "object",
    "properties": {"name": {"type": "string"}},
    "required": ["name"],
    "additionalProperties": False,
}

HELLO: Final[Any] = [{"role": "user", "content": "Hello owl"}]


def ask_chat(url: str, **options: Any) -> Headers:  # noqa: ANN401 - the SDK's own
    with openai_client(f"{url}/v1") as client:
        return client.chat.completions.with_raw_response.create(model="m", messages=HELLO, **options).headers


def ask_completions(url: str, **options: Any) -> Headers:  # noqa: ANN401
    with openai_client(f"{url}/v1") as client:
        return client.completions.with_raw_response.create(model="m", prompt="Hello owl", **options).headers


def ask_responses(url: str, **options: Any) -> Headers:  # noqa: ANN401
    with openai_client(f"{url}/v1") as client:
        return client.responses.with_raw_response.create(model="m", input="Hello owl", **options).headers


def ask_anthropic(url: str, **options: Any) -> Headers:  # noqa: ANN401
    question = {"model": "m", "max_tokens": 4096, "messages": HELLO, **options}
    with anthropic_client(url) as client:
        return client.messages.with_raw_response.create(**question).headers


def ask_ollama(url: str, **options: Any) -> Headers:  # noqa: ANN401
    return headers_of_ollama(url, lambda client: client.chat("m", HELLO, **options))


def ask_generate(url: str, **options: Any) -> Headers:  # noqa: ANN401
    return headers_of_ollama(url, lambda client: client.generate("m", "Hello owl", **options))


def headers_of_ollama(url: str, ask: Callable[[ollama.Client], object]) -> Headers:
    """Its answers do not have the headers."""
    noted: list[Headers] = []
    hooks = {"response": [lambda response: noted.append(response.headers)]}
    with ollama.Client(host=url, timeout=TIMEOUT_S, event_hooks=hooks, **NO_TLS) as client:
        ask(client)
    return noted[0]


def ask_gemini(url: str, **options: Any) -> Headers:  # noqa: ANN401
    with gemini_client(url) as client:
        config = types.GenerateContentConfig(**options)
        answer = client.models.generate_content(model="m", contents="Hello owl", config=config)
    assert answer.sdk_http_response is not None
    return {name.lower(): value for name, value in (answer.sdk_http_response.headers or {}).items()}


ASKS: Final[Mapping[str, Callable[..., Headers]]] = {
    "openai-chat": ask_chat,
    "openai-completions": ask_completions,
    "openai-responses": ask_responses,
    "anthropic": ask_anthropic,
    "ollama-chat": ask_ollama,
    "ollama-generate": ask_generate,
    "gemini": ask_gemini,
}
"""Who asks one question with options, and returns the headers of the answer."""


def llama(**options: object) -> dict[str, object]:
    return {"options": options}


CHAT_LOOK: Final = {"type": "function", "function": {"name": "look"}}
GEMINI_LOOK: Final = {"function_calling_config": {"mode": "ANY", "allowed_function_names": ["look"]}}
JSON_SCHEMA: Final = {"name": "owl", "schema": SCHEMA, "strict": True}

OPTIONS: Final[Mapping[str, Mapping[str, dict[str, Any]]]] = {
    "openai-chat": {
        "temperature": {"temperature": 0.5},
        "top_p": {"top_p": 0.75},
        "seed": {"seed": 7},
        "stop": {"stop": ["one", "two"]},
        "max_tokens": {"max_completion_tokens": 50},
        "frequency_penalty": {"frequency_penalty": 0.25},
        "presence_penalty": {"presence_penalty": 0.5},
        "n": {"n": 2},
        "tools": {"tools": CHAT_TOOLS},
        "tool_choice": {"tools": CHAT_TOOLS, "tool_choice": CHAT_LOOK},
        "tool_choice required": {"tools": CHAT_TOOLS, "tool_choice": "required"},
        "tool_choice none": {"tools": CHAT_TOOLS, "tool_choice": "none"},
        "parallel_tool_calls": {"tools": CHAT_TOOLS, "parallel_tool_calls": False},
        "reasoning": {"reasoning_effort": "low"},
        "response_format": {"response_format": {"type": "json_schema", "json_schema": JSON_SCHEMA}},
        "response_format json": {"response_format": {"type": "json_object"}},
    },
    "openai-completions": {
        "temperature": {"temperature": 0.5},
        "top_p": {"top_p": 0.75},
        "seed": {"seed": 7},
        "stop": {"stop": "one"},
        "max_tokens": {"max_tokens": 50},
        "frequency_penalty": {"frequency_penalty": 0.25},
        "presence_penalty": {"presence_penalty": 0.5},
        "n": {"n": 2},
    },
    "openai-responses": {
        "temperature": {"temperature": 0.5},
        "top_p": {"top_p": 0.75},
        "max_tokens": {"max_output_tokens": 50},
        "tools": {"tools": RESPONSES_TOOLS},
        "tool_choice": {"tools": RESPONSES_TOOLS, "tool_choice": {"type": "function", "name": "look"}},
        "tool_choice required": {"tools": RESPONSES_TOOLS, "tool_choice": "required"},
        "tool_choice none": {"tools": RESPONSES_TOOLS, "tool_choice": "none"},
        "parallel_tool_calls": {"tools": RESPONSES_TOOLS, "parallel_tool_calls": False},
        "reasoning": {"reasoning": {"effort": "low"}},
        "response_format": {"text": {"format": {"type": "json_schema", **JSON_SCHEMA}}},
        "response_format json": {"text": {"format": {"type": "json_object"}}},
    },
    "anthropic": {
        "temperature": {"extra_body": {"temperature": 0.5}},
        "top_p": {"extra_body": {"top_p": 0.75}},
        "top_k": {"extra_body": {"top_k": 9}},
        "stop": {"stop_sequences": ["one", "two"]},
        "max_tokens": {"max_tokens": 50},
        "tools": {"tools": ANTHROPIC_TOOLS},
        "tool_choice": {"tools": ANTHROPIC_TOOLS, "tool_choice": {"type": "tool", "name": "look"}},
        "tool_choice required": {"tools": ANTHROPIC_TOOLS, "tool_choice": {"type": "any"}},
        "tool_choice none": {"tools": ANTHROPIC_TOOLS, "tool_choice": {"type": "none"}},
        "parallel_tool_calls": {
            "tools": ANTHROPIC_TOOLS,
            "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
        },
        "reasoning": {"thinking": {"type": "enabled", "budget_tokens": 1024}},
        "response_format": {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
    },
    "ollama-chat": {
        "temperature": llama(temperature=0.5),
        "top_p": llama(top_p=0.75),
        "top_k": llama(top_k=9),
        "seed": llama(seed=7),
        "stop": llama(stop=["one", "two"]),
        "max_tokens": llama(num_predict=50),
        "frequency_penalty": llama(frequency_penalty=0.25),
        "presence_penalty": llama(presence_penalty=0.5),
        "tools": {"tools": CHAT_TOOLS},
        "reasoning": {"think": "low"},
        "response_format": {"format": SCHEMA},
        "response_format json": {"format": "json"},
    },
    "ollama-generate": {
        "temperature": llama(temperature=0.5),
        "top_k": llama(top_k=9),
        "stop": llama(stop=["one"]),
        "max_tokens": llama(num_predict=50),
        "messages": {"system": SYSTEM},
        "reasoning": {"think": True},
        "response_format": {"format": SCHEMA},
    },
    "gemini": {
        "temperature": {"temperature": 0.5},
        "top_p": {"top_p": 0.75},
        "top_k": {"top_k": 9},
        "seed": {"seed": 7},
        "stop": {"stop_sequences": ["one", "two"]},
        "max_tokens": {"max_output_tokens": 50},
        "frequency_penalty": {"frequency_penalty": 0.25},
        "presence_penalty": {"presence_penalty": 0.5},
        "n": {"candidate_count": 2},
        "tools": {"tools": GEMINI_TOOLS},
        "tool_choice": {"tools": GEMINI_TOOLS, "tool_config": GEMINI_LOOK},
        "tool_choice required": {"tools": GEMINI_TOOLS, "tool_config": {"function_calling_config": {"mode": "ANY"}}},
        "tool_choice none": {"tools": GEMINI_TOOLS, "tool_config": {"function_calling_config": {"mode": "NONE"}}},
        "reasoning": {"thinking_config": {"include_thoughts": True, "thinking_budget": 1024}},
        "response_format": {"response_mime_type": "application/json", "response_json_schema": SCHEMA},
        "response_format json": {"response_mime_type": "application/json"},
    },
}
"""By the field of `ChatRequest` that it becomes, and maybe a word more, what is given to the SDK."""
