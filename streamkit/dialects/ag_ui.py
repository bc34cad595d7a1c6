"""AG-UI 1.0, the protocol between agents and their user interfaces, as data-only SSE (ag-ui-protocol 1.0.0).

The decoder is in `ag_ui_decoder`, the encoder in `ag_ui_encoder`, what they share in `ag_ui_records`. The protocol's
other form, protobuf under a media type of its own, is not read or written here.
"""

from __future__ import annotations

from typing import Any

from streamkit.dialects.ag_ui_decoder import AGUIDecoder
from streamkit.dialects.ag_ui_encoder import AGUIEncoder
from streamkit.dialects.ag_ui_records import (
    EVENT_TYPES,
    FAMILY,
    FINISH_WORDS,
    PASSED_ON,
    in_metadata,
    pause_outcome,
    usage_list,
)
from streamkit.dialects.dialect import Dialect
from streamkit.dialects.failure import plain_failure
from streamkit.dialects.message import Message, Part
from streamkit.dialects.request_ag_ui import request_document

__all__ = ["DIALECT"]


def looks_like(value: object, name: str) -> bool:  # noqa: ARG001 - any type of SSE event, for clients ignore it
    """Whether a record may be of this dialect."""
    kind = value.get("type") if isinstance(value, dict) else None
    return isinstance(kind, str) and kind in EVENT_TYPES


def response(message: Message) -> object:
    """Return what a run left behind: its ids, its messages, and how it ended.

    AG-UI has no non-streaming response. `newMessages` is what its client's `runAgent` returns, the rest is as in
    RUN_FINISHED, or `error` as in RUN_ERROR; a run that was cut has neither.
    """
    run_id = message.id or "run-0"
    thread_id = message.extra.get(f"{FAMILY}threadId")
    body: dict[str, object] = {
        "threadId": thread_id if isinstance(thread_id, str) else f"thread-{run_id}",
        "runId": run_id,
        "newMessages": messages_of(message, run_id),
    }
    reason = message.reason or "stop"
    outcome: dict[str, object] | None = None
    if message.complete and reason != "error":
        outcome = {"type": FINISH_WORDS[reason]}
        if reason == "pause":
            outcome = pause_outcome(run_id, message.first.raw_reason)
        elif reason == "tool_calls":
            outcome["pendingToolCallIds"] = pending(message, run_id)
        body["outcome"] = outcome
    if f"{FAMILY}result" in message.first.extra:
        body["result"] = message.first.extra[f"{FAMILY}result"]
    usage = usage_list(message.usage, message.model)
    if usage:
        body["usage"] = usage
    if message.complete and in_metadata(reason):
        body["metadata"] = {"finishReason": reason}
    if message.error is not None:
        error = message.error
        code = error.error_code or error.type
        body["error"] = {"message": error.message or code or "error", **({"code": code} if code else {})}
    return body


def messages_of(message: Message, run_id: str) -> list[dict[str, Any]]:
    """Return the messages of the first choice; tool calls belong to the text before them."""
    messages: list[dict[str, Any]] = []
    answer: dict[str, Any] | None = None
    for index, part in enumerate(message.first.parts):
        found = part.extra.get(f"{FAMILY}messageId")
        message_id = found if isinstance(found, str) else f"{run_id}-{index}"
        value = part.encrypted or part.signature
        if part.kind == "tool":
            if answer is None:
                answer = {"id": f"{run_id}-message", "role": "assistant"}
                messages.append(answer)
            answer.setdefault("toolCalls", []).append(tool_call(part, run_id, index))
            continue
        role = "reasoning" if part.kind == "reasoning" else "assistant"
        each: dict[str, Any] = {"id": message_id, "role": role, "content": part.text}
        if value:
            each["encryptedValue"] = value
        each |= {key: part.extra[FAMILY + key] for key in ("name", "subagentRunId") if FAMILY + key in part.extra}
        metadata = part.extra.get(f"{FAMILY}metadata")
        if part.kind == "refusal":
            metadata = {**(metadata if isinstance(metadata, dict) else {}), "refusal": True}
        if metadata:
            each["metadata"] = metadata
        messages.append(each)
        answer = each if role == "assistant" else answer
    for result in results_of(message):
        owner = next((at for at, each in enumerate(messages) if has_call(each, result["toolCallId"])), len(messages))
        place = owner + 1
        while place < len(messages) and messages[place]["role"] == "tool":
            place += 1
        messages.insert(place, {"id": result["messageId"], "role": "tool", **result_fields(result)})
    return messages


def results_of(message: Message) -> list[dict[str, Any]]:
    """Return what the run's tools have returned."""
    values = [each.value for each in message.customs if each.name == f"{FAMILY}TOOL_CALL_RESULT"]
    required = PASSED_ON["TOOL_CALL_RESULT"]
    return [value for value in values if isinstance(value, dict) and value.keys() >= required]


def result_fields(result: dict[str, Any]) -> dict[str, Any]:
    """Return what a tool's message has of the event that made it."""
    return {key: result[key] for key in ("toolCallId", "content", "metadata", "subagentRunId") if key in result}


def has_call(message: dict[str, Any], call_id: object) -> bool:
    """Whether a tool call stands in a message."""
    return any(call["id"] == call_id for call in message.get("toolCalls", ()))


def tool_call(part: Part, run_id: str, index: int) -> dict[str, object]:
    """Return a call as it stands in an assistant's message."""
    call: dict[str, object] = {
        "id": part.tool_id or f"{run_id}-{index}",
        "type": "function",
        "function": {"name": part.tool_name, "arguments": part.text},
    }
    value = part.encrypted or part.signature
    return {**call, "encryptedValue": value} if value else call


def pending(message: Message, run_id: str) -> list[str]:
    """Return the ids of the calls that the run has left without a result."""
    answered = [result["toolCallId"] for result in results_of(message)]
    calls = [
        part.tool_id or f"{run_id}-{index}" for index, part in enumerate(message.first.parts) if part.kind == "tool"
    ]
    return [call for call in calls if call not in answered]


DIALECT = Dialect(
    name="ag-ui",
    summary="AG-UI 1.0, between agents and their user interfaces.",
    decoder=AGUIDecoder,
    encoder=AGUIEncoder,
    carries=frozenset(
        {
            *("text", "reasoning", "signatures", "refusal", "tools", "tool-fragments"),
            *("usage", "finish", "error", "ping", "custom"),
        }
    ),
    looks_like=looks_like,
    document=response,
    failure=plain_failure,
    request=request_document,
)
