"""Ollama's `/api/generate`: NDJSON, a piece of the response a line, the last with `"done":true` (`docs/api/generate`).

What it shares with `/api/chat` is in `streamkit.dialects.ollama`. The last line has the `context` that continues the
conversation, a list of token numbers that only Ollama can read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from streamkit.dialects.decoder import RecordError
from streamkit.dialects.dialect import Dialect
from streamkit.dialects.message import Message
from streamkit.dialects.ollama import (
    SHARED_KEYS,
    OllamaDecoder,
    OllamaEncoder,
    document,
    failure_body,
    tool_calls_of,
)
from streamkit.dialects.request_ollama import generate_document

__all__ = ["DIALECT"]


FIELDS: Final = frozenset({"thinking", "tool_calls"})


class OllamaGenerateDecoder(OllamaDecoder):
    """Lines to events."""

    name = "ollama-generate"
    known_keys = SHARED_KEYS | {"response", "thinking", "tool_calls"}

    def body(self, record: dict[str, Any]) -> tuple[Mapping[str, Any] | None, str]:
        if "response" in record:
            return record, "response"
        if isinstance(record.get("message"), dict):
            msg = "this is a record of ollama-chat"
            raise RecordError(msg, "wrong-dialect")
        return None, "response"


class OllamaGenerateEncoder(OllamaEncoder):
    """Events to lines."""

    name = "ollama-generate"

    def body(self, fields: dict[str, object]) -> dict[str, object]:
        return {"response": fields["content"], **{key: fields[key] for key in fields if key in FIELDS}}


def looks_like(value: object, name: str) -> bool:  # noqa: ARG001 - lines have no types
    """Whether a record may be of this dialect."""
    return isinstance(value, dict) and isinstance(value.get("response"), str) and "done" in value


def response(message: Message) -> object:
    """Return the non-streaming response."""
    body: dict[str, object] = {"response": message.text or message.refusal}
    if message.reasoning:
        body["thinking"] = message.reasoning
    calls = tool_calls_of(message)
    if calls:
        body["tool_calls"] = calls
    return document(message, body)


DIALECT = Dialect(
    name="ollama-generate",
    summary="Ollama's /api/generate.",
    decoder=OllamaGenerateDecoder,
    encoder=OllamaGenerateEncoder,
    carries=frozenset({"text", "reasoning", "tools", "logprobs", "usage", "finish", "error"}),
    looks_like=looks_like,
    document=response,
    failure=failure_body,
    request=generate_document,
)
