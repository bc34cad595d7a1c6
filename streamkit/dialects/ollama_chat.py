"""Ollama's `/api/chat`: NDJSON, a message's piece a line, the last with `"done":true` (`docs/api/chat`).

What it shares with `/api/generate` is in `streamkit.dialects.ollama`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from streamkit.dialects.decoder import RecordError
from streamkit.dialects.dialect import Dialect
from streamkit.dialects.events import Event, Text
from streamkit.dialects.message import Message
from streamkit.dialects.ollama import (
    SHARED_KEYS,
    OllamaDecoder,
    OllamaEncoder,
    document,
    failure_body,
    is_error,
    tool_calls_of,
)
from streamkit.dialects.request_ollama import chat_document

__all__ = ["DIALECT"]


class OllamaChatDecoder(OllamaDecoder):
    """Lines to events."""

    name = "ollama-chat"
    known_keys = SHARED_KEYS | {"message"}

    def _take(self, value: object, raw: str | bytes, name: str = "message", /) -> Sequence[Event]:
        # Nearly every record is another piece of the text that is open, with these four keys and no more. The shortcut
        # is only for them and says what `take` says, in two fifths of its time.
        parts = self.first
        if parts.kind == "text" and isinstance(value, dict) and len(value) == 4 and value.get("done") is False:
            message = value.get("message")
            if "created_at" in value and "model" in value and isinstance(message, dict) and len(message) == 2:
                text = message.get("content")
                if text and isinstance(text, str) and "role" in message and parts.current is not None:
                    return (Text(parts.current, text),)
        return super()._take(value, raw, name)

    def body(self, record: dict[str, Any]) -> tuple[Mapping[str, Any] | None, str]:
        message = record.get("message")
        if isinstance(message, dict):
            return message, "content"
        if message is not None:
            msg = "message is no object"
            raise RecordError(msg)
        if isinstance(record.get("response"), str):
            msg = "this is a record of ollama-generate"
            raise RecordError(msg, "wrong-dialect")
        return None, "content"


class OllamaChatEncoder(OllamaEncoder):
    """Events to lines."""

    name = "ollama-chat"

    def body(self, fields: dict[str, object]) -> dict[str, object]:
        return {"message": {"role": "assistant", **fields}}


def looks_like(value: object, name: str) -> bool:  # noqa: ARG001 - lines have no types
    """Whether a record may be of this dialect."""
    return (isinstance(value, dict) and isinstance(value.get("message"), dict) and "done" in value) or is_error(value)


def response(message: Message) -> object:
    """Return the non-streaming response."""
    body: dict[str, object] = {"role": "assistant", "content": message.text or message.refusal}
    if message.reasoning:
        body["thinking"] = message.reasoning
    calls = tool_calls_of(message)
    if calls:
        body["tool_calls"] = calls
    return document(message, {"message": body})


DIALECT = Dialect(
    name="ollama-chat",
    summary="Ollama's /api/chat.",
    decoder=OllamaChatDecoder,
    encoder=OllamaChatEncoder,
    carries=frozenset({"text", "reasoning", "tools", "logprobs", "usage", "finish", "error"}),
    looks_like=looks_like,
    document=response,
    failure=failure_body,
    request=chat_document,
)
