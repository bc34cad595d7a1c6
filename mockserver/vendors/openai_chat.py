"""OpenAI's `/v1/chat/completions` (openai-python `types/chat/completion_create_params`), and Azure's. Pure."""

from __future__ import annotations

from typing import Final

from mockserver.ask import Ask, Question, RefusedError, Tool
from mockserver.vendors.endpoint import Endpoint, Facts, Params
from mockserver.vendors.fields import Fields, Talk
from mockserver.vendors.openai import MANNER, check_sampling, reasoning_of, schema_of, tool_choice_of, tool_of

__all__ = ["ENDPOINTS", "include_usage_of"]

ROLES: Final = ("system", "assistant", "user", "function", "tool", "developer")


def read(question: Question, params: Params, facts: Facts) -> Ask:
    """Return what is asked.

    Raises:
        RefusedError: OpenAI would refuse the request.
    """
    body = MANNER.body_of(question)
    model = MANNER.model_of(body, facts, params.get("deployment", ""))
    body.need("messages")
    talk = talk_of(body)
    check_sampling(body)
    tools = tools_of(body)
    tool_choice, tools = tool_choice_of(body, tools) if body.has("tool_choice") else function_call_of(body, tools)
    stream = bool(body.flag("stream"))
    include_usage = include_usage_of(body, stream=stream)
    return Ask(
        dialect="openai-chat",
        framing="sse",
        model=model,
        prompt=talk.prompt,
        prompt_tokens=talk.prompt_tokens,
        stream=stream,
        max_tokens=max_tokens_of(body),
        include_usage=include_usage,
        tools=tools,
        tool_choice=tool_choice,
        tools_answered=talk.tools_answered,
        choices=body.whole("n", 1, 128) or 1,
        stop=stop_of(body),
        reasoning=reasoning_asked(body),
        schema=schema_of(body.object("response_format"), "json_schema"),
        echoed={"openai.usage": None} if include_usage and stream else {},
    )


def talk_of(body: Fields) -> Talk:
    """Return what the messages say."""
    messages = body.objects("messages")
    if not messages:
        raise MANNER.empty(body.at("messages"))
    talk = Talk()
    for message in messages:
        message.need("role")
        role = message.word("role", ROLES)
        if role != "assistant":  # whose content may be null, because it has called tools
            message.need("content")
        is_result = role in {"tool", "function"}
        if role == "tool":
            message.need("tool_call_id")
        talk.hear(message.content("content"), by_user=role == "user", is_result=is_result)
    return talk


def tools_of(body: Fields) -> tuple[Tool, ...]:
    """Return the tools, of their older form too, in which they were called functions."""
    tools = []
    for each in body.objects("tools"):
        each.need("type")
        kind = each.word("type", ("function", "custom"))
        each.need(kind)
        tools.append(tool_of(kind, each.object(kind) or each))
    return (*tools, *(tool_of("function", each) for each in body.objects("functions")))


def function_call_of(body: Fields, tools: tuple[Tool, ...]) -> tuple[str, tuple[Tool, ...]]:
    """Return what the older form of `tool_choice` says."""
    if not isinstance(body.get("function_call"), dict):
        return body.word("function_call", ("none", "auto"), "auto"), tools
    named = body.object("function_call")
    name = "" if named is None else named.text("name")
    if name not in {each.name for each in tools}:
        message = (
            f"Invalid value for 'function_call': no function named '{name}' was specified in the 'functions' parameter."
        )
        raise RefusedError(400, message, param="function_call")
    return name, tools


def max_tokens_of(body: Fields) -> int | None:
    """Return how many tokens may be answered, reasoning included."""
    old, new = body.whole("max_tokens", 1), body.whole("max_completion_tokens", 1)
    if old is not None and new is not None:
        message = "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported."
        raise RefusedError(400, message, error_code="invalid_parameter_combination")
    return old if new is None else new


def include_usage_of(body: Fields, *, stream: bool) -> bool:
    """Return whether token counts are wanted; an answer that is not streamed always has them."""
    options = body.object("stream_options")
    if options is None:
        return not stream
    if not stream:
        message = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        raise RefusedError(400, message, param="stream_options")
    return bool(options.flag("include_usage"))


def stop_of(body: Fields) -> tuple[str, ...]:
    """Return the texts that end the answer."""
    stop = body.texts("stop", or_one=True)
    if len(stop) > 4:
        message = (
            "Invalid 'stop': array too long. Expected an array with maximum length 4, but got an array with length "
            f"{len(stop)} instead."
        )
        raise RefusedError(400, message, param="stop", error_code="array_above_max_length")
    return stop


def reasoning_asked(body: Fields) -> bool | None:
    """Return whether the client wants the model to think: as OpenAI has it, or as OpenRouter has it."""
    effort = body.text("reasoning_effort")
    reasoning = body.object("reasoning")
    if reasoning is None:
        return reasoning_of(effort)
    enabled = reasoning.flag("enabled")
    return reasoning_of(reasoning.text("effort") or effort) if enabled is None else enabled


ENDPOINTS: Final = tuple(
    Endpoint("POST", path, "openai-chat", read, "OpenAI's chat completions.")
    for path in (
        "/v1/chat/completions",
        "/chat/completions",
        "/openai/v1/chat/completions",
        "/openai/deployments/{deployment}/chat/completions",
    )
)
