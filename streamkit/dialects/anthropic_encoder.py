"""Anthropic's Messages streams, written (platform.claude.com "Streaming messages").

Every event has its `event:` line, without which official clients see nothing. message_start leaves with `Start`, when
the count of the input is mostly not known yet: then it says zero, as other servers do, and message_delta at the end has
all counts that became known. Official clients fail without them, so `include_usage=False` changes nothing. Blocks come
one after the other and are numbered from 0 without gaps.

The records of blocks that the neutral model does not know (`Raw`) take part in that numbering: such a block gets the
next number when it begins, and its later records that same one, whatever the numbers were where they came from. So the
indexes stay right when a stage has added or dropped a part before them. A `Raw` block overlaps with the part that is
open where it comes; from Anthropic it always comes between parts.

Lost, and counted: other choices than the first, that a text is a refusal (it is written as text), signatures of
anything but reasoning, application events.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from msgspec.structs import replace

from streamkit.codecs.jsontext import JSONTextError, decode_checked, encode_string, encode_value
from streamkit.dialects.anthropic_words import FAMILY, FINISH_WORDS, error_of, stop_reason_of, usage_of
from streamkit.dialects.arrange import OneAtATime
from streamkit.dialects.call_ids import made_id
from streamkit.dialects.encoder import MARK, Encoder, Template
from streamkit.dialects.events import (
    Error,
    Finish,
    PartEnd,
    PartKind,
    PartStart,
    Ping,
    Raw,
    Reasoning,
    Refusal,
    Start,
    Text,
    ToolArgs,
)

__all__ = ["AnthropicEncoder"]

DELTAS: Final[Mapping[PartKind, tuple[str, str]]] = {
    "text": ("text_delta", "text"),
    "refusal": ("text_delta", "text"),
    "reasoning": ("thinking_delta", "thinking"),
    "tool": ("input_json_delta", "partial_json"),
}


class OpenBlock:
    """A block that is open: its index, and the bytes around the text of its deltas."""

    def __init__(self, index: int, frame: Template) -> None:
        self.index = index
        self.frame = frame


class AnthropicEncoder(Encoder):
    """Neutral events to events of the wire."""

    name = "anthropic"
    framings = ("sse",)
    arranger = OneAtATime
    finish_words = FINISH_WORDS
    family = FAMILY

    def _begin(self) -> None:
        super()._begin()
        self._next = 0
        self._calls = 0
        self._blocks: dict[int, OpenBlock] = {}  # by part
        self._raw_blocks: dict[int, int] = {}  # their indexes, by those where they came from

    def on_start(self, start: Start, out: list[bytes]) -> None:
        self.id = self.id or "msg_0"
        message = {
            "model": self.model,
            "id": self.id,
            "type": "message",
            "role": "assistant",
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {"input_tokens": 0, "output_tokens": 0},
            **self.own(start.extra),
        }
        self._event(out, "message_start", message=message)

    def on_part_start(self, start: PartStart, out: list[bytes]) -> None:
        extra = self.own(start.extra)
        if start.kind == "tool":
            tool_id = start.tool_id or made_id("toolu", self.id, self._calls)
            self._calls += 1
            block = {"type": "tool_use", "id": tool_id, "name": start.tool_name, "input": {}, **extra}
            self._open(start, block, out)
        elif start.kind != "reasoning":
            self._open(start, {"type": "text", "text": "", **extra}, out)
        # Whether reasoning has text is known at its first text or its end, one of which comes next.

    def _open(self, start: PartStart, content: dict[str, object], out: list[bytes]) -> OpenBlock:
        index = self._next
        self._next += 1
        self._event(out, "content_block_start", index=index, content_block=content)
        word, key = DELTAS[start.kind]
        delta = {"type": "content_block_delta", "index": index, "delta": {"type": word, key: MARK}}
        block = self._blocks[start.part] = OpenBlock(index, self.template(delta, "content_block_delta"))
        if start.kind == "text":
            self.text_frame = block.frame
        return block

    def on_text(self, event: Text, out: list[bytes]) -> None:
        self._write_delta(event, event.text, out)

    def on_refusal(self, event: Refusal, out: list[bytes]) -> None:
        self.lose("refusal")
        self._write_delta(event, event.text, out)

    def on_reasoning(self, event: Reasoning, out: list[bytes]) -> None:
        if event.part not in self._blocks:
            self._open_thinking(self.part(event), out)
        self._write_delta(event, event.text, out)

    def on_tool_args(self, event: ToolArgs, out: list[bytes]) -> None:
        self._write_delta(event, event.json_text, out)

    def _open_thinking(self, start: PartStart, out: list[bytes]) -> OpenBlock:
        return self._open(start, {"type": "thinking", "thinking": "", "signature": "", **self.own(start.extra)}, out)

    def _write_delta(self, event: Text | Refusal | Reasoning | ToolArgs, text: str, out: list[bytes]) -> None:
        block = self._blocks.get(self.part(event).part)
        if block is None:
            msg = f"part {event.part} is of reasoning, and {type(event).__name__} is not"
            raise ValueError(msg)
        if text:
            head, tail = block.frame
            out.append(head + encode_string(text) + tail)
        for citation in self._list(event.extra, "citations"):
            self._delta(out, block.index, {"type": "citations_delta", "citation": citation})
        for delta in self._list(event.extra, "deltas"):
            self._delta(out, block.index, delta)

    @staticmethod
    def _list(extra: dict[str, object], key: str) -> list[Any]:
        found = extra.get(FAMILY + key)
        return found if isinstance(found, list) else []

    def on_part_end(self, start: PartStart, end: PartEnd, out: list[bytes]) -> None:
        block = self._blocks.pop(end.part, None)
        if block is None and end.encrypted:
            self._write_redacted(start, end, out)
            return
        if block is None:
            block = self._open_thinking(start, out)
            del self._blocks[end.part]
        if end.encrypted:
            self.lose("encrypted")
        if end.signature and start.kind == "reasoning":
            self._delta(out, block.index, {"type": "signature_delta", "signature": end.signature})
        elif end.signature:
            self.lose("signature")
        if self.text_frame is block.frame:
            self.text_frame = None
        self._event(out, "content_block_stop", index=block.index)

    def _write_redacted(self, start: PartStart, end: PartEnd, out: list[bytes]) -> None:
        if end.signature:
            self.lose("signature")
        content = {"type": "redacted_thinking", "data": end.encrypted, **self.own(start.extra)}
        self._event(out, "content_block_start", index=self._next, content_block=content)
        self._event(out, "content_block_stop", index=self._next)
        self._next += 1

    def on_end(self, out: list[bytes]) -> None:
        finish = self.finish_event
        more = self.own(finish.extra)
        fields = more.pop("message_delta", None)
        delta = {"stop_reason": self.finish_word(finish), "stop_sequence": finish.stop_sequence or None, **more}
        usage = {**usage_of(self.usage), **self.own(self.usage.extra)}
        self._event(out, "message_delta", delta=delta, usage=usage, **(fields if isinstance(fields, dict) else {}))
        self._event(out, "message_stop")

    def finish_word(self, finish: Finish) -> str:
        return finish.raw_reason if self.is_own and finish.raw_reason else stop_reason_of(finish)

    def on_error(self, error: Error, out: list[bytes]) -> None:
        self._event(out, "error", error=error_of(error, is_own=self.is_own), **self.own(error.extra))

    def on_ping(self, ping: Ping, out: list[bytes]) -> None:  # noqa: ARG002 - it has no place for a comment
        self._event(out, "ping")

    def _on_raw(self, raw: Raw, out: list[bytes]) -> None:
        super()._on_raw(self._numbered(raw) if raw.dialect == self.name else raw, out)

    def _numbered(self, raw: Raw) -> Raw:
        """Return the record with the block's index here, and with the `event:` line that it needs to be seen."""
        try:
            value = decode_checked(raw.payload.encode())
        except JSONTextError:
            return raw
        if not isinstance(value, dict):
            return raw
        kind, index = value.get("type"), value.get("index")
        if not isinstance(kind, str):
            return raw
        if not raw.name and kind.isprintable():
            raw = replace(raw, name=kind)
        if not kind.startswith("content_block_") or not isinstance(index, int):
            return raw
        if kind == "content_block_start":
            self._raw_blocks[index] = self._next
            self._next += 1
        here = self._raw_blocks.get(index, index)
        if kind == "content_block_stop":
            self._raw_blocks.pop(index, None)
        if here == index:
            return raw
        return replace(raw, payload=encode_value({**value, "index": here}).decode())

    def _event(self, out: list[bytes], kind: str, /, **fields: object) -> None:
        self.record(out, {"type": kind, **fields}, kind)

    def _delta(self, out: list[bytes], index: int, delta: object) -> None:
        self._event(out, "content_block_delta", index=index, delta=delta)
