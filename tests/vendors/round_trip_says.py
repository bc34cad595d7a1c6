"""What each dialect can say of a request, told by hand: what is left of one that was written in it, and what is named.

A row of `SAYS` has what there is no word for in a dialect, and how a conversation looks that went through it. `normal`
makes one request of those that mean the same to everybody.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

import msgspec

from streamkit.codecs.jsontext import encode_value
from streamkit.dialects.request_anthropic import DEFAULT_MAX_TOKENS, budget_tokens
from streamkit.dialects.request_parts import arguments_of, conversation_id, linked, object_of, schema_of
from streamkit.dialects.requests import EFFORTS, ChatMessage, ChatRequest, RequestDocument, ResponseSchema, ToolCall

__all__ = ["normal", "projected"]

replace = msgspec.structs.replace

Shape = Callable[[list[ChatMessage]], list[ChatMessage]]


def normal(request: ChatRequest) -> ChatRequest:
    """Return the request in one of the forms that mean the same.

    - A result tells both its call's id and its tool's name, and calls without an id have got one.
    - Arguments are the text of an object, without spaces; no text is an empty object.
    - A tool's schema is that of an object.
    - Without tools there is nothing to choose; and nothing to call at once where none may be called.
    - One answer is what all give, and "none" is another word for no thinking.
    """
    calls = bool(request.tools) and request.tool_choice != "none"
    return replace(
        request,
        messages=[
            replace(message, tool_calls=[replace(call, arguments=spaceless(call)) for call in message.tool_calls])
            for message in linked(request.messages)
        ],
        tools=[replace(tool, parameters=schema_of(tool)) for tool in request.tools],
        tool_choice=request.tool_choice if request.tools else "auto",
        parallel_tool_calls=False if calls and request.parallel_tool_calls is False else None,
        n=None if request.n == 1 else request.n,
        reasoning=False if request.reasoning == "none" else request.reasoning,
    )


def spaceless(call: ToolCall) -> str:
    return encode_value(arguments_of(call, "")).decode()


# Shapes of conversations


def joined(begins: Callable[[ChatMessage, ChatMessage], bool], *, in_lines: bool = False) -> Shape:
    """Return how neighbours become one message, unless the second of them `begins` one of its own.

    Their texts are blocks of it; where they are read `in_lines`, those of the user's are kept apart.
    """

    def shape(messages: list[ChatMessage]) -> list[ChatMessage]:
        said: list[ChatMessage] = []
        for message in messages:
            before = said[-1] if said else None
            if before is None or before.role != message.role or begins(before, message):
                said.append(message)
                continue
            said[-1] = replace(
                before,
                text=before.text + (seam(before, message) if in_lines else "") + message.text,
                tool_calls=before.tool_calls + message.tool_calls,
                reasoning=before.reasoning + message.reasoning,
                signature=before.signature or message.signature,
                encrypted=before.encrypted or message.encrypted,
            )
        return said

    return shape


def seam(before: ChatMessage, message: ChatMessage) -> str:
    is_open = before.text and message.text and not before.text[-1].isspace()
    return "\n" if message.role == "user" and is_open and not message.text[0].isspace() else ""


def is_empty(message: ChatMessage) -> bool:
    return message.role != "tool" and message == ChatMessage(message.role)


def system_first(messages: list[ChatMessage]) -> list[ChatMessage]:
    """Return them with all that the system says in one message at the start, and without anything empty."""
    said = "\n\n".join(message.text for message in messages if message.role == "system" and message.text.strip())
    others = [message for message in messages if message.role != "system"]
    return [*([ChatMessage("system", said)] if said else []), *others]


def as_anthropic(messages: list[ChatMessage]) -> list[ChatMessage]:
    """Turns alternate, texts without anything to see are left out, and a seal begins a message."""
    seen = [
        message if message.text.strip() or message.role == "tool" else replace(message, text="")
        for message in system_first(messages)
    ]
    begins = joined(lambda _, message: message.role == "tool" or message.is_sealed, in_lines=True)
    return begins([message for message in seen if not is_empty(message)])


def as_gemini(messages: list[ChatMessage]) -> list[ChatMessage]:
    """Neighbours are one content, empty messages no part of it; results are objects."""
    begins = joined(
        lambda before, message: (
            message.role == "tool" or bool(before.signature and (message.signature or message.reasoning))
        ),
        in_lines=True,
    )
    told = begins([message for message in system_first(messages) if not is_empty(message)])
    return [as_object(message, unwrapped=True) if message.role == "tool" else message for message in told]


def as_responses(messages: list[ChatMessage]) -> list[ChatMessage]:
    """The system's texts at the start are instructions. Thoughts and calls are items, and join what is beside them."""
    first = next(number for number, message in enumerate(messages) if message.role != "system")
    start = "\n\n".join(message.text for message in messages[:first] if message.text)

    def begins(before: ChatMessage, message: ChatMessage) -> bool:
        if message.role != "assistant" or message.is_sealed:
            return True
        only_thought = before.is_sealed and not before.text and not before.tool_calls
        return not only_thought and bool(message.text or not message.tool_calls)

    return [*([ChatMessage("system", start)] if start else []), *joined(begins)(messages[first:])]


def as_vercel(messages: list[ChatMessage]) -> list[ChatMessage]:
    """A result is in the part of its call, so it comes in its place; objects are objects."""
    results = {message.tool_call_id: as_object(message) for message in messages if message.role == "tool"}
    return [
        each
        for message in messages
        if message.role != "tool"
        for each in (message, *[results[call.id] for call in message.tool_calls if call.id in results])
    ]


def as_prompt(messages: list[ChatMessage]) -> list[ChatMessage]:
    """The system's text, and one prompt."""
    system = [message for message in system_first(messages) if message.role == "system"]
    prompt = "\n\n".join(message.text for message in messages if message.role == "user" and message.text)
    return [*system, ChatMessage("user", prompt)]


def as_one_text(messages: list[ChatMessage]) -> list[ChatMessage]:
    """All in one prompt."""
    return [ChatMessage("user", "\n\n".join(message.text for message in as_prompt(messages)))]


def as_object(message: ChatMessage, *, unwrapped: bool = False) -> ChatMessage:
    """Return a result whose text is an object's without spaces; Google's `output` is the text in it."""
    value = object_of(message.text)
    if value is None:
        return message
    output = value.get("output")
    if unwrapped and value.keys() == {"output"} and isinstance(output, str):
        return replace(message, text=output)
    return replace(message, text=encode_value(value).decode())


# What is left behind


@dataclass(frozen=True)
class Says:
    """What a dialect can say.

    Attributes:
        unsaid: fields that there is no word for.
        perhaps: fields that not every model takes, nor beside every other; the writer's own tests say when.
        thoughts: the seals without which a message's thoughts stay behind; None where they all do.
        seals: those that go along; of "one", there is one kind, which is read as encrypted.
        efforts: what becomes of an effort that there is no word for.
        picks: whether there is no choice of tools, so that those which must not be called stay behind.
        moves: what is named where a system's text is not at the start (`system.place`), or anywhere (`system.role`).
        has_ids: whether a conversation has an id.
        has_usage: whether token counts in a stream are a choice.
        has_names: whether the schema of an answer has a name.
        shape: what becomes of the conversation.
    """

    unsaid: frozenset[str] = frozenset()
    perhaps: tuple[str, ...] = ()
    thoughts: tuple[str, ...] | None = None
    seals: Literal["none", "signature", "one", "both"] = "none"
    efforts: Mapping[bool | str, bool | str | None] = field(default_factory=dict)
    picks: bool = False
    moves: str = ""
    has_ids: bool = False
    has_usage: bool = False
    has_names: bool = False
    shape: Shape = list


def projected(dialect: str, request: ChatRequest, document: RequestDocument) -> tuple[ChatRequest, set[str]]:
    """Return what a dialect can say of a request, and the names of the rest; `document` is only asked for `perhaps`."""
    says, usual, left = SAYS[dialect], ChatRequest(messages=[]), normal(request)
    asked = left.reasoning
    unsaid = [*says.unsaid, *[name for name in says.perhaps if name in document.dropped]]
    if dialect == "anthropic" and left.response_format == "json":
        unsaid.append("response_format")  # it has schemas only
    named = {name for name in unsaid if getattr(left, name) != getattr(usual, name)}
    for name in unsaid:
        setattr(left, name, getattr(usual, name))
    if says.picks:
        named |= pick(left)
    named |= moved(left.messages, says.moves)
    left.messages = says.shape(carried(left.messages, says, named))
    left.id = conversation_id(request) if says.has_ids else ""
    left.include_usage = left.include_usage or not (says.has_usage and left.stream)
    if isinstance(left.response_format, ResponseSchema) and not says.has_names:
        left.response_format = ResponseSchema(left.response_format.schema)
    if left.reasoning is not None:
        left.reasoning = says.efforts.get(left.reasoning, left.reasoning)
    if dialect in {"openai-chat", "openai-responses"} and asked is not None:
        left.reasoning = OPENAIS_EFFORTS.get(left.model, CLIPPED).get(asked, None if isinstance(asked, bool) else asked)
        if dialect == "openai-responses" and asked is True and left.model != "gpt-4o":
            left.reasoning = True  # thoughts are shown there, so yes has a word
    if dialect.startswith("ollama") and isinstance(left.reasoning, str):
        left.reasoning = True  # no model that is drawn has levels
    if dialect == "anthropic":
        bound(left, document)
        left.messages = [with_plain_ids(message) for message in left.messages]
    return left, named


def with_plain_ids(message: ChatMessage) -> ChatMessage:
    """Return the message with ids that Anthropic takes; none that are drawn become the same."""
    calls = [replace(call, id=re.sub(r"[^\w-]", "_", call.id, flags=re.ASCII)) for call in message.tool_calls]
    return replace(message, tool_calls=calls, tool_call_id=re.sub(r"[^\w-]", "_", message.tool_call_id, flags=re.ASCII))


def pick(left: ChatRequest) -> set[str]:
    """Leave only the tools that may be called, and return what has to be named."""
    choice, left.tool_choice = left.tool_choice, "auto"
    if choice == "none":
        left.tools = []
    if choice in {"none", "auto"}:
        return set()
    if choice != "required":
        left.tools = [tool for tool in left.tools if tool.name == choice]
    return {"tool_choice"}


def moved(messages: list[ChatMessage], moves: str) -> set[str]:
    """Return what has to be named of the places of the system's texts."""
    placed = messages if moves == "system.role" else messages[len(messages) - len(later(messages)) :]
    found = any(message.role == "system" and message.text.strip() for message in placed)
    return {moves} if moves and found else set()


def later(messages: list[ChatMessage]) -> list[ChatMessage]:
    """Return the messages from the first that is not the system's."""
    first = next(number for number, message in enumerate(messages) if message.role != "system")
    return messages[first:]


def carried(messages: list[ChatMessage], says: Says, named: set[str]) -> list[ChatMessage]:
    """Return the messages with the thoughts and seals that go along; one that was nothing else goes altogether."""
    left = []
    for message in messages:
        kept = replace(message)
        if says.thoughts is None or (says.thoughts and not any(getattr(message, seal) for seal in says.thoughts)):
            kept.reasoning = ""
        if says.seals == "one":
            kept.encrypted, kept.signature = message.encrypted or message.signature, ""
        elif says.seals != "both":
            kept.encrypted = ""
            kept.signature = message.signature if says.seals == "signature" else ""
        if kept.reasoning != message.reasoning:
            named.add("message.reasoning")
        if message.is_sealed and not kept.is_sealed:
            named.add("message.signature")
        if is_empty(message) or not is_empty(kept):
            left.append(kept)
    return left


def bound(left: ChatRequest, document: RequestDocument) -> None:
    """Set what Anthropic wants a bound for.

    There has to be one on the answer. An older model's thinking has one too, and no effort: what comes back is the
    least effort that has the same.
    """
    assert isinstance(document.body, dict)
    thinking = document.body.get("thinking", {})
    if left.max_tokens is None:
        left.max_tokens = document.body["max_tokens"]
        assert left.max_tokens == DEFAULT_MAX_TOKENS + thinking.get("budget_tokens", 0)
    if thinking.get("type") == "enabled":
        effort = left.reasoning if isinstance(left.reasoning, str) else "medium"
        tokens = budget_tokens(effort, left.max_tokens)
        assert thinking["budget_tokens"] == tokens
        left.reasoning = next(each for each in EFFORTS[1:] if budget_tokens(each, left.max_tokens) == tokens)
    elif left.reasoning == "minimal":
        left.reasoning = "low"


SAMPLING: Final = ("temperature", "top_p", "top_k")
PENALTIES: Final = ("frequency_penalty", "presence_penalty")
AGENTS: Final = frozenset(
    {*SAMPLING, *PENALTIES, "max_tokens", "seed", "stop", "n", "response_format", "reasoning", "stream"}
)
"""What an agent decides for itself."""

NO_TOOLS: Final = frozenset({"parallel_tool_calls"})

CLIPPED: Final[Mapping[bool | str, bool | str | None]] = {"minimal": "low", "xhigh": "high", "max": "high"}
OPENAIS_EFFORTS: Final[Mapping[str, Mapping[bool | str, bool | str | None]]] = {
    "gpt-5-mini": {False: "minimal", "xhigh": "high", "max": "high"},
    "o3": {**CLIPPED, False: "low"},
    "gpt-4o": dict.fromkeys((True, False, *EFFORTS)),
}
"""What becomes of an effort for those of OpenAI's models that think, and for one that does not."""

SEALED: Final = ("signature", "encrypted")
ALWAYS: Final = ()

SAYS: Final[Mapping[str, Says]] = {
    "openai-chat": Says(frozenset({"top_k"}), perhaps=("reasoning",), has_usage=True, has_names=True),
    "openai-responses": Says(
        frozenset({"top_k", "seed", "stop", "n", *PENALTIES}),
        perhaps=("reasoning",),
        thoughts=SEALED,
        seals="one",
        has_names=True,
        shape=as_responses,
    ),
    "openai-completions": Says(
        frozenset({"top_k", "response_format", "reasoning"}),
        picks=True,
        moves="system.role",
        has_usage=True,
        shape=as_one_text,
    ),
    "anthropic": Says(
        frozenset({"seed", "n", *PENALTIES}),
        perhaps=(*SAMPLING, "reasoning"),
        thoughts=("signature",),
        seals="both",
        moves="system.place",
        shape=as_anthropic,
    ),
    "gemini": Says(
        NO_TOOLS,
        thoughts=ALWAYS,
        seals="signature",
        efforts={"xhigh": "high", "max": "high"},
        moves="system.place",
        shape=as_gemini,
    ),
    "ollama-chat": Says(NO_TOOLS | {"n"}, thoughts=ALWAYS, picks=True),
    "ollama-generate": Says(
        frozenset({"n"}),
        picks=True,
        moves="system.place",
        shape=as_prompt,
    ),
    "ag-ui": Says(AGENTS | NO_TOOLS, thoughts=ALWAYS, seals="one", picks=True, has_ids=True),
    "vercel-ui": Says(AGENTS, thoughts=ALWAYS, picks=True, has_ids=True, shape=as_vercel),
    "agent-poc": Says(AGENTS, picks=True),
    "text": Says(AGENTS, picks=True, moves="system.role", shape=as_one_text),
}
