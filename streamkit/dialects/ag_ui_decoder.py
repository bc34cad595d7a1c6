"""AG-UI's events to neutral ones.

What the decoder does besides reading: it expands the `*_CHUNK` forms by the rules of the 1.0 client, translates the
`THINKING_*` events of 0.x, and puts right what servers get wrong about starts and ends. An event that is no part of the
answer (STATE_*, ACTIVITY_*, STEP_*, SUBAGENT_*, TOOL_CALL_RESULT, a message of another role) becomes a `Custom` named
`ag-ui.TYPE`; RAW becomes a `Raw`, as do types that nobody knows.

Not kept: the `timestamp`s but for the first. Of a stream with several runs only the first is read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final

from streamkit.dialects.ag_ui_parts import IGNORED, LANES, Entities, Key, extra_of, with_metadata
from streamkit.dialects.ag_ui_records import FAMILY, PASSED_ON, THINKING, metadata_reason, usage_of
from streamkit.dialects.decoder import Decoder, RecordError, count_of, list_of, object_of, text_of
from streamkit.dialects.events import Custom, Event
from streamkit.dialects.framing import DONE

__all__ = ["AGUIDecoder"]

MS: Final = 1_000_000

RUN_KEYS: Final = IGNORED | {"protocolVersion", "metadata"}

FINISH_KEYS: Final = IGNORED | {"outcome", "usage", "metadata"}

CUSTOM_KEYS: Final = IGNORED | {"name", "value"}

STARTS: Final = [kind for kind in LANES if kind.endswith("_START")]
CONTENTS: Final = [kind for kind in LANES if kind.endswith(("_CONTENT", "_ARGS"))]
ENDS: Final = [kind for kind in LANES if kind.endswith("_END")]
CHUNKS: Final = [kind for kind in LANES if kind.endswith("_CHUNK")]

Handler = Callable[["AGUIDecoder", str, dict[str, Any], list[Event]], None]


class AGUIDecoder(Decoder):
    """Frames to events."""

    name = "ag-ui"
    framings = ("sse",)
    terminator = "RUN_FINISHED"

    def _begin(self) -> None:
        super()._begin()
        self._entities = Entities(self.choice(0), self.repair)
        self._run_id = ""
        self._model = ""

    def take(self, value: object, name: str, raw: str | bytes, out: list[Event]) -> None:
        if value is DONE:
            self.repair("done", "[DONE] does not belong to AG-UI")
            return
        kind = value.get("type") if isinstance(value, dict) else None
        if not isinstance(value, dict) or not isinstance(kind, str):
            self.unknown(out, name, raw)
            return
        kind = THINKING.get(kind, kind)
        handler = self._handlers.get(kind)
        if handler is None or (kind == "CUSTOM" and is_ours(value)):
            self.unknown(out, name, raw)
            return
        self._entities.end_lanes(kind, value, out)
        handler(self, kind, value, out)

    # Runs

    def _run_started(self, _: str, record: dict[str, Any], out: list[Event]) -> None:
        if self.started:
            self.repair("second-start", "RUN_STARTED came again in an open run; it was dropped")
            return
        thread_id, self._run_id = text_of(record, "threadId"), text_of(record, "runId")
        for key, found in (("threadId", thread_id), ("runId", self._run_id)):
            if not found:
                self.repair("run-ids", f"RUN_STARTED has no {key}")
        metadata = object_of(record, "metadata")
        model = metadata.get("model")
        self._model = model if isinstance(model, str) else ""
        extra = extra_of(record, RUN_KEYS)
        if thread_id:
            extra = {f"{FAMILY}threadId": thread_id, **extra}
        timestamp = count_of(record, "timestamp")
        created_ns = timestamp * MS if timestamp else None
        extra = with_metadata(extra, metadata, *(["model"] if self._model else []))
        self.start(out, self._run_id, self._model, created_ns=created_ns, extra=extra)

    def _run_finished(self, kind: str, record: dict[str, Any], out: list[Event]) -> None:
        self._need_start(kind, out)
        run_id = text_of(record, "runId")
        if not run_id or not text_of(record, "threadId"):
            self.repair("run-ids", "RUN_FINISHED has no threadId or no runId")
        elif self._run_id and run_id != self._run_id:
            self.repair("other-run", "RUN_FINISHED names another run than RUN_STARTED")
        if not self._entities.all_over:
            self.repair("open-at-finish", "RUN_FINISHED came while a message or a tool call was open")
        self._entities.close_all(out)
        usage = usage_of(list_of(record, "usage"), self._model)
        if usage is not None:
            out.append(usage)
        outcome, metadata = object_of(record, "outcome"), object_of(record, "metadata")
        outcome_type = text_of(outcome, "type")
        extra = with_metadata(extra_of(record, FINISH_KEYS), metadata, "finishReason", "stopSequence")
        if not outcome.keys() <= {"type", "pendingToolCallIds"}:
            extra = {**extra, f"{FAMILY}outcome": outcome}
        stop_sequence = metadata.get("stopSequence")
        self.choice(0).finish(
            out,
            metadata_reason(outcome_type, metadata),
            outcome_type,
            stop_sequence=stop_sequence if isinstance(stop_sequence, str) else "",
            extra=extra,
        )
        self.end(out)

    def _run_error(self, _: str, record: dict[str, Any], out: list[Event]) -> None:
        usage = usage_of(list_of(record, "usage"), self._model)
        if usage is not None and self.started:
            out.append(usage)
        metadata = object_of(record, "metadata")
        code, error_type, status = text_of(record, "code"), metadata.get("errorType"), metadata.get("status")
        self.error(
            out,
            text_of(record, "message"),
            error_type if isinstance(error_type, str) else "",
            "" if code == error_type else code,
            status if isinstance(status, int) and not isinstance(status, bool) else None,
        )

    def _check_started(self, kind: str) -> bool:
        if not self.started:
            self.repair("no-start", f"{kind} came before RUN_STARTED")
        return self.started

    def _need_start(self, kind: str, out: list[Event]) -> None:
        if not self._check_started(kind):
            self.start(out)

    # Messages and tool calls

    def _start(self, kind: str, record: dict[str, Any], out: list[Event]) -> None:
        lane = LANES[kind]
        if lane == "text" and is_of_another(record):
            self._entities.others.add(text_of(record, "messageId"))
            self._pass_on(kind, record, out)
            return
        self._need_start(kind, out)
        key = self._entities.key_of(lane, record, opens=True)
        entity = self._entities.get(key)
        if entity is not None and not entity.is_over:
            self.repair("restart", f"{kind} came for one that is open; a new one was begun")
        self._entities.open(key, record, out)
        if record.get("delta"):
            self._content(kind, record, out)

    def _content(self, kind: str, record: dict[str, Any], out: list[Event]) -> None:
        key = self._entities.key_of(LANES[kind], record)
        entity = self._entities.get(key)
        if entity is None or entity.is_over:
            if self._is_of_another(key):
                self._pass_on(kind, record, out)
                return
            self._need_start(kind, out)
            self.repair("no-part-start", f"{kind} came without a start, or after the end; one was begun")
            entity = self._entities.open(key, record, out)
        self._entities.add(key, entity, record, out)

    def _end(self, kind: str, record: dict[str, Any], out: list[Event]) -> None:
        key = self._entities.key_of(LANES[kind], record)
        entity = self._entities.get(key)
        if entity is not None and not entity.is_over:
            self._entities.end(key, record, out)
        elif self._is_of_another(key):
            self._entities.others.discard(key[1])
            self._pass_on(kind, record, out)
        else:
            self._need_start(kind, out)
            self.repair("no-part-start", f"{kind} came without a start, or a second time; it was dropped")

    def _chunk(self, kind: str, record: dict[str, Any], out: list[Event]) -> None:
        key = self._entities.key_of_chunk(LANES[kind], record, out)
        if self._is_of_another(key) or (key[0] == "text" and is_of_another(record)):
            self._entities.others.add(key[1])
            self._pass_on(kind, record, out)
            return
        self._need_start(kind, out)
        entity = self._entities.get(key)
        if entity is None or entity.is_over:
            entity = self._entities.open(key, record, out)
        self._entities.add(key, entity, record, out)

    def _is_of_another(self, key: Key) -> bool:
        return key[0] == "text" and key[1] in self._entities.others

    # Reasoning

    def _span_start(self, kind: str, record: dict[str, Any], out: list[Event]) -> None:
        self._need_start(kind, out)
        span = text_of(record, "messageId")
        if span in self._entities.spans:
            self.repair("restart", "REASONING_START came for a span that is open")
        self._entities.close_over(out)
        self._entities.spans.setdefault(span, {})
        self._entities.title = text_of(record, "title")  # only THINKING_START has one

    def _span_end(self, kind: str, record: dict[str, Any], out: list[Event]) -> None:
        self._need_start(kind, out)
        self._entities.end_span(text_of(record, "messageId"), out)

    def _encrypted_value(self, kind: str, record: dict[str, Any], out: list[Event]) -> None:
        """Keep the value for the end of the part that it belongs to, or pass the event on if that is over.

        AG-UI has one kind of value. What belongs to a text is a signature, what stands for one is encrypted reasoning.
        """
        found, value = text_of(record, "entityId"), text_of(record, "encryptedValue")
        keys: tuple[Key, ...] = (("reasoning", found), ("text", found))
        if text_of(record, "subtype") == "tool-call":
            keys = (("tool", found),)
        known = [(key, entity) for key in keys if (entity := self._entities.get(key)) is not None]
        if known:
            key, entity = known[0]
        elif len(keys) > 1 and found in self._entities.spans:  # reasoning of which nothing else may be seen
            key = keys[0]
            entity = self._entities.open(key, {"type": kind}, out)
            self._entities.end_in_span(key)
        else:
            self._pass_on(kind, record, out)
            return
        which = object_of(record, "metadata").get("kind")
        if which not in {"signature", "encrypted"}:
            which = "signature" if entity.has_text or key[0] != "reasoning" else "encrypted"
        setattr(entity, which, value)

    # The rest

    def _custom(self, kind: str, record: dict[str, Any], out: list[Event]) -> None:
        self._check_started(kind)
        name = text_of(record, "name")
        if record.get("name") is None:
            msg = "CUSTOM has no name"
            raise RecordError(msg)
        if "value" not in record:
            self.repair("no-value", "CUSTOM has no value; null was taken")
        out.append(Custom(name, record.get("value"), extra=extra_of(record, CUSTOM_KEYS)))

    def _pass_on(self, kind: str, record: dict[str, Any], out: list[Event]) -> None:
        self._check_started(kind)
        required = PASSED_ON[kind]
        value = {key: each for key, each in record.items() if key != "type" and (each is not None or key in required)}
        out.append(Custom(f"{FAMILY}{kind}", value))

    _handlers: ClassVar[Mapping[str, Handler]] = {
        **dict.fromkeys(PASSED_ON, _pass_on),
        **dict.fromkeys(STARTS, _start),
        **dict.fromkeys(CONTENTS, _content),
        **dict.fromkeys(ENDS, _end),
        **dict.fromkeys(CHUNKS, _chunk),
        "REASONING_START": _span_start,
        "REASONING_END": _span_end,
        "REASONING_ENCRYPTED_VALUE": _encrypted_value,
        "RUN_STARTED": _run_started,
        "RUN_FINISHED": _run_finished,
        "RUN_ERROR": _run_error,
        "CUSTOM": _custom,
    }


def is_of_another(record: dict[str, Any]) -> bool:
    """Whether a message is not the assistant's."""
    return text_of(record, "role") not in {"", "assistant"}


def is_ours(record: dict[str, Any]) -> bool:
    """Whether an application's own event has the name of one that is passed on: it must not come out as that."""
    name = record.get("name")
    return isinstance(name, str) and name.startswith(FAMILY)
