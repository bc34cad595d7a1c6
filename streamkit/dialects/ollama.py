"""What Ollama's two dialects share: times, counts, reasons, tool calls, and the first and last record of a stream.

(ollama/ollama `api/types.go`, `docs/api/*.mdx`.) Durations are in ns; a count or duration of zero is left out on the
wire, so an absent one means zero or unknown. Tool calls come whole, their arguments as an object, and the reason to
stop stays "stop" after them. An error mid-stream is a line `{"error":"..."}` after a 200. There is no heartbeat and no
second choice.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar, Final

from msgspec.structs import replace

from streamkit.codecs.jsontext import decode, encode_string, encode_value
from streamkit.dialects.arrange import WholeCalls
from streamkit.dialects.decoder import Decoder, RecordError, count_of, list_of, text_of
from streamkit.dialects.encoder import MARK, Encoder
from streamkit.dialects.events import (
    Error,
    Event,
    FinishReason,
    PartStart,
    Reasoning,
    Start,
    Text,
    ToolArgs,
    Usage,
)
from streamkit.dialects.message import Message, Part
from streamkit.dialects.parts import NO_EXTRA, Extra

__all__ = ["OllamaDecoder", "OllamaEncoder", "created_ns_of", "document", "is_error", "rfc3339", "tool_call"]

NS: Final = 1_000_000_000

COUNTS: Final = {
    "total_duration": "total_ns",
    "load_duration": "load_ns",
    "prompt_eval_count": "input_total",
    "prompt_eval_duration": "prompt_ns",
    "eval_count": "output_total",
    "eval_duration": "eval_ns",
}
"""Ollama's names, in the order in which it writes them, and the neutral ones."""

FINISH_WORDS: Final[Mapping[FinishReason, str]] = {
    "stop": "stop",
    "stop_sequence": "stop",
    "length": "length",
    "context_overflow": "length",
    "tool_calls": "stop",
    "content_filter": "stop",
    "pause": "stop",
    "other": "stop",
}

NO_USAGE: Final = Usage()

SHARED_KEYS: Final = frozenset({"model", "created_at", "logprobs", "done", "done_reason", *COUNTS})

_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?(Z|[+-]\d\d:\d\d)")


class OllamaDecoder(Decoder):
    """Lines to events; a subclass says where in a record the text is."""

    framings = ("ndjson",)
    terminator = '"done":true'

    known_keys: ClassVar[frozenset[str]]
    """The keys of a record that mean something here; others are kept in `extra`."""

    @abstractmethod
    def body(self, record: dict[str, Any]) -> tuple[Mapping[str, Any] | None, str]:
        """Return the object that has the text, and the key of the text in it; None if the record is another kind.

        Raises:
            RecordError: it is no object.
        """

    def take(self, value: object, name: str, raw: str | bytes, out: list[Event]) -> None:
        if not isinstance(value, dict):
            self.unknown(out, name, raw)
            return
        if "error" in value:
            message = value["error"]
            self.error(out, message if isinstance(message, str) else encode_value(message).decode())
            return
        body, text_key = self.body(value)
        done = value.get("done")
        if body is None and done is not True:
            self.unknown(out, name, raw)
            return
        extra = NO_EXTRA if value.keys() <= self.known_keys else self._extra(value)
        if not self.started:
            opening = NO_EXTRA if done is True else extra
            self.start(
                out,
                model=text_of(value, "model"),
                created_ns=created_ns_of(value.get("created_at")),
                extra=opening,
            )
            extra = NO_EXTRA if opening else extra
        parts = self.choice(0)
        if body is not None:
            parts.text(out, "reasoning", text_of(body, "thinking"))
            text_extra = extra if done is not True else NO_EXTRA
            if value.get("logprobs") is not None:
                text_extra = {**text_extra, "logprobs": list_of(value, "logprobs")}
            parts.text(out, "text", text_of(body, text_key), text_extra)
            if body.get("tool_calls"):
                self._take_calls(list_of(body, "tool_calls"), out)
        if done is True:
            usage = usage_of(value)
            if usage is not None:
                out.append(usage)
            raw_reason = text_of(value, "done_reason")
            parts.finish(out, finish_reason_of(raw_reason), raw_reason, extra=extra)
            self.end(out)

    def _extra(self, record: dict[str, Any]) -> Extra:
        return {f"ollama.{key}": value for key, value in record.items() if key not in self.known_keys}

    def _take_calls(self, calls: list[Any], out: list[Event]) -> None:
        parts = self.choice(0)
        for call in calls:
            function = call.get("function") if isinstance(call, dict) else None
            if not isinstance(function, dict):
                msg = "a tool call without a function"
                raise RecordError(msg)
            arguments = function.get("arguments")
            if isinstance(arguments, str):
                self.repair("arguments-text", "the arguments of a tool call came as a string, not as an object")
                json_text = arguments
            else:
                json_text = encode_value(arguments or {}).decode()
            parts.whole_tool(out, text_of(call, "id"), text_of(function, "name"), json_text)


def created_ns_of(text: object) -> int | None:
    """Return an RFC 3339 time as ns since 1970, or None if it is none."""
    found = _TIME.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        return None
    try:
        moment = datetime.fromisoformat(found[1] + found[3].replace("Z", "+00:00"))
    except ValueError:
        return None
    return int(moment.timestamp()) * NS + int((found[2] or "").ljust(9, "0"))


def rfc3339(created_ns: int) -> str:
    """Return ns since 1970 as an RFC 3339 time in UTC, all nine digits of the fraction written."""
    seconds, fraction = divmod(created_ns, NS)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{fraction:09d}Z"


def usage_of(record: dict[str, Any]) -> Usage | None:
    """Return the counts of a closing record, or None if it has none.

    Raises:
        RecordError: one is no integer.
    """
    counts = {field: count_of(record, key) for key, field in COUNTS.items() if key in record}
    return replace(NO_USAGE, **counts) if counts else None


def finish_reason_of(raw_reason: str) -> FinishReason:
    """Return the neutral reason; tool calls end in "stop" too, which the parts seen so far put right."""
    if raw_reason in {"stop", ""}:
        return "stop"
    return "length" if raw_reason == "length" else "other"


class OllamaEncoder(Encoder):
    """Events to lines; a subclass says where in a record the text is."""

    framings = ("ndjson",)
    arranger = WholeCalls
    finish_words = FINISH_WORDS
    extras = frozenset({"logprobs"})
    family = "ollama."

    @abstractmethod
    def body(self, fields: dict[str, object]) -> dict[str, object]:
        """Return the part of a record that has the text; `fields` are `content`, `thinking` or `tool_calls`."""

    def on_start(self, start: Start, out: list[bytes]) -> None:  # noqa: ARG002 - there is no opening record
        self._head = {"model": self.model, "created_at": rfc3339(self.created_ns)}
        self._start_extra = self.own(start.extra)
        self.text_frame = self.template(self._line({"content": MARK}))
        self._thinking = self.template({**self._line({"content": "", "thinking": MARK})})
        self._calls = 0
        self._called: PartStart | None = None

    def _line(self, fields: dict[str, object], **more: object) -> dict[str, object]:
        return {**self._head, **self.body(fields), **more, "done": False}

    def on_text(self, event: Text, out: list[bytes]) -> None:
        if event.extra:
            extra: dict[str, object] = self.own(event.extra)
            if "logprobs" in event.extra:
                extra["logprobs"] = event.extra["logprobs"]
            self.record(out, self._line({"content": event.text}, **extra))
        else:
            self.record(out, self._line({"content": event.text}))

    def on_reasoning(self, event: Reasoning, out: list[bytes]) -> None:
        head, tail = self._thinking
        out.append(head + encode_string(event.text) + tail)

    def on_tool_args(self, event: ToolArgs, out: list[bytes]) -> None:
        start = self.part(event)
        call = tool_call(start.tool_id, start.tool_name, decode(event.json_text), self._calls)
        self._calls += 1
        self.record(out, self._line({"content": "", "tool_calls": [call]}))

    def on_end(self, out: list[bytes]) -> None:
        finish = self.finish_event
        usage = self.usage if self.include_usage else Usage()
        closing = {**closing_fields(self.finish_word(finish), usage), **self.own(finish.extra)}
        self.record(out, {**self._line({"content": ""}), "done": True, **closing})

    def on_error(self, error: Error, out: list[bytes]) -> None:
        self.record(out, {"error": error.message or error.type or "error"})


def tool_call(tool_id: str, tool_name: str, arguments: object, index: int) -> dict[str, object]:
    """Return a tool call as Ollama writes it."""
    call: dict[str, object] = {"id": tool_id} if tool_id else {}
    return {**call, "function": {"index": index, "name": tool_name, "arguments": arguments}}


def closing_fields(done_reason: str, usage: Usage) -> dict[str, object]:
    """Return the fields that only the last record has, zeros and unknown ones left out as Ollama does."""
    counts = {key: getattr(usage, field) for key, field in COUNTS.items()}
    return {"done_reason": done_reason, **{key: count for key, count in counts.items() if count}}


def document(message: Message, body: dict[str, object]) -> dict[str, object]:
    """Return the non-streaming response whose text is in `body`; one that is not complete has `"done":false`."""
    head = {"model": message.model, "created_at": rfc3339(message.created_ns or 0), **body}
    if not message.complete:
        return {**head, "done": False}
    return {**head, "done": True, **closing_fields(FINISH_WORDS.get(message.reason or "other", "stop"), message.usage)}


def tool_calls_of(calls: list[Part]) -> list[dict[str, object]]:
    """Return the tool calls of a finished message."""
    return [tool_call(call.tool_id, call.tool_name, call.arguments or {}, index) for index, call in enumerate(calls)]


def is_error(value: object) -> bool:
    """Whether a record is Ollama's error line."""
    return isinstance(value, dict) and value.keys() == {"error"} and isinstance(value["error"], str)
