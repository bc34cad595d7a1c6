"""OpenAI's `/v1/responses` (openai-python `types/responses/response_create_params`). Pure.

Nothing is kept from one request to the next: any `previous_response_id` will do. The vendor's own tools (web search and
the like) are accepted and never called.
"""

from __future__ import annotations

from typing import Final

from mockserver.ask import Ask, Question, RefusedError, Tool
from mockserver.vendors.endpoint import Endpoint, Facts, Params
from mockserver.vendors.fields import Fields, Talk
from mockserver.vendors.openai import MANNER, check_sampling, reasoning_of, schema_of, tool_choice_of, tool_of
from streamkit.dialects.openai_responses_records import FAMILY

__all__ = ["ENDPOINTS"]

MIN_OUTPUT_TOKENS: Final = 16
"""OpenAI refuses less."""

IDLE_CHOICES: Final = ("auto", "none")
"""The choices that a response may make without tools; a chat may not."""

ECHOED: Final = (
    *("instructions", "max_output_tokens", "metadata", "parallel_tool_calls", "previous_response_id", "reasoning"),
    *("service_tier", "store", "temperature", "text", "tool_choice", "tools", "top_p", "truncation", "user"),
)
"""Fields of a request that its response repeats."""

ROLES: Final = ("assistant", "system", "developer", "user")


def read(question: Question, params: Params, facts: Facts) -> Ask:  # noqa: ARG001 - a row's form
    """Return what is asked.

    Raises:
        RefusedError: OpenAI would refuse the request.
    """
    body = MANNER.body_of(question)
    model = MANNER.model_of(body, facts)
    talk = talk_of(body)
    check_sampling(body)
    tools = tools_of(body)
    tool_choice = "auto"
    if tools or body.get("tool_choice") not in IDLE_CHOICES:
        tool_choice, tools = tool_choice_of(body, tools)
    reasoning, text = body.object("reasoning"), body.object("text")
    stream = bool(body.flag("stream"))
    if body.has("stream_options") and not stream:
        message = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        raise RefusedError(400, message, param="stream_options")
    return Ask(
        dialect="openai-responses",
        framing="sse",
        model=model,
        prompt=talk.prompt,
        prompt_tokens=talk.prompt_tokens,
        stream=stream,
        max_tokens=body.whole("max_output_tokens", MIN_OUTPUT_TOKENS),
        tools=tools,
        tool_choice=tool_choice,
        tools_answered=talk.tools_answered,
        reasoning=None if reasoning is None else reasoning_of(reasoning.text("effort")),
        schema=None if text is None else schema_of(text.object("format")),
        echoed={FAMILY + name: body.get(name) for name in ECHOED if body.has(name)},
    )


def talk_of(body: Fields) -> Talk:
    """Return what the instructions and the input say."""
    talk = Talk()
    talk.hear(body.text("instructions"))
    given = body.get("input")
    if given is None:
        if not any(map(body.has, ("previous_response_id", "prompt", "conversation"))):
            message = "One of \"input\" or \"previous_response_id\" or 'prompt' or 'conversation_id' must be provided."
            raise RefusedError(400, message, param="input", error_code="missing_required_parameter")
    elif isinstance(given, str):
        talk.hear(given, by_user=True)
    elif isinstance(given, list):
        for item in body.objects("input"):
            hear(item, talk)
    else:
        raise MANNER.wrong_type(body.at("input"), ("string", "array"), given)
    return talk


def hear(item: Fields, talk: Talk) -> None:
    """Take one item of the input: a message, which needs no type, a call, a call's result, or anything else."""
    kind = item.text("type", "message")
    if kind == "message":
        item.need("role", "content")
        role = item.word("role", ROLES)
        talk.hear(item.content("content"), by_user=role == "user")
    elif kind.endswith("_call_output"):
        item.need("call_id")
        # The output of a shell or a computer is an object, of which nothing is to be read here.
        output = item.get("output")
        talk.hear(item.content("output") if isinstance(output, (str, list)) else "", is_result=True)
    elif kind.endswith("_call"):
        talk.hear(item.text("arguments") + item.text("input"))


def tools_of(body: Fields) -> tuple[Tool, ...]:
    """Return the tools that the client has."""
    tools = []
    for each in body.objects("tools"):
        each.need("type")
        kind = each.text("type")
        if kind in {"function", "custom"}:
            tools.append(tool_of(kind, each))
    return tuple(tools)


ENDPOINTS: Final = tuple(
    Endpoint("POST", path, "openai-responses", read, "OpenAI's Responses.")
    for path in ("/v1/responses", "/responses", "/openai/v1/responses", "/openai/responses")
)
