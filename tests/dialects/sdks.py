"""What the official Python SDKs make of a stream: each used as its users do, each reduced to the same `View`.

An SDK that raises has judged the stream as failed: that is a `Failed`. AG-UI has no Python client, so its own models
read each event, and what they add up to is added up here. All of them offer `TOOLS`, where there is a way to.
"""

from __future__ import annotations

import json
import os
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import ag_ui.core
import anthropic
import ollama
import openai
import pytest
from google import genai
from google.genai import types as genai_types
from pydantic import TypeAdapter

from tests.dialects.referees import Failed, View, view

TIMEOUT_S = 20

NO_TLS: Any = {"verify": False}
"""There is none here, and loading the certificates for it takes longer than reading a stream."""

Referee = Callable[[str], View | Failed]
"""Reads the stream that is found below a base URL."""


@contextmanager
def no_proxies() -> Iterator[None]:
    """Take what would lead a client elsewhere, or lend it a key, out of the environment."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.lower().endswith("_proxy") or name.startswith(("OPENAI_", "ANTHROPIC_", "OLLAMA_", "GOOGLE_")):
                patch.delenv(name)
        yield


def referee(read: Callable[[str], View]) -> Referee:
    """Make a `Failed` of whatever an SDK raises."""

    def judged(base_url: str) -> View | Failed:
        try:
            return read(base_url)
        except Exception as error:  # noqa: BLE001 - each SDK has its own, and lets out some of what it builds on
            return Failed(type(error).__name__, str(error))

    return judged


# --- OpenAI -----------------------------------------------------------------------------------------------------------


def openai_client(base_url: str) -> openai.OpenAI:
    http_client = openai.DefaultHttpxClient(**NO_TLS)
    return openai.OpenAI(base_url=base_url, api_key="none", max_retries=0, timeout=TIMEOUT_S, http_client=http_client)


QUESTION: Any = [{"role": "user", "content": "?"}]

TOOLS: dict[str, dict[str, Any]] = {
    "look": {"type": "object", "properties": {"at": {"type": "string"}}, "required": ["at"]},
    "find": {"type": "object", "properties": {"n": {"type": "integer"}, "deep": {"type": "boolean"}}},
}
"""The tools that are offered, and the schemas of their arguments."""

FUNCTIONS: Any = [{"name": name, "description": name, "parameters": schema} for name, schema in TOOLS.items()]

CHAT_TOOLS: Any = [{"type": "function", "function": function} for function in FUNCTIONS]
RESPONSES_TOOLS: Any = [{"type": "function", **function} for function in FUNCTIONS]
ANTHROPIC_TOOLS: Any = [{"name": name, "input_schema": schema} for name, schema in TOOLS.items()]
GEMINI_TOOLS: Any = [
    genai_types.Tool(
        function_declarations=[
            genai_types.FunctionDeclaration(name=name, parameters_json_schema=schema) for name, schema in TOOLS.items()
        ]
    )
]


class ChatPieces:
    """What the chunks of a chat completion add up to, as users add it up who take them one by one."""

    def __init__(self) -> None:
        self.text: list[str] = []
        self.reasoning: list[str] = []
        self.calls: dict[int, tuple[str, str]] = {}
        self.finish: str | None = None
        self.usage: tuple[int | None, int | None] | None = None

    def add(self, chunk: Any) -> None:  # noqa: ANN401 - with what vendors add to a chunk
        usage = chunk.usage or (chunk.model_extra or {}).get("x_groq", {}).get("usage")
        if usage:
            counts: Mapping[str, int] = usage if isinstance(usage, dict) else usage.model_dump()
            self.usage = counts["prompt_tokens"], counts["completion_tokens"]
        for choice in chunk.choices or ():
            if choice.index:
                continue
            delta, more = choice.delta, choice.delta.model_extra or {}
            self.text += [delta.content or "", delta.refusal or ""]
            self.reasoning.append(more.get("reasoning_content") or more.get("reasoning") or "")
            for call in delta.tool_calls or ():
                name, arguments = self.calls.get(call.index, ("", ""))
                piece = f"{call.function.arguments or ''}"  # some servers send what is no string
                self.calls[call.index] = name + (call.function.name or ""), arguments + piece
            self.finish = choice.finish_reason or self.finish

    def view(self) -> View:
        calls = [(name, parsed(arguments)) for _, (name, arguments) in sorted(self.calls.items())]
        return view(self.text, self.reasoning, calls, self.finish, self.usage)


def parsed(arguments: str) -> object:
    """Parse arguments as every user does; some servers send none for a call without parameters.

    What cannot be parsed stays the text that the SDK has handed out.
    """
    try:
        return json.loads(arguments or "{}")
    except (TypeError, ValueError):
        return str(arguments)


@referee
def view_of_openai_chat(base_url: str) -> View:
    """`chat.completions.stream()`: the helper that puts the answer together."""
    pieces = ChatPieces()
    with (
        openai_client(base_url) as client,
        client.chat.completions.stream(model="m", messages=QUESTION, tools=CHAT_TOOLS) as stream,
    ):
        for event in stream:
            if event.type == "chunk":
                pieces.add(event.chunk)
        try:
            completion = stream.get_final_completion()
        except (openai.LengthFinishReasonError, openai.ContentFilterFinishReasonError):
            return pieces.view()  # so it says that a choice has finished for this reason
    choice = completion.choices[0]
    message = choice.message
    calls = [(call.function.name, parsed(call.function.arguments)) for call in message.tool_calls or ()]
    text = (message.content or "", message.refusal or "")
    return view(text, pieces.reasoning, calls, choice.finish_reason, pieces.usage)


@referee
def view_of_openai_chat_chunks(base_url: str) -> View:
    """`chat.completions.create(stream=True)`: chunk by chunk."""
    pieces = ChatPieces()
    with (
        openai_client(base_url) as client,
        client.chat.completions.create(model="m", messages=QUESTION, tools=CHAT_TOOLS, stream=True) as stream,
    ):
        for chunk in stream:
            pieces.add(chunk)
    return pieces.view()


@referee
def view_of_openai_completions(base_url: str) -> View:
    """`completions.create(stream=True)`: text and nothing else."""
    text: list[str] = []
    finish, usage = None, None
    with openai_client(base_url) as client, client.completions.create(model="m", prompt="?", stream=True) as stream:
        for chunk in stream:
            if chunk.usage:
                usage = chunk.usage.prompt_tokens, chunk.usage.completion_tokens
            for choice in chunk.choices:
                if choice.index == 0:
                    text.append(choice.text)
                    finish = choice.finish_reason or finish
    return view(text, (), (), finish, usage)


@referee
def view_of_openai_responses(base_url: str) -> View:
    """`responses.stream()`: the deltas, and the finished response, which has to be what they add up to."""
    deltas: list[str] = []
    final: Any = None
    with (
        openai_client(base_url) as client,
        client.responses.stream(model="m", input="?", tools=RESPONSES_TOOLS) as stream,
    ):
        for event in stream:
            if event.type in {"response.output_text.delta", "response.refusal.delta"}:
                deltas.append(event.delta)
            elif event.type in {"response.completed", "response.incomplete", "response.failed"}:
                final = event.response
        if final is None or final.status == "completed":
            final = stream.get_final_response()
    if final.status == "failed":
        raise ResponseFailedError(final.error.message)
    text: list[str] = []
    reasoning: list[str] = []
    calls = []
    for item in final.output:
        if item.type == "message":
            text += [content.text if content.type == "output_text" else content.refusal for content in item.content]
        elif item.type == "reasoning":
            reasoning += [content.text for content in (*item.summary, *(item.content or ()))]
        elif item.type == "function_call":
            calls.append((item.name, parsed(item.arguments)))
    if "".join(deltas) != "".join(text):
        raise InconsistentError("".join(deltas), "".join(text))
    details = final.incomplete_details
    finish = (details and details.reason) or final.status
    usage = final.usage and (final.usage.input_tokens, final.usage.output_tokens)
    return view(text, reasoning, calls, finish, usage)


class ResponseFailedError(Exception):
    """The response says itself that it has failed."""


class InconsistentError(Exception):
    """The deltas are not what the finished response has."""


# --- Anthropic --------------------------------------------------------------------------------------------------------


@referee
def view_of_anthropic(base_url: str) -> View:
    """`messages.stream()`: the helper that puts the message together."""
    http_client = anthropic.DefaultHttpxClient(**NO_TLS)
    options: Any = {"max_retries": 0, "timeout": TIMEOUT_S, "http_client": http_client}
    with (
        anthropic.Anthropic(base_url=base_url, api_key="none", **options) as client,
        client.messages.stream(model="m", max_tokens=999, messages=QUESTION, tools=ANTHROPIC_TOOLS) as stream,
    ):
        message = stream.get_final_message()
    return view_of_message(message)


def view_of_message(message: anthropic.types.Message) -> View:
    usage = message.usage
    read = usage.input_tokens + (usage.cache_read_input_tokens or 0) + (usage.cache_creation_input_tokens or 0)
    return view(
        [block.text for block in message.content if block.type == "text"],
        [block.thinking for block in message.content if block.type == "thinking"],
        [(block.name, block.input) for block in message.content if block.type == "tool_use"],
        message.stop_reason,
        (read, usage.output_tokens),
    )


# --- Ollama -----------------------------------------------------------------------------------------------------------


@referee
def view_of_ollama_chat(base_url: str) -> View:
    """`Client.chat(stream=True)`."""
    with ollama.Client(host=base_url, timeout=TIMEOUT_S, **NO_TLS) as client:
        parts = list(client.chat(model="m", messages=QUESTION, tools=CHAT_TOOLS, stream=True))
    return view_of_parts(parts)


def view_of_parts(parts: list[ollama.ChatResponse]) -> View:
    calls = [call.function for part in parts for call in part.message.tool_calls or ()]
    last = parts[-1]
    return view(
        [part.message.content or "" for part in parts],
        [part.message.thinking or "" for part in parts],
        [(call.name, dict(call.arguments)) for call in calls],
        last.done_reason,
        (last.prompt_eval_count, last.eval_count),
    )


@referee
def view_of_ollama_generate(base_url: str) -> View:
    """`Client.generate(stream=True)`. Its types have no tool calls, though the server sends them."""
    with ollama.Client(host=base_url, timeout=TIMEOUT_S, **NO_TLS) as client:
        parts = list(client.generate(model="m", prompt="?", stream=True))
    last = parts[-1]
    return view(
        [part.response or "" for part in parts],
        [part.thinking or "" for part in parts],
        (),
        last.done_reason,
        (last.prompt_eval_count, last.eval_count),
    )


# --- Gemini -----------------------------------------------------------------------------------------------------------


@referee
def view_of_gemini(base_url: str) -> View:
    """`models.generate_content_stream()`."""
    options = genai_types.HttpOptions(
        base_url=base_url, timeout=TIMEOUT_S * 1000, client_args={**NO_TLS}, async_client_args={**NO_TLS}
    )
    text: list[str] = []
    reasoning: list[str] = []
    calls: list[tuple[str, Any]] = []
    finish, usage = None, None
    with genai.Client(api_key="none", vertexai=False, http_options=options) as client:
        config = genai_types.GenerateContentConfig(tools=GEMINI_TOOLS)
        for chunk in client.models.generate_content_stream(model="m", contents="?", config=config):
            counts = chunk.usage_metadata
            if counts is not None:
                read = (counts.prompt_token_count or 0) + (counts.tool_use_prompt_token_count or 0)
                usage = read, (counts.candidates_token_count or 0) + (counts.thoughts_token_count or 0)
            if chunk.prompt_feedback is not None and chunk.prompt_feedback.block_reason is not None:
                finish = "content_filter"
            for candidate in chunk.candidates or ():
                if candidate.index:
                    continue
                finish = candidate.finish_reason.value if candidate.finish_reason else finish
                for part in (candidate.content and candidate.content.parts) or ():
                    (reasoning if part.thought else text).append(part.text or "")
                    if part.function_call is not None:
                        calls.append((part.function_call.name or "", part.function_call.args or {}))
    return view(text, reasoning, calls, finish, usage)


# --- AG-UI ------------------------------------------------------------------------------------------------------------

AG_UI_EVENT: TypeAdapter[Any] = TypeAdapter(ag_ui.core.Event)


AG_UI_RUN = ag_ui.core.RunAgentInput(
    thread_id="thread",
    run_id="run",
    state={},
    messages=[ag_ui.core.UserMessage(id="1", content="?")],
    tools=[ag_ui.core.Tool(**function) for function in FUNCTIONS],
    context=[],
    forwarded_props={"model": "m"},
)


class RunError(Exception):
    """The run says itself that it has failed."""


def ag_ui_events(url: str, run: ag_ui.core.RunAgentInput) -> list[Any]:
    """Ask as the protocol's own models write it; they read each event's data too."""
    body = run.model_dump_json(by_alias=True).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310 - our own server
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:  # noqa: S310
        lines = response.read().split(b"\n")
    return [AG_UI_EVENT.validate_json(line[6:]) for line in lines if line.startswith(b"data: ")]


@referee
def view_of_ag_ui(base_url: str) -> View:
    """What the events add up to."""
    events = ag_ui_events(base_url, AG_UI_RUN)
    text: list[str] = []
    reasoning: list[str] = []
    calls: dict[str, tuple[str, str]] = {}
    finish, usage = None, None
    for event in events:
        kind = event.type.value
        if kind in {"TEXT_MESSAGE_CONTENT", "TEXT_MESSAGE_CHUNK"}:
            text.append(event.delta or "")
        elif kind in {"REASONING_MESSAGE_CONTENT", "REASONING_MESSAGE_CHUNK"}:
            reasoning.append(event.delta or "")
        elif kind == "TOOL_CALL_START":
            calls[event.tool_call_id] = (event.tool_call_name, "")
        elif kind == "TOOL_CALL_ARGS":
            name, arguments = calls[event.tool_call_id]
            calls[event.tool_call_id] = (name, arguments + event.delta)
        elif kind == "TOOL_CALL_CHUNK":
            name, arguments = calls.get(event.tool_call_id, ("", ""))
            calls[event.tool_call_id] = (name or event.tool_call_name or "", arguments + (event.delta or ""))
        elif kind == "RUN_ERROR":
            raise RunError(event.message)
        elif kind == "RUN_FINISHED":
            finish = (event.metadata or {}).get("finishReason", "stop")  # AG-UI itself knows success and interruption
            if event.usage:
                usage = (
                    sum(each.input_tokens or 0 for each in event.usage),
                    sum(each.output_tokens or 0 for each in event.usage),
                )
    return view(text, reasoning, [(name, parsed(args)) for name, args in calls.values()], finish, usage)


REFEREES: dict[str, tuple[Referee, ...]] = {
    "ollama-chat": (view_of_ollama_chat,),
    "ollama-generate": (view_of_ollama_generate,),
    "openai-chat": (view_of_openai_chat, view_of_openai_chat_chunks),
    "openai-completions": (view_of_openai_completions,),
    "openai-responses": (view_of_openai_responses,),
    "anthropic": (view_of_anthropic,),
    "gemini": (view_of_gemini,),
    "ag-ui": (view_of_ag_ui,),
}
"""Who reads which dialect."""
