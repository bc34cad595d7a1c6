"""The defects of the streams between an agent and its user interface: AG-UI and the AI SDK's UI messages. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from mockserver.faults.defect import Defect, dropping, first_of
from mockserver.faults.frames import DONE, Frame, Frames

__all__ = ["DEFECTS"]

AG_UI: Final = ("ag-ui",)
VERCEL: Final = ("vercel-ui",)

ENDS: Final = ("TEXT_MESSAGE_END", "TOOL_CALL_END", "REASONING_MESSAGE_END")
STARTS: Final = ("TEXT_MESSAGE_START", "TOOL_CALL_START", "REASONING_MESSAGE_START")
VERCEL_STARTS: Final = ("text-start", "reasoning-start", "tool-input-start")


def of_type(*names: str) -> Callable[[dict[str, Any]], bool]:
    """Return whether a record is of one of these types."""
    return lambda body: body.get("type") in names


def after_finish(frame: Frame) -> Iterable[Frame]:
    """Follow the end by an event."""
    more = {"type": "CUSTOM", "name": "mock", "value": True}
    return [frame, frame.plain().with_value(more)]


def with_fields(**fields: object) -> Callable[[Frame], Iterable[Frame]]:
    """Return what sets these fields."""
    return lambda frame: [frame.with_value({**frame.body, **fields})]


def no_thread_id(frame: Frame) -> Iterable[Frame]:
    """Leave out a field that is required."""
    return [frame.with_value({key: value for key, value in frame.body.items() if key != "threadId"})]


def no_done(frames: Frames) -> Iterator[Frame]:
    """Leave out `[DONE]`."""
    return (frame for frame in frames if frame.text != DONE)


def unknown_chunk(frame: Frame) -> Iterable[Frame]:
    """Follow a chunk by one of a type that nobody knows."""
    return [frame, frame.plain().with_value({"type": "mock-unknown"})]


DEFECTS: Final = (
    Defect("no-run-started", "Leave out RUN_STARTED.", AG_UI, dropping(of_type("RUN_STARTED"))),
    Defect("no-run-finished", "Leave out RUN_FINISHED.", AG_UI, dropping(of_type("RUN_FINISHED"))),
    Defect("unbalanced", "Leave out what ends messages and tool calls.", AG_UI, dropping(of_type(*ENDS))),
    Defect("no-message-start", "Leave out what starts messages and tool calls.", AG_UI, dropping(of_type(*STARTS))),
    Defect("after-finish", "Send an event after RUN_FINISHED.", AG_UI, first_of(of_type("RUN_FINISHED"), after_finish)),
    Defect(
        "null-fields",
        "Write an optional field that is null.",
        AG_UI,
        first_of(of_type("RUN_STARTED"), with_fields(parentRunId=None)),
    ),
    Defect(
        "string-timestamp",
        "Write a timestamp as a string.",
        AG_UI,
        first_of(of_type("RUN_STARTED"), with_fields(timestamp="2026-01-01T00:00:00Z")),
    ),
    Defect("no-thread-id", "Leave out the thread's id.", AG_UI, first_of(of_type("RUN_STARTED"), no_thread_id)),
    Defect("no-done", "Leave out [DONE].", VERCEL, no_done),
    Defect("no-start", "Leave out the chunk that starts the message.", VERCEL, dropping(of_type("start"))),
    Defect("no-part-start", "Leave out what starts parts.", VERCEL, dropping(of_type(*VERCEL_STARTS))),
    Defect("no-finish", "Leave out the chunk that finishes the message.", VERCEL, dropping(of_type("finish"))),
    Defect(
        "unknown-finish",
        "Stop for a reason that nobody knows.",
        VERCEL,
        first_of(of_type("finish"), with_fields(finishReason="mock_unknown")),
    ),
    Defect(
        "unknown-event",
        "Send a chunk of a type that nobody knows.",
        VERCEL,
        first_of(of_type("start"), unknown_chunk),
    ),
)
