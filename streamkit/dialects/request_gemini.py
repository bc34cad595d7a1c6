"""A request to Gemini's `streamGenerateContent` or `generateContent` (google-genai's types). The model is in the path.

- Neighbours of one role become one content. The results of tools are a content of their own, for Google wants nothing
  else in it: as many `functionResponse` as there were calls, told by name, in their order.
- A result that is no JSON object is put into one, under `output`, the key that Google reads as the result.
- The signature goes on the first call of its message, where newer models insist on it, or on the text of one without.
- A call in the current turn that has none gets `NO_SIGNATURE` where the model would refuse it otherwise.
- How hard to think is a level, and for Gemini 2 a number of tokens.
- Schemas are JSON Schema (`parametersJsonSchema`, `responseJsonSchema`), so nothing of them is translated or lost.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Final

from streamkit.dialects.request_messages import ChatMessage
from streamkit.dialects.request_parts import (
    TOOL_WORDS,
    arguments_of,
    document_of,
    effort_of,
    given,
    linked,
    model_named,
    object_of,
    offered,
    schema_of,
    system_apart,
    unplaced,
)
from streamkit.dialects.requests import ChatRequest, RequestDocument, Tool
from streamkit.errors import ConfigError

__all__ = ["request_document"]

JSON: Final = "application/json"

LEVELS: Final[Mapping[str, str]] = {
    "minimal": "MINIMAL",
    "low": "LOW",
    "medium": "MEDIUM",
    "high": "HIGH",
    "xhigh": "HIGH",
    "max": "HIGH",
}

BUDGET_TOKENS: Final[Mapping[str, int]] = {
    "minimal": 512,
    "low": 1024,
    "medium": 8192,
    "high": 24_576,
    "xhigh": 24_576,
    "max": 24_576,
}
"""Within what every model of Gemini 2.5 allows."""

BUDGETED: Final = re.compile(r"gemini-2")

SEALING: Final = re.compile(r"gemini-(?:[3-9]|[1-9]\d)(?!\d)")
"""Names of the models that refuse a step of the current turn whose first call has no signature: from Gemini 3 on."""

NO_SIGNATURE: Final = "skip_thought_signature_validator"
"""What Google wants there for calls of another model's (ai.google.dev, "Thought signatures")."""

CALLING: Final[Mapping[str, str]] = {"none": "NONE", "required": "ANY"}


def request_document(request: ChatRequest) -> RequestDocument:
    """Return the request: for server-sent events, or for one document.

    Raises:
        ConfigError: it has no model, nothing to say, a result without a call, or arguments that are no JSON object.
    """
    system, others, dropped = system_apart(linked(request.messages))
    contents = list(contents_of(others, is_sealing=bool(SEALING.search(request.model))))
    if not contents:
        msg = "messages: nobody says anything, and gemini takes no empty message"
        raise ConfigError(msg)
    tools = [tool_of(tool) for tool in offered(request)]
    config = config_of(request)
    body: dict[str, object] = {
        **({"systemInstruction": {"parts": [{"text": system}]}} if system else {}),
        "contents": contents,
        **({"tools": [{"functionDeclarations": tools}]} if tools else {}),
        **given(toolConfig=tool_config_of(request)),
        **({"generationConfig": config} if config else {}),
    }
    dropped += unplaced(request, "parallel_tool_calls")
    dropped += ["message.signature" for message in others if message.encrypted]
    return document_of(request, path_of(request), body, dropped)


def path_of(request: ChatRequest) -> str:
    """Return the path, query included."""
    from urllib.parse import quote  # it takes a while to load, and every command loads this module

    model = model_named(request, "gemini")
    kind, slash, name = model.rpartition("/")
    if not slash or kind not in {"models", "tunedModels"}:
        kind, name = "models", model
    method = "streamGenerateContent?alt=sse" if request.stream else "generateContent"
    return f"/v1beta/{kind}/{quote(name, safe='', errors='replace')}:{method}"


def contents_of(messages: list[ChatMessage], *, is_sealing: bool) -> Iterator[dict[str, object]]:
    """Yield the contents: those of the model, of the user, and results."""
    said = [(message.role, parts) for message in messages if (parts := list(parts_of(message)))]
    asked_at = max((number for number, (role, _) in enumerate(said) if role == "user"), default=-1)
    for role, group in groupby(enumerate(said), key=lambda each: each[1][0]):
        numbered = list(group)
        parts = [part for _, (_, parts) in numbered for part in parts]
        call = next((part for part in parts if "functionCall" in part), None)
        if is_sealing and call is not None and numbered[0][0] > asked_at:
            call.setdefault("thoughtSignature", NO_SIGNATURE)
        yield {"role": "model" if role == "assistant" else "user", "parts": parts}


def parts_of(message: ChatMessage) -> Iterator[dict[str, object]]:
    """Yield the parts of one message; none for an empty one."""
    if message.role == "tool":
        # The id is that of the call as it was sent; older models pass over it.
        response = object_of(message.text)
        result = {"output": message.text} if response is None else response
        yield {"functionResponse": {"id": message.tool_call_id, "name": message.tool_name, "response": result}}
        return
    if message.reasoning:
        yield {"text": message.reasoning, "thought": True}
    signature = given(thoughtSignature=message.signature)
    if message.text or (signature and not message.tool_calls):
        yield {"text": message.text, **({} if message.tool_calls else signature)}
    for number, call in enumerate(message.tool_calls):
        told = {"id": call.id, "name": call.name, "args": arguments_of(call, "gemini")}
        yield {"functionCall": told, **(signature if number == 0 else {})}


def tool_of(tool: Tool) -> dict[str, object]:
    """Return one function."""
    return {**given(name=tool.name, description=tool.description), "parametersJsonSchema": schema_of(tool)}


def tool_config_of(request: ChatRequest) -> dict[str, object] | None:
    """Return which function has to be called."""
    choice = request.tool_choice
    if not request.tools or choice == "auto":
        return None
    names = {} if choice in TOOL_WORDS else {"allowedFunctionNames": [choice]}
    return {"functionCallingConfig": {"mode": CALLING.get(choice, "ANY"), **names}}


def config_of(request: ChatRequest) -> dict[str, object]:
    """Return `generationConfig`."""
    form = request.response_format
    return given(
        maxOutputTokens=request.max_tokens,
        temperature=request.temperature,
        topP=request.top_p,
        topK=request.top_k,
        seed=request.seed,
        stopSequences=request.stop,
        frequencyPenalty=request.frequency_penalty,
        presencePenalty=request.presence_penalty,
        candidateCount=request.n,
        responseMimeType=None if form is None else JSON,
        responseJsonSchema=None if form is None or form == "json" else form.schema,
        thinkingConfig=thinking_of(request),
    )


def thinking_of(request: ChatRequest) -> dict[str, object] | None:
    """Return `thinkingConfig`; no thinking is a budget of none, which models that cannot do without refuse."""
    effort = effort_of(request)
    if effort is None:
        return None
    if effort == "none":
        return {"thinkingBudget": 0}
    shown: dict[str, object] = {"includeThoughts": True}
    if isinstance(request.reasoning, bool):
        return shown
    if BUDGETED.search(request.model):
        return {**shown, "thinkingBudget": BUDGET_TOKENS[effort]}
    return {**shown, "thinkingLevel": LEVELS[effort]}
