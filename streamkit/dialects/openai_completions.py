"""OpenAI's older text completions (openai-python `types/completion*`), as vLLM and llama.cpp serve them still.

What it shares with chat is in `streamkit.dialects.openai`. A choice is a text and nothing else: reasoning and tool
calls are lost on the way here. Logprobs have a shape of their own, lists side by side. llama.cpp sends chat's shape
instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate
from typing import Any, Final

from streamkit.codecs.jsontext import encode_string
from streamkit.dialects.decoder import RecordError, list_of, object_of, text_of
from streamkit.dialects.dialect import Dialect
from streamkit.dialects.encoder import MARK, Template
from streamkit.dialects.events import Event, FinishReason, PartEnd, PartStart, Text
from streamkit.dialects.extra import logprobs_of
from streamkit.dialects.message import Choice, Message
from streamkit.dialects.openai import (
    FINISH_WORDS,
    OpenAIDecoder,
    OpenAIEncoder,
    S,
    error_object,
    failure_body,
    usage_object,
)
from streamkit.dialects.parts import NO_EXTRA, Extra, Parts
from streamkit.dialects.request_openai_completions import request_document

__all__ = ["DIALECT"]

OFFSETS: Final = "openai-completions.text_offset"
"""Where in the text each token of `logprobs` begins; chat has nothing like it."""

WORDS: Final[Mapping[FinishReason, str]] = {**FINISH_WORDS, "tool_calls": "stop"}


class OpenAICompletionsDecoder(OpenAIDecoder):
    """Frames to events."""

    name = "openai-completions"

    def take_choice(self, choice: dict[str, Any], parts: Parts, out: list[Event]) -> None:
        extra: Extra = NO_EXTRA
        if choice.get("logprobs"):
            extra = neutral_logprobs(object_of(choice, "logprobs"))
        parts.text(out, "text", text_of(choice, "text"), extra)


def neutral_logprobs(logprobs: dict[str, Any]) -> Extra:
    """Return the neutral form of the logprobs of a choice.

    The first token of an echoed prompt has none: null on the wire, and here.

    Raises:
        RecordError: they are not what they should be.
    """
    if logprobs.get("content"):
        return {"logprobs": logprobs_of(logprobs, "content")}
    values, tops = list_of(logprobs, "token_logprobs"), list_of(logprobs, "top_logprobs")
    found: list[object] = []
    for number, token in enumerate(list_of(logprobs, "tokens")):
        value = values[number] if number < len(values) else None
        top = tops[number] if number < len(tops) and tops[number] is not None else {}
        if not isinstance(token, str) or not isinstance(top, dict) or not is_logprob(value, *top.values()):
            msg = "logprobs are not lists of tokens, of numbers and of objects"
            raise RecordError(msg)
        others = [{"token": each, "logprob": its} for each, its in top.items()]
        found.append({"token": token, "logprob": value, "top_logprobs": others})
    extra: Extra = {"logprobs": found} if found else {}
    offsets = list_of(logprobs, "text_offset")
    return {**extra, OFFSETS: offsets} if found and offsets else extra


def is_logprob(*values: object) -> bool:
    """Whether all values are numbers or null."""
    return all(value is None or (isinstance(value, (int, float)) and not isinstance(value, bool)) for value in values)


class OpenAICompletionsEncoder(OpenAIEncoder):
    """Events to frames."""

    name = "openai-completions"
    chunk_object = "text_completion"
    id_prefix = "cmpl"
    finish_words = WORDS
    extras = OpenAIEncoder.extras | {"logprobs", OFFSETS}

    def _begin(self) -> None:
        super()._begin()
        self._templates: dict[int, Template] = {}
        self._offsets: dict[int, int] = {}

    def choice(self, index: int, fields: dict[str, object], finish_reason: str | None = None) -> dict[str, object]:
        return {"index": index, "text": "", "logprobs": None, "finish_reason": finish_reason, **fields}

    def on_text(self, event: Text, out: list[bytes]) -> None:
        if event.extra or self._opening:
            self._write_with_extra(event, out)
            return
        head, tail = self._template_of(event.choice)
        if not event.choice:
            self.text_frame = head, tail
        out.append(head + encode_string(event.text) + tail)

    def on_part_end(self, start: PartStart, end: PartEnd, out: list[bytes]) -> None:  # noqa: ARG002 - nothing is written
        for what, value in (("signature", end.signature), ("encrypted", end.encrypted)):
            if value:
                self.lose(what)

    def _template_of(self, choice: int) -> Template:
        template = self._templates.get(choice)
        if template is None:
            template = self._templates[choice] = self.template(self.chunk(self.choice(choice, {"text": MARK})))
        return template

    def _write_with_extra(self, event: Text, out: list[bytes]) -> None:
        fields: dict[str, object] = {"text": event.text}
        extra = {**event.extra}
        logprobs, offsets = extra.pop("logprobs", None), extra.pop(OFFSETS, None)
        if isinstance(logprobs, list):
            legacy = legacy_logprobs(logprobs, self._offsets.get(event.choice, 0))
            self._offsets[event.choice] = self._offsets.get(event.choice, 0) + sum(map(len, legacy["tokens"]))
            fields["logprobs"] = {**legacy, "text_offset": offsets} if offsets is not None else legacy
        self.put(self.choice(event.choice, fields), extra, out)


def legacy_logprobs(logprobs: list[Any], start: int) -> dict[str, list[Any]]:
    """Return the neutral list as lists side by side; the text of its tokens begins at character `start`."""
    tokens = [token if isinstance(token, dict) else {} for token in logprobs]
    texts = [str(token.get("token", "")) for token in tokens]
    return {
        "tokens": texts,
        "token_logprobs": [token.get("logprob") for token in tokens],
        "top_logprobs": [top_of(token.get("top_logprobs")) for token in tokens],
        "text_offset": [*accumulate(map(len, texts), initial=start)][:-1],
    }


def top_of(top: object) -> dict[str, object]:
    """Return the tokens that could have stood there, each with its logprob."""
    found = [each for each in top if isinstance(each, dict)] if isinstance(top, list) else []
    return {str(each.get("token", "")): each.get("logprob") for each in found}


def looks_like(value: object, name: str) -> bool:
    """Whether a record may be of this dialect."""
    if not isinstance(value, dict) or name != "message":
        return False
    if value.get("object"):
        return bool(value["object"] == "text_completion")
    choices = value.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    return isinstance(first, dict) and isinstance(first.get("text"), str) and "delta" not in first


def response(message: Message) -> object:
    """Return the non-streaming response; the `finish_reason` of a choice that has not finished is null."""
    body: dict[str, object] = {
        "id": message.id or "cmpl-0",
        "object": "text_completion",
        "created": (message.created_ns or 0) // S,
        "model": message.model,
        "choices": [choice_of(choice) for choice in message.choices or [Choice()]],
    }
    usage = usage_object(message.usage)
    if usage is not None:
        body["usage"] = usage
    if "system_fingerprint" in message.extra:
        body["system_fingerprint"] = message.extra["system_fingerprint"]
    return body if message.error is None else {**body, **error_object(message.error)}


def choice_of(choice: Choice) -> dict[str, object]:
    """Return one choice of the non-streaming response."""
    logprobs = [token for part in choice.parts for token in list_of(part.extra, "logprobs")]
    return {
        "index": choice.index,
        "text": "".join([part.text for part in choice.parts if part.kind in {"text", "refusal"}]),
        "logprobs": legacy_logprobs(logprobs, 0) if logprobs else None,
        "finish_reason": WORDS.get(choice.reason, "stop") if choice.reason else None,
    }


DIALECT = Dialect(
    name="openai-completions",
    summary="OpenAI's older text completions, and those of vLLM and llama.cpp.",
    decoder=OpenAICompletionsDecoder,
    encoder=OpenAICompletionsEncoder,
    carries=frozenset({"text", "choices", "logprobs", "usage", "finish", "error", "ping"}),
    looks_like=looks_like,
    document=response,
    failure=failure_body,
    request=request_document,
)
