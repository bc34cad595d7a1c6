"""What reading and writing Vercel's UI message stream share: the types of its chunks, reasons, metadata, token counts.

(AI SDK 5, 6 and 7: `ui-message-chunks.ts`, `LanguageModelUsage`.) The protocol has no field for model, time and counts;
applications put them into `messageMetadata`, which is theirs. What is read and written there are the names of the SDK's
documentation: `model` and `createdAt` (ms) with `start`, `usage` (a `LanguageModelUsage`) with `finish`. All else stays
as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from streamkit.dialects.events import FinishReason, Usage

__all__ = [
    "FAMILY",
    "FINISH_WORDS",
    "KEPT",
    "MS",
    "REASONS",
    "STEPS",
    "looks_like",
    "signature_of",
    "usage_object",
    "usage_of",
]

FAMILY: Final = "vercel."

MS: Final = 1_000_000

LATEST_MS: Final = 10**14
"""The year 5138; a `createdAt` beyond it is no time in ms."""

FINISH_WORDS: Final[Mapping[FinishReason, str]] = {
    "stop": "stop",
    "stop_sequence": "stop",
    "length": "length",
    "context_overflow": "length",
    "tool_calls": "tool-calls",
    "content_filter": "content-filter",
    "pause": "other",
    "error": "error",
    "cancelled": "abort",  # a chunk of its own
    "other": "other",
}

REASONS: Final[Mapping[str, FinishReason]] = {
    "": "stop",  # AI SDK 5 says none
    "stop": "stop",
    "length": "length",
    "content-filter": "content_filter",
    "tool-calls": "tool_calls",
    "error": "error",
}
"""What the words mean; any other one is `other`."""

STEPS: Final = frozenset({"start-step", "finish-step"})

KEPT: Final[Mapping[str, tuple[str, ...]]] = {
    "start-step": (),
    "finish-step": (),
    "reset-step": (),
    "message-metadata": ("messageMetadata",),
    "tool-approval-request": ("approvalId", "toolCallId"),
    "tool-approval-response": ("approvalId",),
    "tool-output-available": ("toolCallId", "output"),
    "tool-output-error": ("toolCallId",),  # the SDK leaves out an errorText that it has not
    "tool-output-denied": ("toolCallId",),
    "source-url": ("sourceId", "url"),
    "source-document": ("sourceId", "mediaType"),
    "file": ("url", "mediaType"),
    "reasoning-file": ("url", "mediaType"),
    "custom": ("kind",),
}
"""The chunks that no neutral event has a field for, and the keys by which they are known. They become `Custom` events
named `vercel.<type>`."""

REQUIRED: Final[Mapping[str, tuple[str, ...]]] = {
    **KEPT,
    "start": (),
    "text-start": ("id",),
    "text-delta": ("id", "delta"),
    "text-end": ("id",),
    "reasoning-start": ("id",),
    "reasoning-delta": ("id", "delta"),
    "reasoning-end": ("id",),
    "tool-input-start": ("toolCallId", "toolName"),
    "tool-input-delta": ("toolCallId", "inputTextDelta"),
    "tool-input-available": ("toolCallId", "toolName"),
    "tool-input-error": ("toolCallId", "errorText"),
    "error": ("errorText",),
    "abort": (),
    "finish": (),
}

ONLY_KEYS: Final[Mapping[str, frozenset[str]]] = {
    "start": frozenset({"type", "messageId", "messageMetadata"}),
    "abort": frozenset({"type", "reason"}),
    "finish": frozenset({"type", "finishReason", "messageMetadata"}),
}
"""The keys of chunks whose type alone says little: others begin with `{"type":"start"}` too."""


def looks_like(value: object, name: str) -> bool:
    """Whether a record may be of this dialect. The bare `{"type":"start"}` may, though agent-poc begins so too."""
    if not isinstance(value, dict) or name != "message":
        return False
    kind = value.get("type")
    if not isinstance(kind, str):
        return False
    if kind.startswith("data-"):
        return "data" in value and kind != "data-"
    required = REQUIRED.get(kind)
    if required is None or not all(key in value for key in required):
        return False
    return kind not in ONLY_KEYS or value.keys() <= ONLY_KEYS[kind]


def count(value: object) -> int | None:
    """Return a number of tokens, or None if it is none: an application may put anything there."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def usage_of(metadata: object) -> Usage | None:
    """Return the token counts in a message's metadata, or None if there are none."""
    usage = metadata.get("usage") if isinstance(metadata, dict) else None
    if not isinstance(usage, dict):
        return None
    read = details(usage, "inputTokenDetails")
    written = details(usage, "outputTokenDetails")
    found = Usage(
        input_total=count(usage.get("inputTokens")),
        output_total=count(usage.get("outputTokens")),
        cached=count(read.get("cacheReadTokens", usage.get("cachedInputTokens"))),  # the second is AI SDK 5's
        cache_write=count(read.get("cacheWriteTokens")),
        reasoning=count(written.get("reasoningTokens", usage.get("reasoningTokens"))),
        extra={f"{FAMILY}{key}": value for key, value in usage.items() if key not in USAGE_KEYS},
    )
    return None if found.input_total is None and found.output_total is None else found


def details(usage: dict[str, Any], key: str) -> dict[str, Any]:
    """Return one of the objects in the token counts."""
    found = usage.get(key)
    return found if isinstance(found, dict) else {}


USAGE_KEYS: Final = frozenset(
    {"inputTokens", "outputTokens", "totalTokens", "reasoningTokens", "cachedInputTokens"}
    | {"inputTokenDetails", "outputTokenDetails"}
)


def usage_object(usage: Usage) -> dict[str, object] | None:
    """Return token counts as a `LanguageModelUsage`, or None if none are known. Unknown ones are left out."""
    read, written = usage.input_total, usage.output_total
    if read is None and written is None:
        return None
    counts: dict[str, object] = {}
    old: dict[str, object] = {}  # what AI SDK 5 calls it; 6 writes both
    if read is not None:
        counts["inputTokens"] = read
        if usage.cached is not None or usage.cache_write is not None:
            fresh = max(0, read - (usage.cached or 0) - (usage.cache_write or 0))
            parts = {"noCacheTokens": fresh, "cacheReadTokens": usage.cached, "cacheWriteTokens": usage.cache_write}
            counts["inputTokenDetails"] = {key: tokens for key, tokens in parts.items() if tokens is not None}
            if usage.cached is not None:
                old["cachedInputTokens"] = usage.cached
    if written is not None:
        counts["outputTokens"] = written
        if usage.reasoning is not None:
            text_tokens = max(0, written - usage.reasoning)
            counts["outputTokenDetails"] = {"textTokens": text_tokens, "reasoningTokens": usage.reasoning}
            old["reasoningTokens"] = usage.reasoning
    if read is not None and written is not None:
        counts["totalTokens"] = read + written
    return {**counts, **old}


def created_ns_of(value: object) -> int | None:
    """Return a `createdAt` in ms as ns since 1970, or None if it is in another form."""
    is_time = isinstance(value, int) and not isinstance(value, bool) and 0 < value < LATEST_MS
    return value * MS if is_time else None  # type: ignore[operator]  # it is an int then


def signature_of(provider_metadata: object) -> tuple[str, str]:
    """Return the signature, and what only the vendor can read, in a part's `providerMetadata`; each empty if absent.

    It is an object of objects, one for each provider; what they call it: Anthropic `signature` and `redactedData`,
    Google `thoughtSignature`, OpenAI `reasoningEncryptedContent`.
    """
    signature = encrypted = ""
    if isinstance(provider_metadata, dict):
        for fields in provider_metadata.values():
            if isinstance(fields, dict):
                signature = text(fields, "signature", "thoughtSignature") or signature
                encrypted = text(fields, "redactedData", "reasoningEncryptedContent", "encrypted") or encrypted
    return signature, encrypted


def text(fields: dict[str, Any], *keys: str) -> str:
    """Return the first of the fields that is a string with something in it, or an empty one."""
    return next((value for key in keys if isinstance(value := fields.get(key), str) and value), "")


PROVIDERS: Final[Mapping[str, tuple[str, str, str]]] = {
    "anthropic": ("anthropic", "signature", "redactedData"),
    "gemini": ("google", "thoughtSignature", "encrypted"),
    "openai-responses": ("openai", "signature", "reasoningEncryptedContent"),
}
"""Where `signature_of` finds what came from a dialect: the provider's name, and its two keys."""


def provider_metadata(dialect: str, signature: str, encrypted: str) -> dict[str, object]:
    """Return the `providerMetadata` for what came with a part of `dialect`, so that the SDK sends it back there."""
    provider, signature_key, encrypted_key = PROVIDERS.get(dialect, ("streamkit", "signature", "encrypted"))
    fields = {signature_key: signature, encrypted_key: encrypted}
    return {provider: {key: value for key, value in fields.items() if value}}
