"""OpenAI's chat completions, and the dialects of it that everybody else speaks (openai-python `types/chat`).

What it shares with the older completions is in `streamkit.dialects.openai`, tool calls are in `openai_calls`.

Reasoning is not in OpenAI's own schema: vendors call it `reasoning_content` or `reasoning`, OpenRouter adds
`reasoning_details`. All are read, one is written (`reasoning_key`). Mistral's list form of `content` is read too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from streamkit.codecs.jsontext import encode_string
from streamkit.dialects.decoder import RecordError, list_of, object_of, text_of
from streamkit.dialects.dialect import Dialect
from streamkit.dialects.encoder import MARK, Template
from streamkit.dialects.events import Event, PartStart, Reasoning, Refusal, Start, Text, ToolArgs
from streamkit.dialects.message import Choice, Message
from streamkit.dialects.openai import FINISH_WORDS, OpenAIDecoder, OpenAIEncoder, S, error_object, usage_object
from streamkit.dialects.openai_calls import Calls
from streamkit.dialects.parts import NO_EXTRA, Extra, Parts

__all__ = ["DIALECT"]

DELTA_KEYS: Final = frozenset(
    {"role", "content", "refusal", "tool_calls", "function_call", "reasoning_content", "reasoning"}
)


class OpenAIChatDecoder(OpenAIDecoder):
    """Frames to events."""

    name = "openai-chat"

    def _begin(self) -> None:
        super()._begin()
        self._calls: dict[int, Calls] = {}

    def take_choice(self, choice: dict[str, Any], parts: Parts, out: list[Event]) -> None:
        delta = object_of(choice, "delta")
        reasoning = text_of(delta, "reasoning_content") or text_of(delta, "reasoning")
        parts.text(out, "reasoning", reasoning or text_of_details(delta))
        logprobs = object_of(choice, "logprobs")
        content = delta.get("content")
        if isinstance(content, list):
            self._take_content(content, parts, out)
            content = ""
        elif not isinstance(content, str | None):
            msg = "content is not a string"
            raise RecordError(msg)
        extra: Extra = NO_EXTRA
        if logprobs.get("content"):
            extra = {"logprobs": list_of(logprobs, "content")}
        if not delta.keys() <= DELTA_KEYS:
            more = {key: value for key, value in delta.items() if key not in DELTA_KEYS and value is not None}
            extra = {**extra, "openai.delta": more} if more else extra
        parts.text(out, "text", content or "", extra)
        refused: Extra = {"logprobs": list_of(logprobs, "refusal")} if logprobs.get("refusal") else NO_EXTRA
        parts.text(out, "refusal", text_of(delta, "refusal"), refused)
        if delta.get("tool_calls"):
            for fragment in list_of(delta, "tool_calls"):
                self._calls_of(parts).take(fragment, out)
        if delta.get("function_call"):
            self._calls_of(parts).take_legacy(object_of(delta, "function_call"), out)

    def _calls_of(self, parts: Parts) -> Calls:
        calls = self._calls.get(parts.choice)
        if calls is None or parts.finished:
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


def text_of_details(delta: Mapping[str, Any]) -> str:
    """Return the text in OpenRouter's `reasoning_details`, where it is not in `reasoning` too."""
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
        self._opened: set[int] = set()

    def choice(self, index: int, fields: dict[str, object], finish_reason: str | None = None) -> dict[str, object]:
        return {"index": index, "delta": fields, "logprobs": None, "finish_reason": finish_reason}

    def on_start(self, start: Start, out: list[bytes]) -> None:
        super().on_start(start, out)
        self._open(0, out)
        self.text_frame = self._template_of(0, "content")

    def _open(self, choice: int, out: list[bytes]) -> None:
        """Write the chunk with the role, which is the first of every choice."""
        if choice not in self._opened:
            self._opened.add(choice)
            self.record(out, self.chunk(self.choice(choice, {"role": "assistant", "content": ""})))

    def on_part_start(self, start: PartStart, out: list[bytes]) -> None:
        self._open(start.choice, out)
        if start.kind != "tool":
            return
        index = sum(choice == start.choice for choice, _ in self._tools)
        self._tools[start.choice, start.part] = index
        call_id = start.tool_id or f"call_{self.id}_{start.choice}_{index}"
        function = {"name": start.tool_name, "arguments": ""}
        call = {"index": index, "id": call_id, "type": "function", "function": function}
        self.record(out, self.chunk(self.choice(start.choice, {"tool_calls": [call]})))

    def on_text(self, event: Text, out: list[bytes]) -> None:
        if event.extra:
            self._write_with_extra("content", event, out)
        else:
            self._write_text("content", event.choice, event.text, out)

    def on_reasoning(self, event: Reasoning, out: list[bytes]) -> None:
        self._write_text(self.reasoning_key, event.choice, event.text, out)

    def on_refusal(self, event: Refusal, out: list[bytes]) -> None:
        if event.extra:
            self._write_with_extra("refusal", event, out)
        else:
            self._write_text("refusal", event.choice, event.text, out)

    def on_tool_args(self, event: ToolArgs, out: list[bytes]) -> None:
        index = self._tools[event.choice, self.part(event).part]
        call = {"index": index, "function": {"arguments": event.json_text}}
        self.record(out, self.chunk(self.choice(event.choice, {"tool_calls": [call]})))

    def _write_text(self, key: str, choice: int, text: str, out: list[bytes]) -> None:
        head, tail = self._template_of(choice, key)
        out.append(head + encode_string(text) + tail)

    def _template_of(self, choice: int, key: str) -> Template:
        template = self._templates.get((choice, key))
        if template is None:
            template = self.template(self.chunk(self.choice(choice, {key: MARK})))
            self._templates[choice, key] = template
        return template

    def _write_with_extra(self, key: str, event: Text | Refusal, out: list[bytes]) -> None:
        delta: dict[str, object] = {key: event.text} if event.text else {}
        more = event.extra.get("openai.delta")
        choice = self.choice(event.choice, {**delta, **(more if isinstance(more, dict) else {})})
        logprobs = event.extra.get("logprobs")
        if logprobs is not None:
            choice["logprobs"] = {"content": None, "refusal": None, key: logprobs}
        self.record(out, self.chunk(choice))


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
                "id": call.tool_id or f"call_{message.id or 'chatcmpl-0'}_{choice.index}_{index}",
                "type": "function",
                "function": {"name": call.tool_name, "arguments": call.text or "{}"},
            }
            for index, call in enumerate(choice.tool_calls)
        ]
    word = FINISH_WORDS.get(choice.reason, "stop") if choice.reason else None
    logprobs = [token for part in choice.parts for token in list_of(part.extra, "logprobs")]
    return {
        "index": choice.index,
        "message": body,
        "logprobs": {"content": logprobs, "refusal": None} if logprobs else None,
        "finish_reason": word,
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
)
