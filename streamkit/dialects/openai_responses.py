"""OpenAI's Responses API (openai-python `types/responses`; recordings), which vLLM, llama.cpp and gateways speak too.

SSE frames whose event's name is the record's `type`; clients look at the latter only. Every record has a
`sequence_number`. A response has items (messages, reasoning, function calls, built-in tools), which may overlap and are
told apart by `output_index`; a message has contents, told apart by `content_index`::

    response.created, response.in_progress
      response.output_item.added
        response.content_part.added
          response.output_text.delta ..., response.output_text.done
        response.content_part.done
      response.output_item.done
    response.completed | response.incomplete | response.failed

Each `.done` repeats the whole text, and the last record the whole response with its token counts. There is no
`[DONE]`; heartbeats are comments. An error mid-stream is a record `error`, after which the response fails. The vendor's
types have that error's fields in the record itself, its servers send them in an object `error`, and only for that do
its SDKs raise. Both are read, the latter is written.
"""

from __future__ import annotations

from streamkit.dialects.call_ids import made_id
from streamkit.dialects.dialect import Dialect
from streamkit.dialects.events import Error
from streamkit.dialects.message import Message, Part
from streamkit.dialects.openai import failure_body
from streamkit.dialects.openai_responses_decoder import OpenAIResponsesDecoder
from streamkit.dialects.openai_responses_encoder import OpenAIResponsesEncoder, S
from streamkit.dialects.openai_responses_records import (
    FAMILY,
    FINISH_WORDS,
    FORM,
    ITEM,
    PREFIXES,
    error_of,
    item_fields,
    logprobs_in,
    output_text,
    response_object,
    response_status,
    usage_object,
)
from streamkit.dialects.request_openai_responses import request_document

__all__ = ["DIALECT"]


def looks_like(value: object, name: str) -> bool:  # noqa: ARG001 - clients do not look at the name either
    """Whether a record may be of this dialect."""
    if not isinstance(value, dict):
        return False
    kind = value.get("type")
    if kind == "error":
        return "sequence_number" in value
    return isinstance(kind, str) and kind.startswith("response.")


def response(message: Message) -> object:
    """Return the non-streaming response; one that has neither ended nor failed is in progress."""
    response_id = message.id or "resp_0"
    output: list[dict[str, object]] = []
    shared: dict[tuple[str, str], dict[str, object]] = {}
    for part in message.first.parts:
        kind = {"tool": "function_call", "reasoning": "reasoning"}.get(part.kind, "message")
        more = part.extra.get(ITEM)
        own = more if isinstance(more, dict) else {}
        own_id = own.get("id")
        item = shared.get((kind, own_id)) if isinstance(own_id, str) else None
        if item is None:
            suffix = f"{response_id.removeprefix('resp_')}_{len(output)}"
            has_id = isinstance(own_id, str) and not any(own_id == known for _, known in shared)
            item_id = str(own_id) if has_id else f"{PREFIXES[kind]}_{suffix}"
            item = item_fields(kind, item_id, own)
            shared[kind, item_id] = item
            if kind == "function_call":
                call_id = part.tool_id or made_id("call", response_id.removeprefix("resp_"), len(output))
                item |= {"call_id": call_id, "name": part.tool_name}
            output.append(item)
        fill(item, part)
    extra = {**message.extra, **message.first.extra}
    more = {key.removeprefix(FAMILY): value for key, value in extra.items() if key.startswith((FAMILY, "service_tier"))}
    return response_object(
        {
            "id": response_id,
            "created_at": (message.created_ns or 0) // S,
            "model": message.model,
            "output": output,
            "usage": usage_object(message.usage),
            **ending(message),
        },
        more,
    )


def fill(item: dict[str, object], part: Part) -> None:
    """Put a part into its item."""
    if part.kind == "tool":
        item["arguments"] = part.text or "{}"
    elif part.kind == "text":
        annotations = part.extra.get(FAMILY + "annotations")
        listed = annotations if isinstance(annotations, list) else []
        push(item, "content", output_text(part.text, listed, logprobs_in(part.extra)))
    elif part.kind == "refusal":
        push(item, "content", {"type": "refusal", "refusal": part.text})
    elif part.extra.get(FORM) == "text":
        push(item, "content", {"type": "reasoning_text", "text": part.text})
    elif part.text:
        push(item, "summary", {"type": "summary_text", "text": part.text})
    if part.encrypted and part.kind == "reasoning":
        item["encrypted_content"] = part.encrypted
    is_incomplete = not part.complete or part.extra.get(FAMILY + "status") == "incomplete"
    if is_incomplete or "status" in item:
        item["status"] = "incomplete" if is_incomplete else "completed"


def push(item: dict[str, object], group: str, content: object) -> None:
    """Add to one of an item's lists."""
    listed = item.get(group)
    item[group] = [*(listed if isinstance(listed, list) else ()), content]


def ending(message: Message) -> dict[str, object]:
    """Return the fields that say whether and how a response has ended."""
    if message.error is not None:
        return {"status": "failed", "error": error_of(message.error)}
    if not message.complete:
        return {"status": "in_progress"}
    word = FINISH_WORDS.get(message.reason or "stop")
    if word is None:
        return {"status": "failed", "error": error_of(Error("the model stopped because of an error"))}
    status, details = response_status(word)
    return {"status": status, "incomplete_details": details}


DIALECT = Dialect(
    name="openai-responses",
    summary="OpenAI's Responses API, and vLLM, llama.cpp, xAI, DeepSeek, LiteLLM.",
    decoder=OpenAIResponsesDecoder,
    encoder=OpenAIResponsesEncoder,
    carries=frozenset(
        {
            *("text", "reasoning", "refusal", "tools", "tool-fragments"),
            *("logprobs", "usage", "finish", "error", "ping"),
        }
    ),
    looks_like=looks_like,
    document=response,
    failure=failure_body,
    request=request_document,
)
