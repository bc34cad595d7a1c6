"""The messages, spans and tool calls of an AG-UI stream that are open, and what is being assembled from chunks.

Two things of AG-UI's have no counterpart among neutral parts. A reasoning message that has ended is held open up to the
end of its span, because what the vendor wants back with it comes in between. And a chunk opens a message that nothing
closes: another one does, or any event of the same subagent that is not exempt (the lanes of the 1.0 client).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

from streamkit.dialects.ag_ui_records import FAMILY, THINKING
from streamkit.dialects.decoder import object_of, text_of
from streamkit.dialects.events import Event, PartKind
from streamkit.dialects.parts import NO_EXTRA, Extra, Parts

__all__ = ["IGNORED", "LANES", "Entities", "Entity", "Key", "Lane", "extra_of", "with_metadata"]

Lane = Literal["text", "reasoning", "tool"]

Key = tuple[Lane, str]
"""What a part is known by: ids of messages and of reasoning may be the same."""

LANES: Final[Mapping[str, Lane]] = {
    **dict.fromkeys([f"TEXT_MESSAGE_{each}" for each in ("START", "CONTENT", "END", "CHUNK")], "text"),
    **dict.fromkeys([f"REASONING_MESSAGE_{each}" for each in ("START", "CONTENT", "END", "CHUNK")], "reasoning"),
    **dict.fromkeys([f"TOOL_CALL_{each}" for each in ("START", "ARGS", "END", "CHUNK")], "tool"),
}
"""What the events that open, continue and close a part belong to."""

IGNORED: Final = frozenset({"type", "timestamp", "threadId", "runId"})
"""Keys of every record that say nothing new; agentscope repeats the run's ids everywhere."""

OPENER_KEYS: Final = IGNORED | {"messageId", "toolCallId", "toolCallName", "role", "delta", "metadata"}

DELTA_KEYS: Final = (OPENER_KEYS - {"metadata"}) | {"subagentRunId", "parentMessageId", "name"}
"""What a delta or an end repeats of its opener."""

LANES_STAY: Final = frozenset(
    {
        *(kind for kind in LANES if kind.endswith("_CHUNK")),
        *("ACTIVITY_SNAPSHOT", "ACTIVITY_DELTA", "REASONING_ENCRYPTED_VALUE", "SUBAGENT_STARTED", "RUN_ERROR"),
    }
)
"""The events that do not end what a lane is assembling; a chunk decides that for itself."""

EVERY_LANE: Final = frozenset({"RUN_STARTED", "RUN_FINISHED", "MESSAGES_SNAPSHOT"})
"""The events that end it in every lane."""


class Entity:
    """A message or tool call that is open.

    Attributes:
        span: the span of reasoning that it is in, or None.
        has_text: whether it has got any text.
        is_over: whether its own end has come, and only that of its span is still missing.
        signature, encrypted: what its end will carry.
    """

    def __init__(self, span: str | None) -> None:
        self.span = span
        self.has_text = False
        self.is_over = False
        self.signature = ""
        self.encrypted = ""


class Entities:
    """What is open in a stream.

    Attributes:
        spans: the spans of reasoning that are open, in order, and what has been opened in each.
        title: what the next message of it is called; only 0.x had that.
        others: the open messages of another role than the assistant's, which are no parts of the answer.
    """

    def __init__(self, parts: Parts, repair: Callable[[str, str], None]) -> None:
        self._parts = parts
        self._repair = repair
        self._open: dict[Key, Entity] = {}
        self._over: dict[Key, None] = {}  # of what is open, that which only waits for its span
        self._lanes: dict[str, Key] = {}  # by the subagent that speaks, what is being assembled from chunks
        self._owners: dict[Lane, dict[str, None]] = {"text": {}, "reasoning": {}, "tool": {}}  # the same by kind
        self.spans: dict[str, dict[Key, None]] = {}
        self.title = ""
        self.others: set[str] = set()

    def get(self, key: Key) -> Entity | None:
        """Return what is open under a key, or None; its end may have come."""
        return self._open.get(key)

    @property
    def all_over(self) -> bool:
        """Whether nothing is open but for the end of its span."""
        return len(self._open) == len(self._over)

    def key_of(self, lane: Lane, record: dict[str, Any], *, opens: bool = False) -> Key:
        """Return the key of a record's message or call; where it names none, that of the latest of its kind."""
        id_key = "toolCallId" if lane == "tool" else "messageId"
        found = text_of(record, id_key)
        if found or record["type"] in THINKING:
            return lane, found
        self._repair("no-id", f"{record['type']} has no {id_key}")
        latest = None if opens else next((key for key in reversed(self._open) if key[0] == lane), None)
        return latest or (lane, "")

    def key_of_chunk(self, lane: Lane, record: dict[str, Any], out: list[Event]) -> Key:
        """Return the key of a chunk's message or call, and close what its lane was assembling if it is another."""
        id_key = "toolCallId" if lane == "tool" else "messageId"
        found, owner = text_of(record, id_key), text_of(record, "subagentRunId")
        if found and (lane, found) in self._open:
            return lane, found
        if not found and not owner:
            owner = self._owner(lane)
        assembled = self._lanes.get(owner)
        if assembled is not None:
            if assembled[0] == lane and found in {"", assembled[1]}:
                return assembled
            self._close_lane(owner, out)
        if not found:
            self._repair("no-id", f"the first {record['type']} has no {id_key}")
        self._lanes[owner] = (lane, found)
        self._owners[lane][owner] = None
        return lane, found

    def _owner(self, lane: Lane) -> str:
        """Return whose lane a chunk belongs to that names nothing: the only one that it can go on with."""
        owners = self._owners[lane]
        return next(iter(owners)) if len(owners) == 1 else ""

    def open(self, key: Key, record: dict[str, Any], out: list[Event]) -> Entity:
        """Open a part; one that is open under the same key is closed, as are those that only wait for their span."""
        lane, entity_id = key
        if key in self._open:
            self.close(key, out)
        self.close_over(out)
        metadata = object_of(record, "metadata")
        kind: PartKind = "refusal" if lane == "text" and metadata.get("refusal") is True else lane
        extra = extra_of(record, OPENER_KEYS)
        if record.get("delta"):  # a delta that opens its part has the rest with it
            extra.pop(f"{FAMILY}rawEvent", None)
            metadata = {}
        if lane == "tool":
            if not text_of(record, "toolCallName"):
                self._repair("no-name", "a tool call has no name")
        elif entity_id:
            extra = {f"{FAMILY}messageId": entity_id, **extra}
        span: str | None = None
        if lane == "reasoning":
            span = entity_id if entity_id in self.spans else next(reversed(self.spans), None)
            if span and span != entity_id:
                extra[f"{FAMILY}spanId"] = span
            if self.title:
                metadata = {"title": self.title, **metadata}
            self.title = ""
        extra = with_metadata(extra, metadata, *(["refusal"] if kind == "refusal" else []))
        tool_id, tool_name = (entity_id, text_of(record, "toolCallName")) if lane == "tool" else ("", "")
        self._parts.open(out, key, kind, tool_id=tool_id, tool_name=tool_name, extra=extra)
        entity = self._open[key] = Entity(span)
        if span is not None:
            self.spans[span][key] = None
        return entity

    def end_in_span(self, key: Key) -> None:
        """Hold what is open up to the end of its span."""
        self._open[key].is_over = True
        self._over[key] = None

    def add(self, key: Key, entity: Entity, record: dict[str, Any], out: list[Event]) -> None:
        """Add a record's delta to what is open."""
        delta = text_of(record, "delta")
        if delta:
            entity.has_text = True
        self._parts.add(out, key, delta, NO_EXTRA if record.keys() <= DELTA_KEYS else extra_of(record, DELTA_KEYS))

    def end(self, key: Key, record: dict[str, Any], out: list[Event]) -> None:
        """Take the end of what is open; of reasoning in a span it is not the last word."""
        entity = self._open[key]
        if entity.span is not None:
            self.end_in_span(key)
        else:
            self.close(key, out, extra_of(record, DELTA_KEYS))

    def close(self, key: Key, out: list[Event], extra: Extra = NO_EXTRA) -> None:
        """Close what is open under a key."""
        entity = self._open.pop(key)
        self._over.pop(key, None)
        if entity.span is not None:
            del self.spans[entity.span][key]
        self._parts.close(out, key, signature=entity.signature, encrypted=entity.encrypted, extra=extra)

    def close_over(self, out: list[Event]) -> None:
        """Close what only waits for the end of its span."""
        for key in list(self._over):
            self.close(key, out)

    def end_span(self, span: str, out: list[Event]) -> None:
        """Take the end of a span; of the latest, where it names none that is open."""
        if span not in self.spans:
            self._repair("no-part-start", "REASONING_END came without REASONING_START")
            span = next(reversed(self.spans), "")
        for key in self.spans.pop(span, {}):
            self._open[key].span = None
            if self._open[key].is_over:
                self.close(key, out)

    def close_all(self, out: list[Event]) -> None:
        """Close what is open."""
        for key in list(self._open):
            self.close(key, out)

    def end_lanes(self, kind: str, record: dict[str, Any], out: list[Event]) -> None:
        """Close what has been assembled from chunks, if an event of this type ends it."""
        if not self._lanes or kind in LANES_STAY:
            return
        if kind in EVERY_LANE:
            for each in list(self._lanes):
                self._close_lane(each, out)
            return
        owner = text_of(record, "subagentRunId")
        if owner in self._lanes:
            self._close_lane(owner, out)

    def _close_lane(self, owner: str, out: list[Event]) -> None:
        key = self._lanes.pop(owner)
        del self._owners[key[0]][owner]
        if key in self._open:
            self.close(key, out)
        else:
            self.others.discard(key[1])


def extra_of(record: Mapping[str, Any], known: frozenset[str]) -> Extra:
    """Return what a record has besides, by the keys of `extra`. Null is how older servers say absent."""
    return {f"{FAMILY}{key}": value for key, value in record.items() if key not in known and value is not None}


def with_metadata(extra: Extra, metadata: dict[str, Any], *taken: str) -> Extra:
    """Return `extra` with what of the metadata was not `taken`."""
    rest = {key: value for key, value in metadata.items() if key not in taken}
    return {**extra, f"{FAMILY}metadata": rest} if rest else extra
