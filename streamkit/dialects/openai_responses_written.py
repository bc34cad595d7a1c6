"""The items and parts of a response that is being written: what is kept of them until their ends repeat it."""

from __future__ import annotations

from io import StringIO
from typing import Any, Final

from streamkit.dialects.encoder import Template
from streamkit.dialects.events import PartStart
from streamkit.dialects.openai_responses_records import FORM, output_text

__all__ = ["Item", "Written"]

STEMS: Final = {
    "text": "response.output_text",
    "refusal": "response.refusal",
    "reasoning": "response.reasoning_summary_text",
    "tool": "response.function_call_arguments",
}
"""What the types of a part's records begin with."""


class Item:
    """An item that is being written.

    Attributes:
        fields: the item's object, completed as its parts end.
        open_parts: how many of its parts are open.
        is_incomplete: whether the item that it came from said so.
    """

    def __init__(self, index: int, fields: dict[str, Any]) -> None:
        self.index = index
        self.fields = fields
        self.id: str = fields["id"]
        self.kind: str = fields["type"]
        self.open_parts = 0
        self.is_incomplete = False


class Written:
    """A part that is being written.

    Attributes:
        stem: what the types of its records begin with.
        place: what says in each record where its text belongs.
        slot: the object for it in one of its item's lists; None as long as there is none, and for a function call.
        frame: the bytes around each delta, made when there is a first.
        is_empty: whether no delta has been written.
    """

    def __init__(self, item: Item, start: PartStart) -> None:
        is_raw_reasoning = start.kind == "reasoning" and start.extra.get(FORM) == "text"
        self.item = item
        self.stem = "response.reasoning_text" if is_raw_reasoning else STEMS[start.kind]
        self.place: dict[str, object] = {"item_id": item.id, "output_index": item.index}
        self.slot: dict[str, Any] | None = None
        self.text = StringIO(newline="")
        self.frame: Template | None = None
        self.is_empty = True
        self.logprobs: list[object] = []
        self.annotations: list[object] = []

    @property
    def slot_stem(self) -> str:
        """What the types of the records begin with that begin and end its slot."""
        is_summary = self.stem == "response.reasoning_summary_text"
        return "response.reasoning_summary_part" if is_summary else "response.content_part"

    def open_slot(self) -> None:
        """Make the slot, and its place in the item."""
        fields = self.item.fields
        if self.stem == "response.output_text":
            self.slot = output_text("", [], [])
        elif self.stem == "response.refusal":
            self.slot = {"type": "refusal", "refusal": ""}
        elif self.stem == "response.reasoning_text":
            self.slot = {"type": "reasoning_text", "text": ""}
        else:
            self.slot = {"type": "summary_text", "text": ""}
            self.place["summary_index"] = len(fields["summary"])
            fields["summary"].append(self.slot)
            return
        contents = fields.setdefault("content", [])
        self.place["content_index"] = len(contents)
        contents.append(self.slot)

    def fill(self) -> str:
        """Put the text into the item, and return it."""
        text = self.text.getvalue()
        if self.slot is None:
            if self.item.kind == "function_call":
                self.item.fields["arguments"] = text
        elif self.stem == "response.output_text":
            self.slot |= {"text": text, "annotations": self.annotations, "logprobs": self.logprobs}
        else:
            self.slot["refusal" if self.stem == "response.refusal" else "text"] = text
        return text
