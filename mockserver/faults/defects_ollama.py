"""The defects of Ollama's chat and generate. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from mockserver.faults.defect import Defect, dicts_in, dropping, each
from mockserver.faults.frames import Frame, Frames
from mockserver.response import Record
from streamkit.codecs.jsontext import encode_value

__all__ = ["DEFECTS"]

OLLAMA: Final = ("ollama-chat", "ollama-generate")
CHAT: Final = ("ollama-chat",)

LINES: Final = ("ndjson",)


def sse(frames: Frames) -> Iterator[Frame]:
    """Write each line as an event."""
    for frame in frames:
        yield frame if frame.text is None else frame.with_raw(b"data: %b\n\n" % frame.text)


def _calls(body: dict[str, Any]) -> list[dict[str, Any]]:
    message = body.get("message", body)
    return dicts_in(message.get("tool_calls")) if isinstance(message, dict) else []


def string_args(frame: Frame, body: dict[str, Any]) -> Frame | None:
    """Write the arguments of tool calls as a string."""
    functions = dicts_in([call.get("function") for call in _calls(body)])
    for function in functions:
        function["arguments"] = encode_value(function.get("arguments")).decode()
    return frame.with_value(body) if functions else None


def no_message(frame: Frame, body: dict[str, Any]) -> Frame | None:
    """Leave out the message, or the response."""
    kept = {key: value for key, value in body.items() if key not in {"message", "response"}}
    return frame.with_value(kept) if len(kept) < len(body) else None


def lines_after_done(frames: Frames) -> Iterator[Frame]:
    """Send the last line of text once more after the one that says that all is done."""
    last: Frame | None = None
    for frame in frames:
        yield frame
        body = frame.body
        if body.get("done") is True and last is not None and isinstance(frame.step, Record):
            step = msgspec.structs.replace(frame.step, is_terminator=False)
            yield last.with_step(step)
        elif body and not _calls(body):
            last = frame


DEFECTS: Final = (
    Defect("sse-for-ndjson", "Write lines as events of an event stream.", OLLAMA, sse, LINES, "text/event-stream"),
    Defect("string-args", "Write the arguments of tool calls as a string.", CHAT, each(string_args), LINES),
    Defect("no-message", "Leave out the message, or the response, of each line.", OLLAMA, each(no_message), LINES),
    Defect(
        "no-done", "Leave out the line with done:true.", OLLAMA, dropping(lambda body: body.get("done") is True), LINES
    ),
    Defect("lines-after-done", "Send a line after the one with done:true.", OLLAMA, lines_after_done, LINES),
)
