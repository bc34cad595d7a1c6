"""OpenAI's Responses API, read; what a stream looks like is told in `streamkit.dialects.openai_responses`.

Every content part of a message, every summary and every text of reasoning, and every function call becomes a part.
Reasoning without any text becomes an empty part: what is encrypted comes with its end. The records of built-in and
custom tools, whose arguments are no JSON, become `Raw`, and so does what is not known.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from streamkit.dialects.decoder import Decoder, count_of, list_of, object_of, text_of
from streamkit.dialects.events import Event, PartKind, Ping, Text
from streamkit.dialects.extra import besides, logprobs_of, unlike
from streamkit.dialects.framing import DONE
from streamkit.dialects.openai_responses_items import KINDS, TEXT_KEYS, Item, Items
from streamkit.dialects.openai_responses_records import FAMILY, REASONS, error_fields, usage_of
from streamkit.dialects.parts import NO_EXTRA, Extra

__all__ = ["OpenAIResponsesDecoder"]

S: Final = 1_000_000_000

MAX_S: Final = 253_402_300_800
"""The year 10000."""

LIFECYCLE: Final = frozenset({"response.created", "response.queued", "response.in_progress"})

TERMINALS: Final = {
    "response.completed": "completed",
    "response.incomplete": "incomplete",
    "response.failed": "failed",
    "response.cancelled": "cancelled",
}
"""The records that end a stream, and the status of the response in them where it does not say."""

DELTAS: Final[dict[str, tuple[str, str, PartKind]]] = {
    "response.output_text": ("message", "content", "text"),
    "response.refusal": ("message", "content", "refusal"),
    "response.reasoning_summary_text": ("reasoning", "summary", "reasoning"),
    "response.reasoning_text": ("reasoning", "content", "reasoning"),
    "response.function_call_arguments": ("function_call", "arguments", "tool"),
}
"""What comes as `.delta` and `.done`: the kind of item, the list in it, and what kind of part it is."""

WHOLE_KEYS: Final = {"refusal": "refusal", "tool": "arguments"}
"""The key of the whole text in a `.done`, where it is not "text"."""

PARTS: Final = {
    "response.content_part.added": "content",
    "response.content_part.done": "content",
    "response.reasoning_summary_part.added": "summary",
    "response.reasoning_summary_part.done": "summary",
}

RESPONSE_KEYS: Final = frozenset(
    {"id", "object", "created_at", "status", "model", "output", "usage", "error", "incomplete_details", "output_text"}
)

DELTA_KEYS: Final = frozenset(
    {"type", "sequence_number", "item_id", "output_index", "content_index", "summary_index"}
    | {"delta", "logprobs", "obfuscation"}
)
"""What a delta has and an event has a field for, or what means nothing (`obfuscation` is random padding)."""


class OpenAIResponsesDecoder(Decoder):
    """Frames to events."""

    name = "openai-responses"
    framings = ("sse",)
    terminator = "response.completed"

    def _begin(self) -> None:
        super()._begin()
        self._items = Items(self.choice(0), self.repair)
        self._opening: Extra = NO_EXTRA
        self._id = ""
        self._error_came = False

    def _take(self, value: object, raw: str | bytes, name: str = "message", /) -> Sequence[Event]:
        kind = value.get("type") if isinstance(value, dict) else None
        if kind == "response.output_text.delta" and isinstance(value, dict) and not self.over:
            # Nearly every record is one. The shortcut says what `take` says, in half its time.
            piece = self._items.text_at(value.get("output_index"), value.get("content_index"))
            text = value.get("delta")
            is_usual = type(value.get("sequence_number")) is int and type(value.get("item_id")) is str
            is_usual = is_usual and value.keys() <= DELTA_KEYS
            if piece is not None and type(text) is str and text and is_usual and not value.get("logprobs"):
                piece.add(text)
                return (Text(piece.part, text),)
        elif kind == "response.failed" and self._error_came:
            # After an error comes the response that failed because of it. Nothing in it is new.
            self._error_came = False
            return ()
        return super()._take(value, raw, name)

    def take(self, value: object, name: str, raw: str | bytes, out: list[Event]) -> None:
        if value is DONE:
            self.repair("done", "data: [DONE] came before the response ended; it was passed over")
            return
        if not isinstance(value, dict):
            self.unknown(out, name, raw)
            return
        kind = value.get("type")
        if kind is None and name.startswith("response."):
            self.repair("no-type", "the type of a record is only in its event's name")
            kind = name
        if kind == "error" or (kind is None and (name == "error" or value.get("error"))):
            self._error_came = True
            self.error(out, *error_fields(value.get("error") or value))
        elif not isinstance(kind, str) or not self._take_known(kind, value, out):
            self.unknown(out, name, raw)

    def _take_known(self, kind: str, record: dict[str, Any], out: list[Event]) -> bool:
        """Take a record of a type that is known; return whether it is."""
        stem, _, last = kind.rpartition(".")
        if last in {"delta", "done"} and stem in DELTAS:
            take = self._take_delta if last == "delta" else self._take_done
            self._check(kind, record, out)
            take(record, *DELTAS[stem], out)
        elif kind in PARTS:
            return self._take_part(kind, record, out)
        elif kind in {"response.output_item.added", "response.output_item.done"}:
            return self._take_item(record, out, is_done=last == "done")
        elif kind == "response.output_text.annotation.added":
            self._check(kind, record, out)
            self._take_annotation(record, out)
        elif kind in LIFECYCLE:
            self._check_number(record)
            self._take_response(kind, object_of(record, "response"), out)
        elif kind in TERMINALS:
            self._check_number(record)
            self._take_terminal(kind, object_of(record, "response"), out)
        elif kind == "keepalive":
            out.append(Ping())
        else:
            return False
        return True

    def _check(self, kind: str, record: dict[str, Any], out: list[Event]) -> None:
        """Check what every record inside a response has to have."""
        if not self.started:
            self.repair("no-created", f"{kind} came before response.created")
            self.start(out)
        self._check_number(record)

    def _check_number(self, record: dict[str, Any]) -> None:
        if count_of(record, "sequence_number") is None:
            self.repair("sequence-number", "a record has no sequence_number")

    # The response

    def _take_response(self, kind: str, response: dict[str, Any], out: list[Event]) -> None:
        response_id = text_of(response, "id")
        if self.started:
            if response_id and self._id and response_id != self._id:
                self.repair("response-id", "the id of the response has changed")
            return
        if kind != "response.created":
            self.repair("no-created", f"{kind} came before response.created")
        created = response.get("created_at")
        created_ns = None
        if isinstance(created, (int, float)) and not isinstance(created, bool) and 0 < created < MAX_S:
            created_ns = created * S if isinstance(created, int) else round(created * S)
        self._id = response_id
        self._opening = self._response_extra(response)
        self.start(out, response_id, text_of(response, "model"), created_ns=created_ns, extra=self._opening)

    def _response_extra(self, response: dict[str, Any]) -> Extra:
        more = besides(response, RESPONSE_KEYS)
        return {(key if key == "service_tier" else FAMILY + key): value for key, value in more.items()} or NO_EXTRA

    def _take_terminal(self, kind: str, response: dict[str, Any], out: list[Event]) -> None:
        self._take_response(kind, response, out)
        status = response.get("status")
        if status not in TERMINALS.values():
            status = TERMINALS[kind]
        if status != "failed":
            self._items.end_all(list_of(response, "output"), out, is_cut=status != "completed")
        if response.get("usage"):
            out.append(usage_of(object_of(response, "usage")))
        if status == "failed":
            message, error_type, code = error_fields(response.get("error") or "the response failed")
            self.error(out, message, error_type, code)
            return
        word = str(status)
        if word == "incomplete":
            word = text_of(object_of(response, "incomplete_details"), "reason") or word
        extra = unlike(self._response_extra(response), self._opening)
        self.choice(0).finish(out, REASONS.get(word, "other"), word, extra=extra)
        self.end(out)

    # Its items

    def _take_item(self, record: dict[str, Any], out: list[Event], *, is_done: bool) -> bool:
        """Take the begin or the end of an item; return whether it is of a kind that is known."""
        item = object_of(record, "item")
        index = count_of(record, "output_index")
        if text_of(item, "type") not in KINDS:
            if index is not None:
                self._items.pass_over(index)
            return False
        self._check(f"response.output_item.{'done' if is_done else 'added'}", record, out)
        if not is_done:
            self._items.begin(self._items.index_of(record, index), item, out)
            return True
        if index is None:
            self.repair("output-index", "response.output_item.done has no output_index")
        index, is_over = self._items.end_of(item, index)
        if is_over:
            self.repair("item-repeated", "an item ended twice")
            return True
        if not self._items.is_open(index, text_of(item, "type")):
            self.repair("no-item", "response.output_item.done came before response.output_item.added")
            self._items.begin(index, item, out)
        self._items.end(index, item, out)
        return True

    def _place(self, record: dict[str, Any], group: str, item: Item, *, is_new: bool = False) -> tuple[str, int]:
        """Return the place of a text in its item; where the record does not say, the last one, or the one after it."""
        if group == "arguments":
            return group, 0
        key = "summary_index" if group == "summary" else "content_index"
        place = count_of(record, key)
        if place is None:
            self.repair(key.replace("_", "-"), f"{record.get('type')} has no {key}")
            place = item.last.get(group, -1) + 1 if is_new else item.last.get(group, 0)
        return group, place

    def _take_part(self, kind: str, record: dict[str, Any], out: list[Event]) -> bool:
        """Take the begin or the end of a content part or a summary; return whether it is of a kind that is known."""
        part = object_of(record, "part")
        known = TEXT_KEYS.get(text_of(part, "type"))
        if known is None:
            return False
        text_key, part_kind = known
        self._check(kind, record, out)
        item_kind = "reasoning" if part_kind == "reasoning" else "message"
        item = self._items.find(record, count_of(record, "output_index"), item_kind)
        if item is None:
            return True
        is_new = kind.endswith(".added")
        place = self._place(record, PARTS[kind], item, is_new=is_new)
        if is_new and place in item.pieces:
            self.repair("part-repeated", "a content part began twice")
        if is_new or place not in item.pieces:
            self._items.piece(item, place, part_kind, out)
        if not is_new:
            self._items.whole(item.pieces[place], text_of(part, text_key), out)
        return True

    def _take_delta(self, record: dict[str, Any], kind: str, group: str, part: PartKind, out: list[Event]) -> None:
        text = text_of(record, "delta")
        extra: Extra = NO_EXTRA
        if record.get("logprobs"):
            extra = {"logprobs": logprobs_of(record, "logprobs")}
        if not record.keys() <= DELTA_KEYS:
            more = besides(record, DELTA_KEYS)
            extra = {**extra, FAMILY + "delta": more} if more else extra
        item = self._items.find(record, count_of(record, "output_index"), kind)
        if item is not None:
            place = self._place(record, group, item)
            if place not in item.pieces and part != "reasoning":
                self.repair("no-part", f"{record.get('type')} came before response.content_part.added")
            self._items.add(self._items.piece(item, place, part, out), text, out, extra)

    def _take_done(self, record: dict[str, Any], kind: str, group: str, part: PartKind, out: list[Event]) -> None:
        text = text_of(record, WHOLE_KEYS.get(part, "text"))
        item = self._items.find(record, count_of(record, "output_index"), kind)
        if item is None:
            return
        place = self._place(record, group, item)
        piece = item.pieces.get(place)
        if piece is None:
            if not text:
                return
            self.repair("no-part", f"{record.get('type')} came before response.content_part.added")
            piece = self._items.piece(item, place, part, out)
        self._items.whole(piece, text, out)

    def _take_annotation(self, record: dict[str, Any], out: list[Event]) -> None:
        annotation = object_of(record, "annotation")
        item = self._items.find(record, count_of(record, "output_index"), "message")
        if item is not None and annotation:
            place = self._place(record, "content", item)
            piece = self._items.piece(item, place, "text", out)
            self._items.add(piece, "", out, {FAMILY + "annotations": [annotation]})
