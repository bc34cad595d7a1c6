"""OpenAI's Responses API, written; what a stream looks like is told in `streamkit.dialects.openai_responses`.

Every part becomes an item of its own, but parts that came as one item become one again. Items may overlap, as parts do.
Each text is written three more times after its deltas, with its own end, with its item's, and with the response's, so
the whole answer is kept, up to `max_kept_bytes`.

Reasoning is written as a summary. That is what clients show: Codex prints the other form only when told to, and GPT
models send no other. Reasoning that came in the other form goes out in it.

A record that this dialect's decoder did not know goes out as it came, but for `sequence_number` and `output_index`,
which follow those of the records around it; an item in it is in the finished response, too.

Lost, and counted: other choices than the first, signatures, custom events (the JavaScript SDK raises at a record that
it does not know), and log probabilities of anything but text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Unpack

from msgspec.structs import replace

from streamkit.codecs.jsontext import decode_checked, encode_string, encode_value
from streamkit.codecs.records import DEFAULT_LIMIT_BYTES, check_limit
from streamkit.dialects.call_ids import made_id
from streamkit.dialects.encoder import MARK, Encoder
from streamkit.dialects.events import (
    Error,
    Event,
    Finish,
    PartEnd,
    PartStart,
    Raw,
    Reasoning,
    Refusal,
    Start,
    Text,
    ToolArgs,
)
from streamkit.dialects.openai_responses_records import (
    FAMILY,
    FINISH_WORDS,
    ITEM,
    MORE,
    PREFIXES,
    error_of,
    item_fields,
    logprobs_in,
    response_object,
    response_status,
    usage_object,
)
from streamkit.dialects.openai_responses_written import Item, Written
from streamkit.dialects.options import EncoderOptions
from streamkit.dialects.parts import Extra

__all__ = ["OpenAIResponsesEncoder"]

S: Final = 1_000_000_000


class OpenAIResponsesEncoder(Encoder):
    """Events to frames."""

    name = "openai-responses"
    framings = ("sse",)
    finish_words = FINISH_WORDS
    extras = frozenset({"logprobs", "service_tier"})
    family = FAMILY

    def __init__(self, *, max_kept_bytes: int | None = DEFAULT_LIMIT_BYTES, **options: Unpack[EncoderOptions]) -> None:
        """Make an encoder.

        Args:
            max_kept_bytes: the longest answer, over which encoding fails; None lifts the limit.
            options: those of `Encoder`.

        Raises:
            ConfigError: an option is out of range.
        """
        self._limit_bytes = check_limit(max_kept_bytes, "max_kept_bytes")
        super().__init__(**options)

    def _begin(self) -> None:
        super()._begin()
        self._number = 0
        self._kept_bytes = 0
        self._output: list[dict[str, object] | None] = []  # None: an item of another kind that has not ended
        self._indexes: dict[str, int] = {}  # of all items, by their ids
        self._foreign: dict[int, int] = {}  # of items of other kinds, by the indexes that they came with
        self._shared: dict[str, Item] = {}
        self._parts: dict[int, Written] = {}
        self._more: dict[str, object] = {}

    # The response

    def on_start(self, start: Start, out: list[bytes]) -> None:
        self.id = self.id or "resp_0"
        self._more = self._own_response(start)
        for kind in ("response.created", "response.in_progress"):
            self._write_record(out, kind, response=self._response("in_progress", usage=None))

    def _own_response(self, event: Event) -> dict[str, object]:
        tier = {"service_tier": event.extra["service_tier"]} if "service_tier" in event.extra else {}
        return {**tier, **self.own(event.extra)}

    def _response(self, status: str, **fields: object) -> dict[str, object]:
        own = {"id": self.id, "created_at": self.created_ns // S, "status": status, "model": self.model}
        output = [item for item in self._output if item is not None]
        return response_object({**own, "output": output, **fields}, self._more)

    def _write_record(self, out: list[bytes], kind: str, /, **fields: object) -> None:
        number, self._number = self._number, self._number + 1
        self.record(out, {"type": kind, "sequence_number": number, **fields}, kind)

    @property
    def _usage_object(self) -> dict[str, object] | None:
        return usage_object(self.usage) if self.include_usage else None

    def on_finish(self, finish: Finish, out: list[bytes]) -> None:  # noqa: ARG002 - the response tells why
        for item in list(self._shared.values()):
            self._end_item(item, out)

    def on_end(self, out: list[bytes]) -> None:
        finish = self.finish_event
        status, details = response_status(self.finish_word(finish))
        self._more |= self._own_response(finish)
        kind = "response.completed" if status == "completed" else "response.incomplete"
        response = self._response(status, incomplete_details=details, usage=self._usage_object)
        self._write_record(out, kind, response=response)

    def on_error(self, error: Error, out: list[bytes]) -> None:
        # The SDKs raise only for an error under `error`; of `response.failed` they make a response like any other.
        fields = error_of(error)
        said = {"type": error.type or "server_error", "code": error.error_code or None, "message": fields["message"]}
        self._write_record(out, "error", error={**said, "param": None})
        for part in self._parts.values():
            part.fill()
        for item in {part.item.index: part.item for part in self._parts.values()}.values():
            if "status" in item.fields:
                item.fields["status"] = "incomplete"
        self.id = self.id or "resp_0"
        self._write_record(
            out, "response.failed", response=self._response("failed", error=fields, usage=self._usage_object)
        )

    # Parts and items

    def on_part_start(self, start: PartStart, out: list[bytes]) -> None:
        more = start.extra.get(ITEM)
        item = self._item_for(start, more if isinstance(more, dict) else {}, out)
        part = Written(item, start)
        item.open_parts += 1
        self._parts[start.part] = part
        if start.kind in {"text", "refusal"}:
            self._open_slot(part, out)

    def _item_for(self, start: PartStart, more: Mapping[str, object], out: list[bytes]) -> Item:
        """Return the item that a part belongs to, a new one unless it shares one."""
        kind = {"tool": "function_call", "reasoning": "reasoning"}.get(start.kind, "message")
        own_id = more.get("id")
        shared = self._shared.get(own_id) if isinstance(own_id, str) else None
        if shared is not None and shared.kind == kind:
            return shared
        index = len(self._output)
        has_id = isinstance(own_id, str) and own_id not in self._indexes
        item_id = str(own_id) if has_id else f"{PREFIXES[kind]}_{self.id.removeprefix('resp_')}_{index}"
        fields: dict[str, Any] = item_fields(kind, item_id, more)
        if kind == "function_call":
            call_id = start.tool_id or made_id("call", self.id.removeprefix("resp_"), index)
            fields |= {"arguments": "", "call_id": call_id, "name": start.tool_name}
        item = Item(index, fields)
        if has_id and kind != "function_call":
            self._shared[item_id] = item
        self._indexes[item_id] = index
        self._output.append(fields)
        self._keep(len(encode_value(fields)))
        self._write_record(out, "response.output_item.added", output_index=index, item=fields)
        return item

    def _keep(self, size: int) -> None:
        self._kept_bytes += size
        if self._limit_bytes is not None and self._kept_bytes > self._limit_bytes:
            msg = f"the answer is longer than {self._limit_bytes} bytes, and its end has to repeat all of it"
            raise ValueError(msg)

    def _open_slot(self, part: Written, out: list[bytes]) -> None:
        """Write the begin of a content part or a summary."""
        part.open_slot()
        self._write_record(out, f"{part.slot_stem}.added", **part.place, part=part.slot)

    def on_text(self, event: Text, out: list[bytes]) -> None:
        self.part(event)
        part = self._parts[event.part]
        if event.extra:
            self._write_with_extra(part, event.text, event.extra, out)
        else:
            self._write_delta(part, event.text, out)

    def on_reasoning(self, event: Reasoning, out: list[bytes]) -> None:
        self._write_other(event, event.text, out)

    def on_refusal(self, event: Refusal, out: list[bytes]) -> None:
        self._write_other(event, event.text, out)

    def on_tool_args(self, event: ToolArgs, out: list[bytes]) -> None:
        self._write_other(event, event.json_text, out)

    def _write_other(self, event: Reasoning | Refusal | ToolArgs, text: str, out: list[bytes]) -> None:
        self.part(event)
        part = self._parts[event.part]
        if part.item.kind == "reasoning" and part.slot is None:
            self._open_slot(part, out)
        if event.extra:
            self._write_with_extra(part, text, event.extra, out)
        else:
            self._write_delta(part, text, out)

    def _write_delta(self, part: Written, text: str, out: list[bytes]) -> None:
        if part.frame is None:
            logprobs: dict[str, object] = {"logprobs": []} if part.stem == "response.output_text" else {}
            kind = f"{part.stem}.delta"
            part.frame = self.template({"type": kind, **part.place, **logprobs, "delta": MARK}, kind)
        string = encode_string(text)
        self._keep(len(string))
        part.text.write(text)
        part.is_empty = False
        head, tail = part.frame
        out.append(b'%b%b,"sequence_number":%d%b' % (head, string, self._number, tail))
        self._number += 1

    def _write_with_extra(self, part: Written, text: str, extra: Extra, out: list[bytes]) -> None:
        """Write a delta with its log probabilities and further fields, and annotations as records of their own."""
        own = self.own(extra)
        more, annotations = own.get("delta"), own.get("annotations")
        logprobs: dict[str, list[object]] = {}
        if part.stem == "response.output_text":
            logprobs = {"logprobs": logprobs_in(extra)}
            part.logprobs += logprobs["logprobs"]
        elif "logprobs" in extra:
            self.lose("logprobs")
        self._keep(len(encode_value([text, logprobs, annotations])))
        if text or more or logprobs.get("logprobs"):
            part.text.write(text)
            part.is_empty = False
            besides = more if isinstance(more, dict) else {}
            self._write_record(out, f"{part.stem}.delta", **{**besides, **part.place, "delta": text, **logprobs})
        for annotation in annotations if isinstance(annotations, list) else ():
            number = {"annotation_index": len(part.annotations)}
            part.annotations.append(annotation)
            kind = "response.output_text.annotation.added"
            self._write_record(out, kind, **part.place, **number, annotation=annotation)

    def on_part_end(self, start: PartStart, end: PartEnd, out: list[bytes]) -> None:
        part = self._parts[start.part]
        item = part.item
        if start.kind == "tool" and part.is_empty:
            self._write_delta(part, "{}", out)  # no client takes an empty text for an object
        text = part.fill()
        done = f"{part.stem}.done"
        if start.kind == "tool":
            self._write_record(out, done, **part.place, arguments=text)
        elif part.slot is not None:
            logprobs = {"logprobs": part.logprobs} if start.kind == "text" else {}
            key = "refusal" if start.kind == "refusal" else "text"
            self._write_record(out, done, **part.place, **{key: text}, **logprobs)
            self._write_record(out, f"{part.slot_stem}.done", **part.place, part=part.slot)
        del self._parts[start.part]
        self._end_part(item, end, out)

    def _end_part(self, item: Item, end: PartEnd, out: list[bytes]) -> None:
        item.open_parts -= 1
        if end.signature:
            self.lose("signature")
        if end.encrypted and item.kind == "reasoning":
            self._keep(len(end.encrypted))
            item.fields["encrypted_content"] = end.encrypted
        elif end.encrypted:
            self.lose("encrypted")
        item.is_incomplete = item.is_incomplete or end.extra.get(FAMILY + "status") == "incomplete"
        if not item.open_parts and not end.extra.get(MORE):
            self._end_item(item, out)

    def _end_item(self, item: Item, out: list[bytes]) -> None:
        self._shared.pop(item.id, None)
        if "status" in item.fields or item.is_incomplete:
            item.fields["status"] = "incomplete" if item.is_incomplete else "completed"
        self._write_record(out, "response.output_item.done", output_index=item.index, item=item.fields)

    # Records that the decoder did not know

    def _on_raw(self, raw: Raw, out: list[bytes]) -> None:
        if raw.dialect == self.name:
            value = decode_checked(raw.payload.encode())
            if isinstance(value, dict) and "sequence_number" in value:
                self._place(value)
                number, self._number = self._number, self._number + 1
                payload = encode_value({**value, "sequence_number": number})
                raw = replace(raw, payload=payload.decode())
        super()._on_raw(raw, out)

    def _place(self, record: dict[str, Any]) -> None:
        """Give a record the index that its item has here."""
        source, item = record.get("output_index"), record.get("item")
        if not isinstance(source, int):
            return
        kind, item_id = record.get("type"), record.get("item_id")
        if kind == "response.output_item.added":
            self._foreign[source] = len(self._output)
            self._output.append(None)
        index = self._foreign.get(source)
        if isinstance(item_id, str):
            index = self._indexes.get(item_id, index)
        if index is None:
            return
        record["output_index"] = index
        if isinstance(item, dict) and isinstance(item.get("id"), str):
            self._indexes[item["id"]] = index
        if kind == "response.output_item.done" and isinstance(item, dict):
            self._keep(len(encode_value(item)))
            self._output[index] = item
