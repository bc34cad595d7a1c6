"""Vercel's UI message stream, read: chunks to events.

Text and reasoning are parts with ids, tool calls have theirs, and several may be open at once. The arguments of a call
come as pieces of JSON text and once more, whole, as `input` of `tool-input-available`; or only there. The whole one is
compared with the pieces: what is missing of them is added, and where it is another value (the SDK has repaired it, or
filled in defaults) it is kept for this dialect.

`Finish` is put out with `[DONE]`: a message that is merged from several says `finish` more than once, and goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from io import StringIO
from typing import Any, Final

from streamkit.codecs.jsontext import JSONTextError, decode_checked, encode_string, encode_value
from streamkit.codecs.records import DEFAULT_LIMIT_BYTES
from streamkit.dialects.decoder import Decoder, text_of
from streamkit.dialects.events import Custom, Event, FinishReason, PartKind
from streamkit.dialects.extra import logprobs_of
from streamkit.dialects.framing import DONE
from streamkit.dialects.parts import NO_EXTRA, Extra
from streamkit.dialects.vercel_ui_records import (
    FAMILY,
    KEPT,
    REASONS,
    created_ns_of,
    signature_of,
    usage_of,
)

__all__ = ["VercelUIDecoder"]

PIECES: Final[dict[str, tuple[PartKind, str]]] = {
    "text-start": ("text", "start"),
    "text-delta": ("text", "delta"),
    "text-end": ("text", "end"),
    "reasoning-start": ("reasoning", "start"),
    "reasoning-delta": ("reasoning", "delta"),
    "reasoning-end": ("reasoning", "end"),
}

CALLS: Final = frozenset({"tool-input-start", "tool-input-delta", "tool-input-available", "tool-input-error"})

AFTER_ERROR: Final = frozenset({"finish-step", "finish", "message-metadata"})
"""What the SDK still writes after an error."""

MAX_COMPARED: Final = DEFAULT_LIMIT_BYTES
"""So many characters of a call's arguments are kept to be compared with the whole."""


class Call:
    """A tool call that is open.

    Attributes:
        is_text: whether its input is text rather than JSON; it becomes a JSON string.
        has_begun: whether a piece of it has come.
        pieces: all pieces so far, or None if they are too many to be compared.
    """

    def __init__(self, *, is_text: bool) -> None:
        self.is_text = is_text
        self.has_begun = False
        self.pieces: StringIO | None = StringIO()

    def hold(self, piece: str) -> None:
        """Keep a piece."""
        if self.pieces is not None:
            self.pieces.write(piece)
            if self.pieces.tell() > MAX_COMPARED:
                self.pieces = None


class VercelUIDecoder(Decoder):
    """Frames to events."""

    name = "vercel-ui"
    framings = ("sse",)
    terminator = "data: [DONE]"

    def _begin(self) -> None:
        super()._begin()
        self._finish: tuple[FinishReason, str, Extra] | None = None
        self._signed: dict[tuple[PartKind, str], tuple[str, str]] = {}
        self._calls: dict[str, Call] = {}
        self._called: set[str] = set()

    def take(self, value: object, name: str, raw: str | bytes, out: list[Event]) -> None:
        if value is DONE:
            self._done(out)
            return
        kind = value.get("type") if isinstance(value, dict) else None
        if not isinstance(value, dict) or not isinstance(kind, str):
            self.unknown(out, name, raw)
        elif kind in PIECES:
            self._need_start(kind, out)
            self._take_piece(*PIECES[kind], value, out)
        elif kind in CALLS:
            self._need_start(kind, out)
            self._take_call(kind, text_of(value, "toolCallId"), value, out)
        elif is_data(kind):
            extra = extra_of(value, frozenset({"type", "data"}))
            out.append(Custom(kind.removeprefix("data-"), value.get("data"), extra=extra))
        elif kind in KEPT:
            self._take_kept(kind, value, out)
        elif kind == "start":
            self._take_start(value, out)
        elif kind in {"finish", "abort"}:
            self._take_finish(kind, value, out)
        elif kind == "error" and "errorText" in value:
            self.error(out, text_of(value, "errorText"))
        else:
            self.unknown(out, name, raw)

    def _take(self, value: object, raw: str | bytes, name: str = "message", /) -> Sequence[Event]:
        if self.over and isinstance(value, dict):
            kind = value.get("type")
            if isinstance(kind, str) and kind in AFTER_ERROR:
                return ()
        return super()._take(value, raw, name)

    def _need_start(self, kind: str, out: list[Event]) -> None:
        if self._finish is not None:
            self.repair("after-finish", f"{kind} came after finish")
        if not self.started:
            self.repair("no-start", f"{kind} came before start")
            self.start(out)

    def _take_start(self, record: dict[str, Any], out: list[Event]) -> None:
        if self.started:
            self.repair("second-start", "a second start; it was dropped")
            return
        metadata = record.get("messageMetadata")
        extra = extra_of(record, frozenset({"type", "messageId", "messageMetadata"}))
        model, created_ns = "", None
        if isinstance(metadata, dict):
            created_ns = created_ns_of(metadata.get("createdAt"))
            known = {"createdAt"} if created_ns is not None else set()
            if isinstance(metadata.get("model"), str):
                model = metadata["model"]
                known.add("model")
            metadata = {key: value for key, value in metadata.items() if key not in known}
        if metadata:
            extra = {**extra, f"{FAMILY}messageMetadata": metadata}
        self.start(out, text_of(record, "messageId"), model, created_ns=created_ns, extra=extra)

    def _take_piece(self, kind: PartKind, action: str, record: dict[str, Any], out: list[Event]) -> None:
        parts = self.choice(0)
        key = (kind, text_of(record, "id"))
        if action == "delta" and len(record) == 3 and key in self._signed:  # type, id and delta: most are
            parts.add(out, key, text_of(record, "delta"))
            return
        extra = extra_of(record, frozenset({"type", "id", "delta", "logprobs"}))
        if action == "end" and key not in self._signed:
            self.repair("no-part-start", f"{kind}-end of a part that is not open; it was dropped")
            return
        if action == "start" or key not in self._signed:
            if action != "start":
                self.repair("no-part-start", f"{kind}-delta came before {kind}-start")
            elif key in self._signed:
                self.repair("part-restarted", f"{kind}-start of a part that is open; it was closed")
                self._close(key, out)
            parts.open(out, key, kind, extra=extra if action == "start" else NO_EXTRA)
            self._signed[key] = ("", "")
        signature, encrypted = signature_of(record.get("providerMetadata"))
        before = self._signed[key]
        self._signed[key] = (signature or before[0], encrypted or before[1])
        if action == "delta":
            if kind == "text" and record.get("logprobs") is not None:
                extra = {**extra, "logprobs": logprobs_of(record, "logprobs")}
            parts.add(out, key, text_of(record, "delta"), extra)
        elif action == "end":
            self._close(key, out, extra)

    def _close(self, key: tuple[PartKind, str], out: list[Event], extra: Extra = NO_EXTRA) -> None:
        signature, encrypted = self._signed.pop(key)
        self.choice(0).close(out, key, signature=signature, encrypted=encrypted, extra=extra)

    def _take_call(self, kind: str, call_id: str, record: dict[str, Any], out: list[Event]) -> None:
        parts = self.choice(0)
        key = ("tool", call_id)
        call = self._calls.get(call_id)
        extra = extra_of(record, CALL_KEYS)
        if kind == "tool-input-start":
            if call is not None:
                self.repair("part-restarted", "tool-input-start of a call that is open; it was closed")
            self._open_call(call_id, record, extra, out)
        elif kind == "tool-input-delta":
            if call is None:
                self.repair("no-part-start", "tool-input-delta of a call that is not open; its input is taken whole")
                return
            self._add_piece(key, call, text_of(record, "inputTextDelta"), extra, out)
        elif call is None and call_id in self._called:
            self.repair("tool-repeated", f"{kind} of a call that was complete; it was dropped")
        else:
            if call is None:
                call = self._open_call(call_id, record, extra, out)
            if kind == "tool-input-error":
                if not call.has_begun:
                    parts.add(out, key, text_of_input(record.get("input")))
                extra = {**extra, f"{FAMILY}errorText": text_of(record, "errorText")}
            else:
                extra = {**extra, **self._complete(key, call, record.get("input"), out)}
            del self._calls[call_id]
            signature, encrypted = signature_of(record.get("providerMetadata"))
            parts.close(out, key, signature=signature, encrypted=encrypted, extra=extra)

    def _open_call(self, call_id: str, record: dict[str, Any], extra: Extra, out: list[Event]) -> Call:
        is_text = record.get("inputEncoding") == "text"
        call = self._calls[call_id] = Call(is_text=is_text)
        self._called.add(call_id)
        name = text_of(record, "toolName")
        self.choice(0).open(out, ("tool", call_id), "tool", tool_id=call_id, tool_name=name, extra=extra)
        return call

    def _add_piece(self, key: tuple[str, str], call: Call, piece: str, extra: Extra, out: list[Event]) -> None:
        if not piece:
            return
        if call.is_text:
            extra = {**extra, f"{FAMILY}inputTextDelta": piece}
            piece = ("" if call.has_begun else '"') + encode_string(piece).decode()[1:-1]
        call.has_begun = True
        call.hold(piece)
        self.choice(0).add(out, key, piece, extra)

    def _complete(self, key: tuple[str, str], call: Call, value: object, out: list[Event]) -> Extra:
        """Add what the pieces have not said of the whole input; return what cannot be added."""
        parts = self.choice(0)
        if call.is_text and call.has_begun:
            call.hold('"')
            parts.add(out, key, '"', {f"{FAMILY}inputTextDelta": ""})
        whole = encode_value({} if value is None else value).decode()
        if not call.has_begun:
            parts.add(out, key, whole)
            return NO_EXTRA
        if call.pieces is None or value is None:
            return NO_EXTRA
        pieces = call.pieces.getvalue()
        try:
            if decode_checked(pieces.encode()) == value:
                return NO_EXTRA
        except JSONTextError:
            if whole.startswith(pieces):
                self.repair("tool-input-cut", "the pieces of a tool call's input are not the whole; the rest was added")
                parts.add(out, key, whole[len(pieces) :])
                return NO_EXTRA
        return {f"{FAMILY}input": value}

    def _take_kept(self, kind: str, record: dict[str, Any], out: list[Event]) -> None:
        if kind == "finish-step" and self._signed:
            self.repair("part-not-ended", "a part was open at finish-step; it was closed")
            for key in list(self._signed):
                self._close(key, out)
        fields = {key: value for key, value in record.items() if key != "type"}
        usage = usage_of(record.get("messageMetadata")) if kind == "message-metadata" else None
        if usage is not None:
            self._need_start(kind, out)
            out.append(usage)
        out.append(Custom(f"{FAMILY}{kind}", fields or None))

    def _take_finish(self, kind: str, record: dict[str, Any], out: list[Event]) -> None:
        metadata = record.get("messageMetadata")
        usage = usage_of(metadata)
        if usage is not None and isinstance(metadata, dict):
            if not self.started:
                self._need_start(kind, out)
            out.append(usage)
            metadata = {key: value for key, value in metadata.items() if key != "usage"}
        if self._finish is not None:
            self.repair("second-finish", f"{kind} came after finish or abort")
            if self._finish[0] == "cancelled":
                return
        word = "abort" if kind == "abort" else text_of(record, "finishReason")
        reason: FinishReason = "cancelled" if kind == "abort" else REASONS.get(word, "other")
        extra = extra_of(record, frozenset({"type", "finishReason", "messageMetadata"}))
        if metadata:
            extra = {**extra, f"{FAMILY}messageMetadata": metadata}
        self._finish = (reason, word, extra)

    def _done(self, out: list[Event]) -> None:
        if self._finish is not None:
            if not self.started:
                self.repair("no-start", "finish came before start")
                self.start(out)
            reason, word, extra = self._finish
            if reason != "cancelled" and (self._signed or self._calls):
                self.repair("part-not-ended", "a part was open at the end; it was closed")
            for key in list(self._signed):
                self._close(key, out)
            self.choice(0).finish(out, reason, word, extra=extra)
        self.end(out)


CALL_KEYS: Final = frozenset({"type", "toolCallId", "toolName", "inputTextDelta", "input", "errorText"})


def is_data(kind: str) -> bool:
    """Whether a chunk is an application's own, and its name not one by which we call the protocol's."""
    return kind.startswith("data-") and kind != "data-" and kind.removeprefix(f"data-{FAMILY}") not in KEPT


def extra_of(record: dict[str, Any], known: frozenset[str]) -> Extra:
    """Return what a chunk has besides, by the keys of `extra`."""
    if record.keys() <= known:
        return NO_EXTRA
    return {f"{FAMILY}{key}": value for key, value in record.items() if key not in known and value is not None}


def text_of_input(value: object) -> str:
    """Return the text of an input that is invalid: text as it is, anything else as JSON."""
    if isinstance(value, str):
        return value
    return "" if value is None else encode_value(value).decode()
