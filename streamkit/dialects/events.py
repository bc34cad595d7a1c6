"""The neutral events: what every dialect's records become, and what every dialect's records are made from.

A stream of them looks like this, for each choice (the answers of one request, nearly always one)::

    Start  (PartStart  Text|Reasoning|Refusal|ToolArgs ...  PartEnd) ...  Usage  Finish  End

- A part is one run of text, of reasoning, or of a refusal, or one tool call. Parts are numbered from 0 in the order in
  which they open, for each choice apart. Tool calls may overlap with each other and with text, as on the wire.
- `Finish` says why the model stopped, `End` that the stream's own terminator was seen. A stream without `End` was cut.
- An `Error` is the last event. The parts that it finds open stay open: they are incomplete.
- `Usage` is a snapshot. Of each field the last value that is not None counts; nothing is added up.
- `Ping`, `Custom` and `Raw` may stand anywhere, before `Start` too.

`streamkit.dialects.lifecycle` checks all this. The field `extra` holds what only some dialects know. A key without a
dot means the same in every dialect that has it ("logprobs", "system_fingerprint"); a key with one ("gemini.safety")
belongs to the dialect named before the dot, and is lost on the way to another.

Events are msgspec Structs, built in 0.05 us. As JSON they are tagged: `{"streamkit":"text","part":0,"text":"Hel"}`.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

__all__ = [
    "EVENT_TYPES",
    "Custom",
    "End",
    "Error",
    "Event",
    "Finish",
    "FinishReason",
    "PartEnd",
    "PartKind",
    "PartStart",
    "Ping",
    "Raw",
    "Reasoning",
    "Refusal",
    "Start",
    "Text",
    "ToolArgs",
    "Usage",
]

PartKind = Literal["text", "reasoning", "refusal", "tool"]

FinishReason = Literal[
    "stop",
    "stop_sequence",
    "length",
    "context_overflow",
    "tool_calls",
    "content_filter",
    "pause",
    "error",
    "cancelled",
    "other",
]
"""Why a model stopped. `stop_sequence` is a kind of stop, `context_overflow` a kind of length: a dialect that does not
tell them apart writes the general one."""


class Event(msgspec.Struct, frozen=True, gc=False, kw_only=True, tag_field="streamkit", omit_defaults=True):
    """What all events have.

    Attributes:
        choice: which of several answers to one request this belongs to; 0 where there is only one.
        extra: what has no field; see the module's docstring for its keys. Never changed after the event was made.
    """

    choice: int = 0
    extra: dict[str, object] = {}


class Start(Event, frozen=True, gc=False, tag="start"):
    """The answer begins. Exactly one a stream.

    Attributes:
        id: the vendor's id of the answer, empty where it has none.
        model: the model's name, empty where unknown.
        dialect: the dialect that the stream came in, empty for a stream made otherwise. Its encoder writes what only it
            understands, the vendor's own word for why the model stopped for instance, as it came.
        created_ns: when the answer was begun, in ns since 1970, or None.
    """

    id: str = ""
    model: str = ""
    role: str = "assistant"
    dialect: str = ""
    created_ns: int | None = None


class PartStart(Event, frozen=True, gc=False, tag="part-start"):
    """A part opens. `tool_id` and `tool_name` are empty unless it is a tool call."""

    part: int
    kind: PartKind
    tool_id: str = ""
    tool_name: str = ""


class Text(Event, frozen=True, gc=False, tag="text"):
    """A piece of the answer's text."""

    part: int
    text: str


class Reasoning(Event, frozen=True, gc=False, tag="reasoning"):
    """A piece of what the model thought before it answered."""

    part: int
    text: str


class Refusal(Event, frozen=True, gc=False, tag="refusal"):
    """A piece of the text by which the model refuses to answer."""

    part: int
    text: str


class ToolArgs(Event, frozen=True, gc=False, tag="tool-args"):
    """A piece of the JSON text of a tool call's arguments; the pieces of a part, joined, are one JSON text.

    A dialect that sends the arguments as an object makes one piece of them, their compact JSON text.
    """

    part: int
    json_text: str


class PartEnd(Event, frozen=True, gc=False, tag="part-end"):
    """A part is complete.

    Attributes:
        signature: what the vendor wants back with this part in the next request, or empty.
        encrypted: reasoning that only the vendor can read, or empty.
    """

    part: int
    signature: str = ""
    encrypted: str = ""


class Usage(Event, frozen=True, gc=False, tag="usage"):
    """Token counts so far; a snapshot. `cached`, `cache_write` and `reasoning` are parts of the totals, never addends.

    Attributes:
        input_total: all tokens of the request, cached ones included.
        output_total: all tokens of the answer, reasoning included.
        load_ns, prompt_ns, eval_ns, total_ns: how long the server says that it took, where it says so.
    """

    input_total: int | None = None
    output_total: int | None = None
    cached: int | None = None
    cache_write: int | None = None
    reasoning: int | None = None
    load_ns: int | None = None
    prompt_ns: int | None = None
    eval_ns: int | None = None
    total_ns: int | None = None

    def updated(self, later: Usage) -> Usage:
        """Return the snapshot after `later`: its fields where it has them, this one's elsewhere."""
        fields = {name: getattr(later, name) for name in USAGE_FIELDS}
        merged = {name: getattr(self, name) if value is None else value for name, value in fields.items()}
        return Usage(**merged, choice=later.choice, extra={**self.extra, **later.extra})


USAGE_FIELDS: Final = (
    *("input_total", "output_total", "cached", "cache_write", "reasoning"),
    *("load_ns", "prompt_ns", "eval_ns", "total_ns"),
)


class Finish(Event, frozen=True, gc=False, tag="finish"):
    """The model stopped; all parts of this choice are complete. At most one a choice.

    Attributes:
        reason: why, in neutral words.
        raw_reason: why, in the vendor's word; empty where it has none.
        stop_sequence: the stop sequence that was hit, where the vendor says which.
    """

    reason: FinishReason
    raw_reason: str = ""
    stop_sequence: str = ""


class End(Event, frozen=True, gc=False, tag="end"):
    """The stream's own terminator was seen: nothing is missing."""


class Error(Event, frozen=True, gc=False, tag="error"):
    """The stream failed; nothing follows.

    Attributes:
        message: what happened, for people.
        type: the vendor's class of error ("overloaded_error"), or "truncated" for a stream that was cut.
        error_code: the vendor's code, as text; empty where it has none.
        status: the HTTP status that the vendor gives the error, or None.
    """

    message: str
    type: str = ""
    error_code: str = ""
    status: int | None = None


class Ping(Event, frozen=True, gc=False, tag="ping"):
    """A heartbeat, with the comment that carried it, if one did."""

    comment: str = ""


class Custom(Event, frozen=True, gc=False, tag="custom"):
    """Something between an application's two ends: AG-UI's CUSTOM and STATE_*, Vercel's `data-*`, `ui_control`."""

    name: str
    value: object = None


class Raw(Event, frozen=True, gc=False, tag="raw"):
    """A well-formed record that its dialect does not know. It goes to the same dialect as it came, and to no other.

    Attributes:
        dialect: the dialect's name.
        name: the SSE event's type, or empty.
        payload: the record's JSON text, as it came.
    """

    dialect: str
    name: str
    payload: str


EVENT_TYPES: Final[tuple[type[Event], ...]] = (
    *(Start, PartStart, Text, Reasoning, Refusal, ToolArgs, PartEnd),
    *(Usage, Finish, End, Error, Ping, Custom, Raw),
)
"""Every event's class."""
