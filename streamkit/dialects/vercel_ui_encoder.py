"""Vercel's UI message stream, written: events to chunks.

`start`, `start-step`, the parts, `finish-step`, `finish`, `[DONE]`. A stream that came from this dialect has its own
steps. The arguments of a tool call are written as they come and are kept, to be written once more as a value when they
are complete (`tool-input-available`); what is not JSON by then is a `tool-input-error`, and the call keeps its text.
After `error` nothing is written, not even `[DONE]`: that would end the stream as if it were whole.
"""

from __future__ import annotations

from io import StringIO
from typing import Any, Final

from streamkit.codecs.jsontext import decode_checked, encode_string, encode_value
from streamkit.codecs.records import DEFAULT_LIMIT_BYTES
from streamkit.dialects.encoder import MARK, Encoder, Template
from streamkit.dialects.events import (
    Custom,
    Error,
    PartEnd,
    PartStart,
    Ping,
    Reasoning,
    Start,
    Text,
    ToolArgs,
)
from streamkit.dialects.vercel_ui_records import (
    FAMILY,
    FINISH_WORDS,
    KEPT,
    MS,
    STEPS,
    provider_metadata,
    signature_of,
    usage_object,
)

__all__ = ["VercelUIEncoder"]

MAX_HELD: Final = DEFAULT_LIMIT_BYTES
"""So many characters of arguments are kept, of all calls that are open."""


class VercelUIEncoder(Encoder):
    """Events to frames."""

    name = "vercel-ui"
    framings = ("sse",)
    finish_words = FINISH_WORDS
    extras = frozenset({"logprobs"})
    family = FAMILY

    def _begin(self) -> None:
        super()._begin()
        self._source = ""
        self._in_step = False
        self._templates: dict[int, Template] = {}
        self._texts: dict[int, Template] = {}
        self._signed: dict[int, tuple[str, str]] = {}
        self._call_ids: dict[int, str] = {}
        self._used_ids: set[str] = set()
        self._held: dict[int, StringIO] = {}
        self._held_size = 0

    def on_start(self, start: Start, out: list[bytes]) -> None:
        self._source = start.dialect
        own = self.own(start.extra)
        given = own.pop("messageMetadata", None)
        metadata: dict[str, object] = {"model": self.model} if self.model else {}
        if self.created_ns and (start.created_ns or not self.is_own):
            metadata["createdAt"] = self.created_ns // MS
        chunk: dict[str, object] = {"type": "start"}
        if self.id:
            chunk["messageId"] = self.id
        with_metadata(chunk, metadata, given)
        self.record(out, {**chunk, **own})
        if not self.is_own:
            self._in_step = True
            self.record(out, {"type": "start-step"})

    def on_part_start(self, start: PartStart, out: list[bytes]) -> None:
        part, own = start.part, self.own(start.extra)
        self._sign(part, own)
        if start.kind == "tool":
            call_id = start.tool_id or f"call_{part}"
            while call_id in self._used_ids:  # the client would merge the calls
                call_id += "_"
            self._used_ids.add(call_id)
            self._call_ids[part] = call_id
            self._held[part] = StringIO()
            chunk = {"type": "tool-input-start", "toolCallId": call_id, "toolName": start.tool_name}
            self.record(out, {**chunk, **own})
            return
        kind = kind_of(start)
        template = self.template({"type": f"{kind}-delta", "id": id_of(start), "delta": MARK})
        self._templates[part] = template
        if kind == "text":
            self._texts[part] = template
            self.text_frame = template if len(self._texts) == 1 else None
        self.record(out, {"type": f"{kind}-start", "id": id_of(start), **own})

    def on_text(self, event: Text, out: list[bytes]) -> None:
        self._write_delta(event, out)

    def on_reasoning(self, event: Reasoning, out: list[bytes]) -> None:
        self._write_delta(event, out)

    def _write_delta(self, event: Text | Reasoning, out: list[bytes]) -> None:
        start = self.part(event)
        if event.part not in self._templates:
            msg = f"text for part {event.part}, which is a tool call"
            raise ValueError(msg)
        own = self.own(event.extra) if event.extra else {}
        if "logprobs" in event.extra:
            own["logprobs"] = event.extra["logprobs"]
        if own:
            self._sign(event.part, own)
            self.record(out, {"type": f"{kind_of(start)}-delta", "id": id_of(start), "delta": event.text, **own})
        else:
            head, tail = self._templates[event.part]
            out.append(head + encode_string(event.text) + tail)

    def on_tool_args(self, event: ToolArgs, out: list[bytes]) -> None:
        if self.part(event).kind != "tool":
            msg = f"arguments for part {event.part}, which is no tool call"
            raise ValueError(msg)
        self._held_size += len(event.json_text)
        if self._held_size > MAX_HELD:
            msg = f"more than {MAX_HELD} characters of tool arguments would have to be held"
            raise ValueError(msg)
        self._held[event.part].write(event.json_text)
        own = {"inputTextDelta": event.json_text, **self.own(event.extra)}
        if own["inputTextDelta"]:
            self.record(out, {"type": "tool-input-delta", "toolCallId": self._call_ids[event.part], **own})

    def on_part_end(self, start: PartStart, end: PartEnd, out: list[bytes]) -> None:
        own = self.own(end.extra)
        self._sign(end.part, own)
        written = self._signed.pop(end.part)
        more = ["" if mine == theirs else mine for mine, theirs in zip(signs_of(end), written, strict=True)]
        if any(more):
            given = own.get("providerMetadata")
            made = provider_metadata(self._source, *more)
            own["providerMetadata"] = {**made, **given} if isinstance(given, dict) else made
        if start.kind == "tool":
            self._end_call(start, own, out)
            return
        del self._templates[end.part]
        self._texts.pop(end.part, None)
        self.text_frame = next(iter(self._texts.values())) if len(self._texts) == 1 else None
        self.record(out, {"type": f"{kind_of(start)}-end", "id": id_of(start), **own})

    def _end_call(self, start: PartStart, own: dict[str, object], out: list[bytes]) -> None:
        text = self._held.pop(start.part).getvalue()
        self._held_size -= len(text)
        chunk = {"toolCallId": self._call_ids.pop(start.part), "toolName": start.tool_name}
        if "errorText" in own:
            self.record(out, {"type": "tool-input-error", **chunk, "input": text, **own})
            return
        try:
            value = decode_checked(text.encode()) if text.strip() else {}
            data = encode_value({"type": "tool-input-available", **chunk, "input": value, **own})
        except ValueError as error:
            fields = {"input": text, "errorText": f"the input is not JSON: {error}"}
            data = encode_value({"type": "tool-input-error", **chunk, **fields, **own})
        out.append(self.frame.record(data))

    def _sign(self, part: int, own: dict[str, object]) -> None:
        """Note what was written of a part's signature, so that it is not written twice."""
        signature, encrypted = signature_of(own.get("providerMetadata"))
        before = self._signed.get(part, ("", ""))
        self._signed[part] = (signature or before[0], encrypted or before[1])

    def on_ping(self, ping: Ping, out: list[bytes]) -> None:
        out.append(self.frame.comment(ping.comment or "keep-alive"))

    def on_custom(self, event: Custom, out: list[bytes]) -> None:
        kind = event.name.removeprefix(FAMILY)
        value: Any = event.value
        if event.name == kind or kind not in KEPT or not isinstance(value, dict | None):
            own = self.own(event.extra)
            self.record(out, {"type": f"data-{event.name}", "data": value, **own})
            return
        if kind in STEPS:
            is_start = kind == "start-step"
            if is_start == self._in_step and not self.is_own:
                return
            self._in_step = is_start
        self.record(out, {"type": kind, **(value or {})})

    def on_end(self, out: list[bytes]) -> None:
        finish = self.finish_event
        own = self.own(finish.extra)
        if self._in_step and not self.is_own:
            self.record(out, {"type": "finish-step"})
        if finish.reason == "cancelled":
            reason = {} if self.is_own or not finish.raw_reason else {"reason": finish.raw_reason}
            self.record(out, {"type": "abort", **reason, **own})
        else:
            said_nothing = self.is_own and not finish.raw_reason and finish.reason in {"stop", "tool_calls"}
            word = "" if said_nothing else self.finish_word(finish)
            chunk: dict[str, object] = {"type": "finish", "finishReason": word} if word else {"type": "finish"}
            given = own.pop("messageMetadata", None)
            usage = usage_object(self.usage) if self.include_usage else None
            metadata: dict[str, object] = {}
            if usage is not None:
                metadata["usage"] = {**usage, **self.own(self.usage.extra)}
            with_metadata(chunk, metadata, given)
            self.record(out, {**chunk, **own})
        out.append(self.frame.record(b"[DONE]"))

    def on_error(self, error: Error, out: list[bytes]) -> None:
        self.record(out, {"type": "error", "errorText": error.message or error.type or "error"})


def kind_of(start: PartStart) -> str:
    """Return what chunks of a part's text begin with; there is none for a refusal."""
    return "reasoning" if start.kind == "reasoning" else "text"


def id_of(start: PartStart) -> str:
    """Return the id of a part of text. Clients only match its chunks by it."""
    return f"{kind_of(start)}-{start.part}"


def signs_of(end: PartEnd) -> tuple[str, str]:
    """Return what the vendor wants back with a part."""
    return end.signature, end.encrypted


def with_metadata(chunk: dict[str, object], metadata: dict[str, object], given: object) -> None:
    """Add `messageMetadata` to a chunk, if there is any; `given` is the application's own."""
    if isinstance(given, dict):
        chunk["messageMetadata"] = {**given, **metadata}
    elif given is not None or metadata:
        chunk["messageMetadata"] = metadata if given is None else given
