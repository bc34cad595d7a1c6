"""Neutral events to AG-UI's.

The first event is RUN_STARTED, whatever comes first; every message, span and call that was started is ended; ids are
unique among all of them, for a client finds messages by id alone. Optional keys are left out, never null. What AG-UI
has no field for is kept in `metadata` (see `streamkit.dialects.ag_ui_records`).

Not carried: choices but the first, log probabilities, durations.
"""

from __future__ import annotations

from typing import Final

from streamkit.codecs.jsontext import encode_string
from streamkit.dialects.ag_ui_records import (
    FAMILY,
    FINISH_WORDS,
    MAX_COUNT,
    PASSED_ON,
    PROTOCOL_VERSION,
    in_metadata,
    pause_outcome,
    usage_list,
)
from streamkit.dialects.encoder import MARK, Encoder, Template
from streamkit.dialects.events import (
    Custom,
    Error,
    PartEnd,
    PartStart,
    Reasoning,
    Refusal,
    Start,
    Text,
    ToolArgs,
)

__all__ = ["AGUIEncoder"]

MS: Final = 1_000_000

CONTENT: Final = {
    "text": "TEXT_MESSAGE_CONTENT",
    "refusal": "TEXT_MESSAGE_CONTENT",
    "reasoning": "REASONING_MESSAGE_CONTENT",
    "tool": "TOOL_CALL_ARGS",
}


class Opened:
    """A part as it was opened: its id on the wire, what its deltas look like, and whether it has had any."""

    def __init__(self, kind: str, wire_id: str, span_id: str, template: Template) -> None:
        self.kind = kind
        self.id = wire_id
        self.span_id = span_id
        self.template = template
        self.has_text = False


class AGUIEncoder(Encoder):
    """Events to frames."""

    name = "ag-ui"
    framings = ("sse",)
    finish_words = FINISH_WORDS
    family = FAMILY

    def _begin(self) -> None:
        super()._begin()
        self._run_started = False
        self._run: dict[str, object] = {}
        self._parts: dict[int, Opened] = {}
        self._texts: dict[int, Template] = {}  # of those parts, the messages
        self._open_ids: set[str] = set()
        self._ids: dict[str, str] = {}  # every id that was used, and for what
        self._last_message = ""
        self._pending: dict[str, None] = {}  # calls without a result, in order

    # Runs

    def on_start(self, start: Start, out: list[bytes]) -> None:
        if not self._run_started:
            self._start_run(start, out)

    def _start_run(self, start: Start, out: list[bytes]) -> None:
        self._run_started = True
        own = self.own(start.extra)
        self._run_id = text(own.pop("runId", None)) or self.id or "run-0"
        thread_id = text(own.pop("threadId", None)) or f"thread-{self._run_id}"
        self._run = {"threadId": thread_id, "runId": self._run_id}
        record: dict[str, object] = {"type": "RUN_STARTED", **self._run, "protocolVersion": PROTOCOL_VERSION}
        created_ms = self.created_ns // MS
        if 0 < created_ms <= MAX_COUNT:
            record["timestamp"] = created_ms
        self.record(out, with_metadata(record, own, {"model": self.model} if self.model else {}))

    def on_end(self, out: list[bytes]) -> None:
        finish = self.finish_event
        own = self.own(finish.extra)
        outcome = own.pop("outcome", None)
        outcome_type = finish.raw_reason if self.is_own else FINISH_WORDS[finish.reason]
        if not isinstance(outcome, dict) or outcome.get("type") != outcome_type:
            outcome = {"type": outcome_type} if outcome_type else None
            if outcome_type == "interrupt":
                outcome = pause_outcome(self._run_id, "" if self.is_own else finish.raw_reason)
        if outcome is not None and outcome_type == "success" and self._pending:
            outcome = {**outcome, "pendingToolCallIds": list(self._pending)}
        record: dict[str, object] = {"type": "RUN_FINISHED", **self._run}
        if outcome is not None:
            record["outcome"] = outcome
        self._add_usage(record)
        metadata: dict[str, object] = {"finishReason": finish.reason} if in_metadata(finish.reason) else {}
        if finish.stop_sequence:
            metadata["stopSequence"] = finish.stop_sequence
        self.record(out, with_metadata(record, own, metadata))

    def on_error(self, error: Error, out: list[bytes]) -> None:
        record: dict[str, object] = {"type": "RUN_ERROR", "message": error.message or error.type or "error"}
        code = error.error_code or error.type
        if code:
            record["code"] = code
        self._add_usage(record)
        metadata: dict[str, object] = {"errorType": error.type} if error.type else {}
        if error.status is not None:
            metadata["status"] = error.status
        self.record(out, with_metadata(record, self.own(error.extra), metadata))

    def _add_usage(self, record: dict[str, object]) -> None:
        usage = usage_list(self.usage, self.model) if self.include_usage else []
        if usage:
            record["usage"] = usage

    # Messages and tool calls

    def on_part_start(self, start: PartStart, out: list[bytes]) -> None:
        own = self.own(start.extra)
        wanted = text(own.pop("messageId", None)) or start.tool_id
        wire_id = self._unique(wanted, start)
        span_id = text(own.pop("spanId", None)) or wire_id
        id_key = "toolCallId" if start.kind == "tool" else "messageId"
        head: dict[str, object] = {id_key: wire_id}
        metadata: dict[str, object] = {}
        if start.kind == "tool":
            parent = text(own.pop("parentMessageId", None)) or ("" if self.is_own else self._parent())
            head["toolCallName"] = start.tool_name
            if parent:
                head["parentMessageId"] = parent
            self._pending[wire_id] = None
            kind = "TOOL_CALL_START"
        elif start.kind == "reasoning":
            self.record(out, {"type": "REASONING_START", "messageId": span_id})
            head["role"] = "reasoning"
            kind = "REASONING_MESSAGE_START"
        else:
            head["role"] = "assistant"
            self._last_message = wire_id
            metadata = {"refusal": True} if start.kind == "refusal" else {}
            kind = "TEXT_MESSAGE_START"
        template = self.template({"type": CONTENT[start.kind], id_key: wire_id, "delta": MARK})
        self._parts[start.part] = Opened(start.kind, wire_id, span_id, template)
        self._open_ids.add(wire_id)
        if start.kind == "text":
            self._texts[start.part] = template
            self._set_text_frame()
        self.record(out, with_metadata({"type": kind, **head}, own, metadata))

    def _unique(self, wanted: str, start: PartStart) -> str:
        """Return an id that no other part has had. A part of an AG-UI stream may go on with its own message's."""
        kind = CONTENT[start.kind]
        used = self._ids.get(wanted)
        if used is not None and not (self.is_own and used == kind and wanted not in self._open_ids):
            wanted = f"{wanted}-{start.part}"
        wanted = wanted or f"{self._run_id}-{start.part}"
        while self._ids.get(wanted, kind) != kind or (wanted in self._ids and not self.is_own):
            wanted += "-"
        self._ids[wanted] = kind
        return wanted

    def _set_text_frame(self) -> None:
        """Say what texts look like, as long as there is only one message that they can belong to."""
        self.text_frame = next(iter(self._texts.values())) if len(self._texts) == 1 else None

    def _parent(self) -> str:
        """Return the message that a call belongs to: the last text's, or one that has nothing but calls."""
        if not self._last_message:
            self._last_message = f"{self._run_id}-message"
            self._ids[self._last_message] = CONTENT["text"]
        return self._last_message

    def on_text(self, event: Text, out: list[bytes]) -> None:
        self._write_delta(event, event.text, out)

    def on_reasoning(self, event: Reasoning, out: list[bytes]) -> None:
        self._write_delta(event, event.text, out)

    def on_refusal(self, event: Refusal, out: list[bytes]) -> None:
        self._write_delta(event, event.text, out)

    def on_tool_args(self, event: ToolArgs, out: list[bytes]) -> None:
        self._write_delta(event, event.json_text, out)

    def _write_delta(self, event: Text | Reasoning | Refusal | ToolArgs, delta: str, out: list[bytes]) -> None:
        opened = self._parts.get(event.part)
        if opened is None:
            self.part(event)  # it says what is wrong
            return
        opened.has_text = opened.has_text or bool(delta)
        own = self.own(event.extra) if event.extra else None
        if own:
            id_key = "toolCallId" if opened.kind == "tool" else "messageId"
            head: dict[str, object] = {"type": CONTENT[opened.kind], id_key: opened.id, "delta": delta}
            self.record(out, with_metadata(head, own, {}))
        else:
            before, after = opened.template
            out.append(before + encode_string(delta) + after)

    def on_part_end(self, start: PartStart, end: PartEnd, out: list[bytes]) -> None:
        opened = self._parts.pop(start.part)
        self._open_ids.discard(opened.id)
        if start.kind == "text":
            del self._texts[start.part]
            self._set_text_frame()
        own = self.own(end.extra)
        if start.kind == "reasoning":
            record: dict[str, object] = {"type": "REASONING_MESSAGE_END", "messageId": opened.id}
            self.record(out, with_metadata(record, own, {}))
            self._write_values(opened, end, out)
            self.record(out, {"type": "REASONING_END", "messageId": opened.span_id})
            return
        self._write_values(opened, end, out)
        if start.kind == "tool":
            self.record(out, with_metadata({"type": "TOOL_CALL_END", "toolCallId": opened.id}, own, {}))
        else:
            self.record(out, with_metadata({"type": "TEXT_MESSAGE_END", "messageId": opened.id}, own, {}))

    def _write_values(self, opened: Opened, end: PartEnd, out: list[bytes]) -> None:
        """Write what the vendor wants back. Which of the two it is shows by the part, or stands in the metadata."""
        usual = "signature" if opened.has_text or opened.kind != "reasoning" else "encrypted"
        for kind, value in (("encrypted", end.encrypted), ("signature", end.signature)):
            if value:
                record: dict[str, object] = {
                    "type": "REASONING_ENCRYPTED_VALUE",
                    "subtype": "tool-call" if opened.kind == "tool" else "message",
                    "entityId": opened.id,
                    "encryptedValue": value,
                }
                self.record(out, with_metadata(record, {}, {} if kind == usual else {"kind": kind}))

    # The rest

    def on_custom(self, event: Custom, out: list[bytes]) -> None:
        if not self._run_started:
            self._start_run(Start(), out)
        kind = event.name.removeprefix(FAMILY)
        value = event.value
        if kind != event.name and isinstance(value, dict) and value.keys() >= PASSED_ON.get(kind, NOTHING):
            if kind == "TOOL_CALL_RESULT":
                self._pending.pop(text(value["toolCallId"]), None)
            self.record(out, {"type": kind, **value})
        else:
            self.record(out, {"type": "CUSTOM", "name": event.name, "value": value, **self.own(event.extra)})


NOTHING: Final = frozenset({""})
"""What no value has as its keys."""


def text(value: object) -> str:
    """Return the value if it is a string, or an empty one."""
    return value if isinstance(value, str) else ""


def with_metadata(record: dict[str, object], own: dict[str, object], metadata: dict[str, object]) -> dict[str, object]:
    """Return the record with what of its `extra` is AG-UI's own, and with what goes in its metadata."""
    kept = own.get("metadata")
    if metadata:
        kept = {**(kept if isinstance(kept, dict) else {}), **metadata}
    more = {key: value for key, value in own.items() if key != "metadata" and key not in record}
    return {**record, **more, "metadata": kept} if kept else {**record, **more}
