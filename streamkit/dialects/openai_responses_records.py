"""The objects in records of OpenAI's Responses API that reader, writer and the non-streaming response have in common.

(openai-python `types/responses`.) A response has `output`, a list of items; of these a message has a list of contents,
reasoning a list of summaries and one of texts, and a function call its arguments.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from streamkit.codecs.jsontext import encode_value
from streamkit.dialects.decoder import count_of, object_of
from streamkit.dialects.events import Error, FinishReason, Usage
from streamkit.dialects.extra import openai_logprobs

__all__ = [
    "FAMILY",
    "FINISH_WORDS",
    "FORM",
    "ITEM",
    "ITEM_KEYS",
    "MORE",
    "PREFIXES",
    "REASONS",
    "error_fields",
    "error_of",
    "item_fields",
    "logprobs_in",
    "output_text",
    "response_object",
    "response_status",
    "usage_object",
    "usage_of",
]

FAMILY: Final = "openai-responses."

ITEM: Final = FAMILY + "item"
"""The key of `PartStart.extra` for what an item has besides: its id, which is not a call's id, and a message's phase.
Parts with one id are one item's."""

FORM: Final = FAMILY + "form"
"""The key of `PartStart.extra` that says which of its two forms reasoning came in; "text", or else it is a summary."""

MORE: Final = FAMILY + "more"
"""The key of `PartEnd.extra` that says that the part's item goes on with another part."""

ITEM_KEYS: Final = frozenset(
    {"type", "status", "role", "content", "summary", "encrypted_content", "arguments", "call_id", "name"}
)
"""What an item has and an event has a field for, or what follows from the item's type."""

PREFIXES: Final = {"message": "msg", "reasoning": "rs", "function_call": "fc"}
"""What the ids of items begin with."""

FINISH_WORDS: Final[Mapping[FinishReason, str]] = {
    "stop": "completed",
    "stop_sequence": "completed",
    "tool_calls": "completed",
    "other": "completed",
    "length": "max_output_tokens",
    "context_overflow": "max_output_tokens",
    "content_filter": "content_filter",
    "pause": "incomplete",
    "cancelled": "cancelled",
}
"""A response's status, or where that is "incomplete" and there is a reason for it, that reason."""

REASONS: Final[Mapping[str, FinishReason]] = {
    "completed": "stop",
    "max_output_tokens": "length",
    "max_messages": "length",
    "max_tokens": "length",  # what some servers say instead
    "length": "length",
    "content_filter": "content_filter",
    "steered": "pause",  # another response goes on where this one stopped
    "incomplete": "pause",
    "cancelled": "cancelled",
}


def response_status(word: str) -> tuple[str, dict[str, object] | None]:
    """Return status and `incomplete_details` of a response that stopped for the reason `word`."""
    if word in {"completed", "cancelled"}:
        return word, None
    return "incomplete", {"reason": None if word == "incomplete" else word}


def response_object(fields: Mapping[str, object], more: Mapping[str, object]) -> dict[str, object]:
    """Return a response with all that the vendor's types want; `more` is what it has besides."""
    usual: dict[str, object] = {
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "parallel_tool_calls": True,
        "temperature": None,
        "tool_choice": "auto",
        "tools": [],
        "top_p": None,
        "usage": None,
    }
    return {"id": fields["id"], "object": "response", **usual, **more, **fields}


def item_fields(kind: str, item_id: str, more: Mapping[str, object]) -> dict[str, object]:
    """Return what an item of that kind begins with; `more` is what it has besides."""
    fields = {**more, "id": item_id, "type": kind}
    if kind == "message":
        return {**fields, "status": "in_progress", "role": "assistant", "content": []}
    return {**fields, "summary": []} if kind == "reasoning" else {**fields, "status": "in_progress"}


def output_text(text: str, annotations: list[object], logprobs: list[object]) -> dict[str, object]:
    """Return a content of a message."""
    return {"type": "output_text", "text": text, "annotations": annotations, "logprobs": logprobs}


def logprobs_in(extra: Mapping[str, object]) -> list[object]:
    """Return the log probabilities in an event's `extra` as this dialect writes them: `bytes` is a list, never null."""
    entries = openai_logprobs(extra.get("logprobs"))
    return [with_bytes(entry) for entry in entries] if isinstance(entries, list) else []


def with_bytes(entry: object) -> object:
    """Return one token's entry, an empty list for bytes that are not known."""
    if not isinstance(entry, dict):
        return entry
    tops = [{**top, "bytes": top.get("bytes") or []} for top in entry["top_logprobs"]]
    return {**entry, "bytes": entry.get("bytes") or [], "top_logprobs": tops}


def usage_of(usage: dict[str, Any]) -> Usage:
    """Return token counts.

    Raises:
        RecordError: one of them is no integer.
    """
    read, written = object_of(usage, "input_tokens_details"), object_of(usage, "output_tokens_details")
    return Usage(
        input_total=count_of(usage, "input_tokens"),
        output_total=count_of(usage, "output_tokens"),
        cached=count_of(read, "cached_tokens"),
        cache_write=count_of(read, "cache_write_tokens"),
        reasoning=count_of(written, "reasoning_tokens"),
    )


def usage_object(usage: Usage) -> dict[str, object] | None:
    """Return token counts as this dialect writes them, zero for a part that is not known; None if none are known."""
    if usage.input_total is None and usage.output_total is None:
        return None
    read, written = usage.input_total or 0, usage.output_total or 0
    return {
        "input_tokens": read,
        "input_tokens_details": {"cached_tokens": usage.cached or 0, "cache_write_tokens": usage.cache_write or 0},
        "output_tokens": written,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning or 0},
        "total_tokens": read + written,
    }


def error_fields(error: object) -> tuple[str, str, str]:
    """Return message, type and code of an error, which may be an object or a string."""
    if not isinstance(error, dict):
        return (error if isinstance(error, str) else encode_value(error).decode()), "", ""
    message, kind, code = error.get("message"), error.get("type"), error.get("code")
    return (
        message if isinstance(message, str) else encode_value(error).decode(),
        kind if isinstance(kind, str) and kind != "error" else "",
        code if isinstance(code, str) else "" if code is None else encode_value(code).decode(),
    )


def error_of(error: Error) -> dict[str, object]:
    """Return an error as a failed response has it."""
    kind = {"type": error.type} if error.type else {}
    message = error.message or error.type or error.error_code or "error"
    return {"code": error.error_code or "server_error", "message": message, **kind}
