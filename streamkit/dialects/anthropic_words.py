"""The words of Anthropic's dialect, both ways: reasons to stop, errors, token counts, and keys of `extra`.

Counts are cumulative, and `input_tokens` is without what was read from the cache or written to it. No model reads or
writes zero tokens, so a total of zero is one that the server did not know.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from streamkit.dialects.decoder import count_of, object_of
from streamkit.dialects.events import Error, Finish, FinishReason, Usage
from streamkit.dialects.parts import NO_EXTRA, Extra

__all__ = [
    "FAMILY",
    "FINISH_WORDS",
    "REASONS",
    "STATUSES",
    "USAGE_KEYS",
    "Counts",
    "error_of",
    "extra_of",
    "own",
    "stop_reason_of",
    "type_of",
    "usage_of",
]

FAMILY: Final = "anthropic."

INPUT_KEYS: Final = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
"""The counts of which a request's total is the sum."""

STATUSES: Final = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
"""The types of errors, and the HTTP status that each has before the first byte."""

REASONS: Final[Mapping[str, FinishReason]] = {
    "end_turn": "stop",
    "max_tokens": "length",
    "stop_sequence": "stop_sequence",
    "tool_use": "tool_calls",
    "pause_turn": "pause",
    "refusal": "content_filter",
    "model_context_window_exceeded": "context_overflow",
    "compaction": "pause",  # beta: the context was summarised; the request is to be sent again
    # What servers that speak this dialect say instead:
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
}

FINISH_WORDS: Final[Mapping[FinishReason, str]] = {
    "stop": "end_turn",
    "stop_sequence": "stop_sequence",
    "length": "max_tokens",
    "context_overflow": "model_context_window_exceeded",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
    "pause": "pause_turn",
    "other": "end_turn",
}

TYPES_BY_STATUS: Final = {
    **{status: word for word, status in STATUSES.items()},
    408: "timeout_error",
    503: "overloaded_error",
}

QUOTA_WORDS: Final = frozenset({"rate_limit_exceeded", "insufficient_quota"})
"""OpenAI's types or codes for what is Anthropic's rate_limit_error."""

USAGE_KEYS: Final = frozenset({*INPUT_KEYS, "output_tokens", "output_tokens_details"})
"""The keys of a usage that an event has a field for."""


class Counts:
    """The token counts of one stream, record by record."""

    def __init__(self) -> None:
        self._input: dict[str, int] = {}
        self._last = Usage()

    def take(self, usage: dict[str, Any], extra: Extra) -> Usage | None:
        """Return the counts after a record's `usage`, or None if it says nothing new.

        Zeros for all of the input mean that this record does not know it.

        Raises:
            RecordError: one of them is no integer.
        """
        given = {key: count for key in INPUT_KEYS if (count := count_of(usage, key)) is not None}
        if any(given.values()):
            self._input |= given
        found = Usage(
            input_total=sum(self._input.values()) if "input_tokens" in self._input else None,
            output_total=count_of(usage, "output_tokens") or None,
            cached=self._input.get("cache_read_input_tokens"),
            cache_write=self._input.get("cache_creation_input_tokens"),
            reasoning=count_of(object_of(usage, "output_tokens_details"), "thinking_tokens"),
            extra=extra,
        )
        if found in (self._last, Usage()):
            return None
        self._last = found
        return found


def extra_of(value: dict[str, Any], known: frozenset[str]) -> Extra:
    """Return what a record has besides, by the keys of `extra`."""
    if value.keys() <= known:
        return NO_EXTRA
    return {f"{FAMILY}{key}": found for key, found in value.items() if key not in known and found is not None}


def own(extra: Extra) -> dict[str, object]:
    """Return what of `extra` only Anthropic knows, by its own names."""
    return {key.removeprefix(FAMILY): value for key, value in extra.items() if key.startswith(FAMILY)}


def stop_reason_of(finish: Finish) -> str:
    """Return Anthropic's word for why the model stopped; a stop sequence that is named was hit."""
    reason: FinishReason = "stop_sequence" if finish.reason == "stop" and finish.stop_sequence else finish.reason
    return FINISH_WORDS[reason]


def usage_of(usage: Usage) -> dict[str, object]:
    """Return token counts as Anthropic writes them: `input_tokens` is what neither came from the cache nor went there.

    `output_tokens` is always there, because clients need it; the others are where they are known.
    """
    counts: dict[str, object] = {}
    if usage.input_total is not None:
        counts["input_tokens"] = max(0, usage.input_total - (usage.cached or 0) - (usage.cache_write or 0))
    if usage.cache_write is not None:
        counts["cache_creation_input_tokens"] = usage.cache_write
    if usage.cached is not None:
        counts["cache_read_input_tokens"] = usage.cached
    counts["output_tokens"] = usage.output_total or 0
    if usage.reasoning is not None:
        counts["output_tokens_details"] = {"thinking_tokens": usage.reasoning}
    return counts


def error_of(error: Error, *, is_own: bool = False) -> dict[str, object]:
    """Return an error as Anthropic writes it, with a type that its clients know unless it came with its own."""
    word = error.type
    if word not in STATUSES and not (is_own and word):
        word = "rate_limit_error" if QUOTA_WORDS & {word, error.error_code} else type_of(error.status)
    return {"type": word, "message": error.message or error.type or "error"}


def type_of(status: int | None) -> str:
    """Return the type of an error with an HTTP status, or without one."""
    found = TYPES_BY_STATUS.get(status or 0)
    return found or ("invalid_request_error" if status is not None and status < 500 else "api_error")
