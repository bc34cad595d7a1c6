"""OpenAI's `/v1/responses` (openai-python `types/responses/response_create_params`). Pure.

Nothing is kept from one request to the next, so what goes on from another response cannot be translated; who only plays
a server lets any `previous_response_id` do. The same holds for the vendor's own tools, web search and the like.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from streamkit.dialects.openai_responses_records import FAMILY
from streamkit.dialects.request_openai_responses import MIN_OUTPUT_TOKENS
from streamkit.dialects.requests import ChatMessage, ChatRequest, Tool
from streamkit.vendors.endpoint import Endpoint, Facts, Params
from streamkit.vendors.fields import Fields
from streamkit.vendors.openai import RESPONSES_MANNER, take_sampling
from streamkit.vendors.openai_items import Conversation
from streamkit.vendors.openai_tools import Form, effort_of, form_of, tool_choice_of, tool_of
from streamkit.vendors.question import Question, RefusedError
from streamkit.vendors.reading import Reading

__all__ = ["ENDPOINTS"]

MANNER: Final = RESPONSES_MANNER

IDLE_CHOICES: Final = ("auto", "none")
"""The choices that a response may make without tools; a chat may not."""

ECHOED: Final = (
    *("instructions", "max_output_tokens", "metadata", "parallel_tool_calls", "previous_response_id", "reasoning"),
    *("service_tier", "store", "temperature", "text", "tool_choice", "tools", "top_p", "truncation", "user"),
)
"""Fields of a request that its response repeats."""

EARLIER: Final = ("previous_response_id", "prompt", "conversation")
"""What a request may go on from instead of an input; nobody else has it."""

HARMLESS: Final = (
    *("user", "metadata", "client_metadata", "service_tier", "safety_identifier", "max_tool_calls", "image"),
    *("access_programs", "context_management"),
    *("prompt_cache_key", "prompt_cache_options", "prompt_cache_retention"),
)
"""Fields without which the answer is the same: for whom it is, what it costs, what only OpenAI's own tools heed, and
what makes a long conversation shorter."""

REFUSED: Final[Mapping[str, tuple[str, tuple[object, ...]]]] = {
    **dict.fromkeys(EARLIER, ("what an earlier request left with the server cannot be translated", ())),
    "background": ("an answer that is fetched later cannot be translated", (False,)),
    "background_options": ("an answer that is fetched later cannot be translated", ()),
    "top_logprobs": ("the probabilities of tokens cannot be translated", (0,)),
    "moderation": ("moderation cannot be translated", ()),
}
"""Fields without which the answer would be another, why they are refused, and which values of them ask for nothing."""

SEALED_THOUGHTS: Final = "reasoning.encrypted_content"
"""Comes without being asked for, wherever there is any."""

PROBABILITIES: Final = "message.output_text.logprobs"


def read(question: Question, params: Params, facts: Facts) -> Reading:  # noqa: ARG001 - a row's form
    """Return what is asked.

    Raises:
        RefusedError: OpenAI would refuse the request.
    """
    body = MANNER.body_of(question)
    model = MANNER.model_of(body, facts)
    request = ChatRequest(model=model, messages=messages_of(body))
    take_sampling(body, request)
    request.tools = tools_of(body)
    if request.tools or body.get("tool_choice") not in IDLE_CHOICES:
        request.tool_choice, request.tools = tool_choice_of(body, request.tools)
    request.parallel_tool_calls = body.flag("parallel_tool_calls")
    request.reasoning = reasoning_of(body.object("reasoning"))
    request.response_format = form_in(body.object("text"))
    request.stream = bool(body.flag("stream"))
    options = body.object("stream_options")
    if options is not None:
        if not request.stream:
            message = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
            raise RefusedError(400, message, param="stream_options")
        options.drop("include_obfuscation", usual=(False,))
        options.seal()
    request.max_tokens = body.whole("max_output_tokens", MIN_OUTPUT_TOKENS)
    echoed = {FAMILY + name: body.get(name) for name in ECHOED if body.has(name)}
    included = body.texts("include")
    if PROBABILITIES in included:
        body.refuse("include", "the probabilities of tokens cannot be translated")
    else:
        body.drop("include", usual=([], [SEALED_THOUGHTS]))
    body.drop("store", usual=(False,))
    body.drop("truncation", usual=("disabled",))
    body.drop(*HARMLESS)
    for name, (what, usual) in REFUSED.items():
        body.refuse(name, what, usual)
    body.seal()
    return Reading("openai-responses", "sse", request, tuple(body.leftovers), echoed)


def messages_of(body: Fields) -> list[ChatMessage]:
    """Return what the instructions and the input say."""
    talk = Conversation(is_whole=not any(map(body.has, EARLIER)))
    instructions = body.text("instructions")
    if instructions:
        talk.messages.append(ChatMessage("system", instructions))
    given = body.get("input")
    if given is None or given == []:
        if not any(map(body.has, EARLIER)):
            message = "One of \"input\" or \"previous_response_id\" or 'prompt' or 'conversation_id' must be provided."
            raise RefusedError(400, message, param="input", error_code="missing_required_parameter")
    elif isinstance(given, str):
        talk.messages.append(ChatMessage("user", given))
    elif isinstance(given, list):
        for item in body.objects("input"):
            talk.take(item)
    else:
        raise MANNER.wrong_type(body.at("input"), ("string", "array"), given)
    return talk.messages


def tools_of(body: Fields) -> list[Tool]:
    """Return the tools that the client has."""
    tools = []
    for each in body.objects("tools"):
        each.need("type")
        kind = each.text("type")
        if kind in {"function", "custom"}:
            tools.append(tool_of(kind, each))
        else:
            each.refuse_all(f"tools of type {kind[:64]!r}, which OpenAI's own server runs, cannot be translated")
    return tools


def reasoning_of(reasoning: Fields | None) -> bool | str | None:
    """Return whether the model is to think and to show it, or how hard it is to think.

    Who asks for a summary of it, and for the usual effort, says no more than yes: so a plain yes is written.
    """
    if reasoning is None:
        return None
    effort = effort_of(reasoning, "effort")
    is_shown = reasoning.has("summary") or reasoning.has("generate_summary")
    reasoning.drop("summary", "generate_summary", usual=("auto",))
    reasoning.drop("context")
    reasoning.refuse("mode", "a mode of thinking cannot be translated", ("standard",))
    reasoning.seal()
    return True if is_shown and effort == "medium" else effort


def form_in(text: Fields | None) -> Form:
    """Return what the answer has to fit."""
    if text is None:
        return None
    form = form_of(text.object("format"))
    text.drop("verbosity")
    text.seal()
    return form


ENDPOINTS: Final = tuple(
    Endpoint("POST", path, "openai-responses", read, "OpenAI's Responses.")
    for path in ("/v1/responses", "/responses", "/openai/v1/responses", "/openai/responses")
)
