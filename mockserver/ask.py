"""What of a request shapes a mock answer. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from mockserver.tokens import count_tokens
from streamkit.dialects.requests import ChatRequest, ResponseSchema, Tool
from streamkit.vendors.reading import Reading

__all__ = ["Ask", "ask_of"]

CALLS_COUNTED: Final = frozenset({"openai-responses"})
"""Dialects in which the arguments of earlier calls count among the prompt's tokens."""

PROMPTS_APART: Final = frozenset({"openai-completions"})
"""Dialects whose messages are no conversation: the last is answered, even if there is nothing to read in it."""

ONLY_NAMED: Final = frozenset({"gemini"})
"""Dialects in which a tool that has to be called is the only one that is there."""


@dataclass(frozen=True)
class Ask:
    """What is asked for.

    Attributes:
        dialect: the name of the dialect to answer in.
        framing: one of that dialect's framings.
        model: the model's name as the client wrote it.
        prompt: the text of the last thing that the user said.
        prompt_tokens: how many tokens all of the request's text has, as `mockserver.tokens` counts.
        stream: whether the answer is streamed or one document.
        max_tokens: the most tokens that may be answered, or None.
        include_usage: whether a stream is to tell its token counts.
        tools: what may be called.
        tool_choice: "auto", "none", "required", or the name of the one tool that has to be called.
        tools_answered: whether the request's last message is the result of a tool call.
        choices: how many answers are wanted.
        stop: texts that end the answer.
        reasoning: whether the client asked to see the model think; None where it did not say.
        schema: the JSON Schema that the answer has to fit; an empty one for any JSON object, None for a text.
        echoed: what the start of the answer repeats of the request: `extra` of its `Start`.
    """

    dialect: str
    framing: str
    model: str = ""
    prompt: str = ""
    prompt_tokens: int = 0
    stream: bool = True
    max_tokens: int | None = None
    include_usage: bool = True
    tools: tuple[Tool, ...] = ()
    tool_choice: str = "auto"
    tools_answered: bool = False
    choices: int = 1
    stop: tuple[str, ...] = ()
    reasoning: bool | None = None
    schema: Mapping[str, object] | None = None
    echoed: Mapping[str, object] = field(default_factory=dict)


def ask_of(reading: Reading) -> Ask:
    """Return what is asked: the conversation is only counted, and its last question kept."""
    request, dialect = reading.request, reading.dialect
    form = request.response_format
    tool_choice, tools = request.tool_choice, tuple(request.tools)
    if dialect in ONLY_NAMED and any(tool.name == tool_choice for tool in tools):
        tool_choice, tools = "required", tuple([tool for tool in tools if tool.name == tool_choice])
    return Ask(
        dialect=dialect,
        framing=reading.framing,
        model=request.model,
        prompt=prompt_of(request, dialect),
        prompt_tokens=tokens_of(request, dialect) + count_tokens(reading.aside) + reading.token_ids,
        stream=request.stream,
        max_tokens=request.max_tokens,
        include_usage=request.include_usage,
        tools=tools,
        tool_choice=tool_choice,
        tools_answered=any(each.role == "tool" for each in request.messages[len(request.messages) - reading.last :]),
        choices=request.n or 1,
        stop=tuple(request.stop),
        reasoning=None if request.reasoning is None else request.reasoning not in {False, "none"},
        schema={} if form == "json" else form.schema if isinstance(form, ResponseSchema) else None,
        echoed=reading.echoed,
    )


def prompt_of(request: ChatRequest, dialect: str) -> str:
    """Return the text of the last thing that the user said."""
    if dialect in PROMPTS_APART:
        return request.messages[-1].text
    return next((each.text for each in reversed(request.messages) if each.role == "user" and each.text), "")


def tokens_of(request: ChatRequest, dialect: str) -> int:
    """Return how many tokens the conversation has."""
    tokens = sum([count_tokens(message.text) for message in request.messages])
    if dialect in CALLS_COUNTED:
        tokens += sum([count_tokens(call.arguments) for message in request.messages for call in message.tool_calls])
    return tokens
