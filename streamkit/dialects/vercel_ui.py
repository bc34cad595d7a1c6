"""Vercel's UI message stream, version 1: what AI SDK 5, 6 and 7 send to a page (`x-vercel-ai-ui-message-stream: v1`).

Data-only SSE, one JSON chunk an event, `data: [DONE]` at the end, comments as heartbeats. Reading is in
`vercel_ui_decoder`, writing in `vercel_ui_encoder`, what they share in `vercel_ui_records`.

Not this: AI SDK 4's data stream (`0:"Hel"`), and its text stream, which is the dialect `text`.
"""

from __future__ import annotations

from typing import Final

from streamkit.codecs.jsontext import JSONTextError, decode_checked
from streamkit.dialects.dialect import Dialect
from streamkit.dialects.events import Custom
from streamkit.dialects.failure import plain_failure
from streamkit.dialects.message import Message, Part
from streamkit.dialects.request_vercel_ui import request_document
from streamkit.dialects.vercel_ui_decoder import VercelUIDecoder
from streamkit.dialects.vercel_ui_encoder import VercelUIEncoder
from streamkit.dialects.vercel_ui_records import (
    FAMILY,
    FINISH_WORDS,
    MS,
    looks_like,
    provider_metadata,
    usage_object,
)

__all__ = ["DIALECT"]


def response(message: Message) -> object:
    """Return the `UIMessage` that a client makes of the stream.

    One that is not complete has parts in the state "streaming" (a call: "input-streaming"), and no `finishReason` in
    its metadata; an error's text is in there.
    """
    parts = [
        tool_part(part, index) if part.kind == "tool" else text_part(part)
        for index, part in enumerate(message.first.parts)
    ]
    for custom in message.customs:
        add_custom(custom, parts)
    metadata = metadata_of(message)
    return {
        "id": message.id,
        "role": "assistant",
        **({"metadata": metadata} if metadata else {}),
        "parts": [{"type": "step-start"}, *parts],
    }


def metadata_of(message: Message) -> dict[str, object]:
    """Return what the chunks would have in `messageMetadata`, and how the message ended."""
    metadata: dict[str, object] = {}
    for extra in (message.extra, message.first.extra):
        given = extra.get(f"{FAMILY}messageMetadata")
        metadata |= given if isinstance(given, dict) else {}
    if message.model:
        metadata["model"] = message.model
    if message.created_ns:
        metadata["createdAt"] = message.created_ns // MS
    usage = usage_object(message.usage)
    if usage is not None:
        metadata["usage"] = usage
    if message.complete and message.reason:
        metadata["finishReason"] = FINISH_WORDS[message.reason]
    if message.error is not None:
        metadata["errorText"] = message.error.message
    return metadata


def text_part(part: Part) -> dict[str, object]:
    """Return a part of text or reasoning."""
    kind = "reasoning" if part.kind == "reasoning" else "text"
    state = "done" if part.complete else "streaming"
    return {"type": kind, "text": part.text, "state": state, **provider_fields(part, "providerMetadata")}


def tool_part(part: Part, index: int) -> dict[str, object]:
    """Return a tool call."""
    is_dynamic = part.extra.get(f"{FAMILY}dynamic") is True
    body: dict[str, object] = {"type": "dynamic-tool" if is_dynamic else f"tool-{part.tool_name}"}
    if is_dynamic:
        body["toolName"] = part.tool_name
    body["toolCallId"] = part.tool_id or f"call_{index}"
    if not part.complete:
        return {**body, "state": "input-streaming"}
    body |= provider_fields(part, "callProviderMetadata")
    error = part.extra.get(f"{FAMILY}errorText")
    try:
        value = part.extra.get(f"{FAMILY}input") or (decode_checked(part.text.encode()) if part.text.strip() else {})
    except JSONTextError as fault:
        error = error or f"the input is not JSON: {fault.reason}"
    if error is not None:
        return {**body, "state": "output-error", "rawInput": part.text, "errorText": error}
    return {**body, "state": "input-available", "input": value}


def provider_fields(part: Part, key: str) -> dict[str, object]:
    """Return a part's `providerMetadata`, under the key that it has in a message."""
    given = part.extra.get(f"{FAMILY}providerMetadata")
    if given is None and (part.signature or part.encrypted):
        given = provider_metadata("", part.signature, part.encrypted)
    return {} if given is None else {key: given}


def add_custom(custom: Custom, parts: list[dict[str, object]]) -> None:
    """Add what a custom event says: to the call that it is about, or as a part of its own."""
    kind = custom.name.removeprefix(FAMILY)
    if kind == custom.name:
        parts.append({"type": f"data-{kind}", "data": custom.value})
    elif not isinstance(custom.value, dict):
        return
    elif kind in {"file", "source-url", "source-document"}:
        parts.append({"type": kind, **custom.value})
    elif kind in OUTPUTS:
        for part in parts:
            if part.get("toolCallId") == custom.value.get("toolCallId"):
                part["state"] = kind.removeprefix("tool-")
                part |= {key: custom.value[key] for key in OUTPUTS[kind] if key in custom.value}


OUTPUTS: Final = {
    "tool-output-available": ("output", "preliminary"),
    "tool-output-error": ("errorText",),
    "tool-output-denied": (),
}
"""What may have become of a call, and the fields that it brings."""


DIALECT = Dialect(
    name="vercel-ui",
    summary="Vercel's UI message stream: what AI SDK 5, 6 and 7 send to a page.",
    decoder=VercelUIDecoder,
    encoder=VercelUIEncoder,
    carries=frozenset(
        {
            *("text", "reasoning", "signatures", "tools", "tool-fragments"),
            *("logprobs", "usage", "finish", "error", "ping", "custom"),
        }
    ),
    looks_like=looks_like,
    document=response,
    failure=plain_failure,
    request=request_document,
    headers={"x-vercel-ai-ui-message-stream": "v1"},
)
