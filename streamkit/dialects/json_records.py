"""JSON records of any kind, and our own form of the neutral events among them: nothing is lost on the way.

A record `{"streamkit":"text","part":0,"text":"Hel"}` is a neutral event (`streamkit.dialects.events` has their fields)
and is read back as exactly that event. Such a stream has to be lawful (`streamkit.dialects.lifecycle`), and ends with
`{"streamkit":"end"}`; without it, it was cut.

Every other record is somebody else's: it becomes `Raw` and is written as it came, byte by byte, except that a line
break between its tokens becomes a space and U+0085, U+2028 and U+2029 are escaped: a record stays one line. In a stream
of nothing but such records the end of the input is the end, since nothing else can tell: `Start`, `Finish` and `End`
come then, marked so that no records are written for them. SSE's `[DONE]` is passed on to SSE and dropped elsewhere.

What remains untold: the type of a foreign event where the framing has none (counted as "event-name"), and where it has
no comments, heartbeats before the first event.
"""

from __future__ import annotations

from typing import Any, Final, TypeGuard

import msgspec
from msgspec.structs import replace

from streamkit.codecs.jsontext import decode_checked
from streamkit.dialects.decoder import Decoder, RecordError
from streamkit.dialects.dialect import FEATURES, Dialect
from streamkit.dialects.encoder import ANYWHERE, UNSAFE, Encoder
from streamkit.dialects.events import (
    EVENT_TYPES,
    Custom,
    End,
    Error,
    Event,
    Finish,
    FinishReason,
    Ping,
    Raw,
    Start,
    Text,
    Usage,
)
from streamkit.dialects.extra import logprobs_of
from streamkit.dialects.failure import plain_failure
from streamkit.dialects.lifecycle import Lifecycle
from streamkit.dialects.message import Message
from streamkit.dialects.request_json import request_document

__all__ = ["DIALECT"]

TAG: Final = "streamkit"

TAGGED: Final = {str(each.__struct_config__.tag): each for each in EVENT_TYPES}
"""The events' classes by their tags."""

MARKED: Final[dict[str, object]] = {"json.implied": True}

IMPLIED: Final[tuple[Event, ...]] = (Start(dialect="json", extra=MARKED), Finish("stop", extra=MARKED), End())
"""What ends a stream of foreign records: it is written as nothing."""

DONE_DATA: Final = "[DONE]"

ONE_LINE: Final = {
    ord("\r"): " ",
    ord("\n"): " ",
    0x85: r"\u0085",
    0x2028: r"\u2028",
    0x2029: r"\u2029",
}
"""In a JSON text line breaks stand only between tokens, the others only in strings."""


class JSONRecordsDecoder(Decoder):
    """Records to events."""

    name = "json"
    framings = ("ndjson", "sse", "json-array")
    terminator = '{"streamkit":"end"}'

    def _begin(self) -> None:
        super()._begin()
        self._lifecycle = Lifecycle()
        self._is_ours = False

    def take(self, value: object, name: str, raw: str | bytes, out: list[Event]) -> None:
        self.started = True
        if not is_tagged(value):
            text = raw if isinstance(raw, str) else raw.decode()
            out.append(Raw(self.name, "" if name == "message" else name, text))
            return
        try:
            event: Event = msgspec.convert(value, TAGGED[value[TAG]])
        except msgspec.ValidationError as error:
            raise RecordError(str(error)) from None
        check(event)
        for violation in self._lifecycle.feed(event):
            raise RecordError(violation.message, "unlawful")
        self._is_ours = True
        self.over = isinstance(event, (End, Error))
        out.append(event)

    def at_end(self, out: list[Event]) -> None:
        is_empty_array = self.framing == "json-array" and self._head.strip() != b""
        if not self._is_ours and (self.started or is_empty_array):
            self.over = True
            out += IMPLIED


class JSONRecordsEncoder(Encoder):
    """Events to records."""

    name = "json"
    framings = JSONRecordsDecoder.framings
    many_choices = True
    finish_words = {reason: reason for reason in FinishReason.__args__}  # type: ignore[attr-defined]  # noqa: RUF012

    def _begin(self) -> None:
        super()._begin()
        self._is_ours = False
        self._withheld: list[Event] = []

    def _write(self, event: Event, out: list[bytes]) -> None:
        if type(event) is Text and not event.extra and self.started and not self.over:
            self.record(out, event)
            return
        if self.over:
            msg = f"{type(event).__name__} after the end of the stream"
            raise ValueError(msg)
        if isinstance(event, Raw) and self._write_foreign(event, out):
            return
        if isinstance(event, Ping) and self._write_ping(event, out):
            return
        if not self._is_ours and event == IMPLIED[len(self._withheld)]:
            self._withheld.append(event)
            if len(self._withheld) == len(IMPLIED):
                self.over = True
                self._close_frame(out)
            return
        withheld, self._withheld = self._withheld, []
        for each in (*withheld, event):
            self._write_event(each, out)

    def _write_event(self, event: Event, out: list[bytes]) -> None:
        if isinstance(event, Start):
            if self.started:
                msg = "a second Start"
                raise ValueError(msg)
            event = self._completed(event)
            self.started = True
        elif not self.started and type(event) not in ANYWHERE:
            self._write_event(Start(), out)
        check(event)
        if isinstance(event, Error):
            self._write_error(event, out)
            return
        if isinstance(event, Usage) and not self.include_usage:
            return
        if isinstance(event, Finish):
            self.finishes[event.choice] = event
        self._is_ours = True
        self.record(out, event)
        if isinstance(event, End):
            self.over = True
            self._close_frame(out)

    def _completed(self, start: Start) -> Start:
        """Return the start with what the options say."""
        return replace(
            start,
            id=start.id or self._message_id,
            model=self._model or start.model,
            created_ns=self._created_ns if start.created_ns is None else start.created_ns,
        )

    def on_error(self, error: Error, out: list[bytes]) -> None:
        self.record(out, error)

    def _write_foreign(self, raw: Raw, out: list[bytes]) -> bool:
        """Write somebody else's record as it came; return whether it can be written that way."""
        value = value_of(raw)
        has_types = self.framing == "sse"
        if raw.dialect != self.name or raw.extra or raw.choice or is_tagged(value):
            return False
        if raw.payload == DONE_DATA:
            if has_types:
                out.append(self.frame.record(DONE_DATA.encode(), raw.name))
            return True
        if has_types and (raw.name == "message" or UNSAFE.search(raw.name)):
            return False
        if raw.name and not has_types:
            self.lose("event-name")
        text = raw.payload.translate(ONE_LINE) if UNSAFE.search(raw.payload) else raw.payload
        out.append(self.frame.record(text.encode(), raw.name))
        return True

    def _write_ping(self, ping: Ping, out: list[bytes]) -> bool:
        """Write a heartbeat without a record, where that can be done or has to; return whether it was."""
        if self.framing == "sse" and not (ping.extra or ping.choice or UNSAFE.search(ping.comment)):
            out.append(self.frame.comment(ping.comment))
            return True
        if self._is_ours:
            return False
        self.lose("ping")  # among foreign records there is no place for one of ours
        return True


def check(event: Event) -> None:
    """Check what the types of the fields do not say.

    Raises:
        RecordError: it is not so.
    """
    if event.choice < 0:
        msg = "choice is negative"
        raise RecordError(msg)
    if event.extra:
        logprobs_of(event.extra, "logprobs")  # the one key that has a form of its own
    if isinstance(event, Raw):
        value_of(event)
    if isinstance(event, Custom) and not event.name:
        msg = "name is empty"
        raise RecordError(msg)


def value_of(raw: Raw) -> object:
    """Return the value of somebody else's record.

    Raises:
        RecordError: it is no JSON.
    """
    if raw.payload == DONE_DATA:
        return None
    try:
        return decode_checked(raw.payload.encode())
    except ValueError as error:
        msg = f"the payload of a raw record is not JSON: {error}"
        raise RecordError(msg) from None


def is_tagged(value: object) -> TypeGuard[dict[str, Any]]:
    """Whether a record is one of ours."""
    tag = value.get(TAG) if isinstance(value, dict) else None
    return isinstance(tag, str) and tag in TAGGED


def looks_like(value: object, name: str) -> bool:  # noqa: ARG001 - our records have no types
    """Whether a record is one of ours; what looks like nothing is taken for JSON records anyway."""
    return is_tagged(value)


def response(message: Message) -> object:
    """Return the message with all its fields; `complete` and `error` say whether it is whole."""
    fields: dict[str, object] = msgspec.to_builtins(message)
    return {TAG: "message", **fields}


DIALECT = Dialect(
    name="json",
    summary="JSON records of any kind, passed through; and streamkit's own events, without any loss.",
    decoder=JSONRecordsDecoder,
    encoder=JSONRecordsEncoder,
    carries=frozenset(FEATURES),
    looks_like=looks_like,
    document=response,
    failure=plain_failure,
    request=request_document,
)
