"""A request to Anthropic's `/v1/messages` (anthropic-sdk-python `types/message_create_params`).

- `max_tokens` must be there: `DEFAULT_MAX_TOKENS` where the request has no bound, the least that every model allows,
  and what the thinking may take besides.
- Turns alternate: neighbours of one role become one message, and the results of tools are blocks of a user's, before
  what that user says. Texts without anything to see are left out, because Anthropic refuses them.
- Which form of `thinking` a model takes hangs on its name: from Claude 4.6 on `adaptive` with an effort, before that
  (and for other vendors' models behind this API) `enabled` with a number of tokens. It goes neither with a temperature
  of one's own nor with a forced tool, nor after a call that was made without it; then one of the two is dropped.
- From Claude 4.7 on a model refuses temperature, `top_p` and `top_k`, which are dropped; so is a temperature above 1.
- Ids of calls have letters, digits, `_` and `-` only, and none comes twice; those of others are rewritten so.
- The assistant's thoughts go back only with their signature, which Anthropic checks.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Final

from msgspec.structs import replace

from streamkit.dialects.request_messages import ChatMessage
from streamkit.dialects.request_parts import (
    arguments_of,
    document_of,
    effort_of,
    given,
    linked,
    model_named,
    offered,
    schema_of,
    system_apart,
    unplaced,
)
from streamkit.dialects.requests import ChatRequest, RequestDocument, Tool
from streamkit.errors import ConfigError

__all__ = ["BUDGET_TOKENS", "DEFAULT_MAX_TOKENS", "VERSION", "budget_tokens", "request_document"]

DEFAULT_MAX_TOKENS: Final = 4096

VERSION: Final = "2023-06-01"
"""The version of the API that all who have this API know. The only later one, 2026-10-21, takes no temperature, `top_p`
or `top_k` of any model."""

MIN_BUDGET_TOKENS: Final = 1024

BUDGET_TOKENS: Final[Mapping[str, int]] = {
    "minimal": MIN_BUDGET_TOKENS,
    "low": 4096,
    "medium": 8192,
    "high": 16_384,
    "xhigh": 32_768,
    "max": 32_768,
}

PLAIN_ID: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")
NOT_PLAIN: Final = re.compile(r"[^a-zA-Z0-9_-]")
MAX_BASE: Final = 48
"""How much of another vendor's id is kept; the rest is for a number."""

CLAUDE: Final = re.compile(r"claude-(?:[a-z]+-)?(\d{1,2})(?:[-.](\d{1,2}))?(?!\d)")

FIRST_ADAPTIVE: Final = (4, 6)
FIRST_UNSAMPLED: Final = (4, 7)

SAMPLING: Final = ("temperature", "top_p", "top_k")

MAX_TEMPERATURE: Final = 1
"""Others go up to 2."""

MIN_THINKING_TOP_P: Final = 0.95


def request_document(request: ChatRequest) -> RequestDocument:
    """Return the request.

    Raises:
        ConfigError: it has no model, nothing to say, a result without a call, or arguments that are no JSON object.
    """
    system, others, dropped = system_apart(with_plain_ids(linked(request.messages)))
    messages = list(turns_of(others))
    if not messages:
        msg = "messages: nobody says anything, and anthropic takes no empty message"
        raise ConfigError(msg)
    tools = offered(request)
    thinking, max_tokens, lost = thinking_of(request, others)
    dropped += lost
    unsampled = unplaced(request, *unsampled_of(request, thinking))
    dropped += unsampled
    config = config_of(request, thinking)
    body: dict[str, object] = {
        "model": model_named(request, "anthropic"),
        "max_tokens": max_tokens,
        **given(system=system),
        "messages": messages,
        **given(
            tools=[tool_of(tool) for tool in tools],
            tool_choice=tool_choice_of(request),
            **{name: getattr(request, name) for name in SAMPLING if name not in unsampled},
            stop_sequences=request.stop,
            thinking=thinking or None,
            output_config=config or None,
        ),
        "stream": request.stream,
    }
    dropped += unplaced(request, "seed", "frequency_penalty", "presence_penalty", "n")
    if request.response_format == "json":
        dropped.append("response_format")
    dropped += ["message.reasoning" for message in others if message.reasoning and not message.signature]
    return document_of(request, "/v1/messages", body, dropped, headers=[("anthropic-version", VERSION)])


def with_plain_ids(messages: list[ChatMessage]) -> list[ChatMessage]:
    """Return the messages with ids that Anthropic takes: of its letters, not too long, and each of one call only.

    An id of another form gets another one, and so does one that comes again: some servers count the calls of each
    answer anew. Every result has its call before it.
    """
    taken = {call.id for message in messages for call in message.tool_calls if PLAIN_ID.fullmatch(call.id)}
    unused, numbers = set(taken), Counter[str]()
    waiting: dict[tuple[str, str], deque[str]] = {}
    result = []
    for message in messages:
        if message.role == "tool":
            name = waiting[message.tool_call_id, message.tool_name].popleft()
            result.append(replace(message, tool_call_id=name))
            continue
        calls = []
        for call in message.tool_calls:
            name = call.id
            if name in unused:
                unused.remove(name)
            else:
                base = name = NOT_PLAIN.sub("_", name)[:MAX_BASE]
                while name in taken:
                    numbers[base] += 1
                    name = f"{base}_{numbers[base] + 1}"
                taken.add(name)
            waiting.setdefault((call.id, call.name), deque()).append(name)
            calls.append(replace(call, id=name))
        result.append(replace(message, tool_calls=calls))
    return result


def turns_of(messages: list[ChatMessage]) -> Iterator[dict[str, object]]:
    """Yield the messages with alternating roles."""
    spoken = filter(says_anything, messages)
    for is_assistant, group in groupby(spoken, key=lambda message: message.role == "assistant"):
        blocks = [block for message in group for block in blocks_of(message)]
        # Results have to come first. The sort is stable: nothing else changes its place.
        blocks.sort(key=lambda block: block["type"] != "tool_result")
        if len(blocks) == 1 and blocks[0]["type"] == "text":
            yield {"role": "assistant" if is_assistant else "user", "content": blocks[0]["text"]}
        else:
            yield {"role": "assistant" if is_assistant else "user", "content": blocks}


def says_anything(message: ChatMessage) -> bool:
    """Tell whether there is a block to write for a message."""
    return message.role == "tool" or bool(message.tool_calls or message.text.strip() or message.is_sealed)


def blocks_of(message: ChatMessage) -> Iterator[dict[str, object]]:
    """Yield the blocks of one message."""
    if message.role == "tool":
        yield {"type": "tool_result", "tool_use_id": message.tool_call_id, **given(content=message.text)}
        return
    if message.signature:
        yield {"type": "thinking", "thinking": message.reasoning, "signature": message.signature}
    elif message.encrypted:
        yield {"type": "redacted_thinking", "data": message.encrypted}
    if message.text.strip():
        yield {"type": "text", "text": message.text}
    for call in message.tool_calls:
        yield {"type": "tool_use", "id": call.id, "name": call.name, "input": arguments_of(call, "anthropic")}


def tool_of(tool: Tool) -> dict[str, object]:
    """Return one tool."""
    return {**given(name=tool.name, description=tool.description), "input_schema": schema_of(tool)}


def tool_choice_of(request: ChatRequest) -> dict[str, object] | None:
    """Return which tool has to be called, and whether one at a time."""
    if not request.tools:
        return None
    choice = request.tool_choice
    one: dict[str, object] = {"disable_parallel_tool_use": True} if request.parallel_tool_calls is False else {}
    if choice == "auto":
        return {"type": "auto", **one} if one else None
    if choice == "none":
        return {"type": "none"}
    return {"type": "any", **one} if choice == "required" else {"type": "tool", "name": choice, **one}


def thinking_of(request: ChatRequest, messages: list[ChatMessage]) -> tuple[dict[str, object], int, list[str]]:
    """Return `thinking` (empty where nothing is said), `max_tokens`, and what is dropped."""
    effort = effort_of(request)
    bound = request.max_tokens
    least = DEFAULT_MAX_TOKENS if bound is None else bound
    if effort is None:
        return {}, least, []
    if effort == "none":
        return {"type": "disabled"}, least, []
    is_forced = bool(request.tools) and request.tool_choice not in {"auto", "none"}
    if is_forced or is_in_plain_call(messages):
        return {}, least, ["reasoning"]
    if is_from(request.model, FIRST_ADAPTIVE):
        return {"type": "adaptive", "display": "summarized"}, least, []
    if bound is None:
        least += BUDGET_TOKENS[effort]
    elif bound <= MIN_BUDGET_TOKENS:
        return {}, least, ["reasoning"]
    return {"type": "enabled", "budget_tokens": budget_tokens(effort, least)}, least, []


def budget_tokens(effort: str, max_tokens: int) -> int:
    """Return how many of `max_tokens` the thinking may take: what the effort stands for, and what the answer leaves.

    An answer has half of the tokens, or `DEFAULT_MAX_TOKENS` where that is less.
    """
    rest = max(max_tokens // 2, max_tokens - DEFAULT_MAX_TOKENS)
    return min(BUDGET_TOKENS[effort], max(MIN_BUDGET_TOKENS, rest))


def is_in_plain_call(messages: list[ChatMessage]) -> bool:
    """Tell whether the results that come last are those of calls that were made without thinking."""
    for message in reversed(messages):
        if message.role == "assistant":
            return bool(message.tool_calls) and not message.is_sealed
        if message.role != "tool":
            return False
    return False


def is_from(model: str, first: tuple[int, int]) -> bool:
    """Tell whether a model is a Claude of version `first` or a later one; one that names no version is."""
    version = CLAUDE.search(model)
    if version is None:
        return "claude" in model
    return (int(version[1]), int(version[2] or 0)) >= first


def unsampled_of(request: ChatRequest, thinking: Mapping[str, object]) -> tuple[str, ...]:
    """Return which of the fields that say how tokens are drawn the model would refuse."""
    if is_from(request.model, FIRST_UNSAMPLED):
        return SAMPLING
    if thinking.get("type", "disabled") == "disabled":
        return ("temperature",) if (request.temperature or 0) > MAX_TEMPERATURE else ()
    return ("temperature", "top_k") if (request.top_p or 0) >= MIN_THINKING_TOP_P else SAMPLING


def config_of(request: ChatRequest, thinking: Mapping[str, object]) -> dict[str, object]:
    """Return `output_config`: how hard to think, and the schema of the answer."""
    config: dict[str, object] = {}
    form = request.response_format
    if thinking.get("type") == "adaptive" and isinstance(request.reasoning, str):
        config["effort"] = "low" if request.reasoning == "minimal" else request.reasoning
    if form is not None and form != "json":
        config["format"] = {"type": "json_schema", "schema": form.schema}
    return config
