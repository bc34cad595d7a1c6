"""Anthropic's Messages streams, read (platform.claude.com "Streaming messages"; anthropic-python's `types`).

Blocks are parts: text, thinking and redacted_thinking, tool_use. Blocks of any other type (server_tool_use, web search
results, mcp_*, compaction) have no neutral form: each of their records becomes a `Raw`. A delta of an unknown type in a
block that is known stays with its part, in `extra` under "anthropic.deltas".

What has no field is in `extra`: of `Start` what the message had besides ("anthropic.usage" is the whole first usage,
whose counts are in `Usage` too), of `PartStart` what the block had besides ("anthropic.caller"), of `Text`
"anthropic.citations", of `Usage` and `Finish` what `usage` and `delta` of message_delta had besides, of `Finish` under
"anthropic.message_delta" what that had itself.

Blocks may overlap here, although Anthropic's never do: every delta has its index, so nothing is ambiguous.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from streamkit.codecs.jsontext import encode_value
from streamkit.dialects.anthropic_words import FAMILY, REASONS, STATUSES, USAGE_KEYS, Counts, extra_of
from streamkit.dialects.decoder import Decoder, count_of, list_of, object_of, text_of
from streamkit.dialects.events import Error, Event, PartKind, Ping, Raw, Text
from streamkit.dialects.framing import DONE
from streamkit.dialects.parts import NO_EXTRA, Extra, Parts

__all__ = ["AnthropicDecoder"]

KINDS: Final[Mapping[str, PartKind]] = {
    "text": "text",
    "thinking": "reasoning",
    "redacted_thinking": "reasoning",
    "tool_use": "tool",
}
"""The types of blocks that are parts."""

DELTAS: Final[Mapping[str, tuple[PartKind, str]]] = {
    "text_delta": ("text", "text"),
    "thinking_delta": ("reasoning", "thinking"),
    "input_json_delta": ("tool", "partial_json"),
    "citations_delta": ("text", ""),
    "signature_delta": ("reasoning", ""),
}
"""The types of deltas: which kind of part they belong to, and the key of their text."""

TYPES: Final = frozenset(
    {
        *("message_start", "content_block_start", "content_block_delta", "content_block_stop"),
        *("message_delta", "message_stop", "ping", "error"),
    }
)

MESSAGE_KEYS: Final = frozenset(
    {"id", "type", "role", "model", "content", "stop_reason", "stop_sequence", "stop_details", "usage"}
)
BLOCK_KEYS: Final = frozenset({"type", "text", "citations", "thinking", "signature", "data", "id", "name", "input"})
MESSAGE_DELTA_KEYS: Final = frozenset({"type", "delta", "usage"})
DELTA_KEYS: Final = frozenset({"stop_reason", "stop_sequence"})
ERROR_KEYS: Final = frozenset({"type", "error"})


class Block:
    """A block that is open.

    Attributes:
        kind: of its part; None for a block whose records are passed on as they are.
        tool_id: of a tool call.
        signature, encrypted: what its part's end will say.
        given: a tool call's arguments that came with its start, and count if no others come.
    """

    def __init__(self, kind: PartKind | None, tool_id: str = "") -> None:
        self.kind = kind
        self.tool_id = tool_id
        self.signature = ""
        self.encrypted = ""
        self.given = ""


class AnthropicDecoder(Decoder):
    """Events of the wire to neutral ones."""

    name = "anthropic"
    framings = ("sse",)
    terminator = "message_stop"

    def _begin(self) -> None:
        super()._begin()
        self._blocks: dict[int, Block] = {}
        self._next = 0
        self._last = 0
        self._text_index: int | None = None  # of the block of text that was opened last, while it is open
        self._text_part = 0
        self._counts = Counts()

    @property
    def _parts(self) -> Parts:
        return self.choice(0)

    def _take(self, value: object, raw: str | bytes, name: str = "message", /) -> Sequence[Event]:
        # Nearly every record is another piece of the text that is open. The shortcut is only for those, with these keys
        # and no more, and says what `take` says.
        if name == "content_block_delta" and self._text_index is not None and isinstance(value, dict):
            delta, index = value.get("delta"), value.get("index")
            if index == self._text_index and type(index) is int and isinstance(delta, dict) and len(delta) == 2:
                text = delta.get("text")
                if value.get("type") == name and delta.get("type") == "text_delta" and text and isinstance(text, str):
                    return (Text(self._text_part, text),)
        return super()._take(value, raw, name)

    def take(self, value: object, name: str, raw: str | bytes, out: list[Event]) -> None:
        if value is DONE:
            self.repair("done", "data: [DONE] came, which is not of this dialect; it was ignored")
            return
        if not isinstance(value, dict):
            self.unknown(out, name, raw)
            return
        kind = self._type_of(value, name)
        if kind == "ping":
            out.append(Ping())
        elif kind == "error":
            self._take_error(value, out)
        elif kind not in TYPES:
            self.unknown(out, name, raw)
        elif kind == "message_start":
            self._take_message_start(value, out)
        elif kind == "message_stop":
            self._close_blocks(out)
            self.end(out)
        else:
            self._need_start(out)
            if kind == "content_block_delta":
                self._take_delta(value, name, raw, out)
            elif kind == "content_block_start":
                self._take_block_start(value, name, raw, out)
            elif kind == "content_block_stop":
                self._take_block_stop(value, name, raw, out)
            else:
                self._take_message_delta(value, out)

    def _type_of(self, value: dict[str, Any], name: str) -> str:
        """Return the type of a record, empty if it has none that is known; the data counts, not the event's name."""
        kind = value.get("type")
        if isinstance(kind, str):
            if kind == "error" and "error" not in value and not self.started:
                return ""  # Vercel's
            if kind in TYPES and kind != name:
                if name == "message":
                    self.repair("no-event", "an event has no event: line; official clients do not see it")
                else:
                    self.repair("event-name", f"event: {name[:40]!r} has data of the type {kind}")
            return kind
        if "type" not in value and name in TYPES:
            self.repair("no-type", f"the data of an event {name} has no type")
            return name
        if isinstance(value.get("error"), (dict, str)):
            self.repair("error-form", "an error came in another dialect's form")
            return "error"
        return ""

    def _need_start(self, out: list[Event]) -> None:
        if not self.started:
            self.repair("no-start", "the stream does not begin with message_start")
            self.start(out)

    def _take_error(self, value: dict[str, Any], out: list[Event]) -> None:
        error = value.get("error")
        kind = message = code = ""
        if isinstance(error, dict):
            kind, message, code = (
                found if isinstance(found := error.get(key), str) else "" for key in ("type", "message", "code")
            )
        elif isinstance(error, str):
            message = error
        self.over = True
        self._text_index = None
        message = message or encode_value(value if error is None else error).decode()
        out.append(Error(message, kind, code, STATUSES.get(kind), extra=extra_of(value, ERROR_KEYS)))

    def _take_message_start(self, value: dict[str, Any], out: list[Event]) -> None:
        message = object_of(value, "message")
        usage = object_of(message, "usage")
        if self.started:
            self.repair("second-start", "message_start came again")
        else:
            extra = extra_of(message, MESSAGE_KEYS)
            if any(usage.values()):  # zeros are what stands there when nothing is known
                extra = {**extra, f"{FAMILY}usage": usage}
            role = text_of(message, "role") or "assistant"
            self.start(out, text_of(message, "id"), text_of(message, "model"), role=role, extra=extra)
        if not usage:
            self.repair("no-usage", "message_start has no usage")
        self._take_usage(usage, out, NO_EXTRA)
        content = list_of(message, "content")
        if content:
            self.repair("start-content", "message_start already has content")
        for block in content:
            start = {"type": "content_block_start", "index": self._next, "content_block": block}
            stop = {"type": "content_block_stop", "index": self._next}
            self._take_block_start(start, "content_block_start", encode_value(start), out)
            self._take_block_stop(stop, "content_block_stop", encode_value(stop), out)

    def _take_usage(self, usage: dict[str, Any], out: list[Event], extra: Extra) -> None:
        """Take the counts as they are now."""
        found = self._counts.take(usage, extra)
        if found is not None:
            out.append(found)

    def _take_block_start(self, value: dict[str, Any], name: str, raw: str | bytes, out: list[Event]) -> None:
        content = object_of(value, "content_block")
        word = text_of(content, "type")
        kind = KINDS.get(word)
        tool_id = text_of(content, "id") if kind == "tool" else ""
        index = self._new_index(count_of(value, "index"))
        self._parts.end_text(out)
        if kind is not None and self._parts.finished:
            self.repair("after-finish", "a block began after the reason to stop; it was dropped")
            return
        block = self._blocks.get(index)
        if block is not None and is_same(block, kind, content):
            self._take_content(index, block, content, out)
            return
        if block is not None:
            self._close(index, out)
        if kind is None:
            self._blocks[index] = Block(None)
            self.unknown(out, name, raw)
            return
        tool_name = text_of(content, "name") if kind == "tool" else ""
        if kind == "tool" and not tool_name:
            self.repair("tool-name", "a tool call has no name")
        extra = extra_of(content, BLOCK_KEYS)
        block = self._open(index, kind, out, tool_id=tool_id, tool_name=tool_name, extra=extra)
        self._take_content(index, block, content, out)

    def _new_index(self, index: int | None) -> int:
        """Return the index of a block that begins, `index` if it has one."""
        if index is None:
            self.repair("no-index", "a record of a block has no index")
            index = self._next
        elif index < self._next:
            self.repair("index-reused", "two blocks have one index")
        elif index > self._next:
            self.repair("index-gap", "the indexes of blocks have a gap")
        self._next = max(self._next, index + 1)
        self._last = index
        return index

    def _open(
        self,
        index: int,
        kind: PartKind,
        out: list[Event],
        *,
        tool_id: str = "",
        tool_name: str = "",
        extra: Extra = NO_EXTRA,
    ) -> Block:
        block = self._blocks[index] = Block(kind, tool_id)
        part = self._parts.open(out, index, kind, tool_id=tool_id, tool_name=tool_name, extra=extra)
        self._last = index
        if kind == "text":
            self._text_index, self._text_part = index, part
        return block

    def _take_content(self, index: int, block: Block, content: dict[str, Any], out: list[Event]) -> None:
        """Take what a block's start has of its content: by the rules nothing, but for redacted_thinking."""
        text = ""
        extra: Extra = NO_EXTRA
        if block.kind == "text":
            text = text_of(content, "text")
            citations = list_of(content, "citations")
            extra = {f"{FAMILY}citations": citations} if citations else NO_EXTRA
        elif block.kind == "reasoning":
            text = text_of(content, "thinking")
            block.signature = text_of(content, "signature") or block.signature
            block.encrypted = text_of(content, "data") or block.encrypted
        elif content.get("input"):
            self.repair("start-content", "a block's start already has content")
            given = content["input"]
            block.given = given if isinstance(given, str) else encode_value(object_of(content, "input")).decode()
        if text or extra:
            self.repair("start-content", "a block's start already has content")
            self._parts.add(out, index, text, extra)

    def _take_delta(self, value: dict[str, Any], name: str, raw: str | bytes, out: list[Event]) -> None:
        delta = object_of(value, "delta")
        word = text_of(delta, "type")
        index = self._index_of(value)
        block = self._blocks.get(index)
        kind, key = DELTAS.get(word, (None, ""))
        if (block is None and kind is None) or (block is not None and block.kind is None):
            self.unknown(out, name, raw)
            return
        if self._parts.finished:
            self.repair("after-finish", "a block went on after the reason to stop; that was dropped")
            return
        if kind is None:
            self._parts.add(out, index, "", {f"{FAMILY}deltas": [delta]})
            return
        text = text_of(delta, key) if key else ""
        extra: Extra = NO_EXTRA
        if word == "citations_delta":
            extra = {f"{FAMILY}citations": [delta.get("citation")]}
        if block is None:
            self.repair("no-block-start", "a delta came for a block that is not open")
            self._next = max(self._next, index + 1)
            block = self._open(index, kind, out)
        elif block.kind != kind:
            self.repair("delta-kind", f"a {word} came for a block of another kind")
            if block.kind == "tool":  # which stays open: it may go on
                self._parts.text(out, kind, text, extra)
                return
            self._close(index, out)
            block = self._open(index, kind, out)
        if word == "signature_delta":
            block.signature = text_of(delta, "signature") or block.signature
            return
        if text:
            block.given = ""
        self._parts.add(out, index, text, extra)

    def _index_of(self, value: dict[str, Any]) -> int:
        """Return the index of a delta or stop; without one, that of the block that was opened last."""
        index = count_of(value, "index")
        if index is None:
            self.repair("no-index", "a record of a block has no index")
            return self._last
        return index

    def _take_block_stop(self, value: dict[str, Any], name: str, raw: str | bytes, out: list[Event]) -> None:
        index = self._index_of(value)
        block = self._blocks.get(index)
        if block is None:
            self.repair("no-block-start", "content_block_stop came for a block that is not open")
        elif block.kind is None:
            del self._blocks[index]
            self.unknown(out, name, raw)
        else:
            self._close(index, out)

    def _close(self, index: int, out: list[Event]) -> None:
        """Close a block; one that is passed on as it is gets the record that it lacks."""
        block = self._blocks.pop(index)
        self._parts.end_text(out)
        if index == self._text_index:
            self._text_index = None
        if block.kind is None:
            stop = {"type": "content_block_stop", "index": index}
            out.append(Raw(self.name, "content_block_stop", encode_value(stop).decode()))
            return
        if block.given:
            self._parts.add(out, index, block.given)
        self._parts.close(out, index, signature=block.signature, encrypted=block.encrypted)

    def _close_blocks(self, out: list[Event]) -> None:
        for index in list(self._blocks):
            self.repair("block-open", "a block was never stopped")
            self._close(index, out)

    def _take_message_delta(self, value: dict[str, Any], out: list[Event]) -> None:
        delta = object_of(value, "delta")
        usage = object_of(value, "usage")
        if not usage:
            self.repair("no-usage", "message_delta has no usage")
        self._take_usage(usage, out, extra_of(usage, USAGE_KEYS))
        raw_reason = text_of(delta, "stop_reason")
        if not raw_reason:
            return
        if self._parts.finished:
            self.repair("second-finish", "message_delta came again with a reason to stop")
            return
        self._close_blocks(out)
        extra = extra_of(delta, DELTA_KEYS)
        if not value.keys() <= MESSAGE_DELTA_KEYS:
            more = {key: found for key, found in value.items() if key not in MESSAGE_DELTA_KEYS and found is not None}
            extra = {**extra, f"{FAMILY}message_delta": more} if more else extra
        reason = REASONS.get(raw_reason, "other")
        self._parts.finish(out, reason, raw_reason, stop_sequence=text_of(delta, "stop_sequence"), extra=extra)


def is_same(block: Block, kind: PartKind | None, content: dict[str, Any]) -> bool:
    """Whether a block that begins on the index of an open one is that one: some servers begin it with every token."""
    if kind is None or kind != block.kind or block.encrypted or content.get("data"):
        return False
    return kind != "tool" or (bool(block.tool_id) and block.tool_id == content.get("id"))
