"""The items of a response that is being read: which record belongs to which, and which texts are known already.

A text comes up to five times: in deltas, and whole in the records that end it, its content part, its item and the
response. The deltas count. Of what is whole nothing is kept; a length and a checksum say whether it is the same. It is
used only where no delta came.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final
from zlib import crc32

from streamkit.codecs.jsontext import encode_value
from streamkit.dialects.decoder import RecordError, list_of, text_of
from streamkit.dialects.events import Event, PartKind
from streamkit.dialects.extra import besides
from streamkit.dialects.openai_responses_records import FAMILY, FORM, ITEM, ITEM_KEYS, MORE
from streamkit.dialects.parts import NO_EXTRA, Extra, Parts

__all__ = ["KINDS", "TEXT_KEYS", "Item", "Items", "Piece"]

GROUPS: Final = {"message": ("content",), "reasoning": ("summary", "content")}
"""An item's lists of texts."""

KINDS: Final = frozenset({*GROUPS, "function_call"})
"""The kinds of items that are known."""

TEXT_KEYS: Final[dict[object, tuple[str, PartKind]]] = {
    "output_text": ("text", "text"),
    "text": ("text", "text"),
    "refusal": ("refusal", "refusal"),
    "summary_text": ("text", "reasoning"),
    "reasoning_text": ("text", "reasoning"),
}
"""By the type of a content: the key of its text, and what it is."""


class Piece:
    """A text that becomes one part; also the part's key.

    Attributes:
        part: the part's number.
        length: that of the deltas so far.
    """

    def __init__(self, kind: PartKind) -> None:
        self.kind = kind
        self.part = 0
        self.length = 0
        self.is_open = True
        self._sum = 0

    def add(self, text: str) -> None:
        self.length += len(text)
        self._sum = crc32(text.encode(), self._sum)

    def is_all(self, text: str) -> bool:
        """Whether the deltas add up to `text`."""
        return len(text) == self.length and crc32(text.encode()) == self._sum


class Item:
    """An item that has not ended.

    The last of its texts is open until then: only the item's end says that no more come, and it has what is encrypted.

    Attributes:
        added: the item as it began, if there was a text in it already; it counts if the item never gets another.
        pieces: by the list that it is in ("content", "summary", "arguments") and the place in it.
        last: of each list, the place that was opened last.
    """

    def __init__(self, kind: str, item_id: str, extra: Extra) -> None:
        self.kind = kind
        self.id = item_id
        self.extra = extra
        self.added: dict[str, Any] | None = None
        self.pieces: dict[tuple[str, int], Piece] = {}
        self.last: dict[str, int] = {}


class Items:
    """All items of one response.

    Attributes:
        kinds: the kinds of items that there have been.
    """

    def __init__(self, parts: Parts, repair: Callable[[str, str], None]) -> None:
        self._parts = parts
        self._repair = repair
        self._open: dict[int, Item] = {}
        self._over: set[int] = set()
        self._by_id: dict[str, int] = {}
        self._next = 0
        self._last: dict[str, int] = {}  # of each kind, the item that began last
        self.kinds: set[str] = set()

    def index_of(self, record: dict[str, Any], index: int | None) -> int:
        """Return the index for an item that begins, given that of its record."""
        if index is None:
            self._repair("output-index", f"{record.get('type')} has no output_index")
            return self._next
        return index

    def pass_over(self, index: int) -> None:
        """Note that an index belongs to an item of a kind that is not known."""
        self._next = max(self._next, index + 1)

    def begin(self, index: int, record: dict[str, Any], out: list[Event]) -> Item | None:
        """Begin the item in `record`; None if it has begun already.

        Raises:
            RecordError: it is not what it should be.
        """
        kind, item_id = text_of(record, "type"), text_of(record, "id")
        known = self._open.get(index)
        if known is not None or index in self._over:
            if item_id and self._by_id.get(item_id) == index:
                self._repair("item-repeated", "an item began twice")
                return None
            self._repair("output-index-reused", f"two items have the output_index {index}")
            self._over.discard(index)
            if known is not None:
                self.end(index, None, out)
                self._over.discard(index)
        more = besides(record, ITEM_KEYS)
        if kind == "reasoning" and record.get("status"):  # OpenAI's have none, those of most others do
            more["status"] = record["status"]
        item = self._new(index, kind, item_id, {ITEM: more} if more else NO_EXTRA)
        if kind == "function_call":
            call_id = text_of(record, "call_id")
            if call_id:
                self._by_id[f"call:{call_id}"] = index
            else:
                self._repair("call-id", "a function call has no call_id")
            tool = {"tool_id": call_id or item_id, "tool_name": text_of(record, "name")}
            self._open_piece(item, ("arguments", 0), "tool", out, **tool)
        if record.get("content") or record.get("summary") or record.get("arguments"):
            item.added = record
        return item

    def _new(self, index: int, kind: str, item_id: str, extra: Extra) -> Item:
        item = self._open[index] = Item(kind, item_id, extra)
        self.kinds.add(kind)
        self._last[kind] = index
        self.pass_over(index)
        if item_id:
            self._by_id[item_id] = index
        return item

    def find(self, record: dict[str, Any], index: int | None, kind: str) -> Item | None:
        """Return the open item of that kind that a record about a text belongs to, or None.

        The index counts, because there are vendors whose ids change from record to record.

        Raises:
            RecordError: the decoder is strict, and the record does not say.
        """
        item_id = text_of(record, "item_id")
        if index is None:
            self._repair("output-index", f"{record.get('type')} has no output_index")
            index = self._by_id.get(item_id)
            index = self._last.get(kind) if index is None else index
        item = None if index is None else self._open.get(index)
        if item is None and index is not None and index in self._over:
            self._repair("after-item", "a record belongs to an item that has ended; it was dropped")
            return None
        if item is not None and item.kind != kind:
            self._repair("output-index", f"{record.get('type')} has the output_index of an item of another kind")
            item = self._open.get(self._by_id.get(item_id, self._last.get(kind, -1)))
            item = item if item is not None and item.kind == kind else None
            index = None
        if item is None:
            self._repair("no-item", f"{record.get('type')} came before response.output_item.added")
            if kind == "function_call":  # its name comes with its end, and its arguments come again
                return None
            extra: Extra = {ITEM: {"id": item_id}} if item_id else NO_EXTRA
            item = self._new(self._next if index is None else index, kind, item_id, extra)
        return item

    def text_at(self, index: object, place: object) -> Piece | None:
        """Return the text of a message that is open at an index and a place in it, if there is one."""
        if type(index) is not int or type(place) is not int:
            return None
        item = self._open.get(index)
        piece = None if item is None or item.kind != "message" else item.pieces.get(("content", place))
        return piece if piece is not None and piece.is_open and piece.kind == "text" else None

    def piece(self, item: Item, place: tuple[str, int], kind: PartKind, out: list[Event]) -> Piece:
        """Return the open text at that place of an item, opening it if there is none; the one before it is closed."""
        piece = item.pieces.get(place)
        if piece is None:
            return self._open_piece(item, place, kind, out)
        if piece.kind != kind:
            self._repair("part-kind", f"a {piece.kind} goes on as a {kind}")
        elif piece.is_open:
            return piece
        else:
            self._repair("after-part", "a text went on after its end")
        self.close(piece, out, extra={MORE: True})
        return self._open_piece(item, place, kind, out)

    def _open_piece(
        self,
        item: Item,
        place: tuple[str, int],
        kind: PartKind,
        out: list[Event],
        **tool: str,
    ) -> Piece:
        extra = item.extra
        before = item.pieces.get((place[0], item.last.get(place[0], -1)))
        if before is not None:
            self.close(before, out, extra={MORE: True})
        if kind == "reasoning" and place[0] == "content":
            extra = {**extra, FORM: "text"}
        piece = item.pieces[place] = Piece(kind)
        item.last[place[0]] = place[1]
        piece.part = self._parts.open(out, piece, kind, extra=extra, **tool)
        return piece

    def close(self, piece: Piece, out: list[Event], *, encrypted: str = "", extra: Extra = NO_EXTRA) -> None:
        """Close a text that is not closed yet."""
        if piece.is_open:
            piece.is_open = False
            self._parts.close(out, piece, encrypted=encrypted, extra=extra)

    def add(self, piece: Piece, text: str, out: list[Event], extra: Extra = NO_EXTRA) -> None:
        """Add a delta."""
        piece.add(text)
        self._parts.add(out, piece, text, extra)

    def whole(self, piece: Piece, text: str, out: list[Event]) -> None:
        """Take a text as a whole: it is added if no delta came, and otherwise has to be what the deltas add up to."""
        if not piece.length and piece.is_open:
            if text:
                self._repair("no-deltas", "a text came whole, without deltas")
                self.add(piece, text, out)
        elif text and not piece.is_all(text):
            self._repair("whole-differs", "a whole text is not what its deltas add up to; the deltas counted")

    def contents(self, item: Item, group: str, contents: list[Any], out: list[Event]) -> None:
        """Take the contents, or the summaries, of an item as a whole.

        Raises:
            RecordError: one is not what it should be.
        """
        for number, content in enumerate(contents):
            if not isinstance(content, dict):
                raise RecordError(f"an element of {group} is not an object")
            known = TEXT_KEYS.get(text_of(content, "type"))
            if known is None:
                continue
            key, kind = known
            text = text_of(content, key)
            piece = item.pieces.get((group, number))
            if piece is None or piece.kind != kind or not (piece.is_open or piece.length):
                if not text:
                    continue
                piece = self.piece(item, (group, number), kind, out)
            self.whole(piece, text, out)

    def is_open(self, index: int, kind: str) -> bool:
        """Whether an item of that kind is open at that index."""
        item = self._open.get(index)
        return item is not None and item.kind == kind

    def end_of(self, record: dict[str, Any], index: int | None) -> tuple[int, bool]:
        """Return the index of the item that `record` ends, and whether that has ended already."""
        for name in (text_of(record, "id"), f"call:{text_of(record, 'call_id')}"):
            if index is None and name in self._by_id:
                index = self._by_id[name]
        if index is None:
            index = self._last.get(text_of(record, "type"), self._next)
        return index, index in self._over

    def end(self, index: int, record: dict[str, Any] | None, out: list[Event]) -> None:
        """End an item; `record` is the whole item, None where it never came.

        Raises:
            RecordError: it is not what it should be.
        """
        item = self._open[index]
        record = record or item.added or {}
        if item.kind == "function_call":
            self._end_arguments(item, record.get("arguments"), out)
        for group in GROUPS.get(item.kind, ()):
            self.contents(item, group, list_of(record, group), out)
        encrypted = text_of(record, "encrypted_content") if item.kind == "reasoning" else ""
        if item.kind == "reasoning" and not item.pieces:
            self._open_piece(item, ("summary", 0), "reasoning", out)
        status = text_of(record, "status")
        extra: Extra = {FAMILY + "status": status} if status == "incomplete" else NO_EXTRA
        still_open = [piece for piece in item.pieces.values() if piece.is_open]
        for piece in still_open:
            is_last = piece is still_open[-1]
            self.close(piece, out, encrypted=encrypted if is_last else "", extra=extra if is_last else NO_EXTRA)
        del self._open[index]
        self._over.add(index)

    def _end_arguments(self, item: Item, arguments: object, out: list[Event]) -> None:
        piece = item.pieces["arguments", 0]
        if isinstance(arguments, dict):
            self._repair("arguments-object", "the arguments of a call came as an object, not as a string")
            arguments = "" if piece.length else encode_value(arguments).decode()
        if not isinstance(arguments, str | None):
            raise RecordError("arguments is not a string")
        self.whole(piece, arguments or "", out)

    def end_all(self, output: list[Any], out: list[Event], *, is_cut: bool) -> None:
        """Take the items of the whole response, and end what is open; in one that was cut short, something may be.

        Of an item that nothing is known of only the first of its kind is taken: vendors whose ids change from record to
        record would have their answers doubled.

        Raises:
            RecordError: one is not what it should be.
        """
        kinds = set(self.kinds)
        for record in output:
            if not isinstance(record, dict):
                raise RecordError("an item of output is not an object")
            kind = text_of(record, "type")
            if kind not in KINDS:
                continue
            names = (text_of(record, "id"), f"call:{text_of(record, 'call_id')}")
            index = next((self._by_id[name] for name in names if name in self._by_id), None)
            if index is not None and index in self._open and self._open[index].kind == kind:
                self._end_late(index, record, out, is_cut=is_cut)
            elif index is None and kind not in kinds:
                self._repair("only-in-response", "an item came only with the whole response")
                index = self._next
                self.begin(index, record, out)
                self.end(index, record, out)
        for index in list(self._open):
            self._end_late(index, None, out, is_cut=is_cut)

    def _end_late(self, index: int, record: dict[str, Any] | None, out: list[Event], *, is_cut: bool) -> None:
        if not is_cut:
            self._repair("no-item-end", "an item ended with the response, without response.output_item.done")
        self.end(index, record, out)
