"""Anthropic's Messages dialect: its row, how it is recognised, and its non-streaming response.

The streams are read in `anthropic_decoder` and written in `anthropic_encoder`.
"""

from __future__ import annotations

from typing import Final

from streamkit.dialects.anthropic_decoder import AnthropicDecoder
from streamkit.dialects.anthropic_encoder import AnthropicEncoder
from streamkit.dialects.anthropic_words import FAMILY, FINISH_WORDS, error_of, own, stop_reason_of, type_of, usage_of
from streamkit.dialects.call_ids import made_id
from streamkit.dialects.dialect import Dialect
from streamkit.dialects.events import Finish
from streamkit.dialects.failure import Failure
from streamkit.dialects.message import Choice, Message, Part
from streamkit.dialects.request_anthropic import request_document

__all__ = ["DIALECT"]

FIELDS: Final = {
    "message_start": ("message", dict),
    "content_block_start": ("content_block", dict),
    "content_block_delta": ("delta", dict),
    "content_block_stop": ("index", int),
    "message_delta": ("delta", dict),
    "message_stop": ("type", str),
}
"""The types of records, and one field that each has besides, with its type."""

ERROR_KEYS: Final = frozenset({"type", "error", "request_id"})


def looks_like(value: object, name: str) -> bool:
    """Whether a record may be of this dialect."""
    if not isinstance(value, dict):
        return False
    kind = value.get("type")
    if kind == "error":  # OpenAI's Responses have one with more keys
        error = value.get("error")
        return value.keys() <= ERROR_KEYS and isinstance(error, dict) and "type" in error
    if kind == "ping":
        return name in {"ping", "message"}
    if not isinstance(kind, str) or kind not in FIELDS:
        return False
    key, expected = FIELDS[kind]
    return isinstance(value.get(key), expected)


def response(message: Message) -> object:
    """Return the non-streaming response; while the message is not complete its `stop_reason` is null."""
    choice = message.first
    word = None
    if message.complete and choice.reason is not None and choice.reason in FINISH_WORDS:
        word = stop_reason_of(Finish(choice.reason, stop_sequence=choice.stop_sequence))
    first_usage = message.extra.get(f"{FAMILY}usage")
    body: dict[str, object] = {
        "id": message.id or "msg_0",
        "type": "message",
        "role": "assistant",
        "model": message.model,
        "content": content_of(message, choice),
        "stop_reason": word,
        "stop_sequence": choice.stop_sequence or None,
        **{key: value for key, value in own(message.extra).items() if key != "usage"},
        **finish_fields(choice),
        "usage": {
            "input_tokens": 0,
            **(first_usage if isinstance(first_usage, dict) else {}),
            **usage_of(message.usage),
            **own(message.usage.extra),
        },
    }
    return body if message.error is None else {**body, "error": error_of(message.error)}


def finish_fields(choice: Choice) -> dict[str, object]:
    """Return what the end of the stream said besides: fields of the message all of them."""
    fields = own(choice.extra)
    more = fields.pop("message_delta", None)
    return {**fields, **(more if isinstance(more, dict) else {})}


def content_of(message: Message, choice: Choice) -> list[dict[str, object]]:
    """Return the content blocks; a text without any is none."""
    calls = 0
    content = []
    for part in choice.parts:
        content += [block_of(part, made_id("toolu", message.id or "msg_0", calls))]
        calls += part.kind == "tool"
    return [block for block in content if block]


def block_of(part: Part, tool_id: str) -> dict[str, object]:
    """Return one content block, an empty object for a text without any; `tool_id` is for a call that has no id.

    Arguments that are no JSON object, as those of a call cut short, are wrapped the way Anthropic advises.
    """
    extra = {key: value for key, value in own(part.extra).items() if key != "deltas"}
    if part.kind == "tool":
        arguments = part.arguments
        given = {"INVALID_JSON": part.text} if arguments is None else arguments
        return {"type": "tool_use", "id": part.tool_id or tool_id, "name": part.tool_name, "input": given, **extra}
    if part.kind != "reasoning":
        return {"type": "text", "text": part.text, **extra} if part.text else {}
    if part.encrypted and not part.text:
        return {"type": "redacted_thinking", "data": part.encrypted, **extra}
    if not part.text and not part.signature:
        return {}
    return {"type": "thinking", "thinking": part.text, "signature": part.signature, **extra}


def failure_body(failure: Failure) -> object:
    """Return the body of an error; it has no place for a field."""
    error: dict[str, object] = {"type": failure.type or type_of(failure.status), "message": failure.message}
    if failure.error_code:
        error["details"] = {"error_code": failure.error_code}
    return {"type": "error", "error": error, **({"request_id": failure.request_id} if failure.request_id else {})}


DIALECT = Dialect(
    name="anthropic",
    summary="Anthropic's Messages, and llama.cpp, vLLM, SGLang and Ollama at /v1/messages.",
    decoder=AnthropicDecoder,
    encoder=AnthropicEncoder,
    carries=frozenset(
        {"text", "reasoning", "signatures", "tools", "tool-fragments", "usage", "finish", "error", "ping"}
    ),
    looks_like=looks_like,
    document=response,
    failure=failure_body,
    request=request_document,
)
