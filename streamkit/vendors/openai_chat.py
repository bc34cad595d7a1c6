"""OpenAI's `/v1/chat/completions` (openai-python `types/chat/completion_create_params`), and Azure's. Pure.

What compatible servers add is read where there is a neutral word for it: `top_k`, OpenRouter's `reasoning`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from streamkit.dialects.requests import ChatRequest, Tool
from streamkit.vendors.endpoint import Endpoint, Facts, Params
from streamkit.vendors.fields import Fields
from streamkit.vendors.neutral import forced
from streamkit.vendors.openai import MANNER, take_draws, take_sampling
from streamkit.vendors.openai_messages import messages_of
from streamkit.vendors.openai_tools import effort_of, form_of, tool_choice_of, tool_of
from streamkit.vendors.question import Question, RefusedError
from streamkit.vendors.reading import Reading

__all__ = ["COMPATIBLE", "ENDPOINTS", "include_usage_of", "stop_of"]

HARMLESS: Final = (
    *("user", "metadata", "service_tier", "safety_identifier", "verbosity"),
    *("prompt_cache_key", "prompt_cache_options", "prompt_cache_retention"),
)
"""Fields without which the answer is the same: for whom it is, what it costs, and how long it would rather be."""

COMPATIBLE: Final = (
    *("min_p", "top_a", "typical_p", "repetition_penalty", "repeat_penalty", "repeat_last_n", "skip_special_tokens"),
    *("enable_thinking", "thinking", "chat_template_kwargs"),
    *("provider", "models", "route", "transforms", "usage", "include_reasoning", "session_id", "cache_prompt"),
)
"""Such fields of compatible servers (vLLM, llama.cpp, OpenRouter). OpenAI's own would refuse them, and clients that are
set up for the others send them with every request. They tune how tokens are drawn, thinking, or whom a router asks."""

REFUSED: Final[Mapping[str, tuple[str, tuple[object, ...]]]] = {
    "logit_bias": ("tokens of another model have other numbers", ({},)),
    "logprobs": ("the probabilities of tokens cannot be translated", (False,)),
    "top_logprobs": ("the probabilities of tokens cannot be translated", (0,)),
    "prediction": ("a predicted answer cannot be translated", ()),
    "modalities": ("answers that are no text cannot be translated", (["text"],)),
    "audio": ("answers that are no text cannot be translated", ()),
    "web_search_options": ("searching the web cannot be translated", ()),
    "moderation": ("moderation cannot be translated", ()),
}
"""Fields without which the answer would be another, why they are refused, and which values of them ask for nothing."""


def read(question: Question, params: Params, facts: Facts) -> Reading:
    """Return what is asked.

    Raises:
        RefusedError: OpenAI would refuse the request.
    """
    body = MANNER.body_of(question)
    model = MANNER.model_of(body, facts, params.get("deployment", ""))
    body.need("messages")
    request = ChatRequest(model=model, messages=messages_of(body))
    take_sampling(body, request)
    take_draws(body, request)
    tools = tools_of(body)
    choose = tool_choice_of if body.has("tool_choice") else function_call_of
    request.tool_choice, request.tools = choose(body, tools)
    request.parallel_tool_calls = body.flag("parallel_tool_calls")
    request.stream = bool(body.flag("stream"))
    request.include_usage = include_usage_of(body, stream=request.stream)
    request.max_tokens = max_tokens_of(body)
    request.n = body.whole("n", 1, 128)
    request.stop = stop_of(body)
    request.reasoning = reasoning_of(body)
    request.response_format = form_of(body.object("response_format"), "json_schema")
    body.drop("store", usual=(False,))
    body.drop(*HARMLESS, *COMPATIBLE)
    for name, (what, usual) in REFUSED.items():
        body.refuse(name, what, usual)
    body.seal()
    echoed = {"openai.usage": None} if request.include_usage and request.stream else {}
    return Reading("openai-chat", "sse", request, tuple(body.leftovers), echoed)


def tools_of(body: Fields) -> list[Tool]:
    """Return the tools, of their older form too, in which they were called functions."""
    tools = []
    for each in body.objects("tools"):
        each.need("type")
        kind = each.word("type", ("function", "custom"))
        each.need(kind)
        tools.append(tool_of(kind, each.object(kind) or each))
        each.seal()
    return [*tools, *[tool_of("function", each) for each in body.objects("functions")]]


def function_call_of(body: Fields, tools: list[Tool]) -> tuple[str, list[Tool]]:
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
    return forced(name, tools)


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
    wanted = bool(options.flag("include_usage"))
    options.drop("include_obfuscation", usual=(False,))
    options.seal()
    return wanted


def stop_of(body: Fields) -> list[str]:
    """Return the texts that end the answer."""
    stop = body.texts("stop", or_one=True)
    if len(stop) > 4:
        message = (
            "Invalid 'stop': array too long. Expected an array with maximum length 4, but got an array with length "
            f"{len(stop)} instead."
        )
        raise RefusedError(400, message, param="stop", error_code="array_above_max_length")
    return list(stop)


def reasoning_of(body: Fields) -> bool | str | None:
    """Return whether the client wants the model to think: as OpenAI has it, or as OpenRouter has it."""
    effort = effort_of(body, "reasoning_effort")
    reasoning = body.object("reasoning")
    if reasoning is None:
        return effort
    effort = effort_of(reasoning, "effort") or effort
    enabled = reasoning.flag("enabled")
    reasoning.drop("max_tokens", "summary")
    reasoning.drop("exclude", usual=(False,))
    reasoning.seal()
    if enabled is False:
        return False
    return True if enabled and effort in {None, "none"} else effort


ENDPOINTS: Final = tuple(
    Endpoint("POST", path, "openai-chat", read, "OpenAI's chat completions.")
    for path in (
        "/v1/chat/completions",
        "/chat/completions",
        "/openai/v1/chat/completions",
        "/openai/deployments/{deployment}/chat/completions",
    )
)
