"""What OpenAI's two completion dialects share: SSE frames, chunks, counts, reasons, errors.

(openai-python's types; recordings of 14 vendors.) Data-only frames; `data: [DONE]` ends the stream. With
`stream_options.include_usage` a last chunk without choices has the token counts; other vendors put them on the chunk
that finishes, on every chunk, or on the first. An error mid-stream is a frame `{"error":{...}}`, for some a string.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from streamkit.codecs.jsontext import encode_value
from streamkit.dialects.decoder import Decoder, RecordError, count_of, list_of, object_of, text_of
from streamkit.dialects.encoder import Encoder
from streamkit.dialects.events import Error, Event, Finish, FinishReason, Start, Usage
from streamkit.dialects.framing import DONE
from streamkit.dialects.parts import NO_EXTRA, Extra, Parts

__all__ = [
    "FINISH_WORDS",
    "OpenAIDecoder",
    "OpenAIEncoder",
    "error_object",
    "finish_reason_of",
    "usage_object",
    "usage_of",
]

MS: Final = 1_000_000

S: Final = 1_000_000_000

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
    {"id", "object", "created", "model", "choices", "usage", "obfuscation", "error", "timings", "x_groq"}
)
"""What a chunk has and an event has a field for, or what means nothing (`obfuscation` is random padding)."""

PLAIN_KEYS: Final = frozenset({"system_fingerprint", "service_tier"})


class OpenAIDecoder(Decoder):
    """Frames to events; a subclass says what a choice holds."""

    framings = ("sse",)
    terminator = "data: [DONE]"

    def _begin(self) -> None:
        super()._begin()
        self._usage: Usage | None = None
        self._early: Extra = NO_EXTRA

    @abstractmethod
    def take_choice(self, choice: dict[str, Any], parts: Parts, out: list[Event]) -> None:
        """Append what one choice of a chunk holds, but for its reason to stop."""

    def take(self, value: object, name: str, raw: str | bytes, out: list[Event]) -> None:
        if value is DONE:
            self.end(out)
            return
        if not isinstance(value, dict):
            self.unknown(out, name, raw)
            return
        if value.get("error"):
            self.error(out, *error_fields(value["error"]))
            return
        if "choices" not in value and not value.get("usage"):
            self.unknown(out, name, raw)
            return
        if "choices" not in value or value["choices"] is None:
            self.repair("no-choices", "a chunk has no list of choices")
        extra = NO_EXTRA if value.keys() <= CHUNK_KEYS else extra_of(value)
        if not self.started:
            extra = self._early = {**self._early, **extra}
            if not (value.get("id") or value.get("choices") or value.get("usage")):
                return  # Azure's first chunk is about the prompt; the next one has the id and the model
            created = count_of(value, "created")
            created_ns = created * S if created else None
            self.start(out, text_of(value, "id"), text_of(value, "model"), created_ns=created_ns, extra=extra)
            extra = NO_EXTRA
        for choice in list_of(value, "choices"):
            if not isinstance(choice, dict):
                msg = "a choice is not an object"
                raise RecordError(msg)
            self._take_choice(choice, extra, out)
        usage = usage_of(value)
        if usage is not None and usage != self._usage:
            self._usage = usage
            out.append(usage)

    def _take_choice(self, choice: dict[str, Any], extra: Extra, out: list[Event]) -> None:
        index = count_of(choice, "index")
        if index is None:
            self.repair("choice-index", "a choice has no index; it was taken for the first")
            index = 0
        parts = self.choice(index)
        raw_reason = text_of(choice, "finish_reason")
        if not parts.finished:
            self.take_choice(choice, parts, out)
        else:
            ignored: list[Event] = []
            self.take_choice(choice, Parts(index), ignored)
            if ignored:
                self.repair("after-finish", "a choice went on after its finish_reason; that was dropped")
        if raw_reason and not parts.finished:
            stop = choice.get("stop_reason")  # vLLM: the stop string, or the number of a token
            reason = REASONS.get(raw_reason, "other")
            stop_sequence = stop if isinstance(stop, str) else ""
            parts.finish(out, reason, raw_reason, stop_sequence=stop_sequence, extra=extra)


def extra_of(chunk: dict[str, Any]) -> Extra:
    """Return what a chunk has besides, by the keys of `extra`."""
    return {
        (key if key in PLAIN_KEYS else f"openai.{key}"): value
        for key, value in chunk.items()
        if key not in CHUNK_KEYS and value is not None
    }


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
        "" if code is None else str(code),
        status,
    )


def usage_of(chunk: dict[str, Any]) -> Usage | None:
    """Return a chunk's counts wherever its vendor puts them, or None if it has none.

    Raises:
        RecordError: one of them is no integer.
    """
    usage = object_of(chunk, "usage") or object_of(object_of(chunk, "x_groq"), "usage")
    timings = object_of(chunk, "timings")  # llama.cpp
    if not usage and not timings:
        return None
    cached = count_of(object_of(usage, "prompt_tokens_details"), "cached_tokens")
    if cached is None:
        cached = count_of(usage, "prompt_cache_hit_tokens")  # DeepSeek
    return Usage(
        input_total=count_of(usage, "prompt_tokens"),
        output_total=count_of(usage, "completion_tokens"),
        cached=cached,
        cache_write=count_of(object_of(usage, "prompt_tokens_details"), "cache_write_tokens"),
        reasoning=count_of(object_of(usage, "completion_tokens_details"), "reasoning_tokens"),
        prompt_ns=milliseconds(timings.get("prompt_ms")),
        eval_ns=milliseconds(timings.get("predicted_ms")),
    )


def milliseconds(value: object) -> int | None:
    """Return milliseconds as ns, or None if it is no number."""
    return round(value * MS) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def finish_reason_of(raw_reason: str) -> FinishReason:
    """Return the neutral reason."""
    return REASONS.get(raw_reason, "other")


def usage_object(usage: Usage) -> dict[str, object] | None:
    """Return token counts as OpenAI writes them, or None if none are known."""
    if usage.input_total is None and usage.output_total is None:
        return None
    prompt, completion = usage.input_total or 0, usage.output_total or 0
    counts: dict[str, object] = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }
    if usage.cached is not None or usage.cache_write is not None:
        details = {"cached_tokens": usage.cached, "cache_write_tokens": usage.cache_write}
        counts["prompt_tokens_details"] = {key: count for key, count in details.items() if count is not None}
    if usage.reasoning is not None:
        counts["completion_tokens_details"] = {"reasoning_tokens": usage.reasoning}
    return counts


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
            **{key: start.extra[key] for key in start.extra.keys() & PLAIN_KEYS},
        }
        self._opening = self.own(start.extra)

    def chunk(self, *choices: dict[str, object], **more: object) -> dict[str, object]:
        """Return a chunk."""
        opening, self._opening = self._opening, {}
        return {**self._head, "choices": [*choices], **more, **opening}

    def on_finish(self, finish: Finish, out: list[bytes]) -> None:
        choice = self.choice(finish.choice, {}, self.finish_word(finish))
        self.record(out, self.chunk(choice, **self.own(finish.extra)))

    def on_end(self, out: list[bytes]) -> None:
        usage = usage_object(self.usage) if self.include_usage else None
        if usage is not None:
            self.record(out, self.chunk(usage=usage))
        out.append(self.frame.record(b"[DONE]"))

    def on_error(self, error: Error, out: list[bytes]) -> None:
        self.record(out, error_object(error))
