"""What OpenAI's two completion dialects share: SSE frames, chunks, counts, reasons, errors.

(openai-python's types; recordings of 14 vendors.) Data-only frames; `data: [DONE]` ends the stream. With
`stream_options.include_usage` a last chunk without choices has the token counts; other vendors put them on the chunk
that finishes, on every chunk, or on the first. An error mid-stream is a frame `{"error":{...}}`, for some a string.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from msgspec.structs import replace

from streamkit.codecs.jsontext import encode_value
from streamkit.dialects.decoder import Decoder, RecordError, count_of, list_of, text_of
from streamkit.dialects.encoder import Encoder
from streamkit.dialects.events import Error, Event, Finish, FinishReason, PartEnd, PartStart, Start, Usage
from streamkit.dialects.extra import attach, besides, unlike
from streamkit.dialects.failure import Failure
from streamkit.dialects.framing import DONE
from streamkit.dialects.openai_usage import S, is_number, nanoseconds, usage_object, usage_of
from streamkit.dialects.parts import NO_EXTRA, Extra, Parts

__all__ = [
    "FINISH_WORDS",
    "MAX_CHOICE",
    "OpenAIDecoder",
    "OpenAIEncoder",
    "S",
    "error_object",
    "failure_body",
    "finish_reason_of",
    "usage_object",
    "usage_of",
]

FAILURES: Final = {
    401: ("invalid_request_error", "invalid_api_key"),
    429: ("requests", "rate_limit_exceeded"),
}
"""The usual type and code of an error with one of these statuses. Of 429 the type is what there were too many of."""

FINISH_WORDS: Final[Mapping[FinishReason, str]] = {
    "stop": "stop",
    "stop_sequence": "stop",
    "length": "length",
    "context_overflow": "length",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
    "pause": "stop",
    "other": "stop",
}

REASONS: Final[Mapping[str, FinishReason]] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
    # What servers that speak this dialect say instead:
    "eos": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop_sequence",
    "max_tokens": "length",
    "model_length": "length",
    "abort": "cancelled",  # vLLM
    "error": "error",  # OpenRouter, Mistral
    "insufficient_system_resource": "error",  # DeepSeek
}

CHUNK_KEYS: Final = frozenset(
    {"id", "object", "created", "model", "choices", "usage", "obfuscation", "error", "timings"}
)
"""What a chunk has and an event has a field for, or what means nothing (`obfuscation` is random padding)."""

USUAL_KEYS: Final = frozenset({"id", "object", "created", "model", "choices", "usage", "obfuscation", "error"})

CHOICE_KEYS: Final = frozenset({"index", "delta", "message", "text", "logprobs", "finish_reason"})

PLAIN_KEYS: Final = ("service_tier", "system_fingerprint")

MAX_CHOICE: Final = 65_535

MAX_S: Final = 253_402_300_800
"""The year 10000."""


class OpenAIDecoder(Decoder):
    """Frames to events; a subclass says what a choice holds."""

    framings = ("sse",)
    terminator = "data: [DONE]"

    def _begin(self) -> None:
        super()._begin()
        self._usage: Usage | None = None
        self._opening: Extra = NO_EXTRA
        self._waits = False  # for the id: Azure's first chunk has neither an id nor a choice
        self.left: Extra = NO_EXTRA
        self.usual: dict[str, Any] = {}
        self.usual_keys = USUAL_KEYS

    @abstractmethod
    def take_choice(self, choice: dict[str, Any], parts: Parts, out: list[Event]) -> None:
        """Append what one choice of a chunk holds, but for its reason to stop.

        What it holds besides goes into `left`, and from there to the first of its events.
        """

    def before_finish(self, parts: Parts, out: list[Event]) -> None:
        """Append what was held of a choice that is about to finish."""

    def take(self, value: object, name: str, raw: str | bytes, out: list[Event]) -> None:
        if value is DONE:
            self.at_end(out)
            for parts in self.choices.values():
                self.before_finish(parts, out)
            self.end(out)
            return
        error = error_in(value, name)
        if error is not None:
            self._take_choices_before(value, out)
            self.error(out, *error_fields(error))
            return
        if not isinstance(value, dict) or ("choices" not in value and not value.get("usage")):
            self.unknown(out, name, raw)
            return
        choices = list_of(value, "choices")
        if value.get("choices") is None:
            self.repair("no-choices", "a chunk has no list of choices")
        extra = NO_EXTRA if value.keys() <= CHUNK_KEYS else extra_of(value)
        if self.started:
            self.left = unlike(extra, self._opening) if extra else NO_EXTRA
        else:
            self._opening = {**self._opening, **extra}
            if not choices and not value.get("id") and not value.get("usage") and not self._waits:
                self._waits = True
                return
            self._start(value, out)
        for choice in choices:
            self._take_choice(choice, out)
        usage = usage_of(value)
        if usage is not None and usage != self._usage:
            self._usage = usage
            if self.left:
                usage = replace(usage, extra={**usage.extra, **self.left})
                self.left = NO_EXTRA
            out.append(usage)
        if self.left:
            self.left = NO_EXTRA
            self.unknown(out, name, raw)

    def at_end(self, out: list[Event]) -> None:
        if self._waits and not self.started:
            self._start({}, out)

    def _start(self, chunk: dict[str, Any], out: list[Event]) -> None:
        self.usual = {key: value for key, value in chunk.items() if key not in USUAL_KEYS}
        self.usual_keys = USUAL_KEYS | self.usual.keys()
        created = chunk.get("created")
        created_ns = nanoseconds(created) if is_number(created) and 0 < created < MAX_S else None
        self.start(out, text_of(chunk, "id"), text_of(chunk, "model"), created_ns=created_ns, extra=self._opening)

    def _take_choice(self, choice: object, out: list[Event]) -> None:
        if not isinstance(choice, dict):
            msg = "a choice is not an object"
            raise RecordError(msg)
        parts = self.choice(self._index_of(choice))
        raw_reason = text_of(choice, "finish_reason")
        place = len(out)
        if not choice.keys() <= CHOICE_KEYS:
            more = besides(choice, CHOICE_KEYS)
            if more:
                self.left = {**self.left, "openai.choice": more}
        if not parts.finished:
            self.take_choice(choice, parts, out)
        elif goes_on(choice):
            self.repair("after-finish", "a choice went on after its finish_reason; that was dropped")
        if raw_reason and not parts.finished:
            self.before_finish(parts, out)
            stop = choice.get("stop_reason")  # vLLM: the stop string, or the number of a token
            reason = finish_reason_of(raw_reason)
            parts.finish(out, reason, raw_reason, stop_sequence=stop if isinstance(stop, str) else "")
        if self.left and attach(out, place, self.left):
            self.left = NO_EXTRA

    def _index_of(self, choice: dict[str, Any]) -> int:
        index = count_of(choice, "index")
        if index is None:
            self.repair("choice-index", "a choice has no index; it was taken for the first")
            return 0
        if not 0 <= index <= MAX_CHOICE:
            msg = f"a choice's index is not from 0 to {MAX_CHOICE}"
            raise RecordError(msg)
        return index

    def _take_choices_before(self, chunk: object, out: list[Event]) -> None:
        """Take what a chunk with an error says besides (OpenRouter), but for the reason to stop."""
        choices = chunk.get("choices") if isinstance(chunk, dict) else None
        if not isinstance(choices, list) or not isinstance(chunk, dict) or not choices:
            return
        if not self.started:
            self._start(chunk, out)
        for choice in choices:
            if isinstance(choice, dict):
                self._take_choice({**choice, "finish_reason": None}, out)


def goes_on(choice: dict[str, Any]) -> bool:
    """Whether a choice says anything but its role."""
    delta = choice.get("delta")
    said = [value for key, value in delta.items() if key != "role"] if isinstance(delta, dict) else []
    return any(said) or bool(choice.get("text"))


def extra_of(chunk: dict[str, Any]) -> Extra:
    """Return what a chunk has besides, by the keys of `extra`."""
    extra = besides(chunk, CHUNK_KEYS)
    groq = chunk.get("x_groq")
    more = besides(groq, {"usage"}) if isinstance(groq, dict) else None
    if more:
        extra["x_groq"] = more
    return {(key if key in PLAIN_KEYS else f"openai.{key}"): value for key, value in extra.items()}


def error_in(record: object, name: str) -> object | None:
    """Return the error that a record reports, or None if it reports none.

    By the rules that is an object under `error`. There are a string, an empty object, an `event: error` with the fields
    themselves, the same with `"object":"error"` (vLLM), and Groq's own place.
    """
    if not isinstance(record, dict):
        return record if name == "error" else None
    error = record.get("error")
    if error or (error is not None and error is not False and "choices" not in record):
        return error  # type: ignore[no-any-return]
    if name == "error" or record.get("object") == "error":
        return record
    groq = record.get("x_groq")
    return (groq.get("error") or None) if isinstance(groq, dict) else None


def error_fields(error: object) -> tuple[str, str, str, int | None]:
    """Return message, type, code and status of an error, which may be an object or a string."""
    if not isinstance(error, dict):
        return (error if isinstance(error, str) else encode_value(error).decode()), "", "", None
    code = error.get("code")
    message, kind = error.get("message"), error.get("type")
    status = code if isinstance(code, int) and 400 <= code < 600 else None
    return (
        message if isinstance(message, str) else encode_value(error).decode(),
        kind if isinstance(kind, str) else "",
        code if isinstance(code, str) else "" if code is None else encode_value(code).decode(),
        status,
    )


def finish_reason_of(raw_reason: str) -> FinishReason:
    """Return the neutral reason."""
    return REASONS.get(raw_reason, "other")


def error_object(error: Error) -> dict[str, object]:
    """Return an error as OpenAI writes it."""
    return {
        "error": {
            "message": error.message or error.type or "error",
            "type": error.type or "server_error",
            "param": None,
            "code": error.error_code or None,
        }
    }


def failure_body(failure: Failure) -> object:
    """Return the body of an error. What a client may mend is an `invalid_request_error`, or has a word of its own."""
    is_clients = failure.status < 500
    word, code = FAILURES.get(failure.status, ("invalid_request_error" if is_clients else "server_error", ""))
    return {
        "error": {
            "message": failure.message,
            "type": failure.type or word,
            "param": failure.param or None,
            "code": failure.error_code or ("" if failure.type else code) or None,
        }
    }


class OpenAIEncoder(Encoder):
    """Events to frames; a subclass says what a choice holds."""

    framings = ("sse",)
    many_choices = True
    finish_words = FINISH_WORDS
    extras = frozenset({"logprobs", *PLAIN_KEYS})
    family = "openai."

    chunk_object: ClassVar[str]
    """The value of `object` in every chunk."""
    id_prefix: ClassVar[str]
    """What an id begins with where the stream has none."""

    @abstractmethod
    def choice(self, index: int, fields: dict[str, object], finish_reason: str | None = None) -> dict[str, object]:
        """Return one choice of a chunk."""

    def on_start(self, start: Start, out: list[bytes]) -> None:  # noqa: ARG002 - the first delta opens the stream
        self.id = self.id or f"{self.id_prefix}-0"
        self._head: dict[str, object] = {
            "id": self.id,
            "object": self.chunk_object,
            "created": self.created_ns // S,
            "model": self.model,
            **plain_of(start.extra),
        }
        self._opening = self.own(start.extra)

    def chunk(self, *choices: dict[str, object], **more: object) -> dict[str, object]:
        """Return a chunk."""
        opening, self._opening = self._opening, {}
        return {**self._head, "choices": [*choices], **more, **opening}

    def put(self, choice: dict[str, object], extra: Extra, out: list[bytes]) -> None:
        """Write a chunk with one choice and what of an event's `extra` is written there."""
        if not extra:
            self.record(out, self.chunk(choice))
            return
        more = self.own(extra)
        in_choice, in_delta = more.pop("choice", None), more.pop("delta", None)
        more.pop("function_call", None)  # says how the call came, and is no field
        more.pop("tool_call", None)  # stands in the call
        if isinstance(in_choice, dict):
            choice = {**choice, **in_choice}
        delta = choice.get("delta")
        if isinstance(in_delta, dict) and isinstance(delta, dict):
            choice = {**choice, "delta": {**delta, **in_delta}}
        self.record(out, self.chunk(choice, **plain_of(extra), **more))

    def on_finish(self, finish: Finish, out: list[bytes]) -> None:
        self.put(self.choice(finish.choice, {}, self.finish_word(finish)), finish.extra, out)

    def on_end(self, out: list[bytes]) -> None:
        usage = usage_object(self.usage) if self.include_usage else None
        if usage is not None:
            more = self.own(self.usage.extra)
            more.pop("usage", None)
            self.record(out, {**self.chunk(), **plain_of(self.usage.extra), **more, "usage": usage})
        out.append(self.frame.record(b"[DONE]"))

    def on_part_end(self, start: PartStart, end: PartEnd, out: list[bytes]) -> None:  # noqa: ARG002 - as declared
        if end.signature:
            self.lose("signature")
        if end.encrypted:
            self.lose("encrypted")

    def on_error(self, error: Error, out: list[bytes]) -> None:
        self.record(out, error_object(error))


def plain_of(extra: Extra) -> dict[str, object]:
    """Return what of `extra` has the same name in a chunk."""
    return {key: extra[key] for key in PLAIN_KEYS if key in extra}
