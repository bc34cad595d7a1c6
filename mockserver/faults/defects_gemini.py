"""The defects of Gemini. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from mockserver.faults.defect import Defect, dicts_in, each
from mockserver.faults.frames import Frame, Frames
from mockserver.response import Record
from streamkit.dialects.framing import FRAMINGS

__all__ = ["DEFECTS"]

GEMINI: Final = ("gemini",)


def json_array(frames: Frames) -> Iterator[Frame]:
    """Write events as the elements of one array."""
    writer = FRAMINGS["json-array"]()
    tokens = at_ns = 0
    for frame in frames:
        step = frame.step
        if isinstance(step, Record):
            tokens, at_ns = step.tokens, step.at_ns
        if frame.text is not None:
            yield frame.with_raw(writer.record(frame.text))
        elif not isinstance(step, Record):  # comments have no place in an array
            yield frame
    yield Frame(Record(writer.end(), tokens, at_ns))


def no_finish(frame: Frame, body: dict[str, Any]) -> Frame | None:
    """Never say why the model stopped."""
    finished = [each for each in dicts_in(body.get("candidates")) if each.pop("finishReason", None) is not None]
    return frame.with_value(body) if finished else None


DEFECTS: Final = (
    Defect("json-array", "Write events as one JSON array.", GEMINI, json_array, ("sse",), "application/json"),
    Defect("no-finish", "Never say why the model stopped.", GEMINI, each(no_finish), ("sse", "json-array")),
)
