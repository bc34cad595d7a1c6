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
from streamkit.dialects.arrange import CUT_REASONS, WholeCalls
from streamkit.dialects.decoder import Decoder, RecordError, count_of, list_of, text_of
from streamkit.dialects.encoder import MARK, Encoder
from streamkit.dialects.events import (
    Error,
    Event,
    FinishReason,
    PartEnd,
    PartStart,
    Reasoning,
    Start,
    Text,
    ToolArgs,
    Usage,
)
from streamkit.dialects.extra import attach, besides, logprobs_of, ollama_logprobs, unlike
from streamkit.dialects.failure import Failure
from streamkit.dialects.message import Message
from streamkit.dialects.parts import NO_EXTRA, Extra
from streamkit.errors import EncodeError

__all__ = [
    "OllamaDecoder",
    "OllamaEncoder",
    "created_ns_of",
    "document",
    "failure_body",
    "is_error",
    "rfc3339",
    "tool_calls_of",
]

NS: Final = 1_000_000_000

MAX_NS: Final = 253_402_300_800 * NS
"""The year 10000."""

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

SHARED_KEYS: Final = frozenset({"model", "created_at", "logprobs", "done", "done_reason", "error", *COUNTS})

MESSAGE_KEYS: Final = frozenset({"role", "content", "thinking", "tool_calls"})

_TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,9})[0-9]*+)?(Z|[+-][0-9]{2}:[0-9]{2})",
    re.IGNORECASE,
)


class OllamaDecoder(Decoder):
    """Lines to events; a subclass says where in a record the text is."""

    framings = ("ndjson",)
    terminator = '"done":true'

    known_keys: ClassVar[frozenset[str]]
    """The keys of a record that mean something here; others are kept in `extra`."""

    def _begin(self) -> None:
        super()._begin()
        self._opening: Extra = NO_EXTRA

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
        if value.get("error") is not None:
            self.error(out, error_message(value["error"]))
            return
        body, text_key = self.body(value)
        done = value.get("done")
        if body is None and done is not True:
            self.unknown(out, name, raw)
            return
        extra = NO_EXTRA if value.keys() <= self.known_keys else self._extra(value)
        if not self.started:
            self._opening = NO_EXTRA if done is True else extra
            self.start(
                out,
                model=text_of(value, "model"),
                created_ns=created_ns_of(value.get("created_at")),
                extra=self._opening,
            )
        if extra is not NO_EXTRA:
            extra = unlike(extra, self._opening)
        parts = self.choice(0)
        if body is not None:
            place = len(out)
            parts.text(out, "reasoning", text_of(body, "thinking"))
            parts.text(out, "text", text_of(body, text_key))
            if body.get("tool_calls"):
                self._take_calls(list_of(body, "tool_calls"), out)
            if extra or len(body) > 2 or "logprobs" in value:
                extra = self._take_more(value, body, extra, place, out)
                if extra and done is not True:
                    self.unknown(out, name, raw)
        if done is True:
            usage = usage_of(value)
            if usage is not None:
                out.append(usage)
            raw_reason = text_of(value, "done_reason")
            parts.finish(out, finish_reason_of(raw_reason), raw_reason, extra=extra)
            self.end(out)

    def _take_more(
        self, record: dict[str, Any], body: Mapping[str, Any], extra: Extra, place: int, out: list[Event]
    ) -> Extra:
        """Add what a record has besides to its first event, which is at `place`; return what is left over.

        Of the last record only the log probabilities belong to what was said, the rest to the end.
        """
        if body is not record and not body.keys() <= MESSAGE_KEYS:
            more = besides(body, MESSAGE_KEYS)
            extra = {**extra, "ollama.message": more} if more else extra
        left: Extra = NO_EXTRA
        if record.get("done") is True:
            extra, left = NO_EXTRA, extra
        logprobs = logprobs_of(record, "logprobs")
        if logprobs:
            extra = {**extra, "logprobs": logprobs}
        if not extra or attach(out, place, extra):
            return left
        if logprobs:  # a token that is no whole character yet, for instance
            parts = self.choice(0)
            parts.text(out, parts.kind or "text", "", extra)
            return left
        return extra

    def _extra(self, record: dict[str, Any]) -> Extra:
        return {f"ollama.{key}": value for key, value in besides(record, self.known_keys).items()}

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


def error_message(error: object) -> str:
    """Return an error's message; proxies write it as an object."""
    if isinstance(error, dict) and isinstance(error.get("message"), str):
        error = error["message"]
    return error if isinstance(error, str) else encode_value(error).decode()


def created_ns_of(text: object) -> int | None:
    """Return an RFC 3339 time as ns since 1970, or None if it is none, or before 1970 as Go's zero time is."""
    found = _TIME.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        return None
    try:
        moment = datetime.fromisoformat(f"{found[1]}{found[3]}".upper())
    except ValueError:
        return None
    seconds = int(moment.timestamp())
    return seconds * NS + int((found[2] or "").ljust(9, "0")) if seconds >= 0 else None


def rfc3339(created_ns: int) -> str:
    """Return ns since 1970 as an RFC 3339 time in UTC, all nine digits of the fraction written.

    A time after the year 9999 has no such form, one before 1970 is nonsense here: 1970 is written for both.
    """
    seconds, fraction = divmod(created_ns if 0 <= created_ns < MAX_NS else 0, NS)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{fraction:09d}Z"


def usage_of(record: dict[str, Any]) -> Usage | None:
    """Return the counts of a closing record, or None if it has none.

    Raises:
        RecordError: one is no integer.
    """
    counts = {field: count_of(record, key) for key, field in COUNTS.items() if record.get(key) is not None}
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
        self.is_own = start.dialect.startswith("ollama-")  # both have the same words
        self._head = {"model": self.model, "created_at": rfc3339(self.created_ns), **self.own(start.extra)}
        self.text_frame = self.template(self._line({"content": MARK}))
        self._thinking = self.template(self._line({"content": "", "thinking": MARK}))
        self._calls = 0

    def _line(self, fields: dict[str, object], extra: Extra = NO_EXTRA) -> dict[str, object]:
        """Return a record with these fields and what of `extra` this dialect writes."""
        more = self.own(extra) if extra else {}
        message = more.pop("message", None)
        if isinstance(message, dict):
            fields = {**message, **fields}
        if "logprobs" in extra:
            logprobs = ollama_logprobs(extra["logprobs"])
            if logprobs is None:
                self.lose("logprobs")
            else:
                more["logprobs"] = logprobs
        return {**self._head, **self.body(fields), **more, "done": False}

    def on_text(self, event: Text, out: list[bytes]) -> None:
        self.record(out, self._line({"content": event.text}, event.extra))

    def on_reasoning(self, event: Reasoning, out: list[bytes]) -> None:
        if event.extra:
            self.record(out, self._line({"content": "", "thinking": event.text}, event.extra))
        else:
            head, tail = self._thinking
            out.append(head + encode_string(event.text) + tail)

    def on_tool_args(self, event: ToolArgs, out: list[bytes]) -> None:
        start = self.part(event)
        call = tool_call(start.tool_id, start.tool_name, decode(event.json_text), self._calls)
        self._calls += 1
        self.record(out, self._line({"content": "", "tool_calls": [call]}, {**start.extra, **event.extra}))

    def on_end(self, out: list[bytes]) -> None:
        finish = self.finish_event
        usage = self.usage if self.include_usage else Usage()
        closing = closing_fields(self.finish_word(finish), usage)
        self.record(out, {**self._line({"content": ""}, finish.extra), "done": True, **closing})

    def on_part_end(self, start: PartStart, end: PartEnd, out: list[bytes]) -> None:  # noqa: ARG002 - as declared
        if end.signature:
            self.lose("signature")
        if end.encrypted:
            self.lose("encrypted")

    def on_error(self, error: Error, out: list[bytes]) -> None:
        self.record(out, {"error": error.message or error.type or "error"})


def failure_body(failure: Failure) -> object:
    """Return the body of an error; it is a sentence and nothing else."""
    return {"error": failure.message}


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
    word = FINISH_WORDS.get(message.reason or "other")
    if not message.complete or word is None:
        return {**head, "done": False}
    return {**head, "done": True, **closing_fields(word, message.usage)}


def tool_calls_of(message: Message) -> list[dict[str, object]]:
    """Return the tool calls of a finished message. A call that was cut short with the message is left out.

    Raises:
        EncodeError: the arguments of a call are no object, though nothing was cut.
    """
    calls: list[dict[str, object]] = []
    for call in message.tool_calls:
        arguments = call.arguments
        if arguments is not None:
            calls.append(tool_call(call.tool_id, call.tool_name, arguments, len(calls)))
        elif message.complete and message.reason not in CUT_REASONS:
            msg = f"the arguments of the call of {call.tool_name!r} are no JSON object"
            raise EncodeError(msg, stage="ollama")
    return calls


def is_error(value: object) -> bool:
    """Whether a record is Ollama's error line."""
    return isinstance(value, dict) and value.keys() == {"error"} and isinstance(value["error"], str)
