"""What both directions of AG-UI share: its events' types, its token counts, and where that goes which has no field.

(ag-ui-protocol 1.0.0, `spec/1.0/schema.json`.) AG-UI has no finish reason, no model outside of the token counts, and no
refusal. Every event may have a `metadata` object, open by key, and they are kept there: `finishReason` and
`stopSequence` on RUN_FINISHED, `model` on RUN_STARTED, `refusal` on TEXT_MESSAGE_START, `errorType` and `status` on
RUN_ERROR, `kind` on REASONING_ENCRYPTED_VALUE.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from streamkit.dialects.decoder import RecordError, count_of
from streamkit.dialects.events import FinishReason, Usage

__all__ = [
    "EVENT_TYPES",
    "FAMILY",
    "FINISH_WORDS",
    "PASSED_ON",
    "PROTOCOL_VERSION",
    "THINKING",
    "metadata_reason",
    "pause_outcome",
    "usage_list",
    "usage_of",
]

PROTOCOL_VERSION: Final = "1.0"

FAMILY: Final = "ag-ui."

MAX_COUNT: Final = 2**53 - 1
"""The largest integer of the schema."""

PASSED_ON: Final[Mapping[str, frozenset[str]]] = {
    "TOOL_CALL_RESULT": frozenset({"messageId", "toolCallId", "content"}),
    "STATE_SNAPSHOT": frozenset({"snapshot"}),
    "STATE_DELTA": frozenset({"delta"}),
    "MESSAGES_SNAPSHOT": frozenset({"messages"}),
    "ACTIVITY_SNAPSHOT": frozenset({"messageId", "activityType", "content"}),
    "ACTIVITY_DELTA": frozenset({"messageId", "activityType", "patch"}),
    "STEP_STARTED": frozenset({"stepName"}),
    "STEP_FINISHED": frozenset({"stepName"}),
    "SUBAGENT_STARTED": frozenset({"subagentRunId", "name"}),
    "SUBAGENT_FINISHED": frozenset({"subagentRunId"}),
    "SUBAGENT_ERROR": frozenset({"subagentRunId", "message"}),
    "REASONING_ENCRYPTED_VALUE": frozenset({"subtype", "entityId", "encryptedValue"}),
    # A message that is not the answer's: its role is user, system or developer.
    "TEXT_MESSAGE_START": frozenset({"messageId", "role"}),
    "TEXT_MESSAGE_CONTENT": frozenset({"messageId", "delta"}),
    "TEXT_MESSAGE_END": frozenset({"messageId"}),
    "TEXT_MESSAGE_CHUNK": frozenset(),
}
"""The events that become a `Custom` named `ag-ui.TYPE`, its value the other keys; and the keys without which such a
`Custom` is not written as that event again."""

THINKING: Final[Mapping[str, str]] = {
    "THINKING_START": "REASONING_START",
    "THINKING_TEXT_MESSAGE_START": "REASONING_MESSAGE_START",
    "THINKING_TEXT_MESSAGE_CONTENT": "REASONING_MESSAGE_CONTENT",
    "THINKING_TEXT_MESSAGE_END": "REASONING_MESSAGE_END",
    "THINKING_END": "REASONING_END",
}
"""What 0.x called the events of reasoning, which had no ids then."""

EVENT_TYPES: Final = frozenset(
    {
        *("RUN_STARTED", "RUN_FINISHED", "RUN_ERROR", "RAW", "CUSTOM"),
        *("TOOL_CALL_START", "TOOL_CALL_ARGS", "TOOL_CALL_END", "TOOL_CALL_CHUNK"),
        *("REASONING_START", "REASONING_MESSAGE_START", "REASONING_MESSAGE_CONTENT", "REASONING_MESSAGE_END"),
        *("REASONING_MESSAGE_CHUNK", "REASONING_END", *PASSED_ON, *THINKING),
    }
)
"""Every type of event there is, those of 0.x included."""

FINISH_WORDS: Final[Mapping[FinishReason, str]] = {
    "stop": "success",
    "stop_sequence": "success",
    "length": "success",
    "context_overflow": "success",
    "tool_calls": "success",
    "content_filter": "success",
    "pause": "interrupt",
    "cancelled": "cancelled",
    "other": "success",
}
"""The type of a run's outcome. What it does not tell apart, `metadata.finishReason` does."""

IN_METADATA: Final[Mapping[str, FinishReason]] = {
    "stop_sequence": "stop_sequence",
    "length": "length",
    "context_overflow": "context_overflow",
    "content_filter": "content_filter",
    "other": "other",
}

OUTCOMES: Final[Mapping[str, FinishReason]] = {
    "": "stop",
    "success": "stop",
    "interrupt": "pause",
    "cancelled": "cancelled",
}

COUNTS: Final = {
    "inputTokens": "input_total",
    "outputTokens": "output_total",
    "reasoningTokens": "reasoning",
    "cachedInputTokens": "cached",
    "cacheWriteInputTokens": "cache_write",
}
"""AG-UI's names of token counts, and the neutral ones. They mean the same: parts are included in the totals."""


def metadata_reason(outcome_type: str, metadata: Mapping[str, Any]) -> FinishReason:
    """Return the neutral reason that the type of an outcome, and what we keep in the metadata, stand for."""
    word = metadata.get("finishReason")
    if outcome_type in {"", "success"} and isinstance(word, str):
        return IN_METADATA.get(word, "stop")
    return OUTCOMES.get(outcome_type, "other")


def in_metadata(reason: FinishReason) -> bool:
    """Whether the reason has to be written in the metadata, because no outcome says it."""
    return reason in IN_METADATA


def pause_outcome(run_id: str, reason: str) -> dict[str, object]:
    """Return the outcome of a run that waits for something nobody has named: an interrupt has to have an id."""
    return {"type": "interrupt", "interrupts": [{"id": f"{run_id}-pause", "reason": reason or "pause"}]}


def usage_of(entries: list[Any], model: str) -> Usage | None:
    """Return the sum of a run's token counts, one entry a model; None where there are none.

    The entries are kept beside it if they say more than one entry for `model` would.

    Raises:
        RecordError: an entry is no object, or a count no integer.
    """
    totals: dict[str, Any] = {}
    for entry in entries:
        if not isinstance(entry, dict):
            msg = "an entry of usage is not an object"
            raise RecordError(msg)
        for key, field in COUNTS.items():
            count = count_of(entry, key)
            if count is not None:
                totals[field] = totals.get(field, 0) + count
    if not entries:
        return None
    usage = Usage(**totals)
    return usage if usage_list(usage, model) == entries else Usage(**totals, extra={f"{FAMILY}usage": entries})


def usage_list(usage: Usage, model: str) -> list[Any]:
    """Return token counts as AG-UI writes them: the entries that they came as, if they still say the same."""
    came = usage.extra.get(f"{FAMILY}usage")
    if isinstance(came, list) and says(came, usage):
        return came
    counts = {key: getattr(usage, field) for key, field in COUNTS.items()}
    entry: dict[str, object] = {"model": model} if model else {}
    entry |= {key: count for key, count in counts.items() if count is not None and 0 <= count <= MAX_COUNT}
    if "inputTokens" in entry and "outputTokens" in entry:
        entry["totalTokens"] = (usage.input_total or 0) + (usage.output_total or 0)
    return [entry] if entry.keys() - {"model"} else []


def says(entries: list[Any], usage: Usage) -> bool:
    """Whether the entries add up to the counts."""
    for key, field in COUNTS.items():
        counts: list[Any] = [
            entry.get(key) for entry in entries if isinstance(entry, dict) and entry.get(key) is not None
        ]
        if (sum(counts) if counts else None) != getattr(usage, field):
            return False
    return True
