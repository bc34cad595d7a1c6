"""agent-poc: the wire of a small agent service, four types of event as data-only SSE.

`{"type":"start"}`, then `{"type":"text_message","data":{"content":"Hello"}}` for each token, then `{"type":"end"}`, and
the connection closes. `data` may be absent from the first and the last; `data.status` of the last is "completed".
`{"type":"ui_control","data":{"action":...}}` tells the page what to do and may stand anywhere, before the start too.
The service has no error event; `{"type":"error","data":{"message":...}}` without an end is what is written and read
here.

A bare `{"type":"start"}` is also how Vercel's streams may begin: only the next record tells which it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from streamkit.dialects.decoder import Decoder, object_of, text_of
from streamkit.dialects.dialect import Dialect
from streamkit.dialects.encoder import MARK, Encoder
from streamkit.dialects.events import Custom, Error, Event, FinishReason, PartStart, Start, Text, ToolArgs
from streamkit.dialects.failure import plain_failure
from streamkit.dialects.framing import DONE
from streamkit.dialects.message import Message
from streamkit.dialects.parts import NO_EXTRA, Extra
from streamkit.dialects.request_agent_poc import request_document

__all__ = ["DIALECT"]

FAMILY: Final = "agent-poc."

UI_CONTROL: Final = "ui_control"
"""The name of the one `Custom` that the dialect has a form for."""

FINISH_WORDS: Final[Mapping[FinishReason, str]] = {
    "stop": "completed",
    "stop_sequence": "completed",
    "length": "length",
    "context_overflow": "length",
    "tool_calls": "completed",
    "content_filter": "content_filter",
    "pause": "pause",
    "other": "other",
}

STATUSES: Final[Mapping[str, FinishReason]] = {
    "": "stop",
    "completed": "stop",
    "length": "length",
    "content_filter": "content_filter",
    "pause": "pause",
    "error": "error",
    "cancelled": "cancelled",
}
"""What a status means; any other one is kept as the raw reason of `other`."""

TYPES: Final = frozenset({"start", "text_message", UI_CONTROL, "end", "error"})


class AgentPocDecoder(Decoder):
    """Frames to events."""

    name = "agent-poc"
    framings = ("sse",)
    terminator = '{"type":"end"}'

    def take(self, value: object, name: str, raw: str | bytes, out: list[Event]) -> None:
        if value is DONE:
            self.repair("done", "[DONE] does not belong to this dialect")
            return
        kind = value.get("type") if isinstance(value, dict) else None
        if not isinstance(value, dict) or not isinstance(kind, str) or kind not in TYPES:
            self.unknown(out, name, raw)
            return
        if kind == "start" and not value.keys() <= {"type", "data"}:  # that is Vercel's
            self.unknown(out, name, raw)
            return
        data = object_of(value, "data")
        if kind == "text_message":
            self._need_start(out, "text_message")
            extra = NO_EXTRA if len(data) < 2 else extra_of(data, "content")
            self.choice(0).text(out, "text", text_of(data, "content"), extra)
        elif kind == UI_CONTROL:
            out.append(Custom(UI_CONTROL, value.get("data")))
        elif kind == "start":
            if self.started:
                self.repair("second-start", "a second start; it was dropped")
            self.start(out, extra=extra_of(data))
        elif kind == "end":
            self._need_start(out, "end")
            status = text_of(data, "status")
            extra = extra_of(data, "status")
            self.choice(0).finish(out, STATUSES.get(status, "other"), status, extra=extra)
            self.end(out)
        else:
            self.error(out, text_of(data, "message"))

    def _need_start(self, out: list[Event], kind: str) -> None:
        if not self.started:
            self.repair("no-start", f"{kind} came before start")
            self.start(out)


def extra_of(data: dict[str, Any], known: str = "") -> Extra:
    """Return what `data` has besides, by the keys of `extra`."""
    return {f"{FAMILY}{key}": value for key, value in data.items() if key != known and value is not None}


class AgentPocEncoder(Encoder):
    """Events to frames. Only text, `ui_control` and why it ended can be said."""

    name = "agent-poc"
    framings = ("sse",)
    finish_words = FINISH_WORDS
    family = FAMILY

    def on_start(self, start: Start, out: list[bytes]) -> None:
        self.record(out, with_data("start", self.own(start.extra)))
        self.text_frame = self.template(with_data("text_message", {"content": MARK}))

    def on_part_start(self, start: PartStart, out: list[bytes]) -> None:  # noqa: ARG002 - nothing is written
        if start.kind == "tool":
            self.lose("tool-arguments")

    def on_text(self, event: Text, out: list[bytes]) -> None:
        self.record(out, with_data("text_message", {**self.own(event.extra), "content": event.text}))

    def on_tool_args(self, event: ToolArgs, out: list[bytes]) -> None:
        """Write nothing: the call was counted when it began."""

    def on_custom(self, event: Custom, out: list[bytes]) -> None:
        if event.name == UI_CONTROL and isinstance(event.value, dict | None):
            self.record(out, control(event.value))
        else:
            self.lose("custom")

    def on_end(self, out: list[bytes]) -> None:
        finish = self.finish_event
        status = "" if self.is_own and not finish.raw_reason else self.finish_word(finish)
        own = self.own(finish.extra)
        self.record(out, with_data("end", {**own, "status": status} if status else own))

    def on_error(self, error: Error, out: list[bytes]) -> None:
        self.record(out, error_record(error))


def with_data(kind: str, data: dict[str, Any] | None) -> dict[str, object]:
    """Return a record; `data` is left out where there is none."""
    return {"type": kind, "data": data} if data else {"type": kind}


def control(data: dict[str, Any] | None) -> dict[str, object]:
    """Return a `ui_control` record."""
    return {"type": UI_CONTROL} if data is None else {"type": UI_CONTROL, "data": data}


def error_record(error: Error) -> dict[str, object]:
    """Return an error as a record."""
    return {"type": "error", "data": {"message": error.message or error.type or "error"}}


def looks_like(value: object, name: str) -> bool:
    """Whether a record may be of this dialect."""
    if not isinstance(value, dict) or name != "message" or not value.keys() <= {"type", "data"}:
        return False
    kind, data = value.get("type"), value.get("data")
    if not isinstance(kind, str) or not isinstance(data, dict | None):
        return False
    if kind == "text_message":
        return isinstance(data, dict) and "content" in data
    if kind == "error":
        return isinstance(data, dict) and "message" in data
    return kind in {"start", UI_CONTROL, "end"}


def response(message: Message) -> object:
    """Return the shortest stream that says the same, as a list: there is no response of any other form.

    One that is not complete ends in an error, or not at all.
    """
    records = [with_data("start", own_of(message.extra))]
    customs = [custom for custom in message.customs if custom.name == UI_CONTROL]
    records += [control(custom.value) for custom in customs if isinstance(custom.value, dict | None)]
    text = message.text + message.refusal
    if text:
        records.append(with_data("text_message", {"content": text}))
    if message.error is not None:
        records.append(error_record(message.error))
    elif message.complete:
        records.append(with_data("end", {"status": FINISH_WORDS.get(message.reason or "stop", "other")}))
    return records


def own_of(extra: dict[str, object]) -> dict[str, object]:
    """Return what of `extra` is this dialect's, by its own names."""
    return {key.removeprefix(FAMILY): value for key, value in extra.items() if key.startswith(FAMILY)}


DIALECT = Dialect(
    name="agent-poc",
    summary="start, text_message, ui_control and end: the wire of a small agent service.",
    decoder=AgentPocDecoder,
    encoder=AgentPocEncoder,
    carries=frozenset({"text", "finish", "error", "ping", "custom"}),
    looks_like=looks_like,
    document=response,
    failure=plain_failure,
    request=request_document,
)
