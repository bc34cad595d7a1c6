"""The finished message as JSON, in a form of our own: what `streamkit collect` prints.

::

    {"id": "chatcmpl-7", "model": "gpt-5", "role": "assistant", "created": "2026-11-20T09:14:03.120457000Z",
     "choices": [{"index": 0, "text": "Hello", "reasoning": null, "refusal": null,
                  "tool_calls": [{"id": "call_1", "name": "add", "arguments": {"a": 1}, "arguments_text": null}],
                  "finish_reason": "tool_calls", "raw_reason": "tool_calls", "stop_sequence": null}],
     "usage": {"input_total": 31, "output_total": 4}, "complete": true, "error": null}

- These keys are always there. null stands for what the stream did not say, or, for a text, for one that never began;
  `text` is a string in any case, `tool_calls` a list, `choices` a list of at least one.
- `arguments` is the object that the model wrote. Where it wrote none, or was cut while it did, `arguments` is null and
  `arguments_text` has what it wrote.
- `finish_reason` is one of the neutral words (`events.FinishReason`), `raw_reason` the vendor's own; null means that
  this choice did not finish.
- `usage` has those fields of `events.Usage` that are known.
- `complete` says whether the stream's terminator came. `error` is null or `{"message", "type", "code", "status"}`.
- `customs` and `extra` (of the message and of a choice) are there only where there is something to put in. A choice's
  `extra` has that of its parts too, lists joined: `logprobs` is that of all its tokens.

Parts are joined by kind, so the order of text and tool calls among each other is not in it, nor are signatures; a
`Message` has both.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from streamkit.dialects.events import USAGE_FIELDS, Error, Usage
from streamkit.dialects.message import Choice, Message, Part, merge

__all__ = ["message_json"]

S = 1_000_000_000


def message_json(message: Message) -> dict[str, object]:
    """Return the message as a JSON value; the module's docstring has its form."""
    value: dict[str, object] = {
        "id": message.id or None,
        "model": message.model or None,
        "role": message.role,
        "created": None if message.created_ns is None else time_text(message.created_ns),
        "choices": [choice_json(choice) for choice in message.choices or [Choice()]],
        "usage": usage_json(message.usage),
        "complete": message.complete,
        "error": None if message.error is None else error_json(message.error),
    }
    if message.customs:
        value["customs"] = [{"name": custom.name, "value": custom.value} for custom in message.customs]
    if message.extra:
        value["extra"] = message.extra
    return value


def choice_json(choice: Choice) -> dict[str, object]:
    """Return one choice."""
    kinds = {part.kind for part in choice.parts}
    extra: dict[str, object] = {}
    for part in choice.parts:
        merge(extra, part.extra)
    merge(extra, choice.extra)
    value: dict[str, object] = {
        "index": choice.index,
        "text": choice.text,
        "reasoning": choice.reasoning if "reasoning" in kinds else None,
        "refusal": choice.refusal if "refusal" in kinds else None,
        "tool_calls": [tool_call_json(call) for call in choice.tool_calls],
        "finish_reason": choice.reason,
        "raw_reason": choice.raw_reason or None,
        "stop_sequence": choice.stop_sequence or None,
    }
    return {**value, "extra": extra} if extra else value


def tool_call_json(call: Part) -> dict[str, object]:
    """Return one tool call."""
    arguments = call.arguments if call.complete or call.text.strip() else None
    return {
        "id": call.tool_id or None,
        "name": call.tool_name,
        "arguments": arguments,
        "arguments_text": call.text if arguments is None else None,
    }


def usage_json(usage: Usage) -> dict[str, int]:
    """Return the counts that are known."""
    counts = {name: getattr(usage, name) for name in USAGE_FIELDS}
    return {name: count for name, count in counts.items() if count is not None}


def error_json(error: Error) -> dict[str, object]:
    """Return the error that ended the stream."""
    return {
        "message": error.message,
        "type": error.type or None,
        "code": error.error_code or None,
        "status": error.status,
    }


def time_text(created_ns: int) -> str | None:
    """Return ns since 1970 as an RFC 3339 time in UTC, or None for a time in no year that has four digits."""
    seconds, fraction = divmod(created_ns, S)
    try:
        moment = datetime(1970, 1, 1) + timedelta(seconds=seconds)  # noqa: DTZ001 - UTC, whose name is put on by hand
    except OverflowError:
        return None
    return f"{moment.isoformat()}.{fraction:09d}Z"
