"""OpenAI's chat completions, and the dialects of it that everybody else speaks (openai-python `types/chat`).

What it shares with the older completions is in `streamkit.dialects.openai`, tool calls are in `openai_calls`.

Reasoning is not in OpenAI's own schema: vendors call it `reasoning_content` or `reasoning`, OpenRouter adds
`reasoning_details`. All are read, one is written (`reasoning_key`). Mistral's list form of `content` is read too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from streamkit.codecs.jsontext import encode_string
from streamkit.dialects.call_ids import made_id
from streamkit.dialects.decoder import RecordError, list_of, object_of, text_of
from streamkit.dialects.dialect import Dialect
from streamkit.dialects.encoder import MARK, Template
from streamkit.dialects.events import Event, Finish, PartKind, PartStart, Reasoning, Refusal, Start, Text, ToolArgs
from streamkit.dialects.extra import attach, besides, logprobs_of, openai_logprobs
from streamkit.dialects.message import Choice, Message
from streamkit.dialects.openai import (
    FINISH_WORDS,
    MAX_CHOICE,
    OpenAIDecoder,
    OpenAIEncoder,
    S,
    error_object,
    failure_body,
    usage_object,
)
from streamkit.dialects.openai_calls import Calls
from streamkit.dialects.parts import Extra, Parts
from streamkit.dialects.request_openai_chat import request_document

__all__ = ["DIALECT"]

TEXT_CHOICE_KEYS: Final = frozenset({"index", "delta", "logprobs", "finish_reason"})

DELTA_KEYS: Final = frozenset(
    {"role", "content", "refusal", "tool_calls", "function_call", "reasoning_content", "reasoning"}
)
"""What a delta has and an event has a field for."""

TEXT_DELTA_KEYS: Final = frozenset({"role", "content"})
"""What the delta of a plain answer has."""


class OpenAIChatDecoder(OpenAIDecoder):
    """Frames to events."""

    name = "openai-chat"

    def _begin(self) -> None:
        super()._begin()
        self._calls: dict[int, Calls] = {}

    def _take(self, value: object, raw: str | bytes, name: str = "message", /) -> Sequence[Event]:
        # Nearly every chunk is another piece of the text that is open, and but for that like the first chunk. The
        # shortcut is only for them and says what `take` says, in two fifths of its time.
        parts = self.first
        if parts.kind == "text" and isinstance(value, dict) and name == "message":
            text = self._text_alone(value)
            if text and parts.current is not None:
                return (Text(parts.current, text),)
        return super()._take(value, raw, name)

    def _text_alone(self, chunk: dict[str, Any]) -> str | None:
        """Return the text of a chunk that has a text for the first choice and no other news, else None."""
        choices = chunk.get("choices")
        if type(choices) is not list or len(choices) != 1 or not chunk.keys() <= self.usual_keys:
            return None
        choice = choices[0]
        if chunk.get("usage") is not None or chunk.get("error") is not None or chunk.get("object") == "error":
            return None
        for key, value in self.usual.items():
            if chunk.get(key, value) != value:
                return None
        if type(choice) is not dict or not choice.keys() <= TEXT_CHOICE_KEYS or type(choice.get("index")) is not int:
            return None
        delta = choice.get("delta")
        if choice["index"] or type(delta) is not dict or len(delta) != 1:
            return None
        if choice.get("finish_reason") is not None or choice.get("logprobs") is not None:
            return None
        text = delta.get("content")
        return text if type(text) is str else None

    def take_choice(self, choice: dict[str, Any], parts: Parts, out: list[Event]) -> None:
        delta = object_of(choice, "delta")
        if not delta and choice.get("message") is not None:
            self.repair("message", "a choice has a whole message, where it should have a delta")
            delta = object_of(choice, "message")
        content = delta.get("content")
        if delta.keys() <= TEXT_DELTA_KEYS and type(content) is not list and choice.get("logprobs") is None:
            parts.text(out, "text", text_of(delta, "content"))  # as nearly all: none of what follows
            return
        place = len(out)
        parts.text(out, "reasoning", reasoning_of(delta))
        if isinstance(content, list):
            self._take_content(content, parts, out)
        else:
            parts.text(out, "text", text_of(delta, "content"))
        refusal_place = len(out)
        parts.text(out, "refusal", text_of(delta, "refusal"))
        if delta.get("tool_calls"):
            for fragment in list_of(delta, "tool_calls"):
                self._calls_of(parts).take(fragment, out)
        if delta.get("function_call"):
            self._calls_of(parts).take_legacy(object_of(delta, "function_call"), out)
        if choice.get("logprobs") is not None:
            logprobs = object_of(choice, "logprobs")
            self._take_logprobs(logprobs_of(logprobs, "refusal"), "refusal", refusal_place, parts, out)
            self._take_logprobs(logprobs_of(logprobs, "content"), parts.kind or "text", place, parts, out)
        if not delta.keys() <= DELTA_KEYS:
            more = besides(delta, DELTA_KEYS)
            self.left = {**self.left, "openai.delta": more} if more else self.left

    def before_finish(self, parts: Parts, out: list[Event]) -> None:
        calls = self._calls.get(parts.choice)
        if calls is not None and not parts.finished:
            calls.flush(out)

    def _take_logprobs(self, logprobs: object, kind: PartKind, place: int, parts: Parts, out: list[Event]) -> None:
        """Add log probabilities to the event at `place`, or to an empty piece: not every token is a character."""
        extra = {"logprobs": logprobs}
        if not logprobs or attach(out, place, extra):
            return
        if parts.current is None and parts.has_tool:  # no text is open, and none may break into a call
            self.left = {**self.left, **extra}
        else:
            parts.text(out, kind, "", extra)

    def _calls_of(self, parts: Parts) -> Calls:
        calls = self._calls.get(parts.choice)
        if calls is None or calls.parts is not parts:
            calls = self._calls[parts.choice] = Calls(parts, self.repair)
        return calls

    def _take_content(self, content: list[Any], parts: Parts, out: list[Event]) -> None:
        """Take Mistral's list of pieces, of which some are thoughts."""
        self.repair("content-list", "content came as a list of pieces, not as a string")
        for piece in content:
            if not isinstance(piece, dict):
                msg = "a piece of content is not an object"
                raise RecordError(msg)
            for thought in list_of(piece, "thinking"):
                parts.text(out, "reasoning", text_of(thought, "text") if isinstance(thought, dict) else "")
            parts.text(out, "text", text_of(piece, "text"))


def reasoning_of(delta: Mapping[str, Any]) -> str:
    """Return the reasoning, wherever its vendor puts it. Where it is in several places, it is the same."""
    return text_of(delta, "reasoning_content") or text_of(delta, "reasoning") or text_of_details(delta)


def text_of_details(delta: Mapping[str, Any]) -> str:
    """Return the text in OpenRouter's `reasoning_details`."""
    details = delta.get("reasoning_details")
    if not isinstance(details, list):
        return ""
    found = [detail for detail in details if isinstance(detail, dict)]
    return "".join([text_of(detail, "text") or text_of(detail, "summary") for detail in found])


class OpenAIChatEncoder(OpenAIEncoder):
    """Events to frames."""

    name = "openai-chat"
    chunk_object = "chat.completion.chunk"
    id_prefix = "chatcmpl"

    def _begin(self) -> None:
        super()._begin()
        self._templates: dict[tuple[int, str], Template] = {}
        self._tools: dict[tuple[int, int], int] = {}
        self._tool_counts: Counter[int] = Counter()
        self._opened: set[int] = set()

    def choice(self, index: int, fields: dict[str, object], finish_reason: str | None = None) -> dict[str, object]:
        return {"index": index, "delta": fields, "logprobs": None, "finish_reason": finish_reason}

    def on_start(self, start: Start, out: list[bytes]) -> None:
        super().on_start(start, out)
        if "usage" in self._opening:  # null, in all chunks but the last, for who asked for token counts
            self._head["usage"] = self._opening.pop("usage")
        self._open(0, out)
        self.text_frame = self._template_of(0, "content")

    def _open(self, choice: int, out: list[bytes]) -> None:
        """Write the chunk with the role, which is the first of every choice."""
        if choice not in self._opened:
            if not 0 <= choice <= MAX_CHOICE:
                msg = f"the index of a choice is not from 0 to {MAX_CHOICE}"
                raise ValueError(msg)
            self._opened.add(choice)
            self.record(out, self.chunk(self.choice(choice, {"role": "assistant", "content": ""})))

    def on_part_start(self, start: PartStart, out: list[bytes]) -> None:
        self._open(start.choice, out)
        if start.kind != "tool":
            return
        if start.extra.get("openai.function_call"):
            self._delta(start, {"function_call": {"name": start.tool_name, "arguments": ""}}, out)
            return
        index = self._tool_counts[start.choice]
        self._tool_counts[start.choice] += 1
        self._tools[start.choice, start.part] = index
        call_id = start.tool_id or made_id("call", self.id, start.choice, index)
        function = {"name": start.tool_name, "arguments": ""}
        call = {"index": index, "id": call_id, "type": "function", "function": function, **call_fields(start.extra)}
        self._delta(start, {"tool_calls": [call]}, out)

    def on_text(self, event: Text, out: list[bytes]) -> None:
        self._write_text("content", event, out)

    def on_reasoning(self, event: Reasoning, out: list[bytes]) -> None:
        self._write_text(self.reasoning_key, event, out)

    def on_refusal(self, event: Refusal, out: list[bytes]) -> None:
        self._write_text("refusal", event, out)

    def on_tool_args(self, event: ToolArgs, out: list[bytes]) -> None:
        self.part(event)
        index = self._tools.get((event.choice, event.part))
        function: object = {"arguments": event.json_text}
        delta: dict[str, object] = (
            {"function_call": function} if index is None else {"tool_calls": [{"index": index, "function": function}]}
        )
        self._delta(event, delta, out)

    def _write_text(self, key: str, event: Text | Reasoning | Refusal, out: list[bytes]) -> None:
        if event.extra:
            self._delta(event, {key: event.text} if event.text else {}, out)
            return
        head, tail = self._template_of(event.choice, key)
        out.append(head + encode_string(event.text) + tail)

    def _delta(self, event: Event, delta: dict[str, object], out: list[bytes]) -> None:
        """Write a chunk with one delta, and what of the event's `extra` belongs there."""
        self._put_with_logprobs(self.choice(event.choice, delta), event, out)

    def on_finish(self, finish: Finish, out: list[bytes]) -> None:
        self._put_with_logprobs(self.choice(finish.choice, {}, self.finish_word(finish)), finish, out)

    def _put_with_logprobs(self, choice: dict[str, object], event: Event, out: list[bytes]) -> None:
        if "logprobs" in event.extra:
            logprobs = openai_logprobs(event.extra["logprobs"])
            if logprobs is None:
                self.lose("logprobs")
            else:
                key = "refusal" if isinstance(event, Refusal) else "content"
                choice["logprobs"] = {"content": None, "refusal": None, key: logprobs}
        self.put(choice, event.extra, out)

    def _template_of(self, choice: int, key: str) -> Template:
        template = self._templates.get((choice, key))
        if template is None:
            template = self.template(self.chunk(self.choice(choice, {key: MARK})))
            self._templates[choice, key] = template
        return template


def call_fields(extra: Extra) -> dict[str, object]:
    """Return what a call has besides: Google's compatible endpoint puts its seal there, under `extra_content`."""
    fields = extra.get("openai.tool_call")
    return fields if isinstance(fields, dict) else {}


def looks_like(value: object, name: str) -> bool:
    """Whether a record may be of this dialect."""
    if not isinstance(value, dict) or name != "message":
        return False
    kind = value.get("object")
    if kind:
        return bool(kind == "chat.completion.chunk")
    choices = value.get("choices")
    if isinstance(choices, list):
        return not choices or (isinstance(choices[0], dict) and "delta" in choices[0])
    return isinstance(value.get("error"), (dict, str)) and "type" not in value


def response(message: Message) -> object:
    """Return the non-streaming response; the `finish_reason` of a choice that has not finished is null."""
    body: dict[str, object] = {
        "id": message.id or "chatcmpl-0",
        "object": "chat.completion",
        "created": (message.created_ns or 0) // S,
        "model": message.model,
        "choices": [choice_of(choice, message) for choice in message.choices or [Choice()]],
    }
    usage = usage_object(message.usage)
    if usage is not None:
        body["usage"] = usage
    body |= {key: message.extra[key] for key in ("service_tier", "system_fingerprint") if key in message.extra}
    return body if message.error is None else {**body, **error_object(message.error)}


def choice_of(choice: Choice, message: Message) -> dict[str, object]:
    """Return one choice of the non-streaming response."""
    body: dict[str, object] = {
        "role": "assistant",
        "content": choice.text or (None if choice.tool_calls or choice.refusal else ""),
        "refusal": choice.refusal or None,
    }
    if choice.reasoning:
        body["reasoning_content"] = choice.reasoning
    if choice.tool_calls:
        body["tool_calls"] = [
            {
                "id": call.tool_id or made_id("call", message.id or "chatcmpl-0", choice.index, index),
                "type": "function",
                "function": {"name": call.tool_name, "arguments": call.text or "{}"},
                **call_fields(call.extra),
            }
            for index, call in enumerate(choice.tool_calls)
        ]
    refused = [token for part in choice.parts if part.kind == "refusal" for token in list_of(part.extra, "logprobs")]
    other = [token for part in choice.parts if part.kind != "refusal" for token in list_of(part.extra, "logprobs")]
    logprobs = {"content": openai_logprobs(other) or None, "refusal": openai_logprobs(refused) or None}
    return {
        "index": choice.index,
        "message": body,
        "logprobs": logprobs if any(logprobs.values()) else None,
        "finish_reason": FINISH_WORDS.get(choice.reason) if choice.reason and message.complete else None,
    }


DIALECT = Dialect(
    name="openai-chat",
    summary="OpenAI's chat completions, and vLLM, llama.cpp, DeepSeek, Groq, OpenRouter, Azure, Cerebras.",
    decoder=OpenAIChatDecoder,
    encoder=OpenAIChatEncoder,
    carries=frozenset(
        {
            *("text", "reasoning", "refusal", "tools", "tool-fragments", "choices"),
            *("logprobs", "usage", "finish", "error", "ping"),
        }
    ),
    looks_like=looks_like,
    document=response,
    failure=failure_body,
    request=request_document,
)
