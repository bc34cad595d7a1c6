"""Anthropic's `/v1/messages` (anthropic-sdk-python `types/message_create_params`), and its list of models. Pure.

The header `anthropic-version` is not asked for: others who speak this dialect do not send it. It decides whose list of
models `/v1/models` is.

How hard to think is an effort. A number of tokens is read as the effort that is given the nearest one, where an answer
has no more than `max_tokens`.
"""

from __future__ import annotations

from typing import Final

from streamkit.dialects.ollama import rfc3339
from streamkit.dialects.request_anthropic import BUDGET_TOKENS, budget_tokens
from streamkit.dialects.requests import ChatRequest, ResponseSchema, Tool
from streamkit.vendors.anthropic_manner import MANNER
from streamkit.vendors.anthropic_messages import messages_of
from streamkit.vendors.endpoint import Endpoint, Facts, Params
from streamkit.vendors.fields import Fields
from streamkit.vendors.neutral import forced
from streamkit.vendors.question import Question, RefusedError
from streamkit.vendors.reading import Leftover, Reading

__all__ = ["ENDPOINTS", "MANNER", "VERSION_HEADER"]

MIN_BUDGET_TOKENS: Final = 1024

EFFORTS: Final = ("low", "medium", "high", "xhigh", "max")

HARMLESS: Final = (
    *("metadata", "service_tier", "speed", "inference_geo", "cache_control", "diagnostics", "user_profile_id"),
    *("workspace_id", "betas", "billing_policy", "fallbacks", "fallback_credit_token"),
    *("context_management", "compaction"),
)
"""What is about the account, the bill and the machine; and what only makes the conversation shorter than it was sent,
which Claude Code asks for with every request."""

OWN: Final = ("container", "mcp_servers")
"""What happens on Anthropic's servers besides the answer."""

NO_THREADS: Final = "thread_unsupported_request"
"""The code by which Anthropic's SDKs know that they have to send the whole conversation instead, which they do."""


def read(question: Question, params: Params, facts: Facts) -> Reading:  # noqa: ARG001 - a row's form
    """Return what is asked.

    Raises:
        RefusedError: Anthropic would refuse the request.
    """
    body = MANNER.body_of(question)
    model = MANNER.model_of(body, facts)
    body.need("max_tokens")
    max_tokens = body.whole("max_tokens", 1)
    body.need("messages")
    messages, last = messages_of(body)
    temperature = body.number("temperature", 0, 1)
    top_p = body.number("top_p", 0, 1)
    top_k = body.whole("top_k", 0)
    tools = tools_of(body)
    tool_choice, tools, one_at_a_time = tool_choice_of(body, tools)
    thinking = thinking_of(body, max_tokens or 0)
    effort, form = config_of(body)
    request = ChatRequest(
        model=model,
        messages=messages,
        tools=tools,
        tool_choice=tool_choice,
        parallel_tool_calls=False if one_at_a_time else None,
        max_tokens=max_tokens,
        temperature=temperature,
        top_p=top_p,
        top_k=top_k,
        stop=list(body.texts("stop_sequences")),
        response_format=form,
        reasoning=False if thinking is False else effort or thinking,
        stream=bool(body.flag("stream")),
    )
    for name in OWN:
        body.refuse(name, "it happens on Anthropic's servers and cannot be translated", usual=([], {}))
    if body.get("thread") is not None:
        message = "thread: it happens on Anthropic's servers and cannot be translated"
        body.leftovers.append(Leftover(body.at("thread"), RefusedError(400, message, error_code=NO_THREADS)))
    body.drop(*HARMLESS)
    body.seal()
    return Reading("anthropic", "sse", request, tuple(body.leftovers), last=last)


def tools_of(body: Fields) -> list[Tool]:
    """Return the tools that the client describes; those that Anthropic has defined are noted as left over."""
    tools = []
    for each in body.objects("tools"):
        kind = each.text("type", "custom")
        if kind != "custom":
            each.refuse_all(f"a tool of type '{kind[:64]}' is Anthropic's own and cannot be translated")
            continue
        each.need("input_schema")
        schema = each.object("input_schema")
        name = each.named("name")
        tools.append(Tool(name, each.text("description"), {} if schema is None else dict(schema.value)))
        callers = "only the model itself can call tools, which cannot be translated otherwise"
        each.refuse("allowed_callers", callers, usual=([], ["direct"]))
        each.drop("cache_control", "eager_input_streaming", "input_examples")
        each.drop("strict", "defer_loading", usual=(False,))
        each.seal()
    return tools


def tool_choice_of(body: Fields, tools: list[Tool]) -> tuple[str, list[Tool], bool]:
    """Return which tool has to be called, which may be, and whether only one at a time may be."""
    choice = body.object("tool_choice")
    if choice is None:
        return "auto", tools, False
    choice.need("type")
    kind = choice.word("type", ("auto", "any", "tool", "none"))
    one_at_a_time = bool(choice.flag("disable_parallel_tool_use"))
    if kind == "any" and not body.get("tools"):
        raise RefusedError(400, "tool_choice.any may only be specified while providing tools")
    choice_name = {"any": "required"}.get(kind, kind)
    if kind == "tool":
        name = choice.named("name")
        if name not in {tool.name for tool in tools}:
            raise RefusedError(400, f"Tool '{name}' not found in provided tools")
        choice_name, tools = forced(name, tools)
    choice.seal()
    return choice_name, tools, one_at_a_time


def thinking_of(body: Fields, max_tokens: int) -> bool | str | None:
    """Return whether the model is to think, or how hard."""
    thinking = body.object("thinking")
    if thinking is None:
        return None
    thinking.need("type")
    kind = thinking.word("type", ("enabled", "disabled", "adaptive", "between_tools"))
    effort: bool | str = kind != "disabled"
    if kind == "enabled":
        thinking.need("budget_tokens")
        budget = thinking.whole("budget_tokens", MIN_BUDGET_TOKENS) or 0
        if budget >= max_tokens:
            raise RefusedError(400, "`max_tokens` must be greater than `thinking.budget_tokens`.")
        effort = min(BUDGET_TOKENS, key=lambda name: abs(budget_tokens(name, max_tokens) - budget))
    thinking.drop("display", usual=("summarized",))
    thinking.seal()
    return effort


def config_of(body: Fields) -> tuple[str, ResponseSchema | None]:
    """Return how hard to think, and the schema that the answer has to fit, whose older place is `output_format`."""
    config = body.object("output_config")
    effort, form = "", None
    if config is not None:
        effort = config.word("effort", EFFORTS)
        form = config.object("format")
        config.drop("task_budget")
        config.seal()
    form = form or body.object("output_format")
    if form is None:
        return effort, None
    form.need("type")
    form.word("type", ("json_schema",))
    form.need("schema")
    schema = form.object("schema")
    form.seal()
    return effort, None if schema is None else ResponseSchema(dict(schema.value))


def count(question: Question, params: Params, facts: Facts) -> object:  # noqa: ARG001 - a row's form
    """Return how many tokens a request has.

    Raises:
        RefusedError: Anthropic would refuse the request, or the server cannot count.
    """
    if facts.count_tokens is None:
        raise RefusedError(404, "this server cannot count tokens")
    body = MANNER.body_of(question)
    MANNER.model_of(body, facts)
    body.need("messages")
    messages, _ = messages_of(body)
    return {"input_tokens": sum(facts.count_tokens(message.text) for message in messages)}


def models(question: Question, params: Params, facts: Facts) -> object:  # noqa: ARG001 - a row's form
    """Return the list of models."""
    listed = [model_object(name, facts) for name in facts.listed]
    first, last = (facts.listed[0], facts.listed[-1]) if facts.listed else (None, None)
    return {"data": listed, "has_more": False, "first_id": first, "last_id": last}


def model(question: Question, params: Params, facts: Facts) -> object:  # noqa: ARG001 - a row's form
    """Return one model.

    Raises:
        RefusedError: there is no such model.
    """
    name = params["model"]
    if not facts.knows(name):
        raise MANNER.unknown_model(name)
    return model_object(name, facts)


def model_object(name: str, facts: Facts) -> dict[str, object]:
    """Return a model as a list of them has it."""
    created = rfc3339(facts.created_ns)
    return {"type": "model", "id": name, "display_name": name, "created_at": created, "lifecycle": "active"}


VERSION_HEADER: Final = "anthropic-version"

ENDPOINTS: Final = (
    Endpoint("POST", "/v1/messages", "anthropic", read, "Anthropic's Messages."),
    Endpoint(
        "POST", "/v1/messages/count_tokens", "anthropic", count, "How many tokens such a request has.", kind="count"
    ),
    Endpoint("GET", "/v1/models", "anthropic", models, "Anthropic's list of models.", VERSION_HEADER, "models"),
    Endpoint("GET", "/v1/models/{model*}", "anthropic", model, "One of them.", VERSION_HEADER, "models"),
)
